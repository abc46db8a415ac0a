// SPDX-License-Identifier: GPL-2.0
/*
 * Files of all kinds that a context may be given, or must refuse.
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"
#include "ops.h"

void op_open(const uint8_t *arg)
{
	static const int modes[] = {
		O_RDWR, O_RDONLY, O_WRONLY, O_RDWR | O_NONBLOCK, O_PATH, O_RDWR | O_DIRECT,
	};

	fuzz_add(FUZZ_CTX, open("/dev/ctx", modes[arg[0] % 6] | O_CLOEXEC));
}

void op_eventfd(const uint8_t *arg)
{
	const uint64_t full = UINT64_MAX - 1;
	const int fd = eventfd(arg[0] & 0x80 ? 0 : arg[0] & 3, (arg[1] & 1 ? 0 : EFD_NONBLOCK) |
			       (arg[1] & 2 ? EFD_SEMAPHORE : 0));

	if (arg[0] & 0x80 && fd >= 0 && write(fd, &full, sizeof(full)) < 0)
		return (void)close(fd);
	fuzz_add(FUZZ_EVENTFD, fd);
}

/* Until there is no room. */
static void fill(int fd)
{
	static const char bytes[4096];
	const int flags = fcntl(fd, F_GETFL);

	fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	while (write(fd, bytes, sizeof(bytes)) > 0)
		;
	fcntl(fd, F_SETFL, flags);
}

void op_pipe(const uint8_t *arg)
{
	int fds[2];

	if (pipe2(fds, (arg[0] & 1 ? 0 : O_NONBLOCK) | (arg[0] & 2 ? O_DIRECT : 0)))
		return;
	if (arg[0] & 4)
		fcntl(fds[1], F_SETPIPE_SZ, 4096);
	if (arg[0] & 8)
		fill(fds[1]);
	fuzz_add(FUZZ_PIPE_READ, fds[0]);
	fuzz_add(FUZZ_PIPE_WRITE, fds[1]);
}

/* One of two FIFOs, which all programs of this fuzzer share. */
void op_fifo(const uint8_t *arg)
{
	static const int modes[] = { O_RDWR, O_RDONLY | O_NONBLOCK, O_WRONLY | O_NONBLOCK };
	const int mode = modes[arg[0] % 3];
	char path[64];

	snprintf(path, sizeof(path), "/tmp/fuzz-fifo.%u.%u", fuzz_number, arg[1] & 1);
	if (mkfifo(path, 0666) == 0)
		chmod(path, 0666);
	fuzz_add(mode & O_WRONLY ? FUZZ_PIPE_WRITE : FUZZ_PIPE_READ,
		 open(path, mode | O_CLOEXEC));
}

static int loopback(int family, int type, struct sockaddr_storage *to, socklen_t *len)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	const bool old = family == AF_INET;
	const int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(fd, old ? (void *)&in : (void *)&in6, old ? sizeof(in) : sizeof(in6)) == 0) {
		*len = sizeof(*to);
		getsockname(fd, (void *)to, len);
	}
	return fd;
}

/* Two that are connected, by UDP or by TCP. */
static void socket_pair(int family, int type)
{
	struct sockaddr_storage to = {};
	socklen_t len = 0;
	const int fd = loopback(family, type, &to, &len);
	const int other = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (type == SOCK_STREAM)
		listen(fd, 1);
	fuzz_add(FUZZ_SOCKET, other);
	if (connect(other, (void *)&to, len) == 0 || type == SOCK_STREAM) {
		if (type == SOCK_STREAM)
			fuzz_add(FUZZ_SOCKET, accept(fd, NULL, NULL));
	}
	fuzz_add(FUZZ_SOCKET, fd);
}

