// SPDX-License-Identifier: GPL-2.0
/*
 * Values: nodes that carry one key and one value, and share everything else with
 * what is above them.
 *
 * A look-up follows ->value from one value node to the next, or asks the index
 * that some of them share: see index.c. Each node is freed by a grace period of
 * its own that begins when its last reference is gone; the nodes above it lose
 * theirs later, so who holds a reference on one, or got hold of it under RCU, can
 * follow the chain to the root (S9).
 */
#include <linux/llist.h>
#include <linux/rcupdate.h>

#include "internal.h"

static struct kmem_cache *ctx_value_cache;
static LLIST_HEAD(ctx_released);

/* Queued for its release function, a node is linked through its rcu head. */
static_assert(sizeof(struct llist_node) <= sizeof(struct rcu_head));

static void ctx_value_free(struct ctx_value *v)
{
	if (v->node.kind & CTX_F_USER)
		ctx_user_free(&v->node);
	else
		kmem_cache_free(ctx_value_cache, v);
}

static struct ctx_value *ctx_value_of_released(struct llist_node *node)
{
	return container_of((struct rcu_head *)node, struct ctx_value, node.rcu);
}

static void ctx_run_releases(struct work_struct *work)
{
	struct llist_node *node, *next;

	llist_for_each_safe(node, next, llist_del_all(&ctx_released)) {
		struct ctx_value *v = ctx_value_of_released(node);

		v->release(v->value);
		ctx_value_free(v);
		cond_resched();
	}
}

static DECLARE_WORK(ctx_release_work, ctx_run_releases);

/* No reader is left. The release function may sleep; this may not. */
static void ctx_value_retire(struct rcu_head *rcu)
{
	struct ctx_value *v = container_of(rcu, struct ctx_value, node.rcu);

	/* Only the first of a segment still has it. */
	if (ctx_index_of(v->node.link))
		ctx_index_free(ctx_index_of(v->node.link));
	if (!v->release)
		ctx_value_free(v);
	else if (llist_add((struct llist_node *)rcu, &ctx_released))
		schedule_work(&ctx_release_work);
}

/* The last reference is gone, but for those that a value holds on what is above. */
void ctx_value_release(struct ctx *ctx)
{
	struct ctx_value *v = container_of(ctx, struct ctx_value, node);
	struct ctx_index *index;

	ctx_drop_on_dones(ctx);
	ctx_note_release(ctx);
	if (!ctx_is_value(ctx)) {
		ctx_value_free(v);
		return;
	}
	index = ctx_index_of(ctx->link);
	if (index)
		ctx_index_leave(index, v);
	call_rcu(&ctx->rcu, ctx_value_retire);
}

/* Until every release that RCU has let through so far has run. */
void ctx_value_flush(void)
{
	rcu_barrier();
	flush_work(&ctx_release_work);
}

void ctx_value_start(struct ctx_value *v, struct ctx *parent, const void *key, void *value,
		     void (*release)(void *value), u8 kind, gfp_t gfp)
{
	ctx_mark_used(ctx_scope(parent));
	ctx_node_init(&v->node, ctx_hold(parent), parent->state, kind);
	v->key = key;
	v->value = value;
	v->release = release;
	ctx_index_join(v, gfp);
}

/**
 * ctx_with_value - derive a context that carries a value
 * @parent: what it is derived from; as with ctx_with_cancel()
 * @key: compared by identity: the address of some static object of its owner
 * @value: what ctx_value() will return; NULL hides one further up
 * @release: called once with @value, from a workqueue, after the last reader can
 *	have gone; not at all if this fails; may sleep; may be NULL
 * @gfp: how to allocate
 *
 * It has no state of its own: it is done when its nearest cancelable ancestor
 * is, and cancelling it does nothing (S3, S9).
 *
 * Ordering: what was written before each ctx_put() of it, or of what is below it, is
 * visible to @release.
 *
 * Context: Any that @gfp allows; on PREEMPT_RT not in atomic context (S18).
 * Return: the context, with one reference for the caller; ERR_PTR(-EINVAL) for
 * a NULL @parent or @key; an ERR_PTR @parent; ERR_PTR(-ENOMEM).
 */
struct ctx *ctx_with_value(struct ctx *parent, const void *key, void *value,
			   void (*release)(void *value), gfp_t gfp)
{
	struct ctx_value *v;

	if (IS_ERR(parent))
		return parent;
	if (!parent || !key)
		return ERR_PTR(-EINVAL);
	v = kmem_cache_alloc(ctx_value_cache, gfp);
	if (!v)
		return ERR_PTR(-ENOMEM);
	ctx_value_start(v, parent, key, value, release, CTX_VALUE, gfp);
	ctx_note_derive(&v->node);
	return &v->node;
}
EXPORT_SYMBOL_GPL(ctx_with_value);

