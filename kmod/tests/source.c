// SPDX-License-Identifier: GPL-2.0
/* S15: sources of the caller's own; what all kinds of them have in common. */
#include <linux/cpumask.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "test.h"

/* Something that comes to its end, under a lock of its own. */
struct thing {
	struct ctx_source source;
	spinlock_t lock;	/* under which it ends, and is detached */
	struct ctx *ctx;
	int detached;
};

static void thing_detach(struct ctx_source *source)
{
	struct thing *thing = container_of(source, struct thing, source);
	unsigned long flags;

	spin_lock_irqsave(&thing->lock, flags);
	thing->detached++;
	spin_unlock_irqrestore(&thing->lock, flags);
}

static const struct ctx_source_ops thing_ops = {
	.name = "thing",
	.detach = thing_detach,
};

static void thing_init(struct thing *thing)
{
	memset(thing, 0, sizeof(*thing));
	spin_lock_init(&thing->lock);
}

static void thing_attach(struct kunit *test, struct thing *thing, struct ctx *ctx)
{
	thing_init(thing);
	thing->ctx = ctx;
	KUNIT_ASSERT_EQ(test, ctx_source_attach(ctx, &thing->source, &thing_ops), 0);
}

static void thing_end(void *arg)
{
	struct thing *thing = arg;
	unsigned long flags;

	spin_lock_irqsave(&thing->lock, flags);
	if (!thing->detached)
		ctx_source_fire(&thing->source, -EIO);
	spin_unlock_irqrestore(&thing->lock, flags);
}

static void expect_by(struct kunit *test, struct ctx *ctx, struct ctx *by, const char *name)
{
	struct ctx_origin origin = { };

	KUNIT_EXPECT_EQ(test, ctx_origin(ctx, &origin), 0);
	KUNIT_EXPECT_PTR_EQ(test, origin.ctx, by);
	KUNIT_EXPECT_EQ(test, origin.pid, 0);
	KUNIT_EXPECT_STREQ(test, origin.comm, name);
	KUNIT_EXPECT_LE(test, origin.time, ktime_get());
}

static void s15_a_source_cancels_what_it_is_attached_to(struct kunit *test)
{
	struct ctx *p = ct_cancel(test, ctx_background());
	struct ctx *c = ct_hour(test, p);
	struct ctx *v = ct_value(test, c, test, test);
	struct ctx *g = ct_cancel(test, v);
	struct thing thing;

	thing_attach(test, &thing, c);
	ct_expect_live(test, c);
	KUNIT_EXPECT_EQ(test, ctx_source_fire(&thing.source, -ENODEV), 0);
	ct_wait_done(test, g, -ECANCELED);
	ct_expect_done(test, c, -ECANCELED, -ENODEV);
	ct_expect_done(test, g, -ECANCELED, -ENODEV);
	ct_expect_live(test, p);
	expect_by(test, c, c, "thing");
	expect_by(test, g, c, "thing");
	KUNIT_EXPECT_EQ(test, thing.detached, 0);
	KUNIT_EXPECT_FALSE(test, ctx_source_detach(&thing.source));
	KUNIT_EXPECT_EQ(test, thing.detached, 1);
	ctx_put(g);
	ctx_put(v);
	ctx_put(c);
	ctx_put(p);
}

static void s15_one_that_never_fires_leaves_nothing(struct kunit *test)
{
	struct ct_token token;
	struct ctx *v = ct_token_ctx(test, &token, ctx_background());
	struct ctx *c = ct_cancel(test, v);
	struct thing thing;

	ctx_put(v);
	thing_attach(test, &thing, c);
	KUNIT_EXPECT_TRUE(test, ctx_source_detach(&thing.source));
	KUNIT_EXPECT_EQ(test, thing.detached, 1);
	ctx_barrier();
	ct_expect_live(test, c);
	/* Once is all there is to it. */
	KUNIT_EXPECT_FALSE(test, ctx_source_detach(&thing.source));
	KUNIT_EXPECT_EQ(test, thing.detached, 1);
	ctx_put(c);
	ct_token_gone(test, &token);
}

