// SPDX-License-Identifier: GPL-2.0
/*
 * Sources: whatever can become done, and then cancels a context (S15).
 *
 * Who fires a source may hold that thing's own lock. So firing only queues, and a
 * worker cancels: no lock of ours is taken inside that one but the queue's, and a
 * chain of sources, each cancelling a context that makes the next one fire, is a loop
 * in the worker. It makes each context itself done and leaves what is below to the
 * worker of cancel.c, so that one large tree does not keep other sources waiting.
 *
 * A source has one queue from attach to detach. Under its lock the worker takes the
 * source off, and copies all that it needs to its own stack: from then on the storage
 * is not touched, but for a file that has to be asked again, for which the queue says
 * which source that is. So detaching is a turn of that lock, and never waits. In the
 * short while between the copy and the cancellation, who detaches cancels as well: on
 * his return the context is done by this source, or never will be.
 */
#include <linux/dma-fence.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/percpu.h>
#include <linux/string.h>

#include "internal.h"

/*
 * ARMED, QUEUED, FIRED. With a file it is ASKED before it fires: if that is not ready,
 * it is ARMED again, or QUEUED if it was woken meanwhile.
 */
enum ctx_source_state {
	CTX_SOURCE_OFF,		/* not attached */
	CTX_SOURCE_ARMED,
	CTX_SOURCE_QUEUED,	/* on the queue */
	CTX_SOURCE_ASKED,	/* the worker is asking its file */
	CTX_SOURCE_FIRED,	/* for good: the worker has its copy */
};

struct ctx_fired {
	raw_spinlock_t lock;	/* protects all below but the work */
	struct ctx_queue queue;
	unsigned int queued;	/* how many are on it */
	struct ctx_source *asked;	/* whose file the worker is asking, unless detached */
	struct work_struct work;
};

static DEFINE_PER_CPU(struct ctx_fired, ctx_fired);
static struct workqueue_struct *ctx_source_wq;

/* What the worker takes along: the source may be gone any time. */
struct ctx_shot {
	struct ctx *ctx;	/* with a reference, or NULL if it is being released */
	int cause;
	char name[TASK_COMM_LEN];
};

/*
 * Makes @ctx itself done; @name is whose doing it is. Apart, for the sake of those that
 * are detached without having fired: 10 instructions.
 */
static noinline void ctx_source_cancel(struct ctx *ctx, int cause, const char *name)
{
	const struct ctx_by by = { .err = -ECANCELED, .cause = cause, .who = name };

	ctx_cancel_scope(ctx_scope(ctx), &by, CTX_CANCEL_LATER);
}

/* Under the queue's lock, which keeps @source attached and so its context whole. */
static void ctx_shot_take(struct ctx_shot *shot, struct ctx_source *source)
{
	WRITE_ONCE(source->state, CTX_SOURCE_FIRED);
	shot->ctx = refcount_inc_not_zero(&source->ctx->ref) ? source->ctx : NULL;
	shot->cause = source->cause;
	strscpy(shot->name, source->ops->name, sizeof(shot->name));
}

/* Under the queue's lock, as the next. */
static void ctx_fired_add(struct ctx_fired *fired, struct ctx_source *source)
{
	WRITE_ONCE(source->state, CTX_SOURCE_QUEUED);
	ctx_queue_add(&fired->queue, &source->node);
	fired->queued++;
}

static void ctx_fired_del(struct ctx_fired *fired, struct ctx_source *source)
{
	ctx_queue_del(&fired->queue, &source->node);
	fired->queued--;
}

/*
 * Under the queue's lock, dropped meanwhile: a wake-up is no more than a hint. Returns
 * whether the file of @source, if that was not detached, is ready.
 */
