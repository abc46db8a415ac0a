// SPDX-License-Identifier: GPL-2.0
/*
 * ctx trace: the module's tracepoints in words. In a trace instance of its own, so
 * that nobody else's settings change; it goes away with this program, or, if that
 * was killed, with the next one.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "list.h"

#define INSTANCE	"ctx-trace-"
#define COMM_WIDTH	16	/* of the name at the start of a line */

static const char trace_help[] =
	"usage: ctx trace [OPTION]... [ID]...\n"
	"\n"
	"Shows what happens to contexts, while it does, until ^C. Needs root. With IDs, only\n"
	"what concerns these: their children are derived, others are done because of them.\n"
	"\n"
	"      --tree           ... and all that is below them, now or later\n"
	"  -e, --event EVENT    only such events, several with commas between: derive,\n"
	"                       cancel, expire, done, release, on_done\n"
	"  -k, --kernel         also contexts of the kernel itself, which have no number\n"
	"  -n, --count COUNT    end after COUNT lines\n"
	"  -h, --help           this text\n"
	"\n"
	"It listens once it has said so on standard error. Processes are numbered as the\n"
	"initial pid namespace does.\n"
	"\n"
	"Exit status: 0, or 125 if nothing can be traced.\n"
	"\n"
	"examples:\n"
	"  ctx trace                        everything that processes do\n"
	"  ctx trace -e cancel,expire       who ends what, and why\n"
	"  ctx trace --tree 42              a context and what is below it\n"
	"  ctx trace -n 1 -e done 42        waits for its end\n";

enum event { DERIVE, CANCEL, EXPIRE, DONE, RELEASE, ON_DONE, EVENTS };

static const struct {
	const char *name;
	const char *other;	/* a second number that the event has */
} events[EVENTS] = {
	[DERIVE]  = { "derive", "parent_id" },
	[CANCEL]  = { "cancel" },
	[EXPIRE]  = { "expire" },
	[DONE]    = { "done", "origin_id" },
	[RELEASE] = { "release" },
	[ON_DONE] = { "on_done" },
};

struct trace {
	unsigned int wanted;	/* events, a bit for each; 0: all */
	bool tree;
	bool kernel;
	bool chosen;		/* only those in @ids, which with --tree come and go */
	int count;		/* lines to come; 0: no end */
	uint64_t *ids;		/* in order */
	size_t nr;
	size_t size;
	const char *tracefs;
	char dir[128];
};

static char instance[128];	/* to be removed */
static int trace_pipe = -1;	/* open, it keeps the instance */
static volatile sig_atomic_t last_signal;

static void note_signal(int number)
{
	last_signal = number;
}

static void remove_instance(void)
{
	if (trace_pipe >= 0)
		close(trace_pipe);
	trace_pipe = -1;
	if (*instance)
		rmdir(instance);
	*instance = '\0';
}

static int compare_ids(const void *left, const void *right)
{
	const uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

	return a < b ? -1 : a > b;
}

static bool has_id(const struct trace *trace, uint64_t id)
{
	return id && bsearch(&id, trace->ids, trace->nr, sizeof(id), compare_ids);
}

/* Numbers are given in order, so new ones mostly belong at the end. */
static void add_id(struct trace *trace, uint64_t id)
{
	size_t at;

	if (trace->nr == trace->size) {
		trace->size = 2 * trace->size + 64;
		trace->ids = reallocarray(trace->ids, trace->size, sizeof(*trace->ids));
		if (!trace->ids)
			die("out of memory");
	}
	for (at = trace->nr++; at && trace->ids[at - 1] > id; at--)
		trace->ids[at] = trace->ids[at - 1];
	trace->ids[at] = id;
}

static void drop_id(struct trace *trace, uint64_t id)
{
	uint64_t *found = bsearch(&id, trace->ids, trace->nr, sizeof(id), compare_ids);

	if (found)
		memmove(found, found + 1, (char *)&trace->ids[trace->nr--] - (char *)(found + 1));
}

