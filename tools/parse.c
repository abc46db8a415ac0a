// SPDX-License-Identifier: GPL-2.0
/* Durations, signals, causes, contexts and descriptors as people write them. */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <locale.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "tool.h"

/* Nanoseconds in the unit called @name, or 0 if there is none. */
static double unit(const char *name)
{
	static const struct {
		const char *name;
		double ns;
	} units[] = {
		{ "",   1e9 },
		{ "ms", 1e6 },
		{ "s",  1e9 },
		{ "m",  60e9 },
		{ "h",  3600e9 },
		{ "d",  86400e9 },
	};

	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (!strcmp(name, units[i].name))
			return units[i].ns;
	return 0;
}

/* As the user's locale has numbers: with a decimal comma, perhaps. */
static double parse_local(const char *text, char **end)
{
	locale_t locale = newlocale(LC_NUMERIC_MASK, "", 0), old;
	double number;

	/* Where there is no such locale it is as before. */
	if (!locale)
		return strtod(text, end);
	old = uselocale(locale);
	number = strtod(text, end);
	uselocale(old);
	freelocale(locale);
	return number;
}

/*
 * A number and a unit to nanoseconds, rounded up so that nothing ends early;
 * what is too long becomes CTX_FOREVER. Returns -1 if @text is no duration.
 */
int parse_duration(const char *text, int64_t *ns)
{
	double number, scaled;
	char *end;

	number = strtod(text, &end);
	if (!unit(end))
		number = parse_local(text, &end);
	if (end == text || isnan(number) || number < 0 || unit(end) == 0)
		return -1;
	scaled = number * unit(end);
	if (scaled >= (double)INT64_MAX)
		*ns = CTX_FOREVER;
	else
		*ns = (int64_t)scaled + (scaled > (double)(int64_t)scaled);
	return 0;
}

static int parse_number(const char *text, int max, int *number)
{
	char *end;
	long value;

	if (*text < '0' || *text > '9')
		return -1;
	errno = 0;
	value = strtol(text, &end, 10);
	if (errno || *end || value > max)
		return -1;
	*number = value;
	return 0;
}

/* RTMIN+3, RTMAX-1 and the like. */
static int parse_realtime(const char *text, int *number)
{
	bool from_min = !strncasecmp(text, "RTMIN", 5);
	int offset = 0;

	if (!from_min && strncasecmp(text, "RTMAX", 5))
		return -1;
	text += 5;
	if (*text && (*text != (from_min ? '+' : '-') ||
		      parse_number(text + 1, SIGRTMAX - SIGRTMIN, &offset)))
		return -1;
	*number = from_min ? SIGRTMIN + offset : SIGRTMAX - offset;
	return 0;
}

/*
 * TERM, SIGTERM, term, 15 or, as the shell has it, 143; EXIT or 0 is no signal at
 * all. Returns -1 if there is no such signal.
 */
int parse_signal(const char *text, int *number)
{
	if (!parse_number(text, EXIT_SIGNAL + SIGRTMAX, number)) {
		if (*number > EXIT_SIGNAL)
			*number -= EXIT_SIGNAL;
		return *number <= SIGRTMAX ? 0 : -1;
	}
	if (!strncasecmp(text, "SIG", 3))
		text += 3;
	if (!strcasecmp(text, "EXIT")) {
		*number = 0;
		return 0;
	}
	for (int i = 1; i < NSIG; i++) {
		const char *name = sigabbrev_np(i);

		if (name && !strcasecmp(name, text)) {
			*number = i;
			return 0;
		}
	}
	return parse_realtime(text, number);
}

int parse_descriptor(const char *text, int *fd)
{
	return parse_number(text, INT_MAX, fd);
}

/* A number above 0. */
int parse_count(const char *text, int *count)
{
	return parse_number(text, INT_MAX, count) || !*count ? -1 : 0;
}

/* ECANCELED, ecanceled or 125. Returns -1 if there is no such errno. */
int parse_cause(const char *text, int *cause)
{
	if (!parse_number(text, CTX_CAUSE_MAX, cause))
		return *cause ? 0 : -1;
	for (int i = 1; i <= CTX_CAUSE_MAX; i++) {
		const char *name = strerrorname_np(i);

		if (name && !strcasecmp(name, text)) {
			*cause = i;
			return 0;
		}
	}
	return -1;
}

/* The number of a context. Returns -1 if @text is none; Background has none. */
int parse_id(const char *text, uint64_t *id)
{
	char *end;

	if (*text < '0' || *text > '9')
		return -1;
	errno = 0;
	*id = strtoull(text, &end, 10);
	return errno || *end || !*id ? -1 : 0;
}

/* All of @texts, to be freed. Ends the program if one is no number of a context. */
uint64_t *parse_ids(char **texts, size_t *nr)
{
	uint64_t *ids;

	for (*nr = 0; texts[*nr]; ++*nr)
		;
	ids = calloc(*nr + 1, sizeof(*ids));
	if (!ids)
		die("out of memory");
	for (size_t i = 0; i < *nr; i++)
		if (parse_id(texts[i], &ids[i]))
			die("'%s' is no context: give its number, as 'ctx tree' shows it",
			    texts[i]);
	return ids;
}

/* The name without SIG, or the number of a signal that has none. */
const char *signal_name(int number)
{
	static char text[16];
	const char *name = number ? sigabbrev_np(number) : "EXIT";

	if (name)
		return name;
	snprintf(text, sizeof(text), "%d", number);
	return text;
}
