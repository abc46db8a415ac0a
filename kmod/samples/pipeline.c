// SPDX-License-Identifier: GPL-2.0
/*
 * A sample: three threads in a row, with fifos between them. One makes numbers, one
 * squares them, one adds them up. The first that fails ends the others, and so does
 * unloading. pipeline_plain.c is the same as people write it without contexts.
 *
 *	insmod ctx_pipeline.ko count=1000		# waits, and tells the sum
 *	insmod ctx_pipeline.ko count=1000 fail_at=7	# fails with what a thread said
 *	insmod ctx_pipeline.ko				# goes on until rmmod
 */
#include <linux/ctx.h>
#include <linux/kfifo.h>
#include <linux/module.h>

static unsigned int count;
module_param(count, uint, 0444);
MODULE_PARM_DESC(count, "how many numbers; 0: until the module is unloaded");

static unsigned int fail_at;
module_param(fail_at, uint, 0444);
MODULE_PARM_DESC(fail_at, "the number that cannot be squared; 0: all can");

static DEFINE_KFIFO(numbers, u64, 16);
static DEFINE_KFIFO(squares, u64, 16);
static DECLARE_WAIT_QUEUE_HEAD(numbers_wait);
static DECLARE_WAIT_QUEUE_HEAD(squares_wait);
static struct ctx_group *group;
static u64 sum;

static bool wanted(u64 n)
{
	return !count || n <= count;
}

static int produce(struct ctx *ctx, void *unused)
{
	int err;
	u64 n;

	for (n = 1; wanted(n); n++) {
		err = ctx_wait_event(ctx, numbers_wait, kfifo_put(&numbers, n));
		if (err)
			return err;
		wake_up(&numbers_wait);
	}
	return 0;
}

static int square(struct ctx *ctx, void *unused)
{
	u64 n, i;
	int err;

	for (i = 1; wanted(i); i++) {
		err = ctx_wait_event(ctx, numbers_wait, kfifo_get(&numbers, &n));
		if (err)
			return err;
		wake_up(&numbers_wait);
		if (n == fail_at)
			return -EDOM;
		err = ctx_wait_event(ctx, squares_wait, kfifo_put(&squares, n * n));
		if (err)
			return err;
		wake_up(&squares_wait);
	}
	return 0;
}

static int add(struct ctx *ctx, void *unused)
{
	u64 n, i;
	int err;

	for (i = 1; wanted(i); i++) {
		err = ctx_wait_event(ctx, squares_wait, kfifo_get(&squares, &n));
		if (err)
			return err;
		wake_up(&squares_wait);
		sum += n;
	}
	return 0;
}

/* The first error of all, that of starting them included: the threads' come of it. */
static int finish(int err)
{
	int first;

	if (err)
		ctx_cancel_cause(ctx_group_ctx(group), err);
	first = ctx_group_wait(group);
	ctx_group_put(group);
	return err ?: first;
}

static int __init pipeline_init(void)
{
	int err;

	group = ctx_group_create(ctx_background(), GFP_KERNEL);
	if (IS_ERR(group))
		return PTR_ERR(group);
	err = ctx_group_run(group, produce, NULL, "ctx_produce") ?:
	      ctx_group_run(group, square, NULL, "ctx_square") ?:
	      ctx_group_run(group, add, NULL, "ctx_add");
	if (!err && !count)
		return 0;
	err = finish(err);
	if (!err)
		pr_info("ctx_pipeline: the sum is %llu\n", sum);
	return err;
}
module_init(pipeline_init);

static void __exit pipeline_exit(void)
{
	if (count)
		return;
	ctx_cancel(ctx_group_ctx(group));
	finish(0);
}
module_exit(pipeline_exit);

MODULE_DESCRIPTION("ctx sample: a pipeline of threads under one context");
MODULE_LICENSE("GPL");
