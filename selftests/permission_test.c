// SPDX-License-Identifier: GPL-2.0
/*
 * Permissions beside the rights of a descriptor: to write to the file of CTX_IOC_ON_DONE,
 * to say what a cgroup runs under, what there is to be had of the context that one runs
 * under, and to have a signal sent. Somebody else tries to get past them, by each of the
 * ways on which a descriptor gets to him.
 */
#include "async.h"
#include "rights.h"

#define CGROUP		"/sys/fs/cgroup/ctx_permission_test"
#define INNER		CGROUP "/inner"
#define PROCS		"/cgroup.procs"
#define FIFO		"/tmp/ctx_permission_test"

#define STRANGER	2001
#define RIGHTS_AMBIENT	(CTX_RIGHT_OBSERVE | CTX_RIGHT_DERIVE)

/* In the stranger: what he gets of his parent's @fd, or a negative errno. */

static int forked(int fd, int sock)
{
	return fd;
}

static int duplicated(int fd, int sock)
{
	int copy = dup(fd);

	close(fd);
	return copy;
}

static int passed(int fd, int sock)
{
	close(fd);
	return recv_fd(sock);
}

static int within_a_namespace(int fd, int sock)
{
	return unshare(CLONE_NEWUSER) ? -errno : fd;
}

static int open_of(const char *process, int fd)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%s/fd/%d", process, fd);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int by_its_path(int fd, int sock)
{
	prctl(PR_SET_DUMPABLE, 1);
	return open_of("self", fd);
}

static int by_its_path_within(int fd, int sock)
{
	return unshare(CLONE_NEWUSER) ? -errno : by_its_path(fd, sock);
}

static int by_the_path_of_another(int fd, int sock)
{
	char holder[16];

	snprintf(holder, sizeof(holder), "%d", getppid());
	return open_of(holder, fd);
}

FIXTURE(way) {
	int bg;
	int value;
	int ctx;
	int pair[2];
	int pipe[2];
	int procs;	/* of CGROUP, and of INNER, open for writing */
	int inner;
};

FIXTURE_VARIANT(way) {
	int (*get)(int fd, int sock);
	int error;	/* by which there is no such way */
};

FIXTURE_VARIANT_ADD(way, forked) {
	.get = forked,
};

FIXTURE_VARIANT_ADD(way, duplicated) {
	.get = duplicated,
};

FIXTURE_VARIANT_ADD(way, passed) {
	.get = passed,
};

FIXTURE_VARIANT_ADD(way, within_a_namespace) {
	.get = within_a_namespace,
};

FIXTURE_VARIANT_ADD(way, by_its_path) {
	.get = by_its_path,
	.error = -EACCES,
};

FIXTURE_VARIANT_ADD(way, by_its_path_within) {
	.get = by_its_path_within,
	.error = -EACCES,
};

FIXTURE_VARIANT_ADD(way, by_the_path_of_another) {
	.get = by_the_path_of_another,
	.error = -EACCES,
};

FIXTURE_SETUP(way)
{
	rmdir(INNER);
	rmdir(CGROUP);
	ASSERT_EQ(0, mkdir(CGROUP, 0755));
	ASSERT_EQ(0, mkdir(INNER, 0755));
	self->procs = open(CGROUP PROCS, O_WRONLY | O_CLOEXEC);
	ASSERT_LE(0, self->procs);
	self->inner = open(INNER PROCS, O_WRONLY | O_CLOEXEC);
	ASSERT_LE(0, self->inner);
	self->bg = ctx_open();
	ASSERT_LE(0, self->bg);
	self->value = ctx_set(self->bg, "k", "v");
	ASSERT_LE(0, self->value);
	self->ctx = ctx_derive(self->value, 0);
	ASSERT_LE(0, self->ctx);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, self->pair));
	ASSERT_EQ(0, pipe2(self->pipe, O_CLOEXEC | O_NONBLOCK));
}

FIXTURE_TEARDOWN(way)
{
	close(self->inner);
	close(self->procs);
	/* Whoever was in them is gone, but perhaps not yet. */
	while (rmdir(INNER) && errno == EBUSY)
		sched_yield();
	while (rmdir(CGROUP) && errno == EBUSY)
		sched_yield();
	close(self->pipe[0]);
	close(self->pipe[1]);
	close(self->pair[0]);
	close(self->pair[1]);
	close(self->ctx);
	close(self->value);
	close(self->bg);
}

