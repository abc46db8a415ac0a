// SPDX-License-Identifier: GPL-2.0
/*
 * The module's beginning, and those of modules that use it: each call that allocates
 * fails in turn, by ctx_begin.ko. It is refused with an errno, and nothing is left of it.
 * On a kernel that cannot make allocations fail each simply succeeds at once.
 */
#include "ctx_fail.h"
#include "ctx_module.h"
#include "ctx_test.h"

#include <dirent.h>

#define NTH		"/sys/module/ctx_begin/parameters/nth"
#define LEFT		"/sys/module/ctx_begin/parameters/left"
#define SLABS		"/sys/kernel/slab/"
#define CGROUP		"/sys/fs/cgroup/ctx_begin_test"

static bool is_loaded(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/module/%s", name);
	return !access(path, F_OK);
}

/* Whether a line of @path begins with @text. */
static bool has_line(const char *path, const char *text)
{
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t size = 0;
	bool found = false;

	while (file && !found && getline(&line, &size, file) > 0)
		found = strstr(line, text) == line;
	free(line);
	if (file)
		fclose(file);
	return found;
}

/* Whether the name of a task begins with @text. */
static bool is_running(const char *text)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	bool found = false;

	while (!found && (entry = readdir(dir))) {
		char path[512];

		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		found = has_line(path, text);
	}
	closedir(dir);
	return found;
}

/* What has a name outside of the module: else it was the kernel that took it back. */
static bool is_gone(void)
{
	return must(access(CTX_DEV, F_OK)) &&
	       must(access("/sys/class/misc/ctx", F_OK)) &&
	       must(access("/sys/kernel/debug/ctx", F_OK)) &&
	       must(!has_line("/proc/slabinfo", "ctx_"));
}

/* Workqueues that were left have their rescuer, and those without one have their share. */
static bool has_no_threads(void)
{
	return must(!is_running("ctx_")) && must(!is_running("kworker/R-ctx_"));
}

/* Without what sanitizers keep of them, and caches of CPUs. */
static long long pool_workqueues(void)
{
	write_file(SLABS "pool_workqueue/shrink", "1");
	return read_number(SLABS "pool_workqueue/objects");
}

/* What is called when a cgroup is removed would be called though it is gone. */
static bool is_not_called(void)
{
	return must(mkdir(CGROUP, 0755) == 0) && must(rmdir(CGROUP) == 0);
}

FIXTURE(begin) {
	bool injects;
	long long pools;
	int failures;
};

FIXTURE_VARIANT(begin) {
	const char *module;
};

FIXTURE_VARIANT_ADD(begin, ctx) {
	.module = "ctx",
};

FIXTURE_VARIANT_ADD(begin, sum) {
	.module = "ctx_sum",
};

FIXTURE_VARIANT_ADD(begin, blk) {
	.module = "ctx_blk",
};

FIXTURE_VARIANT_ADD(begin, pipeline) {
	.module = "ctx_pipeline",
};

static bool is_itself(const struct _fixture_variant_begin *variant)
{
	return !strcmp(variant->module, "ctx");
}

FIXTURE_SETUP(begin)
{
	self->injects = !access(FAIL_NTH, F_OK);
	fail_quietly();
	unload_module("ctx_begin");
	ASSERT_EQ(0, load_module("ctx_begin", ""));
	if (is_loaded(variant->module))
		ASSERT_EQ(0, unload_module(variant->module));
	self->pools = pool_workqueues();
}

FIXTURE_TEARDOWN(begin)
{
	EXPECT_EQ(0, unload_module("ctx_begin"));
	if (is_itself(variant)) {
		/* Other tests are not to fail for what this one has found. */
		if (!is_loaded("ctx"))
			EXPECT_EQ(0, load_module("ctx", ""));
	} else {
		EXPECT_EQ(0, unload_module(variant->module));
		EXPECT_EQ(0, read_number(REFCNT));
	}
	fail_as_before();
}

/* Nothing of it is there, nor of what it had of ctx. */
static bool left_nothing(const struct _fixture_variant_begin *variant)
{
	return must(!is_loaded(variant->module)) &&
	       (is_itself(variant) ? is_gone() && has_no_threads() && is_not_called() :
				     must(read_number(REFCNT) == 0));
}

TEST_F(begin, each_in_turn)
{
	int nth, err;

	for (nth = 1;; nth++) {
		ASSERT_TRUE(write_number(NTH, nth));
		err = load_module(variant->module, "");
		if (!err && (!self->injects || read_number(LEFT)))
			break;
		if (err) {
			EXPECT_EQ(-ENOMEM, err);
			self->failures++;
		} else {
			/* What failed was something it can do without. */
			EXPECT_EQ(0, unload_module(variant->module));
		}
		EXPECT_EQ(0, read_number(LEFT));
		ASSERT_TRUE(left_nothing(variant));
	}
	EXPECT_EQ(self->injects, self->failures > 0);
	EXPECT_TRUE(write_number(NTH, 0));
	/* Once more, for what there would be too much of. */
	EXPECT_EQ(0, unload_module(variant->module));
	while (self->injects && pool_workqueues() > self->pools)
		sched_yield();
	EXPECT_TRUE(left_nothing(variant));
	EXPECT_EQ(0, load_module(variant->module, ""));
	EXPECT_TRUE(is_loaded(variant->module));
}

TEST_HARNESS_MAIN
