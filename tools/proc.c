// SPDX-License-Identifier: GPL-2.0
/*
 * What runs under which context: a process whose environment names one by CTX_FD,
 * as far as /proc lets the caller look. Where there is none, who made the context.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "list.h"

#define COMMAND_MAX	4096

static FILE *open_of(pid_t pid, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	return fopen(path, "re");
}

/* The number in CTX_FD when @pid started its program, or -1. */
static int env_fd_of(pid_t pid)
{
	FILE *file = open_of(pid, "environ");
	char *entry = NULL;
	size_t size = 0;
	int fd = -1;

	while (fd < 0 && file && getdelim(&entry, &size, '\0', file) > 0)
		if (!strncmp(entry, "CTX_FD=", 7) && parse_descriptor(entry + 7, &fd))
			break;
	free(entry);
	if (file)
		fclose(file);
	return fd;
}

/* The number of the context at @fd of @pid, or 0. */
static uint64_t id_of(pid_t pid, int fd)
{
	char name[32], line[256];
	unsigned long long id = 0;
	FILE *file;

	snprintf(name, sizeof(name), "fdinfo/%d", fd);
	file = open_of(pid, name);
	while (!id && file && fgets(line, sizeof(line), file))
		if (sscanf(line, "ctx-id: %llu", &id) != 1)
			id = 0;
	if (file)
		fclose(file);
	return id;
}

/* The command line of @pid, to be freed, or NULL. */
static char *command_of(pid_t pid)
{
	char *text = malloc(COMMAND_MAX);
	FILE *file = open_of(pid, "cmdline");
	size_t len = file && text ? fread(text, 1, COMMAND_MAX - 1, file) : 0;

	if (file)
		fclose(file);
	while (len && !text[len - 1])
		len--;
	if (!len) {
		free(text);
		return NULL;
	}
	for (size_t i = 0; i < len; i++)
		if (!text[i])
			text[i] = ' ';
	text[len] = '\0';
	return text;
}

static bool has_name(pid_t pid, const char *comm)
{
	char name[CTX_COMM_LEN + 1] = "";
	FILE *file = open_of(pid, "comm");
	size_t len = file ? fread(name, 1, sizeof(name) - 1, file) : 0;

	if (file)
		fclose(file);
	if (len)
		name[len - 1] = '\0';
	return len && !strncmp(name, comm, CTX_COMM_LEN);
}

/* Who made it, in brackets if that is all there is to know. */
static void take_creator(struct entry *entry)
{
	const struct ctx_ioc_info *info = &entry->info;

	if (info->creator_pid && has_name(info->creator_pid, info->creator_comm)) {
		entry->pid = info->creator_pid;
		entry->command = command_of(info->creator_pid);
	}
	if (!entry->command && info->id &&
	    asprintf(&entry->command, "[%.*s]", CTX_COMM_LEN, info->creator_comm) < 0)
		die("out of memory");
}

static void count_process(struct list *list, pid_t pid)
{
	int fd = env_fd_of(pid);
	uint64_t id = fd < 0 ? 0 : id_of(pid, fd);
	size_t at = id ? list_find(list, id) : NONE;
	struct entry *entry;

	if (at != NONE && list->entries[at].hidden)
		at = list->entries[at].parent;
	if (at == NONE)
		return;
	entry = &list->entries[at];
	if (!entry->processes || pid < entry->pid)
		entry->pid = pid;
	entry->processes++;
}

/* After list_make_family(). This process itself is not worth mentioning. */
void find_processes(struct list *list)
{
	DIR *dir = opendir("/proc");
	struct dirent *file;
	int pid;

	while ((file = dir ? readdir(dir) : NULL))
		if (!parse_descriptor(file->d_name, &pid) && pid != getpid())
			count_process(list, pid);
	if (dir)
		closedir(dir);
	for (size_t i = 0; i < list->nr; i++) {
		struct entry *entry = &list->entries[i];

		if (entry->processes)
			entry->command = command_of(entry->pid);
		if (!entry->command)
			take_creator(entry);
	}
}

void free_command(struct entry *entry)
{
	free(entry->command);
	entry->command = NULL;
}
