// SPDX-License-Identifier: GPL-2.0
/* S12: callbacks. */
#include <linux/slab.h>

#include "test.h"

static void s12_runs_once_in_the_cancellers_context(struct kunit *test)
{
	struct ctx *p = ct_cancel(test, ctx_background());
	struct ctx *c = ct_hour(test, p);
	struct ct_probe probe[2];
	int i;

	ct_probe_add(test, &probe[0], p);
	ct_probe_add(test, &probe[1], c);
	KUNIT_EXPECT_EQ(test, ctx_cancel_cause(p, -EIO), 0);
	ctx_cancel(p);
	ctx_cancel_sync(c);
	for (i = 0; i < 2; i++) {
		KUNIT_EXPECT_EQ(test, atomic_read(&probe[i].runs), 1);
		KUNIT_EXPECT_PTR_EQ(test, probe[i].ctx, i ? c : p);
		KUNIT_EXPECT_PTR_EQ(test, probe[i].task, current);
		KUNIT_EXPECT_EQ(test, (int)probe[i].where, (int)CT_TASK);
		/* The context is done by then, and says why. */
		KUNIT_EXPECT_EQ(test, probe[i].err, -ECANCELED);
		KUNIT_EXPECT_EQ(test, probe[i].cause, -EIO);
		KUNIT_EXPECT_FALSE(test, ctx_callback_remove(probe[i].ctx, &probe[i].cb));
		KUNIT_EXPECT_FALSE(test, ctx_callback_remove_sync(probe[i].ctx, &probe[i].cb));
	}
	ctx_put(c);
	ctx_put(p);
}

static void s12_fn_gets_the_context_passed_to_add(struct kunit *test)
{
	struct ctx *c = ct_cancel(test, ctx_background());
	struct ctx *v = ct_value(test, c, test, test);
	struct ctx *u = ct_value(test, v, test, test);
	struct ctx *t = ct_value(test, u, test, test);
	struct ct_probe on_c, on_v, on_u, removed;

	ct_probe_add(test, &on_v, v);
	ct_probe_add(test, &on_c, c);
	ct_probe_add(test, &on_u, u);
	ct_probe_add(test, &removed, t);
	KUNIT_EXPECT_TRUE(test, ctx_callback_remove(t, &removed.cb));
	ctx_cancel(c);
	KUNIT_EXPECT_PTR_EQ(test, on_v.ctx, v);
	KUNIT_EXPECT_PTR_EQ(test, on_c.ctx, c);
	KUNIT_EXPECT_PTR_EQ(test, on_u.ctx, u);
	KUNIT_EXPECT_EQ(test, atomic_read(&removed.runs), 0);
	ctx_put(t);
	ctx_put(u);
	ctx_put(v);
	ctx_put(c);
}

static void s12_on_a_done_context_it_is_enoent(struct kunit *test)
{
	struct ctx *p = ct_cancel(test, ctx_background());
	struct ctx *v = ct_value(test, p, test, test);
	struct ctx *t = ct_timeout_ms(test, ctx_background(), 1);
	struct ct_probe probe;
	struct ctx *done[3];
	int i;

	ctx_cancel(p);
	ct_wait_done(test, t, -ETIMEDOUT);
	done[0] = p;
	done[1] = v;
	done[2] = t;
	for (i = 0; i < 3; i++) {
		ct_probe_init(&probe);
		KUNIT_EXPECT_EQ(test, ctx_callback_add(done[i], &probe.cb, ct_probe_fn), -ENOENT);
		KUNIT_EXPECT_FALSE(test, ctx_callback_remove(done[i], &probe.cb));
		KUNIT_EXPECT_FALSE(test, ctx_callback_remove_sync(done[i], &probe.cb));
		ctx_cancel_sync(done[i]);
		ctx_barrier();
		KUNIT_EXPECT_EQ(test, atomic_read(&probe.runs), 0);
		ctx_put(done[i]);
	}
}

