// SPDX-License-Identifier: GPL-2.0
/*
 * S15, S11: links, a context with several parents. This suite looks inside to see
 * that nothing is left there.
 */
#include "../internal.h"
#include "test.h"

#define MANY	1000
/* Until what takes a few calls was surely set up. */
#define SCENE_MS	(IS_ENABLED(CONFIG_KASAN) ? 2000 : 200)

/* Nothing is registered with @ctx, as a callback or a link. */
static bool idle(struct ctx *ctx)
{
	return ctx_queue_empty(&ctx_scope(ctx)->callbacks);
}

static void link_to(struct kunit *test, struct ctx *ctx, struct ctx *other, struct ctx_link *link)
{
	KUNIT_ASSERT_EQ(test, ctx_link(ctx, other, link), 0);
}

static void expect_same_origin(struct kunit *test, struct ctx *a, struct ctx *b)
{
	struct ctx_origin x = { }, y = { };

	KUNIT_EXPECT_EQ(test, ctx_origin(a, &x), 0);
	KUNIT_EXPECT_EQ(test, ctx_origin(b, &y), 0);
	KUNIT_EXPECT_PTR_EQ(test, x.ctx, y.ctx);
	KUNIT_EXPECT_EQ(test, x.time, y.time);
	KUNIT_EXPECT_EQ(test, x.err, y.err);
	KUNIT_EXPECT_EQ(test, x.cause, y.cause);
	KUNIT_EXPECT_EQ(test, x.pid, y.pid);
	KUNIT_EXPECT_STREQ(test, x.comm, y.comm);
}

/* Whichever of three it is: parent, and two others. */
static void s15_any_parent_ends_it(struct kunit *test)
{
	int which;

	for (which = 0; which < 3; which++) {
		struct ctx *of[3], *c, *below;
		struct ctx_link a, b;
		int i;

		for (i = 0; i < 3; i++)
			of[i] = ct_cancel(test, ctx_background());
		c = ct_cancel(test, of[0]);
		link_to(test, c, of[1], &a);
		link_to(test, c, of[2], &b);
		below = ct_cancel(test, c);
		ct_expect_live(test, c);

		KUNIT_EXPECT_EQ(test, ctx_cancel_cause(of[which], -EIO), 0);
		ct_expect_done(test, c, -ECANCELED, -EIO);
		ct_expect_done(test, below, -ECANCELED, -EIO);
		expect_same_origin(test, c, of[which]);
		expect_same_origin(test, below, of[which]);
		for (i = 0; i < 3; i++)
			KUNIT_EXPECT_EQ(test, ctx_is_done(of[i]), i == which);
		ctx_put(below);
		ctx_put(c);
		for (i = 0; i < 3; i++) {
			KUNIT_EXPECT_TRUE(test, idle(of[i]));
			ctx_put(of[i]);
		}
	}
}

static void s11_origin_is_what_ended_the_other(struct kunit *test)
{
	struct ctx *top = ct_cancel(test, ctx_background());
	struct ctx *other = ct_cancel(test, top);
	struct ctx *value = ct_value(test, other, &ct_token_key, NULL);
	struct ctx *c = ct_cancel(test, ctx_background());
	struct ctx_origin origin = { };
	struct ctx_link link;
	struct ctx *born;

	/* A value shows the state of what is above, and so it is linked to that. */
	link_to(test, c, value, &link);
	ctx_put(value);
	ctx_cancel_cause(top, -ENXIO);
	ct_expect_done(test, c, -ECANCELED, -ENXIO);
	/* Whatever becomes of the others and of the link, it can still tell. */
	ctx_unlink(&link);
	born = ct_cancel(test, c);
	ctx_put(other);
	ctx_put(top);
	KUNIT_EXPECT_EQ(test, ctx_origin(c, &origin), 0);
	KUNIT_EXPECT_PTR_EQ(test, origin.ctx, top);
	KUNIT_EXPECT_EQ(test, origin.pid, task_tgid_nr(current));
	expect_same_origin(test, c, top);
	expect_same_origin(test, born, c);
	ct_expect_done(test, born, -ECANCELED, -ENXIO);
	ctx_put(c);
	expect_same_origin(test, born, top);
	ctx_put(born);
}

static void s15_expiry_of_the_other_in_its_interrupt(struct kunit *test)
{
	struct ctx *other = ct_timeout_ms(test, ctx_background(), SCENE_MS);
	struct ctx *c = ct_cancel(test, ctx_background());
	struct ctx *hour = ct_hour(test, ctx_background());
	struct ctx_origin origin = { };
	struct ctx_link link, second;
	struct ct_probe probe;
	ktime_t deadline;

	link_to(test, c, other, &link);
	link_to(test, hour, other, &second);
	ct_probe_add(test, &probe, c);
	/* Not merged. */
	KUNIT_EXPECT_FALSE(test, ctx_deadline(c, &deadline));
	ct_wait_for(test, &probe.ran);
	KUNIT_EXPECT_EQ(test, probe.err, -ETIMEDOUT);
	KUNIT_EXPECT_EQ(test, (int)probe.where,
			(int)(IS_ENABLED(CONFIG_PREEMPT_RT) ? CT_WORKER : CT_HARDIRQ));
	ct_wait_done(test, hour, -ETIMEDOUT);
	/* The interrupt, which another CPU may have, disarms what it has made done. */
	ctx_cancel_sync(other);
	ct_expect_done(test, c, -ETIMEDOUT, -ETIMEDOUT);
	KUNIT_EXPECT_EQ(test, ctx_origin(c, &origin), 0);
	KUNIT_EXPECT_EQ(test, origin.pid, 0);
	KUNIT_EXPECT_STREQ(test, origin.comm, "timer");
	KUNIT_EXPECT_FALSE(test, hrtimer_active(&ctx_deadline_of(ctx_scope(hour))->timer));
	ctx_put(hour);
	ctx_put(c);
	ctx_put(other);
}

static void s15_other_done_already(struct kunit *test)
{
	struct ctx *other = ct_cancel(test, ctx_background());
	struct ctx *p = ct_cancel(test, ctx_background());
	struct ctx *bare = ct_cancel(test, p), *c = ct_cancel(test, p), *hour = ct_hour(test, p);
	struct ct_probe probe;
	struct ctx_link link;

	ct_probe_add(test, &probe, c);
	ctx_cancel_cause(other, -EPIPE);
	link_to(test, bare, other, &link);
	link_to(test, hour, other, &link);
	link_to(test, c, other, &link);
	ctx_unlink(&link);
	ct_expect_done(test, bare, -ECANCELED, -EPIPE);
	ct_expect_done(test, hour, -ECANCELED, -EPIPE);
	ct_expect_done(test, c, -ECANCELED, -EPIPE);
	KUNIT_EXPECT_FALSE(test, hrtimer_active(&ctx_deadline_of(ctx_scope(hour))->timer));
	KUNIT_EXPECT_EQ(test, atomic_read(&probe.runs), 1);
	ctx_put(other);
	expect_same_origin(test, c, bare);
	ctx_cancel_sync(p);
	ctx_put(hour);
	ctx_put(c);
	ctx_put(bare);
	ctx_put(p);
}

