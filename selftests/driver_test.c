// SPDX-License-Identifier: GPL-2.0
/*
 * Contexts that a driver takes from processes by their descriptors, and that it gives
 * out. The driver is ctx_driver.ko, which comes and goes with each test.
 */
#include "ctx_fail.h"
#include "ctx_module.h"
#include "ctx_test.h"
#include "stall.h"

#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

#include "../kmod/tests/driver/driver.h"

#define MAX_DEPTH	CTX_PARAMETERS "max_depth"
#define CGROUP		"/sys/fs/cgroup/ctx_driver_test"

/* As ctx_install_fd() has it. */
#define INSTALL_OWNER	0x01

FIXTURE(driver) {
	int bg;
	int dev;
	long long users;
	struct ctx_driver_arg arg;
};

FIXTURE_SETUP(driver)
{
	self->users = read_number(REFCNT);
	unload_module("ctx_driver");
	ASSERT_EQ(0, load_module("ctx_driver", ""));
	self->dev = open("/dev/ctx_driver", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->dev);
	self->bg = ctx_open();
	ASSERT_LE(0, self->bg);
}

FIXTURE_TEARDOWN(driver)
{
	close(self->bg);
	close(self->dev);
	EXPECT_EQ(0, unload_module("ctx_driver"));
	/* Who lets go of a file is to come to his end. */
	wait_users(self->users);
	EXPECT_EQ(self->users, read_number(REFCNT));
}

static int take(fixture_self(driver), int fd, __u32 rights)
{
	self->arg = (struct ctx_driver_arg){ .fd = fd, .rights = rights };
	return ctx_request(self->dev, CTX_DRIVER_TAKE, &self->arg);
}

static int give_below(fixture_self(driver), __u32 what, int fd, __u32 rights, __u32 flags)
{
	self->arg = (struct ctx_driver_arg){
		.fd = fd,
		.rights = rights,
		.flags = flags,
		.what = what,
	};
	return ctx_request(self->dev, CTX_DRIVER_GIVE, &self->arg);
}

static int give(fixture_self(driver), __u32 what, __u32 rights, __u32 flags)
{
	return give_below(self, what, -1, rights, flags);
}

static int give_ambient_of(fixture_self(driver), pid_t pid)
{
	self->arg = (struct ctx_driver_arg){
		.fd = -1,
		.rights = CTX_RIGHT_OBSERVE,
		.what = CTX_DRIVER_AMBIENT,
		.count = pid,
	};
	return ctx_request(self->dev, CTX_DRIVER_GIVE, &self->arg);
}

/* The cause of what the driver keeps: 0 while it is live. */
static int kept(fixture_self(driver))
{
	self->arg = (struct ctx_driver_arg){};
	return ctx_request(self->dev, CTX_DRIVER_SHOW, &self->arg) ?: -self->arg.cause;
}

static int end(fixture_self(driver), int cause)
{
	self->arg = (struct ctx_driver_arg){ .cause = -cause };
	return ctx_request(self->dev, CTX_DRIVER_END, &self->arg);
}

TEST_F(driver, takes_a_context)
{
	int ctx = ctx_derive(self->bg, 0), value = ctx_set(ctx, "k", "v");

	EXPECT_EQ(0, take(self, ctx, RIGHTS_ALL));
	EXPECT_STREQ("background.with_cancel", self->arg.path);
	EXPECT_EQ(0, take(self, value, CTX_RIGHT_VALUE));
	EXPECT_STREQ("background.with_cancel.with_value", self->arg.path);
	EXPECT_EQ(0, take(self, self->bg, CTX_RIGHT_DERIVE));
	EXPECT_STREQ("background", self->arg.path);
	close(value);
	/* It has only looked: the maker's is still the last one. */
	value = ctx_restrict(ctx, CTX_RIGHT_OBSERVE);
	close(ctx);
	EXPECT_TRUE(is_done(value, ECANCELED, EOWNERDEAD));
	EXPECT_EQ(0, take(self, value, CTX_RIGHT_OBSERVE));
	close(value);
}

TEST_F(driver, takes_nothing_else)
{
	int fds[] = {
		self->dev, eventfd(0, EFD_CLOEXEC), open("/dev/null", O_RDWR | O_CLOEXEC),
		socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0),
	};
	int i, path = open(CTX_DEV, O_PATH | O_CLOEXEC);

	for (i = 0; i < sizeof(fds) / sizeof(*fds); i++) {
		ASSERT_LE(0, fds[i]);
		EXPECT_EQ(-EINVAL, take(self, fds[i], 0));
		if (i)
			close(fds[i]);
	}
	EXPECT_EQ(-EBADF, take(self, path, 0));
	close(path);
	EXPECT_EQ(-EBADF, take(self, path, 0));
	EXPECT_EQ(-EBADF, take(self, -1, 0));
}

