/* SPDX-License-Identifier: GPL-2.0 */
/* Modules that come and go: of our guests, where they are in /modules. */
#ifndef CTX_MODULE_H
#define CTX_MODULE_H

#include "ctx_test.h"

#include <sys/syscall.h>

static inline int load_module(const char *name, const char *parameters)
{
	char path[64];
	int fd, ret;

	snprintf(path, sizeof(path), "/modules/%s.ko", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = syscall(SYS_finit_module, fd, parameters, 0) ? -errno : 0;
	close(fd);
	return ret;
}

static inline int unload_module(const char *name)
{
	return syscall(SYS_delete_module, name, O_NONBLOCK) ? -errno : 0;
}

#endif /* CTX_MODULE_H */
