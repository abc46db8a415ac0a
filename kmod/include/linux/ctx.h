/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Cancellation contexts: a tree of reference-counted nodes that carries a
 * cancellation signal, a deadline and request-scoped values from a caller to
 * everything that works on its behalf.
 *
 *	struct ctx *ctx = ctx_with_timeout(parent, ms_to_ktime(500), GFP_KERNEL);
 *
 *	if (IS_ERR(ctx))
 *		return PTR_ERR(ctx);
 *	err = ctx_wait_event(ctx, dev->wq, dev->ready);
 *	ctx_cancel(ctx);
 *	ctx_put(ctx);
 *
 * Rules are cited as S1..S19 and stand in Documentation/contract.rst.
 */
#ifndef _LINUX_CTX_H
#define _LINUX_CTX_H

#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/dma-fence.h>
#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/list_bl.h>
#include <linux/llist.h>
#include <linux/refcount.h>
#include <linux/sched.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <uapi/linux/ctx.h>

#ifndef __CHECKER__ /* sparse does not know __has_include */
#if __has_include("linux/cleanup.h")
#include <linux/cleanup.h>
#endif
#endif

struct ctx_fired;
struct ctx_value;
struct file;

struct device;
struct pid;

/*
 * The state that contexts share: each points to that of its nearest cancelable
 * scope. @origin is the one word that counts: NULL while live, then the state
 * of the context whose cancellation reached this one, which holds the error and
 * the cause. It is written once, under the lock of the list that the scope is on.
 */
struct ctx_signal {
	/* private: */
	const struct ctx_signal *origin;
	s16 err;
	s16 cause;
	union {
		struct {
			u8 used;	/* something was derived from it, or linked to it */
			u8 extra;	/* has lists by CPU, or links */
		};
		u16 usage;		/* both */
	};
};

/**
 * struct ctx - a cancellation context
 *
 * Opaque. It is obtained from ctx_background(), ctx_todo() or a derivation, and
 * given back with ctx_put().
 */
struct ctx {
	/* private: */
	union {
		struct {
			union {
				struct ctx_signal *state;
				struct llist_node dead;	/* waiting to be released */
			};
			struct ctx *parent;
		};
		struct rcu_head rcu;	/* released */
	};
	union {
		struct ctx_value *value;	/* the nearest value strictly above */
		unsigned long link;		/* of a value: see ctx_index_of() */
	};
	refcount_t ref;
	u8 kind;			/* constant; enum ctx_kind and CTX_F_* */
	u8 flags;			/* under the scope's own lock */
	union {
		struct {
			u8 taken;	/* under the home's lock; see cancel.c */
			u8 nest;	/* constant; which of the home's lists */
		};
		u16 rank;	/* of a value: constant; see index.c */
	};
};

/**
 * struct ctx_callback - storage of a callback, embedded by the caller
 *
 * See ctx_callback_add(). Zero it where ctx_callback_remove() may come first.
 */
struct ctx_callback {
	/* private: */
	struct hlist_node node;
	struct ctx *ctx;		/* non-NULL while registered */
	void (*fn)(struct ctx *ctx, struct ctx_callback *cb);	/* NULL: a link's */
} __aligned(sizeof(long));		/* two bits of the address are used: see callback.c */

/**
 * struct ctx_link - storage of a link, embedded by the caller
 *
 * See ctx_link(). Zero it where ctx_unlink() may come first.
 */
struct ctx_link {
	/* private: */
	struct ctx_callback cb;		/* of the other; its ctx is the one that was linked */
	struct hlist_bl_node node;	/* in the list of that one's links */
	struct ctx *other;		/* with a reference; NULL: not linked */
};

/**
 * struct ctx_after - storage of an after-func, embedded by the caller
 *
 * See ctx_after_func().
 */
struct ctx_after {
	/* private: */
	struct ctx_callback cb;
	struct work_struct work;
	struct ctx *ctx;
	void (*fn)(struct ctx_after *after);
	bool counted;
	bool queued;
	bool begun;
	bool stopped;
};

struct ctx_source;

