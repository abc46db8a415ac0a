// SPDX-License-Identifier: GPL-2.0
/*
 * Who: processes, threads and users, as whoever asks can see them (S11).
 */
#include "ctx_test.h"

FIXTURE(process) {
	int bg;
	int ctx;
	int pair[2];
};

FIXTURE_SETUP(process)
{
	self->bg = ctx_open();
	ASSERT_LE(0, self->bg);
	self->ctx = ctx_derive(self->bg, 0);
	ASSERT_LE(0, self->ctx);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, self->pair));
}

FIXTURE_TEARDOWN(process)
{
	close(self->pair[0]);
	close(self->pair[1]);
	close(self->ctx);
	close(self->bg);
}

TEST_F(process, s11_another_process_cancels)
{
	int value = ctx_set(self->ctx, "k", "v");
	pid_t pid = spawn();

	if (!pid) {
		prctl(PR_SET_NAME, "canceller");
		EXPECT_EQ(0, ctx_cancel(self->ctx, EIO));
		EXPECT_TRUE(is_done_by(self->ctx, ECANCELED, EIO, ctx_id(self->ctx),
				       getpid(), "canceller"));
		child_exit();
	}
	EXPECT_EQ(0, reap(pid));
	EXPECT_TRUE(is_done_by(self->ctx, ECANCELED, EIO, ctx_id(self->ctx), pid, "canceller"));
	EXPECT_TRUE(is_done_by(value, ECANCELED, EIO, ctx_id(self->ctx), pid, "canceller"));
	close(value);
}

TEST_F(process, s11_the_maker_is_known_after_his_end)
{
	struct ctx_ioc_info info;
	pid_t pid = spawn();
	int fd;

	if (!pid) {
		prctl(PR_SET_NAME, "maker");
		EXPECT_TRUE(send_fd(self->pair[1], ctx_set(self->ctx, "k", "v")));
		EXPECT_TRUE(send_fd(self->pair[1], ctx_derive(self->ctx, 0)));
		child_exit();
	}
	EXPECT_EQ(0, reap(pid));
	fd = recv_fd(self->pair[0]);
	ASSERT_EQ(0, ctx_info(fd, &info));
	EXPECT_EQ(pid, info.creator_pid);
	EXPECT_STREQ("maker", info.creator_comm);
	close(fd);
	fd = recv_fd(self->pair[0]);
	ASSERT_EQ(0, ctx_info(fd, &info));
	EXPECT_EQ(pid, info.creator_pid);
	EXPECT_STREQ("maker", info.creator_comm);
	close(fd);
}

static void *make_and_cancel(void *arg)
{
	int *fds = arg;

	prctl(PR_SET_NAME, "a thread");
	fds[1] = ctx_derive(fds[0], 0);
	ctx_cancel(fds[0], EIO);
	return NULL;
}

/* The process is numbered, the thread is named. */
TEST_F(process, s11_a_thread_acts_for_its_process)
{
	struct ctx_ioc_info info;
	int fds[2] = { self->ctx };
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, make_and_cancel, fds));
	pthread_join(thread, NULL);
	EXPECT_TRUE(is_done_by(self->ctx, ECANCELED, EIO, ctx_id(self->ctx),
			       getpid(), "a thread"));
	ASSERT_EQ(0, ctx_info(fds[1], &info));
	EXPECT_EQ(getpid(), info.creator_pid);
	EXPECT_STREQ("a thread", info.creator_comm);
	close(fds[1]);
}

/*
 * Starts a process that is number 1 in a pid namespace of its own; the process
 * in between waits for it, and tells its number as we see it.
 */
static bool enter_pid_namespace(struct __test_metadata *_metadata, fixture_self(process),
				pid_t *between)
{
	char number[16];
	int len;
	pid_t pid;

	*between = spawn();
	if (*between)
		return false;
	EXPECT_EQ(0, unshare(CLONE_NEWPID));
	pid = spawn();
	if (!pid) {
		EXPECT_EQ(1, getpid());
		return true;
	}
	len = snprintf(number, sizeof(number), "%d", pid);
	EXPECT_EQ(len, send(self->pair[1], number, len, 0));
	EXPECT_EQ(0, reap(pid));
	child_exit();
}

static pid_t hear_pid(int fd)
{
	char number[16] = {};

	return read(fd, number, sizeof(number) - 1) > 0 ? atoi(number) : -1;
}

TEST_F(process, s11_pids_are_those_of_the_callers_namespace)
{
	int done = ctx_derive(self->bg, 0);
	int theirs, mine;
	struct ctx_ioc_info info;
	struct ctx_event event;
	int ways[2];
	pid_t between, pid;

	ASSERT_EQ(0, ctx_cancel(done, EPIPE));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ways));
	if (enter_pid_namespace(_metadata, self, &between)) {
		prctl(PR_SET_NAME, "insider");
		/* Who is outside has no number here, but a name. */
		EXPECT_EQ(0, ctx_info(self->ctx, &info));
		EXPECT_EQ(0, info.creator_pid);
		EXPECT_STREQ("process_test", info.creator_comm);
		EXPECT_TRUE(is_done_by(done, ECANCELED, EPIPE, ctx_id(done), 0, "process_test"));
		/* We have. */
		mine = ctx_derive(self->ctx, 0);
		EXPECT_EQ(0, ctx_info(mine, &info));
		EXPECT_EQ(1, info.creator_pid);
		EXPECT_EQ(0, ctx_cancel(self->ctx, EIO));
		EXPECT_TRUE(is_done_by(mine, ECANCELED, EIO, ctx_id(self->ctx), 1, "insider"));
		EXPECT_TRUE(send_fd(ways[1], mine));
		child_exit();
	}
	pid = hear_pid(self->pair[0]);
	ASSERT_LT(1, pid);
	theirs = recv_fd(ways[0]);
	ASSERT_LE(0, theirs);
	EXPECT_EQ(0, reap(between));
	/* The same, seen from here; the namespace is gone by now. */
	ASSERT_EQ(0, ctx_info(theirs, &info));
	EXPECT_EQ(pid, info.creator_pid);
	EXPECT_STREQ("insider", info.creator_comm);
	EXPECT_TRUE(is_done_by(theirs, ECANCELED, EIO, ctx_id(self->ctx), pid, "insider"));
	ASSERT_EQ(sizeof(event), read(self->ctx, &event, sizeof(event)));
	EXPECT_EQ(pid, event.pid);
	EXPECT_TRUE(is_done_by(done, ECANCELED, EPIPE, ctx_id(done), getpid(), my_comm()));
	close(ways[0]);
	close(ways[1]);
	close(theirs);
	close(done);
}

