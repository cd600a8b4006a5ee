#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# (How calls that overlap are put in order is the unit test's: how many do depends on the machine.)
# Eight threads that map, unmap, move, map over, protect and attach, reusing each other's addresses at
# once: what was mapped at the start and the events give what is mapped at the end, page by page, with
# its protection. What comes without a call that is watched is what doc/watching.md says, no more.
# With a ring that is too small what was lost is counted, and what it may have touched is unknown, not wrong.
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
# The same with protections, as "START END rwxp", pages that differ in nothing merged.
protected() { while read -r a z p; do echo "$((a / 4096)) $((z / 4096)) $p"; done | sort -n |
	awk 'NR > 1 && $1 == z && $3 == p { z = $2; next } NR > 1 { print a, z, p } { a = $1; z = $2; p = $3 } END { print a, z, p }'; }
real_protected() { grep -v vsyscall "/proc/$TPID/maps" | sed -E 's/^([0-9a-f]+)-([0-9a-f]+) (....) .*/0x\1 0x\2 \3/' | protected; }
live_protected() { jq -r 'select(.type == "mapping") | "\(.start) \(.end) \(.prot)"' "$WOUT" | protected; }
storm() { # RING…
	start storm 8 "$CALLS" $OPTION
	watch "$TPID" --json --live --no-report --events mappings "$@"
	ask go
	[ -n "$UNSEEN" ] && ask more
	cp "/proc/$TPID/maps" "$TMP/maps"
	real_maps >"$TMP/real"
	real_protected >"$TMP/real.prot"
	kill -INT "$WPID"
	watched
	equal "exit of watch" $RC 0
	# jq is slow on the hundred megabytes of the rest
	grep -E '^\{"type":"(mapping|end)"' "$WOUT" >"$TMP/short"
	rm "$WOUT"
	WOUT=$TMP/short
}

OPTION='' UNSEEN=''
storm --ring $((1 << 30))
equal "lost" "$(lost)" 0
between "calls" $((CALLS * 9 / 10)) "$(events end ".mappings.calls + .failed_calls")" $((CALLS * 12 / 10))
live_maps >"$TMP/live"
cmp -s "$TMP/live" "$TMP/real" || fail "what is mapped differs: $(diff "$TMP/live" "$TMP/real" | head -n 6)"
live_protected >"$TMP/live.prot"
# "?": calls at the same time may have changed it; what is said to be known is right
inside() { awk 'BEGIN { n = 0 } FILENAME == ARGV[1] { a[n] = $1; z[n] = $2; p[n++] = $3; next } { ok = 0; for (i = 0; i < n; i++) if (a[i] <= $1 && $2 <= z[i] && p[i] == $3) ok = 1; if (!ok) print }' "$1" "$2"; }
wrong=$(inside "$TMP/real.prot" <(grep -v '?' "$TMP/live.prot"))
[ -z "$wrong" ] || fail "protections differ: $(head -n 6 <<<"$wrong")"
between "ranges whose protection is open" 0 "$(grep -c '?' "$TMP/live.prot")" $(($(wc -l <"$TMP/live.prot") / 8))
equal "bytes with another protection" "$(events end '.mappings.bytes_protection_differs')" 0
[ "$(grep -c shm <(events end '.events | keys[]'))" = 2 ] && [ "$(events end .events.shmdt)" -gt 100 ] || fail "$(events end .events.shmdt) segments were detached"
equal "ambiguous" "$(events end .mappings.ambiguous)" 0
equal "bytes that only events, or only the maps, have" "$(events end '.mappings | "\(.bytes_only_here) \(.bytes_only_there) \(.bytes_unknown) \(.bytes_stack_grown) \(.bytes_kernel_made)"')" "0 0 0 0 0"
equal "unmappings that never came" "$(events end .mappings.unmapping_unseen)" 0
reordered=$(events end .mappings.reordered)
seen=$(jq -r 'select(.type == "mapping" and .origin == "seen") | .start' "$WOUT" | wc -l)
[ "$seen" -gt 10 ] || fail "only $seen live mappings with an origin"
stop "$TPID"

# Mappings without a call: the list in doc/watching.md, and nothing else.
CALLS=1000 UNSEEN=1
storm --ring $((1 << 26))
live_maps >"$TMP/live"
# of what is mapped, the lines of maps that no event tells all of
kinds=$(while read -r line; do
	read -r bounds _ _ _ _ name <<<"$line"
	a=$((0x${bounds%-*} / 4096)) z=$((0x${bounds#*-} / 4096))
	awk -v a=$a -v z=$z '$1 <= a && z <= $2 { ok = 1 } END { exit !ok }' "$TMP/live" || echo "${name:-anonymous}"
done < <(grep -v vsyscall "$TMP/maps") | sort | tr '\n' ';')
equal "what came without a call" "$kinds" "/[aio] (deleted);[stack];anonymous;"
between "grown" $((900 * 1024)) "$(events end .mappings.bytes_stack_grown)" $((1200 * 1024))
equal "made by the kernel" "$(events end .mappings.bytes_kernel_made)" $(($(sed -nE 's,^([0-9a-f]+)-([0-9a-f]+) .*\[aio\].*,0x\2 - 0x\1,p' "$TMP/maps")))
equal "anything else" "$(events end '.mappings | "\(.bytes_only_here) \(.bytes_only_there) \(.bytes_unknown)"')" "0 0 0"
stop "$TPID"

# A small ring: what is not called unknown is right. (Without segments: the size of a lost one is not
# known, so that all would be unknown.)
CALLS=$((100000 * ${RUNS:-1})) UNSEEN='' OPTION=noshm
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
