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

#define PARAMETERS		"/sys/module/ctx/parameters/"

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
int flush_output(void);

/* parse.c */
int parse_duration(const char *text, int64_t *ns);
int parse_signal(const char *text, int *number);
int parse_descriptor(const char *text, int *fd);
int parse_count(const char *text, int *count);
int parse_cause(const char *text, int *cause);
int parse_id(const char *text, uint64_t *id);
uint64_t *parse_ids(char **texts, size_t *nr);
const char *signal_name(int number);

/* text.c */
const char *errno_name(unsigned int number);
const char *errno_text(unsigned int number);
const char *state_text(unsigned int err);
const char *span_text(int64_t ns);
const char *short_span(int64_t ns);
const char *when_text(int64_t time);
const char *who_text(const char *comm, unsigned int pid);
const char *user_name(unsigned int uid);
int64_t clock_ns(clockid_t clock);
int64_t time_left(const struct ctx_ioc_info *info, int64_t now);
size_t char_length(const char *text, size_t size);
void make_harmless(char *text);
bool use_utf8(void);
bool use_colour(void);

/* show.c */
extern const char info_help[];
int cmd_info(int argc, char **argv);
int bound_context(void);
int env_or_die(void);
__noreturn void die_of_descriptor(int fd);
void print_end(FILE *out, const struct ctx_event *event);

/* the other verbs, each in the file of its name */
int cmd_cancel(int argc, char **argv);
int cmd_get(int argc, char **argv);
int cmd_top(int argc, char **argv);
int cmd_trace(int argc, char **argv);
int cmd_tree(int argc, char **argv);
int cmd_wait(int argc, char **argv);

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
