// SPDX-License-Identifier: GPL-2.0
/*
 * CTX_IOC_INFO: every member, for every kind, and no byte that is not meant.
 */
#include "ctx_test.h"

FIXTURE(info) {
	int bg;
	int ctx;
};

FIXTURE_SETUP(info)
{
	self->bg = ctx_open();
	ASSERT_LE(0, self->bg);
	self->ctx = ctx_derive(self->bg, 0);
	ASSERT_LE(0, self->ctx);
}

FIXTURE_TEARDOWN(info)
{
	close(self->ctx);
	close(self->bg);
}

TEST_F(info, the_abi_has_no_holes)
{
	EXPECT_EQ(24, sizeof(struct ctx_ioc_derive));
	EXPECT_EQ(32, sizeof(struct ctx_ioc_value));
	EXPECT_EQ(16, sizeof(struct ctx_ioc_cancel));
	EXPECT_EQ(120, sizeof(struct ctx_ioc_info));
	EXPECT_EQ(56, sizeof(struct ctx_event));
	EXPECT_EQ(80, offsetof(struct ctx_ioc_info, origin_comm));
	EXPECT_EQ(40, offsetof(struct ctx_event, comm));
	EXPECT_EQ(_IO('x', 0), CTX_IOC_DERIVE);
	EXPECT_EQ(_IO('x', 4), CTX_IOC_INFO);
	EXPECT_EQ(16, sizeof(struct ctx_ioc_restrict));
	EXPECT_EQ(24, sizeof(struct ctx_ioc_open));
	EXPECT_EQ(16, sizeof(struct ctx_ioc_next));
	EXPECT_EQ(_IO('x', 5), CTX_IOC_RESTRICT);
	EXPECT_EQ(_IO('x', 6), CTX_IOC_OPEN);
	EXPECT_EQ(_IO('x', 7), CTX_IOC_NEXT);
}

TEST_F(info, of_a_live_context)
{
	struct ctx_ioc_info info, expected = {
		.size = sizeof(info),
		.rights = RIGHTS_ALL,
		.creator_pid = getpid(),
		.depth = 1,
	};

	ASSERT_EQ(0, ctx_info(self->ctx, &info));
	EXPECT_NE(0, info.id);
	expected.id = info.id;
	strcpy(expected.creator_comm, my_comm());
	EXPECT_EQ(0, memcmp(&expected, &info, sizeof(info)));
}

TEST_F(info, of_a_done_context)
{
	__u64 deadline = now() + AN_HOUR;
	int fd = ctx_deadline(self->ctx, deadline, EIO);
	struct ctx_ioc_info info, expected = {
		.size = sizeof(info),
		.rights = RIGHTS_ALL,
		.creator_pid = getpid(),
		.origin_pid = getpid(),
		.origin_id = ctx_id(self->ctx),
		.parent_id = ctx_id(self->ctx),
		.err = ECANCELED,
		.cause = EPIPE,
		.depth = 2,
	};
	__u64 before = now();

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ctx_cancel(self->ctx, EPIPE));
	ASSERT_EQ(0, ctx_info(fd, &info));
	EXPECT_LE(before, info.done_time);
	EXPECT_GE(now(), info.done_time);
	EXPECT_TRUE(info.info_flags & CTX_INFO_DONE);
	expected.id = info.id;
	expected.done_time = info.done_time;
	expected.info_flags = info.info_flags;
	expected.deadline = info.info_flags & CTX_INFO_DEADLINE ? deadline : 0;
	strcpy(expected.creator_comm, my_comm());
	strcpy(expected.origin_comm, my_comm());
	EXPECT_EQ(0, memcmp(&expected, &info, sizeof(info)));
	close(fd);
}

/* Whatever was there before, nothing of it and nothing of the kernel's is left. */
TEST_F(info, no_stray_bytes)
{
	int fds[] = {
		self->bg, self->ctx,
		ctx_set(self->ctx, "k", "v"),
		ctx_derive(self->ctx, CTX_DERIVE_WITHOUT_CANCEL),
		ctx_timeout(self->ctx, AN_HOUR, 0),
		ctx_timeout(self->ctx, 0, 0),
	};
	struct ctx_ioc_info zeros, ones;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		ASSERT_LE(0, fds[i]);
		memset(&zeros, 0, sizeof(zeros));
		memset(&ones, 0xff, sizeof(ones));
		zeros.size = sizeof(zeros);
		ones.size = sizeof(ones);
		ones.flags = 0;
		ASSERT_EQ(0, ctx_request(fds[i], CTX_IOC_INFO, &zeros));
		ASSERT_EQ(0, ctx_request(fds[i], CTX_IOC_INFO, &ones));
		EXPECT_EQ(0, memcmp(&zeros, &ones, sizeof(zeros)));
		EXPECT_EQ(0, zeros.flags);
		EXPECT_EQ(sizeof(zeros), zeros.size);
		EXPECT_TRUE(is_comm(zeros.creator_comm));
		EXPECT_TRUE(is_comm(zeros.origin_comm));
		if (i > 1)
			close(fds[i]);
	}
}

