// SPDX-License-Identifier: GPL-2.0
/* S8: when a context ends by itself. */
#include "test.h"

static const int bad_causes[] = { 0, 1, EIO, INT_MAX, -MAX_ERRNO - 1, INT_MIN };

static ktime_t deadline_of(struct kunit *test, struct ctx *ctx)
{
	ktime_t deadline = 0;

	KUNIT_EXPECT_TRUE(test, ctx_deadline(ctx, &deadline));
	return deadline;
}

static struct ctx *ct_deadline(struct kunit *test, struct ctx *p, ktime_t deadline, int cause)
{
	return ct_must(test, ctx_with_deadline_cause(p, deadline, cause, GFP_KERNEL));
}

static struct ctx *origin_of(struct kunit *test, struct ctx *c)
{
	struct ctx_origin origin = { };

	KUNIT_EXPECT_EQ(test, ctx_origin(c, &origin), 0);
	return origin.ctx;
}

static void s8_never_fires_early(struct kunit *test)
{
	int round;

	for (round = 0; round < 40; round++) {
		ktime_t deadline = ktime_add_us(ktime_get(), 200 + round * 97);
		struct ctx *c = ct_must(test, ctx_with_deadline(ctx_background(), deadline,
								GFP_KERNEL));
		struct ctx_origin origin;
		struct ct_probe probe;

		ct_probe_init(&probe);
		if (ctx_callback_add(c, &probe.cb, ct_probe_fn))
			complete(&probe.ran);
		/* Seen from here, from the callback, and in the record. */
		KUNIT_EXPECT_TRUE(test, ct_spin_until(ctx_err(c)));
		KUNIT_EXPECT_GE(test, ktime_get(), deadline);
		ct_wait_for(test, &probe.ran);
		KUNIT_EXPECT_GE(test, probe.time, atomic_read(&probe.runs) ? deadline : 0);
		KUNIT_EXPECT_EQ(test, ctx_origin(c, &origin), 0);
		KUNIT_EXPECT_GE(test, origin.time, deadline);
		ct_expect_done(test, c, -ETIMEDOUT, -ETIMEDOUT);
		ctx_cancel_sync(c);
		ctx_put(c);
	}
}

static void s8_a_timeout_counts_from_now(struct kunit *test)
{
	const ktime_t timeout = ms_to_ktime(5);
	ktime_t before = ktime_get();
	struct ctx *c = ct_must(test, ctx_with_timeout(ctx_background(), timeout, GFP_KERNEL));
	ktime_t after = ktime_get();
	ktime_t deadline = deadline_of(test, c);

	KUNIT_EXPECT_GE(test, deadline, ktime_add(before, timeout));
	KUNIT_EXPECT_LE(test, deadline, ktime_add(after, timeout));
	ct_wait_done(test, c, -ETIMEDOUT);
	KUNIT_EXPECT_GE(test, ktime_get(), deadline);
	/* It stays the same afterwards. */
	KUNIT_EXPECT_EQ(test, deadline_of(test, c), deadline);
	ctx_put(c);

	before = ktime_get();
	c = ct_must(test, ctx_with_timeout_cause(ctx_background(), ktime_set(60, 0), -EIO,
						 GFP_KERNEL));
	after = ktime_get();
	KUNIT_EXPECT_GE(test, deadline_of(test, c), ktime_add(before, ktime_set(60, 0)));
	KUNIT_EXPECT_LE(test, deadline_of(test, c), ktime_add(after, ktime_set(60, 0)));
	ctx_put(c);
}