static void s15_done_already_itself(struct kunit *test)
{
	struct ctx *c = ct_cancel(test, ctx_background()), *other;
	struct ct_token token;
	struct ctx_link link;
	struct ctx *v = ct_token_ctx(test, &token, ctx_background());

	other = ct_cancel(test, v);
	ctx_put(v);
	ctx_cancel_cause(c, -EIO);
	link_to(test, c, other, &link);
	KUNIT_EXPECT_TRUE(test, idle(other));
	ctx_cancel_cause(other, -ENXIO);
	ct_expect_done(test, c, -ECANCELED, -EIO);
	ctx_put(other);
	/* Nothing was kept of it. */
	ct_token_gone(test, &token);
	ctx_put(c);
}

static void s15_others_that_are_never_done(struct kunit *test)
{
	struct ctx *p = ct_cancel(test, ctx_background());
	struct ctx *others[] = { ctx_background(), ctx_todo(), ct_without(test, p) };
	struct ctx *c = ct_cancel(test, ctx_background());
	struct ctx_link links[ARRAY_SIZE(others)];
	int i;

	for (i = 0; i < ARRAY_SIZE(others); i++)
		link_to(test, c, others[i], &links[i]);
	ctx_cancel(p);
	ct_expect_live(test, c);
	for (i = 0; i < ARRAY_SIZE(others); i++)
		ctx_unlink(&links[i]);
	ctx_put(c);
	ctx_put(others[2]);
	ctx_put(p);
}

static void s15_bad_arguments(struct kunit *test)
{
	struct ctx *c = ct_cancel(test, ctx_background());
	struct ctx *other = ct_cancel(test, ctx_background());
	struct ctx *value = ct_value(test, c, &ct_token_key, NULL);
	struct ctx *without = ct_without(test, other);
	struct ctx *err = ERR_PTR(-EIO);
	struct ctx_link link;

	KUNIT_EXPECT_EQ(test, ctx_link(NULL, other, &link), -EINVAL);
	ctx_unlink(&link);
	KUNIT_EXPECT_EQ(test, ctx_link(err, other, &link), -EINVAL);
	KUNIT_EXPECT_EQ(test, ctx_link(c, NULL, &link), -EINVAL);
	KUNIT_EXPECT_EQ(test, ctx_link(c, err, &link), -EINVAL);
	KUNIT_EXPECT_EQ(test, ctx_link(c, other, NULL), -EINVAL);
	KUNIT_EXPECT_EQ(test, ctx_link(value, other, &link), -EINVAL);
	KUNIT_EXPECT_EQ(test, ctx_link(without, other, &link), -EINVAL);
	KUNIT_EXPECT_EQ(test, ctx_link(ctx_background(), other, &link), -EINVAL);
	KUNIT_EXPECT_EQ(test, ctx_link(c, c, &link), -ELOOP);
	KUNIT_EXPECT_EQ(test, ctx_link(c, value, &link), -ELOOP);
	ctx_unlink(&link);
	ctx_unlink(NULL);
	KUNIT_EXPECT_TRUE(test, idle(other));
	ctx_put(without);
	ctx_put(value);
	ctx_put(other);
	ctx_put(c);
}

/* Each form of child, alone; with the caller's reference and with another. */
static void s15_only_without_children(struct kunit *test)
{
	struct ctx *other = ct_cancel(test, ctx_background());
	struct ctx_link link;
	int form;

	for (form = 0; form < CT_FORMS; form++) {
		struct ctx *c = ct_cancel(test, ctx_background());
		struct ctx *child = ct_must(test, ct_derive(form, c, GFP_KERNEL));

		KUNIT_EXPECT_EQ(test, ctx_link(c, other, &link), -EBUSY);
		KUNIT_EXPECT_EQ(test, ctx_link(c, ctx_background(), &link), -EBUSY);
		/* A child that is done refers to it still. */
		ctx_cancel(child);
		KUNIT_EXPECT_EQ(test, ctx_link(c, other, &link), -EBUSY);
		ctx_unlink(&link);
		KUNIT_EXPECT_TRUE(test, idle(other));
		/* No children any more: but who could tell, if somebody else is there? */
		ctx_put(child);
		ctx_get(c);
		KUNIT_EXPECT_EQ(test, ctx_link(c, other, &link), -EBUSY);
		ctx_put(c);
		link_to(test, c, other, &link);
		ctx_put(c);
	}
	/* One that was never derived from may have any number of holders. */
	for (form = 0; form < CT_FORMS; form++) {
		struct ctx *c = ct_must(test, ct_derive(form, ctx_background(), GFP_KERNEL));

		ctx_get(c);
		KUNIT_EXPECT_EQ(test, ctx_link(c, other, &link), ct_is_scope(form) ? 0 : -EINVAL);
		ctx_put(c);
		ctx_put(c);
	}
	KUNIT_EXPECT_TRUE(test, idle(other));
	ctx_put(other);
}

/* Even to one who has no reference of his own on it. */
static void s15_only_without_the_child_that_keeps_it(struct kunit *test)
{
	struct ctx *c = ct_cancel(test, ctx_background());
	struct ctx *child = ct_cancel(test, c);
	struct ctx_link link;

	ctx_put(c);
	KUNIT_EXPECT_EQ(test, ctx_link(c, child, &link), -EBUSY);
	ctx_put(child);
}

static void s15_only_if_nothing_is_linked_to_it(struct kunit *test)
{
	struct ctx *a = ct_cancel(test, ctx_background());
	struct ctx *b = ct_cancel(test, ctx_background());
	struct ctx *c = ct_cancel(test, ctx_background());
	struct ctx_link ab, bc, link;

	link_to(test, a, b, &ab);
	/* To one that is linked itself. */
	KUNIT_EXPECT_EQ(test, ctx_link(b, a, &link), -EBUSY);
	KUNIT_EXPECT_EQ(test, ctx_link(b, c, &link), -EBUSY);
	ctx_unlink(&ab);
	link_to(test, b, c, &bc);
	KUNIT_EXPECT_EQ(test, ctx_link(c, a, &link), -EBUSY);
	link_to(test, a, b, &ab);
	ctx_cancel(c);
	ct_expect_done(test, a, -ECANCELED, -ECANCELED);
	/* What followed refers to it still, linked or not. */
	ctx_unlink(&bc);
	KUNIT_EXPECT_EQ(test, ctx_link(c, a, &link), -EBUSY);
	ctx_put(a);
	ctx_put(b);
	ctx_put(c);
}

/* Neither of the two is another one for it. */
static void s15_refused_is_as_if_not_tried(struct kunit *test)
{
	struct ctx *p = ct_cancel(test, ctx_background());
	struct ctx *child = ct_cancel(test, p);
	struct ctx *other = ct_cancel(test, ctx_background());
	struct ctx *more = ctx_get(other);
	struct ctx_link link;

	KUNIT_EXPECT_EQ(test, ctx_link(p, other, &link), -EBUSY);
	KUNIT_EXPECT_EQ(test, refcount_read(&other->ref), 2U);
	/* Nothing leads from it, whoever else refers to it. */
	link_to(test, other, p, &link);
	ctx_cancel(p);
	ct_expect_done(test, other, -ECANCELED, -ECANCELED);
	ctx_put(more);
	ctx_put(other);
	ctx_put(child);
	ctx_put(p);
}

