// SPDX-License-Identifier: GPL-2.0
/*
 * Watches: files that processes have a context cancelled by.
 *
 * Each is a source, and a callback of the context that it cancels, so that it goes when
 * that is done, however it came to be. Neither holds a reference on the context: a watch
 * also goes when that is gone. It belongs to whoever takes the callback off: the walk,
 * which leaves it to a worker, with a reference on the context, as nothing may be freed
 * in a hard interrupt; or the last put, which has those left that no walk has got to.
 */
#include <linux/llist.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "internal.h"

struct ctx_watch {
	union {
		struct ctx_source source;
		struct ctx_release release;	/* once that is detached */
	};
	struct ctx_callback cb;
	struct ctx_account *account;
	struct ctx *ctx;		/* over: with a reference */
	struct llist_node over;
};

static void ctx_watch_released(struct ctx_release *release)
{
	kfree(container_of(release, struct ctx_watch, release));
}

/* In any context but a hard interrupt. */
static void ctx_watch_free(struct ctx_watch *watch)
{
	struct ctx_account *account = watch->account;
	struct work_struct *asker;
	struct file *file;
	bool shot;

	if (watch->source.ctx) {
		asker = ctx_source_asker(&watch->source);
		file = ctx_source_detach_file(&watch->source, &shot);
		ctx_release_file(&watch->release, file, asker, account, ctx_watch_released);
		return;
	}
	/* It was never attached. */
	ctx_account_uncharge(CTX_CHARGE_FILE, account);
	kfree(watch);
}

static LLIST_HEAD(ctx_watches_over);

static void ctx_watches_over_work(struct work_struct *work)
{
	struct ctx_watch *watch, *next;

	llist_for_each_entry_safe(watch, next, llist_del_all(&ctx_watches_over), over) {
		struct ctx *ctx = watch->ctx;

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

static struct ctx_watch *ctx_watch_make(void)
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
	return watch;
}

/*
 * Has @ctx, on which the caller holds a reference, cancelled when @file is ready. If that
 * is so already, or @ctx is done, nothing is kept.
 */
int ctx_watch_add(struct ctx *ctx, struct file *file, __poll_t events, int cause)
{
	struct ctx_watch *watch;
	int err;

	/* Nobody would free it with one that no process made. */
	if (!(ctx->kind & CTX_F_USER))
		return -EOPNOTSUPP;
	watch = ctx_watch_make();
	if (IS_ERR(watch))
		return PTR_ERR(watch);
	err = ctx_poll_attach(ctx, file, events, cause, &watch->source, false);
	if (watch->source.ctx)
		ctx_release_expect(file);
	/* From then on it belongs to the context. */
	if (!err)
		err = ctx_callback_add(ctx, &watch->cb, ctx_watch_end);
	if (err)
		ctx_watch_free(watch);
	return err == -ENOENT ? 0 : err;
}

static void ctx_watch_drop(struct ctx_callback *cb)
{
	ctx_watch_free(container_of(cb, struct ctx_watch, cb));
}

/*
 * The last reference on @scope is gone, so nobody has the worker free any: that takes a
 * reference.
 */
void ctx_watches_drop(struct ctx_scope *scope)
{
	ctx_callbacks_drop(scope, ctx_watch_end, ctx_watch_drop);
}

/*
 * Until what was fired so far has cancelled, and the watches of what is done are freed:
 * in the order in which one queues the next.
 */
void ctx_watch_flush(void)
{
	ctx_source_flush();
	ctx_cancel_flush();
	flush_work(&ctx_watch_work);
}
