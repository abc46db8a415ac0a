// SPDX-License-Identifier: GPL-2.0
/*
 * Threads that are not started after all. The kernel has one thread that makes all
 * others, on behalf of whoever asks: that one is kept off the CPU here, or from memory.
 */
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>

#include "test.h"

static struct task_struct *get_kthreadd(struct kunit *test)
{
	struct task_struct *kthreadd = get_pid_task(find_vpid(2), PIDTYPE_PID);

	KUNIT_ASSERT_NOT_NULL(test, kthreadd);
	KUNIT_ASSERT_STREQ(test, kthreadd->comm, "kthreadd");
	return kthreadd;
}

static int count_fn(struct ctx *ctx, void *data)
{
	atomic_inc(data);
	return 0;
}

/* Whoever is to start a thread, which would count. */
struct starter {
	struct ctx *parent;
	struct ctx_group *group;	/* or NULL, and a thread of its own is started */
	atomic_t runs;
	struct completion begun;
	bool go;
};

static int start(struct starter *starter)
{
	struct ctx_thread *thread;

	if (starter->group)
		return ctx_group_run(starter->group, count_fn, &starter->runs, "starts");
	thread = ctx_thread_run(starter->parent, count_fn, &starter->runs, "starts");
	return IS_ERR(thread) ? PTR_ERR(thread) : ctx_thread_join(thread);
}

static int starter_fn(void *arg)
{
	struct starter *starter = arg;
	int err;

	allow_signal(SIGKILL);
	complete(&starter->begun);
	ct_spin_until(READ_ONCE(starter->go));
	err = start(starter);
	flush_signals(current);
	return err;
}

/* A thread that lets nobody else have its CPU. */
struct hog {
	struct ct_helper helper;
	struct completion begun;
	bool over;
};

static int hog_fn(void *arg)
{
	struct hog *hog = arg;

	sched_set_fifo(current);
	complete(&hog->begun);
	ct_hold_until(READ_ONCE(hog->over));
	sched_set_normal(current, 0);
	return 0;
}

/* The kernel's maker of threads does not come to it until it is over. */
static void hog_begin(struct kunit *test, struct hog *hog)
{
	struct task_struct *kthreadd = get_kthreadd(test);

	init_completion(&hog->begun);
	hog->over = false;
	ct_helper_start_on(test, &hog->helper, hog_fn, hog, 1);
	KUNIT_EXPECT_EQ(test, set_cpus_allowed_ptr(kthreadd, cpumask_of(1)), 0);
	put_task_struct(kthreadd);
	ct_wait_for(test, &hog->begun);
}

static void hog_end(struct kunit *test, struct hog *hog)
{
	struct task_struct *kthreadd = get_kthreadd(test);

	WRITE_ONCE(hog->over, true);
	ct_helper_join(test, &hog->helper);
	set_cpus_allowed_ptr(kthreadd, cpu_possible_mask);
	put_task_struct(kthreadd);
}

/* Kills whoever starts a thread while that is being made, which it is afterwards. */
static void kill_while_it_starts(struct kunit *test, struct starter *starter)
{
	struct ct_helper helper;
	struct hog hog;

	init_completion(&starter->begun);
	set_cpus_allowed_ptr(current, cpumask_of(0));
	ct_helper_start_on(test, &helper, starter_fn, starter, 0);
	ct_wait_for(test, &starter->begun);
	hog_begin(test, &hog);
	WRITE_ONCE(starter->go, true);
	KUNIT_EXPECT_TRUE(test, ct_helper_blocked(&helper));
	KUNIT_EXPECT_FALSE(test, completion_done(&helper.ended));
	send_sig(SIGKILL, helper.task, 1);
	KUNIT_EXPECT_EQ(test, ct_helper_join(test, &helper), -EINTR);
	hog_end(test, &hog);
	set_cpus_allowed_ptr(current, cpu_possible_mask);
	KUNIT_EXPECT_EQ(test, atomic_read(&starter->runs), 0);
}

