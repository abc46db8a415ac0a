#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# What ctx does, shown in four steps on a machine where it is loaded: kernel
# threads, a deadline, processes, and the ctx command. Ends with 0 only if all
# went as told.
#
# Needs /modules/ctx_scene.ko, and the programs family and stamp next to this one.
here=$(dirname "$0")
quiet_fifo=/tmp/scene-fifo.$$
steps=0 good=0 bold='' red='' plain=''

if [ "${SCENE_COLOR:-}" = 1 ] || { [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; }; then
	bold=$(printf '\033[1m') red=$(printf '\033[31m') plain=$(printf '\033[0m')
fi

# step TITLE EXPLANATION COMMAND...: COMMAND says by its status if all was well.
step()
{
	steps=$((steps + 1))
	echo
	echo "$bold$steps. $1$plain"
	echo "$2"
	echo
	start=$("$here/stamp" now)
	shift 2
	if "$@"; then
		good=$((good + 1))
	else
		echo "${red}This did not go as told.$plain"
	fi
}

# stamped COMMAND...: with the milliseconds since the step's start before each line.
stamped() { "$here/stamp" "$start" "$@"; }

# In the kernel: loading the module plays the scene; its story is in the kernel's log.
kernel_scene()
{
	mark="scene $1 begins at $start"
	echo "$mark" > /dev/kmsg
	insmod /modules/ctx_scene.ko scene="$1"
	status=$?
	dmesg | sed "1,/$mark/d" | sed -n 's/.*ctx_scene: //p'
	[ $status = 0 ] && rmmod ctx_scene
}

users() { cat /sys/module/ctx/refcnt; }

pipeline()
{
	before=$(users)
	kernel_scene pipeline || return
	# shellcheck disable=SC2009 # busybox's pgrep does not count
	left=$(ps -o comm | grep -c '^worker-')
	stamped echo "left: $left worker threads; users of the module: $before before, $(users) after"
	[ "$left" = 0 ] && [ "$before" = "$(users)" ]
}

# expect STATUS COMMAND...: shows the command, what it says, and how it ends.
expect()
{
	expected=$1
	shift
	stamped echo "\$ $*"
	stamped "$@"
	status=$?
	stamped echo "exit status $status"
	[ $status = "$expected" ]
}

tool()
{
	mkfifo $quiet_fifo
	expect 124 ctx run -v -t 300ms -- cat $quiet_fifo &&
		expect 124 ctx run -t 200ms -- ctx run -v -t 1h -- cat $quiet_fifo &&
		expect 124 ctx run -t 200ms -- ctx wait &&
		expect 0 ctx run -t 10s -- ctx info
	status=$?
	rm $quiet_fifo
	return $status
}

cd / || exit
[ -e /dev/ctx ] || { echo "scene: the module ctx is not loaded" >&2; exit 1; }
step "A pipeline of kernel threads" \
"Three threads, started under one context, each wait for a value or for the end of
the context. Only one value comes. Cancelling the context lets the other two go." \
	pipeline
step "A deadline that reaches three levels" \
"A request has 200 ms. A query belongs to it, and a disk read, which by itself might
take 10 s, to the query. When the time is up, all three are done, for one reason." \
	kernel_scene deadline
step "A family of processes whose head is killed" \
"Five processes, each under a context derived from its parent's. The first is killed
with SIGKILL; the kernel cancels all below it (EOWNERDEAD: the owner is dead), and
each of them learns who did it, when and why." \
	"$here/family" "$("$here/stamp" now)"
step "The ctx command" \
"Any command can run under a context. Here a deadline ends a cat that would wait for
ever, the shorter one of two nested runs rules, and a command asks what it has left." \
	tool

echo
echo "$bold$good of $steps steps went as told.$plain"
[ $good = $steps ]