TEST_F(driver, takes_it_with_rights_only)
{
	int ctx = ctx_derive(self->bg, 0), has, wants, fd;

	for (has = 0; has <= RIGHTS_ALL; has++) {
		fd = ctx_restrict(ctx, has);
		for (wants = 0; wants <= RIGHTS_ALL; wants++)
			EXPECT_EQ(wants & ~has ? -EPERM : 0, take(self, fd, wants));
		close(fd);
	}
	EXPECT_EQ(-EPERM, take(self, ctx, RIGHTS_ALL + 1));
	EXPECT_EQ(-EPERM, take(self, self->bg, CTX_RIGHT_CANCEL));
	close(ctx);
}

/* Its operation ends with its caller, or when he says. */
TEST_F(driver, obeys)
{
	int ctx = ctx_derive(self->bg, 0), i, late;
	pid_t pid;

	for (i = 0; i < 2; i++) {
		int seen = ctx_restrict(ctx, CTX_RIGHT_OBSERVE | CTX_RIGHT_DERIVE);

		pid = spawn();
		if (!pid) {
			self->arg.fd = seen;
			close(ctx);
			EXPECT_EQ(i ? -EOWNERDEAD : -EIO,
				  ctx_request(self->dev, CTX_DRIVER_WAIT, &self->arg));
			child_exit();
		}
		wait_asleep(pid);
		if (!i)
			EXPECT_EQ(0, ctx_cancel(ctx, EIO));
		close(ctx);
		EXPECT_EQ(0, reap(pid));
		close(seen);
		ctx = ctx_derive(self->bg, 0);
	}
	close(ctx);
	late = ctx_timeout(self->bg, NSEC_PER_SEC / 100, 0);
	self->arg.fd = late;
	EXPECT_EQ(-ETIMEDOUT, ctx_request(self->dev, CTX_DRIVER_WAIT, &self->arg));
	close(late);
	self->arg.fd = ctx_restrict(self->bg, CTX_RIGHT_OBSERVE);
	EXPECT_EQ(-EPERM, ctx_request(self->dev, CTX_DRIVER_WAIT, &self->arg));
	close(self->arg.fd);
}

TEST_F(driver, gives_a_context)
{
	struct ctx_ioc_info info;
	int fd = give(self, CTX_DRIVER_CANCEL, CTX_RIGHT_OBSERVE | CTX_RIGHT_DERIVE, 0), child;

	ASSERT_LE(0, fd);
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	EXPECT_TRUE(is_live(fd));
	ASSERT_EQ(0, ctx_info(fd, &info));
	EXPECT_EQ(0, info.id);
	EXPECT_EQ(0, info.parent_id);
	EXPECT_EQ(0, info.creator_pid);
	EXPECT_EQ(1, info.depth);
	EXPECT_EQ(CTX_RIGHT_OBSERVE | CTX_RIGHT_DERIVE, info.rights);
	EXPECT_EQ(-EPERM, ctx_cancel(fd, 0));
	EXPECT_STREQ("(error)", ctx_get(fd, "k"));
	child = ctx_derive(fd, 0);
	ASSERT_EQ(0, ctx_info(child, &info));
	EXPECT_EQ(0, info.parent_id);
	EXPECT_EQ(2, info.depth);
	/* Its end is seen below, with the driver's cause. */
	EXPECT_EQ(0, end(self, EIO));
	EXPECT_TRUE(is_done_by(fd, ECANCELED, EIO, 0, getpid(), my_comm()));
	EXPECT_TRUE(same_end(fd, child));
	close(child);
	/* It may be the only one who still has it. */
	EXPECT_EQ(0, ctx_request(self->dev, CTX_DRIVER_DROP, &self->arg));
	EXPECT_TRUE(is_done(fd, ECANCELED, EIO));
	close(fd);
}

TEST_F(driver, gives_without_waiting)
{
	int fd = give(self, CTX_DRIVER_CANCEL, CTX_RIGHT_OBSERVE, O_NONBLOCK | O_CLOEXEC);
	struct ctx_event event;

	ASSERT_LE(0, fd);
	EXPECT_EQ(-1, read(fd, &event, sizeof(event)));
	EXPECT_EQ(EAGAIN, errno);
	close(fd);
}

