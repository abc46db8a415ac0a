// SPDX-License-Identifier: GPL-2.0
/* Contexts as descriptors, of which kernel threads have a table of their own. */
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/poll.h>

#include "torture.h"

/* Ready if and only if it is done; that may happen meanwhile. */
static void tor_fd_poll(struct tor_actor *actor, struct tor_node *node, int fd)
{
	struct file *file = fget(fd);
	bool was_done = tor_err(&actor->place, node), ready;

	if (!file)
		return;
	ready = vfs_poll(file, NULL) & EPOLLIN;
	TOR_CHECK(&actor->place, "S3", ready || !was_done, "done, but not ready");
	TOR_CHECK(&actor->place, "S3", !ready || tor_err(&actor->place, node), "ready, but live");
	fput(file);
}

static void tor_fd_get(struct tor_actor *actor, struct tor_node *node, int fd, u32 rights)
{
	const u32 wanted = tor_pick(actor, 2) ? CTX_RIGHT_OBSERVE : CTX_RIGHT_CANCEL;
	struct ctx *ctx = ctx_get_from_fd(fd, wanted);

	TOR_CHECK(&actor->place, "fd", ctx == (rights & wanted ? node->ctx : ERR_PTR(-EPERM)),
		  "another context than was installed");
	ctx_put(ctx);
}

/* The last put of it may be a worker's. */
static void tor_fd_close(struct tor_actor *actor, struct tor_node *node, int fd, bool owner)
{
	TOR_CHECK(&actor->place, "fd", !close_fd(fd), "closed already");
	if (tor_pick(actor, 2))
		return;
	flush_delayed_fput();
	if (owner)
		TOR_CHECK(&actor->place, "fd", tor_err(&actor->place, node),
			  "live, though its owner closed it");
}

unsigned int tor_op_fd(struct tor_actor *actor)
{
	struct tor_node *parent = tor_any(actor);
	struct tor_node *node = tor_derive(actor, parent->world, parent,
					   tor_pick(actor, 2) ? TOR_CANCEL : TOR_SOON);
	const bool owner = tor_pick(actor, 2);
	const u32 rights = CTX_RIGHT_OBSERVE | (owner ? CTX_RIGHT_CANCEL : 0);
	int fd;

	tor_put(parent);
	if (!node)
		return 2;
	fd = ctx_install_fd(node->ctx, rights, owner ? CTX_INSTALL_OWNER : 0);
	TOR_CHECK(&actor->place, "fd", fd >= 0 || fd == -ENOMEM, "installing returned %d", fd);
	if (fd >= 0) {
		if (tor_pick(actor, 2))
			tor_show(actor, tor_get(node));
		tor_fd_get(actor, node, fd, rights);
		tor_fd_poll(actor, node, fd);
		if (tor_pick(actor, 2))
			tor_cancel(actor, node, tor_pick_how(actor));
		tor_fd_poll(actor, node, fd);
		tor_fd_close(actor, node, fd, owner);
	}
	tor_put(node);
	return owner;
}
