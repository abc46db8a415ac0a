// SPDX-License-Identifier: GPL-2.0
/*
 * Values: which one a lookup finds, and every byte of it.
 */
#include "ctx_test.h"

FIXTURE(value) {
	int bg;
};

FIXTURE_SETUP(value)
{
	self->bg = ctx_open();
	ASSERT_LE(0, self->bg);
}

FIXTURE_TEARDOWN(value)
{
	close(self->bg);
}

TEST_F(value, s9_is_found_by_its_key)
{
	int fd = ctx_set(self->bg, "colour", "green");
	struct ctx_ioc_info info;

	ASSERT_LE(0, fd);
	EXPECT_STREQ("green", ctx_get(fd, "colour"));
	EXPECT_STREQ("(none)", ctx_get(fd, "color"));
	EXPECT_STREQ("(none)", ctx_get(self->bg, "colour"));
	ASSERT_EQ(0, ctx_info(fd, &info));
	EXPECT_EQ(RIGHTS_UNCANCELABLE, info.rights);
	EXPECT_EQ(0, info.info_flags);
	EXPECT_TRUE(is_live(fd));
	close(fd);
}

TEST_F(value, s9_the_nearest_wins)
{
	int far = ctx_set(self->bg, "k", "far");
	int other = ctx_set(far, "o", "other");
	int near = ctx_set(other, "k", "near");
	int below = ctx_derive(near, 0);
	int sibling = ctx_set(other, "k", "sibling");

	ASSERT_LE(0, sibling);
	EXPECT_STREQ("far", ctx_get(far, "k"));
	EXPECT_STREQ("far", ctx_get(other, "k"));
	EXPECT_STREQ("near", ctx_get(near, "k"));
	EXPECT_STREQ("near", ctx_get(below, "k"));
	EXPECT_STREQ("sibling", ctx_get(sibling, "k"));
	EXPECT_STREQ("other", ctx_get(below, "o"));
	EXPECT_STREQ("(none)", ctx_get(far, "o"));
	close(sibling);
	close(below);
	close(near);
	close(other);
	close(far);
}

TEST_F(value, s9_every_kind_is_looked_through)
{
	int fds[] = { ctx_set(self->bg, "k", "v"), -1, -1, -1, -1, -1, -1 };
	size_t i;

	fds[1] = ctx_derive(fds[0], 0);
	fds[2] = ctx_timeout(fds[1], AN_HOUR, 0);
	fds[3] = ctx_derive(fds[2], CTX_DERIVE_WITHOUT_CANCEL);
	fds[4] = ctx_derive(fds[3], CTX_DERIVE_KEEP);
	fds[5] = ctx_set(fds[4], "other", "w");
	fds[6] = ctx_derive(fds[5], 0);
	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		ASSERT_LE(0, fds[i]);
		EXPECT_STREQ("v", ctx_get(fds[i], "k"));
	}
	for (i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
}

TEST_F(value, s9_the_same_after_cancellation)
{
	int top = ctx_derive(self->bg, 0);
	int value = ctx_set(top, "k", "v");
	int below = ctx_derive(value, 0);
	int late, again;

	ASSERT_EQ(0, ctx_cancel(top, EIO));
	EXPECT_TRUE(is_done(value, ECANCELED, EIO));
	EXPECT_STREQ("v", ctx_get(value, "k"));
	EXPECT_STREQ("v", ctx_get(below, "k"));
	EXPECT_STREQ("(none)", ctx_get(top, "k"));
	EXPECT_STREQ("(none)", ctx_get(below, "x"));
	late = ctx_set(below, "l", "w");
	again = ctx_set(late, "k", "x");
	EXPECT_STREQ("w", ctx_get(late, "l"));
	EXPECT_STREQ("v", ctx_get(late, "k"));
	EXPECT_STREQ("x", ctx_get(again, "k"));
	close(again);
	close(late);
	close(below);
	close(value);
	close(top);
}

