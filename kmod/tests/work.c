// SPDX-License-Identifier: GPL-2.0
/* Work items that are bound to a context. */
#include <linux/jiffies.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "test.h"

struct job {
	struct ctx_work work;
	struct workqueue_struct *wq;
	struct ctx *ctx;		/* what the function got */
	enum ct_where where;
	bool atomic;
	ktime_t time;
	int again;			/* how often to queue itself */
	ktime_t delay;			/* ... after so long */
	int ret;
	atomic_t runs;
	atomic_t drops;
	struct completion begun;
	struct completion go;
	struct completion ended;
};

static struct job *job_new(struct kunit *test, struct ctx *ctx,
			   void (*fn)(struct ctx *ctx, struct ctx_work *work))
{
	struct job *job = kzalloc(sizeof(*job), GFP_KERNEL);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, job);
	init_completion(&job->begun);
	init_completion(&job->go);
	init_completion(&job->ended);
	job->wq = system_wq;
	ctx_work_init(&job->work, ctx, fn);
	return job;
}

static struct job *job_of(struct ctx_work *work)
{
	return container_of(work, struct job, work);
}

static void note_fn(struct ctx *ctx, struct ctx_work *work)
{
	struct job *job = job_of(work);

	job->ctx = ctx;
	job->where = ct_where();
	job->atomic = !ct_may_sleep();
	job->time = ktime_get();
	atomic_inc(&job->runs);
	complete(&job->ended);
}

static void dropped_fn(struct ctx *ctx, struct ctx_work *work)
{
	struct job *job = job_of(work);

	job->ctx = ctx;
	job->where = ct_where();
	job->atomic = !ct_may_sleep();
	job->time = ktime_get();
	atomic_inc(&job->drops);
	complete(&job->ended);
}

static void gated_fn(struct ctx *ctx, struct ctx_work *work)
{
	struct job *job = job_of(work);

	complete(&job->begun);
	wait_for_completion(&job->go);
	schedule_timeout_uninterruptible(1);
	note_fn(ctx, work);
}

static ktime_t hour(void)
{
	return ktime_set(3600, 0);
}

/* Both ways to queue, one that comes and one that does not. */
static int queue(struct job *job, bool timed)
{
	return timed ? ctx_work_queue_delayed(job->wq, &job->work, hour()) :
		       ctx_work_queue(job->wq, &job->work);
}

static void work_runs_with_its_context(struct kunit *test)
{
	static const int key;
	struct ctx *p = ct_cancel(test, ctx_background());
	struct ctx *on[] = {
		p, ct_value(test, p, &key, test), ct_hour(test, p), ctx_background(),
		ct_without(test, p),
	};
	int i, how;

	for (i = 0; i < ARRAY_SIZE(on); i++) {
		for (how = 0; how < 4; how++) {
			struct job *job = job_new(test, on[i], note_fn);
			ktime_t before = ktime_get();
			ktime_t delay = how == 1 ? ms_to_ktime(5) : how == 2 ? 0 : -1;

			ctx_work_on_drop(&job->work, dropped_fn);
			if (how)
				KUNIT_EXPECT_EQ(test, ctx_work_queue_delayed(system_wq, &job->work,
									     delay), 1);
			else
				KUNIT_EXPECT_EQ(test, ctx_work_queue(system_wq, &job->work), 1);
			ct_wait_for(test, &job->ended);
			KUNIT_EXPECT_FALSE(test, ctx_work_cancel_sync(&job->work));
			KUNIT_EXPECT_EQ(test, atomic_read(&job->runs), 1);
			KUNIT_EXPECT_EQ(test, atomic_read(&job->drops), 0);
			KUNIT_EXPECT_PTR_EQ(test, job->ctx, on[i]);
			KUNIT_EXPECT_EQ(test, (int)job->where, (int)CT_WORKER);
			KUNIT_EXPECT_FALSE(test, job->atomic);
			/* Never early. */
			if (how == 1)
				KUNIT_EXPECT_GE(test, ktime_sub(job->time, before), delay);
			kfree(job);
		}
	}
	for (i = 0; i < ARRAY_SIZE(on); i++)
		ctx_put(on[i]);
}

