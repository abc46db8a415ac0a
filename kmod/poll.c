// SPDX-License-Identifier: GPL-2.0
/*
 * Files as sources: whatever poll(2) can wait for, of a closed list of kinds.
 *
 * A source stands in the file's wait queues, with a reference on the file. A wake-up is
 * no more than a hint, so the worker asks the file before it cancels; the source stays
 * where it stands.
 *
 * A file that is accepted here must not hold references on other files: what can, be it
 * a Unix socket with descriptors in flight, an epoll set or an io_uring, might hold the
 * descriptor of the very context that holds it, and neither would ever be freed. A
 * pidfd, an eventfd and a timerfd hold nothing of the kind; what is spliced into a pipe
 * or a socket are pages; and only Unix sockets carry descriptors.
 */
#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/net.h>
#include <linux/poll.h>
#include <linux/rcupdate.h>
#include <linux/string.h>
#include <net/sock.h>

#include "internal.h"

#define CTX_POLL_ALWAYS	(EPOLLERR | EPOLLHUP)
#define CTX_POLL_EVENTS	(CTX_POLL_ALWAYS | EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLNVAL |	\
			 EPOLLRDNORM | EPOLLRDBAND | EPOLLWRNORM | EPOLLWRBAND |	\
			 EPOLLMSG | EPOLLRDHUP)

/*
 * By the name that the kernel gives to files of that kind, on a file system of its own
 * on which nobody else makes or renames any. timerfd's operations are not exported.
 */
static bool ctx_is_anon(const struct file *file, const char *name)
{
	const struct dentry *dentry = file->f_path.dentry;

	return dentry->d_sb->s_magic == ANON_INODE_FS_MAGIC && !strcmp(dentry->d_name.name, name);
}

/* On a file system of their own from 6.9 on. */
static bool ctx_is_pidfd(struct file *file)
{
	return file->f_path.dentry->d_sb->s_magic == PID_FS_MAGIC || ctx_is_anon(file, "[pidfd]");
}

static bool ctx_is_timerfd(struct file *file)
{
	return ctx_is_anon(file, "[timerfd]");
}

bool ctx_is_eventfd(struct file *file)
{
	struct eventfd_ctx *eventfd = eventfd_ctx_fileget(file);

	if (IS_ERR(eventfd))
		return false;
	eventfd_ctx_put(eventfd);
	return true;
}

bool ctx_is_pipe(struct file *file)
{
	return S_ISFIFO(file_inode(file)->i_mode);
}

bool ctx_is_inet(struct file *file)
{
	struct socket *sock = IS_ENABLED(CONFIG_INET) ? sock_from_file(file) : NULL;

	return sock && (sock->sk->sk_family == AF_INET || sock->sk->sk_family == AF_INET6);
}

static const struct ctx_poll_kind {
	bool (*is)(struct file *file);
	struct ctx_source_ops ops;
} ctx_poll_kinds[] = {
#define CTX_POLL_KIND(_is, _name)	\
	{ .is = (_is), .ops = { .name = (_name), .detach = ctx_poll_detach } }
	CTX_POLL_KIND(ctx_is_pidfd, "pidfd"),
	CTX_POLL_KIND(ctx_is_eventfd, "eventfd"),
	CTX_POLL_KIND(ctx_is_timerfd, "timerfd"),
	CTX_POLL_KIND(ctx_is_pipe, "pipe"),
	CTX_POLL_KIND(ctx_is_inet, "socket"),
};

static const struct ctx_source_ops *ctx_poll_ops(struct file *file)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(ctx_poll_kinds); i++)
		if (file_can_poll(file) && ctx_poll_kinds[i].is(file))
			return &ctx_poll_kinds[i].ops;
	return NULL;
}

/* Asks for no more than is wanted: that may have side effects. */
bool ctx_poll_ready(struct file *file, __poll_t events)
{
	struct poll_table_struct pt = { ._key = events };

	return vfs_poll(file, &pt) & events;
}

