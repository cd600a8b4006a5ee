#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# watch.sh OUTPUT: what being watched costs a program and its host, and what watching takes of us.
# Pairs: the same work in the same process without and with an observer, one right after the other,
# which of them first by chance; of each the least of three times. The median of the pairs' ratios,
# and the interval that holds the true median in 95 of 100 cases (by the sign test: it supposes
# nothing of how ratios scatter). CPU time is the target's own getrusage: it counts probes that run
# in the target, and hardly what else the machine does. bpftrace and BCC count the same calls by
# stack where they are installed and work. Nothing here passes or fails: machines differ. It takes
# some 18 minutes; on a machine that does nothing else an interval is narrower than 0.5 %.
# TIME=95 seconds for each line of ours (a fifth of it for others'), WORK=1 the size of the work,
# BUSY="gc alloc mmap syscall", OBSERVERS="watch watch--no-mappings bpftrace bcc", SEED.
. "$(dirname "$0")/../e2e/lib.sh"
. "$(dirname "$0")/../e2e/watch.sh"
OUTPUT=$(realpath -m "${1:-build}")
RSSCOPE=$OUTPUT/rsscope T=$OUTPUT/targets
need_probes
need_go
need_tool jq
TIME=${TIME:-95} WORK=${WORK:-1} RUNS=${RUNS:-7}
RANDOM=${SEED:=$RANDOM}
OBSERVERS=${OBSERVERS:-watch watch--no-mappings bpftrace bcc}
[ "$(id -u)" != 0 ] || [[ $OBSERVERS != *b* ]] || sh "$ROOT/tests/deps.sh" bench
declare -A size=([gc]=25 [alloc]=1500 [mmap]=20000 [syscall]=1000)

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
OUR_RSS=0 # of the observer: peak KiB
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
# stdin's numbers: "MEDIAN LOW HIGH". At most K-1 of n tosses of a coin are heads in 2.5 of 100
# cases: the K-th least and the K-th largest bound the median.
median() {
	sort -g | awk '{ v[NR] = $1 } END {
		p = 0.5 ^ NR
		for (sum = p; sum <= 0.025 && k < NR / 2; sum += p)
			p *= (NR - k) / ++k
		k = k ? k : 1
		printf "%.2f %.2f %.2f\n", (v[int((NR + 1) / 2)] + v[int((NR + 2) / 2)]) / 2, v[k], v[NR + 1 - k]
	}'
}
percent() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.4f\n", a ? (b / a - 1) * 100 : 0 }'; }
least() { # WORK N: the least of three times of it, in CPU and WALL: what else runs only adds
	local k line
	CPU=0 WALL=0
	for k in 1 2 3; do
		ask "$1 $2"
		line=$(<"$TMP/truth")
		[[ $line =~ cpu_ns\":([0-9]+),\"wall_ns\":([0-9]+) ]] || die "no times: $line"
		((k > 1 && BASH_REMATCH[1] >= CPU)) || CPU=${BASH_REMATCH[1]}
		((k > 1 && BASH_REMATCH[2] >= WALL)) || WALL=${BASH_REMATCH[2]}
	done
}
WATCHED=0
# block OBSERVER WORK N WATCHED: one side of a pair, into ${cpu[WATCHED]} and ${wall[WATCHED]}. An
# observer stays when the next block wants it, too.
block() {
	local start
	if [ "$4" != "$WATCHED" ]; then
		if [ "$4" = 1 ]; then
			observe "$1" "$TPID" || return
		else
			unobserve
		fi
		WATCHED=$4
	fi
	[ "$4" = 0 ] || start=$(cpu_of "$OPID")
	least "$2" "$3"
	cpu[$4]=$CPU wall[$4]=$WALL
	[ "$4" = 0 ] || awk -v a=$(($(cpu_of "$OPID") - start)) -v b="$CPU" 'BEGIN { printf "%.4f\n", a / b / 3 * 100 }' >>"$TMP/own"
}
pairs() { # OBSERVER WORK SECONDS: with the work's target in TPID
	local i n=$((${size[$2]} * WORK)) end=$((SECONDS + $3)) first cpu=() wall=()
	for f in cpu wall own; do : >"$TMP/$f"; done
	ask "$2 $n"
	for ((i = 0; i < 5 || SECONDS < end; i++)); do
		first=$((RANDOM % 2))
		block "$1" "$2" "$n" $first || return
		block "$1" "$2" "$n" $((1 - first)) || return
		percent "${cpu[0]}" "${cpu[1]}" >>"$TMP/cpu"
		percent "${wall[0]}" "${wall[1]}" >>"$TMP/wall"
	done
	[ "$WATCHED" = 0 ] || unobserve
	WATCHED=0
	read -r c c1 c3 < <(median <"$TMP/cpu")
	read -r w w1 w3 < <(median <"$TMP/wall")
	read -r o _ _ < <(median <"$TMP/own")
	printf '%-8s %-20s %+7s %% (%+6s to %+6s) %+8s %% (%+7s to %+7s) %7s %% %7s KiB %5d\n' "$2" "$1" "$c" "$c1" "$c3" "$w" "$w1" "$w3" "$o" "$OUR_RSS" $i
}

start work
observers=
for o in $OBSERVERS; do
	works "$o" && observers="$observers $o"
done
load=$(cut -d' ' -f1 /proc/loadavg)
echo "what being watched costs, $(nproc) CPUs, load average $load, SEED=$SEED; medians of pairs, 95 % intervals"
printf '%-8s %-20s %27s %30s %9s %11s %5s\n' work observer "CPU time of the target" "wall time" "our CPU" "peak RSS" pairs
for what in ${BUSY:-gc alloc mmap syscall}; do
	for o in $observers; do
		[[ $o == watch* ]] && took=$TIME || took=$((TIME / 5))
		pairs "$o" "$what" "$took"
	done
done

# ---- the host: another process's system calls while this one is watched
echo
echo "what a system call of an unrelated process takes, ns of CPU: alone, while another is watched; medians of $RUNS"
watched_pid=$TPID
start work
per_call() { # NAME: nanoseconds of getppid in the unrelated process
	least syscall $((1000 * WORK))
	awk -v ns="$CPU" -v n=$((1000000 * WORK)) 'BEGIN { printf "%.2f\n", ns / n }'
}
for o in $observers; do
	for f in a b; do : >"$TMP/$f"; done
	for ((i = 0; i < RUNS; i++)); do
		per_call >>"$TMP/a"
		observe "$o" "$watched_pid" || continue 2
		per_call >>"$TMP/b"
		unobserve
	done
	read -r a _ _ < <(median <"$TMP/a")
	read -r b _ _ < <(median <"$TMP/b")
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
exit 0 # stop leaves the status of what it has killed
