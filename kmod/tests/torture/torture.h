/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of ctx_torture.ko share.
 *
 * Threads on all CPUs, and the timers that they set, do random things to contexts that
 * they share. Next to each context stands what is known of it (struct tor_node): who
 * its parent is, what it must inherit, what it was seen as. That is a model of the
 * contract, and all that is done is held against it.
 *
 * Contexts belong to a world, a tree of its own below a value whose release tells that
 * nothing of it is left. A world lasts some seconds, and the next one is in use
 * while the last one ends. What is known of its contexts is kept until it has ended:
 * so a context may go at any time, and whoever comes too late finds that written.
 */
#ifndef _CTX_TORTURE_H
#define _CTX_TORTURE_H

#include <linux/atomic.h>
#include <linux/ctx.h>
#include <linux/hrtimer.h>
#include <linux/list.h>
#include <linux/llist.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/spinlock.h>

#include "../../compat.h"

#undef pr_fmt
#define pr_fmt(fmt) "ctx_torture: " fmt

/* What turns what would hang into a violation: nothing here takes a hundredth of it. */
#define TOR_PATIENCE_S	100
#define TOR_PATIENCE	(TOR_PATIENCE_S * HZ)

#define TOR_ACTORS	192	/* three of each thread */
#define TOR_OUTCOMES	3
#define TOR_OPS		32

/* Who did what: how a violation is named. */
struct tor_place {
	const char *op;
	unsigned int actor;
	unsigned long count;
};

/*
 * Who acts: a thread, or one of its two timers. What an actor does in its nth
 * operation is a matter of the seed, of its own number and of n, and of nothing else.
 */
struct tor_actor {
	struct tor_place place;
	struct tor_thread *thread;
	bool atomic;
	gfp_t gfp;
	u32 random;
	unsigned int causes;
	u32 sequence;		/* a sum of what it did so far */
	unsigned long outcomes[TOR_OPS][TOR_OUTCOMES];
};

struct tor_timer {
	struct hrtimer timer;
	struct tor_actor actor;
	unsigned int left;	/* operations, until it is over */
};

struct tor_thread {
	struct tor_actor actor;
	struct tor_timer hard;
	struct tor_timer soft;
	struct task_struct *task;
	unsigned int cpu;
	unsigned long passed;		/* operations, and a look at what is to be ended */
	struct list_head pending;	/* the thread's own */
	unsigned int nr_pending;
	struct llist_head from_timers;
	unsigned long seen_passed;	/* the main thread's own */
	bool over;
};

/* An operation: returns which of its outcomes it had. */
struct tor_op {
	const char *name;
	unsigned int weight;
	unsigned int (*run)(struct tor_actor *actor);
	const char *outcomes[TOR_OUTCOMES];
};

/* random.c */
u32 tor_pick(struct tor_actor *actor, u32 below);
void tor_spin(struct tor_actor *actor, u32 below_us);
void tor_random_begin(struct tor_actor *actor);

/* report.c */
extern u32 tor_seed;
extern atomic_t tor_violations;
extern bool tor_stuck;

__printf(3, 4)
void tor_violated(const struct tor_place *place, const char *rule, const char *fmt, ...);

#define TOR_CHECK(place, rule, condition, ...)					\
do {										\
	if (unlikely(!(condition)))						\
		tor_violated(place, rule, __VA_ARGS__);				\
} while (0)

/* main.c */
void tor_threads_watch(void);
bool tor_threads_pass(void);
bool tor_threads_name_stuck(void);

/* world.c */

/* Whatever belongs to a world stands behind one, and goes with the world. */
struct tor_thing {
	struct llist_node node;
	void (*over)(struct tor_thing *thing);	/* before it is freed, or NULL */
};

#define TOR_TIES	3

struct tor_world {
	struct llist_head things;
	atomic_t nr_things;
	unsigned long born;
	bool retired;
	struct tor_node *token;
	struct tor_node *top;
	struct completion gone;
	raw_spinlock_t ties_lock;	/* protects ties */
	struct tor_node *ties[TOR_TIES];	/* see link.c; with references */
};

int tor_world_begin(struct tor_actor *actor);
bool tor_world_is_old(void);
void tor_world_turn(struct tor_actor *actor);
void tor_world_end(struct tor_actor *actor);
void *tor_alloc(struct tor_world *world, size_t size, gfp_t gfp);

