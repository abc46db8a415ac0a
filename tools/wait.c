// SPDX-License-Identifier: GPL-2.0
/* ctx wait: for the end of contexts, who ended them, when and why. */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include "list.h"

#define EXIT_NOT_DONE	1

static const char wait_help[] =
	"usage: ctx wait [-t DURATION] [-f FD]\n"
	"       ctx wait [-t DURATION] [-n] {ID... | -a}\n"
	"\n"
	"Waits until the context that this command was started under is done, or all of\n"
	"those with the given numbers, and says of each who ended it, when and why.\n"
	"\n"
	"  -a, --all                without IDs: every context there is now that you may\n"
	"                           open, but for values, what ctx run makes for itself,\n"
	"                           those that are never done and those that this runs\n"
	"                           under; with IDs, all of these, as anyway\n"
	"  -n, --any                only until one of them is done\n"
	"  -t, --timeout DURATION   do not wait longer; 0, which is the default, means\n"
	"                           no limit\n"
	"  -f, --fd FD              the context at this descriptor instead\n"
	"  -h, --help               this text\n"
	"\n"
	"DURATION is a number, such as 2 or 0.5, of seconds, or with one of the suffixes\n"
	"ms, s, m, h and d. A context that is gone cannot be waited for.\n"
	"\n"
	"Exit status: 0 if they are done, or with -n one of them, 1 if not within DURATION,\n"
	"125 if there is no context to wait for, 128+N for a signal N that came first.\n"
	"\n"
	"examples:\n"
	"  ctx run -t 1s -- ctx wait                  times out after a second\n"
	"  ctx wait -t 1ms || echo 'still time left'  in a script under a context\n"
	"  ctx wait 42 57                             until both are done\n"
	"  ctx wait -n 42 57                          until one of them is\n"
	"  ctx wait -a                                until nothing is going on any more\n";

struct wait {
	int64_t timeout;
	bool all;
	bool any;
	struct pollfd *fds;	/* what is done has -1 */
	size_t nr;
	size_t left;
};

static volatile sig_atomic_t last_signal;

static void note_signal(int number)
{
	last_signal = number;
}

/* Signals that end programs interrupt only the wait itself; returns that mask. */
static sigset_t catch_signals(void)
{
	static const int numbers[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };
	struct sigaction old, action = { .sa_handler = note_signal };
	sigset_t set, old_mask;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		sigaddset(&set, numbers[i]);
		if (!sigaction(numbers[i], NULL, &old) && old.sa_handler != SIG_IGN)
			sigaction(numbers[i], &action, NULL);
	}
	sigprocmask(SIG_BLOCK, &set, &old_mask);
	return old_mask;
}

static void die_of_signal(const sigset_t *old_mask)
{
	signal(last_signal, SIG_DFL);
	raise(last_signal);
	sigprocmask(SIG_SETMASK, old_mask, NULL);
}

static void add(struct wait *wait, int fd)
{
	wait->fds = reallocarray(wait->fds, wait->nr + 1, sizeof(*wait->fds));
	if (!wait->fds)
		die("out of memory");
	wait->fds[wait->nr++] = (struct pollfd) { .fd = fd, .events = POLLIN };
	wait->left++;
}

