// SPDX-License-Identifier: GPL-2.0
/*
 * A driver that takes contexts from processes and gives them out, for driver_test.
 * It knows one thing that no driver can know: the key of a process's value.
 */
#include <linux/completion.h>
#include <linux/cred.h>
#include <linux/ctx.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/hrtimer.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>

#include "../../internal.h"
#include "driver.h"

/* A call in an interrupt. */
struct driver_call {
	struct hrtimer timer;
	void (*fn)(void *arg);
	void *arg;
	struct completion called;
};

static enum hrtimer_restart driver_called(struct hrtimer *timer)
{
	struct driver_call *call = container_of(timer, struct driver_call, timer);

	call->fn(call->arg);
	complete(&call->called);
	return HRTIMER_NORESTART;
}

static void driver_call_in(enum hrtimer_mode mode, void (*fn)(void *arg), void *arg)
{
	struct driver_call *call = kzalloc(sizeof(*call), GFP_KERNEL | __GFP_NOFAIL);

	call->fn = fn;
	call->arg = arg;
	init_completion(&call->called);
	hrtimer_setup(&call->timer, driver_called, CLOCK_MONOTONIC, mode);
	hrtimer_start(&call->timer, 0, mode);
	wait_for_completion(&call->called);
	hrtimer_cancel(&call->timer);
	kfree(call);
}

static void driver_call_locked(void (*fn)(void *arg), void *arg)
{
	static DEFINE_SPINLOCK(lock);

	spin_lock_irq(&lock);
	fn(arg);
	spin_unlock_irq(&lock);
}

static long driver_call(u32 where, void (*fn)(void *arg), void *arg)
{
	switch (where) {
	case CTX_DRIVER_TASK:
		fn(arg);
		return 0;
	case CTX_DRIVER_HANDLER:
		driver_call_in(HRTIMER_MODE_REL, fn, arg);
		return 0;
	case CTX_DRIVER_SOFTIRQ:
		driver_call_in(HRTIMER_MODE_REL_SOFT, fn, arg);
		return 0;
	case CTX_DRIVER_LOCKED:
		driver_call_locked(fn, arg);
		return 0;
	}
	return -EINVAL;
}

static DEFINE_MUTEX(driver_lock);
static struct ctx *driver_kept;
static int driver_key;

/* What would be read if a driver's value were taken for a process's. */
static const struct {
	struct ctx_bytes bytes;
	u8 data[7];
} driver_secret = {
	.bytes = { .key_len = 1, .value_len = 6 },
	.data = "ksecret",
};

/* Returns what it has kept so far. */
static struct ctx *driver_swap(struct ctx *ctx)
{
	mutex_lock(&driver_lock);
	swap(driver_kept, ctx);
	mutex_unlock(&driver_lock);
	return ctx;
}

static void driver_keep(struct ctx *ctx)
{
	ctx_put(driver_swap(ctx));
}

static void driver_put(void *ctx)
{
	ctx_put(ctx);
}

static long driver_drop(const struct ctx_driver_arg *arg)
{
	return driver_call(arg->where, driver_put, driver_swap(NULL));
}

static long driver_take(struct ctx_driver_arg *arg)
{
	struct ctx *ctx = ctx_get_from_fd(arg->fd, arg->rights);

	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	ctx_describe(ctx, arg->path, sizeof(arg->path));
	ctx_put(ctx);
	return 0;
}

/* As a driver does it whose operation is to end with its caller. */
static long driver_wait(struct ctx_driver_arg *arg)
{
	struct ctx *parent = ctx_get_from_fd(arg->fd, CTX_RIGHT_DERIVE);
	struct ctx *ctx = ctx_with_cancel(parent, GFP_KERNEL);
	long err;

	ctx_put(parent);
	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	err = ctx_wait_interruptible(ctx);
	if (err != -ERESTARTSYS)
		err = ctx_cause(ctx);
	ctx_put(ctx);
	return err;
}

static struct ctx *driver_chain(struct ctx *parent, u32 count)
{
	struct ctx *ctx = ctx_get(parent), *child;

	while (count--) {
		child = ctx_with_cancel(ctx, GFP_KERNEL);
		ctx_put(ctx);
		ctx = child;
	}
	return ctx;
}

static struct ctx *driver_shadow(struct ctx *value)
{
	const void *key = container_of(value, struct ctx_value, node)->key;

