// SPDX-License-Identifier: GPL-2.0
/*
 * CTX_IOC_ON_DONE: what the kernel writes when a context is done, to each kind of
 * file, and how it went.
 */
#include "ctx_test.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

#include <linux/io_uring.h>

#define FIFO	"/tmp/ctx_ondone_fifo"
#define PACKETS	(O_DIRECT | O_NONBLOCK | O_CLOEXEC)

FIXTURE(ondone) {
	int bg;
	int ctx;
	int event;
	int pipe[2];
};

FIXTURE_SETUP(ondone)
{
	self->bg = ctx_open();
	ASSERT_LE(0, self->bg);
	self->ctx = ctx_derive(self->bg, 0);
	ASSERT_LE(0, self->ctx);
	self->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ASSERT_LE(0, self->event);
	ASSERT_EQ(0, pipe2(self->pipe, O_CLOEXEC | O_NONBLOCK));
}

FIXTURE_TEARDOWN(ondone)
{
	close(self->pipe[0]);
	close(self->pipe[1]);
	close(self->event);
	close(self->ctx);
	close(self->bg);
	unlink(FIFO);
}

/* What was added to an eventfd since it was last asked. */
static __u64 count_of(int event)
{
	__u64 count = 0;

	return read(event, &count, sizeof(count)) == sizeof(count) ? count : 0;
}

/* What is there to be read is this, and nothing else. */
static bool holds(int fd, const void *data, size_t len)
{
	static char found[2 * CTX_ON_DONE_MAX];

	return must(read(fd, found, sizeof(found)) == (ssize_t)len) &&
	       must(memcmp(found, data, len) == 0);
}

static bool holds_nothing(int fd)
{
	char byte;

	return must(read(fd, &byte, 1) == -1) && must(errno == EAGAIN);
}

/* Without waiting for room; gives how much there was. */
static size_t fill(int fd)
{
	static const char zeros[CTX_ON_DONE_MAX];
	size_t len = sizeof(zeros), sum = 0;
	ssize_t ret;

	for (; len; len /= 2) {
		while ((ret = send(fd, zeros, len, MSG_DONTWAIT)) > 0 ||
		       (ret < 0 && errno == ENOTSOCK && (ret = write(fd, zeros, len)) > 0))
			sum += ret;
	}
	return sum;
}

static size_t drain(int fd)
{
	static char bytes[CTX_ON_DONE_MAX];
	size_t sum = 0;
	ssize_t ret;

	while ((ret = read(fd, bytes, sizeof(bytes))) > 0)
		sum += ret;
	return sum;
}

TEST_F(ondone, info)
{
	struct ctx_ioc_info info;

	ASSERT_EQ(0, ctx_info(self->ctx, &info));
	EXPECT_EQ(0, info.on_dones);
	EXPECT_EQ(0, info.info_flags & CTX_INFO_WRITTEN);
	EXPECT_EQ(0, ctx_on_done(self->ctx, self->event, NULL, 0));
	EXPECT_EQ(0, ctx_on_done(self->ctx, self->pipe[1], "a", 1));
	ASSERT_EQ(0, ctx_info(self->ctx, &info));
	EXPECT_EQ(2, info.on_dones);
	EXPECT_EQ(0, info.on_done_err);
	EXPECT_EQ(0, info.info_flags & CTX_INFO_WRITTEN);
	EXPECT_TRUE(is_live(self->ctx));
	EXPECT_EQ(0, count_of(self->event));

	EXPECT_EQ(0, ctx_cancel(self->ctx, EIO));
	EXPECT_EQ(0, written(self->ctx));
	ASSERT_EQ(0, ctx_info(self->ctx, &info));
	EXPECT_EQ(2, info.on_dones);
	EXPECT_TRUE(is_done(self->ctx, ECANCELED, EIO));
	EXPECT_EQ(1, count_of(self->event));
	EXPECT_TRUE(holds(self->pipe[0], "a", 1));
	/* Once. */
	EXPECT_EQ(0, ctx_cancel(self->ctx, EIO));
	EXPECT_EQ(0, count_of(self->event));
}

