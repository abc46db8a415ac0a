// SPDX-License-Identifier: GPL-2.0
/* S15: fences. */
#include <linux/dma-fence.h>
#include <linux/slab.h>

#include "test.h"

#ifdef CONFIG_DMA_SHARED_BUFFER

struct fence {
	struct dma_fence base;
	spinlock_t lock;	/* of @base */
	bool fails;		/* to enable its signalling */
	atomic_t enabled;
	struct completion *freed;
	struct ctx_source source;	/* which goes with it */
};

static const char *fence_name(struct dma_fence *base)
{
	return "ctx_kunit";
}

static bool fence_enable(struct dma_fence *base)
{
	struct fence *fence = container_of(base, struct fence, base);

	atomic_inc(&fence->enabled);
	return !fence->fails;
}

static void fence_release(struct dma_fence *base)
{
	struct fence *fence = container_of(base, struct fence, base);

	if (fence->freed)
		complete(fence->freed);
	memset(&fence->source, 0xff, sizeof(fence->source));
	kfree_rcu(base, rcu);
}

static const struct dma_fence_ops fence_ops = {
	.get_driver_name = fence_name,
	.get_timeline_name = fence_name,
	.enable_signaling = fence_enable,
	.release = fence_release,
};

static struct fence *fence_new(struct kunit *test)
{
	struct fence *fence = kzalloc(sizeof(*fence), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, fence);
	spin_lock_init(&fence->lock);
	dma_fence_init(&fence->base, &fence_ops, &fence->lock, 1, 1);
	return fence;
}

static void fence_signal(void *fence)
{
	dma_fence_signal(&((struct fence *)fence)->base);
}

/* By somebody who holds the lock anyway. */
static void fence_signal_locked(struct fence *fence)
{
	unsigned long flags;

	spin_lock_irqsave(&fence->lock, flags);
	dma_fence_signal_locked(&fence->base);
	spin_unlock_irqrestore(&fence->lock, flags);
}

static void fence_put(struct fence *fence)
{
	dma_fence_put(&fence->base);
}

static unsigned int fence_refs(struct fence *fence)
{
	return kref_read(&fence->base.refcount);
}

static int watch(struct ctx *ctx, struct fence *fence, struct ctx_source *source)
{
	return ctx_cancel_on_fence(ctx, &fence->base, -EIO, source);
}

static void expect_by_fence(struct kunit *test, struct ctx *ctx)
{
	struct ctx_origin origin = { };

	ct_expect_done(test, ctx, -ECANCELED, -EIO);
	KUNIT_EXPECT_EQ(test, ctx_origin(ctx, &origin), 0);
	KUNIT_EXPECT_PTR_EQ(test, origin.ctx, ctx);
	KUNIT_EXPECT_EQ(test, origin.pid, 0);
	KUNIT_EXPECT_STREQ(test, origin.comm, "fence");
}

static void s15_a_fence_cancels(struct kunit *test)
{
	int where;

	for (where = CT_NOWHERE; where <= CT_TASK; where++) {
		struct ctx *p = ct_cancel(test, ctx_background());
		struct ctx *c = ct_hour(test, p);
		struct fence *fence = fence_new(test);
		struct ctx_source source;
		struct ct_probe probe;

		ct_probe_add(test, &probe, c);
		KUNIT_ASSERT_EQ(test, watch(c, fence, &source), 0);
		KUNIT_EXPECT_EQ(test, atomic_read(&fence->enabled), 1);
		ct_expect_live(test, c);
		if (where == CT_HARDIRQ)
			ct_in_handler(fence_signal, fence);
		else if (where == CT_SOFTIRQ)
			ct_in_softirq(fence_signal, fence);
		else if (where == CT_TASK)
			fence_signal(fence);
		else
			fence_signal_locked(fence);
		ct_wait_for(test, &probe.ran);
		KUNIT_EXPECT_EQ(test, (int)probe.where, (int)CT_WORKER);
		expect_by_fence(test, c);
		ct_expect_live(test, p);
		KUNIT_EXPECT_FALSE(test, ctx_source_detach(&source));
		KUNIT_EXPECT_EQ(test, fence_refs(fence), 1U);
		fence_put(fence);
		ctx_put(c);
		ctx_put(p);
	}
}