/* Writes to a file of the instance. */
static int set(const struct trace *trace, const char *name, const char *text)
{
	char path[256];
	ssize_t done;
	int fd, err;

	snprintf(path, sizeof(path), "%s/%s", trace->dir, name);
	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	if (fd < 0)
		return -1;
	done = write(fd, text, strlen(text));
	err = errno;
	close(fd);
	errno = err;
	return done == (ssize_t)strlen(text) ? 0 : -1;
}

static const char *find_tracefs(void)
{
	static const char * const dirs[] = { "/sys/kernel/tracing", "/sys/kernel/debug/tracing" };
	char path[64];

	for (size_t i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/instances", dirs[i]);
		if (!access(path, F_OK))
			return dirs[i];
	}
	if (errno == EACCES || geteuid())
		die("tracing is for root: try 'sudo ctx trace'");
	die("/sys/kernel/tracing is not there: 'mount -t tracefs none /sys/kernel/tracing'");
}

/* Our own number on one that is there was that of somebody before us. */
static bool is_of_another(pid_t pid)
{
	return pid != getpid() && (!kill(pid, 0) || errno != ESRCH);
}

/* Those whose ctx trace was killed. One that is in use stays. */
static void remove_stale(const struct trace *trace)
{
	char path[sizeof(instance) + 256];
	struct dirent *file;
	DIR *dir;
	int pid;

	snprintf(path, sizeof(path), "%s/instances", trace->tracefs);
	dir = opendir(path);
	while ((file = dir ? readdir(dir) : NULL)) {
		if (strncmp(file->d_name, INSTANCE, strlen(INSTANCE)) ||
		    parse_descriptor(file->d_name + strlen(INSTANCE), &pid) ||
		    is_of_another(pid))
			continue;
		snprintf(path, sizeof(path), "%s/instances/%s", trace->tracefs, file->d_name);
		rmdir(path);
	}
	if (dir)
		closedir(dir);
}

static void make_instance(struct trace *trace)
{
	snprintf(trace->dir, sizeof(trace->dir), "%s/instances/" INSTANCE "%d",
		 trace->tracefs, getpid());
	if (mkdir(trace->dir, 0700)) {
		if (errno == EACCES || errno == EPERM)
			die("tracing is for root: try 'sudo ctx trace'");
		die("cannot make a trace instance, %s: %s", trace->dir, strerror(errno));
	}
	strcpy(instance, trace->dir);
	atexit(remove_instance);
}

/* What the kernel need not even write down. A long list is looked through here. */
static void set_filter(const struct trace *trace, enum event event)
{
	char name[64], *filter = NULL;
	size_t size;
	FILE *out;

	if (trace->kernel && !trace->chosen)
		return;
	out = open_memstream(&filter, &size);
	if (!out)
		die("out of memory");
	if (!trace->chosen || trace->tree)
		fputs("id != 0", out);
	for (size_t i = 0; i < trace->nr && !trace->tree; i++) {
		fprintf(out, "%sid == %" PRIu64, i ? " || " : "", trace->ids[i]);
		if (events[event].other)
			fprintf(out, " || %s == %" PRIu64, events[event].other, trace->ids[i]);
	}
	fclose(out);
	snprintf(name, sizeof(name), "events/ctx/ctx_%s/filter", events[event].name);
	set(trace, name, filter);
	free(filter);
}

static void enable_events(const struct trace *trace)
{
	char name[64];

	for (enum event event = 0; event < EVENTS; event++) {
		/* Who follows a tree has to hear of its growth. */
		bool needed = trace->tree && (event == DERIVE || event == RELEASE);

		if (trace->wanted && !(trace->wanted & 1U << event) && !needed)
			continue;
		set_filter(trace, event);
		snprintf(name, sizeof(name), "events/ctx/ctx_%s/enable", events[event].name);
		if (!set(trace, name, "1"))
			continue;
		die("cannot enable ctx_%s: %s", events[event].name, strerror(errno));
	}
}

/* All that is below the given ones now. Whoever comes meanwhile is traced already. */
static void add_descendants(struct trace *trace)
{
	const size_t given = trace->nr;
	uint64_t *tops = calloc(given + 1, sizeof(*tops));
	int device = open_device();
	struct list list;

	if (!tops)
		die("out of memory");
	memcpy(tops, trace->ids, given * sizeof(*tops));
	list_read(&list, device);
	for (size_t i = 0; i < list.nr; i++)
		for (size_t j = 0; j < given; j++)
			if (list_is_below(&list, i, tops[j]) &&
			    !has_id(trace, list.entries[i].info.id))
				add_id(trace, list.entries[i].info.id);
	list_free(&list);
	close(device);
	free(tops);
}

