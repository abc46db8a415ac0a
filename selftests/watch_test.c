// SPDX-License-Identifier: GPL-2.0
/*
 * CTX_IOC_WATCH: each kind of file that can cancel a context, what it keeps open and for
 * how long, and that nothing is left.
 */
#include "ctx_test.h"

#include <arpa/inet.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/timerfd.h>

#include <linux/io_uring.h>

#define MAX_USER_FILES	CTX_PARAMETERS "max_user_files"
#define DEFAULT_FILES	4096
#define COUNTERS	"/sys/kernel/debug/ctx/counters"

#define FIFO		"/tmp/ctx_watch_fifo"

/* A process that lives until the other end of @life is closed. */
static pid_t live_until(const int *life, int *pidfd)
{
	pid_t pid = spawn();

	if (!pid) {
		close(life[1]);
		hear(life[0]);
		_exit(0);
	}
	*pidfd = syscall(SYS_pidfd_open, pid, 0);
	return pid;
}

/* Each kind: how to make one that is not ready, and how to make it ready. */

struct subject {
	int fd;			/* what is watched */
	int other;
	int third;
	pid_t pid;
};

static void eventfd_make(struct subject *subject)
{
	subject->fd = eventfd(0, EFD_CLOEXEC);
}

static void eventfd_ready(struct subject *subject)
{
	__u64 one = 1;

	if (write(subject->fd, &one, sizeof(one)) != sizeof(one))
		perror("eventfd");
}

static void timerfd_make(struct subject *subject)
{
	subject->fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
}

static void timerfd_ready(struct subject *subject)
{
	struct itimerspec when = { .it_value = { .tv_nsec = 1000000 } };

	timerfd_settime(subject->fd, 0, &when, NULL);
}

static void pidfd_make(struct subject *subject)
{
	int life[2];

	if (pipe2(life, O_CLOEXEC))
		return;
	subject->pid = live_until(life, &subject->fd);
	close(life[0]);
	subject->other = life[1];
}

static void other_closed(struct subject *subject)
{
	close(subject->other);
	subject->other = -1;
}

static void other_told(struct subject *subject)
{
	tell(subject->other);
}

static void pipe_make(struct subject *subject)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC))
		return;
	subject->fd = fds[0];
	subject->other = fds[1];
}

/* Whose reader is gone. */
static void pipe_make_other_end(struct subject *subject)
{
	int fds[2], size;

	if (pipe2(fds, O_CLOEXEC))
		return;
	/* One that can take more would be ready for that. */
	size = fcntl(fds[1], F_SETPIPE_SZ, 4096);
	while (size-- > 0)
		tell(fds[1]);
	subject->fd = fds[1];
	subject->other = fds[0];
}

/* Open for both, it has two wait queues. */
static void fifo_make(struct subject *subject)
{
	unlink(FIFO);
	if (mkfifo(FIFO, 0600))
		return;
	subject->fd = open(FIFO, O_RDWR | O_CLOEXEC);
	subject->other = open(FIFO, O_WRONLY | O_CLOEXEC);
	unlink(FIFO);
}

static void inet_make(struct subject *subject, int family, int type)
{
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} address = { .sa.sa_family = family };
	socklen_t len = family == AF_INET ? sizeof(address.in) : sizeof(address.in6);
	int first = socket(family, type | SOCK_CLOEXEC, 0);

	if (family == AF_INET)
		address.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		address.in6.sin6_addr.s6_addr[15] = 1;
	if (bind(first, &address.sa, len) || getsockname(first, &address.sa, &len) ||
	    (type == SOCK_STREAM && listen(first, 1)))
		perror("bind");
	subject->other = socket(family, type | SOCK_CLOEXEC, 0);
	if (connect(subject->other, &address.sa, len))
		perror("connect");
	if (type == SOCK_STREAM) {
		subject->third = first;
		first = accept4(first, NULL, NULL, SOCK_CLOEXEC);
	}
	subject->fd = first;
}

static void tcp_make(struct subject *subject)
{
	inet_make(subject, AF_INET, SOCK_STREAM);
}

static void tcp6_make(struct subject *subject)
{
	inet_make(subject, AF_INET6, SOCK_STREAM);
}

static void udp_make(struct subject *subject)
{
	inet_make(subject, AF_INET, SOCK_DGRAM);
}

static void udp6_make(struct subject *subject)
{
	inet_make(subject, AF_INET6, SOCK_DGRAM);
}

/* Over a listening socket, which is ready when somebody connects. */
static void listener_make(struct subject *subject)
{
	subject->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listen(subject->fd, 1))
		perror("listen");
}

static void listener_ready(struct subject *subject)
{
	struct sockaddr_in address;
	socklen_t len = sizeof(address);

	subject->other = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (getsockname(subject->fd, (struct sockaddr *)&address, &len) ||
	    connect(subject->other, (struct sockaddr *)&address, len))
		perror("connect");
}

FIXTURE(kind) {
	int bg;
	int ctx;
	struct subject subject;
};

FIXTURE_VARIANT(kind) {
	const char *name;
	void (*make)(struct subject *subject);
	void (*ready)(struct subject *subject);
	__u32 events;
};

FIXTURE_VARIANT_ADD(kind, eventfd) {
	.name = "eventfd",
	.make = eventfd_make,
	.ready = eventfd_ready,
};

FIXTURE_VARIANT_ADD(kind, timerfd) {
	.name = "timerfd",
	.make = timerfd_make,
	.ready = timerfd_ready,
};

FIXTURE_VARIANT_ADD(kind, pidfd) {
	.name = "pidfd",
	.make = pidfd_make,
	.ready = other_closed,
};

