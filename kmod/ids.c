// SPDX-License-Identifier: GPL-2.0
/*
 * Numbers of the contexts that processes made: given in order, never again, and
 * found in order. Blocks of 64 make that cheap: a context costs two stores, and a
 * 64th of a block's coming and going.
 *
 * ctx_account_lock protects the blocks, and keeps whoever is in one allocated: he
 * leaves under it. A context enters without it, when a descriptor is about to refer
 * to it, and is then found by others.
 */
#include <linux/slab.h>
#include <linux/xarray.h>

#include "internal.h"

#define CTX_ID_BLOCK	64

struct ctx_id_block {
	u64 first;
	unsigned int taken;	/* numbers whose contexts still exist */
	struct ctx_user *users[CTX_ID_BLOCK];
};

static DEFINE_XARRAY_FLAGS(ctx_id_blocks, XA_FLAGS_ACCOUNT);	/* by number / CTX_ID_BLOCK */
static struct ctx_id_block *ctx_id_newest;	/* stays while it has numbers to give */
static u64 ctx_id_last;
static struct kmem_cache *ctx_id_cache;

static void ctx_id_block_free(struct ctx_id_block *block)
{
	xa_erase(&ctx_id_blocks, block->first / CTX_ID_BLOCK);
	kmem_cache_free(ctx_id_cache, block);
}

static noinline struct ctx_id_block *ctx_id_block_make(u64 id)
{
	const unsigned long index = id / CTX_ID_BLOCK;
	struct ctx_id_block *block;

	/* What a 32-bit kernel's array can tell apart lasts for 2^38 contexts. */
	if (index != id / CTX_ID_BLOCK)
		return NULL;
	block = kmem_cache_zalloc(ctx_id_cache, GFP_ATOMIC | __GFP_ACCOUNT);
	if (!block)
		return NULL;
	block->first = (u64)index * CTX_ID_BLOCK;
	if (xa_err(xa_store(&ctx_id_blocks, index, block, GFP_ATOMIC))) {
		kmem_cache_free(ctx_id_cache, block);
		return NULL;
	}
	if (ctx_id_newest && !ctx_id_newest->taken)
		ctx_id_block_free(ctx_id_newest);
	ctx_id_newest = block;
	return block;
}

/* Gives @user the next number. Under ctx_account_lock. */
int ctx_id_take(struct ctx_user *user)
{
	struct ctx_id_block *block = ctx_id_newest;
	const u64 id = ctx_id_last + 1;

	if (!block || id - block->first >= CTX_ID_BLOCK)
		block = ctx_id_block_make(id);
	if (!block)
		return -ENOMEM;
	ctx_id_last = id;
	block->taken++;
	user->block = block;
	user->slot = id - block->first;
	return 0;
}

/* Under ctx_account_lock, before @user is freed. */
void ctx_id_drop(struct ctx_user *user)
{
	struct ctx_id_block *block = user->block;

	block->users[user->slot] = NULL;
	if (!--block->taken && block != ctx_id_newest)
		ctx_id_block_free(block);
}

/* From here on others find @user. */
void ctx_id_publish(struct ctx_user *user)
{
	/* As it is now: pairs with the acquire in ctx_id_pick(). */
	smp_store_release(&user->block->users[user->slot], user);
}

u64 ctx_user_id(const struct ctx *ctx)
{
	const struct ctx_user *user = ctx_user_of(ctx);

	return user ? user->block->first + user->slot : 0;
}

/* Under ctx_account_lock. */
static struct ctx_user *ctx_id_look(struct ctx_id_block *block, unsigned int slot)
{
	/* Pairs with the release in ctx_id_publish(). */
	struct ctx_user *user = smp_load_acquire(&block->users[slot]);

	return user && refcount_read(&user->ctx.ref) ? user : NULL;
}

/* With interrupts off, and each asked about up to 33 levels of user namespaces. */
#define CTX_ID_LOOKS	8

/*
 * The first of the next few of @block from @id on, with a reference; moves @id past what
 * it saw.
 * @mine: those only that the current task may open. Whoever may not is not to have a
 * reference for a moment either: with one more, a context cannot be linked.
 */
static struct ctx_user *ctx_id_pick(struct ctx_id_block *block, u64 *id, bool mine)
{
	unsigned int slot = max(*id, block->first) - block->first;
	const unsigned int end = min_t(unsigned int, slot + CTX_ID_LOOKS, CTX_ID_BLOCK);

	for (; slot < end; slot++) {
		struct ctx_user *user = ctx_id_look(block, slot);

		if (user && (!mine || !ctx_user_may_open(user, ns_capable_noaudit)) &&
		    refcount_inc_not_zero(&user->ctx.ref))
			return user;
	}
	*id = block->first + end;
	return NULL;
}

/* Looks at a few, for the sake of interrupts. Returns false past the last. */
static bool ctx_id_step(u64 *id, struct ctx_user **user, bool mine)
{
	unsigned long index = *id / CTX_ID_BLOCK;
	struct ctx_id_block *block;
	unsigned long flags;

	spin_lock_irqsave(&ctx_account_lock, flags);
	block = *id > ctx_id_last ? NULL :
		xa_find(&ctx_id_blocks, &index, ULONG_MAX, XA_PRESENT);
	if (block)
		*user = ctx_id_pick(block, id, mine);
	spin_unlock_irqrestore(&ctx_account_lock, flags);
	return block;
}

/*
 * The context with the lowest number above @after, with a reference, or NULL; @mine: see
 * ctx_id_pick(). However many there are to be passed by, a killed task stops: -EINTR.
 */
struct ctx_user *ctx_user_next(u64 after, bool mine)
{
	struct ctx_user *user = NULL;
	u64 id = after + 1;

	if (!id)
		return NULL;
	while (!user && ctx_id_step(&id, &user, mine)) {
		if (!user && fatal_signal_pending(current))
			return ERR_PTR(-EINTR);
		cond_resched();
	}
	return user;
}

/* The one with that number, with a reference; -ESRCH, or -EPERM if he may not open it. */
struct ctx_user *ctx_user_by_id(u64 id)
{
	struct ctx_id_block *block;
	struct ctx_user *user;
	unsigned long flags;
	int err = -ESRCH;

	spin_lock_irqsave(&ctx_account_lock, flags);
	block = xa_load(&ctx_id_blocks, id / CTX_ID_BLOCK);
	/* An index that does not fit into a long is that of another block. */
	if (block && id - block->first >= CTX_ID_BLOCK)
		block = NULL;
	user = block ? ctx_id_look(block, id - block->first) : NULL;
	if (user)
		err = ctx_user_may_open(user, ns_capable);
	if (!err && !refcount_inc_not_zero(&user->ctx.ref))
		err = -ESRCH;
	spin_unlock_irqrestore(&ctx_account_lock, flags);
	return err ? ERR_PTR(err) : user;
}

int ctx_ids_init(void)
{
	ctx_id_cache = KMEM_CACHE(ctx_id_block, SLAB_ACCOUNT);
	return ctx_id_cache ? 0 : -ENOMEM;
}

void ctx_ids_exit(void)
{
	/* As always: its lock is also taken by what RCU frees, in a softirq. */
	spin_lock_irq(&ctx_account_lock);
	if (ctx_id_newest)
		ctx_id_block_free(ctx_id_newest);
	spin_unlock_irq(&ctx_account_lock);
	xa_destroy(&ctx_id_blocks);
	kmem_cache_destroy(ctx_id_cache);
}
