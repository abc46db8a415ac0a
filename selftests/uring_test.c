// SPDX-License-Identifier: GPL-2.0
/*
 * Contexts through io_uring, by its system calls alone: poll and read, how both are
 * ended, and that a ring keeps nothing alive once it is gone, with one exception.
 */
#include "ctx_test.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <linux/io_uring.h>

#define ENTRIES	8

struct ring {
	int fd;
	void *rings;
	size_t rings_size;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
	unsigned int *sq_tail;
	unsigned int *sq_array;
	unsigned int sq_mask;
	unsigned int *cq_head;
	unsigned int *cq_tail;
	unsigned int cq_mask;
};

FIXTURE(uring) {
	int bg;
	int ctx;
	struct ring ring;
	struct ctx_event event;
};

static bool ring_map(struct ring *ring, const struct io_uring_params *p)
{
	size_t sq = p->sq_off.array + p->sq_entries * sizeof(unsigned int);
	size_t cq = p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe);
	char *at;

	if (!must(p->features & IORING_FEAT_SINGLE_MMAP))
		return false;
	ring->rings_size = sq > cq ? sq : cq;
	at = mmap(NULL, ring->rings_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
		  ring->fd, IORING_OFF_SQ_RING);
	ring->sqes = mmap(NULL, p->sq_entries * sizeof(*ring->sqes), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_POPULATE, ring->fd, IORING_OFF_SQES);
	if (!must(at != MAP_FAILED) || !must(ring->sqes != MAP_FAILED))
		return false;
	ring->rings = at;
	ring->sq_tail = (void *)(at + p->sq_off.tail);
	ring->sq_array = (void *)(at + p->sq_off.array);
	ring->sq_mask = *(unsigned int *)(at + p->sq_off.ring_mask);
	ring->cq_head = (void *)(at + p->cq_off.head);
	ring->cq_tail = (void *)(at + p->cq_off.tail);
	ring->cq_mask = *(unsigned int *)(at + p->cq_off.ring_mask);
	ring->cqes = (void *)(at + p->cq_off.cqes);
	return true;
}

static bool ring_open(struct ring *ring)
{
	struct io_uring_params p = {};

	ring->fd = syscall(__NR_io_uring_setup, ENTRIES, &p);
	return must(ring->fd >= 0) && ring_map(ring, &p);
}

static void ring_close(struct ring *ring)
{
	munmap(ring->rings, ring->rings_size);
	munmap(ring->sqes, ENTRIES * sizeof(*ring->sqes));
	close(ring->fd);
}

/* Hands one request in; whether the kernel took it. */
static bool submit(struct ring *ring, const struct io_uring_sqe *sqe)
{
	unsigned int tail = *ring->sq_tail, index = tail & ring->sq_mask;

	ring->sqes[index] = *sqe;
	ring->sq_array[index] = index;
	__atomic_store_n(ring->sq_tail, tail + 1, __ATOMIC_RELEASE);
	return must(syscall(__NR_io_uring_enter, ring->fd, 1, 0, 0, NULL, 0) == 1);
}

/* What came out, if anything has. */
static bool completed(struct ring *ring, struct io_uring_cqe *cqe)
{
	unsigned int head = *ring->cq_head;

	/* Runs what is left to the task. */
	syscall(__NR_io_uring_enter, ring->fd, 0, 0, IORING_ENTER_GETEVENTS, NULL, 0);
	if (head == __atomic_load_n(ring->cq_tail, __ATOMIC_ACQUIRE))
		return false;
	*cqe = ring->cqes[head & ring->cq_mask];
	__atomic_store_n(ring->cq_head, head + 1, __ATOMIC_RELEASE);
	return true;
}

static int complete(struct ring *ring, __u64 *data)
{
	struct io_uring_cqe cqe;

	while (!completed(ring, &cqe))
		if (syscall(__NR_io_uring_enter, ring->fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0))
			return -errno;
	if (data)
		*data = cqe.user_data;
	return cqe.res;
}

static bool idle(struct ring *ring)
{
	struct io_uring_cqe cqe;

	return !completed(ring, &cqe);
}

FIXTURE_SETUP(uring)
{
	self->bg = ctx_open();
	ASSERT_LE(0, self->bg);
	self->ctx = ctx_derive(self->bg, 0);
	ASSERT_LE(0, self->ctx);
	ASSERT_TRUE(ring_open(&self->ring));
}

