// SPDX-License-Identifier: GPL-2.0
/*
 * Links: a context with several parents, which is done when any of them is.
 *
 * The storage is the caller's. It stands in two lists: among the callbacks of the
 * other context, where the walk over that finds it, and among the links of the
 * context that was linked, where its last put finds it; the latter until ctx_unlink(),
 * whether it has fired or not. It holds a reference on the other one, but none on the
 * linked, as with a child and its parent.
 *
 * Fire. The walk takes the link off the other's callbacks under that one's own.lock,
 * and takes a reference on the linked there. If that has none left it is on its way
 * through its last put, which takes the same lock for each of its links: so the link
 * and it are there as long as that is held. If it has one the walk goes on without the
 * link, claims the linked, and puts it in its own queue: see ctx_follow(). A chain of
 * links is a walk as over a chain of children (S19).
 *
 * What has followed another one's end has its origin from there, and so keeps a
 * reference on that one: ctx_followed().
 *
 * No cycles. Say that a parent *leads to* its child, and a context to one that was
 * linked to it; what is led to holds a reference on what leads there, and is cancelled
 * with it. Whoever makes one lead to another
 *
 *	(1) marks the former as used, and takes the reference on it;
 *	(2) for a link, looks whether the latter is fresh: not used, or referenced by
 *	    nobody but the caller, so that there is nothing that it leads to any more.
 *
 * A new child is fresh, as nobody knows it. Between the steps is a full barrier; for
 * a child, what publishes it to others comes after (1). So if A leads to B and B to C,
 * (1) on A came before (1) on B: for a link, its (2) on B has not seen that of the
 * other. In a cycle each would come before itself. This holds for calls at the same
 * time, without a lock that they had in common; of two that would close a cycle at
 * least one gets -EBUSY.
 *
 * The list of a context's own links has a lock in it, a bit, which is taken with
 * interrupts off and nothing else inside: for who links and unlinks the same context
 * in several threads. That list keeps neither cancellation nor walk from anything.
 */
#include "internal.h"

/*
 * Whether the caller has the only reference on @scope. Those at the lists of a scope
 * that is spread change hands only when its own count is lower than this. The list of
 * children tells of a caller who has no reference but that of a child.
 */
static noinline bool ctx_is_sole(const struct ctx_scope *scope)
{
	/* Pairs with the release in ctx_spread_out(). */
	const struct ctx_spread *spread = smp_load_acquire(&scope->spread);
	int refs = refcount_read(&scope->node.ref);
	unsigned int i;

	if (!hlist_empty(&scope->own.children))
		return false;
	if (!spread || refs != CTX_SPREAD_BIAS + 1)
		return refs == 1;
	for (i = 0; i <= spread->mask; i++)
		if (atomic_read(&spread->at[i].nest.refs))
			return false;
	return true;
}

static __always_inline bool ctx_is_fresh(const struct ctx_scope *scope)
{
	return likely(!READ_ONCE(scope->state.used)) || ctx_is_sole(scope);
}

/*
 * Unless one of the two is done: if @other is, that is seen here, or the link is
 * seen by its walk; and with @scope nothing comes of it.
 */
static __always_inline bool ctx_link_attach(struct ctx_scope *scope, struct ctx_scope *other,
					    struct ctx_link *link)
{
	bool attached = false;
	unsigned long flags;

	raw_spin_lock_irqsave(&other->own.lock, flags);
	if (likely(!READ_ONCE(other->state.origin) && !READ_ONCE(scope->state.origin))) {
		attached = true;
		scope->state.extra = true;
		link->cb.ctx = &scope->node;
		link->cb.fn = NULL;
		link->other = &other->node;
		ctx_queue_add(&other->callbacks, &link->cb.node);
		ctx_links_lock(scope);
		hlist_bl_add_head(&link->node, &scope->links);
		ctx_links_unlock(scope);
	}
	raw_spin_unlock_irqrestore(&other->own.lock, flags);
	return attached;
}

/* What is not to be, or comes too late; drops the reference on @other. */
static noinline int ctx_link_not(struct ctx_scope *scope, struct ctx_scope *other, int err)
{
	if (!err && ctx_err(&other->node))
		ctx_cancel_like(scope, other);
	ctx_unhold(&other->node);
	return err;
}

