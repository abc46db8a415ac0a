// SPDX-License-Identifier: GPL-2.0
/*
 * A command under a context of its own.
 *
 * Two contexts are made: one with the deadline, which only this process can
 * cancel, and below it one with a value, which the command gets as CTX_FD. The
 * second has no right to cancel, so however many children inherit it, the death
 * of this process closes the last descriptor that has, and the kernel cancels
 * both with EOWNERDEAD.
 *
 * Everything that can happen is a descriptor in one poll(2): the context is
 * done, a signal or a change of a child has come, the grace period is over.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tool.h"

const char run_help[] =
	"usage: ctx run [OPTION]... [--] COMMAND [ARGUMENT]...\n"
	"\n"
	"Runs COMMAND under a context, a child of the one that ctx run was started\n"
	"under. When that context is done, because its time is up or one above it is\n"
	"done, COMMAND and its process group get a signal. COMMAND finds the context at\n"
	"the descriptor that CTX_FD names, can derive its own from it, and sees it\n"
	"cancelled whenever ctx run ends, be it by SIGKILL.\n"
	"\n"
	"  -t, --timeout DURATION     the time is up after DURATION\n"
	"  -k, --kill-after DURATION  send KILL this long after the first signal, to all\n"
	"                             that COMMAND started and did not end\n"
	"  -s, --signal SIGNAL        the first signal, by name or number; TERM if not given\n"
	"  -f, --foreground           leave COMMAND in this process group, and send signals\n"
	"                             to COMMAND alone\n"
	"  -v, --verbose              say on standard error who ended the context, when and\n"
	"                             why, and which signal is sent\n"
	"  -h, --help                 this text\n"
	"\n"
	"DURATION is a number, such as 2 or 0.5, of seconds, or with one of the suffixes\n"
	"ms, s, m, h and d; 0 means none. Of the deadlines of nested runs the earliest\n"
	"rules. HUP, INT, QUIT and TERM sent to ctx run cancel the context, with EINTR as\n"
	"the cause, and are passed on.\n"
	"\n"
	"Exit status:\n"
	"  124    the time was up, here or above\n"
	"  125    ctx run itself failed\n"
	"  126    COMMAND was found but cannot be run\n"
	"  127    COMMAND was not found\n"
	"  137    the time was up and it took KILL to end COMMAND\n"
	"  128+N  COMMAND died of signal N, also if that was sent because the context was\n"
	"         cancelled; or it was cancelled before the start, N being SIGNAL\n"
	"  else   that of COMMAND\n"
	"\n"
	"examples:\n"
	"  ctx run -t 30s -- make check          at most 30 seconds\n"
	"  ctx run -t 1m -k 5s -- ./server       KILL if it is still there after 65 s\n"
	"  ctx run -t 1h -- ctx run -t 5m -- ./job.sh    5 minutes, and within the hour\n"
	"  ctx run -t 2s -s INT -v -- cat        says what ended it\n";

struct run {
	/* what was asked for */
	int64_t timeout;
	int64_t grace;
	int signal;
	bool foreground;
	bool verbose;
	char **command;

	/* descriptors */
	int ctx;		/* the context, with the right to cancel it */
	int command_ctx;	/* what the command gets, without that right */
	int signals;
	int grace_timer;
	int tty;

	/* the command */
	pid_t self;
	pid_t pid;
	int status;
	sigset_t old_mask;
	bool has_tty;		/* its process group is in the foreground */
	bool signalled;		/* the context was done and SIGNAL was sent */
	bool from_above;	/* ... because one above it was; see on_end_signal() */
	bool killed;		/* so was KILL */
	bool exited;
	bool timed_out;		/* not later than it exited */
};

