// SPDX-License-Identifier: GPL-2.0
/*
 * Nodes: a context and what is known of it.
 *
 * ->holds says whether the context can have been released: it counts the references of
 * ours (as one), the children that are held, and what holds a reference without being
 * one, as an after-func. It is counted down before the reference is dropped. So a value
 * that is released while its node is held was released too early.
 */
#include <linux/kernel.h>

#include "torture.h"

const char tor_keys[TOR_KEYS];

void tor_hold(struct tor_node *node)
{
	while (node && atomic_inc_return(&node->holds) == 1)
		node = node->parent;
}

void tor_unhold(struct tor_node *node)
{
	while (node && !atomic_dec_return(&node->holds))
		node = node->parent;
}

struct tor_node *tor_get(struct tor_node *node)
{
	atomic_inc(&node->users);
	ctx_get(node->ctx);
	return node;
}

void tor_put(struct tor_node *node)
{
	if (atomic_dec_and_test(&node->users))
		tor_unhold(node);
	ctx_put(node->ctx);
}

enum tor_kind tor_pick_kind(struct tor_actor *actor)
{
	static const u8 kinds[] = {
		TOR_CANCEL, TOR_CANCEL, TOR_CANCEL, TOR_CANCEL, TOR_SOON, TOR_FAR, TOR_FAR,
		TOR_PASSED, TOR_EQUAL, TOR_TIMEOUT, TOR_VALUE, TOR_VALUE, TOR_VALUE,
		TOR_VALUE, TOR_SHADOW, TOR_WITHOUT,
	};

	return kinds[tor_pick(actor, ARRAY_SIZE(kinds))];
}

static void tor_release(void *value)
{
	struct tor_node *node = value;
	static const struct tor_place place = { .op = "release" };

	TOR_CHECK(&place, "S9", atomic_inc_return(&node->released) == 1,
		  "a value is released again");
	TOR_CHECK(&place, "S7", !atomic_read(&node->holds), "a value is released that is held");
	might_sleep();
	if (node == node->world->token)
		complete(&node->world->gone);
}

/* The world has ended. */
static void tor_node_over(struct tor_thing *thing)
{
	const struct tor_node *node = container_of(thing, struct tor_node, thing);
	static const struct tor_place place = { .op = "end" };

	if (node->ctx && node->kind == TOR_VALUE)
		TOR_CHECK(&place, "S9", atomic_read(&node->released) == 1,
			  "a value was released %d times", atomic_read(&node->released));
	TOR_CHECK(&place, "S7", !atomic_read(&node->holds), "held at the end: ours, not theirs");
}

static ktime_t tor_us(s64 us)
{
	return us * NSEC_PER_USEC;
}

static ktime_t tor_pick_time(struct tor_actor *actor, enum tor_kind kind, ktime_t inherited)
{
	switch (kind) {
	case TOR_SOON:
		return ktime_add(ktime_get(), tor_us(tor_pick(actor, 3000)));
	case TOR_NARROW:
		return ktime_add(ktime_get(), tor_us(tor_pick(actor, 60)));
	case TOR_FAR:
		return ktime_add(ktime_get(), ktime_set(3600, 0));
	case TOR_PASSED:
		return ktime_sub(ktime_get(), tor_us(tor_pick(actor, 1000)));
	default:
		return inherited;
	}
}

static void tor_set_deadline(struct tor_node *node, ktime_t time, ktime_t inherited)
{
	node->own = time < inherited ? time : KTIME_MAX;
	node->effective = min(time, inherited);
}

static struct ctx *tor_with_deadline(struct tor_actor *actor, struct tor_node *node,
				     struct ctx *parent, ktime_t inherited)
{
	const ktime_t time = tor_pick_time(actor, node->kind, inherited);

	tor_set_deadline(node, time, inherited);
	if (node->cause == -ETIMEDOUT)
		return ctx_with_deadline(parent, time, actor->gfp);
	return ctx_with_deadline_cause(parent, time, node->cause, actor->gfp);
}

