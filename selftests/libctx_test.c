// SPDX-License-Identifier: GPL-2.0
/* libctx: what its header promises, function by function. */
#define _GNU_SOURCE
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
#include "kselftest_harness.h"
#pragma GCC diagnostic pop
#pragma GCC diagnostic ignored "-Wsign-compare"

/* Only breaks hangs: a sanitizer kernel in emulation is slow. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT	600

#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "libctx.c"	/* here, one file is one program */
#include "../kmod/tests/driver/driver.h"

#define CGROUP		"/sys/fs/cgroup/ctx_libctx_test"

#define EXPECT_ERRNO(number, call) do {		\
	errno = 0;				\
	EXPECT_EQ(-1, call);			\
	EXPECT_EQ(number, errno);		\
} while (0)

FIXTURE(lib) {
	int bg;
	int ctx;
	int null;
};

FIXTURE_SETUP(lib)
{
	unsetenv("CTX_FD");
	self->bg = ctx_background();
	self->ctx = ctx_with_cancel(self->bg);
	self->null = open("/dev/null", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->ctx);
	ASSERT_LE(0, self->null);
}

FIXTURE_TEARDOWN(lib)
{
	unsetenv("CTX_FD");
	close(self->null);
	close(self->ctx);
	close(self->bg);
}

static int64_t now(int clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * CTX_SEC + ts.tv_nsec;
}

static bool is_cloexec(int fd)
{
	return fcntl(fd, F_GETFD) == FD_CLOEXEC;
}

static uint64_t id_of(int ctx)
{
	struct ctx_ioc_info info;

	return ctx_info(ctx, &info) ? ~0ULL : info.id;
}

static unsigned int rights_of(int ctx)
{
	struct ctx_ioc_info info;

	return ctx_info(ctx, &info) ? ~0U : info.rights;
}

static uint64_t parent_of(int ctx)
{
	struct ctx_ioc_info info;

	return ctx_info(ctx, &info) ? ~0ULL : info.parent_id;
}

TEST_F(lib, background)
{
	EXPECT_EQ(0, id_of(self->bg));
	EXPECT_EQ(0, ctx_err(self->bg));
	EXPECT_TRUE(is_cloexec(self->bg));
	EXPECT_EQ(0, ctx_wait(self->bg, 0, NULL));
}

static void set_env(int fd)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", fd);
	setenv("CTX_FD", text, 1);
}

TEST_F(lib, env)
{
	static const char * const no_numbers[] = { "", "x", "-1", "1x", " 1", "4294967296" };
	int fd, i;

	EXPECT_ERRNO(ENOENT, ctx_env_fd());
	for (i = 0; i < ARRAY_SIZE(no_numbers); i++) {
		setenv("CTX_FD", no_numbers[i], 1);
		EXPECT_ERRNO(EINVAL, ctx_env_fd());
	}
	set_env(1000);
	EXPECT_ERRNO(EBADF, ctx_env_fd());
	set_env(self->null);
	EXPECT_ERRNO(ENOTTY, ctx_env_fd());
	/* What names no context leads to the ambient one, which is Background here. */
	fd = ctx_from_env();
	EXPECT_EQ(0, id_of(fd));
	close(fd);

	set_env(self->ctx);
	EXPECT_EQ(self->ctx, ctx_env_fd());
	fd = ctx_from_env();
	EXPECT_NE(self->ctx, fd);
	EXPECT_EQ(id_of(self->ctx), id_of(fd));
	EXPECT_TRUE(is_cloexec(fd));
	close(fd);

	/* One that may not be observed is a context all the same. */
	fd = ctx_restrict(self->ctx, CTX_RIGHT_DERIVE);
	set_env(fd);
	EXPECT_EQ(fd, ctx_env_fd());
	close(fd);
}

TEST_F(lib, env_without_descriptors)
{
	const struct rlimit none = { .rlim_cur = 3, .rlim_max = 100 };

	set_env(self->ctx);
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
	EXPECT_ERRNO(EMFILE, ctx_background());
	EXPECT_ERRNO(EMFILE, ctx_ambient());
	EXPECT_EQ(-1, ctx_from_env());
	EXPECT_ERRNO(EMFILE, ctx_with_cancel(self->bg));
}

