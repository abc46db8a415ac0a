// SPDX-License-Identifier: GPL-2.0
/* What debug=1 reports, as it stands in the kernel's log. */
#include <linux/fs.h>
#include <linux/fs_struct.h>
#include <linux/kmsg_dump.h>
#include <linux/path.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "test.h"

/* Kernel threads need not see what is mounted: by the eyes of the first process. */
static struct file *open_parameter(void)
{
	struct task_struct *init = get_pid_task(find_vpid(1), PIDTYPE_PID);
	struct file *file;
	struct path root;

	get_fs_root(init->fs, &root);
	file = file_open_root(&root, "sys/module/ctx/parameters/debug", O_WRONLY, 0);
	path_put(&root);
	put_task_struct(init);
	return file;
}

static int debug(char on)
{
	struct file *file = open_parameter();
	loff_t pos = 0;
	ssize_t written;

	if (IS_ERR(file))
		return PTR_ERR(file);
	written = kernel_write(file, &on, 1, &pos);
	filp_close(file, NULL);
	return written == 1 ? 0 : -EIO;
}

/* How many lines have @what and then @who in them. */
static int said(const char *what, const char *who)
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

static int debug_init(struct kunit *test)
{
	if (debug('1'))
		kunit_skip(test, "sysfs is not mounted");
	return 0;
}

static void debug_exit(struct kunit *test)
{
	debug('0');
}

static void sleeping_fn(struct ctx *ctx, struct ctx_callback *cb)
{
	schedule_timeout_uninterruptible(1);
}

static void slow_fn(struct ctx *ctx, struct ctx_callback *cb)
{
	ct_busy_ns(300 * NSEC_PER_USEC);
}

static void slow_in_irq_fn(struct ctx *ctx, struct ctx_callback *cb)
{
	ct_busy_ns(300 * NSEC_PER_USEC);
}

static void freeing_fn(struct ctx *ctx, struct ctx_callback *cb)
{
	kfree(cb);
	ct_busy_ns(300 * NSEC_PER_USEC);
}

static void cancel_in_irq(void *ctx)
{
	ctx_cancel(ctx);
}

static void call(struct kunit *test, void (*fn)(struct ctx *ctx, struct ctx_callback *cb),
		 bool irq)
{
	struct ctx *c = ct_cancel(test, ctx_background());
	struct ctx_callback *cb = kzalloc(sizeof(*cb), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, cb);
	KUNIT_EXPECT_EQ(test, ctx_callback_add(c, cb, fn), 0);
	if (irq)
		ct_in_hardirq(cancel_in_irq, c);
	else
		ctx_cancel(c);
	ctx_put(c);
	if (fn != freeing_fn)
		kfree(cb);
}

/* Each once, however often. */
static void debug_reports_callbacks(struct kunit *test)
{
	int round;

	for (round = 1; round <= 3; round++) {
		call(test, sleeping_fn, false);
		call(test, slow_fn, false);
		call(test, slow_in_irq_fn, true);
		call(test, freeing_fn, false);
		KUNIT_EXPECT_EQ(test, said("ctx: callback sleeping_fn", " slept, and took "), 1);
		KUNIT_EXPECT_EQ(test, said("ctx: callback slow_fn", " took "), 1);
		KUNIT_EXPECT_EQ(test, said("ctx: callback slow_in_irq_fn", " took "), 1);
		KUNIT_EXPECT_EQ(test, said("ctx: callback freeing_fn", " took "), 1);
		KUNIT_EXPECT_EQ(test, said("ctx: callback slow_", " slept"), 0);
	}
	/* Switched off and on again, it is as new; while it is off it says nothing. */
	KUNIT_EXPECT_EQ(test, debug('0'), 0);
	call(test, slow_fn, false);
	KUNIT_EXPECT_EQ(test, said("ctx: callback slow_fn", " took "), 1);
	KUNIT_EXPECT_EQ(test, debug('1'), 0);
	call(test, slow_fn, false);
	KUNIT_EXPECT_EQ(test, said("ctx: callback slow_fn", " took "), 2);
}

struct waiter {
	struct ctx *ctx;
	struct completion begun;
};

static void begin(struct waiter *waiter)
{
	allow_signal(SIGUSR1);
	allow_signal(SIGKILL);
	complete(&waiter->begun);
}

static noinline int end(int ret)
{
	flush_signals(current);
	return ret;
}

static int interruptible_fn(void *arg)
{
	struct waiter *waiter = arg;

	begin(waiter);
	return end(ctx_wait_interruptible(waiter->ctx));
}

