// SPDX-License-Identifier: GPL-2.0
/* The waits, in all their forms, and what ends them; signals.c has what signals do. */
#include "test.h"

static void waits_on_a_done_context_end_at_once(struct kunit *test)
{
	struct ctx *c = ct_cancel(test, ctx_background());
	struct ctx *v = ct_value(test, c, test, test);
	struct ctx *t = ct_must(test, ctx_with_timeout(ctx_background(), 0, GFP_KERNEL));
	struct ct_waiting w;
	int form;

	ctx_cancel_cause(c, -EIO);
	for (form = 0; form < CT_WAITS; form++) {
		ct_waiting_init(&w, c, form);
		KUNIT_EXPECT_EQ_MSG(test, ct_wait_by(&w), -ECANCELED, "%s", ct_wait_names[form]);
		ct_waiting_init(&w, v, form);
		KUNIT_EXPECT_EQ_MSG(test, ct_wait_by(&w), -ECANCELED, "%s", ct_wait_names[form]);
		ct_waiting_init(&w, t, form);
		KUNIT_EXPECT_EQ_MSG(test, ct_wait_by(&w), -ETIMEDOUT, "%s", ct_wait_names[form]);
	}
	ctx_put(t);
	ctx_put(v);
	ctx_put(c);
}

/* Cancelled from here, by an ancestor, through a value and a deadline. */
static void waits_end_when_an_ancestor_is_cancelled(struct kunit *test)
{
	int form, depth;

	for (form = 0; form < CT_WAITS; form++) {
		for (depth = 0; depth < 3; depth++) {
			struct ctx *top = ct_cancel(test, ctx_background());
			struct ctx *mid = ct_hour(test, top);
			struct ctx *leaf = ct_value(test, mid, test, test);
			struct ct_helper helper;
			struct ct_waiting w;

			ct_waiting_init(&w, depth == 0 ? top : depth == 1 ? mid : leaf, form);
			ct_helper_start(test, &helper, ct_waiting_fn, &w);
			KUNIT_EXPECT_TRUE(test, ct_helper_blocked(&helper));
			ctx_cancel(top);
			KUNIT_EXPECT_EQ_MSG(test, ct_helper_join(test, &helper), -ECANCELED,
					    "%s", ct_wait_names[form]);
			ctx_put(leaf);
			ctx_put(mid);
			ctx_put(top);
		}
	}
}

static void waits_end_when_an_ancestor_expires(struct kunit *test)
{
	int form;

	for (form = 0; form < CT_WAITS; form++) {
		struct ctx *top = ct_timeout_ms(test, ctx_background(), 2);
		struct ctx *mid = ct_cancel(test, top);
		struct ctx *leaf = ct_hour(test, mid);
		struct ct_helper helper;
		struct ct_waiting w;

		ct_waiting_init(&w, leaf, form);
		ct_helper_start(test, &helper, ct_waiting_fn, &w);
		KUNIT_EXPECT_EQ_MSG(test, ct_helper_join(test, &helper), -ETIMEDOUT, "%s",
				    ct_wait_names[form]);
		ctx_put(leaf);
		ctx_put(mid);
		ctx_put(top);
	}
}

static int cancel_fn(void *arg)
{
	ctx_cancel(arg);
	return 0;
}

/* The cancellation comes just as the wait begins. */
static void waits_race_with_cancellation(struct kunit *test)
{
	struct ct_partner partner;
	int round;

	ct_partner_start(test, &partner, cancel_fn);
	for (round = 0; round < ct_times(40) * CT_WAITS; round++) {
		struct ctx *c = ct_cancel(test, ctx_background());
		struct ct_waiting w;

		ct_waiting_init(&w, c, round % CT_WAITS);
		ct_partner_go(&partner, c);
		KUNIT_EXPECT_EQ_MSG(test, ct_wait_by(&w), -ECANCELED, "%s", ct_wait_names[w.form]);
		ct_partner_wait(test, &partner);
		ctx_put(c);
	}
	ct_partner_stop(test, &partner);
}

/* Many at once on one context, some of them on its completion. */
static int done_waiter_fn(void *arg)
{
	wait_for_completion(ctx_done(arg));
	return ctx_err(arg);
}