TEST_F(lib, derive)
{
	struct ctx_ioc_info info;
	int fd;

	EXPECT_TRUE(is_cloexec(self->ctx));
	EXPECT_EQ(0, ctx_err(self->ctx));
	EXPECT_EQ(0, ctx_cause(self->ctx));
	fd = ctx_with_cancel(self->ctx);
	EXPECT_EQ(id_of(self->ctx), parent_of(fd));
	EXPECT_EQ(0, ctx_cancel(self->ctx, EIO));
	EXPECT_EQ(ECANCELED, ctx_err(fd));
	EXPECT_EQ(EIO, ctx_cause(fd));
	close(fd);

	fd = ctx_derive(self->bg, CTX_DERIVE_KEEP, 0, 0, 0);
	EXPECT_EQ(0, ctx_info(fd, &info));
	EXPECT_TRUE(info.info_flags & CTX_INFO_KEEP);
	close(fd);

	fd = ctx_without_cancel(self->ctx);
	EXPECT_EQ(0, ctx_err(fd));
	EXPECT_ERRNO(EPERM, ctx_cancel(fd, 0));
	close(fd);
	EXPECT_ERRNO(EBADF, ctx_with_cancel(-1));
	EXPECT_ERRNO(ENOTTY, ctx_with_cancel(self->null));
}

TEST_F(lib, timeout)
{
	int64_t deadline, before = now(CLOCK_MONOTONIC);
	struct ctx_event event;
	int fd;

	EXPECT_EQ(0, ctx_deadline(self->ctx, &deadline));
	fd = ctx_with_timeout(self->ctx, CTX_SEC * 3600);
	EXPECT_EQ(1, ctx_deadline(fd, &deadline));
	EXPECT_LE(before + CTX_SEC * 3600, deadline);
	EXPECT_GE(now(CLOCK_MONOTONIC) + CTX_SEC * 3600, deadline);
	EXPECT_EQ(0, ctx_err(fd));
	close(fd);

	fd = ctx_with_timeout(self->ctx, CTX_MSEC);
	EXPECT_EQ(ETIMEDOUT, ctx_wait(fd, CTX_FOREVER, &event));
	EXPECT_EQ(ETIMEDOUT, event.cause);
	EXPECT_EQ(id_of(fd), event.id);
	EXPECT_STREQ("timer", event.comm);
	close(fd);

	fd = ctx_with_timeout_cause(self->ctx, -5, EHOSTDOWN);
	EXPECT_EQ(ETIMEDOUT, ctx_err(fd));
	EXPECT_EQ(EHOSTDOWN, ctx_cause(fd));
	close(fd);
	fd = ctx_with_timeout(self->ctx, CTX_FOREVER);
	EXPECT_EQ(0, ctx_deadline(fd, &deadline));
	close(fd);
	EXPECT_ERRNO(EBADF, ctx_deadline(-1, &deadline));
	EXPECT_ERRNO(EINVAL, ctx_with_timeout_cause(self->ctx, 1, 5000));
}

TEST_F(lib, deadline)
{
	const int64_t then = now(CLOCK_MONOTONIC) + CTX_SEC * 60;
	int64_t deadline;
	int fd;

	fd = ctx_with_deadline(self->ctx, CLOCK_MONOTONIC, then);
	EXPECT_EQ(1, ctx_deadline(fd, &deadline));
	EXPECT_EQ(then, deadline);
	close(fd);
	fd = ctx_with_deadline_cause(self->ctx, CLOCK_REALTIME, now(CLOCK_REALTIME) - 1, EIO);
	EXPECT_EQ(ETIMEDOUT, ctx_wait(fd, CTX_FOREVER, NULL));
	EXPECT_EQ(EIO, ctx_cause(fd));
	close(fd);
	EXPECT_ERRNO(EINVAL, ctx_with_deadline(self->ctx, CLOCK_PROCESS_CPUTIME_ID, then));
}

