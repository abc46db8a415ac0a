// SPDX-License-Identifier: GPL-2.0
/*
 * On-dones: what the kernel writes to a file when a context is done, once, whether
 * the process that asked for it is alive or not.
 *
 * Each is a callback that queues a work. It holds no reference on the context, and
 * no file that is accepted here can hold one either: what is not a pipe, an
 * eventfd, an Internet socket or a cgroup's file might, in the end, hold the
 * context's own descriptor, and neither would ever be freed.
 *
 * Whoever takes the callback off owns the on-done from then on: the walk that
 * runs it, and then its work, or whoever drops the last reference on the context.
 */
#include <linux/cred.h>
#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/memcontrol.h>
#include <linux/net.h>
#include <linux/overflow.h>
#include <linux/poll.h>
#include <linux/sched/mm.h>
#include <linux/uaccess.h>
#include <net/sock.h>
#include <uapi/linux/ctx.h>

#include "internal.h"

/*
 * Those of one context. They outlive it while one is under way: referenced by the
 * context and by each of them.
 */
struct ctx_on_dones {
	refcount_t ref;
	spinlock_t lock;	/* protects all below */
	struct list_head list;	/* not tried yet, unless the context is gone */
	u32 asked;
	u32 tried;
	int err;		/* of the first that failed */
	/* Constant: */
	struct ctx_scope *scope;	/* where the callbacks are */
	const struct ctx *ctx;		/* an address only */
	u64 id;
};

struct ctx_on_done {
	struct ctx_callback cb;
	/* Its work is the write, or, if it comes to none, what lets go of the file. */
	struct ctx_release release;
	const struct ctx_on_done_kind *kind;
	struct ctx_on_dones *on_dones;
	struct list_head node;
	struct ctx_account *account;
	const struct cred *cred;
	struct mem_cgroup *memcg;	/* is charged for pages of pipes; NULL: nobody is */
	struct file *file;
	u32 len;
	u8 data[];
};

enum ctx_on_done_queue {
	CTX_QUEUE_TURNS,	/* see turn.c */
	CTX_QUEUE_SIGNAL,	/* whose turn does not depend on anybody's pipe */
	CTX_QUEUE_KILL,		/* ... nor on how many are signalled */
	CTX_QUEUES
};

static struct workqueue_struct *ctx_on_done_wq[CTX_QUEUES];

/* One kind of file that may be written to. */
struct ctx_on_done_kind {
	const char *name;
	bool (*is)(struct file *file);
	int (*write)(const struct ctx_on_done *od);
	enum ctx_on_done_queue queue;
	bool takes_data;
	bool reopened;
};

/* A file of a cgroup v2. Nothing there is ever renamed. */
bool ctx_is_cgroup_file(const struct file *file, const char *name)
{
	const struct dentry *dentry = file->f_path.dentry;

	return dentry->d_sb->s_magic == CGROUP2_SUPER_MAGIC &&
	       S_ISREG(file_inode(file)->i_mode) && !strcmp(dentry->d_name.name, name);
}

static bool ctx_is_cgroup_kill(struct file *file)
{
	return ctx_is_cgroup_file(file, "cgroup.kill");
}

/* kernel_write() would not; and here as there, nothing is added to a full one. */
static int ctx_write_eventfd(const struct ctx_on_done *od)
{
	struct eventfd_ctx *eventfd;

	if (!(vfs_poll(od->file, NULL) & EPOLLOUT))
		return -EAGAIN;
	eventfd = eventfd_ctx_fileget(od->file);
	eventfd_signal(eventfd);
	eventfd_ctx_put(eventfd);
	return 0;
}

/* What became of a write of which only a part may have found room. */
static int ctx_written(const struct ctx_on_done *od, ssize_t written)
{
	if (written < 0)
		return written;
	return written < od->len ? -EAGAIN : 0;
}

static int ctx_write_file(const struct ctx_on_done *od)
{
	loff_t pos = 0;

	return ctx_written(od, kernel_write(od->file, od->data, od->len, &pos));
}

