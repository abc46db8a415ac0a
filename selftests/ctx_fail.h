/* SPDX-License-Identifier: GPL-2.0 */
/* Memory, and copies from and to a process, that fail in turn, where the kernel can. */
#ifndef CTX_FAIL_H
#define CTX_FAIL_H

#include "ctx_test.h"

#define FAILSLAB	"/sys/kernel/debug/failslab/"
#define USERCOPY	"/sys/kernel/debug/fail_usercopy/"
#define FAIL_NTH	"/proc/thread-self/fail-nth"

/* Quietly, and also those that may wait. */
static inline void fail_quietly(void)
{
	write_file(FAILSLAB "ignore-gfp-wait", "N");
	write_file(FAILSLAB "verbose", "0");
	write_file(USERCOPY "verbose", "0");
}

static inline void fail_as_before(void)
{
	write_file(FAILSLAB "ignore-gfp-wait", "Y");
	write_file(FAILSLAB "verbose", "2");
	write_file(USERCOPY "verbose", "2");
}

/* From here on the @nth fails; -1 for @nth_fd where none can. */
static inline void fail_from(int nth_fd, int nth)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%d", nth);

	if (nth_fd >= 0)
		must(pwrite(nth_fd, text, len, 0) == len);
}

/* False when it did not come that far. */
static inline bool fail_end(int nth_fd)
{
	char text[16];
	int len;

	if (nth_fd < 0)
		return false;
	len = pread(nth_fd, text, sizeof(text) - 1, 0);
	text[len > 0 ? len : 0] = '\0';
	/* Where one fails in there, it is what comes next that was to. */
	must(pwrite(nth_fd, "0", 1, 0) == 1 || pwrite(nth_fd, "0", 1, 0) == 1);
	return len > 0 && atoi(text) == 0;
}

#endif /* CTX_FAIL_H */