TEST_F(ondone, at_once_if_it_is_done)
{
	struct ctx_ioc_info info;

	EXPECT_EQ(0, ctx_cancel(self->ctx, 0));
	EXPECT_EQ(0, ctx_on_done(self->ctx, self->event, NULL, 0));
	EXPECT_EQ(0, written(self->ctx));
	EXPECT_EQ(1, count_of(self->event));
	EXPECT_EQ(0, ctx_on_done(self->ctx, self->pipe[1], "late", 4));
	EXPECT_EQ(0, written(self->ctx));
	EXPECT_TRUE(holds(self->pipe[0], "late", 4));
	ASSERT_EQ(0, ctx_info(self->ctx, &info));
	EXPECT_EQ(2, info.on_dones);
}

TEST_F(ondone, by_the_parent_or_a_deadline)
{
	int child = ctx_derive(self->ctx, 0);
	int timed = ctx_timeout(self->bg, NSEC_PER_SEC / 100, 0);

	EXPECT_EQ(0, ctx_on_done(child, self->event, NULL, 0));
	EXPECT_EQ(0, ctx_on_done(timed, self->pipe[1], "time", 4));
	EXPECT_EQ(0, ctx_cancel(self->ctx, 0));
	EXPECT_EQ(0, written(child));
	EXPECT_EQ(1, count_of(self->event));
	EXPECT_EQ(0, written(timed));
	EXPECT_TRUE(is_done(timed, ETIMEDOUT, ETIMEDOUT));
	EXPECT_TRUE(holds(self->pipe[0], "time", 4));
	close(child);
	close(timed);
}

TEST_F(ondone, on_a_value)
{
	int value = ctx_set(self->ctx, "k", "v");

	EXPECT_EQ(0, ctx_on_done(value, self->event, NULL, 0));
	EXPECT_EQ(0, ctx_cancel(self->ctx, 0));
	EXPECT_EQ(0, written(value));
	EXPECT_EQ(1, count_of(self->event));
	close(value);
}

/* Whatever is never done takes them, and never writes. */
TEST_F(ondone, on_what_is_never_done)
{
	int without = ctx_derive(self->ctx, CTX_DERIVE_WITHOUT_CANCEL);
	int value = ctx_set(self->bg, "k", "v");
	struct ctx_ioc_info info;

	EXPECT_EQ(0, ctx_on_done(self->bg, self->event, NULL, 0));
	EXPECT_EQ(0, ctx_on_done(without, self->event, NULL, 0));
	EXPECT_EQ(0, ctx_on_done(value, self->event, NULL, 0));
	EXPECT_EQ(0, ctx_cancel(self->ctx, 0));
	ASSERT_EQ(0, ctx_info(without, &info));
	EXPECT_EQ(1, info.on_dones);
	EXPECT_EQ(0, info.info_flags & CTX_INFO_WRITTEN);
	ASSERT_EQ(0, ctx_info(self->bg, &info));
	EXPECT_EQ(0, info.on_dones);
	close(without);
	close(value);
	EXPECT_EQ(0, count_of(self->event));
}

/* The caller may close what he gave. */
TEST_F(ondone, the_descriptor_may_be_closed)
{
	EXPECT_EQ(0, ctx_on_done(self->ctx, self->pipe[1], "x", 1));
	close(self->pipe[1]);
	EXPECT_TRUE(holds_nothing(self->pipe[0]));
	EXPECT_EQ(0, ctx_cancel(self->ctx, 0));
	EXPECT_EQ(0, written(self->ctx));
	EXPECT_TRUE(holds(self->pipe[0], "x", 1));
	/* And now it is closed on that side. */
	EXPECT_EQ(POLLHUP, poll_events(self->pipe[0], POLLIN, -1));
	self->pipe[1] = -1;
}

