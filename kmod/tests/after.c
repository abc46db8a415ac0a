// SPDX-License-Identifier: GPL-2.0
/* S13: after-funcs, and the barrier. */
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "test.h"

struct job {
	struct ctx_after after;
	struct ctx *ctx;
	atomic_t runs;
	enum ct_where where;
	bool atomic;
	int err;
	unsigned long text;
	unsigned long seen;
	struct completion begun;
	struct completion go;
	struct completion ran;
	atomic_t over;
	bool ret;
};

static void job_init(struct job *job, struct ctx *ctx)
{
	memset(job, 0, sizeof(*job));
	job->ctx = ctx;
	init_completion(&job->begun);
	init_completion(&job->go);
	init_completion(&job->ran);
}

static void job_fn(struct ctx_after *after)
{
	struct job *job = container_of(after, struct job, after);

	job->where = ct_where();
	job->atomic = !ct_may_sleep();
	job->seen = READ_ONCE(job->text);
	if (job->ctx)
		job->err = ctx_err(job->ctx);
	schedule_timeout_uninterruptible(1);
	atomic_inc(&job->runs);
	complete(&job->ran);
}

static void s13_runs_once_on_a_workqueue_and_may_sleep(struct kunit *test)
{
	struct ctx *p = ct_cancel(test, ctx_background());
	struct ctx *v = ct_value(test, p, test, test);
	struct ctx *t = ct_timeout_ms(test, p, 50);
	struct ctx *on[] = { p, v, ct_cancel(test, p), t };
	struct job job[ARRAY_SIZE(on)];
	int i;

	for (i = 0; i < ARRAY_SIZE(on); i++) {
		job_init(&job[i], on[i]);
		ctx_after_func(on[i], &job[i].after, job_fn);
		WRITE_ONCE(job[i].text, i + 1);
	}
	/* Until then it does not run. */
	ctx_barrier();
	KUNIT_EXPECT_EQ(test, atomic_read(&job[0].runs) + atomic_read(&job[1].runs) +
			atomic_read(&job[2].runs), 0);
	ct_wait_for(test, &job[3].ran);
	ctx_cancel(p);
	for (i = 0; i < 3; i++)
		ct_wait_for(test, &job[i].ran);
	ctx_cancel(p);
	ctx_cancel_sync(p);
	ctx_barrier();
	for (i = 0; i < ARRAY_SIZE(on); i++) {
		KUNIT_EXPECT_EQ(test, atomic_read(&job[i].runs), 1);
		KUNIT_EXPECT_EQ(test, (int)job[i].where, (int)CT_WORKER);
		KUNIT_EXPECT_FALSE(test, job[i].atomic);
		KUNIT_EXPECT_EQ(test, job[i].err, i == 3 ? -ETIMEDOUT : -ECANCELED);
		KUNIT_EXPECT_EQ(test, job[i].seen, i + 1UL);
		KUNIT_EXPECT_FALSE(test, ctx_after_stop(&job[i].after));
		KUNIT_EXPECT_FALSE(test, ctx_after_stop_sync(&job[i].after));
		ctx_put(on[i]);
	}
}

static void s13_on_a_done_context_it_is_queued_at_once(struct kunit *test)
{
	struct ctx *c = ct_cancel(test, ctx_background());
	struct ctx *v = ct_value(test, c, test, test);
	struct job job, below;

	ctx_cancel_sync(c);
	job_init(&job, c);
	job_init(&below, v);
	ctx_after_func(c, &job.after, job_fn);
	ctx_after_func(v, &below.after, job_fn);
	ct_wait_for(test, &job.ran);
	ct_wait_for(test, &below.ran);
	ctx_barrier();
	KUNIT_EXPECT_EQ(test, atomic_read(&job.runs), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&below.runs), 1);
	KUNIT_EXPECT_EQ(test, (int)job.where, (int)CT_WORKER);
	KUNIT_EXPECT_FALSE(test, ctx_after_stop(&job.after));
	ctx_put(v);
	ctx_put(c);
}

