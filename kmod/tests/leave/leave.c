// SPDX-License-Identifier: GPL-2.0
/*
 * A careless user of contexts, for the tests of unloading: it goes and leaves
 * contexts behind, one of them with its timer armed, or with many=N so many more. Or,
 * with thread=1, it keeps a thread for as long as it stays, and leaves nothing.
 */
#include <linux/ctx.h>
#include <linux/module.h>

static bool thread;
module_param(thread, bool, 0444);
MODULE_PARM_DESC(thread, "run a thread, and leave nothing behind");

static unsigned int many;
module_param(many, uint, 0444);
MODULE_PARM_DESC(many, "leave so many more behind");

static struct ctx_thread *waiting;

static int wait_for_the_end(struct ctx *ctx, void *data)
{
	return ctx_wait_interruptible(ctx);
}

/* background, a cancel context, two deadlines below it, a child of one of them. */
static int leave_contexts(void)
{
	struct ctx *parent = ctx_with_cancel(ctx_background(), GFP_KERNEL);
	struct ctx *soon = ctx_with_timeout(parent, ms_to_ktime(1), GFP_KERNEL);
	struct ctx *late = ctx_with_timeout(parent, ms_to_ktime(3600 * MSEC_PER_SEC), GFP_KERNEL);
	struct ctx *child = ctx_with_cancel(late, GFP_KERNEL);
	unsigned int i;

	if (IS_ERR(parent) || IS_ERR(soon) || IS_ERR(late) || IS_ERR(child))
		return -ENOMEM;
	/* This one is given back properly; only its own end keeps it till then. */
	ctx_wait(soon);
	ctx_put(soon);
	for (i = 0; i < many; i++)
		if (IS_ERR(ctx_with_cancel(ctx_background(), GFP_KERNEL)))
			return -ENOMEM;
	return 0;
}

static int __init leave_init(void)
{
	if (!thread)
		return leave_contexts();
	waiting = ctx_thread_run(ctx_background(), wait_for_the_end, NULL, "ctx_leave");
	return PTR_ERR_OR_ZERO(waiting);
}
module_init(leave_init);

static void __exit leave_exit(void)
{
	if (waiting)
		ctx_thread_stop(waiting);
}
module_exit(leave_exit);

MODULE_DESCRIPTION("A careless user of cancellation contexts, for tests");
MODULE_LICENSE("GPL");
