// SPDX-License-Identifier: GPL-2.0
/*
 * No cycle keeps anything alive. Whatever a context writes to, watches or is linked to,
 * and whatever its own descriptor is put into, when the last process lets go both are
 * gone. What could keep it is refused: that is tried wherever its descriptor is in.
 *
 * Each test puts one descriptor of a context that has on-dones, a watch and a link to
 * where it may stay without being open anywhere, and closes the rest. With
 * CTX_DERIVE_KEEP it is gone without having been done; without, the last close cancels,
 * and that is written.
 */
#include "ctx_test.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>

#include <linux/io_uring.h>

enum target {
	TO_PIPE,
	TO_EVENTFD,
	TO_SOCKET,
	TARGETS
};

FIXTURE(cycle) {
	int bg;
	long long users;
};

FIXTURE_VARIANT(cycle) {
	__u32 flags;
};

FIXTURE_VARIANT_ADD(cycle, cancelled) {
	.flags = 0,
};

FIXTURE_VARIANT_ADD(cycle, kept) {
	.flags = CTX_DERIVE_KEEP,
};

FIXTURE_SETUP(cycle)
{
	self->bg = ctx_open();
	ASSERT_LE(0, self->bg);
	self->users = read_number(REFCNT);
}

FIXTURE_TEARDOWN(cycle)
{
	close(self->bg);
}

/* Two ends, of which the kernel is to write to the first. */
static bool open_target(enum target target, int *fds)
{
	switch (target) {
	case TO_PIPE:
		return pipe2(fds + 1, O_CLOEXEC) == 0 && (fds[0] = dup(fds[2])) >= 0 &&
		       close(fds[2]) == 0;
	case TO_EVENTFD:
		fds[0] = eventfd(0, EFD_CLOEXEC);
		fds[1] = dup(fds[0]);
		return fds[1] >= 0;
	default:
		return make_datagrams(fds);
	}
}

struct subject {
	int ctx;
	__u64 id;
	int from[TARGETS];	/* where what was written can be read */
	int watched;		/* the other end of a pipe that nobody else has open */
	__u64 linked;		/* what it is linked to, which nobody else has open */
	bool watches;		/* ... what another's pipe tells when that is gone */
};

/* What else it refers to is held by nobody else. */
static bool tie(fixture_self(cycle), struct subject *subject)
{
	int linked = ctx_derive(self->bg, CTX_DERIVE_KEEP), fds[2];

	subject->linked = ctx_id(linked);
	if (!must(ctx_link(subject->ctx, linked) == 0) ||
	    !must(pipe2(fds, O_CLOEXEC) == 0) ||
	    !must(ctx_watch(subject->ctx, fds[0], 0, 0) == 0))
		return false;
	close(linked);
	close(fds[0]);
	subject->watched = fds[1];
	return true;
}

static bool make(fixture_self(cycle), const struct _fixture_variant_cycle *variant,
		 struct subject *subject)
{
	int i, fds[3];

	subject->ctx = ctx_derive(self->bg, variant->flags);
	subject->id = ctx_id(subject->ctx);
	subject->watches = false;
	if (!tie(self, subject))
		return false;
	for (i = 0; i < TARGETS; i++) {
		if (!must(open_target(i, fds)) ||
		    !must(!ctx_on_done(subject->ctx, fds[0], "done", i == TO_EVENTFD ? 0 : 4)))
			return false;
		close(fds[0]);
		subject->from[i] = fds[1];
	}
	return true;
}

/* What may hold the descriptor of a context is nothing that it could refer to. */
static bool is_refused(const struct subject *subject, int holder)
{
	return must(ctx_watch(subject->ctx, holder, 0, 0) == -EINVAL) &&
	       must(ctx_watch(subject->ctx, holder, POLLOUT | POLLPRI, EIO) == -EINVAL) &&
	       must(ctx_on_done(subject->ctx, holder, "done", 4) == -EINVAL) &&
	       must(ctx_on_done(subject->ctx, holder, NULL, 0) == -EINVAL) &&
	       must(ctx_link(subject->ctx, holder) == -EINVAL) &&
	       must(is_live(subject->ctx));
}

/* Waits until there is no such context: some of it is for workers to do. */
static bool ends(fixture_self(cycle), __u64 id)
{
	int fd;

	while ((fd = ctx_open_id(self->bg, id, CTX_RIGHT_OBSERVE)) >= 0) {
		close(fd);
		sched_yield();
	}
	return must(fd == -ESRCH);
}

