// SPDX-License-Identifier: GPL-2.0
/*
 * Invariants. What is seen of a context is remembered with its node, and whoever looks
 * later must see the same. What was seen before is read first: with the lock in
 * between, a look that does not see it comes too late.
 */
#include "torture.h"

static void tor_recall(struct tor_node *node, struct tor_seen *seen)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&node->lock, flags);
	*seen = node->seen;
	raw_spin_unlock_irqrestore(&node->lock, flags);
}

/* Returns what was seen first. */
static void tor_remember(struct tor_node *node, const struct tor_seen *now,
			 struct tor_seen *first)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&node->lock, flags);
	if (!node->seen.err)
		node->seen = *now;
	*first = node->seen;
	raw_spin_unlock_irqrestore(&node->lock, flags);
}

/* It is done: in every way that it can be asked. */
static void tor_ask(const struct tor_place *place, struct tor_node *node, struct tor_seen *now)
{
	struct ctx_origin origin = { };

	now->cause = ctx_cause(node->ctx);
	TOR_CHECK(place, "S11", !ctx_origin(node->ctx, &origin), "done, but without an origin");
	now->origin = origin.ctx;
	now->time = origin.time;
	TOR_CHECK(place, "S10", now->err == -ECANCELED || now->err == -ETIMEDOUT, "error %d",
		  now->err);
	TOR_CHECK(place, "S10", now->cause < 0 && now->cause >= -MAX_ERRNO, "error %d, cause %d",
		  now->err, now->cause);
	TOR_CHECK(place, "S11", origin.err == now->err && origin.cause == now->cause,
		  "%d, %d, by its origin %d, %d", now->err, now->cause, origin.err, origin.cause);
	TOR_CHECK(place, "S11", now->time && now->time <= ktime_get(), "done at %lld", now->time);
	if (origin.ctx)
		TOR_CHECK(place, "S5", ctx_err(origin.ctx) == now->err,
			  "done before its origin is");
}

/* @node is what ended by itself, or was cancelled. */
static void tor_check_origin(const struct tor_place *place, const struct tor_node *node,
			     const struct tor_seen *seen)
{
	if (seen->err == -ECANCELED) {
		TOR_CHECK(place, "S16", tor_cause_is_told(node, seen->cause),
			  "what was written before cancelling with %d is not seen", seen->cause);
		return;
	}
	TOR_CHECK(place, "S8", node->own != KTIME_MAX, "expired without a deadline that matters");
	TOR_CHECK(place, "S8", seen->time >= node->own, "expired %lld ns early",
		  node->own - seen->time);
	TOR_CHECK(place, "S10", seen->cause == node->cause, "expired with cause %d, not %d",
		  seen->cause, node->cause);
}

/* As ctx_err(). The caller has a reference on @node, or on what is below it. */
int tor_look(const struct tor_place *place, struct tor_node *node, struct tor_seen *now)
{
	struct tor_seen before, first;

	memset(now, 0, sizeof(*now));
	tor_recall(node, &before);
	now->err = ctx_err(node->ctx);
	if (!now->err) {
		TOR_CHECK(place, "S10", !before.err, "done, and live again");
		return 0;
	}
	TOR_CHECK(place, "S14", node->scope, "done, where nothing can be");
	tor_ask(place, node, now);
	tor_remember(node, now, &first);
	TOR_CHECK(place, "S10", now->err == first.err && now->cause == first.cause,
		  "done with %d, %d, now with %d, %d", first.err, first.cause, now->err,
		  now->cause);
	TOR_CHECK(place, "S11", now->origin == first.origin && now->time == first.time,
		  "another origin than before");
	if (node->scope && now->origin == node->scope->ctx)
		tor_check_origin(place, node->scope, now);
	return now->err;
}

int tor_err(const struct tor_place *place, struct tor_node *node)
{
	struct tor_seen now;

	return tor_look(place, node, &now);
}

/*
 * A context that is done by what is above it: all in between is done, for the same
 * reason. Where a link may be that reason, nothing is known from there on.
 */
