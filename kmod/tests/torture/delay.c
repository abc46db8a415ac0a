// SPDX-License-Identifier: GPL-2.0
/*
 * Delays at the steps of ctx.ko that are marked with ctx_torture_point(), if it was
 * built with CTX_TORTURE=1: on each CPU some of the times that it comes by. From a
 * microsecond to one of a thousand, each power of two as often as another: what is long
 * enough for another CPU to come in between depends on the machine, and how busy it is.
 */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/percpu.h>

#include "../../internal.h"
#include "torture.h"

static unsigned int delays = 16;
module_param(delays, uint, 0444);
MODULE_PARM_DESC(delays, "one in how many marked steps of ctx.ko is delayed; 0: none");

#ifdef CTX_TORTURE
static DEFINE_PER_CPU(u32, tor_delay_random);
static DEFINE_PER_CPU(unsigned long, tor_delayed);

/* An interrupt in between does no harm. */
static u32 tor_delay_pick(void)
{
	u32 random = this_cpu_read(tor_delay_random);

	random ^= random << 13;
	random ^= random >> 17;
	random ^= random << 5;
	this_cpu_write(tor_delay_random, random);
	return random;
}

/* In any context, under any lock of ctx. */
static void tor_delay(void)
{
	const u32 random = tor_delay_pick();

	if ((u64)random * delays >> 32)
		return;
	this_cpu_inc(tor_delayed);
	udelay(1 << random % 11);
}

static const struct ctx_torture tor_torture = { .delay = tor_delay };

void tor_delays_begin(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		per_cpu(tor_delay_random, cpu) = (tor_seed ^ (cpu + 1) * 0x9e3779b9U) ?: 1;
	if (delays)
		rcu_assign_pointer(ctx_torture, &tor_torture);
}

void tor_delays_end(void)
{
	RCU_INIT_POINTER(ctx_torture, NULL);
	synchronize_rcu();
}

unsigned long tor_delays_made(void)
{
	unsigned long sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu(tor_delayed, cpu));
	return sum;
}
#else
void tor_delays_begin(void)
{
	if (delays)
		pr_info("no delays: ctx.ko was built without CTX_TORTURE=1\n");
}

void tor_delays_end(void)
{
}

unsigned long tor_delays_made(void)
{
	return 0;
}
#endif
