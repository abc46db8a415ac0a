// SPDX-License-Identifier: GPL-2.0
/*
 * Work items that are bound to a context.
 *
 * An item that was queued is armed, and has a reference on its context. Whoever
 * disarms it ends what was queued, and drops the reference: a worker, who then looks
 * whether the context is done and calls the function only if not, or who cancels it.
 * What is on a queue without being armed is nothing.
 *
 * One that waits for its time also has a callback with its context, which does no
 * more than to put it on its queue at once, for a worker to find its context done.
 *
 * The callback is registered, and the timer started, in one turn of the scope's lock:
 * a claim comes before that and is seen, or after it, and the callback finds the timer
 * started. Nor is the item touched later by who queued it: it may have run, and be
 * gone. cb.ctx is NULL unless the callback is registered.
 *
 * The callback may find the timer pending, and be overtaken by who takes the item off:
 * then it queues what is not armed any more. So whoever has ended what was queued
 * waits for the callback before the item goes, and takes it off its queue once more.
 */
#include <linux/jiffies.h>
#include <linux/module.h>

#include "internal.h"

/* The context is done, while its item may be waiting for its time. */
static void ctx_work_hurry(struct ctx *ctx, struct ctx_callback *cb)
{
	struct ctx_work *work = container_of(cb, struct ctx_work, cb);
	struct delayed_work *delayed = &work->work;

	if (timer_pending(&delayed->timer))
		mod_delayed_work(delayed->wq, delayed, 0);
}

/* Returns whether the caller ends what was queued, and drops the reference. */
static __always_inline bool ctx_work_disarm(struct ctx_work *work)
{
	return xchg(&work->armed, 0);
}

/*
 * By the worker, until nobody else touches the item. What is queued again while the
 * context is done goes the same way as what was queued.
 */
static void ctx_work_settle(struct ctx_work *work, struct ctx *ctx)
{
	ctx_callback_remove_sync(ctx, &work->cb);
	if (ctx_is_done(ctx) && cancel_delayed_work(&work->work) && ctx_work_disarm(work))
		ctx_put(ctx);
}

/**
 * __ctx_work_run - what is on the queue
 * @inner: of a struct ctx_work
 *
 * Not to be called.
 *
 * Context: A workqueue.
 */
void __ctx_work_run(struct work_struct *inner)
{
	struct ctx_work *work = container_of(inner, struct ctx_work, work.work);
	void (*fn)(struct ctx *ctx, struct ctx_work *work);
	struct ctx *ctx = work->ctx;

	if (!ctx_work_disarm(work))
		return;
	/* Set before it was armed. */
	if (READ_ONCE(work->timed))
		ctx_work_settle(work, ctx);
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
	work->armed = 0;
	work->timed = false;
}
EXPORT_SYMBOL_GPL(__ctx_work_setup);

/* Drops the reference of what was queued, which whoever owns that does. */
static __always_inline void ctx_work_end(struct ctx *ctx)
{
	if (!ctx_is_root(ctx))
		ctx_unhold(ctx);
}

/*
 * It was armed and could not be queued: it is just being cancelled. If whoever does
 * that has disarmed it, it was queued and he has cancelled it.
 */
static noinline int ctx_work_take_back(struct ctx_work *work, struct ctx *ctx)
{
	if (!ctx_work_disarm(work))
		return 1;
	ctx_put(ctx);
	return 0;
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
 * @wq: the workqueue
 * @work: the item; the caller holds a reference on its context; until it is over,
 *	the item has one of its own
 *
 * What was queued ends exactly once. Its function is called; or it is cancelled; or
 * its turn comes when its context is done, and the function is not called, but
 * what was given to ctx_work_on_drop() is.
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
	if (xchg(&work->armed, 1))
		return 0;
	ctx_hold(ctx);
	/* Not touched any more then: it may have run, and be gone. */
	if (likely(queue_work(wq, &work->work.work)))
		return 1;
	return ctx_work_take_back(work, ctx);
}
EXPORT_SYMBOL_GPL(ctx_work_queue);

/* The jiffy at hand has begun before: one more, so that none is early. */
static unsigned long ctx_work_jiffies(ktime_t delay)
{
	return min_t(u64, nsecs_to_jiffies64(delay - 1) + 2, MAX_JIFFY_OFFSET);
}

