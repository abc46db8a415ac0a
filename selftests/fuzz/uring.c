// SPDX-License-Identifier: GPL-2.0
/*
 * io_urings, by their system calls alone: reads and polls of whatever there is, and
 * files that a ring keeps.
 */
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/io_uring.h>

#include "fuzz.h"
#include "ops.h"

#define ENTRIES	8
#define RINGS	2

static struct ring {
	int fd;
	char *rings;
	size_t rings_size;
	struct io_uring_sqe *sqes;
	struct io_uring_params p;
} rings[RINGS];
static int nr_rings;

static void *map(int fd, size_t size, off_t offset)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);
}

int fuzz_ring_open(void)
{
	struct ring *ring = &rings[nr_rings];

	if (nr_rings == RINGS)
		return -1;
	memset(ring, 0, sizeof(*ring));
	ring->fd = syscall(__NR_io_uring_setup, ENTRIES, &ring->p);
	if (ring->fd < 0)
		return -1;
	ring->rings_size = ring->p.cq_off.cqes + ring->p.cq_entries * sizeof(struct io_uring_cqe);
	if (ring->rings_size < ring->p.sq_off.array + ENTRIES * 4)
		ring->rings_size = ring->p.sq_off.array + ENTRIES * 4;
	ring->rings = map(ring->fd, ring->rings_size, IORING_OFF_SQ_RING);
	ring->sqes = map(ring->fd, ENTRIES * sizeof(*ring->sqes), IORING_OFF_SQES);
	if (ring->rings == MAP_FAILED || ring->sqes == MAP_FAILED)
		fuzz_violation("io_uring: %m");
	nr_rings++;
	return ring->fd;
}

/* The memory of those that are closed, too. */
void fuzz_rings_close(void)
{
	while (nr_rings) {
		struct ring *ring = &rings[--nr_rings];

		munmap(ring->rings, ring->rings_size);
		munmap(ring->sqes, ENTRIES * sizeof(*ring->sqes));
	}
}

/* NULL if @fd is none of ours, or another was opened as that since. */
static struct ring *ring_of(int fd)
{
	int i = nr_rings;

	while (i--)
		if (rings[i].fd == fd)
			return &rings[i];
	return NULL;
}

static void fill(struct io_uring_sqe *sqe, uint8_t what, int fd)
{
	static char room[64];

	memset(sqe, 0, sizeof(*sqe));
	sqe->fd = fd;
	sqe->user_data = 1;
	switch (what % 6) {
	case 0:
		sqe->opcode = IORING_OP_READ;
		sqe->addr = (uintptr_t)room;
		sqe->len = 56;
		sqe->off = -1;
		break;
	case 1:
	case 2:
		sqe->opcode = IORING_OP_POLL_ADD;
		sqe->poll32_events = POLLIN;
		sqe->len = what % 6 == 2 ? IORING_POLL_ADD_MULTI : 0;
		break;
	case 3:
		sqe->opcode = IORING_OP_ASYNC_CANCEL;
		sqe->addr = 1;
		break;
	case 4:
		sqe->opcode = IORING_OP_POLL_REMOVE;
		sqe->addr = 1;
		break;
	default:
		sqe->opcode = IORING_OP_NOP;
		break;
	}
	/*
	 * A POLL_REMOVE from a worker may leave its ring for ever, and with it what is
	 * registered there, on Linux 6.1 and whatever the file is.
	 */
	if (what & 0x80 && sqe->opcode != IORING_OP_POLL_REMOVE)
		sqe->flags |= IOSQE_ASYNC;
	if (what & 0x40)
		sqe->flags |= IOSQE_IO_LINK;
}

/* @arg: the ring, what by kind and which, the request; from 0x30 on @what is registered */
void op_submit(const uint8_t *arg)
{
	const int ring_fd = fuzz_fd(FUZZ_URING, arg[0]);
	struct ring *ring = ring_of(ring_fd);
	int fd = fuzz_fd(arg[1] % FUZZ_KINDS, arg[2]);
	unsigned int *tail, index;

	if (!ring)
		return;
	if ((arg[3] & 0x30) == 0x30) {
		syscall(__NR_io_uring_register, ring_fd, IORING_REGISTER_FILES, &fd, 1);
		return;
	}
	tail = (unsigned int *)(ring->rings + ring->p.sq_off.tail);
	index = *tail & (ring->p.sq_entries - 1);
	fill(&ring->sqes[index], arg[3], fd);
	((unsigned int *)(ring->rings + ring->p.sq_off.array))[index] = index;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	syscall(__NR_io_uring_enter, ring_fd, 1, 0, 0, NULL, 0);
}

void op_reap(const uint8_t *arg)
{
	const int ring_fd = fuzz_fd(FUZZ_URING, arg[0]);
	struct ring *ring = ring_of(ring_fd);

	if (!ring)
		return;
	syscall(__NR_io_uring_enter, ring_fd, 0, arg[1] & 1, IORING_ENTER_GETEVENTS, NULL, 0);
	__atomic_store_n((unsigned int *)(ring->rings + ring->p.cq_off.head),
			 *(unsigned int *)(ring->rings + ring->p.cq_off.tail), __ATOMIC_RELEASE);
}
