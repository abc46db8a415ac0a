// SPDX-License-Identifier: GPL-2.0
/*
 * Contexts as descriptors, and what a task runs under, as far as that goes without
 * processes: driver_test and bind_test have the rest.
 */
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/sched/task.h>

#include "test.h"

#define RIGHTS_ALL	(CTX_RIGHT_CANCEL | CTX_RIGHT_DERIVE | CTX_RIGHT_VALUE | CTX_RIGHT_OBSERVE)

/* Closed for good, also by a thread of the kernel, for which a worker does it. */
static void close_now(int fd)
{
	close_fd(fd);
	flush_delayed_fput();
}

static void fd_each_set_of_rights(struct kunit *test)
{
	struct ctx *c = ct_cancel(test, ctx_background()), *got;
	u32 has, wants;
	int fd;

	for (has = 0; has <= RIGHTS_ALL; has++) {
		fd = ctx_install_fd(c, has, 0);
		KUNIT_ASSERT_GE(test, fd, 0);
		for (wants = 0; wants <= RIGHTS_ALL; wants++) {
			got = ctx_get_from_fd(fd, wants);
			KUNIT_EXPECT_PTR_EQ(test, got, wants & ~has ? ERR_PTR(-EPERM) : c);
			ctx_put(got);
		}
		close_now(fd);
		KUNIT_EXPECT_PTR_EQ(test, ctx_get_from_fd(fd, 0), ERR_PTR(-EBADF));
	}
	ct_expect_live(test, c);
	ctx_cancel(c);
	ctx_put(c);
}

static void fd_owner(struct kunit *test)
{
	struct ctx *c = ct_cancel(test, ctx_background());
	struct ctx *child = ct_cancel(test, c);
	int fd = ctx_install_fd(c, CTX_RIGHT_CANCEL, CTX_INSTALL_OWNER);
	int other = ctx_install_fd(c, CTX_RIGHT_CANCEL, 0);

	KUNIT_ASSERT_GE(test, fd, 0);
	KUNIT_ASSERT_GE(test, other, 0);
	close_now(other);
	ct_expect_live(test, c);
	close_now(fd);
	KUNIT_EXPECT_EQ(test, ctx_err(c), -ECANCELED);
	KUNIT_EXPECT_EQ(test, ctx_cause(child), -EOWNERDEAD);
	ctx_put(child);
	ctx_put(c);
}

/* Two that own it do not know of each other: whichever is closed first, cancels. */
static void fd_two_owners(struct kunit *test)
{
	struct ctx *c = ct_cancel(test, ctx_background());
	int fd = ctx_install_fd(c, CTX_RIGHT_CANCEL, CTX_INSTALL_OWNER);
	int other = ctx_install_fd(c, CTX_RIGHT_CANCEL, CTX_INSTALL_OWNER);

	KUNIT_ASSERT_GE(test, fd, 0);
	KUNIT_ASSERT_GE(test, other, 0);
	close_now(fd);
	KUNIT_EXPECT_EQ(test, ctx_cause(c), -EOWNERDEAD);
	close_now(other);
	ctx_put(c);
}

/* It has a reference of its own. */
static void fd_holds_it(struct kunit *test)
{
	struct ctx *c = ct_cancel(test, ctx_background()), *got;
	int fd = ctx_install_fd(c, CTX_RIGHT_OBSERVE, 0);

	KUNIT_ASSERT_GE(test, fd, 0);
	ctx_cancel(c);
	ctx_put(c);
	got = ctx_get_from_fd(fd, CTX_RIGHT_OBSERVE);
	KUNIT_EXPECT_PTR_EQ(test, got, c);
	close_now(fd);
	KUNIT_EXPECT_EQ(test, ctx_err(got), -ECANCELED);
	ctx_put(got);
}

static void fd_roots(struct kunit *test)
{
	int fd = ctx_install_fd(ctx_background(), CTX_RIGHT_DERIVE, 0);

	KUNIT_ASSERT_GE(test, fd, 0);
	KUNIT_EXPECT_PTR_EQ(test, ctx_get_from_fd(fd, CTX_RIGHT_DERIVE), ctx_background());
	close_now(fd);
}

