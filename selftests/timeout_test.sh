#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# "alias timeout='ctx run -t'": what timeout(1) of coreutils documents, as a table of
# cases, for both: what ctx does is compared with what is documented, and so is what
# timeout does, where the machine that built the tests has it. Needs the module, a ctx
# in PATH and busybox.
#
# What takes long reads a fifo that no one ever writes.
#
# shellcheck disable=SC2016,SC2034,SC2317 # many a $ is for an inner shell

dir=$(mktemp -d)
silence=$dir/silence
result=$dir/result
here=$(cd "$(dirname "$0")" && pwd)
theirs=$here/host/timeout
terminal=$here/lib/terminal
export LOCPATH="$here/lib"	# where comma is
interrupt=$(printf '\003') enter=$(printf '\r')
number=0 failed=0
mkfifo "$silence" "$result"
exec 3<> "$result"
export silence result dir

verdict()
{
	number=$((number + 1))
	if [ "$1" = 0 ]; then
		echo "ok $number $2"
	else
		echo "not ok $number $2"
		sed 's/^/# | /' "$dir/output"
		failed=$((failed + 1))
	fi
}

# What it has said: a line like this, nothing (^$), or anything.
says()
{
	case $1 in
	'')	;;
	'^$')	[ ! -s "$dir/output" ] ;;
	*)	grep -q -e "$1" "$dir/output" ;;
	esac
}

# shell STATUS PATTERN CODE: how it ends, and what it says.
shell()
{
	eval "$3" > "$dir/output" 2>&1 < /dev/null
	got=$?
	[ $got = "$1" ] && says "$2"
	verdict $? "$name: $3: $1"
	[ $got = "$1" ] || echo "# status $got"
}

# try STATUS PATTERN ARGUMENTS: the arguments are shell code.
try()
{
	shell "$1" "$2" "\$command $3"
}

# passes SIGNAL STATUS ARGUMENTS: the signal is sent once the command says "up".
passes()
{
	eval "exec $command $3" > "$dir/output" 2>&1 < /dev/null &
	read -r line <&3
	kill -"$1" $!
	wait $!
	got=$?
	[ $got = "$2" ]
	verdict $? "$name: $(echo "$3" | tr '\n' ' '): $2 by $1"
	[ $got = "$2" ] || echo "# status $got"
}

# Says "up" and lives on, unless KILL comes. In one process: its shell has no child.
stubborn="sh -c 'trap \"\" TERM; echo up > \$result; exec cat \$silence'"
willing="sh -c 'echo up > \$result; exec cat \$silence'"

statuses()
{
	try 0 '' '10 true'
	try 1 '' '10 false'
	try 7 '' '10 sh -c "exit 7"'
	try 124 '^$' '.1 cat $silence'
	try 125 . ''
	try 125 . '10'
	try 126 . '10 .'
	try 126 . '10 /dev/null'
	try 127 . '10 no-such-command'
	try 127 . '10 /no/such/command'
	try 137 '' '10 sh -c "kill -KILL \$\$"'
	try 143 '' '10 sh -c "kill -TERM \$\$"'
	try 138 '' '10 sh -c "kill -USR1 \$\$"'
}

durations()
{
	for duration in 1e-1 0.1s .001m .00001h .000001d 0x1p-4; do
		try 124 '' "$duration cat \$silence"
	done
	for duration in 0 0s 0d 1.5m 5h 2.34e+5d 99999999999999999999d 1e500 \
			4294967296 9223372036854775807 18446744073709551616d; do
		try 3 '' "$duration sh -c 'exit 3'"
	done
	for duration in invalid "''" 1ss 42D 5x .s 1.2.3 --1 nan 1:30; do
		try 125 . "$duration true"
		try 125 . "-k $duration 10 true"
	done
}

