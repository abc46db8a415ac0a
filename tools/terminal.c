// SPDX-License-Identifier: GPL-2.0
/*
 * Job control for ctx run. The command has a process group of its own, so that
 * it can be signalled without anyone else. For the shell, it is part of the job
 * that ctx run is: it may use the terminal while that job may, and when it is
 * stopped, the job is.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>
#include "tool.h"

/* The controlling terminal, or -1. */
int terminal_open(void)
{
	return open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
}

/* Whether the job that ctx run belongs to is in the foreground. */
bool terminal_is_ours(int tty)
{
	return tty >= 0 && tcgetpgrp(tty) == getpgrp();
}

/*
 * Whether no one else in that job seems to use the terminal. In a pipeline
 * somebody may; there the command gets it when it first asks.
 */
bool terminal_is_ours_alone(int tty)
{
	return terminal_is_ours(tty) && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
}

/* Makes @group the foreground group. SIGTTOU has to be blocked. */
void terminal_give(int tty, pid_t group)
{
	tcsetpgrp(tty, group);
}

/*
 * Stops the job, as ^Z does, and returns when it is continued. False if it was
 * not stopped: no shell is there that could continue it.
 */
bool terminal_stop_self(void)
{
	sigset_t stop, pending;

	sigemptyset(&stop);
	sigaddset(&stop, SIGTSTP);
	kill(0, SIGTSTP);
	sigprocmask(SIG_UNBLOCK, &stop, NULL);
	sigprocmask(SIG_BLOCK, &stop, NULL);
	/* SIGCONT is blocked: if it came, it is still there. */
	return !sigpending(&pending) && sigismember(&pending, SIGCONT);
}
