// SPDX-License-Identifier: GPL-2.0
/*
 * Links that processes ask for: a link in memory that is charged to who asked. It is
 * freed when the context that was linked is done, by a callback, or gone.
 */
#include <linux/slab.h>

#include "internal.h"

struct ctx_user_link {
	struct ctx_link link;
	struct ctx_callback done;
	struct ctx_account *account;
};

static void ctx_user_link_free(struct ctx_user_link *ul)
{
	ctx_account_uncharge(CTX_CHARGE_FILE, ul->account);
	kfree(ul);
}

/* In the canceller's context, whatever that is. */
static void ctx_user_link_done(struct ctx *ctx, struct ctx_callback *cb)
{
	struct ctx_user_link *ul = container_of(cb, struct ctx_user_link, done);

	ctx_unlink(&ul->link);
	ctx_user_link_free(ul);
}

static struct ctx_user_link *ctx_user_link_make(void)
{
	struct ctx_user_link *ul = kzalloc(sizeof(*ul), GFP_KERNEL_ACCOUNT);
	int err;

	if (!ul)
		return ERR_PTR(-ENOMEM);
	err = ctx_account_charge(CTX_CHARGE_FILE, &ul->account);
	if (!err)
		return ul;
	kfree(ul);
	return ERR_PTR(err);
}

/*
 * As ctx_link() of a context that a process made, on which the caller holds a
 * reference of his own, with memory of ours: -ENOMEM; -EDQUOT.
 */
int ctx_user_link(struct ctx *ctx, struct ctx *other)
{
	struct ctx_user_link *ul;
	int err;

	/* Nobody would free it with one that no process made. */
	if (!(ctx->kind & CTX_F_USER))
		return -EOPNOTSUPP;
	ul = ctx_user_link_make();
	if (IS_ERR(ul))
		return PTR_ERR(ul);
	err = ctx_link(ctx, other, &ul->link);
	/* It may have fired by now; then this is refused. */
	if (!err && ul->link.other && !ctx_callback_add(ctx, &ul->done, ctx_user_link_done))
		return 0;
	ctx_unlink(&ul->link);
	ctx_user_link_free(ul);
	return err;
}

static void ctx_user_link_drop(struct ctx_callback *cb)
{
	ctx_user_link_free(container_of(cb, struct ctx_user_link, done));
}

/* The last reference on @scope is gone, and its links with that: what they were in. */
void ctx_user_links_drop(struct ctx_scope *scope)
{
	ctx_callbacks_drop(scope, ctx_user_link_done, ctx_user_link_drop);
}
