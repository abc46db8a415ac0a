// SPDX-License-Identifier: GPL-2.0
/*
 * Contexts that processes make: they have a number, an owner who is charged for
 * them, and byte strings for values. Files know about these; they do not know
 * about files.
 */
#include <linux/atomic.h>
#include <linux/cred.h>
#include <linux/hashtable.h>
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/random.h>
#include <linux/sched/signal.h>
#include <linux/siphash.h>
#include <linux/user_namespace.h>

#include "internal.h"

static unsigned int max_user_contexts = 65536;
module_param(max_user_contexts, uint, 0644);
MODULE_PARM_DESC(max_user_contexts,
		 "contexts that a user may have, user namespaces he owns included (default 65536)");

static unsigned int max_user_files = 4096;
module_param(max_user_files, uint, 0644);
MODULE_PARM_DESC(max_user_files,
		 "links, watches, on-dones and bindings a user may have, as above (default 4096)");

static unsigned int max_depth = 1024;
module_param(max_depth, uint, 0644);
MODULE_PARM_DESC(max_depth, "how deep processes may nest contexts (default 1024)");

/* Levels of user namespaces that the kernel allows, and the user himself. */
#define CTX_ACCOUNT_LEVELS	34

/*
 * Who is charged: a user, and above him the owner of his user namespace if that
 * is somebody else, and so on. It exists while anything is charged to it; but one
 * that has nobody above is kept until another is as idle, since most processes
 * have one context at a time (500 instructions less for each).
 */
struct ctx_account {
	struct hlist_node node;
	struct ctx_account *parent;
	kuid_t uid;
	unsigned int used[CTX_CHARGES];	/* what is below in the hierarchy included */
	struct ctx_turns turns[2];	/* of one that has nobody above: his, and of who is below */
};

DEFINE_SPINLOCK(ctx_account_lock);	/* protects the table and all in it, and ids.c */
static DEFINE_HASHTABLE(ctx_accounts, 12);
static struct ctx_account *ctx_account_idle;

static struct kmem_cache *ctx_user_cache;
static siphash_key_t ctx_user_secret;

/*
 * Where accounts are looked for. Who owns many users could have all of them, in user
 * namespaces of theirs, go to one place, for everybody to look through: so that place
 * is a secret. In the initial one it costs nothing.
 */
static u32 ctx_account_key(kuid_t uid, const struct ctx_account *parent)
{
	if (!parent)
		return __kuid_val(uid);
	return siphash_2u64((unsigned long)parent, __kuid_val(uid), &ctx_user_secret);
}

static struct ctx_account *ctx_account_find(kuid_t uid, const struct ctx_account *parent)
{
	struct ctx_account *account;

	hash_for_each_possible(ctx_accounts, account, node, ctx_account_key(uid, parent))
		if (uid_eq(account->uid, uid) && account->parent == parent)
			return account;
	return NULL;
}

static struct ctx_account *ctx_account_make(kuid_t uid, struct ctx_account *parent)
{
	struct ctx_account *account = ctx_account_find(uid, parent);

	if (account)
		return account;
	account = kzalloc(sizeof(*account), GFP_ATOMIC | __GFP_ACCOUNT);
	if (!account)
		return NULL;
	account->uid = uid;
	account->parent = parent;
	INIT_LIST_HEAD(&account->turns[0].parked);
	INIT_LIST_HEAD(&account->turns[1].parked);
	hash_add(ctx_accounts, &account->node, ctx_account_key(uid, parent));
	return account;
}

static void ctx_account_free(struct ctx_account *account)
{
	hash_del(&account->node);
	kfree(account);
}

static bool ctx_account_is_idle(const struct ctx_account *account)
{
	return !account->used[CTX_CHARGE_CONTEXT] && !account->used[CTX_CHARGE_FILE];
}

/* Nothing may be charged to @account, which has nobody above, any more. */
static void ctx_account_keep(struct ctx_account *account)
{
	struct ctx_account *last = ctx_account_idle;

	ctx_account_idle = account;
	if (last && last != account && ctx_account_is_idle(last))
		ctx_account_free(last);
}

static void ctx_account_reap(struct ctx_account *account)
{
	while (account && ctx_account_is_idle(account)) {
		struct ctx_account *parent = account->parent;

		if (parent)
			ctx_account_free(account);
		else
			ctx_account_keep(account);
		account = parent;
	}
}