TEST_F(value, s9_lives_as_long_as_anybody_below)
{
	int value = ctx_set(self->bg, "k", "v");
	int below = ctx_derive(value, 0);

	ASSERT_LE(0, below);
	close(value);
	EXPECT_STREQ("v", ctx_get(below, "k"));
	EXPECT_TRUE(is_live(below));
	close(below);
}

/* Keys are strings of bytes: neither terminated nor text. */
TEST_F(value, keys_are_bytes)
{
	static const struct {
		const char *key;
		__u32 len;
	} keys[] = {
		{ "a", 1 }, { "a\0", 2 }, { "a\0b", 3 }, { "a\0c", 3 }, { "ab", 2 },
		{ "\0", 1 }, { "\0\0", 2 }, { "b", 1 }, { "\xff", 1 }, { "abc", 3 },
	};
	int fds[ARRAY_SIZE(keys)];
	unsigned char value;
	int parent = self->bg;
	__u32 len;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(keys); i++) {
		value = i;
		fds[i] = ctx_with_value(parent, keys[i].key, keys[i].len, &value, 1);
		ASSERT_LE(0, fds[i]);
		parent = fds[i];
	}
	for (i = 0; i < ARRAY_SIZE(keys); i++) {
		value = FILL;
		len = 1;
		ASSERT_EQ(0, ctx_value(parent, keys[i].key, keys[i].len, &value, &len));
		EXPECT_EQ(1, len);
		EXPECT_EQ(i, value);
		/* Not before it was set. */
		len = 1;
		EXPECT_EQ(-ENOENT, ctx_value(i ? fds[i - 1] : self->bg,
					     keys[i].key, keys[i].len, &value, &len));
	}
	len = 1;
	EXPECT_EQ(-ENOENT, ctx_value(parent, "ab\0", 3, &value, &len));
	EXPECT_EQ(-ENOENT, ctx_value(parent, "ac", 2, &value, &len));
	for (i = 0; i < ARRAY_SIZE(keys); i++)
		close(fds[i]);
}

TEST_F(value, the_longest_key_counts_to_its_last_byte)
{
	char key[CTX_KEY_MAX], value = 1;
	__u32 len = 1;
	int fd;

	memset(key, 'k', sizeof(key));
	fd = ctx_with_value(self->bg, key, sizeof(key), &value, 1);
	ASSERT_LE(0, fd);
	value = 0;
	EXPECT_EQ(0, ctx_value(fd, key, sizeof(key), &value, &len));
	EXPECT_EQ(1, value);
	EXPECT_EQ(-ENOENT, ctx_value(fd, key, sizeof(key) - 1, &value, &len));
	key[CTX_KEY_MAX - 1] = 'j';
	EXPECT_EQ(-ENOENT, ctx_value(fd, key, sizeof(key), &value, &len));
	close(fd);
}

static void fill_value(unsigned char *value, size_t len, unsigned int seed)
{
	size_t i;

	for (i = 0; i < len; i++)
		value[i] = seed + i * 7 + (i >> 8);
}

TEST_F(value, values_of_every_length_come_back_whole)
{
	static const __u32 lengths[] = {
		0, 1, 2, 7, 8, 9, 63, 64, 65, 255, 256, 257, 1000, 2047, 2048, 4095, CTX_VALUE_MAX,
	};
	unsigned char in[CTX_VALUE_MAX], out[CTX_VALUE_MAX + 8];
	__u32 len;
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		fill_value(in, lengths[i], i);
		fd = ctx_with_value(self->bg, "k", 1, in, lengths[i]);
		ASSERT_LE(0, fd);

		memset(out, FILL, sizeof(out));
		len = sizeof(out);
		ASSERT_EQ(0, ctx_value(fd, "k", 1, out, &len));
		EXPECT_EQ(lengths[i], len);
		EXPECT_EQ(0, memcmp(in, out, lengths[i]));
		/* Not a byte more than it has. */
		for (len = lengths[i]; len < sizeof(out); len++)
			ASSERT_EQ(FILL, out[len]);

		/* Just enough room. */
		memset(out, FILL, sizeof(out));
		len = lengths[i];
		ASSERT_EQ(0, ctx_value(fd, "k", 1, out, &len));
		EXPECT_EQ(lengths[i], len);
		EXPECT_EQ(0, memcmp(in, out, lengths[i]));
		EXPECT_EQ(FILL, out[lengths[i]]);
		close(fd);
	}
}