static void work_of_a_done_context_is_not_queued(struct kunit *test)
{
	struct ctx *c = ct_cancel(test, ctx_background());
	struct ctx *t = ct_must(test, ctx_with_timeout(ctx_background(), 0, GFP_KERNEL));
	struct ctx *v = ct_value(test, c, test, test);
	const struct {
		struct ctx *ctx;
		int err;
	} refused[] = {
		{ c, -ECANCELED }, { v, -ECANCELED }, { t, -ETIMEDOUT },
		{ NULL, -EINVAL }, { ERR_PTR(-ENOMEM), -ENOMEM },
	};
	int i;

	ctx_cancel_cause(c, -EIO);
	for (i = 0; i < ARRAY_SIZE(refused); i++) {
		struct job *job = job_new(test, refused[i].ctx, note_fn);

		ctx_work_on_drop(&job->work, dropped_fn);
		KUNIT_EXPECT_EQ(test, queue(job, false), refused[i].err);
		KUNIT_EXPECT_EQ(test, queue(job, true), refused[i].err);
		KUNIT_EXPECT_FALSE(test, ctx_work_cancel(&job->work));
		KUNIT_EXPECT_FALSE(test, ctx_work_cancel_sync(&job->work));
		KUNIT_EXPECT_EQ(test, atomic_read(&job->runs) + atomic_read(&job->drops), 0);
		kfree(job);
	}
	ctx_put(v);
	ctx_put(t);
	ctx_put(c);
}

static void work_is_queued_once(struct kunit *test)
{
	struct ctx *c = ct_cancel(test, ctx_background());
	struct job *job = job_new(test, c, note_fn);
	struct job *root = job_new(test, ctx_background(), note_fn);

	KUNIT_EXPECT_EQ(test, queue(job, true), 1);
	KUNIT_EXPECT_EQ(test, queue(job, true), 0);
	KUNIT_EXPECT_EQ(test, queue(job, false), 0);
	KUNIT_EXPECT_TRUE(test, ctx_work_cancel(&job->work));
	KUNIT_EXPECT_FALSE(test, ctx_work_cancel(&job->work));
	KUNIT_EXPECT_EQ(test, queue(root, true), 1);
	KUNIT_EXPECT_EQ(test, queue(root, true), 0);
	KUNIT_EXPECT_EQ(test, queue(root, false), 0);
	KUNIT_EXPECT_TRUE(test, ctx_work_cancel_sync(&root->work));
	/* And again, with either. */
	KUNIT_EXPECT_EQ(test, queue(job, true), 1);
	KUNIT_EXPECT_TRUE(test, ctx_work_cancel_sync(&job->work));
	KUNIT_EXPECT_EQ(test, queue(job, false), 1);
	ct_wait_for(test, &job->ended);
	KUNIT_EXPECT_EQ(test, atomic_read(&job->runs), 1);
	KUNIT_EXPECT_FALSE(test, ctx_work_cancel_sync(&job->work));
	kfree(root);
	kfree(job);
	ctx_put(c);
}

/* One at a time, and kept busy. */
static struct workqueue_struct *busy_queue(struct kunit *test, struct job *blocker)
{
	struct workqueue_struct *wq = alloc_ordered_workqueue("ctx_kunit", 0);

	KUNIT_ASSERT_NOT_NULL(test, wq);
	KUNIT_EXPECT_EQ(test, ctx_work_queue(wq, &blocker->work), 1);
	ct_wait_for(test, &blocker->begun);
	return wq;
}

static void work_that_waits_its_turn_is_not_started_when_done(struct kunit *test)
{
	struct job *blocker = job_new(test, ctx_background(), gated_fn);
	struct workqueue_struct *wq = busy_queue(test, blocker);
	struct ctx *c = ct_cancel(test, ctx_background());
	struct job *job = job_new(test, c, note_fn);
	struct job *plain = job_new(test, c, note_fn);

	ctx_work_on_drop(&job->work, dropped_fn);
	job->wq = wq;
	plain->wq = wq;
	KUNIT_EXPECT_EQ(test, queue(job, false), 1);
	KUNIT_EXPECT_EQ(test, queue(plain, false), 1);
	ctx_cancel(c);
	KUNIT_EXPECT_EQ(test, queue(job, false), -ECANCELED);
	complete(&blocker->go);
	ct_wait_for(test, &job->ended);
	destroy_workqueue(wq);
	KUNIT_EXPECT_EQ(test, atomic_read(&job->runs), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&job->drops), 1);
	KUNIT_EXPECT_EQ(test, (int)job->where, (int)CT_WORKER);
	KUNIT_EXPECT_FALSE(test, job->atomic);
	KUNIT_EXPECT_PTR_EQ(test, job->ctx, c);
	KUNIT_EXPECT_EQ(test, atomic_read(&plain->runs) + atomic_read(&plain->drops), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&blocker->runs), 1);
	kfree(plain);
	kfree(job);
	kfree(blocker);
	ctx_put(c);
}

