// SPDX-License-Identifier: GPL-2.0
/*
 * Rights only ever shrink, whatever a descriptor is used for, and by whatever way it, or
 * a process, gets elsewhere.
 */
#include "rights.h"

#include <sys/eventfd.h>
#include <sys/syscall.h>

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

TEST_F(rights, each_set_allows_what_it_says_and_nothing_else)
{
	__u32 rights;
	int fd;

	for (rights = 0; rights < RIGHTS; rights++) {
		fd = ctx_restrict(self->ctx, rights);
		ASSERT_LE(0, fd);
		EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
		EXPECT_TRUE(allows(fd, rights));
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

/* With a context of his own linked to it, and an on-done that will not be read. */
static void leave_marks(struct __test_metadata *_metadata, int bg, int sock)
{
	int fd = recv_fd(sock), his = ctx_derive(bg, 0), to[2];

	EXPECT_EQ(0, pipe2(to, O_CLOEXEC));
	EXPECT_EQ(0, ctx_link(his, fd));
	EXPECT_EQ(0, ctx_on_done(fd, to[1], "x", 1));
	EXPECT_TRUE(tell(sock));
	hear(sock);
	EXPECT_TRUE(is_live(his));
	EXPECT_TRUE(is_live(fd));
}

/* What its owner can do with a context that is in use. */
static void expect_in_use(struct __test_metadata *_metadata, int ctx, int other)
{
	int event = eventfd(0, EFD_CLOEXEC);

	EXPECT_EQ(-EBUSY, ctx_link(ctx, other));
	EXPECT_EQ(-EBUSY, ctx_watch(ctx, other, 0, 0));
	/* That is all. */
	EXPECT_EQ(0, ctx_watch(ctx, event, 0, 0));
	EXPECT_EQ(0, ctx_link(other, ctx));
	EXPECT_TRUE(allows(ctx, RIGHTS_ALL));
	close(event);
}

/*
 * What his waiting does to the owner: the context can be linked to no other while it is
 * in use, and INFO tells of what he had written, too. And no more than that.
 */
TEST_F(rights, a_stranger_leaves_two_marks)
{
	int watch = ctx_restrict(self->ctx, CTX_RIGHT_OBSERVE), event = eventfd(0, EFD_CLOEXEC);
	int first = ctx_derive(self->bg, 0), other = ctx_derive(self->bg, 0), pair[2];
	struct ctx_ioc_info before, after;
	const __u64 id = ctx_id(self->ctx);
	__u64 count = 0;
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	pid = spawn();
	if (!pid) {
		close(self->ctx);
		become(2001);
		leave_marks(_metadata, self->bg, pair[1]);
		child_exit();
	}
	EXPECT_EQ(0, ctx_link(self->ctx, first));
	EXPECT_EQ(0, ctx_on_done(self->ctx, event, NULL, 0));
	ASSERT_EQ(0, ctx_info(self->ctx, &before));
	ASSERT_TRUE(send_fd(pair[0], watch));
	ASSERT_TRUE(hear(pair[0]));

	expect_in_use(_metadata, self->ctx, other);
	ASSERT_EQ(0, ctx_info(self->ctx, &after));
	EXPECT_EQ(1, before.on_dones);
	EXPECT_EQ(2, after.on_dones);
	after.on_dones = before.on_dones;
	EXPECT_EQ(0, memcmp(&before, &after, sizeof(after)));

	/* The one goes with him, the other stays; neither keeps what nobody owns. */
	EXPECT_TRUE(tell(pair[0]));
	EXPECT_EQ(0, reap(pid));
	close(other);
	close(watch);
	other = ctx_derive(self->bg, 0);
	EXPECT_EQ(0, ctx_link(self->ctx, other));
	watch = ctx_restrict(self->ctx, CTX_RIGHT_OBSERVE);
	close(self->ctx);
	ASSERT_TRUE(is_done_by(watch, ECANCELED, EOWNERDEAD, id, getpid(), my_comm()));
	EXPECT_TRUE(is_live(other));
	EXPECT_EQ(EPIPE, written(watch));
	EXPECT_EQ(sizeof(count), read(event, &count, sizeof(count)));
	EXPECT_EQ(1, count);
	self->ctx = watch;
	close(other);
	close(first);
	close(event);
	close(pair[0]);
	close(pair[1]);
}

/* Ways on which a descriptor gets elsewhere, and has the rights that it had. */

#define STRANGER	2001

/* One of each set of rights. */
static bool restrict_all(int ctx, int *fds)
{
	__u32 rights;

	for (rights = 0; rights < RIGHTS; rights++) {
		fds[rights] = ctx_restrict(ctx, rights);
		if (!must(fds[rights] >= 0))
			return false;
	}
	return true;
}

static bool all_allow_the_same(const int *fds)
{
	__u32 rights;

	for (rights = 0; rights < RIGHTS; rights++)
		if (!allows(fds[rights], rights))
			return false;
	return true;
}

static void close_all(const int *fds)
{
	int i;

	for (i = 0; i < RIGHTS; i++)
		close(fds[i]);
}

FIXTURE(way) {
	int bg;
	int value;
	int ctx;
	int fds[RIGHTS];
	int pair[2];
};

FIXTURE_SETUP(way)
{
	self->bg = ctx_open();
	ASSERT_LE(0, self->bg);
	self->value = ctx_set(self->bg, "k", "v");
	ASSERT_LE(0, self->value);
	self->ctx = ctx_derive(self->value, 0);
	ASSERT_LE(0, self->ctx);
	ASSERT_TRUE(restrict_all(self->ctx, self->fds));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, self->pair));
}

