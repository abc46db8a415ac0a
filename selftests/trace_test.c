// SPDX-License-Identifier: GPL-2.0
/*
 * Tracepoints: what is told of a context, in which order, and how to ask for it.
 * In a trace instance of the test's own, so that nobody else's settings matter.
 */
#include "ctx_test.h"

#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/mount.h>

#define TRACEFS		"/sys/kernel/tracing"
#define CGROUP		"/sys/fs/cgroup/ctx_trace_test"
#define MAX_EVENTS	64

FIXTURE(trace) {
	int bg;
	char dir[128];
	char events[MAX_EVENTS][256];	/* name and fields, without pointers */
	char by[MAX_EVENTS][8];		/* how the task's name begins */
	int nr;
};

static const char *file_of(fixture_self(trace), const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", self->dir, name);
	return path;
}

static bool set(fixture_self(trace), const char *name, const char *text)
{
	return must(write_file(file_of(self, name), text));
}

FIXTURE_SETUP(trace)
{
	self->bg = ctx_open();
	ASSERT_LE(0, self->bg);
	if (access(TRACEFS "/instances", F_OK) && mount("tracefs", TRACEFS, "tracefs", 0, NULL))
		SKIP(return, "this kernel does not trace events");
	snprintf(self->dir, sizeof(self->dir), TRACEFS "/instances/ctx-%d", getpid());
	ASSERT_EQ(0, mkdir(self->dir, 0700));
	ASSERT_TRUE(set(self, "events/ctx/enable", "1"));
}

FIXTURE_TEARDOWN(trace)
{
	close(self->bg);
	if (self->dir[0])
		EXPECT_EQ(0, rmdir(self->dir));
}

/* Leaves out "name=0000000012345678 " where the kernel printed an address. */
static void drop_pointers(char *line)
{
	static const char * const names[] = { " ctx=", " parent=", " origin=" };
	unsigned int i;

	for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
		char *at = strstr(line, names[i]), *end;

		if (!at)
			continue;
		end = at + 1 + strcspn(at + 1, " ");
		memmove(at, end, strlen(end) + 1);
	}
}

/* What was traced since the last time. */
static void collect(fixture_self(trace))
{
	char *line = NULL, *at;
	size_t size = 0;
	FILE *file = fopen(file_of(self, "trace"), "re");

	self->nr = 0;
	while (file && getline(&line, &size, file) > 0) {
		at = strstr(line, ": ctx_");
		if (line[0] == '#' || !at || self->nr == MAX_EVENTS)
			continue;
		at[strcspn(at, "\n")] = '\0';
		drop_pointers(at);
		snprintf(self->by[self->nr], sizeof(self->by[0]), "%s",
			 line + strspn(line, " "));
		snprintf(self->events[self->nr++], sizeof(self->events[0]), "%s", at + 2);
	}
	free(line);
	if (file)
		fclose(file);
	close(open(file_of(self, "trace"), O_WRONLY | O_TRUNC | O_CLOEXEC));
}

#define EXPECT_EVENT(n, ...) do {						\
	const int n__ = (n);							\
	char expected__[256];							\
										\
	snprintf(expected__, sizeof(expected__), __VA_ARGS__);			\
	ASSERT_GT(self->nr, n__);						\
	EXPECT_STREQ(expected__, self->events[n__]);				\
} while (0)

#define EXPECT_DERIVED(n, format, ...)						\
	EXPECT_EVENT(n, "ctx_derive: " format " pid=%d comm=%s", ##__VA_ARGS__,		\
		     getpid(), my_comm())

TEST_F(trace, a_life)
{
	int fd = ctx_derive(self->bg, 0);
	__u64 id = ctx_id(fd);

	EXPECT_EQ(0, ctx_cancel(fd, EIO));
	close(fd);
	collect(self);
	EXPECT_DERIVED(0, "id=%llu parent_id=0 kind=with_cancel depth=1 deadline=0", id);
	EXPECT_EVENT(1, "ctx_cancel: id=%llu cause=-5 pid=%d comm=%s", id, getpid(), my_comm());
	EXPECT_EVENT(2, "ctx_done: id=%llu kind=with_cancel err=-125 cause=-5 origin_id=%llu",
		     id, id);
	EXPECT_EVENT(3, "ctx_release: id=%llu kind=with_cancel err=-125", id);
	EXPECT_EQ(4, self->nr);
}