static void s8_error_and_cause_of_expiry(struct kunit *test)
{
	ktime_t soon = ktime_add_ms(ktime_get(), 2);
	struct ctx *c[4];
	int i;

	c[0] = ct_must(test, ctx_with_deadline(ctx_background(), soon, GFP_KERNEL));
	c[1] = ct_deadline(test, ctx_background(), soon, -1);
	c[2] = ct_must(test, ctx_with_timeout(ctx_background(), ms_to_ktime(2), GFP_KERNEL));
	c[3] = ct_must(test, ctx_with_timeout_cause(ctx_background(), ms_to_ktime(2), -MAX_ERRNO,
						    GFP_KERNEL));
	for (i = 0; i < 4; i++)
		ct_wait_done(test, c[i], -ETIMEDOUT);
	ct_expect_done(test, c[0], -ETIMEDOUT, -ETIMEDOUT);
	ct_expect_done(test, c[1], -ETIMEDOUT, -1);
	ct_expect_done(test, c[2], -ETIMEDOUT, -ETIMEDOUT);
	ct_expect_done(test, c[3], -ETIMEDOUT, -MAX_ERRNO);
	for (i = 0; i < 4; i++)
		ctx_put(c[i]);
}

static void s8_bad_cause_is_einval(struct kunit *test)
{
	struct ctx *done = ct_cancel(test, ctx_background());
	ktime_t hour = ktime_set(3600, 0);
	int i;

	ctx_cancel(done);
	for (i = 0; i < ARRAY_SIZE(bad_causes); i++) {
		int cause = bad_causes[i];

		KUNIT_EXPECT_EQ(test, PTR_ERR(ctx_with_deadline_cause(ctx_background(),
								      KTIME_MAX, cause,
								      GFP_KERNEL)), -EINVAL);
		KUNIT_EXPECT_EQ(test, PTR_ERR(ctx_with_timeout_cause(ctx_background(), hour,
								     cause, GFP_KERNEL)),
				-EINVAL);
		KUNIT_EXPECT_EQ(test, PTR_ERR(ctx_with_timeout_cause(ctx_background(), 0,
								     cause, GFP_KERNEL)),
				-EINVAL);
		KUNIT_EXPECT_EQ(test, PTR_ERR(ctx_with_deadline_cause(done, 0, cause,
								      GFP_KERNEL)), -EINVAL);
	}
	ctx_put(done);
}

static void s8_the_earlier_deadline_holds(struct kunit *test)
{
	ktime_t now = ktime_get();
	ktime_t near = ktime_add_ms(now, 3600000), far = ktime_add_ms(now, 7200000);
	struct ctx *n = ct_deadline(test, ctx_background(), near, -EIO);
	struct ctx *f = ct_deadline(test, ctx_background(), far, -EIO);
	struct ctx *plain = ct_cancel(test, ctx_background());
	struct ctx *c;

	KUNIT_EXPECT_EQ(test, deadline_of(test, n), near);
	KUNIT_EXPECT_EQ(test, deadline_of(test, f), far);

	c = ct_deadline(test, n, far, -EIO);
	KUNIT_EXPECT_EQ(test, deadline_of(test, c), near);
	ctx_put(c);
	c = ct_deadline(test, f, near, -EIO);
	KUNIT_EXPECT_EQ(test, deadline_of(test, c), near);
	KUNIT_EXPECT_EQ(test, deadline_of(test, f), far);
	ctx_put(f);
	f = c;
	c = ct_deadline(test, f, ktime_sub_ns(near, 1), -EIO);
	KUNIT_EXPECT_EQ(test, deadline_of(test, c), ktime_sub_ns(near, 1));
	ctx_put(c);
	c = ct_deadline(test, f, ktime_add_ns(near, 1), -EIO);
	KUNIT_EXPECT_EQ(test, deadline_of(test, c), near);
	ctx_put(c);
	c = ct_deadline(test, f, KTIME_MAX, -EIO);
	KUNIT_EXPECT_EQ(test, deadline_of(test, c), near);
	ctx_put(c);
	c = ct_cancel(test, f);
	KUNIT_EXPECT_EQ(test, deadline_of(test, c), near);
	ctx_put(c);
	c = ct_value(test, f, test, test);
	KUNIT_EXPECT_EQ(test, deadline_of(test, c), near);
	KUNIT_EXPECT_TRUE(test, ctx_deadline(c, NULL));
	ctx_put(c);
	c = ct_without(test, f);
	KUNIT_EXPECT_FALSE(test, ctx_deadline(c, NULL));
	ctx_put(c);
	KUNIT_EXPECT_FALSE(test, ctx_deadline(plain, NULL));
	c = ct_deadline(test, plain, near, -EIO);
	KUNIT_EXPECT_EQ(test, deadline_of(test, c), near);
	KUNIT_EXPECT_FALSE(test, ctx_deadline(plain, NULL));
	ctx_put(c);
	ctx_put(plain);
	ctx_put(f);
	ctx_put(n);
}

