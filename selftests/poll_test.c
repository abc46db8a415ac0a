// SPDX-License-Identifier: GPL-2.0
/*
 * Waiting for a context: poll, select, epoll, read, alone and in crowds.
 */
#include "ctx_test.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>

#define MSEC	1000000ULL

FIXTURE(poll) {
	int bg;
	int ctx;
};

FIXTURE_SETUP(poll)
{
	self->bg = ctx_open();
	ASSERT_LE(0, self->bg);
	self->ctx = ctx_derive(self->bg, 0);
	ASSERT_LE(0, self->ctx);
}

FIXTURE_TEARDOWN(poll)
{
	close(self->ctx);
	close(self->bg);
}

static void set_nonblock(int fd)
{
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

TEST_F(poll, readable_when_done_and_nothing_else)
{
	EXPECT_EQ(0, poll_events(self->ctx, ~POLLNVAL, 0));
	ASSERT_EQ(0, ctx_cancel(self->ctx, 0));
	EXPECT_EQ(POLLIN, poll_events(self->ctx, POLLIN, 0));
	EXPECT_EQ(POLLIN, poll_events(self->ctx, POLLIN, -1));
	EXPECT_EQ(0, poll_events(self->ctx, POLLOUT | POLLPRI, 0));
	EXPECT_EQ(0, poll_events(self->ctx, 0, 0));
}

TEST_F(poll, what_is_never_done_is_never_readable)
{
	int value = ctx_set(self->bg, "k", "v");
	int without = ctx_derive(self->ctx, CTX_DERIVE_WITHOUT_CANCEL);
	struct ctx_event event;

	ASSERT_EQ(0, ctx_cancel(self->ctx, 0));
	EXPECT_EQ(0, poll_events(self->bg, POLLIN, 1));
	EXPECT_EQ(0, poll_events(value, POLLIN, 1));
	EXPECT_EQ(0, poll_events(without, POLLIN, 1));
	set_nonblock(self->bg);
	set_nonblock(value);
	set_nonblock(without);
	EXPECT_EQ(-1, read(self->bg, &event, sizeof(event)));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_EQ(-1, read(value, &event, sizeof(event)));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_EQ(-1, read(without, &event, sizeof(event)));
	EXPECT_EQ(EAGAIN, errno);
	close(without);
	close(value);
}

TEST_F(poll, read_gives_the_event_every_time)
{
	struct ctx_event first, again;
	struct ctx_ioc_info info;
	int i;

	ASSERT_EQ(0, ctx_cancel(self->ctx, EIO));
	ASSERT_EQ(0, ctx_info(self->ctx, &info));
	memset(&first, 0, sizeof(first));
	ASSERT_EQ(sizeof(first), read(self->ctx, &first, sizeof(first)));
	EXPECT_EQ(info.id, first.id);
	EXPECT_EQ(info.id, first.origin_id);
	EXPECT_EQ(info.done_time, first.time);
	EXPECT_EQ(ECANCELED, first.err);
	EXPECT_EQ(EIO, first.cause);
	EXPECT_EQ(getpid(), first.pid);
	EXPECT_EQ(0, first.reserved);
	EXPECT_STREQ(my_comm(), first.comm);
	for (i = 0; i < 3; i++) {
		memset(&again, 0xff, sizeof(again));
		ASSERT_EQ(sizeof(again), read(self->ctx, &again, sizeof(again)));
		EXPECT_EQ(0, memcmp(&first, &again, sizeof(first)));
		EXPECT_TRUE(is_ready(self->ctx));
	}
}

TEST_F(poll, read_of_a_descendant_names_the_origin)
{
	int value = ctx_set(self->ctx, "k", "v");
	int child = ctx_derive(value, 0);
	struct ctx_event event;

	ASSERT_LE(0, child);
	ASSERT_EQ(0, ctx_cancel(self->ctx, EIO));
	ASSERT_EQ(sizeof(event), read(child, &event, sizeof(event)));
	EXPECT_EQ(ctx_id(child), event.id);
	EXPECT_EQ(ctx_id(self->ctx), event.origin_id);
	ASSERT_EQ(sizeof(event), read(value, &event, sizeof(event)));
	EXPECT_EQ(ctx_id(value), event.id);
	EXPECT_EQ(ctx_id(self->ctx), event.origin_id);
	close(child);
	close(value);
}

TEST_F(poll, read_without_blocking)
{
	struct ctx_event event;

	memset(&event, FILL, sizeof(event));
	set_nonblock(self->ctx);
	EXPECT_EQ(-1, read(self->ctx, &event, sizeof(event)));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_EQ((__u32)0xa5a5a5a5, event.err);
	ASSERT_EQ(0, ctx_cancel(self->ctx, 0));
	EXPECT_EQ(sizeof(event), read(self->ctx, &event, sizeof(event)));
	EXPECT_EQ(ECANCELED, event.err);
}

TEST_F(poll, read_needs_the_room)
{
	unsigned char room[sizeof(struct ctx_event) + 8];
	size_t len;

	ASSERT_EQ(0, ctx_cancel(self->ctx, 0));
	for (len = 0; len < sizeof(struct ctx_event); len++) {
		memset(room, FILL, sizeof(room));
		ASSERT_EQ(-1, read(self->ctx, room, len));
		ASSERT_EQ(EINVAL, errno);
		ASSERT_EQ(FILL, room[0]);
	}
	memset(room, FILL, sizeof(room));
	EXPECT_EQ(sizeof(struct ctx_event), read(self->ctx, room, sizeof(room)));
	for (len = sizeof(struct ctx_event); len < sizeof(room); len++)
		EXPECT_EQ(FILL, room[len]);
}

/* It would not become right by waiting. */
TEST_F(poll, read_with_too_little_room_does_not_wait)
{
	char room[sizeof(struct ctx_event) - 1];

	EXPECT_EQ(-1, read(self->ctx, room, sizeof(room)));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, read(self->ctx, room, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_TRUE(is_live(self->ctx));
}

TEST_F(poll, read_into_nowhere)
{
	static const __u64 nowhere[] = { 0, -4096ULL, 1ULL << 63 };
	struct ctx_event event;
	size_t i;

	ASSERT_EQ(0, ctx_cancel(self->ctx, 0));
	for (i = 0; i < ARRAY_SIZE(nowhere); i++) {
		EXPECT_EQ(-1, read(self->ctx, to_ptr(nowhere[i]), sizeof(event)));
		EXPECT_EQ(EFAULT, errno);
	}
	EXPECT_EQ(sizeof(event), read(self->ctx, &event, sizeof(event)));
}

TEST_F(poll, cannot_be_written)
{
	EXPECT_EQ(-1, write(self->ctx, "x", 1));
	EXPECT_TRUE(errno == EBADF || errno == EINVAL);
	EXPECT_TRUE(is_live(self->ctx));
}

TEST_F(poll, select_sees_it)
{
	int child = ctx_derive(self->ctx, 0);
	struct timeval none = {};
	fd_set fds, out;

	ASSERT_LE(0, child);
	FD_ZERO(&fds);
	FD_SET(child, &fds);
	EXPECT_EQ(0, select(child + 1, &fds, NULL, NULL, &none));
	ASSERT_EQ(0, ctx_cancel(self->ctx, 0));
	FD_ZERO(&fds);
	FD_ZERO(&out);
	FD_SET(child, &fds);
	FD_SET(child, &out);
	EXPECT_EQ(1, select(child + 1, &fds, &out, NULL, NULL));
	EXPECT_TRUE(FD_ISSET(child, &fds));
	EXPECT_FALSE(FD_ISSET(child, &out));
	close(child);
}

TEST_F(poll, epoll_level_triggered)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u32 = 7 }, got;
	int ep = epoll_create1(EPOLL_CLOEXEC);

	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, self->ctx, &event));
	EXPECT_EQ(0, epoll_wait(ep, &got, 1, 0));
	ASSERT_EQ(0, ctx_cancel(self->ctx, 0));
	ASSERT_EQ(1, epoll_wait(ep, &got, 1, -1));
	EXPECT_EQ(EPOLLIN, got.events);
	EXPECT_EQ(7, got.data.u32);
	ASSERT_EQ(1, epoll_wait(ep, &got, 1, -1));
	close(ep);
}