/* Closing is nothing to it, unless the driver says so. */
TEST_F(driver, closing)
{
	int fd = give(self, CTX_DRIVER_CANCEL, RIGHTS_ALL, 0), other;

	ASSERT_LE(0, fd);
	other = ctx_restrict(fd, CTX_RIGHT_CANCEL);
	close(fd);
	close(other);
	EXPECT_EQ(0, kept(self));
	/* Who may cancel can say so. */
	fd = give(self, CTX_DRIVER_CANCEL, RIGHTS_ALL, 0);
	EXPECT_EQ(0, ctx_cancel(fd, EIO));
	EXPECT_EQ(EIO, kept(self));
	close(fd);

	fd = give(self, CTX_DRIVER_CANCEL, RIGHTS_ALL, INSTALL_OWNER);
	ASSERT_LE(0, fd);
	other = ctx_restrict(fd, CTX_RIGHT_CANCEL);
	close(ctx_restrict(fd, RIGHTS_UNCANCELABLE));
	close(fd);
	EXPECT_EQ(0, kept(self));
	fd = ctx_restrict(other, CTX_RIGHT_CANCEL);
	close(other);
	EXPECT_EQ(0, kept(self));
	close(fd);
	EXPECT_EQ(EOWNERDEAD, kept(self));
	/* One that does not cancel does not count, and may be the last. */
	fd = give(self, CTX_DRIVER_CANCEL, RIGHTS_ALL, INSTALL_OWNER);
	other = ctx_restrict(fd, CTX_RIGHT_OBSERVE);
	close(fd);
	EXPECT_TRUE(is_done(other, ECANCELED, EOWNERDEAD));
	fd = ctx_restrict(other, CTX_RIGHT_OBSERVE);
	close(other);
	EXPECT_TRUE(is_done(fd, ECANCELED, EOWNERDEAD));
	close(fd);
}

TEST_F(driver, its_owner_is_killed)
{
	pid_t pid = spawn();

	if (!pid) {
		give(self, CTX_DRIVER_CANCEL, RIGHTS_ALL, INSTALL_OWNER);
		for (;;)
			pause();
	}
	wait_asleep(pid);
	while (kept(self) || strcmp(self->arg.path, "background.with_cancel"))
		sched_yield();
	EXPECT_EQ(0, kill(pid, SIGKILL));
	EXPECT_EQ(KILLED, reap(pid));
	EXPECT_EQ(EOWNERDEAD, kept(self));
}

/* What was not given is not lost either. */
TEST_F(driver, no_room_for_a_descriptor)
{
	int room = next_fd();
	pid_t pid = spawn();

	if (!pid) {
		EXPECT_TRUE(allow_files(room));
		EXPECT_EQ(-EMFILE, give(self, CTX_DRIVER_CANCEL, RIGHTS_ALL, INSTALL_OWNER));
		EXPECT_EQ(0, kept(self));
		EXPECT_STREQ("background.with_cancel", self->arg.path);
		EXPECT_EQ(-EMFILE, give(self, CTX_DRIVER_CANCEL, RIGHTS_ALL, 0));
		EXPECT_EQ(0, kept(self));
		child_exit();
	}
	EXPECT_EQ(0, reap(pid));
}

TEST_F(driver, what_cannot_be_given)
{
	int next = next_fd();

	EXPECT_EQ(-EINVAL, give(self, CTX_DRIVER_NULL, CTX_RIGHT_OBSERVE, 0));
	EXPECT_EQ(-EXDEV, give(self, CTX_DRIVER_ERROR, CTX_RIGHT_OBSERVE, 0));
	EXPECT_EQ(-EINVAL, give(self, CTX_DRIVER_CANCEL, RIGHTS_ALL + 1, 0));
	EXPECT_EQ(-EINVAL, give(self, CTX_DRIVER_CANCEL, RIGHTS_ALL, 2));
	EXPECT_EQ(-EINVAL, give(self, CTX_DRIVER_CANCEL, RIGHTS_ALL, O_APPEND));
	EXPECT_EQ(-EINVAL, give(self, CTX_DRIVER_CANCEL, RIGHTS_UNCANCELABLE, INSTALL_OWNER));
	EXPECT_EQ(-EINVAL, give(self, CTX_DRIVER_VALUE, RIGHTS_ALL, 0));
	EXPECT_EQ(-EINVAL, give(self, CTX_DRIVER_WITHOUT, RIGHTS_ALL, 0));
	EXPECT_EQ(-EINVAL, give(self, CTX_DRIVER_BACKGROUND, RIGHTS_ALL, 0));
	EXPECT_EQ(next, next_fd());
}

TEST_F(driver, each_kind)
{
	static const __u32 kinds[] = {
		CTX_DRIVER_BACKGROUND, CTX_DRIVER_TODO, CTX_DRIVER_VALUE, CTX_DRIVER_WITHOUT,
	};
	int i, fd, child;

	for (i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		fd = give(self, kinds[i], RIGHTS_UNCANCELABLE, 0);
		ASSERT_LE(0, fd);
		EXPECT_TRUE(is_live(fd));
		EXPECT_STREQ("(none)", ctx_get(fd, "k"));
		child = ctx_set(fd, "k", "v");
		EXPECT_STREQ("v", ctx_get(child, "k"));
		close(child);
		close(fd);
	}
}

