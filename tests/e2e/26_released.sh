#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Why memory that the Go runtime gave back is resident: lazily freed, as smaps' LazyFree counts it, in
# huge pages, or otherwise; also of a capture, and for nobody, who does not see page frames.
. "$(dirname "$0")/lib.sh"
need_root
need_go
need_tool jq setpriv
row() { q "[.ledger[] | select(.category == \"go/heap/released\") | .rows[] | select(.name == \"$1\") | .$2] | add // 0" "${3:-$TMP/report.json}"; }
begin() { # [PREFIX…] SHAPE N
	start_program "$@"
	read -r -t 120 _ <&"$TRUTH_FD" || die "shapes says nothing: $(cat "$TMP"/target.*.err)"
	freeze "$TPID"
}
sums() { # WHAT [FILE]: the rows make the category
	local all
	all=$(resident go/heap/released "${2:-$TMP/report.json}")
	equal "$1: sum of the rows" "$(q '[.ledger[] | select(.category == "go/heap/released") | .rows[].resident] | add' "${2:-$TMP/report.json}")" "$all"
	equal "$1: sum of the rows, huge" "$(q '.ledger[] | select(.category == "go/heap/released") | .huge - ([.rows[].huge] | add)' "${2:-$TMP/report.json}")" 0
}
install -m 755 "$T/shapes" "$RSSCOPE" "$TMP/" && chmod 755 "$TMP"

# ---- lazily freed: few pages are looked at one by one, many by mapping
for mib in 12 64; do
	GODEBUG=madvdontneed=0 begin "$T/shapes" released $mib
	frozen_report "$TPID"
	lazy=$(row "lazily freed" resident) want=$(rollup "$TPID" LazyFree)
	equal "$mib MiB: sum" "$(ledger_sum)" "$FROZEN_RSS"
	sums "$mib MiB"
	# what was allocated again and not touched yet is lazily freed, too, but no longer released
	between "$mib MiB: lazily freed against LazyFree" $((want - 512 * 1024)) "$lazy" "$want"
	[ "$lazy" -gt $((mib * MIB * 3 / 4)) ] || fail "no more than $lazy of $mib MiB are lazily freed"
	equal "$mib MiB: method" "$(q '.ledger[] | select(.category == "go/heap/released") | .method')" \
		"$([ $mib = 12 ] && echo measured || echo estimated)"
	q .verdict | grep -qE "lazily freed|given back by the Go runtime with MADV_FREE" || fail "the verdict does not say it: $(q .verdict)"
	rs capture "$TPID" -o "$TMP/c.rsscap"
	rs report "$TMP/c.rsscap" --json
	# what madvise has marked waits in a batch of 31 pages on each CPU until it counts (mm/swap.c)
	between "$mib MiB: lazily freed, of a capture" "$lazy" "$(row "lazily freed" resident "$TMP/out")" $((lazy + $(nproc) * 31 * PAGE))
	sums "of a capture" "$TMP/out"
	stop "$TPID"
done

# ---- nobody sees no frames
nobody="setpriv --reuid 65534 --regid 65534 --clear-groups"
# shellcheck disable=SC2086 # words
GODEBUG=madvdontneed=0 begin $nobody "$TMP/shapes" released 12
# shellcheck disable=SC2086 # words
$nobody "$TMP/rsscope" report "$TPID" --json >"$TMP/report.json" 2>"$TMP/err"
want=$(rollup "$TPID" LazyFree)
sums nobody
between "nobody: lazily freed against LazyFree" $((want - 512 * 1024)) "$(row "lazily freed" resident)" "$want"
equal "nobody: method" "$(q '.ledger[] | select(.category == "go/heap/released") | .method')" estimated
stop "$TPID"

# ---- huge pages and others
begin "$T/shapes" collapsed 64
frozen_report "$TPID"
equal "collapsed: sum" "$(ledger_sum)" "$FROZEN_RSS"
sums collapsed
equal "collapsed: lazily freed" "$(row "lazily freed" resident)" "$(rollup "$TPID" LazyFree)"
equal "collapsed: huge pages" "$(row "huge pages" resident)" "$(row "huge pages" huge)"
huge=$(rollup "$TPID" AnonHugePages)
if [ "$huge" -gt 0 ]; then
	between "collapsed: huge pages against AnonHugePages" $((huge - 4 * MIB)) "$(row "huge pages" resident)" "$huge"
fi
# a page in 16 of the other half at least
[ "$(row other resident)" -ge $((MIB * 3 / 2)) ] || fail "collapsed: $(row other resident) bytes otherwise"
equal "collapsed: what is written counts" "$(row "returned to the kernel" resident)" 0
stop "$TPID"

# ---- hardly anything: it is not asked why
begin "$T/shapes" released 8
frozen_report "$TPID"
sums little
equal "little: lazily freed" "$(q '[.ledger[] | select(.category == "go/heap/released") | .rows[] | select(.name == "lazily freed" or .name == "other")] | length')" 0
stop "$TPID"
finish "$lazy bytes lazily freed, $huge in huge pages"
