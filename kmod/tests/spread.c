// SPDX-License-Identifier: GPL-2.0
/*
 * S5, S6, S7 under a parent that several CPUs derive from. To make one of it,
 * this suite looks inside: it holds the parent's lock until another CPU has met
 * with that, and sees it counted. Everything else is as with any parent.
 */
#include "../internal.h"
#include "test.h"

#define CHILDREN	100

static int derive_fn(void *arg)
{
	struct ctx *c = ctx_with_cancel(arg, GFP_KERNEL);

	if (IS_ERR(c))
		return PTR_ERR(c);
	ctx_cancel(c);
	ctx_put(c);
	return 0;
}

static int clashes(const struct ctx_scope *p)
{
	return (READ_ONCE(p->node.flags) & CTX_CLASHES) / CTX_CLASH;
}

/* Holds @p's lock for long enough, sooner or later, for another CPU to meet it. */
static void clash_once(struct kunit *test, struct ct_partner *partner, struct ctx_scope *p)
{
	const int before = clashes(p);
	int round;

	for (round = 1; round < 10000 && clashes(p) == before && !p->spread; round++) {
		raw_spin_lock_irq(&p->own.lock);
		ct_partner_go(partner, &p->node);
		ct_busy_ns(min(round, 200) * 10000);
		raw_spin_unlock_irq(&p->own.lock);
		KUNIT_ASSERT_EQ(test, ct_partner_wait(test, partner), 0);
	}
}

static void clash_by(struct kunit *test, struct ctx_scope *p, int times, int (*fn)(void *arg))
{
	struct ct_partner partner;

	ct_partner_start(test, &partner, fn);
	while (times--)
		clash_once(test, &partner, p);
	ct_partner_stop(test, &partner);
}

static void clash(struct kunit *test, struct ctx_scope *p, int times)
{
	clash_by(test, p, times, derive_fn);
}

/* A live parent whose children are listed by CPU. */
static struct ctx *spread_out(struct kunit *test, struct ctx *above)
{
	struct ctx *p = ct_cancel(test, above);

	clash(test, ctx_scope(p), 16);
	KUNIT_ASSERT_NOT_NULL(test, ctx_scope(p)->spread);
	return p;
}

/* Something of the parent's that tells when it is gone. */
static struct ctx *spread_out_token(struct kunit *test, struct ct_token *token)
{
	struct ctx *v = ct_token_ctx(test, token, ctx_background());
	struct ctx *p = spread_out(test, v);

	ctx_put(v);
	return p;
}

struct brood {
	struct ctx *p;
	struct ctx *of[CHILDREN];
};

static int breed_fn(void *arg)
{
	struct brood *brood = arg;
	int i;

	for (i = 0; i < CHILDREN; i++)
		brood->of[i] = ctx_with_cancel(brood->p, GFP_KERNEL);
	return 0;
}

/* Children made on one CPU, and so on one list. */
static void breed(struct kunit *test, struct brood *brood, struct ctx *p, unsigned int cpu)
{
	struct ct_helper helper;
	int i;

	brood->p = p;
	ct_helper_start_on(test, &helper, breed_fn, brood, cpu);
	ct_helper_join(test, &helper);
	for (i = 0; i < CHILDREN; i++)
		ct_must(test, brood->of[i]);
}

static void put_all(struct brood *brood)
{
	int i;

	for (i = 0; i < CHILDREN; i++)
		ctx_put(brood->of[i]);
}

static struct brood *new_broods(struct kunit *test, struct ctx *p)
{
	struct brood *broods = kunit_kcalloc(test, 2, sizeof(*broods), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, broods);
	breed(test, &broods[0], p, 0);
	breed(test, &broods[1], p, 1);
	return broods;
}

static void s5_clashing_spreads_a_parent(struct kunit *test)
{
	struct ctx *p = ct_cancel(test, ctx_background());

	clash(test, ctx_scope(p), 15);
	KUNIT_EXPECT_EQ(test, clashes(ctx_scope(p)), 15);
	KUNIT_EXPECT_NULL(test, ctx_scope(p)->spread);
	clash(test, ctx_scope(p), 1);
	KUNIT_EXPECT_NOT_NULL(test, ctx_scope(p)->spread);
	ctx_cancel(p);
	ctx_put(p);
}

static void s5_children_on_every_list_are_reached(struct kunit *test)
{
	struct ctx *p = spread_out(test, ctx_background());
	struct brood *broods = new_broods(test, p);
	int i;

	KUNIT_EXPECT_NE(test, broods[0].of[0]->nest, broods[1].of[0]->nest);
	ctx_cancel_cause(p, -EREMOTE);
	for (i = 0; i < CHILDREN; i++) {
		ct_expect_done(test, broods[0].of[i], -ECANCELED, -EREMOTE);
		ct_expect_done(test, broods[1].of[i], -ECANCELED, -EREMOTE);
	}
	put_all(&broods[0]);
	put_all(&broods[1]);
	ctx_put(p);
}

