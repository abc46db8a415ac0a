// SPDX-License-Identifier: GPL-2.0
/*
 * Cancelling: claim, walk, settle.
 *
 * Claim. state.origin goes from NULL to the state of whoever's cancellation got
 * there first: the scope's own, with its record filled in, or its home's. Either
 * happens under the lock of the home's list, and takes the scope off that list.
 * So what stands on a list is live, or its home is done and about to claim it. A
 * home is always claimed before its children are looked at, so a descendant is
 * never seen done because of an ancestor that is not (S5).
 *
 * Walk. Whoever claims a scope delivers to it: disarms its timer, completes its
 * completion, runs its callbacks, and claims its children. A child with nothing
 * of its own is finished on the spot, any other joins the walk's queue, with a
 * reference. So the stack does not grow with the tree, and locks are held for a
 * batch at a time (S19). A child that cancelled itself first has left the list:
 * it is left to its canceller, and its home waits for it to settle.
 *
 * Follow. A scope that is linked to others ends with any of them (see link.c): it
 * is claimed in the walk over the other, and joins that walk's queue. The two locks
 * are those of a scope that cancels itself; the origin is the other's.
 *
 * Settle. A scope counts in own.busy its own delivery, the unfinished children
 * that were taken off its list, and the after-funcs that it queued. When that
 * falls to 0 the scope is settled, and its home, if it waits (->taken, constant
 * from the claim on), counts it off in turn, and so does the other whose end it
 * followed. ctx_cancel_sync() waits for that, whoever does the work.
 *
 * Modelled, as what other files do without a lock in common, in selftests/models: who
 * changes a step here changes it there.
 */
#include <linux/pid_namespace.h>
#include <linux/sched/signal.h>
#include <linux/string.h>
#include <linux/wait_bit.h>
#include <linux/xarray.h>

#include "internal.h"

/* What walks left for a worker, by the CPU they left it on. */
struct ctx_deferred {
	raw_spinlock_t lock;	/* protects work */
	struct ctx_queue work;
	struct work_struct go;
};

static DEFINE_PER_CPU(struct ctx_deferred, ctx_deferred);

/* When the budget of a CPU's timer interrupts is whole again: see ctx_budget_left(). */
static DEFINE_PER_CPU(ktime_t, ctx_budget_whole);
static struct workqueue_struct *ctx_cancel_wq;

/* Who it was, as @ns numbers him; 0 where it does not, and for nobody. */
pid_t ctx_pid_nr(const void *pid, struct pid_namespace *ns)
{
	if (!xa_is_value(pid))
		return pid_nr_ns((struct pid *)pid, ns);
	return ns->level ? 0 : xa_to_value(pid);
}

static void ctx_record_name(struct ctx_scope *scope, const char *name)
{
	strscpy_pad(scope->comm, name, sizeof(scope->comm));
}

/*
 * Under own.lock, before @scope is published as its own origin. Inlined where most
 * cancellations go, in ctx_claim_self(): 19 instructions less.
 */
static __always_inline void ctx_record(struct ctx_scope *scope, const struct ctx_by *by,
				       ktime_t now)
{
	scope->state.err = by->err;
	if (by->cause)
		scope->state.cause = by->cause;
	scope->time = now;
	if (by->err == -ETIMEDOUT)
		ctx_count(expired);
	else
		ctx_count(cancelled);
	if (unlikely(by->who)) {
		ctx_record_name(scope, by->who);
	} else if (likely(in_task())) {
		scope->pid = ctx_pid_take(current);
		/* Ends with a NUL at every moment, also while it is changed. */
		memcpy(scope->comm, current->comm, sizeof(scope->comm));
	} else {
		ctx_record_name(scope, "irq");
	}
}

/* Makes a scope that nobody knows yet done by itself. */
void ctx_born_ended(struct ctx_scope *scope, const struct ctx_by *by)
{
	ctx_record(scope, by, ktime_get());
	atomic_set(&scope->own.busy, 0);
	ctx_publish(scope, &scope->state);
}

/*
 * Nothing to deliver but the state itself, and no child that somebody else is
 * still at. Under own.lock, which is where all of that is added.
 */
