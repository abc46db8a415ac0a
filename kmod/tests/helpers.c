// SPDX-License-Identifier: GPL-2.0
/* What the suites share; see test.h. */
#include <linux/cpumask.h>
#include <linux/dcache.h>
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/kmsg_dump.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/preempt.h>
#include <linux/sched/task.h>
#include <linux/sched/task_stack.h>
#include <linux/slab.h>

#include "test.h"

unsigned int ct_big = IS_ENABLED(CONFIG_KASAN) ? 100000 : 1000000;
module_param_named(big, ct_big, uint, 0444);
MODULE_PARM_DESC(big, "contexts in the big trees");

unsigned int ct_rounds = IS_ENABLED(CONFIG_KASAN) ? 10000 : 100000;
module_param_named(rounds, ct_rounds, uint, 0444);
MODULE_PARM_DESC(rounds, "rounds of derive, cancel and put that must leave nothing behind");

/* Older KUnit runs the tests before the parameters are there: a minute by default. */
unsigned int ct_stress_seconds = IS_ENABLED(CONFIG_KASAN) ? 60 : 2;
module_param_named(stress_seconds, ct_stress_seconds, uint, 0444);
MODULE_PARM_DESC(stress_seconds, "how long the random test runs");

const char * const ct_form_names[CT_FORMS] = {
	[CT_CANCEL] = "with_cancel",
	[CT_DEADLINE] = "with_deadline",
	[CT_DEADLINE_CAUSE] = "with_deadline_cause",
	[CT_TIMEOUT] = "with_timeout",
	[CT_TIMEOUT_CAUSE] = "with_timeout_cause",
	[CT_VALUE] = "with_value",
	[CT_WITHOUT] = "without_cancel",
};

static const int form_key;

struct ctx *ct_derive(enum ct_form form, struct ctx *parent, gfp_t gfp)
{
	const ktime_t hour = ktime_set(3600, 0);

	switch (form) {
	case CT_CANCEL:
		return ctx_with_cancel(parent, gfp);
	case CT_DEADLINE:
		return ctx_with_deadline(parent, ktime_add(ktime_get(), hour), gfp);
	case CT_DEADLINE_CAUSE:
		return ctx_with_deadline_cause(parent, ktime_add(ktime_get(), hour), -EIO, gfp);
	case CT_TIMEOUT:
		return ctx_with_timeout(parent, hour, gfp);
	case CT_TIMEOUT_CAUSE:
		return ctx_with_timeout_cause(parent, hour, -EIO, gfp);
	case CT_VALUE:
		return ctx_with_value(parent, &form_key, NULL, NULL, gfp);
	case CT_WITHOUT:
		return ctx_without_cancel(parent, gfp);
	default:
		return NULL;
	}
}

bool ct_is_scope(enum ct_form form)
{
	return form < CT_VALUE;
}

struct ctx *ct_must(struct kunit *test, struct ctx *ctx)
{
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ctx);
	return ctx;
}

struct ctx *ct_cancel(struct kunit *test, struct ctx *parent)
{
	return ct_must(test, ctx_with_cancel(parent, GFP_KERNEL));
}

struct ctx *ct_hour(struct kunit *test, struct ctx *parent)
{
	return ct_must(test, ctx_with_timeout(parent, ktime_set(3600, 0), GFP_KERNEL));
}

struct ctx *ct_timeout_ms(struct kunit *test, struct ctx *parent, unsigned int ms)
{
	return ct_must(test, ctx_with_timeout(parent, ms_to_ktime(ms), GFP_KERNEL));
}

struct ctx *ct_value(struct kunit *test, struct ctx *parent, const void *key, void *value)
{
	return ct_must(test, ctx_with_value(parent, key, value, NULL, GFP_KERNEL));
}

struct ctx *ct_without(struct kunit *test, struct ctx *parent)
{
	return ct_must(test, ctx_without_cancel(parent, GFP_KERNEL));
}

