// SPDX-License-Identifier: GPL-2.0
/*
 * S15: files. What is made here calls itself a timerfd, and has wait queues as the test
 * wants them: the real kinds are those of selftests/watch_test.c.
 */
#include <linux/anon_inodes.h>
#include <linux/cpumask.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/poll.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <uapi/linux/ctx.h>

#include "test.h"

#define QUEUES	3

struct pollee {
	struct file *file;
	struct wait_queue_head *heads[QUEUES];
	int queues;
	__poll_t ready;
	__poll_t wanted;		/* by who asked last */
	atomic_t asked;
	bool blocks;			/* who asks waits for ->answer */
	bool wakes;			/* ... wakes whoever waits for it */
	struct completion entered;
	struct completion answer;
	struct completion *closed;
};

static __poll_t pollee_poll(struct file *file, struct poll_table_struct *pt)
{
	struct pollee *pollee = file->private_data;
	int i;

	atomic_inc(&pollee->asked);
	pollee->wanted = poll_requested_events(pt);
	if (pt && pt->_qproc) {
		for (i = 0; i < pollee->queues; i++)
			poll_wait(file, pollee->heads[i], pt);
	} else if (READ_ONCE(pollee->blocks)) {
		complete(&pollee->entered);
		wait_for_completion(&pollee->answer);
	} else if (READ_ONCE(pollee->wakes)) {
		wake_up_poll(pollee->heads[0], EPOLLIN);
	}
	return READ_ONCE(pollee->ready);
}

static int pollee_release(struct inode *inode, struct file *file)
{
	struct pollee *pollee = file->private_data;

	if (pollee->closed)
		complete(pollee->closed);
	return 0;
}

static const struct file_operations pollee_fops = {
	.owner = THIS_MODULE,
	.poll = pollee_poll,
	.release = pollee_release,
};

static const struct file_operations mute_fops = {
	.owner = THIS_MODULE,
	.release = pollee_release,
};

static void pollee_open_as(struct kunit *test, struct pollee *pollee, int queues, const char *name,
			   const struct file_operations *fops)
{
	int i;

	memset(pollee, 0, sizeof(*pollee));
	init_completion(&pollee->entered);
	init_completion(&pollee->answer);
	pollee->queues = queues;
	for (i = 0; i < queues; i++) {
		pollee->heads[i] = kzalloc(sizeof(*pollee->heads[i]), GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, pollee->heads[i]);
		init_waitqueue_head(pollee->heads[i]);
	}
	pollee->file = anon_inode_getfile(name, fops, pollee, O_RDWR);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, pollee->file);
}

static void pollee_open(struct kunit *test, struct pollee *pollee, int queues)
{
	pollee_open_as(test, pollee, queues, "[timerfd]", &pollee_fops);
}

/* Nobody comes or goes meanwhile. */
static bool pollee_is_polled(struct pollee *pollee, int queue)
{
	return !list_empty(&pollee->heads[queue]->head);
}

/* The last reference has to be this one. */
static void pollee_close(struct kunit *test, struct pollee *pollee)
{
	DECLARE_COMPLETION_ONSTACK(closed);
	int i;

	pollee->closed = &closed;
	for (i = 0; i < pollee->queues; i++)
		KUNIT_EXPECT_FALSE(test, pollee->heads[i] && pollee_is_polled(pollee, i));
	fput(pollee->file);
	ct_wait_for(test, &closed);
	pollee->closed = NULL;
	for (i = 0; i < pollee->queues; i++)
		kfree(pollee->heads[i]);
}

static void pollee_wake(struct pollee *pollee, int queue, __poll_t events)
{
	wake_up_poll(pollee->heads[queue], events);
}

static void pollee_end(void *arg)
{
	struct pollee *pollee = arg;

	WRITE_ONCE(pollee->ready, EPOLLIN);
	pollee_wake(pollee, 0, EPOLLIN);
}

static int watch(struct ctx *ctx, struct pollee *pollee, struct ctx_source *source)
{
	return ctx_cancel_on_file(ctx, pollee->file, EPOLLIN, -EIO, source);
}

static void expect_by_file(struct kunit *test, struct ctx *ctx)
{
	struct ctx_origin origin = { };

	ct_expect_done(test, ctx, -ECANCELED, -EIO);
	KUNIT_EXPECT_EQ(test, ctx_origin(ctx, &origin), 0);
	KUNIT_EXPECT_PTR_EQ(test, origin.ctx, ctx);
	KUNIT_EXPECT_EQ(test, origin.pid, 0);
	KUNIT_EXPECT_STREQ(test, origin.comm, "timerfd");
}

