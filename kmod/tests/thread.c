// SPDX-License-Identifier: GPL-2.0
/* Kernel threads under a context. */
#include <linux/kthread.h>
#include <linux/pid.h>
#include <linux/rcupdate.h>
#include <linux/string.h>
#include <linux/wait.h>

#include "test.h"

struct work {
	struct ctx *parent;
	struct ctx *ctx;
	const void *key;
	void *value;
	int err;
	int ret;
	pid_t pid;
	bool kthread;
	char comm[TASK_COMM_LEN];
	wait_queue_head_t wq;
	struct completion completion;
	struct completion begun;
	struct completion go;
	atomic_t runs;
	atomic_t over;
};

static void work_init(struct work *work, int ret)
{
	memset(work, 0, sizeof(*work));
	work->ret = ret;
	init_waitqueue_head(&work->wq);
	init_completion(&work->completion);
	init_completion(&work->begun);
	init_completion(&work->go);
}

static void note(struct work *work, struct ctx *ctx)
{
	work->ctx = ctx;
	work->err = ctx_err(ctx);
	work->pid = task_pid_nr(current);
	work->kthread = current->flags & PF_KTHREAD;
	get_task_comm(work->comm, current);
	if (work->key)
		work->value = ctx_value(ctx, work->key);
	atomic_inc(&work->runs);
	complete(&work->begun);
}

static int brief_fn(struct ctx *ctx, void *data)
{
	struct work *work = data;

	note(work, ctx);
	return work->ret;
}

static int gated_fn(struct ctx *ctx, void *data)
{
	struct work *work = data;

	note(work, ctx);
	wait_for_completion(&work->go);
	schedule_timeout_uninterruptible(msecs_to_jiffies(20));
	atomic_set(&work->over, 1);
	return work->ret;
}

/* Until it is told to stop, in each of the ways to wait. */
static int until_fn(struct ctx *ctx, void *data)
{
	struct work *work = data;

	note(work, ctx);
	switch (work->ret % 5) {
	case 0:
		return ctx_wait(ctx);
	case 1:
		return ctx_sleep(ctx, ktime_set(3600, 0));
	case 2:
		return ctx_wait_event(ctx, work->wq, false);
	case 3:
		return ctx_wait_for_completion(ctx, &work->completion);
	default:
		return ctx_wait_timeout(ctx, ktime_set(3600, 0));
	}
}

static struct ctx_thread *run(struct kunit *test, struct ctx *parent,
			      int (*fn)(struct ctx *ctx, void *data), struct work *work)
{
	struct ctx_thread *thread = ctx_thread_run(parent, fn, work, "ctx-%s/%d", "test", 7);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, thread);
	return thread;
}

static void thread_arguments_are_checked(struct kunit *test)
{
	const char *no_name = NULL;
	struct work work;

	work_init(&work, 0);
	KUNIT_EXPECT_EQ(test, PTR_ERR(ctx_thread_run(ctx_background(), NULL, &work, "no")),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, PTR_ERR(ctx_thread_run(ctx_background(), brief_fn, &work, no_name)),
			-EINVAL);
	KUNIT_EXPECT_EQ(test, PTR_ERR(ctx_thread_run(NULL, brief_fn, &work, "no")), -EINVAL);
	KUNIT_EXPECT_EQ(test, PTR_ERR(ctx_thread_run(ERR_PTR(-EIO), brief_fn, &work, "no")), -EIO);
	KUNIT_EXPECT_EQ(test, PTR_ERR(ctx_thread_run(ERR_PTR(-ENOMEM), brief_fn, &work, "no")),
			-ENOMEM);
	KUNIT_EXPECT_EQ(test, atomic_read(&work.runs), 0);
}

static void thread_cancel_ignores_null_and_errors(struct kunit *test)
{
	ctx_thread_cancel(NULL);
	ctx_thread_cancel(ERR_PTR(-ENOMEM));
}

static void thread_join_returns_what_fn_returned(struct kunit *test)
{
	static const int rets[] = { 0, 1, -1, -ECANCELED, -ERESTARTSYS, INT_MAX, INT_MIN };
	int i, stop;

	for (i = 0; i < ARRAY_SIZE(rets); i++) {
		for (stop = 0; stop < 2; stop++) {
			struct ctx_thread *thread;
			struct work work;

			work_init(&work, rets[i]);
			thread = run(test, ctx_background(), brief_fn, &work);
			KUNIT_EXPECT_EQ(test, stop ? ctx_thread_stop(thread) :
						     ctx_thread_join(thread), rets[i]);
			KUNIT_EXPECT_EQ(test, atomic_read(&work.runs), 1);
			KUNIT_EXPECT_TRUE(test, work.kthread);
			KUNIT_EXPECT_NE(test, work.pid, task_pid_nr(current));
		}
	}
}

