#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Every program that the fuzzer begins with, once; it has its own rules for what a
# request may give, and nothing may be left when a program ends. Needs the module.

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=lib/cases.sh
. "$here/lib/cases.sh"

programs_run()
{
	cat "$here/lib/fuzz-corpus"/* | "$here/lib/fuzz-tool" run
}

echo "TAP version 13"
echo "1..1"
test_case "the fuzzer's programs find nothing" programs_run
[ "$failed" = 0 ]
