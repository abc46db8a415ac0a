// SPDX-License-Identifier: GPL-2.0
/*
 * O_ASYNC: a signal when the context is done, to whom fcntl(2) said, once, and only
 * where the kernel lets the caller send one.
 */
#include "async.h"

FIXTURE(async) {
	int bg;
	int ctx;
	int to[2];
	int from[2];
};

FIXTURE_SETUP(async)
{
	self->bg = ctx_open();
	ASSERT_LE(0, self->bg);
	self->ctx = ctx_derive(self->bg, 0);
	ASSERT_LE(0, self->ctx);
	ASSERT_TRUE(hold_async_signals());
	ASSERT_EQ(0, pipe2(self->to, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(self->from, O_CLOEXEC));
}

FIXTURE_TEARDOWN(async)
{
	close(self->ctx);
	close(self->bg);
}

TEST_F(async, when_it_is_cancelled)
{
	siginfo_t info;

	ASSERT_TRUE(ask(self->ctx, getpid()));
	EXPECT_EQ(0, signalled(NULL));
	EXPECT_EQ(0, ctx_cancel(self->ctx, EIO));
	EXPECT_EQ(SIGDONE, signalled(&info));
	EXPECT_EQ(self->ctx, info.si_fd);
	EXPECT_EQ(POLL_IN, info.si_code);
	EXPECT_EQ(POLLIN | POLLRDNORM, info.si_band);
	EXPECT_EQ(0, signalled(NULL));
	EXPECT_EQ(0, ctx_cancel(self->ctx, EIO));
	EXPECT_EQ(0, signalled(NULL));
}

TEST_F(async, sigio_unless_another_is_asked_for)
{
	EXPECT_EQ(0, fcntl(self->ctx, F_SETOWN, getpid()));
	EXPECT_EQ(0, set_async(self->ctx, true));
	EXPECT_EQ(0, ctx_cancel(self->ctx, EIO));
	EXPECT_EQ(SIGIO, signalled(NULL));
	EXPECT_EQ(0, signalled(NULL));
}

TEST_F(async, with_the_parent_or_a_deadline)
{
	int child = ctx_derive(self->ctx, 0);
	int value = ctx_set(self->ctx, "k", "v");
	int late = ctx_timeout(self->bg, NSEC_PER_SEC / 100, 0);
	siginfo_t info;

	ASSERT_TRUE(ask(child, getpid()));
	ASSERT_TRUE(ask(value, getpid()));
	EXPECT_EQ(0, ctx_cancel(self->ctx, 0));
	EXPECT_EQ(SIGDONE, signalled(&info));
	EXPECT_EQ(SIGDONE, signalled(&info));
	EXPECT_EQ(0, signalled(NULL));
	ASSERT_TRUE(ask(late, getpid()));
	EXPECT_EQ(SIGDONE, wait_signal(&info));
	EXPECT_EQ(late, info.si_fd);
	EXPECT_TRUE(is_done(late, ETIMEDOUT, ETIMEDOUT));
	close(late);
	close(value);
	close(child);
}

TEST_F(async, at_once_if_it_is_done)
{
	EXPECT_EQ(0, ctx_cancel(self->ctx, 0));
	ASSERT_TRUE(ask(self->ctx, getpid()));
	EXPECT_EQ(SIGDONE, signalled(NULL));
	EXPECT_EQ(0, signalled(NULL));
	/* Asked for once more. */
	EXPECT_EQ(0, set_async(self->ctx, false));
	EXPECT_EQ(0, signalled(NULL));
	EXPECT_EQ(0, set_async(self->ctx, true));
	EXPECT_EQ(SIGDONE, signalled(NULL));
	EXPECT_EQ(0, signalled(NULL));
	/* Also if somebody has polled it while it lived, and again since. */
	close(self->ctx);
	self->ctx = ctx_derive(self->bg, 0);
	EXPECT_FALSE(is_ready(self->ctx));
	EXPECT_EQ(0, ctx_cancel(self->ctx, 0));
	EXPECT_TRUE(is_ready(self->ctx));
	ASSERT_TRUE(ask(self->ctx, getpid()));
	EXPECT_EQ(SIGDONE, signalled(NULL));
	EXPECT_EQ(0, signalled(NULL));
}

TEST_F(async, not_after_it_was_taken_back)
{
	int other = ctx_restrict(self->ctx, CTX_RIGHT_OBSERVE);

	ASSERT_TRUE(ask(self->ctx, getpid()));
	ASSERT_TRUE(ask(other, getpid()));
	EXPECT_EQ(0, set_async(self->ctx, false));
	close(other);
	EXPECT_EQ(0, ctx_cancel(self->ctx, 0));
	EXPECT_EQ(0, signalled(NULL));
	/* Of what is never done, never. */
	ASSERT_TRUE(ask(self->bg, getpid()));
	EXPECT_EQ(0, signalled(NULL));
}

/* A duplicate is the same file; another descriptor of the context asks for itself. */
TEST_F(async, each_file_once)
{
	int other = ctx_restrict(self->ctx, CTX_RIGHT_OBSERVE);
	int copy = dup(self->ctx);
	siginfo_t info;

	ASSERT_TRUE(ask(self->ctx, getpid()));
	ASSERT_TRUE(ask(copy, getpid()));
	ASSERT_TRUE(ask(other, getpid()));
	EXPECT_EQ(0, ctx_cancel(self->ctx, 0));
	EXPECT_EQ(SIGDONE, signalled(&info));
	EXPECT_EQ(SIGDONE, signalled(&info));
	EXPECT_EQ(0, signalled(NULL));
	close(copy);
	close(other);
}

TEST_F(async, takes_the_right_to_observe)
{
	int fd = ctx_restrict(self->ctx, RIGHTS_ALL & ~CTX_RIGHT_OBSERVE), on = 1;

	EXPECT_EQ(0, fcntl(fd, F_SETOWN, getpid()));
	EXPECT_EQ(-EPERM, set_async(fd, true));
	EXPECT_EQ(-EPERM, ctx_request(fd, FIOASYNC, &on));
	EXPECT_EQ(0, fcntl(fd, F_GETFL) & O_ASYNC);
	EXPECT_EQ(0, ctx_cancel(self->ctx, 0));
	EXPECT_EQ(0, signalled(NULL));
	close(fd);
}

/* A process that ends with the number of signals it got. */
static pid_t counts(fixture_self(async), bool leads)
{
	pid_t pid = spawn();
	int nr = 0;

	if (pid) {
		hear(self->from[0]);
		return pid;
	}
	if (leads)
		setpgid(0, 0);
	tell(self->from[1]);
	hear(self->to[0]);
	while (signalled(NULL))
		nr++;
	_exit(nr);
}

TEST_F(async, to_a_group)
{
	pid_t leader = counts(self, true), member = counts(self, false);

	ASSERT_EQ(0, setpgid(member, leader));
	ASSERT_TRUE(ask(self->ctx, -leader));
	EXPECT_EQ(0, ctx_cancel(self->ctx, 0));
	EXPECT_EQ(0, signalled(NULL));
	EXPECT_EQ(2, write(self->to[1], "!!", 2));
	EXPECT_EQ(1, reap(leader));
	EXPECT_EQ(1, reap(member));
}

TEST_F(async, whoever_made_it_is_killed)
{
	int seen, pair[2];
	siginfo_t info;
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	pid = spawn();
	if (!pid) {
		seen = ctx_restrict(ctx_derive(self->bg, 0), CTX_RIGHT_OBSERVE);
		EXPECT_TRUE(send_fd(pair[1], seen));
		for (;;)
			pause();
	}
	seen = recv_fd(pair[0]);
	ASSERT_TRUE(ask(seen, getpid()));
	EXPECT_EQ(0, kill(pid, SIGKILL));
	EXPECT_EQ(KILLED, reap(pid));
	EXPECT_EQ(SIGDONE, wait_signal(&info));
	EXPECT_EQ(seen, info.si_fd);
	EXPECT_TRUE(is_done(seen, ECANCELED, EOWNERDEAD));
	close(seen);
	close(pair[0]);
	close(pair[1]);
}

/* Where kill(2) is not allowed, this is no way around it. */
TEST_F(async, not_to_the_processes_of_others)
{
	pid_t root = getpid(), pid;
	int own;

	pid = spawn();
	if (!pid) {
		become(20000 + getpid());
		own = ctx_restrict(self->ctx, CTX_RIGHT_OBSERVE);
		EXPECT_EQ(-1, kill(root, SIGDONE));
		EXPECT_EQ(EPERM, errno);
		EXPECT_TRUE(ask(self->ctx, root));
		EXPECT_TRUE(ask(own, getpid()));
		EXPECT_EQ(0, unshare(CLONE_NEWUSER));
		EXPECT_TRUE(ask(self->ctx, root));
		EXPECT_TRUE(tell(self->from[1]));
		EXPECT_TRUE(hear(self->to[0]));
		EXPECT_EQ(SIGDONE, signalled(NULL));
		child_exit();
	}
	ASSERT_TRUE(hear(self->from[0]));
	EXPECT_EQ(0, ctx_cancel(self->ctx, 0));
	/* By now it would be there. */
	EXPECT_EQ(0, signalled(NULL));
	EXPECT_TRUE(tell(self->to[1]));
	EXPECT_EQ(0, reap(pid));
	/* Asked for by root, it does come. */
	ASSERT_EQ(0, set_async(self->ctx, false));
	ASSERT_TRUE(ask(self->ctx, getpid()));
	EXPECT_EQ(SIGDONE, signalled(NULL));
}

struct asker {
	pthread_barrier_t start;
	int fd;
};

static void *ask_now(void *arg)
{
	struct asker *asker = arg;

	pthread_barrier_wait(&asker->start);
	return (void *)(long)set_async(asker->fd, true);
}

/* Exactly one, whether it is asked for before or after. */
TEST_F(async, while_it_is_cancelled)
{
	struct asker asker;
	pthread_t thread;
	void *ret;
	int i;

	ASSERT_EQ(0, pthread_barrier_init(&asker.start, NULL, 2));
	for (i = 0; i < 500; i++) {
		asker.fd = ctx_derive(self->bg, 0);
		ASSERT_LE(0, asker.fd);
		ASSERT_EQ(0, fcntl(asker.fd, F_SETOWN, getpid()));
		ASSERT_EQ(0, fcntl(asker.fd, F_SETSIG, SIGDONE));
		if (i & 1)
			EXPECT_FALSE(is_ready(asker.fd));
		ASSERT_EQ(0, pthread_create(&thread, NULL, ask_now, &asker));
		pthread_barrier_wait(&asker.start);
		EXPECT_EQ(0, ctx_cancel(asker.fd, 0));
		ASSERT_EQ(0, pthread_join(thread, &ret));
		EXPECT_EQ(NULL, ret);
		EXPECT_EQ(SIGDONE, signalled(NULL));
		EXPECT_EQ(0, signalled(NULL));
		close(asker.fd);
	}
}

TEST_HARNESS_MAIN