static void s8_a_childs_earlier_deadline_is_its_own(struct kunit *test)
{
	struct ctx *p = ct_hour(test, ctx_background());
	struct ctx *m = ct_value(test, p, test, test);
	struct ctx *c = ct_must(test, ctx_with_timeout_cause(m, ms_to_ktime(2), -EIO, GFP_KERNEL));

	ct_wait_done(test, c, -ETIMEDOUT);
	ct_expect_done(test, c, -ETIMEDOUT, -EIO);
	KUNIT_EXPECT_PTR_EQ(test, origin_of(test, c), c);
	ct_expect_live(test, p);
	ct_expect_live(test, m);
	ctx_put(c);
	ctx_put(m);
	ctx_put(p);
}

/* Three levels, the second has the earliest: it ends the third. */
static void s8_a_parents_earlier_deadline_ends_the_child(struct kunit *test)
{
	struct ctx *g = ct_hour(test, ctx_background());
	struct ctx *p = ct_must(test, ctx_with_timeout_cause(g, ms_to_ktime(3), -EIO, GFP_KERNEL));
	struct ctx *c = ct_must(test, ctx_with_timeout_cause(p, ktime_set(1800, 0), -EPERM,
							     GFP_KERNEL));

	ct_wait_done(test, c, -ETIMEDOUT);
	ct_expect_done(test, p, -ETIMEDOUT, -EIO);
	ct_expect_done(test, c, -ETIMEDOUT, -EIO);
	KUNIT_EXPECT_PTR_EQ(test, origin_of(test, c), p);
	ct_expect_live(test, g);
	ctx_put(c);
	ctx_put(p);
	ctx_put(g);
}

static void s8_on_equal_deadlines_the_parents_cause_holds(struct kunit *test)
{
	int round;

	for (round = 0; round < 20; round++) {
		ktime_t soon = ktime_add_ms(ktime_get(), 3);
		struct ctx *p = ct_deadline(test, ctx_background(), soon, -EIO);
		struct ctx *m = round % 2 ? ct_cancel(test, p) : ct_value(test, p, test, test);
		struct ctx *c = ct_deadline(test, m, soon, -EPERM);
		struct ctx *d = ct_deadline(test, c, soon, -EBADF);

		ct_wait_done(test, d, -ETIMEDOUT);
		ct_expect_done(test, p, -ETIMEDOUT, -EIO);
		ct_expect_done(test, c, -ETIMEDOUT, -EIO);
		ct_expect_done(test, d, -ETIMEDOUT, -EIO);
		KUNIT_EXPECT_PTR_EQ(test, origin_of(test, c), p);
		KUNIT_EXPECT_PTR_EQ(test, origin_of(test, d), p);
		ctx_put(d);
		ctx_put(c);
		ctx_put(m);
		ctx_put(p);
	}
}

