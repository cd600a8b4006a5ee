#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Heap and goroutine profiles from an ELF core that the kernel wrote are those that were taken of the process before.
. "$(dirname "$0")/lib.sh"
need_root
need_go
need_tool jq
[ "$(cat /proc/sys/kernel/core_pattern)" = core ] || skip no-core "kernel.core_pattern is not 'core'"
for name in profiled profiled-pie; do
	mkdir "$TMP/$name"
	mkfifo "$TMP/$name/in"
	# shellcheck disable=SC2034 # held open, not used
	exec {HOLD}<>"$TMP/$name/in"
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
	for t in heap allocs dead goroutine threadcreate; do
		"$RSSCOPE" profile "$p" --type $t --json | grep -v '^  "time": ' >"$TMP/$name.$t.live"
		between "$name: samples of $t" "$([ $t = threadcreate ] && echo 1 || echo 10)" "$(jq '.samples | length' "$TMP/$name.$t.live")" 100000
	done
	kill -ABRT $p
	wait $p 2>/dev/null
	core=$(find "$TMP/$name" -name 'core*' | head -n 1)
	[ -n "$core" ] || {
		fail "$name: no core"
		continue
	}
	for t in heap allocs dead goroutine threadcreate; do
		"$RSSCOPE" profile "$core" --type $t --json >"$TMP/full" 2>"$TMP/err" || fail "$name: profile $t of the core exits $?: $(cat "$TMP/err")"
		equal "$name: a time, which a core does not tell" "$(jq 'has("time")' "$TMP/full")" false
		# A core has no clock: how long they have waited is not told, and that is said.
		equal "$name: notes on the clock in $t" "$(jq -c '[.notes[] | select(startswith("waiting times of goroutines are unknown"))] | length' "$TMP/full")" \
			"$([ $t = goroutine ] && echo 1 || echo 0)"
		jq 'del(.notes[] | select(startswith("waiting times of goroutines are unknown")))' "$TMP/full" >"$TMP/core.json"
		diff <(jq . "$TMP/$name.$t.live") "$TMP/core.json" >"$TMP/diff" || fail "$name: $t differs (> core): $(head -n 8 "$TMP/diff")"
	done
	# Cut short, as full disks do: what is there, or why not.
	size=$(stat -c %s "$core")
	for n in 64 $((size / 10)) $((size / 2)) $((size - 4096)); do
		truncate -s "$n" "$core"
		for t in heap goroutine; do
			rs profile "$core" --type $t
			[[ $RC =~ ^[01]$ ]] || fail "$name: core cut at $n: exit $RC"
			[ $RC = 0 ] || [ -s "$TMP/err" ] || fail "$name: core cut at $n: no word"
		done
		truncate -s "$size" "$core"
	done
done
finish
