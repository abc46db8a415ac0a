// SPDX-License-Identifier: GPL-2.0
/*
 * Deadlines: a scope with an hrtimer of its own, armed only where it can be the
 * first to run out.
 *
 * The timer holds no reference. It is started before the scope is listed with
 * its home, so that nobody can end the scope before there is a timer to disarm;
 * going off that early it publishes first, and is then not listed. Dropping the
 * last reference disarms it.
 *
 * In the kernel deadlines are on CLOCK_MONOTONIC, where a child's timer is never
 * needed when the parent's is not later. What processes make may run on other
 * clocks, which can be set: only timers on the same clock are compared for good,
 * and CTX_F_CLOCKS tells that there are others further out (S8).
 */
#include <linux/ktime.h>
#include <linux/overflow.h>

#include "internal.h"

enum ctx_fate {
	CTX_FATE_PLAIN,		/* no deadline of its own takes effect */
	CTX_FATE_ARMED,
	CTX_FATE_PASSED,
};

/*
 * On PREEMPT_RT, timers that do not insist on it wait for a thread to be scheduled. So
 * whoever keeps the CPU from that thread, and asks whether his time is up, would never
 * see it. In the interrupt only raw locks are taken then, which elsewhere callbacks need
 * not heed: see ctx_must_defer().
 */
#define CTX_TIMER_MODE	(IS_ENABLED(CONFIG_PREEMPT_RT) ? HRTIMER_MODE_ABS_HARD : HRTIMER_MODE_ABS)

static struct kmem_cache *ctx_deadline_cache;

ktime_t ctx_clock_now(clockid_t clock)
{
	switch (clock) {
	case CLOCK_REALTIME:
		return ktime_get_real();
	case CLOCK_BOOTTIME:
		return ktime_get_boottime();
	default:
		return ktime_get();
	}
}

static clockid_t ctx_deadline_clock(const struct ctx_deadline *d)
{
	if (d->scope.node.kind & CTX_F_REALTIME)
		return CLOCK_REALTIME;
	return d->scope.node.kind & CTX_F_BOOTTIME ? CLOCK_BOOTTIME : CLOCK_MONOTONIC;
}

static u8 ctx_clock_flag(clockid_t clock)
{
	if (clock == CLOCK_REALTIME)
		return CTX_F_REALTIME;
	return clock == CLOCK_BOOTTIME ? CTX_F_BOOTTIME : 0;
}

/* When @d runs out, in CLOCK_MONOTONIC as its clock stands now. */
static ktime_t ctx_deadline_time(const struct ctx_deadline *d)
{
	clockid_t clock = ctx_deadline_clock(d);
	ktime_t expires = hrtimer_get_softexpires(&d->timer);

	if (clock == CLOCK_REALTIME)
		return ktime_sub(expires, ktime_mono_to_any(0, TK_OFFS_REAL));
	if (clock == CLOCK_BOOTTIME)
		return ktime_sub(expires, ktime_mono_to_any(0, TK_OFFS_BOOT));
	return expires;
}

/* The next timer outside of @d that may be earlier, as clocks differ. */
static struct ctx_deadline *ctx_deadline_outer(const struct ctx_deadline *d)
{
	return d->scope.node.kind & CTX_F_CLOCKS ? ctx_home(&d->scope)->timed : NULL;
}

/* The timer that will end @scope first, or NULL. */
static struct ctx_deadline *ctx_first_deadline(const struct ctx_scope *scope)
{
	struct ctx_deadline *first = scope->timed, *d = first;

	while (d) {
		if (ctx_deadline_time(d) <= ctx_deadline_time(first))
			first = d;
		d = ctx_deadline_outer(d);
	}
	return first;
}

ktime_t ctx_effective_deadline(const struct ctx_scope *scope)
{
	const struct ctx_deadline *d = ctx_first_deadline(scope);

	return d ? ctx_deadline_time(d) : CTX_NEVER;
}

