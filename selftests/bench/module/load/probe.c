// SPDX-License-Identifier: GPL-2.0
/*
 * How long interrupts stay off: a periodic timer on every CPU, in hard interrupt
 * context, that notes how late it is. A stretch that is longer than the period
 * gives one sample; the period is prime, so that it does not keep step.
 */
#include <linux/bits.h>
#include <linux/cpumask.h>
#include <linux/hrtimer.h>
#include <linux/irqflags.h>
#include <linux/ktime.h>
#include <linux/percpu.h>
#include <linux/smp.h>

#include "kmod/compat.h"
#include "load.h"

#define LOAD_PROBE_SAMPLES	BIT(20)	/* for each CPU */

struct load_probe {
	struct hrtimer timer;
	struct load_samples samples;	/* by the timer */
};

static DEFINE_PER_CPU(struct load_probe, load_probes);

static enum hrtimer_restart load_probe_fire(struct hrtimer *timer)
{
	struct load_probe *probe = container_of(timer, struct load_probe, timer);
	const ktime_t now = ktime_get();

	load_samples_add(&probe->samples, ktime_sub(now, hrtimer_get_expires(timer)), now);
	hrtimer_forward(timer, now, load_period_ns);
	return HRTIMER_RESTART;
}

static void load_probe_arm(void *unused)
{
	struct load_probe *probe = this_cpu_ptr(&load_probes);

	hrtimer_setup(&probe->timer, load_probe_fire, CLOCK_MONOTONIC,
		      HRTIMER_MODE_ABS_PINNED_HARD);
	hrtimer_start(&probe->timer, ktime_add_ns(ktime_get(), load_period_ns),
		      HRTIMER_MODE_ABS_PINNED_HARD);
}

static void load_probe_free(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		load_samples_free(&per_cpu(load_probes, cpu).samples);
}

int load_probe_start(void)
{
	int cpu, err;

	for_each_online_cpu(cpu) {
		err = load_samples_init(&per_cpu(load_probes, cpu).samples, LOAD_PROBE_SAMPLES);
		if (err) {
			load_probe_free();
			return err;
		}
	}
	on_each_cpu(load_probe_arm, NULL, true);
	return 0;
}

/* Prints what it saw from @first to @last, unless @name is NULL. */
int load_probe_stop(const char *name, ktime_t first, ktime_t last)
{
	struct load_samples all;
	int cpu, err;

	for_each_online_cpu(cpu)
		hrtimer_cancel(&per_cpu(load_probes, cpu).timer);
	err = load_samples_init(&all, LOAD_PROBE_SAMPLES * num_online_cpus());
	if (!err) {
		for_each_online_cpu(cpu)
			load_samples_move(&all, &per_cpu(load_probes, cpu).samples, first, last);
		if (name)
			load_samples_print(&all, name, "late_timer");
		load_samples_free(&all);
	}
	load_probe_free();
	return err;
}

static void load_spin(u64 ns)
{
	const u64 start = ktime_get_ns();

	while (ktime_get_ns() - start < ns)
		cpu_relax();
}

/* What the probe sees of a stretch that is known, and of nothing. */
int load_probe_check(void)
{
	int err = load_probe_start();
	int i;

	if (err)
		return err;
	load_spin(10 * NSEC_PER_MSEC);
	err = load_probe_stop("probe.idle", 0, KTIME_MAX);
	if (err)
		return err;
	err = load_probe_start();
	if (err)
		return err;
	for (i = 0; i < 100; i++) {
		local_irq_disable();
		load_spin(200 * NSEC_PER_USEC);
		local_irq_enable();
		load_spin(50 * NSEC_PER_USEC);
	}
	return load_probe_stop("probe.200us_off", 0, KTIME_MAX);
}
