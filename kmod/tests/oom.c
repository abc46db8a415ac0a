// SPDX-License-Identifier: GPL-2.0
/* S2: every allocation can fail, and nothing is linked or lost then. */
#include <linux/workqueue.h>

#include "test.h"

#ifdef CONFIG_FAULT_INJECTION

static int oom_init(struct kunit *test)
{
	ct_fail_begin(test);
	return 0;
}

static void oom_exit(struct kunit *test)
{
	ct_fail_over(test);
}

static void oom_derive(struct kunit *test, struct ctx *p, enum ct_form form, gfp_t gfp)
{
	unsigned int nth, left = 0, failures = 0;

	for (nth = 1; !left && nth < 100; nth++) {
		struct ctx *c;

		ct_fail_from(nth);
		c = ct_derive(form, p, gfp | __GFP_NOWARN);
		left = ct_fail_end();
		KUNIT_EXPECT_PTR_NE(test, c, NULL);
		if (IS_ERR(c)) {
			KUNIT_EXPECT_EQ_MSG(test, PTR_ERR(c), -ENOMEM, "%s", ct_form_names[form]);
			KUNIT_EXPECT_EQ(test, left, 0U);
			failures++;
			continue;
		}
		if (!ctx_err(p))
			ct_expect_live(test, c);
		ctx_cancel(c);
		ctx_put(c);
	}
	KUNIT_EXPECT_NE(test, left, 0U);
	KUNIT_EXPECT_GE_MSG(test, failures, 1U, "%s", ct_form_names[form]);
}

static void s2_derivation_without_memory_is_enomem(struct kunit *test)
{
	static const gfp_t gfps[] = { GFP_KERNEL, GFP_NOWAIT, GFP_ATOMIC };
	int form, i, done;

	for (done = 0; done < 2; done++) {
		for (form = 0; form < CT_FORMS; form++) {
			struct ct_token token;
			struct ctx *v = ct_token_ctx(test, &token, ctx_background());
			struct ctx *p = ct_cancel(test, v);

			ctx_put(v);
			if (done)
				ctx_cancel(p);
			for (i = 0; i < ARRAY_SIZE(gfps); i++)
				oom_derive(test, p, form, gfps[i]);
			KUNIT_EXPECT_EQ(test, ctx_err(p), done ? -ECANCELED : 0);
			/* Nothing was linked that would now be met. */
			ctx_cancel_sync(p);
			/* And no reference was left on the parent. */
			ctx_put(p);
			ct_token_gone(test, &token);
		}
	}
}

static void s2_passed_deadlines_without_memory_are_enomem(struct kunit *test)
{
	struct ctx *c;

	ct_fail_from(1);
	c = ctx_with_timeout(ctx_background(), 0, GFP_KERNEL | __GFP_NOWARN);
	ct_fail_end();
	KUNIT_EXPECT_EQ(test, PTR_ERR(c), -ENOMEM);
	ct_fail_from(1);
	c = ctx_with_deadline(ctx_background(), KTIME_MAX, GFP_KERNEL | __GFP_NOWARN);
	ct_fail_end();
	KUNIT_EXPECT_EQ(test, PTR_ERR(c), -ENOMEM);
}

static void s9_no_release_if_there_was_no_memory(struct kunit *test)
{
	struct ct_token token;
	unsigned int nth, left = 0, derived = 0;

	ct_token_init(&token);
	for (nth = 1; !left && nth < 100; nth++) {
		struct ctx *c;

		ct_fail_from(nth);
		c = ctx_with_value(ctx_background(), &ct_token_key, &token, ct_token_release,
				   GFP_KERNEL | __GFP_NOWARN);
		left = ct_fail_end();
		derived += !IS_ERR(c);
		ctx_put(c);
	}
	KUNIT_EXPECT_GT(test, nth, 2U);
	ct_wait_for(test, &token.freed);
	ctx_barrier();
	KUNIT_EXPECT_EQ(test, atomic_read(&token.released), (int)derived);
}

