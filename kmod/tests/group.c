// SPDX-License-Identifier: GPL-2.0
/* Groups of threads under one context. */
#include <linux/fs.h>
#include <linux/kstrtox.h>
#include <linux/kthread.h>
#include <linux/sched/signal.h>
#include <linux/string.h>

#include "test.h"

struct team {
	struct ctx_group *group;
	struct ctx *ctx;		/* what the last function got */
	struct completion go;
	struct completion begun;
	atomic_t runs;
	atomic_t running;
	atomic_t most;
	atomic_t over;
	int ret;
	int err;
	char comm[TASK_COMM_LEN];
};

static void team_init(struct kunit *test, struct team *team, struct ctx *parent)
{
	memset(team, 0, sizeof(*team));
	init_completion(&team->go);
	init_completion(&team->begun);
	team->group = ctx_group_create(parent, GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, team->group);
}

static void enter(struct team *team, struct ctx *ctx)
{
	int running = atomic_inc_return(&team->running);
	int most = atomic_read(&team->most);

	while (running > most && !atomic_try_cmpxchg(&team->most, &most, running))
		;
	WRITE_ONCE(team->ctx, ctx);
	atomic_inc(&team->runs);
	complete(&team->begun);
}

static int leave(struct team *team, int ret)
{
	atomic_dec(&team->running);
	atomic_inc(&team->over);
	return ret;
}

static int brief_fn(struct ctx *ctx, void *data)
{
	struct team *team = data;

	enter(team, ctx);
	get_task_comm(team->comm, current);
	return leave(team, team->ret);
}

/* Until the test lets one go, or the context is done. */
static int gated_fn(struct ctx *ctx, void *data)
{
	struct team *team = data;

	enter(team, ctx);
	return leave(team, ctx_wait_for_completion(ctx, &team->go));
}

/* As gated_fn(), but deaf. */
static int deaf_fn(struct ctx *ctx, void *data)
{
	struct team *team = data;

	enter(team, ctx);
	wait_for_completion(&team->go);
	return leave(team, 0);
}

static int until_done_fn(struct ctx *ctx, void *data)
{
	struct team *team = data;

	enter(team, ctx);
	return leave(team, ctx_wait(ctx));
}

static void run(struct kunit *test, struct team *team, int (*fn)(struct ctx *ctx, void *data))
{
	KUNIT_ASSERT_EQ(test, ctx_group_run(team->group, fn, team, "team/%d", 7), 0);
}

static void group_arguments_are_checked(struct kunit *test)
{
	const char *no_name = NULL;
	struct team team;

	KUNIT_EXPECT_EQ(test, PTR_ERR(ctx_group_create(NULL, GFP_KERNEL)), -EINVAL);
	KUNIT_EXPECT_EQ(test, PTR_ERR(ctx_group_create(ERR_PTR(-EIO), GFP_KERNEL)), -EIO);
	KUNIT_EXPECT_EQ(test, ctx_group_run(NULL, brief_fn, NULL, "no"), -EINVAL);
	KUNIT_EXPECT_EQ(test, ctx_group_run(ERR_PTR(-EIO), brief_fn, NULL, "no"), -EIO);
	KUNIT_EXPECT_EQ(test, ctx_group_wait(NULL), -EINVAL);
	KUNIT_EXPECT_EQ(test, ctx_group_wait(ERR_PTR(-EIO)), -EIO);
	KUNIT_EXPECT_EQ(test, ctx_group_wait_killable(ERR_PTR(-EIO)), -EIO);
	KUNIT_EXPECT_PTR_EQ(test, ctx_group_ctx(NULL), NULL);
	KUNIT_EXPECT_EQ(test, PTR_ERR(ctx_group_ctx(ERR_PTR(-EIO))), -EIO);
	ctx_group_set_limit(NULL, 1);
	ctx_group_set_limit(ERR_PTR(-EIO), 1);
	ctx_group_put(NULL);
	ctx_group_put(ERR_PTR(-EIO));

	team_init(test, &team, ctx_background());
	KUNIT_EXPECT_EQ(test, ctx_group_run(team.group, NULL, &team, "no"), -EINVAL);
	KUNIT_EXPECT_EQ(test, ctx_group_run(team.group, brief_fn, &team, no_name), -EINVAL);
	KUNIT_EXPECT_EQ(test, ctx_group_wait(team.group), 0);
	ctx_group_put(team.group);
	KUNIT_EXPECT_EQ(test, atomic_read(&team.runs), 0);
}