static void s5_from_above_and_with_what_hangs_below(struct kunit *test)
{
	struct ctx *top = ct_cancel(test, ctx_background());
	struct ctx *p = spread_out(test, top);
	struct brood *broods = new_broods(test, p);
	struct ctx *leaf = ct_cancel(test, broods[1].of[0]);
	struct ct_probe probe;

	ct_probe_add(test, &probe, broods[0].of[1]);
	ctx_cancel_sync(top);
	KUNIT_EXPECT_EQ(test, atomic_read(&probe.runs), 1);
	ct_expect_done(test, leaf, -ECANCELED, -ECANCELED);
	ct_expect_done(test, broods[0].of[CHILDREN - 1], -ECANCELED, -ECANCELED);
	ctx_put(leaf);
	put_all(&broods[0]);
	put_all(&broods[1]);
	ctx_put(p);
	ctx_put(top);
}

static void s4_a_child_leaves_its_list_alone(struct kunit *test)
{
	struct ctx *p = spread_out(test, ctx_background());
	struct brood *broods = new_broods(test, p);

	ctx_cancel(broods[0].of[0]);
	ctx_cancel(broods[1].of[CHILDREN / 2]);
	ct_expect_live(test, p);
	ct_expect_live(test, broods[0].of[1]);
	ct_expect_live(test, broods[1].of[CHILDREN / 2 + 1]);
	put_all(&broods[0]);
	put_all(&broods[1]);
	ct_expect_live(test, p);
	ctx_put(p);
}

static void s6_born_done_under_it(struct kunit *test)
{
	struct ct_token token;
	struct ctx *p = spread_out_token(test, &token);
	struct brood *broods;

	ctx_cancel_cause(p, -EREMOTE);
	broods = new_broods(test, p);
	ct_expect_done(test, broods[0].of[0], -ECANCELED, -EREMOTE);
	ct_expect_done(test, broods[1].of[0], -ECANCELED, -EREMOTE);
	put_all(&broods[0]);
	ctx_put(p);
	put_all(&broods[1]);
	ct_token_gone(test, &token);
}

/* Puts the broods 0 and 1 and the parent: who goes last takes it with him. */
enum { PARENT = 2, PUTS };

static void put_in_order(struct kunit *test, const int order[PUTS])
{
	struct ct_token token;
	struct ctx *p = spread_out_token(test, &token);
	struct brood *broods = new_broods(test, p);
	int i;

	for (i = 0; i < PUTS; i++) {
		if (i == PUTS - 1) {
			ctx_barrier();
			KUNIT_EXPECT_EQ(test, atomic_read(&token.released), 0);
			ct_expect_live(test, order[i] == PARENT ? p : broods[order[i]].of[0]);
		}
		if (order[i] == PARENT)
			ctx_put(p);
		else
			put_all(&broods[order[i]]);
	}
	ct_token_gone(test, &token);
}

static void s7_the_parent_first(struct kunit *test)
{
	put_in_order(test, (const int[]){ PARENT, 0, 1 });
}

static void s7_the_parent_last(struct kunit *test)
{
	put_in_order(test, (const int[]){ 1, 0, PARENT });
}

static void s7_the_parent_in_between(struct kunit *test)
{
	put_in_order(test, (const int[]){ 1, PARENT, 0 });
}

/* A reference on the parent, found through a child, when all others are gone. */
static void s7_a_parent_that_is_found_again(struct kunit *test)
{
	struct ct_token token;
	struct ctx *p = spread_out_token(test, &token);
	struct ctx *c = ct_cancel(test, p), *late;
	struct ctx_origin origin;
	int i;

	ctx_cancel(p);
	ctx_put(p);
	for (i = 0; i < 3; i++) {
		KUNIT_ASSERT_EQ(test, ctx_origin(c, &origin), 0);
		KUNIT_ASSERT_PTR_EQ(test, origin.ctx, p);
		ctx_get(p);
		late = ct_cancel(test, p);
		ctx_put(p);
		ct_expect_done(test, late, -ECANCELED, -ECANCELED);
		ctx_put(c);
		c = late;
	}
	ctx_barrier();
	KUNIT_EXPECT_EQ(test, atomic_read(&token.released), 0);
	ctx_put(c);
	ct_token_gone(test, &token);
}

