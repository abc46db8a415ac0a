// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that only some requests need, and that there is none of: a user's account
 * and those of the owners above him, a block of numbers, what a signal is asked for
 * with. And what fdinfo has to tell, with less of it.
 */
#include "fault.h"

#define MAX_USER_CONTEXTS	CTX_PARAMETERS "max_user_contexts"
#define MAX_USER_FILES		CTX_PARAMETERS "max_user_files"
#define CGROUP			"/sys/fs/cgroup/ctx_fault_rare_test"

/* More than can be done without one or another of the allocations. */
#define SPARE	8

FIXTURE(rare) {
	int bg;
	int nth_fd;		/* in the test itself: a child has its own */
	int pair[2];
	int pipe[2];
	int ctx[SPARE];
	int other;
	int procs;
	uid_t user;
};

FIXTURE_SETUP(rare)
{
	int i;

	fault_begin();
	self->bg = ctx_open();
	ASSERT_LE(0, self->bg);
	self->nth_fd = fault_open();
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, self->pair));
	ASSERT_EQ(0, pipe2(self->pipe, O_CLOEXEC | O_NONBLOCK));
	for (i = 0; i < SPARE; i++)
		self->ctx[i] = ctx_derive(self->bg, 0);
	self->other = ctx_derive(self->bg, 0);
	ASSERT_LE(0, self->other);
	rmdir(CGROUP);
	ASSERT_EQ(0, mkdir(CGROUP, 0755));
	self->procs = open(CGROUP "/cgroup.procs", O_WRONLY | O_CLOEXEC);
	ASSERT_LE(0, self->procs);
	/* Whom nobody has charged yet. */
	self->user = 3000000 + 10 * getpid();
}

FIXTURE_TEARDOWN(rare)
{
	write_number(MAX_USER_CONTEXTS, 65536);
	write_number(MAX_USER_FILES, 4096);
	close(self->procs);
	EXPECT_EQ(0, rmdir(CGROUP));
	close(self->nth_fd);
	close(self->bg);
	fault_over();
}

/* What charges somebody */

static int derive(fixture_self(rare), int ctx)
{
	(void)self;
	return ctx_derive(ctx, 0);
}

static int link_to(fixture_self(rare), int ctx)
{
	return ctx_link(ctx, self->other);
}

static int watch(fixture_self(rare), int ctx)
{
	return ctx_watch(ctx, self->pipe[0], 0, 0);
}

static int on_done(fixture_self(rare), int ctx)
{
	return ctx_on_done(ctx, self->pipe[1], "done", 4);
}

static int bind_to(fixture_self(rare), int ctx)
{
	return ctx_bind(ctx, self->procs);
}

/*
 * As somebody for whom there are no accounts. Whoever is charged is so once, with what
 * succeeded last: the others have closed what they had succeeded with.
 */
static void charge(struct __test_metadata *_metadata, fixture_self(rare),
		   int (*request)(fixture_self(rare), int ctx), int nth_fd)
{
	int nth, ret, left = 0, failures = 0, spare = 0, next = next_fd();

	for (nth = 1; !left; nth++) {
		fault_from(nth_fd, nth);
		ret = request(self, self->ctx[spare]);
		left = fault_end(nth_fd);
		if (ret < 0) {
			EXPECT_TRUE(is_fault(ret));
			EXPECT_EQ(next, next_fd());
			EXPECT_TRUE(is_live(self->ctx[spare]));
			failures += ret == -ENOMEM;
		} else if (!left) {
			if (ret > 0)
				close(ret);
			close(self->ctx[spare++]);
			if (spare == SPARE)
				break;
			next = next_fd();
		}
	}
	EXPECT_LE(0, ret);
	EXPECT_GT(SPARE, spare);
	/* What is charged, the account of the owner, and that of who is within. */
	if (nth_fd >= 0)
		EXPECT_LE(3, failures);
}

/* In a child: somebody in a user namespace of his own making. */
static int enter(struct __test_metadata *_metadata, fixture_self(rare))
{
	int nth_fd = fault_open();

	become(self->user);
	EXPECT_EQ(0, unshare(CLONE_NEWUSER));
	EXPECT_TRUE(tell(self->pair[1]));
	EXPECT_TRUE(hear(self->pair[1]));
	become(5);
	return nth_fd;
}

