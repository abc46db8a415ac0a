// SPDX-License-Identifier: GPL-2.0
/*
 * Worlds, and the slots where contexts are shown to others.
 *
 * A world is retired while the next one is in use: from then on nothing of it is shown,
 * the top goes, cancelled or not, and threads end what they have pending in it. Its
 * token is released when the last of its contexts is (S7).
 */
#include <linux/slab.h>

#include "torture.h"

#define TOR_SLOTS	8
#define TOR_THINGS	(IS_ENABLED(CONFIG_KASAN) ? 20000 : 100000)

static struct tor_slot {
	raw_spinlock_t lock;	/* protects node */
	struct tor_node __rcu *node;
} tor_slots[TOR_SLOTS] = {
	[0 ... TOR_SLOTS - 1] = { .lock = __RAW_SPIN_LOCK_UNLOCKED(tor_slots.lock) },
};

static struct tor_world __rcu *tor_world;

void *tor_alloc(struct tor_world *world, size_t size, gfp_t gfp)
{
	struct tor_thing *thing = kzalloc(size, gfp | __GFP_NOWARN);

	if (!thing)
		return NULL;
	llist_add(&thing->node, &world->things);
	atomic_inc(&world->nr_things);
	return thing;
}

struct tor_node *tor_borrow(struct tor_actor *actor)
{
	struct tor_slot *slot = &tor_slots[tor_pick(actor, TOR_SLOTS)];
	struct tor_node *node;
	unsigned long flags;

	raw_spin_lock_irqsave(&slot->lock, flags);
	node = rcu_dereference_protected(slot->node, lockdep_is_held(&slot->lock));
	if (node)
		tor_get(node);
	raw_spin_unlock_irqrestore(&slot->lock, flags);
	return node;
}

/* The world keeps it until its readers are gone. */
struct tor_node *tor_top(void)
{
	struct tor_node *top;

	rcu_read_lock();
	top = tor_get(rcu_dereference(tor_world)->top);
	rcu_read_unlock();
	return top;
}

struct tor_node *tor_any(struct tor_actor *actor)
{
	struct tor_node *node = tor_pick(actor, 3) ? tor_borrow(actor) : NULL;

	/* Not too deep, and not all of them below what is done already. */
	if (node && (node->depth > 60 || (ctx_is_done(node->ctx) && tor_pick(actor, 3)))) {
		tor_put(node);
		node = NULL;
	}
	return node ?: tor_top();
}

/* A new one that may be ended, and others may have seen it; or one of the above. */
struct tor_node *tor_fresh(struct tor_actor *actor)
{
	struct tor_node *parent = tor_any(actor), *node = NULL;

	if (tor_pick(actor, 3))
		node = tor_derive(actor, parent->world, parent, TOR_CANCEL);
	if (!node)
		return parent;
	tor_put(parent);
	if (tor_pick(actor, 2))
		tor_show(actor, tor_get(node));
	return node;
}

static struct tor_node *tor_slot_swap(struct tor_slot *slot, struct tor_node *node)
{
	struct tor_node *old;
	unsigned long flags;

	raw_spin_lock_irqsave(&slot->lock, flags);
	/* Who retires it sweeps the slots after that. */
	if (node && READ_ONCE(node->world->retired))
		old = node;
	else
		old = rcu_replace_pointer(slot->node, node, lockdep_is_held(&slot->lock));
	raw_spin_unlock_irqrestore(&slot->lock, flags);
	return old;
}

void tor_show(struct tor_actor *actor, struct tor_node *node)
{
	struct tor_node *old = tor_slot_swap(&tor_slots[tor_pick(actor, TOR_SLOTS)], node);

	if (old)
		tor_put(old);
}

void tor_peek(struct tor_actor *actor)
{
	struct tor_slot *slot = &tor_slots[tor_pick(actor, TOR_SLOTS)];
	const char *key = &tor_keys[tor_pick(actor, TOR_KEYS)];
	struct tor_node *node;

	rcu_read_lock();
	node = rcu_dereference(slot->node);
	if (node && tor_is_value(node)) {
		/* For as long as it takes to have its last reference dropped. */
		tor_spin(actor, 2 << tor_pick(actor, 9));
		/* Its own, or what may be anybody's. */
		tor_check_value(&actor->place, node, tor_pick(actor, 2) ? node->key : key);
	}
	rcu_read_unlock();
}

