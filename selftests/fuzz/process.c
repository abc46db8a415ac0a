// SPDX-License-Identifier: GPL-2.0
/*
 * Processes: helpers that run a part of the program next to the rest of it, and are
 * killed at the end, if not before; and who the executor is.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuzz.h"
#include "ops.h"

static pid_t helpers[FUZZ_HELPERS];
static unsigned int nr_helpers;
static bool is_helper;
static int fail_fd = -1;

/* 0 if there is none. */
pid_t fuzz_helper(unsigned int which)
{
	return nr_helpers ? helpers[which % nr_helpers] : 0;
}

bool fuzz_is_helper(void)
{
	return is_helper;
}

bool fuzz_had_helpers(void)
{
	return is_helper || nr_helpers;
}

void fuzz_end_helpers(void)
{
	while (nr_helpers) {
		const pid_t pid = helpers[--nr_helpers];

		kill(pid, SIGKILL);
		while (waitpid(pid, NULL, 0) < 0)
			;
	}
}

/* Each fuzzer has users of its own; the last one is root. */
uid_t fuzz_uid(unsigned int which)
{
	return which % 4 == 3 ? 0 : 1000 + 10 * fuzz_number + which % 4;
}

/* For a while: the executor can be root again. */
void fuzz_become(unsigned int which)
{
	if (is_helper)
		return;
	fuzz_now->users |= 1 << which % 4;
	if (seteuid(0) || seteuid(fuzz_uid(which)))
		fuzz_violation("seteuid: %m");
}

/* Where the kernel can have a thread's allocations fail. */
void fuzz_fail_init(void)
{
	fail_fd = fuzz_keep(open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC));
}

void fuzz_fail(unsigned int nth)
{
	char text[16];
	const int len = snprintf(text, sizeof(text), "%u", nth);

	if (fail_fd < 0 || pwrite(fail_fd, text, len, 0) == len)
		return;
	/* What was to fail was this very write; then nothing is any more. */
	if (nth || errno != EFAULT || pwrite(fail_fd, text, len, 0) != len)
		fuzz_violation("fail-nth: %m");
}

/* Interrupts what waits, again and again. */
void fuzz_tick(bool on)
{
	const struct itimerval tick = {
		.it_value.tv_usec = on ? 1000 : 0,
		.it_interval.tv_usec = on ? 1000 : 0,
	};

	setitimer(ITIMER_REAL, &tick, NULL);
}

#define FORK_USER	3
#define FORK_NEWUSER	4
#define FORK_NEWPID	8
#define FORK_FILES	16
#define FORK_STAY	32

static void help(unsigned int number, int nr_ops, uint8_t flags)
{
	const uid_t uid = fuzz_uid(flags & FORK_USER);

	is_helper = true;
	nr_helpers = 0;
	/* Its own, of which another process that shares our files must see nothing. */
	fail_fd = -1;
	if (!(flags & FORK_FILES))
		fuzz_fail_init();
	fuzz_kcov_start(1 + number);
	if (setresgid(uid, uid, uid) || setresuid(uid, uid, uid))
		_exit(1);
	if (flags & FORK_NEWUSER && unshare(CLONE_NEWUSER))
		_exit(1);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	fuzz_run_some(fuzz_running, nr_ops);
	while (flags & FORK_STAY)
		pause();
	_exit(0);
}

/* @arg: how many of the next operations are the helper's, and what it is */
void op_fork(const uint8_t *arg)
{
	const int flags = SIGCHLD | (arg[1] & FORK_NEWPID ? CLONE_NEWPID : 0) |
		(arg[1] & FORK_FILES ? CLONE_FILES : 0);
	const int nr_ops = 1 + arg[0] % 32;
	uint8_t args[FUZZ_ARGS_MAX];
	const uid_t uid = geteuid();
	pid_t pid;
	int i;

	if (is_helper || nr_helpers == FUZZ_HELPERS || seteuid(0))
		return;
	fuzz_now->users |= 1 << (arg[1] & FORK_USER);
	pid = syscall(SYS_clone, flags, NULL, NULL, NULL, NULL);
	if (!pid)
		help(nr_helpers, nr_ops, arg[1]);
	if (seteuid(uid))
		fuzz_violation("seteuid: %m");
	if (pid < 0)
		return;
	helpers[nr_helpers++] = pid;
	for (i = 0; i < nr_ops && fuzz_next_op(fuzz_running, args); i++)
		;
}

void op_kill(const uint8_t *arg)
{
	static const int signals[] = { SIGKILL, SIGSTOP, SIGCONT, SIGUSR1 };
	const pid_t pid = fuzz_helper(arg[0]);

	if (pid > 0)
		kill(pid, signals[arg[1] % 4]);
}

void op_become(const uint8_t *arg)
{
	fuzz_become(arg[0]);
}

void op_name(const uint8_t *arg)
{
	static const char * const names[] = {
		"fuzz", "a\nb\\c", "", "fifteen letters", "\xff\t(x) 7",
	};

	prctl(PR_SET_NAME, names[arg[0] % 5]);
}

/* How many descriptors there may be; 0: as many as there could be. */
void op_limit(const uint8_t *arg)
{
	const struct rlimit limit = {
		.rlim_cur = arg[0] ? 3 + arg[0] % 64 : FUZZ_FD_LIMIT,
		.rlim_max = FUZZ_FD_LIMIT,
	};

	setrlimit(RLIMIT_NOFILE, &limit);
}

void op_fail(const uint8_t *arg)
{
	fuzz_fail_next(arg[0] % 32);
}

void op_scribble(const uint8_t *arg)
{
	if (fuzz_had_helpers())
		fuzz_scribble(arg[0] * 64);
}