/* What speeds up look-ups is done without, and had again when there is memory. */
static void s9_values_are_found_whatever_there_was_no_memory_for(struct kunit *test)
{
	enum { N = 150 };
	static const char keys[N + 1];
	struct ctx *node[N];
	unsigned int nth, failures = 1;
	int from, until, i, k, bad = 0;

	/* The first allocation is that of the context itself; then until there are no more. */
	for (nth = 2; failures && nth < 100; nth++) {
		failures = 0;
		for (from = 0; from < N; from += 3) {
			until = from + 1 + from % 17;
			for (i = 0; i < N; i++) {
				if (i >= from && i < until)
					ct_fail_from(nth);
				node[i] = ct_value(test, i ? node[i - 1] : ctx_background(),
						   &keys[i], &node[i]);
				failures += i >= from && i < until && !ct_fail_end();
			}
			for (i = N - 1; i >= 0; i -= 25)
				for (k = 0; k <= N; k++)
					bad += ctx_value(node[i], &keys[k]) !=
					       (k <= i ? &node[k] : NULL);
			for (i = N; i--; )
				ctx_put(node[i]);
		}
	}
	/* The index, and its table. */
	KUNIT_EXPECT_GE(test, nth, 5U);
	KUNIT_EXPECT_EQ(test, failures, 0U);
	KUNIT_EXPECT_EQ(test, bad, 0);
}

/* As ct_value(), where there is no memory but for the value itself. */
static struct ctx *value_alone(struct kunit *test, struct ctx *p, const void *key, void *value)
{
	struct ctx *c;

	ct_fail_from(2);
	c = ct_value(test, p, key, value);
	ct_fail_end();
	return c;
}

/* One key so often that no index takes them all; the nearest is found from below. */
static void s9_a_key_is_found_that_came_often_without_memory(struct kunit *test)
{
	enum { N = 40, BELOW = 10 };
	static const char keys[BELOW + 1];
	struct ctx *node[N + BELOW];
	int n, i, bad = 0;

	for (n = 1; n < N; n++) {
		for (i = 0; i < n; i++)
			node[i] = value_alone(test, i ? node[i - 1] : ctx_background(), &keys[0],
					      &node[i]);
		for (; i < n + BELOW; i++) {
			node[i] = ct_value(test, node[i - 1], &keys[1 + i - n], &node[i]);
			bad += ctx_value(node[i], &keys[0]) != &node[n - 1];
		}
		while (i--)
			ctx_put(node[i]);
	}
	KUNIT_EXPECT_EQ(test, bad, 0);
}

/* When there is memory again an index takes all those that had none, if a few hundred. */
static void s9_values_that_had_no_memory_get_into_an_index(struct kunit *test)
{
	enum { N = 900, TIMES = 25 };
	static const char keys[N + 12];
	struct ctx **node = kvcalloc(N + 12, sizeof(*node), GFP_KERNEL);
	u64 near;
	int i;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, node);
	for (i = 0; i < 12; i++)
		node[i] = ct_value(test, i ? node[i - 1] : ctx_background(), &keys[i], &node[i]);
	near = ct_value_ns(node[11], &keys[0]);
	while (i--)
		ctx_put(node[i]);
	for (i = 0; i < N; i++)
		node[i] = value_alone(test, i ? node[i - 1] : ctx_background(), &keys[i],
				      &node[i]);
	for (; i < N + 12; i++)
		node[i] = ct_value(test, node[i - 1], &keys[i], &node[i]);
	KUNIT_EXPECT_LT(test, ct_value_ns(node[N + 11], &keys[0]), TIMES * near);
	KUNIT_EXPECT_PTR_EQ(test, ctx_value(node[N + 11], &keys[0]), (void *)&node[0]);
	while (i--)
		ctx_put(node[i]);
	kvfree(node);
}

/*
 * More in a row than a rank can count. What kmemleak allocates fails, too, so that it
 * takes of a pool that is not as large.
 */
