// SPDX-License-Identifier: GPL-2.0
/*
 * Callers of 32 bits: every request, and read and poll, through the kernel's entry for
 * them. A program of 64 bits may use that, too, with pointers that fit; the layout of
 * the structures is compared for both by the check named uapi.
 */
#include "ctx_test.h"

#include <sys/eventfd.h>
#include <sys/mman.h>

/* asm/unistd_32.h, of which a program of 64 bits cannot include two at a time */
#define NR32_read	3
#define NR32_ioctl	54
#define NR32_poll	168
#define NR32_fcntl64	221

#define CGROUP		"/sys/fs/cgroup/ctx_compat_test"

/* What the kernel is given pointers to, below 4 GiB. */
struct low {
	union {
		struct ctx_ioc_derive derive;
		struct ctx_ioc_value value;
		struct ctx_ioc_cancel cancel;
		struct ctx_ioc_info info;
		struct ctx_ioc_restrict restrict_to;
		struct ctx_ioc_open open;
		struct ctx_ioc_next next;
		struct ctx_ioc_link link;
		struct ctx_ioc_watch watch;
		struct ctx_ioc_on_done on_done;
		struct ctx_ioc_bind bind;
	};
	struct ctx_event event;
	struct pollfd pollfd;
	char key[8];
	char found[8];
};

FIXTURE(compat) {
	int bg;
	struct low *low;
};

static long syscall32(long nr, long a, long b, long c)
{
	long ret;

	asm volatile("int $0x80" : "=a" (ret) : "a" (nr), "b" (a), "c" (b), "d" (c) :
		     "r8", "r9", "r10", "r11", "memory");
	return (int)ret;
}

FIXTURE_SETUP(compat)
{
	self->bg = ctx_open();
	ASSERT_LE(0, self->bg);
	self->low = mmap(NULL, sizeof(*self->low), PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	ASSERT_NE(MAP_FAILED, self->low);
	strcpy(self->low->key, "k");
}

FIXTURE_TEARDOWN(compat)
{
	munmap(self->low, sizeof(*self->low));
	close(self->bg);
}

static long request(fixture_self(compat), int fd, unsigned int cmd)
{
	return syscall32(NR32_ioctl, fd, cmd, (long)self->low);
}

static int derive32(fixture_self(compat), int fd, __u32 flags, __u64 time, __u32 cause)
{
	self->low->derive = (struct ctx_ioc_derive){
		.size = sizeof(self->low->derive),
		.flags = flags,
		.time = time,
		.clock = flags ? CLOCK_MONOTONIC : 0,
		.cause = cause,
	};
	return request(self, fd, CTX_IOC_DERIVE);
}

TEST_F(compat, derive_and_cancel)
{
	__u64 later = now() + AN_HOUR;
	struct ctx_ioc_info info;
	int ctx = derive32(self, self->bg, CTX_DERIVE_DEADLINE, later, EPIPE);

	ASSERT_LE(0, ctx);
	ASSERT_EQ(0, ctx_info(ctx, &info));
	EXPECT_EQ(later, info.deadline);
	self->low->cancel = (struct ctx_ioc_cancel){ .size = sizeof(self->low->cancel),
						     .cause = EIO };
	EXPECT_EQ(0, request(self, ctx, CTX_IOC_CANCEL));
	EXPECT_TRUE(is_done(ctx, ECANCELED, EIO));
	close(ctx);
}

TEST_F(compat, values)
{
	int fd;

	self->low->value = (struct ctx_ioc_value){
		.size = sizeof(self->low->value),
		.key = to_u64(self->low->key),
		.key_len = 1,
		.value = to_u64("value"),
		.value_len = 5,
	};
	/* What does not fit into 32 bits is meant as it stands. */
	fd = request(self, self->bg, CTX_IOC_WITH_VALUE);
	ASSERT_LE(0, fd);
	EXPECT_STREQ("value", ctx_get(fd, "k"));
	self->low->value.value = to_u64(self->low->found);
	self->low->value.value_len = sizeof(self->low->found);
	EXPECT_EQ(0, request(self, fd, CTX_IOC_VALUE));
	EXPECT_EQ(5, self->low->value.value_len);
	EXPECT_STREQ("value", self->low->found);
	self->low->value.value_len = 4;
	EXPECT_EQ(-ENOSPC, request(self, fd, CTX_IOC_VALUE));
	EXPECT_EQ(5, self->low->value.value_len);
	close(fd);
}

TEST_F(compat, info_and_numbers)
{
	int ctx = derive32(self, self->bg, CTX_DERIVE_TIMEOUT, AN_HOUR, 0), fd;
	struct ctx_ioc_info info;

	ASSERT_EQ(0, ctx_info(ctx, &info));
	memset(&self->low->info, FILL, sizeof(info));
	self->low->info.size = sizeof(info);
	self->low->info.flags = 0;
	EXPECT_EQ(0, request(self, ctx, CTX_IOC_INFO));
	EXPECT_EQ(0, memcmp(&info, &self->low->info, sizeof(info)));

	self->low->next = (struct ctx_ioc_next){ .size = sizeof(self->low->next),
						 .id = info.id - 1 };
	EXPECT_EQ(0, request(self, self->bg, CTX_IOC_NEXT));
	EXPECT_EQ(info.id, self->low->next.id);

	self->low->open = (struct ctx_ioc_open){ .size = sizeof(self->low->open), .id = info.id };
	fd = request(self, self->bg, CTX_IOC_OPEN);
	ASSERT_LE(0, fd);
	EXPECT_EQ(info.id, ctx_id(fd));
	close(fd);
	self->low->restrict_to = (struct ctx_ioc_restrict){
		.size = sizeof(self->low->restrict_to),
		.rights = CTX_RIGHT_OBSERVE,
	};
	fd = request(self, ctx, CTX_IOC_RESTRICT);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EPERM, ctx_cancel(fd, 0));
	close(fd);
	close(ctx);
}