void op_socket(const uint8_t *arg)
{
	switch (arg[0] % 7) {
	case 0:
		return socket_pair(AF_INET, SOCK_DGRAM);
	case 1:
		return socket_pair(AF_INET, SOCK_STREAM);
	case 2:
		return socket_pair(AF_INET6, SOCK_DGRAM);
	case 3:
		return socket_pair(AF_INET6, SOCK_STREAM);
	case 4:
		return (void)fuzz_add(FUZZ_SOCKET, socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
	case 5:
		return (void)fuzz_add(FUZZ_SOCKET, socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
	default:
		return (void)fuzz_add(FUZZ_SOCKET, socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, 0));
	}
}

void op_unix(const uint8_t *arg)
{
	int fds[2];

	if (socketpair(AF_UNIX, (arg[0] & 1 ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK, 0, fds))
		return;
	fuzz_add(FUZZ_UNIX, fds[0]);
	fuzz_add(FUZZ_UNIX, fds[1]);
}

void op_timerfd(const uint8_t *arg)
{
	static const clockid_t clocks[] = { CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME };
	const struct itimerspec spec = {
		.it_value.tv_nsec = arg[1] * 20000,
		.it_interval.tv_nsec = arg[2] & 1 ? 500000 : 0,
	};
	const int fd = timerfd_create(clocks[arg[0] % 3], TFD_NONBLOCK | TFD_CLOEXEC);

	timerfd_settime(fd, 0, &spec, NULL);
	fuzz_add(FUZZ_TIMERFD, fd);
}

/* Of a helper, or of the executor. */
void op_pidfd(const uint8_t *arg)
{
	const pid_t pid = arg[0] ? fuzz_helper(arg[0] - 1) : getpid();

	fuzz_add(FUZZ_PIDFD, pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1);
}

void op_epoll(const uint8_t *arg)
{
	fuzz_add(FUZZ_EPOLL, epoll_create1(arg[0] & 1 ? EPOLL_CLOEXEC : 0));
}

void op_uring(const uint8_t *arg)
{
	(void)arg;
	fuzz_add(FUZZ_URING, fuzz_ring_open());
}

void op_cgroup(const uint8_t *arg)
{
	static const char * const files[] = { "cgroup.procs", "cgroup.kill", "cgroup.events",
					      "cgroup.threads" };
	static const enum fuzz_kind kinds[] = { FUZZ_PROCS, FUZZ_KILL, FUZZ_OTHER, FUZZ_OTHER };
	static const int modes[] = { O_WRONLY, O_RDWR, O_RDONLY, O_PATH };
	char path[128];

	unsigned int group = arg[0];

	/* That of the executor is not killed. */
	if (group % FUZZ_CGROUPS == 0 && arg[1] % 4 == 1)
		group = 1;
	snprintf(path, sizeof(path), "%s/%s", fuzz_cgroup(group), files[arg[1] % 4]);
	fuzz_add(kinds[arg[1] % 4], open(path, modes[arg[2] % 4] | O_CLOEXEC));
}

static int open_other(uint8_t which)
{
	sigset_t signals;

	switch (which % 9) {
	case 0:
		return memfd_create("other", MFD_CLOEXEC);
	case 1:
		return open("/dev/null", O_RDWR);
	case 2:
		return open("/proc/self/status", O_RDONLY);
	case 3:
		return inotify_init1(IN_NONBLOCK);
	case 4:
		sigemptyset(&signals);
		sigaddset(&signals, SIGUSR2);
		return signalfd(-1, &signals, SFD_NONBLOCK);
	case 5:
		return open("/tmp", O_DIRECTORY);
	case 6:
		return open("/tmp", O_PATH);
	case 7:
		return open("/dev/zero", O_RDWR);
	default:
		return open("/proc/self/mounts", O_RDONLY);
	}
}

void op_other(const uint8_t *arg)
{
	fuzz_add(FUZZ_OTHER, open_other(arg[0]));
}

/* One of @kind, as most are. */
void fuzz_make(enum fuzz_kind kind)
{
	static const uint8_t zero[FUZZ_ARGS_MAX], kill[] = { 1, 1, 0 }, procs[] = { 1, 0, 0 };
	static const struct {
		void (*make)(const uint8_t *arg);
		const uint8_t *arg;
	} makers[FUZZ_KINDS] = {
		[FUZZ_CTX] = { op_open, zero },
		[FUZZ_EVENTFD] = { op_eventfd, zero },
		[FUZZ_PIPE_READ] = { op_pipe, zero },
		[FUZZ_PIPE_WRITE] = { op_pipe, zero },
		[FUZZ_SOCKET] = { op_socket, zero },
		[FUZZ_UNIX] = { op_unix, zero },
		[FUZZ_TIMERFD] = { op_timerfd, zero },
		[FUZZ_PIDFD] = { op_pidfd, zero },
		[FUZZ_EPOLL] = { op_epoll, zero },
		[FUZZ_URING] = { op_uring, zero },
		[FUZZ_PROCS] = { op_cgroup, procs },
		[FUZZ_KILL] = { op_cgroup, kill },
		[FUZZ_OTHER] = { op_other, zero },
	};

	makers[kind].make(makers[kind].arg);
}