/* What nobody can cancel any more is gone, and what it was to write with it. */
TEST_F(ondone, gone_without_being_done)
{
	int keep = ctx_derive(self->bg, CTX_DERIVE_KEEP), value = ctx_set(self->ctx, "k", "v");
	int other[2];

	ASSERT_EQ(0, pipe2(other, O_CLOEXEC));
	EXPECT_EQ(0, ctx_on_done(keep, self->pipe[1], "x", 1));
	EXPECT_EQ(0, ctx_on_done(keep, self->event, NULL, 0));
	EXPECT_EQ(0, ctx_on_done(value, other[1], "x", 1));
	close(self->pipe[1]);
	close(other[1]);
	EXPECT_EQ(0, poll_events(self->pipe[0], POLLIN, 0));
	EXPECT_EQ(0, poll_events(other[0], POLLIN, 0));
	close(keep);
	EXPECT_EQ(POLLHUP, poll_events(self->pipe[0], POLLIN, -1));
	close(value);
	EXPECT_EQ(POLLHUP, poll_events(other[0], POLLIN, -1));
	EXPECT_EQ(0, count_of(self->event));
	close(other[0]);
	self->pipe[1] = -1;
}

TEST_F(ondone, a_pipe_takes_up_to_the_maximum)
{
	static char data[CTX_ON_DONE_MAX + 1];
	size_t i;

	for (i = 0; i < sizeof(data); i++)
		data[i] = i * 7 + i / 256;
	EXPECT_EQ(-EINVAL, ctx_on_done(self->ctx, self->pipe[1], data, CTX_ON_DONE_MAX + 1));
	EXPECT_EQ(-EINVAL, ctx_on_done(self->ctx, self->pipe[1], data, 0));
	EXPECT_EQ(0, ctx_on_done(self->ctx, self->pipe[1], data, CTX_ON_DONE_MAX));
	EXPECT_EQ(0, ctx_cancel(self->ctx, 0));
	EXPECT_EQ(0, written(self->ctx));
	EXPECT_TRUE(holds(self->pipe[0], data, CTX_ON_DONE_MAX));
}

/* It is opened as the caller has it: packets stay apart from each other. */
TEST_F(ondone, a_pipe_of_packets)
{
	int packets[2];

	ASSERT_EQ(0, pipe2(packets, PACKETS));
	EXPECT_EQ(0, ctx_on_done(self->ctx, packets[1], "kernel", 6));
	EXPECT_EQ(0, ctx_cancel(self->ctx, 0));
	EXPECT_EQ(0, written(self->ctx));
	ASSERT_EQ(4, write(packets[1], "user", 4));
	EXPECT_TRUE(holds(packets[0], "kernel", 6));
	EXPECT_TRUE(holds(packets[0], "user", 4));
	close(packets[0]);
	close(packets[1]);
}

