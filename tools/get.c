// SPDX-License-Identifier: GPL-2.0
/* ctx get: a value, byte by byte. */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include "tool.h"

#define EXIT_ABSENT	1

static const char get_help[] =
	"usage: ctx get [-f FD] KEY\n"
	"\n"
	"Prints the value that KEY has in the context that this command was started under,\n"
	"as it is, with no newline added.\n"
	"\n"
	"  -f, --fd FD   the context at this descriptor instead\n"
	"  -h, --help    this text\n"
	"\n"
	"Values are passed on from parents to children; the nearest one counts. They can be\n"
	"read through a descriptor that was handed down, not by a context's number.\n"
	"\n"
	"Exit status: 0, 1 if KEY has no value, 125 if there is no context to ask.\n"
	"\n"
	"examples:\n"
	"  ctx run -- ctx get ctx.run      the name of the command, as ctx run sets it\n"
	"  id=$(ctx get request-id) || id=none\n";

/* @named: the descriptor that -f has, or -1. */
static __noreturn void die_of_right(int named)
{
	if (named >= 0)
		die("the context at descriptor %d does not let its values be read", named);
	if (ctx_env_fd() >= 0)
		die("the context that CTX_FD names does not let its values be read");
	die("the context of this cgroup does not let its values be read; CTX_FD might");
}

static int look_up(int fd, int named, const char *key)
{
	static char value[CTX_VALUE_MAX];
	size_t len = sizeof(value);

	if (!*key || strlen(key) > CTX_KEY_MAX)
		die("a key has 1 to %d bytes", CTX_KEY_MAX);
	if (!ctx_value(fd, key, strlen(key), value, &len)) {
		fwrite(value, 1, len, stdout);
		return flush_output();
	}
	if (errno == ENOENT)
		return EXIT_ABSENT;
	if (errno == EPERM)
		die_of_right(named);
	die_of_descriptor(fd);
}

int cmd_get(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "fd",   required_argument, NULL, 'f' },
		{ "help", no_argument,       NULL, 'h' },
		{ NULL }
	};
	int option, fd = -1;

	while ((option = getopt_long(argc, argv, "f:h", longs, NULL)) != -1) {
		if (option == 'h')
			return show_help(get_help);
		if (option != 'f')
			die_of_usage("get");
		if (parse_descriptor(optarg, &fd))
			die("'%s' is no descriptor", optarg);
	}
	if (argc - optind != 1)
		die(optind < argc ? "one key at a time; try 'ctx get --help'" :
		    "no key; try 'ctx get --help'");
	return look_up(fd < 0 ? env_or_die() : fd, fd, argv[optind]);
}
