// SPDX-License-Identifier: GPL-2.0
/*
 * usage: live CONTEXTS PROCESSES
 *
 * As many live contexts as processes can hold, each by a descriptor: made, found
 * at random, cancelled by one call at the top, polled, closed. What each step took
 * is printed, and the memory must be back. The first process makes one chain of
 * its share, the others have children of one context each.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <libctx.h>

#include "lib/load.h"

#define FINDS	100000
#define POLLED	10000

static unsigned int contexts, share;
static int top;

static unsigned int any(unsigned int n)
{
	return random() % n;
}

static void make(int *fds, bool chain)
{
	int parent = ctx_with_cancel(top);
	unsigned int i;

	if (parent < 0)
		load_die("ctx_with_cancel");
	fds[0] = parent;
	for (i = 1; i < share; i++) {
		fds[i] = ctx_with_cancel(parent);
		if (fds[i] < 0)
			load_die("ctx_with_cancel");
		if (chain)
			parent = fds[i];
	}
}

static void find(const int *fds, bool chain)
{
	struct ctx_ioc_info info;
	unsigned int i, at;

	for (i = 0; i < FINDS; i++) {
		at = any(share);
		if (ctx_info(fds[at], &info))
			load_die("ctx_info");
		errno = EPROTO;
		/* Below Background and the top. */
		if (info.depth != (chain ? at + 2 : at ? 3 : 2) || info.info_flags & CTX_INFO_DONE)
			load_die("a live context");
	}
}

static void check_cancelled(const int *fds)
{
	struct pollfd polled[POLLED];
	struct ctx_ioc_info info;
	unsigned int i;

	for (i = 0; i < share; i++) {
		if (ctx_info(fds[i], &info))
			load_die("ctx_info");
		errno = EPROTO;
		if (info.err != ECANCELED || info.cause != EINTR)
			load_die("a cancelled context");
	}
	for (i = 0; i < POLLED; i++)
		polled[i] = (struct pollfd){ .fd = fds[any(share)], .events = POLLIN };
	if (poll(polled, POLLED, 0) != POLLED)
		load_die("poll");
}

/* One of the processes; the first one of all meets them at each step. */
static void work(unsigned int index)
{
	const bool chain = index == 0;
	int *fds = calloc(share, sizeof(*fds));
	unsigned int i;

	if (!fds)
		load_die("calloc");
	load_raise_files(share + 100);
	srandom(index);
	load_meet();
	make(fds, chain);
	load_meet();
	find(fds, chain);
	load_meet();
	load_meet();	/* cancelled meanwhile */
	check_cancelled(fds);
	load_meet();
	for (i = 0; i < share; i++)
		close(fds[i]);
	close(top);
	load_meet();
}

static void step(const char *name, long n)
{
	const int64_t start = load_now();

	fprintf(stderr, "live: %s\n", name);
	load_meet();
	load_per_each(name, load_now() - start, n);
}

static void cancel_top(long n)
{
	const int64_t start = load_now();

	if (ctx_cancel(top, EINTR))
		load_die("ctx_cancel");
	load_per_each("scale.user.cancel", load_now() - start, n);
	load_meet();
}

int main(int argc, char **argv)
{
	int64_t before = load_meminfo("Slab"), live;
	unsigned int processes;

	if (argc != 3) {
		fprintf(stderr, "usage: %s CONTEXTS PROCESSES\n", argv[0]);
		return 1;
	}
	contexts = strtoul(argv[1], NULL, 10);
	processes = strtoul(argv[2], NULL, 10);
	share = contexts / processes;
	contexts = share * processes;
	top = ctx_with_cancel(ctx_background());
	if (top < 0)
		load_die("ctx_with_cancel");

	load_fork(processes, work);
	load_meet();
	step("scale.user.make", contexts);
	live = load_meminfo("Slab");
	load_measure("scale.user.live", "count", contexts);
	load_measure("scale.user.slab", "bytes", (live - before) / contexts);
	step("scale.user.find", (long)FINDS * processes);
	cancel_top(contexts);
	step("scale.user.check", contexts);
	close(top);
	step("scale.user.close", contexts);
	if (!load_join())
		return 1;
	return !load_slab_back("scale.user", before);
}