static bool ctx_is_bare(const struct ctx_scope *scope)
{
	return !(scope->node.flags & ~CTX_CLASHES) && ctx_queue_empty(&scope->callbacks) &&
	       hlist_empty(&scope->own.children) && atomic_read(&scope->own.busy) == 1;
}

/* Leaves claimed scopes, with a reference each, to this CPU's worker. */
static void ctx_hand_over(struct ctx_queue *work)
{
	struct ctx_deferred *deferred = raw_cpu_ptr(&ctx_deferred);
	unsigned long flags;

	raw_spin_lock_irqsave(&deferred->lock, flags);
	ctx_queue_splice(&deferred->work, work);
	raw_spin_unlock_irqrestore(&deferred->lock, flags);
	ctx_torture_point();
	queue_work(ctx_cancel_wq, &deferred->go);
}

/* A single one, on no list any more, with a reference. */
static noinline void ctx_hand_over_one(struct ctx_scope *scope)
{
	struct ctx_queue work;

	ctx_queue_init(&work);
	ctx_queue_add(&work, &scope->sibling);
	ctx_hand_over(&work);
}

static void ctx_leave_to_worker(struct ctx_scope *scope)
{
	ctx_hold(&scope->node);
	ctx_hand_over_one(scope);
}

/*
 * Has a worker go on from a scope that just settled: he finds nothing to deliver but
 * that.
 */
static void ctx_settle_later(struct ctx_scope *scope)
{
	atomic_set(&scope->own.busy, 1);
	ctx_leave_to_worker(scope);
}

/*
 * Counts @n off @scope's outstanding business; at 0 it is settled. Returns who
 * waits for that: its ->taken. The caller holds a reference on @scope or on something
 * below it, which keeps all of them.
 *
 * The decrement is fully ordered: with the flag that ctx_wait_settled() sets
 * before it looks at busy, one of the two sees the other.
 */
static __always_inline u8 ctx_count_off(struct ctx_scope *scope, int n)
{
	if (!atomic_sub_and_test(n, &scope->own.busy))
		return 0;
	ctx_torture_point();
	if (unlikely(READ_ONCE(scope->node.flags) & CTX_SYNC_WAITER))
		wake_up_var(&scope->own.busy);
	return scope->node.taken;
}

/*
 * Counts a settled scope off with the other whose end it followed, and with its home.
 * Returns the one to go on from, or NULL. If that is both, a worker goes on from the
 * other.
 */
static noinline struct ctx_scope *ctx_settle_linked(struct ctx_scope *scope)
{
	struct ctx_scope *other = container_of(ctx_followed(scope), struct ctx_scope, node);
	struct ctx_scope *home = ctx_home(scope);
	bool above, aside;

	aside = ctx_count_off(other, 1);
	above = scope->node.taken & CTX_TAKEN && ctx_count_off(home, 1);
	if (above && aside)
		ctx_settle_later(other);
	if (above)
		return home;
	return aside ? other : NULL;
}

/*
 * Counts a settled scope off with who waits for it, as @taken says, and so on. An
 * interrupt goes up a bounded number of levels only (S19).
 */
static noinline void ctx_settle_above(struct ctx_scope *scope, u8 taken)
{
	int level = 0;

again:
	while (likely(taken == CTX_TAKEN)) {
		if (++level >= CTX_BATCH && in_interrupt()) {
			ctx_settle_later(scope);
			return;
		}
		scope = ctx_home(scope);
		taken = ctx_count_off(scope, 1);
	}
	if (!taken)
		return;
	if (++level >= CTX_BATCH && in_interrupt()) {
		ctx_settle_later(scope);
		return;
	}
	scope = ctx_settle_linked(scope);
	if (scope) {
		taken = scope->node.taken;
		goto again;
	}
}

/* Inlined as far as the home, where mostly it ends. */
static __always_inline void ctx_settle_by(struct ctx_scope *scope, int n)
{
	u8 taken = ctx_count_off(scope, n);

	if (likely(taken == CTX_TAKEN)) {
		struct ctx_scope *home = ctx_home(scope);

		taken = ctx_count_off(home, 1);
		if (unlikely(taken))
			ctx_settle_above(home, taken);
	} else if (unlikely(taken)) {
		ctx_settle_above(scope, taken);
	}
}

