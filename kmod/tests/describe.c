// SPDX-License-Identifier: GPL-2.0
/* S17: names. */
#include <linux/slab.h>
#include <linux/string.h>

#include "test.h"

static void expect_name(struct kunit *test, struct ctx *c, const char *name)
{
	char buf[160];

	KUNIT_EXPECT_EQ(test, ctx_describe(c, buf, sizeof(buf)), (int)strlen(name));
	KUNIT_EXPECT_STREQ(test, buf, name);
}

/* Returns a new child and gives away the reference on the parent. */
static struct ctx *into(struct ctx *parent, struct ctx *child)
{
	ctx_put(parent);
	return child;
}

static void s17_the_path_from_the_root(struct kunit *test)
{
	struct ctx *c = ct_cancel(test, ctx_background());

	expect_name(test, c, "background.with_cancel");
	c = into(c, ct_value(test, c, test, test));
	expect_name(test, c, "background.with_cancel.with_value");
	c = into(c, ct_without(test, c));
	expect_name(test, c, "background.with_cancel.with_value.without_cancel");
	c = into(c, ct_cancel(test, c));
	expect_name(test, c, "background.with_cancel.with_value.without_cancel.with_cancel");
	ctx_cancel(c);
	expect_name(test, c, "background.with_cancel.with_value.without_cancel.with_cancel");
	ctx_put(c);
}

static void s17_either_root(struct kunit *test)
{
	struct ctx *c = ct_cancel(test, ctx_todo());

	expect_name(test, ctx_background(), "background");
	expect_name(test, ctx_todo(), "todo");
	expect_name(test, c, "todo.with_cancel");
	ctx_put(c);
	c = ct_value(test, ctx_todo(), test, test);
	expect_name(test, c, "todo.with_value");
	ctx_put(c);
	c = ct_without(test, ctx_todo());
	expect_name(test, c, "todo.without_cancel");
	ctx_put(c);
}

/* "<sign><seconds>.<three digits>s)", as milliseconds. */
static bool parse_left(const char **at, s64 *left)
{
	bool minus = **at == '-';
	u64 seconds = 0;
	int digits, ms = 0;

	if (**at != '+' && **at != '-')
		return false;
	(*at)++;
	for (digits = 0; **at >= '0' && **at <= '9'; digits++)
		seconds = seconds * 10 + *(*at)++ - '0';
	if (!digits || *(*at)++ != '.')
		return false;
	for (digits = 0; digits < 3; digits++) {
		if (**at < '0' || **at > '9')
			return false;
		ms = ms * 10 + *(*at)++ - '0';
	}
	*left = seconds * 1000 + ms;
	if (minus)
		*left = -*left;
	return *(*at)++ == 's' && *(*at)++ == ')';
}

/* The time printed lies between what was left before and after, to a millisecond. */
static void expect_left(struct kunit *test, struct ctx *c, const char *prefix,
			const char *suffix, ktime_t deadline)
{
	ktime_t before = ktime_get(), after;
	const char *at;
	char buf[160];
	s64 left = 0;
	int len;

	memset(buf, 0, sizeof(buf));
	len = ctx_describe(c, buf, sizeof(buf));
	after = ktime_get();
	KUNIT_EXPECT_EQ(test, len, (int)strlen(buf));
	KUNIT_ASSERT_EQ_MSG(test, strncmp(buf, prefix, strlen(prefix)), 0, "%s", buf);
	at = buf + strlen(prefix);
	KUNIT_EXPECT_TRUE_MSG(test, parse_left(&at, &left), "%s", buf);
	KUNIT_EXPECT_STREQ(test, at, suffix);
	KUNIT_EXPECT_LE(test, left, ktime_to_ms(ktime_sub(deadline, before)) + 1);
	KUNIT_EXPECT_GE(test, left, ktime_to_ms(ktime_sub(deadline, after)) - 1);
}