static void group_has_a_child_context(struct kunit *test)
{
	static const int key;
	struct ctx *p = ct_cancel(test, ctx_background());
	struct ctx *v = ct_value(test, p, &key, test);
	struct team team;

	team_init(test, &team, v);
	run(test, &team, gated_fn);
	ct_wait_for(test, &team.begun);
	KUNIT_EXPECT_PTR_EQ(test, team.ctx, ctx_group_ctx(team.group));
	KUNIT_EXPECT_PTR_NE(test, team.ctx, v);
	KUNIT_EXPECT_PTR_EQ(test, ctx_value(team.ctx, &key), (void *)test);
	ct_expect_live(test, team.ctx);
	ctx_cancel_cause(p, -EPIPE);
	ct_expect_done(test, team.ctx, -ECANCELED, -EPIPE);
	/* What its function returned because of that is what counts. */
	KUNIT_EXPECT_EQ(test, ctx_group_wait(team.group), -ECANCELED);
	ctx_group_put(team.group);
	ctx_put(v);
	ctx_put(p);
}

static void group_wait_returns_when_all_have(struct kunit *test)
{
	enum { MANY = 12 };
	struct team team;
	int round, i;

	team_init(test, &team, ctx_background());
	for (round = 1; round <= 3; round++) {
		for (i = 0; i < MANY; i++)
			run(test, &team, gated_fn);
		for (i = 0; i < MANY; i++)
			complete(&team.go);
		KUNIT_EXPECT_EQ(test, ctx_group_wait(team.group), 0);
		KUNIT_EXPECT_EQ(test, atomic_read(&team.over), round * MANY);
	}
	/* Nothing failed: it goes on. */
	ct_expect_live(test, ctx_group_ctx(team.group));
	run(test, &team, brief_fn);
	KUNIT_EXPECT_EQ(test, ctx_group_wait(team.group), 0);
	KUNIT_EXPECT_STREQ(test, team.comm, "team/7");
	KUNIT_EXPECT_EQ(test, ctx_group_wait(team.group), 0);
	ctx_group_put(team.group);
}

static void group_names_threads_by_the_format(struct kunit *test)
{
	struct team team;

	team_init(test, &team, ctx_background());
	KUNIT_EXPECT_EQ(test, ctx_group_run_interruptible(team.group, brief_fn, &team, "i/%d", 8),
			0);
	KUNIT_EXPECT_EQ(test, ctx_group_wait_interruptible(team.group), 0);
	KUNIT_EXPECT_STREQ(test, team.comm, "i/8");
	KUNIT_EXPECT_EQ(test, ctx_group_run_killable(team.group, brief_fn, &team, "k/%d", 9), 0);
	KUNIT_EXPECT_EQ(test, ctx_group_wait_killable(team.group), 0);
	KUNIT_EXPECT_STREQ(test, team.comm, "k/9");
	KUNIT_EXPECT_EQ(test, ctx_group_run(team.group, brief_fn, &team, "%s",
					    "%s%n-a-name-that-is-far-too-long"), 0);
	KUNIT_EXPECT_EQ(test, ctx_group_wait(team.group), 0);
	KUNIT_EXPECT_EQ(test, strncmp(team.comm, "%s%n-a-name-that", strlen(team.comm)), 0);
	KUNIT_EXPECT_GT(test, strlen(team.comm), (size_t)8);
	ctx_group_put(team.group);
}

static void group_first_error_cancels_the_others(struct kunit *test)
{
	static const int rets[] = { -EIO, -ENOSPC, -ECANCELED, 1, INT_MAX, INT_MIN, -MAX_ERRNO };
	int i;

	for (i = 0; i < ARRAY_SIZE(rets); i++) {
		bool errno = rets[i] < 0 && rets[i] >= -MAX_ERRNO;
		struct team team;
		struct ctx *c;

		team_init(test, &team, ctx_background());
		c = ctx_group_ctx(team.group);
		run(test, &team, until_done_fn);
		run(test, &team, until_done_fn);
		ct_wait_for(test, &team.begun);
		ct_wait_for(test, &team.begun);
		team.ret = rets[i];
		run(test, &team, brief_fn);
		KUNIT_EXPECT_EQ(test, ctx_group_wait(team.group), rets[i]);
		KUNIT_EXPECT_EQ(test, atomic_read(&team.over), 3);
		ct_expect_done(test, c, -ECANCELED, errno ? rets[i] : -ECANCELED);

		/* It stays so, whatever comes later; where there is room, that still runs. */
		KUNIT_EXPECT_EQ(test, ctx_group_wait(team.group), rets[i]);
		team.ret = -EDOM;
		run(test, &team, brief_fn);
		KUNIT_EXPECT_EQ(test, ctx_group_wait(team.group), rets[i]);
		KUNIT_EXPECT_EQ(test, atomic_read(&team.over), 4);
		ct_expect_done(test, c, -ECANCELED, errno ? rets[i] : -ECANCELED);
		ctx_group_put(team.group);
	}
}