static bool ctx_fired_ask(struct ctx_fired *fired, struct ctx_source *source)
	__must_hold(&fired->lock)
{
	const __poll_t events = source->poll.events;
	struct file *file = get_file(source->poll.file);
	bool ready;

	WRITE_ONCE(source->state, CTX_SOURCE_ASKED);
	fired->asked = source;
	raw_spin_unlock_irq(&fired->lock);
	ready = ctx_poll_ready(file, events);
	raw_spin_lock_irq(&fired->lock);
	if (!fired->asked) {
		/* It was detached meanwhile: where it matters, the other waits: see linger.c. */
		raw_spin_unlock_irq(&fired->lock);
		fput(file);
		raw_spin_lock_irq(&fired->lock);
		return false;
	}
	fired->asked = NULL;
	fput(file);
	if (source->state == CTX_SOURCE_QUEUED) {
		/* Woken while it was asked. */
		if (ready)
			ctx_fired_del(fired, source);
	} else if (!ready) {
		/* The last access: pairs with the acquire in ctx_source_detach_file(). */
		smp_store_release(&source->state, CTX_SOURCE_ARMED);
	}
	return ready;
}

/* Takes the next source off the queue. */
static void ctx_fired_next(struct ctx_fired *fired, struct ctx_shot *shot)
{
	struct ctx_source *source;

	shot->ctx = NULL;
	raw_spin_lock_irq(&fired->lock);
	if (fired->queued) {
		source = hlist_entry(fired->queue.first, struct ctx_source, node);
		ctx_fired_del(fired, source);
		if (!source->hint || ctx_fired_ask(fired, source))
			ctx_shot_take(shot, source);
	}
	raw_spin_unlock_irq(&fired->lock);
}

/*
 * As many as there are now: whoever fires more has it queued once more. So who waits
 * for it does not wait for a file that somebody never stops writing to.
 */
static void ctx_fired_work(struct work_struct *work)
{
	struct ctx_fired *fired = container_of(work, struct ctx_fired, work);
	unsigned int left = READ_ONCE(fired->queued);
	struct ctx_shot shot;

	while (left--) {
		ctx_fired_next(fired, &shot);
		if (shot.ctx) {
			ctx_torture_point();
			ctx_source_cancel(shot.ctx, shot.cause, shot.name);
			ctx_put(shot.ctx);
		}
		cond_resched();
	}
}

/*
 * Queues @source, unless it is queued already or has fired; @cause: 0 for the one that
 * it was attached with; @final: there is nothing to be asked any more. Under the lock of
 * what it watches.
 */
void ctx_source_queue(struct ctx_source *source, int cause, bool final)
{
	struct ctx_fired *fired = source->fired;
	unsigned long flags;
	bool queued = false;

	raw_spin_lock_irqsave(&fired->lock, flags);
	if (final)
		source->hint = false;
	if (source->state == CTX_SOURCE_ARMED || source->state == CTX_SOURCE_ASKED) {
		if (cause)
			source->cause = cause;
		ctx_fired_add(fired, source);
		queued = true;
	}
	raw_spin_unlock_irqrestore(&fired->lock, flags);
	/* That is the CPU's own: @source may be gone by now. */
	if (queued)
		queue_work(ctx_source_wq, &fired->work);
}

/*
 * Leaves the worker nothing of @source that it does not have a copy of. Returns whether
 * it has one.
 */
static bool ctx_source_withdraw(struct ctx_source *source)
{
	struct ctx_fired *fired = source->fired;
	unsigned long flags;
	bool shot;

	raw_spin_lock_irqsave(&fired->lock, flags);
	shot = source->state == CTX_SOURCE_FIRED;
	if (source->state == CTX_SOURCE_QUEUED)
		ctx_fired_del(fired, source);
	if (fired->asked == source)
		fired->asked = NULL;
	WRITE_ONCE(source->state, CTX_SOURCE_FIRED);
	raw_spin_unlock_irqrestore(&fired->lock, flags);
	return shot;
}

/*
 * What @source, which the caller is just attaching, watches has happened already: its
 * context is done on return. Under none of its locks.
 */
void ctx_source_fire_now(struct ctx_source *source)
{
	ctx_source_withdraw(source);
	ctx_source_cancel(source->ctx, source->cause, source->ops->name);
}

/*
 * Attaches @source, of which ->ctx is NULL, before it is hooked to what it watches. Not
 * @counted: whoever calls detaches it when the last reference on @ctx is gone, before
 * that is freed.
 */
