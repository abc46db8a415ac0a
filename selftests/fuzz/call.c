// SPDX-License-Identifier: GPL-2.0
/*
 * What is done with files, contexts above all: waiting, reading, passing on, closing.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <linux/ctx.h>

#include "fuzz.h"
#include "ops.h"

static int any_fd(uint8_t kind, uint8_t which)
{
	return fuzz_fd(kind % FUZZ_KINDS, which);
}

void op_close(const uint8_t *arg)
{
	fuzz_close(any_fd(arg[0], arg[1]));
}

void op_dup(const uint8_t *arg)
{
	const enum fuzz_kind kind = arg[0] % FUZZ_KINDS;

	fuzz_add(kind, dup(fuzz_fd(kind, arg[1])));
}

/* It says the same as INFO, if @fd is a context at all. */
static void check_event(int fd, const struct ctx_event *event)
{
	struct ctx_ioc_info info = { .size = sizeof(info) };

	if (ioctl(fd, CTX_IOC_INFO, &info))
		return;
	if (event->id != info.id || event->err != info.err || event->cause != info.cause ||
	    event->time != info.done_time || !event->cause || event->cause > CTX_CAUSE_MAX)
		fuzz_violation("read: context %llu, err %u, cause %u",
			       (unsigned long long)event->id, event->err, event->cause);
}

/* @arg: kind, which, how, how much, where to */
void op_read(const uint8_t *arg)
{
	static const size_t sizes[] = { sizeof(struct ctx_event), 0, 1, 55, 57, 4096 };
	static const char room[4096];
	const int fd = any_fd(arg[0], arg[1]);
	const size_t size = sizes[arg[3] % 6];
	struct iovec iov[2];

	iov[0].iov_base = fuzz_put(FUZZ_PLACE_VALUE, room, size, arg[4]);
	iov[0].iov_len = arg[2] & 4 ? size / 2 : size;
	iov[1].iov_base = (char *)iov[0].iov_base + iov[0].iov_len;
	iov[1].iov_len = size - iov[0].iov_len;
	if (preadv2(fd, iov, 2, -1, arg[2] & 1 ? RWF_NOWAIT : 0) == sizeof(struct ctx_event) &&
	    fuzz_is_plain(arg[4]) && !fuzz_had_helpers())
		check_event(fd, iov[0].iov_base);
}

void op_write(const uint8_t *arg)
{
	static const char room[4096];
	const int fd = any_fd(arg[0], arg[1]);

	if (write(fd, arg[3] & 1 ? "\1\0\0\0\0\0\0" : room, arg[2] ? arg[2] * 16 : 8) < 0)
		return;
}

static const uint16_t poll_masks[] = { POLLIN, 0, POLLIN | POLLRDNORM, POLLOUT, 0x7fff, POLLHUP };

/* @arg: two by kind and which, the events, and 0 for no waiting */
void op_poll(const uint8_t *arg)
{
	struct pollfd fds[] = {
		{ .fd = fuzz_fd(FUZZ_CTX, arg[0]), .events = poll_masks[arg[3] % 6] },
		{ .fd = any_fd(arg[1], arg[2]), .events = poll_masks[arg[3] / 6 % 6] },
	};

	poll(fds, 2, arg[4] & 1);
}

/* @arg: the set, what by kind and which, the operation, the events */
void op_watch_epoll(const uint8_t *arg)
{
	static const int ops[] = { EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_DEL };
	static const uint32_t events[] = {
		EPOLLIN, EPOLLIN | EPOLLET, EPOLLIN | EPOLLONESHOT, EPOLLIN | EPOLLEXCLUSIVE, 0,
	};
	struct epoll_event event = { .events = events[arg[4] % 5] };

	epoll_ctl(fuzz_fd(FUZZ_EPOLL, arg[0]), ops[arg[3] % 3], any_fd(arg[1], arg[2]), &event);
}

void op_wait_epoll(const uint8_t *arg)
{
	struct epoll_event events[4];

	epoll_wait(fuzz_fd(FUZZ_EPOLL, arg[0]), events, 4, arg[1] & 1);
}

void op_flags(const uint8_t *arg)
{
	static const int flags[] = { O_NONBLOCK, 0, O_ASYNC, O_ASYNC | O_NONBLOCK, O_DIRECT };

	fcntl(any_fd(arg[0], arg[1]), F_SETFL, flags[arg[2] % 5]);
}

