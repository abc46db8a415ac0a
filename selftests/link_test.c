// SPDX-License-Identifier: GPL-2.0
/*
 * CTX_IOC_LINK: a context that ends with another one, too.
 */
#include "ctx_test.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#define MAX_USER_FILES	CTX_PARAMETERS "max_user_files"
#define DEFAULT_FILES	4096

FIXTURE(link) {
	int bg;
	int ctx;
	int other;
	int ready[2];
};

FIXTURE_SETUP(link)
{
	self->bg = ctx_open();
	ASSERT_LE(0, self->bg);
	self->ctx = ctx_derive(self->bg, 0);
	ASSERT_LE(0, self->ctx);
	self->other = ctx_derive(self->bg, 0);
	ASSERT_LE(0, self->other);
	ASSERT_EQ(0, pipe2(self->ready, O_CLOEXEC));
	ASSERT_EQ(DEFAULT_FILES, read_number(MAX_USER_FILES));
}

FIXTURE_TEARDOWN(link)
{
	write_number(MAX_USER_FILES, DEFAULT_FILES);
	close(self->ready[0]);
	close(self->ready[1]);
	close(self->other);
	close(self->ctx);
	close(self->bg);
}

/* Whether there is a context of that number still. */
static bool exists(int bg, __u64 id)
{
	return ctx_next(bg, id - 1) == id;
}

TEST_F(link, ends_with_the_other)
{
	int third = ctx_derive(self->bg, 0), child;

	EXPECT_EQ(0, ctx_link(self->ctx, third));
	EXPECT_EQ(0, ctx_link(self->ctx, self->other));
	EXPECT_EQ(0, ctx_link(self->ctx, self->bg));
	EXPECT_TRUE(is_live(self->ctx));
	child = ctx_derive(self->ctx, 0);
	ASSERT_LE(0, child);
	EXPECT_EQ(0, ctx_cancel(self->other, EIO));
	EXPECT_TRUE(is_done_by(self->ctx, ECANCELED, EIO, ctx_id(self->other), getpid(),
			       my_comm()));
	EXPECT_TRUE(same_end(self->ctx, self->other));
	EXPECT_TRUE(same_end(child, self->other));
	EXPECT_TRUE(is_live(third));
	/* It has ended, once for all. */
	EXPECT_EQ(0, ctx_cancel(third, ENXIO));
	EXPECT_TRUE(is_done(self->ctx, ECANCELED, EIO));
	close(child);
	close(third);
}

TEST_F(link, ends_by_itself_as_well)
{
	EXPECT_EQ(0, ctx_link(self->ctx, self->other));
	EXPECT_EQ(0, ctx_cancel(self->ctx, EIO));
	EXPECT_TRUE(is_live(self->other));
	EXPECT_EQ(0, ctx_cancel(self->other, ENXIO));
	EXPECT_TRUE(is_done(self->ctx, ECANCELED, EIO));
	EXPECT_TRUE(is_done(self->other, ECANCELED, ENXIO));
}

TEST_F(link, other_runs_out_of_time)
{
	int timed = ctx_timeout(self->bg, NSEC_PER_SEC / 50, ENXIO);
	int own = ctx_timeout(self->bg, AN_HOUR, 0);
	struct ctx_ioc_info before, after;

	ASSERT_EQ(0, ctx_info(own, &before));
	EXPECT_EQ(0, ctx_link(self->ctx, timed));
	EXPECT_EQ(0, ctx_link(own, timed));
	/* Deadlines are not merged. */
	ASSERT_EQ(0, ctx_info(own, &after));
	EXPECT_EQ(before.deadline, after.deadline);
	ASSERT_EQ(0, ctx_info(self->ctx, &after));
	EXPECT_EQ(0, after.info_flags & CTX_INFO_DEADLINE);
	EXPECT_TRUE(wait_ready(self->ctx));
	EXPECT_TRUE(is_done_by(self->ctx, ETIMEDOUT, ENXIO, ctx_id(timed), 0, "timer"));
	EXPECT_TRUE(wait_ready(own));
	EXPECT_TRUE(same_end(own, timed));
	close(own);
	close(timed);
}

