// SPDX-License-Identifier: GPL-2.0
/*
 * An index over the values of a chain, so that a look-up costs the same however
 * many there are (S9).
 *
 * A *segment* is a run of values, each the nearest above the next, that share an
 * index: a hash table of their ranks. The *first* of them owns the index, which
 * is freed with it, after a grace period: the others keep it alive. A new value
 * joins the segment of the one above if that is its *tip*, the last so far. Below
 * any other member it begins a branch: it is *plain*, known to nobody but those
 * below it. The rank of a plain value is how many, from it upwards, an index that is
 * made below it will have.
 *
 * Below CTX_RUN plain values in a row a new one makes an index of them. Its owner is
 * the last but one, and the last its other member: so those that are derived from
 * either later share it, and an index of 144 bytes has three values at the least, the
 * new one included, which are not among the first three of any other.
 *
 * A look-up from a member heeds what has a lower rank than its own, so it sees
 * neither what is below nor beside it, and nothing that it does see is written
 * while it looks: that was there before the member was, and stays until it goes.
 *
 * Who moves ->tip by compare-and-exchange, from the rank of a value on which he
 * holds a reference to the next, alone writes the table from then on: the new
 * member cannot be derived from yet, and when its last reference goes it is the
 * tip again, as all that came later held references on it. Last in, first out: so
 * a slot is emptied without a trace, and what was put further for its sake has
 * gone before. The previous writer's stores come first: he has either made the
 * one above, and so come before the reference on it, or made it a member with a
 * release, or given the tip back with one, which pairs with that exchange.
 *
 * An index is a matter of speed only: without memory for it a value is plain.
 */
#include <linux/mm.h>
#include <linux/rcupdate.h>
#include <linux/sizes.h>

#include "internal.h"

/* How many plain values in a row the table of an index may have. */
#define CTX_RUN_MAX	1000

/*
 * Bytes of a table for each value, when it is full: 8 for the pointer, the others
 * for slots, of which about one in seven is taken then, in the least table two in
 * five. With one value more than fits, it is replaced by one of up to twice the size,
 * and has at least half as many that are nobody else's, so that it takes 48 for each.
 */
#define CTX_TABLE_SHARE	22
#define CTX_TABLE_MIN	128
#define CTX_TABLE_MAX	SZ_512K

static void ctx_table_free_rcu(struct rcu_head *rcu)
{
	kvfree(container_of(rcu, struct ctx_table, rcu));
}

static unsigned int ctx_table_room(size_t size)
{
	return size / CTX_TABLE_SHARE + 1;
}

/* The smallest that has room for @n values, in a size that the allocator has. */
static size_t ctx_table_size(unsigned int n)
{
	size_t size = CTX_TABLE_MIN;

	while (ctx_table_room(size) < n)
		size = kmalloc_size_roundup(size + 1);
	return size;
}

/* An empty table for @n values or more. */
static struct ctx_table *ctx_table_alloc(unsigned int n, unsigned int *room, gfp_t gfp)
{
	const size_t max = gfpflags_allow_blocking(gfp) ? CTX_TABLE_MAX :
							  PAGE_SIZE << PAGE_ALLOC_COSTLY_ORDER;
	const size_t size = ctx_table_size(n);
	struct ctx_table *table = size <= max ? kvzalloc(size, gfp) : NULL;

	if (!table)
		return NULL;
	*room = ctx_table_room(size);
	table->slot = (u16 *)&table->node[*room + 1];
	/* Of @room values in a row the last is put @room - 1 from its home. */
	table->homes = (u16 *)((u8 *)table + size) - table->slot - min(*room, CTX_PROBE);
	return table;
}

/*
 * Puts @v into a slot, unless there are too many of the same hash already. The
 * last slot of a table stays empty.
 */
static bool ctx_table_add(struct ctx_table *table, struct ctx_value *v, unsigned int rank)
{
	u16 *slot = ctx_table_home(table, v->key), *end = slot + CTX_PROBE;

	while (*slot)
		if (++slot == end)
			return false;
	WRITE_ONCE(table->node[rank], v);
	/*
	 * Who looks it up from further down came after. This is for somebody under
	 * RCU whose context has just gone: pairs with the dependency in
	 * ctx_table_find().
	 */
	smp_store_release(slot, rank);
	return true;
}

static void ctx_table_remove(struct ctx_table *table, struct ctx_value *v)
{
	u16 *slot = ctx_table_home(table, v->key);

	while (*slot != v->node.rank)
		slot++;
	WRITE_ONCE(*slot, 0);
}

/* In the order of ranks, so that what goes first stands further from home. */
static bool ctx_table_add_all(struct ctx_table *table, struct ctx_value * const *node,
			      unsigned int n)
{
	unsigned int rank;

	for (rank = 1; rank <= n; rank++)
		if (!ctx_table_add(table, node[rank], rank))
			return false;
	return true;
}

/* Replaces a full table by a larger one that has @v too. */
static bool ctx_index_grow(struct ctx_index *index, struct ctx_value *v, gfp_t gfp)
{
	struct ctx_table *old = ctx_index_table(index), *table;
	const unsigned int n = v->node.rank - 1;
	unsigned int room;

	table = ctx_table_alloc(n + 1, &room, gfp);
	if (!table)
		return false;
	if (!ctx_table_add_all(table, old->node, n) || !ctx_table_add(table, v, n + 1)) {
		kvfree(table);
		return false;
	}
	table->node[0] = old->node[0];
	index->room = room;
	rcu_assign_pointer(index->table, table);
	call_rcu(&old->rcu, ctx_table_free_rcu);
	return true;
}