/* Who ends his own context does not fell the tree that somebody else has linked to it. */
TEST_F(trace, a_strangers_tree_is_felled_by_a_worker)
{
	int mine = ctx_derive(self->bg, 0), his, below;
	__u64 id = ctx_id(mine);
	int pair[2];
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	pid = spawn();
	if (!pid) {
		become(2001);
		his = ctx_derive(self->bg, 0);
		if (!must(!ctx_link(his, mine)))
			_exit(1);
		below = ctx_derive(ctx_derive(his, CTX_DERIVE_KEEP), 0);
		_exit(!send_fd(pair[1], his) || !send_fd(pair[1], below));
	}
	/* Or nobody would tell us that he has failed. */
	close(pair[1]);
	his = recv_fd(pair[0]);
	below = recv_fd(pair[0]);
	ASSERT_LE(0, his);
	ASSERT_LE(0, below);
	ASSERT_EQ(0, reap(pid));
	collect(self);
	EXPECT_EQ(0, ctx_cancel(mine, 0));
	ASSERT_TRUE(wait_ready(below));
	collect(self);
	EXPECT_EVENT(0, "ctx_cancel: id=%llu cause=-125 pid=%d comm=%s", id, getpid(), my_comm());
	EXPECT_EVENT(4, "ctx_done: id=%llu kind=with_cancel err=-125 cause=-125 origin_id=%llu",
		     ctx_id(below), id);
	EXPECT_STREQ("trace_t", self->by[1]);
	EXPECT_STREQ("kworker", self->by[3]);
	EXPECT_STREQ("kworker", self->by[4]);
	close(below);
	close(his);
	close(mine);
	close(pair[0]);
}

TEST_F(trace, each_kind)
{
	__u64 later = now() + AN_HOUR;
	int top = ctx_deadline(self->bg, later, 0);
	int value = ctx_set(top, "k", "v");
	int child = ctx_derive(value, 0);
	int without = ctx_derive(child, CTX_DERIVE_WITHOUT_CANCEL);

	ASSERT_LE(0, without);
	collect(self);
	EXPECT_DERIVED(0, "id=%llu parent_id=0 kind=with_deadline depth=1 deadline=%llu",
		       ctx_id(top), later);
	EXPECT_DERIVED(1, "id=%llu parent_id=%llu kind=with_value depth=2 deadline=%llu",
		       ctx_id(value), ctx_id(top), later);
	EXPECT_DERIVED(2, "id=%llu parent_id=%llu kind=with_cancel depth=3 deadline=%llu",
		       ctx_id(child), ctx_id(value), later);
	EXPECT_DERIVED(3, "id=%llu parent_id=%llu kind=without_cancel depth=4 deadline=0",
		       ctx_id(without), ctx_id(child));
	EXPECT_EQ(4, self->nr);
	close(without);
	close(child);
	close(value);
	close(top);
}

/* An ancestor first; what has no state of its own is not done by itself. */
TEST_F(trace, s5_a_cancelled_tree)
{
	int top = ctx_derive(self->bg, 0);
	int value = ctx_set(top, "k", "v");
	int child = ctx_derive(value, 0);
	int grandchild = ctx_timeout(child, AN_HOUR, 0);
	__u64 id = ctx_id(top);

	ASSERT_LE(0, grandchild);
	collect(self);
	EXPECT_EQ(0, ctx_cancel(top, 0));
	collect(self);
	EXPECT_EVENT(0, "ctx_cancel: id=%llu cause=-125 pid=%d comm=%s", id, getpid(), my_comm());
	EXPECT_EVENT(1, "ctx_done: id=%llu kind=with_cancel err=-125 cause=-125 origin_id=%llu",
		     id, id);
	EXPECT_EVENT(2, "ctx_done: id=%llu kind=with_cancel err=-125 cause=-125 origin_id=%llu",
		     ctx_id(child), id);
	EXPECT_EVENT(3, "ctx_done: id=%llu kind=with_deadline err=-125 cause=-125 origin_id=%llu",
		     ctx_id(grandchild), id);
	EXPECT_EQ(4, self->nr);
	close(grandchild);
	close(child);
	close(value);
	close(top);
}

TEST_F(trace, s3_a_cancellation_that_lost_is_none)
{
	int fd = ctx_derive(self->bg, 0);

	EXPECT_EQ(0, ctx_cancel(fd, 0));
	collect(self);
	EXPECT_EQ(0, ctx_cancel(fd, EIO));
	collect(self);
	EXPECT_EQ(0, self->nr);
	close(fd);
}

