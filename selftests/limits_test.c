// SPDX-License-Identifier: GPL-2.0
/*
 * Bounds: how many contexts a user may have, how deep they may go, whose memory
 * they take. Whoever hits them is nobody but himself.
 */
#include "ctx_test.h"
#include "memory.h"

#include <sys/eventfd.h>

#define MAX_DEPTH		CTX_PARAMETERS "max_depth"
#define MAX_USER_CONTEXTS	CTX_PARAMETERS "max_user_contexts"
#define MAX_USER_FILES		CTX_PARAMETERS "max_user_files"
#define DEFAULT_DEPTH		1024
#define DEFAULT_CONTEXTS	65536
#define DEFAULT_FILES		4096

FIXTURE(limits) {
	int bg;
	int pair[2];
	uid_t user, other;	/* whom no other test has charged */
};

FIXTURE_SETUP(limits)
{
	self->bg = ctx_open();
	ASSERT_LE(0, self->bg);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, self->pair));
	self->user = 10000 + 2 * getpid();
	self->other = self->user + 1;
	ASSERT_EQ(DEFAULT_DEPTH, read_number(MAX_DEPTH));
	ASSERT_EQ(DEFAULT_CONTEXTS, read_number(MAX_USER_CONTEXTS));
	ASSERT_EQ(DEFAULT_FILES, read_number(MAX_USER_FILES));
}

FIXTURE_TEARDOWN(limits)
{
	/* The children that fail come through here too, as somebody else. */
	write_number(MAX_DEPTH, DEFAULT_DEPTH);
	write_number(MAX_USER_CONTEXTS, DEFAULT_CONTEXTS);
	write_number(MAX_USER_FILES, DEFAULT_FILES);
	close(self->pair[0]);
	close(self->pair[1]);
	close(self->bg);
}

/* Each way to make a context, in turn. */
static int make(int parent, unsigned int kind)
{
	switch (kind % 6) {
	case 0:
		return ctx_derive(parent, 0);
	case 1:
		return ctx_timeout(parent, AN_HOUR, 0);
	case 2:
		return ctx_derive(parent, CTX_DERIVE_KEEP);
	case 3:
		return ctx_timeout(parent, 0, 0);
	case 4:
		return ctx_set(parent, "k", "v");
	default:
		return ctx_derive(parent, CTX_DERIVE_WITHOUT_CANCEL);
	}
}

static bool is_full(int parent, int error)
{
	unsigned int kind;

	for (kind = 0; kind < 6; kind++) {
		if (!must(make(parent, kind) == -error))
			return false;
	}
	return true;
}

/* Exactly so many can be made, and are closed again. */
static bool has_room_for(int parent, int nr)
{
	int fds[64], i;

	for (i = 0; i < nr; i++) {
		fds[i] = ctx_derive(parent, 0);
		if (!must(fds[i] >= 0))
			return false;
	}
	if (!must(ctx_derive(parent, 0) == -EDQUOT))
		return false;
	while (i--)
		close(fds[i]);
	return true;
}

/* What was closed may be freed a grace period later: one of the kinds waits for it. */
static int make_at_last(int parent, unsigned int kind)
{
	int fd;

	while ((fd = make(parent, kind)) == -EDQUOT)
		sched_yield();
	return fd;
}

TEST_F(limits, the_device_is_for_everybody)
{
	struct stat st;
	pid_t pid;
	int fd;

	ASSERT_EQ(0, stat(CTX_DEV, &st));
	EXPECT_TRUE(S_ISCHR(st.st_mode));
	EXPECT_EQ(0666, st.st_mode & 07777);

	pid = spawn();
	if (!pid) {
		become(self->user);
		fd = ctx_derive(ctx_open(), 0);
		EXPECT_LE(0, fd);
		EXPECT_EQ(0, ctx_cancel(fd, EIO));
		EXPECT_TRUE(is_done(fd, ECANCELED, EIO));
		child_exit();
	}
	EXPECT_EQ(0, reap(pid));
}

TEST_F(limits, the_bounds_are_set_by_root_alone)
{
	static const char * const bounds[] = { MAX_DEPTH, MAX_USER_CONTEXTS, MAX_USER_FILES };
	struct stat st;
	pid_t pid;
	int i;

	for (i = 0; i < ARRAY_SIZE(bounds); i++) {
		ASSERT_EQ(0, stat(bounds[i], &st));
		EXPECT_EQ(0644, st.st_mode & 07777);
	}
	pid = spawn();
	if (!pid) {
		become(self->user);
		for (i = 0; i < ARRAY_SIZE(bounds); i++)
			EXPECT_FALSE(write_number(bounds[i], 7));
		/* Nor as root of a namespace of his own. */
		EXPECT_EQ(0, unshare(CLONE_NEWUSER));
		for (i = 0; i < ARRAY_SIZE(bounds); i++)
			EXPECT_FALSE(write_number(bounds[i], 7));
		child_exit();
	}
	EXPECT_EQ(0, reap(pid));
	EXPECT_EQ(DEFAULT_DEPTH, read_number(MAX_DEPTH));
	EXPECT_EQ(DEFAULT_CONTEXTS, read_number(MAX_USER_CONTEXTS));
	EXPECT_EQ(DEFAULT_FILES, read_number(MAX_USER_FILES));
}