static void let_enter(struct __test_metadata *_metadata, fixture_self(rare), pid_t pid)
{
	char path[64], map[64];

	ASSERT_TRUE(hear(self->pair[0]));
	snprintf(map, sizeof(map), "0 %u 10", self->user + 1000000000);
	snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
	ASSERT_TRUE(write_file(path, map));
	snprintf(path, sizeof(path), "/proc/%d/gid_map", pid);
	ASSERT_TRUE(write_file(path, map));
	ASSERT_TRUE(tell(self->pair[0]));
}

/* Nothing of what failed, and of what was closed, is charged: there is room for one. */
static void charged_to_nobody(struct __test_metadata *_metadata, fixture_self(rare),
			      int (*request)(fixture_self(rare), int ctx))
{
	int ctx = ctx_derive(self->bg, 0), ret;
	pid_t pid;

	/* Given back after a grace period. */
	if (request == bind_to)
		EXPECT_EQ(0, ctx_bind(self->bg, self->procs));
	ASSERT_TRUE(write_number(MAX_USER_CONTEXTS, 1));
	ASSERT_TRUE(write_number(MAX_USER_FILES, 1));
	pid = spawn();
	if (!pid) {
		enter(_metadata, self);
		while ((ret = request(self, ctx)) == -EDQUOT)
			sched_yield();
		EXPECT_LE(0, ret);
		child_exit();
	}
	let_enter(_metadata, self, pid);
	EXPECT_EQ(0, reap(pid));
	close(ctx);
}

static void first_of_a_user(struct __test_metadata *_metadata, fixture_self(rare),
			    int (*request)(fixture_self(rare), int ctx))
{
	int i, nth_fd;
	pid_t pid;

	pid = spawn();
	if (!pid) {
		nth_fd = enter(_metadata, self);
		charge(_metadata, self, request, nth_fd);
		child_exit();
	}
	let_enter(_metadata, self, pid);
	EXPECT_EQ(0, reap(pid));
	for (i = 0; i < SPARE; i++)
		close(self->ctx[i]);
	charged_to_nobody(_metadata, self, request);
}

TEST_F(rare, first_context_of_a_user)
{
	first_of_a_user(_metadata, self, derive);
}

TEST_F(rare, first_link_of_a_user)
{
	first_of_a_user(_metadata, self, link_to);
}

TEST_F(rare, first_watch_of_a_user)
{
	first_of_a_user(_metadata, self, watch);
}

TEST_F(rare, first_on_done_of_a_user)
{
	first_of_a_user(_metadata, self, on_done);
}

TEST_F(rare, first_binding_of_a_user)
{
	first_of_a_user(_metadata, self, bind_to);
}

/* Makes the next number a multiple of @n, and gives it. */
static __u64 align_numbers(fixture_self(rare), int n)
{
	int fd = ctx_derive(self->bg, 0), more;
	__u64 id = ctx_id(fd);

	close(fd);
	for (more = n - 1 - id % n; more; more--, id++)
		close(ctx_derive(self->bg, 0));
	return id + 1;
}

/* What came of a derivation that was to have number @id: 1 if there was none for it. */
static int expect_number(struct __test_metadata *_metadata, fixture_self(rare), int fd, __u64 id,
			 bool *taken)
{
	int without = 0;

	if (fd < 0) {
		EXPECT_TRUE(is_fault(fd));
		EXPECT_EQ(0, ctx_next(self->bg, id - 1));
		fd = ctx_derive(self->bg, 0);
		*taken = ctx_id(fd) != id;
		without = !*taken;
	}
	EXPECT_EQ(id + *taken, ctx_id(fd));
	EXPECT_EQ(id + *taken, ctx_next(self->bg, id - 1));
	EXPECT_TRUE(is_live(fd));
	close(fd);
	return without;
}

/*
 * Derives with each allocation failing in turn, until what fails comes after the number.
 * Returns how often there was none.
 */
static int derive_next(struct __test_metadata *_metadata, fixture_self(rare), int n)
{
	int nth, fd, left = 0, without = 0;
	bool taken = false;
	__u64 id;

	for (nth = 1; !left && !taken; nth++) {
		id = align_numbers(self, n);
		fault_from(self->nth_fd, nth);
		fd = ctx_derive(self->bg, 0);
		left = fault_end(self->nth_fd);
		without += expect_number(_metadata, self, fd, id, &taken);
	}
	return without;
}