static void s13_stop_prevents_the_run(struct kunit *test)
{
	int sync;

	for (sync = 0; sync < 2; sync++) {
		bool (*stop)(struct ctx_after *after) = sync ? ctx_after_stop_sync :
							       ctx_after_stop;
		struct ctx *c = ct_cancel(test, ctx_background());
		struct job job, other;

		job_init(&job, c);
		job_init(&other, c);
		ctx_after_func(c, &job.after, job_fn);
		ctx_after_func(c, &other.after, job_fn);
		KUNIT_EXPECT_TRUE(test, stop(&job.after));
		/* It will not run: that remains true. */
		KUNIT_EXPECT_TRUE(test, stop(&job.after));
		ctx_cancel(c);
		ct_wait_for(test, &other.ran);
		ctx_barrier();
		KUNIT_EXPECT_EQ(test, atomic_read(&job.runs), 0);
		KUNIT_EXPECT_TRUE(test, stop(&job.after));
		KUNIT_EXPECT_FALSE(test, stop(&other.after));
		ctx_put(c);
	}
}

static void s13_on_what_is_never_done_it_never_runs(struct kunit *test)
{
	struct ctx *w = ct_without(test, ctx_background());
	struct ctx *never[] = { ctx_background(), ctx_todo(), w };
	int i;

	for (i = 0; i < ARRAY_SIZE(never); i++) {
		struct job job;

		job_init(&job, never[i]);
		ctx_after_func(never[i], &job.after, job_fn);
		ctx_cancel(never[i]);
		ctx_barrier();
		KUNIT_EXPECT_TRUE(test, i % 2 ? ctx_after_stop(&job.after) :
						ctx_after_stop_sync(&job.after));
		KUNIT_EXPECT_EQ(test, atomic_read(&job.runs), 0);
	}
	ctx_put(w);
}

static void s13_holds_the_context_until_it_has_run(struct kunit *test)
{
	struct ct_token token;
	struct ctx *p = ct_cancel(test, ctx_background());
	struct ctx *v = ct_token_ctx(test, &token, p);
	struct ctx *c = ct_cancel(test, v);
	struct job job;

	job_init(&job, c);
	ctx_after_func(c, &job.after, job_fn);
	ctx_put(c);
	ctx_put(v);
	ctx_barrier();
	KUNIT_EXPECT_EQ(test, atomic_read(&token.released), 0);
	ctx_cancel(p);
	ct_wait_for(test, &job.ran);
	/* The function itself could still use it. */
	KUNIT_EXPECT_EQ(test, job.err, -ECANCELED);
	ct_token_gone(test, &token);
	KUNIT_EXPECT_EQ(test, atomic_read(&job.runs), 1);
	ctx_put(p);
}

static void s13_holds_a_value_context_as_well(struct kunit *test)
{
	struct ct_token token;
	struct ctx *p = ct_cancel(test, ctx_background());
	struct ctx *v = ct_token_ctx(test, &token, p);
	struct job job;

	job_init(&job, v);
	ctx_after_func(v, &job.after, job_fn);
	ctx_put(v);
	ctx_barrier();
	KUNIT_EXPECT_EQ(test, atomic_read(&token.released), 0);
	ctx_cancel(p);
	ct_wait_for(test, &job.ran);
	ct_token_gone(test, &token);
	ctx_put(p);
}

static void s13_holds_the_context_until_it_was_stopped(struct kunit *test)
{
	int sync;

	for (sync = 0; sync < 2; sync++) {
		struct ct_token token;
		struct ctx *v = ct_token_ctx(test, &token, ctx_background());
		struct ctx *c = ct_cancel(test, v);
		struct job job;

		job_init(&job, c);
		ctx_after_func(c, &job.after, job_fn);
		ctx_put(c);
		ctx_put(v);
		ctx_barrier();
		KUNIT_EXPECT_EQ(test, atomic_read(&token.released), 0);
		KUNIT_EXPECT_TRUE(test, sync ? ctx_after_stop_sync(&job.after) :
					       ctx_after_stop(&job.after));
		ct_token_gone(test, &token);
	}
}

