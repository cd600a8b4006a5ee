#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# replay.sh PROGRAM PERTURB: what a report says of each capture of tests/captures/go-matrix, without
# root, against what the captured program said of itself; the ledger's sum; the table of doc/go-books.md; and each with layouts that
# are wrong in one place, or another release's (perturb.c).
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
passed=0 failed=0
wrong() {
	echo "FAIL $name: $*"
	bad=1
}
for capture in tests/captures/go-matrix/*.rsc.xz; do
	name=$(basename "$capture" .rsc.xz) bad=0
	truth=tests/captures/go-matrix/$name.json
	xz -dc "$capture" >"$dir/look.rsc"
	"$program" report "$dir/look.rsc" --json >"$dir/report" 2>"$dir/err" || wrong "exit $?: $(cat "$dir/err")"
	jq -rs '{before: .[0].metrics, report: .[1].reports[0], after: .[0].metrics}' "$truth" "$dir/report" |
		jq -rf tests/go-matrix/compare.jq | sort | uniq -c >"$dir/out"
	equal=$(awk '$2 == "equal" { print $1 }' "$dir/out")
	[ "${equal:-0}" -ge 20 ] || wrong "only ${equal:-0} figures are equal"
	said=$(grep -v '^ *[0-9]* equal$' "$dir/out" | head -n 4 | tr '\n' ';')
	[ -z "$said" ] || wrong "$said"
	said=$(jq -r --slurpfile t "$truth" '.reports[0] | (.rss.scanned) as $rss
		| [if ([.ledger[].resident] | add) != $rss then "the ledger is not the sum" else empty end,
		   if .rss.before != $rss then "RSS \(.rss.before), scanned \($rss)" else empty end,
		   if .unexplained > ([$rss / 1000, 2 * 4096] | max) then "\(.unexplained) B unexplained" else empty end,
		   if .target.go_version != $t[0].go then "version \(.target.go_version)" else empty end]
		| join(", ")' "$dir/report")
	[ -z "$said" ] || wrong "$said"
	said=$(jq -r --arg doc "$(cat doc/go-books.md)" -f tests/go-matrix/books.jq "$dir/report" 2>&1)
	[ -z "$said" ] || wrong "doc/go-books.md: $said"
	"$perturb" "$dir/look.rsc" >"$dir/out" 2>&1 || wrong "wrong layouts: $(head -n 4 "$dir/out" | tr '\n' ';')"
	[ $bad = 0 ] && passed=$((passed + 1)) || failed=$((failed + 1))
done
echo "$passed passed, $failed failed, 0 skipped"
[ $failed = 0 ] && [ $passed != 0 ]