TEST_F(poll, epoll_edge_triggered_and_oneshot)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET }, got;
	int edge = epoll_create1(EPOLL_CLOEXEC);
	int once = epoll_create1(EPOLL_CLOEXEC);

	ASSERT_EQ(0, epoll_ctl(edge, EPOLL_CTL_ADD, self->ctx, &event));
	event.events = EPOLLIN | EPOLLONESHOT;
	ASSERT_EQ(0, epoll_ctl(once, EPOLL_CTL_ADD, self->ctx, &event));
	ASSERT_EQ(0, ctx_cancel(self->ctx, 0));
	EXPECT_EQ(1, epoll_wait(edge, &got, 1, -1));
	EXPECT_EQ(0, epoll_wait(edge, &got, 1, 0));
	EXPECT_EQ(1, epoll_wait(once, &got, 1, -1));
	EXPECT_EQ(0, epoll_wait(once, &got, 1, 0));
	/* The second cancel is no news. */
	ASSERT_EQ(0, ctx_cancel(self->ctx, 0));
	EXPECT_EQ(0, epoll_wait(edge, &got, 1, 0));
	close(once);
	close(edge);
}

TEST_F(poll, epoll_added_after_the_fact)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET }, got;
	int ep = epoll_create1(EPOLL_CLOEXEC);

	ASSERT_EQ(0, ctx_cancel(self->ctx, 0));
	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, self->ctx, &event));
	EXPECT_EQ(1, epoll_wait(ep, &got, 1, -1));
	close(ep);
}

