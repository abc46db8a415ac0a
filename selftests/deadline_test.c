// SPDX-License-Identifier: GPL-2.0
/*
 * Deadlines: when they fire, which of several holds, and on which clock.
 */
#include "ctx_test.h"

#define MSEC	1000000ULL

FIXTURE(deadline) {
	int bg;
};

FIXTURE_SETUP(deadline)
{
	self->bg = ctx_open();
	ASSERT_LE(0, self->bg);
}

FIXTURE_TEARDOWN(deadline)
{
	close(self->bg);
}

static __u64 deadline_of(int fd)
{
	struct ctx_ioc_info info;

	if (ctx_info(fd, &info))
		return 0;
	return info.info_flags & CTX_INFO_DEADLINE ? info.deadline : NEVER;
}

static __u64 done_time(int fd)
{
	struct ctx_ioc_info info;

	return ctx_info(fd, &info) ? 0 : info.done_time;
}

TEST_F(deadline, s8_a_timeout_fires_and_never_early)
{
	__u64 before = now(), after;
	int fd = ctx_timeout(self->bg, 20 * MSEC, 0);
	__u64 made = now();

	ASSERT_LE(0, fd);
	EXPECT_LE(before + 20 * MSEC, deadline_of(fd));
	EXPECT_GE(made + 20 * MSEC, deadline_of(fd));
	ASSERT_TRUE(wait_ready(fd));
	after = now();
	EXPECT_LE(deadline_of(fd), after);
	EXPECT_LE(deadline_of(fd), done_time(fd));
	EXPECT_GE(after, done_time(fd));
	EXPECT_TRUE(is_done_by(fd, ETIMEDOUT, ETIMEDOUT, ctx_id(fd), 0, "timer"));
	close(fd);
}

TEST_F(deadline, s8_a_deadline_is_absolute)
{
	__u64 deadline = now() + 20 * MSEC;
	int fd = ctx_deadline(self->bg, deadline, EPIPE);

	ASSERT_LE(0, fd);
	EXPECT_EQ(deadline, deadline_of(fd));
	ASSERT_TRUE(wait_ready(fd));
	EXPECT_LE(deadline, now());
	EXPECT_LE(deadline, done_time(fd));
	EXPECT_TRUE(is_done_by(fd, ETIMEDOUT, EPIPE, ctx_id(fd), 0, "timer"));
	close(fd);
}

TEST_F(deadline, s10_the_cause_of_an_expiry)
{
	static const __u32 causes[] = { 1, EIO, ECANCELED, CTX_CAUSE_MAX };
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(causes); i++) {
		fd = ctx_timeout(self->bg, MSEC, causes[i]);
		ASSERT_LE(0, fd);
		ASSERT_TRUE(wait_ready(fd));
		EXPECT_TRUE(is_done(fd, ETIMEDOUT, causes[i]));
		close(fd);

		fd = ctx_deadline(self->bg, 0, causes[i]);
		ASSERT_LE(0, fd);
		EXPECT_TRUE(is_done(fd, ETIMEDOUT, causes[i]));
		close(fd);
	}
}

TEST_F(deadline, s8_a_passed_one_is_born_done)
{
	int passed[] = {
		ctx_deadline(self->bg, 0, 0),
		ctx_deadline(self->bg, 1, 0),
		ctx_deadline(self->bg, now(), 0),
		ctx_timeout(self->bg, 0, 0),
		ctx_derive_time(self->bg, CTX_DERIVE_DEADLINE, 0, CLOCK_REALTIME, 0),
		ctx_derive_time(self->bg, CTX_DERIVE_DEADLINE, NSEC_PER_SEC, CLOCK_REALTIME, 0),
		ctx_derive_time(self->bg, CTX_DERIVE_TIMEOUT, 0, CLOCK_REALTIME, 0),
		ctx_derive_time(self->bg, CTX_DERIVE_DEADLINE, 1, CLOCK_BOOTTIME, 0),
		ctx_derive_time(self->bg, CTX_DERIVE_TIMEOUT, 0, CLOCK_BOOTTIME, 0),
		ctx_derive_time(self->bg, CTX_DERIVE_DEADLINE | CTX_DERIVE_KEEP, 1,
				CLOCK_MONOTONIC, 0),
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(passed); i++) {
		ASSERT_LE(0, passed[i]);
		EXPECT_TRUE(is_done_by(passed[i], ETIMEDOUT, ETIMEDOUT, ctx_id(passed[i]),
				       0, "timer"));
		close(passed[i]);
	}
}

