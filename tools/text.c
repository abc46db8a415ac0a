// SPDX-License-Identifier: GPL-2.0
/* Contexts in words, for people: errors, times, names, and how a terminal is used. */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>
#include "tool.h"

/* The name of an errno number, or the number if it has none. */
const char *errno_name(unsigned int number)
{
	static char text[32];
	const char *name = strerrorname_np(number);

	if (name)
		return name;
	snprintf(text, sizeof(text), "%u", number);
	return text;
}

/* An errno number as ENAME, text. */
const char *errno_text(unsigned int number)
{
	static char text[128];
	const char *name = strerrorname_np(number);

	if (name)
		snprintf(text, sizeof(text), "%s, %s", name, strerror(number));
	else
		snprintf(text, sizeof(text), "errno %u", number);
	return text;
}

const char *state_text(unsigned int err)
{
	switch (err) {
	case 0:
		return "live";
	case ETIMEDOUT:
		return "timed out";
	default:
		return "cancelled";
	}
}

/* Nanoseconds as people read them: 12.3 ms, 1.500 s, 2 h 5 min. */
const char *span_text(int64_t ns)
{
	static char text[64];
	int64_t minutes = ns / CTX_SEC / 60;

	if (ns < CTX_SEC)
		snprintf(text, sizeof(text), "%.1f ms", ns / 1e6);
	else if (minutes < 1)
		snprintf(text, sizeof(text), "%.3f s", ns / 1e9);
	else if (minutes < 60)
		snprintf(text, sizeof(text), "%d min %d s", (int)minutes,
			 (int)(ns / CTX_SEC % 60));
	else
		snprintf(text, sizeof(text), "%d h %d min", (int)(minutes / 60),
			 (int)(minutes % 60));
	return text;
}

int64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * CTX_SEC + now.tv_nsec;
}

/* A time of CLOCK_MONOTONIC as "18:03:27.120, 3.1 ms ago". */
const char *when_text(int64_t time)
{
	static char text[128];
	int64_t ago = clock_ns(CLOCK_MONOTONIC) - time;
	int64_t wall = clock_ns(CLOCK_REALTIME) - ago;
	time_t seconds = wall / CTX_SEC;
	char clock[32] = "";
	struct tm tm;

	if (localtime_r(&seconds, &tm))
		strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	snprintf(text, sizeof(text), "%s.%03d, %s ago", clock,
		 (int)(wall % CTX_SEC / CTX_MSEC), span_text(ago));
	return text;
}

/*
 * "sh[12]", or "timer" where no process did it. A task names itself as it likes,
 * but it shall not move the reader's cursor.
 */
const char *who_text(const char *comm, unsigned int pid)
{
	static char text[CTX_COMM_LEN + 16];
	int i;

	for (i = 0; i < CTX_COMM_LEN && comm[i]; i++)
		text[i] = isprint((unsigned char)comm[i]) ? comm[i] : '?';
	if (pid)
		snprintf(text + i, sizeof(text) - i, "[%u]", pid);
	else
		text[i] = '\0';
	return text;
}

/* The same, short and aligned: 29.7s, 4m59s, 1h30m, 2d11h. */
const char *short_span(int64_t ns)
{
	static char text[32];
	int64_t seconds = ns / CTX_SEC;

	if (seconds < 10)
		snprintf(text, sizeof(text), "%.3fs", ns / 1e9);
	else if (seconds < 60)
		snprintf(text, sizeof(text), "%.1fs", ns / 1e9);
	else if (seconds < 3600)
		snprintf(text, sizeof(text), "%dm%02ds", (int)(seconds / 60), (int)(seconds % 60));
	else if (seconds < 86400)
		snprintf(text, sizeof(text), "%dh%02dm", (int)(seconds / 3600),
			 (int)(seconds / 60 % 60));
	else
		snprintf(text, sizeof(text), "%lldd%02dh", (long long)(seconds / 86400),
			 (int)(seconds / 3600 % 24));
	return text;
}

/* Nanoseconds until the deadline, 0 if that has passed, -1 if there is none to come. */
int64_t time_left(const struct ctx_ioc_info *info, int64_t now)
{
	int64_t deadline = info->deadline;

	if (info->err || !(info->info_flags & CTX_INFO_DEADLINE))
		return -1;
	return deadline > now ? deadline - now : 0;
}

/*
 * The name of a user, or his number. A static program takes what /etc/passwd has:
 * other sources would need the C library that it does without.
 */
const char *user_name(unsigned int uid)
{
	static char text[64];
	static unsigned int last = -1U;
	struct passwd *user;

	if (*text && uid == last)
		return text;
#ifdef CTX_STATIC
	FILE *file = fopen("/etc/passwd", "re");

	while ((user = file ? fgetpwent(file) : NULL) && user->pw_uid != uid)
		;
#else
	user = getpwuid(uid);
#endif
	if (user)
		snprintf(text, sizeof(text), "%s", user->pw_name);
	else
		snprintf(text, sizeof(text), "%u", uid);
#ifdef CTX_STATIC
	if (file)
		fclose(file);
#endif
	last = uid;
	return text;
}

/*
 * The length of the UTF-8 character at @text, of which there are @size bytes; 0 if
 * it is none, or a control character.
 */
size_t char_length(const char *text, size_t size)
{
	static const unsigned int least[] = { 0, 0x20, 0xa0, 0x800, 0x10000 };
	const unsigned char *byte = (const unsigned char *)text;
	unsigned int length, code;

	if (!size)
		return 0;
	length = *byte < 0x80 ? 1 : *byte < 0xc0 ? 5 : *byte < 0xe0 ? 2 : *byte < 0xf0 ? 3 : 4;
	if (length > size || length > 4 || *byte > 0xf4)
		return 0;
	code = length == 1 ? *byte : *byte & (0x7f >> length);
	for (unsigned int i = 1; i < length; i++) {
		if ((byte[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (byte[i] & 0x3f);
	}
	if (code < least[length] || code == 0x7f || code > 0x10ffff || (code >> 11) == 0x1b)
		return 0;
	return length;
}

/* Turns what could move the reader's cursor into question marks. */
void make_harmless(char *text)
{
	bool wide = use_utf8();
	size_t size = strlen(text);

	while (size) {
		size_t length = char_length(text, size);

		if (!length || (length > 1 && !wide)) {
			*text = '?';
			length = 1;
		}
		text += length;
		size -= length;
	}
}

/* Whether characters beyond ASCII can be shown: unless the environment says no. */
bool use_utf8(void)
{
	static const char * const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		const char *value = getenv(names[i]);

		if (value && *value)
			return strcasestr(value, "UTF-8") || strcasestr(value, "utf8");
	}
	return true;
}

/* Whether standard output is a terminal that someone wants to be more than paper. */
bool use_colour(void)
{
	const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(no_colour && *no_colour) &&
	       !(term && !strcmp(term, "dumb"));
}