TEST_F(limits, depth)
{
	int chain[5], i, next;

	ASSERT_TRUE(write_number(MAX_DEPTH, 5));
	for (i = 0; i < 5; i++) {
		chain[i] = make(i ? chain[i - 1] : self->bg, i ? i + 3 : 0);
		ASSERT_LE(0, chain[i]);
	}
	next = next_fd();
	EXPECT_TRUE(is_full(chain[4], ELOOP));
	EXPECT_TRUE(is_full(chain[4], ELOOP));
	EXPECT_EQ(next, next_fd());
	/* One above still has room below it. */
	i = ctx_derive(chain[3], 0);
	EXPECT_EQ(next, i);
	close(i);

	ASSERT_TRUE(write_number(MAX_DEPTH, 6));
	i = ctx_derive(chain[4], 0);
	EXPECT_EQ(next, i);
	EXPECT_TRUE(is_full(i, ELOOP));
	close(i);

	/* What is there already stays, and works. */
	ASSERT_TRUE(write_number(MAX_DEPTH, 1));
	EXPECT_TRUE(is_full(chain[0], ELOOP));
	i = ctx_derive(self->bg, 0);
	EXPECT_EQ(next, i);
	close(i);
	EXPECT_EQ(0, ctx_cancel(chain[0], EIO));
	EXPECT_TRUE(is_done(chain[0], ECANCELED, EIO));
	for (i = 0; i < 5; i++)
		close(chain[i]);
}

/* One descriptor is enough for the deepest chain; one close takes it apart. */
TEST_F(limits, depth_by_default)
{
	struct ctx_ioc_info info;
	int depth = 0, fd = self->bg, child;

	while ((child = ctx_derive(fd, CTX_DERIVE_KEEP)) >= 0) {
		if (fd != self->bg)
			close(fd);
		fd = child;
		depth++;
	}
	EXPECT_EQ(-ELOOP, child);
	EXPECT_EQ(DEFAULT_DEPTH, depth);
	ASSERT_EQ(0, ctx_info(fd, &info));
	EXPECT_EQ(DEFAULT_DEPTH, info.depth);
	EXPECT_TRUE(is_live(fd));
	close(fd);
}

TEST_F(limits, contexts_of_a_user)
{
	int fds[6], i, copy;
	pid_t pid;

	ASSERT_TRUE(write_number(MAX_USER_CONTEXTS, 6));
	pid = spawn();
	if (!pid) {
		become(self->user);
		for (i = 0; i < 6; i++) {
			fds[i] = make(self->bg, i);
			EXPECT_LE(0, fds[i]);
		}
		EXPECT_TRUE(is_full(self->bg, EDQUOT));
		EXPECT_TRUE(is_full(fds[0], EDQUOT));
		/* Neither Background nor a duplicate is one. */
		copy = ctx_open();
		EXPECT_LE(0, copy);
		close(copy);
		copy = dup(fds[0]);
		EXPECT_TRUE(is_full(self->bg, EDQUOT));
		close(copy);
		EXPECT_TRUE(is_full(self->bg, EDQUOT));
		EXPECT_TRUE(is_live(fds[0]));
		/* Of every kind: the closed one makes room. */
		for (i = 0; i < 6; i++) {
			close(fds[i]);
			fds[i] = make_at_last(self->bg, i + 1);
			EXPECT_LE(0, fds[i]);
			EXPECT_TRUE(is_full(self->bg, EDQUOT));
		}
		child_exit();
	}
	EXPECT_EQ(0, reap(pid));
}

/* A cancelable context is no longer counted the moment its close returns. */
TEST_F(limits, a_closed_one_is_not_counted)
{
	int fd, i;
	pid_t pid;

	ASSERT_TRUE(write_number(MAX_USER_CONTEXTS, 1));
	pid = spawn();
	if (!pid) {
		become(self->user);
		for (i = 0; i < 400; i++) {
			fd = make(self->bg, i % 4);
			EXPECT_LE(0, fd);
			EXPECT_EQ(0, i & 4 ? ctx_cancel(fd, EIO) : 0);
			EXPECT_EQ(-EDQUOT, ctx_derive(self->bg, 0));
			close(fd);
		}
		child_exit();
	}
	EXPECT_EQ(0, reap(pid));
}

TEST_F(limits, other_users_have_their_own)
{
	pid_t full, other;

	ASSERT_TRUE(write_number(MAX_USER_CONTEXTS, 3));
	full = spawn();
	if (!full) {
		become(self->user);
		EXPECT_LE(0, ctx_derive(self->bg, 0));
		EXPECT_LE(0, ctx_derive(self->bg, 0));
		EXPECT_LE(0, ctx_derive(self->bg, 0));
		EXPECT_TRUE(is_full(self->bg, EDQUOT));
		EXPECT_TRUE(tell(self->pair[1]));
		hear(self->pair[1]);
		EXPECT_TRUE(is_full(self->bg, EDQUOT));
		child_exit();
	}
	ASSERT_TRUE(hear(self->pair[0]));
	other = spawn();
	if (!other) {
		become(self->other);
		EXPECT_TRUE(has_room_for(self->bg, 3));
		EXPECT_TRUE(has_room_for(self->bg, 3));
		child_exit();
	}
	EXPECT_EQ(0, reap(other));
	/* The same user elsewhere is the same user. */
	other = spawn();
	if (!other) {
		become(self->user);
		EXPECT_TRUE(is_full(self->bg, EDQUOT));
		child_exit();
	}
	EXPECT_EQ(0, reap(other));
	ASSERT_TRUE(tell(self->pair[0]));
	EXPECT_EQ(0, reap(full));
	/* And has room again when that one is gone. */
	other = spawn();
	if (!other) {
		become(self->user);
		EXPECT_TRUE(has_room_for(self->bg, 3));
		child_exit();
	}
	EXPECT_EQ(0, reap(other));
}

