// SPDX-License-Identifier: GPL-2.0
/*
 * Ownership: who holds the last descriptor that can cancel, cancels by letting
 * it go, whether he closes it, exits, execs or is killed.
 *
 * A value context has no right to cancel, so one below the context in question
 * watches it without keeping it alive.
 */
#include "ctx_test.h"

extern char **environ;

FIXTURE(owner) {
	int bg;
	int pair[2];	/* children send watches and tidings through [1] */
	int gone[2];	/* children wait on [0] for the test to close [1] */
};

FIXTURE_SETUP(owner)
{
	self->bg = ctx_open();
	ASSERT_LE(0, self->bg);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, self->pair));
	ASSERT_EQ(0, pipe2(self->gone, O_CLOEXEC));
	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
}

FIXTURE_TEARDOWN(owner)
{
	close(self->gone[0]);
	close(self->gone[1]);
	close(self->pair[0]);
	close(self->pair[1]);
	close(self->bg);
}

static int watch(int fd)
{
	return ctx_set(fd, "watch", "");
}

static bool died_with_owner(int watch, __u64 id, pid_t pid, const char *comm)
{
	return is_done_by(watch, ECANCELED, EOWNERDEAD, id, pid, comm);
}

TEST_F(owner, the_last_close_cancels)
{
	int ctx = ctx_derive(self->bg, 0);
	int child = ctx_derive(ctx, 0);
	int value = watch(ctx);
	int without = ctx_derive(ctx, CTX_DERIVE_WITHOUT_CANCEL);
	__u64 id = ctx_id(ctx);

	ASSERT_LE(0, without);
	EXPECT_TRUE(is_live(value));
	close(ctx);
	EXPECT_TRUE(died_with_owner(value, id, getpid(), my_comm()));
	EXPECT_TRUE(died_with_owner(child, id, getpid(), my_comm()));
	EXPECT_TRUE(same_end(value, child));
	EXPECT_TRUE(is_live(without));
	close(without);
	close(value);
	close(child);
}

TEST_F(owner, one_with_a_deadline_too)
{
	int ctx = ctx_timeout(self->bg, AN_HOUR, EIO);
	int value = watch(ctx);
	__u64 id = ctx_id(ctx);

	ASSERT_LE(0, value);
	close(ctx);
	EXPECT_TRUE(died_with_owner(value, id, getpid(), my_comm()));
	close(value);
}

TEST_F(owner, s4_closing_a_child_leaves_the_parent)
{
	int ctx = ctx_derive(self->bg, 0);
	int child = ctx_derive(ctx, 0);
	int sibling = ctx_derive(ctx, 0);

	ASSERT_LE(0, sibling);
	close(child);
	EXPECT_TRUE(is_live(ctx));
	EXPECT_TRUE(is_live(sibling));
	close(sibling);
	close(ctx);
}

TEST_F(owner, a_duplicate_holds_it)
{
	int ctx = ctx_derive(self->bg, 0);
	int copy = dup(ctx);
	int third = fcntl(ctx, F_DUPFD_CLOEXEC, 100);
	int value = watch(ctx);
	__u64 id = ctx_id(ctx);

	ASSERT_LE(0, value);
	close(ctx);
	EXPECT_TRUE(is_live(value));
	close(copy);
	EXPECT_TRUE(is_live(value));
	EXPECT_TRUE(is_live(third));
	close(third);
	EXPECT_TRUE(died_with_owner(value, id, getpid(), my_comm()));
	close(value);
}

TEST_F(owner, dup2_over_it_is_a_close)
{
	int ctx = ctx_derive(self->bg, 0);
	int value = watch(ctx);
	__u64 id = ctx_id(ctx);

	ASSERT_LE(0, value);
	ASSERT_EQ(ctx, dup3(self->bg, ctx, O_CLOEXEC));
	EXPECT_TRUE(died_with_owner(value, id, getpid(), my_comm()));
	close(ctx);
	close(value);
}

