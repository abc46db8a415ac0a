// SPDX-License-Identifier: GPL-2.0
/*
 * Whatever fails inside of a request, memory or a copy from or to the caller:
 * an errno, and nothing changed, lost or leaked. On a kernel that can make its
 * allocations fail each of them does in turn; on any other each request simply
 * succeeds at once.
 */
#include "ctx_fail.h"
#include "ctx_test.h"

#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#define MAKE_IT_FAIL	"/proc/thread-self/make-it-fail"
#define DEBUGFS		"/sys/kernel/debug/ctx/"
#define TABLE		64		/* descriptors that a process has room for at first */
#define CGROUP		"/sys/fs/cgroup/ctx_fault_test"

FIXTURE(fault) {
	int bg;
	int value;
	int ctx;
	char found[8];
	int other;
	int pipe[2];
	int event;
	int inet;
	int procs;
	int kill;
	struct ctx_ioc_info info;
};

/* Gives a descriptor, which is then closed; 0; or what went wrong. */
FIXTURE_VARIANT(fault) {
	int (*request)(fixture_self(fault));
	bool done;		/* the context */
};

static int derive(fixture_self(fault))
{
	return ctx_derive(self->ctx, 0);
}

static int derive_keep(fixture_self(fault))
{
	return ctx_derive(self->ctx, CTX_DERIVE_KEEP);
}

static int derive_timeout(fixture_self(fault))
{
	return ctx_timeout(self->ctx, AN_HOUR, 0);
}

static int derive_realtime(fixture_self(fault))
{
	return ctx_derive_time(self->ctx, CTX_DERIVE_TIMEOUT, AN_HOUR, CLOCK_REALTIME, EIO);
}

static int derive_without_cancel(fixture_self(fault))
{
	return ctx_derive(self->ctx, CTX_DERIVE_WITHOUT_CANCEL);
}

static int with_value(fixture_self(fault))
{
	return ctx_set(self->ctx, "key", "value");
}

static int look_up(fixture_self(fault))
{
	__u32 len = sizeof(self->found);

	return ctx_value(self->ctx, "k", 1, self->found, &len);
}

static int cancel(fixture_self(fault))
{
	return ctx_cancel(self->ctx, EIO);
}

static int ask(fixture_self(fault))
{
	struct ctx_ioc_info info;

	return ctx_info(self->ctx, &info);
}

static int restrict_to(fixture_self(fault))
{
	return ctx_restrict(self->ctx, CTX_RIGHT_OBSERVE);
}

static int open_id(fixture_self(fault))
{
	return ctx_open_id(self->ctx, self->info.id, CTX_RIGHT_OBSERVE);
}

static int open_ambient(fixture_self(fault))
{
	return ctx_ambient(self->ctx, CTX_RIGHT_OBSERVE);
}

static int open_device(fixture_self(fault))
{
	return ctx_open();
}

static int next_id(fixture_self(fault))
{
	struct ctx_ioc_next arg = { .size = sizeof(arg) };

	return ctx_request(self->ctx, CTX_IOC_NEXT, &arg);
}

static int link_to(fixture_self(fault))
{
	return ctx_link(self->ctx, self->other);
}

static int watch(fixture_self(fault))
{
	return ctx_watch(self->ctx, self->pipe[0], 0, 0);
}

static int watch_context(fixture_self(fault))
{
	return ctx_watch(self->ctx, self->other, 0, 0);
}

static int on_done_pipe(fixture_self(fault))
{
	return ctx_on_done(self->ctx, self->pipe[1], "done", 4);
}

static int on_done_event(fixture_self(fault))
{
	return ctx_on_done(self->ctx, self->event, NULL, 0);
}

static int on_done_inet(fixture_self(fault))
{
	return ctx_on_done(self->ctx, self->inet, "done", 4);
}

static int on_done_kill(fixture_self(fault))
{
	return ctx_on_done(self->ctx, self->kill, NULL, 0);
}

static int bind_to(fixture_self(fault))
{
	return ctx_bind(self->ctx, self->procs);
}

static int unbind(fixture_self(fault))
{
	return ctx_bind(self->bg, self->procs);
}

static int read_event(fixture_self(fault))
{
	struct ctx_event event;

	return read(self->ctx, &event, sizeof(event)) == sizeof(event) ? 0 : -errno;
}