static void thread_whose_starter_is_killed(struct kunit *test)
{
	struct starter starter = { };
	struct ct_token token;

	if (num_online_cpus() < 2)
		kunit_skip(test, "there is one CPU only");
	starter.parent = ct_token_ctx(test, &token, ctx_background());
	kill_while_it_starts(test, &starter);
	/* They are made in order: if it were to run it would by now. */
	KUNIT_EXPECT_EQ(test, start(&starter), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&starter.runs), 1);
	/* Nothing of it holds its context. */
	ctx_put(starter.parent);
	ct_token_gone(test, &token);
}

static void group_whose_starter_is_killed(struct kunit *test)
{
	struct starter starter = { };
	struct ct_token token;

	if (num_online_cpus() < 2)
		kunit_skip(test, "there is one CPU only");
	starter.parent = ct_token_ctx(test, &token, ctx_background());
	starter.group = ctx_group_create(starter.parent, GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, starter.group);
	ctx_group_set_limit(starter.group, 1);
	kill_while_it_starts(test, &starter);
	/* It is not waited for, and takes no room. */
	KUNIT_EXPECT_EQ(test, ctx_group_wait(starter.group), 0);
	KUNIT_EXPECT_EQ(test, start(&starter), 0);
	KUNIT_EXPECT_EQ(test, ctx_group_wait(starter.group), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&starter.runs), 1);
	ct_expect_live(test, ctx_group_ctx(starter.group));
	ctx_group_put(starter.group);
	ctx_put(starter.parent);
	ct_token_gone(test, &token);
}

#ifdef CONFIG_FAULT_INJECTION
/* Starts with each allocation of the thread's maker failing; returns how many did. */
static unsigned int start_without_memory(struct kunit *test, struct starter *starter)
{
	struct task_struct *kthreadd = get_kthreadd(test);
	unsigned int nth, left = 0, failures = 0;
	int runs = 0, err;

	for (nth = 1; !left && nth < 1000; nth++) {
		WRITE_ONCE(kthreadd->fail_nth, nth);
		err = start(starter);
		left = READ_ONCE(kthreadd->fail_nth);
		WRITE_ONCE(kthreadd->fail_nth, 0);
		if (err) {
			/* Which of the two, the kernel does not say. */
			KUNIT_EXPECT_TRUE(test, err == -ENOMEM || err == -EAGAIN);
			failures++;
		} else {
			runs++;
		}
		if (starter->group)
			KUNIT_EXPECT_EQ(test, ctx_group_wait(starter->group), 0);
		KUNIT_EXPECT_EQ(test, atomic_read(&starter->runs), runs);
	}
	KUNIT_EXPECT_NE(test, left, 0U);
	put_task_struct(kthreadd);
	return failures;
}

static void threads_that_cannot_be_made(struct kunit *test)
{
	struct starter starter = { };
	struct ct_token token;

	starter.parent = ct_token_ctx(test, &token, ctx_background());
	ct_fail_begin(test);
	KUNIT_EXPECT_GE(test, start_without_memory(test, &starter), 1U);
	starter.group = ctx_group_create(starter.parent, GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, starter.group);
	ctx_group_set_limit(starter.group, 1);
	atomic_set(&starter.runs, 0);
	KUNIT_EXPECT_GE(test, start_without_memory(test, &starter), 1U);
	ct_expect_live(test, ctx_group_ctx(starter.group));
	ctx_group_put(starter.group);
	ctx_put(starter.parent);
	ct_token_gone(test, &token);
}

static void starts_exit(struct kunit *test)
{
	ct_fail_over(test);
}
#endif

static struct kunit_case starts_cases[] = {
	KUNIT_CASE(thread_whose_starter_is_killed),
	KUNIT_CASE(group_whose_starter_is_killed),
#ifdef CONFIG_FAULT_INJECTION
	KUNIT_CASE(threads_that_cannot_be_made),
#endif
	{ }
};

static struct kunit_suite starts_suite = {
	.name = "ctx_starts",
#ifdef CONFIG_FAULT_INJECTION
	.exit = starts_exit,
#endif
	.test_cases = starts_cases,
};

kunit_test_suite(starts_suite);
