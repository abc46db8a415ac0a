// SPDX-License-Identifier: GPL-2.0
/*
 * Contexts of devices, which are done when a driver begins to be unbound.
 *
 * That is told to the bus's notifiers, before the driver's remove function is called.
 * Each bus has one of ours while a device on it has a context, and seldom two. Contexts
 * are found by their device there, each once; devres gives back what the notifier has
 * cancelled, and cancels what it was not told of: devices without a bus, or without a
 * driver, which may outlive their bus. Until then what the notifier has cancelled also
 * tells who derives another one for that device that he is too late.
 *
 * No lock of ours is held where one of ours comes to a bus, or leaves it: that waits for
 * the bus's other notifiers to return, and these may bind and unbind drivers on another
 * bus. On the same one they may not, if the driver is one that derives contexts.
 */
#include <linux/device.h>
#include <linux/hashtable.h>
#include <linux/notifier.h>

#include "internal.h"

struct ctx_bus {
	typeof_member(struct device, bus) bus;
	struct list_head node;
	struct notifier_block notifier;
	unsigned int users;
};

struct ctx_device {
	struct hlist_node node;		/* in one of the tables */
	const struct device *dev;
	struct ctx *ctx;
	struct ctx_bus *bus;
};

#define CTX_DEVICE_BITS	6

static DEFINE_SPINLOCK(ctx_devices_lock);	/* protects all of these */
static LIST_HEAD(ctx_buses);			/* and their counts of users */
static DEFINE_HASHTABLE(ctx_devices, CTX_DEVICE_BITS);
static DEFINE_HASHTABLE(ctx_unbound, CTX_DEVICE_BITS);	/* the notifier has cancelled */

static void ctx_device_cancel(struct ctx *ctx)
{
	const struct ctx_by by = { .err = -ECANCELED, .cause = -ENODEV };

	ctx_cancel_scope(ctx_scope(ctx), &by, CTX_CANCEL_YIELDING);
}

/* Under the lock: one of the contexts of @dev in that table. */
static struct ctx_device *ctx_device_find(struct hlist_head *table, const struct device *dev)
{
	struct ctx_device *device;

	hlist_for_each_entry(device, &table[hash_min((unsigned long)dev, CTX_DEVICE_BITS)], node)
		if (device->dev == dev)
			return device;
	return NULL;
}

/* The next one of @dev that is to be cancelled, with a reference; NULL after the last. */
static struct ctx *ctx_device_next(const struct device *dev)
{
	struct ctx_device *device;
	struct ctx *ctx = NULL;

	spin_lock(&ctx_devices_lock);
	device = ctx_device_find(ctx_devices, dev);
	if (device) {
		hash_del(&device->node);
		hash_add(ctx_unbound, &device->node, (unsigned long)dev);
		ctx = ctx_get(device->ctx);
	}
	spin_unlock(&ctx_devices_lock);
	return ctx;
}

/* A probe that fails is told as well, before devres gives back what it had. */
static int ctx_bus_notify(struct notifier_block *notifier, unsigned long event, void *dev)
{
	struct ctx *ctx;

	if (event != BUS_NOTIFY_UNBIND_DRIVER && event != BUS_NOTIFY_DRIVER_NOT_BOUND)
		return NOTIFY_DONE;
	while ((ctx = ctx_device_next(dev))) {
		ctx_device_cancel(ctx);
		ctx_put(ctx);
	}
	return NOTIFY_OK;
}

/* One that is there, with one user more. */
static struct ctx_bus *ctx_bus_find(const struct device *dev)
{
	struct ctx_bus *bus, *found = NULL;

	spin_lock(&ctx_devices_lock);
	list_for_each_entry(bus, &ctx_buses, node)
		if (bus->bus == dev->bus)
			found = bus;
	if (found)
		found->users++;
	spin_unlock(&ctx_devices_lock);
	return found;
}

/* Where two do this at the same time each has one, and the notifier is called twice. */
static struct ctx_bus *ctx_bus_add(struct device *dev)
{
	struct ctx_bus *bus = kzalloc(sizeof(*bus), GFP_KERNEL);
	int err;

	if (!bus)
		return ERR_PTR(-ENOMEM);
	bus->bus = dev->bus;
	bus->users = 1;
	bus->notifier.notifier_call = ctx_bus_notify;
	err = bus_register_notifier(bus->bus, &bus->notifier);
	if (err) {
		kfree(bus);
		return ERR_PTR(err);
	}
	spin_lock(&ctx_devices_lock);
	list_add(&bus->node, &ctx_buses);
	spin_unlock(&ctx_devices_lock);
	return bus;
}