/* Not even where the key is the same does a process see what a driver's value is. */
TEST_F(driver, values_of_the_kernel_are_never_read)
{
	int value = ctx_set(self->bg, "k", "v"), shadow, more;

	EXPECT_STREQ("v", ctx_get(value, "k"));
	shadow = give_below(self, CTX_DRIVER_SHADOW, value, RIGHTS_UNCANCELABLE, 0);
	ASSERT_LE(0, shadow);
	EXPECT_STREQ("v", ctx_get(shadow, "k"));
	more = ctx_set(shadow, "other", "w");
	EXPECT_STREQ("v", ctx_get(more, "k"));
	close(more);
	close(shadow);
	/* In an index of many, too. */
	for (more = 0; more < 20; more++) {
		char key[8];
		int next;

		snprintf(key, sizeof(key), "%d", more);
		next = ctx_set(value, key, "x");
		ASSERT_LE(0, next);
		close(value);
		value = next;
	}
	shadow = ctx_set(value, "k", "w");
	close(value);
	value = give_below(self, CTX_DRIVER_SHADOW, shadow, RIGHTS_UNCANCELABLE, 0);
	ASSERT_LE(0, value);
	EXPECT_STREQ("w", ctx_get(value, "k"));
	EXPECT_STREQ("x", ctx_get(value, "3"));
	close(value);
	close(shadow);
}

/* Who writes for a user is nobody's when he has. */
TEST_F(driver, workers_are_left_as_they_were)
{
	int pipe[2], ctx;
	pid_t pid;

	ASSERT_EQ(0, pipe2(pipe, O_CLOEXEC));
	EXPECT_EQ(0, ctx_request(self->dev, CTX_DRIVER_WORKERS, &self->arg));
	pid = spawn();
	if (!pid) {
		become(10000);
		ctx = ctx_derive(self->bg, 0);
		EXPECT_EQ(0, ctx_on_done(ctx, pipe[1], "done", 4));
		EXPECT_EQ(0, ctx_cancel(ctx, 0));
		EXPECT_EQ(0, written(ctx));
		child_exit();
	}
	EXPECT_EQ(0, reap(pid));
	EXPECT_EQ(0, ctx_request(self->dev, CTX_DRIVER_WORKERS, &self->arg));
	close(pipe[0]);
	close(pipe[1]);
}

/* A process's own goes through the driver as it is. */
TEST_F(driver, gives_back_what_a_process_made)
{
	int ctx = ctx_derive(self->bg, 0), fd;
	__u64 id = ctx_id(ctx);

	fd = give_below(self, CTX_DRIVER_SAME, ctx, CTX_RIGHT_CANCEL | CTX_RIGHT_OBSERVE, 0);
	ASSERT_LE(0, fd);
	EXPECT_EQ(id, ctx_id(fd));
	close(ctx);
	EXPECT_TRUE(is_live(fd));
	close(fd);
	EXPECT_EQ(EOWNERDEAD, kept(self));
}

TEST_F(driver, something_written_or_watched_takes_a_child)
{
	int fd = give(self, CTX_DRIVER_CANCEL, RIGHTS_ALL, 0), child;
	int event = eventfd(0, EFD_CLOEXEC);
	__u64 count;

	EXPECT_EQ(-EOPNOTSUPP, ctx_on_done(fd, event, NULL, 0));
	EXPECT_EQ(-EOPNOTSUPP, ctx_watch(fd, event, 0, 0));
	EXPECT_EQ(0, ctx_on_done(self->bg, event, NULL, 0));
	EXPECT_TRUE(is_live(fd));
	child = ctx_derive(fd, 0);
	EXPECT_EQ(0, ctx_on_done(child, event, NULL, 0));
	EXPECT_EQ(0, end(self, EIO));
	EXPECT_EQ(0, written(child));
	EXPECT_EQ(sizeof(count), read(event, &count, sizeof(count)));
	close(child);
	close(event);
	close(fd);
}