TEST_F(limits, killed_processes_leave_nothing_counted)
{
	pid_t pid;
	int i;

	ASSERT_TRUE(write_number(MAX_USER_CONTEXTS, 20));
	for (i = 0; i < 10; i++) {
		pid = spawn();
		if (!pid) {
			become(self->user);
			while (ctx_derive(self->bg, 0) >= 0)
				;
			tell(self->pair[1]);
			hear(self->pair[1]);
			_exit(0);
		}
		ASSERT_TRUE(hear(self->pair[0]));
		ASSERT_EQ(0, kill(pid, SIGKILL));
		EXPECT_EQ(KILLED, reap(pid));
	}
	pid = spawn();
	if (!pid) {
		become(self->user);
		EXPECT_TRUE(has_room_for(self->bg, 20));
		child_exit();
	}
	EXPECT_EQ(0, reap(pid));
}

/* As long as it exists, whoever keeps it. */
TEST_F(limits, what_a_child_keeps_counts)
{
	int parent, child;
	pid_t pid;

	ASSERT_TRUE(write_number(MAX_USER_CONTEXTS, 3));
	pid = spawn();
	if (!pid) {
		become(self->user);
		parent = ctx_derive(self->bg, CTX_DERIVE_KEEP);
		child = ctx_derive(parent, 0);
		EXPECT_LE(0, child);
		close(parent);
		EXPECT_TRUE(has_room_for(self->bg, 1));
		close(child);
		EXPECT_TRUE(has_room_for(self->bg, 3));
		child_exit();
	}
	EXPECT_EQ(0, reap(pid));
}

TEST_F(limits, failures_are_not_counted)
{
	struct rlimit limit = { .rlim_max = 1024 };
	int fd, i;
	pid_t pid;

	ASSERT_TRUE(write_number(MAX_USER_CONTEXTS, 2));
	ASSERT_TRUE(write_number(MAX_DEPTH, 1));
	pid = spawn();
	if (!pid) {
		become(self->user);
		fd = ctx_derive(self->bg, 0);
		EXPECT_LE(0, fd);
		limit.rlim_cur = next_fd();
		for (i = 0; i < 50; i++) {
			EXPECT_TRUE(is_full(fd, ELOOP));
			EXPECT_EQ(-EFAULT, ctx_with_value(self->bg, "k", 1, NULL, 1));
			EXPECT_EQ(-EFAULT, ctx_with_value(self->bg, NULL, 1, "v", 1));
			EXPECT_EQ(-EINVAL, ctx_with_value(self->bg, "k", 0, "v", 1));
			EXPECT_EQ(-EINVAL, ctx_timeout(self->bg, 1, 4096));
		}
		setrlimit(RLIMIT_NOFILE, &limit);
		for (i = 0; i < 50; i++)
			EXPECT_EQ(-EMFILE, make(self->bg, i % 4));
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
		EXPECT_TRUE(has_room_for(self->bg, 1));
		close(fd);
		EXPECT_TRUE(has_room_for(self->bg, 2));
		child_exit();
	}
	EXPECT_EQ(0, reap(pid));
}

TEST_F(limits, a_lower_bound_takes_nothing_away)
{
	int fds[4], i;
	pid_t pid;

	ASSERT_TRUE(write_number(MAX_USER_CONTEXTS, 4));
	pid = spawn();
	if (!pid) {
		become(self->user);
		for (i = 0; i < 4; i++)
			fds[i] = ctx_derive(self->bg, 0);
		EXPECT_TRUE(tell(self->pair[1]));
		EXPECT_TRUE(hear(self->pair[1]));
		for (i = 0; i < 4; i++)
			EXPECT_TRUE(is_live(fds[i]));
		close(fds[0]);
		close(fds[1]);
		EXPECT_TRUE(is_full(self->bg, EDQUOT));
		close(fds[2]);
		EXPECT_TRUE(has_room_for(self->bg, 1));
		EXPECT_TRUE(tell(self->pair[1]));
		EXPECT_TRUE(hear(self->pair[1]));
		EXPECT_TRUE(is_full(self->bg, EDQUOT));
		child_exit();
	}
	ASSERT_TRUE(hear(self->pair[0]));
	ASSERT_TRUE(write_number(MAX_USER_CONTEXTS, 2));
	ASSERT_TRUE(tell(self->pair[0]));
	ASSERT_TRUE(hear(self->pair[0]));
	ASSERT_TRUE(write_number(MAX_USER_CONTEXTS, 0));
	ASSERT_TRUE(tell(self->pair[0]));
	EXPECT_EQ(0, reap(pid));
}

/* Who derives is charged, not whose context it hangs below. */
TEST_F(limits, the_deriver_is_charged)
{
	int fd;
	pid_t pid, other;

	ASSERT_TRUE(write_number(MAX_USER_CONTEXTS, 2));
	pid = spawn();
	if (!pid) {
		become(self->user);
		fd = ctx_derive(self->bg, 0);
		EXPECT_LE(0, ctx_derive(fd, 0));
		EXPECT_TRUE(is_full(fd, EDQUOT));
		EXPECT_TRUE(send_fd(self->pair[1], fd));
		hear(self->pair[1]);
		EXPECT_TRUE(is_full(fd, EDQUOT));
		child_exit();
	}
	fd = recv_fd(self->pair[0]);
	ASSERT_LE(0, fd);
	other = spawn();
	if (!other) {
		become(self->other);
		EXPECT_TRUE(has_room_for(fd, 2));
		child_exit();
	}
	EXPECT_EQ(0, reap(other));
	ASSERT_TRUE(tell(self->pair[0]));
	EXPECT_EQ(0, reap(pid));
	close(fd);
}

