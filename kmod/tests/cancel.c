// SPDX-License-Identifier: GPL-2.0
/* S3, S4: what cancelling does to a context, and how far it reaches. */
#include <linux/limits.h>

#include "test.h"

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

static const int bad_causes[] = { 0, 1, EIO, INT_MAX, -MAX_ERRNO - 1, INT_MIN };

static void s3_every_cancel_cancels(struct kunit *test)
{
	int how, form;

	for (how = 0; how < HOWS; how++) {
		for (form = 0; ct_is_scope(form); form++) {
			struct ctx *c = ct_must(test, ct_derive(form, ctx_background(),
								GFP_KERNEL));
			struct completion *early = ctx_done(c);
			int cause = how == CAUSE ? -EREMOTE : -ECANCELED;

			cancel_by(how, c);
			KUNIT_EXPECT_EQ(test, ctx_err(c), -ECANCELED);
			KUNIT_EXPECT_EQ(test, ctx_cause(c), cause);
			KUNIT_EXPECT_PTR_EQ(test, ctx_done(c), early);
			ct_expect_done(test, c, -ECANCELED, cause);
			ctx_put(c);
		}
	}
}

static void s3_first_cancellation_wins(struct kunit *test)
{
	struct ctx *c = ct_cancel(test, ctx_background());
	struct ct_probe probe;
	struct ctx_origin first, last;
	int how;

	ct_probe_add(test, &probe, c);
	KUNIT_EXPECT_EQ(test, ctx_cancel_cause(c, -EIO), 0);
	KUNIT_EXPECT_EQ(test, ctx_origin(c, &first), 0);
	KUNIT_EXPECT_EQ(test, ctx_cancel_cause(c, -EPERM), 0);
	for (how = 0; how < HOWS; how++) {
		cancel_by(how, c);
		ct_expect_done(test, c, -ECANCELED, -EIO);
	}
	KUNIT_EXPECT_EQ(test, ctx_origin(c, &last), 0);
	KUNIT_EXPECT_EQ(test, first.time, last.time);
	KUNIT_EXPECT_EQ(test, atomic_read(&probe.runs), 1);
	ctx_put(c);

	c = ct_cancel(test, ctx_background());
	ctx_cancel(c);
	KUNIT_EXPECT_EQ(test, ctx_cancel_cause(c, -EPERM), 0);
	ct_expect_done(test, c, -ECANCELED, -ECANCELED);
	ctx_put(c);
}

static void s3_cancelling_the_expired_changes_nothing(struct kunit *test)
{
	struct ctx *c = ct_timeout_ms(test, ctx_background(), 1);
	int how;

	ct_wait_done(test, c, -ETIMEDOUT);
	for (how = 0; how < HOWS; how++) {
		cancel_by(how, c);
		ct_expect_done(test, c, -ETIMEDOUT, -ETIMEDOUT);
	}
	KUNIT_EXPECT_EQ(test, ctx_cancel_cause(c, -EIO), 0);
	KUNIT_EXPECT_EQ(test, ctx_cancel_cause(c, 0), -EINVAL);
	ct_expect_done(test, c, -ETIMEDOUT, -ETIMEDOUT);
	ctx_put(c);
}

static void s3_bad_cause_is_einval_in_every_state(struct kunit *test)
{
	struct ctx *c = ct_cancel(test, ctx_background());
	struct ctx *t = ct_hour(test, c);
	int i;

	for (i = 0; i < ARRAY_SIZE(bad_causes); i++) {
		KUNIT_EXPECT_EQ(test, ctx_cancel_cause(c, bad_causes[i]), -EINVAL);
		KUNIT_EXPECT_EQ(test, ctx_cancel_cause(t, bad_causes[i]), -EINVAL);
	}
	ct_expect_live(test, c);
	ct_expect_live(test, t);
	KUNIT_EXPECT_EQ(test, ctx_cancel_cause(c, -EIO), 0);
	for (i = 0; i < ARRAY_SIZE(bad_causes); i++) {
		KUNIT_EXPECT_EQ(test, ctx_cancel_cause(c, bad_causes[i]), -EINVAL);
		KUNIT_EXPECT_EQ(test, ctx_cancel_cause(t, bad_causes[i]), -EINVAL);
	}
	ct_expect_done(test, c, -ECANCELED, -EIO);
	ct_expect_done(test, t, -ECANCELED, -EIO);
	ctx_put(t);
	ctx_put(c);
}