static void parse_options(struct run *run, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "timeout",    required_argument, NULL, 't' },
		{ "kill-after", required_argument, NULL, 'k' },
		{ "signal",     required_argument, NULL, 's' },
		{ "foreground", no_argument,       NULL, 'f' },
		{ "verbose",    no_argument,       NULL, 'v' },
		{ "help",       no_argument,       NULL, 'h' },
		{ NULL }
	};
	int option;

	while ((option = getopt_long(argc, argv, "+t:k:s:fvh", longs, NULL)) != -1) {
		switch (option) {
		case 't':
		case 'k':
			if (parse_duration(optarg, option == 't' ? &run->timeout : &run->grace))
				die("'%s' is no duration, such as 10, 0.5s or 5m", optarg);
			break;
		case 's':
			if (parse_signal(optarg, &run->signal))
				die("'%s' is no signal, such as TERM, SIGINT or 9", optarg);
			break;
		case 'f':
			run->foreground = true;
			break;
		case 'v':
			run->verbose = true;
			break;
		case 'h':
			exit(show_help(run_help));
		default:
			die_of_usage("run");
		}
	}
	run->command = argv + optind;
	if (!*run->command)
		die("no command; try 'ctx run --help'");
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

/* The context that ctx run was started under, not to be passed on any more. */
static int outer_context(const struct run *run)
{
	int fd = ctx_env_fd();

	if (fd > STDERR_FILENO)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	else if (fd < 0 && errno != ENOENT && run->verbose)
		complain("CTX_FD=%s is no context; starting from background", getenv("CTX_FD"));
	return ctx_from_env();
}

static void make_contexts(struct run *run)
{
	static const char key[] = "ctx.run";
	const char *name = run->command[0];
	int outer = outer_context(run);
	int fd;

	if (outer < 0)
		die_of_device();
	run->ctx = run->timeout ? ctx_with_timeout(outer, run->timeout) : ctx_with_cancel(outer);
	if (run->ctx < 0)
		die("cannot derive a context: %s", strerror(errno));
	close(outer);
	fd = ctx_with_value(run->ctx, key, strlen(key), name, strnlen(name, CTX_VALUE_MAX));
	if (fd < 0)
		die("cannot derive a context: %s", strerror(errno));
	/* Shells use single-digit descriptors for redirections. */
	run->command_ctx = fcntl(fd, F_DUPFD_CLOEXEC, 10);
	if (run->command_ctx < 0)
		run->command_ctx = fd;
	else
		close(fd);
}

static void add_unless_ignored(sigset_t *set, int number)
{
	struct sigaction action;

	/* A blocked signal is queued even if it is ignored: mind nohup(1). */
	if (!sigaction(number, NULL, &action) && action.sa_handler != SIG_IGN)
		sigaddset(set, number);
}

static void watch_signals(struct run *run)
{
	sigset_t watched;

	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&watched);
	sigaddset(&watched, SIGCHLD);
	sigaddset(&watched, SIGCONT);
	add_unless_ignored(&watched, SIGHUP);
	add_unless_ignored(&watched, SIGINT);
	add_unless_ignored(&watched, SIGQUIT);
	add_unless_ignored(&watched, SIGTERM);
	if (!run->foreground)
		add_unless_ignored(&watched, SIGTSTP);
	run->signals = signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
	sigaddset(&watched, SIGTTOU);	/* for terminal_give() */
	sigprocmask(SIG_BLOCK, &watched, &run->old_mask);

	run->grace_timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	if (run->signals < 0 || run->grace_timer < 0)
		die("cannot watch for signals: %s", strerror(errno));
}

/* In the new process: never returns. */
static void become_command(struct run *run)
{
	char number[16];
	int err;

	/* What the context does for the rest, also if ctx run is killed. */
	prctl(PR_SET_PDEATHSIG, run->signal);
	if (getppid() != run->self)
		raise(run->signal);
	if (!run->foreground)
		setpgid(0, 0);
	if (run->has_tty)
		terminal_give(run->tty, getpid());
	snprintf(number, sizeof(number), "%d", run->command_ctx);
	setenv("CTX_FD", number, 1);
	fcntl(run->command_ctx, F_SETFD, 0);
	sigprocmask(SIG_SETMASK, &run->old_mask, NULL);

	execvp(run->command[0], run->command);
	err = errno;
	complain("cannot run '%s': %s", run->command[0], strerror(err));
	_exit(err == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN);
}

