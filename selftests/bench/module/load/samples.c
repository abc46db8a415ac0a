// SPDX-License-Identifier: GPL-2.0
/* Distributions: percentiles, and a histogram by powers of two. */
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/sort.h>
#include <linux/string.h>

#include "load.h"

/* Of numbers, or of structures that begin with one. */
int load_compare(const void *a, const void *b)
{
	const s64 x = *(const s64 *)a, y = *(const s64 *)b;

	return x < y ? -1 : x > y;
}

int load_samples_init(struct load_samples *samples, size_t size)
{
	memset(samples, 0, sizeof(*samples));
	samples->at = kvmalloc_array(size, sizeof(*samples->at), GFP_KERNEL | __GFP_ZERO);
	if (!samples->at)
		return -ENOMEM;
	samples->size = size;
	return 0;
}

void load_samples_free(struct load_samples *samples)
{
	kvfree(samples->at);
	memset(samples, 0, sizeof(*samples));
}

/* Those that have to do with the time from @first to @last. */
void load_samples_move(struct load_samples *to, const struct load_samples *from, ktime_t first,
		       ktime_t last)
{
	size_t i;

	for (i = 0; i < from->n; i++)
		if (from->at[i].when >= first && from->at[i].when - from->at[i].value <= last)
			load_samples_add(to, from->at[i].value, from->at[i].when);
	to->dropped += from->dropped;
}

static void load_histogram(const struct load_samples *samples, const char *name, const char *what)
{
	size_t count[64] = { 0 }, i;

	for (i = 0; i < samples->n; i++)
		count[samples->at[i].value > 0 ? ilog2(samples->at[i].value) : 0]++;
	for (i = 0; i < ARRAY_SIZE(count); i++)
		if (count[i])
			load_measure("count", count[i], "%s.%s_histogram.%llu", name, what,
				     1ULL << i);
}

void load_samples_print(struct load_samples *samples, const char *name, const char *what)
{
	static const struct {
		const char *name;
		unsigned int permille;
	} points[] = { { "p50", 500 }, { "p90", 900 }, { "p99", 990 } };
	int i;

	load_measure("count", samples->n, "%s.%s.samples", name, what);
	if (samples->dropped)
		pr_err("bench: FAILED: no room for %zu of %s.%s\n", samples->dropped, name, what);
	if (!samples->n)
		return;
	sort(samples->at, samples->n, sizeof(*samples->at), load_compare, NULL);
	for (i = 0; i < ARRAY_SIZE(points); i++)
		load_measure("ns", samples->at[(samples->n - 1) * points[i].permille / 1000].value,
			     "%s.%s.%s", name, what, points[i].name);
	load_measure("ns", samples->at[samples->n - 1].value, "%s.%s.max", name, what);
	load_histogram(samples, name, what);
}