/* Keys of processes are hashes: no pointer, even if it should have the same bits. */
static bool ctx_match_key(const struct ctx_value *v, const void *arg)
{
	return !(v->node.kind & CTX_F_USER);
}

/*
 * The nearest of what has a lower rank than @rank; and what is above all that has one.
 * Of values with one key, the nearer is in the later slot.
 *
 * A slot of a rank that is not lower is not looked at any further: what stands for it may
 * have gone.
 *
 * Of the table only what those values are in is stable, and it may be replaced.
 * Any grace period waits for a section without preemption, which is cheaper here
 * than one with.
 */
static __always_inline const struct ctx_value *
ctx_table_find(const struct ctx_index *index, unsigned long rank, const void *key,
	       ctx_match_t match, const void *arg, const struct ctx_value **above)
{
	const struct ctx_value *v, *found = NULL;
	const struct ctx_table *table;
	unsigned long at;
	const u16 *slot;

	rcu_read_lock_sched();
	table = rcu_dereference_sched(index->table);
	for (slot = ctx_table_home(table, key); (at = READ_ONCE(*slot)); slot++) {
		/* Else gcc has it in two registers, one for each of its uses. */
		OPTIMIZER_HIDE_VAR(at);
		if (at >= rank)
			continue;
		v = READ_ONCE(table->node[at]);
		if (v->key == key && match(v, arg))
			found = v;
	}
	*above = table->node[0];
	rcu_read_unlock_sched();
	return found;
}

/*
 * Looks up from @*from, through plain values and at most one index. If nothing is
 * found, @*from is where to go on.
 *
 * What ->value and an index lead to needs no protection of its own: the caller's
 * reference or section keeps it, and the index of a member. That was filled before the
 * link to it was released: pairs with ctx_index_publish() by dependency.
 */
static __always_inline const struct ctx_value *
ctx_find_step(const struct ctx_value **from, const void *key, ctx_match_t match, const void *arg)
{
	const struct ctx_value *v = *from, *found, *above;
	unsigned long link;

	for (;;) {
		if (v->key == key && match(v, arg))
			return v;
		link = READ_ONCE(v->node.link);
		if (link & CTX_INDEXED)
			break;
		v = (const struct ctx_value *)link;
		if (!v)
			goto none;
	}
	found = ctx_table_find(ctx_index_of(link), v->node.rank, key, match, arg, &above);
	ctx_torture_point();
	/* Pairs with ctx_index_leave(): released meanwhile, @v is plain. */
	smp_rmb();
	if (likely(READ_ONCE(v->node.link) == link)) {
		if (found)
			return found;
		v = above;
	}
none:
	*from = v;
	return NULL;
}

/* The nearest value under @key, at @v or above, of which @match says that it is. */
static noinline const struct ctx_value *
ctx_find(const struct ctx_value *v, const void *key, ctx_match_t match, const void *arg)
{
	const struct ctx_value *found = NULL;

	while (v && !found)
		found = ctx_find_step(&v, key, match, arg);
	return found;
}

/* As ctx_value(), for keys that @match tells apart; it must not sleep. */
const struct ctx_value *ctx_value_find(const struct ctx *ctx, const void *key,
				       ctx_match_t match, const void *arg)
{
	return ctx_find(ctx_first_value(ctx), key, match, arg);
}

/**
 * ctx_value - look up a value
 * @ctx: the context; the caller holds a reference, or is in an RCU read-side critical
 *	section in which he found a value context that was alive: of other kinds the memory
 *	is not kept until its end
 * @key: the key
 *
 * The nearest value wins, at @ctx or above it, through nodes of every kind and
 * the same after cancellation (S9). No lock, no reference.
 *
 * Ordering: none of its own: who was handed @ctx in an ordered way sees what had been
 * written when the value was derived.
 *
 * Context: Any but NMI (S18).
 * Return: the value; NULL if there is none. Its owner says how long it lives; it
 * is not released while a reference on @ctx is held.
 */
void *ctx_value(const struct ctx *ctx, const void *key)
{
	const struct ctx_value *v = ctx_first_value(ctx), *found;

	if (!v)
		return NULL;
	found = ctx_find_step(&v, key, ctx_match_key, NULL);
	if (unlikely(!found && v))
		found = ctx_find(v, key, ctx_match_key, NULL);
	return found ? found->value : NULL;
}
EXPORT_SYMBOL_GPL(ctx_value);

struct kmem_cache *ctx_node_cache(void)
{
	return ctx_value_cache;
}

/* Its presence spares the zeroing of what is filled in at once. */
static void ctx_value_ctor(void *object)
{
}

int ctx_value_init(void)
{
	ctx_value_cache = kmem_cache_create("ctx_value", sizeof(struct ctx_value), 0,
					    SLAB_HWCACHE_ALIGN, ctx_value_ctor);
	return ctx_value_cache ? 0 : -ENOMEM;
}

void ctx_value_exit(void)
{
	kmem_cache_destroy(ctx_value_cache);
}
