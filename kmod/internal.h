/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of the module share. May call downwards only:
 *
 *	chardev, fd  files, ioctls
 *	ambient  what a cgroup is bound to
 *	ondone   what is written to files when a context is done
 *	watch	 files that processes have contexts cancelled by
 *	userlink links that processes ask for
 *	user     contexts that processes see: ids, owners, bounds
 *	group	 threads under one context
 *	device	 contexts of devices
 *	thread, wait, after, work, describe
 *	fence, poll  what may be a source
 *	source	 what cancels contexts when it is done itself
 *	deadline, value
 *	index	 what makes a look-up of values quick
 *	link     contexts with several parents
 *	cancel   claiming, the walk over a subtree, settling
 *	callback
 *	tree     nodes, references, homes
 *	spread   several lists and counts for a parent that many CPUs use
 *
 * What all of them tell goes to trace and debug, which look but do not touch; debugfs
 * shows what there is.
 *
 * Locks, all of them raw, held for a bounded number of steps:
 *
 *	scope->own.lock    the scope's callbacks, done, flags and record, and
 *			   the children that it lists itself
 *	nest->lock	   one list of children of a spread scope
 *	fired->lock	   sources that have fired; inside the locks of what they watch
 *
 * A scope's state.origin and its place on its home's list change together, under
 * the lock of that list. A child's own.lock may be taken inside it, never the
 * other way round; own.lock also inside the lock of a context's on-dones, which is
 * not raw; those of a list of links and of timers (see work.c) inside own.lock. No
 * other pair is held together. Callbacks, wake-ups and frees happen under none.
 */
#ifndef _CTX_INTERNAL_H
#define _CTX_INTERNAL_H

#include <linux/container_of.h>
#include <linux/ctx.h>
#include <linux/hash.h>
#include <linux/hrtimer.h>
#include <linux/jump_label.h>
#include <linux/percpu.h>
#include <linux/pid.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/xarray.h>

#include "compat.h"

#undef pr_fmt
#define pr_fmt(fmt) "ctx: " fmt

struct pid_namespace;

#ifdef CTX_TORTURE
/*
 * ctx_torture_point() stands where a step of another CPU may come between two of ours,
 * in what takes no lock for it: what a module has set is called there, to take its
 * time. See tests/torture/delay.c. Without CTX_TORTURE=1 it is nothing.
 */
struct ctx_torture {
	void (*delay)(void);
};

extern const struct ctx_torture __rcu *ctx_torture;

#define ctx_torture_point()							\
do {										\
	const struct ctx_torture *__torture;					\
										\
	rcu_read_lock();							\
	__torture = rcu_dereference(ctx_torture);				\
	if (__torture)								\
		__torture->delay();						\
	rcu_read_unlock();							\
} while (0)
#else
#define ctx_torture_point()	do { } while (0)
#endif

/* Such that what is asked most often is one bit. */
enum ctx_kind {
	CTX_ROOT	= 0x00,
	CTX_VALUE	= 0x01,
	CTX_WITHOUT	= 0x02,
	CTX_CANCEL	= 0x04,
	CTX_DEADLINE	= 0x06,
};

/* The rest of ctx->kind */
#define CTX_KIND_MASK	0x07
#define CTX_KIND_VALUE	0x01
#define CTX_KIND_SCOPE	0x04
#define CTX_F_USER	0x08	/* embedded in a struct ctx_user, which frees it */
#define CTX_F_TIMER	0x10	/* is a struct ctx_deadline, with a timer of its own */
#define CTX_F_CLOCKS	0x20	/* a deadline further out runs on another clock */
#define CTX_F_REALTIME	0x40	/* that timer runs on CLOCK_REALTIME */
#define CTX_F_BOOTTIME	0x80	/* ... on CLOCK_BOOTTIME; else CLOCK_MONOTONIC */

/* scope->node.flags, under own.lock */
#define CTX_DONE_USED	0x01	/* ->done is initialised */
#define CTX_SYNC_WAITER	0x02	/* someone waits for own.busy to fall to 0 */
#define CTX_RUN_WAITER	0x04	/* someone waits for a callback to return */
#define CTX_SPREAD	0x08	/* ->spread is set; spares ctx_is_bare() two instructions */
#define CTX_CLASH	0x10	/* one of the clashes that are counted from here up */
#define CTX_CLASHES	0xf0

/*
 * A list of children and its lock. Each scope has one of its own; one from which
 * several CPUs derive at a time is spread over more, one for a CPU or a few.
 *
 * @busy is that of a scope's own nest: 1 while its own cancellation is
 * outstanding (from birth until it was delivered), 1 for each child that was
 * taken off the list unsettled, 1 for each after-func that the cancellation
 * queued. At 0 the scope is settled: it and all below it are done, and nothing
 * of it is still running.
 *
 * @refs is that of the others: the references on the scope that children there
 * hold. See spread.c.
 */
struct ctx_nest {
	raw_spinlock_t lock;
	union {
		atomic_t busy;
		atomic_t refs;
	};
	struct hlist_head children;
};

struct ctx_spread {
	unsigned int mask;
	int folded;		/* not a bool: not every machine exchanges bytes */
	struct {
		struct ctx_nest nest;
	} ____cacheline_aligned at[];
};

