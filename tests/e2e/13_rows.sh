#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Each row against what made it: a fixture with all of its heap and its executable touched, frozen.
# Witnesses: its own runtime/metrics, its own sizes, mallinfo2, and smaps for the executable.
. "$(dirname "$0")/lib.sh"
need_root
need_go
need_tool jq readelf

# mawk has no strtonum.
HEX='function hex(s, i, v) {
	sub(/^0x/, "", s)
	for (i = 1; i <= length(s); i++)
		v = v * 16 + index("0123456789abcdef", substr(s, i, 1)) - 1
	return v + 0
}'
exe_rss() { # PERMS: resident bytes of the executable's mappings with these permissions
	awk -v exe="$(readlink "/proc/$TPID/exe")" -v perms="$1" '
		/^[0-9a-f]+-[0-9a-f]+ / {
			split($1, a, "-")
			bss = $6 == "" && a[1] == end && last
			mine = $6 == exe || bss
			last = mine
			end = a[2]
			hit = mine && $2 ~ perms
		}
		/^Rss:/ && hit { sum += $2 * 1024 }
		END { printf "%.0f\n", sum }' "$TMP/smaps"
}
# Data that the loader has made read-only after relocating it is still data.
relro() { # ELF: bytes
	readelf -lW "$1" | awk -v page="$PAGE" "$HEX"'
		$1 == "GNU_RELRO" {
			start = hex($3)
			end = start + hex($6)
			print int(end / page) * page - int(start / page) * page
			found = 1
		}
		END { if (!found) print 0 }'
}
heap_rss() { # resident bytes of the heap's address space
	awk -v start="$(truth .touched.start)" -v end="$(truth .touched.end)" "$HEX"'
		BEGIN { start = hex(start); end = hex(end) }
		/^[0-9a-f]+-[0-9a-f]+ / { split($1, a, "-"); at = hex(a[1]); hit = at >= start && at < end }
		/^Rss:/ && hit { sum += $2 * 1024 }
		END { printf "%.0f\n", sum }' "$TMP/smaps"
}
# A report of it frozen with all of its heap resident, and with the runtime where the program last
# saw it: its scavenger and its threads do things in the background, then another one is taken.
touched_report() { # NAME
	local i
	for ((i = 0; i < 20; i++)); do
		ask touch
		cp "$TMP/truth" "$TMP/first"
		freeze "$TPID"
		frozen_report "$TPID" || return 1
		cp "/proc/$TPID/smaps" "$TMP/smaps"
		thaw "$TPID"
		ask peek
		if [ "$(truth .metrics)" = "$(jq .metrics "$TMP/first")" ]; then
			cp "$TMP/first" "$TMP/truth"
			[ "$(heap_rss)" = "$(truth '.touched | .mapped - .skipped')" ] && return 0
		fi
	done
	fail "$1: never quiet"
	return 1
}

for exe in "$T"/fixture-*; do
	name=$(basename "$exe")
	[ "$name" = fixture-386 ] && continue
	for seed in 0 ${SEEDS:-1 2}; do
		start "$name" -path "$TMP/file" -seed "$seed"
		touched_report "$name" || continue
		w="$name seed $seed"
		heap=$(truth '.metrics | ."/memory/classes/heap/objects:bytes" + ."/memory/classes/heap/unused:bytes" + ."/memory/classes/heap/free:bytes" + ."/memory/classes/heap/released:bytes"')
		equal "$w: go/heap" "$(resident go/heap)" $((heap - $(truth .touched.skipped)))
		equal "$w: go/stacks" "$(resident go/stacks)" "$(truth '.metrics."/memory/classes/heap/stacks:bytes"')"
		equal "$w: its file" "$(q "[.ledger[] | select(.category == \"files\" or .category == \"shm\") | .rows[]? | select(.name | contains(\"$(basename "$TMP")/file\")) | .resident] | add // 0")" "$(truth .file.len)"
		anon=$(truth '[.anon[]?.len] | add // 0')
		equal "$w: native/mmap" "$(resident native/mmap)" "$anon"
		ro=$(relro "$exe")
		equal "$w: text" "$(resident binary/text)" "$(exe_rss x)"
		equal "$w: rodata" "$(resident binary/rodata)" $(($(exe_rss 'r--p') - ro))
		equal "$w: data and bss" "$(($(resident binary/data) + $(resident binary/bss)))" $(($(exe_rss 'rw-p') + ro))
		if [ "$(truth .native)" != null ]; then
			between "$w: native/malloc" "$(truth '.native.small + .native.large')" "$(resident native/malloc)" "$(truth '.native.arena + .native.hblkhd')"
			stacks=$(truth '.native | .threads * (.thread_stack + .thread_local)')
			# Its C threads: what they touched, and not more than a few pages each beside.
			between "$w: C thread stacks" "$stacks" "$(($(resident native/stacks) + $(resident libs)))" $((stacks + 64 * MIB))
		else
			equal "$w: native/malloc" "$(resident native/malloc)" 0
		fi
		equal "$w: sum" "$(ledger_sum)" "$FROZEN_RSS"
		stop "$TPID"
		rm -f "$TMP/file"
	done
done
finish
