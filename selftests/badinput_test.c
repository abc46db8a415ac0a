// SPDX-License-Identifier: GPL-2.0
/*
 * Bad input: each gets its errno, and the context works as before.
 */
#include "ctx_test.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#define PAGE		4096

/* The first request number that is not there yet. */
#define FIRST_UNKNOWN	0x0c

union argument {
	__u32 size;
	struct {
		__u32 size;
		__u32 flags;
	} head;
	struct ctx_ioc_derive derive;
	struct ctx_ioc_value value;
	struct ctx_ioc_cancel cancel;
	struct ctx_ioc_info info;
	struct ctx_ioc_restrict restrict_to;
	struct ctx_ioc_open open;
	struct ctx_ioc_next next;
	struct ctx_ioc_watch watch;
	struct ctx_ioc_on_done on_done;
	struct ctx_ioc_bind bind;
	struct ctx_ioc_link link;
	unsigned char bytes[2 * PAGE];
};

struct subject {
	int bg;
	int value;
	int ctx;
	int next;
	struct ctx_ioc_info info;
	char found[8];
	int eventfd;
	int procs;
};

#define CGROUP	"/sys/fs/cgroup/ctx_badinput_test"

static void subject_init(struct __test_metadata *_metadata, struct subject *subject)
{
	subject->bg = ctx_open();
	ASSERT_LE(0, subject->bg);
	subject->value = ctx_set(subject->bg, "k", "v");
	ASSERT_LE(0, subject->value);
	subject->ctx = ctx_derive(subject->value, 0);
	ASSERT_LE(0, subject->ctx);
	subject->eventfd = eventfd(0, EFD_CLOEXEC);
	ASSERT_LE(0, subject->eventfd);
	rmdir(CGROUP);
	ASSERT_EQ(0, mkdir(CGROUP, 0755));
	subject->procs = open(CGROUP "/cgroup.procs", O_WRONLY | O_CLOEXEC);
	ASSERT_LE(0, subject->procs);
	subject->next = next_fd();
	ASSERT_EQ(0, ctx_info(subject->ctx, &subject->info));
}

/* Nothing was changed and nothing was lost. */
static bool unharmed(struct subject *subject)
{
	struct ctx_ioc_info info;
	int child;

	if (!must(next_fd() == subject->next) ||
	    !must(is_live(subject->bg)) ||
	    !must(is_live(subject->value)) ||
	    !must(is_live(subject->ctx)) ||
	    !must(ctx_info(subject->ctx, &info) == 0) ||
	    !must(memcmp(&info, &subject->info, sizeof(info)) == 0) ||
	    !must(strcmp(ctx_get(subject->ctx, "k"), "v") == 0))
		return false;
	child = ctx_derive(subject->ctx, 0);
	if (!must(child == subject->next) ||
	    !must(is_live(child)))
		return false;
	close(child);
	return true;
}

/* And it can still be cancelled. */
static void subject_end(struct __test_metadata *_metadata, struct subject *subject)
{
	EXPECT_TRUE(unharmed(subject));
	EXPECT_EQ(0, ctx_cancel(subject->ctx, EIO));
	EXPECT_TRUE(is_done(subject->ctx, ECANCELED, EIO));
	close(subject->eventfd);
	close(subject->procs);
	EXPECT_EQ(0, rmdir(CGROUP));
	close(subject->ctx);
	close(subject->value);
	close(subject->bg);
}

/* What is the same for every request */

FIXTURE(badinput) {
	struct subject subject;
	union argument *page;	/* two pages that are there, and one after them that is not */
};

FIXTURE_VARIANT(badinput) {
	unsigned int cmd;
	__u32 size;
	bool writes;
};

FIXTURE_VARIANT_ADD(badinput, derive) {
	.cmd = CTX_IOC_DERIVE,
	.size = sizeof(struct ctx_ioc_derive),
};

FIXTURE_VARIANT_ADD(badinput, with_value) {
	.cmd = CTX_IOC_WITH_VALUE,
	.size = sizeof(struct ctx_ioc_value),
};

FIXTURE_VARIANT_ADD(badinput, value) {
	.cmd = CTX_IOC_VALUE,
	.size = sizeof(struct ctx_ioc_value),
	.writes = true,
};

