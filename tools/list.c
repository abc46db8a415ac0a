// SPDX-License-Identifier: GPL-2.0
/*
 * The contexts that one may see: their numbers from CTX_IOC_NEXT, the rest from a
 * descriptor that can do nothing but observe. One that could cancel would count, so
 * that looking at a context could keep it from being cancelled for its owner's death.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "list.h"

#define GUARD_DISTANCE	64	/* further away is only what others made meanwhile */

static const char * const kind_names[] = {
	[KIND_UNKNOWN]	= "unknown",
	[KIND_CANCEL]	= "with_cancel",
	[KIND_DEADLINE]	= "with_deadline",
	[KIND_VALUE]	= "with_value",
	[KIND_WITHOUT]	= "without_cancel",
};

const char *kind_name(enum kind kind)
{
	return kind_names[kind];
}

int open_device(void)
{
	int device = ctx_background();

	if (device < 0)
		die_of_device();
	return device;
}

void die_of_id(uint64_t id)
{
	if (errno == ESRCH)
		die("there is no context %llu; 'ctx tree' shows those there are",
		    (unsigned long long)id);
	if (errno == EPERM)
		die("context %llu is another user's", (unsigned long long)id);
	if (errno == ENOTTY)
		die("the module that is loaded is older than this command: reload it");
	die("context %llu: %s", (unsigned long long)id, strerror(errno));
}

int open_id_or_die(int device, uint64_t id, unsigned int rights)
{
	int fd = ctx_open(device, id, rights);

	if (fd < 0)
		die_of_id(id);
	return fd;
}

/* Makes @id the next higher number in use; false if there is none. */
bool next_id(int device, uint64_t *id)
{
	if (!ctx_next(device, id))
		return true;
	if (errno == ENOTTY)
		die_of_id(0);
	return false;
}

/* The path from the root, as fdinfo has it, to be freed; NULL without /proc. */
char *read_path(int fd)
{
	static const char key[] = "ctx-path:\t";
	char name[64], *line = NULL;
	bool found = false;
	size_t size = 0;
	FILE *file;

	snprintf(name, sizeof(name), "/proc/self/fdinfo/%d", fd);
	file = fopen(name, "re");
	while (!found && file && getline(&line, &size, file) > 0)
		found = !strncmp(line, key, strlen(key));
	if (file)
		fclose(file);
	if (!found) {
		free(line);
		return NULL;
	}
	line[strcspn(line, "\n")] = '\0';
	memmove(line, line + strlen(key), strlen(line + strlen(key)) + 1);
	return line;
}

static bool ends_with(const char *text, size_t len, const char *end)
{
	return len >= strlen(end) && !strncmp(text + len - strlen(end), end, strlen(end));
}

static enum kind kind_of(const char *path, size_t len)
{
	if (len && path[len - 1] == ')')
		return KIND_DEADLINE;
	for (enum kind kind = KIND_CANCEL; kind <= KIND_WITHOUT; kind++)
		if (ends_with(path, len, kind_names[kind]))
			return kind;
	return KIND_UNKNOWN;
}

/* What the path tells: its end is the context itself, values are as what they stand on. */
static void read_kind(int fd, struct entry *entry)
{
	char *path = read_path(fd);
	size_t len;

	if (!path)
		return;
	len = strlen(path);
	entry->kind = kind_of(path, len);
	while (ends_with(path, len, ".with_value"))
		len -= strlen(".with_value");
	entry->endless = ends_with(path, len, "without_cancel") ||
			 ends_with(path, len, "background") || ends_with(path, len, "todo");
	free(path);
}

int read_info(int fd, struct entry *entry)
{
	*entry = (struct entry) { .parent = NONE, .child = NONE, .sibling = NONE };
	if (ctx_info(fd, &entry->info))
		return -1;
	read_kind(fd, entry);
	return 0;
}

static struct entry *add_entry(struct list *list)
{
	if (list->nr == list->size) {
		list->size = list->size ? 2 * list->size : 64;
		list->entries = realloc(list->entries, list->size * sizeof(*list->entries));
		if (!list->entries)
			die("out of memory");
	}
	return &list->entries[list->nr++];
}

/* What goes away in between is not there. */
void list_read(struct list *list, int device)
{
	uint64_t id = 0;

	*list = (struct list) { .first = NONE };
	while (next_id(device, &id)) {
		int fd = ctx_open(device, id, CTX_RIGHT_OBSERVE);

		if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM))
			die("cannot look at context %llu: %s", (unsigned long long)id,
			    strerror(errno));
		if (fd < 0)
			continue;
		if (read_info(fd, add_entry(list)))
			list->nr--;
		close(fd);
	}
}

/*
 * One that may not be opened, but is open as @fd: another user's, or the kernel's, whose
 * number is 0. Before what is made of the list.
 */