void ctx_settle(struct ctx_scope *scope)
{
	ctx_settle_by(scope, 1);
}

/*
 * The turn of own.lock after the claim: whoever adds to a scope looks at the origin
 * under that lock, so what is there now is all, but for what is removed yet. One
 * that has nothing is finished on the spot. Any other gets a reference, and its
 * first callback reserved. Returns false if it is not to be walked.
 */
static __always_inline bool ctx_close(struct ctx_scope *child)
{
	bool walked = false;

	raw_spin_lock_nested(&child->own.lock, SINGLE_DEPTH_NESTING);
	if (ctx_is_bare(child) && !ctx_is_timed(child)) {
		atomic_set(&child->own.busy, 0);
	} else if (refcount_inc_not_zero(&child->node.ref)) {
		ctx_callback_reserve(child);
		walked = true;
	}
	raw_spin_unlock(&child->own.lock);
	return walked;
}

/*
 * Takes @scope off its home's list, whose lock is held, and makes the home wait,
 * if it can be done at all. Its busy is not 0 yet: it is live, or it is walked.
 */
static void ctx_leave_unsettled(struct ctx_scope *home, struct ctx_scope *scope)
{
	if (!ctx_is_root(&home->node)) {
		scope->node.taken |= CTX_TAKEN;
		atomic_inc(&home->own.busy);
	}
	ctx_unlist(scope);
}

/*
 * Under the lock of @home's list on which @child stands, which is all that keeps
 * @child: its last put cannot finish before it has left the list. One whose last
 * reference is gone is nobody's business any more.
 */
static __always_inline void ctx_take_child(struct ctx_walk *walk, struct ctx_scope *home,
					   struct ctx_scope *child)
{
	ctx_publish(child, home->state.origin);
	if (ctx_close(child)) {
		child->node.taken = CTX_TAKEN;
		walk->taken++;
		ctx_unlist(child);
		ctx_queue_add(&walk->work, &child->sibling);
	} else {
		ctx_unlist(child);
	}
}

/* Under @nest's lock. Returns whether there are more. */
static __always_inline bool ctx_take_batch(struct ctx_walk *walk, struct ctx_scope *home,
					   struct ctx_nest *nest)
{
	const int most = walk->batch;
	int n;

	for (n = 0; n < most && !hlist_empty(&nest->children); n++)
		ctx_take_child(walk, home, hlist_entry(nest->children.first,
						       struct ctx_scope, sibling));
	walk->budget -= n * CTX_COST_CHILD;
	return !hlist_empty(&nest->children);
}

/*
 * Returns false when the budget is spent first. Inlined where the walk goes on from one
 * scope to the next, and yields between them: in a chain that is 23 instructions of a
 * scope's 214.
 */
static __always_inline bool ctx_take_children(struct ctx_walk *walk, struct ctx_scope *home,
					      struct ctx_nest *nest)
{
	unsigned long flags;
	ktime_t since;
	bool more;

	while (walk->budget > 0) {
		raw_spin_lock_irqsave(&nest->lock, flags);
		since = ctx_irqsoff_begin();
		more = ctx_take_batch(walk, home, nest);
		ctx_irqsoff_end(since, !irqs_disabled_flags(flags));
		raw_spin_unlock_irqrestore(&nest->lock, flags);
		if (!more)
			return true;
		ctx_walk_yield(walk);
	}
	return false;
}

static noinline bool ctx_take_all(struct ctx_walk *walk, struct ctx_scope *home)
{
	struct ctx_nest *nest;
	unsigned int pos;

	for (pos = 0; (nest = ctx_nest_at(home, pos)); pos++)
		if (!ctx_take_children(walk, home, nest))
			return false;
	return true;
}

enum ctx_claim {
	CTX_CLAIM_LOST,		/* done already */
	CTX_CLAIM_BARE,		/* done by this, and settled */
	CTX_CLAIM_WON,		/* done by this, and to be delivered */
};

