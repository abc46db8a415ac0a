// SPDX-License-Identifier: GPL-2.0
/* Contexts that end when a driver is unbound: a bus, devices and a driver of our own. */
#include <linux/device.h>
#include <linux/notifier.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "test.h"

enum { PER_DEVICE = 3 };

struct deriver;

struct gadget {
	struct device dev;
	struct kunit *test;
	struct ctx *parent;
	struct ctx *ctx[PER_DEVICE];	/* each with a reference of the test's */
	struct ctx_thread *thread;	/* stalled, until its context is done */
	struct deriver *deriver;	/* at work from probe to remove */
	int contexts;			/* how many to make */
	int ret;			/* what probe returns */
	int probes;
	int removes;
	int err;			/* in remove */
	int cause;
	int joined;
	int unwound;			/* the error when what came later was given back */
	int late;			/* the error of one that is derived in remove */
	struct completion freed;
};

static struct gadget *gadget_of(struct device *dev)
{
	return container_of(dev, struct gadget, dev);
}

#define DERIVED	16

/* A thread of the driver's, which derives contexts for its device. */
struct deriver {
	struct ct_partner partner;
	struct kunit *test;
	struct gadget *gadget;
	bool waits;			/* with the second half until the first context is done */
	struct completion half;
	struct ctx *ctx[DERIVED];	/* each with a reference of the test's */
	int live;			/* of them, in remove */
	int failed;
};

static int deriver_fn(void *arg)
{
	struct deriver *deriver = arg;
	struct gadget *gadget = deriver->gadget;
	int i;

	for (i = 0; i < DERIVED; i++) {
		struct ctx *ctx = devm_ctx_with_cancel(&gadget->dev, gadget->parent);

		deriver->ctx[i] = ctx_get(ctx);
		deriver->failed += IS_ERR(ctx);
		if (i != DERIVED / 2)
			continue;
		complete(&deriver->half);
		if (deriver->waits)
			ctx_wait(gadget->ctx[0]);
	}
	return 0;
}

/* In remove: nobody derives any after that, as the device's resources go. */
static void deriver_end(struct deriver *deriver)
{
	int i;

	ct_partner_wait(deriver->test, &deriver->partner);
	deriver->live = 0;
	for (i = 0; i < DERIVED; i++)
		deriver->live += !ctx_err(deriver->ctx[i]);
}

static int stalled_fn(struct ctx *ctx, void *data)
{
	return ctx_wait(ctx);
}

static void unwind(void *data)
{
	struct gadget *gadget = data;

	gadget->unwound = gadget->ctx[0] ? ctx_err(gadget->ctx[0]) : 0;
}

static int gadget_probe(struct device *dev)
{
	struct gadget *gadget = gadget_of(dev);
	int i;

	gadget->probes++;
	for (i = 0; i < gadget->contexts; i++) {
		struct ctx *ctx = devm_ctx_with_cancel(dev, gadget->parent);

		if (IS_ERR(ctx))
			return PTR_ERR(ctx);
		ctx_put(gadget->ctx[i]);
		gadget->ctx[i] = ctx_get(ctx);
	}
	if (gadget->ret)
		return devm_add_action(dev, unwind, gadget) ?: gadget->ret;
	if (gadget->contexts)
		gadget->thread = ctx_thread_run(gadget->ctx[0], stalled_fn, NULL, "gadget");
	if (gadget->deriver)
		ct_partner_go(&gadget->deriver->partner, gadget->deriver);
	return PTR_ERR_OR_ZERO(gadget->thread);
}

static void gadget_remove(struct device *dev)
{
	struct gadget *gadget = gadget_of(dev);
	struct ctx *late;

	gadget->removes++;
	if (!gadget->contexts)
		return;
	if (gadget->deriver)
		deriver_end(gadget->deriver);
	late = devm_ctx_with_cancel(dev, ctx_background());
	gadget->late = IS_ERR(late) ? 0 : ctx_err(late);
	gadget->err = ctx_err(gadget->ctx[0]);
	gadget->cause = ctx_cause(gadget->ctx[0]);
	gadget->joined = ctx_thread_join(gadget->thread);
	gadget->thread = NULL;
}

static struct bus_type gadget_bus = {
	.name = "ctx_kunit",
	.probe = gadget_probe,
	.remove = gadget_remove,
};

