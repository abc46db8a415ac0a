// SPDX-License-Identifier: GPL-2.0
/* Everything at random and at once, on one tree; then it is empty. */
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "test.h"

#define THREADS	64
#define SLOTS	48
#define KEYS	4

static const char stress_keys[KEYS] = { };

struct stress {
	struct ctx *top;
	ktime_t end;
	spinlock_t lock;	/* protects slot */
	struct ctx *slot[SLOTS];
	atomic_t values;
	atomic_t releases;
	atomic_t operations;
	atomic_t bad;
	unsigned long bad_lines[4];
};

static struct stress *stress_of_release;

struct stress_thread {
	struct stress *stress;
	u32 random;
	struct ct_helper helper;
};

#define CHECK(stress, condition)						\
do {										\
	if (!(condition))							\
		stress_bad(stress, __LINE__);					\
} while (0)

static void stress_bad(struct stress *stress, unsigned long line)
{
	int n = atomic_inc_return(&stress->bad);

	if (n <= ARRAY_SIZE(stress->bad_lines))
		stress->bad_lines[n - 1] = line;
}

static u32 pick(struct stress_thread *t, u32 below)
{
	t->random ^= t->random << 13;
	t->random ^= t->random >> 17;
	t->random ^= t->random << 5;
	return t->random % below;
}

/* A reference on one of those that are there. */
static struct ctx *borrow(struct stress_thread *t)
{
	struct stress *stress = t->stress;
	u32 i = pick(t, SLOTS);
	struct ctx *c;

	spin_lock(&stress->lock);
	c = ctx_get(stress->slot[i]);
	spin_unlock(&stress->lock);
	return c;
}

static void stress_release(void *value)
{
	atomic_inc(&stress_of_release->releases);
}

static struct ctx *stress_derive(struct stress_thread *t, struct ctx *p)
{
	struct stress *stress = t->stress;
	ktime_t soon = ct_us(pick(t, 3000));
	struct ctx *c;

	switch (pick(t, 9)) {
	case 0:
		c = ctx_with_timeout(p, soon, GFP_KERNEL);
		break;
	case 1:
		c = ctx_with_deadline_cause(p, ktime_add(ktime_get(), soon), -EIO, GFP_KERNEL);
		break;
	case 2:
		c = ctx_with_timeout(p, ktime_set(3600, 0), GFP_KERNEL);
		break;
	case 3:
		c = ctx_without_cancel(p, GFP_KERNEL);
		break;
	case 4:
	case 5:
		c = ctx_with_value(p, &stress_keys[pick(t, KEYS)], stress, stress_release,
				   GFP_KERNEL);
		if (!IS_ERR(c))
			atomic_inc(&stress->values);
		break;
	default:
		c = ctx_with_cancel(p, GFP_KERNEL);
	}
	CHECK(stress, !IS_ERR_OR_NULL(c));
	return c;
}

/* A new one in place of another, not far from the top too often. */
static void replace(struct stress_thread *t)
{
	struct stress *stress = t->stress;
	struct ctx *p = pick(t, 6) ? borrow(t) : ctx_get(stress->top);
	struct ctx *c = stress_derive(t, p), *old;
	u32 i = pick(t, SLOTS);

	ctx_put(p);
	if (IS_ERR_OR_NULL(c))
		return;
	spin_lock(&stress->lock);
	old = stress->slot[i];
	stress->slot[i] = c;
	spin_unlock(&stress->lock);
	ctx_put(old);
}

static void end_one(struct stress_thread *t)
{
	struct ctx *c = borrow(t);
	bool can = ctx_done(c);
	int ret;

	/* The top is for the end of the test. */
	switch (pick(t, 4)) {
	case 0:
		ctx_cancel(c);
		break;
	case 1:
		ret = ctx_cancel_cause(c, -EPIPE);
		CHECK(t->stress, !ret || ret == -EINVAL);
		can &= !ret;
		break;
	case 2:
		ctx_cancel_async(c);
		break;
	default:
		ctx_cancel_sync(c);
	}
	if (can && ctx_err(c))
		CHECK(t->stress, ctx_cause(c) < 0);
	ctx_put(c);
}

static void look(struct stress_thread *t)
{
	struct stress *stress = t->stress;
	struct ctx *c = borrow(t);
	int err = ctx_err(c), cause = ctx_cause(c);
	struct ctx_origin origin;
	ktime_t deadline;
	void *value;
	char buf[64];

	CHECK(stress, !err || err == -ECANCELED || err == -ETIMEDOUT);
	if (err) {
		CHECK(stress, ctx_err(c) == err && ctx_cause(c) == cause && cause);
		CHECK(stress, !ctx_origin(c, &origin));
		CHECK(stress, origin.err == err && origin.cause == cause);
		CHECK(stress, ctx_err(origin.ctx) == err);
	}
	value = ctx_value(c, &stress_keys[pick(t, KEYS)]);
	CHECK(stress, !value || value == stress);
	if (ctx_deadline(c, &deadline))
		CHECK(stress, deadline != KTIME_MAX);
	CHECK(stress, ctx_describe(c, buf, sizeof(buf)) >= 10);
	ctx_put(c);
}

