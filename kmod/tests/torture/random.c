// SPDX-License-Identifier: GPL-2.0
/*
 * Chance. Each operation has random numbers of its own, which do not depend on how
 * many an earlier one took: so it is the same each time, whatever others did.
 */
#include <linux/delay.h>
#include <linux/jhash.h>

#include "torture.h"

void tor_random_begin(struct tor_actor *actor)
{
	actor->random = jhash_3words(tor_seed, actor->place.actor, actor->place.count, 0) ?: 1;
}

u32 tor_pick(struct tor_actor *actor, u32 below)
{
	u32 random = actor->random;

	random ^= random << 13;
	random ^= random >> 17;
	random ^= random << 5;
	actor->random = random;
	/* The upper bits are the better ones. */
	return (u64)random * below >> 32;
}

void tor_spin(struct tor_actor *actor, u32 below_us)
{
	udelay(tor_pick(actor, below_us));
}
