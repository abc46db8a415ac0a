// SPDX-License-Identifier: GPL-2.0
/*
 * Trees of many contexts, wide and deep: what building, cancelling and releasing
 * them takes for each.
 */
#include <linux/ktime.h>
#include <linux/vmalloc.h>

#include "bench.h"

#define BENCH_SMALL	1000	/* contexts: up to here several trees are measured */
#define BENCH_ROUNDS	9

bool bench_tree_alloc(struct bench_tree *tree, unsigned int count)
{
	tree->count = count;
	tree->nodes = vzalloc(array_size(count, sizeof(*tree->nodes)));
	if (!tree->nodes)
		bench_fail("nodes");
	return tree->nodes;
}

void bench_tree_free(struct bench_tree *tree)
{
	vfree(tree->nodes);
}

static struct bench_tree *bench_current;

/* One after the other: there is one CPU, or one who cancels. */
static void bench_tree_called(struct ctx *ctx, struct ctx_callback *cb)
{
	if (++bench_current->called == bench_current->count)
		complete(&bench_current->all_called);
}

/* Everything below the top, which is there. */
void bench_tree_build(struct bench_tree *tree)
{
	struct ctx *parent = tree->top;
	unsigned int i;

	bench_current = tree;
	tree->called = 0;
	init_completion(&tree->all_called);
	for (i = 0; i < tree->count; i++) {
		struct bench_node *node = &tree->nodes[i];

		node->ctx = bench_ctx(ctx_with_cancel(parent, GFP_KERNEL));
		if (tree->callbacks)
			ctx_callback_add(node->ctx, &node->cb, bench_tree_called);
		if (tree->deep)
			parent = node->ctx;
	}
}

/* A chain is let go by its end, so that all of it goes with the last reference. */
void bench_tree_release(struct bench_tree *tree)
{
	unsigned int i;

	for (i = 0; i < tree->count; i++)
		ctx_put(tree->nodes[i].ctx);
	ctx_put(tree->top);
}

struct bench_times {
	u64 build[BENCH_ROUNDS];
	u64 cancel[BENCH_ROUNDS];
	u64 release[BENCH_ROUNDS];
	u64 whole[BENCH_ROUNDS];
};

static void bench_tree_round(struct bench_tree *tree, struct bench_times *times, int round)
{
	u64 start, built, cancelled, released;

	start = ktime_get_ns();
	tree->top = bench_ctx(ctx_with_cancel(ctx_background(), GFP_KERNEL));
	bench_tree_build(tree);
	built = ktime_get_ns();
	ctx_cancel(tree->top);
	cancelled = ktime_get_ns();
	bench_tree_release(tree);
	released = ktime_get_ns();

	times->build[round] = built - start;
	times->cancel[round] = cancelled - built;
	times->release[round] = released - cancelled;
	times->whole[round] = released - start;
}

static void bench_tree_print(const struct bench_tree *tree, u64 *samples, int rounds,
			     const char *what)
{
	bench_print("instructions", bench_tenths(bench_median(samples, rounds), tree->count),
		    "%s%s.%s.%u", bench_kept ? "kept." : "", tree->deep ? "deep" : "wide", what,
		    tree->count);
}

static void bench_tree(unsigned int count, bool deep)
{
	struct bench_tree tree = { .deep = deep };
	int rounds = count <= BENCH_SMALL ? BENCH_ROUNDS : 3, i;
	struct bench_times times;

	if (!bench_tree_alloc(&tree, count))
		return;
	for (i = 0; i < rounds; i++) {
		bench_tree_round(&tree, &times, i);
		cond_resched();
	}
	bench_tree_print(&tree, times.build, rounds, "build");
	bench_tree_print(&tree, times.cancel, rounds, "cancel");
	bench_tree_print(&tree, times.release, rounds, "release");
	bench_tree_print(&tree, times.whole, rounds, "whole");
	bench_tree_free(&tree);
}

/* As one of those below, for a cache that has been told to keep its pages. */
void bench_trees_kept(void)
{
	bench_tree(BENCH_SMALL, false);
}

void bench_trees(void)
{
	unsigned int biggest = bench_quick ? 100000 : 1000000, count;

	for (count = 10; count <= biggest; count *= 10) {
		bench_tree(count, false);
		bench_tree(count, true);
	}
}
