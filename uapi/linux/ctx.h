/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * ctx: cancellation contexts for processes.
 *
 * Every file descriptor of /dev/ctx is a context. Opening the device gives
 * Background, the root that is never done; deriving on a descriptor returns a
 * new descriptor, close-on-exec, that is a child of it. A descriptor becomes
 * readable when its context is done, and read(2) then gives a struct ctx_event.
 *
 * Each request takes a pointer to its structure, whose first member is the size
 * that the caller was compiled with. A shorter structure than the request had
 * when it was introduced gives EINVAL; a longer one than the kernel knows, up to
 * a page, is accepted while the unknown rest is zero, and gives E2BIG otherwise.
 * Unknown flags and non-zero reserved members give EINVAL.
 *
 * Errors common to all requests:
 *   ENOTTY   no such request
 *   EPERM    the descriptor lacks the right that the request needs
 *   EFAULT   the pointer, or one in the structure, does not point to memory
 *   E2BIG    the structure is longer than known, with non-zero unknown bytes,
 *            or longer than a page
 *   EINVAL   size, flags, reserved members or a value out of range
 */
#ifndef _UAPI_LINUX_CTX_H
#define _UAPI_LINUX_CTX_H

#include <linux/ioctl.h>
#include <linux/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The request letter. The kernel's list of ioctl numbers
 * (Documentation/userspace-api/ioctl/ioctl-number.rst) has 'x' free in 6.1 and
 * in 7.3, and no header of either uses it.
 */
#define CTX_IOC_MAGIC		'x'

#define CTX_IOC_DERIVE		_IO(CTX_IOC_MAGIC, 0x00)
#define CTX_IOC_WITH_VALUE	_IO(CTX_IOC_MAGIC, 0x01)
#define CTX_IOC_VALUE		_IO(CTX_IOC_MAGIC, 0x02)
#define CTX_IOC_CANCEL		_IO(CTX_IOC_MAGIC, 0x03)
#define CTX_IOC_INFO		_IO(CTX_IOC_MAGIC, 0x04)
#define CTX_IOC_RESTRICT	_IO(CTX_IOC_MAGIC, 0x05)
#define CTX_IOC_OPEN		_IO(CTX_IOC_MAGIC, 0x06)
#define CTX_IOC_NEXT		_IO(CTX_IOC_MAGIC, 0x07)
#define CTX_IOC_LINK		_IO(CTX_IOC_MAGIC, 0x08)
#define CTX_IOC_WATCH		_IO(CTX_IOC_MAGIC, 0x09)
#define CTX_IOC_ON_DONE		_IO(CTX_IOC_MAGIC, 0x0a)
#define CTX_IOC_BIND		_IO(CTX_IOC_MAGIC, 0x0b)

/* What a descriptor allows, as CTX_IOC_INFO shows it. */
#define CTX_RIGHT_CANCEL	0x01	/* CANCEL, LINK, WATCH; the last one closed cancels */
#define CTX_RIGHT_DERIVE	0x02	/* DERIVE, WITH_VALUE, BIND */
#define CTX_RIGHT_VALUE		0x04	/* VALUE */
#define CTX_RIGHT_OBSERVE	0x08	/* poll, read, O_ASYNC, INFO, ON_DONE; be linked to */

/* The longest cause: any errno number up to this one. */
#define CTX_CAUSE_MAX		4095

/* flags of struct ctx_ioc_derive */
#define CTX_DERIVE_DEADLINE		0x01	/* @time is a point in time on @clock */
#define CTX_DERIVE_TIMEOUT		0x02	/* @time is from now, on @clock */
#define CTX_DERIVE_WITHOUT_CANCEL	0x04	/* the values and nothing else */
#define CTX_DERIVE_KEEP			0x08	/* closing the last descriptor does not cancel */