/* A link may lead to one's own parent, or to what is above. */
static void s15_to_an_ancestor(struct kunit *test)
{
	struct ctx *top = ct_cancel(test, ctx_background());
	struct ctx *p = ct_cancel(test, top);
	struct ctx *c = ct_cancel(test, p), *d = ct_cancel(test, p);
	struct ctx_link up, over;
	struct ct_probe probe;

	link_to(test, c, p, &up);
	link_to(test, d, top, &over);
	ct_probe_add(test, &probe, c);
	ctx_cancel_sync(top);
	KUNIT_EXPECT_EQ(test, atomic_read(&probe.runs), 1);
	ct_expect_done(test, c, -ECANCELED, -ECANCELED);
	ct_expect_done(test, d, -ECANCELED, -ECANCELED);
	ctx_put(d);
	ctx_put(c);
	ctx_put(p);
	ctx_put(top);
}

static void s15_unlink(struct kunit *test)
{
	struct ctx *other = ct_cancel(test, ctx_background());
	struct ctx *a = ct_cancel(test, ctx_background());
	struct ctx *b = ct_cancel(test, ctx_background());
	struct ctx_link first = { }, second, third;

	ctx_unlink(&first);
	link_to(test, a, other, &first);
	link_to(test, b, other, &second);
	link_to(test, a, other, &third);
	ctx_unlink(&first);
	ctx_unlink(&first);
	ctx_unlink(&third);
	ctx_cancel(other);
	ct_expect_live(test, a);
	ct_expect_done(test, b, -ECANCELED, -ECANCELED);
	/* One that has fired, twice. */
	ctx_unlink(&second);
	ctx_unlink(&second);
	/* Used again. */
	link_to(test, a, other, &second);
	ct_expect_done(test, a, -ECANCELED, -ECANCELED);
	ctx_put(b);
	ctx_put(a);
	ctx_put(other);
}

struct unlinker {
	struct ctx_callback cb;
	struct ctx_link *link;
};

static void unlink_fn(struct ctx *ctx, struct ctx_callback *cb)
{
	ctx_unlink(container_of(cb, struct unlinker, cb)->link);
}

/* From callbacks of both, before and after it has fired. */
static void s15_unlink_in_callbacks(struct kunit *test)
{
	struct ctx *other = ct_cancel(test, ctx_background());
	struct ctx *a = ct_cancel(test, ctx_background());
	struct ctx *b = ct_cancel(test, ctx_background());
	struct ctx_link la, lb;
	struct unlinker before = { .link = &la }, after = { .link = &lb };

	KUNIT_ASSERT_EQ(test, ctx_callback_add(other, &before.cb, unlink_fn), 0);
	KUNIT_ASSERT_EQ(test, ctx_callback_add(b, &after.cb, unlink_fn), 0);
	link_to(test, a, other, &la);
	link_to(test, b, other, &lb);
	ctx_cancel(other);
	ct_expect_live(test, a);
	ct_expect_done(test, b, -ECANCELED, -ECANCELED);
	ctx_put(b);
	ctx_put(a);
	ctx_put(other);
}

/* With the last reference the link is gone, and what it kept. */
static void s15_released_with_links(struct kunit *test)
{
	struct ct_token tokens[3];
	struct ctx *c = ct_cancel(test, ctx_background()), *others[3];
	struct ctx_link links[3];
	int i;

	for (i = 0; i < 3; i++) {
		struct ctx *v = ct_token_ctx(test, &tokens[i], ctx_background());

		others[i] = ct_cancel(test, v);
		ctx_put(v);
		link_to(test, c, others[i], &links[i]);
	}
	ctx_put(others[0]);
	ctx_cancel(others[1]);
	ct_expect_done(test, c, -ECANCELED, -ECANCELED);
	ctx_put(others[1]);
	ctx_put(c);
	memset(links, 0xff, sizeof(links[0]) * 2);
	/* It was told. */
	ctx_unlink(&links[2]);
	KUNIT_EXPECT_TRUE(test, idle(others[2]));
	ctx_put(others[2]);
	for (i = 0; i < 3; i++)
		ct_token_gone(test, &tokens[i]);
}

static void s7_long_lived_other_collects_nothing(struct kunit *test)
{
	struct ctx *other = ct_cancel(test, ctx_background());
	struct ctx_link link;
	unsigned int i;

	for (i = 0; i < ct_rounds; i++) {
		struct ctx *c = ct_cancel(test, i & 1 ? other : ctx_background());

		link_to(test, c, other, &link);
		if (i & 2)
			ctx_cancel(c);
		ctx_put(c);
		memset(&link, 0xff, sizeof(link));
		if (!idle(other))
			break;
	}
	KUNIT_EXPECT_EQ(test, i, ct_rounds);
	KUNIT_EXPECT_EQ(test, refcount_read(&other->ref), 1U);
	ctx_cancel(other);
	ctx_put(other);
}

static void put_in_interrupt(void *arg)
{
	ctx_put(arg);
}

static void s18_released_in_interrupts(struct kunit *test)
{
	void (* const in[])(void (*fn)(void *arg), void *arg) = { ct_in_hardirq, ct_in_softirq };
	int i, fired;

	for (i = 0; i < 4; i++) {
		struct ct_token token;
		struct ctx *v = ct_token_ctx(test, &token, ctx_background());
		struct ctx *other = ct_cancel(test, v), *c = ct_cancel(test, ctx_background());
		struct ctx_link link;

		fired = i & 1;
		ctx_put(v);
		link_to(test, c, other, &link);
		if (fired)
			ctx_cancel(other);
		ctx_put(other);
		in[i / 2](put_in_interrupt, c);
		memset(&link, 0xff, sizeof(link));
		ct_token_gone(test, &token);
	}
}

static void cancel_in_interrupt(void *arg)
{
	ctx_cancel(arg);
}

struct chain {
	struct ctx **ctx;
	struct ctx_link *links;
	unsigned int n;
};

/* Each linked to the one before; all children of @parent. */
static void chain_make(struct kunit *test, struct chain *chain, unsigned int n,
		       struct ctx *parent)
{
	unsigned int i;

	chain->n = n;
	chain->ctx = kvcalloc(n, sizeof(*chain->ctx), GFP_KERNEL);
	chain->links = kvcalloc(n, sizeof(*chain->links), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, chain->ctx);
	KUNIT_ASSERT_NOT_NULL(test, chain->links);
	for (i = 0; i < n; i++) {
		chain->ctx[i] = ct_cancel(test, parent);
		if (i)
			link_to(test, chain->ctx[i], chain->ctx[i - 1], &chain->links[i]);
	}
}

