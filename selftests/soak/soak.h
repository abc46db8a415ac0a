/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A soak: processes that hold contexts, and are killed, for as long as one likes.
 *
 *   soak.c     rounds of load, each followed by silence
 *   worker.c   starts holders, and kills them
 *   holder.c   holds a tree of contexts, or all the memory that there is
 *   keeper.c   keeps deadlines, and sees that each of them comes
 *   quiet.c    nobody holds anything: is anything left?
 */
#ifndef SOAK_H
#define SOAK_H

#include <stdbool.h>
#include <stdint.h>

#define GROUP	"/sys/fs/cgroup/soak"	/* with little memory */

/* What a holder does beyond holding. */
enum role {
	ROLE_WAIT,	/* for its contexts */
	ROLE_CHURN,	/* derives and lets go */
	ROLE_HOG,	/* takes memory, until there is none */
	ROLE_VALUES,	/* takes memory in values, which is the kernel's */
	ROLES
};

/* What all processes see. */
struct soak {
	long stop;
	long hogging;		/* one at a time takes the whole machine's memory */
	long wrong;
	long killed;
	long kept;		/* deadlines that came */
	long refused;		/* derivations for want of memory */
	int64_t latest;		/* ns that one came late at most */
};

extern struct soak *soak;

static inline void add(long *number, long n)
{
	__atomic_add_fetch(number, n, __ATOMIC_SEQ_CST);
}

static inline long see(const long *number)
{
	return __atomic_load_n(number, __ATOMIC_SEQ_CST);
}

/* Random numbers, which the seed decides for each process. */
struct dice {
	uint64_t state;
};

void dice_init(struct dice *dice, uint64_t seed, unsigned int process);
unsigned int dice_below(struct dice *dice, unsigned int bound);

int64_t now(void);
void die(const char *what);
void wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));

void worker(struct dice *dice);
void holder(struct dice *dice, enum role role, bool in_group);
void keeper(struct dice *dice);
void quiet_check(int background, int round);

#endif /* SOAK_H */
