// SPDX-License-Identifier: GPL-2.0
/*
 * The executor: a process that runs one program after the other, each from the same
 * state. A program may kill it; then there is another. It ends with FUZZ_VIOLATED if it
 * finds something wrong: a context that is still there when everybody has gone.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/ctx.h>

#include "fuzz.h"

/* Only breaks hangs: a sanitizer kernel in emulation is slow. */
#define PATIENCE_MS	120000

static int background = -1;

static void nothing(int signal)
{
	(void)signal;
}

/* Not as the engine has them. */
static void catch_signals(void)
{
	static const int signals[] = { SIGALRM, SIGIO, SIGUSR1, SIGUSR2, SIGURG, SIGPIPE };
	struct sigaction action = { .sa_handler = nothing };
	unsigned int i;

	for (i = 1; i < NSIG; i++)
		signal(i, SIG_DFL);
	for (i = 0; i < FUZZ_NR(signals); i++)
		sigaction(signals[i], &action, NULL);
	sigaction(SIGRTMIN + 1, &action, NULL);
}

static void limit_files(void)
{
	const struct rlimit files = { FUZZ_FD_LIMIT, FUZZ_FD_LIMIT };

	setrlimit(RLIMIT_NOFILE, &files);
}

/*
 * Unix sockets that hold each other, with a context in flight, are freed when another
 * one is closed.
 */
static void collect_sockets(void)
{
	close(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

/* Contexts of @user, of which the last may be on their way. */
static void wait_until_none(unsigned int user)
{
	struct ctx_ioc_next next = { .size = sizeof(next) };
	const struct timespec while_ = { .tv_nsec = 1000000 };
	int left = PATIENCE_MS / 40;

	if (seteuid(0) || seteuid(fuzz_uid(user)))
		fuzz_violation("seteuid: %m");
	for (;;) {
		next.id = 0;
		if (ioctl(background, CTX_IOC_NEXT, &next)) {
			if (errno != ENOENT)
				fuzz_violation("NEXT: %m");
			return;
		}
		if (!left--)
			fuzz_violation("context %llu of user %u is still there",
				       (unsigned long long)next.id, fuzz_uid(user));
		collect_sockets();
		nanosleep(&while_, NULL);
	}
}

/* Those of root may be another fuzzer's. */
static void check_leaks(void)
{
	unsigned int user;

	for (user = 0; user < 3; user++)
		if (fuzz_now->users & 1 << user)
			wait_until_none(user);
}

static void clean_up(void)
{
	fuzz_tick(false);
	if (seteuid(0))
		fuzz_violation("seteuid: %m");
	fuzz_end_helpers();
	syscall(SYS_close_range, STDERR_FILENO + 1, FUZZ_FD_OURS - 1, 0);
	fuzz_forget_fds();
	fuzz_rings_close();
	fuzz_now->trace_end = fuzz_kcov_position();
	limit_files();
	prctl(PR_SET_NAME, "fuzz");
	fuzz_cgroups_reset(background);
	check_leaks();
	if (seteuid(0))
		fuzz_violation("seteuid: %m");
}

static void execute(const struct fuzz_input *input)
{
	struct fuzz_program program = {
		.at = input->bytes,
		.end = input->bytes + input->len,
	};

	fuzz_now->steps = 0;
	fuzz_now->users = 0;
	fuzz_now->last_id = 0;
	fuzz_become(0);
	fuzz_kcov_reset();
	fuzz_run(&program);
	clean_up();
}

static int go = -1, done = -1;

static void take_turns(void)
{
	uint64_t turn = 1;

	while (read(go, &turn, sizeof(turn)) == sizeof(turn)) {
		execute(fuzz_now->input);
		if (write(done, &turn, sizeof(turn)) != sizeof(turn))
			break;
	}
	_exit(1);
}

static void be_executor(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "fuzz");
	catch_signals();
	limit_files();
	fuzz_memory_init();
	fuzz_cgroups_init();
	background = fuzz_keep(open("/dev/ctx", O_RDWR | O_CLOEXEC));
	if (background < 0)
		fuzz_violation("/dev/ctx: %m");
	fuzz_fail_init();
	fuzz_kcov_start(0);
	take_turns();
}

static pid_t executor;
static int executor_fd = -1;

static void start_executor(void)
{
	executor = fork();
	if (!executor)
		be_executor();
	executor_fd = fuzz_keep(syscall(SYS_pidfd_open, executor, 0));
}

static void note_violation(const char *what, int status)
{
	snprintf(fuzz_now->violation, sizeof(fuzz_now->violation), "%s: %d", what, status);
	fuzz_now->violated = true;
}

/* A program may kill it. What helpers it leaves are ours. */
static void reap_executor(void)
{
	int status = 0;

	waitpid(executor, &status, 0);
	while (waitpid(-1, NULL, 0) > 0)
		;
	close(executor_fd);
	executor = 0;
	if (fuzz_now->violated)
		return;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		fuzz_count(&fuzz_shared->deaths, 1);
	else
		note_violation("the executor ended", status);
}

/* Whether the executor has come to the end of its turn. */
static bool wait_turn(void)
{
	struct pollfd fds[] = {
		{ .fd = done, .events = POLLIN },
		{ .fd = executor_fd, .events = POLLIN },
	};
	uint64_t turn;

	while (poll(fds, 2, PATIENCE_MS) < 0)
		;
	if (fds[0].revents)
		return read(done, &turn, sizeof(turn)) == sizeof(turn);
	if (!fds[1].revents) {
		note_violation("it hangs", executor);
		kill(executor, SIGKILL);
	}
	return false;
}

/* Returns false if something is wrong, which is in fuzz_now->violation. */
bool fuzz_execute(const uint8_t *bytes, size_t len)
{
	const uint64_t turn = 1;

	fuzz_now->input = fuzz_keep_input(bytes, len);
	fuzz_count(&fuzz_shared->execs, 1);
	if (!executor)
		start_executor();
	if (write(go, &turn, sizeof(turn)) != sizeof(turn))
		return false;
	if (wait_turn())
		return true;
	reap_executor();
	return !fuzz_now->violated;
}

/* It has the device open, for which the module would stay. */
static void end_executor(void)
{
	if (!executor)
		return;
	kill(executor, SIGKILL);
	waitpid(executor, NULL, 0);
}

bool fuzz_init(const char *shared)
{
	atexit(end_executor);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	go = fuzz_keep(eventfd(0, EFD_CLOEXEC));
	done = fuzz_keep(eventfd(0, EFD_CLOEXEC));
	if (!fuzz_shared_init(shared))
		return false;
	if (!fuzz_kcov_init())
		fprintf(stderr, "fuzz: this kernel tells no coverage\n");
	return go >= 0 && done >= 0;
}
