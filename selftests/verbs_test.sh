#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The verbs of ctx that look at contexts and cancel them: tree, top, info, get, wait,
# cancel and trace; with a terminal and without. Needs the module, a ctx in PATH,
# busybox and what is in lib/.
#
# Contexts are held by "hold", which ends when its input does: nothing here sleeps.
#
# shellcheck disable=SC2016 # many a $ is for an inner shell
# shellcheck disable=SC2015 # "show" is for whatever failed before it
# shellcheck disable=SC2154 # see hold_them

dir=$(mktemp -d)
lib=$(dirname "$0")/lib
result=$dir/result
driven=/sys/fs/cgroup/ctx_verbs_test
export tracing=/sys/kernel/tracing
PATH=$PATH:$lib
# shellcheck source=lib/cases.sh
. "$lib/cases.sh"

chmod 755 "$dir"
mkfifo "$result"
exec 3<> "$result"
# Newer kernels need not have it in debugfs.
[ -d $tracing/events ] || mount -t tracefs tracefs $tracing

# Until there are no contexts. That of a cgroup which was removed is there until a grace
# period of RCU is over; that of who stayed with the last in one, until he is gone as well.
nothing_left()
{
	until [ "$(ctx tree -a | wc -l)" = 1 ]; do :; done
}

# Without anything that another one held.
alone()
(
	"$@"
	status=$?
	release
	nothing_left
	exit $status
)

# hold_them KIND...: makes contexts, whose numbers are $id1, $id2 and so on, and in a
# line $ids. What makes them is $holder.
hold_them()
{
	holders=$((${holders:-0} + 1))
	mkfifo "$dir/hold$holders"
	hold "$@" < "$dir/hold$holders" > "$result" 4>&3 3>&- &
	holder=$!
	eval "exec $((holders + 4))> $dir/hold$holders"
	read -r ids <&3
	count=0
	for id in $ids; do
		count=$((count + 1))
		eval "id$count=$id"
	done
	[ $count -gt 0 ]
}

# hold_more N KIND: the Nth holder makes another one, which is $id.
hold_more()
{
	eval "echo '$2' >&$(($1 + 4))"
	read -r id <&3
}

release()
{
	while [ "${holders:-0}" -gt 0 ]; do
		eval "exec $((holders + 4))>&-"
		rm -f "$dir/hold$holders"
		holders=$((holders - 1))
	done
	wait
}

show()
{
	echo "# $1:"
	printf '%s\n' "$output" | sed 's/^/# | /'
	return 1
}

# run_it COMMAND...: what it says, and how it ends.
run_it()
{
	output=$("$@" 2>&1)
	status=$?
}

# expect STATUS PATTERN COMMAND...
expect()
{
	wanted=$1 pattern=$2
	shift 2
	run_it "$@"
	[ $status = "$wanted" ] || show "$*: status $status, expected $wanted" || return
	has "$pattern" || show "$*: expected '$pattern'"
}

has()
{
	printf '%s\n' "$output" | grep -q -e "$1"
}

### tree

# lines_of ARGUMENT...: the first column of a tree.
lines_of()
{
	ctx tree "$@" | sed '1d; s/\([0-9.]\)  .*/\1/'
}

tree_empty()
{
	expect 0 '^ID  USER  STATE  LEFT  CAUSE  BY  PID  COMMAND$' ctx tree &&
		[ "$(printf '%s\n' "$output" | wc -l)" = 1 ] &&
		expect 0 '^\[\]$' ctx tree --json
}

