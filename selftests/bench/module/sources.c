// SPDX-License-Identifier: GPL-2.0
/*
 * Sources: what they cost that never fire, and what one does that fires.
 */
#include <linux/dma-fence.h>

#include "bench.h"

static const struct ctx_source_ops bench_source_ops = { .name = "bench" };

struct bench_watch {
	struct ctx *ctx;
	struct dma_fence *fence;
};

static void bench_attach_fence(void *data, unsigned int ops)
{
	struct bench_watch *watch = data;
	struct ctx_source source;

	while (ops--) {
		ctx_cancel_on_fence(watch->ctx, watch->fence, -EIO, &source);
		ctx_source_detach(&source);
	}
}

static void bench_attach(void *ctx, unsigned int ops)
{
	struct ctx_source source;

	while (ops--) {
		ctx_source_attach(ctx, &source, &bench_source_ops);
		ctx_source_detach(&source);
	}
}

static void bench_fire(void *parent, unsigned int ops)
{
	struct ctx_source source;
	struct ctx *ctx;

	while (ops--) {
		ctx = ctx_with_cancel(parent, GFP_KERNEL);
		ctx_source_attach(ctx, &source, &bench_source_ops);
		ctx_source_fire(&source, -EIO);
		ctx_wait(ctx);
		ctx_source_detach(&source);
		ctx_put(ctx);
	}
}

void bench_sources(void)
{
	struct bench_watch watch = {
		.ctx = bench_ctx(ctx_with_cancel(ctx_background(), GFP_KERNEL)),
		.fence = bench_fence_new(),
	};

	if (!watch.fence)
		return;
	bench_loop(bench_attach_fence, &watch, BENCH_OPS, "source.fence");
	bench_loop(bench_attach, watch.ctx, BENCH_OPS, "source.attach");
	bench_loop(bench_fire, watch.ctx, BENCH_OPS, "source.fire");
	dma_fence_signal(watch.fence);
	dma_fence_put(watch.fence);
	ctx_put(watch.ctx);
}
