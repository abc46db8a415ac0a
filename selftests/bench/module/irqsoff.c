// SPDX-License-Identifier: GPL-2.0
/*
 * The longest stretch with interrupts off, while big trees are cancelled or expire.
 *
 * Debian's kernel has no tracer for that. So a timer of our own, the probe, goes
 * off over and over, and notes how late its interrupt came: a stretch that it
 * falls into delays it by what is left of that. Its period varies, so that it falls
 * into every part of what is done over and over again. The way to its handler, as
 * the median on an idle loop has it, is taken off.
 *
 * Where the kernel's own tick is due at the same time, the probe waits for that
 * too. So the first probe after each tick, one in some five hundred, is kept apart
 * and makes a measure of its own.
 */
#include <linux/hrtimer.h>
#include <linux/irqflags.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/vmalloc.h>

#include "bench.h"

#define BENCH_PERIOD	5003	/* to twice that, between two probes */
#define BENCH_SAMPLES	4096U	/* kept, for the median */
#define BENCH_NAME	48
#define BENCH_OFF	20000	/* a stretch that the self-check makes */
#define BENCH_STRETCHES	99

static struct {
	struct hrtimer timer;
	u64 late[BENCH_SAMPLES];
	u64 usual;
	u64 longest;
	u64 with_tick;
	u64 tick;
	ktime_t then;		/* when the second probe is due, if that matters */
	unsigned int count;
	u32 random;
	bool stop;
} bench_probe;

static ktime_t bench_next_period(void)
{
	bench_probe.random = bench_probe.random * 1664525 + 1013904223;
	return BENCH_PERIOD + (bench_probe.random >> 16) % BENCH_PERIOD;
}

static enum hrtimer_restart bench_probe_fired(struct hrtimer *timer)
{
	ktime_t now = ktime_get();
	u64 late = ktime_sub(now, hrtimer_get_expires(timer));
	const u64 tick = get_jiffies_64();

	if (bench_probe.stop)
		return HRTIMER_NORESTART;
	bench_probe.late[bench_probe.count++ % BENCH_SAMPLES] = late;
	if (tick == bench_probe.tick)
		bench_probe.longest = max(bench_probe.longest, late);
	bench_probe.with_tick = max(bench_probe.with_tick, late);
	bench_probe.tick = tick;
	hrtimer_set_expires(timer, bench_probe.then ?: ktime_add(now, bench_next_period()));
	bench_probe.then = 0;
	return HRTIMER_RESTART;
}

static void bench_probe_reset(void)
{
	bench_probe.count = 0;
	bench_probe.longest = 0;
	bench_probe.with_tick = 0;
	bench_probe.random = 1;
}

/* The first probe comes at @time, the second at @then unless that is 0. */
static void bench_probe_start(ktime_t time, ktime_t then)
{
	bench_probe.stop = false;
	bench_probe.then = then;
	hrtimer_init(&bench_probe.timer, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_PINNED_HARD);
	bench_probe.timer.function = bench_probe_fired;
	hrtimer_start(&bench_probe.timer, time, HRTIMER_MODE_ABS_PINNED_HARD);
}

static void bench_probe_stop(void)
{
	WRITE_ONCE(bench_probe.stop, true);
	hrtimer_cancel(&bench_probe.timer);
	if (!bench_probe.count)
		bench_fail("probing");
}

/* Without a pause: in emulation that takes long, and counts as one instruction. */
static void bench_spin(u64 ns)
{
	u64 end = ktime_get_ns() + ns;

	while (ktime_get_ns() < end)
		;
}

static u64 bench_beyond_usual(u64 late)
{
	return late - min(late, bench_probe.usual);
}

static void bench_probe_print(const char *name)
{
	bench_print("instructions", 10 * bench_beyond_usual(bench_probe.longest),
		    "irqsoff.%s", name);
	bench_print("instructions", 10 * bench_beyond_usual(bench_probe.with_tick),
		    "irqsoff_tick.%s", name);
	bench_print("probes", 10ULL * bench_probe.count, "irqsoff_probes.%s", name);
}

static void bench_idle(void)
{
	unsigned int count;

	bench_probe_reset();
	bench_probe_start(ktime_get(), 0);
	bench_spin(NSEC_PER_SEC);	/* 250 ticks */
	bench_probe_stop();
	count = min(bench_probe.count, BENCH_SAMPLES);
	bench_probe.usual = bench_median(bench_probe.late, count);
	bench_print("instructions", 10 * bench_probe.usual, "irqsoff.usual");
	bench_probe_print("idle");
}

/* Interrupts are off for BENCH_OFF from when a probe is due. Returns what it found. */
static u64 bench_probed_stretch(void)
{
	unsigned long flags;

	bench_probe_reset();
	local_irq_save(flags);
	bench_probe_start(ktime_get(), 0);
	bench_spin(BENCH_OFF);
	local_irq_restore(flags);
	bench_probe_stop();
	return bench_probe.longest;
}

/*
 * Shows that a stretch of a known length would be found. The median: some other device's
 * interrupt or a tick may come with one of them.
 */
