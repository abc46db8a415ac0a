// SPDX-License-Identifier: GPL-2.0
/*
 * Reads with io_uring that a context cancels:
 *
 *	reads MILLISECONDS FILE...
 *
 * Copies to standard output what comes from the files, which may be pipes, fifos or
 * terminals, until they end or until the context is done. No read is waited for by
 * itself: the context is one more operation in the ring, and once it completes, all
 * others are cancelled there.
 *
 * It ends with 0 if all files have, and 124 if the context was done.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <libctx.h>

#define MAX_FILES	32

/* What a completion is of: a file's number, or one of these. */
#define OF_CTX		1000
#define OF_CANCEL	1001

static struct file {
	int fd;
	char data[4096];
} files[MAX_FILES];

static struct io_uring ring;
static int nr_files, reading;
static bool is_done;

static struct io_uring_sqe *operation(void)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

	if (!sqe)
		errx(1, "the ring is full");
	return sqe;
}

static void read_on(int number)
{
	struct io_uring_sqe *sqe = operation();
	struct file *file = &files[number];

	io_uring_prep_read(sqe, file->fd, file->data, sizeof(file->data), -1);
	io_uring_sqe_set_data64(sqe, number);
	reading++;
}

static void wait_for(int ctx)
{
	struct io_uring_sqe *sqe = operation();

	io_uring_prep_poll_add(sqe, ctx, POLLIN);
	io_uring_sqe_set_data64(sqe, OF_CTX);
}

static void cancel_reads(void)
{
	for (int i = 0; i < nr_files; i++) {
		struct io_uring_sqe *sqe = operation();

		io_uring_prep_cancel64(sqe, i, 0);
		io_uring_sqe_set_data64(sqe, OF_CANCEL);
	}
}

static void on_completion(const struct io_uring_cqe *cqe)
{
	unsigned long long of = cqe->user_data;

	if (of == OF_CANCEL)
		return;
	if (of == OF_CTX) {
		is_done = true;
		cancel_reads();
		return;
	}
	reading--;
	if (cqe->res > 0 && write(STDOUT_FILENO, files[of].data, cqe->res) == cqe->res && !is_done)
		read_on(of);
}

static void handle_next(void)
{
	struct io_uring_cqe *cqe;
	int error = io_uring_submit_and_wait(&ring, 1);

	if (error < 0 && error != -EINTR)
		errx(1, "io_uring: %s", strerror(-error));
	if (io_uring_peek_cqe(&ring, &cqe))
		return;
	on_completion(cqe);
	io_uring_cqe_seen(&ring, cqe);
}

int main(int argc, char **argv)
{
	int ctx;

	if (argc < 3 || argc - 2 > MAX_FILES)
		errx(2, "usage: reads MILLISECONDS FILE...");
	ctx = ctx_with_timeout(ctx_from_env(), atoll(argv[1]) * CTX_MSEC);
	if (ctx < 0)
		err(1, "/dev/ctx");
	if (io_uring_queue_init(4 * MAX_FILES, &ring, 0))
		errx(1, "there is no io_uring");
	wait_for(ctx);
	for (nr_files = 0; nr_files < argc - 2; nr_files++) {
		files[nr_files].fd = open(argv[nr_files + 2], O_RDONLY | O_CLOEXEC);
		if (files[nr_files].fd < 0)
			err(1, "%s", argv[nr_files + 2]);
		read_on(nr_files);
	}
	while (reading)
		handle_next();
	if (!is_done)
		return 0;
	fprintf(stderr, "reads: %s\n", strerror(ctx_err(ctx)));
	return 124;
}
