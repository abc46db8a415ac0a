#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The examples of libctx: a server that curl talks to, a job runner, reads with
# io_uring. Needs the module, a ctx in PATH, and the programs next to this one.
#
# What takes long reads a fifo that no one ever writes.
#
# shellcheck disable=SC2016,SC2317 # many a $ is for an inner shell

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=lib/cases.sh
. "$here/lib/cases.sh"
examples=$here/examples
dir=$(mktemp -d)
silence=$dir/silence
result=$dir/result
port=8042
mkfifo "$silence" "$result"
exec 3<> "$result"
export silence result

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

curl() { "$here/host/curl" -s "$@"; }

# get TIMEOUT WORK: what the server answers, and the code; times are milliseconds.
get()
{
	curl -H "Timeout: $1" -w '%{http_code}' "http://127.0.0.1:$port/$2"
}

# Lives on when TERM comes: it is the context that ends it.
start_server()
{
	ctx run -- sh -c 'trap "" TERM; exec "$0" "$1"' "$examples/server" "$port" \
		> "$result" 2> "$dir/said" &
	server=$!
	read -r line <&3
	[ "$line" = listening ]
}

server()
{
	[ -x "$here/host/curl" ] || return 4
	start_server || return
	expect 0 '^200$' get 600000 1 && expect 0 '^done$' get 600000 1 || return
	expect 0 '^504$' get 1 600000 && expect 0 '^out of time$' get 1 600000 || return
	# Who hangs up is not waited for.
	expect 28 '' curl -m 0.2 http://127.0.0.1:$port/600000 || return
	for i in 1 2 3 4 5 6 7 8; do
		curl -o "$dir/answer.$i" -H 'Timeout: 600000' http://127.0.0.1:$port/$i &
		all="$all $!"
	done
	# shellcheck disable=SC2086 # numbers
	wait $all
	answers=$(cat "$dir"/answer.* | grep -c '^done$')
	# One is under way when the server's own context ends: it gets no answer.
	curl -H 'Timeout: 600000' http://127.0.0.1:$port/600000 &
	last=$!
	kill -TERM $server
	wait $server
	status=$?
	! wait $last || status=answered
	echo "# $answers of 8 were answered; the server's status: $status"
	[ "$answers" = 8 ] && [ "$status" = 0 ] || return
	expect 0 '^server: Interrupted system call$' cat "$dir/said"
}

jobs()
{
	rules=$1
	shift
	# shellcheck disable=SC2059 # rules are lines
	printf "$rules" | "$examples/jobs" "$@"
}

job_runner()
{
	expect 0 '^one two three $' jobs \
		'c b a : printf "three "\nb a: printf "two "\na: printf "one "\n' &&
		expect 1 '^jobs: bad failed$' jobs 'bad: exit 3\nlong: cat $silence\n' &&
		expect 1 '^jobs: bad failed$' jobs 'bad: exit 3\nnever bad: echo $new\n' &&
		expect 124 '' jobs 'long: cat $silence\nother: cat $silence\n' -t 0.1 &&
		expect 124 '' jobs 'long: cat $silence\n' -j 1 -t 0.1 &&
		expect 0 '^state     live$' jobs 'info: ctx info\n' &&
		expect 2 "'a' needs itself" jobs 'a b: true\nb a: true\n' &&
		expect 2 "nothing makes 'b'" jobs 'a b: true\n' &&
		expect 2 'no rule: a' jobs 'a\n'
}

# Two that wait for each other get on only side by side.
job_runner_at_once()
{
	mkfifo "$dir/meet"
	export meet="$dir/meet"
	expect 0 '^met$' jobs 'a: echo met > $meet\nb: cat $meet\n' -j 2
}

# Above all jobs is what the runner was started under.
job_runner_under_a_context()
{
	expect 124 '' ctx run -t 0.1 -- "$examples/jobs" <<-'END'
	long: trap "" TERM; while :; do ctx wait > /dev/null && exit 3; done
	END
}

io_uring()
{
	[ -x "$examples/reads" ] || return 4
	mkfifo "$dir/a" "$dir/b"
	"$examples/reads" 600000 "$dir/a" "$dir/b" > "$dir/read" 2> "$dir/said" &
	reader=$!
	(echo from a > "$dir/a"; echo from b > "$dir/b") &
	wait $reader
	status=$?
	! grep -q 'no io_uring' "$dir/said" || { kill $!; return 4; }
	sort "$dir/read" > "$dir/sorted"
	printf 'from a\nfrom b\n' | cmp - "$dir/sorted" && [ "$status" = 0 ] || return
	# Open for writing, but never written: only the context ends it.
	exec 4<> "$silence"
	expect 124 '^reads: Connection timed out$' "$examples/reads" 100 "$silence" "$silence" &&
		expect 124 '' ctx run -t 0.1 -- sh -c 'trap "" TERM; exec "$0" 600000 "$silence"' \
			"$examples/reads"
}

unset CTX_FD
echo "TAP version 13"
echo "1..$(grep -c '^test_case "' "$0")"
test_case "a server whose requests have deadlines" server
test_case "a job runner" job_runner
test_case "a job runner: two at once" job_runner_at_once
test_case "a job runner under a context" job_runner_under_a_context
test_case "io_uring" io_uring

rm -r "$dir"
[ $failed = 0 ]
