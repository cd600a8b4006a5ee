#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Mappings that are mapped over, cut, moved and shrunk, all through a function called mmap: what is
# left is told by the functions that wanted it, to the byte, and each of them once.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/watch.sh"
need_probes
need_go
need_tool jq

rounds=3
(for ((i = 0; i < rounds; i++)); do echo; done && sleep 1) |
	"$RSSCOPE" run --json -o "$TMP/run.json" -- "$T/mappings" >"$TMP/truth" 2>"$TMP/err"
RC=$?
[ $RC = 0 ] || [ $RC = 5 ] || fail "run exits $RC: $(cat "$TMP/err")"
own='.reports[0].origins[] | select(.stack[.caller].func // "" | startswith("main."))'
equal "bytes by function" "$(jq -cS "[$own | {key: .stack[.caller].func, value: .bytes}] | group_by(.key) | map({key: .[0].key, value: map(.value) | add}) | from_entries" "$TMP/run.json")" \
	"$(tail -n 1 "$TMP/truth")"
equal "resident" "$(jq "[$own | .resident] | add" "$TMP/run.json")" $((rounds * 43 * MIB))
equal "equal stacks twice" "$(jq '[.reports[0].origins[].stack] | group_by(.) | map(select(length > 1)) | length' "$TMP/run.json")" 0
equal "ledger rows of wrappers" "$(jq '[.reports[0].ledger[].rows[]? | select(.name | test("main.m(re|un)?map "))] | length' "$TMP/run.json")" 0

# The same for people: a line a function, with who called it.
(for ((i = 0; i < rounds; i++)); do echo; done && sleep 1) |
	LC_ALL=C "$RSSCOPE" run --bytes -o "$TMP/run.txt" -- "$T/mappings" >/dev/null 2>"$TMP/err"
sed -n '/^asked for by/,/^[^ ]/p' "$TMP/run.txt" | sed 's/^asked for by//' >"$TMP/lines"
for f in reserveAndCommit punchHole growMove shrink; do
	grep -qE "^ *main\.$f main\.go(:[0-9]+)? <- main\.main: [0-9]+ of $(tail -n 1 "$TMP/truth" | jq ".[\"main.$f\"]") mapped" "$TMP/lines" ||
		fail "$f is not a line of its own: $(cat "$TMP/lines")"
done
finish "origins of mappings told by the functions that wanted them"
