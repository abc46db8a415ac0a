// SPDX-License-Identifier: GPL-2.0
/*
 * The ambient context: CTX_IOC_BIND and CTX_OPEN_AMBIENT. Who finds what, who may
 * bind what to what, for how long it lasts, and that nothing of it is left.
 */
#include "ctx_test.h"
#include "memory.h"

#include <grp.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/syscall.h>

#define OUTER		CGROUPS "/ctx_bind_test"
#define INNER		OUTER "/inner"
#define PROCS		"/cgroup.procs"

#define MAX_USER_FILES	CTX_PARAMETERS "max_user_files"
#define DEFAULT_FILES	4096

#define RIGHTS_AMBIENT	(CTX_RIGHT_OBSERVE | CTX_RIGHT_DERIVE)

FIXTURE(bind) {
	int bg;
	int ctx;
	__u64 id;
	int outer;	/* their cgroup.procs, open for writing */
	int inner;
	int to[2];	/* from the child, and to it: see member() */
	int from[2];
	uid_t user;	/* whom no other test has charged */
	long long users;	/* of the module, before */
};

static int open_procs(const char *cgroup)
{
	char path[128];

	snprintf(path, sizeof(path), "%s" PROCS, cgroup);
	return open(path, O_WRONLY | O_CLOEXEC);
}

FIXTURE_SETUP(bind)
{
	rmdir(INNER);
	rmdir(OUTER);
	self->users = read_number(REFCNT);
	ASSERT_EQ(0, mkdir(OUTER, 0755));
	ASSERT_EQ(0, mkdir(INNER, 0755));
	self->outer = open_procs(OUTER);
	ASSERT_LE(0, self->outer);
	self->inner = open_procs(INNER);
	ASSERT_LE(0, self->inner);
	self->bg = ctx_open();
	ASSERT_LE(0, self->bg);
	self->ctx = ctx_derive(self->bg, 0);
	ASSERT_LE(0, self->ctx);
	self->id = ctx_id(self->ctx);
	self->user = 20000 + 2 * getpid();
	ASSERT_EQ(0, pipe2(self->to, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(self->from, O_CLOEXEC));
	ASSERT_EQ(DEFAULT_FILES, read_number(MAX_USER_FILES));
}

FIXTURE_TEARDOWN(bind)
{
	write_number(MAX_USER_FILES, DEFAULT_FILES);
	close(self->inner);
	close(self->outer);
	/* Whoever was killed has left the group, but perhaps not yet. */
	while (rmdir(INNER) && errno == EBUSY)
		sched_yield();
	while (rmdir(OUTER) && errno == EBUSY)
		sched_yield();
	close(self->ctx);
	close(self->bg);
	/* With the groups their bindings are gone. */
	EXPECT_EQ(self->users, read_number(REFCNT));
}

static bool join(int procs)
{
	return must(write(procs, "0", 1) == 1);
}

/* The number of the context that the caller runs under: 0 for Background. */
static __u64 ambient_id(void)
{
	int bg = ctx_open();
	int fd = ctx_ambient(bg, 0);
	__u64 id = ctx_id(fd);

	close(fd);
	close(bg);
	return id;
}

/* The same for a process in that group. */
static __u64 ambient_in(int procs)
{
	__u64 id = ~0ULL;
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC))
		return id;
	pid = spawn();
	if (!pid) {
		id = join(procs) ? ambient_id() : ~0ULL;
		_exit(write(fds[1], &id, sizeof(id)) != sizeof(id));
	}
	close(fds[1]);
	if (read(fds[0], &id, sizeof(id)) != sizeof(id))
		id = ~0ULL;
	close(fds[0]);
	return reap(pid) ? ~0ULL : id;
}

/*
 * A process in the group that has closed whatever it was given, and then tells that
 * it is ready; it ends with 0 if what it runs under is done with that cause, after
 * it has lived.
 */