static void waits_of_many_all_end(struct kunit *test)
{
	enum { MANY = 24 };
	struct ctx *p = ct_cancel(test, ctx_background());
	struct ctx *c = ct_cancel(test, p);
	struct ct_helper *helper = kunit_kzalloc(test, MANY * sizeof(*helper), GFP_KERNEL);
	struct ct_waiting *w = kunit_kzalloc(test, MANY * sizeof(*w), GFP_KERNEL);
	int i;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, helper);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, w);
	for (i = 0; i < MANY; i++) {
		ct_waiting_init(&w[i], c, i % CT_WAITS);
		if (i % 3)
			ct_helper_start(test, &helper[i], ct_waiting_fn, &w[i]);
		else
			ct_helper_start(test, &helper[i], done_waiter_fn, c);
	}
	for (i = 0; i < MANY; i++)
		KUNIT_EXPECT_TRUE(test, ct_helper_blocked(&helper[i]));
	ctx_cancel(p);
	for (i = 0; i < MANY; i++)
		KUNIT_EXPECT_EQ(test, ct_helper_join(test, &helper[i]), -ECANCELED);
	ctx_put(c);
	ctx_put(p);
}

static void waits_with_a_time_end_with_it(struct kunit *test)
{
	struct ctx *w_ctx = ct_without(test, ctx_background());
	struct ctx *on[] = { ct_hour(test, ctx_background()), ctx_background(), ctx_todo(), w_ctx };
	int form, i;

	for (form = 0; form < CT_WAITS; form++) {
		for (i = 0; i < ARRAY_SIZE(on) && ct_wait_has_time(form); i++) {
			ktime_t time = ms_to_ktime(3), before = ktime_get();
			struct ct_waiting w;

			ct_waiting_init(&w, on[i], form);
			w.late = time;
			KUNIT_EXPECT_EQ_MSG(test, ct_wait_by(&w), 0, "%s", ct_wait_names[form]);
			/* All of it. */
			KUNIT_EXPECT_GE(test, ktime_sub(ktime_get(), before), time);
			KUNIT_EXPECT_TRUE(test, task_is_running(current));
		}
	}
	ctx_put(on[0]);
	ctx_put(w_ctx);
}

static void waits_without_time_return_at_once(struct kunit *test)
{
	static const s64 none[] = { 0, -1, KTIME_MIN };
	struct ctx *c = ct_cancel(test, ctx_background());
	int form, i, done;

	for (done = 0; done < 2; done++) {
		for (form = 0; form < CT_WAITS; form++) {
			for (i = 0; i < ARRAY_SIZE(none) && ct_wait_has_time(form); i++) {
				struct ct_waiting w;

				ct_waiting_init(&w, c, form);
				w.late = none[i];
				KUNIT_EXPECT_EQ_MSG(test, ct_wait_by(&w), done ? -ECANCELED : 0,
						    "%s", ct_wait_names[form]);
				ct_waiting_init(&w, ctx_background(), form);
				w.late = none[i];
				KUNIT_EXPECT_EQ(test, ct_wait_by(&w), 0);
			}
		}
		ctx_cancel(c);
	}
	ctx_put(c);
}

/* So long that it cannot be added to the present. */
static void waits_of_endless_time_end_by_the_context(struct kunit *test)
{
	static const s64 endless[] = { KTIME_MAX, KTIME_MAX - 1 };
	int form, i;

	for (form = 0; form < CT_WAITS; form++) {
		for (i = 0; i < ARRAY_SIZE(endless) && ct_wait_has_time(form); i++) {
			struct ctx *c = ct_timeout_ms(test, ctx_background(), 3);
			struct ct_waiting w;

			ct_waiting_init(&w, c, form);
			w.late = endless[i];
			KUNIT_EXPECT_EQ_MSG(test, ct_wait_by(&w), -ETIMEDOUT, "%s",
					    ct_wait_names[form]);
			ctx_put(c);
		}
	}
}

static struct kunit_case wait_cases[] = {
	KUNIT_CASE(waits_on_a_done_context_end_at_once),
	KUNIT_CASE(waits_end_when_an_ancestor_is_cancelled),
	KUNIT_CASE(waits_end_when_an_ancestor_expires),
	KUNIT_CASE(waits_race_with_cancellation),
	KUNIT_CASE(waits_of_many_all_end),
	KUNIT_CASE(waits_with_a_time_end_with_it),
	KUNIT_CASE(waits_without_time_return_at_once),
	KUNIT_CASE(waits_of_endless_time_end_by_the_context),
	{ }
};

static struct kunit_suite wait_suite = {
	.name = "ctx_wait",
	.test_cases = wait_cases,
};

kunit_test_suite(wait_suite);
