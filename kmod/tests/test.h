/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the suites share. Tests use the public interface only, as any module
 * would, and never sleep to let something happen: they wait for it, and PATIENCE
 * only turns what would hang into a failure.
 */
#ifndef _CTX_TEST_H
#define _CTX_TEST_H

#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/ctx.h>
#include <linux/delay.h>
#include <linux/hrtimer.h>
#include <linux/ktime.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/wait.h>

#include "../compat.h"

#define PATIENCE_MS	100000
#define PATIENCE	msecs_to_jiffies(PATIENCE_MS)

/* us_to_ktime() is younger than some of the kernels. */
static inline ktime_t ct_us(u64 us)
{
	return ns_to_ktime(us * NSEC_PER_USEC);
}

/* How often to repeat what is a matter of luck, on this kernel. */
static inline int ct_times(int n)
{
	return IS_ENABLED(CONFIG_KASAN) ? DIV_ROUND_UP(n, 10) : n;
}

extern unsigned int ct_big;
extern unsigned int ct_rounds;
extern unsigned int ct_stress_seconds;

/* Derivations: each returns a context or ends the test. */
enum ct_form {
	CT_CANCEL,
	CT_DEADLINE,
	CT_DEADLINE_CAUSE,
	CT_TIMEOUT,
	CT_TIMEOUT_CAUSE,
	CT_VALUE,
	CT_WITHOUT,
	CT_FORMS
};

extern const char * const ct_form_names[CT_FORMS];

/* One of the seven derivations, with a deadline an hour away; may fail. */
struct ctx *ct_derive(enum ct_form form, struct ctx *parent, gfp_t gfp);
bool ct_is_scope(enum ct_form form);

struct ctx *ct_must(struct kunit *test, struct ctx *ctx);
struct ctx *ct_cancel(struct kunit *test, struct ctx *parent);
struct ctx *ct_hour(struct kunit *test, struct ctx *parent);
struct ctx *ct_timeout_ms(struct kunit *test, struct ctx *parent, unsigned int ms);
struct ctx *ct_value(struct kunit *test, struct ctx *parent, const void *key, void *value);
struct ctx *ct_without(struct kunit *test, struct ctx *parent);

/* Waits. */
void ct_wait_done(struct kunit *test, struct ctx *ctx, int err);
void ct_wait_for(struct kunit *test, struct completion *completion);

/*
 * Whether it can let others have the CPU here. Where the kernel does not count what
 * is in the way of that, RCU's read lock is not seen: see ct_hold_until().
 */
static inline bool ct_may_yield(void)
{
	if (IS_ENABLED(CONFIG_PREEMPT_COUNT))
		return preemptible() && !rcu_preempt_depth();
	return !in_interrupt() && !irqs_disabled();
}

/* The only CPU is given up at once, not at the end of a time slice. */
static inline void ct_yield(void)
{
	if (num_online_cpus() > 1)
		cond_resched();
	else
		usleep_range(1, 10);
}

#define __ct_spin_until(condition, may_yield)					\
({										\
	ktime_t __end = ktime_add_ms(ktime_get(), PATIENCE_MS);			\
	bool __met;								\
										\
	while (!(__met = (condition)) && ktime_before(ktime_get(), __end)) {	\
		cpu_relax();							\
		if (may_yield)							\
			ct_yield();						\
	}									\
	__met;									\
})

/* In any context; where it may, it lets others have the CPU. */
#define ct_spin_until(condition)	__ct_spin_until(condition, ct_may_yield())

/* It keeps the CPU whatever happens: what it waits for has another one. */
#define ct_hold_until(condition)	__ct_spin_until(condition, false)

/* As ct_spin_until(), for what takes longer, where it may sleep. */
#define ct_poll_until(condition)						\
({										\
	ktime_t __end = ktime_add_ms(ktime_get(), PATIENCE_MS);			\
	bool __met;								\
										\
	while (!(__met = (condition)) && ktime_before(ktime_get(), __end))	\
		usleep_range(50, 100);						\
	__met;									\
})

/* Keep the CPU busy for so long, in any context. */
void ct_busy_ns(u64 ns);
void ct_busy_ms(unsigned int ms);

/*
 * @ctx was cancelled in truly atomic context: with PREEMPT_RT, a worker does all but that.
 * Elsewhere it is over already, or what is left is left by the budget of S19.
 */
static inline void ct_let_worker_end(struct ctx *ctx)
{
	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		ctx_cancel_sync(ctx);
}

/* Whether a context is live or done in every way it can be asked. */
void ct_expect_live(struct kunit *test, struct ctx *ctx);
void ct_expect_done(struct kunit *test, struct ctx *ctx, int err, int cause);

/* Where code runs. */
enum ct_where {
	CT_NOWHERE,
	CT_HARDIRQ,
	CT_SOFTIRQ,
	CT_WORKER,
	CT_TASK
};

enum ct_where ct_where(void);
/* How much of its stack the current task has used so far. */
unsigned long ct_stack_used(void);
/* Nothing in the way of sleeping that this kernel keeps count of. */
bool ct_may_sleep(void);