static void s15_the_first_time_counts(struct kunit *test)
{
	struct ctx *c = ct_cancel(test, ctx_background());
	struct thing thing;

	thing_attach(test, &thing, c);
	KUNIT_EXPECT_EQ(test, ctx_source_fire(&thing.source, -EIO), 0);
	KUNIT_EXPECT_EQ(test, ctx_source_fire(&thing.source, -EPERM), 0);
	ct_wait_done(test, c, -ECANCELED);
	KUNIT_EXPECT_EQ(test, ctx_source_fire(&thing.source, -EPERM), 0);
	ctx_barrier();
	ct_expect_done(test, c, -ECANCELED, -EIO);
	KUNIT_EXPECT_FALSE(test, ctx_source_detach(&thing.source));
	ctx_put(c);
}

static void s15_bad_causes_are_refused(struct kunit *test)
{
	static const int bad[] = { 0, 1, -MAX_ERRNO - 1, INT_MAX, INT_MIN };
	static const int good[] = { -1, -MAX_ERRNO };
	struct ctx *c = ct_cancel(test, ctx_background());
	struct thing thing;
	int i;

	thing_attach(test, &thing, c);
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		KUNIT_EXPECT_EQ(test, ctx_source_fire(&thing.source, bad[i]), -EINVAL);
	ctx_barrier();
	ct_expect_live(test, c);
	KUNIT_EXPECT_TRUE(test, ctx_source_detach(&thing.source));
	ctx_put(c);
	for (i = 0; i < ARRAY_SIZE(good); i++) {
		c = ct_cancel(test, ctx_background());
		thing_attach(test, &thing, c);
		KUNIT_EXPECT_EQ(test, ctx_source_fire(&thing.source, good[i]), 0);
		ct_wait_done(test, c, -ECANCELED);
		KUNIT_EXPECT_EQ(test, ctx_cause(c), good[i]);
		KUNIT_EXPECT_FALSE(test, ctx_source_detach(&thing.source));
		ctx_put(c);
	}
}

static void refused(struct kunit *test, struct ctx *ctx, const struct ctx_source_ops *ops, int err)
{
	struct thing thing;

	thing_init(&thing);
	/* As if it had been attached before. */
	thing.source.ctx = ctx_todo();
	KUNIT_EXPECT_EQ(test, ctx_source_attach(ctx, &thing.source, ops), err);
	KUNIT_EXPECT_FALSE(test, ctx_source_detach(&thing.source));
	KUNIT_EXPECT_EQ(test, thing.detached, 0);
}

static void s15_bad_arguments_are_refused(struct kunit *test)
{
	static const struct ctx_source_ops nameless = { .detach = thing_detach };
	static const struct ctx_source_ops empty = { .name = "", .detach = thing_detach };
	struct ctx *c = ct_cancel(test, ctx_background());
	struct thing thing;

	refused(test, NULL, &thing_ops, -EINVAL);
	refused(test, ERR_PTR(-EIO), &thing_ops, -EINVAL);
	refused(test, c, NULL, -EINVAL);
	refused(test, c, &nameless, -EINVAL);
	refused(test, c, &empty, -EINVAL);
	KUNIT_EXPECT_EQ(test, ctx_source_attach(c, NULL, &thing_ops), -EINVAL);
	KUNIT_EXPECT_FALSE(test, ctx_source_detach(NULL));
	thing_init(&thing);
	KUNIT_EXPECT_FALSE(test, ctx_source_detach(&thing.source));
	ct_expect_live(test, c);
	ctx_put(c);
}

static void s15_takes_something_to_cancel(struct kunit *test)
{
	struct ctx *p = ct_cancel(test, ctx_background());
	struct ctx *v = ct_value(test, p, test, test);
	struct ctx *w = ct_without(test, p);
	struct ctx *t = ct_timeout_ms(test, ctx_background(), 1);

	refused(test, ctx_background(), &thing_ops, -EINVAL);
	refused(test, ctx_todo(), &thing_ops, -EINVAL);
	refused(test, v, &thing_ops, -EINVAL);
	refused(test, w, &thing_ops, -EINVAL);
	ctx_cancel(p);
	refused(test, p, &thing_ops, -ENOENT);
	ct_wait_done(test, t, -ETIMEDOUT);
	refused(test, t, &thing_ops, -ENOENT);
	ctx_put(t);
	ctx_put(w);
	ctx_put(v);
	ctx_put(p);
}

