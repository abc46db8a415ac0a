// SPDX-License-Identifier: GPL-2.0
/*
 * Looking up values in chains of them, and holding many for who measures memory.
 */
#include <linux/vmalloc.h>

#include "bench.h"

static void *bench_found;
static struct ctx **bench_held;
static unsigned int bench_lines;

void bench_find(void *data, unsigned int ops)
{
	const struct bench_lookup *lookup = data;

	while (ops--)
		WRITE_ONCE(bench_found, ctx_value(lookup->ctx, lookup->key));
}

static void bench_miss(void *data, unsigned int ops)
{
	const struct bench_lookup *lookup = data;

	while (ops--)
		WRITE_ONCE(bench_found, ctx_value(lookup->ctx,
						  bench_key(BENCH_CHAIN + ops % BENCH_ABSENT)));
}

/*
 * The dearest of those keys: for each of them the quickest of three times counts. Whoever is
 * to make room for others runs two instructions more in each preempt_enable(), so that is
 * done before each time.
 */
static void bench_dearest_miss(struct ctx *ctx, unsigned int count)
{
	enum { TIMES = 3, OPS = 200 };
	struct bench_lookup lookup = { .ctx = ctx };
	u64 dearest = 0;
	unsigned int i, time;

	for (i = 0; i < BENCH_ABSENT; i++) {
		u64 least = U64_MAX, start;

		lookup.key = bench_key(BENCH_CHAIN + i);
		for (time = 0; time < TIMES; time++) {
			cond_resched();
			start = ktime_get_ns();
			bench_find(&lookup, OPS);
			least = min(least, ktime_get_ns() - start);
		}
		dearest = max(dearest, least);
	}
	bench_print("instructions", bench_tenths(dearest, OPS), "value.absent_dearest.%u", count);
}

/* The last of @count values below @ctx, each below the one before. Takes a reference. */
static struct ctx *bench_line_of_values(struct ctx *ctx, unsigned int count)
{
	struct ctx *child;
	unsigned int i;

	for (i = 0; i < count; i++) {
		child = ctx_with_value(ctx, bench_key(i), bench_key(i), NULL, GFP_KERNEL);
		ctx_put(ctx);
		ctx = bench_ctx(child);
		cond_resched();
	}
	return ctx;
}

struct ctx *bench_chain_of_values(unsigned int count)
{
	return bench_line_of_values(ctx_background(), count);
}

static void bench_lookups(unsigned int count)
{
	struct ctx *tip = bench_chain_of_values(count);
	struct bench_lookup nearest = { tip, bench_key(count - 1) };
	struct bench_lookup furthest = { tip, bench_key(0) };
	struct bench_lookup absent = { tip, NULL };

	bench_loop(bench_find, &nearest, BENCH_OPS, "value.nearest.%u", count);
	bench_loop(bench_find, &furthest, BENCH_OPS, "value.furthest.%u", count);
	bench_loop(bench_miss, &absent, BENCH_OPS, "value.absent.%u", count);
	bench_dearest_miss(tip, count);
	ctx_put(tip);
	ctx_barrier();
}

void bench_values(void)
{
	unsigned int count;

	for (count = 10; count <= BENCH_CHAIN; count *= 10)
		bench_lookups(count);
}

/*
 * In lines of @length below one of @depth. Each line is looked up, in case that is when
 * something is built.
 */
void bench_hold(unsigned int count, unsigned int length, unsigned int depth)
{
	struct bench_lookup lookup = { .key = bench_key(BENCH_CHAIN) };
	struct ctx *top = bench_chain_of_values(depth);
	unsigned int i;

	bench_lines = count / length;
	bench_held = vzalloc(array_size(bench_lines, sizeof(*bench_held)));
	if (!bench_held)
		bench_fail("room for what is held");
	for (i = 0; bench_held && i < bench_lines; i++) {
		bench_held[i] = bench_line_of_values(ctx_get(top), length);
		lookup.ctx = bench_held[i];
		bench_find(&lookup, 100);
	}
	ctx_put(top);
}

void bench_unhold(void)
{
	unsigned int i;

	if (!bench_held)
		return;
	for (i = 0; i < bench_lines; i++)
		ctx_put(bench_held[i]);
	vfree(bench_held);
}
