// SPDX-License-Identifier: GPL-2.0
/*
 * CTX_IOC_ON_DONE beyond its owner: what is written when he was killed, what is
 * killed with him, with whose rights, within which bounds, and who can hold up whom.
 */
#include "bpf.h"
#include "stall.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#define MAX_USER_CONTEXTS	CTX_PARAMETERS "max_user_contexts"
#define MAX_USER_FILES		CTX_PARAMETERS "max_user_files"
#define DEFAULT_CONTEXTS	65536
#define DEFAULT_FILES		4096

#define CGROUP		"/sys/fs/cgroup/ctx_ondone_test"

FIXTURE(owner) {
	int bg;
	int event;
	int pipe[2];
	int ready[2];
	uid_t user;	/* whom no other test has charged */
};

FIXTURE_SETUP(owner)
{
	self->bg = ctx_open();
	ASSERT_LE(0, self->bg);
	self->event = eventfd(0, EFD_CLOEXEC);
	ASSERT_LE(0, self->event);
	ASSERT_EQ(0, pipe2(self->pipe, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(self->ready, O_CLOEXEC));
	self->user = 10000 + 2 * getpid();
	ASSERT_EQ(DEFAULT_CONTEXTS, read_number(MAX_USER_CONTEXTS));
	ASSERT_EQ(DEFAULT_FILES, read_number(MAX_USER_FILES));
	rmdir(CGROUP);
	ASSERT_EQ(0, mkdir(CGROUP, 0755));
}

FIXTURE_TEARDOWN(owner)
{
	write_number(MAX_USER_CONTEXTS, DEFAULT_CONTEXTS);
	write_number(MAX_USER_FILES, DEFAULT_FILES);
	close(self->ready[0]);
	close(self->ready[1]);
	close(self->pipe[0]);
	close(self->pipe[1]);
	close(self->event);
	close(self->bg);
	rmdir(CGROUP);
}

TEST_F(owner, killed)
{
	__u64 count = 0;
	char text[8];
	pid_t pid;
	int ctx;

	pid = spawn();
	if (!pid) {
		become(self->user);
		ctx = ctx_derive(self->bg, 0);
		EXPECT_EQ(0, ctx_on_done(ctx, self->pipe[1], "dead", 4));
		EXPECT_EQ(0, ctx_on_done(ctx, self->event, NULL, 0));
		EXPECT_TRUE(tell(self->ready[1]));
		for (;;)
			pause();
	}
	ASSERT_TRUE(hear(self->ready[0]));
	EXPECT_EQ(0, poll_events(self->pipe[0], POLLIN, 0));
	EXPECT_EQ(0, kill(pid, SIGKILL));
	EXPECT_EQ(KILLED, reap(pid));
	EXPECT_EQ(4, read(self->pipe[0], text, sizeof(text)));
	EXPECT_EQ(0, memcmp(text, "dead", 4));
	EXPECT_EQ(sizeof(count), read(self->event, &count, sizeof(count)));
	EXPECT_EQ(1, count);
}

/* Each the child of the one before. */
static void grow(int depth, int ready)
{
	while (depth && !fork()) {
		setsid();
		depth--;
	}
	if (!depth)
		tell(ready);
	for (;;)
		pause();
}

/* A tree of processes in the group, without any descriptor but those two. */
static void plant(int alive, int ready)
{
	if (fork())
		return;
	if (!write_number(CGROUP "/cgroup.procs", getpid()))
		_exit(1);
	setsid();
	signal(SIGTERM, SIG_IGN);
	dup2(alive, 10);
	dup2(ready, 11);
	close_range(0, 9, 0);
	close_range(12, ~0U, 0);
	grow(3, 11);
}

/* Whatever happens to who started it, the kernel kills it all. */
TEST_F(owner, cgroup_kill)
{
	int alive[2], ctx, fd;
	char byte;
	pid_t pid;

	ASSERT_EQ(0, pipe2(alive, O_CLOEXEC));
	pid = spawn();
	if (!pid) {
		ctx = ctx_derive(self->bg, 0);
		fd = open(CGROUP "/cgroup.kill", O_WRONLY | O_CLOEXEC);
		EXPECT_LE(0, fd);
		EXPECT_EQ(-EINVAL, ctx_on_done(ctx, fd, "1", 1));
		EXPECT_EQ(0, ctx_on_done(ctx, fd, NULL, 0));
		close(fd);
		plant(alive[1], self->ready[1]);
		for (;;)
			pause();
	}
	close(alive[1]);
	ASSERT_TRUE(hear(self->ready[0]));
	EXPECT_EQ(0, poll_events(alive[0], POLLIN, 0));
	EXPECT_EQ(0, kill(pid, SIGKILL));
	EXPECT_EQ(KILLED, reap(pid));
	/* The end of a pipe that each of them has open. */
	EXPECT_EQ(0, read(alive[0], &byte, 1));
	close(alive[0]);
	while (rmdir(CGROUP))
		ASSERT_EQ(EBUSY, errno);
}

TEST_F(owner, cgroup_files)
{
	static const char * const others[] = {
		"cgroup.procs", "cgroup.freeze", "cgroup.subtree_control", "cgroup.max.depth",
	};
	int ctx = ctx_derive(self->bg, 0), fd, i;
	char path[128];

	for (i = 0; i < ARRAY_SIZE(others); i++) {
		snprintf(path, sizeof(path), CGROUP "/%s", others[i]);
		fd = open(path, O_RDWR | O_CLOEXEC);
		ASSERT_LE(0, fd);
		EXPECT_EQ(-EINVAL, ctx_on_done(ctx, fd, NULL, 0));
		EXPECT_EQ(-EINVAL, ctx_on_done(ctx, fd, "1", 1));
		close(fd);
	}
	/* Its name alone does not make it one. */
	fd = open("/tmp/cgroup.kill", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	EXPECT_EQ(-EINVAL, ctx_on_done(ctx, fd, NULL, 0));
	unlink("/tmp/cgroup.kill");
	close(fd);
	/* It does not keep the group. */
	fd = open(CGROUP "/cgroup.kill", O_WRONLY | O_CLOEXEC);
	EXPECT_EQ(0, ctx_on_done(ctx, fd, NULL, 0));
	EXPECT_EQ(0, rmdir(CGROUP));
	EXPECT_EQ(0, ctx_cancel(ctx, 0));
	EXPECT_EQ(ENODEV, written(ctx));
	close(fd);
	close(ctx);
}

/* He who may not open it cannot have it written, and who might may not later. */
TEST_F(owner, cgroup_kill_with_the_rights_of_then)
{
	int ctx = ctx_derive(self->bg, CTX_DERIVE_KEEP), alive[2];
	char byte;
	pid_t pid;

	ASSERT_EQ(0, pipe2(alive, O_CLOEXEC));
	plant(alive[1], self->ready[1]);
	close(alive[1]);
	ASSERT_TRUE(hear(self->ready[0]));
	ASSERT_EQ(0, chown(CGROUP "/cgroup.kill", self->user, -1));
	pid = spawn();
	if (!pid) {
		become(self->user + 1);
		EXPECT_EQ(-1, open(CGROUP "/cgroup.kill", O_WRONLY | O_CLOEXEC));
		child_exit();
	}
	EXPECT_EQ(0, reap(pid));
	pid = spawn();
	if (!pid) {
		become(self->user);
		EXPECT_EQ(0, ctx_on_done(ctx, open(CGROUP "/cgroup.kill", O_WRONLY | O_CLOEXEC),
					 NULL, 0));
		child_exit();
	}
	EXPECT_EQ(0, reap(pid));
	ASSERT_EQ(0, chown(CGROUP "/cgroup.kill", 0, -1));
	EXPECT_EQ(0, poll_events(alive[0], POLLIN, 0));
	EXPECT_EQ(0, ctx_cancel(ctx, 0));
	EXPECT_EQ(0, written(ctx));
	EXPECT_EQ(0, read(alive[0], &byte, 1));
	close(alive[0]);
	close(ctx);
	while (rmdir(CGROUP))
		ASSERT_EQ(EBUSY, errno);
}

/* Credentials */

/* Who sends packets: a program that enters each user into a map. */
static int watch_senders(int *map)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_HASH,
		.key_size = 4,
		.value_size = 8,
		.max_entries = 64,
	};
	int prog;

	*map = bpf(BPF_MAP_CREATE, &attr);
	if (*map < 0)
		return -1;

	const struct bpf_insn insns[] = {
		{ BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_get_current_uid_gid },
		{ BPF_STX | BPF_MEM | BPF_W, 10, 0, -4, 0 },
		{ BPF_ST | BPF_MEM | BPF_DW, 10, 0, -16, 1 },
		{ BPF_LD | BPF_DW | BPF_IMM, 1, BPF_PSEUDO_MAP_FD, 0, *map },
		{ 0 },
		{ BPF_ALU64 | BPF_MOV | BPF_X, 2, 10, 0, 0 },
		{ BPF_ALU64 | BPF_ADD | BPF_K, 2, 0, 0, -4 },
		{ BPF_ALU64 | BPF_MOV | BPF_X, 3, 10, 0, 0 },
		{ BPF_ALU64 | BPF_ADD | BPF_K, 3, 0, 0, -16 },
		{ BPF_ALU64 | BPF_MOV | BPF_K, 4, 0, 0, 0 },
		{ BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_map_update_elem },
		{ BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0 },
		{ BPF_JMP | BPF_EXIT, 0, 0, 0, 0 },
	};

	prog = bpf_load(BPF_PROG_TYPE_RAW_TRACEPOINT, insns, ARRAY_SIZE(insns));
	if (prog < 0)
		return -1;
	attr = (union bpf_attr){
		.raw_tracepoint.name = to_u64("net_dev_queue"),
		.raw_tracepoint.prog_fd = prog,
	};
	return bpf(BPF_RAW_TRACEPOINT_OPEN, &attr);
}

