// SPDX-License-Identifier: GPL-2.0
/*
 * Duels: two threads at one context, at the same moment. One offers it, with a child
 * and callbacks, and waits a little for somebody who takes it up between two of his own
 * operations; then each does something to it. When both are through it is cancelled, and
 * all that was there must have come to its end.
 */
#include "torture.h"

#define TOR_DUEL_US	800
#define TOR_SECONDS	24
#define TOR_ROUNDS	64

struct tor_duel {
	struct tor_thing thing;
	struct tor_node *node;		/* each of the two has a reference */
	struct tor_node *child;		/* the one who offers it has */
	struct tor_callback *callback[TOR_SECONDS];
	unsigned int nr;
	struct tor_node *born[TOR_SECONDS];	/* below the child, meanwhile */
	unsigned int nr_born;
	bool taken;
	atomic_t parties;		/* who is not through yet */
};

static struct tor_duel *tor_duel;	/* on offer, or NULL */

/* Returns false if it was refused, or there is no room. */
static bool tor_duel_add(struct tor_actor *actor, struct tor_duel *duel, struct tor_node *node)
{
	struct tor_callback *callback = NULL;

	if (duel->nr < TOR_SECONDS)
		callback = tor_callback_add(actor, node);
	if (!callback)
		return false;
	duel->callback[duel->nr++] = callback;
	return atomic_read(&callback->state) != TOR_IDLE;
}

/* One that comes and goes, until it is refused. */
static void tor_duel_turn(struct tor_actor *actor, struct tor_node *node)
{
	struct tor_callback *callback;
	int i, state;

	for (i = 0; i < TOR_ROUNDS; i++) {
		callback = tor_callback_add(actor, node);
		if (!callback)
			return;
		state = atomic_read(&callback->state);
		tor_pending_end(actor, &callback->pending);
		if (state == TOR_IDLE)
			return;
	}
}

/* Children, until they are born done. */
static void tor_duel_bear(struct tor_actor *actor, struct tor_duel *duel, struct tor_node *parent)
{
	struct tor_node *node;

	while (duel->nr_born < TOR_SECONDS) {
		node = tor_derive(actor, parent->world, parent, TOR_CANCEL);
		if (!node)
			return;
		duel->born[duel->nr_born++] = node;
		if (tor_err(&actor->place, node))
			return;
	}
}

/* Those that are left are not ended yet. */
static void tor_duel_remove(struct tor_actor *actor, struct tor_duel *duel)
{
	while (duel->nr && tor_pick(actor, 4))
		tor_pending_end(actor, &duel->callback[--duel->nr]->pending);
}

static void tor_duel_derive(struct tor_actor *actor, struct tor_node *parent)
{
	struct tor_node *node = tor_derive(actor, parent->world, parent, tor_pick_kind(actor));

	if (node)
		tor_put(node);
}

static void tor_duel_stare(struct tor_actor *actor, struct tor_node *node)
{
	int i;

	for (i = 0; i < 20; i++)
		tor_check_path(&actor->place, node);
}

/* Neither knows how far the other one is. */
static void tor_duel_pause(struct tor_actor *actor)
{
	tor_spin(actor, 2 << tor_pick(actor, 9));
}

/* What the one who offers it does. */
static void tor_duel_act(struct tor_actor *actor, struct tor_duel *duel)
{
	struct tor_node *node = tor_pick(actor, 2) ? duel->node : duel->child;

	if (tor_pick(actor, 2))
		tor_duel_pause(actor);
	switch (tor_pick(actor, 6)) {
	case 0:
		while (tor_duel_add(actor, duel, node))
			tor_spin(actor, 4);
		break;
	case 1:
		tor_duel_turn(actor, node);
		break;
	case 2:
		tor_duel_remove(actor, duel);
		break;
	case 3:
		tor_duel_bear(actor, duel, node);
		break;
	case 4:
		tor_duel_stare(actor, node);
		break;
	default:
		tor_cancel(actor, node, tor_pick_how(actor));
	}
}

/* What the other one does: mostly he cancels it. */
static void tor_duel_answer(struct tor_actor *actor, struct tor_duel *duel)
{
	tor_duel_pause(actor);
	switch (tor_pick(actor, 6)) {
	case 0:
		tor_duel_stare(actor, duel->node);
		break;
	case 1:
		tor_duel_derive(actor, duel->node);
		break;
	default:
		tor_cancel(actor, duel->node, tor_pick_how(actor));
	}
}