TEST_F(value, a_short_buffer_gets_enospc_and_the_length)
{
	unsigned char in[100], out[100];
	__u32 room, len;
	size_t i;
	int fd;

	fill_value(in, sizeof(in), 1);
	fd = ctx_with_value(self->bg, "k", 1, in, sizeof(in));
	ASSERT_LE(0, fd);
	for (room = 0; room < sizeof(in); room += room < 98 ? 49 : 1) {
		memset(out, FILL, sizeof(out));
		len = room;
		EXPECT_EQ(-ENOSPC, ctx_value(fd, "k", 1, out, &len));
		EXPECT_EQ(sizeof(in), len);
		for (i = room; i < sizeof(out); i++)
			ASSERT_EQ(FILL, out[i]);
	}
	/* To ask for the length needs no buffer. */
	len = 0;
	EXPECT_EQ(-ENOSPC, ctx_value(fd, "k", 1, NULL, &len));
	EXPECT_EQ(sizeof(in), len);
	ASSERT_EQ(0, ctx_value(fd, "k", 1, out, &len));
	EXPECT_EQ(0, memcmp(in, out, sizeof(in)));
	close(fd);
}

TEST_F(value, room_beyond_the_value_is_not_touched)
{
	long page = sysconf(_SC_PAGESIZE);
	char *room = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = ctx_set(self->bg, "k", "value");
	__u32 len = UINT32_MAX;

	ASSERT_NE(MAP_FAILED, room);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, munmap(room + page, page));
	ASSERT_EQ(0, ctx_value(fd, "k", 1, room + page - 5, &len));
	EXPECT_EQ(5, len);
	EXPECT_EQ(0, memcmp(room + page - 5, "value", 5));
	EXPECT_EQ(0, room[page - 6]);
	munmap(room, page);
	close(fd);
}

TEST_F(value, an_empty_value_is_a_value)
{
	int full = ctx_set(self->bg, "k", "v");
	int empty = ctx_with_value(full, "k", 1, NULL, 0);
	int elsewhere = ctx_with_value(full, "e", 1, "", 0);
	char byte = FILL;
	__u32 len = 1;

	ASSERT_LE(0, empty);
	ASSERT_LE(0, elsewhere);
	EXPECT_EQ(0, ctx_value(empty, "k", 1, &byte, &len));
	EXPECT_EQ(0, len);
	EXPECT_EQ((char)FILL, byte);
	len = 0;
	EXPECT_EQ(0, ctx_value(elsewhere, "e", 1, NULL, &len));
	EXPECT_EQ(0, len);
	EXPECT_STREQ("v", ctx_get(elsewhere, "k"));
	close(elsewhere);
	close(empty);
	close(full);
}

TEST_F(value, an_absent_one_changes_nothing)
{
	struct ctx_ioc_value arg = {
		.size = sizeof(arg),
		.key = to_u64("absent"),
		.key_len = 6,
		.value_len = 77,
	}, before;
	char buffer[77];
	size_t i;

	memset(buffer, FILL, sizeof(buffer));
	arg.value = to_u64(buffer);
	before = arg;
	EXPECT_EQ(-ENOENT, ctx_request(self->bg, CTX_IOC_VALUE, &arg));
	EXPECT_EQ(0, memcmp(&arg, &before, sizeof(arg)));
	for (i = 0; i < sizeof(buffer); i++)
		ASSERT_EQ((char)FILL, buffer[i]);
}

