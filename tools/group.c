// SPDX-License-Identifier: GPL-2.0
/*
 * A cgroup of its own for a command and all that it starts, whatever that does to
 * its process group, its session or its parent.
 *
 * It is made in the cgroup that we are in, which has no domain controllers for
 * those below it, as there are processes in it: so the rule that such a cgroup may
 * have no processes itself is kept, and whatever limits there are hold on.
 *
 * Whoever looks after a group has it locked, as flock(2) does: one that is not was
 * left by somebody who was killed. A lock tells that across pid namespaces, and
 * goes with its owner. It is exclusive while the command runs, and shared after
 * that, when what the command has left behind is only waited for. Who may open a
 * directory may lock it, so a group is nobody else's to open.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "group.h"

#define PREFIX		"ctx-run-"

/* How many names are tried, and how many groups that are in use are looked at. */
#define TRIES		16
#define BUSY		64

/* What can be frozen is frozen long before that; the rest cannot fork meanwhile. */
#define FREEZE_MS	200

static int open_dir(int above, const char *name)
{
	return openat(above, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static int write_at(int dir, const char *name, const char *text)
{
	int fd = openat(dir, name, O_WRONLY | O_CLOEXEC);
	ssize_t written = fd < 0 ? -1 : write(fd, text, strlen(text));

	if (fd >= 0)
		close(fd);
	return written < 0 ? -1 : 0;
}

/* Where cgroup v2 is mounted, alone or beside v1. */
static int open_mount(void)
{
	static const char * const paths[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };
	struct statfs fs;

	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++)
		if (!statfs(paths[i], &fs) && fs.f_type == CGROUP2_SUPER_MAGIC)
			return open_dir(AT_FDCWD, paths[i]);
	errno = ENOENT;
	return -1;
}

/* The path of our cgroup below that, without the first slash; "." at the top. */
static int read_own_path(char *path)
{
	char line[PATH_MAX + 16];
	FILE *file = fopen("/proc/self/cgroup", "re");
	bool found = false;

	if (!file)
		return -1;
	while (!found && fgets(line, sizeof(line), file))
		found = !strncmp(line, "0::/", 4);
	fclose(file);
	if (!found) {
		errno = ENOENT;
		return -1;
	}
	line[strcspn(line, "\n")] = '\0';
	strcpy(path, line[4] ? line + 4 : ".");
	return 0;
}

static int open_own(void)
{
	char path[PATH_MAX + 16];
	int mount, dir;

	if (read_own_path(path))
		return -1;
	mount = open_mount();
	if (mount < 0)
		return -1;
	dir = open_dir(mount, path);
	close(mount);
	return dir;
}

static bool has_groups(int dir)
{
	struct stat stat;

	return !fstat(dir, &stat) && stat.st_nlink > 2;
}

/* Calls @fn with each group in @dir and its name, until it returns false. */
static void walk_groups(int dir, bool (*fn)(int, const char *, void *), void *data)
{
	struct dirent *entry;
	DIR *list;

	if (!has_groups(dir))
		return;
	list = fdopendir(open_dir(dir, "."));
	if (!list)
		return;
	while ((entry = readdir(list))) {
		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		if (!fn(dir, entry->d_name, data))
			break;
	}
	closedir(list);
}

/* Removes what is empty: all that was made in @name, and @name. */
static bool remove_tree(int above, const char *name, void *data)
{
	int dir = open_dir(above, name);

	if (dir >= 0) {
		walk_groups(dir, remove_tree, data);
		close(dir);
	}
	unlinkat(above, name, AT_REMOVEDIR);
	return true;
}

static bool sweep(int above, const char *name, void *data)
{
	int *busy = data;
	int dir;

	if (strncmp(name, PREFIX, strlen(PREFIX)))
		return true;
	dir = open_dir(above, name);
	if (dir < 0)
		return true;
	if (flock(dir, LOCK_EX | LOCK_NB))
		++*busy;
	else
		remove_tree(above, name, NULL);
	close(dir);
	return *busy < BUSY;
}

/* Nobody is left to remove the group of a ctx run that was killed: the next one does. */
static void sweep_all(int above)
{
	int busy = 0;

	walk_groups(above, sweep, &busy);
}

static int open_files(struct group *group)
{
	group->kill = openat(group->dir, "cgroup.kill", O_WRONLY | O_CLOEXEC);
	if (group->kill < 0)
		return -1;
	group->events = openat(group->dir, "cgroup.events", O_RDONLY | O_CLOEXEC);
	if (group->events >= 0)
		return 0;
	close(group->kill);
	return -1;
}

/*
 * Takes a name of its own for the group. Between making it and locking it somebody
 * may have swept it away, which shows when its files are opened.
 */
static int make_named(struct group *group)
{
	int err;

	if (mkdirat(group->above, group->name, 0700))
		return -1;
	group->dir = open_dir(group->above, group->name);
	if (group->dir >= 0) {
		if (!flock(group->dir, LOCK_EX | LOCK_NB) && !open_files(group))
			return 0;
		err = errno;
		close(group->dir);
		errno = err;
	}
	err = errno;
	group->dir = -1;
	unlinkat(group->above, group->name, AT_REMOVEDIR);
	errno = err;
	return -1;
}

static bool may_try_again(int err)
{
	return err == EEXIST || err == EWOULDBLOCK || err == ENOENT || err == ENODEV;
}

/*
 * Makes a group. Returns -1 if that cannot be: errno is ENOENT if there is no
 * cgroup v2 here, EACCES, EPERM or EROFS if it is not ours to make groups in.
 */
int group_make(struct group *group)
{
	int err;

	group->dir = -1;
	group->above = open_own();
	if (group->above < 0)
		return -1;
	sweep_all(group->above);
	for (int i = 0; i < TRIES; i++) {
		snprintf(group->name, sizeof(group->name), i ? PREFIX "%d.%d" : PREFIX "%d",
			 getpid(), i);
		if (!make_named(group))
			return 0;
		if (!may_try_again(errno))
			break;
	}
	err = errno;
	close(group->above);
	errno = err;
	return -1;
}

/* What CTX_IOC_BIND takes. */
int group_open_procs(const struct group *group)
{
	return openat(group->dir, "cgroup.procs", O_WRONLY | O_CLOEXEC);
}

/*
 * As fork(2), but the child begins in the group: joining it later would wait until
 * every CPU has seen that. It must not use what relies on its thread's id.
 */
pid_t group_fork(const struct group *group)
{
	struct clone_args args = {
		.flags = CLONE_INTO_CGROUP,
		.exit_signal = SIGCHLD,
		.cgroup = group->dir,
	};

	return syscall(SYS_clone3, &args, sizeof(args));
}

static bool has_event(const struct group *group, const char *line)
{
	char text[256];
	ssize_t len = pread(group->events, text, sizeof(text) - 1, 0);

	if (len < 0)
		return false;
	text[len] = '\0';
	return strstr(text, line);
}

/* Whether no process is left in it or below. */
bool group_is_empty(const struct group *group)
{
	return has_event(group, "populated 0");
}

/* Whether a ctx run is there that passes signals on to the command in its group. */
static bool is_looked_after(int dir, const char *name)
{
	return !strncmp(name, PREFIX, strlen(PREFIX)) && flock(dir, LOCK_SH | LOCK_NB);
}

/*
 * Sends a signal because context @end is done, or for another reason if that is 0. A
 * nested ctx run reads it there: see supervise.c.
 */
void signal_process(pid_t pid, int number, uint64_t end)
{
	union sigval value = { .sival_ptr = (void *)(uintptr_t)end };

	if (sigqueue(pid, number, value))
		kill(pid, number);
}

struct message {
	int number;
	uint64_t end;
};

static void signal_processes(int dir, const struct message *message)
{
	int fd = openat(dir, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
	int pid;

	if (!file)
		return;
	while (fscanf(file, "%d", &pid) == 1) {
		if (pid <= 0)
			continue;	/* not in our pid namespace */
		signal_process(pid, message->number, message->end);
		/* What is stopped could not act on it. */
		if (message->number != SIGKILL)
			kill(pid, SIGCONT);
	}
	fclose(file);
}

static bool signal_group(int above, const char *name, void *data)
{
	int dir = open_dir(above, name);

	if (dir < 0)
		return true;
	if (!is_looked_after(dir, name)) {
		signal_processes(dir, data);
		walk_groups(dir, signal_group, data);
	}
	close(dir);
	return true;
}

static void hold_still(const struct group *group)
{
	struct pollfd events = { .fd = group->events, .events = POLLPRI };

	if (write_at(group->dir, "cgroup.freeze", "1"))
		return;
	while (!has_event(group, "frozen 1") && poll(&events, 1, FREEZE_MS) > 0)
		;
}

/*
 * Sends a signal to everyone there at this moment, once: meanwhile nobody runs, so
 * that no one is missed who is just being forked, and no one gets it who is only
 * started because of it. What a nested ctx run runs is left to that. @end is as for
 * signal_process().
 */
void group_signal(const struct group *group, int number, uint64_t end)
{
	struct message message = { .number = number, .end = end };

	hold_still(group);
	signal_processes(group->dir, &message);
	walk_groups(group->dir, signal_group, &message);
	write_at(group->dir, "cgroup.freeze", "0");
}

void group_kill(const struct group *group)
{
	if (write(group->kill, "1", 1) != 1)
		group_signal(group, SIGKILL, 0);
}

/* Returns -1 if there is somebody in it. */
int group_remove(struct group *group)
{
	walk_groups(group->dir, remove_tree, NULL);
	return unlinkat(group->above, group->name, AT_REMOVEDIR);
}

/* Nothing but what is needed here: pipes and terminals are others' to end. */
static void let_go_of_all_but(struct group *group, int guard)
{
	int *kept[] = { &group->dir, &group->above, &group->events, &guard };
	const int count = sizeof(kept) / sizeof(*kept);

	for (int i = 0; i < count; i++)
		*kept[i] = fcntl(*kept[i], F_DUPFD_CLOEXEC, count);
	for (int i = 0; i < count; i++)
		*kept[i] = dup3(*kept[i], i, O_CLOEXEC);
	close_range(count, ~0U, 0);
}

/*
 * Waits in the background until all that the command has left behind is gone, and
 * removes the group. Whoever holds @guard keeps them from being killed. Returns -1 if
 * nobody can stay.
 */
int group_leave(struct group *group, int guard)
{
	struct pollfd events = { .events = POLLPRI };
	pid_t pid = fork();
	sigset_t all;

	if (pid)
		return pid < 0 ? -1 : 0;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	setsid();
	if (chdir("/"))
		_exit(1);
	let_go_of_all_but(group, guard);
	flock(group->dir, LOCK_SH);
	events.fd = group->events;
	while (!group_is_empty(group) || (group_remove(group) && errno == EBUSY))
		poll(&events, 1, -1);
	_exit(0);
}
