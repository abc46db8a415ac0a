/* SPDX-License-Identifier: GPL-2.0 */
/*
 * libctx: cancellation contexts for programs. A context is a file descriptor.
 *
 *	int parent = ctx_from_env();
 *	int ctx = ctx_with_timeout(parent, 500 * CTX_MSEC);
 *	struct pollfd fds[] = { { ctx, POLLIN }, { socket, POLLIN } };
 *
 *	poll(fds, 2, -1);
 *	if (ctx_err(ctx))
 *		... out of time, or cancelled from above ...
 *	close(ctx);
 *	close(parent);
 *
 * A function that makes a context returns its descriptor, which is
 * close-on-exec and the caller's to close(2). Every function returns -1 with
 * errno set if it failed; EBADF and ENOTTY say that the descriptor is no
 * context, EPERM that it lacks the right which the call needs, EFAULT that a
 * pointer does not point to memory; EMFILE, ENFILE and ENOMEM are as usual.
 * Errors and causes are plain errno numbers, above zero. Times are nanoseconds.
 *
 * Closing the last descriptor that holds the right to cancel cancels the
 * context: who crashes cancels what he started. So hand children a descriptor
 * without that right, such as one from ctx_with_value().
 *
 * All functions may be called from any thread.
 */
#ifndef LIBCTX_H
#define LIBCTX_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <linux/ctx.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CTX_USEC	INT64_C(1000)
#define CTX_MSEC	INT64_C(1000000)
#define CTX_SEC		INT64_C(1000000000)

#define CTX_FOREVER	INT64_MAX	/* no deadline; no end of a wait */

/*
 * Where to begin
 *
 * ctx_background: a context that is never done, the root of all others.
 *   ENOENT: the module is not loaded. EACCES: /dev/ctx may not be opened; ctx(4)
 *   has what else can be wrong with it.
 *
 * ctx_from_env: the context that this program was started under: the one that
 *   the environment names as CTX_FD=<number>; if it names none, or if that
 *   descriptor was closed on the way or is no context, the ambient one. The
 *   result is a duplicate: closing it leaves CTX_FD open for the programs
 *   started by this one. Fails as ctx_background() does.
 *
 * ctx_ambient: the context that this process's cgroup, or the nearest above,
 *   was bound to; else Background. One may derive from it and observe it, and
 *   no more: what is derived reads no values. Fails as ctx_background() does.
 *
 * ctx_env_fd: the number in CTX_FD itself, not a duplicate.
 *   ENOENT: CTX_FD is not set, or this program has more rights than its caller,
 *   as by set-user-ID: see secure_getenv(3). EINVAL: it is no number. EBADF: that descriptor
 *   is closed. ENOTTY: it is no context.
 */
int ctx_background(void);
int ctx_from_env(void);
int ctx_ambient(void);
int ctx_env_fd(void);

/*
 * Derivation: a child of @parent, done no later than its parent
 *
 * ctx_with_cancel: done when it is cancelled.
 * ctx_with_timeout: done with ETIMEDOUT after @timeout; at birth if that is 0
 *   or less.
 * ctx_with_deadline: the same at a point in time on @clock: CLOCK_MONOTONIC,
 *   CLOCK_BOOTTIME, or CLOCK_REALTIME, which follows changes of that clock.
 * ..._cause: with a @cause of one's own for when the time is up.
 * ctx_without_cancel: keeps the values of @parent, and nothing else.
 * ctx_derive: any of these, by the flags of CTX_IOC_DERIVE; also CTX_DERIVE_KEEP.
 *
 *   EINVAL: no such clock or cause. EDQUOT: too many contexts. ELOOP: too deep.
 *   Needs CTX_RIGHT_DERIVE.
 */
int ctx_with_cancel(int parent);
int ctx_with_timeout(int parent, int64_t timeout);
int ctx_with_timeout_cause(int parent, int64_t timeout, int cause);
int ctx_with_deadline(int parent, int clock, int64_t deadline);
int ctx_with_deadline_cause(int parent, int clock, int64_t deadline, int cause);
int ctx_without_cancel(int parent);
int ctx_derive(int parent, unsigned int flags, int clock, int64_t time, int cause);

/*
 * Values
 *
 * ctx_with_value: a child that carries a value: 1 to CTX_KEY_MAX bytes of key,
 *   up to CTX_VALUE_MAX of value. It is done when its parent is, and its
 *   descriptor does not hold CTX_RIGHT_CANCEL. Fails as derivation does.
 * ctx_value: copies the nearest value of @key to @value. @len is the room there,
 *   and becomes the length of the value. Needs CTX_RIGHT_VALUE.
 *   ENOENT: there is none. ENOSPC: it is longer; @len says how long.
 */