/* Returns whether the timer runs now; in @ret, what the caller is told. */
static __always_inline bool ctx_work_start_timer(struct workqueue_struct *wq,
						 struct ctx_work *work, struct ctx *ctx,
						 ktime_t delay, int *ret)
{
	*ret = !xchg(&work->armed, 1);
	if (!*ret)
		return false;
	ctx_hold(ctx);
	if (likely(queue_delayed_work(wq, &work->work, ctx_work_jiffies(delay))))
		return true;
	*ret = ctx_work_take_back(work, ctx);
	return false;
}

/* The same under own.lock, with a callback. */
static __always_inline int ctx_work_start_watched(struct workqueue_struct *wq,
						  struct ctx_work *work, struct ctx *ctx,
						  ktime_t delay)
{
	struct ctx_scope *scope = ctx_scope(ctx);
	int ret;

	/* Registered: it is waiting, or who ends that is not as far as to remove it. */
	if (READ_ONCE(work->cb.ctx))
		return 0;
	if (ctx_callback_enlist(scope, ctx, &work->cb))
		return scope->state.origin->err;
	if (unlikely(!ctx_work_start_timer(wq, work, ctx, delay, &ret))) {
		ctx_queue_del(&scope->callbacks, &work->cb.node);
		work->cb.ctx = NULL;
	}
	return ret;
}

/**
 * ctx_work_queue_delayed - queue a work item after a time
 * @wq: the workqueue
 * @work: the item; as with ctx_work_queue()
 * @delay: the time from now, which is rounded up to the kernel's ticks: it is not
 *	queued early, and up to two of them late; 0 or less queues it at once
 *
 * When its context is done first, it does not wait for its time any more, but is
 * put on its queue, and is over when its turn comes. Otherwise as ctx_work_queue().
 *
 * Context: Any but NMI, under spinlocks and with interrupts off too.
 * Return: as ctx_work_queue().
 */
int ctx_work_queue_delayed(struct workqueue_struct *wq, struct ctx_work *work, ktime_t delay)
{
	struct ctx *ctx = work->ctx;
	struct ctx_scope *scope;
	unsigned long flags;
	int ret;

	if (delay <= 0)
		return ctx_work_queue(wq, work);
	ret = ctx_work_refused(ctx);
	if (ret)
		return ret;
	scope = ctx_scope(ctx);
	WRITE_ONCE(work->timed, true);
	if (ctx_is_root(&scope->node)) {
		ctx_work_start_timer(wq, work, ctx, delay, &ret);
		return ret;
	}
	raw_spin_lock_irqsave(&scope->own.lock, flags);
	ret = ctx_work_start_watched(wq, work, ctx, delay);
	raw_spin_unlock_irqrestore(&scope->own.lock, flags);
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
 * Context: Any but NMI, under spinlocks and with interrupts off too.
 * Return: true if this ended what was queued; false if it was not queued, or its
 * function is running, or its context has ended it.
 */
bool ctx_work_cancel(struct ctx_work *work)
{
	if (!cancel_delayed_work(&work->work))
		return false;
	/* Before it can be armed again. */
	if (READ_ONCE(work->timed))
		ctx_callback_remove(work->ctx, &work->cb);
	if (!ctx_work_disarm(work))
		return false;
	ctx_work_end(work->ctx);
	return true;
}
EXPORT_SYMBOL_GPL(ctx_work_cancel);

static void ctx_work_take_off_timed(struct ctx_work *work)
{
	cancel_delayed_work_sync(&work->work);
	if (likely(ctx_callback_remove(work->ctx, &work->cb)))
		return;
	ctx_callback_remove_sync(work->ctx, &work->cb);
	cancel_delayed_work_sync(&work->work);
}

/**
 * ctx_work_cancel_sync - take a work item off its queue, and wait until it is over
 * @work: the item; the caller holds a reference on its context; nobody frees it
 *	meanwhile
 *
 * When this returns nothing of it is queued nor running, even if it queues itself
 * again, and it may be freed or initialised again, unless others queue it. Called
 * from its own function it is ctx_work_cancel().
 *
 * Context: Process; sleeps.
 * Return: as ctx_work_cancel(), but that its function is not running any more.
 */
bool ctx_work_cancel_sync(struct ctx_work *work)
{
	if (unlikely(current->flags & PF_WQ_WORKER) && current_work() == &work->work.work)
		return ctx_work_cancel(work);
	if (READ_ONCE(work->timed))
		ctx_work_take_off_timed(work);
	else
		cancel_work_sync(&work->work.work);
	if (!ctx_work_disarm(work))
		return false;
	ctx_work_end(work->ctx);
	return true;
}
EXPORT_SYMBOL_GPL(ctx_work_cancel_sync);