static unsigned int chain_done(const struct chain *chain)
{
	unsigned int i, n = 0;

	for (i = 0; i < chain->n; i++)
		n += ctx_is_done(chain->ctx[i]);
	return n;
}

static void chain_put(struct chain *chain)
{
	unsigned int i;

	/* From the first on: what is behind keeps it, and the last put all of them. */
	for (i = 0; i < chain->n; i++)
		ctx_put(chain->ctx[i]);
	kvfree(chain->ctx);
	kvfree(chain->links);
}

static void s19_chain_of_links(struct kunit *test)
{
	struct ctx *p = ct_cancel(test, ctx_background());
	struct chain chain;
	struct ctx *last;

	chain_make(test, &chain, ct_big / 4, ctx_background());
	ctx_cancel_cause(chain.ctx[0], -EIO);
	KUNIT_EXPECT_EQ(test, chain_done(&chain), chain.n);
	last = chain.ctx[chain.n - 1];
	ct_expect_done(test, last, -ECANCELED, -EIO);
	expect_same_origin(test, last, chain.ctx[0]);
	chain_put(&chain);

	/* Live, and below something that lives on. */
	chain_make(test, &chain, ct_big / 4, p);
	chain_put(&chain);
	KUNIT_EXPECT_EQ(test, refcount_read(&p->ref), 1U);

	/* Each waits for the next one, and so does the parent. */
	chain_make(test, &chain, MANY, p);
	ctx_cancel_sync(chain.ctx[0]);
	KUNIT_EXPECT_EQ(test, chain_done(&chain), chain.n);
	ct_expect_live(test, p);
	ctx_cancel_sync(p);
	chain_put(&chain);
	ctx_put(p);
}

/* In an interrupt: what is above its budget comes later, but it comes. */
static void s19_chain_of_links_in_interrupts(struct kunit *test)
{
	struct ctx *p = ct_cancel(test, ctx_background());
	struct ctx *timer = ct_timeout_ms(test, p, 10);
	struct ctx_link link;
	struct chain chain;

	chain_make(test, &chain, MANY, p);
	ct_in_hardirq(cancel_in_interrupt, chain.ctx[0]);
	ct_let_worker_end(chain.ctx[0]);
	KUNIT_EXPECT_EQ(test, chain_done(&chain), chain.n);
	ctx_cancel_sync(chain.ctx[0]);
	ct_in_hardirq(put_in_interrupt, ctx_get(chain.ctx[0]));
	chain_put(&chain);

	chain_make(test, &chain, MANY, p);
	/* The first is linked to, so it cannot be linked any more: one more in front. */
	KUNIT_EXPECT_EQ(test, ctx_link(chain.ctx[0], timer, &link), -EBUSY);
	chain_put(&chain);
	chain_make(test, &chain, 1, p);
	link_to(test, chain.ctx[0], timer, &link);
	ct_wait_done(test, chain.ctx[0], -ETIMEDOUT);
	chain_put(&chain);
	ctx_cancel_sync(p);
	ctx_put(timer);
	ctx_put(p);
}

struct fan {
	struct ctx *ctx[MANY];
	struct ctx_link links[MANY];
	struct ct_probe probes[MANY];
};

/* Half of them with a callback; @other gets some of its own in between. */
static struct fan *fan_begin(struct kunit *test, struct ctx *parent)
{
	struct fan *fan = kvzalloc(sizeof(*fan), GFP_KERNEL);
	int i;

	KUNIT_ASSERT_NOT_NULL(test, fan);
	for (i = 0; i < MANY; i++) {
		fan->ctx[i] = ct_cancel(test, parent);
		if (i & 1)
			ct_probe_add(test, &fan->probes[i], fan->ctx[i]);
	}
	return fan;
}

/* Returns false if @other was done before all were linked to it. */
static bool fan_link(struct kunit *test, struct fan *fan, struct ctx *other)
{
	int i;

	for (i = 0; i < MANY; i++) {
		if (i % 8 == 4) {
			ct_probe_init(&fan->probes[i]);
			if (ctx_callback_add(other, &fan->probes[i].cb, ct_probe_fn))
				return false;
		}
		link_to(test, fan->ctx[i], other, &fan->links[i]);
	}
	return !ctx_err(other);
}

static struct fan *fan_make(struct kunit *test, struct ctx *other, struct ctx *parent)
{
	struct fan *fan = fan_begin(test, parent);

	KUNIT_EXPECT_TRUE(test, fan_link(test, fan, other));
	return fan;
}

static void fan_drop(struct fan *fan)
{
	int i;

	for (i = 0; i < MANY; i++)
		ctx_put(fan->ctx[i]);
	kvfree(fan);
}

static void fan_put(struct kunit *test, struct fan *fan, int err)
{
	int i;

	for (i = 0; i < MANY; i++) {
		int runs = i & 1 || i % 8 == 4;

		if (ctx_err(fan->ctx[i]) != err || atomic_read(&fan->probes[i].runs) != runs)
			break;
	}
	KUNIT_EXPECT_EQ(test, i, MANY);
	fan_drop(fan);
}

/* With as much time as it takes to link them. */
static void fan_expires(struct kunit *test, struct ctx *parent)
{
	bool in_time = false;
	struct ctx *other;
	struct fan *fan;
	int ms, i;

	for (ms = 20; !in_time && ms < 60000; ms *= 4) {
		other = ct_timeout_ms(test, ctx_background(), ms);
		fan = fan_begin(test, parent);
		in_time = fan_link(test, fan, other);
		for (i = 0; !in_time && i < MANY; i++)
			ctx_cancel(fan->ctx[i]);
		for (i = 0; in_time && i < MANY; i++)
			ct_wait_done(test, fan->ctx[i], -ETIMEDOUT);
		ctx_cancel_sync(other);
		if (in_time)
			fan_put(test, fan, -ETIMEDOUT);
		else
			fan_drop(fan);
		ctx_put(other);
	}
	KUNIT_EXPECT_TRUE(test, in_time);
}

static void s15_many_linked_to_one(struct kunit *test)
{
	struct ctx *p = ct_cancel(test, ctx_background()), *other;
	struct fan *fan;
	int i;

	other = ct_cancel(test, p);
	fan = fan_make(test, other, p);
	ctx_cancel(other);
	fan_put(test, fan, -ECANCELED);
	KUNIT_EXPECT_EQ(test, ctx_err(p), 0);
	ctx_put(other);

	/* What does not fit the interrupt's budget, a worker does. */
	other = ct_cancel(test, ctx_background());
	fan = fan_make(test, other, p);
	ctx_cancel_async(other);
	for (i = 0; i < MANY; i++)
		ct_wait_done(test, fan->ctx[i], -ECANCELED);
	ctx_cancel_sync(other);
	fan_put(test, fan, -ECANCELED);
	ctx_put(other);

	fan_expires(test, p);
	ctx_put(p);
}