static struct device_driver gadget_driver = {
	.name = "ctx_kunit",
	.bus = &gadget_bus,
};

static void gadget_release(struct device *dev)
{
	complete(&gadget_of(dev)->freed);
}

static struct gadget *gadget_new(struct kunit *test, struct ctx *parent, int contexts)
{
	struct gadget *gadget = kunit_kzalloc(test, sizeof(*gadget), GFP_KERNEL);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, gadget);
	gadget->test = test;
	gadget->parent = parent;
	gadget->contexts = contexts;
	init_completion(&gadget->freed);
	gadget->dev.bus = &gadget_bus;
	gadget->dev.release = gadget_release;
	return gadget;
}

static void gadget_add(struct kunit *test, struct gadget *gadget, int id)
{
	device_initialize(&gadget->dev);
	KUNIT_ASSERT_EQ(test, dev_set_name(&gadget->dev, "gadget%d", id), 0);
	KUNIT_ASSERT_EQ(test, device_add(&gadget->dev), 0);
}

static void gadget_gone(struct kunit *test, struct gadget *gadget)
{
	int i;

	device_unregister(&gadget->dev);
	ct_wait_for(test, &gadget->freed);
	for (i = 0; i < PER_DEVICE; i++)
		ctx_put(gadget->ctx[i]);
}

static int device_init(struct kunit *test)
{
	int err = bus_register(&gadget_bus);

	if (err)
		return err;
	err = driver_register(&gadget_driver);
	if (err)
		bus_unregister(&gadget_bus);
	return err;
}

static int never_told(struct notifier_block *notifier, unsigned long event, void *dev)
{
	return NOTIFY_DONE;
}

/* Who listens to the bus: somebody before all others, who has nobody behind him. */
static void expect_nobody_on_the_bus(struct kunit *test)
{
	struct notifier_block first = { .notifier_call = never_told, .priority = INT_MAX };

	KUNIT_ASSERT_EQ(test, bus_register_notifier(&gadget_bus, &first), 0);
	KUNIT_EXPECT_NULL(test, rcu_access_pointer(first.next));
	KUNIT_EXPECT_EQ(test, bus_unregister_notifier(&gadget_bus, &first), 0);
}

/* What has listened for contexts is gone with the last of them: its code may be next. */
static void device_exit(struct kunit *test)
{
	expect_nobody_on_the_bus(test);
	driver_unregister(&gadget_driver);
	bus_unregister(&gadget_bus);
}

static void device_arguments_are_checked(struct kunit *test)
{
	struct gadget *gadget = gadget_new(test, ctx_background(), 0);

	gadget_add(test, gadget, 0);
	KUNIT_EXPECT_EQ(test, PTR_ERR(devm_ctx_with_cancel(NULL, ctx_background())), -EINVAL);
	KUNIT_EXPECT_EQ(test, PTR_ERR(devm_ctx_with_cancel(&gadget->dev, NULL)), -EINVAL);
	KUNIT_EXPECT_EQ(test, PTR_ERR(devm_ctx_with_cancel(&gadget->dev, ERR_PTR(-EIO))), -EIO);
	gadget_gone(test, gadget);
}