static void s15_signalled_before_it_cancels_at_once(struct kunit *test)
{
	int fails;

	for (fails = 0; fails < 2; fails++) {
		struct ctx *c = ct_cancel(test, ctx_background());
		struct ctx *child = ct_cancel(test, c);
		struct fence *fence = fence_new(test);
		struct ctx_source source;

		fence->fails = fails;
		if (!fails)
			fence_signal(fence);
		KUNIT_ASSERT_EQ(test, watch(c, fence, &source), 0);
		expect_by_fence(test, c);
		ct_wait_done(test, child, -ECANCELED);
		KUNIT_EXPECT_FALSE(test, ctx_source_detach(&source));
		KUNIT_EXPECT_EQ(test, fence_refs(fence), 1U);
		fence_put(fence);
		ctx_put(child);
		ctx_put(c);
	}
}

/* One that failed is as over as any. */
static void s10_the_cause_is_that_given(struct kunit *test)
{
	struct ctx *c = ct_cancel(test, ctx_background());
	struct fence *fence = fence_new(test);
	struct ctx_source source;

	KUNIT_ASSERT_EQ(test, watch(c, fence, &source), 0);
	dma_fence_set_error(&fence->base, -ENODEV);
	fence_signal(fence);
	ct_wait_done(test, c, -ECANCELED);
	expect_by_fence(test, c);
	KUNIT_EXPECT_FALSE(test, ctx_source_detach(&source));
	fence_put(fence);
	ctx_put(c);
}

static void s15_a_fence_that_is_never_signalled(struct kunit *test)
{
	struct ct_token token;
	struct ctx *v = ct_token_ctx(test, &token, ctx_background());
	struct ctx *c = ct_cancel(test, v);
	struct fence *fence = fence_new(test);
	struct ctx_source source;

	ctx_put(v);
	KUNIT_ASSERT_EQ(test, watch(c, fence, &source), 0);
	KUNIT_EXPECT_EQ(test, fence_refs(fence), 2U);
	KUNIT_EXPECT_FALSE(test, list_empty(&fence->base.cb_list));
	KUNIT_EXPECT_TRUE(test, ctx_source_detach(&source));
	KUNIT_EXPECT_EQ(test, fence_refs(fence), 1U);
	KUNIT_EXPECT_TRUE(test, list_empty(&fence->base.cb_list));
	memset(&source, 0x6b, sizeof(source));
	fence_signal(fence);
	ctx_barrier();
	ct_expect_live(test, c);
	fence_put(fence);
	ctx_put(c);
	ct_token_gone(test, &token);
}

/* Each keeps what it needs of the other side, whatever its owners do. */
static void s15_everybody_may_put_what_he_has(struct kunit *test)
{
	struct ct_token token;
	struct ctx *v = ct_token_ctx(test, &token, ctx_background());
	struct ctx *c = ct_cancel(test, v);
	struct fence *fence = fence_new(test);
	DECLARE_COMPLETION_ONSTACK(freed);
	struct ctx_source source;

	ctx_put(v);
	fence->freed = &freed;
	KUNIT_ASSERT_EQ(test, watch(c, fence, &source), 0);
	ctx_put(c);
	fence_signal(fence);
	fence_put(fence);
	ctx_barrier();
	KUNIT_EXPECT_FALSE(test, completion_done(&freed));
	KUNIT_EXPECT_EQ(test, atomic_read(&token.released), 0);
	KUNIT_EXPECT_FALSE(test, ctx_source_detach(&source));
	ct_wait_for(test, &freed);
	ct_token_gone(test, &token);
}

static void fence_refused(struct kunit *test, struct ctx *ctx, struct dma_fence *fence, int cause,
			  int err)
{
	struct ctx_source source = { .ctx = ctx_todo() };

	KUNIT_EXPECT_EQ(test, ctx_cancel_on_fence(ctx, fence, cause, &source), err);
	KUNIT_EXPECT_FALSE(test, ctx_source_detach(&source));
}

