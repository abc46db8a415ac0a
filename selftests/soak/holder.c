// SPDX-License-Identifier: GPL-2.0
/*
 * A process that has a tree of contexts, and what can be attached to one, and does not
 * end by itself. It has children who have the same descriptors, and more of their own.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <libctx.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "soak.h"

#define TREE	256	/* contexts that it holds at most */
#define CHUNK	4194304
#define HOG_NICE	-10	/* the others keep the CPUs busy */

#define FIRST_USER	10000
#define USERS		4

struct tree {
	struct dice *dice;
	int ctx[TREE];
	int nr;
	int pipe[2];
	int event;
	int pidfd;		/* of whoever started it */
};

static int any(const struct tree *tree)
{
	return tree->ctx[dice_below(tree->dice, tree->nr)];
}

static int derive_value(struct tree *tree)
{
	static char value[CTX_VALUE_MAX];
	char key = 'a' + dice_below(tree->dice, 26);

	return ctx_with_value(any(tree), &key, 1, value, dice_below(tree->dice, sizeof(value) + 1));
}

static int derive_timed(struct tree *tree, unsigned int flags)
{
	static const int clocks[] = { CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_REALTIME };
	/* From none to a second. */
	const int64_t timeout = dice_below(tree->dice, 1u << dice_below(tree->dice, 30));

	return ctx_derive(any(tree), flags | CTX_DERIVE_TIMEOUT, clocks[dice_below(tree->dice, 3)],
			  timeout, 0);
}

static int derive(struct tree *tree)
{
	switch (dice_below(tree->dice, 8)) {
	case 0:
		return derive_value(tree);
	case 1:
		return ctx_without_cancel(any(tree));
	case 2:
		return derive_timed(tree, 0);
	case 3:
		return derive_timed(tree, CTX_DERIVE_KEEP);
	case 4:
		return ctx_derive(any(tree), CTX_DERIVE_KEEP, 0, 0, 0);
	case 5:
		return ctx_restrict(any(tree), CTX_RIGHT_OBSERVE | CTX_RIGHT_DERIVE);
	default:
		return ctx_with_cancel(any(tree));
	}
}

/* Its sockets know nobody else, so that only the kernel's collector finds it. */
static int set_adrift(int ctx)
{
	char control[CMSG_SPACE(3 * sizeof(int))] = {};
	struct iovec iov = { .iov_base = "!", .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	int fds[3] = { ctx }, ret;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds + 1))
		return -1;
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(cmsg), fds, sizeof(fds));
	ret = sendmsg(fds[1], &msg, 0);
	close(fds[1]);
	close(fds[2]);
	return ret;
}

/* What it comes to is not looked at: any of it may be refused. */
static void attach(struct tree *tree)
{
	static const char data[512];

	switch (dice_below(tree->dice, 8)) {
	case 0:
		ctx_watch(any(tree), tree->event, 0, 0);
		break;
	case 1:
		ctx_watch(any(tree), tree->pidfd, 0, 0);
		break;
	case 2:
		ctx_watch(any(tree), tree->pipe[0], 0, EPIPE);
		break;
	case 3:
		ctx_on_done(any(tree), tree->event, NULL, 0);
		break;
	case 4:
		ctx_on_done(any(tree), tree->pipe[1], data, 1 + dice_below(tree->dice, 512));
		break;
	case 5:
		ctx_link(any(tree), any(tree));
		break;
	case 6:
		set_adrift(any(tree));
		break;
	default:
		ctx_cancel(any(tree), EIO);
	}
}

/* One more, or in the place of another. */
static void grow(struct tree *tree)
{
	const int ctx = derive(tree);
	int i;

	if (ctx < 0)
		return;
	if (tree->nr < TREE) {
		tree->ctx[tree->nr++] = ctx;
		return;
	}
	/* Background stays. */
	i = 1 + dice_below(tree->dice, TREE - 1);
	close(tree->ctx[i]);
	tree->ctx[i] = ctx;
}

static void plant(struct tree *tree)
{
	int left = 1 + dice_below(tree->dice, TREE);

	while (left--) {
		grow(tree);
		if (!dice_below(tree->dice, 4))
			attach(tree);
	}
}

static void wait_for_one(struct tree *tree)
{
	struct ctx_event event;

	for (;;)
		ctx_wait(any(tree), CTX_SEC, &event);
}

static void churn(struct tree *tree)
{
	for (;;)
		grow(tree);
}

/* All at once, which is faster than by faults. */
static void hog_memory(void)
{
	for (;;)
		mmap(NULL, CHUNK, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
}

/* Chains of them, of which one is open each. */
static void hog_values(struct tree *tree)
{
	static char value[CTX_VALUE_MAX];
	int last = tree->ctx[0], ctx;

	for (;;) {
		ctx = ctx_with_value(last, "hog", 3, value, sizeof(value));
		/* It is as deep as may be, or he is about to be killed. */
		if (ctx < 0)
			ctx = tree->ctx[0];
		else if (last != tree->ctx[0])
			close(last);
		last = ctx;
	}
}

/* He whose group has no memory any more is not wrong, and about to be killed. */
static void give_up(int status)
{
	while (errno == ENOMEM)
		pause();
	_exit(status);
}

static void put(const char *path, const char *text)
{
	const int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		give_up(3);
	close(fd);
}

static void begin(struct tree *tree, enum role role, bool in_group)
{
	const uid_t uid = FIRST_USER + dice_below(tree->dice, USERS);

	put("/proc/self/oom_score_adj", role == ROLE_HOG ? "1000" : "500");
	if (in_group)
		put(GROUP "/cgroup.procs", "0");
	else if (role == ROLE_HOG && setpriority(PRIO_PROCESS, 0, HOG_NICE))
		give_up(4);
	if (setresgid(uid, uid, uid) || setresuid(uid, uid, uid))
		give_up(5);
	tree->ctx[0] = ctx_background();
	tree->nr = 1;
	tree->event = eventfd(0, EFD_CLOEXEC);
	tree->pidfd = syscall(SYS_pidfd_open, getppid(), 0);
	if (tree->ctx[0] < 0 || tree->event < 0 || tree->pidfd < 0 ||
	    pipe2(tree->pipe, O_CLOEXEC))
		give_up(6);
}

void holder(struct dice *dice, enum role role, bool in_group)
{
	struct tree tree = { .dice = dice };

	begin(&tree, role, in_group);
	plant(&tree);
	while (!dice_below(dice, 2) && fork() == 0)
		plant(&tree);
	switch (role) {
	case ROLE_CHURN:
		churn(&tree);
		break;
	case ROLE_HOG:
		hog_memory();
		break;
	case ROLE_VALUES:
		hog_values(&tree);
		break;
	default:
		wait_for_one(&tree);
	}
	_exit(7);
}