/**
 * ctx_deadline - say when a context will be done at the latest
 * @ctx: the context; the caller holds a reference
 * @deadline: where to put the time, in ns of CLOCK_MONOTONIC; may be NULL
 *
 * The earliest deadline of @ctx and what is above it (S8). It stays the same
 * when @ctx is done.
 *
 * Ordering: none. That the time has passed does not mean that @ctx is seen done: ctx_err() does.
 *
 * Context: Any but NMI (S18).
 * Return: whether there is one; @deadline is untouched otherwise.
 */
bool ctx_deadline(const struct ctx *ctx, ktime_t *deadline)
{
	ktime_t time = ctx_effective_deadline(ctx_scope(ctx));

	if (time == CTX_NEVER)
		return false;
	if (deadline)
		*deadline = time;
	return true;
}
EXPORT_SYMBOL_GPL(ctx_deadline);

static const struct ctx_by ctx_by_timer = {
	.err = -ETIMEDOUT,
	.who = "timer",
};

static enum hrtimer_restart ctx_deadline_expire(struct hrtimer *timer)
{
	struct ctx_deadline *d = container_of(timer, struct ctx_deadline, timer);
	ktime_t since = ctx_irqsoff_begin();

	ctx_torture_point();
	/* Being released: the memory is there until this interrupt is over. */
	if (refcount_inc_not_zero(&d->scope.node.ref)) {
		ctx_cancel_scope(&d->scope, &ctx_by_timer, CTX_CANCEL_BUDGET);
		ctx_put(&d->scope.node);
	}
	ctx_irqsoff_end(since, true);
	return HRTIMER_NORESTART;
}

/* Returns false if the timer is just running, in which case it finds out itself. */
bool ctx_deadline_disarm(struct ctx_deadline *d)
{
	return hrtimer_try_to_cancel(&d->timer) >= 0;
}

/* Whether a timer that stands for @home runs out no later than @when. */
static bool ctx_deadline_covered(const struct ctx_scope *home, struct ctx_when when)
{
	const struct ctx_deadline *d = home->timed;

	while (d) {
		if (ctx_deadline_clock(d) == when.clock &&
		    hrtimer_get_softexpires(&d->timer) <= when.time)
			return true;
		d = ctx_deadline_outer(d);
	}
	return false;
}

/*
 * An inherited deadline that has passed, whose interrupt is still to come, is
 * brought into effect first, as @mode says, unless that is just happening
 * elsewhere (S8). Returns whether @when cannot take effect before it.
 */
static noinline bool ctx_deadline_inherit(struct ctx *parent, struct ctx_when when,
					  enum ctx_cancel_mode mode)
{
	struct ctx_scope *home = ctx_scope(parent);
	struct ctx_deadline *first = ctx_first_deadline(home);

	if (!ctx_err(parent) && ctx_deadline_time(first) <= ktime_get())
		ctx_cancel_scope(&first->scope, &ctx_by_timer, mode);
	return ctx_deadline_covered(home, when);
}

/* What becomes of a deadline under @parent, @now being the time on its clock. */
static __always_inline enum ctx_fate ctx_deadline_plan(struct ctx *parent, struct ctx_when when,
						       ktime_t now, enum ctx_cancel_mode mode)
{
	if (ctx_scope(parent)->timed && ctx_deadline_inherit(parent, when, mode))
		return CTX_FATE_PLAIN;
	if (unlikely(when.time == CTX_NEVER))
		return CTX_FATE_PLAIN;
	return when.time <= now ? CTX_FATE_PASSED : CTX_FATE_ARMED;
}

static __always_inline u8 ctx_deadline_kind(const struct ctx_deadline *outer, clockid_t clock)
{
	u8 kind = CTX_F_TIMER | ctx_clock_flag(clock);

	if (outer && (outer->scope.node.kind & CTX_F_CLOCKS || ctx_deadline_clock(outer) != clock))
		kind |= CTX_F_CLOCKS;
	return kind;
}

/*
 * Begins a context that has a timer; @fate is not CTX_FATE_PLAIN. Timers that
 * were constructed for @mode on CLOCK_MONOTONIC may be started again and again,
 * which saves 80 instructions, but not under debugobjects' eyes.
 */
static __always_inline void ctx_deadline_begin(struct ctx_deadline *d, struct ctx *parent,
					       struct ctx_when when, enum ctx_fate fate,
					       enum hrtimer_mode mode, u8 kind, gfp_t gfp)
{
	struct ctx_nest *nest;

