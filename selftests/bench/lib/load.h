/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the programs share that load /dev/ctx: several processes do the same, each
 * on a CPU of its own, in steps that all begin and end together.
 */
#ifndef LOAD_H
#define LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOAD_NSEC	INT64_C(1000000000)

/* Prints what failed, with errno, and ends the whole. */
void load_die(const char *what) __attribute__((noreturn));

int64_t load_now(void);
void *load_shared(size_t size);
void load_raise_files(unsigned long files);
void load_measure(const char *name, const char *unit, int64_t value);
void load_per_each(const char *name, int64_t ns, long n);

/*
 * Forks @n processes that call @fn(0) to @fn(n - 1). load_meet() of all of them
 * and of the first process returns once each of them has called it; it gives
 * up when somebody takes too long. load_join() returns false if one failed.
 */
void load_fork(unsigned int n, void (*fn)(unsigned int index));
void load_meet(void);
bool load_join(void);

/* Distributions; sorts @values. */
void load_distribution(const char *name, int64_t *values, size_t n);

/* A line of /proc/meminfo, in bytes. */
int64_t load_meminfo(const char *key);
bool load_slab_back(const char *name, int64_t before);

#endif /* LOAD_H */