TEST_F(lib, values)
{
	char room[CTX_VALUE_MAX] = {}, key[CTX_KEY_MAX + 1] = "long";
	size_t len;
	int fd = ctx_with_value(self->ctx, "user", 4, "mary", 4), other;

	EXPECT_EQ(0, rights_of(fd) & CTX_RIGHT_CANCEL);
	len = sizeof(room);
	EXPECT_EQ(0, ctx_value(fd, "user", 4, room, &len));
	EXPECT_EQ(4, len);
	EXPECT_EQ(0, memcmp(room, "mary", 4));
	len = 3;
	EXPECT_ERRNO(ENOSPC, ctx_value(fd, "user", 4, room, &len));
	EXPECT_EQ(4, len);
	len = SIZE_MAX;
	EXPECT_EQ(0, ctx_value(fd, "user", 4, room, &len));
	len = 7;
	EXPECT_ERRNO(ENOENT, ctx_value(fd, "use", 3, room, &len));
	EXPECT_EQ(7, len);

	other = ctx_with_value(fd, key, CTX_KEY_MAX, room, CTX_VALUE_MAX);
	len = CTX_VALUE_MAX;
	EXPECT_EQ(0, ctx_value(other, key, CTX_KEY_MAX, room, &len));
	EXPECT_EQ(CTX_VALUE_MAX, len);
	close(other);
	other = ctx_with_value(fd, "empty", 5, NULL, 0);
	len = 1;
	EXPECT_EQ(0, ctx_value(other, "empty", 5, room, &len));
	EXPECT_EQ(0, len);
	close(other);

	/* Lengths that the kernel's 32 bits would cut off. */
	EXPECT_ERRNO(EINVAL, ctx_with_value(fd, key, CTX_KEY_MAX + 1, room, 1));
	EXPECT_ERRNO(EINVAL, ctx_with_value(fd, key, (1ULL << 32) + 1, room, 1));
	EXPECT_ERRNO(EINVAL, ctx_with_value(fd, key, 1, room, CTX_VALUE_MAX + 1));
	EXPECT_ERRNO(EINVAL, ctx_with_value(fd, key, 1, room, (1ULL << 32) + 1));
	EXPECT_ERRNO(EINVAL, ctx_with_value(fd, key, 0, room, 1));
	EXPECT_ERRNO(EINVAL, ctx_value(fd, key, (1ULL << 32) + 4, room, &len));
	close(fd);
}

TEST_F(lib, cancel)
{
	struct ctx_event event;

	EXPECT_ERRNO(EINVAL, ctx_cancel(self->ctx, CTX_CAUSE_MAX + 1));
	EXPECT_ERRNO(EINVAL, ctx_cancel(self->ctx, -EIO));
	EXPECT_EQ(0, ctx_cancel(self->ctx, 0));
	EXPECT_EQ(0, ctx_cancel(self->ctx, EIO));
	EXPECT_EQ(ECANCELED, ctx_wait(self->ctx, 0, &event));
	EXPECT_EQ(ECANCELED, event.cause);
	EXPECT_EQ(getpid(), event.pid);
	EXPECT_ERRNO(EPERM, ctx_cancel(self->bg, 0));
}

static void nothing(int number __attribute__((unused)))
{
}

static void *cancel_soon(void *arg)
{
	ctx_cancel(*(int *)arg, EPIPE);
	return NULL;
}

TEST_F(lib, wait)
{
	const struct sigaction action = { .sa_handler = nothing };
	const struct itimerval often = {
		.it_interval.tv_usec = 10000,
		.it_value.tv_usec = 10000,
	}, never = {};
	pthread_t thread;
	int fd;

	EXPECT_EQ(0, ctx_wait(self->ctx, 0, NULL));
	EXPECT_EQ(0, ctx_wait(self->ctx, -1, NULL));
	EXPECT_EQ(0, ctx_wait(self->ctx, CTX_MSEC, NULL));
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	EXPECT_ERRNO(EINTR, ctx_wait(self->ctx, CTX_FOREVER, NULL));
	setitimer(ITIMER_REAL, &never, NULL);
	signal(SIGALRM, SIG_DFL);

	ASSERT_EQ(0, pthread_create(&thread, NULL, cancel_soon, &self->ctx));
	EXPECT_EQ(ECANCELED, ctx_wait(self->ctx, CTX_FOREVER, NULL));
	EXPECT_EQ(EPIPE, ctx_cause(self->ctx));
	pthread_join(thread, NULL);

	/* Readable, but no context. */
	fd = eventfd(1, EFD_CLOEXEC);
	EXPECT_ERRNO(ENOTTY, ctx_wait(fd, CTX_FOREVER, NULL));
	close(fd);
	fd = ctx_restrict(self->ctx, CTX_RIGHT_DERIVE);
	EXPECT_ERRNO(EPERM, ctx_wait(fd, CTX_FOREVER, NULL));
	EXPECT_ERRNO(EPERM, ctx_err(fd));
	EXPECT_ERRNO(EPERM, ctx_cause(fd));
	close(fd);
}