FIXTURE_VARIANT_ADD(kind, pipe) {
	.name = "pipe",
	.make = pipe_make,
	.ready = other_told,
};

FIXTURE_VARIANT_ADD(kind, pipe_hung_up) {
	.name = "pipe",
	.make = pipe_make,
	.ready = other_closed,
	.events = POLLPRI,
};

FIXTURE_VARIANT_ADD(kind, pipe_in_error) {
	.name = "pipe",
	.make = pipe_make_other_end,
	.ready = other_closed,
	.events = POLLPRI,
};

FIXTURE_VARIANT_ADD(kind, fifo) {
	.name = "pipe",
	.make = fifo_make,
	.ready = other_told,
};

FIXTURE_VARIANT_ADD(kind, tcp) {
	.name = "socket",
	.make = tcp_make,
	.ready = other_told,
};

FIXTURE_VARIANT_ADD(kind, tcp6) {
	.name = "socket",
	.make = tcp6_make,
	.ready = other_told,
};

FIXTURE_VARIANT_ADD(kind, tcp_half_closed) {
	.name = "socket",
	.make = tcp_make,
	.ready = other_closed,
	.events = POLLRDHUP,
};

FIXTURE_VARIANT_ADD(kind, tcp_listening) {
	.name = "socket",
	.make = listener_make,
	.ready = listener_ready,
};

FIXTURE_VARIANT_ADD(kind, udp) {
	.name = "socket",
	.make = udp_make,
	.ready = other_told,
};

FIXTURE_VARIANT_ADD(kind, udp6) {
	.name = "socket",
	.make = udp6_make,
	.ready = other_told,
};

FIXTURE_SETUP(kind)
{
	self->bg = ctx_open();
	self->ctx = ctx_derive(self->bg, 0);
	ASSERT_LE(0, self->ctx);
	self->subject = (struct subject){ -1, -1, -1, 0 };
	variant->make(&self->subject);
	ASSERT_LE(0, self->subject.fd);
}

FIXTURE_TEARDOWN(kind)
{
	close(self->subject.fd);
	close(self->subject.other);
	close(self->subject.third);
	if (self->subject.pid)
		EXPECT_EQ(0, reap(self->subject.pid));
	close(self->ctx);
	close(self->bg);
}

TEST_F(kind, cancels)
{
	int child = ctx_derive(self->ctx, 0);

	ASSERT_EQ(0, ctx_watch(self->ctx, self->subject.fd, variant->events, EIO));
	EXPECT_TRUE(is_live(self->ctx));
	variant->ready(&self->subject);
	ASSERT_TRUE(wait_ready(child));
	/* S11: it was no process. */
	EXPECT_TRUE(is_done_by(self->ctx, ECANCELED, EIO, ctx_id(self->ctx), 0, variant->name));
	EXPECT_TRUE(is_done_by(child, ECANCELED, EIO, ctx_id(self->ctx), 0, variant->name));
	EXPECT_TRUE(is_live(self->bg));
	close(child);
}

/* What the caller closes is open for as long as it is watched. */
TEST_F(kind, cancels_though_it_was_closed)
{
	struct subject open = self->subject;

	open.fd = dup(self->subject.fd);
	ASSERT_EQ(0, ctx_watch(self->ctx, open.fd, variant->events, 0));
	EXPECT_EQ(0, close(open.fd));
	EXPECT_TRUE(is_live(self->ctx));
	variant->ready(&self->subject);
	ASSERT_TRUE(wait_ready(self->ctx));
	EXPECT_TRUE(is_done(self->ctx, ECANCELED, ECANCELED));
}

TEST_F(kind, ready_before)
{
	struct pollfd pfd = { .fd = self->subject.fd, .events = variant->events ?: POLLIN };

	variant->ready(&self->subject);
	ASSERT_EQ(1, poll(&pfd, 1, -1));
	ASSERT_EQ(0, ctx_watch(self->ctx, self->subject.fd, variant->events, EIO));
	/* Before that returns. */
	EXPECT_TRUE(is_done_by(self->ctx, ECANCELED, EIO, ctx_id(self->ctx), 0, variant->name));
}

TEST_F(kind, is_not_ready_and_never_will_be)
{
	ASSERT_EQ(0, ctx_watch(self->ctx, self->subject.fd, variant->events, EIO));
	EXPECT_TRUE(is_live(self->ctx));
	EXPECT_EQ(0, ctx_cancel(self->ctx, EPERM));
	EXPECT_TRUE(is_done(self->ctx, ECANCELED, EPERM));
}

TEST_F(kind, watched_by_many)
{
	int fds[50], i;

	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = ctx_derive(self->bg, 0);
		ASSERT_EQ(0, ctx_watch(fds[i], self->subject.fd, variant->events, 1 + i));
	}
	close(fds[7]);
	variant->ready(&self->subject);
	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		if (i == 7)
			continue;
		ASSERT_TRUE(wait_ready(fds[i]));
		EXPECT_TRUE(is_done(fds[i], ECANCELED, 1 + i));
		close(fds[i]);
	}
}

/* What is the same for all kinds */

FIXTURE(watch) {
	int bg;
	int ctx;
	int event;
	int pipe[2];
	uid_t user;	/* whom no other test has charged */
};

FIXTURE_SETUP(watch)
{
	self->bg = ctx_open();
	ASSERT_LE(0, self->bg);
	self->ctx = ctx_derive(self->bg, 0);
	ASSERT_LE(0, self->ctx);
	self->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ASSERT_LE(0, self->event);
	ASSERT_EQ(0, pipe2(self->pipe, O_CLOEXEC | O_NONBLOCK));
	self->user = 10000 + 2 * getpid();
	ASSERT_EQ(DEFAULT_FILES, read_number(MAX_USER_FILES));
}

