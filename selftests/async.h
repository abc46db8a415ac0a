/* SPDX-License-Identifier: GPL-2.0 */
/*
 * O_ASYNC: asking for a signal when a context is done, and taking it.
 */
#ifndef CTX_ASYNC_H
#define CTX_ASYNC_H

#include "ctx_test.h"

#define SIGDONE	SIGRTMIN

static inline sigset_t async_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	sigaddset(&set, SIGDONE);
	return set;
}

/* They stay pending until they are taken; children inherit that. */
static inline bool hold_async_signals(void)
{
	const sigset_t set = async_signals();

	return must(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
}

static inline int set_async(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL);

	flags = on ? flags | O_ASYNC : flags & ~O_ASYNC;
	return fcntl(fd, F_SETFL, flags) ? -errno : 0;
}

/* With a signal that can be queued, so that two are not taken for one. */
static inline bool ask(int fd, pid_t owner)
{
	return must(fcntl(fd, F_SETOWN, owner) == 0) && must(fcntl(fd, F_SETSIG, SIGDONE) == 0) &&
	       must(set_async(fd, true) == 0);
}

/* Takes a pending signal, or gives 0. */
static inline int signalled(siginfo_t *info)
{
	static const struct timespec now;
	const sigset_t set = async_signals();
	siginfo_t unused;
	int sig = sigtimedwait(&set, info ?: &unused, &now);

	return sig < 0 ? 0 : sig;
}

/* Waits for one. */
static inline int wait_signal(siginfo_t *info)
{
	const sigset_t set = async_signals();

	return sigwaitinfo(&set, info);
}

#endif /* CTX_ASYNC_H */
