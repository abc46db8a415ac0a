// SPDX-License-Identifier: GPL-2.0
/*
 * Looking up values in chains of them, and holding many for who measures memory.
 */
#include <linux/vmalloc.h>

#include "bench.h"

#define BENCH_CHAIN	10000

char bench_keys[BENCH_CHAIN];
/* Looked for one after the other: some share a slot with what is there. */
#define BENCH_ABSENT	1024

static char bench_strangers[BENCH_ABSENT];
char bench_absent;
static void *bench_found;
static struct ctx **bench_held;
static unsigned int bench_chains;

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
						  &bench_strangers[ops % BENCH_ABSENT]));
}

/* The last of @count values, each below the one before. */
struct ctx *bench_chain_of_values(unsigned int count)
{
	struct ctx *ctx = ctx_background(), *child;
	unsigned int i;

	for (i = 0; i < count; i++) {
		child = ctx_with_value(ctx, &bench_keys[i], &bench_keys[i], NULL, GFP_KERNEL);
		ctx_put(ctx);
		ctx = bench_ctx(child);
		cond_resched();
	}
	return ctx;
}

static void bench_lookups(unsigned int count)
{
	struct ctx *tip = bench_chain_of_values(count);
	struct bench_lookup nearest = { tip, &bench_keys[count - 1] };
	struct bench_lookup furthest = { tip, &bench_keys[0] };
	struct bench_lookup absent = { tip, NULL };

	bench_loop(bench_find, &nearest, BENCH_OPS, "value.nearest.%u", count);
	bench_loop(bench_find, &furthest, BENCH_OPS, "value.furthest.%u", count);
	bench_loop(bench_miss, &absent, BENCH_OPS, "value.absent.%u", count);
	ctx_put(tip);
	ctx_barrier();
}

void bench_values(void)
{
	unsigned int count;

	for (count = 10; count <= BENCH_CHAIN; count *= 10)
		bench_lookups(count);
}

/* Each chain is looked up, in case that is when something is built. */
int bench_hold(unsigned int count)
{
	struct bench_lookup lookup = { .key = &bench_absent };
	unsigned int i;

	bench_chains = count / BENCH_CHAIN;
	bench_held = vzalloc(array_size(bench_chains, sizeof(*bench_held)));
	if (!bench_held)
		return -ENOMEM;
	for (i = 0; i < bench_chains; i++) {
		bench_held[i] = bench_chain_of_values(BENCH_CHAIN);
		lookup.ctx = bench_held[i];
		bench_find(&lookup, 100);
	}
	return 0;
}

void bench_unhold(void)
{
	unsigned int i;

	if (!bench_held)
		return;
	for (i = 0; i < bench_chains; i++)
		ctx_put(bench_held[i]);
	vfree(bench_held);
}