/*
 * A hlist that is added to at its end. @end is the pointer that the next is hung
 * on. Not a list_head: on Debian's kernels its checks are 36 instructions a pair.
 */
struct ctx_queue {
	struct hlist_node *first;
	struct hlist_node **end;
};

/* A callback in progress, on the stack of whoever runs it. */
struct ctx_run {
	struct hlist_node node;		/* in the table of runs, by task */
	struct task_struct *task;
	struct ctx_callback *cb;	/* its task's own */
};

struct ctx_deadline;

/* A cancelable context: what with_cancel and with_deadline make. */
struct ctx_scope {
	struct ctx node;
	struct ctx_signal state;
	struct ctx_nest own;
	union {
		/*
		 * In the home's list of children. Unhashed by a release store of
		 * pprev, the last access of whoever takes a child off, so that
		 * the last put may skip the lock: see ctx_leave_home().
		 */
		struct hlist_node sibling;	/* claimed: in the queue of one walk */
		struct list_head found;		/* leaked: see ctx_reap_leaks() */
	};
	union {
		struct ctx_queue callbacks;
		struct {
			struct hlist_node *first_callback;
			unsigned long running;	/* see CTX_CLOSED */
		};
	};
	struct completion done;
	ktime_t time;			/* the record: valid once origin is our own state */
	union {
		void *pid;		/* see ctx_pid_take() */
		struct ctx *followed;	/* see ctx_followed() */
	};
	char comm[TASK_COMM_LEN];
	struct ctx_deadline *timed;	/* nearest scope with a timer, may be itself */
	struct ctx_spread *spread;	/* set under own.lock, for good */
	struct hlist_bl_head links;	/* its own, to others; has a lock: see link.c */
};

struct ctx_deadline {
	struct ctx_scope scope;
	struct hrtimer timer;
};

struct ctx_value {
	struct ctx node;
	const void *key;
	void *value;
	void (*release)(void *value);
};

/* Slots from its home that a value may be put into. */
#define CTX_PROBE	12U

/*
 * A hash table of ranks, probed linearly. Slots of lower ranks than one's own are
 * constant while one has a reference. The table is replaced by a larger one, and
 * freed after a grace period.
 */
struct ctx_table {
	struct rcu_head rcu;
	u16 *slot;		/* homes of them and some more, behind the nodes; 0 is empty */
	u64 homes;
	struct ctx_value *node[];	/* by rank; the first is the nearest that has none */
};

/*
 * What the values of a segment share. @tip is the highest rank; who moved it there
 * writes the table.
 */
struct ctx_index {
	struct ctx_table __rcu *table;
	unsigned int tip;
	u16 first;			/* rank of the owner; lower ones are plain */
	u16 room;			/* highest rank for which the table has room */
};

/* In the link of a member, which points to its index, not to the value above. */
#define CTX_INDEXED	1UL

static inline struct ctx_index *ctx_index_of(unsigned long link)
{
	return link & CTX_INDEXED ? (struct ctx_index *)(link - CTX_INDEXED) : NULL;
}

/* For who writes it, or has nobody beside him. */
static inline struct ctx_table *ctx_index_table(const struct ctx_index *index)
{
	return rcu_dereference_protected(index->table, true);
}

static inline u16 *ctx_table_home(const struct ctx_table *table, const void *key)
{
	return table->slot + (hash_ptr(key, 32) * table->homes >> 32);
}

struct ctx_nest *ctx_join_home(struct ctx_scope *scope, struct ctx_scope *home);

static inline enum ctx_kind ctx_kind(const struct ctx *ctx)
{
	return ctx->kind & CTX_KIND_MASK;
}

static inline struct ctx_scope *ctx_scope_of_state(const struct ctx_signal *state)
{
	return container_of((struct ctx_signal *)state, struct ctx_scope, state);
}

/* The nearest cancelable context, @ctx itself if it is one; else a root. */
static inline struct ctx_scope *ctx_scope(const struct ctx *ctx)
{
	return ctx_scope_of_state(ctx->state);
}

/* Where @scope is a child: the nearest scope of its parent. */
static inline struct ctx_scope *ctx_home(const struct ctx_scope *scope)
{
	return ctx_scope(scope->node.parent);
}

static inline bool ctx_is_root(const struct ctx *ctx)
{
	return ctx_kind(ctx) == CTX_ROOT;
}

static inline bool ctx_is_scope(const struct ctx *ctx)
{
	return ctx->kind & CTX_KIND_SCOPE;
}

static inline bool ctx_is_value(const struct ctx *ctx)
{
	return ctx->kind & CTX_KIND_VALUE;
}

static inline bool ctx_is_timed(const struct ctx_scope *scope)
{
	return scope->node.kind & CTX_F_TIMER;
}

/* The first value node of a look-up from @ctx. */
static inline const struct ctx_value *ctx_first_value(const struct ctx *ctx)
{
	return ctx_is_value(ctx) ? container_of(ctx, struct ctx_value, node) : ctx->value;
}

static inline struct ctx_deadline *ctx_deadline_of(struct ctx_scope *scope)
{
	return container_of(scope, struct ctx_deadline, scope);
}

