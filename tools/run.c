// SPDX-License-Identifier: GPL-2.0
/*
 * A command under a context of its own.
 *
 * Two contexts are made: one with the deadline, which only this process can
 * cancel, and below it some with values, the last of which the command gets as
 * CTX_FD. Those have no right to cancel, so however many children inherit one, the
 * death of this process closes the last descriptor that has, and the kernel cancels
 * all of them with EOWNERDEAD.
 *
 * The command has a cgroup, where one can be made, which the kernel kills when
 * this process is dead: see start.c. Elsewhere it has a process group, and what has
 * left that is looked for: see children.c.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "run.h"
#include "tool.h"

const char run_help[] =
	"usage: ctx run [OPTION]... [--] COMMAND [ARGUMENT]...\n"
	"       ctx run -t [OPTION]... DURATION COMMAND [ARGUMENT]...\n"
	"\n"
	"Runs COMMAND under a context, a child of the one that ctx run was started\n"
	"under. When that context is done, because its time is up or one above it is\n"
	"done, COMMAND and all that it started get a signal. COMMAND finds the context at\n"
	"the descriptor that CTX_FD names, can derive its own from it, and sees it\n"
	"cancelled whenever ctx run ends. If ctx run is killed, the kernel kills COMMAND\n"
	"and all that it started, at once.\n"
	"\n"
	"  -t, --timeout DURATION     the time is up after DURATION; before an option, -t\n"
	"                             means that DURATION comes after the options\n"
	"  -k, --kill-after DURATION  send KILL this long after the first signal, to all\n"
	"                             that COMMAND started and did not end\n"
	"  -s, --signal SIGNAL        the first signal, by name or number; TERM if not given\n"
	"      --value KEY=VALUE      give the context a value; may be used several times\n"
	"  -f, --foreground           leave COMMAND in this process group and cgroup, and\n"
	"                             send signals to COMMAND alone\n"
	"  -p, --preserve-status      end as COMMAND does, also when the time is up\n"
	"  -g, --cgroup               run nothing if no cgroup can be made for COMMAND\n"
	"  -q, --quiet                do not say that none can, or that COMMAND was not\n"
	"                             started because the context was done already\n"
	"  -v, --verbose              say on standard error who ended the context, when and\n"
	"                             why, and which signal is sent\n"
	"  -h, --help                 this text\n"
	"      --version              the version\n"
	"\n"
	"DURATION is a number, such as 2 or 0.5, of seconds, or with one of the suffixes\n"
	"ms, s, m, h and d; 0 means none. Of the deadlines of nested runs the earliest\n"
	"rules. HUP, INT, QUIT, TERM and SIGNAL, when sent to ctx run, cancel the context,\n"
	"with EINTR as the cause, and are passed on. ALRM says that the time is up.\n"
	"\n"
	"All that COMMAND starts is held together by a cgroup v2, where ctx run may make\n"
	"one in its own: as root, or where systemd has delegated it. Elsewhere it is\n"
	"found in /proc, by who started whom, and if ctx run is killed, COMMAND alone gets\n"
	"SIGNAL. What is left in the cgroup when COMMAND ends by itself goes on, but sees\n"
	"its context cancelled; a process of ctx run stays with it in the background, and\n"
	"whoever kills that kills all of it.\n"
	"\n"
	"Exit status:\n"
	"  124    the time was up, here or above\n"
	"  125    ctx run itself failed\n"
	"  126    COMMAND was found but cannot be run\n"
	"  127    COMMAND was not found\n"
	"  137    the time was up and COMMAND died of KILL, whoever sent that\n"
	"  128+N  COMMAND died of signal N, also if that was sent because the context was\n"
	"         cancelled; or it was cancelled before the start, N being SIGNAL\n"
	"  else   that of COMMAND\n"
	"\n"
	"examples:\n"
	"  ctx run -t 30s -- make check          at most 30 seconds\n"
	"  ctx run -t 1m -k 5s -- ./server       KILL if it is still there after 65 s\n"
	"  ctx run -t 1h -- ctx run -t 5m -- ./job.sh    5 minutes, and within the hour\n"
	"  ctx run -t 2s -s INT -v -- cat        says what ended it\n"
	"  ctx run --value user=mary -- sh -c 'ctx get user'\n"
	"  alias timeout='ctx run -t'            with the options of timeout(1); 'ctx run -qt'\n"
	"                                        is as silent where there is no cgroup, too\n";

/* The long options without a letter. */
enum {
	OPTION_VALUE = 256,
	OPTION_VERSION,
};

static const struct option longs[] = {
	{ "timeout",         required_argument, NULL, 't' },
	{ "kill-after",      required_argument, NULL, 'k' },
	{ "signal",          required_argument, NULL, 's' },
	{ "value",           required_argument, NULL, OPTION_VALUE },
	{ "foreground",      no_argument,       NULL, 'f' },
	{ "preserve-status", no_argument,       NULL, 'p' },
	{ "cgroup",          no_argument,       NULL, 'g' },
	{ "quiet",           no_argument,       NULL, 'q' },
	{ "verbose",         no_argument,       NULL, 'v' },
	{ "help",            no_argument,       NULL, 'h' },
	{ "version",         no_argument,       NULL, OPTION_VERSION },
	{ NULL }
};

