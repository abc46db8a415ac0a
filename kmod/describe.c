// SPDX-License-Identifier: GPL-2.0
/*
 * Describing: the path from the root. It is as long as the tree is deep, so it
 * is measured walking up, and then written from its end, walking up once more.
 */
#include <linux/math64.h>

#include "internal.h"

/* Room for the longest name: "with_deadline(-9223372036.854s)" and its dot. */
#define CTX_NAME_MAX	48

static int ctx_name_deadline(const struct ctx_scope *scope, ktime_t now, char *name)
{
	s64 left = ktime_to_ns(ktime_sub(ctx_effective_deadline(scope), now));
	u64 ms = div_u64(abs(left) + NSEC_PER_MSEC / 2, NSEC_PER_MSEC);
	u32 rest;
	u64 seconds = div_u64_rem(ms, MSEC_PER_SEC, &rest);

	return scnprintf(name, CTX_NAME_MAX, "with_deadline(%c%llu.%03us)", left < 0 ? '-' : '+',
			 seconds, rest);
}

/* As the function is called that makes one; NULL for a root. */
const char *ctx_kind_name(const struct ctx *ctx)
{
	switch (ctx_kind(ctx)) {
	case CTX_CANCEL:
		return "with_cancel";
	case CTX_DEADLINE:
		return "with_deadline";
	case CTX_VALUE:
		return "with_value";
	case CTX_WITHOUT:
		return "without_cancel";
	default:
		return NULL;
	}
}

static int ctx_name(const struct ctx *ctx, ktime_t now, char *name)
{
	const char *kind = ctx_kind_name(ctx);

	if (ctx_kind(ctx) == CTX_DEADLINE)
		return ctx_name_deadline(ctx_scope(ctx), now, name);
	if (!kind)
		kind = ctx == ctx_todo() ? "todo" : "background";
	return scnprintf(name, CTX_NAME_MAX, "%s", kind);
}

/* As ctx_name(), with a dot in front of all but the root. */
static int ctx_step_name(const struct ctx *ctx, ktime_t now, char *name)
{
	if (ctx_is_root(ctx))
		return ctx_name(ctx, now, name);
	name[0] = '.';
	return 1 + ctx_name(ctx, now, name + 1);
}

/* The part of @name that lies before @size when it begins at @pos. */
static void ctx_put_name(char *buf, size_t size, size_t pos, const char *name, size_t len)
{
	if (pos + 1 < size)
		memcpy(buf + pos, name, min(len, size - 1 - pos));
}

static size_t ctx_path_len(const struct ctx *ctx, ktime_t now)
{
	char name[CTX_NAME_MAX + 1];
	size_t len = 0;

	for (; ctx; ctx = ctx->parent)
		len += ctx_step_name(ctx, now, name);
	return len;
}

/* Returns whether it was @len characters; what lies beyond @size is left out. */
static bool ctx_write_path(const struct ctx *ctx, ktime_t now, size_t len, char *buf, size_t size)
{
	char name[CTX_NAME_MAX + 1];

	for (; ctx; ctx = ctx->parent) {
		size_t n = ctx_step_name(ctx, now, name);

		if (n > len)
			return false;
		len -= n;
		ctx_put_name(buf, size, len, name, n);
	}
	return !len;
}

/**
 * ctx_describe - print the path of a context from its root
 * @ctx: the context; the caller holds a reference
 * @buf: where to print, ended with a NUL; may be NULL if @size is 0
 * @size: the room at @buf, in bytes
 *
 * For instance "background.with_cancel.with_deadline(+1.500s).with_value": with
 * the time left, rounded to the millisecond, or with "-" the time overdue. Takes
 * time in proportion to the depth (S17).
 *
 * Ordering: none. That time is overdue there does not mean that @ctx is seen done.
 *
 * Context: Any but NMI (S18).
 * Return: as snprintf(): the length of the whole path without the NUL, also when
 * there is less room; -EINVAL if @ctx is NULL or an ERR_PTR.
 */
int ctx_describe(const struct ctx *ctx, char *buf, size_t size)
{
	const ktime_t now = ktime_get();
	size_t len;

	if (IS_ERR_OR_NULL(ctx))
		return -EINVAL;
	/* Twice if a clock that a deadline runs on was set in between. */
	do {
		len = ctx_path_len(ctx, now);
	} while (!ctx_write_path(ctx, now, len, buf, size));
	if (size)
		buf[min(len, size - 1)] = '\0';
	return min_t(size_t, len, INT_MAX);
}
EXPORT_SYMBOL_GPL(ctx_describe);