static void s12_on_what_is_never_done_it_never_runs(struct kunit *test)
{
	struct ctx *p = ct_cancel(test, ctx_background());
	struct ctx *w = ct_without(test, p);
	struct ctx *never[] = {
		ctx_background(), ctx_todo(), w, ct_value(test, w, test, test),
		ct_value(test, ctx_todo(), test, test)
	};
	struct ct_probe probe[ARRAY_SIZE(never)];
	int i;

	for (i = 0; i < ARRAY_SIZE(never); i++)
		ct_probe_add(test, &probe[i], never[i]);
	ctx_cancel_sync(p);
	for (i = 0; i < ARRAY_SIZE(never); i++) {
		ctx_cancel(never[i]);
		/* It counts as registered until it is removed, by either form. */
		if (i % 2)
			KUNIT_EXPECT_TRUE(test, ctx_callback_remove(never[i], &probe[i].cb));
		else
			KUNIT_EXPECT_TRUE(test, ctx_callback_remove_sync(never[i], &probe[i].cb));
		KUNIT_EXPECT_FALSE(test, ctx_callback_remove(never[i], &probe[i].cb));
		KUNIT_EXPECT_FALSE(test, ctx_callback_remove_sync(never[i], &probe[i].cb));
		KUNIT_EXPECT_EQ(test, atomic_read(&probe[i].runs), 0);
	}
	ctx_put(never[4]);
	ctx_put(never[3]);
	ctx_put(w);
	ctx_put(p);
}

static void s12_remove_prevents_the_run(struct kunit *test)
{
	int sync;

	for (sync = 0; sync < 2; sync++) {
		bool (*remove)(struct ctx *ctx, struct ctx_callback *cb) =
			sync ? ctx_callback_remove_sync : ctx_callback_remove;
		struct ctx *c = ct_cancel(test, ctx_background());
		struct ct_probe probe[3], never;

		ct_probe_init(&never);
		KUNIT_EXPECT_FALSE(test, remove(c, &never.cb));
		ct_probe_add(test, &probe[0], c);
		ct_probe_add(test, &probe[1], c);
		ct_probe_add(test, &probe[2], c);
		KUNIT_EXPECT_TRUE(test, remove(c, &probe[1].cb));
		KUNIT_EXPECT_FALSE(test, remove(c, &probe[1].cb));
		ctx_cancel(c);
		KUNIT_EXPECT_EQ(test, atomic_read(&probe[0].runs), 1);
		KUNIT_EXPECT_EQ(test, atomic_read(&probe[1].runs), 0);
		KUNIT_EXPECT_EQ(test, atomic_read(&probe[2].runs), 1);
		KUNIT_EXPECT_FALSE(test, remove(c, &probe[1].cb));
		ctx_put(c);
	}
}

static void s12_storage_can_be_used_again(struct kunit *test)
{
	struct ctx *c = ct_cancel(test, ctx_background());
	struct ctx *d = ct_cancel(test, ctx_background());
	struct ct_probe probe;
	int i;

	ct_probe_add(test, &probe, c);
	for (i = 0; i < 5; i++) {
		KUNIT_EXPECT_TRUE(test, ctx_callback_remove(c, &probe.cb));
		KUNIT_EXPECT_EQ(test, ctx_callback_add(c, &probe.cb, ct_probe_fn), 0);
	}
	ctx_cancel(c);
	KUNIT_EXPECT_EQ(test, atomic_read(&probe.runs), 1);
	KUNIT_EXPECT_EQ(test, ctx_callback_add(d, &probe.cb, ct_probe_fn), 0);
	ctx_cancel(d);
	KUNIT_EXPECT_EQ(test, atomic_read(&probe.runs), 2);
	KUNIT_EXPECT_PTR_EQ(test, probe.ctx, d);
	ctx_put(d);
	ctx_put(c);
}

