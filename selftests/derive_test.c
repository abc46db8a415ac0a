// SPDX-License-Identifier: GPL-2.0
/*
 * Opening and deriving: what a new context is, and what it is not.
 */
#include "ctx_test.h"

FIXTURE(derive) {
	int bg;
};

FIXTURE_SETUP(derive)
{
	self->bg = ctx_open();
	ASSERT_LE(0, self->bg);
}

FIXTURE_TEARDOWN(derive)
{
	close(self->bg);
}

TEST_F(derive, s1_open_gives_background)
{
	struct ctx_ioc_info info;

	ASSERT_EQ(0, ctx_info(self->bg, &info));
	EXPECT_EQ(0, info.id);
	EXPECT_EQ(0, info.parent_id);
	EXPECT_EQ(0, info.depth);
	EXPECT_EQ(0, info.info_flags);
	EXPECT_EQ(0, info.deadline);
	EXPECT_EQ(0, info.creator_pid);
	EXPECT_TRUE(is_comm(info.creator_comm));
	EXPECT_EQ(RIGHTS_UNCANCELABLE, info.rights);
	EXPECT_TRUE(is_live(self->bg));
	EXPECT_EQ(-ENOENT, ctx_value(self->bg, "k", 1, NULL, &(__u32){ 0 }));
}

TEST_F(derive, s1_background_cannot_be_cancelled)
{
	int child = ctx_derive(self->bg, 0);

	ASSERT_LE(0, child);
	EXPECT_EQ(-EPERM, ctx_cancel(self->bg, 0));
	EXPECT_EQ(-EPERM, ctx_cancel(self->bg, EIO));
	EXPECT_TRUE(is_live(self->bg));
	EXPECT_TRUE(is_live(child));
	close(child);
}

TEST_F(derive, s1_closing_background_cancels_nothing)
{
	int bg = ctx_open();
	int child = ctx_derive(bg, 0);

	ASSERT_LE(0, child);
	ASSERT_EQ(0, close(bg));
	EXPECT_TRUE(is_live(child));
	EXPECT_TRUE(is_live(self->bg));
	close(child);
}

TEST_F(derive, background_can_be_opened_in_every_mode)
{
	static const int modes[] = { O_RDONLY, O_WRONLY, O_RDWR };
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		fd = open(CTX_DEV, modes[i] | O_CLOEXEC);
		ASSERT_LE(0, fd);
		EXPECT_EQ(0, ctx_id(fd));
		close(fd);
	}
}

TEST_F(derive, s2_a_child_is_a_context_of_its_own)
{
	struct ctx_ioc_info a, b, grandchild;
	int one = ctx_derive(self->bg, 0);
	int two = ctx_derive(self->bg, 0);
	int below = ctx_derive(two, 0);

	ASSERT_LE(0, one);
	ASSERT_LE(0, two);
	ASSERT_LE(0, below);
	EXPECT_NE(one, two);
	ASSERT_EQ(0, ctx_info(one, &a));
	ASSERT_EQ(0, ctx_info(two, &b));
	ASSERT_EQ(0, ctx_info(below, &grandchild));

	EXPECT_NE(0, a.id);
	EXPECT_NE(0, b.id);
	EXPECT_NE(a.id, b.id);
	EXPECT_NE(b.id, grandchild.id);
	EXPECT_EQ(0, a.parent_id);
	EXPECT_EQ(0, b.parent_id);
	EXPECT_EQ(b.id, grandchild.parent_id);
	EXPECT_EQ(1, a.depth);
	EXPECT_EQ(1, b.depth);
	EXPECT_EQ(2, grandchild.depth);
	EXPECT_EQ(RIGHTS_ALL, a.rights);
	EXPECT_EQ(RIGHTS_ALL, grandchild.rights);
	EXPECT_EQ(0, a.info_flags);
	EXPECT_EQ(0, a.deadline);
	EXPECT_TRUE(is_live(one));
	EXPECT_TRUE(is_live(two));
	EXPECT_TRUE(is_live(below));

	close(below);
	close(two);
	close(one);
}

TEST_F(derive, every_kind_counts_in_depth_and_parent)
{
	struct ctx_ioc_info info;
	int chain[6];
	__u64 parent = 0;
	size_t i;

	chain[0] = ctx_derive(self->bg, 0);
	chain[1] = ctx_set(chain[0], "k", "v");
	chain[2] = ctx_timeout(chain[1], AN_HOUR, 0);
	chain[3] = ctx_derive(chain[2], CTX_DERIVE_WITHOUT_CANCEL);
	chain[4] = ctx_derive(chain[3], CTX_DERIVE_KEEP);
	chain[5] = ctx_deadline(chain[4], NEVER, 0);
	for (i = 0; i < ARRAY_SIZE(chain); i++) {
		ASSERT_LE(0, chain[i]);
		ASSERT_EQ(0, ctx_info(chain[i], &info));
		EXPECT_EQ(i + 1, info.depth);
		EXPECT_EQ(parent, info.parent_id);
		EXPECT_NE(0, info.id);
		parent = info.id;
	}
	for (i = 0; i < ARRAY_SIZE(chain); i++)
		close(chain[i]);
}

