// SPDX-License-Identifier: GPL-2.0
/*
 * Coming and going: the threads, the one that watches over them, and the result.
 *
 * The result is in debugfs: reading it waits for the end.
 */
#include <linux/completion.h>
#include <linux/cpu.h>
#include <linux/cpumask.h>
#include <linux/debugfs.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/random.h>
#include <linux/slab.h>

#include "torture.h"

#define TOR_PROGRESS_S	15

u32 tor_seed;
module_param_named(seed, tor_seed, uint, 0444);
MODULE_PARM_DESC(seed, "what each actor's sequence of operations follows from; 0: random");

static unsigned int seconds = 30;
module_param(seconds, uint, 0444);
MODULE_PARM_DESC(seconds, "how long it lasts, unless operations is set; 0: until it is removed");

static unsigned int operations;
module_param(operations, uint, 0444);
MODULE_PARM_DESC(operations, "how many operations each thread does; 0: as many as it can");

static unsigned int threads = 2;
module_param(threads, uint, 0444);
MODULE_PARM_DESC(threads, "how many threads there are for each CPU");

static struct tor_thread *tor_threads;
static unsigned int tor_nr_threads;
static struct task_struct *tor_main_task;
static struct dentry *tor_dir;
static unsigned long tor_begun;
static DECLARE_COMPLETION(tor_over);
static char tor_result[128];

/* For what the main thread does itself. */
static struct tor_actor tor_main_actor = {
	.place = { .op = "world", .actor = TOR_ACTORS - 1 },
	.gfp = GFP_KERNEL,
};

static DECLARE_WAIT_QUEUE_HEAD(tor_passing);

/* Told to all threads, which are waited for: nothing else is there to wake them. */
static bool tor_ends;

/* Back to its CPU, from where a CPU that went has driven it. */
static void tor_go_home(const struct tor_thread *thread)
{
	if (cpu_online(thread->cpu))
		set_cpus_allowed_ptr(current, cpumask_of(thread->cpu));
}

static bool tor_goes_on(const struct tor_thread *thread)
{
	return !READ_ONCE(tor_ends) && (!operations || thread->actor.place.count < operations);
}

/* What it did until now comes before: pairs with the acquire in tor_has_passed(). */
static void tor_pass(struct tor_thread *thread)
{
	/* See above. */
	smp_store_release(&thread->passed, thread->passed + 1);
	if (wq_has_sleeper(&tor_passing))
		wake_up(&tor_passing);
}

static int tor_thread_fn(void *data)
{
	struct tor_thread *thread = data;

	while (tor_goes_on(thread)) {
		if (thread->actor.place.count % 64 == 0)
			tor_go_home(thread);
		tor_step(&thread->actor);
		tor_duel_take(&thread->actor);
		tor_pending_trim(thread, false);
		tor_pass(thread);
		cond_resched();
	}
	tor_timers_end(thread);
	tor_pending_trim(thread, true);
	/* Pairs with the acquire in tor_is_over(). */
	smp_store_release(&thread->over, true);
	tor_pass(thread);
	while (!kthread_should_stop())
		schedule_timeout_interruptible(HZ);
	return 0;
}

static bool tor_is_over(const struct tor_thread *thread)
{
	/* Pairs with the release in tor_thread_fn(). */
	return smp_load_acquire(&thread->over);
}

/* Since it was last looked at. */
static bool tor_has_passed(const struct tor_thread *thread)
{
	/* Pairs with the release in tor_pass(). */
	return smp_load_acquire(&thread->passed) != thread->seen_passed || tor_is_over(thread);
}

static bool tor_all_have_passed(void)
{
	unsigned int i;

	for (i = 0; i < tor_nr_threads; i++)
		if (!tor_has_passed(&tor_threads[i]))
			return false;
	return true;
}

/* From here on: who passes? */
void tor_threads_watch(void)
{
	unsigned int i;

	for (i = 0; i < tor_nr_threads; i++)
		tor_threads[i].seen_passed = READ_ONCE(tor_threads[i].passed);
}

/* Names the operations that threads are still in. Returns whether there were any. */
bool tor_threads_name_stuck(void)
{
	unsigned int i;
	bool any = false;

	for (i = 0; i < tor_nr_threads; i++) {
		if (tor_has_passed(&tor_threads[i]))
			continue;
		any = true;
		tor_violated(&tor_threads[i].actor.place, "progress", "does not come to its end");
	}
	return any;
}

/* Waits until no thread is in an operation that it is in now. */
bool tor_threads_pass(void)
{
	tor_threads_watch();
	if (wait_event_timeout(tor_passing, tor_all_have_passed(), TOR_PATIENCE))
		return true;
	tor_stuck = true;
	tor_threads_name_stuck();
	return false;
}

static bool tor_all_over(void)
{
	unsigned int i;

	for (i = 0; i < tor_nr_threads; i++)
		if (!tor_is_over(&tor_threads[i]))
			return false;
	return true;
}

static unsigned int tor_elapsed(void)
{
	return (jiffies - tor_begun) / HZ;
}

static bool tor_goes_on_all(void)
{
	if (kthread_should_stop() || tor_stuck)
		return false;
	if (operations)
		return !tor_all_over();
	return !seconds || tor_elapsed() < seconds;
}

static void tor_progress(const char *what)
{
	pr_info("%s: %u s, seed=0x%x, %lu operations, %lu delays, %d violations\n", what,
		tor_elapsed(), tor_seed, tor_ops_sum(tor_threads, tor_nr_threads),
		tor_delays_made(), atomic_read(&tor_violations));
}

