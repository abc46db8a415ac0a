/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of the benchmark module share.
 *
 * A measure is a line "bench: NAME UNIT VALUE" in the kernel's log. In a virtual
 * machine that counts instructions, a nanosecond of the clock is an instruction.
 */
#ifndef _CTX_BENCH_H
#define _CTX_BENCH_H

#include <linux/ctx.h>
#include <linux/dma-fence.h>
#include <linux/types.h>

#undef pr_fmt
#define pr_fmt(fmt) "bench: " fmt

#define BENCH_HOUR	ms_to_ktime(3600 * 1000)
#define BENCH_OPS	1000	/* in a batch, of what takes some hundred instructions */

extern bool bench_quick;
extern bool bench_kept;

/* main.c */

/* @loop does something @ops times. */
__printf(4, 5)
void bench_loop(void (*loop)(void *data, unsigned int ops), void *data, unsigned int ops,
		const char *fmt, ...);
__printf(3, 4)
void bench_print(const char *unit, u64 tenths, const char *fmt, ...);
u64 bench_tenths(u64 total, u64 count);
u64 bench_median(u64 *samples, unsigned int count);
void bench_fail(const char *what);
struct ctx *bench_ctx(struct ctx *ctx);

/* peers.c */
struct dma_fence *bench_fence_new(void);

/* contexts.c: asking @ctx, over and over */
void bench_ask_err(void *ctx, unsigned int ops);
void bench_ask_done(void *ctx, unsigned int ops);

/* values.c */
struct bench_lookup {
	struct ctx *ctx;
	const void *key;
};

/*
 * Keys are addresses, and here the same each time: where a module comes to be depends on
 * what came before. Nobody reads what is there.
 */
static inline void *bench_key(unsigned int n)
{
	return (char *)MODULES_VADDR + n;
}

#define BENCH_CHAIN	10000	/* keys with a value, from 0 on */
#define BENCH_ABSENT	1024	/* behind them; some share a slot with what is there */

void bench_find(void *lookup, unsigned int ops);
struct ctx *bench_chain_of_values(unsigned int count);

/* timers.c */
struct ctx **bench_arm(struct ctx *parent, unsigned int count);
void bench_disarm(struct ctx **timeouts, unsigned int count);

/* trees.c: contexts with a callback each, below one that is cancelled */
struct bench_node {
	struct ctx *ctx;
	struct ctx_callback cb;
};

struct bench_tree {
	struct ctx *top;
	struct bench_node *nodes;
	unsigned int count;
	bool deep;		/* each the child of the one before, else all of the top */
	bool callbacks;
	unsigned int called;
	struct completion all_called;
};

bool bench_tree_alloc(struct bench_tree *tree, unsigned int count);
void bench_tree_build(struct bench_tree *tree);
void bench_tree_release(struct bench_tree *tree);
void bench_tree_free(struct bench_tree *tree);

/* One subject each */
void bench_floor(void);
void bench_peers(void);
void bench_contexts(void);
void bench_sources(void);
void bench_timers(void);
void bench_values(void);
void bench_trees(void);
void bench_trees_kept(void);
void bench_twins(void);
void bench_work(void);
void bench_irqsoff(void);
void bench_hold(unsigned int count, unsigned int length, unsigned int depth);
void bench_unhold(void);

#endif /* _CTX_BENCH_H */
