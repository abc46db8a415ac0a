// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/ctx: contexts as files. A file holds a reference on its context and the
 * rights that whoever has it may use. Several files may show one context; the
 * last one that holds CTX_RIGHT_CANCEL cancels it when it is closed, so that
 * what a process started does not outlive it unnoticed.
 */
#include <linux/anon_inodes.h>
#include <linux/compat.h>
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pid_namespace.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/uaccess.h>
#include <linux/uio.h>
#include <uapi/linux/ctx.h>

#include "internal.h"

/* What every file has that can have it; CANCEL takes something to cancel. */
#define CTX_RIGHTS_ROOT	(CTX_RIGHT_DERIVE | CTX_RIGHT_VALUE | CTX_RIGHT_OBSERVE)

static_assert(CTX_COMM_LEN == TASK_COMM_LEN);
static_assert(CTX_CAUSE_MAX == MAX_ERRNO);

static const struct file_operations ctx_fops;
static struct kmem_cache *ctx_file_cache;

/* Bits of ->watched: see ctx_file_watch() and ctx_file_signal(). */
#define CTX_FILE_WATCHED	0
#define CTX_FILE_SIGNALLED	1

/* The count of files that hold CTX_RIGHT_CANCEL; NULL where nobody counts. */
static atomic_t *ctx_file_cancellers(const struct ctx_file *cf)
{
	struct ctx_user *user = ctx_user_of(cf->ctx);

	return user ? &user->cancellers : cf->cancellers;
}

/* Takes over the reference on @ctx. */
static struct ctx_file *ctx_file_start(struct ctx_file *cf, struct ctx *ctx, u32 rights)
{
	cf->ctx = ctx;
	cf->rights = rights;
	cf->watched = 0;
	if (rights & CTX_RIGHT_CANCEL && ctx_file_cancellers(cf))
		atomic_inc(ctx_file_cancellers(cf));
	return cf;
}

/* As ctx_file_start(), unless it fails. @cancellers: see ctx_install(). */
static struct ctx_file *ctx_file_alloc(struct ctx *ctx, u32 rights, atomic_t *cancellers)
{
	struct ctx_file *cf = kmem_cache_alloc(ctx_file_cache, GFP_KERNEL);

	if (!cf)
		return ERR_PTR(-ENOMEM);
	cf->cancellers = cancellers;
	return ctx_file_start(cf, ctx, rights);
}

/* The process that made it need not be alive: whoever closes last, cancels. */
void ctx_drop_canceller(struct ctx *ctx, atomic_t *cancellers)
{
	static const struct ctx_by by = { .err = -ECANCELED, .cause = -EOWNERDEAD };
	struct ctx_user *user = ctx_user_of(ctx);

	if (!atomic_dec_and_test(cancellers))
		return;
	if (!user || !user->keep)
		ctx_cancel_scope(ctx_scope(ctx), &by, CTX_CANCEL_YIELDING);
	if (!user)
		kfree(cancellers);
}

static void ctx_file_free(struct ctx_file *cf)
{
	const struct ctx_user *user = ctx_user_of(cf->ctx);
	const bool embedded = user && cf == &user->file;

	if (cf->watched)
		ctx_callback_remove_sync(cf->ctx, &cf->cb);
	if (cf->rights & CTX_RIGHT_CANCEL && ctx_file_cancellers(cf))
		ctx_drop_canceller(cf->ctx, ctx_file_cancellers(cf));
	ctx_put(cf->ctx);
	if (!embedded)
		kmem_cache_free(ctx_file_cache, cf);
}

static int ctx_file_release(struct inode *inode, struct file *file)
{
	ctx_file_free(file->private_data);
	return 0;
}

static int ctx_file_open(struct inode *inode, struct file *file)
{
	struct ctx_file *cf = ctx_file_alloc(ctx_background(), CTX_RIGHTS_ROOT, NULL);

	if (IS_ERR(cf))
		return PTR_ERR(cf);
	file->private_data = cf;
	file->f_mode |= FMODE_NOWAIT;
	return nonseekable_open(inode, file);
}

