#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0
#
# Coming and going of the module: it cannot go while anything of it is used, and
# what a user who is gone has left behind is reported and freed. TAP on stdout.
# shellcheck shell=dash disable=SC2317 # check calls them

checks=0
failed=0

check()
{
	name=$1 verdict=ok
	shift
	"$@" || { verdict="not ok"; failed=1; }
	checks=$((checks + 1))
	echo "$verdict $checks $name"
}

refused()
{
	! rmmod ctx 2> /dev/null && [ -d /sys/module/ctx ]
}

users()
{
	[ "$(cat /sys/module/ctx/refcnt)" = "$1" ]
}

# What the kernel said since the last mark: all, the last line first; once at least;
# a number of times.
since_mark()
{
	dmesg | tac | sed '/ctx-unload: mark$/q'
}

said()
{
	since_mark | grep -q "$1"
}

said_times()
{
	[ "$(since_mark | grep -c "$2")" = "$1" ]
}

# The kernel's log is looked through for contexts that were left by mistake.
leave()
{
	echo "ctx-unload: mark" > /dev/kmsg
	echo "ctx-expect-report: contexts were derived but never" > /dev/kmsg
	insmod /modules/ctx_leave.ko "$@"
}

gone()
{
	rmmod ctx && [ ! -e /dev/ctx ] && ! grep -q '^ctx' /proc/slabinfo
}

# Each verb says that the module is not there, and what to do.
missed()
{
	for verb in 'run true' 'exec 1 true' tree top info 'info 1' 'get a' wait 'wait 1' \
			'cancel 1' trace; do
		# shellcheck disable=SC2086 # words
		output=$(ctx $verb 2>&1)
		if [ $? != 125 ] || ! echo "$output" | grep -q "^ctx: .*load .* with 'modprobe ctx'$"; then
			echo "# ctx $verb: $output"
			return 1
		fi
	done
}

tracing=/sys/kernel/tracing

listen()
{
	[ -d "$tracing"/events ] || mount -t tracefs tracefs "$tracing" || return
	echo > "$tracing"/trace
	echo 1 > "$tracing"/events/ctx/enable
}

# Whether the events with a certain beginning were traced a number of times.
traced()
{
	[ "$(grep -cE ": $2" "$tracing"/trace)" = "$1" ]
}

echo "TAP version 13"
echo 1..30

# Of the test before, a worker may still be letting go of something.
until users 0; do :; done
check "unused, it counts nobody" users 0
exec 3< /dev/ctx
check "in use by a file" users 1
check "s4_refused_while_a_file_is_open" refused
exec 3<&-
check "the file's count is given back" users 0

insmod /modules/ctx_leave.ko thread=1
check "in use by a module, and by its thread" users 2
check "s4_refused_while_a_thread_runs" refused
rmmod ctx_leave
check "theirs are given back" users 0

leave
rmmod ctx_leave
check "s4_goes_though_contexts_were_left" gone
check "each is reported" said 'ctx: leaked: background.with_cancel$'
check "with its path and time left" \
	said 'ctx: leaked: background.with_cancel.with_deadline(+3[0-9]*\.[0-9]*s).with_cancel$'
check "and counted" said 'ctx: 3 contexts were derived but never cancelled nor put$'
check "it comes back" insmod /modules/ctx.ko
check "as new" users 0
leave many=20
rmmod ctx_leave
check "it goes, however many were left" gone
check "all of them counted" said 'ctx: 23 contexts were derived but never cancelled nor put$'
check "and not all reported" said_times 16 'ctx: leaked: '
insmod /modules/ctx.ko

check "events can be listened to" listen
insmod /modules/ctx_leave.ko thread=1
rmmod ctx_leave
# A thread has a child context, which is cancelled for it to stop. Where the kernel
# has no random numbers yet to hide an address, there is none to be seen.
check "what the kernel makes has no number" \
	traced 1 'ctx_derive: ctx=[^ ]+ id=0 parent=[^ ]+ parent_id=0 kind=with_cancel depth=0 deadline=0 pid=[1-9][0-9]* comm=insmod$'
check "its end is traced" traced 1 'ctx_cancel: ctx=[^ ]+ id=0 cause=-125 pid=[1-9][0-9]* comm=rmmod$'
check "it goes though somebody listens" gone
check "who looks for it is told to load it" missed
check "and comes back" insmod /modules/ctx.ko

# Whether what is there that was derived by a function is a number of contexts.
derived()
{
	[ "$(grep -c "$2" /sys/kernel/debug/ctx/derived)" = "$1" ]
}

rmmod ctx
check "it looks for mistakes when asked to" insmod /modules/ctx.ko debug=1
check "and says so" grep -qx Y /sys/module/ctx/parameters/debug
insmod /modules/ctx_leave.ko thread=1
check "it knows what there is, and who derived it" derived 1 ' live  *with_cancel .*\[ctx_leave\]$'
rmmod ctx_leave
check "until that is gone" derived 0 with_cancel
leave
check "what is left" derived 3 ' live .*\[ctx_leave\]$'
rmmod ctx_leave
check "is known when who derived it is gone" gone
check "and reported with that" \
	said 'ctx: leaked: background.with_cancel, derived by .*\[ctx_leave\]$'
check "and comes back" insmod /modules/ctx.ko
exit $failed
