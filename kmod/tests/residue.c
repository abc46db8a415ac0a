// SPDX-License-Identifier: GPL-2.0
/*
 * S7: nothing is left behind. What these leave behind after all is also found
 * when the module is unloaded, which reports every context that remains.
 */
#include <linux/mm.h>
#include <linux/rcupdate.h>

#include "test.h"

static long slab_bytes(void)
{
	ctx_barrier();
	rcu_barrier();
	return global_node_page_state_pages(NR_SLAB_UNRECLAIMABLE_B) * PAGE_SIZE;
}

/*
 * The least that could be left is 64 bytes a round. Under KASAN what was freed
 * stays in quarantine for a while, so there it cannot be told apart.
 */
static void expect_no_growth(struct kunit *test, long before, unsigned int rounds)
{
	long limit = rounds * 32L + (2 << 20);

	if (!IS_ENABLED(CONFIG_KASAN))
		KUNIT_EXPECT_LT(test, slab_bytes() - before, limit);
}

static void residue(struct kunit *test, enum ct_form form, bool cancels, unsigned int rounds)
{
	struct ctx *p = ct_cancel(test, ctx_background());
	long before = slab_bytes();
	unsigned int i;

	for (i = 0; i < rounds; i++) {
		struct ctx *c = ct_derive(form, p, GFP_KERNEL);

		if (cancels)
			ctx_cancel(c);
		ctx_put(c);
		if (i % 1024 == 0)
			cond_resched();
	}
	expect_no_growth(test, before, rounds);
	ct_expect_live(test, p);
	ctx_cancel_sync(p);
	ctx_put(p);
}

static void s7_derive_cancel_put_leaves_nothing(struct kunit *test)
{
	residue(test, CT_CANCEL, true, ct_rounds);
}

static void s7_derive_put_leaves_nothing(struct kunit *test)
{
	residue(test, CT_CANCEL, false, ct_rounds / 2);
}

static void s7_timeout_cancel_put_leaves_nothing(struct kunit *test)
{
	residue(test, CT_TIMEOUT, true, ct_rounds / 2);
	residue(test, CT_TIMEOUT, false, ct_rounds / 2);
}

static void s7_the_other_kinds_leave_nothing(struct kunit *test)
{
	residue(test, CT_VALUE, false, ct_rounds / 4);
	residue(test, CT_WITHOUT, false, ct_rounds / 4);
	residue(test, CT_DEADLINE_CAUSE, true, ct_rounds / 4);
}

static void s7_children_of_the_done_leave_nothing(struct kunit *test)
{
	const unsigned int rounds = ct_rounds / 4;
	struct ctx *p = ct_cancel(test, ctx_background());
	long before = slab_bytes();
	unsigned int i;

	ctx_cancel(p);
	for (i = 0; i < rounds; i++) {
		ctx_put(ct_derive(i % CT_FORMS, p, GFP_KERNEL));
		if (i % 1024 == 0)
			cond_resched();
	}
	expect_no_growth(test, before, rounds);
	ctx_put(p);
}

/* Cancelled from above, with grandchildren that are held longer than it. */
static void s7_subtrees_leave_nothing(struct kunit *test)
{
	const unsigned int rounds = ct_rounds / 8;
	struct ctx *p = ct_cancel(test, ctx_background());
	long before = slab_bytes();
	unsigned int i;

	for (i = 0; i < rounds; i++) {
		struct ctx *c = ct_cancel(test, p);
		struct ctx *g = ct_hour(test, c);
		struct ctx *v = ct_value(test, g, test, test);
		struct ctx *l = ct_cancel(test, v);
		struct ct_probe probe;

		if (i % 4 == 0)
			ct_probe_add(test, &probe, l);
		ctx_put(v);
		if (i % 2)
			ctx_cancel(g);
		ctx_cancel(c);
		ctx_put(c);
		ctx_put(g);
		ctx_put(l);
		if (i % 1024 == 0)
			cond_resched();
	}
	expect_no_growth(test, before, rounds);
	ctx_put(p);
}

static void never_fn(struct ctx_after *after)
{
}

static void s7_asking_and_waiting_leaves_nothing(struct kunit *test)
{
	const unsigned int rounds = ct_rounds / 8;
	long before = slab_bytes();
	unsigned int i;

	for (i = 0; i < rounds; i++) {
		struct ctx *c = ct_hour(test, ctx_background());
		struct ctx_callback cb;
		struct ctx_after after;
		struct ctx_origin origin;

		ctx_done(c);
		ctx_callback_add(c, &cb, ct_probe_fn);
		ctx_callback_remove(c, &cb);
		ctx_after_func(c, &after, never_fn);
		ctx_after_stop(&after);
		ctx_wait_timeout(c, 0);
		ctx_cancel(c);
		ctx_origin(c, &origin);
		ctx_wait(c);
		ctx_put(c);
		if (i % 1024 == 0)
			cond_resched();
	}
	expect_no_growth(test, before, rounds);
}

/* Nothing waits for the hour to pass. */
static void s7_the_last_put_disarms_the_timer_and_frees(struct kunit *test)
{
	enum { N = 200 };
	struct ct_token token;
	struct ctx *v = ct_token_ctx(test, &token, ctx_background());
	int i;

	for (i = 0; i < N; i++) {
		struct ctx *t = ct_hour(test, v);

		if (i % 3 == 1)
			ctx_put(ct_hour(test, t));
		if (i % 3 == 2)
			ctx_cancel(t);
		ctx_put(t);
	}
	KUNIT_EXPECT_EQ(test, atomic_read(&token.released), 0);
	ctx_put(v);
	ct_token_gone(test, &token);
}

static void s7_the_expired_are_freed(struct kunit *test)
{
	struct ct_token token;
	struct ctx *v = ct_token_ctx(test, &token, ctx_background());
	int i;

	for (i = 0; i < 20; i++) {
		struct ctx *t = ct_timeout_ms(test, v, 1);
		struct ctx *c = ct_cancel(test, t);

		ct_wait_done(test, c, -ETIMEDOUT);
		ctx_put(t);
		ctx_put(c);
	}
	KUNIT_EXPECT_EQ(test, atomic_read(&token.released), 0);
	ctx_put(v);
	ct_token_gone(test, &token);
}

static struct kunit_case residue_cases[] = {
	KUNIT_CASE_SLOW(s7_derive_cancel_put_leaves_nothing),
	KUNIT_CASE(s7_derive_put_leaves_nothing),
	KUNIT_CASE_SLOW(s7_timeout_cancel_put_leaves_nothing),
	KUNIT_CASE(s7_the_other_kinds_leave_nothing),
	KUNIT_CASE(s7_children_of_the_done_leave_nothing),
	KUNIT_CASE_SLOW(s7_subtrees_leave_nothing),
	KUNIT_CASE_SLOW(s7_asking_and_waiting_leaves_nothing),
	KUNIT_CASE(s7_the_last_put_disarms_the_timer_and_frees),
	KUNIT_CASE(s7_the_expired_are_freed),
	{ }
};

static struct kunit_suite residue_suite = {
	.name = "ctx_residue",
	.test_cases = residue_cases,
};

kunit_test_suite(residue_suite);
