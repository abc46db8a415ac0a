#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# What ctx does, shown on a machine where it is loaded:
#
#	scene.sh [NAME]...
#
# Each scene is a file scenes/NAME, of shell code: a title, a text that explains,
# and a function play, whose status says whether all went as told. Without a NAME
# all are played. Ends with 0 only if all of them went as told.
#
# Needs what the scenes need: /modules/ctx_scene.ko, ctx, and the programs next to
# this file.
# shellcheck disable=SC2317 # scenes call them
here=$(cd "$(dirname "$0")" && pwd)
all="pipeline deadline family tool orphans blk sum fifos"
played=0 good=0 bold='' red='' plain=''

if [ "${SCENE_COLOR:-}" = 1 ] || { [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; }; then
	bold=$(printf '\033[1m') red=$(printf '\033[31m') plain=$(printf '\033[0m')
fi

# What scenes are made of:

# stamped COMMAND...: with the milliseconds since the scene's start before each line.
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

# In a shell of its own, so that no scene minds what another has defined.
scene()
(
	title='' text=''
	# shellcheck source=/dev/null
	. "$here/scenes/$1"
	echo
	echo "$bold$played. $title$plain"
	echo "$text"
	echo
	start=$("$here/stamp" now)
	play && exit
	echo "${red}This did not go as told.$plain"
	exit 1
)

cd / || exit
[ -e /dev/ctx ] || { echo "scene: the module ctx is not loaded" >&2; exit 1; }
# shellcheck disable=SC2086 # names without blanks
[ $# -gt 0 ] || set -- $all
for name; do
	if [ ! -e "$here/scenes/$name" ]; then
		echo "scene: there is no '$name'; there are: $all" >&2
		exit 1
	fi
done
for name; do
	played=$((played + 1))
	! scene "$name" || good=$((good + 1))
done

echo
case $played in
1) echo "$bold$good of 1 scene went as told.$plain" ;;
*) echo "$bold$good of $played scenes went as told.$plain" ;;
esac
[ $good = $played ]
