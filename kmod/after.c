// SPDX-License-Identifier: GPL-2.0
/*
 * After-funcs: callbacks that run in process context, on a workqueue.
 *
 * Until it begins to run, an after-func holds a reference on its context, and
 * exactly one of these three is true of it: its callback is registered, its
 * callback has been taken off and is about to queue the work, or the work is
 * queued. Who removes the callback or cancels the work owns it from then on, as
 * does the work itself once it begins. It is not touched after its function was
 * called: it may free itself. What is known of it afterwards, a run keeps.
 *
 * There is no flush of a single work: all have one lockdep class, and an
 * after-func may well stop another.
 */
#include <linux/sched/task_stack.h>
#include <linux/wait_bit.h>

#include "internal.h"

/* An after-func in progress, on its worker's stack. */
struct ctx_after_run {
	struct list_head node;
	struct ctx_after *after;	/* an address only */
	struct task_struct *task;
	struct ctx *ctx;
	bool counted;			/* by ->busy of the context's scope */
};

static LIST_HEAD(ctx_after_runs);
static DEFINE_SPINLOCK(ctx_after_lock);	/* protects the list, each after's queued and begun */
static struct workqueue_struct *ctx_after_wq;

static void ctx_after_begin(struct ctx_after_run *run)
{
	spin_lock_irq(&ctx_after_lock);
	run->after->begun = true;
	list_add(&run->node, &ctx_after_runs);
	spin_unlock_irq(&ctx_after_lock);
}

static void ctx_after_end(struct ctx_after_run *run)
{
	spin_lock_irq(&ctx_after_lock);
	list_del(&run->node);
	spin_unlock_irq(&ctx_after_lock);
}

static void ctx_after_let_go(struct ctx *ctx, bool counted)
{
	if (counted)
		ctx_settle(ctx_scope(ctx));
	ctx_put(ctx);
}

static void ctx_after_work(struct work_struct *work)
{
	struct ctx_after *after = container_of(work, struct ctx_after, work);
	struct ctx_after_run run = {
		.after = after,
		.task = current,
		.ctx = after->ctx,
		.counted = after->counted,
	};

	ctx_after_begin(&run);
	destroy_work_on_stack(work);
	after->fn(after);
	ctx_after_end(&run);
	ctx_torture_point();
	/* The end of the run before the look for sleepers: see wait_var_event(). */
	smp_mb();
	wake_up_var(after);
	ctx_after_let_go(run.ctx, run.counted);
}

/*
 * On the walk that delivers to the scope, which is therefore not settled yet.
 * Under the lock, since queueing does nothing while cancel_work() has its hands
 * on the work: that is called only once ->queued was seen.
 */
static void ctx_after_fire(struct ctx *ctx, struct ctx_callback *cb)
{
	struct ctx_after *after = container_of(cb, struct ctx_after, cb);
	unsigned long flags;

	after->counted = true;
	atomic_inc(&ctx_scope(ctx)->own.busy);
	ctx_torture_point();
	spin_lock_irqsave(&ctx_after_lock, flags);
	after->queued = true;
	queue_work(ctx_after_wq, &after->work);
	spin_unlock_irqrestore(&ctx_after_lock, flags);
}

/**
 * ctx_after_func - have a function called, in process context, after a context
 * @ctx: the context; the caller holds a reference; the after-func takes its own
 *	until it has run or was stopped
 * @after: storage, of the caller, until @fn was called or it was stopped
 * @fn: called once on a workqueue, when @ctx is done; at once if it is done
 *	already; never if it never is; may sleep, and may free @after
 *
 * Ordering: what was written before the cancellation, or before this call, is visible
 * to @fn (S13, S16).
 *
 * Context: Any but NMI, under spinlocks and with interrupts off too (S18).
 */
void ctx_after_func(struct ctx *ctx, struct ctx_after *after, void (*fn)(struct ctx_after *after))
{
	int err;

	after->ctx = ctx_get(ctx);
	after->fn = fn;
	after->counted = false;
	after->queued = false;
	after->begun = false;
	after->stopped = false;
	/* Users may well put it on their stack; the macro would have to know. */
	__INIT_WORK(&after->work, ctx_after_work, object_is_on_stack(after));
	err = ctx_callback_add(ctx, &after->cb, ctx_after_fire);
	if (err == -ENOENT) {
		after->queued = true;
		queue_work(ctx_after_wq, &after->work);
	} else if (WARN_ON_ONCE(err)) {
		after->stopped = true;
	}
}
EXPORT_SYMBOL_GPL(ctx_after_func);

/* A reference on the context of an after-func that has not begun; else NULL. */
static struct ctx *ctx_after_pin(struct ctx_after *after)
{
	struct ctx *ctx = NULL;
	unsigned long flags;

	spin_lock_irqsave(&ctx_after_lock, flags);
	if (!after->begun && !after->stopped)
		ctx = ctx_get(after->ctx);
	spin_unlock_irqrestore(&ctx_after_lock, flags);
	return ctx;
}

/* Takes the work off its queue, if it has got there. */
static bool ctx_after_unqueue(struct ctx_after *after)
{
	unsigned long flags;
	bool queued;

	spin_lock_irqsave(&ctx_after_lock, flags);
	queued = after->queued;
	spin_unlock_irqrestore(&ctx_after_lock, flags);
	return queued && cancel_work(&after->work);
}

