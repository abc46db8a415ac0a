// SPDX-License-Identifier: GPL-2.0
/* ctx top: contexts by what makes them worth a look, again and again. */
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

#define COUNTERS	"/sys/kernel/debug/ctx/counters"

static const char top_help[] =
	"usage: ctx top [OPTION]...\n"
	"\n"
	"Shows the contexts that you may open, sorted, and again every second. Without a\n"
	"terminal it does so once.\n"
	"\n"
	"  -s, --sort KEY           left   least time left first; this is the default\n"
	"                           user   by user, then by time left\n"
	"                           below  most descendants first\n"
	"                           new    most that were made since the last time first\n"
	"                           id     youngest first\n"
	"  -r, --reverse            the other way round\n"
	"  -a, --all                show values, too, and what ctx run makes for itself\n"
	"  -d, --delay DURATION     from one time to the next; 1s unless given\n"
	"  -n, --count COUNT        end after COUNT times\n"
	"  -h, --help               this text\n"
	"\n"
	"Keys: l, u, b, n and i sort by left, user, below, new and id; r reverses, a shows\n"
	"or hides values, the space bar looks again, q ends.\n"
	"\n"
	"BELOW is the number of contexts below it, NEW how many of these, with itself, have\n"
	"come since the last time, PROCS the number of processes that run under it. The\n"
	"second line counts those of all users and of the kernel, and is for root.\n"
	"\n"
	"Exit status: 0, or 125 if there is nothing to look at.\n"
	"\n"
	"examples:\n"
	"  ctx top                       what is about to run out of time\n"
	"  ctx top -s below -d 5         who has the biggest tree, every five seconds\n"
	"  ctx top -s new -n 2 | tail    in a pipe: the second time shows what is new\n";

static const char * const sort_names[] = { "left", "user", "below", "new", "id" };

enum sort { SORT_LEFT, SORT_USER, SORT_BELOW, SORT_NEW, SORT_ID, SORTS };

static const char counter_names[][16] = {
	"live", "derived", "cancelled", "expired", "callbacks", "irqsoff_ns",
};

#define NR_COUNTERS	(sizeof(counter_names) / sizeof(*counter_names))

struct counters {
	bool known;
	unsigned long long value[NR_COUNTERS];
};

struct top {
	enum sort sort;
	bool reverse;
	bool all;
	int64_t delay;
	int count;		/* how many more times; -1: for ever */
	uint64_t last_id;	/* the highest that the last listing had */
	struct counters counters;
};

/* What qsort(3) compares by. */
static const struct list *sorted;
static const struct top *sorted_by;
static int64_t sorted_now;

