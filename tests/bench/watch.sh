#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# watch.sh OUTPUT: what being watched costs a program and its host, and what watching takes of us.
# Pairs: the same work in the same process without and with an observer, in turn, the least of three times each; medians
# (and quartiles) of the pairs' ratios. CPU time is the target's own getrusage: it counts probes that run
# in the target, and hardly what else the machine does. bpftrace and BCC count the same calls by
# stack where they are installed and work. Nothing here passes or fails: machines differ.
# RUNS=9 pairs, WORK=1 the size of the work, BUSY="gc alloc mmap syscall".
. "$(dirname "$0")/../e2e/lib.sh"
. "$(dirname "$0")/../e2e/watch.sh"
OUTPUT=$(realpath -m "${1:-build}")
RSSCOPE=$OUTPUT/rsscope T=$OUTPUT/targets
need_probes
need_go
need_tool jq
RUNS=${RUNS:-9} WORK=${WORK:-1}
[ "$(id -u)" != 0 ] || sh "$ROOT/tests/deps.sh" bench
declare -A size=([gc]=30 [alloc]=3000 [mmap]=30000 [syscall]=2000)

# ---- observers: observe NAME PID starts one, in OPID when it is attached; unobserve ends it
wait_for_line() { # FILE
	local i
	for ((i = 0; i < 300; i++)); do
		grep -q "${2:-.}" "$1" 2>/dev/null && return
		[ -d "/proc/$OPID" ] || return 1
		sleep 0.1
	done
	return 1
}
stacks='tracepoint:syscalls:sys_exit_mmap /pid == PID/ { @[probe, ustack] = count(); }
tracepoint:syscalls:sys_exit_munmap /pid == PID/ { @[probe, ustack] = count(); }
tracepoint:syscalls:sys_exit_mremap /pid == PID/ { @[probe, ustack] = count(); }
tracepoint:syscalls:sys_exit_brk /pid == PID/ { @[probe, ustack] = count(); }
tracepoint:kmem:rss_stat /pid == PID/ { @rss = count(); }
uprobe:/proc/PID/exe:runtime.prepareFreeWorkbufs /pid == PID/ { @gc = count(); }
interval:ms:300 { printf("ready\n"); }'
observe() { # NAME PID
	: >"$TMP/observer"
	case $1 in
	watch) exec "$RSSCOPE" watch "$2" --json --no-report --interval 0 ;;
	watch--no-mappings) exec "$RSSCOPE" watch "$2" --json --no-report --interval 0 --no-mappings ;;
	bpftrace) exec bpftrace -e "${stacks//PID/$2}" ;;
	bcc) exec /usr/bin/python3 "$ROOT/tests/bench/bcc_count.py" "$2" ;;
	esac >"$TMP/observer" 2>"$TMP/observer.err" {STDIN_FD}>&- {TRUTH_FD}<&- &
	OPID=$!
	CHILDREN+=("$OPID")
	case $1 in
	watch*) wait_for_line "$TMP/observer" ;;
	*) wait_for_line "$TMP/observer" ready ;;
	esac
}
OUR_CPU=0 OUR_RSS=0 # of the observer: ns while it watched, peak KiB
cpu_of() { cat "/proc/$1"/task/*/schedstat | awk '{ n += $1 } END { printf "%.0f\n", n }'; }
unobserve() {
	OUR_RSS=$(awk '/^VmHWM:/ { print $2 }' "/proc/$OPID/status")
	kill -INT "$OPID"
	wait "$OPID" 2>/dev/null
	unset "CHILDREN[-1]"
}
works() { # NAME
	[ "$1" != bpftrace ] || command -v bpftrace >/dev/null || { echo "SKIP bpftrace: not installed" && return 1; }
	observe "$1" "$TPID" || { echo "SKIP $1: does not work here: $(tail -n 1 "$TMP/observer.err" | cut -c1-120)" && return 1; }
	unobserve
}

# ---- pairs
# medians of stdin's numbers: "MEDIAN FIRST-QUARTILE THIRD-QUARTILE"
medians() { sort -g | awk '{ v[NR] = $1 } END { printf "%.2f %.2f %.2f\n", v[int((NR + 1) / 2)], v[int((NR + 3) / 4)], v[int((3 * NR + 3) / 4)] }'; }
percent() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.4f\n", a ? (b / a - 1) * 100 : 0 }'; }
least() { # WORK N: the least of three times of it, in CPU and WALL: what else runs only adds
	local k
	CPU=0 WALL=0
	for k in 1 2 3; do
		ask "$1 $2"
		read -r c w < <(truth '"\(.cpu_ns) \(.wall_ns)"')
		((k > 1 && c >= CPU)) || CPU=$c
		((k > 1 && w >= WALL)) || WALL=$w
	done
}
pairs() { # OBSERVER WORK: with the work's target in TPID
	local i n=$((${size[$2]} * WORK)) cpu wall own start
	: >"$TMP/cpu" >"$TMP/wall" >"$TMP/own"
	ask "$2 $n"
	for ((i = 0; i < RUNS; i++)); do
		least "$2" "$n"
		cpu=$CPU wall=$WALL
		observe "$1" "$TPID" || return
		start=$(cpu_of "$OPID")
		least "$2" "$n"
		own=$(($(cpu_of "$OPID") - start))
		percent "$cpu" "$CPU" >>"$TMP/cpu"
		percent "$wall" "$WALL" >>"$TMP/wall"
		awk -v a="$own" -v b="$CPU" 'BEGIN { printf "%.4f\n", a / b / 3 * 100 }' >>"$TMP/own"
		unobserve
	done
	read -r c c1 c3 < <(medians <"$TMP/cpu")
	read -r w w1 w3 < <(medians <"$TMP/wall")
	read -r o _ _ < <(medians <"$TMP/own")
	printf '%-10s %-20s %+8s %% (%+7s to %+7s) %+8s %% (%+7s to %+7s) %8s %% %8s KiB\n' "$2" "$1" "$c" "$c1" "$c3" "$w" "$w1" "$w3" "$o" "$OUR_RSS"
}

start work
observers="watch watch--no-mappings"
for o in bpftrace bcc; do
	works $o && observers="$observers $o"
done
load=$(cut -d' ' -f1 /proc/loadavg)
echo "what being watched costs, $(nproc) CPUs, load average $load; $RUNS pairs, medians and quartiles"
printf '%-10s %-20s %29s %29s %10s %12s\n' work observer "CPU time of the target" "wall time" "our CPU" "our peak RSS"
for what in ${BUSY:-gc alloc mmap syscall}; do
	for o in $observers; do
		pairs "$o" "$what"
	done
done

# ---- the host: another process's system calls while this one is watched
echo
echo "what a system call of an unrelated process takes, ns of CPU: alone, while another is watched; medians of $RUNS"
watched_pid=$TPID
start work
per_call() { # NAME: nanoseconds of getppid in the unrelated process
	ask "syscall $((2000 * WORK))"
	truth ".cpu_ns / $((2000000 * WORK))"
}
for o in $observers; do
	: >"$TMP/a" >"$TMP/b"
	for ((i = 0; i < RUNS; i++)); do
		per_call >>"$TMP/a"
		observe "$o" "$watched_pid" || continue 2
		per_call >>"$TMP/b"
		unobserve
	done
	read -r a _ _ < <(medians <"$TMP/a")
	read -r b _ _ < <(medians <"$TMP/b")
	printf '%-20s %8s → %8s\n' "$o" "$a" "$b"
done
stop "$TPID"
stop "$watched_pid"

# ---- our memory does not follow the number of events
echo
echo "our peak RSS by the number of mapping calls watched at full speed"
for n in 10000 100000 1000000; do
	start work
	observe watch "$TPID"
	ask "mmap $((n / 2))"
	unobserve
	printf '%10d calls %8s KiB, %s lost\n' $n "$OUR_RSS" "$(jq -r 'select(.type == "end") | .lost' "$TMP/observer")"
	stop "$TPID"
done