/* ... whatever kind it is, whoever owns it, and also when it is done. */
TEST_F(driver, nothing_is_kept_for_what_no_process_made)
{
	static const __u32 kinds[] = { CTX_DRIVER_VALUE, CTX_DRIVER_WITHOUT };
	int ctx = ctx_derive(self->bg, 0), event = eventfd(0, EFD_CLOEXEC), fd, i;
	struct ctx_ioc_info info;

	for (i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		fd = give(self, kinds[i], RIGHTS_UNCANCELABLE, 0);
		ASSERT_LE(0, fd);
		EXPECT_EQ(-EOPNOTSUPP, ctx_on_done(fd, event, NULL, 0));
		close(fd);
	}
	for (i = 0; i < 3; i++) {
		fd = give(self, CTX_DRIVER_CANCEL, RIGHTS_ALL, i ? INSTALL_OWNER : 0);
		ASSERT_LE(0, fd);
		if (i == 2)
			EXPECT_EQ(0, ctx_cancel(fd, EIO));
		EXPECT_EQ(-EOPNOTSUPP, ctx_link(fd, ctx));
		EXPECT_EQ(-EOPNOTSUPP, ctx_link(fd, self->bg));
		EXPECT_EQ(-EOPNOTSUPP, ctx_watch(fd, ctx, 0, 0));
		EXPECT_EQ(-EOPNOTSUPP, ctx_watch(fd, event, POLLOUT, EPERM));
		EXPECT_EQ(-EOPNOTSUPP, ctx_on_done(fd, event, NULL, 0));
		EXPECT_EQ(-EBADF, ctx_link(fd, -1));
		EXPECT_EQ(-EINVAL, ctx_link(fd, event));
		EXPECT_EQ(i == 2 ? EIO : 0, ctx_cause(fd));
		EXPECT_EQ(0, ctx_info(fd, &info));
		EXPECT_EQ(0, info.on_dones);
		close(fd);
	}
	/* The other one is not linked to: it can still be linked. */
	EXPECT_TRUE(is_live(ctx));
	EXPECT_EQ(0, ctx_link(ctx, self->bg));
	EXPECT_EQ(0, poll_events(event, POLLIN, 0));
	close(event);
	close(ctx);
}

/* The other way round, a process's own ends with the driver's. */
TEST_F(driver, can_be_linked_to)
{
	int fd = give(self, CTX_DRIVER_CANCEL, CTX_RIGHT_OBSERVE, 0), i;
	int ctx[] = { ctx_derive(self->bg, 0), ctx_derive(self->bg, 0) };

	ASSERT_LE(0, fd);
	EXPECT_EQ(0, ctx_link(ctx[0], fd));
	EXPECT_EQ(0, ctx_watch(ctx[1], fd, 0, EPERM));
	close(fd);
	EXPECT_EQ(0, end(self, EIO));
	for (i = 0; i < 2; i++) {
		EXPECT_TRUE(is_done_by(ctx[i], ECANCELED, EIO, 0, getpid(), my_comm()));
		close(ctx[i]);
	}
}

#define LINKED_ROUNDS	20
#define LINKED_DEPTH	200

/* Of the calling user: what is linked to @other, and the bottom of what is below that. */
static int link_chain(int bg, int other)
{
	int ctx = ctx_derive(bg, 0), depth;

	must(ctx_link(ctx, other) == 0);
	for (depth = 0; depth < LINKED_DEPTH; depth++)
		ctx = ctx_derive(ctx, 0);
	return ctx;
}

/*
 * What a process has linked to the kernel's, or to another user's, is for a worker to
 * end: that is waited for as well.
 */
TEST_F(driver, s5_waits_for_what_others_have_linked)
{
	int i, ctx, fd, bottom;
	pid_t pid;

	for (i = 0; i < LINKED_ROUNDS; i++) {
		ctx = ctx_derive(self->bg, 0);
		fd = give_below(self, i & 1 ? CTX_DRIVER_SAME : CTX_DRIVER_CANCEL, ctx,
				CTX_RIGHT_OBSERVE, 0);
		ASSERT_LE(0, fd);
		pid = spawn();
		if (!pid) {
			become(10000);
			bottom = link_chain(self->bg, fd);
			EXPECT_EQ(0, ctx_request(self->dev, CTX_DRIVER_END_SYNC, &self->arg));
			EXPECT_EQ(ECANCELED, ctx_err(bottom));
			child_exit();
		}
		EXPECT_EQ(0, reap(pid));
		close(fd);
		close(ctx);
	}
}

/* It has no number, but is not Background, which is at depth 0. */
TEST_F(driver, tells_where_it_is)
{
	int ctx = ctx_derive(self->bg, 0), child = ctx_derive(ctx, 0), fd;
	struct ctx_ioc_info info;

	fd = give_below(self, CTX_DRIVER_VALUE, child, RIGHTS_UNCANCELABLE, 0);
	EXPECT_EQ(0, ctx_info(fd, &info));
	EXPECT_EQ(0, info.id);
	EXPECT_EQ(ctx_id(child), info.parent_id);
	EXPECT_EQ(3, info.depth);
	close(fd);
	fd = give(self, CTX_DRIVER_TODO, CTX_RIGHT_OBSERVE, 0);
	EXPECT_EQ(0, ctx_info(fd, &info));
	EXPECT_EQ(0, info.parent_id);
	EXPECT_EQ(0, info.depth);
	close(fd);
	close(child);
	close(ctx);
}

