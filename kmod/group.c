// SPDX-License-Identifier: GPL-2.0
/*
 * Groups: threads under one context, of which the first that fails cancels the
 * others.
 *
 * A thread of a group has returned when its function has, and has left when it has
 * completed ->exits, which the kernel's own text does last of all. Returned threads
 * make room for others; threads that have left are joined: each is counted in
 * ->unjoined from before it is started, and whoever joins takes one completion off
 * for each. So nothing is kept of a thread that is over, and a group can run any
 * number of them without ever being waited for.
 *
 * Each thread pins this module until it is joined. What nobody waits for is joined
 * when the group is given back; if functions are running then, by a worker, after
 * the last of them has returned.
 */
#include <linux/completion.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/mutex.h>

#include "internal.h"

struct ctx_group {
	struct ctx *ctx;
	spinlock_t lock;		/* protects the next five */
	int limit;			/* INT_MAX: none */
	int running;			/* have not returned, or are being started */
	int unjoined;			/* have not been joined, or are being started */
	int err;			/* the first that was returned */
	bool put;
	wait_queue_head_t room;		/* for who waits for a thread to return */
	struct completion exits;	/* one for each thread that has left */
	struct mutex joining;		/* of several who wait, one joins */
	struct llist_node over;
};

/* A thread's argument; its own, and gone when its function has returned. */
struct ctx_member {
	struct ctx_group *group;
	int (*fn)(struct ctx *ctx, void *data);
	void *data;
};

static LLIST_HEAD(ctx_groups_over);

static void ctx_group_joined(struct ctx_group *group)
{
	spin_lock(&group->lock);
	group->unjoined--;
	spin_unlock(&group->lock);
	module_put(THIS_MODULE);
}

/*
 * For who has seen it counted in ->unjoined, and is the only one to wait. Returns
 * -ERESTARTSYS if a signal ended that.
 */
static int ctx_group_join_one(struct ctx_group *group, unsigned int state)
{
	int err = __ctx_wait_for_completion(ctx_background(), &group->exits, state);

	if (!err)
		ctx_group_joined(group);
	return err;
}

/*
 * Those that have left by now, so that a group that nobody waits for may run any number.
 * Whoever waits counts on what he has seen in ->unjoined, and joins them himself.
 */
static void ctx_group_join_some(struct ctx_group *group)
{
	if (!mutex_trylock(&group->joining))
		return;
	while (try_wait_for_completion(&group->exits))
		ctx_group_joined(group);
	mutex_unlock(&group->joining);
}

static int ctx_group_unjoined(struct ctx_group *group)
{
	int unjoined;

	spin_lock(&group->lock);
	unjoined = group->unjoined;
	spin_unlock(&group->lock);
	return unjoined;
}

/* Given back, and nothing of it is running. */
static void ctx_group_free(struct ctx_group *group)
{
	while (ctx_group_unjoined(group))
		ctx_group_join_one(group, TASK_UNINTERRUPTIBLE);
	ctx_cancel(group->ctx);
	ctx_put(group->ctx);
	mutex_destroy(&group->joining);
	kfree(group);
}

static void ctx_groups_free(struct work_struct *work)
{
	struct ctx_group *group, *next;

	llist_for_each_entry_safe(group, next, llist_del_all(&ctx_groups_over), over)
		ctx_group_free(group);
}

static DECLARE_WORK(ctx_groups_work, ctx_groups_free);

static bool ctx_group_try_enter(struct ctx_group *group)
{
	bool room;

	spin_lock(&group->lock);
	room = group->running < group->limit;
	if (room) {
		group->running++;
		group->unjoined++;
	}
	spin_unlock(&group->lock);
	return room;
}

static int ctx_group_enter(struct ctx_group *group, unsigned int state)
{
	int err = 0;

	ctx_group_join_some(group);
	if (!ctx_group_try_enter(group))
		err = __ctx_wait_event(group->ctx, group->room, ctx_group_try_enter(group), state);
	if (!err)
		__module_get(THIS_MODULE);
	return err;
}