# With a decimal point anywhere, and with what the user's locale has instead.
locales()
{
	for duration in 0,1 0,00001h .1 1e-1; do
		shell 124 '' "LC_NUMERIC=comma \$command $duration cat \$silence"
	done
	shell 124 '' 'LC_NUMERIC=comma $command -k 0,1 0,1 cat $silence'
	shell 0 '' 'LC_NUMERIC=comma $command 4,5h true'
	for duration in 0,1,1 0.1,1 0,1.1 ','; do
		shell 125 . "LC_NUMERIC=comma \$command $duration true"
	done
	try 125 . '0,1 true'
	shell 125 . 'LC_NUMERIC=none $command 0,1 true'
}

options()
{
	try 0 '^-k$' '10 echo -k'
	try 0 '^--$' '10 echo --'
	try 0 '^x y$' '10 echo "x y"'
	try 0 '' '-- 10 true'
	try 0 '' '-k 1 -s INT --foreground -v 10 true'
	try 0 '' '-k1 -sINT 10 true'
	try 0 '' '-vk1 10 true'
	try 0 '' '--kill-after 1 --signal INT --verbose --preserve-status 10 true'
	try 0 '' '--kill=1 --sig=INT --fore --pres 10 true'
	try 125 . '--foo 10 true'
	try 125 . '-Z 10 true'
	try 125 . '-k'
	try 125 . '-s'
	try 125 . '-v'
	try 0 ' DURATION COMMAND' '--help'
	try 0 '[0-9]' '--version'
}

signals()
{
	for signal in INT SIGINT int sigInt 2 130 HUP QUIT USR1 ALRM PIPE RTMIN RTMAX-1; do
		try 124 '' "-s $signal .1 cat \$silence"
	done
	for signal in INVALID SIGFOO "''" 1000 -1; do
		try 125 . "-s $signal 10 true"
	done
	try 137 '' '-s KILL .1 cat $silence'
	try 137 '' '-s 9 .1 cat $silence'
	try 137 '' '--signal=kill .1 cat $silence'
	# Of URG it does not die: it sees by what -v says that the time is up.
	try 137 '' '-v -s URG .1 sh -c "until grep -q URG \$dir/output; do :; done; kill -KILL \$\$"'
	try 124 '' '.1 sh -c "kill -STOP \$\$"'
}

kill_after()
{
	try 0 '' '-k 1 10 true'
	try 124 '' '-k 1h .1 cat $silence'
	try 137 '' '-s 0 -k .1 .1 cat $silence'
	try 137 '' '-s EXIT --kill-after=.1 .1 cat $silence'
	try 137 '' '-s URG -k .1 .1 cat $silence'
	try 137 '' '-s CONT -k .1 .1 cat $silence'
	passes TERM 137 "-k .1 1h $stubborn"
	# Documented is that with 0 it has no effect, and so it has none by itself. But after
	# a signal that is sent on, theirs sends KILL all the same.
	try 7 '' '-k .1 0 sh -c "ctx run -qt .3 cat \$silence; exit 7"'
	passes TERM 137 "-k .1 0 $stubborn"
	# Of 0, there is no KILL.
	try 0 '' '-k 0 10 true'
	try 124 '' '--kill-after=0.0d .1 cat $silence'
	try 7 '' '-k 0 0 sh -c "exit 7"'
	try 124 '' '-k 0 .1 cat $silence'
	try 124 '' '-v -k 0 -s URG .1 sh -c "until grep -q URG \$dir/output; do :; done; exit 9"'
}

preserve_status()
{
	try 7 '' '--preserve-status 10 sh -c "exit 7"'
	try 143 '' '--preserve-status .1 cat $silence'
	try 130 '' '--preserve-status -s INT .1 cat $silence'
	try 137 '' '--preserve-status -s KILL .1 cat $silence'
	try 137 '' '--preserve-status -s 0 -k .1 .1 cat $silence'
}

verbose()
{
	try 124 'sending .*TERM.* cat\|TERM to .*cat' '-v .1 cat $silence'
	try 137 'sending .*EXIT' '--verbose -s0 -k.1 .1 cat $silence'
	try 137 'sending .*KILL' '--verbose -s0 -k.1 .1 cat $silence'
	try 0 '^$' '-v 10 true'
}

