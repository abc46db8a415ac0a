// SPDX-License-Identifier: GPL-2.0
/*
 * What descriptors of /dev/ctx cost, and what those of the kernel's other means do.
 * In a virtual machine that counts instructions, CLOCK_MONOTONIC does.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <linux/ctx.h>

#define NSEC_PER_SEC	1000000000ULL
#define AN_HOUR		3600

#define WARM_UP		3
#define BATCHES		31	/* of which the median counts: no timer interrupt in it */
#define OPS		100
#define POLLED		10000
#define ROUNDS		5

static int root, parent, event_fd, epoll_fd;
static int fds[POLLED];

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void report(const char *name, uint64_t *samples, int count, int ops)
{
	qsort(samples, count, sizeof(*samples), compare);
	printf("bench: %s instructions %.1f\n", name, (double)samples[count / 2] / ops);
}

static void measure(const char *name, void (*op)(void))
{
	uint64_t samples[BATCHES], start;
	int batch, i;

	for (batch = -WARM_UP; batch < BATCHES; batch++) {
		start = now();
		for (i = 0; i < OPS; i++)
			op();
		samples[batch < 0 ? 0 : batch] = now() - start;
	}
	report(name, samples, BATCHES, OPS);
}

/* A result that is an error ends the program. */
static int check(const char *what, int ret)
{
	if (ret < 0)
		err(1, "%s", what);
	return ret;
}

static int derive(int from, bool timeout)
{
	struct ctx_ioc_derive arg = { .size = sizeof(arg) };

	if (timeout) {
		arg.flags = CTX_DERIVE_TIMEOUT;
		arg.time = AN_HOUR * NSEC_PER_SEC;
		arg.clock = CLOCK_MONOTONIC;
	}
	return check("CTX_IOC_DERIVE", ioctl(from, CTX_IOC_DERIVE, &arg));
}

static void cancel(int fd)
{
	struct ctx_ioc_cancel arg = { .size = sizeof(arg) };

	check("CTX_IOC_CANCEL", ioctl(fd, CTX_IOC_CANCEL, &arg));
}

static void do_nothing(void)
{
	syscall(SYS_getppid);
}

static void do_derive(void)
{
	close(derive(parent, false));
}

static void do_timeout(void)
{
	close(derive(parent, true));
}

static void do_cancel(void)
{
	const int fd = derive(parent, false);

	cancel(fd);
	close(fd);
}

static void do_info(void)
{
	struct ctx_ioc_info arg = { .size = sizeof(arg) };

	check("CTX_IOC_INFO", ioctl(parent, CTX_IOC_INFO, &arg));
}

static void do_poll(int fd)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };

	check("poll", poll(&pollfd, 1, 0));
}

static void do_poll_ctx(void)
{
	do_poll(parent);
}

static void do_poll_event(void)
{
	do_poll(event_fd);
}

static void do_eventfd(void)
{
	close(check("eventfd", eventfd(0, EFD_CLOEXEC)));
}

static void do_timerfd(void)
{
	const struct itimerspec time = { .it_value.tv_sec = AN_HOUR };
	const int fd = check("timerfd_create", timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));

	check("timerfd_settime", timerfd_settime(fd, 0, &time, NULL));
	close(fd);
}

static void do_pidfd(void)
{
	close(check("pidfd_open", syscall(SYS_pidfd_open, getpid(), 0)));
}

static void watch(int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	check("epoll_ctl", epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event));
}

static void do_epoll(int fd)
{
	watch(fd);
	check("epoll_ctl", epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, NULL));
}

static void do_epoll_ctx(void)
{
	do_epoll(parent);
}

static void do_epoll_event(void)
{
	do_epoll(event_fd);
}

/* Ends unless all of them are readable. */
static void all_readable(void)
{
	static struct epoll_event events[POLLED];
	const int count = check("epoll_wait", epoll_wait(epoll_fd, events, POLLED, 0));

	if (count != POLLED)
		errx(1, "%d of %d descriptors are readable", count, POLLED);
}

static void close_all(void)
{
	int i;

	for (i = 0; i < POLLED; i++)
		close(fds[i]);
	close(epoll_fd);
}

static void open_epoll(void)
{
	epoll_fd = check("epoll_create1", epoll_create1(EPOLL_CLOEXEC));
}

static uint64_t cancel_polled(void)
{
	const int top = derive(root, false);
	uint64_t start, end;
	int i;

	open_epoll();
	for (i = 0; i < POLLED; i++) {
		fds[i] = derive(top, false);
		watch(fds[i]);
	}
	start = now();
	cancel(top);
	end = now();
	all_readable();
	close_all();
	close(top);
	return end - start;
}

static uint64_t write_polled(void)
{
	const uint64_t one = 1;
	uint64_t start, end;
	int i;

	open_epoll();
	for (i = 0; i < POLLED; i++) {
		fds[i] = check("eventfd", eventfd(0, EFD_CLOEXEC));
		watch(fds[i]);
	}
	start = now();
	for (i = 0; i < POLLED; i++)
		check("write", write(fds[i], &one, sizeof(one)));
	end = now();
	all_readable();
	close_all();
	return end - start;
}

static void measure_polled(const char *name, uint64_t (*round)(void))
{
	uint64_t samples[ROUNDS];
	int i;

	for (i = 0; i < ROUNDS; i++)
		samples[i] = round();
	report(name, samples, ROUNDS, POLLED);
}

int main(void)
{
	const struct rlimit files = { .rlim_cur = POLLED + 100, .rlim_max = POLLED + 100 };

	check("setrlimit", setrlimit(RLIMIT_NOFILE, &files));
	root = check("/dev/ctx", open("/dev/ctx", O_RDWR | O_CLOEXEC));
	parent = derive(root, false);
	event_fd = check("eventfd", eventfd(0, EFD_CLOEXEC));

	measure("user.syscall", do_nothing);
	measure("user.derive", do_derive);
	measure("user.timeout", do_timeout);
	measure("user.cancel", do_cancel);
	measure("user.info", do_info);
	measure("user.poll", do_poll_ctx);
	measure("eventfd.poll", do_poll_event);
	measure("eventfd.close", do_eventfd);
	measure("timerfd.close", do_timerfd);
	measure("pidfd.close", do_pidfd);
	open_epoll();
	measure("user.epoll", do_epoll_ctx);
	measure("eventfd.epoll", do_epoll_event);
	close(epoll_fd);
	measure_polled("user.cancel_polled", cancel_polled);
	measure_polled("eventfd.write_polled", write_polled);
	return 0;
}