FIXTURE_TEARDOWN(watch)
{
	write_number(MAX_USER_FILES, DEFAULT_FILES);
	close(self->pipe[0]);
	close(self->pipe[1]);
	close(self->event);
	close(self->ctx);
	close(self->bg);
}

static bool add(int event)
{
	__u64 one = 1;

	return write(event, &one, sizeof(one)) == sizeof(one);
}

/* Whether somebody has, now. */
static bool is_read(int pipe)
{
	return poll_events(pipe, 0, 0) == 0;
}

TEST_F(watch, only_what_was_asked_for)
{
	char page[4096] = {};

	while (write(self->pipe[1], page, sizeof(page)) > 0)
		;
	/* There is something to read, but no room to write. */
	ASSERT_EQ(0, ctx_watch(self->ctx, self->pipe[1], POLLOUT | POLLPRI, EIO));
	EXPECT_TRUE(is_live(self->ctx));
	while (read(self->pipe[0], page, sizeof(page)) > 0)
		;
	ASSERT_TRUE(wait_ready(self->ctx));
	EXPECT_TRUE(is_done(self->ctx, ECANCELED, EIO));
}

TEST_F(watch, the_file_is_kept_while_it_is_watched)
{
	ASSERT_EQ(0, ctx_watch(self->ctx, self->pipe[0], 0, 0));
	close(self->pipe[0]);
	EXPECT_TRUE(is_read(self->pipe[1]));
	EXPECT_TRUE(tell(self->pipe[1]));
	ASSERT_TRUE(wait_ready(self->ctx));
	EXPECT_TRUE(wait_unread(self->pipe[1]));
	self->pipe[0] = -1;
}

TEST_F(watch, and_not_when_the_context_is_done)
{
	int parent = ctx_derive(self->bg, 0), child = ctx_derive(parent, 0);
	int timed = ctx_timeout(self->bg, NSEC_PER_SEC / 100, 0), other[2];

	ASSERT_EQ(0, pipe2(other, O_CLOEXEC));
	ASSERT_EQ(0, ctx_watch(child, self->pipe[0], 0, 0));
	ASSERT_EQ(0, ctx_watch(timed, other[0], 0, 0));
	close(self->pipe[0]);
	close(other[0]);
	EXPECT_TRUE(is_read(self->pipe[1]));
	EXPECT_EQ(0, ctx_cancel(parent, EPERM));
	EXPECT_TRUE(wait_unread(self->pipe[1]));
	EXPECT_TRUE(is_done(child, ECANCELED, EPERM));
	EXPECT_TRUE(wait_unread(other[1]));
	EXPECT_TRUE(is_done(timed, ETIMEDOUT, ETIMEDOUT));
	close(timed);
	close(child);
	close(parent);
	close(other[1]);
	self->pipe[0] = -1;
}

TEST_F(watch, nor_when_the_context_is_gone)
{
	int keep = ctx_derive(self->bg, CTX_DERIVE_KEEP), i;

	for (i = 0; i < 10; i++)
		ASSERT_EQ(0, ctx_watch(keep, self->pipe[0], 0, 0));
	ASSERT_EQ(0, ctx_watch(keep, self->event, 0, 0));
	close(self->pipe[0]);
	EXPECT_TRUE(is_read(self->pipe[1]));
	close(keep);
	EXPECT_TRUE(wait_unread(self->pipe[1]));
	EXPECT_TRUE(add(self->event));
	self->pipe[0] = -1;
}

TEST_F(watch, nor_by_one_that_was_done_before)
{
	ASSERT_EQ(0, ctx_cancel(self->ctx, EPERM));
	EXPECT_EQ(0, ctx_watch(self->ctx, self->pipe[0], 0, EIO));
	EXPECT_TRUE(tell(self->pipe[1]));
	EXPECT_EQ(0, ctx_watch(self->ctx, self->pipe[0], 0, EIO));
	close(self->pipe[0]);
	EXPECT_TRUE(wait_unread(self->pipe[1]));
	EXPECT_TRUE(is_done(self->ctx, ECANCELED, EPERM));
	self->pipe[0] = -1;
}

/* What was read before anybody asked is nobody's any more; the next one is. */
TEST_F(watch, is_watched_on)
{
	__u64 count;
	int i;

	ASSERT_EQ(0, ctx_watch(self->ctx, self->event, POLLPRI, EIO));
	for (i = 0; i < 100; i++) {
		EXPECT_TRUE(add(self->event));
		EXPECT_EQ(sizeof(count), read(self->event, &count, sizeof(count)));
	}
	EXPECT_TRUE(is_live(self->ctx));
	ASSERT_EQ(0, ctx_watch(self->ctx, self->event, POLLIN, EPERM));
	EXPECT_TRUE(is_live(self->ctx));
	EXPECT_TRUE(add(self->event));
	ASSERT_TRUE(wait_ready(self->ctx));
	EXPECT_TRUE(is_done(self->ctx, ECANCELED, EPERM));
}

TEST_F(watch, several_files)
{
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);

	ASSERT_EQ(0, ctx_watch(self->ctx, timer, 0, EIO));
	ASSERT_EQ(0, ctx_watch(self->ctx, self->event, 0, EPERM));
	ASSERT_EQ(0, ctx_watch(self->ctx, self->pipe[0], 0, EXDEV));
	ASSERT_EQ(0, ctx_watch(self->ctx, self->pipe[0], 0, ESRCH));
	EXPECT_TRUE(add(self->event));
	ASSERT_TRUE(wait_ready(self->ctx));
	EXPECT_TRUE(is_done(self->ctx, ECANCELED, EPERM));
	EXPECT_TRUE(tell(self->pipe[1]));
	EXPECT_TRUE(is_done(self->ctx, ECANCELED, EPERM));
	close(timer);
}