FIXTURE_VARIANT_ADD(badinput, cancel) {
	.cmd = CTX_IOC_CANCEL,
	.size = sizeof(struct ctx_ioc_cancel),
};

FIXTURE_VARIANT_ADD(badinput, info) {
	.cmd = CTX_IOC_INFO,
	.size = sizeof(struct ctx_ioc_info),
	.writes = true,
};

FIXTURE_VARIANT_ADD(badinput, restrict_to) {
	.cmd = CTX_IOC_RESTRICT,
	.size = sizeof(struct ctx_ioc_restrict),
};

FIXTURE_VARIANT_ADD(badinput, open) {
	.cmd = CTX_IOC_OPEN,
	.size = sizeof(struct ctx_ioc_open),
};

FIXTURE_VARIANT_ADD(badinput, next) {
	.cmd = CTX_IOC_NEXT,
	.size = sizeof(struct ctx_ioc_next),
	.writes = true,
};

FIXTURE_VARIANT_ADD(badinput, watch) {
	.cmd = CTX_IOC_WATCH,
	.size = sizeof(struct ctx_ioc_watch),
};

FIXTURE_VARIANT_ADD(badinput, on_done) {
	.cmd = CTX_IOC_ON_DONE,
	.size = sizeof(struct ctx_ioc_on_done),
};

FIXTURE_VARIANT_ADD(badinput, bind) {
	.cmd = CTX_IOC_BIND,
	.size = sizeof(struct ctx_ioc_bind),
};

FIXTURE_VARIANT_ADD(badinput, link) {
	.cmd = CTX_IOC_LINK,
	.size = sizeof(struct ctx_ioc_link),
};

FIXTURE_SETUP(badinput)
{
	char *pages = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_NE(MAP_FAILED, pages);
	ASSERT_EQ(0, munmap(pages + 2 * PAGE, PAGE));
	self->page = (void *)pages;
	subject_init(_metadata, &self->subject);
}

FIXTURE_TEARDOWN(badinput)
{
	subject_end(_metadata, &self->subject);
	munmap(self->page, 2 * PAGE);
}

/* A request with nothing wrong about it, written to where it may be misaligned. */
static void write_good(const struct _fixture_variant_badinput *variant, struct subject *subject,
		       void *where)
{
	union argument arg;

	memset(&arg, 0, sizeof(arg.info));
	arg.size = variant->size;
	if (variant->cmd == CTX_IOC_VALUE || variant->cmd == CTX_IOC_WITH_VALUE) {
		arg.value.key = to_u64("k");
		arg.value.key_len = 1;
		arg.value.value = to_u64(subject->found);
		arg.value.value_len = 1;
	}
	if (variant->cmd == CTX_IOC_OPEN)
		arg.open.id = subject->info.id;
	if (variant->cmd == CTX_IOC_WATCH)
		arg.watch.fd = subject->eventfd;
	if (variant->cmd == CTX_IOC_ON_DONE)
		arg.on_done.fd = subject->eventfd;
	if (variant->cmd == CTX_IOC_BIND)
		arg.bind.fd = subject->procs;
	if (variant->cmd == CTX_IOC_LINK)
		arg.link.fd = subject->ctx;
	memcpy(where, &arg, variant->size);
}

#define refuse(error, arg) do {							\
	EXPECT_EQ(-(error), ctx_request(self->subject.ctx, variant->cmd, arg));	\
	EXPECT_TRUE(unharmed(&self->subject));					\
} while (0)

/* On a context of its own, since it does what it does. */
#define accept(arg) do {							\
	int fresh = ctx_derive(self->subject.value, 0);				\
	int ret = ctx_request(fresh, variant->cmd, arg);			\
										\
	EXPECT_LE(0, ret);							\
	if (ret > 0)								\
		close(ret);							\
	close(fresh);								\
	EXPECT_TRUE(unharmed(&self->subject));					\
} while (0)

TEST_F(badinput, pointers_to_nowhere)
{
	static const __u64 nowhere[] = {
		0, 1, 8, PAGE - 1, 1ULL << 47, 1ULL << 63, 0xffff888000000000, 0xffffffff81000000,
		-4096ULL, -8ULL, -1ULL,
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(nowhere); i++)
		refuse(EFAULT, to_ptr(nowhere[i]));
	refuse(EFAULT, (char *)self->page + 2 * PAGE);
	refuse(EFAULT, (char *)self->page + 2 * PAGE + 16);
}

