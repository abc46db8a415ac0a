// SPDX-License-Identifier: GPL-2.0
/*
 * Cancelling: whom it reaches, who wins, and what is seen of it.
 */
#include "ctx_test.h"

FIXTURE(cancel) {
	int bg;
	int ctx;
};

FIXTURE_SETUP(cancel)
{
	self->bg = ctx_open();
	ASSERT_LE(0, self->bg);
	self->ctx = ctx_derive(self->bg, 0);
	ASSERT_LE(0, self->ctx);
}

FIXTURE_TEARDOWN(cancel)
{
	close(self->ctx);
	close(self->bg);
}

TEST_F(cancel, s3_makes_it_done)
{
	__u64 before = now();
	struct ctx_ioc_info info;

	EXPECT_TRUE(is_live(self->ctx));
	ASSERT_EQ(0, ctx_cancel(self->ctx, 0));
	EXPECT_TRUE(is_done_by(self->ctx, ECANCELED, ECANCELED, ctx_id(self->ctx),
			       getpid(), my_comm()));
	ASSERT_EQ(0, ctx_info(self->ctx, &info));
	EXPECT_EQ(CTX_INFO_DONE, info.info_flags);
	EXPECT_LE(before, info.done_time);
	EXPECT_TRUE(is_live(self->bg));
}

TEST_F(cancel, s10_the_cause_is_what_was_given)
{
	static const __u32 causes[] = {
		1, EIO, ECANCELED, ETIMEDOUT, EOWNERDEAD, 512, CTX_CAUSE_MAX - 1, CTX_CAUSE_MAX,
	};
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(causes); i++) {
		fd = ctx_derive(self->bg, 0);
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, ctx_cancel(fd, causes[i]));
		EXPECT_TRUE(is_done(fd, ECANCELED, causes[i]));
		close(fd);
	}
}

TEST_F(cancel, s10_first_cause_wins)
{
	struct ctx_ioc_info first, later;

	ASSERT_EQ(0, ctx_cancel(self->ctx, EIO));
	ASSERT_EQ(0, ctx_info(self->ctx, &first));
	EXPECT_EQ(0, ctx_cancel(self->ctx, EPIPE));
	EXPECT_EQ(0, ctx_cancel(self->ctx, 0));
	EXPECT_EQ(0, ctx_cancel(self->ctx, EIO));
	ASSERT_EQ(0, ctx_info(self->ctx, &later));
	EXPECT_EQ(0, memcmp(&first, &later, sizeof(first)));
	EXPECT_TRUE(is_done(self->ctx, ECANCELED, EIO));
}

TEST_F(cancel, s3_an_expired_one_stays_expired)
{
	struct ctx_ioc_info first, later;
	int fd = ctx_timeout(self->ctx, 0, EIO);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ctx_info(fd, &first));
	EXPECT_EQ(0, ctx_cancel(fd, EPIPE));
	ASSERT_EQ(0, ctx_info(fd, &later));
	EXPECT_EQ(0, memcmp(&first, &later, sizeof(first)));
	EXPECT_TRUE(is_done(fd, ETIMEDOUT, EIO));
	EXPECT_TRUE(is_live(self->ctx));
	close(fd);
}

TEST_F(cancel, s3_a_bad_cause_is_refused_in_every_state)
{
	EXPECT_EQ(-EINVAL, ctx_cancel(self->ctx, CTX_CAUSE_MAX + 1));
	EXPECT_TRUE(is_live(self->ctx));
	ASSERT_EQ(0, ctx_cancel(self->ctx, EIO));
	EXPECT_EQ(-EINVAL, ctx_cancel(self->ctx, CTX_CAUSE_MAX + 1));
	EXPECT_TRUE(is_done(self->ctx, ECANCELED, EIO));
}

TEST_F(cancel, s3_what_has_nothing_to_cancel_gives_eperm)
{
	int value = ctx_set(self->ctx, "k", "v");
	int without = ctx_derive(self->ctx, CTX_DERIVE_WITHOUT_CANCEL);
	int below = ctx_set(without, "k", "v");

	EXPECT_EQ(-EPERM, ctx_cancel(value, 0));
	EXPECT_EQ(-EPERM, ctx_cancel(value, EIO));
	EXPECT_EQ(-EPERM, ctx_cancel(without, 0));
	EXPECT_EQ(-EPERM, ctx_cancel(without, EIO));
	EXPECT_EQ(-EPERM, ctx_cancel(below, EIO));
	EXPECT_TRUE(is_live(value));
	EXPECT_TRUE(is_live(without));
	EXPECT_TRUE(is_live(self->ctx));

	/* Not in any state. */
	ASSERT_EQ(0, ctx_cancel(self->ctx, EIO));
	EXPECT_EQ(-EPERM, ctx_cancel(value, 0));
	EXPECT_TRUE(is_done(value, ECANCELED, EIO));
	close(below);
	close(without);
	close(value);
}