/**
 * struct ctx_source_ops - what a source is
 * @name: what ctx_origin() gives as the name of who cancelled; the first 15
 *	characters
 * @detach: called by ctx_source_detach(), to take the source off what it watches:
 *	on return, ctx_source_fire() is not being called for it and will not be; NULL
 *	if whoever detaches it has seen to that himself
 */
struct ctx_source_ops {
	const char *name;
	void (*detach)(struct ctx_source *source);
};

/**
 * struct ctx_source - storage of a source, embedded by the caller
 *
 * See ctx_source_attach(), ctx_cancel_on_fence() and ctx_cancel_on_file(). Zero it
 * where ctx_source_detach() may come first.
 */
struct ctx_source {
	/* private: */
	struct hlist_node node;		/* in ->fired */
	struct ctx *ctx;		/* non-NULL while attached */
	const struct ctx_source_ops *ops;
	struct ctx_fired *fired;	/* whose lock protects all below but the union */
	int cause;
	u8 state;			/* enum ctx_source_state; see source.c */
	bool counted;			/* constant: has a reference on ->ctx */
	bool hint;			/* fired, the file has to be asked */
	union {
		struct {
			struct dma_fence *fence;
			struct dma_fence_cb cb;
		} fence;
		struct {
			struct file *file;
			__poll_t events;
			int nr_hooks;
			struct ctx_source_hook {
				struct wait_queue_entry entry;
				struct wait_queue_head *head;
			} hooks[2];
		} poll;
		struct ctx_link link;
	};
};

/**
 * struct ctx_work - a work item that is bound to a context, embedded by the caller
 *
 * See ctx_work_init(). Not on the stack.
 */
struct ctx_work {
	/* private: */
	struct delayed_work work;
	struct ctx_callback cb;		/* registered while it waits for its time */
	struct ctx *ctx;
	void (*fn)(struct ctx *ctx, struct ctx_work *work);
	void (*dropped)(struct ctx *ctx, struct ctx_work *work);
	bool timed;			/* was ever queued with a delay */
};

/**
 * struct ctx_origin - who ended a context, when and why (S11)
 * @ctx: the context that was cancelled or expired; kept alive by the one asked
 * @time: when, in CLOCK_MONOTONIC
 * @err: -ECANCELED or -ETIMEDOUT
 * @cause: the cause that was given, else @err
 * @pid: the process that cancelled, in the initial pid namespace; 0 if none did
 * @comm: the name of the task that cancelled, or "timer" or "irq", or that of a source
 */
struct ctx_origin {
	struct ctx *ctx;
	ktime_t time;
	int err;
	int cause;
	pid_t pid;
	char comm[TASK_COMM_LEN];
};

struct ctx_thread;
struct ctx_group;

/* Roots and references */
struct ctx *ctx_background(void);
struct ctx *ctx_todo(void);
struct ctx *ctx_get(struct ctx *ctx);
void ctx_put(struct ctx *ctx);
void ctx_barrier(void);

/* Derivation */
struct ctx *ctx_with_cancel(struct ctx *parent, gfp_t gfp);
struct ctx *ctx_with_deadline(struct ctx *parent, ktime_t deadline, gfp_t gfp);
struct ctx *ctx_with_deadline_cause(struct ctx *parent, ktime_t deadline, int cause, gfp_t gfp);
struct ctx *ctx_with_timeout(struct ctx *parent, ktime_t timeout, gfp_t gfp);
struct ctx *ctx_with_timeout_cause(struct ctx *parent, ktime_t timeout, int cause, gfp_t gfp);
struct ctx *ctx_with_value(struct ctx *parent, const void *key, void *value,
			   void (*release)(void *value), gfp_t gfp);
struct ctx *ctx_without_cancel(struct ctx *parent, gfp_t gfp);

/* Asking */

/**
 * ctx_err - say whether and how a context is done
 * @ctx: the context; the caller holds a reference
 *
 * Two loads and a test on a live context, no lock.
 *
 * Ordering: what was written before the cancellation is visible to whoever sees a
 * non-zero error (S16). If that came from above, what is above is seen done, too (S5).
 *
 * Context: Any, NMI included (S18).
 * Return: 0 while live, then -ECANCELED or -ETIMEDOUT for ever (S10).
 */