/* Lines as parse_head() reads them: a new instance has what the top one has. */
static void set_options(const struct trace *trace)
{
	static const struct { const char *name, *value; } options[] = {
		{ "context-info",	"1" },
		{ "irq-info",		"1" },
		{ "latency-format",	"0" },
		{ "raw",		"0" },
		{ "hex",		"0" },
		{ "bin",		"0" },
		{ "fields",		"0" },	/* not on every kernel */
	};
	char path[64];

	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++) {
		snprintf(path, sizeof(path), "options/%s", options[i].name);
		if (set(trace, path, options[i].value) && errno != ENOENT)
			die("cannot set %s of %s: %s", path, trace->dir, strerror(errno));
	}
}

static void start(struct trace *trace)
{
	char path[256];

	trace->tracefs = find_tracefs();
	snprintf(path, sizeof(path), "%s/events/ctx", trace->tracefs);
	if (access(path, F_OK))
		die("the module's events are not there: load it with 'modprobe ctx'");
	remove_stale(trace);
	make_instance(trace);
	/* The clock that deadlines are on. A big buffer is the kernel's default. */
	if (set(trace, "trace_clock", "mono"))
		die("cannot set the clock of %s: %s", trace->dir, strerror(errno));
	set_options(trace);
	snprintf(path, sizeof(path), "%s/trace_pipe", trace->dir);
	trace_pipe = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (trace_pipe < 0)
		die("cannot open %s: %s", path, strerror(errno));
	enable_events(trace);
	if (trace->tree)
		add_descendants(trace);
}

/* The field called @name of an event's text, as a number; 0 if there is none. */
static long long field(const char *text, const char *name)
{
	size_t len = strlen(name);
	const char *at = text;

	while ((at = strstr(at, name))) {
		if (at > text && at[-1] == ' ' && at[len] == '=')
			return strtoll(at + len + 1, NULL, 10);
		at += len;
	}
	return 0;
}

/* ... as a word, or for the last field, which is a task's name and holds anything, that. */
static const char *word(const char *text, const char *name, bool is_comm)
{
	static char found[128];
	char key[32];
	const char *at;

	snprintf(key, sizeof(key), " %s=", name);
	at = strstr(text, key);
	if (!at)
		return "?";
	at += strlen(key);
	snprintf(found, sizeof(found), "%.*s",
		 is_comm ? CTX_COMM_LEN - 1 : (int)strcspn(at, "\n "), at);
	make_harmless(found);
	return found;
}

static void print_name(const char *text, const char *number, const char *address)
{
	long long id = field(text, number);

	if (id)
		printf("%lld", id);
	else
		printf("@%s", word(text, address, false));
}

/* Not the line's own name and number: the kernel has names only of who has slept since. */
static void print_who(const char *text)
{
	printf(" by %s", word(text, "comm", true));
	if (field(text, "pid"))
		printf("[%lld]", field(text, "pid"));
}

static void print_derive(const char *text, int64_t now)
{
	long long deadline = field(text, "deadline");

	printf("derived from ");
	if (!field(text, "parent_id") && field(text, "depth") == 1)
		printf("background");
	else
		print_name(text, "parent_id", "parent");
	printf(", %s", word(text, "kind", false));
	if (deadline > now)
		printf(", %s left", short_span(deadline - now));
	else if (deadline)
		printf(", no time left");
	putchar(',');
	print_who(text);
}

/*
 * Whether the context is the one that was cancelled or expired: by its number, or where
 * it has none, by its address. That a kernel does not show before it has random numbers.
 */
static bool is_itself(const char *text)
{
	const long long id = field(text, "id"), origin = field(text, "origin_id");
	char address[32];

	if (id || origin)
		return id == origin;
	snprintf(address, sizeof(address), "%s", word(text, "ctx", false));
	return !strcmp(address, word(text, "origin", false));
}

