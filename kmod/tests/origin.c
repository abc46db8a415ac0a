// SPDX-License-Identifier: GPL-2.0
/* S10, S11: error, cause, and who ended a context, when and why. */
#include <linux/cred.h>
#include <linux/kthread.h>
#include <linux/pid.h>
#include <linux/string.h>

#include "test.h"

static void s10_error_and_cause_while_live_and_done(struct kunit *test)
{
	static const int causes[] = { -1, -EIO, -ECANCELED, -ETIMEDOUT, -MAX_ERRNO };
	int i;

	for (i = 0; i < ARRAY_SIZE(causes); i++) {
		struct ctx *p = ct_cancel(test, ctx_background());
		struct ctx *c = ct_cancel(test, p);

		KUNIT_EXPECT_EQ(test, ctx_cause(c), 0);
		KUNIT_EXPECT_EQ(test, ctx_cancel_cause(p, causes[i]), 0);
		/* The cause says why; the error is one of two, whatever the cause. */
		ct_expect_done(test, p, -ECANCELED, causes[i]);
		ct_expect_done(test, c, -ECANCELED, causes[i]);
		ctx_put(c);
		ctx_put(p);
	}
}

static void s10_cause_boundaries(struct kunit *test)
{
	static const struct { int cause, ret; } table[] = {
		{ 1, -EINVAL }, { 0, -EINVAL }, { -1, 0 }, { -2, 0 },
		{ -MAX_ERRNO + 1, 0 }, { -MAX_ERRNO, 0 }, { -MAX_ERRNO - 1, -EINVAL },
		{ INT_MAX, -EINVAL }, { INT_MIN, -EINVAL },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(table); i++) {
		struct ctx *c = ct_cancel(test, ctx_background());

		KUNIT_EXPECT_EQ(test, ctx_cancel_cause(c, table[i].cause), table[i].ret);
		KUNIT_EXPECT_EQ(test, ctx_err(c), table[i].ret ? 0 : -ECANCELED);
		KUNIT_EXPECT_EQ(test, ctx_cause(c), table[i].ret ? 0 : table[i].cause);
		ctx_put(c);

		c = ctx_with_timeout_cause(ctx_background(), 0, table[i].cause, GFP_KERNEL);
		KUNIT_EXPECT_EQ(test, PTR_ERR_OR_ZERO(c), table[i].ret);
		if (!IS_ERR(c))
			ct_expect_done(test, c, -ETIMEDOUT, table[i].cause);
		ctx_put(c);
	}
}

/* The first cancellation on the path decides, for what it reached. */
static void s10_a_child_cancelled_earlier_keeps_its_own(struct kunit *test)
{
	struct ctx *p = ct_cancel(test, ctx_background());
	struct ctx *c = ct_cancel(test, p);
	struct ctx *g = ct_cancel(test, c);
	struct ctx *late, *other = ct_cancel(test, p);
	struct ctx_origin origin;

	KUNIT_EXPECT_EQ(test, ctx_cancel_cause(c, -EIO), 0);
	KUNIT_EXPECT_EQ(test, ctx_cancel_cause(p, -EPERM), 0);
	late = ct_cancel(test, c);
	ct_expect_done(test, p, -ECANCELED, -EPERM);
	ct_expect_done(test, other, -ECANCELED, -EPERM);
	ct_expect_done(test, c, -ECANCELED, -EIO);
	ct_expect_done(test, g, -ECANCELED, -EIO);
	ct_expect_done(test, late, -ECANCELED, -EIO);
	KUNIT_EXPECT_EQ(test, ctx_origin(g, &origin), 0);
	KUNIT_EXPECT_PTR_EQ(test, origin.ctx, c);
	KUNIT_EXPECT_EQ(test, ctx_origin(other, &origin), 0);
	KUNIT_EXPECT_PTR_EQ(test, origin.ctx, p);
	ctx_put(late);
	ctx_put(other);
	ctx_put(g);
	ctx_put(c);
	ctx_put(p);
}

