#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The ctx command, as people use it: exit statuses, deadlines, signals, nesting,
# and what is left when it is killed. Needs the module, a ctx in PATH, busybox and what
# is in lib/.
#
# Nothing here sleeps or measures: what takes long waits on its context, or reads
# a fifo that no one ever writes.
#
# shellcheck disable=SC2016 # many a $ is for an inner shell

dir=$(mktemp -d)
silence=$dir/silence
result=$dir/result
alive=$dir/alive
new=$dir/new
go=$dir/go
groups=/sys/fs/cgroup
interrupt=$(printf '\003')
lib=$(cd "$(dirname "$0")" && pwd)/lib
PATH=$PATH:$lib
# shellcheck source=lib/cases.sh
. "$lib/cases.sh"

# Open for reading and writing, so that neither side waits for the other to open it.
mkfifo "$silence" "$result" "$alive"
exec 3<> "$result"
export silence result alive new go

# expect STATUS PATTERN COMMAND...: how it ends, and a line of what it says.
expect()
{
	status=$1 pattern=$2
	shift 2
	output=$("$@" 2>&1)
	got=$?
	if [ $got = "$status" ] && echo "$output" | grep -q -e "$pattern"; then
		return 0
	fi
	echo "# $*: status $got, expected $status, and '$pattern' in:"
	echo "$output" | sed 's/^/# | /'
	return 1
}

# hear WORD...: what comes through the fifo next.
hear()
{
	for expected; do
		read -r word <&3
		[ "$word" = "$expected" ] || { echo "# $word, not $expected"; return 1; }
	done
}

# hear_all WORD WORD: in any order.
hear_all()
{
	read -r one <&3
	read -r two <&3
	case "$one $two" in
	"$1 $2" | "$2 $1") ;;
	*)	echo "# $one and $two, not $1 and $2"
		return 1 ;;
	esac
}

# Where no cgroup v2 is mounted, ctx run makes do with a process group. In a subshell:
# this becomes the command.
without_cgroup()
{
	exec unshare -m sh -c 'umount /sys/fs/cgroup && exec "$@"' sh "$@"
}

own_status()
{
	expect 0 '' ctx run true &&
		expect 7 '' ctx run -- sh -c 'exit 7' &&
		expect 0 '^-t$' ctx run -- echo -t &&
		expect 0 '^-t$' ctx run echo -t
}

timed_out()
{
	expect 124 '^$' ctx run -t 0.1 -- cat "$silence" &&
		expect 124 '' ctx run --timeout=100ms cat "$silence" &&
		expect 124 'sending TERM to cat' ctx run -v -t .1s -- cat "$silence"
}

# Its own end when the time is up is no success.
timed_out_by_itself()
{
	ignoring_term 124 'timed out by timer' ctx run -t 0.1 -- ctx wait
}

# As timeout(1) starts a command whose time has passed by then.
timed_out_before_the_start()
{
	rm -f "$new"
	expect 124 '^$' ctx run -t 0.000001 -s URG touch "$new" && [ -e "$new" ]
	failure=$?
	rm -f "$new"
	return $failure
}

durations()
{
	expect 0 'deadline  none' ctx run -t 0 -- ctx info &&
		expect 0 'deadline  none' ctx run -- ctx info &&
		expect 0 'deadline  none' ctx run -t 1e30 -- ctx info &&
		expect 0 'deadline  in [0-9.]* s' ctx run -t 50 -- ctx info &&
		expect 0 'deadline  in [0-9.]* s' ctx run -t 50000ms -- ctx info &&
		expect 0 'deadline  in 4 min' ctx run -t 5m -- ctx info &&
		expect 0 'deadline  in 1 h 29 min' ctx run -t 1.5h -- ctx info &&
		expect 0 'deadline  in 47 h 59 min' ctx run -t 2d -- ctx info
}

bad_arguments()
{
	for duration in '' x 5x -1 nan '1 s' 1ss; do
		expect 125 "^ctx: '$duration' is no duration" ctx run -t "$duration" true &&
			expect 125 "is no duration" ctx run -k "$duration" true &&
			expect 125 "is no duration" ctx wait -t "$duration" || return
	done
	for signal in '' FOO SIGFOO -1 100 127 1000 RTMIN-1 RTMAX+1 RTMIN+99; do
		expect 125 "^ctx: '$signal' is no signal" ctx run -s "$signal" true || return
	done
	expect 125 "no command" ctx run -t 5 &&
		expect 125 "no command" ctx run -- &&
		expect 125 "no duration" ctx run -t -v &&
		expect 125 "^ctx: -f leaves the command" ctx run -f -g true &&
		expect 125 "try 'ctx run --help'" ctx run --foo true &&
		expect 125 "try 'ctx run --help'" ctx run -t &&
		expect 125 "try 'ctx info --help'" ctx info -t 5 &&
		expect 125 "'foo' is no context" ctx wait foo &&
		expect 125 "no verb" ctx &&
		expect 125 "no verb 'foo'" ctx foo
}

help()
{
	expect 0 '^usage: ctx VERB' ctx --help || return
	for verb in run exec info wait; do
		expect 0 "^usage: ctx $verb" ctx $verb --help &&
			expect 0 '^examples:' ctx $verb -h || return
	done
}

cannot_be_run()
{
	echo '#!/bin/sh' > "$dir/text"
	expect 126 "^ctx: cannot run '$dir/text': Permission denied" ctx run "$dir/text" &&
		expect 126 '' ctx run "$dir" &&
		expect 127 "^ctx: cannot run 'no-such-command': No such file" ctx run no-such-command &&
		expect 127 '' ctx run -t 9 -- "$dir/none"
}

died_of_signal()
{
	expect 138 '' ctx run -- sh -c 'kill -USR1 $$' &&
		expect 137 '' ctx run -- sh -c 'kill -KILL $$'
}

ignoring_term()
(
	trap '' TERM
	expect "$@"
)

