// SPDX-License-Identifier: GPL-2.0
/*
 * Watches: files that processes have a context cancelled by.
 *
 * Each is a source, and a callback of the context that it cancels, so that it goes when
 * that is done, however it came to be. Neither holds a reference on the context: a watch
 * also goes when that is gone. It belongs to whoever takes the callback off: the walk,
 * which leaves it to a worker, with a reference on the context, as nothing may be freed
 * in a hard interrupt; or the last put, which then has those left that no walk got to.
 */
#include <linux/file.h>
#include <linux/llist.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "internal.h"

struct ctx_watch {
	struct ctx_source source;
	struct ctx_callback cb;
	struct ctx_account *account;
	struct hlist_node node;		/* in ->watches of the context */
	struct ctx *ctx;
	struct llist_node over;
};

static DEFINE_SPINLOCK(ctx_watch_lock);	/* protects ->watches of all contexts */

/* In any context but a hard interrupt. */
static void ctx_watch_free(struct ctx_watch *watch)
{
	ctx_source_detach(&watch->source);
	ctx_account_uncharge(CTX_CHARGE_FILE, watch->account);
	kfree(watch);
}

static void ctx_watch_unlist(struct ctx_watch *watch)
{
	spin_lock(&ctx_watch_lock);
	hlist_del(&watch->node);
	spin_unlock(&ctx_watch_lock);
}

static LLIST_HEAD(ctx_watches_over);

static void ctx_watches_over_work(struct work_struct *work)
{
	struct ctx_watch *watch, *next;

	llist_for_each_entry_safe(watch, next, llist_del_all(&ctx_watches_over), over) {
		struct ctx *ctx = watch->ctx;

		ctx_watch_unlist(watch);
		ctx_watch_free(watch);
		ctx_put(ctx);
		cond_resched();
	}
}

static DECLARE_WORK(ctx_watch_work, ctx_watches_over_work);

/* In the canceller's context, whatever that is. */
static void ctx_watch_end(struct ctx *ctx, struct ctx_callback *cb)
{
	struct ctx_watch *watch = container_of(cb, struct ctx_watch, cb);

	watch->ctx = ctx_hold(ctx);
	if (llist_add(&watch->over, &ctx_watches_over))
		schedule_work(&ctx_watch_work);
}

static struct ctx_watch *ctx_watch_alloc(void)
{
	struct ctx_watch *watch = kmalloc(sizeof(*watch), GFP_KERNEL_ACCOUNT);
	int err;

	if (!watch)
		return ERR_PTR(-ENOMEM);
	err = ctx_account_charge(CTX_CHARGE_FILE, &watch->account);
	if (err) {
		kfree(watch);
		return ERR_PTR(err);
	}
	watch->source.ctx = NULL;
	return watch;
}

/*
 * Once @watch has its callback it belongs to that. If the file was ready, or the context
 * was done before, nobody needs it.
 */
static int ctx_watch_begin(struct ctx_user *user, struct ctx_watch *watch, struct file *file,
			   __poll_t events, int cause)
{
	int err = ctx_poll_attach(&user->ctx, file, events, cause, &watch->source, false);

	if (err)
		return err;
	spin_lock(&ctx_watch_lock);
	hlist_add_head(&watch->node, &user->watches);
	spin_unlock(&ctx_watch_lock);
	err = ctx_callback_add(&user->ctx, &watch->cb, ctx_watch_end);
	if (err)
		ctx_watch_unlist(watch);
	return err;
}

static int ctx_watch_file(struct ctx_user *user, struct file *file, __poll_t events, int cause)
{
	struct ctx_watch *watch = ctx_watch_alloc();
	int err;

	if (IS_ERR(watch))
		return PTR_ERR(watch);
	err = ctx_watch_begin(user, watch, file, events, cause);
	if (err)
		ctx_watch_free(watch);
	return err == -ENOENT ? 0 : err;
}

/* Has @ctx, on which the caller holds a reference, cancelled when @fd is ready. */
int ctx_watch_add(struct ctx *ctx, int fd, __poll_t events, int cause)
{
	struct file *file = fget(fd);
	int err;

	if (!file)
		return -EBADF;
	err = ctx_watch_file(ctx_user_of(ctx), file, events, cause);
	fput(file);
	return err;
}

/*
 * The last reference on @user's context is gone. Nobody adds any more, nothing runs of
 * its callbacks, and nobody has the worker free any: that takes a reference.
 */
void ctx_watches_drop(struct ctx_user *user)
{
	struct ctx_watch *watch;
	struct hlist_node *next;

	/* Perhaps it was in a queue to be released: see struct ctx. */
	user->ctx.state = &user->scope.state;
	hlist_for_each_entry_safe(watch, next, &user->watches, node) {
		ctx_callback_remove(&user->ctx, &watch->cb);
		ctx_watch_free(watch);
	}
	INIT_HLIST_HEAD(&user->watches);
}

/* Until those that are over so far are freed. */
void ctx_watch_flush(void)
{
	flush_work(&ctx_watch_work);
}