static int killable_fn(void *arg)
{
	struct waiter *waiter = arg;

	begin(waiter);
	return end(ctx_wait_killable(waiter->ctx));
}

static int on_live_fn(void *arg)
{
	struct waiter *waiter = arg;

	begin(waiter);
	return end(ctx_wait(waiter->ctx));
}

static noinline int a_while_fn(void)
{
	return end(ctx_wait_timeout(ctx_background(), ms_to_ktime(1)));
}

static int waited(struct kunit *test, int (*fn)(void *arg), struct ctx *ctx, int sig)
{
	struct waiter waiter = { .ctx = ctx };
	struct ct_helper helper;

	init_completion(&waiter.begun);
	ct_helper_start(test, &helper, fn, &waiter);
	ct_wait_for(test, &waiter.begun);
	if (sig)
		send_sig(sig, helper.task, 1);
	else
		ctx_cancel(ctx);
	return ct_helper_join(test, &helper);
}

static void debug_reports_waits_that_cannot_end(struct kunit *test)
{
	struct ctx *c = ct_cancel(test, ctx_background());
	struct ctx *w = ct_without(test, c);
	int round;

	for (round = 0; round < 2; round++) {
		KUNIT_EXPECT_EQ(test, waited(test, interruptible_fn, ctx_background(), SIGUSR1),
				-ERESTARTSYS);
		KUNIT_EXPECT_EQ(test, waited(test, killable_fn, w, SIGKILL), -ERESTARTSYS);
		KUNIT_EXPECT_EQ(test, said("ctx: interruptible_fn", "never done"), 1);
		KUNIT_EXPECT_EQ(test, said("ctx: killable_fn", "never done"), 1);
	}
	KUNIT_EXPECT_EQ(test, waited(test, on_live_fn, c, 0), -ECANCELED);
	KUNIT_EXPECT_EQ(test, a_while_fn(), 0);
	KUNIT_EXPECT_EQ(test, said("ctx: on_live_fn", "never done"), 0);
	KUNIT_EXPECT_EQ(test, said("ctx: a_while_fn", "never done"), 0);
	ctx_put(w);
	ctx_put(c);
}

/* Whoever is derived while it is on, and goes when it is off, and the other way round. */
static void debug_can_be_switched_at_any_time(struct kunit *test)
{
	struct ctx *one[CT_FORMS], *two[CT_FORMS];
	int form, round;

	for (round = 0; round < 4; round++) {
		for (form = 0; form < CT_FORMS; form++)
			one[form] = ct_must(test, ct_derive(form, ctx_background(), GFP_KERNEL));
		KUNIT_EXPECT_EQ(test, debug(round % 2 ? '1' : '0'), 0);
		for (form = 0; form < CT_FORMS; form++) {
			two[form] = ct_must(test, ct_derive(form, one[form], GFP_ATOMIC));
			ctx_cancel(one[form]);
			ctx_put(one[form]);
		}
		KUNIT_EXPECT_EQ(test, debug(round % 2 ? '0' : '1'), 0);
		for (form = 0; form < CT_FORMS; form++)
			ctx_put(two[form]);
		KUNIT_EXPECT_EQ(test, debug(round % 2 ? '0' : '1'), 0);
	}
	ctx_barrier();
	KUNIT_EXPECT_EQ(test, debug('x'), -EIO);
}

static int toggle_fn(void *arg)
{
	return debug(arg ? '1' : '0');
}

static void debug_races_with_derivations(struct kunit *test)
{
	struct ct_partner partner;
	int round, i;

	ct_partner_start(test, &partner, toggle_fn);
	for (round = 0; round < ct_times(60); round++) {
		ct_partner_go(&partner, round % 2 ? test : NULL);
		for (i = 0; i < 50; i++) {
			struct ctx *c = ct_hour(test, ctx_background());
			struct ctx *v = ct_value(test, c, test, test);

			ctx_cancel(c);
			ctx_put(v);
			ctx_put(c);
		}
		KUNIT_EXPECT_EQ(test, ct_partner_wait(test, &partner), 0);
	}
	ct_partner_stop(test, &partner);
}

static struct kunit_case debug_cases[] = {
	KUNIT_CASE(debug_reports_callbacks),
	KUNIT_CASE(debug_reports_waits_that_cannot_end),
	KUNIT_CASE(debug_can_be_switched_at_any_time),
	KUNIT_CASE(debug_races_with_derivations),
	{ }
};

static struct kunit_suite debug_suite = {
	.name = "ctx_debug",
	.init = debug_init,
	.exit = debug_exit,
	.test_cases = debug_cases,
};

kunit_test_suite(debug_suite);
