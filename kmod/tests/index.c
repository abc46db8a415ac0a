// SPDX-License-Identifier: GPL-2.0
/*
 * S9: what speeds a look-up up answers like a walk over the chain, wherever the
 * look-up starts, and whoever comes and goes below and beside it.
 */
#include <linux/cpumask.h>
#include <linux/hrtimer.h>
#include <linux/mm.h>
#include <linux/prandom.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "test.h"

#define KEYS	3000

static const char keys[KEYS + 1];
#define ABSENT	(&keys[KEYS])

static void *as_value(unsigned long n)
{
	return (void *)n;
}

static struct ctx **chain_alloc(struct kunit *test, int n)
{
	struct ctx **node = kunit_kzalloc(test, n * sizeof(*node), GFP_KERNEL);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, node);
	return node;
}

/* Key i at depth i, with a value of i + 1 + @add, from depth @from to @to. */
static void chain_make(struct kunit *test, struct ctx **node, int from, int to, int add)
{
	int i;

	for (i = from; i < to; i++)
		node[i] = ct_value(test, i ? node[i - 1] : ctx_background(), &keys[i],
				   as_value(i + 1 + add));
}

static void chain_put(struct ctx **node, int from, int to)
{
	while (to-- > from)
		ctx_put(node[to]);
}

/* What is at @depth of a chain sees what is at @other, if that is not below. */
static int sees(struct ctx *c, int depth, int other)
{
	return ctx_value(c, &keys[other]) == as_value(other <= depth ? other + 1 : 0);
}

/* Near, far, in between, and what comes next. */
static int sees_some(struct ctx *c, int depth)
{
	return sees(c, depth, depth) && sees(c, depth, depth + 1) && sees(c, depth, 0) &&
	       sees(c, depth, depth / 2) && sees(c, depth, max(depth - 1, 0)) &&
	       sees(c, depth, depth * 7 / 8) && sees(c, depth, min(depth + 9, KEYS - 1)) &&
	       !ctx_value(c, ABSENT);
}

static int sees_all(struct ctx *c, int depth, int n)
{
	int i, bad = 0;

	for (i = 0; i < n; i++)
		bad += !sees(c, depth, i);
	return !bad && !ctx_value(c, ABSENT);
}

/* Down and up again: whatever is made of more values at some depth is unmade. */
static void s9_every_depth_going_down_and_up(struct kunit *test)
{
	struct ctx **node = chain_alloc(test, KEYS);
	int i, bad = 0;

	for (i = 0; i < KEYS - 1; i++) {
		chain_make(test, node, i, i + 1, 0);
		bad += !sees_some(node[i], i) + !sees_some(node[i / 2], i / 2);
		bad += i && !sees_some(node[i - 1], i - 1);
	}
	KUNIT_EXPECT_EQ(test, bad, 0);
	for (i = 0; i < KEYS - 1; i += 1 + KEYS / ct_times(200))
		bad += !sees_all(node[i], i, KEYS);
	KUNIT_EXPECT_EQ(test, bad, 0);
	for (i = KEYS - 2; i > 0; i--) {
		ctx_put(node[i]);
		bad += !sees_some(node[i - 1], i - 1) + !sees_some(node[i / 2], i / 2);
	}
	KUNIT_EXPECT_EQ(test, bad, 0);
	ctx_put(node[0]);
}

/* Every depth as the end, to which other values come than went before. */
static void s9_every_depth_begun_anew(struct kunit *test)
{
	enum { DEPTH = 130, TAIL = 7 };
	struct ctx **node = chain_alloc(test, DEPTH + TAIL);
	int n, i, bad = 0;

	for (n = 1; n < DEPTH; n++) {
		chain_make(test, node, 0, n + TAIL, 0);
		chain_put(node, n, n + TAIL);
		for (i = n; i < n + TAIL; i++)
			bad += !sees_all(node[n - 1], n - 1, n + TAIL);
		/* The other way round, so that the same depth has another key. */
		for (i = 0; i < TAIL; i++)
			node[n + i] = ct_value(test, node[n + i - 1], &keys[n + TAIL - 1 - i],
					       as_value(1000 + i));
		for (i = 0; i < TAIL; i++) {
			struct ctx *c = node[n + i];
			int k;

			for (k = 0; k < n; k++)
				bad += !sees(c, n, k);
			for (k = 0; k < TAIL; k++)
				bad += ctx_value(c, &keys[n + TAIL - 1 - k]) !=
				       as_value(k <= i ? 1000 + k : 0);
		}
		chain_put(node, 0, n + TAIL);
	}
	KUNIT_EXPECT_EQ(test, bad, 0);
}

