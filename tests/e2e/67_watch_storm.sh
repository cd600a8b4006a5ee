#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# (How calls that overlap are put in order is the unit test's: how many do depends on the machine.)
# Eight threads that map, unmap, move and map over, reusing each other's addresses at once: what was
# mapped at the start and the events give what is mapped at the end, address by address. With a ring
# that is too small what was lost is counted, and what it may have touched is unknown, not wrong.
# RUNS times 100,000 calls.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/watch.sh"
need_probes
need_tool jq

CALLS=$((100000 * ${RUNS:-1}))

# covered: lines "START END" of bytes to merged ones of pages.
merge() { # "START END" lines, sorted
	sort -n | awk 'NR > 1 && $1 <= z { if ($2 > z) z = $2; next } NR > 1 { print a, z } { a = $1; z = $2 } END { print a, z }'
}
covered() { while read -r a z; do echo "$((a / 4096)) $((z / 4096))"; done | merge; }
# Changed without a call: the kernel's own page for all.
real_maps() { grep -v vsyscall "/proc/$TPID/maps" | sed -E 's/^([0-9a-f]+)-([0-9a-f]+) .*/0x\1 0x\2/' | covered; }
live_maps() { jq -r 'select(.type == "mapping") | "\(.start) \(.end)"' "$WOUT" | covered; }
storm() { # RING…
	start storm 8 "$CALLS"
	watch "$TPID" --json --live --no-report --events mappings "$@"
	ask go
	real_maps >"$TMP/real"
	kill -INT "$WPID"
	watched
	equal "exit of watch" $RC 0
	# jq is slow on the hundred megabytes of the rest
	grep -E '^\{"type":"(mapping|end)"' "$WOUT" >"$TMP/short"
	rm "$WOUT"
	WOUT=$TMP/short
}

storm --ring $((1 << 30))
equal "lost" "$(lost)" 0
between "calls" "$CALLS" "$(events end '.mappings.calls + .failed_calls')" $((CALLS + 100))
live_maps >"$TMP/live"
cmp -s "$TMP/live" "$TMP/real" || fail "what is mapped differs: $(diff "$TMP/live" "$TMP/real" | head -n 6)"
equal "ambiguous" "$(events end .mappings.ambiguous)" 0
equal "bytes that only events, or only the maps, have" "$(events end '.mappings | "\(.bytes_only_here) \(.bytes_only_there) \(.bytes_unknown)"')" "0 0 0"
equal "unmappings that never came" "$(events end .mappings.unmapping_unseen)" 0
reordered=$(events end .mappings.reordered)
seen=$(jq -r 'select(.type == "mapping" and .origin == "seen") | .start' "$WOUT" | wc -l)
[ "$seen" -gt 10 ] || fail "only $seen live mappings with an origin"
stop "$TPID"

# A small ring: what is not called unknown is right.
storm --ring $((64 << 10))
[ "$(lost)" -gt 100 ] || fail "a ring of 64 KiB loses only $(lost)"
[ "$(events end .mappings.lost_regions)" -gt 0 ] || fail "no region is marked"
jq -r 'select(.type == "mapping" and .origin != "unknown") | "\(.start) \(.end)"' "$WOUT" | covered >"$TMP/known"
jq -r 'select(.type == "mapping" and .origin == "unknown") | "\(.start) \(.end)"' "$WOUT" | covered >"$TMP/unknown"
wrong=$(awk 'FILENAME == ARGV[1] { a[n] = $1; z[n++] = $2; next } { ok = 0; for (i = 0; i < n; i++) if (a[i] <= $1 && $2 <= z[i]) ok = 1; if (!ok) print }' "$TMP/real" "$TMP/known")
[ -z "$wrong" ] || fail "said to be mapped, and is not: $(head -n 5 <<<"$wrong")"
# each stretch of the maps is known to be there, or unknown, or a bit of both
hidden=$(cat "$TMP/known" "$TMP/unknown" | merge >"$TMP/both"
	awk 'FILENAME == ARGV[1] { a[n] = $1; z[n++] = $2; next } { ok = 0; for (i = 0; i < n; i++) if (a[i] <= $1 && $2 <= z[i]) ok = 1; if (!ok) print }' "$TMP/both" "$TMP/real")
[ -z "$hidden" ] || fail "mapped, neither known nor unknown: $(head -n 5 <<<"$hidden")"
equal "bytes that only events, or only the maps, have" "$(events end '.mappings | "\(.bytes_only_here) \(.bytes_only_there)"')" "0 0"
finish "$CALLS calls, $reordered unmappings after what they made room for; $(lost) lost on purpose"
