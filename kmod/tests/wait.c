// SPDX-License-Identifier: GPL-2.0
/* The waits, in all their forms, and what ends them. */
#include <linux/sched/signal.h>
#include <linux/signal.h>
#include <linux/wait.h>

#include "test.h"

/* Every form behind one signature. @late is a time that does not come. */
struct waiting {
	struct ctx *ctx;
	wait_queue_head_t wq;
	bool condition;
	struct completion completion;
	ktime_t late;
	int form;
	struct completion sleeping;
};

enum { PLAIN, INTERRUPTIBLE, KILLABLE, STATES };

#define FORMS	(5 * STATES)

static const char * const form_names[FORMS] = {
	"wait", "wait_interruptible", "wait_killable",
	"timeout", "timeout_interruptible", "timeout_killable",
	"sleep", "sleep_interruptible", "sleep_killable",
	"event", "event_interruptible", "event_killable",
	"completion", "completion_interruptible", "completion_killable",
};

static bool can_end_otherwise(int form)
{
	return form >= 9;
}

static bool has_time(int form)
{
	return form >= 3 && form < 9;
}

static int wait_by(struct waiting *w)
{
	struct ctx *c = w->ctx;

	switch (w->form) {
	case 0: return ctx_wait(c);
	case 1: return ctx_wait_interruptible(c);
	case 2: return ctx_wait_killable(c);
	case 3: return ctx_wait_timeout(c, w->late);
	case 4: return ctx_wait_timeout_interruptible(c, w->late);
	case 5: return ctx_wait_timeout_killable(c, w->late);
	case 6: return ctx_sleep(c, w->late);
	case 7: return ctx_sleep_interruptible(c, w->late);
	case 8: return ctx_sleep_killable(c, w->late);
	case 9: return ctx_wait_event(c, w->wq, READ_ONCE(w->condition));
	case 10: return ctx_wait_event_interruptible(c, w->wq, READ_ONCE(w->condition));
	case 11: return ctx_wait_event_killable(c, w->wq, READ_ONCE(w->condition));
	case 12: return ctx_wait_for_completion(c, &w->completion);
	case 13: return ctx_wait_for_completion_interruptible(c, &w->completion);
	default: return ctx_wait_for_completion_killable(c, &w->completion);
	}
}

static void waiting_init(struct waiting *w, struct ctx *ctx, int form)
{
	memset(w, 0, sizeof(*w));
	w->ctx = ctx;
	w->form = form;
	w->late = ktime_set(3600, 0);
	init_waitqueue_head(&w->wq);
	init_completion(&w->completion);
}

static int waiting_fn(void *arg)
{
	int ret = wait_by(arg);

	/* Nobody is left in a state that is not for running. */
	return task_is_running(current) ? ret : 1;
}

static void waits_on_a_done_context_end_at_once(struct kunit *test)
{
	struct ctx *c = ct_cancel(test, ctx_background());
	struct ctx *v = ct_value(test, c, test, test);
	struct ctx *t = ct_must(test, ctx_with_timeout(ctx_background(), 0, GFP_KERNEL));
	struct waiting w;
	int form;

	ctx_cancel_cause(c, -EIO);
	for (form = 0; form < FORMS; form++) {
		waiting_init(&w, c, form);
		KUNIT_EXPECT_EQ_MSG(test, wait_by(&w), -ECANCELED, "%s", form_names[form]);
		waiting_init(&w, v, form);
		KUNIT_EXPECT_EQ_MSG(test, wait_by(&w), -ECANCELED, "%s", form_names[form]);
		waiting_init(&w, t, form);
		KUNIT_EXPECT_EQ_MSG(test, wait_by(&w), -ETIMEDOUT, "%s", form_names[form]);
	}
	ctx_put(t);
	ctx_put(v);
	ctx_put(c);
}

/* Cancelled from here, by an ancestor, through a value and a deadline. */
static void waits_end_when_an_ancestor_is_cancelled(struct kunit *test)
{
	int form, depth;

	for (form = 0; form < FORMS; form++) {
		for (depth = 0; depth < 3; depth++) {
			struct ctx *top = ct_cancel(test, ctx_background());
			struct ctx *mid = ct_hour(test, top);
			struct ctx *leaf = ct_value(test, mid, test, test);
			struct ct_helper helper;
			struct waiting w;

			waiting_init(&w, depth == 0 ? top : depth == 1 ? mid : leaf, form);
			ct_helper_start(test, &helper, waiting_fn, &w);
			KUNIT_EXPECT_TRUE(test, ct_helper_blocked(&helper));
			ctx_cancel(top);
			KUNIT_EXPECT_EQ_MSG(test, ct_helper_join(test, &helper), -ECANCELED,
					    "%s", form_names[form]);
			ctx_put(leaf);
			ctx_put(mid);
			ctx_put(top);
		}
	}
}