void ct_wait_done(struct kunit *test, struct ctx *ctx, int err)
{
	KUNIT_EXPECT_EQ(test, ctx_wait_timeout(ctx, ms_to_ktime(PATIENCE_MS)), err);
}

void ct_wait_for(struct kunit *test, struct completion *completion)
{
	KUNIT_EXPECT_NE(test, wait_for_completion_timeout(completion, PATIENCE), 0UL);
}

void ct_busy_ns(u64 ns)
{
	ktime_t end = ktime_add_ns(ktime_get(), ns);

	while (ktime_before(ktime_get(), end))
		cpu_relax();
}

void ct_busy_ms(unsigned int ms)
{
	ct_busy_ns(ms * (u64)NSEC_PER_MSEC);
}

void ct_expect_live(struct kunit *test, struct ctx *ctx)
{
	struct ctx_origin origin;
	struct completion *done = ctx_done(ctx);

	KUNIT_EXPECT_EQ(test, ctx_err(ctx), 0);
	KUNIT_EXPECT_FALSE(test, ctx_is_done(ctx));
	KUNIT_EXPECT_EQ(test, ctx_cause(ctx), 0);
	KUNIT_EXPECT_EQ(test, ctx_origin(ctx, &origin), -EAGAIN);
	KUNIT_EXPECT_EQ(test, ctx_wait_timeout(ctx, 0), 0);
	if (done)
		KUNIT_EXPECT_FALSE(test, completion_done(done));
}

void ct_expect_done(struct kunit *test, struct ctx *ctx, int err, int cause)
{
	struct ctx_origin origin = { };
	struct completion *done = ctx_done(ctx);

	KUNIT_EXPECT_EQ(test, ctx_err(ctx), err);
	KUNIT_EXPECT_TRUE(test, ctx_is_done(ctx));
	KUNIT_EXPECT_EQ(test, ctx_cause(ctx), cause);
	KUNIT_EXPECT_EQ(test, ctx_origin(ctx, &origin), 0);
	KUNIT_EXPECT_EQ(test, origin.err, err);
	KUNIT_EXPECT_EQ(test, origin.cause, cause);
	KUNIT_EXPECT_EQ(test, ctx_wait_timeout(ctx, 0), err);
	KUNIT_EXPECT_EQ(test, ctx_wait(ctx), err);
	KUNIT_EXPECT_NOT_NULL(test, done);
	if (done) {
		/* Completed for all, however often it is waited for. */
		ct_wait_for(test, done);
		KUNIT_EXPECT_TRUE(test, try_wait_for_completion(done));
		KUNIT_EXPECT_TRUE(test, completion_done(done));
	}
}

enum ct_where ct_where(void)
{
	if (in_hardirq())
		return CT_HARDIRQ;
	if (in_serving_softirq())
		return CT_SOFTIRQ;
	return current->flags & PF_WQ_WORKER ? CT_WORKER : CT_TASK;
}

unsigned long ct_stack_used(void)
{
	return (unsigned long)task_stack_page(current) + THREAD_SIZE -
	       (unsigned long)__builtin_frame_address(0);
}

bool ct_may_sleep(void)
{
	return IS_ENABLED(CONFIG_PREEMPT_COUNT) ? preemptible() : !irqs_disabled();
}

struct irq_call {
	struct hrtimer timer;
	void (*fn)(void *arg);
	void *arg;
	struct completion called;
};

static enum hrtimer_restart irq_call_fn(struct hrtimer *timer)
{
	struct irq_call *call = container_of(timer, struct irq_call, timer);

	call->fn(call->arg);
	complete(&call->called);
	return HRTIMER_NORESTART;
}