static void s15_a_file_cancels(struct kunit *test)
{
	int where;

	for (where = CT_HARDIRQ; where <= CT_TASK; where++) {
		struct ctx *c = ct_cancel(test, ctx_background());
		struct ctx_source source;
		struct pollee pollee;
		struct ct_probe probe;

		pollee_open(test, &pollee, 1);
		ct_probe_add(test, &probe, c);
		KUNIT_ASSERT_EQ(test, watch(c, &pollee, &source), 0);
		KUNIT_EXPECT_EQ(test, atomic_read(&pollee.asked), 1);
		KUNIT_EXPECT_EQ(test, pollee.wanted, EPOLLIN | EPOLLERR | EPOLLHUP);
		pollee.wanted = 0;
		ct_expect_live(test, c);
		if (where == CT_HARDIRQ)
			ct_in_handler(pollee_end, &pollee);
		else if (where == CT_SOFTIRQ)
			ct_in_softirq(pollee_end, &pollee);
		else
			pollee_end(&pollee);
		ct_wait_for(test, &probe.ran);
		KUNIT_EXPECT_EQ(test, (int)probe.where, (int)CT_WORKER);
		expect_by_file(test, c);
		/* Asked once more before, since a wake-up says nothing for sure. */
		KUNIT_EXPECT_EQ(test, atomic_read(&pollee.asked), 2);
		KUNIT_EXPECT_EQ(test, pollee.wanted, EPOLLIN | EPOLLERR | EPOLLHUP);
		KUNIT_EXPECT_FALSE(test, ctx_source_detach(&source));
		pollee_close(test, &pollee);
		ctx_put(c);
	}
}

static void s15_a_file_that_is_ready_cancels_at_once(struct kunit *test)
{
	static const __poll_t ready[] = { EPOLLIN, EPOLLIN | EPOLLOUT, EPOLLERR, EPOLLHUP };
	int i;

	for (i = 0; i < ARRAY_SIZE(ready); i++) {
		struct ctx *c = ct_cancel(test, ctx_background());
		struct ctx_source source;
		struct pollee pollee;

		/* Whatever there is to wait in. */
		pollee_open(test, &pollee, i);
		pollee.ready = ready[i];
		KUNIT_ASSERT_EQ(test, watch(c, &pollee, &source), 0);
		expect_by_file(test, c);
		KUNIT_EXPECT_FALSE(test, ctx_source_detach(&source));
		pollee_close(test, &pollee);
		ctx_put(c);
	}
}

static void s15_a_wake_up_is_only_a_hint(struct kunit *test)
{
	struct ctx *c = ct_cancel(test, ctx_background());
	struct ctx_source source;
	struct pollee pollee;
	int i;

	pollee_open(test, &pollee, 1);
	pollee.ready = EPOLLOUT | EPOLLPRI;
	KUNIT_ASSERT_EQ(test, watch(c, &pollee, &source), 0);
	for (i = 1; i <= 10; i++) {
		pollee_wake(&pollee, 0, EPOLLIN);
		ctx_barrier();
		KUNIT_EXPECT_EQ(test, atomic_read(&pollee.asked), 1 + i);
		ct_expect_live(test, c);
	}
	/* What is not waited for is no reason to ask. */
	pollee_wake(&pollee, 0, EPOLLOUT | EPOLLPRI | EPOLLRDHUP);
	ctx_barrier();
	KUNIT_EXPECT_EQ(test, atomic_read(&pollee.asked), i);
	/* One that does not say what it is about is. */
	wake_up(pollee.heads[0]);
	ctx_barrier();
	KUNIT_EXPECT_EQ(test, atomic_read(&pollee.asked), i + 1);
	ct_expect_live(test, c);
	/* And it still stands there. */
	pollee_end(&pollee);
	ct_wait_done(test, c, -ECANCELED);
	expect_by_file(test, c);
	KUNIT_EXPECT_FALSE(test, ctx_source_detach(&source));
	pollee_close(test, &pollee);
	ctx_put(c);
}

