// SPDX-License-Identifier: GPL-2.0
/*
 * The tree: nodes, references, and the homes where children are listed.
 *
 * Every context holds a reference on its parent. A cancelable one (a scope) is
 * also listed, without a reference, with the nearest scope above it, its home,
 * from where cancellation reaches it. It leaves that list when it is cancelled,
 * when its home is, or with its last reference (S7).
 *
 * Contexts below a root that is never done are listed too, so that whatever a
 * departed module left behind is found at unload. Everybody derives from the
 * roots, so their lists are spread by CPU.
 */
#include <linux/cpumask.h>
#include <linux/llist.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/pid.h>
#include <linux/rcupdate.h>
#include <linux/smp.h>

#include "internal.h"

#define CTX_MAX_SPREAD	64
#define CTX_LEAKS_SHOWN	16

static struct kmem_cache *ctx_cancel_cache;
static LLIST_HEAD(ctx_dead);

/* Background and todo. Of most that makes a scope, roots have no use. */
struct ctx_scope ctx_roots[] = {
	{
		.node = { .state = &ctx_roots[0].state, .kind = CTX_ROOT },
		.own.lock = __RAW_SPIN_LOCK_UNLOCKED(ctx_roots[0].own.lock),
	}, {
		.node = { .state = &ctx_roots[1].state, .kind = CTX_ROOT },
		.own.lock = __RAW_SPIN_LOCK_UNLOCKED(ctx_roots[1].own.lock),
	},
};

/**
 * ctx_background - the root that everything is derived from
 *
 * Static, never done, without deadline or value. ctx_get(), ctx_put() and every
 * cancel do nothing on it (S1).
 *
 * Context: Any.
 * Return: the context; never an error.
 */
struct ctx *ctx_background(void)
{
	return &ctx_roots[0].node;
}
EXPORT_SYMBOL_GPL(ctx_background);

/**
 * ctx_todo - the root for code that was not yet given a context
 *
 * As ctx_background(), but another one, so that it can be searched for (S1).
 *
 * Context: Any.
 * Return: the context; never an error.
 */
struct ctx *ctx_todo(void)
{
	return &ctx_roots[1].node;
}
EXPORT_SYMBOL_GPL(ctx_todo);

/**
 * ctx_get - take a reference
 * @ctx: the context, on which the caller holds a reference, or one that is kept
 *	alive by another that he holds; NULL and ERR_PTR are ignored
 *
 * Context: Any but NMI (S18).
 * Return: @ctx.
 */
struct ctx *ctx_get(struct ctx *ctx)
{
	if (!IS_ERR_OR_NULL(ctx) && !ctx_is_root(ctx))
		refcount_inc(&ctx->ref);
	return ctx;
}
EXPORT_SYMBOL_GPL(ctx_get);

/* Which of the home's lists a new child goes to. */
static u8 ctx_pick_nest(const struct ctx_scope *home)
{
	if (likely(!home->spread))
		return 0;
	return 1 + (raw_smp_processor_id() & home->spread->mask);
}

/*
 * Leaves the home's list. Returns true if the home was there first, and waits
 * for @scope to settle: it then holds a count of the home's busy.
 */
bool ctx_leave_home(struct ctx_scope *scope)
{
	struct ctx_nest *nest = ctx_home_nest(scope);
	unsigned long flags;
	bool taken;

	raw_spin_lock_irqsave(&nest->lock, flags);
	if (!hlist_unhashed(&scope->sibling))
		ctx_unlist(scope);
	taken = scope->node.taken;
	raw_spin_unlock_irqrestore(&nest->lock, flags);
	return taken;
}

/* As ctx_leave_home(), but makes the home wait, if it can be done at all (S5). */
void ctx_leave_home_unsettled(struct ctx_scope *scope)
{
	struct ctx_nest *nest = ctx_home_nest(scope);
	struct ctx_scope *home = ctx_home(scope);
	unsigned long flags;

	raw_spin_lock_irqsave(&nest->lock, flags);
	if (!hlist_unhashed(&scope->sibling)) {
		/* Not 0 yet: listed children are outstanding, or the home is live. */
		if (!ctx_is_root(&home->node)) {
			scope->node.taken = true;
			atomic_inc(&home->own.busy);
		}
		ctx_unlist(scope);
	}
	raw_spin_unlock_irqrestore(&nest->lock, flags);
}

