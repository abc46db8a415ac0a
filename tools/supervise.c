// SPDX-License-Identifier: GPL-2.0
/*
 * What happens while a command runs, until it is over. Everything that can is a
 * descriptor in one poll(2): the context is done, a signal or a change of a child
 * has come, the grace period is over, the cgroup is empty.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include "run.h"
#include "tool.h"

/* Where they begin who are of the command: with us, unless there were others below us. */
static pid_t first_of(const struct run *run)
{
	return run->had_children ? run->pid : run->self;
}

/* Because context @end is done, or for another reason if that is 0. */
static void send_signal(const struct run *run, int number, uint64_t end)
{
	if (run->exited && !has_group(run))
		return;
	if (run->verbose)
		complain("sending %s to %s", signal_name(number), run->command[0]);
	if (has_group(run) && number != SIGTSTP) {
		group_signal(&run->group, number, end);
		return;
	}
	if (run->foreground) {
		signal_process(run->pid, number, end);
		return;
	}
	/* What is to be continued is, but in the foreground that is the shell's matter. */
	if (number == SIGTSTP)
		kill(-run->pid, number);
	else
		signal_from(first_of(run), run->pid, number, end);
}

static void kill_all(struct run *run)
{
	run->killed = true;
	if (run->verbose)
		complain("sending KILL to %s", run->command[0]);
	if (has_group(run)) {
		group_kill(&run->group);
		return;
	}
	if (!run->exited)
		kill(run->foreground ? run->pid : -run->pid, SIGKILL);
	if (!run->foreground && !run->had_children)
		kill_children(run->self);
}

/* By the clock, or because somebody has said so. */
bool is_time_up(const struct run *run)
{
	struct ctx_ioc_info info;

	return !ctx_info(run->ctx, &info) &&
	       (info.err == ETIMEDOUT || info.cause == ETIMEDOUT);
}

/* Says who ended the context, if asked to. */
static void tell_end(const struct run *run)
{
	struct ctx_event event;

	if (!run->verbose || ctx_wait(run->ctx, 0, &event) <= 0)
		return;
	fputs("ctx: ", stderr);
	print_end(stderr, &event);
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
	struct ctx_ioc_info info;

	run->signalled = true;
	tell_end(run);
	if (run->signal == SIGKILL) {
		kill_all(run);
		return;
	}
	if (!run->has_had_it)
		send_signal(run, run->signal, ctx_info(run->ctx, &info) ? 0 : info.id);
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
		run->timed_out = is_time_up(run);
		run->was_done = ctx_err(run->ctx) > 0;
	}
}

static bool is_from_terminal(const struct signalfd_siginfo *info)
{
	return info->ssi_code == SI_KERNEL && is_key(info->ssi_signo);
}

/* Of those that a key is for, an outer one may be the first to cancel. */
static bool is_by_key_above(const struct run *run, const struct signalfd_siginfo *info)
{
	return is_from_terminal(info) && ctx_cause(run->ctx) == EINTR;
}

/* Once it is done, the end has begun: what comes now is not its reason. */
static void end_if_done(struct run *run)
{
	if (!run->signalled && !run->exited && ctx_err(run->ctx) > 0)
		on_done(run);
}

static bool is_above(const struct run *run, uint64_t id)
{
	for (int i = 0; i < run->nr_above; i++)
		if (run->above[i].id == id)
			return true;
	return false;
}

/* Whether @pid has made one of the contexts above, and that is done. */
static bool is_done_above(const struct run *run, pid_t pid)
{
	bool done = false;
	int fd;

	for (int i = 0; i < run->nr_above && !done; i++) {
		if (run->above[i].maker != pid)
			continue;
		fd = ctx_open(run->ctx, run->above[i].id, CTX_RIGHT_OBSERVE);
		if (fd < 0)
			continue;
		done = ctx_err(fd) > 0;
		close(fd);
	}
	return done;
}

/*
 * Whether a ctx run above says so that its context is done. Ours is then done as well,
 * or about to be: the kernel tells us, and the command hears of it by that alone. Which
 * context is done comes with the signal, but for one to a whole process group: of those,
 * which are of one ctx run, the first is taken for it.
 */
