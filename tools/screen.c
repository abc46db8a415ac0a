// SPDX-License-Identifier: GPL-2.0
/*
 * The terminal of ctx tree --watch and ctx top: its other screen, without echo, and
 * back to what it was at the end and whenever the job is stopped. Signals are let in
 * only while a key is waited for, so none is missed and none comes amid a picture.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>
#include "screen.h"

static bool is_terminal, has_mode, has_keys;
static struct termios old_mode;
static sigset_t old_mask;
static volatile sig_atomic_t last_signal, stop_asked, continued;

static void note_signal(int number)
{
	if (number == SIGTSTP)
		stop_asked = 1;
	else if (number == SIGCONT)
		continued = 1;
	else if (number != SIGWINCH)
		last_signal = number;
}

static void catch_signals(void)
{
	static const int numbers[] = {
		SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGCONT, SIGWINCH,
	};
	struct sigaction old, action = { .sa_handler = note_signal };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		if (sigaction(numbers[i], NULL, &old) || old.sa_handler == SIG_IGN)
			continue;
		sigaddset(&set, numbers[i]);
		sigaction(numbers[i], &action, NULL);
	}
	sigprocmask(SIG_BLOCK, &set, &old_mask);
}

static void put(const char *text, size_t size)
{
	while (size) {
		ssize_t done = write(STDOUT_FILENO, text, size);

		if (done < 0 && errno != EINTR)
			die("cannot write: %s", strerror(errno));
		text += done > 0 ? done : 0;
		size -= done > 0 ? done : 0;
	}
}

static void put_text(const char *text)
{
	put(text, strlen(text));
}

static void enter(void)
{
	struct termios mode = old_mode;

	/* In the background there are none, until the shell changes that. */
	has_keys = has_mode && tcgetpgrp(STDIN_FILENO) == getpgrp();
	if (is_terminal)
		put_text("\033[?1049h\033[?25l\033[2J");
	if (!has_keys)
		return;
	mode.c_lflag &= ~(ICANON | ECHO);
	mode.c_cc[VMIN] = 1;
	mode.c_cc[VTIME] = 0;
	tcsetattr(STDIN_FILENO, TCSADRAIN, &mode);
}

static void leave(void)
{
	if (has_keys)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &old_mode);
	if (is_terminal)
		put_text("\033[?25h\033[?1049l");
}

static bool is_open;

/* Also where the program ends amid it. */
static void close_screen(void)
{
	if (is_open)
		leave();
	is_open = false;
}

void screen_open(void)
{
	is_terminal = isatty(STDOUT_FILENO);
	has_mode = is_terminal && !tcgetattr(STDIN_FILENO, &old_mode);
	catch_signals();
	atexit(close_screen);
	is_open = true;
	enter();
}

bool screen_is_terminal(void)
{
	return is_terminal;
}

static void get_size(struct winsize *size)
{
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, size) || !size->ws_col || !size->ws_row)
		*size = (struct winsize) { .ws_col = 80, .ws_row = 24 };
}

/* Without a terminal there is no need to cut anything: 0. */
size_t screen_width(void)
{
	struct winsize size;

	if (!isatty(STDOUT_FILENO))
		return 0;
	get_size(&size);
	return size.ws_col;
}

size_t screen_height(void)
{
	struct winsize size;

	get_size(&size);
	return size.ws_row;
}

/* Over the last one, line by line, so that nothing flickers. */
void screen_draw(const char *picture, size_t size)
{
	size_t rows = screen_height();

	if (!is_terminal) {
		put(picture, size);
		return;
	}
	put_text("\033[H");
	while (size && rows--) {
		const char *end = memchr(picture, '\n', size);
		size_t length = end ? (size_t)(end - picture) : size;

		put(picture, length);
		put_text(rows && length + 1 < size ? "\033[K\r\n" : "\033[K");
		length += length < size;
		picture += length;
		size -= length;
	}
	put_text("\033[J");
}

/* As ^Z would, with the terminal as it was before. */
static void stop(void)
{
	struct sigaction old, action = { .sa_handler = SIG_DFL };
	sigset_t set;

	stop_asked = 0;
	leave();
	sigemptyset(&set);
	sigaddset(&set, SIGTSTP);
	sigaction(SIGTSTP, &action, &old);
	raise(SIGTSTP);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigaction(SIGTSTP, &old, NULL);
	enter();
}

/* The key that was hit within @timeout. */
int screen_key(int64_t timeout)
{
	struct pollfd fd = { .fd = has_keys ? STDIN_FILENO : -1, .events = POLLIN };
	struct timespec time = { timeout / CTX_SEC, timeout % CTX_SEC };
	int ready = ppoll(&fd, 1, &time, &old_mask);
	char key;

	if (stop_asked)
		stop();
	if (continued && is_terminal)
		enter();
	continued = 0;
	if (last_signal)
		return KEY_END;
	if (ready <= 0)
		return KEY_NONE;
	return read(STDIN_FILENO, &key, 1) == 1 ? (unsigned char)key : KEY_END;
}

/* A signal that ended this ends the program, as whoever sent it expects. */
void screen_close(void)
{
	close_screen();
	if (last_signal && last_signal != SIGINT) {
		signal(last_signal, SIG_DFL);
		raise(last_signal);
	}
	sigprocmask(SIG_SETMASK, &old_mask, NULL);
}
