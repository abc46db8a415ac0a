// SPDX-License-Identifier: GPL-2.0
/*
 * What all fuzzers of a machine share: counters, the points that were reached, and the
 * latest inputs, each in a page that can be found in the memory of a dead machine.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

_Static_assert(sizeof(struct fuzz_input) == 4096, "an input has a page");
_Static_assert(sizeof(((struct fuzz_input *)0)->bytes) >= FUZZ_INPUT_MAX, "and fits in there");

struct fuzz_shared *fuzz_shared;
struct fuzz_run *fuzz_now;
unsigned int fuzz_number;

static void *map_shared(size_t size, int fd)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE,
			MAP_SHARED | (fd < 0 ? MAP_ANONYMOUS : 0), fd, 0);

	return at == MAP_FAILED ? NULL : at;
}

bool fuzz_shared_init(const char *path)
{
	const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || ftruncate(fd, sizeof(*fuzz_shared)))
		return false;
	fuzz_shared = map_shared(sizeof(*fuzz_shared), fd);
	close(fd);
	fuzz_now = map_shared(sizeof(*fuzz_now), -1);
	return fuzz_shared && fuzz_now;
}

/* The newest have the highest numbers. */
struct fuzz_input *fuzz_keep_input(const uint8_t *bytes, size_t len)
{
	static uint64_t number;
	struct fuzz_input *input = &fuzz_shared->inputs[fuzz_number % FUZZ_FUZZERS]
						       [number % FUZZ_KEPT];

	memcpy(input->bytes, bytes, len);
	input->len = len;
	input->fuzzer = fuzz_number;
	input->number = number++;
	memcpy(input->magic, FUZZ_MAGIC, sizeof(FUZZ_MAGIC));
	return input;
}

void fuzz_count(uint64_t *counter, uint64_t n)
{
	__atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

/* The kernel, or the harness, does what it must not. The engine tells. */
void fuzz_violation(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	vsnprintf(fuzz_now->violation, sizeof(fuzz_now->violation), format, list);
	va_end(list);
	fuzz_now->violated = true;
	_exit(FUZZ_VIOLATED);
}