static pid_t member(fixture_self(bind), int procs, __u32 cause)
{
	struct ctx_event event;
	pid_t pid = spawn();
	int fd;

	if (pid)
		return hear(self->from[0]) ? pid : -1;
	if (!join(procs))
		_exit(1);
	dup2(self->from[1], 0);
	close_range(1, 1, 0);
	close_range(3, ~0U, 0);
	fd = ctx_ambient(ctx_open(), 0);
	if (!is_live(fd) || !tell(0))
		_exit(2);
	_exit(read(fd, &event, sizeof(event)) == sizeof(event) && event.err == ECANCELED &&
	      is_done(fd, ECANCELED, cause) ? 0 : 3);
}

static bool is_gone(fixture_self(bind), __u64 id)
{
	int fd;

	/* After a grace period; whoever looks holds it for a moment. */
	while ((fd = ctx_open_id(self->bg, id, CTX_RIGHT_OBSERVE)) >= 0) {
		close(fd);
		sched_yield();
	}
	return must(fd == -ESRCH);
}

TEST_F(bind, nothing_is_bound)
{
	struct ctx_ioc_info info;
	int fd = ctx_ambient(self->bg, 0);

	ASSERT_LE(0, fd);
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
	ASSERT_EQ(0, ctx_info(fd, &info));
	EXPECT_EQ(0, info.id);
	EXPECT_EQ(0, info.depth);
	EXPECT_EQ(RIGHTS_AMBIENT, info.rights);
	EXPECT_TRUE(is_live(fd));
	close(fd);
	EXPECT_EQ(0, ambient_in(self->outer));
}

TEST_F(bind, whoever_is_in_the_group_and_below)
{
	EXPECT_EQ(0, ctx_bind(self->ctx, self->outer));
	EXPECT_EQ(0, ambient_id());
	EXPECT_EQ(self->id, ambient_in(self->outer));
	EXPECT_EQ(self->id, ambient_in(self->inner));
	EXPECT_EQ(0, ambient_id());
}

TEST_F(bind, of_those_who_are_there_already)
{
	__u64 id = 0;
	pid_t pid = spawn();

	if (!pid) {
		if (!join(self->inner) || ambient_id() || !tell(self->from[1]) ||
		    !hear(self->to[0]))
			_exit(1);
		id = ambient_id();
		_exit(write(self->from[1], &id, sizeof(id)) != sizeof(id));
	}
	ASSERT_TRUE(hear(self->from[0]));
	EXPECT_EQ(0, ctx_bind(self->ctx, self->inner));
	EXPECT_TRUE(tell(self->to[1]));
	EXPECT_EQ(sizeof(id), read(self->from[0], &id, sizeof(id)));
	EXPECT_EQ(self->id, id);
	EXPECT_EQ(0, reap(pid));
}

TEST_F(bind, a_member_without_descriptors_sees_the_end)
{
	pid_t pid;

	EXPECT_EQ(0, ctx_bind(self->ctx, self->outer));
	pid = member(self, self->inner, EIO);
	ASSERT_LT(0, pid);
	wait_asleep(pid);
	EXPECT_EQ(0, ctx_cancel(self->ctx, EIO));
	EXPECT_EQ(0, reap(pid));
}

/* What sudo(8), sshd(8) and daemons do before they start what was asked for. */
static void leave_all_behind(fixture_self(bind))
{
	if (fork())
		_exit(0);
	if (setsid() < 0 || fork())
		_exit(0);
	dup2(self->from[1], 0);
	close_range(1, ~0U, 0);
	if (clearenv() || chdir("/") || setgroups(0, NULL))
		_exit(1);
	become(self->user);
}

/* What this program does when it is the one that was started. */
static void __attribute__((constructor)) started(void)
{
	struct ctx_event event;
	__u64 ids[2];
	int fd;

	if (!getenv("CTX_TEST_AMBIENT"))
		return;
	fd = ctx_ambient(ctx_open(), 0);
	ids[0] = ctx_id(fd);
	/* Background has no number, and no end. */
	if (write(0, ids, sizeof(*ids)) != sizeof(*ids) || !ids[0])
		_exit(1);
	ids[1] = read(fd, &event, sizeof(event)) == sizeof(event) ? event.cause : 0;
	_exit(write(0, ids + 1, sizeof(*ids)) != sizeof(*ids));
}