static int ask_for_signal(fixture_self(fault))
{
	return fcntl(self->ctx, F_SETFL, O_ASYNC) ? -errno : 0;
}

static int read_all(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err = 0;
	ssize_t len;

	if (fd < 0)
		return -errno;
	do {
		len = read(fd, text, size - 1);
		err = len < 0 ? -errno : 0;
		text += err ? 0 : len;
		size -= err ? 0 : len;
	} while (len > 0 && size > 1);
	*text = '\0';
	close(fd);
	return err;
}

/* Without memory for the path, that line alone may be missing. */
static int read_fdinfo(fixture_self(fault))
{
	char path[64], text[4096];
	int err;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", self->ctx);
	err = read_all(path, text, sizeof(text));
	return err || strstr(text, "ctx-state:\tlive\n") ? err : -EPROTO;
}

static int read_file(const char *name, const char *expected)
{
	char path[64], text[65536];
	int err;

	snprintf(path, sizeof(path), DEBUGFS "%s", name);
	err = read_all(path, text, sizeof(text));
	return err || strstr(text, expected) ? err : -EPROTO;
}

static int read_tree(fixture_self(fault))
{
	return read_file("tree", " with_cancel ");
}

static int read_counters(fixture_self(fault))
{
	return read_file("counters", "live ");
}

static int read_derived(fixture_self(fault))
{
	return read_file("derived", "derived by");
}

FIXTURE_VARIANT_ADD(fault, derive) {
	.request = derive,
};

FIXTURE_VARIANT_ADD(fault, derive_keep) {
	.request = derive_keep,
};

FIXTURE_VARIANT_ADD(fault, derive_timeout) {
	.request = derive_timeout,
};

FIXTURE_VARIANT_ADD(fault, derive_realtime) {
	.request = derive_realtime,
};

FIXTURE_VARIANT_ADD(fault, derive_without_cancel) {
	.request = derive_without_cancel,
};

FIXTURE_VARIANT_ADD(fault, with_value) {
	.request = with_value,
};

FIXTURE_VARIANT_ADD(fault, look_up) {
	.request = look_up,
};

FIXTURE_VARIANT_ADD(fault, cancel) {
	.request = cancel,
};

FIXTURE_VARIANT_ADD(fault, ask) {
	.request = ask,
};

FIXTURE_VARIANT_ADD(fault, restrict_to) {
	.request = restrict_to,
};

FIXTURE_VARIANT_ADD(fault, open_id) {
	.request = open_id,
};

FIXTURE_VARIANT_ADD(fault, open_ambient) {
	.request = open_ambient,
};

FIXTURE_VARIANT_ADD(fault, open_device) {
	.request = open_device,
};

FIXTURE_VARIANT_ADD(fault, next_id) {
	.request = next_id,
};

FIXTURE_VARIANT_ADD(fault, link_to) {
	.request = link_to,
};

FIXTURE_VARIANT_ADD(fault, watch) {
	.request = watch,
};

FIXTURE_VARIANT_ADD(fault, watch_context) {
	.request = watch_context,
};

FIXTURE_VARIANT_ADD(fault, on_done_pipe) {
	.request = on_done_pipe,
};

FIXTURE_VARIANT_ADD(fault, on_done_event) {
	.request = on_done_event,
};

FIXTURE_VARIANT_ADD(fault, on_done_inet) {
	.request = on_done_inet,
};

FIXTURE_VARIANT_ADD(fault, on_done_kill) {
	.request = on_done_kill,
};

FIXTURE_VARIANT_ADD(fault, bind_to) {
	.request = bind_to,
};

FIXTURE_VARIANT_ADD(fault, unbind) {
	.request = unbind,
};

FIXTURE_VARIANT_ADD(fault, ask_for_signal) {
	.request = ask_for_signal,
};

FIXTURE_VARIANT_ADD(fault, read_fdinfo) {
	.request = read_fdinfo,
};

FIXTURE_VARIANT_ADD(fault, read_tree) {
	.request = read_tree,
};

FIXTURE_VARIANT_ADD(fault, read_counters) {
	.request = read_counters,
};

FIXTURE_VARIANT_ADD(fault, read_derived) {
	.request = read_derived,
};

FIXTURE_VARIANT_ADD(fault, read_event) {
	.request = read_event,
	.done = true,
};

