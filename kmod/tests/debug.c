// SPDX-License-Identifier: GPL-2.0
/* What debug=1 reports, as it stands in the kernel's log. */
#include <linux/fs.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/seq_file.h>
#include <linux/string.h>
#include <linux/uio.h>

#include "test.h"

static struct file *parameter;

static int debug_open(struct kunit_suite *suite)
{
	parameter = ct_open_in("sysfs", "module/ctx/parameters/debug", O_WRONLY);
	return PTR_ERR_OR_ZERO(parameter);
}

static void debug_close(struct kunit_suite *suite)
{
	if (!IS_ERR_OR_NULL(parameter))
		filp_close(parameter, NULL);
}

static int debug(char on)
{
	loff_t pos = 0;

	return kernel_write(parameter, &on, 1, &pos) == 1 ? 0 : -EIO;
}

static char listed[SZ_64K];

/* What debugfs says of contexts that are there. Does not sleep, if nobody else asks. */
static void list(struct kunit *test, struct file *file)
{
	struct kiocb kiocb;
	struct iov_iter to;
	struct kvec vec;
	size_t len = 0;
	ssize_t got;

	init_sync_kiocb(&kiocb, file);
	do {
		vec.iov_base = listed + len;
		vec.iov_len = sizeof(listed) - 1 - len;
		iov_iter_kvec(&to, ITER_DEST, &vec, 1, vec.iov_len);
		got = seq_read_iter(&kiocb, &to);
		len += max_t(ssize_t, got, 0);
	} while (got > 0);
	KUNIT_EXPECT_EQ(test, got, 0);
	listed[len] = '\0';
}

static struct file *open_list(struct kunit *test)
{
	struct file *file = ct_open_in("debugfs", "ctx/derived", O_RDONLY);

	if (IS_ERR(file))
		kunit_skip(test, "this kernel has no debugfs");
	return file;
}

/* How many lines of that have each of these in them. */
static int count_listed(const char *state, const char *kind, const char *place)
{
	char *line, *next = listed;
	int count = 0;

	while ((line = strsep(&next, "\n")))
		count += strstr(line, state) && strstr(line, kind) && strstr(line, place);
	return count;
}

/* Contexts with this, or what it calls and may become part of it, as their place. */
static noinline struct ctx *listed_derive(struct kunit *test, enum ct_form form, struct ctx *parent)
{
	struct ctx *ctx = ct_derive(form, parent, GFP_KERNEL | __GFP_NOWARN);

	KUNIT_EXPECT_NOT_NULL(test, ctx);
	return ctx;
}

static int count_derived(void)
{
	return count_listed("", "", "_derive+");
}

/* It may have been on from the start: what was reported before is forgotten. */
static int debug_init(struct kunit *test)
{
	debug('0');
	return debug('1');
}