/* The users who are charged for what the current task makes, himself first. */
static int ctx_account_uids(kuid_t *uids)
{
	const struct user_namespace *ns;
	int n = 0;

	uids[n++] = current_euid();
	for (ns = current_user_ns(); ns->parent && n < CTX_ACCOUNT_LEVELS; ns = ns->parent)
		uids[n++] = ns->owner;
	return n;
}

/* Under ctx_account_lock. */
struct ctx_turns *ctx_account_turns(struct ctx_account *account)
{
	const bool below = account->parent;

	while (account->parent)
		account = account->parent;
	return &account->turns[below];
}

/*
 * Charges the current task, and says who it was. -EBUSY: there is no room, but files of
 * his are just being let go.
 */
static int ctx_account_charge_locked(enum ctx_charge what, struct ctx_account **charged)
{
	/* Under the lock: cleared on the stack each time, 55 instructions. */
	static kuid_t uids[CTX_ACCOUNT_LEVELS];
	const unsigned int max = what == CTX_CHARGE_CONTEXT ? READ_ONCE(max_user_contexts) :
							      READ_ONCE(max_user_files);
	struct ctx_account *account = NULL, *next, *a;
	int n = ctx_account_uids(uids);

	while (n--) {
		/* Somebody in a namespace of his own is charged once. */
		if (account && uid_eq(account->uid, uids[n]))
			continue;
		next = ctx_account_make(uids[n], account);
		if (!next) {
			ctx_account_reap(account);
			return -ENOMEM;
		}
		account = next;
	}
	for (a = account; a; a = a->parent) {
		if (a->used[what] >= max) {
			const bool busy = what == CTX_CHARGE_FILE &&
					  ctx_account_turns(account)->releasing;

			ctx_account_reap(account);
			return busy ? -EBUSY : -EDQUOT;
		}
	}
	for (a = account; a; a = a->parent)
		a->used[what]++;
	*charged = account;
	return 0;
}

static void ctx_account_uncharge_locked(enum ctx_charge what, struct ctx_account *account)
{
	struct ctx_account *a;

	for (a = account; a; a = a->parent)
		a->used[what]--;
	ctx_account_reap(account);
}

/* Charges its maker for @user, and gives it a number. */
static int ctx_user_charge(struct ctx_user *user)
{
	unsigned long flags;
	int err;

	spin_lock_irqsave(&ctx_account_lock, flags);
	err = ctx_account_charge_locked(CTX_CHARGE_CONTEXT, &user->account);
	if (!err) {
		err = ctx_id_take(user);
		if (err)
			ctx_account_uncharge_locked(CTX_CHARGE_CONTEXT, user->account);
	}
	spin_unlock_irqrestore(&ctx_account_lock, flags);
	return err;
}

static void ctx_user_uncharge(struct ctx_user *user)
{
	unsigned long flags;

	spin_lock_irqsave(&ctx_account_lock, flags);
	ctx_id_drop(user);
	ctx_account_uncharge_locked(CTX_CHARGE_CONTEXT, user->account);
	spin_unlock_irqrestore(&ctx_account_lock, flags);
}

static int ctx_account_try(enum ctx_charge what, struct ctx_account **charged)
{
	unsigned long flags;
	int err;

	spin_lock_irqsave(&ctx_account_lock, flags);
	err = ctx_account_charge_locked(what, charged);
	spin_unlock_irqrestore(&ctx_account_lock, flags);
	return err;
}

/* How long somebody waits for files of his to be let go, which nothing should hold up. */
#define CTX_ROOM_WAIT	(10 * HZ)
#define CTX_ROOM_PAUSE	(HZ / 20)	/* the longest between two looks */

/*
 * He looks again, less and less often: to be woken would be for all who wait, in one go,
 * with interrupts off.
 */
static int ctx_account_await(enum ctx_charge what, struct ctx_account **charged)
{
	const unsigned long end = jiffies + CTX_ROOM_WAIT;
	long pause = 1;
	int err;

	while ((err = ctx_account_try(what, charged)) == -EBUSY && time_before(jiffies, end)) {
		if (fatal_signal_pending(current))
			break;
		schedule_timeout_killable(pause);
		pause = min_t(long, 2 * pause, CTX_ROOM_PAUSE);
	}
	return err == -EBUSY ? -EDQUOT : err;
}

/*
 * A watch of a context that is done does not count, though a worker may not have got to
 * it or to its file; but for a file that is held up. Sleeps.
 */