TEST_F(derive, descriptors_are_close_on_exec)
{
	int fds[] = {
		ctx_derive(self->bg, 0),
		ctx_derive(self->bg, CTX_DERIVE_WITHOUT_CANCEL),
		ctx_derive(self->bg, CTX_DERIVE_KEEP),
		ctx_timeout(self->bg, AN_HOUR, 0),
		ctx_set(self->bg, "k", "v"),
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		ASSERT_LE(0, fds[i]);
		EXPECT_EQ(FD_CLOEXEC, fcntl(fds[i], F_GETFD));
		close(fds[i]);
	}
}

TEST_F(derive, keep_shows_and_is_not_inherited)
{
	struct ctx_ioc_info info;
	int keep = ctx_derive(self->bg, CTX_DERIVE_KEEP);
	int child = ctx_derive(keep, 0);
	int value = ctx_set(keep, "k", "v");
	int timed = ctx_derive_time(self->bg, CTX_DERIVE_KEEP | CTX_DERIVE_TIMEOUT,
				    AN_HOUR, CLOCK_MONOTONIC, 0);

	ASSERT_LE(0, keep);
	ASSERT_EQ(0, ctx_info(keep, &info));
	EXPECT_EQ(CTX_INFO_KEEP, info.info_flags);
	EXPECT_EQ(RIGHTS_ALL, info.rights);
	ASSERT_EQ(0, ctx_info(child, &info));
	EXPECT_EQ(0, info.info_flags);
	ASSERT_EQ(0, ctx_info(value, &info));
	EXPECT_EQ(0, info.info_flags);
	ASSERT_EQ(0, ctx_info(timed, &info));
	EXPECT_EQ(CTX_INFO_KEEP | CTX_INFO_DEADLINE, info.info_flags);
	close(timed);
	close(value);
	close(child);
	close(keep);
}

TEST_F(derive, s14_without_cancel_keeps_values_and_nothing_else)
{
	int value = ctx_set(self->bg, "k", "v");
	int parent = ctx_timeout(value, AN_HOUR, EIO);
	int without = ctx_derive(parent, CTX_DERIVE_WITHOUT_CANCEL);
	int below = ctx_derive(without, 0);
	int late, below_value;
	struct ctx_ioc_info info;

	ASSERT_LE(0, without);
	ASSERT_EQ(0, ctx_info(parent, &info));
	EXPECT_EQ(CTX_INFO_DEADLINE, info.info_flags);
	ASSERT_EQ(0, ctx_info(without, &info));
	EXPECT_EQ(0, info.info_flags);
	EXPECT_EQ(0, info.deadline);
	EXPECT_EQ(RIGHTS_UNCANCELABLE, info.rights);
	ASSERT_EQ(0, ctx_info(below, &info));
	EXPECT_EQ(0, info.info_flags);
	EXPECT_EQ(RIGHTS_ALL, info.rights);
	EXPECT_EQ(-EPERM, ctx_cancel(without, 0));

	ASSERT_EQ(0, ctx_cancel(parent, EIO));
	EXPECT_TRUE(is_done(parent, ECANCELED, EIO));
	EXPECT_TRUE(is_live(without));
	EXPECT_TRUE(is_live(below));
	EXPECT_STREQ("v", ctx_get(without, "k"));
	EXPECT_STREQ("v", ctx_get(below, "k"));

	late = ctx_derive(parent, CTX_DERIVE_WITHOUT_CANCEL);
	ASSERT_LE(0, late);
	EXPECT_TRUE(is_live(late));
	EXPECT_STREQ("v", ctx_get(late, "k"));
	below_value = ctx_set(late, "k", "w");
	EXPECT_TRUE(is_live(below_value));

	close(below_value);
	close(late);
	close(below);
	close(without);
	close(parent);
	close(value);
}

static int compare_ids(const void *a, const void *b)
{
	const __u64 x = *(const __u64 *)a, y = *(const __u64 *)b;

	return x < y ? -1 : x > y;
}

TEST_F(derive, ids_are_never_reused)
{
	__u64 ids[3000];
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(ids); i++) {
		switch (i % 3) {
		case 0:
			fd = ctx_derive(self->bg, 0);
			break;
		case 1:
			fd = ctx_set(self->bg, "k", "v");
			break;
		default:
			fd = ctx_derive(self->bg, CTX_DERIVE_WITHOUT_CANCEL);
			break;
		}
		ASSERT_LE(0, fd);
		ids[i] = ctx_id(fd);
		ASSERT_NE(0, ids[i]);
		close(fd);
	}
	qsort(ids, ARRAY_SIZE(ids), sizeof(ids[0]), compare_ids);
	for (i = 1; i < ARRAY_SIZE(ids); i++)
		ASSERT_NE(ids[i - 1], ids[i]);
}

TEST_F(derive, a_duplicate_is_the_same_context)
{
	struct ctx_ioc_info a, b;
	int fd = ctx_derive(self->bg, 0);
	int copy = dup(fd);

	ASSERT_EQ(0, ctx_info(fd, &a));
	ASSERT_EQ(0, ctx_info(copy, &b));
	EXPECT_EQ(0, memcmp(&a, &b, sizeof(a)));
	ASSERT_EQ(0, ctx_cancel(copy, EIO));
	EXPECT_TRUE(is_done(fd, ECANCELED, EIO));
	close(copy);
	close(fd);
}

