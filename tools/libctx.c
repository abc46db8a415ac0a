// SPDX-License-Identifier: GPL-2.0
/* Contexts as file descriptors; libctx.h says what each function promises. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include "libctx.h"

/* The number in @text, or -1. */
static int parse_fd(const char *text)
{
	char *end;
	long fd;

	if (*text < '0' || *text > '9')
		return -1;
	errno = 0;
	fd = strtol(text, &end, 10);
	return errno || *end || fd > INT_MAX ? -1 : (int)fd;
}

int ctx_env_fd(void)
{
	/* Who may not signal a set-user-ID program shall not end its work, either. */
	const char *text = secure_getenv("CTX_FD");
	struct ctx_ioc_info info;
	int fd;

	if (!text) {
		errno = ENOENT;
		return -1;
	}
	fd = parse_fd(text);
	if (fd < 0) {
		errno = EINVAL;
		return -1;
	}
	/* EPERM also comes from a context: one that may not be observed. */
	if (ctx_info(fd, &info) && errno != EPERM)
		return -1;
	return fd;
}

int ctx_background(void)
{
	return open("/dev/ctx", O_RDWR | O_CLOEXEC);
}

static bool is_background(int ctx)
{
	struct ctx_ioc_info info;

	return !ctx_info(ctx, &info) && !info.depth;
}

/* An old module, or a kernel without cgroups: then everything runs under Background. */
static bool is_unknown(int err)
{
	return err == EINVAL || err == ENOTTY || err == EOPNOTSUPP;
}

int ctx_ambient(void)
{
	struct ctx_ioc_open arg = { .size = sizeof(arg), .flags = CTX_OPEN_AMBIENT };
	int background = ctx_background();
	int fd, err;

	if (background < 0)
		return -1;
	fd = ioctl(background, CTX_IOC_OPEN, &arg);
	/* Of Background, who opens it himself may do more, such as pass values on. */
	if (fd < 0 ? is_unknown(errno) : is_background(fd)) {
		if (fd >= 0)
			close(fd);
		return background;
	}
	err = errno;
	close(background);
	errno = err;
	return fd;
}