static void fd_errors(struct kunit *test)
{
	struct ctx *value = ct_value(test, ctx_background(), test, test);
	struct ctx *without = ct_without(test, ctx_background());

	KUNIT_EXPECT_EQ(test, ctx_install_fd(NULL, CTX_RIGHT_OBSERVE, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, ctx_install_fd(ERR_PTR(-EXDEV), CTX_RIGHT_OBSERVE, 0), -EXDEV);
	KUNIT_EXPECT_EQ(test, ctx_install_fd(value, RIGHTS_ALL + 1, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, ctx_install_fd(value, CTX_RIGHT_OBSERVE, 2), -EINVAL);
	KUNIT_EXPECT_EQ(test, ctx_install_fd(value, CTX_RIGHT_OBSERVE, CTX_INSTALL_OWNER), -EINVAL);
	KUNIT_EXPECT_EQ(test, ctx_install_fd(value, CTX_RIGHT_CANCEL, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, ctx_install_fd(without, CTX_RIGHT_CANCEL, 0), -EINVAL);
	KUNIT_EXPECT_EQ(test, ctx_install_fd(ctx_background(), CTX_RIGHT_CANCEL, 0), -EINVAL);
	KUNIT_EXPECT_PTR_EQ(test, ctx_get_from_fd(-1, 0), ERR_PTR(-EBADF));
	ctx_put(without);
	ctx_put(value);
}

#ifdef CONFIG_FAULT_INJECTION
/* Each allocation in turn, which leaves the context as it was. */
static void fd_without_memory(struct kunit *test, u32 flags)
{
	struct ct_token token;
	struct ctx *v = ct_token_ctx(test, &token, ctx_background());
	struct ctx *c = ct_cancel(test, v);
	unsigned int nth, left = 0, failures = 0;
	int fd = -1, first = ctx_install_fd(c, CTX_RIGHT_OBSERVE, 0);

	close_now(first);
	for (nth = 1; !left && nth < 100; nth++) {
		ct_fail_from(nth);
		fd = ctx_install_fd(c, CTX_RIGHT_CANCEL, flags);
		left = ct_fail_end();
		if (fd < 0) {
			KUNIT_EXPECT_EQ(test, fd, -ENOMEM);
			ct_expect_live(test, c);
			failures++;
		} else if (!left) {
			/* What it can do without. */
			close_now(fd);
			ctx_put(c);
			c = ct_cancel(test, v);
		}
	}
	KUNIT_EXPECT_NE(test, left, 0U);
	/* Its own, the kernel's file; the count. */
	KUNIT_EXPECT_GE(test, failures, flags ? 3U : 2U);
	KUNIT_EXPECT_EQ(test, fd, first);
	close_now(fd);
	KUNIT_EXPECT_EQ(test, ctx_cause(c), flags ? -EOWNERDEAD : 0);
	ctx_put(c);
	ctx_put(v);
	ct_token_gone(test, &token);
}

static void fd_without_memory_is_enomem(struct kunit *test)
{
	ct_fail_begin(test);
	fd_without_memory(test, 0);
	fd_without_memory(test, CTX_INSTALL_OWNER);
}

static void fd_exit(struct kunit *test)
{
	ct_fail_over(test);
}
#endif

static struct kunit_case fd_cases[] = {
	KUNIT_CASE(fd_each_set_of_rights),
	KUNIT_CASE(fd_owner),
	KUNIT_CASE(fd_two_owners),
	KUNIT_CASE(fd_holds_it),
	KUNIT_CASE(fd_roots),
	KUNIT_CASE(fd_errors),
#ifdef CONFIG_FAULT_INJECTION
	KUNIT_CASE(fd_without_memory_is_enomem),
#endif
	{ }
};

static struct kunit_suite fd_suite = {
	.name = "ctx_fd",
#ifdef CONFIG_FAULT_INJECTION
	.exit = fd_exit,
#endif
	.test_cases = fd_cases,
};

/*
 * Threads of the kernel are in the group above all, which no test binds. The other groups,
 * of which a process has to be, are those of selftests/bind_test.c and driver_test.c.
 */
static void ambient_of_nobody(struct kunit *test)
{
	KUNIT_EXPECT_PTR_EQ(test, ctx_of_task(current), ctx_background());
	KUNIT_EXPECT_PTR_EQ(test, ctx_of_task(&init_task), ctx_background());
}

static void look(void *arg)
{
	struct ctx **got = arg;

	*got = ctx_of_task(current);
}

static void s18_ambient_in_interrupts(struct kunit *test)
{
	struct ctx *got = NULL;

	ct_in_hardirq(look, &got);
	KUNIT_EXPECT_PTR_EQ(test, got, ctx_background());
	got = NULL;
	ct_in_softirq(look, &got);
	KUNIT_EXPECT_PTR_EQ(test, got, ctx_background());
}

static struct kunit_case ambient_cases[] = {
	KUNIT_CASE(ambient_of_nobody),
	KUNIT_CASE(s18_ambient_in_interrupts),
	{ }
};

static struct kunit_suite ambient_suite = {
	.name = "ctx_ambient",
	.test_cases = ambient_cases,
};

kunit_test_suites(&fd_suite, &ambient_suite);