/* With PREEMPT_RT, where that is truly atomic, in a worker (S18). */
static void s12_on_expiry_it_runs_in_the_timers_interrupt(struct kunit *test)
{
	struct ctx *c = ct_timeout_ms(test, ctx_background(), 50);
	struct ct_probe probe;

	ct_probe_init(&probe);
	if (ctx_callback_add(c, &probe.cb, ct_probe_fn)) {
		/* A machine that took 50 ms for this shows nothing, and loses nothing. */
		KUNIT_EXPECT_EQ(test, ctx_err(c), -ETIMEDOUT);
	} else {
		ct_wait_for(test, &probe.ran);
		KUNIT_EXPECT_EQ(test, (int)probe.where,
				(int)(IS_ENABLED(CONFIG_PREEMPT_RT) ? CT_WORKER : CT_HARDIRQ));
		KUNIT_EXPECT_EQ(test, probe.err, -ETIMEDOUT);
		KUNIT_EXPECT_EQ(test, probe.cause, -ETIMEDOUT);
		KUNIT_EXPECT_FALSE(test, ctx_callback_remove_sync(c, &probe.cb));
		KUNIT_EXPECT_EQ(test, atomic_read(&probe.runs), 1);
	}
	ctx_put(c);
}

struct selfish {
	struct ctx_callback cb;
	struct completion *ran;
	bool sync;
	bool removed;
};

static void remove_own_fn(struct ctx *ctx, struct ctx_callback *cb)
{
	struct selfish *self = container_of(cb, struct selfish, cb);

	self->removed = self->sync ? ctx_callback_remove_sync(ctx, cb) :
				     ctx_callback_remove(ctx, cb);
}

static void s12_removal_from_inside_itself_does_not_wait(struct kunit *test)
{
	int sync;

	for (sync = 0; sync < 2; sync++) {
		struct ctx *c = ct_cancel(test, ctx_background());
		struct selfish self = { .sync = sync, .removed = true };

		KUNIT_ASSERT_EQ(test, ctx_callback_add(c, &self.cb, remove_own_fn), 0);
		ctx_cancel(c);
		KUNIT_EXPECT_FALSE(test, self.removed);
		ctx_put(c);
	}
}

struct rival {
	struct ctx_callback cb;
	struct rival *other;
	int runs;
	bool removed_other;
};

static void rival_fn(struct ctx *ctx, struct ctx_callback *cb)
{
	struct rival *self = container_of(cb, struct rival, cb);

	self->runs++;
	self->removed_other = ctx_callback_remove(ctx, &self->other->cb);
}

static void s12_one_callback_may_remove_another(struct kunit *test)
{
	struct ctx *c = ct_cancel(test, ctx_background());
	struct rival a = { }, b = { };
	struct ct_probe bystander;

	a.other = &b;
	b.other = &a;
	KUNIT_ASSERT_EQ(test, ctx_callback_add(c, &a.cb, rival_fn), 0);
	ct_probe_add(test, &bystander, c);
	KUNIT_ASSERT_EQ(test, ctx_callback_add(c, &b.cb, rival_fn), 0);
	ctx_cancel(c);
	/* Whichever was first. */
	KUNIT_EXPECT_EQ(test, a.runs + b.runs, 1);
	KUNIT_EXPECT_TRUE(test, a.runs ? a.removed_other : b.removed_other);
	KUNIT_EXPECT_EQ(test, atomic_read(&bystander.runs), 1);
	ctx_put(c);
}

struct adder {
	struct ctx_callback cb;
	struct ctx_callback more;
	struct ctx *elsewhere;
	int here;
	int there;
};

static void never_fn(struct ctx *ctx, struct ctx_callback *cb)
{
}

static void adder_fn(struct ctx *ctx, struct ctx_callback *cb)
{
	struct adder *self = container_of(cb, struct adder, cb);

	self->here = ctx_callback_add(ctx, &self->more, never_fn);
	self->there = ctx_callback_add(self->elsewhere, &self->more, never_fn);
	/* The context is in every respect done. */
	ctx_cancel(ctx);
	ctx_put(ctx_with_cancel(ctx, GFP_ATOMIC));
}

static void s12_a_callback_may_use_its_own_and_other_contexts(struct kunit *test)
{
	struct ctx *c = ct_cancel(test, ctx_background());
	struct adder adder = { .here = 1, .there = 1 };

	adder.elsewhere = ct_cancel(test, ctx_background());
	KUNIT_ASSERT_EQ(test, ctx_callback_add(c, &adder.cb, adder_fn), 0);
	ctx_cancel(c);
	KUNIT_EXPECT_EQ(test, adder.here, -ENOENT);
	KUNIT_EXPECT_EQ(test, adder.there, 0);
	KUNIT_EXPECT_TRUE(test, ctx_callback_remove(adder.elsewhere, &adder.more));
	ctx_put(adder.elsewhere);
	ctx_put(c);
}

