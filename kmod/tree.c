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
 * roots, so these are spread (see spread.c) from the beginning.
 */
#include <linux/llist.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/smp.h>

#include "internal.h"

#define CTX_LEAKS_SHOWN	16
#define CTX_BULK	16

static struct kmem_cache *ctx_cancel_cache;
static LLIST_HEAD(ctx_dead);

/* Background and todo. Of most that makes a scope, roots have no use. */
struct ctx_scope ctx_roots[] = {
	{
		.node = { .state = &ctx_roots[0].state, .kind = CTX_ROOT },
		.state.usage = U16_MAX,
		.own.lock = __RAW_SPIN_LOCK_UNLOCKED(ctx_roots[0].own.lock),
	}, {
		.node = { .state = &ctx_roots[1].state, .kind = CTX_ROOT },
		.state.usage = U16_MAX,
		.own.lock = __RAW_SPIN_LOCK_UNLOCKED(ctx_roots[1].own.lock),
	},
};

/**
 * ctx_background - the root that everything is derived from
 *
 * Static, never done, without deadline or value. ctx_get(), ctx_put() and every
 * cancel do nothing on it (S1).
 *
 * Ordering: none is needed, as it is constant.
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
 * Ordering: none is needed, as it is constant.
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
 * Ordering: none, as with refcount_inc().
 *
 * Context: Any but NMI (S18).
 * Return: @ctx.
 */
struct ctx *ctx_get(struct ctx *ctx)
{
	return IS_ERR_OR_NULL(ctx) ? ctx : ctx_hold(ctx);
}
EXPORT_SYMBOL_GPL(ctx_get);

/* What a scope is between two lives: the slab constructor's part. */
void ctx_scope_setup(struct ctx_scope *scope)
{
	raw_spin_lock_init(&scope->own.lock);
	INIT_HLIST_HEAD(&scope->own.children);
	INIT_HLIST_NODE(&scope->sibling);
	ctx_queue_init(&scope->callbacks);
	scope->pid = NULL;
	scope->spread = NULL;
	scope->state.extra = false;
	INIT_HLIST_BL_HEAD(&scope->links);
}

static void ctx_scope_ctor(void *object)
{
	ctx_scope_setup(object);
}

/* Under own.lock. Returns true when it is time that @home is spread. */
static bool ctx_count_clash(struct ctx_scope *home)
{
	if ((home->node.flags & CTX_CLASHES) != CTX_CLASHES) {
		home->node.flags += CTX_CLASH;
		return false;
	}
	home->node.flags &= ~CTX_CLASHES;
	return true;
}

/*
 * Under @nest's lock, which it drops: done at birth, and so settled (S6). Apart, so
 * that it makes nobody else save registers.
 */
static noinline void ctx_scope_begin_done(struct ctx_scope *scope, struct ctx_nest *nest,
					  unsigned long flags)
	__releases(&nest->lock)
{
	atomic_set(&scope->own.busy, 0);
	ctx_publish(scope, READ_ONCE(ctx_home(scope)->state.origin));
	raw_spin_unlock_irqrestore(&nest->lock, flags);
	if (ctx_is_timed(scope))
		ctx_deadline_disarm(ctx_deadline_of(scope));
}

/*
 * Lists a new scope with its home, unless that is done. A canceller of the home
 * publishes its origin before he takes this lock to look for children. So either the
 * origin is seen here, or the child is seen there (S5).
 *
 * A scope whose own timer went off in the meantime is done and is not listed.
 */
static __always_inline void ctx_scope_begin(struct ctx_scope *scope, struct ctx_scope *home,
					    struct ctx_nest *nest, bool timed, gfp_t gfp)
{
	/* A hint, three instructions instead of a trylock's twelve. */
	bool clash = raw_spin_is_locked(&nest->lock);
	unsigned long flags;

	ctx_torture_point();
	raw_spin_lock_irqsave(&nest->lock, flags);
	if (likely(!timed || !READ_ONCE(scope->state.origin))) {
		if (unlikely(READ_ONCE(home->state.origin))) {
			ctx_scope_begin_done(scope, nest, flags);
			return;
		}
		ctx_torture_point();
		hlist_add_head(&scope->sibling, &nest->children);
	}
	if (unlikely(clash))
		clash = nest == &home->own && ctx_count_clash(home);
	raw_spin_unlock_irqrestore(&nest->lock, flags);

	if (unlikely(clash))
		ctx_spread_out(home, gfp);
}

/*
 * Begins a scope that was initialised, on the list that this gave; @gfp is what may
 * be used in passing.
 */
