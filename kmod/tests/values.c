// SPDX-License-Identifier: GPL-2.0
/* S9: values, who sees them, and when they are released. */
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "test.h"

static const int key_a, key_b, key_c;

static void *as_value(unsigned long n)
{
	return (void *)n;
}

static void s9_null_key_is_einval(struct kunit *test)
{
	struct ct_token token;

	ct_token_init(&token);
	KUNIT_EXPECT_EQ(test, PTR_ERR(ctx_with_value(ctx_background(), NULL, &token,
						     ct_token_release, GFP_KERNEL)), -EINVAL);
	KUNIT_EXPECT_EQ(test, PTR_ERR(ctx_with_value(NULL, &key_a, &token, ct_token_release,
						     GFP_KERNEL)), -EINVAL);
	KUNIT_EXPECT_EQ(test, PTR_ERR(ctx_with_value(ERR_PTR(-EIO), &key_a, &token,
						     ct_token_release, GFP_KERNEL)), -EIO);
	ctx_barrier();
	/* The derivation failed, so the value is still the caller's. */
	KUNIT_EXPECT_EQ(test, atomic_read(&token.released), 0);
}

static void s9_keys_are_compared_by_identity(struct kunit *test)
{
	static const char one[] = "key", two[] = "key";
	struct ctx *c = ct_value(test, ctx_background(), one, as_value(1));

	KUNIT_EXPECT_PTR_EQ(test, ctx_value(c, one), as_value(1));
	KUNIT_EXPECT_PTR_EQ(test, ctx_value(c, two), NULL);
	KUNIT_EXPECT_PTR_EQ(test, ctx_value(c, one + 1), NULL);
	KUNIT_EXPECT_PTR_EQ(test, ctx_value(c, NULL), NULL);
	ctx_put(c);
}

static void s9_the_nearest_value_wins(struct kunit *test)
{
	struct ctx *a = ct_value(test, ctx_background(), &key_a, as_value(1));
	struct ctx *b = ct_value(test, a, &key_b, as_value(2));
	struct ctx *a2 = ct_value(test, b, &key_a, as_value(3));
	struct ctx *brother = ct_value(test, b, &key_c, as_value(4));

	KUNIT_EXPECT_PTR_EQ(test, ctx_value(a2, &key_a), as_value(3));
	KUNIT_EXPECT_PTR_EQ(test, ctx_value(a2, &key_b), as_value(2));
	KUNIT_EXPECT_PTR_EQ(test, ctx_value(a2, &key_c), NULL);
	/* A child's value is not seen above or beside it. */
	KUNIT_EXPECT_PTR_EQ(test, ctx_value(b, &key_a), as_value(1));
	KUNIT_EXPECT_PTR_EQ(test, ctx_value(a, &key_a), as_value(1));
	KUNIT_EXPECT_PTR_EQ(test, ctx_value(a, &key_b), NULL);
	KUNIT_EXPECT_PTR_EQ(test, ctx_value(brother, &key_a), as_value(1));
	KUNIT_EXPECT_PTR_EQ(test, ctx_value(brother, &key_c), as_value(4));
	KUNIT_EXPECT_PTR_EQ(test, ctx_value(ctx_background(), &key_a), NULL);
	ctx_put(brother);
	ctx_put(a2);
	ctx_put(b);
	ctx_put(a);
}

static void s9_a_null_value_shadows_and_reads_as_absence(struct kunit *test)
{
	struct ctx *a = ct_value(test, ctx_background(), &key_a, as_value(1));
	struct ctx *none = ct_value(test, a, &key_a, NULL);
	struct ctx *c = ct_cancel(test, none);
	struct ctx *again = ct_value(test, c, &key_a, as_value(2));

	KUNIT_EXPECT_PTR_EQ(test, ctx_value(none, &key_a), NULL);
	KUNIT_EXPECT_PTR_EQ(test, ctx_value(c, &key_a), NULL);
	KUNIT_EXPECT_PTR_EQ(test, ctx_value(a, &key_a), as_value(1));
	KUNIT_EXPECT_PTR_EQ(test, ctx_value(again, &key_a), as_value(2));
	ctx_put(again);
	ctx_put(c);
	ctx_put(none);
	ctx_put(a);
}