# Only COMMAND gets the signal: its children do not.
foreground()
{
	try 5 '' '--foreground 10 sh -c "exit 5"'
	try 124 '' '--foreground .1 cat $silence'
	try 137 '' '--foreground -s KILL .1 cat $silence'
	try 137 '' '--foreground -s 0 -k .1 .1 cat $silence'
	passes TERM 143 "--foreground 1h $willing"
	passes TERM 143 '--foreground 1h sh -c "
		sh -c \"echo up > \$result; read -r line < \$dir/go; echo \\\$line > \$result\" &
		wait"'
	echo lives > "$dir/go"
	read -r line <&3
	[ "$line" = lives ]
	verdict $? "$name --foreground: the command's children go on"
	# And it is not sent SIGCONT, after one that is ignored without being asked to be.
	told='trap "echo CONT" CONT; while :; do read -r line < $silence; done'
	try 137 '' '--foreground -s URG -k .5 .2 sh -c "$told"'
	! grep -q CONT "$dir/output"
	verdict $? "$name --foreground: no SIGCONT"
	# It may read the terminal, and its keys are the command's.
	reader='echo up; read -r line; echo "read: $line"'
	shell 0 '^read: line' '$terminal -w up -k "line$enter" $command --foreground 1h sh -c "$reader"'
	reader='trap "exit 9" INT; echo up; read -r line'
	shell 9 '' '$terminal -w up -k "$interrupt" $command --foreground 1h sh -c "$reader"'
}

# What is sent to it is sent on, and so ends the command.
sent_on()
{
	passes TERM 143 "1h $willing"
	passes HUP 129 "1h $willing"
	passes USR1 138 "-s USR1 1h $willing"
	passes TERM 143 "0 $willing"
	# But for this one, by which the time is up.
	passes ALRM 124 "1h $willing"
	passes ALRM 124 "-s HUP 1h $willing"
	passes ALRM 143 "--preserve-status 1h $willing"
	passes ALRM 137 "-k .1 1h $stubborn"
	passes ALRM 124 "--foreground 1h $willing"
}

# KILL it cannot send on: with theirs, COMMAND is left behind.
sent_kill()
{
	passes KILL 137 "1h sh -c 'echo \$\$ > \$result; exec cat \$silence'"
	kill -KILL "$line" 2> /dev/null
}

# What it was started with: somebody's child, an ignored SIGCHLD, input.
inherited()
{
	shell 5 '' '(true & exec $command 10 sh -c "exit 5")'
	shell 0 '' '(trap "" CHLD; $command 10 true)'
	shell 0 '^input$' 'echo input | $command 10 cat'
}

# What coreutils have since 9.6, and so not every timeout(1).
short_forms()
{
	name=$1 command=$2
	try 7 '' '-p 10 sh -c "exit 7"'
	try 143 '' '-p .1 cat $silence'
	try 130 '' '-ps INT .1 cat $silence'
	try 137 '' '-p -k .1 -s 0 .1 cat $silence'
	try 124 '' '-f .1 cat $silence'
	try 143 '' '-fp .1 cat $silence'
	try 125 . '-p'
	try 125 . '-p x true'
	try 127 . '-p 10 no-such-command'
}

# table NAME COMMAND
table()
{
	name=$1 command=$2
	statuses
	durations
	locales
	options
	signals
	kill_after
	preserve_status
	verbose
	foreground
	sent_on
	sent_kill
	inherited
}

unset CTX_FD LC_ALL
mkfifo "$dir/go"
cd "$dir" || exit
# The plan, which is to come first, is known at the end.
exec 4>&1 > "$dir/results"
table "ctx run -t" "ctx run -t"
ours=$number
if [ -x "$theirs" ]; then
	table timeout "$theirs"
	[ $number = $((2 * ours)) ]
	verdict $? "the same cases for both"
else
	echo "# no timeout(1) to compare with"
fi
short_forms "ctx run -t" "ctx run -t"
if [ -x "$theirs" ] && "$theirs" --help | grep -q -e '-p, --preserve-status'; then
	short_forms timeout "$theirs"
else
	echo "# no timeout(1) that has them"
fi
exec >&4 4>&-
printf '%s\n' "TAP version 13" "1..$number"
cat "$dir/results"

rm -r "$dir"
[ $failed = 0 ]