void ctx_scope_start(struct ctx_scope *scope, struct ctx_nest *nest, gfp_t gfp)
{
	ctx_scope_begin(scope, ctx_home(scope), nest, ctx_is_timed(scope), gfp);
}

/*
 * Inlined where everybody derives: 14 instructions less. Those that are watched, and
 * have a @place, take another copy: for the sake of a call that is never made this one
 * would save more registers, 3 instructions.
 */
static __always_inline struct ctx *__ctx_derive_scope(struct ctx *parent, u8 kind, gfp_t gfp,
						      unsigned long place)
{
	struct ctx_scope *scope = kmem_cache_alloc(ctx_cancel_cache, gfp);
	struct ctx_nest *nest;

	if (unlikely(!scope))
		return ERR_PTR(-ENOMEM);
	nest = ctx_scope_init(scope, parent, kind);
	ctx_count(derived);
	if (place)
		ctx_watch_derive(&scope->node, place);
	ctx_scope_begin(scope, ctx_scope(parent), nest, false, gfp);
	return &scope->node;
}

struct ctx *ctx_derive_unwatched(struct ctx *parent, u8 kind, gfp_t gfp)
{
	return __ctx_derive_scope(parent, kind, gfp, 0);
}

struct ctx *ctx_derive_watched(struct ctx *parent, u8 kind, gfp_t gfp, unsigned long place)
{
	return __ctx_derive_scope(parent, kind, gfp, place);
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
 * Ordering: what was written before the cancellation of @parent, whenever that was, is
 * visible to whoever sees this context done by it (S16).
 *
 * Context: Any that @gfp allows; on PREEMPT_RT not in atomic context (S18).
 * Return: the context, with one reference for the caller; ERR_PTR(-EINVAL) for
 * a NULL @parent; ERR_PTR(-ENOMEM).
 */
struct ctx *ctx_with_cancel(struct ctx *parent, gfp_t gfp)
{
	if (IS_ERR_OR_NULL(parent))
		return parent ?: ERR_PTR(-EINVAL);
	if (ctx_is_watched())
		return ctx_derive_watched(parent, CTX_CANCEL, gfp, _RET_IP_);
	return __ctx_derive_scope(parent, CTX_CANCEL, gfp, 0);
}
EXPORT_SYMBOL_GPL(ctx_with_cancel);

void ctx_without_start(struct ctx *ctx, struct ctx *parent, u8 kind)
{
	ctx_mark_used(ctx_scope(parent));
	ctx_node_init(ctx, ctx_hold(parent), &ctx_roots[0].state, kind);
}

/**
 * ctx_without_cancel - derive a context that keeps the values and nothing else
 * @parent: what it is derived from; as with ctx_with_cancel()
 * @gfp: how to allocate
 *
 * It is never done, has no deadline and no cause, even if @parent is done (S14).
 *
 * Ordering: none: it is never done, so that nothing is published by that.
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
	ctx_note_derive(ctx);
	return ctx;
}
EXPORT_SYMBOL_GPL(ctx_without_cancel);

static noinline void ctx_leave_home(struct ctx_scope *scope)
{
	struct ctx_nest *nest = ctx_home_nest(scope);
	unsigned long flags;

	raw_spin_lock_irqsave(&nest->lock, flags);
	if (!hlist_unhashed(&scope->sibling))
		ctx_unlist(scope);
	raw_spin_unlock_irqrestore(&nest->lock, flags);
}

/* The last reference is gone: leaves @scope as the constructor made it. */
static __always_inline void ctx_scope_strip(struct ctx_scope *scope)
{
	ctx_torture_point();
	/*
	 * The home's canceller looks at @scope without a reference, under the
	 * lock of its list, until he has unlisted it: pairs with ctx_unlist().
	 */
	if (smp_load_acquire(&scope->sibling.pprev))
		ctx_leave_home(scope);
	/* Not before: until then it could still become done. */
	ctx_note_release(&scope->node);
	/* Nobody is left who could remove one: its owner forgot (S12). */
	if (WARN_ON_ONCE(!ctx_queue_empty(&scope->callbacks)))
		scope->callbacks.first = NULL;
	/* It may have been closed. */
	scope->callbacks.end = &scope->callbacks.first;
	scope->pid = NULL;
}

static void ctx_scope_free(struct ctx_scope *scope)
{
	kfree(scope->spread);
	scope->spread = NULL;
	scope->state.extra = false;
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
 * A timer holds no reference: if it is just running, it sees a count of 0 and
 * leaves, and RCU waits for it (S7). It also waits for those in ctx_drop().
 */
static noinline void ctx_scope_release(struct ctx_scope *scope)
{
	bool ticking = ctx_is_timed(scope) && !ctx_deadline_disarm(ctx_deadline_of(scope));

	ctx_torture_point();
	ctx_drop_on_dones(&scope->node);
	ctx_drop_watches(scope);
	if (unlikely(scope->state.extra) && scope->node.kind & CTX_F_USER)
		ctx_user_links_drop(scope);
	ctx_pid_drop(scope->pid);
	ctx_scope_strip(scope);
	if (ticking || scope->spread)
		call_rcu(&scope->node.rcu, ctx_scope_free_rcu);
	else
		ctx_scope_free(scope);
}

/*
 * A scope that goes straight back to ctx_cancel_cache, in any context: without
 * timer, user, lists by CPU, links, or a reference on who cancelled it.
 */
static __always_inline bool ctx_is_plain(const struct ctx *ctx)
{
	const struct ctx_scope *scope = container_of(ctx, struct ctx_scope, node);

	return (ctx->kind & (CTX_KIND_SCOPE | CTX_F_USER | CTX_F_TIMER)) == CTX_KIND_SCOPE &&
	       !scope->state.extra && !ctx_pid_is_held(scope->pid) && !ctx_must_defer();
}

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
	       (ctx_is_scope(ctx) &&
		ctx_pid_is_held(container_of(ctx, struct ctx_scope, node)->pid));
}

/* Drops what a child held on its @parent, where it was listed at @nest. */
static __always_inline bool ctx_drop_parent(struct ctx *parent, u8 nest)
{
	if (ctx_is_root(parent))
		return false;
	if (unlikely(nest) && ctx_is_scope(parent) &&
	    ctx_spread_drop(container_of(parent, struct ctx_scope, node), nest))
		return false;
	return ctx_drop(parent);
}

/* Plain scopes on their way back to the slab: together, 90 instructions less each. */
struct ctx_bulk {
	unsigned int nr;
	void *scopes[CTX_BULK];
};

static void ctx_bulk_free(struct ctx_bulk *bulk)
{
	/* By its description that one wants interrupts enabled. */
	if (bulk->nr && !irqs_disabled())
		kmem_cache_free_bulk(ctx_cancel_cache, bulk->nr, bulk->scopes);
	else
		while (bulk->nr)
			kmem_cache_free(ctx_cancel_cache, bulk->scopes[--bulk->nr]);
	bulk->nr = 0;
}

static void ctx_bulk_add(struct ctx_bulk *bulk, struct ctx_scope *scope)
{
	ctx_scope_strip(scope);
	bulk->scopes[bulk->nr++] = scope;
	if (bulk->nr == CTX_BULK)
		ctx_bulk_free(bulk);
}

static void ctx_release_dead(struct work_struct *work);
static DECLARE_WORK(ctx_dead_work, ctx_release_dead);

/* Contexts whose last reference is gone: a stack through ->dead, not yet looked at. */
static void ctx_dead_push(struct llist_node **dead, struct ctx *ctx)
{
	ctx->dead.next = *dead;
	*dead = &ctx->dead;
}

static struct ctx *ctx_dead_pop(struct llist_node **dead)
{
	struct llist_node *first = *dead;

