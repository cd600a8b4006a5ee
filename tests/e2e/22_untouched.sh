#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Bitmaps that nobody has touched read as zeros: of objects that a cycle has marked inside their spans,
# and that are not swept, it is known that they are live; all are as many bytes as the program says
# itself. Nothing is made resident by that.
. "$(dirname "$0")/lib.sh"
need_root
need_go
need_tool jq

objects() { # the heap's objects, resident or not
	q '[.ledger[] | select(.category == "go/heap/live" or .category == "go/heap/new-or-dead") | .virtual] | add // 0' "$@"
}
said=
for n in 1000 200000; do
	GODEBUG=asyncpreemptoff=1 start shapes unswept $n
	freeze "$TPID"
	before=$(vm_state "$TPID")
	report "$TPID"
	rs capture --pid "$TPID" -o "$TMP/capture"
	equal "unswept $n: what looking changed" "$(vm_state "$TPID")" "$before"
	own=$(truth .heap_alloc)
	# It allocates a little more when it says so; the garbage among them may be swept meanwhile.
	between "unswept $n: objects" $((256 * n)) "$(objects)" $((own + 64 * 1024))
	equal "unswept $n: objects neither live nor dead" "$(q '[.ledger[] | select(.category == "go/heap/objects")] | length')" 0
	equal "unswept $n: bitmaps that could not be read" "$(q '[.missing[] | select(.path | startswith("ledger[go/heap"))] | length')" 0
	between "unswept $n: live" $((256 * n)) "$(resident go/heap/live)" "$(objects)"
	equal "unswept $n: sum" "$(ledger_sum)" "$(rollup "$TPID" Rss)"
	rs report --json "$TMP/capture"
	cp "$TMP/out" "$TMP/replayed.json"
	equal "unswept $n: objects in its capture" "$(objects "$TMP/replayed.json")" "$(objects)"
	said="$said $n: $(objects) bytes;"
	thaw "$TPID"
	stop "$TPID"
done
finish "$said"
