// SPDX-License-Identifier: GPL-2.0
/*
 * A storm of deadlines: very many contexts, each with a timer and a callback,
 * that all run out within a few milliseconds. Each must do so once and not
 * early; how late they are is a distribution, and so is for how long interrupts
 * are kept off. The same is done with bare timers, whose function does what the
 * callback does.
 *
 * Two witnesses tell about interrupts. The probe is a timer itself, so it stands
 * in line with the others: its lateness is the upper bound. A thread on each CPU
 * that does nothing but read the clock sees for how long it was kept from that:
 * an interrupt, the next one if that comes at once, and softirqs.
 */
#include <linux/bits.h>
#include <linux/cpumask.h>
#include <linux/ctx.h>
#include <linux/delay.h>
#include <linux/hrtimer.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/slab.h>

#include "kmod/compat.h"
#include "load.h"

#define LOAD_STRIDE		7919		/* prime: deadlines are not in order */
#define LOAD_TRIAL		2000
#define LOAD_WAIT_MS		120000
#define LOAD_GAP_NS		1000		/* shorter ones are no interrupt */
#define LOAD_GAPS		BIT(17)

struct load_expiry {
	struct ctx *ctx;
	struct ctx_callback cb;
	struct hrtimer timer;	/* instead of the context */
	ktime_t deadline;
	s64 late;		/* by whoever runs it */
	unsigned int runs;
};

struct load_storm;

struct load_share {
	struct load_storm *storm;
	unsigned int first;	/* of its expiries; then each cpus-th */
	struct load_samples gaps;
};

struct load_storm {
	const char *name;
	bool bare;		/* timers instead of contexts */
	unsigned int n, cpus;
	struct load_expiry *all;
	struct load_share *shares;	/* one for each CPU */
	struct ctx *parent;
	ktime_t base;		/* the first is due */
	ktime_t last;		/* the last has run */
	bool over;
};

static DEFINE_PER_CPU(unsigned int, load_expired);

static void load_expire(struct load_expiry *expiry)
{
	expiry->late = ktime_sub(ktime_get(), expiry->deadline);
	expiry->runs++;
	this_cpu_inc(load_expired);
}

static void load_expire_cb(struct ctx *ctx, struct ctx_callback *cb)
{
	load_expire(container_of(cb, struct load_expiry, cb));
}

static enum hrtimer_restart load_expire_timer(struct hrtimer *timer)
{
	load_expire(container_of(timer, struct load_expiry, timer));
	return HRTIMER_NORESTART;
}

static unsigned int load_count_expired(void)
{
	unsigned int n = 0;
	int cpu;

	for_each_online_cpu(cpu)
		n += per_cpu(load_expired, cpu);
	return n;
}

/* One that is done already shows that it took too long: see load_storm_arm(). */
static int load_arm(struct load_storm *storm, struct load_expiry *expiry)
{
	int err;

	if (storm->bare) {
		hrtimer_setup(&expiry->timer, load_expire_timer, CLOCK_MONOTONIC,
			      HRTIMER_MODE_ABS);
		hrtimer_start(&expiry->timer, expiry->deadline, HRTIMER_MODE_ABS);
		return 0;
	}
	expiry->ctx = ctx_with_deadline(storm->parent, expiry->deadline, GFP_KERNEL);
	if (IS_ERR(expiry->ctx))
		return PTR_ERR(expiry->ctx);
	err = ctx_callback_add(expiry->ctx, &expiry->cb, load_expire_cb);
	return err == -ENOENT ? 0 : err;
}

static void load_disarm(struct load_storm *storm, struct load_expiry *expiry)
{
	if (storm->bare) {
		if (expiry->timer.function)
			hrtimer_cancel(&expiry->timer);
	} else if (!IS_ERR_OR_NULL(expiry->ctx)) {
		ctx_callback_remove_sync(expiry->ctx, &expiry->cb);
		ctx_put(expiry->ctx);
	}
}

static int load_share_arm(void *data)
{
	struct load_share *share = data;
	struct load_storm *storm = share->storm;
	unsigned int i;
	int err = 0;

	for (i = share->first; i < storm->n && !err; i += storm->cpus) {
		const u64 slot = (u64)i * LOAD_STRIDE % storm->n;
		struct load_expiry *expiry = &storm->all[i];

		expiry->deadline = ktime_add_ns(storm->base,
						div_u64(slot * load_spread_ms * NSEC_PER_MSEC,
							storm->n));
		err = load_arm(storm, expiry);
		cond_resched();
	}
	return err;
}

