// SPDX-License-Identifier: GPL-2.0
/*
 * Turns: what is done with files for a user may be held up, for as long as somebody
 * likes who holds the lock of a pipe over a page of his own. The workers for it are some
 * hundreds, for all; so what is under way for one user at a time is bounded, and the
 * same for those in user namespaces that he owns: whoever holds up a file holds up
 * nobody but that user, and not who made the namespace.
 */
#include <linux/module.h>
#include <linux/workqueue.h>

#include "internal.h"

/* What may be under way at once. */
#define CTX_TURNS	64

static struct workqueue_struct *ctx_turn_wq;

/*
 * There is something that will take a turn, once. Until it ends the module stays: to unload
 * it is refused, where that would wait for as long as somebody likes. Who calls keeps it
 * himself: later nobody else may, as when the last descriptor is being closed.
 */
void ctx_turn_expect(void)
{
	__module_get(THIS_MODULE);
}

/*
 * Has @fn called by a worker, which begins with ctx_turn_begin(). @account is charged for
 * something until ctx_turn_end().
 */
void ctx_turn_queue(struct ctx_turn *turn, struct ctx_account *account, work_func_t fn)
{
	turn->account = account;
	turn->admitted = false;
	INIT_WORK(&turn->work, fn);
	queue_work(ctx_turn_wq, &turn->work);
}

/*
 * Whether it may begin. If not, it is queued once more when another one has ended, which
 * hands its place on.
 */
bool ctx_turn_begin(struct ctx_turn *turn)
{
	struct ctx_turns *turns;
	unsigned long flags;
	bool begins;

	if (turn->admitted)
		return true;
	spin_lock_irqsave(&ctx_account_lock, flags);
	turns = ctx_account_turns(turn->account);
	begins = turns->running < CTX_TURNS;
	if (begins)
		turns->running++;
	else
		list_add_tail(&turn->parked, &turns->parked);
	spin_unlock_irqrestore(&ctx_account_lock, flags);
	return begins;
}

/* Hands the place on. Who unloads the module waits for the worker that is here. */
void ctx_turn_end(struct ctx_turn *turn)
{
	struct ctx_turn *next;
	struct ctx_turns *turns;
	unsigned long flags;

	spin_lock_irqsave(&ctx_account_lock, flags);
	turns = ctx_account_turns(turn->account);
	next = list_first_entry_or_null(&turns->parked, struct ctx_turn, parked);
	if (next) {
		list_del(&next->parked);
		next->admitted = true;
	} else {
		turns->running--;
	}
	spin_unlock_irqrestore(&ctx_account_lock, flags);
	if (next)
		queue_work(ctx_turn_wq, &next->work);
	module_put(THIS_MODULE);
}

int ctx_turn_init(void)
{
	/*
	 * Without a rescuer: that would take all that waits upon itself, in a row
	 * behind one that is held up.
	 */
	ctx_turn_wq = alloc_workqueue("ctx_turn", WQ_UNBOUND, WQ_MAX_ACTIVE);
	return ctx_turn_wq ? 0 : -ENOMEM;
}

void ctx_turn_exit(void)
{
	destroy_workqueue(ctx_turn_wq);
}