/* The time is not known before, but within bounds. */
static struct ctx *tor_with_timeout(struct tor_actor *actor, struct tor_node *node,
				    struct ctx *parent, ktime_t inherited)
{
	const ktime_t timeout = tor_us((s64)tor_pick(actor, 2200) - 200), after = max(timeout, 0LL);
	const ktime_t from = ktime_get();
	ktime_t until, time = KTIME_MAX;
	struct ctx *ctx;

	if (node->cause == -ETIMEDOUT)
		ctx = ctx_with_timeout(parent, timeout, actor->gfp);
	else
		ctx = ctx_with_timeout_cause(parent, timeout, node->cause, actor->gfp);
	if (IS_ERR(ctx))
		return ctx;
	until = ktime_get();
	TOR_CHECK(&actor->place, "S8", ctx_deadline(ctx, &time), "no deadline after a timeout");
	TOR_CHECK(&actor->place, "S8", time <= inherited, "a deadline later than the parent's");
	TOR_CHECK(&actor->place, "S8",
		  time == inherited || (time >= from + after && time <= until + after),
		  "a timeout of %lld ns became a deadline in %lld", timeout, time - from);
	tor_set_deadline(node, time, inherited);
	return ctx;
}

static struct ctx *tor_make(struct tor_actor *actor, struct tor_node *node, struct ctx *parent,
			    ktime_t inherited)
{
	node->own = KTIME_MAX;
	node->effective = inherited;
	node->cause = tor_pick(actor, 2) ? -ETIMEDOUT : -1 - (int)tor_pick(actor, 200);
	node->key = &tor_keys[tor_pick(actor, TOR_KEYS)];
	switch (node->kind) {
	case TOR_CANCEL:
		return ctx_with_cancel(parent, actor->gfp);
	case TOR_VALUE:
		return ctx_with_value(parent, node->key, node, tor_release, actor->gfp);
	case TOR_SHADOW:
		return ctx_with_value(parent, node->key, NULL, NULL, actor->gfp);
	case TOR_WITHOUT:
		node->effective = KTIME_MAX;
		return ctx_without_cancel(parent, actor->gfp);
	case TOR_TIMEOUT:
		return tor_with_timeout(actor, node, parent, inherited);
	default:
		return tor_with_deadline(actor, node, parent, inherited);
	}
}

static struct tor_node *tor_node_alloc(struct tor_actor *actor, struct tor_world *world,
				       struct tor_node *parent, enum tor_kind kind)
{
	struct tor_node *node = tor_alloc(world, sizeof(*node), actor->gfp);

	if (!node)
		return NULL;
	node->thing.over = tor_node_over;
	node->world = world;
	node->kind = kind;
	node->parent = parent;
	node->depth = parent ? parent->depth + 1 : 0;
	raw_spin_lock_init(&node->lock);
	if (tor_is_scope(node))
		node->scope = node;
	else if (parent && kind != TOR_WITHOUT)
		node->scope = parent->scope;
	return node;
}

/*
 * A new context, with one reference; @parent: NULL for a root. Without memory it is
 * NULL.
 */
struct tor_node *tor_derive(struct tor_actor *actor, struct tor_world *world,
			    struct tor_node *parent, enum tor_kind kind)
{
	struct tor_node *node = tor_node_alloc(actor, world, parent, kind);
	struct tor_seen above = { };
	struct ctx *ctx;

	if (!node)
		return NULL;
	if (parent)
		tor_look(&actor->place, parent, &above);
	ctx = tor_make(actor, node, parent ? parent->ctx : ctx_background(),
		       parent ? parent->effective : KTIME_MAX);
	TOR_CHECK(&actor->place, "S2", ctx && PTR_ERR_OR_ZERO(ctx) % ENOMEM == 0,
		  "a derivation returned %pe", ctx);
	if (IS_ERR_OR_NULL(ctx))
		return NULL;
	node->ctx = ctx;
	atomic_set(&node->users, 1);
	tor_hold(node);
	tor_check_birth(&actor->place, node, &above);
	tor_check_deadline(&actor->place, node);
	return node;
}
