# SPDX-License-Identifier: GPL-2.0
#
# Of "#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 8, 0)" ... "#else" ... "#endif",
# leaves what kernel -v version=A.B.C compiles; and nothing of CTX_TORTURE, which is for
# a module of the tests that is not there. Any other condition stays.

BEGIN {
	split(version, v, ".")
	have = v[1] * 65536 + v[2] * 256
	depth = 0
}

function holds(operator, than)
{
	return operator == "<" ? have < than : operator == "<=" ? have <= than : \
	       operator == ">" ? have > than : operator == ">=" ? have >= than : have == than
}

# Whether all conditions around this line that are resolved here hold.
function kept(    i)
{
	for (i = 1; i <= depth; i++)
		if (state[i] == "out")
			return 0
	return 1
}

/^#[ \t]*if/ {
	depth++
	if (match($0, /^#[ \t]*if LINUX_VERSION_CODE (<|<=|>|>=|==) KERNEL_VERSION\([0-9, ]*\)$/)) {
		condition = $0
		gsub(/[(),]/, " ", condition)
		split(condition, word, " +")
		state[depth] = holds(word[3], word[5] * 65536 + word[6] * 256) ? "in" : "out"
		next
	}
	state[depth] = "other"
	if (/^#[ \t]*ifdef CTX_TORTURE$/) {
		state[depth] = "out"
		next
	}
}

/^#[ \t]*else/ && state[depth] != "other" {
	state[depth] = state[depth] == "in" ? "out" : "in"
	next
}

/^#[ \t]*endif/ {
	if (state[depth--] != "other")
		next
}

kept() && !/ctx_torture_point\(/ { line[++lines] = $0; uses += /LINUX_VERSION_CODE/ }

# One blank line where several have come together, and no header that nothing
# needs any more.
END {
	for (i = 1; i <= lines; i++) {
		if (line[i] ~ /^#include <linux\/version.h>/ && !uses)
			continue
		if (line[i] == "" && last == "")
			continue
		print last = line[i]
	}
}