int ctx_with_value(int parent, const void *key, size_t key_len, const void *value, size_t len);
int ctx_value(int ctx, const void *key, size_t key_len, void *value, size_t *len);

/*
 * ctx_cancel: makes @ctx and everything below it done, for the reason @cause,
 *   an errno number; 0 stands for ECANCELED. Does nothing to one that is done.
 *   EINVAL: no errno number. Needs CTX_RIGHT_CANCEL.
 */
int ctx_cancel(int ctx, int cause);

/*
 * Asking and waiting: all need CTX_RIGHT_OBSERVE
 *
 * ctx_err: 0 while @ctx is live, then ECANCELED or ETIMEDOUT.
 * ctx_cause: 0 while @ctx is live, then the cause that was given, else the error.
 * ctx_deadline: 1, and the point on CLOCK_MONOTONIC at which @ctx is done at the
 *   latest; 0 if there is none.
 * ctx_info: all there is to know about it.
 * ctx_wait: waits until it is done, but not longer than @timeout (0 or less:
 *   only asks). Returns as ctx_err() does; 0: not done within that time. When
 *   it is done, @event, unless NULL, tells who ended it, when and why.
 *   EINTR: a signal was handled first.
 */
int ctx_err(int ctx);
int ctx_cause(int ctx);
int ctx_deadline(int ctx, int64_t *deadline);
int ctx_info(int ctx, struct ctx_ioc_info *info);
int ctx_wait(int ctx, int64_t timeout, struct ctx_event *event);

/*
 * Handing on
 *
 * ctx_restrict: another descriptor of @ctx, with only @rights of those that this
 *   one has (CTX_RIGHT_*). What was left out is never regained.
 *   EPERM: one of them is not there.
 */
int ctx_restrict(int ctx, unsigned int rights);

/*
 * Other ends, and what the kernel does then. These, too, work when their caller
 * is dead. EBADF: @fd is not open. EDQUOT: too many of them.
 *
 * ctx_link: @ctx is done when @other is, too. Needs CTX_RIGHT_CANCEL on @ctx and
 *   CTX_RIGHT_OBSERVE on @other. EBUSY: @ctx has children, or another context was
 *   linked to it. ELOOP: the two are one. EOPNOTSUPP: a driver made @ctx.
 * ctx_watch: @ctx is cancelled for the reason @cause when poll(2) says one of
 *   @events (0: POLLIN) on @fd: a pidfd, eventfd, timerfd, pipe or IPv4 or IPv6
 *   socket; what else is EINVAL. A context is linked, as by ctx_link(). Needs
 *   CTX_RIGHT_CANCEL. EOPNOTSUPP: a driver made @ctx.
 * ctx_on_done: when @ctx is done, the kernel adds 1 to the eventfd @fd, writes
 *   @len bytes at @data to the pipe or IPv4 or IPv6 socket, or kills the cgroup
 *   whose cgroup.kill it is. For an eventfd and a cgroup.kill, @len is 0. What
 *   came of it is in ctx_info(). Needs CTX_RIGHT_OBSERVE. EOPNOTSUPP: a driver
 *   made @ctx. EINVAL: another kind of file. EBADF: it is not open for writing.
 *   ENXIO: a FIFO that nobody has open for reading.
 */
int ctx_link(int ctx, int other);
int ctx_watch(int ctx, int fd, unsigned int events, int cause);
int ctx_on_done(int ctx, int fd, const void *data, size_t len);

/*
 * Contexts of others
 *
 * ctx_open: the context with the number @id, of a user whom the caller may send
 *   signals to, with @rights, or with all that he may have if that is 0. @any is
 *   any context, such as Background. ESRCH: there is none. EPERM: it is somebody
 *   else's.
 * ctx_next: makes @id the next higher number of a context that the caller may
 *   open; 0 is where to begin. ENOENT: there is no other.
 * ctx_bind: makes @ctx the ambient context of a cgroup v2 and all in it: @procs
 *   is its cgroup.procs, open for writing. Needs CTX_RIGHT_DERIVE.
 *   EPERM: @ctx does not descend from the one that the cgroup above runs under.
 *   EINVAL: no such file. EBADF: it is not open for writing. ENODEV: the cgroup was
 *   removed. EDQUOT: too many bindings and the like. EOPNOTSUPP: the kernel has no
 *   cgroups, or no tracepoints.
 */
int ctx_open(int any, uint64_t id, unsigned int rights);
int ctx_next(int any, uint64_t *id);
int ctx_bind(int ctx, int procs);

#ifdef __cplusplus
}
#endif

#endif /* LIBCTX_H */