/* A reference on one that is shown, or NULL; on the top of the world. */
struct tor_node *tor_borrow(struct tor_actor *actor);
struct tor_node *tor_top(void);
/* One of the two that is live most of the time. */
struct tor_node *tor_any(struct tor_actor *actor);
struct tor_node *tor_fresh(struct tor_actor *actor);
/* Shows a node to others, in place of another; takes the reference. */
void tor_show(struct tor_actor *actor, struct tor_node *node);
/* As ctx_value() of one that is shown, without a reference. */
void tor_peek(struct tor_actor *actor);

/* node.c */
enum tor_kind {
	TOR_CANCEL,
	TOR_SOON,		/* a deadline that will come */
	TOR_NARROW,		/* ... at any moment */
	TOR_FAR,		/* ... that will not */
	TOR_PASSED,		/* ... that has come */
	TOR_EQUAL,		/* the parent's */
	TOR_TIMEOUT,
	TOR_VALUE,
	TOR_SHADOW,
	TOR_WITHOUT,
	TOR_KINDS
};

/* What a context that is done says. */
struct tor_seen {
	int err;
	int cause;
	const struct ctx *origin;
	ktime_t time;
};

/* What is known of a context. All but the last part is constant once it was derived. */
struct tor_node {
	struct tor_thing thing;
	struct ctx *ctx;
	struct tor_node *parent;	/* NULL: a root */
	struct tor_node *scope;		/* the nearest cancelable one; NULL: a root */
	struct tor_world *world;
	enum tor_kind kind;
	unsigned int depth;
	ktime_t own;			/* its own deadline, if it takes effect */
	ktime_t effective;
	int cause;			/* of its own deadline */
	const void *key;

	atomic_t users;			/* references of ours */
	atomic_t holds;			/* what keeps it from being released */
	atomic_t released;		/* how often its value was */
	bool linked;			/* to another one, ever */
	DECLARE_BITMAP(told, TOR_ACTORS);	/* who wrote this before he cancelled it */
	raw_spinlock_t lock;		/* protects seen */
	struct tor_seen seen;
};

#define TOR_KEYS	5

extern const char tor_keys[TOR_KEYS];

static inline bool tor_is_value(const struct tor_node *node)
{
	return node->kind == TOR_VALUE || node->kind == TOR_SHADOW;
}

static inline bool tor_is_scope(const struct tor_node *node)
{
	return node->kind < TOR_VALUE;
}

/* The cancelable one above a cancelable one. */
static inline struct tor_node *tor_above(const struct tor_node *scope)
{
	return scope->parent ? scope->parent->scope : NULL;
}

enum tor_kind tor_pick_kind(struct tor_actor *actor);
struct tor_node *tor_derive(struct tor_actor *actor, struct tor_world *world,
			    struct tor_node *parent, enum tor_kind kind);
struct tor_node *tor_get(struct tor_node *node);
void tor_put(struct tor_node *node);
void tor_hold(struct tor_node *node);
void tor_unhold(struct tor_node *node);

/* check.c */
int tor_look(const struct tor_place *place, struct tor_node *node, struct tor_seen *now);
int tor_err(const struct tor_place *place, struct tor_node *node);
void tor_check_path(const struct tor_place *place, struct tor_node *node);
void tor_check_birth(const struct tor_place *place, struct tor_node *node,
		     const struct tor_seen *above);
void tor_check_deadline(const struct tor_place *place, struct tor_node *node);
void tor_check_value(const struct tor_place *place, struct tor_node *node, const void *key);
void tor_check_reached(const struct tor_place *place, struct tor_node *node,
		       struct tor_node *root);
bool tor_is_below(const struct tor_node *node, const struct tor_node *root);
void tor_check_swept(const struct tor_place *place, struct tor_node *node, struct tor_node *root);
void tor_await(const struct tor_place *place, struct tor_node *node, const char *rule);

/* link.c */
void tor_ties_end(struct tor_world *world);

/* cancel.c */
enum tor_how {
	TOR_PLAIN,
	TOR_CAUSE,
	TOR_ASYNC,
	TOR_SYNC,		/* the last: not in an interrupt */
	TOR_HOWS
};

