// SPDX-License-Identifier: GPL-2.0
/* CPUs that go and come all the while, but for the first. */
#include <linux/cpu.h>
#include <linux/kthread.h>
#include <linux/module.h>

#include "torture.h"

static unsigned int onoff = 300;
module_param(onoff, uint, 0444);
MODULE_PARM_DESC(onoff, "ms from one change of a CPU to the next, at most; 0: none");

#ifdef CONFIG_HOTPLUG_CPU
static struct task_struct *tor_onoff_task;
static unsigned long tor_offs, tor_ons, tor_refused;

/* Any of those that may, or -1. */
static int tor_onoff_pick(struct tor_actor *actor)
{
	unsigned int skip = tor_pick(actor, num_possible_cpus());
	int cpu = -1, round;

	for (round = 0; round <= skip; round++) {
		cpu = cpumask_next(cpu, cpu_possible_mask);
		if (cpu >= nr_cpu_ids)
			return -1;
	}
	return cpu && cpu_is_hotpluggable(cpu) ? cpu : -1;
}

static void tor_onoff_one(int cpu)
{
	const bool on = cpu_online(cpu);

	if (on ? remove_cpu(cpu) : add_cpu(cpu))
		tor_refused++;
	else if (on)
		tor_offs++;
	else
		tor_ons++;
}

static int tor_onoff_fn(void *data)
{
	struct tor_actor actor = { .place = { .op = "onoff", .actor = TOR_ACTORS } };
	int cpu;

	while (!kthread_should_stop()) {
		tor_random_begin(&actor);
		actor.place.count++;
		cpu = tor_onoff_pick(&actor);
		if (cpu > 0)
			tor_onoff_one(cpu);
		schedule_timeout_interruptible(1 + msecs_to_jiffies(tor_pick(&actor, onoff)));
	}
	for_each_possible_cpu(cpu)
		if (!cpu_online(cpu))
			add_cpu(cpu);
	return 0;
}

int tor_onoff_begin(void)
{
	if (onoff && num_possible_cpus() > 1)
		tor_onoff_task = kthread_run(tor_onoff_fn, NULL, "ctx_torture_onoff");
	return PTR_ERR_OR_ZERO(tor_onoff_task);
}

void tor_onoff_end(void)
{
	if (!IS_ERR_OR_NULL(tor_onoff_task))
		kthread_stop(tor_onoff_task);
}

void tor_onoff_report(void)
{
	pr_info("CPUs: %lu went, %lu came, %lu refused\n", tor_offs, tor_ons, tor_refused);
}
#else
int tor_onoff_begin(void)
{
	if (onoff)
		pr_info("no CPU goes: this kernel has no CONFIG_HOTPLUG_CPU\n");
	return 0;
}

void tor_onoff_end(void)
{
}

void tor_onoff_report(void)
{
}
#endif