FIXTURE_TEARDOWN(way)
{
	/* Whatever was tried. */
	EXPECT_TRUE(is_live(self->ctx));
	close(self->pair[0]);
	close(self->pair[1]);
	close_all(self->fds);
	close(self->ctx);
	close(self->value);
	close(self->bg);
}

TEST_F(way, duplicated)
{
	int copies[RIGHTS], i;

	for (i = 0; i < RIGHTS; i++)
		copies[i] = i & 1 ? dup(self->fds[i]) : fcntl(self->fds[i], F_DUPFD_CLOEXEC, 100);
	EXPECT_TRUE(all_allow_the_same(copies));
	for (i = 0; i < RIGHTS; i++)
		EXPECT_EQ(copies[i], dup3(self->fds[i], copies[i], O_CLOEXEC));
	EXPECT_TRUE(all_allow_the_same(copies));
	close_all(copies);
}

/* In children: of the same user, and of somebody else. */
static void expect_the_same(struct __test_metadata *_metadata, const int *fds, bool within)
{
	pid_t pid;
	int i;

	for (i = 0; i < 2; i++) {
		pid = spawn();
		if (!pid) {
			if (i)
				become(STRANGER);
			if (within)
				EXPECT_EQ(0, unshare(CLONE_NEWUSER));
			EXPECT_TRUE(all_allow_the_same(fds));
			child_exit();
		}
		EXPECT_EQ(0, reap(pid));
	}
}

TEST_F(way, forked)
{
	expect_the_same(_metadata, self->fds, false);
}

/* What this program does when it is the one that was started. */
static void __attribute__((constructor)) started(void)
{
	const char *first = getenv("CTX_TEST_FD");
	int fds[RIGHTS], i;

	if (!first)
		return;
	for (i = 0; i < RIGHTS; i++)
		fds[i] = atoi(first) + i;
	_exit(all_allow_the_same(fds) ? 0 : 1);
}

TEST_F(way, inherited_by_a_program)
{
	static char * const argv[] = { "restrict_test", NULL };
	pid_t pid = spawn();
	int i;

	if (!pid) {
		become(STRANGER);
		for (i = 0; i < RIGHTS; i++)
			dup2(self->fds[i], 200 + i);
		setenv("CTX_TEST_FD", "200", 1);
		execve("/proc/self/exe", argv, environ);
		_exit(99);
	}
	EXPECT_EQ(0, reap(pid));
}

