// SPDX-License-Identifier: GPL-2.0
/* S2, S6, S14: what a derivation returns, and how it is related to its parent. */
#include <linux/init.h>
#include <linux/slab.h>

#include "test.h"

static void s2_null_parent_is_einval(struct kunit *test)
{
	int form;

	for (form = 0; form < CT_FORMS; form++)
		KUNIT_EXPECT_EQ_MSG(test, PTR_ERR(ct_derive(form, NULL, GFP_KERNEL)), -EINVAL,
				    "%s", ct_form_names[form]);
}

static void s2_error_parent_is_handed_back(struct kunit *test)
{
	static const long errors[] = { -1, -ENOMEM, -EINVAL, -EIO, -MAX_ERRNO };
	int form, i;

	for (form = 0; form < CT_FORMS; form++)
		for (i = 0; i < ARRAY_SIZE(errors); i++)
			KUNIT_EXPECT_EQ_MSG(test,
					    PTR_ERR(ct_derive(form, ERR_PTR(errors[i]),
							      GFP_KERNEL)),
					    errors[i], "%s", ct_form_names[form]);
}

static void s2_null_and_errors_can_be_put_and_got(struct kunit *test)
{
	KUNIT_EXPECT_PTR_EQ(test, ctx_get(NULL), NULL);
	KUNIT_EXPECT_PTR_EQ(test, ctx_get(ERR_PTR(-EIO)), ERR_PTR(-EIO));
	ctx_put(NULL);
	ctx_put(ERR_PTR(-ENOMEM));
	ctx_put(ERR_PTR(-MAX_ERRNO));
}

static void s2_a_new_context_is_live_and_its_own(struct kunit *test)
{
	struct ctx *p = ct_cancel(test, ctx_background());
	int form;

	for (form = 0; form < CT_FORMS; form++) {
		struct ctx *c = ct_must(test, ct_derive(form, p, GFP_KERNEL));
		struct ctx *d = ct_must(test, ct_derive(form, p, GFP_KERNEL));

		KUNIT_EXPECT_PTR_NE(test, c, p);
		KUNIT_EXPECT_PTR_NE(test, c, d);
		KUNIT_EXPECT_PTR_EQ(test, ctx_get(c), c);
		ct_expect_live(test, c);
		if (ct_is_scope(form)) {
			KUNIT_EXPECT_PTR_NE(test, ctx_done(c), ctx_done(p));
			KUNIT_EXPECT_PTR_NE(test, ctx_done(c), ctx_done(d));
		}
		ctx_put(c);
		ctx_put(c);
		ctx_put(d);
	}
	ctx_cancel(p);
	ctx_put(p);
}

/* The token is the parent's: it is released with the parent's last reference. */
static void s2_a_child_holds_its_parent(struct kunit *test)
{
	int form;

	for (form = 0; form < CT_FORMS; form++) {
		struct ct_token token;
		struct ctx *p = ct_token_ctx(test, &token, ctx_background());
		struct ctx *c = ct_must(test, ct_derive(form, p, GFP_KERNEL));

		ctx_put(p);
		ctx_barrier();
		KUNIT_EXPECT_EQ_MSG(test, atomic_read(&token.released), 0, "%s",
				    ct_form_names[form]);
		KUNIT_EXPECT_PTR_EQ(test, ctx_value(c, &ct_token_key), (void *)&token);
		ctx_get(c);
		ctx_put(c);
		ctx_barrier();
		KUNIT_EXPECT_EQ(test, atomic_read(&token.released), 0);
		ctx_put(c);
		ct_token_gone(test, &token);
	}
}

/* Each kind as the parent of each kind, with only the leaf held. */
static void s2_every_kind_holds_every_kind(struct kunit *test)
{
	struct ct_token *token = kunit_kzalloc(test, CT_FORMS * CT_FORMS * sizeof(*token),
					       GFP_KERNEL);
	struct ctx *leaf[CT_FORMS * CT_FORMS];
	int i;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, token);
	for (i = 0; i < ARRAY_SIZE(leaf); i++) {
		struct ctx *p = ct_token_ctx(test, &token[i], ctx_background());
		struct ctx *m = ct_must(test, ct_derive(i % CT_FORMS, p, GFP_KERNEL));

		leaf[i] = ct_must(test, ct_derive(i / CT_FORMS, m, GFP_KERNEL));
		ctx_put(p);
		ctx_put(m);
	}
	ctx_barrier();
	for (i = 0; i < ARRAY_SIZE(leaf); i++) {
		KUNIT_EXPECT_EQ(test, atomic_read(&token[i].released), 0);
		ctx_cancel(leaf[i]);
		ctx_put(leaf[i]);
	}
	ctx_barrier();
	for (i = 0; i < ARRAY_SIZE(leaf); i++)
		KUNIT_EXPECT_EQ(test, atomic_read(&token[i].released), 1);
}

