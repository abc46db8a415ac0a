/* SPDX-License-Identifier: GPL-2.0 */
/* A cgroup of its own for a command and all that it starts: see group.c. */
#ifndef GROUP_H
#define GROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct group {
	int dir;	/* locked while someone looks after it; -1: there is no group */
	int above;	/* the cgroup that it was made in, which is ours */
	int kill;	/* its cgroup.kill */
	int events;	/* its cgroup.events: POLLPRI when they change */
	char name[40];
};

int group_make(struct group *group);
int group_open_procs(const struct group *group);
pid_t group_fork(const struct group *group);
bool group_is_empty(const struct group *group);
void signal_process(pid_t pid, int number, uint64_t end);
void group_signal(const struct group *group, int number, uint64_t end);
void group_kill(const struct group *group);
int group_remove(struct group *group);
int group_leave(struct group *group, int guard);

#endif /* GROUP_H */