	/* What a process has put there is nothing that the kernel looks up. */
	if (value->kind & CTX_F_USER && ctx_value(value, key))
		return ERR_PTR(-EEXIST);
	return ctx_with_value(value, key, (void *)&driver_secret, NULL, GFP_KERNEL);
}

static struct ctx *driver_make_below(struct ctx *parent, const struct ctx_driver_arg *arg)
{
	switch (arg->what) {
	case CTX_DRIVER_CANCEL:
		return ctx_with_cancel(parent, GFP_KERNEL);
	case CTX_DRIVER_VALUE:
		return ctx_with_value(parent, &driver_key, &driver_key, NULL, GFP_KERNEL);
	case CTX_DRIVER_WITHOUT:
		return ctx_without_cancel(parent, GFP_KERNEL);
	case CTX_DRIVER_CHAIN:
		return driver_chain(parent, arg->count);
	case CTX_DRIVER_SHADOW:
		return driver_shadow(parent);
	case CTX_DRIVER_SAME:
		return ctx_get(parent);
	}
	return ERR_PTR(-EINVAL);
}

/* A look-up of somebody's ambient context, in an interrupt. */
struct driver_look {
	struct task_struct *task;
	struct ctx *ctx;
};

static void driver_look(void *arg)
{
	struct driver_look *look = arg;

	look->ctx = ctx_of_task(look->task);
}

static struct ctx *driver_look_in(struct task_struct *task, enum hrtimer_mode mode)
{
	struct driver_look look = { .task = task };

	driver_call_in(mode, driver_look, &look);
	return look.ctx;
}

/* What each kind of interrupt finds is what a task does. */
static struct ctx *driver_ambient(pid_t nr)
{
	struct pid *pid = nr ? find_get_pid(nr) : get_task_pid(current, PIDTYPE_PID);
	struct task_struct *task = get_pid_task(pid, PIDTYPE_PID);
	struct ctx *ctx, *hard, *soft;

	put_pid(pid);
	if (!task)
		return ERR_PTR(-ESRCH);
	ctx = ctx_of_task(task);
	hard = driver_look_in(task, HRTIMER_MODE_REL_HARD);
	soft = driver_look_in(task, HRTIMER_MODE_REL_SOFT);
	put_task_struct(task);
	ctx_put(hard);
	ctx_put(soft);
	if (hard == ctx && soft == ctx)
		return ctx;
	ctx_put(ctx);
	return ERR_PTR(-EILSEQ);
}

static struct ctx *driver_make(const struct ctx_driver_arg *arg)
{
	struct ctx *parent, *ctx;

	switch (arg->what) {
	case CTX_DRIVER_BACKGROUND:
		return ctx_background();
	case CTX_DRIVER_TODO:
		return ctx_todo();
	case CTX_DRIVER_AMBIENT:
		return driver_ambient(arg->count);
	case CTX_DRIVER_NULL:
		return NULL;
	case CTX_DRIVER_ERROR:
		return ERR_PTR(-EXDEV);
	}
	parent = arg->fd < 0 ? ctx_background() : ctx_get_from_fd(arg->fd, 0);
	if (IS_ERR(parent))
		return parent;
	ctx = driver_make_below(parent, arg);
	ctx_put(parent);
	return ctx;
}

static long driver_give(struct ctx_driver_arg *arg)
{
	struct ctx *ctx = driver_make(arg);
	int fd = ctx_install_fd(ctx, arg->rights, arg->flags);

	if (!IS_ERR_OR_NULL(ctx))
		driver_keep(ctx);
	return fd;
}

static long driver_show(struct ctx_driver_arg *arg)
{
	mutex_lock(&driver_lock);
	if (driver_kept) {
		arg->cause = ctx_cause(driver_kept);
		ctx_describe(driver_kept, arg->path, sizeof(arg->path));
	}
	mutex_unlock(&driver_lock);
	return 0;
}

static long driver_end(struct ctx_driver_arg *arg)
{
	long err;

	mutex_lock(&driver_lock);
	err = ctx_cancel_cause(driver_kept, arg->cause);
	mutex_unlock(&driver_lock);
	return err;
}

static long driver_end_sync(void)
{
	mutex_lock(&driver_lock);
	ctx_cancel_sync(driver_kept);
	mutex_unlock(&driver_lock);
	return 0;
}

static struct ctx_source driver_source;

