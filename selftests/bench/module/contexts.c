// SPDX-License-Identifier: GPL-2.0
/*
 * Single contexts: asking them, making and ending them, callbacks.
 */
#include "bench.h"

static int bench_hits;

void bench_ask_err(void *data, unsigned int ops)
{
	const struct ctx *ctx = data;

	while (ops--) {
		if (ctx_err(ctx))
			bench_hits++;
	}
}

/* The like of a select on the channel that Go has for it, with a default. */
void bench_ask_done(void *ctx, unsigned int ops)
{
	while (ops--) {
		if (completion_done(ctx_done(ctx)))
			bench_hits++;
	}
}

static void bench_get_put(void *data, unsigned int ops)
{
	while (ops--)
		ctx_put(ctx_get(data));
}

static void bench_cancel(void *parent, unsigned int ops)
{
	struct ctx *ctx;

	while (ops--) {
		ctx = ctx_with_cancel(parent, GFP_KERNEL);
		ctx_cancel(ctx);
		ctx_put(ctx);
	}
}

static void bench_uncancelled(void *parent, unsigned int ops)
{
	while (ops--)
		ctx_put(ctx_with_cancel(parent, GFP_KERNEL));
}

/*
 * The memory is freed after grace periods, while others are made: a run that is
 * long enough has that in it. RCU gets on only where the task gives way.
 */
static void bench_value(void *parent, unsigned int ops)
{
	while (ops--) {
		ctx_put(ctx_with_value(parent, bench_key(0), bench_key(0), NULL, GFP_KERNEL));
		if (ops % 128 == 0)
			cond_resched();
	}
}

static void bench_without_cancel(void *parent, unsigned int ops)
{
	while (ops--)
		ctx_put(ctx_without_cancel(parent, GFP_KERNEL));
}

static void bench_called(struct ctx *ctx, struct ctx_callback *cb)
{
	bench_hits++;
}

static void bench_callback(void *ctx, unsigned int ops)
{
	struct ctx_callback cb;

	while (ops--) {
		ctx_callback_add(ctx, &cb, bench_called);
		ctx_callback_remove(ctx, &cb);
	}
}

/* Of one that has callbacks and children of its own, as what others are linked to. */
static void bench_link(void *other, unsigned int ops)
{
	struct ctx *ctx = bench_ctx(ctx_with_cancel(ctx_background(), GFP_KERNEL));
	struct ctx_link link;

	while (ops--) {
		ctx_link(ctx, other, &link);
		ctx_unlink(&link);
	}
	ctx_put(ctx);
}

static void bench_callback_run(void *parent, unsigned int ops)
{
	struct ctx_callback cb;
	struct ctx *ctx;

	while (ops--) {
		ctx = ctx_with_cancel(parent, GFP_KERNEL);
		ctx_callback_add(ctx, &cb, bench_called);
		ctx_cancel(ctx);
		ctx_put(ctx);
	}
}

static void bench_asking(struct ctx *live)
{
	struct ctx *deadline = bench_ctx(ctx_with_timeout(live, BENCH_HOUR, GFP_KERNEL));
	struct ctx *value = bench_ctx(ctx_with_value(live, bench_key(0), NULL, NULL, GFP_KERNEL));
	struct ctx *done = bench_ctx(ctx_with_cancel(live, GFP_KERNEL));

	ctx_cancel(done);
	bench_loop(bench_ask_err, live, BENCH_OPS, "err.cancel");
	bench_loop(bench_ask_err, deadline, BENCH_OPS, "err.deadline");
	bench_loop(bench_ask_err, value, BENCH_OPS, "err.value");
	bench_loop(bench_ask_err, done, BENCH_OPS, "err.done");
	bench_loop(bench_ask_done, live, BENCH_OPS, "done.live");
	bench_loop(bench_ask_done, done, BENCH_OPS, "done.done");
	ctx_put(deadline);
	ctx_put(value);
	ctx_put(done);
}

void bench_contexts(void)
{
	struct ctx *live = bench_ctx(ctx_with_cancel(ctx_background(), GFP_KERNEL));

	bench_asking(live);
	bench_loop(bench_get_put, live, BENCH_OPS, "get.put");
	bench_loop(bench_cancel, live, BENCH_OPS, "cancel");
	bench_loop(bench_uncancelled, live, BENCH_OPS, "cancel.put_only");
	bench_loop(bench_cancel, ctx_background(), BENCH_OPS, "cancel.background");
	bench_loop(bench_value, live, 20 * BENCH_OPS, "value");
	bench_loop(bench_without_cancel, live, BENCH_OPS, "without_cancel");
	bench_loop(bench_callback, live, BENCH_OPS, "callback");
	bench_loop(bench_callback_run, live, BENCH_OPS, "cancel.callback");
	bench_loop(bench_link, live, BENCH_OPS, "link");
	ctx_put(live);
}
