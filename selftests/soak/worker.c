// SPDX-License-Identifier: GPL-2.0
/* Starts one holder after the other, and kills each at some moment. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "soak.h"

#define HOG_MS		20000
#define WHOLE_MS	120000	/* as long as it takes for the OOM killer to come */

/* The whole machine's memory goes once a while; that of the group all the time. */
static enum role choose(struct dice *dice, bool *in_group)
{
	const unsigned int side = dice_below(dice, 100);

	*in_group = side < 40;
	if (side < 5)
		return ROLE_HOG;
	if (side < 10)
		return ROLE_VALUES;
	if (side >= 97 && !__atomic_exchange_n(&soak->hogging, 1L, __ATOMIC_SEQ_CST))
		return ROLE_HOG;
	return side & 1 ? ROLE_WAIT : ROLE_CHURN;
}

/* Milliseconds until it is killed: mostly few, so that it is while it still builds. */
static int patience(struct dice *dice, enum role role, bool in_group)
{
	if (role == ROLE_HOG && !in_group)
		return WHOLE_MS;
	if (role == ROLE_HOG || role == ROLE_VALUES)
		return dice_below(dice, HOG_MS);
	return dice_below(dice, 1 << dice_below(dice, 10));
}

/* It, or until that time is over. */
static void wait_for(pid_t pid, int ms)
{
	struct pollfd pfd = { .fd = syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };

	if (pfd.fd < 0)
		die("pidfd_open");
	/* In steps, to hear of the end of the round. */
	for (; ms > 0 && !see(&soak->stop); ms -= 100)
		if (poll(&pfd, 1, ms < 100 ? ms : 100) > 0)
			break;
	close(pfd.fd);
}

/* With all that it has started: they are in its group, and become children of ours. */
static void reap_all(pid_t pid)
{
	int status;
	pid_t dead;

	kill(-pid, SIGKILL);
	while ((dead = waitpid(-1, &status, 0)) > 0) {
		if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
			add(&soak->killed, 1);
		else
			wrong("holder %d ended with status 0x%x", dead, status);
	}
	if (errno != ECHILD)
		die("waitpid");
}

void worker(struct dice *dice)
{
	struct dice child;
	enum role role;
	bool in_group;
	pid_t pid;

	if (prctl(PR_SET_CHILD_SUBREAPER, 1))
		die("PR_SET_CHILD_SUBREAPER");
	while (!see(&soak->stop)) {
		role = choose(dice, &in_group);
		child.state = dice_below(dice, -1u);
		pid = fork();
		if (pid < 0)
			die("fork");
		if (!pid) {
			setpgid(0, 0);
			holder(&child, role, in_group);
		}
		/* Both say so: whoever is first. */
		setpgid(pid, pid);
		wait_for(pid, patience(dice, role, in_group));
		reap_all(pid);
		if (role == ROLE_HOG && !in_group)
			__atomic_store_n(&soak->hogging, 0, __ATOMIC_SEQ_CST);
	}
}