TEST_F(ondone, a_fifo)
{
	int reader, writer;

	unlink(FIFO);
	ASSERT_EQ(0, mkfifo(FIFO, 0600));
	reader = open(FIFO, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ASSERT_LE(0, reader);
	writer = open(FIFO, O_WRONLY | O_CLOEXEC);
	ASSERT_LE(0, writer);
	EXPECT_EQ(-EBADF, ctx_on_done(self->ctx, reader, "x", 1));
	EXPECT_EQ(0, ctx_on_done(self->ctx, writer, "fifo", 4));
	/* Nobody reads: as with open(2), which would have to wait for somebody. */
	close(reader);
	EXPECT_EQ(-ENXIO, ctx_on_done(self->ctx, writer, "fifo", 4));
	reader = open(FIFO, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	EXPECT_EQ(0, ctx_cancel(self->ctx, 0));
	EXPECT_EQ(0, written(self->ctx));
	EXPECT_TRUE(holds(reader, "fifo", 4));
	close(reader);
	close(writer);
}

/* Nothing is waited for, though the caller's own description would wait. */
TEST_F(ondone, a_full_pipe)
{
	int blocking[2];
	size_t room;

	ASSERT_EQ(0, pipe2(blocking, O_CLOEXEC));
	ASSERT_EQ(0, fcntl(blocking[1], F_SETFL, O_NONBLOCK));
	room = fill(blocking[1]);
	ASSERT_EQ(0, fcntl(blocking[1], F_SETFL, 0));
	ASSERT_EQ(0, fcntl(blocking[0], F_SETFL, O_NONBLOCK));
	EXPECT_EQ(0, ctx_on_done(self->ctx, blocking[1], "x", 1));
	EXPECT_EQ(0, ctx_on_done(self->ctx, self->event, NULL, 0));
	EXPECT_EQ(0, ctx_cancel(self->ctx, 0));
	EXPECT_EQ(EAGAIN, written(self->ctx));
	EXPECT_EQ(1, count_of(self->event));
	EXPECT_EQ(room, drain(blocking[0]));
	close(blocking[0]);
	close(blocking[1]);
}

TEST_F(ondone, a_pipe_that_nobody_reads)
{
	close(self->pipe[0]);
	EXPECT_EQ(0, ctx_on_done(self->ctx, self->pipe[1], "x", 1));
	EXPECT_EQ(0, ctx_cancel(self->ctx, 0));
	EXPECT_EQ(EPIPE, written(self->ctx));
	self->pipe[0] = -1;
}

/* As a write(2) that would have to wait, it adds nothing. */
TEST_F(ondone, a_full_eventfd)
{
	__u64 count = ~0ULL - 1;

	ASSERT_EQ(sizeof(count), write(self->event, &count, sizeof(count)));
	EXPECT_EQ(0, ctx_on_done(self->ctx, self->event, NULL, 0));
	EXPECT_EQ(0, ctx_cancel(self->ctx, 0));
	EXPECT_EQ(EAGAIN, written(self->ctx));
	EXPECT_EQ(POLLIN, poll_events(self->event, POLLIN, 0));
	EXPECT_EQ(count, count_of(self->event));
}

/* The last that there is room for. */
TEST_F(ondone, an_eventfd_that_is_nearly_full)
{
	__u64 count = ~0ULL - 2;

	ASSERT_EQ(sizeof(count), write(self->event, &count, sizeof(count)));
	EXPECT_EQ(0, ctx_on_done(self->ctx, self->event, NULL, 0));
	EXPECT_EQ(0, ctx_cancel(self->ctx, 0));
	EXPECT_EQ(0, written(self->ctx));
	EXPECT_EQ(count + 1, count_of(self->event));
}

TEST_F(ondone, the_first_error_counts)
{
	struct ctx_ioc_info info;

	EXPECT_EQ(0, ctx_cancel(self->ctx, 0));
	EXPECT_EQ(0, ctx_on_done(self->ctx, self->event, NULL, 0));
	EXPECT_EQ(0, written(self->ctx));
	EXPECT_NE(0, fill(self->pipe[1]));
	EXPECT_EQ(0, ctx_on_done(self->ctx, self->pipe[1], "x", 1));
	EXPECT_EQ(EAGAIN, written(self->ctx));
	close(self->pipe[0]);
	EXPECT_EQ(0, ctx_on_done(self->ctx, self->pipe[1], "x", 1));
	EXPECT_EQ(EAGAIN, written(self->ctx));
	EXPECT_EQ(0, ctx_on_done(self->ctx, self->event, NULL, 0));
	EXPECT_EQ(EAGAIN, written(self->ctx));
	EXPECT_EQ(2, count_of(self->event));
	ASSERT_EQ(0, ctx_info(self->ctx, &info));
	EXPECT_EQ(4, info.on_dones);
	self->pipe[0] = -1;
}

/* Sockets, of both families */

union address {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

FIXTURE(inet) {
	int bg;
	int ctx;
	union address address;
	socklen_t len;
};

FIXTURE_VARIANT(inet) {
	int family;
};

FIXTURE_VARIANT_ADD(inet, v4) {
	.family = AF_INET,
};

FIXTURE_VARIANT_ADD(inet, v6) {
	.family = AF_INET6,
};

FIXTURE_SETUP(inet)
{
	self->bg = ctx_open();
	self->ctx = ctx_derive(self->bg, 0);
	ASSERT_LE(0, self->ctx);
	memset(&self->address, 0, sizeof(self->address));
	self->address.sa.sa_family = variant->family;
	if (variant->family == AF_INET) {
		self->len = sizeof(self->address.in);
		self->address.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	} else {
		self->len = sizeof(self->address.in6);
		self->address.in6.sin6_addr.s6_addr[15] = 1;
	}
}

FIXTURE_TEARDOWN(inet)
{
	close(self->ctx);
	close(self->bg);
}

static int bound(fixture_self(inet), int type)
{
	int fd = socket(self->address.sa.sa_family, type | SOCK_CLOEXEC, 0);

	if (bind(fd, &self->address.sa, self->len) ||
	    getsockname(fd, &self->address.sa, &self->len))
		return -errno;
	return fd;
}

static int connected(fixture_self(inet), int type)
{
	int fd = socket(self->address.sa.sa_family, type | SOCK_CLOEXEC, 0);

	return connect(fd, &self->address.sa, self->len) ? -errno : fd;
}

TEST_F(inet, datagram)
{
	int to = bound(self, SOCK_DGRAM), from;

	ASSERT_LE(0, to);
	from = connected(self, SOCK_DGRAM);
	ASSERT_LE(0, from);
	EXPECT_EQ(-EINVAL, ctx_on_done(self->ctx, from, "datagram", 0));
	EXPECT_EQ(-EINVAL, ctx_on_done(self->ctx, from, "datagram", CTX_ON_DONE_MAX + 1));
	EXPECT_EQ(0, ctx_on_done(self->ctx, from, "datagram", 8));
	close(from);
	EXPECT_EQ(0, ctx_cancel(self->ctx, 0));
	EXPECT_TRUE(holds(to, "datagram", 8));
	EXPECT_EQ(0, written(self->ctx));
	close(to);
}

/* In one piece, and in both kinds. */
TEST_F(inet, takes_up_to_the_maximum)
{
	static char data[CTX_ON_DONE_MAX];
	int to = bound(self, SOCK_DGRAM), from, listener;

	memset(data, 'x', sizeof(data));
	from = connected(self, SOCK_DGRAM);
	EXPECT_EQ(0, ctx_on_done(self->ctx, from, data, sizeof(data)));
	close(from);
	self->address.in.sin_port = 0;
	listener = bound(self, SOCK_STREAM);
	ASSERT_EQ(0, listen(listener, 1));
	from = connected(self, SOCK_STREAM);
	EXPECT_EQ(0, ctx_on_done(self->ctx, from, data, sizeof(data)));
	close(from);
	EXPECT_EQ(0, ctx_cancel(self->ctx, 0));
	EXPECT_EQ(0, written(self->ctx));
	EXPECT_TRUE(holds(to, data, sizeof(data)));
	close(to);
	to = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	EXPECT_EQ(sizeof(data), recv(to, data, sizeof(data), MSG_WAITALL));
	EXPECT_EQ(0, read(to, data, 1));
	close(to);
	close(listener);
}

TEST_F(inet, nowhere_to_go)
{
	int fd = bound(self, SOCK_DGRAM);

	ASSERT_LE(0, fd);
	EXPECT_EQ(0, ctx_on_done(self->ctx, fd, "x", 1));
	EXPECT_EQ(0, ctx_cancel(self->ctx, 0));
	EXPECT_EQ(EDESTADDRREQ, written(self->ctx));
	close(fd);
}

TEST_F(inet, stream)
{
	int listener = bound(self, SOCK_STREAM), from, to;

	ASSERT_EQ(0, listen(listener, 1));
	from = connected(self, SOCK_STREAM);
	ASSERT_LE(0, from);
	to = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	ASSERT_LE(0, to);
	EXPECT_EQ(0, ctx_on_done(self->ctx, from, "stream", 6));
	close(from);
	EXPECT_EQ(0, poll_events(to, POLLIN | POLLRDHUP, 0));
	EXPECT_EQ(0, ctx_cancel(self->ctx, 0));
	EXPECT_EQ(0, written(self->ctx));
	EXPECT_TRUE(holds(to, "stream", 6));
	/* And then it is closed, since the caller did. */
	EXPECT_EQ(0, read(to, &from, 1));
	close(to);
	close(listener);
}

/* How many packets of a stream. */
static unsigned int unacknowledged(int fd)
{
	struct tcp_info info = { .tcpi_unacked = 1 };
	socklen_t len = sizeof(info);

	getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len);
	return info.tcpi_unacked;
}

/* Two ends, the second of which nobody reads. */
static bool full_stream(fixture_self(inet), int *fds)
{
	const int listener = bound(self, SOCK_STREAM);

	if (!must(listen(listener, 1) == 0))
		return false;
	fds[0] = connected(self, SOCK_STREAM);
	fds[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	close(listener);
	if (!must(fds[0] >= 0) || !must(fds[1] >= 0))
		return false;
	/* With nothing on its way, of which the receipt would make room. */
	while (unacknowledged(fds[0]) || fill(fds[0]))
		sched_yield();
	return true;
}

TEST_F(inet, a_full_stream)
{
	int fds[2];

	ASSERT_TRUE(full_stream(self, fds));
	EXPECT_EQ(0, ctx_on_done(self->ctx, fds[0], "x", 1));
	EXPECT_EQ(0, ctx_cancel(self->ctx, 0));
	EXPECT_EQ(EAGAIN, written(self->ctx));
	close(fds[0]);
	close(fds[1]);
}

/*
 * Leaves a full stream with one byte in a packet that is not, and over its bound: what is
 * added goes into that packet, and no other.
 */
static bool begin_packet(int fd)
{
	static const int sizes[] = { 4 << 20, 1 };

	return must(!setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &sizes[0], sizeof(int))) &&
	       must(send(fd, "x", 1, MSG_DONTWAIT) == 1) &&
	       must(!setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &sizes[1], sizeof(int)));
}

TEST_F(inet, a_stream_with_room_for_a_part)
{
	static const char data[1 << 20];
	int other = ctx_derive(self->bg, 0), fds[2], from;
	const size_t room = 100;
	ssize_t packet;

	ASSERT_TRUE(full_stream(self, fds));
	from = fds[0];
	ASSERT_TRUE(begin_packet(from));
	packet = send(from, data, sizeof(data), MSG_DONTWAIT);
	ASSERT_LT(room, packet);
	ASSERT_GT(sizeof(data), packet);
	ASSERT_TRUE(begin_packet(from));
	ASSERT_EQ(packet - room, send(from, data, packet - room, MSG_DONTWAIT));
	EXPECT_EQ(0, ctx_on_done(self->ctx, from, data, room + 1));
	EXPECT_EQ(0, ctx_cancel(self->ctx, 0));
	EXPECT_EQ(EAGAIN, written(self->ctx));
	/* As much as fits is written. */
	ASSERT_TRUE(begin_packet(from));
	ASSERT_EQ(packet - room, send(from, data, packet - room, MSG_DONTWAIT));
	EXPECT_EQ(0, ctx_on_done(other, from, data, room));
	EXPECT_EQ(0, ctx_cancel(other, 0));
	EXPECT_EQ(0, written(other));
	close(other);
	close(fds[0]);
	close(fds[1]);
}

/* What its owner has open is his, also when it was written to. */
TEST_F(inet, an_open_socket_lingers_as_before)
{
	const long long users = read_number(REFCNT);
	const int linger = 100000;
	int fds[2];

	ASSERT_TRUE(full_stream(self, fds));
	ASSERT_TRUE(set_linger(fds[0], linger));
	ASSERT_EQ(0, ctx_on_done(self->ctx, fds[0], "x", 1));
	EXPECT_EQ(0, ctx_cancel(self->ctx, 0));
	wait_users(users);
	EXPECT_TRUE(has_linger(fds[0], linger));
	/* Reset by the other side, it has nothing to wait for. */
	close(fds[1]);
	close(fds[0]);
}

TEST_F(inet, not_connected)
{
	int fd = socket(variant->family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	EXPECT_EQ(0, ctx_on_done(self->ctx, fd, "x", 1));
	EXPECT_EQ(0, ctx_cancel(self->ctx, 0));
	EXPECT_EQ(EPIPE, written(self->ctx));
	close(fd);
}

/* Errors */

TEST_F(ondone, kinds_that_are_refused)
{
	struct io_uring_params params = {};
	struct epoll_event events = { .events = EPOLLIN };
	sigset_t none;
	int fds[16], pair[2], nr = 0, i;
	struct ctx_ioc_info info;

	/* Whatever may hold a context's own descriptor. */
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	fds[nr++] = pair[0];
	fds[nr++] = pair[1];
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair));
	fds[nr++] = pair[0];
	fds[nr++] = pair[1];
	fds[nr] = epoll_create1(EPOLL_CLOEXEC);
	EXPECT_EQ(0, epoll_ctl(fds[nr++], EPOLL_CTL_ADD, self->ctx, &events));
	fds[nr] = syscall(SYS_io_uring_setup, 4, &params);
	if (must(fds[nr] >= 0))
		nr++;
	fds[nr++] = ctx_open();
	fds[nr++] = ctx_derive(self->ctx, 0);
	/* And whatever else there is. */
	sigemptyset(&none);
	fds[nr++] = signalfd(-1, &none, SFD_CLOEXEC);
	fds[nr++] = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	fds[nr++] = inotify_init1(IN_CLOEXEC);
	fds[nr++] = open("/tmp/ctx_ondone_file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	fds[nr++] = open("/dev/null", O_RDWR | O_CLOEXEC);
	fds[nr++] = open("/tmp", O_RDONLY | O_CLOEXEC);
	fds[nr++] = memfd_create("ctx", MFD_CLOEXEC);
	fds[nr++] = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0);
	ASSERT_GE(ARRAY_SIZE(fds), nr);
	for (i = 0; i < nr; i++) {
		ASSERT_LE(0, fds[i]);
		EXPECT_EQ(-EINVAL, ctx_on_done(self->ctx, fds[i], "x", 1));
		EXPECT_EQ(-EINVAL, ctx_on_done(self->ctx, fds[i], NULL, 0));
	}
	ASSERT_EQ(0, ctx_info(self->ctx, &info));
	EXPECT_EQ(0, info.on_dones);
	while (nr--)
		close(fds[nr]);
	unlink("/tmp/ctx_ondone_file");
}

