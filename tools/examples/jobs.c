// SPDX-License-Identifier: GPL-2.0
/*
 * A job runner, as make(1) is one:
 *
 *	jobs [-j NUMBER] [-t SECONDS] < RULES
 *
 * A rule is a line "NAME [NEEDED]... : COMMAND": the command runs once all that are
 * needed have succeeded. All run under one context, which is done when the time is up,
 * when the one above is done, or when a command fails; then those that are running
 * are sent TERM, and no other is started. Each finds its context in CTX_FD, and if this
 * program is killed, sees that cancelled.
 *
 * It ends with 0, 1 if a command has failed, 124 if the time was up.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <libctx.h>

#define MAX_JOBS	256
#define MAX_NEEDED	16

enum state { WAITING, RUNNING, SUCCEEDED, FAILED };

static struct job {
	char *name;
	char *needed[MAX_NEEDED];
	char *command;
	enum state state;
	pid_t pid;
	int pidfd;
} jobs[MAX_JOBS];

static int nr_jobs, running, at_once = 2;
static int ctx;

static void parse(char *line)
{
	struct job *job = &jobs[nr_jobs];
	char *colon = strchr(line, ':'), *word, *rest;
	int n = 0;

	line[strcspn(line, "\n")] = '\0';
	if (!colon || nr_jobs == MAX_JOBS)
		errx(2, "no rule: %s", line);
	*colon = '\0';
	job->command = strdup(colon + 1);
	job->pidfd = -1;
	job->name = strtok_r(strdup(line), " \t", &rest);
	while ((word = strtok_r(NULL, " \t", &rest)) && n < MAX_NEEDED)
		job->needed[n++] = word;
	if (!job->name || n == MAX_NEEDED)
		errx(2, "no rule: %s:%s", line, colon + 1);
	nr_jobs++;
}

static const struct job *find(const char *name)
{
	for (int i = 0; i < nr_jobs; i++)
		if (!strcmp(jobs[i].name, name))
			return &jobs[i];
	errx(2, "nothing makes '%s'", name);
}

static bool may_start(const struct job *job)
{
	if (job->state != WAITING)
		return false;
	for (int i = 0; i < MAX_NEEDED && job->needed[i]; i++)
		if (find(job->needed[i])->state != SUCCEEDED)
			return false;
	return true;
}

/* Each in a process group, so that what it starts gets the signal, too. */
static void become(const struct job *job, int its)
{
	char number[16];

	setpgid(0, 0);
	snprintf(number, sizeof(number), "%d", its);
	setenv("CTX_FD", number, 1);
	fcntl(its, F_SETFD, 0);
	execl("/bin/sh", "sh", "-c", job->command, NULL);
	err(127, "sh");
}

static void launch(struct job *job)
{
	/* A value, and no right to cancel: so that no child keeps the context. */
	int its = ctx_with_value(ctx, "job", 3, job->name, strlen(job->name));

	if (its < 0)
		err(1, "cannot derive a context");
	job->pid = fork();
	if (!job->pid)
		become(job, its);
	close(its);
	setpgid(job->pid, job->pid);
	job->pidfd = syscall(SYS_pidfd_open, job->pid, 0);
	if (job->pid < 0 || job->pidfd < 0)
		err(1, "cannot start a process");
	job->state = RUNNING;
	running++;
}

static void start_some(void)
{
	for (int i = 0; i < nr_jobs && running < at_once; i++)
		if (may_start(&jobs[i]))
			launch(&jobs[i]);
}

static void end(struct job *job)
{
	int status;

	waitpid(job->pid, &status, 0);
	close(job->pidfd);
	job->pidfd = -1;
	running--;
	job->state = status ? FAILED : SUCCEEDED;
	if (status && !ctx_err(ctx)) {
		fprintf(stderr, "jobs: %s failed\n", job->name);
		ctx_cancel(ctx, ECHILD);
	}
}

static void stop_all(void)
{
	for (int i = 0; i < nr_jobs; i++)
		if (jobs[i].state == RUNNING)
			kill(-jobs[i].pid, SIGTERM);
}

/* Waits until one has ended, or until the context is done, which is told once. */
static void wait_for_any(bool *stopped)
{
	struct pollfd fds[MAX_JOBS + 1];

	for (int i = 0; i < nr_jobs; i++)
		fds[i] = (struct pollfd){ jobs[i].pidfd, POLLIN, 0 };
	fds[nr_jobs] = (struct pollfd){ *stopped ? -1 : ctx, POLLIN, 0 };
	if (poll(fds, nr_jobs + 1, -1) < 0)
		return;
	for (int i = 0; i < nr_jobs; i++)
		if (fds[i].revents)
			end(&jobs[i]);
	if (fds[nr_jobs].revents) {
		*stopped = true;
		stop_all();
	}
}

static int result(void)
{
	if (ctx_err(ctx))
		return ctx_err(ctx) == ETIMEDOUT ? 124 : 1;
	for (int i = 0; i < nr_jobs; i++)
		if (jobs[i].state != SUCCEEDED)
			errx(2, "'%s' needs itself", jobs[i].name);
	return 0;
}

int main(int argc, char **argv)
{
	int64_t timeout = CTX_FOREVER;
	bool stopped = false;
	char line[4096];
	int option, outer;

	while ((option = getopt(argc, argv, "j:t:")) != -1) {
		if (option == 'j')
			at_once = atoi(optarg);
		else if (option == 't')
			timeout = strtod(optarg, NULL) * CTX_SEC;
		else
			return 2;
	}
	while (fgets(line, sizeof(line), stdin))
		parse(line);
	outer = ctx_from_env();
	ctx = ctx_with_timeout(outer, timeout);
	if (ctx < 0)
		err(1, "/dev/ctx");
	for (;;) {
		if (!ctx_err(ctx))
			start_some();
		if (!running)
			return result();
		wait_for_any(&stopped);
	}
}
