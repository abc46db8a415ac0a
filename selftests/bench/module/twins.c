// SPDX-License-Identifier: GPL-2.0
/*
 * Twins of the benchmarks that Go has for its package context, doing the same
 * work. What is left to the garbage collector there, ctx_put() does here.
 */
#include <linux/completion.h>
#include <linux/workqueue.h>

#include "bench.h"

static void *bench_found;

/* The work in between: Go's compiler leaves nothing of it but the loop. */
static void bench_pass_time(void)
{
	int i;

	for (i = 0; i < 100; i++)
		barrier();
}

static void bench_between(void *data, unsigned int ops)
{
	while (ops--) {
		bench_pass_time();
		bench_pass_time();
	}
}

static void bench_common_parent(void *shared, unsigned int ops)
{
	struct ctx *ctx;

	while (ops--) {
		ctx = ctx_with_cancel(shared, GFP_KERNEL);
		if (ctx_value(ctx, bench_key(0)) != bench_key(0))
			bench_fail("finding a value");
		bench_pass_time();
		ctx_cancel(ctx);
		bench_pass_time();
		ctx_put(ctx);
	}
}

static void bench_common_parents(void)
{
	struct ctx *root = bench_ctx(ctx_with_value(ctx_background(), bench_key(0),
						    bench_key(0), NULL, GFP_KERNEL));
	struct ctx *shared = bench_ctx(ctx_with_cancel(root, GFP_KERNEL));

	bench_loop(bench_common_parent, shared, BENCH_OPS, "CommonParentCancel");
	bench_loop(bench_between, NULL, BENCH_OPS, "loop.between");
	ctx_cancel(shared);
	ctx_put(shared);
	ctx_put(root);
}

static void bench_ten_timeouts(void *data, unsigned int ops)
{
	struct ctx *ctx[10];
	int i;

	while (ops--) {
		for (i = 0; i < ARRAY_SIZE(ctx); i++)
			ctx[i] = ctx_with_timeout(ctx_background(), BENCH_HOUR, GFP_KERNEL);
		for (i = 0; i < ARRAY_SIZE(ctx); i++) {
			ctx_cancel(ctx[i]);
			ctx_put(ctx[i]);
		}
	}
}

static void bench_timeouts(unsigned int live)
{
	struct ctx **others = bench_arm(ctx_background(), live);

	if (!others)
		return;
	bench_loop(bench_ten_timeouts, NULL, BENCH_OPS / 10, "WithTimeout/concurrency=%u", live);
	bench_disarm(others, live);
}

/* A chain of @depth below @ctx, of which the last is held. */
static struct ctx *bench_chain(struct ctx *ctx, unsigned int depth)
{
	struct ctx *child;

	ctx_get(ctx);
	while (depth--) {
		child = ctx_with_cancel(ctx, GFP_KERNEL);
		ctx_put(ctx);
		ctx = child;
	}
	return ctx;
}

static void bench_tree_background(void *depth, unsigned int ops)
{
	while (ops--)
		ctx_put(bench_chain(ctx_background(), *(unsigned int *)depth));
}

static void bench_tree_open(void *depth, unsigned int ops)
{
	struct ctx *top, *last;

	while (ops--) {
		top = ctx_with_cancel(ctx_background(), GFP_KERNEL);
		last = bench_chain(top, *(unsigned int *)depth);
		ctx_cancel(top);
		ctx_put(last);
		ctx_put(top);
	}
}

static void bench_tree_closed(void *depth, unsigned int ops)
{
	struct ctx *top;

	while (ops--) {
		top = ctx_with_cancel(ctx_background(), GFP_KERNEL);
		ctx_cancel(top);
		ctx_put(bench_chain(top, *(unsigned int *)depth));
		ctx_put(top);
	}
}

static void bench_cancel_tree(unsigned int depth)
{
	unsigned int ops = max(BENCH_OPS / depth, 3u);

	bench_loop(bench_tree_background, &depth, ops,
		   "CancelTree/depth=%u/Root=Background", depth);
	bench_loop(bench_tree_open, &depth, ops,
		   "CancelTree/depth=%u/Root=OpenCanceler", depth);
	bench_loop(bench_tree_closed, &depth, ops,
		   "CancelTree/depth=%u/Root=ClosedCanceler", depth);
}

static void bench_checks(void)
{
	struct ctx *live = bench_ctx(ctx_with_cancel(ctx_background(), GFP_KERNEL));
	struct ctx *done = bench_ctx(ctx_with_cancel(ctx_background(), GFP_KERNEL));

	ctx_cancel(done);
	bench_loop(bench_ask_err, done, BENCH_OPS, "CheckCanceled/Err");
	bench_loop(bench_ask_done, done, BENCH_OPS, "CheckCanceled/Done");
	bench_loop(bench_ask_done, live, BENCH_OPS, "ContextCancelDone");
	bench_loop(bench_ask_err, live, BENCH_OPS, "ErrOK");
	bench_loop(bench_ask_err, done, BENCH_OPS, "ErrCanceled");
	ctx_cancel(live);
	ctx_put(live);
	ctx_put(done);
}

/* The kernel's like of starting a goroutine and waiting for it. */
struct bench_errand {
	struct work_struct work;
	struct completion done;
	struct ctx *ctx;
};

static void bench_errand_run(struct work_struct *work)
{
	struct bench_errand *errand = container_of(work, struct bench_errand, work);

	WRITE_ONCE(bench_found, ctx_value(errand->ctx, bench_key(BENCH_CHAIN)));
	complete(&errand->done);
}

static void bench_new_thread(void *ctx, unsigned int ops)
{
	struct bench_errand errand = { .ctx = ctx };

	while (ops--) {
		INIT_WORK_ONSTACK(&errand.work, bench_errand_run);
		init_completion(&errand.done);
		schedule_work(&errand.work);
		wait_for_completion(&errand.done);
		flush_work(&errand.work);
		destroy_work_on_stack(&errand.work);
	}
}

static void bench_deep_value(unsigned int depth)
{
	struct ctx *ctx = bench_chain_of_values(depth);
	struct bench_lookup lookup = { ctx, bench_key(BENCH_CHAIN) };

	bench_loop(bench_new_thread, ctx, BENCH_OPS, "DeepValueNewGoRoutine/depth=%u", depth);
	bench_loop(bench_find, &lookup, BENCH_OPS, "DeepValueSameGoRoutine/depth=%u", depth);
	ctx_put(ctx);
}

void bench_twins(void)
{
	static const unsigned int depths[] = { 10, 20, 30, 50, 100 };
	unsigned int i, live, depth;

	bench_common_parents();
	for (live = 40; live <= (bench_quick ? 4000 : 400000); live *= 100)
		bench_timeouts(live);
	for (depth = 1; depth <= 1000; depth *= 10)
		bench_cancel_tree(depth);
	bench_checks();
	for (i = 0; i < ARRAY_SIZE(depths); i++)
		bench_deep_value(depths[i]);
}
