// SPDX-License-Identifier: GPL-2.0
/*
 * usage: terminal [-b] [-r ROWS] [-c COLUMNS] [-w TEXT -k KEYS]... COMMAND...
 *
 * Runs COMMAND on a terminal of its own, and copies what it prints there. Each -w
 * waits until TEXT was printed, after what the one before waited for; then KEYS are
 * typed. With -b, COMMAND starts with INT blocked. Ends with COMMAND's status,
 * 128 and the signal for one that died, 99 if a TEXT never came.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <pty.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_STEPS	16
#define MAX_OUTPUT	(1024 * 1024)

static struct {
	const char *text;
	const char *keys;
} steps[MAX_STEPS];
static int nr_steps, step;

static char output[MAX_OUTPUT + 1];
static size_t len, seen;	/* how much there is, and how much of it was waited for */

static void take_steps(int terminal)
{
	while (step < nr_steps) {
		const char *found = strstr(output + seen, steps[step].text);

		if (!found)
			return;
		seen = found - output + strlen(steps[step].text);
		if (write(terminal, steps[step].keys, strlen(steps[step].keys)) < 0)
			err(98, "write");
		step++;
	}
}

/* Until the other side is closed, which reads as EIO. */
static void copy(int terminal)
{
	ssize_t got;

	while ((got = read(terminal, output + len, MAX_OUTPUT - len)) > 0) {
		if (fwrite(output + len, 1, got, stdout) != (size_t)got || fflush(stdout))
			err(98, "write");
		/* Programs print no NUL; should one, it is a blank here. */
		for (size_t i = len; i < len + got; i++)
			output[i] = output[i] ?: ' ';
		len += got;
		output[len] = '\0';
		take_steps(terminal);
	}
}

int main(int argc, char **argv)
{
	struct winsize size = { .ws_row = 24, .ws_col = 80 };
	int option, terminal, status;
	bool block = false;
	sigset_t blocked;
	pid_t pid;

	while ((option = getopt(argc, argv, "+br:c:w:k:")) != -1) {
		if (option == 'b')
			block = true;
		else if (option == 'r')
			size.ws_row = atoi(optarg);
		else if (option == 'c')
			size.ws_col = atoi(optarg);
		else if (option == 'w' && nr_steps < MAX_STEPS)
			steps[nr_steps++] = (typeof(steps[0])) { optarg, "" };
		else if (option == 'k' && nr_steps)
			steps[nr_steps - 1].keys = optarg;
		else
			errx(98, "see the source for how this is used");
	}
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGINT);
	pid = forkpty(&terminal, NULL, NULL, &size);
	if (pid < 0)
		err(98, "forkpty");
	if (!pid) {
		/* A shell's background has these ignored. */
		signal(SIGINT, SIG_DFL);
		signal(SIGQUIT, SIG_DFL);
		if (block)
			sigprocmask(SIG_BLOCK, &blocked, NULL);
		execvp(argv[optind], argv + optind);
		err(127, "%s", argv[optind]);
	}
	copy(terminal);
	if (waitpid(pid, &status, 0) != pid)
		err(98, "waitpid");
	if (step < nr_steps)
		return 99;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
