# SPDX-License-Identifier: GPL-2.0
#
# Adds up test results in KTAP, from any number of files or of documents in one.
#
# What counts is leaves: a result that comes right after deeper ones sums these up,
# and counts itself only if it failed where none of them did. A result that a plan
# announced and that did not come has failed, and so has a skipped test.
#
#   awk -f ktap.awk                prints each failure, with what was said just
#                                  before it, then "N passed, N failed"
#   awk -v format=FORMAT -f ...    the same with another last line, for printf
#   awk -v skips=1 -f ...          a skipped test has not failed: "..., N skipped"
#
# Ends 1 if anything failed, or if there were no results at all.

function failure(level, what,	l, first)
{
	first = said > 100 ? said - 100 : 0
	for (l = first; l < said; l++)
		print "  | " substr(before[l], 1, 200)
	said = 0
	failed++
	for (l = 0; l < level; l++)
		failed_below[l]++
	print "FAILED: " what
}

function place(level,	l, path)
{
	for (l = 1; l <= level; l++)
		if (l in subtest)
			path = path subtest[l] ": "
	return path
}

# Levels from this one on are over: were all results seen?
function close_levels(from,	l, missing)
{
	for (l = deepest; l >= from; l--) {
		if (l in plan && plan[l] != seen[l]) {
			missing = plan[l] - seen[l]
			failure(l, place(l) (missing > 0 ? missing " results of " plan[l] " are missing" : \
				-missing " results more than the " plan[l] " announced"))
			failed += missing > 1 ? missing - 1 : 0
		}
		delete plan[l]
		delete seen[l]
		delete subtest[l]
		below[l] = failed_below[l] = 0
	}
	if (deepest >= from)
		deepest = from - 1
}

function open_level(level)
{
	if (level > deepest)
		deepest = level
}

function result(level, ok, name,	l)
{
	close_levels(level + 1)
	open_level(level)
	seen[level]++
	if (name ~ /# *[Ss][Kk][Ii][Pp]/ && skips)
		skipped += !below[level]
	else if (name ~ /# *[Ss][Kk][Ii][Pp]/)
		failure(level, place(level) name)
	else if (!ok && !failed_below[level])
		failure(level, place(level) name)
	else if (ok && !below[level])
		passed++
	said = below[level] = failed_below[level] = 0
	for (l = 0; l < level; l++)
		below[l]++
}

FNR == 1 {
	close_levels(0)
	said = 0
}

{
	sub(/\r$/, "")
	sub(/^\[ *[0-9]+\.[0-9]+\] /, "")	# the kernel's time
	match($0, /^ */)
	level = RLENGTH
	line = substr($0, level + 1)
}

line ~ /^K?TAP version / {
	said = 0
	close_levels(level + (level in plan || seen[level] ? 0 : 1))
	next
}

line ~ /^# Subtest: / {
	close_levels(level)
	open_level(level)
	subtest[level] = substr(line, 12)
	next
}

line ~ /^1\.\.[0-9]+/ {
	close_levels(level + (level in plan || seen[level] ? 0 : 1))
	open_level(level)
	plan[level] = substr(line, 4) + 0
	seen[level] += 0
	if (plan[level] == 0)
		failure(level, place(level) "no tests: " line)
	next
}

line ~ /^ok( |$)/ {
	sub(/^ok *[0-9]* *-? */, "", line)
	result(level, 1, line)
	next
}

line ~ /^not ok( |$)/ {
	sub(/^not ok *[0-9]* *-? */, "", line)
	result(level, 0, line)
	next
}

{
	before[said++] = $0
}

END {
	close_levels(0)
	if (!passed && !failed)
		failure(0, "there are no results")
	printf (format ? format : "%d passed, %d failed"), passed, failed
	print skipped ? ", " skipped " skipped" : ""
	exit failed > 0
}
