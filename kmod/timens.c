// SPDX-License-Identifier: GPL-2.0
/*
 * Times as a process has them: a time namespace is ahead of the machine, or behind it,
 * on the clocks that begin with it. What is kept is the machine's.
 */
#include <linux/nsproxy.h>
#include <linux/sched.h>
#include <linux/time_namespace.h>

#include "internal.h"

/* How far the current task's @clock is ahead. */
static ktime_t ctx_clock_ahead(clockid_t clock)
{
	const struct timens_offsets *offsets;

	if (!IS_ENABLED(CONFIG_TIME_NS))
		return 0;
	offsets = &current->nsproxy->time_ns->offsets;
	if (clock == CLOCK_MONOTONIC)
		return timespec64_to_ktime(offsets->monotonic);
	return clock == CLOCK_BOOTTIME ? timespec64_to_ktime(offsets->boottime) : 0;
}

/* Within what there is of times: the first, and the last, which is never. */
static ktime_t ctx_time_moved(ktime_t time, ktime_t by)
{
	if (time == KTIME_MAX)
		return time;
	if (by < 0)
		return max_t(ktime_t, 0, time + by);
	return ktime_add_safe(time, by);
}

/* The machine's, of @time on the current task's @clock. */
ktime_t ctx_time_of_task(clockid_t clock, ktime_t time)
{
	return ctx_time_moved(time, -ctx_clock_ahead(clock));
}

/* The current task's, of @time on CLOCK_MONOTONIC. */
ktime_t ctx_time_for_task(ktime_t time)
{
	return ctx_time_moved(time, ctx_clock_ahead(CLOCK_MONOTONIC));
}
