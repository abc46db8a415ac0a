// SPDX-License-Identifier: GPL-2.0
/*
 * Callbacks. Each has a state of its own that says what may come next, and stays for as
 * long as its world: one that runs too early, too late or twice finds it wrong (S12).
 */
#include <linux/delay.h>

#include "torture.h"

/* Moves @state on. Says whether it was where it should be. */
bool tor_moves(const struct tor_place *place, atomic_t *state, enum tor_state from,
	       enum tor_state to, const char *rule, const char *what)
{
	const int was = atomic_cmpxchg(state, from, to);

	TOR_CHECK(place, rule, was == from, "%s in state %d, not %d", what, was, from);
	return was == from;
}

/* Something that was added is taken off before it ran, if @off. Returns @off. */
bool tor_taken_off(const struct tor_place *place, atomic_t *state, bool off, const char *rule,
		   const char *what)
{
	if (off)
		tor_moves(place, state, TOR_ADDED, TOR_REMOVED, rule, what);
	return off;
}

static void tor_callback_fn(struct ctx *ctx, struct ctx_callback *cb)
{
	struct tor_callback *callback = container_of(cb, struct tor_callback, cb);
	const struct tor_place *place = &callback->pending.place;
	struct tor_node *node = callback->pending.node;
	const u32 random = callback->random;

	if (!tor_moves(place, &callback->state, TOR_ADDED, TOR_RUNS, "S12", "a callback runs"))
		return;
	TOR_CHECK(place, "S12", ctx == node->ctx, "a callback of another context");
	TOR_CHECK(place, "S12", tor_err(place, node), "a callback before its context is done");
	if (random % 4 == 0)
		TOR_CHECK(place, "S12", !ctx_callback_remove(ctx, cb), "removed while it runs");
	else if (random % 4 == 1)
		TOR_CHECK(place, "S12", !ctx_callback_remove_sync(ctx, cb),
			  "removed from inside");
	udelay(random >> 8 & 15);
	tor_moves(place, &callback->state, TOR_RUNS, TOR_RAN, "S12", "a callback ends");
}

static bool tor_callback_removed(struct tor_callback *callback, bool removed)
{
	return tor_taken_off(&callback->pending.place, &callback->state, removed, "S12",
			     "a callback is removed");
}

static void tor_callback_end(struct tor_actor *actor, struct tor_pending *pending)
{
	struct tor_callback *callback = container_of(pending, struct tor_callback, pending);
	struct ctx *ctx = pending->node->ctx;
	int state;

	if (tor_pick(actor, 2) &&
	    tor_callback_removed(callback, ctx_callback_remove(ctx, &callback->cb)))
		return;
	if (tor_callback_removed(callback, ctx_callback_remove_sync(ctx, &callback->cb)))
		return;
	state = atomic_read(&callback->state);
	TOR_CHECK(&pending->place, "S12", state == TOR_IDLE || state == TOR_RAN,
		  "a callback in state %d after its removal", state);
}

/* Without memory it is NULL. */
struct tor_callback *tor_callback_add(struct tor_actor *actor, struct tor_node *node)
{
	struct tor_callback *callback = tor_pending_alloc(actor, node, sizeof(*callback),
							  tor_callback_end);
	const struct tor_place *place = &actor->place;
	int err;

	if (!callback)
		return NULL;
	callback->random = tor_pick(actor, U32_MAX);
	atomic_set(&callback->state, TOR_ADDED);
	err = ctx_callback_add(node->ctx, &callback->cb, tor_callback_fn);
	TOR_CHECK(place, "S12", !err || err == -ENOENT, "adding a callback returned %d", err);
	if (err) {
		TOR_CHECK(place, "S12", tor_err(place, node), "no callback, but not done");
		tor_moves(place, &callback->state, TOR_ADDED, TOR_IDLE, "S12",
			  "a callback is refused");
	}
	return callback;
}

/* One that is there for the time of an operation; perhaps its context is ended. */
unsigned int tor_op_callback(struct tor_actor *actor)
{
	struct tor_node *node = tor_fresh(actor);
	struct tor_callback *callback = tor_callback_add(actor, node);
	int state;

	if (!callback) {
		tor_put(node);
		return 2;
	}
	if (tor_pick(actor, 2) && node != node->world->top)
		tor_cancel(actor, node, tor_pick_how(actor));
	tor_spin(actor, 20);
	/* An interrupt does not wait. */
	if (actor->atomic)
		tor_pending_leave(actor, &callback->pending);
	else
		tor_pending_end(actor, &callback->pending);
	state = atomic_read(&callback->state);
	tor_put(node);
	return state == TOR_RAN ? 0 : state == TOR_IDLE ? 2 : 1;
}

unsigned int tor_op_leave_callback(struct tor_actor *actor)
{
	struct tor_node *node = tor_fresh(actor);
	struct tor_callback *callback = tor_callback_add(actor, node);
	unsigned int outcome = 1;

	if (callback) {
		outcome = atomic_read(&callback->state) != TOR_ADDED;
		tor_pending_leave(actor, &callback->pending);
	}
	tor_put(node);
	return outcome;
}
