// SPDX-License-Identifier: GPL-2.0
/* ctx info and ctx wait: a context, and the end of one, in words. */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "tool.h"

#define EXIT_NOT_DONE	1

static volatile sig_atomic_t last_signal;

const char info_help[] =
	"usage: ctx info [-f FD]\n"
	"\n"
	"Shows the context that this command was started under, as CTX_FD names it.\n"
	"\n"
	"  -f, --fd FD   the context at this descriptor instead\n"
	"  -h, --help    this text\n"
	"\n"
	"Exit status: 0, or 125 if there is no context to show.\n"
	"\n"
	"examples:\n"
	"  ctx run -t 10s -- ctx info    a context with 10 seconds to live\n"
	"  ctx info -f 3 3<>/dev/ctx     Background, the root of all contexts\n";

const char wait_help[] =
	"usage: ctx wait [-t DURATION] [-f FD]\n"
	"\n"
	"Waits until the context that this command was started under is done, and says\n"
	"who ended it, when and why.\n"
	"\n"
	"  -t, --timeout DURATION   do not wait longer; 0, which is the default, means\n"
	"                           no limit\n"
	"  -f, --fd FD              the context at this descriptor instead\n"
	"  -h, --help               this text\n"
	"\n"
	"DURATION is a number, such as 2 or 0.5, of seconds, or with one of the suffixes\n"
	"ms, s, m, h and d.\n"
	"\n"
	"Exit status: 0 if the context is done, 1 if it was not within DURATION, 125 if\n"
	"there is no context to wait for.\n"
	"\n"
	"examples:\n"
	"  ctx run -t 1s -- ctx wait                  times out after a second\n"
	"  ctx wait -t 1ms || echo 'still time left'  in a script under a context\n";

/* An errno number as ENAME, text. */
static const char *errno_text(unsigned int number)
{
	static char text[128];
	const char *name = strerrorname_np(number);

	if (name)
		snprintf(text, sizeof(text), "%s, %s", name, strerror(number));
	else
		snprintf(text, sizeof(text), "errno %u", number);
	return text;
}

static const char *state_text(unsigned int err)
{
	switch (err) {
	case 0:
		return "live";
	case ETIMEDOUT:
		return "timed out";
	default:
		return "cancelled";
	}
}

/* Nanoseconds as people read them: 12.3 ms, 1.500 s, 2 h 5 min. */
static const char *span_text(int64_t ns)
{
	static char text[64];
	int64_t minutes = ns / CTX_SEC / 60;

	if (ns < CTX_SEC)
		snprintf(text, sizeof(text), "%.1f ms", ns / 1e6);
	else if (minutes < 1)
		snprintf(text, sizeof(text), "%.3f s", ns / 1e9);
	else if (minutes < 60)
		snprintf(text, sizeof(text), "%d min %d s", (int)minutes,
			 (int)(ns / CTX_SEC % 60));
	else
		snprintf(text, sizeof(text), "%d h %d min", (int)(minutes / 60),
			 (int)(minutes % 60));
	return text;
}

static int64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * CTX_SEC + now.tv_nsec;
}

/* A time of CLOCK_MONOTONIC as "18:03:27.120, 3.1 ms ago". */
static const char *when_text(int64_t time)
{
	static char text[128];
	int64_t ago = clock_ns(CLOCK_MONOTONIC) - time;
	int64_t wall = clock_ns(CLOCK_REALTIME) - ago;
	time_t seconds = wall / CTX_SEC;
	char clock[32] = "";
	struct tm tm;

	if (localtime_r(&seconds, &tm))
		strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	snprintf(text, sizeof(text), "%s.%03d, %s ago", clock,
		 (int)(wall % CTX_SEC / CTX_MSEC), span_text(ago));
	return text;
}

/*
 * "sh[12]", or "timer" where no process did it. A task names itself as it likes,
 * but it shall not move the reader's cursor.
 */
