/* SPDX-License-Identifier: GPL-2.0 */
/* A table of texts, each column as wide as its widest cell. */
#ifndef TABLE_H
#define TABLE_H

#include "tool.h"

#define STYLE_RED	"\033[31m"
#define STYLE_GREEN	"\033[32m"
#define STYLE_YELLOW	"\033[33m"
#define STYLE_BOLD	"\033[1m"
#define STYLE_REVERSE	"\033[7m"
#define STYLE_OFF	"\033[0m"

struct cell {
	char *text;
	const char *style;	/* NULL: none */
};

struct table {
	size_t columns;
	const char *right;	/* by column: 'r' for one that ends on the right */
	struct cell *cells;
	size_t nr;
	size_t size;
};

__printf(3, 4) void table_add(struct table *table, const char *style, const char *fmt, ...);
void table_print(const struct table *table, FILE *out, size_t width);
void table_free(struct table *table);

#endif /* TABLE_H */