static int compare(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

/* Those that are done come last, after those that have all the time. */
static uint64_t urgency(const struct entry *entry)
{
	int64_t left = time_left(&entry->info, sorted_now);

	if (entry->info.err)
		return UINT64_MAX;
	return left < 0 ? UINT64_MAX - 1 : (uint64_t)left;
}

static int compare_by_key(const struct entry *a, const struct entry *b)
{
	switch (sorted_by->sort) {
	case SORT_USER:
		return compare(a->info.owner_uid, b->info.owner_uid) ?:
		       compare(urgency(a), urgency(b));
	case SORT_BELOW:
		return compare(b->below, a->below);
	case SORT_NEW:
		return compare(b->fresh, a->fresh);
	case SORT_ID:
		return compare(b->info.id, a->info.id);
	default:
		return compare(urgency(a), urgency(b));
	}
}

static int compare_entries(const void *left, const void *right)
{
	const struct entry *a = &sorted->entries[*(const size_t *)left];
	const struct entry *b = &sorted->entries[*(const size_t *)right];
	int order = compare_by_key(a, b) ?: compare(a->info.id, b->info.id);

	return sorted_by->reverse ? -order : order;
}

static size_t sort(const struct top *top, const struct list *list, size_t **order)
{
	size_t nr = 0;

	*order = calloc(list->nr + 1, sizeof(**order));
	if (!*order)
		die("out of memory");
	for (size_t i = 0; i < list->nr; i++)
		if (!list->entries[i].hidden)
			(*order)[nr++] = i;
	sorted = list;
	sorted_by = top;
	sorted_now = clock_ns(CLOCK_MONOTONIC);
	qsort(*order, nr, sizeof(**order), compare_entries);
	return nr;
}

/* Numbers only grow, so what is above the highest of the last time is new. */
static void count_fresh(struct top *top, struct list *list)
{
	uint64_t last = list->nr ? list->entries[list->nr - 1].info.id : 0;

	for (size_t i = list->nr; i-- > 0 && top->last_id;) {
		struct entry *entry = &list->entries[i];

		entry->fresh += entry->info.id > top->last_id;
		if (entry->parent != NONE)
			list->entries[entry->parent].fresh += entry->fresh;
	}
	if (last > top->last_id)
		top->last_id = last;
}

static void read_counters(struct counters *counters)
{
	FILE *file = fopen(COUNTERS, "re");
	unsigned long long value;
	char name[16];

	counters->known = file;
	while (file && fscanf(file, "%15s %llu", name, &value) == 2)
		for (size_t i = 0; i < NR_COUNTERS; i++)
			if (!strcmp(name, counter_names[i]))
				counters->value[i] = value;
	if (file)
		fclose(file);
}

static void print_counters(struct top *top, FILE *out)
{
	const struct counters old = top->counters;
	unsigned long long irqsoff;

	read_counters(&top->counters);
	if (!top->counters.known) {
		fprintf(out, geteuid() ? "all users and the kernel: counters are for root\n" :
			"all users and the kernel: no counters in " COUNTERS "\n");
		return;
	}
	fputs("all users and the kernel:", out);
	for (size_t i = 0; i + 1 < NR_COUNTERS; i++) {
		fprintf(out, "%s %llu %s", i ? "," : "", top->counters.value[i],
			counter_names[i]);
		if (i && old.known)
			fprintf(out, " (+%llu)", top->counters.value[i] - old.value[i]);
	}
	irqsoff = top->counters.value[NR_COUNTERS - 1];
	if (irqsoff)
		fprintf(out, ", interrupts off for %.1f us", irqsoff / 1e3);
	fputc('\n', out);
}

static void print_summary(const struct top *top, const struct list *list, FILE *out)
{
	size_t live = 0, timed_out = 0, processes = 0;
	time_t now = time(NULL);
	char clock[16] = "";
	struct tm tm;

	for (size_t i = 0; i < list->nr; i++) {
		live += !list->entries[i].info.err;
		timed_out += list->entries[i].info.err == ETIMEDOUT;
		processes += list->entries[i].processes;
	}
	if (localtime_r(&now, &tm))
		strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	fprintf(out, "ctx top - %s  %zu context%s: %zu live, %zu cancelled, %zu timed out; "
		"%zu process%s; by %s%s\n", clock, list->nr, list->nr == 1 ? "" : "s", live,
		list->nr - live - timed_out, timed_out, processes,
		processes == 1 ? "" : "es", sort_names[top->sort],
		top->reverse ? ", reversed" : "");
}

static void add_row(struct table *table, const struct list *list, const struct entry *entry)
{
	const struct ctx_ioc_info *info = &entry->info;

	table_add(table, NULL, "%llu", info->id);
	if (entry->parent == NONE)
		table_add(table, NULL, "-");
	else
		table_add(table, NULL, "%llu", list->entries[entry->parent].info.id);
	table_add(table, NULL, "%s", user_name(info->owner_uid));
	table_add(table, state_style(info->err), "%s", state_text(info->err));
	table_add(table, NULL, "%s", left_text(info, sorted_now));
	table_add(table, NULL, "%zu", entry->below);
	table_add(table, NULL, "%zu", entry->fresh);
	table_add(table, NULL, "%zu", entry->processes);
	table_add(table, NULL, entry->pid ? "%d" : "-", entry->pid);
	table_add(table, NULL, "%s", entry->command);
}

/* No more rows than there is room for: what a big tree takes is the listing. */
static void print_rows(const struct top *top, const struct list *list, FILE *out)
{
	static const char * const names[] = {
		"ID", "PARENT", "USER", "STATE", "LEFT", "BELOW", "NEW", "PROCS", "PID",
		"COMMAND",
	};
	struct table table = { .columns = 10, .right = "rrllrrrrrl" };
	size_t room = screen_is_terminal() ? screen_height() : SIZE_MAX;
	size_t *order, nr = sort(top, list, &order);

	for (size_t i = 0; i < table.columns; i++)
		table_add(&table, use_colour() ? STYLE_REVERSE : NULL, "%s", names[i]);
	for (size_t i = 0; i < nr && i + 4 < room; i++)
		add_row(&table, list, &list->entries[order[i]]);
	table_print(&table, out, screen_width());
	table_free(&table);
	free(order);
}

static void draw(struct top *top, int device)
{
	struct list list;
	char *picture = NULL;
	size_t size;
	FILE *out = open_memstream(&picture, &size);

	if (!out)
		die("out of memory");
	list_read(&list, device);
	if (!top->all)
		list_fold(&list);
	list_make_family(&list);
	find_processes(&list);
	count_fresh(top, &list);
	print_summary(top, &list, out);
	print_counters(top, out);
	fputc('\n', out);
	print_rows(top, &list, out);
	fclose(out);
	screen_draw(picture, size);
	free(picture);
	list_free(&list);
}

/* Returns false when it is time to end. */
static bool obey(struct top *top, int key)
{
	static const char keys[] = "lubni";
	const char *found = key > 0 ? strchr(keys, key) : NULL;

	if (found)
		top->sort = found - keys;
	else if (key == 'r')
		top->reverse = !top->reverse;
	else if (key == 'a')
		top->all = !top->all;
	return key != KEY_END && key != 'q';
}

static void parse_sort(struct top *top, const char *text)
{
	for (top->sort = 0; top->sort < SORTS; top->sort++)
		if (!strcmp(text, sort_names[top->sort]))
			return;
	die("'%s' is nothing to sort by: left, user, below, new or id", text);
}

static void parse_options(struct top *top, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "sort",    required_argument, NULL, 's' },
		{ "reverse", no_argument,       NULL, 'r' },
		{ "all",     no_argument,       NULL, 'a' },
		{ "delay",   required_argument, NULL, 'd' },
		{ "count",   required_argument, NULL, 'n' },
		{ "help",    no_argument,       NULL, 'h' },
		{ NULL }
	};
	int option;

	while ((option = getopt_long(argc, argv, "s:rad:n:h", longs, NULL)) != -1) {
		switch (option) {
		case 's':
			parse_sort(top, optarg);
			break;
		case 'r':
			top->reverse = true;
			break;
		case 'a':
			top->all = true;
			break;
		case 'd':
			if (parse_duration(optarg, &top->delay) || !top->delay)
				die("'%s' is no interval, such as 1, 0.5s or 200ms", optarg);
			break;
		case 'n':
			if (parse_count(optarg, &top->count))
				die("'%s' is no count", optarg);
			break;
		case 'h':
			exit(show_help(top_help));
		default:
			die_of_usage("top");
		}
	}
	if (optind < argc)
		die("'%s' is one argument too many; try 'ctx top --help'", argv[optind]);
}

int cmd_top(int argc, char **argv)
{
	struct top top = { .delay = CTX_SEC, .count = isatty(STDOUT_FILENO) ? -1 : 1 };
	int device;

	parse_options(&top, argc, argv);
	device = open_device();
	screen_open();
	do {
		draw(&top, device);
		top.count -= top.count > 0;
	} while (top.count && obey(&top, screen_key(top.delay)));
	screen_close();
	close(device);
	return 0;
}