static bool has_sent(int map, __u32 user)
{
	__u64 value = 0;
	union bpf_attr attr = {
		.map_fd = map,
		.key = to_u64(&user),
		.value = to_u64(&value),
	};

	return bpf(BPF_MAP_LOOKUP_ELEM, &attr) == 0 && value == 1;
}

/* Not with those of the worker, nor of whoever cancels. */
TEST_F(owner, credentials)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(9),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int ctx = ctx_derive(self->bg, 0), sock, map, probe;
	pid_t pid;

	probe = watch_senders(&map);
	if (probe < 0)
		SKIP(return, "no BPF");
	sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ASSERT_EQ(0, connect(sock, (struct sockaddr *)&to, sizeof(to)));
	pid = spawn();
	if (!pid) {
		become(self->user);
		EXPECT_EQ(0, ctx_on_done(ctx, sock, "x", 1));
		child_exit();
	}
	EXPECT_EQ(0, reap(pid));
	EXPECT_FALSE(has_sent(map, self->user));
	EXPECT_EQ(0, ctx_cancel(ctx, 0));
	EXPECT_EQ(0, written(ctx));
	EXPECT_TRUE(has_sent(map, self->user));
	close(probe);
	close(map);
	close(sock);
	close(ctx);
}

/* Bounds */