static void tor_stop_threads(void)
{
	unsigned int i;

	WRITE_ONCE(tor_ends, true);
	if (!wait_event_timeout(tor_passing, tor_all_over(), TOR_PATIENCE)) {
		tor_stuck = true;
		tor_threads_watch();
		tor_threads_name_stuck();
		return;
	}
	for (i = 0; i < tor_nr_threads; i++)
		if (!IS_ERR_OR_NULL(tor_threads[i].task))
			kthread_stop(tor_threads[i].task);
}

/* What is stuck may use anything of this: it stays. */
static void tor_end(void)
{
	tor_onoff_end();
	if (!tor_stuck)
		tor_stop_threads();
	if (!tor_stuck) {
		flush_delayed_fput();
		tor_world_end(&tor_main_actor);
	}
	if (tor_stuck)
		__module_get(THIS_MODULE);
	else
		tor_delays_end();
	tor_ops_report(tor_threads, tor_nr_threads);
	tor_onoff_report();
	tor_progress(atomic_read(&tor_violations) ? "end of test: FAILURE" :
						    "end of test: SUCCESS");
	snprintf(tor_result, sizeof(tor_result),
		 "violations %d\noperations %lu\nseconds %u\nseed 0x%x\nsequence 0x%x\nstuck %d\n",
		 atomic_read(&tor_violations), tor_ops_sum(tor_threads, tor_nr_threads),
		 tor_elapsed(), tor_seed, tor_ops_sequence(tor_threads, tor_nr_threads), tor_stuck);
	complete_all(&tor_over);
}

static int tor_main(void *data)
{
	unsigned int next = TOR_PROGRESS_S;

	while (tor_goes_on_all()) {
		tor_random_begin(&tor_main_actor);
		tor_main_actor.place.count++;
		if (tor_world_is_old())
			tor_world_turn(&tor_main_actor);
		if (tor_elapsed() >= next) {
			tor_progress("so far");
			next += TOR_PROGRESS_S;
		}
		schedule_timeout_interruptible(HZ / 20);
	}
	tor_end();
	while (!kthread_should_stop())
		schedule_timeout_interruptible(HZ);
	return 0;
}

static ssize_t tor_result_read(struct file *file, char __user *buf, size_t count, loff_t *pos)
{
	int err = wait_for_completion_interruptible(&tor_over);

	return err ?: simple_read_from_buffer(buf, count, pos, tor_result, strlen(tor_result));
}

static const struct file_operations tor_result_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.read = tor_result_read,
};

static int tor_thread_begin(struct tor_thread *thread, unsigned int nr, unsigned int cpu)
{
	thread->actor.thread = thread;
	thread->actor.gfp = GFP_KERNEL;
	thread->actor.place.actor = 3 * nr;
	thread->cpu = cpu;
	INIT_LIST_HEAD(&thread->pending);
	init_llist_head(&thread->from_timers);
	tor_timers_init(thread);
	thread->task = kthread_create(tor_thread_fn, thread, "ctx_torture/%u", nr);
	if (IS_ERR(thread->task))
		return PTR_ERR(thread->task);
	kthread_bind(thread->task, cpu);
	tor_nr_threads++;
	wake_up_process(thread->task);
	return 0;
}

/* The last actor is the main thread. */
static int tor_threads_begin(void)
{
	const unsigned int most = TOR_ACTORS / 3 - 1;
	unsigned int cpu, i;
	int err = 0;

	tor_threads = kcalloc(most, sizeof(*tor_threads), GFP_KERNEL);
	if (!tor_threads)
		return -ENOMEM;
	cpus_read_lock();
	for (i = 0; i < threads; i++)
		for_each_online_cpu(cpu)
			if (!err && tor_nr_threads < most)
				err = tor_thread_begin(&tor_threads[tor_nr_threads],
						       tor_nr_threads, cpu);
	cpus_read_unlock();
	return err;
}

static int tor_begin(void)
{
	int err = tor_world_begin(&tor_main_actor);

	if (err)
		return err;
	tor_delays_begin();
	err = tor_threads_begin() ?: tor_onoff_begin();
	if (!err) {
		tor_main_task = kthread_run(tor_main, NULL, "ctx_torture");
		err = PTR_ERR_OR_ZERO(tor_main_task);
	}
	if (err)
		tor_end();
	return err;
}

static int __init tor_init(void)
{
	int err = tor_work_init();

	if (err)
		return err;
	tor_seed = tor_seed ?: get_random_u32() ?: 1;
	tor_begun = jiffies;
	pr_info("begins: seed=0x%x, %u threads for each of %u CPUs\n", tor_seed, threads,
		num_online_cpus());
	tor_dir = debugfs_create_dir("ctx_torture", NULL);
	debugfs_create_file("result", 0400, tor_dir, NULL, &tor_result_fops);
	err = tor_begin();
	if (err) {
		debugfs_remove(tor_dir);
		tor_work_exit();
		kfree(tor_threads);
	}
	return err;
}
module_init(tor_init);

static void __exit tor_exit(void)
{
	kthread_stop(tor_main_task);
	debugfs_remove(tor_dir);
	flush_delayed_fput();
	tor_work_exit();
	kfree(tor_threads);
}
module_exit(tor_exit);

MODULE_DESCRIPTION("Torture of cancellation contexts, for tests");
MODULE_LICENSE("GPL");