/*
 * A function has returned. Its thread, or who failed to start it, is still to be
 * joined: until it has completed ->exits the group is there.
 */
static void ctx_group_leave(struct ctx_group *group)
{
	bool over;

	spin_lock(&group->lock);
	over = !--group->running && group->put;
	spin_unlock(&group->lock);
	if (!over)
		wake_up_all(&group->room);
	else if (llist_add(&group->over, &ctx_groups_over))
		schedule_work(&ctx_groups_work);
}

static void ctx_group_fail(struct ctx_group *group, int err)
{
	bool first;

	spin_lock(&group->lock);
	first = !group->err;
	if (first)
		group->err = err;
	spin_unlock(&group->lock);
	/* Another value than an errno is no cause. */
	if (first && ctx_cancel_cause(group->ctx, err))
		ctx_cancel(group->ctx);
}

static int ctx_group_main(void *arg)
{
	struct ctx_member *member = arg;
	struct ctx_group *group = member->group;
	int err = member->fn(group->ctx, member->data);

	if (err)
		ctx_group_fail(group, err);
	kfree(member);
	ctx_group_leave(group);
	/* Leaves from the kernel's own text: ours may go once it is joined. */
	kthread_complete_and_exit(&group->exits, 0);
}

/* Whether the caller is one of the group's own threads, in its function. */
static bool ctx_group_is_inside(const struct ctx_group *group)
{
	return current->flags & PF_KTHREAD && kthread_func(current) == ctx_group_main &&
	       ((struct ctx_member *)kthread_data(current))->group == group;
}

/**
 * ctx_group_create - make a group of threads under one context
 * @parent: its context's parent; the caller holds a reference; an ERR_PTR is
 *	handed back
 * @gfp: how to allocate
 *
 * The group has a child context of @parent, which all its threads are given. It is
 * given back with ctx_group_put().
 *
 * Ordering: as with ctx_with_cancel().
 *
 * Context: Any that @gfp allows; on PREEMPT_RT not in atomic context (S18).
 * Return: the group, without threads and without a limit; an ERR_PTR @parent;
 * ERR_PTR(-EINVAL) for a NULL @parent; ERR_PTR(-ENOMEM).
 */
struct ctx_group *ctx_group_create(struct ctx *parent, gfp_t gfp)
{
	struct ctx *ctx = ctx_with_cancel_at(parent, gfp, _RET_IP_);
	struct ctx_group *group;

	if (IS_ERR(ctx))
		return ERR_CAST(ctx);
	group = kzalloc(sizeof(*group), gfp);
	if (!group) {
		ctx_put(ctx);
		return ERR_PTR(-ENOMEM);
	}
	group->ctx = ctx;
	group->limit = INT_MAX;
	spin_lock_init(&group->lock);
	init_waitqueue_head(&group->room);
	init_completion(&group->exits);
	mutex_init(&group->joining);
	return group;
}
EXPORT_SYMBOL_GPL(ctx_group_create);

/**
 * ctx_group_ctx - the context of a group
 * @group: the group; an ERR_PTR is handed back, and so is NULL
 *
 * Cancelling it tells all threads of the group to stop.
 *
 * Ordering: none is needed, as it is constant.
 *
 * Context: Any.
 * Return: the context, which is there for as long as the group is, and in its
 * threads: who keeps it for longer takes a reference.
 */
struct ctx *ctx_group_ctx(struct ctx_group *group)
{
	return IS_ERR_OR_NULL(group) ? ERR_CAST(group) : group->ctx;
}
EXPORT_SYMBOL_GPL(ctx_group_ctx);

/**
 * ctx_group_set_limit - say how many threads of a group may run at once
 * @group: the group; NULL and ERR_PTR are ignored
 * @n: how many; 0 or less for any number, as in a new group
 *
 * A higher limit lets those go on who wait in ctx_group_run(). A lower one ends
 * nobody: until enough have returned, no other begins.
 *
 * Ordering: what was written before is visible to the functions that there is room for
 * by this.
 *
 * Context: Process; under spinlocks too.
 */
