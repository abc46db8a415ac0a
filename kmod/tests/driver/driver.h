/* SPDX-License-Identifier: GPL-2.0 */
/* What driver_test asks of ctx_driver.ko, which no one else should have. */
#ifndef _CTX_TESTS_DRIVER_H
#define _CTX_TESTS_DRIVER_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define CTX_DRIVER_PATH	64

enum ctx_driver_what {
	CTX_DRIVER_BACKGROUND,
	CTX_DRIVER_TODO,
	CTX_DRIVER_CANCEL,	/* and the rest below that of @fd, or Background for -1 */
	CTX_DRIVER_VALUE,
	CTX_DRIVER_WITHOUT,
	CTX_DRIVER_CHAIN,	/* of @count with_cancel */
	CTX_DRIVER_SHADOW,	/* a value under the very key that @fd's value has */
	CTX_DRIVER_SAME,	/* that of @fd itself */
	CTX_DRIVER_AMBIENT,	/* what the caller runs under, or the process @count */
	CTX_DRIVER_NULL,
	CTX_DRIVER_ERROR,
};

/* Where it does what may be done anywhere. */
enum ctx_driver_where {
	CTX_DRIVER_TASK,
	CTX_DRIVER_HANDLER,	/* of an interrupt: with PREEMPT_RT, a thread */
	CTX_DRIVER_SOFTIRQ,
	CTX_DRIVER_LOCKED,	/* under a spinlock: with PREEMPT_RT, interrupts are on */
};

struct ctx_driver_arg {
	__s32 fd;
	__u32 rights;
	__u32 flags;
	__u32 what;
	__u32 count;
	__s32 cause;
	__u32 where;
	char path[CTX_DRIVER_PATH];
};

/* ctx_get_from_fd(@fd, @rights): its error; 0, and @path */
#define CTX_DRIVER_TAKE		_IOWR('d', 1, struct ctx_driver_arg)
/* Waits under a child of @fd; gives the cause */
#define CTX_DRIVER_WAIT		_IOWR('d', 2, struct ctx_driver_arg)
/* ctx_install_fd(@what, @rights, @flags): what it gave; the driver keeps that context */
#define CTX_DRIVER_GIVE		_IOWR('d', 3, struct ctx_driver_arg)
/* What it keeps: cancels it with @cause, shows its cause and path, lets go @where */
#define CTX_DRIVER_END		_IOWR('d', 4, struct ctx_driver_arg)
#define CTX_DRIVER_SHOW		_IOWR('d', 5, struct ctx_driver_arg)
#define CTX_DRIVER_DROP		_IOWR('d', 6, struct ctx_driver_arg)
/* Whether the kernel's workers act for themselves: -EPERM if one acts for somebody else */
#define CTX_DRIVER_WORKERS	_IOWR('d', 7, struct ctx_driver_arg)

/* Has a new context, which it keeps, cancelled on the file @fd: @flags (events), @cause */
#define CTX_DRIVER_ON_FILE	_IOWR('d', 8, struct ctx_driver_arg)
/* Takes that away @where: what ctx_source_detach() gave */
#define CTX_DRIVER_OFF_FILE	_IOWR('d', 9, struct ctx_driver_arg)
/* ctx_cancel_sync() of what it keeps */
#define CTX_DRIVER_END_SYNC	_IOWR('d', 10, struct ctx_driver_arg)

#endif /* _CTX_TESTS_DRIVER_H */