killed()
{
	expect 137 '' ctx run -t 0.1 -s KILL -- cat "$silence" &&
		expect 137 'sending KILL' ctx run -v -t 0.1 -s 9 -- cat "$silence" &&
		ignoring_term 137 'sending KILL' ctx run -v -t 0.1 -k 0.1 -- cat "$silence" &&
		ignoring_term 137 '' ctx run --timeout 0.1 --kill-after 100ms -- cat "$silence"
}

# A signal that by itself does nothing, and then KILL, once both cats are there.
killed_by_urg()
{
	"$@" sh -c '
		setsid sh -c "echo up > $result; exec cat $silence" &
		echo up > $result
		exec cat $silence' &
	hear up up || return
	kill -URG $!
	wait $!
	[ $? = 137 ] && no_cats
}

# shellcheck disable=SC2009 # busybox has no pgrep
no_cats()
{
	! ps -o args | grep "^cat $silence"
}

# KILL also ends what left the process group, and what an inner ctx run left.
killed_all()
{
	for how in '' without_cgroup; do
		killed_by_urg $how ctx run -q -s URG -k 0.1 -- &&
			killed_by_urg $how ctx run -q -s URG -k 0.1 -- ctx run -s URG -- || return
	done
}

# Without a cgroup they are found by /proc, which has names as they are.
# shellcheck disable=SC2009 # busybox has no pgrep
killed_with_odd_name()
{
	odd=$dir/$(printf 'a\nb)')
	cp /bin/busybox "$odd"
	without_cgroup ctx run -q -k .1 -- sh -c '
		(exec -a setsid "$0" sh -c "
			exec -a sh \"\$0\" -c \"echo up > $result; read -r line < $silence\"" "$0") &
		cat $silence' "$odd" &
	hear up || return
	kill -TERM $!
	wait $!
	ps -o args | grep '[s]h -c echo up' || return 0
	echo > "$silence"
	return 1
}

chosen_signal()
{
	for signal in INT SIGINT int 2; do
		expect 124 'sending INT' ctx run -v -t 0.1 -s $signal -- cat "$silence" || return
	done
}

# With the outer run killed, no one but the inner one sends anything.
chosen_signal_arrives()
{
	without_cgroup ctx run -- sh -c '
		ctx run -s USR1 -- sh -c "
			trap \"echo USR1 > $result; exit\" USR1
			echo $PPID > $result
			while :; do ctx wait > /dev/null; done"
		exit' &
	read -r pid <&3
	kill -KILL "$pid"
	read -r signal <&3
	wait
	[ "$signal" = USR1 ]
}

stopped()
{
	expect 124 '' ctx run -t 0.1 -- sh -c 'kill -STOP $$'
}

# What waits in there may die of the signal before the shell has got it: that is no end.
forwarding()
{
	for signal in TERM HUP INT QUIT; do
		expect 4 "cancelled by ctx.*EINTR" ctx run -v -- sh -c "
			trap 'exit 4' $signal
			kill -$signal \$PPID
			while :; do ctx wait; done" || return
	done
}

# Its own death is the command's.
forwarded_death()
{
	expect 143 '' ctx run -- sh -c 'kill -TERM $PPID; cat $silence'
}

ignored_signal()
(
	trap '' HUP
	expect 3 '' ctx run -- sh -c 'kill -HUP $PPID; exit 3'
)

nested()
{
	expect 124 '' ctx run -t 0.2 -- ctx run -t 10 -- cat "$silence" &&
		expect 124 '' ctx run -t 10 -- ctx run -t 0.2 -- cat "$silence" &&
		ignoring_term 124 '(because context' \
			ctx run -t 0.2 -- ctx run -v -t 10 -- ctx wait &&
		expect 0 'deadline  in [0-9.]* s' ctx run -t 50 -- ctx run -t 1h -- ctx info &&
		expect 0 'deadline  in [0-9.]* s' ctx run -t 50 -- ctx run -- ctx info &&
		expect 5 '' ctx run -t 50 -- ctx run -t 1h -- sh -c 'exit 5'
}

# under_done COMMAND...: when the time is up.
under_done()
{
	ctx run -t 0.1 -- sh -c 'ctx wait > /dev/null; "$@"; echo inner $?' sh "$@"
}

# not_started PATTERN: so it was said why.
not_started()
{
	[ ! -e "$new" ] &&
		echo "$output" | grep "^ctx: touch was not started: context [0-9]* $1" > /dev/null &&
		return
	echo "# expected that nothing was started, and '$1' in:"
	echo "$output" | sed 's/^/# | /'
	return 1
}

# Under a context that is done, nothing is started any more, which is said.
born_done()
(
	trap '' TERM
	expect 124 '^inner 124$' under_done ctx run -t 9 -- touch "$new" &&
		not_started 'timed out by timer at .* (because context [0-9]* did)$' &&
		expect 124 '^inner 124$' under_done ctx run -q touch "$new" &&
		[ "$output" = 'inner 124' ] &&
		expect 124 '^inner 124$' under_done ctx run -qv touch "$new" &&
		not_started 'timed out by timer at ' || return
	for command in 'run -s INT' 'exec $id'; do
		expect 0 '^inner' ctx run -- sh -c '
			id=$(ctx info | sed -n "s/^parent *context //p")
			ctx cancel -c EIO $id
			eval "ctx $0 touch $new"
			echo inner $?' "$command" &&
			not_started 'was cancelled by ctx\[[0-9]*\] at .*: EIO, .* (because context' || return
	done
	# To nobody.
	mkfifo "$dir/nobody"
	exec 5<> "$dir/nobody"
	exec 4> "$dir/nobody" 5>&-
	expect 124 '^inner 124$' under_done sh -c 'exec ctx run touch $new 2>&4'
)

passed_on()
{
	expect 0 'rights    derive value observe' ctx run -- ctx info &&
		expect 0 'depth     2' ctx run -- sh -c 'sh -c "ctx info"; exit' &&
		expect 0 'depth     4' ctx run -- ctx run -- ctx info &&
		expect 0 'creator   ctx\[' ctx run -- ctx info &&
		expect 0 '^1$' ctx run -- ctx run -- sh -c 'ls -l /proc/$$/fd | grep -c "\[ctx\]"' &&
		expect 0 '' ctx run -- sh -c '[ $CTX_FD -ge 10 ]'
}