/*
 * Under both locks, @scope being done by now: takes it off its home's list. Most
 * have nothing else, and this is all there is to their cancellation.
 */
static __always_inline enum ctx_claim ctx_claim_end(struct ctx_scope *scope)
{
	if (likely(ctx_is_bare(scope))) {
		atomic_set(&scope->own.busy, 0);
		/* Unlisted already: its timer went off before it was listed. */
		if (likely(!hlist_unhashed(&scope->sibling)))
			ctx_unlist(scope);
		return CTX_CLAIM_BARE;
	}
	ctx_callback_reserve(scope);
	if (!hlist_unhashed(&scope->sibling))
		ctx_leave_unsettled(ctx_home(scope), scope);
	return CTX_CLAIM_WON;
}

/*
 * Makes @scope done as @other is, with its origin, which the reference on @other
 * keeps. With interrupts off; the caller holds references on both. @taken says
 * whether @other waits for it: then it is @other's walk that goes on with it.
 */
static enum ctx_claim ctx_claim_like(struct ctx_scope *scope, struct ctx_scope *other, u8 taken)
{
	enum ctx_claim claim = CTX_CLAIM_LOST;
	struct ctx_nest *nest = ctx_home_nest(scope);

	raw_spin_lock(&nest->lock);
	if (READ_ONCE(scope->state.origin))
		goto unlock;
	raw_spin_lock_nested(&scope->own.lock, SINGLE_DEPTH_NESTING);
	scope->followed = ctx_hold(&other->node);
	scope->state.extra = true;
	ctx_publish(scope, other->state.origin);
	claim = ctx_claim_end(scope);
	if (claim == CTX_CLAIM_WON)
		scope->node.taken |= taken;
	raw_spin_unlock(&scope->own.lock);
unlock:
	raw_spin_unlock(&nest->lock);
	return claim;
}

/*
 * The first of @other's callbacks, if it is a link: takes it off, and gives what it
 * links with a reference, unless that is being released. From here on the link is
 * not touched.
 */
static struct ctx_scope *ctx_take_link(struct ctx_scope *other)
{
	struct ctx *ctx = NULL;
	struct hlist_node *first;

	raw_spin_lock(&other->own.lock);
	first = other->callbacks.first;
	if (first && ctx_is_link(first)) {
		ctx_callback_cut(other, first);
		first->pprev = NULL;
		ctx = hlist_entry(first, struct ctx_callback, node)->ctx;
		if (!refcount_inc_not_zero(&ctx->ref))
			ctx = NULL;
	}
	raw_spin_unlock(&other->own.lock);
	return ctx ? container_of(ctx, struct ctx_scope, node) : NULL;
}

/*
 * What is claimed for @other's sake, with a reference. What hangs on a process's context
 * can be much, and is for nobody else to pay: unless the two are one user's it is a
 * worker's. It may settle there at any moment, so it is counted before.
 */
static void ctx_follow_claimed(struct ctx_walk *walk, struct ctx_scope *other,
			       struct ctx_scope *scope)
{
	if (likely(!ctx_user_is_foreign(&scope->node, &other->node))) {
		walk->taken++;
		ctx_queue_add(&walk->work, &scope->sibling);
	} else {
		atomic_inc(&other->own.busy);
		ctx_hand_over_one(scope);
	}
}

/*
 * Ends what the first of @other's callbacks links to it. With interrupts off from
 * where the link is taken off until the claim: ctx_unlink() waits for that, anywhere.
 */
static noinline void ctx_follow(struct ctx_walk *walk, struct ctx_scope *other)
{
	enum ctx_claim claim = CTX_CLAIM_LOST;
	struct ctx_scope *scope;
	unsigned long flags;

	local_irq_save(flags);
	scope = ctx_take_link(other);
	ctx_torture_point();
	if (scope)
		claim = ctx_claim_like(scope, other, CTX_TAKEN_LINK);
	local_irq_restore(flags);
	walk->budget -= CTX_COST_SCOPE;
	if (claim == CTX_CLAIM_WON) {
		ctx_follow_claimed(walk, other, scope);
	} else if (scope) {
		if (claim == CTX_CLAIM_BARE && ctx_is_timed(scope))
			ctx_deadline_disarm(ctx_deadline_of(scope));
		ctx_unhold(&scope->node);
	}
	ctx_walk_yield(walk);
}

