// SPDX-License-Identifier: GPL-2.0
/*
 * Loading the module runs what "run" names, and fails if anything of it does.
 * Writing a name to the parameter "probe" starts to measure how long interrupts
 * stay off, for whatever a process is about to do; writing "" ends it and prints.
 */
#include <linux/kstrtox.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/string.h>

#include "load.h"

static char *run = "";
module_param(run, charp, 0444);
MODULE_PARM_DESC(run, "contended, scale, storm, or nothing");

unsigned int load_rounds = 41;
module_param_named(rounds, load_rounds, uint, 0444);
MODULE_PARM_DESC(rounds, "contention: how often it is measured (default 41)");

unsigned int load_round_ms = 40;
module_param_named(round_ms, load_round_ms, uint, 0444);
MODULE_PARM_DESC(round_ms, "contention: how long it is measured (default 40 ms)");

unsigned int load_contexts = 10000000;
module_param_named(contexts, load_contexts, uint, 0444);
MODULE_PARM_DESC(contexts, "scale: live contexts (default 10000000)");

unsigned int load_groups = 10000;
module_param_named(groups, load_groups, uint, 0444);
MODULE_PARM_DESC(groups, "scale: families or chains that they are in (default 10000)");

unsigned int load_deadlines = 400000;
module_param_named(deadlines, load_deadlines, uint, 0444);
MODULE_PARM_DESC(deadlines, "storm: how many (default 400000)");

unsigned int load_spread_ms = 10;
module_param_named(spread_ms, load_spread_ms, uint, 0444);
MODULE_PARM_DESC(spread_ms, "storm: within how long (default 10 ms)");

unsigned int load_period_ns = 19997;
module_param_named(period_ns, load_period_ns, uint, 0444);
MODULE_PARM_DESC(period_ns, "of the probe for stretches with interrupts off (default 19997)");

static DEFINE_MUTEX(load_probe_lock);	/* protects the name */
static char load_probe_name[32];	/* "" while it is off */

static int load_probe_set(const char *value, const struct kernel_param *param)
{
	char name[sizeof(load_probe_name)];
	int err = 0;

	if (strscpy(name, value, sizeof(name)) < 0)
		return -EINVAL;
	strim(name);
	mutex_lock(&load_probe_lock);
	if (*name && *load_probe_name)
		err = -EBUSY;
	else if (*name)
		err = load_probe_start();
	else if (*load_probe_name)
		err = load_probe_stop(load_probe_name, 0, KTIME_MAX);
	if (!err)
		strscpy(load_probe_name, name, sizeof(load_probe_name));
	mutex_unlock(&load_probe_lock);
	return err;
}

static const struct kernel_param_ops load_probe_ops = {
	.set = load_probe_set,
};

module_param_cb(probe, &load_probe_ops, NULL, 0200);
MODULE_PARM_DESC(probe, "what the measures of interrupts off are called, or nothing");

static int __init load_init(void)
{
	if (!strcmp(run, "contended"))
		return load_contend();
	if (!strcmp(run, "scale"))
		return load_scale();
	if (!strcmp(run, "storm"))
		return load_storm();
	return *run ? -EINVAL : 0;
}

static void __exit load_exit(void)
{
	if (*load_probe_name)
		load_probe_stop(NULL, 0, 0);
}

module_init(load_init);
module_exit(load_exit);
MODULE_DESCRIPTION("Loads for benchmarks of ctx");
MODULE_LICENSE("GPL");