static void s15_errors_and_hang_ups_are_always_waited_for(struct kunit *test)
{
	static const __poll_t always[] = { EPOLLERR, EPOLLHUP };
	int i;

	for (i = 0; i < ARRAY_SIZE(always); i++) {
		struct ctx *c = ct_cancel(test, ctx_background());
		struct ctx_source source;
		struct pollee pollee;

		pollee_open(test, &pollee, 1);
		pollee.ready = EPOLLIN | EPOLLOUT;
		KUNIT_ASSERT_EQ(test, ctx_cancel_on_file(c, pollee.file, 0, -EIO, &source), 0);
		pollee_wake(&pollee, 0, EPOLLIN | EPOLLOUT);
		ctx_barrier();
		ct_expect_live(test, c);
		WRITE_ONCE(pollee.ready, always[i]);
		pollee_wake(&pollee, 0, always[i]);
		ct_wait_done(test, c, -ECANCELED);
		expect_by_file(test, c);
		KUNIT_EXPECT_FALSE(test, ctx_source_detach(&source));
		pollee_close(test, &pollee);
		ctx_put(c);
	}
}

static void s15_a_file_with_two_wait_queues(struct kunit *test)
{
	int i;

	for (i = 0; i < 2; i++) {
		struct ctx *c = ct_cancel(test, ctx_background());
		struct ctx_source source;
		struct pollee pollee;

		pollee_open(test, &pollee, 2);
		KUNIT_ASSERT_EQ(test, watch(c, &pollee, &source), 0);
		KUNIT_EXPECT_TRUE(test, pollee_is_polled(&pollee, 0));
		KUNIT_EXPECT_TRUE(test, pollee_is_polled(&pollee, 1));
		WRITE_ONCE(pollee.ready, EPOLLIN);
		pollee_wake(&pollee, i, EPOLLIN);
		ct_wait_done(test, c, -ECANCELED);
		KUNIT_EXPECT_FALSE(test, ctx_source_detach(&source));
		pollee_close(test, &pollee);
		ctx_put(c);
	}
}

static void file_refused(struct kunit *test, struct ctx *ctx, struct file *file, __poll_t events,
			 int cause, int err)
{
	struct ctx_source source = { .ctx = ctx_todo() };

	KUNIT_EXPECT_EQ(test, ctx_cancel_on_file(ctx, file, events, cause, &source), err);
	KUNIT_EXPECT_FALSE(test, ctx_source_detach(&source));
}

static void s15_too_many_wait_queues_or_none(struct kunit *test)
{
	struct ctx *c = ct_cancel(test, ctx_background());
	struct pollee pollee;

	pollee_open(test, &pollee, 3);
	file_refused(test, c, pollee.file, EPOLLIN, -EIO, -EINVAL);
	pollee_close(test, &pollee);
	pollee_open(test, &pollee, 0);
	file_refused(test, c, pollee.file, EPOLLIN, -EIO, -EINVAL);
	pollee_close(test, &pollee);
	ct_expect_live(test, c);
	ctx_put(c);
}

static void s15_other_kinds_of_file_are_refused(struct kunit *test)
{
	static const char * const names[] = {
		"timerfd", "[timerfd] ", "[timerf", "[eventfd]", "[eventpoll]", "[signalfd]", ""
	};
	static const char * const paths[] = { "/", "/proc/self/mounts", "/dev/null" };
	struct ctx *c = ct_cancel(test, ctx_background());
	struct pollee pollee;
	struct file *file;
	int i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		pollee_open_as(test, &pollee, 1, names[i], &pollee_fops);
		file_refused(test, c, pollee.file, EPOLLIN, -EIO, -EINVAL);
		KUNIT_EXPECT_EQ(test, atomic_read(&pollee.asked), 0);
		pollee_close(test, &pollee);
	}
	/* What cannot be polled is always ready. */
	pollee_open_as(test, &pollee, 0, "[timerfd]", &mute_fops);
	file_refused(test, c, pollee.file, EPOLLIN, -EIO, -EINVAL);
	pollee_close(test, &pollee);
	for (i = 0; i < ARRAY_SIZE(paths); i++) {
		file = filp_open(paths[i], O_RDONLY, 0);
		/* Not all of them are there on every kernel. */
		if (IS_ERR(file))
			continue;
		file_refused(test, c, file, EPOLLIN, -EIO, -EINVAL);
		fput(file);
	}
	ct_expect_live(test, c);
	ctx_put(c);
}