/* In 1970 no machine had booted: its own clock's first moment is what is told. */
TEST_F(deadline, one_before_all_clocks_began)
{
	struct ctx_ioc_info info;
	__u64 when;
	int fd;

	for (when = 0; when <= NSEC_PER_SEC; when += NSEC_PER_SEC) {
		fd = ctx_derive_time(self->bg, CTX_DERIVE_DEADLINE, when, CLOCK_REALTIME, 0);
		ASSERT_EQ(0, ctx_info(fd, &info));
		EXPECT_EQ(CTX_INFO_DEADLINE | CTX_INFO_DONE, info.info_flags);
		EXPECT_EQ(0, info.deadline);
		close(fd);
	}
}

TEST_F(deadline, the_largest_time_is_never)
{
	static const __u32 clocks[] = { CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_REALTIME };
	struct ctx_ioc_info info;
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(clocks); i++) {
		fd = ctx_derive_time(self->bg, CTX_DERIVE_DEADLINE, NEVER, clocks[i], EIO);
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, ctx_info(fd, &info));
		EXPECT_EQ(0, info.info_flags);
		EXPECT_EQ(0, info.deadline);
		EXPECT_TRUE(is_live(fd));
		ASSERT_EQ(0, ctx_cancel(fd, 0));
		EXPECT_TRUE(is_done(fd, ECANCELED, ECANCELED));
		close(fd);

		fd = ctx_derive_time(self->bg, CTX_DERIVE_TIMEOUT, NEVER, clocks[i], EIO);
		ASSERT_LE(0, fd);
		EXPECT_EQ(NEVER, deadline_of(fd));
		EXPECT_TRUE(is_live(fd));
		close(fd);

		/* The sum does not fit: that is not the past. */
		fd = ctx_derive_time(self->bg, CTX_DERIVE_TIMEOUT, NEVER - 1, clocks[i], EIO);
		ASSERT_LE(0, fd);
		EXPECT_TRUE(is_live(fd));
		EXPECT_LT(now() + AN_HOUR, deadline_of(fd));
		close(fd);
	}

	fd = ctx_deadline(self->bg, NEVER - 1, EIO);
	ASSERT_LE(0, fd);
	EXPECT_EQ(NEVER - 1, deadline_of(fd));
	EXPECT_TRUE(is_live(fd));
	close(fd);
}

TEST_F(deadline, never_inherits_the_parents)
{
	int parent = ctx_timeout(self->bg, AN_HOUR, 0);
	int child = ctx_deadline(parent, NEVER, 0);

	ASSERT_LE(0, child);
	EXPECT_EQ(deadline_of(parent), deadline_of(child));
	EXPECT_NE(NEVER, deadline_of(child));
	close(child);
	close(parent);
}

TEST_F(deadline, s8_the_earlier_holds)
{
	__u64 early = now() + AN_HOUR, late = early + AN_HOUR;
	int parent = ctx_deadline(self->bg, early, 0);
	int shorter, longer, plain, value, without;

	shorter = ctx_deadline(parent, early - 1, 0);
	longer = ctx_deadline(parent, late, 0);
	plain = ctx_derive(longer, 0);
	value = ctx_set(plain, "k", "v");
	without = ctx_derive(value, CTX_DERIVE_WITHOUT_CANCEL);
	ASSERT_LE(0, without);
	EXPECT_EQ(early, deadline_of(parent));
	EXPECT_EQ(early - 1, deadline_of(shorter));
	EXPECT_EQ(early, deadline_of(longer));
	EXPECT_EQ(early, deadline_of(plain));
	EXPECT_EQ(early, deadline_of(value));
	EXPECT_EQ(NEVER, deadline_of(without));
	close(without);
	close(value);
	close(plain);
	close(longer);
	close(shorter);
	close(parent);
}

