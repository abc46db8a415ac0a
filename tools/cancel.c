// SPDX-License-Identifier: GPL-2.0
/* ctx cancel: contexts by their number, with a cause. */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "list.h"

#define EXIT_NOT_ALL	1

/* Who is still making contexts after so many passes does not stop. */
#define MOST_PASSES	100

static const char cancel_help[] =
	"usage: ctx cancel [-c CAUSE] [-v] ID...\n"
	"       ctx cancel [-c CAUSE] [-v] --tree [ID]...\n"
	"\n"
	"Cancels contexts, and with each everything below it. A cancellation stops at a\n"
	"without-cancel context, which is made for that.\n"
	"\n"
	"  -c, --cause CAUSE   why: an errno by name or number; ECANCELED unless given\n"
	"      --tree          also what is below without-cancel contexts; and of an ID that\n"
	"                      has nothing to cancel itself, all that is below. Without\n"
	"                      IDs: what is below the context that this command was\n"
	"                      started under. Others' contexts are left alone\n"
	"  -v, --verbose       say which contexts were cancelled\n"
	"  -h, --help          this text\n"
	"\n"
	"To cancel one that is done already changes nothing, and is no error.\n"
	"\n"
	"Exit status: 0, 1 if some of them could not be cancelled, 125 if ctx cancel\n"
	"itself failed.\n"
	"\n"
	"examples:\n"
	"  ctx cancel 42               context 42, and everything below it\n"
	"  ctx cancel -c EIO 42 57     because of an I/O error\n"
	"  ctx cancel --tree 42        with what was to outlive it\n"
	"  ctx run sh -c './a & ./b || ctx cancel --tree'\n"
	"                              when b fails, what a and b made below them\n";

struct cancel {
	int device;
	int cause;
	bool tree;
	bool verbose;
	uint64_t *ids;
	size_t nr;
	bool failed;
};

static void say(const struct cancel *cancel, uint64_t id, const char *what)
{
	if (cancel->verbose)
		printf("context %llu %s\n", (unsigned long long)id, what);
}

/* Why a context that is there cannot be opened to be cancelled. */
static void complain_of_right(struct cancel *cancel, uint64_t id)
{
	int fd = ctx_open(cancel->device, id, CTX_RIGHT_OBSERVE);
	struct entry entry;

	if (fd < 0 || read_info(fd, &entry))
		complain("context %llu is another user's", (unsigned long long)id);
	else if (entry.kind == KIND_WITHOUT || entry.endless || !entry.info.parent_id)
		complain("context %llu has nothing to cancel; try 'ctx cancel --tree %llu'",
			 (unsigned long long)id, (unsigned long long)id);
	else
		complain("context %llu is a value, and ends with its parent: 'ctx cancel %llu'",
			 (unsigned long long)id, entry.info.parent_id);
	if (fd >= 0)
		close(fd);
}

static void complain_of(struct cancel *cancel, uint64_t id)
{
	cancel->failed = true;
	if (errno == EPERM)
		complain_of_right(cancel, id);
	else if (errno == ESRCH)
		complain("there is no context %llu; 'ctx tree' shows those there are",
			 (unsigned long long)id);
	else
		complain("cannot cancel context %llu: %s", (unsigned long long)id,
			 strerror(errno));
}

/* Returns 1 if it was live, 0 if not, -1 if it cannot be cancelled. */
static int cancel_one(const struct cancel *cancel, uint64_t id)
{
	int fd = ctx_open(cancel->device, id, CTX_RIGHT_CANCEL | CTX_RIGHT_OBSERVE);
	int before, err;

	if (fd < 0)
		return -1;
	before = ctx_err(fd);
	err = ctx_cancel(fd, cancel->cause);
	close(fd);
	if (err)
		return -1;
	say(cancel, id, before ? "was done already" : "cancelled");
	return !before;
}

static bool is_concerned(const struct list *list, size_t at, uint64_t top)
{
	const struct entry *entry = &list->entries[at];

	return !entry->info.err && (entry->kind == KIND_CANCEL || entry->kind == KIND_DEADLINE ||
				    entry->kind == KIND_UNKNOWN) &&
	       (entry->info.id == top || list_is_below(list, at, top));
}

/* One pass over those that are live now, from the top; true if there were any. */
static bool cancel_pass(struct cancel *cancel, uint64_t top)
{
	struct list list;
	bool found = false;

	list_read(&list, cancel->device);
	for (size_t i = 0; i < list.nr; i++)
		if (is_concerned(&list, i, top))
			found |= cancel_one(cancel, list.entries[i].info.id) > 0;
	list_free(&list);
	return found;
}

/* Until nobody has made another one meanwhile where a cancellation does not reach. */
static void cancel_tree(struct cancel *cancel, uint64_t top)
{
	int fd = ctx_open(cancel->device, top, CTX_RIGHT_OBSERVE), passes = 0;

	if (fd < 0) {
		complain_of(cancel, top);
		return;
	}
	while (passes <= MOST_PASSES && cancel_pass(cancel, top))
		passes++;
	if (passes > MOST_PASSES) {
		complain("contexts are still made below %llu: end who does that, see 'ctx tree'",
			 (unsigned long long)top);
		cancel->failed = true;
	}
	close(fd);
}

/* The context that this was started under. */
static uint64_t own_id(void)
{
	struct ctx_ioc_info info;
	int fd = env_or_die();

	if (ctx_info(fd, &info))
		die_of_descriptor(fd);
	if (!info.depth)
		die("CTX_FD is background: that would be everything; give an ID");
	if (!info.id)
		die("this runs under a context of the kernel's, without a number; give an ID");
	return info.id;
}

static void parse_options(struct cancel *cancel, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "cause",   required_argument, NULL, 'c' },
		{ "tree",    no_argument,       NULL, 'T' },
		{ "verbose", no_argument,       NULL, 'v' },
		{ "help",    no_argument,       NULL, 'h' },
		{ NULL }
	};
	int option;

	while ((option = getopt_long(argc, argv, "c:vh", longs, NULL)) != -1) {
		switch (option) {
		case 'c':
			if (parse_cause(optarg, &cancel->cause))
				die("'%s' is no cause, such as EIO, ECANCELED or 5", optarg);
			break;
		case 'T':
			cancel->tree = true;
			break;
		case 'v':
			cancel->verbose = true;
			break;
		case 'h':
			exit(show_help(cancel_help));
		default:
			die_of_usage("cancel");
		}
	}
	cancel->ids = parse_ids(argv + optind, &cancel->nr);
	if (!cancel->nr && !cancel->tree)
		die("no ID; 'ctx tree' shows them");
}

/*
 * What is cancelled may send this a signal, as ctx run does to its command, before
 * the rest is; and of which kind is for others to say.
 */
static void hold_signals(void)
{
	sigset_t set;

	sigfillset(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

int cmd_cancel(int argc, char **argv)
{
	struct cancel cancel = { 0 };

	parse_options(&cancel, argc, argv);
	if (!cancel.nr)
		cancel.ids[cancel.nr++] = own_id();
	cancel.device = open_device();
	hold_signals();
	for (size_t i = 0; i < cancel.nr; i++) {
		if (cancel.tree)
			cancel_tree(&cancel, cancel.ids[i]);
		else if (cancel_one(&cancel, cancel.ids[i]) < 0)
			complain_of(&cancel, cancel.ids[i]);
	}
	close(cancel.device);
	free(cancel.ids);
	flush_output();
	return cancel.failed ? EXIT_NOT_ALL : 0;
}