TEST_F(link, other_is_done_already)
{
	EXPECT_EQ(0, ctx_cancel(self->other, EIO));
	EXPECT_EQ(0, ctx_link(self->ctx, self->other));
	EXPECT_TRUE(same_end(self->ctx, self->other));
	/* Again, and now it is done itself. */
	EXPECT_EQ(0, ctx_link(self->ctx, self->other));
	EXPECT_EQ(0, ctx_link(self->ctx, self->bg));
	EXPECT_TRUE(is_done(self->ctx, ECANCELED, EIO));
}

TEST_F(link, to_a_value)
{
	int value = ctx_set(self->other, "k", "v");

	ASSERT_LE(0, value);
	EXPECT_EQ(0, ctx_link(self->ctx, value));
	EXPECT_EQ(0, ctx_cancel(self->other, EIO));
	EXPECT_TRUE(same_end(self->ctx, value));
	EXPECT_STREQ("(none)", ctx_get(self->ctx, "k"));
	close(value);
}

TEST_F(link, rights)
{
	int here = ctx_restrict(self->ctx, RIGHTS_UNCANCELABLE);
	int there = ctx_restrict(self->other, RIGHTS_ALL & ~CTX_RIGHT_OBSERVE);
	int enough = ctx_restrict(self->other, CTX_RIGHT_OBSERVE);
	int only = ctx_restrict(self->ctx, CTX_RIGHT_CANCEL);
	int value = ctx_set(self->other, "k", "v");
	int without = ctx_derive(self->other, CTX_DERIVE_WITHOUT_CANCEL);

	EXPECT_EQ(-EPERM, ctx_link(here, self->other));
	EXPECT_EQ(-EPERM, ctx_link(self->ctx, there));
	/* Where there is nothing to cancel nobody has the right. */
	EXPECT_EQ(-EPERM, ctx_link(self->bg, self->other));
	EXPECT_EQ(-EPERM, ctx_link(value, self->ctx));
	EXPECT_EQ(-EPERM, ctx_link(without, self->ctx));
	EXPECT_EQ(0, ctx_cancel(self->other, EIO));
	EXPECT_TRUE(is_live(self->ctx));
	EXPECT_EQ(0, ctx_link(only, enough));
	EXPECT_TRUE(same_end(self->ctx, self->other));
	close(without);
	close(value);
	close(only);
	close(enough);
	close(there);
	close(here);
}

TEST_F(link, not_a_context)
{
	int fds[] = {
		self->ready[0], self->ready[1],
		eventfd(0, EFD_CLOEXEC), epoll_create1(EPOLL_CLOEXEC),
		open("/dev/null", O_RDWR | O_CLOEXEC), open("/", O_RDONLY | O_CLOEXEC),
		socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0),
	};
	struct ctx_ioc_link arg = { .size = sizeof(arg), .fd = self->other };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		ASSERT_LE(0, fds[i]);
		EXPECT_EQ(-EINVAL, ctx_link(self->ctx, fds[i]));
	}
	for (i = 2; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
	EXPECT_EQ(-EBADF, ctx_link(self->ctx, fds[i - 1]));
	EXPECT_EQ(-EBADF, ctx_link(self->ctx, -1));
	EXPECT_EQ(-EBADF, ctx_link(self->ctx, INT32_MAX));
	EXPECT_EQ(-EBADF, ctx_link(self->ctx, AT_FDCWD));
	arg.flags = 1;
	EXPECT_EQ(-EINVAL, ctx_request(self->ctx, CTX_IOC_LINK, &arg));
	arg.flags = 0;
	arg.reserved = 1;
	EXPECT_EQ(-EINVAL, ctx_request(self->ctx, CTX_IOC_LINK, &arg));
	EXPECT_EQ(0, ctx_cancel(self->other, 0));
	EXPECT_TRUE(is_live(self->ctx));
}

