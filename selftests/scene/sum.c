// SPDX-License-Identifier: GPL-2.0
/* sum ROUNDS THREADS: has /dev/ctx_sum sum a megabyte, under the context of CTX_FD. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include "../../kmod/samples/sum.h"

static char data[1 << 20];

int main(int argc, char **argv)
{
	const char *fd = getenv("CTX_FD");
	struct ctx_sum arg = {
		.data = (unsigned long)data,
		.len = sizeof(data),
		.rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 1,
		.threads = argc > 2 ? strtoul(argv[2], NULL, 10) : 1,
		.ctx = fd ? atoi(fd) : -1,
	};
	int dev = open("/dev/ctx_sum", O_RDWR | O_CLOEXEC);

	if (dev < 0 || ioctl(dev, CTX_SUM, &arg)) {
		perror("ctx_sum");
		return 1;
	}
	printf("ctx_sum: %u\n", arg.sum);
	return 0;
}