static void group_that_was_cancelled_has_not_failed(struct kunit *test)
{
	struct ctx *p = ct_timeout_ms(test, ctx_background(), 1);
	struct team team;

	team_init(test, &team, p);
	ct_wait_done(test, ctx_group_ctx(team.group), -ETIMEDOUT);
	run(test, &team, brief_fn);
	KUNIT_EXPECT_EQ(test, ctx_group_wait(team.group), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&team.runs), 1);
	ctx_group_put(team.group);
	ctx_put(p);
}

static int run_fn(void *arg)
{
	struct team *team = arg;

	return ctx_group_run(team->group, gated_fn, team, "late");
}

static void group_blocks_at_its_limit(struct kunit *test)
{
	struct ct_helper helper;
	struct team team;
	int i;

	team_init(test, &team, ctx_background());
	ctx_group_set_limit(team.group, 2);
	run(test, &team, gated_fn);
	run(test, &team, gated_fn);
	ct_helper_start(test, &helper, run_fn, &team);
	KUNIT_EXPECT_TRUE(test, ct_helper_blocked(&helper));
	KUNIT_EXPECT_FALSE(test, completion_done(&helper.ended));
	/* One returns, and the third begins. */
	complete(&team.go);
	KUNIT_EXPECT_EQ(test, ct_helper_join(test, &helper), 0);
	for (i = 0; i < 3; i++)
		ct_wait_for(test, &team.begun);
	KUNIT_EXPECT_EQ(test, atomic_read(&team.runs), 3);
	KUNIT_EXPECT_EQ(test, atomic_read(&team.most), 2);
	complete_all(&team.go);
	KUNIT_EXPECT_EQ(test, ctx_group_wait(team.group), 0);
	ctx_group_put(team.group);
}

static void group_limit_can_be_changed(struct kunit *test)
{
	struct ct_helper helper;
	struct team team;

	team_init(test, &team, ctx_background());
	ctx_group_set_limit(team.group, 1);
	run(test, &team, gated_fn);
	ct_helper_start(test, &helper, run_fn, &team);
	KUNIT_EXPECT_TRUE(test, ct_helper_blocked(&helper));
	KUNIT_EXPECT_FALSE(test, completion_done(&helper.ended));
	ctx_group_set_limit(team.group, 2);
	KUNIT_EXPECT_EQ(test, ct_helper_join(test, &helper), 0);

	/* Lower: nobody is ended, but one that returns makes no room. */
	ctx_group_set_limit(team.group, 1);
	complete(&team.go);
	KUNIT_EXPECT_TRUE(test, ct_poll_until(atomic_read(&team.running) == 1));
	ct_helper_start(test, &helper, run_fn, &team);
	KUNIT_EXPECT_TRUE(test, ct_helper_blocked(&helper));
	KUNIT_EXPECT_FALSE(test, completion_done(&helper.ended));
	/* None: as many as one likes. */
	ctx_group_set_limit(team.group, 0);
	KUNIT_EXPECT_EQ(test, ct_helper_join(test, &helper), 0);
	run(test, &team, gated_fn);
	ctx_group_set_limit(team.group, -1);
	run(test, &team, gated_fn);
	complete_all(&team.go);
	KUNIT_EXPECT_EQ(test, ctx_group_wait(team.group), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&team.over), 5);
	ctx_group_put(team.group);
}

static void group_that_is_done_does_not_block(struct kunit *test)
{
	int how;

	for (how = 0; how < 3; how++) {
		int err = how == 2 ? -ETIMEDOUT : -ECANCELED;
		struct ctx *p = how == 2 ? ct_timeout_ms(test, ctx_background(), 20) :
					   ct_cancel(test, ctx_background());
		struct ct_helper helper;
		struct team team;

		team_init(test, &team, p);
		ctx_group_set_limit(team.group, 1);
		run(test, &team, deaf_fn);
		ct_helper_start(test, &helper, run_fn, &team);
		if (how < 2) {
			KUNIT_EXPECT_TRUE(test, ct_helper_blocked(&helper));
			ctx_cancel(how ? p : ctx_group_ctx(team.group));
		}
		KUNIT_EXPECT_EQ(test, ct_helper_join(test, &helper), err);
		/* Full and done: at once. */
		KUNIT_EXPECT_EQ(test, run_fn(&team), err);
		complete(&team.go);
		KUNIT_EXPECT_EQ(test, ctx_group_wait(team.group), 0);
		KUNIT_EXPECT_EQ(test, atomic_read(&team.runs), 1);
		ctx_group_put(team.group);
		ctx_put(p);
	}
}