/**
 * struct ctx_ioc_derive - argument of CTX_IOC_DERIVE
 * @size: sizeof(struct ctx_ioc_derive)
 * @flags: CTX_DERIVE_*; 0 derives a context that can be cancelled
 * @time: nanoseconds, with CTX_DERIVE_DEADLINE or CTX_DERIVE_TIMEOUT; up to
 *	the largest signed 64-bit number, which means never
 * @clock: CLOCK_MONOTONIC, CLOCK_BOOTTIME or CLOCK_REALTIME, for @time; as the
 *	caller's time namespace has it, like all times in here
 * @cause: errno number of the cause when the time is up; 0 means ETIMEDOUT
 *
 * Returns the descriptor of the new context. Needs CTX_RIGHT_DERIVE.
 *
 * Without a deadline, @time, @clock and @cause must be 0. The context has every
 * right but, with CTX_DERIVE_WITHOUT_CANCEL (which goes with no other flag),
 * CTX_RIGHT_CANCEL; CTX_RIGHT_VALUE is passed on, not given.
 *
 * When the last descriptor that holds CTX_RIGHT_CANCEL is closed, by whomever
 * and be it by SIGKILL, the context is cancelled with EOWNERDEAD as its cause,
 * unless it was derived with CTX_DERIVE_KEEP.
 *
 * EDQUOT: the user, or an owner of the user namespace, has too many contexts. One
 * counts until its memory is free, which for a value is after a grace period.
 * ELOOP: the context would be too deep. EMFILE, ENFILE, ENOMEM: as usual.
 */
struct ctx_ioc_derive {
	__u32 size;
	__u32 flags;
	__u64 time;
	__u32 clock;
	__u32 cause;
};

#define CTX_KEY_MAX		256
#define CTX_VALUE_MAX		4096

/**
 * struct ctx_ioc_value - argument of CTX_IOC_WITH_VALUE and CTX_IOC_VALUE
 * @size: sizeof(struct ctx_ioc_value)
 * @flags: 0
 * @key: address of the key, a string of bytes
 * @value: address of the value
 * @key_len: 1 to CTX_KEY_MAX bytes
 * @value_len: WITH_VALUE: 0 to CTX_VALUE_MAX bytes; VALUE: in, the room at
 *	@value; out, the length of the value found
 *
 * CTX_IOC_WITH_VALUE returns the descriptor of a child that carries the value
 * and shares its parent's cancellation: it has no CTX_RIGHT_CANCEL. It needs
 * CTX_RIGHT_DERIVE and fails like CTX_IOC_DERIVE.
 *
 * CTX_IOC_VALUE finds the nearest value of that key, done or not, and needs
 * CTX_RIGHT_VALUE. ENOENT: there is none. ENOSPC: there is too little room;
 * @value_len says how much it takes.
 */
struct ctx_ioc_value {
	__u32 size;
	__u32 flags;
	__u64 key;
	__u64 value;
	__u32 key_len;
	__u32 value_len;
};

/**
 * struct ctx_ioc_cancel - argument of CTX_IOC_CANCEL
 * @size: sizeof(struct ctx_ioc_cancel)
 * @flags: 0
 * @cause: errno number up to CTX_CAUSE_MAX; 0 means ECANCELED
 * @reserved: 0
 *
 * Cancels the context and everything below it. On one that is done already it
 * changes nothing and returns 0. Needs CTX_RIGHT_CANCEL.
 */
struct ctx_ioc_cancel {
	__u32 size;
	__u32 flags;
	__u32 cause;
	__u32 reserved;
};

#define CTX_COMM_LEN		16

/* info_flags of struct ctx_ioc_info */
#define CTX_INFO_DONE		0x01	/* @err and what follows it are set */
#define CTX_INFO_DEADLINE	0x02	/* @deadline is set */
#define CTX_INFO_KEEP		0x04	/* derived with CTX_DERIVE_KEEP */
#define CTX_INFO_WRITTEN	0x08	/* every on-done has been tried: see @on_done_err */

