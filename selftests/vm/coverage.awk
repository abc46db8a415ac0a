# SPDX-License-Identifier: GPL-2.0
#
# Joins reasons with what lcov has found: awk -v top=DIRECTORY -v want_lines=PERCENT
# -v want_branches=PERCENT -f coverage.awk REASONS INFO. Ends 1 if too little was reached.

function words(text)
{
	gsub(/[ \t]+/, " ", text)
	gsub(/^ | $/, "", text)
	return text
}

function percent(part, whole)
{
	return whole ? 100 * part / whole : 100
}

function row(name, lines, lines_hit, branches, branches_hit)
{
	printf "%-28s %5d of %5d %5.1f %%   %5d of %5d %5.1f %%\n", name, lines_hit, lines, \
		percent(lines_hit, lines), branches_hit, branches, percent(branches_hit, branches)
}

function read_source(	n, text)
{
	delete source
	while ((getline text < (top "/" file)) > 0)
		source[++n] = words(text)
	close(top "/" file)
}

# The reason for a line, or for all of the function that it is in.
function reason_for(line,	function_name)
{
	function_name = in_function[line]
	if ((file, source[line]) in reason)
		return use(file SUBSEP source[line])
	if ((file, function_name "()") in reason)
		return use(file SUBSEP function_name "()")
	unexplained++
	return "NO REASON"
}

function use(key)
{
	used[key] = 1
	return reason[key]
}

function name_functions(last,	line, name)
{
	for (line = 1; line <= last; line++) {
		if (line in starts)
			name = starts[line]
		in_function[line] = name
	}
}

FNR == NR {
	if ($0 ~ /^#/ || !match($0, / => /))
		next
	key = substr($0, 1, RSTART - 1)
	colon = index(key, ": ")
	reason[substr(key, 1, colon - 1), words(substr(key, colon + 2))] = substr($0, RSTART + 4)
	next
}

/^SF:/ {
	file = substr($0, 5 + length(top))
	delete starts
	delete missed
	lines = lines_hit = branches = branches_hit = n_missed = last = 0
}

/^FN:/ {
	split(substr($0, 4), part, ",")
	starts[part[1]] = part[2]
}

/^DA:/ {
	split(substr($0, 4), part, ",")
	lines++
	last = part[1] + 0
	if (part[2] > 0)
		lines_hit++
	else
		missed[++n_missed] = last
}

/^BRDA:/ {
	branches++
	if ($0 !~ /,(-|0)$/)
		branches_hit++
}

/^end_of_record/ {
	row(file, lines, lines_hit, branches, branches_hit)
	all_lines += lines
	all_lines_hit += lines_hit
	all_branches += branches
	all_branches_hit += branches_hit
	if (n_missed) {
		read_source()
		name_functions(last)
	}
	for (i = 1; i <= n_missed; i++)
		list = list sprintf("%s:%d: %s\n\t%s\n", file, missed[i], source[missed[i]], \
			reason_for(missed[i]))
}

END {
	row("all", all_lines, all_lines_hit, all_branches, all_branches_hit)
	if (list)
		printf "\nNot reached:\n%s", list
	for (key in reason)
		if (!(key in used)) {
			split(key, part, SUBSEP)
			print "A reason for what is reached, or not there: " part[1] ": " part[2]
		}
	if (unexplained)
		print unexplained " lines have no reason"
	exit percent(all_lines_hit, all_lines) < want_lines ||
		percent(all_branches_hit, all_branches) < want_branches
}
