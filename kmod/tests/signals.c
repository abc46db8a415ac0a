// SPDX-License-Identifier: GPL-2.0
/* The task's own signals: a wait ends by these or by the context, whichever comes first. */
#include <linux/sched/signal.h>
#include <linux/signal.h>

#include "test.h"

static const int signals[] = { SIGUSR1, SIGKILL };

/* Whether @sig may end a wait of this form. */
static bool may_end(int form, int sig)
{
	int state = form % CT_STATES;

	return state == CT_INTERRUPTIBLE || (state == CT_KILLABLE && sig == SIGKILL);
}

/* Kernel threads ignore what they do not ask for. */
static void take_signals(void)
{
	allow_signal(SIGUSR1);
	allow_signal(SIGKILL);
}

static void take_none(void)
{
	flush_signals(current);
	disallow_signal(SIGUSR1);
	disallow_signal(SIGKILL);
}

/* A thread that takes signals, and waits. */
struct sleeper {
	struct ct_helper helper;
	struct ct_waiting *w;
	struct completion begun;
	bool pending;		/* a signal was, when it came back */
};

static int sleeper_fn(void *arg)
{
	struct sleeper *sleeper = arg;
	int ret;

	take_signals();
	complete(&sleeper->begun);
	ret = ct_waiting_fn(sleeper->w);
	sleeper->pending = signal_pending(current);
	flush_signals(current);
	return ret;
}

static void expect_asleep(struct kunit *test, struct sleeper *sleeper)
{
	KUNIT_EXPECT_TRUE(test, ct_helper_blocked(&sleeper->helper));
	KUNIT_EXPECT_FALSE(test, completion_done(&sleeper->helper.ended));
}

/* On return it sleeps. */
static void sleeper_start_as(struct kunit *test, struct sleeper *sleeper, struct ct_waiting *w,
			     int (*fn)(void *sleeper))
{
	sleeper->w = w;
	init_completion(&sleeper->begun);
	ct_helper_start(test, &sleeper->helper, fn, sleeper);
	ct_wait_for(test, &sleeper->begun);
	expect_asleep(test, sleeper);
}

static void sleeper_start(struct kunit *test, struct sleeper *sleeper, struct ct_waiting *w)
{
	sleeper_start_as(test, sleeper, w, sleeper_fn);
}

static void sleeper_signal(struct sleeper *sleeper, int sig)
{
	send_sig(sig, sleeper->helper.task, 1);
}

static int sleeper_end(struct kunit *test, struct sleeper *sleeper)
{
	return ct_helper_join(test, &sleeper->helper);
}

static void sleeper_expect(struct kunit *test, struct sleeper *sleeper, int ret)
{
	KUNIT_EXPECT_EQ_MSG(test, sleeper_end(test, sleeper), ret, "%s",
			    ct_wait_names[sleeper->w->form]);
}

static void signal_comes_first(struct kunit *test, struct ctx *c, int form, int sig)
{
	struct sleeper sleeper;
	struct ct_waiting w;

	ct_waiting_init(&w, c, form);
	sleeper_start(test, &sleeper, &w);
	sleeper_signal(&sleeper, sig);
	sleeper_expect(test, &sleeper, -ERESTARTSYS);
	/* It is the task that does not wait any longer. */
	ct_expect_live(test, c);
}

static void signals_end_waits(struct kunit *test)
{
	struct ctx *c = ct_hour(test, ctx_background());
	int form, i;

	for (form = 0; form < CT_WAITS; form++)
		for (i = 0; i < ARRAY_SIZE(signals); i++)
			if (may_end(form, signals[i]))
				signal_comes_first(test, c, form, signals[i]);
	ctx_put(c);
}

static void signal_ends_nothing(struct kunit *test, int form, int sig)
{
	struct ctx *c = ct_hour(test, ctx_background());
	struct sleeper sleeper;
	struct ct_waiting w;

	ct_waiting_init(&w, c, form);
	sleeper_start(test, &sleeper, &w);
	sleeper_signal(&sleeper, sig);
	expect_asleep(test, &sleeper);
	ctx_cancel(c);
	sleeper_expect(test, &sleeper, -ECANCELED);
	/* Still there, for whoever waits next. */
	KUNIT_EXPECT_TRUE(test, sleeper.pending);
	ctx_put(c);
}

/* Any in the plain form, and what is not fatal in the killable one. */
static void signals_that_may_not_end_the_wait(struct kunit *test)
{
	int form, i;

	for (form = 0; form < CT_WAITS; form++)
		for (i = 0; i < ARRAY_SIZE(signals); i++)
			if (!may_end(form, signals[i]))
				signal_ends_nothing(test, form, signals[i]);
}

