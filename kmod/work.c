// SPDX-License-Identifier: GPL-2.0
/*
 * Work items that are bound to a context.
 *
 * What is queued has a reference on its context, taken before it is. The workqueue
 * knows whether it is queued, and gives it to one only: to a worker, who looks whether
 * the context is done and calls the function only if not, or to who cancels it. That
 * one drops the reference.
 *
 * One that waits for its time also has a callback with its context, which puts it on
 * its queue at once, for a worker to find its context done. It does what the timer would
 * have done, in place of it: so it queues nothing that is not waiting, and whoever has
 * the item need but wait for it.
 *
 * The callback is registered, and the timer started, in one turn of the scope's lock:
 * a claim comes before that and is seen, or after it, and the callback finds the timer
 * started. Nor is the item touched later by who queued it: it may have run, and be
 * gone. cb.ctx is NULL unless the callback is registered.
 *
 * Who has the item takes the callback away, under that lock too, unless the timer is
 * pending: then it has been queued again since, and the callback is that one's. If that
 * timer has just gone off, the callback may go once it has done what it does.
 */
#include <linux/jiffies.h>
#include <linux/module.h>

#include "internal.h"

/*
 * The context is done. Like the timer, with interrupts off until the item is on its
 * queue, as who takes it off waits for that; or once the timer has done so.
 */
static void ctx_work_hurry(struct ctx *ctx, struct ctx_callback *cb)
{
	struct ctx_work *work = container_of(cb, struct ctx_work, cb);
	unsigned long flags;

	local_irq_save(flags);
	if (timer_delete_sync(&work->work.timer))
		delayed_work_timer_fn(&work->work.timer);
	local_irq_restore(flags);
}

/**
 * __ctx_work_run - what is on the queue
 * @inner: of a struct ctx_work
 *
 * Not to be called.
 *
 * Ordering: what was written before the item was queued is visible to its function, as with
 * queue_work().
 *
 * Context: A workqueue.
 */
void __ctx_work_run(struct work_struct *inner)
{
	struct ctx_work *work = container_of(inner, struct ctx_work, work.work);
	void (*fn)(struct ctx *ctx, struct ctx_work *work);
	struct ctx *ctx = work->ctx;

	/* Set before it was queued. */
	if (READ_ONCE(work->timed))
		ctx_callback_end(ctx, &work->cb, &work->work, true);
	fn = ctx_is_done(ctx) ? work->dropped : work->fn;
	if (fn)
		fn(ctx, work);
	/* It may be gone. */
	ctx_put(ctx);
}
EXPORT_SYMBOL_GPL(__ctx_work_run);

/**
 * __ctx_work_setup - behind ctx_work_init()
 * @work: its own part of it
 * @ctx: as with ctx_work_init()
 * @fn: as with ctx_work_init()
 *
 * Ordering: as with ctx_work_init().
 *
 * Context: Any.
 */
void __ctx_work_setup(struct ctx_work *work, struct ctx *ctx,
		      void (*fn)(struct ctx *ctx, struct ctx_work *work))
{
	work->cb.ctx = NULL;
	work->cb.fn = ctx_work_hurry;
	work->ctx = ctx;
	work->fn = fn;
	work->dropped = NULL;
	work->timed = false;
}
EXPORT_SYMBOL_GPL(__ctx_work_setup);

/* Drops the reference of what was queued, which whoever owns that does. */
static __always_inline void ctx_work_end(struct ctx *ctx)
{
	if (!ctx_is_root(ctx))
		ctx_unhold(ctx);
}

/* Why nothing can be queued under @ctx; 0 if it can. */
static __always_inline int ctx_work_refused(const struct ctx *ctx)
{
	if (IS_ERR_OR_NULL(ctx))
		return ctx ? PTR_ERR(ctx) : -EINVAL;
	return ctx_err(ctx);
}

/**
 * ctx_work_queue - queue a work item, unless its context is done
 * @wq: the workqueue; its workers sleep, so not one for softirqs
 * @work: the item; the caller holds a reference on its context; until it is over,
 *	the item has one of its own
 *
 * What was queued ends exactly once. Its function is called; or it is cancelled; or
 * its turn comes when its context is done, and the function is not called, but
 * what was given to ctx_work_on_drop() is.
 *
 * Whoever frees the item, or destroys @wq, sees to it first that nobody calls this any
 * more, as with queue_work(): that the context is done refuses later calls only.
 *
 * Ordering: as with queue_work().
 *
 * Context: Any but NMI, under spinlocks and with interrupts off too.
 * Return: 1 if this queued it; 0 if it is queued already, or is just being
 * cancelled by ctx_work_cancel_sync(); the error of its context if that is done or
 * was an ERR_PTR; -EINVAL if it was NULL.
 */
int ctx_work_queue(struct workqueue_struct *wq, struct ctx_work *work)
{
	struct ctx *ctx = work->ctx;
	int err = ctx_work_refused(ctx);

	if (err)
		return err;
	ctx_hold(ctx);
	/* Not touched any more then: it may have run, and be gone. */
	if (likely(queue_work(wq, &work->work.work)))
		return 1;
	ctx_work_end(ctx);
	return 0;
}
EXPORT_SYMBOL_GPL(ctx_work_queue);

