// SPDX-License-Identifier: GPL-2.0
/*
 * usage: listen FILE
 *
 * Writes "up" to FILE, then TERM and HUP as it gets them, and ends with HUP. None is
 * lost: they were blocked before.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static void tell(const char *file, const char *what)
{
	int fd = open(file, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || dprintf(fd, "%s\n", what) < 0)
		err(1, "%s", file);
	close(fd);
}

int main(int argc, char **argv)
{
	sigset_t set;
	int got = 0;

	if (argc != 2)
		errx(2, "usage: listen FILE");
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	tell(argv[1], "up");
	while (got != SIGHUP && !sigwait(&set, &got))
		tell(argv[1], got == SIGHUP ? "HUP" : "TERM");
	return 0;
}