static void call_in_timer(void (*fn)(void *arg), void *arg, enum hrtimer_mode mode)
{
	struct irq_call *call = kzalloc(sizeof(*call), GFP_KERNEL | __GFP_NOFAIL);

	call->fn = fn;
	call->arg = arg;
	init_completion(&call->called);
	hrtimer_setup(&call->timer, irq_call_fn, CLOCK_MONOTONIC, mode);
	hrtimer_start(&call->timer, ct_us(10), mode);
	wait_for_completion(&call->called);
	hrtimer_cancel(&call->timer);
	kfree(call);
}

/*
 * Only with PREEMPT_RT it insists on the hard interrupt: elsewhere lockdep would not let
 * one who does take a spinlock there.
 */
void ct_in_hardirq(void (*fn)(void *arg), void *arg)
{
	call_in_timer(fn, arg, IS_ENABLED(CONFIG_PREEMPT_RT) ? HRTIMER_MODE_REL_HARD :
							       HRTIMER_MODE_REL);
}

void ct_in_handler(void (*fn)(void *arg), void *arg)
{
	call_in_timer(fn, arg, HRTIMER_MODE_REL);
}

void ct_in_softirq(void (*fn)(void *arg), void *arg)
{
	call_in_timer(fn, arg, HRTIMER_MODE_REL_SOFT);
}

struct irq_detach {
	struct ctx_source *source;
	void (*first)(void *arg);
	void *arg;
	bool kept;
	bool irqs;	/* are as they were */
};

static void irq_detach_fn(void *arg)
{
	struct irq_detach *detach = arg;
	bool off = irqs_disabled();

	if (detach->first)
		detach->first(detach->arg);
	detach->kept = ctx_source_detach(detach->source);
	detach->irqs = irqs_disabled() == off;
	memset(detach->source, 0x6b, sizeof(*detach->source));
}

bool ct_detach_in(struct kunit *test, enum ct_where where, struct ctx_source *source,
		  void (*first)(void *arg), void *arg)
{
	struct irq_detach detach = { .source = source, .first = first, .arg = arg };

	if (where == CT_SOFTIRQ)
		ct_in_softirq(irq_detach_fn, &detach);
	else
		ct_in_handler(irq_detach_fn, &detach);
	KUNIT_EXPECT_TRUE(test, detach.irqs);
	return detach.kept;
}

const char * const ct_wait_names[CT_WAITS] = {
	"wait", "wait_interruptible", "wait_killable",
	"timeout", "timeout_interruptible", "timeout_killable",
	"sleep", "sleep_interruptible", "sleep_killable",
	"event", "event_interruptible", "event_killable",
	"completion", "completion_interruptible", "completion_killable",
};

void ct_waiting_init(struct ct_waiting *w, struct ctx *ctx, int form)
{
	memset(w, 0, sizeof(*w));
	w->ctx = ctx;
	w->form = form;
	w->late = ktime_set(3600, 0);
	init_waitqueue_head(&w->wq);
	init_completion(&w->completion);
}

int ct_wait_by(struct ct_waiting *w)
{
	struct ctx *c = w->ctx;

	switch (w->form) {
	case 0: return ctx_wait(c);
	case 1: return ctx_wait_interruptible(c);
	case 2: return ctx_wait_killable(c);
	case 3: return ctx_wait_timeout(c, w->late);
	case 4: return ctx_wait_timeout_interruptible(c, w->late);
	case 5: return ctx_wait_timeout_killable(c, w->late);
	case 6: return ctx_sleep(c, w->late);
	case 7: return ctx_sleep_interruptible(c, w->late);
	case 8: return ctx_sleep_killable(c, w->late);
	case 9: return ctx_wait_event(c, w->wq, READ_ONCE(w->condition));
	case 10: return ctx_wait_event_interruptible(c, w->wq, READ_ONCE(w->condition));
	case 11: return ctx_wait_event_killable(c, w->wq, READ_ONCE(w->condition));
	case 12: return ctx_wait_for_completion(c, &w->completion);
	case 13: return ctx_wait_for_completion_interruptible(c, &w->completion);
	default: return ctx_wait_for_completion_killable(c, &w->completion);
	}
}