static long driver_on_file(struct ctx_driver_arg *arg)
{
	struct ctx *ctx = ctx_with_cancel(ctx_background(), GFP_KERNEL);
	struct file *file = fget(arg->fd);
	long err = file ? PTR_ERR_OR_ZERO(ctx) : -EBADF;

	if (!err)
		err = ctx_cancel_on_file(ctx, file, (__force __poll_t)arg->flags, arg->cause,
					 &driver_source);
	if (file)
		fput(file);
	if (!IS_ERR(ctx))
		driver_keep(ctx);
	return err;
}

static void driver_detach(void *kept)
{
	*(bool *)kept = ctx_source_detach(&driver_source);
}

static long driver_off_file(const struct ctx_driver_arg *arg)
{
	bool kept;

	return driver_call(arg->where, driver_detach, &kept) ?: kept;
}

/* Several at a time, so that each has a worker of its own. */
struct driver_meeting {
	struct work_struct work[8];
	struct completion all;
	atomic_t missing;
	atomic_t strange;
};

static struct driver_meeting driver_meeting;

static bool driver_is_strange(void)
{
#ifdef CONFIG_MEMCG
	if (current->active_memcg)
		return true;
#endif
	return !uid_eq(current_fsuid(), GLOBAL_ROOT_UID);
}

static void driver_meet(struct work_struct *work)
{
	if (driver_is_strange())
		atomic_inc(&driver_meeting.strange);
	if (atomic_dec_and_test(&driver_meeting.missing))
		complete_all(&driver_meeting.all);
	wait_for_completion(&driver_meeting.all);
}

/* Those of a queue of this kind are the same as those that ctx has works done by. */
static long driver_workers(void)
{
	struct workqueue_struct *wq = alloc_workqueue("ctx_driver", WQ_UNBOUND, 0);
	int i, strange;

	if (!wq)
		return -ENOMEM;
	mutex_lock(&driver_lock);
	init_completion(&driver_meeting.all);
	atomic_set(&driver_meeting.missing, ARRAY_SIZE(driver_meeting.work));
	atomic_set(&driver_meeting.strange, 0);
	for (i = 0; i < ARRAY_SIZE(driver_meeting.work); i++) {
		INIT_WORK(&driver_meeting.work[i], driver_meet);
		queue_work(wq, &driver_meeting.work[i]);
	}
	destroy_workqueue(wq);
	strange = atomic_read(&driver_meeting.strange);
	mutex_unlock(&driver_lock);
	return strange ? -EPERM : 0;
}

static long driver_do(unsigned int cmd, struct ctx_driver_arg *arg)
{
	switch (cmd) {
	case CTX_DRIVER_TAKE:
		return driver_take(arg);
	case CTX_DRIVER_WAIT:
		return driver_wait(arg);
	case CTX_DRIVER_GIVE:
		return driver_give(arg);
	case CTX_DRIVER_END:
		return driver_end(arg);
	case CTX_DRIVER_SHOW:
		return driver_show(arg);
	case CTX_DRIVER_DROP:
		return driver_drop(arg);
	case CTX_DRIVER_WORKERS:
		return driver_workers();
	case CTX_DRIVER_ON_FILE:
		return driver_on_file(arg);
	case CTX_DRIVER_OFF_FILE:
		return driver_off_file(arg);
	case CTX_DRIVER_END_SYNC:
		return driver_end_sync();
	}
	return -ENOTTY;
}

static long driver_ioctl(struct file *file, unsigned int cmd, unsigned long argp)
{
	struct ctx_driver_arg arg;
	long ret;

	if (copy_from_user(&arg, (void __user *)argp, sizeof(arg)))
		return -EFAULT;
	ret = driver_do(cmd, &arg);
	return copy_to_user((void __user *)argp, &arg, sizeof(arg)) ? -EFAULT : ret;
}

static const struct file_operations driver_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = driver_ioctl,
};

static struct miscdevice driver_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "ctx_driver",
	.fops = &driver_fops,
	.mode = 0666,
};

static int __init test_driver_init(void)
{
	return misc_register(&driver_device);
}
module_init(test_driver_init);

static void __exit test_driver_exit(void)
{
	misc_deregister(&driver_device);
	ctx_source_detach(&driver_source);
	driver_keep(NULL);
}
module_exit(test_driver_exit);

MODULE_DESCRIPTION("A driver that takes contexts and gives them, for tests");
MODULE_LICENSE("GPL");
