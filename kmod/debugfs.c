// SPDX-License-Identifier: GPL-2.0
/*
 * /sys/kernel/debug/ctx: what there is, and what there was.
 *
 * tree walks by number, with a reference on the one context that it is at and no
 * lock in between: what comes and goes meanwhile may or may not be shown, what
 * stays is, once.
 */
#include <linux/cred.h>
#include <linux/debugfs.h>
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/pid_namespace.h>
#include <linux/seq_file.h>
#include <linux/user_namespace.h>

#include "internal.h"

DEFINE_PER_CPU(struct ctx_counts, ctx_counts);

/* Whether the longest stretch with interrupts off is looked for. */
DEFINE_STATIC_KEY_FALSE(ctx_irqsoff);

static struct dentry *ctx_debugfs;

/* Under kernel_param_lock(). A new search forgets what the last one found. */
static int ctx_irqsoff_set(const char *text, const struct kernel_param *kp)
{
	bool on;
	int cpu, err = kstrtobool(text, &on);

	if (err)
		return err;
	if (!on) {
		static_branch_disable(&ctx_irqsoff);
		return 0;
	}
	if (static_key_enabled(&ctx_irqsoff))
		return 0;
	for_each_possible_cpu(cpu)
		WRITE_ONCE(per_cpu(ctx_counts, cpu).irqsoff, 0);
	static_branch_enable(&ctx_irqsoff);
	return 0;
}

static int ctx_irqsoff_get(char *buf, const struct kernel_param *kp)
{
	return sprintf(buf, "%c\n", static_key_enabled(&ctx_irqsoff) ? 'Y' : 'N');
}

static const struct kernel_param_ops ctx_irqsoff_ops = {
	.set = ctx_irqsoff_set,
	.get = ctx_irqsoff_get,
};

module_param_cb(irqsoff, &ctx_irqsoff_ops, NULL, 0644);
__MODULE_PARM_TYPE(irqsoff, "bool");
MODULE_PARM_DESC(irqsoff,
		 "measure the longest stretch with interrupts off, for debugfs (default N)");

/* Does not count what began before it was asked for, nor a softirq. */
void ctx_irqsoff_note(ktime_t since)
{
	unsigned long stretch = ktime_to_ns(ktime_sub(ktime_get(), since));

	if (since && irqs_disabled() && stretch > __this_cpu_read(ctx_counts.irqsoff))
		__this_cpu_write(ctx_counts.irqsoff, stretch);
}

/* Columns: as wide as what mostly stands in them, "-" for what there is not. */

static void ctx_show_number(struct seq_file *m, int width, u64 number)
{
	if (number)
		seq_printf(m, "%*llu ", width, number);
	else
		seq_printf(m, "%*s ", width, "-");
}

/* "-" in front of the time overdue. */
static void ctx_show_left(struct seq_file *m, const struct ctx *ctx)
{
	ktime_t deadline;
	char text[32];
	s64 left;
	u32 ms;
	u64 s;

	if (!ctx_deadline(ctx, &deadline)) {
		seq_printf(m, "%12s ", "-");
		return;
	}
	left = ktime_to_ms(ktime_sub(deadline, ktime_get()));
	s = div_u64_rem(abs(left), MSEC_PER_SEC, &ms);
	scnprintf(text, sizeof(text), "%s%llu.%03u", left < 0 ? "-" : "", s, ms);
	seq_printf(m, "%12s ", text);
}

/* One word, whatever the name: its blanks are escaped. */
static void ctx_show_process(struct seq_file *m, const void *pid, const char *comm)
{
	seq_printf(m, "%u/", ctx_pid_nr(pid, task_active_pid_ns(current)));
	seq_escape(m, comm, " \t\n\\");
}

static void ctx_show_end(struct seq_file *m, const struct ctx *ctx)
{
	struct ctx_origin origin;

	if (ctx_origin(ctx, &origin)) {
		seq_printf(m, "%-9s ", "live");
		ctx_show_left(m, ctx);
		seq_printf(m, "%5s %8s %-20s ", "-", "-", "-");
		return;
	}
	seq_printf(m, "%-9s %12s ", origin.err == -ETIMEDOUT ? "expired" : "cancelled", "-");
	ctx_show_number(m, 5, -origin.cause);
	ctx_show_number(m, 8, ctx_user_id(origin.ctx));
	seq_setwidth(m, 20);
	ctx_show_process(m, ctx_scope(origin.ctx)->pid, origin.comm);
	seq_pad(m, ' ');
}