/* Through a driver is no way around the bound, beyond which nobody counts. */
TEST_F(driver, depth)
{
	long long max = read_number(MAX_DEPTH);
	struct ctx_ioc_info info;
	int fd, child;

	ASSERT_LT(4, max);
	self->arg = (struct ctx_driver_arg){
		.fd = -1,
		.rights = RIGHTS_ALL,
		.what = CTX_DRIVER_CHAIN,
		.count = max - 1,
	};
	fd = ctx_request(self->dev, CTX_DRIVER_GIVE, &self->arg);
	ASSERT_LE(0, fd);
	child = ctx_derive(fd, 0);
	ASSERT_LE(0, child);
	EXPECT_EQ(0, ctx_info(child, &info));
	EXPECT_EQ(max, info.depth);
	EXPECT_EQ(-ELOOP, ctx_derive(child, 0));
	EXPECT_EQ(0, ctx_info(fd, &info));
	EXPECT_EQ(max - 1, info.depth);
	close(fd);
	fd = give_below(self, CTX_DRIVER_CANCEL, child, RIGHTS_ALL, 0);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-ELOOP, ctx_derive(fd, 0));
	close(fd);
	close(child);
	self->arg.count = 100 * max;
	self->arg.fd = -1;
	self->arg.what = CTX_DRIVER_CHAIN;
	fd = ctx_request(self->dev, CTX_DRIVER_GIVE, &self->arg);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-ELOOP, ctx_derive(fd, 0));
	EXPECT_EQ(0, ctx_info(fd, &info));
	EXPECT_EQ(max, info.depth);
	close(fd);
}

/* A driver that was passed nothing. */
TEST_F(driver, finds_what_its_caller_runs_under)
{
	int ctx = ctx_derive(self->bg, 0), fd, procs;
	pid_t pid;

	fd = give(self, CTX_DRIVER_AMBIENT, CTX_RIGHT_OBSERVE, 0);
	EXPECT_EQ(0, ctx_id(fd));
	close(fd);
	rmdir(CGROUP);
	ASSERT_EQ(0, mkdir(CGROUP, 0755));
	procs = open(CGROUP "/cgroup.procs", O_WRONLY | O_CLOEXEC);
	EXPECT_EQ(0, ctx_bind(ctx, procs));
	pid = spawn();
	if (!pid) {
		EXPECT_EQ(1, write(procs, "0", 1));
		fd = give(self, CTX_DRIVER_AMBIENT, CTX_RIGHT_OBSERVE, 0);
		EXPECT_EQ(ctx_id(ctx), ctx_id(fd));
		child_exit();
	}
	EXPECT_EQ(0, reap(pid));
	/* And that of somebody else. */
	pid = spawn();
	if (!pid) {
		EXPECT_EQ(1, write(procs, "0", 1));
		kill(getpid(), SIGSTOP);
		child_exit();
	}
	EXPECT_EQ(pid, waitpid(pid, NULL, WUNTRACED));
	fd = give_ambient_of(self, pid);
	EXPECT_EQ(ctx_id(ctx), ctx_id(fd));
	close(fd);
	kill(pid, SIGCONT);
	EXPECT_EQ(0, reap(pid));
	/* A context of the kernel's can be bound as well. */
	fd = give(self, CTX_DRIVER_CANCEL, RIGHTS_ALL, 0);
	EXPECT_EQ(0, ctx_bind(fd, procs));
	EXPECT_EQ(0, end(self, EIO));
	pid = spawn();
	if (!pid) {
		EXPECT_EQ(1, write(procs, "0", 1));
		EXPECT_TRUE(is_done(ctx_ambient(self->bg, 0), ECANCELED, EIO));
		child_exit();
	}
	EXPECT_EQ(0, reap(pid));
	while (rmdir(CGROUP) && errno == EBUSY)
		sched_yield();
	close(fd);
	close(procs);
	close(ctx);
}

/* ctx_cancel_on_file(): what is watched, and what makes it ready */
FIXTURE(on_file) {
	struct _test_data_driver driver;
	int fd;
	int other;
	pid_t pid;
};

static bool make_eventfd(fixture_self(on_file))
{
	self->fd = eventfd(0, EFD_CLOEXEC);
	self->other = dup(self->fd);
	return self->fd >= 0;
}

static bool make_pipe(fixture_self(on_file))
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC))
		return false;
	self->fd = fds[0];
	self->other = fds[1];
	return true;
}

static bool make_timerfd(fixture_self(on_file))
{
	self->fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	self->other = dup(self->fd);
	return self->fd >= 0;
}

static bool make_pidfd(fixture_self(on_file))
{
	self->pid = spawn();
	if (!self->pid)
		for (;;)
			pause();
	self->fd = syscall(SYS_pidfd_open, self->pid, 0);
	self->other = -1;
	return self->fd >= 0;
}

static bool make_socket(fixture_self(on_file))
{
	int from_to[2];

	if (!make_datagrams(from_to))
		return false;
	self->other = from_to[0];
	self->fd = from_to[1];
	return true;
}

static bool write_one(fixture_self(on_file))
{
	const __u64 one = 1;

	return write(self->other, &one, sizeof(one)) == sizeof(one);
}

static bool go_off(fixture_self(on_file))
{
	const struct itimerspec at_once = { .it_value.tv_nsec = 1 };

	return !timerfd_settime(self->other, 0, &at_once, NULL);
}

