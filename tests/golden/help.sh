#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# help.sh PROGRAM: what --help prints, against tests/golden/help*.txt; it fits a screen, and the
# manual page knows every option. UPDATE_GOLDEN=1 writes the files anew: read the difference before
# committing it.
set -u
program=$1
cd "$(dirname "$0")/../.." || exit 2
out=$(mktemp) || exit 2
trap 'rm -f "$out"' EXIT
unset ARGP_HELP_FMT
failed=0 passed=0
fail() {
	echo "FAIL $1"
	failed=$((failed + 1))
}
for command in '' report watch run capture profile diff doctor; do
	golden=tests/golden/help${command:+-$command}.txt
	# shellcheck disable=SC2086 # no word when empty
	"$program" $command --help >"$out" || fail "rsscope $command --help: exit $?"
	if [ "${UPDATE_GOLDEN:-}" = 1 ]; then
		cp "$out" "$golden"
	fi
	if diff -u "$golden" "$out"; then
		passed=$((passed + 1))
	else
		fail "rsscope $command --help is not $golden"
	fi
	[ "$(wc -l <"$out")" -le 40 ] || fail "rsscope $command --help has more than 40 lines"
	[ "$(wc -L <"$out")" -le 80 ] || fail "rsscope $command --help is wider than 80 columns"
	# shellcheck disable=SC2013 # words
	for option in $(grep -oE '^ +(-[a-z], )?--[a-z-]+' "$out" | grep -oE -e '--[a-z-]+'); do
		grep -q -e "Fl Fl ${option#--}\b" doc/rsscope.1 ||
			fail "doc/rsscope.1 does not name $option of rsscope $command"
	done
done
if command -v mandoc >/dev/null; then
	# Its notes on this machine's own index of pages go to stderr.
	mandoc -Tlint -W style doc/rsscope.1 2>/dev/null >"$out"
	if [ -s "$out" ]; then
		cat "$out"
		fail "mandoc -Tlint doc/rsscope.1"
	fi
fi
echo "$passed passed, $failed failed, 0 skipped"
[ $failed = 0 ]