static void set_duration(const char *text, int64_t *ns)
{
	if (parse_duration(text, ns))
		die("'%s' is no duration, such as 10, 0.5s or 5m", text);
}

static void add_value(struct run *run, char *text)
{
	const char *equals = strchr(text, '=');

	if (!equals || equals == text)
		die("'%s' is no value, such as user=mary", text);
	if (equals - text > CTX_KEY_MAX || strlen(equals + 1) > CTX_VALUE_MAX)
		die("a key may have %d bytes and a value %d: '%s'", CTX_KEY_MAX, CTX_VALUE_MAX,
		    text);
	run->values = realloc(run->values, (run->nr_values + 1) * sizeof(*run->values));
	if (!run->values)
		die("%s", strerror(errno));
	run->values[run->nr_values++] = text;
}

static void set_flag(struct run *run, int option, const char *verb)
{
	switch (option) {
	case 'f':
		run->foreground = true;
		break;
	case 'p':
		run->preserve_status = true;
		break;
	case 'g':
		run->group_or_none = true;
		break;
	case 'q':
		run->quiet = true;
		break;
	case 'v':
		run->verbose = true;
		break;
	default:
		die_of_usage(verb);
	}
}

/*
 * No duration begins with a dash: "-t -k 5 10 command", which is what an alias makes
 * of "timeout -k 5 10 command", has it after the options.
 */
static bool is_after_options(const char *argument)
{
	if (argument[0] != '-' || isdigit((unsigned char)argument[1]))
		return false;
	optind--;
	return true;
}

/* What stands in @argv for a verb that runs something; the rest becomes the command. */
void run_options(struct run *run, int argc, char **argv, const char *verb, const char *help)
{
	bool duration_follows = false;
	int option;

	while ((option = getopt_long(argc, argv, "+t:k:s:fpgqvh", longs, NULL)) != -1) {
		switch (option) {
		case 't':
			duration_follows = optarg == argv[optind - 1] && is_after_options(optarg);
			if (!duration_follows)
				set_duration(optarg, &run->timeout);
			break;
		case 'k':
			set_duration(optarg, &run->grace);
			break;
		case 's':
			if (parse_signal(optarg, &run->signal))
				die("'%s' is no signal, such as TERM, SIGINT or 9", optarg);
			break;
		case OPTION_VALUE:
			add_value(run, optarg);
			break;
		case 'h':
			exit(show_help(help));
		case OPTION_VERSION:
			exit(show_help("ctx " CTX_VERSION "\n"));
		default:
			set_flag(run, option, verb);
		}
	}
	if (duration_follows) {
		if (optind == argc)
			die("no duration; try 'ctx %s --help'", verb);
		set_duration(argv[optind++], &run->timeout);
	}
	if (run->foreground && run->group_or_none)
		die("-f leaves the command in this cgroup, and -g wants another for it");
	run->command = argv + optind;
	if (!*run->command)
		die("no command; try 'ctx %s --help'", verb);
}