/* The same with all failing, from one further on each time. */
static int derive_next_with_less(struct __test_metadata *_metadata, fixture_self(rare), int n)
{
	int bytes, fd, all, without = 0;
	bool taken = false;
	__u64 id;

	for (bytes = 0; !taken && self->nth_fd >= 0; bytes += 256) {
		id = align_numbers(self, n);
		all = fault_all_from(bytes);
		fd = ctx_derive(self->bg, 0);
		fault_all_end(all);
		without += expect_number(_metadata, self, fd, id, &taken);
	}
	return without;
}

/* 64 share a block, and 64 blocks what they are found by, of which one failure is not all. */
TEST_F(rare, numbers)
{
	int plain, block, blocks;
	pid_t pid;

	/* Whoever got none is not charged. */
	ASSERT_TRUE(write_number(MAX_USER_CONTEXTS, 1));
	pid = spawn();
	if (!pid) {
		self->nth_fd = fault_open();
		become(self->user);
		plain = derive_next(_metadata, self, 1);
		block = derive_next(_metadata, self, 64);
		if (self->nth_fd >= 0)
			EXPECT_EQ(plain + 1, block);
		child_exit();
	}
	EXPECT_EQ(0, reap(pid));
	ASSERT_TRUE(write_number(MAX_USER_CONTEXTS, 65536));

	plain = derive_next_with_less(_metadata, self, 1);
	block = derive_next_with_less(_metadata, self, 64);
	blocks = derive_next_with_less(_metadata, self, 64 * 64);
	if (self->nth_fd >= 0) {
		EXPECT_LT(plain, block);
		EXPECT_LT(block, blocks);
	}
}

static bool asks_for_signals(int fd)
{
	return fcntl(fd, F_GETFL) & O_ASYNC;
}

/* A signal that cannot be asked for is not sent, and can be asked for later. */
TEST_F(rare, o_async)
{
	static const struct timespec none;
	int nth, ret, error, left = 0, failures = 0;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	ASSERT_EQ(0, sigprocmask(SIG_BLOCK, &set, NULL));
	for (nth = 1; !left; nth++) {
		int fd = ctx_derive(self->bg, 0);

		ASSERT_EQ(0, fcntl(fd, F_SETOWN, getpid()));
		fault_from(self->nth_fd, nth);
		ret = fcntl(fd, F_SETFL, O_ASYNC);
		error = errno;
		left = fault_end(self->nth_fd);
		if (ret) {
			EXPECT_EQ(ENOMEM, error);
			EXPECT_FALSE(asks_for_signals(fd));
			EXPECT_EQ(0, ctx_cancel(fd, 0));
			EXPECT_EQ(-1, sigtimedwait(&set, NULL, &none));
			EXPECT_EQ(0, fcntl(fd, F_SETFL, O_ASYNC));
			failures++;
		} else {
			EXPECT_EQ(0, ctx_cancel(fd, 0));
		}
		EXPECT_TRUE(asks_for_signals(fd));
		EXPECT_EQ(SIGIO, sigtimedwait(&set, NULL, &none));
		EXPECT_EQ(-1, sigtimedwait(&set, NULL, &none));
		close(fd);
	}
	EXPECT_EQ(self->nth_fd >= 0, failures > 0);
}

/* What can be read of @fd, or a negative errno. */
static int read_all(int fd, char *text, size_t size)
{
	ssize_t len, all = 0;

	while ((len = read(fd, text + all, size - 1 - all)) > 0)
		all += len;
	if (len < 0)
		return -errno;
	text[all] = '\0';
	return all;
}

/* The path is what takes memory: without it the rest is still told. */
TEST_F(rare, fdinfo)
{
	int nth, fd, len, left = 0, failures = 0, without = 0;
	char path[64], text[1000];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", self->ctx[0]);
	for (nth = 1; !left; nth++) {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		fault_from(self->nth_fd, nth);
		len = read_all(fd, text, sizeof(text));
		left = fault_end(self->nth_fd);
		close(fd);
		if (len < 0) {
			EXPECT_TRUE(len == -ENOMEM || len == -EFAULT);
			failures++;
			continue;
		}
		EXPECT_NE(NULL, strstr(text, "ctx-id:"));
		EXPECT_NE(NULL, strstr(text, "ctx-rights:\tcancel,derive,value,observe\n"));
		EXPECT_NE(NULL, strstr(text, "ctx-state:\tlive\n"));
		without += !strstr(text, "ctx-path:");
	}
	EXPECT_NE(NULL, strstr(text, "ctx-path:\tbackground.with_cancel\n"));
	EXPECT_EQ(self->nth_fd >= 0, failures > 0);
	EXPECT_EQ(self->nth_fd >= 0, without == 1);
}

TEST_HARNESS_MAIN