static __always_inline int ctx_err(const struct ctx *ctx)
{
	/* Pairs with the release that publishes an origin: ctx_publish(). */
	const struct ctx_signal *origin = smp_load_acquire(&ctx->state->origin);

	return unlikely(origin) ? origin->err : 0;
}

/**
 * ctx_is_done - say whether a context is done
 * @ctx: the context; the caller holds a reference
 *
 * Ordering: as with ctx_err().
 *
 * Context: Any, NMI included (S18).
 * Return: true once ctx_err() is not 0.
 */
static __always_inline bool ctx_is_done(const struct ctx *ctx)
{
	return ctx_err(ctx) != 0;
}

int ctx_cause(const struct ctx *ctx);
bool ctx_deadline(const struct ctx *ctx, ktime_t *deadline);
struct completion *ctx_done(struct ctx *ctx);
void *ctx_value(const struct ctx *ctx, const void *key);
int ctx_origin(const struct ctx *ctx, struct ctx_origin *origin);
int ctx_describe(const struct ctx *ctx, char *buf, size_t size);

/* Cancelling */
void ctx_cancel(struct ctx *ctx);
int ctx_cancel_cause(struct ctx *ctx, int cause);
void ctx_cancel_async(struct ctx *ctx);
void ctx_cancel_sync(struct ctx *ctx);
int ctx_callback_add(struct ctx *ctx, struct ctx_callback *cb,
		     void (*fn)(struct ctx *ctx, struct ctx_callback *cb));
bool ctx_callback_remove(struct ctx *ctx, struct ctx_callback *cb);
bool ctx_callback_remove_sync(struct ctx *ctx, struct ctx_callback *cb);
void ctx_after_func(struct ctx *ctx, struct ctx_after *after, void (*fn)(struct ctx_after *after));
bool ctx_after_stop(struct ctx_after *after);
bool ctx_after_stop_sync(struct ctx_after *after);

#ifdef DEFINE_FREE
/**
 * ctx_cancel_put - cancel a context and drop the reference
 * @ctx: the context, NULL or an ERR_PTR
 *
 * What ``__free(ctx_cancel_put)`` does when a scope is left (S3).
 *
 * Ordering: as with ctx_cancel().
 *
 * Context: As ctx_cancel() and ctx_put().
 */
static inline void ctx_cancel_put(struct ctx *ctx)
{
	ctx_cancel(ctx);
	ctx_put(ctx);
}

DEFINE_FREE(ctx_put, struct ctx *, ctx_put(_T))
DEFINE_FREE(ctx_cancel_put, struct ctx *, ctx_cancel_put(_T))
#endif

/* Several parents */
int ctx_link(struct ctx *ctx, struct ctx *other, struct ctx_link *link);
void ctx_unlink(struct ctx_link *link);

/* Waiting */

/* private: behind the waits below; see wait.c */
struct ctx_waiter {
	struct ctx_callback cb;
	struct task_struct *task;
};

struct ctx_event_wait {
	struct ctx *ctx;
	struct wait_queue_head *wq_head;
	unsigned int state;
	bool queued;
	long signal;
	struct ctx_waiter waiter;
	struct wait_queue_entry entry;
};

int ctx_event_wait_step(struct ctx_event_wait *wait);
void ctx_event_wait_end(struct ctx_event_wait *wait);
int __ctx_wait(struct ctx *ctx, unsigned int state);
int __ctx_wait_timeout(struct ctx *ctx, ktime_t timeout, unsigned int state);
int __ctx_wait_for_completion(struct ctx *ctx, struct completion *done, unsigned int state);
/* public: */

/**
 * ctx_wait - wait until a context is done
 * @ctx: the context; the caller holds a reference
 *
 * On a context that is never done this waits for ever. The _interruptible form
 * ends on any signal, the _killable one on a fatal one; that the context is done
 * wins over either.
 *
 * Ordering: what was written before the cancellation is visible to who gets the
 * context's error (S16).
 *
 * Context: Process; sleeps (S18).
 * Return: the context's error (S10).
 */