static void s9_values_without_memory_are_walked(struct kunit *test)
{
	const int n = IS_ENABLED(CONFIG_DEBUG_KMEMLEAK) ? 3000 : U16_MAX + 10;
	static const char keys[3];
	struct ctx **node = kvcalloc(n, sizeof(*node), GFP_KERNEL);
	int i;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, node);
	for (i = 0; i < n; i++) {
		struct ctx *p = i ? node[i - 1] : ctx_background();

		node[i] = i < n - 5 ? value_alone(test, p, &keys[!!i], &node[i]) :
				      ct_value(test, p, &keys[1], &node[i]);
		if (i % 1024 == 0)
			cond_resched();
	}
	KUNIT_EXPECT_PTR_EQ(test, ctx_value(node[n - 1], &keys[1]), (void *)&node[n - 1]);
	KUNIT_EXPECT_PTR_EQ(test, ctx_value(node[n - 1], &keys[0]), (void *)&node[0]);
	KUNIT_EXPECT_PTR_EQ(test, ctx_value(node[n - 1], &keys[2]), NULL);
	for (i = n; i--; )
		ctx_put(node[i]);
	ctx_barrier();
	kvfree(node);
}

static int count_fn(struct ctx *ctx, void *data)
{
	atomic_inc(data);
	return 42;
}

static int count_and_succeed_fn(struct ctx *ctx, void *data)
{
	atomic_inc(data);
	return 0;
}

static void thread_run_without_memory_is_enomem(struct kunit *test)
{
	struct ct_token token;
	struct ctx *v = ct_token_ctx(test, &token, ctx_background());
	unsigned int nth, left = 0, failures = 0;
	atomic_t runs = ATOMIC_INIT(0);
	int started = 0;

	for (nth = 1; !left && nth < 100; nth++) {
		struct ctx_thread *thread;

		ct_fail_from(nth);
		thread = ctx_thread_run(v, count_fn, &runs, "oom-%u-with-a-long-name", nth);
		left = ct_fail_end();
		KUNIT_EXPECT_PTR_NE(test, thread, NULL);
		if (IS_ERR_OR_NULL(thread)) {
			KUNIT_EXPECT_EQ(test, PTR_ERR(thread), -ENOMEM);
			failures++;
			continue;
		}
		KUNIT_EXPECT_EQ(test, ctx_thread_stop(thread), 42);
		started++;
	}
	KUNIT_EXPECT_NE(test, left, 0U);
	/* The handle, its context, and what the kernel needs for a thread. */
	KUNIT_EXPECT_GE(test, failures, 3U);
	KUNIT_EXPECT_EQ(test, atomic_read(&runs), started);
	ctx_put(v);
	ct_token_gone(test, &token);
}

static void group_without_memory_is_enomem(struct kunit *test)
{
	struct ct_token token;
	struct ctx *v = ct_token_ctx(test, &token, ctx_background());
	struct ctx_group *group = NULL;
	unsigned int nth, left = 0, failures = 0;
	atomic_t runs = ATOMIC_INIT(0);

	for (nth = 1; !left && nth < 100; nth++) {
		ct_fail_from(nth);
		group = ctx_group_create(v, GFP_KERNEL);
		left = ct_fail_end();
		if (IS_ERR(group)) {
			KUNIT_EXPECT_EQ(test, PTR_ERR(group), -ENOMEM);
			failures++;
		} else if (!left) {
			/* What it can do without, a sanitizer's perhaps. */
			ctx_group_put(group);
		}
	}
	KUNIT_EXPECT_EQ(test, failures, 2U);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, group);

	/* A start that failed takes no room, and leaves nothing to be waited for. */
	ctx_group_set_limit(group, 1);
	for (nth = 1, left = 0, failures = 0; !left && nth < 100; nth++) {
		int err;

		ct_fail_from(nth);
		err = ctx_group_run(group, count_and_succeed_fn, &runs, "oom-%u-with-a-long-name",
				    nth);
		left = ct_fail_end();
		if (err) {
			KUNIT_EXPECT_EQ(test, err, -ENOMEM);
			failures++;
			if (nth % 2)
				KUNIT_EXPECT_EQ(test, ctx_group_wait(group), 0);
		}
	}
	KUNIT_EXPECT_NE(test, left, 0U);
	/* The argument, and what the kernel needs for a thread. */
	KUNIT_EXPECT_GE(test, failures, 2U);
	KUNIT_EXPECT_EQ(test, ctx_group_wait(group), 0);
	KUNIT_EXPECT_GE(test, atomic_read(&runs), 1);
	KUNIT_EXPECT_EQ(test, ctx_err(ctx_group_ctx(group)), 0);
	ctx_group_put(group);
	ctx_put(v);
	ct_token_gone(test, &token);
}