/* All of its contexts, in remove() already, so that it does not wait for ever. */
static void device_unbinding_ends_its_contexts_before_remove(struct kunit *test)
{
	int how, i;

	for (how = 0; how < 3; how++) {
		struct ct_token token;
		struct ctx *v = ct_token_ctx(test, &token, ctx_background());
		struct ctx *p = ct_cancel(test, v);
		struct gadget *gadget = gadget_new(test, p, PER_DEVICE);
		struct gadget *other = gadget_new(test, ctx_background(), 1);

		ctx_put(v);
		gadget_add(test, gadget, 0);
		gadget_add(test, other, 1);
		KUNIT_ASSERT_EQ(test, gadget->probes, 1);
		for (i = 0; i < PER_DEVICE; i++)
			ct_expect_live(test, gadget->ctx[i]);
		if (how == 0) {
			device_release_driver(&gadget->dev);
		} else if (how == 1) {
			device_del(&gadget->dev);
		} else {
			driver_unregister(&gadget_driver);
			KUNIT_EXPECT_EQ(test, other->removes, 1);
			KUNIT_ASSERT_EQ(test, driver_register(&gadget_driver), 0);
			/* Bound again, with new ones. */
			KUNIT_EXPECT_EQ(test, gadget->probes, 2);
			KUNIT_EXPECT_EQ(test, other->probes, 2);
			ct_expect_live(test, gadget->ctx[0]);
			device_release_driver(&gadget->dev);
		}
		KUNIT_EXPECT_EQ(test, gadget->removes, gadget->probes);
		KUNIT_EXPECT_EQ(test, gadget->err, -ECANCELED);
		KUNIT_EXPECT_EQ(test, gadget->cause, -ENODEV);
		KUNIT_EXPECT_EQ(test, gadget->joined, -ECANCELED);
		for (i = 0; i < PER_DEVICE; i++)
			ct_expect_done(test, gadget->ctx[i], -ECANCELED, -ENODEV);
		/* Nobody else's. */
		ct_expect_live(test, other->ctx[0]);
		ct_expect_live(test, p);
		gadget_gone(test, other);
		if (how == 1)
			put_device(&gadget->dev);
		else
			device_unregister(&gadget->dev);
		ct_wait_for(test, &gadget->freed);
		for (i = 0; i < PER_DEVICE; i++)
			ctx_put(gadget->ctx[i]);
		ctx_put(p);
		ct_token_gone(test, &token);
	}
}

/* Nothing begins under the device any more. */
static void device_being_unbound_gets_none_that_live(struct kunit *test)
{
	struct gadget *gadget = gadget_new(test, ctx_background(), 1);
	struct gadget *other = gadget_new(test, ctx_background(), 1);

	gadget_add(test, gadget, 0);
	gadget_add(test, other, 1);
	device_release_driver(&gadget->dev);
	KUNIT_EXPECT_EQ(test, gadget->late, -ECANCELED);
	/* Another one's do, and its own when it is bound again. */
	ctx_put(other->ctx[0]);
	other->ctx[0] = ctx_get(devm_ctx_with_cancel(&other->dev, ctx_background()));
	ct_expect_live(test, other->ctx[0]);
	KUNIT_EXPECT_EQ(test, device_attach(&gadget->dev), 1);
	ct_expect_live(test, gadget->ctx[0]);
	gadget_gone(test, other);
	gadget_gone(test, gadget);
}

static void derived_are_done(struct kunit *test, struct deriver *deriver)
{
	int i;

	KUNIT_EXPECT_EQ(test, deriver->failed, 0);
	KUNIT_EXPECT_EQ(test, deriver->live, 0);
	for (i = 0; i < DERIVED; i++) {
		ct_expect_done(test, deriver->ctx[i], -ECANCELED, -ENODEV);
		ctx_put(deriver->ctx[i]);
	}
}

/*
 * Whatever is derived while it is bound, unbound and bound again is done in remove(), with
 * that as the cause. Every second time half of it for certain comes once that has begun.
 */
static void device_is_unbound_while_contexts_are_derived(struct kunit *test)
{
	struct deriver *deriver = kunit_kzalloc(test, sizeof(*deriver), GFP_KERNEL);
	struct ct_token token;
	struct ctx *v = ct_token_ctx(test, &token, ctx_background());
	struct ctx *p = ct_cancel(test, v);
	struct gadget *gadget = gadget_new(test, p, 1);
	int round, rounds = ct_times(500);

	KUNIT_ASSERT_NOT_NULL(test, deriver);
	ctx_put(v);
	gadget_add(test, gadget, 0);
	device_release_driver(&gadget->dev);
	deriver->test = test;
	deriver->gadget = gadget;
	gadget->deriver = deriver;
	ct_partner_start(test, &deriver->partner, deriver_fn);
	for (round = 0; round < rounds; round++) {
		deriver->waits = round & 1;
		init_completion(&deriver->half);
		KUNIT_ASSERT_EQ(test, device_attach(&gadget->dev), 1);
		ct_wait_for(test, &deriver->half);
		if (!deriver->waits)
			ct_busy_ns(round % 64 * 100);
		device_release_driver(&gadget->dev);
		KUNIT_EXPECT_EQ(test, gadget->cause, -ENODEV);
		KUNIT_EXPECT_EQ(test, gadget->joined, -ECANCELED);
		derived_are_done(test, deriver);
	}
	ct_partner_stop(test, &deriver->partner);
	KUNIT_EXPECT_EQ(test, gadget->probes, rounds + 1);
	KUNIT_EXPECT_EQ(test, gadget->removes, rounds + 1);
	ct_expect_live(test, p);
	gadget_gone(test, gadget);
	ctx_put(p);
	ct_token_gone(test, &token);
}

