// SPDX-License-Identifier: GPL-2.0
/*
 * Spreading: a scope from which several CPUs derive at a time gets a list of
 * children for each of them, so that they share no lock, and a count for the
 * references that those children hold on it, so that they share no count. Who
 * derives alone pays one look at the lock's word for it.
 *
 * Lists. ->spread is set under own.lock, where the scope was not done yet. After
 * the origin was published, own.lock is taken once by whoever walks the scope,
 * so he either sees ->spread, or nobody will ever set it. A child is listed
 * under the lock of its list, if the origin is not seen there; the walk takes
 * each of these locks after the origin was published. So either the child is
 * listed first and the walk finds it, or it is done at birth (S5, S6).
 *
 * Counts. While ->spread is in use, the scope's own count has CTX_SPREAD_BIAS in
 * it, which stands for all that is counted at the lists. Whoever drops the last
 * reference besides folds: he adds those to the scope's own count and takes the
 * bias out. A list's count is negative from then on, and what is held or dropped
 * there goes to the scope's own. Several may get as far as folding, where a
 * reference is taken and dropped again in between: the first does it. For the
 * others the scope is freed after a grace period, and ctx_put() is a reader.
 */
#include <linux/cpumask.h>
#include <linux/log2.h>

#include "internal.h"

#define CTX_MAX_SPREAD	64
#define CTX_FOLDED	(INT_MIN / 2)

static struct ctx_spread *ctx_spread_alloc(gfp_t gfp)
{
	unsigned int i, n = roundup_pow_of_two(min_t(unsigned int, nr_cpu_ids, CTX_MAX_SPREAD));
	struct ctx_spread *spread = kzalloc(struct_size(spread, at, n), gfp);

	if (!spread)
		return NULL;
	spread->mask = n - 1;
	for (i = 0; i < n; i++)
		raw_spin_lock_init(&spread->at[i].nest.lock);
	return spread;
}

/* Only speed is lost where there is no memory, or the scope is done by now. */
void ctx_spread_out(struct ctx_scope *scope, gfp_t gfp)
{
	struct ctx_spread *spread = ctx_spread_alloc(gfp | __GFP_NOWARN);
	unsigned long flags;

	if (!spread)
		return;
	raw_spin_lock_irqsave(&scope->own.lock, flags);
	if (!scope->spread && !READ_ONCE(scope->state.origin)) {
		refcount_add(CTX_SPREAD_BIAS, &scope->node.ref);
		/* Initialised before it is seen: pairs with ctx_join_home(). */
		smp_store_release(&scope->spread, spread);
		scope->node.flags |= CTX_SPREAD;
		scope->state.extra = true;
		spread = NULL;
	}
	raw_spin_unlock_irqrestore(&scope->own.lock, flags);
	kfree(spread);
}

/* With what may complain kept apart, the others need no stack: 5 instructions. */
static noinline struct ctx_nest *ctx_hold_for(struct ctx_nest *nest, struct ctx *parent)
{
	ctx_hold(parent);
	return nest;
}

/*
 * Which of the home's lists a new scope goes to, and its reference on its parent:
 * counted there too if the parent is the home, on which the caller has one.
 */
struct ctx_nest *ctx_join_home(struct ctx_scope *scope, struct ctx_scope *home)
{
	/* Pairs with the release in ctx_spread_out(). */
	struct ctx_spread *spread = smp_load_acquire(&home->spread);
	struct ctx *parent = scope->node.parent;
	struct ctx_nest *nest;
	unsigned int at;

	/* What is spread has been derived from, or is a root. */
	if (!spread) {
		ctx_mark_used(home);
		return ctx_hold_for(&home->own, parent);
	}
	at = raw_smp_processor_id() & spread->mask;
	scope->node.nest = 1 + at;
	nest = &spread->at[at].nest;
	ctx_torture_point();
	if (!ctx_is_scope(parent))
		return ctx_is_root(parent) ? nest : ctx_hold_for(nest, parent);
	if (unlikely(atomic_inc_return(&nest->refs) <= 0))
		return ctx_hold_for(nest, parent);
	return nest;
}

/* Returns false if it went to the scope's own count before, where it is to be dropped. */
bool ctx_spread_drop(struct ctx_scope *scope, u8 nest)
{
	return atomic_dec_return_release(&scope->spread->at[nest - 1].nest.refs) >= 0;
}

/*
 * Nobody but what is counted at the lists held a reference at some moment. In
 * an RCU reader: see above. Returns true if there is none left at all. What is not
 * spread comes here with as many references of its own.
 */
bool ctx_spread_fold(struct ctx *ctx)
{
	struct ctx_scope *scope = container_of(ctx, struct ctx_scope, node);
	struct ctx_spread *spread;
	unsigned int i;
	int refs = 0;

	/*
	 * The count had the bias in it: pairs with the release in ctx_spread_out(), by way
	 * of those with which the others dropped their references.
	 */
	smp_acquire__after_ctrl_dep();
	ctx_torture_point();
	spread = ctx_is_scope(ctx) ? scope->spread : NULL;
	if (!spread || xchg(&spread->folded, 1))
		return false;
	ctx_torture_point();
	for (i = 0; i <= spread->mask; i++)
		refs += atomic_xchg(&spread->at[i].nest.refs, CTX_FOLDED);
	return refcount_sub_and_test(CTX_SPREAD_BIAS - refs, &scope->node.ref);
}

/* Everybody derives from the roots; nobody counts references on them. */
int ctx_spread_roots(void)
{
	ctx_roots[0].spread = ctx_spread_alloc(GFP_KERNEL);
	ctx_roots[1].spread = ctx_spread_alloc(GFP_KERNEL);
	return ctx_roots[0].spread && ctx_roots[1].spread ? 0 : -ENOMEM;
}

void ctx_spread_free_roots(void)
{
	kfree(ctx_roots[0].spread);
	kfree(ctx_roots[1].spread);
}