TEST_F(badinput, half_mapped)
{
	unsigned char good[sizeof(union argument)];
	char *end = (char *)self->page + 2 * PAGE;
	__u32 mapped;

	write_good(variant, &self->subject, good);
	for (mapped = 1; mapped < variant->size; mapped++) {
		memcpy(end - mapped, good, mapped);
		refuse(EFAULT, end - mapped);
	}
	/* Not a byte before its end, not a byte beyond. */
	memcpy(end - variant->size, good, variant->size);
	accept(end - variant->size);
}

TEST_F(badinput, misaligned_is_no_problem)
{
	int offset;

	for (offset = 1; offset < 16; offset++) {
		write_good(variant, &self->subject, self->page->bytes + offset);
		accept(self->page->bytes + offset);
	}
	/* Across two pages. */
	write_good(variant, &self->subject, self->page->bytes + PAGE - 7);
	accept(self->page->bytes + PAGE - 7);
}

TEST_F(badinput, not_readable)
{
	write_good(variant, &self->subject, self->page);
	ASSERT_EQ(0, mprotect(self->page, PAGE, PROT_NONE));
	refuse(EFAULT, self->page);
	ASSERT_EQ(0, mprotect(self->page, PAGE, PROT_READ | PROT_WRITE));
	accept(self->page);
}

/* Only what gives something back writes to the structure. */
TEST_F(badinput, not_writable)
{
	write_good(variant, &self->subject, self->page);
	ASSERT_EQ(0, mprotect(self->page, PAGE, PROT_READ));
	if (variant->writes)
		refuse(EFAULT, self->page);
	else
		accept(self->page);
	ASSERT_EQ(0, mprotect(self->page, PAGE, PROT_READ | PROT_WRITE));
}

TEST_F(badinput, too_short)
{
	__u32 size;

	for (size = 0; size < variant->size; size++) {
		write_good(variant, &self->subject, self->page);
		self->page->size = size;
		refuse(EINVAL, self->page);
	}
}

TEST_F(badinput, longer_and_zero)
{
	static const __u32 more[] = { 1, 2, 3, 4, 7, 8, 16, 64, 1000 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(more); i++) {
		memset(self->page->bytes, 0, variant->size + more[i]);
		memset(self->page->bytes + variant->size + more[i], FILL, 8);
		write_good(variant, &self->subject, self->page);
		self->page->size = variant->size + more[i];
		accept(self->page);
	}
	memset(self->page, 0, sizeof(*self->page));
	write_good(variant, &self->subject, self->page);
	self->page->size = PAGE;
	accept(self->page);
}

TEST_F(badinput, longer_and_not_zero)
{
	static const __u32 more[] = { 1, 2, 3, 4, 7, 8, 16, 64, 1000 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(more); i++) {
		memset(self->page, 0, sizeof(*self->page));
		write_good(variant, &self->subject, self->page);
		self->page->size = variant->size + more[i];
		self->page->bytes[variant->size + more[i] - 1] = 1;
		refuse(E2BIG, self->page);
		self->page->bytes[variant->size + more[i] - 1] = 0;
		self->page->bytes[variant->size] = 0x80;
		refuse(E2BIG, self->page);
	}
	memset(self->page, 0, sizeof(*self->page));
	write_good(variant, &self->subject, self->page);
	self->page->size = PAGE;
	self->page->bytes[PAGE - 1] = 1;
	refuse(E2BIG, self->page);
}

/* The rest is zero as far as it goes, which is not as far as it says. */
TEST_F(badinput, longer_than_mapped)
{
	char *end = (char *)self->page + 2 * PAGE;
	char *start = end - variant->size - 8;

	memset(self->page, 0, sizeof(*self->page));
	write_good(variant, &self->subject, start);
	*(__u32 *)start = variant->size + 16;
	refuse(EFAULT, start);
	*(__u32 *)start = PAGE;
	refuse(EFAULT, start);
}

TEST_F(badinput, huge)
{
	static const __u32 sizes[] = {
		PAGE + 1, 2 * PAGE, 0x10000, 0x7fffffff, 0x80000000, 0xfffff000, 0xfffffffe,
		0xffffffff,
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		memset(self->page, 0, sizeof(*self->page));
		memset(self->page->bytes + PAGE, 1, PAGE);
		write_good(variant, &self->subject, self->page);
		self->page->size = sizes[i];
		refuse(E2BIG, self->page);
	}
}