static inline const struct ctx_signal *ctx_origin_state(const struct ctx *ctx)
{
	/* Pairs with the release in ctx_publish(). */
	return smp_load_acquire(&ctx->state->origin);
}

/* The list of @scope's children that is number @nest: 0 is its own. */
static inline struct ctx_nest *ctx_nest_of(struct ctx_scope *scope, unsigned int nest)
{
	return likely(!nest) ? &scope->own : &scope->spread->at[nest - 1].nest;
}

/* The same, or NULL past the last. */
static inline struct ctx_nest *ctx_nest_at(struct ctx_scope *scope, unsigned int nest)
{
	if (nest && (!scope->spread || nest > scope->spread->mask + 1))
		return NULL;
	return ctx_nest_of(scope, nest);
}

/* Where @scope is listed. */
static inline struct ctx_nest *ctx_home_nest(const struct ctx_scope *scope)
{
	return ctx_nest_of(ctx_home(scope), scope->node.nest);
}

/*
 * Takes @scope off its home's list. The caller holds the lock of that list.
 */
static inline void ctx_unlist(struct ctx_scope *scope)
{
	__hlist_del(&scope->sibling);
	ctx_torture_point();
	/*
	 * The last access to @scope of a caller who holds no reference on it:
	 * pairs with the acquire in ctx_scope_strip().
	 */
	smp_store_release(&scope->sibling.pprev, NULL);
}

/* debugfs.c */

/*
 * What is counted, by each CPU for itself: an instruction each. A CPU that derives
 * need not be the one that releases, so only sums mean anything.
 */
struct ctx_counts {
	unsigned long derived;
	unsigned long released;
	unsigned long cancelled;	/* by somebody: origins, not what is below */
	unsigned long expired;
	unsigned long callbacks;
	unsigned long irqsoff;		/* longest, ns: see ctx_irqsoff_end() */
};

DECLARE_PER_CPU(struct ctx_counts, ctx_counts);

#ifdef CONFIG_DEBUG_FS
#define ctx_count(what)	this_cpu_inc(ctx_counts.what)
#else
#define ctx_count(what)	((void)sizeof(ctx_counts.what))
#endif

DECLARE_STATIC_KEY_FALSE(ctx_irqsoff);
void ctx_irqsoff_note(ktime_t since);

static __always_inline bool ctx_irqsoff_asked(void)
{
	return IS_ENABLED(CONFIG_DEBUG_FS) && static_branch_unlikely(&ctx_irqsoff);
}

/* Around what is done with interrupts off: a clock that is not read costs a nop. */
static __always_inline ktime_t ctx_irqsoff_begin(void)
{
	return ctx_irqsoff_asked() ? ktime_get() : 0;
}

/* @ours: they were on before. */
static __always_inline void ctx_irqsoff_end(ktime_t since, bool ours)
{
	if (ctx_irqsoff_asked() && ours)
		ctx_irqsoff_note(since);
}

/* debug.c */
DECLARE_STATIC_KEY_FALSE(ctx_watched);
DECLARE_STATIC_KEY_FALSE(ctx_debugged);

int ctx_debug_init(void);
void ctx_debug_exit(void);
void ctx_watch_derive(const struct ctx *ctx, unsigned long place);
void ctx_watch_release(const struct ctx *ctx);
void ctx_debug_call(struct ctx *ctx, struct ctx_callback *cb);
void ctx_debug_wait(const struct ctx *ctx, unsigned long place);
const char *ctx_debug_place(const struct ctx *ctx, char *buf, size_t size);
int ctx_released_err(const struct ctx *ctx);

struct seq_file;
void ctx_debug_show(struct seq_file *m, unsigned int slot);

#define CTX_DEBUG_BITS	10

/* Whether somebody listens to any event, or looks for mistakes: a nop if not. */
static __always_inline bool ctx_is_watched(void)
{
	return static_branch_unlikely(&ctx_watched);
}

/* Whether mistakes of who uses contexts are looked for. */
static __always_inline bool ctx_is_debugged(void)
{
	return static_branch_unlikely(&ctx_debugged);
}

/* trace.c */
void ctx_trace_derive(const struct ctx *ctx);
void ctx_trace_done(const struct ctx_scope *scope, const struct ctx_signal *origin);
void ctx_trace_release(const struct ctx *ctx);
void ctx_trace_on_done(const void *ctx, u64 id, const char *to, int err);

/* Whether anybody listens to any event, or looks for mistakes. */
static __always_inline bool ctx_is_traced(void)
{
	return IS_ENABLED(CONFIG_TRACEPOINTS) && ctx_is_watched();
}

/* Initialised, and nobody else knows it yet. Inlined in what others call. */
static __always_inline void ctx_note_derive(const struct ctx *ctx)
{
	ctx_count(derived);
	if (ctx_is_watched())
		ctx_watch_derive(ctx, _RET_IP_);
}

/* Its last reference is gone, its parent's not yet. */
static __always_inline void ctx_note_release(const struct ctx *ctx)
{
	ctx_count(released);
	if (ctx_is_watched())
		ctx_watch_release(ctx);
}

