#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# replay.sh PROGRAM PERTURB: what a report says of each capture of tests/captures/go-matrix, without
# root, against what the captured program said of itself; the ledger's sum; the table of doc/go-books.md;
# how it was built; and each with layouts that are wrong in one place, or another release's (perturb.c).
set -u
program=$1 perturb=$2
cd "$(dirname "$0")/../.." || exit 2
for t in jq xz; do
	command -v $t >/dev/null && continue
	echo "SKIP no-tool: $t is not installed (sh tests/deps.sh test)"
	echo "0 passed, 0 failed, 1 skipped"
	exit 0
done
dir=$(mktemp -d) || exit 2
trap 'rm -rf "$dir"' EXIT

# Says what is wrong with one capture, DIR/CELL.rsc, and nothing else.
replay() { # DIR CELL
	local capture=$1/$2.rsc report=$1/$2.report truth=$1/$2.truth said equal
	jq --arg cell "$2" 'select(.cell == $cell)' "$1/truths" >"$truth"
	"$program" report "$capture" --json >"$report" 2>"$1/$2.err" || echo "exit $?: $(cat "$1/$2.err")"
	said=$(jq -rs '{before: .[0].metrics, report: .[1].reports[0], after: .[0].metrics}' "$truth" "$report" |
		jq -rf tests/go-matrix/compare.jq)
	equal=$(grep -c '^equal$' <<<"$said")
	[ "$equal" -ge 20 ] || echo "only $equal figures are equal"
	grep -v '^equal$' <<<"$said" | head -n 4
	jq -r --slurpfile t "$truth" '.reports[0] | .rss.scanned as $rss
		| if ([.ledger[].resident] | add) != $rss then "the ledger is not the sum" else empty end,
		  if .rss.before != $rss then "RSS \(.rss.before), scanned \($rss)" else empty end,
		  if .unexplained > ([$rss / 1000, 2 * 4096] | max) then "\(.unexplained) B unexplained" else empty end,
		  ($t[0] | {version: .go, cgo: (.cell | startswith("cgo")), pie: (.cell | endswith("-pie")), stripped: (.cell | test("-"))}) as $want
		  | (.target | {version: .go_version, cgo, pie, stripped}) as $is
		  | if $want != $is then "\($is | tojson), want \($want | tojson)" else empty end' "$report"
	jq -r --arg doc "$(cat doc/go-books.md)" -f tests/go-matrix/books.jq "$report" 2>&1 | sed 's/^/doc\/go-books.md: /'
	"$perturb" "$capture" >"$1/$2.out" 2>&1 || head -n 4 "$1/$2.out" | sed 's/^/wrong layouts: /'
}
release() { # ARCHIVE RELEASE: its cells, one after the other
	local d=$dir/$2 cell
	mkdir "$d" && xz -dc "$1" | tar -C "$d" -xf - && cp "${1%.tar.xz}.json" "$d/truths" || echo "not unpacked" >"$d/all.said"
	for cell in $(jq -r .cell "$d/truths"); do
		replay "$d" "$cell" >"$d/$cell.said" 2>&1
		rm -f "$d/$cell.rsc"
	done
}
passed=0 failed=0
for archive in tests/captures/go-matrix/*.tar.xz; do
	release "$archive" "$(basename "$archive" .tar.xz)" &
	[ "$(jobs -rp | wc -l)" -lt "$(nproc)" ] || wait -n
done
wait
for said in "$dir"/*/*.said; do
	name=${said#"$dir"/}
	[ -s "$said" ] && sed "s|^|FAIL ${name%.said}: |" "$said" && failed=$((failed + 1)) || passed=$((passed + 1))
done
echo "$passed passed, $failed failed, 0 skipped"
[ $failed = 0 ] && [ $passed != 0 ]