/* Only devres has a reference, and gives it back. */
static void device_contexts_are_put_with_its_resources(struct kunit *test)
{
	struct ct_token token;
	struct ctx *v = ct_token_ctx(test, &token, ctx_background());
	struct gadget *gadget = gadget_new(test, v, 1);

	gadget_add(test, gadget, 0);
	ctx_put(v);
	ctx_put(gadget->ctx[0]);
	gadget->ctx[0] = NULL;
	gadget->contexts = 0;
	ctx_barrier();
	KUNIT_EXPECT_EQ(test, atomic_read(&token.released), 0);
	/* remove() does not look at the context, which is there only for the thread. */
	device_release_driver(&gadget->dev);
	KUNIT_EXPECT_EQ(test, ctx_thread_join(gadget->thread), -ECANCELED);
	ct_token_gone(test, &token);
	gadget_gone(test, gadget);
}

static void device_probe_that_fails_ends_them(struct kunit *test)
{
	static const int errs[] = { -ENXIO, -EIO, -EPROBE_DEFER };
	int i, k;

	for (i = 0; i < ARRAY_SIZE(errs); i++) {
		struct ct_token token;
		struct ctx *v = ct_token_ctx(test, &token, ctx_background());
		struct gadget *gadget = gadget_new(test, v, PER_DEVICE);

		gadget->ret = errs[i];
		gadget_add(test, gadget, 0);
		ctx_put(v);
		KUNIT_EXPECT_GE(test, gadget->probes, 1);
		KUNIT_EXPECT_EQ(test, gadget->removes, 0);
		/* Before anything is given back that what runs under them may need. */
		KUNIT_EXPECT_EQ(test, gadget->unwound, -ECANCELED);
		for (k = 0; k < PER_DEVICE; k++)
			ct_expect_done(test, gadget->ctx[k], -ECANCELED, -ENODEV);

		/* The next probe has others. */
		gadget->parent = ctx_background();
		gadget->ret = 0;
		KUNIT_EXPECT_EQ(test, device_attach(&gadget->dev), 1);
		ct_token_gone(test, &token);
		ct_expect_live(test, gadget->ctx[0]);
		gadget_gone(test, gadget);
		KUNIT_EXPECT_EQ(test, gadget->removes, 1);
		KUNIT_EXPECT_EQ(test, gadget->cause, -ENODEV);
	}
}

static void device_context_keeps_an_earlier_cause(struct kunit *test)
{
	struct ctx *p = ct_cancel(test, ctx_background());
	struct gadget *gadget = gadget_new(test, p, 2);

	gadget_add(test, gadget, 0);
	ctx_cancel_cause(p, -EPIPE);
	device_release_driver(&gadget->dev);
	KUNIT_EXPECT_EQ(test, gadget->cause, -EPIPE);
	ct_expect_done(test, gadget->ctx[1], -ECANCELED, -EPIPE);
	gadget_gone(test, gadget);
	ctx_put(p);
}

static void device_without_a_bus_ends_them_when_it_goes(struct kunit *test)
{
	struct gadget *gadget = gadget_new(test, ctx_background(), 0);
	struct ctx *c;

	gadget->dev.bus = NULL;
	gadget_add(test, gadget, 0);
	c = ctx_get(ct_must(test, devm_ctx_with_cancel(&gadget->dev, ctx_background())));
	ct_expect_live(test, c);
	gadget_gone(test, gadget);
	ct_expect_done(test, c, -ECANCELED, -ENODEV);
	ctx_put(c);
}

