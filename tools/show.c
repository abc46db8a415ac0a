// SPDX-License-Identifier: GPL-2.0
/* ctx info: a context, and the end of one, in words. */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "list.h"

const char info_help[] =
	"usage: ctx info [-j] [-f FD | ID...]\n"
	"\n"
	"Shows the context that this command was started under: the one that CTX_FD names,\n"
	"or else that of its cgroup. With IDs, the contexts that have these numbers: one's\n"
	"own or, for root, anybody's.\n"
	"\n"
	"  -f, --fd FD   the context at this descriptor instead\n"
	"  -j, --json    for programs, as 'ctx tree --json' has it\n"
	"  -h, --help    this text\n"
	"\n"
	"Exit status: 0, or 125 if there is no context to show.\n"
	"\n"
	"examples:\n"
	"  ctx run -t 10s -- ctx info    a context with 10 seconds to live\n"
	"  ctx info 42                   context 42\n"
	"  ctx info -f 3 3<>/dev/ctx     Background, the root of all contexts\n";

/* The end of a context in one line: who, when, why. */
void print_end(FILE *out, const struct ctx_event *event)
{
	if (event->id)
		fprintf(out, "context %llu", event->id);
	else
		fputs("the kernel's context", out);
	fputs(event->err == ETIMEDOUT ? " timed out" : " was cancelled", out);
	fprintf(out, " by %s", who_text(event->comm, event->pid));
	fprintf(out, " at %s", when_text(event->time));
	if (event->cause != event->err)
		fprintf(out, ": %s", errno_text(event->cause));
	if (event->origin_id && event->origin_id != event->id)
		fprintf(out, " (because context %llu did)", event->origin_id);
	fputc('\n', out);
}

static void print_state(const struct ctx_ioc_info *info)
{
	bool colour = use_colour();

	printf("state     %s%s%s\n", colour ? (info->err ? "\033[31m" : "\033[32m") : "",
	       state_text(info->err), colour ? "\033[0m" : "");
}

static void print_deadline(const struct ctx_ioc_info *info)
{
	int64_t left = info->deadline - clock_ns(CLOCK_MONOTONIC);

	if (!(info->info_flags & CTX_INFO_DEADLINE))
		printf("deadline  none\n");
	else if (info->err)
		printf("deadline  was set\n");
	else
		printf("deadline  in %s\n", span_text(left > 0 ? left : 0));
}

static void print_why(const struct ctx_ioc_info *info)
{
	printf("cause     %s\n", errno_text(info->cause));
	printf("by        %s\n", who_text(info->origin_comm, info->origin_pid));
	printf("when      %s\n", when_text(info->done_time));
	if (info->origin_id)
		printf("origin    context %llu%s\n", info->origin_id,
		       info->origin_id == info->id ? ", this one" : "");
}

static void print_family(const struct ctx_ioc_info *info)
{
	if (info->parent_id)
		printf("parent    context %llu\n", info->parent_id);
	else if (info->depth <= 1)
		printf("parent    background\n");
	else
		printf("parent    made by no process\n");
	printf("depth     %u\n", info->depth);
	if (info->id)
		printf("creator   %s, uid %u\n", who_text(info->creator_comm, info->creator_pid),
		       info->owner_uid);
}

static void print_rights(unsigned int rights)
{
	static const char * const names[] = { "cancel", "derive", "value", "observe" };

	printf("rights   ");
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (rights & (1U << i))
			printf(" %s", names[i]);
	putchar('\n');
}

static void print_on_dones(const struct ctx_ioc_info *info)
{
	if (!info->on_dones)
		return;
	printf("on-dones  %u", info->on_dones);
	if (info->info_flags & CTX_INFO_WRITTEN)
		printf(info->on_done_err ? ", all tried" : ", all written");
	if (info->on_done_err)
		printf("; the first that failed: %s", errno_text(info->on_done_err));
	putchar('\n');
}

static void print_info(const struct ctx_ioc_info *info, const char *path)
{
	if (!info->depth) {
		printf("context   background, which is never done\n");
		print_rights(info->rights);
		return;
	}
	if (info->id)
		printf("context   %llu%s\n", info->id,
		       info->info_flags & CTX_INFO_KEEP ? ", outlives its owner" : "");
	else
		printf("context   the kernel's, without a number\n");
	print_state(info);
	if (info->err)
		print_why(info);
	print_deadline(info);
	print_family(info);
	print_rights(info->rights);
	print_on_dones(info);
	if (path)
		printf("path      %s\n", path);
}

/*
 * The context of this process's cgroup, or -1 if that is bound to none. Ends the program
 * if nobody can be asked: then there is no context, or none to be had.
 */