static void s8_a_passed_deadline_is_done_at_birth(struct kunit *test)
{
	struct ctx *p = ct_hour(test, ctx_background());
	const ktime_t passed[] = { 0, -1, KTIME_MIN, 1, ktime_sub_ns(ktime_get(), 1), ktime_get() };
	const ktime_t timeouts[] = { 0, -1, -1000000000, KTIME_MIN, KTIME_MIN + 1, -KTIME_MAX };
	struct ctx *c;
	int i;

	for (i = 0; i < ARRAY_SIZE(passed); i++) {
		struct ctx_origin origin;
		struct ct_probe probe;

		c = ct_deadline(test, p, passed[i], -EIO);
		KUNIT_EXPECT_EQ(test, ctx_err(c), -ETIMEDOUT);
		ct_expect_done(test, c, -ETIMEDOUT, -EIO);
		KUNIT_EXPECT_EQ(test, ctx_origin(c, &origin), 0);
		KUNIT_EXPECT_PTR_EQ(test, origin.ctx, c);
		KUNIT_EXPECT_EQ(test, origin.pid, 0);
		KUNIT_EXPECT_STREQ(test, origin.comm, "timer");
		KUNIT_EXPECT_EQ(test, deadline_of(test, c), passed[i]);
		ct_probe_init(&probe);
		KUNIT_EXPECT_EQ(test, ctx_callback_add(c, &probe.cb, ct_probe_fn), -ENOENT);
		ctx_cancel_sync(c);
		ct_expect_done(test, c, -ETIMEDOUT, -EIO);
		ctx_put(c);
		c = ct_must(test, ctx_with_deadline(ctx_background(), passed[i], GFP_KERNEL));
		ct_expect_done(test, c, -ETIMEDOUT, -ETIMEDOUT);
		ctx_put(c);
	}
	for (i = 0; i < ARRAY_SIZE(timeouts); i++) {
		c = ct_must(test, ctx_with_timeout(p, timeouts[i], GFP_KERNEL));
		KUNIT_EXPECT_EQ(test, ctx_err(c), -ETIMEDOUT);
		ct_expect_done(test, c, -ETIMEDOUT, -ETIMEDOUT);
		ctx_put(c);
		c = ct_must(test, ctx_with_timeout_cause(p, timeouts[i], -EIO, GFP_KERNEL));
		ct_expect_done(test, c, -ETIMEDOUT, -EIO);
		ctx_put(c);
	}
	ct_expect_live(test, p);
	ctx_put(p);
}