/* What a scope is between two lives: the slab constructor's part. */
void ctx_scope_setup(struct ctx_scope *scope)
{
	raw_spin_lock_init(&scope->own.lock);
	INIT_HLIST_HEAD(&scope->own.children);
	INIT_HLIST_NODE(&scope->sibling);
	INIT_LIST_HEAD(&scope->callbacks);
	scope->run = NULL;
	scope->pid = NULL;
	scope->spread = NULL;
}

static void ctx_scope_ctor(void *object)
{
	ctx_scope_setup(object);
}

/* A new scope: unlisted, live, with one reference. */
void ctx_scope_init(struct ctx_scope *scope, struct ctx *parent, u8 kind)
{
	struct ctx_scope *home = ctx_scope(parent);

	ctx_node_init(&scope->node, parent, &scope->state, kind);
	scope->node.nest = ctx_pick_nest(home);
	scope->state.origin = NULL;
	atomic_set(&scope->own.busy, 1);
	scope->timed = home->timed;
}

/* Done at birth, and so settled (S6). Its own timer may have been quicker. */
static void ctx_born_done(struct ctx_scope *scope, const struct ctx_signal *origin)
{
	if (ctx_claim(scope, origin))
		atomic_set(&scope->own.busy, 0);
	if (ctx_is_timed(scope))
		ctx_deadline_disarm(ctx_deadline_of(scope));
}

/*
 * Lists a new scope with its home, unless that is done. A canceller of the home
 * publishes its origin before it takes this lock to look for children. So either
 * the origin is seen here, or the child is seen there (S5).
 *
 * A scope whose own timer went off in the meantime was published as done before
 * it took this lock to leave home: it is not listed any more.
 */
void ctx_scope_start(struct ctx_scope *scope)
{
	struct ctx_nest *nest = ctx_home_nest(scope);
	const struct ctx_signal *origin;
	unsigned long flags;

	raw_spin_lock_irqsave(&nest->lock, flags);
	origin = ctx_origin_state(scope->node.parent);
	if (likely(!origin && !ctx_origin_state(&scope->node)))
		hlist_add_head(&scope->sibling, &nest->children);
	raw_spin_unlock_irqrestore(&nest->lock, flags);

	if (unlikely(origin))
		ctx_born_done(scope, origin);
}

/* A scope without a timer, under a @parent that is neither NULL nor an error. */
struct ctx *ctx_derive_scope(struct ctx *parent, u8 kind, gfp_t gfp)
{
	struct ctx_scope *scope = kmem_cache_alloc(ctx_cancel_cache, gfp);

	if (!scope)
		return ERR_PTR(-ENOMEM);
	ctx_scope_init(scope, parent, kind);
	ctx_scope_start(scope);
	return &scope->node;
}

/**
 * ctx_with_cancel - derive a context that can be cancelled
 * @parent: what it is derived from; the caller holds a reference, the new
 *	context takes one of its own; an ERR_PTR is handed back
 * @gfp: how to allocate
 *
 * It is done when it is cancelled or when @parent is done, whichever is first;
 * at birth if @parent is done already (S2, S6). Everyone who derives also
 * cancels: a context that is not needed any more is cancelled and put.
 *
 * Context: Any that @gfp allows; on PREEMPT_RT not in atomic context (S18).
 * Return: the context, with one reference for the caller; ERR_PTR(-EINVAL) for
 * a NULL @parent; ERR_PTR(-ENOMEM).
 */
struct ctx *ctx_with_cancel(struct ctx *parent, gfp_t gfp)
{
	if (IS_ERR_OR_NULL(parent))
		return parent ?: ERR_PTR(-EINVAL);
	return ctx_derive_scope(parent, CTX_CANCEL, gfp);
}
EXPORT_SYMBOL_GPL(ctx_with_cancel);

void ctx_without_start(struct ctx *ctx, struct ctx *parent, u8 kind)
{
	ctx_node_init(ctx, parent, &ctx_roots[0].state, kind);
}