int ctx_source_arm(struct ctx *ctx, struct ctx_source *source, const struct ctx_source_ops *ops,
		   int cause, bool counted)
{
	source->state = CTX_SOURCE_OFF;
	if (IS_ERR_OR_NULL(ctx) || !ctx_is_scope(ctx) || !ctx_cause_valid(cause))
		return -EINVAL;
	if (ctx_is_done(ctx))
		return -ENOENT;
	if (counted)
		refcount_inc(&ctx->ref);
	source->ctx = ctx;
	source->ops = ops;
	source->fired = raw_cpu_ptr(&ctx_fired);
	source->cause = cause;
	source->state = CTX_SOURCE_ARMED;
	source->counted = counted;
	source->hint = false;
	return 0;
}

static void ctx_source_unlink(struct ctx_source *source)
{
	struct ctx *other = ctx_get(source->link.other);

	ctx_unlink(&source->link);
	/* Nothing is queued of these: it is only what ctx_source_detach() returns. */
	if (other && ctx_is_done(source->ctx) &&
	    ctx_origin_state(source->ctx) == ctx_origin_state(other))
		source->state = CTX_SOURCE_FIRED;
	ctx_put(other);
}

static const struct ctx_source_ops ctx_link_ops = {
	.name = "link",
	.detach = ctx_source_unlink,
};

/*
 * A link as a source, which ctx_source_detach() takes away. If @ctx is done by the time
 * that there is a link, there is no need for one.
 */
int ctx_source_link(struct ctx *ctx, struct ctx *other, struct ctx_source *source)
{
	int err;

	source->ctx = NULL;
	if (!IS_ERR_OR_NULL(ctx) && ctx_is_done(ctx))
		return -ENOENT;
	/* First: it may want a @ctx on which nobody else has a reference. */
	err = ctx_link(ctx, other, &source->link);
	if (err)
		return err;
	/* Without a link, too, where @other is never done: that is attached as any. */
	err = ctx_source_arm(ctx, source, &ctx_link_ops, -ECANCELED, true);
	if (err)
		ctx_unlink(&source->link);
	return 0;
}

/**
 * ctx_source_attach - have a context cancelled when something else comes to its end
 * @ctx: a context that can be cancelled itself; the source takes a reference, until
 *	it is detached
 * @source: storage, of the caller, until it was detached
 * @ops: what it is; constant, until it was detached
 *
 * After this, have ctx_source_fire() called when what the source stands for has
 * happened. A source that never fires costs nothing. For each that was attached call
 * ctx_source_detach() once, whether it fired or not, and however @ctx ended.
 *
 * Ordering: on -ENOENT as with ctx_err(); otherwise none: what publishes is ctx_source_fire().
 *
 * Context: Any but NMI, under spinlocks and with interrupts off too (S18).
 * Return: 0; -ENOENT if @ctx is done already; -EINVAL for a root, a value or
 * without-cancel context, which have nothing of their own to cancel, for NULL, an
 * ERR_PTR, and a source without a name. If it fails, nothing is attached (S15).
 */
int ctx_source_attach(struct ctx *ctx, struct ctx_source *source,
		      const struct ctx_source_ops *ops)
{
	if (!source)
		return -EINVAL;
	source->ctx = NULL;
	if (!ops || !ops->name || !*ops->name)
		return -EINVAL;
	return ctx_source_arm(ctx, source, ops, -ECANCELED, true);
}
EXPORT_SYMBOL_GPL(ctx_source_attach);

/**
 * ctx_source_fire - say that what a source stands for has happened
 * @source: a source that ctx_source_attach() has attached
 * @cause: what ctx_cause() will say: an errno, -MAX_ERRNO to -1
 *
 * Only queues, and takes no lock in which anything else happens: it may be called
 * under whatever lock protects what the source watches (S15). A worker then cancels
 * the context, with the name of the source as that of who did it, and process 0 (S11).
 * The first call counts.
 *
 * Ordering: what was written before is visible to whoever sees the context done by this
 * (S16). Of several calls it is the first that publishes.
 *
 * Context: Any but NMI, under spinlocks and with interrupts off too (S18).
 * Return: 0, also if it fired before or the context is done; -EINVAL for another
 * @cause: then it has not fired.
 */