static inline int ctx_wait(struct ctx *ctx)
{
	return __ctx_wait(ctx, TASK_UNINTERRUPTIBLE);
}

/**
 * ctx_wait_interruptible - as ctx_wait(), until a signal
 * @ctx: the context; the caller holds a reference
 *
 * Ordering: as with ctx_wait(); none when a signal ended it.
 *
 * Context: Process; sleeps (S18).
 * Return: as ctx_wait(), or -ERESTARTSYS if a signal came first.
 */
static inline int ctx_wait_interruptible(struct ctx *ctx)
{
	return __ctx_wait(ctx, TASK_INTERRUPTIBLE);
}

/**
 * ctx_wait_killable - as ctx_wait(), until a fatal signal
 * @ctx: the context; the caller holds a reference
 *
 * Ordering: as with ctx_wait(); none when a signal ended it.
 *
 * Context: Process; sleeps (S18).
 * Return: as ctx_wait(), or -ERESTARTSYS if a fatal signal came first.
 */
static inline int ctx_wait_killable(struct ctx *ctx)
{
	return __ctx_wait(ctx, TASK_KILLABLE);
}

/**
 * ctx_wait_timeout - wait until a context is done, but not for ever
 * @ctx: the context; the caller holds a reference
 * @timeout: how long to wait at most, in ns from now; 0 or less only asks; KTIME_MAX
 *	for ever
 *
 * Ordering: as with ctx_wait(); none when the time ran out.
 *
 * Context: Process; sleeps (S18).
 * Return: the context's error, also when the time ran out together with it; 0
 * if it was not done within @timeout.
 */
static inline int ctx_wait_timeout(struct ctx *ctx, ktime_t timeout)
{
	return __ctx_wait_timeout(ctx, timeout, TASK_UNINTERRUPTIBLE);
}

/**
 * ctx_wait_timeout_interruptible - as ctx_wait_timeout(), until a signal
 * @ctx: the context; the caller holds a reference
 * @timeout: how long to wait at most, in ns from now; 0 or less only asks
 *
 * Ordering: as with ctx_wait_timeout(); none when a signal ended it.
 *
 * Context: Process; sleeps (S18).
 * Return: as ctx_wait_timeout(), or -ERESTARTSYS if a signal came first. With a
 * @timeout of 0 or less no signal is looked at.
 */
static inline int ctx_wait_timeout_interruptible(struct ctx *ctx, ktime_t timeout)
{
	return __ctx_wait_timeout(ctx, timeout, TASK_INTERRUPTIBLE);
}

/**
 * ctx_wait_timeout_killable - as ctx_wait_timeout(), until a fatal signal
 * @ctx: the context; the caller holds a reference
 * @timeout: how long to wait at most, in ns from now; 0 or less only asks
 *
 * Ordering: as with ctx_wait_timeout(); none when a signal ended it.
 *
 * Context: Process; sleeps (S18).
 * Return: as ctx_wait_timeout(), or -ERESTARTSYS if a fatal signal came first. With a
 * @timeout of 0 or less no signal is looked at.
 */
static inline int ctx_wait_timeout_killable(struct ctx *ctx, ktime_t timeout)
{
	return __ctx_wait_timeout(ctx, timeout, TASK_KILLABLE);
}

/**
 * ctx_sleep - sleep, unless the context is done
 * @ctx: the context; the caller holds a reference
 * @time: how long, in ns from now; 0 or less only asks; KTIME_MAX for ever
 *
 * Ordering: as with ctx_wait(); none when it slept all of @time.
 *
 * Context: Process; sleeps (S18).
 * Return: 0 if it slept all of @time, else the context's error.
 */
static inline int ctx_sleep(struct ctx *ctx, ktime_t time)
{
	return __ctx_wait_timeout(ctx, time, TASK_UNINTERRUPTIBLE);
}

/**
 * ctx_sleep_interruptible - as ctx_sleep(), until a signal
 * @ctx: the context; the caller holds a reference
 * @time: how long, in ns from now; 0 or less only asks
 *
 * Ordering: as with ctx_sleep(); none when a signal ended it.
 *
 * Context: Process; sleeps (S18).
 * Return: as ctx_sleep(), or -ERESTARTSYS if a signal came first. With a @time of 0 or
 * less no signal is looked at.
 */
