// SPDX-License-Identifier: GPL-2.0
/*
 * usage: seeded PROGRAM [ARGUMENT]...
 *
 * Runs a program with the random bytes that the kernel hands to every program set
 * to fixed ones. The program itself is as it was. Go's runtime seeds its hashes and
 * its scheduler from them, and its figures differ by 5 per cent from seed to seed.
 */
#include <elf.h>
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define SEED	0x0123456789abcdefL

/* Where the stopped child @pid has its random bytes. */
static unsigned long random_bytes(pid_t pid)
{
	Elf64_auxv_t entry;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/auxv", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		err(1, "%s", path);
	while (read(fd, &entry, sizeof(entry)) == sizeof(entry) && entry.a_type != AT_RANDOM)
		;
	close(fd);
	if (entry.a_type != AT_RANDOM)
		errx(1, "%s: no random bytes", path);
	return entry.a_un.a_val;
}

static void seed(pid_t pid)
{
	unsigned long address = random_bytes(pid);

	if (ptrace(PTRACE_POKEDATA, pid, address, SEED) ||
	    ptrace(PTRACE_POKEDATA, pid, address + sizeof(long), SEED))
		err(1, "poke");
	if (ptrace(PTRACE_DETACH, pid, NULL, NULL))
		err(1, "detach");
}

int main(int argc, char **argv)
{
	int status;
	pid_t pid;

	if (argc < 2)
		errx(1, "usage: seeded PROGRAM [ARGUMENT]...");
	pid = fork();
	if (pid < 0)
		err(1, "fork");
	if (!pid) {
		if (!ptrace(PTRACE_TRACEME, 0, NULL, NULL))
			execv(argv[1], argv + 1);
		err(127, "%s", argv[1]);
	}
	if (waitpid(pid, &status, 0) != pid)
		err(1, "wait");
	if (WIFSTOPPED(status)) {
		seed(pid);
		if (waitpid(pid, &status, 0) != pid)
			err(1, "wait");
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
