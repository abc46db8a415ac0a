/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Making one allocation of this thread fail, where the kernel can do that: then each
 * is made to in turn, from the first on, until what is tried does not come that far.
 */
#ifndef FAULT_H
#define FAULT_H

#include "ctx_test.h"

#define FAILSLAB	"/sys/kernel/debug/failslab/"
#define USERCOPY	"/sys/kernel/debug/fail_usercopy/"
#define FAIL_NTH	"/proc/thread-self/fail-nth"
#define MAKE_IT_FAIL	"/proc/thread-self/make-it-fail"

/* Quietly, and also those that may wait. */
static inline void fault_begin(void)
{
	write_file(FAILSLAB "ignore-gfp-wait", "N");
	write_file(FAILSLAB "verbose", "0");
	write_file(USERCOPY "verbose", "0");
}

static inline void fault_over(void)
{
	write_file(FAILSLAB "probability", "0");
	write_file(FAILSLAB "ignore-gfp-wait", "Y");
	write_file(FAILSLAB "verbose", "2");
	write_file(USERCOPY "verbose", "2");
}

/* For the next two, or -1 where the kernel cannot: then they do nothing. */
static inline int fault_open(void)
{
	return open(FAIL_NTH, O_RDWR | O_CLOEXEC);
}

/* From here on the @nth fails. */
static inline void fault_from(int nth_fd, int nth)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%d", nth);

	if (nth_fd >= 0 && pwrite(nth_fd, text, len, 0) != len)
		perror("fail-nth");
}

/*
 * To here: what is left of n, 0 if one has failed; 1 where none can. Where copies fail
 * too, those made here count: if one of them fails, then there is none left.
 */
static inline int fault_end(int nth_fd)
{
	char text[16] = {};

	if (nth_fd < 0 || pread(nth_fd, text, sizeof(text) - 1, 0) <= 0)
		return 1;
	if (pwrite(nth_fd, "0", 1, 0) != 1 && errno != EFAULT)
		perror("fail-nth");
	return atoi(text);
}

/* What a request says of which an allocation, or a copy, has failed. */
static inline bool is_fault(int err)
{
	return err == -ENOMEM || err == -EFAULT;
}

/*
 * From here on all of this thread fail, once they come to @bytes: gives what ends that,
 * which could not be opened then.
 */
static inline int fault_all_from(int bytes)
{
	int fd = open(MAKE_IT_FAIL, O_RDWR | O_CLOEXEC);

	write_file(FAILSLAB "task-filter", "Y");
	write_file(FAILSLAB "interval", "1");
	write_file(FAILSLAB "times", "-1");
	write_file(FAILSLAB "probability", "100");
	write_number(FAILSLAB "space", bytes);
	if (pwrite(fd, "1", 1, 0) != 1)
		perror("make-it-fail");
	return fd;
}

static inline void fault_all_end(int fd)
{
	if (pwrite(fd, "0", 1, 0) != 1)
		perror("make-it-fail");
	close(fd);
	write_file(FAILSLAB "probability", "0");
}

#endif /* FAULT_H */
