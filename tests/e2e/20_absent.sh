#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Looking changes nothing: RSS, page tables, swap and faults of a stopped target with untouched and
# PROT_NONE regions are the same before and after.
. "$(dirname "$0")/lib.sh"
need_root
need_tool jq

look() { # NAME
	local before huge i
	freeze "$TPID"
	for ((i = 0; i < 5; i++)); do
		before=$(vm_state "$TPID") huge=$(rollup "$TPID" AnonHugePages)
		report "$TPID"
		rs report --pid "$TPID"
		equal "$1: exit of the text report" $RC 0
		rs capture --pid "$TPID" -o "$TMP/capture"
		equal "$1: exit of capture" $RC 0
		rm -f "$TMP/capture"
		# khugepaged makes huge pages of frozen processes' pages too: not our doing.
		[ "$(rollup "$TPID" AnonHugePages)" = "$huge" ] || continue
		equal "$1" "$(vm_state "$TPID")" "$before"
	done
	thaw "$TPID"
}

start absent "$TMP/absent.dat"
look absent
# The touched part of what became PROT_NONE is resident, and accounted.
between "absent: native/mmap" $((8 * MIB)) "$(resident native/mmap)" $((8 * MIB + 4 * PAGE))
equal "absent: sum" "$(ledger_sum)" "$(rollup "$TPID" Rss)"
stop "$TPID"
if [ -x "$T/fixture-pure" ]; then
	for name in fixture-pure-stripped fixture-cgo fixture-pie; do
		start $name
		look $name
		stop "$TPID"
	done
	start_prometheus
	look prometheus
fi
finish
