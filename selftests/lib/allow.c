// SPDX-License-Identifier: GPL-2.0
/*
 * usage: allow RIGHT[,RIGHT]... COMMAND...
 *
 * Becomes COMMAND, with a CTX_FD that allows nothing else: the context is the same as
 * before. RIGHT is cancel, derive, value or observe.
 */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "libctx.h"

static unsigned int parse_rights(char *text)
{
	static char * const names[] = { "cancel", "derive", "value", "observe", NULL };
	unsigned int rights = 0;
	char *value;
	int right;

	while (*text) {
		right = getsubopt(&text, names, &value);
		if (right < 0)
			errx(1, "'%s' is no right", value);
		rights |= 1U << right;
	}
	return rights;
}

int main(int argc, char **argv)
{
	char text[16];
	int fd;

	if (argc < 3)
		errx(1, "usage: allow RIGHT[,RIGHT]... COMMAND...");
	fd = ctx_restrict(ctx_from_env(), parse_rights(argv[1]));
	if (fd < 0)
		err(1, "%s", argv[1]);
	fcntl(fd, F_SETFD, 0);
	snprintf(text, sizeof(text), "%d", fd);
	setenv("CTX_FD", text, 1);
	execvp(argv[2], argv + 2);
	err(1, "%s", argv[2]);
}
