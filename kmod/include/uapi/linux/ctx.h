/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/* So that <linux/ctx.h> finds the rights wherever it is found itself. */
#include "../../../../uapi/linux/ctx.h"