TEST_F(ondone, errors)
{
	struct ctx_ioc_on_done arg = {
		.size = sizeof(arg),
		.data = to_u64("x"),
		.len = 1,
		.fd = self->pipe[1],
	};
	struct ctx_ioc_info info;
	int path, i;

	for (i = 0; i < 32; i++) {
		arg.flags = 1U << i;
		EXPECT_EQ(-EINVAL, ctx_request(self->ctx, CTX_IOC_ON_DONE, &arg));
	}
	EXPECT_EQ(-EINVAL, ctx_on_done(self->ctx, self->event, "x", 1));
	EXPECT_EQ(-EINVAL, ctx_on_done(self->ctx, self->pipe[1], "x", ~0U));
	EXPECT_EQ(-EBADF, ctx_on_done(self->ctx, -1, "x", 1));
	EXPECT_EQ(-EBADF, ctx_on_done(self->ctx, next_fd(), "x", 1));
	EXPECT_EQ(-EBADF, ctx_on_done(self->ctx, INT32_MAX, "x", 1));
	EXPECT_EQ(-EBADF, ctx_on_done(self->ctx, self->pipe[0], "x", 1));
	path = open("/proc/self/fd", O_PATH | O_CLOEXEC);
	EXPECT_EQ(-EBADF, ctx_on_done(self->ctx, path, "x", 1));
	close(path);
	EXPECT_EQ(-EFAULT, ctx_on_done(self->ctx, self->pipe[1], NULL, 1));
	EXPECT_EQ(-EFAULT, ctx_on_done(self->ctx, self->pipe[1], to_ptr(-1ULL), 1));
	ASSERT_EQ(0, ctx_info(self->ctx, &info));
	EXPECT_EQ(0, info.on_dones);
	EXPECT_EQ(0, ctx_cancel(self->ctx, 0));
	EXPECT_TRUE(holds_nothing(self->pipe[0]));
}