/**
 * ctx_link - have a context end with another one, too
 * @ctx: what shall end: a cancelable context from which nothing is derived and to
 *	which nothing is linked; the caller holds a reference on it, not just on
 *	something below
 * @other: with what; the caller holds a reference; the link takes one of its own
 * @link: storage, of the caller, until ctx_unlink() or until @ctx is gone, whether
 *	@other is done or not. Who does not know that his reference on @ctx is the last,
 *	because it may just be cancelled elsewhere, unlinks before he drops it
 *
 * As if @ctx were derived from @other as well: when @other is done, @ctx and
 * everything below it is cancelled with the error, cause and origin of @other; at
 * once if @other is done already. A context may be linked to any number of others,
 * which need not know each other; the first that is done decides. Deadlines are not
 * merged: ctx_deadline() knows nothing of links. On an @other that is never done
 * nothing ever comes of it, and on a @ctx that is done neither.
 *
 * The cancellation of @other is not over before that of @ctx: ctx_cancel() returns,
 * to who won, when @ctx and what is below it are done too, and ctx_cancel_sync() when
 * they have come to rest; but not so for one that was done for another reason, before
 * or in the meantime. If a process made @ctx, and @other is not one of the same user,
 * ctx_cancel() does not go below @ctx, but leaves that to a worker.
 *
 * No chain of children and links ever leads back to where it began (-EBUSY, S15). To
 * know that, it takes a @ctx from which nothing was ever derived and to which nothing was
 * linked, or that has nobody else who holds a reference on it.
 *
 * Ordering: what was written before the cancellation of @other is visible to whoever
 * sees @ctx done by it (S16).
 *
 * Context: Any but NMI, under spinlocks and with interrupts off too (S18).
 * Return: 0; -EINVAL for a NULL argument, an ERR_PTR, or a @ctx that cannot be
 * cancelled; -ELOOP if @other is @ctx or shows its state; -EBUSY as above. What was
 * not linked need not be unlinked, but may be.
 */
int ctx_link(struct ctx *ctx, struct ctx *other, struct ctx_link *link)
{
	struct ctx_scope *scope, *above;

	if (!link)
		return -EINVAL;
	link->other = NULL;
	if (IS_ERR_OR_NULL(ctx) || IS_ERR_OR_NULL(other) || !ctx_is_scope(ctx))
		return -EINVAL;
	scope = container_of(ctx, struct ctx_scope, node);
	above = ctx_scope(other);
	if (above == scope)
		return -ELOOP;
	if (unlikely(ctx_is_root(&above->node)))
		return ctx_is_fresh(scope) ? 0 : -EBUSY;
	if (unlikely(!READ_ONCE(above->state.used))) {
		/* What is refused leaves no mark on @other, which may be linked itself. */
		if (!ctx_is_fresh(scope))
			return -EBUSY;
		ctx_mark_used(above);
	}
	refcount_inc(&above->node.ref);
	/* Between (1) and (2): see above. */
	smp_mb__after_atomic();
	ctx_torture_point();
	if (unlikely(!ctx_is_fresh(scope)))
		return ctx_link_not(scope, above, -EBUSY);
	if (unlikely(!ctx_link_attach(scope, above, link)))
		return ctx_link_not(scope, above, 0);
	return 0;
}
EXPORT_SYMBOL_GPL(ctx_link);

/* Who took the link off has interrupts off until then: see ctx_follow(). */
static noinline void ctx_wait_followed(const struct ctx *ctx)
{
	while (!ctx_is_done(ctx))
		cpu_relax();
}

/**
 * ctx_unlink - take a link away
 * @link: what was given to ctx_link(), or zeroed; only one task unlinks it at a time;
 *	NULL is ignored
 *
 * When this returns the context has ended by this link, or never will, and the
 * storage is the caller's again (S15). He holds a reference on the context that was
 * linked while he calls this; once that is gone, so is the link, and this does nothing.
 *
 * It never sleeps: if the other context is just being cancelled elsewhere, it spins
 * until the linked one is done, which is not long. Callbacks may still be running
 * then.
 *
 * Ordering: if the link has fired, the context that was linked is seen done on return,
 * with what was written before that (S16). The storage is not touched any more.
 *
 * Context: Any but NMI, under spinlocks, and from callbacks too (S18).
 */
void ctx_unlink(struct ctx_link *link)
{
	struct ctx *other = link ? xchg(&link->other, NULL) : NULL;
	struct ctx_scope *scope, *above;
	unsigned long flags;
	bool fired;

	if (!other)
		return;
	ctx_torture_point();
	above = container_of(other, struct ctx_scope, node);
	raw_spin_lock_irqsave(&above->own.lock, flags);
	scope = container_of(link->cb.ctx, struct ctx_scope, node);
	fired = hlist_unhashed(&link->cb.node);
	if (likely(!fired))
		ctx_callback_cut(above, &link->cb.node);
	ctx_links_lock(scope);
	__hlist_bl_del(&link->node);
	ctx_links_unlock(scope);
	raw_spin_unlock_irqrestore(&above->own.lock, flags);
	if (unlikely(fired))
		ctx_wait_followed(link->cb.ctx);
	ctx_unhold(other);
}
EXPORT_SYMBOL_GPL(ctx_unlink);

/*
 * The last reference on @scope is gone: removes one of its links, and gives what it
 * was linked to, with the reference. NULL: there is none left.
 */
struct ctx *ctx_link_pop(struct ctx_scope *scope)
{
	struct hlist_bl_node *first = hlist_bl_first(&scope->links);
	struct ctx_scope *above;
	struct ctx_link *link;
	unsigned long flags;
	struct ctx *other;

	if (!first)
		return NULL;
	link = hlist_bl_entry(first, struct ctx_link, node);
	other = link->other;
	above = container_of(other, struct ctx_scope, node);
	/* Nobody else is at that list. */
	__hlist_bl_del(first);
	ctx_torture_point();
	raw_spin_lock_irqsave(&above->own.lock, flags);
	if (!hlist_unhashed(&link->cb.node))
		ctx_callback_cut(above, &link->cb.node);
	raw_spin_unlock_irqrestore(&above->own.lock, flags);
	link->other = NULL;
	return other;
}