static bool has_room_for(int ctx, int event, int nr)
{
	while (nr--) {
		if (!must(ctx_on_done(ctx, event, NULL, 0) == 0))
			return false;
	}
	return must(ctx_on_done(ctx, event, NULL, 0) == -EDQUOT);
}

/* Whoever asks is charged, not whose context it is. */
TEST_F(owner, bounds)
{
	int ctx = ctx_derive(self->bg, 0), other = ctx_derive(self->bg, CTX_DERIVE_KEEP);
	struct ctx_ioc_info info;
	pid_t pid;

	ASSERT_TRUE(write_number(MAX_USER_FILES, 3));
	pid = spawn();
	if (!pid) {
		become(self->user);
		EXPECT_TRUE(has_room_for(ctx, self->event, 3));
		EXPECT_EQ(-EDQUOT, ctx_on_done(ctx, self->pipe[1], "x", 1));
		EXPECT_EQ(-EDQUOT, ctx_on_done(self->bg, self->event, NULL, 0));
		/* Contexts are another matter. */
		EXPECT_LE(0, ctx_derive(ctx, 0));
		EXPECT_FALSE(write_number(MAX_USER_FILES, 100));
		child_exit();
	}
	EXPECT_EQ(0, reap(pid));
	ASSERT_EQ(0, ctx_info(ctx, &info));
	EXPECT_EQ(3, info.on_dones);
	pid = spawn();
	if (!pid) {
		become(self->user + 1);
		EXPECT_TRUE(has_room_for(other, self->event, 3));
		child_exit();
	}
	EXPECT_EQ(0, reap(pid));

	/* What was written does not count any more, nor what is gone with its context. */
	EXPECT_EQ(0, ctx_cancel(ctx, 0));
	EXPECT_EQ(0, written(ctx));
	close(other);
	for (other = 0; other < 2; other++) {
		pid = spawn();
		if (!pid) {
			become(self->user + other);
			close(ctx);
			ctx = ctx_derive(self->bg, 0);
			while (ctx_on_done(ctx, self->event, NULL, 0) == -EDQUOT)
				sched_yield();
			/* The others go the same way, and may still be on it. */
			while (ctx_on_done(ctx, self->event, NULL, 0) == -EDQUOT)
				sched_yield();
			while (ctx_on_done(ctx, self->event, NULL, 0) == -EDQUOT)
				sched_yield();
			EXPECT_TRUE(has_room_for(ctx, self->event, 0));
			child_exit();
		}
		EXPECT_EQ(0, reap(pid));
	}
	close(ctx);
}