static inline int ctx_sleep_interruptible(struct ctx *ctx, ktime_t time)
{
	return __ctx_wait_timeout(ctx, time, TASK_INTERRUPTIBLE);
}

/**
 * ctx_sleep_killable - as ctx_sleep(), until a fatal signal
 * @ctx: the context; the caller holds a reference
 * @time: how long, in ns from now; 0 or less only asks
 *
 * Ordering: as with ctx_sleep(); none when a signal ended it.
 *
 * Context: Process; sleeps (S18).
 * Return: as ctx_sleep(), or -ERESTARTSYS if a fatal signal came first. With a @time
 * of 0 or less no signal is looked at.
 */
static inline int ctx_sleep_killable(struct ctx *ctx, ktime_t time)
{
	return __ctx_wait_timeout(ctx, time, TASK_KILLABLE);
}

/**
 * ctx_wait_for_completion - wait for a completion, unless the context is done
 * @ctx: the context; the caller holds a reference
 * @done: the completion; as with wait_for_completion(), one wait consumes one
 *	complete(), and nothing is consumed when the wait ends otherwise
 *
 * Ordering: on 0, what was written before complete() is visible; otherwise as with
 * ctx_wait().
 *
 * Context: Process; sleeps (S18).
 * Return: 0 if @done was completed, which wins a tie; else the context's error.
 */
static inline int ctx_wait_for_completion(struct ctx *ctx, struct completion *done)
{
	return __ctx_wait_for_completion(ctx, done, TASK_UNINTERRUPTIBLE);
}

/**
 * ctx_wait_for_completion_interruptible - as ctx_wait_for_completion(), until a signal
 * @ctx: the context; the caller holds a reference
 * @done: the completion
 *
 * Ordering: as with ctx_wait_for_completion(); none when a signal ended it.
 *
 * Context: Process; sleeps (S18).
 * Return: as ctx_wait_for_completion(), or -ERESTARTSYS if a signal came first.
 */
static inline int ctx_wait_for_completion_interruptible(struct ctx *ctx, struct completion *done)
{
	return __ctx_wait_for_completion(ctx, done, TASK_INTERRUPTIBLE);
}

/**
 * ctx_wait_for_completion_killable - as ctx_wait_for_completion(), until a fatal signal
 * @ctx: the context; the caller holds a reference
 * @done: the completion
 *
 * Ordering: as with ctx_wait_for_completion(); none when a signal ended it.
 *
 * Context: Process; sleeps (S18).
 * Return: as ctx_wait_for_completion(), or -ERESTARTSYS if a fatal signal came first.
 */
static inline int ctx_wait_for_completion_killable(struct ctx *ctx, struct completion *done)
{
	return __ctx_wait_for_completion(ctx, done, TASK_KILLABLE);
}

/*
 * Each step but the first sleeps once, or says why not to. The condition is looked
 * at once more after that, so that one that came true before the cancellation
 * wins.
 */
#define __ctx_wait_event(context, wq, condition, sleep)				\
({										\
	struct ctx_event_wait __wait = {					\
		.ctx = (context),						\
		.wq_head = &(wq),						\
		.state = (sleep),						\
	};									\
	int __ret = 0;								\
										\
	might_sleep();								\
	for (;;) {								\
		if (condition) {						\
			__ret = 0;						\
			break;							\
		}								\
		if (__ret)							\
			break;							\
		__ret = ctx_event_wait_step(&__wait);				\
	}									\
	ctx_event_wait_end(&__wait);						\
	__ret;									\
})

/**
 * ctx_wait_event - wait for a condition, unless the context is done
 * @ctx: the context; the caller holds a reference
 * @wq_head: the wait queue that is woken when the condition may have changed
 * @condition: a C expression, evaluated as wait_event() does
 *
 * The kernel's ``select { case <-ctx.Done(): case ...: }``.
 *
 * Ordering: on 0, none but that of @condition itself, as with wait_event(); otherwise
 * as with ctx_wait().
 *
 * Context: Process; sleeps (S18).
 * Return: 0 if the condition is true, which wins a tie; else the context's error.
 */