static bool die(fixture_self(on_file))
{
	return !kill(self->pid, SIGKILL);
}

FIXTURE_VARIANT(on_file) {
	bool (*make)(fixture_self(on_file));
	bool (*trigger)(fixture_self(on_file));
};

FIXTURE_VARIANT_ADD(on_file, eventfd) {
	.make = make_eventfd,
	.trigger = write_one,
};

FIXTURE_VARIANT_ADD(on_file, pipe) {
	.make = make_pipe,
	.trigger = write_one,
};

FIXTURE_VARIANT_ADD(on_file, timerfd) {
	.make = make_timerfd,
	.trigger = go_off,
};

FIXTURE_VARIANT_ADD(on_file, pidfd) {
	.make = make_pidfd,
	.trigger = die,
};

FIXTURE_VARIANT_ADD(on_file, socket) {
	.make = make_socket,
	.trigger = write_one,
};

FIXTURE_SETUP(on_file)
{
	driver_setup(_metadata, &self->driver, NULL);
	ASSERT_TRUE(variant->make(self));
}

FIXTURE_TEARDOWN(on_file)
{
	close(self->fd);
	close(self->other);
	if (self->pid) {
		kill(self->pid, SIGKILL);
		reap(self->pid);
	}
	driver_teardown(_metadata, &self->driver, NULL);
}

static int on_events(struct _test_data_driver *driver, int fd, short events)
{
	driver->arg = (struct ctx_driver_arg){ .fd = fd, .flags = events, .cause = -EIO };
	return ctx_request(driver->dev, CTX_DRIVER_ON_FILE, &driver->arg);
}

static int on_file(struct _test_data_driver *driver, int fd)
{
	return on_events(driver, fd, POLLIN);
}

static int off_file_in(struct _test_data_driver *driver, __u32 where)
{
	driver->arg = (struct ctx_driver_arg){ .where = where };
	return ctx_request(driver->dev, CTX_DRIVER_OFF_FILE, &driver->arg);
}

static int off_file(struct _test_data_driver *driver)
{
	return off_file_in(driver, CTX_DRIVER_TASK);
}

/* It is kept open meanwhile, and fires once. */
TEST_F(on_file, fires)
{
	ASSERT_EQ(0, on_file(&self->driver, self->fd));
	close(self->fd);
	self->fd = -1;
	EXPECT_EQ(0, kept(&self->driver));
	EXPECT_TRUE(variant->trigger(self));
	while (!kept(&self->driver))
		sched_yield();
	EXPECT_EQ(EIO, kept(&self->driver));
	EXPECT_EQ(0, off_file(&self->driver));
}

TEST_F(on_file, is_detached)
{
	ASSERT_EQ(0, on_file(&self->driver, self->fd));
	EXPECT_EQ(1, off_file(&self->driver));
	EXPECT_TRUE(variant->trigger(self));
	EXPECT_EQ(0, kept(&self->driver));
}

/* What is ready already fires at once, and is to be detached all the same. */
TEST_F(on_file, is_ready)
{
	EXPECT_TRUE(variant->trigger(self));
	ASSERT_EQ(1, poll_events(self->fd, POLLIN, -1) == POLLIN);
	ASSERT_EQ(0, on_file(&self->driver, self->fd));
	EXPECT_EQ(EIO, kept(&self->driver));
	EXPECT_EQ(0, off_file(&self->driver));
}

/* The driver has the last reference on the file, and lets go of it anywhere. */
FIXTURE(last) {
	struct _test_data_driver driver;
	int pipe[2];
};

FIXTURE_VARIANT(last) {
	__u32 where;
};

FIXTURE_VARIANT_ADD(last, task) {
	.where = CTX_DRIVER_TASK,
};

FIXTURE_VARIANT_ADD(last, handler) {
	.where = CTX_DRIVER_HANDLER,
};

FIXTURE_VARIANT_ADD(last, softirq) {
	.where = CTX_DRIVER_SOFTIRQ,
};

FIXTURE_VARIANT_ADD(last, locked) {
	.where = CTX_DRIVER_LOCKED,
};

FIXTURE_SETUP(last)
{
	driver_setup(_metadata, &self->driver, NULL);
	ASSERT_EQ(0, pipe2(self->pipe, O_CLOEXEC));
}

FIXTURE_TEARDOWN(last)
{
	close(self->pipe[1]);
	driver_teardown(_metadata, &self->driver, NULL);
}

static int drop_in(fixture_self(last), __u32 where)
{
	self->driver.arg = (struct ctx_driver_arg){ .where = where };
	return ctx_request(self->driver.dev, CTX_DRIVER_DROP, &self->driver.arg);
}