/* Who holds up whom */

/* So many of a user's that all workers would not do. */
#define STALLED	600

static void ask(struct __test_metadata *_metadata, uid_t user, int ctx, int to, int nr)
{
	pid_t pid = spawn();

	if (!pid) {
		become(user);
		while (nr--)
			EXPECT_EQ(0, ctx_on_done(ctx, to, "x", 1));
		child_exit();
	}
	EXPECT_EQ(0, reap(pid));
}

TEST_F(owner, nobody_holds_up_another)
{
	int ctx = ctx_derive(self->bg, 0), mine = ctx_derive(self->bg, 0), fd;
	struct ctx_ioc_info info;
	struct stall stall;
	char found[STALLED];

	if (!stall_init(&stall))
		SKIP(return, "no userfaultfd");
	ask(_metadata, self->user, ctx, stall.pipe[1], STALLED);
	ASSERT_TRUE(stall_begin(&stall));
	EXPECT_EQ(0, ctx_cancel(ctx, 0));

	fd = open(CGROUP "/cgroup.kill", O_WRONLY | O_CLOEXEC);
	EXPECT_EQ(0, ctx_on_done(mine, fd, NULL, 0));
	EXPECT_EQ(0, ctx_on_done(mine, self->pipe[1], "y", 1));
	EXPECT_EQ(0, ctx_on_done(mine, self->event, NULL, 0));
	EXPECT_EQ(0, ctx_cancel(mine, 0));
	EXPECT_EQ(0, written(mine));
	EXPECT_TRUE(hear(self->pipe[0]));
	ASSERT_EQ(0, ctx_info(ctx, &info));
	EXPECT_EQ(0, info.info_flags & CTX_INFO_WRITTEN);

	stall_end(&stall);
	EXPECT_EQ(0, written(ctx));
	EXPECT_EQ(STALLED, read(stall.pipe[0], found, sizeof(found)));
	close(stall.pipe[0]);
	close(stall.pipe[1]);
	close(fd);
	close(mine);
	close(ctx);
}

/* As turn.c has it. */
#define TURNS	64

/* Whether what a worker's file in /proc begins with has @text. */
static bool worker_has(const char *pid, const char *name, const char *text)
{
	char path[300], found[1024];
	ssize_t len;
	int fd;

	snprintf(path, sizeof(path), "/proc/%s/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	len = read(fd, found, sizeof(found) - 1);
	close(fd);
	found[len > 0 ? len : 0] = '\0';
	return strstr(found, text);
}

/* The workers, of those who might be ours, that are at a pipe; -1 if one is at something else. */
static int workers_at_pipes(void)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	int nr = 0;

	while (nr >= 0 && (entry = readdir(proc))) {
		if (!worker_has(entry->d_name, "comm", "kworker/u") ||
		    worker_has(entry->d_name, "stat", ") I "))
			continue;
		nr = worker_has(entry->d_name, "stack", "pipe_write") ? nr + 1 : -1;
	}
	closedir(proc);
	return nr;
}