/* NULL if @file is something else. */
struct ctx_file *ctx_file_of(const struct file *file)
{
	return file->f_op == &ctx_fops ? file->private_data : NULL;
}

/* A new descriptor; takes over @cf. */
static int ctx_install_file(struct ctx_file *cf, u32 flags)
{
	struct file *file;
	int fd;

	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		goto err_file;
	file = anon_inode_getfile("[ctx]", &ctx_fops, cf, O_RDONLY | flags);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		fd = PTR_ERR(file);
		goto err_file;
	}
	file->f_mode |= FMODE_NOWAIT;
	fd_install(fd, file);
	return fd;

err_file:
	ctx_file_free(cf);
	return fd;
}

/*
 * A descriptor of a context that others have as well, with O_NONBLOCK or 0 for
 * @flags; takes over the reference. @cancellers: where the files of a context that
 * no process made are counted, if the last one is to cancel it.
 */
int ctx_install(struct ctx *ctx, u32 rights, atomic_t *cancellers, u32 flags)
{
	struct ctx_file *cf = ctx_file_alloc(ctx, rights, cancellers);

	if (IS_ERR(cf)) {
		ctx_put(ctx);
		return PTR_ERR(cf);
	}
	return ctx_install_file(cf, flags);
}

/* The first descriptor of a context that was just made; takes over the reference. */
static int ctx_install_new(struct ctx *ctx, u32 rights)
{
	struct ctx_user *user;
	struct ctx_file *cf;

	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	user = ctx_user_of(ctx);
	cf = ctx_file_start(&user->file, ctx, rights);
	/* Not before: whoever finds it may be counted as its only canceller. */
	ctx_id_publish(user);
	return ctx_install_file(cf, 0);
}

static bool ctx_is_queue_long(const struct wait_queue_head *wait)
{
	return wait->head.next != wait->head.prev;
}

/* Done: the signal that was asked for, once. */
static noinline void ctx_file_signal(struct ctx_file *cf)
{
	if (!test_and_set_bit(CTX_FILE_SIGNALLED, &cf->watched))
		kill_fasync(&cf->fasync, SIGIO, POLL_IN);
}

/*
 * One who polls, as most have, is woken under the lock taken here: wake_up_poll()
 * would be 45 instructions more, for stopping halfway through a long queue. Where
 * there are more that is what is wanted (S19); it does so before 6.7.
 */
static void ctx_file_wake(struct ctx *ctx, struct ctx_callback *cb)
{
	struct ctx_file *cf = container_of(cb, struct ctx_file, cb);
	unsigned long flags;

	spin_lock_irqsave(&cf->wait.lock, flags);
	if (likely(!ctx_is_queue_long(&cf->wait))) {
		wake_up_locked_poll(&cf->wait, EPOLLIN | EPOLLRDNORM);
		spin_unlock_irqrestore(&cf->wait.lock, flags);
	} else {
		spin_unlock_irqrestore(&cf->wait.lock, flags);
		wake_up_poll(&cf->wait, EPOLLIN | EPOLLRDNORM);
	}
	if (unlikely(READ_ONCE(cf->fasync)))
		ctx_file_signal(cf);
}

/* Registered once; done already, it wakes those who looked before it was set. */
static void ctx_file_watch(struct ctx_file *cf)
{
	if (test_and_set_bit(CTX_FILE_WATCHED, &cf->watched))
		return;
	if (ctx_callback_add(cf->ctx, &cf->cb, ctx_file_wake) == -ENOENT)
		ctx_file_wake(cf->ctx, &cf->cb);
}

static __poll_t ctx_file_poll(struct file *file, poll_table *pt)
{
	struct ctx_file *cf = file->private_data;

	if (!(cf->rights & CTX_RIGHT_OBSERVE))
		return EPOLLERR;
	poll_wait(file, &cf->wait, pt);
	ctx_file_watch(cf);
	return ctx_is_done(cf->ctx) ? EPOLLIN | EPOLLRDNORM : 0;
}