TEST_F(cancel, s3_a_value_reports_its_nearest_cancelable)
{
	int value = ctx_set(self->ctx, "a", "1");
	int second = ctx_set(value, "b", "2");
	int below = ctx_derive(second, 0);
	int sibling = ctx_set(self->bg, "c", "3");
	int deeper = ctx_set(below, "d", "4");
	__u64 id = ctx_id(self->ctx);

	ASSERT_LE(0, deeper);
	ASSERT_EQ(0, ctx_cancel(below, EPIPE));
	EXPECT_TRUE(is_live(value));
	EXPECT_TRUE(is_live(second));
	EXPECT_TRUE(is_done(deeper, ECANCELED, EPIPE));

	ASSERT_EQ(0, ctx_cancel(self->ctx, EIO));
	EXPECT_TRUE(is_done_by(value, ECANCELED, EIO, id, getpid(), my_comm()));
	EXPECT_TRUE(is_done_by(second, ECANCELED, EIO, id, getpid(), my_comm()));
	EXPECT_TRUE(same_end(self->ctx, second));
	EXPECT_TRUE(is_done(deeper, ECANCELED, EPIPE));
	EXPECT_TRUE(is_live(sibling));
	EXPECT_NE(ctx_id(value), ctx_id(self->ctx));
	close(deeper);
	close(sibling);
	close(below);
	close(second);
	close(value);
}

TEST_F(cancel, s4_reaches_every_descendant_and_nothing_else)
{
	int sibling = ctx_derive(self->bg, 0);
	int left = ctx_derive(self->ctx, 0);
	int right = ctx_derive(self->ctx, 0);
	int nephew = ctx_derive(right, 0);
	int below[] = {
		ctx_derive(left, 0),
		ctx_derive(left, CTX_DERIVE_KEEP),
		ctx_set(left, "k", "v"),
		ctx_timeout(left, AN_HOUR, EPIPE),
		ctx_timeout(left, NEVER, EPIPE),
	};
	int deeper[ARRAY_SIZE(below)], leaf[ARRAY_SIZE(below)];
	__u64 id = ctx_id(left);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(below); i++) {
		deeper[i] = ctx_derive(below[i], 0);
		leaf[i] = ctx_set(deeper[i], "l", "w");
		ASSERT_LE(0, leaf[i]);
	}

	ASSERT_EQ(0, ctx_cancel(left, EIO));
	for (i = 0; i < ARRAY_SIZE(below); i++) {
		EXPECT_TRUE(is_done_by(below[i], ECANCELED, EIO, id, getpid(), my_comm()));
		EXPECT_TRUE(is_done_by(deeper[i], ECANCELED, EIO, id, getpid(), my_comm()));
		EXPECT_TRUE(is_done_by(leaf[i], ECANCELED, EIO, id, getpid(), my_comm()));
		EXPECT_TRUE(same_end(left, leaf[i]));
	}
	EXPECT_TRUE(is_live(self->ctx));
	EXPECT_TRUE(is_live(right));
	EXPECT_TRUE(is_live(nephew));
	EXPECT_TRUE(is_live(sibling));
	EXPECT_TRUE(is_live(self->bg));

	for (i = 0; i < ARRAY_SIZE(below); i++) {
		close(leaf[i]);
		close(deeper[i]);
		close(below[i]);
	}
	close(nephew);
	close(right);
	close(left);
	close(sibling);
}

TEST_F(cancel, s4_stops_at_without_cancel)
{
	int without = ctx_derive(self->ctx, CTX_DERIVE_WITHOUT_CANCEL);
	int below = ctx_derive(without, 0);
	int value = ctx_set(without, "k", "v");

	ASSERT_EQ(0, ctx_cancel(self->ctx, EIO));
	EXPECT_TRUE(is_live(without));
	EXPECT_TRUE(is_live(below));
	EXPECT_TRUE(is_live(value));
	ASSERT_EQ(0, ctx_cancel(below, EPIPE));
	EXPECT_TRUE(is_done(below, ECANCELED, EPIPE));
	EXPECT_TRUE(is_live(without));
	EXPECT_TRUE(is_live(value));
	close(value);
	close(below);
	close(without);
}

