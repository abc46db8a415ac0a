// SPDX-License-Identifier: GPL-2.0
/*
 * What /proc/PID/fdinfo/N says of a context.
 */
#include "ctx_test.h"

FIXTURE(fdinfo) {
	int bg;
};

FIXTURE_SETUP(fdinfo)
{
	self->bg = ctx_open();
	ASSERT_LE(0, self->bg);
}

FIXTURE_TEARDOWN(fdinfo)
{
	close(self->bg);
}

/* The value of one line, "" if there is none, "(twice)" if there are two. */
static const char *line_of(pid_t pid, int fd, const char *name)
{
	static char found[40000];
	char path[64], *line = NULL, *text;
	size_t size = 0, len = strlen(name);
	FILE *file;

	found[0] = '\0';
	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, fd);
	file = fopen(path, "re");
	while (file && getline(&line, &size, file) > 0) {
		if (strncmp(line, name, len) || line[len] != ':')
			continue;
		if (found[0])
			return "(twice)";
		text = line + len + 1;
		text += strspn(text, " \t");
		text[strcspn(text, "\n")] = '\0';
		snprintf(found, sizeof(found), "%s", text);
	}
	free(line);
	if (file)
		fclose(file);
	return found;
}

static const char *line(int fd, const char *name)
{
	return line_of(getpid(), fd, name);
}

static __u64 number(int fd, const char *name)
{
	const char *text = line(fd, name);
	char *end;
	__u64 value = strtoull(text, &end, 10);

	return *text && !*end ? value : ~0ULL;
}

TEST_F(fdinfo, of_background)
{
	EXPECT_EQ(0, number(self->bg, "ctx-id"));
	EXPECT_EQ(0, number(self->bg, "ctx-parent"));
	EXPECT_STREQ("background", line(self->bg, "ctx-path"));
	EXPECT_STREQ("derive,value,observe", line(self->bg, "ctx-rights"));
	EXPECT_STREQ("live", line(self->bg, "ctx-state"));
}

/* What INFO does not say, for want of a right, is not said here either. */
TEST_F(fdinfo, takes_the_right_to_observe)
{
	int ctx = ctx_derive(self->bg, 0);
	int blind = ctx_restrict(ctx, CTX_RIGHT_DERIVE | CTX_RIGHT_CANCEL);

	ASSERT_LE(0, blind);
	EXPECT_EQ(ctx_id(ctx), number(blind, "ctx-id"));
	EXPECT_STREQ("cancel,derive", line(blind, "ctx-rights"));
	EXPECT_STREQ("", line(blind, "ctx-parent"));
	EXPECT_STREQ("", line(blind, "ctx-path"));
	EXPECT_STREQ("", line(blind, "ctx-state"));
	EXPECT_EQ(0, ctx_cancel(blind, EIO));
	EXPECT_STREQ("", line(blind, "ctx-state"));
	EXPECT_NE(NULL, strstr(line(ctx, "ctx-state"), "cause=5"));
	close(blind);
	close(ctx);
}

TEST_F(fdinfo, of_a_live_context)
{
	int top = ctx_derive(self->bg, 0);
	int value = ctx_set(top, "k", "v");
	int fd = ctx_derive(value, 0);

	ASSERT_LE(0, fd);
	EXPECT_EQ(ctx_id(top), number(top, "ctx-id"));
	EXPECT_EQ(0, number(top, "ctx-parent"));
	EXPECT_EQ(ctx_id(fd), number(fd, "ctx-id"));
	EXPECT_EQ(ctx_id(value), number(fd, "ctx-parent"));
	EXPECT_EQ(ctx_id(value), number(value, "ctx-id"));
	EXPECT_EQ(ctx_id(top), number(value, "ctx-parent"));
	EXPECT_STREQ("cancel,derive,value,observe", line(fd, "ctx-rights"));
	EXPECT_STREQ("derive,value,observe", line(value, "ctx-rights"));
	EXPECT_STREQ("live", line(fd, "ctx-state"));
	close(fd);
	close(value);
	close(top);
}

