// SPDX-License-Identifier: GPL-2.0
/*
 * Looking for the mistakes of those who use contexts, with debug=1: contexts that are
 * neither cancelled nor put, callbacks that sleep or take long, and waits that cannot
 * end. Nobody pays for it otherwise but for a nop where it is asked.
 *
 * A context has no room for where it was derived. That stands in a table by address,
 * as text, since the module that it is in may be gone when it is wanted. Contexts of
 * processes are not in it: they are listed elsewhere, and end with their files.
 */
#include <linux/hashtable.h>
#include <linux/jump_label.h>
#include <linux/kallsyms.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include "internal.h"

/* What a callback may take. */
#define CTX_SLOW_US	100
/* Places that are reported, each once. */
#define CTX_REPORTS	64

DEFINE_STATIC_KEY_FALSE(ctx_watched);
DEFINE_STATIC_KEY_FALSE(ctx_debugged);

/* A context that is there, and where it was derived. */
struct ctx_derived {
	struct hlist_node node;
	const struct ctx *ctx;
	ktime_t time;
	char place[];
};

static struct ctx_slot {
	raw_spinlock_t lock;
	struct hlist_head head;
} ctx_slots[1 << CTX_DEBUG_BITS] = {
	[0 ... (1 << CTX_DEBUG_BITS) - 1] = {
		.lock = __RAW_SPIN_LOCK_UNLOCKED(ctx_slots.lock),
	},
};

static DEFINE_RAW_SPINLOCK(ctx_reports_lock);
static unsigned long ctx_reports[CTX_REPORTS];

static struct ctx_slot *ctx_slot_of(const struct ctx *ctx)
{
	return &ctx_slots[hash_ptr(ctx, CTX_DEBUG_BITS)];
}

static void ctx_debug_derive(const struct ctx *ctx, unsigned long place)
{
	struct ctx_slot *slot = ctx_slot_of(ctx);
	struct ctx_derived *derived;
	unsigned long flags;
	int len = snprintf(NULL, 0, "%pS", (void *)place);

	derived = kmalloc(struct_size(derived, place, len + 1), GFP_NOWAIT | __GFP_NOWARN);
	if (!derived)
		return;
	derived->ctx = ctx;
	derived->time = ktime_get();
	snprintf(derived->place, len + 1, "%pS", (void *)place);
	raw_spin_lock_irqsave(&slot->lock, flags);
	hlist_add_head(&derived->node, &slot->head);
	raw_spin_unlock_irqrestore(&slot->lock, flags);
}

/* Under the lock of @slot. */
static struct ctx_derived *ctx_debug_find(struct ctx_slot *slot, const struct ctx *ctx)
{
	struct ctx_derived *derived;

	hlist_for_each_entry(derived, &slot->head, node)
		if (derived->ctx == ctx)
			return derived;
	return NULL;
}

static void ctx_debug_release(const struct ctx *ctx)
{
	struct ctx_slot *slot = ctx_slot_of(ctx);
	struct ctx_derived *derived;
	unsigned long flags;

	raw_spin_lock_irqsave(&slot->lock, flags);
	derived = ctx_debug_find(slot, ctx);
	if (derived)
		hlist_del(&derived->node);
	raw_spin_unlock_irqrestore(&slot->lock, flags);
	kfree(derived);
}

/*
 * Nobody knows @ctx yet. Whoever switches this off waits for those who have seen it
 * on, so that what they add is still found by him.
 */
void ctx_watch_derive(const struct ctx *ctx, unsigned long place)
{
	if (IS_ENABLED(CONFIG_TRACEPOINTS))
		ctx_trace_derive(ctx);
	rcu_read_lock();
	if (ctx_is_debugged() && !(ctx->kind & CTX_F_USER))
		ctx_debug_derive(ctx, place);
	rcu_read_unlock();
}

/* The last reference of @ctx is gone. */
void ctx_watch_release(const struct ctx *ctx)
{
	if (IS_ENABLED(CONFIG_TRACEPOINTS))
		ctx_trace_release(ctx);
	if (ctx_is_debugged())
		ctx_debug_release(ctx);
}

/* ", derived by" and where @ctx was derived; "" if that is not known. */
const char *ctx_debug_place(const struct ctx *ctx, char *buf, size_t size)
{
	struct ctx_slot *slot = ctx_slot_of(ctx);
	struct ctx_derived *derived;
	unsigned long flags;

	raw_spin_lock_irqsave(&slot->lock, flags);
	derived = ctx_debug_find(slot, ctx);
	scnprintf(buf, size, "%s%s", derived ? ", derived by " : "", derived ? derived->place : "");
	raw_spin_unlock_irqrestore(&slot->lock, flags);
	return buf;
}

/*
 * As ctx_err(), of one that may wait to be released, whose own word for the state may
 * be gone: see struct ctx. What is above it, and its origin, it still holds.
 */
int ctx_released_err(const struct ctx *ctx)
{
	const struct ctx_signal *origin = NULL;

	if (ctx_is_scope(ctx))
		/* Pairs with the release in ctx_publish(). */
		origin = smp_load_acquire(&container_of(ctx, struct ctx_scope, node)->state.origin);
	else if (ctx_is_value(ctx))
		origin = ctx_origin_state(ctx->parent);
	return origin ? origin->err : 0;
}

static void ctx_debug_show_one(struct seq_file *m, const struct ctx_derived *derived)
{
	const int err = ctx_released_err(derived->ctx);
	u32 ms;
	u64 s = div_u64_rem(ktime_to_ms(ktime_sub(ktime_get(), derived->time)), MSEC_PER_SEC, &ms);

	seq_printf(m, "%8llu.%03u %-9s %-14s %s\n", s, ms,
		   !err ? "live" : err == -ETIMEDOUT ? "expired" : "cancelled",
		   ctx_kind_name(derived->ctx), derived->place);
}