static void s15_bad_arguments_are_refused(struct kunit *test)
{
	static const int bad[] = { 0, 1, -MAX_ERRNO - 1, INT_MAX, INT_MIN };
	struct ctx *c = ct_cancel(test, ctx_background());
	struct ctx *v = ct_value(test, c, test, test);
	struct ctx *w = ct_without(test, c);
	struct pollee pollee;
	int i;

	pollee_open(test, &pollee, 1);
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		file_refused(test, c, pollee.file, EPOLLIN, bad[i], -EINVAL);
	file_refused(test, c, NULL, EPOLLIN, -EIO, -EINVAL);
	file_refused(test, c, ERR_PTR(-EBADF), EPOLLIN, -EIO, -EINVAL);
	file_refused(test, c, pollee.file, EPOLLIN | EPOLLET, -EIO, -EINVAL);
	file_refused(test, c, pollee.file, POLLFREE, -EIO, -EINVAL);
	file_refused(test, c, pollee.file, (__force __poll_t)0x8000, -EIO, -EINVAL);
	file_refused(test, NULL, pollee.file, EPOLLIN, -EIO, -EINVAL);
	file_refused(test, ERR_PTR(-EPERM), pollee.file, EPOLLIN, -EIO, -EINVAL);
	file_refused(test, ctx_background(), pollee.file, EPOLLIN, -EIO, -EINVAL);
	file_refused(test, v, pollee.file, EPOLLIN, -EIO, -EINVAL);
	file_refused(test, w, pollee.file, EPOLLIN, -EIO, -EINVAL);
	KUNIT_EXPECT_EQ(test, ctx_cancel_on_file(c, pollee.file, EPOLLIN, -EIO, NULL), -EINVAL);
	ct_expect_live(test, c);
	ctx_cancel(c);
	file_refused(test, c, pollee.file, EPOLLIN, -EIO, -ENOENT);
	KUNIT_EXPECT_EQ(test, atomic_read(&pollee.asked), 0);
	pollee_close(test, &pollee);
	ctx_put(w);
	ctx_put(v);
	ctx_put(c);
}

static void s15_a_file_that_is_never_ready(struct kunit *test)
{
	struct ct_token token;
	struct ctx *v = ct_token_ctx(test, &token, ctx_background());
	struct ctx *c = ct_cancel(test, v);
	struct ctx_source source;
	struct pollee pollee;

	ctx_put(v);
	pollee_open(test, &pollee, 2);
	KUNIT_ASSERT_EQ(test, watch(c, &pollee, &source), 0);
	KUNIT_EXPECT_EQ(test, (long)file_count(pollee.file), 2L);
	KUNIT_EXPECT_TRUE(test, ctx_source_detach(&source));
	KUNIT_EXPECT_EQ(test, (long)file_count(pollee.file), 1L);
	memset(&source, 0x6b, sizeof(source));
	pollee_end(&pollee);
	ctx_barrier();
	ct_expect_live(test, c);
	pollee_close(test, &pollee);
	ctx_put(c);
	ct_token_gone(test, &token);
}

/* The wait queue goes, and the memory it is in, while the file is still there. */
static void pollee_free_queue(struct pollee *pollee, int i)
{
	wake_up_pollfree(pollee->heads[i]);
	synchronize_rcu();
	memset(pollee->heads[i], 0x6b, sizeof(*pollee->heads[i]));
	kfree(pollee->heads[i]);
	pollee->heads[i] = NULL;
}

static void s15_a_wait_queue_that_is_freed(struct kunit *test)
{
	int i;

	for (i = 0; i < 2; i++) {
		struct ctx *c = ct_cancel(test, ctx_background());
		struct ctx_source source;
		struct pollee pollee;

		pollee_open(test, &pollee, 2);
		KUNIT_ASSERT_EQ(test, watch(c, &pollee, &source), 0);
		pollee_free_queue(&pollee, i);
		ct_wait_done(test, c, -ECANCELED);
		/* The file was not asked: there may be nothing to ask. */
		KUNIT_EXPECT_EQ(test, atomic_read(&pollee.asked), 1);
		expect_by_file(test, c);
		KUNIT_EXPECT_FALSE(test, ctx_source_detach(&source));
		pollee_close(test, &pollee);
		ctx_put(c);
	}
}