TEST_F(owner, keep_outlives_its_descriptors)
{
	int ctx = ctx_derive(self->bg, CTX_DERIVE_KEEP);
	int value = watch(ctx);
	int child = ctx_derive(ctx, 0);
	int below = watch(child);
	__u64 id = ctx_id(child);

	ASSERT_LE(0, below);
	close(ctx);
	EXPECT_TRUE(is_live(value));
	EXPECT_TRUE(is_live(child));
	/* What was derived from it is no such thing. */
	close(child);
	EXPECT_TRUE(died_with_owner(below, id, getpid(), my_comm()));
	EXPECT_TRUE(is_live(value));
	close(below);
	close(value);
}

TEST_F(owner, keep_still_ends_with_its_parent)
{
	int top = ctx_derive(self->bg, 0);
	int keep = ctx_derive(top, CTX_DERIVE_KEEP);
	int value = watch(keep);
	__u64 id = ctx_id(top);

	ASSERT_LE(0, value);
	close(keep);
	EXPECT_TRUE(is_live(value));
	close(top);
	EXPECT_TRUE(died_with_owner(value, id, getpid(), my_comm()));
	close(value);
}

TEST_F(owner, keep_still_expires)
{
	int keep = ctx_derive_time(self->bg, CTX_DERIVE_KEEP | CTX_DERIVE_TIMEOUT,
				   20000000, CLOCK_MONOTONIC, EIO);
	int value = watch(keep);
	__u64 id = ctx_id(keep);

	ASSERT_LE(0, value);
	close(keep);
	ASSERT_TRUE(wait_ready(value));
	EXPECT_TRUE(is_done_by(value, ETIMEDOUT, EIO, id, 0, "timer"));
	close(value);
}

TEST_F(owner, keep_can_be_cancelled)
{
	int keep = ctx_derive(self->bg, CTX_DERIVE_KEEP);
	int value = watch(keep);

	ASSERT_EQ(0, ctx_cancel(keep, EIO));
	close(keep);
	EXPECT_TRUE(is_done(value, ECANCELED, EIO));
	close(value);
}

TEST_F(owner, s10_a_close_after_the_end_changes_nothing)
{
	int cancelled = ctx_derive(self->bg, 0);
	int expired = ctx_timeout(self->bg, 0, EIO);
	int watches[] = { watch(cancelled), watch(expired) };
	struct ctx_ioc_info first, later;

	ASSERT_EQ(0, ctx_cancel(cancelled, EPIPE));
	ASSERT_EQ(0, ctx_info(watches[0], &first));
	close(cancelled);
	close(expired);
	ASSERT_EQ(0, ctx_info(watches[0], &later));
	EXPECT_EQ(0, memcmp(&first, &later, sizeof(first)));
	EXPECT_TRUE(is_done(watches[0], ECANCELED, EPIPE));
	EXPECT_TRUE(is_done(watches[1], ETIMEDOUT, EIO));
	close(watches[0]);
	close(watches[1]);
}

TEST_F(owner, what_cannot_cancel_does_not)
{
	int ctx = ctx_derive(self->bg, 0);
	int value = watch(ctx);
	int without = ctx_derive(ctx, CTX_DERIVE_WITHOUT_CANCEL);
	int below = ctx_derive(without, 0);

	ASSERT_LE(0, below);
	close(value);
	close(without);
	EXPECT_TRUE(is_live(ctx));
	EXPECT_TRUE(is_live(below));
	close(below);
	close(ctx);
}

TEST_F(owner, a_thread_that_made_it_may_end)
{
	int ctx, value;
	pthread_t thread;
	void *fd;

	ASSERT_EQ(0, pthread_create(&thread, NULL,
				    ({ void *make(void *bg)
				       { return to_ptr(ctx_derive((int)to_u64(bg), 0)); }
				       make; }),
				    to_ptr(self->bg)));
	pthread_join(thread, &fd);
	ctx = to_u64(fd);
	value = watch(ctx);
	ASSERT_LE(0, value);
	EXPECT_TRUE(is_live(value));
	close(value);
	close(ctx);
}