/* Zero or not: the kernel does not look through more than a page. */
TEST_F(badinput, longer_than_a_page)
{
	memset(self->page, 0, sizeof(*self->page));
	write_good(variant, &self->subject, self->page);
	self->page->size = PAGE + 1;
	refuse(E2BIG, self->page);
	self->page->size = 2 * PAGE;
	refuse(E2BIG, self->page);
	self->page->size = PAGE;
	accept(self->page);
}

TEST_F(badinput, unknown_flags)
{
	__u32 known = 0, bit;

	if (variant->cmd == CTX_IOC_DERIVE)
		known = CTX_DERIVE_DEADLINE | CTX_DERIVE_TIMEOUT | CTX_DERIVE_WITHOUT_CANCEL |
			CTX_DERIVE_KEEP;
	for (bit = 1; bit; bit <<= 1) {
		if (bit & known)
			continue;
		write_good(variant, &self->subject, self->page);
		self->page->head.flags = bit;
		refuse(EINVAL, self->page);
	}
	write_good(variant, &self->subject, self->page);
	self->page->head.flags = ~known;
	refuse(EINVAL, self->page);
	self->page->head.flags = ~0U;
	refuse(EINVAL, self->page);
}

TEST_F(badinput, foreign_descriptors)
{
	const int epoll = epoll_create1(EPOLL_CLOEXEC);
	int pipes[2], i, err;
	int fds[] = {
		open("/dev/null", O_RDWR | O_CLOEXEC),
		open("/proc/self/stat", O_RDONLY | O_CLOEXEC),
		open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC),
		memfd_create("ctx", MFD_CLOEXEC),
		eventfd(0, EFD_CLOEXEC),
		epoll,
		-1, -1,
	};

	ASSERT_EQ(0, pipe2(pipes, O_CLOEXEC));
	fds[6] = pipes[0];
	fds[7] = pipes[1];
	for (i = 0; i < 8; i++) {
		ASSERT_LE(0, fds[i]);
		write_good(variant, &self->subject, self->page);
		err = ctx_request(fds[i], variant->cmd, self->page);
		/* Since 6.9 an epoll set has ioctls of its own, and says this of all others. */
		if (err != -EINVAL || fds[i] != epoll)
			EXPECT_EQ(-ENOTTY, err);
		close(fds[i]);
	}
}

TEST_F(badinput, closed_descriptors)
{
	int fd = ctx_derive(self->subject.ctx, 0);
	int path = open(CTX_DEV, O_PATH | O_CLOEXEC);

	ASSERT_LE(0, path);
	write_good(variant, &self->subject, self->page);
	close(fd);
	EXPECT_EQ(-EBADF, ctx_request(fd, variant->cmd, self->page));
	EXPECT_EQ(-EBADF, ctx_request(-1, variant->cmd, self->page));
	EXPECT_EQ(-EBADF, ctx_request(INT32_MAX, variant->cmd, self->page));
	EXPECT_EQ(-EBADF, ctx_request(path, variant->cmd, self->page));
	close(path);
}

/* The same number with another direction, size or letter is another request. */
TEST_F(badinput, requests_that_only_look_alike)
{
	unsigned int nr = variant->cmd & 0xff;
	const unsigned int alike[] = {
		_IOC(_IOC_READ, CTX_IOC_MAGIC, nr, variant->size),
		_IOC(_IOC_WRITE, CTX_IOC_MAGIC, nr, variant->size),
		_IOC(_IOC_READ | _IOC_WRITE, CTX_IOC_MAGIC, nr, variant->size),
		_IOC(_IOC_NONE, CTX_IOC_MAGIC, nr, 1),
		_IOC(_IOC_READ, CTX_IOC_MAGIC, nr, 0),
		_IO('X', nr), _IO('y', nr), _IO('w', nr), _IO(0xff, nr),
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(alike); i++) {
		write_good(variant, &self->subject, self->page);
		EXPECT_EQ(-ENOTTY, ctx_request(self->subject.ctx, alike[i], self->page));
		EXPECT_TRUE(unharmed(&self->subject));
	}
}

/* What only some requests have */

