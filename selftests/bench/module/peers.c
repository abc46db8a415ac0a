// SPDX-License-Identifier: GPL-2.0
/*
 * What the kernel has for parts of the same purpose.
 */
#include <linux/completion.h>
#include <linux/dma-fence.h>
#include <linux/kthread.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "bench.h"

static int bench_hits;
static DEFINE_SPINLOCK(bench_fence_lock);

static void bench_should_stop(void *data, unsigned int ops)
{
	while (ops--) {
		if (kthread_should_stop())
			bench_hits++;
	}
}

static void bench_completion_done(void *done, unsigned int ops)
{
	while (ops--) {
		if (completion_done(done))
			bench_hits++;
	}
}

static void bench_complete(void *data, unsigned int ops)
{
	struct completion done;

	while (ops--) {
		init_completion(&done);
		complete_all(&done);
	}
}

static const char *bench_fence_name(struct dma_fence *fence)
{
	return "ctx_bench";
}

static const struct dma_fence_ops bench_fence_ops = {
	.get_driver_name = bench_fence_name,
	.get_timeline_name = bench_fence_name,
};

struct dma_fence *bench_fence_new(void)
{
	struct dma_fence *fence = kzalloc(sizeof(*fence), GFP_KERNEL);

	if (!fence)
		bench_fail("a fence");
	else
		dma_fence_init(fence, &bench_fence_ops, &bench_fence_lock, 1, 1);
	return fence;
}

static void bench_fence_called(struct dma_fence *fence, struct dma_fence_cb *cb)
{
	bench_hits++;
}

static void bench_fence_is_signaled(void *fence, unsigned int ops)
{
	while (ops--) {
		if (dma_fence_is_signaled(fence))
			bench_hits++;
	}
}

static void bench_fence_callback(void *fence, unsigned int ops)
{
	struct dma_fence_cb cb;

	while (ops--) {
		dma_fence_add_callback(fence, &cb, bench_fence_called);
		dma_fence_remove_callback(fence, &cb);
	}
}

static void bench_fence_life(void *data, unsigned int ops)
{
	struct dma_fence *fence;

	while (ops--) {
		fence = bench_fence_new();
		if (!fence)
			return;
		dma_fence_signal(fence);
		dma_fence_put(fence);
	}
}

static void bench_fences(void)
{
	struct dma_fence *fence = bench_fence_new();

	if (!fence)
		return;
	bench_loop(bench_fence_is_signaled, fence, BENCH_OPS, "fence.is_signaled");
	bench_loop(bench_fence_callback, fence, BENCH_OPS, "fence.callback");
	dma_fence_signal(fence);
	bench_loop(bench_fence_is_signaled, fence, BENCH_OPS, "fence.is_signaled.done");
	dma_fence_put(fence);
	bench_loop(bench_fence_life, NULL, BENCH_OPS, "fence.init.signal.put");
}

void bench_peers(void)
{
	DECLARE_COMPLETION_ONSTACK(done);

	bench_loop(bench_should_stop, NULL, BENCH_OPS, "kthread.should_stop");
	bench_loop(bench_completion_done, &done, BENCH_OPS, "completion.done.live");
	complete_all(&done);
	bench_loop(bench_completion_done, &done, BENCH_OPS, "completion.done.done");
	bench_loop(bench_complete, NULL, BENCH_OPS, "completion.init.complete");
	bench_fences();
}