/* Children that hold no reference on it themselves, but on what is between. */
static void s7_below_a_value(struct kunit *test)
{
	struct ct_token token;
	struct ctx *p = spread_out_token(test, &token);
	struct ctx *v = ct_value(test, p, test, test);
	struct brood *broods = new_broods(test, v);

	ctx_put(v);
	put_all(&broods[0]);
	ctx_cancel(p);
	ct_expect_done(test, broods[1].of[7], -ECANCELED, -ECANCELED);
	ctx_put(p);
	put_all(&broods[1]);
	ct_token_gone(test, &token);
}

/* One that is not spread may have as many references as stand for a spread one's. */
static void s7_with_the_bias_in_references(struct kunit *test)
{
	struct ctx *those[] = {
		ct_cancel(test, ctx_background()),
		ct_value(test, ctx_background(), test, test),
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(those); i++) {
		refcount_set(&those[i]->ref, CTX_SPREAD_BIAS + 1);
		ctx_put(those[i]);
		KUNIT_EXPECT_EQ(test, refcount_read(&those[i]->ref), CTX_SPREAD_BIAS);
		refcount_set(&those[i]->ref, 1);
		ctx_put(those[i]);
	}
}

#define CROWD	64

struct crowd {
	struct ctx *p;
	atomic_t *gate;
	struct ctx *live[CROWD];	/* the last that were not done at birth */
	unsigned int n;
	unsigned int bad;
};

/* Some are cancelled, and all but the last are put at once. */
static int crowd_fn(void *arg)
{
	struct crowd *crowd = arg;
	unsigned int after = 0;

	atomic_dec(crowd->gate);
	ct_spin_until(!atomic_read(crowd->gate));
	/* Until it was born done a few times. */
	while (after < 3) {
		struct ctx *c = ctx_with_cancel(crowd->p, GFP_KERNEL);

		if (IS_ERR(c))
			return PTR_ERR(c);
		if (ctx_is_done(c)) {
			after++;
			ctx_put(c);
			continue;
		}
		crowd->bad += after;
		if (crowd->n & 1)
			ctx_cancel(c);
		swap(c, crowd->live[crowd->n % CROWD]);
		crowd->n++;
		ctx_put(c);
	}
	ctx_put(crowd->p);
	return 0;
}

static void expect_all_done(struct kunit *test, struct crowd *crowd)
{
	int i;

	KUNIT_EXPECT_EQ(test, crowd->bad, 0);
	for (i = 0; i < CROWD && crowd->live[i]; i++) {
		KUNIT_EXPECT_EQ(test, ctx_err(crowd->live[i]), -ECANCELED);
		ctx_put(crowd->live[i]);
	}
}

static void crowd_and_cancel(struct kunit *test, struct crowd *crowds, struct ctx *p, int ns)
{
	atomic_t gate = ATOMIC_INIT(3);
	struct ct_helper helpers[2];
	int i;

	for (i = 0; i < 2; i++) {
		crowds[i].p = ctx_get(p);
		crowds[i].gate = &gate;
		ct_helper_start_on(test, &helpers[i], crowd_fn, &crowds[i], i);
	}
	atomic_dec(&gate);
	ct_spin_until(!atomic_read(&gate));
	ct_busy_ns(ns);
	ctx_cancel(p);
	ctx_put(p);
	for (i = 0; i < 2; i++)
		KUNIT_EXPECT_EQ(test, ct_helper_join(test, &helpers[i]), 0);
}

/* Derivation from two CPUs and cancellation: what was listed last is done as well. */
static void s5_deriving_races_with_cancelling(struct kunit *test)
{
	struct crowd *crowds = kunit_kcalloc(test, 2, sizeof(*crowds), GFP_KERNEL);
	int round, i;

	KUNIT_ASSERT_NOT_NULL(test, crowds);
	for (round = 0; round < ct_times(50); round++) {
		struct ct_token token;
		struct ctx *p = spread_out_token(test, &token);
		struct ctx *held = ct_cancel(test, p);

		memset(crowds, 0, 2 * sizeof(*crowds));
		crowd_and_cancel(test, crowds, p, round * 500);
		ct_expect_done(test, held, -ECANCELED, -ECANCELED);
		ctx_put(held);
		for (i = 0; i < 2; i++)
			expect_all_done(test, &crowds[i]);
		ct_token_gone(test, &token);
	}
}

/* There is nothing to be seen where nobody can meet with a lock that is taken. */
static int needs_two_cpus(struct kunit *test)
{
	if (num_online_cpus() < 2)
		kunit_skip(test, "one CPU does not clash with anyone");
	return 0;
}