struct irq_queuer {
	struct job *job;
	struct ctx *ctx;	/* cancelled in the end */
	int first, again;
	bool cancelled, twice;
	int anew, late;
	bool irqs;		/* are as they were */
};

static void queue_in_irq(void *arg)
{
	struct irq_queuer *queuer = arg;
	struct job *job = queuer->job;
	bool off = irqs_disabled();

	queuer->first = queue(job, false);
	queuer->again = queue(job, false);
	queuer->cancelled = ctx_work_cancel(&job->work);
	queuer->twice = ctx_work_cancel(&job->work);
	queuer->anew = queue(job, false);
	if (queuer->ctx)
		ctx_cancel(queuer->ctx);
	queuer->late = queue(job, false);
	queuer->irqs = irqs_disabled() == off;
}

/* Its worker is busy meanwhile, so that it is certain what is queued. */
static void s18_work_may_be_queued_in_interrupts(struct kunit *test)
{
	int how;

	for (how = 0; how < 4; how++) {
		struct job *blocker = job_new(test, ctx_background(), gated_fn);
		struct ct_token token;
		struct ctx *v = ct_token_ctx(test, &token, ctx_background());
		struct ctx *c = ct_cancel(test, v);
		struct job *job = job_new(test, c, note_fn);
		struct irq_queuer queuer = { .job = job, .ctx = how & 1 ? c : NULL };

		ctx_work_on_drop(&job->work, dropped_fn);
		job->wq = busy_queue(test, blocker);
		if (how & 2)
			ct_in_softirq(queue_in_irq, &queuer);
		else
			ct_in_hardirq(queue_in_irq, &queuer);
		KUNIT_EXPECT_EQ(test, queuer.first, 1);
		KUNIT_EXPECT_EQ(test, queuer.again, 0);
		KUNIT_EXPECT_TRUE(test, queuer.cancelled);
		KUNIT_EXPECT_FALSE(test, queuer.twice);
		KUNIT_EXPECT_EQ(test, queuer.anew, 1);
		KUNIT_EXPECT_EQ(test, queuer.late, how & 1 ? -ECANCELED : 0);
		KUNIT_EXPECT_TRUE(test, queuer.irqs);
		/* Only the item has them now. */
		ctx_put(v);
		ctx_put(c);
		KUNIT_EXPECT_EQ(test, atomic_read(&token.released), 0);
		complete(&blocker->go);
		ct_wait_for(test, &job->ended);
		destroy_workqueue(job->wq);
		ct_token_gone(test, &token);
		KUNIT_EXPECT_EQ(test, atomic_read(&job->runs), how & 1 ? 0 : 1);
		KUNIT_EXPECT_EQ(test, atomic_read(&job->drops), how & 1 ? 1 : 0);
		KUNIT_EXPECT_EQ(test, (int)job->where, (int)CT_WORKER);
		kfree(job);
		kfree(blocker);
	}
}

static void cancel_in_irq(void *ctx)
{
	ctx_cancel(ctx);
}