bool tor_world_is_old(void)
{
	struct tor_world *world = rcu_dereference_protected(tor_world, true);

	return time_after(jiffies, world->born + 3 * HZ) ||
	       atomic_read(&world->nr_things) > TOR_THINGS;
}

/* Its token is gone, if it had one; and so is everybody who could have come across it. */
static void tor_world_free(struct tor_world *world)
{
	struct tor_thing *thing, *next;

	llist_for_each_entry_safe(thing, next, llist_del_all(&world->things), node) {
		if (thing->over)
			thing->over(thing);
		kfree(thing);
		cond_resched();
	}
	kfree(world);
}

int tor_world_begin(struct tor_actor *actor)
{
	struct tor_world *world = kzalloc(sizeof(*world), GFP_KERNEL);

	if (!world)
		return -ENOMEM;
	init_completion(&world->gone);
	raw_spin_lock_init(&world->ties_lock);
	world->born = jiffies;
	world->token = tor_derive(actor, world, NULL, TOR_VALUE);
	if (world->token)
		world->top = tor_derive(actor, world, world->token, TOR_CANCEL);
	if (world->top) {
		rcu_assign_pointer(tor_world, world);
		return 0;
	}
	if (world->token) {
		tor_put(world->token);
		wait_for_completion(&world->gone);
	}
	ctx_barrier();
	tor_world_free(world);
	return -ENOMEM;
}

/* Takes those of @world out of the slots: @swept, with their references, or NULL. */
static void tor_sweep(const struct tor_world *world, struct tor_node **swept)
{
	struct tor_node *node;
	int i;

	for (i = 0; i < TOR_SLOTS; i++) {
		raw_spin_lock_irq(&tor_slots[i].lock);
		node = rcu_dereference_protected(tor_slots[i].node, true);
		if (node && node->world == world)
			RCU_INIT_POINTER(tor_slots[i].node, NULL);
		else
			node = NULL;
		raw_spin_unlock_irq(&tor_slots[i].lock);
		swept[i] = node;
	}
}

/* The top may be spread by now, over the lists of all CPUs. */
static void tor_cancel_top(struct tor_actor *actor, struct tor_world *world,
			   struct tor_node **swept)
{
	const enum tor_how how = min_t(unsigned int, tor_pick(actor, TOR_HOWS + 4), TOR_SYNC);
	int i;

	tor_cancel(actor, world->top, how);
	for (i = 0; i < TOR_SLOTS; i++)
		if (swept[i] && how == TOR_SYNC)
			tor_check_swept(&actor->place, swept[i], world->top);
}

/* Nothing leads to @world any more but what threads have in their hands. */
static void tor_world_retire(struct tor_actor *actor, struct tor_world *world)
{
	struct tor_node *swept[TOR_SLOTS];
	int i;

	raw_spin_lock_irq(&world->ties_lock);
	WRITE_ONCE(world->retired, true);
	raw_spin_unlock_irq(&world->ties_lock);
	synchronize_rcu();
	tor_sweep(world, swept);
	tor_ties_end(world);
	if (tor_pick(actor, 3))
		tor_cancel_top(actor, world, swept);
	for (i = 0; i < TOR_SLOTS; i++)
		if (swept[i])
			tor_put(swept[i]);
	tor_put(world->top);
	tor_put(world->token);
	tor_threads_watch();
	if (!wait_for_completion_timeout(&world->gone, TOR_PATIENCE)) {
		if (!tor_threads_name_stuck())
			tor_violated(&actor->place, "S7", "something of a world is left");
		tor_stuck = true;
		return;
	}
	ctx_barrier();
	if (tor_threads_pass()) {
		synchronize_rcu();
		tor_world_free(world);
	}
}

void tor_world_turn(struct tor_actor *actor)
{
	struct tor_world *old = rcu_dereference_protected(tor_world, true);

	if (!tor_world_begin(actor))
		tor_world_retire(actor, old);
}

/* Without another: all threads are over. */
void tor_world_end(struct tor_actor *actor)
{
	struct tor_world *old = rcu_dereference_protected(tor_world, true);

	tor_world_retire(actor, old);
}