static void thread_is_named_by_the_format(struct kunit *test)
{
	struct ctx_thread *thread;
	struct work work;

	work_init(&work, 0);
	ctx_thread_join(run(test, ctx_background(), brief_fn, &work));
	KUNIT_EXPECT_STREQ(test, work.comm, "ctx-test/7");

	work_init(&work, 0);
	thread = ctx_thread_run(ctx_background(), brief_fn, &work, "%s",
				"%s%n-a-name-that-is-far-too-long");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, thread);
	ctx_thread_join(thread);
	KUNIT_EXPECT_EQ(test, strncmp(work.comm, "%s%n-a-name-that", strlen(work.comm)), 0);
	KUNIT_EXPECT_GT(test, strlen(work.comm), (size_t)8);
}

static void thread_gets_a_child_of_its_own(struct kunit *test)
{
	static const int key;
	struct ctx *p = ct_cancel(test, ctx_background());
	struct ctx *v = ct_value(test, p, &key, test);
	struct ctx_thread *one, *two;
	struct work first, second;

	work_init(&first, 0);
	work_init(&second, 0);
	first.key = &key;
	one = run(test, v, gated_fn, &first);
	two = run(test, v, gated_fn, &second);
	ct_wait_for(test, &first.begun);
	ct_wait_for(test, &second.begun);
	KUNIT_EXPECT_PTR_NE(test, first.ctx, v);
	KUNIT_EXPECT_PTR_NE(test, first.ctx, p);
	KUNIT_EXPECT_PTR_NE(test, first.ctx, second.ctx);
	KUNIT_EXPECT_PTR_EQ(test, first.value, (void *)test);
	ct_expect_live(test, first.ctx);
	/* Cancelling one touches neither the other nor the parent. */
	ctx_thread_cancel(one);
	ct_expect_done(test, first.ctx, -ECANCELED, -ECANCELED);
	ct_expect_live(test, second.ctx);
	ct_expect_live(test, p);
	complete(&first.go);
	complete(&second.go);
	KUNIT_EXPECT_EQ(test, ctx_thread_stop(one), 0);
	KUNIT_EXPECT_EQ(test, ctx_thread_join(two), 0);
	ct_expect_live(test, p);
	ctx_put(v);
	ctx_put(p);
}

static void thread_runs_even_if_already_cancelled(struct kunit *test)
{
	struct ctx *p = ct_cancel(test, ctx_background());
	struct work work;
	int i;

	ctx_cancel_cause(p, -EIO);
	work_init(&work, 5);
	KUNIT_EXPECT_EQ(test, ctx_thread_join(run(test, p, brief_fn, &work)), 5);
	KUNIT_EXPECT_EQ(test, atomic_read(&work.runs), 1);
	KUNIT_EXPECT_EQ(test, work.err, -ECANCELED);
	ctx_put(p);

	/* Or is told so before it had a chance to begin. */
	for (i = 0; i < ct_times(100); i++) {
		work_init(&work, i);
		KUNIT_EXPECT_EQ(test, ctx_thread_stop(run(test, ctx_background(), brief_fn, &work)),
				i);
		KUNIT_EXPECT_EQ(test, atomic_read(&work.runs), 1);
	}
}

static void thread_cancel_does_not_wait(struct kunit *test)
{
	struct ctx_thread *thread;
	struct work work;

	work_init(&work, 3);
	thread = run(test, ctx_background(), gated_fn, &work);
	ct_wait_for(test, &work.begun);
	ctx_thread_cancel(thread);
	ctx_thread_cancel(thread);
	KUNIT_EXPECT_EQ(test, ctx_err(work.ctx), -ECANCELED);
	KUNIT_EXPECT_EQ(test, atomic_read(&work.over), 0);
	complete(&work.go);
	/* Join does. */
	KUNIT_EXPECT_EQ(test, ctx_thread_join(thread), 3);
	KUNIT_EXPECT_EQ(test, atomic_read(&work.over), 1);
}

static void thread_stop_waits(struct kunit *test)
{
	struct ctx_thread *thread;
	struct work work;

	work_init(&work, 4);
	thread = run(test, ctx_background(), gated_fn, &work);
	ct_wait_for(test, &work.begun);
	complete(&work.go);
	KUNIT_EXPECT_EQ(test, ctx_thread_stop(thread), 4);
	KUNIT_EXPECT_EQ(test, atomic_read(&work.over), 1);
}

