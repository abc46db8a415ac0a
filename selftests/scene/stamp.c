// SPDX-License-Identifier: GPL-2.0
/*
 * stamp: runs a command and puts the milliseconds since a start before every
 * line that it writes, to standard output or error.
 *
 *	start=$(stamp now)
 *	stamp $start command argument...
 *
 * Exits with the command's status, or 128 and the number of the signal it died of.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void die(const char *what)
{
	perror(what);
	exit(125);
}

static pid_t start_command(char **command, int output)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (pid)
		return pid;
	dup2(output, STDOUT_FILENO);
	dup2(output, STDERR_FILENO);
	execvp(command[0], command);
	die(command[0]);
	return -1;
}

static int status_of(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		die("waitpid");
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
	char line[1024];
	long long start;
	int pipes[2];
	pid_t pid;
	FILE *in;

	if (argc == 2 && !strcmp(argv[1], "now"))
		return printf("%lld\n", now()) < 0;
	if (argc < 3 || pipe2(pipes, O_CLOEXEC))
		return 125;
	pid = start_command(argv + 2, pipes[1]);
	close(pipes[1]);
	in = fdopen(pipes[0], "r");
	start = strtoll(argv[1], NULL, 10);
	setlinebuf(stdout);
	while (in && fgets(line, sizeof(line), in))
		printf("[%4lld ms] %s", (now() - start) / 1000000, line);
	return status_of(pid);
}