TEST_F(deadline, s8_the_parents_expiry_reaches_its_children)
{
	int parent = ctx_timeout(self->bg, 30 * MSEC, EIO);
	int later = ctx_timeout(parent, AN_HOUR, EPIPE);
	int plain = ctx_derive(parent, 0);
	int value = ctx_set(later, "k", "v");
	int without = ctx_derive(value, CTX_DERIVE_WITHOUT_CANCEL);
	__u64 id = ctx_id(parent);

	ASSERT_LE(0, without);
	ASSERT_TRUE(wait_ready(value));
	ASSERT_TRUE(wait_ready(later));
	ASSERT_TRUE(wait_ready(plain));
	EXPECT_TRUE(is_done_by(parent, ETIMEDOUT, EIO, id, 0, "timer"));
	EXPECT_TRUE(is_done_by(later, ETIMEDOUT, EIO, id, 0, "timer"));
	EXPECT_TRUE(is_done_by(value, ETIMEDOUT, EIO, id, 0, "timer"));
	EXPECT_TRUE(same_end(parent, plain));
	EXPECT_TRUE(is_live(without));
	close(without);
	close(value);
	close(plain);
	close(later);
	close(parent);
}

TEST_F(deadline, s4_a_childs_expiry_leaves_its_parent)
{
	int parent = ctx_timeout(self->bg, AN_HOUR, EIO);
	int sibling = ctx_derive(parent, 0);
	int child = ctx_timeout(parent, MSEC, EPIPE);

	ASSERT_LE(0, child);
	ASSERT_TRUE(wait_ready(child));
	EXPECT_TRUE(is_done_by(child, ETIMEDOUT, EPIPE, ctx_id(child), 0, "timer"));
	EXPECT_TRUE(is_live(parent));
	EXPECT_TRUE(is_live(sibling));
	close(child);
	close(sibling);
	close(parent);
}

TEST_F(deadline, s8_equal_deadlines_take_the_parents_cause)
{
	__u64 deadline = now() + 30 * MSEC;
	int parent = ctx_deadline(self->bg, deadline, EIO);
	int child = ctx_deadline(parent, deadline, EPIPE);
	__u64 id = ctx_id(parent);

	ASSERT_LE(0, child);
	ASSERT_TRUE(wait_ready(child));
	EXPECT_TRUE(is_done_by(child, ETIMEDOUT, EIO, id, 0, "timer"));
	EXPECT_TRUE(is_done_by(parent, ETIMEDOUT, EIO, id, 0, "timer"));
	close(child);
	close(parent);
}

TEST_F(deadline, s8_cancelled_before_it)
{
	int fd = ctx_timeout(self->bg, AN_HOUR, EIO);
	int child = ctx_timeout(fd, 10 * MSEC, EPIPE);
	int plain = ctx_timeout(fd, AN_HOUR, EPIPE);

	ASSERT_LE(0, plain);
	ASSERT_EQ(0, ctx_cancel(fd, 0));
	EXPECT_TRUE(is_done(fd, ECANCELED, ECANCELED));
	EXPECT_TRUE(is_done_by(plain, ECANCELED, ECANCELED, ctx_id(fd), getpid(), my_comm()));
	/* Whichever came first, it was one of the two. */
	EXPECT_TRUE(ctx_err(child) == ECANCELED ? same_end(fd, child) :
		    is_done(child, ETIMEDOUT, EPIPE));
	close(plain);
	close(child);
	close(fd);
}

