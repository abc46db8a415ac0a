// SPDX-License-Identifier: GPL-2.0
/*
 * Reads one JSON document (RFC 8259), strictly, and prints each value in it that is
 * no array or object on a line, as "0.name=VALUE". Says what is wrong, and fails, if
 * it is no JSON, or if an object has a name twice.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_TEXT	(16 * 1024 * 1024)
#define MAX_DEPTH	100

static char text[MAX_TEXT + 1], path[4096];
static const char *at = text;

static void value(int depth);

static void fail(const char *what)
{
	printf("no JSON at byte %zu: %s\n", (size_t)(at - text), what);
	exit(1);
}

static void blanks(void)
{
	while (*at && strchr(" \t\n\r", *at))
		at++;
}

static void expect(char c)
{
	char what[] = "expected _";

	blanks();
	what[sizeof(what) - 2] = c;
	if (*at != c)
		fail(what);
	at++;
}

static void continuation(int bytes, unsigned int code, unsigned int least)
{
	at++;
	while (bytes--) {
		if ((*at & 0xc0) != 0x80)
			fail("broken UTF-8");
		code = code << 6 | (*at++ & 0x3f);
	}
	if (code < least || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
		fail("not a code point");
}

static void utf8(void)
{
	unsigned char c = *at;

	if (c < 0x20)
		fail("a control character, or the end, in a string");
	else if (c < 0x80)
		at++;
	else if (c < 0xc0)
		fail("broken UTF-8");
	else if (c < 0xe0)
		continuation(1, c & 0x1f, 0x80);
	else if (c < 0xf0)
		continuation(2, c & 0x0f, 0x800);
	else
		continuation(3, c & 0x07, 0x10000);
}

static void escape(void)
{
	at++;
	if (*at && strchr("\"\\/bfnrt", *at)) {
		at++;
		return;
	}
	if (*at++ != 'u')
		fail("nothing that stands behind a backslash");
	for (int i = 0; i < 4; i++, at++)
		if (!isxdigit((unsigned char)*at))
			fail("four hexadecimal digits expected");
}

static void string(void)
{
	expect('"');
	while (*at != '"') {
		if (*at == '\\')
			escape();
		else
			utf8();
	}
	at++;
}

static void digits(void)
{
	if (!isdigit((unsigned char)*at))
		fail("a digit expected");
	while (isdigit((unsigned char)*at))
		at++;
}

static void number(void)
{
	if (*at == '-')
		at++;
	if (*at == '0')
		at++;
	else
		digits();
	if (*at == '.') {
		at++;
		digits();
	}
	if (*at == 'e' || *at == 'E') {
		at++;
		if (*at == '+' || *at == '-')
			at++;
		digits();
	}
}

static int word(const char *name)
{
	if (strncmp(at, name, strlen(name)))
		return 0;
	at += strlen(name);
	return 1;
}

/* A value called @name within what @path is. */
static void member(const char *name, int len, int depth)
{
	size_t old = strlen(path);

	snprintf(path + old, sizeof(path) - old, "%s%.*s", old ? "." : "", len, name);
	value(depth);
	path[old] = '\0';
}

static void array(int depth)
{
	char name[16];
	int nr = 0;

	expect('[');
	blanks();
	if (*at == ']') {
		at++;
		return;
	}
	do {
		snprintf(name, sizeof(name), "%d", nr++);
		member(name, strlen(name), depth);
		blanks();
	} while (*at == ',' && at++);
	expect(']');
}

static void object(int depth)
{
	struct { const char *text; int len; } names[100];
	int nr = 0;

	expect('{');
	blanks();
	if (*at == '}') {
		at++;
		return;
	}
	do {
		blanks();
		names[nr].text = at + 1;
		string();
		names[nr].len = at - 1 - names[nr].text;
		for (int i = 0; i < nr; i++)
			if (names[i].len == names[nr].len &&
			    !strncmp(names[i].text, names[nr].text, names[nr].len))
				fail("a name for the second time");
		expect(':');
		member(names[nr].text, names[nr].len, depth);
		if (++nr == 100)
			fail("more names than this program has room for");
		blanks();
	} while (*at == ',' && at++);
	expect('}');
}

static void value(int depth)
{
	const char *start;

	blanks();
	if (depth == MAX_DEPTH)
		fail("too deep");
	if (*at == '[' || *at == '{') {
		if (*at == '[')
			array(depth + 1);
		else
			object(depth + 1);
		return;
	}
	start = at;
	if (*at == '"')
		string();
	else if (!word("true") && !word("false") && !word("null"))
		number();
	printf("%s=%.*s\n", path, (int)(at - start), start);
}

int main(void)
{
	size_t len = fread(text, 1, MAX_TEXT, stdin);

	if (strlen(text) != len)
		fail("a NUL byte");
	value(0);
	blanks();
	if (*at)
		fail("something after the document");
	return 0;
}
