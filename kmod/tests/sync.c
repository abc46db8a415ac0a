// SPDX-License-Identifier: GPL-2.0
/*
 * S5: what ctx_cancel_sync() waits for, and what it does not. Whether a scope has come
 * to rest is seen from the outside by waiting for it only: this suite looks inside.
 */
#include "../internal.h"
#include "test.h"

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

/* The callback is a descendant's and runs on another CPU, for another caller. */
static void s5_sync_waits_for_callbacks_elsewhere(struct kunit *test)
{
	struct ctx *p = ct_cancel(test, ctx_background());
	struct ctx *c = ct_cancel(test, p);
	struct slow slow = { .ctx = p };
	struct ct_helper helper;

	KUNIT_ASSERT_EQ(test, ctx_callback_add(c, &slow.cb, slow_fn), 0);
	ct_helper_start_on(test, &helper, slow_cancel_fn, &slow, raw_smp_processor_id() + 1);
	KUNIT_EXPECT_TRUE(test, ct_spin_until(atomic_read(&slow.begun)));
	/* An ordinary loser does not wait: it can let the callback go on. */
	ctx_cancel(p);
	KUNIT_EXPECT_EQ(test, ctx_err(p), -ECANCELED);
	KUNIT_EXPECT_EQ(test, atomic_read(&slow.over), 0);
	atomic_set(&slow.go, 1);
	ctx_cancel_sync(p);
	KUNIT_EXPECT_EQ(test, atomic_read(&slow.over), 1);
	ct_helper_join(test, &helper);
	ctx_put(c);
	ctx_put(p);
}

/* A branch that someone else is cancelling, with the caller the winner above it. */
static void s5_sync_waits_for_a_branch_cancelled_elsewhere(struct kunit *test)
{
	struct ctx *p = ct_cancel(test, ctx_background());
	struct ctx *m = ct_cancel(test, p);
	struct ctx *c = ct_cancel(test, m);
	struct ctx *last = ct_cancel(test, c);
	struct slow slow = { .ctx = m };
	struct ct_helper helper;

	KUNIT_ASSERT_EQ(test, ctx_callback_add(m, &slow.cb, slow_fn), 0);
	ct_helper_start_on(test, &helper, slow_cancel_fn, &slow, raw_smp_processor_id() + 1);
	KUNIT_EXPECT_TRUE(test, ct_spin_until(atomic_read(&slow.begun)));
	atomic_set(&slow.go, 1);
	ctx_cancel_sync(p);
	KUNIT_EXPECT_EQ(test, atomic_read(&slow.over), 1);
	ct_expect_done(test, last, -ECANCELED, -ECANCELED);
	ct_helper_join(test, &helper);
	ctx_put(last);
	ctx_put(c);
	ctx_put(m);
	ctx_put(p);
}

struct inside {
	struct ctx_callback cb;
	struct ctx *top;
	int runs;
};

static void inside_fn(struct ctx *ctx, struct ctx_callback *cb)
{
	struct inside *inside = container_of(cb, struct inside, cb);

	ctx_cancel_sync(inside->top);
	inside->runs++;
}

static void s5_sync_from_a_callback_returns(struct kunit *test)
{
	struct ctx *p = ct_cancel(test, ctx_background());
	struct ctx *c = ct_cancel(test, p);
	struct ctx *other = ct_cancel(test, ctx_background());
	struct inside own = { .top = p }, below = { .top = p }, foreign = { .top = other };

	KUNIT_ASSERT_EQ(test, ctx_callback_add(p, &own.cb, inside_fn), 0);
	KUNIT_ASSERT_EQ(test, ctx_callback_add(c, &below.cb, inside_fn), 0);
	KUNIT_ASSERT_EQ(test, ctx_callback_add(c, &foreign.cb, inside_fn), 0);
	ctx_cancel(p);
	ctx_cancel_sync(p);
	KUNIT_EXPECT_EQ(test, own.runs + below.runs + foreign.runs, 3);
	ct_expect_done(test, c, -ECANCELED, -ECANCELED);
	ct_expect_done(test, other, -ECANCELED, -ECANCELED);
	ctx_put(other);
	ctx_put(c);
	ctx_put(p);
}

struct after_inside {
	struct ctx_after after;
	struct ctx *top;
	struct completion ran;
};

static void after_inside_fn(struct ctx_after *after)
{
	struct after_inside *inside = container_of(after, struct after_inside, after);

	ctx_cancel_sync(inside->top);
	complete(&inside->ran);
}