/* Of @ctx, which is closed, the driver has the last reference then. */
static bool leave_to_driver(fixture_self(last), int ctx)
{
	int given = give_below(&self->driver, CTX_DRIVER_SAME, ctx, CTX_RIGHT_OBSERVE, 0);

	close(given);
	close(ctx);
	return must(given >= 0) && must(kept(&self->driver) == 0);
}

TEST_F(last, reference_on_a_pipe)
{
	ASSERT_EQ(0, on_file(&self->driver, self->pipe[0]));
	close(self->pipe[0]);
	EXPECT_EQ(1, off_file_in(&self->driver, variant->where));
	EXPECT_TRUE(wait_unread(self->pipe[1]));
}

/* Nobody waits for who has the pipe's lock; until the file is gone the module stays. */
TEST_F(last, reference_on_a_pipe_that_is_held_up)
{
	struct stall stall;
	long long users;
	int fd;

	if (!stall_init(&stall))
		SKIP(return, "no userfaultfd");
	fd = open_anew(stall.pipe[0]);
	ASSERT_EQ(0, on_events(&self->driver, fd, POLLPRI));
	close(fd);
	ASSERT_TRUE(stall_begin(&stall));
	users = read_number(REFCNT);
	EXPECT_EQ(1, off_file_in(&self->driver, variant->where));
	EXPECT_EQ(users + 1, read_number(REFCNT));
	stall_end(&stall);
	wait_users(users);
	EXPECT_EQ(users, read_number(REFCNT));
	close(stall.pipe[0]);
	close(stall.pipe[1]);
	close(self->pipe[0]);
}

/* That nobody has the other end any more shows in an error on this one. */
TEST_F(last, reference_on_a_socket)
{
	struct _test_data_on_file socket = { };

	close(self->pipe[0]);
	ASSERT_TRUE(make_socket(&socket));
	ASSERT_EQ(0, on_file(&self->driver, socket.fd));
	close(socket.fd);
	ASSERT_TRUE(write_one(&socket));
	while (!kept(&self->driver))
		sched_yield();
	EXPECT_EQ(0, off_file_in(&self->driver, variant->where));
	while (write_one(&socket))
		sched_yield();
	EXPECT_EQ(ECONNREFUSED, errno);
	close(socket.other);
}

/* It has the last one on a context that a process made, which watches the pipe. */
TEST_F(last, reference_on_a_context_with_a_watch)
{
	int ctx = ctx_derive(self->driver.bg, CTX_DERIVE_KEEP);

	ASSERT_EQ(0, ctx_watch(ctx, self->pipe[0], POLLIN, 0));
	close(self->pipe[0]);
	ASSERT_TRUE(leave_to_driver(self, ctx));
	EXPECT_EQ(0, poll_events(self->pipe[1], 0, 0));
	EXPECT_EQ(0, drop_in(self, variant->where));
	EXPECT_TRUE(wait_unread(self->pipe[1]));
}

/* ... which was to write to the pipe: it was never done, and nobody is left who would. */
TEST_F(last, reference_on_a_context_with_an_on_done)
{
	int ctx = ctx_derive(self->driver.bg, CTX_DERIVE_KEEP);
	__u64 id = ctx_id(ctx);

	EXPECT_EQ(0, ctx_on_done(ctx, self->pipe[1], "done", 4));
	close(self->pipe[1]);
	ASSERT_TRUE(leave_to_driver(self, ctx));
	EXPECT_EQ(0, poll_events(self->pipe[0], POLLIN, 0));
	EXPECT_EQ(0, drop_in(self, variant->where));
	EXPECT_EQ(POLLHUP, poll_events(self->pipe[0], POLLIN, -1));
	EXPECT_EQ(-ESRCH, ctx_open_id(self->driver.bg, id, CTX_RIGHT_OBSERVE));
	close(self->pipe[0]);
	self->pipe[1] = -1;
}

/* Returns whether the @nth of what takes memory was there to fail. */
static bool lets_go(struct _test_data_driver *driver, int nth_fd, int nth)
{
	bool failed;
	int pipe[2];

	must(pipe2(pipe, O_CLOEXEC) == 0);
	must(on_file(driver, pipe[0]) == 0);
	close(pipe[0]);
	fail_from(nth_fd, nth);
	off_file(driver);
	failed = fail_end(nth_fd);
	/* If the request was not heard. */
	off_file(driver);
	must(wait_unread(pipe[1]));
	close(pipe[1]);
	return failed;
}

/* Without memory for the worker's, it goes by the kernel's own. */
TEST_F(driver, lets_go_of_a_file_without_memory)
{
	int nth_fd = open(FAIL_NTH, O_RDWR | O_CLOEXEC), nth = 1;

	fail_quietly();
	while (lets_go(self, nth_fd, nth))
		nth++;
	/* One of them is no copy of the request. */
	EXPECT_EQ(nth_fd >= 0, nth > 3);
	fail_as_before();
	close(nth_fd);
}

TEST_HARNESS_MAIN