	kind |= ctx_deadline_kind(ctx_scope(parent)->timed, when.clock);
	nest = ctx_scope_init(&d->scope, parent, kind);
	d->scope.timed = d;
	d->scope.state.cause = when.cause;
	if (kind & CTX_F_USER || IS_ENABLED(CONFIG_DEBUG_OBJECTS_TIMERS))
		hrtimer_setup(&d->timer, ctx_deadline_expire, when.clock, mode);
	hrtimer_set_expires(&d->timer, when.time);
	ctx_note_derive(&d->scope.node);

	if (unlikely(fate == CTX_FATE_PASSED) && !ctx_err(parent))
		ctx_born_ended(&d->scope, &ctx_by_timer);
	else if (likely(!ctx_err(parent)))
		hrtimer_start_expires(&d->timer, mode);
	ctx_scope_start(&d->scope, nest, gfp);
}

/*
 * What a process made: @d is embedded in it, and comes into being only if the
 * deadline takes effect. Returns whether it did.
 */
bool ctx_deadline_start_user(struct ctx_deadline *d, struct ctx *parent,
			     const struct ctx_when *when, u8 kind)
{
	enum ctx_fate fate = ctx_deadline_plan(parent, *when, ctx_clock_now(when->clock),
					       CTX_CANCEL_YIELDING);

	if (fate == CTX_FATE_PLAIN)
		return false;
	/* In softirq, where a big tree keeps no interrupt waiting (S19). */
	ctx_deadline_begin(d, parent, *when, fate, HRTIMER_MODE_ABS_SOFT, kind | CTX_F_USER,
			   GFP_KERNEL_ACCOUNT);
	return true;
}

static __always_inline struct ctx *ctx_derive_deadline(struct ctx *parent, ktime_t time,
						       ktime_t now, int cause, gfp_t gfp)
{
	const struct ctx_when when = { .time = time, .clock = CLOCK_MONOTONIC, .cause = cause };
	enum ctx_fate fate;
	struct ctx_deadline *d;

	if (IS_ERR(parent))
		return parent;
	if (!parent || !ctx_cause_valid(cause))
		return ERR_PTR(-EINVAL);
	fate = ctx_deadline_plan(parent, when, now, CTX_CANCEL_HERE);
	if (fate == CTX_FATE_PLAIN)
		return ctx_derive_scope(parent, time == CTX_NEVER ? CTX_CANCEL : CTX_DEADLINE, gfp,
					_RET_IP_);
	d = kmem_cache_alloc(ctx_deadline_cache, gfp);
	if (!d)
		return ERR_PTR(-ENOMEM);
	ctx_deadline_begin(d, parent, when, fate, CTX_TIMER_MODE, CTX_DEADLINE, gfp);
	return &d->scope.node;
}

/**
 * ctx_with_deadline_cause - derive a context that ends by itself, saying why
 * @parent: what it is derived from; as with ctx_with_cancel()
 * @deadline: when, in ns of CLOCK_MONOTONIC; KTIME_MAX for no deadline; one that has
 *	passed makes it done at birth, unless @parent is done already
 * @cause: what ctx_cause() will say if this deadline ends it: an errno,
 *	-MAX_ERRNO to -1
 * @gfp: how to allocate
 *
 * The earlier of this and the parent's deadline holds; if they are equal, with
 * the parent's cause (S8). It never ends early. When it does, by this, ctx_err()
 * is -ETIMEDOUT; when it is cancelled first the timer is gone at once.
 *
 * Ordering: as with ctx_with_cancel(). A deadline publishes nothing: nobody wrote
 * before it.
 *
 * Context: Any that @gfp allows; on PREEMPT_RT not in atomic context (S18).
 * Return: the context, with one reference for the caller; ERR_PTR(-EINVAL) for
 * a NULL @parent or another @cause; an ERR_PTR @parent; ERR_PTR(-ENOMEM).
 */