/* By the one who unbinds, and he is who it says it was. */
static void device_context_knows_who_unbound(struct kunit *test)
{
	struct gadget *gadget = gadget_new(test, ctx_background(), 1);
	struct ctx_origin origin;
	struct ct_probe probe;

	gadget_add(test, gadget, 0);
	ct_probe_add(test, &probe, gadget->ctx[0]);
	device_release_driver(&gadget->dev);
	KUNIT_EXPECT_EQ(test, atomic_read(&probe.runs), 1);
	KUNIT_EXPECT_PTR_EQ(test, probe.task, current);
	KUNIT_EXPECT_EQ(test, ctx_origin(gadget->ctx[0], &origin), 0);
	KUNIT_EXPECT_PTR_EQ(test, origin.ctx, gadget->ctx[0]);
	KUNIT_EXPECT_EQ(test, origin.pid, task_tgid_nr(current));
	gadget_gone(test, gadget);
}

#ifdef CTX_BUS_IS_LOOKED_UP
/* One that is not registered. */
static void device_whose_bus_takes_no_notifier_gets_none(struct kunit *test)
{
	static const struct bus_type bus = { .name = "ctx_kunit_unknown" };
	struct ct_token token;
	struct ctx *v = ct_token_ctx(test, &token, ctx_background());
	struct gadget *gadget = gadget_new(test, v, 0);
	int i;

	gadget->dev.bus = &bus;
	gadget->dev.driver = &gadget_driver;
	device_initialize(&gadget->dev);
	for (i = 0; i < 2; i++)
		KUNIT_EXPECT_EQ(test, PTR_ERR(devm_ctx_with_cancel(&gadget->dev, v)), -EINVAL);
	ctx_put(v);
	/* Nothing was left to the device. */
	ct_token_gone(test, &token);
	gadget->dev.driver = NULL;
	put_device(&gadget->dev);
	ct_wait_for(test, &gadget->freed);
}
#endif

#ifdef CONFIG_FAULT_INJECTION
/* On a bus of which no other device has one: what is left of nth. */
static unsigned int device_context_failing(struct kunit *test, struct ctx *parent,
					   unsigned int nth, unsigned int *failures)
{
	struct gadget *gadget = gadget_new(test, ctx_background(), 0);
	unsigned int left;
	struct ctx *c;

	gadget_add(test, gadget, 0);
	ct_fail_from(nth);
	c = devm_ctx_with_cancel(&gadget->dev, parent);
	left = ct_fail_end();
	if (IS_ERR(c)) {
		KUNIT_EXPECT_EQ(test, PTR_ERR(c), -ENOMEM);
		KUNIT_EXPECT_EQ(test, left, 0U);
		++*failures;
	}
	gadget_gone(test, gadget);
	return left;
}

static void device_context_without_memory_is_enomem(struct kunit *test)
{
	struct ct_token token;
	struct ctx *v = ct_token_ctx(test, &token, ctx_background());
	unsigned int nth, left = 0, failures = 0;

	ct_fail_begin(test);
	for (nth = 1; !left && nth < 100; nth++)
		left = device_context_failing(test, v, nth, &failures);
	ct_fail_over(test);
	KUNIT_EXPECT_NE(test, left, 0U);
	/* Its own, the context, the bus's, devres's. */
	KUNIT_EXPECT_EQ(test, failures, 4U);
	ctx_put(v);
	ct_token_gone(test, &token);
}
#endif

static struct kunit_case device_cases[] = {
	KUNIT_CASE(device_arguments_are_checked),
	KUNIT_CASE(device_unbinding_ends_its_contexts_before_remove),
	KUNIT_CASE(device_being_unbound_gets_none_that_live),
	KUNIT_CASE_SLOW(device_is_unbound_while_contexts_are_derived),
	KUNIT_CASE(device_contexts_are_put_with_its_resources),
	KUNIT_CASE(device_probe_that_fails_ends_them),
	KUNIT_CASE(device_context_keeps_an_earlier_cause),
	KUNIT_CASE(device_without_a_bus_ends_them_when_it_goes),
	KUNIT_CASE(device_context_knows_who_unbound),
#ifdef CTX_BUS_IS_LOOKED_UP
	KUNIT_CASE(device_whose_bus_takes_no_notifier_gets_none),
#endif
#ifdef CONFIG_FAULT_INJECTION
	KUNIT_CASE(device_context_without_memory_is_enomem),
#endif
	{ }
};

static struct kunit_suite device_suite = {
	.name = "ctx_device",
	.init = device_init,
	.exit = device_exit,
	.test_cases = device_cases,
};

kunit_test_suite(device_suite);