/* Who is told, by which signal, and that he is; of signals that do nothing to us. */
void op_async(const uint8_t *arg)
{
	const int signals[] = { 0, SIGIO, SIGUSR1, SIGRTMIN + 1, SIGURG };
	const int fd = fuzz_fd(FUZZ_CTX, arg[0]);
	struct f_owner_ex owner = { .type = F_OWNER_PID };

	owner.pid = arg[1] % 5 < FUZZ_HELPERS ? fuzz_helper(arg[1] % 5) : getpid();
	if (owner.pid <= 0)
		owner.pid = getpid();
	if (arg[1] & 0x80)
		owner.type = F_OWNER_TID;
	fcntl(fd, F_SETOWN_EX, &owner);
	fcntl(fd, F_SETSIG, signals[arg[2] % 5]);
	fcntl(fd, F_SETFL, arg[3] & 1 ? 0 : O_ASYNC);
}

void op_send_fd(const uint8_t *arg)
{
	char control[CMSG_SPACE(sizeof(int))] = {};
	struct iovec iov = { .iov_base = "!", .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	const int sock = fuzz_fd(FUZZ_UNIX, arg[0]), fd = any_fd(arg[1], arg[2]);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	sendmsg(sock, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
}

void op_recv_fd(const uint8_t *arg)
{
	char control[CMSG_SPACE(sizeof(int))], byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg;
	int fd;

	if (recvmsg(fuzz_fd(FUZZ_UNIX, arg[0]), &msg, MSG_DONTWAIT) < 0)
		return;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (!cmsg || cmsg->cmsg_type != SCM_RIGHTS)
		return;
	memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
	fuzz_add(arg[1] % FUZZ_KINDS, fd);
}

static void read_all(const char *path, unsigned int pieces)
{
	char room[1024];
	const int fd = open(path, O_RDONLY | O_CLOEXEC);

	while (fd >= 0 && pieces-- && read(fd, room, sizeof(room)) > 0)
		;
	if (fd >= 0)
		close(fd);
}

void op_fdinfo(const uint8_t *arg)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fuzz_fd(FUZZ_CTX, arg[0]));
	read_all(path, 16);
}

/* What root sees of all contexts. */
void op_debugfs(const uint8_t *arg)
{
	static const char * const files[] = {
		"/sys/kernel/debug/ctx/tree", "/sys/kernel/debug/ctx/counters",
		"/sys/kernel/debug/ctx/derived",
	};
	const uid_t uid = geteuid();

	if (seteuid(0))
		return;
	read_all(files[arg[0] % 3], 1 + (arg[1] & 7));
	if (seteuid(uid))
		fuzz_violation("seteuid: %m");
}

void op_nap(const uint8_t *arg)
{
	const struct timespec time = { .tv_nsec = arg[0] * 10000 };

	nanosleep(&time, NULL);
}

const struct fuzz_op fuzz_calls[] = {
	{ "open", 1, op_open },
	{ "eventfd", 2, op_eventfd },
	{ "pipe", 1, op_pipe },
	{ "fifo", 2, op_fifo },
	{ "socket", 1, op_socket },
	{ "unix", 1, op_unix },
	{ "timerfd", 3, op_timerfd },
	{ "pidfd", 1, op_pidfd },
	{ "epoll", 1, op_epoll },
	{ "uring", 0, op_uring },
	{ "cgroup", 3, op_cgroup },
	{ "other", 1, op_other },
	{ "close", 2, op_close },
	{ "dup", 2, op_dup },
	{ "read", 5, op_read, .waits = true },
	{ "write", 4, op_write, .waits = true },
	{ "poll", 5, op_poll },
	{ "watch_epoll", 5, op_watch_epoll },
	{ "wait_epoll", 2, op_wait_epoll },
	{ "flags", 3, op_flags },
	{ "async", 4, op_async },
	{ "send_fd", 3, op_send_fd },
	{ "recv_fd", 2, op_recv_fd },
	{ "fdinfo", 1, op_fdinfo },
	{ "debugfs", 2, op_debugfs, .spared = true },
	{ "nap", 1, op_nap },
	{ "submit", 4, op_submit, .waits = true },
	{ "reap", 2, op_reap, .waits = true },
	{ "fork", 2, op_fork, .spared = true },
	{ "kill", 2, op_kill },
	{ "become", 1, op_become, .spared = true },
	{ "name", 1, op_name },
	{ "limit", 1, op_limit },
	{ "fail", 1, op_fail },
	{ "scribble", 1, op_scribble },
	{ "join", 1, op_join },
	{ "remove", 1, op_remove, .spared = true },
};

const int fuzz_nr_calls = FUZZ_NR(fuzz_calls);