TEST_F(watch, with_a_deadline)
{
	int timed = ctx_timeout(self->bg, AN_HOUR, 0);

	ASSERT_EQ(0, ctx_watch(timed, self->event, 0, EIO));
	EXPECT_TRUE(add(self->event));
	ASSERT_TRUE(wait_ready(timed));
	EXPECT_TRUE(is_done_by(timed, ECANCELED, EIO, ctx_id(timed), 0, "eventfd"));
	close(timed);
}

/* A supervisor's: what is done for a process ends with it, however that came. */
TEST_F(watch, a_process_that_is_killed)
{
	int life[2], pidfd;
	pid_t pid;

	ASSERT_EQ(0, pipe2(life, O_CLOEXEC));
	pid = live_until(life, &pidfd);
	ASSERT_EQ(0, ctx_watch(self->ctx, pidfd, 0, ESRCH));
	close(pidfd);
	EXPECT_TRUE(is_live(self->ctx));
	EXPECT_EQ(0, kill(pid, SIGKILL));
	ASSERT_TRUE(wait_ready(self->ctx));
	EXPECT_TRUE(is_done(self->ctx, ECANCELED, ESRCH));
	/* Nobody has waited for it yet. */
	EXPECT_EQ(KILLED, reap(pid));
	close(life[0]);
	close(life[1]);
}

TEST_F(watch, its_own_process)
{
	int ready[2], pidfd;
	pid_t pid;

	ASSERT_EQ(0, pipe2(ready, O_CLOEXEC));
	pid = spawn();
	if (!pid) {
		pidfd = syscall(SYS_pidfd_open, getpid(), 0);
		EXPECT_EQ(0, ctx_watch(self->ctx, pidfd, 0, ESRCH));
		EXPECT_TRUE(tell(ready[1]));
		child_exit();
	}
	ASSERT_TRUE(hear(ready[0]));
	ASSERT_TRUE(wait_ready(self->ctx));
	EXPECT_TRUE(is_done_by(self->ctx, ECANCELED, ESRCH, ctx_id(self->ctx), 0, "pidfd"));
	EXPECT_EQ(0, reap(pid));
	close(ready[0]);
	close(ready[1]);
}

#define CHAIN	1000

/* Each adds to the eventfd that cancels the next. */
TEST_F(watch, a_chain_of_a_thousand)
{
	int fds[CHAIN], events[CHAIN], i;

	ASSERT_TRUE(allow_files(4 * CHAIN));
	for (i = 0; i < CHAIN; i++) {
		fds[i] = ctx_derive(self->bg, 0);
		events[i] = eventfd(0, EFD_CLOEXEC);
		ASSERT_EQ(0, ctx_on_done(fds[i], events[i], NULL, 0));
		if (i)
			ASSERT_EQ(0, ctx_watch(fds[i], events[i - 1], 0, EIO));
	}
	EXPECT_EQ(0, ctx_cancel(fds[0], EPERM));
	ASSERT_TRUE(wait_ready(fds[CHAIN - 1]));
	for (i = 0; i < CHAIN; i++) {
		EXPECT_TRUE(is_done(fds[i], ECANCELED, i ? EIO : EPERM));
		close(fds[i]);
		close(events[i]);
	}
}

TEST_F(watch, of_a_thousand_contexts)
{
	int fds[1000], i;

	ASSERT_TRUE(allow_files(4096));
	for (i = 0; i < 1000; i++) {
		fds[i] = ctx_derive(self->bg, 0);
		ASSERT_EQ(0, ctx_watch(fds[i], self->event, 0, EIO));
	}
	EXPECT_TRUE(add(self->event));
	for (i = 0; i < 1000; i++) {
		ASSERT_TRUE(wait_ready(fds[i]));
		close(fds[i]);
	}
}

/* Another context is a link: it ends as that one did. */
TEST_F(watch, another_context)
{
	int other = ctx_derive(self->bg, 0), observer = ctx_restrict(other, CTX_RIGHT_OBSERVE);

	ASSERT_LE(0, observer);
	ASSERT_EQ(0, ctx_watch(self->ctx, observer, 0, EIO));
	close(observer);
	EXPECT_TRUE(is_live(self->ctx));
	EXPECT_EQ(0, ctx_cancel(other, EPERM));
	ASSERT_TRUE(wait_ready(self->ctx));
	EXPECT_TRUE(is_done_by(self->ctx, ECANCELED, EPERM, ctx_id(other), getpid(), my_comm()));
	EXPECT_TRUE(same_end(self->ctx, other));
	close(other);
}

TEST_F(watch, another_context_that_is_done)
{
	int other = ctx_timeout(self->bg, 0, ETIME);

	ASSERT_EQ(0, ctx_watch(self->ctx, other, POLLIN, 0));
	EXPECT_TRUE(is_done(self->ctx, ETIMEDOUT, ETIME));
	close(other);
}