/* S12: in the order in which they were added, the linked one's in their turn. */
static void s15_among_callbacks(struct kunit *test)
{
	struct ctx *other = ct_cancel(test, ctx_background());
	struct ctx *c = ct_cancel(test, ctx_background());
	struct ct_probe first, last, inner;
	struct ctx_link link;

	ct_probe_add(test, &first, other);
	link_to(test, c, other, &link);
	ct_probe_add(test, &last, other);
	ct_probe_add(test, &inner, c);
	ctx_cancel(other);
	KUNIT_EXPECT_EQ(test, atomic_read(&first.runs), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&last.runs), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&inner.runs), 1);
	KUNIT_EXPECT_LE(test, first.time, last.time);
	KUNIT_EXPECT_LE(test, last.time, inner.time);
	ctx_put(c);
	ctx_put(other);
}

/* Removing callbacks from the end of a queue that is closed, or not. */
static void s12_remove_around_links(struct kunit *test)
{
	struct ctx *other = ct_cancel(test, ctx_background());
	struct ctx *c = ct_cancel(test, ctx_background());
	struct ct_probe before, after, again;
	struct ctx_link link;

	ct_probe_add(test, &before, other);
	link_to(test, c, other, &link);
	ct_probe_add(test, &after, other);
	KUNIT_EXPECT_TRUE(test, ctx_callback_remove(other, &after.cb));
	KUNIT_EXPECT_FALSE(test, ctx_callback_remove(other, &after.cb));
	ct_probe_add(test, &again, other);
	ctx_unlink(&link);
	KUNIT_EXPECT_TRUE(test, ctx_callback_remove_sync(other, &before.cb));
	link_to(test, c, other, &link);
	ctx_cancel(other);
	KUNIT_EXPECT_EQ(test, atomic_read(&again.runs), 1);
	ct_expect_done(test, c, -ECANCELED, -ECANCELED);
	ctx_put(c);
	ctx_put(other);
}

struct slow {
	struct ctx_callback cb;
	struct ctx *ctx;
	atomic_t begun;
	atomic_t go;
	atomic_t over;
};

static void slow_fn(struct ctx *ctx, struct ctx_callback *cb)
{
	struct slow *slow = container_of(cb, struct slow, cb);

	atomic_set(&slow->begun, 1);
	ct_spin_until(atomic_read(&slow->go));
	ct_busy_ms(30);
	atomic_set(&slow->over, 1);
}

static int slow_cancel_fn(void *arg)
{
	struct slow *slow = arg;

	ctx_cancel(slow->ctx);
	return 0;
}

/*
 * Somebody else has cancelled the other, and is in a callback of what is linked to it,
 * or of a child of that.
 */
static void s5_sync_waits_through_links(struct kunit *test)
{
	int deep, above;

	for (deep = 0; deep < 2; deep++) {
		for (above = 0; above < 2; above++) {
			struct ctx *top = ct_cancel(test, ctx_background());
			struct ctx *other = ct_cancel(test, top);
			struct ctx *p = ct_cancel(test, ctx_background());
			struct ctx *c = ct_cancel(test, p), *child;
			struct slow slow = { .ctx = other };
			struct ct_helper helper;
			struct ctx_link link;

			link_to(test, c, other, &link);
			child = ct_cancel(test, c);
			KUNIT_ASSERT_EQ(test, ctx_callback_add(deep ? child : c, &slow.cb,
							       slow_fn), 0);
			ct_helper_start_on(test, &helper, slow_cancel_fn, &slow,
					   raw_smp_processor_id() + 1);
			KUNIT_EXPECT_TRUE(test, ct_spin_until(atomic_read(&slow.begun)));
			atomic_set(&slow.go, 1);
			ctx_cancel_sync(above ? top : other);
			KUNIT_EXPECT_EQ(test, atomic_read(&slow.over), 1);
			ct_helper_join(test, &helper);
			ctx_put(child);
			ctx_put(c);
			ctx_put(p);
			ctx_put(other);
			ctx_put(top);
		}
	}
}

/* The linked one's own parent waits for it, too. */
static void s5_sync_of_the_parent_waits(struct kunit *test)
{
	struct ctx *other = ct_cancel(test, ctx_background());
	struct ctx *p = ct_cancel(test, ctx_background());
	struct ctx *c = ct_cancel(test, p);
	struct slow slow = { .ctx = other };
	struct ct_helper helper;
	struct ctx_link link;

	link_to(test, c, other, &link);
	KUNIT_ASSERT_EQ(test, ctx_callback_add(c, &slow.cb, slow_fn), 0);
	ct_helper_start_on(test, &helper, slow_cancel_fn, &slow, raw_smp_processor_id() + 1);
	KUNIT_EXPECT_TRUE(test, ct_spin_until(atomic_read(&slow.begun)));
	atomic_set(&slow.go, 1);
	ctx_cancel_sync(p);
	KUNIT_EXPECT_EQ(test, atomic_read(&slow.over), 1);
	ct_helper_join(test, &helper);
	/* Both are at rest: this must not wait for ever. */
	ctx_cancel_sync(other);
	ctx_put(c);
	ctx_put(p);
	ctx_put(other);
}

#define DEEP	80	/* levels: more than an interrupt goes up */

struct next {
	struct ctx_callback cb;
	struct ctx *ctx;
};

static void cancel_next_fn(struct ctx *ctx, struct ctx_callback *cb)
{
	ctx_cancel(container_of(cb, struct next, cb)->ctx);
}

/*
 * The end of one chain of links ends with that of a chain of children, in one
 * interrupt, and the top of each waits for both: all of them come to rest.
 */
static void s5_sync_of_what_settles_in_an_interrupt(struct kunit *test)
{
	struct ctx *top = ct_cancel(test, ctx_background()), *end = top;
	static struct ctx *branch[DEEP];
	struct ctx *linked;
	struct chain chain;
	struct ctx_link link;
	struct next first, second = { .ctx = top };
	int i;

	for (i = 0; i < DEEP; i++) {
		branch[i] = ct_cancel(test, end);
		end = branch[i];
	}
	chain_make(test, &chain, DEEP, ctx_background());
	/* Below the branch, and behind the chain. */
	linked = ct_cancel(test, end);
	link_to(test, linked, chain.ctx[DEEP - 1], &link);
	first.ctx = chain.ctx[0];
	KUNIT_ASSERT_EQ(test, ctx_callback_add(linked, &second.cb, cancel_next_fn), 0);
	KUNIT_ASSERT_EQ(test, ctx_callback_add(top, &first.cb, cancel_next_fn), 0);
	ct_in_hardirq(cancel_in_interrupt, chain.ctx[0]);
	ctx_cancel_sync(top);
	ctx_cancel_sync(chain.ctx[0]);
	KUNIT_EXPECT_EQ(test, chain_done(&chain), chain.n);
	ctx_put(linked);
	for (i = 0; i < DEEP; i++)
		ctx_put(branch[i]);
	chain_put(&chain);
	ctx_put(top);
}

struct after_inside {
	struct ctx_after after;
	struct ctx *top;
	struct task_struct *task;
	struct completion ran;
};

static void after_inside_fn(struct ctx_after *after)
{
	struct after_inside *inside = container_of(after, struct after_inside, after);

	WRITE_ONCE(inside->task, current);
	ctx_cancel_sync(inside->top);
	complete(&inside->ran);
}