/* A program of another user, session and parent, without descriptors or environment. */
TEST_F(bind, a_program_that_was_left_nothing_else)
{
	static char * const argv[] = { "bind_test", NULL };
	__u64 said = 0;
	pid_t pid;

	EXPECT_EQ(0, ctx_bind(self->ctx, self->outer));
	pid = spawn();
	if (!pid) {
		if (!join(self->inner))
			_exit(1);
		leave_all_behind(self);
		setenv("CTX_TEST_AMBIENT", "1", 1);
		execve("/proc/self/exe", argv, environ);
		_exit(99);
	}
	EXPECT_EQ(0, reap(pid));
	close(self->from[1]);
	ASSERT_EQ(sizeof(said), read(self->from[0], &said, sizeof(said)));
	EXPECT_EQ(self->id, said);
	EXPECT_EQ(0, ctx_cancel(self->ctx, EIO));
	ASSERT_EQ(sizeof(said), read(self->from[0], &said, sizeof(said)));
	EXPECT_EQ(EIO, said);
}

/* Children, threads and other programs are where their process is. */
TEST_F(bind, children_too)
{
	pid_t pid, child;

	EXPECT_EQ(0, ctx_bind(self->ctx, self->outer));
	pid = spawn();
	if (!pid) {
		EXPECT_TRUE(join(self->outer));
		child = fork();
		if (!child)
			_exit(ambient_id() != self->id);
		EXPECT_EQ(0, reap(child));
		/* It may move, for as long as it is allowed to. */
		EXPECT_TRUE(join(open_procs(CGROUPS)));
		EXPECT_EQ(0, ambient_id());
		child_exit();
	}
	EXPECT_EQ(0, reap(pid));
}

/* Whoever bound it is dead: nobody is back at Background for that. */
TEST_F(bind, the_supervisor_is_killed)
{
	__u64 id;
	pid_t pid, supervisor = spawn();

	if (!supervisor) {
		int ctx = ctx_derive(self->bg, 0);

		if (ctx_bind(ctx, self->outer) || !tell(self->from[1]))
			_exit(1);
		for (;;)
			pause();
	}
	ASSERT_TRUE(hear(self->from[0]));
	id = ambient_in(self->outer);
	EXPECT_LT(self->id, id);
	pid = member(self, self->inner, EOWNERDEAD);
	ASSERT_LT(0, pid);
	EXPECT_EQ(0, kill(supervisor, SIGKILL));
	EXPECT_EQ(KILLED, reap(supervisor));
	EXPECT_EQ(0, reap(pid));
	EXPECT_EQ(id, ambient_in(self->inner));
}

TEST_F(bind, what_is_done_stays_bound)
{
	int fd;
	pid_t pid;

	EXPECT_EQ(0, ctx_cancel(self->ctx, EIO));
	EXPECT_EQ(0, ctx_bind(self->ctx, self->outer));
	pid = spawn();
	if (!pid) {
		EXPECT_TRUE(join(self->outer));
		fd = ctx_ambient(self->bg, 0);
		EXPECT_TRUE(is_done(fd, ECANCELED, EIO));
		child_exit();
	}
	EXPECT_EQ(0, reap(pid));
}

static void look_and_derive(struct __test_metadata *_metadata, fixture_self(bind))
{
	struct ctx_ioc_info info;
	int fd = ctx_ambient(self->bg, 0), child, i;

	ASSERT_LE(0, fd);
	EXPECT_EQ(0, ctx_info(fd, &info));
	EXPECT_EQ(RIGHTS_AMBIENT, info.rights);
	EXPECT_EQ(-EPERM, ctx_cancel(fd, 0));
	EXPECT_STREQ("(error)", ctx_get(fd, "k"));
	EXPECT_EQ(-EPERM, ctx_restrict(fd, CTX_RIGHT_VALUE));
	child = ctx_derive(fd, 0);
	EXPECT_LE(0, child);
	EXPECT_STREQ("(error)", ctx_get(child, "k"));
	EXPECT_EQ(0, ctx_cancel(child, 0));
	EXPECT_TRUE(is_live(fd));
	for (i = 0; i <= RIGHTS_ALL; i++) {
		int ret = ctx_ambient(self->bg, i);

		EXPECT_EQ(i & ~RIGHTS_AMBIENT ? -EPERM : 0, ret < 0 ? ret : 0);
		if (ret >= 0 && i & CTX_RIGHT_OBSERVE) {
			EXPECT_EQ(0, ctx_info(ret, &info));
			EXPECT_EQ(i, info.rights);
		}
		if (ret >= 0)
			close(ret);
	}
	EXPECT_EQ(-EINVAL, ctx_ambient(self->bg, RIGHTS_ALL + 1));
}

