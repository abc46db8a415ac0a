// SPDX-License-Identifier: GPL-2.0
/*
 * Scale: as many live contexts as memory holds, in groups under one context:
 * each group is that many children of one parent, or a chain of as many. They
 * are made, found at random, cancelled from the top and released; what each took
 * is printed, and the memory must be back afterwards.
 */
#include <linux/bits.h>
#include <linux/ctx.h>
#include <linux/delay.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/prandom.h>
#include <linux/random.h>
#include <linux/rcupdate.h>
#include <linux/vmstat.h>

#include "load.h"

/* Slabs that are empty but kept for later, and counts not yet summed up. */
#define LOAD_SLACK_PAGES	512

#define LOAD_FINDS		1000000
#define LOAD_PATHS		1000
#define LOAD_PATH_SIZE		BIT(16)

struct load_forest {
	const char *name;
	bool deep;
	unsigned int groups;
	unsigned int members;	/* of a group */
	struct ctx *top;
	struct ctx **heads;	/* a value context at the head of each group */
	struct ctx **all;	/* members of the first group, then the next ... */
	unsigned long n;	/* so many of all are there */
};

static const char load_key;	/* of the group's number, as a pointer */

long load_slab_pages(void)
{
	return global_node_page_state_pages(NR_SLAB_UNRECLAIMABLE_B) +
	       global_node_page_state_pages(NR_SLAB_RECLAIMABLE_B);
}

/* Waits for what is freed after a grace period, and says whether all is back. */
int load_slab_back(const char *name, long before)
{
	const ktime_t limit = ktime_add_ms(ktime_get(), 10000);
	long after;

	ctx_barrier();
	rcu_barrier();
	do {
		msleep(100);
		after = load_slab_pages();
	} while (after > before + LOAD_SLACK_PAGES && ktime_before(ktime_get(), limit));
	load_measure("bytes", (after - before) * PAGE_SIZE, "%s.slab_kept", name);
	if (after <= before + LOAD_SLACK_PAGES)
		return 0;
	pr_err("bench: FAILED %s: %ld pages of slab are not back\n", name, after - before);
	return -ENOMEM;
}

static void load_step(const struct load_forest *forest, const char *step, u64 start,
		      unsigned long n)
{
	const u64 took = ktime_get_ns() - start;

	load_measure("ns", took, "%s.%s.total", forest->name, step);
	pr_info("bench: %s.%s ns %llu.%llu\n", forest->name, step, div64_u64(took, n),
		div64_u64(took * 10, n) % 10);
}

static int load_group_make(struct load_forest *forest, unsigned int group)
{
	struct ctx *parent = ctx_with_value(forest->top, &load_key, (void *)(group + 1UL), NULL,
					    GFP_KERNEL);
	unsigned int i;

	if (IS_ERR(parent))
		return PTR_ERR(parent);
	forest->heads[group] = parent;
	for (i = 0; i < forest->members; i++) {
		struct ctx *ctx = ctx_with_cancel(parent, GFP_KERNEL);

		if (IS_ERR(ctx))
			return PTR_ERR(ctx);
		forest->all[forest->n++] = ctx;
		if (!i || forest->deep)
			parent = ctx;
	}
	return 0;
}

static int load_make(struct load_forest *forest)
{
	const u64 start = ktime_get_ns();
	unsigned int group;
	int err;

	for (group = 0; group < forest->groups; group++) {
		err = load_group_make(forest, group);
		if (err)
			return err;
		if (group % (forest->groups / 10 + 1) == 0)
			load_say("%s: %lu contexts made", forest->name, forest->n);
		cond_resched();
	}
	load_step(forest, "make", start, forest->n);
	return 0;
}