static void s11_a_long_name_is_cut(struct kunit *test)
{
	static const struct ctx_source_ops ops = { .name = "a name of twenty-five char" };
	struct ctx *c = ct_cancel(test, ctx_background());
	struct ctx_source source;

	/* And whoever needs no detach function has none. */
	KUNIT_ASSERT_EQ(test, ctx_source_attach(c, &source, &ops), 0);
	KUNIT_EXPECT_EQ(test, ctx_source_fire(&source, -EIO), 0);
	ct_wait_done(test, c, -ECANCELED);
	expect_by(test, c, c, "a name of twent");
	KUNIT_EXPECT_FALSE(test, ctx_source_detach(&source));
	ctx_put(c);
}

/* Takes the lock under which the source is fired. */
struct locker {
	struct ctx_callback cb;
	struct thing *thing;
	enum ct_where where;
	struct completion ran;
};

static void locker_fn(struct ctx *ctx, struct ctx_callback *cb)
{
	struct locker *locker = container_of(cb, struct locker, cb);
	unsigned long flags;

	spin_lock_irqsave(&locker->thing->lock, flags);
	locker->where = ct_where();
	spin_unlock_irqrestore(&locker->thing->lock, flags);
	complete(&locker->ran);
}

static void s15_under_its_lock_nothing_else_runs(struct kunit *test)
{
	int where;

	for (where = CT_HARDIRQ; where <= CT_TASK; where++) {
		struct ctx *c = ct_cancel(test, ctx_background());
		struct ctx *child = ct_hour(test, c);
		struct thing thing;
		struct locker locker = { .thing = &thing };

		init_completion(&locker.ran);
		thing_attach(test, &thing, c);
		KUNIT_ASSERT_EQ(test, ctx_callback_add(child, &locker.cb, locker_fn), 0);
		if (where == CT_HARDIRQ)
			ct_in_handler(thing_end, &thing);
		else if (where == CT_SOFTIRQ)
			ct_in_softirq(thing_end, &thing);
		else
			thing_end(&thing);
		ct_wait_for(test, &locker.ran);
		KUNIT_EXPECT_EQ(test, (int)locker.where, (int)CT_WORKER);
		ct_expect_done(test, child, -ECANCELED, -EIO);
		expect_by(test, child, c, "thing");
		KUNIT_EXPECT_FALSE(test, ctx_source_detach(&thing.source));
		ctx_put(child);
		ctx_put(c);
	}
}

#define CHAIN	1000

struct link {
	struct thing thing;
	struct ctx_callback cb;
	struct link *next;
	unsigned long stack;
};

static void link_fn(struct ctx *ctx, struct ctx_callback *cb)
{
	struct link *link = container_of(cb, struct link, cb);

	link->stack = ct_stack_used();
	if (link->next)
		thing_end(&link->next->thing);
}

static void s15_a_chain_of_a_thousand_does_not_recurse(struct kunit *test)
{
	struct link *links = kcalloc(CHAIN, sizeof(*links), GFP_KERNEL);
	int i;

	KUNIT_ASSERT_NOT_NULL(test, links);
	for (i = 0; i < CHAIN; i++) {
		thing_attach(test, &links[i].thing, ct_cancel(test, ctx_background()));
		links[i].next = i < CHAIN - 1 ? &links[i + 1] : NULL;
		KUNIT_ASSERT_EQ(test, ctx_callback_add(links[i].thing.ctx, &links[i].cb, link_fn),
				0);
	}
	thing_end(&links[0].thing);
	ct_wait_done(test, links[CHAIN - 1].thing.ctx, -ECANCELED);
	ctx_barrier();
	/* None is called from within another: each is as deep as any. */
	for (i = 2; i < CHAIN; i++)
		KUNIT_EXPECT_LT(test, links[i].stack, links[1].stack + PAGE_SIZE);
	for (i = 0; i < CHAIN; i++) {
		KUNIT_EXPECT_EQ(test, ctx_cause(links[i].thing.ctx), -EIO);
		KUNIT_EXPECT_FALSE(test, ctx_source_detach(&links[i].thing.source));
		ctx_put(links[i].thing.ctx);
	}
	kfree(links);
}

/* What is queued is waited for, and what that queues, too. */
static void s13_the_barrier_waits_for_what_has_fired(struct kunit *test)
{
	int i;

	for (i = 0; i < ct_times(100); i++) {
		struct ctx *c = ct_cancel(test, ctx_background());
		struct ct_probe probe;
		struct thing thing;

		thing_attach(test, &thing, c);
		ct_probe_add(test, &probe, c);
		thing_end(&thing);
		ctx_barrier();
		KUNIT_EXPECT_EQ(test, ctx_cause(c), -EIO);
		KUNIT_EXPECT_EQ(test, atomic_read(&probe.runs), 1);
		KUNIT_EXPECT_FALSE(test, ctx_source_detach(&thing.source));
		ctx_put(c);
	}
}

