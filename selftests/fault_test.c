// SPDX-License-Identifier: GPL-2.0
/*
 * Whatever fails inside of a request, memory or a copy from or to the caller:
 * an errno, and nothing changed, lost or leaked. On a kernel that can make its
 * allocations fail each of them does in turn; on any other each request simply
 * succeeds at once.
 */
#include "ctx_test.h"

#define FAILSLAB	"/sys/kernel/debug/failslab/"
#define USERCOPY	"/sys/kernel/debug/fail_usercopy/"
#define FAIL_NTH	"/proc/thread-self/fail-nth"

FIXTURE(fault) {
	int bg;
	int value;
	int ctx;
	char found[8];
	int other;
	int pipe[2];
	int procs;
	struct ctx_ioc_info info;
};

#define CGROUP	"/sys/fs/cgroup/ctx_fault_test"

FIXTURE_VARIANT(fault) {
	unsigned int cmd;
	__u32 flags;
};

FIXTURE_VARIANT_ADD(fault, derive) {
	.cmd = CTX_IOC_DERIVE,
};

FIXTURE_VARIANT_ADD(fault, derive_timeout) {
	.cmd = CTX_IOC_DERIVE,
	.flags = CTX_DERIVE_TIMEOUT,
};

FIXTURE_VARIANT_ADD(fault, derive_without_cancel) {
	.cmd = CTX_IOC_DERIVE,
	.flags = CTX_DERIVE_WITHOUT_CANCEL,
};

FIXTURE_VARIANT_ADD(fault, with_value) {
	.cmd = CTX_IOC_WITH_VALUE,
};

FIXTURE_VARIANT_ADD(fault, value) {
	.cmd = CTX_IOC_VALUE,
};

FIXTURE_VARIANT_ADD(fault, info) {
	.cmd = CTX_IOC_INFO,
};

FIXTURE_VARIANT_ADD(fault, restrict_to) {
	.cmd = CTX_IOC_RESTRICT,
};

FIXTURE_VARIANT_ADD(fault, open) {
	.cmd = CTX_IOC_OPEN,
};

FIXTURE_VARIANT_ADD(fault, next) {
	.cmd = CTX_IOC_NEXT,
};

FIXTURE_VARIANT_ADD(fault, watch) {
	.cmd = CTX_IOC_WATCH,
};

FIXTURE_VARIANT_ADD(fault, on_done) {
	.cmd = CTX_IOC_ON_DONE,
};

FIXTURE_VARIANT_ADD(fault, bind) {
	.cmd = CTX_IOC_BIND,
};

FIXTURE_VARIANT_ADD(fault, ambient) {
	.cmd = CTX_IOC_OPEN,
	.flags = CTX_OPEN_AMBIENT,
};

FIXTURE_VARIANT_ADD(fault, link) {
	.cmd = CTX_IOC_LINK,
};

static bool make_ctx(fixture_self(fault))
{
	self->ctx = ctx_derive(self->value, 0);
	return must(self->ctx >= 0) && must(ctx_info(self->ctx, &self->info) == 0);
}

FIXTURE_SETUP(fault)
{
	/* Quietly, and also those that may wait. */
	write_file(FAILSLAB "ignore-gfp-wait", "N");
	write_file(FAILSLAB "verbose", "0");
	write_file(USERCOPY "verbose", "0");
	self->bg = ctx_open();
	ASSERT_LE(0, self->bg);
	self->value = ctx_set(self->bg, "k", "v");
	ASSERT_LE(0, self->value);
	self->other = ctx_derive(self->bg, 0);
	ASSERT_LE(0, self->other);
	ASSERT_TRUE(make_ctx(self));
	ASSERT_EQ(0, pipe2(self->pipe, O_CLOEXEC | O_NONBLOCK));
	rmdir(CGROUP);
	ASSERT_EQ(0, mkdir(CGROUP, 0755));
	self->procs = open(CGROUP "/cgroup.procs", O_WRONLY | O_CLOEXEC);
	ASSERT_LE(0, self->procs);
}

FIXTURE_TEARDOWN(fault)
{
	EXPECT_EQ(0, ctx_cancel(self->ctx, EIO));
	EXPECT_TRUE(is_done(self->ctx, ECANCELED, EIO));
	close(self->ctx);
	close(self->other);
	close(self->pipe[0]);
	close(self->pipe[1]);
	close(self->procs);
	EXPECT_EQ(0, rmdir(CGROUP));
	close(self->value);
	close(self->bg);
	write_file(FAILSLAB "ignore-gfp-wait", "Y");
	write_file(FAILSLAB "verbose", "2");
	write_file(USERCOPY "verbose", "2");
}