/**
 * ctx_without_cancel - derive a context that keeps the values and nothing else
 * @parent: what it is derived from; as with ctx_with_cancel()
 * @gfp: how to allocate
 *
 * It is never done, has no deadline and no cause, even if @parent is done (S14).
 *
 * Context: Any that @gfp allows; on PREEMPT_RT not in atomic context (S18).
 * Return: the context, with one reference for the caller; ERR_PTR(-EINVAL) for
 * a NULL @parent; ERR_PTR(-ENOMEM).
 */
struct ctx *ctx_without_cancel(struct ctx *parent, gfp_t gfp)
{
	struct ctx *ctx;

	if (IS_ERR_OR_NULL(parent))
		return parent ?: ERR_PTR(-EINVAL);
	ctx = kmem_cache_alloc(ctx_node_cache(), gfp);
	if (!ctx)
		return ERR_PTR(-ENOMEM);
	ctx_without_start(ctx, parent, CTX_WITHOUT);
	return ctx;
}
EXPORT_SYMBOL_GPL(ctx_without_cancel);

static void ctx_scope_free(struct ctx_scope *scope)
{
	put_pid(scope->pid);
	scope->pid = NULL;
	if (scope->node.kind & CTX_F_USER)
		ctx_user_free(&scope->node);
	else if (ctx_is_timed(scope))
		ctx_deadline_free(ctx_deadline_of(scope));
	else
		kmem_cache_free(ctx_cancel_cache, scope);
}

static void ctx_scope_free_rcu(struct rcu_head *rcu)
{
	ctx_scope_free(container_of(rcu, struct ctx_scope, node.rcu));
}

/*
 * The last reference is gone. The timer holds none: if it is just running, it
 * sees a count of 0 and leaves, and RCU waits for it (S7).
 */
static void ctx_scope_release(struct ctx_scope *scope)
{
	bool ticking = ctx_is_timed(scope) && !ctx_deadline_disarm(ctx_deadline_of(scope));

	/*
	 * The home's canceller looks at @scope without a reference, under the
	 * lock of its list, until it has unlisted it: pairs with ctx_unlist().
	 */
	if (smp_load_acquire(&scope->sibling.pprev))
		ctx_leave_home(scope);
	ctx_callbacks_exit(scope);

	if (unlikely(ticking))
		call_rcu(&scope->node.rcu, ctx_scope_free_rcu);
	else
		ctx_scope_free(scope);
}

static void ctx_release(struct ctx *ctx)
{
	switch (ctx_kind(ctx)) {
	case CTX_CANCEL:
	case CTX_DEADLINE:
		ctx_scope_release(container_of(ctx, struct ctx_scope, node));
		break;
	default:
		ctx_value_release(ctx);
	}
}

static void ctx_release_dead(struct work_struct *work)
{
	struct ctx *ctx, *next;

	llist_for_each_entry_safe(ctx, next, llist_del_all(&ctx_dead), dead) {
		struct ctx *parent = ctx->parent;

		ctx_release(ctx);
		ctx_put(parent);
		cond_resched();
	}
}

static DECLARE_WORK(ctx_dead_work, ctx_release_dead);

/*
 * What is too much for a hard interrupt: the last put of a pid, a user's account,
 * and more than a few generations (S19).
 */
static bool ctx_release_later(const struct ctx *ctx, int generation)
{
	if (ctx_must_defer())
		return true;
	if (!in_hardirq())
		return false;
	return generation >= CTX_BATCH || ctx->kind & CTX_F_USER ||
	       (ctx_is_scope(ctx) && container_of(ctx, struct ctx_scope, node)->pid);
}

/**
 * ctx_put - drop a reference
 * @ctx: the context; NULL and ERR_PTR are ignored
 *
 * With the last reference the context is gone: its timer is disarmed, its
 * reference on the parent dropped in turn, however long the chain (S7, S19). It
 * is not cancelled by that; nobody is left who could see it. A callback that is
 * still registered is reported (S12).
 *
 * Context: Any but NMI, under spinlocks and with interrupts off too. On
 * PREEMPT_RT, in atomic context, a worker does the rest (S18).
 */
