// SPDX-License-Identifier: GPL-2.0
/*
 * usage: expire CONTEXTS PROCESSES MILLISECONDS NAME PROBE [epoll]
 *
 * A storm of deadlines that processes made: each has its share of CONTEXTS, all
 * of which run out within MILLISECONDS. Each must run out, and not early. How late
 * it was done is told by the kernel. With "epoll", each stands in an epoll set, and
 * how late it is seen there is told too; without, nobody watches, and all are asked
 * afterwards. PROBE is a file: NAME is written to it just before the storm, and an
 * empty line after.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>
#include <libctx.h>

#include "lib/load.h"

#define STRIDE		7919	/* prime: deadlines are not in order */
#define TRIAL		1000
#define EVENTS		256
#define STORM_SECONDS	120

/* What all processes see. */
struct storm {
	int64_t base;		/* when the first is due */
	int late;		/* somebody was not ready in time */
	int64_t done[];		/* lateness by context, then lateness of epoll */
};

static unsigned int contexts, processes, share;
static int64_t spread;
static const char *name, *probe;
static bool watched;
static struct storm *storm;
static int background;

static int64_t deadline(unsigned int context)
{
	return storm->base + (uint64_t)context * STRIDE % contexts * spread / contexts;
}

static int arm(int set, int64_t when, unsigned int i)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u32 = i };
	int fd = ctx_with_deadline(background, CLOCK_MONOTONIC, when);

	if (fd < 0)
		load_die("ctx_with_deadline");
	if (watched && epoll_ctl(set, EPOLL_CTL_ADD, fd, &event))
		load_die("epoll_ctl");
	return fd;
}

static int epoll_set(void)
{
	int set = epoll_create1(EPOLL_CLOEXEC);

	if (set < 0)
		load_die("epoll_create1");
	return set;
}

/* Makes this process's share, each with a deadline from the common base on. */
static void arm_all(int set, int *fds, unsigned int index)
{
	unsigned int i;

	for (i = 0; i < share; i++)
		fds[i] = arm(set, deadline(i * processes + index), i);
	if (load_now() >= storm->base)
		__atomic_store_n(&storm->late, 1, __ATOMIC_SEQ_CST);
}

/* Whether it is done by now, as it must not be before its time. */
static bool note(const int *fds, unsigned int i, unsigned int index, int64_t now)
{
	const unsigned int context = i * processes + index;
	struct ctx_ioc_info info;

	if (ctx_info(fds[i], &info))
		load_die("ctx_info");
	if (!(info.info_flags & CTX_INFO_DONE))
		return false;
	errno = EPROTO;
	if (info.err != ETIMEDOUT || info.deadline != (uint64_t)deadline(context))
		load_die("an expired context");
	storm->done[context] = info.done_time - deadline(context);
	storm->done[contexts + context] = now - deadline(context);
	return true;
}

/* What is not done in time is left out: the first process says what is lost. */
static void ask(const int *fds, unsigned int index)
{
	const int64_t limit = storm->base + STORM_SECONDS * LOAD_NSEC;
	unsigned int i;

	while (load_now() < storm->base + spread)
		usleep(10000);
	for (i = 0; i < share; i++)
		while (!note(fds, i, index, 0) && load_now() < limit)
			usleep(10000);
}

static void collect(int set, const int *fds, unsigned int index)
{
	const int64_t limit = storm->base + STORM_SECONDS * LOAD_NSEC;
	struct epoll_event events[EVENTS];
	unsigned int got = 0;
	int64_t now;
	int i, n;

	while (got < share) {
		n = epoll_wait(set, events, EVENTS, 1000);
		now = load_now();
		if (n < 0)
			load_die("epoll_wait");
		if (!n && now > limit)
			return;
		for (i = 0; i < n; i++) {
			errno = EPROTO;
			if (!note(fds, events[i].data.u32, index, now))
				load_die("a context that is readable");
			epoll_ctl(set, EPOLL_CTL_DEL, fds[events[i].data.u32], NULL);
		}
		got += n;
	}
}