TEST_F(lib, restricted)
{
	int fd = ctx_restrict(self->ctx, CTX_RIGHT_OBSERVE);

	EXPECT_EQ(CTX_RIGHT_OBSERVE, rights_of(fd));
	EXPECT_EQ(id_of(self->ctx), id_of(fd));
	EXPECT_ERRNO(EPERM, ctx_cancel(fd, 0));
	EXPECT_ERRNO(EPERM, ctx_with_cancel(fd));
	EXPECT_ERRNO(EPERM, ctx_restrict(fd, CTX_RIGHT_CANCEL));
	EXPECT_ERRNO(EINVAL, ctx_restrict(self->ctx, 0x100));
	close(fd);
}

TEST_F(lib, on_done)
{
	int event = eventfd(0, EFD_CLOEXEC), pipes[2];
	char text[8] = {}, much[CTX_ON_DONE_MAX + 1] = {};
	struct ctx_ioc_info info;

	ASSERT_EQ(0, pipe2(pipes, O_CLOEXEC));
	EXPECT_EQ(0, ctx_on_done(self->ctx, event, NULL, 0));
	EXPECT_EQ(0, ctx_on_done(self->ctx, pipes[1], "gone", 4));
	EXPECT_ERRNO(EINVAL, ctx_on_done(self->ctx, pipes[1], much, sizeof(much)));
	EXPECT_ERRNO(EINVAL, ctx_on_done(self->ctx, pipes[1], much, 1ULL << 32 | 1));
	EXPECT_ERRNO(EINVAL, ctx_on_done(self->ctx, self->null, "x", 1));
	EXPECT_ERRNO(EBADF, ctx_on_done(self->ctx, -1, "x", 1));
	EXPECT_EQ(0, ctx_cancel(self->ctx, 0));
	EXPECT_EQ(4, read(pipes[0], text, sizeof(text)));
	EXPECT_STREQ("gone", text);
	EXPECT_EQ(8, read(event, text, sizeof(text)));
	EXPECT_EQ(0, ctx_info(self->ctx, &info));
	EXPECT_EQ(2, info.on_dones);
	close(pipes[0]);
	close(pipes[1]);
	close(event);
}

TEST_F(lib, by_number)
{
	uint64_t id = 0, seen = 0, mine = id_of(self->ctx);
	int fd;

	while (!ctx_next(self->bg, &id))
		seen += id == mine;
	EXPECT_EQ(ENOENT, errno);
	EXPECT_EQ(1, seen);
	id = mine;
	EXPECT_ERRNO(ENOENT, ctx_next(self->bg, &id));
	EXPECT_EQ(mine, id);

	fd = ctx_open(self->bg, mine, 0);
	EXPECT_EQ(mine, id_of(fd));
	EXPECT_TRUE(is_cloexec(fd));
	EXPECT_TRUE(rights_of(fd) & CTX_RIGHT_CANCEL);
	close(fd);
	fd = ctx_open(self->ctx, mine, CTX_RIGHT_OBSERVE);
	EXPECT_EQ(CTX_RIGHT_OBSERVE, rights_of(fd));
	close(fd);
	EXPECT_ERRNO(ESRCH, ctx_open(self->bg, mine + 1000, 0));
	EXPECT_ERRNO(EPERM, ctx_open(self->bg, mine, CTX_RIGHT_VALUE));
}

TEST_F(lib, link)
{
	int other = ctx_with_cancel(self->bg);

	if (ctx_link(self->ctx, other) && errno == ENOTTY)
		SKIP(return, "no links");
	EXPECT_ERRNO(ELOOP, ctx_link(self->ctx, self->ctx));
	EXPECT_ERRNO(EBADF, ctx_link(self->ctx, -1));
	EXPECT_ERRNO(EINVAL, ctx_link(self->ctx, self->null));
	EXPECT_EQ(0, ctx_cancel(other, EXDEV));
	EXPECT_EQ(ECANCELED, ctx_wait(self->ctx, CTX_FOREVER, NULL));
	EXPECT_EQ(EXDEV, ctx_cause(self->ctx));
	close(other);
}

TEST_F(lib, watch)
{
	int event = eventfd(0, EFD_CLOEXEC);

	EXPECT_EQ(0, ctx_watch(self->ctx, event, POLLIN, ESTALE));
	EXPECT_ERRNO(EINVAL, ctx_watch(self->ctx, self->null, 0, 0));
	EXPECT_EQ(0, ctx_err(self->ctx));
	EXPECT_EQ(0, eventfd_write(event, 1));
	EXPECT_EQ(ECANCELED, ctx_wait(self->ctx, CTX_FOREVER, NULL));
	EXPECT_EQ(ESTALE, ctx_cause(self->ctx));
	close(event);
}