# ^C is for all of the job, which is more than the command that has the terminal.
interrupted()
{
	expect 0 'all of it' terminal -w up -k "$interrupt" sh -c '
		trap "echo all of it" INT
		ctx run -- sh -c "echo up; exec cat $silence"
		[ $? = 130 ]'
}

# -v says it to nobody, which is no reason to end otherwise, nor to be passed on.
said_to_nobody()
{
	for command in 'ctx run -v' 'ctx run -v -s PIPE' 'ctx run ctx run -v'; do
		$command -- sh -c '
			exec 2> /dev/null
			trap "echo TERM > $result" TERM
			trap "echo PIPE > $result" PIPE
			trap "echo HUP > $result; exit" HUP
			echo $PPID > $result
			while :; do ctx wait > /dev/null; done' 2>&1 > /dev/null | {
			exec < /dev/null
			echo closed > "$result"
		} &
		read -r one <&3
		read -r two <&3
		run=$one
		[ "$one" != closed ] || run=$two
		kill -TERM "$run"
		hear TERM && kill -HUP "$run" && hear HUP || return
		wait
	done
}

# What somebody sends is for whom it is sent to, and what it runs.
interrupted_by_process()
{
	expect 0 'status 130' terminal sh -c '
		trap "echo all of it" INT
		ctx run -- sh -c "kill -INT \$PPID; exec cat $silence"
		echo "status $?"' &&
		! echo "$output" | grep 'all of it'
}

# ... unless it came before there was a command.
interrupted_early()
{
	expect 137 'sending INT' terminal -b -w up -k "$interrupt" sh -c '
		echo up
		until grep -q "^ShdPnd:.*2$" /proc/$$/status; do :; done
		exec ctx run -f -v -k .1 -- cat $silence'
}