/* The maker stays charged, whoever holds it, and is freed whoever lets go. */
TEST_F(limits, the_charge_does_not_travel)
{
	int held[2];
	pid_t pid;

	ASSERT_TRUE(write_number(MAX_USER_CONTEXTS, 2));
	pid = spawn();
	if (!pid) {
		become(self->user);
		EXPECT_TRUE(send_fd(self->pair[1], ctx_derive(self->bg, 0)));
		EXPECT_TRUE(send_fd(self->pair[1], ctx_derive(self->bg, 0)));
		child_exit();
	}
	held[0] = recv_fd(self->pair[0]);
	held[1] = recv_fd(self->pair[0]);
	EXPECT_EQ(0, reap(pid));
	EXPECT_TRUE(is_live(held[0]));
	EXPECT_TRUE(is_live(held[1]));

	ASSERT_EQ(0, seteuid(self->user));
	EXPECT_TRUE(is_full(self->bg, EDQUOT));
	ASSERT_EQ(0, seteuid(0));
	close(held[0]);
	ASSERT_EQ(0, seteuid(self->user));
	EXPECT_TRUE(has_room_for(self->bg, 1));
	ASSERT_EQ(0, seteuid(0));
	close(held[1]);
	ASSERT_EQ(0, seteuid(self->user));
	EXPECT_TRUE(has_room_for(self->bg, 2));
	ASSERT_EQ(0, seteuid(0));
}

/* User namespaces */

/* In a child: a user namespace of its own, which the test fills with users. */
static void enter_namespace(struct __test_metadata *_metadata, fixture_self(limits))
{
	EXPECT_EQ(0, unshare(CLONE_NEWUSER));
	EXPECT_TRUE(tell(self->pair[1]));
	EXPECT_TRUE(hear(self->pair[1]));
}

static void furnish_namespace(struct __test_metadata *_metadata, fixture_self(limits),
			      pid_t pid, const char *map)
{
	ASSERT_TRUE(hear(self->pair[0]));
	ASSERT_TRUE(map_ids(pid, map));
	ASSERT_TRUE(tell(self->pair[0]));
}

static void expect_room(struct __test_metadata *_metadata, int bg, uid_t uid, int nr)
{
	pid_t pid = spawn();

	if (!pid) {
		become(uid);
		EXPECT_TRUE(has_room_for(bg, nr));
		child_exit();
	}
	EXPECT_EQ(0, reap(pid));
}

