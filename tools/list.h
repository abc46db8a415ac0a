/* SPDX-License-Identifier: GPL-2.0 */
/* The contexts there are, as a tree. */
#ifndef LIST_H
#define LIST_H

#include "tool.h"

#define NONE		SIZE_MAX	/* no such entry */
#define SHOWN_FOLDED	3

enum kind {
	KIND_UNKNOWN,		/* /proc is not there to be asked */
	KIND_CANCEL,
	KIND_DEADLINE,
	KIND_VALUE,
	KIND_WITHOUT,
};

struct entry {
	struct ctx_ioc_info info;
	enum kind kind;
	bool endless;		/* is never done */
	bool hidden;		/* stands with its parent: see list_fold() */

	/* the family, as far as it is shown: indices into the list */
	size_t parent;
	size_t child;
	size_t last_child;
	size_t sibling;
	size_t folded;		/* hidden ones that stand with it, and the first of them */
	uint64_t folded_ids[SHOWN_FOLDED];
	size_t below;		/* descendants */
	size_t fresh;		/* ... that the last list did not have; see top.c */

	/* what runs under it, by CTX_FD; without such, who made it */
	size_t processes;
	pid_t pid;
	char *command;
};

struct list {
	struct entry *entries;	/* by number, so that parents come first */
	size_t nr;
	size_t size;
	size_t first;		/* of those without a parent that is shown */
	size_t last;
};

/* list.c */
int open_device(void);
int open_id_or_die(int device, uint64_t id, unsigned int rights);
__noreturn void die_of_id(uint64_t id);
bool next_id(int device, uint64_t *id);
int read_info(int fd, struct entry *entry);
char *read_path(int fd);
void list_read(struct list *list, int device);
void list_add(struct list *list, int fd);
void list_fold(struct list *list);
void list_make_family(struct list *list);
void list_free(struct list *list);
size_t list_find(const struct list *list, uint64_t id);
size_t list_next(const struct list *list, size_t at, size_t top);
bool list_is_below(const struct list *list, size_t at, uint64_t top);
const char *kind_name(enum kind kind);

/* proc.c */
void find_processes(struct list *list);
void free_command(struct entry *entry);

/* tree.c */
struct table;
const char *state_style(unsigned int err);
const char *left_text(const struct ctx_ioc_info *info, int64_t now);
void add_command(struct table *table, const struct entry *entry);

/* json.c */
void json_contexts(FILE *out, const struct list *list, const size_t *order, size_t nr);

#endif /* LIST_H */