/* Whether something was written there if it was done, and nothing if not. */
static bool told(const struct subject *subject, enum target target, bool done)
{
	const int fd = subject->from[target];
	char text[8];

	if (done && !must(read(fd, text, sizeof(text)) > 0))
		return false;
	if (target == TO_PIPE)
		return must(read(fd, text, sizeof(text)) == 0);
	return must(poll_events(fd, POLLIN, 0) == 0);
}

/* ... either, of one that may have been there when the other's pipe hung up. */
static bool told_or_not(const struct subject *subject)
{
	char text[8];
	ssize_t len = read(subject->from[TO_PIPE], text, sizeof(text));

	return must(len == 0 || (len == 4 && read(subject->from[TO_PIPE], text, 4) == 0));
}

static bool gone(fixture_self(cycle), const struct _fixture_variant_cycle *variant,
		 struct subject *subject)
{
	int i;

	if (!ends(self, subject->id) || !ends(self, subject->linked) ||
	    !wait_unread(subject->watched))
		return false;
	close(subject->watched);
	for (i = 0; i < TARGETS; i++) {
		if (!variant->flags || !subject->watches) {
			if (!told(subject, i, !variant->flags))
				return false;
		} else if (i == TO_PIPE && !told_or_not(subject)) {
			return false;
		}
	}
	for (i = 0; i < TARGETS; i++)
		close(subject->from[i]);
	wait_users(self->users);
	return true;
}

TEST_F(cycle, in_flight)
{
	struct subject subject;
	int pair[2];

	ASSERT_TRUE(make(self, variant, &subject));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	EXPECT_TRUE(send_fd(pair[0], subject.ctx));
	EXPECT_TRUE(is_refused(&subject, pair[1]));
	EXPECT_TRUE(is_refused(&subject, pair[0]));
	close(subject.ctx);
	close(pair[0]);
	/* Held by the socket, for as long as that is open. */
	subject.ctx = ctx_open_id(self->bg, subject.id, CTX_RIGHT_OBSERVE);
	EXPECT_TRUE(is_live(subject.ctx));
	close(subject.ctx);
	close(pair[1]);
	EXPECT_TRUE(gone(self, variant, &subject));
}

/* Two sockets, each in the queue of the other, and the context in both. */
TEST_F(cycle, in_flight_in_a_cycle_of_sockets)
{
	struct subject subject;
	int pair[2], i;

	ASSERT_TRUE(make(self, variant, &subject));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	for (i = 0; i < 2; i++) {
		const int fds[] = { pair[i], subject.ctx, subject.from[TO_SOCKET] };

		EXPECT_TRUE(send_fds(pair[i], fds, 3));
	}
	close(subject.ctx);
	close(pair[0]);
	close(pair[1]);
	/* Whoever closes a socket next collects them. */
	while (!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) {
		int fd;

		close(pair[0]);
		close(pair[1]);
		fd = ctx_open_id(self->bg, subject.id, CTX_RIGHT_OBSERVE);
		if (fd < 0)
			break;
		close(fd);
	}
	EXPECT_TRUE(gone(self, variant, &subject));
}

TEST_F(cycle, in_an_epoll_set)
{
	struct epoll_event event = { .events = EPOLLIN };
	int set = epoll_create1(EPOLL_CLOEXEC), outer = epoll_create1(EPOLL_CLOEXEC), i;
	struct subject subject;

	ASSERT_TRUE(make(self, variant, &subject));
	EXPECT_EQ(0, epoll_ctl(set, EPOLL_CTL_ADD, subject.ctx, &event));
	for (i = 0; i < TARGETS; i++)
		EXPECT_EQ(0, epoll_ctl(set, EPOLL_CTL_ADD, subject.from[i], &event));
	EXPECT_EQ(0, epoll_ctl(outer, EPOLL_CTL_ADD, set, &event));
	EXPECT_TRUE(is_refused(&subject, set));
	EXPECT_TRUE(is_refused(&subject, outer));
	/* A set holds nobody; it is told when one goes. */
	close(subject.ctx);
	EXPECT_TRUE(gone(self, variant, &subject));
	close(set);
	close(outer);
}

