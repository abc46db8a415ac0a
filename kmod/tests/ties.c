// SPDX-License-Identifier: GPL-2.0
/* The waits when two things happen at once: who wins, and that nothing is lost. */
#include <linux/cpumask.h>
#include <linux/wait.h>

#include "test.h"

enum what { TIMEOUT, SLEEP, EVENT, COMPLETION, WHATS };

struct tie {
	enum what what;
	struct ctx *ctx;
	ktime_t time;
	wait_queue_head_t wq;
	bool condition;
	struct completion completion;
	ktime_t start;
	struct completion ready;
};

static void tie_init(struct tie *tie, enum what what, struct ctx *ctx)
{
	memset(tie, 0, sizeof(*tie));
	tie->what = what;
	tie->ctx = ctx;
	tie->time = ktime_set(3600, 0);
	init_waitqueue_head(&tie->wq);
	init_completion(&tie->completion);
	init_completion(&tie->ready);
}

static int tie_fn(void *arg)
{
	struct tie *tie = arg;

	tie->start = ktime_get();
	complete(&tie->ready);
	switch (tie->what) {
	case TIMEOUT:
		return ctx_wait_timeout(tie->ctx, tie->time);
	case SLEEP:
		return ctx_sleep(tie->ctx, tie->time);
	case EVENT:
		return ctx_wait_event(tie->ctx, tie->wq, READ_ONCE(tie->condition));
	default:
		return ctx_wait_for_completion(tie->ctx, &tie->completion);
	}
}

/*
 * Puts a waiter to sleep on this CPU, keeps the CPU from it while @both happens,
 * and returns what it says when it gets to look. Returns 1 if it was so slow
 * that its time was up before.
 */
static int tie_hold(struct kunit *test, struct tie *tie, void (*both)(struct tie *tie))
{
	struct ct_helper helper;
	unsigned long flags;
	bool late = false;
	int ret;

	set_cpus_allowed_ptr(current, cpumask_of(0));
	ct_helper_start_on(test, &helper, tie_fn, tie, 0);
	ct_wait_for(test, &tie->ready);
	KUNIT_EXPECT_TRUE(test, ct_helper_blocked(&helper));
	local_irq_save(flags);
	late = !ktime_before(ktime_get(), ktime_add(tie->start, tie->time));
	both(tie);
	local_irq_restore(flags);
	ret = ct_helper_join(test, &helper);
	set_cpus_allowed_ptr(current, cpu_possible_mask);
	return late ? 1 : ret;
}

static void time_and_cancel(struct tie *tie)
{
	ktime_t end = ktime_add(ktime_get(), tie->time);

	/* It began to wait before now. */
	ct_spin_until(ktime_after(ktime_get(), end));
	ctx_cancel(tie->ctx);
}

static void done_wins_over_time_running_out(struct kunit *test)
{
	enum what what;

	for (what = TIMEOUT; what <= SLEEP; what++) {
		int ret = 1, ms;

		/* Time enough to set the scene, whatever the machine. */
		for (ms = 10; ret == 1 && ms < 10000; ms *= 4) {
			struct ctx *c = ct_cancel(test, ctx_background());
			struct tie tie;

			tie_init(&tie, what, c);
			tie.time = ms_to_ktime(ms);
			ret = tie_hold(test, &tie, time_and_cancel);
			ctx_put(c);
		}
		KUNIT_EXPECT_EQ(test, ret, -ECANCELED);
	}
}

static void condition_then_cancel(struct tie *tie)
{
	tie->condition = true;
	complete(&tie->completion);
	ctx_cancel(tie->ctx);
}

static void cancel_then_condition(struct tie *tie)
{
	ctx_cancel(tie->ctx);
	tie->condition = true;
	complete(&tie->completion);
}

