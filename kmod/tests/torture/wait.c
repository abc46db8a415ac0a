// SPDX-License-Identifier: GPL-2.0
/* Waiting; deadlines that are waited for. */
#include <linux/completion.h>
#include <linux/wait.h>

#include "torture.h"

static int tor_wait(struct tor_actor *actor, struct ctx *ctx, ktime_t time)
{
	DECLARE_COMPLETION_ONSTACK(never);
	struct completion *done;

	switch (tor_pick(actor, 4)) {
	case 0:
		return ctx_wait_timeout_interruptible(ctx, time);
	case 1:
		return ctx_sleep(ctx, time);
	case 2:
		/* Where nothing else ends it. */
		if (!ctx_deadline(ctx, NULL))
			return ctx_wait_timeout(ctx, 0);
		return ctx_wait_timeout_killable(ctx, time);
	default:
		done = ctx_done(ctx);
		if (!done)
			return 0;
		wait_for_completion_timeout(done, nsecs_to_jiffies(time) + 1);
		return completion_done(done) ? ctx_err(ctx) : 0;
	}
}

unsigned int tor_op_wait(struct tor_actor *actor)
{
	struct tor_node *node = tor_borrow(actor);
	int ret;

	if (!node)
		return 2;
	ret = tor_wait(actor, node->ctx, tor_pick(actor, 300) * NSEC_PER_USEC);
	TOR_CHECK(&actor->place, "S16", !ret || ret == tor_err(&actor->place, node),
		  "a wait returned %d", ret);
	tor_put(node);
	return ret ? 0 : 1;
}

/* One of the waits that end with the context only. */
static int tor_wait_end(struct tor_actor *actor, struct ctx *ctx)
{
	DECLARE_COMPLETION_ONSTACK(never);
	DECLARE_WAIT_QUEUE_HEAD_ONSTACK(wait);

	switch (tor_pick(actor, 4)) {
	case 0:
		return ctx_wait(ctx);
	case 1:
		return ctx_wait_event(ctx, wait, false);
	case 2:
		return ctx_wait_for_completion(ctx, &never);
	default:
		wait_for_completion(ctx_done(ctx));
		return ctx_err(ctx);
	}
}

/* A deadline that comes soon, unless it is cancelled, and a wait for that. */
unsigned int tor_op_expire(struct tor_actor *actor)
{
	struct tor_node *parent = tor_any(actor);
	struct tor_node *node = tor_derive(actor, parent->world, parent,
					   tor_pick(actor, 2) ? TOR_SOON : TOR_TIMEOUT);
	struct tor_node *child = node ? tor_derive(actor, node->world, node, tor_pick_kind(actor)) :
					NULL;
	struct tor_callback *callback = node ? tor_callback_add(actor, node) : NULL;
	int ret = 0;

	tor_put(parent);
	if (child)
		tor_show(actor, child);
	if (node) {
		ret = tor_wait_end(actor, node->ctx);
		TOR_CHECK(&actor->place, "S8", ret && ret == tor_err(&actor->place, node),
			  "a wait for a deadline returned %d", ret);
		tor_check_path(&actor->place, node);
	}
	if (callback)
		tor_pending_end(actor, &callback->pending);
	if (node)
		tor_put(node);
	return !node ? 2 : ret == -ETIMEDOUT ? 0 : 1;
}
