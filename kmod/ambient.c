// SPDX-License-Identifier: GPL-2.0
/*
 * The ambient context: what a task runs under, whatever it was passed, and whatever
 * files it has closed. It is the one to which the task's cgroup was bound, or the
 * nearest above.
 *
 * A binding is found by the address of its cgroup. It holds no reference on that:
 * the kernel tells when a cgroup is removed, which is long before it is freed.
 * Looking up takes no lock. What a binding holds is given back after a grace period,
 * so whoever has found one under RCU may take a reference on its context.
 */
#include <linux/build_bug.h>
#include <linux/cgroup.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/hashtable.h>
#include <linux/kernfs.h>
#include <linux/module.h>
#include <linux/rculist.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/tracepoint.h>

#include "internal.h"

#if IS_ENABLED(CONFIG_CGROUPS) && IS_ENABLED(CONFIG_TRACEPOINTS)

struct ctx_binding {
	struct hlist_node node;
	struct rcu_head rcu;
	const struct cgroup *cgroup;
	struct ctx *ctx;
	struct ctx_account *account;	/* of whoever bound it */
};

/*
 * Raw: it is taken where a cgroup is removed, with interrupts off. It protects
 * changes of the table, and their number.
 */
static DEFINE_RAW_SPINLOCK(ctx_bindings_lock);
static DEFINE_HASHTABLE(ctx_bindings, 10);
static unsigned int ctx_bindings_nr;

static struct tracepoint *ctx_rmdir;

/* Under RCU, or the lock. */
static struct ctx_binding *ctx_binding_find(const struct cgroup *cgroup)
{
	struct ctx_binding *b;

	hash_for_each_possible_rcu(ctx_bindings, b, node, (unsigned long)cgroup,
				   lockdep_is_held(&ctx_bindings_lock))
		if (b->cgroup == cgroup)
			return b;
	return NULL;
}

/* Under RCU, by which @cgroup and those above exist. A reference. */
static struct ctx *ctx_of_cgroup(struct cgroup *cgroup)
{
	const struct ctx_binding *b;

	for (; cgroup; cgroup = cgroup_parent(cgroup)) {
		b = ctx_binding_find(cgroup);
		if (b)
			return ctx_get(b->ctx);
	}
	return ctx_background();
}

static struct ctx *ctx_find_ambient(struct task_struct *task)
{
	struct ctx *ctx;

	/* Whoever knows of a binding does so after this was raised. */
	if (likely(!READ_ONCE(ctx_bindings_nr)))
		return ctx_background();
	rcu_read_lock();
	ctx = ctx_of_cgroup(task_dfl_cgroup(task));
	rcu_read_unlock();
	return ctx;
}

static void ctx_binding_free(struct ctx_binding *b)
{
	ctx_put(b->ctx);
	ctx_account_uncharge(CTX_CHARGE_FILE, b->account);
	kfree(b);
}

static void ctx_binding_free_rcu(struct rcu_head *rcu)
{
	ctx_binding_free(container_of(rcu, struct ctx_binding, rcu));
}

/* For what @ctx is bound to the current task is charged. */
static struct ctx_binding *ctx_binding_make(const struct cgroup *cgroup, struct ctx *ctx)
{
	struct ctx_binding *b = kmalloc(sizeof(*b), GFP_KERNEL_ACCOUNT);
	int err;

	if (!b)
		return ERR_PTR(-ENOMEM);
	err = ctx_account_charge(CTX_CHARGE_FILE, &b->account);
	if (err) {
		kfree(b);
		return ERR_PTR(err);
	}
	b->cgroup = cgroup;
	b->ctx = ctx_get(ctx);
	return b;
}

/* Puts @b, or nothing, where the binding of @cgroup is. Returns that, or NULL. */
static struct ctx_binding *ctx_binding_swap(const struct cgroup *cgroup, struct ctx_binding *b)
{
	struct ctx_binding *old;
	unsigned long flags;

	raw_spin_lock_irqsave(&ctx_bindings_lock, flags);
	old = ctx_binding_find(cgroup);
	WRITE_ONCE(ctx_bindings_nr, ctx_bindings_nr + !!b - !!old);
	if (old && b)
		hlist_replace_rcu(&old->node, &b->node);
	else if (b)
		hash_add_rcu(ctx_bindings, &b->node, (unsigned long)cgroup);
	else if (old)
		hash_del_rcu(&old->node);
	raw_spin_unlock_irqrestore(&ctx_bindings_lock, flags);
	return old;
}

/* Each binding has a count of the module, so that nobody's task loses its context. */
static void ctx_binding_set(const struct cgroup *cgroup, struct ctx_binding *b)
{
	struct ctx_binding *old;

	if (b)
		__module_get(THIS_MODULE);
	old = ctx_binding_swap(cgroup, b);
	if (!old)
		return;
	call_rcu(&old->rcu, ctx_binding_free_rcu);
	/* From here on ctx_ambient_exit() may be waiting for us, and for RCU. */
	module_put(THIS_MODULE);
}

/* A cgroup was removed: with interrupts off, under locks of the kernel's. */
static void ctx_on_rmdir(void *data, struct cgroup *cgroup, const char *path)
{
	ctx_binding_set(cgroup, NULL);
}