static void condition_wins_over_done(struct kunit *test)
{
	enum what what;
	int order;

	for (what = EVENT; what <= COMPLETION; what++) {
		for (order = 0; order < 2; order++) {
			struct ctx *c = ct_cancel(test, ctx_background());
			struct tie tie;

			tie_init(&tie, what, c);
			KUNIT_EXPECT_EQ(test, tie_hold(test, &tie, order ? cancel_then_condition :
								   condition_then_cancel), 0);
			/* And has consumed what it reported. */
			if (what == COMPLETION)
				KUNIT_EXPECT_FALSE(test, completion_done(&tie.completion));
			ctx_put(c);
		}
	}
}

static void condition_wins_if_both_are_there_at_once(struct kunit *test)
{
	struct ctx *c = ct_cancel(test, ctx_background());
	DECLARE_WAIT_QUEUE_HEAD_ONSTACK(wq);
	struct completion completion;

	ctx_cancel(c);
	init_completion(&completion);
	complete(&completion);
	KUNIT_EXPECT_EQ(test, ctx_wait_event(c, wq, true), 0);
	KUNIT_EXPECT_EQ(test, ctx_wait_event_interruptible(c, wq, true), 0);
	KUNIT_EXPECT_EQ(test, ctx_wait_event_killable(c, wq, true), 0);
	KUNIT_EXPECT_EQ(test, ctx_wait_for_completion(c, &completion), 0);
	KUNIT_EXPECT_EQ(test, ctx_wait_for_completion(c, &completion), -ECANCELED);
	complete(&completion);
	KUNIT_EXPECT_EQ(test, ctx_wait_for_completion_interruptible(c, &completion), 0);
	complete(&completion);
	KUNIT_EXPECT_EQ(test, ctx_wait_for_completion_killable(c, &completion), 0);
	KUNIT_EXPECT_FALSE(test, completion_done(&completion));
	complete_all(&completion);
	KUNIT_EXPECT_EQ(test, ctx_wait_for_completion(c, &completion), 0);
	KUNIT_EXPECT_EQ(test, ctx_wait_for_completion(c, &completion), 0);
	ctx_put(c);
}

struct turn {
	struct ctx *ctx;
	int looked;
	int true_from;
	int cancel_at;
};

static bool turn_condition(struct turn *turn)
{
	if (++turn->looked == turn->cancel_at)
		ctx_cancel(turn->ctx);
	return turn->looked >= turn->true_from;
}

/* Comes true together with the cancellation, however often that was looked at. */
static void condition_is_looked_at_again_after_done(struct kunit *test)
{
	DECLARE_WAIT_QUEUE_HEAD_ONSTACK(wq);
	int cancel_at;

	for (cancel_at = 1; cancel_at <= 2; cancel_at++) {
		struct turn turn = {
			.ctx = ct_cancel(test, ctx_background()),
			.cancel_at = cancel_at, .true_from = cancel_at + 1,
		};

		KUNIT_EXPECT_EQ(test, ctx_wait_event(turn.ctx, wq, turn_condition(&turn)), 0);
		ctx_put(turn.ctx);
	}
}

static void event_waits_for_its_condition(struct kunit *test)
{
	struct ctx *on[] = { ct_hour(test, ctx_background()), ctx_background(), ctx_todo(),
			     ct_without(test, ctx_background()) };
	int i, n;

	for (i = 0; i < ARRAY_SIZE(on); i++) {
		struct ct_helper helper;
		struct tie tie;

		tie_init(&tie, EVENT, on[i]);
		ct_helper_start(test, &helper, tie_fn, &tie);
		for (n = 0; n < 10; n++) {
			/* For no reason. */
			KUNIT_EXPECT_TRUE(test, ct_helper_blocked(&helper));
			KUNIT_EXPECT_FALSE(test, completion_done(&helper.ended));
			wake_up(&tie.wq);
			wake_up_process(helper.task);
		}
		WRITE_ONCE(tie.condition, true);
		wake_up(&tie.wq);
		KUNIT_EXPECT_EQ(test, ct_helper_join(test, &helper), 0);
		/* Nobody is left on it; nobody comes to it any more. */
		KUNIT_EXPECT_TRUE(test, list_empty(&tie.wq.head));
	}
	ctx_put(on[3]);
	ctx_put(on[0]);
}