static void print_done(const char *text)
{
	printf("is %s", state_text(-field(text, "err")));
	if (!is_itself(text)) {
		printf(" with ");
		print_name(text, "origin_id", "origin");
	}
	if (field(text, "cause") != field(text, "err"))
		printf(": %s", errno_text(-field(text, "cause")));
}

static void print_event(enum event event, const char *text, int64_t now)
{
	long long err = field(text, "err");

	switch (event) {
	case DERIVE:
		print_derive(text, now);
		break;
	case CANCEL:
		printf("cancelled");
		print_who(text);
		printf(": %s", errno_text(-field(text, "cause")));
		break;
	case EXPIRE:
		printf("expired %.1f us late: %s", field(text, "late") / 1e3,
		       errno_text(-field(text, "cause")));
		break;
	case DONE:
		print_done(text);
		break;
	case RELEASE:
		printf("released, %s", state_text(-err));
		break;
	default:
		printf("%s to %s", err ? "not written" : "written", word(text, "to", false));
		if (err)
			printf(": %s", errno_text(-err));
	}
}

/* "18:03:27.120412" for a time of the trace. */
static void print_time(int64_t time)
{
	int64_t wall = time + clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_MONOTONIC);
	time_t seconds = wall / CTX_SEC;
	char clock[16] = "?";
	struct tm tm;

	if (localtime_r(&seconds, &tm))
		strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	printf("%s.%06d  ", clock, (int)(wall % CTX_SEC / CTX_USEC));
}

static bool is_wanted(struct trace *trace, enum event event, const char *text)
{
	uint64_t id = field(text, "id");
	uint64_t other = events[event].other ? field(text, events[event].other) : 0;
	bool ours = !trace->chosen || has_id(trace, id) || has_id(trace, other);

	if (trace->tree && ours && event == DERIVE && id && !has_id(trace, id))
		add_id(trace, id);
	return ours && (!trace->wanted || trace->wanted & 1U << event);
}

/*
 * The length of what stands before an event's fields, 0 if no event begins here:
 * "            make-871     [001] d..1.    12.345678: ctx_done: ctx=... id=42 ..."
 * The name may contain anything, but has a width, and is too short for the rest of that.
 */
static size_t parse_head(const char *line, enum event *event, int64_t *time)
{
	unsigned long seconds, fraction;
	char name[16] = "";
	int len = 0;

	if (strnlen(line, COMM_WIDTH) < COMM_WIDTH ||
	    sscanf(line + COMM_WIDTH, "-%*u%*[^]]] %*s %lu.%6lu: ctx_%15[a-z_]:%n",
		   &seconds, &fraction, name, &len) != 3)
		return 0;
	*time = seconds * CTX_SEC + fraction * CTX_USEC;
	for (*event = 0; *event < EVENTS && len; ++*event)
		if (!strcmp(events[*event].name, name))
			return COMM_WIDTH + len;
	return 0;
}

static bool tells_of_loss(const char *line)
{
	int len = 0;

	return sscanf(line, "CPU:%*u [LOST%*[ 0-9]EVENTS]%n", &len) == 0 && len;
}

/*
 * The newline that ends the line, of which a name at its end may have some, too: one
 * that another line follows or, if there is no more to come, nothing.
 */
static char *find_end(char *line, bool is_all)
{
	enum event event;
	int64_t time;

	while ((line = strchr(line, '\n'))) {
		if (line[1] ? parse_head(line + 1, &event, &time) || tells_of_loss(line + 1) :
		    is_all)
			break;
		line++;
	}
	return line;
}

/* Returns false when that was the last line. */
static bool handle_line(struct trace *trace, char *line)
{
	enum event event;
	int64_t time;
	size_t len = parse_head(line, &event, &time);
	char *text = line + len;

	if (!len) {
		if (tells_of_loss(line))
			complain("some events were lost: ask for fewer of them, or for IDs");
		return true;
	}
	if (is_wanted(trace, event, text)) {
		print_time(time);
		print_name(text, "id", "ctx");
		putchar(' ');
		print_event(event, text, time);
		putchar('\n');
		if (trace->count && !--trace->count)
			return false;
	}
	if (trace->tree && event == RELEASE)
		drop_id(trace, field(text, "id"));
	return true;
}