static bool ctx_walk_callbacks(struct ctx_walk *walk, struct ctx_scope *scope)
{
	enum ctx_ran ran;

	while ((ran = ctx_callbacks_run(walk, scope)) == CTX_RAN_TO_LINK)
		ctx_follow(walk, scope);
	return ran == CTX_RAN_ALL;
}

/*
 * The completion and callbacks before the children. Each step picks up where it was
 * left, so that a worker can go on with it. Without own.lock: see ctx_close().
 */
static __always_inline bool ctx_walk_scope(struct ctx_walk *walk, struct ctx_scope *scope)
{
	walk->budget -= CTX_COST_SCOPE;
	/* Whoever cancelled it itself has done that: see __ctx_cancel_scope(). */
	if (ctx_is_timed(scope) && scope->state.origin != &scope->state)
		ctx_deadline_disarm(ctx_deadline_of(scope));
	if (unlikely(READ_ONCE(scope->node.flags) & CTX_DONE_USED) && !ctx_complete(walk, scope))
		return false;
	if ((READ_ONCE(scope->running) & CTX_RESERVED || !ctx_queue_empty(&scope->callbacks)) &&
	    !ctx_walk_callbacks(walk, scope))
		return false;
	if (unlikely(scope->spread))
		return ctx_take_all(walk, scope);
	return hlist_empty(&scope->own.children) || ctx_take_children(walk, scope, &scope->own);
}

/*
 * The children that were taken are counted when their home was delivered, with
 * its own delivery counted off: mostly that is nothing at all. They come behind
 * it in the queue, so none of them settles before.
 */
static void ctx_walk(struct ctx_walk *walk)
{
	while (!ctx_queue_empty(&walk->work)) {
		struct ctx_scope *scope = hlist_entry(walk->work.first, struct ctx_scope, sibling);

		walk->taken = 0;
		if (!ctx_walk_scope(walk, scope)) {
			atomic_add(walk->taken, &scope->own.busy);
			break;
		}
		ctx_torture_point();
		ctx_queue_del(&walk->work, &scope->sibling);
		INIT_HLIST_NODE(&scope->sibling);
		if (walk->taken != 1)
			ctx_settle_by(scope, 1 - walk->taken);
		ctx_unhold(&scope->node);
		ctx_walk_yield(walk);
	}
	ctx_run_end(walk);
	if (!ctx_queue_empty(&walk->work))
		ctx_hand_over(&walk->work);
}

static void ctx_walk_init(struct ctx_walk *walk, long budget, bool yields)
{
	ctx_queue_init(&walk->work);
	walk->budget = budget;
	walk->batch = budget > CTX_TIMER_BUDGET ? CTX_BATCH : CTX_TIMER_BATCH;
	walk->yields = yields;
	walk->runs = false;
	walk->run.task = current;
}

static void ctx_walk_deferred(struct work_struct *work)
{
	struct ctx_deferred *deferred = container_of(work, struct ctx_deferred, go);
	struct ctx_walk walk;

	ctx_walk_init(&walk, LONG_MAX, true);
	raw_spin_lock_irq(&deferred->lock);
	ctx_queue_splice(&walk.work, &deferred->work);
	raw_spin_unlock_irq(&deferred->lock);
	ctx_walk(&walk);
}

/* Makes @scope done and takes it off its home's list, in one turn of both locks. */
static __always_inline enum ctx_claim ctx_claim_self(struct ctx_scope *scope,
						     const struct ctx_by *by)
{
	enum ctx_claim claim = CTX_CLAIM_LOST;
	struct ctx_nest *nest = ctx_home_nest(scope);
	ktime_t now = ktime_get();
	unsigned long flags;

	ctx_torture_point();
	raw_spin_lock_irqsave(&nest->lock, flags);
	if (unlikely(READ_ONCE(scope->state.origin)))
		goto unlock;
	raw_spin_lock_nested(&scope->own.lock, SINGLE_DEPTH_NESTING);
	ctx_record(scope, by, now);
	ctx_publish(scope, &scope->state);
	claim = ctx_claim_end(scope);
	raw_spin_unlock(&scope->own.lock);
unlock:
	raw_spin_unlock_irqrestore(&nest->lock, flags);
	return claim;
}

