// SPDX-License-Identifier: GPL-2.0
/*
 * Fences as sources. A fence calls back under its lock, which is where a source is
 * taken off, too: after that it is not being fired.
 */
#include <linux/dma-fence.h>

#include "internal.h"

static void ctx_fence_signalled(struct dma_fence *fence, struct dma_fence_cb *cb)
{
	struct ctx_source *source = container_of(cb, struct ctx_source, fence.cb);

	ctx_source_queue(source, 0, true);
}

static void ctx_fence_detach(struct ctx_source *source)
{
	dma_fence_remove_callback(source->fence.fence, &source->fence.cb);
}

static const struct ctx_source_ops ctx_fence_ops = {
	.name = "fence",
	.detach = ctx_fence_detach,
};

/* The one of an attached source, if it is a fence's. */
struct dma_fence *ctx_source_fence(const struct ctx_source *source)
{
	return source->ops == &ctx_fence_ops ? source->fence.fence : NULL;
}

/**
 * ctx_cancel_on_fence - have a context cancelled when a fence is signalled
 * @ctx: the context; as with ctx_source_attach()
 * @fence: the fence; the source takes a reference, until it is detached
 * @cause: what ctx_cause() will say: an errno, -MAX_ERRNO to -1; whether the fence
 *	has an error makes no difference
 * @source: storage, of the caller, until it was detached by ctx_source_detach()
 *
 * If the fence was signalled already, @ctx is done when this returns; its callbacks
 * follow from a worker. The fence's signalling is enabled.
 *
 * Ordering: what was written before the fence was signalled is visible to whoever sees
 * @ctx done by it (S16).
 *
 * Context: Any but NMI in which dma_fence_add_callback() may be called; not under the
 * fence's lock.
 * Return: 0; -ENOENT if @ctx is done already; -EINVAL for another @cause, and as
 * ctx_source_attach(); -EOPNOTSUPP if the kernel has no fences. If it fails, nothing
 * is attached (S15).
 */
int ctx_cancel_on_fence(struct ctx *ctx, struct dma_fence *fence, int cause,
			struct ctx_source *source)
{
	int err;

	if (!source)
		return -EINVAL;
	source->ctx = NULL;
	if (IS_ERR_OR_NULL(fence))
		return -EINVAL;
	err = ctx_source_arm(ctx, source, &ctx_fence_ops, cause, true);
	if (err)
		return err;
	source->fence.fence = dma_fence_get(fence);
	if (dma_fence_add_callback(fence, &source->fence.cb, ctx_fence_signalled))
		ctx_source_fire_now(source);
	return 0;
}
EXPORT_SYMBOL_GPL(ctx_cancel_on_fence);
