// SPDX-License-Identifier: GPL-2.0
/*
 * The sample modules, driven as their users would: a block device whose backend
 * stalls, a device that works under a caller's context, a pipeline of threads. And the
 * module cannot go while any of them uses it.
 */
#include "ctx_module.h"
#include "ctx_test.h"
#include <dirent.h>
#include "../kmod/samples/sum.h"

#define PARAMETERS	"/sys/module/ctx_blk/parameters/"
#define DRIVER		"/sys/bus/platform/drivers/ctx_blk/"
#define BLK_SIZE	1048576
#define BLOCK		4096

/* A use of the module that a sample makes is one that keeps it. */
static bool pinned(void)
{
	return unload_module("ctx") == -EWOULDBLOCK;
}

static bool file_begins(const char *path, const char *text)
{
	char begin[64];
	ssize_t len;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	len = read(fd, begin, sizeof(begin) - 1);
	close(fd);
	begin[len > 0 ? len : 0] = '\0';
	return !strncmp(begin, text, strlen(text));
}

/* Waits until a request is on its way to the backend. */
static void wait_inflight(void)
{
	while (!file_begins("/sys/block/ctx_blk/inflight", "       1"))
		sched_yield();
}

/* Waits until there is a task of that name, or none. */
static void wait_task(const char *comm, bool there)
{
	bool found = !there;
	struct dirent *entry;
	char path[300];
	DIR *proc;

	while (found != there) {
		found = false;
		proc = opendir("/proc");
		while ((entry = readdir(proc))) {
			snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
			found |= file_begins(path, comm);
		}
		closedir(proc);
	}
}

FIXTURE(blk) {
	int fd;
	char *block;	/* as direct I/O wants it aligned */
};

FIXTURE_SETUP(blk)
{
	/* An hour: no request ends by its own deadline, however slow the machine. */
	ASSERT_EQ(0, load_module("ctx_blk", "timeout_ms=3600000"));
	self->fd = open("/dev/ctx_blk", O_RDWR | O_DIRECT | O_CLOEXEC);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, posix_memalign((void **)&self->block, BLOCK, BLOCK));
}

FIXTURE_TEARDOWN(blk)
{
	free(self->block);
	close(self->fd);
	EXPECT_EQ(0, unload_module("ctx_blk"));
}

static int blk_read(int fd, char *block, off_t pos)
{
	ssize_t got = pread(fd, block, BLOCK, pos);

	return got < 0 ? -errno : got;
}

TEST_F(blk, keeps_what_is_written)
{
	off_t pos;
	int i;

	for (pos = 0; pos < BLK_SIZE; pos += BLOCK) {
		memset(self->block, 1 + pos / BLOCK % 251, BLOCK);
		ASSERT_EQ(BLOCK, pwrite(self->fd, self->block, BLOCK, pos));
	}
	for (pos = 0; pos < BLK_SIZE; pos += BLOCK) {
		ASSERT_EQ(BLOCK, blk_read(self->fd, self->block, pos));
		for (i = 0; i < BLOCK; i++)
			ASSERT_EQ(1 + pos / BLOCK % 251, (unsigned char)self->block[i]);
	}
	EXPECT_EQ(0, blk_read(self->fd, self->block, BLK_SIZE));
}

TEST_F(blk, a_stalled_backend_fails_by_the_deadline)
{
	__u64 start;

	ASSERT_TRUE(write_file(PARAMETERS "timeout_ms", "100"));
	ASSERT_TRUE(write_file(PARAMETERS "stall", "1"));
	start = now();
	EXPECT_EQ(-ETIMEDOUT, blk_read(self->fd, self->block, 0));
	EXPECT_LE(start + NSEC_PER_SEC / 10, now());
	memset(self->block, 7, BLOCK);
	EXPECT_EQ(-1, pwrite(self->fd, self->block, BLOCK, 0));
	EXPECT_EQ(ETIMEDOUT, errno);
	ASSERT_TRUE(write_file(PARAMETERS "timeout_ms", "3600000"));
	ASSERT_TRUE(write_file(PARAMETERS "stall", "0"));
	EXPECT_EQ(BLOCK, blk_read(self->fd, self->block, 0));
}