TEST_F(trace, a_deadline)
{
	__u64 deadline = now() + NSEC_PER_SEC / 100;
	int fd = ctx_deadline(self->bg, deadline, EIO);
	unsigned long long at;
	__u64 id = ctx_id(fd);
	long long late;
	char form[80];
	int found;

	ASSERT_TRUE(wait_ready(fd));
	collect(self);
	EXPECT_DERIVED(0, "id=%llu parent_id=0 kind=with_deadline depth=1 deadline=%llu",
		       id, deadline);
	snprintf(form, sizeof(form), "ctx_expire: id=%llu cause=-5 deadline=%%llu late=%%lld", id);
	ASSERT_LT(1, self->nr);
	found = sscanf(self->events[1], form, &at, &late);
	ASSERT_EQ(2, found);
	EXPECT_EQ(deadline, at);
	EXPECT_LE(0, late);
	EXPECT_EVENT(2, "ctx_done: id=%llu kind=with_deadline err=-110 cause=-5 origin_id=%llu",
		     id, id);
	EXPECT_EQ(3, self->nr);
	close(fd);
	collect(self);
	EXPECT_EVENT(0, "ctx_release: id=%llu kind=with_deadline err=-110", id);
}

TEST_F(trace, s6_born_done)
{
	int top = ctx_timeout(self->bg, 0, 0);
	int child = ctx_derive(top, 0);

	ASSERT_LE(0, child);
	collect(self);
	ASSERT_EQ(5, self->nr);
	EXPECT_EQ(0, strncmp(self->events[0], "ctx_derive: ", 12));
	EXPECT_EQ(0, strncmp(self->events[1], "ctx_expire: ", 12));
	EXPECT_EVENT(2, "ctx_done: id=%llu kind=with_deadline err=-110 cause=-110 origin_id=%llu",
		     ctx_id(top), ctx_id(top));
	EXPECT_EQ(0, strncmp(self->events[3], "ctx_derive: ", 12));
	EXPECT_EVENT(4, "ctx_done: id=%llu kind=with_cancel err=-110 cause=-110 origin_id=%llu",
		     ctx_id(child), ctx_id(top));
	close(child);
	close(top);
}

/* Whoever closes the last descriptor is told of as the one who cancelled. */
TEST_F(trace, an_owner_that_dies)
{
	int fd = ctx_derive(self->bg, 0);
	__u64 id = ctx_id(fd);
	pid_t pid = spawn();

	if (!pid) {
		prctl(PR_SET_NAME, "killed one");
		pause();
		_exit(0);
	}
	wait_asleep(pid);
	collect(self);
	close(fd);
	collect(self);
	EXPECT_EQ(0, self->nr);
	kill(pid, SIGKILL);
	EXPECT_EQ(KILLED, reap(pid));
	collect(self);
	EXPECT_EVENT(0, "ctx_cancel: id=%llu cause=-130 pid=%d comm=killed one", id, pid);
	EXPECT_EVENT(1, "ctx_done: id=%llu kind=with_cancel err=-125 cause=-130 origin_id=%llu",
		     id, id);
	EXPECT_EVENT(2, "ctx_release: id=%llu kind=with_cancel err=-125", id);
	EXPECT_EQ(3, self->nr);
}

/* One that has no room. */
static int full_pipe(int *pair)
{
	if (pipe2(pair, O_CLOEXEC | O_NONBLOCK))
		return -errno;
	while (write(pair[1], pair, 1) == 1)
		;
	return pair[1];
}

/* One that is connected to itself. */
static int datagrams(void)
{
	struct sockaddr_in at = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(at);

	if (bind(fd, (struct sockaddr *)&at, len) ||
	    getsockname(fd, (struct sockaddr *)&at, &len) ||
	    connect(fd, (struct sockaddr *)&at, len))
		return -errno;
	return fd;
}

/* Of a group that nobody is in. */
static int cgroup_kill(void)
{
	rmdir(CGROUP);
	if (mkdir(CGROUP, 0755))
		return -errno;
	return open(CGROUP "/cgroup.kill", O_WRONLY | O_CLOEXEC);
}

/* By workers, one after the other or not, and perhaps after the context is gone. */
TEST_F(trace, on_dones)
{
	int fd = ctx_derive(self->bg, 0), pair[2];
	const struct {
		const char *name;
		int fd;
		const char *data;
		int err;
	} to[] = {
		{ "eventfd", eventfd(0, EFD_CLOEXEC), NULL, 0 },
		{ "pipe", full_pipe(pair), "x", -EAGAIN },
		{ "socket", datagrams(), "x", 0 },
		{ "cgroup.kill", cgroup_kill(), NULL, 0 },
	};
	unsigned int seen, i, j;
	char expected[64];

	for (i = 0; i < ARRAY_SIZE(to); i++) {
		ASSERT_LE(0, to[i].fd);
		EXPECT_EQ(0, ctx_on_done(fd, to[i].fd, to[i].data, to[i].data ? 1 : 0));
	}
	ctx_cancel(fd, 0);
	EXPECT_EQ(EAGAIN, written(fd));
	collect(self);
	for (i = 0; i < ARRAY_SIZE(to); i++) {
		snprintf(expected, sizeof(expected), "ctx_on_done: id=%llu to=%s err=%d",
			 ctx_id(fd), to[i].name, to[i].err);
		for (seen = 0, j = 0; j < self->nr; j++)
			seen += !strcmp(expected, self->events[j]);
		EXPECT_EQ(1, seen);
		close(to[i].fd);
	}
	close(fd);
	close(pair[0]);
	rmdir(CGROUP);
}

