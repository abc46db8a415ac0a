// SPDX-License-Identifier: GPL-2.0
/*
 * Callbacks: intrusive, run once, when the context becomes done, by whoever
 * walks it, without a lock and in his context.
 *
 * own.lock protects the list, and each callback's ->ctx (non-NULL while registered)
 * until its function begins. A scope is on one walk only, and runs one callback at a
 * time: ->running has its address. It was taken off the list before, under own.lock,
 * and stands there with CTX_RESERVED until it begins: whoever removes it meanwhile
 * takes that away. So a scope that is claimed and has one callback, as most have, is
 * delivered without another turn of the lock: 50 instructions less. A callback is not
 * touched once its function has begun: it may free itself.
 */
#include <linux/hash.h>
#include <linux/wait_bit.h>

#include "internal.h"

/*
 * Which tasks are inside a callback, so that ctx_cancel_sync() does not wait for
 * its own caller. An interrupt counts as the task it interrupted.
 */
#define CTX_RUN_BITS	6

static struct {
	raw_spinlock_t lock;
	struct hlist_head head;
} ____cacheline_aligned ctx_runs[1 << CTX_RUN_BITS] = {
	[0 ... (1 << CTX_RUN_BITS) - 1] = {
		.lock = __RAW_SPIN_LOCK_UNLOCKED(ctx_runs.lock),
	},
};

/*
 * Entered once a walk, however many callbacks it runs. Apart, as the next but one: what
 * it keeps in registers would be saved for each of them.
 */
static noinline void ctx_run_begin(struct ctx_walk *walk)
{
	unsigned int slot = hash_ptr(current, CTX_RUN_BITS);
	unsigned long flags;

	walk->runs = true;
	raw_spin_lock_irqsave(&ctx_runs[slot].lock, flags);
	hlist_add_head(&walk->run.node, &ctx_runs[slot].head);
	raw_spin_unlock_irqrestore(&ctx_runs[slot].lock, flags);
}

void ctx_run_end(struct ctx_walk *walk)
{
	unsigned int slot = hash_ptr(walk->run.task, CTX_RUN_BITS);
	unsigned long flags;

	if (!walk->runs)
		return;
	raw_spin_lock_irqsave(&ctx_runs[slot].lock, flags);
	hlist_del(&walk->run.node);
	raw_spin_unlock_irqrestore(&ctx_runs[slot].lock, flags);
}

/* Whether the current task is inside @cb; NULL: inside any callback. */
bool ctx_in_callback(const struct ctx_callback *cb)
{
	unsigned int slot = hash_ptr(current, CTX_RUN_BITS);
	struct ctx_run *run;
	unsigned long flags;
	bool found = false;

	raw_spin_lock_irqsave(&ctx_runs[slot].lock, flags);
	hlist_for_each_entry(run, &ctx_runs[slot].head, node)
		found |= run->task == current && (!cb || run->cb == cb);
	raw_spin_unlock_irqrestore(&ctx_runs[slot].lock, flags);
	return found;
}

static noinline void ctx_wake_removers(struct ctx_scope *scope)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&scope->own.lock, flags);
	scope->node.flags &= ~CTX_RUN_WAITER;
	raw_spin_unlock_irqrestore(&scope->own.lock, flags);
	wake_up_var(&scope->running);
}

/*
 * Runs the one that was reserved, unless it was removed in the meantime: the one
 * exchange that wins, here or in ctx_callback_revoke(), decides. Without any lock.
 */
static __always_inline void ctx_callback_run(struct ctx_walk *walk, struct ctx_scope *scope,
					     unsigned long reserved)
{
	struct ctx_callback *cb = (struct ctx_callback *)(reserved - CTX_RESERVED - CTX_CLOSED);
	const unsigned long running = reserved - CTX_RESERVED;
	struct ctx *ctx;

	ctx_torture_point();
	if (unlikely(cmpxchg(&scope->running, reserved, running) != reserved))
		return;
	ctx_torture_point();
	ctx = cb->ctx;
	cb->ctx = NULL;
	walk->run.cb = cb;
	if (unlikely(!walk->runs))
		ctx_run_begin(walk);
	ctx_count(callbacks);
	if (ctx_is_debugged())
		ctx_debug_call(ctx, cb);
	else
		cb->fn(ctx, cb);
	/*
	 * Whoever waits has set the flag before he looks at ->running again, with a
	 * full barrier in between, as here: one of us sees the other. A turn of the
	 * lock, 33 instructions, less. It also has cb->ctx seen as NULL by who sees
	 * nothing running: pairs with the acquire in ctx_callback_take().
	 */
	ctx_torture_point();
	xchg(&scope->running, CTX_CLOSED);
	ctx_torture_point();
	if (unlikely(READ_ONCE(scope->node.flags) & CTX_RUN_WAITER))
		ctx_wake_removers(scope);
	walk->budget -= CTX_COST_CALLBACK;
}