static void s17_the_time_left(struct kunit *test)
{
	static const s64 lefts[] = { 90, 1500, 59999, 5400000, 100000000000 };
	int i;

	for (i = 0; i < ARRAY_SIZE(lefts); i++) {
		ktime_t deadline = ktime_add_ms(ktime_get(), lefts[i]);
		struct ctx *p = ct_cancel(test, ctx_background());
		struct ctx *t = ct_must(test, ctx_with_deadline(p, deadline, GFP_KERNEL));
		struct ctx *v = ct_value(test, t, test, test);

		expect_left(test, t, "background.with_cancel.with_deadline(", "", deadline);
		expect_left(test, v, "background.with_cancel.with_deadline(", ".with_value",
			    deadline);
		ctx_cancel(t);
		expect_left(test, t, "background.with_cancel.with_deadline(", "", deadline);
		ctx_put(v);
		ctx_put(t);
		ctx_put(p);
	}
}

static void s17_a_sign_for_each_side_of_the_deadline(struct kunit *test)
{
	static const char prefix[] = "background.with_deadline(";
	struct ctx *late = ct_must(test, ctx_with_deadline(ctx_background(),
							   ktime_sub_ns(ktime_get(), 2500000000),
							   GFP_KERNEL));
	struct ctx *early = ct_hour(test, ctx_background());
	ktime_t deadline;
	char buf[80];

	KUNIT_EXPECT_TRUE(test, ctx_deadline(late, &deadline));
	expect_left(test, late, prefix, "", deadline);
	ctx_describe(late, buf, sizeof(buf));
	KUNIT_EXPECT_EQ(test, (int)buf[strlen(prefix)], (int)'-');
	KUNIT_EXPECT_TRUE(test, ctx_deadline(early, &deadline));
	expect_left(test, early, prefix, "", deadline);
	ctx_describe(early, buf, sizeof(buf));
	KUNIT_EXPECT_EQ(test, (int)buf[strlen(prefix)], (int)'+');
	ctx_put(early);
	ctx_put(late);
}

static void s17_each_deadline_of_the_path(struct kunit *test)
{
	ktime_t far = ktime_add_ms(ktime_get(), 7200000), near = ktime_add_ms(ktime_get(), 3600000);
	struct ctx *p = ct_must(test, ctx_with_deadline(ctx_background(), far, GFP_KERNEL));
	struct ctx *c = ct_must(test, ctx_with_deadline(p, near, GFP_KERNEL));
	const char *at;
	char buf[120];
	s64 left = 0;

	ctx_describe(c, buf, sizeof(buf));
	at = buf + strlen("background.with_deadline(");
	KUNIT_EXPECT_TRUE(test, parse_left(&at, &left));
	KUNIT_EXPECT_GT(test, left, 3600000);
	KUNIT_EXPECT_EQ(test, strncmp(at, ".with_deadline(", 15), 0);
	at += 15;
	KUNIT_EXPECT_TRUE(test, parse_left(&at, &left));
	KUNIT_EXPECT_LE(test, left, 3600000);
	KUNIT_EXPECT_STREQ(test, at, "");
	ctx_put(c);
	ctx_put(p);
}

/* At every size: the beginning, a NUL, nothing behind it, and the whole length. */
static void s17_truncates_like_snprintf(struct kunit *test)
{
	static const char whole[] =
		"background.with_cancel.with_value.without_cancel.with_cancel.with_value";
	const int len = sizeof(whole) - 1;
	struct ctx *c = ct_cancel(test, ctx_background());
	char buf[sizeof(whole) + 16];
	int size, i, bad = 0;

	c = into(c, ct_value(test, c, test, test));
	c = into(c, ct_without(test, c));
	c = into(c, ct_cancel(test, c));
	c = into(c, ct_value(test, c, test, test));
	for (size = 0; size <= len + 8; size++) {
		int fits = min(size - 1, len);

		memset(buf, '#', sizeof(buf));
		KUNIT_EXPECT_EQ(test, ctx_describe(c, buf, size), len);
		if (size) {
			bad += memcmp(buf, whole, fits) != 0;
			bad += buf[fits] != '\0';
		}
		for (i = size ? fits + 1 : 0; i < sizeof(buf); i++)
			bad += i >= size && buf[i] != '#';
		KUNIT_EXPECT_EQ_MSG(test, bad, 0, "size %d", size);
	}
	KUNIT_EXPECT_EQ(test, ctx_describe(c, NULL, 0), len);
	KUNIT_EXPECT_EQ(test, ctx_describe(ctx_background(), NULL, 0), 10);
	ctx_put(c);
}

