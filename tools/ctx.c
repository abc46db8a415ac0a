// SPDX-License-Identifier: GPL-2.0
/* The ctx command: which verb is meant, and what is said when things go wrong. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

static const char help[] =
	"usage: ctx VERB [OPTION]... [ARGUMENT]...\n"
	"\n"
	"Cancellation contexts: run commands under a deadline that everything they\n"
	"start shares, and see who ended what, when and why.\n"
	"\n"
	"  run     run a command under a context of its own\n"
	"  exec    run a command under a context that is there already\n"
	"  tree    show the contexts there are, and what runs under them\n"
	"  top     the same, sorted, again and again\n"
	"  info    show one: that which this command was started under, or any\n"
	"  get     print a value of the one that this command was started under\n"
	"  wait    wait until contexts are done, and say why\n"
	"  cancel  cancel contexts\n"
	"  trace   show what happens to contexts, while it does\n"
	"\n"
	"'ctx VERB --help' has the options and examples of each.\n"
	"\n"
	"examples:\n"
	"  ctx run -t 30s -- make check         at most 30 seconds\n"
	"  ctx run -t 1m -k 5s -- ./server      TERM after a minute, KILL 5 s later\n"
	"  ctx run -t 2s -- sh -c 'ctx info'    what the command sees\n"
	"  ctx tree --watch                     what is there, and what ended why\n"
	"  ctx cancel 42 -c EIO                 ends context 42 and all below it\n";

static const struct verb {
	const char *name;
	int (*run)(int argc, char **argv);
} verbs[] = {
	{ "run",    cmd_run },
	{ "exec",   cmd_exec },
	{ "tree",   cmd_tree },
	{ "top",    cmd_top },
	{ "info",   cmd_info },
	{ "get",    cmd_get },
	{ "wait",   cmd_wait },
	{ "cancel", cmd_cancel },
	{ "trace",  cmd_trace },
};

static void vcomplain(const char *fmt, va_list args)
{
	fputs("ctx: ", stderr);
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
}

void complain(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vcomplain(fmt, args);
	va_end(args);
}

void die(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vcomplain(fmt, args);
	va_end(args);
	exit(EXIT_CTX_FAILED);
}

/* For when /dev/ctx could not be opened: what to do about it. */
void die_of_device(void)
{
	switch (errno) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		if (!access("/sys/module/ctx", F_OK))
			die("/dev/ctx is not here: the container has to be given that device");
		die("/dev/ctx is not there: load the module with 'modprobe ctx'");
	case EACCES:
		die("/dev/ctx may not be opened by you: root lets all with 'chmod 666 /dev/ctx'");
	case EPERM:
		die("/dev/ctx may not be opened here: the container has to allow that device");
	default:
		die("/dev/ctx cannot be opened: %s", strerror(errno));
	}
}

/* After getopt(3) has said what is wrong. */
void die_of_usage(const char *verb)
{
	die("try 'ctx %s --help'", verb);
}

/* Prints to standard output; the exit status says whether that worked. */
int show_help(const char *text)
{
	fputs(text, stdout);
	return flush_output();
}

int flush_output(void)
{
	if (fflush(stdout) || ferror(stdout))
		die("cannot write: %s", strerror(errno));
	return 0;
}

int main(int argc, char **argv)
{
	const char *verb = argv[1];

	/* Several processes may write there: whole lines at once. */
	setvbuf(stderr, NULL, _IOLBF, 0);
	if (argc < 2)
		die("no verb; try 'ctx --help'");
	if (!strcmp(verb, "--help") || !strcmp(verb, "-h") || !strcmp(verb, "help"))
		return show_help(help);
	if (!strcmp(verb, "--version"))
		return show_help("ctx " CTX_VERSION "\n");
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++) {
		if (strcmp(verb, verbs[i].name))
			continue;
		argv[1] = argv[0];	/* for the messages of getopt(3) */
		return verbs[i].run(argc - 1, argv + 1);
	}
	die("there is no verb '%s'; try 'ctx --help'", verb);
}