static void waits_end_when_an_ancestor_expires(struct kunit *test)
{
	int form;

	for (form = 0; form < FORMS; form++) {
		struct ctx *top = ct_timeout_ms(test, ctx_background(), 2);
		struct ctx *mid = ct_cancel(test, top);
		struct ctx *leaf = ct_hour(test, mid);
		struct ct_helper helper;
		struct waiting w;

		waiting_init(&w, leaf, form);
		ct_helper_start(test, &helper, waiting_fn, &w);
		KUNIT_EXPECT_EQ_MSG(test, ct_helper_join(test, &helper), -ETIMEDOUT, "%s",
				    form_names[form]);
		ctx_put(leaf);
		ctx_put(mid);
		ctx_put(top);
	}
}

static int cancel_fn(void *arg)
{
	ctx_cancel(arg);
	return 0;
}

/* The cancellation comes just as the wait begins. */
static void waits_race_with_cancellation(struct kunit *test)
{
	struct ct_partner partner;
	int round;

	ct_partner_start(test, &partner, cancel_fn);
	for (round = 0; round < ct_times(40) * FORMS; round++) {
		struct ctx *c = ct_cancel(test, ctx_background());
		struct waiting w;

		waiting_init(&w, c, round % FORMS);
		ct_partner_go(&partner, c);
		KUNIT_EXPECT_EQ_MSG(test, wait_by(&w), -ECANCELED, "%s", form_names[w.form]);
		ct_partner_wait(test, &partner);
		ctx_put(c);
	}
	ct_partner_stop(test, &partner);
}

/* Many at once on one context, some of them on its completion. */
static int done_waiter_fn(void *arg)
{
	wait_for_completion(ctx_done(arg));
	return ctx_err(arg);
}

static void waits_of_many_all_end(struct kunit *test)
{
	enum { MANY = 24 };
	struct ctx *p = ct_cancel(test, ctx_background());
	struct ctx *c = ct_cancel(test, p);
	struct ct_helper *helper = kunit_kzalloc(test, MANY * sizeof(*helper), GFP_KERNEL);
	struct waiting *w = kunit_kzalloc(test, MANY * sizeof(*w), GFP_KERNEL);
	int i;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, helper);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, w);
	for (i = 0; i < MANY; i++) {
		waiting_init(&w[i], c, i % FORMS);
		if (i % 3)
			ct_helper_start(test, &helper[i], waiting_fn, &w[i]);
		else
			ct_helper_start(test, &helper[i], done_waiter_fn, c);
	}
	for (i = 0; i < MANY; i++)
		KUNIT_EXPECT_TRUE(test, ct_helper_blocked(&helper[i]));
	ctx_cancel(p);
	for (i = 0; i < MANY; i++)
		KUNIT_EXPECT_EQ(test, ct_helper_join(test, &helper[i]), -ECANCELED);
	ctx_put(c);
	ctx_put(p);
}

static void waits_with_a_time_end_with_it(struct kunit *test)
{
	struct ctx *w_ctx = ct_without(test, ctx_background());
	struct ctx *on[] = { ct_hour(test, ctx_background()), ctx_background(), ctx_todo(), w_ctx };
	int form, i;

	for (form = 0; form < FORMS; form++) {
		for (i = 0; i < ARRAY_SIZE(on) && has_time(form); i++) {
			ktime_t time = ms_to_ktime(3), before = ktime_get();
			struct waiting w;

			waiting_init(&w, on[i], form);
			w.late = time;
			KUNIT_EXPECT_EQ_MSG(test, wait_by(&w), 0, "%s", form_names[form]);
			/* All of it. */
			KUNIT_EXPECT_GE(test, ktime_sub(ktime_get(), before), time);
			KUNIT_EXPECT_TRUE(test, task_is_running(current));
		}
	}
	ctx_put(on[0]);
	ctx_put(w_ctx);
}

static void waits_without_time_return_at_once(struct kunit *test)
{
	static const s64 none[] = { 0, -1, KTIME_MIN };
	struct ctx *c = ct_cancel(test, ctx_background());
	int form, i, done;

	for (done = 0; done < 2; done++) {
		for (form = 0; form < FORMS; form++) {
			for (i = 0; i < ARRAY_SIZE(none) && has_time(form); i++) {
				struct waiting w;

				waiting_init(&w, c, form);
				w.late = none[i];
				KUNIT_EXPECT_EQ_MSG(test, wait_by(&w), done ? -ECANCELED : 0,
						    "%s", form_names[form]);
				waiting_init(&w, ctx_background(), form);
				w.late = none[i];
				KUNIT_EXPECT_EQ(test, wait_by(&w), 0);
			}
		}
		ctx_cancel(c);
	}
	ctx_put(c);
}

