// SPDX-License-Identifier: GPL-2.0
/*
 * The cgroups of a fuzzer: that of its executor, which nobody kills, and three that
 * helpers may join, one of them below another.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/ctx.h>

#include "fuzz.h"
#include "ops.h"

static const char * const names[FUZZ_CGROUPS] = { "run", "a", "a/b", "c" };

const char *fuzz_cgroup(unsigned int which)
{
	static char path[64];

	snprintf(path, sizeof(path), "/sys/fs/cgroup/fuzz.%u/%s", fuzz_number,
		 names[which % FUZZ_CGROUPS]);
	return path;
}

static int open_procs(unsigned int which)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/cgroup.procs", fuzz_cgroup(which));
	return open(path, O_WRONLY | O_CLOEXEC);
}

/* Any user may bind it, join it, and have it killed. */
static bool make(unsigned int which)
{
	char path[96];

	if (mkdir(fuzz_cgroup(which), 0755) && errno != EEXIST)
		return false;
	snprintf(path, sizeof(path), "%s/cgroup.kill", fuzz_cgroup(which));
	chmod(path, 0666);
	snprintf(path, sizeof(path), "%s/cgroup.procs", fuzz_cgroup(which));
	return chmod(path, 0666) == 0;
}

static bool make_all(void)
{
	unsigned int i;

	for (i = 0; i < FUZZ_CGROUPS; i++)
		if (!make(i))
			return false;
	return true;
}

/* Whether there are any; the caller moves to his own. */
bool fuzz_cgroups_init(void)
{
	char path[64];
	bool moved;
	int fd;

	snprintf(path, sizeof(path), "/sys/fs/cgroup/fuzz.%u", fuzz_number);
	if ((mkdir(path, 0755) && errno != EEXIST) || !make_all())
		return false;
	fd = open_procs(0);
	moved = write(fd, "0", 1) == 1;
	close(fd);
	return moved;
}

/* All are there, and none is bound. Binding Background takes a binding away. */
void fuzz_cgroups_reset(int background)
{
	struct ctx_ioc_bind bind = { .size = sizeof(bind) };
	unsigned int i;

	if (fuzz_now->removed)
		make_all();
	for (i = 0; fuzz_now->bound && i < FUZZ_CGROUPS; i++) {
		bind.fd = open_procs(i);
		if (bind.fd < 0)
			continue;
		if (ioctl(background, CTX_IOC_BIND, &bind) && errno != EOPNOTSUPP)
			fuzz_violation("BIND of Background: %m");
		close(bind.fd);
	}
	fuzz_now->bound = false;
	fuzz_now->removed = false;
}

/* The executor stays where it is. */
void op_join(const uint8_t *arg)
{
	if (fuzz_is_helper() && write(fuzz_fd(FUZZ_PROCS, arg[0]), "0", 1) < 0)
		return;
}

/* From 0x80 on another is made in its place. */
void op_remove(const uint8_t *arg)
{
	const uid_t uid = geteuid();

	if (arg[0] % FUZZ_CGROUPS == 0 || seteuid(0))
		return;
	fuzz_now->removed = true;
	rmdir(fuzz_cgroup(arg[0]));
	if (arg[0] & 0x80)
		make(arg[0]);
	if (seteuid(uid))
		fuzz_violation("seteuid: %m");
}