/* Processes */

TEST_F(owner, a_forked_child_holds_it)
{
	int ctx = ctx_derive(self->bg, 0);
	int value = watch(ctx);
	__u64 id = ctx_id(ctx);
	pid_t pid = spawn();

	if (!pid) {
		prctl(PR_SET_NAME, "heir");
		hear(self->pair[1]);
		child_exit();
	}
	close(ctx);
	EXPECT_TRUE(is_live(value));
	ASSERT_TRUE(tell(self->pair[0]));
	EXPECT_EQ(0, reap(pid));
	EXPECT_TRUE(died_with_owner(value, id, pid, "heir"));
	close(value);
}

TEST_F(owner, a_forked_child_may_end_first)
{
	int ctx = ctx_derive(self->bg, 0);
	int value = watch(ctx);
	__u64 id = ctx_id(ctx);
	pid_t pid = spawn();

	if (!pid)
		_exit(0);
	EXPECT_EQ(0, reap(pid));
	EXPECT_TRUE(is_live(value));

	pid = spawn();
	if (!pid) {
		close(ctx);
		child_exit();
	}
	EXPECT_EQ(0, reap(pid));
	EXPECT_TRUE(is_live(value));
	close(ctx);
	EXPECT_TRUE(died_with_owner(value, id, getpid(), my_comm()));
	close(value);
}

/* Sends a watch of a context that only this process holds, and waits. */
static void hold_one(struct __test_metadata *_metadata, fixture_self(owner), int parent)
{
	int ctx = ctx_derive(parent, 0);
	int value = watch(ctx);

	prctl(PR_SET_NAME, "holder");
	EXPECT_TRUE(send_fd(self->pair[1], value));
	close(self->gone[1]);
	hear(self->gone[0]);
	child_exit();
}

TEST_F(owner, any_death_cancels)
{
	static const int signals[] = { SIGKILL, SIGTERM, SIGHUP, SIGINT };
	struct ctx_ioc_info info;
	size_t i;
	pid_t pid;
	int value;

	for (i = 0; i < ARRAY_SIZE(signals); i++) {
		pid = spawn();
		if (!pid)
			hold_one(_metadata, self, self->bg);
		value = recv_fd(self->pair[0]);
		ASSERT_LE(0, value);
		EXPECT_TRUE(is_live(value));
		ASSERT_EQ(0, ctx_info(value, &info));
		EXPECT_EQ(pid, info.creator_pid);
		ASSERT_EQ(0, kill(pid, signals[i]));
		EXPECT_EQ(128 + signals[i], reap(pid));
		/* Also when its number is long free again. */
		EXPECT_TRUE(died_with_owner(value, info.parent_id, pid, "holder"));
		close(value);
	}
}

TEST_F(owner, a_waiter_learns_of_the_death)
{
	pid_t pid = spawn(), reader;
	int value;

	if (!pid)
		hold_one(_metadata, self, self->bg);
	value = recv_fd(self->pair[0]);
	ASSERT_LE(0, value);
	reader = spawn();
	if (!reader) {
		struct ctx_event event = {};

		EXPECT_EQ(sizeof(event), read(value, &event, sizeof(event)));
		EXPECT_EQ(EOWNERDEAD, event.cause);
		EXPECT_EQ(pid, event.pid);
		EXPECT_STREQ("holder", event.comm);
		child_exit();
	}
	wait_asleep(reader);
	ASSERT_EQ(0, kill(pid, SIGKILL));
	EXPECT_EQ(KILLED, reap(pid));
	EXPECT_EQ(0, reap(reader));
	close(value);
}

/*
 * A branch of a tree of processes: each derives from what it was given, lets go
 * of that, starts the next with its own context, and waits to be killed.
 */