/* Above, among and below nodes of every kind; live, and done. */
static void s9_lookup_goes_through_every_kind(struct kunit *test)
{
	struct ctx *node[2 * CT_FORMS + 2];
	struct ctx *p = ct_cancel(test, ctx_background());
	int n = 0, form, state;

	node[n++] = ct_value(test, p, &key_a, as_value(1));
	for (form = 0; form < CT_FORMS; form++, n++)
		node[n] = ct_must(test, ct_derive(form, node[n - 1], GFP_KERNEL));
	node[n] = ct_value(test, node[n - 1], &key_b, as_value(2));
	n++;
	for (form = 0; form < CT_FORMS; form++, n++)
		node[n] = ct_must(test, ct_derive(form, node[n - 1], GFP_KERNEL));

	for (state = 0; state < 3; state++) {
		int i;

		for (i = 0; i < n; i++) {
			KUNIT_EXPECT_PTR_EQ(test, ctx_value(node[i], &key_a), as_value(1));
			KUNIT_EXPECT_PTR_EQ(test, ctx_value(node[i], &key_b),
					    as_value(i > CT_FORMS ? 2 : 0));
			KUNIT_EXPECT_PTR_EQ(test, ctx_value(node[i], &key_c), NULL);
		}
		if (state == 0)
			ctx_cancel(p);
		else
			for (i = 0; i < n; i++)
				ctx_cancel_sync(node[i]);
	}
	while (n--)
		ctx_put(node[n]);
	ctx_put(p);
}

static void s9_expiry_changes_no_value(struct kunit *test)
{
	struct ctx *a = ct_value(test, ctx_background(), &key_a, as_value(1));
	struct ctx *t = ct_timeout_ms(test, a, 1);
	struct ctx *b = ct_value(test, t, &key_b, as_value(2));

	ct_wait_done(test, b, -ETIMEDOUT);
	KUNIT_EXPECT_PTR_EQ(test, ctx_value(b, &key_a), as_value(1));
	KUNIT_EXPECT_PTR_EQ(test, ctx_value(b, &key_b), as_value(2));
	KUNIT_EXPECT_PTR_EQ(test, ctx_value(t, &key_b), NULL);
	ctx_put(b);
	ctx_put(t);
	ctx_put(a);
}

/*
 * A long chain, in which key i is set at depth i, and one of SHADOWS more keys
 * at every depth that is a multiple of STRIDE. Whatever speeds up the look-up,
 * it must answer like a walk over the chain.
 */
#define CHAIN	1500
#define SHADOWS	7
#define STRIDE	5

static void s9_a_long_chain_answers_like_a_walk(struct kunit *test)
{
	char *keys = kunit_kzalloc(test, CHAIN + SHADOWS, GFP_KERNEL);
	struct ctx **node = kunit_kzalloc(test, CHAIN * sizeof(*node), GFP_KERNEL);
	struct ctx *p = ctx_get(ctx_background());
	int i, k, bad = 0;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, keys);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, node);
	for (i = 0; i < CHAIN; i++) {
		bool shadow = i % STRIDE == 0;
		void *key = shadow ? &keys[CHAIN + i / STRIDE % SHADOWS] : &keys[i];
		struct ctx *c = ct_value(test, p, key, as_value(i + 1));

		ctx_put(p);
		p = c;
		if (i % 50 == 49) {
			/* Other kinds are skipped, wherever they are. */
			c = i % 100 == 99 ? ct_cancel(test, p) : ct_without(test, p);
			ctx_put(p);
			p = c;
		}
		node[i] = ctx_get(p);
	}
	for (i = 0; i < CHAIN; i += 1 + CHAIN / ct_times(300)) {
		for (k = 0; k < CHAIN; k++)
			bad += ctx_value(node[i], &keys[k]) !=
			       as_value(k % STRIDE && k <= i ? k + 1 : 0);
		for (k = 0; k < SHADOWS; k++) {
			int depth = i - i % STRIDE;

			while (depth >= 0 && depth / STRIDE % SHADOWS != k)
				depth -= STRIDE;
			bad += ctx_value(node[i], &keys[CHAIN + k]) !=
			       as_value(depth >= 0 ? depth + 1 : 0);
		}
	}
	KUNIT_EXPECT_EQ(test, bad, 0);
	for (i = 0; i < CHAIN; i++)
		ctx_put(node[i]);
	ctx_put(p);
}