static void wait_a_little(struct stress_thread *t)
{
	ktime_t time = ct_us(pick(t, 200));
	struct ctx *c = borrow(t);
	int ret = pick(t, 2) ? ctx_wait_timeout(c, time) : ctx_sleep(c, time);

	CHECK(t->stress, ret == 0 || ret == ctx_err(c));
	ctx_put(c);
}

static void call_back(struct stress_thread *t)
{
	struct ctx *c = borrow(t);
	struct ct_probe probe;
	bool removed;
	int ret;

	ct_probe_init(&probe);
	ret = ctx_callback_add(c, &probe.cb, ct_probe_fn);
	CHECK(t->stress, !ret || (ret == -ENOENT && ctx_err(c)));
	if (pick(t, 3) == 0)
		end_one(t);
	removed = (pick(t, 2) && ctx_callback_remove(c, &probe.cb)) ||
		  ctx_callback_remove_sync(c, &probe.cb);
	CHECK(t->stress, atomic_read(&probe.runs) == (!ret && !removed));
	CHECK(t->stress, !atomic_read(&probe.runs) || (probe.ctx == c && probe.err));
	CHECK(t->stress, !removed || !ret);
	ctx_put(c);
}

struct stress_after {
	struct ctx_after after;
	atomic_t runs;
};

static void stress_after_fn(struct ctx_after *after)
{
	atomic_inc(&container_of(after, struct stress_after, after)->runs);
}

static void call_after(struct stress_thread *t)
{
	struct ctx *c = borrow(t);
	struct stress_after after = { };
	bool stopped;

	ctx_after_func(c, &after.after, stress_after_fn);
	ctx_put(c);
	if (pick(t, 3) == 0)
		end_one(t);
	stopped = (pick(t, 2) && ctx_after_stop(&after.after)) ||
		  ctx_after_stop_sync(&after.after);
	CHECK(t->stress, atomic_read(&after.runs) == !stopped);
}

static int stress_fn(void *arg)
{
	static void (*const operations[])(struct stress_thread *t) = {
		replace, replace, replace, end_one, look, look, wait_a_little, call_back,
		call_after,
	};
	struct stress_thread *t = arg;
	struct stress *stress = t->stress;

	while (ktime_before(ktime_get(), stress->end)) {
		operations[pick(t, ARRAY_SIZE(operations))](t);
		atomic_inc(&stress->operations);
		cond_resched();
	}
	return 0;
}

static void s7_s12_a_tree_under_stress_ends_up_empty(struct kunit *test)
{
	struct stress *stress = kunit_kzalloc(test, sizeof(*stress), GFP_KERNEL);
	struct stress_thread *t = kunit_kzalloc(test, THREADS * sizeof(*t), GFP_KERNEL);
	struct ct_token token;
	struct ctx *v;
	int i;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, stress);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, t);
	stress_of_release = stress;
	spin_lock_init(&stress->lock);
	v = ct_token_ctx(test, &token, ctx_background());
	stress->top = ct_cancel(test, v);
	ctx_put(v);
	for (i = 0; i < SLOTS; i++)
		stress->slot[i] = ct_cancel(test, stress->top);
	stress->end = ktime_add(ktime_get(), ktime_set(ct_stress_seconds, 0));
	for (i = 0; i < THREADS; i++) {
		t[i].stress = stress;
		t[i].random = 0x9e3779b9U * (i + 1);
		ct_helper_start(test, &t[i].helper, stress_fn, &t[i]);
	}
	/* In chunks, since patience ends before a long run does. */
	while (ktime_before(ktime_get(), stress->end))
		schedule_timeout_uninterruptible(HZ / 10);
	for (i = 0; i < THREADS; i++)
		ct_helper_join(test, &t[i].helper);

	ct_expect_live(test, stress->top);
	ctx_cancel_sync(stress->top);
	for (i = 0; i < SLOTS; i++)
		ctx_put(stress->slot[i]);
	ctx_put(stress->top);
	/* Everything below held the top, directly or not. */
	ct_token_gone(test, &token);
	KUNIT_EXPECT_EQ(test, atomic_read(&stress->releases), atomic_read(&stress->values));
	KUNIT_EXPECT_GT(test, atomic_read(&stress->operations), THREADS);
	KUNIT_EXPECT_EQ_MSG(test, atomic_read(&stress->bad), 0, "lines %lu %lu %lu %lu",
			    stress->bad_lines[0], stress->bad_lines[1], stress->bad_lines[2],
			    stress->bad_lines[3]);
	kunit_info(test, "%d operations", atomic_read(&stress->operations));
}

static struct kunit_case stress_cases[] = {
	KUNIT_CASE_SLOW(s7_s12_a_tree_under_stress_ends_up_empty),
	{ }
};

static struct kunit_suite stress_suite = {
	.name = "ctx_stress",
	.test_cases = stress_cases,
};

kunit_test_suite(stress_suite);
