#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# At work, the sum still equals what was scanned, and that lies in [min − churn, max + churn] of the
# RSS read before and after. How often it lies between the two themselves is printed.
. "$(dirname "$0")/lib.sh"
need_root
need_go
need_tool jq unshare nsenter curl ip
rounds=${ROUNDS:-200}
said=

rounds_of() { # NAME
	local i sum=0 inside=0 plain=0 before after scanned churn total low high
	for ((i = 0; i < rounds; i++)); do
		report "$TPID" || continue
		read -r before after scanned churn total < <(q '"\(.rss.before) \(.rss.after) \(.rss.scanned) \(.rss.churn // 0) \([.ledger[].resident] | add)"')
		equal "$1 round $i: sum" "$total" "$scanned"
		low=$((before < after ? before : after)) high=$((before > after ? before : after))
		between "$1 round $i: scanned (RSS $before, $after)" $((low - churn)) "$scanned" $((high + churn))
		[ "$total" = "$scanned" ] && sum=$((sum + 1))
		[ "$scanned" -ge $((low - churn)) ] && [ "$scanned" -le $((high + churn)) ] && inside=$((inside + 1))
		[ "$scanned" -ge "$low" ] && [ "$scanned" -le "$high" ] && plain=$((plain + 1))
	done
	said="$said$1 $sum/$rounds balance, $inside with churn, $plain in the plain bracket; "
	echo "$said"
}

each_package rounds_of
start churn -release 50ms
rounds_of churn
finish "$said"