void tor_check_path(const struct tor_place *place, struct tor_node *node)
{
	struct tor_node *scope = node->scope;
	struct tor_seen seen, above;

	if (!tor_look(place, node, &seen))
		return;
	for (; scope; scope = tor_above(scope)) {
		TOR_CHECK(place, "S5", tor_look(place, scope, &above),
			  "done before what is above it");
		TOR_CHECK(place, "S10", above.origin == seen.origin,
			  "done by another than what is above it");
		if (scope->ctx == seen.origin) {
			tor_check_origin(place, scope, &seen);
			return;
		}
		if (READ_ONCE(scope->linked))
			return;
	}
	tor_violated(place, "S4", "done by what is not above it");
}

/* @above: what its parent was seen as before it was derived. */
void tor_check_birth(const struct tor_place *place, struct tor_node *node,
		     const struct tor_seen *above)
{
	struct tor_seen now;
	const int err = tor_look(place, node, &now);

	if (node->kind == TOR_WITHOUT)
		return;
	if (above->err) {
		TOR_CHECK(place, "S6", err == above->err && now.cause == above->cause &&
			  now.origin == above->origin && now.time == above->time,
			  "born with %d, %d below %d, %d", err, now.cause, above->err,
			  above->cause);
	} else if (node->kind == TOR_PASSED && node->own != KTIME_MAX) {
		TOR_CHECK(place, "S8", err, "live past its own deadline");
	}
}

void tor_check_deadline(const struct tor_place *place, struct tor_node *node)
{
	ktime_t time = KTIME_MAX;
	const bool any = ctx_deadline(node->ctx, &time);

	TOR_CHECK(place, "S8", any == (node->effective != KTIME_MAX) && time == node->effective,
		  "deadline %lld, not %lld", time, node->effective);
}

/* The caller has a reference, or is an RCU reader who found it alive. */
void tor_check_value(const struct tor_place *place, struct tor_node *node, const void *key)
{
	const void *value = ctx_value(node->ctx, key);
	struct tor_node *nearest = node;

	while (nearest && !(tor_is_value(nearest) && nearest->key == key))
		nearest = nearest->parent;
	if (nearest && nearest->kind == TOR_SHADOW)
		nearest = NULL;
	TOR_CHECK(place, "S9", value == nearest, "not the nearest value, %u deep", node->depth);
	TOR_CHECK(place, "S9", !nearest || !atomic_read(&nearest->released),
		  "a value that was released");
}

/*
 * @root was cancelled, and that has returned to who won: @node, which existed, is done
 * but for a branch that someone else is cancelling.
 */
void tor_check_reached(const struct tor_place *place, struct tor_node *node,
		       struct tor_node *root)
{
	struct tor_node *scope = node->scope;
	struct tor_seen seen;

	if (tor_look(place, node, &seen))
		return;
	for (; scope && scope != root; scope = tor_above(scope))
		if (tor_look(place, scope, &seen) && seen.origin != root->ctx)
			return;
	TOR_CHECK(place, "S5", !scope, "live after the cancellation above it has returned");
}

/* Whether a cancellation of @root reaches @node. */
bool tor_is_below(const struct tor_node *node, const struct tor_node *root)
{
	const struct tor_node *scope = node->scope;

	while (scope && scope != root)
		scope = tor_above(scope);
	return scope;
}

/* ctx_cancel_sync() of @root has returned, to anyone. */
void tor_check_swept(const struct tor_place *place, struct tor_node *node, struct tor_node *root)
{
	if (tor_is_below(node, root))
		TOR_CHECK(place, "S5", tor_err(place, node), "live after ctx_cancel_sync()");
}

/* It is going to be done: waits for that. */
void tor_await(const struct tor_place *place, struct tor_node *node, const char *rule)
{
	int err = ctx_wait_timeout(node->ctx, ktime_set(TOR_PATIENCE_S, 0));

	TOR_CHECK(place, rule, err, "not done after %d s", TOR_PATIENCE_S);
	TOR_CHECK(place, "S16", err == tor_err(place, node), "not done after a wait that says so");
}
