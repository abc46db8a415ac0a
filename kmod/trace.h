/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What can be traced: Documentation/observing.rst has it for users.
 *
 * Each event is entered under ctx_trace_reg(), so that where it happens there is
 * one branch for all of them: see ctx_is_watched().
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM ctx

#if !defined(_CTX_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _CTX_TRACE_H

#include <linux/tracepoint.h>

#include "internal.h"

#define ctx_show_kind(kind)					\
	__print_symbolic(kind,					\
			 { CTX_VALUE,	 "with_value" },	\
			 { CTX_WITHOUT,	 "without_cancel" },	\
			 { CTX_CANCEL,	 "with_cancel" },	\
			 { CTX_DEADLINE, "with_deadline" })

/* For programs, which read the text of a format, not this header. */
TRACE_DEFINE_ENUM(CTX_VALUE);
TRACE_DEFINE_ENUM(CTX_WITHOUT);
TRACE_DEFINE_ENUM(CTX_CANCEL);
TRACE_DEFINE_ENUM(CTX_DEADLINE);

TRACE_EVENT_FN(ctx_derive,
	       TP_PROTO(const struct ctx *ctx, s64 deadline, u32 depth),
	       TP_ARGS(ctx, deadline, depth),
	       TP_STRUCT__entry(__field(const void *, ctx)
				__field(const void *, parent)
				__field(u64, id)
				__field(u64, parent_id)
				__field(s64, deadline)
				__field(u32, depth)
				__field(pid_t, pid)
				__array(char, comm, TASK_COMM_LEN)
				__field(u8, kind)
	       ),
	       TP_fast_assign(__entry->ctx = ctx;
			      __entry->parent = ctx->parent;
			      __entry->id = ctx_user_id(ctx);
			      __entry->parent_id = ctx_user_id(ctx->parent);
			      __entry->deadline = deadline;
			      __entry->depth = depth;
			      __entry->pid = in_task() ? task_tgid_nr(current) : 0;
			      strscpy_pad(__entry->comm, in_task() ? current->comm : "irq",
					  TASK_COMM_LEN);
			      __entry->kind = ctx_kind(ctx);
	       ),
	       TP_printk("ctx=%p id=%llu parent=%p parent_id=%llu kind=%s depth=%u deadline=%lld pid=%d comm=%s",
			 __entry->ctx, __entry->id, __entry->parent, __entry->parent_id,
			 ctx_show_kind(__entry->kind), __entry->depth, __entry->deadline,
			 __entry->pid, __entry->comm),
	       ctx_trace_reg, ctx_trace_unreg);

TRACE_EVENT_FN(ctx_cancel,
	       TP_PROTO(const struct ctx_scope *scope),
	       TP_ARGS(scope),
	       TP_STRUCT__entry(__field(const void *, ctx)
				__field(u64, id)
				__field(int, cause)
				__field(pid_t, pid)
				__array(char, comm, TASK_COMM_LEN)
	       ),
	       TP_fast_assign(__entry->ctx = &scope->node;
			      __entry->id = ctx_user_id(&scope->node);
			      __entry->cause = scope->state.cause;
			      __entry->pid = ctx_pid_nr(scope->pid, &init_pid_ns);
			      memcpy(__entry->comm, scope->comm, TASK_COMM_LEN);
	       ),
	       TP_printk("ctx=%p id=%llu cause=%d pid=%d comm=%s",
			 __entry->ctx, __entry->id, __entry->cause, __entry->pid, __entry->comm),
	       ctx_trace_reg, ctx_trace_unreg);

TRACE_EVENT_FN(ctx_expire,
	       TP_PROTO(const struct ctx_scope *scope, s64 deadline),
	       TP_ARGS(scope, deadline),
	       TP_STRUCT__entry(__field(const void *, ctx)
				__field(u64, id)
				__field(s64, deadline)
				__field(s64, late)
				__field(int, cause)
	       ),
	       TP_fast_assign(__entry->ctx = &scope->node;
			      __entry->id = ctx_user_id(&scope->node);
			      __entry->deadline = deadline;
			      __entry->late = ktime_to_ns(scope->time) - deadline;
			      __entry->cause = scope->state.cause;
	       ),
	       TP_printk("ctx=%p id=%llu cause=%d deadline=%lld late=%lld", __entry->ctx,
			 __entry->id, __entry->cause, __entry->deadline, __entry->late),
	       ctx_trace_reg, ctx_trace_unreg);

TRACE_EVENT_FN(ctx_done,
	       TP_PROTO(const struct ctx_scope *scope, const struct ctx_signal *origin),
	       TP_ARGS(scope, origin),
	       TP_STRUCT__entry(__field(const void *, ctx)
				__field(const void *, origin)
				__field(u64, id)
				__field(u64, origin_id)
				__field(int, err)
				__field(int, cause)
				__field(u8, kind)
	       ),
	       TP_fast_assign(__entry->ctx = &scope->node;
			      __entry->origin = &ctx_scope_of_state(origin)->node;
			      __entry->id = ctx_user_id(&scope->node);
			      __entry->origin_id = ctx_user_id(&ctx_scope_of_state(origin)->node);
			      __entry->err = origin->err;
			      __entry->cause = origin->cause;
			      __entry->kind = ctx_kind(&scope->node);
	       ),
	       TP_printk("ctx=%p id=%llu kind=%s err=%d cause=%d origin=%p origin_id=%llu",
			 __entry->ctx, __entry->id, ctx_show_kind(__entry->kind),
			 __entry->err, __entry->cause, __entry->origin, __entry->origin_id),
	       ctx_trace_reg, ctx_trace_unreg);

TRACE_EVENT_FN(ctx_release,
	       TP_PROTO(const struct ctx *ctx, int err),
	       TP_ARGS(ctx, err),
	       TP_STRUCT__entry(__field(const void *, ctx)
				__field(u64, id)
				__field(int, err)
				__field(u8, kind)
	       ),
	       TP_fast_assign(__entry->ctx = ctx;
			      __entry->id = ctx_user_id(ctx);
			      __entry->err = err;
			      __entry->kind = ctx_kind(ctx);
	       ),
	       TP_printk("ctx=%p id=%llu kind=%s err=%d", __entry->ctx, __entry->id,
			 ctx_show_kind(__entry->kind), __entry->err),
	       ctx_trace_reg, ctx_trace_unreg);

TRACE_EVENT_FN(ctx_on_done,
	       TP_PROTO(const void *ctx, u64 id, const char *to, int err),
	       TP_ARGS(ctx, id, to, err),
	       TP_STRUCT__entry(__field(const void *, ctx)
				__field(u64, id)
				__field(int, err)
				__string(to, to)
	       ),
	       TP_fast_assign(__entry->ctx = ctx;
			      __entry->id = id;
			      __entry->err = err;
			      ctx_assign_str(to, to);
	       ),
	       TP_printk("ctx=%p id=%llu to=%s err=%d", __entry->ctx, __entry->id, __get_str(to),
			 __entry->err),
	       ctx_trace_reg, ctx_trace_unreg);

#endif /* _CTX_TRACE_H */

/* Read once more by this, by a path below the module's own directory. */
#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH kmod
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
