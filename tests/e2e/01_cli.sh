#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The command line without a target: help, version, schema, unknown words.
. "$(dirname "$0")/lib.sh"
need_tool jq

rs --help
equal "exit of --help" $RC 0
cp "$TMP/out" "$TMP/help"
for c in report capture watch doctor; do
	grep -qw "$c" "$TMP/help" || fail "--help does not name $c"
	rs $c --help
	equal "exit of $c --help" $RC 0
	[ -s "$TMP/out" ] || fail "$c --help prints nothing on stdout"
	between "lines of $c --help" 3 "$(wc -l <"$TMP/out")" 60
	grep -qi example "$TMP/out" || fail "$c --help has no example"
	rs $c --no-such-option
	equal "exit of $c --no-such-option" $RC 2
	[ -s "$TMP/out" ] && fail "$c --no-such-option prints on stdout"
done
rs --version
equal "exit of --version" $RC 0
grep -q "$(cat "$ROOT/VERSION")" "$TMP/out" || fail "--version says $(cat "$TMP/out")"
rs
equal "exit without a command" $RC 2
rs nosuch
equal "exit of an unknown command" $RC 2
grep -q nosuch "$TMP/err" || fail "the message does not name the unknown command: $(cat "$TMP/err")"
rs report
equal "exit of report without a target" $RC 2
rs report --json-schema
equal "exit of report --json-schema" $RC 0
equal "the schema's properties" "$(jq -r '[.properties | has("schema", "tool", "time", "host", "reports")] | all' "$TMP/out" 2>&1)" true
finish