TEST_F(bind, members_look_and_derive_and_no_more)
{
	struct ctx_ioc_open arg = { .size = sizeof(arg), .flags = CTX_OPEN_AMBIENT };
	int value = ctx_set(self->ctx, "k", "v");
	pid_t pid;

	EXPECT_EQ(0, ctx_bind(value, self->outer));
	pid = spawn();
	if (!pid) {
		EXPECT_TRUE(join(self->outer));
		become(self->user);
		look_and_derive(_metadata, self);
		child_exit();
	}
	EXPECT_EQ(0, reap(pid));
	EXPECT_TRUE(is_live(self->ctx));
	close(value);
	arg.id = self->id;
	EXPECT_EQ(-EINVAL, ctx_request(self->bg, CTX_IOC_OPEN, &arg));
	arg.id = 0;
	arg.flags |= 2;
	EXPECT_EQ(-EINVAL, ctx_request(self->bg, CTX_IOC_OPEN, &arg));
}

/* Its own binding, or that of the nearest above. */
TEST_F(bind, nested)
{
	int child = ctx_derive(self->ctx, 0);

	EXPECT_EQ(0, ctx_bind(self->ctx, self->outer));
	EXPECT_EQ(0, ctx_bind(child, self->inner));
	EXPECT_EQ(self->id, ambient_in(self->outer));
	EXPECT_EQ(ctx_id(child), ambient_in(self->inner));
	/* Background is no binding. */
	EXPECT_EQ(0, ctx_bind(self->bg, self->inner));
	EXPECT_EQ(self->id, ambient_in(self->inner));
	EXPECT_EQ(0, ctx_bind(self->bg, self->inner));
	EXPECT_EQ(0, ctx_bind(child, self->inner));
	EXPECT_EQ(0, ctx_bind(self->bg, self->outer));
	EXPECT_EQ(0, ambient_in(self->outer));
	EXPECT_EQ(ctx_id(child), ambient_in(self->inner));
	close(child);
}

TEST_F(bind, what_does_not_descend_from_that_above)
{
	int child = ctx_derive(self->ctx, 0), other = ctx_derive(self->bg, 0);
	int value = ctx_set(child, "k", "v");
	int without = ctx_derive(value, CTX_DERIVE_WITHOUT_CANCEL);
	int below = ctx_derive(without, 0);

	EXPECT_EQ(0, ctx_bind(child, self->outer));
	EXPECT_EQ(-EPERM, ctx_bind(self->ctx, self->inner));
	EXPECT_EQ(-EPERM, ctx_bind(other, self->inner));
	EXPECT_EQ(ctx_id(child), ambient_in(self->inner));
	/* Itself, and all kinds below. */
	EXPECT_EQ(0, ctx_bind(child, self->inner));
	EXPECT_EQ(0, ctx_bind(value, self->inner));
	EXPECT_EQ(ctx_id(value), ambient_in(self->inner));
	EXPECT_EQ(0, ctx_bind(without, self->inner));
	EXPECT_EQ(ctx_id(without), ambient_in(self->inner));
	EXPECT_EQ(0, ctx_bind(below, self->inner));
	/* A refusal leaves what was there. */
	EXPECT_EQ(-EPERM, ctx_bind(other, self->inner));
	EXPECT_EQ(ctx_id(below), ambient_in(self->inner));
	/* Of its own binding it need not descend. */
	EXPECT_EQ(0, ctx_bind(other, self->outer));
	EXPECT_EQ(ctx_id(other), ambient_in(self->outer));
	close(below);
	close(without);
	close(value);
	close(other);
	close(child);
}