TEST_F(cancel, s10_a_child_cancelled_earlier_keeps_its_end)
{
	int child = ctx_derive(self->ctx, 0);
	int below = ctx_derive(child, 0);
	int other = ctx_derive(self->ctx, 0);
	struct ctx_ioc_info first, later;
	__u64 id = ctx_id(child);

	ASSERT_EQ(0, ctx_cancel(child, EPIPE));
	ASSERT_EQ(0, ctx_info(below, &first));
	ASSERT_EQ(0, ctx_cancel(self->ctx, EIO));
	ASSERT_EQ(0, ctx_info(below, &later));
	EXPECT_EQ(0, memcmp(&first, &later, sizeof(first)));
	EXPECT_TRUE(is_done_by(child, ECANCELED, EPIPE, id, getpid(), my_comm()));
	EXPECT_TRUE(is_done_by(below, ECANCELED, EPIPE, id, getpid(), my_comm()));
	EXPECT_TRUE(is_done_by(other, ECANCELED, EIO, ctx_id(self->ctx), getpid(), my_comm()));
	close(other);
	close(below);
	close(child);
}

TEST_F(cancel, s6_born_done)
{
	int kinds[6];
	size_t i;

	ASSERT_EQ(0, ctx_cancel(self->ctx, EIO));
	kinds[0] = ctx_derive(self->ctx, 0);
	kinds[1] = ctx_derive(self->ctx, CTX_DERIVE_KEEP);
	kinds[2] = ctx_set(self->ctx, "k", "v");
	kinds[3] = ctx_timeout(self->ctx, AN_HOUR, EPIPE);
	kinds[4] = ctx_deadline(self->ctx, 0, EPIPE);
	kinds[5] = ctx_derive(kinds[2], 0);
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		ASSERT_LE(0, kinds[i]);
		EXPECT_TRUE(is_done_by(kinds[i], ECANCELED, EIO, ctx_id(self->ctx),
				       getpid(), my_comm()));
		EXPECT_TRUE(same_end(self->ctx, kinds[i]));
		EXPECT_NE(ctx_id(self->ctx), ctx_id(kinds[i]));
	}
	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		close(kinds[i]);
}

TEST_F(cancel, s6_a_done_parent_wins_over_a_passed_deadline)
{
	int value = ctx_set(self->ctx, "k", "v");
	int child;

	ASSERT_EQ(0, ctx_cancel(self->ctx, EIO));
	child = ctx_deadline(value, 1, EPIPE);
	ASSERT_LE(0, child);
	EXPECT_TRUE(is_done_by(child, ECANCELED, EIO, ctx_id(self->ctx), getpid(), my_comm()));
	close(child);
	close(value);
}

TEST_F(cancel, s7_a_cancelled_child_has_left_its_parent)
{
	int child, i;

	for (i = 0; i < 1000; i++) {
		child = ctx_derive(self->ctx, 0);
		ASSERT_LE(0, child);
		ASSERT_EQ(0, ctx_cancel(child, 0));
		close(child);
	}
	EXPECT_TRUE(is_live(self->ctx));
	ASSERT_EQ(0, ctx_cancel(self->ctx, EIO));
	EXPECT_TRUE(is_done(self->ctx, ECANCELED, EIO));
}

/* The whole chain, from the first to the deepest that may be. */
TEST_F(cancel, s5_a_deep_chain_is_done_on_return)
{
	int chain[1000];
	size_t i;

	ASSERT_TRUE(allow_files(2000));
	for (i = 0; i < ARRAY_SIZE(chain); i++) {
		chain[i] = ctx_derive(i ? chain[i - 1] : self->ctx, 0);
		ASSERT_LE(0, chain[i]);
	}
	ASSERT_EQ(0, ctx_cancel(self->ctx, EIO));
	for (i = 0; i < ARRAY_SIZE(chain); i++)
		ASSERT_TRUE(same_end(self->ctx, chain[i]));
	for (i = 0; i < ARRAY_SIZE(chain); i++)
		close(chain[i]);
}

#define HUGE	20000