static void group_limit_holds_for_many(struct kunit *test)
{
	struct team team;
	int i, n = ct_times(100);

	team_init(test, &team, ctx_background());
	ctx_group_set_limit(team.group, 3);
	for (i = 0; i < n; i++)
		run(test, &team, brief_fn);
	/* Never waited for: it is joined when it is put. */
	ctx_group_set_limit(team.group, 1);
	run(test, &team, brief_fn);
	run(test, &team, brief_fn);
	KUNIT_EXPECT_TRUE(test, ct_poll_until(atomic_read(&team.over) == n + 2));
	KUNIT_EXPECT_LE(test, atomic_read(&team.most), 3);
	ctx_group_put(team.group);
}

/* Who uses ctx, its threads among them; 0 where it is built in. */
static int module_users(void)
{
	struct file *file = ct_open_in("sysfs", "module/ctx/refcnt", O_RDONLY);
	char text[16] = {};
	loff_t pos = 0;
	int users = 0;

	if (IS_ERR(file))
		return 0;
	if (kernel_read(file, text, sizeof(text) - 1, &pos) <= 0 || kstrtoint(text, 10, &users))
		users = -1;
	filp_close(file, NULL);
	return users;
}

/* What is left of those that are over does not add up. */
static void group_that_nobody_waits_for(struct kunit *test)
{
	const int before = module_users(), n = 100;
	struct team team;
	int i;

	KUNIT_EXPECT_GE(test, before, 0);
	team_init(test, &team, ctx_background());
	ctx_group_set_limit(team.group, 1);
	for (i = 0; i < n; i++)
		run(test, &team, brief_fn);
	KUNIT_EXPECT_LE(test, module_users(), before + n / 2);
	/* Until here; the last may still have to look at the team. */
	KUNIT_EXPECT_EQ(test, ctx_group_wait(team.group), 0);
	ctx_group_put(team.group);
}

static int wait_fn(void *arg)
{
	struct team *team = arg;

	return ctx_group_wait(team->group) ?: atomic_read(&team->over);
}

static void group_is_waited_for_from_several_places(struct kunit *test)
{
	enum { MANY = 6 };
	struct ct_helper *helper = kunit_kzalloc(test, MANY * sizeof(*helper), GFP_KERNEL);
	int i, failing;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, helper);
	for (failing = 0; failing < 2; failing++) {
		struct team team;

		team_init(test, &team, ctx_background());
		for (i = 0; i < 4; i++)
			run(test, &team, deaf_fn);
		for (i = 0; i < MANY; i++)
			ct_helper_start(test, &helper[i], wait_fn, &team);
		for (i = 0; i < MANY; i++)
			KUNIT_EXPECT_TRUE(test, ct_helper_blocked(&helper[i]));
		team.ret = failing ? -EIO : 0;
		run(test, &team, brief_fn);
		for (i = 0; i < MANY; i++)
			KUNIT_EXPECT_FALSE(test, completion_done(&helper[i].ended));
		complete_all(&team.go);
		for (i = 0; i < MANY; i++)
			KUNIT_EXPECT_EQ(test, ct_helper_join(test, &helper[i]),
					failing ? -EIO : 5);
		ctx_group_put(team.group);
	}
}

static int parent_fn(struct ctx *ctx, void *data)
{
	struct team *team = data;
	int err;

	enter(team, ctx);
	err = ctx_group_run(team->group, deaf_fn, team, "inner");
	return leave(team, err ?: ctx_group_run(team->group, deaf_fn, team, "inner"));
}