/*
 * O_ASYNC is set, or taken away; fcntl(2) says who gets the signal, and the kernel
 * looks whether he may. It comes at once if the context is done already.
 */
static int ctx_file_fasync(int fd, struct file *file, int on)
{
	struct ctx_file *cf = file->private_data;
	int err;

	if (on && !(cf->rights & CTX_RIGHT_OBSERVE))
		return -EPERM;
	err = fasync_helper(fd, file, on, &cf->fasync);
	if (err < 0 || !on) {
		clear_bit(CTX_FILE_SIGNALLED, &cf->watched);
		return err;
	}
	ctx_file_watch(cf);
	/*
	 * The callback may have been registered by a poll. If it has this lock after
	 * us, it sees what was added; if before, we see that the context is done.
	 */
	spin_lock_irq(&cf->wait.lock);
	spin_unlock_irq(&cf->wait.lock);
	if (ctx_is_done(cf->ctx) && READ_ONCE(cf->fasync))
		ctx_file_signal(cf);
	return err;
}

/* Who ended it, as the current task's pid namespace numbers him. */
static u32 ctx_origin_vpid(const struct ctx_origin *origin)
{
	return ctx_pid_nr(ctx_scope(origin->ctx)->pid, task_active_pid_ns(current));
}

static void ctx_fill_event(const struct ctx_file *cf, struct ctx_event *event)
{
	struct ctx_origin origin;

	ctx_origin(cf->ctx, &origin);
	memset(event, 0, sizeof(*event));
	event->id = ctx_user_id(cf->ctx);
	event->origin_id = ctx_user_id(origin.ctx);
	event->time = ktime_to_ns(ctx_time_for_task(origin.time));
	event->err = -origin.err;
	event->cause = -origin.cause;
	event->pid = ctx_origin_vpid(&origin);
	memcpy(event->comm, origin.comm, sizeof(event->comm));
}

static ssize_t ctx_file_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct file *file = iocb->ki_filp;
	struct ctx_file *cf = file->private_data;
	struct ctx_event event;

	if (!(cf->rights & CTX_RIGHT_OBSERVE))
		return -EPERM;
	if (iov_iter_count(to) < sizeof(event))
		return -EINVAL;
	if (!ctx_is_done(cf->ctx)) {
		if (file->f_flags & O_NONBLOCK || iocb->ki_flags & IOCB_NOWAIT)
			return -EAGAIN;
		if (ctx_wait_interruptible(cf->ctx) == -ERESTARTSYS)
			return -ERESTARTSYS;
	}
	ctx_fill_event(cf, &event);
	return copy_to_iter(&event, sizeof(event), to) == sizeof(event) ? sizeof(event) : -EFAULT;
}

/* The arguments of all requests, and what they have in common. */
union ctx_arg {
	u32 size;
	struct ctx_ioc_derive derive;
	struct ctx_ioc_value value;
	struct ctx_ioc_cancel cancel;
	struct ctx_ioc_info info;
	struct ctx_ioc_restrict restrict_to;
	struct ctx_ioc_open open;
	struct ctx_ioc_next next;
	struct ctx_ioc_link link;
	struct ctx_ioc_watch watch;
	struct ctx_ioc_on_done on_done;
	struct ctx_ioc_bind bind;
};

/* A child has what its maker may pass on, and a say of its own. */
static u32 ctx_child_rights(const struct ctx_file *cf, u32 own)
{
	return own | CTX_RIGHT_DERIVE | CTX_RIGHT_OBSERVE | (cf->rights & CTX_RIGHT_VALUE);
}

static bool ctx_clock_valid(u32 clock)
{
	return clock == CLOCK_MONOTONIC || clock == CLOCK_BOOTTIME || clock == CLOCK_REALTIME;
}