void list_add(struct list *list, int fd)
{
	struct entry entry;
	size_t at;

	if (read_info(fd, &entry) || list_find(list, entry.info.id) != NONE)
		return;
	add_entry(list);
	for (at = list->nr - 1; at && list->entries[at - 1].info.id > entry.info.id; at--)
		list->entries[at] = list->entries[at - 1];
	list->entries[at] = entry;
}

size_t list_find(const struct list *list, uint64_t id)
{
	size_t low = 0, high = list->nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (list->entries[middle].info.id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < list->nr && list->entries[low].info.id == id ? low : NONE;
}

static bool is_of_ctx_run(const struct entry *entry, unsigned int pid)
{
	return entry->info.creator_pid == pid && !strcmp(entry->info.creator_comm, "ctx");
}

/*
 * What ctx run makes for itself: a context whose end kills a cgroup. It belongs to
 * the one that was made right before, for the command.
 */
static size_t guarded(const struct list *list, size_t at)
{
	const struct entry *entry = &list->entries[at];
	const unsigned int pid = entry->info.creator_pid;
	size_t first = at < GUARD_DISTANCE ? 0 : at - GUARD_DISTANCE;

	if (entry->kind != KIND_CANCEL || entry->info.depth != 1 || !entry->info.on_dones ||
	    !pid || !is_of_ctx_run(entry, pid))
		return NONE;
	for (size_t i = at; i-- > first;)
		if (!list->entries[i].hidden && is_of_ctx_run(&list->entries[i], pid))
			return i;
	return NONE;
}

/*
 * A value shares its parent's end in everything, and is shown with it, unless that
 * is not there to be seen.
 */
static size_t parent_of_value(const struct list *list, const struct entry *entry)
{
	if (entry->kind != KIND_VALUE || !entry->info.parent_id)
		return NONE;
	return list_find(list, entry->info.parent_id);
}

/* Finds what need not have a line of its own. */
void list_fold(struct list *list)
{
	for (size_t i = 0; i < list->nr; i++) {
		struct entry *entry = &list->entries[i];

		entry->parent = parent_of_value(list, entry);
		if (entry->parent == NONE)
			entry->parent = guarded(list, i);
		entry->hidden = entry->parent != NONE;
	}
}

static void add_child(struct list *list, size_t at)
{
	const size_t parent = list->entries[at].parent;
	size_t *first = parent == NONE ? &list->first : &list->entries[parent].child;
	size_t *last = parent == NONE ? &list->last : &list->entries[parent].last_child;

	if (*first == NONE)
		*first = at;
	else
		list->entries[*last].sibling = at;
	*last = at;
}

static void add_folded(struct list *list, size_t at)
{
	struct entry *parent = &list->entries[list->entries[at].parent];

	if (parent->folded < SHOWN_FOLDED)
		parent->folded_ids[parent->folded] = list->entries[at].info.id;
	parent->folded++;
}

/* The nearest one above that is shown. Parents are older, so theirs is known. */
static size_t shown_parent(const struct list *list, const struct entry *entry)
{
	size_t parent = entry->parent;

	if (!entry->hidden && entry->info.parent_id)
		parent = list_find(list, entry->info.parent_id);
	while (parent != NONE && list->entries[parent].hidden)
		parent = list->entries[parent].parent;
	return parent;
}

/* Once, after list_fold() if that is wanted. */
void list_make_family(struct list *list)
{
	for (size_t i = 0; i < list->nr; i++) {
		struct entry *entry = &list->entries[i];

		entry->parent = shown_parent(list, entry);
		if (entry->hidden)
			add_folded(list, i);
		else
			add_child(list, i);
	}
	for (size_t i = list->nr; i-- > 0;) {
		const struct entry *entry = &list->entries[i];

		if (!entry->hidden && entry->parent != NONE)
			list->entries[entry->parent].below += 1 + entry->below;
	}
}

/* What follows @at from the top down, within what is below @top (NONE: everything). */
size_t list_next(const struct list *list, size_t at, size_t top)
{
	if (list->entries[at].child != NONE)
		return list->entries[at].child;
	while (at != top && list->entries[at].sibling == NONE) {
		at = list->entries[at].parent;
		if (at == NONE)
			return NONE;
	}
	return at == top ? NONE : list->entries[at].sibling;
}

/* By the numbers of parents, hidden or not. */
bool list_is_below(const struct list *list, size_t at, uint64_t top)
{
	while (at != NONE) {
		const uint64_t parent = list->entries[at].info.parent_id;

		if (parent == top)
			return true;
		at = parent ? list_find(list, parent) : NONE;
	}
	return false;
}

void list_free(struct list *list)
{
	for (size_t i = 0; i < list->nr; i++)
		free_command(&list->entries[i]);
	free(list->entries);
	*list = (struct list) { .first = NONE };
}
