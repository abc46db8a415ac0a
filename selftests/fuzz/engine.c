// SPDX-License-Identifier: GPL-2.0
/*
 * What libFuzzer calls. It mutates inputs, keeps those that reach what none has before,
 * and saves the one that is wrong. FUZZ_SHARED: the file that fuzzers of this machine
 * share; FUZZ_NUMBER: which of them this is.
 */
#include <stdlib.h>

#include "fuzz.h"

#define EDGES	0x8000

/* Cleared before each input and looked at after it. */
static uint8_t edges[EDGES] __attribute__((section("__libfuzzer_extra_counters"), aligned(64)));

static void count_edge(uint32_t edge)
{
	if (edges[edge] != UINT8_MAX)
		edges[edge]++;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *number = getenv("FUZZ_NUMBER"), *shared = getenv("FUZZ_SHARED");

	(void)argc;
	(void)argv;
	fuzz_number = number ? strtoul(number, NULL, 0) : 0;
	if (!fuzz_init(shared ? shared : "/tmp/fuzz.shared"))
		exit(1);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	if (len > FUZZ_INPUT_MAX)
		return 0;
	if (!fuzz_execute(bytes, len)) {
		fprintf(stderr, "fuzz: WRONG: %s; the program:\n", fuzz_now->violation);
		fuzz_print(stderr, bytes, len);
		abort();
	}
	fuzz_kcov_collect(count_edge, EDGES);
	return 0;
}
