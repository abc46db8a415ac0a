// SPDX-License-Identifier: GPL-2.0
/*
 * Deadlines, and bare timers, with many others armed.
 */
#include <linux/hrtimer.h>
#include <linux/vmalloc.h>

#include "bench.h"

static const unsigned int bench_lives[] = { 40, 400, 4000, 40000, 400000 };

static enum hrtimer_restart bench_timer_expired(struct hrtimer *timer)
{
	return HRTIMER_NORESTART;
}

static void bench_timer_init(struct hrtimer *timer)
{
	hrtimer_init(timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
	timer->function = bench_timer_expired;
}

static void bench_timer(void *data, unsigned int ops)
{
	struct hrtimer timer;

	hrtimer_init_on_stack(&timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
	timer.function = bench_timer_expired;
	while (ops--) {
		hrtimer_start(&timer, BENCH_HOUR, HRTIMER_MODE_REL);
		hrtimer_cancel(&timer);
	}
	destroy_hrtimer_on_stack(&timer);
}

static void bench_bare(unsigned int live)
{
	struct hrtimer *timers = vmalloc(array_size(live, sizeof(*timers)));
	unsigned int i;

	if (!timers)
		return bench_fail("timers");
	for (i = 0; i < live; i++) {
		bench_timer_init(&timers[i]);
		hrtimer_start(&timers[i], BENCH_HOUR, HRTIMER_MODE_REL);
		cond_resched();
	}
	bench_loop(bench_timer, NULL, BENCH_OPS, "hrtimer.%u", live);
	for (i = 0; i < live; i++)
		hrtimer_cancel(&timers[i]);
	vfree(timers);
}

static void bench_timeout(void *parent, unsigned int ops)
{
	struct ctx *ctx;

	while (ops--) {
		ctx = ctx_with_timeout(parent, BENCH_HOUR, GFP_KERNEL);
		ctx_cancel(ctx);
		ctx_put(ctx);
	}
}

/* @count contexts that stay live meanwhile; NULL if there is no memory. */
struct ctx **bench_arm(struct ctx *parent, unsigned int count)
{
	struct ctx **timeouts = vmalloc(array_size(count, sizeof(*timeouts)));
	unsigned int i;

	if (!timeouts) {
		bench_fail("pointers");
		return NULL;
	}
	for (i = 0; i < count; i++) {
		timeouts[i] = bench_ctx(ctx_with_timeout(parent, BENCH_HOUR, GFP_KERNEL));
		cond_resched();
	}
	return timeouts;
}

void bench_disarm(struct ctx **timeouts, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		ctx_cancel(timeouts[i]);
		ctx_put(timeouts[i]);
	}
	vfree(timeouts);
}

static void bench_deadlines(unsigned int live)
{
	struct ctx *parent = bench_ctx(ctx_with_cancel(ctx_background(), GFP_KERNEL));
	struct ctx **others = bench_arm(parent, live);

	if (others) {
		bench_loop(bench_timeout, parent, BENCH_OPS, "timeout.%u", live);
		bench_disarm(others, live);
	}
	ctx_put(parent);
}

void bench_timers(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bench_lives); i++) {
		if (bench_quick && bench_lives[i] > 4000)
			break;
		bench_bare(bench_lives[i]);
		bench_deadlines(bench_lives[i]);
	}
}
