// SPDX-License-Identifier: GPL-2.0
/* S19: trees of a million, on an ordinary stack, with interrupts coming through. */
#include <linux/cpumask.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "test.h"

/* Kinds in turn, and now and then a deadline that is earlier than those above. */
static struct ctx *deeper(struct ctx *p, unsigned int i)
{
	ktime_t hours = ktime_set(7200, 0);
	struct ctx *c;

	if (i % 256 == 0)
		c = ctx_with_deadline(p, ktime_sub_us(hours, i), GFP_KERNEL);
	else if (i % 2)
		c = ctx_with_cancel(p, GFP_KERNEL);
	else
		c = ctx_with_value(p, &ct_token_key, NULL, NULL, GFP_KERNEL);
	ctx_put(p);
	return c;
}

/* @top is given away; the last of its line is returned. */
static struct ctx *chain_make(struct kunit *test, struct ctx *top, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n && !IS_ERR(top); i++) {
		top = deeper(top, i);
		if (i % 1024 == 0)
			cond_resched();
	}
	return ct_must(test, top);
}

static void s19_a_chain_is_cancelled_and_released(struct kunit *test)
{
	struct ct_token token;
	struct ctx *v = ct_token_ctx(test, &token, ctx_background());
	struct ctx *top = ct_cancel(test, v);
	struct ctx *leaf = chain_make(test, ctx_get(top), ct_big);

	ctx_put(v);
	ct_expect_live(test, leaf);
	KUNIT_EXPECT_EQ(test, ctx_cancel_cause(top, -EIO), 0);
	ct_expect_done(test, leaf, -ECANCELED, -EIO);
	ctx_put(top);
	KUNIT_EXPECT_EQ(test, atomic_read(&token.released), 0);
	ctx_put(leaf);
	ct_token_gone(test, &token);
}

static void s19_a_live_chain_is_released(struct kunit *test)
{
	struct ct_token token;
	struct ctx *leaf = chain_make(test, ct_token_ctx(test, &token, ctx_background()),
				      ct_big / 10);

	ctx_put(leaf);
	ct_token_gone(test, &token);
}

static void s19_a_chain_is_cancelled_by_a_worker_and_in_batches(struct kunit *test)
{
	int sync;

	for (sync = 0; sync < 2; sync++) {
		struct ctx *top = ct_cancel(test, ctx_background());
		struct ctx *leaf = chain_make(test, ctx_get(top), ct_big / 20);

		if (sync) {
			ctx_cancel_sync(top);
			KUNIT_EXPECT_EQ(test, ctx_err(leaf), -ECANCELED);
		} else {
			ctx_cancel_async(top);
			ct_wait_done(test, leaf, -ECANCELED);
		}
		ctx_put(top);
		ctx_put(leaf);
		ctx_barrier();
	}
}

static void put_in_irq(void *arg)
{
	ctx_put(arg);
}

/* Of the chain only the beginning: its other end is for a worker. */
static void s19_a_chain_is_released_in_an_interrupt(struct kunit *test)
{
	struct ct_token token;
	struct ctx *leaf = chain_make(test, ct_token_ctx(test, &token, ctx_background()), 3000);

	ct_in_hardirq(put_in_irq, leaf);
	ct_token_gone(test, &token);
	KUNIT_EXPECT_EQ(test, token.where, CT_WORKER);
}

struct ticks {
	struct hrtimer timer;
	unsigned long n;
};

static enum hrtimer_restart tick_fn(struct hrtimer *timer)
{
	WRITE_ONCE(container_of(timer, struct ticks, timer)->n,
		   container_of(timer, struct ticks, timer)->n + 1);
	hrtimer_forward_now(timer, ms_to_ktime(4));
	return HRTIMER_RESTART;
}

/*
 * Cancels @top with a timer ticking on this CPU: were interrupts off for all of
 * it, there would be no more than one tick. Nothing is asked of one who is quick.
 */
static void cancel_among_ticks(struct kunit *test, struct ctx *top, void (*cancel)(struct ctx *))
{
	struct ticks *ticks = kunit_kzalloc(test, sizeof(*ticks), GFP_KERNEL);
	unsigned long before, after;
	ktime_t start, took;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ticks);
	set_cpus_allowed_ptr(current, cpumask_of(0));
	hrtimer_setup(&ticks->timer, tick_fn, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED_HARD);
	hrtimer_start(&ticks->timer, ms_to_ktime(4), HRTIMER_MODE_REL_PINNED_HARD);
	start = ktime_get();
	before = READ_ONCE(ticks->n);
	cancel(top);
	after = READ_ONCE(ticks->n);
	took = ktime_sub(ktime_get(), start);
	hrtimer_cancel(&ticks->timer);
	set_cpus_allowed_ptr(current, cpu_possible_mask);
	if (ktime_to_ms(took) >= 100)
		KUNIT_EXPECT_GT_MSG(test, after - before, 3UL, "in %lld ms", ktime_to_ms(took));
}

