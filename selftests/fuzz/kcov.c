// SPDX-License-Identifier: GPL-2.0
/*
 * What of ctx.ko a program reached, as the kernel's kcov tells: each process has a trace
 * of the points that it passed. Of the kernel nothing else is built with that.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/kcov.h>

#include "fuzz.h"

#define TRACES		(1 + FUZZ_HELPERS)
#define TRACE_MAX	0x20000

static struct {
	int fd;
	uint64_t *trace;	/* how many, and then those */
} kcov[TRACES];
static uint64_t text;

static bool open_trace(int i)
{
	kcov[i].fd = fuzz_keep(open("/sys/kernel/debug/kcov", O_RDWR | O_CLOEXEC));
	if (kcov[i].fd < 0 || ioctl(kcov[i].fd, KCOV_INIT_TRACE, TRACE_MAX))
		return false;
	kcov[i].trace = mmap(NULL, TRACE_MAX * sizeof(uint64_t), PROT_READ | PROT_WRITE,
			     MAP_SHARED, kcov[i].fd, 0);
	return kcov[i].trace != MAP_FAILED;
}

static uint64_t text_address(void)
{
	FILE *file = fopen("/sys/module/ctx/sections/.text", "r");
	unsigned long address = 0;

	if (file && fscanf(file, "%lx", &address) != 1)
		address = 0;
	if (file)
		fclose(file);
	return address;
}

/* Whether there is any: not every kernel has it. */
bool fuzz_kcov_init(void)
{
	int i;

	text = text_address();
	for (i = 0; i < TRACES; i++) {
		if (!text || !open_trace(i)) {
			kcov[0].trace = NULL;
			return false;
		}
	}
	return true;
}

/* From here on, of this process: 0 is the executor. */
void fuzz_kcov_start(unsigned int which)
{
	if (!kcov[0].trace)
		return;
	__atomic_store_n(&kcov[which].trace[0], 0, __ATOMIC_RELAXED);
	if (ioctl(kcov[which].fd, KCOV_ENABLE, KCOV_TRACE_PC) && !which)
		fuzz_violation("KCOV_ENABLE: %m");
}

/* Starts anew. */
void fuzz_kcov_reset(void)
{
	if (kcov[0].trace)
		__atomic_store_n(&kcov[0].trace[0], 0, __ATOMIC_RELAXED);
}

uint64_t fuzz_kcov_position(void)
{
	return kcov[0].trace ? __atomic_load_n(&kcov[0].trace[0], __ATOMIC_RELAXED) : 0;
}

static void reach(uint64_t offset)
{
	const uint64_t bit = 1ULL << offset % 64;
	uint64_t *word = &fuzz_shared->reached[offset / 64];

	if (!(__atomic_load_n(word, __ATOMIC_RELAXED) & bit) &&
	    !(__atomic_fetch_or(word, bit, __ATOMIC_RELAXED) & bit))
		fuzz_count(&fuzz_shared->points, 1);
}

/* Which edges @nr points are: those within an operation, the first of each from nowhere. */
static void walk(const uint64_t *trace, uint64_t nr, const uint32_t *step, uint32_t steps,
		 void (*edge)(uint32_t), uint32_t edges)
{
	uint64_t i, last = 0;
	uint32_t s = 0;

	for (i = 0; i < nr; i++) {
		const uint64_t offset = trace[i] - text;

		for (; s < steps && step[s] <= i; s++)
			last = 0;
		if (offset >= FUZZ_TEXT_MAX)
			continue;
		reach(offset);
		edge(((last * 31) ^ offset) * 0x9e3779b1 % edges);
		last = offset;
	}
}

/* Of the last input: calls @edge for each, with a number below @edges. */
void fuzz_kcov_collect(void (*edge)(uint32_t), uint32_t edges)
{
	int i;

	for (i = 0; kcov[0].trace && i < TRACES; i++) {
		uint64_t *const trace = kcov[i].trace;
		uint64_t nr = trace[0];

		if (!i && fuzz_now->trace_end < nr)
			nr = fuzz_now->trace_end;
		walk(trace + 1, nr < TRACE_MAX ? nr : TRACE_MAX - 1, fuzz_now->step,
		     i ? 0 : fuzz_now->steps, edge, edges);
		trace[0] = 0;
	}
}