/*
 * Publishes that @scope is done because of @origin. What was written before, the
 * record included, is visible to whoever sees the origin with an acquire load, as
 * ctx_err() does (S16). The caller holds the lock of its home's list, which makes
 * this the only one, or nobody else knows @scope yet.
 */
static inline void ctx_publish(struct ctx_scope *scope, const struct ctx_signal *origin)
{
	if (ctx_is_traced())
		ctx_trace_done(scope, origin);
	ctx_torture_point();
	/* Pairs with the acquire in ctx_err() and ctx_origin_state(). */
	smp_store_release(&scope->state.origin, origin);
	ctx_torture_point();
}

/* As ctx_get(), of a context that is one. */
static inline struct ctx *ctx_hold(struct ctx *ctx)
{
	if (!ctx_is_root(ctx))
		refcount_inc(&ctx->ref);
	return ctx;
}

/*
 * Before @scope is referenced for the sake of what depends on it: see link.c. Whoever
 * competes for a parent only reads.
 */
static inline void ctx_mark_used(struct ctx_scope *scope)
{
	if (unlikely(!READ_ONCE(scope->state.used)))
		WRITE_ONCE(scope->state.used, true);
}

/* ->usage of what has been derived from, and is not spread, nor linked. */
#define CTX_USED_ONLY	((__force u16)cpu_to_le16(1))

/* All but the reference on @parent. */
static inline void ctx_node_init(struct ctx *ctx, struct ctx *parent,
				 struct ctx_signal *state, u8 kind)
{
	ctx->state = state;
	ctx->parent = parent;
	if (ctx_is_value(parent))
		ctx->value = container_of(parent, struct ctx_value, node);
	else
		ctx->value = parent->value;
	refcount_set(&ctx->ref, 1);
	ctx->kind = kind;
	ctx->flags = 0;
	ctx->taken = 0;
	ctx->nest = 0;
}

/* A new scope: unlisted, live, with one reference. Returns where it is to be listed. */
static inline struct ctx_nest *ctx_scope_init(struct ctx_scope *scope, struct ctx *parent, u8 kind)
{
	struct ctx_scope *home = ctx_scope(parent);
	const u16 usage = READ_ONCE(home->state.usage);

	ctx_node_init(&scope->node, parent, &scope->state, kind);
	scope->state.origin = NULL;
	scope->state.used = false;
	atomic_set(&scope->own.busy, 1);
	scope->timed = home->timed;
	/* Who does not see yet that it is spread will be listed where all were before. */
	if (unlikely(usage != CTX_USED_ONLY)) {
		if (usage)
			return ctx_join_home(scope, home);
		WRITE_ONCE(home->state.used, true);
	}
	ctx_hold(parent);
	return &home->own;
}

static inline void ctx_queue_init(struct ctx_queue *queue)
{
	queue->first = NULL;
	queue->end = &queue->first;
}

static inline bool ctx_queue_empty(const struct ctx_queue *queue)
{
	return !READ_ONCE(queue->first);
}

static inline void ctx_queue_add(struct ctx_queue *queue, struct hlist_node *node)
{
	node->next = NULL;
	node->pprev = queue->end;
	WRITE_ONCE(*queue->end, node);
	queue->end = &node->next;
}

/* Returns the new end, if @node was the last; else NULL. */
static inline struct hlist_node **ctx_queue_cut(struct hlist_node *node)
{
	WRITE_ONCE(*node->pprev, node->next);
	if (!node->next)
		return node->pprev;
	node->next->pprev = node->pprev;
	return NULL;
}

static inline void ctx_queue_del(struct ctx_queue *queue, struct hlist_node *node)
{
	struct hlist_node **end = ctx_queue_cut(node);

	if (end)
		queue->end = end;
}

/* Moves all of @from to the end of @to. */
static inline void ctx_queue_splice(struct ctx_queue *to, struct ctx_queue *from)
{
	if (ctx_queue_empty(from))
		return;
	*to->end = from->first;
	from->first->pprev = to->end;
	to->end = from->end;
	ctx_queue_init(from);
}

/*
 * The process that @task belongs to, for the record. One of the initial pid
 * namespace has a number there and none elsewhere, so the number will do, and
 * what all its threads share is left alone.
 */
static inline void *ctx_pid_take(struct task_struct *task)
{
	struct pid *pid = task_tgid(task);

	if (likely(!pid->level))
		return xa_mk_value((unsigned int)task->tgid);
	return get_pid(pid);
}

/* Whether that took a reference. */
static inline bool ctx_pid_is_held(const void *pid)
{
	return pid && !xa_is_value(pid);
}

static inline void ctx_pid_drop(void *pid)
{
	if (unlikely(ctx_pid_is_held(pid)))
		put_pid(pid);
}

/* Under own.lock, @scope being that of @ctx and no root. As ctx_callback_add(). */
static __always_inline int ctx_callback_enlist(struct ctx_scope *scope, struct ctx *ctx,
					       struct ctx_callback *cb)
{
	/*
	 * Whoever claims takes this lock before he looks at the list: a claim
	 * that is not seen here will see the callback.
	 */
	if (READ_ONCE(scope->state.origin)) {
		cb->ctx = NULL;
		return -ENOENT;
	}
	cb->ctx = ctx;
	ctx_queue_add(&scope->callbacks, &cb->node);
	return 0;
}