/*
 * Under the lock of the wait queue. POLLFREE: that is about to be freed, without
 * waiting for us. The file is not what it was, and cannot be asked.
 */
static int ctx_poll_woken(struct wait_queue_entry *entry, unsigned int mode, int flags, void *key)
{
	struct ctx_source_hook *hook = container_of(entry, struct ctx_source_hook, entry);
	struct ctx_source *source = entry->private;
	const __poll_t events = key_to_poll(key);

	if (events & POLLFREE) {
		list_del_init(&entry->entry);
		ctx_source_queue(source, 0, true);
		/* The last access: pairs with the acquire in ctx_poll_unhook(). */
		smp_store_release(&hook->head, NULL);
	} else if (!events || events & source->poll.events) {
		ctx_source_queue(source, 0, false);
	}
	return 0;
}

/*
 * On return it is not being woken. What frees a wait queue with POLLFREE does so after
 * a grace period. If that comes between our look and the lock, the entry is off the
 * list already, and taking it off again does nothing.
 */
static void ctx_poll_unhook(struct ctx_source_hook *hook)
{
	struct wait_queue_head *head;

	rcu_read_lock();
	/* Pairs with the release in ctx_poll_woken(). */
	head = smp_load_acquire(&hook->head);
	if (head)
		remove_wait_queue(head, &hook->entry);
	rcu_read_unlock();
}

/* The file stays, until nobody has the source to ask it. */
void ctx_poll_detach(struct ctx_source *source)
{
	int i;

	for (i = 0; i < min_t(int, source->poll.nr_hooks, ARRAY_SIZE(source->poll.hooks)); i++)
		ctx_poll_unhook(&source->poll.hooks[i]);
}

struct ctx_poll_table {
	struct poll_table_struct pt;
	struct ctx_source *source;
};

/* A FIFO that is open for both has two wait queues, of the rest each has one. */
static void ctx_poll_hook(struct file *file, struct wait_queue_head *head,
			  struct poll_table_struct *pt)
{
	struct ctx_source *source = container_of(pt, struct ctx_poll_table, pt)->source;
	struct ctx_source_hook *hook;

	if (source->poll.nr_hooks++ >= ARRAY_SIZE(source->poll.hooks))
		return;
	hook = &source->poll.hooks[source->poll.nr_hooks - 1];
	hook->head = head;
	init_waitqueue_func_entry(&hook->entry, ctx_poll_woken);
	hook->entry.private = source;
	add_wait_queue(head, &hook->entry);
}

/* Hooks @source in. Returns whether the file is ready, or an error. */
static int ctx_poll_begin(struct ctx_source *source)
{
	struct ctx_poll_table table = {
		.pt = { ._qproc = ctx_poll_hook, ._key = source->poll.events },
		.source = source,
	};
	const __poll_t events = vfs_poll(source->poll.file, &table.pt);

	if (events & source->poll.events)
		return true;
	if (!source->poll.nr_hooks || source->poll.nr_hooks > ARRAY_SIZE(source->poll.hooks))
		return -EINVAL;
	return false;
}

/* As ctx_cancel_on_file() of what is no context; @counted: see ctx_source_arm(). */
int ctx_poll_attach(struct ctx *ctx, struct file *file, __poll_t events, int cause,
		    struct ctx_source *source, bool counted)
{
	const struct ctx_source_ops *ops = ctx_poll_ops(file);
	int err;

	source->ctx = NULL;
	if (!ops || events & ~CTX_POLL_EVENTS)
		return -EINVAL;
	err = ctx_source_arm(ctx, source, ops, cause, counted);
	if (err)
		return err;
	source->hint = true;
	source->poll.file = get_file(file);
	source->poll.events = events | CTX_POLL_ALWAYS;
	source->poll.nr_hooks = 0;
	err = ctx_poll_begin(source);
	if (err < 0) {
		ctx_source_detach(source);
		return err;
	}
	if (err)
		ctx_source_fire_now(source);
	return 0;
}
