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
 * or something else: "pipe" asks for "done" to be written to descriptor 4 when the
 * last one is done; "name=NAME" is what this process calls itself from then on; "up"
 * goes back to the one before, to branch there.
 */
#define _GNU_SOURCE
#include <err.h>
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
	else if (!strcmp(kind, "pipe"))
		write_when_done(parent);
	else if (!strncmp(kind, "name=", 5))
		prctl(PR_SET_NAME, kind + 5);
	else if (!strcmp(kind, "up"))
		top--;
	else
		errx(1, "there is no kind '%s'", kind);
}

/* What was made so far in a line. */
static void end_line(void)
{
	putchar('\n');
	fflush(stdout);
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
