// SPDX-License-Identifier: GPL-2.0
/*
 * Where arguments are: in pages that all processes of a program share, before a hole,
 * or in the same pages as they are seen read-only.
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

#define PAGE	4096
#define PAGES	8

/* PAGES of memory, a hole, the same for reading only, a hole. */
static uint8_t *memory;

static void map(size_t at, int prot, int fd)
{
	if (mmap(memory + at, PAGES * PAGE, prot, MAP_SHARED | MAP_FIXED | MAP_POPULATE, fd, 0) ==
	    MAP_FAILED)
		fuzz_violation("mmap: %m");
}

void fuzz_memory_init(void)
{
	const int fd = memfd_create("fuzz", MFD_CLOEXEC);

	memory = mmap(NULL, (2 * PAGES + 2) * PAGE, PROT_NONE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED || ftruncate(fd, PAGES * PAGE))
		fuzz_violation("memory: %m");
	map(0, PROT_READ | PROT_WRITE, fd);
	map((PAGES + 1) * PAGE, PROT_READ, fd);
	close(fd);
}

/* Whether all of it can be read and written. */
bool fuzz_is_plain(uint8_t where)
{
	where &= 15;
	return !where || where > 9;
}

/* The low half of @where says in which way it is odd, the high one how far. */
void *fuzz_put(enum fuzz_place place, const void *data, size_t len, uint8_t where)
{
	uint8_t *const hole = memory + PAGES * PAGE;
	uint8_t *at = memory + place * 2 * PAGE;

	switch (where & 15) {
	case 1:		/* right before the hole */
		at = hole - len;
		break;
	case 2:		/* into it */
		at = hole - len + (where >> 4) + 1;
		if (at < hole)
			memcpy(at, data, hole - at);
		return at;
	case 3:		/* read-only */
		memcpy(at, data, len);
		return at + (PAGES + 1) * PAGE;
	case 4:
		return NULL;
	case 5:		/* the kernel's */
		return (void *)0xffff888000001000;
	case 6:		/* nobody's */
		return (void *)0x8000000000000000;
	case 7:
		at += 1 + (where >> 4);
		break;
	case 8:		/* in two pages */
		at += PAGE - (where >> 4) - 1;
		break;
	case 9:
		return hole;
	}
	memcpy(at, data, len);
	return at;
}

/* Changes arguments while others make requests with them. */
void fuzz_scribble(unsigned int rounds)
{
	while (rounds--) {
		uint32_t *at = (uint32_t *)(memory + rounds % 3 * 2 * PAGE);
		int i;

		for (i = 0; i < 12; i++)
			__atomic_fetch_xor(&at[i], 1 << rounds % 12, __ATOMIC_RELAXED);
	}
}
