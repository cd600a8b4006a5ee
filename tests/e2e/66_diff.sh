#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# diff: exact between two frozen moments, whatever the two sides come from; and its exit codes.
. "$(dirname "$0")/lib.sh"
need_root
need_go
need_tool jq

d() { jq -r "$1" "$TMP/out"; } # FILTER of the diff's JSON
diff_json() { # A B [ARG…]: the diff in $TMP/out
	rs diff "$@" --json
	[ $RC = 0 ] || [ $RC = 5 ] || fail "diff $* exits $RC: $(head -c 300 "$TMP/err")"
}
grown() { d "[.categories[] | select(.category == \"$1\" or (.category | startswith(\"$1/\"))) | .delta] | add // 0"; } # CATEGORY
balanced() { # WHAT: what the categories say is what RSS says
	equal "sum of the deltas, $1" "$(d '[.categories[].delta] | add')" "$(d .growth.rss)"
	equal "delta of rss.scanned, $1" "$(d .rss.scanned.delta)" "$(d .growth.rss)"
	equal "explained and the remainder, $1" "$(d '.growth.explained + .growth.remainder')" "$(d .growth.rss)"
	equal "rows that do not add up to their category, $1" \
		"$(d '[.categories[] | select((.rows | length) > 0 and ([.rows[].delta] | add) != .delta) | .category] | join(" ")')" ""
}

start fixture-pure -heap 24 -mmap 6
first=$TPID
freeze "$first"
frozen_report "$first" || finish
cp "$TMP/report.json" "$TMP/a.json"
rss_a=$(rollup "$first" Rss)
rs capture "$first" -o "$TMP/a.rsscap"
equal "exit of capture" $RC 0

# One moment, looked at twice, from a file, from a capture, live: no difference.
for b in "$TMP/a.json" "$TMP/a.rsscap" "$first"; do
	diff_json "$TMP/a.json" "$b"
	equal "growth between looks at one moment" "$(d .growth.rss)" 0
	equal "categories that differ" "$(d '[.categories[] | select(.delta != 0)] | length')" 0
	equal "rows that differ" "$(d '[.categories[].rows[] | select(.delta != 0)] | length')" 0
	equal "metrics that differ" "$(d '[.metrics[] | select(.delta != 0)] | length')" 0
	equal "one process" "$(d .same_process)" true
	equal "notes" "$(d '[.notes[].id] | join(" ")')" ""
	balanced "one moment"
done

# 40 MiB of heap and 16 MiB mapped later.
thaw "$first"
ask "alloc 40"
ask "mmap 16"
freeze "$first"
frozen_report "$first" || finish
cp "$TMP/report.json" "$TMP/b.json"
rss_b=$(rollup "$first" Rss)
diff_json "$TMP/a.json" "$first"
balanced "later"
equal "growth against smaps_rollup" "$(d .growth.rss)" $((rss_b - rss_a))
between "growth of go/heap" $((39 * MIB)) "$(grown go/heap)" $((46 * MIB))
between "growth of native/mmap" $((16 * MIB)) "$(grown native/mmap)" $((16 * MIB + 65536))
between "explained, without mappings of unknown origin" $((39 * MIB)) "$(d .growth.explained)" $((48 * MIB))
between "the remainder" $((16 * MIB)) "$(d .growth.remainder)" $((16 * MIB + 65536))
equal "the largest change comes first" "$(d '[.categories[].delta | fabs] | . == (sort | reverse)')" true
between "allocated, by the runtime's own counter" $((40 * MIB)) \
	"$(d '.metrics[] | select(.name == "/gc/heap/allocs:bytes") | .delta')" $((48 * MIB))
# The other way round: the same with the signs turned.
cp "$TMP/out" "$TMP/there"
diff_json "$TMP/b.json" "$TMP/a.json"
equal "the opposite" "$(jq -r '[.categories[] | {(.category): (0 - .delta)}] | add | tojson' "$TMP/out" | jq -S .)" \
	"$(jq -r '[.categories[] | {(.category): .delta}] | add | tojson' "$TMP/there" | jq -S .)"
equal "that B is the earlier one is noted" "$(d '[.notes[].id] | join(" ")')" order
# From standard input; as text, on one screen.
rs diff - "$TMP/b.json" <"$TMP/a.json"
equal "exit of diff - B" $RC 0
between "lines of the text" 8 "$(wc -l <"$TMP/out")" 45
grep -q "go/heap" "$TMP/out" || fail "the text does not name go/heap: $(cat "$TMP/out")"
grep -q "process.*one: pid.$first" "$TMP/out" || fail "the text does not say that it is one process"

# Another process of the same program: said, and compared by names.
start fixture-pure -heap 24 -mmap 6
second=$TPID
freeze "$second"
diff_json "$TMP/a.json" "$second"
balanced "another process"
equal "one process" "$(d .same_process)" false
equal "notes of another process" "$(d '[.notes[].id] | join(" ")')" process
between "difference between twins" $((-4 * MIB)) "$(d .growth.rss)" $((4 * MIB))
diff_json "$first" "$second"
equal "two live processes" "$(d .same_process)" false

# A file with several reports: the one of the same process, or as told.
rs report "$first" "$second" --json
cp "$TMP/out" "$TMP/two.json"
diff_json "$TMP/two.json" "$second"
equal "the report that was picked" "$(d .a.target.pid)" "$second"
diff_json "$TMP/two.json" "$TMP/two.json" --of "$first"
equal "the report that was asked for" "$(d .a.target.pid)" "$first"
rs diff "$TMP/two.json" "$TMP/two.json"
equal "exit when it is not clear which report" $RC 2
grep -q -e --of "$TMP/err" || fail "the message does not name --of: $(cat "$TMP/err")"

# What is no report, and what is not there.
equal "schema of the schema" "$("$RSSCOPE" diff --json-schema | jq -r '.["$id"]')" rsscope.diff/1
echo '{"schema": "something/else"}' >"$TMP/other.json"
echo '{"schema": ' >"$TMP/torn.json"
jq '.reports[0].rss.scanned += 4096' "$TMP/a.json" >"$TMP/wrong.json"
for f in other torn wrong; do
	rs diff "$TMP/a.json" "$TMP/$f.json"
	equal "exit of a diff with $f.json" $RC 1
	grep -q "$f.json" "$TMP/err" || fail "the message does not name $f.json: $(cat "$TMP/err")"
	[ -s "$TMP/out" ] && fail "a diff with $f.json prints"
done
rs diff "$TMP/a.json" "$TMP"
equal "exit of a diff with a folder" $RC 1
rs diff "$TMP/a.json" "$TMP/nothing.json"
equal "exit of a diff with what is not there" $RC 3
rs diff "$TMP/a.json"
equal "exit of a diff with one side" $RC 2
jq '.reports[0].partial = true' "$TMP/a.json" >"$TMP/partial.json"
rs diff "$TMP/partial.json" "$TMP/b.json"
equal "exit of a diff with a partial report" $RC 5
stop "$second"
rs diff "$TMP/a.json" "$second"
equal "exit of a diff with a process that is gone" $RC 3
finish