int ctx_source_fire(struct ctx_source *source, int cause)
{
	if (!ctx_cause_valid(cause))
		return -EINVAL;
	ctx_source_queue(source, cause, true);
	return 0;
}
EXPORT_SYMBOL_GPL(ctx_source_fire);

/* Who asks its file, and may be doing so while it is detached. */
struct work_struct *ctx_source_asker(const struct ctx_source *source)
{
	return &source->fired->work;
}

/*
 * As ctx_source_detach(), which gives *@shot, but for what it watches: the file of one
 * that does is the caller's.
 */
struct file *ctx_source_detach_file(struct ctx_source *source, bool *shot)
{
	struct ctx *ctx = source->ctx;
	struct file *file = NULL;

	if (source->ops->detach)
		source->ops->detach(source);
	ctx_torture_point();
	/*
	 * Nobody queues it any more. So if it is armed, nobody has it in his hands, and
	 * no lock is needed: pairs with the release in ctx_fired_ask().
	 */
	*shot = unlikely(smp_load_acquire(&source->state) != CTX_SOURCE_ARMED) &&
		ctx_source_withdraw(source);
	/* Not before: whoever asks takes a reference of his own, of ours. */
	if (source->ops->detach == ctx_poll_detach)
		file = source->poll.file;
	source->ctx = NULL;
	source->state = CTX_SOURCE_OFF;
	if (source->counted) {
		if (*shot)
			ctx_source_cancel(ctx, source->cause, source->ops->name);
		ctx_unhold(ctx);
	}
	return file;
}

/**
 * ctx_source_detach - take a source off its context and off what it watches
 * @source: a source of any kind; NULL and one that is not attached are ignored; only
 *	one task detaches it at a time
 *
 * At any time once the call that attaches it has returned: before it fires, while it
 * does, afterwards, from a callback of its context, and also when the caller has no
 * reference on that any more. So who has a callback detach it adds that afterwards. On
 * return the storage is the caller's again, and the context is done by this source or
 * never will be: if it is just about to be, it is done here, and its callbacks follow
 * from a worker.
 *
 * Ordering: on return nothing of ours touches @source any more. If it has ended its
 * context, as with ctx_source_fire().
 *
 * Context: Any but NMI, but not under the lock of what the source watches; on PREEMPT_RT
 * not in atomic context. Does not sleep, unless its own detach function does (S15, S18).
 * Return: true if the source has not cancelled its context and will not; false if it
 * fired before, or was not attached. For a context's file it is also false if that
 * context and its own were ended by the same.
 */
bool ctx_source_detach(struct ctx_source *source)
{
	struct work_struct *asker;
	struct dma_fence *fence;
	struct file *file;
	bool shot;

	if (!source || !source->ctx)
		return false;
	fence = ctx_source_fence(source);
	asker = ctx_source_asker(source);
	file = ctx_source_detach_file(source, &shot);
	/* Last: the storage may be part of what goes with it. */
	if (file)
		ctx_file_put(file, asker);
	dma_fence_put(fence);
	return !shot;
}
EXPORT_SYMBOL_GPL(ctx_source_detach);

/* Until those that have fired so far have cancelled their contexts. */
void ctx_source_flush(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		flush_work(&per_cpu(ctx_fired, cpu).work);
}

int ctx_source_init(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct ctx_fired *fired = per_cpu_ptr(&ctx_fired, cpu);

		raw_spin_lock_init(&fired->lock);
		ctx_queue_init(&fired->queue);
		INIT_WORK(&fired->work, ctx_fired_work);
	}
	ctx_source_wq = alloc_workqueue("ctx_source", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	return ctx_source_wq ? 0 : -ENOMEM;
}

void ctx_source_exit(void)
{
	destroy_workqueue(ctx_source_wq);
}