static void after_fn(struct ctx_after *after)
{
}

/* What returns no error cannot run out of memory. */
static void s3_cancelling_needs_no_memory(struct kunit *test)
{
	unsigned int nth;

	for (nth = 1; nth < 4; nth++) {
		struct ctx *p = ct_cancel(test, ctx_background());
		struct ctx *c = ct_hour(test, p);
		struct ctx *v = ct_value(test, c, test, test);
		struct ctx *q = ct_hour(test, ctx_background());
		struct ctx *r = ct_hour(test, ctx_background());
		struct ct_probe probe;
		struct ctx_after after;

		ct_probe_init(&probe);
		ct_fail_from(nth);
		ctx_done(c);
		ctx_callback_add(v, &probe.cb, ct_probe_fn);
		ctx_after_func(c, &after, after_fn);
		ctx_cancel_cause(p, -EIO);
		ctx_cancel_async(q);
		ctx_cancel_sync(r);
		ct_fail_end();
		ct_expect_done(test, v, -ECANCELED, -EIO);
		ct_expect_done(test, q, -ECANCELED, -ECANCELED);
		ct_expect_done(test, r, -ECANCELED, -ECANCELED);
		KUNIT_EXPECT_EQ(test, atomic_read(&probe.runs), 1);
		ctx_barrier();
		KUNIT_EXPECT_FALSE(test, ctx_after_stop_sync(&after));
		ctx_put(r);
		ctx_put(q);
		ctx_put(v);
		ctx_put(c);
		ctx_put(p);
	}
}

/* What a call gives when its first allocation fails, should it have one. */
#define starved(call)			\
({					\
	ct_fail_from(1);		\
	typeof(call) __ret = (call);	\
	ct_fail_end();			\
	__ret;				\
})

static void source_detach(struct ctx_source *source)
{
}

static const struct ctx_source_ops source_ops = {
	.name = "starved",
	.detach = source_detach,
};

static void work_fn(struct ctx *ctx, struct ctx_work *work)
{
}

static void s2_asking_needs_no_memory(struct kunit *test)
{
	struct ctx *c = ct_hour(test, ctx_background());
	struct ctx *v = ct_value(test, c, test, test);
	struct ctx_origin origin;
	ktime_t deadline;
	char path[64];

	KUNIT_EXPECT_PTR_EQ(test, starved(ctx_get(v)), v);
	KUNIT_EXPECT_PTR_EQ(test, starved(ctx_value(v, test)), (void *)test);
	KUNIT_EXPECT_NOT_NULL(test, starved(ctx_done(v)));
	KUNIT_EXPECT_TRUE(test, starved(ctx_deadline(v, &deadline)));
	KUNIT_EXPECT_EQ(test, starved(ctx_err(v)), 0);
	KUNIT_EXPECT_EQ(test, starved(ctx_cause(v)), 0);
	KUNIT_EXPECT_EQ(test, starved(ctx_origin(v, &origin)), -EAGAIN);
	KUNIT_EXPECT_GT(test, starved(ctx_describe(v, path, sizeof(path))), 0);
	KUNIT_EXPECT_EQ(test, starved(ctx_wait_timeout(v, 0)), 0);
	KUNIT_EXPECT_EQ(test, starved(ctx_sleep(v, ct_us(1))), 0);
	KUNIT_EXPECT_PTR_EQ(test, starved(ctx_of_task(current)), ctx_background());
	KUNIT_EXPECT_EQ(test, starved(ctx_cancel_cause(c, -EIO)), 0);
	KUNIT_EXPECT_EQ(test, starved(ctx_wait(v)), -ECANCELED);
	KUNIT_EXPECT_EQ(test, starved(ctx_origin(v, &origin)), 0);
	KUNIT_EXPECT_PTR_EQ(test, origin.ctx, c);
	ctx_put(v);
	ctx_put(v);
	ctx_put(c);
}