static void group_threads_may_run_others(struct kunit *test)
{
	struct team team;
	int round;

	for (round = 0; round < 2; round++) {
		team_init(test, &team, ctx_background());
		run(test, &team, parent_fn);
		KUNIT_EXPECT_TRUE(test, ct_poll_until(atomic_read(&team.over) == 1));
		complete_all(&team.go);
		if (!round) {
			KUNIT_EXPECT_EQ(test, ctx_group_wait(team.group), 0);
			KUNIT_EXPECT_EQ(test, atomic_read(&team.over), 3);
		}
		ctx_group_put(team.group);
		KUNIT_EXPECT_TRUE(test, ct_poll_until(atomic_read(&team.over) == 3));
		ctx_barrier();
	}
}

static int wait_inside_fn(struct ctx *ctx, void *data)
{
	struct team *team = data;

	enter(team, ctx);
	team->err = ctx_group_wait(team->group);
	return leave(team, 0);
}

static int wait_for_other_fn(struct ctx *ctx, void *data)
{
	struct team *other = data;

	return ctx_group_wait(other->group);
}

static void group_thread_does_not_wait_for_itself(struct kunit *test)
{
	struct team team, outer;

	team_init(test, &team, ctx_background());
	team_init(test, &outer, ctx_background());
	run(test, &team, wait_inside_fn);
	KUNIT_EXPECT_EQ(test, ctx_group_wait(team.group), 0);
	KUNIT_EXPECT_EQ(test, team.err, -EDEADLK);
	/* For another group it does. */
	run(test, &team, deaf_fn);
	KUNIT_ASSERT_EQ(test, ctx_group_run(outer.group, wait_for_other_fn, &team, "outer"), 0);
	complete(&team.go);
	KUNIT_EXPECT_EQ(test, ctx_group_wait(outer.group), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&team.over), 2);
	ctx_group_put(outer.group);
	ctx_group_put(team.group);
}

/* Their context, and what they left under it, is there until they have returned. */
static void group_may_be_put_while_threads_run(struct kunit *test)
{
	struct ct_token token;
	struct ctx *v = ct_token_ctx(test, &token, ctx_background());
	struct ctx *child;
	struct team team;
	int i;

	team_init(test, &team, v);
	ctx_put(v);
	for (i = 0; i < 3; i++)
		run(test, &team, gated_fn);
	for (i = 0; i < 3; i++)
		ct_wait_for(test, &team.begun);
	child = ct_cancel(test, team.ctx);
	ctx_group_put(team.group);
	ctx_barrier();
	ct_expect_live(test, child);
	KUNIT_EXPECT_EQ(test, atomic_read(&team.running), 3);
	for (i = 0; i < 3; i++)
		complete(&team.go);
	ct_wait_done(test, child, -ECANCELED);
	KUNIT_EXPECT_EQ(test, atomic_read(&team.over), 3);
	ctx_put(child);
	ct_token_gone(test, &token);
}

static int put_own_fn(struct ctx *ctx, void *data)
{
	struct team *team = data;

	ctx_group_put(team->group);
	enter(team, ctx);
	return leave(team, ctx_err(ctx));
}

static void group_may_be_put_by_its_own_thread(struct kunit *test)
{
	struct ct_token token;
	struct ctx *v = ct_token_ctx(test, &token, ctx_background());
	struct team team;

	team_init(test, &team, v);
	ctx_put(v);
	run(test, &team, put_own_fn);
	ct_token_gone(test, &token);
	KUNIT_EXPECT_EQ(test, atomic_read(&team.over), 1);
}

static void group_put_cancels_what_is_left(struct kunit *test)
{
	struct team team;
	struct ctx *child;

	team_init(test, &team, ctx_background());
	child = ct_cancel(test, ctx_group_ctx(team.group));
	ctx_group_put(team.group);
	ct_expect_done(test, child, -ECANCELED, -ECANCELED);
	ctx_put(child);
}

/* The waits that a signal may end, and those that it may not. */
struct signalled {
	struct team *team;
	int (*wait)(struct team *team);
	struct completion sleeping;
};

static int run_interruptibly(struct team *team)
{
	return ctx_group_run_interruptible(team->group, gated_fn, team, "never/%d", 1);
}

static int run_killably(struct team *team)
{
	return ctx_group_run_killable(team->group, gated_fn, team, "never/%d", 1);
}

static int wait_interruptibly(struct team *team)
{
	return ctx_group_wait_interruptible(team->group);
}

static int wait_killably(struct team *team)
{
	return ctx_group_wait_killable(team->group);
}

static int signalled_fn(void *arg)
{
	struct signalled *signalled = arg;
	int ret;

	allow_signal(SIGUSR1);
	allow_signal(SIGKILL);
	complete(&signalled->sleeping);
	ret = signalled->wait(signalled->team);
	flush_signals(current);
	return ret;
}

