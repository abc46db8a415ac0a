/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of ctx_bench_load.ko share. It loads the tree as far as a
 * machine goes: many CPUs on one parent, many contexts, many deadlines at once.
 * Measures go to the kernel's log, one a line: "bench: NAME UNIT VALUE".
 */
#ifndef _CTX_BENCH_LOAD_H
#define _CTX_BENCH_LOAD_H

#include <linux/completion.h>
#include <linux/ktime.h>
#include <linux/sched.h>
#include <linux/types.h>

#define load_say(fmt, ...)	pr_info("ctx_bench_load: " fmt "\n", ##__VA_ARGS__)
#define load_measure(unit, value, fmt, ...)					\
	pr_info("bench: " fmt " " unit " %lld\n", ##__VA_ARGS__, (long long)(value))

/* main.c: parameters */
extern unsigned int load_rounds;
extern unsigned int load_round_ms;
extern unsigned int load_contexts;
extern unsigned int load_groups;
extern unsigned int load_deadlines;
extern unsigned int load_spread_ms;
extern unsigned int load_period_ns;

int load_contend(void);
int load_scale(void);
int load_storm(void);

/* thread.c */

/* A thread on a CPU of its own. */
struct load_thread {
	struct task_struct *task;
	struct completion returned;
	int (*fn)(void *data);
	void *data;
	int result;
};

int load_thread_start(struct load_thread *thread, unsigned int cpu, int (*fn)(void *data),
		      void *data);
int load_thread_join(struct load_thread *thread);
int load_on_cpus(unsigned int cpus, int (*fn)(void *data), void *data, size_t size);

/* samples.c */

struct load_sample {
	s64 value;		/* nanoseconds; first: see load_compare() */
	s64 when;		/* ktime at the end of it */
};

/* Durations, of which the distribution counts. One writer at a time. */
struct load_samples {
	struct load_sample *at;
	size_t size;
	size_t n;
	size_t dropped;		/* more than there was room for */
};

int load_samples_init(struct load_samples *samples, size_t size);
void load_samples_free(struct load_samples *samples);
void load_samples_move(struct load_samples *to, const struct load_samples *from, ktime_t first,
		       ktime_t last);
void load_samples_print(struct load_samples *samples, const char *name, const char *what);
int load_compare(const void *a, const void *b);

static inline void load_samples_add(struct load_samples *samples, s64 value, ktime_t when)
{
	if (samples->n < samples->size)
		samples->at[samples->n++] = (struct load_sample){ value, when };
	else
		samples->dropped++;
}

/* probe.c */
int load_probe_start(void);
int load_probe_stop(const char *name, ktime_t first, ktime_t last);
int load_probe_check(void);

/* scale.c */
long load_slab_pages(void);
int load_slab_back(const char *name, long before);

#endif /* _CTX_BENCH_LOAD_H */