/* Returns false if the next is a link. */
static bool ctx_callback_reserve_next(struct ctx_scope *scope)
{
	unsigned long flags;
	bool reserved;

	raw_spin_lock_irqsave(&scope->own.lock, flags);
	ctx_callback_reserve(scope);
	reserved = scope->running != CTX_CLOSED || ctx_queue_empty(&scope->callbacks);
	raw_spin_unlock_irqrestore(&scope->own.lock, flags);
	return reserved;
}

/*
 * Runs what is registered with a claimed scope, of which the first was reserved
 * with the claim: most have no other.
 */
enum ctx_ran ctx_callbacks_run(struct ctx_walk *walk, struct ctx_scope *scope)
{
	unsigned long reserved;

	do {
		if (walk->budget <= 0)
			return CTX_RAN_OUT;
		reserved = READ_ONCE(scope->running);
		if (likely(reserved & CTX_RESERVED))
			ctx_callback_run(walk, scope, reserved);
		/* Without the lock: nobody adds any more. */
		if (likely(ctx_queue_empty(&scope->callbacks)))
			return CTX_RAN_ALL;
		ctx_walk_yield(walk);
		ctx_torture_point();
	} while (ctx_callback_reserve_next(scope));
	return CTX_RAN_TO_LINK;
}

/**
 * ctx_callback_add - register a function that runs when a context becomes done
 * @ctx: the context; the caller holds a reference for as long as @cb is
 *	registered: a callback holds none
 * @cb: storage, of the caller, until @cb has run or was removed
 * @fn: called once, with @ctx and @cb; it may free or reuse @cb; it must not
 *	sleep, and is called in the canceller's context, which may be a hard
 *	interrupt, or in a worker; without any lock of ours
 *
 * Ordering: what was written before the cancellation, or before this call, is visible
 * to @fn (S16). -ENOENT by itself orders nothing; ctx_err() does.
 *
 * Context: Any but NMI, under spinlocks and with interrupts off too (S18).
 * Return: 0, also on a context that is never done, where @fn will not run;
 * -ENOENT if @ctx is done already: @fn will not run; -EINVAL for a NULL argument
 * or an ERR_PTR (S12).
 */
int ctx_callback_add(struct ctx *ctx, struct ctx_callback *cb,
		     void (*fn)(struct ctx *ctx, struct ctx_callback *cb))
{
	struct ctx_scope *scope;
	unsigned long flags;
	int err;

	if (IS_ERR_OR_NULL(ctx) || !cb || !fn)
		return -EINVAL;
	scope = ctx_scope(ctx);
	cb->fn = fn;
	if (ctx_is_root(&scope->node)) {
		cb->ctx = ctx;
		return 0;
	}

	raw_spin_lock_irqsave(&scope->own.lock, flags);
	err = ctx_callback_enlist(scope, ctx, cb);
	raw_spin_unlock_irqrestore(&scope->own.lock, flags);
	return err;
}
EXPORT_SYMBOL_GPL(ctx_callback_add);

enum ctx_removal {
	CTX_REMOVED,
	CTX_NOT_THERE,
	CTX_RUNNING,
};

/* Under own.lock: @cb is the one that was taken off the list, and has begun or not. */
static enum ctx_removal ctx_callback_revoke(struct ctx_scope *scope, struct ctx_callback *cb)
{
	unsigned long reserved = CTX_RESERVED | CTX_CLOSED | (unsigned long)cb;

	/* See ctx_callback_run(). */
	if (cmpxchg(&scope->running, reserved, CTX_CLOSED) != reserved)
		return CTX_RUNNING;
	cb->ctx = NULL;
	return CTX_REMOVED;
}

/* Under own.lock. */
static __always_inline enum ctx_removal ctx_callback_take(struct ctx_scope *scope,
							  struct ctx_callback *cb)
{
	/* Pairs with the exchange at the end of ctx_callback_run(). */
	unsigned long running = smp_load_acquire(&scope->running);

	if (unlikely((running & ~CTX_RESERVED) == (CTX_CLOSED | (unsigned long)cb)))
		return ctx_callback_revoke(scope, cb);
	if (!cb->ctx || WARN_ON_ONCE(ctx_scope(cb->ctx) != scope))
		return CTX_NOT_THERE;
	ctx_callback_cut(scope, &cb->node);
	cb->ctx = NULL;
	return CTX_REMOVED;
}