/* What else a context is linked to: more than are looked at. */
struct more {
	struct ctx *ctx[11];
	struct ctx_link link[11];
	int nr;
};

static void more_link(struct kunit *test, struct more *more, struct ctx *c, int nr)
{
	for (more->nr = 0; more->nr < nr; more->nr++) {
		more->ctx[more->nr] = ct_cancel(test, ctx_background());
		link_to(test, c, more->ctx[more->nr], &more->link[more->nr]);
	}
}

static void more_put(struct more *more)
{
	while (more->nr)
		ctx_put(more->ctx[--more->nr]);
}

/*
 * An after-func below what is linked: the other waits for it, or will, as the case
 * may be: but not when the after-func itself is who asks.
 */
static void s5_sync_from_an_after_func_through_links(struct kunit *test)
{
	int which, far;

	for (which = 0; which < 2; which++) {
		for (far = 0; far < 12; far += 11) {
			struct ctx *other = ct_cancel(test, ctx_background());
			struct ctx *c = ct_cancel(test, ctx_background()), *child;
			struct after_inside inside = { .top = other };
			struct ctx_link link;
			struct more more;

			more_link(test, &more, c, far);
			link_to(test, c, other, &link);
			child = ct_cancel(test, c);
			init_completion(&inside.ran);
			ctx_after_func(child, &inside.after, after_inside_fn);
			/* The other, from where it is reached; or what is below it only. */
			ctx_cancel(which ? child : other);
			ct_wait_for(test, &inside.ran);
			ctx_after_stop_sync(&inside.after);
			ct_expect_done(test, c, -ECANCELED, -ECANCELED);
			ctx_cancel_sync(other);
			ctx_put(child);
			ctx_put(c);
			ctx_put(other);
			more_put(&more);
			ctx_barrier();
		}
	}
}

/*
 * The other is cancelled by somebody who has not come to its links yet, and the after-func's
 * own context by itself: what is between the two is live, and waits for both.
 */
static void s5_sync_from_an_after_func_before_links_end(struct kunit *test)
{
	int far;

	for (far = 0; far < 12; far += 11) {
		struct ctx *other = ct_cancel(test, ctx_background());
		struct ctx *c = ct_cancel(test, ctx_background()), *child;
		struct after_inside inside = { .top = other };
		struct slow slow = { .ctx = other };
		struct ct_helper helper;
		struct ctx_link link;
		struct more more;

		KUNIT_ASSERT_EQ(test, ctx_callback_add(other, &slow.cb, slow_fn), 0);
		link_to(test, c, other, &link);
		/* Of so many not all are looked at, and the first to be linked is the last. */
		more_link(test, &more, c, far);
		child = ct_cancel(test, c);
		init_completion(&inside.ran);
		ctx_after_func(child, &inside.after, after_inside_fn);
		ct_helper_start_on(test, &helper, slow_cancel_fn, &slow,
				   raw_smp_processor_id() + 1);
		KUNIT_EXPECT_TRUE(test, ct_spin_until(atomic_read(&slow.begun)));
		ctx_cancel(child);
		KUNIT_EXPECT_TRUE(test, ct_poll_until(READ_ONCE(inside.task) &&
						      !task_is_running(inside.task)));
		KUNIT_EXPECT_EQ(test, ctx_err(c), 0);
		KUNIT_EXPECT_FALSE(test, completion_done(&inside.ran));
		atomic_set(&slow.go, 1);
		ct_wait_for(test, &inside.ran);
		ct_expect_done(test, c, -ECANCELED, -ECANCELED);
		ct_helper_join(test, &helper);
		ctx_after_stop_sync(&inside.after);
		ctx_put(child);
		ctx_put(c);
		ctx_put(other);
		more_put(&more);
		ctx_barrier();
	}
}

/* What is not above is waited for as ever. */
static void s5_sync_from_an_after_func_elsewhere(struct kunit *test)
{
	struct ctx *other = ct_cancel(test, ctx_background());
	struct ctx *elsewhere = ct_cancel(test, ctx_background());
	struct ctx *c = ct_cancel(test, ctx_background());
	struct after_inside inside = { .top = elsewhere };
	struct ctx_link link;

	link_to(test, c, other, &link);
	init_completion(&inside.ran);
	ctx_after_func(c, &inside.after, after_inside_fn);
	ctx_cancel_sync(other);
	KUNIT_EXPECT_TRUE(test, completion_done(&inside.ran));
	ctx_after_stop_sync(&inside.after);
	ctx_put(c);
	ctx_put(elsewhere);
	ctx_put(other);
}

/* Races: the partner on CPU 1 does the one thing, the test on CPU 0 the other. */

static int partner_cancel(void *arg)
{
	ctx_cancel(arg);
	return 0;
}

/* After ctx_unlink() nothing comes of it any more. */
static void s15_unlink_while_it_fires(struct kunit *test)
{
	struct ct_partner partner;
	int i, fired = 0;

	ct_partner_start(test, &partner, partner_cancel);
	for (i = 0; i < ct_times(1000); i++) {
		struct ctx *other = ct_cancel(test, ctx_background());
		struct ctx *c = ct_cancel(test, ctx_background());
		struct ctx_link link;
		int err;

		link_to(test, c, other, &link);
		ct_partner_go(&partner, other);
		ct_busy_ns(i % 64 * 40);
		ctx_unlink(&link);
		err = ctx_err(c);
		memset(&link, 0xff, sizeof(link));
		ct_partner_wait(test, &partner);
		fired += !!err;
		if (ctx_err(c) != err)
			break;
		ctx_put(c);
		ctx_put(other);
	}
	ct_partner_stop(test, &partner);
	KUNIT_EXPECT_EQ(test, i, ct_times(1000));
	kunit_info(test, "fired first in %d of %d\n", fired, i);
}

static void s15_released_while_it_fires(struct kunit *test)
{
	struct ct_partner partner;
	int i;

	ct_partner_start(test, &partner, partner_cancel);
	for (i = 0; i < ct_times(1000); i++) {
		struct ctx *other = ct_cancel(test, ctx_background());
		struct ctx *c = ct_cancel(test, ctx_background());
		struct ctx_link link;

		link_to(test, c, other, &link);
		ct_partner_go(&partner, other);
		ct_busy_ns(i % 64 * 40);
		ctx_put(c);
		/* Not before: the last reference may have been that of the other's walk. */
		ct_partner_wait(test, &partner);
		memset(&link, 0xff, sizeof(link));
		ctx_put(other);
	}
	ct_partner_stop(test, &partner);
}