TEST_F(bind, again)
{
	int other = ctx_derive(self->bg, 0);
	__u64 id = self->id;
	long long users = read_number(REFCNT);

	EXPECT_EQ(0, ctx_bind(self->ctx, self->outer));
	EXPECT_EQ(users + 1, read_number(REFCNT));
	EXPECT_EQ(0, ctx_bind(self->ctx, self->outer));
	EXPECT_EQ(users + 1, read_number(REFCNT));
	close(self->ctx);
	EXPECT_EQ(id, ambient_in(self->outer));
	EXPECT_EQ(0, ctx_bind(other, self->outer));
	EXPECT_EQ(ctx_id(other), ambient_in(self->outer));
	/* The other one is let go. */
	EXPECT_TRUE(is_gone(self, id));
	self->ctx = other;
}

TEST_F(bind, removed_with_the_group)
{
	int child = ctx_derive(self->ctx, 0);
	__u64 id = ctx_id(child);
	long long users = read_number(REFCNT);

	EXPECT_EQ(0, ctx_bind(self->ctx, self->outer));
	EXPECT_EQ(0, ctx_bind(child, self->inner));
	EXPECT_EQ(users + 2, read_number(REFCNT));
	close(child);
	EXPECT_EQ(users + 1, read_number(REFCNT));
	child = ctx_open_id(self->bg, id, CTX_RIGHT_OBSERVE);
	EXPECT_TRUE(is_done(child, ECANCELED, EOWNERDEAD));
	close(child);
	EXPECT_EQ(0, rmdir(INNER));
	EXPECT_EQ(users, read_number(REFCNT));
	EXPECT_TRUE(is_gone(self, id));
	/* One that has the same name is another. */
	EXPECT_EQ(-ENODEV, ctx_bind(self->ctx, self->inner));
	EXPECT_EQ(-ENODEV, ctx_bind(self->bg, self->inner));
	EXPECT_EQ(users, read_number(REFCNT));
	EXPECT_EQ(0, mkdir(INNER, 0755));
	close(self->inner);
	self->inner = open_procs(INNER);
	EXPECT_EQ(self->id, ambient_in(self->inner));
}

/* Neither a binding keeps a group that was removed, nor a refusal. */
TEST_F(bind, no_group_is_kept)
{
	int other = ctx_derive(self->bg, 0), i;

	EXPECT_EQ(0, ctx_bind(self->ctx, self->outer));
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(i > 0 ? 0 : -EPERM, ctx_bind(i > 0 ? self->ctx : other, self->inner));
		if (i > 1)
			EXPECT_EQ(0, ctx_bind(self->bg, self->inner));
		close(self->inner);
		ASSERT_EQ(0, rmdir(INNER));
		while (read_field(OUTER "/cgroup.stat", "nr_dying_descendants") > 0)
			sched_yield();
		EXPECT_EQ(0, read_field(OUTER "/cgroup.stat", "nr_dying_descendants"));
		ASSERT_EQ(0, mkdir(INNER, 0755));
		self->inner = open_procs(INNER);
	}
	close(other);
}

/* Nobody unloads it under those who are bound. */
TEST_F(bind, pins_the_module)
{
	EXPECT_EQ(0, ctx_bind(self->ctx, self->outer));
	close(self->ctx);
	close(self->bg);
	EXPECT_EQ(self->users + 1, read_number(REFCNT));
	EXPECT_EQ(-1, syscall(SYS_delete_module, "ctx", O_NONBLOCK));
	EXPECT_EQ(EAGAIN, errno);
	self->bg = ctx_open();
	self->ctx = ctx_derive(self->bg, 0);
	EXPECT_EQ(self->id, ambient_in(self->outer));
}

TEST_F(bind, the_right_to_derive)
{
	int fd = ctx_restrict(self->ctx, RIGHTS_ALL & ~CTX_RIGHT_DERIVE);

	EXPECT_EQ(-EPERM, ctx_bind(fd, self->outer));
	close(fd);
	fd = ctx_restrict(self->ctx, CTX_RIGHT_DERIVE);
	EXPECT_EQ(0, ctx_bind(fd, self->outer));
	close(fd);
	EXPECT_EQ(self->id, ambient_in(self->outer));
}

