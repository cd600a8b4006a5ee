#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A report from an ELF core that the kernel wrote: the runtime's books are the program's own.
. "$(dirname "$0")/lib.sh"
need_go
need_tool jq
[ "$(cat /proc/sys/kernel/core_pattern)" = core ] || skip no-core "kernel.core_pattern is not 'core'"

for name in fixture-pure-stripped fixture-cgo; do
	mkdir "$TMP/$name"
	mkfifo "$TMP/$name/in"
	# shellcheck disable=SC2034 # held open, not used
	exec {HOLD}<>"$TMP/$name/in" # keeps its stdin open
	(
		cd "$TMP/$name" || exit 1
		ulimit -c unlimited
		exec env GOTRACEBACK=crash "$T/$name" >truth <in
	) 2>/dev/null &
	p=$!
	CHILDREN+=("$p")
	for ((i = 0; i < 300; i++)); do
		[ -s "$TMP/$name/truth" ] && break
		sleep 0.1
	done
	kill -ABRT $p
	wait $p 2>/dev/null
	core=$(find "$TMP/$name" -name 'core*' | head -n 1)
	[ -n "$core" ] || {
		fail "$name: no core"
		continue
	}
	head -n 1 "$TMP/$name/truth" >"$TMP/truth"
	rs report "$core" --json
	[[ $RC =~ ^[05]$ ]] || fail "$name: exit $RC: $(cat "$TMP/err")"
	cp "$TMP/out" "$TMP/report.json"
	for m in objects unused stacks; do
		# The signal's handler ran in between: what it took is a little.
		want=$(truth ".metrics[\"/memory/classes/heap/$m:bytes\"]")
		between "$name: heap/$m" $((want - MIB)) "$(q ".go.metrics[\"/memory/classes/heap/$m:bytes\"]")" $((want + MIB))
	done
	equal "$name: sum" "$(ledger_sum)" "$(q .rss.scanned)"
	# Cut short, as full disks do.
	size=$(stat -c %s "$core")
	for n in 64 1000 $((size / 10)) $((size / 2)) $((size - 4096)); do
		truncate -s "$n" "$core"
		rs report "$core"
		[[ $RC =~ ^[015]$ ]] || fail "$name: core cut at $n: exit $RC"
		truncate -s "$size" "$core"
	done
done
finish