/* What the time in @arg means; without one, there must be nothing about it. */
static int ctx_parse_when(const struct ctx_ioc_derive *arg, struct ctx_when *when)
{
	const u32 timed = arg->flags & (CTX_DERIVE_DEADLINE | CTX_DERIVE_TIMEOUT);

	*when = (struct ctx_when){ .time = CTX_NEVER };
	if (!timed)
		return arg->time || arg->clock || arg->cause ? -EINVAL : 0;
	if (timed == (CTX_DERIVE_DEADLINE | CTX_DERIVE_TIMEOUT) || arg->time > KTIME_MAX ||
	    !ctx_clock_valid(arg->clock) || arg->cause > CTX_CAUSE_MAX)
		return -EINVAL;
	when->clock = arg->clock;
	when->cause = arg->cause ? -(int)arg->cause : -ETIMEDOUT;
	if (timed == CTX_DERIVE_TIMEOUT)
		when->time = ktime_add_safe(ctx_clock_now(arg->clock), arg->time);
	else
		when->time = ctx_time_of_task(arg->clock, arg->time);
	return 0;
}

static long ctx_ioc_derive(struct ctx_file *cf, union ctx_arg *arg)
{
	const u32 flags = arg->derive.flags;
	struct ctx_when when;
	int err;

	if (flags & ~(CTX_DERIVE_DEADLINE | CTX_DERIVE_TIMEOUT | CTX_DERIVE_WITHOUT_CANCEL |
		      CTX_DERIVE_KEEP))
		return -EINVAL;
	if (flags & CTX_DERIVE_WITHOUT_CANCEL && flags != CTX_DERIVE_WITHOUT_CANCEL)
		return -EINVAL;
	err = ctx_parse_when(&arg->derive, &when);
	if (err)
		return err;
	if (flags & CTX_DERIVE_WITHOUT_CANCEL)
		return ctx_install_new(ctx_user_without_cancel(cf->ctx), ctx_child_rights(cf, 0));
	return ctx_install_new(ctx_user_with_cancel(cf->ctx, &when, flags & CTX_DERIVE_KEEP),
			       ctx_child_rights(cf, CTX_RIGHT_CANCEL));
}

static int ctx_check_key(const struct ctx_ioc_value *arg)
{
	return arg->flags || !arg->key_len || arg->key_len > CTX_KEY_MAX ? -EINVAL : 0;
}

static struct ctx_bytes *ctx_copy_bytes(const struct ctx_ioc_value *arg)
{
	struct ctx_bytes *bytes = kmalloc(sizeof(*bytes) + arg->key_len + arg->value_len,
					  GFP_KERNEL_ACCOUNT);

	if (!bytes)
		return ERR_PTR(-ENOMEM);
	bytes->key_len = arg->key_len;
	bytes->value_len = arg->value_len;
	if (copy_from_user(bytes->data, u64_to_user_ptr(arg->key), arg->key_len) ||
	    copy_from_user(bytes->data + arg->key_len, u64_to_user_ptr(arg->value),
			   arg->value_len)) {
		kfree(bytes);
		return ERR_PTR(-EFAULT);
	}
	return bytes;
}

static long ctx_ioc_with_value(struct ctx_file *cf, union ctx_arg *arg)
{
	struct ctx_bytes *bytes;
	struct ctx *ctx;

	if (ctx_check_key(&arg->value) || arg->value.value_len > CTX_VALUE_MAX)
		return -EINVAL;
	bytes = ctx_copy_bytes(&arg->value);
	if (IS_ERR(bytes))
		return PTR_ERR(bytes);
	ctx = ctx_user_with_value(cf->ctx, bytes);
	if (IS_ERR(ctx))
		kfree(bytes);
	return ctx_install_new(ctx, ctx_child_rights(cf, 0));
}

