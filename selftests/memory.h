/* SPDX-License-Identifier: GPL-2.0 */
/* Who is charged for memory, and what the machine has of it. */
#ifndef CTX_MEMORY_H
#define CTX_MEMORY_H

#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CGROUPS		"/sys/fs/cgroup"
#define CTX_COUNTERS	"/sys/kernel/debug/ctx/counters"

/* The number after @name in a file that has one a line, or -1. */
static inline long long read_field(const char *path, const char *name)
{
	const size_t len = strlen(name);
	FILE *file = fopen(path, "re");
	long long number = -1;
	char line[256];

	while (number < 0 && file && fgets(line, sizeof(line), file))
		if (!strncmp(line, name, len) && strchr(": \t", line[len]))
			number = strtoll(line + len + 1, NULL, 0);
	if (file)
		fclose(file);
	return number;
}

/*
 * With KASAN, what was freed is kept from others for a long while, unless a cache that it
 * was in, of a name like @names, is asked for it.
 */
static inline void give_back_of(const char *names)
{
	char pattern[96];
	glob_t caches;
	size_t i;
	int fd;

	snprintf(pattern, sizeof(pattern), "/sys/kernel/slab/%s/shrink", names);
	if (glob(pattern, GLOB_BRACE, NULL, &caches))
		return;
	for (i = 0; i < caches.gl_pathc; i++) {
		fd = open(caches.gl_pathv[i], O_WRONLY | O_CLOEXEC);
		if (fd >= 0 && write(fd, "1", 1) != 1)
			perror(caches.gl_pathv[i]);
		close(fd);
	}
	globfree(&caches);
}

static inline void give_back(void)
{
	give_back_of("{kmalloc-cg-*,ctx_*,filp}");
}

/*
 * The same for a cgroup that nobody is in. Each CPU keeps up to 256 KiB of its charges for
 * its next one, until it is over a bound.
 */
static inline void give_back_to(const char *group)
{
	char path[128];
	int fd;

	give_back();
	snprintf(path, sizeof(path), "%s/memory.high", group);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || dprintf(fd, "0") < 0 || dprintf(fd, "max") < 0)
		perror(path);
	close(fd);
}

#endif /* CTX_MEMORY_H */