static void branch(struct __test_metadata *_metadata, fixture_self(owner), int generations)
{
	int parent = self->bg, ctx;

	do {
		ctx = ctx_derive(parent, 0);
		if (parent != self->bg)
			close(parent);
		parent = ctx;
		EXPECT_TRUE(send_fd(self->pair[1], watch(ctx)));
	} while (--generations && !fork());
	close(self->gone[1]);
	hear(self->gone[0]);
	child_exit();
}

#define GENERATIONS	4

/* @watches in the order of generations: each is sent before the next begins. */
static pid_t grow(struct __test_metadata *_metadata, fixture_self(owner),
		  int *watches, struct ctx_ioc_info *infos)
{
	pid_t pid = fork();
	int i;

	if (!pid)
		branch(_metadata, self, GENERATIONS);
	for (i = 0; i < GENERATIONS; i++) {
		watches[i] = recv_fd(self->pair[0]);
		EXPECT_LE(0, watches[i]);
		EXPECT_EQ(0, ctx_info(watches[i], &infos[i]));
		EXPECT_TRUE(is_live(watches[i]));
	}
	EXPECT_EQ(pid, infos[0].creator_pid);
	return pid;
}

TEST_F(owner, a_tree_of_processes_ends_with_its_top)
{
	struct ctx_ioc_info infos[GENERATIONS];
	int watches[GENERATIONS], i;
	pid_t pid = grow(_metadata, self, watches, infos);

	ASSERT_EQ(0, kill(pid, SIGKILL));
	EXPECT_EQ(KILLED, reap(pid));
	for (i = 0; i < GENERATIONS; i++)
		EXPECT_TRUE(died_with_owner(watches[i], infos[0].parent_id, pid, my_comm()));
	/* The processes themselves are for whoever hears of it. */
	for (i = 1; i < GENERATIONS; i++) {
		EXPECT_EQ(0, kill(infos[i].creator_pid, 0));
		EXPECT_EQ(0, kill(infos[i].creator_pid, SIGKILL));
		EXPECT_EQ(KILLED, reap(infos[i].creator_pid));
	}
	for (i = 0; i < GENERATIONS; i++) {
		EXPECT_TRUE(died_with_owner(watches[i], infos[0].parent_id, pid, my_comm()));
		close(watches[i]);
	}
}

TEST_F(owner, a_tree_of_processes_loses_a_branch)
{
	struct ctx_ioc_info infos[GENERATIONS];
	int watches[GENERATIONS], i;
	pid_t top = grow(_metadata, self, watches, infos);
	pid_t middle = infos[2].creator_pid;

	ASSERT_EQ(0, kill(middle, SIGKILL));
	/* Its parent does not reap it: the descriptors say when. */
	ASSERT_TRUE(wait_ready(watches[3]));
	EXPECT_TRUE(is_live(watches[0]));
	EXPECT_TRUE(is_live(watches[1]));
	EXPECT_TRUE(died_with_owner(watches[2], infos[2].parent_id, middle, my_comm()));
	EXPECT_TRUE(died_with_owner(watches[3], infos[2].parent_id, middle, my_comm()));

	ASSERT_EQ(0, kill(top, SIGKILL));
	EXPECT_EQ(KILLED, reap(top));
	EXPECT_TRUE(died_with_owner(watches[0], infos[0].parent_id, top, my_comm()));
	EXPECT_TRUE(died_with_owner(watches[1], infos[0].parent_id, top, my_comm()));
	EXPECT_TRUE(died_with_owner(watches[3], infos[2].parent_id, middle, my_comm()));
	EXPECT_EQ(0, kill(infos[1].creator_pid, SIGKILL));
	EXPECT_EQ(KILLED, reap(infos[1].creator_pid));
	/* Only the end of its parent makes it ours to wait for. */
	EXPECT_EQ(KILLED, reap(middle));
	EXPECT_EQ(0, kill(infos[3].creator_pid, SIGKILL));
	EXPECT_EQ(KILLED, reap(infos[3].creator_pid));
	for (i = 0; i < GENERATIONS; i++)
		close(watches[i]);
}

