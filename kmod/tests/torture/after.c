// SPDX-License-Identifier: GPL-2.0
/* After-funcs: once, in a task, after their context (S13). */
#include <linux/delay.h>
#include <linux/kernel.h>

#include "torture.h"

static void tor_after_fn(struct ctx_after *a)
{
	struct tor_after *after = container_of(a, struct tor_after, after);
	const struct tor_place *place = &after->pending.place;

	if (!tor_moves(place, &after->state, TOR_ADDED, TOR_RUNS, "S13", "an after-func runs"))
		return;
	might_sleep();
	TOR_CHECK(place, "S13", tor_err(place, after->pending.node), "an after-func before");
	if (after->random % 2)
		usleep_range(1, 1 + (after->random >> 8 & 127));
	tor_moves(place, &after->state, TOR_RUNS, TOR_RAN, "S13", "an after-func ends");
}

static bool tor_after_stopped(struct tor_after *after, bool stopped)
{
	return tor_taken_off(&after->pending.place, &after->state, stopped, "S13",
			     "an after-func is stopped");
}

static void tor_after_end(struct tor_actor *actor, struct tor_pending *pending)
{
	struct tor_after *after = container_of(pending, struct tor_after, pending);
	int state;

	if (tor_pick(actor, 2) && tor_after_stopped(after, ctx_after_stop(&after->after)))
		return;
	if (tor_after_stopped(after, ctx_after_stop_sync(&after->after)))
		return;
	state = atomic_read(&after->state);
	TOR_CHECK(&pending->place, "S13", state == TOR_RAN,
		  "an after-func in state %d after it was stopped", state);
}

/* Without memory it is NULL. */
struct tor_after *tor_after_add(struct tor_actor *actor, struct tor_node *node)
{
	struct tor_after *after = tor_pending_alloc(actor, node, sizeof(*after), tor_after_end);

	if (!after)
		return NULL;
	after->random = tor_pick(actor, U32_MAX);
	atomic_set(&after->state, TOR_ADDED);
	ctx_after_func(node->ctx, &after->after, tor_after_fn);
	after->waits = !tor_err(&actor->place, node);
	return after;
}

unsigned int tor_op_after(struct tor_actor *actor)
{
	struct tor_node *node = tor_fresh(actor);
	struct tor_after *after = tor_after_add(actor, node);
	bool ran;

	if (!after) {
		tor_put(node);
		return 2;
	}
	if (tor_pick(actor, 2) && node != node->world->top)
		tor_cancel(actor, node, tor_pick_how(actor));
	tor_spin(actor, 20);
	tor_pending_end(actor, &after->pending);
	ran = atomic_read(&after->state) == TOR_RAN;
	tor_put(node);
	return ran ? 0 : 1;
}

/*
 * Perhaps it is the last that has a reference: others may drop theirs at once. One
 * that runs is not waited for, but by who ends it.
 */
unsigned int tor_op_leave_after(struct tor_actor *actor)
{
	struct tor_node *node = tor_fresh(actor);
	struct tor_after *after = tor_after_add(actor, node);

	if (after)
		tor_pending_leave(actor, &after->pending);
	tor_put(node);
	return 0;
}