/* Its own cancellation, and that of the other, and of its parent: one of them wins. */
static void s15_ended_from_two_sides(struct kunit *test)
{
	struct ct_partner partner;
	int i;

	ct_partner_start(test, &partner, partner_cancel);
	for (i = 0; i < ct_times(1000); i++) {
		struct ctx *other = ct_cancel(test, ctx_background());
		struct ctx *p = ct_cancel(test, ctx_background());
		struct ctx *c = ct_cancel(test, p);
		struct ctx_link link;
		struct ct_probe probe;

		link_to(test, c, other, &link);
		ct_probe_add(test, &probe, c);
		ct_partner_go(&partner, other);
		ct_busy_ns(i % 64 * 40);
		ctx_cancel_cause(i & 1 ? c : p, -EIO);
		KUNIT_EXPECT_EQ(test, ctx_err(c), -ECANCELED);
		ct_partner_wait(test, &partner);
		expect_same_origin(test, c, ctx_cause(c) != -EIO ? other : i & 1 ? c : p);
		ctx_cancel_sync(p);
		ctx_cancel_sync(other);
		KUNIT_EXPECT_EQ(test, atomic_read(&probe.runs), 1);
		ctx_put(c);
		ctx_put(p);
		ctx_put(other);
	}
	ct_partner_stop(test, &partner);
}

struct pair {
	struct ctx *ctx;
	struct ctx *other;
	struct ctx_link link;
};

static int partner_link(void *arg)
{
	struct pair *pair = arg;

	return ctx_link(pair->ctx, pair->other, &pair->link);
}

/* Never both: directly, or by a child that is derived at the same time. */
static void s15_two_links_make_no_cycle(struct kunit *test)
{
	struct ct_partner partner;
	int i, won = 0;

	ct_partner_start(test, &partner, partner_link);
	for (i = 0; i < ct_times(1000); i++) {
		struct ctx *a = ct_cancel(test, ctx_background());
		struct ctx *b = ct_cancel(test, ctx_background());
		struct ctx *child = NULL;
		struct pair pair = { .ctx = b, .other = a };
		struct ctx_link link;
		int mine, theirs;

		ct_partner_go(&partner, &pair);
		ct_busy_ns(i % 64 * 20);
		if (i & 1)
			child = ct_cancel(test, b);
		mine = ctx_link(a, child ?: b, &link);
		theirs = ct_partner_wait(test, &partner);
		KUNIT_EXPECT_TRUE(test, mine == 0 || mine == -EBUSY);
		KUNIT_EXPECT_TRUE(test, theirs == 0 || theirs == -EBUSY);
		if (!mine && !theirs)
			break;
		won += !mine;
		ctx_cancel(a);
		KUNIT_EXPECT_EQ(test, ctx_is_done(b), !theirs);
		ctx_put(child);
		ctx_put(b);
		ctx_put(a);
	}
	ct_partner_stop(test, &partner);
	KUNIT_EXPECT_EQ(test, i, ct_times(1000));
	kunit_info(test, "the first one won in %d of %d\n", won, i);
}

/* Several threads link and unlink one context. */
#define THREADS	4

struct crowd {
	struct ctx *ctx;
	struct ctx *others[THREADS];
	atomic_t next;
	atomic_t bad;
};

static int crowd_fn(void *arg)
{
	struct crowd *crowd = arg;
	struct ctx *other = crowd->others[atomic_inc_return(&crowd->next) - 1];
	struct ctx_link links[3];
	int i, j;

	for (i = 0; i < ct_times(5000); i++) {
		for (j = 0; j < ARRAY_SIZE(links); j++)
			if (ctx_link(crowd->ctx, j & 1 ? crowd->others[0] : other, &links[j]))
				atomic_inc(&crowd->bad);
		for (j = 0; j < ARRAY_SIZE(links); j++)
			ctx_unlink(&links[(i + j) % ARRAY_SIZE(links)]);
	}
	return 0;
}

static void s15_linked_by_several_threads(struct kunit *test)
{
	struct crowd crowd = { .ctx = ct_cancel(test, ctx_background()) };
	struct ct_helper helpers[THREADS];
	int i;

	for (i = 0; i < THREADS; i++)
		crowd.others[i] = ct_cancel(test, ctx_background());
	for (i = 0; i < THREADS; i++)
		ct_helper_start(test, &helpers[i], crowd_fn, &crowd);
	for (i = 0; i < THREADS; i++)
		ct_helper_join(test, &helpers[i]);
	KUNIT_EXPECT_EQ(test, atomic_read(&crowd.bad), 0);
	for (i = 0; i < THREADS; i++) {
		KUNIT_EXPECT_TRUE(test, idle(crowd.others[i]));
		KUNIT_EXPECT_EQ(test, refcount_read(&crowd.others[i]->ref), 1U);
		ctx_put(crowd.others[i]);
	}
	ctx_put(crowd.ctx);
}

/*
 * Two trees, each with contexts that are linked to the other's relatives, cancelled
 * at the same time from both tops, or from anywhere; lockdep looks on.
 */
#define RELATIVES	8

struct clan {
	struct ctx *top;
	struct ctx *elders[RELATIVES];
	struct ctx *young[RELATIVES];
	struct ctx_link links[RELATIVES][2];
	struct ct_probe probes[RELATIVES];
};

static void clan_begin(struct kunit *test, struct clan *clan)
{
	int i;

	clan->top = ct_cancel(test, ctx_background());
	for (i = 0; i < RELATIVES; i++)
		clan->elders[i] = ct_cancel(test, i % 3 ? clan->elders[i - 1] : clan->top);
}

static void clan_marry(struct kunit *test, struct clan *clan, struct clan *other)
{
	int i;

	for (i = 0; i < RELATIVES; i++) {
		clan->young[i] = ct_cancel(test, clan->elders[i]);
		ct_probe_add(test, &clan->probes[i], clan->young[i]);
		link_to(test, clan->young[i], other->elders[RELATIVES - 1 - i],
			&clan->links[i][0]);
		link_to(test, clan->young[i], other->top, &clan->links[i][1]);
	}
}

static void clan_end(struct kunit *test, struct clan *clan)
{
	int i;

	ctx_cancel_sync(clan->top);
	for (i = 0; i < RELATIVES; i++) {
		KUNIT_EXPECT_EQ(test, atomic_read(&clan->probes[i].runs), 1);
		KUNIT_EXPECT_EQ(test, ctx_err(clan->young[i]), -ECANCELED);
	}
}

static void clan_put(struct clan *clan)
{
	int i;

	for (i = 0; i < RELATIVES; i++) {
		if (i & 1)
			ctx_unlink(&clan->links[i][0]);
		ctx_put(clan->young[i]);
	}
	for (i = 0; i < RELATIVES; i++)
		ctx_put(clan->elders[i]);
	ctx_put(clan->top);
}

static void s15_two_cancelled_while_linked_to_each_other(struct kunit *test)
{
	struct clan *clans = kvcalloc(2, sizeof(*clans), GFP_KERNEL);
	struct ct_partner partner;
	int i;

	KUNIT_ASSERT_NOT_NULL(test, clans);
	ct_partner_start(test, &partner, partner_cancel);
	for (i = 0; i < ct_times(500); i++) {
		clan_begin(test, &clans[0]);
		clan_begin(test, &clans[1]);
		clan_marry(test, &clans[0], &clans[1]);
		clan_marry(test, &clans[1], &clans[0]);
		ct_partner_go(&partner, i % 3 ? clans[1].top : clans[1].elders[i % RELATIVES]);
		ct_busy_ns(i % 32 * 100);
		ctx_cancel(i % 5 ? clans[0].top : clans[0].elders[i % RELATIVES]);
		ct_partner_wait(test, &partner);
		clan_end(test, &clans[0]);
		clan_end(test, &clans[1]);
		clan_put(&clans[0]);
		clan_put(&clans[1]);
	}
	ct_partner_stop(test, &partner);
	kvfree(clans);
}

