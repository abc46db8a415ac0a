// SPDX-License-Identifier: GPL-2.0
/* Rights only ever shrink. */
#include "ctx_test.h"

#define RIGHTS	16

FIXTURE(rights) {
	int bg;
	int value;
	int ctx;
};

FIXTURE_SETUP(rights)
{
	self->bg = ctx_open();
	ASSERT_LE(0, self->bg);
	self->value = ctx_set(self->bg, "k", "v");
	ASSERT_LE(0, self->value);
	self->ctx = ctx_derive(self->value, 0);
	ASSERT_LE(0, self->ctx);
}

FIXTURE_TEARDOWN(rights)
{
	close(self->ctx);
	close(self->value);
	close(self->bg);
}

static __u32 rights_of(int fd)
{
	struct ctx_ioc_info info;

	return ctx_info(fd, &info) ? ~0U : info.rights;
}

/* What @fd says to everything that needs a right. */
static bool allows(int fd, __u32 rights)
{
	const int observe = rights & CTX_RIGHT_OBSERVE;
	struct ctx_ioc_info info;
	struct ctx_event event;
	__u32 len = 1;
	char byte;
	int child = ctx_derive(fd, 0), value = ctx_set(fd, "l", "w");

	if (child >= 0)
		close(child);
	if (value >= 0)
		close(value);
	return must(rights & CTX_RIGHT_DERIVE ? child >= 0 : child == -EPERM) &&
	       must(rights & CTX_RIGHT_DERIVE ? value >= 0 : value == -EPERM) &&
	       must(ctx_value(fd, "k", 1, &byte, &len) ==
		    (rights & CTX_RIGHT_VALUE ? 0 : -EPERM)) &&
	       must(ctx_info(fd, &info) == (observe ? 0 : -EPERM)) &&
	       must(!observe || info.rights == rights) &&
	       must(poll_events(fd, POLLIN, 0) == (observe ? 0 : POLLERR)) &&
	       must(fcntl(fd, F_SETFL, O_NONBLOCK) == 0) &&
	       must(read(fd, &event, sizeof(event)) == -1) &&
	       must(errno == (observe ? EAGAIN : EPERM)) &&
	       must(fcntl(fd, F_SETFL, 0) == 0);
}

TEST_F(rights, each_set_allows_what_it_says_and_nothing_else)
{
	__u32 rights;
	int fd;

	for (rights = 0; rights < RIGHTS; rights++) {
		fd = ctx_restrict(self->ctx, rights);
		ASSERT_LE(0, fd);
		EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
		EXPECT_TRUE(allows(fd, rights));
		if (!(rights & CTX_RIGHT_CANCEL))
			EXPECT_EQ(-EPERM, ctx_cancel(fd, 0));
		close(fd);
		EXPECT_TRUE(is_live(self->ctx));
	}
	fd = ctx_restrict(self->ctx, CTX_RIGHT_CANCEL);
	EXPECT_EQ(0, ctx_cancel(fd, EIO));
	EXPECT_TRUE(is_done(self->ctx, ECANCELED, EIO));
	close(fd);
}

TEST_F(rights, nobody_gets_back_what_was_left_out)
{
	__u32 kept, wanted;
	int fd, other;

	for (kept = 0; kept < RIGHTS; kept++) {
		fd = ctx_restrict(self->ctx, kept);
		ASSERT_LE(0, fd);
		for (wanted = 0; wanted < RIGHTS; wanted++) {
			other = ctx_restrict(fd, wanted);
			if (wanted & ~kept) {
				EXPECT_EQ(-EPERM, other);
				continue;
			}
			ASSERT_LE(0, other);
			if (wanted & CTX_RIGHT_OBSERVE)
				EXPECT_EQ(wanted, rights_of(other));
			close(other);
		}
		close(fd);
	}
}