static void s15_bad_arguments_are_refused(struct kunit *test)
{
	static const int bad[] = { 0, 1, -MAX_ERRNO - 1, INT_MAX, INT_MIN };
	struct ctx *c = ct_cancel(test, ctx_background());
	struct ctx *v = ct_value(test, c, test, test);
	struct ctx *w = ct_without(test, c);
	struct fence *fence = fence_new(test);
	int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		fence_refused(test, c, &fence->base, bad[i], -EINVAL);
	fence_refused(test, c, NULL, -EIO, -EINVAL);
	fence_refused(test, c, ERR_PTR(-ENOENT), -EIO, -EINVAL);
	fence_refused(test, NULL, &fence->base, -EIO, -EINVAL);
	fence_refused(test, ERR_PTR(-EPERM), &fence->base, -EIO, -EINVAL);
	fence_refused(test, ctx_background(), &fence->base, -EIO, -EINVAL);
	fence_refused(test, ctx_todo(), &fence->base, -EIO, -EINVAL);
	fence_refused(test, v, &fence->base, -EIO, -EINVAL);
	fence_refused(test, w, &fence->base, -EIO, -EINVAL);
	KUNIT_EXPECT_EQ(test, ctx_cancel_on_fence(c, &fence->base, -EIO, NULL), -EINVAL);
	ct_expect_live(test, c);
	ctx_cancel(c);
	fence_refused(test, c, &fence->base, -EIO, -ENOENT);
	KUNIT_EXPECT_EQ(test, fence_refs(fence), 1U);
	KUNIT_EXPECT_EQ(test, atomic_read(&fence->enabled), 0);
	fence_put(fence);
	ctx_put(w);
	ctx_put(v);
	ctx_put(c);
}

static void s15_many_to_many(struct kunit *test)
{
	enum { N = 4 };
	struct ctx_source source[N][N];
	struct fence *fence[N];
	struct ctx *c[N];
	int i, k;

	for (i = 0; i < N; i++) {
		c[i] = ct_cancel(test, ctx_background());
		fence[i] = fence_new(test);
	}
	for (i = 0; i < N; i++)
		for (k = 0; k < N; k++)
			KUNIT_ASSERT_EQ(test, watch(c[i], fence[k], &source[i][k]), 0);
	/* All but the first context lose interest in the first fence. */
	for (i = 1; i < N; i++)
		KUNIT_EXPECT_TRUE(test, ctx_source_detach(&source[i][0]));
	fence_signal(fence[0]);
	ctx_barrier();
	for (i = 0; i < N; i++)
		KUNIT_EXPECT_EQ(test, ctx_cause(c[i]), i ? 0 : -EIO);
	for (k = 1; k < N; k++)
		fence_signal(fence[k]);
	ctx_barrier();
	for (i = 0; i < N; i++) {
		expect_by_fence(test, c[i]);
		for (k = 0; k < N; k++)
			ctx_source_detach(&source[i][k]);
		ctx_put(c[i]);
	}
	for (k = 0; k < N; k++) {
		KUNIT_EXPECT_EQ(test, fence_refs(fence[k]), 1U);
		fence_put(fence[k]);
	}
}

#define CHAIN	1000

struct fence_link {
	struct ctx *ctx;
	struct ctx_source source;
	struct ctx_callback cb;
	struct fence *fence;		/* signalled when the context is done */
	unsigned long stack;
};

static void fence_link_fn(struct ctx *ctx, struct ctx_callback *cb)
{
	struct fence_link *link = container_of(cb, struct fence_link, cb);

	link->stack = ct_stack_used();
	fence_signal(link->fence);
}