enum tor_how tor_pick_how(struct tor_actor *actor);
int tor_next_cause(struct tor_actor *actor);
bool tor_cause_is_told(const struct tor_node *node, int cause);
bool tor_cancel(struct tor_actor *actor, struct tor_node *node, enum tor_how how);

/* pending.c */

/* What an operation left, for a later one to end. */
struct tor_pending {
	struct tor_thing thing;
	union {
		struct list_head entry;
		struct llist_node from_timer;
	};
	struct tor_place place;
	struct tor_node *node;		/* with a reference */
	void (*end)(struct tor_actor *actor, struct tor_pending *pending);
};

void *tor_pending_alloc(struct tor_actor *actor, struct tor_node *node, size_t size,
			void (*end)(struct tor_actor *actor, struct tor_pending *pending));
void tor_pending_leave(struct tor_actor *actor, struct tor_pending *pending);
void tor_pending_end(struct tor_actor *actor, struct tor_pending *pending);
void tor_pending_trim(struct tor_thread *thread, bool all);

/* callback.c */
enum tor_state {
	TOR_IDLE,
	TOR_ADDED,
	TOR_RUNS,
	TOR_RAN,
	TOR_REMOVED,
};

struct tor_callback {
	struct tor_pending pending;
	struct ctx_callback cb;
	atomic_t state;
	u32 random;
};

struct tor_callback *tor_callback_add(struct tor_actor *actor, struct tor_node *node);
bool tor_moves(const struct tor_place *place, atomic_t *state, enum tor_state from,
	       enum tor_state to, const char *rule, const char *what);
bool tor_taken_off(const struct tor_place *place, atomic_t *state, bool off, const char *rule,
		   const char *what);

/* after.c */
struct tor_after {
	struct tor_pending pending;
	struct ctx_after after;
	atomic_t state;
	bool waits;		/* for its context: that was live afterwards */
	u32 random;
};

struct tor_after *tor_after_add(struct tor_actor *actor, struct tor_node *node);

/* duel.c */
void tor_duel_take(struct tor_actor *actor);

/* ops.c */
void tor_step(struct tor_actor *actor);
u32 tor_ops_sequence(const struct tor_thread *threads, unsigned int nr);
void tor_ops_report(const struct tor_thread *threads, unsigned int nr);
unsigned long tor_ops_sum(const struct tor_thread *threads, unsigned int nr);

/* timer.c */
void tor_timers_init(struct tor_thread *thread);
void tor_timers_end(struct tor_thread *thread);

/* delay.c */
void tor_delays_begin(void);
void tor_delays_end(void);
unsigned long tor_delays_made(void);

/* onoff.c */
int tor_onoff_begin(void);
void tor_onoff_end(void);
void tor_onoff_report(void);

/* work.c */
int tor_work_init(void);
void tor_work_exit(void);

/* Operations, each in the file of its subject. */
unsigned int tor_op_derive(struct tor_actor *actor);
unsigned int tor_op_cancel(struct tor_actor *actor);
unsigned int tor_op_look(struct tor_actor *actor);
unsigned int tor_op_value(struct tor_actor *actor);
unsigned int tor_op_callback(struct tor_actor *actor);
unsigned int tor_op_leave_callback(struct tor_actor *actor);
unsigned int tor_op_family(struct tor_actor *actor);
unsigned int tor_op_expire(struct tor_actor *actor);
unsigned int tor_op_after(struct tor_actor *actor);
unsigned int tor_op_leave_after(struct tor_actor *actor);
unsigned int tor_op_link(struct tor_actor *actor);
unsigned int tor_op_tie(struct tor_actor *actor);
unsigned int tor_op_source(struct tor_actor *actor);
unsigned int tor_op_file(struct tor_actor *actor);
unsigned int tor_op_fd(struct tor_actor *actor);
unsigned int tor_op_work(struct tor_actor *actor);
unsigned int tor_op_thread(struct tor_actor *actor);
unsigned int tor_op_group(struct tor_actor *actor);
unsigned int tor_op_wait(struct tor_actor *actor);
unsigned int tor_op_timer(struct tor_actor *actor);
unsigned int tor_op_duel(struct tor_actor *actor);
unsigned int tor_op_drop(struct tor_actor *actor);

#endif /* _CTX_TORTURE_H */