int ct_waiting_fn(void *w)
{
	int ret = ct_wait_by(w);

	return task_is_running(current) ? ret : 1;
}

void ct_probe_init(struct ct_probe *probe)
{
	memset(probe, 0, sizeof(*probe));
	init_completion(&probe->ran);
}

void ct_probe_fn(struct ctx *ctx, struct ctx_callback *cb)
{
	struct ct_probe *probe = container_of(cb, struct ct_probe, cb);

	probe->ctx = ctx;
	probe->task = current;
	probe->where = ct_where();
	probe->time = ktime_get();
	probe->err = ctx_err(ctx);
	probe->cause = ctx_cause(ctx);
	atomic_inc(&probe->runs);
	complete(&probe->ran);
}

void ct_probe_add(struct kunit *test, struct ct_probe *probe, struct ctx *ctx)
{
	ct_probe_init(probe);
	KUNIT_ASSERT_EQ(test, ctx_callback_add(ctx, &probe->cb, ct_probe_fn), 0);
}

const int ct_token_key;

void ct_token_init(struct ct_token *token)
{
	atomic_set(&token->released, 0);
	token->where = CT_NOWHERE;
	init_completion(&token->freed);
}

void ct_token_release(void *value)
{
	struct ct_token *token = value;

	token->where = ct_where();
	atomic_inc(&token->released);
	complete(&token->freed);
}

struct ctx *ct_token_ctx(struct kunit *test, struct ct_token *token, struct ctx *parent)
{
	ct_token_init(token);
	return ct_must(test, ctx_with_value(parent, &ct_token_key, token, ct_token_release,
					    GFP_KERNEL));
}

void ct_token_gone(struct kunit *test, struct ct_token *token)
{
	ct_wait_for(test, &token->freed);
	ctx_barrier();
	KUNIT_EXPECT_EQ(test, atomic_read(&token->released), 1);
}

static int helper_main(void *data)
{
	struct ct_helper *helper = data;

	helper->ret = helper->fn(helper->arg);
	complete(&helper->ended);
	return 0;
}

static void helper_create(struct kunit *test, struct ct_helper *helper, int (*fn)(void *arg),
			  void *arg)
{
	helper->fn = fn;
	helper->arg = arg;
	helper->ret = 0;
	init_completion(&helper->ended);
	helper->task = kthread_create(helper_main, helper, "ctx_kunit_helper");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, helper->task);
	get_task_struct(helper->task);
}

void ct_helper_start(struct kunit *test, struct ct_helper *helper, int (*fn)(void *arg),
		     void *arg)
{
	helper_create(test, helper, fn, arg);
	wake_up_process(helper->task);
}

void ct_helper_start_on(struct kunit *test, struct ct_helper *helper, int (*fn)(void *arg),
			void *arg, unsigned int cpu)
{
	helper_create(test, helper, fn, arg);
	kthread_bind(helper->task, cpu % num_online_cpus());
	wake_up_process(helper->task);
}

int ct_helper_join(struct kunit *test, struct ct_helper *helper)
{
	if (!wait_for_completion_timeout(&helper->ended, PATIENCE)) {
		KUNIT_FAIL(test, "a thread does not end");
		return INT_MIN;
	}
	kthread_stop(helper->task);
	put_task_struct(helper->task);
	return helper->ret;
}

bool ct_helper_blocked(struct ct_helper *helper)
{
	return ct_poll_until(!task_is_running(helper->task) || completion_done(&helper->ended));
}

static int partner_main(void *arg)
{
	struct ct_partner *partner = arg;

	while (!atomic_read(&partner->stop)) {
		int asked = atomic_read_acquire(&partner->asked);

		if (asked != atomic_read(&partner->answered)) {
			partner->ret = partner->fn(partner->arg);
			atomic_set_release(&partner->answered, asked);
		}
		cpu_relax();
		ct_yield();
	}
	return 0;
}

