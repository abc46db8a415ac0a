// SPDX-License-Identifier: GPL-2.0
/*
 * Programs as text, for people and for the tree: an operation a line, its numbers after
 * it, of which those at the end may be left out if they are 0. A blank line ends a
 * program; what follows a # is for the reader.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

/* Appends the operation in @line; returns how long the program is then. */
static size_t parse_line(char *line, uint8_t *bytes, size_t len, size_t room)
{
	char *word = strtok(line, " \t\n");
	const int code = fuzz_op_code(word);
	int i, nr;

	if (code < 0) {
		fprintf(stderr, "fuzz: there is no operation '%s'\n", word);
		exit(1);
	}
	nr = fuzz_op_of(code)->nr_args;
	if (len + 1 + nr > room) {
		fprintf(stderr, "fuzz: a program is longer than %zu bytes\n", room);
		exit(1);
	}
	bytes[len++] = code;
	for (i = 0; i < nr; i++) {
		word = strtok(NULL, " \t\n");
		bytes[len++] = word ? strtoul(word, NULL, 0) : 0;
	}
	if (strtok(NULL, " \t\n")) {
		fprintf(stderr, "fuzz: '%s' takes %d numbers\n", fuzz_op_of(code)->name, nr);
		exit(1);
	}
	return len;
}

static bool is_blank(const char *line)
{
	return line[strspn(line, " \t\n")] == '\0';
}

/* The next program of @file; 0 and !@more at its end. */
size_t fuzz_parse(FILE *file, uint8_t *bytes, size_t room, bool *more)
{
	char line[512];
	size_t len = 0;
	bool comment;

	while (fgets(line, sizeof(line), file)) {
		comment = strchr(line, '#');
		line[strcspn(line, "#")] = '\0';
		if (!is_blank(line))
			len = parse_line(line, bytes, len, room);
		else if (len && !comment)
			break;
	}
	*more = len;
	return len;
}

void fuzz_print(FILE *file, const uint8_t *bytes, size_t len)
{
	struct fuzz_program program = { .at = bytes, .end = bytes + len };
	uint8_t args[FUZZ_ARGS_MAX];
	const struct fuzz_op *op;
	int i, nr;

	while ((op = fuzz_next_op(&program, args))) {
		for (nr = op->nr_args; nr && !args[nr - 1]; nr--)
			;
		fputs(op->name, file);
		for (i = 0; i < nr; i++)
			fprintf(file, " %u", args[i]);
		fputc('\n', file);
	}
	fputc('\n', file);
}