FIXTURE(badmember) {
	struct subject subject;
};

FIXTURE_SETUP(badmember)
{
	subject_init(_metadata, &self->subject);
}

FIXTURE_TEARDOWN(badmember)
{
	subject_end(_metadata, &self->subject);
}

TEST_F(badmember, unknown_requests)
{
	struct ctx_ioc_info arg = { .size = sizeof(arg) };
	const int fds[] = { self->subject.bg, self->subject.value, self->subject.ctx };
	unsigned int nr;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		for (nr = FIRST_UNKNOWN; nr < 256; nr++) {
			ASSERT_EQ(-ENOTTY, ctx_request(fds[i], _IO(CTX_IOC_MAGIC, nr), &arg));
			ASSERT_EQ(-ENOTTY, ctx_request(fds[i], _IO(CTX_IOC_MAGIC, nr), NULL));
		}
		EXPECT_EQ(-ENOTTY, ctx_request(fds[i], 0x5401, &arg));	/* TCGETS */
		EXPECT_EQ(-ENOTTY, ctx_request(fds[i], 0, &arg));
		EXPECT_EQ(-ENOTTY, ctx_request(fds[i], ~0U, &arg));
	}
	EXPECT_TRUE(unharmed(&self->subject));
}

static const struct bad_derive {
	const char *what;
	int error;
	struct ctx_ioc_derive arg;
} bad_derives[] = {
#define BAD(_what, ...)	{ _what, EINVAL, { __VA_ARGS__ } }
#define AT		.flags = CTX_DERIVE_DEADLINE
#define FROM_NOW	.flags = CTX_DERIVE_TIMEOUT
#define WITHOUT		.flags = CTX_DERIVE_WITHOUT_CANCEL
#define MONO		.clock = CLOCK_MONOTONIC
	BAD("time without deadline", .time = 1),
	BAD("never without deadline", .time = INT64_MAX),
	BAD("clock without deadline", MONO),
	BAD("boottime without deadline", .clock = CLOCK_BOOTTIME),
	BAD("cause without deadline", .cause = EIO),
	BAD("bad cause without deadline", .cause = CTX_CAUSE_MAX + 1),
	BAD("keep: time", .flags = CTX_DERIVE_KEEP, .time = 1),
	BAD("keep: clock", .flags = CTX_DERIVE_KEEP, MONO),
	BAD("keep: cause", .flags = CTX_DERIVE_KEEP, .cause = EIO),
	BAD("without: time", WITHOUT, .time = 1),
	BAD("without: clock", WITHOUT, MONO),
	BAD("without: cause", WITHOUT, .cause = EIO),
	BAD("without + keep", WITHOUT | CTX_DERIVE_KEEP),
	BAD("without + deadline", WITHOUT | CTX_DERIVE_DEADLINE, .time = 1, MONO),
	BAD("without + timeout", WITHOUT | CTX_DERIVE_TIMEOUT, .time = 1, MONO),
	BAD("deadline + timeout", AT | CTX_DERIVE_TIMEOUT, .time = 1, MONO),
	BAD("all", .flags = 0xf, .time = 1, MONO),
	BAD("time too large", AT, .time = 1ULL << 63, MONO),
	BAD("time far too large", AT, .time = UINT64_MAX, MONO),
	BAD("realtime too large", AT, .time = 1ULL << 63, .clock = CLOCK_REALTIME),
	BAD("boottime too large", AT, .time = 1ULL << 63, .clock = CLOCK_BOOTTIME),
	BAD("timeout too large", FROM_NOW, .time = 1ULL << 63, MONO),
	BAD("timeout far too large", FROM_NOW, .time = UINT64_MAX, MONO),
	BAD("realtime timeout too large", FROM_NOW, .time = 1ULL << 63, .clock = CLOCK_REALTIME),
	BAD("clock 2", FROM_NOW, .time = 1, .clock = CLOCK_PROCESS_CPUTIME_ID),
	BAD("clock 3", FROM_NOW, .time = 1, .clock = CLOCK_THREAD_CPUTIME_ID),
	BAD("clock 4", FROM_NOW, .time = 1, .clock = CLOCK_MONOTONIC_RAW),
	BAD("clock 5", FROM_NOW, .time = 1, .clock = CLOCK_REALTIME_COARSE),
	BAD("clock 6", FROM_NOW, .time = 1, .clock = CLOCK_MONOTONIC_COARSE),
	BAD("clock 8", FROM_NOW, .time = 1, .clock = CLOCK_REALTIME_ALARM),
	BAD("clock 9", FROM_NOW, .time = 1, .clock = CLOCK_BOOTTIME_ALARM),
	BAD("clock 10", FROM_NOW, .time = 1, .clock = 10),
	BAD("clock 11", FROM_NOW, .time = 1, .clock = CLOCK_TAI),
	BAD("clock 12", AT, .time = 1, .clock = 12),
	BAD("clock 16", AT, .time = 1, .clock = 16),
	BAD("clock 256", AT, .time = 1, .clock = 256),
	BAD("clock 257", AT, .time = 1, .clock = 257),
	BAD("clock -1", AT, .time = 1, .clock = -1),
	BAD("bad clock, never", AT, .time = INT64_MAX, .clock = 2),
	BAD("cause 4096", AT, .time = INT64_MAX, MONO, .cause = CTX_CAUSE_MAX + 1),
	BAD("cause 4096 of timeout", FROM_NOW, .time = 1, MONO, .cause = CTX_CAUSE_MAX + 1),
	BAD("cause 65536", AT, .time = 1, MONO, .cause = 65536),
	BAD("cause 65537", AT, .time = 1, MONO, .cause = 65537),
	BAD("cause S32_MIN", AT, .time = 1, MONO, .cause = 0x80000000),
	BAD("cause -1", AT, .time = 1, MONO, .cause = -1),
	BAD("cause -EIO", FROM_NOW, .time = 1, MONO, .cause = -EIO),
};

