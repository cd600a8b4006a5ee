#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The kernel's share: page tables, kernel stacks, and the cgroup's own files.
. "$(dirname "$0")/lib.sh"
need_root
need_go
need_tool jq

start fixture-cgo -threads 7
freeze "$TPID"
report "$TPID"
equal "page tables" "$(q .kernel.page_tables)" "$(status_bytes "$TPID" VmPTE)"
threads=$(find "/proc/$TPID/task" -mindepth 1 -maxdepth 1 | wc -l)
equal "threads" "$(q .kernel.threads)" "$threads"
# The size of a kernel stack: vmstat's nr_kernel_stack is in KiB and counts whole stacks; amd64 and
# arm64 with 4 KiB pages have 16 KiB.
size=$(q .kernel.kernel_stack_size)
equal "kernel stack size" "$size" 16384
equal "kernel stacks" "$(q .kernel.kernel_stacks)" $((threads * size))
# What the host can still give stands where no limit does; it moves with all that runs here.
available() { awk '/^MemAvailable:/ { printf "%.0f\n", $2 * 1024 }' /proc/meminfo; }
if [ "$(q '.cgroup.effective_limit // "none"')" = none ]; then
	between "memory available" $(($(available) / 2)) "$(q .kernel.mem_available)" $(($(available) * 2))
fi

memory=$(mounted cgroup memory)
if [ -n "$memory" ]; then
	dir=$memory/rsscope-test-mem-$$
	mkdir "$dir" && CGROUPS+=("$dir")
	usage=memory.usage_in_bytes limit=memory.limit_in_bytes version=1
elif grep -qs memory "$(mounted cgroup2)/cgroup.controllers"; then
	dir=$(mounted cgroup2)/rsscope-test-mem-$$
	echo +memory >"$(mounted cgroup2)/cgroup.subtree_control"
	mkdir "$dir" && CGROUPS+=("$dir")
	usage=memory.current limit=memory.max version=2
else
	finish "no memory controller: page tables and kernel stacks only"
fi
thaw "$TPID"
mkdir -p "$dir/inner" && CGROUPS=("$dir/inner" "${CGROUPS[@]}")
if [ $version = 2 ]; then
	echo +memory >"$dir/cgroup.subtree_control"
fi
# An own program, that has lived in there from the start; the limit of the parent is what counts.
echo $((300 * MIB)) >"$dir/$limit"
stop "$TPID"
start_program sh -c 'echo $$ >"$1/cgroup.procs" && shift && exec "$@"' sh "$dir/inner" "$T/fixture-pure" -heap 40
read -r -t 60 _ <&"$TRUTH_FD" || die "no fixture in the cgroup"
freeze "$TPID"
report "$TPID"
equal "cgroup version" "$(q .cgroup.version)" $version
# usage is counted in batches per CPU in v1; the file itself is read again right after.
now=$(cat "$dir/inner/$usage")
between "usage" $((now - 64 * PAGE)) "$(q .cgroup.usage)" $((now + 64 * PAGE))
equal "limit of its own" "$(q '.cgroup.limit // "none"')" none
equal "effective limit" "$(q .cgroup.effective_limit)" $((300 * MIB))
known=0
while read -r name bytes; do
	row=$(q "[.cgroup.rows[] | select(.name == \"$name\") | .bytes][0] // \"absent\"")
	[ "$row" = absent ] && continue
	known=$((known + 1))
	between "memory.stat $name" $((bytes - 64 * PAGE)) "$row" $((bytes + 64 * PAGE))
done <"$dir/inner/memory.stat"
between "rows of memory.stat in the report" 3 $known 60
equal "reclaimable says yes, no or part" "$(q '[.cgroup.rows[] | select(.reclaimable == null)] | length')" 0
finish "v$version, $known rows"
