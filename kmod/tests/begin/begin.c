// SPDX-License-Identifier: GPL-2.0
/*
 * Has the init functions of our other modules fail for want of memory, for begin_test:
 * the first allocation of the nth call there that allocates. What else the kernel needs
 * to load a module, hundreds of allocations, does not count.
 */
#include <linux/jhash.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/notifier.h>
#include <linux/sched.h>
#include <linux/stacktrace.h>
#include <linux/string.h>

static unsigned int nth;
module_param(nth, uint, 0644);
MODULE_PARM_DESC(nth, "which call fails; 0: none (default 0)");

static unsigned int left;
module_param(left, uint, 0444);
MODULE_PARM_DESC(left, "what was left of nth when the last one returned");

#if defined(CONFIG_FAULT_INJECTION) && defined(CONFIG_KPROBES)

/* Which is being loaded; one at a time. */
static struct module *theirs;
static int (*their_init)(void);
static struct task_struct *their_task;
static u32 their_call;

static int begin_init(void)
{
	int err;

	left = nth;
	their_call = 0;
	WRITE_ONCE(their_task, current);
	err = their_init();
	WRITE_ONCE(their_task, NULL);
	WRITE_ONCE(current->fail_nth, 0);
	return err;
}

static int begin_notify(struct notifier_block *notifier, unsigned long event, void *data)
{
	struct module *mod = data;

	if (event != MODULE_STATE_COMING || !nth || !mod->init || !strstarts(mod->name, "ctx"))
		return NOTIFY_DONE;
	theirs = mod;
	their_init = mod->init;
	mod->init = begin_init;
	return NOTIFY_OK;
}

static struct notifier_block begin_notifier = {
	.notifier_call = begin_notify,
};

/* Which call of the module's it is, by way of which others. Never 0. */
static u32 begin_call(void)
{
	unsigned long entries[48];
	unsigned int i, n = stack_trace_save(entries, ARRAY_SIZE(entries), 0);
	u32 call = 0;

	for (i = 0; i < n; i++)
		if (within_module(entries[i], theirs))
			call = jhash(&entries[i], sizeof(entries[i]), call);
	return call ?: 1;
}

/* Asked whether an allocation is to fail. */
static int begin_asked(struct kprobe *probe, struct pt_regs *regs)
{
	u32 call;

	if (!in_task() || current != READ_ONCE(their_task) || !left)
		return 0;
	call = begin_call();
	if (call == their_call)
		return 0;
	their_call = call;
	if (!--left)
		WRITE_ONCE(current->fail_nth, 1);
	return 0;
}

static struct kprobe begin_probe = {
	.symbol_name = "should_failslab",
	.pre_handler = begin_asked,
};

static int __init begin_start(void)
{
	int err = register_kprobe(&begin_probe);

	if (err)
		return err;
	err = register_module_notifier(&begin_notifier);
	if (err)
		unregister_kprobe(&begin_probe);
	return err;
}
module_init(begin_start);

static void __exit begin_stop(void)
{
	unregister_module_notifier(&begin_notifier);
	unregister_kprobe(&begin_probe);
}
module_exit(begin_stop);

#endif

MODULE_DESCRIPTION("Failing allocations in the init functions of ctx's modules, for tests");
MODULE_LICENSE("GPL");