/* A branch sees itself and what is above it, be it one value or many. */
static int branch_is_apart(struct kunit *test, struct ctx **node, int depth, int n, int length)
{
	enum { LONGEST = 40 };
	struct ctx *branch[LONGEST];
	int i, k, bad = 0;

	for (i = 0; i < length; i++)
		/* Every second shadows something of the chain, above or below. */
		branch[i] = ct_value(test, i ? branch[i - 1] : node[depth],
				     i % 2 ? &keys[(depth + i) % n] : &keys[n + i],
				     as_value(2000 + i));
	for (i = 0; i < length; i++) {
		for (k = 0; k < n + length; k++) {
			int at = k >= n ? k - n : (k - depth + n) % n;
			bool there = at <= i && at % 2 == (k < n);

			bad += ctx_value(branch[i], &keys[k]) !=
			       (there ? as_value(2000 + at) : as_value(k <= depth ? k + 1 : 0));
		}
		bad += !!ctx_value(branch[i], ABSENT);
	}
	for (i = 0; i < n; i++)
		bad += !sees_all(node[i], i, n + length);
	for (i = length; i--; ) {
		ctx_put(branch[i]);
		bad += !sees_all(node[depth], depth, n + length);
	}
	return bad;
}

static void s9_a_branch_from_every_depth(struct kunit *test)
{
	enum { N = 33 };
	struct ctx **node = chain_alloc(test, N);
	int depth, length, bad = 0;

	chain_make(test, node, 0, N, 0);
	for (depth = 0; depth < N; depth += IS_ENABLED(CONFIG_KASAN) ? 5 : 1)
		for (length = 1; length < 25; length++)
			bad += branch_is_apart(test, node, depth, N, length);
	KUNIT_EXPECT_EQ(test, bad, 0);
	chain_put(node, 0, N);
}

/* While a child of the last one lives, another's is a branch; later it need not be. */
static void s9_the_end_of_a_chain_is_given_back(struct kunit *test)
{
	struct ctx **node = chain_alloc(test, 100);
	int n, i, bad = 0;

	for (n = 1; n < 60; n++) {
		struct ctx *a, *b, *c, *d;

		chain_make(test, node, 0, n, 0);
		a = ct_value(test, node[n - 1], &keys[n], as_value(501));
		b = ct_value(test, node[n - 1], &keys[n], as_value(502));
		bad += ctx_value(a, &keys[n]) != as_value(501);
		bad += ctx_value(b, &keys[n]) != as_value(502);
		ctx_put(a);
		c = ct_value(test, node[n - 1], &keys[n + 1], as_value(503));
		d = ct_value(test, c, &keys[n], as_value(504));
		bad += ctx_value(b, &keys[n]) != as_value(502) || ctx_value(b, &keys[n + 1]);
		bad += ctx_value(c, &keys[n]) || ctx_value(c, &keys[n + 1]) != as_value(503);
		bad += ctx_value(d, &keys[n]) != as_value(504) ||
		       ctx_value(d, &keys[n + 1]) != as_value(503);
		for (i = 0; i < n; i++)
			bad += !sees(b, n - 1, i) + !sees(c, n - 1, i) + !sees(d, n - 1, i);
		bad += !sees_all(node[n - 1], n - 1, n + 2);
		ctx_put(b);
		ctx_put(c);
		bad += ctx_value(d, &keys[n + 1]) != as_value(503);
		ctx_put(d);
		bad += !sees_all(node[n - 1], n - 1, n + 2);
		chain_put(node, 0, n);
	}
	KUNIT_EXPECT_EQ(test, bad, 0);
}

/* The same key thousands of times, alone and with one in between. */
static void s9_one_key_at_every_depth(struct kunit *test)
{
	const int n = ct_times(5000);
	struct ctx **node = chain_alloc(test, n);
	int every, i, bad = 0;

	for (every = 1; every < 4; every++) {
		for (i = 0; i < n; i++)
			node[i] = ct_value(test, i ? node[i - 1] : ctx_background(),
					   !i ? &keys[1] : i % every ? &keys[2 + i % KEYS / 2] :
					   &keys[0], as_value(i + 1));
		for (i = 0; i < n; i++) {
			int nearest = i - i % every;

			bad += ctx_value(node[i], &keys[0]) !=
			       as_value(nearest ? nearest + 1 : 0);
			bad += i % 50 == 0 && ctx_value(node[i], &keys[1]) != as_value(1);
			bad += i % 50 == 0 && ctx_value(node[i], ABSENT);
		}
		for (i = n; i--; ) {
			ctx_put(node[i]);
			if (i > 1)
				bad += ctx_value(node[i - 1], &keys[0]) !=
				       as_value((i - 1) / every ?
						(i - 1) - (i - 1) % every + 1 : 0);
		}
	}
	KUNIT_EXPECT_EQ(test, bad, 0);
}

