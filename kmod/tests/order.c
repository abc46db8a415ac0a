// SPDX-License-Identifier: GPL-2.0
/* S5, S16: in which order a tree becomes done, and what is complete when. */
#include "test.h"

#define DEPTH	6

struct chain {
	struct ctx *c[DEPTH];
	struct ctx *leaf;	/* a value below the last */
};

/* @top is given away. */
static void chain_make(struct kunit *test, struct chain *chain, struct ctx *top)
{
	chain->c[0] = top;
	chain->c[1] = ct_cancel(test, chain->c[0]);
	chain->c[2] = ct_hour(test, chain->c[1]);
	chain->c[3] = ct_value(test, chain->c[2], test, test);
	chain->c[4] = ct_cancel(test, chain->c[3]);
	chain->c[5] = ct_hour(test, chain->c[4]);
	chain->leaf = ct_value(test, chain->c[5], test, test);
}

static void chain_put(struct chain *chain)
{
	int i;

	for (i = 0; i < DEPTH; i++)
		ctx_put(chain->c[i]);
	ctx_put(chain->leaf);
}

/* From the leaf up: once something is done, so is all above it. */
static bool chain_in_order(struct chain *chain)
{
	bool done = ctx_err(chain->leaf);
	int i;

	for (i = DEPTH - 1; i >= 0; i--) {
		bool above = ctx_err(chain->c[i]);

		if (done && !above)
			return false;
		done = above;
	}
	return true;
}

struct observer {
	struct chain *chain;
	atomic_t ready;
	bool disorder;
};

static int observe_fn(void *arg)
{
	struct observer *observer = arg;

	atomic_set(&observer->ready, 1);
	ct_spin_until((observer->disorder |= !chain_in_order(observer->chain)) ||
		      ctx_err(observer->chain->leaf));
	return 0;
}

/* Without @cancel it is left to a deadline. */
static void observe(struct kunit *test, void (*cancel)(struct ctx *ctx))
{
	struct ct_partner partner;
	int round;

	ct_partner_start(test, &partner, observe_fn);
	for (round = 0; round < ct_times(200); round++) {
		struct observer observer = { };
		struct chain chain;

		chain_make(test, &chain, cancel ? ct_cancel(test, ctx_background()) :
						  ct_timeout_ms(test, ctx_background(), 1));
		observer.chain = &chain;
		ct_partner_go(&partner, &observer);
		ct_spin_until(atomic_read(&observer.ready));
		if (cancel)
			cancel(chain.c[0]);
		KUNIT_EXPECT_EQ(test, ct_partner_wait(test, &partner), 0);
		KUNIT_EXPECT_FALSE(test, observer.disorder);
		KUNIT_EXPECT_NE(test, ctx_err(chain.leaf), 0);
		chain_put(&chain);
	}
	ct_partner_stop(test, &partner);
}

static void s5_ancestors_are_done_first_on_cancel(struct kunit *test)
{
	observe(test, ctx_cancel);
}

static void s5_ancestors_are_done_first_on_async_cancel(struct kunit *test)
{
	observe(test, ctx_cancel_async);
}

static void s5_ancestors_are_done_first_on_sync_cancel(struct kunit *test)
{
	observe(test, ctx_cancel_sync);
}

static void s5_ancestors_are_done_first_on_expiry(struct kunit *test)
{
	observe(test, NULL);
}

struct upward {
	struct ctx_callback cb;
	struct chain *chain;
	int *bad;
	int depth;
};

/* Who runs because of an ancestor sees every ancestor done. */
static void upward_fn(struct ctx *ctx, struct ctx_callback *cb)
{
	struct upward *upward = container_of(cb, struct upward, cb);
	int i;

	for (i = 0; i <= upward->depth; i++)
		*upward->bad += !ctx_err(upward->chain->c[i]);
}

static void s5_callbacks_see_every_ancestor_done(struct kunit *test)
{
	struct upward upward[DEPTH];
	struct chain chain;
	int i, bad = 0;

	chain_make(test, &chain, ct_cancel(test, ctx_background()));
	for (i = 0; i < DEPTH; i++) {
		upward[i] = (struct upward) { .chain = &chain, .bad = &bad, .depth = i };
		KUNIT_ASSERT_EQ(test, ctx_callback_add(chain.c[i], &upward[i].cb, upward_fn), 0);
	}
	ctx_cancel_sync(chain.c[0]);
	KUNIT_EXPECT_EQ(test, bad, 0);
	chain_put(&chain);
}