static void free_own_fn(struct ctx *ctx, struct ctx_callback *cb)
{
	struct selfish *self = container_of(cb, struct selfish, cb);
	struct completion *ran = self->ran;

	memset(self, 0x6b, sizeof(*self));
	kfree(self);
	complete(ran);
}

static void s12_a_callback_may_free_itself(struct kunit *test)
{
	struct ctx *c = ct_cancel(test, ctx_background());
	struct completion ran;
	int i;

	init_completion(&ran);
	for (i = 0; i < 10; i++) {
		struct selfish *self = kzalloc(sizeof(*self), GFP_KERNEL);

		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, self);
		self->ran = &ran;
		KUNIT_ASSERT_EQ(test, ctx_callback_add(c, &self->cb, free_own_fn), 0);
	}
	ctx_cancel(c);
	for (i = 0; i < 10; i++)
		KUNIT_EXPECT_TRUE(test, try_wait_for_completion(&ran));
	ctx_put(c);
}

/* And drop the last reference on its context: a callback holds none. */
static void put_own_fn(struct ctx *ctx, struct ctx_callback *cb)
{
	ctx_put(ctx);
}

static void s12_a_callback_may_drop_the_last_reference(struct kunit *test)
{
	struct ct_token token;
	struct ctx *v = ct_token_ctx(test, &token, ctx_background());
	struct ctx *p = ct_cancel(test, v);
	struct ctx *c = ct_cancel(test, p);
	struct ctx_callback cb = { };

	KUNIT_ASSERT_EQ(test, ctx_callback_add(c, &cb, put_own_fn), 0);
	ctx_put(v);
	ctx_cancel(p);
	ctx_put(p);
	ct_token_gone(test, &token);
}