/**
 * struct ctx_ioc_info - argument of CTX_IOC_INFO, filled by the kernel
 * @size: sizeof(struct ctx_ioc_info); the rest need not be initialised, but what
 *	lies beyond the kernel's own size must be 0
 * @flags: 0 on entry
 * @id: this context's number, never given to another; 0 for Background, and where no
 *	process made it, but a driver gave it out
 * @parent_id: its parent's; 0 if that is Background or was not made by a process
 * @origin_id: done: the context that was cancelled or ran out of time: this
 *	one, one above it, or 0 if no process made it
 * @deadline: the time at which it will be done at the latest, nanoseconds of
 *	CLOCK_MONOTONIC (with a deadline on another clock: by its present setting)
 * @done_time: done: when, nanoseconds of CLOCK_MONOTONIC
 * @err: done: ECANCELED or ETIMEDOUT; 0 otherwise
 * @cause: done: the errno number given by whoever cancelled, else @err
 * @origin_pid: done: the process that cancelled, as the caller's pid namespace
 *	numbers it; 0 for a timer, an interrupt, a file or a process outside of it
 * @owner_uid: the user who made it, as the caller's user namespace sees him
 * @creator_pid: the process that made it, as above
 * @rights: CTX_RIGHT_* of this descriptor
 * @depth: contexts from the root: 0 for Background alone, 1 for a child of it; below
 *	a long line of a driver's own perhaps less, but no less than max_depth
 * @info_flags: CTX_INFO_*
 * @origin_comm: done: the name of the task that cancelled, or "timer" or "irq", or
 *	what was watched: "pidfd", "eventfd", "timerfd", "pipe", "socket", or as a
 *	driver calls its source
 * @creator_comm: the name of the task that made it
 * @on_dones: how many were asked for by CTX_IOC_ON_DONE
 * @on_done_err: errno number of the first that failed, EAGAIN where there was no
 *	room; 0 for none so far
 *
 * Needs CTX_RIGHT_OBSERVE.
 */
struct ctx_ioc_info {
	__u32 size;
	__u32 flags;
	__u64 id;
	__u64 parent_id;
	__u64 origin_id;
	__u64 deadline;
	__u64 done_time;
	__u32 err;
	__u32 cause;
	__u32 origin_pid;
	__u32 owner_uid;
	__u32 creator_pid;
	__u32 rights;
	__u32 depth;
	__u32 info_flags;
	char origin_comm[CTX_COMM_LEN];
	char creator_comm[CTX_COMM_LEN];
	__u32 on_dones;
	__u32 on_done_err;
};

/**
 * struct ctx_ioc_restrict - argument of CTX_IOC_RESTRICT
 * @size: sizeof(struct ctx_ioc_restrict)
 * @flags: 0
 * @rights: CTX_RIGHT_* that the new descriptor has
 * @reserved: 0
 *
 * Returns a new descriptor on the same context. EPERM: one of @rights is not there
 * to be passed on. A right that was left out is never regained: what is derived on
 * the new descriptor lacks CTX_RIGHT_VALUE if that does. EMFILE, ENFILE, ENOMEM.
 */
struct ctx_ioc_restrict {
	__u32 size;
	__u32 flags;
	__u32 rights;
	__u32 reserved;
};

/* flags of struct ctx_ioc_open */
#define CTX_OPEN_AMBIENT	0x01	/* the one that the caller runs under */

/**
 * struct ctx_ioc_open - argument of CTX_IOC_OPEN
 * @size: sizeof(struct ctx_ioc_open)
 * @flags: CTX_OPEN_*
 * @id: the context's number; 0 with CTX_OPEN_AMBIENT
 * @rights: CTX_RIGHT_* that the descriptor shall have; 0 for all that it may
 * @reserved: 0
 *
 * Returns a descriptor of a context that a process made, on whatever descriptor it
 * is asked. By number: where the caller may send a signal to the user who made it,
 * and its maker has a number in the caller's pid namespace; with CTX_RIGHT_OBSERVE,
 * CTX_RIGHT_DERIVE and, where there is something to cancel, CTX_RIGHT_CANCEL.
 * With CTX_OPEN_AMBIENT: the context that the caller's cgroup, or the nearest above,
 * was bound to by CTX_IOC_BIND, else Background; with CTX_RIGHT_OBSERVE and
 * CTX_RIGHT_DERIVE. Neither lets anybody read values.
 *
 * A descriptor with CTX_RIGHT_CANCEL counts, wherever it comes from: the context is
 * not cancelled for its owner's death before that is closed, too. Who only looks
 * asks for CTX_RIGHT_OBSERVE.
 *
 * ESRCH: there is no such context. EPERM: it is somebody else's, or one of @rights
 * is not to be had. EMFILE, ENFILE, ENOMEM: as usual.
 */
