// SPDX-License-Identifier: GPL-2.0
/* S3, S6, S8, S12, S13: two at a time, each the first as often as not. */
#include "test.h"

static int cancel_fn(void *arg)
{
	ctx_cancel(arg);
	return 0;
}

/* The four ways to cancel. */
enum how { PLAIN, CAUSE, ASYNC, SYNC, HOWS };

static void cancel_by(enum how how, struct ctx *c)
{
	switch (how) {
	case PLAIN:
		return ctx_cancel(c);
	case CAUSE:
		ctx_cancel_cause(c, -EREMOTE);
		return;
	case ASYNC:
		return ctx_cancel_async(c);
	default:
		return ctx_cancel_sync(c);
	}
}

struct race {
	struct ctx *c;
	enum how how;
	int cause;
	atomic_t *gate;
	int bad;
};

static int race_fn(void *arg)
{
	struct race *race = arg;

	atomic_dec(race->gate);
	ct_spin_until(!atomic_read(race->gate));
	if (race->cause)
		race->bad = ctx_cancel_cause(race->c, race->cause);
	else
		cancel_by(race->how, race->c);
	/* Winner or loser, whoever returns sees it done. */
	race->bad |= ctx_err(race->c) != -ECANCELED;
	return 0;
}

static void s3_losers_of_the_race_see_it_done_too(struct kunit *test)
{
	struct ct_partner partner;
	int round;

	ct_partner_start(test, &partner, race_fn);
	for (round = 0; round < ct_times(300); round++) {
		struct ctx *c = ct_cancel(test, ctx_background());
		atomic_t gate = ATOMIC_INIT(2);
		struct race race[2];
		struct ct_probe probe;
		int i, cause;

		ct_probe_add(test, &probe, c);
		for (i = 0; i < 2; i++)
			race[i] = (struct race) {
				.c = c, .gate = &gate,
				.how = (round / 2 + i) % HOWS,
				.cause = round % 2 ? -EIO - i : 0,
			};
		ct_partner_go(&partner, &race[0]);
		race_fn(&race[1]);
		ct_partner_wait(test, &partner);

		KUNIT_EXPECT_EQ(test, race[0].bad, 0);
		KUNIT_EXPECT_EQ(test, race[1].bad, 0);
		ctx_cancel_sync(c);
		cause = ctx_cause(c);
		if (round % 2)
			KUNIT_EXPECT_TRUE(test, cause == race[0].cause || cause == race[1].cause);
		else
			KUNIT_EXPECT_TRUE(test, cause == -ECANCELED || cause == -EREMOTE);
		ct_expect_done(test, c, -ECANCELED, cause);
		KUNIT_EXPECT_EQ(test, atomic_read(&probe.runs), 1);
		KUNIT_EXPECT_EQ(test, probe.cause, cause);
		ctx_put(c);
	}
	ct_partner_stop(test, &partner);
}

static int cancel_cause_fn(void *arg)
{
	ctx_cancel_cause(arg, -EINTR);
	return 0;
}

/* Whether it was linked in time or born done, nobody is missed. */
static void s6_deriving_races_with_cancelling(struct kunit *test)
{
	struct ct_partner partner;
	enum { BATCH = 64 };
	struct ctx *c[BATCH];
	int round, i;

	ct_partner_start(test, &partner, cancel_cause_fn);
	for (round = 0; round < ct_times(150); round++) {
		struct ctx *p = ct_cancel(test, ctx_background());
		int missed = 0;

		ct_partner_go(&partner, p);
		for (i = 0; i < BATCH; i++)
			c[i] = ctx_with_cancel(i % 4 ? c[i - 1] : p, GFP_KERNEL);
		ct_partner_wait(test, &partner);
		ctx_cancel_sync(p);
		for (i = 0; i < BATCH; i++)
			missed += ctx_err(c[i]) != -ECANCELED || ctx_cause(c[i]) != -EINTR;
		KUNIT_EXPECT_EQ(test, missed, 0);
		for (i = 0; i < BATCH; i++)
			ctx_put(c[i]);
		ctx_put(p);
	}
	ct_partner_stop(test, &partner);
}

/* Expiry, cancellation and the last put, as close together as it gets. */
static void s8_expiry_races_with_cancel_and_put(struct kunit *test)
{
	int round, bad = 0;

	for (round = 0; round < ct_times(2000); round++) {
		unsigned int us = 5 + round % 60;
		struct ctx *c = ct_must(test, ctx_with_timeout_cause(ctx_background(),
								     ct_us(us), -EIO,
								     GFP_KERNEL));
		struct ct_probe probe;
		int err, cause;

		if (round % 3 == 2) {
			/* Not cancelled at all: the timer holds nothing. */
			ctx_put(c);
			continue;
		}
		ct_probe_init(&probe);
		if (ctx_callback_add(c, &probe.cb, ct_probe_fn))
			atomic_inc(&probe.runs);
		ctx_cancel(c);
		err = ctx_err(c);
		cause = ctx_cause(c);
		bad += !(err == -ECANCELED && cause == -ECANCELED) &&
		       !(err == -ETIMEDOUT && cause == -EIO);
		ctx_cancel_sync(c);
		bad += ctx_err(c) != err || ctx_cause(c) != cause;
		bad += atomic_read(&probe.runs) != 1;
		ctx_put(c);
	}
	KUNIT_EXPECT_EQ(test, bad, 0);
}