/* Of his own numbers this is no part: it comes in between. */
void tor_duel_take(struct tor_actor *actor)
{
	struct tor_duel *duel = READ_ONCE(tor_duel);
	struct tor_node *node;

	if (!duel || cmpxchg(&tor_duel, duel, NULL) != duel)
		return;
	WRITE_ONCE(duel->taken, true);
	node = duel->node;
	tor_duel_answer(actor, duel);
	/* Pairs with the acquire in tor_duel_end(). */
	atomic_dec_return_release(&duel->parties);
	tor_put(node);
}

/* Returns whether somebody came. */
static bool tor_duel_offer(struct tor_actor *actor, struct tor_duel *duel)
{
	const ktime_t end = ktime_add_us(ktime_get(), TOR_DUEL_US);

	atomic_set(&duel->parties, 1);
	tor_get(duel->node);
	if (!cmpxchg(&tor_duel, NULL, duel)) {
		while (!READ_ONCE(duel->taken) && ktime_before(ktime_get(), end))
			cpu_relax();
		if (cmpxchg(&tor_duel, duel, NULL) != duel)
			return true;
	}
	atomic_set(&duel->parties, 0);
	tor_put(duel->node);
	return false;
}

/*
 * All of it is cancelled by now, by whomever, and at rest: no callback that is there is
 * still to run.
 */
static void tor_duel_end(struct tor_actor *actor, struct tor_duel *duel)
{
	const struct tor_place *place = &actor->place;
	int i, state;

	tor_cancel(actor, duel->node, TOR_SYNC);
	tor_check_swept(place, duel->child, duel->node);
	for (i = 0; i < duel->nr_born; i++) {
		tor_check_swept(place, duel->born[i], duel->node);
		tor_put(duel->born[i]);
	}
	for (i = 0; i < duel->nr; i++) {
		state = atomic_read(&duel->callback[i]->state);
		TOR_CHECK(place, "S5", !tor_is_below(duel->callback[i]->pending.node, duel->node) ||
			  state == TOR_RAN || state == TOR_IDLE,
			  "a callback in state %d after ctx_cancel_sync()", state);
		tor_pending_end(actor, &duel->callback[i]->pending);
	}
	/* Pairs with the release in tor_duel_take(). */
	while (atomic_read_acquire(&duel->parties))
		cond_resched();
}

unsigned int tor_op_duel(struct tor_actor *actor)
{
	struct tor_node *parent = tor_any(actor);
	struct tor_duel *duel = tor_alloc(parent->world, sizeof(*duel), actor->gfp);
	unsigned int guests = tor_pick(actor, 2) ? tor_pick(actor, 4) : 0;
	bool met = false;

	if (duel)
		duel->node = tor_derive(actor, parent->world, parent, TOR_CANCEL);
	if (duel && duel->node)
		duel->child = tor_derive(actor, parent->world, duel->node,
					 tor_pick(actor, 3) ? TOR_CANCEL : tor_pick_kind(actor));
	tor_put(parent);
	if (duel && duel->child) {
		while (guests--)
			tor_duel_add(actor, duel, tor_pick(actor, 2) ? duel->node : duel->child);
		met = tor_duel_offer(actor, duel);
		tor_duel_act(actor, duel);
		tor_duel_end(actor, duel);
		tor_put(duel->child);
	}
	if (duel && duel->node)
		tor_put(duel->node);
	return !met;
}

#define TOR_DROPS	4

/* Deadlines that come about when the last reference goes. */
unsigned int tor_op_drop(struct tor_actor *actor)
{
	struct tor_node *node[TOR_DROPS], *parent = tor_any(actor);
	unsigned int nr = 1 + tor_pick(actor, TOR_DROPS), i;

	for (i = 0; i < nr; i++)
		node[i] = tor_derive(actor, parent->world, parent, TOR_NARROW);
	tor_put(parent);
	for (i = 0; i < nr; i++) {
		tor_spin(actor, 40);
		if (node[i] && !tor_pick(actor, 4))
			tor_cancel(actor, node[i], tor_pick_how(actor));
		if (node[i])
			tor_put(node[i]);
	}
	return 0;
}