int ctx_account_charge(enum ctx_charge what, struct ctx_account **charged)
{
	int err = ctx_account_try(what, charged);

	if (err != -EDQUOT && err != -EBUSY)
		return err;
	ctx_watch_flush();
	return ctx_account_await(what, charged);
}

void ctx_account_uncharge(enum ctx_charge what, struct ctx_account *account)
{
	unsigned long flags;

	spin_lock_irqsave(&ctx_account_lock, flags);
	ctx_account_uncharge_locked(what, account);
	spin_unlock_irqrestore(&ctx_account_lock, flags);
}

/* A file of @account is about to be let go. */
void ctx_account_releasing(struct ctx_account *account)
{
	unsigned long flags;

	spin_lock_irqsave(&ctx_account_lock, flags);
	ctx_account_turns(account)->releasing++;
	spin_unlock_irqrestore(&ctx_account_lock, flags);
}

/* ... and has been. */
void ctx_account_released(struct ctx_account *account)
{
	unsigned long flags;

	spin_lock_irqsave(&ctx_account_lock, flags);
	ctx_account_turns(account)->releasing--;
	ctx_account_uncharge_locked(CTX_CHARGE_FILE, account);
	spin_unlock_irqrestore(&ctx_account_lock, flags);
}

/* NULL for a context that no process made. */
struct ctx_user *ctx_user_of(const struct ctx *ctx)
{
	if (!(ctx->kind & CTX_F_USER))
		return NULL;
	return container_of((struct ctx *)ctx, struct ctx_user, ctx);
}

/* Whether a process made @ctx, and not @other, or one of another user did that. */
bool ctx_user_is_foreign(const struct ctx *ctx, const struct ctx *other)
{
	const struct ctx_user *user = ctx_user_of(ctx), *others = ctx_user_of(other);

	return user && !(others && uid_eq(user->owner, others->owner));
}

/*
 * Whether the current task may open @user by its number: where it sees the maker's
 * and could send a signal to the owner. @may tells whether it may do so by what it
 * is capable of: ns_capable(), or, where it is not this one that it asks for, and its
 * audit would be misled, ns_capable_noaudit().
 */
int ctx_user_may_open(const struct ctx_user *user,
		      bool (*may)(struct user_namespace *ns, int cap))
{
	if (!ctx_pid_nr(user->creator, task_active_pid_ns(current)))
		return -ESRCH;
	if (uid_eq(current_euid(), user->owner) || uid_eq(current_uid(), user->owner) ||
	    may(user->ns ?: &init_user_ns, CAP_KILL))
		return 0;
	return -EPERM;
}

/* NULL for the first one, where most are: without a reference, 20 instructions less. */
static struct user_namespace *ctx_user_ns_get(void)
{
	struct user_namespace *ns = current_user_ns();

	return ns == &init_user_ns ? NULL : get_user_ns(ns);
}

/*
 * How many contexts @ctx is from the root. What the kernel derived in between counts,
 * too; there is no end of it that needs to be looked for, so for what is too deep to be
 * derived from it may be less, but no less than @max.
 */
static u32 ctx_depth_within(const struct ctx *ctx, u32 max)
{
	u32 depth = 0;

	for (; !ctx_is_root(ctx) && depth < max; ctx = ctx->parent, depth++)
		if (ctx->kind & CTX_F_USER)
			return depth + ctx_user_of(ctx)->depth;
	return depth;
}

/* For those who ask. Of what the kernel derived, not beyond what a process could. */
u32 ctx_user_depth(const struct ctx *ctx)
{
	return ctx_depth_within(ctx, max(READ_ONCE(max_depth), 1U));
}

/* What a child of @parent is charged, numbered and called. */
static struct ctx_user *ctx_user_alloc(struct ctx *parent)
{
	const u32 max = READ_ONCE(max_depth);
	const u32 depth = ctx_depth_within(parent, max);
	struct ctx_user *user;
	int err;

	if (depth >= max)
		return ERR_PTR(-ELOOP);
	user = kmem_cache_alloc(ctx_user_cache, GFP_KERNEL);
	if (!user)
		return ERR_PTR(-ENOMEM);
	err = ctx_user_charge(user);
	if (err) {
		kmem_cache_free(ctx_user_cache, user);
		return ERR_PTR(err);
	}
	user->bytes = NULL;
	user->on_dones = NULL;
	user->creator = ctx_pid_take(current);
	user->owner = current_euid();
	user->ns = ctx_user_ns_get();
	user->depth = depth + 1;
	user->keep = false;
	atomic_set(&user->cancellers, 0);
	memcpy(user->creator_comm, current->comm, sizeof(user->creator_comm));
	return user;
}