static void s9_release_is_called_once_from_a_worker(struct kunit *test)
{
	struct ct_token token[3];
	struct ctx *a = ct_token_ctx(test, &token[0], ctx_background());
	struct ctx *b = ct_token_ctx(test, &token[1], a);
	struct ctx *c = ct_cancel(test, b);
	struct ctx *d = ct_token_ctx(test, &token[2], c);
	int i;

	ctx_cancel_sync(c);
	ctx_put(a);
	ctx_put(b);
	ctx_put(c);
	ctx_barrier();
	for (i = 0; i < 3; i++)
		KUNIT_EXPECT_EQ(test, atomic_read(&token[i].released), 0);
	ctx_put(d);
	for (i = 0; i < 3; i++) {
		ct_token_gone(test, &token[i]);
		KUNIT_EXPECT_EQ(test, (int)token[i].where, (int)CT_WORKER);
	}
	for (i = 0; i < 3; i++)
		KUNIT_EXPECT_EQ(test, atomic_read(&token[i].released), 1);
}

static atomic_t null_releases;

static void null_release(void *value)
{
	atomic_add(value ? 1000 : 1, &null_releases);
	might_sleep();
}

static void s9_release_gets_the_value_and_may_sleep(struct kunit *test)
{
	struct ctx *c = ct_must(test, ctx_with_value(ctx_background(), &key_a, NULL,
						     null_release, GFP_KERNEL));

	atomic_set(&null_releases, 0);
	ctx_put(c);
	ctx_barrier();
	KUNIT_EXPECT_EQ(test, atomic_read(&null_releases), 1);
	/* Without a release function there is nothing to call. */
	c = ct_value(test, ctx_background(), &key_a, test);
	ctx_put(c);
	ctx_barrier();
	KUNIT_EXPECT_EQ(test, atomic_read(&null_releases), 1);
}

struct reader {
	struct ctx *ctx;
	struct ct_token *token;
	struct completion inside;
	atomic_t put;
	int bad;
};

static int reader_fn(void *arg)
{
	struct reader *reader = arg;
	struct ct_token *token;

	rcu_read_lock();
	token = ctx_value(reader->ctx, &ct_token_key);
	complete(&reader->inside);
	ct_hold_until(atomic_read(&reader->put));
	ct_busy_ms(20);
	reader->bad = token != reader->token || atomic_read(&reader->token->released);
	rcu_read_unlock();
	return 0;
}

static void s9_release_waits_for_the_last_reader(struct kunit *test)
{
	struct ct_token token;
	struct reader reader = { .token = &token };
	struct ct_helper helper;

	if (num_online_cpus() < 2)
		kunit_skip(test, "a reader would keep the only CPU");
	reader.ctx = ct_token_ctx(test, &token, ctx_background());
	init_completion(&reader.inside);
	ct_helper_start_on(test, &helper, reader_fn, &reader, raw_smp_processor_id() + 1);
	ct_wait_for(test, &reader.inside);
	ctx_put(reader.ctx);
	atomic_set(&reader.put, 1);
	ct_helper_join(test, &helper);
	KUNIT_EXPECT_EQ(test, reader.bad, 0);
	ct_token_gone(test, &token);
}