static void expect_bad_derives(struct __test_metadata *_metadata, struct subject *subject,
			       int fd)
{
	struct ctx_ioc_derive arg;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad_derives); i++) {
		arg = bad_derives[i].arg;
		arg.size = sizeof(arg);
		EXPECT_EQ(-bad_derives[i].error, ctx_request(fd, CTX_IOC_DERIVE, &arg))
			TH_LOG("%s", bad_derives[i].what);
		EXPECT_TRUE(unharmed(subject))
			TH_LOG("%s", bad_derives[i].what);
	}
}

TEST_F(badmember, derive)
{
	expect_bad_derives(_metadata, &self->subject, self->subject.ctx);
}

TEST_F(badmember, derive_on_background_and_value)
{
	expect_bad_derives(_metadata, &self->subject, self->subject.bg);
	expect_bad_derives(_metadata, &self->subject, self->subject.value);
}

/* What is born done is checked just the same. */
TEST_F(badmember, derive_on_a_done_parent)
{
	int done = ctx_derive(self->subject.ctx, 0);

	ASSERT_EQ(0, ctx_cancel(done, 0));
	self->subject.next = next_fd();
	expect_bad_derives(_metadata, &self->subject, done);
	close(done);
	self->subject.next = next_fd();
}

/* The edge of each range belongs to it. */
TEST_F(badmember, derive_at_the_edges)
{
	static const struct ctx_ioc_derive good[] = {
		{ AT, .time = 0, MONO },
		{ AT, .time = 1, MONO },
		{ AT, .time = INT64_MAX, MONO },
		{ AT, .time = INT64_MAX - 1, MONO },
		{ AT, .time = INT64_MAX, .clock = CLOCK_REALTIME },
		{ AT, .time = INT64_MAX - 1, .clock = CLOCK_REALTIME },
		{ AT, .time = INT64_MAX, .clock = CLOCK_BOOTTIME },
		{ AT, .time = INT64_MAX - 1, .clock = CLOCK_BOOTTIME },
		{ FROM_NOW, .time = 0, MONO },
		{ FROM_NOW, .time = INT64_MAX, MONO },
		{ FROM_NOW, .time = INT64_MAX - 1, .clock = CLOCK_REALTIME },
		{ AT, .time = INT64_MAX, MONO, .cause = 1 },
		{ AT, .time = INT64_MAX, MONO, .cause = CTX_CAUSE_MAX },
		{ FROM_NOW | CTX_DERIVE_KEEP, .time = INT64_MAX, MONO, .cause = CTX_CAUSE_MAX },
		{ .flags = 0 },
		{ WITHOUT },
		{ .flags = CTX_DERIVE_KEEP },
	};
	struct ctx_ioc_derive arg;
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(good); i++) {
		arg = good[i];
		arg.size = sizeof(arg);
		fd = ctx_request(self->subject.ctx, CTX_IOC_DERIVE, &arg);
		EXPECT_EQ(self->subject.next, fd) TH_LOG("number %zu", i);
		close(fd);
		EXPECT_TRUE(unharmed(&self->subject));
	}
}