static long ctx_ioc_value(struct ctx_file *cf, union ctx_arg *arg)
{
	const u32 room = arg->value.value_len;
	const struct ctx_bytes *bytes;
	u8 key[CTX_KEY_MAX];

	if (ctx_check_key(&arg->value))
		return -EINVAL;
	if (copy_from_user(key, u64_to_user_ptr(arg->value.key), arg->value.key_len))
		return -EFAULT;
	bytes = ctx_user_find(cf->ctx, key, arg->value.key_len);
	if (!bytes)
		return -ENOENT;
	arg->value.value_len = bytes->value_len;
	if (room < bytes->value_len)
		return -ENOSPC;
	if (copy_to_user(u64_to_user_ptr(arg->value.value), bytes->data + bytes->key_len,
			 bytes->value_len))
		return -EFAULT;
	return 0;
}

static long ctx_ioc_cancel(struct ctx_file *cf, union ctx_arg *arg)
{
	const struct ctx_by by = {
		.err = -ECANCELED,
		.cause = arg->cancel.cause ? -(int)arg->cancel.cause : -ECANCELED,
	};

	if (arg->cancel.flags || arg->cancel.reserved || arg->cancel.cause > CTX_CAUSE_MAX)
		return -EINVAL;
	ctx_cancel_scope(ctx_scope(cf->ctx), &by, CTX_CANCEL_YIELDING);
	return 0;
}

static u64 ctx_parent_id(const struct ctx *ctx)
{
	return ctx->parent ? ctx_user_id(ctx->parent) : 0;
}

static void ctx_fill_maker(const struct ctx_user *user, struct ctx_ioc_info *info)
{
	info->id = ctx_user_id(&user->ctx);
	info->owner_uid = from_kuid_munged(current_user_ns(), user->owner);
	info->creator_pid = ctx_pid_nr(user->creator, task_active_pid_ns(current));
	info->info_flags |= user->keep ? CTX_INFO_KEEP : 0;
	memcpy(info->creator_comm, user->creator_comm, sizeof(info->creator_comm));
}

static void ctx_fill_origin(const struct ctx_origin *origin, struct ctx_ioc_info *info)
{
	info->info_flags |= CTX_INFO_DONE;
	info->origin_id = ctx_user_id(origin->ctx);
	info->done_time = ktime_to_ns(ctx_time_for_task(origin->time));
	info->err = -origin->err;
	info->cause = -origin->cause;
	info->origin_pid = ctx_origin_vpid(origin);
	memcpy(info->origin_comm, origin->comm, sizeof(info->origin_comm));
}

static long ctx_ioc_info(struct ctx_file *cf, union ctx_arg *arg)
{
	const struct ctx_user *user = ctx_user_of(cf->ctx);
	struct ctx_ioc_info *info = &arg->info;
	const u32 size = info->size;
	struct ctx_origin origin;
	ktime_t deadline;

	if (info->flags)
		return -EINVAL;
	memset(info, 0, sizeof(*info));
	info->size = size;
	info->rights = cf->rights;
	info->parent_id = ctx_parent_id(cf->ctx);
	info->depth = ctx_user_depth(cf->ctx);
	if (user) {
		ctx_fill_maker(user, info);
		ctx_on_done_fill(user, info);
	}
	if (ctx_deadline(cf->ctx, &deadline)) {
		info->info_flags |= CTX_INFO_DEADLINE;
		/* One on a clock that was set may lie before the others began. */
		deadline = ctx_time_for_task(max_t(ktime_t, 0, deadline));
		info->deadline = ktime_to_ns(deadline);
	}
	if (!ctx_origin(cf->ctx, &origin))
		ctx_fill_origin(&origin, info);
	return 0;
}

static long ctx_ioc_restrict(struct ctx_file *cf, union ctx_arg *arg)
{
	const u32 rights = arg->restrict_to.rights;

	if (arg->restrict_to.flags || arg->restrict_to.reserved ||
	    rights & ~(CTX_RIGHTS_ROOT | CTX_RIGHT_CANCEL))
		return -EINVAL;
	if (rights & ~cf->rights)
		return -EPERM;
	return ctx_install(ctx_get(cf->ctx), rights, ctx_file_cancellers(cf), 0);
}