FIXTURE_TEARDOWN(uring)
{
	ring_close(&self->ring);
	close(self->ctx);
	close(self->bg);
}

static bool submit_read(struct ring *ring, int fd, struct ctx_event *event, __u8 flags)
{
	const struct io_uring_sqe sqe = {
		.opcode = IORING_OP_READ,
		.flags = flags,
		.fd = fd,
		.addr = to_u64(event),
		.len = sizeof(*event),
		.user_data = 1,
	};

	return submit(ring, &sqe);
}

static bool submit_poll(struct ring *ring, int fd)
{
	const struct io_uring_sqe sqe = {
		.opcode = IORING_OP_POLL_ADD,
		.fd = fd,
		.poll32_events = POLLIN,
		.user_data = 1,
	};

	return submit(ring, &sqe);
}

static bool submit_cancel(struct ring *ring)
{
	const struct io_uring_sqe sqe = {
		.opcode = IORING_OP_ASYNC_CANCEL,
		.fd = -1,
		.addr = 1,
		.user_data = 2,
	};

	return submit(ring, &sqe);
}

static int threads(void)
{
	DIR *dir = opendir("/proc/self/task");
	int nr = 0;

	while (readdir(dir))
		nr++;
	closedir(dir);
	return nr - 2;
}

TEST_F(uring, poll)
{
	ASSERT_TRUE(submit_poll(&self->ring, self->ctx));
	EXPECT_TRUE(idle(&self->ring));
	EXPECT_EQ(0, ctx_cancel(self->ctx, 0));
	EXPECT_EQ(POLLIN, complete(&self->ring, NULL));
	ASSERT_TRUE(submit_poll(&self->ring, self->ctx));
	EXPECT_EQ(POLLIN, complete(&self->ring, NULL));
	EXPECT_TRUE(idle(&self->ring));
}

/* Nobody waits in a thread meanwhile: it is polled, and read when it is done. */
TEST_F(uring, read)
{
	int i;

	for (i = 0; i < 2; i++) {
		int ctx = i ? ctx_timeout(self->bg, NSEC_PER_SEC / 100, 0) :
			      ctx_derive(self->bg, 0);

		memset(&self->event, FILL, sizeof(self->event));
		ASSERT_TRUE(submit_read(&self->ring, ctx, &self->event, 0));
		EXPECT_EQ(1, threads());
		if (!i) {
			EXPECT_TRUE(idle(&self->ring));
			EXPECT_EQ(0, ctx_cancel(ctx, EIO));
		}
		EXPECT_EQ(sizeof(self->event), complete(&self->ring, NULL));
		EXPECT_EQ(ctx_id(ctx), self->event.id);
		EXPECT_EQ(i ? ETIMEDOUT : ECANCELED, self->event.err);
		EXPECT_EQ(i ? ETIMEDOUT : EIO, self->event.cause);
		EXPECT_EQ(1, threads());
		/* Once more, at once. */
		ASSERT_TRUE(submit_read(&self->ring, ctx, &self->event, 0));
		EXPECT_EQ(sizeof(self->event), complete(&self->ring, NULL));
		close(ctx);
	}
}

TEST_F(uring, read_of_a_device_file)
{
	ASSERT_TRUE(submit_read(&self->ring, self->bg, &self->event, 0));
	EXPECT_TRUE(idle(&self->ring));
	EXPECT_EQ(1, threads());
	ASSERT_TRUE(submit_cancel(&self->ring));
	EXPECT_NE(sizeof(self->event), complete(&self->ring, NULL));
}

/* Told to be asynchronous, it does wait in a thread. */
TEST_F(uring, read_in_a_worker)
{
	ASSERT_TRUE(submit_read(&self->ring, self->ctx, &self->event, IOSQE_ASYNC));
	EXPECT_TRUE(idle(&self->ring));
	EXPECT_EQ(0, ctx_cancel(self->ctx, EIO));
	EXPECT_EQ(sizeof(self->event), complete(&self->ring, NULL));
	EXPECT_EQ(EIO, self->event.cause);
}