static void debug_exit(struct kunit *test)
{
#ifdef CONFIG_FAULT_INJECTION
	ct_fail_over(test);
#endif
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

static void put_in_irq(void *ctx)
{
	ctx_put(ctx);
}

static void call(struct kunit *test, void (*fn)(struct ctx *ctx, struct ctx_callback *cb),
		 bool irq)
{
	struct ctx *c = ct_cancel(test, ctx_background());
	struct ctx_callback *cb = kzalloc(sizeof(*cb), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, cb);
	KUNIT_EXPECT_EQ(test, ctx_callback_add(c, cb, fn), 0);
	if (irq) {
		ct_in_hardirq(cancel_in_irq, c);
		ct_let_worker_end(c);
	} else {
		/* Nobody takes the CPU from a callback: that one would not be judged. */
		sched_set_fifo(current);
		ctx_cancel(c);
		sched_set_normal(current, 0);
	}
	ctx_put(c);
	if (fn != freeing_fn)
		kfree(cb);
}

/* Each once, however often. */
static void debug_reports_callbacks(struct kunit *test)
{
	const char *slept = IS_ENABLED(CONFIG_PREEMPT_RT) ? " took " : " slept, and took ";
	int round;

	for (round = 1; round <= 3; round++) {
		call(test, sleeping_fn, false);
		call(test, slow_fn, false);
		call(test, slow_in_irq_fn, true);
		call(test, freeing_fn, false);
		KUNIT_EXPECT_EQ(test, ct_said("ctx: callback sleeping_fn", slept), 1);
		KUNIT_EXPECT_EQ(test, ct_said("ctx: callback slow_fn", " took "), 1);
		KUNIT_EXPECT_EQ(test, ct_said("ctx: callback slow_in_irq_fn", " took "), 1);
		KUNIT_EXPECT_EQ(test, ct_said("ctx: callback freeing_fn", " took "), 1);
		KUNIT_EXPECT_EQ(test, ct_said("ctx: callback slow_", " slept"), 0);
	}
	/* Switched off and on again, it is as new; while it is off it says nothing. */
	KUNIT_EXPECT_EQ(test, debug('0'), 0);
	call(test, slow_fn, false);
	KUNIT_EXPECT_EQ(test, ct_said("ctx: callback slow_fn", " took "), 1);
	KUNIT_EXPECT_EQ(test, debug('1'), 0);
	call(test, slow_fn, false);
	KUNIT_EXPECT_EQ(test, ct_said("ctx: callback slow_fn", " took "), 2);
}

static u64 many_ns;

/* Functions that differ by where they are. */
#define MANY(n)								\
static void many_##n(struct ctx *ctx, struct ctx_callback *cb)		\
{									\
	ct_busy_ns(many_ns);						\
}

MANY(00) MANY(01) MANY(02) MANY(03) MANY(04) MANY(05) MANY(06) MANY(07) MANY(08) MANY(09)
MANY(10) MANY(11) MANY(12) MANY(13) MANY(14) MANY(15) MANY(16) MANY(17) MANY(18) MANY(19)
MANY(20) MANY(21) MANY(22) MANY(23) MANY(24) MANY(25) MANY(26) MANY(27) MANY(28) MANY(29)
MANY(30) MANY(31) MANY(32) MANY(33) MANY(34) MANY(35) MANY(36) MANY(37) MANY(38) MANY(39)
MANY(40) MANY(41) MANY(42) MANY(43) MANY(44) MANY(45) MANY(46) MANY(47) MANY(48) MANY(49)
MANY(50) MANY(51) MANY(52) MANY(53) MANY(54) MANY(55) MANY(56) MANY(57) MANY(58) MANY(59)
MANY(60) MANY(61) MANY(62) MANY(63) MANY(64) MANY(65) MANY(66) MANY(67) MANY(68) MANY(69)

static void (* const many[])(struct ctx *ctx, struct ctx_callback *cb) = {
	many_00, many_01, many_02, many_03, many_04, many_05, many_06, many_07, many_08, many_09,
	many_10, many_11, many_12, many_13, many_14, many_15, many_16, many_17, many_18, many_19,
	many_20, many_21, many_22, many_23, many_24, many_25, many_26, many_27, many_28, many_29,
	many_30, many_31, many_32, many_33, many_34, many_35, many_36, many_37, many_38, many_39,
	many_40, many_41, many_42, many_43, many_44, many_45, many_46, many_47, many_48, many_49,
	many_50, many_51, many_52, many_53, many_54, many_55, many_56, many_57, many_58, many_59,
	many_60, many_61, many_62, many_63, many_64, many_65, many_66, many_67, many_68, many_69,
};

/* How many of them are reported. */
static int call_many(struct kunit *test, u64 ns)
{
	int before = ct_said("ctx: callback many_", " took "), i;

	many_ns = ns;
	for (i = 0; i < ARRAY_SIZE(many); i++)
		call(test, many[i], false);
	return ct_said("ctx: callback many_", " took ") - before;
}

static void debug_reports_so_many_and_no_more(struct kunit *test)
{
	/* Some may have been held up by something else, but not so many. */
	KUNIT_EXPECT_LT(test, call_many(test, 0), 64);
	KUNIT_EXPECT_EQ(test, debug('0'), 0);
	KUNIT_EXPECT_EQ(test, debug('1'), 0);
	KUNIT_EXPECT_EQ(test, call_many(test, 150 * NSEC_PER_USEC), 64);
	KUNIT_EXPECT_EQ(test, call_many(test, 150 * NSEC_PER_USEC), 0);
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

/* Without an end, though it could have one. */
static int timeout_fn(void *arg)
{
	struct waiter *waiter = arg;

	begin(waiter);
	return end(ctx_wait_timeout_interruptible(waiter->ctx, KTIME_MAX));
}

static int sleep_fn(void *arg)
{
	struct waiter *waiter = arg;

	begin(waiter);
	return end(ctx_sleep_killable(waiter->ctx, KTIME_MAX - 1));
}

static int a_year_fn(void *arg)
{
	struct waiter *waiter = arg;

	begin(waiter);
	return end(ctx_sleep_interruptible(waiter->ctx, ktime_set(365 * 24 * 3600, 0)));
}

static int timeout_on_live_fn(void *arg)
{
	struct waiter *waiter = arg;

	begin(waiter);
	return end(ctx_wait_timeout(waiter->ctx, KTIME_MAX));
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
		KUNIT_EXPECT_EQ(test, ct_said("ctx: interruptible_fn", "never done"), 1);
		KUNIT_EXPECT_EQ(test, ct_said("ctx: killable_fn", "never done"), 1);
		KUNIT_EXPECT_EQ(test, waited(test, timeout_fn, w, SIGUSR1), -ERESTARTSYS);
		KUNIT_EXPECT_EQ(test, waited(test, sleep_fn, ctx_todo(), SIGKILL), -ERESTARTSYS);
		KUNIT_EXPECT_EQ(test, ct_said("ctx: timeout_fn", "never done"), 1);
		KUNIT_EXPECT_EQ(test, ct_said("ctx: sleep_fn", "never done"), 1);
	}
	KUNIT_EXPECT_EQ(test, waited(test, a_year_fn, w, SIGUSR1), -ERESTARTSYS);
	KUNIT_EXPECT_EQ(test, waited(test, timeout_on_live_fn, c, 0), -ECANCELED);
	KUNIT_EXPECT_EQ(test, waited(test, on_live_fn, c, 0), -ECANCELED);
	KUNIT_EXPECT_EQ(test, a_while_fn(), 0);
	KUNIT_EXPECT_EQ(test, ct_said("ctx: a_year_fn", "never done"), 0);
	KUNIT_EXPECT_EQ(test, ct_said("ctx: timeout_on_live_fn", "never done"), 0);
	KUNIT_EXPECT_EQ(test, ct_said("ctx: on_live_fn", "never done"), 0);
	KUNIT_EXPECT_EQ(test, ct_said("ctx: a_while_fn", "never done"), 0);
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

/* By a hard interrupt: the one that was put, and 32 generations above it; or none (S18). */
#define RELEASED_AT_ONCE	(IS_ENABLED(CONFIG_PREEMPT_RT) ? 0 : 33)

/*
 * One whose release is left to a worker is listed until then, as what it was. The
 * worker has this CPU, but not while somebody more urgent keeps it.
 */
static void debug_lists_what_waits_to_be_released(struct kunit *test)
{
	static const struct {
		enum ct_form form;
		const char *kind, *state;
	} those[] = {
		{ CT_CANCEL, " with_cancel ", " cancelled " },
		{ CT_DEADLINE, " with_deadline ", " cancelled " },
		{ CT_VALUE, " with_value ", " cancelled " },
		{ CT_WITHOUT, " without_cancel ", " live " },
	};
	struct file *file = open_list(test);
	int i, n;

	set_cpus_allowed_ptr(current, cpumask_of(0));
	sched_set_fifo(current);
	for (i = 0; i < ARRAY_SIZE(those); i++) {
		struct ctx *p = ct_cancel(test, ctx_background());
		struct ctx *c = ct_must(test, listed_derive(test, those[i].form, p)), *above;

		for (n = 0; n < RELEASED_AT_ONCE; n++) {
			above = c;
			c = ct_cancel(test, above);
			ctx_put(above);
		}
		ctx_cancel(p);
		ct_in_hardirq(put_in_irq, c);
		list(test, file);
		KUNIT_EXPECT_EQ_MSG(test, 1,
				    count_listed(those[i].state, those[i].kind, "_derive+"),
				    "%s", those[i].kind);
		ctx_put(p);
		ctx_barrier();
		list(test, file);
		KUNIT_EXPECT_EQ(test, count_derived(), 0);
	}
	sched_set_normal(current, 0);
	set_cpus_allowed_ptr(current, cpu_possible_mask);
	filp_close(file, NULL);
}

static int until_done_fn(struct ctx *ctx, void *data)
{
	return ctx_wait(ctx);
}

/* What is derived for somebody is his. */
static void debug_names_who_had_it_derived(struct kunit *test)
{
	struct file *file = open_list(test);
	struct ctx_group *group = ctx_group_create(ctx_background(), GFP_KERNEL);
	struct ctx_thread *thread = ctx_thread_run(ctx_background(), until_done_fn, NULL, "his");

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, group);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, thread);
	list(test, file);
	KUNIT_EXPECT_EQ(test, 2, count_listed(" live ", " with_cancel ", __func__));
	KUNIT_EXPECT_EQ(test, ctx_thread_stop(thread), -ECANCELED);
	ctx_group_put(group);
	filp_close(file, NULL);
}

