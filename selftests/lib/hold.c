// SPDX-License-Identifier: GPL-2.0
/*
 * usage: hold KIND...
 *
 * Makes a chain of contexts from Background, or from the one in CTX_FD, prints their
 * numbers in a line, and holds them until its input ends. Each line of input is
 * another KIND, which is one of
 *
 *	cancel, keep, without, timeout=SECONDS, value=KEY=VALUE, expire (a timeout
 *	of nothing)
 *
 * or "again=TIMES", which is a line of its own: one, and another one each time that it
 * is done, TIMES in all, before whoever has ended it on CPU 0 goes on; then, or with
 * the next line of input, how many of them were not done
 *
 * or something else: "pipe" asks for "done" to be written to descriptor 4 when the
 * last one is done; "name=NAME" is what this process calls itself from then on; "up"
 * goes back to the one before, to branch there.
 */
#define _GNU_SOURCE
#include <err.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>
#include "libctx.h"

#define MAX_CHAIN	256

static int chain[MAX_CHAIN], top;

static void push(int fd)
{
	struct ctx_ioc_info info;

	if (fd < 0 || ctx_info(fd, &info))
		err(1, "cannot make a context");
	printf("%llu ", info.id);
	chain[++top] = fd;
}

static int with_value(int parent, const char *text)
{
	const char *value = strchr(text, '=');

	if (!value)
		errx(1, "'%s' is no value", text);
	return ctx_with_value(parent, text, value - text, value + 1, strlen(value + 1));
}

static void write_when_done(int ctx)
{
	struct ctx_ioc_on_done arg = {
		.size = sizeof(arg),
		.data = (uintptr_t)"done\n",
		.len = 5,
		.fd = 4,
	};

	if (ioctl(ctx, CTX_IOC_ON_DONE, &arg))
		err(1, "on-done");
}

/* What was made so far in a line. */
static void end_line(void)
{
	putchar('\n');
	fflush(stdout);
}

/* Whoever wakes us has to wait until we sleep again. */
static void come_first_on_cpu0(void)
{
	const struct sched_param lowest = { .sched_priority = 1 };
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(0, &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus) || sched_setscheduler(0, SCHED_FIFO, &lowest))
		err(1, "cannot come first");
}

/* False if there is input before. */
static bool wait_done(int fd)
{
	struct pollfd fds[] = {
		{ .fd = fd,           .events = POLLIN },
		{ .fd = STDIN_FILENO, .events = POLLIN },
	};

	return poll(fds, 2, -1) > 0 && fds[0].revents;
}

static void make_again(int times)
{
	int parent = chain[top];

	come_first_on_cpu0();
	push(ctx_with_cancel(parent));
	end_line();
	while (wait_done(chain[top]) && --times) {
		close(chain[top]);
		chain[top] = ctx_with_cancel(parent);
	}
	printf("%d ", times);
}

static void make(const char *kind)
{
	int parent = chain[top];

	if (!strcmp(kind, "cancel"))
		push(ctx_with_cancel(parent));
	else if (!strcmp(kind, "keep"))
		push(ctx_derive(parent, CTX_DERIVE_KEEP, 0, 0, 0));
	else if (!strcmp(kind, "without"))
		push(ctx_without_cancel(parent));
	else if (!strcmp(kind, "expire"))
		push(ctx_with_timeout(parent, 0));
	else if (!strncmp(kind, "timeout=", 8))
		push(ctx_with_timeout(parent, atoll(kind + 8) * CTX_SEC));
	else if (!strncmp(kind, "value=", 6))
		push(with_value(parent, kind + 6));
	else if (!strncmp(kind, "again=", 6))
		make_again(atoi(kind + 6));
	else if (!strcmp(kind, "pipe"))
		write_when_done(parent);
	else if (!strncmp(kind, "name=", 5))
		prctl(PR_SET_NAME, kind + 5);
	else if (!strcmp(kind, "up"))
		top--;
	else
		errx(1, "there is no kind '%s'", kind);
}

int main(int argc, char **argv)
{
	char line[512];

	chain[0] = ctx_from_env();
	if (chain[0] < 0)
		err(1, "/dev/ctx");
	for (int i = 1; i < argc; i++)
		make(argv[i]);
	end_line();
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		make(line);
		end_line();
	}
	return 0;
}