void ct_partner_start(struct kunit *test, struct ct_partner *partner, int (*fn)(void *arg))
{
	memset(partner, 0, sizeof(*partner));
	partner->fn = fn;
	set_cpus_allowed_ptr(current, cpumask_of(0));
	ct_helper_start_on(test, &partner->helper, partner_main, partner, 1);
}

void ct_partner_go(struct ct_partner *partner, void *arg)
{
	partner->arg = arg;
	atomic_inc_return_release(&partner->asked);
}

int ct_partner_wait(struct kunit *test, struct ct_partner *partner)
{
	KUNIT_EXPECT_TRUE(test, ct_spin_until(atomic_read_acquire(&partner->answered) ==
					      atomic_read(&partner->asked)));
	return partner->ret;
}

void ct_partner_stop(struct kunit *test, struct ct_partner *partner)
{
	atomic_set(&partner->stop, 1);
	ct_helper_join(test, &partner->helper);
	set_cpus_allowed_ptr(current, cpu_possible_mask);
}

int ct_said(const char *what, const char *who)
{
	struct kmsg_dump_iter iter;
	char line[256];
	size_t len;
	int count = 0;

	kmsg_dump_rewind(&iter);
	while (kmsg_dump_get_line(&iter, false, line, sizeof(line) - 1, &len)) {
		char *at;

		line[len] = '\0';
		at = strstr(line, what);
		count += at && strstr(at, who);
	}
	return count;
}

struct file *ct_open_in(const char *fs, const char *name, int flags)
{
	struct file_system_type *type = get_fs_type(fs);
	struct vfsmount *mnt;
	struct file *file;

	if (!type)
		return ERR_PTR(-ENODEV);
	mnt = kern_mount(type);
	module_put(type->owner);
	if (IS_ERR(mnt))
		return ERR_CAST(mnt);
	file = file_open_root_mnt(mnt, name, flags, 0);
	kern_unmount(mnt);
	return file;
}

u64 ct_value_ns(struct ctx *c, const void *key)
{
	u64 best = U64_MAX;
	int turn, i;

	for (turn = 0; turn < 10; turn++) {
		u64 start = ktime_get_ns();

		for (i = 0; i < 300; i++)
			ctx_value(c, key);
		best = min(best, ktime_get_ns() - start);
	}
	return best + 1;
}

#ifdef CONFIG_FAULT_INJECTION
/* What /sys/kernel/debug/failslab would set, mounted or not. */
static void *failslab(struct kunit *test, const char *name)
{
	struct dentry *dir = debugfs_lookup("failslab", NULL);
	struct dentry *file = dir ? debugfs_lookup(name, dir) : NULL;
	void *setting = file ? d_inode(file)->i_private : NULL;

	dput(file);
	dput(dir);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, setting);
	return setting;
}

static unsigned long old_verbose;

void ct_fail_begin(struct kunit *test)
{
	bool *spares_sleepers = failslab(test, "ignore-gfp-wait");
	unsigned long *verbose = failslab(test, "verbose");

	if (*spares_sleepers)
		old_verbose = *verbose;
	*verbose = 0;
	*spares_sleepers = false;
}

/* Also where none was begun. */
void ct_fail_over(struct kunit *test)
{
	bool *spares_sleepers = failslab(test, "ignore-gfp-wait");
	unsigned long *verbose = failslab(test, "verbose");

	if (!*spares_sleepers)
		*verbose = old_verbose;
	*spares_sleepers = true;
}

void ct_fail_from(unsigned int nth)
{
	WRITE_ONCE(current->fail_nth, nth);
}

unsigned int ct_fail_end(void)
{
	unsigned int left = READ_ONCE(current->fail_nth);

	WRITE_ONCE(current->fail_nth, 0);
	return left;
}
#endif

MODULE_DESCRIPTION("KUnit suites of ctx");
MODULE_LICENSE("GPL");
