#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A heap of spans that are nearly empty: all of the runtime's variables are found though its objects are
# a small part of its spans, with symbols and without; the goal and the free slots are its own figures.
. "$(dirname "$0")/lib.sh"
need_root
need_go
need_tool jq strip

said=
strip -o "$TMP/shapes-stripped" "$T/shapes" || die "strip fails"
for exe in "$T/shapes" "$TMP/shapes-stripped"; do
	name=$(basename "$exe")
	start_program "$exe" sparse 2600000
	read -r -t 120 line <&"$TRUTH_FD" || die "$name says nothing"
	printf '%s\n' "$line" >"$TMP/truth"
	freeze "$TPID"
	RSSCOPE_CACHE_DIR=$TMP report "$TPID"
	equal "$name: variables that are not found" "$(q '[.missing[] | select(.reason | startswith("not found"))] | length')" 0
	equal "$name: goal" "$(q '.go.metrics["/gc/heap/goal:bytes"]')" "$(truth .next_gc)"
	unused=$(truth '.heap_inuse - .heap_alloc')
	between "$name: unused" $((unused - 256 * 1024)) "$(q '.ledger[] | select(.category == "go/heap/unused") | .virtual')" $((unused + 256 * 1024))
	said="$said $name: $unused bytes in free slots;"
	thaw "$TPID"
	stop "$TPID"
done
finish "$said"
