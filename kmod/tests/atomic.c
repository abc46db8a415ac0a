// SPDX-License-Identifier: GPL-2.0
/* S18: what may be called where. */
#include <linux/bottom_half.h>
#include <linux/interrupt.h>
#include <linux/spinlock.h>

#include "test.h"

static const int atomic_key;

struct script {
	struct ctx *parent;
	unsigned int failed;	/* one bit a step */
	struct ctx *c, *v, *t, *u, *w, *c2, *t2;
	struct ctx *linked, *other, *third;	/* for the bridges */
	struct ct_probe probe[2];
	bool late;		/* truly atomic on PREEMPT_RT: a worker calls back */
	struct ctx_thread *thread;
	struct ctx_work work;
	struct ctx_link link;
	struct ctx_source source;
};

#define STEP(n, condition)	(script->failed |= (condition) ? 0 : BIT(n))

static const struct ctx_source_ops atomic_ops = {
	.name = "atomic",
};

static void bridge_link(struct script *script)
{
	STEP(21, !ctx_link(script->linked, script->other, &script->link));
	ctx_unlink(&script->link);
	STEP(22, !ctx_link(script->linked, script->other, &script->link));
	ctx_cancel(script->other);
	STEP(23, script->late || ctx_err(script->linked) == -ECANCELED);
	ctx_unlink(&script->link);
}

static void detach_source(struct script *script)
{
	STEP(28, ctx_source_detach(&script->source) == !ctx_err(script->third));
}

static void bridge_source(struct script *script)
{
	STEP(24, !ctx_source_attach(script->third, &script->source, &atomic_ops));
	if (!script->late) {
		STEP(25, ctx_source_detach(&script->source));
		STEP(26, !ctx_source_attach(script->third, &script->source, &atomic_ops));
	}
	STEP(27, !ctx_source_fire(&script->source, -EIO));
	if (!script->late)
		detach_source(script);
}

static void bridge_work(struct script *script)
{
	script->work.ctx = script->third;
	STEP(29, ctx_work_queue_delayed(system_wq, &script->work, ktime_set(3600, 0)) == 1 &&
	     ctx_work_cancel(&script->work));
}

/* What else there is that ends, or is ended by, a context. */
static void bridges(struct script *script)
{
	ctx_thread_cancel(script->thread);
	bridge_work(script);
	bridge_source(script);
	bridge_link(script);
}

static bool derive(struct script *script)
{
	script->c = ctx_with_cancel(script->parent, GFP_ATOMIC);
	script->t = ctx_with_timeout_cause(script->c, ktime_set(3600, 0), -EIO, GFP_ATOMIC);
	script->v = ctx_with_value(script->t, &atomic_key, script, NULL, GFP_ATOMIC);
	script->w = ctx_without_cancel(script->v, GFP_ATOMIC);
	script->u = ctx_with_deadline(script->v, 0, GFP_ATOMIC);
	script->c2 = ctx_with_cancel(script->parent, GFP_ATOMIC);
	script->t2 = ctx_with_cancel(script->c2, GFP_ATOMIC);
	script->linked = ctx_with_cancel(script->parent, GFP_ATOMIC);
	script->other = ctx_with_cancel(script->parent, GFP_ATOMIC);
	script->third = ctx_with_cancel(script->parent, GFP_ATOMIC);
	STEP(0, !IS_ERR_OR_NULL(script->c) && !IS_ERR_OR_NULL(script->t) &&
	     !IS_ERR_OR_NULL(script->v) && !IS_ERR_OR_NULL(script->w) &&
	     !IS_ERR_OR_NULL(script->u));
	STEP(16, !IS_ERR_OR_NULL(script->c2) && !IS_ERR_OR_NULL(script->t2) &&
	     !IS_ERR_OR_NULL(script->linked) && !IS_ERR_OR_NULL(script->other) &&
	     !IS_ERR_OR_NULL(script->third));
	return !script->failed;
}

static void ask(struct script *script)
{
	ktime_t deadline = 0;

	STEP(1, !ctx_err(script->v) && !ctx_cause(script->v) && !ctx_is_done(script->w));
	STEP(2, ctx_err(script->u) == -ETIMEDOUT && ctx_cause(script->u) == -ETIMEDOUT);
	STEP(3, ctx_deadline(script->v, &deadline) && ktime_after(deadline, ktime_get()));
	STEP(4, ctx_value(script->w, &atomic_key) == script &&
	     ctx_value(script->u, &atomic_key) == script);
	STEP(5, ctx_get(script->v) == script->v);
	ctx_put(script->v);
}