/*
 * What @scope, which is done, was linked to if that is how: with a reference, which
 * keeps the origin. Else NULL: the origin is above, or here.
 */
static inline struct ctx *ctx_followed(const struct ctx_scope *scope)
{
	return scope->state.origin == &scope->state ? NULL : scope->followed;
}

/*
 * In a queue of callbacks there are links, too, which have no function. Under the
 * lock of that queue.
 */
static inline bool ctx_is_link(const struct hlist_node *node)
{
	return !hlist_entry(node, struct ctx_callback, node)->fn;
}

/*
 * A queue of callbacks is closed with the claim, unless it is empty: as nobody adds to
 * it any more, there is an address instead of its end, of the callback that was taken
 * off and runs, or with CTX_RESERVED has not begun yet, if there is one. See callback.c.
 */
#define CTX_RESERVED	1UL
#define CTX_CLOSED	2UL

/* Under own.lock, of a scope that is done and has none reserved or running. */
static inline void ctx_callback_reserve(struct ctx_scope *scope)
{
	struct hlist_node *first = scope->callbacks.first;
	unsigned long running = CTX_CLOSED;

	if (!first)
		return;
	if (likely(!ctx_is_link(first))) {
		ctx_queue_cut(first);
		running |= CTX_RESERVED | (unsigned long)hlist_entry(first, struct ctx_callback,
								     node);
	}
	WRITE_ONCE(scope->running, running);
}

/* Under own.lock, of one that is in the queue. */
static inline void ctx_callback_cut(struct ctx_scope *scope, struct hlist_node *node)
{
	struct hlist_node **end = ctx_queue_cut(node);

	if (end && !(scope->running & CTX_CLOSED))
		scope->callbacks.end = end;
}

static inline bool ctx_cause_valid(int cause)
{
	return cause < 0 && cause >= -MAX_ERRNO;
}

/*
 * On PREEMPT_RT, atomic context may take raw locks and nothing else: wake-ups,
 * callbacks and frees are left to a worker there (S18).
 */
static inline bool ctx_must_defer(void)
{
	return IS_ENABLED(CONFIG_PREEMPT_RT) && !preemptible();
}

/* tree.c */
extern struct ctx_scope ctx_roots[];

int ctx_tree_init(void);
void ctx_tree_flush(void);
void ctx_reap_leaks(void);
void ctx_tree_exit(void);
void ctx_scope_setup(struct ctx_scope *scope);
void ctx_scope_start(struct ctx_scope *scope, struct ctx_nest *nest, gfp_t gfp);
struct ctx *ctx_derive_unwatched(struct ctx *parent, u8 kind, gfp_t gfp);
struct ctx *ctx_derive_watched(struct ctx *parent, u8 kind, gfp_t gfp, unsigned long place);
void ctx_without_start(struct ctx *ctx, struct ctx *parent, u8 kind);

void ctx_release_chain(struct ctx *ctx);

/*
 * A scope without a timer, under a @parent that is neither NULL nor an error, derived at
 * @place, which is whose fault it is if it leaks.
 */
static __always_inline struct ctx *ctx_derive_scope(struct ctx *parent, u8 kind, gfp_t gfp,
						    unsigned long place)
{
	if (ctx_is_watched())
		return ctx_derive_watched(parent, kind, gfp, place);
	return ctx_derive_unwatched(parent, kind, gfp);
}

/* As ctx_with_cancel(), called at @place. */
static inline struct ctx *ctx_with_cancel_at(struct ctx *parent, gfp_t gfp, unsigned long place)
{
	if (IS_ERR_OR_NULL(parent))
		return parent ?: ERR_PTR(-EINVAL);
	return ctx_derive_scope(parent, CTX_CANCEL, gfp, place);
}

/* spread.c */
int ctx_spread_roots(void);
void ctx_spread_free_roots(void);
void ctx_spread_out(struct ctx_scope *scope, gfp_t gfp);
bool ctx_spread_fold(struct ctx *ctx);
bool ctx_spread_drop(struct ctx_scope *scope, u8 nest);

/* A spread scope's own count of references has this much in it for the others. */
#define CTX_SPREAD_BIAS	BIT(29)

/* Drops a reference. Returns true if it was the last. */
static __always_inline bool ctx_drop(struct ctx *ctx)
{
	bool last;
	int old;

	/* A reader, three instructions, for the sake of ctx_spread_fold(). */
	preempt_disable();
	last = __refcount_dec_and_test(&ctx->ref, &old);
	if (unlikely(old == CTX_SPREAD_BIAS + 1))
		last = ctx_spread_fold(ctx);
	preempt_enable();
	return last;
}

/* As ctx_put(), of a context that is no root, where it is mostly not the last. */
static inline void ctx_unhold(struct ctx *ctx)
{
	if (unlikely(ctx_drop(ctx)))
		ctx_release_chain(ctx);
}

/* cancel.c */

/* Who cancels: what goes into the record (S11). */
struct ctx_by {
	int err;
	int cause;		/* 0: leave the one that was preset */
	const char *who;	/* NULL: the current task, or "irq" */
};