static const char *who_text(const char *comm, unsigned int pid)
{
	static char text[CTX_COMM_LEN + 16];
	int i;

	for (i = 0; i < CTX_COMM_LEN && comm[i]; i++)
		text[i] = isprint((unsigned char)comm[i]) ? comm[i] : '?';
	if (pid)
		snprintf(text + i, sizeof(text) - i, "[%u]", pid);
	else
		text[i] = '\0';
	return text;
}

/* The end of a context in one line: who, when, why. */
void print_end(FILE *out, const struct ctx_event *event)
{
	fprintf(out, "context %llu %s", event->id,
		event->err == ETIMEDOUT ? "timed out" : "was cancelled");
	fprintf(out, " by %s", who_text(event->comm, event->pid));
	fprintf(out, " at %s", when_text(event->time));
	if (event->cause != event->err)
		fprintf(out, ": %s", errno_text(event->cause));
	if (event->origin_id && event->origin_id != event->id)
		fprintf(out, " (because context %llu did)", event->origin_id);
	fputc('\n', out);
}

static bool use_colour(void)
{
	const char *no_colour = getenv("NO_COLOR");

	return isatty(STDOUT_FILENO) && !(no_colour && *no_colour);
}

static void print_state(const struct ctx_ioc_info *info)
{
	bool colour = use_colour();

	printf("state     %s%s%s\n", colour ? (info->err ? "\033[31m" : "\033[32m") : "",
	       state_text(info->err), colour ? "\033[0m" : "");
}

static void print_deadline(const struct ctx_ioc_info *info)
{
	int64_t left = info->deadline - clock_ns(CLOCK_MONOTONIC);

	if (!(info->info_flags & CTX_INFO_DEADLINE))
		printf("deadline  none\n");
	else if (info->err)
		printf("deadline  was set\n");
	else
		printf("deadline  in %s\n", span_text(left > 0 ? left : 0));
}

static void print_why(const struct ctx_ioc_info *info)
{
	printf("cause     %s\n", errno_text(info->cause));
	printf("by        %s\n", who_text(info->origin_comm, info->origin_pid));
	printf("when      %s\n", when_text(info->done_time));
	if (info->origin_id)
		printf("origin    context %llu%s\n", info->origin_id,
		       info->origin_id == info->id ? ", this one" : "");
}

static void print_family(const struct ctx_ioc_info *info)
{
	if (info->parent_id)
		printf("parent    context %llu\n", info->parent_id);
	else if (info->depth <= 1)
		printf("parent    background\n");
	else
		printf("parent    made by no process\n");
	printf("depth     %u\n", info->depth);
	printf("creator   %s, uid %u\n", who_text(info->creator_comm, info->creator_pid),
	       info->owner_uid);
}

static void print_rights(unsigned int rights)
{
	static const char * const names[] = { "cancel", "derive", "value", "observe" };

	printf("rights   ");
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (rights & (1U << i))
			printf(" %s", names[i]);
	putchar('\n');
}

static void print_info(const struct ctx_ioc_info *info)
{
	if (!info->depth) {
		printf("context   background, which is never done\n");
		print_rights(info->rights);
		return;
	}
	printf("context   %llu%s\n", info->id,
	       info->info_flags & CTX_INFO_KEEP ? ", outlives its owner" : "");
	print_state(info);
	if (info->err)
		print_why(info);
	print_deadline(info);
	print_family(info);
	print_rights(info->rights);
}

/* The descriptor in CTX_FD; ends the program if that is no context. */
static int env_or_die(void)
{
	int fd = ctx_env_fd();

	if (fd >= 0)
		return fd;
	if (errno == ENOENT)
		die("CTX_FD is not set: this was not started under a context");
	if (errno == EINVAL)
		die("CTX_FD is no number: '%s'", getenv("CTX_FD"));
	if (errno == EBADF)
		die("CTX_FD is %s, but that descriptor was closed on the way", getenv("CTX_FD"));
	die("CTX_FD is %s, but that descriptor is no context", getenv("CTX_FD"));
}