static void s3_nothing_to_cancel_in_a_value_or_without_cancel(struct kunit *test)
{
	struct ctx *p = ct_cancel(test, ctx_background());
	struct ctx *v = ct_value(test, p, test, test);
	struct ctx *w = ct_without(test, p);
	struct ctx *below = ct_cancel(test, v);
	struct ctx *beside = ct_cancel(test, w);
	int how;

	for (how = 0; how < HOWS; how++) {
		cancel_by(how, v);
		cancel_by(how, w);
	}
	KUNIT_EXPECT_EQ(test, ctx_cancel_cause(v, -EIO), -EINVAL);
	KUNIT_EXPECT_EQ(test, ctx_cancel_cause(w, -EIO), -EINVAL);
	KUNIT_EXPECT_EQ(test, ctx_cancel_cause(v, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, ctx_cancel_cause(w, 0), -EINVAL);
	ct_expect_live(test, p);
	ct_expect_live(test, v);
	ct_expect_live(test, w);
	ct_expect_live(test, below);
	ct_expect_live(test, beside);
	ctx_cancel(p);
	KUNIT_EXPECT_EQ(test, ctx_cancel_cause(v, -EIO), -EINVAL);
	KUNIT_EXPECT_EQ(test, ctx_cancel_cause(w, -EIO), -EINVAL);
	ct_expect_done(test, v, -ECANCELED, -ECANCELED);
	ct_expect_live(test, w);
	ctx_put(beside);
	ctx_put(below);
	ctx_put(w);
	ctx_put(v);
	ctx_put(p);
}

static void s3_a_value_reports_its_nearest_cancelable_ancestor(struct kunit *test)
{
	struct ctx *g = ct_hour(test, ctx_background());
	struct ctx *p = ct_cancel(test, g);
	struct ctx *v = ct_value(test, p, test, test);
	struct ctx *u = ct_value(test, v, test, test);
	struct ctx_origin origin;
	ktime_t his, mine;

	KUNIT_EXPECT_PTR_EQ(test, ctx_done(v), ctx_done(p));
	KUNIT_EXPECT_PTR_EQ(test, ctx_done(u), ctx_done(p));
	KUNIT_EXPECT_TRUE(test, ctx_deadline(g, &his));
	KUNIT_EXPECT_TRUE(test, ctx_deadline(u, &mine));
	KUNIT_EXPECT_EQ(test, mine, his);
	ct_expect_live(test, u);

	KUNIT_EXPECT_EQ(test, ctx_cancel_cause(p, -ENOLINK), 0);
	ct_expect_done(test, v, -ECANCELED, -ENOLINK);
	ct_expect_done(test, u, -ECANCELED, -ENOLINK);
	KUNIT_EXPECT_EQ(test, ctx_origin(u, &origin), 0);
	KUNIT_EXPECT_PTR_EQ(test, origin.ctx, p);
	KUNIT_EXPECT_PTR_EQ(test, ctx_done(u), ctx_done(p));
	ct_expect_live(test, g);
	ctx_put(u);
	ctx_put(v);
	ctx_put(p);
	ctx_put(g);
}

static void s3_null_and_errors_are_ignored(struct kunit *test)
{
	int how;

	for (how = 0; how < HOWS; how++) {
		cancel_by(how, NULL);
		cancel_by(how, ERR_PTR(-ENOMEM));
		cancel_by(how, ERR_PTR(-1));
		cancel_by(how, ERR_PTR(-MAX_ERRNO));
	}
	KUNIT_EXPECT_EQ(test, ctx_cancel_cause(NULL, -EIO), 0);
	KUNIT_EXPECT_EQ(test, ctx_cancel_cause(ERR_PTR(-ENOMEM), -EIO), 0);
	KUNIT_EXPECT_EQ(test, ctx_cancel_cause(NULL, 0), -EINVAL);
}

/*
 *	root - p - c - x - { y, value - z }
 *		 |   ` without - free
 *		 ` sibling - nephew
 */
static void s4_reaches_descendants_and_nothing_else(struct kunit *test)
{
	int how;

	for (how = 0; how < HOWS; how++) {
		struct ctx *p = ct_cancel(test, ctx_background());
		struct ctx *sibling = ct_cancel(test, p);
		struct ctx *nephew = ct_hour(test, sibling);
		struct ctx *c = ct_cancel(test, p);
		struct ctx *younger = ct_cancel(test, p);
		struct ctx *x = ct_cancel(test, c);
		struct ctx *y = ct_hour(test, x);
		struct ctx *v = ct_value(test, x, test, test);
		struct ctx *z = ct_cancel(test, v);
		struct ctx *w = ct_without(test, c);
		struct ctx *spared = ct_cancel(test, w);
		struct ctx *live[] = { p, sibling, nephew, younger, w, spared };
		struct ctx *done[] = { c, x, y, v, z };
		struct ct_probe above[ARRAY_SIZE(live)], below[ARRAY_SIZE(done)];
		int i, cause = how == CAUSE ? -EREMOTE : -ECANCELED;

		for (i = 0; i < ARRAY_SIZE(live); i++)
			ct_probe_add(test, &above[i], live[i]);
		for (i = 0; i < ARRAY_SIZE(done); i++)
			ct_probe_add(test, &below[i], done[i]);
		cancel_by(how, c);
		for (i = 0; i < ARRAY_SIZE(done); i++) {
			ct_wait_done(test, done[i], -ECANCELED);
			ct_wait_for(test, &below[i].ran);
		}
		ctx_cancel_sync(c);
		for (i = 0; i < ARRAY_SIZE(done); i++) {
			ct_expect_done(test, done[i], -ECANCELED, cause);
			KUNIT_EXPECT_EQ(test, atomic_read(&below[i].runs), 1);
			KUNIT_EXPECT_FALSE(test, ctx_callback_remove(done[i], &below[i].cb));
		}
		for (i = 0; i < ARRAY_SIZE(live); i++) {
			ct_expect_live(test, live[i]);
			KUNIT_EXPECT_TRUE(test, ctx_callback_remove(live[i], &above[i].cb));
			KUNIT_EXPECT_EQ(test, atomic_read(&above[i].runs), 0);
		}
		/* The others can still be cancelled, as if nothing had happened. */
		ctx_cancel(p);
		ct_expect_done(test, nephew, -ECANCELED, -ECANCELED);
		ct_expect_done(test, younger, -ECANCELED, -ECANCELED);
		ct_expect_live(test, spared);
		ct_expect_done(test, y, -ECANCELED, cause);
		for (i = 0; i < ARRAY_SIZE(done); i++)
			ctx_put(done[i]);
		for (i = 0; i < ARRAY_SIZE(live); i++)
			ctx_put(live[i]);
	}
}

static void s4_expiry_reaches_descendants_and_nothing_else(struct kunit *test)
{
	struct ctx *p = ct_hour(test, ctx_background());
	struct ctx *sibling = ct_hour(test, p);
	struct ctx *t = ct_timeout_ms(test, p, 2);
	struct ctx *c = ct_cancel(test, t);
	struct ctx *w = ct_without(test, c);

	ct_wait_done(test, c, -ETIMEDOUT);
	ct_expect_done(test, t, -ETIMEDOUT, -ETIMEDOUT);
	ct_expect_live(test, p);
	ct_expect_live(test, sibling);
	ct_expect_live(test, w);
	ctx_put(w);
	ctx_put(c);
	ctx_put(t);
	ctx_put(sibling);
	ctx_put(p);
}

#ifdef DEFINE_FREE
static void scoped(struct kunit *test, struct ctx *p, struct ctx **seen)
{
	struct ctx *a __free(ctx_cancel_put) = ctx_with_cancel(p, GFP_KERNEL);
	struct ctx *b __free(ctx_put) = ctx_with_cancel(p, GFP_KERNEL);

	seen[0] = ctx_get(ct_must(test, a));
	seen[1] = ctx_get(ct_must(test, b));
}

static void s4_leaving_a_scope_puts_and_cancels(struct kunit *test)
{
	struct ct_token token;
	struct ctx *p = ct_token_ctx(test, &token, ctx_background());
	struct ctx *seen[2];

	scoped(test, p, seen);
	ct_expect_done(test, seen[0], -ECANCELED, -ECANCELED);
	ct_expect_live(test, seen[1]);
	ctx_put(seen[0]);
	ctx_put(seen[1]);
	ctx_put(p);
	ct_token_gone(test, &token);
	ctx_cancel_put(NULL);
	ctx_cancel_put(ERR_PTR(-ENOMEM));
}
#endif

static struct kunit_case cancel_cases[] = {
	KUNIT_CASE(s3_every_cancel_cancels),
	KUNIT_CASE(s3_first_cancellation_wins),
	KUNIT_CASE(s3_cancelling_the_expired_changes_nothing),
	KUNIT_CASE(s3_bad_cause_is_einval_in_every_state),
	KUNIT_CASE(s3_nothing_to_cancel_in_a_value_or_without_cancel),
	KUNIT_CASE(s3_a_value_reports_its_nearest_cancelable_ancestor),
	KUNIT_CASE(s3_null_and_errors_are_ignored),
	KUNIT_CASE(s4_reaches_descendants_and_nothing_else),
	KUNIT_CASE(s4_expiry_reaches_descendants_and_nothing_else),
#ifdef DEFINE_FREE
	KUNIT_CASE(s4_leaving_a_scope_puts_and_cancels),
#endif
	{ }
};

static struct kunit_suite cancel_suite = {
	.name = "ctx_cancel",
	.test_cases = cancel_cases,
};

kunit_test_suite(cancel_suite);