/* One pass over the subtree of one or more claimed scopes. */
struct ctx_walk {
	struct ctx_queue work;	/* claimed, taken from home, a reference each */
	long budget;		/* units of work left before a worker goes on */
	int batch;		/* children taken in one turn of a lock */
	int taken;		/* children of the scope at hand: see ctx_walk() */
	bool yields;		/* may call cond_resched() */
	bool runs;		/* ->run is in the table */
	struct ctx_run run;
};

/* A look at the flag, where cond_resched() is a call each time. */
static inline void ctx_walk_yield(const struct ctx_walk *walk)
{
	if (walk->yields && need_resched())
		cond_resched();
}

enum ctx_cancel_mode {
	CTX_CANCEL_HERE,	/* all of it, without sleeping */
	CTX_CANCEL_YIELDING,	/* all of it, giving up the CPU in between */
	CTX_CANCEL_BUDGET,	/* by its timer: a bounded part, the rest by a worker */
	CTX_CANCEL_LATER,	/* the scope itself, the rest by a worker */
};

/*
 * What the timer interrupt may do before it hands over, and what things cost:
 * in units of about 40 instructions, a wake-up being the dearest callback.
 */
#define CTX_TIMER_BUDGET	32
#define CTX_COST_CHILD		2
#define CTX_COST_SCOPE		4
#define CTX_COST_CALLBACK	8

/* A unit of it grows back in so many nanoseconds, as a power of two. */
#define CTX_REGROWTH_SHIFT	10

/* ->taken: who waits for the scope to settle. */
#define CTX_TAKEN		0x01	/* its home */
#define CTX_TAKEN_LINK		0x02	/* the other, whose end it followed */

/* Children taken in one turn of a lock; levels gone up in one interrupt. */
#define CTX_BATCH		32
/* ... where there is a budget, which is looked at between the turns. */
#define CTX_TIMER_BATCH		8

int ctx_cancel_init(void);
void ctx_cancel_exit(void);
void ctx_cancel_flush(void);
void ctx_cancel_scope(struct ctx_scope *scope, const struct ctx_by *by,
		      enum ctx_cancel_mode mode);
void ctx_born_ended(struct ctx_scope *scope, const struct ctx_by *by);
pid_t ctx_pid_nr(const void *pid, struct pid_namespace *ns);
void ctx_settle(struct ctx_scope *scope);

void ctx_cancel_like(struct ctx_scope *scope, struct ctx_scope *other);

/* link.c */

/*
 * With interrupts off, for which reason preemption need not be: the lock of a
 * hlist_bl_head is one bit of it. On the only CPU that is enough, and there the
 * list's functions do not expect the bit to be set.
 */
static inline void ctx_links_lock(struct ctx_scope *scope)
	__acquires(bitlock)
{
	while (LIST_BL_LOCKMASK && test_and_set_bit_lock(0, (unsigned long *)&scope->links))
		cpu_relax();
	__acquire(bitlock);
}

static inline void ctx_links_unlock(struct ctx_scope *scope)
	__releases(bitlock)
{
	if (LIST_BL_LOCKMASK)
		__clear_bit_unlock(0, (unsigned long *)&scope->links);
	__release(bitlock);
}

struct ctx *ctx_link_pop(struct ctx_scope *scope);

/* callback.c */

/* Where running callbacks has come to. */
enum ctx_ran {
	CTX_RAN_ALL,
	CTX_RAN_OUT,		/* of budget */
	CTX_RAN_TO_LINK,	/* the next is one */
};

enum ctx_ran ctx_callbacks_run(struct ctx_walk *walk, struct ctx_scope *scope);
void ctx_run_end(struct ctx_walk *walk);
bool ctx_in_callback(const struct ctx_callback *cb);
void ctx_callback_end(struct ctx *ctx, struct ctx_callback *cb, struct delayed_work *busy,
		      bool sync);

/* after.c */
int ctx_after_init(void);
void ctx_after_flush(void);
void ctx_after_exit(void);
bool ctx_after_excuse(struct ctx_scope *scope);

/* source.c */
int ctx_source_init(void);
void ctx_source_exit(void);
void ctx_source_flush(void);
int ctx_source_arm(struct ctx *ctx, struct ctx_source *source, const struct ctx_source_ops *ops,
		   int cause, bool counted);
void ctx_source_queue(struct ctx_source *source, int cause, bool final);
void ctx_source_fire_now(struct ctx_source *source);
int ctx_source_link(struct ctx *ctx, struct ctx *other, struct ctx_source *source);
struct work_struct *ctx_source_asker(const struct ctx_source *source);
struct file *ctx_source_detach_file(struct ctx_source *source, bool *shot);

/* fence.c */
#ifdef CONFIG_DMA_SHARED_BUFFER
struct dma_fence *ctx_source_fence(const struct ctx_source *source);
#else
static inline struct dma_fence *ctx_source_fence(const struct ctx_source *source)
{
	return NULL;
}
#endif

/* poll.c */
bool ctx_is_eventfd(struct file *file);
bool ctx_is_pipe(struct file *file);
bool ctx_is_inet(struct file *file);
bool ctx_poll_ready(struct file *file, __poll_t events);
void ctx_poll_detach(struct ctx_source *source);
int ctx_poll_attach(struct ctx *ctx, struct file *file, __poll_t events, int cause,
		    struct ctx_source *source, bool counted);