static bool make_ctx(fixture_self(fault), const struct _fixture_variant_fault *variant)
{
	self->ctx = ctx_derive(self->value, 0);
	return must(self->ctx >= 0) &&
	       must(!variant->done || ctx_cancel(self->ctx, EIO) == 0) &&
	       must(ctx_info(self->ctx, &self->info) == 0);
}

FIXTURE_SETUP(fault)
{
	fail_quietly();
	self->bg = ctx_open();
	ASSERT_LE(0, self->bg);
	self->value = ctx_set(self->bg, "k", "v");
	ASSERT_LE(0, self->value);
	self->other = ctx_derive(self->bg, 0);
	ASSERT_LE(0, self->other);
	ASSERT_TRUE(make_ctx(self, variant));
	ASSERT_EQ(0, pipe2(self->pipe, O_CLOEXEC | O_NONBLOCK));
	self->event = eventfd(0, EFD_CLOEXEC);
	ASSERT_LE(0, self->event);
	self->inet = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ASSERT_LE(0, self->inet);
	rmdir(CGROUP);
	ASSERT_EQ(0, mkdir(CGROUP, 0755));
	self->procs = open(CGROUP "/cgroup.procs", O_WRONLY | O_CLOEXEC);
	ASSERT_LE(0, self->procs);
	self->kill = open(CGROUP "/cgroup.kill", O_WRONLY | O_CLOEXEC);
	ASSERT_LE(0, self->kill);
}

FIXTURE_TEARDOWN(fault)
{
	EXPECT_EQ(0, ctx_cancel(self->ctx, EIO));
	EXPECT_TRUE(is_done(self->ctx, ECANCELED, EIO));
	close(self->ctx);
	close(self->other);
	close(self->pipe[0]);
	close(self->pipe[1]);
	close(self->event);
	close(self->inet);
	close(self->procs);
	close(self->kill);
	EXPECT_EQ(0, rmdir(CGROUP));
	close(self->value);
	close(self->bg);
	fail_as_before();
}

/* After a request that succeeded. */
static bool begin_again(fixture_self(fault), const struct _fixture_variant_fault *variant, int ret)
{
	if (ret > 0)
		close(ret);
	close(self->ctx);
	return must(ret >= 0) && make_ctx(self, variant);
}

/* The request with its @nth failure; false when it did not come that far. */
static bool fail_at(int nth_fd, int nth, int *ret, fixture_self(fault),
		    const struct _fixture_variant_fault *variant)
{
	fail_from(nth_fd, nth);
	*ret = variant->request(self);
	return fail_end(nth_fd);
}

TEST_F(fault, each_in_turn)
{
	int nth_fd = open(FAIL_NTH, O_RDWR | O_CLOEXEC);
	int next = next_fd(), nth, ret = variant->request(self), failures = 0;
	struct ctx_ioc_info info;

	/* From now on it takes the same each time: what is cached is. */
	ASSERT_TRUE(begin_again(self, variant, ret));
	for (nth = 1; fail_at(nth_fd, nth, &ret, self, variant); nth++) {
		failures++;
		if (ret >= 0) {
			/* What failed was something it can do without. */
			ASSERT_TRUE(begin_again(self, variant, ret));
			continue;
		}
		EXPECT_TRUE(ret == -ENOMEM || ret == -EFAULT);
		EXPECT_EQ(next, next_fd());
		if (!variant->done)
			EXPECT_TRUE(is_live(self->ctx));
		EXPECT_EQ(0, ctx_info(self->ctx, &info));
		EXPECT_EQ(0, memcmp(&info, &self->info, sizeof(info)));
	}
	EXPECT_LE(0, ret);
	if (ret > 0)
		close(ret);
	EXPECT_EQ(nth_fd >= 0, failures > 0);
	EXPECT_STREQ("v", ctx_get(self->ctx, "k"));
	close(nth_fd);
}

/* A pipe that the kernel was to write to: its end is gone when nobody can read from it. */
static bool let_go(int bg, int nth_fd)
{
	int ctx = ctx_derive(bg, CTX_DERIVE_KEEP), pipe[2];
	bool failed;
	char byte;

	must(pipe2(pipe, O_CLOEXEC) == 0);
	must(ctx_on_done(ctx, pipe[1], "done", 4) == 0);
	close(pipe[1]);
	fail_from(nth_fd, 1);
	close(ctx);
	failed = fail_end(nth_fd);
	must(read(pipe[0], &byte, 1) == 0);
	close(pipe[0]);
	return failed;
}