static void s12_removal_races_with_cancellation(struct kunit *test)
{
	struct ct_partner partner;
	int round, bad = 0, i;

	ct_partner_start(test, &partner, cancel_fn);
	for (round = 0; round < ct_times(500); round++) {
		struct ctx *c = ct_cancel(test, ctx_background());
		struct ct_probe probe[8];
		bool removed[8];

		for (i = 0; i < 8; i++)
			ct_probe_add(test, &probe[i], c);
		ct_partner_go(&partner, c);
		for (i = 7; i >= 0; i--) {
			removed[i] = ctx_callback_remove_sync(c, &probe[i].cb);
			/* Over, or never to come: it could be freed now. */
			bad += atomic_read(&probe[i].runs) != !removed[i];
		}
		ct_partner_wait(test, &partner);
		for (i = 0; i < 8; i++)
			bad += atomic_read(&probe[i].runs) != !removed[i];
		ctx_put(c);
	}
	ct_partner_stop(test, &partner);
	KUNIT_EXPECT_EQ(test, bad, 0);
}

static void s12_adding_races_with_cancellation(struct kunit *test)
{
	struct ct_partner partner;
	int round, bad = 0, i;

	ct_partner_start(test, &partner, cancel_fn);
	for (round = 0; round < ct_times(500); round++) {
		struct ctx *c = ct_cancel(test, ctx_background());
		struct ct_probe probe[8];
		int added[8];

		ct_partner_go(&partner, c);
		for (i = 0; i < 8; i++) {
			ct_probe_init(&probe[i]);
			added[i] = ctx_callback_add(c, &probe[i].cb, ct_probe_fn);
		}
		ct_partner_wait(test, &partner);
		ctx_cancel_sync(c);
		for (i = 0; i < 8; i++) {
			bad += added[i] && added[i] != -ENOENT;
			bad += i && added[i - 1] && !added[i];
			bad += atomic_read(&probe[i].runs) != !added[i];
		}
		ctx_put(c);
	}
	ct_partner_stop(test, &partner);
	KUNIT_EXPECT_EQ(test, bad, 0);
}

struct job {
	struct ctx_after after;
	atomic_t runs;
};

static void job_fn(struct ctx_after *after)
{
	atomic_inc(&container_of(after, struct job, after)->runs);
}

static atomic_t let_go;

static void let_go_release(void *value)
{
	atomic_inc(&let_go);
}

static void s13_stopping_races_with_cancellation(struct kunit *test)
{
	struct ct_partner partner;
	int round, bad = 0;

	atomic_set(&let_go, 0);
	ct_partner_start(test, &partner, cancel_fn);
	for (round = 0; round < ct_times(500); round++) {
		struct ctx *p = ct_cancel(test, ctx_background());
		struct ctx *v = ct_must(test, ctx_with_value(p, test, test, let_go_release,
							     GFP_KERNEL));
		bool stopped;
		struct job job = { };

		ctx_after_func(v, &job.after, job_fn);
		ctx_put(v);
		ct_partner_go(&partner, p);
		if (round % 2) {
			stopped = ctx_after_stop_sync(&job.after);
			bad += atomic_read(&job.runs) != !stopped;
		} else {
			stopped = ctx_after_stop(&job.after);
		}
		ct_partner_wait(test, &partner);
		/* What was about to be queued then may be stopped now. */
		if (!stopped)
			stopped = ctx_after_stop_sync(&job.after);
		bad += atomic_read(&job.runs) != !stopped;
		ctx_put(p);
	}
	ct_partner_stop(test, &partner);
	KUNIT_EXPECT_EQ(test, bad, 0);
	/* Either way its reference is gone, once. */
	ctx_barrier();
	KUNIT_EXPECT_EQ(test, atomic_read(&let_go), ct_times(500));
}

static struct kunit_case races_cases[] = {
	KUNIT_CASE_SLOW(s3_losers_of_the_race_see_it_done_too),
	KUNIT_CASE_SLOW(s6_deriving_races_with_cancelling),
	KUNIT_CASE_SLOW(s8_expiry_races_with_cancel_and_put),
	KUNIT_CASE_SLOW(s12_removal_races_with_cancellation),
	KUNIT_CASE_SLOW(s12_adding_races_with_cancellation),
	KUNIT_CASE_SLOW(s13_stopping_races_with_cancellation),
	{ }
};

static struct kunit_suite races_suite = {
	.name = "ctx_races",
	.test_cases = races_cases,
};

kunit_test_suite(races_suite);
