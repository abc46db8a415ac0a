// SPDX-License-Identifier: GPL-2.0
/* Deriving, looking, and families: subtrees that are cancelled as a whole. */
#include "torture.h"

/*
 * A new one below some other; shown to others, or gone at once. Whether it was listed
 * with its home shows when that is cancelled, by whomever.
 */
unsigned int tor_op_derive(struct tor_actor *actor)
{
	struct tor_node *parent = tor_any(actor);
	struct tor_node *node = tor_derive(actor, parent->world, parent, tor_pick_kind(actor));
	const bool ends = !actor->atomic && !tor_pick(actor, 8);
	bool done;

	if (node && ends && parent != parent->world->top) {
		tor_cancel(actor, parent, TOR_SYNC);
		tor_check_swept(&actor->place, node, parent);
	}
	tor_put(parent);
	if (!node)
		return 2;
	done = tor_err(&actor->place, node);
	if (tor_pick(actor, 4))
		tor_show(actor, node);
	else
		tor_put(node);
	return done;
}

/* A glance, or a long look, in which others may end it. */
unsigned int tor_op_look(struct tor_actor *actor)
{
	unsigned int glances = tor_pick(actor, 3) ? 1 : 40;
	struct tor_node *node = tor_borrow(actor);
	char path[64];
	bool done;

	if (!node)
		return 2;
	while (glances--) {
		tor_check_path(&actor->place, node);
		tor_spin(actor, 4);
	}
	tor_check_deadline(&actor->place, node);
	TOR_CHECK(&actor->place, "S17", ctx_describe(node->ctx, path, sizeof(path)) >= 10,
		  "described as '%s'", path);
	done = tor_err(&actor->place, node);
	tor_put(node);
	return done;
}

unsigned int tor_op_value(struct tor_actor *actor)
{
	struct tor_node *node;
	int i;

	if (tor_pick(actor, 2)) {
		tor_peek(actor);
		return 0;
	}
	node = tor_borrow(actor);
	if (!node)
		return 2;
	for (i = 0; i < TOR_KEYS; i++)
		tor_check_value(&actor->place, node, &tor_keys[i]);
	tor_put(node);
	return 1;
}

#define TOR_FAMILY	48
#define TOR_GUESTS	4

struct tor_family {
	struct tor_thing thing;
	unsigned int nr;
	struct tor_node *node[TOR_FAMILY];	/* the first is the root */
	struct tor_callback *callback[TOR_GUESTS];
	struct tor_after *after[TOR_GUESTS];
};

enum tor_shape {
	TOR_CHAIN,
	TOR_FAN,
	TOR_BUSH,
	TOR_SHAPES
};

static struct tor_node *tor_family_parent(struct tor_actor *actor,
					  const struct tor_family *family, enum tor_shape shape)
{
	switch (shape) {
	case TOR_CHAIN:
		return family->node[family->nr - 1];
	case TOR_FAN:
		return family->node[0];
	default:
		return family->node[tor_pick(actor, family->nr)];
	}
}

static void tor_family_grow(struct tor_actor *actor, struct tor_family *family)
{
	const unsigned int nr = 2 + tor_pick(actor, tor_pick(actor, 4) ? 6 : TOR_FAMILY - 2);
	const enum tor_shape shape = tor_pick(actor, TOR_SHAPES);
	/* A chain of values gets an index; a fan of what is cheap spreads. */
	const int only = tor_pick(actor, 3) ? -1 : tor_pick(actor, 2) ? TOR_CANCEL : TOR_VALUE;

	while (family->nr < nr) {
		struct tor_node *parent = tor_family_parent(actor, family, shape);
		struct tor_node *node = tor_derive(actor, parent->world, parent,
						   only < 0 ? tor_pick_kind(actor) : only);

		if (!node)
			return;
		family->node[family->nr++] = node;
		if (!tor_pick(actor, 4))
			tor_show(actor, tor_get(node));
	}
}

static struct tor_family *tor_family_make(struct tor_actor *actor)
{
	struct tor_node *parent = tor_any(actor);
	struct tor_family *family = tor_alloc(parent->world, sizeof(*family), actor->gfp);
	struct tor_node *root = NULL;
	int i;

	if (family)
		root = tor_derive(actor, parent->world, parent, TOR_CANCEL);
	tor_put(parent);
	if (!root)
		return NULL;
	family->node[family->nr++] = root;
	if (tor_pick(actor, 2))
		tor_show(actor, tor_get(root));
	tor_family_grow(actor, family);
	for (i = 0; i < TOR_GUESTS; i++) {
		struct tor_node *node = family->node[tor_pick(actor, family->nr)];

		if (tor_pick(actor, 2))
			family->callback[i] = tor_callback_add(actor, node);
		else if (!tor_pick(actor, 4))
			family->after[i] = tor_after_add(actor, node);
	}
	return family;
}

/* All of it has come to rest, whoever cancelled what (S5). */
static void tor_family_rests(struct tor_actor *actor, struct tor_family *family)
{
	const struct tor_place *place = &actor->place;
	int i;

	for (i = 0; i < family->nr; i++)
		tor_check_swept(place, family->node[i], family->node[0]);
	for (i = 0; i < TOR_GUESTS; i++) {
		struct tor_callback *callback = family->callback[i];
		struct tor_after *after = family->after[i];

		if (callback && tor_is_below(callback->pending.node, family->node[0]))
			TOR_CHECK(place, "S5", atomic_read(&callback->state) == TOR_RAN ||
				  atomic_read(&callback->state) == TOR_IDLE,
				  "a callback in state %d after ctx_cancel_sync()",
				  atomic_read(&callback->state));
		/* One of a context that was done before is not its business. */
		if (after && after->waits &&
		    tor_is_below(after->pending.node, family->node[0]))
			TOR_CHECK(place, "S5", atomic_read(&after->state) == TOR_RAN,
				  "an after-func in state %d after ctx_cancel_sync()",
				  atomic_read(&after->state));
	}
}

static void tor_family_check(struct tor_actor *actor, struct tor_family *family,
			     enum tor_how how, bool won)
{
	int i;

	if (how == TOR_SYNC)
		return tor_family_rests(actor, family);
	for (i = family->nr - 1; i > 0; i--)
		if (won && how != TOR_ASYNC)
			tor_check_reached(&actor->place, family->node[i], family->node[0]);
	for (i = family->nr - 1; i > 0; i--)
		if (tor_is_below(family->node[i], family->node[0]))
			tor_await(&actor->place, family->node[i], "S5");
}

static void tor_family_end(struct tor_actor *actor, struct tor_family *family)
{
	const bool up = tor_pick(actor, 2);
	int i;

	for (i = 0; i < TOR_GUESTS; i++) {
		if (family->callback[i])
			tor_pending_end(actor, &family->callback[i]->pending);
		if (family->after[i])
			tor_pending_end(actor, &family->after[i]->pending);
	}
	for (i = 0; i < family->nr; i++)
		tor_check_path(&actor->place, family->node[i]);
	for (i = 0; i < family->nr; i++)
		tor_put(family->node[up ? family->nr - 1 - i : i]);
}

unsigned int tor_op_family(struct tor_actor *actor)
{
	const enum tor_how how = tor_pick_how(actor);
	struct tor_family *family = tor_family_make(actor);
	bool won;

	if (!family)
		return 2;
	won = tor_cancel(actor, family->node[0], how);
	tor_family_check(actor, family, how, won);
	tor_family_end(actor, family);
	return won ? 0 : 1;
}