#define ctx_wait_event(ctx, wq_head, condition)					\
	__ctx_wait_event(ctx, wq_head, condition, TASK_UNINTERRUPTIBLE)

/**
 * ctx_wait_event_interruptible - as ctx_wait_event(), until a signal
 * @ctx: the context; the caller holds a reference
 * @wq_head: the wait queue
 * @condition: a C expression
 *
 * Ordering: as with ctx_wait_event(); none when a signal ended it.
 *
 * Context: Process; sleeps (S18).
 * Return: as ctx_wait_event(), or -ERESTARTSYS if a signal came first.
 */
#define ctx_wait_event_interruptible(ctx, wq_head, condition)			\
	__ctx_wait_event(ctx, wq_head, condition, TASK_INTERRUPTIBLE)

/**
 * ctx_wait_event_killable - as ctx_wait_event(), until a fatal signal
 * @ctx: the context; the caller holds a reference
 * @wq_head: the wait queue
 * @condition: a C expression
 *
 * Ordering: as with ctx_wait_event(); none when a signal ended it.
 *
 * Context: Process; sleeps (S18).
 * Return: as ctx_wait_event(), or -ERESTARTSYS if a fatal signal came first.
 */
#define ctx_wait_event_killable(ctx, wq_head, condition)			\
	__ctx_wait_event(ctx, wq_head, condition, TASK_KILLABLE)

/* Sources */
int ctx_source_attach(struct ctx *ctx, struct ctx_source *source,
		      const struct ctx_source_ops *ops);
int ctx_source_fire(struct ctx_source *source, int cause);
bool ctx_source_detach(struct ctx_source *source);
int ctx_cancel_on_file(struct ctx *ctx, struct file *file, __poll_t events, int cause,
		       struct ctx_source *source);

#ifdef CONFIG_DMA_SHARED_BUFFER
int ctx_cancel_on_fence(struct ctx *ctx, struct dma_fence *fence, int cause,
			struct ctx_source *source);
#else
static inline int ctx_cancel_on_fence(struct ctx *ctx, struct dma_fence *fence, int cause,
				      struct ctx_source *source)
{
	if (source)
		source->ctx = NULL;
	return -EOPNOTSUPP;
}
#endif

/* Threads */
__printf(4, 5)
struct ctx_thread *ctx_thread_run(struct ctx *parent, int (*fn)(struct ctx *ctx, void *data),
				  void *data, const char *fmt, ...);
void ctx_thread_cancel(struct ctx_thread *thread);
int ctx_thread_join(struct ctx_thread *thread);
int ctx_thread_stop(struct ctx_thread *thread);

/* Groups of threads */
struct ctx_group *ctx_group_create(struct ctx *parent, gfp_t gfp);
struct ctx *ctx_group_ctx(struct ctx_group *group);
void ctx_group_set_limit(struct ctx_group *group, int n);
__printf(4, 5)
int ctx_group_run(struct ctx_group *group, int (*fn)(struct ctx *ctx, void *data),
		  void *data, const char *fmt, ...);
__printf(4, 5)
int ctx_group_run_interruptible(struct ctx_group *group, int (*fn)(struct ctx *ctx, void *data),
				void *data, const char *fmt, ...);
__printf(4, 5)
int ctx_group_run_killable(struct ctx_group *group, int (*fn)(struct ctx *ctx, void *data),
			   void *data, const char *fmt, ...);
int __ctx_group_wait(struct ctx_group *group, unsigned int state);
void ctx_group_put(struct ctx_group *group);

/**
 * ctx_group_wait - wait until all threads of a group have returned
 * @group: the group
 *
 * Those included that others run meanwhile. Several may wait at once, and all of
 * them get the same. Afterwards the group can be used again: after an error its
 * context remains cancelled, and this goes on returning that error. A group whose
 * context was ended from outside is none that failed.
 *
 * The caller keeps the group from being given back meanwhile. The _interruptible form
 * ends on any signal, the _killable one on a fatal one. One of the group's own threads
 * cannot wait for itself: that is reported, once.
 *
 * Ordering: what the functions wrote is visible to who gets what they returned, or 0.
 *
 * Context: Process; sleeps (S18).
 * Return: 0, or what was the first other than 0 that a function of the group has
 * ever returned; -EDEADLK in a thread of the group; -EINVAL for NULL, the error of an
 * ERR_PTR.
 */