/* Each key, so that each home in tables of several sizes: the last one, too, is full. */
static void s9_one_key_fills_its_slots(struct kunit *test)
{
	static const int lengths[] = { 5, 6, 7, 9, 10, 12, 13 };
	struct ctx *node[13];
	int k, i, n, bad = 0;

	for (k = 0; k < ct_times(KEYS); k++) {
		n = lengths[k % ARRAY_SIZE(lengths)];
		for (i = 0; i < n; i++)
			node[i] = ct_value(test, i ? node[i - 1] : ctx_background(), &keys[k],
					   as_value(i + 1));
		for (i = 0; i < n; i++)
			bad += ctx_value(node[i], &keys[k]) != as_value(i + 1);
		/* Whatever shares their home, or the one before. */
		for (i = 0; i < 50; i++)
			bad += !!ctx_value(node[n - 1], &keys[(k + 1 + i * 53) % KEYS]);
		chain_put(node, 0, n);
	}
	KUNIT_EXPECT_EQ(test, bad, 0);
}

enum flat_trouble { NO_TROUBLE, A_CHILD_BEFORE, A_FULL_SLOT, A_LOT_BEFORE, TROUBLES };

/* One that is there a thousand times is found near. */
static void s9_a_key_set_often_is_found_as_quickly(struct kunit *test)
{
	enum { N = 2000, TIMES = 25 };
	struct ctx **node = chain_alloc(test, N);
	u64 few = U64_MAX, many;
	int i;

	for (i = 0; i < N; i++) {
		node[i] = ct_value(test, i ? node[i - 1] : ctx_background(),
				   i % 2 ? &keys[i] : &keys[0], as_value(i + 1));
		if (i == 11)
			few = ct_value_ns(node[i], &keys[0]);
	}
	many = ct_value_ns(node[N - 1], &keys[0]);
	KUNIT_EXPECT_PTR_EQ(test, ctx_value(node[N - 1], &keys[0]), as_value(N - 1));
	KUNIT_EXPECT_LT(test, many, TIMES * few);
	chain_put(node, 0, N);
}

/* What has come and gone, or could not be had in the index, must not slow others. */
static void trouble(struct kunit *test, struct ctx *c, enum flat_trouble what, int depth)
{
	int i;

	if (what == A_CHILD_BEFORE)
		ctx_put(ct_value(test, c, &keys[KEYS - 1], as_value(1)));
	else if (what == A_FULL_SLOT)
		ctx_put(ct_value(test, c, &keys[1], as_value(1)));
	else if (what == A_LOT_BEFORE && depth % 10 == 0)
		for (i = 0; i < 100; i++)
			ctx_put(ct_value(test, c, &keys[(i * 29 + depth) % KEYS], as_value(1)));
}

/* Not how quick, which is for a benchmark, but that it does not get slower. */
static void s9_a_look_up_costs_the_same_at_every_depth(struct kunit *test)
{
	/* OFTEN: no index takes a key once more. */
	enum { N = 2500, TIMES = 25, OFTEN = 12 };
	struct ctx **node = chain_alloc(test, N);
	enum flat_trouble what;
	u64 near, far, absent;
	int i;

	for (what = 0; what < TROUBLES; what++) {
		for (i = 0; i < N; i++) {
			if (i)
				trouble(test, node[i - 1], what, i);
			node[i] = ct_value(test, i ? node[i - 1] : ctx_background(),
					   &keys[what == A_FULL_SLOT && i < OFTEN ? 1 : i],
					   as_value(i + 1));
		}
		near = ct_value_ns(node[20], &keys[15]);
		far = ct_value_ns(node[N - 1], &keys[15]);
		absent = ct_value_ns(node[N - 1], ABSENT);
		KUNIT_EXPECT_LT_MSG(test, far, TIMES * near, "trouble %d", what);
		KUNIT_EXPECT_LT_MSG(test, absent, TIMES * near, "trouble %d", what);
		chain_put(node, 0, N);
	}
}

/* The best of a few, for a hundred values that come and go below @c. */
static u64 add_ns(struct kunit *test, struct ctx *c)
{
	u64 best = U64_MAX;
	int round, i;

	for (round = 0; round < 20; round++) {
		u64 start = ktime_get_ns();

		for (i = 0; i < 100; i++)
			ctx_put(ct_value(test, c, &keys[KEYS - 1], as_value(1)));
		best = min(best, ktime_get_ns() - start);
		cond_resched();
	}
	return best + 1;
}

/* A table is made anew once when it is full, not for each that comes then. */
static void s9_a_value_is_added_as_quickly_at_every_depth(struct kunit *test)
{
	enum { N = 2500, TIMES = 25 };
	struct ctx **node = chain_alloc(test, N);
	u64 near, far;

	chain_make(test, node, 0, 20, 0);
	near = add_ns(test, node[19]);
	chain_make(test, node, 20, N, 0);
	far = add_ns(test, node[N - 1]);
	KUNIT_EXPECT_LT(test, far, TIMES * near);
	chain_put(node, 0, N);
}

static long slab_bytes(void)
{
	ctx_barrier();
	rcu_barrier();
	return global_node_page_state_pages(NR_SLAB_UNRECLAIMABLE_B) * PAGE_SIZE;
}