static void group_waits_end_by_signals(struct kunit *test)
{
	static int (* const waits[])(struct team *team) = {
		run_interruptibly, run_killably, wait_interruptibly, wait_killably,
	};
	struct signalled signalled;
	struct ct_helper helper, first;
	struct team team;
	int i, behind;

	team_init(test, &team, ctx_background());
	ctx_group_set_limit(team.group, 1);
	run(test, &team, deaf_fn);
	/* Once with somebody who joins already, behind whom one waits otherwise. */
	for (behind = 0; behind < 2; behind++) {
		if (behind) {
			ct_helper_start(test, &first, wait_fn, &team);
			KUNIT_EXPECT_TRUE(test, ct_helper_blocked(&first));
		}
		for (i = 0; i < ARRAY_SIZE(waits); i++) {
			signalled.team = &team;
			signalled.wait = waits[i];
			init_completion(&signalled.sleeping);
			ct_helper_start(test, &helper, signalled_fn, &signalled);
			ct_wait_for(test, &signalled.sleeping);
			KUNIT_EXPECT_TRUE(test, ct_helper_blocked(&helper));
			KUNIT_EXPECT_FALSE(test, completion_done(&helper.ended));
			send_sig(i % 2 ? SIGKILL : SIGUSR1, helper.task, 1);
			KUNIT_EXPECT_EQ_MSG(test, ct_helper_join(test, &helper), -ERESTARTSYS,
					    "wait %d", i);
		}
	}
	complete(&team.go);
	KUNIT_EXPECT_EQ(test, ct_helper_join(test, &first), 1);
	KUNIT_EXPECT_EQ(test, ctx_group_wait(team.group), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&team.runs), 1);
	ctx_group_put(team.group);
}

static int cancel_fn(void *arg)
{
	ctx_cancel(arg);
	return 0;
}

/* Starts, returns, a cancellation and a wait, all at once. */
static void group_races(struct kunit *test)
{
	struct ct_partner partner;
	int round, i;

	ct_partner_start(test, &partner, cancel_fn);
	for (round = 0; round < ct_times(60); round++) {
		int limit = 1 + round % 3;
		struct team team;
		int err = 0, started = 0;

		team_init(test, &team, ctx_background());
		ctx_group_set_limit(team.group, limit);
		for (i = 0; i < 6; i++) {
			/* At the limit nothing else would end it. */
			if (i == round % (limit + 1))
				ct_partner_go(&partner, ctx_group_ctx(team.group));
			err = ctx_group_run(team.group, until_done_fn, &team, "race");
			if (err)
				KUNIT_EXPECT_EQ(test, err, -ECANCELED);
			else
				started++;
		}
		ct_partner_wait(test, &partner);
		KUNIT_EXPECT_EQ(test, ctx_group_wait(team.group), started ? -ECANCELED : 0);
		KUNIT_EXPECT_EQ(test, atomic_read(&team.over), started);
		KUNIT_EXPECT_LE(test, atomic_read(&team.most), limit);
		ctx_group_put(team.group);
	}
	ct_partner_stop(test, &partner);
}

static struct kunit_case group_cases[] = {
	KUNIT_CASE(group_arguments_are_checked),
	KUNIT_CASE(group_has_a_child_context),
	KUNIT_CASE(group_wait_returns_when_all_have),
	KUNIT_CASE(group_names_threads_by_the_format),
	KUNIT_CASE(group_first_error_cancels_the_others),
	KUNIT_CASE(group_that_was_cancelled_has_not_failed),
	KUNIT_CASE(group_blocks_at_its_limit),
	KUNIT_CASE(group_limit_can_be_changed),
	KUNIT_CASE(group_that_is_done_does_not_block),
	KUNIT_CASE(group_limit_holds_for_many),
	KUNIT_CASE(group_that_nobody_waits_for),
	KUNIT_CASE(group_is_waited_for_from_several_places),
	KUNIT_CASE(group_threads_may_run_others),
	KUNIT_CASE(group_thread_does_not_wait_for_itself),
	KUNIT_CASE(group_may_be_put_while_threads_run),
	KUNIT_CASE(group_may_be_put_by_its_own_thread),
	KUNIT_CASE(group_put_cancels_what_is_left),
	KUNIT_CASE(group_waits_end_by_signals),
	KUNIT_CASE(group_races),
	{ }
};

static struct kunit_suite group_suite = {
	.name = "ctx_group",
	.test_cases = group_cases,
};

kunit_test_suite(group_suite);