TEST_F(way, passed_over_a_socket)
{
	int fds[RIGHTS], i;
	pid_t pid = spawn();

	if (!pid) {
		close_all(self->fds);
		close(self->ctx);
		become(STRANGER);
		for (i = 0; i < RIGHTS; i++)
			fds[i] = recv_fd(self->pair[1]);
		EXPECT_TRUE(all_allow_the_same(fds));
		/* And back. */
		for (i = 0; i < RIGHTS; i++)
			EXPECT_TRUE(send_fd(self->pair[1], fds[i]));
		child_exit();
	}
	for (i = 0; i < RIGHTS; i++)
		ASSERT_TRUE(send_fd(self->pair[0], self->fds[i]));
	EXPECT_EQ(0, reap(pid));
	for (i = 0; i < RIGHTS; i++)
		fds[i] = recv_fd(self->pair[0]);
	EXPECT_TRUE(all_allow_the_same(fds));
	close_all(fds);
}

/* All capabilities there are none over a context. */
TEST_F(way, into_a_user_namespace)
{
	expect_the_same(_metadata, self->fds, true);
}

/* Without the other's help */

/* Whoever could take it over by a debugger may do so, and gets what that one has. */
static bool take(pid_t pid, const int *from, int *to)
{
	int pidfd = syscall(SYS_pidfd_open, pid, 0), i;

	for (i = 0; i < RIGHTS; i++) {
		to[i] = syscall(SYS_pidfd_getfd, pidfd, from[i], 0);
		if (!must(to[i] >= 0))
			return false;
	}
	close(pidfd);
	return true;
}

TEST_F(way, taken_from_a_process)
{
	int fds[RIGHTS];
	pid_t holder = spawn(), pid;

	if (!holder) {
		become(STRANGER);
		EXPECT_EQ(0, prctl(PR_SET_DUMPABLE, 1));
		/* Where Yama is asked. */
		prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
		EXPECT_TRUE(tell(self->pair[1]));
		hear(self->pair[1]);
		child_exit();
	}
	ASSERT_TRUE(hear(self->pair[0]));
	pid = spawn();
	if (!pid) {
		close_all(self->fds);
		close(self->ctx);
		become(STRANGER);
		EXPECT_TRUE(take(holder, self->fds, fds));
		EXPECT_TRUE(all_allow_the_same(fds));
		child_exit();
	}
	EXPECT_EQ(0, reap(pid));
	EXPECT_TRUE(tell(self->pair[0]));
	EXPECT_EQ(0, reap(holder));
}

/* Opened by its path a descriptor is none: not one's own, not another's. */
static bool cannot_be_opened(pid_t pid, const int *fds, int error)
{
	static const int modes[] = { O_RDONLY, O_WRONLY, O_RDWR };
	char path[64];
	int i, j, fd;

	for (i = 0; i < RIGHTS; i++) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fds[i]);
		for (j = 0; j < 3; j++) {
			fd = open(path, modes[j] | O_CLOEXEC);
			if (!must(fd == -1) || !must(errno == error))
				return false;
		}
	}
	return true;
}