/* With KASAN nothing has its size. */
static int fan_size(void)
{
	return IS_ENABLED(CONFIG_KASAN) ? 120 : 60000;
}

/* Lines of @tail below one of @depth. */
static void fan_make(struct kunit *test, struct ctx *p, struct ctx **leaf, int depth, int tail,
		     int n)
{
	int i, k;

	for (i = 0; i < n; i++) {
		leaf[i] = ctx_get(p);
		for (k = depth; k < depth + tail; k++) {
			struct ctx *above = leaf[i];

			leaf[i] = ct_value(test, above, &keys[k], as_value(k + 1));
			ctx_put(above);
		}
		cond_resched();
	}
}

/* What @n values take there. The first few thousand go where the slabs have room left. */
static long fan_bytes(struct kunit *test, struct ctx **leaf, int depth, int tail, int n)
{
	const int lines = n / tail, first = lines / 2;
	struct ctx *node[8];
	long before, bytes;
	int i;

	chain_make(test, node, 0, depth, 0);
	fan_make(test, node[depth - 1], leaf, depth, tail, first);
	before = slab_bytes();
	fan_make(test, node[depth - 1], leaf + first, depth, tail, lines - first);
	bytes = (slab_bytes() - before) * lines / (lines - first);
	for (i = 0; i < lines; i++) {
		KUNIT_EXPECT_TRUE(test, sees_all(leaf[i], depth + tail - 1, depth + tail));
		ctx_put(leaf[i]);
	}
	chain_put(node, 0, depth);
	return bytes;
}

/*
 * Those that have many children share theirs, and no shape of a tree takes more than 48
 * bytes for each.
 */
static void s9_an_index_is_shared_by_many_children(struct kunit *test)
{
	static const struct {
		int depth;
		int tail;
	} shapes[] = { { 1, 4 }, { 2, 3 }, { 2, 5 }, { 2, 10 }, { 2, 23 }, { 4, 2 }, { 5, 1 },
		       { 8, 4 } };
	const int n = fan_size();
	struct ctx **leaf = kvcalloc(n, sizeof(*leaf), GFP_KERNEL);
	int i;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, leaf);
	for (i = 0; i < ARRAY_SIZE(shapes); i++) {
		const int depth = shapes[i].depth, tail = shapes[i].tail;
		long bytes = fan_bytes(test, leaf, depth, tail, n);

		if (!IS_ENABLED(CONFIG_KASAN))
			/* And some more, as others take slabs meanwhile. */
			KUNIT_EXPECT_LT_MSG(test, bytes, n * (64L + 48 + 8),
					    "lines of %d below %d", tail, depth);
	}
	kvfree(leaf);
}

/* Each round has an index, tables of several sizes, and a branch. */
static void s7_an_index_goes_with_its_values(struct kunit *test)
{
	const int rounds = DIV_ROUND_UP(ct_rounds, 20) + 500;
	struct ctx **node = chain_alloc(test, 110);
	struct ctx *p = ct_cancel(test, ctx_background());
	long before = slab_bytes();
	int round, i;

	for (round = 0; round < rounds; round++) {
		for (i = 0; i < 110; i++)
			node[i] = ct_value(test, !i ? p : node[i == 100 ? 40 : i - 1],
					   &keys[i], as_value(i + 1));
		chain_put(node, 0, 110);
		if (round % 16 == 0)
			ctx_barrier();
	}
	if (!IS_ENABLED(CONFIG_KASAN))
		KUNIT_EXPECT_LT(test, slab_bytes() - before, rounds * 128L + (256 << 10));
	ctx_put(p);
}

/* Of an index the 16 bytes beside its table, too. */
static void s7_many_small_indexes_go_with_their_values(struct kunit *test)
{
	enum { TIMES = 3 };
	const int n = fan_size();
	struct ctx **leaf = kvcalloc(n, sizeof(*leaf), GFP_KERNEL);
	long before;
	int i;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, leaf);
	fan_bytes(test, leaf, 2, 3, n);
	before = slab_bytes();
	for (i = 0; i < TIMES; i++)
		fan_bytes(test, leaf, 2, 3, n);
	if (!IS_ENABLED(CONFIG_KASAN))
		KUNIT_EXPECT_LT(test, slab_bytes() - before, TIMES * n / 3 * 12L);
	kvfree(leaf);
}

/* What may not sleep to get memory is answered as well. */
static void s9_a_chain_made_in_atomic_context(struct kunit *test)
{
	static DEFINE_SPINLOCK(lock);
	struct ctx **node = chain_alloc(test, KEYS);
	int i, bad = 0;

	for (i = 0; i < KEYS - 1; i++) {
		/* A few at a time, as with interrupts off nothing is freed. */
		spin_lock_irq(&lock);
		node[i] = ctx_with_value(i ? node[i - 1] : ctx_background(), &keys[i],
					 as_value(i + 1), NULL, GFP_ATOMIC);
		spin_unlock_irq(&lock);
		ct_must(test, node[i]);
	}
	for (i = 0; i < KEYS - 1; i++)
		bad += !sees_some(node[i], i);
	bad += !sees_all(node[KEYS - 2], KEYS - 2, KEYS);
	KUNIT_EXPECT_EQ(test, bad, 0);
	chain_put(node, 0, KEYS - 1);
}