/* linger.c, but for what takes an account: see below */
void ctx_file_put(struct file *file, struct work_struct *asker);
void ctx_file_let_go(struct file *file, struct work_struct *asker);
int ctx_linger_init(void);
void ctx_linger_exit(void);

/* deadline.c */
#define CTX_NEVER	KTIME_MAX

struct ctx_when {
	ktime_t time;		/* on @clock; CTX_NEVER for no deadline */
	clockid_t clock;
	int cause;
};

int ctx_deadline_init(void);
void ctx_deadline_exit(void);
bool ctx_deadline_start_user(struct ctx_deadline *d, struct ctx *parent,
			     const struct ctx_when *when, u8 kind);
bool ctx_deadline_disarm(struct ctx_deadline *d);
void ctx_deadline_free(struct ctx_deadline *d);
ktime_t ctx_clock_now(clockid_t clock);
ktime_t ctx_effective_deadline(const struct ctx_scope *scope);

/* value.c */

/* Whether a value whose key is the one asked for is meant. */
typedef bool (*ctx_match_t)(const struct ctx_value *v, const void *arg);

int ctx_value_init(void);
void ctx_value_exit(void);
void ctx_value_flush(void);
void ctx_value_start(struct ctx_value *v, struct ctx *parent, const void *key, void *value,
		     void (*release)(void *value), u8 kind, gfp_t gfp);
const struct ctx_value *ctx_value_find(const struct ctx *ctx, const void *key,
				       ctx_match_t match, const void *arg);
void ctx_value_release(struct ctx *ctx);
struct kmem_cache *ctx_node_cache(void);

/* index.c */
void __ctx_index_join(struct ctx_value *v, gfp_t gfp);
void ctx_index_leave(struct ctx_index *index, struct ctx_value *v);
void ctx_index_free(struct ctx_index *index);

/* Plain values in a row before there is an index. */
#define CTX_RUN	4

static inline void ctx_index_join(struct ctx_value *v, gfp_t gfp)
{
	const struct ctx_value *above = v->node.value;

	if (!above)
		v->node.rank = 1;
	else if (!(READ_ONCE(above->node.link) & CTX_INDEXED) && above->node.rank < CTX_RUN)
		v->node.rank = above->node.rank + 1;
	else
		__ctx_index_join(v, gfp);
}

/* wait.c */
bool ctx_complete(struct ctx_walk *walk, struct ctx_scope *scope);

/* thread.c */
int ctx_kthread_run(int (*fn)(void *data), void *data, struct va_format *name);

/* group.c */
void ctx_group_flush(void);

/* user.c */

/* A string of bytes under a string of bytes. */
struct ctx_bytes {
	u32 key_len;
	u32 value_len;
	u8 data[];		/* the key, then the value */
};

/* What an open file of /dev/ctx has: see chardev.c. */
struct ctx_file {
	struct ctx *ctx;
	u32 rights;
	unsigned long watched;		/* bit 0: cb was registered; see chardev.c */
	struct ctx_callback cb;		/* from the first poll on */
	wait_queue_head_t wait;
	struct fasync_struct *fasync;	/* NULL whenever the file is not open */
	atomic_t *cancellers;		/* of a context that no process made: see fd.c */
};

struct ctx_account;
struct ctx_id_block;
extern spinlock_t ctx_account_lock;

/* What a user has a bounded number of. */
enum ctx_charge {
	CTX_CHARGE_CONTEXT,
	CTX_CHARGE_FILE,	/* links, watches and on-dones */
	CTX_CHARGES,
};

struct ctx_on_dones;

/* What a process made: one of the kinds of context, and what is known of it. */
struct ctx_user {
	union {
		struct ctx ctx;
		struct ctx_scope scope;
		struct ctx_deadline deadline;
		struct ctx_value value;
	};
	struct ctx_id_block *block;	/* with its number: see ids.c */
	struct ctx_account *account;
	struct user_namespace *ns;	/* where it was made: see ctx_user_ns_get() */
	struct ctx_bytes *bytes;	/* CTX_VALUE: freed with it */
	struct ctx_on_dones *on_dones;	/* from the first on */
	void *creator;			/* see ctx_pid_take() */
	kuid_t owner;
	u32 depth;
	u8 slot;			/* of @block */
	bool keep;
	atomic_t cancellers;		/* files that hold CTX_RIGHT_CANCEL */
	char creator_comm[TASK_COMM_LEN];
	struct ctx_file file;		/* its maker's: most have no other */
};

/* ids.c */
int ctx_ids_init(void);
void ctx_ids_exit(void);
int ctx_id_take(struct ctx_user *user);
void ctx_id_drop(struct ctx_user *user);
void ctx_id_publish(struct ctx_user *user);
u64 ctx_user_id(const struct ctx *ctx);
struct ctx_user *ctx_user_next(u64 after, bool mine);
struct ctx_user *ctx_user_by_id(u64 id);