TEST_F(link, to_itself)
{
	int same = ctx_restrict(self->ctx, RIGHTS_ALL), value = ctx_set(self->ctx, "k", "v");

	EXPECT_EQ(-ELOOP, ctx_link(self->ctx, self->ctx));
	EXPECT_EQ(-ELOOP, ctx_link(self->ctx, same));
	EXPECT_EQ(-ELOOP, ctx_link(self->ctx, value));
	EXPECT_TRUE(is_live(self->ctx));
	close(value);
	close(same);
}

TEST_F(link, only_a_fresh_one)
{
	int more, child = ctx_derive(self->ctx, 0);

	/* Its child, or whatever: it has one. */
	EXPECT_EQ(-EBUSY, ctx_link(self->ctx, child));
	EXPECT_EQ(-EBUSY, ctx_link(self->ctx, self->other));
	close(child);
	child = ctx_derive(self->ctx, CTX_DERIVE_WITHOUT_CANCEL);
	EXPECT_EQ(-EBUSY, ctx_link(self->ctx, self->other));
	close(child);
	/* It has none now: who has all of it can be told so. */
	more = ctx_restrict(self->ctx, CTX_RIGHT_OBSERVE);
	EXPECT_EQ(-EBUSY, ctx_link(self->ctx, self->other));
	close(more);
	EXPECT_EQ(0, ctx_link(self->ctx, self->other));
	/* This is what is linked to. */
	EXPECT_EQ(-EBUSY, ctx_link(self->other, self->ctx));
	EXPECT_EQ(-EBUSY, ctx_link(self->other, self->bg));
	/* No longer. */
	close(self->ctx);
	self->ctx = ctx_derive(self->bg, 0);
	EXPECT_EQ(0, ctx_link(self->other, self->ctx));
	EXPECT_EQ(0, ctx_cancel(self->ctx, EIO));
	EXPECT_TRUE(same_end(self->other, self->ctx));
}

/* Closing what is linked to is the end of it, unless it is kept; then the link keeps it. */
TEST_F(link, other_is_closed)
{
	int keep = ctx_derive(self->bg, CTX_DERIVE_KEEP), again;
	int second = ctx_derive(self->bg, 0);
	const __u64 id = ctx_id(keep), other = ctx_id(self->other);

	EXPECT_EQ(0, ctx_link(self->ctx, self->other));
	EXPECT_EQ(0, ctx_link(second, keep));
	close(keep);
	EXPECT_TRUE(is_live(second));
	close(self->other);
	EXPECT_TRUE(is_done_by(self->ctx, ECANCELED, EOWNERDEAD, other, getpid(), my_comm()));
	again = ctx_open_id(self->bg, id, 0);
	ASSERT_LE(0, again);
	EXPECT_EQ(0, ctx_cancel(again, EIO));
	EXPECT_TRUE(same_end(second, again));
	close(again);
	/* It is there as long as somebody can say that he ended by it. */
	EXPECT_TRUE(exists(self->bg, id));
	EXPECT_TRUE(is_done_by(second, ECANCELED, EIO, id, getpid(), my_comm()));
	close(second);
	EXPECT_FALSE(exists(self->bg, id));
	self->other = ctx_derive(self->bg, 0);
}