/* While it is being asked because of another wake-up. */
static void s15_a_wait_queue_that_is_freed_meanwhile(struct kunit *test)
{
	struct ctx *c = ct_cancel(test, ctx_background());
	struct ctx_source source;
	struct pollee pollee;

	pollee_open(test, &pollee, 1);
	KUNIT_ASSERT_EQ(test, watch(c, &pollee, &source), 0);
	pollee.blocks = true;
	pollee_wake(&pollee, 0, EPOLLIN);
	ct_wait_for(test, &pollee.entered);
	pollee_free_queue(&pollee, 0);
	complete(&pollee.answer);
	ct_wait_done(test, c, -ECANCELED);
	expect_by_file(test, c);
	KUNIT_EXPECT_EQ(test, atomic_read(&pollee.asked), 2);
	KUNIT_EXPECT_FALSE(test, ctx_source_detach(&source));
	pollee_close(test, &pollee);
	ctx_put(c);
}

/* The worker is stuck in there: nobody has to wait for it, and what it finds is void. */
static void s15_detached_while_the_file_is_asked(struct kunit *test)
{
	int again;

	for (again = 0; again < 2; again++) {
		struct ctx *c = ct_cancel(test, ctx_background());
		struct ctx_source source;
		struct pollee pollee;

		pollee_open(test, &pollee, 1);
		KUNIT_ASSERT_EQ(test, watch(c, &pollee, &source), 0);
		pollee.blocks = true;
		pollee_end(&pollee);
		ct_wait_for(test, &pollee.entered);
		if (again)
			pollee_wake(&pollee, 0, EPOLLIN);
		KUNIT_EXPECT_TRUE(test, ctx_source_detach(&source));
		memset(&source, 0x6b, sizeof(source));
		complete(&pollee.answer);
		ctx_barrier();
		ct_expect_live(test, c);
		KUNIT_EXPECT_EQ(test, atomic_read(&pollee.asked), 2);
		pollee_close(test, &pollee);
		ctx_put(c);
	}
}

static void file_detached_in(struct kunit *test, enum ct_where where, int when)
{
	struct ctx *c = ct_cancel(test, ctx_background());
	struct ctx_source source;
	struct pollee pollee;
	bool kept;

	pollee_open(test, &pollee, 2);
	KUNIT_ASSERT_EQ(test, watch(c, &pollee, &source), 0);
	if (when == 1) {
		pollee_end(&pollee);
		ct_wait_done(test, c, -ECANCELED);
	} else if (when == 3) {
		pollee.blocks = true;
		pollee_end(&pollee);
		ct_wait_for(test, &pollee.entered);
	}
	kept = ct_detach_in(test, where, &source, when == 2 ? pollee_end : NULL, &pollee);
	KUNIT_EXPECT_EQ(test, ctx_cause(c), kept ? 0 : -EIO);
	if (when != 2)
		KUNIT_EXPECT_EQ(test, kept, when != 1);
	complete(&pollee.answer);
	ctx_barrier();
	KUNIT_EXPECT_EQ(test, ctx_cause(c), kept ? 0 : -EIO);
	KUNIT_EXPECT_EQ(test, (long)file_count(pollee.file), 1L);
	pollee_close(test, &pollee);
	ctx_put(c);
}

/* Before it is ready, long after that, right after it, and while it is asked. */
static void s18_may_be_detached_in_interrupts(struct kunit *test)
{
	int where, when;

	for (where = CT_HARDIRQ; where <= CT_SOFTIRQ; where++)
		for (when = 0; when < 4; when++)
			file_detached_in(test, where, when);
}

/* It was not ready when it was asked, but is by the time that this is known. */
static void s15_woken_while_the_file_is_asked(struct kunit *test)
{
	struct ctx *c = ct_cancel(test, ctx_background());
	struct ctx_source source;
	struct pollee pollee;

	pollee_open(test, &pollee, 1);
	KUNIT_ASSERT_EQ(test, watch(c, &pollee, &source), 0);
	pollee.blocks = true;
	pollee_wake(&pollee, 0, EPOLLIN);
	ct_wait_for(test, &pollee.entered);
	pollee_wake(&pollee, 0, EPOLLIN);
	pollee_wake(&pollee, 0, EPOLLIN);
	complete(&pollee.answer);
	/* Asked again, once for both. */
	ct_wait_for(test, &pollee.entered);
	ct_expect_live(test, c);
	WRITE_ONCE(pollee.ready, EPOLLIN);
	complete(&pollee.answer);
	ct_wait_done(test, c, -ECANCELED);
	KUNIT_EXPECT_EQ(test, atomic_read(&pollee.asked), 3);
	expect_by_file(test, c);
	KUNIT_EXPECT_FALSE(test, ctx_source_detach(&source));
	pollee_close(test, &pollee);
	ctx_put(c);
}