/* Whoever cancels, and where: an hour is over at once. */
static void work_that_waits_for_its_time_ends_with_its_context(struct kunit *test)
{
	int how;

	for (how = 0; how < 5; how++) {
		struct ct_token token;
		struct ctx *v = ct_token_ctx(test, &token, ctx_background());
		struct ctx *p = how == 3 ? ct_timeout_ms(test, v, 5) : ct_cancel(test, v);
		struct ctx *c = ct_value(test, p, test, test);
		struct job *job = job_new(test, c, note_fn);

		ctx_work_on_drop(&job->work, dropped_fn);
		/* The deadline may have passed. */
		if (queue(job, true) != 1) {
			KUNIT_EXPECT_EQ(test, how, 3);
			complete(&job->ended);
			atomic_inc(&job->drops);
		}
		/* From here on only the item has them. */
		ctx_put(v);
		ctx_put(c);
		if (how == 0)
			ctx_cancel(p);
		else if (how == 1)
			ct_in_hardirq(cancel_in_irq, p);
		else if (how == 2)
			ct_in_softirq(cancel_in_irq, p);
		else if (how == 4)
			ctx_cancel_sync(p);
		ct_wait_for(test, &job->ended);
		ctx_put(p);
		ct_token_gone(test, &token);
		KUNIT_EXPECT_EQ(test, atomic_read(&job->runs), 0);
		KUNIT_EXPECT_EQ(test, atomic_read(&job->drops), 1);
		kfree(job);
	}
}

static void work_holds_its_context_while_it_is_queued(struct kunit *test)
{
	int how;

	for (how = 0; how < 4; how++) {
		struct ct_token token;
		struct ctx *v = ct_token_ctx(test, &token, ctx_background());
		struct ctx *c = ct_cancel(test, v);
		struct job *job = job_new(test, c, gated_fn);

		ctx_put(v);
		KUNIT_EXPECT_EQ(test, queue(job, how & 1), 1);
		ctx_put(c);
		ctx_barrier();
		KUNIT_EXPECT_EQ(test, atomic_read(&token.released), 0);
		if (how & 1) {
			KUNIT_EXPECT_TRUE(test, how & 2 ? ctx_work_cancel(&job->work) :
							  ctx_work_cancel_sync(&job->work));
		} else {
			ct_wait_for(test, &job->begun);
			ctx_barrier();
			KUNIT_EXPECT_EQ(test, atomic_read(&token.released), 0);
			complete(&job->go);
			ct_wait_for(test, &job->ended);
		}
		ct_token_gone(test, &token);
		kfree(job);
	}
}

static int cancel_work_fn(void *arg)
{
	struct job *job = arg;

	return ctx_work_cancel_sync(&job->work);
}

static void only_cancel_sync_waits_for_the_function(struct kunit *test)
{
	struct ctx *c = ct_cancel(test, ctx_background());
	struct job *job = job_new(test, c, gated_fn);
	struct ct_helper helper;

	KUNIT_EXPECT_EQ(test, queue(job, false), 1);
	ct_wait_for(test, &job->begun);
	KUNIT_EXPECT_FALSE(test, ctx_work_cancel(&job->work));
	KUNIT_EXPECT_EQ(test, atomic_read(&job->runs), 0);
	ct_helper_start(test, &helper, cancel_work_fn, job);
	KUNIT_EXPECT_TRUE(test, ct_helper_blocked(&helper));
	KUNIT_EXPECT_FALSE(test, completion_done(&helper.ended));
	complete(&job->go);
	KUNIT_EXPECT_FALSE(test, ct_helper_join(test, &helper));
	KUNIT_EXPECT_EQ(test, atomic_read(&job->runs), 1);
	kfree(job);
	ctx_put(c);
}

static void again_fn(struct ctx *ctx, struct ctx_work *work)
{
	struct job *job = job_of(work);

	atomic_inc(&job->runs);
	if (job->again && job->again-- == 1)
		complete(&job->ended);
	else
		job->ret = ctx_work_queue_delayed(system_wq, work, job->delay);
}

static void work_may_queue_itself_again(struct kunit *test)
{
	struct ctx *c = ct_cancel(test, ctx_background());
	int how;

	for (how = 0; how < 2; how++) {
		struct job *job = job_new(test, c, again_fn);

		job->again = 10;
		job->delay = how ? 1 : 0;
		KUNIT_EXPECT_EQ(test, queue(job, false), 1);
		ct_wait_for(test, &job->ended);
		KUNIT_EXPECT_FALSE(test, ctx_work_cancel_sync(&job->work));
		KUNIT_EXPECT_EQ(test, atomic_read(&job->runs), 10);
		kfree(job);
	}
	ctx_put(c);
}

