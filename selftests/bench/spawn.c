// SPDX-License-Identifier: GPL-2.0
/*
 * What it costs to run a command under something: from its start to its end, with
 * all that the kernel does meanwhile. In a virtual machine that counts instructions,
 * CLOCK_MONOTONIC does.
 *
 *	spawn NAME COMMAND [ARGUMENT]...
 */
#define _GNU_SOURCE
#include <err.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NSEC_PER_SEC	1000000000ULL

#define WARM_UP		5
#define ROUNDS		41	/* of which the median counts */

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static uint64_t start_to_end(char **command)
{
	const uint64_t start = now();
	int status;
	pid_t pid;

	if (posix_spawn(&pid, command[0], NULL, NULL, command, environ))
		errx(1, "%s cannot be run", command[0]);
	if (waitpid(pid, &status, 0) != pid || status)
		errx(1, "%s: status %#x", command[0], status);
	return now() - start;
}

int main(int argc, char **argv)
{
	uint64_t samples[ROUNDS];
	int i;

	if (argc < 3)
		return 1;
	for (i = -WARM_UP; i < ROUNDS; i++)
		samples[i < 0 ? 0 : i] = start_to_end(argv + 2);
	qsort(samples, ROUNDS, sizeof(*samples), compare);
	printf("bench: spawn.%s instructions %.1f\n", argv[1], (double)samples[ROUNDS / 2]);
	return 0;
}