TEST_F(poll, epoll_of_many)
{
	struct epoll_event event = { .events = EPOLLIN }, got[64];
	int ep = epoll_create1(EPOLL_CLOEXEC);
	int outer = epoll_create1(EPOLL_CLOEXEC);
	int fds[64], i;

	ASSERT_EQ(0, epoll_ctl(outer, EPOLL_CTL_ADD, ep, &event));
	for (i = 0; i < 64; i++) {
		switch (i % 4) {
		case 0:
			fds[i] = ctx_derive(self->ctx, 0);
			break;
		case 1:
			fds[i] = ctx_set(self->ctx, "k", "v");
			break;
		case 2:
			fds[i] = ctx_timeout(fds[i - 1], AN_HOUR, 0);
			break;
		default:
			fds[i] = ctx_derive(self->ctx, CTX_DERIVE_WITHOUT_CANCEL);
			break;
		}
		ASSERT_LE(0, fds[i]);
		event.data.u32 = i;
		ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, fds[i], &event));
	}
	EXPECT_EQ(0, epoll_wait(ep, got, 64, 0));
	EXPECT_EQ(0, epoll_wait(outer, got, 1, 0));
	ASSERT_EQ(0, ctx_cancel(self->ctx, 0));
	EXPECT_EQ(1, epoll_wait(outer, got, 1, 0));
	EXPECT_EQ(48, epoll_wait(ep, got, 64, 0));
	for (i = 0; i < 48; i++)
		EXPECT_NE(3, got[i].data.u32 % 4);
	for (i = 0; i < 64; i++)
		close(fds[i]);
	close(outer);
	close(ep);
}

/* Taken out of the set by being closed, while it is waited for. */
/* More than are woken in one turn of the lock, and each of them told only once. */
TEST_F(poll, epoll_of_one_by_many)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET }, got;
	int ep[100], i;

	for (i = 0; i < 100; i++) {
		ep[i] = epoll_create1(EPOLL_CLOEXEC);
		ASSERT_LE(0, ep[i]);
		ASSERT_EQ(0, epoll_ctl(ep[i], EPOLL_CTL_ADD, self->ctx, &event));
	}
	ASSERT_EQ(0, ctx_cancel(self->ctx, 0));
	for (i = 0; i < 100; i++) {
		EXPECT_EQ(1, epoll_wait(ep[i], &got, 1, 0));
		EXPECT_EQ(0, epoll_wait(ep[i], &got, 1, 0));
		close(ep[i]);
	}
}

