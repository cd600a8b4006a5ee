#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Growth by who asked for it: two runs of a program whose callers are known, the second of which maps
# three times as much from one function, and some from a goroutine.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/watch.sh"
need_probes
need_go
need_tool jq

one() { # FILE COMMAND…: a run that does these, then stands still for some ledgers
	local f=$1
	shift
	(printf '%s\n' "$@" && sleep 1) | "$RSSCOPE" run --json -o "$f" -- "$T/origins" >/dev/null 2>"$TMP/err"
	RC=$?
	[ $RC = 0 ] || [ $RC = 5 ] || fail "run exits $RC: $(cat "$TMP/err")"
	[ -n "$(jq -r '.reports[0].origins[0].category' "$f")" ] || fail "no origins in $f"
}
of() { jq -r "[.origins[] | select(.stack[.caller].func == \"$1\")] | $2" "$TMP/out"; } # FUNC FILTER
one "$TMP/a.json" mmap touch
one "$TMP/b.json" mmap mmap mmap goroutine touch
rs diff "$TMP/a.json" "$TMP/b.json" --json
[ $RC = 0 ] || [ $RC = 5 ] || fail "diff exits $RC: $(cat "$TMP/err")"
equal "stacks through main.mapAnon" "$(of main.mapAnon length)" 2
equal "growth of the function's own" "$(of main.mapAnon 'map(select(.resident.a > 0))[0] | "\(.resident.delta) \(.bytes.delta) \(.count.b)"')" "$((6 * MIB)) $((6 * MIB)) 3"
equal "of the goroutine" "$(of main.mapAnon 'map(select(.resident.a == 0))[0] | "\(.resident.delta) \(.count.a) \(.count.b)"')" "$((9 * MIB)) 0 1"
equal "notes" "$(jq -r '[.notes[] | select(.id == "origins")] | length' "$TMP/out")" 0
equal "the way back" "$("$RSSCOPE" diff "$TMP/b.json" "$TMP/a.json" --json | jq -c '[.origins[].resident.delta] | map(0 - .)')" "$(jq -c '[.origins[].resident.delta]' "$TMP/out")"
rs diff "$TMP/a.json" "$TMP/b.json"
tr -s ' \n' ' ' <"$TMP/out" | LC_ALL=C grep -qE 'origin main.mapAnon main.go:[0-9]+ [^ ]+ main.main.func1: \+9.0 MiB of \+9.0 MiB mapped, main.mapAnon main.go:[0-9]+ [^ ]+ main.main: \+6.0 MiB of \+6.0 MiB' || fail "not in text: $(grep -A2 '^origin' "$TMP/out")"
finish "growth by stack, to the byte"