/* Released without having been done. */
TEST_F(trace, a_live_one_is_released)
{
	int top = ctx_derive(self->bg, 0);
	int value = ctx_set(top, "k", "v");
	int without = ctx_derive(top, CTX_DERIVE_WITHOUT_CANCEL);
	int kept = ctx_derive(without, CTX_DERIVE_KEEP);
	__u64 ids[] = { ctx_id(value), ctx_id(without), ctx_id(kept) };

	collect(self);
	close(value);
	close(kept);
	close(without);
	collect(self);
	EXPECT_EVENT(0, "ctx_release: id=%llu kind=with_value err=0", ids[0]);
	EXPECT_EVENT(1, "ctx_release: id=%llu kind=with_cancel err=0", ids[2]);
	EXPECT_EVENT(2, "ctx_release: id=%llu kind=without_cancel err=0", ids[1]);
	EXPECT_EQ(3, self->nr);
	close(top);
}

TEST_F(trace, filters)
{
	int one = ctx_derive(self->bg, 0);
	int other = ctx_derive(self->bg, 0);
	char filter[64];

	snprintf(filter, sizeof(filter), "id == %llu && cause == -5", ctx_id(other));
	ASSERT_TRUE(set(self, "events/ctx/enable", "0"));
	ASSERT_TRUE(set(self, "events/ctx/ctx_cancel/filter", filter));
	ASSERT_TRUE(set(self, "events/ctx/ctx_cancel/enable", "1"));
	collect(self);
	ctx_cancel(one, EIO);
	ctx_cancel(other, EIO);
	collect(self);
	EXPECT_EVENT(0, "ctx_cancel: id=%llu cause=-5 pid=%d comm=%s", ctx_id(other), getpid(),
		     my_comm());
	EXPECT_EQ(1, self->nr);
	close(other);
	close(one);
}

TEST_F(trace, each_on_its_own)
{
	static const char * const names[] = {
		"ctx_derive", "ctx_cancel", "ctx_done", "ctx_release",
	};
	unsigned int i;
	char name[64];

	for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
		int fd;

		ASSERT_TRUE(set(self, "events/ctx/enable", "0"));
		snprintf(name, sizeof(name), "events/ctx/%s/enable", names[i]);
		ASSERT_TRUE(set(self, name, "1"));
		fd = ctx_derive(self->bg, 0);
		ctx_cancel(fd, 0);
		close(fd);
		collect(self);
		ASSERT_EQ(1, self->nr);
		EXPECT_EQ(0, strncmp(self->events[0], names[i], strlen(names[i])));
	}
}

TEST_F(trace, turned_off)
{
	int fd;

	ASSERT_TRUE(set(self, "events/ctx/enable", "0"));
	fd = ctx_derive(self->bg, 0);
	ctx_cancel(fd, 0);
	close(fd);
	collect(self);
	EXPECT_EQ(0, self->nr);
}

/* What trace-cmd and bpftrace read before they read events. */
TEST_F(trace, formats)
{
	static const struct {
		const char *event;
		const char *fields;	/* one after the other */
	} formats[] = {
		{ "ctx_derive", "ctx parent id parent_id deadline depth pid comm[16] kind" },
		{ "ctx_cancel", "ctx id cause pid comm[16]" },
		{ "ctx_expire", "ctx id deadline late cause" },
		{ "ctx_done", "ctx origin id origin_id err cause kind" },
		{ "ctx_release", "ctx id err kind" },
		{ "ctx_on_done", "ctx id err to" },
	};
	char name[64], line[256], fields[256], *end;
	unsigned int i;

	for (i = 0; i < sizeof(formats) / sizeof(*formats); i++) {
		FILE *file;

		snprintf(name, sizeof(name), "events/ctx/%s/format", formats[i].event);
		file = fopen(file_of(self, name), "re");
		ASSERT_NE(NULL, file);
		fields[0] = '\0';
		while (fgets(line, sizeof(line), file)) {
			if (strncmp(line, "\tfield:", 7) || strstr(line, " common_"))
				continue;
			end = strchr(line, ';');
			*end = '\0';
			strcat(strcat(fields, fields[0] ? " " : ""), strrchr(line, ' ') + 1);
		}
		fclose(file);
		EXPECT_STREQ(formats[i].fields, fields);
	}
}

TEST_HARNESS_MAIN
