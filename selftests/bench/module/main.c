// SPDX-License-Identifier: GPL-2.0
/*
 * How things are measured: in batches, of which the median counts, so that what a
 * timer interrupt takes now and then does not. The loop around it is included, and
 * is a measure of its own (loop.read_once).
 */
#include <linux/completion.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/sort.h>

#include "bench.h"

#define BENCH_WARM_UP	3
#define BENCH_BATCHES	31

bool bench_quick;
module_param_named(quick, bench_quick, bool, 0444);
MODULE_PARM_DESC(quick, "leave out the big sizes");

bool bench_kept;
module_param_named(kept, bench_kept, bool, 0444);
MODULE_PARM_DESC(kept, "only 1000 children, whose cache has been told to keep its pages");

static unsigned int hold;
module_param(hold, uint, 0444);
MODULE_PARM_DESC(hold, "measure nothing, but hold this many values until unloaded");

static unsigned int length = 1;
module_param(length, uint, 0444);
MODULE_PARM_DESC(length, "... in lines of so many");

static unsigned int depth;
module_param(depth, uint, 0444);
MODULE_PARM_DESC(depth, "... below a line of so many");

static bool idle;
module_param(idle, bool, 0444);
MODULE_PARM_DESC(idle, "measure nothing, hold nothing");

static int bench_error;
static DECLARE_COMPLETION(bench_ended);

void bench_fail(const char *what)
{
	bench_error = -ENOMEM;
	pr_err("failed: %s\n", what);
}

/* Passes @ctx on, or says that there is none. */
struct ctx *bench_ctx(struct ctx *ctx)
{
	if (!IS_ERR(ctx))
		return ctx;
	bench_fail("deriving a context");
	return ctx_background();	/* may be asked for anything, unlike an error */
}

u64 bench_tenths(u64 total, u64 count)
{
	return div64_u64(10 * total + count / 2, count);
}

static int bench_compare(const void *a, const void *b)
{
	const u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

u64 bench_median(u64 *samples, unsigned int count)
{
	sort(samples, count, sizeof(*samples), bench_compare, NULL);
	return samples[count / 2];
}

static void bench_print_named(const char *unit, u64 tenths, struct va_format *name)
{
	u32 tenth;
	u64 whole = div_u64_rem(tenths, 10, &tenth);

	pr_info("%pV %s %llu.%u\n", name, unit, whole, tenth);
}

void bench_print(const char *unit, u64 tenths, const char *fmt, ...)
{
	struct va_format name = { .fmt = fmt };
	va_list args;

	va_start(args, fmt);
	name.va = &args;
	bench_print_named(unit, tenths, &name);
	va_end(args);
}

/* Prints what @loop takes for one of its @ops operations. */
void bench_loop(void (*loop)(void *data, unsigned int ops), void *data, unsigned int ops,
		const char *fmt, ...)
{
	u64 samples[BENCH_BATCHES], start;
	struct va_format name = { .fmt = fmt };
	va_list args;
	int i;

	for (i = -BENCH_WARM_UP; i < BENCH_BATCHES; i++) {
		start = ktime_get_ns();
		loop(data, ops);
		samples[max(i, 0)] = ktime_get_ns() - start;
		cond_resched();
	}
	va_start(args, fmt);
	name.va = &args;
	bench_print_named("instructions", bench_tenths(bench_median(samples, BENCH_BATCHES), ops),
			  &name);
	va_end(args);
}

static void bench_all(void)
{
	bench_floor();
	bench_peers();
	bench_contexts();
	bench_sources();
	bench_timers();
	bench_values();
	bench_trees();
	bench_twins();
	bench_work();
	bench_irqsoff();
}

/* A kernel thread: kthread_should_stop() may be asked in no other task. */
static int bench_run(void *unused)
{
	if (bench_kept)
		bench_trees_kept();
	else
		bench_all();
	complete(&bench_ended);
	while (!kthread_should_stop())
		schedule_timeout_interruptible(1);
	return 0;
}

static int __init bench_init(void)
{
	struct task_struct *task;

	if (idle)
		return 0;
	if (hold) {
		bench_hold(hold, max(length, 1U), depth);
		if (bench_error)
			bench_unhold();
		return bench_error;
	}
	task = kthread_create(bench_run, NULL, "ctx_bench");
	if (IS_ERR(task))
		return PTR_ERR(task);
	kthread_bind(task, 0);
	wake_up_process(task);
	wait_for_completion(&bench_ended);
	kthread_stop(task);
	return bench_error;
}

static void __exit bench_exit(void)
{
	bench_unhold();
	ctx_barrier();
}

module_init(bench_init);
module_exit(bench_exit);
MODULE_DESCRIPTION("Benchmarks of cancellation contexts and of their peers");
MODULE_LICENSE("GPL");
