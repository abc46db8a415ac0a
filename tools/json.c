// SPDX-License-Identifier: GPL-2.0
/*
 * Contexts for programs: an array of objects, parents first. Numbers are whole ones,
 * times nanoseconds; what there is not is null.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <time.h>
#include "list.h"

/* In quotes. What is no UTF-8 becomes U+FFFD, as JSON has no way to say it. */
static void put_string(FILE *out, const char *text, size_t size)
{
	fputc('"', out);
	while (size) {
		size_t length = char_length(text, size);
		unsigned char byte = *text;

		if (length && byte != '"' && byte != '\\')
			fwrite(text, 1, length, out);
		else if (byte < 0x80)
			fprintf(out, "\\u%04x", byte);
		else
			fputs("\\ufffd", out);
		length = length ? length : 1;
		text += length;
		size -= length;
	}
	fputc('"', out);
}

static void put_text(FILE *out, const char *name, const char *text)
{
	fprintf(out, ", \"%s\": ", name);
	if (text)
		put_string(out, text, strlen(text));
	else
		fputs("null", out);
}

static void put_comm(FILE *out, const char *name, const char *comm)
{
	fprintf(out, ", \"%s\": ", name);
	put_string(out, comm, strnlen(comm, CTX_COMM_LEN));
}

static void put_number(FILE *out, const char *name, bool there, long long number)
{
	if (there)
		fprintf(out, ", \"%s\": %lld", name, number);
	else
		fprintf(out, ", \"%s\": null", name);
}

static void put_flag(FILE *out, const char *name, bool flag)
{
	fprintf(out, ", \"%s\": %s", name, flag ? "true" : "false");
}

static void put_end(FILE *out, const struct ctx_ioc_info *info)
{
	const bool done = info->err;

	put_text(out, "state", state_text(info->err));
	put_text(out, "error", done ? strerrorname_np(info->err) : NULL);
	put_text(out, "cause", done ? strerrorname_np(info->cause) : NULL);
	put_number(out, "cause_errno", done, info->cause);
	put_number(out, "origin", done && info->origin_id, info->origin_id);
	if (done)
		put_comm(out, "by", info->origin_comm);
	else
		put_text(out, "by", NULL);
	put_number(out, "by_pid", done && info->origin_pid, info->origin_pid);
	put_number(out, "done_ns", done, info->done_time);
}

static void put_context(FILE *out, const struct entry *entry, int64_t now)
{
	const struct ctx_ioc_info *info = &entry->info;
	const bool deadline = info->info_flags & CTX_INFO_DEADLINE;
	const bool made = info->id;	/* by a process */

	if (made)
		fprintf(out, "{\"id\": %llu", info->id);
	else
		fputs("{\"id\": null", out);
	put_number(out, "parent", info->parent_id, info->parent_id);
	put_number(out, "depth", true, info->depth);
	put_text(out, "kind", kind_name(entry->kind));
	put_number(out, "uid", made, info->owner_uid);
	put_text(out, "user", made ? user_name(info->owner_uid) : NULL);
	put_end(out, info);
	put_number(out, "deadline_ns", deadline, info->deadline);
	put_number(out, "left_ns", deadline && !info->err, (int64_t)info->deadline - now);
	if (made)
		put_comm(out, "creator", info->creator_comm);
	else
		put_text(out, "creator", NULL);
	put_number(out, "creator_pid", info->creator_pid, info->creator_pid);
	put_flag(out, "keep", info->info_flags & CTX_INFO_KEEP);
	put_number(out, "on_dones", true, info->on_dones);
	put_flag(out, "on_dones_written", info->info_flags & CTX_INFO_WRITTEN);
	put_number(out, "on_done_errno", info->on_done_err, info->on_done_err);
	put_number(out, "below", true, entry->below);
	put_number(out, "processes", true, entry->processes);
	put_number(out, "pid", entry->pid, entry->pid);
	put_text(out, "command", entry->command);
	fputc('}', out);
}

/* Those of @list that @order names, one on a line. */
void json_contexts(FILE *out, const struct list *list, const size_t *order, size_t nr)
{
	const int64_t now = clock_ns(CLOCK_MONOTONIC);

	fputc('[', out);
	for (size_t i = 0; i < nr; i++) {
		fputs(i ? ",\n " : "\n ", out);
		put_context(out, &list->entries[order[i]], now);
	}
	fputs(nr ? "\n]\n" : "]\n", out);
}