/* Each context signals the fence that cancels the next. */
static void s15_a_chain_of_a_thousand_does_not_recurse(struct kunit *test)
{
	struct fence_link *links = kcalloc(CHAIN, sizeof(*links), GFP_KERNEL);
	int i;

	KUNIT_ASSERT_NOT_NULL(test, links);
	for (i = 0; i < CHAIN; i++) {
		links[i].ctx = ct_cancel(test, ctx_background());
		links[i].fence = fence_new(test);
		KUNIT_ASSERT_EQ(test, ctx_callback_add(links[i].ctx, &links[i].cb, fence_link_fn),
				0);
		if (i)
			KUNIT_ASSERT_EQ(test, watch(links[i].ctx, links[i - 1].fence,
						    &links[i].source), 0);
	}
	ctx_cancel_cause(links[0].ctx, -EPERM);
	ct_wait_done(test, links[CHAIN - 1].ctx, -ECANCELED);
	ctx_barrier();
	/* None is called from within another: each is as deep as any. */
	for (i = 2; i < CHAIN; i++)
		KUNIT_EXPECT_LT(test, links[i].stack, links[1].stack + PAGE_SIZE);
	for (i = 0; i < CHAIN; i++) {
		KUNIT_EXPECT_EQ(test, ctx_cause(links[i].ctx), i ? -EIO : -EPERM);
		KUNIT_EXPECT_FALSE(test, ctx_source_detach(&links[i].source));
		fence_put(links[i].fence);
		ctx_put(links[i].ctx);
	}
	kfree(links);
}

static int signal_fn(void *fence)
{
	if ((unsigned long)fence & 1)
		fence_signal_locked(fence - 1);
	else
		fence_signal(fence);
	return 0;
}

static void s15_signalled_while_it_is_detached(struct kunit *test)
{
	struct ct_partner partner;
	int round;

	ct_partner_start(test, &partner, signal_fn);
	for (round = 0; round < ct_times(1000); round++) {
		struct ctx *c = ct_cancel(test, ctx_background());
		struct fence *fence = fence_new(test);
		struct ctx_source source;
		bool kept;
		int cause;

		KUNIT_ASSERT_EQ(test, watch(c, fence, &source), 0);
		ct_partner_go(&partner, (void *)fence + round % 2);
		ct_busy_ns(round % 50 * 100);
		kept = ctx_source_detach(&source);
		cause = ctx_cause(c);
		memset(&source, 0x6b, sizeof(source));
		KUNIT_EXPECT_EQ(test, cause, kept ? 0 : -EIO);
		ct_partner_wait(test, &partner);
		ctx_barrier();
		KUNIT_EXPECT_EQ(test, ctx_cause(c), cause);
		KUNIT_EXPECT_EQ(test, fence_refs(fence), 1U);
		fence_put(fence);
		ctx_put(c);
	}
	ct_partner_stop(test, &partner);
}

static void s15_signalled_while_it_is_attached(struct kunit *test)
{
	struct ct_partner partner;
	int round;

	ct_partner_start(test, &partner, signal_fn);
	for (round = 0; round < ct_times(1000); round++) {
		struct ctx *c = ct_cancel(test, ctx_background());
		struct fence *fence = fence_new(test);
		struct ctx_source source;

		ct_partner_go(&partner, fence);
		KUNIT_EXPECT_EQ(test, watch(c, fence, &source), 0);
		ct_wait_done(test, c, -ECANCELED);
		ct_partner_wait(test, &partner);
		expect_by_fence(test, c);
		KUNIT_EXPECT_FALSE(test, ctx_source_detach(&source));
		fence_put(fence);
		ctx_put(c);
	}
	ct_partner_stop(test, &partner);
}

static void fence_detached_in(struct kunit *test, enum ct_where where, int when, bool last)
{
	struct ctx *c = ct_cancel(test, ctx_background());
	struct fence *fence = fence_new(test);
	DECLARE_COMPLETION_ONSTACK(freed);
	struct ctx_source source;
	bool kept;

	fence->freed = &freed;
	KUNIT_ASSERT_EQ(test, watch(c, fence, &source), 0);
	if (when == 1) {
		fence_signal(fence);
		ct_wait_done(test, c, -ECANCELED);
	}
	if (last)
		fence_put(fence);
	kept = ct_detach_in(test, where, &source, when == 2 ? fence_signal : NULL, fence);
	KUNIT_EXPECT_EQ(test, ctx_cause(c), kept ? 0 : -EIO);
	if (when < 2)
		KUNIT_EXPECT_EQ(test, kept, when == 0);
	KUNIT_EXPECT_EQ(test, completion_done(&freed), last);
	if (!last) {
		fence_signal(fence);
		ctx_barrier();
		KUNIT_EXPECT_EQ(test, ctx_cause(c), kept ? 0 : -EIO);
		KUNIT_EXPECT_EQ(test, fence_refs(fence), 1U);
		fence_put(fence);
	}
	ctx_put(c);
}