TEST_F(watch, another_context_that_may_not_be)
{
	int other = ctx_derive(self->bg, 0), blind, child;

	blind = ctx_restrict(other, RIGHTS_ALL & ~CTX_RIGHT_OBSERVE);
	ASSERT_LE(0, blind);
	EXPECT_EQ(-EPERM, ctx_watch(self->ctx, blind, 0, 0));
	EXPECT_EQ(-ELOOP, ctx_watch(self->ctx, self->ctx, 0, 0));
	EXPECT_EQ(-EINVAL, ctx_watch(self->ctx, other, ~0U, 0));
	EXPECT_EQ(-EINVAL, ctx_watch(self->ctx, other, 0, CTX_CAUSE_MAX + 1));
	child = ctx_derive(self->ctx, 0);
	ASSERT_LE(0, child);
	EXPECT_EQ(-EBUSY, ctx_watch(self->ctx, other, 0, 0));
	EXPECT_EQ(0, ctx_cancel(other, 0));
	EXPECT_TRUE(is_live(self->ctx));
	close(child);
	close(blind);
	close(other);
}

/* Errors */

TEST_F(watch, kinds_that_are_refused)
{
	struct io_uring_params params = {};
	struct epoll_event events = { .events = EPOLLIN };
	static const char * const names[] = { "/tmp/[timerfd]", "/tmp/[pidfd]" };
	int fds[20], pair[2], nr = 0, i;
	sigset_t none;

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
	/* And whatever else there is. */
	sigemptyset(&none);
	fds[nr++] = signalfd(-1, &none, SFD_CLOEXEC);
	fds[nr++] = inotify_init1(IN_CLOEXEC);
	fds[nr++] = open("/tmp/ctx_watch_file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	fds[nr++] = open("/dev/null", O_RDWR | O_CLOEXEC);
	fds[nr++] = open("/proc/self/mounts", O_RDONLY | O_CLOEXEC);
	fds[nr++] = open("/tmp", O_RDONLY | O_CLOEXEC);
	fds[nr++] = memfd_create("[timerfd]", MFD_CLOEXEC);
	/* What can be polled, under a name that means nothing there. */
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		ASSERT_EQ(0, mknod(names[i], S_IFCHR | 0600, makedev(1, 8)));
		fds[nr++] = open(names[i], O_RDWR | O_CLOEXEC);
	}
	fds[nr++] = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0);
	ASSERT_GE(ARRAY_SIZE(fds), nr);
	for (i = 0; i < nr; i++) {
		ASSERT_LE(0, fds[i]);
		EXPECT_EQ(-EINVAL, ctx_watch(self->ctx, fds[i], 0, 0));
		EXPECT_EQ(-EINVAL, ctx_watch(self->ctx, fds[i], POLLOUT, EIO));
	}
	EXPECT_TRUE(is_live(self->ctx));
	while (nr--)
		close(fds[nr]);
	unlink("/tmp/ctx_watch_file");
	for (i = 0; i < ARRAY_SIZE(names); i++)
		unlink(names[i]);
}

TEST_F(watch, errors)
{
	struct ctx_ioc_watch arg = { .size = sizeof(arg), .fd = self->event };
	const __u32 known = POLLIN | POLLPRI | POLLOUT | POLLERR | POLLHUP | POLLNVAL |
			    POLLRDNORM | POLLRDBAND | POLLWRNORM | POLLWRBAND | POLLRDHUP |
			    0x400 /* POLLMSG */;
	int path, i;

	for (i = 0; i < 32; i++) {
		arg.flags = 1U << i;
		EXPECT_EQ(-EINVAL, ctx_request(self->ctx, CTX_IOC_WATCH, &arg));
	}
	arg.flags = 0;
	for (i = 0; i < 32; i++) {
		arg.reserved = 1U << i;
		EXPECT_EQ(-EINVAL, ctx_request(self->ctx, CTX_IOC_WATCH, &arg));
	}
	for (i = 0; i < 32; i++) {
		const __u32 event = 1U << i;

		if (event & (POLLOUT | POLLWRNORM))
			continue;
		EXPECT_EQ(event & known ? 0 : -EINVAL,
			  ctx_watch(self->ctx, self->event, event, 0));
	}
	EXPECT_EQ(-EINVAL, ctx_watch(self->ctx, self->event, ~0U, 0));
	EXPECT_EQ(-EINVAL, ctx_watch(self->ctx, self->event, 0, CTX_CAUSE_MAX + 1));
	EXPECT_EQ(-EINVAL, ctx_watch(self->ctx, self->event, 0, ~0U));
	EXPECT_EQ(-EBADF, ctx_watch(self->ctx, -1, 0, 0));
	EXPECT_EQ(-EBADF, ctx_watch(self->ctx, next_fd(), 0, 0));
	EXPECT_EQ(-EBADF, ctx_watch(self->ctx, INT32_MAX, 0, 0));
	path = open("/proc/self/fd", O_PATH | O_CLOEXEC);
	EXPECT_EQ(-EBADF, ctx_watch(self->ctx, path, 0, 0));
	close(path);
	EXPECT_TRUE(is_live(self->ctx));
	EXPECT_EQ(0, ctx_watch(self->ctx, self->event, 0, CTX_CAUSE_MAX));
	EXPECT_TRUE(add(self->event));
	ASSERT_TRUE(wait_ready(self->ctx));
	EXPECT_TRUE(is_done(self->ctx, ECANCELED, CTX_CAUSE_MAX));
}

TEST_F(watch, takes_the_right_to_cancel)
{
	int value = ctx_set(self->ctx, "k", "v");
	int without = ctx_derive(self->ctx, CTX_DERIVE_WITHOUT_CANCEL);
	int fd = ctx_restrict(self->ctx, RIGHTS_ALL & ~CTX_RIGHT_CANCEL);

	ASSERT_LE(0, fd);
	EXPECT_EQ(-EPERM, ctx_watch(fd, self->event, 0, 0));
	EXPECT_EQ(-EPERM, ctx_watch(self->bg, self->event, 0, 0));
	EXPECT_EQ(-EPERM, ctx_watch(value, self->event, 0, 0));
	EXPECT_EQ(-EPERM, ctx_watch(without, self->event, 0, 0));
	close(fd);
	close(without);
	close(value);
	/* And no other. */
	fd = ctx_restrict(self->ctx, CTX_RIGHT_CANCEL);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, ctx_watch(fd, self->event, 0, EIO));
	EXPECT_TRUE(add(self->event));
	ASSERT_TRUE(wait_ready(self->ctx));
	EXPECT_TRUE(is_done(self->ctx, ECANCELED, EIO));
	close(fd);
}