/* Makes @v the tip of a segment if the one above is. */
static bool ctx_index_extend(struct ctx_index *index, struct ctx_value *v, unsigned int tip,
			     gfp_t gfp)
{
	bool added;

	v->node.rank = 1;
	/* Fully ordered: see above for what comes before. */
	if (READ_ONCE(index->tip) != tip || cmpxchg(&index->tip, tip, tip + 1) != tip)
		return false;
	v->node.rank = tip + 1;
	ctx_torture_point();
	added = tip < index->room ? ctx_table_add(ctx_index_table(index), v, tip + 1) :
				    ctx_index_grow(index, v, gfp);
	if (!added) {
		v->node.rank = 1;
		/* Pairs with the exchange above, by whoever is next. */
		smp_store_release(&index->tip, tip);
	}
	return added;
}

/* The nearest value above, of a plain one or of a member. */
static struct ctx_value *ctx_value_above(const struct ctx_value *v)
{
	return (struct ctx_value *)ctx_first_value(v->node.parent);
}

/* Fills a new index with the @n values from @last upwards. */
static bool ctx_index_fill(struct ctx_index *index, struct ctx_value *last, unsigned int n)
{
	struct ctx_table *table = ctx_index_table(index);
	unsigned int i;

	for (i = n; i; i--, last = ctx_value_above(last))
		table->node[i] = last;
	table->node[0] = last;
	index->first = n - 1;
	index->tip = n;
	return ctx_table_add_all(table, table->node, n);
}

/*
 * An index of the @n values from @last upwards, with room for one more; NULL if one of
 * them finds no slot.
 */
static struct ctx_index *ctx_index_alloc(struct ctx_value *last, unsigned int n, gfp_t gfp)
{
	struct ctx_index *index = kmalloc(sizeof(*index), gfp);
	struct ctx_table *table;
	unsigned int room;

	table = index ? ctx_table_alloc(n + 1, &room, gfp) : NULL;
	if (!table) {
		kfree(index);
		return ERR_PTR(-ENOMEM);
	}
	index->room = room;
	RCU_INIT_POINTER(index->table, table);
	if (ctx_index_fill(index, last, n))
		return index;
	ctx_index_free(index);
	return NULL;
}

/*
 * Has @owner own an index, of which @last is a member, too. Several may do that to one
 * @owner, of whom the first wins. And what has been below @last before may have made it
 * an owner by now: then nobody will ever be derived from the tip, nor look at what is in
 * its slot.
 *
 * Released, both: pairs with the dependency in ctx_find_step(), and __ctx_index_join().
 */
static void ctx_index_publish(struct ctx_index *index, struct ctx_value *owner,
			      struct ctx_value *last)
{
	const unsigned long above = (unsigned long)ctx_value_above(owner);
	const unsigned long link = (unsigned long)index | CTX_INDEXED;

	if (cmpxchg_release(&owner->node.link, above, link) != above) {
		ctx_index_free(index);
		return;
	}
	ctx_torture_point();
	cmpxchg_release(&last->node.link, (unsigned long)owner, link);
}

/*
 * Makes an index of the plain values from @last upwards, unless it cannot, or has been
 * made meanwhile. @v is to be below @last: this is its rank if that stays plain.
 */
static void ctx_index_start(struct ctx_value *v, struct ctx_value *last, gfp_t gfp)
{
	struct ctx_value *owner = ctx_value_above(last);
	const unsigned int n = last->node.rank;
	struct ctx_index *index;

	v->node.rank = 2;
	if (READ_ONCE(owner->node.link) & CTX_INDEXED)
		return;
	index = ctx_index_alloc(last, n, gfp);
	if (IS_ERR(index))
		v->node.rank = n < CTX_RUN_MAX ? n + 1 : 1;
	else if (!index)
		/* One key too often: without those that have it, next time. */
		v->node.rank = 1;
	else
		ctx_index_publish(index, owner, last);
}

/*
 * Makes a new value a member of the segment above, or of a new one, if it can. The
 * caller holds a reference on what is above it.
 */
void __ctx_index_join(struct ctx_value *v, gfp_t gfp)
{
	struct ctx_value *above = v->node.value;
	unsigned long link = READ_ONCE(above->node.link);

	/* Nobody should be killed for it, or told. */
	gfp &= ~(__GFP_NOFAIL | __GFP_RETRY_MAYFAIL);
	gfp |= __GFP_NORETRY | __GFP_NOWARN;
	if (!(link & CTX_INDEXED)) {
		ctx_index_start(v, above, gfp);
		link = READ_ONCE(above->node.link);
	}
	if (link & CTX_INDEXED && ctx_index_extend(ctx_index_of(link), v, above->node.rank, gfp))
		v->node.link = link;
}

/*
 * The last reference on a member is gone: it becomes plain. Its slot will be
 * another's, so somebody under RCU who looks up from @v must not trust what he
 * finds there afterwards: he sees the link changed if he can see anything of that.
 *
 * Once the first has gone nobody writes the table any more, and who is there may
 * go on with it. The index is freed with @v.
 */
void ctx_index_leave(struct ctx_index *index, struct ctx_value *v)
{
	struct ctx_table *table = ctx_index_table(index);
	const unsigned int rank = v->node.rank;

	if (rank == index->first)
		return;
	WRITE_ONCE(v->node.link, (unsigned long)table->node[rank - 1]);
	ctx_torture_point();
	/* Pairs with the read barrier in ctx_find_step(). */
	smp_wmb();
	ctx_table_remove(table, v);
	/* Pairs with the exchange in ctx_index_extend(). */
	smp_store_release(&index->tip, rank - 1);
}

/* No reader is left. */
void ctx_index_free(struct ctx_index *index)
{
	kvfree(ctx_index_table(index));
	kfree(index);
}