/* A cancelable child. */
struct ctx *ctx_user_with_cancel(struct ctx *parent, const struct ctx_when *when, bool keep)
{
	struct ctx_user *user = ctx_user_alloc(parent);
	u8 kind = when->time == CTX_NEVER ? CTX_CANCEL : CTX_DEADLINE;

	if (IS_ERR(user))
		return ERR_CAST(user);
	user->keep = keep;
	if (kind == CTX_CANCEL || !ctx_deadline_start_user(&user->deadline, parent, when, kind)) {
		struct ctx_nest *nest = ctx_scope_init(&user->scope, parent, kind | CTX_F_USER);

		ctx_note_derive(&user->ctx);
		ctx_scope_start(&user->scope, nest, GFP_KERNEL_ACCOUNT);
	}
	return &user->ctx;
}

struct ctx *ctx_user_without_cancel(struct ctx *parent)
{
	struct ctx_user *user = ctx_user_alloc(parent);

	if (IS_ERR(user))
		return ERR_CAST(user);
	ctx_without_start(&user->ctx, parent, CTX_WITHOUT | CTX_F_USER);
	ctx_note_derive(&user->ctx);
	return &user->ctx;
}

/*
 * What stands for the bytes of a key in a node. Nobody can choose keys that have
 * it in common; should some have, the bytes decide.
 */
static const void *ctx_user_hash(const void *key, u32 key_len)
{
	return (const void *)(unsigned long)siphash(key, key_len, &ctx_user_secret);
}

/* Takes over @bytes, unless it fails. */
struct ctx *ctx_user_with_value(struct ctx *parent, struct ctx_bytes *bytes)
{
	struct ctx_user *user = ctx_user_alloc(parent);

	if (IS_ERR(user))
		return ERR_CAST(user);
	user->bytes = bytes;
	ctx_value_start(&user->value, parent, ctx_user_hash(bytes->data, bytes->key_len), bytes,
			NULL, CTX_VALUE | CTX_F_USER, GFP_KERNEL_ACCOUNT);
	ctx_note_derive(&user->ctx);
	return &user->ctx;
}

struct ctx_user_name {
	const void *key;
	u32 key_len;
};

static bool ctx_user_match(const struct ctx_value *v, const void *arg)
{
	const struct ctx_bytes *bytes = v->value;
	const struct ctx_user_name *name = arg;

	return v->node.kind & CTX_F_USER && bytes->key_len == name->key_len &&
	       !memcmp(bytes->data, name->key, name->key_len);
}

/* The nearest value under a key. The caller's reference on @ctx keeps it. */
const struct ctx_bytes *ctx_user_find(const struct ctx *ctx, const void *key, u32 key_len)
{
	const struct ctx_user_name name = { key, key_len };
	const struct ctx_value *v = ctx_value_find(ctx, ctx_user_hash(key, key_len),
						   ctx_user_match, &name);

	return v ? v->value : NULL;
}

void ctx_user_free(struct ctx *ctx)
{
	struct ctx_user *user = ctx_user_of(ctx);

	ctx_user_uncharge(user);
	put_user_ns(user->ns);
	ctx_pid_drop(user->creator);
	kfree(user->bytes);
	/* A scope's constructed state is intact; the other kinds overwrite it. */
	if (!ctx_is_scope(ctx))
		ctx_scope_setup(&user->scope);
	kmem_cache_free(ctx_user_cache, user);
}

static void ctx_user_ctor(void *object)
{
	struct ctx_user *user = object;

	ctx_scope_setup(&user->scope);
	init_waitqueue_head(&user->file.wait);
	user->file.fasync = NULL;
}

int ctx_user_init(void)
{
	get_random_bytes(&ctx_user_secret, sizeof(ctx_user_secret));
	ctx_user_cache = kmem_cache_create("ctx_user", sizeof(struct ctx_user), 0,
					   SLAB_HWCACHE_ALIGN | SLAB_ACCOUNT, ctx_user_ctor);
	return ctx_user_cache ? 0 : -ENOMEM;
}

void ctx_user_exit(void)
{
	kfree(ctx_account_idle);
	kmem_cache_destroy(ctx_user_cache);
}