struct ctx_ioc_open {
	__u32 size;
	__u32 flags;
	__u64 id;
	__u32 rights;
	__u32 reserved;
};

/**
 * struct ctx_ioc_next - argument of CTX_IOC_NEXT
 * @size: sizeof(struct ctx_ioc_next)
 * @flags: 0
 * @id: in, a number, whether in use or not; out, the next higher one that the
 *	caller may open
 *
 * Lists contexts, from @id 0 on. ENOENT: there is no other. EINTR: the caller is
 * being killed.
 */
struct ctx_ioc_next {
	__u32 size;
	__u32 flags;
	__u64 id;
};

/**
 * struct ctx_ioc_link - argument of CTX_IOC_LINK
 * @size: sizeof(struct ctx_ioc_link)
 * @flags: 0
 * @fd: another context's descriptor, with CTX_RIGHT_OBSERVE
 * @reserved: 0
 *
 * Also cancels this context when the other one is done, with its error, cause and
 * origin; at once, if it is done already. Needs CTX_RIGHT_CANCEL. Deadlines are not
 * merged: CTX_IOC_INFO shows this context's own. What is below is done soon after, where
 * the other context is not of the same user.
 *
 * EBADF: @fd is not open. EINVAL: it is no context. EPERM: one of the descriptors
 * lacks the right. ELOOP: it is this context, or a value below it. EBUSY: this context
 * has children, or another was linked to it: so no two contexts ever wait for each
 * other. While there are other descriptors of this context, it is enough to have had
 * them. EDQUOT: the user has too many links, watches, on-dones and bindings.
 * EOPNOTSUPP: no process made this context. ENOMEM.
 */
struct ctx_ioc_link {
	__u32 size;
	__u32 flags;
	__s32 fd;
	__u32 reserved;
};

/**
 * struct ctx_ioc_watch - argument of CTX_IOC_WATCH
 * @size: sizeof(struct ctx_ioc_watch)
 * @flags: 0
 * @fd: a pidfd, eventfd, timerfd, pipe or IPv4 or IPv6 socket; or a context, which
 *	is as CTX_IOC_LINK
 * @events: what to wait for, POLLIN and so on, as poll(2) has it; POLLERR and
 *	POLLHUP always are; 0 means POLLIN
 * @cause: errno number of the cause; 0 means ECANCELED
 * @reserved: 0
 *
 * Also cancels this context when the file is ready, of which it keeps the file open
 * until then, or until the context is done or gone. Needs CTX_RIGHT_CANCEL.
 *
 * If it is ready already, the context is done on return. If it is not ready any more by
 * the time that the kernel has a look, it is watched on.
 *
 * EBADF: @fd is not open. EINVAL: there are no such @events, or it is another kind of
 * file: one that could hold this context's own descriptor, as a Unix socket, an epoll
 * set or an io_uring may, would keep both for ever. EPERM: a context without
 * CTX_RIGHT_OBSERVE. ELOOP: this context. EBUSY: a context, while this one has children
 * or another waits for it: two never watch each other. EDQUOT, EOPNOTSUPP, ENOMEM: as
 * for CTX_IOC_LINK.
 */
struct ctx_ioc_watch {
	__u32 size;
	__u32 flags;
	__s32 fd;
	__u32 events;
	__u32 cause;
	__u32 reserved;
};

#define CTX_ON_DONE_MAX		4096