static __u32 on_dones(int fd)
{
	struct ctx_ioc_info info;

	return ctx_info(fd, &info) ? ~0U : info.on_dones;
}

/* A stranger, in whom @fd becomes what he gets of it in this way. */
static pid_t spawn_stranger(fixture_self(way), const struct _fixture_variant_way *variant, int *fd)
{
	pid_t pid = must(send_fd(self->pair[0], *fd)) ? spawn() : -1;

	if (!pid) {
		become(STRANGER);
		*fd = variant->get(*fd, self->pair[1]);
	}
	return pid;
}

/* What he comes to who asks to have it written. */
static int ask_as_stranger(fixture_self(way), const struct _fixture_variant_way *variant, int fd,
			   __u32 len)
{
	pid_t pid = spawn_stranger(self, variant, &fd);

	if (!pid)
		_exit(-(fd < 0 ? fd : ctx_on_done(self->ctx, fd, "x", len)));
	return -reap(pid);
}

/* It is for its owner alone to open them, which is what takes part in it. */
TEST_F(way, what_is_not_open_for_writing_is_not_written)
{
	const int refused = variant->error ?: -EBADF;
	int fifo, kill, path;

	unlink(FIFO);
	ASSERT_EQ(0, mkfifo(FIFO, 0644));
	fifo = open(FIFO, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ASSERT_LE(0, fifo);
	EXPECT_EQ(0, unlink(FIFO));
	kill = open(CGROUP "/cgroup.kill", O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, kill);
	path = open(CGROUP "/cgroup.kill", O_PATH | O_CLOEXEC);
	ASSERT_LE(0, path);
	EXPECT_EQ(refused, ask_as_stranger(self, variant, self->pipe[0], 1));
	EXPECT_EQ(refused, ask_as_stranger(self, variant, fifo, 1));
	EXPECT_EQ(refused, ask_as_stranger(self, variant, kill, 0));
	EXPECT_EQ(refused, ask_as_stranger(self, variant, path, 0));
	EXPECT_EQ(0, on_dones(self->ctx));
	close(path);
	close(kill);
	close(fifo);
}

/* That it is open for writing is the permission, and goes where the descriptor goes. */
TEST_F(way, what_is_open_for_writing_is_written)
{
	char text[4];

	EXPECT_EQ(variant->error, ask_as_stranger(self, variant, self->pipe[1], 1));
	EXPECT_EQ(!variant->error, on_dones(self->ctx));
	EXPECT_EQ(0, ctx_cancel(self->ctx, 0));
	if (!variant->error)
		EXPECT_EQ(0, written(self->ctx));
	EXPECT_EQ(variant->error ? -1 : 1, read(self->pipe[0], text, sizeof(text)));
}

/* As a process in the group of @procs gets it, who passes it on. */
static int ambient_descriptor(fixture_self(way), int procs)
{
	int pair[2], fd;
	pid_t pid;

	if (!must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0))
		return -1;
	pid = spawn();
	if (!pid)
		_exit(write(procs, "0", 1) != 1 ||
		      !send_fd(pair[1], ctx_ambient(self->bg, 0)));
	fd = recv_fd(pair[0]);
	close(pair[0]);
	close(pair[1]);
	return must(reap(pid) == 0) ? fd : -1;
}

/* Nobody gets more out of one, however he got it, nor what others run under. */
static bool gives_no_more(int fd, __u64 id)
{
	int procs = open(CGROUP PROCS, O_RDONLY | O_CLOEXEC);
	int own = ctx_ambient(fd, 0);

	return must(ctx_id(fd) == id) &&
	       allows(fd, RIGHTS_AMBIENT) &&
	       must(ctx_cancel(fd, 0) == -EPERM) &&
	       must(ctx_open_id(fd, id, CTX_RIGHT_CANCEL) == -EPERM) &&
	       must(ctx_open_id(fd, id, CTX_RIGHT_VALUE) == -EPERM) &&
	       must(ctx_bind(fd, procs) == -EBADF) &&
	       must(ctx_id(own) == 0);
}