/* Bounds */

static bool has_room_for(int ctx, int event, int nr)
{
	while (nr--) {
		if (!must(ctx_watch(ctx, event, 0, 0) == 0))
			return false;
	}
	return must(ctx_watch(ctx, event, 0, 0) == -EDQUOT);
}

static void wait_for_room(int ctx, int event, int nr)
{
	while (nr)
		if (ctx_watch(ctx, event, 0, 0) == 0)
			nr--;
		else
			sched_yield();
}

static void wait_done(int ctx)
{
	struct ctx_ioc_info info;

	do
		sched_yield();
	while (must(ctx_info(ctx, &info) == 0) && !(info.info_flags & CTX_INFO_DONE));
}

/* Whether this is the child, and the user, who may have three files; else that has ended. */
static bool become_bounded(struct __test_metadata *_metadata, fixture_self(watch))
{
	pid_t pid;

	EXPECT_TRUE(write_number(MAX_USER_FILES, 3));
	pid = spawn();
	if (pid) {
		EXPECT_EQ(0, reap(pid));
		return false;
	}
	become(self->user);
	return true;
}

/* From the moment it is done: a worker frees them, but that is not the user's business. */
TEST_F(watch, of_what_is_done_does_not_count)
{
	int round, ctx;
	__u64 count;

	if (!become_bounded(_metadata, self))
		return;
	for (round = 0; round < 300; round++) {
		ctx = ctx_derive(self->bg, 0);
		if (!must(has_room_for(ctx, self->event, 3)))
			_exit(1);
		if (round % 2) {
			EXPECT_EQ(0, ctx_cancel(ctx, 0));
		} else {
			EXPECT_TRUE(add(self->event));
			wait_done(ctx);
			EXPECT_EQ(sizeof(count), read(self->event, &count, sizeof(count)));
		}
		close(ctx);
	}
	child_exit();
}

/*
 * Who has no room waits for it only while a file of his is being let go: else a hundred
 * refusals would take more time than a test has.
 */
TEST_F(watch, room_is_not_waited_for_in_vain)
{
	int round, ctx;

	if (!become_bounded(_metadata, self))
		return;
	for (round = 0; round < 100; round++) {
		ctx = ctx_derive(self->bg, 0);
		/* A pipe goes in a turn of its user's. */
		if (!must(has_room_for(ctx, self->pipe[0], 3)))
			_exit(1);
		EXPECT_EQ(0, ctx_cancel(ctx, 0));
		close(ctx);
	}
	child_exit();
}

/* Whoever asks is charged, not whose context it is; on-dones count among them. */
TEST_F(watch, bounds)
{
	int keep = ctx_derive(self->bg, CTX_DERIVE_KEEP), i;
	pid_t pid;

	ASSERT_TRUE(write_number(MAX_USER_FILES, 3));
	pid = spawn();
	if (!pid) {
		become(self->user);
		EXPECT_EQ(0, ctx_on_done(self->ctx, self->pipe[1], "x", 1));
		EXPECT_TRUE(has_room_for(self->ctx, self->event, 2));
		EXPECT_EQ(-EDQUOT, ctx_on_done(self->ctx, self->pipe[1], "x", 1));
		EXPECT_EQ(-EDQUOT, ctx_watch(ctx_derive(self->bg, 0), self->event, 0, 0));
		/* What is wrong in itself is so before anything is counted. */
		EXPECT_EQ(-EBADF, ctx_watch(self->ctx, -1, 0, 0));
		child_exit();
	}
	EXPECT_EQ(0, reap(pid));
	pid = spawn();
	if (!pid) {
		become(self->user + 1);
		EXPECT_TRUE(has_room_for(keep, self->event, 3));
		child_exit();
	}
	EXPECT_EQ(0, reap(pid));

	/* Those of a context that is done do not count, nor of one that is gone. */
	EXPECT_EQ(0, ctx_cancel(self->ctx, 0));
	close(keep);
	for (i = 0; i < 2; i++) {
		pid = spawn();
		if (!pid) {
			int ctx = ctx_derive(self->bg, 0);

			become(self->user + i);
			wait_for_room(ctx, self->event, 3);
			EXPECT_TRUE(has_room_for(ctx, self->event, 0));
			child_exit();
		}
		EXPECT_EQ(0, reap(pid));
	}
}

/* No error costs anything. */
TEST_F(watch, what_is_refused_does_not_count)
{
	struct ctx_ioc_watch arg = { .size = sizeof(arg), .fd = self->event, .flags = 1 };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), i;
	int done = ctx_derive(self->bg, 0);
	pid_t pid;

	ASSERT_EQ(0, ctx_cancel(done, 0));
	ASSERT_TRUE(write_number(MAX_USER_FILES, 3));
	pid = spawn();
	if (!pid) {
		become(self->user);
		for (i = 0; i < 10; i++) {
			EXPECT_EQ(-EINVAL, ctx_watch(self->ctx, null, 0, 0));
			EXPECT_EQ(-EINVAL, ctx_watch(self->ctx, self->event, ~0U, 0));
			EXPECT_EQ(-EINVAL, ctx_request(self->ctx, CTX_IOC_WATCH, &arg));
			EXPECT_EQ(0, ctx_watch(done, self->event, 0, 0));
		}
		EXPECT_TRUE(has_room_for(self->ctx, self->event, 3));
		child_exit();
	}
	EXPECT_EQ(0, reap(pid));
	close(done);
	close(null);
}