/* So long that it cannot be added to the present. */
static void waits_of_endless_time_end_by_the_context(struct kunit *test)
{
	static const s64 endless[] = { KTIME_MAX, KTIME_MAX - 1 };
	int form, i;

	for (form = 0; form < FORMS; form++) {
		for (i = 0; i < ARRAY_SIZE(endless) && has_time(form); i++) {
			struct ctx *c = ct_timeout_ms(test, ctx_background(), 3);
			struct waiting w;

			waiting_init(&w, c, form);
			w.late = endless[i];
			KUNIT_EXPECT_EQ_MSG(test, wait_by(&w), -ETIMEDOUT, "%s", form_names[form]);
			ctx_put(c);
		}
	}
}

/* -ERESTARTSYS where the form allows it; only then. */
static void signals_end_what_they_may(struct kunit *test)
{
	int form, fatal;

	allow_signal(SIGUSR1);
	allow_signal(SIGKILL);
	for (fatal = 0; fatal < 2; fatal++) {
		for (form = 0; form < FORMS; form++) {
			int state = form % STATES;
			bool ends = state == INTERRUPTIBLE || (state == KILLABLE && fatal);
			struct ctx *c = ct_timeout_ms(test, ctx_background(), 5);
			struct waiting w;
			int ret;

			waiting_init(&w, c, form);
			send_sig(fatal ? SIGKILL : SIGUSR1, current, 1);
			ret = wait_by(&w);
			if (ends && ret == -ETIMEDOUT) {
				/* Too slow to see it live: look again with time enough. */
				ctx_put(c);
				c = ct_hour(test, ctx_background());
				w.ctx = c;
				ret = wait_by(&w);
			}
			KUNIT_EXPECT_EQ_MSG(test, ret, ends ? -ERESTARTSYS : -ETIMEDOUT,
					    "%s, signal %d", form_names[form], fatal);
			KUNIT_EXPECT_TRUE(test, signal_pending(current));
			/* What was being waited for wins over the signal. */
			if (can_end_otherwise(form)) {
				w.condition = true;
				complete(&w.completion);
				KUNIT_EXPECT_EQ_MSG(test, wait_by(&w), 0, "%s", form_names[form]);
			}
			flush_signals(current);
			ctx_put(c);
		}
	}
	disallow_signal(SIGUSR1);
	disallow_signal(SIGKILL);
}

static int signalled_fn(void *arg)
{
	struct waiting *w = arg;
	int ret;

	allow_signal(SIGUSR1);
	allow_signal(SIGKILL);
	complete(&w->sleeping);
	ret = waiting_fn(w);
	flush_signals(current);
	return ret;
}

/* The same when the signal comes to one who sleeps. */
static void signals_wake_who_may_be_woken(struct kunit *test)
{
	int form;

	for (form = 0; form < FORMS; form++) {
		struct ctx *c = ct_hour(test, ctx_background());
		struct ct_helper helper;
		struct waiting w;

		if (form % STATES == PLAIN) {
			ctx_put(c);
			continue;
		}
		waiting_init(&w, c, form);
		init_completion(&w.sleeping);
		ct_helper_start(test, &helper, signalled_fn, &w);
		ct_wait_for(test, &w.sleeping);
		KUNIT_EXPECT_TRUE(test, ct_helper_blocked(&helper));
		send_sig(form % STATES == KILLABLE ? SIGKILL : SIGUSR1, helper.task, 1);
		KUNIT_EXPECT_EQ_MSG(test, ct_helper_join(test, &helper), -ERESTARTSYS, "%s",
				    form_names[form]);
		ctx_put(c);
	}
}

static struct kunit_case wait_cases[] = {
	KUNIT_CASE(waits_on_a_done_context_end_at_once),
	KUNIT_CASE(waits_end_when_an_ancestor_is_cancelled),
	KUNIT_CASE(waits_end_when_an_ancestor_expires),
	KUNIT_CASE(waits_race_with_cancellation),
	KUNIT_CASE(waits_of_many_all_end),
	KUNIT_CASE(waits_with_a_time_end_with_it),
	KUNIT_CASE(waits_without_time_return_at_once),
	KUNIT_CASE(waits_of_endless_time_end_by_the_context),
	KUNIT_CASE(signals_end_what_they_may),
	KUNIT_CASE(signals_wake_who_may_be_woken),
	{ }
};

static struct kunit_suite wait_suite = {
	.name = "ctx_wait",
	.test_cases = wait_cases,
};

kunit_test_suite(wait_suite);
