// SPDX-License-Identifier: GPL-2.0
/* See load.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "load.h"

#define MEET_SECONDS	300
#define SLACK		(INT64_C(4) << 20)	/* slabs that are kept for later */

static struct meeting {
	unsigned int arrived;
	unsigned int round;
} *meeting;		/* shared; atomically */

static unsigned int processes;
static pid_t *children;

void load_die(const char *what)
{
	printf("bench: FAILED %s: %s\n", what, strerror(errno));
	fflush(stdout);
	_exit(1);
}

int64_t load_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * LOAD_NSEC + now.tv_nsec;
}

void *load_shared(size_t size)
{
	void *shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (shared == MAP_FAILED)
		load_die("shared memory");
	return shared;
}

void load_raise_files(unsigned long files)
{
	const struct rlimit limit = { files, files };

	if (setrlimit(RLIMIT_NOFILE, &limit))
		load_die("RLIMIT_NOFILE");
}

void load_measure(const char *name, const char *unit, int64_t value)
{
	printf("bench: %s %s %" PRId64 "\n", name, unit, value);
	fflush(stdout);
}

/* The time of a step, as a whole and for each of the contexts. */
void load_per_each(const char *name, int64_t ns, long n)
{
	printf("bench: %s.total ns %" PRId64 "\n", name, ns);
	printf("bench: %s ns %.1f\n", name, (double)ns / n);
	fflush(stdout);
}

static void on_cpu(unsigned int index)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(index % sysconf(_SC_NPROCESSORS_ONLN), &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		load_die("sched_setaffinity");
}

void load_fork(unsigned int n, void (*fn)(unsigned int index))
{
	unsigned int i;

	meeting = load_shared(sizeof(*meeting));
	processes = n;
	children = calloc(n, sizeof(*children));
	if (!children)
		load_die("calloc");
	fflush(stdout);
	for (i = 0; i < n; i++) {
		children[i] = fork();
		if (children[i] < 0)
			load_die("fork");
		if (!children[i]) {
			on_cpu(i);
			fn(i);
			exit(0);
		}
	}
}

void load_meet(void)
{
	const unsigned int round = __atomic_load_n(&meeting->round, __ATOMIC_SEQ_CST);
	const int64_t limit = load_now() + MEET_SECONDS * LOAD_NSEC;

	if (__atomic_add_fetch(&meeting->arrived, 1, __ATOMIC_SEQ_CST) == processes + 1) {
		__atomic_store_n(&meeting->arrived, 0, __ATOMIC_SEQ_CST);
		__atomic_add_fetch(&meeting->round, 1, __ATOMIC_SEQ_CST);
		return;
	}
	while (__atomic_load_n(&meeting->round, __ATOMIC_SEQ_CST) == round) {
		if (load_now() > limit) {
			errno = ETIMEDOUT;
			load_die("waiting for the other processes");
		}
		usleep(1000);
	}
}

bool load_join(void)
{
	bool good = true;
	unsigned int i;
	int status;

	for (i = 0; i < processes; i++)
		if (waitpid(children[i], &status, 0) < 0 || status)
			good = false;
	free(children);
	return good;
}

static int compare(const void *a, const void *b)
{
	const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static void show_histogram(const char *name, const int64_t *values, size_t n)
{
	size_t count[64] = { 0 }, i;

	for (i = 0; i < n; i++)
		count[values[i] > 0 ? 63 - __builtin_clzll(values[i]) : 0]++;
	for (i = 0; i < 64; i++)
		if (count[i])
			printf("bench: %s_histogram.%llu count %zu\n", name, 1ULL << i, count[i]);
}

void load_distribution(const char *name, int64_t *values, size_t n)
{
	static const struct {
		const char *name;
		unsigned int permille;
	} points[] = { { "p50", 500 }, { "p90", 900 }, { "p99", 990 }, { "max", 1000 } };
	size_t i;

	qsort(values, n, sizeof(*values), compare);
	for (i = 0; i < sizeof(points) / sizeof(*points); i++)
		printf("bench: %s.%s ns %" PRId64 "\n", name, points[i].name,
		       values[(n - 1) * points[i].permille / 1000]);
	show_histogram(name, values, n);
	fflush(stdout);
}

int64_t load_meminfo(const char *key)
{
	FILE *file = fopen("/proc/meminfo", "r");
	const size_t len = strlen(key);
	int64_t kib = -1;
	char line[128];

	if (!file)
		load_die("/proc/meminfo");
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, key, len) && line[len] == ':')
			kib = strtoll(line + len + 1, NULL, 10);
	fclose(file);
	return kib * 1024;
}

/* Files and some contexts are freed a while after they were closed. */
bool load_slab_back(const char *name, int64_t before)
{
	const int64_t limit = load_now() + 30 * LOAD_NSEC;
	int64_t after;

	do {
		usleep(200000);
		after = load_meminfo("Slab");
	} while (after > before + SLACK && load_now() < limit);
	printf("bench: %s.slab_kept bytes %" PRId64 "\n", name, after - before);
	if (after <= before + SLACK)
		return true;
	printf("bench: FAILED %s: %" PRId64 " bytes of slab are not back\n", name, after - before);
	return false;
}