/* What whoever may end a context by a signal gets: nobody's values (see the uapi). */
static u32 ctx_opened_rights(const struct ctx *ctx)
{
	return CTX_RIGHT_OBSERVE | CTX_RIGHT_DERIVE | (ctx_is_scope(ctx) ? CTX_RIGHT_CANCEL : 0);
}

/* What the caller runs under: without a say in how long, whoever bound it. */
static long ctx_open_ambient(u32 wanted)
{
	const u32 rights = CTX_RIGHT_OBSERVE | CTX_RIGHT_DERIVE;

	if (wanted & ~rights)
		return -EPERM;
	return ctx_install(ctx_of_task(current), wanted ?: rights, NULL, 0);
}

static long ctx_ioc_open(struct ctx_file *cf, union ctx_arg *arg)
{
	const u32 wanted = arg->open.rights;
	const u32 flags = arg->open.flags;
	struct ctx_user *user;
	u32 rights;

	if (flags & ~CTX_OPEN_AMBIENT || (flags && arg->open.id) || arg->open.reserved ||
	    wanted & ~(CTX_RIGHTS_ROOT | CTX_RIGHT_CANCEL))
		return -EINVAL;
	if (flags)
		return ctx_open_ambient(wanted);
	user = ctx_user_by_id(arg->open.id);
	if (IS_ERR(user))
		return PTR_ERR(user);
	rights = ctx_opened_rights(&user->ctx);
	if (wanted & ~rights) {
		ctx_put(&user->ctx);
		return -EPERM;
	}
	return ctx_install(&user->ctx, wanted ?: rights, NULL, 0);
}

/* Passes by what others made. */
static long ctx_ioc_next(struct ctx_file *cf, union ctx_arg *arg)
{
	struct ctx_user *user;

	if (arg->next.flags)
		return -EINVAL;
	user = ctx_user_next(arg->next.id, true);
	if (IS_ERR_OR_NULL(user))
		return user ? PTR_ERR(user) : -ENOENT;
	arg->next.id = ctx_user_id(&user->ctx);
	ctx_put(&user->ctx);
	return 0;
}

/* To the context that is open as @file. */
static int ctx_link_file(struct ctx_file *cf, struct file *file)
{
	const struct ctx_file *other = file->private_data;

	if (file->f_op != &ctx_fops)
		return -EINVAL;
	return other->rights & CTX_RIGHT_OBSERVE ? ctx_user_link(cf->ctx, other->ctx) : -EPERM;
}

static long ctx_ioc_link(struct ctx_file *cf, union ctx_arg *arg)
{
	struct file *file;
	int err;

	if (arg->link.flags || arg->link.reserved)
		return -EINVAL;
	file = fget(arg->link.fd);
	if (!file)
		return -EBADF;
	err = ctx_link_file(cf, file);
	fput(file);
	return err;
}

/* Events as poll(2) has them, of which not all are the same on every machine. */
static long ctx_ioc_watch(struct ctx_file *cf, union ctx_arg *arg)
{
	const struct ctx_ioc_watch *watch = &arg->watch;
	const u32 events = watch->events ?: POLLIN;
	struct file *file;
	int err;

	if (watch->flags || watch->reserved || watch->cause > CTX_CAUSE_MAX ||
	    events != mangle_poll(demangle_poll(events)))
		return -EINVAL;
	file = fget(watch->fd);
	if (!file)
		return -EBADF;
	if (ctx_file_of(file))
		err = ctx_link_file(cf, file);
	else
		err = ctx_watch_add(cf->ctx, file, demangle_poll(events),
				    watch->cause ? -(int)watch->cause : -ECANCELED);
	fput(file);
	return err;
}

static long ctx_ioc_on_done(struct ctx_file *cf, union ctx_arg *arg)
{
	const struct ctx_ioc_on_done *on_done = &arg->on_done;

	if (on_done->flags)
		return -EINVAL;
	return ctx_on_done_add(cf->ctx, on_done->fd, u64_to_user_ptr(on_done->data), on_done->len);
}