TEST_F(link, itself_is_closed)
{
	const __u64 id = ctx_id(self->ctx);
	int keep = ctx_derive(self->bg, CTX_DERIVE_KEEP), child;

	EXPECT_EQ(0, ctx_link(self->ctx, self->other));
	close(self->ctx);
	EXPECT_FALSE(exists(self->bg, id));
	/* Gone without being cancelled. */
	self->ctx = ctx_derive(keep, CTX_DERIVE_KEEP);
	EXPECT_EQ(0, ctx_link(self->ctx, self->other));
	EXPECT_EQ(0, ctx_link(self->ctx, self->other));
	close(self->ctx);
	EXPECT_EQ(0, ctx_cancel(self->other, EIO));
	EXPECT_TRUE(is_live(keep));
	/* A child keeps it, and so the links. */
	close(self->other);
	self->other = ctx_derive(self->bg, 0);
	self->ctx = ctx_derive(self->bg, CTX_DERIVE_KEEP);
	EXPECT_EQ(0, ctx_link(self->ctx, self->other));
	child = ctx_derive(self->ctx, 0);
	close(self->ctx);
	EXPECT_TRUE(is_live(child));
	EXPECT_EQ(0, ctx_cancel(self->other, EIO));
	EXPECT_TRUE(same_end(child, self->other));
	close(child);
	close(keep);
	self->ctx = ctx_derive(self->bg, 0);
}

TEST_F(link, owner_of_the_other_is_killed)
{
	pid_t pid;

	EXPECT_EQ(0, ctx_link(self->ctx, self->other));
	pid = spawn();
	if (!pid) {
		tell(self->ready[1]);
		pause();
		_exit(0);
	}
	/* He has the only descriptor of it. */
	close(self->other);
	EXPECT_TRUE(hear(self->ready[0]));
	EXPECT_TRUE(is_live(self->ctx));
	kill(pid, SIGKILL);
	EXPECT_EQ(KILLED, reap(pid));
	EXPECT_TRUE(wait_ready(self->ctx));
	EXPECT_TRUE(is_done(self->ctx, ECANCELED, EOWNERDEAD));
	self->other = ctx_derive(self->bg, 0);
}

static bool has_room_for(int bg, int other, int nr)
{
	int fds[8], i, n = 0;
	bool ok = true;

	for (i = 0; i < nr; i++) {
		fds[i] = ctx_derive(bg, 0);
		n += ctx_link(fds[i], other) == 0;
	}
	ok = must(n == nr);
	i = ctx_derive(bg, 0);
	ok &= must(ctx_link(i, other) == -EDQUOT);
	ok &= must(is_live(i));
	close(i);
	while (nr--)
		close(fds[nr]);
	return ok;
}

/* Links are counted while they can still do something, whatever their end. */
TEST_F(link, quota)
{
	const uid_t user = 10001 + 2 * getpid();
	pid_t pid;

	ASSERT_TRUE(write_number(MAX_USER_FILES, 3));
	pid = spawn();
	if (!pid) {
		int ctx, own, i;

		become(user);
		ctx = ctx_derive(self->bg, 0);
		own = ctx_derive(self->bg, 0);
		/* Their contexts are closed, again and again. */
		for (i = 0; i < 3; i++)
			EXPECT_TRUE(has_room_for(self->bg, own, 3));
		/* It is cancelled. */
		for (i = 0; i < 3; i++)
			EXPECT_EQ(0, ctx_link(ctx, own));
		EXPECT_EQ(-EDQUOT, ctx_link(ctx, own));
		EXPECT_EQ(0, ctx_cancel(ctx, 0));
		EXPECT_TRUE(has_room_for(self->bg, own, 3));
		/* The other one is. */
		close(ctx);
		ctx = ctx_derive(self->bg, 0);
		for (i = 0; i < 3; i++)
			EXPECT_EQ(0, ctx_link(ctx, own));
		EXPECT_EQ(0, ctx_cancel(own, EIO));
		EXPECT_TRUE(same_end(ctx, own));
		close(own);
		own = ctx_derive(self->bg, 0);
		EXPECT_TRUE(has_room_for(self->bg, own, 3));
		/* What is not linked does not count: nothing would come of it. */
		for (i = 0; i < 10; i++) {
			EXPECT_EQ(0, ctx_link(ctx, own));
			EXPECT_EQ(-ELOOP, ctx_link(own, own));
			EXPECT_EQ(0, ctx_link(own, self->bg));
		}
		EXPECT_TRUE(has_room_for(self->bg, own, 3));
		child_exit();
	}
	EXPECT_EQ(0, reap(pid));
}