/* One that is there when the wait begins. */
static void signals_that_are_pending(struct kunit *test)
{
	int form, i;

	take_signals();
	for (form = 0; form < CT_WAITS; form++) {
		for (i = 0; i < ARRAY_SIZE(signals); i++) {
			const bool ends = may_end(form, signals[i]);
			struct ctx *c = ct_timeout_ms(test, ctx_background(),
						      ends ? PATIENCE_MS : 3);
			struct ct_waiting w;

			ct_waiting_init(&w, c, form);
			send_sig(signals[i], current, 1);
			KUNIT_EXPECT_EQ_MSG(test, ct_waiting_fn(&w),
					    ends ? -ERESTARTSYS : -ETIMEDOUT, "%s, signal %d",
					    ct_wait_names[form], signals[i]);
			KUNIT_EXPECT_TRUE(test, signal_pending(current));
			flush_signals(current);
			ctx_put(c);
		}
	}
	take_none();
}

/* Who has his answer does not wait. */
static void signals_are_no_answer_if_there_is_one(struct kunit *test)
{
	struct ctx *live = ct_hour(test, ctx_background());
	struct ctx *done = ct_cancel(test, ctx_background());
	int form;

	ctx_cancel_cause(done, -EPERM);
	take_signals();
	send_sig(SIGKILL, current, 1);
	for (form = 0; form < CT_WAITS; form++) {
		struct ct_waiting w;

		ct_waiting_init(&w, done, form);
		KUNIT_EXPECT_EQ_MSG(test, ct_waiting_fn(&w), -ECANCELED, "%s",
				    ct_wait_names[form]);
		ct_waiting_init(&w, live, form);
		w.late = 0;
		w.condition = true;
		complete(&w.completion);
		if (ct_wait_has_time(form) || ct_wait_has_condition(form))
			KUNIT_EXPECT_EQ_MSG(test, ct_waiting_fn(&w), 0, "%s", ct_wait_names[form]);
	}
	KUNIT_EXPECT_TRUE(test, signal_pending(current));
	take_none();
	ctx_put(done);
	ctx_put(live);
}

/* Sends a signal when the context is done, before the sleeper hears of that. */
struct killer {
	struct ctx_callback cb;
	struct sleeper *sleeper;
};

static void killer_fn(struct ctx *ctx, struct ctx_callback *cb)
{
	sleeper_signal(container_of(cb, struct killer, cb)->sleeper, SIGKILL);
}

static void signals_that_come_after_the_context(struct kunit *test)
{
	int form;

	for (form = 0; form < CT_WAITS; form++) {
		struct ctx *c = ct_cancel(test, ctx_background());
		struct sleeper sleeper;
		struct killer killer = { .sleeper = &sleeper };
		struct ct_waiting w;

		/* Before the sleeper's own: that is the order in which they are called. */
		KUNIT_ASSERT_EQ(test, ctx_callback_add(c, &killer.cb, killer_fn), 0);
		ct_waiting_init(&w, c, form);
		sleeper_start(test, &sleeper, &w);
		ctx_cancel(c);
		sleeper_expect(test, &sleeper, -ECANCELED);
		KUNIT_EXPECT_TRUE(test, sleeper.pending);
		ctx_put(c);
	}
}

/* Of an event it is the signal that wakes who waits. */
static void signals_that_come_after_the_condition(struct kunit *test)
{
	struct ctx *c = ct_hour(test, ctx_background());
	int form;

	for (form = 0; form < CT_WAITS; form++) {
		struct sleeper sleeper;
		struct ct_waiting w;

		if (!ct_wait_has_condition(form) || !may_end(form, SIGKILL))
			continue;
		ct_waiting_init(&w, c, form);
		sleeper_start(test, &sleeper, &w);
		WRITE_ONCE(w.condition, true);
		complete(&w.completion);
		sleeper_signal(&sleeper, SIGKILL);
		sleeper_expect(test, &sleeper, 0);
	}
	ctx_put(c);
}

/* Several wait for the same: one leaves, of whom nothing is left in the others' way. */
static void signals_end_the_wait_of_one(struct kunit *test)
{
	enum { SLEEPERS = 3 };
	int form, i;

	for (form = CT_KILLABLE; form < CT_WAITS; form += CT_STATES) {
		struct ctx *c = ct_hour(test, ctx_background());
		struct sleeper sleeper[SLEEPERS];
		struct ct_waiting w;

		ct_waiting_init(&w, c, form);
		for (i = 0; i < SLEEPERS; i++)
			sleeper_start(test, &sleeper[i], &w);
		sleeper_signal(&sleeper[0], SIGKILL);
		sleeper_expect(test, &sleeper[0], -ERESTARTSYS);
		for (i = 1; i < SLEEPERS; i++)
			expect_asleep(test, &sleeper[i]);
		if (ct_wait_has_condition(form)) {
			WRITE_ONCE(w.condition, true);
			wake_up(&w.wq);
			complete(&w.completion);
			sleeper_expect(test, &sleeper[1], 0);
		} else {
			ctx_cancel(c);
			sleeper_expect(test, &sleeper[1], -ECANCELED);
		}
		complete(&w.completion);
		sleeper_expect(test, &sleeper[2], ct_wait_has_condition(form) ? 0 : -ECANCELED);
		ctx_put(c);
	}
}

