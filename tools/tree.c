// SPDX-License-Identifier: GPL-2.0
/* ctx tree: the contexts there are, each below its parent, and what runs under them. */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "list.h"
#include "screen.h"
#include "table.h"

#define MAX_INDENT	60	/* what is deeper is drawn no further to the right */

static const char tree_help[] =
	"usage: ctx tree [OPTION]... [ID]...\n"
	"\n"
	"Shows the contexts that you may open, your own or, as root, everybody's, as the\n"
	"tree that they are; with IDs, only those and what is below them.\n"
	"\n"
	"  -a, --all                show values, and what ctx run makes for itself, on\n"
	"                           lines of their own; without, their numbers stand\n"
	"                           behind that of the context they belong to\n"
	"  -w, --watch[=DURATION]   draw it again every DURATION, 1s unless given, until q\n"
	"                           or ^C\n"
	"  -j, --json               an array of objects for programs, with all there is\n"
	"                           to know; values and all are among them\n"
	"  -h, --help               this text\n"
	"\n"
	"COMMAND is the oldest process that runs under the context, by its CTX_FD, with\n"
	"the number of others; if there is none, the one that made it, in brackets if that\n"
	"is gone. LEFT is the time to the deadline; CAUSE and BY tell why a context is done,\n"
	"and who did it. Colours and lines are for terminals only; NO_COLOR in the\n"
	"environment turns both off.\n"
	"\n"
	"Exit status: 0, or 125 if there is nothing to look at.\n"
	"\n"
	"examples:\n"
	"  ctx tree                      everything, once\n"
	"  ctx tree 42                   context 42 and what is below it\n"
	"  ctx tree -w0.2                five times a second\n"
	"  ctx tree --json | jq -r '.[] | select(.state == \"live\") | .id'\n"
	"                                the numbers of those that are not done\n";

struct tree {
	bool all;
	bool json;
	int64_t interval;	/* 0: once */
	uint64_t *ids;
	size_t nr;
	bool boxes;
	FILE *out;
};

static const char *line(const struct tree *tree, bool own, bool more)
{
	if (!tree->boxes)
		return own ? more ? "|-" : "`-" : more ? "| " : "  ";
	return own ? more ? "├─" : "└─" : more ? "│ " : "  ";
}

/* The lines in front of @at, from the top on; the caller frees them. */
static char *lines_of(const struct tree *tree, const struct list *list, size_t at, size_t top)
{
	const char *parts[MAX_INDENT];
	size_t nr = 0, depth = 0;
	char *text, *end;

	for (size_t i = at; i != top && list->entries[i].parent != NONE;
	     i = list->entries[i].parent)
		depth++;
	for (size_t i = at; depth; i = list->entries[i].parent, depth--)
		if (depth <= MAX_INDENT) {
			parts[nr] = line(tree, !nr, list->entries[i].sibling != NONE);
			nr++;
		}
	text = malloc(MAX_INDENT * 2 * 4 + 1);
	if (!text)
		die("out of memory");
	end = text;
	*end = '\0';
	while (nr)
		end = stpcpy(end, parts[--nr]);
	return text;
}

/* ",5,7" for those that stand with @entry. */
static const char *folded_into(const struct entry *entry)
{
	static char text[SHOWN_FOLDED * 21 + 5];
	size_t len = 0;

	*text = '\0';
	for (size_t i = 0; i < entry->folded && i < SHOWN_FOLDED; i++)
		len += sprintf(text + len, ",%llu", (unsigned long long)entry->folded_ids[i]);
	if (entry->folded > SHOWN_FOLDED)
		strcpy(text + len, ",...");
	return text;
}

const char *state_style(unsigned int err)
{
	if (!use_colour())
		return NULL;
	return !err ? STYLE_GREEN : err == ETIMEDOUT ? STYLE_YELLOW : STYLE_RED;
}

const char *left_text(const struct ctx_ioc_info *info, int64_t now)
{
	int64_t left = time_left(info, now);

	return left < 0 ? "-" : short_span(left);
}

void add_command(struct table *table, const struct entry *entry)
{
	if (entry->processes > 1)
		table_add(table, NULL, "%s (+%zu)", entry->command, entry->processes - 1);
	else
		table_add(table, NULL, "%s", entry->command);
}

static void add_row(const struct tree *tree, struct table *table, const struct list *list,
		    size_t at, size_t top)
{
	const struct entry *entry = &list->entries[at];
	const struct ctx_ioc_info *info = &entry->info;
	char *lines = lines_of(tree, list, at, top);

	table_add(table, NULL, "%s%llu%s", lines, info->id, folded_into(entry));
	free(lines);
	table_add(table, NULL, "%s", user_name(info->owner_uid));
	table_add(table, state_style(info->err), "%s", state_text(info->err));
	table_add(table, NULL, "%s", left_text(info, clock_ns(CLOCK_MONOTONIC)));
	table_add(table, NULL, "%s", info->err ? errno_name(info->cause) : "-");
	table_add(table, NULL, "%s",
		  info->err ? who_text(info->origin_comm, info->origin_pid) : "-");
	table_add(table, NULL, entry->pid ? "%d" : "-", entry->pid);
	add_command(table, entry);
}

