#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# A context that is cancelled, of which a pipe is told: a command for who traces that.
# It ends once the outcome is known, which is not before it was traced. Needs hold next
# to this, a ctx in PATH, and a current directory of the caller's own.

here=$(dirname "$0")
mkfifo number || exit

cancel()
{
	read -r id < number
	ctx cancel "$id"
	until ctx info -j "$id" | grep -q '"on_dones_written": true'; do :; done
}

# It holds the context until its input ends.
cancel | "$here/hold" cancel pipe 4>&1 > number | grep -qx "done"
status=$?
rm number
exit $status
