// SPDX-License-Identifier: GPL-2.0
/* S7, S8: which contexts have a timer, by the kernel's own list of them. */
#include <linux/fs.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "test.h"

#define LIST_SIZE	SZ_1M

static struct file *timer_list;

static int timers_open(struct kunit_suite *suite)
{
	timer_list = ct_open_in("proc", "timer_list", O_RDONLY);
	return PTR_ERR_OR_ZERO(timer_list);
}

static void timers_close(struct kunit_suite *suite)
{
	if (!IS_ERR_OR_NULL(timer_list))
		filp_close(timer_list, NULL);
}

/*
 * Whether what @at is in, a line and the next, is the first of its kind: one may be listed
 * again when another was added in front of it meanwhile.
 */
static bool is_first(char *list, char *at)
{
	char *entry = at, *end = strchr(at, '\n');
	bool first;

	while (entry > list && *entry != '<')
		entry--;
	end = end ? strchr(end + 1, '\n') : NULL;
	if (!end)
		return true;
	*end = '\0';
	first = strstr(list, entry) == entry;
	*end = '\n';
	return first;
}

/* How many timers are armed with a function of ours: they alone begin with ctx_. */
static int armed(struct kunit *test)
{
	char *list = vzalloc(LIST_SIZE), *at;
	ssize_t n = 0, len = 0;
	loff_t pos = 0;
	int count = 0;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, list);
	do {
		len += n;
		n = kernel_read(timer_list, list + len, LIST_SIZE - 1 - len, &pos);
	} while (n > 0);
	KUNIT_EXPECT_EQ(test, n, (ssize_t)0);
	KUNIT_EXPECT_GT(test, len, (ssize_t)0);
	for (at = list; (at = strstr(at, ", ctx_")); at++)
		count += is_first(list, at);
	vfree(list);
	return count;
}

static struct ctx *at_hour(struct kunit *test, struct ctx *p, int hours)
{
	return ct_must(test, ctx_with_timeout(p, ktime_set(3600 * hours, 0), GFP_KERNEL));
}

