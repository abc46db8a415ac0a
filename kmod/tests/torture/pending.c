// SPDX-License-Identifier: GPL-2.0
/*
 * What operations leave behind, so that it is there while others go on: a thread ends
 * it some operations later, what its timers have left too. In a world that has been
 * retired nothing is left.
 */
#include "torture.h"

#define TOR_PENDING	8

/* Without memory it is NULL. The caller has a reference on @node, this takes another. */
void *tor_pending_alloc(struct tor_actor *actor, struct tor_node *node, size_t size,
			void (*end)(struct tor_actor *actor, struct tor_pending *pending))
{
	struct tor_pending *pending = tor_alloc(node->world, size, actor->gfp);

	if (!pending)
		return NULL;
	pending->place = actor->place;
	pending->node = tor_get(node);
	pending->end = end;
	return pending;
}

void tor_pending_leave(struct tor_actor *actor, struct tor_pending *pending)
{
	struct tor_thread *thread = actor->thread;

	if (actor->atomic) {
		llist_add(&pending->from_timer, &thread->from_timers);
	} else {
		list_add_tail(&pending->entry, &thread->pending);
		thread->nr_pending++;
	}
}

void tor_pending_end(struct tor_actor *actor, struct tor_pending *pending)
{
	struct tor_node *node = pending->node;

	pending->end(actor, pending);
	tor_put(node);
}

static void tor_take_from_timers(struct tor_thread *thread)
{
	struct tor_pending *pending, *next;

	llist_for_each_entry_safe(pending, next, llist_del_all(&thread->from_timers), from_timer)
		tor_pending_leave(&thread->actor, pending);
}

void tor_pending_trim(struct tor_thread *thread, bool all)
{
	struct tor_pending *pending, *next;

	tor_take_from_timers(thread);
	list_for_each_entry_safe(pending, next, &thread->pending, entry) {
		if (!all && thread->nr_pending <= TOR_PENDING &&
		    !READ_ONCE(pending->node->world->retired))
			continue;
		list_del(&pending->entry);
		thread->nr_pending--;
		tor_pending_end(&thread->actor, pending);
	}
}
