// SPDX-License-Identifier: GPL-2.0
/*
 * /sys/kernel/debug/ctx: the tree of what processes made, and the counters.
 */
#include "ctx_test.h"

#define DEBUGFS		"/sys/kernel/debug"
#define TREE		DEBUGFS "/ctx/tree"
#define COUNTERS	DEBUGFS "/ctx/counters"
#define IRQSOFF		CTX_PARAMETERS "irqsoff"
#define COLUMNS		11

FIXTURE(debugfs) {
	int bg;
};

FIXTURE_SETUP(debugfs)
{
	self->bg = ctx_open();
	ASSERT_LE(0, self->bg);
	if (access(TREE, F_OK))
		SKIP(return, "this kernel has no debugfs");
}

FIXTURE_TEARDOWN(debugfs)
{
	close(self->bg);
}

struct row {
	unsigned long long id;
	char column[COLUMNS][80];
};

enum { ID, PARENT, DEPTH, UID, KIND, STATE, LEFT, CAUSE, ORIGIN, BY, CREATOR };

/* Splits a line of the tree at its blanks; there must be as many words as columns. */
static bool split(char *line, struct row *row)
{
	char *word, *rest = line;
	int nr = 0;

	line[strcspn(line, "\n")] = '\0';
	for (; (word = strtok_r(rest, " ", &rest)); nr++)
		if (nr < COLUMNS)
			snprintf(row->column[nr], sizeof(row->column[nr]), "%s", word);
	row->id = strtoull(row->column[ID], NULL, 10);
	return must(nr == COLUMNS);
}

/* The line of one context; returns how many there are. */
static int find(__u64 id, struct row *found)
{
	FILE *file = fopen(TREE, "re");
	char *line = NULL;
	size_t size = 0;
	struct row row;
	int nr = 0;

	memset(found, 0, sizeof(*found));
	while (file && getline(&line, &size, file) > 0) {
		if (!split(line, &row) || row.id != id)
			continue;
		*found = row;
		nr++;
	}
	free(line);
	if (file)
		fclose(file);
	return nr;
}

static const char *number(unsigned long long n)
{
	static char text[4][32];
	static int i;

	i = (i + 1) % 4;
	snprintf(text[i], sizeof(text[i]), "%llu", n);
	return text[i];
}

/* How the name of a process is shown. */
static const char *process(pid_t pid, const char *comm)
{
	static char text[2][64];
	static int i;

	i = !i;
	snprintf(text[i], sizeof(text[i]), "%d/%s", pid, comm);
	return text[i];
}

TEST_F(debugfs, the_heading)
{
	struct row row;

	EXPECT_EQ(1, find(0, &row));
	EXPECT_STREQ("id", row.column[ID]);
	EXPECT_STREQ("parent", row.column[PARENT]);
	EXPECT_STREQ("kind", row.column[KIND]);
	EXPECT_STREQ("state", row.column[STATE]);
	EXPECT_STREQ("creator", row.column[CREATOR]);
}

TEST_F(debugfs, live_contexts)
{
	int top = ctx_derive(self->bg, 0);
	int timed = ctx_timeout(top, AN_HOUR, 0);
	int value = ctx_set(timed, "k", "v");
	int without = ctx_derive(value, CTX_DERIVE_WITHOUT_CANCEL);
	unsigned int left, ms;
	struct row row;
	int found;

	ASSERT_LE(0, without);
	ASSERT_EQ(1, find(ctx_id(top), &row));
	EXPECT_STREQ("-", row.column[PARENT]);
	EXPECT_STREQ("1", row.column[DEPTH]);
	EXPECT_STREQ("0", row.column[UID]);
	EXPECT_STREQ("with_cancel", row.column[KIND]);
	EXPECT_STREQ("live", row.column[STATE]);
	EXPECT_STREQ("-", row.column[LEFT]);
	EXPECT_STREQ("-", row.column[CAUSE]);
	EXPECT_STREQ("-", row.column[ORIGIN]);
	EXPECT_STREQ("-", row.column[BY]);
	EXPECT_STREQ(process(getpid(), my_comm()), row.column[CREATOR]);

	ASSERT_EQ(1, find(ctx_id(timed), &row));
	EXPECT_STREQ(number(ctx_id(top)), row.column[PARENT]);
	EXPECT_STREQ("2", row.column[DEPTH]);
	EXPECT_STREQ("with_deadline", row.column[KIND]);
	found = sscanf(row.column[LEFT], "%u.%3u", &left, &ms);
	ASSERT_EQ(2, found);
	EXPECT_GE(3600, left);
	EXPECT_LT(0, left);

	ASSERT_EQ(1, find(ctx_id(value), &row));
	EXPECT_STREQ(number(ctx_id(timed)), row.column[PARENT]);
	EXPECT_STREQ("with_value", row.column[KIND]);
	EXPECT_STRNE("-", row.column[LEFT]);

	ASSERT_EQ(1, find(ctx_id(without), &row));
	EXPECT_STREQ("without_cancel", row.column[KIND]);
	EXPECT_STREQ("live", row.column[STATE]);
	EXPECT_STREQ("-", row.column[LEFT]);
	close(without);
	close(value);
	close(timed);
	close(top);
}

