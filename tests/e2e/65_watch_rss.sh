#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Steps of the resident set follow the kernel's own figure, up and down; the high water is the
# highest; the fallback tells the same. Kernels from 6.2 fold their per-CPU counts late.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/watch.sh"
need_probes
need_go
need_tool jq

LAG=$((4 * PAGE * $(nproc) * ($(nproc) > 16 ? 2 * $(nproc) : 32)))
for how in "" --fallbacks; do
	start fixture-pure
	# shellcheck disable=SC2086
	watch "$TPID" --json --no-report --events rss $how
	ask "alloc 96"
	ask "mmap 32"
	sleep 0.5
	now=$(status_bytes "$TPID" VmRSS) high=$(status_bytes "$TPID" VmHWM)
	kill -INT "$WPID"
	watched
	stop "$TPID"
	equal "lost $how" "$(lost)" 0
	n=$(events end .events.rss)
	step=$((now / 64 > MIB ? now / 64 : MIB))
	last=$(events rss .rss | tail -n 1) highest=$(events rss .high_water | tail -n 1)
	between "steps $how" 60 "$n" 200
	between "RSS at the last step $how" $((now - 2 * step - LAG)) "$last" $((now + step + LAG))
	between "high water $how" $((high - 2 * step - LAG)) "$highest" $((high + LAG))
	equal "sums $how" "$(events rss 'select(.rss != .anon + .file + .shmem or .high_water < .rss) | .rss' | head -n 3)" ""
done
finish "$n steps, the last one at $last of $now"
