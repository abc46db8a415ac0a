// SPDX-License-Identifier: GPL-2.0
/*
 * Contexts of devices, which are done when a driver begins to be unbound.
 *
 * That is told to the bus's notifiers, before the driver's remove function is called.
 * Each bus has one of ours while a device on it has a context. Contexts are found by
 * their device there, each once; devres gives back what the notifier has cancelled,
 * and cancels what it was not told of: devices without a bus, and without a driver.
 *
 * The notifier takes a spinlock only. The mutex is held where the bus waits for its
 * notifiers to return.
 */
#include <linux/device.h>
#include <linux/hashtable.h>
#include <linux/mutex.h>
#include <linux/notifier.h>

#include "internal.h"

struct ctx_bus {
	typeof_member(struct device, bus) bus;
	struct list_head node;
	struct notifier_block notifier;
	unsigned int users;
};

struct ctx_device {
	struct hlist_node node;		/* until somebody cancels it */
	const struct device *dev;
	struct ctx *ctx;
	struct ctx_bus *bus;
};

static DEFINE_MUTEX(ctx_buses_lock);	/* protects the list, and the counts of users */
static LIST_HEAD(ctx_buses);
static DEFINE_SPINLOCK(ctx_devices_lock);
static DEFINE_HASHTABLE(ctx_devices, 6);	/* under that lock */

static void ctx_device_cancel(struct ctx *ctx)
{
	const struct ctx_by by = { .err = -ECANCELED, .cause = -ENODEV };

	ctx_cancel_scope(ctx_scope(ctx), &by, CTX_CANCEL_YIELDING);
}

/* Takes off one of the contexts of @dev, and a reference; NULL after the last. */
static struct ctx *ctx_device_next(const struct device *dev)
{
	struct ctx_device *device;
	struct ctx *ctx = NULL;

	spin_lock(&ctx_devices_lock);
	hash_for_each_possible(ctx_devices, device, node, (unsigned long)dev) {
		if (device->dev != dev)
			continue;
		hash_del(&device->node);
		ctx = ctx_get(device->ctx);
		break;
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

/* Under ctx_buses_lock. */
static struct ctx_bus *ctx_bus_add(struct device *dev)
{
	struct ctx_bus *bus = kzalloc(sizeof(*bus), GFP_KERNEL);
	int err;

	if (!bus)
		return ERR_PTR(-ENOMEM);
	bus->bus = dev->bus;
	bus->notifier.notifier_call = ctx_bus_notify;
	err = bus_register_notifier(bus->bus, &bus->notifier);
	if (err) {
		kfree(bus);
		return ERR_PTR(err);
	}
	list_add(&bus->node, &ctx_buses);
	return bus;
}

static struct ctx_bus *ctx_bus_find(const struct device *dev)
{
	struct ctx_bus *bus;

	list_for_each_entry(bus, &ctx_buses, node)
		if (bus->bus == dev->bus)
			return bus;
	return NULL;
}

static struct ctx_bus *ctx_bus_get(struct device *dev)
{
	struct ctx_bus *bus;

	if (!dev->bus)
		return NULL;
	mutex_lock(&ctx_buses_lock);
	bus = ctx_bus_find(dev) ?: ctx_bus_add(dev);
	if (!IS_ERR(bus))
		bus->users++;
	mutex_unlock(&ctx_buses_lock);
	return bus;
}

static void ctx_bus_put(struct ctx_bus *bus)
{
	if (IS_ERR_OR_NULL(bus))
		return;
	mutex_lock(&ctx_buses_lock);
	if (!--bus->users) {
		bus_unregister_notifier(bus->bus, &bus->notifier);
		list_del(&bus->node);
		kfree(bus);
	}
	mutex_unlock(&ctx_buses_lock);
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
	ctx_bus_put(device->bus);
	kfree(device);
}

static int ctx_device_setup(struct ctx_device *device, struct device *dev, struct ctx *parent)
{
	device->dev = dev;
	device->ctx = ctx_with_cancel(parent, GFP_KERNEL);
	if (IS_ERR(device->ctx))
		return PTR_ERR(device->ctx);
	device->bus = ctx_bus_get(dev);
	if (IS_ERR(device->bus))
		return PTR_ERR(device->bus);
	spin_lock(&ctx_devices_lock);
	hash_add(ctx_devices, &device->node, (unsigned long)dev);
	spin_unlock(&ctx_devices_lock);
	return 0;
}

/**
 * devm_ctx_with_cancel - derive a context that ends with a device's driver
 * @dev: the device, that the caller binds a driver to, or has bound
 * @parent: what it is derived from; as with ctx_with_cancel()
 *
 * As soon as the driver begins to be unbound, before its remove function is called,
 * the context is cancelled with -ENODEV as the cause. So a remove function may wait
 * for what was started under it. The same is done when a probe fails. It is put with
 * the other resources of the device.
 *
 * Where no bus tells of it, as for a device without one, it is cancelled only then.
 *
 * Ordering: the remove function sees it done. What was written before the unbinding
 * began is visible to whoever sees it done by that (S16).
 *
 * Context: Process; sleeps (S18). Not from a notifier of the device's bus.
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
	err = ctx_device_setup(device, dev, parent);
	if (err) {
		ctx_device_release(device);
		return ERR_PTR(err);
	}
	err = devm_add_action_or_reset(dev, ctx_device_release, device);
	return err ? ERR_PTR(err) : device->ctx;
}
EXPORT_SYMBOL_GPL(devm_ctx_with_cancel);
