// SPDX-License-Identifier: GPL-2.0
/* How ctx run starts a command: with which signals, in which group, under which context. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include "run.h"
#include "tool.h"

static void add_unless_ignored(sigset_t *set, int number)
{
	struct sigaction action;

	/* A blocked signal is queued even if it is ignored: mind nohup(1). */
	if (!sigaction(number, NULL, &action) && action.sa_handler != SIG_IGN)
		sigaddset(set, number);
}

static void choose_ending(struct run *run)
{
	sigemptyset(&run->ending);
	add_unless_ignored(&run->ending, SIGHUP);
	add_unless_ignored(&run->ending, SIGINT);
	add_unless_ignored(&run->ending, SIGQUIT);
	add_unless_ignored(&run->ending, SIGTERM);
	add_unless_ignored(&run->ending, SIGALRM);
	add_unless_ignored(&run->ending, run->signal);
}

/* Of a ctx run above any may come, except what is the terminal's. */
static void add_all(sigset_t *watched)
{
	sigfillset(watched);
	sigdelset(watched, SIGTSTP);
	sigdelset(watched, SIGTTIN);
	sigdelset(watched, SIGTTOU);
}

void watch_signals(struct run *run)
{
	sigset_t watched;

	signal(SIGCHLD, SIG_DFL);
	choose_ending(run);
	watched = run->ending;
	if (run->nr_above)
		add_all(&watched);
	sigaddset(&watched, SIGCHLD);
	sigaddset(&watched, SIGCONT);
	sigaddset(&watched, SIGPIPE);	/* of our own: see supervise.c */
	if (!run->foreground)
		add_unless_ignored(&watched, SIGTSTP);
	run->signals = signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
	sigaddset(&watched, SIGTTOU);	/* for terminal_give() */
	sigprocmask(SIG_BLOCK, &watched, &run->old_mask);

	run->grace_timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	if (run->signals < 0 || run->grace_timer < 0)
		die("cannot watch for signals: %s", strerror(errno));
}

/* Why there is none: files and disks have nothing to do with it. */
static const char *reason(int err)
{
	return err == EDQUOT ? "you have too many contexts or on-dones" : strerror(err);
}

/* What the user may do so that the next time there is one. */
static const char *advice(int err)
{
	if (err == EDQUOT)
		return "have root raise max_user_contexts and max_user_files in " PARAMETERS;
	if (err == ENOENT)
		return "mount cgroup2 at /sys/fs/cgroup";
	if (err == EROFS)
		return "have /sys/fs/cgroup mounted read-write";
	if (err == EACCES || err == EPERM)
		return "start it by 'systemd-run --user --scope -p Delegate=yes ctx run ...'";
	return "see cgroups(7)";
}

static void go_without_group(struct run *run, int err)
{
	static const char text[] =
		"no cgroup for %s (%s): what it detaches may outlive a killed ctx run; %s";

	run->group.dir = -1;
	if (run->group_or_none)
		die(text, run->command[0], reason(err), advice(err));
	/* An outer one has said it already. */
	if (!run->quiet && (!run->nested || run->verbose))
		complain(text, run->command[0], reason(err), advice(err));
}

static void lose_group(struct run *run, int err)
{
	group_remove(&run->group);
	go_without_group(run, err);
}

/*
 * A context of no other use: when we are dead, and only then, it is done, and the
 * kernel kills the group.
 */
static int make_guard(struct run *run)
{
	int background = ctx_background();

	if (background < 0)
		return -1;
	run->guard = ctx_with_cancel(background);
	close(background);
	return run->guard < 0 ? -1 : ctx_on_done(run->guard, run->group.kill, NULL, 0);
}

static int bind_group(const struct run *run)
{
	int procs = group_open_procs(&run->group), err;

	if (procs < 0)
		return errno;
	err = ctx_bind(run->command_ctx, procs) ? errno : 0;
	close(procs);
	return err;
}

/* For those who close CTX_FD, and for drivers. Nothing is lost if that cannot be. */
static void make_ambient(const struct run *run)
{
	int err = bind_group(run);

	if (!err || !run->verbose)
		return;
	if (err == EPERM)
		complain("the context is not below that of this cgroup: CTX_FD alone leads to it");
	else
		complain("the cgroup cannot be bound to the context (%s): CTX_FD alone leads to it",
			 err == EDQUOT ? "you have too many on-dones or bindings" : strerror(err));
}

/* The cgroup, where one can be made. */
void prepare_group(struct run *run)
{
	if (run->foreground)
		return;
	if (group_make(&run->group))
		go_without_group(run, errno);
	else if (make_guard(run))
		lose_group(run, errno);
	else
		make_ambient(run);
}

/* What the context does for the rest, also if ctx run is killed. */
static void die_with_parent(const struct run *run)
{
	prctl(PR_SET_PDEATHSIG, run->signal);
	if (getppid() != run->self)
		raise(run->signal);
}

/* In the new process: never returns. */
static void become_command(struct run *run)
{
	char number[16];
	int err;

	if (!has_group(run))
		die_with_parent(run);
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

static pid_t fork_in_group(struct run *run)
{
	pid_t pid = group_fork(&run->group);

	if (pid < 0)
		lose_group(run, errno);
	return pid;
}

static pid_t fork_command(struct run *run)
{
	pid_t pid = -1;

	if (has_group(run))
		pid = fork_in_group(run);
	if (pid >= 0)
		return pid;
	/* What the command leaves behind becomes ours, to be killed if need be. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	pid = fork();
	if (pid < 0)
		die("cannot start a process: %s", strerror(errno));
	return pid;
}

void start_command(struct run *run)
{
	run->self = getpid();
	run->tty = run->foreground ? -1 : terminal_open();
	run->has_tty = terminal_is_ours_alone(run->tty);
	run->had_children = waitid(P_ALL, 0, NULL, WEXITED | WNOHANG | WNOWAIT) == 0;
	sigpending(&run->early);
	run->pid = fork_command(run);
	if (!run->pid)
		become_command(run);
	/* On both sides of the fork, so that neither runs ahead of the group. */
	if (!run->foreground)
		setpgid(run->pid, run->pid);
	close(run->command_ctx);
}