static int barrier_fn(void *arg)
{
	ctx_barrier();
	return 0;
}

/* It is asked again and again, and nobody else waits for that. */
static void s15_woken_whenever_the_file_is_asked(struct kunit *test)
{
	struct ctx *c = ct_cancel(test, ctx_background());
	struct ct_helper helper;
	struct ctx_source source;
	struct pollee pollee;

	pollee_open(test, &pollee, 1);
	KUNIT_ASSERT_EQ(test, watch(c, &pollee, &source), 0);
	pollee.wakes = true;
	pollee_wake(&pollee, 0, EPOLLIN);
	ct_helper_start(test, &helper, barrier_fn, NULL);
	KUNIT_EXPECT_TRUE(test, ct_poll_until(completion_done(&helper.ended)));
	/* At the latest, if that was not so. */
	WRITE_ONCE(pollee.wakes, false);
	ct_helper_join(test, &helper);
	KUNIT_EXPECT_GT(test, atomic_read(&pollee.asked), 1);
	ct_expect_live(test, c);
	KUNIT_EXPECT_TRUE(test, ctx_source_detach(&source));
	ctx_barrier();
	pollee_close(test, &pollee);
	ctx_put(c);
}

/* Ready, and woken again before that was known: it is over, and on no queue any more. */
static void s15_ready_and_woken_while_the_file_is_asked(struct kunit *test)
{
	struct ctx *c = ct_cancel(test, ctx_background());
	struct ctx_source source;
	struct pollee pollee;

	pollee_open(test, &pollee, 1);
	KUNIT_ASSERT_EQ(test, watch(c, &pollee, &source), 0);
	pollee.blocks = true;
	pollee_end(&pollee);
	ct_wait_for(test, &pollee.entered);
	pollee_wake(&pollee, 0, EPOLLIN);
	complete(&pollee.answer);
	ct_wait_done(test, c, -ECANCELED);
	KUNIT_EXPECT_FALSE(test, ctx_source_detach(&source));
	memset(&source, 0x6b, sizeof(source));
	ctx_barrier();
	KUNIT_EXPECT_EQ(test, atomic_read(&pollee.asked), 2);
	pollee_close(test, &pollee);
	ctx_put(c);
}

/* Queued behind one that keeps the worker, and taken from anywhere in that queue. */
static void s15_detached_while_it_is_queued(struct kunit *test)
{
	enum { N = 5 };
	struct ctx *c[N], *first = ct_cancel(test, ctx_background());
	struct ctx_source source[N], stuck;
	struct pollee pollee[N], door;
	int out, i;

	for (out = 0; out < N; out++) {
		set_cpus_allowed_ptr(current, cpumask_of(0));
		pollee_open(test, &door, 1);
		KUNIT_ASSERT_EQ(test, watch(first, &door, &stuck), 0);
		for (i = 0; i < N; i++) {
			c[i] = ct_cancel(test, ctx_background());
			pollee_open(test, &pollee[i], 1);
			KUNIT_ASSERT_EQ(test, watch(c[i], &pollee[i], &source[i]), 0);
		}
		set_cpus_allowed_ptr(current, cpu_possible_mask);
		door.blocks = true;
		pollee_wake(&door, 0, EPOLLIN);
		ct_wait_for(test, &door.entered);
		for (i = 0; i < N; i++)
			pollee_end(&pollee[i]);
		KUNIT_EXPECT_TRUE(test, ctx_source_detach(&source[out]));
		if (out)
			KUNIT_EXPECT_TRUE(test, ctx_source_detach(&source[out - 1]));
		complete(&door.answer);
		ctx_barrier();
		for (i = 0; i < N; i++) {
			bool kept = i == out || i == out - 1;

			KUNIT_EXPECT_EQ(test, ctx_cause(c[i]), kept ? 0 : -EIO);
			KUNIT_EXPECT_EQ(test, atomic_read(&pollee[i].asked), kept ? 1 : 2);
			KUNIT_EXPECT_FALSE(test, ctx_source_detach(&source[i]));
			pollee_close(test, &pollee[i]);
			ctx_put(c[i]);
		}
		KUNIT_EXPECT_TRUE(test, ctx_source_detach(&stuck));
		pollee_close(test, &door);
	}
	ct_expect_live(test, first);
	ctx_put(first);
}