static struct ctx **children_make(struct kunit *test, struct ctx *p, unsigned int n)
{
	struct ctx **c = vzalloc(array_size(n, sizeof(*c)));
	unsigned int i;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, c);
	for (i = 0; i < n; i++) {
		/* Some have something of their own to look after. */
		c[i] = i % 256 ? ctx_with_cancel(p, GFP_KERNEL) :
				ctx_with_timeout(p, ktime_set(7200, i), GFP_KERNEL);
		KUNIT_ASSERT_FALSE(test, IS_ERR_OR_NULL(c[i]));
		if (i % 1024 == 0)
			cond_resched();
	}
	return c;
}

static unsigned int children_live(struct ctx **c, unsigned int n)
{
	unsigned int i, live = 0;

	for (i = 0; i < n; i++)
		live += ctx_err(c[i]) != -ECANCELED;
	return live;
}

static void children_put(struct ctx **c, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		ctx_put(c[i]);
		if (i % 1024 == 0)
			cond_resched();
	}
	vfree(c);
}

static void s19_many_children_are_cancelled_and_released(struct kunit *test)
{
	struct ct_token token;
	struct ctx *v = ct_token_ctx(test, &token, ctx_background());
	struct ctx *p = ct_cancel(test, v);
	struct ctx **c = children_make(test, p, ct_big);

	ctx_put(v);
	cancel_among_ticks(test, p, ctx_cancel);
	KUNIT_EXPECT_EQ(test, children_live(c, ct_big), 0U);
	children_put(c, ct_big);
	ctx_put(p);
	ct_token_gone(test, &token);
}

static void s19_many_live_children_are_released(struct kunit *test)
{
	struct ct_token token;
	struct ctx *v = ct_token_ctx(test, &token, ctx_background());
	struct ctx *p = ct_cancel(test, v);
	struct ctx **c = children_make(test, p, ct_big / 10);

	ctx_put(v);
	ctx_put(p);
	children_put(c, ct_big / 10);
	ct_token_gone(test, &token);
}

static void s19_many_children_by_sync_and_async(struct kunit *test)
{
	struct ctx *p = ct_cancel(test, ctx_background());
	struct ctx **c = children_make(test, p, ct_big / 10);

	cancel_among_ticks(test, p, ctx_cancel_sync);
	KUNIT_EXPECT_EQ(test, children_live(c, ct_big / 10), 0U);
	children_put(c, ct_big / 10);
	ctx_put(p);

	p = ct_cancel(test, ctx_background());
	c = children_make(test, p, ct_big / 10);
	ctx_cancel_async(p);
	KUNIT_EXPECT_EQ(test, ctx_err(p), -ECANCELED);
	ctx_cancel_sync(p);
	KUNIT_EXPECT_EQ(test, children_live(c, ct_big / 10), 0U);
	children_put(c, ct_big / 10);
	ctx_put(p);
}

struct crowd {
	struct ctx_callback cb;
	atomic_t *in_irq;
	atomic_t *in_worker;
	atomic_t *elsewhere;
	atomic_t *masked;
};

static void crowd_fn(struct ctx *ctx, struct ctx_callback *cb)
{
	struct crowd *crowd = container_of(cb, struct crowd, cb);
	enum ct_where where = ct_where();

	atomic_inc(where == CT_HARDIRQ ? crowd->in_irq :
		   where == CT_WORKER ? crowd->in_worker : crowd->elsewhere);
	if (where != CT_HARDIRQ && !ct_may_sleep())
		atomic_inc(crowd->masked);
}

/* How long setting a scene probably takes. */
#define SCENE_MS	(IS_ENABLED(CONFIG_KASAN) ? 1000 : 50)

enum crowd_shape { ON_ITSELF, CHILDREN, CHAIN, SHAPES };

#define CROWD	2000
/* More than this is no budget. */
#define IN_IRQ	(CROWD / 8)

/* A tree below @p, with a callback at each of CROWD places. */
static int crowd_make(struct kunit *test, struct ctx *p, enum crowd_shape shape,
		      struct ctx **c, struct crowd *crowd)
{
	int i, late = 0;