static bool is_end_above(struct run *run, const struct signalfd_siginfo *info)
{
	if (info->ssi_code == SI_QUEUE)
		return is_above(run, info->ssi_ptr);
	if (info->ssi_code != SI_USER || run->heard || !is_done_above(run, info->ssi_pid))
		return false;
	run->heard = true;
	return true;
}

/* One that is watched only for a ctx run above: what it does to others, it does to us. */
static void take_default(int number)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, number);
	raise(number);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

/* To timeout(1) as well it says that the time is up, and so is not sent on itself. */
static void on_alarm(struct run *run)
{
	if (run->signalled)
		send_signal(run, run->signal, 0);
	else
		ctx_cancel(run->ctx, ETIMEDOUT);
}

/* One of the signals that end things. */
static void on_end_signal(struct run *run, const struct signalfd_siginfo *info)
{
	bool key = is_from_terminal(info);
	bool has_had_it = run->foreground && key && !sigismember(&run->early, info->ssi_signo);

	sigdelset(&run->early, info->ssi_signo);
	if (!run->signalled) {
		/* Sent on when the context tells that it is done. */
		run->signal = info->ssi_signo;
		run->has_had_it = has_had_it;
		ctx_cancel(run->ctx, EINTR);
	} else if (!has_had_it) {
		send_signal(run, info->ssi_signo, 0);
	}
}

static void on_other_signal(struct run *run, const struct signalfd_siginfo *info)
{
	if (is_end_above(run, info))
		return;
	if (!is_by_key_above(run, info))
		end_if_done(run);
	if (!sigismember(&run->ending, info->ssi_signo))
		take_default(info->ssi_signo);
	else if (info->ssi_signo == SIGALRM)
		on_alarm(run);
	else
		on_end_signal(run, info);
}

/* What -v says may be read by nobody any more, which is no reason to end. */
static bool is_of_our_own(const struct run *run, const struct signalfd_siginfo *info)
{
	return info->ssi_signo == SIGPIPE && info->ssi_pid == (unsigned int)run->self;
}

static void on_signal(struct run *run, const struct signalfd_siginfo *info)
{
	switch (info->ssi_signo) {
	case SIGCHLD:
		on_child(run);
		break;
	case SIGCONT:
		on_continue(run);
		break;
	case SIGTSTP:
		send_signal(run, SIGTSTP, 0);
		break;
	default:
		if (!is_of_our_own(run, info))
			on_other_signal(run, info);
	}
}

static void on_signals(struct run *run)
{
	struct signalfd_siginfo info;

	while (read(run->signals, &info, sizeof(info)) == sizeof(info))
		on_signal(run, &info);
}

/* Whether there is nobody left who should still end, or be killed after the grace. */
static bool is_nobody_left(const struct run *run)
{
	if (has_group(run))
		return group_is_empty(&run->group);
	if (run->foreground || run->had_children)
		return true;
	/* Once KILL was sent, nothing that can be killed stays. */
	return run->killed ? !kill_children(run->self) : waitpid(-1, NULL, WNOHANG) < 0;
}

static bool is_over(const struct run *run)
{
	bool until_killed = run->killed || (run->signalled && run->grace);

	return run->exited && (!until_killed || is_nobody_left(run));
}

void watch_command(struct run *run)
{
	struct pollfd fds[] = {
		{ .fd = run->signals,     .events = POLLIN },
		{ .fd = run->ctx,         .events = POLLIN },
		{ .fd = run->grace_timer, .events = POLLIN },
		{ .fd = -1,               .events = POLLPRI },
	};

	while (!is_over(run)) {
		/* It is waited for only now, and its emptiness was just asked for. */
		if (run->exited && has_group(run))
			fds[3].fd = run->group.events;
		if (poll(fds, 4, -1) < 0) {
			if (errno == EINTR)
				continue;
			die("poll: %s", strerror(errno));
		}
		/* A key comes before an end that it is the reason of, above. */
		if (fds[0].revents || fds[1].revents)
			on_signals(run);
		if (fds[1].revents) {
			fds[1].fd = -1;
			end_if_done(run);
		}
		if (fds[2].revents) {
			fds[2].fd = -1;
			kill_all(run);
		}
	}
}