/* Runs fn(arg) in hard or soft interrupt context and waits for it. */
void ct_in_hardirq(void (*fn)(void *arg), void *arg);
/* The same where a driver's handler runs, and may take spinlocks: with PREEMPT_RT, a thread. */
void ct_in_handler(void (*fn)(void *arg), void *arg);
void ct_in_softirq(void (*fn)(void *arg), void *arg);

/*
 * Detaches @source in a handler or a soft interrupt, after first(arg) unless @first is
 * NULL. The storage is overwritten afterwards. Returns what ctx_source_detach() does.
 */
bool ct_detach_in(struct kunit *test, enum ct_where where, struct ctx_source *source,
		  void (*first)(void *arg), void *arg);

/* The waits, each form behind one signature; without _interruptible it is CT_PLAIN. */
enum { CT_PLAIN, CT_INTERRUPTIBLE, CT_KILLABLE, CT_STATES };

#define CT_WAITS	(5 * CT_STATES)

extern const char * const ct_wait_names[CT_WAITS];

struct ct_waiting {
	struct ctx *ctx;
	wait_queue_head_t wq;
	bool condition;
	struct completion completion;
	ktime_t late;		/* does not come, unless the test says so */
	int form;
};

static inline bool ct_wait_has_time(int form)
{
	return form >= 3 && form < 9;
}

static inline bool ct_wait_has_condition(int form)
{
	return form >= 9;
}

void ct_waiting_init(struct ct_waiting *w, struct ctx *ctx, int form);
int ct_wait_by(struct ct_waiting *w);
/* The same for a thread, which is to come back in a state for running, or gets 1. */
int ct_waiting_fn(void *w);

/* A callback that remembers how it was called. */
struct ct_probe {
	struct ctx_callback cb;
	atomic_t runs;
	struct ctx *ctx;
	struct task_struct *task;
	enum ct_where where;
	ktime_t time;
	int err;
	int cause;
	struct completion ran;
};

void ct_probe_init(struct ct_probe *probe);
void ct_probe_fn(struct ctx *ctx, struct ctx_callback *cb);
void ct_probe_add(struct kunit *test, struct ct_probe *probe, struct ctx *ctx);

/* A value that remembers its release, and so the end of its context. */
struct ct_token {
	atomic_t released;
	enum ct_where where;
	struct completion freed;
};

extern const int ct_token_key;

void ct_token_init(struct ct_token *token);
void ct_token_release(void *value);
struct ctx *ct_token_ctx(struct kunit *test, struct ct_token *token, struct ctx *parent);
/* Waits for the release, without which the test fails, and sees it done once. */
void ct_token_gone(struct kunit *test, struct ct_token *token);

/* A thread of the test's own. */
struct ct_helper {
	struct task_struct *task;
	int (*fn)(void *arg);
	void *arg;
	int ret;
	struct completion ended;
};

void ct_helper_start(struct kunit *test, struct ct_helper *helper, int (*fn)(void *arg),
		     void *arg);
/* The same, on CPU number @cpu, counted round. */
void ct_helper_start_on(struct kunit *test, struct ct_helper *helper, int (*fn)(void *arg),
			void *arg, unsigned int cpu);
int ct_helper_join(struct kunit *test, struct ct_helper *helper);
/* Until the thread sleeps, or has ended. */
bool ct_helper_blocked(struct ct_helper *helper);

/* How long look-ups take, in the best of some turns. */
u64 ct_value_ns(struct ctx *c, const void *key);

/*
 * A thread on CPU 1 that does the same thing again and again, each time together
 * with what the test does meanwhile on CPU 0: much closer in time than a thread
 * that has to be started.
 */
struct ct_partner {
	struct ct_helper helper;
	int (*fn)(void *arg);
	void *arg;
	int ret;
	atomic_t asked;
	atomic_t answered;
	atomic_t stop;
};

void ct_partner_start(struct kunit *test, struct ct_partner *partner, int (*fn)(void *arg));
void ct_partner_go(struct ct_partner *partner, void *arg);
int ct_partner_wait(struct kunit *test, struct ct_partner *partner);
void ct_partner_stop(struct kunit *test, struct ct_partner *partner);

/* How many lines of the kernel's log have @what and then @who in them. */
int ct_said(const char *what, const char *who);

/*
 * Opens a file of a file system, mounted or not: kernel threads need not see what is,
 * and nothing is when suites run that are built into the kernel.
 */
struct file *ct_open_in(const char *fs, const char *name, int flags);

/*
 * Between the first two any allocation may be made to fail, quietly: the nth of the
 * current task from the third on. The fourth ends that, and gives what is left of n.
 */
void ct_fail_begin(struct kunit *test);
void ct_fail_over(struct kunit *test);
void ct_fail_from(unsigned int nth);
unsigned int ct_fail_end(void);

/* Cases that take more than a second; older kernels do not ask. */
#ifndef KUNIT_CASE_SLOW
#define KUNIT_CASE_SLOW KUNIT_CASE
#endif

#endif /* _CTX_TEST_H */