static inline int ctx_group_wait(struct ctx_group *group)
{
	return __ctx_group_wait(group, TASK_UNINTERRUPTIBLE);
}

/**
 * ctx_group_wait_interruptible - as ctx_group_wait(), until a signal
 * @group: the group; the caller keeps it from being given back meanwhile
 *
 * Ordering: as with ctx_group_wait(); none when a signal ended it.
 *
 * Context: Process; sleeps (S18).
 * Return: as ctx_group_wait(), or -ERESTARTSYS if a signal came first.
 */
static inline int ctx_group_wait_interruptible(struct ctx_group *group)
{
	return __ctx_group_wait(group, TASK_INTERRUPTIBLE);
}

/**
 * ctx_group_wait_killable - as ctx_group_wait(), until a fatal signal
 * @group: the group; the caller keeps it from being given back meanwhile
 *
 * Ordering: as with ctx_group_wait(); none when a signal ended it.
 *
 * Context: Process; sleeps (S18).
 * Return: as ctx_group_wait(), or -ERESTARTSYS if a fatal signal came first.
 */
static inline int ctx_group_wait_killable(struct ctx_group *group)
{
	return __ctx_group_wait(group, TASK_KILLABLE);
}

/* Work items */
void __ctx_work_run(struct work_struct *inner);
void __ctx_work_setup(struct ctx_work *work, struct ctx *ctx,
		      void (*fn)(struct ctx *ctx, struct ctx_work *work));
int ctx_work_queue(struct workqueue_struct *wq, struct ctx_work *work);
int ctx_work_queue_delayed(struct workqueue_struct *wq, struct ctx_work *work, ktime_t delay);
bool ctx_work_cancel(struct ctx_work *work);
bool ctx_work_cancel_sync(struct ctx_work *work);

/**
 * ctx_work_init - bind a work item to a context
 * @item: the struct ctx_work, which is not queued
 * @context: the context, or what a derivation has returned instead, which queueing
 *	returns then; no reference is taken: see ctx_work_queue()
 * @func: called with both on a workqueue, each time that the item was queued and its
 *	context was not done yet when its turn came; may sleep, queue the item again,
 *	and free it
 *
 * A macro, so that lockdep can tell one kind of item from another.
 *
 * Ordering: none, as with INIT_WORK(): others are told of the item in a way that orders.
 *
 * Context: Any.
 */
#define ctx_work_init(item, context, func)					\
do {										\
	struct ctx_work *__item = (item);					\
										\
	INIT_DELAYED_WORK(&__item->work, __ctx_work_run);			\
	__ctx_work_setup(__item, (context), (func));				\
} while (0)

/**
 * ctx_work_on_drop - say what is called instead of a work item's function
 * @work: the item, initialised and not queued yet
 * @dropped: called with its context and the item on the workqueue, when the turn of
 *	one that was queued comes and its context is done; may sleep, and free it
 *
 * For items that nobody remembers once they are queued: those that free themselves.
 *
 * Ordering: as with ctx_work_init().
 *
 * Context: Any.
 */
static inline void ctx_work_on_drop(struct ctx_work *work,
				    void (*dropped)(struct ctx *ctx, struct ctx_work *work))
{
	work->dropped = dropped;
}

/* Processes */

/* flags of ctx_install_fd() */
#define CTX_INSTALL_OWNER	0x01	/* closing it cancels */

struct ctx *ctx_get_from_fd(int fd, u32 rights);
int ctx_install_fd(struct ctx *ctx, u32 rights, u32 flags);
struct ctx *ctx_of_task(struct task_struct *task);

/* Devices */
struct ctx *devm_ctx_with_cancel(struct device *dev, struct ctx *parent);

#endif /* _LINUX_CTX_H */
