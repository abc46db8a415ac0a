/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The fuzzer of /dev/ctx: what its parts share.
 *
 * An input is a program: a byte that says which operation, then as many bytes as that
 * takes, each a number that it makes something of; any bytes are a program. The engine
 * hands each to an executor, a process that runs it and then gives everything back.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define FUZZ_NR(array)	(sizeof(array) / sizeof(*(array)))

/* Programs */

#define FUZZ_INPUT_MAX	2048
#define FUZZ_ARGS_MAX	16

struct fuzz_op {
	const char *name;
	int nr_args;
	void (*run)(const uint8_t *arg);
	bool waits;		/* in a call that only a signal may end */
	bool spared;		/* nothing of it fails on purpose */
};

extern const struct fuzz_op fuzz_requests[], fuzz_calls[];
extern const int fuzz_nr_requests, fuzz_nr_calls;

/* A program that is being run: what is left of it. */
struct fuzz_program {
	const uint8_t *at;
	const uint8_t *end;
};

const struct fuzz_op *fuzz_op_of(uint8_t code);
int fuzz_op_code(const char *name);
const struct fuzz_op *fuzz_next_op(struct fuzz_program *program, uint8_t *args);
void fuzz_run_op(const struct fuzz_op *op, const uint8_t *args);
void fuzz_run(struct fuzz_program *program);
void fuzz_run_some(struct fuzz_program *program, int nr);

/* The program that is being run, for those that fork. */
extern struct fuzz_program *fuzz_running;

void fuzz_fail_next(unsigned int nth);

/* Programs as text: one operation a line, its numbers after it, a blank line between two */
size_t fuzz_parse(FILE *file, uint8_t *bytes, size_t room, bool *more);
void fuzz_print(FILE *file, const uint8_t *bytes, size_t len);

/* Descriptors: a program's are below FUZZ_FD_OURS, and those of the harness above */

#define FUZZ_FD_OURS	200
#define FUZZ_FD_LIMIT	256

enum fuzz_kind {
	FUZZ_CTX,
	FUZZ_EVENTFD,
	FUZZ_PIPE_READ,
	FUZZ_PIPE_WRITE,
	FUZZ_SOCKET,
	FUZZ_UNIX,
	FUZZ_TIMERFD,
	FUZZ_PIDFD,
	FUZZ_EPOLL,
	FUZZ_URING,
	FUZZ_PROCS,
	FUZZ_KILL,
	FUZZ_OTHER,
	FUZZ_KINDS
};

int fuzz_add(enum fuzz_kind kind, int fd);
void fuzz_close(int fd);
/* One of that kind, made if there is none; @which: 0 for the newest; see fd.c */
int fuzz_fd(enum fuzz_kind kind, uint8_t which);
void fuzz_make(enum fuzz_kind kind);
void fuzz_forget_fds(void);
int fuzz_keep(int fd);

/* Memory for arguments; see memory.c */

enum fuzz_place { FUZZ_PLACE_ARG, FUZZ_PLACE_KEY, FUZZ_PLACE_VALUE };

void fuzz_memory_init(void);
void *fuzz_put(enum fuzz_place place, const void *data, size_t len, uint8_t where);
bool fuzz_is_plain(uint8_t where);
void fuzz_scribble(unsigned int rounds);

/* Processes */

#define FUZZ_HELPERS	3

pid_t fuzz_helper(unsigned int which);
bool fuzz_is_helper(void);
bool fuzz_had_helpers(void);
void fuzz_end_helpers(void);
void fuzz_become(unsigned int which);
uid_t fuzz_uid(unsigned int which);
void fuzz_fail_init(void);
void fuzz_fail(unsigned int nth);
void fuzz_tick(bool on);

/* Cgroups */

#define FUZZ_CGROUPS	4

bool fuzz_cgroups_init(void);
const char *fuzz_cgroup(unsigned int which);
void fuzz_cgroups_reset(int background);

/* Rings */

int fuzz_ring_open(void);
void fuzz_rings_close(void);

/* What all processes see */

#define FUZZ_STEPS_MAX	1024
#define FUZZ_FUZZERS	4
#define FUZZ_KEPT	8
#define FUZZ_TEXT_MAX	0x100000
#define FUZZ_MAGIC	"ctx-fuzz-input\n"

/* An input, in a page of its own, to be found in the memory of a dead machine. */
struct fuzz_input {
	char magic[16];
	uint64_t number;
	uint32_t len;
	uint32_t fuzzer;
	uint8_t bytes[4096 - 32];
};

struct fuzz_shared {
	struct fuzz_input inputs[FUZZ_FUZZERS][FUZZ_KEPT];
	uint64_t execs;
	uint64_t ioctls;
	uint64_t done;			/* ... that succeeded */
	uint64_t deaths;		/* executors that a program killed */
	uint64_t points;
	uint64_t reached[FUZZ_TEXT_MAX / 64];	/* a bit for each address of ctx.ko's text */
};

extern struct fuzz_shared *fuzz_shared;
extern unsigned int fuzz_number;	/* of this fuzzer */

/* What the engine and its executor share, and the executor's helpers. */
struct fuzz_run {
	struct fuzz_input *input;
	uint64_t trace_end;
	uint32_t steps;
	uint32_t step[FUZZ_STEPS_MAX];	/* where in the trace each operation begins */
	uint32_t users;			/* who had contexts, see fuzz_uid() */
	uint64_t last_id;		/* the number that was told last */
	bool bound;			/* perhaps, a cgroup */
	bool removed;
	bool violated;
	char violation[256];
};

extern struct fuzz_run *fuzz_now;

bool fuzz_shared_init(const char *path);
struct fuzz_input *fuzz_keep_input(const uint8_t *bytes, size_t len);
void fuzz_count(uint64_t *counter, uint64_t n);
void fuzz_violation(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* Coverage */

bool fuzz_kcov_init(void);
void fuzz_kcov_start(unsigned int which);
void fuzz_kcov_reset(void);
uint64_t fuzz_kcov_position(void);
/* Of the last input: calls @edge for each, with a number below @edges. */
void fuzz_kcov_collect(void (*edge)(uint32_t), uint32_t edges);

/* What libFuzzer calls */

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* The executor */

#define FUZZ_VIOLATED	77

bool fuzz_init(const char *shared);
bool fuzz_execute(const uint8_t *bytes, size_t len);

#endif
