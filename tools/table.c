// SPDX-License-Identifier: GPL-2.0
/* Tables for terminals and for pipes; see table.h. */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "table.h"

/* Cells come row by row. A @style is given only where colours are wanted. */
void table_add(struct table *table, const char *style, const char *fmt, ...)
{
	struct cell *cell;
	va_list args;
	int len;

	if (table->nr == table->size) {
		table->size = table->size ? 2 * table->size : 128;
		table->cells = realloc(table->cells, table->size * sizeof(*table->cells));
		if (!table->cells)
			die("out of memory");
	}
	cell = &table->cells[table->nr++];
	va_start(args, fmt);
	len = vasprintf(&cell->text, fmt, args);
	va_end(args);
	if (len < 0)
		die("out of memory");
	cell->style = style;
	make_harmless(cell->text);
}

/* Characters, of which each is taken to be one column wide. */
static size_t width_of(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += (*text & 0xc0) != 0x80;
	return width;
}

/* How many bytes of @text fit into @width characters. */
static size_t bytes_of(const char *text, size_t width)
{
	size_t i;

	for (i = 0; text[i]; i++)
		if ((text[i] & 0xc0) != 0x80 && !width--)
			break;
	return i;
}

static void measure(const struct table *table, size_t *widths)
{
	for (size_t i = 0; i < table->nr; i++) {
		size_t width = width_of(table->cells[i].text);

		if (width > widths[i % table->columns])
			widths[i % table->columns] = width;
	}
}

static void pad(FILE *out, size_t width)
{
	fprintf(out, "%*s", (int)width, "");
}

/* Prints @cell at most @room wide; the last one of a row is not filled up. */
static void print_cell(FILE *out, const struct cell *cell, size_t width, size_t room,
		       bool right, bool last)
{
	size_t own = width_of(cell->text);
	size_t fill = own < width ? width - own : 0;

	if (fill > room)
		fill = room;
	if (right)
		pad(out, fill);
	if (cell->style)
		fputs(cell->style, out);
	fwrite(cell->text, 1, bytes_of(cell->text, right ? room - fill : room), out);
	if (cell->style)
		fputs(STYLE_OFF, out);
	if (!right && !last)
		pad(out, own < room ? (fill < room - own ? fill : room - own) : 0);
}

static void print_row(const struct table *table, FILE *out, const struct cell *row,
		      const size_t *widths, size_t room)
{
	for (size_t i = 0; i < table->columns; i++) {
		bool last = i + 1 == table->columns;

		print_cell(out, &row[i], widths[i], room, table->right[i] == 'r', last);
		room -= widths[i] < room ? widths[i] : room;
		if (last || room < 2)
			break;
		fputs("  ", out);
		room -= 2;
	}
	fputc('\n', out);
}

/* Lines are cut at @width characters, unless that is 0. */
void table_print(const struct table *table, FILE *out, size_t width)
{
	size_t *widths = calloc(table->columns, sizeof(*widths));

	if (!widths)
		die("out of memory");
	measure(table, widths);
	for (size_t i = 0; i < table->nr; i += table->columns)
		print_row(table, out, &table->cells[i], widths, width ? width : SIZE_MAX);
	free(widths);
}

void table_free(struct table *table)
{
	for (size_t i = 0; i < table->nr; i++)
		free(table->cells[i].text);
	free(table->cells);
	table->cells = NULL;
	table->nr = 0;
	table->size = 0;
}
