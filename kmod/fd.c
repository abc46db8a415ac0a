// SPDX-License-Identifier: GPL-2.0
/* Contexts that drivers take from processes, and give to them, as descriptors. */
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "internal.h"

#define CTX_RIGHTS_ALL	(CTX_RIGHT_CANCEL | CTX_RIGHT_DERIVE | CTX_RIGHT_VALUE | CTX_RIGHT_OBSERVE)

/**
 * ctx_get_from_fd - the context that a process means
 * @fd: a number that the current task passed, in an ioctl for instance
 * @rights: CTX_RIGHT_* that the descriptor must have: what will be done on behalf
 *	of the caller. Work that only obeys a context, by a child of it, needs
 *	CTX_RIGHT_DERIVE; whoever cancels it, CTX_RIGHT_CANCEL; who tells his caller
 *	what became of it, CTX_RIGHT_OBSERVE
 *
 * What is derived from it is done with it: on the caller's deadline, and when he
 * dies, since closing the descriptor cancels it. The reference does not keep that
 * from happening. The descriptor may be closed, or mean something else, at once.
 *
 * Ordering: the context is seen as it was given its descriptor. Nothing else is ordered by this.
 *
 * Context: Process, on behalf of the task whose descriptor it is; may sleep (S18).
 * Return: the context, with a reference for the caller; ctx_background() if the
 * descriptor is that; ERR_PTR(-EBADF) if it is not open, ERR_PTR(-EINVAL) if it is
 * no context, ERR_PTR(-EPERM) if it lacks one of @rights.
 */
struct ctx *ctx_get_from_fd(int fd, u32 rights)
{
	const struct ctx_file *cf;
	struct ctx *ctx;
	struct file *file = fget(fd);

	if (!file)
		return ERR_PTR(-EBADF);
	cf = ctx_file_of(file);
	if (!cf)
		ctx = ERR_PTR(-EINVAL);
	else if (rights & ~cf->rights)
		ctx = ERR_PTR(-EPERM);
	else
		ctx = ctx_get(cf->ctx);
	fput(file);
	return ctx;
}
EXPORT_SYMBOL_GPL(ctx_get_from_fd);

/**
 * ctx_cancel_on_file - have a context cancelled when a file is ready
 * @ctx: the context; as with ctx_source_attach()
 * @file: a pidfd, eventfd, timerfd, pipe or IPv4 or IPv6 socket, or a context with
 *	CTX_RIGHT_OBSERVE, with a reference of the caller's; the source takes its own, until
 *	it is detached
 * @events: what to wait for: EPOLLIN and so on; EPOLLERR and EPOLLHUP always are
 * @cause: what ctx_cause() will say: an errno, -MAX_ERRNO to -1
 * @source: storage, of the caller, until it was detached by ctx_source_detach()
 *
 * If it is ready already, @ctx is done when this returns; its callbacks follow from a
 * worker. Readiness is a state, not an event: where somebody else reads what has
 * arrived before the worker has asked for it, nothing is cancelled.
 *
 * Another context is as with ctx_link(), with its error, cause and origin: @events and
 * @cause make no difference. It is not the file that is kept, but that context. Of one
 * that is never done nothing ever comes, and the source is detached as any that did not
 * fire.
 *
 * Ordering: what was written before the file became ready is visible to whoever sees
 * @ctx done by it only as far as asking that file, as poll(2) does, orders it. Another
 * context is as with ctx_link().
 *
 * Context: Process; may sleep (S18). Detaching does not.
 * Return: 0; -ENOENT if @ctx is done already; -EINVAL for another kind of file, which
 * might hold references on others, for other @events or another @cause, and as
 * ctx_source_attach(); -EPERM for a context without the right; -EBUSY and -ELOOP as
 * ctx_link(). If it fails, nothing is attached (S15).
 */
int ctx_cancel_on_file(struct ctx *ctx, struct file *file, __poll_t events, int cause,
		       struct ctx_source *source)
{
	const struct ctx_file *cf;