/* Their storage is the caller's. */
static void s15_attaching_needs_no_memory(struct kunit *test)
{
	const ktime_t hour = ms_to_ktime(3600 * MSEC_PER_SEC);
	struct ctx *c = ct_cancel(test, ctx_background());
	struct ctx *other = ct_cancel(test, ctx_background());
	struct ctx_source source;
	struct ct_probe probe;
	struct ctx_link link;
	struct ctx_work *work = kunit_kzalloc(test, sizeof(*work), GFP_KERNEL);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, work);
	ct_probe_init(&probe);
	ctx_work_init(work, c, work_fn);
	KUNIT_EXPECT_EQ(test, starved(ctx_link(c, other, &link)), 0);
	KUNIT_EXPECT_EQ(test, starved(ctx_source_attach(c, &source, &source_ops)), 0);
	KUNIT_EXPECT_EQ(test, starved(ctx_callback_add(c, &probe.cb, ct_probe_fn)), 0);
	KUNIT_EXPECT_TRUE(test, starved(ctx_callback_remove_sync(c, &probe.cb)));
	KUNIT_EXPECT_EQ(test, starved(ctx_work_queue_delayed(system_wq, work, hour)), 1);
	KUNIT_EXPECT_TRUE(test, starved(ctx_work_cancel_sync(work)));
	KUNIT_EXPECT_EQ(test, starved(ctx_work_queue(system_wq, work)), 1);
	ctx_work_cancel_sync(work);
	KUNIT_EXPECT_EQ(test, starved(ctx_source_fire(&source, -EREMOTE)), 0);
	ct_wait_done(test, c, -ECANCELED);
	KUNIT_EXPECT_EQ(test, ctx_cause(c), -EREMOTE);
	starved(ctx_source_detach(&source));
	ctx_unlink(&link);
	ctx_put(other);
	ctx_put(c);
}

static struct kunit_case oom_cases[] = {
	KUNIT_CASE(s2_derivation_without_memory_is_enomem),
	KUNIT_CASE(s2_passed_deadlines_without_memory_are_enomem),
	KUNIT_CASE(s9_no_release_if_there_was_no_memory),
	KUNIT_CASE(s9_values_are_found_whatever_there_was_no_memory_for),
	KUNIT_CASE(s9_a_key_is_found_that_came_often_without_memory),
	KUNIT_CASE(s9_values_that_had_no_memory_get_into_an_index),
	KUNIT_CASE(s9_values_without_memory_are_walked),
	KUNIT_CASE(thread_run_without_memory_is_enomem),
	KUNIT_CASE(group_without_memory_is_enomem),
	KUNIT_CASE(s3_cancelling_needs_no_memory),
	KUNIT_CASE(s2_asking_needs_no_memory),
	KUNIT_CASE(s15_attaching_needs_no_memory),
	{ }
};

static struct kunit_suite oom_suite = {
	.name = "ctx_oom",
	.init = oom_init,
	.exit = oom_exit,
	.test_cases = oom_cases,
};

kunit_test_suite(oom_suite);

#endif /* CONFIG_FAULT_INJECTION */