/* Whoever is killed as he is given a count has it, or leaves it to the next. */
static void signals_lose_no_count_of_a_completion(struct kunit *test)
{
	struct ctx *c = ct_hour(test, ctx_background());
	int form;

	for (form = CT_WAITS - CT_STATES + CT_INTERRUPTIBLE; form < CT_WAITS; form++) {
		struct sleeper killed, next;
		struct ct_waiting w;
		int ret;

		ct_waiting_init(&w, c, form);
		sleeper_start(test, &killed, &w);
		sleeper_start(test, &next, &w);
		sleeper_signal(&killed, SIGKILL);
		complete(&w.completion);
		ret = sleeper_end(test, &killed);
		if (!ret)
			complete(&w.completion);
		else
			KUNIT_EXPECT_EQ(test, ret, -ERESTARTSYS);
		sleeper_expect(test, &next, 0);
		KUNIT_EXPECT_FALSE(test, completion_done(&w.completion));
	}
	ctx_put(c);
}

/* As a system call that is restarted. */
static int restarted_fn(void *arg)
{
	struct sleeper *sleeper = arg;
	int ret;

	take_signals();
	complete(&sleeper->begun);
	do {
		ret = ct_waiting_fn(sleeper->w);
		flush_signals(current);
		complete(&sleeper->begun);
	} while (ret == -ERESTARTSYS);
	return ret;
}

static void signals_leave_a_wait_that_can_be_begun_again(struct kunit *test)
{
	int form;

	for (form = CT_INTERRUPTIBLE; form < CT_WAITS; form += CT_STATES) {
		struct ctx *c = ct_hour(test, ctx_background());
		struct sleeper sleeper;
		struct ct_waiting w;

		ct_waiting_init(&w, c, form);
		sleeper_start_as(test, &sleeper, &w, restarted_fn);
		sleeper_signal(&sleeper, SIGUSR1);
		ct_wait_for(test, &sleeper.begun);
		expect_asleep(test, &sleeper);
		ctx_cancel(c);
		sleeper_expect(test, &sleeper, -ECANCELED);
		ctx_put(c);
	}
}

/* A thread of ctx's own, which is no other than the kernel's. */
struct worker {
	struct task_struct *task;
	struct completion begun;
};

static int worker_fn(struct ctx *ctx, void *data)
{
	struct worker *worker = data;
	int ret;

	take_signals();
	worker->task = current;
	complete(&worker->begun);
	ret = ctx_wait_killable(ctx);
	flush_signals(current);
	return ret;
}

static void signals_to_a_thread_under_a_context(struct kunit *test)
{
	struct ctx *c = ct_hour(test, ctx_background());
	int sig;

	for (sig = 0; sig <= SIGKILL; sig += SIGKILL) {
		struct worker worker;
		struct ctx_thread *thread;

		init_completion(&worker.begun);
		thread = ctx_thread_run(c, worker_fn, &worker, "signals");
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, thread);
		ct_wait_for(test, &worker.begun);
		/* A killable wait is not ended by this one. */
		send_sig(SIGUSR1, worker.task, 1);
		KUNIT_EXPECT_TRUE(test, ct_poll_until(!task_is_running(worker.task)));
		if (sig)
			send_sig(sig, worker.task, 1);
		KUNIT_EXPECT_EQ(test, sig ? ctx_thread_join(thread) : ctx_thread_stop(thread),
				sig ? -ERESTARTSYS : -ECANCELED);
		ct_expect_live(test, c);
	}
	ctx_put(c);
}

static struct kunit_case signals_cases[] = {
	KUNIT_CASE(signals_end_waits),
	KUNIT_CASE(signals_that_may_not_end_the_wait),
	KUNIT_CASE(signals_that_are_pending),
	KUNIT_CASE(signals_are_no_answer_if_there_is_one),
	KUNIT_CASE(signals_that_come_after_the_context),
	KUNIT_CASE(signals_that_come_after_the_condition),
	KUNIT_CASE(signals_end_the_wait_of_one),
	KUNIT_CASE(signals_lose_no_count_of_a_completion),
	KUNIT_CASE(signals_leave_a_wait_that_can_be_begun_again),
	KUNIT_CASE(signals_to_a_thread_under_a_context),
	{ }
};

static struct kunit_suite signals_suite = {
	.name = "ctx_signals",
	.test_cases = signals_cases,
};

kunit_test_suite(signals_suite);