	might_sleep();
	if (!source)
		return -EINVAL;
	source->ctx = NULL;
	if (IS_ERR_OR_NULL(file))
		return -EINVAL;
	cf = ctx_file_of(file);
	if (!cf)
		return ctx_poll_attach(ctx, file, events, cause, source, true);
	return cf->rights & CTX_RIGHT_OBSERVE ? ctx_source_link(ctx, cf->ctx, source) : -EPERM;
}
EXPORT_SYMBOL_GPL(ctx_cancel_on_file);

static bool ctx_install_valid(const struct ctx *ctx, u32 rights, u32 flags)
{
	if (!ctx || rights & ~CTX_RIGHTS_ALL ||
	    flags & ~(CTX_INSTALL_OWNER | O_CLOEXEC | O_NONBLOCK))
		return false;
	/* There has to be something to cancel, and a right to do so that is lost. */
	if (flags & CTX_INSTALL_OWNER && !(rights & CTX_RIGHT_CANCEL))
		return false;
	return !(rights & CTX_RIGHT_CANCEL) || ctx_is_scope(ctx);
}

/*
 * With a count of our own meanwhile: if there is no descriptor in the end, nothing is
 * cancelled for that.
 */
static int ctx_install_owner(struct ctx *ctx, u32 rights, u32 flags)
{
	atomic_t *cancellers = kmalloc(sizeof(*cancellers), GFP_KERNEL_ACCOUNT);
	int fd;

	if (!cancellers)
		return -ENOMEM;
	atomic_set(cancellers, 1);
	fd = ctx_install(ctx_get(ctx), rights, cancellers, flags);
	if (fd < 0)
		kfree(cancellers);
	else
		ctx_drop_canceller(ctx, cancellers);
	return fd;
}

/**
 * ctx_install_fd - give a context to the current process
 * @ctx: the context; the caller keeps his reference, the descriptor has its own;
 *	an ERR_PTR is handed back as its error
 * @rights: CTX_RIGHT_* that the descriptor has; CTX_RIGHT_CANCEL only for what can
 *	be cancelled, and CTX_RIGHT_VALUE for values that processes made: those of
 *	kernel code nobody can read
 * @flags: CTX_INSTALL_OWNER: the context is cancelled, with -EOWNERDEAD as its cause, when
 *	the descriptor is closed, and with it all that CTX_IOC_RESTRICT made of it
 *	that can cancel. Without it, closing does nothing to a context that no process
 *	made. O_NONBLOCK: read(2) does not wait. O_CLOEXEC is implied
 *
 * The process may do with it what it may do with contexts of its own, within its
 * rights, bounds and depth, but have something written when it is done, or have it
 * cancelled by a file or another context, for which it derives one. The context has no
 * number, no owner and no maker in what processes see: all are 0. A context that a
 * process made, which may be passed here as well, is as its other descriptors are; the
 * last of them that can cancel, cancels.
 *
 * Whoever gets the descriptor may pass it on, and keep the context for as long as he
 * likes, with all that is above it. So the release function of a value above must not
 * be in a module that can go away before.
 *
 * Ordering: as with fd_install(): whoever gets at the context by the descriptor sees it as it
 * is here. What else was written before is ordered by how he comes to know the number.
 *
 * Context: Process; sleeps (S18).
 * Return: the new descriptor, which is open from here on: whoever fails after this
 * cannot take it back; -EINVAL for NULL or for @rights or @flags that are unknown or
 * do not fit; -EMFILE, -ENFILE, -ENOMEM.
 */
int ctx_install_fd(struct ctx *ctx, u32 rights, u32 flags)
{
	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	if (!ctx_install_valid(ctx, rights, flags))
		return -EINVAL;
	if (flags & CTX_INSTALL_OWNER && !ctx_user_of(ctx))
		return ctx_install_owner(ctx, rights, flags & O_NONBLOCK);
	return ctx_install(ctx_get(ctx), rights, NULL, flags & O_NONBLOCK);
}
EXPORT_SYMBOL_GPL(ctx_install_fd);