# A family, and somebody beside it.
tree_lines()
{
	hold_them cancel timeout=90000 cancel up cancel up up cancel up up cancel || return
	lines=$(lines_of)
	[ "$lines" = "$id1
|-$id2
| |-$id3
| \`-$id4
\`-$id5
$id6" ] || output=$lines show "the lines"
}

tree_columns()
{
	hold_them cancel timeout=90000 || return
	expect 0 "^$id1  *root  live  *-  -  *-  *$holder  hold cancel timeout=90000$" ctx tree &&
		has "^.-$id2  *root  live  *1d00h  -  *-  *$holder  hold " || show "tree"
}

# Values stand with what they are on, unless that is not to be seen.
tree_values()
{
	hold_them value=a=1 cancel value=b=2 value=c=3 value=d=4 value=e=5 cancel || return
	lines=$(lines_of)
	[ "$lines" = "$id1
\`-$id2,$id3,$id4,$id5,...
  \`-$id7" ] || output=$lines show "without --all" || return
	lines=$(lines_of -a)
	[ "$lines" = "$id1
\`-$id2
  \`-$id3
    \`-$id4
      \`-$id5
        \`-$id6
          \`-$id7" ] || output=$lines show "with --all"
}

# ... as does what ctx run makes for itself.
tree_of_runs()
{
	[ "$(ctx run -- ctx tree | sed 1d | wc -l)" = 1 ] && nothing_left &&
		[ "$(ctx run -- ctx run -- ctx tree | sed 1d | wc -l)" = 2 ] &&
		[ "$(ctx run -- ctx run -- ctx tree -a | sed 1d | wc -l)" -ge 4 ] &&
		expect 0 '  ctx run -- ctx tree$' ctx run -- ctx tree
}

tree_of_some()
{
	hold_them cancel cancel value=a=1 up up up cancel || return
	[ "$(lines_of "$id2" "$id4")" = "$id2,$id3
$id4" ] || return
	# A value is found by what it stands with.
	expect 0 "^$id2,$id3 " ctx tree "$id3" &&
		expect 0 "^$id3 " ctx tree -a "$id3" &&
		! has "^$id2" &&
		[ "$(ctx tree -j "$id2" "$id4" | json | grep -c '\.id=')" = 3 ] &&
		expect 125 '^ctx: there is no context 999999, or it is not yours to see$' ctx tree 999999 &&
		expect 125 '^ctx: there is no context 999999' ctx tree -j 999999
}

tree_of_the_done()
{
	hold_them cancel expire up cancel cancel || return
	ctx cancel -c EIO "$id3" || return
	expect 0 "^|-$id2  *root  timed out  *-  ETIMEDOUT  timer  " ctx tree &&
		has "^.-$id3  *root  cancelled  *-  EIO  *ctx\[[0-9]*\]  " &&
		has "^  .-$id4  *root  cancelled  *-  EIO  *ctx\[" || show "tree"
}

# By CTX_FD, the oldest first; or who made it, as long as he is what he was.
tree_commands()
{
	mkfifo "$result.never"
	ctx run -- sh -c 'cat "$0" & wait' "$result.never" &
	run=$!
	# The cat has it open, so it has begun: while that is being done no CTX_FD is seen.
	exec 4> "$result.never"
	expect 0 "  sh -c cat .* (+1)$" ctx tree
	failure=$?
	exec 4>&-
	wait $run
	[ $failure = 0 ] && hold_them cancel name=other && expect 0 '  \[hold\]$' ctx tree
}

tree_of_harmless_names()
{
	hold_them name="$(printf 'a\033[2J\001\n\374')" cancel || return
	expect 0 ' hold name=a?\[2J?*? cancel$' env LC_ALL=C ctx tree || return
	hold_them cancel name="$(printf '\033x')" cancel || return
	ctx cancel "$id1"
	! ctx tree | grep "$(printf '\033')"
}

tree_deep()
{
	# shellcheck disable=SC2046 # words
	hold_them $(yes cancel | head -63) || return
	expect 0 "^$(printf '%114s' '')  *.-$id60 " ctx tree || return
	[ "$(ctx tree | wc -l)" = 64 ] &&
		[ "$(ctx tree | sed -n '62s/[0-9].*//p')" = "$(ctx tree | sed -n '64s/[0-9].*//p')" ]
}

tree_on_terminal()
{
	hold_them cancel cancel up cancel || return
	red=$(printf '\033\[31m') off=$(printf '\033\[0m') green=$(printf '\033\[32m')
	ctx cancel "$id3"
	unset NO_COLOR LANG LC_ALL LC_CTYPE TERM
	expect 0 "^├─$id2 .*${green}live$off" terminal -c 200 ctx tree &&
		expect 0 "^└─$id3 .*${red}cancelled$off" terminal -c 200 ctx tree &&
		LANG=de_DE.utf8 expect 0 "^├─$id2 " terminal ctx tree &&
		LANG=C expect 0 "^|-$id2 .*${green}live" terminal ctx tree || return
	# Cut, and nothing of it is left open.
	expect 0 "^├─$id2 " terminal -c 12 ctx tree
	! printf '%s\n' "$output" | sed "s/$(printf '\033')\[[0-9]*m//g; s/├─\|└─/--/" | tr -d '\r' | grep '.............' || return
	! NO_COLOR=1 terminal ctx tree | grep "$(printf '\033')\|─" &&
		! TERM=dumb terminal ctx tree | grep "$(printf '\033')\|─" &&
		! ctx tree | grep "$(printf '\033')\|─"
}

tree_watch_terminal()
{
	hold_them cancel || return
	expect 0 "$(printf '\033')\[?1049l" terminal -w COMMAND -k x -w COMMAND -k q ctx tree -w0.05 &&
		has "$(printf '\033')\[?1049h" && has "hold cancel" &&
		expect 0 '' terminal -w COMMAND -k "$(printf '\003')" ctx tree --watch=1h &&
		has "$(printf '\033')\[?1049l"
}

# Without a terminal one picture after the other, until nobody looks.
tree_watch_pipe()
{
	hold_them cancel || return
	[ "$(ctx tree --watch=10ms | head -4 | grep -c "^$id1 ")" = 2 ] &&
		[ "$(ctx tree -w0.01 999999 | head -2 | grep -c ID)" = 2 ]
}

# The names of all that a context has, and that its values are those of CTX_IOC_INFO.
tree_json()
{
	hold_them cancel timeout=3600 value=a=1 keep without || return
	ctx cancel -c ENOSPC "$id4"
	run_it sh -c 'ctx tree --json | json'
	for line in "0.id=$id1" 0.parent=null 0.depth=1 '0.kind="with_cancel"' 0.uid=0 \
			'0.user="root"' '0.state="live"' 0.error=null 0.cause=null \
			0.cause_errno=null 0.origin=null 0.by=null 0.by_pid=null 0.done_ns=null \
			0.deadline_ns=null 0.left_ns=null '0.creator="hold"' \
			"0.creator_pid=$holder" 0.keep=false 0.on_dones=0 \
			0.on_dones_written=false 0.on_done_errno=null 0.below=4 \
			0.processes=0 "0.pid=$holder" \
			'0.command="hold cancel timeout=3600 value=a=1 keep without"' \
			"1.id=$id2" "1.parent=$id1" 1.depth=2 '1.kind="with_deadline"' 1.below=3 \
			"2.id=$id3" "2.parent=$id2" '2.kind="with_value"' '2.state="live"' \
			"3.id=$id4" "3.parent=$id3" 3.keep=true '3.state="cancelled"' \
			'3.error="ECANCELED"' '3.cause="ENOSPC"' 3.cause_errno=28 "3.origin=$id4" \
			'3.by="ctx"' 3.left_ns=null '4.kind="without_cancel"' '4.state="live"' \
			4.deadline_ns=null; do
		printf '%s\n' "$output" | grep -qxF -e "$line" || show "expected $line" || return
	done
	has '^1.deadline_ns=[0-9][0-9]*$' && has '^1.left_ns=[0-9][0-9]*$' &&
		has '^2.left_ns=[0-9][0-9]*$' && has '^3.done_ns=[0-9][0-9]*$' &&
		has '^3.by_pid=[0-9][0-9]*$' && has '^3.deadline_ns=[0-9]' &&
		! has '^5' || show "numbers"
}

# Whatever a command line contains.
tree_json_strings()
{
	odd=$(printf '"\\\001\t\303\244\377\300\200\355\240\200\360\237\230\200\302\205')
	hold_them value="$odd=" cancel || return
	run_it sh -c 'ctx tree --json | json'
	[ $status = 0 ] || show "json" || return
	has '^0.command="hold value=\\u0022\\u005c\\u0001\\u0009ä\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd😀' ||
		show "the string"
}

tree_bad_arguments()
{
	for id in '' 0 -1 x 1x 99999999999999999999; do
		expect 125 "^ctx: '$id' is no context: give its number" ctx tree -- "$id" || return
	done
	for interval in '' x 0 -1; do
		expect 125 "^ctx: '$interval' is no interval" ctx tree --watch="$interval" || return
	done
	expect 125 'one of them' ctx tree -j -w && expect 125 "try 'ctx tree --help'" ctx tree -x
}

# Who may not look sees nothing, and who is asked for one is told.
tree_of_others()
{
	hold_them cancel || return
	su -s /bin/sh nobody -c "ctx tree" | sed 1d | grep . && return 1
	expect 125 'is not yours to see' su -s /bin/sh nobody -c "ctx tree $id1" &&
		expect 125 "another user's" su -s /bin/sh nobody -c "ctx info $id1" &&
		expect 1 "^ctx: context $id1 is another user's$" \
			su -s /bin/sh nobody -c "ctx cancel $id1" &&
		expect 0 'state     live' ctx info "$id1" || return
	expect 0 '  nobody  live ' su -s /bin/sh nobody -c 'ctx run ctx tree'
}

# Looking holds nothing: whoever dies, his context ends at once, be it looked at.
looking_counts_for_nothing()
{
	hold_them cancel || return
	ctx wait "$id1" > "$result" 5>&- &
	# It has that open: from here on it is told, also of what is gone.
	# shellcheck disable=SC2010 # the names are the kernel's
	until ls -l /proc/$!/fd | grep -q '\[ctx\]'; do :; done
	ctx tree > /dev/null && ctx top > /dev/null && ctx info "$id1" > /dev/null
	eval "exec $((holders + 4))>&-"
	read -r line <&3
	output=$line
	has "^context $id1 was cancelled by hold\[$holder\] .*EOWNERDEAD" || show "wait"
}

### top

top_once()
{
	hold_them cancel timeout=3600 value=a=1 cancel || return
	run_it ctx top
	has '^ctx top - ..:..:..  4 contexts: 4 live, 0 cancelled, 0 timed out; 0 processes; by left$' &&
		has '^all users and the kernel: 4 live, [0-9]* derived, [0-9]* cancelled, [0-9]* expired, [0-9]* callbacks$' &&
		has '^ *ID  PARENT  USER  STATE  *LEFT  BELOW  NEW  PROCS  *PID  COMMAND$' &&
		has "^ *$id2  *$id1  root  live   59m..s      1    0      0  *$holder  hold cancel " &&
		has "^ *$id4  *$id2  root  live   59m..s      0 " &&
		has "^ *$id1  *-  root  live        -      2 " || show "top"
}

# order_of OPTION...: the numbers in their order.
order_of()
{
	output=$(ctx top "$@" | sed '1,4d' | awk '{ print $1 }' | tr '\n' ' ')
}

top_sorts()
{
	hold_them cancel timeout=3600 cancel up up timeout=60 up expire up up cancel || return
	order_of
	[ "$output" = "$id4 $id2 $id3 $id1 $id6 $id5 " ] || show "left" || return
	order_of -r
	[ "$output" = "$id5 $id6 $id1 $id3 $id2 $id4 " ] || show "left, reversed" || return
	order_of --sort=below
	[ "$output" = "$id1 $id2 $id3 $id4 $id5 $id6 " ] || show "below" || return
	order_of -s id
	[ "$output" = "$id6 $id5 $id4 $id3 $id2 $id1 " ] || show "id" || return
	order_of -s id --reverse
	[ "$output" = "$id1 $id2 $id3 $id4 $id5 $id6 " ] || show "id, reversed" || return
	order_of -s new
	[ "$output" = "$id1 $id2 $id3 $id4 $id5 $id6 " ] || show "new"
}

top_by_user()
{
	hold_them cancel || return
	root=$ids
	mkfifo -m 666 "$dir/nobody"
	su -s /bin/sh nobody -c "exec $lib/hold timeout=60 <> $dir/nobody" > "$result" &
	read -r nobody <&3
	order_of
	[ "$output" = "$nobody $root " ] && order_of -s user && [ "$output" = "$root $nobody " ]
	failure=$?
	ctx tree > "$dir/tree"
	kill $!
	wait $!
	[ $failure = 0 ] || show "by user: $root, $nobody"
}

top_values()
{
	hold_them cancel value=a=1 || return
	order_of
	[ "$output" = "$id1 " ] || show "without" || return
	order_of --all
	[ "$output" = "$ids " ] || show "with"
}

# What came between two looks: here, one context for each line that is read.
top_new()
{
	hold_them cancel || return
	first=$id1
	mkfifo "$dir/top"
	ctx top -n 2 -d 1ms > "$dir/top" &
	exec 4< "$dir/top"
	for _ in 1 2 3 4 5; do
		read -r line <&4
	done
	output=$(sed '1,4d' <&4)
	exec 4<&-
	wait $!
	has "^ *$first .* 0    0      0 " || show "nothing new"
}

top_terminal()
{
	hold_them timeout=60 cancel value=a=1 up up cancel || return
	expect 0 '; by new, reversed' terminal -c 200 -w 'by left' -k u -w 'by user' -k b \
		-w 'by below' -k i -w 'by id' -k l -w 'by left' -k n -w 'by new' -k r \
		-w 'reversed' -k a -w "$id3" -k q ctx top -d 1h &&
		has "$(printf '\033')\[?1049l" || show "keys" || return
	# No more rows than there are.
	run_it terminal -r 6 -c 40 -w 'root' -k q ctx top -d 1h
	[ $status = 0 ] && [ "$(printf '%s\n' "$output" | grep -c root)" = 2 ] || show "six rows" || return
	expect 0 '' terminal -w COMMAND -k "$(printf '\003')" ctx top &&
		expect 0 'by left' terminal ctx top -n 1
}

# Stopped, the terminal is as it was; continued, it is drawn again.
top_stops()
{
	expect 0 '1049ldone' terminal -w 'by left' -k "$(printf '\032')" -w stopped -k "$(printf '\r')" \
		-w 'by left' -k q sh -c '
		set -m
		ctx top -d 1h
		echo stopped
		read -r line
		fg %1 > /dev/null
		stty -a | grep -q " icanon" && stty -a | grep -q " echo " && echo done'
}

top_bad_arguments()
{
	expect 125 "^ctx: 'foo' is nothing to sort by" ctx top -s foo &&
		expect 125 "^ctx: '0' is no interval" ctx top -d 0 &&
		expect 125 "^ctx: 'x' is no interval" ctx top -d x &&
		expect 125 "^ctx: '0' is no count" ctx top -n 0 &&
		expect 125 "^ctx: 'x' is no count" ctx top --count=x &&
		expect 125 'one argument too many' ctx top 5 &&
		expect 125 "try 'ctx top --help'" ctx top -x
}

top_unprivileged()
{
	expect 0 '^all users and the kernel: counters are for root$' su -s /bin/sh nobody -c 'ctx top'
}

### info

info_by_number()
{
	hold_them cancel keep pipe value=a=1 || return
	expect 0 "^context   $id2, outlives its owner$" ctx info "$id2" &&
		has '^state     live$' && has "^parent    context $id1$" && has '^depth     2$' &&
		has "^creator   hold\[$holder\], uid 0$" && has '^rights    observe$' &&
		has '^on-dones  1$' && has '^path      background.with_cancel.with_cancel$' ||
		show "info" || return
	expect 0 "^context   $id3$" ctx info "$id1" "$id3" && has "^context   $id1$" && has '^$' || return
	ctx cancel -c EIO "$id1"
	read -r line <&3
	[ "$line" = "done" ] || return
	# That it was written is noted after that.
	until ctx info "$id2" | grep -q '^on-dones  1, all written$'; do :; done
	expect 0 '^cause     EIO, ' ctx info "$id2" && has '^on-dones  1, all written$' &&
		has "^origin    context $id1$" && has '^by        ctx\[' || show "done"
}

info_json()
{
	hold_them cancel cancel || return
	run_it sh -c "ctx info --json $id2 $id1 | json"
	has "^0.id=$id2$" && has "^1.id=$id1$" && has '^1.below=1$' && ! has '^2' || show "json" || return
	run_it sh -c 'ctx run ctx info -j | json'
	has '^0.kind="with_value"$' || show "CTX_FD" || return
	expect 125 'background has nothing to tell' ctx info -j -f 5 5<> /dev/ctx
}

# Of one that was handed down nothing else is asked: so it may be anybody's.
info_json_of_others()
{
	hold_them cancel || return
	run_it sh -c 'ctx run -q su -s /bin/sh nobody -c "ctx info -j" | json'
	has '^0.user="root"$' && has '^0.kind="with_value"$' && has '^0.depth=2$' && ! has '^1' ||
		show "root's, for another" || return
	expect 125 "^ctx: context $id1 is another user's$" \
		su -s /bin/sh nobody -c "ctx info -j $id1"
}

# Where CTX_FD was lost: the context that the cgroup is bound to, but not its values.
info_of_cgroup()
{
	expect 0 'depth     2' ctx run -g -- env -u CTX_FD ctx info && has '^rights    derive observe$' &&
		expect 0 'depth     2' ctx run -g -- env CTX_FD=99 ctx info || return
	expect 125 '^ctx: the context of this cgroup does not let its values be read' \
		ctx run -g -- env -u CTX_FD ctx get ctx.run &&
		expect 0 '^ctx$' ctx run -g -- ctx get ctx.run
}

# driven COMMAND...: under a context of a driver's own.
driven()
{
	insmod /modules/ctx_driver.ko || return
	command driven "$driven" "$@"
}

driven_ends()
{
	until rmdir "$driven"; do :; done 2> /dev/null
	rmmod ctx_driver
}

# One that is no process's has no number, but is not Background.
info_of_a_drivers()
{
	expect 0 "^context   the kernel's, without a number$" driven ctx info &&
		has '^state     live$' && has '^parent    background$' && has '^depth     1$' &&
		has '^rights    derive observe$' && has '^path      background.with_cancel$' &&
		! has '^creator' || show "info"
	failure=$?
	driven_ends && [ $failure = 0 ] || return
	run_it driven sh -c 'ctx info -j | json'
	driven_ends
	has '^0.id=null$' && has '^0.depth=1$' && has '^0.user=null$' && has '^0.command=null$' ||
		show "JSON" || return
	expect 125 "^ctx: this runs under a context of the kernel's, without a number" \
		driven ctx cancel --tree
	failure=$?
	driven_ends && [ $failure = 0 ] || return
	# What is made there is below it.
	expect 0 '^parent    made by no process$' driven ctx run -f sh -c '
		ctx info "$(ctx info | sed -n "s/^parent *context //p")"' && has '^depth     2$'
	failure=$?
	driven_ends
	return $failure
}

info_errors()
{
	expect 125 '^ctx: there is no context 999999;' ctx info 999999 &&
		expect 125 '^ctx: there is no context 999999;' ctx info -j 999999 &&
		expect 125 "'x' is no context" ctx info x &&
		expect 125 'instead of IDs' ctx info -f 3 5 &&
		expect 125 'CTX_FD is not set' ctx info
}

### get

# The nearest one, byte by byte.
get_value()
{
	[ "$(ctx run -- ctx get ctx.run | od -An -c | tr -d ' \n')" = ctx ] &&
		[ "$(ctx run -- sh -c 'ctx run -- ctx get ctx.run')" = ctx ] &&
		expect 0 '^sh$' ctx run -- sh -c 'ctx get ctx.run' &&
		expect 1 '^$' ctx run -- ctx get nothing &&
		expect 1 '^$' ctx get nothing -f 5 5<> /dev/ctx
}

get_errors()
{
	long=$(yes | head -257 | tr -d '\n')
	expect 125 'no key' ctx get &&
		expect 125 'one key at a time' ctx get a b &&
		expect 125 'CTX_FD is not set' ctx get a &&
		expect 125 'a key has 1 to 256 bytes' ctx get -f 5 '' 5<> /dev/ctx &&
		expect 125 'a key has 1 to 256 bytes' ctx get -f 5 "$long" 5<> /dev/ctx &&
		expect 1 '^$' ctx get -f 5 "${long#?}" 5<> /dev/ctx &&
		expect 125 'descriptor 77 is not open' ctx get -f 77 a &&
		expect 125 'descriptor 0 is no context' ctx get -f 0 a < /dev/null &&
		expect 125 "'x' is no descriptor" ctx get -f x a &&
		expect 125 "try 'ctx get --help'" ctx get -x &&
		expect 125 'cannot write' sh -c 'ctx run ctx get ctx.run > /dev/full'
}

### wait

wait_for_some()
{
	hold_them cancel up cancel up cancel || return
	ctx wait "$id1" "$id2" > "$result" &
	waiter=$!
	ctx cancel -c EIO "$id2"
	read -r line <&3
	output=$line
	has "^context $id2 was cancelled by ctx\[[0-9]*\] at .*: EIO, " || show "the first" || return
	ctx cancel "$id1"
	read -r line <&3
	output=$line
	has "^context $id1 was cancelled by " && wait $waiter || show "the second" || return
	# At once, if they are done; in the order in which they are given.
	expect 0 "^context $id2 " ctx wait "$id1" "$id2" && has "^context $id1 " || return
	expect 0 "^context $id1 " ctx wait -a "$id1" "$id2" && has "^context $id2 " || return
	expect 0 "^context $id2 " ctx wait -n "$id3" "$id2" && ! has "^context $id3 " || return
	expect 0 "^context $id1 " ctx wait --any "$id1" "$id2" && ! has "^context $id2 "
}

wait_for_one_of_many()
{
	hold_them cancel up cancel || return
	ctx wait -n "$id1" "$id2" > "$result" &
	ctx cancel "$id2"
	read -r line <&3
	output=$line
	wait $! && has "^context $id2 was cancelled" || show "any"
}

# Not for values, what is never done, and what this runs under.
wait_for_all()
{
	expect 0 '^$' ctx wait -a || return
	hold_them without cancel value=a=1 || return
	ctx run -- ctx wait --all > "$result" &
	ctx cancel "$id2"
	read -r line <&3
	output=$line
	wait $! && has "^context $id2 was" || show "all"
}

# ... which is what CTX_FD names, and what the cgroup is bound to.
wait_for_all_but_ours()
{
	expect 0 '^$' ctx run -g -- env -u CTX_FD ctx wait -a -t 1ms && nothing_left &&
		expect 0 '^$' ctx run -g -- env CTX_FD=99 ctx wait -a -t 1ms && nothing_left &&
		expect 0 '^$' ctx run -g -- sh -c 'CTX_FD=9 ctx wait -a -t 1ms 9<> /dev/ctx' &&
		nothing_left || return
	hold_them cancel || return
	expect 0 '^$' ctx run -g -- ctx exec -q "$id1" ctx wait -a -t 1ms
}

wait_in_vain()
{
	hold_them cancel up cancel || return
	expect 1 '^$' ctx wait -t 1ms "$id1" "$id2" || return
	ctx cancel "$id1"
	expect 1 "^context $id1 " ctx wait -t 1ms "$id1" "$id2" &&
		expect 0 "^context $id1 " ctx wait -t 1h -n "$id1" "$id2" &&
		expect 1 "^context $id1 " ctx wait -t 1ms -a
}

wait_errors()
{
	expect 125 '^ctx: there is no context 999999;' ctx wait 999999 &&
		expect 125 "^ctx: 'x' is no context" ctx wait x &&
		expect 125 "^ctx: 'x' is no duration" ctx wait -t x 1 &&
		expect 125 "try 'ctx wait --help'" ctx wait -x &&
		expect 125 'CTX_FD is not set' ctx wait -n &&
		hold_them cancel || return
	ctx wait "$id1" &
	kill $! # whether before or during the wait
	wait $!
	[ $? = 143 ]
}

wait_for_many()
{
	# shellcheck disable=SC2046 # words
	hold_them $(yes 'cancel up' | head -200) || return
	# shellcheck disable=SC2086 # words
	sh -c "ulimit -S -n 20; exec ctx wait -t 1ms $ids"
	[ $? = 1 ] &&
		expect 125 "raise the limit with 'ulimit -n'" sh -c "ulimit -n 20; ctx wait -t 1ms -a"
}

### cancel

cancel_some()
{
	hold_them cancel cancel up up cancel up cancel || return
	expect 0 '^$' ctx cancel "$id1" "$id3" &&
		expect 0 '^cause     ECANCELED, ' ctx info "$id1" &&
		expect 0 '^cause     ECANCELED, ' ctx info "$id2" &&
		expect 0 '^cause     ECANCELED, ' ctx info "$id3" &&
		expect 0 '^state     live$' ctx info "$id4" &&
		expect 0 "^context $id4 cancelled$" ctx cancel -v "$id3" "$id4" &&
		has "^context $id3 was done already$"
}

cancel_causes()
{
	for cause in EIO eio 5; do
		hold_them cancel || return
		ctx cancel --cause=$cause "$id1" &&
			expect 0 '^cause     EIO, ' ctx info "$id1" || return
	done
	hold_them cancel || return
	ctx cancel -c 4095 "$id1" && expect 0 '^cause     errno 4095$' ctx info "$id1" &&
		expect 0 ' 4095  *ctx' ctx tree || return
	for cause in '' 0 4096 -1 EFOO x; do
		expect 125 "^ctx: '$cause' is no cause" ctx cancel -c "$cause" "$id1" || return
	done
}

# What has nothing to cancel says what has; the rest is cancelled all the same.
cancel_errors()
{
	hold_them cancel value=a=1 without || return
	expect 1 "^ctx: context $id2 is a value, and ends with its parent: 'ctx cancel $id1'$" ctx cancel "$id2" &&
		expect 1 "^ctx: context $id3 has nothing to cancel; .*'ctx cancel --tree $id3'$" ctx cancel "$id3" &&
		expect 1 '^ctx: there is no context 999999;' ctx cancel 999999 "$id1" &&
		expect 0 'state     cancelled' ctx info "$id1" &&
		expect 125 '^ctx: no ID' ctx cancel &&
		expect 125 "^ctx: 'x' is no context" ctx cancel x &&
		expect 125 "^ctx: '0' is no context" ctx cancel 0 &&
		expect 125 "try 'ctx cancel --help'" ctx cancel -x &&
		expect 125 'CTX_FD is not set' ctx cancel --tree &&
		expect 1 '^ctx: there is no context 999999;' ctx cancel --tree 999999
}

cancel_stops_at_without()
{
	hold_them cancel without cancel || return
	ctx cancel "$id1"
	expect 0 'state     live' ctx info "$id3" &&
		expect 0 "^context $id3 cancelled$" ctx cancel -v --tree -c EIO "$id1" &&
		expect 0 'cause     EIO' ctx info "$id3" &&
		expect 0 'cause     ECANCELED' ctx info "$id1" &&
		expect 0 'state     live' ctx info "$id2"
}

# cancel_again STATUS PATTERN TIMES: somebody makes another one whenever his is cancelled,
# before the next look at all there are, and TIMES in all; see lib/hold.c.
cancel_again()
{
	hold_them cancel without again="$3" || return
	expect "$1" "$2" taskset 1 ctx cancel --tree "$id1"
	failure=$?
	hold_more "$holders" up
	read -r _ <&3
	[ "$id" = 0 ] || output=$id show "how many are left" || return
	return $failure
}

cancel_what_does_not_stop()
{
	cancel_again 0 '^$' 100 &&
		cancel_again 1 "^ctx: contexts are still made below [0-9]*: end who does that" 101
}

# Below a value, which itself is not concerned, nor what is beside it.
cancel_tree_of_value()
{
	hold_them cancel value=a=1 cancel up without cancel up up up cancel || return
	expect 0 '^$' ctx cancel --tree "$id2" &&
		expect 0 'state     cancelled' ctx info "$id3" &&
		expect 0 'state     cancelled' ctx info "$id5" &&
		expect 0 'state     live' ctx info "$id1" &&
		expect 0 'state     live' ctx info "$id6"
}

# What was made under this command's context, not that itself.
cancel_own_tree()
{
	expect 0 '^cancelled 0$' ctx run -- sh -c '
		mkfifo $0.in $0.out
		hold cancel < $0.in > $0.out &
		exec 4> $0.in
		read -r id < $0.out
		ctx cancel --tree -c ENOSPC
		status=$?
		ctx info $id | grep -q "cause     ENOSPC" && ctx info | grep -q "state     live" &&
			echo cancelled $status' "$dir/own" &&
		CTX_FD=5 expect 125 'CTX_FD is background' ctx cancel --tree 5<> /dev/ctx
}

# Its own end comes with a signal, and does not keep it from ending the rest.
cancel_own_tree_ends()
{
	hold_them cancel || return
	above=$id1
	ctx run -t 1h -- sh -c '
		trap "" TERM
		id=$(ctx info -j | sed -n "s/.*\"parent\": \([0-9]*\).*/\1/p")
		ctx cancel --tree $id; ctx info | grep state > $0' "$dir/state"
	expect 0 'state     cancelled' cat "$dir/state" && expect 0 'state     live' ctx info "$above"
}

# Whatever signal that is: what stands behind one's own, and no cancellation reaches, ends.
cancel_own_tree_ends_with()
{
	for signal in HUP INT QUIT USR1 ALRM PIPE; do
		ctx run -s $signal -- sh -c '
			trap "" $1
			mkfifo $0.in $0.out
			hold without cancel < $0.in > $0.out 3>&- &
			exec 4> $0.in
			read -r _ id < $0.out
			rm $0.in $0.out
			own=$(ctx info | sed -n "s/^parent *context //p")
			(trap - $1; exec ctx cancel --tree -c ENOSPC $own)
			ctx info $id > $0.state' "$dir/own" $signal
		expect 0 'cause     ENOSPC' cat "$dir/own.state" || show "$signal" || return
	done
}

### trace

# start_trace_by COMMAND...: returns when it listens.
start_trace_by()
{
	"$@" > "$dir/trace" 2> "$result" 5>&- 6>&- &
	tracer=$!
	read -r line <&3
	[ "$line" = "ctx: listening, until ^C" ] || output=$line show "$*"
}

start_trace()
{
	start_trace_by ctx trace "$@"
}

# end_trace: as ^C does; puts what was traced into $output, without the time.
end_trace()
{
	kill -INT "$tracer"
	wait "$tracer"
	status=$?
	untimed
	[ $status = 0 ] && [ -z "$(ls $tracing/instances)" ] || show "end of trace"
}

untimed()
{
	output=$(sed 's/^..:..:..\.......  //; s/\[[0-9]*\]/[N]/g; s/[0-9.]* us late/N us late/' "$dir/trace")
}

# told LINE...: exactly these lines.
told()
{
	expected=$(printf '%s\n' "$@")
	[ "$output" = "$expected" ] || show "expected
$expected"
}

# The trace of --count lines ends by itself.
trace_life()
{
	start_trace -n 10 || return
	hold_them cancel timeout=90000 value=a=1 without up up up expire || return
	ctx cancel -c EIO "$id1"
	wait "$tracer" || return
	untimed
	told "$id1 derived from background, with_cancel, by hold[N]" \
		"$id2 derived from $id1, with_deadline, 1d00h left, by hold[N]" \
		"$id3 derived from $id2, with_value, 1d00h left, by hold[N]" \
		"$id4 derived from $id3, without_cancel, by hold[N]" \
		"$id5 derived from $id1, with_deadline, no time left, by hold[N]" \
		"$id5 expired N us late: ETIMEDOUT, Connection timed out" \
		"$id5 is timed out" \
		"$id1 cancelled by ctx[N]: EIO, Input/output error" \
		"$id1 is cancelled: EIO, Input/output error" \
		"$id2 is cancelled with $id1: EIO, Input/output error"
}

trace_releases()
{
	hold_them cancel || return
	start_trace -n 3 || return
	release
	untimed
	told "$id1 cancelled by hold[N]: EOWNERDEAD, Owner died" \
		"$id1 is cancelled: EOWNERDEAD, Owner died" \
		"$id1 released, cancelled"
}

trace_on_done()
{
	hold_them cancel pipe || return
	start_trace -e on_done -n 1 || return
	ctx cancel "$id1"
	wait "$tracer" || return
	untimed
	read -r line <&3
	[ "$line" = "done" ] && told "$id1 written to pipe"
}

trace_some_events()
{
	start_trace -e cancel,expire --event=done || return
	hold_them cancel expire up cancel || return
	ctx cancel "$id3"
	end_trace || return
	told "$id2 expired N us late: ETIMEDOUT, Connection timed out" "$id2 is timed out" \
		"$id3 cancelled by ctx[N]: ECANCELED, Operation canceled" "$id3 is cancelled"
}

trace_some_contexts()
{
	hold_them cancel cancel || return
	start_trace "$id2" || return
	hold_more 1 cancel
	child=$id
	hold_more 1 cancel
	ctx cancel "$id1"
	end_trace || return
	told "$child derived from $id2, with_cancel, by hold[N]" \
		"$id2 is cancelled with $id1" || return
	hold_them cancel cancel || return
	start_trace "$id1" 999999 || return
	ctx cancel "$id1"
	end_trace || return
	told "$id1 cancelled by ctx[N]: ECANCELED, Operation canceled" "$id1 is cancelled" \
		"$id2 is cancelled with $id1"
}

# What a driver made itself has an address for a number, and is not shown unless asked for.
trace_kernel()
{
	for option in -k --kernel; do
		start_trace $option -n 2 || return
		driven true
		driven_ends
		wait "$tracer" || return
		untimed
		made=${output%% *}
		has '^@[0-9a-f]* derived from @[0-9a-f]*, with_cancel, by driven\[N\]$' &&
			has "^$made released, live$" || show "$option" || return
	done
	start_trace -n 1 || return
	driven ctx run -f true
	driven_ends
	wait "$tracer" || return
	untimed
	has '^[0-9]* derived from @[0-9a-f]*, with_cancel, by ctx\[N\]$' || show "without"
}

# What is below, and what comes to be below while it listens; nothing beside.
trace_tree()
{
	hold_them cancel || return
	top=$id1
	hold_them cancel cancel || return
	start_trace --tree -e derive,done "$top" || return
	hold_more 1 cancel
	child=$id
	hold_more 1 cancel
	hold_more 2 cancel
	ctx cancel "$id1"
	hold_more 1 cancel
	ctx cancel "$top"
	end_trace || return
	told "$child derived from $top, with_cancel, by hold[N]" \
		"$((child + 1)) derived from $child, with_cancel, by hold[N]" \
		"$((child + 3)) derived from $((child + 1)), with_cancel, by hold[N]" \
		"$top is cancelled" "$child is cancelled with $top" \
		"$((child + 1)) is cancelled with $top" "$((child + 3)) is cancelled with $top"
}

# Those that are there when it begins.
trace_tree_that_is_there()
{
	hold_them cancel without value=a=1 cancel || return
	start_trace --tree -e "done" -n 2 "$id1" || return
	ctx cancel --tree "$id1"
	wait "$tracer" || return
	untimed
	told "$id1 is cancelled" "$id4 is cancelled"
}

# The second event has the name at the beginning of its line, too: the first was slept on.
trace_odd_names()
{
	start_trace -e derive,cancel || return
	set --
	for name in 'a\nb' '\n: ctx_done:\n' '] x 1.1: ctx_' 'a\n-1 (x] y 1.1:' 'x\nCPU:1 [LOST'; do
		# shellcheck disable=SC2059 # a name with escapes
		name=$(printf "$name."); name=${name%.}
		hold_them name="$name" cancel || return
		first=$id1 seen=$(printf %s "$name" | tr '[:cntrl:]' '?')
		hold_more "$holders" cancel
		ctx cancel -c EIO "$first"
		set -- "$@" "$first derived from background, with_cancel, by ${seen}[N]" \
			"$id derived from $first, with_cancel, by ${seen}[N]" \
			"$first cancelled by ctx[N]: EIO, Input/output error"
	done
	end_trace && told "$@"
}

# Options of the top instance are handed down to those that are made.
trace_odd_options()
{
	for change in raw/1/0 hex/1/0 bin/1/0 fields/1/0 latency-format/1/0 context-info/0/1 \
			irq-info/0/1; do
		option=$tracing/options/${change%%/*} values=${change#*/}
		[ -e "$option" ] || continue
		echo "${values%/*}" > "$option"
		start_trace -e "done" && hold_them cancel && ctx cancel "$id1" && end_trace
		failure=$?
		echo "${values#*/}" > "$option"
		[ $failure = 0 ] && told "$id1 is cancelled" || show "$option" || return
	done
}

# One of the same number, as in a container, where it is 1 each time.
trace_own_stale()
{
	start_trace_by sh -c '
		mkdir $tracing/instances/ctx-trace-$$ && exec ctx trace' &&
		end_trace
}

trace_leaves_nothing()
{
	start_trace && kill -TERM "$tracer"
	wait "$tracer"
	[ $? = 143 ] && [ -z "$(ls $tracing/instances)" ] || return
	# Killed, it cannot; the next one does.
	start_trace && kill -KILL "$tracer"
	wait "$tracer" 2> /dev/null
	[ -n "$(ls $tracing/instances)" ] || return
	start_trace -e "done" && end_trace && told ''
}

trace_into_closed_pipe()
{
	hold_them cancel || return
	ctx trace 2> "$result" | {
		exec < /dev/null
		echo closed > "$result"
	} &
	# It listens, and it is closed, in any order.
	read -r line <&3
	read -r line <&3
	ctx cancel "$id1"
	wait $!
	[ -z "$(ls $tracing/instances)" ]
}

trace_errors()
{
	expect 125 '^ctx: no event: derive' ctx trace -e , &&
		expect 125 "^ctx: 'foo' is no event" ctx trace -e foo &&
		expect 125 "^ctx: 'foo' is no event" ctx trace -e "done",foo &&
		expect 125 "^ctx: 'x' is no count" ctx trace -n x &&
		expect 125 "^ctx: 'x' is no context" ctx trace x &&
		expect 125 'of which ID' ctx trace --tree &&
		expect 125 "try 'ctx trace --help'" ctx trace -x &&
		expect 125 "^ctx: tracing is for root: try 'sudo ctx trace'$" su -s /bin/sh nobody -c 'ctx trace'
}

### all of them

help()
{
	for verb in tree top info get wait cancel trace; do
		expect 0 "^usage: ctx $verb" ctx $verb --help &&
			expect 0 '^examples:' ctx $verb -h && has '^Exit status' &&
			ctx --help | grep -q "^  $verb " || return
		# It fits into a terminal.
		! ctx $verb --help | grep -E '.{86}' || return
	done
}

no_device()
{
	mkdir -p "$dir/root/bin"
	cp "$(which ctx)" "$dir/root/bin/"
	for verb in tree top info 'info 1' 'get a' wait 'wait 1' 'wait -a' 'cancel 1' \
			'cancel --tree'; do
		# shellcheck disable=SC2086 # words
		expect 125 "^ctx: /dev/ctx is not there: load the module with 'modprobe ctx'$" \
			chroot "$dir/root" /bin/ctx $verb || return
	done
	expect 125 "^ctx: /sys/kernel/tracing is not there: 'mount -t tracefs " \
		chroot "$dir/root" /bin/ctx trace || return
	mkdir -p "$dir/root/sys/kernel/tracing/instances"
	expect 125 "^ctx: the module's events are not there: load it with 'modprobe ctx'$" \
		chroot "$dir/root" /bin/ctx trace
}

no_access()
{
	chmod 600 /dev/ctx
	for verb in tree top info 'info 1' 'get a' wait 'wait 1' 'cancel 1' 'cancel --tree'; do
		expect 125 '^ctx: /dev/ctx may not be opened' su -s /bin/sh nobody -c "ctx $verb" || break
	done
	failure=$?
	chmod 666 /dev/ctx
	return $failure
}

unset CTX_FD
echo "TAP version 13"
echo "1..$(grep -c '^test_case "' "$0")"
test_case "tree: nothing" alone tree_empty
test_case "tree: lines" alone tree_lines
test_case "tree: columns" alone tree_columns
test_case "tree: values" alone tree_values
test_case "tree: of ctx run" alone tree_of_runs
test_case "tree: of some" alone tree_of_some
test_case "tree: what is done" alone tree_of_the_done
test_case "tree: commands" alone tree_commands
test_case "tree: names do no harm" alone tree_of_harmless_names
test_case "tree: deep" alone tree_deep
test_case "tree: on a terminal" alone tree_on_terminal
test_case "tree: watched on a terminal" alone tree_watch_terminal
test_case "tree: watched through a pipe" alone tree_watch_pipe
test_case "tree: JSON" alone tree_json
test_case "tree: JSON of odd names" alone tree_json_strings
test_case "tree: bad arguments" alone tree_bad_arguments
test_case "tree: others'" alone tree_of_others
test_case "looking counts for nothing" alone looking_counts_for_nothing
test_case "top: once" alone top_once
test_case "top: sorted" alone top_sorts
test_case "top: by user" alone top_by_user
test_case "top: values" alone top_values
test_case "top: twice" alone top_new
test_case "top: keys" alone top_terminal
test_case "top: stopped and continued" alone top_stops
test_case "top: bad arguments" alone top_bad_arguments
test_case "top: unprivileged" alone top_unprivileged
test_case "info: by number" alone info_by_number
test_case "info: JSON" alone info_json
test_case "info: JSON of others'" alone info_json_of_others
test_case "info: of a cgroup" alone info_of_cgroup
test_case "info: of a driver's context" alone info_of_a_drivers
test_case "info: errors" alone info_errors
test_case "get: a value" alone get_value
test_case "get: errors" alone get_errors
test_case "wait: for some" alone wait_for_some
test_case "wait: for any" alone wait_for_one_of_many
test_case "wait: for all there are" alone wait_for_all
test_case "wait: for all but what this runs under" alone wait_for_all_but_ours
test_case "wait: in vain" alone wait_in_vain
test_case "wait: errors" alone wait_errors
test_case "wait: for many" alone wait_for_many
test_case "cancel: some" alone cancel_some
test_case "cancel: causes" alone cancel_causes
test_case "cancel: errors" alone cancel_errors
test_case "cancel: beyond a without-cancel" alone cancel_stops_at_without
test_case "cancel: what does not stop" alone cancel_what_does_not_stop
test_case "cancel: below a value" alone cancel_tree_of_value
test_case "cancel: one's own tree" alone cancel_own_tree
test_case "cancel: what this runs under" alone cancel_own_tree_ends
test_case "cancel: by whatever signal" alone cancel_own_tree_ends_with
test_case "trace: a life" alone trace_life
test_case "trace: releases" alone trace_releases
test_case "trace: on-dones" alone trace_on_done
test_case "trace: some events" alone trace_some_events
test_case "trace: some contexts" alone trace_some_contexts
test_case "trace: the kernel's contexts" alone trace_kernel
test_case "trace: a tree" alone trace_tree
test_case "trace: a tree that is there" alone trace_tree_that_is_there
test_case "trace: odd names" alone trace_odd_names
test_case "trace: options of the top instance" alone trace_odd_options
test_case "trace: what one of its number has left" alone trace_own_stale
test_case "trace: leaves nothing behind" alone trace_leaves_nothing
test_case "trace: into a closed pipe" alone trace_into_closed_pipe
test_case "trace: errors" alone trace_errors
test_case "help" alone help
test_case "no module" alone no_device
test_case "no access" alone no_access

rm -r "$dir"
[ $failed = 0 ]
