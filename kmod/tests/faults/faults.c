// SPDX-License-Identifier: GPL-2.0
/*
 * Tells, in the kernel's log, where in ctx.ko memory or a copy was made to fail, each
 * place once for each way that led to it: for selftests/vm/faults.
 *
 *   ctx_faults: WHAT WHERE CALLER... : the function that failed, and of those that called
 *   it, from the nearest on, what is in ctx.ko, as far as nothing else is in between.
 */
#include <linux/jhash.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/spinlock.h>
#include <linux/stacktrace.h>
#include <linux/string.h>

#define WAYS	1024

static DEFINE_RAW_SPINLOCK(faults_lock);	/* protects all below */
static u32 faults_seen[WAYS];
static unsigned int faults_nr;
static char faults_line[1024];

/* What sanitizers and accounting keep about an object fails without consequences. */
static const char * const faults_beside[] = {
	"create_object", "__create_object", "kmemleak_alloc", "memcg_alloc_slab_cgroups",
	"fill_pool", "__debug_object_init", "debug_object_activate",
};

static bool faults_is_beside(const char *symbol)
{
	const size_t len = strcspn(symbol, "+");
	int i;

	for (i = 0; i < ARRAY_SIZE(faults_beside); i++)
		if (strlen(faults_beside[i]) == len && !strncmp(faults_beside[i], symbol, len))
			return true;
	return false;
}

/* Fills faults_line; false if ctx.ko has nothing to do with it. */
static bool faults_describe(const unsigned long *entries, unsigned int n)
{
	char symbol[KSYM_SYMBOL_LEN], what[64] = "";
	unsigned int i, len = 0;

	for (i = 0; i < n; i++) {
		char *module;

		snprintf(symbol, sizeof(symbol), "%pB", (void *)entries[i]);
		module = strstr(symbol, " [ctx]");
		if (!module && len)
			break;
		if (faults_is_beside(symbol))
			return false;
		if (!module) {
			strscpy(what, symbol, min(sizeof(what), strcspn(symbol, "+") + 1));
			continue;
		}
		*module = '\0';
		len += scnprintf(faults_line + len, sizeof(faults_line) - len, "%s %s",
				 len ? "" : what, symbol);
	}
	return len;
}

/* Whether it was not told before; when there is no room for more, all are. */
static bool faults_is_new(void)
{
	const u32 hash = jhash(faults_line, strlen(faults_line), 0);
	unsigned int i;

	for (i = 0; i < faults_nr; i++)
		if (faults_seen[i] == hash)
			return false;
	if (faults_nr < WAYS)
		faults_seen[faults_nr++] = hash;
	return true;
}

static int faults_returned(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	unsigned long entries[48], flags;
	unsigned int n;

	if (!(bool)regs_return_value(regs))
		return 0;
	n = stack_trace_save(entries, ARRAY_SIZE(entries), 0);
	raw_spin_lock_irqsave(&faults_lock, flags);
	if (faults_describe(entries, n) && faults_is_new())
		pr_info("ctx_faults: %s\n", faults_line);
	raw_spin_unlock_irqrestore(&faults_lock, flags);
	return 0;
}

static struct kretprobe faults_probe = {
	.kp.symbol_name = "should_fail_ex",
	.handler = faults_returned,
	.maxactive = 64,
};

static int __init faults_init(void)
{
	return register_kretprobe(&faults_probe);
}
module_init(faults_init);

static void __exit faults_exit(void)
{
	unregister_kretprobe(&faults_probe);
	if (faults_probe.nmissed)
		pr_warn("ctx_faults: %d not seen\n", faults_probe.nmissed);
}
module_exit(faults_exit);

MODULE_DESCRIPTION("Tells where ctx's allocations were made to fail, for tests");
MODULE_LICENSE("GPL");