TEST_F(badmember, cancel)
{
	static const struct ctx_ioc_cancel bad[] = {
		{ .cause = CTX_CAUSE_MAX + 1 },
		{ .cause = 0xffff },
		{ .cause = 0x10000 },
		{ .cause = 0x10001 },
		{ .cause = 0x7fffffff },
		{ .cause = 0x80000000 },
		{ .cause = 0xffffffff },
		{ .cause = -ECANCELED },
		{ .reserved = 1 },
		{ .reserved = 0x80000000 },
		{ .cause = EIO, .reserved = 1 },
	};
	struct ctx_ioc_cancel arg;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		arg = bad[i];
		arg.size = sizeof(arg);
		EXPECT_EQ(-EINVAL, ctx_request(self->subject.ctx, CTX_IOC_CANCEL, &arg));
		EXPECT_TRUE(unharmed(&self->subject));
	}
}

TEST_F(badmember, cancel_without_the_right)
{
	int without = ctx_derive(self->subject.ctx, CTX_DERIVE_WITHOUT_CANCEL);

	ASSERT_LE(0, without);
	EXPECT_EQ(-EPERM, ctx_cancel(self->subject.bg, EIO));
	EXPECT_EQ(-EPERM, ctx_cancel(self->subject.value, EIO));
	EXPECT_EQ(-EPERM, ctx_cancel(without, EIO));
	EXPECT_TRUE(is_live(without));
	close(without);
}

FIXTURE(badvalue) {
	struct subject subject;
	char *end;	/* of what is mapped */
	char *pages;
};

FIXTURE_SETUP(badvalue)
{
	self->pages = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->pages);
	self->end = self->pages + 3 * PAGE;
	ASSERT_EQ(0, munmap(self->end, PAGE));
	memset(self->pages, 'x', 3 * PAGE);
	subject_init(_metadata, &self->subject);
}

FIXTURE_TEARDOWN(badvalue)
{
	subject_end(_metadata, &self->subject);
	munmap(self->pages, 3 * PAGE);
}

TEST_F(badvalue, key_lengths)
{
	static const __u32 bad[] = {
		0, CTX_KEY_MAX + 1, CTX_KEY_MAX + 2, 2 * CTX_KEY_MAX, 0x100 * CTX_KEY_MAX,
		0x10001, 0x7fffffff, 0x80000000, 0x80000001, 0xffffffff,
	};
	char byte;
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(-EINVAL, ctx_with_value(self->subject.ctx, self->pages, bad[i], "v", 1));
		EXPECT_EQ(-EINVAL, ctx_value(self->subject.ctx, self->pages, bad[i], &byte,
					     &(__u32){ 1 }));
		EXPECT_TRUE(unharmed(&self->subject));
	}
	/* A length is wrong whatever it is the length of. */
	EXPECT_EQ(-EINVAL, ctx_with_value(self->subject.ctx, NULL, 0, NULL, 0));
	for (i = 1; i <= CTX_KEY_MAX; i += i < 250 ? 83 : 1) {
		fd = ctx_with_value(self->subject.ctx, self->pages, i, "v", 1);
		EXPECT_EQ(self->subject.next, fd);
		EXPECT_EQ(0, ctx_value(fd, self->pages, i, &byte, &(__u32){ 1 }));
		close(fd);
		EXPECT_EQ(-ENOENT, ctx_value(self->subject.ctx, self->pages, i, &byte,
					     &(__u32){ 1 }));
	}
}