/* The timer of a cancelled context says nothing more when its time comes. */
TEST_F(deadline, s10_an_expiry_after_the_cancel_changes_nothing)
{
	__u64 deadline = now() + 200 * MSEC;
	int fd = ctx_deadline(self->bg, deadline, EIO);
	int later = ctx_deadline(self->bg, deadline + MSEC, 0);
	struct ctx_ioc_info first, last;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ctx_cancel(fd, EPIPE));
	ASSERT_EQ(0, ctx_info(fd, &first));
	ASSERT_TRUE(wait_ready(later));
	ASSERT_EQ(0, ctx_info(fd, &last));
	EXPECT_EQ(0, memcmp(&first, &last, sizeof(first)));
	close(later);
	close(fd);
}

TEST_F(deadline, s8_several_expire_in_their_order)
{
	__u64 start = now() + 20 * MSEC;
	int fds[8];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = ctx_deadline(self->bg, start + (ARRAY_SIZE(fds) - i) * MSEC, 100 + i);
		ASSERT_LE(0, fds[i]);
	}
	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		ASSERT_TRUE(wait_ready(fds[i]));
		EXPECT_TRUE(is_done(fds[i], ETIMEDOUT, 100 + i));
		EXPECT_LE(deadline_of(fds[i]), done_time(fds[i]));
	}
	for (i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
}

TEST_F(deadline, s7_closed_before_its_time)
{
	int fd, i;

	for (i = 0; i < 500; i++) {
		fd = ctx_timeout(self->bg, i % 2 ? AN_HOUR : i * 1000, 0);
		ASSERT_LE(0, fd);
		close(fd);
	}
}

/* What a clock shows, in terms of CLOCK_MONOTONIC. */
static void expect_on_clock(struct __test_metadata *_metadata, int bg, clockid_t clock)
{
	__u64 before = now(), other = now_on(clock), after = now();
	__u64 slack = 1000, there;
	int fd;

	fd = ctx_derive_time(bg, CTX_DERIVE_DEADLINE, other + AN_HOUR, clock, 0);
	ASSERT_LE(0, fd);
	there = deadline_of(fd);
	EXPECT_LE(before + AN_HOUR - slack, there);
	EXPECT_GE(after + AN_HOUR + slack, there);
	close(fd);

	before = now();
	fd = ctx_derive_time(bg, CTX_DERIVE_TIMEOUT, AN_HOUR, clock, 0);
	after = now();
	ASSERT_LE(0, fd);
	there = deadline_of(fd);
	EXPECT_LE(before + AN_HOUR - slack, there);
	EXPECT_GE(after + AN_HOUR + slack, there);
	close(fd);

	other = now_on(clock) + 20 * MSEC;
	fd = ctx_derive_time(bg, CTX_DERIVE_DEADLINE, other, clock, EPIPE);
	ASSERT_LE(0, fd);
	ASSERT_TRUE(wait_ready(fd));
	EXPECT_LE(other, now_on(clock));
	EXPECT_TRUE(is_done_by(fd, ETIMEDOUT, EPIPE, ctx_id(fd), 0, "timer"));
	close(fd);

	other = now_on(clock) + 20 * MSEC;
	fd = ctx_derive_time(bg, CTX_DERIVE_TIMEOUT, 20 * MSEC, clock, EPIPE);
	ASSERT_LE(0, fd);
	ASSERT_TRUE(wait_ready(fd));
	EXPECT_LE(other, now_on(clock));
	EXPECT_TRUE(is_done(fd, ETIMEDOUT, EPIPE));
	close(fd);
}

TEST_F(deadline, clock_monotonic)
{
	expect_on_clock(_metadata, self->bg, CLOCK_MONOTONIC);
}

TEST_F(deadline, clock_boottime)
{
	expect_on_clock(_metadata, self->bg, CLOCK_BOOTTIME);
}

TEST_F(deadline, clock_realtime)
{
	expect_on_clock(_metadata, self->bg, CLOCK_REALTIME);
}

