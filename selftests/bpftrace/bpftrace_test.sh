#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The lines for bpftrace of Documentation/observing.rst, as they are there. Needs the
# module, a ctx in PATH, and bpftrace next to this: which is larger than all else in a
# guest, so this has one of its own.
#
# shellcheck disable=SC2317 # test_case calls them

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=selftests/lib/cases.sh
. "$here/lib/cases.sh"
text=$here/lib/observing.rst
dir=$(mktemp -d)
cd "$dir" || exit 1
[ -d /sys/kernel/tracing/events ] || mount -t tracefs tracefs /sys/kernel/tracing 2> /dev/null

# documented NUMBER: that line, with those that go on with it.
documented()
{
	awk -v wanted="$1" -v quote="'" '
		/^  bpftrace / { inside = ++number == wanted }
		inside { print }
		inside && $0 ~ quote "$" { exit }' "$text"
}

# A reader's ends by ^C, and this one with a command: one whose time is up.
command="$(command -v ctx) run -qt .1 sleep 1h"
bpftrace()
{
	"$here/host/bpftrace" -c "$command" "$@"
}

# line NUMBER PATTERN...: all of these are in what it says.
line()
{
	eval "$(documented "$1")" > said.txt 2>&1
	shift
	for pattern; do
		grep -q -e "$pattern" said.txt && continue
		echo "# no '$pattern' in:"
		sed 's/^/# | /' said.txt
		return 1
	done
}

# The kind of file is a string that the event does not have at a fixed place. As a script
# itself, the command would be no program to bpftrace.
an_on_done()
{
	command="$(command -v sh) $here/lib/on_done.sh"
	line 4 '^[1-9][0-9]* to pipe: 0$'
}

no_other()
{
	[ "$(grep -c '^ *bpftrace ' "$text")" = 4 ]
}

echo "TAP version 13"
echo "1..$(grep -c '^test_case "' "$0")"
test_case "who cancels what, and why" line 1 '^[0-9][0-9]* by ctx ([0-9]*): -130$'
test_case "how late deadlines are" line 2 '^@late_us: *$' '^\[.*) *1 |@'
test_case "how long contexts live" line 3 '^@life_ms\[-110\]: *$' '^\[.*) *[1-9] |@'
test_case "what was written, and whether it was" an_on_done
test_case "there are no other lines" no_other
cd / && rm -rf "$dir"
exit $failed
