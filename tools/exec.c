// SPDX-License-Identifier: GPL-2.0
/* ctx exec: a command under a context that is there already. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "run.h"
#include "tool.h"

const char exec_help[] =
	"usage: ctx exec [OPTION]... ID [--] COMMAND [ARGUMENT]...\n"
	"\n"
	"Runs COMMAND under the context that has the number ID, as if ctx run had been\n"
	"started under it: when that one is done, COMMAND and all that it started get a\n"
	"signal. It has to be a context of a user whom you may send signals to. Values\n"
	"cannot be read under it by COMMAND.\n"
	"\n"
	"  -t, --timeout DURATION     the time is up after DURATION, or when it is for ID\n"
	"  -k, --kill-after DURATION  send KILL this long after the first signal\n"
	"  -s, --signal SIGNAL        the first signal, by name or number; TERM if not given\n"
	"  -f, --foreground           send signals to COMMAND alone\n"
	"  -p, --preserve-status      end as COMMAND does, also when the time is up\n"
	"  -g, --cgroup               run nothing if no cgroup can be made for COMMAND\n"
	"  -q, --quiet                do not say that none can, or that COMMAND was not\n"
	"                             started because the context was done already\n"
	"  -v, --verbose              say who ended the context, when and why, and which\n"
	"                             signal is sent\n"
	"  -h, --help                 this text\n"
	"      --version              the version\n"
	"\n"
	"What each means, and the exit status, is as for ctx run: see 'ctx run --help'.\n"
	"\n"
	"examples:\n"
	"  ctx exec 42 -- tar xf big.tar         ends when context 42 does\n"
	"  ctx exec -t 5s 42 -- ./probe          within 5 seconds, and before 42 is done\n";

/* The context called @text; only to be derived from, so that nobody is kept by it. */
static int open_by_id(const char *text)
{
	int background, fd;
	uint64_t id;

	if (parse_id(text, &id))
		die("'%s' is no context's number, such as 42", text);
	background = ctx_background();
	if (background < 0)
		die_of_device();
	fd = ctx_open(background, id, CTX_RIGHT_DERIVE | CTX_RIGHT_OBSERVE);
	if (fd < 0 && errno == ESRCH)
		die("there is no context %s: see 'ctx tree'", text);
	if (fd < 0 && errno == EPERM)
		die("context %s is of a user whom you may not send signals to", text);
	if (fd < 0)
		die("context %s: %s", text, strerror(errno));
	close(background);
	return fd;
}

int cmd_exec(int argc, char **argv)
{
	struct run run = RUN_INIT;
	const char *id;

	run_options(&run, argc, argv, "exec", exec_help);
	/* That right is passed on from above, where an ID does not have it. */
	if (run.nr_values)
		die("--value is for ctx run: under an ID, no value could be read");
	id = *run.command++;
	if (*run.command && !strcmp(*run.command, "--"))
		run.command++;
	if (!*run.command)
		die("no command; try 'ctx exec --help'");
	arrange_descriptors(&run);
	return run_command(&run, open_by_id(id));
}
