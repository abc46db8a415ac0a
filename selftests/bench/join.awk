# SPDX-License-Identifier: GPL-2.0
#
# usage: awk -f join.awk [-v partial=1] [-v color=1] -v cpus=CPUS -v csv=FILE \
#	MEASURES... pairs
#
# Joins what was measured ("bench: NAME UNIT VALUE" lines) to a table for people,
# on stdout, and to a file of comma-separated values. Ends with 1 if a measure is
# missing, unless that is intended: then its rows are left out.

# The value of an expression, from left to right; its first name gives the unit.
function evaluate(text,    words, count, i, word, number, value, operator)
{
	count = split(text, words, " ")
	value = 0
	operator = "+"
	for (i = 1; i <= count; i++) {
		word = words[i]
		if (word ~ /^([-+*\/]|max|min)$/) {
			operator = word
			continue
		}
		if (word in measured) {
			number = measured[word]
			unit = unit ? unit : units[word]
		} else if (word ~ /^[0-9.]+$/) {
			number = word + 0
		} else {
			missing = missing " " word
			continue
		}
		if (operator == "+")
			value += number
		else if (operator == "-")
			value -= number
		else if (operator == "*")
			value *= number
		else if (operator == "/")
			value /= number
		else if (operator == "max" ? number > value : number < value)
			value = number
	}
	return value
}

function trim(text)
{
	gsub(/^[ \t]+|[ \t]+$/, "", text)
	return text
}

function paint(code, text)
{
	return color ? "\033[" code "m" text "\033[0m" : text
}

function row(verdict,    digits)
{
	digits = unit == "ratio" ? 3 : 1
	printf "%-45s %12.*f  %-33s %12.*f %8.3f %6s  %s\n", name, digits, value, peer, digits,
		peer_value, ratio, bar == "-" ? "" : bar, verdict
	printf "%s,%s,%.*f,%s,%.*f,%.4f\n", name, unit, digits, value, peer, digits, peer_value,
		ratio > csv
}

# A bar is how much it may be, or, after a ">", how much it has to be.
function within(ratio, bar)
{
	return sub(/^>/, "", bar) ? ratio >= bar + 0 : ratio <= bar + 0
}

BEGIN {
	print "case,unit,ctx,peer,peer_value,ratio" > csv
}

$1 == "bench:" && NF == 4 {
	if ($2 in measured)
		repeated = repeated " " $2
	measured[$2] = $4
	units[$2] = $3
	next
}

FILENAME !~ /pairs$/ || /^#/ || NF == 0 {
	next
}

!heading {
	heading = 1
	printf "%-45s %12s  %-33s %12s %8s %6s\n", "case", "ctx", "peer", "value", "ratio", "bar"
}

{
	split($0, column, "|")
	name = trim(column[1])
	peer = trim(column[3])
	bar = trim(column[5])
	missing = unit = ""
	value = evaluate(column[2])
	peer_value = evaluate(column[4])
	if (NF < 2 || split($0, column, "|") != 5 || name peer ~ /[,"]/) {
		print "no row: " $0
		wrong = 1
		next
	}
	if (missing) {
		lacking = lacking missing
		next
	}
	if (!peer_value) {
		print "nothing to compare with: " $0
		wrong = 1
		next
	}
	ratio = value / peer_value
	if (match(bar, / if [0-9]+ CPUs$/)) {
		wanted = substr(bar, RSTART + 4) + 0
		bar = cpus < wanted ? "-" : substr(bar, 1, RSTART - 1)
	}
	if (bar == "-") {
		row("")
	} else if (within(ratio, bar)) {
		met++
		row(paint(32, "met"))
	} else {
		unmet++
		row(paint(31, "NOT MET"))
	}
}

END {
	printf "\n%d of %d bars are met\n", met, met + unmet
	if (repeated)
		print "measured more than once:" repeated
	if (lacking)
		print partial ? "what was not measured is left out" : "missing:" lacking
	exit wrong || repeated || lacking && !partial
}
