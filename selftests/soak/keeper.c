// SPDX-License-Identifier: GPL-2.0
/*
 * Keeps many deadlines, and is told by epoll when each has come, never by asking: to ask
 * a context whose time is over would make it done, whatever became of its timer.
 */
#include <errno.h>
#include <inttypes.h>
#include <libctx.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "soak.h"

#define KEPT		2000
#define LONGEST_MS	8000
#define LOST_MS		60000	/* what has not come by then has been lost */
#define EVENTS		128

static struct kept {
	int fd;			/* -1: none */
	int64_t since;		/* when it had been asked for, and for how long */
	int64_t timeout;
} kept[KEPT];

static int epoll, background, nr;

/* Memory may be short; then there is one less, for as long as it is. */
static void keep(struct dice *dice, unsigned int i)
{
	static const int clocks[] = { CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_REALTIME };
	struct epoll_event event = { .events = EPOLLIN, .data.u32 = i };

	kept[i].timeout = dice_below(dice, LONGEST_MS) * CTX_MSEC + dice_below(dice, CTX_MSEC);
	kept[i].since = now();
	kept[i].fd = ctx_derive(background, CTX_DERIVE_TIMEOUT, clocks[dice_below(dice, 3)],
				kept[i].timeout, EIO);
	if (kept[i].fd >= 0 && !epoll_ctl(epoll, EPOLL_CTL_ADD, kept[i].fd, &event)) {
		nr++;
		return;
	}
	if (errno != ENOMEM)
		wrong("a deadline cannot be kept: errno %d", errno);
	add(&soak->refused, 1);
	if (kept[i].fd >= 0)
		close(kept[i].fd);
	kept[i].fd = -1;
}

static void note_late(int64_t late)
{
	if (late > soak->latest)
		soak->latest = late;
}

static void look(unsigned int i)
{
	const int64_t due = kept[i].since + kept[i].timeout;
	struct ctx_ioc_info info = {};

	if (ctx_info(kept[i].fd, &info) || info.err != ETIMEDOUT || info.cause != EIO)
		wrong("a deadline came with error %u and cause %u", info.err, info.cause);
	else if ((int64_t)info.done_time < due)
		wrong("a deadline came %" PRId64 " ns early", due - (int64_t)info.done_time);
	else
		note_late(info.done_time - due);
	add(&soak->kept, 1);
	close(kept[i].fd);
	kept[i].fd = -1;
	nr--;
}

static void tell_lost(void)
{
	unsigned int i;

	for (i = 0; i < KEPT; i++)
		if (kept[i].fd >= 0)
			wrong("a deadline was lost that was due %" PRId64 " ms ago",
			      (now() - kept[i].since - kept[i].timeout) / CTX_MSEC);
}

static void keep_all(struct dice *dice)
{
	unsigned int i;

	for (i = 0; i < KEPT; i++)
		if (kept[i].fd < 0)
			keep(dice, i);
}

void keeper(struct dice *dice)
{
	struct epoll_event events[EVENTS];
	int i, n;

	epoll = epoll_create1(EPOLL_CLOEXEC);
	background = ctx_background();
	if (epoll < 0 || background < 0)
		die("keeper");
	for (i = 0; i < KEPT; i++)
		kept[i].fd = -1;
	for (;;) {
		if (!see(&soak->stop))
			keep_all(dice);
		if (!nr && see(&soak->stop))
			return;
		n = epoll_wait(epoll, events, EVENTS, LONGEST_MS + LOST_MS);
		if (n <= 0)
			break;
		for (i = 0; i < n; i++)
			look(events[i].data.u32);
	}
	tell_lost();
}