/*
 * Any number of deadlines may fall into one interrupt, where a budget for each would
 * bound nothing. So what they spend grows back with the time that goes by, a unit in
 * a microsecond: in a storm of them a CPU delivers for a few per cent of its time with
 * interrupts off, and a worker does the rest. Those that come one at a time find the
 * budget whole.
 */
static long ctx_budget_left(ktime_t now)
{
	s64 spent = ktime_sub(__this_cpu_read(ctx_budget_whole), now) >> CTX_REGROWTH_SHIFT;

	return CTX_TIMER_BUDGET - clamp_t(s64, spent, 0, CTX_TIMER_BUDGET);
}

static void ctx_budget_spend(ktime_t now, long units)
{
	ktime_t since = max(__this_cpu_read(ctx_budget_whole), now);

	__this_cpu_write(ctx_budget_whole, since + ((s64)units << CTX_REGROWTH_SHIFT));
}

/* What @mode has of it for @scope, which it has just claimed. */
static long ctx_budget_of(const struct ctx_scope *scope, enum ctx_cancel_mode mode)
{
	if (mode != CTX_CANCEL_BUDGET)
		return LONG_MAX;
	return in_hardirq() ? ctx_budget_left(scope->time) : CTX_TIMER_BUDGET;
}

/* Apart, for the sake of the frame that a walk needs. */
static noinline void ctx_deliver_here(struct ctx_scope *scope, enum ctx_cancel_mode mode,
				      long budget)
{
	struct ctx_walk walk;

	ctx_walk_init(&walk, budget, mode == CTX_CANCEL_YIELDING);
	ctx_hold(&scope->node);
	ctx_queue_add(&walk.work, &scope->sibling);
	ctx_walk(&walk);
	if (mode == CTX_CANCEL_BUDGET && in_hardirq())
		ctx_budget_spend(scope->time, budget - walk.budget);
}

static __always_inline void ctx_deliver(struct ctx_scope *scope, enum ctx_cancel_mode mode)
{
	const long budget = ctx_budget_of(scope, mode);

	/* Nothing is begun for which there is no more than a beginning left. */
	if (mode == CTX_CANCEL_LATER || ctx_must_defer() ||
	    budget < CTX_COST_SCOPE + CTX_COST_CALLBACK)
		ctx_leave_to_worker(scope);
	else
		ctx_deliver_here(scope, mode, budget);
}

/*
 * Cancels @scope and what is below it, how far here and now being a matter of
 * @mode. The caller holds a reference. If something else has ended it, that
 * was seen (S3).
 */
static __always_inline void __ctx_cancel_scope(struct ctx_scope *scope, const struct ctx_by *by,
					       enum ctx_cancel_mode mode)
{
	enum ctx_claim claim;

	if (ctx_is_done(&scope->node))
		return;
	claim = ctx_claim_self(scope, by);
	if (claim == CTX_CLAIM_LOST)
		return;
	/* Its own timer's function need not be told that it is running. */
	if (ctx_is_timed(scope) && mode != CTX_CANCEL_BUDGET)
		ctx_deadline_disarm(ctx_deadline_of(scope));
	if (claim == CTX_CLAIM_WON)
		ctx_deliver(scope, mode);
}

void ctx_cancel_scope(struct ctx_scope *scope, const struct ctx_by *by,
		      enum ctx_cancel_mode mode)
{
	__ctx_cancel_scope(scope, by, mode);
}

/*
 * Ends @scope as @other was ended. The caller holds references on both. Nobody waits
 * for it as for a part of @other, which may have come to rest long ago.
 */