/* Nothing is left */

static long long counter(const char *name)
{
	FILE *file = fopen(COUNTERS, "re");
	long long value = -1, n;
	char line[80], found[40];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "%39s %lld", found, &n) == 2 && !strcmp(found, name))
			value = n;
	if (file)
		fclose(file);
	return value;
}

/*
 * Everything that can refer to each other does: contexts watch files that they write
 * to when they are done, stand in an epoll set and a Unix socket's queue, and are below
 * each other. Then everything is closed.
 */
TEST_F(watch, no_cycle_keeps_anything)
{
	struct epoll_event events = { .events = EPOLLIN };
	int flags, pair[2], pipe[2], event, epoll, ctx, child;
	long long live = counter("live");

	if (live < 0)
		SKIP(return, "this kernel has no debugfs");
	for (flags = 0; flags <= CTX_DERIVE_KEEP; flags += CTX_DERIVE_KEEP) {
		ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair));
		ASSERT_EQ(0, pipe2(pipe, O_CLOEXEC));
		epoll = epoll_create1(EPOLL_CLOEXEC);
		event = eventfd(0, EFD_CLOEXEC);
		ctx = ctx_derive(self->bg, flags);
		child = ctx_derive(ctx, flags);
		ASSERT_EQ(0, ctx_watch(ctx, event, 0, 0));
		ASSERT_EQ(0, ctx_watch(child, event, 0, 0));
		ASSERT_EQ(0, ctx_watch(child, pipe[0], 0, 0));
		ASSERT_EQ(0, ctx_on_done(ctx, event, NULL, 0));
		ASSERT_EQ(0, ctx_on_done(child, pipe[1], "x", 1));
		ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, ctx, &events));
		ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, event, &events));
		ASSERT_TRUE(send_fd(pair[0], ctx));
		ASSERT_TRUE(send_fd(pair[1], child));
		ASSERT_TRUE(send_fd(pair[1], pair[0]));
		ASSERT_TRUE(send_fd(pair[0], pair[1]));
		ASSERT_TRUE(send_fd(pair[0], epoll));
		EXPECT_EQ(live + 2, counter("live"));
		close(child);
		close(ctx);
		close(event);
		close(epoll);
		close(pipe[0]);
		close(pipe[1]);
		close(pair[0]);
		close(pair[1]);
		/* Sockets in each other's queues are collected when another is closed. */
		while (counter("live") != live) {
			ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair));
			close(pair[0]);
			close(pair[1]);
			sched_yield();
		}
	}
}

struct racer {
	pthread_t thread;
	pthread_barrier_t *start;
	int ctx;
	int event;
	int failed;
};

static void *race_watch(void *arg)
{
	struct racer *racer = arg;
	int i;

	pthread_barrier_wait(racer->start);
	for (i = 0; i < 8; i++)
		racer->failed += ctx_watch(racer->ctx, racer->event, 0, EIO) != 0;
	return NULL;
}

/* Cancelled by the owner, by the file, or both, while more are added. */
TEST_F(watch, asked_for_while_it_is_cancelled)
{
	struct racer racers[2];
	pthread_barrier_t start;
	struct ctx_ioc_info info;
	int round, ctx, i;
	__u64 count;

	for (round = 0; round < 200; round++) {
		ctx = ctx_derive(self->bg, 0);
		ASSERT_EQ(0, pthread_barrier_init(&start, NULL, ARRAY_SIZE(racers) + 1));
		for (i = 0; i < ARRAY_SIZE(racers); i++) {
			racers[i] = (struct racer){ .start = &start, .ctx = ctx,
						    .event = self->event };
			ASSERT_EQ(0, pthread_create(&racers[i].thread, NULL, race_watch,
						    &racers[i]));
		}
		pthread_barrier_wait(&start);
		if (round % 3 != 1)
			EXPECT_TRUE(add(self->event));
		if (round % 3 != 0)
			EXPECT_EQ(0, ctx_cancel(ctx, EPERM));
		for (i = 0; i < ARRAY_SIZE(racers); i++) {
			pthread_join(racers[i].thread, NULL);
			EXPECT_EQ(0, racers[i].failed);
		}
		ASSERT_TRUE(wait_ready(ctx));
		ASSERT_EQ(0, ctx_info(ctx, &info));
		EXPECT_TRUE(info.cause == EIO || info.cause == EPERM);
		if (round % 3 != 1)
			EXPECT_EQ(sizeof(count), read(self->event, &count, sizeof(count)));
		pthread_barrier_destroy(&start);
		close(ctx);
	}
}

static void *race_add(void *arg)
{
	struct racer *racer = arg;

	pthread_barrier_wait(racer->start);
	racer->failed = !add(racer->event);
	return NULL;
}

/* The last descriptor of one that is not cancelled by that is closed meanwhile. */
TEST_F(watch, gone_while_it_is_woken)
{
	struct racer racer;
	pthread_barrier_t start;
	int round, i;

	for (round = 0; round < 300; round++) {
		racer = (struct racer){
			.start = &start,
			.ctx = ctx_derive(self->bg, round % 2 ? CTX_DERIVE_KEEP : 0),
			.event = eventfd(0, EFD_CLOEXEC),
		};
		for (i = 0; i < 8; i++)
			ASSERT_EQ(0, ctx_watch(racer.ctx, racer.event, 0, EIO));
		ASSERT_EQ(0, pthread_barrier_init(&start, NULL, 2));
		ASSERT_EQ(0, pthread_create(&racer.thread, NULL, race_add, &racer));
		pthread_barrier_wait(&start);
		close(racer.ctx);
		pthread_join(racer.thread, NULL);
		EXPECT_EQ(0, racer.failed);
		pthread_barrier_destroy(&start);
		close(racer.event);
	}
}