static int ctx_write_inet(const struct ctx_on_done *od)
{
	struct kvec vec = { .iov_base = (void *)od->data, .iov_len = od->len };
	struct msghdr msg = { .msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL };

	if (!IS_ENABLED(CONFIG_INET))
		return -EOPNOTSUPP;
	return ctx_written(od, kernel_sendmsg(sock_from_file(od->file), &msg, &vec, 1, od->len));
}

static const struct ctx_on_done_kind ctx_on_done_kinds[] = {
	{
		.name = "eventfd",
		.is = ctx_is_eventfd,
		.write = ctx_write_eventfd,
		.queue = CTX_QUEUE_SIGNAL,
	}, {
		.name = "pipe",
		.is = ctx_is_pipe,
		.write = ctx_write_file,
		.takes_data = true,
		.reopened = true,
	}, {
		.name = "socket",
		.is = ctx_is_inet,
		.write = ctx_write_inet,
		.takes_data = true,
	}, {
		.name = "cgroup.kill",
		.is = ctx_is_cgroup_kill,
		.write = ctx_write_file,
		.queue = CTX_QUEUE_KILL,
	},
};

static const struct ctx_on_done_kind *ctx_on_done_kind(struct file *file)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(ctx_on_done_kinds); i++)
		if (ctx_on_done_kinds[i].is(file))
			return &ctx_on_done_kinds[i];
	return NULL;
}

static int ctx_on_done_check(const struct ctx_on_done_kind *kind, const struct file *file, u32 len)
{
	if (!kind)
		return -EINVAL;
	if (!(file->f_mode & FMODE_WRITE))
		return -EBADF;
	if (kind->takes_data ? !len || len > CTX_ON_DONE_MAX : len)
		return -EINVAL;
	return 0;
}

static void ctx_on_dones_put(struct ctx_on_dones *on_dones)
{
	if (refcount_dec_and_test(&on_dones->ref))
		kfree(on_dones);
}

/* Without its file, and what is charged for that. */
static void ctx_on_done_free(struct ctx_on_done *od)
{
	mem_cgroup_put(od->memcg);
	put_cred(od->cred);
	if (od->on_dones)
		ctx_on_dones_put(od->on_dones);
	kfree(od);
}

static void ctx_on_done_released(struct ctx_release *release)
{
	ctx_on_done_free(container_of(release, struct ctx_on_done, release));
}

/* Nothing is written. In any context but a hard interrupt. */
static void ctx_on_done_drop(struct ctx_on_done *od)
{
	ctx_release_file(&od->release, od->file, NULL, od->account, ctx_on_done_released);
}

static void ctx_on_done_report(struct ctx_on_done *od, int err)
{
	struct ctx_on_dones *on_dones = od->on_dones;

	spin_lock_irq(&on_dones->lock);
	list_del_init(&od->node);
	on_dones->tried++;
	if (!on_dones->err)
		on_dones->err = err;
	spin_unlock_irq(&on_dones->lock);
}

static void ctx_on_done_write(struct ctx_on_done *od)
{
	const struct cred *old = override_creds(od->cred);
	struct mem_cgroup *old_memcg = set_active_memcg(od->memcg);
	int err = od->kind->write(od);

	set_active_memcg(old_memcg);
	revert_creds(old);
	/* Before the outcome is seen by other means. */
	if (ctx_is_traced())
		ctx_trace_on_done(od->on_dones->ctx, od->on_dones->id, od->kind->name, err);
	ctx_on_done_report(od, err);
}

/* Letting go of the file may be held up as much as the write. */
static void ctx_on_done_work(struct work_struct *work)
{
	struct ctx_on_done *od = container_of(work, struct ctx_on_done, release.turn.work);
	struct ctx_account *account = od->account;
	const bool turns = od->kind->queue == CTX_QUEUE_TURNS;

	if (turns && !ctx_turn_begin(&od->release.turn))
		return;
	ctx_on_done_write(od);
	ctx_file_let_go(od->file, NULL);
	if (turns)
		ctx_turn_end(&od->release.turn);
	ctx_on_done_free(od);
	ctx_account_uncharge(CTX_CHARGE_FILE, account);
}