TEST_F(badvalue, value_lengths)
{
	static const __u32 bad[] = {
		CTX_VALUE_MAX + 1, CTX_VALUE_MAX + 2, 2 * CTX_VALUE_MAX, 0x10000, 0x10001,
		0x7fffffff, 0x80000000, 0x80000001, 0xffffffff,
	};
	static const __u32 good[] = { 0, 1, CTX_VALUE_MAX - 1, CTX_VALUE_MAX };
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(-EINVAL, ctx_with_value(self->subject.ctx, "n", 1, self->pages, bad[i]));
		EXPECT_TRUE(unharmed(&self->subject));
	}
	for (i = 0; i < ARRAY_SIZE(good); i++) {
		fd = ctx_with_value(self->subject.ctx, "n", 1, self->pages, good[i]);
		EXPECT_EQ(self->subject.next, fd);
		close(fd);
	}
}

static const __u64 nowhere[] = {
	0, 1, 1ULL << 47, 1ULL << 63, 0xffff888000000000, 0xffffffff81000000, -4096ULL, -1ULL,
};

TEST_F(badvalue, keys_that_are_nowhere)
{
	char byte;
	size_t i;
	int mapped;

	for (i = 0; i < ARRAY_SIZE(nowhere); i++) {
		EXPECT_EQ(-EFAULT, ctx_with_value(self->subject.ctx, to_ptr(nowhere[i]), 1,
						  "v", 1));
		EXPECT_EQ(-EFAULT, ctx_with_value(self->subject.ctx, to_ptr(nowhere[i]),
						  CTX_KEY_MAX, "v", 1));
		EXPECT_EQ(-EFAULT, ctx_value(self->subject.ctx, to_ptr(nowhere[i]), 1, &byte,
					     &(__u32){ 1 }));
		EXPECT_TRUE(unharmed(&self->subject));
	}
	for (mapped = 0; mapped < CTX_KEY_MAX; mapped += 51) {
		EXPECT_EQ(-EFAULT, ctx_with_value(self->subject.ctx, self->end - mapped,
						  CTX_KEY_MAX, "v", 1));
		EXPECT_EQ(-EFAULT, ctx_value(self->subject.ctx, self->end - mapped, CTX_KEY_MAX,
					     &byte, &(__u32){ 1 }));
		EXPECT_TRUE(unharmed(&self->subject));
	}
	EXPECT_EQ(-ENOENT, ctx_value(self->subject.ctx, self->end - CTX_KEY_MAX, CTX_KEY_MAX,
				     &byte, &(__u32){ 1 }));
}

TEST_F(badvalue, values_that_are_nowhere)
{
	__u32 room = CTX_VALUE_MAX;
	int mapped, fd;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(nowhere); i++) {
		EXPECT_EQ(-EFAULT, ctx_with_value(self->subject.ctx, "n", 1,
						  to_ptr(nowhere[i]), 1));
		EXPECT_EQ(-EFAULT, ctx_with_value(self->subject.ctx, "n", 1,
						  to_ptr(nowhere[i]), CTX_VALUE_MAX));
		EXPECT_EQ(-EFAULT, ctx_value(self->subject.ctx, "k", 1, to_ptr(nowhere[i]),
					     &room));
		/* Whatever it found, it has not said so. */
		EXPECT_EQ(CTX_VALUE_MAX, room);
		EXPECT_TRUE(unharmed(&self->subject));
	}
	for (mapped = 0; mapped < CTX_VALUE_MAX; mapped += 1365) {
		EXPECT_EQ(-EFAULT, ctx_with_value(self->subject.ctx, "n", 1, self->end - mapped,
						  CTX_VALUE_MAX));
		EXPECT_TRUE(unharmed(&self->subject));
	}
	fd = ctx_with_value(self->subject.ctx, "n", 1, self->end - CTX_VALUE_MAX, CTX_VALUE_MAX);
	ASSERT_LE(0, fd);
	for (mapped = 0; mapped < CTX_VALUE_MAX; mapped += 1365)
		EXPECT_EQ(-EFAULT, ctx_value(fd, "n", 1, self->end - mapped,
					     &(__u32){ CTX_VALUE_MAX }));
	EXPECT_EQ(0, ctx_value(fd, "n", 1, self->end - CTX_VALUE_MAX, &(__u32){ CTX_VALUE_MAX }));
	ASSERT_EQ(0, mprotect(self->pages, PAGE, PROT_READ));
	EXPECT_EQ(-EFAULT, ctx_value(fd, "n", 1, self->pages, &(__u32){ CTX_VALUE_MAX }));
	EXPECT_EQ('x', self->pages[0]);
	close(fd);
}

TEST_HARNESS_MAIN
