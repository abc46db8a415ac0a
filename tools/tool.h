/* SPDX-License-Identifier: GPL-2.0 */
/* What the files of the ctx command share. */
#ifndef TOOL_H
#define TOOL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include "libctx.h"

#define CTX_VERSION		"0.1"

/* Exit statuses, as those of timeout(1) */
#define EXIT_TIMED_OUT		124
#define EXIT_CTX_FAILED		125
#define EXIT_CANNOT_RUN		126
#define EXIT_NOT_FOUND		127
#define EXIT_SIGNAL		128	/* and the number of the signal */

#define __printf(format, args)	__attribute__((__format__(__printf__, format, args)))
#define __noreturn		__attribute__((__noreturn__))

/* ctx.c */
__printf(1, 2) void complain(const char *fmt, ...);
__noreturn __printf(1, 2) void die(const char *fmt, ...);
__noreturn void die_of_device(void);
__noreturn void die_of_usage(const char *verb);
int show_help(const char *text);

/* parse.c */
int parse_duration(const char *text, int64_t *ns);
int parse_signal(const char *text, int *number);
int parse_descriptor(const char *text, int *fd);
const char *signal_name(int number);

/* show.c */
extern const char info_help[], wait_help[];
int cmd_info(int argc, char **argv);
int cmd_wait(int argc, char **argv);
void print_end(FILE *out, const struct ctx_event *event);

/* run.c */
extern const char run_help[];
int cmd_run(int argc, char **argv);

/* exec.c */
extern const char exec_help[];
int cmd_exec(int argc, char **argv);

/* terminal.c */
int terminal_open(void);
bool terminal_is_ours(int tty);
bool terminal_is_ours_alone(int tty);
void terminal_give(int tty, pid_t group);
bool terminal_stop_self(void);

#endif /* TOOL_H */
