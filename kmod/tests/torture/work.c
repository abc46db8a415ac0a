// SPDX-License-Identifier: GPL-2.0
/* Work items: what was queued ends once, by one of three. */
#include <linux/delay.h>
#include <linux/workqueue.h>

#include "torture.h"

static struct workqueue_struct *tor_wq;

struct tor_work {
	struct tor_pending pending;
	struct ctx_work work;
	atomic_t state;
	u32 random;
	bool dropped;
};

static void tor_work_run(struct tor_work *work)
{
	const struct tor_place *place = &work->pending.place;

	if (!tor_moves(place, &work->state, TOR_ADDED, TOR_RUNS, "work", "an item runs"))
		return;
	udelay(work->random >> 8 & 15);
	tor_moves(place, &work->state, TOR_RUNS, TOR_RAN, "work", "an item ends");
}

static void tor_work_fn(struct ctx *ctx, struct ctx_work *w)
{
	struct tor_work *work = container_of(w, struct tor_work, work);

	TOR_CHECK(&work->pending.place, "work", ctx == work->pending.node->ctx,
		  "an item of another context");
	tor_work_run(work);
}

static void tor_work_dropped(struct ctx *ctx, struct ctx_work *w)
{
	struct tor_work *work = container_of(w, struct tor_work, work);

	TOR_CHECK(&work->pending.place, "work", tor_err(&work->pending.place, work->pending.node),
		  "dropped, but live");
	WRITE_ONCE(work->dropped, true);
	tor_work_run(work);
}

static void tor_work_cancelled(struct tor_work *work, bool cancelled)
{
	tor_taken_off(&work->pending.place, &work->state, cancelled, "work",
		      "an item is cancelled");
}

static void tor_work_end(struct tor_actor *actor, struct tor_pending *pending)
{
	struct tor_work *work = container_of(pending, struct tor_work, pending);
	int state;

	if (tor_pick(actor, 2))
		tor_work_cancelled(work, ctx_work_cancel(&work->work));
	tor_work_cancelled(work, ctx_work_cancel_sync(&work->work));
	state = atomic_read(&work->state);
	TOR_CHECK(&pending->place, "work", state != TOR_ADDED && state != TOR_RUNS,
		  "an item in state %d after it was cancelled", state);
}

static int tor_work_queue(struct tor_actor *actor, struct tor_work *work)
{
	static const u32 delays_us[] = { 0, 1, 20000, 10000000 };
	const ktime_t delay = delays_us[tor_pick(actor, ARRAY_SIZE(delays_us))] * NSEC_PER_USEC;

	if (tor_pick(actor, 2))
		return ctx_work_queue(tor_wq, &work->work);
	return ctx_work_queue_delayed(tor_wq, &work->work, delay);
}

unsigned int tor_op_work(struct tor_actor *actor)
{
	struct tor_node *node = tor_fresh(actor);
	struct tor_work *work = tor_pending_alloc(actor, node, sizeof(*work), tor_work_end);
	int ret;

	if (!work) {
		tor_put(node);
		return 2;
	}
	work->random = tor_pick(actor, U32_MAX);
	ctx_work_init(&work->work, node->ctx, tor_work_fn);
	ctx_work_on_drop(&work->work, tor_work_dropped);
	atomic_set(&work->state, TOR_ADDED);
	ret = tor_work_queue(actor, work);
	if (ret != 1) {
		tor_moves(&actor->place, &work->state, TOR_ADDED, TOR_IDLE, "work",
			  "an item is refused");
		TOR_CHECK(&actor->place, "work", ret && ret == tor_err(&actor->place, node),
			  "queueing returned %d", ret);
	}
	if (tor_pick(actor, 3) == 0 && node != node->world->top)
		tor_cancel(actor, node, tor_pick_how(actor));
	if (tor_pick(actor, 2))
		tor_pending_leave(actor, &work->pending);
	else
		tor_pending_end(actor, &work->pending);
	tor_put(node);
	return ret == 1 ? 0 : 1;
}

int tor_work_init(void)
{
	tor_wq = alloc_workqueue("ctx_torture", WQ_UNBOUND, 0);
	return tor_wq ? 0 : -ENOMEM;
}

void tor_work_exit(void)
{
	destroy_workqueue(tor_wq);
}