static void work(unsigned int index)
{
	int *fds = calloc(share, sizeof(*fds));
	int set = epoll_set();
	unsigned int i;

	if (!fds)
		load_die("calloc");
	load_raise_files(share + 100);
	for (;;) {
		load_meet();	/* the base is set */
		arm_all(set, fds, index);
		load_meet();
		if (!__atomic_load_n(&storm->late, __ATOMIC_SEQ_CST))
			break;
		for (i = 0; i < share; i++)
			close(fds[i]);
		load_meet();
	}
	if (watched)
		collect(set, fds, index);
	else
		ask(fds, index);
	load_meet();
	for (i = 0; i < share; i++)
		close(fds[i]);
}

static void write_probe(const char *text)
{
	const int fd = open(probe, O_WRONLY);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		load_die(probe);
	close(fd);
}

/* How long making all of them may take, by trying a few. */
static int64_t lead(void)
{
	const int64_t start = load_now();
	int fds[TRIAL], set = epoll_set();
	unsigned int i;
	int64_t took;

	for (i = 0; i < TRIAL; i++)
		fds[i] = arm(set, start + 3600 * LOAD_NSEC, i);
	took = load_now() - start;
	for (i = 0; i < TRIAL; i++)
		close(fds[i]);
	close(set);
	return took * contexts / TRIAL * 3 / 2 + LOAD_NSEC;
}

/* Tells the others the base until all are ready in time. */
static bool begin(int64_t ahead)
{
	int tries;

	for (tries = 0; tries < 4; tries++, ahead *= 2) {
		storm->late = 0;
		storm->base = load_now() + ahead;
		fprintf(stderr, "expire: making %u, due in %lld ms\n", contexts,
			(long long)ahead / 1000000);
		load_meet();
		load_meet();	/* all made */
		if (!__atomic_load_n(&storm->late, __ATOMIC_SEQ_CST))
			return true;
		load_meet();	/* all closed */
	}
	return false;
}

static bool judge(void)
{
	unsigned int i, lost = 0, early = 0;
	char text[64];

	for (i = 0; i < contexts; i++) {
		lost += storm->done[i] == INT64_MIN;
		early += storm->done[i] < 0 && storm->done[i] != INT64_MIN;
	}
	snprintf(text, sizeof(text), "%s.expired", name);
	load_measure(text, "count", contexts - lost);
	snprintf(text, sizeof(text), "%s.lost", name);
	load_measure(text, "count", lost);
	snprintf(text, sizeof(text), "%s.early", name);
	load_measure(text, "count", early);
	snprintf(text, sizeof(text), "%s.late", name);
	load_distribution(text, storm->done, contexts);
	snprintf(text, sizeof(text), "%s.seen", name);
	if (watched)
		load_distribution(text, storm->done + contexts, contexts);
	if (!lost && !early)
		return true;
	printf("bench: FAILED %s: %u lost, %u early\n", name, lost, early);
	return false;
}

static void parse(int argc, char **argv)
{
	watched = argc == 7 && !strcmp(argv[6], "epoll");
	if (argc != 6 && !watched) {
		fprintf(stderr, "usage: %s CONTEXTS PROCESSES MILLISECONDS NAME PROBE [epoll]\n",
			argv[0]);
		exit(1);
	}
	processes = strtoul(argv[2], NULL, 10);
	share = strtoul(argv[1], NULL, 10) / processes;
	contexts = share * processes;
	spread = strtoul(argv[3], NULL, 10) * 1000000;
	name = argv[4];
	probe = argv[5];
}

int main(int argc, char **argv)
{
	int64_t before = load_meminfo("Slab"), ahead;
	unsigned int i;
	bool good;

	parse(argc, argv);
	storm = load_shared(sizeof(*storm) + 2 * contexts * sizeof(*storm->done));
	for (i = 0; i < contexts; i++)
		storm->done[i] = INT64_MIN;
	load_raise_files(TRIAL + 100);
	background = ctx_background();
	if (background < 0)
		load_die("ctx_background");
	ahead = lead();

	load_fork(processes, work);
	if (!begin(ahead)) {
		errno = ETIME;
		load_die("making them in time");
	}
	write_probe(name);
	load_meet();
	write_probe("\n");
	good = judge();
	close(background);
	if (!load_join())
		return 1;
	return !load_slab_back(name, before) || !good;
}