int bound_context(void)
{
	struct ctx_ioc_info info;
	int fd = ctx_ambient();

	if (fd < 0)
		die_of_device();
	if (!ctx_info(fd, &info) && info.depth)
		return fd;
	close(fd);
	return -1;
}

/*
 * The descriptor in CTX_FD or, where that was lost on the way, the context of the
 * cgroup; ends the program if there is neither.
 */
int env_or_die(void)
{
	int fd = ctx_env_fd(), err = errno;

	if (fd >= 0)
		return fd;
	fd = bound_context();
	if (fd >= 0)
		return fd;
	if (err == ENOENT)
		die("CTX_FD is not set: this was not started under a context");
	if (err == EINVAL)
		die("CTX_FD is no number: '%s'", getenv("CTX_FD"));
	if (err == EBADF)
		die("CTX_FD is %s, but that descriptor was closed on the way", getenv("CTX_FD"));
	die("CTX_FD is %s, but that descriptor is no context", getenv("CTX_FD"));
}

void die_of_descriptor(int fd)
{
	if (errno == EBADF)
		die("descriptor %d is not open", fd);
	if (errno == EPERM)
		die("the context at descriptor %d may not be observed", fd);
	if (errno == ENOTTY || errno == EINVAL)
		die("descriptor %d is no context", fd);
	die("descriptor %d: %s", fd, strerror(errno));
}

struct options {
	int fd;
	bool json;
};

static void parse_options(int argc, char **argv, struct options *options)
{
	static const struct option longs[] = {
		{ "fd",   required_argument, NULL, 'f' },
		{ "json", no_argument,       NULL, 'j' },
		{ "help", no_argument,       NULL, 'h' },
		{ NULL }
	};
	int option;

	while ((option = getopt_long(argc, argv, "f:jh", longs, NULL)) != -1) {
		if (option == 'h')
			exit(show_help(info_help));
		if (option == 'j')
			options->json = true;
		else if (option != 'f')
			die_of_usage("info");
		else if (parse_descriptor(optarg, &options->fd))
			die("'%s' is no descriptor", optarg);
	}
	if (optind < argc && options->fd >= 0)
		die("-f is instead of IDs; try 'ctx info --help'");
}

/* Those of @list with these numbers, which are there. */
static void show_json(struct list *list, const uint64_t *ids, size_t nr)
{
	size_t *order = calloc(nr + 1, sizeof(*order));

	if (!order)
		die("out of memory");
	list_make_family(list);
	find_processes(list);
	for (size_t i = 0; i < nr; i++)
		order[i] = list_find(list, ids[i]);
	json_contexts(stdout, list, order, nr);
	list_free(list);
	free(order);
}

/* As ctx tree has them, to which the others below it matter, too. */
static void show_ids_json(const uint64_t *ids, size_t nr)
{
	int device = open_device(), fd;
	struct list list;

	list_read(&list, device);
	for (size_t i = 0; i < nr; i++) {
		if (list_find(&list, ids[i]) != NONE)
			continue;
		/* Says why not, or it has come since. */
		fd = open_id_or_die(device, ids[i], CTX_RIGHT_OBSERVE);
		list_add(&list, fd);
		close(fd);
	}
	close(device);
	show_json(&list, ids, nr);
}

/* Whosever it is: what is open needs not be opened. */
static void show_fd_json(int fd)
{
	struct ctx_ioc_info info;
	struct list list;
	uint64_t id;

	if (ctx_info(fd, &info))
		die_of_descriptor(fd);
	if (!info.depth)
		die("background has nothing to tell programs");
	list_read(&list, fd);
	list_add(&list, fd);
	id = info.id;
	show_json(&list, &id, 1);
}

static void show(int fd)
{
	struct ctx_ioc_info info;
	char *path;

	if (ctx_info(fd, &info))
		die_of_descriptor(fd);
	path = read_path(fd);
	print_info(&info, path);
	free(path);
}

static void show_ids(const uint64_t *ids, size_t nr)
{
	int device = open_device();

	for (size_t i = 0; i < nr; i++) {
		int fd = open_id_or_die(device, ids[i], CTX_RIGHT_OBSERVE);

		if (i)
			putchar('\n');
		show(fd);
		close(fd);
	}
	close(device);
}

int cmd_info(int argc, char **argv)
{
	struct options options = { .fd = -1 };
	uint64_t *ids;
	size_t nr;

	parse_options(argc, argv, &options);
	ids = parse_ids(argv + optind, &nr);
	if (!nr && options.fd < 0)
		options.fd = env_or_die();
	if (nr && options.json)
		show_ids_json(ids, nr);
	else if (nr)
		show_ids(ids, nr);
	else if (options.json)
		show_fd_json(options.fd);
	else
		show(options.fd);
	free(ids);
	return flush_output();
}
