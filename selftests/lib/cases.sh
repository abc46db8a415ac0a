# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh
#
# For scripts that are tests: TAP, with "failed" counting what has.

number=0 failed=0

# test_case NAME COMMAND...: one that ends with 4 is skipped.
test_case()
{
	name=$1
	shift
	number=$((number + 1))
	"$@"
	case $? in
	0)	echo "ok $number $name" ;;
	4)	echo "ok $number # SKIP $name" ;;
	*)	echo "not ok $number $name"
		failed=$((failed + 1)) ;;
	esac
}