static void s2_children_outlive_a_cancelled_parent(struct kunit *test)
{
	struct ct_token token;
	struct ctx *v = ct_token_ctx(test, &token, ctx_background());
	struct ctx *p = ct_cancel(test, v);
	struct ctx *c = ct_cancel(test, p);

	ctx_put(v);
	KUNIT_EXPECT_EQ(test, ctx_cancel_cause(p, -EIO), 0);
	ctx_put(p);
	ctx_barrier();
	KUNIT_EXPECT_EQ(test, atomic_read(&token.released), 0);
	ct_expect_done(test, c, -ECANCELED, -EIO);
	ctx_put(c);
	ct_token_gone(test, &token);
}

static void expect_born_done(struct kunit *test, struct ctx *p, int err, int cause)
{
	struct ctx_origin mine, his;
	int form;

	for (form = 0; form < CT_FORMS; form++) {
		struct ctx *c = ct_must(test, ct_derive(form, p, GFP_KERNEL));
		struct ct_probe probe;

		if (form == CT_WITHOUT) {
			ct_expect_live(test, c);
			ctx_put(c);
			continue;
		}
		KUNIT_EXPECT_EQ_MSG(test, ctx_err(c), err, "%s", ct_form_names[form]);
		ct_expect_done(test, c, err, cause);
		KUNIT_EXPECT_EQ(test, ctx_origin(c, &mine), 0);
		KUNIT_EXPECT_EQ(test, ctx_origin(p, &his), 0);
		KUNIT_EXPECT_PTR_EQ(test, mine.ctx, his.ctx);
		KUNIT_EXPECT_EQ(test, mine.time, his.time);
		ct_probe_init(&probe);
		KUNIT_EXPECT_EQ(test, ctx_callback_add(c, &probe.cb, ct_probe_fn), -ENOENT);
		/* Too late to change anything, and no timer may be left behind. */
		ctx_cancel(c);
		ctx_cancel_sync(c);
		ct_expect_done(test, c, err, cause);
		ctx_put(c);
		KUNIT_EXPECT_EQ(test, atomic_read(&probe.runs), 0);
	}
}

static void s6_child_of_a_cancelled_parent_is_born_done(struct kunit *test)
{
	struct ctx *p = ct_cancel(test, ctx_background());

	ctx_cancel(p);
	expect_born_done(test, p, -ECANCELED, -ECANCELED);
	ctx_put(p);

	p = ct_cancel(test, ctx_background());
	KUNIT_EXPECT_EQ(test, ctx_cancel_cause(p, -EPIPE), 0);
	expect_born_done(test, p, -ECANCELED, -EPIPE);
	ctx_put(p);
}

static void s6_child_of_an_expired_parent_is_born_done(struct kunit *test)
{
	struct ctx *p = ct_must(test, ctx_with_timeout_cause(ctx_background(), ms_to_ktime(1),
							     -EHOSTDOWN, GFP_KERNEL));

	ct_wait_done(test, p, -ETIMEDOUT);
	expect_born_done(test, p, -ETIMEDOUT, -EHOSTDOWN);
	ctx_put(p);
}

static void s6_done_reaches_the_new_through_every_kind(struct kunit *test)
{
	struct ctx *g = ct_cancel(test, ctx_background());
	struct ctx *p = ct_hour(test, g);
	struct ctx *v = ct_value(test, p, test, test);

	KUNIT_EXPECT_EQ(test, ctx_cancel_cause(g, -EXDEV), 0);
	expect_born_done(test, g, -ECANCELED, -EXDEV);
	expect_born_done(test, p, -ECANCELED, -EXDEV);
	expect_born_done(test, v, -ECANCELED, -EXDEV);
	ctx_put(v);
	ctx_put(p);
	ctx_put(g);
}

static void s6_a_done_parent_wins_over_a_passed_deadline(struct kunit *test)
{
	struct ctx *p = ct_cancel(test, ctx_background());
	struct ctx *c;

	KUNIT_EXPECT_EQ(test, ctx_cancel_cause(p, -EPIPE), 0);
	c = ct_must(test, ctx_with_deadline(p, 0, GFP_KERNEL));
	ct_expect_done(test, c, -ECANCELED, -EPIPE);
	ctx_put(c);
	c = ct_must(test, ctx_with_deadline_cause(p, ktime_sub_ns(ktime_get(), 1), -EIO,
						  GFP_KERNEL));
	ct_expect_done(test, c, -ECANCELED, -EPIPE);
	ctx_put(c);
	c = ct_must(test, ctx_with_timeout_cause(p, -1, -EIO, GFP_KERNEL));
	ct_expect_done(test, c, -ECANCELED, -EPIPE);
	ctx_put(c);
	ctx_put(p);
}