#define WIDTH	40

/* Three levels of WIDTH children each but for the last, and a value between. */
static void bush_make(struct kunit *test, struct ctx *top, struct ctx **node)
{
	int i;

	for (i = 0; i < WIDTH * 4; i++) {
		struct ctx *p = i < WIDTH ? top : node[i - WIDTH];

		node[i] = i / WIDTH == 2 ? ct_value(test, p, test, test) :
			  i % 3 ? ct_cancel(test, p) : ct_hour(test, p);
	}
}

static int bush_live(struct ctx **node)
{
	int i, live = 0;

	for (i = 0; i < WIDTH * 4; i++)
		live += ctx_err(node[i]) != -ECANCELED;
	return live;
}

static void s5_all_is_done_when_the_winner_returns(struct kunit *test)
{
	struct ctx **node = kunit_kzalloc(test, WIDTH * 4 * sizeof(*node), GFP_KERNEL);
	struct ct_probe *probe = kunit_kzalloc(test, WIDTH * 4 * sizeof(*probe), GFP_KERNEL);
	int how, i;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, node);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, probe);
	for (how = 0; how < 3; how++) {
		struct ctx *top = ct_cancel(test, ctx_background());
		int ran = 0;

		bush_make(test, top, node);
		for (i = 0; i < WIDTH * 4; i++)
			ct_probe_add(test, &probe[i], node[i]);
		if (how == 0)
			ctx_cancel(top);
		else if (how == 1)
			KUNIT_EXPECT_EQ(test, ctx_cancel_cause(top, -EIO), 0);
		else
			ctx_cancel_sync(top);
		KUNIT_EXPECT_EQ(test, bush_live(node), 0);
		/* Its callbacks too, in its own context: it has no budget. */
		for (i = 0; i < WIDTH * 4; i++)
			ran += atomic_read(&probe[i].runs) == 1 && probe[i].task == current;
		KUNIT_EXPECT_EQ(test, ran, WIDTH * 4);
		for (i = 0; i < WIDTH * 4; i++)
			ctx_put(node[i]);
		ctx_put(top);
	}
}

struct other {
	struct ctx *ctx;
	bool sync;
};

static int other_cancel_fn(void *arg)
{
	struct other *other = arg;

	if (other->sync)
		ctx_cancel_sync(other->ctx);
	else
		ctx_cancel(other->ctx);
	return 0;
}

/* A branch or the whole is cancelled at the same time; sync waits for all of it. */
static void s5_sync_is_complete_whoever_won(struct kunit *test)
{
	struct ctx **node = kunit_kzalloc(test, WIDTH * 4 * sizeof(*node), GFP_KERNEL);
	struct ct_partner partner;
	int round, i;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, node);
	ct_partner_start(test, &partner, other_cancel_fn);
	for (round = 0; round < ct_times(150); round++) {
		struct ctx *top = ct_cancel(test, ctx_background());
		struct other other = { .sync = round % 2 };

		bush_make(test, top, node);
		other.ctx = round % 3 ? node[round % WIDTH] : top;
		ct_partner_go(&partner, &other);
		if (round % 4 == 3)
			ctx_cancel_async(top);
		ctx_cancel_sync(top);
		KUNIT_EXPECT_EQ(test, bush_live(node), 0);
		ct_partner_wait(test, &partner);
		for (i = 0; i < WIDTH * 4; i++)
			ctx_put(node[i]);
		ctx_put(top);
	}
	ct_partner_stop(test, &partner);
}

static void s5_async_leaves_the_rest_to_a_worker(struct kunit *test)
{
	struct ctx *p = ct_cancel(test, ctx_background());
	struct ctx *c = ct_cancel(test, p);
	struct ctx *g = ct_hour(test, c);
	struct ct_probe probe[2];

	ct_probe_add(test, &probe[0], c);
	ct_probe_add(test, &probe[1], g);
	ctx_cancel_async(p);
	KUNIT_EXPECT_EQ(test, ctx_err(p), -ECANCELED);
	ct_wait_done(test, g, -ECANCELED);
	ct_wait_for(test, &probe[0].ran);
	ct_wait_for(test, &probe[1].ran);
	KUNIT_EXPECT_EQ(test, (int)probe[0].where, (int)CT_WORKER);
	KUNIT_EXPECT_EQ(test, (int)probe[1].where, (int)CT_WORKER);
	ctx_cancel_sync(p);
	ct_expect_done(test, g, -ECANCELED, -ECANCELED);
	ctx_put(g);
	ctx_put(c);
	ctx_put(p);
}