/* Ended by the ring, whichever way it waits; the context goes on. */
TEST_F(uring, ended)
{
	__u8 flags[] = { 0, IOSQE_ASYNC };
	__u64 data;
	int i, n, ret;

	for (i = 0; i < 3; i++) {
		ASSERT_TRUE(i < 2 ? submit_read(&self->ring, self->ctx, &self->event, flags[i]) :
				    submit_poll(&self->ring, self->ctx));
		EXPECT_TRUE(idle(&self->ring));
		ASSERT_TRUE(submit_cancel(&self->ring));
		for (n = 0; n < 2; n++) {
			ret = complete(&self->ring, &data);
			EXPECT_TRUE(data == 1 ? ret == -ECANCELED || ret == -EINTR :
						ret == 0 || ret == -EALREADY);
		}
		EXPECT_TRUE(is_live(self->ctx));
	}
}

TEST_F(uring, without_waiting)
{
	struct iovec iov = { .iov_base = &self->event, .iov_len = sizeof(self->event) };
	const struct io_uring_sqe nowait = {
		.opcode = IORING_OP_READ,
		.fd = self->ctx,
		.addr = to_u64(&self->event),
		.len = sizeof(self->event),
		.rw_flags = RWF_NOWAIT,
	};

	EXPECT_EQ(-1, preadv2(self->ctx, &iov, 1, -1, RWF_NOWAIT));
	EXPECT_EQ(EAGAIN, errno);
	ASSERT_TRUE(submit(&self->ring, &nowait));
	EXPECT_EQ(-EAGAIN, complete(&self->ring, NULL));
	EXPECT_EQ(0, ctx_cancel(self->ctx, EIO));
	EXPECT_EQ(sizeof(self->event), preadv2(self->ctx, &iov, 1, -1, RWF_NOWAIT));
	EXPECT_EQ(EIO, self->event.cause);
}

TEST_F(uring, rights)
{
	int fd = ctx_restrict(self->ctx, RIGHTS_ALL & ~CTX_RIGHT_OBSERVE);

	ASSERT_TRUE(submit_read(&self->ring, fd, &self->event, 0));
	EXPECT_EQ(-EPERM, complete(&self->ring, NULL));
	ASSERT_TRUE(submit_poll(&self->ring, fd));
	EXPECT_EQ(POLLERR, complete(&self->ring, NULL));
	close(fd);
}

/* What is under way ends with whoever asked; it does not keep the context. */
TEST_F(uring, killed_with_requests_under_way)
{
	int pair[2], fd, i;
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	for (i = 0; i < 3; i++) {
		pid = spawn();
		if (!pid) {
			struct ring ring;
			int ctx = ctx_derive(self->bg, 0);

			EXPECT_TRUE(ring_open(&ring));
			if (i < 2)
				submit_read(&ring, ctx, &self->event, i ? IOSQE_ASYNC : 0);
			else
				submit_poll(&ring, ctx);
			EXPECT_TRUE(send_fd(pair[1], ctx_restrict(ctx, CTX_RIGHT_OBSERVE)));
			for (;;)
				pause();
		}
		fd = recv_fd(pair[0]);
		EXPECT_TRUE(is_live(fd));
		EXPECT_EQ(0, kill(pid, SIGKILL));
		EXPECT_EQ(KILLED, reap(pid));
		/* The ring lets go when it is torn down, by a worker. */
		EXPECT_TRUE(wait_ready(fd));
		EXPECT_TRUE(is_done(fd, ECANCELED, EOWNERDEAD));
		close(fd);
	}
	close(pair[0]);
	close(pair[1]);
}

/* A registered file is held by the ring, and goes with it. */
TEST_F(uring, registered)
{
	int seen = ctx_restrict(self->ctx, CTX_RIGHT_OBSERVE);

	ASSERT_EQ(0, syscall(__NR_io_uring_register, self->ring.fd, IORING_REGISTER_FILES,
			     &self->ctx, 1));
	close(self->ctx);
	EXPECT_TRUE(is_live(seen));
	ASSERT_TRUE(submit_read(&self->ring, 0, &self->event, IOSQE_FIXED_FILE));
	EXPECT_TRUE(idle(&self->ring));
	EXPECT_TRUE(is_live(seen));
	ring_close(&self->ring);
	EXPECT_TRUE(wait_ready(seen));
	EXPECT_TRUE(is_done(seen, ECANCELED, EOWNERDEAD));
	self->ctx = seen;
	ASSERT_TRUE(ring_open(&self->ring));
}

#define DATA	(64 * 1024)

