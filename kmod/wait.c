// SPDX-License-Identifier: GPL-2.0
/*
 * Waiting. Every wait registers a callback that wakes its task, and looks at
 * the context after it has set its own state: the origin is published before
 * the wake-up, so one of the two is seen. Nothing is paid where nobody waits;
 * the completion of ctx_done() is initialised by the first who asks for it.
 */
#include <linux/hrtimer.h>
#include <linux/sched/signal.h>
#include <linux/swait.h>

#include "internal.h"

/**
 * ctx_done - the completion that is completed when a context becomes done
 * @ctx: the context; the caller holds a reference for as long as he uses the
 *	completion
 *
 * It is completed for all, and never initialised again; a value context has that
 * of its nearest cancelable ancestor. For code that takes a completion; to wait,
 * ctx_wait() and its kin are cheaper.
 *
 * Ordering: what was written before the cancellation is visible to whoever finds the
 * completion completed, by wait_for_completion(), completion_done() and the like
 * (S16).
 *
 * Context: Any but NMI (S18).
 * Return: the completion, or NULL for a context that is never done.
 */
struct completion *ctx_done(struct ctx *ctx)
{
	struct ctx_scope *scope = ctx_scope(ctx);
	unsigned long flags;

	if (ctx_is_root(&scope->node))
		return NULL;
	raw_spin_lock_irqsave(&scope->own.lock, flags);
	if (!(scope->node.flags & CTX_DONE_USED)) {
		init_completion(&scope->done);
		/* Nobody can wait yet, and a walk may have passed already. */
		if (READ_ONCE(scope->state.origin))
			scope->done.done = UINT_MAX;
		scope->node.flags |= CTX_DONE_USED;
	}
	raw_spin_unlock_irqrestore(&scope->own.lock, flags);
	return &scope->done;
}
EXPORT_SYMBOL_GPL(ctx_done);

/*
 * What complete_all() does, but with a turn of the lock for each waiter, so that
 * interrupts are not kept off for all of them (S19). Who did not see UINT_MAX
 * under the lock was on the queue before it was set.
 *
 * Returns false when the budget is spent first.
 */
bool ctx_complete(struct ctx_walk *walk, struct ctx_scope *scope)
{
	struct completion *done = &scope->done;
	unsigned long flags;

	raw_spin_lock_irqsave(&done->wait.lock, flags);
	done->done = UINT_MAX;
	raw_spin_unlock_irqrestore(&done->wait.lock, flags);

	while (swait_active(&done->wait)) {
		if (walk->budget <= 0)
			return false;
		swake_up_one(&done->wait);
		walk->budget -= CTX_COST_CALLBACK;
		ctx_walk_yield(walk);
	}
	return true;
}

static void ctx_wake_waiter(struct ctx *ctx, struct ctx_callback *cb)
{
	wake_up_process(container_of(cb, struct ctx_waiter, cb)->task);
}

static void ctx_waiter_add(struct ctx *ctx, struct ctx_waiter *waiter)
{
	waiter->task = current;
	/* One that is done already is seen by ctx_err(), before sleeping. */
	ctx_callback_add(ctx, &waiter->cb, ctx_wake_waiter);
}

static void ctx_waiter_remove(struct ctx *ctx, struct ctx_waiter *waiter)
{
	ctx_callback_remove_sync(ctx, &waiter->cb);
}

/* Sleeps in @state until @expires, or for ever; @expires has passed: false. */
static bool ctx_schedule(ktime_t expires)
{
	if (expires != KTIME_MAX)
		return schedule_hrtimeout(&expires, HRTIMER_MODE_ABS) != 0;
	schedule();
	return true;
}

/* Done wins over a signal, and both over the time running out. */
static int ctx_wait_until(struct ctx *ctx, ktime_t expires, unsigned int state)
{
	struct ctx_waiter waiter;
	bool in_time = true;
	int err;

	ctx_waiter_add(ctx, &waiter);
	for (;;) {
		set_current_state(state);
		err = ctx_err(ctx);
		if (!err && signal_pending_state(state, current))
			err = -ERESTARTSYS;
		if (err || !in_time)
			break;
		in_time = ctx_schedule(expires);
	}
	__set_current_state(TASK_RUNNING);
	ctx_waiter_remove(ctx, &waiter);
	return err;
}

/**
 * __ctx_wait - behind ctx_wait() and its forms
 * @ctx: the context; the caller holds a reference
 * @state: the task state to wait in
 *
 * Ordering: as with ctx_wait().
 *
 * Context: Process; sleeps (S18).
 * Return: as ctx_wait(), or -ERESTARTSYS if a signal came first that ends @state.
 */