/* Descriptors on their way */

TEST_F(owner, a_passed_one_belongs_to_the_receiver)
{
	int ctx = ctx_derive(self->bg, 0);
	int value = watch(ctx);
	__u64 id = ctx_id(ctx);
	int got;
	pid_t pid;

	ASSERT_TRUE(send_fd(self->pair[0], ctx));
	close(ctx);
	EXPECT_TRUE(is_live(value));
	pid = spawn();
	if (!pid) {
		prctl(PR_SET_NAME, "receiver");
		got = recv_fd(self->pair[1]);
		EXPECT_EQ(id, ctx_id(got));
		EXPECT_TRUE(is_live(got));
		EXPECT_EQ(1, send(self->pair[1], "!", 1, 0));
		hear(self->pair[1]);
		child_exit();
	}
	ASSERT_TRUE(hear(self->pair[0]));
	EXPECT_TRUE(is_live(value));
	ASSERT_TRUE(tell(self->pair[0]));
	EXPECT_EQ(0, reap(pid));
	EXPECT_TRUE(died_with_owner(value, id, pid, "receiver"));
	close(value);
}

TEST_F(owner, one_in_flight_is_held_by_the_socket)
{
	int ctx = ctx_derive(self->bg, 0);
	int value = watch(ctx);
	__u64 id = ctx_id(ctx);
	int pair[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	ASSERT_TRUE(send_fd(pair[0], ctx));
	close(ctx);
	close(pair[0]);
	EXPECT_TRUE(is_live(value));
	close(pair[1]);
	EXPECT_TRUE(died_with_owner(value, id, getpid(), my_comm()));
	close(value);
}

TEST_F(owner, one_in_flight_when_everybody_is_killed)
{
	int value, pair[2];
	pid_t pid = spawn();

	if (!pid) {
		int ctx = ctx_derive(self->bg, 0);

		EXPECT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
		EXPECT_TRUE(send_fd(pair[0], ctx));
		EXPECT_TRUE(send_fd(self->pair[1], watch(ctx)));
		close(ctx);
		EXPECT_TRUE(tell(self->pair[1]));
		hear(self->gone[0]);
		child_exit();
	}
	value = recv_fd(self->pair[0]);
	ASSERT_TRUE(hear(self->pair[0]));
	EXPECT_TRUE(is_live(value));
	ASSERT_EQ(0, kill(pid, SIGKILL));
	EXPECT_EQ(KILLED, reap(pid));
	ASSERT_TRUE(wait_ready(value));
	EXPECT_TRUE(is_done(value, ECANCELED, EOWNERDEAD));
	close(value);
}

/* Two sockets that only each other know of: the kernel's collector finds them. */
TEST_F(owner, one_in_flight_in_a_cycle_of_sockets)
{
	int ctx = ctx_derive(self->bg, 0);
	int value = watch(ctx);
	int pair[2], other[2];

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	ASSERT_TRUE(send_fds(pair[0], (int[]){ ctx, pair[0], pair[1] }, 3));
	close(ctx);
	EXPECT_TRUE(is_live(value));
	close(pair[0]);
	close(pair[1]);
	/* It runs when some socket is closed. */
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, other));
	close(other[0]);
	close(other[1]);
	ASSERT_TRUE(wait_ready(value));
	EXPECT_TRUE(is_done(value, ECANCELED, EOWNERDEAD));
	close(value);
}

/* exec: what this program does when it is the one that was started */
static void __attribute__((constructor)) started(void)
{
	const char *fd = getenv("CTX_TEST_FD");
	char byte;

	if (!fd)
		return;
	byte = ctx_err(atoi(fd)) == 0 ? 'y' : 'n';
	if (write(STDOUT_FILENO, &byte, 1) == 1)
		hear(STDIN_FILENO);
	_exit(0);
}

