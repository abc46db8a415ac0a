// SPDX-License-Identifier: GPL-2.0
/*
 * Processes by who started them, as /proc has them: how a command and all that it
 * started are found where no cgroup holds them together. What it leaves behind
 * becomes a child of ours, as we are a subreaper.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "run.h"
#include "tool.h"

struct process {
	pid_t pid;
	pid_t parent;
	pid_t group;
	bool is_ctx;		/* by its name */
	bool is_below;		/* whom we look for */
};

struct processes {
	struct process *all;	/* by number */
	size_t nr;
	size_t size;
};

/* Returns false if it is gone. */
static bool read_process(struct process *process, pid_t pid)
{
	char path[32], text[512], *name, *end;
	size_t len;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	len = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[len] = '\0';
	/* The name before the last parenthesis may contain anything. */
	name = strchr(text, '(');
	end = strrchr(text, ')');
	*process = (struct process){ .pid = pid };
	if (!name || !end ||
	    sscanf(end + 1, " %*c %d %d", &process->parent, &process->group) != 2)
		return false;
	process->is_ctx = end - name == 4 && !strncmp(name, "(ctx", 4);
	return true;
}

/* The next one that /proc lists; @proc may be NULL. Returns false after the last. */
static bool next_process(DIR *proc, struct process *process)
{
	struct dirent *entry;
	int pid;

	while ((entry = proc ? readdir(proc) : NULL))
		if (!parse_descriptor(entry->d_name, &pid) && read_process(process, pid))
			return true;
	return false;
}

/*
 * Kills every child there is. Those whose parent died of it become our children
 * before we hear of that death, so doing this at every death reaches all of
 * them. Returns whether there were any.
 */
bool kill_children(pid_t parent)
{
	DIR *proc = opendir("/proc");
	struct process process;
	bool any = false;

	while (next_process(proc, &process))
		if (process.parent == parent && !kill(process.pid, SIGKILL))
			any = true;
	if (proc)
		closedir(proc);
	return any;
}

static int compare(const void *left, const void *right)
{
	const struct process *a = left, *b = right;

	return a->pid < b->pid ? -1 : a->pid > b->pid;
}

static void add(struct processes *list, const struct process *process)
{
	if (list->nr == list->size) {
		list->size = 2 * list->size + 256;
		list->all = reallocarray(list->all, list->size, sizeof(*list->all));
		if (!list->all)
			die("out of memory");
	}
	list->all[list->nr++] = *process;
}

static void read_all(struct processes *list)
{
	DIR *proc = opendir("/proc");
	struct process process;

	while (next_process(proc, &process))
		add(list, &process);
	if (proc)
		closedir(proc);
	qsort(list->all, list->nr, sizeof(*list->all), compare);
}

/* What a nested ctx run runs, in a process group of its own, is left to that. */
static bool is_looked_after(const struct process *process, const struct process *parent)
{
	return parent->is_ctx && parent->pid != getpid() && process->group != parent->group;
}

static bool is_newly_below(const struct processes *list, const struct process *process, pid_t top)
{
	struct process key = { .pid = process->parent }, *parent;

	if (process->is_below || process->pid == top)
		return !process->is_below;
	parent = bsearch(&key, list->all, list->nr, sizeof(key), compare);
	return parent && parent->is_below && !is_looked_after(process, parent);
}

/* Marks @top and all below it. Most have higher numbers than their parents. */
static void mark(struct processes *list, pid_t top)
{
	bool again = true;

	while (again) {
		again = false;
		for (size_t i = 0; i < list->nr; i++) {
			if (!is_newly_below(list, &list->all[i], top))
				continue;
			list->all[i].is_below = true;
			again = true;
		}
	}
}

/*
 * Sends a signal to the process group @group and to all from @top downwards who are not
 * in it, but for us; @end is as for signal_process(). They are looked for before: what
 * the signal starts shall not get it, nor what a nested ctx run ends without. Nobody is
 * held still for that, so who is just being forked may be missed.
 */
void signal_from(pid_t top, pid_t group, int number, uint64_t end)
{
	struct processes list = { 0 };

	read_all(&list);
	mark(&list, top);
	kill(-group, number);
	/* What is stopped could not act on it. */
	kill(-group, SIGCONT);
	for (size_t i = 0; i < list.nr; i++) {
		const struct process *process = &list.all[i];

		if (!process->is_below || process->group == group || process->pid == getpid())
			continue;
		signal_process(process->pid, number, end);
		kill(process->pid, SIGCONT);
	}
	free(list.all);
}
