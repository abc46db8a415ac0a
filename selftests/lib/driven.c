// SPDX-License-Identifier: GPL-2.0
/*
 * usage: driven CGROUP COMMAND...
 *
 * Makes a cgroup whose tasks run under a context that ctx_driver.ko has made itself, as
 * no process could, and becomes COMMAND there. Who removes the cgroup may unload that.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "libctx.h"
#include "../../kmod/tests/driver/driver.h"

static int open_or_die(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	if (fd < 0)
		err(125, "%s", path);
	return fd;
}

int main(int argc, char **argv)
{
	struct ctx_driver_arg give = {
		.fd = -1,
		.rights = CTX_RIGHT_OBSERVE | CTX_RIGHT_DERIVE,
		.what = CTX_DRIVER_CANCEL,
	};
	int procs;

	if (argc < 3)
		errx(125, "usage: driven CGROUP COMMAND...");
	if (mkdir(argv[1], 0755) && errno != EEXIST)
		err(125, "%s", argv[1]);
	if (chdir(argv[1]))
		err(125, "%s", argv[1]);
	procs = open_or_die("cgroup.procs", O_WRONLY);
	if (ctx_bind(ioctl(open_or_die("/dev/ctx_driver", O_RDWR), CTX_DRIVER_GIVE, &give), procs))
		err(125, "cannot bind the cgroup");
	if (write(procs, "0", 1) != 1)
		err(125, "cannot join the cgroup");
	execvp(argv[2], argv + 2);
	err(125, "%s", argv[2]);
}