/*
 * So many of a user's are under way, and no more. Works are begun in order: when the
 * other's is done all were; and when no worker is at anything else, each of them is at
 * the pipe, or waits for its turn.
 */
TEST_F(owner, so_many_at_a_time)
{
	int ctx = ctx_derive(self->bg, 0), mine = ctx_derive(self->bg, 0), nr;
	struct stall stall;
	cpu_set_t one;

	/* On the queue of one CPU, where each has its own. */
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	ASSERT_EQ(0, sched_setaffinity(0, sizeof(one), &one));
	if (!stall_init(&stall))
		SKIP(return, "no userfaultfd");
	ask(_metadata, self->user, ctx, stall.pipe[1], 100);
	ask(_metadata, self->user + 1, mine, self->pipe[1], 1);
	ASSERT_TRUE(stall_begin(&stall));
	EXPECT_EQ(0, ctx_cancel(ctx, 0));
	EXPECT_EQ(0, ctx_cancel(mine, 0));
	EXPECT_EQ(0, written(mine));
	while ((nr = workers_at_pipes()) < 0)
		sched_yield();
	EXPECT_EQ(TURNS, nr);
	stall_end(&stall);
	EXPECT_EQ(0, written(ctx));
	close(stall.pipe[0]);
	close(stall.pipe[1]);
	close(mine);
	close(ctx);
}

/* Has @ctx watch the pipe of @from by descriptions that nobody else has. */
static void watch_alone(struct __test_metadata *_metadata, uid_t user, int ctx, int from, int nr)
{
	pid_t pid = spawn();
	int fd;

	if (!pid) {
		become(user);
		while (nr--) {
			fd = open_anew(from);
			EXPECT_EQ(0, ctx_watch(ctx, fd, EPOLLPRI, 0));
			close(fd);
		}
		child_exit();
	}
	EXPECT_EQ(0, reap(pid));
}

/* A pipe that is watched, and then by nobody any more, is closed. */
static void expect_release(struct __test_metadata *_metadata, int bg)
{
	const int ctx = ctx_derive(bg, 0);
	int pipe[2];

	ASSERT_EQ(0, pipe2(pipe, O_CLOEXEC));
	EXPECT_EQ(0, ctx_watch(ctx, pipe[0], EPOLLPRI, 0));
	close(pipe[0]);
	EXPECT_EQ(0, ctx_cancel(ctx, 0));
	EXPECT_TRUE(wait_unread(pipe[1]));
	close(pipe[1]);
	close(ctx);
}

/*
 * The release of a file waits for who has its pipe locked: neither do others wait for
 * that, nor does what the kernel itself releases.
 */
TEST_F(owner, nobody_waits_for_what_another_lets_go)
{
	int ctx = ctx_derive(self->bg, 0), kept = ctx_derive(self->bg, CTX_DERIVE_KEEP);
	struct stall stall;

	if (!stall_init(&stall))
		SKIP(return, "no userfaultfd");
	ASSERT_EQ(0, fchmod(stall.pipe[0], 0666));
	watch_alone(_metadata, self->user, ctx, stall.pipe[0], STALLED);
	ask(_metadata, self->user, kept, stall.pipe[1], STALLED);
	ASSERT_TRUE(stall_begin(&stall));
	EXPECT_EQ(0, ctx_cancel(ctx, 0));
	expect_release(_metadata, self->bg);
	/* It ends without being done. */
	close(kept);
	expect_release(_metadata, self->bg);
	stall_end(&stall);
	close(stall.pipe[0]);
	close(stall.pipe[1]);
	close(ctx);
}