TEST_F(limits, the_owner_of_a_namespace_is_charged)
{
	int full[2], gone[2];
	pid_t pid, within;

	ASSERT_TRUE(write_number(MAX_USER_CONTEXTS, 4));
	ASSERT_EQ(0, pipe2(full, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(gone, O_CLOEXEC));
	pid = spawn();
	if (!pid) {
		become(self->user);
		enter_namespace(_metadata, self);
		become(0);
		/* Together the users of his making have what he has. */
		within = spawn();
		if (!within) {
			become(5);
			EXPECT_LE(0, ctx_derive(self->bg, 0));
			EXPECT_LE(0, ctx_derive(self->bg, 0));
			EXPECT_LE(0, ctx_derive(self->bg, 0));
			EXPECT_TRUE(tell(full[1]));
			EXPECT_TRUE(hear(gone[0]));
			child_exit();
		}
		EXPECT_TRUE(hear(full[0]));
		expect_room(_metadata, self->bg, 5, 1);
		expect_room(_metadata, self->bg, 6, 1);
		EXPECT_TRUE(has_room_for(self->bg, 1));
		EXPECT_TRUE(tell(self->pair[1]));
		EXPECT_TRUE(hear(self->pair[1]));
		EXPECT_TRUE(tell(gone[1]));
		EXPECT_EQ(0, reap(within));
		expect_room(_metadata, self->bg, 6, 4);
		child_exit();
	}
	furnish_namespace(_metadata, self, pid, "0 100000000 10");
	ASSERT_TRUE(hear(self->pair[0]));
	expect_room(_metadata, self->bg, self->user, 1);
	expect_room(_metadata, self->bg, self->other, 4);
	/* By number the one within is somebody else outside. */
	expect_room(_metadata, self->bg, 5, 4);
	ASSERT_TRUE(tell(self->pair[0]));
	EXPECT_EQ(0, reap(pid));
	expect_room(_metadata, self->bg, self->user, 4);
	close(full[0]);
	close(full[1]);
	close(gone[0]);
	close(gone[1]);
}

/* What he has outside says nothing of whose namespace he is in. */
TEST_F(limits, a_user_who_is_outside_too)
{
	char map[64];
	int gone[2];
	pid_t pid, outside;

	ASSERT_TRUE(write_number(MAX_USER_CONTEXTS, 4));
	ASSERT_EQ(0, pipe2(gone, O_CLOEXEC));
	outside = spawn();
	if (!outside) {
		become(self->other);
		EXPECT_LE(0, ctx_derive(self->bg, 0));
		EXPECT_TRUE(tell(self->pair[1]));
		EXPECT_TRUE(hear(gone[0]));
		child_exit();
	}
	ASSERT_TRUE(hear(self->pair[0]));
	pid = spawn();
	if (!pid) {
		become(self->user);
		enter_namespace(_metadata, self);
		become(20);
		EXPECT_LE(0, ctx_derive(self->bg, 0));
		EXPECT_LE(0, ctx_derive(self->bg, 0));
		EXPECT_LE(0, ctx_derive(self->bg, 0));
		EXPECT_TRUE(tell(self->pair[1]));
		hear(self->pair[1]);
		child_exit();
	}
	snprintf(map, sizeof(map), "0 100000000 10\n20 %u 1", self->other);
	furnish_namespace(_metadata, self, pid, map);
	ASSERT_TRUE(hear(self->pair[0]));
	expect_room(_metadata, self->bg, self->user, 1);
	ASSERT_TRUE(tell(self->pair[0]));
	EXPECT_EQ(0, reap(pid));
	ASSERT_TRUE(tell(gone[1]));
	EXPECT_EQ(0, reap(outside));
	close(gone[0]);
	close(gone[1]);
}

TEST_F(limits, a_user_within_has_a_bound_too)
{
	pid_t pid, within;

	/* The owner has three: one user below him cannot have more than that. */
	ASSERT_TRUE(write_number(MAX_USER_CONTEXTS, 3));
	pid = spawn();
	if (!pid) {
		become(self->user);
		enter_namespace(_metadata, self);
		within = spawn();
		if (!within) {
			become(5);
			EXPECT_TRUE(has_room_for(self->bg, 3));
			child_exit();
		}
		EXPECT_EQ(0, reap(within));
		child_exit();
	}
	furnish_namespace(_metadata, self, pid, "0 100000000 10");
	EXPECT_EQ(0, reap(pid));
}

TEST_F(limits, in_a_namespace_of_his_own_he_is_charged_once)
{
	char map[32];
	pid_t pid;

	ASSERT_TRUE(write_number(MAX_USER_CONTEXTS, 4));
	pid = spawn();
	if (!pid) {
		become(self->user);
		enter_namespace(_metadata, self);
		EXPECT_TRUE(has_room_for(self->bg, 4));
		EXPECT_EQ(0, unshare(CLONE_NEWUSER));
		EXPECT_TRUE(has_room_for(self->bg, 4));
		child_exit();
	}
	snprintf(map, sizeof(map), "0 %u 1", self->user);
	furnish_namespace(_metadata, self, pid, map);
	EXPECT_EQ(0, reap(pid));
}

TEST_F(limits, every_owner_above_is_charged)
{
	int up[2], down[2];
	pid_t pid, within;

	ASSERT_TRUE(write_number(MAX_USER_CONTEXTS, 4));
	ASSERT_EQ(0, pipe2(up, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(down, O_CLOEXEC));
	pid = spawn();
	if (!pid) {
		become(self->user);
		enter_namespace(_metadata, self);
		become(0);
		/* A user of his owns a namespace in turn, and has a user there. */
		within = spawn();
		if (!within) {
			become(5);
			EXPECT_EQ(0, unshare(CLONE_NEWUSER));
			EXPECT_EQ(0, prctl(PR_SET_DUMPABLE, 1));
			EXPECT_TRUE(tell(up[1]));
			EXPECT_TRUE(hear(down[0]));
			become(3);
			EXPECT_LE(0, ctx_derive(self->bg, 0));
			EXPECT_LE(0, ctx_derive(self->bg, 0));
			EXPECT_LE(0, ctx_derive(self->bg, 0));
			EXPECT_TRUE(has_room_for(self->bg, 1));
			EXPECT_TRUE(tell(up[1]));
			EXPECT_TRUE(hear(down[0]));
			child_exit();
		}
		EXPECT_TRUE(hear(up[0]));
		EXPECT_TRUE(map_ids(within, "0 5 1\n3 7 1\n"));
		EXPECT_TRUE(tell(down[1]));
		EXPECT_TRUE(hear(up[0]));
		expect_room(_metadata, self->bg, 5, 1);
		expect_room(_metadata, self->bg, 6, 1);
		EXPECT_TRUE(tell(self->pair[1]));
		EXPECT_TRUE(hear(self->pair[1]));
		EXPECT_TRUE(tell(down[1]));
		EXPECT_EQ(0, reap(within));
		expect_room(_metadata, self->bg, 5, 4);
		child_exit();
	}
	furnish_namespace(_metadata, self, pid, "0 100000000 10");
	ASSERT_TRUE(hear(self->pair[0]));
	expect_room(_metadata, self->bg, self->user, 1);
	expect_room(_metadata, self->bg, self->other, 4);
	ASSERT_TRUE(tell(self->pair[0]));
	EXPECT_EQ(0, reap(pid));
	expect_room(_metadata, self->bg, self->user, 4);
	close(up[0]);
	close(up[1]);
	close(down[0]);
	close(down[1]);
}

#define MAX_NAMESPACES	"/proc/sys/user/max_user_namespaces"

/*
 * Neither what it made keeps a user namespace, nor what it asked for: there may be one at
 * a time here, which is gone some time after the one who has made it.
 */
TEST_F(limits, no_namespace_is_kept)
{
	int event = eventfd(0, EFD_CLOEXEC), i;
	pid_t pid, within;

	pid = spawn();
	if (!pid) {
		become(self->user);
		enter_namespace(_metadata, self);
		become(0);
		EXPECT_TRUE(write_number(MAX_NAMESPACES, 1));
		for (i = 0; i < 10; i++) {
			within = spawn();
			if (!within) {
				int ctx;

				EXPECT_TRUE(unshare_at_last(CLONE_NEWUSER));
				ctx = ctx_derive(self->bg, i & 1 ? CTX_DERIVE_KEEP : 0);
				EXPECT_LE(0, ctx);
				/* Written at the end, or dropped. */
				EXPECT_EQ(0, ctx_on_done(ctx, event, NULL, 0));
				child_exit();
			}
			EXPECT_EQ(0, reap(within));
		}
		child_exit();
	}
	furnish_namespace(_metadata, self, pid, "0 100000000 1");
	EXPECT_EQ(0, reap(pid));
	close(event);
}

#define LEVELS	33	/* of user namespaces, more of which no kernel lets anybody nest */

/* In a child: down to where there is no other level. Says how many it went. */
static int nest_namespaces(void)
{
	int levels = 0;

	while (!unshare(CLONE_NEWUSER)) {
		if (!must(write_file("/proc/self/setgroups", "deny")) ||
		    !must(map_ids(getpid(), "0 0 1")))
			return -1;
		levels++;
	}
	return must(errno == ENOSPC) ? levels : -1;
}

/* However deep: it is the bound of the list of those who are charged. */
TEST_F(limits, the_owner_of_the_outermost_namespace_is_charged)
{
	pid_t pid;
	int fd;

	ASSERT_TRUE(write_number(MAX_USER_CONTEXTS, 2));
	pid = spawn();
	if (!pid) {
		become(self->user);
		enter_namespace(_metadata, self);
		become(0);
		EXPECT_EQ(0, prctl(PR_SET_DUMPABLE, 1));
		EXPECT_EQ(LEVELS - 1, nest_namespaces());
		fd = ctx_derive(self->bg, 0);
		EXPECT_LE(0, fd);
		/* One's own number is found across all of them. */
		close(ctx_open_id(self->bg, ctx_id(fd), 0));
		EXPECT_EQ(0, ctx_err(fd));
		EXPECT_TRUE(tell(self->pair[1]));
		EXPECT_TRUE(hear(self->pair[1]));
		EXPECT_TRUE(has_room_for(self->bg, 1));
		child_exit();
	}
	furnish_namespace(_metadata, self, pid, "0 100000000 1");
	ASSERT_TRUE(hear(self->pair[0]));
	expect_room(_metadata, self->bg, self->user, 1);
	expect_room(_metadata, self->bg, self->other, 2);
	ASSERT_TRUE(tell(self->pair[0]));
	EXPECT_EQ(0, reap(pid));
	expect_room(_metadata, self->bg, self->user, 2);
}

/* Links, watches, on-dones and bindings, of which there are so many together */

#define BOUND	"/sys/fs/cgroup/ctx_limits_bound"

/* What a user can have referred to: contexts of his own, and a cgroup that he may bind. */
struct referred {
	int ctx;
	int other;
	int event;
	int procs;
};

static bool refer_init(struct referred *to, int bg)
{
	rmdir(BOUND);
	to->ctx = ctx_derive(bg, 0);
	to->other = ctx_derive(bg, 0);
	to->event = eventfd(0, EFD_CLOEXEC);
	return must(mkdir(BOUND, 0755) == 0) &&
	       must((to->procs = open(BOUND "/cgroup.procs", O_WRONLY | O_CLOEXEC)) >= 0);
}

static void refer_exit(struct referred *to)
{
	close(to->procs);
	rmdir(BOUND);
	close(to->event);
	close(to->other);
	close(to->ctx);
}

/* Each way, in turn; the last one at most once. */
static int refer(const struct referred *to, unsigned int kind)
{
	switch (kind % 4) {
	case 0:
		return ctx_link(to->ctx, to->other);
	case 1:
		return ctx_watch(to->ctx, to->event, 0, 0);
	case 2:
		return ctx_on_done(to->ctx, to->event, NULL, 0);
	default:
		return ctx_bind(to->ctx, to->procs);
	}
}

static bool no_more_can_be_referred(const struct referred *to)
{
	unsigned int kind;

	for (kind = 0; kind < 4; kind++)
		if (!must(refer(to, kind) == -EDQUOT))
			return false;
	return true;
}

static void expect_no_more(struct __test_metadata *_metadata, const struct referred *to,
			   uid_t uid)
{
	pid_t pid = spawn();

	if (!pid) {
		become(uid);
		EXPECT_TRUE(no_more_can_be_referred(to));
		child_exit();
	}
	EXPECT_EQ(0, reap(pid));
}

TEST_F(limits, links_watches_on_dones_and_bindings)
{
	struct referred to;
	unsigned int kind;
	pid_t pid;

	ASSERT_TRUE(refer_init(&to, self->bg));
	ASSERT_TRUE(write_number(MAX_USER_FILES, 4));
	pid = spawn();
	if (!pid) {
		become(self->user);
		for (kind = 0; kind < 4; kind++)
			EXPECT_EQ(0, refer(&to, kind));
		EXPECT_TRUE(no_more_can_be_referred(&to));
		/* They are no contexts, nor those these. */
		EXPECT_LE(0, ctx_derive(self->bg, 0));
		child_exit();
	}
	EXPECT_EQ(0, reap(pid));
	/* His end changes nothing about it: what he asked for is there. */
	expect_no_more(_metadata, &to, self->user);
	pid = spawn();
	if (!pid) {
		become(self->other);
		for (kind = 0; kind < 3; kind++)
			EXPECT_EQ(0, refer(&to, kind));
		child_exit();
	}
	EXPECT_EQ(0, reap(pid));
	refer_exit(&to);
}

/* Whoever owns the namespace is charged for those, too. */
TEST_F(limits, what_is_referred_to_from_a_namespace)
{
	struct referred to;
	pid_t pid, within;

	ASSERT_TRUE(refer_init(&to, self->bg));
	ASSERT_TRUE(write_number(MAX_USER_FILES, 3));
	pid = spawn();
	if (!pid) {
		become(self->user);
		enter_namespace(_metadata, self);
		within = spawn();
		if (!within) {
			become(5);
			EXPECT_EQ(0, refer(&to, 0));
			EXPECT_EQ(0, refer(&to, 1));
			child_exit();
		}
		EXPECT_EQ(0, reap(within));
		within = spawn();
		if (!within) {
			become(6);
			EXPECT_EQ(0, refer(&to, 2));
			EXPECT_TRUE(no_more_can_be_referred(&to));
			child_exit();
		}
		EXPECT_EQ(0, reap(within));
		child_exit();
	}
	furnish_namespace(_metadata, self, pid, "0 100000000 10");
	EXPECT_EQ(0, reap(pid));
	expect_no_more(_metadata, &to, self->user);
	pid = spawn();
	if (!pid) {
		become(self->other);
		EXPECT_EQ(0, refer(&to, 1));
		child_exit();
	}
	EXPECT_EQ(0, reap(pid));
	refer_exit(&to);
}

/* Memory */

#define CGROUP	CGROUPS "/ctx_limits_test"
#define INNER	CGROUP "/inner"

FIXTURE(memory) {
	int bg;
	int pair[2];
};

FIXTURE_SETUP(memory)
{
	self->bg = ctx_open();
	ASSERT_LE(0, self->bg);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, self->pair));
	ASSERT_TRUE(write_file(CGROUPS "/cgroup.subtree_control", "+memory"));
	rmdir(INNER);
	rmdir(CGROUP);
	ASSERT_EQ(0, mkdir(CGROUP, 0755));
}