/* A child that execs with @fd; gives what the new program says of it. */
static char start_with(fixture_self(owner), int fd, pid_t *pid)
{
	static char * const argv[] = { "owner_test", NULL };
	char number[16], byte = 0;

	*pid = spawn();
	if (!*pid) {
		snprintf(number, sizeof(number), "%d", fd);
		setenv("CTX_TEST_FD", number, 1);
		dup2(self->pair[1], STDIN_FILENO);
		dup2(self->pair[1], STDOUT_FILENO);
		execve("/proc/self/exe", argv, environ);
		_exit(99);
	}
	return read(self->pair[0], &byte, 1) == 1 ? byte : 0;
}

TEST_F(owner, exec_closes_and_so_cancels)
{
	int ctx = ctx_derive(self->bg, 0);
	int value = watch(ctx);
	struct ctx_ioc_info info;
	pid_t holder, pid;
	__u64 id = ctx_id(ctx);

	/* The parent's own descriptor goes while the child still has one. */
	holder = spawn();
	if (!holder) {
		hear(self->gone[0]);
		_exit(0);
	}
	close(ctx);
	EXPECT_EQ('n', start_with(self, ctx, &pid));
	EXPECT_TRUE(is_live(value));
	ASSERT_TRUE(tell(self->pair[0]));
	EXPECT_EQ(0, reap(pid));

	/* Now the exec is what closes the last one. */
	EXPECT_TRUE(tell(self->gone[1]));
	EXPECT_EQ(0, reap(holder));
	ASSERT_EQ(0, ctx_info(value, &info));
	EXPECT_EQ(EOWNERDEAD, info.cause);
	EXPECT_EQ(holder, info.origin_pid);
	EXPECT_EQ(id, info.origin_id);
	close(value);
}

TEST_F(owner, exec_of_the_only_holder_cancels)
{
	static char * const argv[] = { "owner_test", NULL };
	struct ctx_ioc_info info;
	int value, ctx;
	pid_t pid = spawn();
	char byte = 0;

	if (!pid) {
		ctx = ctx_derive(self->bg, 0);
		value = watch(ctx);
		send_fd(self->pair[1], value);
		hear(self->pair[1]);
		setenv("CTX_TEST_FD", "1000", 1);
		dup2(self->pair[1], STDIN_FILENO);
		dup2(self->pair[1], STDOUT_FILENO);
		execve("/proc/self/exe", argv, environ);
		_exit(99);
	}
	value = recv_fd(self->pair[0]);
	EXPECT_TRUE(is_live(value));
	ASSERT_TRUE(tell(self->pair[0]));
	ASSERT_EQ(1, read(self->pair[0], &byte, 1));
	/* The program runs, and what it was started from is done. */
	EXPECT_TRUE(is_done(value, ECANCELED, EOWNERDEAD));
	ASSERT_EQ(0, ctx_info(value, &info));
	EXPECT_EQ(pid, info.origin_pid);
	EXPECT_EQ(info.parent_id, info.origin_id);
	ASSERT_TRUE(tell(self->pair[0]));
	EXPECT_EQ(0, reap(pid));
	close(value);
}

TEST_F(owner, exec_passes_on_what_is_not_close_on_exec)
{
	int ctx = ctx_derive(self->bg, 0);
	int value = watch(ctx);
	__u64 id = ctx_id(ctx);
	struct ctx_ioc_info info;
	pid_t pid;

	ASSERT_EQ(0, fcntl(ctx, F_SETFD, 0));
	EXPECT_EQ('y', start_with(self, ctx, &pid));
	close(ctx);
	EXPECT_TRUE(is_live(value));
	ASSERT_TRUE(tell(self->pair[0]));
	EXPECT_EQ(0, reap(pid));
	EXPECT_TRUE(is_done(value, ECANCELED, EOWNERDEAD));
	ASSERT_EQ(0, ctx_info(value, &info));
	EXPECT_EQ(pid, info.origin_pid);
	EXPECT_EQ(id, info.origin_id);
	close(value);
}

TEST_HARNESS_MAIN