static void s10_an_expired_child_keeps_its_own(struct kunit *test)
{
	struct ctx *p = ct_cancel(test, ctx_background());
	struct ctx *c = ct_must(test, ctx_with_timeout_cause(p, ms_to_ktime(1), -EIO, GFP_KERNEL));
	struct ctx *g = ct_cancel(test, c);

	ct_wait_done(test, g, -ETIMEDOUT);
	KUNIT_EXPECT_EQ(test, ctx_cancel_cause(p, -EPERM), 0);
	ct_expect_done(test, c, -ETIMEDOUT, -EIO);
	ct_expect_done(test, g, -ETIMEDOUT, -EIO);
	ct_expect_done(test, p, -ECANCELED, -EPERM);
	ctx_put(g);
	ctx_put(c);
	ctx_put(p);
}

struct watch {
	struct ctx *ctx;
	int bad;
};

static int watch_fn(void *arg)
{
	struct watch *watch = arg;
	struct ctx_origin origin = { };

	ct_spin_until(ctx_err(watch->ctx));
	watch->bad = ctx_cause(watch->ctx) != -EIO || ctx_origin(watch->ctx, &origin) ||
		     origin.err != -ECANCELED || origin.cause != -EIO || !origin.time ||
		     !origin.pid || !origin.comm[0] || !origin.ctx;
	return 0;
}

static void s10_who_sees_the_error_sees_its_cause(struct kunit *test)
{
	struct ct_partner partner;
	int round;

	ct_partner_start(test, &partner, watch_fn);
	for (round = 0; round < ct_times(500); round++) {
		struct ctx *p = ct_cancel(test, ctx_background());
		struct watch watch = { .ctx = round % 2 ? ct_cancel(test, p) : ctx_get(p) };

		ct_partner_go(&partner, &watch);
		KUNIT_EXPECT_EQ(test, ctx_cancel_cause(p, -EIO), 0);
		ct_partner_wait(test, &partner);
		KUNIT_EXPECT_EQ(test, watch.bad, 0);
		ctx_put(watch.ctx);
		ctx_put(p);
	}
	ct_partner_stop(test, &partner);
}

static void expect_origin(struct kunit *test, struct ctx *c, struct ctx *by, pid_t pid,
			  const char *comm, ktime_t before, ktime_t after)
{
	struct ctx_origin origin = { };

	KUNIT_EXPECT_EQ(test, ctx_origin(c, &origin), 0);
	KUNIT_EXPECT_PTR_EQ(test, origin.ctx, by);
	KUNIT_EXPECT_EQ(test, origin.pid, pid);
	KUNIT_EXPECT_STREQ(test, origin.comm, comm);
	KUNIT_EXPECT_GE(test, origin.time, before);
	KUNIT_EXPECT_LE(test, origin.time, after);
	KUNIT_EXPECT_EQ(test, origin.err, ctx_err(c));
	KUNIT_EXPECT_EQ(test, origin.cause, ctx_cause(c));
}

static void s11_nothing_to_tell_while_live(struct kunit *test)
{
	struct ctx *c = ct_hour(test, ctx_background());
	struct ctx *w = ct_without(test, c);
	struct ctx *v = ct_value(test, c, test, test);
	struct ctx_origin origin, same;

	memset(&origin, 0x5a, sizeof(origin));
	same = origin;
	KUNIT_EXPECT_EQ(test, ctx_origin(c, &origin), -EAGAIN);
	KUNIT_EXPECT_EQ(test, ctx_origin(v, &origin), -EAGAIN);
	KUNIT_EXPECT_EQ(test, ctx_origin(ctx_background(), &origin), -EAGAIN);
	ctx_cancel(c);
	KUNIT_EXPECT_EQ(test, ctx_origin(w, &origin), -EAGAIN);
	KUNIT_EXPECT_EQ(test, memcmp(&origin, &same, sizeof(origin)), 0);
	ctx_put(v);
	ctx_put(w);
	ctx_put(c);
}

