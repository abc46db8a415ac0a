// SPDX-License-Identifier: GPL-2.0
/* Coming and going of the module. */
#include <linux/module.h>

#include "internal.h"

/**
 * ctx_barrier - wait for what contexts have queued
 *
 * Until every after-func, and every release of a value whose last reference is
 * gone, that was queued so far has run. A module that uses them calls this in
 * its exit, when nothing can queue more (S13). Not to be called from either.
 *
 * Ordering: what those functions wrote is visible on return.
 *
 * Context: Process; sleeps (S18).
 */
void ctx_barrier(void)
{
	int round;

	might_sleep();
	/* In the order in which one queues the next. */
	ctx_group_flush();
	/*
	 * Once more for what was fired meanwhile, by what was waited for, or before a
	 * watch that was waited for took it off.
	 */
	for (round = 0; round < 2; round++)
		ctx_watch_flush();
	ctx_after_flush();
	ctx_tree_flush();
	ctx_value_flush();
}
EXPORT_SYMBOL_GPL(ctx_barrier);

#ifdef CTX_TORTURE
const struct ctx_torture __rcu *ctx_torture;
EXPORT_SYMBOL_GPL(ctx_torture);
#endif

/* In the order in which one builds on another; torn down the other way round. */
static const struct ctx_part {
	int (*init)(void);
	void (*exit)(void);
} ctx_parts[] = {
	{ ctx_value_init, ctx_value_exit },
	{ ctx_deadline_init, ctx_deadline_exit },
	{ ctx_tree_init, ctx_tree_exit },
	{ ctx_after_init, ctx_after_exit },
	{ ctx_cancel_init, ctx_cancel_exit },
	{ ctx_linger_init, ctx_linger_exit },
	{ ctx_source_init, ctx_source_exit },
	{ ctx_ids_init, ctx_ids_exit },
	{ ctx_user_init, ctx_user_exit },
	{ ctx_turn_init, ctx_turn_exit },
	{ ctx_on_done_init, ctx_on_done_exit },
	{ ctx_debug_init, ctx_debug_exit },
	{ NULL, ctx_reap_leaks },
	{ ctx_ambient_init, ctx_ambient_exit },
	{ ctx_chardev_init, ctx_chardev_exit },
#ifdef CONFIG_DEBUG_FS
	{ ctx_debugfs_init, ctx_debugfs_exit },
#endif
};

static void ctx_exit_parts(int n)
{
	while (n--)
		ctx_parts[n].exit();
}

static int __init ctx_init(void)
{
	int i, err;

	for (i = 0; i < ARRAY_SIZE(ctx_parts); i++) {
		err = ctx_parts[i].init ? ctx_parts[i].init() : 0;
		if (err) {
			ctx_exit_parts(i);
			return err;
		}
	}
	return 0;
}

/*
 * Built in: before the drivers, whatever they are linked as, and after the misc devices,
 * which begin at the level before and are linked later than this. In a module it is
 * module_init().
 */
fs_initcall(ctx_init);

static void __exit ctx_exit(void)
{
	ctx_exit_parts(ARRAY_SIZE(ctx_parts));
}
module_exit(ctx_exit);

MODULE_DESCRIPTION("Cancellation contexts: a tree of cancel signals, deadlines and values");
MODULE_LICENSE("GPL");
