// SPDX-License-Identifier: GPL-2.0
/*
 * Letting go of files that others may have closed long ago.
 *
 * The last reference on a pipe waits for its lock, which somebody else may hold as long
 * as he likes, over a page of his own; that on a socket with SO_LINGER for as long as its
 * owner said, and for what the other side does. That is for the owner to wait for: not
 * for whoever has the last reference on a context, nor for the kernel's one worker that
 * releases files for kernel threads, behind which everybody else's would wait. So these
 * go by workers, where users take turns (turn.c), and sockets do not linger, unless two
 * references go at the same moment, and neither is the last one when it is looked at.
 *
 * A file stays charged to its user until then, and keeps the module: what is held up does
 * not make room, and to unload is refused, where that would wait for as long as somebody
 * likes.
 */
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/net.h>
#include <linux/slab.h>
#include <linux/workqueue.h>
#include <net/sock.h>

#include "internal.h"

/* For those that are charged to nobody, as they are the kernel's. */
static struct workqueue_struct *ctx_linger_wq;

/* A time of 0 is no wait, but has the connection reset: that stays. */
static void ctx_do_not_linger(struct sock *sk)
{
	lock_sock(sk);
	if (sk->sk_lingertime)
		sock_reset_flag(sk, SOCK_LINGER);
	release_sock(sk);
}

/*
 * In a worker, which may be held up. @asker, unless NULL, may just be asking @file, with a
 * reference that must not be the last one.
 */
void ctx_file_let_go(struct file *file, struct work_struct *asker)
{
	if (asker)
		flush_work(asker);
	if (IS_ENABLED(CONFIG_INET) && ctx_is_inet(file) && file_count(file) == 1)
		ctx_do_not_linger(sock_from_file(file)->sk);
	__fput_sync(file);
}

static bool ctx_may_be_held_up(struct file *file)
{
	return ctx_is_pipe(file) || ctx_is_inet(file);
}

static void ctx_release_work(struct work_struct *work)
{
	struct ctx_release *release = container_of(work, struct ctx_release, turn.work);
	struct ctx_account *account = release->turn.account;

	if (!ctx_turn_begin(&release->turn))
		return;
	ctx_file_let_go(release->file, release->asker);
	ctx_turn_end(&release->turn);
	release->released(release);
	ctx_account_released(account);
}

/* @file, which is charged to a user, will be let go, by the next or in another turn. */
void ctx_release_expect(struct file *file)
{
	if (ctx_may_be_held_up(file))
		ctx_turn_expect();
}

/*
 * Lets go of @file, as ctx_file_let_go() does, and then uncharges @account for it.
 * @released, which must not sleep, gets the storage back, from a worker or before this
 * returns. In any context but a hard interrupt.
 */
void ctx_release_file(struct ctx_release *release, struct file *file, struct work_struct *asker,
		      struct ctx_account *account, void (*released)(struct ctx_release *release))
{
	if (!ctx_may_be_held_up(file)) {
		fput(file);
		released(release);
		ctx_account_uncharge(CTX_CHARGE_FILE, account);
		return;
	}
	release->file = file;
	release->asker = asker;
	release->released = released;
	ctx_account_releasing(account);
	ctx_turn_queue(&release->turn, account, ctx_release_work);
}

struct ctx_let_go {
	struct work_struct work;
	struct file *file;
	struct work_struct *asker;
};

static void ctx_let_go_work(struct work_struct *work)
{
	struct ctx_let_go *let_go = container_of(work, struct ctx_let_go, work);
	struct file *file = let_go->file;
	struct work_struct *asker = let_go->asker;

	kfree(let_go);
	ctx_file_let_go(file, asker);
	/* Who unloads the module waits for the worker that is here. */
	module_put(THIS_MODULE);
}

/*
 * As ctx_file_let_go(), for a file that is charged to nobody, and nobody waits for it.
 * Without memory it is fput(). Any context but NMI.
 */
void ctx_file_put(struct file *file, struct work_struct *asker)
{
	struct ctx_let_go *let_go = NULL;

	if (ctx_may_be_held_up(file))
		let_go = kmalloc(sizeof(*let_go), GFP_ATOMIC | __GFP_NOWARN);
	if (!let_go) {
		fput(file);
		return;
	}
	__module_get(THIS_MODULE);
	let_go->file = file;
	let_go->asker = asker;
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