static void bench_self_check(void)
{
	static u64 found[BENCH_STRETCHES];
	int i;

	for (i = 0; i < BENCH_STRETCHES; i++)
		found[i] = bench_probed_stretch();
	bench_probe.longest = bench_median(found, BENCH_STRETCHES);
	bench_probe_print("self_check");
	if (bench_probe.longest < BENCH_OFF * 9 / 10)
		bench_fail("the probe missed a stretch with interrupts off");
}

static void bench_probed_cancel(struct bench_tree *tree)
{
	tree->top = bench_ctx(ctx_with_cancel(ctx_background(), GFP_KERNEL));
	bench_tree_build(tree);
	bench_probe_start(ktime_get(), 0);
	ctx_cancel(tree->top);
	bench_probe_stop();
}

/*
 * The second probe is due just after the deadline, so that it waits for all that
 * the same interrupt does; the others come while a worker does the rest. The first
 * is there for the second to know whether there was a tick in between.
 */
static void bench_probed_expiry(struct bench_tree *tree)
{
	ktime_t deadline = ktime_add_ns(ktime_get(), 10 * NSEC_PER_MSEC + 1500ULL * tree->count);

	tree->top = bench_ctx(ctx_with_deadline(ctx_background(), deadline, GFP_KERNEL));
	bench_tree_build(tree);
	if (ctx_is_done(tree->top))
		bench_fail("building a tree before its deadline");
	bench_probe_start(ktime_sub_ns(deadline, 2 * BENCH_PERIOD), ktime_add_ns(deadline, 1));
	while (!ctx_is_done(tree->top))
		;
	wait_for_completion(&tree->all_called);
	bench_probe_stop();
}

static void bench_probed_release(struct bench_tree *tree)
{
	tree->top = bench_ctx(ctx_with_cancel(ctx_background(), GFP_KERNEL));
	bench_tree_build(tree);
	ctx_cancel(tree->top);
	bench_probe_start(ktime_get(), 0);
	bench_tree_release(tree);
	bench_probe_stop();
}

/* What is probed; all but the release leave that to be done. */
enum bench_what { BENCH_CANCEL, BENCH_EXPIRE, BENCH_RELEASE };

static const struct {
	const char *name;
	void (*probe)(struct bench_tree *tree);
} bench_probed_kinds[] = {
	[BENCH_CANCEL] = { "cancel", bench_probed_cancel },
	[BENCH_EXPIRE] = { "expire", bench_probed_expiry },
	[BENCH_RELEASE] = { "release", bench_probed_release },
};

static void bench_probed(unsigned int count, bool deep, enum bench_what what)
{
	struct bench_tree tree = { .deep = deep, .callbacks = true };
	/*
	 * Expiry has one moment in it that no other probe hits, in which the worker may
	 * be woken this way or that.
	 */
	unsigned int rounds = max(200000 / count, what == BENCH_EXPIRE ? 12u : 1u);
	char name[BENCH_NAME];

	if (!bench_tree_alloc(&tree, count))
		return;
	bench_probe_reset();
	while (rounds--) {
		bench_probed_kinds[what].probe(&tree);
		if (tree.called != count)
			bench_fail("running every callback");
		if (what != BENCH_RELEASE)
			bench_tree_release(&tree);
		cond_resched();
	}
	snprintf(name, sizeof(name), "%s.%s.%u", bench_probed_kinds[what].name,
		 deep ? "deep" : "wide", count);
	bench_probe_print(name);
	bench_tree_free(&tree);
}

/* What the release of as many objects of a context's size has to be held against. */
static void bench_probed_slab(unsigned int count)
{
	struct kmem_cache *cache = kmem_cache_create("ctx_bench", 192, 0, SLAB_HWCACHE_ALIGN, NULL);
	void **objects = vzalloc(array_size(count, sizeof(*objects)));
	char name[BENCH_NAME];
	unsigned int i;

	if (!cache || !objects) {
		bench_fail("objects of 192 bytes");
		goto out;
	}
	for (i = 0; i < count; i++)
		objects[i] = kmem_cache_alloc(cache, GFP_KERNEL);
	bench_probe_reset();
	bench_probe_start(ktime_get(), 0);
	for (i = 0; i < count; i++) {
		if (objects[i])
			kmem_cache_free(cache, objects[i]);
	}
	bench_probe_stop();
	snprintf(name, sizeof(name), "release.slab.%u", count);
	bench_probe_print(name);
out:
	vfree(objects);
	kmem_cache_destroy(cache);
}

void bench_irqsoff(void)
{
	unsigned int biggest = bench_quick ? 100000 : 1000000, count;
	enum bench_what what;

	bench_idle();
	bench_self_check();
	for (count = 10000; count <= biggest; count *= 10) {
		for (what = BENCH_CANCEL; what <= BENCH_RELEASE; what++) {
			bench_probed(count, false, what);
			bench_probed(count, true, what);
		}
		bench_probed_slab(count);
	}
}