	for (i = 0; i < CROWD; i++) {
		struct ctx *up = shape == CHAIN && i ? c[i - 1] : p;

		c[i] = shape == ON_ITSELF ? ctx_get(p) : ct_cancel(test, up);
		late |= ctx_callback_add(c[i], &crowd[i].cb, crowd_fn);
	}
	return late;
}

/* With PREEMPT_RT all of them are left to a worker: an interrupt calls nobody (S18). */
static void expect_some_in_irq(struct kunit *test, int in_irq, int most, bool any)
{
	if (IS_ENABLED(CONFIG_PREEMPT_RT)) {
		KUNIT_EXPECT_EQ(test, in_irq, 0);
		return;
	}
	KUNIT_EXPECT_LE(test, in_irq, most);
	if (any)
		KUNIT_EXPECT_GT(test, in_irq, 0);
}

static void crowd_round(struct kunit *test, enum crowd_shape shape, bool expires)
{
	atomic_t in_irq = ATOMIC_INIT(0), in_worker = ATOMIC_INIT(0);
	atomic_t elsewhere = ATOMIC_INIT(0), masked = ATOMIC_INIT(0);
	struct crowd *crowd = kunit_kzalloc(test, CROWD * sizeof(*crowd), GFP_KERNEL);
	struct ctx **c = kunit_kzalloc(test, CROWD * sizeof(*c), GFP_KERNEL);
	int late = 1, ms, i;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, crowd);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, c);
	/* Time enough to set the scene, whatever the machine. */
	for (ms = SCENE_MS; late && ms < 60000; ms *= 4) {
		struct ctx *p = expires ? ct_timeout_ms(test, ctx_background(), ms) :
					  ct_cancel(test, ctx_background());

		atomic_set(&in_irq, 0);
		atomic_set(&in_worker, 0);
		atomic_set(&elsewhere, 0);
		atomic_set(&masked, 0);
		for (i = 0; i < CROWD; i++)
			crowd[i] = (struct crowd) {
				.in_irq = &in_irq, .in_worker = &in_worker,
				.elsewhere = &elsewhere, .masked = &masked,
			};
		late = crowd_make(test, p, shape, c, crowd);
		if (!expires)
			ctx_cancel(p);
		ct_wait_done(test, p, expires ? -ETIMEDOUT : -ECANCELED);
		ctx_cancel_sync(p);
		for (i = 0; i < CROWD; i++)
			ctx_put(c[i]);
		ctx_put(p);
	}
	KUNIT_EXPECT_EQ(test, late, 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&in_irq) + atomic_read(&in_worker) +
			atomic_read(&elsewhere), CROWD);
	KUNIT_EXPECT_EQ(test, atomic_read(&masked), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&elsewhere), expires ? 0 : CROWD);
	if (expires)
		expect_some_in_irq(test, atomic_read(&in_irq), IN_IRQ, shape == ON_ITSELF);
}

static void s19_the_timers_interrupt_has_a_budget(struct kunit *test)
{
	enum crowd_shape shape;

	for (shape = 0; shape < SHAPES; shape++)
		crowd_round(test, shape, true);
}

/* From when the first of the @c was done until the last was. */
static s64 crowd_us(struct kunit *test, struct ctx **c)
{
	ktime_t first = KTIME_MAX, last = 0;
	struct ctx_origin origin;
	int i;

	for (i = 0; i < CROWD; i++) {
		KUNIT_ASSERT_EQ(test, ctx_origin(c[i], &origin), 0);
		KUNIT_EXPECT_STREQ(test, origin.comm, "timer");
		first = min(first, origin.time);
		last = max(last, origin.time);
	}
	return ktime_us_delta(last, first);
}

/*
 * Deadlines that fall into one interrupt have one budget between them, which grows
 * back with time. Each is done there; their callbacks mostly come later.
 */