static void start_command(struct run *run)
{
	run->self = getpid();
	run->tty = run->foreground ? -1 : terminal_open();
	run->has_tty = terminal_is_ours_alone(run->tty);
	/* What the command leaves behind becomes ours, to be killed if need be. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	run->pid = fork();
	if (run->pid < 0)
		die("cannot start a process: %s", strerror(errno));
	if (!run->pid)
		become_command(run);
	/* On both sides of the fork, so that neither runs ahead of the group. */
	if (!run->foreground)
		setpgid(run->pid, run->pid);
	close(run->command_ctx);
}

static void send_signal(const struct run *run, int number)
{
	pid_t target = run->foreground ? run->pid : -run->pid;

	if (run->exited)
		return;
	if (run->verbose)
		complain("sending %s to %s", signal_name(number), run->command[0]);
	kill(target, number);
	/* What is stopped could not act on it. */
	if (number != SIGKILL && number != SIGTSTP)
		kill(target, SIGCONT);
}

/* The parent of process @pid, or 0 if that is gone. */
static pid_t parent_of(pid_t pid)
{
	char path[32], line[512], *end;
	pid_t parent = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	/* The name before the last parenthesis may contain anything. */
	if (fgets(line, sizeof(line), file)) {
		end = strrchr(line, ')');
		if (!end || sscanf(end + 1, " %*c %d", &parent) != 1)
			parent = 0;
	}
	fclose(file);
	return parent;
}

/*
 * Kills every child there is. Those whose parent died of it become our children
 * before we hear of that death, so doing this at every death reaches all of
 * them. Returns whether there were any.
 */
static bool kill_children(const struct run *run)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	bool any = false;
	pid_t pid;

	if (!proc)
		return false;
	while ((entry = readdir(proc))) {
		pid = atoi(entry->d_name);
		if (pid > 0 && parent_of(pid) == run->self && !kill(pid, SIGKILL))
			any = true;
	}
	closedir(proc);
	return any;
}

static void kill_all(struct run *run)
{
	run->killed = true;
	send_signal(run, SIGKILL);
	if (!run->foreground)
		kill_children(run);
}

/* Finds out, and says if asked to, who ended the context. */
static void learn_end(struct run *run)
{
	struct ctx_event event;

	if (ctx_wait(run->ctx, 0, &event) <= 0)
		return;
	run->from_above = event.origin_id != event.id;
	if (run->verbose) {
		fputs("ctx: ", stderr);
		print_end(stderr, &event);
	}
}

static void start_grace(struct run *run)
{
	struct itimerspec time = {
		.it_value.tv_sec = run->grace / CTX_SEC,
		.it_value.tv_nsec = run->grace % CTX_SEC,
	};

	timerfd_settime(run->grace_timer, 0, &time, NULL);
}

/* The context is done, for whatever reason. */
static void on_done(struct run *run)
{
	run->signalled = true;
	learn_end(run);
	if (run->signal == SIGKILL) {
		kill_all(run);
		return;
	}
	send_signal(run, run->signal);
	start_grace(run);
}

/*
 * The command has been stopped by @number. By ^Z, or because it wants to use the
 * terminal without being in the foreground, it stops the job; with a SIGSTOP from
 * elsewhere only if the terminal were lost otherwise.
 */
static void on_stop(struct run *run, int number)
{
	bool asked = number == SIGTTIN || number == SIGTTOU;

	if (run->tty < 0 || (!asked && number != SIGTSTP && !run->has_tty))
		return;
	if (asked && terminal_is_ours(run->tty)) {
		run->has_tty = true;
		terminal_give(run->tty, run->pid);
		kill(-run->pid, SIGCONT);
		return;
	}
	if (run->has_tty)
		terminal_give(run->tty, getpgrp());
	run->has_tty = false;
	/* With no shell to continue it, a command must not be left stopped. */
	if (!terminal_stop_self() && !asked)
		kill(-run->pid, SIGCONT);
}

/* We have been continued, and so shall the command be. */
static void on_continue(struct run *run)
{
	if (run->foreground || run->exited)
		return;
	if (terminal_is_ours_alone(run->tty)) {
		run->has_tty = true;
		terminal_give(run->tty, run->pid);
	}
	kill(-run->pid, SIGCONT);
}

