/* SPDX-License-Identifier: GPL-2.0 */
/* A command under a context of its own: what the files of ctx run share. */
#ifndef RUN_H
#define RUN_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "group.h"

/* How many of the contexts above are known. */
#define ABOVE_MAX	64

struct above {
	uint64_t id;
	pid_t maker;		/* the process that made it */
};

struct run {
	/* what was asked for */
	int64_t timeout;
	int64_t grace;
	int signal;
	bool foreground;
	bool preserve_status;
	bool group_or_none;	/* run nothing without a cgroup */
	bool quiet;
	bool verbose;
	char **values;		/* KEY=VALUE */
	int nr_values;
	char **command;

	/* descriptors */
	int ctx;		/* the context, with the right to cancel it */
	int command_ctx;	/* what the command gets, without that right */
	int guard;		/* a context whose end kills the cgroup */
	int signals;
	int grace_timer;
	int tty;
	struct group group;

	/* the command */
	pid_t self;
	pid_t pid;
	int status;
	sigset_t old_mask;
	sigset_t ending;	/* the signals that end the context */
	sigset_t early;		/* what came before there was a command */
	bool nested;		/* CTX_FD named a context */
	struct above above[ABOVE_MAX]; /* the contexts that ours is below */
	int nr_above;
	bool heard;		/* of an end above, by a signal to our process group */
	bool had_children;	/* before there was a command */
	bool has_tty;		/* its process group is in the foreground */
	bool signalled;		/* the context was done and SIGNAL was sent */
	bool has_had_it;	/* ... by the terminal, to the command as well */
	bool killed;		/* so was KILL */
	bool exited;
	bool timed_out;		/* not later than it exited */
	bool was_done;		/* so was the context, for whatever reason */
};

#define RUN_INIT { .signal = SIGTERM, .group.dir = -1, .guard = -1 }

static inline bool has_group(const struct run *run)
{
	return run->group.dir >= 0;
}

/* What keys send to all of the terminal's foreground, ^C and ^\ by default. */
static inline bool is_key(int number)
{
	return number == SIGINT || number == SIGQUIT;
}

/* run.c */
void run_options(struct run *run, int argc, char **argv, const char *verb, const char *help);
void arrange_descriptors(struct run *run);
int run_command(struct run *run, int outer);

/* start.c */
void watch_signals(struct run *run);
void prepare_group(struct run *run);
void start_command(struct run *run);

/* children.c */
bool kill_children(pid_t parent);
void signal_from(pid_t top, pid_t group, int number, uint64_t end);

/* supervise.c */
bool is_time_up(const struct run *run);
void watch_command(struct run *run);

#endif /* RUN_H */