static void ctx_on_done_queue(struct ctx_on_done *od)
{
	if (od->kind->queue == CTX_QUEUE_TURNS) {
		ctx_turn_queue(&od->release.turn, od->account, ctx_on_done_work);
		return;
	}
	INIT_WORK(&od->release.turn.work, ctx_on_done_work);
	queue_work(ctx_on_done_wq[od->kind->queue], &od->release.turn.work);
}

/* In the canceller's context, whatever that is. */
static void ctx_on_done_fire(struct ctx *ctx, struct ctx_callback *cb)
{
	ctx_on_done_queue(container_of(cb, struct ctx_on_done, cb));
}

/*
 * A pipe is opened anew: whether a write waits is a property of the description,
 * and that of the caller is his own (6.1 knows no other way). Packets stay packets.
 */
static struct file *ctx_on_done_open(const struct ctx_on_done_kind *kind, struct file *file)
{
	struct file *own;

	if (!kind->reopened)
		return get_file(file);
	own = dentry_open(&file->f_path, O_WRONLY | O_NONBLOCK | O_LARGEFILE, current_cred());
	if (!IS_ERR(own))
		own->f_flags |= file->f_flags & O_DIRECT;
	return own;
}

static struct ctx_on_done *ctx_on_done_alloc(const void __user *data, u32 len)
{
	struct ctx_on_done *od;

	/* With room for what a cgroup.kill takes. */
	od = kmalloc(struct_size(od, data, len ?: 1), GFP_KERNEL_ACCOUNT);
	if (!od)
		return ERR_PTR(-ENOMEM);
	od->data[0] = '1';
	od->len = len ?: 1;
	if (len && copy_from_user(od->data, data, len)) {
		kfree(od);
		return ERR_PTR(-EFAULT);
	}
	return od;
}

static struct ctx_on_done *ctx_on_done_make(const struct ctx_on_done_kind *kind,
					    struct file *file, const void __user *data, u32 len)
{
	struct ctx_on_done *od = ctx_on_done_alloc(data, len);
	int err;

	if (IS_ERR(od))
		return od;
	err = ctx_account_charge(CTX_CHARGE_FILE, &od->account);
	if (err)
		goto err_free;
	od->file = ctx_on_done_open(kind, file);
	if (IS_ERR(od->file)) {
		err = PTR_ERR(od->file);
		goto err_uncharge;
	}
	ctx_release_expect(od->file);
	od->cred = get_current_cred();
	od->memcg = get_mem_cgroup_from_mm(current->mm);
	od->kind = kind;
	od->on_dones = NULL;
	return od;

err_uncharge:
	ctx_account_uncharge(CTX_CHARGE_FILE, od->account);
err_free:
	kfree(od);
	return ERR_PTR(err);
}

/* Those of @user, made if they are the first. */
static struct ctx_on_dones *ctx_on_dones_of(struct ctx_user *user)
{
	/* Pairs with the exchange below, made by somebody else. */
	struct ctx_on_dones *on_dones = smp_load_acquire(&user->on_dones), *theirs;

	if (on_dones)
		return on_dones;
	on_dones = kzalloc(sizeof(*on_dones), GFP_KERNEL_ACCOUNT);
	if (!on_dones)
		return NULL;
	refcount_set(&on_dones->ref, 1);
	spin_lock_init(&on_dones->lock);
	INIT_LIST_HEAD(&on_dones->list);
	on_dones->scope = ctx_scope(&user->ctx);
	on_dones->ctx = &user->ctx;
	on_dones->id = ctx_user_id(&user->ctx);
	theirs = cmpxchg(&user->on_dones, NULL, on_dones);
	if (!theirs)
		return on_dones;
	kfree(on_dones);
	return theirs;
}

static int ctx_on_done_register(struct ctx_user *user, struct ctx_on_done *od)
{
	struct ctx_on_dones *on_dones = ctx_on_dones_of(user);

	if (!on_dones)
		return -ENOMEM;
	refcount_inc(&on_dones->ref);
	od->on_dones = on_dones;
	spin_lock_irq(&on_dones->lock);
	list_add_tail(&od->node, &on_dones->list);
	on_dones->asked++;
	spin_unlock_irq(&on_dones->lock);
	/*
	 * With the scope, whose node is whole for as long as the callback is there,
	 * while that of the context itself may be on its way to be released.
	 */
	if (ctx_callback_add(&on_dones->scope->node, &od->cb, ctx_on_done_fire) == -ENOENT)
		ctx_on_done_queue(od);
	return 0;
}

