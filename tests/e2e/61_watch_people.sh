#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What `watch` makes of events: what triggered a cycle, how fast the program allocates (against its own
# TotalAlloc), how far memory is from GOMEMLIMIT (against its own books) and from the cgroup's limit.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/watch.sh"
need_probes
need_go
need_tool jq

start gcloop -auto -cycles 40 -depth 16
watch "$TPID" --json --no-report --no-mappings --interval 0.5
ask go
close_stdin
watched
equal "exit" $RC 0
equal "triggers" "$(events gc .trigger | sort -u)" heap
between "cycles with a rate" 38 "$(events gc '.allocation_rate // empty' | wc -l)" 45
equal "bad shares" "$(events gc 'select((.assist_permille | type) != "number" or .assist_permille > 1000) | .cycle')" ""
equal "rates that are not bytes over time" "$(events gc 'select(.allocation_rate) |
	(.allocated * 1e9 / .allocated_over_ns - .allocation_rate) | select(. < -1 or . > 1)')" ""
equal "heaps that don't grow while they are marked" "$(events gc 'select(.heap_end < .heap_start) | .cycle')" ""

start gcloop -free -cycles 5 -depth 16
watch "$TPID" --json --no-report --events gc
ask go
close_stdin
watched
equal "triggers of runtime.GC" "$(events gc .trigger | tr '\n' ' ')" "forced forced forced forced forced "

# Who wanted it. The period is made short in the program's memory: by the time since the last cycle
# alone it would be taken for one of the heap's.
start gcloop -cycles 4 -depth 16
watch "$TPID" --json --no-report --events gc
ask gc
ask free
ask alloc
period=$((16#$(nm "$T/gcloop" | awk '$3 == "runtime.forcegcperiod" { print $1 }')))
printf '\0\302\353\13\0\0\0\0' | dd of="/proc/$TPID/mem" bs=1 seek=$period conv=notrunc status=none # 200 ms
ask wait
kill -INT "$WPID"
watched
stop "$TPID"
equal "what began cycles, and by what it is known" "$(events gc '"\(.trigger) \(.trigger_by)"' | uniq | tr '\n' ' ')" \
	"forced work.userForced heap gcStart period gcStart "
equal "who forced them" "$(events gc 'select(.trigger == "forced") | "\(.caller) \(.frees_os_memory)"' | tr '\n' ' ')" "main.main false main.main true "
equal "callers of others" "$(events gc 'select(.trigger != "forced") | .caller // empty')" ""

# Text of the same: a line each, none too wide.
start gcloop -auto -cycles 10 -depth 16
watch "$TPID" --no-report --events gc,rss,threads
ask go
close_stdin
watched
between "lines of cycles" 9 "$(grep -cE '^[0-9:.]+  gc +[0-9]+  heap +[0-9.]+ -> [0-9.]+ -> [0-9.]+ of [0-9.]+ MiB  paused [0-9.]+ ms  assists [0-9.]+%(  [0-9.]+ [KMG]iB/s)?$' "$WOUT")" 12
equal "lines wider than 120" "$(grep -E '^[0-9:.]+  (gc|rss|sample|limit|thread)' "$WOUT" | awk 'length > 120')" ""

# GOMEMLIMIT: what it governs is what the runtime has mapped and not given back.
GOMEMLIMIT=400MiB start fixture-pure
ask "alloc 100"
ask gc
watch "$TPID" --json --no-report --no-mappings --interval 0.2
ask truth
want=$(truth '.memstats | .sys - .heap_released' 2>/dev/null)
for ((i = 0; i < 50; i++)); do
	[ "$(events sample '.limits[] | select(.name == "GOMEMLIMIT") | .used' | wc -l)" -ge 3 ] && break
	sleep 0.1
done
kill -INT "$WPID"
watched
equal "GOMEMLIMIT" "$(events sample '.limits[] | select(.name == "GOMEMLIMIT") | .limit' | sort -u)" $((400 * MIB))
used=$(events sample '.limits[] | select(.name == "GOMEMLIMIT") | .used' | tail -n 1)
between "used of it" $((100 * MIB)) "$used" $((200 * MIB))
[ -z "$want" ] || [ "$want" = null ] || between "used of it by its own books" $((want - 4 * MIB)) "$used" $((want + 4 * MIB))
stop "$TPID"

# The cgroup's limit and the time to it.
dir=$(mounted cgroup memory)
if [ -n "$dir" ] && mkdir "$dir/rsscope-test-$$"; then
	CGROUPS+=("$dir/rsscope-test-$$")
	dir=$dir/rsscope-test-$$
	echo $((256 * MIB)) >"$dir/memory.limit_in_bytes"
	start fixture-pure
	echo "$TPID" >"$dir/cgroup.procs"
	watch "$TPID" --json --no-report --no-mappings --interval 0.2
	for ((i = 0; i < 8; i++)); do
		ask "mmap 8"
		sleep 0.2
	done
	kill -INT "$WPID"
	watched
	equal "the cgroup's limit" "$(events sample '.limits[] | select(.name == "cgroup") | .limit' | sort -u)" $((256 * MIB))
	between "used of it" $((64 * MIB)) "$(events sample '.limits[] | select(.name == "cgroup") | .used' | tail -n 1)" $((100 * MIB))
	equal "rises without a time" "$(events sample '.limits[] | select(.rate and (.seconds_left | not)) | .name')" ""
	equal "times that don't fit" "$(events sample '.limits[] | select(.rate) |
		((.limit - .used) / .rate - .seconds_left) | select(. < -1 or . > 1)')" ""
	[ -n "$(events sample '.limits[] | select(.name == "cgroup") | .seconds_left // empty')" ] || fail "no time to the cgroup's limit though it fills"
	stop "$TPID"
fi
finish "cycles, limits and the time to them"