/*
 * A cgroup is marked before ctx_on_rmdir() has its turn of the lock. Whoever adds a
 * binding before that has it removed by that; whoever comes later sees the mark.
 */
static int ctx_binding_add(struct cgroup *cgroup, struct ctx *ctx)
{
	struct ctx_binding *b = ctx_binding_make(cgroup, ctx);

	if (IS_ERR(b))
		return PTR_ERR(b);
	ctx_binding_set(cgroup, b);
	if (READ_ONCE(cgroup->self.flags) & CSS_ONLINE)
		return 0;
	ctx_binding_set(cgroup, NULL);
	return -ENODEV;
}

/* Whether @ctx is @above, or below it. All are below a root, whichever it is. */
static bool ctx_descends(const struct ctx *ctx, const struct ctx *above)
{
	if (ctx_is_root(above))
		return true;
	for (; ctx != above; ctx = ctx->parent) {
		if (ctx_is_root(ctx))
			return false;
		cond_resched();
	}
	return true;
}

static bool ctx_may_bind(struct cgroup *cgroup, const struct ctx *ctx)
{
	struct ctx *above;
	bool may;

	rcu_read_lock();
	above = ctx_of_cgroup(cgroup_parent(cgroup));
	rcu_read_unlock();
	may = ctx_descends(ctx, above);
	ctx_put(above);
	return may;
}

/* So that of_css() gives NULL for NULL. */
static_assert(!offsetof(struct cgroup, self));

/* The cgroup that @file is cgroup.procs of, with a reference. */
static struct cgroup *ctx_cgroup_of(const struct file *file)
{
	const struct seq_file *seq = file->private_data;
	struct cgroup_subsys_state *css;

	if (!ctx_is_cgroup_file(file, "cgroup.procs"))
		return ERR_PTR(-EINVAL);
	if (!(file->f_mode & FMODE_WRITE))
		return ERR_PTR(-EBADF);
	/* Once it is about to be freed, its directory has NULL for it. */
	rcu_read_lock();
	css = of_css(seq->private);
	if (css && !css_tryget(css))
		css = NULL;
	rcu_read_unlock();
	return css ? css->cgroup : ERR_PTR(-ENODEV);
}

/*
 * Binds what @fd is cgroup.procs of to @ctx, on which the caller holds a reference.
 * That he could open it for writing is what allows him to.
 */
int ctx_ambient_bind(struct ctx *ctx, int fd)
{
	struct cgroup *cgroup;
	struct file *file;
	int err = 0;

	if (!ctx_rmdir)
		return -EOPNOTSUPP;
	file = fget(fd);
	if (!file)
		return -EBADF;
	cgroup = ctx_cgroup_of(file);
	fput(file);
	if (IS_ERR(cgroup))
		return PTR_ERR(cgroup);
	if (ctx_is_root(ctx))
		ctx_binding_set(cgroup, NULL);
	else if (ctx_may_bind(cgroup, ctx))
		err = ctx_binding_add(cgroup, ctx);
	else
		err = -EPERM;
	css_put(&cgroup->self);
	return err;
}

static void ctx_find_rmdir(struct tracepoint *tp, void *unused)
{
	if (!strcmp(tp->name, "cgroup_rmdir"))
		ctx_rmdir = tp;
}

int ctx_ambient_init(void)
{
	for_each_kernel_tracepoint(ctx_find_rmdir, NULL);
	return ctx_rmdir ? tracepoint_probe_register(ctx_rmdir, ctx_on_rmdir, NULL) : 0;
}

/* Nothing is bound any more; but the last to let go may not have returned yet. */
void ctx_ambient_exit(void)
{
	if (ctx_rmdir) {
		tracepoint_probe_unregister(ctx_rmdir, ctx_on_rmdir, NULL);
		tracepoint_synchronize_unregister();
	}
	rcu_barrier();
}

#else

static struct ctx *ctx_find_ambient(struct task_struct *task)
{
	return ctx_background();
}

int ctx_ambient_bind(struct ctx *ctx, int fd)
{
	return -EOPNOTSUPP;
}

int ctx_ambient_init(void)
{
	return 0;
}

void ctx_ambient_exit(void)
{
}

#endif

/**
 * ctx_of_task - the context that a task runs under
 * @task: the task, which the caller keeps from being freed; most often current
 *
 * That which its cgroup, or the nearest above, was bound to by CTX_IOC_BIND: so a
 * driver that was passed nothing still obeys the deadline of its caller, and ends
 * with what started him. It may be done already; it stays bound then. Where tasks
 * of a process are in different cgroups each has its own.
 *
 * Without a binding anywhere this is one load and a branch. Otherwise it looks once
 * for each level of cgroups, and takes no lock. A binding made before is seen; one
 * that is made meanwhile, as well as a move of @task, may or may not be.
 *
 * Ordering: whoever knows of a binding, by way of anything that orders, sees it.
 * Nothing else is ordered by this: not what was written before the binding was made.
 *
 * Context: Any but NMI (S18).
 * Return: the context, with a reference for the caller; ctx_background() where
 * nothing is bound, or the kernel has no cgroups. Never an error.
 */
struct ctx *ctx_of_task(struct task_struct *task)
{
	return ctx_find_ambient(task);
}
EXPORT_SYMBOL_GPL(ctx_of_task);