TEST_F(poll, epoll_of_a_closed_one)
{
	struct epoll_event event = { .events = EPOLLIN }, got;
	int ep = epoll_create1(EPOLL_CLOEXEC);
	int child = ctx_derive(self->ctx, 0);
	int value = ctx_set(self->ctx, "k", "v");

	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, child, &event));
	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, value, &event));
	close(child);
	close(value);
	EXPECT_EQ(0, epoll_wait(ep, &got, 1, 0));
	ASSERT_EQ(0, ctx_cancel(self->ctx, 0));
	EXPECT_EQ(0, epoll_wait(ep, &got, 1, 0));
	close(ep);
}

TEST_F(poll, epoll_is_woken_by_an_expiry)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET }, got;
	int ep = epoll_create1(EPOLL_CLOEXEC);
	int timed = ctx_timeout(self->ctx, 20 * MSEC, 0);
	int value = ctx_set(timed, "k", "v");

	ASSERT_LE(0, value);
	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, value, &event));
	EXPECT_EQ(1, epoll_wait(ep, &got, 1, -1));
	EXPECT_TRUE(is_done(value, ETIMEDOUT, ETIMEDOUT));
	close(ep);
	close(value);
	close(timed);
}

enum wait { READ, POLL, SELECT, EPOLL, NR_WAITS };

/* Waits for @fd in one of the ways; true when it was done. */
static bool wait_by(enum wait wait, int fd)
{
	struct epoll_event event = { .events = EPOLLIN };
	struct ctx_event done;
	fd_set fds;
	int ep;

	switch (wait) {
	case READ:
		return read(fd, &done, sizeof(done)) == sizeof(done) && done.err;
	case POLL:
		return wait_ready(fd);
	case SELECT:
		FD_ZERO(&fds);
		FD_SET(fd, &fds);
		return select(fd + 1, &fds, NULL, NULL, NULL) == 1;
	default:
		ep = epoll_create1(EPOLL_CLOEXEC);
		return epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event) == 0 &&
		       epoll_wait(ep, &event, 1, -1) == 1;
	}
}

#define WAITERS	32

/* Asleep or not yet, in one process or another: all of them wake. */
TEST_F(poll, a_crowd_of_processes_wakes)
{
	int value = ctx_set(self->ctx, "k", "v");
	int child = ctx_derive(value, 0);
	int fds[] = { self->ctx, value, child };
	pid_t pids[WAITERS];
	int i;

	ASSERT_LE(0, child);
	for (i = 0; i < WAITERS; i++) {
		pids[i] = spawn();
		ASSERT_LE(0, pids[i]);
		if (!pids[i]) {
			EXPECT_TRUE(wait_by(i % NR_WAITS, fds[i % 3]));
			EXPECT_TRUE(is_done(fds[i % 3], ECANCELED, EIO));
			child_exit();
		}
	}
	for (i = 0; i < WAITERS; i++)
		wait_asleep(pids[i]);
	ASSERT_EQ(0, ctx_cancel(self->ctx, EIO));
	for (i = 0; i < WAITERS; i++)
		EXPECT_EQ(0, reap(pids[i]));
	close(child);
	close(value);
}

TEST_F(poll, a_crowd_wakes_on_expiry)
{
	int timed = ctx_timeout(self->ctx, 100 * MSEC, EIO);
	int value = ctx_set(timed, "k", "v");
	pid_t pids[WAITERS];
	int i;

	ASSERT_LE(0, value);
	for (i = 0; i < WAITERS; i++) {
		pids[i] = spawn();
		ASSERT_LE(0, pids[i]);
		if (!pids[i]) {
			EXPECT_TRUE(wait_by(i % NR_WAITS, i & 4 ? timed : value));
			EXPECT_TRUE(is_done(timed, ETIMEDOUT, EIO));
			child_exit();
		}
	}
	for (i = 0; i < WAITERS; i++)
		EXPECT_EQ(0, reap(pids[i]));
	close(value);
	close(timed);
}

struct waiter {
	enum wait wait;
	int fd;
};

static void *waiter(void *arg)
{
	struct waiter *self = arg;

	return wait_by(self->wait, self->fd) ? self : NULL;
}