/* What is derived with it has a say of its own, but reads no more than its maker. */
TEST_F(rights, children_do_not_regain_values)
{
	int fd = ctx_restrict(self->ctx, CTX_RIGHT_DERIVE | CTX_RIGHT_OBSERVE);
	int child = ctx_derive(fd, 0), value = ctx_set(fd, "l", "w");
	int grandchild = ctx_derive(child, 0), without = ctx_derive(fd, CTX_DERIVE_WITHOUT_CANCEL);

	ASSERT_LE(0, grandchild);
	EXPECT_EQ(CTX_RIGHT_CANCEL | CTX_RIGHT_DERIVE | CTX_RIGHT_OBSERVE, rights_of(child));
	EXPECT_EQ(CTX_RIGHT_CANCEL | CTX_RIGHT_DERIVE | CTX_RIGHT_OBSERVE, rights_of(grandchild));
	EXPECT_EQ(CTX_RIGHT_DERIVE | CTX_RIGHT_OBSERVE, rights_of(value));
	EXPECT_EQ(CTX_RIGHT_DERIVE | CTX_RIGHT_OBSERVE, rights_of(without));
	close(without);
	close(grandchild);
	close(value);
	close(child);
	close(fd);
}

/* A stranger with an OBSERVE descriptor may wait, and nothing else. */
TEST_F(rights, a_stranger_only_waits)
{
	int pair[2], fd;
	char path[64];
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	pid = spawn();
	if (!pid) {
		close(self->ctx);
		close(pair[0]);
		become(2001);
		fd = recv_fd(pair[1]);
		EXPECT_TRUE(allows(fd, CTX_RIGHT_OBSERVE));
		EXPECT_EQ(-EPERM, ctx_cancel(fd, 0));
		EXPECT_EQ(-EPERM, ctx_restrict(fd, RIGHTS_ALL));
		EXPECT_EQ(-EPERM, ctx_restrict(dup(fd), CTX_RIGHT_CANCEL));
		EXPECT_EQ(-EPERM, ctx_open_id(fd, ctx_id(fd), 0));
		/* Opened anew it is Background, or nothing. */
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		EXPECT_EQ(-1, open(path, O_RDWR));
		EXPECT_TRUE(tell(pair[1]));
		EXPECT_TRUE(wait_ready(fd));
		EXPECT_TRUE(is_done(fd, ECANCELED, EIO));
		child_exit();
	}
	close(pair[1]);
	fd = ctx_restrict(self->ctx, CTX_RIGHT_OBSERVE);
	ASSERT_LE(0, fd);
	ASSERT_TRUE(send_fd(pair[0], fd));
	ASSERT_TRUE(hear(pair[0]));
	EXPECT_TRUE(is_live(self->ctx));
	EXPECT_EQ(0, ctx_cancel(self->ctx, EIO));
	EXPECT_EQ(0, reap(pid));
	close(fd);
	close(pair[0]);
}

/* The last descriptor that holds CANCEL is the last of those that were made here, too. */
TEST_F(rights, who_lacks_cancel_does_not_keep_it_alive)
{
	int watch = ctx_restrict(self->ctx, RIGHTS_UNCANCELABLE);
	int holder = ctx_restrict(self->ctx, CTX_RIGHT_CANCEL);

	ASSERT_LE(0, holder);
	close(self->ctx);
	EXPECT_TRUE(is_live(watch));
	close(holder);
	EXPECT_TRUE(is_done(watch, ECANCELED, EOWNERDEAD));
	self->ctx = watch;
}

TEST_F(rights, background_and_values_have_no_cancel_to_pass_on)
{
	int fd;

	EXPECT_EQ(-EPERM, ctx_restrict(self->bg, CTX_RIGHT_CANCEL));
	EXPECT_EQ(-EPERM, ctx_restrict(self->value, RIGHTS_ALL));
	fd = ctx_restrict(self->bg, CTX_RIGHT_DERIVE);
	EXPECT_TRUE(allows(fd, CTX_RIGHT_DERIVE));
	close(fd);
}

TEST_F(rights, bad_arguments)
{
	struct ctx_ioc_restrict arg = { .size = sizeof(arg), .rights = CTX_RIGHT_OBSERVE };
	int next = next_fd();

	EXPECT_EQ(-EINVAL, ctx_restrict(self->ctx, RIGHTS));
	EXPECT_EQ(-EINVAL, ctx_restrict(self->ctx, ~0U));
	arg.flags = 1;
	EXPECT_EQ(-EINVAL, ctx_request(self->ctx, CTX_IOC_RESTRICT, &arg));
	arg.flags = 0;
	arg.reserved = 1;
	EXPECT_EQ(-EINVAL, ctx_request(self->ctx, CTX_IOC_RESTRICT, &arg));
	EXPECT_EQ(next, next_fd());
}

TEST_HARNESS_MAIN
