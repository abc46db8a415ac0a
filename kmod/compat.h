/* SPDX-License-Identifier: GPL-2.0 */
/* What differs between the supported kernels, 6.1 to 7.x, and nothing else. */
#ifndef _CTX_COMPAT_H
#define _CTX_COMPAT_H

#include <linux/err.h>
#include <linux/eventfd.h>
#include <linux/hrtimer.h>
#include <linux/magic.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
/* That a bus is not registered is an error; before, it is a crash. */
#define CTX_BUS_IS_LOOKED_UP
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 8, 0)
#define eventfd_signal(eventfd)	eventfd_signal(eventfd, 1)
#endif

/* Of those that a kernel without them still declares, this one is missing. */
#ifndef CONFIG_EVENTFD
static inline struct eventfd_ctx *eventfd_ctx_fileget(struct file *file)
{
	return ERR_PTR(-EINVAL);
}
#endif

/* 6.9: before, nothing is on a file system of that kind. */
#ifndef PID_FS_MAGIC
#define PID_FS_MAGIC	0x50494446
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 9, 0)
#define ctx_blk_mq_alloc_disk(tags)	blk_mq_alloc_disk(tags, NULL)
#else
#define ctx_blk_mq_alloc_disk(tags)	blk_mq_alloc_disk(tags, NULL, NULL)
#endif

/* In TP_fast_assign() of trace.h: what __string() declared has remembered @src. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 10, 0)
#define ctx_assign_str(dst, src)	__assign_str(dst, src)
#else
#define ctx_assign_str(dst, src)	do { __assign_str(dst); (void)(src); } while (0)
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
static inline void hrtimer_setup(struct hrtimer *timer,
				 enum hrtimer_restart (*fn)(struct hrtimer *),
				 clockid_t clock, enum hrtimer_mode mode)
{
	hrtimer_init(timer, clock, mode);
	timer->function = fn;
}
#endif

#endif /* _CTX_COMPAT_H */
