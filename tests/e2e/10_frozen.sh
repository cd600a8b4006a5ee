#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Frozen, the ledger's leaves sum to what was scanned and to smaps_rollup's Rss, to the byte: every
# build of the fixture, more memory and another shape in each round.
. "$(dirname "$0")/lib.sh"
need_root
need_go
need_tool jq
rounds=${ROUNDS:-6}
total=0

for exe in "$T"/fixture-*; do
	name=$(basename "$exe")
	[ "$name" = fixture-386 ] && continue
	start "$name" -path "$TMP/file.$name"
	for ((i = 0; i < rounds; i++)); do
		case $((i % 6)) in
		1) ask "garbage 8" ;;
		2) ask "maps 60" ;;
		3) ask gc ;;
		4) ask "alloc 5" ;;
		5) ask touch ;;
		esac
		freeze "$TPID"
		frozen_report "$TPID" || continue
		before=$FROZEN_RSS
		equal "$name round $i: scanned" "$(q .rss.scanned)" "$before"
		equal "$name round $i: sum of the ledger" "$(ledger_sum)" "$before"
		equal "$name round $i: churn" "$(q '.rss.churn // 0')" 0
		equal "$name round $i: uncertainty" "$(q '[.ledger[].uncertainty // 0] | add')" 0
		limit=$((before / 200 > 2 * PAGE ? before / 200 : 2 * PAGE))
		anon=$(truth '[.anon[].len] | add')
		# What it mapped itself has no origin yet: that much is unexplained, and nothing else.
		between "$name round $i: unexplained" "$anon" "$(q .unexplained)" $((anon + limit))
		ledger_sane
		total=$((total + 1))
		thaw "$TPID"
	done
	stop "$TPID"
done
finish "$total of $total balance"