static void s19_deadlines_of_one_interrupt_share_a_budget(struct kunit *test)
{
	atomic_t in_irq = ATOMIC_INIT(0), in_worker = ATOMIC_INIT(0);
	atomic_t elsewhere = ATOMIC_INIT(0), masked = ATOMIC_INIT(0);
	struct crowd *crowd = kunit_kzalloc(test, CROWD * sizeof(*crowd), GFP_KERNEL);
	struct ctx **c = kunit_kzalloc(test, CROWD * sizeof(*c), GFP_KERNEL);
	int late = 1, ms, i;
	s64 us = 0;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, crowd);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, c);
	for (ms = SCENE_MS; late && ms < 60000; ms *= 4) {
		ktime_t deadline = ktime_add_ms(ktime_get(), ms);

		late = 0;
		atomic_set(&in_irq, 0);
		atomic_set(&in_worker, 0);
		for (i = 0; i < CROWD; i++) {
			crowd[i] = (struct crowd) {
				.in_irq = &in_irq, .in_worker = &in_worker,
				.elsewhere = &elsewhere, .masked = &masked,
			};
			c[i] = ct_must(test, ctx_with_deadline(ctx_background(), deadline,
							       GFP_KERNEL));
			late |= ctx_callback_add(c[i], &crowd[i].cb, crowd_fn);
		}
		for (i = 0; i < CROWD; i++)
			ct_wait_done(test, c[i], -ETIMEDOUT);
		us = crowd_us(test, c);
		for (i = 0; i < CROWD; i++) {
			ctx_cancel_sync(c[i]);
			ctx_put(c[i]);
		}
	}
	KUNIT_EXPECT_EQ(test, late, 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&in_irq) + atomic_read(&in_worker), CROWD);
	KUNIT_EXPECT_EQ(test, atomic_read(&elsewhere), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&masked), 0);
	/* A callback in 8 us, and a few at once; a CPU may have two of them by then. */
	expect_some_in_irq(test, atomic_read(&in_irq),
			   (int)num_online_cpus() * ((int)us / 8 + 8), true);
}

/* Without a lock, and with interrupts as they were. */
static void s19_callbacks_run_with_interrupts_on(struct kunit *test)
{
	enum crowd_shape shape;

	for (shape = 0; shape < SHAPES; shape++)
		crowd_round(test, shape, false);
}

/*
 * What has no callback costs as well: of two at either end of a long line of
 * bare ones, not both can come in the interrupt.
 */
static void s19_the_budget_counts_children_and_depth(struct kunit *test)
{
	enum { LINE = 1500 };
	struct ctx **c = kunit_kzalloc(test, LINE * sizeof(*c), GFP_KERNEL);
	int deep;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, c);
	for (deep = 0; deep < 2; deep++) {
		bool late = true;
		int ms, i;

		for (ms = SCENE_MS; late && ms < 60000; ms *= 4) {
			struct ctx *p = ct_timeout_ms(test, ctx_background(), ms);
			struct ct_probe first, last;

			for (i = 0; i < LINE; i++)
				c[i] = ct_cancel(test, deep && i ? c[i - 1] : p);
			ct_probe_init(&first);
			ct_probe_init(&last);
			late = ctx_callback_add(c[0], &first.cb, ct_probe_fn);
			late |= ctx_callback_add(c[LINE - 1], &last.cb, ct_probe_fn);
			ct_wait_done(test, p, -ETIMEDOUT);
			ctx_cancel_sync(p);
			KUNIT_EXPECT_EQ(test, ctx_err(c[0]), -ETIMEDOUT);
			KUNIT_EXPECT_EQ(test, ctx_err(c[LINE - 1]), -ETIMEDOUT);
			if (!late) {
				KUNIT_EXPECT_EQ(test, atomic_read(&first.runs), 1);
				KUNIT_EXPECT_EQ(test, atomic_read(&last.runs), 1);
				KUNIT_EXPECT_FALSE(test, first.where == CT_HARDIRQ &&
						   last.where == CT_HARDIRQ);
			}
			for (i = 0; i < LINE; i++)
				ctx_put(c[i]);
			ctx_put(p);
		}
		KUNIT_EXPECT_FALSE(test, late);
	}
}

static struct kunit_case big_cases[] = {
	KUNIT_CASE_SLOW(s19_a_chain_is_cancelled_and_released),
	KUNIT_CASE_SLOW(s19_a_live_chain_is_released),
	KUNIT_CASE_SLOW(s19_a_chain_is_cancelled_by_a_worker_and_in_batches),
	KUNIT_CASE(s19_a_chain_is_released_in_an_interrupt),
	KUNIT_CASE_SLOW(s19_many_children_are_cancelled_and_released),
	KUNIT_CASE_SLOW(s19_many_live_children_are_released),
	KUNIT_CASE_SLOW(s19_many_children_by_sync_and_async),
	KUNIT_CASE(s19_the_timers_interrupt_has_a_budget),
	KUNIT_CASE(s19_deadlines_of_one_interrupt_share_a_budget),
	KUNIT_CASE(s19_callbacks_run_with_interrupts_on),
	KUNIT_CASE(s19_the_budget_counts_children_and_depth),
	{ }
};

static struct kunit_suite big_suite = {
	.name = "ctx_big",
	.test_cases = big_cases,
};

kunit_test_suite(big_suite);
