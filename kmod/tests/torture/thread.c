// SPDX-License-Identifier: GPL-2.0
/* Threads and groups. */
#include "torture.h"

struct tor_job {
	const struct tor_actor *actor;
	atomic_t runs;
	atomic_t running;
	int limit;
	int result;
	u32 us;		/* how long it waits for its end; 0: until it comes */
};

static int tor_job_fn(struct ctx *ctx, void *data)
{
	struct tor_job *job = data;
	const struct tor_place *place = &job->actor->place;
	const int running = atomic_inc_return(&job->running);

	TOR_CHECK(place, "group", running <= job->limit, "%d functions run, of %d", running,
		  job->limit);
	atomic_inc(&job->runs);
	if (job->us)
		ctx_sleep(ctx, job->us * NSEC_PER_USEC);
	else
		TOR_CHECK(place, "thread", ctx_wait_timeout(ctx, ktime_set(TOR_PATIENCE_S, 0)),
			  "not told to stop");
	atomic_dec(&job->running);
	return job->result;
}

unsigned int tor_op_thread(struct tor_actor *actor)
{
	struct tor_node *node = tor_any(actor);
	struct tor_job job = {
		.actor = actor,
		.limit = 1,
		.result = tor_pick(actor, 1000),
		.us = tor_pick(actor, 300),
	};
	const bool stops = !job.us || tor_pick(actor, 2);
	struct ctx_thread *thread = ctx_thread_run(node->ctx, tor_job_fn, &job, "ctx_torture_job");
	int ret;

	if (IS_ERR(thread)) {
		tor_put(node);
		return 2;
	}
	if (tor_pick(actor, 3) == 0 && node != node->world->top)
		tor_cancel(actor, node, tor_pick_how(actor));
	ret = stops ? ctx_thread_stop(thread) : ctx_thread_join(thread);
	TOR_CHECK(&actor->place, "thread", ret == job.result, "a thread returned %d, not %d", ret,
		  job.result);
	TOR_CHECK(&actor->place, "thread", atomic_read(&job.runs) == 1, "it ran %d times",
		  atomic_read(&job.runs));
	tor_put(node);
	return stops;
}

#define TOR_MEMBERS	4

/* What it returned and what the group's context says agree with what its members did. */
static void tor_group_check(struct tor_actor *actor, struct ctx_group *group, int ret,
			    const struct tor_job *job, const struct tor_job *bad)
{
	const struct tor_place *place = &actor->place;
	const bool failed = atomic_read(&bad->runs);

	TOR_CHECK(place, "group", !atomic_read(&job->running) && !atomic_read(&bad->running),
		  "functions run after the wait for them");
	TOR_CHECK(place, "group", ret == (failed ? bad->result : 0), "a group returned %d", ret);
	TOR_CHECK(place, "group", !failed || ctx_err(ctx_group_ctx(group)),
		  "live, though one has failed");
}

unsigned int tor_op_group(struct tor_actor *actor)
{
	struct tor_node *node = tor_any(actor);
	struct ctx_group *group = ctx_group_create(node->ctx, GFP_KERNEL);
	const unsigned int limit = tor_pick(actor, TOR_MEMBERS);
	const unsigned int nr = 1 + tor_pick(actor, TOR_MEMBERS);
	struct tor_job job = {
		.actor = actor,
		.limit = limit ?: INT_MAX,
		.us = 1 + tor_pick(actor, 300),
	}, bad = job;
	const int which = tor_pick(actor, 2 * TOR_MEMBERS);
	int i, err, ret;

	if (IS_ERR(group)) {
		tor_put(node);
		return 2;
	}
	bad.result = -EREMOTE;
	ctx_group_set_limit(group, limit);
	for (i = 0; i < nr; i++) {
		err = ctx_group_run(group, tor_job_fn, i == which ? &bad : &job, "ctx_torture_job");
		TOR_CHECK(&actor->place, "group", !err || err == ctx_err(ctx_group_ctx(group)) ||
			  err == -ENOMEM || err == -EAGAIN, "running one returned %d", err);
	}
	if (tor_pick(actor, 2))
		ctx_cancel(ctx_group_ctx(group));
	ret = ctx_group_wait(group);
	tor_group_check(actor, group, ret, &job, &bad);
	ctx_group_put(group);
	tor_put(node);
	return ret ? 1 : 0;
}
