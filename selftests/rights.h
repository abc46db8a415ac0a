/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a descriptor allows: all requests that need a right, tried on it.
 */
#ifndef CTX_RIGHTS_H
#define CTX_RIGHTS_H

#include "ctx_test.h"

#define RIGHTS	16	/* sets of them */

static inline __u32 rights_of(int fd)
{
	struct ctx_ioc_info info;

	return ctx_info(fd, &info) ? ~0U : info.rights;
}

/*
 * What each right is for. Nothing comes of it: where it is allowed something else is
 * wrong, but that is looked at later.
 */

static inline bool allows_cancel(int fd, bool allowed)
{
	return must(ctx_cancel(fd, CTX_CAUSE_MAX + 1) == (allowed ? -EINVAL : -EPERM)) &&
	       must(ctx_link(fd, -1) == (allowed ? -EBADF : -EPERM)) &&
	       must(ctx_watch(fd, -1, 0, 0) == (allowed ? -EBADF : -EPERM));
}

static inline bool allows_derive(int fd, bool allowed)
{
	int child = ctx_derive(fd, 0), value = ctx_set(fd, "l", "w");
	bool so = must(allowed ? child >= 0 : child == -EPERM) &&
		  must(allowed ? value >= 0 : value == -EPERM) &&
		  must(ctx_bind(fd, -1) == (allowed ? -EBADF : -EPERM));

	if (child >= 0)
		close(child);
	if (value >= 0)
		close(value);
	return so;
}

static inline bool allows_value(int fd, bool allowed)
{
	__u32 len = 1;
	char byte;

	return must(ctx_value(fd, "k", 1, &byte, &len) == (allowed ? 0 : -EPERM));
}

static inline bool allows_to_wait(int fd, bool allowed)
{
	struct ctx_event event;

	return must(poll_events(fd, POLLIN, 0) == (allowed ? 0 : POLLERR)) &&
	       must(fcntl(fd, F_SETFL, O_NONBLOCK) == 0) &&
	       must(read(fd, &event, sizeof(event)) == -1) &&
	       must(errno == (allowed ? EAGAIN : EPERM)) &&
	       must(fcntl(fd, F_SETFL, O_ASYNC) == (allowed ? 0 : -1)) &&
	       must(allowed || errno == EPERM) &&
	       must(fcntl(fd, F_SETFL, 0) == 0);
}

static inline bool allows_observe(int fd, bool allowed)
{
	int bg = ctx_open(), other = ctx_derive(bg, 0);
	struct ctx_ioc_info info;
	bool so = must(ctx_info(fd, &info) == (allowed ? 0 : -EPERM)) &&
		  must(ctx_on_done(fd, -1, NULL, 0) == (allowed ? -EBADF : -EPERM)) &&
		  must(ctx_link(other, fd) == (allowed ? 0 : -EPERM)) &&
		  must(ctx_watch(other, fd, 0, 0) == (allowed ? 0 : -EPERM)) &&
		  allows_to_wait(fd, allowed);

	close(other);
	close(bg);
	return so;
}

/* What @fd says to everything that needs a right. */
static inline bool allows(int fd, __u32 rights)
{
	const bool observe = rights & CTX_RIGHT_OBSERVE;
	__u32 more;

	for (more = 0; more < RIGHTS; more++)
		if (more & ~rights && !must(ctx_restrict(fd, more) == -EPERM))
			return false;
	return allows_cancel(fd, rights & CTX_RIGHT_CANCEL) &&
	       allows_derive(fd, rights & CTX_RIGHT_DERIVE) &&
	       allows_value(fd, rights & CTX_RIGHT_VALUE) &&
	       allows_observe(fd, observe) &&
	       must(!observe || rights_of(fd) == rights);
}

#endif /* CTX_RIGHTS_H */