/*
 * Without a free descriptor nothing is made, and the parent is as before. What would have
 * been one that can cancel does not count as one.
 */
TEST_F(derive, emfile_leaves_nothing_behind)
{
	struct rlimit limit, none;
	int parent = ctx_derive(self->bg, 0);
	__u64 id = ctx_id(parent);
	int child, i;

	ASSERT_LE(0, parent);
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	none = limit;
	none.rlim_cur = next_fd();
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
	for (i = 0; i < 100; i++) {
		ASSERT_EQ(-EMFILE, ctx_derive(parent, 0));
		ASSERT_EQ(-EMFILE, ctx_derive(parent, CTX_DERIVE_WITHOUT_CANCEL));
		ASSERT_EQ(-EMFILE, ctx_timeout(parent, AN_HOUR, 0));
		ASSERT_EQ(-EMFILE, ctx_timeout(parent, 0, 0));
		ASSERT_EQ(-EMFILE, ctx_set(parent, "k", "v"));
		ASSERT_EQ(-EMFILE, ctx_restrict(parent, RIGHTS_ALL));
		ASSERT_EQ(-EMFILE, ctx_open_id(parent, id, CTX_RIGHT_CANCEL));
	}
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	EXPECT_TRUE(is_live(parent));
	child = ctx_derive(parent, 0);
	ASSERT_LE(0, child);
	EXPECT_TRUE(is_live(child));
	close(parent);
	EXPECT_TRUE(is_done(child, ECANCELED, EOWNERDEAD));
	close(child);
}

#define FILE_MAX	"/proc/sys/fs/file-max"

/* For those who are not the system's administrator, and may have @bound on-dones. */
static void expect_no_file(struct __test_metadata *_metadata, int ctx, int to, int bound)
{
	const __u64 id = ctx_id(ctx);
	int next = next_fd(), i;

	EXPECT_EQ(-ENFILE, ctx_open());
	for (i = 0; i < 10; i++) {
		EXPECT_EQ(-ENFILE, ctx_derive(ctx, 0));
		EXPECT_EQ(-ENFILE, ctx_derive(ctx, CTX_DERIVE_WITHOUT_CANCEL));
		EXPECT_EQ(-ENFILE, ctx_timeout(ctx, AN_HOUR, 0));
		EXPECT_EQ(-ENFILE, ctx_set(ctx, "k", "v"));
		EXPECT_EQ(-ENFILE, ctx_restrict(ctx, RIGHTS_ALL));
		EXPECT_EQ(-ENFILE, ctx_open_id(ctx, id, CTX_RIGHT_CANCEL));
	}
	/* A pipe is opened once more. None of them counts as one of his. */
	for (i = 0; i < bound && ctx_on_done(ctx, to, "x", 1) == -ENFILE; i++)
		;
	EXPECT_EQ(bound, i);
	EXPECT_EQ(-ENFILE, ctx_on_done(ctx, to, "x", 1));
	EXPECT_EQ(next, next_fd());
}

/* Closing the last descriptor that can cancel does so, and nothing was asked for. */
static void expect_cancelled(struct __test_metadata *_metadata, int ctx, int watch)
{
	struct ctx_ioc_info info;

	EXPECT_TRUE(is_live(ctx));
	close(ctx);
	EXPECT_TRUE(is_done(watch, ECANCELED, EOWNERDEAD));
	EXPECT_EQ(0, ctx_info(watch, &info));
	EXPECT_EQ(0, info.on_dones);
}

/* The system has no file left. */
TEST_F(derive, enfile_leaves_nothing_behind)
{
	const long long files = read_number(FILE_MAX);
	const int bound = read_number(CTX_PARAMETERS "max_user_files");
	int pair[2], to[2], ctx, watch;
	pid_t pid;

	ASSERT_LT(0, files);
	ASSERT_LT(0, bound);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	ASSERT_EQ(0, pipe2(to, O_CLOEXEC));
	pid = spawn();
	if (!pid) {
		become(2001);
		ctx = ctx_derive(self->bg, 0);
		watch = ctx_restrict(ctx, CTX_RIGHT_OBSERVE);
		EXPECT_LE(0, watch);
		EXPECT_TRUE(tell(pair[1]));
		EXPECT_TRUE(hear(pair[1]));
		expect_no_file(_metadata, ctx, to[1], bound);
		expect_cancelled(_metadata, ctx, watch);
		child_exit();
	}
	EXPECT_TRUE(hear(pair[0]));
	EXPECT_TRUE(write_number(FILE_MAX, 0));
	EXPECT_TRUE(tell(pair[0]));
	EXPECT_EQ(0, reap(pid));
	EXPECT_TRUE(write_number(FILE_MAX, files));
	close(to[0]);
	close(to[1]);
	close(pair[0]);
	close(pair[1]);
}

TEST_HARNESS_MAIN