TEST_F(debugfs, s11_who_ended_it_and_why)
{
	int top = ctx_derive(self->bg, 0);
	int child = ctx_derive(top, 0);
	int value = ctx_set(child, "k", "v");
	int expired = ctx_timeout(self->bg, 0, ETIME);
	struct row row;

	ASSERT_LE(0, expired);
	ASSERT_EQ(0, ctx_cancel(top, EIO));
	ASSERT_EQ(1, find(ctx_id(value), &row));
	EXPECT_STREQ("cancelled", row.column[STATE]);
	EXPECT_STREQ("-", row.column[LEFT]);
	EXPECT_STREQ(number(EIO), row.column[CAUSE]);
	EXPECT_STREQ(number(ctx_id(top)), row.column[ORIGIN]);
	EXPECT_STREQ(process(getpid(), my_comm()), row.column[BY]);

	ASSERT_EQ(1, find(ctx_id(expired), &row));
	EXPECT_STREQ("expired", row.column[STATE]);
	EXPECT_STREQ(number(ETIME), row.column[CAUSE]);
	EXPECT_STREQ(number(ctx_id(expired)), row.column[ORIGIN]);
	EXPECT_STREQ("0/timer", row.column[BY]);
	close(expired);
	close(value);
	close(child);
	close(top);
}

/* Whatever somebody calls himself, it is one word of one line. */
TEST_F(debugfs, another_users_with_a_name_of_blanks)
{
	int go[2], done[2];
	struct row row;
	__u64 id;
	pid_t pid;

	ASSERT_EQ(0, pipe2(go, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(done, O_CLOEXEC));
	pid = spawn();
	if (!pid) {
		int fd;

		prctl(PR_SET_NAME, "a b\tc\\d");
		become(4711);
		fd = ctx_derive(self->bg, 0);
		id = ctx_id(fd);
		EXPECT_EQ(-1, open(TREE, O_RDONLY));
		EXPECT_EQ(-1, open(COUNTERS, O_RDONLY));
		EXPECT_EQ(EACCES, errno);
		EXPECT_EQ(sizeof(id), write(done[1], &id, sizeof(id)));
		hear(go[0]);
		child_exit();
	}
	ASSERT_EQ(sizeof(id), read(done[0], &id, sizeof(id)));
	ASSERT_EQ(1, find(id, &row));
	EXPECT_STREQ("4711", row.column[UID]);
	EXPECT_STREQ(process(pid, "a\\040b\\011c\\134d"), row.column[CREATOR]);
	tell(go[1]);
	EXPECT_EQ(0, reap(pid));
	EXPECT_EQ(0, find(id, &row));
}

/* Also of whoever has got past the directories above, which may have another mode. */
TEST_F(debugfs, for_root_alone)
{
	static const char * const names[] = { "tree", "counters", "derived" };
	int dir = open(DEBUGFS "/ctx", O_PATH | O_DIRECTORY | O_CLOEXEC), fd, i;
	pid_t pid;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		fd = openat(dir, names[i], O_RDONLY | O_CLOEXEC);
		EXPECT_LE(0, fd);
		close(fd);
	}
	pid = spawn();
	if (!pid) {
		become(4711);
		for (i = 0; i < 2 * ARRAY_SIZE(names); i++) {
			if (i == ARRAY_SIZE(names))
				EXPECT_EQ(0, unshare(CLONE_NEWUSER));
			EXPECT_EQ(-1, openat(dir, names[i % ARRAY_SIZE(names)], O_RDONLY));
			EXPECT_EQ(EACCES, errno);
		}
		child_exit();
	}
	EXPECT_EQ(0, reap(pid));
	close(dir);
}

#define MANY	500

struct churn {
	int bg;
	bool stop;
};

static void *come_and_go(void *arg)
{
	struct churn *churn = arg;

	while (!__atomic_load_n(&churn->stop, __ATOMIC_RELAXED))
		close(ctx_derive(churn->bg, 0));
	return NULL;
}