int ctx_from_env(void)
{
	int fd = ctx_env_fd();

	return fd < 0 ? ctx_ambient() : fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

int ctx_derive(int parent, unsigned int flags, int clock, int64_t time, int cause)
{
	struct ctx_ioc_derive arg = {
		.size = sizeof(arg),
		.flags = flags,
		.time = time < 0 ? 0 : time,
		.clock = clock,
		.cause = cause,
	};

	return ioctl(parent, CTX_IOC_DERIVE, &arg);
}

int ctx_with_cancel(int parent)
{
	return ctx_derive(parent, 0, 0, 0, 0);
}

int ctx_with_timeout(int parent, int64_t timeout)
{
	return ctx_with_timeout_cause(parent, timeout, 0);
}

int ctx_with_timeout_cause(int parent, int64_t timeout, int cause)
{
	return ctx_derive(parent, CTX_DERIVE_TIMEOUT, CLOCK_MONOTONIC, timeout, cause);
}

int ctx_with_deadline(int parent, int clock, int64_t deadline)
{
	return ctx_with_deadline_cause(parent, clock, deadline, 0);
}

int ctx_with_deadline_cause(int parent, int clock, int64_t deadline, int cause)
{
	return ctx_derive(parent, CTX_DERIVE_DEADLINE, clock, deadline, cause);
}

int ctx_without_cancel(int parent)
{
	return ctx_derive(parent, CTX_DERIVE_WITHOUT_CANCEL, 0, 0, 0);
}

int ctx_with_value(int parent, const void *key, size_t key_len, const void *value, size_t len)
{
	struct ctx_ioc_value arg = {
		.size = sizeof(arg),
		.key = (uintptr_t)key,
		.value = (uintptr_t)value,
		.key_len = key_len,
		.value_len = len,
	};

	if (key_len > CTX_KEY_MAX || len > CTX_VALUE_MAX) {
		errno = EINVAL;
		return -1;
	}
	return ioctl(parent, CTX_IOC_WITH_VALUE, &arg);
}

int ctx_value(int ctx, const void *key, size_t key_len, void *value, size_t *len)
{
	struct ctx_ioc_value arg = {
		.size = sizeof(arg),
		.key = (uintptr_t)key,
		.value = (uintptr_t)value,
		.key_len = key_len,
		.value_len = *len < CTX_VALUE_MAX ? *len : CTX_VALUE_MAX,
	};
	int err;

	if (key_len > CTX_KEY_MAX) {
		errno = EINVAL;
		return -1;
	}
	err = ioctl(ctx, CTX_IOC_VALUE, &arg);
	if (!err || errno == ENOSPC)
		*len = arg.value_len;
	return err;
}

int ctx_cancel(int ctx, int cause)
{
	struct ctx_ioc_cancel arg = { .size = sizeof(arg), .cause = cause };

	return ioctl(ctx, CTX_IOC_CANCEL, &arg);
}

int ctx_info(int ctx, struct ctx_ioc_info *info)
{
	memset(info, 0, sizeof(*info));
	info->size = sizeof(*info);
	return ioctl(ctx, CTX_IOC_INFO, info);
}

int ctx_err(int ctx)
{
	struct ctx_ioc_info info;

	return ctx_info(ctx, &info) ? -1 : (int)info.err;
}

int ctx_cause(int ctx)
{
	struct ctx_ioc_info info;

	return ctx_info(ctx, &info) ? -1 : (int)info.cause;
}

int ctx_deadline(int ctx, int64_t *deadline)
{
	struct ctx_ioc_info info;

	if (ctx_info(ctx, &info))
		return -1;
	if (!(info.info_flags & CTX_INFO_DEADLINE))
		return 0;
	*deadline = info.deadline;
	return 1;
}

/* Polls until @ctx is done: 1, or 0 after @timeout. */
static int poll_done(int ctx, int64_t timeout)
{
	struct pollfd fd = { .fd = ctx, .events = POLLIN };
	struct timespec time = { 0 };

	if (timeout > 0) {
		time.tv_sec = timeout / CTX_SEC;
		time.tv_nsec = timeout % CTX_SEC;
	}
	return ppoll(&fd, 1, timeout == CTX_FOREVER ? NULL : &time, NULL);
}

int ctx_wait(int ctx, int64_t timeout, struct ctx_event *event)
{
	struct ctx_ioc_info info;
	struct ctx_event local;
	int done;

	/* Something else may be readable without being a context that is done. */
	if (ctx_info(ctx, &info))
		return -1;
	done = poll_done(ctx, timeout);
	if (done <= 0)
		return done;
	if (!event)
		event = &local;
	return read(ctx, event, sizeof(*event)) < 0 ? -1 : (int)event->err;
}

int ctx_restrict(int ctx, unsigned int rights)
{
	struct ctx_ioc_restrict arg = { .size = sizeof(arg), .rights = rights };

	return ioctl(ctx, CTX_IOC_RESTRICT, &arg);
}

int ctx_link(int ctx, int other)
{
	struct ctx_ioc_link arg = { .size = sizeof(arg), .fd = other };

	return ioctl(ctx, CTX_IOC_LINK, &arg);
}

int ctx_watch(int ctx, int fd, unsigned int events, int cause)
{
	struct ctx_ioc_watch arg = {
		.size = sizeof(arg),
		.fd = fd,
		.events = events,
		.cause = cause,
	};

	return ioctl(ctx, CTX_IOC_WATCH, &arg);
}

int ctx_on_done(int ctx, int fd, const void *data, size_t len)
{
	struct ctx_ioc_on_done arg = {
		.size = sizeof(arg),
		.data = (uintptr_t)data,
		.len = len,
		.fd = fd,
	};

	if (len > CTX_ON_DONE_MAX) {
		errno = EINVAL;
		return -1;
	}
	return ioctl(ctx, CTX_IOC_ON_DONE, &arg);
}

int ctx_open(int any, uint64_t id, unsigned int rights)
{
	struct ctx_ioc_open arg = { .size = sizeof(arg), .id = id, .rights = rights };

	return ioctl(any, CTX_IOC_OPEN, &arg);
}

int ctx_next(int any, uint64_t *id)
{
	struct ctx_ioc_next arg = { .size = sizeof(arg), .id = *id };
	int err = ioctl(any, CTX_IOC_NEXT, &arg);

	if (!err)
		*id = arg.id;
	return err;
}

int ctx_bind(int ctx, int procs)
{
	struct ctx_ioc_bind arg = { .size = sizeof(arg), .fd = procs };

	return ioctl(ctx, CTX_IOC_BIND, &arg);
}