static void completion_waits_for_its_turn(struct kunit *test)
{
	struct ctx *on[] = { ct_hour(test, ctx_background()), ctx_background(), ctx_todo(),
			     ct_without(test, ctx_background()) };
	int i, n;

	for (i = 0; i < ARRAY_SIZE(on); i++) {
		struct ct_helper helper[2];
		struct tie tie[2];

		for (n = 0; n < 2; n++) {
			tie_init(&tie[n], COMPLETION, on[i]);
			ct_helper_start(test, &helper[n], tie_fn, &tie[n]);
			KUNIT_EXPECT_TRUE(test, ct_helper_blocked(&helper[n]));
			KUNIT_EXPECT_FALSE(test, completion_done(&helper[n].ended));
			wake_up_process(helper[n].task);
			KUNIT_EXPECT_TRUE(test, ct_helper_blocked(&helper[n]));
			KUNIT_EXPECT_FALSE(test, completion_done(&helper[n].ended));
		}
		complete(&tie[0].completion);
		complete_all(&tie[1].completion);
		for (n = 0; n < 2; n++)
			KUNIT_EXPECT_EQ(test, ct_helper_join(test, &helper[n]), 0);
		/* One wait consumes one complete(). */
		KUNIT_EXPECT_FALSE(test, completion_done(&tie[0].completion));
		KUNIT_EXPECT_TRUE(test, completion_done(&tie[1].completion));
	}
	ctx_put(on[3]);
	ctx_put(on[0]);
}

static void nothing_is_consumed_when_the_context_ends_the_wait(struct kunit *test)
{
	struct ctx *c = ct_cancel(test, ctx_background());
	struct ct_helper helper;
	struct tie tie;

	tie_init(&tie, COMPLETION, c);
	ct_helper_start(test, &helper, tie_fn, &tie);
	KUNIT_EXPECT_TRUE(test, ct_helper_blocked(&helper));
	ctx_cancel(c);
	KUNIT_EXPECT_EQ(test, ct_helper_join(test, &helper), -ECANCELED);
	complete(&tie.completion);
	KUNIT_EXPECT_TRUE(test, try_wait_for_completion(&tie.completion));
	KUNIT_EXPECT_FALSE(test, try_wait_for_completion(&tie.completion));
	ctx_put(c);
}

struct pair {
	struct completion completion;
	struct ctx *ctx[2];
	int nr[2];
};

static int pair_fn(void *arg)
{
	struct pair *pair = container_of(arg, struct pair, nr[*(int *)arg]);

	return ctx_wait_for_completion(pair->ctx[*(int *)arg], &pair->completion);
}

static int cancel_fn(void *arg)
{
	ctx_cancel(arg);
	return 0;
}

/*
 * Two wait for one count, the first to be given it leaves as his context is done
 * just then. Then the other gets it: it is not lost with the one who leaves.
 */
static void no_count_is_lost_with_one_who_leaves(struct kunit *test)
{
	struct ct_partner partner;
	int round, i;

	ct_partner_start(test, &partner, pair_fn);
	for (round = 0; round < ct_times(200); round++) {
		struct pair pair = { .nr = { 0, 1 } };
		struct ct_helper other;
		int ret[2];

		init_completion(&pair.completion);
		for (i = 0; i < 2; i++)
			pair.ctx[i] = ct_hour(test, ctx_background());
		ct_partner_go(&partner, &pair.nr[0]);
		KUNIT_EXPECT_TRUE(test, ct_helper_blocked(&partner.helper));
		ct_helper_start_on(test, &other, pair_fn, &pair.nr[1], 0);
		KUNIT_EXPECT_TRUE(test, ct_helper_blocked(&other));

		/* From before he wakes up until after he has left. */
		ctx_cancel(pair.ctx[0]);
		ct_busy_ns(round * 400);
		complete(&pair.completion);
		ret[0] = ct_partner_wait(test, &partner);
		if (!ret[0]) {
			KUNIT_EXPECT_FALSE(test, completion_done(&pair.completion));
			ctx_cancel(pair.ctx[1]);
		}
		ret[1] = ct_helper_join(test, &other);
		KUNIT_EXPECT_EQ(test, ret[0], ret[0] ? -ECANCELED : 0);
		KUNIT_EXPECT_EQ(test, ret[1], ret[0] ? 0 : -ECANCELED);
		KUNIT_EXPECT_FALSE(test, completion_done(&pair.completion));
		for (i = 0; i < 2; i++)
			ctx_put(pair.ctx[i]);
	}
	ct_partner_stop(test, &partner);
}