/* A context's descriptor, as a file. */
static struct file *open_ctx(struct kunit *test, struct ctx *ctx, u32 rights)
{
	int fd = ctx_install_fd(ctx, rights, 0);
	struct file *file;

	KUNIT_ASSERT_GE(test, fd, 0);
	file = fget(fd);
	close_fd(fd);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, file);
	return file;
}

static void s15_a_contexts_file_is_a_link(struct kunit *test)
{
	int done;

	for (done = 0; done < 5; done++) {
		struct ctx *other = ct_cancel(test, ctx_background());
		struct ctx *c = ct_cancel(test, ctx_background());
		struct file *file = open_ctx(test, other, CTX_RIGHT_OBSERVE);
		struct ctx_origin origin = { };
		struct ctx_source source;

		if (done == 1)
			ctx_cancel_cause(other, -EPERM);
		KUNIT_EXPECT_EQ(test, ctx_cancel_on_file(c, file, EPOLLIN, -EIO, &source), 0);
		fput(file);
		if (done >= 2) {
			KUNIT_EXPECT_TRUE(test, done == 2 ? ctx_source_detach(&source) :
					  ct_detach_in(test, done == 3 ? CT_HARDIRQ : CT_SOFTIRQ,
						       &source, NULL, NULL));
			source.ctx = NULL;
			ctx_cancel_cause(other, -EPERM);
			ct_expect_live(test, c);
		} else {
			ctx_cancel_cause(other, -EPERM);
			ct_expect_done(test, c, -ECANCELED, -EPERM);
			KUNIT_EXPECT_EQ(test, ctx_origin(c, &origin), 0);
			KUNIT_EXPECT_PTR_EQ(test, origin.ctx, other);
			KUNIT_EXPECT_FALSE(test, ctx_source_detach(&source));
		}
		KUNIT_EXPECT_FALSE(test, ctx_source_detach(&source));
		ctx_put(c);
		ctx_put(other);
	}
}

/* It is attached as any: with a reference on what it would end, until it is detached. */
static void s15_a_contexts_file_that_is_never_done(struct kunit *test)
{
	struct ctx *w = ct_without(test, ctx_background());
	struct ctx *v = ct_value(test, ctx_background(), test, test);
	struct ctx *never[] = { ctx_background(), ctx_todo(), w, v };
	int i, done;

	for (i = 0; i < ARRAY_SIZE(never); i++) {
		for (done = 0; done < 2; done++) {
			struct file *file = open_ctx(test, never[i], CTX_RIGHT_OBSERVE);
			struct ct_token token;
			struct ctx *above = ct_token_ctx(test, &token, ctx_background());
			struct ctx *c = ct_cancel(test, above);
			struct ctx_source source;

			ctx_put(above);
			KUNIT_EXPECT_EQ(test, ctx_cancel_on_file(c, file, EPOLLIN, -EIO, &source),
					0);
			fput(file);
			ct_expect_live(test, c);
			if (done)
				ctx_cancel(c);
			ctx_put(c);
			ctx_barrier();
			KUNIT_EXPECT_EQ(test, atomic_read(&token.released), 0);
			KUNIT_EXPECT_TRUE(test, ctx_source_detach(&source));
			KUNIT_EXPECT_FALSE(test, ctx_source_detach(&source));
			ct_token_gone(test, &token);
		}
	}
	ctx_put(v);
	ctx_put(w);
}

static void s15_a_contexts_file_that_is_refused(struct kunit *test)
{
	struct ctx *other = ct_cancel(test, ctx_background());
	struct ctx *c = ct_cancel(test, ctx_background());
	struct file *blind = open_ctx(test, other, CTX_RIGHT_DERIVE);
	struct file *file = open_ctx(test, other, CTX_RIGHT_OBSERVE);
	struct file *self = open_ctx(test, c, CTX_RIGHT_OBSERVE);
	struct ctx *child;

	file_refused(test, c, blind, EPOLLIN, -EIO, -EPERM);
	file_refused(test, c, self, EPOLLIN, -EIO, -ELOOP);
	file_refused(test, NULL, file, EPOLLIN, -EIO, -EINVAL);
	file_refused(test, ctx_background(), file, EPOLLIN, -EIO, -EINVAL);
	child = ct_cancel(test, c);
	file_refused(test, c, file, EPOLLIN, -EIO, -EBUSY);
	ct_expect_live(test, c);
	ctx_cancel(c);
	file_refused(test, c, file, EPOLLIN, -EIO, -ENOENT);
	fput(self);
	fput(file);
	fput(blind);
	ctx_put(child);
	ctx_put(c);
	ctx_put(other);
}