int ctx_user_init(void);
void ctx_user_exit(void);
int ctx_account_charge(enum ctx_charge what, struct ctx_account **charged);
void ctx_account_uncharge(enum ctx_charge what, struct ctx_account *account);
void ctx_account_releasing(struct ctx_account *account);
void ctx_account_released(struct ctx_account *account);
struct ctx_turns *ctx_account_turns(struct ctx_account *account);
struct ctx_user *ctx_user_of(const struct ctx *ctx);
u32 ctx_user_depth(const struct ctx *ctx);
bool ctx_user_is_foreign(const struct ctx *ctx, const struct ctx *other);
int ctx_user_may_open(const struct ctx_user *user,
		      bool (*may)(struct user_namespace *ns, int cap));
struct ctx *ctx_user_with_cancel(struct ctx *parent, const struct ctx_when *when, bool keep);
struct ctx *ctx_user_without_cancel(struct ctx *parent);
struct ctx *ctx_user_with_value(struct ctx *parent, struct ctx_bytes *bytes);
const struct ctx_bytes *ctx_user_find(const struct ctx *ctx, const void *key, u32 key_len);
void ctx_user_free(struct ctx *ctx);

/* timens.c */
ktime_t ctx_time_of_task(clockid_t clock, ktime_t time);
ktime_t ctx_time_for_task(ktime_t time);

/* turn.c */

/* Of a user; under ctx_account_lock. */
struct ctx_turns {
	unsigned int running;
	unsigned int releasing;		/* files that are on their way */
	struct list_head parked;
};

/* A work that may be held up. */
struct ctx_turn {
	struct work_struct work;
	struct ctx_account *account;
	struct list_head parked;	/* under ctx_account_lock */
	bool admitted;
};

int ctx_turn_init(void);
void ctx_turn_exit(void);
void ctx_turn_expect(void);
void ctx_turn_queue(struct ctx_turn *turn, struct ctx_account *account, work_func_t fn);
bool ctx_turn_begin(struct ctx_turn *turn);
void ctx_turn_end(struct ctx_turn *turn);

/* A file that is let go: storage, of the caller. */
struct ctx_release {
	struct ctx_turn turn;
	struct file *file;
	struct work_struct *asker;
	void (*released)(struct ctx_release *release);
};

void ctx_release_expect(struct file *file);
void ctx_release_file(struct ctx_release *release, struct file *file, struct work_struct *asker,
		      struct ctx_account *account, void (*released)(struct ctx_release *release));

/* ondone.c */
struct ctx_ioc_info;

int ctx_on_done_init(void);
void ctx_on_done_exit(void);
bool ctx_is_cgroup_file(const struct file *file, const char *name);
int ctx_on_done_add(struct ctx *ctx, int fd, const void __user *data, u32 len);
void ctx_on_done_fill(const struct ctx_user *user, struct ctx_ioc_info *info);
void ctx_on_dones_drop(struct ctx_user *user);

/* What @ctx, of which the last reference is gone, was to have written. */
static inline void ctx_drop_on_dones(struct ctx *ctx)
{
	struct ctx_user *user = container_of(ctx, struct ctx_user, ctx);

	if (ctx->kind & CTX_F_USER && user->on_dones)
		ctx_on_dones_drop(user);
}

/*
 * The last reference on @scope is gone: takes off those of its callbacks that call @fn,
 * which nobody else is at, and has each freed. For constant functions, which are called
 * as such.
 */
static __always_inline void ctx_callbacks_drop(struct ctx_scope *scope,
					       void (*fn)(struct ctx *ctx, struct ctx_callback *cb),
					       void (*free)(struct ctx_callback *cb))
{
	struct hlist_node *node, *next;

	for (node = scope->callbacks.first; node; node = next) {
		struct ctx_callback *cb = hlist_entry(node, struct ctx_callback, node);

		next = node->next;
		if (cb->fn != fn)
			continue;
		ctx_queue_del(&scope->callbacks, node);
		free(cb);
	}
}

/* watch.c */
int ctx_watch_add(struct ctx *ctx, struct file *file, __poll_t events, int cause);
void ctx_watches_drop(struct ctx_scope *scope);
void ctx_watch_flush(void);

/* What @scope, of which the last reference is gone, was to be cancelled by. */
static inline void ctx_drop_watches(struct ctx_scope *scope)
{
	if (scope->node.kind & CTX_F_USER && !ctx_queue_empty(&scope->callbacks))
		ctx_watches_drop(scope);
}

/* userlink.c */
int ctx_user_link(struct ctx *ctx, struct ctx *other);
void ctx_user_links_drop(struct ctx_scope *scope);

/* describe.c */
const char *ctx_kind_name(const struct ctx *ctx);

/* debugfs.c; see also above */
#ifdef CONFIG_DEBUG_FS
int ctx_debugfs_init(void);
void ctx_debugfs_exit(void);
#endif

/* ambient.c */
int ctx_ambient_init(void);
void ctx_ambient_exit(void);
int ctx_ambient_bind(struct ctx *ctx, int fd);

/* chardev.c */
int ctx_chardev_init(void);
void ctx_chardev_exit(void);
struct ctx_file *ctx_file_of(const struct file *file);
void ctx_drop_canceller(struct ctx *ctx, atomic_t *cancellers);
int ctx_install(struct ctx *ctx, u32 rights, atomic_t *cancellers, u32 flags);

#endif /* _CTX_INTERNAL_H */