/* Each knows its state and, through all that is above it, its group. */
static int load_find(struct load_forest *forest, struct rnd_state *random)
{
	const u64 start = ktime_get_ns();
	unsigned int i;

	for (i = 0; i < LOAD_FINDS; i++) {
		const u32 at = prandom_u32_state(random) % forest->n;
		const unsigned long group = (unsigned long)ctx_value(forest->all[at], &load_key);

		if (ctx_err(forest->all[at]) || group != at / forest->members + 1) {
			pr_err("bench: FAILED %s: context %u says it is of group %lu\n",
			       forest->name, at, group);
			return -EIO;
		}
		if (i % 1024 == 0)
			cond_resched();
	}
	load_step(forest, "find", start, LOAD_FINDS);
	return 0;
}

static int load_describe(struct load_forest *forest, struct rnd_state *random)
{
	char *path = kvmalloc(LOAD_PATH_SIZE, GFP_KERNEL);
	const u64 start = ktime_get_ns();
	unsigned int i;
	int len = 0;

	if (!path)
		return -ENOMEM;
	for (i = 0; i < LOAD_PATHS && len >= 0; i++) {
		len = ctx_describe(forest->all[prandom_u32_state(random) % forest->n], path,
				   LOAD_PATH_SIZE);
		cond_resched();
	}
	kvfree(path);
	if (len < 0)
		return len;
	load_step(forest, "describe", start, LOAD_PATHS);
	return 0;
}

static int load_cancel(struct load_forest *forest)
{
	const u64 start = ktime_get_ns();
	unsigned long i, live = 0;

	load_say("%s: cancelling", forest->name);
	ctx_cancel_sync(forest->top);
	load_step(forest, "cancel", start, forest->n);
	for (i = 0; i < forest->n; i++)
		live += ctx_err(forest->all[i]) != -ECANCELED;
	if (!live)
		return 0;
	pr_err("bench: FAILED %s: %lu contexts are not cancelled\n", forest->name, live);
	return -EIO;
}

static void load_release(struct load_forest *forest)
{
	const unsigned long made = forest->n;
	const u64 start = ktime_get_ns();
	unsigned int group;

	load_say("%s: releasing", forest->name);
	for (group = 0; group < forest->groups; group++)
		ctx_put(forest->heads[group]);
	/* From the top down, so that the last of a chain takes all of it along. */
	for (forest->n = 0; forest->n < made; forest->n++) {
		ctx_put(forest->all[forest->n]);
		if (forest->n % 1024 == 0)
			cond_resched();
	}
	ctx_put(forest->top);
	if (made)
		load_step(forest, "release", start, made);
}

static int load_live(struct load_forest *forest)
{
	const long before = load_slab_pages();
	struct rnd_state random;
	int err;

	prandom_seed_state(&random, 42);
	forest->top = ctx_with_cancel(ctx_background(), GFP_KERNEL);
	err = PTR_ERR_OR_ZERO(forest->top) ?: load_make(forest);
	if (!err) {
		const u64 bytes = (load_slab_pages() - before) * PAGE_SIZE;

		load_measure("count", forest->n, "%s.live", forest->name);
		load_measure("bytes", div64_u64(bytes, forest->n), "%s.slab", forest->name);
		err = load_find(forest, &random) ?: load_describe(forest, &random) ?:
		      load_cancel(forest);
	}
	load_release(forest);
	return load_slab_back(forest->name, before) ?: err;
}

static int load_grow(const char *name, bool deep)
{
	struct load_forest forest = {
		.name = name,
		.deep = deep,
		.groups = load_groups,
		.members = load_contexts / load_groups,
	};
	int err = -ENOMEM;

	forest.heads = kvcalloc(forest.groups, sizeof(*forest.heads), GFP_KERNEL);
	forest.all = kvcalloc(load_contexts, sizeof(*forest.all), GFP_KERNEL);
	if (forest.heads && forest.all)
		err = load_live(&forest);
	kvfree(forest.heads);
	kvfree(forest.all);
	return err;
}

int load_scale(void)
{
	return load_grow("scale.wide", false) ?: load_grow("scale.deep", true);
}