int __ctx_wait(struct ctx *ctx, unsigned int state)
{
	might_sleep();
	if (ctx_is_debugged())
		ctx_debug_wait(ctx, _RET_IP_);
	return ctx_err(ctx) ?: ctx_wait_until(ctx, KTIME_MAX, state);
}
EXPORT_SYMBOL_GPL(__ctx_wait);

/**
 * __ctx_wait_timeout - behind ctx_wait_timeout(), ctx_sleep() and their forms
 * @ctx: the context; the caller holds a reference
 * @timeout: how long at most, in ns from now; 0 or less only asks
 * @state: the task state to wait in
 *
 * Ordering: as with ctx_wait_timeout().
 *
 * Context: Process; sleeps (S18).
 * Return: as ctx_wait_timeout(), or -ERESTARTSYS if a signal came first that ends @state.
 */
int __ctx_wait_timeout(struct ctx *ctx, ktime_t timeout, unsigned int state)
{
	int err = ctx_err(ctx);
	ktime_t expires;

	might_sleep();
	if (err || timeout <= 0)
		return err;
	expires = ktime_add_safe(ktime_get(), timeout);
	if (ctx_is_debugged() && expires == KTIME_MAX)
		ctx_debug_wait(ctx, _RET_IP_);
	return ctx_wait_until(ctx, expires, state);
}
EXPORT_SYMBOL_GPL(__ctx_wait_timeout);

/*
 * complete() hands one count to one sleeper and takes him off the queue. So who
 * leaves for another reason looks once more after he has left the queue:
 * otherwise the count could be left lying while others sleep.
 */
static int ctx_wait_completion(struct ctx *ctx, struct completion *done, unsigned int state)
{
	DECLARE_SWAITQUEUE(wait);
	struct ctx_waiter waiter;
	int err;

	ctx_waiter_add(ctx, &waiter);
	for (;;) {
		long signal = prepare_to_swait_event(&done->wait, &wait, state);

		if (try_wait_for_completion(done)) {
			err = 0;
			break;
		}
		err = ctx_err(ctx) ?: signal;
		if (err)
			break;
		schedule();
	}
	finish_swait(&done->wait, &wait);
	if (err && try_wait_for_completion(done))
		err = 0;
	ctx_waiter_remove(ctx, &waiter);
	return err;
}

/**
 * __ctx_wait_for_completion - behind ctx_wait_for_completion() and its forms
 * @ctx: the context; the caller holds a reference
 * @done: the completion
 * @state: the task state to wait in
 *
 * Ordering: as with ctx_wait_for_completion().
 *
 * Context: Process; sleeps (S18).
 * Return: as ctx_wait_for_completion(), or -ERESTARTSYS if a signal came first that
 * ends @state.
 */
int __ctx_wait_for_completion(struct ctx *ctx, struct completion *done, unsigned int state)
{
	might_sleep();
	if (try_wait_for_completion(done))
		return 0;
	return ctx_err(ctx) ?: ctx_wait_completion(ctx, done, state);
}
EXPORT_SYMBOL_GPL(__ctx_wait_for_completion);

/**
 * ctx_event_wait_step - one round of ctx_wait_event()
 * @wait: on the caller's stack
 *
 * The first puts the caller on both queues. The others sleep until one of the
 * two wakes him. Either way his state is set on return, so that a wake-up between
 * his look at the condition and the next step is not lost.
 *
 * Ordering: an error of the context is as with ctx_wait() (S16).
 *
 * Context: Process; sleeps (S18).
 * Return: 0 to look at the condition and come again; the context's error or
 * -ERESTARTSYS to look once more and leave.
 */
int ctx_event_wait_step(struct ctx_event_wait *wait)
{
	if (!wait->queued) {
		wait->queued = true;
		ctx_waiter_add(wait->ctx, &wait->waiter);
		init_wait_entry(&wait->entry, 0);
	} else {
		int err = ctx_err(wait->ctx) ?: wait->signal;

		if (err)
			return err;
		schedule();
	}
	wait->signal = prepare_to_wait_event(wait->wq_head, &wait->entry, wait->state);
	return 0;
}
EXPORT_SYMBOL_GPL(ctx_event_wait_step);

/**
 * ctx_event_wait_end - leave ctx_wait_event()
 * @wait: nobody uses it any more when this returns
 *
 * Ordering: no wake-up touches @wait after this.
 *
 * Context: Process; may sleep (S18).
 */
void ctx_event_wait_end(struct ctx_event_wait *wait)
{
	if (!wait->queued)
		return;
	finish_wait(wait->wq_head, &wait->entry);
	ctx_waiter_remove(wait->ctx, &wait->waiter);
}
EXPORT_SYMBOL_GPL(ctx_event_wait_end);