/* A callback that begins, waits until it is told to go on, and may end something. */
struct gate {
	struct ctx_callback cb;
	struct thing *thing;
	struct completion begun;
	bool go;
};

static void gate_fn(struct ctx *ctx, struct ctx_callback *cb)
{
	struct gate *gate = container_of(cb, struct gate, cb);

	complete(&gate->begun);
	ct_spin_until(READ_ONCE(gate->go));
	if (gate->thing)
		thing_end(gate->thing);
}

static void gate_add(struct kunit *test, struct gate *gate, struct ctx *ctx, struct thing *thing)
{
	gate->thing = thing;
	init_completion(&gate->begun);
	gate->go = false;
	KUNIT_ASSERT_EQ(test, ctx_callback_add(ctx, &gate->cb, gate_fn), 0);
}

static int barrier_fn(void *arg)
{
	ctx_barrier();
	return 0;
}

/* A source that is fired by what was queued, while that is waited for. */
static void s13_the_barrier_waits_for_what_a_walk_fires(struct kunit *test)
{
	struct ctx *first = ct_cancel(test, ctx_background());
	struct ctx *c = ct_cancel(test, ctx_background());
	struct gate firing, fired;
	struct ct_helper helper;
	struct thing thing;
	int i;

	thing_attach(test, &thing, c);
	gate_add(test, &firing, first, &thing);
	gate_add(test, &fired, c, NULL);
	ctx_cancel_async(first);
	ct_wait_for(test, &firing.begun);
	ct_helper_start(test, &helper, barrier_fn, NULL);
	KUNIT_EXPECT_TRUE(test, ct_helper_blocked(&helper));
	WRITE_ONCE(firing.go, true);
	ct_wait_for(test, &fired.begun);
	/* It has as long as what else it waits for takes. */
	for (i = 0; i < 5; i++)
		rcu_barrier();
	KUNIT_EXPECT_FALSE(test, completion_done(&helper.ended));
	WRITE_ONCE(fired.go, true);
	ct_helper_join(test, &helper);
	KUNIT_EXPECT_FALSE(test, ctx_callback_remove_sync(first, &firing.cb));
	KUNIT_EXPECT_FALSE(test, ctx_callback_remove_sync(c, &fired.cb));
	KUNIT_EXPECT_EQ(test, ctx_cause(c), -EIO);
	KUNIT_EXPECT_FALSE(test, ctx_source_detach(&thing.source));
	ctx_put(c);
	ctx_put(first);
}

struct slow {
	struct ctx_callback cb;
	struct ctx *other;
	bool met;
	struct completion ran;
};

static void slow_fn(struct ctx *ctx, struct ctx_callback *cb)
{
	struct slow *slow = container_of(cb, struct slow, cb);

	slow->met = ct_spin_until(ctx_err(slow->other));
	complete(&slow->ran);
}

/* Two on one CPU, of which the first has callbacks that take their time. */
static void s15_one_does_not_keep_another_waiting(struct kunit *test)
{
	struct ctx *a = ct_cancel(test, ctx_background());
	struct ctx *b = ct_cancel(test, ctx_background());
	struct slow slow = { .other = b };
	struct thing first, second;

	init_completion(&slow.ran);
	KUNIT_ASSERT_EQ(test, ctx_callback_add(a, &slow.cb, slow_fn), 0);
	preempt_disable();
	thing_init(&first);
	thing_init(&second);
	first.ctx = a;
	second.ctx = b;
	ctx_source_attach(a, &first.source, &thing_ops);
	ctx_source_attach(b, &second.source, &thing_ops);
	preempt_enable();
	thing_end(&first);
	thing_end(&second);
	ct_wait_for(test, &slow.ran);
	KUNIT_EXPECT_TRUE(test, slow.met);
	KUNIT_EXPECT_FALSE(test, ctx_source_detach(&first.source));
	KUNIT_EXPECT_FALSE(test, ctx_source_detach(&second.source));
	ctx_put(b);
	ctx_put(a);
}