/* One line for each kind: what is not a cgroup.procs open for writing. */
TEST_F(bind, other_files)
{
	static const char * const wrong[] = {
		OUTER "/cgroup.threads", OUTER "/cgroup.subtree_control", OUTER "/cgroup.kill",
		OUTER "/cgroup.max.depth", "/dev/null", "/tmp" PROCS, CTX_DEV,
	};
	int fd, i, pair[2];

	close(open("/tmp" PROCS, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	for (i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		fd = open(wrong[i], O_WRONLY | O_CLOEXEC);
		ASSERT_LE(0, fd);
		EXPECT_EQ(-EINVAL, ctx_bind(self->ctx, fd));
		close(fd);
	}
	unlink("/tmp" PROCS);
	EXPECT_EQ(-EINVAL, ctx_bind(self->ctx, self->to[1]));
	fd = eventfd(0, EFD_CLOEXEC);
	EXPECT_EQ(-EINVAL, ctx_bind(self->ctx, fd));
	close(fd);
	EXPECT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	EXPECT_EQ(-EINVAL, ctx_bind(self->ctx, pair[0]));
	close(pair[0]);
	close(pair[1]);
	fd = open(OUTER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	EXPECT_EQ(-EINVAL, ctx_bind(self->ctx, fd));
	close(fd);
	fd = open(OUTER PROCS, O_RDONLY | O_CLOEXEC);
	EXPECT_EQ(-EBADF, ctx_bind(self->ctx, fd));
	EXPECT_EQ(-EBADF, ctx_bind(self->bg, fd));
	close(fd);
	fd = open(OUTER PROCS, O_PATH | O_CLOEXEC);
	EXPECT_EQ(-EBADF, ctx_bind(self->ctx, fd));
	close(fd);
	EXPECT_EQ(-EBADF, ctx_bind(self->ctx, fd));
	EXPECT_EQ(-EBADF, ctx_bind(self->ctx, -1));
	EXPECT_EQ(0, ambient_in(self->outer));
}

/* A hierarchy of version 1 has groups of its own, whose files have the same names. */
TEST_F(bind, version_1)
{
	int fd;

	EXPECT_EQ(0, mkdir("/tmp/ctx_v1", 0755));
	/* Not every kernel has it any more. */
	if (!mount("ctx", "/tmp/ctx_v1", "cgroup", 0, "none,name=ctx_bind_test")) {
		fd = open("/tmp/ctx_v1" PROCS, O_WRONLY | O_CLOEXEC);
		EXPECT_LE(0, fd);
		EXPECT_EQ(-EINVAL, ctx_bind(self->ctx, fd));
		close(fd);
		EXPECT_EQ(0, ctx_bind(self->ctx, self->outer));
		EXPECT_EQ(0, mkdir("/tmp/ctx_v1/group", 0755));
		EXPECT_EQ(0, rmdir("/tmp/ctx_v1/group"));
		EXPECT_EQ(self->id, ambient_in(self->outer));
		EXPECT_EQ(0, umount("/tmp/ctx_v1"));
	}
	EXPECT_EQ(0, rmdir("/tmp/ctx_v1"));
}

/* Who may bind is who may open cgroup.procs for writing, and nobody else. */
TEST_F(bind, another_user)
{
	char path[64];
	int fd, ctx;
	pid_t pid;

	EXPECT_EQ(0, ctx_bind(self->ctx, self->outer));
	fd = open(INNER PROCS, O_RDONLY | O_CLOEXEC);
	pid = spawn();
	if (!pid) {
		EXPECT_TRUE(join(self->inner));
		become(self->user);
		ctx = ctx_derive(ctx_ambient(self->bg, 0), 0);
		EXPECT_EQ(-1, open_procs(INNER));
		EXPECT_EQ(EACCES, errno);
		EXPECT_EQ(-EBADF, ctx_bind(ctx, fd));
		/* Not by opening it again, nor as root of a namespace of his own. */
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		EXPECT_EQ(-1, open(path, O_WRONLY | O_CLOEXEC));
		EXPECT_EQ(EACCES, errno);
		EXPECT_EQ(0, unshare(CLONE_NEWUSER | CLONE_NEWCGROUP));
		EXPECT_EQ(-1, open_procs(INNER));
		EXPECT_EQ(EACCES, errno);
		EXPECT_EQ(-EBADF, ctx_bind(ctx, fd));
		/* Outside of the namespace's own groups, too, it is what he runs under. */
		EXPECT_EQ(self->id, ambient_id());
		child_exit();
	}
	EXPECT_EQ(0, reap(pid));
	close(fd);
}

static bool delegate(const char *cgroup, uid_t uid)
{
	char path[128];

	snprintf(path, sizeof(path), "%s" PROCS, cgroup);
	return chown(cgroup, uid, uid) == 0 && chown(path, uid, uid) == 0;
}

/* To whom a group was given, that may bind it: within what it runs under. */
TEST_F(bind, a_delegate)
{
	int fd, procs, ctx;
	pid_t pid;

	EXPECT_EQ(0, ctx_bind(self->ctx, self->outer));
	ASSERT_TRUE(delegate(INNER, self->user));
	pid = spawn();
	if (!pid) {
		EXPECT_TRUE(join(self->inner));
		become(self->user);
		procs = open_procs(INNER);
		EXPECT_LE(0, procs);
		ctx = ctx_derive(self->bg, 0);
		EXPECT_EQ(-EPERM, ctx_bind(ctx, procs));
		EXPECT_EQ(self->id, ambient_id());
		/* Background is none of its own: it is under the one above, as before. */
		EXPECT_EQ(0, ctx_bind(self->bg, procs));
		EXPECT_EQ(self->id, ambient_id());
		fd = ctx_derive(ctx_ambient(self->bg, 0), 0);
		EXPECT_EQ(0, ctx_bind(fd, procs));
		EXPECT_EQ(ctx_id(fd), ambient_id());
		EXPECT_EQ(-1, open_procs(OUTER));
		child_exit();
	}
	EXPECT_EQ(0, reap(pid));
	/* Dead, with what it bound. */
	EXPECT_EQ(self->id, ambient_in(self->outer));
	EXPECT_LT(self->id, ambient_in(self->inner));
}

/* The descriptor is the permission: whoever passes it on, passes that on. */
TEST_F(bind, a_passed_descriptor)
{
	int pair[2], fd, ctx;
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	pid = spawn();
	if (!pid) {
		close(pair[0]);
		close(self->inner);
		close(self->outer);
		become(self->user);
		ctx = ctx_derive(self->bg, 0);
		fd = recv_fd(pair[1]);
		EXPECT_EQ(-EBADF, ctx_bind(ctx, fd));
		close(fd);
		fd = recv_fd(pair[1]);
		EXPECT_EQ(0, ctx_bind(ctx, fd));
		close(fd);
		EXPECT_TRUE(tell(pair[1]));
		hear(pair[1]);
		child_exit();
	}
	fd = open(INNER PROCS, O_RDONLY | O_CLOEXEC);
	EXPECT_TRUE(send_fd(pair[0], fd));
	close(fd);
	EXPECT_TRUE(send_fd(pair[0], self->inner));
	EXPECT_TRUE(hear(pair[0]));
	EXPECT_LT(self->id, ambient_in(self->inner));
	close(pair[0]);
	close(pair[1]);
	EXPECT_EQ(0, reap(pid));
}

/* Whoever binds is charged, for as long as it is bound. */
TEST_F(bind, bounds)
{
	int procs[3], i;
	pid_t pid;

	ASSERT_TRUE(delegate(INNER, self->user));
	ASSERT_TRUE(write_number(MAX_USER_FILES, 2));
	pid = spawn();
	if (!pid) {
		int ctx;

		become(self->user);
		ctx = ctx_derive(self->bg, 0);
		for (i = 0; i < 3; i++) {
			char path[64];

			snprintf(path, sizeof(path), INNER "/%d", i);
			EXPECT_EQ(0, mkdir(path, 0755));
			procs[i] = open_procs(path);
			EXPECT_LE(0, procs[i]);
		}
		EXPECT_EQ(0, ctx_bind(ctx, procs[0]));
		EXPECT_EQ(0, ctx_bind(ctx, procs[1]));
		EXPECT_EQ(-EDQUOT, ctx_bind(ctx, procs[2]));
		/* Background costs nothing, and gives one back: after a grace period. */
		EXPECT_EQ(0, ctx_bind(self->bg, procs[0]));
		while ((i = ctx_bind(ctx, procs[2])) == -EDQUOT)
			sched_yield();
		EXPECT_EQ(0, i);
		EXPECT_EQ(-EDQUOT, ctx_bind(ctx, procs[0]));
		EXPECT_EQ(0, rmdir(INNER "/1"));
		while ((i = ctx_bind(ctx, procs[0])) == -EDQUOT)
			sched_yield();
		EXPECT_EQ(0, i);
		EXPECT_EQ(0, rmdir(INNER "/0"));
		EXPECT_EQ(0, rmdir(INNER "/2"));
		child_exit();
	}
	EXPECT_EQ(0, reap(pid));
}

/* No races lost: whichever is first, nothing is left */

#define ROUNDS	300

struct race {
	int bg;
	int ctx[2];
	__u64 id[2];
	int procs;
	bool stop;
	bool failed;
};

static void *rebind(void *arg)
{
	struct race *race = arg;
	int i = 0, ret;

	while (!__atomic_load_n(&race->stop, __ATOMIC_ACQUIRE)) {
		ret = ctx_bind(race->ctx[i++ & 1], race->procs);
		/* What was bound before counts until a grace period is over. */
		if (ret && !must(ret == -ENODEV || ret == -EDQUOT))
			race->failed = true;
	}
	return NULL;
}

TEST_F(bind, while_the_group_is_removed)
{
	struct race race = { .ctx = { self->ctx, self->ctx } };
	long long users = read_number(REFCNT);
	pthread_t thread;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		race.stop = false;
		race.procs = open_procs(INNER);
		ASSERT_LE(0, race.procs);
		ASSERT_EQ(0, pthread_create(&thread, NULL, rebind, &race));
		if (i & 1)
			while (read_number(REFCNT) == users)
				sched_yield();
		ASSERT_EQ(0, rmdir(INNER));
		__atomic_store_n(&race.stop, true, __ATOMIC_RELEASE);
		ASSERT_EQ(0, pthread_join(thread, NULL));
		EXPECT_FALSE(race.failed);
		ASSERT_EQ(users, read_number(REFCNT));
		close(race.procs);
		ASSERT_EQ(0, mkdir(INNER, 0755));
	}
}

TEST_F(bind, while_others_look)
{
	struct race race = { .bg = self->bg, .procs = self->outer };
	int i, status;
	pthread_t thread;
	pid_t pid;

	for (i = 0; i < 2; i++) {
		race.ctx[i] = ctx_derive(self->bg, 0);
		race.id[i] = ctx_id(race.ctx[i]);
	}
	EXPECT_EQ(0, ctx_bind(race.ctx[0], self->outer));
	ASSERT_EQ(0, pthread_create(&thread, NULL, rebind, &race));
	pid = spawn();
	if (!pid) {
		__u64 id;

		EXPECT_TRUE(join(self->inner));
		for (i = 0; i < ROUNDS; i++) {
			id = ambient_id();
			EXPECT_TRUE(id == race.id[0] || id == race.id[1]);
		}
		child_exit();
	}
	status = reap(pid);
	__atomic_store_n(&race.stop, true, __ATOMIC_RELEASE);
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_EQ(0, status);
	EXPECT_FALSE(race.failed);
	for (i = 0; i < 2; i++)
		close(race.ctx[i]);
	EXPECT_EQ(0, ctx_bind(self->bg, self->outer));
	EXPECT_TRUE(is_gone(self, race.id[0]));
	EXPECT_TRUE(is_gone(self, race.id[1]));
}

TEST_HARNESS_MAIN