/* To unload the module is refused, where that would wait for who holds something up. */
TEST_F(owner, what_is_held_up_keeps_the_module)
{
	int ctx = ctx_derive(self->bg, 0), kept = ctx_derive(self->bg, CTX_DERIVE_KEEP);
	struct stall stall;
	long long held;

	if (!stall_init(&stall))
		SKIP(return, "no userfaultfd");
	ASSERT_EQ(0, fchmod(stall.pipe[0], 0666));
	watch_alone(_metadata, self->user, ctx, stall.pipe[0], 1);
	ask(_metadata, self->user, kept, stall.pipe[1], 1);
	ASSERT_TRUE(stall_begin(&stall));
	EXPECT_EQ(0, ctx_cancel(ctx, 0));
	close(ctx);
	close(kept);
	/* Not for a moment was it without those two. */
	held = read_number(REFCNT);
	stall_end(&stall);
	wait_users(held - 2);
	close(stall.pipe[0]);
	close(stall.pipe[1]);
}

/* All that the user may have is @ctx's watches, which are being let go, and held up. */
static void fill_room(struct __test_metadata *_metadata, fixture_self(owner), int ctx,
		      struct stall *stall)
{
	ASSERT_EQ(0, fchmod(stall->pipe[0], 0666));
	ASSERT_TRUE(write_number(MAX_USER_FILES, 8));
	watch_alone(_metadata, self->user, ctx, stall->pipe[0], 8);
	ASSERT_TRUE(stall_begin(stall));
	EXPECT_EQ(0, ctx_cancel(ctx, 0));
}

/* One of @uid, who asks for a watch of the same, and expects @ret. */
static pid_t ask_for_room(struct __test_metadata *_metadata, uid_t uid, int other,
			  const struct stall *stall, int ret)
{
	pid_t pid = spawn();

	if (!pid) {
		become(uid);
		EXPECT_EQ(ret, ctx_watch(other, stall->pipe[0], EPOLLPRI, 0));
		child_exit();
	}
	return pid;
}

static void close_room(const struct stall *stall, int ctx, int other)
{
	close(stall->pipe[0]);
	close(stall->pipe[1]);
	close(other);
	close(ctx);
}

/* What is being let go counts until it is gone, and who has no room waits for that. */
TEST_F(owner, room_is_waited_for)
{
	int ctx = ctx_derive(self->bg, 0), other = ctx_derive(self->bg, 0);
	struct stall stall;
	pid_t pid;

	if (!stall_init(&stall))
		SKIP(return, "no userfaultfd");
	fill_room(_metadata, self, ctx, &stall);
	pid = ask_for_room(_metadata, self->user, other, &stall, 0);
	wait_state(pid, "DZ");
	stall_end(&stall);
	EXPECT_EQ(0, reap(pid));
	close_room(&stall, ctx, other);
}

/* ... but not for ever, nor for what is held up: CTX_ROOM_WAIT ends this. */
TEST_F(owner, room_is_waited_for_in_vain)
{
	int ctx = ctx_derive(self->bg, 0), other = ctx_derive(self->bg, 0);
	struct stall stall;
	pid_t pid;

	if (!stall_init(&stall))
		SKIP(return, "no userfaultfd");
	fill_room(_metadata, self, ctx, &stall);
	pid = ask_for_room(_metadata, self->user, other, &stall, -EDQUOT);
	EXPECT_EQ(0, reap(pid));
	/* Nobody else waits for it, and a kill ends it. */
	pid = ask_for_room(_metadata, self->user + 1, other, &stall, 0);
	EXPECT_EQ(0, reap(pid));
	pid = spawn();
	if (!pid) {
		become(self->user);
		ctx_watch(other, stall.pipe[0], EPOLLPRI, 0);
		_exit(0);
	}
	wait_state(pid, "DZ");
	EXPECT_EQ(0, kill(pid, SIGKILL));
	EXPECT_EQ(KILLED, reap(pid));
	stall_end(&stall);
	close_room(&stall, ctx, other);
}