/* The jiffy at hand has begun before: one more, so that none is early. */
static unsigned long ctx_work_jiffies(ktime_t delay)
{
	return min_t(u64, nsecs_to_jiffies64(delay - 1) + 2, MAX_JIFFY_OFFSET);
}

/* Under own.lock. */
static __always_inline int ctx_work_start_watched(struct workqueue_struct *wq,
						  struct ctx_work *work, struct ctx_scope *scope,
						  unsigned long delay)
{
	/* Registered: it is waiting, or who ends that is not as far as to remove it. */
	if (READ_ONCE(work->cb.ctx))
		return 0;
	if (ctx_callback_enlist(scope, work->ctx, &work->cb))
		return scope->state.origin->err;
	if (likely(queue_delayed_work(wq, &work->work, delay)))
		return 1;
	ctx_queue_del(&scope->callbacks, &work->cb.node);
	work->cb.ctx = NULL;
	return 0;
}

/* With a reference, which is that of what is queued if this returns 1. */
static __always_inline int ctx_work_start(struct workqueue_struct *wq, struct ctx_work *work,
					  unsigned long delay)
{
	struct ctx_scope *scope = ctx_scope(work->ctx);
	unsigned long flags;
	int ret;

	if (ctx_is_root(&scope->node))
		return queue_delayed_work(wq, &work->work, delay);
	WRITE_ONCE(work->timed, true);
	raw_spin_lock_irqsave(&scope->own.lock, flags);
	ret = ctx_work_start_watched(wq, work, scope, delay);
	raw_spin_unlock_irqrestore(&scope->own.lock, flags);
	return ret;
}

/**
 * ctx_work_queue_delayed - queue a work item after a time
 * @wq: the workqueue
 * @work: the item; as with ctx_work_queue()
 * @delay: the time from now; it is not queued early, and as late as the kernel's timers
 *	are: by some ticks, or up to an eighth of a long time; 0 or less queues it at once
 *
 * When its context is done first, it does not wait for its time any more, but is
 * put on its queue, and is over when its turn comes. After ctx_cancel_sync() it is there:
 * flushing or destroying the queue waits for it then. Otherwise as
 * ctx_work_queue().
 *
 * Ordering: as with ctx_work_queue().
 *
 * Context: Any but NMI, under spinlocks and with interrupts off too.
 * Return: as ctx_work_queue().
 */
int ctx_work_queue_delayed(struct workqueue_struct *wq, struct ctx_work *work, ktime_t delay)
{
	struct ctx *ctx = work->ctx;
	int ret;

	if (delay <= 0)
		return ctx_work_queue(wq, work);
	ret = ctx_work_refused(ctx);
	if (ret)
		return ret;
	ctx_hold(ctx);
	ret = ctx_work_start(wq, work, ctx_work_jiffies(delay));
	if (unlikely(ret != 1))
		ctx_work_end(ctx);
	return ret;
}
EXPORT_SYMBOL_GPL(ctx_work_queue_delayed);

/**
 * ctx_work_cancel - take a work item off its queue, without waiting
 * @work: the item; nobody frees it meanwhile
 *
 * Its function may be running, and if its context is just becoming done the item is
 * still looked at: before it is freed, ctx_work_cancel_sync() has to be called.
 *
 * Ordering: none with what the function wrote, if it has run.
 *
 * Context: Any but NMI, under spinlocks and with interrupts off too.
 * Return: true if this ended what was queued; false if it was not queued, or its
 * function is running, or its context has ended it.
 */
bool ctx_work_cancel(struct ctx_work *work)
{
	if (!cancel_delayed_work(&work->work))
		return false;
	if (READ_ONCE(work->timed))
		ctx_callback_end(work->ctx, &work->cb, &work->work, false);
	ctx_work_end(work->ctx);
	return true;
}
EXPORT_SYMBOL_GPL(ctx_work_cancel);

/**
 * ctx_work_cancel_sync - take a work item off its queue, and wait until it is over
 * @work: the item; the caller holds a reference on its context; nobody frees it
 *	meanwhile
 *
 * When this returns nothing of it is queued nor running, even if it queues itself
 * again, and it may be freed or initialised again, unless others queue it. Called
 * from its own function it is ctx_work_cancel().
 *
 * Ordering: what the function wrote is visible on return, unless that is inside it.
 *
 * Context: Process; sleeps.
 * Return: as ctx_work_cancel(), but that its function is not running any more.
 */
bool ctx_work_cancel_sync(struct ctx_work *work)
{
	bool taken;

	if (unlikely(current->flags & PF_WQ_WORKER) && current_work() == &work->work.work)
		return ctx_work_cancel(work);
	/* Also without a delay: who gives it one now starts a timer, which the other spins on. */
	taken = cancel_delayed_work_sync(&work->work);
	/* It may be looking at the timer. */
	if (READ_ONCE(work->timed))
		ctx_callback_end(work->ctx, &work->cb, &work->work, true);
	if (taken)
		ctx_work_end(work->ctx);
	return taken;
}
EXPORT_SYMBOL_GPL(ctx_work_cancel_sync);
