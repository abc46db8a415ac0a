// SPDX-License-Identifier: GPL-2.0
/*
 * Nobody holds anything: no context may be left, and memory must be where it was.
 *
 * What is in caches of ctx's own is counted, and has to be the same to the object as before
 * the first round. All memory of the kernel that cannot be reclaimed is compared with what
 * it was after that, as then the kernel has all that it takes for so many processes, and
 * with a tolerance: a page of slabs stays as long as anything of it is used by anybody.
 */
#include <errno.h>
#include <libctx.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../memory.h"
#include "soak.h"

#define DROP		"/proc/sys/vm/drop_caches"
#define TOLERANCE_KB	4096
#define WAIT_SECONDS	120	/* what has not gone by then stays */

struct memory {
	long long objects;	/* in caches of ctx */
	long long kb;
};

/* A socket that is closed has the kernel look for those in which others are adrift. */
static void collect(void)
{
	close(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

static long long count_objects(void)
{
	FILE *file = fopen("/proc/slabinfo", "re");
	long long sum = 0, objects;
	char line[256];

	if (!file)
		die("slabinfo");
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, "ctx_", 4) && sscanf(line, "%*s %lld", &objects) == 1)
			sum += objects;
	fclose(file);
	return sum;
}

static void drop_caches(void)
{
	FILE *file = fopen(DROP, "we");

	if (!file || fputs("3", file) < 0 || fclose(file))
		die(DROP);
}

static void measure(struct memory *memory)
{
	collect();
	give_back();
	memory->objects = count_objects();
	memory->kb = read_field("/proc/meminfo", "SUnreclaim");
}

static bool is_nothing_left(int background)
{
	uint64_t id = 0;

	return ctx_next(background, &id) && errno == ENOENT &&
	       read_field(CTX_COUNTERS, "live") == 0;
}

static bool is_over(int64_t end)
{
	static const struct timespec pause = { .tv_nsec = 50 * CTX_MSEC };

	nanosleep(&pause, NULL);
	return now() > end;
}

static void wait_until_nothing_is_left(int background, int64_t end)
{
	for (;;) {
		collect();
		if (is_nothing_left(background))
			return;
		if (is_over(end))
			break;
	}
	wrong("%lld contexts are left", read_field(CTX_COUNTERS, "live"));
}

static bool is_as_before(const struct memory *memory, const struct memory *first, int round)
{
	if (round >= 0 && memory->objects > first->objects)
		return false;
	return round <= 0 || memory->kb <= first->kb + TOLERANCE_KB;
}

/* Round -1 is before the first. */
void quiet_check(int background, int round)
{
	static struct memory first;
	const int64_t end = now() + WAIT_SECONDS * CTX_SEC;
	struct memory memory;

	wait_until_nothing_is_left(background, end);
	drop_caches();
	measure(&memory);
	while (!is_as_before(&memory, &first, round)) {
		if (is_over(end)) {
			wrong("%lld objects of ctx were %lld, %lld KiB of slabs were %lld",
			      memory.objects, first.objects, memory.kb, first.kb);
			break;
		}
		measure(&memory);
	}
	if (round < 0)
		first.objects = memory.objects;
	if (round <= 0)
		first.kb = memory.kb;
	printf("# round %d: %lld objects of ctx, %lld KiB of slabs that cannot be reclaimed\n",
	       round, memory.objects, memory.kb);
}