TEST_F(value, a_lookup_changes_nothing_but_the_length)
{
	int fd = ctx_set(self->bg, "k", "value");
	char buffer[8];
	struct ctx_ioc_value arg = {
		.size = sizeof(arg),
		.key = to_u64("k"),
		.key_len = 1,
		.value = to_u64(buffer),
		.value_len = sizeof(buffer),
	}, before = arg;

	ASSERT_LE(0, fd);
	EXPECT_EQ(0, ctx_request(fd, CTX_IOC_VALUE, &arg));
	before.value_len = 5;
	EXPECT_EQ(0, memcmp(&arg, &before, sizeof(arg)));
	close(fd);
}

/* The kernel has its own copy from the moment it was made. */
TEST_F(value, is_not_read_again)
{
	char key[] = "key", value[] = "value";
	struct ctx_ioc_value arg = {
		.size = sizeof(arg),
		.key = to_u64(key),
		.key_len = 3,
		.value = to_u64(value),
		.value_len = 5,
	};
	int fd = ctx_request(self->bg, CTX_IOC_WITH_VALUE, &arg);

	ASSERT_LE(0, fd);
	memset(key, 'x', 3);
	memset(value, 'y', 5);
	memset(&arg, FILL, sizeof(arg));
	EXPECT_STREQ("value", ctx_get(fd, "key"));
	EXPECT_STREQ("(none)", ctx_get(fd, "xxx"));
	close(fd);
}

/* Far below the top, a hit at the top and a miss are still right. */
TEST_F(value, a_long_chain_of_values)
{
	char key[16], value[16];
	int fds[600];
	size_t i;

	ASSERT_TRUE(allow_files(1000));
	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		snprintf(key, sizeof(key), "key%zu", i % 500);
		snprintf(value, sizeof(value), "value%zu", i);
		fds[i] = ctx_set(i ? fds[i - 1] : self->bg, key, value);
		ASSERT_LE(0, fds[i]);
	}
	for (i = 0; i < 500; i++) {
		snprintf(key, sizeof(key), "key%zu", i);
		snprintf(value, sizeof(value), "value%zu", i < 100 ? i + 500 : i);
		ASSERT_STREQ(value, ctx_get(fds[599], key));
		snprintf(value, sizeof(value), "value%zu", i);
		ASSERT_STREQ(value, ctx_get(fds[499], key));
		ASSERT_STREQ(i <= 250 ? value : "(none)", ctx_get(fds[250], key));
	}
	EXPECT_STREQ("(none)", ctx_get(fds[599], "key500"));
	for (i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
}

/* The same at every depth, and beside it. */
TEST_F(value, s9_every_depth_and_a_branch_of_each)
{
	char key[16], value[16], other[16];
	int fds[40];
	size_t i, k;

	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		int branch;

		snprintf(key, sizeof(key), "key%zu", i);
		snprintf(value, sizeof(value), "value%zu", i);
		fds[i] = ctx_set(i ? fds[i - 1] : self->bg, key, value);
		branch = ctx_set(i ? fds[i - 1] : self->bg, key, "branch");
		ASSERT_LE(0, branch);
		ASSERT_STREQ(value, ctx_get(fds[i], key));
		ASSERT_STREQ("branch", ctx_get(branch, key));
		for (k = 0; k < i; k++) {
			snprintf(key, sizeof(key), "key%zu", k);
			snprintf(other, sizeof(other), "value%zu", k);
			ASSERT_STREQ(other, ctx_get(fds[i], key));
			ASSERT_STREQ(other, ctx_get(branch, key));
		}
		ASSERT_STREQ("(none)", ctx_get(fds[i], "branch"));
		close(branch);
	}
	for (i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
}

TEST_F(value, closing_it_cancels_nothing)
{
	int ctx = ctx_derive(self->bg, 0);
	int value = ctx_set(ctx, "k", "v");
	int below = ctx_derive(value, 0);

	ASSERT_LE(0, below);
	close(value);
	EXPECT_TRUE(is_live(ctx));
	EXPECT_TRUE(is_live(below));
	close(below);
	EXPECT_TRUE(is_live(ctx));
	close(ctx);
}

TEST_HARNESS_MAIN