static int link32(fixture_self(compat), int fd, int other)
{
	self->low->link = (struct ctx_ioc_link){ .size = sizeof(self->low->link), .fd = other };
	return request(self, fd, CTX_IOC_LINK);
}

static int watch32(fixture_self(compat), int fd, int on, __u32 events, __u32 cause)
{
	self->low->watch = (struct ctx_ioc_watch){
		.size = sizeof(self->low->watch),
		.fd = on,
		.events = events,
		.cause = cause,
	};
	return request(self, fd, CTX_IOC_WATCH);
}

TEST_F(compat, link)
{
	int ctx = derive32(self, self->bg, 0, 0, 0), other = derive32(self, self->bg, 0, 0, 0);
	int blind = ctx_restrict(other, CTX_RIGHT_CANCEL);

	EXPECT_EQ(0, link32(self, ctx, other));
	EXPECT_EQ(-EBUSY, link32(self, other, ctx));
	EXPECT_EQ(-ELOOP, link32(self, ctx, ctx));
	EXPECT_EQ(-EPERM, link32(self, ctx, blind));
	EXPECT_EQ(-EPERM, link32(self, self->bg, ctx));
	EXPECT_EQ(-EBADF, link32(self, ctx, -1));
	self->low->link.fd = other;
	self->low->link.reserved = 1;
	EXPECT_EQ(-EINVAL, request(self, ctx, CTX_IOC_LINK));
	EXPECT_TRUE(is_live(ctx));
	EXPECT_EQ(0, ctx_cancel(other, EIO));
	EXPECT_TRUE(is_done_by(ctx, ECANCELED, EIO, ctx_id(other), getpid(), my_comm()));
	close(blind);
	close(other);
	close(ctx);
}

TEST_F(compat, watch)
{
	int ctx = derive32(self, self->bg, 0, 0, 0), other = derive32(self, self->bg, 0, 0, 0);
	int event = eventfd(0, EFD_CLOEXEC), null = open("/dev/null", O_RDWR | O_CLOEXEC);
	__u64 one = 1;

	EXPECT_EQ(0, watch32(self, ctx, event, POLLIN | POLLRDHUP, CTX_CAUSE_MAX));
	EXPECT_EQ(0, watch32(self, other, ctx, 0, 0));
	EXPECT_EQ(-EINVAL, watch32(self, ctx, event, ~0U, 0));
	EXPECT_EQ(-EINVAL, watch32(self, ctx, event, 0, CTX_CAUSE_MAX + 1));
	EXPECT_EQ(-EINVAL, watch32(self, ctx, null, 0, 0));
	EXPECT_EQ(-EBADF, watch32(self, ctx, -1, 0, 0));
	EXPECT_EQ(-EPERM, watch32(self, self->bg, event, 0, 0));
	EXPECT_TRUE(is_live(ctx));
	EXPECT_EQ(sizeof(one), write(event, &one, sizeof(one)));
	ASSERT_TRUE(wait_ready(other));
	EXPECT_TRUE(is_done_by(ctx, ECANCELED, CTX_CAUSE_MAX, ctx_id(ctx), 0, "eventfd"));
	EXPECT_TRUE(same_end(ctx, other));
	close(null);
	close(event);
	close(other);
	close(ctx);
	/* Ready before that returns. */
	ctx = derive32(self, self->bg, 0, 0, 0);
	event = eventfd(0, EFD_CLOEXEC);
	EXPECT_EQ(0, watch32(self, ctx, event, POLLOUT, EIO));
	EXPECT_TRUE(is_done(ctx, ECANCELED, EIO));
	close(event);
	close(ctx);
}