static void gated_fn(struct ctx_after *after)
{
	struct job *job = container_of(after, struct job, after);

	complete(&job->begun);
	wait_for_completion(&job->go);
	schedule_timeout_uninterruptible(msecs_to_jiffies(20));
	atomic_set(&job->over, 1);
}

static void s13_only_stop_sync_waits_for_a_run_in_progress(struct kunit *test)
{
	struct ctx *c = ct_cancel(test, ctx_background());
	struct job job;

	job_init(&job, c);
	ctx_after_func(c, &job.after, gated_fn);
	ctx_cancel(c);
	ct_wait_for(test, &job.begun);
	KUNIT_EXPECT_FALSE(test, ctx_after_stop(&job.after));
	KUNIT_EXPECT_EQ(test, atomic_read(&job.over), 0);
	complete(&job.go);
	KUNIT_EXPECT_FALSE(test, ctx_after_stop_sync(&job.after));
	KUNIT_EXPECT_EQ(test, atomic_read(&job.over), 1);
	ctx_put(c);
}

static void stop_own_fn(struct ctx_after *after)
{
	struct job *job = container_of(after, struct job, after);

	job->ret = ctx_after_stop(after) || ctx_after_stop_sync(after);
	complete(&job->ran);
}

static void s13_stop_from_inside_itself_does_not_wait(struct kunit *test)
{
	struct ctx *c = ct_cancel(test, ctx_background());
	struct job job;

	job_init(&job, c);
	job.ret = true;
	ctx_after_func(c, &job.after, stop_own_fn);
	ctx_cancel(c);
	ct_wait_for(test, &job.ran);
	KUNIT_EXPECT_FALSE(test, job.ret);
	KUNIT_EXPECT_FALSE(test, ctx_after_stop_sync(&job.after));
	ctx_put(c);
}

static void s13_cancel_sync_waits_for_what_it_queued(struct kunit *test)
{
	struct ctx *p = ct_cancel(test, ctx_background());
	struct ctx *c = ct_cancel(test, p);
	struct job job;

	job_init(&job, c);
	complete(&job.go);
	ctx_after_func(c, &job.after, gated_fn);
	ctx_cancel_sync(p);
	KUNIT_EXPECT_EQ(test, atomic_read(&job.over), 1);
	ctx_after_stop_sync(&job.after);
	ctx_put(c);
	ctx_put(p);
}

static void s13_barrier_waits_for_what_was_queued(struct kunit *test)
{
	struct ctx *c = ct_cancel(test, ctx_background());
	struct ctx *done = ct_cancel(test, ctx_background());
	struct job one, two;

	ctx_cancel(done);
	job_init(&one, c);
	job_init(&two, done);
	complete(&one.go);
	complete(&two.go);
	ctx_after_func(c, &one.after, gated_fn);
	ctx_after_func(done, &two.after, gated_fn);
	ctx_cancel(c);
	ctx_barrier();
	KUNIT_EXPECT_EQ(test, atomic_read(&one.over), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&two.over), 1);
	ctx_put(done);
	ctx_put(c);
	ctx_barrier();
}

static atomic_t slowly_released;

static void slow_release(void *value)
{
	schedule_timeout_uninterruptible(msecs_to_jiffies(20));
	atomic_inc(&slowly_released);
}

static void s13_barrier_waits_for_releases(struct kunit *test)
{
	int i;

	atomic_set(&slowly_released, 0);
	for (i = 1; i <= 3; i++) {
		struct ctx *c = ct_must(test, ctx_with_value(ctx_background(), test, test,
							     slow_release, GFP_KERNEL));

		ctx_put(c);
		ctx_barrier();
		KUNIT_EXPECT_EQ(test, atomic_read(&slowly_released), i);
	}
}

