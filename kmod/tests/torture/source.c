// SPDX-License-Identifier: GPL-2.0
/*
 * Sources: one that this fires itself, from a thread or an interrupt, and a file. No
 * kernel lets modules open an eventfd: the file has the name of a timerfd, which is how
 * those are known.
 */
#include <linux/anon_inodes.h>
#include <linux/delay.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/poll.h>
#include <linux/slab.h>

#include "torture.h"

struct tor_source {
	struct tor_pending pending;
	struct ctx_source source;
	struct hrtimer timer;		/* may fire it */
	struct tor_file *file;		/* or NULL */
	int cause;
	bool attached;
	bool fired;
};

static const struct ctx_source_ops tor_source_ops = { .name = "torture" };

struct tor_file {
	struct file *file;
	wait_queue_head_t wait;
	bool ready;
};

static __poll_t tor_file_poll(struct file *file, struct poll_table_struct *table)
{
	struct tor_file *tf = file->private_data;

	poll_wait(file, &tf->wait, table);
	return READ_ONCE(tf->ready) ? EPOLLIN : 0;
}

static int tor_file_release(struct inode *inode, struct file *file)
{
	kfree(file->private_data);
	return 0;
}

static const struct file_operations tor_file_fops = {
	.owner = THIS_MODULE,
	.poll = tor_file_poll,
	.release = tor_file_release,
};

static struct tor_file *tor_file_open(struct tor_actor *actor)
{
	struct tor_file *tf = kzalloc(sizeof(*tf), actor->gfp);

	if (!tf)
		return NULL;
	init_waitqueue_head(&tf->wait);
	tf->file = anon_inode_getfile("[timerfd]", &tor_file_fops, tf, O_RDWR);
	if (!IS_ERR(tf->file))
		return tf;
	kfree(tf);
	return NULL;
}

static void tor_source_fire(struct tor_source *source)
{
	WRITE_ONCE(source->fired, true);
	if (source->file) {
		WRITE_ONCE(source->file->ready, true);
		wake_up_poll(&source->file->wait, EPOLLIN);
	} else {
		ctx_source_fire(&source->source, source->cause);
	}
}

static enum hrtimer_restart tor_source_timer(struct hrtimer *timer)
{
	tor_source_fire(container_of(timer, struct tor_source, timer));
	return HRTIMER_NORESTART;
}

/* Whether it was this source that ended the node. */
static bool tor_source_did_it(const struct tor_place *place, const struct tor_source *source)
{
	struct tor_node *node = source->pending.node;
	struct ctx_origin origin;
	struct tor_seen seen;

	if (!tor_look(place, node, &seen) || seen.origin != node->ctx ||
	    seen.cause != source->cause)
		return false;
	ctx_origin(node->ctx, &origin);
	TOR_CHECK(place, "S11", !origin.pid, "ended by a source, but of process %d", origin.pid);
	return true;
}

static void tor_source_end(struct tor_actor *actor, struct tor_pending *pending)
{
	struct tor_source *source = container_of(pending, struct tor_source, pending);
	const struct tor_place *place = &pending->place;
	bool spared;

	if (source->attached && tor_pick(actor, 2))
		tor_source_fire(source);
	/* Until the worker has it in his hands, perhaps. */
	usleep_range(1, 2 << tor_pick(actor, 10));
	/* Nobody fires one that is being detached; a file may become ready any time. */
	if (!source->file)
		hrtimer_cancel(&source->timer);
	spared = ctx_source_detach(&source->source);
	hrtimer_cancel(&source->timer);
	if (!source->attached) {
		TOR_CHECK(place, "S15", !spared, "detached what was not attached");
	} else if (spared) {
		tor_spin(actor, 30);
		TOR_CHECK(place, "S15", !tor_source_did_it(place, source),
			  "ended by a source that was detached before");
	} else {
		TOR_CHECK(place, "S15", READ_ONCE(source->fired), "fired by nobody");
		TOR_CHECK(place, "S15", tor_err(place, pending->node), "live, though it has fired");
	}
	if (source->file)
		fput(source->file->file);
}

static int tor_source_attach(struct tor_source *source)
{
	struct ctx *ctx = source->pending.node->ctx;

	if (!source->file)
		return ctx_source_attach(ctx, &source->source, &tor_source_ops);
	return ctx_cancel_on_file(ctx, source->file->file, EPOLLIN, source->cause,
				  &source->source);
}

static unsigned int tor_source_run(struct tor_actor *actor, struct tor_node *node,
				   struct tor_file *file)
{
	struct tor_source *source = tor_pending_alloc(actor, node, sizeof(*source), tor_source_end);
	const bool was_done = tor_err(&actor->place, node);
	const bool stays = tor_pick(actor, 2) || actor->atomic;
	const ktime_t time = tor_pick(actor, 50) * NSEC_PER_USEC;
	int err;

	if (!source) {
		if (file)
			fput(file->file);
		return 2;
	}
	source->file = file;
	source->cause = tor_next_cause(actor);
	set_bit(actor->place.actor, node->told);
	hrtimer_setup(&source->timer, tor_source_timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
	err = tor_source_attach(source);
	source->attached = !err;
	if (err == -ENOENT)
		TOR_CHECK(&actor->place, "S15", tor_err(&actor->place, node), "refused, but live");
	else
		TOR_CHECK(&actor->place, "S15", err == (tor_is_scope(node) ? 0 : -EINVAL),
			  "attaching a source returned %d", err);
	TOR_CHECK(&actor->place, "S15", err || !was_done, "attached to what was done");
	if (!err && tor_pick(actor, 2))
		hrtimer_start(&source->timer, time, HRTIMER_MODE_REL);
	else if (!err && tor_pick(actor, 2))
		tor_source_fire(source);
	if (stays)
		tor_pending_leave(actor, &source->pending);
	else
		tor_pending_end(actor, &source->pending);
	return err ? 1 : 0;
}

/* On a node that may be ended; the top may not. */
static struct tor_node *tor_source_node(struct tor_actor *actor)
{
	struct tor_node *node = tor_any(actor), *child;

	if (node != node->world->top && tor_pick(actor, 2))
		return node;
	child = tor_derive(actor, node->world, node, TOR_CANCEL);
	tor_put(node);
	return child;
}

unsigned int tor_op_source(struct tor_actor *actor)
{
	struct tor_node *node = tor_source_node(actor);
	unsigned int outcome;

	if (!node)
		return 2;
	outcome = tor_source_run(actor, node, NULL);
	tor_put(node);
	return outcome;
}

unsigned int tor_op_file(struct tor_actor *actor)
{
	struct tor_file *file = tor_file_open(actor);
	struct tor_node *node = file ? tor_source_node(actor) : NULL;
	unsigned int outcome;

	if (!node) {
		if (file)
			fput(file->file);
		return 2;
	}
	outcome = tor_source_run(actor, node, file);
	tor_put(node);
	return outcome;
}