/* What goes while it is switched off is not looked at any more. */
static void debug_lists_while_it_is_switched_off(struct kunit *test)
{
	struct file *file = open_list(test);
	struct ct_partner partner;
	struct ctx *c[50];
	int round, i;

	ct_partner_start(test, &partner, toggle_fn);
	for (round = 0; round < ct_times(30); round++) {
		KUNIT_ASSERT_EQ(test, debug('1'), 0);
		for (i = 0; i < ARRAY_SIZE(c); i++)
			c[i] = ct_must(test, listed_derive(test, i % CT_FORMS, ctx_background()));
		list(test, file);
		KUNIT_EXPECT_EQ(test, count_derived(), (int)ARRAY_SIZE(c));
		ct_partner_go(&partner, NULL);
		for (i = 0; i < ARRAY_SIZE(c); i++) {
			ctx_put(c[i]);
			list(test, file);
			KUNIT_EXPECT_LE(test, count_derived(), (int)ARRAY_SIZE(c));
		}
		KUNIT_EXPECT_EQ(test, ct_partner_wait(test, &partner), 0);
		list(test, file);
		KUNIT_EXPECT_EQ(test, count_derived(), 0);
	}
	ct_partner_stop(test, &partner);
	filp_close(file, NULL);
}

#ifdef CONFIG_FAULT_INJECTION
/* Whether it was derived and not noted, when the @nth allocation failed; *@left: none did. */
static bool derive_unnoted(struct kunit *test, struct file *file, int form, unsigned int nth,
			   unsigned int *left)
{
	unsigned int noted;
	struct ctx *c;

	ct_fail_from(nth);
	c = listed_derive(test, form, ctx_background());
	*left = ct_fail_end();
	list(test, file);
	noted = count_listed(" live ", "", "_derive+");
	KUNIT_EXPECT_LE(test, noted, IS_ERR(c) ? 0U : 1U);
	if (IS_ERR(c))
		return false;
	if (*left)
		KUNIT_EXPECT_EQ(test, noted, 1U);
	ct_expect_live(test, c);
	ctx_cancel(c);
	ctx_put(c);
	ctx_barrier();
	return !noted;
}

