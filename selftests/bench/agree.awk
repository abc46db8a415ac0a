# SPDX-License-Identifier: GPL-2.0
#
# usage: awk -f agree.awk FIRST.csv SECOND.csv
#
# Compares the results of two runs, as join.awk wrote them. Ends with 0 if both have the
# same, and all of them agree within one per cent; or within two instructions of a hundred
# or more: what is not an average is the difference of two readings of the clock, each of
# which is rounded. What is less is an average, rounded to a tenth.
#
# What the tick has to do when it comes on top is not ours, and another thing each time.

function compare(what, one, other,    difference, share)
{
	compared++
	difference = one > other ? one - other : other - one
	if (difference <= (one < 100 ? 0.11 : 2))
		return
	share = difference / (one > other ? one : other)
	if (share > worst)
		worst = share
	if (share > 0.01) {
		printf "%s: %s and %s\n", what, one, other
		apart++
	}
}

BEGIN {
	FS = ","
}

FNR == 1 || /the tick on top/ {
	next
}

FNR == NR {
	first[$1, $4] = $3
	first_peer[$1, $4] = $5
	next
}

!(($1, $4) in first) {
	print $1 ", " $4 ": in the second only"
	apart++
	next
}

{
	compare($1, first[$1, $4], $3)
	compare($1 ", " $4, first_peer[$1, $4], $5)
	delete first[$1, $4]
}

END {
	for (row in first) {
		split(row, part, SUBSEP)
		print part[1] ", " part[2] ": in the first only"
		apart++
	}
	printf "two runs: %d figures, of which %d are more than 1 %% apart; at most %.2f %%\n",
		compared, apart, 100 * worst
	exit apart > 0 || !compared
}