TEST_F(ondone, takes_the_right_to_observe)
{
	int fd = ctx_restrict(self->ctx, RIGHTS_ALL & ~CTX_RIGHT_OBSERVE);

	ASSERT_LE(0, fd);
	EXPECT_EQ(-EPERM, ctx_on_done(fd, self->event, NULL, 0));
	close(fd);
	/* And no other. */
	fd = ctx_restrict(self->ctx, CTX_RIGHT_OBSERVE);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, ctx_on_done(fd, self->event, NULL, 0));
	EXPECT_EQ(0, ctx_cancel(self->ctx, 0));
	EXPECT_EQ(0, written(fd));
	EXPECT_EQ(1, count_of(self->event));
	close(fd);
}

/* Many at once */

TEST_F(ondone, of_a_thousand_contexts)
{
	int fds[1000], i;

	ASSERT_TRUE(allow_files(4096));
	for (i = 0; i < 1000; i++) {
		fds[i] = ctx_derive(self->ctx, 0);
		ASSERT_EQ(0, ctx_on_done(fds[i], self->event, NULL, 0));
		ASSERT_EQ(0, ctx_on_done(fds[i], self->pipe[1], "x", 1));
	}
	EXPECT_EQ(0, ctx_cancel(self->ctx, 0));
	for (i = 0; i < 1000; i++) {
		EXPECT_EQ(0, written(fds[i]));
		close(fds[i]);
	}
	EXPECT_EQ(1000, count_of(self->event));
	EXPECT_EQ(1000, drain(self->pipe[0]));
}