static void expect_called(struct script *script)
{
	STEP(10, atomic_read(&script->probe[0].runs) == 1 && !atomic_read(&script->probe[1].runs));
}

static void cancel(struct script *script)
{
	struct ctx *v = script->v, *t = script->t;
	struct ct_probe *probe = script->probe;
	struct ctx_origin origin;

	ct_probe_init(&probe[0]);
	ct_probe_init(&probe[1]);
	STEP(6, !ctx_callback_add(v, &probe[0].cb, ct_probe_fn));
	STEP(7, !ctx_callback_add(t, &probe[1].cb, ct_probe_fn));
	STEP(8, ctx_callback_remove(t, &probe[1].cb));
	STEP(9, !ctx_cancel_cause(t, -EPIPE));
	if (!script->late)
		expect_called(script);
	STEP(11, ctx_err(v) == -ECANCELED && ctx_cause(v) == -EPIPE);
	STEP(18, ctx_done(v) == ctx_done(t) && (script->late || completion_done(ctx_done(v))));
	STEP(19, !ctx_origin(v, &origin) && origin.ctx == t && origin.cause == -EPIPE);
	STEP(20, ctx_describe(script->u, NULL, 0) > 60);
	STEP(12, ctx_callback_add(v, &probe[1].cb, ct_probe_fn) == -ENOENT);
	STEP(13, !ctx_err(script->c));
	ctx_cancel(script->c);
	STEP(14, ctx_err(script->c) == -ECANCELED && ctx_cause(v) == -EPIPE);
	STEP(15, !ctx_err(script->w) && !ctx_err(script->parent));
	ctx_cancel_async(script->c2);
	STEP(17, ctx_err(script->c2) == -ECANCELED);
}

static void put(void *arg)
{
	struct script *script = arg;

	ctx_put(script->u);
	ctx_put(script->w);
	ctx_put(script->v);
	ctx_put(script->t);
	ctx_put(script->c);
	ctx_put(script->t2);
	ctx_put(script->c2);
	ctx_put(script->linked);
	ctx_put(script->other);
	ctx_put(script->third);
}

static void act(void *arg)
{
	struct script *script = arg;

	script->late = IS_ENABLED(CONFIG_PREEMPT_RT) && !preemptible();
	ask(script);
	cancel(script);
	if (script->thread)
		bridges(script);
}

/* What may be called from anywhere. */
static void everything(void *arg)
{
	struct script *script = arg;

	if (!derive(script))
		return;
	act(script);
	put(script);
}

/* With PREEMPT_RT, @in truly atomic sections nothing is derived, and callbacks come later. */
static void everything_in(void (*in)(void (*fn)(void *arg), void *arg), struct script *script)
{
	if (!IS_ENABLED(CONFIG_PREEMPT_RT)) {
		in(everything, script);
		return;
	}
	if (!derive(script))
		return;
	in(act, script);
	STEP(31, script->late);
	wait_for_completion(&script->probe[0].ran);
	expect_called(script);
	if (script->thread)
		detach_source(script);
	in(put, script);
}

static int until_cancelled_fn(struct ctx *ctx, void *data)
{
	return ctx_wait(ctx);
}

static void never_work_fn(struct ctx *ctx, struct ctx_work *work)
{
}

static void run_script(struct kunit *test, void (*where)(struct script *script))
{
	struct script *script = kunit_kzalloc(test, sizeof(*script), GFP_KERNEL);
	int round;

	KUNIT_ASSERT_NOT_NULL(test, script);
	script->parent = ct_cancel(test, ctx_background());
	ctx_work_init(&script->work, script->parent, never_work_fn);
	for (round = 0; round < 20; round++) {
		script->thread = ctx_thread_run(script->parent, until_cancelled_fn, NULL, "atomic");
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, script->thread);
		where(script);
		KUNIT_EXPECT_EQ(test, script->failed, 0U);
		KUNIT_EXPECT_EQ(test, ctx_thread_stop(script->thread), -ECANCELED);
	}
	ct_expect_live(test, script->parent);
	ctx_cancel_sync(script->parent);
	ctx_put(script->parent);
}

static void in_process(struct script *script)
{
	everything(script);
}

static void in_hard_irq(struct script *script)
{
	everything_in(ct_in_hardirq, script);
}