TEST_F(way, an_ambient_descriptor)
{
	const __u64 id = ctx_id(self->ctx);
	pid_t pid;
	int fd;

	ASSERT_EQ(0, ctx_bind(self->ctx, self->procs));
	fd = ambient_descriptor(self, self->procs);
	ASSERT_LE(0, fd);
	ASSERT_TRUE(send_fd(self->pair[0], fd));
	pid = spawn();
	if (!pid) {
		close(self->ctx);
		close(self->procs);
		become(STRANGER);
		fd = variant->get(fd, self->pair[1]);
		EXPECT_EQ(variant->error, fd < 0 ? fd : 0);
		EXPECT_TRUE(fd < 0 || gives_no_more(fd, id));
		child_exit();
	}
	EXPECT_EQ(0, reap(pid));
	EXPECT_TRUE(is_live(self->ctx));
	close(fd);
}

/* Who runs under it may have that much of it, whatever else the one allows that he asks. */
TEST_F(way, asked_on_one_that_allows_more)
{
	const __u64 id = ctx_id(self->ctx);
	pid_t pid;
	int fd;

	ASSERT_EQ(0, ctx_bind(self->ctx, self->procs));
	ASSERT_TRUE(send_fd(self->pair[0], self->ctx));
	pid = spawn();
	if (!pid) {
		EXPECT_EQ(1, write(self->procs, "0", 1));
		close(self->procs);
		become(STRANGER);
		fd = variant->get(self->ctx, self->pair[1]);
		if (variant->error) {
			EXPECT_EQ(variant->error, fd);
			fd = self->bg;
		}
		EXPECT_EQ(-EPERM, ctx_ambient(fd, CTX_RIGHT_CANCEL));
		EXPECT_EQ(-EPERM, ctx_ambient(fd, CTX_RIGHT_VALUE));
		EXPECT_EQ(-EPERM, ctx_ambient(fd, RIGHTS_ALL));
		fd = ctx_ambient(fd, 0);
		EXPECT_EQ(id, ctx_id(fd));
		EXPECT_TRUE(allows(fd, RIGHTS_AMBIENT));
		child_exit();
	}
	EXPECT_EQ(0, reap(pid));
	EXPECT_TRUE(is_live(self->ctx));
}

/* The number of what the group of @procs runs under: 0 for Background. */
static __u64 bound_to(fixture_self(way), int procs)
{
	int fd = ambient_descriptor(self, procs);
	__u64 id = ctx_id(fd);

	close(fd);
	return id;
}

/* What a stranger comes to, who gets @procs in this way and binds that group to @ctx. */
static int bind_as_stranger(fixture_self(way), const struct _fixture_variant_way *variant,
			    int ctx, int procs)
{
	pid_t pid = spawn_stranger(self, variant, &procs);

	if (!pid)
		_exit(-(procs < 0 ? procs : ctx_bind(ctx, procs)));
	return -reap(pid);
}

/* Who may bind is who may move processes. Of the context, that takes DERIVE: see allows(). */
TEST_F(way, what_is_not_open_for_writing_is_not_bound)
{
	const int refused = variant->error ?: -EBADF;
	int procs = open(CGROUP PROCS, O_RDONLY | O_CLOEXEC);
	int path = open(CGROUP PROCS, O_PATH | O_CLOEXEC);

	ASSERT_LE(0, procs);
	ASSERT_LE(0, path);
	EXPECT_EQ(refused, bind_as_stranger(self, variant, self->ctx, procs));
	EXPECT_EQ(refused, bind_as_stranger(self, variant, self->ctx, path));
	EXPECT_EQ(0, bound_to(self, self->procs));
	/* Nor is what was bound let go. */
	ASSERT_EQ(0, ctx_bind(self->ctx, self->procs));
	EXPECT_EQ(refused, bind_as_stranger(self, variant, self->bg, procs));
	EXPECT_EQ(refused, bind_as_stranger(self, variant, self->bg, path));
	EXPECT_EQ(ctx_id(self->ctx), bound_to(self, self->procs));
	close(path);
	close(procs);
}

TEST_F(way, what_is_open_for_writing_is_bound)
{
	const __u64 id = ctx_id(self->ctx);

	EXPECT_EQ(variant->error, bind_as_stranger(self, variant, self->ctx, self->procs));
	EXPECT_EQ(variant->error ? 0 : id, bound_to(self, self->procs));
	EXPECT_EQ(variant->error ? 0 : id, bound_to(self, self->inner));
}