static int huge_tree(int parent, struct pollfd *pfds)
{
	int i;

	for (i = 0; i < HUGE; i++) {
		pfds[i].fd = i % 2 ? ctx_timeout(parent, AN_HOUR, 0) : ctx_derive(parent, 0);
		pfds[i].events = POLLIN;
		if (pfds[i].fd < 0)
			return pfds[i].fd;
	}
	return poll(pfds, HUGE, 0);
}

static struct pollfd huge[HUGE];

TEST_F(cancel, s19_a_huge_tree_is_done_on_return)
{
	int i;

	ASSERT_TRUE(allow_files(HUGE + 100));
	become(1000);
	ASSERT_EQ(0, huge_tree(self->ctx, huge));
	ASSERT_EQ(0, ctx_cancel(self->ctx, EIO));
	EXPECT_EQ(HUGE, poll(huge, HUGE, 0));
	for (i = 0; i < HUGE; i += 97)
		ASSERT_EQ(EIO, ctx_cause(huge[i].fd));
	EXPECT_TRUE(same_end(self->ctx, huge[HUGE - 1].fd));
}

TEST_F(cancel, s19_closing_the_owner_of_a_huge_tree)
{
	int i, owner;
	__u64 id;

	ASSERT_TRUE(allow_files(HUGE + 100));
	become(1000);
	owner = ctx_derive(self->ctx, 0);
	id = ctx_id(owner);
	ASSERT_EQ(0, huge_tree(owner, huge));
	ASSERT_EQ(0, close(owner));
	EXPECT_EQ(HUGE, poll(huge, HUGE, 0));
	for (i = 0; i < HUGE; i += 97)
		ASSERT_EQ(EOWNERDEAD, ctx_cause(huge[i].fd));
	EXPECT_TRUE(is_done_by(huge[0].fd, ECANCELED, EOWNERDEAD, id, getpid(), my_comm()));
	EXPECT_TRUE(same_end(huge[0].fd, huge[HUGE - 1].fd));
	EXPECT_TRUE(is_live(self->ctx));
}

#define RACERS	4
#define ROUNDS	200

struct race {
	pthread_barrier_t start, end;
	int fd[ROUNDS];
	int failed;
};

struct racer {
	struct race *race;
	__u32 cause;
};

static void *racer(void *arg)
{
	struct racer *self = arg;
	struct race *race = self->race;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		pthread_barrier_wait(&race->start);
		if (ctx_cancel(race->fd[i], self->cause) || ctx_err(race->fd[i]) != ECANCELED)
			__atomic_store_n(&race->failed, i + 1, __ATOMIC_RELAXED);
		pthread_barrier_wait(&race->end);
	}
	return NULL;
}

/* Whoever comes back from cancelling sees it done, and all see the same end. */
TEST_F(cancel, s3_one_of_many_cancellers_wins)
{
	struct racer racers[RACERS];
	pthread_t threads[RACERS];
	struct race race = {};
	struct ctx_ioc_info info;
	int i, j, below[3];

	pthread_barrier_init(&race.start, NULL, RACERS + 1);
	pthread_barrier_init(&race.end, NULL, RACERS + 1);
	for (i = 0; i < RACERS; i++) {
		racers[i] = (struct racer){ .race = &race, .cause = 1000 + i };
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, racer, &racers[i]));
	}
	for (i = 0; i < ROUNDS; i++) {
		race.fd[i] = ctx_derive(self->ctx, 0);
		below[0] = ctx_derive(race.fd[i], 0);
		below[1] = ctx_set(below[0], "k", "v");
		below[2] = ctx_timeout(below[1], AN_HOUR, 0);
		pthread_barrier_wait(&race.start);
		pthread_barrier_wait(&race.end);
		EXPECT_EQ(0, ctx_info(race.fd[i], &info));
		EXPECT_LE(1000, info.cause);
		EXPECT_GT(1000 + RACERS, info.cause);
		EXPECT_TRUE(is_done_by(race.fd[i], ECANCELED, info.cause, info.id,
				       getpid(), my_comm()));
		for (j = 0; j < 3; j++) {
			EXPECT_TRUE(is_ready(below[j]));
			EXPECT_TRUE(same_end(race.fd[i], below[j]));
			close(below[j]);
		}
		close(race.fd[i]);
	}
	for (i = 0; i < RACERS; i++)
		pthread_join(threads[i], NULL);
	EXPECT_EQ(0, race.failed);
	EXPECT_TRUE(is_live(self->ctx));
}

TEST_HARNESS_MAIN
