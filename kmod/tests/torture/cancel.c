// SPDX-License-Identifier: GPL-2.0
/* Cancelling, in all ways; each cancellation with a cause of who made it. */
#include <linux/sched/signal.h>

#include "torture.h"

/* Each actor has some causes, above those that mean something else. */
#define TOR_CAUSES	16
#define TOR_CAUSE_FIRST	512

static_assert(TOR_CAUSE_FIRST + TOR_ACTORS * TOR_CAUSES <= MAX_ERRNO);

int tor_next_cause(struct tor_actor *actor)
{
	const unsigned int n = actor->causes++ % TOR_CAUSES;

	return -(int)(TOR_CAUSE_FIRST + actor->place.actor * TOR_CAUSES + n);
}

/* Whether who cancelled @node with @cause is seen to have said so before. */
bool tor_cause_is_told(const struct tor_node *node, int cause)
{
	const int actor = (-cause - TOR_CAUSE_FIRST) / TOR_CAUSES;

	return -cause < TOR_CAUSE_FIRST || actor >= TOR_ACTORS || test_bit(actor, node->told);
}

enum tor_how tor_pick_how(struct tor_actor *actor)
{
	return tor_pick(actor, actor->atomic ? TOR_SYNC : TOR_HOWS);
}

static void tor_cancel_by(struct tor_actor *actor, struct tor_node *node, enum tor_how how,
			  int cause)
{
	int err;

	switch (how) {
	case TOR_PLAIN:
		ctx_cancel(node->ctx);
		break;
	case TOR_CAUSE:
		err = ctx_cancel_cause(node->ctx, cause);
		TOR_CHECK(&actor->place, "S3", err == (tor_is_scope(node) ? 0 : -EINVAL),
			  "cancelling with a cause returned %d", err);
		break;
	case TOR_ASYNC:
		ctx_cancel_async(node->ctx);
		break;
	default:
		ctx_cancel_sync(node->ctx);
	}
}

/* Whether it is seen that this actor has ended @node, and not before @since. */
static bool tor_has_won(const struct tor_actor *actor, const struct tor_node *node,
			const struct tor_seen *seen, int cause, ktime_t since)
{
	struct ctx_origin origin;

	if (seen->err != -ECANCELED || seen->origin != node->ctx || seen->time < since)
		return false;
	if (cause != -ECANCELED || actor->atomic)
		return seen->cause == cause && cause != -ECANCELED;
	return !ctx_origin(node->ctx, &origin) && origin.pid == task_tgid_nr(current) &&
	       seen->cause == cause;
}

/* Returns true if it is known that this was what ended it. */
bool tor_cancel(struct tor_actor *actor, struct tor_node *node, enum tor_how how)
{
	const int cause = how == TOR_CAUSE ? tor_next_cause(actor) : -ECANCELED;
	const struct tor_place *place = &actor->place;
	struct tor_seen before, after;
	ktime_t since;

	tor_look(place, node, &before);
	set_bit(actor->place.actor, node->told);
	since = ktime_get();
	tor_cancel_by(actor, node, how, cause);
	tor_look(place, node, &after);
	if (!tor_is_scope(node))
		return false;
	TOR_CHECK(place, "S3", after.err, "live after it was cancelled");
	return !before.err && tor_has_won(actor, node, &after, cause, since);
}

/* @node or one of those above it, but not the top. */
static struct tor_node *tor_climb(struct tor_actor *actor, struct tor_node *node)
{
	unsigned int levels = tor_pick(actor, 4);

	while (levels-- && node->parent && node->parent != node->world->top &&
	       node->parent != node->world->token)
		node = node->parent;
	return node;
}

/* Some node, and what is above it up to somewhere. */
unsigned int tor_op_cancel(struct tor_actor *actor)
{
	struct tor_node *node = tor_borrow(actor), *target;
	const enum tor_how how = tor_pick_how(actor);
	bool won;

	if (!node)
		return 2;
	target = tor_climb(actor, node);
	won = tor_cancel(actor, target, how);
	if (won && (how == TOR_PLAIN || how == TOR_CAUSE))
		tor_check_reached(&actor->place, node, target);
	if (how == TOR_SYNC)
		tor_check_swept(&actor->place, node, target);
	tor_check_path(&actor->place, node);
	tor_put(node);
	return won ? 0 : 1;
}