/* Reads the clock until it is over. Others have the CPU between the turns only. */
static int load_share_watch(void *data)
{
	struct load_share *share = data;
	s64 start, before, now;

	while (!READ_ONCE(share->storm->over)) {
		preempt_disable();
		start = ktime_get_ns();
		now = start;
		do {
			before = now;
			now = ktime_get_ns();
			if (now - before >= LOAD_GAP_NS)
				load_samples_add(&share->gaps, now - before, now);
		} while (now - start < NSEC_PER_MSEC);
		preempt_enable();
		cond_resched();
	}
	return 0;
}

/* How long arming all of them will take at most, by trying a few. */
static int load_lead(struct load_storm *storm, u64 *lead)
{
	const u64 start = ktime_get_ns();
	unsigned int i;
	int err = 0;

	for (i = 0; i < LOAD_TRIAL && i < storm->n && !err; i++) {
		storm->all[i].deadline = ktime_add_ms(start, 3600000);
		err = load_arm(storm, &storm->all[i]);
	}
	*lead = (ktime_get_ns() - start) * storm->n / LOAD_TRIAL * 3 + 200 * NSEC_PER_MSEC;
	while (i)
		load_disarm(storm, &storm->all[--i]);
	memset(storm->all, 0, storm->n * sizeof(*storm->all));
	return err;
}

static void load_storm_clear(struct load_storm *storm)
{
	unsigned int i;

	for (i = 0; i < storm->n; i++) {
		load_disarm(storm, &storm->all[i]);
		if (i % 1024 == 0)
			cond_resched();
	}
	memset(storm->all, 0, storm->n * sizeof(*storm->all));
}

/* Arms all before the first is due, taking longer if that is too short. */
static int load_storm_arm(struct load_storm *storm)
{
	int err, cpu, tries;
	u64 lead;

	err = load_lead(storm, &lead);
	for (tries = 0; tries < 4 && !err; tries++, lead *= 2) {
		for_each_online_cpu(cpu)
			per_cpu(load_expired, cpu) = 0;
		storm->base = ktime_add_ns(ktime_get(), lead);
		load_say("%s: arming %u, due in %llu ms", storm->name, storm->n,
			 div_u64(lead, NSEC_PER_MSEC));
		err = load_on_cpus(storm->cpus, load_share_arm, storm->shares,
				   sizeof(*storm->shares));
		if (err || ktime_before(ktime_get(), storm->base))
			return err;
		load_storm_clear(storm);
	}
	return err ?: -ETIME;
}

static void load_storm_sleep(struct load_storm *storm)
{
	const ktime_t limit = ktime_add_ms(storm->base, LOAD_WAIT_MS);
	ktime_t now;

	while (now = ktime_get(), ktime_before(now, ktime_sub_ns(storm->base, NSEC_PER_MSEC)))
		usleep_range(500, 1000);
	while (load_count_expired() < storm->n && ktime_before(ktime_get(), limit))
		msleep(20);
	msleep(50);	/* for one too many */
}

static void load_storm_find_last(struct load_storm *storm)
{
	unsigned int i;

	storm->last = storm->base;
	for (i = 0; i < storm->n; i++)
		storm->last = max(storm->last, ktime_add_ns(storm->all[i].deadline,
							    storm->all[i].late));
}

/* Watches it from just before it begins until all have run. */
static int load_storm_watch(struct load_storm *storm)
{
	struct load_thread *threads = kcalloc(storm->cpus, sizeof(*threads), GFP_KERNEL);
	unsigned int started;
	int err = 0, stopped;

	if (!threads)
		return -ENOMEM;
	for (started = 0; started < storm->cpus; started++) {
		err = load_thread_start(&threads[started], started, load_share_watch,
					&storm->shares[started]);
		if (err)
			break;
	}
	if (!err)
		load_storm_sleep(storm);
	WRITE_ONCE(storm->over, true);
	while (started)
		load_thread_join(&threads[--started]);
	kfree(threads);
	load_storm_find_last(storm);
	stopped = load_probe_stop(storm->name, storm->base, storm->last);
	return err ?: stopped;
}