FIXTURE_TEARDOWN(memory)
{
	close(self->pair[0]);
	close(self->pair[1]);
	close(self->bg);
	rmdir(CGROUP);
}

/* Where a child goes on: within the group, with the room for its descriptors. */
static void enter_group(struct __test_metadata *_metadata)
{
	EXPECT_TRUE(allow_files(10000));
	EXPECT_TRUE(write_number(CGROUP "/cgroup.procs", getpid()));
	/* The table of descriptors has its size before anything is measured. */
	EXPECT_EQ(9000, dup2(STDERR_FILENO, 9000));
}

/* Takes as much memory as it is to take, and next to no descriptors. */

static bool make_chain(int bg, const void *value, __u32 len)
{
	int fd = ctx_derive(bg, CTX_DERIVE_KEEP), next, i;

	for (i = 0; i < 1000; i++) {
		next = value ? ctx_with_value(fd, "k", 1, value, len) :
			       ctx_derive(fd, CTX_DERIVE_KEEP);
		if (!must(next >= 0))
			return false;
		close(fd);
		fd = next;
	}
	return true;
}

static bool make_contexts(int bg)
{
	int i;

	for (i = 0; i < 8; i++)
		if (!make_chain(bg, NULL, 0))
			return false;
	return true;
}

static char value[CTX_VALUE_MAX];

