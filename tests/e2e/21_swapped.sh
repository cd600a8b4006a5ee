#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The same with all anonymous memory of the target swapped out, the runtime's own structures too:
# nothing comes back in, the ledger balances, and what could not be read is named.
. "$(dirname "$0")/lib.sh"
need_root
need_tool jq mkswap swapon

swap_file() {
	local f=$OUTPUT/e2e/swap.$$
	mkdir -p "$OUTPUT/e2e"
	[ "$(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo)" -gt 500000 ] || skip no-swap "too little memory to try"
	UNDO+=("rm -f '$f'")
	head -c $((256 * MIB)) /dev/zero >"$f" && chmod 600 "$f" && mkswap "$f" >/dev/null || skip no-swap "no swap file"
	if swapon "$f" 2>"$TMP/err"; then
		UNDO+=("swapoff '$f'")
	else
		local dev
		dev=$(losetup --find --show "$f" 2>>"$TMP/err") || skip no-swap "$(tail -n 1 "$TMP/err")"
		UNDO+=("losetup -d '$dev'")
		swapon "$dev" 2>>"$TMP/err" || skip no-swap "$(tail -n 1 "$TMP/err")"
		UNDO+=("swapoff '$dev'")
	fi
}
look() { # NAME
	local before rss
	freeze "$TPID"
	"$T/pageout" "$TPID"
	equal "$1: exit of pageout" $? 0
	[ "$(status_bytes "$TPID" VmSwap)" -gt $((2 * MIB)) ] || fail "$1: pageout swapped nothing out"
	before=$(vm_state "$TPID")
	report "$TPID"
	rs report --pid "$TPID"
	rs capture --pid "$TPID" -o "$TMP/capture"
	equal "$1" "$(vm_state "$TPID")" "$before"
	rss=$(rollup "$TPID" Rss)
	equal "$1: sum" "$(ledger_sum)" "$rss"
	equal "$1: scanned" "$(q .rss.scanned)" "$rss"
	equal "$1: swapped" "$(q '[.ledger[].swap // 0] | add')" "$(rollup "$TPID" Swap)"
	echo "$1: $(q '"exit '$RC', \(.missing | length) missing, unexplained \(.unexplained)"')"
	thaw "$TPID"
}

swap_file
start absent "$TMP/absent.dat"
look absent
stop "$TPID"
if [ -x "$T/fixture-pure" ]; then
	for name in fixture-pure-stripped fixture-cgo; do
		start $name
		look $name
		stop "$TPID"
	done
fi
finish