void ctx_cancel_like(struct ctx_scope *scope, struct ctx_scope *other)
{
	enum ctx_claim claim;
	unsigned long flags;

	local_irq_save(flags);
	claim = ctx_claim_like(scope, other, 0);
	local_irq_restore(flags);
	if (claim == CTX_CLAIM_WON)
		ctx_deliver(scope, CTX_CANCEL_HERE);
	else if (claim == CTX_CLAIM_BARE && ctx_is_timed(scope))
		ctx_deadline_disarm(ctx_deadline_of(scope));
}

static struct ctx_scope *ctx_cancelable(struct ctx *ctx)
{
	if (IS_ERR_OR_NULL(ctx) || !ctx_is_scope(ctx))
		return NULL;
	return container_of(ctx, struct ctx_scope, node);
}

static const struct ctx_by ctx_by_caller = {
	.err = -ECANCELED,
	.cause = -ECANCELED,
};

/**
 * ctx_cancel - cancel a context and everything below it
 * @ctx: the context; the caller holds a reference; NULL, ERR_PTR, roots, value
 *	and without-cancel contexts are ignored
 *
 * The first cancellation wins, later ones change nothing (S3). When this returns
 * ctx_err(@ctx) is not 0, for every caller. To the caller who won, every
 * descendant that existed is done too, but for branches that someone else is
 * cancelling at that moment: those are left to him (S5). Waiters are woken and
 * callbacks run here, without any lock held. It never yields, and keeps
 * interrupts off for a bounded number of steps only (S19).
 *
 * Ordering: what the one who won wrote before is visible to whoever sees @ctx, or what
 * was cancelled with it, done, is woken from a wait on it, or runs as a callback or
 * after-func of it (S16), and on return to every caller. A call that does not win
 * publishes nothing.
 *
 * Context: Any but NMI, under spinlocks and with interrupts off too. On
 * PREEMPT_RT, in atomic context, only @ctx itself is done on return (S18).
 */
void ctx_cancel(struct ctx *ctx)
{
	struct ctx_scope *scope = ctx_cancelable(ctx);

	/* What everybody calls: inlined, 20 instructions less. */
	if (scope)
		__ctx_cancel_scope(scope, &ctx_by_caller, CTX_CANCEL_HERE);
}
EXPORT_SYMBOL_GPL(ctx_cancel);

/**
 * ctx_cancel_cause - cancel a context and say why
 * @ctx: the context; as with ctx_cancel()
 * @cause: what ctx_cause() will say: an errno, -MAX_ERRNO to -1
 *
 * As ctx_cancel() otherwise (S3, S10).
 *
 * Ordering: as with ctx_cancel().
 *
 * Context: As ctx_cancel().
 * Return: 0, also if it was done already, for roots, NULL and ERR_PTR; -EINVAL
 * for another @cause, and for a value or without-cancel context, which have
 * nothing of their own to cancel.
 */
int ctx_cancel_cause(struct ctx *ctx, int cause)
{
	const struct ctx_by by = { .err = -ECANCELED, .cause = cause };
	struct ctx_scope *scope = ctx_cancelable(ctx);

	if (!ctx_cause_valid(cause))
		return -EINVAL;
	if (!scope)
		return IS_ERR_OR_NULL(ctx) || ctx_is_root(ctx) ? 0 : -EINVAL;
	ctx_cancel_scope(scope, &by, CTX_CANCEL_HERE);
	return 0;
}
EXPORT_SYMBOL_GPL(ctx_cancel_cause);

/**
 * ctx_cancel_async - cancel a context, and leave what is below it to a worker
 * @ctx: the context; as with ctx_cancel()
 *
 * @ctx itself is done on return. Its waiters, callbacks and descendants follow
 * from a workqueue (S5).
 *
 * Ordering: as with ctx_cancel().
 *
 * Context: As ctx_cancel(), in a bounded time whatever the size of the tree.
 */
void ctx_cancel_async(struct ctx *ctx)
{
	struct ctx_scope *scope = ctx_cancelable(ctx);

	if (scope)
		ctx_cancel_scope(scope, &ctx_by_caller, CTX_CANCEL_LATER);
}
EXPORT_SYMBOL_GPL(ctx_cancel_async);