/*
 * A random tree, of any kind of node, held here and there. A model that is
 * walked says what each look-up should find.
 */
#define TREE	400
#define COLOURS	24

struct tree {
	struct ctx *ctx[TREE];		/* NULL: free, or only kept by what is below */
	int parent[TREE];
	int refs[TREE];			/* of the model: itself, and its children */
	int key[TREE];			/* -1 where there is no value */
	unsigned long value[TREE];
	struct rnd_state rnd;
};

static unsigned int tree_random(struct tree *tree, unsigned int n)
{
	return prandom_u32_state(&tree->rnd) % n;
}

static unsigned long tree_walk(const struct tree *tree, int i, int key)
{
	for (; i >= 0; i = tree->parent[i])
		if (tree->key[i] == key)
			return tree->value[i];
	return 0;
}

static int tree_check(const struct tree *tree, int i)
{
	int key, bad = 0;

	for (key = 0; key < COLOURS; key++)
		bad += ctx_value(tree->ctx[i], &keys[key]) != as_value(tree_walk(tree, i, key));
	return bad;
}

static void tree_put(struct tree *tree, int i)
{
	while (i >= 0 && !--tree->refs[i])
		i = tree->parent[i];
}

static void tree_derive(struct kunit *test, struct tree *tree, int i, int parent)
{
	struct ctx *p = parent < 0 ? ctx_background() : tree->ctx[parent];

	tree->parent[i] = parent;
	tree->refs[i] = 1;
	tree->key[i] = -1;
	if (parent >= 0)
		tree->refs[parent]++;
	if (tree_random(tree, 6) == 0) {
		tree->ctx[i] = ct_must(test, ct_derive(tree_random(tree, 2) ? CT_CANCEL :
						       CT_WITHOUT, p, GFP_KERNEL));
		return;
	}
	tree->key[i] = tree_random(tree, COLOURS);
	tree->value[i] = tree_random(tree, 8) ? 1 + tree_random(tree, 1000000) : 0;
	tree->ctx[i] = ct_value(test, p, &keys[tree->key[i]], as_value(tree->value[i]));
}

static void tree_drop(struct tree *tree, int i)
{
	ctx_put(tree->ctx[i]);
	tree->ctx[i] = NULL;
	tree_put(tree, i);
}

static void s9_any_tree_answers_like_a_walk(struct kunit *test)
{
	struct tree *tree = kunit_kzalloc(test, sizeof(*tree), GFP_KERNEL);
	int step, i, deepest = -1, bad = 0;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, tree);
	prandom_seed_state(&tree->rnd, 42);
	for (step = 0; step < ct_times(60000); step++) {
		i = tree_random(tree, TREE);
		/* Times of growing, and of shrinking. */
		if (tree->ctx[i] && tree_random(tree, 4) <= (step / 2000) % 4) {
			if (i == deepest)
				deepest = tree->parent[i];
			tree_drop(tree, i);
			if (deepest >= 0 && !tree->ctx[deepest])
				deepest = -1;
		} else if (!tree->refs[i]) {
			int parent = tree_random(tree, 3) ? deepest : (int)tree_random(tree, TREE);

			if (parent >= 0 && !tree->ctx[parent])
				continue;
			tree_derive(test, tree, i, parent);
			if (parent == deepest || tree_random(tree, 20) == 0)
				deepest = i;
		} else if (tree->ctx[i]) {
			bad += tree_check(tree, i);
		}
		if (step % 1024 == 0)
			cond_resched();
	}
	KUNIT_EXPECT_EQ(test, bad, 0);
	for (i = 0; i < TREE; i++) {
		if (tree->ctx[i]) {
			bad += tree_check(tree, i);
			tree_drop(tree, i);
		}
	}
	KUNIT_EXPECT_EQ(test, bad, 0);
}

/*
 * Who found a context alive under RCU may look up from it until he leaves, though
 * it and some above it have gone meanwhile, and others stand in their places.
 */
static void s9_a_reader_outlives_what_he_looks_up_from(struct kunit *test)
{
	enum { MOST = 30, LOWER = 8 };
	struct ctx *node[MOST + LOWER], *next[LOWER];
	int n, lower, i, bad = 0;

	for (n = 1; n < MOST; n++) {
		for (lower = 1; lower <= LOWER; lower++) {
			struct ctx *last;

			chain_make(test, node, 0, n + lower, 0);
			for (i = n; i < n + lower - 1; i++)
				ctx_put(node[i]);
			last = node[n + lower - 1];
			rcu_read_lock();
			ctx_put(last);
			for (i = 0; i < lower; i++)
				next[i] = ctx_with_value(i ? next[i - 1] : node[n - 1],
							 &keys[n + lower - 1 - i],
							 as_value(3000 + i), NULL, GFP_ATOMIC);
			bad += !sees_all(last, n + lower - 1, n + lower);
			/* And when all of it has gone. */
			for (i = lower; i--; )
				ctx_put(next[i]);
			for (i = n; i--; )
				ctx_put(node[i]);
			bad += !sees_all(last, n + lower - 1, n + lower);
			rcu_read_unlock();
		}
	}
	KUNIT_EXPECT_EQ(test, bad, 0);
}

