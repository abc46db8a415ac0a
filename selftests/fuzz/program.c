// SPDX-License-Identifier: GPL-2.0
/*
 * Programs: which bytes are which operation. Half of all first bytes are requests.
 */
#include <string.h>

#include "fuzz.h"

#define CALLS	128

struct fuzz_program *fuzz_running;

const struct fuzz_op *fuzz_op_of(uint8_t code)
{
	if (code < CALLS)
		return &fuzz_requests[code % fuzz_nr_requests];
	return &fuzz_calls[(code - CALLS) % fuzz_nr_calls];
}

static int find(const struct fuzz_op *ops, int nr, const char *name)
{
	int i;

	for (i = 0; i < nr; i++)
		if (!strcmp(ops[i].name, name))
			return i;
	return -1;
}

/* The byte that stands for @name, or -1. */
int fuzz_op_code(const char *name)
{
	int code = find(fuzz_requests, fuzz_nr_requests, name);

	if (code >= 0)
		return code;
	code = find(fuzz_calls, fuzz_nr_calls, name);
	return code < 0 ? -1 : CALLS + code;
}

/* What the end cuts off is 0. */
const struct fuzz_op *fuzz_next_op(struct fuzz_program *program, uint8_t *args)
{
	const struct fuzz_op *op;
	int i;

	if (program->at >= program->end)
		return NULL;
	op = fuzz_op_of(*program->at++);
	for (i = 0; i < op->nr_args; i++)
		args[i] = program->at < program->end ? *program->at++ : 0;
	return op;
}

static unsigned int fail_next;

/* The next operation has its nth allocation or copy fail. */
void fuzz_fail_next(unsigned int nth)
{
	fail_next = nth;
}

void fuzz_run_op(const struct fuzz_op *op, const uint8_t *args)
{
	const unsigned int fail = op->spared ? 0 : fail_next;

	fail_next = 0;
	if (op->waits)
		fuzz_tick(true);
	if (fail)
		fuzz_fail(fail);
	op->run(args);
	if (fail)
		fuzz_fail(0);
	if (op->waits)
		fuzz_tick(false);
}

void fuzz_run_some(struct fuzz_program *program, int nr)
{
	uint8_t args[FUZZ_ARGS_MAX];
	const struct fuzz_op *op;

	fuzz_running = program;
	while (nr-- && (op = fuzz_next_op(program, args))) {
		if (!fuzz_is_helper() && fuzz_now->steps < FUZZ_STEPS_MAX)
			fuzz_now->step[fuzz_now->steps++] = fuzz_kcov_position();
		fuzz_run_op(op, args);
	}
}

void fuzz_run(struct fuzz_program *program)
{
	fail_next = 0;
	fuzz_run_some(program, -1);
}
