// SPDX-License-Identifier: GPL-2.0
/*
 * What pipeline.c is without contexts: the same three threads, parameters and
 * behaviour, with what it takes to stop each of them and to hand an error on.
 */
#include <linux/kfifo.h>
#include <linux/kthread.h>
#include <linux/module.h>

static unsigned int count;
module_param(count, uint, 0444);
MODULE_PARM_DESC(count, "how many numbers; 0: until the module is unloaded");

static unsigned int fail_at;
module_param(fail_at, uint, 0444);
MODULE_PARM_DESC(fail_at, "the number that cannot be squared; 0: all can");

static DEFINE_KFIFO(numbers, u64, 16);
static DEFINE_KFIFO(squares, u64, 16);
static DECLARE_WAIT_QUEUE_HEAD(numbers_wait);
static DECLARE_WAIT_QUEUE_HEAD(squares_wait);
static DECLARE_COMPLETION(finished);	/* once for each thread */
static struct task_struct *threads[3];
static bool stopping;			/* for who waits, who is not asked one by one */
static int first_err;			/* the first wins: cmpxchg() */
static u64 sum;

static bool wanted(u64 n)
{
	return !count || n <= count;
}

static bool must_stop(void)
{
	return READ_ONCE(stopping) || kthread_should_stop();
}

/* Whoever sets the flag has to know every queue that anybody waits in. */
static void stop_all(int err)
{
	cmpxchg(&first_err, 0, err);
	WRITE_ONCE(stopping, true);
	wake_up_all(&numbers_wait);
	wake_up_all(&squares_wait);
}

/*
 * A thread that returned by itself must not be stopped any more, and somebody may be
 * about to: so none returns before it was told to.
 */
static int leave(int err)
{
	if (err)
		stop_all(err);
	complete(&finished);
	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (kthread_should_stop())
			break;
		schedule();
	}
	__set_current_state(TASK_RUNNING);
	return err;
}

/* Which of its reasons ended a wait is not to be seen from outside of it. */
#define wait_unless_stopped(wait, condition)				\
({									\
	bool __got = false;						\
									\
	wait_event(wait, (__got = (condition)) || must_stop());		\
	__got ? 0 : -ECANCELED;						\
})

static int produce(void *unused)
{
	int err;
	u64 n;

	for (n = 1; wanted(n); n++) {
		err = wait_unless_stopped(numbers_wait, kfifo_put(&numbers, n));
		if (err)
			return leave(err);
		wake_up(&numbers_wait);
	}
	return leave(0);
}

static int square(void *unused)
{
	u64 n, i;
	int err;

	for (i = 1; wanted(i); i++) {
		err = wait_unless_stopped(numbers_wait, kfifo_get(&numbers, &n));
		if (err)
			return leave(err);
		wake_up(&numbers_wait);
		if (n == fail_at)
			return leave(-EDOM);
		err = wait_unless_stopped(squares_wait, kfifo_put(&squares, n * n));
		if (err)
			return leave(err);
		wake_up(&squares_wait);
	}
	return leave(0);
}

static int add(void *unused)
{
	u64 n, i;
	int err;

	for (i = 1; wanted(i); i++) {
		err = wait_unless_stopped(squares_wait, kfifo_get(&squares, &n));
		if (err)
			return leave(err);
		wake_up(&squares_wait);
		sum += n;
	}
	return leave(0);
}

/* One that never ran is stopped without its function being called: nobody completes. */
static void stop(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(threads) && !IS_ERR_OR_NULL(threads[i]); i++)
		kthread_stop(threads[i]);
}

static int start(void)
{
	static int (* const stages[])(void *) = { produce, square, add };
	static const char * const names[] = { "produce", "square", "add" };
	int i;

	for (i = 0; i < ARRAY_SIZE(stages); i++) {
		threads[i] = kthread_run(stages[i], NULL, "plain_%s", names[i]);
		if (IS_ERR(threads[i])) {
			stop_all(PTR_ERR(threads[i]));
			return PTR_ERR(threads[i]);
		}
	}
	return 0;
}

static int __init pipeline_init(void)
{
	int i, err = start();

	if (!err && !count)
		return 0;
	for (i = 0; !err && i < ARRAY_SIZE(threads); i++)
		wait_for_completion(&finished);
	stop();
	err = err ?: READ_ONCE(first_err);
	if (!err)
		pr_info("ctx_pipeline_plain: the sum is %llu\n", sum);
	return err;
}
module_init(pipeline_init);

static void __exit pipeline_exit(void)
{
	if (count)
		return;
	stop_all(-ECANCELED);
	stop();
}
module_exit(pipeline_exit);

MODULE_DESCRIPTION("ctx sample: what a pipeline of threads takes without contexts");
MODULE_LICENSE("GPL");