/* The same where a number is cut: 90 minutes keep their digits for a while. */
static void s17_truncates_a_time_as_well(struct kunit *test)
{
	struct ctx *c = ct_must(test, ctx_with_timeout(ctx_background(), ktime_set(5400, 0),
						       GFP_KERNEL));
	const int len = strlen("background.with_deadline(+5399.999s)");
	char buf[64];
	int size;

	for (size = 1; size <= len + 4; size++) {
		int fits = min(size - 1, len);

		memset(buf, '#', sizeof(buf));
		KUNIT_EXPECT_EQ(test, ctx_describe(c, buf, size), len);
		KUNIT_EXPECT_EQ(test, (int)strlen(buf), fits);
		KUNIT_EXPECT_EQ(test, strncmp(buf, "background.with_deadline(+53",
					      min(fits, 27)), 0);
		KUNIT_EXPECT_EQ(test, (int)buf[max(size, fits + 1)], (int)'#');
	}
	ctx_put(c);
}

static void s17_a_long_path(struct kunit *test)
{
	enum { DEPTH = 2000 };
	const int len = 10 + DEPTH * 12;
	char *buf = kunit_kzalloc(test, len + 2, GFP_KERNEL);
	struct ctx *c = ctx_background();
	char small[26];
	int i, bad = 0;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, buf);
	for (i = 0; i < DEPTH; i++)
		c = into(c, ct_cancel(test, c));
	KUNIT_EXPECT_EQ(test, ctx_describe(c, buf, len + 1), len);
	KUNIT_EXPECT_EQ(test, (int)strlen(buf), len);
	for (i = 0; i < DEPTH; i++)
		bad += memcmp(buf + 10 + i * 12, ".with_cancel", 12) != 0;
	KUNIT_EXPECT_EQ(test, bad, 0);
	/* It is the beginning that is kept. */
	KUNIT_EXPECT_EQ(test, ctx_describe(c, small, sizeof(small)), len);
	KUNIT_EXPECT_STREQ(test, small, "background.with_cancel.wi");
	KUNIT_EXPECT_EQ(test, ctx_describe(c, NULL, 0), len);
	ctx_put(c);
}

static void s17_nothing_to_describe(struct kunit *test)
{
	char buf[4] = "###";

	KUNIT_EXPECT_EQ(test, ctx_describe(NULL, buf, sizeof(buf)), -EINVAL);
	KUNIT_EXPECT_EQ(test, ctx_describe(ERR_PTR(-ENOMEM), buf, sizeof(buf)), -EINVAL);
	KUNIT_EXPECT_STREQ(test, buf, "###");
}

static struct kunit_case describe_cases[] = {
	KUNIT_CASE(s17_the_path_from_the_root),
	KUNIT_CASE(s17_either_root),
	KUNIT_CASE(s17_the_time_left),
	KUNIT_CASE(s17_a_sign_for_each_side_of_the_deadline),
	KUNIT_CASE(s17_each_deadline_of_the_path),
	KUNIT_CASE(s17_truncates_like_snprintf),
	KUNIT_CASE(s17_truncates_a_time_as_well),
	KUNIT_CASE(s17_a_long_path),
	KUNIT_CASE(s17_nothing_to_describe),
	{ }
};

static struct kunit_suite describe_suite = {
	.name = "ctx_describe",
	.test_cases = describe_cases,
};

kunit_test_suite(describe_suite);