static bool make_values(int bg)
{
	memset(value, 'v', sizeof(value));
	return make_chain(bg, value, sizeof(value)) && make_chain(bg, value, sizeof(value));
}

static bool make_watches(int bg)
{
	int ctx = ctx_derive(bg, 0), event = eventfd(0, EFD_CLOEXEC), i;

	for (i = 0; i < 4000; i++)
		if (!must(ctx_watch(ctx, event, 0, 0) == 0))
			return false;
	return true;
}

static bool make_links(int bg)
{
	int ctx = ctx_derive(bg, 0), other = ctx_derive(bg, 0), i;

	for (i = 0; i < 4000; i++)
		if (!must(ctx_link(ctx, other) == 0))
			return false;
	return true;
}

static bool make_on_dones(int bg)
{
	static const char data[CTX_ON_DONE_MAX];
	int ctx = ctx_derive(bg, CTX_DERIVE_KEEP), fds[2], i;

	if (!must(pipe2(fds, O_CLOEXEC) == 0))
		return false;
	for (i = 0; i < 1000; i++)
		if (!must(ctx_on_done(ctx, fds[1], data, sizeof(data)) == 0))
			return false;
	return true;
}

#define FULL_PIPES	40

/* What is left of those is what they have written. */
static bool fill_pipes(int bg)
{
	static const char data[CTX_ON_DONE_MAX];
	int ctx, fds[2], i, j;

	for (i = 0; i < FULL_PIPES; i++) {
		ctx = ctx_derive(bg, 0);
		if (!must(pipe2(fds, O_CLOEXEC) == 0))
			return false;
		for (j = 0; j < 16; j++)
			if (!must(ctx_on_done(ctx, fds[1], data, sizeof(data)) == 0))
				return false;
		if (!must(ctx_cancel(ctx, 0) == 0) || !must(written(ctx) == 0))
			return false;
		close(ctx);
	}
	return true;
}

/*
 * A child has it made, and says when; memory that others give back meanwhile only makes
 * the difference smaller.
 */