/*
 * Has @data written to what is open as @fd when @ctx, on which the caller holds a
 * reference, is done. Background never is: nothing is kept for it. Nor is there
 * where to keep it for a context of the kernel's.
 */
int ctx_on_done_add(struct ctx *ctx, int fd, const void __user *data, u32 len)
{
	struct ctx_user *user = ctx_user_of(ctx);
	const struct ctx_on_done_kind *kind;
	struct ctx_on_done *od;
	struct file *file;
	int err;

	if (!user && !ctx_is_root(ctx))
		return -EOPNOTSUPP;
	file = fget(fd);
	if (!file)
		return -EBADF;
	kind = ctx_on_done_kind(file);
	err = ctx_on_done_check(kind, file, len);
	od = err ? ERR_PTR(err) : ctx_on_done_make(kind, file, data, len);
	fput(file);
	if (IS_ERR(od))
		return PTR_ERR(od);
	err = user ? ctx_on_done_register(user, od) : 0;
	if (err || !user)
		ctx_on_done_drop(od);
	return err;
}

/* How those of @user went so far. */
void ctx_on_done_fill(const struct ctx_user *user, struct ctx_ioc_info *info)
{
	/* Pairs with the exchange in ctx_on_dones_of(). */
	struct ctx_on_dones *on_dones = smp_load_acquire(&user->on_dones);

	if (!on_dones)
		return;
	spin_lock_irq(&on_dones->lock);
	info->on_dones = on_dones->asked;
	info->on_done_err = -on_dones->err;
	if (on_dones->asked && on_dones->asked == on_dones->tried)
		info->info_flags |= CTX_INFO_WRITTEN;
	spin_unlock_irq(&on_dones->lock);
}

static struct ctx_on_done *ctx_on_done_pop(struct ctx_on_dones *on_dones)
{
	struct ctx_on_done *od;
	unsigned long flags;

	spin_lock_irqsave(&on_dones->lock, flags);
	od = list_first_entry_or_null(&on_dones->list, struct ctx_on_done, node);
	if (od) {
		list_del_init(&od->node);
		/* Under the lock: once off the list, its work may free it any time. */
		if (!ctx_callback_remove(&on_dones->scope->node, &od->cb))
			od = ERR_PTR(-EBUSY);
	}
	spin_unlock_irqrestore(&on_dones->lock, flags);
	return od;
}

/*
 * The last reference on @user's context is gone: what was not begun never will be.
 * Nobody adds any more. The scope above is still there.
 */
void ctx_on_dones_drop(struct ctx_user *user)
{
	struct ctx_on_dones *on_dones = user->on_dones;
	struct ctx_on_done *od;

	/* Perhaps it was in a queue to be released: see struct ctx. */
	if (ctx_is_scope(&user->ctx))
		user->ctx.state = &user->scope.state;
	user->on_dones = NULL;
	while ((od = ctx_on_done_pop(on_dones)))
		if (!IS_ERR(od))
			ctx_on_done_drop(od);
	ctx_on_dones_put(on_dones);
}

void ctx_on_done_exit(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(ctx_on_done_wq); i++)
		if (ctx_on_done_wq[i])
			destroy_workqueue(ctx_on_done_wq[i]);
}

int ctx_on_done_init(void)
{
	ctx_on_done_wq[CTX_QUEUE_SIGNAL] = alloc_workqueue("ctx_signal", WQ_UNBOUND |
							   WQ_MEM_RECLAIM, WQ_MAX_ACTIVE);
	/* Before what is to be killed: that may be what keeps the CPUs or memory busy. */
	ctx_on_done_wq[CTX_QUEUE_KILL] = alloc_workqueue("ctx_kill", WQ_UNBOUND | WQ_HIGHPRI |
							 WQ_MEM_RECLAIM, WQ_MAX_ACTIVE);
	if (ctx_on_done_wq[CTX_QUEUE_SIGNAL] && ctx_on_done_wq[CTX_QUEUE_KILL])
		return 0;
	ctx_on_done_exit();
	return -ENOMEM;
}