static void in_soft_irq(struct script *script)
{
	ct_in_softirq(everything, script);
}

static void call_with_irqs_off(void (*fn)(void *arg), void *arg)
{
	struct script *script = arg;
	unsigned long flags;

	local_irq_save(flags);
	fn(script);
	/* And they are still off. */
	STEP(30, irqs_disabled());
	local_irq_restore(flags);
}

static void with_irqs_off(struct script *script)
{
	everything_in(call_with_irqs_off, script);
}

/* Where a raw spinlock is held: with PREEMPT_RT, interrupts being on makes no difference. */
static void call_with_preemption_off(void (*fn)(void *arg), void *arg)
{
	preempt_disable();
	fn(arg);
	preempt_enable();
}

static void with_preemption_off(struct script *script)
{
	everything_in(call_with_preemption_off, script);
}

static void under_a_spinlock(struct script *script)
{
	static DEFINE_SPINLOCK(lock);

	spin_lock(&lock);
	everything(script);
	spin_unlock(&lock);
}

static void under_an_irq_spinlock(struct script *script)
{
	static DEFINE_SPINLOCK(lock);
	unsigned long flags;

	spin_lock_irqsave(&lock, flags);
	everything(script);
	STEP(30, irqs_disabled() || IS_ENABLED(CONFIG_PREEMPT_RT));
	spin_unlock_irqrestore(&lock, flags);
}

static void with_softirqs_off(struct script *script)
{
	local_bh_disable();
	everything(script);
	local_bh_enable();
}

static void under_rcu(struct script *script)
{
	rcu_read_lock();
	everything(script);
	rcu_read_unlock();
}

static void s18_in_a_process(struct kunit *test)
{
	run_script(test, in_process);
}

static void s18_in_a_hard_interrupt(struct kunit *test)
{
	run_script(test, in_hard_irq);
}

static void s18_in_a_soft_interrupt(struct kunit *test)
{
	run_script(test, in_soft_irq);
}

static void s18_with_interrupts_off(struct kunit *test)
{
	run_script(test, with_irqs_off);
}

static void s18_with_preemption_off(struct kunit *test)
{
	run_script(test, with_preemption_off);
}

static void s18_under_spinlocks(struct kunit *test)
{
	run_script(test, under_a_spinlock);
	run_script(test, under_an_irq_spinlock);
}

static void s18_with_soft_interrupts_off(struct kunit *test)
{
	run_script(test, with_softirqs_off);
}

static void s18_in_an_rcu_reader(struct kunit *test)
{
	run_script(test, under_rcu);
}

struct late_job {
	struct ctx_after after[2];
	struct ctx *ctx;
	atomic_t runs;
	bool stopped;
};

static void late_job_fn(struct ctx_after *after)
{
	atomic_inc(&container_of(after, struct late_job, after[0])->runs);
}

static void never_fn(struct ctx_after *after)
{
}

static void late_job_start(void *arg)
{
	struct late_job *job = arg;

	ctx_after_func(job->ctx, &job->after[0], late_job_fn);
	ctx_after_func(job->ctx, &job->after[1], never_fn);
}

static void late_job_stop_and_cancel(void *arg)
{
	struct late_job *job = arg;

	job->stopped = ctx_after_stop(&job->after[1]);
	ctx_cancel(job->ctx);
}

static void s18_after_funcs_from_interrupts(struct kunit *test)
{
	struct late_job job = { .ctx = ct_cancel(test, ctx_background()) };

	ct_in_hardirq(late_job_start, &job);
	ct_in_softirq(late_job_stop_and_cancel, &job);
	KUNIT_EXPECT_TRUE(test, job.stopped);
	ctx_barrier();
	KUNIT_EXPECT_EQ(test, atomic_read(&job.runs), 1);
	KUNIT_EXPECT_FALSE(test, ctx_after_stop_sync(&job.after[0]));
	ctx_put(job.ctx);
}

struct storm {
	struct hrtimer timer;
	struct script script;
	struct ctx *victim;
	atomic_t left;
	struct completion over;
};

/* Long enough for others to get on, however slow the machine. */
static ktime_t storm_gap(void)
{
	return ct_us(IS_ENABLED(CONFIG_KASAN) ? 10000 : 300);
}

static enum hrtimer_restart storm_fn(struct hrtimer *timer)
{
	struct storm *storm = container_of(timer, struct storm, timer);

