// SPDX-License-Identifier: GPL-2.0
/*
 * The module comes, or does not: whichever step of its beginning runs out of memory,
 * it does not, and leaves nothing behind.
 */
#include "fault.h"

#include <dirent.h>
#include <sys/mount.h>
#include <sys/syscall.h>

#define MODULE	"/modules/ctx.ko"
#define CGROUP	"/sys/fs/cgroup/ctx_load_test"
#define TRACING	"/sys/kernel/tracing/"
#define EVENTS	TRACING "events/module/module_load/enable"

/* What the kernel allocates itself before the module begins is not ours to fail. */
#define MANY	1000000

/* Each thing that the module makes at its beginning takes more allocations than that. */
#define STRIDE	7

FIXTURE(load) {
	int nth_fd;
	int module;
};

static int load(fixture_self(load))
{
	return syscall(SYS_finit_module, self->module, "", 0) ? -errno : 0;
}

static int unload(void)
{
	return syscall(SYS_delete_module, "ctx", O_NONBLOCK) ? -errno : 0;
}

FIXTURE_SETUP(load)
{
	self->nth_fd = fault_open();
	if (self->nth_fd < 0)
		return;
	fault_begin();
	mount("tracefs", TRACING, "tracefs", 0, NULL);
	ASSERT_TRUE(write_file(EVENTS, "1"));
	self->module = open(MODULE, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, self->module);
	rmdir(CGROUP);
	ASSERT_EQ(0, unload());
}

FIXTURE_TEARDOWN(load)
{
	int err;

	if (self->nth_fd < 0)
		return;
	/* For those who come later. */
	err = load(self);
	EXPECT_TRUE(!err || err == -EEXIST);
	write_file(EVENTS, "0");
	close(self->module);
	close(self->nth_fd);
	fault_over();
}

/* Whether @name is the beginning of a name in @dir. */
static bool has_name(const char *dir, const char *name)
{
	const struct dirent *entry;
	bool found = false;
	DIR *d = opendir(dir);

	while (d && (entry = readdir(d)))
		found |= !strncmp(entry->d_name, name, strlen(name));
	if (d)
		closedir(d);
	return found;
}

/* Whether @name stands at the beginning of a line of @path, or anywhere in it. */
static bool has_line(const char *path, const char *name, bool anywhere)
{
	FILE *file = fopen(path, "re");
	char *line = NULL, *at;
	bool found = false;
	size_t size = 0;

	while (file && getline(&line, &size, file) > 0) {
		at = strstr(line, name);
		found |= at && (anywhere || at == line);
	}
	free(line);
	if (file)
		fclose(file);
	return found;
}

/* Threads that workqueues keep for when there is no memory have their names. */
static bool has_thread(const char *name)
{
	const struct dirent *entry;
	bool found = false;
	DIR *d = opendir("/proc");
	char path[300];

	while (d && (entry = readdir(d))) {
		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		found |= has_line(path, name, true);
	}
	if (d)
		closedir(d);
	return found;
}

static bool is_there(const char *path)
{
	return access(path, F_OK) == 0;
}

static bool nothing_is_left(void)
{
	return must(!has_line("/proc/modules", "ctx ", false)) &&
	       must(!is_there("/sys/module/ctx")) &&
	       must(!is_there(CTX_DEV)) &&
	       must(!is_there("/sys/class/misc/ctx")) &&
	       must(!is_there("/sys/kernel/debug/ctx")) &&
	       must(!has_name("/sys/kernel/slab", "ctx_")) &&
	       must(!has_line("/proc/slabinfo", "ctx_", false)) &&
	       must(!has_thread("ctx_")) &&
	       /* Whom the kernel tells of these would be called now. */
	       must(mkdir(CGROUP, 0755) == 0) && must(rmdir(CGROUP) == 0);
}

/* It is there, and as good as ever. */
static bool works(void)
{
	int bg = ctx_open(), ctx = ctx_derive(bg, 0);
	bool fine = must(bg >= 0) && must(ctx >= 0) && must(ctx_id(ctx) == 1) &&
		    must(ctx_cancel(ctx, EIO) == 0) && must(is_done(ctx, ECANCELED, EIO));

	close(ctx);
	close(bg);
	return fine;
}

/* Whether the kernel had done its part of loading, and had begun with the module's. */
static bool had_begun(void)
{
	return has_line(TRACING "trace", "module_load: ctx", true);
}

static int load_failing(fixture_self(load), int nth, int *left)
{
	int err;

	close(open(TRACING "trace", O_WRONLY | O_TRUNC | O_CLOEXEC));
	fault_from(self->nth_fd, nth);
	err = load(self);
	*left = fault_end(self->nth_fd);
	return err;
}

/* From the last step backwards, to where the module has not begun. */
TEST_F(load, fails_at_each_step)
{
	int nth, left, err, failures = 0;

	if (self->nth_fd < 0)
		SKIP(return, "no fault injection");
	EXPECT_TRUE(nothing_is_left());
	ASSERT_EQ(0, load_failing(self, MANY, &left));
	EXPECT_TRUE(had_begun());
	EXPECT_TRUE(works());
	EXPECT_TRUE(is_there("/sys/kernel/debug/ctx"));
	ASSERT_EQ(0, unload());
	EXPECT_TRUE(nothing_is_left());

	for (nth = MANY - left; nth > 0; nth -= STRIDE) {
		err = load_failing(self, nth, &left);
		if (!had_begun())
			break;
		if (err) {
			EXPECT_EQ(-ENOMEM, err);
			failures++;
		} else {
			/* Done without, as what debugfs would show; or there was less to do. */
			EXPECT_TRUE(works());
			ASSERT_EQ(0, unload());
		}
		ASSERT_TRUE(nothing_is_left());
	}
	EXPECT_NE(0, err);
	ASSERT_TRUE(nothing_is_left());
	/* Caches, workqueues, the roots' lists, a notifier, the device. */
	EXPECT_LE(12, failures);
	EXPECT_EQ(0, load(self));
	EXPECT_TRUE(works());
	EXPECT_TRUE(is_there("/sys/kernel/debug/ctx"));
}

TEST_HARNESS_MAIN