static long ctx_ioc_bind(struct ctx_file *cf, union ctx_arg *arg)
{
	if (arg->bind.flags || arg->bind.reserved)
		return -EINVAL;
	return ctx_ambient_bind(cf->ctx, arg->bind.fd);
}

/* One row per request: the structure it had when it was introduced, and has now. */
static const struct ctx_ioctl {
	long (*fn)(struct ctx_file *cf, union ctx_arg *arg);
	u32 rights;
	u16 min_size;
	u16 size;
	bool answers;		/* the structure is copied back */
} ctx_ioctls[] = {
#define CTX_IOCTL(cmd, _fn, _rights, type, last, _answers)			\
	[_IOC_NR(cmd)] = {							\
		.fn = (_fn),							\
		.rights = (_rights),						\
		.min_size = offsetofend(type, last),				\
		.size = sizeof(type),						\
		.answers = (_answers),						\
	}
	CTX_IOCTL(CTX_IOC_DERIVE, ctx_ioc_derive, CTX_RIGHT_DERIVE,
		  struct ctx_ioc_derive, cause, false),
	CTX_IOCTL(CTX_IOC_WITH_VALUE, ctx_ioc_with_value, CTX_RIGHT_DERIVE,
		  struct ctx_ioc_value, value_len, false),
	CTX_IOCTL(CTX_IOC_VALUE, ctx_ioc_value, CTX_RIGHT_VALUE,
		  struct ctx_ioc_value, value_len, true),
	CTX_IOCTL(CTX_IOC_CANCEL, ctx_ioc_cancel, CTX_RIGHT_CANCEL,
		  struct ctx_ioc_cancel, reserved, false),
	CTX_IOCTL(CTX_IOC_INFO, ctx_ioc_info, CTX_RIGHT_OBSERVE,
		  struct ctx_ioc_info, on_done_err, true),
	CTX_IOCTL(CTX_IOC_RESTRICT, ctx_ioc_restrict, 0,
		  struct ctx_ioc_restrict, reserved, false),
	CTX_IOCTL(CTX_IOC_OPEN, ctx_ioc_open, 0, struct ctx_ioc_open, reserved, false),
	CTX_IOCTL(CTX_IOC_NEXT, ctx_ioc_next, 0, struct ctx_ioc_next, id, true),
	CTX_IOCTL(CTX_IOC_LINK, ctx_ioc_link, CTX_RIGHT_CANCEL,
		  struct ctx_ioc_link, reserved, false),
	CTX_IOCTL(CTX_IOC_WATCH, ctx_ioc_watch, CTX_RIGHT_CANCEL,
		  struct ctx_ioc_watch, reserved, false),
	CTX_IOCTL(CTX_IOC_ON_DONE, ctx_ioc_on_done, CTX_RIGHT_OBSERVE,
		  struct ctx_ioc_on_done, fd, false),
	CTX_IOCTL(CTX_IOC_BIND, ctx_ioc_bind, CTX_RIGHT_DERIVE,
		  struct ctx_ioc_bind, reserved, false),
};

static const struct ctx_ioctl *ctx_find_ioctl(unsigned int cmd)
{
	if (cmd != _IO(CTX_IOC_MAGIC, _IOC_NR(cmd)) || _IOC_NR(cmd) >= ARRAY_SIZE(ctx_ioctls))
		return NULL;
	return ctx_ioctls[_IOC_NR(cmd)].fn ? &ctx_ioctls[_IOC_NR(cmd)] : NULL;
}