struct canceller {
	struct ctx *ctx;
	enum { BY_CANCEL, BY_CAUSE, BY_ASYNC, BY_SYNC, BYS } by;
	ktime_t before;
	ktime_t after;
	pid_t pid;
	char comm[TASK_COMM_LEN];
};

static int canceller_fn(void *arg)
{
	struct canceller *canceller = arg;

	canceller->pid = task_pid_nr(current);
	strscpy(canceller->comm, current->comm, sizeof(canceller->comm));
	canceller->before = ktime_get();
	if (canceller->by == BY_CANCEL)
		ctx_cancel(canceller->ctx);
	else if (canceller->by == BY_CAUSE)
		ctx_cancel_cause(canceller->ctx, -EIO);
	else if (canceller->by == BY_ASYNC)
		ctx_cancel_async(canceller->ctx);
	else
		ctx_cancel_sync(canceller->ctx);
	canceller->after = ktime_get();
	return 0;
}

/* The origin of what was cancelled, of its descendants, and of who comes late. */
static void s11_a_task_that_cancelled(struct kunit *test)
{
	struct canceller by = { };

	for (by.by = 0; by.by < BYS; by.by++) {
		struct ctx *p = ct_hour(test, ctx_background());
		struct ctx *c = ct_hour(test, p);
		struct ctx *v = ct_value(test, c, test, test);
		struct ctx *late;
		struct ct_helper helper;

		by.ctx = p;
		ct_helper_start(test, &helper, canceller_fn, &by);
		ct_helper_join(test, &helper);
		KUNIT_EXPECT_NE(test, by.pid, task_pid_nr(current));
		KUNIT_EXPECT_STREQ(test, by.comm, "ctx_kunit_helpe");
		ctx_cancel_sync(p);
		late = ct_cancel(test, v);
		expect_origin(test, p, p, by.pid, by.comm, by.before, by.after);
		expect_origin(test, c, p, by.pid, by.comm, by.before, by.after);
		expect_origin(test, v, p, by.pid, by.comm, by.before, by.after);
		expect_origin(test, late, p, by.pid, by.comm, by.before, by.after);
		ctx_put(late);
		ctx_put(v);
		ctx_put(c);
		ctx_put(p);
	}
}

/* The losers leave no trace. */
static void s11_the_first_canceller_is_remembered(struct kunit *test)
{
	struct ctx *c = ct_cancel(test, ctx_background());
	struct canceller by = { .ctx = c, .by = BY_CAUSE };
	ktime_t before = ktime_get(), after;
	struct ct_helper helper;
	char comm[TASK_COMM_LEN];

	get_task_comm(comm, current);
	ctx_cancel(c);
	after = ktime_get();
	ct_helper_start(test, &helper, canceller_fn, &by);
	ct_helper_join(test, &helper);
	expect_origin(test, c, c, task_pid_nr(current), comm, before, after);
	ctx_put(c);
}

static void s11_each_level_tells_of_its_own(struct kunit *test)
{
	struct ctx *p = ct_cancel(test, ctx_background());
	struct ctx *c = ct_cancel(test, p);
	struct canceller by = { .ctx = c };
	struct ct_helper helper;
	char comm[TASK_COMM_LEN];
	ktime_t before, after;

	get_task_comm(comm, current);
	ct_helper_start(test, &helper, canceller_fn, &by);
	ct_helper_join(test, &helper);
	before = ktime_get();
	ctx_cancel(p);
	after = ktime_get();
	expect_origin(test, c, c, by.pid, by.comm, by.before, by.after);
	expect_origin(test, p, p, task_pid_nr(current), comm, before, after);
	ctx_put(c);
	ctx_put(p);
}