static int end_fn(void *arg)
{
	pollee_end(arg);
	return 0;
}

static void s15_woken_while_it_is_detached(struct kunit *test)
{
	struct ct_partner partner;
	struct pollee pollee;
	int round;

	pollee_open(test, &pollee, 1);
	ct_partner_start(test, &partner, end_fn);
	for (round = 0; round < ct_times(1000); round++) {
		struct ctx *c = ct_cancel(test, ctx_background());
		struct ctx_source source;
		bool kept;
		int cause;

		pollee.ready = 0;
		KUNIT_ASSERT_EQ(test, watch(c, &pollee, &source), 0);
		ct_partner_go(&partner, &pollee);
		ct_busy_ns(round % 100 * 100);
		kept = ctx_source_detach(&source);
		cause = ctx_cause(c);
		memset(&source, 0x6b, sizeof(source));
		KUNIT_EXPECT_EQ(test, cause, kept ? 0 : -EIO);
		ct_partner_wait(test, &partner);
		ctx_barrier();
		KUNIT_EXPECT_EQ(test, ctx_cause(c), cause);
		ctx_put(c);
	}
	ct_partner_stop(test, &partner);
	pollee_close(test, &pollee);
}

static int free_queue_fn(void *arg)
{
	pollee_free_queue(arg, 0);
	return 0;
}

static void s15_a_wait_queue_that_is_freed_while_it_is_detached(struct kunit *test)
{
	struct ct_partner partner;
	int round;

	ct_partner_start(test, &partner, free_queue_fn);
	for (round = 0; round < ct_times(200); round++) {
		struct ctx *c = ct_cancel(test, ctx_background());
		struct ctx_source *source = kmalloc(sizeof(*source), GFP_KERNEL);
		struct pollee pollee;
		bool kept;

		KUNIT_ASSERT_NOT_NULL(test, source);
		pollee_open(test, &pollee, 1);
		KUNIT_ASSERT_EQ(test, watch(c, &pollee, source), 0);
		ct_partner_go(&partner, &pollee);
		ct_busy_ns(round % 50 * 100);
		kept = ctx_source_detach(source);
		KUNIT_EXPECT_EQ(test, ctx_cause(c), kept ? 0 : -EIO);
		kfree(source);
		ct_partner_wait(test, &partner);
		pollee_close(test, &pollee);
		ctx_put(c);
	}
	ct_partner_stop(test, &partner);
}

static struct kunit_case poll_cases[] = {
	KUNIT_CASE(s15_a_file_cancels),
	KUNIT_CASE(s15_a_file_that_is_ready_cancels_at_once),
	KUNIT_CASE(s15_a_wake_up_is_only_a_hint),
	KUNIT_CASE(s15_errors_and_hang_ups_are_always_waited_for),
	KUNIT_CASE(s15_a_file_with_two_wait_queues),
	KUNIT_CASE(s15_too_many_wait_queues_or_none),
	KUNIT_CASE(s15_other_kinds_of_file_are_refused),
	KUNIT_CASE(s15_bad_arguments_are_refused),
	KUNIT_CASE(s15_a_file_that_is_never_ready),
	KUNIT_CASE(s15_a_wait_queue_that_is_freed),
	KUNIT_CASE(s15_a_wait_queue_that_is_freed_meanwhile),
	KUNIT_CASE(s15_detached_while_the_file_is_asked),
	KUNIT_CASE(s18_may_be_detached_in_interrupts),
	KUNIT_CASE(s15_woken_while_the_file_is_asked),
	KUNIT_CASE(s15_woken_whenever_the_file_is_asked),
	KUNIT_CASE(s15_ready_and_woken_while_the_file_is_asked),
	KUNIT_CASE(s15_detached_while_it_is_queued),
	KUNIT_CASE(s15_a_contexts_file_is_a_link),
	KUNIT_CASE(s15_a_contexts_file_that_is_never_done),
	KUNIT_CASE(s15_a_contexts_file_that_is_refused),
	KUNIT_CASE_SLOW(s15_woken_while_it_is_detached),
	KUNIT_CASE_SLOW(s15_a_wait_queue_that_is_freed_while_it_is_detached),
	{ }
};

static struct kunit_suite poll_suite = {
	.name = "ctx_poll",
	.test_cases = poll_cases,
};

kunit_test_suite(poll_suite);
