// SPDX-License-Identifier: GPL-2.0
/*
 * Threads under a context. Unlike with kthread_stop(), telling a thread to stop
 * is not waiting for it, its function runs even when it was told before it
 * began, and it may return by itself at any time.
 */
#include <linux/kthread.h>
#include <linux/module.h>

#include "internal.h"

struct ctx_thread {
	struct ctx *ctx;
	int (*fn)(struct ctx *ctx, void *data);
	void *data;
	int result;			/* published by exited */
	struct completion exited;
};

static int ctx_thread_main(void *arg)
{
	struct ctx_thread *thread = arg;

	thread->result = thread->fn(thread->ctx, thread->data);
	/* Leaves from the kernel's own text: ours may go once it is joined. */
	kthread_complete_and_exit(&thread->exited, 0);
}

static struct ctx_thread *ctx_thread_alloc(struct ctx *parent, int (*fn)(struct ctx *ctx, void *),
					   void *data, unsigned long place)
{
	struct ctx_thread *thread = kzalloc(sizeof(*thread), GFP_KERNEL);

	if (!thread)
		return ERR_PTR(-ENOMEM);
	thread->ctx = ctx_with_cancel_at(parent, GFP_KERNEL, place);
	if (IS_ERR(thread->ctx)) {
		struct ctx *err = thread->ctx;

		kfree(thread);
		return ERR_CAST(err);
	}
	thread->fn = fn;
	thread->data = data;
	init_completion(&thread->exited);
	return thread;
}

static void ctx_thread_free(struct ctx_thread *thread)
{
	ctx_cancel(thread->ctx);
	ctx_put(thread->ctx);
	kfree(thread);
}

/* Starts a thread with a name that is formatted as it is needed, once. */
int ctx_kthread_run(int (*fn)(void *data), void *data, struct va_format *name)
{
	return PTR_ERR_OR_ZERO(kthread_run(fn, data, "%pV", name));
}

/**
 * ctx_thread_run - start a kernel thread under a context
 * @parent: its context's parent; the caller holds a reference; an ERR_PTR is
 *	handed back
 * @fn: its function, which always runs, even if @parent is done already; it gets
 *	a child context of its own, which is there until it is joined, and returns
 *	when it sees that done, or when it likes
 * @data: passed to @fn
 * @fmt: printf-style name of the thread
 *
 * Every thread is joined exactly once, by ctx_thread_join() or ctx_thread_stop(),
 * before the module that @fn is in goes. This module cannot go meanwhile.
 *
 * Ordering: what was written before is visible to @fn.
 *
 * Context: Process; sleeps (S18).
 * Return: the thread; an ERR_PTR @parent; ERR_PTR(-EINVAL) for a NULL @parent,
 * @fn or @fmt; ERR_PTR(-ENOMEM); ERR_PTR(-EAGAIN) if the kernel makes no more threads;
 * ERR_PTR(-EINTR) if the caller was killed.
 */
struct ctx_thread *ctx_thread_run(struct ctx *parent, int (*fn)(struct ctx *ctx, void *data),
				  void *data, const char *fmt, ...)
{
	struct va_format name = { .fmt = fmt };
	struct ctx_thread *thread;
	va_list args;
	int err;

	might_sleep();
	if (IS_ERR(parent))
		return ERR_CAST(parent);
	if (!parent || !fn || !fmt)
		return ERR_PTR(-EINVAL);
	thread = ctx_thread_alloc(parent, fn, data, _RET_IP_);
	if (IS_ERR(thread))
		return thread;

	__module_get(THIS_MODULE);
	va_start(args, fmt);
	name.va = &args;
	err = ctx_kthread_run(ctx_thread_main, thread, &name);
	va_end(args);
	if (!err)
		return thread;
	module_put(THIS_MODULE);
	ctx_thread_free(thread);
	return ERR_PTR(err);
}
EXPORT_SYMBOL_GPL(ctx_thread_run);

/**
 * ctx_thread_cancel - tell a thread to stop, without waiting for it
 * @thread: the thread, which nobody joins meanwhile; NULL and ERR_PTR are ignored
 *
 * Cancels its context. It may have returned already.
 *
 * Ordering: as with ctx_cancel(): what was written before is visible to the thread
 * when it sees its context done, if this was the first to cancel it (S16).
 *
 * Context: As ctx_cancel().
 */
void ctx_thread_cancel(struct ctx_thread *thread)
{
	if (!IS_ERR_OR_NULL(thread))
		ctx_cancel(thread->ctx);
}
EXPORT_SYMBOL_GPL(ctx_thread_cancel);

static bool ctx_thread_is_inside(const struct ctx_thread *thread)
{
	return current->flags & PF_KTHREAD && kthread_func(current) == ctx_thread_main &&
	       kthread_data(current) == thread;
}

/**
 * ctx_thread_join - wait until a thread has returned
 * @thread: the thread, which nobody else is using; gone when this returns
 *
 * Its context is cancelled then, and with it what the thread left under it. A thread
 * that joins itself would wait for ever: that is reported once, and does nothing.
 *
 * Ordering: what the thread's function wrote is visible on return, and to whoever sees
 * what it left under its context done by this (S16).
 *
 * Context: Process; sleeps (S18).
 * Return: what its function returned; for an ERR_PTR that error, and -EINVAL for
 * NULL; -EDEADLK for the thread itself.
 */
int ctx_thread_join(struct ctx_thread *thread)
{
	int result;

	might_sleep();
	if (IS_ERR_OR_NULL(thread))
		return thread ? PTR_ERR(thread) : -EINVAL;
	if (ctx_thread_is_inside(thread)) {
		pr_warn_once("a thread joins itself: it does not wait there\n");
		return -EDEADLK;
	}
	wait_for_completion(&thread->exited);
	result = thread->result;
	ctx_thread_free(thread);
	module_put(THIS_MODULE);
	return result;
}
EXPORT_SYMBOL_GPL(ctx_thread_join);

/**
 * ctx_thread_stop - tell a thread to stop and wait until it has returned
 * @thread: the thread, which nobody else is using; gone when this returns
 *
 * ctx_thread_cancel() and ctx_thread_join().
 *
 * Ordering: as with ctx_thread_cancel() and ctx_thread_join().
 *
 * Context: Process; sleeps (S18).
 * Return: as ctx_thread_join().
 */
int ctx_thread_stop(struct ctx_thread *thread)
{
	ctx_thread_cancel(thread);
	return ctx_thread_join(thread);
}
EXPORT_SYMBOL_GPL(ctx_thread_stop);