/**
 * ctx_callback_remove - unregister a callback
 * @ctx: the context that was given to ctx_callback_add(), with the caller's
 *	reference
 * @cb: the callback
 *
 * Does not wait: if it returns false the callback may be running (S12).
 *
 * Ordering: none with what the function wrote, if it has run.
 *
 * Context: Any but NMI, under spinlocks, and from callbacks too (S18).
 * Return: true if this kept it from running; false if it was not registered or
 * had begun.
 */
bool ctx_callback_remove(struct ctx *ctx, struct ctx_callback *cb)
{
	struct ctx_scope *scope;
	unsigned long flags;
	bool removed;

	if (IS_ERR_OR_NULL(ctx) || !cb)
		return false;
	scope = ctx_scope(ctx);
	if (ctx_is_root(&scope->node))
		return xchg(&cb->ctx, NULL);
	raw_spin_lock_irqsave(&scope->own.lock, flags);
	removed = ctx_callback_take(scope, cb) == CTX_REMOVED;
	raw_spin_unlock_irqrestore(&scope->own.lock, flags);
	return removed;
}
EXPORT_SYMBOL_GPL(ctx_callback_remove);

/*
 * Whether @work waits for its time. Under own.lock, without which nobody starts its timer.
 * Where that runs, it is waited for: a walk that does not find the callback has nothing
 * else to wait for, and is not to be over before @work is on its queue.
 */
static bool ctx_work_is_waiting(struct delayed_work *work)
{
	if (timer_pending(&work->timer))
		return true;
	if (work_pending(&work->work))
		timer_delete_sync(&work->timer);
	return false;
}

/*
 * If it is running, its end will wake who waits. While @busy, if there is one, waits for
 * its time it is not taken.
 */
static enum ctx_removal ctx_callback_catch(struct ctx_scope *scope, struct ctx_callback *cb,
					   struct delayed_work *busy)
{
	enum ctx_removal result = CTX_NOT_THERE;
	unsigned long flags;

	raw_spin_lock_irqsave(&scope->own.lock, flags);
	if (!busy || !ctx_work_is_waiting(busy))
		result = ctx_callback_take(scope, cb);
	if (result == CTX_RUNNING)
		scope->node.flags |= CTX_RUN_WAITER;
	raw_spin_unlock_irqrestore(&scope->own.lock, flags);
	return result;
}

/* Once it runs: until its end, whoever took it then. */
static void ctx_callback_await(struct ctx_scope *scope, struct ctx_callback *cb,
			       struct delayed_work *busy)
{
	wait_var_event(&scope->running, ctx_callback_catch(scope, cb, busy) != CTX_RUNNING);
}

/**
 * ctx_callback_remove_sync - unregister a callback and wait until it has returned
 * @ctx: the context that was given to ctx_callback_add(), with the caller's
 *	reference
 * @cb: the callback
 *
 * Called from inside that very callback it does not wait (S12). Otherwise, when
 * this returns, the callback does not run and never will.
 *
 * Ordering: what the function wrote, if it has run, is visible on return, unless that
 * is inside it; and @cb is not touched any more.
 *
 * Context: Process; sleeps (S18). From inside that callback: any.
 * Return: as ctx_callback_remove().
 */
bool ctx_callback_remove_sync(struct ctx *ctx, struct ctx_callback *cb)
{
	enum ctx_removal result;
	struct ctx_scope *scope;

	if (IS_ERR_OR_NULL(ctx) || !cb)
		return false;
	scope = ctx_scope(ctx);
	if (ctx_is_root(&scope->node))
		return ctx_callback_remove(ctx, cb);
	result = ctx_callback_catch(scope, cb, NULL);
	if (result == CTX_RUNNING && ctx_in_callback(cb))
		return false;
	might_sleep();
	if (result == CTX_RUNNING)
		ctx_callback_await(scope, cb, NULL);
	return result == CTX_REMOVED;
}
EXPORT_SYMBOL_GPL(ctx_callback_remove_sync);

/* Of what is not inside of it: see work.c. @sync: waits, if it runs. */
void ctx_callback_end(struct ctx *ctx, struct ctx_callback *cb, struct delayed_work *busy,
		      bool sync)
{
	struct ctx_scope *scope = ctx_scope(ctx);

	if (ctx_is_root(&scope->node))
		return;
	if (unlikely(ctx_callback_catch(scope, cb, busy) == CTX_RUNNING) && sync)
		ctx_callback_await(scope, cb, busy);
}
