// SPDX-License-Identifier: GPL-2.0
/*
 * Tracing, out of everybody's way: what happens to a context calls these only
 * while someone has an event enabled. They may be called in any context but NMI,
 * under any of our locks.
 */
#include <linux/jump_label.h>
#include <linux/ktime.h>
#include <linux/pid_namespace.h>
#include <linux/string.h>

#include "internal.h"

/* An event gets its first listener, and loses the last. */
static int ctx_trace_reg(void)
{
	static_branch_inc(&ctx_watched);
	return 0;
}

static void ctx_trace_unreg(void)
{
	static_branch_dec(&ctx_watched);
}

#define CREATE_TRACE_POINTS
#include "trace.h"

/* Before anyone else can know of @ctx, so that nothing about it comes earlier. */
void ctx_trace_derive(const struct ctx *ctx)
{
	const struct ctx_user *user = ctx_user_of(ctx);
	ktime_t deadline;

	if (!trace_ctx_derive_enabled())
		return;
	if (!ctx_deadline(ctx, &deadline))
		deadline = 0;
	trace_ctx_derive(ctx, ktime_to_ns(deadline), user ? user->depth : 0);
}

/*
 * Before @scope is seen done because of @origin, under the lock of its home's list
 * unless nobody knows it yet: so what follows from it comes later.
 */
void ctx_trace_done(const struct ctx_scope *scope, const struct ctx_signal *origin)
{
	if (origin == &scope->state) {
		if (origin->err == -ETIMEDOUT)
			trace_ctx_expire(scope, ktime_to_ns(ctx_effective_deadline(scope)));
		else
			trace_ctx_cancel(scope);
	}
	trace_ctx_done(scope, origin);
}

/* The last reference is gone. */
void ctx_trace_release(const struct ctx *ctx)
{
	if (trace_ctx_release_enabled())
		trace_ctx_release(ctx, ctx_released_err(ctx));
}

/*
 * What was to be done when a context is done was written to a file of kind @to. The
 * context may be gone by then: @ctx is an address only.
 */
void ctx_trace_on_done(const void *ctx, u64 id, const char *to, int err)
{
	trace_ctx_on_done(ctx, id, to, err);
}