static void add_branch(const struct tree *tree, struct table *table, const struct list *list,
		       size_t top)
{
	for (size_t at = top; at != NONE; at = list_next(list, at, top))
		add_row(tree, table, list, at, top);
}

/* Who asks for a value gets what it stands with. While one watches, contexts go. */
static size_t find(const struct tree *tree, const struct list *list, uint64_t id)
{
	size_t at = list_find(list, id);

	if (at == NONE && !tree->interval)
		die("there is no context %llu, or it is not yours to see",
		    (unsigned long long)id);
	return at != NONE && list->entries[at].hidden ? list->entries[at].parent : at;
}

static void print_table(const struct tree *tree, const struct list *list)
{
	static const char * const names[] = {
		"ID", "USER", "STATE", "LEFT", "CAUSE", "BY", "PID", "COMMAND",
	};
	struct table table = { .columns = 8, .right = "lllrllrl" };

	for (size_t i = 0; i < table.columns; i++)
		table_add(&table, use_colour() ? STYLE_BOLD : NULL, "%s", names[i]);
	for (size_t i = 0; i < tree->nr; i++)
		add_branch(tree, &table, list, find(tree, list, tree->ids[i]));
	if (!tree->nr)
		for (size_t i = list->first; i != NONE; i = list->entries[i].sibling)
			add_branch(tree, &table, list, i);
	table_print(&table, tree->out, screen_width());
	table_free(&table);
}

static void print_json(const struct tree *tree, const struct list *list)
{
	size_t *order = calloc(list->nr + 1, sizeof(*order)), nr = 0;

	if (!order)
		die("out of memory");
	for (size_t i = 0; i < tree->nr; i++)
		find(tree, list, tree->ids[i]);
	for (size_t at = list->first; at != NONE; at = list_next(list, at, NONE)) {
		bool wanted = !tree->nr;

		for (size_t i = 0; i < tree->nr && !wanted; i++)
			wanted = list->entries[at].info.id == tree->ids[i] ||
				 list_is_below(list, at, tree->ids[i]);
		if (wanted)
			order[nr++] = at;
	}
	json_contexts(tree->out, list, order, nr);
	free(order);
}

static void print_tree(const struct tree *tree, int device)
{
	struct list list;

	list_read(&list, device);
	if (!tree->all && !tree->json)
		list_fold(&list);
	list_make_family(&list);
	find_processes(&list);
	if (tree->json)
		print_json(tree, &list);
	else
		print_table(tree, &list);
	list_free(&list);
}

static void watch(struct tree *tree, int device)
{
	int key;

	screen_open();
	do {
		char *picture = NULL;
		size_t size;

		tree->out = open_memstream(&picture, &size);
		if (!tree->out)
			die("out of memory");
		print_tree(tree, device);
		fclose(tree->out);
		screen_draw(picture, size);
		free(picture);
		key = screen_key(tree->interval);
	} while (key != KEY_END && key != 'q');
	screen_close();
}

static void parse_options(struct tree *tree, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "all",   no_argument,       NULL, 'a' },
		{ "watch", optional_argument, NULL, 'w' },
		{ "json",  no_argument,       NULL, 'j' },
		{ "help",  no_argument,       NULL, 'h' },
		{ NULL }
	};
	int option;

	while ((option = getopt_long(argc, argv, "aw::jh", longs, NULL)) != -1) {
		switch (option) {
		case 'a':
			tree->all = true;
			break;
		case 'w':
			tree->interval = CTX_SEC;
			if (optarg && (parse_duration(optarg, &tree->interval) || !tree->interval))
				die("'%s' is no interval, such as 1, 0.5s or 200ms", optarg);
			break;
		case 'j':
			tree->json = true;
			break;
		case 'h':
			exit(show_help(tree_help));
		default:
			die_of_usage("tree");
		}
	}
	if (tree->json && tree->interval)
		die("--watch is for people, --json for programs: one of them");
	tree->ids = parse_ids(argv + optind, &tree->nr);
}

int cmd_tree(int argc, char **argv)
{
	struct tree tree = { .out = stdout };
	int device;

	parse_options(&tree, argc, argv);
	device = open_device();
	tree.boxes = use_colour() && use_utf8();
	if (tree.interval)
		watch(&tree, device);
	else
		print_tree(&tree, device);
	close(device);
	free(tree.ids);
	return flush_output();
}