/* In a process of a cgroup that is bound: which it sees without any descriptor. */
static int look_around(uint64_t expected)
{
	unsigned int rights;
	int fd, procs = open(CGROUP "/cgroup.procs", O_WRONLY | O_CLOEXEC);

	if (write(procs, "0", 1) != 1)
		return 1;
	close_range(3, ~0U, 0);
	fd = ctx_from_env();
	rights = rights_of(fd);
	if (id_of(fd) != expected || rights != (CTX_RIGHT_OBSERVE | CTX_RIGHT_DERIVE))
		return 2;
	return ctx_err(fd) == ECANCELED && ctx_cause(fd) == EIO ? 0 : 3;
}

TEST_F(lib, ambient)
{
	int procs, status, fd;
	pid_t pid;

	fd = ctx_ambient();
	EXPECT_EQ(0, id_of(fd));
	EXPECT_TRUE(rights_of(fd) & CTX_RIGHT_VALUE);
	close(fd);
	EXPECT_EQ(-1, ctx_bind(self->ctx, self->null));

	rmdir(CGROUP);
	ASSERT_EQ(0, mkdir(CGROUP, 0755));
	procs = open(CGROUP "/cgroup.procs", O_WRONLY | O_CLOEXEC);
	EXPECT_EQ(0, ctx_bind(self->ctx, procs));
	EXPECT_EQ(0, ctx_cancel(self->ctx, EIO));
	pid = fork();
	if (!pid)
		_exit(look_around(id_of(self->ctx)));
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	close(procs);
	while (rmdir(CGROUP))
		ASSERT_EQ(EBUSY, errno);
}

/* A driver's own context, which has no number: what it gives is done with EIO. */
static int bind_to_a_drivers(int procs, int dev)
{
	struct ctx_driver_arg give = {
		.fd = -1,
		.rights = CTX_RIGHT_OBSERVE | CTX_RIGHT_DERIVE,
		.what = CTX_DRIVER_CANCEL,
	}, end = { .cause = -EIO };
	int fd = ioctl(dev, CTX_DRIVER_GIVE, &give), err;

	err = ctx_bind(fd, procs) || ioctl(dev, CTX_DRIVER_END, &end);
	close(fd);
	return err;
}

TEST_F(lib, ambient_of_a_driver)
{
	int module = open("/modules/ctx_driver.ko", O_RDONLY | O_CLOEXEC);
	int procs, dev, status;
	pid_t pid;

	ASSERT_EQ(0, syscall(SYS_finit_module, module, "", 0));
	close(module);
	dev = open("/dev/ctx_driver", O_RDWR | O_CLOEXEC);
	rmdir(CGROUP);
	ASSERT_EQ(0, mkdir(CGROUP, 0755));
	procs = open(CGROUP "/cgroup.procs", O_WRONLY | O_CLOEXEC);
	EXPECT_EQ(0, bind_to_a_drivers(procs, dev));
	pid = fork();
	if (!pid)
		_exit(look_around(0));
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	close(procs);
	close(dev);
	while (rmdir(CGROUP))
		ASSERT_EQ(EBUSY, errno);
	EXPECT_EQ(0, syscall(SYS_delete_module, "ctx_driver", O_NONBLOCK));
}

/* Many threads at once, each with its own. */
static void *make_and_cancel(void *arg)
{
	int parent = *(int *)arg, bad = 0, fd, i;
	char room[8];
	size_t len;

	for (i = 0; i < 500; i++) {
		fd = ctx_with_value(parent, &i, sizeof(i), &i, sizeof(i));
		len = sizeof(room);
		bad += ctx_value(fd, &i, sizeof(i), room, &len) || memcmp(room, &i, sizeof(i));
		close(fd);
		fd = ctx_with_timeout(parent, CTX_SEC * 60);
		bad += ctx_cancel(fd, i + 1) || ctx_cause(fd) != i + 1;
		close(fd);
	}
	return (void *)(intptr_t)bad;
}

TEST_F(lib, threads)
{
	pthread_t threads[4];
	void *bad;
	int i;

	for (i = 0; i < ARRAY_SIZE(threads); i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, make_and_cancel, &self->ctx));
	for (i = 0; i < ARRAY_SIZE(threads); i++) {
		pthread_join(threads[i], &bad);
		EXPECT_EQ(NULL, bad);
	}
}

TEST_HARNESS_MAIN
