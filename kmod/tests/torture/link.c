// SPDX-License-Identifier: GPL-2.0
/* Links, and ties: links both ways, of which only one may come to be (S15). */
#include "torture.h"

struct tor_link {
	struct tor_pending pending;	/* its node is the other one */
	struct ctx_link link;
	struct tor_node *node;		/* the linked one, known to nobody else; with a reference */
	struct tor_node *child;		/* below it, or NULL */
};

/* It was not by this link, which was gone before, that @node ended. */
static void tor_link_had_gone(const struct tor_place *place, struct tor_node *node,
			      struct tor_node *other)
{
	struct tor_seen seen, by, above;

	if (!tor_look(place, other, &by) || !tor_look(place, node, &seen))
		return;
	if (node->parent->scope && tor_look(place, node->parent->scope, &above) &&
	    above.origin == seen.origin)
		return;
	TOR_CHECK(place, "S15", seen.origin != by.origin, "ended by a link that was removed");
}

static void tor_link_end(struct tor_actor *actor, struct tor_pending *pending)
{
	struct tor_link *link = container_of(pending, struct tor_link, pending);
	const struct tor_place *place = &pending->place;
	struct tor_node *node = link->node, *other = pending->node;
	const bool was_done = tor_err(place, other), by_us = tor_pick(actor, 2);

	if (was_done)
		tor_await(place, node, "S15");
	ctx_unlink(&link->link);
	if (!tor_err(place, node)) {
		if (by_us && other != other->world->top)
			tor_cancel(actor, other, tor_pick_how(actor));
		tor_spin(actor, 20);
		tor_link_had_gone(place, node, other);
	}
	if (link->child) {
		if (tor_err(place, node))
			tor_await(place, link->child, "S4");
		tor_check_path(place, link->child);
		tor_put(link->child);
	}
	tor_put(node);
}

static struct tor_link *tor_link_make(struct tor_actor *actor, struct tor_node *other)
{
	struct tor_node *parent = tor_any(actor), *node;
	struct tor_link *link = NULL;

	node = tor_derive(actor, parent->world, parent, tor_pick(actor, 2) ? TOR_CANCEL : TOR_FAR);
	/* All of it in one world, which does not end before. */
	if (node && node->world == other->world)
		link = tor_pending_alloc(actor, other, sizeof(*link), tor_link_end);
	if (link)
		link->node = node;
	else if (node)
		tor_put(node);
	tor_put(parent);
	return link;
}

static void tor_link_begin(struct tor_actor *actor, struct tor_link *link)
{
	struct tor_node *node = link->node, *other = link->pending.node;
	const struct tor_place *place = &actor->place;
	const bool was_done = tor_err(place, other);
	int err;

	WRITE_ONCE(node->linked, true);
	err = ctx_link(node->ctx, other->ctx, &link->link);
	TOR_CHECK(place, "S15", !err, "linking a fresh context returned %d", err);
	if (was_done)
		TOR_CHECK(place, "S15", tor_err(place, node), "live, but linked to what is done");
	if (tor_pick(actor, 2))
		link->child = tor_derive(actor, node->world, node, TOR_CANCEL);
}

/* The other is cancelled, or not; now, or when this is ended. */
unsigned int tor_op_link(struct tor_actor *actor)
{
	struct tor_node *other = tor_any(actor);
	struct tor_link *link = tor_link_make(actor, other);
	const enum tor_how how = tor_pick_how(actor);
	unsigned int outcome = 0;

	if (!link) {
		tor_put(other);
		return 2;
	}
	tor_link_begin(actor, link);
	if (tor_pick(actor, 2) && other != other->world->top) {
		if (tor_cancel(actor, other, how) && how != TOR_ASYNC)
			TOR_CHECK(&actor->place, "S15", tor_err(&actor->place, link->node),
				  "live after the cancellation of what it is linked to");
		outcome = 1;
	}
	if (tor_pick(actor, 2))
		tor_pending_end(actor, &link->pending);
	else
		tor_pending_leave(actor, &link->pending);
	tor_put(other);
	return outcome;
}

/*
 * Links that nobody takes away: they go with the contexts that were linked. If they
 * led in a circle none of it would ever go, and so the world would not.
 */
struct tor_tie {
	struct tor_thing thing;
	struct ctx_link link;
};

/* Puts @node in place of another, unless its world ends. Gives what is to be put then. */
static struct tor_node *tor_tie_swap(struct tor_world *world, unsigned int i,
				     struct tor_node *node)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&world->ties_lock, flags);
	if (!node || !world->retired)
		swap(world->ties[i], node);
	raw_spin_unlock_irqrestore(&world->ties_lock, flags);
	return node;
}

static struct tor_node *tor_tie_borrow(struct tor_world *world, unsigned int i)
{
	struct tor_node *node;
	unsigned long flags;

	raw_spin_lock_irqsave(&world->ties_lock, flags);
	node = world->ties[i] ? tor_get(world->ties[i]) : NULL;
	raw_spin_unlock_irqrestore(&world->ties_lock, flags);
	return node;
}

static void tor_put_any(struct tor_node *node)
{
	if (node)
		tor_put(node);
}

void tor_ties_end(struct tor_world *world)
{
	int i;

	for (i = 0; i < TOR_TIES; i++)
		tor_put_any(tor_tie_swap(world, i, NULL));
}

static unsigned int tor_tie(struct tor_actor *actor, struct tor_node *node, struct tor_node *other)
{
	struct tor_tie *tie = tor_alloc(node->world, sizeof(*tie), actor->gfp);
	int err;

	if (!tie)
		return 2;
	WRITE_ONCE(node->linked, true);
	err = ctx_link(node->ctx, other->ctx, &tie->link);
	TOR_CHECK(&actor->place, "S15", !err || err == -EBUSY || (err == -ELOOP && node == other),
		  "a tie returned %d", err);
	return err ? 1 : 0;
}

/* Two of a few that are new, in either order; sometimes one more is. */
unsigned int tor_op_tie(struct tor_actor *actor)
{
	const unsigned int a = tor_pick(actor, TOR_TIES), b = tor_pick(actor, TOR_TIES);
	struct tor_node *node, *other, *top = tor_top();
	struct tor_world *world = top->world;
	unsigned int outcome = 2;

	if (!tor_pick(actor, 3)) {
		node = tor_derive(actor, world, top, TOR_CANCEL);
		if (node)
			tor_put_any(tor_tie_swap(world, a, node));
	}
	node = tor_tie_borrow(world, a);
	other = tor_tie_borrow(world, b);
	if (node && other)
		outcome = tor_tie(actor, node, other);
	tor_put_any(node);
	tor_put_any(other);
	tor_put(top);
	return outcome;
}