/* Sets the flag, then looks: see ctx_settle(). */
static void ctx_wait_settled(struct ctx_scope *scope)
{
	raw_spin_lock_irq(&scope->own.lock);
	scope->node.flags |= CTX_SYNC_WAITER;
	raw_spin_unlock_irq(&scope->own.lock);
	wait_var_event(&scope->own.busy, !atomic_read_acquire(&scope->own.busy));
}

/**
 * ctx_cancel_sync - cancel a context and wait until all of it has come to rest
 * @ctx: the context; as with ctx_cancel()
 *
 * When this returns, to anyone, whoever won, everything below @ctx is done
 * without exception, and no callback or after-func of it that the cancellation
 * started is still running (S5). It gives up the CPU between batches.
 *
 * Called from a callback it does not wait at all, and called from an after-func
 * of that subtree not for that one; either is reported once.
 *
 * Ordering: as with ctx_cancel(); and what those callbacks and after-funcs wrote is
 * visible on return.
 *
 * Context: Process; sleeps (S18).
 */
void ctx_cancel_sync(struct ctx *ctx)
{
	struct ctx_scope *scope = ctx_cancelable(ctx);

	if (!scope)
		return;
	if (ctx_in_callback(NULL)) {
		pr_warn_once("%s() called from a callback: it does not wait there\n", __func__);
		ctx_cancel_scope(scope, &ctx_by_caller, CTX_CANCEL_HERE);
		return;
	}
	might_sleep();
	ctx_cancel_scope(scope, &ctx_by_caller, CTX_CANCEL_YIELDING);
	if (ctx_after_excuse(scope))
		pr_warn_once("%s() called from an after-func of that subtree: it does not wait for that one\n",
			     __func__);
	ctx_wait_settled(scope);
}
EXPORT_SYMBOL_GPL(ctx_cancel_sync);

/**
 * ctx_cause - say why a context is done
 * @ctx: the context; the caller holds a reference
 *
 * Ordering: as with ctx_err(), if it says that @ctx is done.
 *
 * Context: Any but NMI (S18).
 * Return: 0 while it is live; then the cause that was given to the cancellation
 * that reached it, else the error (S10).
 */
int ctx_cause(const struct ctx *ctx)
{
	const struct ctx_signal *origin = ctx_origin_state(ctx);

	return origin ? origin->cause : 0;
}
EXPORT_SYMBOL_GPL(ctx_cause);

/**
 * ctx_origin - say which context was cancelled, when, why and by whom
 * @ctx: the context; the caller holds a reference, which also keeps the
 *	context that is reported
 * @origin: where to put it; untouched on error
 *
 * Ordering: as with ctx_err(), if it says that @ctx is done.
 *
 * Context: Any but NMI (S18).
 * Return: 0, or -EAGAIN while it is not done (S11).
 */
int ctx_origin(const struct ctx *ctx, struct ctx_origin *origin)
{
	const struct ctx_signal *state = ctx_origin_state(ctx);
	struct ctx_scope *scope;

	if (!state)
		return -EAGAIN;
	scope = ctx_scope_of_state(state);
	origin->ctx = &scope->node;
	origin->time = scope->time;
	origin->err = state->err;
	origin->cause = state->cause;
	origin->pid = ctx_pid_nr(scope->pid, &init_pid_ns);
	memcpy(origin->comm, scope->comm, sizeof(origin->comm));
	return 0;
}
EXPORT_SYMBOL_GPL(ctx_origin);

/* Until what walks have left for a worker so far is done. */
void ctx_cancel_flush(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		flush_work(&per_cpu(ctx_deferred, cpu).go);
}

int ctx_cancel_init(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct ctx_deferred *deferred = per_cpu_ptr(&ctx_deferred, cpu);

		raw_spin_lock_init(&deferred->lock);
		ctx_queue_init(&deferred->work);
		INIT_WORK(&deferred->go, ctx_walk_deferred);
	}
	ctx_cancel_wq = alloc_workqueue("ctx_cancel", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	return ctx_cancel_wq ? 0 : -ENOMEM;
}

void ctx_cancel_exit(void)
{
	destroy_workqueue(ctx_cancel_wq);
}