static void on_child(struct run *run)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED)) > 0) {
		if (pid != run->pid)
			continue;
		if (WIFSTOPPED(status)) {
			on_stop(run, WSTOPSIG(status));
			continue;
		}
		run->exited = true;
		run->status = status;
		run->timed_out = ctx_err(run->ctx) == ETIMEDOUT;
	}
}

/*
 * One of the signals that end things. An outer ctx run sends one when a context
 * is done that ours is below: then the command has had it already.
 */
static void on_end_signal(struct run *run, const struct signalfd_siginfo *info)
{
	bool from_tty = info->ssi_code == SI_KERNEL;

	if (!run->signalled) {
		/* Sent on when the context tells that it is done. */
		run->signal = info->ssi_signo;
		ctx_cancel(run->ctx, EINTR);
	} else if (run->from_above && (int)info->ssi_signo == run->signal) {
		run->from_above = false;
	} else if (!run->foreground || !from_tty) {
		send_signal(run, info->ssi_signo);
	}
}

static void on_signals(struct run *run)
{
	struct signalfd_siginfo info;

	while (read(run->signals, &info, sizeof(info)) == sizeof(info)) {
		switch (info.ssi_signo) {
		case SIGCHLD:
			on_child(run);
			break;
		case SIGCONT:
			on_continue(run);
			break;
		case SIGTSTP:
			send_signal(run, SIGTSTP);
			break;
		default:
			on_end_signal(run, &info);
		}
	}
}

static bool is_over(const struct run *run)
{
	if (!run->exited)
		return false;
	/* Once KILL was sent, nothing that can be killed stays. */
	return !run->killed || run->foreground || !kill_children(run);
}

static void watch_command(struct run *run)
{
	struct pollfd fds[] = {
		{ .fd = run->signals,     .events = POLLIN },
		{ .fd = run->ctx,         .events = POLLIN },
		{ .fd = run->grace_timer, .events = POLLIN },
	};

	while (!is_over(run)) {
		if (poll(fds, 3, -1) < 0) {
			if (errno == EINTR)
				continue;
			die("poll: %s", strerror(errno));
		}
		if (fds[0].revents)
			on_signals(run);
		if (fds[1].revents && !run->exited) {
			fds[1].fd = -1;
			on_done(run);
		}
		if (fds[2].revents) {
			fds[2].fd = -1;
			kill_all(run);
		}
	}
}

/* Dies as the command did, so that whoever waits for us is told the truth. */
static int die_of_signal(const struct run *run, int number)
{
	sigset_t set;

	prctl(PR_SET_DUMPABLE, 0);
	signal(number, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, number);
	/* ^C was meant for all of the job, whoever had the terminal. */
	if (run->has_tty && (number == SIGINT || number == SIGQUIT))
		kill(0, number);
	else
		raise(number);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	return EXIT_SIGNAL + number;
}

static int exit_status(const struct run *run)
{
	int number = WIFSIGNALED(run->status) ? WTERMSIG(run->status) : 0;

	if (run->timed_out)
		return run->killed && number == SIGKILL ? EXIT_SIGNAL + SIGKILL : EXIT_TIMED_OUT;
	/* The command's own end; whatever it left behind shall see it too. */
	ctx_cancel(run->ctx, 0);
	return number ? die_of_signal(run, number) : WEXITSTATUS(run->status);
}

/* The context was done before there was anything to run under it. */
static int not_started(struct run *run, int err)
{
	learn_end(run);
	return err == ETIMEDOUT ? EXIT_TIMED_OUT : EXIT_SIGNAL + run->signal;
}

int cmd_run(int argc, char **argv)
{
	struct run run = { .signal = SIGTERM };
	int err;

	parse_options(&run, argc, argv);
	fill_standard_descriptors();
	make_contexts(&run);
	err = ctx_err(run.ctx);
	if (err > 0)
		return not_started(&run, err);
	watch_signals(&run);
	start_command(&run);
	watch_command(&run);
	if (run.has_tty)
		terminal_give(run.tty, getpgrp());
	return exit_status(&run);
}