#define NS_MONOTONIC	100000	/* seconds that a time namespace is ahead */
#define NS_BOOTTIME	200000

/* In a time namespace. Times are those of its clocks, and the other way round. */
static void use_clocks(struct __test_metadata *_metadata, int bg, int told, int go)
{
	const __u64 asked = now() + AN_HOUR;
	const int mono = ctx_deadline(bg, asked, 0);
	const int boot = ctx_derive_time(bg, CTX_DERIVE_DEADLINE,
					 now_on(CLOCK_BOOTTIME) + AN_HOUR, CLOCK_BOOTTIME, 0);
	const int passed = ctx_deadline(bg, (__u64)NS_MONOTONIC * NSEC_PER_SEC, 0);
	struct ctx_event event;
	__u64 ids[2], before;

	EXPECT_EQ(asked, deadline_of(mono));
	EXPECT_GE(now() + AN_HOUR, deadline_of(boot));
	EXPECT_LT(now() + AN_HOUR / 2, deadline_of(boot));
	/* The machine had not begun. */
	EXPECT_TRUE(is_done(passed, ETIMEDOUT, ETIMEDOUT));
	before = now();
	EXPECT_EQ(0, ctx_cancel(boot, 0));
	EXPECT_EQ(sizeof(event), read(boot, &event, sizeof(event)));
	EXPECT_LE(before, event.time);
	EXPECT_GE(now(), event.time);
	EXPECT_EQ(event.time, done_time(boot));
	ids[0] = ctx_id(mono);
	ids[1] = asked;
	EXPECT_EQ(sizeof(ids), write(told, ids, sizeof(ids)));
	EXPECT_TRUE(hear(go));
}

static bool set_offsets(void)
{
	char text[80];

	snprintf(text, sizeof(text), "monotonic %d 0\nboottime %d 0\n", NS_MONOTONIC, NS_BOOTTIME);
	return write_file("/proc/self/timens_offsets", text);
}

TEST_F(deadline, in_a_time_namespace)
{
	int told[2], go[2], fd;
	__u64 ids[2];
	pid_t pid;

	if (access("/proc/self/ns/time", F_OK))
		SKIP(return, "no time namespaces");
	ASSERT_EQ(0, pipe2(told, O_CLOEXEC));
	ASSERT_EQ(0, pipe2(go, O_CLOEXEC));
	pid = spawn();
	if (!pid) {
		EXPECT_EQ(0, unshare(CLONE_NEWTIME));
		EXPECT_TRUE(set_offsets());
		/* It is the children's. */
		pid = spawn();
		if (!pid) {
			use_clocks(_metadata, self->bg, told[1], go[0]);
			child_exit();
		}
		EXPECT_EQ(0, reap(pid));
		child_exit();
	}
	close(told[1]);
	ASSERT_EQ(sizeof(ids), read(told[0], ids, sizeof(ids)));
	fd = ctx_open_id(self->bg, ids[0], CTX_RIGHT_OBSERVE);
	EXPECT_EQ(ids[1] - NS_MONOTONIC * NSEC_PER_SEC, deadline_of(fd));
	EXPECT_TRUE(tell(go[1]));
	EXPECT_EQ(0, reap(pid));
	close(fd);
	close(told[0]);
	close(go[0]);
	close(go[1]);
}

TEST_F(deadline, realtime_below_a_tighter_monotonic_parent)
{
	int parent = ctx_timeout(self->bg, 20 * MSEC, EIO);
	int child = ctx_derive_time(parent, CTX_DERIVE_TIMEOUT, AN_HOUR, CLOCK_REALTIME, EPIPE);

	ASSERT_LE(0, child);
	EXPECT_EQ(deadline_of(parent), deadline_of(child));
	ASSERT_TRUE(wait_ready(child));
	EXPECT_TRUE(is_done(child, ETIMEDOUT, EIO));
	EXPECT_TRUE(same_end(parent, child));
	close(child);
	close(parent);
}