/* Everything at random: contexts in slots are derived, linked, cancelled and put. */
#define SLOTS	24

struct mixer {
	struct ctx *top;
	spinlock_t lock;	/* protects slot */
	struct slot {
		struct ctx *ctx;
		struct ctx_link *link;	/* freed after the put that it goes with */
	} slot[SLOTS];
	atomic_t seed;
	ktime_t end;
};

static u32 mixer_random(u32 *state, u32 below)
{
	*state = *state * 1664525 + 1013904223;
	return (*state >> 16) % below;
}

static struct ctx *mixer_borrow(struct mixer *mixer, u32 i)
{
	struct ctx *ctx;

	spin_lock(&mixer->lock);
	ctx = ctx_get(mixer->slot[i].ctx);
	spin_unlock(&mixer->lock);
	return ctx;
}

/* What was in the slot is given back. Others may hold it: so its link goes first. */
static void mixer_put(struct slot old)
{
	if (old.link)
		ctx_unlink(old.link);
	kfree(old.link);
	ctx_put(old.ctx);
}

static void mixer_replace(struct mixer *mixer, u32 i, struct slot new)
{
	struct slot old;

	spin_lock(&mixer->lock);
	old = mixer->slot[i];
	mixer->slot[i] = new;
	spin_unlock(&mixer->lock);
	mixer_put(old);
}

static struct slot mixer_make(struct ctx *parent, struct ctx *other, bool timed)
{
	struct slot new = { .link = kzalloc(sizeof(*new.link), GFP_KERNEL | __GFP_NOFAIL) };

	if (timed)
		new.ctx = ctx_with_timeout(parent, ct_us(500), GFP_KERNEL | __GFP_NOFAIL);
	else
		new.ctx = ctx_with_cancel(parent, GFP_KERNEL | __GFP_NOFAIL);
	ctx_link(new.ctx, other, new.link);
	return new;
}

static int mixer_fn(void *arg)
{
	struct mixer *mixer = arg;
	u32 random = atomic_inc_return(&mixer->seed) * 7919;

	while (ktime_before(ktime_get(), mixer->end)) {
		u32 i = mixer_random(&random, SLOTS), j = mixer_random(&random, SLOTS);
		struct ctx *a = mixer_borrow(mixer, i), *b = mixer_borrow(mixer, j);

		switch (mixer_random(&random, 8)) {
		case 0:
			ctx_cancel(a);
			break;
		case 1:
			if (mixer_random(&random, 4))
				ctx_cancel_async(a);
			else if (a)
				ctx_cancel_sync(a);
			break;
		case 2:
			mixer_replace(mixer, i, (struct slot){ });
			break;
		default:
			mixer_replace(mixer, i, mixer_make(a && mixer_random(&random, 3) ? a :
							   mixer->top, b ?: mixer->top,
							   !mixer_random(&random, 4)));
		}
		ctx_put(a);
		ctx_put(b);
		cond_resched();
	}
	return 0;
}

static void s15_stress(struct kunit *test)
{
	struct mixer *mixer = kvzalloc(sizeof(*mixer), GFP_KERNEL);
	struct ct_helper helpers[THREADS];
	struct ct_token token;
	struct ctx *v = ct_token_ctx(test, &token, ctx_background());
	int i;

	KUNIT_ASSERT_NOT_NULL(test, mixer);
	mixer->top = ct_cancel(test, v);
	ctx_put(v);
	spin_lock_init(&mixer->lock);
	mixer->end = ktime_add(ktime_get(), ms_to_ktime(min(ct_stress_seconds, 10U) * 1000));
	for (i = 0; i < THREADS; i++)
		ct_helper_start(test, &helpers[i], mixer_fn, mixer);
	for (i = 0; i < THREADS; i++)
		ct_helper_join(test, &helpers[i]);
	ctx_cancel_sync(mixer->top);
	for (i = 0; i < SLOTS; i++)
		mixer_put(mixer->slot[i]);
	KUNIT_EXPECT_TRUE(test, idle(mixer->top));
	ctx_put(mixer->top);
	/* Nothing refers to it any more. */
	ctx_barrier();
	ct_token_gone(test, &token);
	kvfree(mixer);
}

static struct kunit_case link_cases[] = {
	KUNIT_CASE(s15_any_parent_ends_it),
	KUNIT_CASE(s11_origin_is_what_ended_the_other),
	KUNIT_CASE(s15_expiry_of_the_other_in_its_interrupt),
	KUNIT_CASE(s15_other_done_already),
	KUNIT_CASE(s15_done_already_itself),
	KUNIT_CASE(s15_others_that_are_never_done),
	KUNIT_CASE(s15_bad_arguments),
	KUNIT_CASE(s15_only_without_children),
	KUNIT_CASE(s15_only_without_the_child_that_keeps_it),
	KUNIT_CASE(s15_only_if_nothing_is_linked_to_it),
	KUNIT_CASE(s15_refused_is_as_if_not_tried),
	KUNIT_CASE(s15_to_an_ancestor),
	KUNIT_CASE(s15_unlink),
	KUNIT_CASE(s15_unlink_in_callbacks),
	KUNIT_CASE(s15_released_with_links),
	KUNIT_CASE(s7_long_lived_other_collects_nothing),
	KUNIT_CASE(s18_released_in_interrupts),
	KUNIT_CASE(s19_chain_of_links),
	KUNIT_CASE(s19_chain_of_links_in_interrupts),
	KUNIT_CASE(s15_many_linked_to_one),
	KUNIT_CASE(s15_among_callbacks),
	KUNIT_CASE(s12_remove_around_links),
	KUNIT_CASE(s5_sync_waits_through_links),
	KUNIT_CASE(s5_sync_of_the_parent_waits),
	KUNIT_CASE(s5_sync_of_what_settles_in_an_interrupt),
	KUNIT_CASE(s5_sync_from_an_after_func_through_links),
	KUNIT_CASE(s5_sync_from_an_after_func_before_links_end),
	KUNIT_CASE(s5_sync_from_an_after_func_elsewhere),
	KUNIT_CASE(s15_unlink_while_it_fires),
	KUNIT_CASE(s15_released_while_it_fires),
	KUNIT_CASE(s15_ended_from_two_sides),
	KUNIT_CASE(s15_two_links_make_no_cycle),
	KUNIT_CASE(s15_linked_by_several_threads),
	KUNIT_CASE(s15_two_cancelled_while_linked_to_each_other),
	KUNIT_CASE_SLOW(s15_stress),
	{ }
};

static struct kunit_suite link_suite = {
	.name = "ctx_link",
	.test_cases = link_cases,
};

kunit_test_suite(link_suite);