#define CHAIN	200

/* Each is linked to the one before; descriptors are closed in whatever order. */
TEST_F(link, chain)
{
	static int fds[CHAIN];
	__u64 first, last;
	int order, i;

	ASSERT_TRUE(allow_files(CHAIN + 100));
	for (order = 0; order < 4; order++) {
		for (i = 0; i < CHAIN; i++) {
			fds[i] = ctx_derive(self->bg, order & 1 ? CTX_DERIVE_KEEP : 0);
			ASSERT_LE(0, fds[i]);
			if (i)
				ASSERT_EQ(0, ctx_link(fds[i], fds[i - 1]));
		}
		first = ctx_id(fds[0]);
		last = ctx_id(fds[CHAIN - 1]);
		if (order & 2) {
			EXPECT_EQ(0, ctx_cancel(fds[0], EIO));
			EXPECT_TRUE(is_done(fds[CHAIN - 1], ECANCELED, EIO));
			EXPECT_TRUE(same_end(fds[0], fds[CHAIN - 1]));
		}
		if (order & 1)
			for (i = 0; i < CHAIN; i++)
				close(fds[i]);
		else
			for (i = CHAIN; i--; )
				close(fds[i]);
		for (; first <= last; first++)
			EXPECT_FALSE(exists(self->bg, first));
	}
}

/* Two threads link two contexts to each other: not both of them succeed. */

static pthread_barrier_t barrier;

struct link_pair {
	int ctx;
	int other;
	int ret;
};

static void *link_thread(void *arg)
{
	struct link_pair *pair = arg;

	pthread_barrier_wait(&barrier);
	pair->ret = ctx_link(pair->ctx, pair->other);
	return NULL;
}

TEST_F(link, no_cycle_by_two_threads)
{
	int round;

	pthread_barrier_init(&barrier, NULL, 2);
	for (round = 0; round < 200; round++) {
		int a = ctx_derive(self->bg, 0), b = ctx_derive(self->bg, 0);
		struct link_pair one = { .ctx = a, .other = b }, two = { .ctx = b, .other = a };
		pthread_t thread;

		ASSERT_EQ(0, pthread_create(&thread, NULL, link_thread, &one));
		link_thread(&two);
		pthread_join(thread, NULL);
		EXPECT_TRUE(one.ret == -EBUSY || two.ret == -EBUSY);
		EXPECT_TRUE(!one.ret || one.ret == -EBUSY);
		EXPECT_TRUE(!two.ret || two.ret == -EBUSY);
		close(a);
		close(b);
	}
	pthread_barrier_destroy(&barrier);
}

static void *cancel_thread(void *arg)
{
	pthread_barrier_wait(&barrier);
	return to_ptr(ctx_cancel(*(int *)arg, EIO));
}

/* The other ends while it is being linked to: either way this ends, too. */
TEST_F(link, other_ends_meanwhile)
{
	int round;

	pthread_barrier_init(&barrier, NULL, 2);
	for (round = 0; round < 200; round++) {
		int a = ctx_derive(self->bg, 0), b = ctx_derive(self->bg, 0);
		struct link_pair pair = { .ctx = a, .other = b };
		pthread_t thread;

		ASSERT_EQ(0, pthread_create(&thread, NULL, cancel_thread, &b));
		link_thread(&pair);
		pthread_join(thread, NULL);
		EXPECT_EQ(0, pair.ret);
		EXPECT_TRUE(same_end(a, b));
		close(round & 1 ? a : b);
		close(round & 1 ? b : a);
	}
	pthread_barrier_destroy(&barrier);
}

TEST_HARNESS_MAIN
