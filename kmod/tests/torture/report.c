// SPDX-License-Identifier: GPL-2.0
/* Violations: one line each, a warning for who watches the log, and a count. */
#include <linux/bug.h>
#include <linux/printk.h>

#include "torture.h"

/* What follows from the first is seldom news. */
#define TOR_SHOWN	10

atomic_t tor_violations = ATOMIC_INIT(0);

/* Something does not come to its end: nothing that it may use can be freed. */
bool tor_stuck;

void tor_violated(const struct tor_place *place, const char *rule, const char *fmt, ...)
{
	struct va_format what = { .fmt = fmt };
	va_list args;

	if (atomic_inc_return(&tor_violations) > TOR_SHOWN)
		return;
	va_start(args, fmt);
	what.va = &args;
	pr_err("%s violated: %pV; seed=0x%x, actor %u, operation %lu: %s\n", rule, &what,
	       tor_seed, place->actor, place->count, place->op);
	va_end(args);
	WARN_ON(1);
}
