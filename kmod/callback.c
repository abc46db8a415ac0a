// SPDX-License-Identifier: GPL-2.0
/*
 * Callbacks: intrusive, run once, when the context becomes done, by whoever
 * walks it, without a lock and in his context.
 *
 * own.lock protects the list, each callback's ->ctx (non-NULL while registered)
 * and ->run: the callback in progress, if any. A scope is on one walk only, so
 * there is at most one. A callback is not touched once its function has begun:
 * it may free itself.
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

bool ctx_in_callback(void)
{
	unsigned int slot = hash_ptr(current, CTX_RUN_BITS);
	struct ctx_run *run;
	unsigned long flags;
	bool found = false;

	raw_spin_lock_irqsave(&ctx_runs[slot].lock, flags);
	hlist_for_each_entry(run, &ctx_runs[slot].head, node)
		found |= run->task == current;
	raw_spin_unlock_irqrestore(&ctx_runs[slot].lock, flags);
	return found;
}

/* Under own.lock, dropped in between: runs one callback. Returns the lock's flags. */
static unsigned long ctx_run_callback(struct ctx_walk *walk, struct ctx_scope *scope,
				      unsigned long flags)
	__must_hold(&scope->own.lock)
{
	struct ctx_callback *cb = hlist_entry(scope->callbacks.first, struct ctx_callback, node);
	struct ctx *ctx = cb->ctx;

	ctx_queue_del(&scope->callbacks, &cb->node);
	cb->ctx = NULL;
	walk->run.cb = cb;
	scope->run = &walk->run;
	raw_spin_unlock_irqrestore(&scope->own.lock, flags);

	ctx_run_begin(walk);
	cb->fn(ctx, cb);
	walk->budget -= CTX_COST_CALLBACK;
	if (walk->yields)
		cond_resched();

	raw_spin_lock_irqsave(&scope->own.lock, flags);
	scope->run = NULL;
	if (unlikely(scope->node.flags & CTX_RUN_WAITER)) {
		scope->node.flags &= ~CTX_RUN_WAITER;
		raw_spin_unlock_irqrestore(&scope->own.lock, flags);
		wake_up_var(&scope->run);
		raw_spin_lock_irqsave(&scope->own.lock, flags);
	}
	return flags;
}

/*
 * Runs what is registered on a claimed scope: nothing can be added any more. Under
 * own.lock, which is dropped in between; returns its flags. What is left when the
 * budget is spent is for the worker.
 */
unsigned long ctx_run_callbacks(struct ctx_walk *walk, struct ctx_scope *scope,
				unsigned long flags)
{
	while (!ctx_queue_empty(&scope->callbacks) && walk->budget > 0)
		flags = ctx_run_callback(walk, scope, flags);
	return flags;
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
	CTX_INSIDE,	/* running, and it is the caller */
};

static enum ctx_removal ctx_callback_catch(struct ctx_scope *scope, struct ctx_callback *cb)
{
	enum ctx_removal result = CTX_NOT_THERE;
	unsigned long flags;

	raw_spin_lock_irqsave(&scope->own.lock, flags);
	if (scope->run && scope->run->cb == cb) {
		result = scope->run->task == current ? CTX_INSIDE : CTX_RUNNING;
		if (result == CTX_RUNNING)
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
	if (result == CTX_INSIDE)
		return false;
	might_sleep();
	if (result == CTX_RUNNING)
		wait_var_event(&scope->run, ctx_callback_catch(scope, cb) != CTX_RUNNING);
	return result == CTX_REMOVED;
}
EXPORT_SYMBOL_GPL(ctx_callback_remove_sync);