/* Each takes a descriptor. */
static void allow_many(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static void add_id(struct wait *wait, int device, uint64_t id, bool must)
{
	int fd = ctx_open(device, id, CTX_RIGHT_OBSERVE);

	if (fd < 0 && (errno == EMFILE || errno == ENFILE))
		die("too many contexts to wait for: raise the limit with 'ulimit -n'");
	if (fd < 0 && must)
		die_of_id(id);
	if (fd >= 0)
		add(wait, fd);
}

/* What this runs under ends when this does, in a way. */
static bool is_above(const struct list *list, size_t at, uint64_t own)
{
	size_t self = own ? list_find(list, own) : NONE;

	return self != NONE &&
	       (self == at || list_is_below(list, self, list->entries[at].info.id));
}

/* The number of the context at @fd, or of the one above that if it has none; or 0. */
static uint64_t number_of(int fd)
{
	struct ctx_ioc_info info;

	if (fd < 0 || ctx_info(fd, &info))
		return 0;
	return info.id ? info.id : info.parent_id;
}

static void add_all(struct wait *wait, int device)
{
	const int bound = bound_context();
	const uint64_t env_id = number_of(ctx_env_fd()), bound_id = number_of(bound);
	struct list list;

	if (bound >= 0)
		close(bound);
	list_read(&list, device);
	list_fold(&list);
	for (size_t i = 0; i < list.nr; i++) {
		const struct entry *entry = &list.entries[i];

		if (!entry->hidden && !entry->endless && !is_above(&list, i, env_id) &&
		    !is_above(&list, i, bound_id))
			add_id(wait, device, entry->info.id, false);
	}
	list_free(&list);
}

/* Tells of those that are done by now. */
static void collect(struct wait *wait)
{
	struct ctx_event event;

	for (size_t i = 0; i < wait->nr && !(wait->any && wait->left < wait->nr); i++) {
		int fd = wait->fds[i].fd, err;

		if (fd < 0)
			continue;
		err = ctx_wait(fd, 0, &event);
		if (err < 0)
			die_of_descriptor(fd);
		if (!err)
			continue;
		print_end(stdout, &event);
		wait->fds[i].fd = -1;
		wait->left--;
	}
	flush_output();
}

static bool is_over(const struct wait *wait)
{
	return !wait->left || (wait->any && wait->left < wait->nr);
}

/* Lets signals in while waiting; false if the time is up. */
static bool wait_for_more(const struct wait *wait, int64_t end, const sigset_t *mask)
{
	int64_t left = end - clock_ns(CLOCK_MONOTONIC);
	struct timespec time = { 0 };

	if (left > 0) {
		time.tv_sec = left / CTX_SEC;
		time.tv_nsec = left % CTX_SEC;
	}
	ppoll(wait->fds, wait->nr, wait->timeout ? &time : NULL, mask);
	return !wait->timeout || left > 0;
}

/*
 * The end of a context often comes with a signal, which ctx run sends to its
 * command's process group; it must not keep the end from being told.
 */
static int wait_through_signals(struct wait *wait)
{
	int64_t now = clock_ns(CLOCK_MONOTONIC);
	int64_t end = wait->timeout < CTX_FOREVER - now ? now + wait->timeout : CTX_FOREVER;
	sigset_t old_mask = catch_signals();
	bool more = true;

	collect(wait);
	while (!is_over(wait) && more && !last_signal) {
		more = wait_for_more(wait, end, &old_mask);
		collect(wait);
	}
	if (is_over(wait))
		return 0;
	if (last_signal)
		die_of_signal(&old_mask);
	return EXIT_NOT_DONE;
}

static void parse_options(struct wait *wait, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "all",     no_argument,       NULL, 'a' },
		{ "any",     no_argument,       NULL, 'n' },
		{ "timeout", required_argument, NULL, 't' },
		{ "fd",      required_argument, NULL, 'f' },
		{ "help",    no_argument,       NULL, 'h' },
		{ NULL }
	};
	int option, fd;

	while ((option = getopt_long(argc, argv, "ant:f:h", longs, NULL)) != -1) {
		switch (option) {
		case 'a':
			wait->all = true;
			break;
		case 'n':
			wait->any = true;
			break;
		case 't':
			if (parse_duration(optarg, &wait->timeout))
				die("'%s' is no duration, such as 10, 0.5s or 200ms", optarg);
			break;
		case 'f':
			if (parse_descriptor(optarg, &fd))
				die("'%s' is no descriptor", optarg);
			add(wait, fd);
			break;
		case 'h':
			exit(show_help(wait_help));
		default:
			die_of_usage("wait");
		}
	}
}

/* What to wait for: the given ones, all, or the one that this was started under. */
static void choose(struct wait *wait, char **texts)
{
	size_t nr;
	uint64_t *ids = parse_ids(texts, &nr);
	int device;

	if (!nr && !wait->all && !wait->nr)
		add(wait, env_or_die());
	if (nr || wait->all) {
		allow_many();
		device = open_device();
		for (size_t i = 0; i < nr; i++)
			add_id(wait, device, ids[i], true);
		if (!nr)
			add_all(wait, device);
		close(device);
	}
	free(ids);
}

int cmd_wait(int argc, char **argv)
{
	struct wait wait = { 0 };

	parse_options(&wait, argc, argv);
	choose(&wait, argv + optind);
	return wait_through_signals(&wait);
}