TEST(closing_takes_no_memory)
{
	int nth_fd = open(FAIL_NTH, O_RDWR | O_CLOEXEC), bg = ctx_open();

	fail_quietly();
	EXPECT_FALSE(let_go(bg, nth_fd));
	fail_as_before();
	close(bg);
	close(nth_fd);
}

/* In a child: the next descriptor is one for which its table has no room. */
static void derive_on_a_full_table(struct __test_metadata *_metadata, int bg, int nth,
				   bool *failed)
{
	int nth_fd = open(FAIL_NTH, O_RDWR | O_CLOEXEC), fd;

	while (dup(bg) < TABLE - 1)
		;
	fail_from(nth_fd, nth);
	fd = ctx_derive(bg, 0);
	*failed = fail_end(nth_fd);
	EXPECT_TRUE(fd == TABLE || fd == -ENOMEM || fd == -EFAULT);
	if (fd < 0)
		EXPECT_EQ(TABLE, ctx_derive(bg, 0));
}

TEST(a_table_that_cannot_grow)
{
	bool *failed = mmap(NULL, sizeof(*failed), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int bg = ctx_open(), nth = 0;
	pid_t pid;

	fail_quietly();
	do {
		nth++;
		pid = spawn();
		if (!pid) {
			derive_on_a_full_table(_metadata, bg, nth, failed);
			child_exit();
		}
		EXPECT_EQ(0, reap(pid));
	} while (*failed);
	EXPECT_EQ(!access(FAIL_NTH, F_OK), nth > 1);
	fail_as_before();
	munmap(failed, sizeof(*failed));
	close(bg);
}

/* Numbers and users */

#define BLOCK		64		/* numbers that are made at a time: kmod/ids.c */
#define BLOCKS		64		/* that a node of the kernel's array has */

/* Until the last number that was given is so many past a multiple of @unit. */
static __u64 count_to(int bg, unsigned int unit, unsigned int past)
{
	__u64 id;
	int fd;

	do {
		fd = ctx_derive(bg, 0);
		id = ctx_id(fd);
		close(fd);
	} while (id % unit != past);
	return id;
}

#define MAX_USER_CONTEXTS	CTX_PARAMETERS "max_user_contexts"

FIXTURE(account) {
	int bg;
	int pair[2];
	long long max;
	struct outcome {
		int ret;
		bool failed;
		__u64 id;
	} *outcome;		/* the child's */
};

FIXTURE_SETUP(account)
{
	fail_quietly();
	self->bg = ctx_open();
	ASSERT_LE(0, self->bg);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, self->pair));
	self->max = read_number(MAX_USER_CONTEXTS);
	self->outcome = mmap(NULL, sizeof(*self->outcome), PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->outcome);
}

FIXTURE_TEARDOWN(account)
{
	EXPECT_TRUE(write_number(MAX_USER_CONTEXTS, self->max));
	munmap(self->outcome, sizeof(*self->outcome));
	close(self->pair[0]);
	close(self->pair[1]);
	close(self->bg);
	fail_as_before();
}

/*
 * Derives with the @nth failure, and then without: he may have as many contexts as were
 * not made, so nothing is charged for those.
 */
static void derive_twice(struct __test_metadata *_metadata, fixture_self(account), int nth_fd,
			 int nth)
{
	struct outcome *outcome = self->outcome;
	int next = next_fd(), fd;

	fail_from(nth_fd, nth);
	fd = ctx_derive(self->bg, 0);
	outcome->failed = fail_end(nth_fd);
	outcome->ret = fd < 0 ? fd : 0;
	if (fd >= 0) {
		EXPECT_EQ(-EDQUOT, ctx_derive(self->bg, 0));
		close(fd);
	} else {
		EXPECT_TRUE(fd == -ENOMEM || fd == -EFAULT);
	}
	EXPECT_EQ(next, next_fd());
	fd = ctx_derive(self->bg, 0);
	EXPECT_LE(0, fd);
	outcome->id = ctx_id(fd);
	close(fd);
}

/*
 * The child is a user who was never seen, in a user namespace of another, who was not
 * seen either unless he is to be @known: then both have a context.
 */