TEST_F(deadline, a_tighter_monotonic_child_of_a_realtime_parent)
{
	int parent = ctx_derive_time(self->bg, CTX_DERIVE_TIMEOUT, AN_HOUR, CLOCK_REALTIME, EIO);
	int child = ctx_timeout(parent, 20 * MSEC, EPIPE);

	ASSERT_LE(0, child);
	EXPECT_GT(deadline_of(parent), deadline_of(child));
	ASSERT_TRUE(wait_ready(child));
	EXPECT_TRUE(is_done(child, ETIMEDOUT, EPIPE));
	EXPECT_TRUE(is_live(parent));
	close(child);
	close(parent);
}

static void move_clock(struct __test_metadata *_metadata, __s64 seconds)
{
	struct timespec ts;

	ASSERT_EQ(0, clock_gettime(CLOCK_REALTIME, &ts));
	ts.tv_sec += seconds;
	ASSERT_EQ(0, clock_settime(CLOCK_REALTIME, &ts));
}

/* Somebody sets the clock: only deadlines on that clock move. */
TEST_F(deadline, realtime_follows_its_clock)
{
	int mono = ctx_timeout(self->bg, AN_HOUR, 0);
	int boot = ctx_derive_time(self->bg, CTX_DERIVE_TIMEOUT, AN_HOUR, CLOCK_BOOTTIME, 0);
	int soon = ctx_derive_time(self->bg, CTX_DERIVE_DEADLINE,
				   now_on(CLOCK_REALTIME) + AN_HOUR, CLOCK_REALTIME, EPIPE);
	int far = ctx_derive_time(self->bg, CTX_DERIVE_DEADLINE,
				  now_on(CLOCK_REALTIME) + 3 * AN_HOUR, CLOCK_REALTIME, EPIPE);
	int child = ctx_derive(soon, 0);
	__u64 mono_before = deadline_of(mono), far_before = deadline_of(far);
	__u64 slack = NSEC_PER_SEC / 2;
	__s64 moved;

	ASSERT_LE(0, child);
	move_clock(_metadata, 3660);
	EXPECT_TRUE(wait_ready(soon));
	EXPECT_TRUE(is_done_by(soon, ETIMEDOUT, EPIPE, ctx_id(soon), 0, "timer"));
	EXPECT_TRUE(is_done(child, ETIMEDOUT, EPIPE));
	EXPECT_TRUE(is_live(mono));
	EXPECT_TRUE(is_live(boot));
	EXPECT_TRUE(is_live(far));
	EXPECT_EQ(mono_before, deadline_of(mono));
	moved = far_before - deadline_of(far);
	EXPECT_GT(3660 * NSEC_PER_SEC + slack, moved);
	EXPECT_LT(3660 * NSEC_PER_SEC - 60 * slack, moved);
	move_clock(_metadata, -3660);
	EXPECT_TRUE(is_live(far));
	EXPECT_LT(now() + 2 * AN_HOUR, deadline_of(far));
	close(child);
	close(far);
	close(soon);
	close(boot);
	close(mono);
}

/* Set back in time, a deadline on that clock is further away again. */
TEST_F(deadline, realtime_set_back_does_not_fire)
{
	__u64 deadline = now_on(CLOCK_REALTIME) + 50 * MSEC;
	int real = ctx_derive_time(self->bg, CTX_DERIVE_DEADLINE, deadline + AN_HOUR,
				   CLOCK_REALTIME, 0);
	int mono = ctx_timeout(self->bg, 100 * MSEC, 0);

	ASSERT_LE(0, real);
	move_clock(_metadata, -3600);
	EXPECT_TRUE(wait_ready(mono));
	EXPECT_TRUE(is_live(real));
	EXPECT_LT(now() + AN_HOUR, deadline_of(real));
	move_clock(_metadata, 3600);
	close(mono);
	close(real);
}

TEST_HARNESS_MAIN
