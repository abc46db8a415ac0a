// SPDX-License-Identifier: GPL-2.0
/*
 * Threads and work items, bare and under a context.
 */
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "bench.h"

static int bench_thread_fn(void *data)
{
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

static void bench_kthread(void *data, unsigned int ops)
{
	struct task_struct *task;

	while (ops--) {
		task = kthread_run(bench_thread_fn, NULL, "bench/%u", ops);
		if (IS_ERR(task))
			return bench_fail("a thread");
		kthread_stop(task);
	}
}

static int bench_member_fn(struct ctx *ctx, void *data)
{
	return 0;
}

static void bench_group(void *group, unsigned int ops)
{
	while (ops--) {
		if (ctx_group_run(group, bench_member_fn, NULL, "bench/%u", ops))
			return bench_fail("a thread of a group");
		ctx_group_wait(group);
	}
}

static void bench_whole_group(void *ctx, unsigned int ops)
{
	struct ctx_group *group;

	while (ops--) {
		group = ctx_group_create(ctx, GFP_KERNEL);
		if (ctx_group_run(group, bench_member_fn, NULL, "bench/%u", ops))
			return bench_fail("a group and its thread");
		ctx_group_wait(group);
		ctx_group_put(group);
	}
}

static void bench_thread(void *ctx, unsigned int ops)
{
	struct ctx_thread *thread;

	while (ops--) {
		thread = ctx_thread_run(ctx, bench_member_fn, NULL, "bench/%u", ops);
		if (IS_ERR(thread))
			return bench_fail("a thread");
		ctx_thread_stop(thread);
	}
}

static void bench_threads(struct ctx *ctx)
{
	struct ctx_group *group = ctx_group_create(ctx, GFP_KERNEL);

	if (IS_ERR(group))
		return bench_fail("a group");
	bench_loop(bench_kthread, NULL, BENCH_OPS / 10, "kthread.run.stop");
	bench_loop(bench_group, group, BENCH_OPS / 10, "group.run.wait");
	bench_loop(bench_whole_group, ctx, BENCH_OPS / 10, "group.whole");
	bench_loop(bench_thread, ctx, BENCH_OPS / 10, "thread.run.stop");
	ctx_group_put(group);
}

/* What is bare, and what is not. */
struct bench_items {
	struct delayed_work bare;
	struct ctx_work work;
};

static void bench_bare_fn(struct work_struct *work)
{
}

static void bench_work_fn(struct ctx *ctx, struct ctx_work *work)
{
}

static void bench_queue_bare(void *data, unsigned int ops)
{
	struct bench_items *items = data;

	while (ops--) {
		queue_work(system_wq, &items->bare.work);
		cancel_work_sync(&items->bare.work);
	}
}

static void bench_delay_bare(void *data, unsigned int ops)
{
	struct bench_items *items = data;

	while (ops--) {
		queue_delayed_work(system_wq, &items->bare, 3600 * HZ);
		cancel_delayed_work_sync(&items->bare);
	}
}

static void bench_queue(void *data, unsigned int ops)
{
	struct bench_items *items = data;

	while (ops--) {
		ctx_work_queue(system_wq, &items->work);
		ctx_work_cancel_sync(&items->work);
	}
}

static void bench_delay(void *data, unsigned int ops)
{
	struct bench_items *items = data;

	while (ops--) {
		ctx_work_queue_delayed(system_wq, &items->work, BENCH_HOUR);
		ctx_work_cancel_sync(&items->work);
	}
}

static void bench_items(struct ctx *ctx)
{
	struct bench_items *items = kzalloc(sizeof(*items), GFP_KERNEL);

	if (!items)
		return bench_fail("work items");
	INIT_DELAYED_WORK(&items->bare, bench_bare_fn);
	ctx_work_init(&items->work, ctx, bench_work_fn);
	/* Or else the worker, who finds nothing to do, runs in between, or does not. */
	sched_set_fifo(current);
	bench_loop(bench_queue_bare, items, BENCH_OPS, "workqueue.queue.cancel");
	bench_loop(bench_queue, items, BENCH_OPS, "work.queue.cancel");
	bench_loop(bench_delay_bare, items, BENCH_OPS, "workqueue.delay.cancel");
	bench_loop(bench_delay, items, BENCH_OPS, "work.delay.cancel");
	sched_set_normal(current, 0);
	kfree(items);
}

void bench_work(void)
{
	struct ctx *ctx = bench_ctx(ctx_with_cancel(ctx_background(), GFP_KERNEL));

	bench_threads(ctx);
	bench_items(ctx);
	ctx_cancel(ctx);
	ctx_put(ctx);
}
