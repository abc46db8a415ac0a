// SPDX-License-Identifier: GPL-2.0
/* Threads that are bound to a CPU and joined. */
#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/kthread.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "load.h"

static int load_thread_main(void *data)
{
	struct load_thread *thread = data;

	thread->result = thread->fn(thread->data);
	complete(&thread->returned);
	return 0;
}

int load_thread_start(struct load_thread *thread, unsigned int cpu, int (*fn)(void *data),
		      void *data)
{
	thread->fn = fn;
	thread->data = data;
	init_completion(&thread->returned);
	thread->task = kthread_create(load_thread_main, thread, "ctx_load/%u", cpu);
	if (IS_ERR(thread->task))
		return PTR_ERR(thread->task);
	get_task_struct(thread->task);
	kthread_bind(thread->task, cpu);
	wake_up_process(thread->task);
	return 0;
}

/* A thread that was stopped before it began would not run: so wait first. */
int load_thread_join(struct load_thread *thread)
{
	wait_for_completion(&thread->returned);
	kthread_stop(thread->task);
	put_task_struct(thread->task);
	return thread->result;
}

/* Runs @fn on the first @cpus CPUs, each on its own element of @data. */
int load_on_cpus(unsigned int cpus, int (*fn)(void *data), void *data, size_t size)
{
	struct load_thread *threads = kcalloc(cpus, sizeof(*threads), GFP_KERNEL);
	unsigned int started;
	int err = 0, result;

	if (!threads)
		return -ENOMEM;
	for (started = 0; started < cpus && !err; started++)
		err = load_thread_start(&threads[started], started, fn, data + started * size);
	if (err)
		started--;
	while (started) {
		result = load_thread_join(&threads[--started]);
		err = err ?: result;
	}
	kfree(threads);
	return err;
}
