// SPDX-License-Identifier: GPL-2.0
/*
 * A sample: a block device in memory whose requests carry a deadline. Each has a
 * context of its own, derived from the device's, which is done when unbinding begins.
 * Where the backend stalls, each ends with its cause: ETIMEDOUT or, unbound, ENODEV.
 */
#include <linux/blk-mq.h>
#include <linux/ctx.h>
#include <linux/module.h>
#include <linux/platform_device.h>

#include "../compat.h"

static unsigned int timeout_ms = 1000;
module_param(timeout_ms, uint, 0644);
MODULE_PARM_DESC(timeout_ms, "how long a request may take, in milliseconds");

static bool stall;
module_param(stall, bool, 0644);
MODULE_PARM_DESC(stall, "serve nothing; looked at when a request comes");

/* What blk-mq allocates with each request. */
struct blk_req {
	struct ctx *ctx;
	struct ctx_callback done;
	struct list_head node;		/* in blk_queue */
	blk_status_t status;
};

static u8 blk_data[SZ_1M];
static LIST_HEAD(blk_queue);
static DEFINE_SPINLOCK(blk_lock);	/* protects blk_queue; see blk_next() */
static DECLARE_WAIT_QUEUE_HEAD(blk_wait);
static struct ctx *blk_ctx;
static struct ctx_thread *blk_thread;
static struct gendisk *blk_disk;

static void blk_end(struct blk_req *req, blk_status_t status)
{
	req->status = status;
	blk_mq_complete_request(blk_mq_rq_from_pdu(req));
}

/* Its context is done: runs where the deadline or the canceller does. */
static void blk_req_done(struct ctx *ctx, struct ctx_callback *cb)
{
	struct blk_req *req = container_of(cb, struct blk_req, done);
	unsigned long flags;

	spin_lock_irqsave(&blk_lock, flags);
	list_del_init(&req->node);
	spin_unlock_irqrestore(&blk_lock, flags);
	blk_end(req, errno_to_blk_status(ctx_cause(ctx)));
}

static blk_status_t blk_queue_rq(struct blk_mq_hw_ctx *hctx, const struct blk_mq_queue_data *bd)
{
	struct blk_req *req = blk_mq_rq_to_pdu(bd->rq);
	unsigned long flags;
	int err;

	req->ctx = ctx_with_timeout(blk_ctx, ms_to_ktime(timeout_ms), GFP_ATOMIC);
	if (IS_ERR(req->ctx))
		return BLK_STS_RESOURCE;
	blk_mq_start_request(bd->rq);
	spin_lock_irqsave(&blk_lock, flags);
	err = ctx_callback_add(req->ctx, &req->done, blk_req_done);
	if (!err)
		list_add_tail(&req->node, &blk_queue);
	spin_unlock_irqrestore(&blk_lock, flags);
	if (err)	/* it was done by then, and does not call back */
		blk_end(req, errno_to_blk_status(ctx_cause(req->ctx)));
	else
		wake_up(&blk_wait);
	return BLK_STS_OK;
}

static void blk_complete_rq(struct request *rq)
{
	struct blk_req *req = blk_mq_rq_to_pdu(rq);

	ctx_put(req->ctx);
	blk_mq_end_request(rq, req->status);
}

static const struct block_device_operations blk_fops = { .owner = THIS_MODULE };
static const struct blk_mq_ops blk_ops = { .queue_rq = blk_queue_rq, .complete = blk_complete_rq };

static struct blk_mq_tag_set blk_tags = {
	.ops = &blk_ops, .nr_hw_queues = 1, .queue_depth = 64,
	.cmd_size = sizeof(struct blk_req),
};

/* One that its context does not end any more. Under the lock, so that it is there. */
static struct blk_req *blk_next(void)
{
	struct blk_req *req, *next = NULL;

	spin_lock_irq(&blk_lock);
	while (!stall && !next &&
	       (req = list_first_entry_or_null(&blk_queue, struct blk_req, node))) {
		list_del_init(&req->node);
		if (ctx_callback_remove(req->ctx, &req->done))
			next = req;
	}
	spin_unlock_irq(&blk_lock);
	return next;
}

static void blk_serve(struct blk_req *req)
{
	struct request *rq = blk_mq_rq_from_pdu(req);
	u8 *data = blk_data + (blk_rq_pos(rq) << SECTOR_SHIFT);
	struct req_iterator iter;
	struct bio_vec bvec;

	rq_for_each_segment(bvec, rq, iter) {
		if (rq_data_dir(rq) == WRITE)
			memcpy_from_bvec(data, &bvec);
		else
			memcpy_to_bvec(&bvec, data);
		data += bvec.bv_len;
	}
	blk_end(req, BLK_STS_OK);
}

static int blk_backend(struct ctx *ctx, void *unused)
{
	struct blk_req *req;

	while (!ctx_wait_event(ctx, blk_wait, (req = blk_next())))
		blk_serve(req);
	return 0;
}

/* Their context is done by now: whatever stalls, this does not wait for it. */
static void blk_remove(void *unused)
{
	if (blk_disk) {
		del_gendisk(blk_disk);
		put_disk(blk_disk);
		blk_disk = NULL;
	}
	ctx_thread_stop(blk_thread);
	blk_mq_free_tag_set(&blk_tags);
}

static int blk_probe(struct platform_device *pdev)
{
	int err = blk_mq_alloc_tag_set(&blk_tags);
	struct gendisk *disk;

	if (err)
		return err;
	blk_ctx = devm_ctx_with_cancel(&pdev->dev, ctx_background());
	blk_thread = ctx_thread_run(blk_ctx, blk_backend, NULL, "ctx_blk");
	err = devm_add_action_or_reset(&pdev->dev, blk_remove, NULL) ?:
	      PTR_ERR_OR_ZERO(blk_thread);
	if (err)
		return err;
	disk = ctx_blk_mq_alloc_disk(&blk_tags);
	if (IS_ERR(disk))
		return PTR_ERR(disk);
	disk->fops = &blk_fops;
	strscpy(disk->disk_name, "ctx_blk", sizeof(disk->disk_name));
	set_capacity(disk, sizeof(blk_data) >> SECTOR_SHIFT);
	err = add_disk(disk);
	if (err)
		put_disk(disk);
	else
		blk_disk = disk;
	return err;
}

static struct platform_driver blk_driver = { .probe = blk_probe, .driver.name = "ctx_blk" };
static struct platform_device *blk_device;

static int __init blk_init(void)
{
	int err = platform_driver_register(&blk_driver);

	if (err)
		return err;
	blk_device = platform_device_register_simple("ctx_blk", PLATFORM_DEVID_NONE, NULL, 0);
	if (IS_ERR(blk_device))
		platform_driver_unregister(&blk_driver);
	return PTR_ERR_OR_ZERO(blk_device);
}
module_init(blk_init);

static void __exit blk_exit(void)
{
	platform_device_unregister(blk_device);
	platform_driver_unregister(&blk_driver);
}
module_exit(blk_exit);

MODULE_DESCRIPTION("ctx sample: a block device whose requests carry a deadline");
MODULE_LICENSE("GPL");