static void s5_sync_from_an_after_func_returns(struct kunit *test)
{
	struct ctx *p = ct_cancel(test, ctx_background());
	struct ctx *c = ct_cancel(test, p);
	struct after_inside inside = { .top = p };

	init_completion(&inside.ran);
	ctx_after_func(c, &inside.after, after_inside_fn);
	ctx_cancel_sync(p);
	ct_wait_for(test, &inside.ran);
	ctx_after_stop_sync(&inside.after);
	ctx_put(c);
	ctx_put(p);
	ctx_barrier();
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

/* The two ends of a branch. */
struct branch {
	struct ctx *low, *high;
	int waits_for;		/* the high one, when the interrupt is over */
};

static void cancel_in_interrupt(void *arg)
{
	struct branch *branch = arg;

	ctx_cancel(branch->low);
	branch->waits_for = atomic_read(&ctx_scope(branch->high)->own.busy);
}

/* A chain of DEEP below @top; the references are on all of them. */
static void deep_branch(struct kunit *test, struct ctx *top, struct ctx **branch)
{
	int i;

	for (i = 0; i < DEEP; i++)
		branch[i] = ct_cancel(test, i ? branch[i - 1] : top);
}

static void put_branch(struct ctx **branch)
{
	int i;

	for (i = 0; i < DEEP; i++)
		ctx_put(branch[i]);
}

/* Keeps a CPU, so that no worker has it. */
struct keep {
	struct ct_helper helper;
	atomic_t *kept, *over;
};

static int keep_fn(void *arg)
{
	struct keep *keep = arg;

	preempt_disable();
	atomic_inc(keep->kept);
	while (!atomic_read(keep->over))
		cpu_relax();
	preempt_enable();
	return 0;
}

/* As ct_in_hardirq(), while no worker can run on any CPU. */
static void in_hardirq_alone(struct kunit *test, void (*fn)(void *arg), void *arg)
{
	struct keep *keep = kunit_kzalloc(test, nr_cpu_ids * sizeof(*keep), GFP_KERNEL);
	atomic_t kept = ATOMIC_INIT(0), over = ATOMIC_INIT(0);
	int cpu, others = num_online_cpus() - 1;

	KUNIT_ASSERT_NOT_NULL(test, keep);
	set_cpus_allowed_ptr(current, cpumask_of(0));
	for (cpu = 1; cpu <= others; cpu++) {
		keep[cpu].kept = &kept;
		keep[cpu].over = &over;
		ct_helper_start_on(test, &keep[cpu].helper, keep_fn, &keep[cpu], cpu);
	}
	KUNIT_EXPECT_TRUE(test, ct_spin_until(atomic_read(&kept) == others));
	ct_in_hardirq(fn, arg);
	atomic_set(&over, 1);
	for (cpu = 1; cpu <= others; cpu++)
		ct_helper_join(test, &keep[cpu].helper);
	set_cpus_allowed_ptr(current, cpu_possible_mask);
}

/*
 * The end of one branch cancels the end of the other, which cancels the top: all
 * else is done when, in the same interrupt, the two ends settle, and everything
 * above each waits for it. Nobody must be left waiting.
 */
static void s5_sync_waits_for_what_settles_in_an_interrupt(struct kunit *test)
{
	struct ctx *top = ct_cancel(test, ctx_background());
	static struct ctx *left[DEEP], *right[DEEP];
	struct next first, second = { .ctx = top };
	struct branch branch;

	deep_branch(test, top, left);
	deep_branch(test, top, right);
	first.ctx = right[DEEP - 1];
	KUNIT_ASSERT_EQ(test, ctx_callback_add(left[DEEP - 1], &first.cb, cancel_next_fn), 0);
	KUNIT_ASSERT_EQ(test, ctx_callback_add(right[DEEP - 1], &second.cb, cancel_next_fn), 0);
	branch.low = left[DEEP - 1];
	branch.high = left[0];
	in_hardirq_alone(test, cancel_in_interrupt, &branch);
	ct_let_worker_end(branch.low);
	KUNIT_EXPECT_EQ(test, ctx_err(top), -ECANCELED);
	KUNIT_EXPECT_EQ(test, ctx_err(left[DEEP - 2]), -ECANCELED);
	KUNIT_EXPECT_EQ(test, ctx_err(right[DEEP - 2]), -ECANCELED);
	/* S19: a worker goes up the rest. */
	KUNIT_EXPECT_EQ(test, branch.waits_for, 1);
	ctx_cancel_sync(top);
	KUNIT_EXPECT_EQ(test, atomic_read(&ctx_scope(left[0])->own.busy), 0);
	put_branch(left);
	put_branch(right);
	ctx_put(top);
}

static struct kunit_case sync_cases[] = {
	KUNIT_CASE(s5_sync_waits_for_callbacks_elsewhere),
	KUNIT_CASE(s5_sync_waits_for_a_branch_cancelled_elsewhere),
	KUNIT_CASE(s5_sync_from_a_callback_returns),
	KUNIT_CASE(s5_sync_from_an_after_func_returns),
	KUNIT_CASE(s5_sync_waits_for_what_settles_in_an_interrupt),
	{ }
};

static struct kunit_suite sync_suite = {
	.name = "ctx_sync",
	.test_cases = sync_cases,
};

kunit_test_suite(sync_suite);