static void ctx_bus_put(struct ctx_bus *bus)
{
	bool last;

	spin_lock(&ctx_devices_lock);
	last = !--bus->users;
	if (last)
		list_del(&bus->node);
	spin_unlock(&ctx_devices_lock);
	if (!last)
		return;
	bus_unregister_notifier(bus->bus, &bus->notifier);
	kfree(bus);
}

/* From devres, or in place of it. */
static void ctx_device_release(void *data)
{
	struct ctx_device *device = data;

	spin_lock(&ctx_devices_lock);
	if (hash_hashed(&device->node))
		hash_del(&device->node);
	spin_unlock(&ctx_devices_lock);
	if (!IS_ERR(device->ctx))
		ctx_device_cancel(device->ctx);
	ctx_put(device->ctx);
	if (!IS_ERR_OR_NULL(device->bus))
		ctx_bus_put(device->bus);
	kfree(device);
}

/* Whether it comes before the notifier is done with that device. */
static bool ctx_device_enlist(struct ctx_device *device)
{
	bool late;

	spin_lock(&ctx_devices_lock);
	late = ctx_device_find(ctx_unbound, device->dev);
	if (!late)
		hash_add(ctx_devices, &device->node, (unsigned long)device->dev);
	spin_unlock(&ctx_devices_lock);
	return !late;
}

static int ctx_device_setup(struct ctx_device *device, struct device *dev, struct ctx *parent,
			    unsigned long place)
{
	device->dev = dev;
	device->ctx = ctx_with_cancel_at(parent, GFP_KERNEL, place);
	if (IS_ERR(device->ctx))
		return PTR_ERR(device->ctx);
	if (dev->bus && dev->driver) {
		device->bus = ctx_bus_find(dev) ?: ctx_bus_add(dev);
		if (IS_ERR(device->bus))
			return PTR_ERR(device->bus);
	}
	if (!ctx_device_enlist(device))
		ctx_device_cancel(device->ctx);
	return 0;
}

/**
 * devm_ctx_with_cancel - derive a context that ends with a device's driver
 * @dev: the device, that the caller, its driver, is being bound to, or is bound to
 * @parent: what it is derived from; as with ctx_with_cancel()
 *
 * As soon as the driver begins to be unbound, before its remove function is called,
 * the context is cancelled with -ENODEV as the cause. So a remove function may wait
 * for what was started under it. The same is done when a probe fails. It is put with
 * the other resources of the device. One that is derived after others of the device were
 * cancelled so is done from the beginning.
 *
 * Where no bus tells of it, it is cancelled only then: for a device without one; where
 * remove() is called because the driver's attributes could not be added, or as a test of
 * it (CONFIG_DEBUG_TEST_DRIVER_REMOVE); and where the first one of the device is derived
 * when unbinding has begun, by remove() or by anybody else. So a remove() that waits
 * cancels it before, to be sure, which otherwise changes nothing.
 *
 * Ordering: the remove function sees it done. What was written before the unbinding
 * began is visible to whoever sees it done by that (S16).
 *
 * Context: Process; sleeps (S18). Not inside of a notifier of the device's bus, which must
 * not bind nor unbind the driver either: it would wait for itself.
 * Return: the context, which devres holds the reference on: who uses it for longer
 * takes one; ERR_PTR(-EINVAL) for a NULL @dev or @parent; an ERR_PTR @parent;
 * ERR_PTR(-ENOMEM); what bus_register_notifier() returned.
 */
struct ctx *devm_ctx_with_cancel(struct device *dev, struct ctx *parent)
{
	struct ctx_device *device;
	int err;

	might_sleep();
	if (!dev)
		return ERR_PTR(-EINVAL);
	device = kzalloc(sizeof(*device), GFP_KERNEL);
	if (!device)
		return ERR_PTR(-ENOMEM);
	err = ctx_device_setup(device, dev, parent, _RET_IP_);
	if (err) {
		ctx_device_release(device);
		return ERR_PTR(err);
	}
	err = devm_add_action_or_reset(dev, ctx_device_release, device);
	return err ? ERR_PTR(err) : device->ctx;
}
EXPORT_SYMBOL_GPL(devm_ctx_with_cancel);
