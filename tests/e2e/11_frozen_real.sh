#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The same for stripped programs from Debian's packages, at work between the rounds, and the demo.
. "$(dirname "$0")/lib.sh"
need_root
need_go
need_tool jq unshare nsenter curl ip
rounds=${ROUNDS:-200}
said=

rounds_of() { # NAME
	local i rss limit scanned sum u worst=0 good=0
	for ((i = 0; i < rounds; i++)); do
		freeze "$TPID"
		frozen_report "$TPID" || continue
		rss=$FROZEN_RSS
		thaw "$TPID"
		# One jq for all: the round is short that way.
		read -r scanned sum u < <(q '"\(.rss.scanned) \([.ledger[].resident] | add) \(.unexplained)"')
		equal "$1 round $i: scanned" "$scanned" "$rss"
		equal "$1 round $i: sum" "$sum" "$rss"
		limit=$((rss / 200 > 2 * PAGE ? rss / 200 : 2 * PAGE))
		[ "$1" = demo ] && limit=$((limit + 12 * MIB)) # its anonymous mapping has no origin yet
		between "$1 round $i: unexplained" 0 "$u" $limit
		[ "$u" -gt "$worst" ] && worst=$u
		[ "$scanned" = "$rss" ] && [ "$sum" = "$rss" ] && good=$((good + 1))
	done
	ledger_sane
	said="$said$1 $good/$rounds (unexplained ≤ $worst of $rss B) "
	echo "$said"
}

each_package rounds_of
start demo "$TMP/demo.dat"
rounds_of demo
finish "$said"