static void async_in_irq(void *arg)
{
	ctx_cancel_async(arg);
}

static void s5_async_from_an_interrupt(struct kunit *test)
{
	struct ctx *p = ct_cancel(test, ctx_background());
	struct ctx *c = ct_cancel(test, p);

	ct_in_hardirq(async_in_irq, p);
	KUNIT_EXPECT_EQ(test, ctx_err(p), -ECANCELED);
	ct_wait_done(test, c, -ECANCELED);
	/* The caller need not hold on to it. */
	ctx_put(c);
	ctx_put(p);
}

static void s5_async_needs_no_reference_afterwards(struct kunit *test)
{
	struct ct_token token;
	struct ctx *v = ct_token_ctx(test, &token, ctx_background());
	struct ctx *p = ct_cancel(test, v);
	struct ctx *c = ct_cancel(test, p);

	ctx_cancel_async(p);
	ctx_put(v);
	ctx_put(p);
	ct_wait_done(test, c, -ECANCELED);
	ctx_put(c);
	ct_token_gone(test, &token);
}

struct letter {
	struct ctx *ctx;
	unsigned long text;
	bool waits;
	struct ctx_callback cb;
	unsigned long seen_by_callback;
};

static void letter_fn(struct ctx *ctx, struct ctx_callback *cb)
{
	struct letter *letter = container_of(cb, struct letter, cb);

	letter->seen_by_callback = READ_ONCE(letter->text);
}

static int read_letter_fn(void *arg)
{
	struct letter *letter = arg;

	if (letter->waits)
		ctx_wait(letter->ctx);
	else
		ct_spin_until(ctx_err(letter->ctx));
	return READ_ONCE(letter->text);
}

static void s16_what_was_written_before_is_seen_after(struct kunit *test)
{
	struct ct_partner partner;
	int round;

	ct_partner_start(test, &partner, read_letter_fn);
	for (round = 1; round <= ct_times(300); round++) {
		struct ctx *p = ct_cancel(test, ctx_background());
		struct letter letter = { .ctx = ct_cancel(test, p), .waits = round % 2 };

		KUNIT_ASSERT_EQ(test, ctx_callback_add(letter.ctx, &letter.cb, letter_fn), 0);
		ct_partner_go(&partner, &letter);
		WRITE_ONCE(letter.text, round);
		ctx_cancel(round % 3 ? p : letter.ctx);
		KUNIT_EXPECT_EQ(test, ct_partner_wait(test, &partner), round);
		KUNIT_EXPECT_EQ(test, letter.seen_by_callback, (unsigned long)round);
		ctx_put(letter.ctx);
		ctx_put(p);
	}
	ct_partner_stop(test, &partner);
}

static struct kunit_case order_cases[] = {
	KUNIT_CASE(s5_ancestors_are_done_first_on_cancel),
	KUNIT_CASE(s5_ancestors_are_done_first_on_async_cancel),
	KUNIT_CASE(s5_ancestors_are_done_first_on_sync_cancel),
	KUNIT_CASE(s5_ancestors_are_done_first_on_expiry),
	KUNIT_CASE(s5_callbacks_see_every_ancestor_done),
	KUNIT_CASE(s5_all_is_done_when_the_winner_returns),
	KUNIT_CASE(s5_sync_is_complete_whoever_won),
	KUNIT_CASE(s5_async_leaves_the_rest_to_a_worker),
	KUNIT_CASE(s5_async_from_an_interrupt),
	KUNIT_CASE(s5_async_needs_no_reference_afterwards),
	KUNIT_CASE(s16_what_was_written_before_is_seen_after),
	{ }
};

static struct kunit_suite order_suite = {
	.name = "ctx_order",
	.test_cases = order_cases,
};

kunit_test_suite(order_suite);