void ctx_group_set_limit(struct ctx_group *group, int n)
{
	if (IS_ERR_OR_NULL(group))
		return;
	spin_lock(&group->lock);
	group->limit = n > 0 ? n : INT_MAX;
	spin_unlock(&group->lock);
	wake_up_all(&group->room);
}
EXPORT_SYMBOL_GPL(ctx_group_set_limit);

/* Has entered. If there is no thread then, there is nothing of it but to be joined. */
static int ctx_group_start(struct ctx_group *group, int (*fn)(struct ctx *ctx, void *data),
			   void *data, struct va_format *name)
{
	struct ctx_member *member = kmalloc(sizeof(*member), GFP_KERNEL);
	int err = -ENOMEM;

	if (member) {
		member->group = group;
		member->fn = fn;
		member->data = data;
		err = ctx_kthread_run(ctx_group_main, member, name);
	}
	if (err) {
		kfree(member);
		ctx_group_leave(group);
		complete(&group->exits);
	}
	return err;
}

static int ctx_group_run_in(struct ctx_group *group, unsigned int state,
			    int (*fn)(struct ctx *ctx, void *data), void *data,
			    struct va_format *name)
{
	int err;

	might_sleep();
	if (IS_ERR(group))
		return PTR_ERR(group);
	if (!group || !fn || !name->fmt)
		return -EINVAL;
	err = ctx_group_enter(group, state);
	return err ?: ctx_group_start(group, fn, data, name);
}

/**
 * ctx_group_run - run a function in a new thread of a group
 * @group: the group, which the caller keeps from being given back, or is a thread of
 * @fn: the function; it gets the group's context, and returns when it sees that
 *	done, or when it likes; what it returns, if it is not 0, and the first of its
 *	group, cancels the group, as its cause if it is a negative errno, and is
 *	what ctx_group_wait() returns
 * @data: passed to @fn
 * @fmt: printf-style name of the thread
 *
 * At the group's limit this waits until one has returned, or the group is done, or,
 * in the _interruptible form, for a signal, in the _killable one, for a fatal one.
 * Where there is room @fn runs, also if the group is done already: it sees that.
 *
 * The group's own threads may run others; at the limit, each of them that waits for
 * room takes some.
 *
 * Ordering: what was written before is visible to @fn; and so is what those functions
 * wrote that had returned before there was room for it. If it ends with the error of
 * the group, as with ctx_wait() (S16).
 *
 * Context: Process; sleeps (S18).
 * Return: 0: @fn runs. Else it does not, and nothing is left of the attempt: the
 * group's error, -ECANCELED or -ETIMEDOUT, if that ended the wait; -ENOMEM; -EAGAIN if
 * the kernel makes no more threads; -EINTR if the caller was killed meanwhile; -EINVAL
 * for a NULL @group, @fn or @fmt; the error of an ERR_PTR @group.
 */
int ctx_group_run(struct ctx_group *group, int (*fn)(struct ctx *ctx, void *data),
		  void *data, const char *fmt, ...)
{
	struct va_format name = { .fmt = fmt };
	va_list args;
	int err;

	va_start(args, fmt);
	name.va = &args;
	err = ctx_group_run_in(group, TASK_UNINTERRUPTIBLE, fn, data, &name);
	va_end(args);
	return err;
}
EXPORT_SYMBOL_GPL(ctx_group_run);

/**
 * ctx_group_run_interruptible - as ctx_group_run(), where a signal ends the wait
 * @group: the group; as with ctx_group_run()
 * @fn: the function; as with ctx_group_run()
 * @data: passed to @fn
 * @fmt: printf-style name of the thread
 *
 * Ordering: as with ctx_group_run().
 *
 * Context: Process; sleeps (S18).
 * Return: as ctx_group_run(), or -ERESTARTSYS if a signal ended the wait.
 */
