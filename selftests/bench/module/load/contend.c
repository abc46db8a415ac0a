// SPDX-License-Identifier: GPL-2.0
/*
 * Contention: what several CPUs get done together, over what one gets done. All
 * of them count between a common start and a common end. The median of all rounds
 * is printed, and its quartiles.
 *
 * A machine that is not our own alone gives less than its CPUs promise. So a loop
 * that shares nothing is measured right before each of the others, and "of_free"
 * is the ratio to that. And as others only ever make things slower, "best" is the
 * most that so many CPUs did in any round over the most that one did.
 *
 * Each is also measured with a place of its own for each CPU ("private"), and so
 * is reading the clock, as every cancellation does: what does not scale there
 * does not scale where more is shared.
 *
 * The time of a round is the processor's counter, read once in a while, whatever
 * the system has for a clock: one that CPU 0 moves on stands still with it.
 */
#include <linux/cpumask.h>
#include <linux/ctx.h>
#include <linux/delay.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/spinlock.h>
#include <linux/timex.h>

#include "load.h"

#define LOAD_MAX_CPUS	8
#define LOAD_MAX_ROUNDS	101
#define LOAD_CHUNK	64	/* contexts or objects, one after the other */

struct load_lane;

struct load_kind {
	const char *name;
	int (*chunk)(struct load_lane *lane);
	unsigned int ops;	/* in a chunk, at whose end the counter is read */
	bool shared;		/* all lanes work on the first one's place */
};

/* What one CPU works on, or all of them. */
struct load_place {
	spinlock_t lock;	/* protects list */
	struct list_head list;
	struct ctx *parent;
} ____cacheline_aligned;

struct load_race {
	const struct load_kind *kind;
	unsigned int cpus;
	atomic_t ready;
	u64 start;		/* in cycles; 0 until all are ready */
	u64 end;
};

struct load_lane {
	struct load_race *race;
	struct load_place *place;
	u64 ops;
	u64 sink;
} ____cacheline_aligned;

struct load_item {
	struct list_head node;
	u8 pad[80];
};

static struct kmem_cache *load_items;
static struct load_place load_places[LOAD_MAX_CPUS];

static int load_chunk_free(struct load_lane *lane)
{
	u64 x = lane->sink;
	int i;

	for (i = 0; i < 1000; i++) {
		x = x * 3 + i;
		barrier();
	}
	lane->sink = x;
	return 0;
}

static int load_chunk_clock(struct load_lane *lane)
{
	int i;

	for (i = 0; i < 100; i++)
		lane->sink += ktime_get();
	return 0;
}

/* What any list of objects under a lock costs: the floor of derive, cancel, put. */
static int load_chunk_list(struct load_lane *lane)
{
	struct load_place *place = lane->place;
	struct load_item *item;
	unsigned long flags;
	int i;

	for (i = 0; i < LOAD_CHUNK; i++) {
		item = kmem_cache_alloc(load_items, GFP_KERNEL);
		if (!item)
			return -ENOMEM;
		spin_lock_irqsave(&place->lock, flags);
		list_add(&item->node, &place->list);
		spin_unlock_irqrestore(&place->lock, flags);
		spin_lock_irqsave(&place->lock, flags);
		list_del(&item->node);
		spin_unlock_irqrestore(&place->lock, flags);
		kmem_cache_free(load_items, item);
	}
	return 0;
}

static int load_chunk_derive(struct load_lane *lane)
{
	struct ctx *parent = lane->place->parent, *ctx;
	int i;

	for (i = 0; i < LOAD_CHUNK; i++) {
		ctx = ctx_with_cancel(parent, GFP_KERNEL);
		if (IS_ERR(ctx))
			return PTR_ERR(ctx);
		ctx_cancel(ctx);
		ctx_put(ctx);
	}
	return 0;
}

static int load_chunk_err(struct load_lane *lane)
{
	struct ctx *ctx = lane->place->parent;
	int i;

	for (i = 0; i < 1000; i++)
		if (ctx_err(ctx))
			return -EINVAL;
	return 0;
}

static const struct load_kind load_free = { "free", load_chunk_free, 1000, false };