static void expect_charged(struct __test_metadata *_metadata, fixture_self(memory),
			   bool (*make_all)(int bg), long long least)
{
	long long before, after;
	pid_t pid;

	pid = spawn();
	if (!pid) {
		enter_group(_metadata);
		EXPECT_TRUE(tell(self->pair[1]));
		EXPECT_TRUE(hear(self->pair[1]));
		EXPECT_TRUE(make_all(self->bg));
		EXPECT_TRUE(tell(self->pair[1]));
		hear(self->pair[1]);
		child_exit();
	}
	ASSERT_TRUE(hear(self->pair[0]));
	before = read_number(CGROUP "/memory.current");
	ASSERT_TRUE(tell(self->pair[0]));
	ASSERT_TRUE(hear(self->pair[0]));
	after = read_number(CGROUP "/memory.current");
	EXPECT_LE(before + least, after);
	ASSERT_TRUE(tell(self->pair[0]));
	EXPECT_EQ(0, reap(pid));
	/* All of it comes back, at the latest after a grace period. */
	while (read_number(CGROUP "/memory.current") > before + least / 2)
		give_back_to(CGROUP);
}

TEST_F(memory, of_values_is_charged)
{
	expect_charged(_metadata, self, make_values, 2000 * CTX_VALUE_MAX);
}

TEST_F(memory, of_contexts_is_charged)
{
	expect_charged(_metadata, self, make_contexts, 8000 * 192);
}

TEST_F(memory, of_watches_is_charged)
{
	expect_charged(_metadata, self, make_watches, 4000 * 64);
}

TEST_F(memory, of_links_is_charged)
{
	expect_charged(_metadata, self, make_links, 4000 * 64);
}

TEST_F(memory, of_on_dones_is_charged)
{
	expect_charged(_metadata, self, make_on_dones, 1000 * CTX_ON_DONE_MAX);
}

TEST_F(memory, of_what_on_dones_have_written_is_charged)
{
	expect_charged(_metadata, self, fill_pipes, FULL_PIPES * 16 * CTX_ON_DONE_MAX);
}

#define REFUSED	20000

/* What is known of users who may have nothing, each of whom has asked once. */
TEST_F(memory, of_who_is_refused_is_given_back)
{
	const uid_t first = 200000000;
	pid_t pid;
	uid_t i;

	ASSERT_TRUE(write_number(MAX_USER_CONTEXTS, 0));
	pid = spawn();
	if (!pid) {
		enter_group(_metadata);
		for (i = 0; i < REFUSED; i++) {
			EXPECT_EQ(0, seteuid(first + i));
			EXPECT_EQ(-EDQUOT, ctx_derive(self->bg, 0));
			EXPECT_EQ(0, seteuid(0));
		}
		child_exit();
	}
	EXPECT_EQ(0, reap(pid));
	write_number(MAX_USER_CONTEXTS, DEFAULT_CONTEXTS);
	while (read_number(CGROUP "/memory.current") > REFUSED * 96 / 2)
		give_back_to(CGROUP);
}

/* Whose group is charged for what is written: it is kept no longer than that. */
TEST_F(memory, no_group_is_kept)
{
	int ctx = ctx_derive(self->bg, 0), kept = ctx_derive(self->bg, CTX_DERIVE_KEEP);
	int event = eventfd(0, EFD_CLOEXEC);
	pid_t pid;

	ASSERT_TRUE(write_file(CGROUP "/cgroup.subtree_control", "+memory"));
	ASSERT_EQ(0, mkdir(INNER, 0755));
	pid = spawn();
	if (!pid) {
		EXPECT_TRUE(write_number(INNER "/cgroup.procs", getpid()));
		EXPECT_EQ(0, ctx_on_done(ctx, event, NULL, 0));
		EXPECT_EQ(0, ctx_on_done(kept, event, NULL, 0));
		child_exit();
	}
	EXPECT_EQ(0, reap(pid));
	EXPECT_EQ(0, ctx_cancel(ctx, 0));
	EXPECT_EQ(0, written(ctx));
	/* This one is gone without being done. */
	close(kept);
	while (rmdir(INNER))
		ASSERT_EQ(EBUSY, errno);
	while (read_field(CGROUP "/cgroup.stat", "nr_dying_descendants") > 0)
		give_back_to(CGROUP);
	EXPECT_EQ(0, read_field(CGROUP "/cgroup.stat", "nr_dying_descendants"));
	close(event);
	close(ctx);
}

/* The bound of his group ends him, or his request, and nobody else's. */
TEST_F(memory, beyond_the_groups_bound)
{
	int other = ctx_derive(self->bg, 0), fd, next, status;
	pid_t pid;

	ASSERT_TRUE(write_number(CGROUP "/memory.max", 8 << 20));
	pid = spawn();
	if (!pid) {
		enter_group(_metadata);
		memset(value, 'v', sizeof(value));
		fd = ctx_derive(self->bg, 0);
		for (;;) {
			next = ctx_with_value(fd, "k", 1, value, sizeof(value));
			if (next == -ENOMEM)
				break;
			EXPECT_LE(0, next);
			if (next < 0)
				break;
		}
		EXPECT_TRUE(is_live(fd));
		child_exit();
	}
	status = reap(pid);
	EXPECT_TRUE(status == 0 || status == KILLED);
	EXPECT_TRUE(is_live(other));
	fd = ctx_set(other, "k", "v");
	EXPECT_LE(0, fd);
	EXPECT_EQ(0, ctx_cancel(other, EIO));
	EXPECT_TRUE(is_done(fd, ECANCELED, EIO));
	close(fd);
	close(other);
}

TEST_HARNESS_MAIN