static long ctx_file_ioctl(struct file *file, unsigned int cmd, unsigned long argp)
{
	const struct ctx_ioctl *ioctl = ctx_find_ioctl(cmd);
	struct ctx_file *cf = file->private_data;
	void __user *uarg = (void __user *)argp;
	union ctx_arg arg;
	u32 size;
	long ret;

	if (!ioctl)
		return -ENOTTY;
	if (~cf->rights & ioctl->rights)
		return -EPERM;
	if (get_user(size, (u32 __user *)uarg))
		return -EFAULT;
	if (size < ioctl->min_size)
		return -EINVAL;
	/* As other extensible calls do: a caller may not have us look through more. */
	if (size > PAGE_SIZE)
		return -E2BIG;
	ret = copy_struct_from_user(&arg, ioctl->size, uarg, size);
	if (ret)
		return ret;
	/* It may have been changed since. */
	arg.size = size;
	ret = ioctl->fn(cf, &arg);
	if (ioctl->answers && (!ret || ret == -ENOSPC) &&
	    copy_to_user(uarg, &arg, min_t(size_t, size, ioctl->size)))
		return -EFAULT;
	return ret;
}

#ifdef CONFIG_PROC_FS
static void ctx_show_rights(struct seq_file *m, u32 rights)
{
	static const char * const names[] = { "cancel", "derive", "value", "observe" };
	const char *sep = "";
	int i;

	seq_puts(m, "ctx-rights:\t");
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		if (!(rights & BIT(i)))
			continue;
		seq_printf(m, "%s%s", sep, names[i]);
		sep = ",";
	}
	seq_putc(m, '\n');
}

static void ctx_show_path(struct seq_file *m, const struct ctx *ctx)
{
	int len = ctx_describe(ctx, NULL, 0);
	char *path = kvmalloc(len + 1, GFP_KERNEL_ACCOUNT);

	if (!path)
		return;
	ctx_describe(ctx, path, len + 1);
	seq_printf(m, "ctx-path:\t%s\n", path);
	kvfree(path);
}

static void ctx_show_state(struct seq_file *m, const struct ctx *ctx)
{
	struct ctx_origin origin;

	if (ctx_origin(ctx, &origin)) {
		seq_puts(m, "ctx-state:\tlive\n");
		return;
	}
	seq_printf(m, "ctx-state:\tdone err=%d cause=%d origin=%llu by=%u ", -origin.err,
		   -origin.cause, ctx_user_id(origin.ctx), ctx_origin_vpid(&origin));
	seq_escape(m, origin.comm, "\n\\");
	seq_putc(m, '\n');
}

static void ctx_file_show_fdinfo(struct seq_file *m, struct file *file)
{
	const struct ctx_file *cf = file->private_data;
	const bool observes = cf->rights & CTX_RIGHT_OBSERVE;

	seq_printf(m, "ctx-id:\t%llu\n", ctx_user_id(cf->ctx));
	if (observes)
		seq_printf(m, "ctx-parent:\t%llu\n", ctx_parent_id(cf->ctx));
	ctx_show_rights(m, cf->rights);
	if (!observes)
		return;
	ctx_show_path(m, cf->ctx);
	ctx_show_state(m, cf->ctx);
}
#endif

static const struct file_operations ctx_fops = {
	.owner = THIS_MODULE,
	.open = ctx_file_open,
	.release = ctx_file_release,
	.poll = ctx_file_poll,
	.fasync = ctx_file_fasync,
	.read_iter = ctx_file_read_iter,
	.unlocked_ioctl = ctx_file_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
#ifdef CONFIG_PROC_FS
	.show_fdinfo = ctx_file_show_fdinfo,
#endif
};

static struct miscdevice ctx_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "ctx",
	.fops = &ctx_fops,
	.mode = 0666,
};

static void ctx_file_ctor(void *object)
{
	struct ctx_file *cf = object;

	init_waitqueue_head(&cf->wait);
	cf->fasync = NULL;
}

int ctx_chardev_init(void)
{
	int err;

	ctx_file_cache = kmem_cache_create("ctx_file", sizeof(struct ctx_file), 0, SLAB_ACCOUNT,
					   ctx_file_ctor);
	if (!ctx_file_cache)
		return -ENOMEM;
	err = misc_register(&ctx_device);
	if (err)
		kmem_cache_destroy(ctx_file_cache);
	return err;
}

void ctx_chardev_exit(void)
{
	misc_deregister(&ctx_device);
	kmem_cache_destroy(ctx_file_cache);
}