static const struct load_kind load_kinds[] = {
	{ "clock", load_chunk_clock, 100, false },
	{ "list.private", load_chunk_list, LOAD_CHUNK, false },
	{ "list.shared", load_chunk_list, LOAD_CHUNK, true },
	{ "derive.private", load_chunk_derive, LOAD_CHUNK, false },
	{ "derive.shared", load_chunk_derive, LOAD_CHUNK, true },
	{ "err.private", load_chunk_err, 1000, false },
	{ "err.shared", load_chunk_err, 1000, true },
};

/* In thousandths of what one CPU did just before, by kind, CPUs - 1 and round. */
struct load_ratios {
	s64 own[LOAD_MAX_CPUS][LOAD_MAX_ROUNDS];
	s64 free[LOAD_MAX_CPUS][LOAD_MAX_ROUNDS];
	s64 of_free[LOAD_MAX_CPUS][LOAD_MAX_ROUNDS];
	s64 best[LOAD_MAX_CPUS];	/* not a ratio, but what was done */
};

static struct load_ratios load_ratios[ARRAY_SIZE(load_kinds)];
static s64 load_free_best[LOAD_MAX_CPUS];
static u64 load_ms;		/* a millisecond, in cycles */

static int load_lane_run(void *data)
{
	struct load_lane *lane = data;
	struct load_race *race = lane->race;
	const struct load_kind *kind = race->kind;
	u64 now, start;
	int err;

	if (atomic_inc_return(&race->ready) == race->cpus) {
		now = get_cycles();
		race->end = now + (load_round_ms + 1) * load_ms;
		/* Pairs with the acquire below: the end is set before. */
		smp_store_release(&race->start, now + load_ms);
	}
	/* Pairs with the release above: the end is there, too. */
	while (!(start = smp_load_acquire(&race->start)))
		cond_resched();
	while (get_cycles() < start)
		cpu_relax();
	do {
		err = kind->chunk(lane);
		lane->ops += kind->ops;
	} while (!err && get_cycles() < race->end);
	return err;
}

/* Parents that nobody has derived from yet, so that each race has them as they come. */
static int load_places_init(unsigned int cpus)
{
	unsigned int i;

	for (i = 0; i < cpus; i++) {
		spin_lock_init(&load_places[i].lock);
		INIT_LIST_HEAD(&load_places[i].list);
		load_places[i].parent = ctx_with_cancel(ctx_background(), GFP_KERNEL);
		if (IS_ERR(load_places[i].parent))
			return -ENOMEM;
	}
	return 0;
}

static void load_places_exit(void)
{
	unsigned int i;

	for (i = 0; i < LOAD_MAX_CPUS; i++) {
		ctx_put(load_places[i].parent);
		load_places[i].parent = NULL;
	}
}

/* How much is done by @cpus CPUs together; negative if it failed. */
static s64 load_race_run(const struct load_kind *kind, unsigned int cpus)
{
	struct load_race race = { .kind = kind, .cpus = cpus, .ready = ATOMIC_INIT(0) };
	struct load_lane *lanes = kcalloc(cpus, sizeof(*lanes), GFP_KERNEL);
	unsigned int i;
	s64 ops = 0;
	int err;

	if (!lanes)
		return -ENOMEM;
	for (i = 0; i < cpus; i++) {
		lanes[i].race = &race;
		lanes[i].place = &load_places[kind->shared ? 0 : i];
	}
	err = load_places_init(cpus) ?:
	      load_on_cpus(cpus, load_lane_run, lanes, sizeof(*lanes));
	load_places_exit();
	for (i = 0; i < cpus; i++)
		ops += lanes[i].ops;
	kfree(lanes);
	return err ?: ops;
}

/* One CPU, then two, and so on. */
static int load_race_all(const struct load_kind *kind, unsigned int round, unsigned int cpus,
			 s64 ratios[][LOAD_MAX_ROUNDS], s64 *best)
{
	const s64 one = load_race_run(kind, 1);
	unsigned int n;
	s64 all;

	if (one <= 0)
		return one ?: -EIO;
	best[0] = max(best[0], one);
	for (n = 2; n <= cpus; n++) {
		all = load_race_run(kind, n);
		if (all <= 0)
			return all ?: -EIO;
		ratios[n - 1][round] = div64_s64(all * 1000, one);
		best[n - 1] = max(best[n - 1], all);
	}
	return 0;
}