static void s3_done_is_one_completion_for_ever(struct kunit *test)
{
	struct ctx *p = ct_cancel(test, ctx_background());
	struct ctx *c = ct_cancel(test, p);
	struct ctx *v = ct_value(test, c, test, test);
	struct ctx *unasked = ct_cancel(test, c);
	struct completion *done = ctx_done(c);
	int i;

	KUNIT_EXPECT_PTR_EQ(test, ctx_done(c), done);
	KUNIT_EXPECT_PTR_EQ(test, ctx_done(v), done);
	KUNIT_EXPECT_PTR_NE(test, ctx_done(p), done);
	KUNIT_EXPECT_FALSE(test, completion_done(done));
	KUNIT_EXPECT_FALSE(test, try_wait_for_completion(done));
	ctx_cancel(p);
	for (i = 0; i < 5; i++) {
		KUNIT_EXPECT_PTR_EQ(test, ctx_done(c), done);
		KUNIT_EXPECT_TRUE(test, completion_done(done));
		KUNIT_EXPECT_TRUE(test, try_wait_for_completion(done));
		/* Asked for the first time when it is done. */
		KUNIT_EXPECT_TRUE(test, completion_done(ctx_done(unasked)));
		KUNIT_EXPECT_TRUE(test, try_wait_for_completion(ctx_done(unasked)));
	}
	KUNIT_EXPECT_PTR_NE(test, ctx_done(unasked), done);
	ctx_put(unasked);
	ctx_put(v);
	ctx_put(c);
	ctx_put(p);
}

static void s3_done_is_completed_however_late_it_is_asked_for(struct kunit *test)
{
	struct ct_partner partner;
	int round, bad = 0;

	ct_partner_start(test, &partner, cancel_fn);
	for (round = 0; round < ct_times(500); round++) {
		struct ctx *p = ct_cancel(test, ctx_background());
		struct ctx *c = ct_cancel(test, p);

		ct_partner_go(&partner, p);
		bad += !wait_for_completion_timeout(ctx_done(c), PATIENCE);
		bad += ctx_err(c) != -ECANCELED;
		ct_partner_wait(test, &partner);
		ctx_put(c);
		ctx_put(p);
	}
	ct_partner_stop(test, &partner);
	KUNIT_EXPECT_EQ(test, bad, 0);
}

static struct kunit_case ties_cases[] = {
	KUNIT_CASE(done_wins_over_time_running_out),
	KUNIT_CASE(condition_wins_over_done),
	KUNIT_CASE(condition_wins_if_both_are_there_at_once),
	KUNIT_CASE(condition_is_looked_at_again_after_done),
	KUNIT_CASE(event_waits_for_its_condition),
	KUNIT_CASE(completion_waits_for_its_turn),
	KUNIT_CASE(nothing_is_consumed_when_the_context_ends_the_wait),
	KUNIT_CASE_SLOW(no_count_is_lost_with_one_who_leaves),
	KUNIT_CASE(s3_done_is_one_completion_for_ever),
	KUNIT_CASE(s3_done_is_completed_however_late_it_is_asked_for),
	{ }
};

static struct kunit_suite ties_suite = {
	.name = "ctx_ties",
	.test_cases = ties_cases,
};

kunit_test_suite(ties_suite);