static void put_in_irq(void *arg)
{
	ctx_put(arg);
}

static void s9_the_last_put_in_an_interrupt_releases_from_a_worker(struct kunit *test)
{
	struct ct_token token;
	struct ctx *c = ct_token_ctx(test, &token, ctx_background());

	ct_in_hardirq(put_in_irq, c);
	ct_token_gone(test, &token);
	KUNIT_EXPECT_EQ(test, (int)token.where, (int)CT_WORKER);
	c = ct_token_ctx(test, &token, ctx_background());
	ct_in_softirq(put_in_irq, c);
	ct_token_gone(test, &token);
	KUNIT_EXPECT_EQ(test, (int)token.where, (int)CT_WORKER);
}

static atomic_t many_released;

static void many_release(void *value)
{
	atomic_inc(&many_released);
}

static void s9_every_one_of_many_is_released(struct kunit *test)
{
	const int many = ct_times(20000);
	struct ctx *p = ct_cancel(test, ctx_background());
	int i;

	atomic_set(&many_released, 0);
	for (i = 0; i < many; i++)
		ctx_put(ctx_with_value(p, &key_a, test, many_release, GFP_KERNEL));
	ctx_barrier();
	KUNIT_EXPECT_EQ(test, atomic_read(&many_released), many);
	ctx_put(p);
}

struct seeker {
	struct ctx *ctx;
	atomic_t stop;
	int bad;
};

static int seeker_fn(void *arg)
{
	struct seeker *seeker = arg;

	while (!atomic_read(&seeker->stop)) {
		seeker->bad += ctx_value(seeker->ctx, &key_a) != as_value(1);
		seeker->bad += !!ctx_value(seeker->ctx, &key_c);
		cond_resched();
	}
	return 0;
}

/* Others come and go below the same values while they are looked up. */
static void s9_lookup_while_others_come_and_go(struct kunit *test)
{
	struct ctx *a = ct_value(test, ctx_background(), &key_a, as_value(1));
	struct seeker seeker = { .ctx = ct_value(test, a, &key_b, as_value(2)) };
	struct ct_helper helper;
	int i;

	ct_helper_start(test, &helper, seeker_fn, &seeker);
	for (i = 0; i < ct_times(20000); i++) {
		struct ctx *c = ct_value(test, seeker.ctx, i % 2 ? &key_a : &key_c, as_value(3));

		KUNIT_EXPECT_PTR_EQ(test, ctx_value(c, &key_b), as_value(2));
		ctx_put(c);
		cond_resched();
	}
	atomic_set(&seeker.stop, 1);
	ct_helper_join(test, &helper);
	KUNIT_EXPECT_EQ(test, seeker.bad, 0);
	ctx_put(seeker.ctx);
	ctx_put(a);
}

static struct kunit_case values_cases[] = {
	KUNIT_CASE(s9_null_key_is_einval),
	KUNIT_CASE(s9_keys_are_compared_by_identity),
	KUNIT_CASE(s9_the_nearest_value_wins),
	KUNIT_CASE(s9_a_null_value_shadows_and_reads_as_absence),
	KUNIT_CASE(s9_lookup_goes_through_every_kind),
	KUNIT_CASE(s9_expiry_changes_no_value),
	KUNIT_CASE(s9_a_long_chain_answers_like_a_walk),
	KUNIT_CASE(s9_release_is_called_once_from_a_worker),
	KUNIT_CASE(s9_release_gets_the_value_and_may_sleep),
	KUNIT_CASE(s9_release_waits_for_the_last_reader),
	KUNIT_CASE(s9_the_last_put_in_an_interrupt_releases_from_a_worker),
	KUNIT_CASE(s9_every_one_of_many_is_released),
	KUNIT_CASE(s9_lookup_while_others_come_and_go),
	{ }
};

static struct kunit_suite values_suite = {
	.name = "ctx_values",
	.test_cases = values_cases,
};

kunit_test_suite(values_suite);