/* Nobody takes a group out of what it runs under, by that of one above. */
TEST_F(way, not_to_what_is_not_below_that_above)
{
	const int refused = variant->error ?: -EPERM;
	const __u64 id = ctx_id(self->ctx);
	int own = ctx_derive(self->bg, 0), below = ctx_derive(self->ctx, 0);

	ASSERT_EQ(0, ctx_bind(self->ctx, self->procs));
	EXPECT_EQ(refused, bind_as_stranger(self, variant, own, self->inner));
	EXPECT_EQ(refused, bind_as_stranger(self, variant, self->value, self->inner));
	EXPECT_EQ(id, bound_to(self, self->inner));
	EXPECT_EQ(variant->error, bind_as_stranger(self, variant, below, self->inner));
	EXPECT_EQ(variant->error ? id : ctx_id(below), bound_to(self, self->inner));
	/* Background is none of its own: what is above remains. */
	EXPECT_EQ(variant->error, bind_as_stranger(self, variant, self->bg, self->inner));
	EXPECT_EQ(id, bound_to(self, self->inner));
	close(below);
	close(own);
}

/* Where kill(2) is not allowed, this is no way around it, whoever cancels. */
static void be_signalled(struct __test_metadata *_metadata, int fd, pid_t other,
			 const int *to, const int *from)
{
	int group = ctx_restrict(fd, CTX_RIGHT_OBSERVE), own = ctx_restrict(fd, CTX_RIGHT_OBSERVE);

	EXPECT_EQ(-1, kill(other, SIGDONE));
	EXPECT_EQ(EPERM, errno);
	EXPECT_TRUE(ask(fd, other));
	EXPECT_TRUE(ask(group, -getpgrp()));
	EXPECT_TRUE(ask(own, getpid()));
	EXPECT_TRUE(tell(from[1]));
	EXPECT_TRUE(hear(to[0]));
	/* Of the group there is himself. */
	EXPECT_EQ(SIGDONE, signalled(NULL));
	EXPECT_EQ(SIGDONE, signalled(NULL));
	EXPECT_EQ(0, signalled(NULL));
}

TEST_F(way, a_signal_to_another)
{
	const pid_t other = getpid();
	int fd = self->ctx, to[2], from[2];
	pid_t pid;

	ASSERT_TRUE(hold_async_signals());
	ASSERT_EQ(0, setpgid(0, 0));
	ASSERT_EQ(0, pipe2(to, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(from, O_CLOEXEC));
	pid = spawn_stranger(self, variant, &fd);
	if (!pid) {
		EXPECT_EQ(variant->error, fd < 0 ? fd : 0);
		if (fd >= 0)
			be_signalled(_metadata, fd, other, to, from);
		child_exit();
	}
	close(from[1]);
	EXPECT_EQ(!variant->error, hear(from[0]));
	EXPECT_EQ(0, ctx_cancel(self->ctx, 0));
	/* By now it would be there. */
	EXPECT_EQ(0, signalled(NULL));
	close(to[0]);
	if (!variant->error)
		EXPECT_TRUE(tell(to[1]));
	EXPECT_EQ(0, reap(pid));
	EXPECT_EQ(0, signalled(NULL));
	/* Asked for by himself, it does come. */
	ASSERT_EQ(0, set_async(self->ctx, false));
	ASSERT_TRUE(ask(self->ctx, other));
	EXPECT_EQ(SIGDONE, signalled(NULL));
	close(from[0]);
	close(to[1]);
}

/* A descriptor made to be given away is a file of its own: it changes nothing of another. */
TEST_F(way, a_signal_that_another_asked_for)
{
	int given = ctx_restrict(self->ctx, CTX_RIGHT_OBSERVE), fd = given;
	pid_t pid;

	ASSERT_TRUE(hold_async_signals());
	ASSERT_TRUE(ask(self->ctx, getpid()));
	pid = spawn_stranger(self, variant, &fd);
	if (!pid) {
		EXPECT_EQ(variant->error, fd < 0 ? fd : 0);
		if (fd >= 0) {
			EXPECT_EQ(0, fcntl(fd, F_GETOWN));
			EXPECT_EQ(0, fcntl(fd, F_SETSIG, SIGIO));
			EXPECT_EQ(0, set_async(fd, true));
			EXPECT_EQ(0, set_async(fd, false));
		}
		child_exit();
	}
	EXPECT_EQ(0, reap(pid));
	EXPECT_EQ(0, ctx_cancel(self->ctx, 0));
	EXPECT_EQ(SIGDONE, signalled(NULL));
	EXPECT_EQ(0, signalled(NULL));
	close(given);
}

TEST_HARNESS_MAIN