TEST_F(compat, on_done)
{
	int ctx = derive32(self, self->bg, 0, 0, 0), fds[2];
	char text[8] = {};

	ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
	strcpy(self->low->found, "done");
	self->low->on_done = (struct ctx_ioc_on_done){
		.size = sizeof(self->low->on_done),
		.data = to_u64(self->low->found),
		.len = 4,
		.fd = fds[1],
	};
	EXPECT_EQ(0, request(self, ctx, CTX_IOC_ON_DONE));
	close(ctx);
	EXPECT_EQ(4, read(fds[0], text, sizeof(text)));
	EXPECT_STREQ("done", text);
	close(fds[0]);
	close(fds[1]);
}

TEST_F(compat, bind_and_ambient)
{
	int ctx = derive32(self, self->bg, 0, 0, 0), fd, procs;
	pid_t pid;

	rmdir(CGROUP);
	ASSERT_EQ(0, mkdir(CGROUP, 0755));
	procs = open(CGROUP "/cgroup.procs", O_WRONLY | O_CLOEXEC);
	self->low->bind = (struct ctx_ioc_bind){ .size = sizeof(self->low->bind), .fd = procs };
	EXPECT_EQ(0, request(self, ctx, CTX_IOC_BIND));
	pid = spawn();
	if (!pid) {
		EXPECT_EQ(1, write(procs, "0", 1));
		self->low->open = (struct ctx_ioc_open){ .size = sizeof(self->low->open),
							 .flags = CTX_OPEN_AMBIENT };
		fd = request(self, self->bg, CTX_IOC_OPEN);
		EXPECT_EQ(ctx_id(ctx), ctx_id(fd));
		child_exit();
	}
	EXPECT_EQ(0, reap(pid));
	while (rmdir(CGROUP) && errno == EBUSY)
		sched_yield();
	close(procs);
	close(ctx);
}

TEST_F(compat, read_and_poll)
{
	int ctx = derive32(self, self->bg, 0, 0, 0);

	self->low->pollfd = (struct pollfd){ .fd = ctx, .events = POLLIN };
	EXPECT_EQ(0, syscall32(NR32_poll, (long)&self->low->pollfd, 1, 0));
	EXPECT_EQ(0, syscall32(NR32_fcntl64, ctx, F_SETFL, O_NONBLOCK));
	EXPECT_EQ(-EAGAIN, syscall32(NR32_read, ctx, (long)&self->low->event,
				     sizeof(self->low->event)));
	EXPECT_EQ(0, ctx_cancel(ctx, EIO));
	EXPECT_EQ(1, syscall32(NR32_poll, (long)&self->low->pollfd, 1, -1));
	EXPECT_EQ(POLLIN, self->low->pollfd.revents);
	EXPECT_EQ(sizeof(self->low->event), syscall32(NR32_read, ctx, (long)&self->low->event,
						      sizeof(self->low->event)));
	EXPECT_EQ(ctx_id(ctx), self->low->event.id);
	EXPECT_EQ(EIO, self->low->event.cause);
	close(ctx);
}

TEST_F(compat, bad_input)
{
	int next = next_fd();

	EXPECT_EQ(-EFAULT, syscall32(NR32_ioctl, self->bg, CTX_IOC_INFO, 0));
	/* The upper half of what the register has is not the caller's. */
	EXPECT_EQ(-EFAULT, syscall32(NR32_ioctl, self->bg, CTX_IOC_INFO, 0xfffffffffffff000));
	self->low->derive = (struct ctx_ioc_derive){ .size = 4 };
	EXPECT_EQ(-EINVAL, request(self, self->bg, CTX_IOC_DERIVE));
	self->low->derive = (struct ctx_ioc_derive){ .size = 8192 };
	EXPECT_EQ(-E2BIG, request(self, self->bg, CTX_IOC_DERIVE));
	EXPECT_EQ(-EINVAL, derive32(self, self->bg, 0x80, 0, 0));
	EXPECT_EQ(next, next_fd());
}

/* All that there are, and no other. */
TEST_F(compat, every_request)
{
	int ctx = derive32(self, self->bg, 0, 0, 0), nr;

	ASSERT_LE(0, ctx);
	for (nr = 0; nr <= _IOC_NR(CTX_IOC_BIND); nr++) {
		const unsigned int cmd = _IO(CTX_IOC_MAGIC, nr);

		EXPECT_EQ(-EFAULT, syscall32(NR32_ioctl, ctx, cmd, 0));
		self->low->info.size = sizeof(__u32);
		EXPECT_EQ(-EINVAL, request(self, ctx, cmd));
		self->low->info.size = 8192;
		EXPECT_EQ(-E2BIG, request(self, ctx, cmd));
		EXPECT_EQ(-ENOTTY, request(self, ctx, _IOW(CTX_IOC_MAGIC, nr, __u32)));
	}
	for (; nr <= 0xff; nr++)
		EXPECT_EQ(-ENOTTY, request(self, ctx, _IO(CTX_IOC_MAGIC, nr)));
	EXPECT_TRUE(is_live(ctx));
	close(ctx);
}

TEST_HARNESS_MAIN
