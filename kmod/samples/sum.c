// SPDX-License-Identifier: GPL-2.0
/*
 * A sample: /dev/ctx_sum checksums what it is given, again and again, in a group of
 * threads, under a context that the caller passes in.
 *
 * The job ends early when that context is done: cancelled, out of time, or because who
 * could cancel it died; when the one that the caller's cgroup runs under is; and when
 * the caller is killed. The threads ask one question, and know of none of that.
 */
#include <linux/crc32.h>
#include <linux/ctx.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/uaccess.h>
#include <uapi/linux/ctx.h>

#include "sum.h"

#define SUM_STEP	SZ_64K	/* bytes between two looks at the context */
#define SUM_THREADS	64

struct sum_part {
	const u8 *data;
	size_t len;
	u32 rounds;
	u32 sum;
};

struct sum_job {
	struct ctx_group *group;
	struct ctx_link ambient;
	u8 *data;
	struct sum_part parts[SUM_THREADS];
};

static int sum_part(struct ctx *ctx, void *data)
{
	struct sum_part *part = data;
	u32 round, sum;
	size_t pos;
	int err;

	for (round = 0; round < part->rounds; round++) {
		for (sum = ~0, pos = 0; pos < part->len; pos += SUM_STEP) {
			err = ctx_err(ctx);
			if (err)
				return err;
			sum = crc32_le(sum, part->data + pos,
				       min_t(size_t, part->len - pos, SUM_STEP));
			cond_resched();
		}
		part->sum = ~sum;
	}
	return 0;
}

/* What the job is done with, besides by itself. */
static struct ctx *sum_parent(const struct ctx_sum *arg)
{
	return arg->ctx < 0 ? ctx_get(ctx_background()) :
			      ctx_get_from_fd(arg->ctx, CTX_RIGHT_DERIVE);
}

static int sum_begin(struct sum_job *job, const struct ctx_sum *arg)
{
	struct ctx *parent = sum_parent(arg), *ambient;
	int err;

	job->group = ctx_group_create(parent, GFP_KERNEL);
	ctx_put(parent);
	if (IS_ERR(job->group))
		return PTR_ERR(job->group);
	ambient = ctx_of_task(current);
	err = ctx_link(ctx_group_ctx(job->group), ambient, &job->ambient);
	ctx_put(ambient);
	return err;
}

static int sum_run(struct sum_job *job, const struct ctx_sum *arg)
{
	const size_t each = DIV_ROUND_UP(arg->len, arg->threads);
	size_t pos = 0;
	int i, err = 0;

	for (i = 0; !err && pos < arg->len; i++, pos += each) {
		job->parts[i] = (struct sum_part){
			.data = job->data + pos,
			.len = min_t(size_t, arg->len - pos, each),
			.rounds = arg->rounds,
		};
		err = ctx_group_run(job->group, sum_part, &job->parts[i], "ctx_sum/%d", i);
	}
	if (err)
		ctx_cancel_cause(ctx_group_ctx(job->group), err);
	return err;
}

/* The first error there was; killed, the caller lets the job go before he leaves. */
static int sum_wait(struct sum_job *job)
{
	int err = ctx_group_wait_killable(job->group);

	if (err == -ERESTARTSYS) {
		ctx_cancel_cause(ctx_group_ctx(job->group), -EINTR);
		ctx_group_wait(job->group);
		return -EINTR;
	}
	return err;
}

static int sum_do(struct sum_job *job, struct ctx_sum *arg)
{
	int i, err, started = sum_begin(job, arg);

	if (IS_ERR(job->group))
		return started;
	if (!started)
		started = sum_run(job, arg);
	err = sum_wait(job);
	/* What could not be started ends the others. */
	err = started ?: err;
	ctx_unlink(&job->ambient);
	ctx_group_put(job->group);
	for (i = 0; i < SUM_THREADS; i++)
		arg->sum ^= job->parts[i].sum;
	return err;
}

static int sum_with_data(struct ctx_sum *arg)
{
	struct sum_job *job = kzalloc(sizeof(*job), GFP_KERNEL);
	int err;

	if (!job)
		return -ENOMEM;
	job->data = vmemdup_user(u64_to_user_ptr(arg->data), arg->len);
	err = PTR_ERR_OR_ZERO(job->data);
	if (!err) {
		err = sum_do(job, arg);
		kvfree(job->data);
	}
	kfree(job);
	return err;
}

static long sum_ioctl(struct file *file, unsigned int cmd, unsigned long data)
{
	struct ctx_sum __user *user = (void __user *)data;
	struct ctx_sum arg;
	int err;

	if (cmd != CTX_SUM)
		return -ENOTTY;
	if (copy_from_user(&arg, user, sizeof(arg)))
		return -EFAULT;
	if (arg.sum || arg.reserved || !arg.len || arg.len > CTX_SUM_MAX || !arg.threads ||
	    arg.threads > SUM_THREADS)
		return -EINVAL;
	err = sum_with_data(&arg);
	if (err)
		return err;
	return put_user(arg.sum, &user->sum);
}

static const struct file_operations sum_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = sum_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice sum_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "ctx_sum",
	.fops = &sum_fops,
	.mode = 0666,
};
module_misc_device(sum_device);

MODULE_DESCRIPTION("ctx sample: long jobs under a caller's context");
MODULE_LICENSE("GPL");