TEST_F(fdinfo, s17_the_path)
{
	int cancel = ctx_derive(self->bg, 0);
	int value = ctx_set(cancel, "k", "v");
	int without = ctx_derive(value, CTX_DERIVE_WITHOUT_CANCEL);
	int timed = ctx_timeout(without, AN_HOUR, 0);
	int below = ctx_derive(timed, 0);
	unsigned int left, ms;
	char end[64] = "";
	int found;

	ASSERT_LE(0, below);
	EXPECT_STREQ("background.with_cancel", line(cancel, "ctx-path"));
	EXPECT_STREQ("background.with_cancel.with_value", line(value, "ctx-path"));
	EXPECT_STREQ("background.with_cancel.with_value.without_cancel",
		     line(without, "ctx-path"));
	found = sscanf(line(below, "ctx-path"),
		       "background.with_cancel.with_value.without_cancel.with_deadline(+%u.%3us)%63s",
		       &left, &ms, end);
	EXPECT_EQ(3, found);
	EXPECT_STREQ(".with_cancel", end);
	EXPECT_GE(3600, left);
	EXPECT_LT(0, left);
	EXPECT_GT(1000, ms);
	close(below);
	close(timed);
	close(without);
	close(value);
	close(cancel);
}

TEST_F(fdinfo, of_a_done_context)
{
	int top = ctx_derive(self->bg, 0);
	int value = ctx_set(top, "k", "v");
	char state[128];

	ASSERT_EQ(0, prctl(PR_SET_NAME, "can celler"));
	ASSERT_EQ(0, ctx_cancel(top, EIO));
	snprintf(state, sizeof(state), "done err=%d cause=%d origin=%llu by=%d can celler",
		 ECANCELED, EIO, ctx_id(top), getpid());
	EXPECT_STREQ(state, line(top, "ctx-state"));
	EXPECT_STREQ(state, line(value, "ctx-state"));
	EXPECT_EQ(ctx_id(value), number(value, "ctx-id"));
	close(value);
	close(top);
}

/* It takes more than a name to add a line. */
TEST_F(fdinfo, of_one_with_an_odd_name)
{
	int fd = ctx_derive(self->bg, 0);
	char state[128];

	ASSERT_EQ(0, prctl(PR_SET_NAME, "a\nctx-id:\t1\\"));
	ASSERT_EQ(0, ctx_cancel(fd, 0));
	snprintf(state, sizeof(state), "done err=%d cause=%d origin=%llu by=%d %s", ECANCELED,
		 ECANCELED, ctx_id(fd), getpid(), "a\\012ctx-id:\t1\\134");
	EXPECT_STREQ(state, line(fd, "ctx-state"));
	EXPECT_EQ(ctx_id(fd), number(fd, "ctx-id"));
	close(fd);
}

TEST_F(fdinfo, of_an_expired_context)
{
	int fd = ctx_timeout(self->bg, 0, EPIPE);
	char state[128];

	ASSERT_LE(0, fd);
	snprintf(state, sizeof(state), "done err=%d cause=%d origin=%llu by=0 timer",
		 ETIMEDOUT, EPIPE, ctx_id(fd));
	EXPECT_STREQ(state, line(fd, "ctx-state"));
	EXPECT_EQ(0, strncmp("background.with_deadline(-", line(fd, "ctx-path"), 26));
	close(fd);
}

TEST_F(fdinfo, of_a_deep_context)
{
	const char *path;
	int fd = self->bg, next, i;

	for (i = 0; i < 1000; i++) {
		next = ctx_derive(fd, CTX_DERIVE_KEEP);
		ASSERT_LE(0, next);
		if (fd != self->bg)
			close(fd);
		fd = next;
	}
	path = line(fd, "ctx-path");
	EXPECT_EQ(strlen("background") + 1000 * strlen(".with_cancel"), strlen(path));
	EXPECT_EQ(0, strncmp(path, "background.with_cancel.with_cancel.", 35));
	EXPECT_STREQ(".with_cancel", path + strlen(path) - 12);
	close(fd);
}

/* Of another process, as a debugger looks at it. */
TEST_F(fdinfo, of_another_process)
{
	int ready[2], fd = ctx_derive(self->bg, 0);
	char state[128];
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ready));
	pid = spawn();
	if (!pid) {
		prctl(PR_SET_NAME, "other");
		EXPECT_EQ(0, ctx_cancel(fd, EIO));
		EXPECT_TRUE(tell(ready[1]));
		hear(ready[1]);
		child_exit();
	}
	ASSERT_TRUE(hear(ready[0]));
	snprintf(state, sizeof(state), "done err=%d cause=%d origin=%llu by=%d other",
		 ECANCELED, EIO, ctx_id(fd), pid);
	EXPECT_STREQ(state, line_of(pid, fd, "ctx-state"));
	EXPECT_STREQ(state, line(fd, "ctx-state"));
	ASSERT_TRUE(tell(ready[0]));
	EXPECT_EQ(0, reap(pid));
	close(fd);
}

TEST_HARNESS_MAIN
