/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The operations but requests; what their numbers mean stands where they are.
 */
#ifndef FUZZ_OPS_H
#define FUZZ_OPS_H

#include <stdint.h>

/* make.c: files */
void op_open(const uint8_t *arg);
void op_eventfd(const uint8_t *arg);
void op_pipe(const uint8_t *arg);
void op_fifo(const uint8_t *arg);
void op_socket(const uint8_t *arg);
void op_unix(const uint8_t *arg);
void op_timerfd(const uint8_t *arg);
void op_pidfd(const uint8_t *arg);
void op_epoll(const uint8_t *arg);
void op_uring(const uint8_t *arg);
void op_cgroup(const uint8_t *arg);
void op_other(const uint8_t *arg);

/* call.c: what is done with files */
void op_close(const uint8_t *arg);
void op_dup(const uint8_t *arg);
void op_read(const uint8_t *arg);
void op_write(const uint8_t *arg);
void op_poll(const uint8_t *arg);
void op_watch_epoll(const uint8_t *arg);
void op_wait_epoll(const uint8_t *arg);
void op_flags(const uint8_t *arg);
void op_async(const uint8_t *arg);
void op_send_fd(const uint8_t *arg);
void op_recv_fd(const uint8_t *arg);
void op_fdinfo(const uint8_t *arg);
void op_debugfs(const uint8_t *arg);
void op_nap(const uint8_t *arg);

/* uring.c */
void op_submit(const uint8_t *arg);
void op_reap(const uint8_t *arg);

/* process.c */
void op_fork(const uint8_t *arg);
void op_kill(const uint8_t *arg);
void op_become(const uint8_t *arg);
void op_name(const uint8_t *arg);
void op_limit(const uint8_t *arg);
void op_fail(const uint8_t *arg);
void op_scribble(const uint8_t *arg);

/* cgroup.c */
void op_join(const uint8_t *arg);
void op_remove(const uint8_t *arg);

#endif
