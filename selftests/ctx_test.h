/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the selftests of /dev/ctx share.
 *
 * The wrappers give what the request returned, or the negative errno, so that a
 * test reads like a sentence: EXPECT_EQ(-EPERM, ctx_cancel(fd, 0)).
 */
#ifndef CTX_TEST_H
#define CTX_TEST_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
#include "kselftest_harness.h"
#pragma GCC diagnostic pop

/* The harness compares whatever types it is given. */
#pragma GCC diagnostic ignored "-Wsign-compare"

/* Only breaks hangs: a sanitizer kernel in emulation is slow. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	600

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>

#include <linux/ctx.h>

#define CTX_DEV			"/dev/ctx"
#define CTX_PARAMETERS		"/sys/module/ctx/parameters/"
#define REFCNT			"/sys/module/ctx/refcnt"

#define NSEC_PER_SEC		1000000000ULL
#define NEVER			((__u64)INT64_MAX)
#define AN_HOUR			(3600 * NSEC_PER_SEC)

#define RIGHTS_UNCANCELABLE	(CTX_RIGHT_DERIVE | CTX_RIGHT_VALUE | CTX_RIGHT_OBSERVE)
#define RIGHTS_ALL		(CTX_RIGHT_CANCEL | RIGHTS_UNCANCELABLE)

#define FILL			0xa5

static inline void *to_ptr(__u64 address)
{
	return (void *)(uintptr_t)address;
}

static inline __u64 to_u64(const void *ptr)
{
	return (uintptr_t)ptr;
}

/* Requests */