static bool load_timed_out(const struct load_storm *storm, const struct load_expiry *expiry)
{
	return storm->bare || ctx_err(expiry->ctx) == -ETIMEDOUT;
}

/* Each once, by its own deadline, and none early (S8). */
static int load_storm_judge(struct load_storm *storm)
{
	unsigned int i, lost = 0, early = 0, twice = 0;

	for (i = 0; i < storm->n; i++) {
		const struct load_expiry *expiry = &storm->all[i];

		lost += !expiry->runs || !load_timed_out(storm, expiry);
		twice += expiry->runs > 1;
		early += expiry->runs && expiry->late < 0;
	}
	load_measure("count", storm->n - lost, "%s.expired", storm->name);
	load_measure("count", lost, "%s.lost", storm->name);
	load_measure("count", early, "%s.early", storm->name);
	if (!lost && !early && !twice)
		return 0;
	pr_err("bench: FAILED %s: %u lost, %u early, %u twice\n", storm->name, lost, early,
	       twice);
	return -EIO;
}

static void load_storm_print_late(struct load_storm *storm, struct load_samples *samples)
{
	unsigned int i;

	samples->n = 0;
	for (i = 0; i < storm->n; i++)
		load_samples_add(samples, storm->all[i].late, storm->base);
	load_samples_print(samples, storm->name, "late");
}

static void load_storm_print_gaps(struct load_storm *storm, struct load_samples *samples)
{
	unsigned int i;
	s64 sum = 0;

	samples->n = 0;
	for (i = 0; i < storm->cpus; i++)
		load_samples_move(samples, &storm->shares[i].gaps, storm->base, storm->last);
	for (i = 0; i < samples->n; i++)
		sum += samples->at[i].value;
	load_measure("ns", sum, "%s.kept_off.sum", storm->name);
	load_samples_print(samples, storm->name, "kept_off");
}

static int load_storm_print(struct load_storm *storm)
{
	struct load_samples samples;
	int err = load_samples_init(&samples, max_t(size_t, storm->n, LOAD_GAPS * storm->cpus));

	if (err)
		return err;
	load_measure("ns", ktime_sub(storm->last, storm->base), "%s.took", storm->name);
	load_storm_print_late(storm, &samples);
	load_storm_print_gaps(storm, &samples);
	load_samples_free(&samples);
	return 0;
}

static int load_storm_shares(struct load_storm *storm)
{
	unsigned int i;
	int err;

	for (i = 0; i < storm->cpus; i++) {
		storm->shares[i].storm = storm;
		storm->shares[i].first = i;
		err = load_samples_init(&storm->shares[i].gaps, LOAD_GAPS);
		if (err)
			return err;
	}
	return 0;
}

static int load_storm_do(struct load_storm *storm)
{
	int err = load_storm_shares(storm) ?: load_storm_arm(storm) ?: load_probe_start() ?:
		  load_storm_watch(storm);

	if (err)
		return err;
	err = load_storm_judge(storm);
	return load_storm_print(storm) ?: err;
}

static int load_storm_run(const char *name, bool bare)
{
	struct load_storm storm = {
		.name = name,
		.bare = bare,
		.n = load_deadlines,
		.cpus = num_online_cpus(),
		.all = kvcalloc(load_deadlines, sizeof(*storm.all), GFP_KERNEL),
		.shares = kcalloc(num_online_cpus(), sizeof(*storm.shares), GFP_KERNEL),
		.parent = ctx_with_cancel(ctx_background(), GFP_KERNEL),
	};
	unsigned int i;
	int err = -ENOMEM;

	if (storm.all && storm.shares && !IS_ERR(storm.parent)) {
		err = load_storm_do(&storm);
		load_storm_clear(&storm);
		for (i = 0; i < storm.cpus; i++)
			load_samples_free(&storm.shares[i].gaps);
	}
	ctx_put(storm.parent);
	kfree(storm.shares);
	kvfree(storm.all);
	return err;
}

int load_storm(void)
{
	const long before = load_slab_pages();
	int err;

	if (load_deadlines % LOAD_STRIDE == 0)
		return -EINVAL;
	err = load_probe_check() ?: load_storm_run("storm.hrtimer", true) ?:
	      load_storm_run("storm.kernel", false);
	return load_slab_back("storm.kernel", before) ?: err;
}