/* The same of a file that nobody else has, while the context ends: what wakes is the other end. */
TEST_F(watch, ends_while_its_only_file_is_woken)
{
	struct racer racer;
	pthread_barrier_t start;
	int round, pipe[2];

	/* There may be nobody to read any more. */
	signal(SIGPIPE, SIG_IGN);
	for (round = 0; round < 1000; round++) {
		ASSERT_EQ(0, pipe2(pipe, O_CLOEXEC));
		racer = (struct racer){
			.start = &start,
			.ctx = ctx_derive(self->bg, 0),
			.event = pipe[1],
		};
		ASSERT_EQ(0, ctx_watch(racer.ctx, pipe[0], 0, EIO));
		close(pipe[0]);
		ASSERT_EQ(0, pthread_barrier_init(&start, NULL, 2));
		ASSERT_EQ(0, pthread_create(&racer.thread, NULL, race_add, &racer));
		pthread_barrier_wait(&start);
		ctx_cancel(racer.ctx, EPERM);
		pthread_join(racer.thread, NULL);
		ASSERT_TRUE(wait_ready(racer.ctx));
		pthread_barrier_destroy(&start);
		close(racer.ctx);
		close(pipe[1]);
	}
}

#define LINGER	100000	/* seconds */

/* A socket that has more to send than is taken, and whose close would wait for that. */
static bool make_lingering(struct subject *subject)
{
	static char data[65536];

	tcp_make(subject);
	while (send(subject->fd, data, sizeof(data), MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		;
	return set_linger(subject->fd, LINGER);
}

/* Waits until what had these ends is being closed: it has said so to the other side. */
static void wait_closing(const struct sockaddr_in *from, const struct sockaddr_in *to)
{
	bool closing = false;
	char line[200], ends[64];
	FILE *file;

	/* FIN_WAIT1 */
	snprintf(ends, sizeof(ends), " %08X:%04X %08X:%04X 04 ", from->sin_addr.s_addr,
		 ntohs(from->sin_port), to->sin_addr.s_addr, ntohs(to->sin_port));
	while (!closing) {
		file = fopen("/proc/net/tcp", "re");
		while (!closing && fgets(line, sizeof(line), file))
			closing = strstr(line, ends);
		fclose(file);
		sched_yield();
	}
}

/*
 * What its owner closed does not linger: behind it would wait all that the kernel
 * releases for its own threads, as it does what is watched last here.
 */
TEST_F(watch, nobody_waits_for_a_socket_that_lingers)
{
	struct subject subject = { .fd = -1, .other = -1, .third = -1 };
	struct sockaddr_in from, to;
	socklen_t len = sizeof(from);
	int pipe[2];

	ASSERT_TRUE(make_lingering(&subject));
	ASSERT_EQ(0, getsockname(subject.fd, (struct sockaddr *)&from, &len));
	ASSERT_EQ(0, getpeername(subject.fd, (struct sockaddr *)&to, &len));
	ASSERT_EQ(0, ctx_watch(self->ctx, subject.fd, EPOLLPRI, 0));
	close(subject.fd);
	EXPECT_EQ(0, ctx_cancel(self->ctx, 0));
	wait_closing(&from, &to);
	ASSERT_EQ(0, pipe2(pipe, O_CLOEXEC));
	close(self->ctx);
	self->ctx = ctx_derive(self->bg, 0);
	ASSERT_EQ(0, ctx_watch(self->ctx, pipe[0], 0, 0));
	close(pipe[0]);
	EXPECT_EQ(0, ctx_cancel(self->ctx, 0));
	EXPECT_TRUE(wait_unread(pipe[1]));
	close(pipe[1]);
	close(subject.other);
	close(subject.third);
}

/* What its owner has open is his, also when it was watched. */
TEST_F(watch, an_open_socket_lingers_as_before)
{
	struct subject subject = { .fd = -1, .other = -1, .third = -1 };
	const long long users = read_number(REFCNT);

	tcp_make(&subject);
	ASSERT_TRUE(set_linger(subject.fd, LINGER));
	ASSERT_EQ(0, ctx_watch(self->ctx, subject.fd, EPOLLPRI, 0));
	EXPECT_EQ(0, ctx_cancel(self->ctx, 0));
	wait_users(users);
	EXPECT_TRUE(has_linger(subject.fd, LINGER));
	close(subject.other);
	close(subject.fd);
	close(subject.third);
}

/* A time of 0 is no wait, but what the other side is told. */
TEST_F(watch, a_closed_socket_is_reset_where_its_owner_said_so)
{
	struct subject subject = { .fd = -1, .other = -1, .third = -1 };
	char byte;

	tcp_make(&subject);
	ASSERT_TRUE(set_linger(subject.fd, 0));
	ASSERT_EQ(0, ctx_watch(self->ctx, subject.fd, EPOLLPRI, 0));
	close(subject.fd);
	EXPECT_EQ(0, ctx_cancel(self->ctx, 0));
	EXPECT_EQ(-1, recv(subject.other, &byte, 1, 0));
	EXPECT_EQ(ECONNRESET, errno);
	close(subject.other);
	close(subject.third);
}

TEST_HARNESS_MAIN
