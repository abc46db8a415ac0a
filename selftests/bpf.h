/* SPDX-License-Identifier: GPL-2.0 */
/* BPF programs of a few instructions, by the system call alone. */
#ifndef CTX_BPF_H
#define CTX_BPF_H

#include "ctx_test.h"

#include <sys/syscall.h>

#include <linux/bpf.h>

static inline int bpf(int cmd, union bpf_attr *attr)
{
	return syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

static inline int bpf_load(enum bpf_prog_type type, const struct bpf_insn *insns, __u32 nr)
{
	union bpf_attr attr = {
		.prog_type = type,
		.insns = to_u64(insns),
		.insn_cnt = nr,
		.license = to_u64("GPL"),
	};

	return bpf(BPF_PROG_LOAD, &attr);
}

#endif /* CTX_BPF_H */