int ctx_group_run_interruptible(struct ctx_group *group, int (*fn)(struct ctx *ctx, void *data),
				void *data, const char *fmt, ...)
{
	struct va_format name = { .fmt = fmt };
	va_list args;
	int err;

	va_start(args, fmt);
	name.va = &args;
	err = ctx_group_run_in(group, TASK_INTERRUPTIBLE, fn, data, &name);
	va_end(args);
	return err;
}
EXPORT_SYMBOL_GPL(ctx_group_run_interruptible);

/**
 * ctx_group_run_killable - as ctx_group_run(), where a fatal signal ends the wait
 * @group: the group; as with ctx_group_run()
 * @fn: the function; as with ctx_group_run()
 * @data: passed to @fn
 * @fmt: printf-style name of the thread
 *
 * Ordering: as with ctx_group_run().
 *
 * Context: Process; sleeps (S18).
 * Return: as ctx_group_run(), or -ERESTARTSYS if a fatal signal ended the wait.
 */
int ctx_group_run_killable(struct ctx_group *group, int (*fn)(struct ctx *ctx, void *data),
			   void *data, const char *fmt, ...)
{
	struct va_format name = { .fmt = fmt };
	va_list args;
	int err;

	va_start(args, fmt);
	name.va = &args;
	err = ctx_group_run_in(group, TASK_KILLABLE, fn, data, &name);
	va_end(args);
	return err;
}
EXPORT_SYMBOL_GPL(ctx_group_run_killable);

static int ctx_group_lock_joining(struct ctx_group *group, unsigned int state)
{
	if (state == TASK_INTERRUPTIBLE)
		return mutex_lock_interruptible(&group->joining) ? -ERESTARTSYS : 0;
	if (state == TASK_KILLABLE)
		return mutex_lock_killable(&group->joining) ? -ERESTARTSYS : 0;
	mutex_lock(&group->joining);
	return 0;
}

/**
 * __ctx_group_wait - behind ctx_group_wait() and its forms
 * @group: the group
 * @state: the task state to wait in
 *
 * Ordering: as with ctx_group_wait().
 *
 * Context: Process; sleeps (S18).
 * Return: as ctx_group_wait(), or -ERESTARTSYS if a signal came first that ends @state.
 */
int __ctx_group_wait(struct ctx_group *group, unsigned int state)
{
	int err;

	might_sleep();
	if (IS_ERR_OR_NULL(group))
		return group ? PTR_ERR(group) : -EINVAL;
	if (ctx_group_is_inside(group)) {
		pr_warn_once("ctx_group_wait() called from a thread of that group: it does not wait there\n");
		return -EDEADLK;
	}
	err = ctx_group_lock_joining(group, state);
	if (err)
		return err;
	while (!err && ctx_group_unjoined(group))
		err = ctx_group_join_one(group, state);
	mutex_unlock(&group->joining);
	return err ?: READ_ONCE(group->err);
}
EXPORT_SYMBOL_GPL(__ctx_group_wait);

/**
 * ctx_group_put - give back a group
 * @group: the group; NULL and ERR_PTR are ignored; nobody else may be using it but
 *	its own threads
 *
 * Does not wait for functions that are running, and does not cancel them: they go
 * on, with their context, and this module stays with them. When the last has
 * returned the context is cancelled, and all of it is gone. Who wants them to end
 * cancels ctx_group_ctx() first; who wants to know that they have, as before the
 * module goes that they are in, calls ctx_group_wait() first.
 *
 * Ordering: what was written before, and what the functions wrote, is visible to
 * whoever sees the context done by this (S16).
 *
 * Context: Process; sleeps until those whose functions have returned have left (S18).
 */
void ctx_group_put(struct ctx_group *group)
{
	bool over;

	might_sleep();
	if (IS_ERR_OR_NULL(group))
		return;
	spin_lock(&group->lock);
	group->put = true;
	over = !group->running;
	spin_unlock(&group->lock);
	if (over)
		ctx_group_free(group);
}
EXPORT_SYMBOL_GPL(ctx_group_put);

/* Until those that were given back, and are over, are gone. */
void ctx_group_flush(void)
{
	flush_work(&ctx_groups_work);
}