	if (!first)
		return NULL;
	*dead = first->next;
	return llist_entry(first, struct ctx, dead);
}

/* Nobody looks at a link once its context's last reference is gone. */
static void ctx_drop_links(struct ctx_scope *scope, struct llist_node **dead)
{
	struct ctx *other;

	while ((other = ctx_link_pop(scope)))
		if (ctx_drop(other))
			ctx_dead_push(dead, other);
}

/* All but its links, whose memory is its owner's again. */
static noinline void ctx_leave_dead(struct ctx *ctx, struct llist_node *dead)
{
	if (ctx_is_scope(ctx))
		ctx_drop_links(container_of(ctx, struct ctx_scope, node), &dead);
	do {
		if (llist_add(&ctx->dead, &ctx_dead))
			schedule_work(&ctx_dead_work);
		ctx = ctx_dead_pop(&dead);
	} while (ctx);
}

/*
 * A scope that had links, or ended by one. What it was linked to may have hung on
 * that, as on its children a parent does.
 */
static noinline void ctx_release_linked(struct ctx_scope *scope, struct llist_node **dead)
{
	struct ctx *followed = ctx_followed(scope);

	ctx_drop_links(scope, dead);
	if (followed)
		scope->followed = NULL;
	/* Before what keeps the origin, at which this may look. */
	ctx_scope_release(scope);
	if (followed && ctx_drop(followed))
		ctx_dead_push(dead, followed);
}

static __always_inline void ctx_release_one(struct ctx *ctx, struct ctx_bulk *bulk,
					    struct llist_node **dead)
{
	struct ctx_scope *scope = container_of(ctx, struct ctx_scope, node);