/* One that goes on for ever ends by each of those who may end it. */
static void work_that_queues_itself_ends(struct kunit *test)
{
	int how, round;

	for (round = 0; round < ct_times(12); round++) {
		for (how = 0; how < 4; how++) {
			struct ctx *c = ct_cancel(test, ctx_background());
			struct job *job = job_new(test, c, again_fn);

			ctx_work_on_drop(&job->work, dropped_fn);
			job->delay = (how & 1) && round < 6;
			KUNIT_EXPECT_EQ(test, queue(job, false), 1);
			KUNIT_EXPECT_TRUE(test, ct_spin_until(atomic_read(&job->runs) >=
							      round % 3));
			if (how & 2) {
				ctx_cancel(c);
				/* It was queued, or it was refused when it ran. */
				ctx_work_cancel_sync(&job->work);
				KUNIT_EXPECT_LE(test, atomic_read(&job->drops), 1);
			} else {
				ctx_work_cancel_sync(&job->work);
				KUNIT_EXPECT_EQ(test, atomic_read(&job->drops), 0);
				KUNIT_EXPECT_EQ(test, ctx_err(c), 0);
				/* It is as new. */
				job->again = 1;
				reinit_completion(&job->ended);
				KUNIT_EXPECT_EQ(test, ctx_work_queue_delayed(system_wq, &job->work,
									     1), 1);
				ct_wait_for(test, &job->ended);
				ctx_work_cancel_sync(&job->work);
			}
			kfree(job);
			ctx_put(c);
		}
	}
}

static atomic_t freed;

static void free_fn(struct ctx *ctx, struct ctx_work *work)
{
	struct job *job = job_of(work);

	memset(job, 0x6b, sizeof(*job));
	kfree(job);
	atomic_inc(&freed);
}

static void work_may_free_itself(struct kunit *test)
{
	struct workqueue_struct *wq = alloc_workqueue("ctx_kunit", WQ_UNBOUND, 0);
	struct ctx *c = ct_cancel(test, ctx_background());
	int i, refused = 0, n = ct_times(200);

	KUNIT_ASSERT_NOT_NULL(test, wq);
	atomic_set(&freed, 0);
	for (i = 0; i < n; i++) {
		struct job *job = job_new(test, c, free_fn);

		ctx_work_on_drop(&job->work, free_fn);
		/* In the middle all ends, with some an hour away, and some on their way. */
		if (i == n / 2)
			ctx_cancel_sync(c);
		if (ctx_work_queue_delayed(wq, &job->work, i % 3 == 2 ? hour() : i % 3) > 0)
			continue;
		kfree(job);
		refused++;
	}
	KUNIT_EXPECT_EQ(test, refused, n - n / 2);
	/* Nobody knows them any more; but they are on their queue. */
	destroy_workqueue(wq);
	KUNIT_EXPECT_EQ(test, atomic_read(&freed), n - refused);
	ctx_put(c);
}

static void cancel_own_fn(struct ctx *ctx, struct ctx_work *work)
{
	struct job *job = job_of(work);

	job->ret = ctx_work_cancel_sync(work);
	if (ctx_work_queue_delayed(system_wq, work, hour()) == 1)
		job->ret += 2 * ctx_work_cancel_sync(work);
	note_fn(ctx, work);
}

static void work_does_not_wait_for_itself(struct kunit *test)
{
	struct ctx *c = ct_cancel(test, ctx_background());
	struct job *job = job_new(test, c, cancel_own_fn);

	KUNIT_EXPECT_EQ(test, queue(job, false), 1);
	ct_wait_for(test, &job->ended);
	KUNIT_EXPECT_EQ(test, job->ret, 2);
	KUNIT_EXPECT_FALSE(test, ctx_work_cancel_sync(&job->work));
	kfree(job);
	ctx_put(c);
}

static int cancel_ctx_fn(void *arg)
{
	ctx_cancel(arg);
	return 0;
}

/*
 * Queueing, the timer, the context's end, and a cancel all come together: what was
 * queued ends exactly once, and the item can go.
 */