/*
 * The same, at every instruction of a look-up: by an interrupt that comes in the
 * middle of it. Where two values are below two, a third makes them members of an index.
 */
struct swap {
	struct hrtimer timer;
	struct ctx *base;
	int length;
	struct ctx __rcu *found;
	unsigned int ticks;
};

/* Two that were set together and others, in another order each time. */
static void swap_lines(struct swap *swap)
{
	struct ctx *c = rcu_dereference_protected(swap->found, true), *d;
	int i;

	RCU_INIT_POINTER(swap->found, NULL);
	ctx_put(c);
	c = ctx_get(swap->base);
	for (i = 0; i < swap->length; i++) {
		/* What is asked for is not the last, of five. */
		int k = i < 4 ? (i + swap->ticks) % min(swap->length, 4) : 5;

		d = ctx_with_value(c, &keys[k < 2 ? KEYS - 1 - k : 1000 + k],
				   as_value(swap->ticks + 1), NULL, GFP_ATOMIC);
		ctx_put(c);
		if (IS_ERR(d))
			return;
		c = d;
	}
	rcu_assign_pointer(swap->found, c);
}

static enum hrtimer_restart swap_fn(struct hrtimer *timer)
{
	struct swap *swap = container_of(timer, struct swap, timer);
	struct ctx *c = rcu_dereference_protected(swap->found, true);

	if (c && swap->ticks % 2)
		ctx_put(ctx_with_value(c, &keys[1006], NULL, NULL, GFP_ATOMIC));
	else
		swap_lines(swap);
	WRITE_ONCE(swap->ticks, swap->ticks + 1);
	hrtimer_forward_now(timer, ct_us(50));
	return HRTIMER_RESTART;
}

static int swap_look(struct swap *swap)
{
	int i, bad = 0;

	rcu_read_lock();
	for (i = 0; i < 50; i++) {
		struct ctx *c = rcu_dereference(swap->found);
		void *one, *two;

		if (!c)
			break;
		one = ctx_value(c, &keys[KEYS - 1]);
		two = ctx_value(c, &keys[KEYS - 2]);
		bad += !one || one != two || ctx_value(c, &keys[0]) != as_value(1);
		bad += swap->length == 5 && ctx_value(c, &keys[1005]) != one;
	}
	rcu_read_unlock();
	return bad;
}

static void swap_below(struct kunit *test, int depth, int length)
{
	const unsigned int ticks = 100 + ct_rounds / 20;
	struct swap *swap = kunit_kzalloc(test, sizeof(*swap), GFP_KERNEL);
	struct ctx *node[8];
	ktime_t end = ktime_add_ms(ktime_get(), 5000);
	int bad = 0;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, swap);
	chain_make(test, node, 0, depth, 0);
	swap->base = node[depth - 1];
	swap->length = length;
	swap_lines(swap);
	set_cpus_allowed_ptr(current, cpumask_of(0));
	/* With PREEMPT_RT a thread that interrupts the reader as well, and may derive. */
	hrtimer_setup(&swap->timer, swap_fn, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED);
	hrtimer_start(&swap->timer, ct_us(50), HRTIMER_MODE_REL_PINNED);
	while (READ_ONCE(swap->ticks) < ticks && ktime_before(ktime_get(), end)) {
		bad += swap_look(swap);
		cond_resched();
	}
	hrtimer_cancel(&swap->timer);
	set_cpus_allowed_ptr(current, cpu_possible_mask);
	KUNIT_EXPECT_EQ(test, bad, 0);
	KUNIT_EXPECT_GT(test, swap->ticks, 0U);
	ctx_put(rcu_dereference_protected(swap->found, true));
	chain_put(node, 0, depth);
}

static void s9_a_reader_is_interrupted_by_writers(struct kunit *test)
{
	swap_below(test, 8, 5);
	swap_below(test, 2, 2);
}

struct below {
	struct ctx *ctx;		/* kept by the reader's starter */
	int depth;
	struct ctx __rcu *found;	/* comes and goes */
	atomic_t stop;
	int bad;
	unsigned long looked;
};