TEST_F(way, by_its_path)
{
	pid_t holder = getpid(), pid;
	char path[64];
	int fd;

	EXPECT_TRUE(cannot_be_opened(holder, self->fds, ENXIO));
	pid = spawn();
	if (!pid) {
		EXPECT_TRUE(cannot_be_opened(holder, self->fds, ENXIO));
		become(STRANGER);
		EXPECT_EQ(0, prctl(PR_SET_DUMPABLE, 1));
		EXPECT_TRUE(cannot_be_opened(getpid(), self->fds, EACCES));
		child_exit();
	}
	EXPECT_EQ(0, reap(pid));
	/* That of the device is the device, which is there for everybody. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", self->bg);
	fd = open(path, O_RDWR | O_CLOEXEC);
	EXPECT_EQ(0, ctx_id(fd));
	EXPECT_EQ(RIGHTS_UNCANCELABLE, rights_of(fd));
	close(fd);
}

/* What a stranger can do about what another has: nothing. */
static bool is_out_of_reach(pid_t holder, int pidfd, int bg, const int *fds, __u64 id)
{
	char path[64];
	int i;

	for (i = 0; i < RIGHTS; i++) {
		if (!must(syscall(SYS_pidfd_getfd, pidfd, fds[i], 0) == -1) ||
		    !must(errno == EPERM))
			return false;
		snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", holder, fds[i]);
		if (!must(open(path, O_RDONLY | O_CLOEXEC) == -1) || !must(errno == EACCES))
			return false;
		if (!must(ctx_open_id(bg, id, i) == -EPERM))
			return false;
	}
	return must(ctx_next(bg, id - 1) != id) &&
	       cannot_be_opened(holder, fds, EACCES);
}

TEST_F(way, out_of_reach)
{
	const pid_t holder = getpid();
	const __u64 id = ctx_id(self->ctx);
	int pidfd = syscall(SYS_pidfd_open, holder, 0);
	pid_t pid = spawn();

	ASSERT_LE(0, pidfd);
	if (!pid) {
		close_all(self->fds);
		close(self->ctx);
		become(STRANGER);
		EXPECT_TRUE(is_out_of_reach(holder, pidfd, self->bg, self->fds, id));
		/* Nor as root, with all capabilities, of a namespace of his own. */
		EXPECT_EQ(0, unshare(CLONE_NEWUSER));
		EXPECT_TRUE(is_out_of_reach(holder, pidfd, self->bg, self->fds, id));
		/* Nor by what he was given to wait for it. */
		EXPECT_TRUE(is_out_of_reach(holder, pidfd, recv_fd(self->pair[1]), self->fds, id));
		child_exit();
	}
	EXPECT_TRUE(send_fd(self->pair[0], self->fds[CTX_RIGHT_OBSERVE]));
	EXPECT_EQ(0, reap(pid));
	close(pidfd);
}

/* What was made in a user namespace is no less its maker's. */
TEST_F(way, made_in_a_user_namespace)
{
	int fd;
	pid_t pid = spawn(), other;

	if (!pid) {
		become(STRANGER);
		EXPECT_EQ(0, unshare(CLONE_NEWUSER));
		fd = ctx_derive(self->bg, 0);
		EXPECT_TRUE(send_fd(self->pair[1], ctx_restrict(fd, CTX_RIGHT_OBSERVE)));
		hear(self->pair[1]);
		EXPECT_EQ(0, ctx_err(fd));
		child_exit();
	}
	fd = recv_fd(self->pair[0]);
	ASSERT_LE(0, fd);
	other = spawn();
	if (!other) {
		/* Capabilities in another one are none in that. */
		become(STRANGER + 1);
		EXPECT_EQ(0, unshare(CLONE_NEWUSER));
		EXPECT_EQ(-EPERM, ctx_open_id(self->bg, ctx_id(fd), CTX_RIGHT_OBSERVE));
		EXPECT_EQ(-EPERM, ctx_open_id(self->bg, ctx_id(fd), CTX_RIGHT_CANCEL));
		EXPECT_TRUE(allows_cancel(fd, false));
		child_exit();
	}
	EXPECT_EQ(0, reap(other));
	other = spawn();
	if (!other) {
		/* The same user may, outside of it. */
		become(STRANGER);
		EXPECT_LE(0, ctx_open_id(self->bg, ctx_id(fd), CTX_RIGHT_CANCEL));
		child_exit();
	}
	EXPECT_EQ(0, reap(other));
	EXPECT_TRUE(tell(self->pair[0]));
	EXPECT_EQ(0, reap(pid));
	close(fd);
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