static void s11_a_timer(struct kunit *test)
{
	struct ctx *g = ct_cancel(test, ctx_background());
	struct ctx *p = ct_timeout_ms(test, g, 2);
	struct ctx *c = ct_cancel(test, p);
	ktime_t deadline = 0;

	KUNIT_EXPECT_TRUE(test, ctx_deadline(p, &deadline));
	ct_wait_done(test, c, -ETIMEDOUT);
	expect_origin(test, p, p, 0, "timer", deadline, ktime_get());
	expect_origin(test, c, p, 0, "timer", deadline, ktime_get());
	ctx_cancel(g);
	expect_origin(test, c, p, 0, "timer", deadline, ktime_get());
	ctx_put(c);
	ctx_put(p);
	ctx_put(g);
}

static void cancel_in_irq(void *arg)
{
	ctx_cancel(arg);
}

static void s11_an_interrupt(struct kunit *test)
{
	int soft;

	for (soft = 0; soft < 2; soft++) {
		struct ctx *p = ct_hour(test, ctx_background());
		struct ctx *c = ct_cancel(test, p);
		ktime_t before = ktime_get();

		if (soft)
			ct_in_softirq(cancel_in_irq, p);
		else
			ct_in_hardirq(cancel_in_irq, p);
		expect_origin(test, p, p, 0, "irq", before, ktime_get());
		ct_let_worker_end(p);
		expect_origin(test, c, p, 0, "irq", before, ktime_get());
		ct_expect_done(test, c, -ECANCELED, -ECANCELED);
		ctx_put(c);
		ctx_put(p);
	}
}

/* The record of one that is used again must not show through. */
static void s11_no_record_survives_its_context(struct kunit *test)
{
	int round;

	for (round = 0; round < 50; round++) {
		struct ctx *p = ct_hour(test, ctx_background());
		struct ctx *c = ct_hour(test, ctx_background());

		ctx_cancel_cause(p, -EIO);
		ctx_put(p);
		ct_in_hardirq(cancel_in_irq, c);
		expect_origin(test, c, c, 0, "irq", 0, ktime_get());
		KUNIT_EXPECT_EQ(test, ctx_cause(c), -ECANCELED);
		ctx_put(c);
	}
}

/* It is kept alive by the one asked, the canceller's process by nobody. */
static void s11_the_origin_outlives_its_owners(struct kunit *test)
{
	struct ctx *p = ct_cancel(test, ctx_background());
	struct ctx *c = ct_cancel(test, p);
	struct canceller by = { .ctx = p };
	struct ct_helper helper;
	struct ctx_origin origin;

	ct_helper_start(test, &helper, canceller_fn, &by);
	ct_helper_join(test, &helper);
	ctx_put(p);
	KUNIT_EXPECT_EQ(test, ctx_origin(c, &origin), 0);
	KUNIT_EXPECT_EQ(test, ctx_err(origin.ctx), -ECANCELED);
	KUNIT_EXPECT_EQ(test, origin.pid, by.pid);
	KUNIT_EXPECT_STREQ(test, origin.comm, by.comm);
	ctx_put(c);
}

static struct kunit_case origin_cases[] = {
	KUNIT_CASE(s10_error_and_cause_while_live_and_done),
	KUNIT_CASE(s10_cause_boundaries),
	KUNIT_CASE(s10_a_child_cancelled_earlier_keeps_its_own),
	KUNIT_CASE(s10_an_expired_child_keeps_its_own),
	KUNIT_CASE(s10_who_sees_the_error_sees_its_cause),
	KUNIT_CASE(s11_nothing_to_tell_while_live),
	KUNIT_CASE(s11_a_task_that_cancelled),
	KUNIT_CASE(s11_the_first_canceller_is_remembered),
	KUNIT_CASE(s11_each_level_tells_of_its_own),
	KUNIT_CASE(s11_a_timer),
	KUNIT_CASE(s11_an_interrupt),
	KUNIT_CASE(s11_no_record_survives_its_context),
	KUNIT_CASE(s11_the_origin_outlives_its_owners),
	{ }
};

static struct kunit_suite origin_suite = {
	.name = "ctx_origin",
	.test_cases = origin_cases,
};

kunit_test_suite(origin_suite);