TEST_F(process, s11_a_namespace_dies_with_its_contexts)
{
	struct ctx_ioc_info info;
	pid_t between, pid;
	int watch;

	if (enter_pid_namespace(_metadata, self, &between)) {
		int fd = ctx_derive(self->ctx, 0);

		prctl(PR_SET_NAME, "insider");
		EXPECT_TRUE(hear(self->pair[1]));
		EXPECT_TRUE(send_fd(self->pair[1], ctx_set(fd, "k", "v")));
		child_exit();
	}
	pid = hear_pid(self->pair[0]);
	ASSERT_LT(1, pid);
	ASSERT_TRUE(tell(self->pair[0]));
	watch = recv_fd(self->pair[0]);
	ASSERT_LE(0, watch);
	EXPECT_EQ(0, reap(between));
	EXPECT_TRUE(is_done(watch, ECANCELED, EOWNERDEAD));
	EXPECT_TRUE(is_live(self->ctx));
	ASSERT_EQ(0, ctx_info(watch, &info));
	EXPECT_EQ(pid, info.origin_pid);
	EXPECT_STREQ("insider", info.origin_comm);
	close(watch);
}

#define MAX_NAMESPACES	"/proc/sys/user/max_pid_namespaces"

/* In a child: a pid namespace of its own, once the one before is gone. */
static void be_first_in_a_namespace(struct __test_metadata *_metadata, fixture_self(process))
{
	pid_t pid;
	int ctx;

	EXPECT_TRUE(unshare_at_last(CLONE_NEWPID));
	pid = spawn();
	if (!pid) {
		EXPECT_EQ(1, getpid());
		ctx = ctx_derive(self->bg, 0);
		EXPECT_LE(0, ctx);
		EXPECT_EQ(0, ctx_cancel(ctx, 0));
		child_exit();
	}
	EXPECT_EQ(0, reap(pid));
	child_exit();
}

/*
 * Neither what it made keeps a pid namespace, nor what it cancelled: there may be one at a
 * time here, which is gone some time after the one who was in it.
 */
TEST_F(process, no_namespace_is_kept)
{
	pid_t pid, within;
	int i;

	pid = spawn();
	if (!pid) {
		become(2001);
		EXPECT_EQ(0, unshare(CLONE_NEWUSER));
		EXPECT_TRUE(tell(self->pair[1]));
		EXPECT_TRUE(hear(self->pair[1]));
		become(0);
		EXPECT_TRUE(write_number(MAX_NAMESPACES, 1));
		for (i = 0; i < 10; i++) {
			within = spawn();
			if (!within)
				be_first_in_a_namespace(_metadata, self);
			EXPECT_EQ(0, reap(within));
		}
		child_exit();
	}
	ASSERT_TRUE(hear(self->pair[0]));
	ASSERT_TRUE(map_ids(pid, "0 300000 1"));
	ASSERT_TRUE(tell(self->pair[0]));
	EXPECT_EQ(0, reap(pid));
}

#define OVERFLOW_UID	65534

TEST_F(process, uids_are_those_of_the_callers_namespace)
{
	struct ctx_ioc_info info;
	int fd;
	pid_t pid = spawn();

	if (!pid) {
		become(2001);
		EXPECT_EQ(0, unshare(CLONE_NEWUSER));
		EXPECT_TRUE(tell(self->pair[1]));
		EXPECT_TRUE(hear(self->pair[1]));
		become(7);
		EXPECT_EQ(0, ctx_info(self->ctx, &info));
		EXPECT_EQ(OVERFLOW_UID, info.owner_uid);
		fd = ctx_derive(self->ctx, 0);
		EXPECT_EQ(0, ctx_info(fd, &info));
		EXPECT_EQ(7, info.owner_uid);
		EXPECT_TRUE(send_fd(self->pair[1], fd));
		child_exit();
	}
	ASSERT_TRUE(hear(self->pair[0]));
	ASSERT_TRUE(map_ids(pid, "0 300000 10"));
	ASSERT_TRUE(tell(self->pair[0]));
	fd = recv_fd(self->pair[0]);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, reap(pid));
	ASSERT_EQ(0, ctx_info(fd, &info));
	EXPECT_EQ(300007, info.owner_uid);
	close(fd);
}

TEST_F(process, the_effective_uid_owns)
{
	struct ctx_ioc_info info;
	int fd;

	ASSERT_EQ(0, seteuid(2001));
	fd = ctx_derive(self->ctx, 0);
	ASSERT_EQ(0, seteuid(0));
	ASSERT_EQ(0, ctx_info(fd, &info));
	EXPECT_EQ(2001, info.owner_uid);
	close(fd);
}

TEST_HARNESS_MAIN
