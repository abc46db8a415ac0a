// SPDX-License-Identifier: GPL-2.0
/* Which operations there are, and how often each is done. */
#include <linux/jhash.h>
#include <linux/printk.h>

#include "torture.h"

static const struct tor_op tor_ops[] = {
	{ "derive", 40, tor_op_derive, { "live", "born done", "none" } },
	{ "cancel", 16, tor_op_cancel, { "won", "lost or unknown", "none" } },
	{ "look", 16, tor_op_look, { "live", "done", "none" } },
	{ "value", 12, tor_op_value, { "without a reference", "with one", "none" } },
	{ "callback", 12, tor_op_callback, { "ran", "removed or left", "refused" } },
	{ "callback-left", 10, tor_op_leave_callback, { "added", "refused" } },
	{ "drop", 8, tor_op_drop, { "dropped" } },
	{ "source", 8, tor_op_source, { "attached", "refused", "none" } },
	/* From here on not in interrupts. */
	{ "family", 16, tor_op_family, { "won", "lost or unknown", "none" } },
	{ "duel", 24, tor_op_duel, { "met", "alone" } },
	{ "expire", 4, tor_op_expire, { "expired", "ended before", "none" } },
	{ "after", 8, tor_op_after, { "ran", "stopped", "none" } },
	{ "after-left", 6, tor_op_leave_after, { "left" } },
	{ "link", 12, tor_op_link, { "left", "other cancelled", "none" } },
	{ "tie", 8, tor_op_tie, { "linked", "refused", "none" } },
	{ "file", 4, tor_op_file, { "attached", "refused", "none" } },
	{ "fd", 3, tor_op_fd, { "observed", "owned", "none" } },
	{ "work", 8, tor_op_work, { "queued", "refused", "none" } },
	{ "thread", 1, tor_op_thread, { "joined", "stopped", "none" } },
	{ "group", 1, tor_op_group, { "succeeded", "failed", "none" } },
	{ "wait", 4, tor_op_wait, { "done", "in vain", "none" } },
	{ "timer", 24, tor_op_timer, { "hard", "soft", "still set" } },
};

#define TOR_IN_TIMERS	8

static_assert(ARRAY_SIZE(tor_ops) <= TOR_OPS);

static const struct tor_op *tor_choose(struct tor_actor *actor)
{
	const unsigned int nr = actor->atomic ? TOR_IN_TIMERS : ARRAY_SIZE(tor_ops);
	u32 i, sum = 0;

	for (i = 0; i < nr; i++)
		sum += tor_ops[i].weight;
	sum = tor_pick(actor, sum);
	for (i = 0; sum >= tor_ops[i].weight; i++)
		sum -= tor_ops[i].weight;
	return &tor_ops[i];
}

void tor_step(struct tor_actor *actor)
{
	const struct tor_op *op;

	tor_random_begin(actor);
	op = tor_choose(actor);
	WRITE_ONCE(actor->place.op, op->name);
	actor->sequence = jhash_3words(actor->sequence, op - tor_ops, actor->random, 0);
	actor->outcomes[op - tor_ops][op->run(actor)]++;
	WRITE_ONCE(actor->place.count, actor->place.count + 1);
}

static unsigned long tor_outcomes(const struct tor_thread *threads, unsigned int nr,
				  unsigned int op, unsigned int outcome)
{
	unsigned long sum = 0;
	unsigned int i;

	for (i = 0; i < nr; i++)
		sum += READ_ONCE(threads[i].actor.outcomes[op][outcome]) +
		       READ_ONCE(threads[i].hard.actor.outcomes[op][outcome]) +
		       READ_ONCE(threads[i].soft.actor.outcomes[op][outcome]);
	return sum;
}

unsigned long tor_ops_sum(const struct tor_thread *threads, unsigned int nr)
{
	unsigned long sum = 0;
	unsigned int op, outcome;

	for (op = 0; op < ARRAY_SIZE(tor_ops); op++)
		for (outcome = 0; outcome < TOR_OUTCOMES; outcome++)
			sum += tor_outcomes(threads, nr, op, outcome);
	return sum;
}

/* Of what the threads themselves did: the same in each run of that many operations. */
u32 tor_ops_sequence(const struct tor_thread *threads, unsigned int nr)
{
	u32 sum = 0;
	unsigned int i;

	for (i = 0; i < nr; i++)
		sum += READ_ONCE(threads[i].actor.sequence);
	return sum;
}

void tor_ops_report(const struct tor_thread *threads, unsigned int nr)
{
	unsigned int op, i;
	char line[128];
	int len;

	for (op = 0; op < ARRAY_SIZE(tor_ops); op++) {
		len = scnprintf(line, sizeof(line), "%s:", tor_ops[op].name);
		for (i = 0; i < TOR_OUTCOMES && tor_ops[op].outcomes[i]; i++)
			len += scnprintf(line + len, sizeof(line) - len, "%s %lu %s", i ? "," : "",
					 tor_outcomes(threads, nr, op, i), tor_ops[op].outcomes[i]);
		pr_info("%s\n", line);
	}
}