/* S15: it may be linked when nothing is below it, as any other. */
static void s15_linked_when_its_children_are_gone(struct kunit *test)
{
	struct ctx *p = spread_out(test, ctx_background());
	struct ctx *other = ct_cancel(test, ctx_background());
	struct brood *broods = new_broods(test, p);
	struct ctx_link link;

	KUNIT_EXPECT_EQ(test, ctx_link(p, other, &link), -EBUSY);
	put_all(&broods[0]);
	KUNIT_EXPECT_EQ(test, ctx_link(p, other, &link), -EBUSY);
	put_all(&broods[1]);
	ctx_get(p);
	KUNIT_EXPECT_EQ(test, ctx_link(p, other, &link), -EBUSY);
	ctx_put(p);
	KUNIT_EXPECT_EQ(test, ctx_link(p, other, &link), 0);
	ctx_cancel(other);
	ct_expect_done(test, p, -ECANCELED, -ECANCELED);
	ctx_put(p);
	ctx_put(other);
}

/* S15: one that is linked is spread as any other. */
static void s15_a_linked_parent_is_spread(struct kunit *test)
{
	struct ctx *p = ct_cancel(test, ctx_background());
	struct ctx *other = ct_cancel(test, ctx_background());
	struct brood *broods;
	struct ctx_link link;
	int i;

	KUNIT_ASSERT_EQ(test, ctx_link(p, other, &link), 0);
	clash(test, ctx_scope(p), 16);
	KUNIT_ASSERT_NOT_NULL(test, ctx_scope(p)->spread);
	broods = new_broods(test, p);
	ctx_cancel(other);
	for (i = 0; i < CHILDREN; i++) {
		KUNIT_EXPECT_EQ(test, ctx_err(broods[0].of[i]), -ECANCELED);
		KUNIT_EXPECT_EQ(test, ctx_err(broods[1].of[i]), -ECANCELED);
	}
	ctx_cancel_sync(other);
	put_all(&broods[0]);
	put_all(&broods[1]);
	ctx_put(p);
	ctx_put(other);
}

#ifdef CONFIG_FAULT_INJECTION
static unsigned int failing_nth;

/* The first allocation is that of the context itself. */
static int derive_failing_fn(void *arg)
{
	int err;

	ct_fail_from(failing_nth);
	err = derive_fn(arg);
	ct_fail_end();
	return err;
}

/* Done without, until there is memory. */
static void s2_a_parent_that_cannot_be_spread(struct kunit *test)
{
	int failures = 0;

	ct_fail_begin(test);
	for (failing_nth = 2; failing_nth < 6; failing_nth++) {
		struct ctx *p = ct_cancel(test, ctx_background()), *c;

		clash_by(test, ctx_scope(p), 16, derive_failing_fn);
		if (!ctx_scope(p)->spread) {
			failures++;
			KUNIT_EXPECT_EQ(test, clashes(ctx_scope(p)), 0);
			c = ct_cancel(test, p);
			clash(test, ctx_scope(p), 16);
			KUNIT_EXPECT_NOT_NULL(test, ctx_scope(p)->spread);
			ctx_cancel_cause(p, -EREMOTE);
			ct_expect_done(test, c, -ECANCELED, -EREMOTE);
			ctx_put(c);
		}
		ctx_put(p);
	}
	KUNIT_EXPECT_GE(test, failures, 1);
}

static void spread_exit(struct kunit *test)
{
	ct_fail_over(test);
}
#endif

static struct kunit_case spread_cases[] = {
	KUNIT_CASE(s5_clashing_spreads_a_parent),
	KUNIT_CASE(s5_children_on_every_list_are_reached),
	KUNIT_CASE(s5_from_above_and_with_what_hangs_below),
	KUNIT_CASE(s4_a_child_leaves_its_list_alone),
	KUNIT_CASE(s6_born_done_under_it),
	KUNIT_CASE(s7_the_parent_first),
	KUNIT_CASE(s7_the_parent_last),
	KUNIT_CASE(s7_the_parent_in_between),
	KUNIT_CASE(s7_a_parent_that_is_found_again),
	KUNIT_CASE(s7_below_a_value),
	KUNIT_CASE(s7_with_the_bias_in_references),
	KUNIT_CASE_SLOW(s5_deriving_races_with_cancelling),
	KUNIT_CASE(s15_linked_when_its_children_are_gone),
	KUNIT_CASE(s15_a_linked_parent_is_spread),
#ifdef CONFIG_FAULT_INJECTION
	KUNIT_CASE(s2_a_parent_that_cannot_be_spread),
#endif
	{ }
};

static struct kunit_suite spread_suite = {
	.name = "ctx_spread",
	.init = needs_two_cpus,
#ifdef CONFIG_FAULT_INJECTION
	.exit = spread_exit,
#endif
	.test_cases = spread_cases,
};

kunit_test_suite(spread_suite);