/* A release that is due to an after-func's last reference. */
static void s13_barrier_waits_for_what_an_after_func_lets_go(struct kunit *test)
{
	struct ctx *p = ct_cancel(test, ctx_background());
	struct ctx *v = ct_must(test, ctx_with_value(p, test, test, slow_release, GFP_KERNEL));
	struct job job;

	atomic_set(&slowly_released, 0);
	job_init(&job, NULL);
	complete(&job.go);
	ctx_after_func(v, &job.after, gated_fn);
	ctx_put(v);
	ctx_cancel(p);
	ctx_barrier();
	KUNIT_EXPECT_EQ(test, atomic_read(&job.over), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&slowly_released), 1);
	ctx_put(p);
}

/* What an unfinished cancellation is still to queue. */
static void s13_barrier_waits_for_a_cancellation_left_to_a_worker(struct kunit *test)
{
	struct ctx *p = ct_cancel(test, ctx_background());
	struct ctx *c = ct_cancel(test, p);
	struct job job;

	job_init(&job, NULL);
	complete(&job.go);
	ctx_after_func(c, &job.after, gated_fn);
	ctx_cancel_async(p);
	ctx_barrier();
	KUNIT_EXPECT_EQ(test, atomic_read(&job.over), 1);
	ctx_put(c);
	ctx_put(p);
}

static atomic_t freed;

static void free_own_fn(struct ctx_after *after)
{
	struct job *job = container_of(after, struct job, after);

	memset(job, 0x6b, sizeof(*job));
	kfree(job);
	atomic_inc(&freed);
}

static void s13_an_after_func_may_free_itself(struct kunit *test)
{
	struct ctx *c = ct_cancel(test, ctx_background());
	int i;

	atomic_set(&freed, 0);
	for (i = 0; i < 20; i++) {
		struct job *job = kzalloc(sizeof(*job), GFP_KERNEL);

		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, job);
		if (i == 10)
			ctx_cancel(c);
		ctx_after_func(c, &job->after, free_own_fn);
	}
	ctx_put(c);
	ctx_barrier();
	KUNIT_EXPECT_EQ(test, atomic_read(&freed), 20);
}

static void s13_storage_can_be_used_again(struct kunit *test)
{
	struct job job;
	int i;

	job_init(&job, NULL);
	for (i = 1; i <= 5; i++) {
		struct ctx *c = ct_cancel(test, ctx_background());

		ctx_after_func(c, &job.after, job_fn);
		KUNIT_EXPECT_TRUE(test, ctx_after_stop_sync(&job.after));
		ctx_after_func(c, &job.after, job_fn);
		ctx_cancel(c);
		ct_wait_for(test, &job.ran);
		KUNIT_EXPECT_FALSE(test, ctx_after_stop_sync(&job.after));
		KUNIT_EXPECT_EQ(test, atomic_read(&job.runs), i);
		ctx_put(c);
	}
}

static struct kunit_case after_cases[] = {
	KUNIT_CASE(s13_runs_once_on_a_workqueue_and_may_sleep),
	KUNIT_CASE(s13_on_a_done_context_it_is_queued_at_once),
	KUNIT_CASE(s13_stop_prevents_the_run),
	KUNIT_CASE(s13_on_what_is_never_done_it_never_runs),
	KUNIT_CASE(s13_holds_the_context_until_it_has_run),
	KUNIT_CASE(s13_holds_a_value_context_as_well),
	KUNIT_CASE(s13_holds_the_context_until_it_was_stopped),
	KUNIT_CASE(s13_only_stop_sync_waits_for_a_run_in_progress),
	KUNIT_CASE(s13_stop_from_inside_itself_does_not_wait),
	KUNIT_CASE(s13_cancel_sync_waits_for_what_it_queued),
	KUNIT_CASE(s13_barrier_waits_for_what_was_queued),
	KUNIT_CASE(s13_barrier_waits_for_releases),
	KUNIT_CASE(s13_barrier_waits_for_what_an_after_func_lets_go),
	KUNIT_CASE(s13_barrier_waits_for_a_cancellation_left_to_a_worker),
	KUNIT_CASE(s13_an_after_func_may_free_itself),
	KUNIT_CASE(s13_storage_can_be_used_again),
	{ }
};

static struct kunit_suite after_suite = {
	.name = "ctx_after",
	.test_cases = after_cases,
};

kunit_test_suite(after_suite);