static int load_round(unsigned int round, unsigned int cpus)
{
	unsigned int kind, n;
	int err;

	for (kind = 0; kind < ARRAY_SIZE(load_kinds); kind++) {
		struct load_ratios *ratios = &load_ratios[kind];

		err = load_race_all(&load_free, round, cpus, ratios->free, load_free_best) ?:
		      load_race_all(&load_kinds[kind], round, cpus, ratios->own, ratios->best);
		if (err)
			return err;
		for (n = 1; n < cpus; n++) {
			const s64 free = max_t(s64, ratios->free[n][round], 1);

			ratios->of_free[n][round] = div64_s64(ratios->own[n][round] * 1000, free);
		}
	}
	return 0;
}

static void load_print_ratio(s64 thousandths, const char *what, const char *name,
			     unsigned int cpus)
{
	pr_info("bench: contended%s.%s.%u ratio %lld.%03lld\n", what, name, cpus,
		thousandths / 1000, thousandths % 1000);
}

static s64 load_median(s64 *ratios, unsigned int rounds)
{
	sort(ratios, rounds, sizeof(*ratios), load_compare, NULL);
	return ratios[(rounds - 1) / 2];
}

/* What is in the middle, how far it spreads, and what the best come to. */
static void load_print_spread(s64 *ratios, unsigned int rounds, s64 best, s64 best_of_one,
			      const char *name, unsigned int cpus)
{
	load_print_ratio(load_median(ratios, rounds), "", name, cpus);
	load_print_ratio(ratios[(rounds - 1) / 4], "_p25", name, cpus);
	load_print_ratio(ratios[(rounds - 1) * 3 / 4], "_p75", name, cpus);
	load_print_ratio(div64_s64(best * 1000, best_of_one), "_best", name, cpus);
}

static void load_print_ratios(unsigned int rounds, unsigned int cpus)
{
	unsigned int kind, n;

	for (n = 1; n < cpus; n++)
		load_print_spread(load_ratios[0].free[n], rounds, load_free_best[n],
				  load_free_best[0], load_free.name, n + 1);
	for (kind = 0; kind < ARRAY_SIZE(load_kinds); kind++) {
		struct load_ratios *ratios = &load_ratios[kind];
		const char *name = load_kinds[kind].name;

		load_print_ratio(1000, "", name, 1);
		for (n = 1; n < cpus; n++) {
			load_print_spread(ratios->own[n], rounds, ratios->best[n], ratios->best[0],
					  name, n + 1);
			load_print_ratio(load_median(ratios->of_free[n], rounds), "_of_free", name,
					 n + 1);
		}
	}
}

/* As exactly as the clock has it: every round takes the same for a millisecond. */
static u64 load_count_ms(void)
{
	const u64 start = ktime_get_ns(), cycles = get_cycles();
	u64 now;

	do {
		now = ktime_get_ns();
	} while (now - start < 100 * NSEC_PER_MSEC);
	return div64_u64((get_cycles() - cycles) * NSEC_PER_MSEC, now - start);
}

int load_contend(void)
{
	const unsigned int cpus = min_t(unsigned int, num_online_cpus(), LOAD_MAX_CPUS);
	const unsigned int rounds = clamp_t(unsigned int, load_rounds, 1, LOAD_MAX_ROUNDS);
	unsigned int round;
	int err = 0;

	load_ms = load_count_ms();
	if (!load_ms)
		return -EOPNOTSUPP;
	load_items = kmem_cache_create("ctx_load_item", sizeof(struct load_item), 0,
				       SLAB_HWCACHE_ALIGN, NULL);
	if (!load_items)
		return -ENOMEM;
	for (round = 0; round < rounds && !err; round++) {
		err = load_round(round, cpus);
		load_say("contention on %u CPUs, round %u of %u", cpus, round + 1, rounds);
	}
	if (!err)
		load_print_ratios(rounds, cpus);
	kmem_cache_destroy(load_items);
	return err;
}