	everything(&storm->script);
	if (atomic_dec_and_test(&storm->left)) {
		ctx_cancel(storm->victim);
		complete(&storm->over);
		return HRTIMER_NORESTART;
	}
	hrtimer_set_expires(timer, ktime_add(ktime_get(), storm_gap()));
	return HRTIMER_RESTART;
}

/* A process and an interrupt on one parent: the interrupt finds every lock free. */
static void storm_on(struct kunit *test, enum hrtimer_mode mode)
{
	struct storm *storm = kunit_kzalloc(test, sizeof(*storm), GFP_KERNEL);
	struct script script = { };

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, storm);
	storm->victim = ct_cancel(test, ctx_background());
	storm->script.parent = ct_cancel(test, storm->victim);
	script.parent = storm->script.parent;
	atomic_set(&storm->left, ct_times(500));
	init_completion(&storm->over);
	hrtimer_setup(&storm->timer, storm_fn, CLOCK_MONOTONIC, mode);
	hrtimer_start(&storm->timer, storm_gap(), mode);
	while (!ctx_err(storm->victim)) {
		if (atomic_read(&storm->left) > 1)
			everything(&script);
		cond_resched();
	}
	ct_wait_for(test, &storm->over);
	hrtimer_cancel(&storm->timer);
	KUNIT_EXPECT_EQ(test, storm->script.failed, 0U);
	/* The last of them may have met the end. */
	KUNIT_EXPECT_EQ(test, ctx_err(storm->script.parent), -ECANCELED);
	ctx_put(storm->script.parent);
	ctx_put(storm->victim);
}

static enum hrtimer_restart strike_fn(struct hrtimer *timer)
{
	struct storm *storm = container_of(timer, struct storm, timer);

	act(&storm->script);
	complete(&storm->over);
	return HRTIMER_NORESTART;
}

/* With PREEMPT_RT: the interrupt has only what the process derived for it. */
static void strike(struct storm *storm, struct script *script)
{
	if (!derive(&storm->script))
		return;
	reinit_completion(&storm->over);
	hrtimer_start(&storm->timer, storm_gap(), HRTIMER_MODE_REL_HARD);
	do
		everything(script);
	while (!completion_done(&storm->over));
	hrtimer_cancel(&storm->timer);
	wait_for_completion(&storm->script.probe[0].ran);
	put(&storm->script);
}

static void strikes(struct kunit *test)
{
	struct storm *storm = kunit_kzalloc(test, sizeof(*storm), GFP_KERNEL);
	struct script script = { };
	int round;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, storm);
	script.parent = ct_cancel(test, ctx_background());
	storm->script.parent = script.parent;
	init_completion(&storm->over);
	hrtimer_setup(&storm->timer, strike_fn, CLOCK_MONOTONIC, HRTIMER_MODE_REL_HARD);
	for (round = 0; round < ct_times(500); round++)
		strike(storm, &script);
	KUNIT_EXPECT_EQ(test, storm->script.failed, 0U);
	KUNIT_EXPECT_EQ(test, script.failed, 0U);
	KUNIT_EXPECT_TRUE(test, storm->script.late);
	ctx_cancel_sync(script.parent);
	ctx_put(script.parent);
}

static void s18_hard_interrupts_among_processes(struct kunit *test)
{
	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		strikes(test);
	else
		storm_on(test, HRTIMER_MODE_REL);
}

static void s18_soft_interrupts_among_processes(struct kunit *test)
{
	storm_on(test, HRTIMER_MODE_REL_SOFT);
}

static struct kunit_case atomic_cases[] = {
	KUNIT_CASE(s18_in_a_process),
	KUNIT_CASE(s18_in_a_hard_interrupt),
	KUNIT_CASE(s18_in_a_soft_interrupt),
	KUNIT_CASE(s18_with_interrupts_off),
	KUNIT_CASE(s18_with_preemption_off),
	KUNIT_CASE(s18_under_spinlocks),
	KUNIT_CASE(s18_with_soft_interrupts_off),
	KUNIT_CASE(s18_in_an_rcu_reader),
	KUNIT_CASE(s18_after_funcs_from_interrupts),
	KUNIT_CASE(s18_hard_interrupts_among_processes),
	KUNIT_CASE(s18_soft_interrupts_among_processes),
	{ }
};

static struct kunit_suite atomic_suite = {
	.name = "ctx_atomic",
	.test_cases = atomic_cases,
};

kunit_test_suite(atomic_suite);