TEST_F(cycle, whose_epoll_set_is_in_flight)
{
	struct epoll_event event = { .events = EPOLLIN };
	int set = epoll_create1(EPOLL_CLOEXEC), pair[2];
	struct subject subject;

	ASSERT_TRUE(make(self, variant, &subject));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	EXPECT_EQ(0, epoll_ctl(set, EPOLL_CTL_ADD, subject.ctx, &event));
	EXPECT_EQ(0, epoll_ctl(set, EPOLL_CTL_ADD, pair[1], &event));
	EXPECT_TRUE(send_fds(pair[0], (int []){ set, subject.ctx }, 2));
	close(set);
	close(subject.ctx);
	close(pair[0]);
	close(pair[1]);
	EXPECT_TRUE(gone(self, variant, &subject));
}

/* A ring with the context, what it watches and where it is to write, registered. */
static int registered(const struct subject *subject)
{
	const int fds[] = { subject->ctx, subject->from[TO_PIPE], subject->from[TO_SOCKET] };
	struct io_uring_params p = {};
	int ring = syscall(__NR_io_uring_setup, 2, &p);

	if (!must(ring >= 0) ||
	    !must(!syscall(__NR_io_uring_register, ring, IORING_REGISTER_FILES, fds, 3)) ||
	    !must(!syscall(__NR_io_uring_register, ring, IORING_REGISTER_EVENTFD,
			   &subject->from[TO_EVENTFD], 1)))
		return -1;
	return ring;
}

TEST_F(cycle, in_an_io_uring)
{
	struct subject subject;
	int ring;

	ASSERT_TRUE(make(self, variant, &subject));
	ring = registered(&subject);
	EXPECT_TRUE(is_refused(&subject, ring));
	close(subject.ctx);
	subject.ctx = ctx_open_id(self->bg, subject.id, CTX_RIGHT_OBSERVE);
	EXPECT_TRUE(is_live(subject.ctx));
	close(subject.ctx);
	close(ring);
	EXPECT_TRUE(gone(self, variant, &subject));
}

TEST_F(cycle, whose_io_uring_is_in_flight)
{
	struct subject subject;
	int ring, pair[2];

	ASSERT_TRUE(make(self, variant, &subject));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	ring = registered(&subject);
	/* Newer kernels do not let it travel. */
	send_fd(pair[0], ring);
	close(ring);
	close(subject.ctx);
	close(pair[0]);
	close(pair[1]);
	EXPECT_TRUE(gone(self, variant, &subject));
}

/* Both in the queues of two sockets, and nowhere else; then those are closed. */
static bool let_go(const struct subject *subject, const struct subject *other)
{
	int pair[2];

	if (!must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0) ||
	    !must(send_fds(pair[0], (int []){ subject->ctx, other->ctx }, 2)) ||
	    !must(send_fds(pair[1], (int []){ other->ctx, subject->ctx }, 2)))
		return false;
	close(subject->ctx);
	close(other->ctx);
	close(pair[0]);
	close(pair[1]);
	return true;
}

/* Each of two the parent, maker and witness of the other, as far as that is possible. */
TEST_F(cycle, a_child_and_its_parent)
{
	struct subject subject, other;

	ASSERT_TRUE(make(self, variant, &subject));
	close(self->bg);
	self->bg = subject.ctx;
	ASSERT_TRUE(make(self, variant, &other));
	self->bg = ctx_open();
	/* The child ends with its parent as it is; and not the other way round. */
	EXPECT_EQ(0, ctx_link(other.ctx, subject.ctx));
	EXPECT_EQ(0, ctx_watch(other.ctx, subject.ctx, 0, 0));
	EXPECT_EQ(-EBUSY, ctx_link(subject.ctx, other.ctx));
	EXPECT_EQ(-EBUSY, ctx_watch(subject.ctx, other.ctx, 0, 0));
	EXPECT_TRUE(let_go(&subject, &other));
	EXPECT_TRUE(gone(self, variant, &other));
	EXPECT_TRUE(gone(self, variant, &subject));
}

/* Only one of two can end with the other, in whatever order that is asked for. */
TEST_F(cycle, two_that_end_with_each_other)
{
	struct subject subject, other;

	ASSERT_TRUE(make(self, variant, &subject));
	ASSERT_TRUE(make(self, variant, &other));
	EXPECT_EQ(-ELOOP, ctx_link(subject.ctx, subject.ctx));
	EXPECT_EQ(-ELOOP, ctx_watch(subject.ctx, subject.ctx, 0, 0));
	EXPECT_EQ(-EINVAL, ctx_on_done(subject.ctx, subject.ctx, NULL, 0));
	EXPECT_EQ(0, ctx_watch(subject.ctx, other.ctx, 0, 0));
	EXPECT_EQ(0, ctx_link(subject.ctx, other.ctx));
	EXPECT_EQ(-EBUSY, ctx_watch(other.ctx, subject.ctx, 0, 0));
	EXPECT_EQ(-EBUSY, ctx_link(other.ctx, subject.ctx));
	EXPECT_EQ(-EINVAL, ctx_on_done(other.ctx, subject.ctx, NULL, 0));
	EXPECT_TRUE(is_live(subject.ctx));
	EXPECT_TRUE(is_live(other.ctx));
	EXPECT_TRUE(let_go(&subject, &other));
	EXPECT_TRUE(gone(self, variant, &subject));
	EXPECT_TRUE(gone(self, variant, &other));
}