/* Before it is signalled, long after that, and right after it; also with the last reference. */
static void s18_may_be_detached_in_interrupts(struct kunit *test)
{
	int where, when;

	for (where = CT_HARDIRQ; where <= CT_SOFTIRQ; where++) {
		for (when = 0; when < 3; when++) {
			fence_detached_in(test, where, when, false);
			fence_detached_in(test, where, when, true);
		}
	}
}

struct fence_attach {
	struct ctx *ctx;
	struct fence *fence;
	struct ctx_source source;
	int err;
};

static void fence_attach_fn(void *arg)
{
	struct fence_attach *attach = arg;

	attach->err = watch(attach->ctx, attach->fence, &attach->source);
}

/* Of one that is signalled already it is done before that returns. */
static void s18_may_be_attached_in_interrupts(struct kunit *test)
{
	int round;

	for (round = 0; round < 4; round++) {
		struct fence_attach attach = {
			.ctx = ct_cancel(test, ctx_background()),
			.fence = fence_new(test),
		};
		const bool signalled = round % 2;

		if (signalled)
			fence_signal(attach.fence);
		if (round < 2)
			ct_in_handler(fence_attach_fn, &attach);
		else
			ct_in_softirq(fence_attach_fn, &attach);
		KUNIT_EXPECT_EQ(test, attach.err, 0);
		KUNIT_EXPECT_EQ(test, ctx_err(attach.ctx), signalled ? -ECANCELED : 0);
		fence_signal(attach.fence);
		ct_wait_done(test, attach.ctx, -ECANCELED);
		expect_by_fence(test, attach.ctx);
		KUNIT_EXPECT_FALSE(test, ctx_source_detach(&attach.source));
		KUNIT_EXPECT_EQ(test, fence_refs(attach.fence), 1U);
		fence_put(attach.fence);
		ctx_put(attach.ctx);
	}
}

/* The source's reference is the last, and the source is part of what is freed. */
static void s15_a_source_may_be_part_of_its_fence(struct kunit *test)
{
	struct ctx *c = ct_cancel(test, ctx_background());
	struct fence *fence = fence_new(test);

	KUNIT_ASSERT_EQ(test, watch(c, fence, &fence->source), 0);
	fence_put(fence);
	KUNIT_EXPECT_TRUE(test, ctx_source_detach(&fence->source));
	ct_expect_live(test, c);
	ctx_put(c);
}

static struct kunit_case fence_cases[] = {
	KUNIT_CASE(s15_a_fence_cancels),
	KUNIT_CASE(s15_signalled_before_it_cancels_at_once),
	KUNIT_CASE(s10_the_cause_is_that_given),
	KUNIT_CASE(s15_a_fence_that_is_never_signalled),
	KUNIT_CASE(s15_everybody_may_put_what_he_has),
	KUNIT_CASE(s15_a_source_may_be_part_of_its_fence),
	KUNIT_CASE(s18_may_be_attached_in_interrupts),
	KUNIT_CASE(s18_may_be_detached_in_interrupts),
	KUNIT_CASE(s15_bad_arguments_are_refused),
	KUNIT_CASE(s15_many_to_many),
	KUNIT_CASE(s15_a_chain_of_a_thousand_does_not_recurse),
	KUNIT_CASE_SLOW(s15_signalled_while_it_is_detached),
	KUNIT_CASE_SLOW(s15_signalled_while_it_is_attached),
	{ }
};

static struct kunit_suite fence_suite = {
	.name = "ctx_fence",
	.test_cases = fence_cases,
};

kunit_test_suite(fence_suite);

#endif /* CONFIG_DMA_SHARED_BUFFER */