static int look_around(void *arg)
{
	struct below *below = arg;

	while (!atomic_read(&below->stop)) {
		struct ctx *c;

		below->bad += !sees_some(below->ctx, below->depth);
		below->looked++;
		rcu_read_lock();
		c = rcu_dereference(below->found);
		if (c) {
			void *mine = ctx_value(c, &keys[KEYS - 1]);

			/* Two that were set together, whichever is above. */
			below->bad += !mine || ctx_value(c, &keys[KEYS - 2]) != mine;
			below->bad += ctx_value(c, &keys[0]) != as_value(1);
			below->bad += !!ctx_value(c, ABSENT);
		}
		rcu_read_unlock();
		cond_resched();
	}
	return 0;
}

/* A short line with the same value twice, at changing depths, that is found and goes. */
static void come_and_go(struct kunit *test, struct below *below, struct ctx *p, int round)
{
	struct ctx *c = ctx_get(p), *d;
	int i;

	for (i = 0; i < 4; i++) {
		int k = (i + round) % 4;

		d = ct_value(test, c, k < 2 ? &keys[KEYS - 1 - k] : &keys[1000 + k],
			     as_value(round + 1));
		ctx_put(c);
		c = d;
	}
	rcu_assign_pointer(below->found, c);
	if (round % 3 == 0)
		cond_resched();
	RCU_INIT_POINTER(below->found, NULL);
	ctx_put(c);
}

/*
 * Four values in a row, of which the last or the one above is found, and what is derived
 * from the last then makes both members of an index.
 */
static void come_and_become_members(struct kunit *test, struct below *below, int round)
{
	const void * const key[] = { &keys[0], &keys[KEYS - 1], &keys[KEYS - 2], &keys[1000] };
	struct ctx *node[6];
	int i;

	for (i = 0; i < 6; i++) {
		node[i] = ct_value(test, i ? node[i - 1] : ctx_background(),
				   i < 4 ? key[i] : &keys[1000 + i],
				   as_value(i ? round + 1 : 1));
		if (i == 3)
			rcu_assign_pointer(below->found, node[3 - round % 2]);
	}
	if (round % 3 == 0)
		cond_resched();
	RCU_INIT_POINTER(below->found, NULL);
	chain_put(node, 0, 6);
}

static void readers_and_writers(struct kunit *test, int depth, int more)
{
	struct ctx **node = chain_alloc(test, depth + more);
	struct below below = { .depth = depth - 1 };
	struct ct_helper helper;
	int round, i;

	chain_make(test, node, 0, depth, 0);
	below.ctx = node[depth - 1];
	ct_helper_start_on(test, &helper, look_around, &below, raw_smp_processor_id() + 1);
	for (round = 0; round < DIV_ROUND_UP(ct_rounds, 50); round++) {
		chain_make(test, node, depth, depth + more, 0);
		come_and_go(test, &below, node[depth + more - 1], round);
		for (i = depth + more; i-- > depth; )
			ctx_put(node[i]);
		come_and_go(test, &below, node[depth - 1], round);
		come_and_become_members(test, &below, round);
		cond_resched();
	}
	atomic_set(&below.stop, 1);
	ct_helper_join(test, &helper);
	KUNIT_EXPECT_EQ(test, below.bad, 0);
	chain_put(node, 0, depth);
}

static void s9_readers_while_deeper_ones_come_and_go(struct kunit *test)
{
	static const int depth[] = { 1, 3, 4, 5, 6, 7, 9, 11, 12, 22, 43, 90 };
	int i;

	for (i = 0; i < ARRAY_SIZE(depth); i++)
		readers_and_writers(test, depth[i], 1 + depth[i]);
}

struct fork {
	struct ctx *ctx;
	int depth;
	int id;
	int rounds;
	int bad;
};

/* Each has branches of its own, of which one at a time is not a branch. */
static int fork_fn(void *arg)
{
	struct fork *fork = arg;
	int round, i;

	for (round = 0; round < fork->rounds; round++) {
		struct ctx *c = ctx_get(fork->ctx), *d;

		for (i = 0; i < 1 + round % 12; i++) {
			d = ctx_with_value(c, &keys[1000 + i],
					   as_value(fork->id * 1000 + i), NULL, GFP_KERNEL);
			ctx_put(c);
			c = d;
			if (IS_ERR(d))
				return -ENOMEM;
		}
		while (i--)
			fork->bad += ctx_value(c, &keys[1000 + i]) !=
				     as_value(fork->id * 1000 + i);
		fork->bad += !sees_some(fork->ctx, fork->depth) + !!ctx_value(c, ABSENT);
		ctx_put(c);
		if (round % 64 == 0)
			cond_resched();
	}
	return 0;
}