void ctx_put(struct ctx *ctx)
{
	int generation = 0;

	if (IS_ERR_OR_NULL(ctx))
		return;
	while (!ctx_is_root(ctx) && refcount_dec_and_test(&ctx->ref)) {
		struct ctx *parent = ctx->parent;

		if (unlikely(ctx_release_later(ctx, generation++))) {
			if (llist_add(&ctx->dead, &ctx_dead))
				schedule_work(&ctx_dead_work);
			return;
		}
		ctx_release(ctx);
		ctx = parent;
	}
}
EXPORT_SYMBOL_GPL(ctx_put);

/* Everything below is for coming and going of the module. */

static int ctx_spread_root(struct ctx_scope *root)
{
	unsigned int i, n = roundup_pow_of_two(min_t(unsigned int, nr_cpu_ids, CTX_MAX_SPREAD));
	struct ctx_spread *spread = kzalloc(struct_size(spread, at, n), GFP_KERNEL);

	if (!spread)
		return -ENOMEM;
	spread->mask = n - 1;
	for (i = 0; i < n; i++)
		raw_spin_lock_init(&spread->at[i].nest.lock);
	root->spread = spread;
	return 0;
}

static struct ctx_scope *ctx_pop_child(struct ctx_nest *nest)
{
	struct ctx_scope *child = NULL;

	raw_spin_lock_irq(&nest->lock);
	if (!hlist_empty(&nest->children)) {
		child = hlist_entry(nest->children.first, struct ctx_scope, sibling);
		ctx_unlist(child);
	}
	raw_spin_unlock_irq(&nest->lock);
	return child;
}

/*
 * Moves the children of @scope to @found, behind those that are there, and ends
 * what may still go on with each: its timer, and a walk that this left behind.
 */
static void ctx_collect(struct ctx_scope *scope, struct list_head *found)
{
	struct ctx_scope *child;
	struct ctx_nest *nest;
	unsigned int pos;

	for (pos = 0; (nest = ctx_nest_at(scope, pos)); pos++) {
		while ((child = ctx_pop_child(nest))) {
			if (ctx_is_timed(child))
				hrtimer_cancel(&ctx_deadline_of(child)->timer);
			if (ctx_err(&child->node))
				ctx_cancel_flush();
			list_add_tail(&child->work, found);
		}
	}
}

/*
 * Reports and frees what modules that are gone have left listed. Nobody can use
 * a reference any more: whoever called us is gone, or we would not be leaving.
 * Top down first, so that no timer is left; then bottom up, each pinned against
 * the puts of what hung below it until its own turn.
 */
void ctx_reap_leaks(void)
{
	struct ctx_scope *scope, *prev;
	unsigned int leaks = 0;
	LIST_HEAD(found);
	char path[160];

	ctx_barrier();
	ctx_collect(&ctx_roots[0], &found);
	ctx_collect(&ctx_roots[1], &found);
	list_for_each_entry(scope, &found, work) {
		refcount_set(&scope->node.ref, REFCOUNT_MAX / 2);
		ctx_collect(scope, &found);
		if (leaks++ >= CTX_LEAKS_SHOWN)
			continue;
		ctx_describe(&scope->node, path, sizeof(path));
		pr_err("leaked: %s\n", path);
	}
	if (!leaks)
		return;
	pr_err("%u contexts were derived but never cancelled nor put\n", leaks);
	list_for_each_entry_safe_reverse(scope, prev, &found, work) {
		INIT_HLIST_NODE(&scope->sibling);
		INIT_LIST_HEAD(&scope->callbacks);
		refcount_set(&scope->node.ref, 1);
		ctx_put(&scope->node);
	}
	ctx_barrier();
}

int ctx_tree_init(void)
{
	int err;

	ctx_cancel_cache = kmem_cache_create("ctx_cancel", sizeof(struct ctx_scope), 0,
					     SLAB_HWCACHE_ALIGN, ctx_scope_ctor);
	if (!ctx_cancel_cache)
		return -ENOMEM;
	err = ctx_spread_root(&ctx_roots[0]);
	if (!err)
		err = ctx_spread_root(&ctx_roots[1]);
	if (err)
		ctx_tree_exit();
	return err;
}

void ctx_tree_flush(void)
{
	flush_work(&ctx_dead_work);
}

void ctx_tree_exit(void)
{
	rcu_barrier();
	ctx_tree_flush();
	kfree(ctx_roots[0].spread);
	kfree(ctx_roots[1].spread);
	kmem_cache_destroy(ctx_cancel_cache);
}
