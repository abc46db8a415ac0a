// SPDX-License-Identifier: GPL-2.0
/*
 * The floor: what a node that is allocated, listed under a lock, taken off and
 * freed costs at the least.
 */
#include <linux/list.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "bench.h"

struct bench_object {
	struct list_head node;
	char rest[80];
};

static struct {
	spinlock_t lock;	/* protects list */
	struct list_head list;
	struct kmem_cache *cache;
	int word;
	int hits;
} bench_shared;

static void bench_read_once(void *data, unsigned int ops)
{
	while (ops--) {
		if (READ_ONCE(bench_shared.word))
			bench_shared.hits++;
	}
}

static void bench_slab(void *data, unsigned int ops)
{
	while (ops--)
		kmem_cache_free(bench_shared.cache,
				kmem_cache_alloc(bench_shared.cache, GFP_KERNEL));
}

static void bench_irqsave(void *data, unsigned int ops)
{
	unsigned long flags;

	while (ops--) {
		spin_lock_irqsave(&bench_shared.lock, flags);
		spin_unlock_irqrestore(&bench_shared.lock, flags);
	}
}

static void bench_link(void *data, unsigned int ops)
{
	struct bench_object *object;
	unsigned long flags;

	while (ops--) {
		object = kmem_cache_alloc(bench_shared.cache, GFP_KERNEL);
		if (!object)
			return bench_fail("an object of 96 bytes");
		spin_lock_irqsave(&bench_shared.lock, flags);
		list_add(&object->node, &bench_shared.list);
		spin_unlock_irqrestore(&bench_shared.lock, flags);
		spin_lock_irqsave(&bench_shared.lock, flags);
		list_del(&object->node);
		spin_unlock_irqrestore(&bench_shared.lock, flags);
		kmem_cache_free(bench_shared.cache, object);
	}
}

/* As many at a time, so that the slab allocator takes pages and gives them back. */
static void bench_link_many(void *data, unsigned int ops)
{
	struct bench_object *object, *next;
	unsigned long flags;

	while (ops--) {
		object = kmem_cache_alloc(bench_shared.cache, GFP_KERNEL);
		if (!object)
			return bench_fail("an object of a context's size");
		spin_lock_irqsave(&bench_shared.lock, flags);
		list_add(&object->node, &bench_shared.list);
		spin_unlock_irqrestore(&bench_shared.lock, flags);
	}
	list_for_each_entry_safe(object, next, &bench_shared.list, node) {
		spin_lock_irqsave(&bench_shared.lock, flags);
		list_del(&object->node);
		spin_unlock_irqrestore(&bench_shared.lock, flags);
		kmem_cache_free(bench_shared.cache, object);
	}
}

static void bench_construct(void *object)
{
}

/* A cache like a context's: of that size, and with a constructor, so nothing is zeroed. */
static void bench_floor_many(void)
{
	bench_shared.cache = kmem_cache_create("ctx_bench_many", 192, 0, SLAB_HWCACHE_ALIGN,
					       bench_construct);
	if (!bench_shared.cache)
		return bench_fail("a slab cache");
	bench_loop(bench_link_many, NULL, 10, "floor.link.10");
	bench_loop(bench_link_many, NULL, 1000, "floor.link.1000");
	kmem_cache_destroy(bench_shared.cache);
}

void bench_floor(void)
{
	spin_lock_init(&bench_shared.lock);
	INIT_LIST_HEAD(&bench_shared.list);
	bench_shared.cache = kmem_cache_create("ctx_bench", sizeof(struct bench_object),
					       0, 0, NULL);
	if (!bench_shared.cache)
		return bench_fail("a slab cache");
	bench_loop(bench_read_once, NULL, BENCH_OPS, "loop.read_once");
	bench_shared.word = 1;
	bench_loop(bench_read_once, NULL, BENCH_OPS, "loop.read_once.set");
	bench_shared.word = 0;
	bench_loop(bench_slab, NULL, BENCH_OPS, "floor.slab");
	bench_loop(bench_irqsave, NULL, BENCH_OPS, "floor.irqsave");
	bench_loop(bench_link, NULL, BENCH_OPS, "floor.link");
	kmem_cache_destroy(bench_shared.cache);
	bench_floor_many();
}