static void s9_two_derive_from_one(struct kunit *test)
{
	struct ctx **node = chain_alloc(test, 64);
	int n;

	for (n = 1; n < 64; n = n * 2 + 1) {
		struct fork fork[2];
		struct ct_helper helper;

		chain_make(test, node, 0, n, 0);
		fork[0] = (struct fork) {
			.ctx = node[n - 1], .depth = n - 1, .rounds = ct_rounds / 20, .id = 1,
		};
		fork[1] = fork[0];
		fork[1].id = 2;
		ct_helper_start_on(test, &helper, fork_fn, &fork[1], raw_smp_processor_id() + 1);
		KUNIT_EXPECT_EQ(test, fork_fn(&fork[0]), 0);
		KUNIT_EXPECT_EQ(test, ct_helper_join(test, &helper), 0);
		KUNIT_EXPECT_EQ(test, fork[0].bad + fork[1].bad, 0);
		chain_put(node, 0, n);
	}
}

/* Three below what the partner has: the first makes an index. */
static int three_below_fn(void *arg)
{
	struct ctx *c = ctx_get(arg), *d;
	int i, bad = 0;

	for (i = 0; i < 3; i++) {
		d = ctx_with_value(c, &keys[10 + i], as_value(11 + i), NULL, GFP_KERNEL);
		ctx_put(c);
		if (IS_ERR(d))
			return -ENOMEM;
		c = d;
		bad += !sees(c, 10 + i, 10 + i) + !sees(c, 10 + i, 0) + !sees(c, 10 + i, 2) +
		       !!ctx_value(c, ABSENT) + !sees(arg, 2, 0) + !sees(arg, 2, 2);
	}
	ctx_put(c);
	return bad;
}

/* Below one value, or below two of one, which then have the same to be the owner. */
static void s9_two_make_an_index_at_once(struct kunit *test)
{
	struct ct_partner partner;
	struct ctx *node[4], *other;
	int round, bad = 0;

	ct_partner_start(test, &partner, three_below_fn);
	for (round = 0; round < DIV_ROUND_UP(ct_rounds, 50); round++) {
		chain_make(test, node, 0, 4, 0);
		other = round % 2 ? ctx_get(node[3]) :
				    ct_value(test, node[2], &keys[3], as_value(4));
		ct_partner_go(&partner, other);
		bad += three_below_fn(node[3]);
		bad += ct_partner_wait(test, &partner);
		/* Both again, now that there is one. */
		bad += three_below_fn(other) + three_below_fn(node[3]) + three_below_fn(node[2]);
		bad += !sees_some(node[3], 3) + !sees_some(other, 3);
		ctx_put(other);
		chain_put(node, 0, 4);
	}
	ct_partner_stop(test, &partner);
	KUNIT_EXPECT_EQ(test, bad, 0);
}

static void s9_every_value_of_a_long_chain_is_released(struct kunit *test)
{
	enum { N = 500 };
	struct ct_token *token = kunit_kzalloc(test, N * sizeof(*token), GFP_KERNEL);
	struct ctx *p = ctx_get(ctx_background()), *c;
	int i;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, token);
	for (i = 0; i < N; i++) {
		c = ct_token_ctx(test, &token[i], p);
		ctx_put(p);
		p = c;
		/* With other keys in between. */
		c = ct_value(test, p, &keys[i], as_value(i + 1));
		ctx_put(p);
		p = c;
	}
	KUNIT_EXPECT_PTR_EQ(test, ctx_value(p, &ct_token_key), (void *)&token[N - 1]);
	ctx_put(p);
	for (i = 0; i < N; i++)
		ct_token_gone(test, &token[i]);
}

static struct kunit_case index_cases[] = {
	KUNIT_CASE(s9_every_depth_going_down_and_up),
	KUNIT_CASE(s9_every_depth_begun_anew),
	KUNIT_CASE(s9_a_branch_from_every_depth),
	KUNIT_CASE(s9_the_end_of_a_chain_is_given_back),
	KUNIT_CASE(s9_one_key_at_every_depth),
	KUNIT_CASE(s9_one_key_fills_its_slots),
	KUNIT_CASE(s9_a_look_up_costs_the_same_at_every_depth),
	KUNIT_CASE(s9_a_key_set_often_is_found_as_quickly),
	KUNIT_CASE(s9_a_value_is_added_as_quickly_at_every_depth),
	KUNIT_CASE(s9_an_index_is_shared_by_many_children),
	KUNIT_CASE(s7_an_index_goes_with_its_values),
	KUNIT_CASE(s7_many_small_indexes_go_with_their_values),
	KUNIT_CASE(s9_a_chain_made_in_atomic_context),
	KUNIT_CASE(s9_any_tree_answers_like_a_walk),
	KUNIT_CASE(s9_a_reader_outlives_what_he_looks_up_from),
	KUNIT_CASE(s9_a_reader_is_interrupted_by_writers),
	KUNIT_CASE(s9_readers_while_deeper_ones_come_and_go),
	KUNIT_CASE(s9_two_derive_from_one),
	KUNIT_CASE(s9_two_make_an_index_at_once),
	KUNIT_CASE(s9_every_value_of_a_long_chain_is_released),
	{ }
};

static struct kunit_suite index_suite = {
	.name = "ctx_index",
	.test_cases = index_cases,
};

kunit_test_suite(index_suite);