TEST_F(poll, a_crowd_of_threads_wakes_each_round)
{
	struct waiter waiters[8];
	pthread_t threads[8];
	int round, i, fd;
	void *woken;

	for (round = 0; round < 30; round++) {
		fd = ctx_derive(self->ctx, 0);
		ASSERT_LE(0, fd);
		for (i = 0; i < 8; i++) {
			waiters[i] = (struct waiter){ .wait = i % NR_WAITS, .fd = fd };
			ASSERT_EQ(0, pthread_create(&threads[i], NULL, waiter, &waiters[i]));
		}
		ASSERT_EQ(0, ctx_cancel(fd, 0));
		for (i = 0; i < 8; i++) {
			pthread_join(threads[i], &woken);
			EXPECT_EQ(&waiters[i], woken);
		}
		close(fd);
	}
}

TEST_F(poll, a_waiter_sees_what_was_written_before)
{
	int *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;

	ASSERT_NE(MAP_FAILED, shared);
	pid = spawn();
	if (!pid) {
		EXPECT_TRUE(wait_by(READ, self->ctx));
		EXPECT_EQ(42, __atomic_load_n(shared, __ATOMIC_RELAXED));
		child_exit();
	}
	__atomic_store_n(shared, 42, __ATOMIC_RELAXED);
	ASSERT_EQ(0, ctx_cancel(self->ctx, 0));
	EXPECT_EQ(0, reap(pid));
}

static void on_signal(int sig)
{
	(void)sig;
}

/* A signal ends the wait, and with SA_RESTART it goes on. */
TEST_F(poll, read_is_interrupted_by_a_signal)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct ctx_event event;
	int ready[2];
	pid_t pid;

	ASSERT_EQ(0, pipe2(ready, O_CLOEXEC));
	pid = spawn();
	if (!pid) {
		sigaction(SIGUSR1, &action, NULL);
		action.sa_flags = SA_RESTART;
		sigaction(SIGUSR2, &action, NULL);
		EXPECT_TRUE(tell(ready[1]));
		EXPECT_EQ(-1, read(self->ctx, &event, sizeof(event)));
		EXPECT_EQ(EINTR, errno);
		EXPECT_TRUE(is_live(self->ctx));
		EXPECT_TRUE(tell(ready[1]));
		EXPECT_EQ(sizeof(event), read(self->ctx, &event, sizeof(event)));
		EXPECT_EQ(EIO, event.cause);
		child_exit();
	}
	ASSERT_TRUE(hear(ready[0]));
	wait_asleep(pid);
	ASSERT_EQ(0, kill(pid, SIGUSR1));
	ASSERT_TRUE(hear(ready[0]));
	wait_asleep(pid);
	ASSERT_EQ(0, kill(pid, SIGUSR2));
	wait_asleep(pid);
	ASSERT_EQ(0, ctx_cancel(self->ctx, EIO));
	EXPECT_EQ(0, reap(pid));
	close(ready[0]);
	close(ready[1]);
}

TEST_F(poll, a_blocked_reader_can_be_killed)
{
	struct ctx_event event;
	pid_t pid = spawn();

	if (!pid) {
		read(self->bg, &event, sizeof(event));
		_exit(1);
	}
	wait_asleep(pid);
	ASSERT_EQ(0, kill(pid, SIGKILL));
	EXPECT_EQ(KILLED, reap(pid));
	EXPECT_TRUE(is_live(self->ctx));
}

/* Beside other files, and more than once in one set. */
TEST_F(poll, in_company)
{
	int event = eventfd(0, EFD_CLOEXEC);
	struct pollfd pfds[] = {
		{ .fd = event, .events = POLLIN },
		{ .fd = self->ctx, .events = POLLIN },
		{ .fd = self->bg, .events = POLLIN },
		{ .fd = self->ctx, .events = POLLIN },
	};

	EXPECT_EQ(0, poll(pfds, 4, 0));
	ASSERT_EQ(0, eventfd_write(event, 1));
	EXPECT_EQ(1, poll(pfds, 4, -1));
	ASSERT_EQ(0, ctx_cancel(self->ctx, 0));
	EXPECT_EQ(3, poll(pfds, 4, -1));
	EXPECT_EQ(POLLIN, pfds[1].revents);
	EXPECT_EQ(0, pfds[2].revents);
	EXPECT_EQ(POLLIN, pfds[3].revents);
	close(event);
}

TEST_HARNESS_MAIN