/*
 * What cannot be noted is as good as any other, and not listed. The allocator may, or may
 * not, allocate something for itself first: so what fails is not the same each time.
 */
static void debug_without_memory(struct kunit *test)
{
	struct file *file = open_list(test);
	unsigned int nth, left;
	int form, tries;
	bool lost;

	ct_fail_begin(test);
	for (form = 0; form < CT_FORMS; form++) {
		lost = false;
		for (tries = 0, nth = 1; tries < 100 && !(lost && left); tries++) {
			lost |= derive_unnoted(test, file, form, nth, &left);
			nth = left ? 1 : nth + 1;
		}
		KUNIT_EXPECT_TRUE(test, lost && left);
	}
	filp_close(file, NULL);
}
#endif

static struct kunit_case debug_cases[] = {
	KUNIT_CASE(debug_reports_callbacks),
	KUNIT_CASE(debug_reports_so_many_and_no_more),
	KUNIT_CASE(debug_reports_waits_that_cannot_end),
	KUNIT_CASE(debug_can_be_switched_at_any_time),
	KUNIT_CASE(debug_races_with_derivations),
	KUNIT_CASE(debug_names_who_had_it_derived),
	KUNIT_CASE(debug_lists_what_waits_to_be_released),
	KUNIT_CASE(debug_lists_while_it_is_switched_off),
#ifdef CONFIG_FAULT_INJECTION
	KUNIT_CASE(debug_without_memory),
#endif
	{ }
};

static struct kunit_suite debug_suite = {
	.name = "ctx_debug",
	.suite_init = debug_open,
	.suite_exit = debug_close,
	.init = debug_init,
	.exit = debug_exit,
	.test_cases = debug_cases,
};

kunit_test_suite(debug_suite);
