// SPDX-License-Identifier: GPL-2.0
/* S1: the two roots. */
#include "test.h"

static struct ctx *root_of(int i)
{
	return i ? ctx_todo() : ctx_background();
}

static void s1_roots_are_two_and_static(struct kunit *test)
{
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ctx_background());
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ctx_todo());
	KUNIT_EXPECT_PTR_NE(test, ctx_background(), ctx_todo());
	KUNIT_EXPECT_PTR_EQ(test, ctx_background(), ctx_background());
	KUNIT_EXPECT_PTR_EQ(test, ctx_todo(), ctx_todo());
}

static void expect_pristine(struct kunit *test, struct ctx *root)
{
	ktime_t deadline = 0;

	ct_expect_live(test, root);
	KUNIT_EXPECT_PTR_EQ(test, ctx_done(root), NULL);
	KUNIT_EXPECT_FALSE(test, ctx_deadline(root, &deadline));
	KUNIT_EXPECT_PTR_EQ(test, ctx_value(root, test), NULL);
	KUNIT_EXPECT_PTR_EQ(test, ctx_value(root, NULL), NULL);
}

static void s1_roots_are_never_done(struct kunit *test)
{
	expect_pristine(test, ctx_background());
	expect_pristine(test, ctx_todo());
}

static void s1_get_and_put_do_nothing(struct kunit *test)
{
	int i, n;

	for (i = 0; i < 2; i++) {
		struct ctx *root = root_of(i);

		KUNIT_EXPECT_PTR_EQ(test, ctx_get(root), root);
		/* Far below zero, if it were counted. */
		for (n = 0; n < 1000; n++)
			ctx_put(root);
		for (n = 0; n < 1000; n++)
			ctx_put(ct_cancel(test, root));
		expect_pristine(test, root);
	}
}

static void s1_cancel_does_nothing(struct kunit *test)
{
	int i;

	for (i = 0; i < 2; i++) {
		struct ctx *root = root_of(i);
		struct ctx *child = ct_cancel(test, root);
		struct ctx *value = ct_value(test, root, test, test);
		struct ct_probe probe;

		ct_probe_add(test, &probe, root);
		ctx_cancel(root);
		ctx_cancel_async(root);
		ctx_cancel_sync(root);
		KUNIT_EXPECT_EQ(test, ctx_cancel_cause(root, -EIO), 0);
		KUNIT_EXPECT_EQ(test, ctx_cancel_cause(root, 1), -EINVAL);
		/* Whatever they might have left to a worker. */
		ctx_barrier();

		expect_pristine(test, root);
		ct_expect_live(test, child);
		ct_expect_live(test, value);
		KUNIT_EXPECT_EQ(test, atomic_read(&probe.runs), 0);
		KUNIT_EXPECT_TRUE(test, ctx_callback_remove(root, &probe.cb));
		ctx_put(value);
		ctx_put(child);
	}
}

static void s1_cancelled_children_leave_the_roots_alone(struct kunit *test)
{
	int i, form;

	for (i = 0; i < 2; i++) {
		for (form = 0; form < CT_FORMS; form++) {
			struct ctx *c = ct_must(test, ct_derive(form, root_of(i), GFP_KERNEL));

			ctx_cancel(c);
			ctx_put(c);
		}
		expect_pristine(test, root_of(i));
	}
}

static void s1_roots_are_printed_by_name(struct kunit *test)
{
	char buf[32];

	KUNIT_EXPECT_EQ(test, ctx_describe(ctx_background(), buf, sizeof(buf)), 10);
	KUNIT_EXPECT_STREQ(test, buf, "background");
	KUNIT_EXPECT_EQ(test, ctx_describe(ctx_todo(), buf, sizeof(buf)), 4);
	KUNIT_EXPECT_STREQ(test, buf, "todo");
}

static struct kunit_case roots_cases[] = {
	KUNIT_CASE(s1_roots_are_two_and_static),
	KUNIT_CASE(s1_roots_are_never_done),
	KUNIT_CASE(s1_get_and_put_do_nothing),
	KUNIT_CASE(s1_cancel_does_nothing),
	KUNIT_CASE(s1_cancelled_children_leave_the_roots_alone),
	KUNIT_CASE(s1_roots_are_printed_by_name),
	{ }
};

static struct kunit_suite roots_suite = {
	.name = "ctx_roots",
	.test_cases = roots_cases,
};

kunit_test_suite(roots_suite);