/* Descriptors 0 to 2 are the command's, whether or not they are open. */
static void fill_standard_descriptors(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

/* The context that this was started under is not to be passed on any more. */
static void keep_outer_context(struct run *run)
{
	int fd = ctx_env_fd();

	run->nested = fd >= 0;
	if (fd > STDERR_FILENO)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* Before there are any of our own, which could get CTX_FD's number. */
void arrange_descriptors(struct run *run)
{
	fill_standard_descriptors();
	keep_outer_context(run);
}

static void add_above(struct run *run, uint64_t id, pid_t maker)
{
	if (id && run->nr_above < ABOVE_MAX)
		run->above[run->nr_above++] = (struct above){ .id = id, .maker = maker };
}

/*
 * Which contexts @outer is and is below, as far as we may know. What makes one makes
 * several in a row if there are values: so the first that may not be opened is noted, too.
 */
static void find_above(struct run *run, int outer)
{
	struct ctx_ioc_info info;
	int fd = outer, next;

	while (fd >= 0 && !ctx_info(fd, &info) && info.depth && run->nr_above < ABOVE_MAX) {
		add_above(run, info.id, info.creator_pid);
		next = ctx_open(fd, info.parent_id, CTX_RIGHT_OBSERVE);
		if (next < 0)
			add_above(run, info.parent_id, info.creator_pid);
		if (fd != outer)
			close(fd);
		fd = next;
	}
	if (fd >= 0 && fd != outer)
		close(fd);
}

static int outer_context(const struct run *run)
{
	if (!run->nested && ctx_env_fd() < 0 && errno != ENOENT && run->verbose)
		complain("CTX_FD=%s is no context; starting from the ambient one",
			 getenv("CTX_FD"));
	return ctx_from_env();
}

/* The bounds are not those of files and disks, of which these errors speak elsewhere. */
static __noreturn void die_of_derivation(void)
{
	switch (errno) {
	case EDQUOT:
		die("you have too many contexts: end some (see 'ctx tree'), or have root raise "
		    PARAMETERS "max_user_contexts");
	case ELOOP:
		die("contexts are nested too deep: have root raise " PARAMETERS "max_depth");
	case EPERM:
		die("the context that this was started under allows none below: 'ctx info'");
	default:
		die("cannot derive a context: %s", strerror(errno));
	}
}

/* Makes @ctx one with a value more, to be had by the command. */
static int add_value_to(int ctx, const char *key, size_t key_len, const char *value)
{
	int fd = ctx_with_value(ctx, key, key_len, value, strnlen(value, CTX_VALUE_MAX));

	if (fd < 0)
		die_of_derivation();
	return fd;
}

static int derive_command_ctx(const struct run *run)
{
	static const char name[] = "ctx.run";
	int fd = add_value_to(run->ctx, name, strlen(name), run->command[0]), last;

	for (int i = 0; i < run->nr_values; i++) {
		const char *text = run->values[i];
		size_t len = strchr(text, '=') - text;

		last = fd;
		fd = add_value_to(last, text, len, text + len + 1);
		close(last);
	}
	return fd;
}

static void make_contexts(struct run *run, int outer)
{
	int fd;

	run->ctx = run->timeout ? ctx_with_timeout(outer, run->timeout) : ctx_with_cancel(outer);
	if (run->ctx < 0)
		die_of_derivation();
	close(outer);
	fd = derive_command_ctx(run);
	/* Shells use single-digit descriptors for redirections. */
	run->command_ctx = fcntl(fd, F_DUPFD_CLOEXEC, 10);
	if (run->command_ctx < 0)
		run->command_ctx = fd;
	else
		close(fd);
}

/* Dies as the command did, so that whoever waits for us is told the truth. */
static int die_of_signal(const struct run *run, int number)
{
	sigset_t set;

	prctl(PR_SET_DUMPABLE, 0);
	signal(number, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, number);
	/* ^C was meant for all of the job, whoever had the terminal. A context's end was not. */
	if (run->has_tty && is_key(number) && !run->was_done)
		kill(0, number);
	else
		raise(number);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	return EXIT_SIGNAL + number;
}

static int exit_status(const struct run *run)
{
	int number = WIFSIGNALED(run->status) ? WTERMSIG(run->status) : 0;
	bool as_command = run->preserve_status || number == SIGKILL;

	if (run->timed_out && !as_command)
		return EXIT_TIMED_OUT;
	if (run->timed_out)
		return number ? EXIT_SIGNAL + number : WEXITSTATUS(run->status);
	return number ? die_of_signal(run, number) : WEXITSTATUS(run->status);
}

/*
 * The command's own end, or what the end of its context has led to. What it left
 * behind shall see that, too, but is not killed for it.
 */
static void leave(struct run *run)
{
	if (run->has_tty)
		terminal_give(run->tty, getpgrp());
	ctx_cancel(run->ctx, 0);
	if (!has_group(run) || !group_remove(&run->group) || errno != EBUSY)
		return;
	if (group_leave(&run->group, run->guard))
		complain("cannot stay with what %s left behind, so the kernel kills it: %s",
			 run->command[0], strerror(errno));
}

/*
 * Whether it was done before there was anything to run. If only its own time has passed by
 * now, the command is started all the same, as by timeout(1), and hears of that at once.
 */
static bool is_born_done(const struct run *run, struct ctx_event *event)
{
	return ctx_wait(run->ctx, 0, event) > 0 &&
	       (event->origin_id != event->id || event->err != ETIMEDOUT);
}

static int not_started(const struct run *run, const struct ctx_event *event)
{
	/* To be read by nobody is no reason to end otherwise. */
	signal(SIGPIPE, SIG_IGN);
	if (!run->quiet || run->verbose) {
		fprintf(stderr, "ctx: %s was not started: ", run->command[0]);
		print_end(stderr, event);
	}
	return is_time_up(run) ? EXIT_TIMED_OUT : EXIT_SIGNAL + run->signal;
}

/* Runs what @run has under a child of @outer, which is closed. */
int run_command(struct run *run, int outer)
{
	struct ctx_event event;

	find_above(run, outer);
	make_contexts(run, outer);
	if (is_born_done(run, &event))
		return not_started(run, &event);
	watch_signals(run);
	prepare_group(run);
	start_command(run);
	watch_command(run);
	leave(run);
	return exit_status(run);
}

int cmd_run(int argc, char **argv)
{
	struct run run = RUN_INIT;
	int outer;

	run_options(&run, argc, argv, "run", run_help);
	arrange_descriptors(&run);
	outer = outer_context(&run);
	if (outer < 0)
		die_of_device();
	return run_command(&run, outer);
}
