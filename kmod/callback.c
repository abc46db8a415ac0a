// SPDX-License-Identifier: GPL-2.0
/*
 * Callbacks: intrusive, run once, when the context becomes done, by whoever
 * walks it, without a lock and in his context.
 *
 * own.lock protects the list and each callback's ->ctx (non-NULL while registered).
 * ->running is the callback in progress, if any, set under that lock: an address
 * to compare with. A scope is on one walk only, so there is at most one. A callback
 * is not touched once its function has begun: it may free itself.
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

/* Entered once a walk, however many callbacks it runs. */
static void ctx_run_begin(struct ctx_walk *walk)
{
	unsigned int slot = hash_ptr(current, CTX_RUN_BITS);
	unsigned long flags;

	if (walk->runs)
		return;
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

/*
 * The next callback of a claimed scope, and what it is called with; NULL for none.
 * Under own.lock. Nothing is added any more, but there are those who remove.
 */
struct ctx_callback *ctx_callback_pop(struct ctx_walk *walk, struct ctx_scope *scope,
				      struct ctx **ctx)
{
	struct ctx_callback *cb;

	if (ctx_queue_empty(&scope->callbacks))
		return NULL;
	cb = hlist_entry(scope->callbacks.first, struct ctx_callback, node);
	ctx_queue_del(&scope->callbacks, &cb->node);
	*ctx = cb->ctx;
	cb->ctx = NULL;
	walk->run.cb = cb;
	scope->running = cb;
	return cb;
}

static void ctx_wake_removers(struct ctx_scope *scope)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&scope->own.lock, flags);
	scope->node.flags &= ~CTX_RUN_WAITER;
	raw_spin_unlock_irqrestore(&scope->own.lock, flags);
	wake_up_var(&scope->running);
}

/* Without any lock. */
void ctx_callback_run(struct ctx_walk *walk, struct ctx_scope *scope, struct ctx_callback *cb,
		      struct ctx *ctx)
{
	ctx_run_begin(walk);
	cb->fn(ctx, cb);
	walk->budget -= CTX_COST_CALLBACK;
	ctx_walk_yield(walk);
	/*
	 * Whoever waits has set the flag before he looks at ->running again, with a
	 * full barrier in between, as here: one of us sees the other. A turn of the
	 * lock, 33 instructions, less.
	 */
	smp_store_mb(scope->running, NULL);
	if (unlikely(READ_ONCE(scope->node.flags) & CTX_RUN_WAITER))
		ctx_wake_removers(scope);
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
 * Ordering: what was written before the cancellation is visible to @fn (S16).
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
	int err = 0;

	if (IS_ERR_OR_NULL(ctx) || !cb || !fn)
		return -EINVAL;
	scope = ctx_scope(ctx);
	cb->fn = fn;
	if (ctx_is_root(&scope->node)) {
		cb->ctx = ctx;
		return 0;
	}

	raw_spin_lock_irqsave(&scope->own.lock, flags);
	/*
	 * Whoever claims takes this lock before he looks at the list: a claim
	 * that is not seen here will see the callback.
	 */
	if (READ_ONCE(scope->state.origin)) {
		cb->ctx = NULL;
		err = -ENOENT;
	} else {
		cb->ctx = ctx;
		ctx_queue_add(&scope->callbacks, &cb->node);
	}
	raw_spin_unlock_irqrestore(&scope->own.lock, flags);
	return err;
}
EXPORT_SYMBOL_GPL(ctx_callback_add);

/* Under own.lock. */
static __always_inline bool ctx_callback_unlist(struct ctx_scope *scope, struct ctx_callback *cb)
{
	if (!cb->ctx || WARN_ON_ONCE(ctx_scope(cb->ctx) != scope))
		return false;
	ctx_queue_del(&scope->callbacks, &cb->node);
	cb->ctx = NULL;
	return true;
}

/**
 * ctx_callback_remove - unregister a callback
 * @ctx: the context that was given to ctx_callback_add(), with the caller's
 *	reference
 * @cb: the callback
 *
 * Does not wait: if it returns false the callback may be running (S12).
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
	removed = ctx_callback_unlist(scope, cb);
	raw_spin_unlock_irqrestore(&scope->own.lock, flags);
	return removed;
}
EXPORT_SYMBOL_GPL(ctx_callback_remove);

enum ctx_removal {
	CTX_REMOVED,
	CTX_NOT_THERE,
	CTX_RUNNING,	/* and CTX_RUN_WAITER is set */
};

static enum ctx_removal ctx_callback_catch(struct ctx_scope *scope, struct ctx_callback *cb)
{
	enum ctx_removal result = CTX_NOT_THERE;
	unsigned long flags;

	raw_spin_lock_irqsave(&scope->own.lock, flags);
	if (READ_ONCE(scope->running) == cb) {
		result = CTX_RUNNING;
		scope->node.flags |= CTX_RUN_WAITER;
	} else if (ctx_callback_unlist(scope, cb)) {
		result = CTX_REMOVED;
	}
	raw_spin_unlock_irqrestore(&scope->own.lock, flags);
	return result;
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
 * Context: Process; sleeps. From inside that callback: any.
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
	result = ctx_callback_catch(scope, cb);
	if (result == CTX_RUNNING && ctx_in_callback(cb))
		return false;
	might_sleep();
	if (result == CTX_RUNNING)
		wait_var_event(&scope->running, ctx_callback_catch(scope, cb) != CTX_RUNNING);
	return result == CTX_REMOVED;
}
EXPORT_SYMBOL_GPL(ctx_callback_remove_sync);