/* Nor by way of a third, of a child, or of a value. */
TEST_F(cycle, three_that_end_with_each_other)
{
	struct subject subject, other;
	int third, child, value;

	ASSERT_TRUE(make(self, variant, &subject));
	ASSERT_TRUE(make(self, variant, &other));
	third = ctx_derive(self->bg, variant->flags);
	EXPECT_EQ(0, ctx_watch(subject.ctx, third, 0, 0));
	EXPECT_EQ(0, ctx_link(other.ctx, subject.ctx));
	EXPECT_EQ(-EBUSY, ctx_watch(third, other.ctx, 0, 0));
	child = ctx_derive(other.ctx, variant->flags);
	value = ctx_set(other.ctx, "k", "v");
	EXPECT_EQ(-EBUSY, ctx_link(third, child));
	EXPECT_EQ(-EBUSY, ctx_watch(third, value, 0, 0));
	EXPECT_EQ(-EBUSY, ctx_watch(other.ctx, child, 0, 0));
	EXPECT_EQ(-ELOOP, ctx_watch(other.ctx, value, 0, 0));
	EXPECT_TRUE(is_live(value));
	EXPECT_TRUE(let_go(&subject, &other));
	close(third);
	close(child);
	close(value);
	EXPECT_TRUE(gone(self, variant, &subject));
	EXPECT_TRUE(gone(self, variant, &other));
}

/*
 * What is written to one when the other is done cancels it: this they may, both of them
 * and each itself, since no file in between holds either.
 */
TEST_F(cycle, two_that_have_each_other_cancelled)
{
	struct subject subject, other;
	int i;

	ASSERT_TRUE(make(self, variant, &subject));
	ASSERT_TRUE(make(self, variant, &other));
	for (i = 0; i < TARGETS; i++) {
		EXPECT_EQ(0, ctx_watch(subject.ctx, other.from[i], 0, 0));
		EXPECT_EQ(0, ctx_watch(other.ctx, subject.from[i], 0, 0));
		EXPECT_EQ(0, ctx_watch(subject.ctx, subject.from[i], 0, 0));
		EXPECT_EQ(0, ctx_watch(other.ctx, other.from[i], 0, 0));
	}
	subject.watches = true;
	other.watches = true;
	EXPECT_TRUE(let_go(&subject, &other));
	EXPECT_TRUE(gone(self, variant, &subject));
	EXPECT_TRUE(gone(self, variant, &other));
}

/* Everything at once, and nobody there to close it. */
TEST_F(cycle, when_everybody_is_killed)
{
	struct epoll_event event = { .events = EPOLLIN };
	struct subject subject;
	int ready[2];
	pid_t pid;

	ASSERT_TRUE(make(self, variant, &subject));
	ASSERT_EQ(0, pipe2(ready, O_CLOEXEC));
	pid = spawn();
	if (!pid) {
		int ring = registered(&subject), pair[2], set = epoll_create1(0);

		EXPECT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
		EXPECT_EQ(0, epoll_ctl(set, EPOLL_CTL_ADD, subject.ctx, &event));
		EXPECT_EQ(0, epoll_ctl(set, EPOLL_CTL_ADD, ring, &event));
		EXPECT_EQ(0, ctx_watch(subject.ctx, subject.from[TO_PIPE], 0, 0));
		EXPECT_TRUE(send_fds(pair[0], (int []){ set, subject.ctx, pair[0] }, 3));
		EXPECT_TRUE(tell(ready[1]));
		for (;;)
			pause();
	}
	ASSERT_TRUE(hear(ready[0]));
	close(subject.ctx);
	EXPECT_EQ(0, kill(pid, SIGKILL));
	EXPECT_EQ(KILLED, reap(pid));
	EXPECT_TRUE(gone(self, variant, &subject));
	close(ready[0]);
	close(ready[1]);
}

TEST_HARNESS_MAIN