static int ctx_tree_show(struct seq_file *m, void *v)
{
	const struct ctx_user *user = v;

	if (v == SEQ_START_TOKEN) {
		seq_printf(m, "%8s %8s %5s %10s %-14s %-9s %12s %5s %8s %-20s %s\n", "id", "parent",
			   "depth", "uid", "kind", "state", "left", "cause", "origin", "by",
			   "creator");
		return 0;
	}
	ctx_show_number(m, 8, ctx_user_id(&user->ctx));
	ctx_show_number(m, 8, ctx_user_id(user->ctx.parent));
	seq_printf(m, "%5u %10u %-14s ", user->depth,
		   from_kuid_munged(seq_user_ns(m), user->owner), ctx_kind_name(&user->ctx));
	ctx_show_end(m, &user->ctx);
	ctx_show_process(m, user->creator, user->creator_comm);
	seq_putc(m, '\n');
	return 0;
}

/* A position is 0 for the heading, then a number from which on to look. */
static void *ctx_tree_start(struct seq_file *m, loff_t *pos)
{
	return *pos ? ctx_user_next(*pos - 1, false) : SEQ_START_TOKEN;
}

static void ctx_tree_stop(struct seq_file *m, void *v)
{
	struct ctx_user *user = v;

	if (!IS_ERR_OR_NULL(user) && v != SEQ_START_TOKEN)
		ctx_put(&user->ctx);
}

static void *ctx_tree_next(struct seq_file *m, void *v, loff_t *pos)
{
	const u64 last = v == SEQ_START_TOKEN ? 0 : ctx_user_id(&((struct ctx_user *)v)->ctx);
	struct ctx_user *next = ctx_user_next(last, false);

	ctx_tree_stop(m, v);
	*pos = IS_ERR_OR_NULL(next) ? last + 1 : ctx_user_id(&next->ctx);
	return next;
}

static const struct seq_operations ctx_tree_sops = {
	.start = ctx_tree_start,
	.next = ctx_tree_next,
	.stop = ctx_tree_stop,
	.show = ctx_tree_show,
};
DEFINE_SEQ_ATTRIBUTE(ctx_tree);

#define ctx_sum(what)							\
({									\
	unsigned long __sum = 0;					\
	int __cpu;							\
									\
	for_each_possible_cpu(__cpu)					\
		__sum += READ_ONCE(per_cpu(ctx_counts, __cpu).what);	\
	__sum;								\
})

static unsigned long ctx_irqsoff_longest(void)
{
	unsigned long longest = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		longest = max(longest, READ_ONCE(per_cpu(ctx_counts, cpu).irqsoff));
	return longest;
}

static int ctx_counters_show(struct seq_file *m, void *v)
{
	const unsigned long released = ctx_sum(released);
	unsigned long derived;

	/*
	 * Never more released than derived: pairs with the last put, which is
	 * ordered after the derivation.
	 */
	smp_rmb();
	derived = ctx_sum(derived);
	seq_printf(m, "live %lu\n", derived - released);
	seq_printf(m, "derived %lu\n", derived);
	seq_printf(m, "cancelled %lu\n", ctx_sum(cancelled));
	seq_printf(m, "expired %lu\n", ctx_sum(expired));
	seq_printf(m, "callbacks %lu\n", ctx_sum(callbacks));
	seq_printf(m, "irqsoff_ns %lu\n", ctx_irqsoff_longest());
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(ctx_counters);

/* Where contexts that are there were derived: a line each, while debug=1. */
static int ctx_derived_show(struct seq_file *m, void *v)
{
	const loff_t slot = *(loff_t *)v;

	if (!slot)
		seq_printf(m, "%12s %-9s %-14s %s\n", "age", "state", "kind", "derived by");
	ctx_debug_show(m, slot);
	return 0;
}

static void *ctx_derived_start(struct seq_file *m, loff_t *pos)
{
	return *pos < 1 << CTX_DEBUG_BITS ? pos : NULL;
}

static void *ctx_derived_next(struct seq_file *m, void *v, loff_t *pos)
{
	++*pos;
	return ctx_derived_start(m, pos);
}

static void ctx_derived_stop(struct seq_file *m, void *v)
{
}

static const struct seq_operations ctx_derived_sops = {
	.start = ctx_derived_start,
	.next = ctx_derived_next,
	.stop = ctx_derived_stop,
	.show = ctx_derived_show,
};
DEFINE_SEQ_ATTRIBUTE(ctx_derived);

/* Whatever of this fails, nobody is worse off for it but who would look. */
int ctx_debugfs_init(void)
{
	ctx_debugfs = debugfs_create_dir("ctx", NULL);
	debugfs_create_file("tree", 0400, ctx_debugfs, NULL, &ctx_tree_fops);
	debugfs_create_file("counters", 0400, ctx_debugfs, NULL, &ctx_counters_fops);
	debugfs_create_file("derived", 0400, ctx_debugfs, NULL, &ctx_derived_fops);
	return 0;
}

void ctx_debugfs_exit(void)
{
	debugfs_remove(ctx_debugfs);
}
