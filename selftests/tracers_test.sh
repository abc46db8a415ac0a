#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The module's events in the hands of other tools: what Documentation/observing.rst
# says of trace-cmd. Needs the module, a ctx in PATH, what is in lib/, and trace-cmd next
# to this.
#
# shellcheck disable=SC2317 # test_case calls them

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=lib/cases.sh
. "$here/lib/cases.sh"
dir=$(mktemp -d)
cd "$dir" || exit 1
[ -d /sys/kernel/tracing/events ] || mount -t tracefs tracefs /sys/kernel/tracing 2> /dev/null

# record OPTION...: what trace-cmd has to say of it is in said.txt, its report in report.txt.
record()
{
	[ -x "$here/host/trace-cmd" ] && [ -d /sys/kernel/tracing/events/ctx ] || return 4
	if ! "$here/host/trace-cmd" record -q "$@" > said.txt 2>&1 ||
	   ! "$here/host/trace-cmd" report > report.txt 2>> said.txt; then
		sed 's/^/# | /' said.txt
		return 1
	fi
}

# reported NUMBER PATTERN: so many lines of the report are like that.
reported()
{
	[ "$(grep -c -e "$2" report.txt)" = "$1" ] && return
	echo "# not $1 of '$2' in:"
	sed 's/^/# | /' report.txt
	return 1
}

# It cancels its context when the command has ended, and leaves one that nobody owns.
a_command()
{
	record -e ctx -- ctx run -t 1h true || return
	reported 1 'ctx_derive: .* kind=with_deadline .* comm=ctx$' &&
		reported 1 'ctx_cancel: .* cause=-125 pid=[0-9]* comm=ctx$' &&
		reported 1 'ctx_cancel: .* cause=-130 pid=[0-9]* comm=ctx$' &&
		reported 1 'ctx_done: .* kind=with_deadline err=-125 '
}

# In the foreground, without a cgroup: nothing keeps the context when ctx run has ended.
a_deadline()
{
	record -e ctx -- ctx run -ft .1 sleep 1h || return
	reported 1 'ctx_expire: .* cause=-110 deadline=[0-9]* late=[0-9]*$' &&
		reported 1 'ctx_done: .* kind=with_deadline err=-110 cause=-110 ' &&
		reported 1 'ctx_release: .* kind=with_deadline err=-110$'
}

an_on_done()
{
	record -e ctx -- "$here/lib/on_done.sh" || return
	reported 1 'ctx_cancel: .* cause=-125 pid=[0-9]* comm=ctx$' &&
		reported 1 'ctx_on_done: .* id=[1-9][0-9]* to=pipe err=0$'
}

a_filter()
{
	record -e ctx -f 'id == 0' -- ctx run true || return
	reported 0 ctx_
}

a_stack()
{
	record -e ctx:ctx_cancel -T -- ctx run true || return
	reported 2 'ctx_cancel:' && reported 2 'kernel_stack:' && reported 1 '=> ctx_ioc_cancel$'
}

echo "TAP version 13"
echo "1..$(grep -c '^test_case "' "$0")"
test_case "trace-cmd: a command" a_command
test_case "trace-cmd: a deadline" a_deadline
test_case "trace-cmd: an on-done" an_on_done
test_case "trace-cmd: with a filter" a_filter
test_case "trace-cmd: with stacks" a_stack
cd / && rm -rf "$dir"
exit $failed
