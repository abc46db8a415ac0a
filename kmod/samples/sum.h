/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/* What /dev/ctx_sum takes: see sum.c. */
#ifndef _CTX_SAMPLES_SUM_H
#define _CTX_SAMPLES_SUM_H

#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * struct ctx_sum - argument of CTX_SUM
 * @data: address of what to sum
 * @len: how many bytes, 1 to CTX_SUM_MAX
 * @rounds: how often
 * @threads: how many, 1 to 64: each sums a part of its own
 * @ctx: a context's descriptor with CTX_RIGHT_DERIVE, or -1 for that of the caller's cgroup
 * @sum: out: the CRC32 of each part, xored
 *
 * ECANCELED, ETIMEDOUT: the context was done first. EINTR: the caller was killed.
 */
struct ctx_sum {
	__u64 data;
	__u32 len;
	__u32 rounds;
	__u32 threads;
	__s32 ctx;
	__u32 sum;
	__u32 reserved;
};

#define CTX_SUM_MAX	(16 << 20)
#define CTX_SUM		_IOWR('s', 0xc7, struct ctx_sum)

#endif /* _CTX_SAMPLES_SUM_H */