/* What stays is shown once, in order, whatever comes and goes between its lines. */
TEST_F(debugfs, many_among_some_that_come_and_go)
{
	struct churn churn = { .bg = self->bg };
	int fds[MANY], i, round;
	char *line = NULL;
	size_t size = 0;
	pthread_t thread;
	__u64 ids[MANY];

	ASSERT_TRUE(allow_files(MANY + 100));
	ASSERT_EQ(0, pthread_create(&thread, NULL, come_and_go, &churn));
	for (i = 0; i < MANY; i++) {
		fds[i] = ctx_derive(self->bg, 0);
		ASSERT_LE(0, fds[i]);
		ids[i] = ctx_id(fds[i]);
	}
	for (round = 0; round < 5; round++) {
		FILE *file = fopen(TREE, "re");
		unsigned long long last = 0;
		struct row row;

		ASSERT_NE(NULL, file);
		i = 0;
		while (getline(&line, &size, file) > 0) {
			ASSERT_TRUE(split(line, &row));
			if (!row.id)
				continue;
			ASSERT_LT(last, row.id);
			last = row.id;
			if (i < MANY && row.id == ids[i])
				i++;
		}
		fclose(file);
		EXPECT_EQ(MANY, i);
	}
	__atomic_store_n(&churn.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	free(line);
	for (i = 0; i < MANY; i++)
		close(fds[i]);
}

static long long counter(const char *name)
{
	FILE *file = fopen(COUNTERS, "re");
	long long value = -1;
	char line[80], found[40];
	long long n;

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "%39s %lld", found, &n) == 2 && !strcmp(found, name))
			value = n;
	if (file)
		fclose(file);
	return value;
}

TEST_F(debugfs, counters)
{
	long long live = counter("live"), derived = counter("derived");
	long long cancelled = counter("cancelled"), expired = counter("expired");
	int top, child, value, timed;

	ASSERT_LE(0, live);
	ASSERT_LE(live, derived);
	top = ctx_derive(self->bg, 0);
	child = ctx_derive(top, 0);
	value = ctx_set(child, "k", "v");
	timed = ctx_timeout(self->bg, NSEC_PER_SEC / 100, 0);
	ASSERT_LE(0, timed);
	EXPECT_EQ(live + 4, counter("live"));
	EXPECT_EQ(derived + 4, counter("derived"));
	EXPECT_EQ(cancelled, counter("cancelled"));

	/* One cancellation, whatever it reaches; and another that changes nothing. */
	EXPECT_EQ(0, ctx_cancel(top, 0));
	EXPECT_EQ(0, ctx_cancel(child, 0));
	EXPECT_EQ(cancelled + 1, counter("cancelled"));
	ASSERT_TRUE(wait_ready(timed));
	EXPECT_EQ(expired + 1, counter("expired"));
	EXPECT_EQ(cancelled + 1, counter("cancelled"));
	EXPECT_EQ(live + 4, counter("live"));
	close(timed);
	close(value);
	close(child);
	close(top);
	/* The timer has a reference of its own until its function returns. */
	while (counter("live") > live)
		sched_yield();
	EXPECT_EQ(live, counter("live"));
	EXPECT_EQ(derived + 4, counter("derived"));
}

TEST_F(debugfs, callbacks_that_ran)
{
	long long callbacks = counter("callbacks");
	int fd = ctx_derive(self->bg, 0);

	/* The first who polls has one registered. */
	EXPECT_EQ(0, poll_events(fd, POLLIN, 0));
	EXPECT_EQ(callbacks, counter("callbacks"));
	EXPECT_EQ(0, ctx_cancel(fd, 0));
	EXPECT_EQ(callbacks + 1, counter("callbacks"));
	close(fd);
}

static void cancel_children(int bg, int nr)
{
	int top = ctx_derive(bg, 0);
	int fds[nr], i;

	for (i = 0; i < nr; i++)
		fds[i] = ctx_derive(top, 0);
	ctx_cancel(top, 0);
	for (i = 0; i < nr; i++)
		close(fds[i]);
	close(top);
}

static bool irqsoff_reads(char expected)
{
	int fd = open(IRQSOFF, O_RDONLY | O_CLOEXEC);
	char got = 0;
	bool good = must(read(fd, &got, 1) == 1) && must(got == expected);

	close(fd);
	return good;
}

/* Measured while it is asked for, and from the beginning each time. */
TEST_F(debugfs, s19_the_longest_stretch_with_interrupts_off)
{
	long long longest;

	ASSERT_TRUE(write_file(IRQSOFF, "N"));
	ASSERT_TRUE(write_file(IRQSOFF, "Y"));
	EXPECT_TRUE(irqsoff_reads('Y'));
	EXPECT_EQ(0, counter("irqsoff_ns"));
	cancel_children(self->bg, 100);
	longest = counter("irqsoff_ns");
	EXPECT_LT(0, longest);
	ASSERT_TRUE(write_file(IRQSOFF, "Y"));
	EXPECT_LE(longest, counter("irqsoff_ns"));
	ASSERT_TRUE(write_file(IRQSOFF, "N"));
	longest = counter("irqsoff_ns");
	cancel_children(self->bg, 100);
	EXPECT_EQ(longest, counter("irqsoff_ns"));
	ASSERT_TRUE(write_file(IRQSOFF, "Y"));
	EXPECT_EQ(0, counter("irqsoff_ns"));
	EXPECT_FALSE(write_file(IRQSOFF, "perhaps"));
	EXPECT_TRUE(irqsoff_reads('Y'));
	ASSERT_TRUE(write_file(IRQSOFF, "N"));
	EXPECT_TRUE(irqsoff_reads('N'));
}

TEST_HARNESS_MAIN
