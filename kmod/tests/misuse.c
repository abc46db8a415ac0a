// SPDX-License-Identifier: GPL-2.0
/* What is reported of who uses contexts wrongly: once, and nothing else comes of it. */
#include "test.h"

/* Who reads the kernel's log is told that a warning of a file is meant. */
static void expect_warning(const char *file)
{
	pr_info("ctx-expect-report: %s:\n", file);
}

/* Whoever gets that memory next, and registers one of his own or not, gets no other. */
static void s12_a_callback_that_was_forgotten(struct kunit *test)
{
	enum { MANY = 8 };
	struct ct_probe forgotten[2], own[MANY];
	struct ctx *c[MANY];
	int round, i;

	expect_warning("tree.c");
	for (round = 0; round < 2; round++) {
		struct ctx *careless = ct_cancel(test, ctx_background());

		ct_probe_add(test, &forgotten[round], careless);
		ctx_put(careless);
		for (i = 0; i < MANY; i++)
			c[i] = ct_cancel(test, ctx_background());
		for (i = 0; i < MANY; i++) {
			if (round)
				ct_probe_add(test, &own[i], c[i]);
			ctx_cancel(c[i]);
			KUNIT_EXPECT_EQ(test, round ? atomic_read(&own[i].runs) : 1, 1);
			ctx_put(c[i]);
		}
		KUNIT_EXPECT_EQ(test, atomic_read(&forgotten[round].runs), 0);
	}
}

static void s12_a_callback_removed_from_another_context(struct kunit *test)
{
	struct ctx *c = ct_cancel(test, ctx_background());
	struct ctx *other = ct_cancel(test, ctx_background());
	struct ct_probe probe;

	/* The other form has a copy of its own, which reports by itself on some machines. */
	expect_warning("callback.c");
	ct_probe_add(test, &probe, c);
	KUNIT_EXPECT_FALSE(test, ctx_callback_remove(other, &probe.cb));
	ctx_cancel(other);
	KUNIT_EXPECT_EQ(test, atomic_read(&probe.runs), 0);
	ctx_cancel(c);
	KUNIT_EXPECT_EQ(test, atomic_read(&probe.runs), 1);
	ctx_put(other);
	ctx_put(c);
}

static void never_fn(struct ctx_after *after)
{
}

static void s13_an_after_func_of_nothing(struct kunit *test)
{
	struct ctx_after after;

	expect_warning("after.c");
	ctx_after_func(NULL, &after, never_fn);
	KUNIT_EXPECT_TRUE(test, ctx_after_stop(&after));
	ctx_after_func(ERR_PTR(-EIO), &after, never_fn);
	KUNIT_EXPECT_TRUE(test, ctx_after_stop_sync(&after));
}

static void sync_fn(struct ctx *ctx, struct ctx_callback *cb)
{
	ctx_cancel_sync(ctx);
}

static void s5_sync_from_a_callback(struct kunit *test)
{
	int i;

	for (i = 0; i < 2; i++) {
		struct ctx *c = ct_cancel(test, ctx_background());
		struct ctx_callback cb;

		KUNIT_ASSERT_EQ(test, ctx_callback_add(c, &cb, sync_fn), 0);
		ctx_cancel(c);
		ctx_put(c);
	}
	KUNIT_EXPECT_EQ(test, ct_said("ctx: ctx_cancel_sync() called from a callback", ""), 1);
}

struct careless {
	struct ctx_after after;
	struct ctx *ctx;
};

static void sync_after_fn(struct ctx_after *after)
{
	ctx_cancel_sync(container_of(after, struct careless, after)->ctx);
}

static void s5_sync_from_an_after_func(struct kunit *test)
{
	int i;

	for (i = 0; i < 2; i++) {
		struct careless careless = { .ctx = ct_cancel(test, ctx_background()) };

		ctx_after_func(careless.ctx, &careless.after, sync_after_fn);
		ctx_cancel_sync(careless.ctx);
		KUNIT_EXPECT_FALSE(test, ctx_after_stop_sync(&careless.after));
		ctx_put(careless.ctx);
	}
	KUNIT_EXPECT_EQ(test, ct_said("ctx: ctx_cancel_sync() called from an after-func", ""), 1);
}

static int wait_inside_fn(struct ctx *ctx, void *data)
{
	struct ctx_group *group = data;

	return ctx_group_wait(group) == -EDEADLK ? 0 : -EIO;
}

static void group_waited_for_by_its_own_thread(struct kunit *test)
{
	struct ctx_group *group = ctx_group_create(ctx_background(), GFP_KERNEL);
	int i;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, group);
	for (i = 0; i < 2; i++) {
		KUNIT_ASSERT_EQ(test, ctx_group_run(group, wait_inside_fn, group, "own"), 0);
		KUNIT_EXPECT_EQ(test, ctx_group_wait(group), 0);
	}
	ctx_group_put(group);
	KUNIT_EXPECT_EQ(test, ct_said("ctx: ctx_group_wait() called from a thread", ""), 1);
}

struct self_made {
	struct ctx_thread *thread;
	struct completion known;
};

static int join_myself_fn(struct ctx *ctx, void *data)
{
	struct self_made *me = data;

	wait_for_completion(&me->known);
	return ctx_thread_join(me->thread) == -EDEADLK ? 0 : -EIO;
}

static void thread_joined_by_itself(struct kunit *test)
{
	struct self_made me;
	int i;

	for (i = 0; i < 2; i++) {
		init_completion(&me.known);
		me.thread = ctx_thread_run(ctx_background(), join_myself_fn, &me, "self");
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, me.thread);
		complete(&me.known);
		KUNIT_EXPECT_EQ(test, ctx_thread_join(me.thread), 0);
	}
	KUNIT_EXPECT_EQ(test, ct_said("ctx: a thread joins itself", ""), 1);
}

static struct kunit_case misuse_cases[] = {
	KUNIT_CASE(s12_a_callback_that_was_forgotten),
	KUNIT_CASE(s12_a_callback_removed_from_another_context),
	KUNIT_CASE(s13_an_after_func_of_nothing),
	KUNIT_CASE(s5_sync_from_a_callback),
	KUNIT_CASE(s5_sync_from_an_after_func),
	KUNIT_CASE(group_waited_for_by_its_own_thread),
	KUNIT_CASE(thread_joined_by_itself),
	{ }
};

static struct kunit_suite misuse_suite = {
	.name = "ctx_misuse",
	.test_cases = misuse_cases,
};

kunit_test_suite(misuse_suite);
