// SPDX-License-Identifier: GPL-2.0
/*
 * Descriptors by kind, so that a number in a program finds one that fits: the newest,
 * the one before and so on. From 0xf0 on it is something else: another kind, a closed
 * one, none at all.
 */
#include <fcntl.h>
#include <unistd.h>

#include "fuzz.h"

#define ODD	0xf0

static struct {
	enum fuzz_kind kind;
	int fd;
} table[128];
static int nr_table;

/* Takes @fd, if it is one of a program. */
int fuzz_add(enum fuzz_kind kind, int fd)
{
	if (fd <= STDERR_FILENO)
		return -1;
	if (nr_table == FUZZ_NR(table) || fd >= FUZZ_FD_OURS) {
		close(fd);
		return -1;
	}
	table[nr_table].kind = kind;
	table[nr_table++].fd = fd;
	return fd;
}

/* Also what is no longer there. */
void fuzz_close(int fd)
{
	int i, to = 0;

	if (fd <= STDERR_FILENO || fd >= FUZZ_FD_OURS)
		return;
	close(fd);
	for (i = 0; i < nr_table; i++)
		if (table[i].fd != fd)
			table[to++] = table[i];
	nr_table = to;
}

void fuzz_forget_fds(void)
{
	nr_table = 0;
}

static int odd_fd(uint8_t which)
{
	switch (which) {
	case 0xff:
		return -1;
	case 0xfe:
		return AT_FDCWD;
	case 0xfd:
		return FUZZ_FD_OURS - 1;
	case 0xfc:
		return 0;
	default:
		return nr_table ? table[nr_table - 1 - (which - ODD) % nr_table].fd : -1;
	}
}

static int count(enum fuzz_kind kind)
{
	int i, n = 0;

	for (i = 0; i < nr_table; i++)
		n += table[i].kind == kind;
	return n;
}

static int nth_newest(enum fuzz_kind kind, int n)
{
	int i = nr_table;

	while (i--)
		if (table[i].kind == kind && !n--)
			return table[i].fd;
	return -1;
}

int fuzz_fd(enum fuzz_kind kind, uint8_t which)
{
	int n;

	if (which >= ODD)
		return odd_fd(which);
	if (!count(kind))
		fuzz_make(kind);
	n = count(kind);
	return n ? nth_newest(kind, which % n) : -1;
}

/* Out of the way of programs. */
int fuzz_keep(int fd)
{
	int kept;

	if (fd < 0 || fd >= FUZZ_FD_OURS)
		return fd;
	kept = fcntl(fd, F_DUPFD_CLOEXEC, FUZZ_FD_OURS);
	close(fd);
	return kept;
}
