// SPDX-License-Identifier: GPL-2.0
/*
 * Timers: each thread has two, which do some of the operations in hard and in soft
 * interrupts, with numbers of their own that follow from the thread's.
 */
#include "torture.h"

#define TOR_BURST	4

static enum hrtimer_restart tor_timer_fn(struct hrtimer *hrtimer)
{
	struct tor_timer *timer = container_of(hrtimer, struct tor_timer, timer);

	while (timer->left--)
		tor_step(&timer->actor);
	return HRTIMER_NORESTART;
}

static void tor_timer_init(struct tor_thread *thread, struct tor_timer *timer, unsigned int nr,
			   enum hrtimer_mode mode)
{
	timer->actor.thread = thread;
	timer->actor.atomic = true;
	timer->actor.gfp = GFP_ATOMIC;
	timer->actor.place.actor = nr;
	hrtimer_setup(&timer->timer, tor_timer_fn, CLOCK_MONOTONIC, mode);
}

void tor_timers_init(struct tor_thread *thread)
{
	const unsigned int nr = thread->actor.place.actor;

	tor_timer_init(thread, &thread->hard, nr + 1, HRTIMER_MODE_REL);
	tor_timer_init(thread, &thread->soft, nr + 2, HRTIMER_MODE_REL_SOFT);
}

void tor_timers_end(struct tor_thread *thread)
{
	hrtimer_cancel(&thread->hard.timer);
	hrtimer_cancel(&thread->soft.timer);
}

unsigned int tor_op_timer(struct tor_actor *actor)
{
	const bool soft = tor_pick(actor, 2);
	struct tor_timer *timer = soft ? &actor->thread->soft : &actor->thread->hard;
	const unsigned int left = 1 + tor_pick(actor, TOR_BURST);
	const ktime_t time = tor_pick(actor, 100) * NSEC_PER_USEC;

	/* From before, and not over. */
	if (hrtimer_active(&timer->timer))
		return 2;
	timer->left = left;
	timer->actor.place.count = actor->place.count * TOR_BURST;
	hrtimer_start(&timer->timer, time, soft ? HRTIMER_MODE_REL_SOFT : HRTIMER_MODE_REL);
	return soft;
}