/**
 * ctx_after_stop - keep an after-func from running
 * @after: what was given to ctx_after_func(); only one task stops it at a time
 *
 * Does not wait: if it returns false the function may be running (S13).
 *
 * Ordering: none with what the function wrote, if it has run.
 *
 * Context: Process or softirq, under spinlocks too (S18).
 * Return: true if it will not run, also if it was stopped before; false if it
 * has begun or is about to.
 */
bool ctx_after_stop(struct ctx_after *after)
{
	struct ctx *ctx = ctx_after_pin(after);

	if (!ctx)
		return after->stopped;
	if (ctx_callback_remove(ctx, &after->cb) || ctx_after_unqueue(after)) {
		after->stopped = true;
		destroy_work_on_stack(&after->work);
		ctx_after_let_go(ctx, after->counted);
	}
	ctx_put(ctx);
	return after->stopped;
}
EXPORT_SYMBOL_GPL(ctx_after_stop);

/* Begun, and not running but for the caller's own sake. */
static bool ctx_after_is_over(struct ctx_after *after)
{
	struct ctx_after_run *run;
	bool over;

	spin_lock_irq(&ctx_after_lock);
	over = after->begun;
	list_for_each_entry(run, &ctx_after_runs, node)
		if (run->after == after && run->task != current)
			over = false;
	spin_unlock_irq(&ctx_after_lock);
	return over;
}

/**
 * ctx_after_stop_sync - keep an after-func from running, or wait until it has
 * @after: what was given to ctx_after_func(); only one task stops it at a time
 *
 * Called from the after-func itself it does not wait (S13).
 *
 * Ordering: on false, what the function wrote is visible, unless that is inside it. On
 * return @after is not touched any more.
 *
 * Context: Process; sleeps (S18).
 * Return: true if it will not run; false if it has run.
 */
bool ctx_after_stop_sync(struct ctx_after *after)
{
	might_sleep();
	if (ctx_after_stop(after))
		return true;
	wait_var_event(after, ctx_after_is_over(after));
	return false;
}
EXPORT_SYMBOL_GPL(ctx_after_stop_sync);

/* Ways up by links that are remembered, to be tried when the one by homes fails. */
#define CTX_WAYS	8

struct ctx_ways {
	struct ctx *up[CTX_WAYS];	/* with a reference */
	int n;
	bool lost;			/* there were more, or one was just being removed */
};

static void ctx_way_add(struct ctx_ways *ways, struct ctx *up)
{
	if (up && ways->n < CTX_WAYS)
		ways->up[ways->n++] = ctx_hold(up);
	else
		ways->lost = true;
}

/* Who waits for @scope by a link, or will, should it end by that. */
static void ctx_find_ways(struct ctx_ways *ways, struct ctx_scope *scope)
{
	const struct hlist_bl_node *node;
	const struct ctx_link *link;
	unsigned long flags;

	raw_spin_lock_irqsave(&scope->own.lock, flags);
	if (!scope->state.origin) {
		ctx_links_lock(scope);
		hlist_bl_for_each_entry(link, node, &scope->links, node) {
			/* However many there are: no more is to be found out. */
			if (ways->lost)
				break;
			ctx_way_add(ways, READ_ONCE(link->other));
		}
		ctx_links_unlock(scope);
	} else if (scope->node.taken & CTX_TAKEN_LINK) {
		ctx_way_add(ways, scope->followed);
	}
	raw_spin_unlock_irqrestore(&scope->own.lock, flags);
}

/*
 * Whether @above waits for @scope: by way of homes, and of links on the way. Where
 * that is not to be found out, it is said to.
 */
static bool ctx_is_below(struct ctx_scope *scope, const struct ctx_scope *above)
{
	struct ctx_ways ways = { .n = 0 };
	struct ctx *held = ctx_hold(&scope->node);
	bool below;

	for (;;) {
		while (scope != above && !ctx_is_root(&scope->node)) {
			if (unlikely(scope->state.extra))
				ctx_find_ways(&ways, scope);
			scope = ctx_home(scope);
		}
		ctx_put(held);
		below = scope == above || ways.lost;
		if (below || !ways.n)
			break;
		held = ways.up[--ways.n];
		scope = ctx_scope(held);
	}
	while (ways.n)
		ctx_put(ways.up[--ways.n]);
	return below;
}

/* The current task's own run, which is further up its stack; or NULL. */
static struct ctx_after_run *ctx_after_own_run(void)
{
	struct ctx_after_run *run, *own = NULL;

	spin_lock_irq(&ctx_after_lock);
	list_for_each_entry(run, &ctx_after_runs, node)
		if (run->task == current)
			own = run;
	spin_unlock_irq(&ctx_after_lock);
	return own;
}

/*
 * If the caller is an after-func that @scope would wait for, lets @scope not
 * wait for it, and returns true. Only its own task uses ->counted.
 */
bool ctx_after_excuse(struct ctx_scope *scope)
{
	struct ctx_after_run *run = ctx_after_own_run();

	if (!run || !run->counted || !ctx_is_below(ctx_scope(run->ctx), scope))
		return false;
	run->counted = false;
	ctx_settle(ctx_scope(run->ctx));
	return true;
}

/* Until every after-func that was queued so far has run. */
void ctx_after_flush(void)
{
	flush_workqueue(ctx_after_wq);
}

int ctx_after_init(void)
{
	ctx_after_wq = alloc_workqueue("ctx_after", WQ_UNBOUND | WQ_MEM_RECLAIM,
				       WQ_MAX_ACTIVE);
	return ctx_after_wq ? 0 : -ENOMEM;
}

void ctx_after_exit(void)
{
	destroy_workqueue(ctx_after_wq);
}