struct ctx *ctx_with_deadline_cause(struct ctx *parent, ktime_t deadline, int cause, gfp_t gfp)
{
	return ctx_derive_deadline(parent, deadline, ktime_get(), cause, gfp);
}
EXPORT_SYMBOL_GPL(ctx_with_deadline_cause);

/**
 * ctx_with_deadline - derive a context that ends by itself
 * @parent: what it is derived from; as with ctx_with_cancel()
 * @deadline: when, in ns of CLOCK_MONOTONIC; KTIME_MAX for no deadline
 * @gfp: how to allocate
 *
 * As ctx_with_deadline_cause() with -ETIMEDOUT as the cause (S8).
 *
 * Ordering: as with ctx_with_deadline_cause().
 *
 * Context: As ctx_with_deadline_cause().
 * Return: as ctx_with_deadline_cause().
 */
struct ctx *ctx_with_deadline(struct ctx *parent, ktime_t deadline, gfp_t gfp)
{
	return ctx_derive_deadline(parent, deadline, ktime_get(), -ETIMEDOUT, gfp);
}
EXPORT_SYMBOL_GPL(ctx_with_deadline);

/* Inlined in both: a cause that is known saves 13 instructions of 1335. */
static __always_inline struct ctx *ctx_derive_timeout(struct ctx *parent, ktime_t timeout,
						      int cause, gfp_t gfp)
{
	ktime_t now = ktime_get();
	ktime_t time;

	/* A negative timeout is no further back than now. */
	if (timeout <= 0)
		time = now;
	else if (check_add_overflow(now, timeout, &time))
		time = CTX_NEVER;
	return ctx_derive_deadline(parent, time, now, cause, gfp);
}

/**
 * ctx_with_timeout_cause - derive a context that ends after a time, saying why
 * @parent: what it is derived from; as with ctx_with_cancel()
 * @timeout: the time from now, in ns; 0 or less makes it done at birth; KTIME_MAX, or
 *	what is too long to be counted, is no deadline
 * @cause: as with ctx_with_deadline_cause()
 * @gfp: how to allocate
 *
 * As ctx_with_deadline_cause() otherwise (S8).
 *
 * Ordering: as with ctx_with_deadline_cause().
 *
 * Context: As ctx_with_deadline_cause().
 * Return: as ctx_with_deadline_cause().
 */
struct ctx *ctx_with_timeout_cause(struct ctx *parent, ktime_t timeout, int cause, gfp_t gfp)
{
	return ctx_derive_timeout(parent, timeout, cause, gfp);
}
EXPORT_SYMBOL_GPL(ctx_with_timeout_cause);

/**
 * ctx_with_timeout - derive a context that ends after a time
 * @parent: what it is derived from; as with ctx_with_cancel()
 * @timeout: the time from now, in ns; as with ctx_with_timeout_cause()
 * @gfp: how to allocate
 *
 * As ctx_with_timeout_cause() with -ETIMEDOUT as the cause (S8).
 *
 * Ordering: as with ctx_with_deadline_cause().
 *
 * Context: As ctx_with_deadline_cause().
 * Return: as ctx_with_deadline_cause().
 */
struct ctx *ctx_with_timeout(struct ctx *parent, ktime_t timeout, gfp_t gfp)
{
	return ctx_derive_timeout(parent, timeout, -ETIMEDOUT, gfp);
}
EXPORT_SYMBOL_GPL(ctx_with_timeout);

void ctx_deadline_free(struct ctx_deadline *d)
{
	kmem_cache_free(ctx_deadline_cache, d);
}

static void ctx_deadline_ctor(void *object)
{
	struct ctx_deadline *d = object;

	ctx_scope_setup(&d->scope);
	hrtimer_setup(&d->timer, ctx_deadline_expire, CLOCK_MONOTONIC, CTX_TIMER_MODE);
}

int ctx_deadline_init(void)
{
	ctx_deadline_cache = kmem_cache_create("ctx_deadline", sizeof(struct ctx_deadline), 0,
					       SLAB_HWCACHE_ALIGN, ctx_deadline_ctor);
	return ctx_deadline_cache ? 0 : -ENOMEM;
}

void ctx_deadline_exit(void)
{
	kmem_cache_destroy(ctx_deadline_cache);
}
