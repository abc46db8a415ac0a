// SPDX-License-Identifier: GPL-2.0
/*
 * A sample: what ctx does for a driver, told in the kernel log.
 *
 *	insmod ctx_scene.ko scene=pipeline
 *	insmod ctx_scene.ko scene=deadline
 *
 * Loading plays the scene, and fails if it did not go as told.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <linux/ctx.h>

static char *scene = "pipeline";
module_param(scene, charp, 0444);
MODULE_PARM_DESC(scene, "what to play: pipeline or deadline");

static ktime_t start;

/* A line of the story, with the milliseconds since its start. */
#define tell(fmt, ...) \
	pr_info("[%4lld ms] " fmt "\n", ktime_ms_delta(ktime_get(), start), ##__VA_ARGS__)

/* Says who ended @ctx, when and why. */
static void tell_end(const char *name, const struct ctx *ctx)
{
	struct ctx_origin origin;

	if (ctx_origin(ctx, &origin))
		return;
	tell("%s: %pe, cause %pe, by %s[%d] at %lld ms", name,
	     ERR_PTR(origin.err), ERR_PTR(origin.cause), origin.comm, origin.pid,
	     ktime_ms_delta(origin.time, start));
}

/*
 * The pipeline: workers wait for a value or for the end of their context. There
 * is one value only, so without the context all but one would wait for ever.
 */
#define WORKERS	3
#define VALUE	42

struct pipeline {
	wait_queue_head_t wait;
	int value;			/* 0: none; taken by xchg() */
	struct completion waiting;	/* a worker is about to wait */
	struct completion taken;	/* a worker took the value */
	atomic_t alive;
};

static int worker(struct ctx *ctx, void *data)
{
	struct pipeline *line = data;
	int value, err;

	atomic_inc(&line->alive);
	tell("%s: waiting for a value or for the end", current->comm);
	complete(&line->waiting);

	err = ctx_wait_event(ctx, line->wait, (value = xchg(&line->value, 0)));
	if (err) {
		tell_end(current->comm, ctx);
	} else {
		tell("%s: took the value %d", current->comm, value);
		complete(&line->taken);
	}

	atomic_dec(&line->alive);
	return err;
}

static void pipeline_feed(struct pipeline *line)
{
	int i;

	for (i = 0; i < WORKERS; i++)
		wait_for_completion(&line->waiting);
	tell("main: sending one value to %d waiting workers", WORKERS);
	WRITE_ONCE(line->value, VALUE);
	wake_up(&line->wait);
	wait_for_completion(&line->taken);
}

static int play_pipeline(void)
{
	struct pipeline line = { .alive = ATOMIC_INIT(0) };
	int i, err, started = 0, served = 0, let_go = 0;
	struct ctx_thread *threads[WORKERS];
	struct ctx *ctx;

	init_waitqueue_head(&line.wait);
	init_completion(&line.waiting);
	init_completion(&line.taken);

	/* Errors are handed down: from here to the threads, from there to join. */
	ctx = ctx_with_cancel(ctx_background(), GFP_KERNEL);
	for (i = 0; i < WORKERS; i++) {
		threads[i] = ctx_thread_run(ctx, worker, &line, "worker-%d", i + 1);
		started += !IS_ERR(threads[i]);
	}
	if (started == WORKERS)
		pipeline_feed(&line);

	tell("main: cancelling the context; nobody is told one by one");
	ctx_cancel(ctx);
	for (i = 0; i < WORKERS; i++) {
		err = ctx_thread_join(threads[i]);
		served += !err;
		let_go += err == -ECANCELED;
	}
	ctx_put(ctx);

	tell("main: %d started, %d served, %d let go, %d still running",
	     started, served, let_go, atomic_read(&line.alive));
	return served == 1 && let_go == WORKERS - 1 && !atomic_read(&line.alive) ? 0 : -EIO;
}

/*
 * The deadline: three levels, of which only the outermost is about to run out of
 * time. The innermost asks for ten seconds and gets what is left above it.
 */
static struct {
	const char *name;
	struct ctx *ctx;
} levels[] = { { .name = "request" }, { .name = "query" }, { .name = "disk read" } };

static int levels_derive(void)
{
	levels[0].ctx = ctx_with_timeout_cause(ctx_background(), ms_to_ktime(200), -ETIME,
					       GFP_KERNEL);
	levels[1].ctx = ctx_with_cancel(levels[0].ctx, GFP_KERNEL);
	levels[2].ctx = ctx_with_timeout(levels[1].ctx, ms_to_ktime(10000), GFP_KERNEL);
	return PTR_ERR_OR_ZERO(levels[2].ctx);
}

static void levels_tell(void)
{
	char path[128];
	int i;

	for (i = 0; i < ARRAY_SIZE(levels); i++) {
		ctx_describe(levels[i].ctx, path, sizeof(path));
		tell("%s: %s", levels[i].name, path);
	}
}

/* Every level ended with the first one's error and cause, and not early. */
static bool levels_check(void)
{
	struct ctx_origin origin;
	bool good = true;
	int i;

	for (i = 0; i < ARRAY_SIZE(levels); i++) {
		tell_end(levels[i].name, levels[i].ctx);
		good &= !ctx_origin(levels[i].ctx, &origin) && origin.ctx == levels[0].ctx &&
			origin.err == -ETIMEDOUT && origin.cause == -ETIME &&
			ktime_ms_delta(origin.time, start) >= 200;
	}
	return good;
}

static int play_deadline(void)
{
	int i, err;

	err = levels_derive();
	if (!err) {
		levels_tell();
		tell("disk read: going to sleep for 10 seconds");
		err = ctx_sleep(levels[2].ctx, ms_to_ktime(10000));
		tell("disk read: woken with %pe", ERR_PTR(err));
		err = err == -ETIMEDOUT && levels_check() ? 0 : -EIO;
	}
	for (i = ARRAY_SIZE(levels) - 1; i >= 0; i--)
		ctx_put(levels[i].ctx);
	return err;
}

static int __init scene_init(void)
{
	start = ktime_get();
	if (!strcmp(scene, "pipeline"))
		return play_pipeline();
	if (!strcmp(scene, "deadline"))
		return play_deadline();
	return -EINVAL;
}

/* Every thread was joined and every reference dropped: nothing is left to undo. */
static void __exit scene_exit(void) { }

module_init(scene_init);
module_exit(scene_exit);
MODULE_DESCRIPTION("ctx sample: threads and deadlines, told step by step");
MODULE_LICENSE("GPL");
