/* SPDX-License-Identifier: GPL-2.0 */
/* A pipe whose lock somebody has for as long as he likes, over a page of his own. */
#ifndef CTX_STALL_H
#define CTX_STALL_H

#include "ctx_test.h"

#include <sys/mman.h>
#include <sys/syscall.h>

#include <linux/userfaultfd.h>

#define STALL_PAGE	4096

struct stall {
	pthread_t thread;
	int pipe[2];
	int fault;
	char *page;
};

static inline void *stalled_read(void *arg)
{
	struct stall *stall = arg;

	return (void *)read(stall->pipe[0], stall->page, 1);
}

/* A page that is not there until stall_end() says so. */
static inline bool stall_init(struct stall *stall)
{
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct uffdio_api api = { .api = UFFD_API };

	stall->fault = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (stall->fault < 0)
		return false;
	stall->page = mmap(NULL, STALL_PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	reg.range.start = to_u64(stall->page);
	reg.range.len = STALL_PAGE;
	return must(ioctl(stall->fault, UFFDIO_API, &api) == 0) &&
	       must(ioctl(stall->fault, UFFDIO_REGISTER, &reg) == 0) &&
	       must(pipe2(stall->pipe, O_CLOEXEC) == 0);
}

/* From here on the pipe is locked by who reads from it. */
static inline bool stall_begin(struct stall *stall)
{
	struct uffd_msg msg;

	return must(tell(stall->pipe[1])) &&
	       must(pthread_create(&stall->thread, NULL, stalled_read, stall) == 0) &&
	       must(read(stall->fault, &msg, sizeof(msg)) == sizeof(msg));
}

static inline void stall_end(struct stall *stall)
{
	struct uffdio_zeropage zero = {
		.range = { .start = to_u64(stall->page), .len = STALL_PAGE },
	};

	ioctl(stall->fault, UFFDIO_ZEROPAGE, &zero);
	pthread_join(stall->thread, NULL);
	close(stall->fault);
	munmap(stall->page, STALL_PAGE);
}

/* The pipe of @fd, by a description that nobody else has. */
static inline int open_anew(int fd)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
}

#endif /* CTX_STALL_H */