TEST_F(blk, unbinding_drains_what_is_stalled)
{
	pid_t pid;

	EXPECT_TRUE(pinned());
	ASSERT_TRUE(write_file(PARAMETERS "stall", "1"));
	pid = spawn();
	if (pid == 0) {
		EXPECT_EQ(-ENODEV, blk_read(self->fd, self->block, 0));
		child_exit();
	}
	wait_inflight();
	EXPECT_TRUE(write_file(DRIVER "unbind", "ctx_blk"));
	EXPECT_EQ(0, reap(pid));
	/* Nothing is left to read, if it is not an error. */
	EXPECT_GE(0, blk_read(self->fd, self->block, 0));
	close(self->fd);

	ASSERT_TRUE(write_file(PARAMETERS "stall", "0"));
	ASSERT_TRUE(write_file(DRIVER "bind", "ctx_blk"));
	self->fd = open("/dev/ctx_blk", O_RDWR | O_DIRECT | O_CLOEXEC);
	ASSERT_LE(0, self->fd);
	EXPECT_EQ(BLOCK, blk_read(self->fd, self->block, 0));
}

FIXTURE(sum) {
	int bg;
	int fd;
	char *data;
};

#define SUM_LEN		1048576
#define FOR_EVER	(~0U)

FIXTURE_SETUP(sum)
{
	int i;

	ASSERT_EQ(0, load_module("ctx_sum", ""));
	self->bg = ctx_open();
	self->fd = open("/dev/ctx_sum", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->fd);
	self->data = malloc(SUM_LEN);
	for (i = 0; i < SUM_LEN; i++)
		self->data[i] = i * 7 + i / 256;
}

FIXTURE_TEARDOWN(sum)
{
	free(self->data);
	close(self->bg);
	close(self->fd);
	EXPECT_EQ(0, unload_module("ctx_sum"));
}

static int sum(fixture_self(sum), int ctx, __u32 rounds, __u32 threads, __u32 *result)
{
	struct ctx_sum arg = {
		.data = to_u64(self->data),
		.len = SUM_LEN,
		.rounds = rounds,
		.threads = threads,
		.ctx = ctx,
	};
	int ret = ioctl(self->fd, CTX_SUM, &arg) ? -errno : 0;

	if (result)
		*result = arg.sum;
	return ret;
}