static inline int ctx_open(void)
{
	int fd = open(CTX_DEV, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static inline int ctx_request(int fd, unsigned int cmd, void *arg)
{
	int ret = ioctl(fd, cmd, arg);

	return ret < 0 ? -errno : ret;
}

static inline int ctx_derive_time(int fd, __u32 flags, __u64 time, __u32 clock, __u32 cause)
{
	struct ctx_ioc_derive arg = {
		.size = sizeof(arg),
		.flags = flags,
		.time = time,
		.clock = clock,
		.cause = cause,
	};

	return ctx_request(fd, CTX_IOC_DERIVE, &arg);
}

static inline int ctx_derive(int fd, __u32 flags)
{
	return ctx_derive_time(fd, flags, 0, 0, 0);
}

static inline int ctx_deadline(int fd, __u64 time, __u32 cause)
{
	return ctx_derive_time(fd, CTX_DERIVE_DEADLINE, time, CLOCK_MONOTONIC, cause);
}

static inline int ctx_timeout(int fd, __u64 time, __u32 cause)
{
	return ctx_derive_time(fd, CTX_DERIVE_TIMEOUT, time, CLOCK_MONOTONIC, cause);
}

static inline int ctx_with_value(int fd, const void *key, __u32 key_len,
				 const void *value, __u32 value_len)
{
	struct ctx_ioc_value arg = {
		.size = sizeof(arg),
		.key = to_u64(key),
		.key_len = key_len,
		.value = to_u64(value),
		.value_len = value_len,
	};

	return ctx_request(fd, CTX_IOC_WITH_VALUE, &arg);
}

static inline int ctx_set(int fd, const char *key, const char *value)
{
	return ctx_with_value(fd, key, strlen(key), value, strlen(value));
}

/* @len: in, the room at @value; out, what the kernel left there. */
static inline int ctx_value(int fd, const void *key, __u32 key_len, void *value, __u32 *len)
{
	struct ctx_ioc_value arg = {
		.size = sizeof(arg),
		.key = to_u64(key),
		.key_len = key_len,
		.value = to_u64(value),
		.value_len = *len,
	};
	int ret = ctx_request(fd, CTX_IOC_VALUE, &arg);

	*len = arg.value_len;
	return ret;
}

/* The value as a string, "(none)", or "(error)". Valid until the next call. */
static inline const char *ctx_get(int fd, const char *key)
{
	static char value[CTX_VALUE_MAX + 1];
	__u32 len = CTX_VALUE_MAX;
	int ret;

	memset(value, FILL, sizeof(value));
	ret = ctx_value(fd, key, strlen(key), value, &len);
	if (ret == -ENOENT)
		return "(none)";
	if (ret || len > CTX_VALUE_MAX)
		return "(error)";
	value[len] = '\0';
	return value;
}

static inline int ctx_cancel(int fd, __u32 cause)
{
	struct ctx_ioc_cancel arg = { .size = sizeof(arg), .cause = cause };

	return ctx_request(fd, CTX_IOC_CANCEL, &arg);
}

static inline int ctx_restrict(int fd, __u32 rights)
{
	struct ctx_ioc_restrict arg = { .size = sizeof(arg), .rights = rights };

	return ctx_request(fd, CTX_IOC_RESTRICT, &arg);
}

/* @rights: 0 for all that may be had. */
static inline int ctx_open_id(int fd, __u64 id, __u32 rights)
{
	struct ctx_ioc_open arg = { .size = sizeof(arg), .id = id, .rights = rights };

	return ctx_request(fd, CTX_IOC_OPEN, &arg);
}

/* The next number above @id, or 0. */
static inline __u64 ctx_next(int fd, __u64 id)
{
	struct ctx_ioc_next arg = { .size = sizeof(arg), .id = id };
	int ret = ctx_request(fd, CTX_IOC_NEXT, &arg);

	return ret == -ENOENT ? 0 : ret ? ~0ULL : arg.id;
}

/* @events: 0 for POLLIN; @cause: 0 for ECANCELED. */
static inline int ctx_watch(int fd, int on, __u32 events, __u32 cause)
{
	struct ctx_ioc_watch arg = {
		.size = sizeof(arg),
		.fd = on,
		.events = events,
		.cause = cause,
	};

	return ctx_request(fd, CTX_IOC_WATCH, &arg);
}

static inline int ctx_on_done(int fd, int to, const void *data, __u32 len)
{
	struct ctx_ioc_on_done arg = {
		.size = sizeof(arg),
		.data = to_u64(data),
		.len = len,
		.fd = to,
	};

	return ctx_request(fd, CTX_IOC_ON_DONE, &arg);
}

static inline int ctx_bind(int fd, int procs)
{
	struct ctx_ioc_bind arg = { .size = sizeof(arg), .fd = procs };

	return ctx_request(fd, CTX_IOC_BIND, &arg);
}

/* What the caller runs under; asked on whatever descriptor. */
static inline int ctx_ambient(int fd, __u32 rights)
{
	struct ctx_ioc_open arg = {
		.size = sizeof(arg),
		.flags = CTX_OPEN_AMBIENT,
		.rights = rights,
	};

	return ctx_request(fd, CTX_IOC_OPEN, &arg);
}

static inline int ctx_link(int fd, int other)
{
	struct ctx_ioc_link arg = { .size = sizeof(arg), .fd = other };

	return ctx_request(fd, CTX_IOC_LINK, &arg);
}

static inline int ctx_info(int fd, struct ctx_ioc_info *info)
{
	memset(info, FILL, sizeof(*info));
	info->size = sizeof(*info);
	info->flags = 0;
	return ctx_request(fd, CTX_IOC_INFO, info);
}

static inline __u64 ctx_id(int fd)
{
	struct ctx_ioc_info info;

	return ctx_info(fd, &info) ? ~0ULL : info.id;
}

static inline int ctx_err(int fd)
{
	struct ctx_ioc_info info;
	int ret = ctx_info(fd, &info);

	return ret ? ret : (int)info.err;
}

static inline int ctx_cause(int fd)
{
	struct ctx_ioc_info info;
	int ret = ctx_info(fd, &info);

	return ret ? ret : (int)info.cause;
}

/* Polling: what is ready now, and waiting for it. */

static inline short poll_events(int fd, short events, int timeout)
{
	struct pollfd pfd = { .fd = fd, .events = events };
	int ret = poll(&pfd, 1, timeout);

	return ret < 0 ? -errno : pfd.revents;
}

static inline bool is_ready(int fd)
{
	return poll_events(fd, POLLIN, 0) == POLLIN;
}

static inline bool wait_ready(int fd)
{
	return poll_events(fd, POLLIN, -1) == POLLIN;
}

/* States: each says on stderr what is not as it should be. */

static inline bool is_zero(const void *ptr, size_t len)
{
	const unsigned char *byte = ptr;

	while (len--) {
		if (*byte++)
			return false;
	}
	return true;
}

/* A name that is terminated, and followed by nothing. */
static inline bool is_comm(const char *comm)
{
	size_t len = strnlen(comm, CTX_COMM_LEN);

	return len < CTX_COMM_LEN && is_zero(comm + len, CTX_COMM_LEN - len);
}

static inline bool must_be(bool condition, const char *text, const char *func)
{
	if (!condition)
		fprintf(stderr, "# %s: not so: %s\n", func, text);
	return condition;
}

#define must(condition)	must_be(condition, #condition, __func__)

static inline __u64 now_on(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

static inline __u64 now(void)
{
	return now_on(CLOCK_MONOTONIC);
}

static inline bool is_live(int fd)
{
	struct ctx_ioc_info info;

	return must(ctx_info(fd, &info) == 0) &&
	       must(!(info.info_flags & CTX_INFO_DONE)) &&
	       must(info.err == 0) &&
	       must(info.cause == 0) &&
	       must(info.origin_id == 0) &&
	       must(info.origin_pid == 0) &&
	       must(info.done_time == 0) &&
	       must(is_zero(info.origin_comm, sizeof(info.origin_comm))) &&
	       must(poll_events(fd, POLLIN | POLLOUT | POLLPRI, 0) == 0);
}

/* INFO, poll and read agree that it is done like this. */
static inline bool is_done(int fd, __u32 err, __u32 cause)
{
	struct ctx_ioc_info info;
	struct ctx_event event;

	if (!must(ctx_info(fd, &info) == 0) ||
	    !must(info.info_flags & CTX_INFO_DONE))
		return false;
	if (info.err != err || info.cause != cause)
		fprintf(stderr, "# %s: err %u cause %u, not err %u cause %u\n",
			__func__, info.err, info.cause, err, cause);
	if (!must(info.err == err) ||
	    !must(info.cause == cause) ||
	    !must(info.done_time > 0) ||
	    !must(info.done_time <= now()) ||
	    !must(is_comm(info.origin_comm)) ||
	    !must(info.origin_comm[0]))
		return false;

	if (!must(poll_events(fd, POLLIN | POLLOUT | POLLPRI, 0) == POLLIN))
		return false;

	memset(&event, FILL, sizeof(event));
	return must(read(fd, &event, sizeof(event)) == sizeof(event)) &&
	       must(event.id == info.id) &&
	       must(event.origin_id == info.origin_id) &&
	       must(event.time == info.done_time) &&
	       must(event.err == info.err) &&
	       must(event.cause == info.cause) &&
	       must(event.pid == info.origin_pid) &&
	       must(event.reserved == 0) &&
	       must(memcmp(event.comm, info.origin_comm, CTX_COMM_LEN) == 0);
}

static inline bool is_done_by(int fd, __u32 err, __u32 cause, __u64 origin_id,
			      pid_t pid, const char *comm)
{
	struct ctx_ioc_info info;

	if (!must(is_done(fd, err, cause)) ||
	    !must(ctx_info(fd, &info) == 0) ||
	    !must(info.origin_id == origin_id))
		return false;
	if (info.origin_pid != pid || strcmp(info.origin_comm, comm))
		fprintf(stderr, "# %s: by %u %s, not %d %s\n", __func__,
			info.origin_pid, info.origin_comm, pid, comm);
	return must(info.origin_pid == pid) &&
	       must(strcmp(info.origin_comm, comm) == 0);
}

/* Waits until every on-done was tried. Gives the error of the first that failed. */
static inline int written(int fd)
{
	struct ctx_ioc_info info;
	int ret;

	while (!(ret = ctx_info(fd, &info)) && !(info.info_flags & CTX_INFO_WRITTEN))
		sched_yield();
	return ret ?: (int)info.on_done_err;
}

/* Two contexts that the same cancellation reached. */
static inline bool same_end(int fd, int other)
{
	struct ctx_ioc_info a, b;

	return must(ctx_info(fd, &a) == 0) &&
	       must(ctx_info(other, &b) == 0) &&
	       must(a.info_flags & b.info_flags & CTX_INFO_DONE) &&
	       must(a.err == b.err) &&
	       must(a.cause == b.cause) &&
	       must(a.origin_id == b.origin_id) &&
	       must(a.origin_pid == b.origin_pid) &&
	       must(a.done_time == b.done_time) &&
	       must(memcmp(a.origin_comm, b.origin_comm, CTX_COMM_LEN) == 0);
}

static inline const char *my_comm(void)
{
	static __thread char comm[CTX_COMM_LEN];

	prctl(PR_GET_NAME, comm);
	return comm;
}

/* What TEST_F() calls self, as a parameter. */
#define fixture_self(name)	struct _test_data_##name *self

/* Processes */

/* fork(), with a child that does not outlive a test that failed. */
static inline pid_t spawn(void)
{
	pid_t pid = fork();

	if (!pid)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

/* How a child ends: with what its own expectations came to, in the harness's words. */
#ifdef FIXTURE_TEARDOWN_PARENT
#define child_exit()	_exit(_metadata->exit_code ? 1 : 0)
#else
#define child_exit()	_exit(_metadata->passed ? 0 : 1)
#endif

/* Its exit status, or 128 and the signal that killed it. */
static inline int reap(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

#define KILLED	(128 + SIGKILL)

static inline void become(uid_t uid)
{
	if (setresgid(uid, uid, uid) || setresuid(uid, uid, uid))
		_exit(99);
}

/* Waits until there is room for one more namespace. */
static inline bool unshare_at_last(int flags)
{
	int ret;

	while ((ret = unshare(flags)) && errno == ENOSPC)
		sched_yield();
	return must(!ret);
}

/* Waits until nobody has the other end of this pipe open. */
static inline bool wait_unread(int pipe)
{
	struct pollfd pfd = { .fd = pipe };

	return must(poll(&pfd, 1, -1) == 1) && must(pfd.revents == POLLERR);
}

/* Waits until a process is in one of these states of proc(5), or gone. */
static inline void wait_state(pid_t pid, const char *states)
{
	char path[64], stat[512], *state;
	ssize_t len;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	for (;;) {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		len = read(fd, stat, sizeof(stat) - 1);
		close(fd);
		if (len <= 0)
			return;
		stat[len] = '\0';
		state = strrchr(stat, ')');
		if (state && strchr(states, state[2]))
			return;
		sched_yield();
	}
}

/* Waits until a process sleeps; it must do so without anybody's help. */
static inline void wait_asleep(pid_t pid)
{
	wait_state(pid, "SZ");
}

/* One byte through a pipe or socket: how processes wait for each other. */
static inline bool tell(int fd)
{
	return write(fd, "!", 1) == 1;
}

static inline bool hear(int fd)
{
	char byte;

	return read(fd, &byte, 1) == 1;
}

static inline bool send_fds(int sock, const int *fds, int nr)
{
	char control[CMSG_SPACE(sizeof(int) * 16)] = {};
	struct iovec iov = { .iov_base = "!", .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = CMSG_SPACE(sizeof(int) * nr),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int) * nr);
	memcpy(CMSG_DATA(cmsg), fds, sizeof(int) * nr);
	return sendmsg(sock, &msg, 0) == 1;
}

static inline bool send_fd(int sock, int fd)
{
	return send_fds(sock, &fd, 1);
}

static inline int recv_fd(int sock)
{
	char control[CMSG_SPACE(sizeof(int))] = {};
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg;
	int fd;

	if (recvmsg(sock, &msg, MSG_CMSG_CLOEXEC) != 1)
		return -1;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (!cmsg || cmsg->cmsg_type != SCM_RIGHTS)
		return -1;
	memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
	return fd;
}

/* The number that the next descriptor gets: moves when one is leaked. */
static inline int next_fd(void)
{
	int fd = dup(STDERR_FILENO);

	close(fd);
	return fd;
}

static inline bool allow_files(rlim_t nr)
{
	struct rlimit limit = { .rlim_cur = nr, .rlim_max = nr };

	return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

/* Files of one line */

static inline bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	close(fd);
	return done;
}

/* Fills the user namespace that a process has made. */
static inline bool map_ids(pid_t pid, const char *map)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
	if (!must(write_file(path, map)))
		return false;
	snprintf(path, sizeof(path), "/proc/%d/gid_map", pid);
	return must(write_file(path, map));
}

static inline bool write_number(const char *path, long long number)
{
	char text[32];

	snprintf(text, sizeof(text), "%lld", number);
	return write_file(path, text);
}

static inline long long read_number(const char *path)
{
	char text[64] = {};
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len = read(fd, text, sizeof(text) - 1);

	close(fd);
	return len > 0 ? strtoll(text, NULL, 0) : -1;
}

/* Sockets */

/* What is sent through the first comes to the second. */
static inline bool make_datagrams(int from_to[2])
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(address);

	from_to[0] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	from_to[1] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return must(bind(from_to[1], (struct sockaddr *)&address, len) == 0) &&
	       must(getsockname(from_to[1], (struct sockaddr *)&address, &len) == 0) &&
	       must(connect(from_to[0], (struct sockaddr *)&address, len) == 0);
}

static inline bool set_linger(int sock, int seconds)
{
	const struct linger linger = { .l_onoff = 1, .l_linger = seconds };

	return must(setsockopt(sock, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) == 0);
}

static inline bool has_linger(int sock, int seconds)
{
	struct linger linger = {};
	socklen_t len = sizeof(linger);

	return must(getsockopt(sock, SOL_SOCKET, SO_LINGER, &linger, &len) == 0) &&
	       must(linger.l_onoff) && must(linger.l_linger == seconds);
}

/*
 * Waits until the module has no more users than it had: a file that may be held up is one,
 * from when it was passed in until it was let go.
 */
static inline void wait_users(long long users)
{
	while (read_number(REFCNT) > users)
		sched_yield();
}

#endif /* CTX_TEST_H */