	if (ctx_is_plain(ctx))
		ctx_bulk_add(bulk, scope);
	else if (!ctx_is_scope(ctx))
		ctx_value_release(ctx);
	else if (scope->state.extra)
		ctx_release_linked(scope, dead);
	else
		ctx_scope_release(scope);
}

/*
 * The last reference is gone; and so perhaps is that of the parent, and of what it
 * was linked to, and so on.
 */
noinline void ctx_release_chain(struct ctx *ctx)
{
	struct ctx_bulk bulk = { .nr = 0 };
	struct llist_node *dead = NULL;
	struct ctx *parent;
	int generation = 0;
	u8 nest;

	do {
		if (unlikely(ctx_release_later(ctx, generation++))) {
			ctx_leave_dead(ctx, dead);
			break;
		}
		parent = ctx->parent;
		nest = ctx_is_scope(ctx) ? ctx->nest : 0;
		ctx_release_one(ctx, &bulk, &dead);
		ctx = ctx_drop_parent(parent, nest) ? parent : ctx_dead_pop(&dead);
	} while (ctx);
	ctx_bulk_free(&bulk);
}

/* The same for the most frequent case, one whose parent lives: no frame for a bulk. */
static __always_inline void ctx_release(struct ctx *ctx)
{
	struct ctx_scope *scope = container_of(ctx, struct ctx_scope, node);
	struct ctx *parent = ctx->parent;
	u8 nest = ctx->nest;

	if (likely(ctx_is_plain(ctx))) {
		ctx_scope_strip(scope);
		kmem_cache_free(ctx_cancel_cache, scope);
	} else if (ctx_is_scope(ctx) && !scope->state.extra && !ctx_release_later(ctx, 0)) {
		ctx_scope_release(scope);
	} else {
		ctx_release_chain(ctx);
		return;
	}
	if (ctx_drop_parent(parent, nest))
		ctx_release_chain(parent);
}

static void ctx_release_dead(struct work_struct *work)
{
	struct ctx *ctx, *next;

	llist_for_each_entry_safe(ctx, next, llist_del_all(&ctx_dead), dead) {
		ctx_release_chain(ctx);
		cond_resched();
	}
}

/**
 * ctx_put - drop a reference
 * @ctx: the context; NULL and ERR_PTR are ignored
 *
 * With the last reference the context is gone: its timer is disarmed, its
 * reference on the parent dropped in turn, however long the chain (S7, S19). It
 * is not cancelled by that; nobody is left who could see it. Its links are gone. A
 * callback that is still registered is reported (S12).
 *
 * Ordering: what was done with @ctx before comes before it is released: what each of
 * its holders wrote is visible to the release functions of values that go with it
 * (S9).
 *
 * Context: Any but NMI, under spinlocks and with interrupts off too. On
 * PREEMPT_RT, in atomic context, a worker does the rest (S18).
 */
void ctx_put(struct ctx *ctx)
{
	if (!IS_ERR_OR_NULL(ctx) && !ctx_is_root(ctx) && ctx_drop(ctx))
		ctx_release(ctx);
}
EXPORT_SYMBOL_GPL(ctx_put);

/* Everything below is for coming and going of the module. */

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
			list_add_tail(&child->found, found);
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
	char path[160], place[160];

	ctx_barrier();
	ctx_collect(&ctx_roots[0], &found);
	ctx_collect(&ctx_roots[1], &found);
	list_for_each_entry(scope, &found, found) {
		refcount_set(&scope->node.ref, REFCOUNT_MAX / 2);
		ctx_collect(scope, &found);
		if (leaks++ >= CTX_LEAKS_SHOWN)
			continue;
		ctx_describe(&scope->node, path, sizeof(path));
		pr_err("leaked: %s%s\n", path,
		       ctx_debug_place(&scope->node, place, sizeof(place)));
	}
	if (!leaks)
		return;
	pr_err("%u contexts were derived but never cancelled nor put\n", leaks);
	list_for_each_entry_safe_reverse(scope, prev, &found, found) {
		INIT_HLIST_NODE(&scope->sibling);
		ctx_queue_init(&scope->callbacks);
		INIT_HLIST_BL_HEAD(&scope->links);
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
	err = ctx_spread_roots();
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
	ctx_spread_free_roots();
	kmem_cache_destroy(ctx_cancel_cache);
}