static __u32 crc32(const char *data, size_t len)
{
	__u32 crc = ~0U;
	int bit;

	while (len--) {
		crc ^= (unsigned char)*data++;
		for (bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
	}
	return ~crc;
}

TEST_F(sum, is_right)
{
	int ctx = ctx_derive(self->bg, 0);
	__u32 result, third = (SUM_LEN + 2) / 3;

	EXPECT_EQ(0, sum(self, ctx, 1, 1, &result));
	EXPECT_EQ(crc32(self->data, SUM_LEN), result);
	EXPECT_EQ(0, sum(self, -1, 2, 3, &result));
	EXPECT_EQ(crc32(self->data, third) ^ crc32(self->data + third, third) ^
		  crc32(self->data + 2 * third, SUM_LEN - 2 * third), result);
	EXPECT_EQ(0, sum(self, ctx, 1, 64, NULL));
	EXPECT_TRUE(is_live(ctx));
	close(ctx);
}

TEST_F(sum, takes_a_context_and_nothing_else)
{
	int ctx = ctx_derive(self->bg, 0);
	int watching = ctx_restrict(ctx, CTX_RIGHT_OBSERVE);

	EXPECT_EQ(-EBADF, sum(self, 1000, 1, 1, NULL));
	EXPECT_EQ(-EINVAL, sum(self, self->fd, 1, 1, NULL));
	EXPECT_EQ(-EPERM, sum(self, watching, 1, 1, NULL));
	EXPECT_EQ(-EINVAL, sum(self, ctx, 1, 0, NULL));
	EXPECT_EQ(-EINVAL, sum(self, ctx, 1, 65, NULL));
	close(watching);
	close(ctx);
}

TEST_F(sum, ends_by_the_deadline)
{
	int ctx = ctx_timeout(self->bg, NSEC_PER_SEC / 20, 0);

	EXPECT_EQ(-ETIMEDOUT, sum(self, ctx, FOR_EVER, 2, NULL));
	EXPECT_TRUE(is_done(ctx, ETIMEDOUT, ETIMEDOUT));
	EXPECT_EQ(-ETIMEDOUT, sum(self, ctx, 1, 1, NULL));
	close(ctx);
}

/* The one who called has no say in it: its owner dies, and the job with him. */
TEST_F(sum, ends_with_the_owner_of_the_context)
{
	pid_t owner, caller;
	int pair[2], ctx;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	owner = spawn();
	if (owner == 0) {
		ctx = ctx_derive(self->bg, 0);
		EXPECT_TRUE(send_fd(pair[1], ctx_restrict(ctx, CTX_RIGHT_DERIVE)));
		pause();
	}
	ctx = recv_fd(pair[0]);
	caller = spawn();
	if (caller == 0) {
		EXPECT_EQ(-ECANCELED, sum(self, ctx, FOR_EVER, 2, NULL));
		child_exit();
	}
	wait_task("ctx_sum/1", true);
	kill(owner, SIGKILL);
	EXPECT_EQ(KILLED, reap(owner));
	EXPECT_EQ(0, reap(caller));
	close(pair[0]);
	close(pair[1]);
	close(ctx);
}

/* Nothing is passed: the driver finds what its caller's cgroup runs under. */
TEST_F(sum, ends_with_the_context_of_the_cgroup)
{
	static const char group[] = "/sys/fs/cgroup/ctx_samples";
	int ctx = ctx_derive(self->bg, 0), procs;
	pid_t caller;

	ASSERT_EQ(0, mkdir(group, 0755));
	procs = open("/sys/fs/cgroup/ctx_samples/cgroup.procs", O_WRONLY | O_CLOEXEC);
	ASSERT_LE(0, procs);
	ASSERT_EQ(0, ctx_bind(ctx, procs));
	caller = spawn();
	if (caller == 0) {
		EXPECT_EQ(1, write(procs, "0", 1));
		EXPECT_EQ(-ECANCELED, sum(self, -1, FOR_EVER, 2, NULL));
		child_exit();
	}
	wait_task("ctx_sum/1", true);
	EXPECT_EQ(0, ctx_cancel(ctx, 0));
	EXPECT_EQ(0, reap(caller));
	close(procs);
	EXPECT_EQ(0, rmdir(group));
	close(ctx);
}

/* Whoever is reaped has left the device, and his threads had ended before. */
TEST_F(sum, ends_with_the_caller)
{
	int ctx = ctx_derive(self->bg, CTX_DERIVE_KEEP);
	pid_t caller = spawn();

	if (caller == 0) {
		sum(self, ctx, FOR_EVER, 2, NULL);
		child_exit();
	}
	wait_task("ctx_sum/1", true);
	EXPECT_TRUE(pinned());
	kill(caller, SIGKILL);
	EXPECT_EQ(KILLED, reap(caller));
	wait_task("ctx_sum/", false);
	EXPECT_TRUE(is_live(ctx));
	close(ctx);
}

FIXTURE(pipeline) {
};

FIXTURE_VARIANT(pipeline) {
	const char *module;
};

FIXTURE_VARIANT_ADD(pipeline, ctx) {
	.module = "ctx_pipeline",
};

FIXTURE_VARIANT_ADD(pipeline, plain) {
	.module = "ctx_pipeline_plain",
};

FIXTURE_SETUP(pipeline)
{
}

FIXTURE_TEARDOWN(pipeline)
{
}

/* The sum of the squares, as the kernel's log has it from here on. */
TEST_F(pipeline, comes_to_its_end)
{
	char record[512], expected[64];
	int log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	bool found = false;
	ssize_t len;

	ASSERT_LE(0, log);
	ASSERT_LE(0, lseek(log, 0, SEEK_END));
	snprintf(expected, sizeof(expected), "%s: the sum is 333833500\n", variant->module);
	EXPECT_EQ(0, load_module(variant->module, "count=1000"));
	while ((len = read(log, record, sizeof(record) - 1)) > 0) {
		record[len] = '\0';
		found |= !!strstr(record, expected);
	}
	EXPECT_TRUE(found);
	EXPECT_EQ(0, unload_module(variant->module));
	close(log);
}

TEST_F(pipeline, hands_down_the_first_error)
{
	EXPECT_EQ(-EDOM, load_module(variant->module, "count=1000 fail_at=7"));
	EXPECT_EQ(-EDOM, load_module(variant->module, "count=1 fail_at=1"));
	EXPECT_EQ(-ENOENT, unload_module(variant->module));
}

TEST_F(pipeline, ends_when_it_is_unloaded)
{
	EXPECT_EQ(0, load_module(variant->module, ""));
	if (!strcmp(variant->module, "ctx_pipeline"))
		EXPECT_TRUE(pinned());
	EXPECT_EQ(0, unload_module(variant->module));
}

TEST_HARNESS_MAIN