static bool gone(pid_t pid)
{
	bool found;

	rcu_read_lock();
	found = find_vpid(pid);
	rcu_read_unlock();
	return !found;
}

static void thread_may_return_by_itself_first(struct kunit *test)
{
	struct ctx_thread *thread;
	struct work work;

	work_init(&work, 6);
	thread = run(test, ctx_background(), brief_fn, &work);
	ct_wait_for(test, &work.begun);
	/* Gone from the system, not only from its function. */
	KUNIT_EXPECT_TRUE(test, ct_poll_until(gone(work.pid)));
	ctx_thread_cancel(thread);
	KUNIT_EXPECT_EQ(test, ctx_thread_stop(thread), 6);
}

static void thread_leaves_every_wait_when_stopped(struct kunit *test)
{
	struct ctx *g, *p;
	int how, wait;

	for (how = 0; how < 4; how++) {
		for (wait = 0; wait < 5; wait++) {
			int err = how == 3 ? -ETIMEDOUT : -ECANCELED;
			struct ctx_thread *thread;
			struct work work;

			g = how == 3 ? ct_timeout_ms(test, ctx_background(), 5) :
				       ct_cancel(test, ctx_background());
			p = ct_hour(test, g);
			work_init(&work, wait);
			thread = run(test, p, until_fn, &work);
			ct_wait_for(test, &work.begun);
			if (how == 0)
				ctx_cancel(g);
			else if (how == 1)
				ctx_cancel(p);
			if (how == 2)
				KUNIT_EXPECT_EQ(test, ctx_thread_stop(thread), err);
			else
				KUNIT_EXPECT_EQ(test, ctx_thread_join(thread), err);
			ctx_put(p);
			ctx_put(g);
		}
	}
}

static void thread_holds_its_context(struct kunit *test)
{
	struct ct_token token;
	struct ctx *v = ct_token_ctx(test, &token, ctx_background());
	struct ctx_thread *thread;
	struct work work;

	work_init(&work, 0);
	thread = run(test, v, gated_fn, &work);
	ctx_put(v);
	ctx_barrier();
	KUNIT_EXPECT_EQ(test, atomic_read(&token.released), 0);
	complete(&work.go);
	ctx_thread_join(thread);
	/* And lets it go when it is joined. */
	ct_token_gone(test, &token);
}

static int leave_child_fn(struct ctx *ctx, void *data)
{
	*(struct ctx **)data = ctx_with_cancel(ctx, GFP_KERNEL);
	return 0;
}

static void thread_none_is_not_joined(struct kunit *test)
{
	ctx_thread_cancel(NULL);
	ctx_thread_cancel(ERR_PTR(-ENOMEM));
	KUNIT_EXPECT_EQ(test, ctx_thread_join(NULL), -EINVAL);
	KUNIT_EXPECT_EQ(test, ctx_thread_join(ERR_PTR(-ENOMEM)), -ENOMEM);
	KUNIT_EXPECT_EQ(test, ctx_thread_stop(NULL), -EINVAL);
	KUNIT_EXPECT_EQ(test, ctx_thread_stop(ERR_PTR(-EAGAIN)), -EAGAIN);
}

static void thread_context_ends_when_it_is_joined(struct kunit *test)
{
	struct ctx *left = NULL;
	struct ctx_thread *thread = ctx_thread_run(ctx_background(), leave_child_fn, &left, "t");

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, thread);
	KUNIT_EXPECT_EQ(test, ctx_thread_join(thread), 0);
	ct_must(test, left);
	ct_expect_done(test, left, -ECANCELED, -ECANCELED);
	ctx_put(left);
}

static struct kunit_case thread_cases[] = {
	KUNIT_CASE(thread_arguments_are_checked),
	KUNIT_CASE(thread_cancel_ignores_null_and_errors),
	KUNIT_CASE(thread_join_returns_what_fn_returned),
	KUNIT_CASE(thread_is_named_by_the_format),
	KUNIT_CASE(thread_gets_a_child_of_its_own),
	KUNIT_CASE(thread_runs_even_if_already_cancelled),
	KUNIT_CASE(thread_cancel_does_not_wait),
	KUNIT_CASE(thread_stop_waits),
	KUNIT_CASE(thread_may_return_by_itself_first),
	KUNIT_CASE(thread_leaves_every_wait_when_stopped),
	KUNIT_CASE(thread_holds_its_context),
	KUNIT_CASE(thread_context_ends_when_it_is_joined),
	KUNIT_CASE(thread_none_is_not_joined),
	{ }
};

static struct kunit_suite thread_suite = {
	.name = "ctx_thread",
	.test_cases = thread_cases,
};

kunit_test_suite(thread_suite);