static void s12_a_callback_holds_no_reference(struct kunit *test)
{
	struct ct_token token;
	struct ctx *v = ct_token_ctx(test, &token, ctx_background());
	struct ctx *c = ct_cancel(test, v);
	struct ct_probe probe;

	ctx_put(v);
	ct_probe_add(test, &probe, c);
	KUNIT_EXPECT_TRUE(test, ctx_callback_remove(c, &probe.cb));
	ctx_put(c);
	ct_token_gone(test, &token);
	KUNIT_EXPECT_EQ(test, atomic_read(&probe.runs), 0);
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

static void s12_only_remove_sync_waits_for_a_run_in_progress(struct kunit *test)
{
	struct ctx *c = ct_cancel(test, ctx_background());
	struct slow slow = { .ctx = c };
	struct ct_probe next;
	struct ct_helper helper;

	KUNIT_ASSERT_EQ(test, ctx_callback_add(c, &slow.cb, slow_fn), 0);
	ct_probe_add(test, &next, c);
	ct_helper_start_on(test, &helper, slow_cancel_fn, &slow, raw_smp_processor_id() + 1);
	KUNIT_EXPECT_TRUE(test, ct_spin_until(atomic_read(&slow.begun)));
	KUNIT_EXPECT_FALSE(test, ctx_callback_remove(c, &slow.cb));
	KUNIT_EXPECT_EQ(test, atomic_read(&slow.over), 0);
	/* The other has not begun, and is not waited for. */
	KUNIT_EXPECT_TRUE(test, ctx_callback_remove_sync(c, &next.cb));
	KUNIT_EXPECT_EQ(test, atomic_read(&slow.over), 0);
	atomic_set(&slow.go, 1);
	KUNIT_EXPECT_FALSE(test, ctx_callback_remove_sync(c, &slow.cb));
	KUNIT_EXPECT_EQ(test, atomic_read(&slow.over), 1);
	ct_helper_join(test, &helper);
	KUNIT_EXPECT_EQ(test, atomic_read(&next.runs), 0);
	ctx_put(c);
}

static void s12_bad_arguments_are_refused(struct kunit *test)
{
	struct ctx *c = ct_cancel(test, ctx_background());
	struct ct_probe probe;

	ct_probe_init(&probe);
	KUNIT_EXPECT_EQ(test, ctx_callback_add(NULL, &probe.cb, ct_probe_fn), -EINVAL);
	KUNIT_EXPECT_EQ(test, ctx_callback_add(ERR_PTR(-EIO), &probe.cb, ct_probe_fn), -EINVAL);
	KUNIT_EXPECT_EQ(test, ctx_callback_add(c, NULL, ct_probe_fn), -EINVAL);
	KUNIT_EXPECT_EQ(test, ctx_callback_add(c, &probe.cb, NULL), -EINVAL);
	KUNIT_EXPECT_FALSE(test, ctx_callback_remove(NULL, &probe.cb));
	KUNIT_EXPECT_FALSE(test, ctx_callback_remove(ERR_PTR(-EIO), &probe.cb));
	KUNIT_EXPECT_FALSE(test, ctx_callback_remove(c, NULL));
	KUNIT_EXPECT_FALSE(test, ctx_callback_remove_sync(NULL, &probe.cb));
	KUNIT_EXPECT_FALSE(test, ctx_callback_remove_sync(c, NULL));
	ctx_cancel(c);
	KUNIT_EXPECT_EQ(test, atomic_read(&probe.runs), 0);
	ctx_put(c);
}

/* Takes another one off, that is about to run, and once more. */
struct taker {
	struct ctx_callback cb;
	struct ctx *ctx;
	struct taker *other;
	bool ran, removed, again;
};

static void taker_fn(struct ctx *ctx, struct ctx_callback *cb)
{
	struct taker *taker = container_of(cb, struct taker, cb), *other = taker->other;

	taker->ran = true;
	taker->removed = ctx_callback_remove(other->ctx, &other->cb);
	taker->again = ctx_callback_remove(other->ctx, &other->cb);
}

static void s12_removed_when_it_is_about_to_run(struct kunit *test)
{
	struct ctx *p = ct_cancel(test, ctx_background());
	struct taker takers[2] = { };
	int i;

	for (i = 0; i < 2; i++) {
		takers[i].ctx = ct_cancel(test, p);
		takers[i].other = &takers[!i];
		KUNIT_EXPECT_EQ(test, ctx_callback_add(takers[i].ctx, &takers[i].cb, taker_fn), 0);
	}
	ctx_cancel(p);
	KUNIT_EXPECT_NE(test, takers[0].ran, takers[1].ran);
	for (i = 0; i < 2; i++) {
		KUNIT_EXPECT_EQ(test, takers[i].removed, takers[i].ran);
		KUNIT_EXPECT_FALSE(test, takers[i].again);
		KUNIT_EXPECT_FALSE(test, ctx_callback_remove_sync(takers[i].ctx, &takers[i].cb));
		ctx_put(takers[i].ctx);
	}
	ctx_put(p);
}

static struct kunit_case callbacks_cases[] = {
	KUNIT_CASE(s12_runs_once_in_the_cancellers_context),
	KUNIT_CASE(s12_fn_gets_the_context_passed_to_add),
	KUNIT_CASE(s12_on_a_done_context_it_is_enoent),
	KUNIT_CASE(s12_on_what_is_never_done_it_never_runs),
	KUNIT_CASE(s12_remove_prevents_the_run),
	KUNIT_CASE(s12_storage_can_be_used_again),
	KUNIT_CASE(s12_on_expiry_it_runs_in_the_timers_interrupt),
	KUNIT_CASE(s12_removal_from_inside_itself_does_not_wait),
	KUNIT_CASE(s12_one_callback_may_remove_another),
	KUNIT_CASE(s12_a_callback_may_use_its_own_and_other_contexts),
	KUNIT_CASE(s12_a_callback_may_free_itself),
	KUNIT_CASE(s12_a_callback_may_drop_the_last_reference),
	KUNIT_CASE(s12_a_callback_holds_no_reference),
	KUNIT_CASE(s12_bad_arguments_are_refused),
	KUNIT_CASE(s12_only_remove_sync_waits_for_a_run_in_progress),
	KUNIT_CASE(s12_removed_when_it_is_about_to_run),
	{ }
};

static struct kunit_suite callbacks_suite = {
	.name = "ctx_callbacks",
	.test_cases = callbacks_cases,
};

kunit_test_suite(callbacks_suite);