static void die_of_descriptor(int fd)
{
	if (errno == EBADF)
		die("descriptor %d is not open", fd);
	if (errno == EPERM)
		die("the context at descriptor %d may not be observed", fd);
	if (errno == ENOTTY || errno == EINVAL)
		die("descriptor %d is no context", fd);
	die("descriptor %d: %s", fd, strerror(errno));
}

struct options {
	int64_t timeout;
	int fd;
};

/* Returns true if --help was asked for. */
static bool parse_options(int argc, char **argv, const char *verb, struct options *options)
{
	static const struct option longs[] = {
		{ "fd",      required_argument, NULL, 'f' },
		{ "timeout", required_argument, NULL, 't' },
		{ "help",    no_argument,       NULL, 'h' },
		{ NULL }
	};
	bool waits = !strcmp(verb, "wait");
	int option;

	while ((option = getopt_long(argc, argv, waits ? "f:t:h" : "f:h", longs, NULL)) != -1) {
		if (option == 'h')
			return true;
		if (option == 'f') {
			if (parse_descriptor(optarg, &options->fd))
				die("'%s' is no descriptor", optarg);
		} else if (option == 't' && waits) {
			if (parse_duration(optarg, &options->timeout))
				die("'%s' is no duration, such as 10, 0.5s or 200ms", optarg);
		} else {
			die_of_usage(verb);
		}
	}
	if (optind < argc)
		die("'%s' is one argument too many; try 'ctx %s --help'", argv[optind], verb);
	if (options->fd < 0)
		options->fd = env_or_die();
	return false;
}

int cmd_info(int argc, char **argv)
{
	struct options options = { .fd = -1 };
	struct ctx_ioc_info info;

	if (parse_options(argc, argv, "info", &options))
		return show_help(info_help);
	if (ctx_info(options.fd, &info))
		die_of_descriptor(options.fd);
	print_info(&info);
	return fflush(stdout) ? EXIT_CTX_FAILED : 0;
}

static void note_signal(int number)
{
	last_signal = number;
}

/* Signals that end programs interrupt only the wait itself; returns that mask. */
static sigset_t catch_signals(void)
{
	static const int numbers[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };
	struct sigaction old, action = { .sa_handler = note_signal };
	sigset_t set, old_mask;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		sigaddset(&set, numbers[i]);
		if (!sigaction(numbers[i], NULL, &old) && old.sa_handler != SIG_IGN)
			sigaction(numbers[i], &action, NULL);
	}
	sigprocmask(SIG_BLOCK, &set, &old_mask);
	return old_mask;
}

static void die_of_signal(const sigset_t *old_mask)
{
	signal(last_signal, SIG_DFL);
	raise(last_signal);
	sigprocmask(SIG_SETMASK, old_mask, NULL);
}

/*
 * As ctx_wait(). The end of a context often comes with a signal, which ctx run
 * sends to its command's process group; it must not keep the end from being told.
 */
static int wait_through_signals(const struct options *options, struct ctx_event *event)
{
	struct pollfd fd = { .fd = options->fd, .events = POLLIN };
	struct timespec time = {
		.tv_sec = options->timeout / CTX_SEC,
		.tv_nsec = options->timeout % CTX_SEC,
	};
	sigset_t old_mask = catch_signals();
	int err = ctx_wait(options->fd, 0, event);

	if (err)
		return err;
	ppoll(&fd, 1, options->timeout ? &time : NULL, &old_mask);
	err = ctx_wait(options->fd, 0, event);
	if (!err && last_signal)
		die_of_signal(&old_mask);
	return err;
}

int cmd_wait(int argc, char **argv)
{
	struct options options = { .fd = -1 };
	struct ctx_event event;
	int err;

	if (parse_options(argc, argv, "wait", &options))
		return show_help(wait_help);
	err = wait_through_signals(&options, &event);
	if (err < 0)
		die_of_descriptor(options.fd);
	if (!err)
		return EXIT_NOT_DONE;
	print_end(stdout, &event);
	return fflush(stdout) ? EXIT_CTX_FAILED : 0;
}