static void s8_one_timer_for_each_deadline_that_counts(struct kunit *test)
{
	const int before = armed(test);
	ktime_t deadline = ktime_add_ms(ktime_get(), 7200000);
	struct ctx *p = ct_must(test, ctx_with_deadline(ctx_background(), deadline, GFP_KERNEL));
	struct ctx *none[] = {
		ct_must(test, ctx_with_deadline(p, deadline, GFP_KERNEL)),
		ct_must(test, ctx_with_deadline(p, ktime_add_ns(deadline, 1), GFP_KERNEL)),
		ct_must(test, ctx_with_deadline(p, KTIME_MAX, GFP_KERNEL)),
		ct_must(test, ctx_with_deadline(ctx_background(), KTIME_MAX, GFP_KERNEL)),
		ct_must(test, ctx_with_timeout(ctx_background(), 0, GFP_KERNEL)),
		ct_cancel(test, p),
		ct_value(test, p, test, test),
		ct_without(test, p),
	};
	struct ctx *own;
	int i;

	/* The parent's is not later: the parent's alone is armed. */
	KUNIT_EXPECT_EQ(test, armed(test) - before, 1);
	own = ct_must(test, ctx_with_deadline(none[5], ktime_sub_ns(deadline, 1), GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, armed(test) - before, 2);
	ctx_put(own);
	KUNIT_EXPECT_EQ(test, armed(test) - before, 1);
	own = ct_must(test, ctx_with_deadline(none[7], ktime_add_ns(deadline, 1), GFP_KERNEL));
	KUNIT_EXPECT_EQ(test, armed(test) - before, 2);
	ctx_put(own);
	for (i = 0; i < ARRAY_SIZE(none); i++)
		ctx_put(none[i]);
	KUNIT_EXPECT_EQ(test, armed(test) - before, 1);
	ctx_put(p);
	KUNIT_EXPECT_EQ(test, armed(test) - before, 0);
}

/* What was cancelled is still held here: it is not the put that disarms. */
static void s8_cancelling_disarms(struct kunit *test)
{
	const int before = armed(test);
	struct ctx *p, *c[4];
	struct ct_probe probe;
	int how, i;

	for (how = 0; how < 4; how++) {
		p = at_hour(test, ctx_background(), 5);
		c[0] = at_hour(test, p, 4);
		c[1] = ct_value(test, c[0], test, test);
		c[2] = at_hour(test, c[1], 3);
		c[3] = at_hour(test, p, 2);
		ct_probe_add(test, &probe, c[2]);
		KUNIT_EXPECT_EQ(test, armed(test) - before, 4);
		/* One without anything of its own. */
		ctx_cancel(c[3]);
		KUNIT_EXPECT_EQ(test, armed(test) - before, 3);
		if (how == 0)
			ctx_cancel(p);
		else if (how == 1)
			ctx_cancel_cause(p, -EIO);
		else if (how == 2)
			ctx_cancel_async(p);
		ctx_cancel_sync(p);
		KUNIT_EXPECT_EQ(test, armed(test) - before, 0);
		for (i = 0; i < 4; i++)
			ctx_put(c[i]);
		ctx_put(p);
	}
}

static void s8_expiry_of_an_ancestor_disarms(struct kunit *test)
{
	const int before = armed(test);
	struct ctx *w = ct_without(test, ctx_background());
	struct ctx *p = ct_timeout_ms(test, w, 20);
	ktime_t deadline = 0;
	struct ctx *c;

	KUNIT_EXPECT_TRUE(test, ctx_deadline(p, &deadline));
	c = ct_must(test, ctx_with_deadline(p, ktime_sub_ns(deadline, 1), GFP_KERNEL));
	ct_wait_done(test, p, -ETIMEDOUT);
	ctx_cancel_sync(p);
	KUNIT_EXPECT_EQ(test, armed(test) - before, 0);
	ctx_put(c);
	ctx_put(p);
	ctx_put(w);
}

static void s6_the_born_done_have_no_timer(struct kunit *test)
{
	const int before = armed(test);
	struct ctx *p = ct_cancel(test, ctx_background());
	struct ctx *c;

	ctx_cancel(p);
	c = ct_hour(test, p);
	KUNIT_EXPECT_EQ(test, armed(test) - before, 0);
	ctx_put(c);
	ctx_put(p);
}

static int cancel_fn(void *arg)
{
	ctx_cancel(arg);
	return 0;
}

/* Whether they came in time to be cancelled or were born done. */
static void s6_no_timer_is_left_by_a_race_with_cancelling(struct kunit *test)
{
	enum { BATCH = 48 };
	const int before = armed(test);
	struct ct_partner partner;
	struct ctx *c[BATCH];
	int round, i;

	ct_partner_start(test, &partner, cancel_fn);
	for (round = 0; round < ct_times(100); round++) {
		struct ctx *p = ct_cancel(test, ctx_background());

		ct_partner_go(&partner, p);
		for (i = 0; i < BATCH; i++)
			c[i] = ct_hour(test, p);
		ct_partner_wait(test, &partner);
		ctx_cancel_sync(p);
		KUNIT_EXPECT_EQ(test, armed(test) - before, 0);
		for (i = 0; i < BATCH; i++)
			ctx_put(c[i]);
		ctx_put(p);
	}
	ct_partner_stop(test, &partner);
}

static void s7_the_last_put_disarms(struct kunit *test)
{
	const int before = armed(test);
	struct ctx *c[8];
	int i;

	for (i = 0; i < 8; i++)
		c[i] = at_hour(test, i % 2 ? c[i - 1] : ctx_background(), 10 - i);
	KUNIT_EXPECT_EQ(test, armed(test) - before, 8);
	for (i = 0; i < 8; i += 2)
		ctx_put(c[i]);
	/* Held by their children. */
	KUNIT_EXPECT_EQ(test, armed(test) - before, 8);
	for (i = 1; i < 8; i += 2)
		ctx_put(c[i]);
	KUNIT_EXPECT_EQ(test, armed(test) - before, 0);
}

static struct kunit_case timers_cases[] = {
	KUNIT_CASE(s8_one_timer_for_each_deadline_that_counts),
	KUNIT_CASE(s8_cancelling_disarms),
	KUNIT_CASE(s8_expiry_of_an_ancestor_disarms),
	KUNIT_CASE(s6_the_born_done_have_no_timer),
	KUNIT_CASE(s6_no_timer_is_left_by_a_race_with_cancelling),
	KUNIT_CASE(s7_the_last_put_disarms),
	{ }
};

static struct kunit_suite timers_suite = {
	.name = "ctx_timers",
	.suite_init = timers_open,
	.suite_exit = timers_close,
	.test_cases = timers_cases,
};

kunit_test_suite(timers_suite);