/*
 * As many lines as are complete, all if nothing comes after them for now; what is left
 * of @buffer is kept for the next time.
 */
static bool handle_lines(struct trace *trace, char *buffer, size_t *len, bool is_all)
{
	char *line = buffer, *end;
	bool more = true;

	buffer[*len] = '\0';
	while (more && (end = find_end(line, is_all))) {
		*end = '\0';
		more = handle_line(trace, line);
		line = end + 1;
	}
	*len -= line - buffer;
	memmove(buffer, line, *len);
	return more && !fflush(stdout);
}

static sigset_t catch_signals(void)
{
	static const int numbers[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };
	struct sigaction action = { .sa_handler = note_signal };
	sigset_t set, old_mask;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		sigaddset(&set, numbers[i]);
		sigaction(numbers[i], &action, NULL);
	}
	signal(SIGPIPE, SIG_IGN);
	sigprocmask(SIG_BLOCK, &set, &old_mask);
	return old_mask;
}

static void listen_until_the_end(struct trace *trace, const sigset_t *mask)
{
	static char buffer[64 * 1024 + 1];
	struct pollfd fd = { .fd = trace_pipe, .events = POLLIN };
	size_t len = 0;

	while (!last_signal) {
		ssize_t got = read(trace_pipe, buffer + len, sizeof(buffer) - 1 - len);

		if (got < 0 && errno == EAGAIN) {
			if (!handle_lines(trace, buffer, &len, true))
				break;
			ppoll(&fd, 1, NULL, mask);
			continue;
		}
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			die("cannot read the trace: %s", got ? strerror(errno) : "it has ended");
		len += got;
		if (!handle_lines(trace, buffer, &len, false))
			break;
		/* A line that long is none of ours. */
		if (len == sizeof(buffer) - 1)
			len = 0;
	}
}

#define EVENT_NAMES	"derive, cancel, expire, done, release or on_done"

static void parse_events(struct trace *trace, char *text)
{
	for (char *name = strtok(text, ","); name; name = strtok(NULL, ",")) {
		enum event event = 0;

		while (event < EVENTS && strcmp(name, events[event].name))
			event++;
		if (event == EVENTS)
			die("'%s' is no event: " EVENT_NAMES, name);
		trace->wanted |= 1U << event;
	}
	if (!trace->wanted)
		die("no event: " EVENT_NAMES);
}

static void parse_options(struct trace *trace, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "tree",   no_argument,       NULL, 'T' },
		{ "event",  required_argument, NULL, 'e' },
		{ "kernel", no_argument,       NULL, 'k' },
		{ "count",  required_argument, NULL, 'n' },
		{ "help",   no_argument,       NULL, 'h' },
		{ NULL }
	};
	int option;

	while ((option = getopt_long(argc, argv, "e:kn:h", longs, NULL)) != -1) {
		switch (option) {
		case 'T':
			trace->tree = true;
			break;
		case 'e':
			parse_events(trace, optarg);
			break;
		case 'k':
			trace->kernel = true;
			break;
		case 'n':
			if (parse_count(optarg, &trace->count))
				die("'%s' is no count", optarg);
			break;
		case 'h':
			exit(show_help(trace_help));
		default:
			die_of_usage("trace");
		}
	}
	trace->ids = parse_ids(argv + optind, &trace->nr);
	trace->size = trace->nr;
	trace->chosen = trace->nr;
	qsort(trace->ids, trace->nr, sizeof(*trace->ids), compare_ids);
	if (trace->tree && !trace->nr)
		die("--tree of which ID? 'ctx tree' shows them");
}

int cmd_trace(int argc, char **argv)
{
	struct trace trace = { 0 };
	sigset_t mask;

	parse_options(&trace, argc, argv);
	mask = catch_signals();
	start(&trace);
	complain("listening, until ^C");
	listen_until_the_end(&trace, &mask);
	remove_instance();
	free(trace.ids);
	if (last_signal && last_signal != SIGINT) {
		signal(last_signal, SIG_DFL);
		raise(last_signal);
		sigprocmask(SIG_SETMASK, &mask, NULL);
	}
	return 0;
}