static void work_races(struct kunit *test)
{
	struct ct_token token;
	struct ctx *v = ct_token_ctx(test, &token, ctx_background());
	struct ct_partner partner;
	int round;

	ct_partner_start(test, &partner, cancel_ctx_fn);
	for (round = 0; round < ct_times(600); round++) {
		struct ctx *c = ct_cancel(test, v);
		struct job *job = job_new(test, c, note_fn);
		ktime_t delay = round % 4 == 0 ? 0 : round % 4 == 1 ? 1 : hour();
		int queued, ended;

		ctx_work_on_drop(&job->work, dropped_fn);
		if (round & 4)
			ct_partner_go(&partner, c);
		queued = ctx_work_queue_delayed(system_wq, &job->work, delay);
		if (!(round & 4))
			ct_partner_go(&partner, c);
		ct_busy_ns(round % 64 * 100);
		ended = round & 8 && ctx_work_cancel(&job->work);
		ended += ctx_work_cancel_sync(&job->work);
		ended += atomic_read(&job->runs) + atomic_read(&job->drops);
		KUNIT_EXPECT_EQ(test, ended, queued == 1);
		if (queued != 1)
			KUNIT_EXPECT_EQ(test, queued, -ECANCELED);
		ct_partner_wait(test, &partner);
		kfree(job);
		ctx_put(c);
	}
	ct_partner_stop(test, &partner);
	ctx_put(v);
	ct_token_gone(test, &token);
}

struct queuer {
	struct job *job;
	bool timed;
	int ret;
};

static int queue_fn(void *arg)
{
	struct queuer *queuer = arg;

	queuer->ret = queue(queuer->job, queuer->timed);
	return 0;
}

static int job_ends(struct job *job)
{
	return atomic_read(&job->runs) + atomic_read(&job->drops);
}

/* Each that was told 1 has one end, and there is a reference until then. */
static void work_of_several_queuers_ends_each_time(struct kunit *test)
{
	struct ct_token token;
	struct ctx *v = ct_token_ctx(test, &token, ctx_background());
	struct ct_partner partner;
	int round, both = 0;

	ct_partner_start(test, &partner, queue_fn);
	for (round = 0; round < ct_times(600); round++) {
		struct ctx *c = ct_cancel(test, v);
		struct job *job = job_new(test, c, note_fn);
		struct queuer queuer = { .job = job, .timed = round & 1 };
		int queued, ended;

		ctx_work_on_drop(&job->work, dropped_fn);
		ct_partner_go(&partner, &queuer);
		queued = queue(job, round & 2) == 1;
		ended = round & 4 && ctx_work_cancel(&job->work);
		if (round & 8)
			ctx_cancel(c);
		ct_partner_wait(test, &partner);
		queued += queuer.ret == 1;
		/* What waits ends with the context, whoever queued it, and who before. */
		if (round & 16) {
			ctx_cancel_sync(c);
			KUNIT_EXPECT_TRUE(test, ct_poll_until(ended + job_ends(job) == queued));
		}
		ended += ctx_work_cancel_sync(&job->work);
		ended += job_ends(job);
		KUNIT_EXPECT_EQ(test, ended, queued);
		KUNIT_EXPECT_EQ(test, refcount_read(&c->ref), 1);
		both += queued == 2;
		kfree(job);
		ctx_put(c);
	}
	kunit_info(test, "%d of %d rounds queued it twice\n", both, round);
	ct_partner_stop(test, &partner);
	ctx_put(v);
	ct_token_gone(test, &token);
}

static struct kunit_case work_cases[] = {
	KUNIT_CASE(work_runs_with_its_context),
	KUNIT_CASE(work_of_a_done_context_is_not_queued),
	KUNIT_CASE(work_is_queued_once),
	KUNIT_CASE(work_that_waits_its_turn_is_not_started_when_done),
	KUNIT_CASE(s18_work_may_be_queued_in_interrupts),
	KUNIT_CASE(work_that_waits_for_its_time_ends_with_its_context),
	KUNIT_CASE(work_holds_its_context_while_it_is_queued),
	KUNIT_CASE(only_cancel_sync_waits_for_the_function),
	KUNIT_CASE(work_may_queue_itself_again),
	KUNIT_CASE(work_that_queues_itself_ends),
	KUNIT_CASE(work_may_free_itself),
	KUNIT_CASE(work_does_not_wait_for_itself),
	KUNIT_CASE(work_races),
	KUNIT_CASE(work_of_several_queuers_ends_each_time),
	{ }
};

static struct kunit_suite work_suite = {
	.name = "ctx_work",
	.test_cases = work_cases,
};

kunit_test_suite(work_suite);