static void s8_ktime_max_is_no_deadline(struct kunit *test)
{
	const ktime_t timeouts[] = { KTIME_MAX, KTIME_MAX - 1, KTIME_MAX - 1000 };
	struct ctx *c = ct_deadline(test, ctx_background(), KTIME_MAX, -EIO);
	ktime_t untouched = 12345;
	int i;

	KUNIT_EXPECT_FALSE(test, ctx_deadline(c, &untouched));
	KUNIT_EXPECT_EQ(test, untouched, 12345);
	ct_expect_live(test, c);
	ctx_cancel(c);
	ct_expect_done(test, c, -ECANCELED, -ECANCELED);
	ctx_put(c);

	/* What is too long to be counted does not wrap into the past. */
	for (i = 0; i < ARRAY_SIZE(timeouts); i++) {
		c = ct_must(test, ctx_with_timeout(ctx_background(), timeouts[i], GFP_KERNEL));
		KUNIT_EXPECT_FALSE(test, ctx_deadline(c, NULL));
		ct_expect_live(test, c);
		ctx_put(c);
	}

	c = ct_must(test, ctx_with_deadline(ctx_background(), KTIME_MAX - 1, GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, deadline_of(test, c), KTIME_MAX - 1);
	ct_expect_live(test, c);
	ctx_put(c);
}

static void s8_cancelled_before_its_timer_is_gone(struct kunit *test)
{
	enum { N = 16 };
	ktime_t soon = ktime_add_ms(ktime_get(), 20);
	struct ctx *c[N], *later = ct_deadline(test, ctx_background(), ktime_add_ms(soon, 5), -EIO);
	struct ct_probe probe[N];
	bool late = false;
	int i;

	for (i = 0; i < N; i++) {
		c[i] = ct_deadline(test, ctx_background(), soon, -EIO);
		ct_probe_init(&probe[i]);
		/* A slow machine may not get here in time: then there is nothing to see. */
		late |= ctx_callback_add(c[i], &probe[i].cb, ct_probe_fn);
		ctx_cancel(c[i]);
		late |= ctx_err(c[i]) != -ECANCELED;
	}
	ct_wait_done(test, later, -ETIMEDOUT);
	for (i = 0; i < N && !late; i++) {
		ct_expect_done(test, c[i], -ECANCELED, -ECANCELED);
		KUNIT_EXPECT_EQ(test, atomic_read(&probe[i].runs), 1);
	}
	for (i = 0; i < N; i++) {
		ctx_cancel_sync(c[i]);
		ctx_put(c[i]);
	}
	ctx_put(later);

	/* Far enough out for every machine. */
	c[0] = ct_must(test, ctx_with_timeout_cause(ctx_background(), ktime_set(3600, 0), -EIO,
						    GFP_KERNEL));
	ctx_cancel(c[0]);
	ct_expect_done(test, c[0], -ECANCELED, -ECANCELED);
	ctx_put(c[0]);
	c[0] = ct_must(test, ctx_with_timeout_cause(ctx_background(), ktime_set(3600, 0), -EIO,
						    GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, ctx_cancel_cause(c[0], -EPERM), 0);
	ct_expect_done(test, c[0], -ECANCELED, -EPERM);
	ctx_put(c[0]);
}

/*
 * With interrupts off here, the parent's timer is late; it usually is this CPU's.
 * Whoever brings it into effect, the child finds its parent done. With PREEMPT_RT, where
 * this lock leaves them on, that is the timer, and a worker may still be on its way down
 * to the child (S18).
 */
static void s8_an_inherited_passed_deadline_expires_the_ancestor_first(struct kunit *test)
{
	enum { WITH_LATER, WITH_NEVER, WITH_TIMEOUT, WITH_EQUAL, WITHS };
	static DEFINE_SPINLOCK(lock);
	int with;

	for (with = 0; with < WITHS; with++) {
		ktime_t soon = ktime_add_ms(ktime_get(), 2);
		struct ctx *g = ct_cancel(test, ctx_background());
		struct ctx *p = ct_deadline(test, g, soon, -EIO);
		struct ctx *m = ct_cancel(test, p);
		struct ctx *v = ct_value(test, m, test, test);
		struct ctx *c;
		unsigned long flags;
		int err, parent_err;

		spin_lock_irqsave(&lock, flags);
		ct_spin_until(ktime_after(ktime_get(), soon));
		switch (with) {
		case WITH_LATER:
			c = ctx_with_deadline_cause(v, ktime_add_ms(soon, 1000), -EPERM,
						    GFP_ATOMIC);
			break;
		case WITH_NEVER:
			c = ctx_with_deadline_cause(v, KTIME_MAX, -EPERM, GFP_ATOMIC);
			break;
		case WITH_TIMEOUT:
			c = ctx_with_timeout_cause(v, 0, -EPERM, GFP_ATOMIC);
			break;
		default:
			c = ctx_with_deadline_cause(v, soon, -EPERM, GFP_ATOMIC);
		}
		err = IS_ERR(c) ? PTR_ERR(c) : ctx_err(c);
		parent_err = ctx_err(p);
		spin_unlock_irqrestore(&lock, flags);
		ct_must(test, c);
		if (!IS_ENABLED(CONFIG_PREEMPT_RT))
			KUNIT_EXPECT_EQ(test, err, -ETIMEDOUT);
		ct_wait_done(test, c, -ETIMEDOUT);
		KUNIT_EXPECT_EQ(test, parent_err, -ETIMEDOUT);
		ct_expect_done(test, c, -ETIMEDOUT, -EIO);
		ct_expect_done(test, m, -ETIMEDOUT, -EIO);
		KUNIT_EXPECT_PTR_EQ(test, origin_of(test, c), p);
		ct_expect_live(test, g);
		ctx_put(c);
		ctx_put(v);
		ctx_put(m);
		ctx_put(p);
		ctx_put(g);
	}
}

/* One's own earlier deadline has passed, the parent's is still to come. */
static void s8_own_passed_deadline_leaves_the_parent_alone(struct kunit *test)
{
	struct ctx *p = ct_hour(test, ctx_background());
	struct ctx *c = ct_deadline(test, p, ktime_sub_ns(ktime_get(), 1), -EPERM);
	struct ctx *d = ct_cancel(test, c);

	ct_expect_done(test, c, -ETIMEDOUT, -EPERM);
	ct_expect_done(test, d, -ETIMEDOUT, -EPERM);
	KUNIT_EXPECT_PTR_EQ(test, origin_of(test, d), c);
	ct_expect_live(test, p);
	ctx_put(d);
	ctx_put(c);
	ctx_put(p);
}

/* Whatever else is scheduled there, threads that run timers included. */
static void s8_who_keeps_the_cpu_sees_his_time_run_out(struct kunit *test)
{
	struct ctx *c;

	set_cpus_allowed_ptr(current, cpumask_of(0));
	sched_set_fifo(current);
	c = ct_timeout_ms(test, ctx_background(), 5);
	KUNIT_EXPECT_TRUE(test, ct_hold_until(ctx_err(c)));
	sched_set_normal(current, 0);
	set_cpus_allowed_ptr(current, cpu_possible_mask);
	ct_expect_done(test, c, -ETIMEDOUT, -ETIMEDOUT);
	ctx_put(c);
}

static void s8_no_deadline_of_a_without_cancel_parent(struct kunit *test)
{
	struct ctx *p = ct_timeout_ms(test, ctx_background(), 1);
	struct ctx *w = ct_without(test, p);
	struct ctx *c = ct_hour(test, w);

	ct_wait_done(test, p, -ETIMEDOUT);
	ct_expect_live(test, c);
	ctx_cancel(c);
	ctx_put(c);
	c = ct_timeout_ms(test, w, 1);
	ct_wait_done(test, c, -ETIMEDOUT);
	KUNIT_EXPECT_PTR_EQ(test, origin_of(test, c), c);
	ctx_put(c);
	ctx_put(w);
	ctx_put(p);
}

static struct kunit_case deadline_cases[] = {
	KUNIT_CASE(s8_never_fires_early),
	KUNIT_CASE(s8_a_timeout_counts_from_now),
	KUNIT_CASE(s8_error_and_cause_of_expiry),
	KUNIT_CASE(s8_bad_cause_is_einval),
	KUNIT_CASE(s8_the_earlier_deadline_holds),
	KUNIT_CASE(s8_a_childs_earlier_deadline_is_its_own),
	KUNIT_CASE(s8_a_parents_earlier_deadline_ends_the_child),
	KUNIT_CASE(s8_on_equal_deadlines_the_parents_cause_holds),
	KUNIT_CASE(s8_a_passed_deadline_is_done_at_birth),
	KUNIT_CASE(s8_ktime_max_is_no_deadline),
	KUNIT_CASE(s8_cancelled_before_its_timer_is_gone),
	KUNIT_CASE(s8_an_inherited_passed_deadline_expires_the_ancestor_first),
	KUNIT_CASE(s8_own_passed_deadline_leaves_the_parent_alone),
	KUNIT_CASE(s8_who_keeps_the_cpu_sees_his_time_run_out),
	KUNIT_CASE(s8_no_deadline_of_a_without_cancel_parent),
	{ }
};

static struct kunit_suite deadline_suite = {
	.name = "ctx_deadline",
	.test_cases = deadline_cases,
};

kunit_test_suite(deadline_suite);
