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
start_program "$T/mappings"
execed() { until [[ $(readlink "/proc/$TPID/exe") == */mappings ]]; do sleep 0.01; done; } # not the shell any more
watched_rounds() { # ARG…: three rounds, each answered before the next, then the report
	execed
	watch "$TPID" "$@"
	for ((i = 0; i < rounds; i++)); do ask round; done
	kill -INT "$WPID"
	watched
	[ $RC = 0 ] || [ $RC = 5 ] || fail "watch exits $RC: $(cat "$WOUT.err")"
}
watched_rounds --json
report='select(.type == "report") | .reports[0]'
# What the runtime maps for itself meanwhile is not theirs.
own="$report | .origins[] | select(.stack[0].func // \"\" | startswith(\"runtime.\") | not) | select(.stack[.caller].func // \"\" | startswith(\"main.\") and . != \"main.main\")"
equal "bytes by function" "$(jq -cS -n "[inputs | $own | {key: .stack[.caller].func, value: .bytes}] | group_by(.key) | map({key: .[0].key, value: map(.value) | add}) | from_entries" "$WOUT")" \
	"$(jq -cS . "$TMP/truth")"
equal "resident" "$(jq -n "[inputs | $own | .resident] | add" "$WOUT")" $((rounds * 43 * MIB))
equal "equal stacks twice" "$(jq "$report | [.origins[].stack] | group_by(.) | map(select(length > 1)) | length" "$WOUT")" 0
equal "ledger rows of wrappers" "$(jq "$report | [.ledger[].rows[]? | select(.name | test(\"main.m(re|un)?map \"))] | length" "$WOUT")" 0
equal "lost" "$(lost)" 0
stop "$TPID"

# The same for people: a line a function, with who called it.
start_program "$T/mappings"
LC_ALL=C watched_rounds --bytes
sed -n '/^origins/,/^[^ ]/p' "$WOUT" | sed 's/^origins//' >"$TMP/lines"
for f in reserveAndCommit punchHole growMove shrink; do
	grep -qE "^ *main\.$f main\.go(:[0-9]+)? <- main\.main: [0-9]+ of [0-9]+ mapped" "$TMP/lines" ||
		fail "$f is not a line of its own: $(cat "$TMP/lines")"
done
stop "$TPID"
finish "origins of mappings told by the functions that wanted them"
