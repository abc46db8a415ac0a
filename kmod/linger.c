// SPDX-License-Identifier: GPL-2.0
/*
 * Letting go of files that others may have closed long ago.
 *
 * The last reference on a socket with SO_LINGER waits, for as long as its owner said,
 * and for what the other side does. That is for the owner to do: not for whoever has
 * the last reference on a context, nor for the kernel's one worker that releases files
 * for kernel threads, behind which everybody else's would wait. So sockets go by workers
 * of our own, and do not linger unless the owner, who closes it at the same moment, gets
 * past the look at whether he has; then it is one of the many workers that waits.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/net.h>
#include <linux/slab.h>
#include <linux/workqueue.h>
#include <net/sock.h>

#include "internal.h"

struct ctx_let_go {
	struct work_struct work;
	struct file *file;
};

static struct workqueue_struct *ctx_linger_wq;

/* A time of 0 is no wait, but has the connection reset: that stays. */
static void ctx_do_not_linger(struct sock *sk)
{
	lock_sock(sk);
	if (sk->sk_lingertime)
		sock_reset_flag(sk, SOCK_LINGER);
	release_sock(sk);
}

static void ctx_let_go_work(struct work_struct *work)
{
	struct ctx_let_go *let_go = container_of(work, struct ctx_let_go, work);
	struct file *file = let_go->file;

	kfree(let_go);
	if (file_count(file) == 1)
		ctx_do_not_linger(sock_from_file(file)->sk);
	__fput_sync(file);
}

/*
 * As fput(), in any context but a hard interrupt, and nobody waits for it. Without memory
 * it is fput().
 */
void ctx_file_put(struct file *file)
{
	struct ctx_let_go *let_go = NULL;

	if (ctx_is_inet(file))
		let_go = kmalloc(sizeof(*let_go), GFP_ATOMIC | __GFP_NOWARN);
	if (!let_go) {
		fput(file);
		return;
	}
	let_go->file = file;
	INIT_WORK(&let_go->work, ctx_let_go_work);
	queue_work(ctx_linger_wq, &let_go->work);
}

int ctx_linger_init(void)
{
	ctx_linger_wq = alloc_workqueue("ctx_linger", WQ_UNBOUND, WQ_MAX_ACTIVE);
	return ctx_linger_wq ? 0 : -ENOMEM;
}

void ctx_linger_exit(void)
{
	destroy_workqueue(ctx_linger_wq);
}