TEST_F(info, names_are_terminated_and_padded)
{
	static const char * const names[] = {
		"fifteen-letters", "x", "", "a name", "seven77",
	};
	struct ctx_ioc_info info;
	struct ctx_event event;
	char comm[CTX_COMM_LEN];
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		memset(comm, 0, sizeof(comm));
		strcpy(comm, names[i]);
		ASSERT_EQ(0, prctl(PR_SET_NAME, comm));
		fd = ctx_derive(self->bg, 0);
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, ctx_cancel(fd, 0));
		ASSERT_EQ(0, prctl(PR_SET_NAME, "somebody"));
		ASSERT_EQ(0, ctx_info(fd, &info));
		EXPECT_EQ(0, memcmp(comm, info.creator_comm, CTX_COMM_LEN));
		EXPECT_EQ(0, memcmp(comm, info.origin_comm, CTX_COMM_LEN));
		memset(&event, FILL, sizeof(event));
		ASSERT_EQ(sizeof(event), read(fd, &event, sizeof(event)));
		EXPECT_EQ(0, memcmp(comm, event.comm, CTX_COMM_LEN));
		EXPECT_EQ(0, event.reserved);
		close(fd);
	}
}

TEST_F(info, the_name_is_that_of_its_time)
{
	struct ctx_ioc_info info;
	int fd;

	ASSERT_EQ(0, prctl(PR_SET_NAME, "maker"));
	fd = ctx_derive(self->bg, 0);
	ASSERT_EQ(0, prctl(PR_SET_NAME, "breaker"));
	ASSERT_EQ(0, ctx_cancel(fd, 0));
	ASSERT_EQ(0, prctl(PR_SET_NAME, "reader"));
	ASSERT_EQ(0, ctx_info(fd, &info));
	EXPECT_STREQ("maker", info.creator_comm);
	EXPECT_STREQ("breaker", info.origin_comm);
	close(fd);
}

/* A caller from the future: its unknown members are zero, and stay so. */
TEST_F(info, a_longer_structure_is_filled_as_far_as_known)
{
	struct {
		struct ctx_ioc_info info;
		unsigned char rest[64];
		unsigned char beyond[8];
	} arg;
	struct ctx_ioc_info known;

	memset(&arg, FILL, sizeof(arg));
	memset(arg.rest, 0, sizeof(arg.rest));
	arg.info.size = sizeof(arg.info) + sizeof(arg.rest);
	arg.info.flags = 0;
	ASSERT_EQ(0, ctx_request(self->ctx, CTX_IOC_INFO, &arg));
	ASSERT_EQ(0, ctx_info(self->ctx, &known));
	arg.info.size = known.size;
	EXPECT_EQ(0, memcmp(&arg.info, &known, sizeof(known)));
	EXPECT_TRUE(is_zero(arg.rest, sizeof(arg.rest)));
	EXPECT_EQ(FILL, arg.beyond[0]);
	EXPECT_EQ(FILL, arg.beyond[7]);
}

TEST_F(info, the_owner_is_who_made_it)
{
	struct ctx_ioc_info info;
	int fd, pair[2];
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	pid = spawn();
	if (!pid) {
		close(pair[0]);
		become(4321);
		fd = ctx_derive(self->bg, 0);
		EXPECT_LE(0, fd);
		EXPECT_TRUE(send_fd(pair[1], fd));
		hear(pair[1]);
		child_exit();
	}
	close(pair[1]);
	fd = recv_fd(pair[0]);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ctx_info(fd, &info));
	EXPECT_EQ(4321, info.owner_uid);
	EXPECT_EQ(pid, info.creator_pid);
	close(fd);

	/* The effective one counts, and ours is another. */
	ASSERT_EQ(0, ctx_info(self->ctx, &info));
	EXPECT_EQ(0, info.owner_uid);
	EXPECT_EQ(getpid(), info.creator_pid);
	close(pair[0]);
	EXPECT_EQ(0, reap(pid));
}

TEST_F(info, is_about_the_context_and_not_about_the_caller)
{
	struct ctx_ioc_info ours, theirs;
	pid_t pid;

	ASSERT_EQ(0, ctx_info(self->ctx, &ours));
	pid = spawn();
	if (!pid) {
		become(4321);
		EXPECT_EQ(0, ctx_info(self->ctx, &theirs));
		EXPECT_EQ(0, memcmp(&ours, &theirs, sizeof(ours)));
		child_exit();
	}
	EXPECT_EQ(0, reap(pid));
}

TEST_HARNESS_MAIN
