// SPDX-License-Identifier: GPL-2.0
/*
 * What is done with programs but fuzzing.
 *
 * usage: fuzz-tool assemble DIRECTORY < TEXT   a file there for each program
 *        fuzz-tool print FILE...               what those files are, as text
 *        fuzz-tool status FILE                 counters of what fuzzers share
 *        fuzz-tool points FILE                 the points of ctx.ko that they reached
 *        fuzz-tool inputs FILE                 the latest programs in a dead machine's memory
 *        fuzz-tool keep DIRECTORY              runs all there, prints those that matter
 *        fuzz-tool run < TEXT                  runs each program once
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

#define EDGES	0x20000
#define SHARED	"/tmp/fuzz.tool"

static uint8_t bytes[FUZZ_INPUT_MAX];

static int assemble(const char *directory)
{
	char path[512];
	bool more = true;
	size_t len;
	FILE *file;
	int nr;

	for (nr = 1; (len = fuzz_parse(stdin, bytes, sizeof(bytes), &more)), more; nr++) {
		snprintf(path, sizeof(path), "%s/%04d", directory, nr);
		file = fopen(path, "w");
		if (!file || fwrite(bytes, 1, len, file) != len || fclose(file)) {
			perror(path);
			return 1;
		}
	}
	return 0;
}

static size_t load(const char *path)
{
	FILE *file = fopen(path, "r");
	size_t len;

	if (!file) {
		perror(path);
		exit(1);
	}
	len = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	return len;
}

static int print(char **path)
{
	for (; *path; path++)
		fuzz_print(stdout, bytes, load(*path));
	return 0;
}

static int status(const char *path)
{
	if (!fuzz_shared_init(path))
		return 1;
	printf("ioctls %llu\nsucceeded %llu\nprograms %llu\ndeaths %llu\npoints %llu\n",
	       (unsigned long long)fuzz_shared->ioctls, (unsigned long long)fuzz_shared->done,
	       (unsigned long long)fuzz_shared->execs, (unsigned long long)fuzz_shared->deaths,
	       (unsigned long long)fuzz_shared->points);
	return 0;
}

static int points(const char *path)
{
	int i;

	if (!fuzz_shared_init(path))
		return 1;
	for (i = 0; i < FUZZ_TEXT_MAX; i++)
		if (fuzz_shared->reached[i / 64] & 1ULL << i % 64)
			printf("point %x\n", i);
	return 0;
}

static int by_number(const void *a, const void *b)
{
	const struct fuzz_input *one = *(const struct fuzz_input **)a;
	const struct fuzz_input *other = *(const struct fuzz_input **)b;

	if (one->fuzzer != other->fuzzer)
		return one->fuzzer < other->fuzzer ? -1 : 1;
	return one->number < other->number ? -1 : one->number > other->number;
}

/* The oldest of each fuzzer first. */
static int inputs(const char *path)
{
	const struct fuzz_input *found[FUZZ_FUZZERS * FUZZ_KEPT];
	const int fd = open(path, O_RDONLY);
	const off_t size = lseek(fd, 0, SEEK_END);
	const char *memory = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	unsigned int i, nr = 0;
	off_t at;

	if (memory == MAP_FAILED) {
		perror(path);
		return 1;
	}
	for (at = 0; at < size && nr < FUZZ_FUZZERS * FUZZ_KEPT; at += sizeof(*found[0]))
		if (!memcmp(memory + at, FUZZ_MAGIC, sizeof(FUZZ_MAGIC)))
			found[nr++] = (const void *)(memory + at);
	qsort(found, nr, sizeof(found[0]), by_number);
	for (i = 0; i < nr; i++) {
		printf("# fuzzer %u, program %llu\n", found[i]->fuzzer,
		       (unsigned long long)found[i]->number);
		if (found[i]->len <= FUZZ_INPUT_MAX)
			fuzz_print(stdout, found[i]->bytes, found[i]->len);
	}
	return 0;
}

static uint8_t edges[EDGES];
static int new_edges;

static void note_edge(uint32_t edge)
{
	new_edges += !edges[edge];
	edges[edge] = 1;
}

static void nothing(uint32_t edge)
{
	(void)edge;
}

/* Ends the tool if @len bytes are wrong. */
static void run_one(size_t len, void (*edge)(uint32_t))
{
	if (!fuzz_execute(bytes, len)) {
		fprintf(stderr, "fuzz: WRONG: %s; the program:\n", fuzz_now->violation);
		fuzz_print(stderr, bytes, len);
		exit(1);
	}
	fuzz_kcov_collect(edge, EDGES);
}

static const char *keep_directory;

static size_t size_of(const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", keep_directory, name);
	return load(path);
}

static int by_size(const struct dirent **a, const struct dirent **b)
{
	const size_t one = size_of((*a)->d_name), other = size_of((*b)->d_name);

	return one < other ? -1 : one > other;
}

static int visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* The small ones first: what they reach, the others need not. */
static int keep(const char *directory)
{
	struct dirent **names;
	int i, nr;
	size_t len;

	keep_directory = directory;
	nr = scandir(directory, &names, visible, by_size);
	if (nr < 0 || !fuzz_init(SHARED))
		return 1;
	for (i = 0; i < nr; i++) {
		len = size_of(names[i]->d_name);
		new_edges = 0;
		run_one(len, note_edge);
		if (new_edges)
			fuzz_print(stdout, bytes, len);
	}
	return 0;
}

static int run(void)
{
	bool more = true;
	size_t len;
	int nr;

	if (!fuzz_init(SHARED))
		return 1;
	for (nr = 0; (len = fuzz_parse(stdin, bytes, sizeof(bytes), &more)), more; nr++)
		run_one(len, nothing);
	printf("# %d programs, %llu requests, of which %llu succeeded\n", nr,
	       (unsigned long long)fuzz_shared->ioctls, (unsigned long long)fuzz_shared->done);
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (argc == 3 && !strcmp(what, "assemble"))
		return assemble(argv[2]);
	if (argc > 2 && !strcmp(what, "print"))
		return print(argv + 2);
	if (argc == 3 && !strcmp(what, "status"))
		return status(argv[2]);
	if (argc == 3 && !strcmp(what, "points"))
		return points(argv[2]);
	if (argc == 3 && !strcmp(what, "inputs"))
		return inputs(argv[2]);
	if (argc == 3 && !strcmp(what, "keep"))
		return keep(argv[2]);
	if (argc == 2 && !strcmp(what, "run"))
		return run();
	fprintf(stderr, "fuzz-tool: no such use; see tool.c\n");
	return 1;
}