/* What is in the table is there: its release takes it out. See ctx_debug_set(). */
static bool ctx_table_holds;

/* Those of one slot. */
void ctx_debug_show(struct seq_file *m, unsigned int slot)
{
	struct ctx_derived *derived;

	raw_spin_lock_irq(&ctx_slots[slot].lock);
	if (READ_ONCE(ctx_table_holds))
		hlist_for_each_entry(derived, &ctx_slots[slot].head, node)
			ctx_debug_show_one(m, derived);
	raw_spin_unlock_irq(&ctx_slots[slot].lock);
}

/* Whether nobody has reported @place before. One is as good as another: no order. */
static bool ctx_debug_is_new(unsigned long place)
{
	unsigned long flags;
	bool new = false;
	int i;

	raw_spin_lock_irqsave(&ctx_reports_lock, flags);
	for (i = 0; i < CTX_REPORTS && ctx_reports[i] && ctx_reports[i] != place; i++)
		;
	if (i < CTX_REPORTS && !ctx_reports[i]) {
		ctx_reports[i] = place;
		new = true;
	}
	raw_spin_unlock_irqrestore(&ctx_reports_lock, flags);
	return new;
}

/*
 * Instead of calling @cb, of which the function may free it. An interrupt does not
 * sleep, so the switches of the task it came in are not its own, and do not change.
 */
void ctx_debug_call(struct ctx *ctx, struct ctx_callback *cb)
{
	void (*const fn)(struct ctx *ctx, struct ctx_callback *cb) = cb->fn;
	const unsigned long waits = current->nvcsw, switches = waits + current->nivcsw;
	const ktime_t begun = ktime_get();
	bool slept, slow;
	s64 us;

	fn(ctx, cb);
	us = ktime_us_delta(ktime_get(), begun);
	/* On PREEMPT_RT, who waits for a spinlock is switched as well. */
	slept = !IS_ENABLED(CONFIG_PREEMPT_RT) && current->nvcsw != waits;
	/* Of one that had to make room for others, nobody knows how long it ran. */
	slow = us > CTX_SLOW_US && current->nvcsw + current->nivcsw == switches;
	if ((slept || slow) && ctx_debug_is_new((unsigned long)fn))
		pr_warn("callback %pS %stook %lld us\n", fn, slept ? "slept, and " : "", us);
}

/* Without a time, and another condition than @ctx being done. */
void ctx_debug_wait(const struct ctx *ctx, unsigned long place)
{
	if (ctx_is_root(&ctx_scope(ctx)->node) && ctx_debug_is_new(place))
		pr_warn("%pS waits for a context that is never done\n", (void *)place);
}

/* Also before interrupts are first on: built in, with an option on the command line. */
static void ctx_debug_clear(void)
{
	struct ctx_derived *derived;
	struct hlist_node *next;
	unsigned long flags;
	int i;

	for (i = 0; i < ARRAY_SIZE(ctx_slots); i++) {
		struct hlist_head head;

		raw_spin_lock_irqsave(&ctx_slots[i].lock, flags);
		hlist_move_list(&ctx_slots[i].head, &head);
		raw_spin_unlock_irqrestore(&ctx_slots[i].lock, flags);
		hlist_for_each_entry_safe(derived, next, &head, node)
			kfree(derived);
	}
	raw_spin_lock_irqsave(&ctx_reports_lock, flags);
	memset(ctx_reports, 0, sizeof(ctx_reports));
	raw_spin_unlock_irqrestore(&ctx_reports_lock, flags);
}

/* Under kernel_param_lock(). What was derived before is not known, and what is later is. */
static int ctx_debug_set(const char *text, const struct kernel_param *kp)
{
	bool on;
	int err = kstrtobool(text, &on);

	if (err || on == static_key_enabled(&ctx_debugged))
		return err;
	if (on) {
		static_branch_enable(&ctx_debugged);
		static_branch_inc(&ctx_watched);
		/*
		 * Not all places are switched at once: what was derived meanwhile may
		 * have been released where that was not seen yet.
		 */
		ctx_debug_clear();
		WRITE_ONCE(ctx_table_holds, true);
		return 0;
	}
	/* What is released from here on stays in it: who shows it has interrupts off. */
	WRITE_ONCE(ctx_table_holds, false);
	synchronize_rcu();
	static_branch_dec(&ctx_watched);
	static_branch_disable(&ctx_debugged);
	synchronize_rcu();
	ctx_debug_clear();
	return 0;
}

static int ctx_debug_get(char *buf, const struct kernel_param *kp)
{
	return sprintf(buf, "%c\n", static_key_enabled(&ctx_debugged) ? 'Y' : 'N');
}

static const struct kernel_param_ops ctx_debug_ops = {
	.set = ctx_debug_set,
	.get = ctx_debug_get,
};

module_param_cb(debug, &ctx_debug_ops, NULL, 0644);
__MODULE_PARM_TYPE(debug, "bool");
MODULE_PARM_DESC(debug,
		 "look for contexts that are not put, bad callbacks and endless waits (default N)");

int ctx_debug_init(void)
{
	return 0;
}

/* After what is listed was reported and freed: what is left is listed nowhere else. */
void ctx_debug_exit(void)
{
	struct ctx_derived *derived;
	int i;

	for (i = 0; i < ARRAY_SIZE(ctx_slots); i++)
		hlist_for_each_entry(derived, &ctx_slots[i].head, node)
			pr_err("leaked: %s, derived by %s\n", ctx_kind_name(derived->ctx),
			       derived->place);
	ctx_debug_clear();
}