static void s14_without_cancel_keeps_the_values_and_nothing_else(struct kunit *test)
{
	struct ctx *p = ct_must(test, ctx_with_timeout_cause(ctx_background(), ktime_set(60, 0),
							     -EIO, GFP_KERNEL));
	struct ctx *v = ct_value(test, p, test, p);
	struct ctx *c = ct_without(test, v);
	struct ctx *d = ct_without(test, c);
	struct ctx *late;
	ktime_t deadline;

	KUNIT_EXPECT_TRUE(test, ctx_deadline(v, &deadline));
	KUNIT_EXPECT_FALSE(test, ctx_deadline(c, &deadline));
	KUNIT_EXPECT_PTR_EQ(test, ctx_done(c), NULL);
	KUNIT_EXPECT_PTR_EQ(test, ctx_value(c, test), (void *)p);
	ct_expect_live(test, c);

	KUNIT_EXPECT_EQ(test, ctx_cancel_cause(p, -EPIPE), 0);
	ct_expect_done(test, v, -ECANCELED, -EPIPE);
	late = ct_without(test, v);

	ct_expect_live(test, c);
	ct_expect_live(test, d);
	ct_expect_live(test, late);
	KUNIT_EXPECT_PTR_EQ(test, ctx_done(c), NULL);
	KUNIT_EXPECT_PTR_EQ(test, ctx_done(late), NULL);
	KUNIT_EXPECT_FALSE(test, ctx_deadline(late, &deadline));
	KUNIT_EXPECT_PTR_EQ(test, ctx_value(c, test), (void *)p);
	KUNIT_EXPECT_PTR_EQ(test, ctx_value(d, test), (void *)p);
	KUNIT_EXPECT_PTR_EQ(test, ctx_value(late, test), (void *)p);
	ctx_put(late);
	ctx_put(d);
	ctx_put(c);
	ctx_put(v);
	ctx_put(p);
}

static void s14_what_is_derived_from_it_starts_afresh(struct kunit *test)
{
	struct ctx *p = ct_cancel(test, ctx_background());
	struct ctx *w = ct_without(test, p);
	struct ctx *c = ct_cancel(test, w);
	struct ctx *v = ct_value(test, w, test, test);
	struct ctx *t;

	ctx_cancel(p);
	ct_expect_live(test, c);
	ct_expect_live(test, v);
	KUNIT_EXPECT_PTR_EQ(test, ctx_done(v), NULL);
	t = ct_timeout_ms(test, w, 1);
	ct_wait_done(test, t, -ETIMEDOUT);
	ctx_cancel(c);
	ct_expect_done(test, c, -ECANCELED, -ECANCELED);
	ct_expect_live(test, w);
	ctx_put(t);
	ctx_put(v);
	ctx_put(c);
	ctx_put(w);
	ctx_put(p);
}

#ifndef MODULE
static int cause_seen_early;

/* As a driver that is built in, and begins before all those that do with module_init(). */
static int __init derive_early(void)
{
	struct ctx *c = ctx_with_timeout(ctx_background(), ktime_set(3600, 0), GFP_KERNEL);
	struct ctx *child = ctx_with_cancel(c, GFP_KERNEL);

	ctx_cancel_cause(c, -EIO);
	if (!IS_ERR(child))
		cause_seen_early = ctx_cause(child);
	ctx_put(child);
	ctx_put(c);
	return 0;
}
fs_initcall_sync(derive_early);

static void s2_drivers_that_are_built_in_may_derive(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, cause_seen_early, -EIO);
}
#endif

static struct kunit_case derive_cases[] = {
	KUNIT_CASE(s2_null_parent_is_einval),
	KUNIT_CASE(s2_error_parent_is_handed_back),
	KUNIT_CASE(s2_null_and_errors_can_be_put_and_got),
	KUNIT_CASE(s2_a_new_context_is_live_and_its_own),
	KUNIT_CASE(s2_a_child_holds_its_parent),
	KUNIT_CASE(s2_every_kind_holds_every_kind),
	KUNIT_CASE(s2_children_outlive_a_cancelled_parent),
	KUNIT_CASE(s6_child_of_a_cancelled_parent_is_born_done),
	KUNIT_CASE(s6_child_of_an_expired_parent_is_born_done),
	KUNIT_CASE(s6_done_reaches_the_new_through_every_kind),
	KUNIT_CASE(s6_a_done_parent_wins_over_a_passed_deadline),
	KUNIT_CASE(s14_without_cancel_keeps_the_values_and_nothing_else),
	KUNIT_CASE(s14_what_is_derived_from_it_starts_afresh),
#ifndef MODULE
	KUNIT_CASE(s2_drivers_that_are_built_in_may_derive),
#endif
	{ }
};

static struct kunit_suite derive_suite = {
	.name = "ctx_derive",
	.test_cases = derive_cases,
};

kunit_test_suite(derive_suite);