static void s15_the_context_ends_otherwise(struct kunit *test)
{
	struct ctx *p = ct_cancel(test, ctx_background());
	struct ctx *c = ct_cancel(test, p);
	struct thing before, after;

	thing_attach(test, &before, c);
	thing_attach(test, &after, c);
	KUNIT_EXPECT_EQ(test, ctx_cancel_cause(p, -EPERM), 0);
	KUNIT_EXPECT_TRUE(test, ctx_source_detach(&before.source));
	thing_end(&after);
	ctx_barrier();
	ct_expect_done(test, c, -ECANCELED, -EPERM);
	KUNIT_EXPECT_FALSE(test, ctx_source_detach(&after.source));
	KUNIT_EXPECT_EQ(test, before.detached + after.detached, 2);
	ctx_put(c);
	ctx_put(p);
}

/* It keeps its context until it is detached, and no longer. */
static void s15_may_be_detached_after_the_last_put(struct kunit *test)
{
	int fires;

	for (fires = 0; fires < 2; fires++) {
		struct ct_token token;
		struct ctx *v = ct_token_ctx(test, &token, ctx_background());
		struct ctx *c = ct_hour(test, v);
		struct thing thing;

		ctx_put(v);
		thing_attach(test, &thing, c);
		ctx_put(c);
		if (fires) {
			thing_end(&thing);
			ctx_barrier();
		}
		KUNIT_EXPECT_EQ(test, atomic_read(&token.released), 0);
		KUNIT_EXPECT_EQ(test, ctx_source_detach(&thing.source), !fires);
		ct_token_gone(test, &token);
	}
}

/* Detaches, and gives the storage away. */
struct detacher {
	struct ctx_callback cb;
	struct thing *thing;
	bool kept;
	struct completion ran;
};

static void detacher_fn(struct ctx *ctx, struct ctx_callback *cb)
{
	struct detacher *detacher = container_of(cb, struct detacher, cb);

	detacher->kept = ctx_source_detach(&detacher->thing->source);
	memset(detacher->thing, 0x6b, sizeof(*detacher->thing));
	kfree(detacher->thing);
	complete(&detacher->ran);
}

static void cancel_fn(void *arg)
{
	ctx_cancel(arg);
}

static void s15_may_be_detached_by_a_callback_of_its_context(struct kunit *test)
{
	int by;

	for (by = 0; by < 4; by++) {
		struct ctx *c = ct_cancel(test, ctx_background());
		struct thing *thing = kzalloc(sizeof(*thing), GFP_KERNEL);
		struct detacher detacher = { .thing = thing };

		KUNIT_ASSERT_NOT_NULL(test, thing);
		init_completion(&detacher.ran);
		thing_attach(test, thing, c);
		KUNIT_ASSERT_EQ(test, ctx_callback_add(c, &detacher.cb, detacher_fn), 0);
		switch (by) {
		case 0:
			thing_end(thing);
			break;
		case 1:
			ctx_cancel(c);
			break;
		case 2:
			ct_in_hardirq(cancel_fn, c);
			break;
		case 3:
			ct_in_softirq(cancel_fn, c);
			break;
		}
		ct_wait_for(test, &detacher.ran);
		KUNIT_EXPECT_EQ(test, detacher.kept, by != 0);
		ctx_barrier();
		ctx_put(c);
	}
}

/* Before it has fired, long after that, and right after it. */
static void s18_may_be_detached_in_interrupts(struct kunit *test)
{
	int where, when;

	for (where = CT_HARDIRQ; where <= CT_SOFTIRQ; where++) {
		for (when = 0; when < 3; when++) {
			struct ctx *c = ct_cancel(test, ctx_background());
			struct thing thing;
			bool kept;

			thing_attach(test, &thing, c);
			if (when == 1) {
				thing_end(&thing);
				ct_wait_done(test, c, -ECANCELED);
			}
			kept = ct_detach_in(test, where, &thing.source,
					    when == 2 ? thing_end : NULL, &thing);
			KUNIT_EXPECT_EQ(test, ctx_cause(c), kept ? 0 : -EIO);
			if (when < 2)
				KUNIT_EXPECT_EQ(test, kept, when == 0);
			KUNIT_EXPECT_EQ(test, thing.detached, 1);
			ctx_put(c);
		}
	}
}

static int end_fn(void *arg)
{
	thing_end(arg);
	return 0;
}

