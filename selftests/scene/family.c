// SPDX-License-Identifier: GPL-2.0
/*
 * family: three generations of processes, each under a context derived from the
 * one it was started under. The head of the family is killed with SIGKILL; the
 * kernel cancels the rest, and each says who did it, when and why.
 *
 *	family START
 *
 * START is what "stamp now" printed. Exits with 0 if all went as told.
 *
 * The program runs itself: a member of the family is started with its name as
 * second argument, and finds its context in CTX_FD, as any program does.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "libctx.c"	/* here, one file is one program */

#define MEMBERS	5

/* Who starts whom. */
static const struct member {
	const char *name;
	const char *children[3];
} family[MEMBERS] = {
	{ "parent",       { "child-1", "child-2" } },
	{ "child-1",      { "grandchild-1" } },
	{ "child-2",      { "grandchild-2" } },
	{ "grandchild-1", { NULL } },
	{ "grandchild-2", { NULL } },
};

static const char *start_text;
static long long start;

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static long long since_start(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec * CTX_SEC + now.tv_nsec - start) / CTX_MSEC;
}

/* One write for one line, as several processes share the output. */
#define tell(fmt, ...) \
	dprintf(STDOUT_FILENO, "[%4lld ms] " fmt "\n", since_start(), ##__VA_ARGS__)

/*
 * Starts @name under a context below @ctx, which carries the name as a value.
 * That one has no right to cancel, so the child does not keep @ctx alive.
 */
static pid_t start_member(int ctx, const char *name)
{
	int its = ctx_with_value(ctx, "name", 4, name, strlen(name));
	char number[16];
	pid_t pid;

	if (its < 0)
		die("ctx_with_value");
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid) {
		close(its);
		return pid;
	}
	snprintf(number, sizeof(number), "%d", its);
	setenv("CTX_FD", number, 1);
	fcntl(its, F_SETFD, 0);
	execl("/proc/self/exe", "family", start_text, name, NULL);
	die("exec");
	return -1;
}

/* Says what the kernel told, and whether it is what was to be expected. */
static int tell_end(const char *name, const struct ctx_event *event)
{
	tell("%s[%d]: context %llu cancelled at %lld ms by %s[%u]: %s, from context %llu", name,
	     getpid(), event->id, ((long long)event->time - start) / CTX_MSEC, event->comm,
	     event->pid, strerrorname_np(event->cause), event->origin_id);
	return event->err == ECANCELED && event->cause == EOWNERDEAD &&
	       event->origin_id != event->id && !strcmp(event->comm, "parent");
}

/* Waits with poll(2), as an event loop would; its parent may be dead already. */
static int be_member(const struct member *self)
{
	int outer = ctx_from_env();
	int ctx = ctx_with_cancel(outer);
	struct pollfd done = { .fd = ctx, .events = POLLIN };
	struct ctx_ioc_info info;
	struct ctx_event event;

	if (ctx < 0 || ctx_info(ctx, &info))
		die("ctx_with_cancel");
	prctl(PR_SET_NAME, self->name);
	for (int i = 0; self->children[i]; i++)
		start_member(ctx, self->children[i]);
	tell("%s[%d]: waiting on context %llu, derived from %llu", self->name, getpid(),
	     info.id, info.parent_id);

	if (poll(&done, 1, -1) != 1 || read(ctx, &event, sizeof(event)) != sizeof(event))
		die("waiting");
	return tell_end(self->name, &event) ? 0 : 1;
}

/* Copies @lines lines of the family's output, or all. Returns how many came. */
static int copy_lines(FILE *from, int lines)
{
	char line[512];
	int n = 0;

	while (n != lines && fgets(line, sizeof(line), from)) {
		fputs(line, stdout);
		n++;
	}
	return n;
}

static void list_processes(const char *when)
{
	static const char command[] =
		"ps -o pid,ppid,comm | grep -E 'PID|parent|child' | sed 's/^/          /'";

	tell("the processes %s:", when);
	if (system(command))
		die("ps");
}

/* Everyone who was orphaned has become our child. Returns how many ended well. */
static int reap(pid_t parent)
{
	int status, good = 0;
	pid_t pid;

	while ((pid = wait(&status)) > 0) {
		if (pid == parent)
			good += WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
		else
			good += WIFEXITED(status) && WEXITSTATUS(status) == 0;
	}
	return good;
}

static pid_t start_family(int output)
{
	int background = ctx_background();
	pid_t parent;

	if (background < 0)
		die("/dev/ctx");
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	fflush(stdout);
	dup2(output, STDOUT_FILENO);
	parent = start_member(background, "parent");
	close(background);
	return parent;
}

int main(int argc, char **argv)
{
	int pipes[2], out, good, told;
	pid_t parent;
	FILE *lines;

	if (argc < 2)
		return 2;
	start_text = argv[1];
	start = strtoll(start_text, NULL, 10);
	for (int i = 0; argc == 3 && i < MEMBERS; i++)
		if (!strcmp(argv[2], family[i].name))
			return be_member(&family[i]);

	setlinebuf(stdout);
	out = dup(STDOUT_FILENO);
	if (out < 0 || pipe2(pipes, O_CLOEXEC))
		die("pipe");
	fcntl(out, F_SETFD, FD_CLOEXEC);
	parent = start_family(pipes[1]);
	dup2(out, STDOUT_FILENO);
	close(pipes[1]);
	lines = fdopen(pipes[0], "r");

	told = copy_lines(lines, MEMBERS);
	list_processes("before");
	tell("kill -9 %d: the parent gets no chance to tell anyone", parent);
	kill(parent, SIGKILL);
	told += copy_lines(lines, -1);
	good = reap(parent);
	list_processes("after");
	tell("%d were started, 1 was killed, %d were cancelled by the kernel", MEMBERS, good - 1);
	return told == 2 * MEMBERS - 1 && good == MEMBERS ? 0 : 1;
}