/**
 * struct ctx_ioc_on_done - argument of CTX_IOC_ON_DONE
 * @size: sizeof(struct ctx_ioc_on_done)
 * @flags: 0
 * @data: address of the bytes to write
 * @len: how many: for a pipe or a socket 1 to CTX_ON_DONE_MAX; 0 otherwise
 * @fd: an eventfd, a pipe, an IPv4 or IPv6 socket, or a cgroup's cgroup.kill, open
 *	for writing
 *
 * When this context is done, the kernel writes once, with the caller's credentials
 * as they are now and without waiting for room, whether the caller is alive then or
 * not: 1 is added to an eventfd; @data is written to a pipe or sent on a socket;
 * a cgroup is killed. At once, if the context is done. How it went shows in
 * CTX_IOC_INFO. Needs CTX_RIGHT_OBSERVE.
 *
 * EBADF: @fd is not open for writing. EINVAL: it is another kind of file, or @len
 * does not fit the kind. A context, Unix socket, epoll set or io_uring is another kind,
 * as for CTX_IOC_WATCH. ENXIO: a FIFO that nobody has open for reading. EFAULT: @data.
 * EDQUOT: as for CTX_IOC_LINK. EOPNOTSUPP: no process made this context, but a driver
 * gave it out: derive one from it. ENFILE, ENOMEM.
 *
 * One combination is not seen, here and in CTX_IOC_WATCH: a socket in which data of an
 * io_uring's zero-copy sends is queued holds that io_uring, whose registered files may
 * have this context. All of them stay until the data is gone, or the context is
 * cancelled by its number.
 */
struct ctx_ioc_on_done {
	__u32 size;
	__u32 flags;
	__u64 data;
	__u32 len;
	__s32 fd;
};

/**
 * struct ctx_ioc_bind - argument of CTX_IOC_BIND
 * @size: sizeof(struct ctx_ioc_bind)
 * @flags: 0
 * @fd: cgroup.procs of a cgroup v2, open for writing
 * @reserved: 0
 *
 * Makes this context the ambient one of every task in that cgroup and below, now and
 * later: CTX_OPEN_AMBIENT gives it to them, and the kernel's drivers see it. It stays
 * until the cgroup is removed or bound again, and is found there also when it is done.
 * Binding Background is no binding at all. Needs CTX_RIGHT_DERIVE.
 *
 * EBADF: @fd is not open for writing. EINVAL: it is not such a file. ENODEV: the
 * cgroup was removed. EPERM: the context does not descend from the one that the cgroup
 * above runs under. EDQUOT: as for CTX_IOC_LINK; a binding counts until a grace period
 * after its end. EOPNOTSUPP: the kernel has no cgroups, or no tracepoints. ENOMEM.
 */
struct ctx_ioc_bind {
	__u32 size;
	__u32 flags;
	__s32 fd;
	__u32 reserved;
};

/**
 * struct ctx_event - what read(2) gives once the context is done, every time
 * @id: this context's number
 * @origin_id: the context that was cancelled or ran out of time, as in CTX_IOC_INFO
 * @time: when, nanoseconds of CLOCK_MONOTONIC
 * @err: ECANCELED or ETIMEDOUT
 * @cause: errno number
 * @pid: the process that cancelled, in the reader's pid namespace, or 0
 * @reserved: 0
 * @comm: the name of the task that cancelled, or what did, as in CTX_IOC_INFO
 *
 * read(2) blocks until then, or gives EAGAIN with O_NONBLOCK; EINVAL for less
 * room than this structure takes; EPERM without CTX_RIGHT_OBSERVE.
 *
 * With O_ASYNC, F_SETOWN and F_SETSIG of fcntl(2) a signal is sent then, once; at once,
 * if the context is done when O_ASYNC is set. To set that without CTX_RIGHT_OBSERVE
 * gives EPERM.
 */
struct ctx_event {
	__u64 id;
	__u64 origin_id;
	__u64 time;
	__u32 err;
	__u32 cause;
	__u32 pid;
	__u32 reserved;
	char comm[CTX_COMM_LEN];
};

#ifdef __cplusplus
}
#endif

#endif /* _UAPI_LINUX_CTX_H */