static int request(fixture_self(fault), const struct _fixture_variant_fault *variant)
{
	struct ctx_ioc_value value = {
		.size = sizeof(value),
		.key = to_u64("k"),
		.key_len = 1,
		.value = to_u64(self->found),
		.value_len = 1,
	};
	struct ctx_ioc_derive derive = {
		.size = sizeof(derive),
		.flags = variant->flags,
		.time = variant->flags & CTX_DERIVE_TIMEOUT ? AN_HOUR : 0,
		.clock = variant->flags & CTX_DERIVE_TIMEOUT ? CLOCK_MONOTONIC : 0,
	};
	struct ctx_ioc_info info = { .size = sizeof(info) };
	struct ctx_ioc_restrict restrict_to = {
		.size = sizeof(restrict_to),
		.rights = CTX_RIGHT_OBSERVE,
	};
	struct ctx_ioc_open open = {
		.size = sizeof(open),
		.flags = variant->flags,
		.id = variant->flags ? 0 : self->info.id,
		.rights = CTX_RIGHT_OBSERVE,
	};
	struct ctx_ioc_next next = { .size = sizeof(next) };

	if (variant->cmd == CTX_IOC_WATCH)
		return ctx_watch(self->ctx, self->pipe[0], 0, 0);
	if (variant->cmd == CTX_IOC_BIND)
		return ctx_bind(self->ctx, self->procs);
	/* Of the kinds, the one that takes most. */
	if (variant->cmd == CTX_IOC_ON_DONE)
		return ctx_on_done(self->ctx, self->pipe[1], "done", 4);
	if (variant->cmd == CTX_IOC_LINK)
		return ctx_link(self->ctx, self->other);
	switch (variant->cmd) {
	case CTX_IOC_DERIVE:
		return ctx_request(self->ctx, variant->cmd, &derive);
	case CTX_IOC_INFO:
		return ctx_request(self->ctx, variant->cmd, &info);
	case CTX_IOC_RESTRICT:
		return ctx_request(self->ctx, variant->cmd, &restrict_to);
	case CTX_IOC_OPEN:
		return ctx_request(self->ctx, variant->cmd, &open);
	case CTX_IOC_NEXT:
		return ctx_request(self->ctx, variant->cmd, &next);
	default:
		return ctx_request(self->ctx, variant->cmd, &value);
	}
}

/* The request with its @nth failure; false when it did not come that far. */
static bool fail_at(int nth_fd, int nth, int *ret, fixture_self(fault),
		    const struct _fixture_variant_fault *variant)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%d", nth);
	bool failed = false;

	if (nth_fd >= 0)
		len = pwrite(nth_fd, text, len, 0);
	*ret = request(self, variant);
	if (nth_fd >= 0 && len > 0) {
		len = pread(nth_fd, text, sizeof(text) - 1, 0);
		text[len > 0 ? len : 0] = '\0';
		/* Where that fails, it is what comes next that was to. */
		failed = len > 0 && atoi(text) == 0;
		len = pwrite(nth_fd, "0", 1, 0);
	}
	return failed;
}

TEST_F(fault, each_in_turn)
{
	int nth_fd = open(FAIL_NTH, O_RDWR | O_CLOEXEC);
	int next = next_fd(), nth, ret, failures = 0;
	struct ctx_ioc_info info;

	for (nth = 1; fail_at(nth_fd, nth, &ret, self, variant); nth++) {
		failures++;
		if (ret >= 0) {
			/* What failed was something it can do without: from the start. */
			if (ret > 0)
				close(ret);
			close(self->ctx);
			ASSERT_TRUE(make_ctx(self));
			continue;
		}
		EXPECT_TRUE(ret == -ENOMEM || ret == -EFAULT);
		EXPECT_EQ(next, next_fd());
		EXPECT_TRUE(is_live(self->ctx));
		EXPECT_EQ(0, ctx_info(self->ctx, &info));
		EXPECT_EQ(0, memcmp(&info, &self->info, sizeof(info)));
	}
	EXPECT_LE(0, ret);
	if (ret > 0)
		close(ret);
	EXPECT_EQ(nth_fd >= 0, failures > 0);
	EXPECT_STREQ("v", ctx_get(self->ctx, "k"));
	close(nth_fd);
}

TEST_HARNESS_MAIN