struct racer {
	pthread_t thread;
	pthread_barrier_t *start;
	int ctx;
	int event;
	int asked;
};

static void *race_ask(void *arg)
{
	struct racer *racer = arg;
	int i;

	pthread_barrier_wait(racer->start);
	for (i = 0; i < 8; i++)
		racer->asked += ctx_on_done(racer->ctx, racer->event, NULL, 0) == 0;
	return NULL;
}

/* Each that was accepted is written once, before, during or after. */
TEST_F(ondone, asked_for_while_it_is_cancelled)
{
	struct racer racers[3] = {};
	struct ctx_ioc_info info;
	pthread_barrier_t start;
	int round, ctx, i;
	__u64 sum;

	for (round = 0; round < 200; round++) {
		ctx = ctx_derive(self->bg, 0);
		ASSERT_EQ(0, pthread_barrier_init(&start, NULL, ARRAY_SIZE(racers) + 1));
		for (i = 0; i < ARRAY_SIZE(racers); i++) {
			racers[i] = (struct racer){ .start = &start, .ctx = ctx,
						    .event = self->event };
			ASSERT_EQ(0, pthread_create(&racers[i].thread, NULL, race_ask, &racers[i]));
		}
		pthread_barrier_wait(&start);
		EXPECT_EQ(0, ctx_cancel(ctx, 0));
		for (sum = 0, i = 0; i < ARRAY_SIZE(racers); i++) {
			pthread_join(racers[i].thread, NULL);
			sum += racers[i].asked;
		}
		EXPECT_EQ(24, sum);
		EXPECT_EQ(0, written(ctx));
		ASSERT_EQ(0, ctx_info(ctx, &info));
		EXPECT_EQ(sum, info.on_dones);
		EXPECT_EQ(sum, count_of(self->event));
		pthread_barrier_destroy(&start);
		close(ctx);
	}
}

static void *race_cancel(void *arg)
{
	struct racer *racer = arg;

	pthread_barrier_wait(racer->start);
	ctx_cancel(racer->ctx, 0);
	return NULL;
}

/* A value's context may go while the scope above it is cancelled: one or the other. */
TEST_F(ondone, dropped_while_it_is_cancelled)
{
	struct racer racer;
	pthread_barrier_t start;
	int round, value, i, end;

	for (round = 0; round < 500; round++) {
		racer = (struct racer){ .start = &start, .ctx = ctx_derive(self->bg, 0) };
		value = ctx_set(racer.ctx, "k", "v");
		end = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		for (i = 0; i < 8; i++)
			ASSERT_EQ(0, ctx_on_done(value, end, NULL, 0));
		ASSERT_EQ(0, pthread_barrier_init(&start, NULL, 2));
		ASSERT_EQ(0, pthread_create(&racer.thread, NULL, race_cancel, &racer));
		pthread_barrier_wait(&start);
		close(value);
		pthread_join(racer.thread, NULL);
		EXPECT_GE(8, count_of(end));
		pthread_barrier_destroy(&start);
		close(end);
		close(racer.ctx);
	}
}

TEST_HARNESS_MAIN