/* A connection whose second end takes next to nothing, unless somebody reads there. */
static bool open_connection(int *fds)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), small = 1, large = 64 * DATA;
	socklen_t len = sizeof(address);

	fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (!must(!setsockopt(fds[0], SOL_SOCKET, SO_SNDBUFFORCE, &large, sizeof(large))) ||
	    !must(!setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small))) ||
	    !must(!bind(listener, (void *)&address, sizeof(address))) ||
	    !must(!listen(listener, 1)) ||
	    !must(!getsockname(listener, (void *)&address, &len)) ||
	    !must(!connect(fds[0], (void *)&address, len)))
		return false;
	fds[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	close(listener);
	return must(fds[1] >= 0);
}

/* Without copying it: how much was sent, which the kernel needs until it has arrived. */
static int send_zero_copy(struct ring *ring, int sock)
{
	static char data[DATA];
	const struct io_uring_sqe sqe = {
		.opcode = IORING_OP_SEND_ZC,
		.fd = sock,
		.addr = to_u64(data),
		.len = sizeof(data),
	};

	return submit(ring, &sqe) ? complete(ring, NULL) : -1;
}

/* What is on its way to @ends[1] holds a ring, which holds @ctx, which holds @ends[0]. */
static bool close_circle(int ctx, int *ends)
{
	struct ring ring;
	bool so;

	so = ring_open(&ring) && open_connection(ends) &&
	     must(send_zero_copy(&ring, ends[0]) == DATA) &&
	     must(idle(&ring)) &&
	     must(!syscall(__NR_io_uring_register, ring.fd, IORING_REGISTER_FILES, &ctx, 1)) &&
	     must(ctx_on_done(ctx, ends[0], "x", 1) == 0);
	close(ends[0]);
	ring_close(&ring);
	return so;
}

static bool has_zero_copy(fixture_self(uring))
{
	/* Not a socket, if it is known. */
	return send_zero_copy(&self->ring, self->bg) != -EINVAL;
}

/* ... and so does whatever else was tied to it. */
static bool ends(fixture_self(uring), __u64 id, long long users)
{
	int fd;

	while ((fd = ctx_open_id(self->bg, id, CTX_RIGHT_OBSERVE)) >= 0) {
		close(fd);
		sched_yield();
	}
	wait_users(users);
	return must(fd == -ESRCH);
}

/*
 * The one cycle that is not seen: here the context also holds the other end, so nobody
 * can have the data any more. To cancel it by its number ends it.
 */
TEST_F(uring, zero_copy_data_keeps_it_until_it_is_cancelled)
{
	const long long users = read_number(REFCNT);
	const int ctx = ctx_derive(self->bg, CTX_DERIVE_KEEP);
	const __u64 id = ctx_id(ctx);
	int way[2], fd;

	if (!has_zero_copy(self))
		SKIP(return, "no zero-copy sends");
	ASSERT_TRUE(close_circle(ctx, way));
	EXPECT_EQ(0, ctx_watch(ctx, way[1], POLLPRI, 0));
	close(way[1]);
	close(ctx);
	fd = ctx_open_id(self->bg, id, CTX_RIGHT_CANCEL | CTX_RIGHT_OBSERVE);
	ASSERT_LE(0, fd);
	EXPECT_TRUE(is_live(fd));
	EXPECT_EQ(0, ctx_cancel(fd, 0));
	close(fd);
	EXPECT_TRUE(ends(self, id, users));
}

TEST_F(uring, zero_copy_data_keeps_it_until_it_has_arrived)
{
	const long long users = read_number(REFCNT);
	const int ctx = ctx_derive(self->bg, CTX_DERIVE_KEEP);
	const __u64 id = ctx_id(ctx);
	static char data[DATA];
	int way[2], fd;

	if (!has_zero_copy(self))
		SKIP(return, "no zero-copy sends");
	ASSERT_TRUE(close_circle(ctx, way));
	close(ctx);
	fd = ctx_open_id(self->bg, id, CTX_RIGHT_OBSERVE);
	ASSERT_LE(0, fd);
	EXPECT_TRUE(is_live(fd));
	close(fd);
	EXPECT_EQ(DATA, recv(way[1], data, sizeof(data), MSG_WAITALL));
	EXPECT_TRUE(ends(self, id, users));
	close(way[1]);
}

TEST_HARNESS_MAIN