# Nor is what an inner run sends, or the command dies of, at the end of a context above.
interrupted_by_context()
{
	expect 0 'status 130' terminal sh -c '
		trap "echo all of it" INT
		ctx run -- sh -c "
			id=\$(ctx info | sed -n \"s/^parent *context //p\")
			exec ctx run -s INT -- sh -c \"trap : TERM; ctx cancel \$id; exec cat $silence\""
		echo "status $?"' &&
		! echo "$output" | grep 'all of it'
}

# In the foreground, ^C is the command's by itself: it does not get another one.
interrupted_in_foreground()
{
	expect 137 'sending KILL' terminal -w up -k "$interrupt" \
		ctx run -f -v -k .1 -- sh -c 'trap "" INT; echo up; exec cat $silence' &&
		! echo "$output" | grep 'sending INT' &&
		expect 137 'sending INT' terminal \
			ctx run -f -v -k .1 -- sh -c 'trap "" INT; kill -INT $PPID; exec cat $silence'
}

# Descriptors that are closed belong to the command all the same.
closed_descriptors()
{
	ctx run -- sh -c '[ $CTX_FD -ge 10 ]' <&- >&- 2>&-
}

# A CTX_FD that was closed on the way, or means something else by now.
wrong_env()
{
	for fd in 99 0 -1 '' x 4294967296; do
		CTX_FD=$fd expect 0 'depth     2' ctx run -- ctx info &&
			CTX_FD=$fd expect 125 '^ctx: CTX_FD is' ctx info &&
			CTX_FD=$fd expect 125 '^ctx: CTX_FD is' ctx wait -t 1ms || return
	done
	CTX_FD=99 expect 0 'CTX_FD=99 is no context' ctx run -v true
}

# One that was handed on with less than ctx run gives it.
fewer_rights()
{
	expect 125 "^ctx: the context that this was started under allows none below: 'ctx info'$" \
		allow value,observe ctx run -- touch "$new" &&
		[ ! -e "$new" ] &&
		expect 0 '^rights    value observe$' allow value,observe ctx info &&
		expect 0 'depth     2' allow derive ctx run -- ctx info &&
		expect 125 '^ctx: the context at descriptor [0-9]* may not be observed$' \
			allow derive ctx info &&
		expect 125 '^ctx: the context at descriptor [0-9]* may not be observed$' \
			allow derive ctx wait &&
		expect 125 '^ctx: the context that CTX_FD names does not let its values be read$' \
			allow observe ctx get a &&
		expect 125 '^ctx: the context at descriptor [0-9]* does not let its values be read$' \
			allow observe sh -c 'ctx get -f $CTX_FD a'
}

# A program with more rights than its caller is not bound to the context he hands it.
set_user_id()
{
	cp "$(which ctx)" "$dir/ctx" && chmod 755 "$dir" && chmod 4755 "$dir/ctx" &&
		expect 125 'CTX_FD is not set' \
			su -s /bin/sh nobody -c "ctx run -q -t 50 -- $dir/ctx info" &&
		expect 0 'depth     2' \
			su -s /bin/sh nobody -c "ctx run -q -t 50 -- $dir/ctx run -- ctx info" &&
		chmod 755 "$dir/ctx" &&
		expect 0 'deadline  in [0-9.]* s' \
			su -s /bin/sh nobody -c "ctx run -q -t 50 -- $dir/ctx info"
}

info()
{
	expect 0 'context   background' ctx info -f 3 3<> /dev/ctx &&
		expect 125 'CTX_FD is not set' ctx info &&
		expect 125 'descriptor 0 is no context' ctx info --fd 0 < /dev/null &&
		expect 125 'descriptor 77 is not open' ctx info -f 77 &&
		expect 125 "'x' is no descriptor" ctx info -f x &&
		expect 0 'state     live' ctx run -- ctx info
}

info_done()
(
	trap '' TERM
	expect 124 'state     timed out' ctx run -t 0.1 -- \
		sh -c 'ctx wait > /dev/null; ctx info; exit' &&
		expect 124 'by        timer' ctx run -t 0.1 -- \
			sh -c 'ctx wait > /dev/null; ctx info; exit'
)

wait_in_vain()
{
	expect 1 '^$' ctx run -- ctx wait -t 10ms &&
		expect 1 '^$' ctx wait -f 3 -t 0.01 3<> /dev/ctx &&
		expect 125 'CTX_FD is not set' ctx wait -t 1
}

wait_is_told()
{
	ignoring_term 124 '^context [0-9]* timed out by timer at .* ago (because context [0-9]* did)$' \
		ctx run -t 0.1 -- ctx wait
}

# Without an end of the context, a signal is just that.
wait_dies()
{
	expect 143 '^$' ctx run -- timeout 0.1 sh -c 'exec ctx wait'
}

# The point of it all: no one is there to tell, but the kernel is.
killed_run()
{
	without_cgroup ctx run -- sh -c '
		ctx wait > $result &
		echo $PPID > $result
		wait' &
	read -r pid <&3
	kill -KILL "$pid"
	read -r line <&3
	wait
	expect 0 "cancelled by ctx\[$pid\] .*EOWNERDEAD" echo "$line"
}

# The command itself goes too. Its context is done first: it does not end by that.
killed_run_ends_command()
{
	without_cgroup ctx run -- sh -c '
		trap "echo TERM > $result; exit" TERM
		echo $PPID > $result
		while :; do ctx wait > /dev/null; done' &
	read -r pid <&3
	kill -KILL "$pid"
	read -r line <&3
	wait
	[ "$line" = TERM ]
}

# What the command left behind learns that it has ended.
ended_run()
{
	ctx run -- sh -c 'ctx wait > $result &' &
	read -r line <&3
	wait
	removed
	expect 0 'cancelled by ctx\[[0-9]*\] ' echo "$line" &&
		! echo "$line" | grep EOWNERDEAD
}

process_group()
{
	awk '{ print $5 }' /proc/self/stat > "$dir/ours"
	ctx run -f -- awk '{ print $5 }' /proc/self/stat > "$dir/foreground"
	ctx run -- awk '{ print $5 }' /proc/self/stat > "$dir/own"
	cmp "$dir/ours" "$dir/foreground" && ! cmp -s "$dir/ours" "$dir/own" &&
		expect 124 '' ctx run -f -t 0.1 -- cat "$silence"
}

own_group()
{
	expect 0 '^0::/ctx-run-[0-9]*$' ctx run -- grep '^0::' /proc/self/cgroup &&
		expect 0 '^0::/ctx-run-[0-9]*/ctx-run-[0-9]*$' \
			ctx run -- ctx run -- grep '^0::' /proc/self/cgroup &&
		expect 0 '^0::/$' ctx run -f -- grep '^0::' /proc/self/cgroup &&
		no_groups_left
}

# What ctx run makes is gone when it is, unless somebody is still in it.
no_groups_left()
{
	for group in "$groups"/ctx-run-*; do
		[ ! -e "$group" ] || { echo "# left: $group"; return 1; }
	done
}

# A tree of processes that leave their parents, sessions and descriptors behind. Each
# holds the fifo that the test has a reader of, to whom its end is that of them all.
plant='
	exec 9> $alive
	setsid sh -c "
		trap : TERM HUP INT
		setsid sh -c \"exec 10>&-; echo up > $result; cat $silence; :\" &
		cat $silence" < /dev/null > /dev/null 2>&1 &
	echo $PPID > $result
	wait'

# Starts it under a command, in the background: $run is the process to kill.
plant_under()
{
	cat "$alive" &
	reader=$!
	"$@" sh -c "$plant" &
	read -r one <&3
	read -r two <&3
	run=$one
	[ "$one" != up ] || run=$two
}

# Until whoever was killed has left his group, which is after he has closed his files.
emptied()
{
	while grep -q 'populated 1' "$groups"/ctx-run-*/cgroup.events; do :; done
}

# No sooner than the kernel has killed them all does the reader come to the end.
killed_run_takes_all()
{
	plant_under ctx run --
	kill -KILL "$run"
	wait "$reader" && wait
	emptied
	# Nobody was there to remove the group: the next one does.
	ls -d "$groups/ctx-run-$run" > /dev/null &&
		ctx run true &&
		no_groups_left
}

killed_outer_takes_inner()
{
	plant_under ctx run -- ctx run -t 1h -- ctx run --
	outer=$(awk '{ print $4 }' "/proc/$run/stat")
	outer=$(awk '{ print $4 }' "/proc/$outer/stat")
	kill -KILL "$outer"
	wait "$reader" && wait
	emptied
	ctx run true && no_groups_left
}

# TERM is sent to all that there is, and to each once.
whole_tree()
{
	ctx run -- sh -c '
		for i in 1 2 3; do
			setsid sh -c "
				trap \"echo TERM > $result\" TERM
				echo up > $result
				while :; do ctx wait > /dev/null; done" &
		done
		wait' &
	run=$!
	hear up up up || return
	kill -TERM $run
	hear TERM TERM TERM || return
	wait
	# They go on: there was no -k.
	grep -q 'populated 1' "$groups"/ctx-run-*/cgroup.events || return
	echo 1 > "$(echo "$groups"/ctx-run-*/cgroup.kill)"
	removed
}

export listener="$lib/listen $result"

# Also where it is a process group: to those who have left that, or their parents, or
# both; and what is sent after that, too.
whole_tree_without_cgroup()
{
	without_cgroup ctx run -q -- sh -c '
		setsid sh -c "setsid $listener & exec $listener" &
		sh -c "setsid $listener &"
		exec $listener' &
	hear up up up up || return
	kill -TERM $!
	hear TERM TERM TERM TERM || return
	kill -HUP $!
	hear HUP HUP HUP HUP && wait
}

# Who was a child before there was a command has nothing to do with it.
earlier_child_without_cgroup()
{
	without_cgroup sh -c '
		$listener &
		echo $! > "$0"
		exec ctx run -q -- sh -c "setsid $listener & exec $listener"' "$dir/earlier" &
	hear up up up || return
	kill -TERM $!
	hear TERM TERM || return
	kill -HUP $!
	hear HUP HUP && wait || return
	read -r earlier < "$dir/earlier"
	kill -TERM "$earlier"
	hear TERM || return
	kill -HUP "$earlier"
	hear HUP
}

# What an outer ctx run runs: the inner one, and beside it somebody who says when the
# outer one's signal was sent, which is to all at once, and when the inner one is gone.
beside='
	trap "echo sent > $result" $signal
	trap : HUP
	ctx info | sed -n "s/^parent *context //p" > $result
	"$@" &
	while kill -0 $! 2> /dev/null; do wait $!; done
	echo gone > $result'

# Then sends one that comes to the inner ctx run after that.
inside='
	trap "echo VTALRM > $result" VTALRM
	trap "echo TERM > $result" TERM
	trap "echo HUP > $result; exit" HUP
	echo up > $result
	while [ ! -e $go ]; do ctx wait > /dev/null; done
	kill -VTALRM $PPID
	while :; do ctx wait > /dev/null; done'

# ended_above SIGNAL OUTER... -- INNER...: of an end from above a command hears by the
# signal of its own ctx run, and not by the outer one's, too. What somebody sends to
# either of them after that is passed on.
ended_above()
(
	export signal="$1"
	shift
	rm -f "$go"
	outer=
	while [ "$1" != -- ]; do
		outer="$outer $1"
		shift
	done
	shift
	$outer sh -c "$beside" sh "$@" ctx run -q -s VTALRM -- sh -c "$inside" &
	run=$!
	read -r id <&3
	hear up && ctx cancel "$id" && hear_all VTALRM sent && : > "$go" && hear VTALRM &&
		kill -HUP $run && hear_all HUP gone
	failure=$?
	[ $failure = 0 ] || kill -KILL $run
	wait
	rm -f "$go"
	[ $failure = 0 ] && removed
)

# Whoever waits in between dies of TERM.
pid_namespace='trap : TERM; unshare -p -f "$@" & while :; do cat $silence; done'

signalled_once()
{
	ended_above TERM ctx run -- &&
		ended_above TERM without_cgroup ctx run -q -- &&
		ended_above TERM without_cgroup ctx run -q -- setsid &&
		ended_above TERM ctx run -- env -u CTX_FD &&
		ended_above TERM ctx run -- sh -c "$pid_namespace" sh &&
		ended_above TERM ctx run -- ctx run -f -- &&
		cp "$(which ctx)" "$dir/other" &&
		ended_above TERM "$dir/other" run --
}

# Also one that does nothing to it, or would end it, from somebody else.
signalled_oddly()
{
	ended_above URG ctx run -s URG -- &&
		ended_above USR1 ctx run -s USR1 -- &&
		expect 138 '' ctx run -- ctx run -- sh -c 'kill -USR1 $PPID; cat $silence' &&
		expect 3 '' ctx run -- ctx run -- sh -c 'kill -URG $PPID; exit 3'
}

# A key comes to both by itself, and the outer one adds nothing to that.
interrupted_both()
{
	expect 0 TERM terminal -w up -k "$interrupt" sh -c '
		trap : INT
		ctx run -f -k 5 -- ctx run -- sh -c "
			read -r _ _ _ outer _ < /proc/\$PPID/stat
			trap \"echo INT; kill -TERM \$outer\" INT
			trap \"echo TERM; exit\" TERM
			echo up
			while :; do ctx wait > /dev/null; done" | (trap "" INT; cat)'
}

# The end that comes first is the one that counts, be it heard of together with a key.
interrupted_later()
{
	expect 143 'sending TERM' terminal -w up -k "$interrupt" ctx run -f -v -k 5 -- sh -c '
		trap "kill -CONT $PPID" INT
		id=$(ctx info | sed -n "s/^parent *context //p")
		kill -STOP $PPID
		ctx cancel $id
		echo up
		while :; do ctx wait > /dev/null; done'
}

# Where no outer one sends any, nothing that is sent then is taken for its signal.
nothing_swallowed()
{
	ctx run -- sh -c '
		ctx info | sed -n "s/^parent *context //p" > $result
		read -r line < $silence' &
	above=$!
	read -r id <&3
	ctx exec -s HUP "$id" -- sh -c '
		trap "echo HUP > $result" HUP
		trap "echo TERM > $result; exit" TERM
		echo up > $result
		while :; do ctx wait > /dev/null; done' &
	run=$!
	hear up || return
	kill -TERM $above
	hear HUP && kill -HUP $run && kill -TERM $run && hear HUP TERM && wait
}

# Until who stayed behind has removed the group: ctx run waits for that as the others.
removed()
{
	while ! no_groups_left > /dev/null; do :; done
}

# What outlives the first signal is waited for, if there is to be a second.
grace_for_all()
{
	ctx run -v -k 0.1 -- sh -c '
		(trap "" TERM; echo up > $result; exec setsid cat $silence) &
		wait' 2> "$dir/said" &
	run=$!
	hear up || return
	kill -TERM $run
	wait $run
	status=$?
	[ "$status" = 143 ] || { echo "# status $status"; return 1; }
	expect 0 'sending KILL' cat "$dir/said" && no_groups_left &&
		expect 124 '^$' ctx run -t 0.1 -k 1h -- sh -c 'setsid cat $silence & wait' &&
		no_groups_left
}

# What the command has left behind goes on, and the group goes with the last of it.
left_behind()
{
	mkfifo "$go"
	cat "$alive" &
	reader=$!
	expect 3 '' ctx run -- sh -c '
		exec 9> $alive
		setsid sh -c "echo $$ > $result; cat $go" > /dev/null 2>&1 &
		exit 3' || return
	read -r line <&3
	group=$(echo "$groups"/ctx-run-*)
	[ -d "$group" ] && grep -q 'populated 1' "$group/cgroup.events" || return
	ctx run true && [ -d "$group" ] || return
	: > "$go"
	wait $reader
	removed
}

# Whoever has closed CTX_FD, or does not know it, runs under the cgroup's context.
ambient()
{
	expect 0 'deadline  in [0-9.]* s' ctx run -t 50 -- env -u CTX_FD ctx run -- ctx info &&
		expect 0 'deadline  in [0-9.]* s' ctx run -t 50 -- sh -c '
			eval "exec $CTX_FD>&-"
			ctx run -- ctx info' &&
		expect 0 'rights    derive observe' ctx run -- env -u CTX_FD ctx run -- ctx info &&
		expect 124 '' ctx run -t 0.1 -- env -u CTX_FD ctx run -t 9 cat "$silence" &&
		expect 0 '^ctx: the context is not below that of this cgroup: ' \
			ctx run -- sh -c 'CTX_FD=9 ctx run -v true 9<> /dev/ctx' &&
		expect 0 'depth     2' ctx run -- sh -c 'CTX_FD=9 ctx run ctx info 9<> /dev/ctx' &&
		no_groups_left
}

# Until nobody stays with anything: who does has removed the group before he is gone, and
# who is killed lets go of the group's lock after what he stayed with.
# shellcheck disable=SC2009 # busybox has no pgrep that looks at names only
nobody_stays()
{
	while ps -o comm | grep -q '^ctx *$'; do :; done
}

# Whoever kills the process that stays with it takes it all, as with ctx run itself.
left_behind_is_killed()
{
	nobody_stays
	cat "$alive" &
	reader=$!
	expect 0 '' ctx run -- sh -c '
		exec 9> $alive
		setsid sh -c "trap : TERM; echo up > $result; cat $silence; :" \
			> /dev/null 2>&1 &' || return
	hear up || return
	# shellcheck disable=SC2009 # busybox has no pgrep that looks at arguments only
	kill -KILL "$(ps -o pid,comm | awk '$2 == "ctx" { print $1 }')"
	wait $reader
	nobody_stays
	emptied
	ctx run true && no_groups_left
}

# removed_soon GROUP: who was killed may still have to be reaped; who was not, is now.
removed_soon()
{
	for _ in $(seq 5000); do
		rmdir "$1"/ctx-run-* "$1" 2> /dev/null
		[ -d "$1" ] || return 0
	done
	echo "# there is somebody in $1"
	echo 1 > "$1/cgroup.kill"
	return 1
}

# Where there may be no process more, nobody can stay with what is left behind.
left_behind_with_nobody()
{
	echo +pids > "$groups/cgroup.subtree_control" && mkdir "$groups/mine" || return
	expect 3 '^ctx: cannot stay with what sh left behind, so the kernel kills it: ' sh -c '
		echo 0 > /sys/fs/cgroup/mine/cgroup.procs
		exec ctx run -- sh -c "
			setsid sh -c \"echo up > $result; exec cat $silence\" > /dev/null 2>&1 &
			read -r line < $result
			echo 1 > /sys/fs/cgroup/mine/pids.max
			exit 3"'
	failure=$?
	removed_soon "$groups/mine" || failure=1
	echo -pids > "$groups/cgroup.subtree_control" && [ $failure = 0 ]
}

# with VALUE... -- COMMAND...: the command under these values.
with()
{
	values=
	while [ "$1" != -- ]; do
		values="$values --value $1"
		shift
	done
	# shellcheck disable=SC2086 # words
	ctx run $values "$@"
}

bytes()
{
	od -An -v -tx1 | tr -d ' \n'
}

# What went in comes out, and the nearest one counts.
values_come_out()
{
	expect 0 '^1$' with a=1 b=2 -- ctx get a &&
		expect 0 '^2$' with a=1 b=2 -- ctx get b &&
		expect 0 '^2$' with a=1 a=2 -- ctx get a &&
		expect 0 '^1$' with a=1 b=2 -- ctx run ctx get a &&
		expect 0 '^3$' with a=1 b=2 -- ctx run --value a=3 ctx get a &&
		expect 0 '^2$' with a=1 b=2 -- ctx run --value a=3 ctx get b &&
		expect 0 '^b=c=$' with a=b=c= -- ctx get a &&
		expect 0 '^x y$' ctx run --value 'k e y=x y' ctx get 'k e y' &&
		expect 0 '^$' with a=1 a= -- ctx get a &&
		expect 1 '^$' with a=1 -- ctx get b || return
	odd=$(printf '\377\200\001\n\303') long=$(printf '%04096d' 0)
	[ "$(ctx run --value "$odd=$odd" ctx get "$odd" | bytes)" = ff80010ac3 ] &&
		[ "$(ctx run --value "a=$long" ctx get a)" = "$long" ]
}

# set_bound PARAMETER NUMBER: of the module; the old one is put into $bound.
set_bound()
{
	bound=$(cat "/sys/module/ctx/parameters/$1")
	echo "$2" > "/sys/module/ctx/parameters/$1"
}

# with_bound PARAMETER NUMBER COMMAND...
with_bound()
{
	parameter=$1
	set_bound "$1" "$2" || return
	shift 2
	"$@"
	failure=$?
	set_bound "$parameter" "$bound"
	return $failure
}

# At each bound it is said which one that is.
bounds()
{
	with_bound max_user_contexts 0 expect 125 \
		'^ctx: you have too many contexts: .*/sys/module/ctx/parameters/max_user_contexts$' \
		ctx run true &&
		with_bound max_user_contexts 1 expect 125 '^ctx: you have too many contexts: ' \
			ctx run true &&
		with_bound max_depth 1 expect 125 \
			'^ctx: .* nested too deep: .*/sys/module/ctx/parameters/max_depth$' \
			ctx run true &&
		with_bound max_depth 3 expect 125 '^ctx: .* nested too deep: ' ctx run -- ctx run true
}

unbound()
{
	ctx run -v true 2>&1 |
		grep -q '^ctx: the cgroup cannot be bound .*you have too many on-dones or bindings'
}

# Without the context that kills it, a cgroup is none.
bounds_of_cgroup()
{
	with_bound max_user_files 0 expect 0 \
		"^ctx: no cgroup for true (you have too many contexts or on-dones)" ctx run true &&
		with_bound max_user_files 0 expect 125 \
			"^ctx: no cgroup .*max_user_contexts and max_user_files in /sys/module/" \
			ctx run -g true || return
	# Bindings of earlier ones count for a while.
	until with_bound max_user_files 1 unbound; do :; done
	no_groups_left
}

values()
{
	expect 0 'depth     4' ctx run --value a=1 --value 'b=x y' -- ctx info &&
		expect 125 "'a' is no value" ctx run --value a true &&
		expect 125 "'=1' is no value" ctx run --value =1 true &&
		expect 125 'a key may have' ctx run --value "$(printf '%0300d' 0)=1" true
}

exec_by_id()
{
	ctx run -t 1h -- sh -c '
		ctx info | sed -n "s/^parent *context //p" > $result
		cat $silence' &
	first=$!
	read -r id <&3
	expect 0 'deadline  in 59 min' ctx exec "$id" -- ctx info &&
		expect 0 'rights    derive observe' ctx exec "$id" ctx info &&
		expect 7 '' ctx exec -t 5s "$id" -- sh -c 'exit 7' &&
		expect 124 '' ctx exec -t .1 "$id" cat "$silence" &&
		expect 143 '' ctx exec -p -t .1 "$id" cat "$silence" &&
		ignoring_term 137 '' ctx exec -t .1 -k .1 "$id" cat "$silence" &&
		expect 0 '^0::/$' ctx exec -f "$id" grep '^0::' /proc/self/cgroup &&
		expect 125 '^ctx: no cgroup for true' without_cgroup ctx exec -q -g "$id" true &&
		expect 125 '^ctx: --value is for ctx run: ' ctx exec --value a=1 "$id" true &&
		expect 0 '^1$' ctx run -- ctx exec "$id" sh -c 'ls -l /proc/$$/fd | grep -c "\[ctx\]"' &&
		expect 0 '^$' without_cgroup ctx run -q -- ctx exec "$id" true &&
		expect 0 '^ctx: the context is not below that of this cgroup: ' \
			ctx run -- ctx exec -v "$id" true &&
		expect 125 "^ctx: context $id is of a user whom you may not send signals to$" \
			su -s /bin/sh nobody -c "ctx exec $id true" || return
	ctx exec -v "$id" -- sh -c 'echo up > $result; cat $silence' 2> "$dir/said" &
	second=$!
	read -r line <&3
	kill $second
	wait $second
	status=$?
	kill $first
	wait
	[ "$status" = 143 ] || { echo "# status $status"; return 1; }
	expect 125 "there is no context 99999999" ctx exec 99999999 true &&
		expect 125 "'x' is no context's number" ctx exec x true &&
		expect 125 "no command" ctx exec 1 -- &&
		expect 125 "no command" ctx exec
}

# The end of a context is that of what runs under it.
exec_ends_with_it()
{
	ctx run -- sh -c '
		ctx info | sed -n "s/^parent *context //p" > $result
		read -r line < $silence' &
	first=$!
	read -r id <&3
	ctx exec -v "$id" -- sh -c 'echo up > $result; cat $silence' 2> "$dir/said" &
	second=$!
	read -r line <&3
	kill -TERM $first
	wait $second
	status=$?
	wait
	[ "$status" = 143 ] || { echo "# status $status"; return 1; }
	expect 0 "was cancelled by ctx\\[$first\\].*EINTR.*(because context $id did)" cat "$dir/said"
}

no_group()
{
	expect 0 '^ctx: no cgroup for true .*; mount cgroup2 at' without_cgroup ctx run true &&
		[ "$(echo "$output" | wc -l)" = 1 ] &&
		expect 124 '^$' without_cgroup ctx run -qt -k 5 .1 cat "$silence" &&
		expect 0 '^$' without_cgroup ctx run -q true &&
		expect 0 '^$' without_cgroup ctx run -q -- ctx run true &&
		expect 125 'no cgroup for true' without_cgroup ctx run -g -q true &&
		expect 0 '^ctx: no cgroup for true .*; have /sys/fs/cgroup mounted read-write$' unshare -m \
			sh -c 'mount -o remount,bind,ro none /sys/fs/cgroup && exec ctx run true' &&
		expect 0 "; start it by 'systemd-run --user" su -s /bin/sh nobody -c 'ctx run true' &&
		[ "$(echo "$output" | wc -l)" = 1 ]
}

# A directory that can be opened can be locked, which is how those in use are known.
not_for_strangers()
{
	ctx run -- sh -c 'echo up > $result; read -r line < $silence' &
	hear up &&
		expect 1 '[Pp]ermission denied' su -s /bin/sh nobody -c "ls $groups/ctx-run-*"
	failure=$?
	echo > "$silence"
	wait
	return $failure
}

# What another user runs there, as with sudo, makes do with the cgroup it is in.
nested_of_another()
{
	expect 7 '' ctx run -- su -s /bin/sh nobody -c 'ctx run -- sh -c "exit 7"' &&
		expect 124 '' ctx run -t 1h -- su -s /bin/sh nobody -c "ctx run -t .1 cat $silence" &&
		no_groups_left
}

# As systemd delegates: the directory and what processes are moved by.
delegated()
{
	mkdir "$groups/mine" &&
		chown nobody "$groups"/mine "$groups"/mine/cgroup.procs || return
	expect 0 '^0::/mine/ctx-run-' sh -c "
		echo 0 > $groups/mine/cgroup.procs
		su -s /bin/sh nobody -c 'ctx run -- grep ^0:: /proc/self/cgroup'"
	failure=$?
	rmdir "$groups/mine" && [ $failure = 0 ]
}

# Controllers are for the group above: ours has none of its own, and needs none.
controllers()
{
	echo +pids > "$groups/cgroup.subtree_control" || return
	ctx run true && mkdir "$groups/mine" &&
		expect 0 '^0::/mine/ctx-run-' sh -c "
			echo 0 > $groups/mine/cgroup.procs
			ctx run -- grep ^0:: /proc/self/cgroup"
	failure=$?
	rmdir "$groups/mine"
	echo -pids > "$groups/cgroup.subtree_control" && [ $failure = 0 ]
}

no_device()
{
	mkdir -p "$dir/root/bin"
	cp "$(which ctx)" "$dir/root/bin/"
	expect 125 "^ctx: /dev/ctx is not there: load the module with 'modprobe ctx'$" \
		chroot "$dir/root" /bin/ctx run true &&
		expect 125 "^ctx: /dev/ctx is not there: load the module with 'modprobe ctx'$" \
			chroot "$dir/root" /bin/ctx exec 1 true || return
	mkdir -p "$dir/root/sys/module/ctx"
	expect 125 "^ctx: /dev/ctx is not here: the container has to be given that device$" \
		chroot "$dir/root" /bin/ctx run true
}

no_access()
{
	chmod 600 /dev/ctx
	said="^ctx: /dev/ctx may not be opened by you: root lets all with 'chmod 666 /dev/ctx'$"
	expect 125 "$said" su -s /bin/sh nobody -c 'ctx run true' &&
		expect 125 "$said" \
			su -s /bin/sh nobody -c 'ctx exec 1 true'
	failure=$?
	chmod 666 /dev/ctx
	[ $failure = 0 ] &&
		expect 124 '' su -s /bin/sh nobody -c 'ctx run -t 0.1 ctx wait'
}

# For a device that a container may not use: one that opens as that would.
not_allowed()
{
	restrict=/proc/sys/kernel/dmesg_restrict
	old=$(cat $restrict)
	echo 1 > $restrict
	mknod -m 666 "$dir/kmsg" c 1 11
	expect 125 '^ctx: /dev/ctx may not be opened here: the container has to allow that device$' \
		unshare -m sh -c 'mount -o bind "$0" /dev/ctx &&
			exec su -s /bin/sh nobody -c "ctx run true"' "$dir/kmsg"
	failure=$?
	echo "$old" > $restrict
	return $failure
}

unset CTX_FD
echo "TAP version 13"
echo "1..$(grep -c '^test_case "' "$0")"
test_case "the command's own status" own_status
test_case "124 when the time is up" timed_out
test_case "124 also if the command ends by itself then" timed_out_by_itself
test_case "started also if the time is up by then" timed_out_before_the_start
test_case "durations" durations
test_case "125 for bad arguments" bad_arguments
test_case "help" help
test_case "126 and 127 when the command cannot be run" cannot_be_run
test_case "128+N when the command died of signal N" died_of_signal
test_case "137 when it took KILL" killed
test_case "KILL reaches all that was started" killed_all
test_case "KILL reaches odd names" killed_with_odd_name
test_case "the signal of choice" chosen_signal
test_case "the signal of choice arrives" chosen_signal_arrives
test_case "a stopped command is ended" stopped
test_case "signals cancel and are passed on" forwarding
test_case "a signal passed on decides the status" forwarded_death
test_case "an ignored signal stays ignored" ignored_signal
test_case "what it says may be read by nobody" said_to_nobody
test_case "^C is for the whole job" interrupted
test_case "an INT that was sent is not" interrupted_by_process
test_case "^C in the foreground before the command" interrupted_early
test_case "nor is one at the end of a context" interrupted_by_context
test_case "^C in the foreground comes once" interrupted_in_foreground
test_case "nested runs: the tighter deadline rules" nested
test_case "nothing starts under a context that is done" born_done
test_case "CTX_FD is passed on" passed_on
test_case "closed standard descriptors stay the command's" closed_descriptors
test_case "a CTX_FD that is no context" wrong_env
test_case "a CTX_FD that allows less" fewer_rights
test_case "a CTX_FD for a set-user-ID program" set_user_id
test_case "info" info
test_case "info on a context that is done" info_done
test_case "wait ends after its time" wait_in_vain
test_case "wait says who, when and why" wait_is_told
test_case "wait dies of a signal" wait_dies
test_case "run killed: its context is cancelled with EOWNERDEAD" killed_run
test_case "run killed: the command gets the signal" killed_run_ends_command
test_case "run ended: what is left is cancelled" ended_run
test_case "process groups" process_group
test_case "a cgroup of its own" own_group
test_case "run killed: everything is, and the next one tidies up" killed_run_takes_all
test_case "run killed: what others run below is, too" killed_outer_takes_inner
test_case "the whole tree gets the signal, once" whole_tree
test_case "the whole tree gets the signal, without a cgroup" whole_tree_without_cgroup
test_case "others get no signal without a cgroup" earlier_child_without_cgroup
test_case "an end from above is heard of once" signalled_once
test_case "an end from above by an odd signal" signalled_oddly
test_case "^C for two nested runs" interrupted_both
test_case "^C after another end" interrupted_later
test_case "a signal after an end from above is passed on" nothing_swallowed
test_case "the grace is for the whole tree" grace_for_all
test_case "what is left behind goes on" left_behind
test_case "what is left behind is killed with its keeper" left_behind_is_killed
test_case "what nobody can stay with is killed" left_behind_with_nobody
test_case "the ambient context" ambient
test_case "values" values
test_case "values come out" values_come_out
test_case "bounds" bounds
test_case "bounds of what a cgroup takes" bounds_of_cgroup
test_case "exec: under a context by its number" exec_by_id
test_case "exec: ends with that context" exec_ends_with_it
test_case "no cgroup" no_group
test_case "a cgroup is not for strangers" not_for_strangers
test_case "nested, of another user" nested_of_another
test_case "a delegated cgroup" delegated
test_case "a cgroup with controllers" controllers
test_case "no module" no_device
test_case "no access" no_access
test_case "a device that is not allowed" not_allowed

rm -r "$dir"
[ $failed = 0 ]
