# SPDX-License-Identifier: GPL-2.0
#
# Prints what a kernel reported in its log, read from stdin, and ends 1 if that
# was anything. A test that provokes a report on purpose announces it with a line
# "ctx-expect-report: TEXT", which excuses one report whose first line has TEXT
# in it, and counts against the test if none comes.
#
# Of data races, which kernels have of their own, those count that a module of ours
# has to do with.

/ctx-expect-report: / {
	sub(/.*ctx-expect-report: /, "")
	sub(/[ \r]+$/, "")
	expected[++n] = $0
	next
}

/BUG: KCSAN: / {
	race = $0
	sub(/\r$/, "", race)
	next
}

/={20}/ {
	# The first such line comes before the title.
	if (ours) {
		print race
		reports++
	}
	race = ours = ""
}

race && /\[ctx/ {
	ours = 1
}

function excused(line,	i)
{
	for (i = 1; i <= n; i++)
		if (expected[i] != "" && index(line, expected[i])) {
			expected[i] = ""
			return 1
		}
	return 0
}

/WARNING: |BUG: |BUG [^ ]+ \(|kernel BUG at|Oops|Kernel panic|general protection fault/ ||
/KASAN|KFENCE|UBSAN: |ODEBUG: |DEBUG_LOCKS_WARN_ON|refcount_t: / ||
/kmemleak: .*(suspected|disabled|empty|Cannot)/ ||
/INFO: (task|possible|trying|rcu|suspicious)|rcu: INFO|detected stall|soft lockup|hard LOCKUP/ ||
/Objects remaining|corruption[ .]|scheduling while atomic|sleeping function called/ ||
/[Uu]nable to handle|nobody cared|bad magic|Bad page|page allocation failure|stack overflow/ ||
/invalid opcode|double fault|inconsistent lock state|ctx: [0-9]+ contexts were derived but never/ {
	line = $0
	sub(/\r$/, "", line)
	if (!excused(line)) {
		print line
		reports++
	}
}

END {
	for (i = 1; i <= n; i++)
		if (expected[i] != "") {
			print "expected, but not reported: " expected[i]
			reports++
		}
	exit reports > 0
}