/* It is room for files: who has all the contexts that he may is told so. */
TEST_F(owner, room_for_contexts_is_another_matter)
{
	int ctx = ctx_derive(self->bg, 0), other = ctx_derive(self->bg, 0);
	struct stall stall;
	pid_t pid;

	if (!stall_init(&stall))
		SKIP(return, "no userfaultfd");
	fill_room(_metadata, self, ctx, &stall);
	/* Whoever is refused has waited until all that is done was begun to be let go. */
	ASSERT_TRUE(write_number(MAX_USER_FILES, 0));
	pid = ask_for_room(_metadata, self->user + 1, other, &stall, -EDQUOT);
	EXPECT_EQ(0, reap(pid));
	ASSERT_TRUE(write_number(MAX_USER_CONTEXTS, 1));
	pid = spawn();
	if (!pid) {
		become(self->user);
		EXPECT_LE(0, ctx_derive(self->bg, 0));
		EXPECT_EQ(-EDQUOT, ctx_derive(self->bg, 0));
		EXPECT_EQ(-EDQUOT, ctx_set(self->bg, "k", "v"));
		child_exit();
	}
	EXPECT_EQ(0, reap(pid));
	stall_end(&stall);
	close_room(&stall, ctx, other);
}

/* In a child: @user, or whom he calls 5 in a user namespace of his own making. */
static void become_within(struct __test_metadata *_metadata, fixture_self(owner), const int *go,
			  uid_t user)
{
	become(user);
	EXPECT_EQ(0, unshare(CLONE_NEWUSER));
	EXPECT_TRUE(tell(self->ready[1]));
	EXPECT_TRUE(hear(go[0]));
	become(5);
}

/*
 * Whoever is in a user namespace holds up others there, and nobody outside: not even
 * who made it, though he is charged for all of them.
 */
TEST_F(owner, nobody_within_holds_up_who_made_it)
{
	int ctx = ctx_derive(self->bg, 0), mine = ctx_derive(self->bg, 0), i, go[2];
	struct stall stall;
	pid_t pid;

	if (!stall_init(&stall))
		SKIP(return, "no userfaultfd");
	ASSERT_EQ(0, pipe2(go, O_CLOEXEC));
	pid = spawn();
	if (!pid) {
		become_within(_metadata, self, go, self->user);
		for (i = 0; i < STALLED; i++)
			EXPECT_EQ(0, ctx_on_done(ctx, stall.pipe[1], "x", 1));
		child_exit();
	}
	ASSERT_TRUE(hear(self->ready[0]));
	ASSERT_TRUE(map_ids(pid, "0 100000000 10"));
	ASSERT_TRUE(tell(go[1]));
	EXPECT_EQ(0, reap(pid));
	ASSERT_TRUE(stall_begin(&stall));
	EXPECT_EQ(0, ctx_cancel(ctx, 0));

	ask(_metadata, self->user, mine, self->pipe[1], 1);
	EXPECT_EQ(0, ctx_cancel(mine, 0));
	EXPECT_EQ(0, written(mine));
	EXPECT_TRUE(hear(self->pipe[0]));

	stall_end(&stall);
	EXPECT_EQ(0, written(ctx));
	close(stall.pipe[0]);
	close(stall.pipe[1]);
	close(go[0]);
	close(go[1]);
	close(mine);
	close(ctx);
}

/* Not even users who together do keep all workers busy: nor what cannot be held up. */
TEST_F(owner, nobody_holds_up_a_kill)
{
	int ctx = ctx_derive(self->bg, 0), mine = ctx_derive(self->bg, 0), fd, event, i;
	struct stall stall;

	if (!stall_init(&stall))
		SKIP(return, "no userfaultfd");
	for (i = 0; i < 10; i++)
		ask(_metadata, self->user + 100000 + i, ctx, stall.pipe[1], 64);
	ASSERT_TRUE(stall_begin(&stall));
	EXPECT_EQ(0, ctx_cancel(ctx, 0));

	fd = open(CGROUP "/cgroup.kill", O_WRONLY | O_CLOEXEC);
	event = eventfd(0, EFD_CLOEXEC);
	EXPECT_EQ(0, ctx_on_done(mine, fd, NULL, 0));
	EXPECT_EQ(0, ctx_on_done(mine, event, NULL, 0));
	EXPECT_EQ(0, ctx_cancel(mine, 0));
	EXPECT_EQ(0, written(mine));

	stall_end(&stall);
	EXPECT_EQ(0, written(ctx));
	close(stall.pipe[0]);
	close(stall.pipe[1]);
	close(event);
	close(fd);
	close(mine);
	close(ctx);
}

TEST_HARNESS_MAIN