/* On return of one or the other it is decided, for good. */
static void s15_fired_while_it_is_detached(struct kunit *test)
{
	struct ct_partner partner;
	int round;

	ct_partner_start(test, &partner, end_fn);
	for (round = 0; round < ct_times(1000); round++) {
		struct ctx *c = ct_cancel(test, ctx_background());
		struct thing thing;
		bool kept;
		int cause;

		thing_attach(test, &thing, c);
		ct_partner_go(&partner, &thing);
		ct_busy_ns(round % 50 * 100);
		kept = ctx_source_detach(&thing.source);
		cause = ctx_cause(c);
		memset(&thing.source, 0x6b, sizeof(thing.source));
		KUNIT_EXPECT_EQ(test, cause, kept ? 0 : -EIO);
		ct_partner_wait(test, &partner);
		ctx_barrier();
		KUNIT_EXPECT_EQ(test, ctx_cause(c), cause);
		ctx_put(c);
	}
	ct_partner_stop(test, &partner);
}

static int cancel_by_other(void *arg)
{
	return ctx_cancel_cause(arg, -EPERM);
}

/* With somebody else cancelling at that moment, too. */
static void s15_fired_while_the_context_is_cancelled(struct kunit *test)
{
	struct ct_partner partner;
	int round;

	ct_partner_start(test, &partner, cancel_by_other);
	for (round = 0; round < ct_times(1000); round++) {
		struct ctx *c = ct_cancel(test, ctx_background());
		struct ct_probe probe;
		struct thing thing;
		int cause;

		thing_attach(test, &thing, c);
		ct_probe_add(test, &probe, c);
		ct_partner_go(&partner, c);
		thing_end(&thing);
		if (round % 2)
			ctx_barrier();
		ctx_source_detach(&thing.source);
		ct_partner_wait(test, &partner);
		ctx_barrier();
		cause = ctx_cause(c);
		KUNIT_EXPECT_TRUE(test, cause == -EIO || cause == -EPERM);
		KUNIT_EXPECT_EQ(test, atomic_read(&probe.runs), 1);
		KUNIT_EXPECT_EQ(test, probe.cause, cause);
		ctx_put(c);
	}
	ct_partner_stop(test, &partner);
}

/* Storage is used again, on whatever CPU. */
static void s15_storage_can_be_used_again(struct kunit *test)
{
	struct thing thing;
	int i;

	for (i = 0; i < 100; i++) {
		struct ctx *c = ct_cancel(test, ctx_background());

		set_cpus_allowed_ptr(current, cpumask_of(i % num_online_cpus()));
		thing_attach(test, &thing, c);
		if (i % 3)
			thing_end(&thing);
		if (i % 3 == 2)
			ct_wait_done(test, c, -ECANCELED);
		ctx_source_detach(&thing.source);
		ctx_put(c);
	}
	set_cpus_allowed_ptr(current, cpu_possible_mask);
}

static struct kunit_case source_cases[] = {
	KUNIT_CASE(s15_a_source_cancels_what_it_is_attached_to),
	KUNIT_CASE(s15_one_that_never_fires_leaves_nothing),
	KUNIT_CASE(s15_the_first_time_counts),
	KUNIT_CASE(s15_bad_causes_are_refused),
	KUNIT_CASE(s15_bad_arguments_are_refused),
	KUNIT_CASE(s15_takes_something_to_cancel),
	KUNIT_CASE(s11_a_long_name_is_cut),
	KUNIT_CASE(s15_under_its_lock_nothing_else_runs),
	KUNIT_CASE(s15_a_chain_of_a_thousand_does_not_recurse),
	KUNIT_CASE(s13_the_barrier_waits_for_what_has_fired),
	KUNIT_CASE(s13_the_barrier_waits_for_what_a_walk_fires),
	KUNIT_CASE(s15_one_does_not_keep_another_waiting),
	KUNIT_CASE(s15_the_context_ends_otherwise),
	KUNIT_CASE(s15_may_be_detached_after_the_last_put),
	KUNIT_CASE(s15_may_be_detached_by_a_callback_of_its_context),
	KUNIT_CASE(s18_may_be_detached_in_interrupts),
	KUNIT_CASE_SLOW(s15_fired_while_it_is_detached),
	KUNIT_CASE_SLOW(s15_fired_while_the_context_is_cancelled),
	KUNIT_CASE(s15_storage_can_be_used_again),
	{ }
};

static struct kunit_suite source_suite = {
	.name = "ctx_source",
	.test_cases = source_cases,
};

kunit_test_suite(source_suite);