static void be_somebody(struct __test_metadata *_metadata, fixture_self(account), uid_t uid,
			bool known, int nth)
{
	int nth_fd = open(FAIL_NTH, O_RDWR | O_CLOEXEC);

	become(uid);
	EXPECT_EQ(0, unshare(CLONE_NEWUSER));
	EXPECT_TRUE(tell(self->pair[1]));
	EXPECT_TRUE(hear(self->pair[1]));
	become(1);
	if (known)
		EXPECT_LE(0, ctx_derive(self->bg, 0));
	EXPECT_TRUE(tell(self->pair[1]));
	EXPECT_TRUE(hear(self->pair[1]));
	derive_twice(_metadata, self, nth_fd, nth);
}

/* After the last number was so many past a multiple of BLOCK. */
static void somebody(struct __test_metadata *_metadata, fixture_self(account), uid_t uid,
		     bool known, int past, int nth)
{
	pid_t pid = spawn();
	char map[32];
	__u64 last;

	if (!pid) {
		be_somebody(_metadata, self, uid, known, nth);
		child_exit();
	}
	snprintf(map, sizeof(map), "0 %d 2", uid);
	EXPECT_TRUE(hear(self->pair[0]));
	EXPECT_TRUE(map_ids(pid, map));
	EXPECT_TRUE(tell(self->pair[0]));
	EXPECT_TRUE(hear(self->pair[0]));
	last = count_to(self->bg, BLOCK, past);
	EXPECT_TRUE(write_number(MAX_USER_CONTEXTS, known ? 2 : 1));
	EXPECT_TRUE(tell(self->pair[0]));
	EXPECT_EQ(0, reap(pid));
	EXPECT_TRUE(write_number(MAX_USER_CONTEXTS, self->max));
	/* At most the number of the one that failed is lost. */
	EXPECT_LT(last, self->outcome->id);
	EXPECT_GE(last + 2, self->outcome->id);
}

/* How many failures in turn were those of the request. */
static int failures_of(struct __test_metadata *_metadata, fixture_self(account), uid_t uid,
		       bool known, int past)
{
	int nth = 0, failures = 0;

	do {
		nth++;
		somebody(_metadata, self, uid + 2 * nth, known, past, nth);
		failures += self->outcome->ret < 0;
	} while (self->outcome->failed);
	EXPECT_EQ(0, self->outcome->ret);
	return failures;
}

TEST_F(account, is_not_left_behind)
{
	const bool injects = !access(FAIL_NTH, F_OK);
	int least = failures_of(_metadata, self, 20000, true, BLOCK / 2);

	/* An account for each of the two. */
	EXPECT_EQ(injects ? least + 2 : 0, failures_of(_metadata, self, 30000, false, BLOCK / 2));
	/* The block. */
	EXPECT_EQ(injects ? least + 1 : 0, failures_of(_metadata, self, 40000, true, BLOCK - 1));
}

/*
 * A number that takes a node of the kernel's array, which tries a second time: from some
 * allocation on all fail. How far it comes is a matter of bytes.
 */
TEST_F(account, no_number_without_room)
{
	int fail_fd = open(MAKE_IT_FAIL, O_RDWR | O_CLOEXEC), fd = -ENOMEM, space, failures = 0;
	__u64 last = count_to(self->bg, BLOCK * BLOCKS, BLOCK * BLOCKS - 1);

	write_file(FAILSLAB "task-filter", "Y");
	write_file(FAILSLAB "probability", "100");
	write_file(FAILSLAB "times", "-1");
	for (space = 0; fd < 0; space += 32) {
		write_number(FAILSLAB "space", space);
		if (fail_fd >= 0)
			EXPECT_EQ(1, pwrite(fail_fd, "1", 1, 0));
		fd = ctx_derive(self->bg, 0);
		if (fail_fd >= 0)
			EXPECT_EQ(1, pwrite(fail_fd, "0", 1, 0));
		if (fd < 0) {
			ASSERT_EQ(-ENOMEM, fd);
			failures++;
		}
	}
	write_file(FAILSLAB "probability", "0");
	write_file(FAILSLAB "times", "1");
	write_file(FAILSLAB "space", "0");
	write_file(FAILSLAB "task-filter", "N");
	EXPECT_EQ(fail_fd >= 0, failures > 0);
	EXPECT_LT(last, ctx_id(fd));
	EXPECT_EQ(ctx_id(fd), ctx_next(self->bg, last));
	close(fd);
	close(fail_fd);
}

TEST_HARNESS_MAIN
