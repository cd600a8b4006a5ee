# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2034 # variables are for those who source it
# What the e2e scripts share: `. "$(dirname "$0")/lib.sh"` first. A script exits 0 when it passed,
# 77 after `skip`, else it failed. Whatever was started, frozen, mounted or made ends with it.
set -u
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
OUTPUT=$(realpath -m "${OUTPUT:-$ROOT/build}")
RSSCOPE=$OUTPUT/rsscope
T=$OUTPUT/targets
PATH=$PATH:/usr/sbin:/sbin
TMP=$(mktemp -d "${TMPDIR:-/tmp}/rsscope-test.XXXXXX") || exit 1
PAGE=$(getconf PAGESIZE)
MIB=1048576
CHILDREN=()
CGROUPS=()
UNDO=()
FAILURES=0
FROZEN_RSS=0
ASK_FD=()
# A system call that a command may not make ends it, instead of failing.
export RSSCOPE_SECCOMP=kill

cleanup() {
	local c p
	for p in "${CHILDREN[@]}"; do
		thaw "$p"
		kill -KILL "$p" 2>/dev/null
		wait "$p" 2>/dev/null
	done
	for c in "${CGROUPS[@]}"; do
		for p in 1 2 3 4 5 6 7 8 9 10; do
			rmdir "$c" 2>/dev/null && break
			[ -d "$c" ] || break
			sleep 0.1
		done
	done
	for ((p = ${#UNDO[@]} - 1; p >= 0; p--)); do
		eval "${UNDO[$p]}"
	done
	rm -rf "$TMP"
}
trap cleanup EXIT
trap 'exit 1' INT TERM HUP

# ---- verdicts
skip() { # ID REASON: run.sh knows in which environments each ID is all right
	[ "$FAILURES" = 0 ] || die "$FAILURES checks failed before the rest was skipped ($1)"
	echo "SKIP $1: ${*:2}"
	exit 77
}
fail() { # says so and goes on
	echo "FAIL $*"
	FAILURES=$((FAILURES + 1))
}
die() {
	echo "FAIL $*"
	exit 1
}
finish() {
	[ "$FAILURES" = 0 ] || die "$FAILURES checks failed"
	echo "${*:-passed}"
	exit 0
}
equal() { # WHAT GOT WANT
	[ "$2" = "$3" ] || fail "$1 is $2, want $3"
}
between() { # WHAT LOW GOT HIGH
	{ [ -n "$3" ] && [ "$2" -le "$3" ] && [ "$3" -le "$4" ]; } || fail "$1 is $3, want $2 to $4"
}
need_root() { [ "$(id -u)" = 0 ] || skip no-root "needs root, to freeze targets, to make namespaces or to load probes"; }
need_go() { [ -x "$T/fixture-pure" ] || skip no-go "no Go toolchain built the targets"; }
need_tool() {
	local c
	for c in "$@"; do
		command -v "$c" >/dev/null || skip no-tool "$c is not installed (sh tests/deps.sh test)"
	done
}

# ---- rsscope
RC=0
rs() { # runs rsscope; stdout to $TMP/out, stderr to $TMP/err, status in RC
	"$RSSCOPE" "$@" >"$TMP/out" 2>"$TMP/err"
	RC=$?
	return 0
}
report() { # PID [ARG…]: JSON report in $TMP/report.json; fails unless 0 or 5
	"$RSSCOPE" report --pid "$1" --json "${@:2}" >"$TMP/report.json" 2>"$TMP/err"
	RC=$?
	[ $RC = 0 ] || [ $RC = 5 ] || {
		fail "report of $1 exits $RC: $(head -c 400 "$TMP/err")"
		return 1
	}
}
# The same of a frozen process. The kernel's khugepaged may make a huge page of a frozen process's
# pages too, which adds to its RSS: then the report is taken again. Other changes are a failure.
frozen_report() { # PID [ARG…]; the RSS in FROZEN_RSS
	local i rss huge
	for ((i = 0; i < 5; i++)); do
		rss=$(rollup "$1" Rss) huge=$(rollup "$1" AnonHugePages)
		report "$@" || return 1
		FROZEN_RSS=$(rollup "$1" Rss)
		[ "$FROZEN_RSS" = "$rss" ] && return 0
		[ "$(rollup "$1" AnonHugePages)" != "$huge" ] || break
	done
	fail "the RSS of frozen $1 went from $rss to $(rollup "$1" Rss) while it was looked at"
	return 1
}
q() { jq -r ".reports[0] | $1" "${2:-$TMP/report.json}"; } # FILTER [FILE]
# Resident bytes of a category, its children included; 0 when it has none.
resident() { q "[.ledger[] | select(.category == \"$1\" or (.category | startswith(\"$1/\"))) | .resident] | add // 0" "${2:-$TMP/report.json}"; }
ledger_sum() { q '[.ledger[].resident] | add // 0' "${1:-$TMP/report.json}"; }
# No row twice, no parent beside a child of its own with the same bytes, rows sum to their leaf.
ledger_sane() {
	local bad
	bad=$(q '[.ledger[].category] as $c
		| [($c | group_by(.)[] | select(length > 1) | "twice: " + .[0]),
		   (.ledger[] | select(.resident < 0) | "negative: " + .category),
		   (.ledger[] | select(.rows != null and (.rows | length) > 0)
		    | select(([.rows[].resident] | add) > .resident) | "rows above their leaf: " + .category)]
		| join("; ")')
	[ -z "$bad" ] || fail "ledger: $bad"
}

# ---- the kernel's figures (mawk's print would round large ones)
status_bytes() { awk -v k="$2:" '$1 == k { printf "%.0f\n", $2 * 1024 }' "/proc/$1/status"; } # PID FIELD
rollup() { awk -v k="$2:" '$1 == k { printf "%.0f\n", $2 * 1024; exit }' "/proc/$1/smaps_rollup"; } # PID FIELD
faults() { sed 's/.*) //' "/proc/$1/stat" | awk '{ print "minflt=" $8 " majflt=" $10 }'; }    # PID
vm_state() { # PID: all that looking could change
	echo "$(faults "$1") $(grep -E '^(VmRSS|VmPTE|VmSwap|RssAnon|RssFile|RssShmem):' "/proc/$1/status" | tr -s '\t ' ' ' | tr '\n' ' ')"
}

# ---- targets
# start NAME [ARG…]: runs $T/NAME with its stdin held open; PID in TPID, its first line in $TMP/truth.
start() {
	start_program "$T/$1" "${@:2}"
	read -r -t 120 line <&"$TRUTH_FD" || die "$1 says nothing"
	printf '%s\n' "$line" >"$TMP/truth"
}
# start_program PATH [ARG…]: the same without waiting for a line.
start_program() {
	local n=${#CHILDREN[@]} line
	mkfifo "$TMP/in.$n" "$TMP/out.$n"
	"$@" <"$TMP/in.$n" >"$TMP/out.$n" 2>"$TMP/target.$n.err" &
	TPID=$!
	CHILDREN+=("$TPID")
	exec {STDIN_FD}>"$TMP/in.$n" {TRUTH_FD}<"$TMP/out.$n"
}
ask() { # LINE: sends it to the last target, its answer in $TMP/truth
	local line
	printf '%s\n' "$1" >&"$STDIN_FD"
	read -r -t 120 line <&"$TRUTH_FD" || die "no answer to $1"
	printf '%s\n' "$line" >"$TMP/truth"
}
truth() { jq -r "$1" "$TMP/truth"; } # FILTER
stop() { # PID
	thaw "$1"
	kill -KILL "$1" 2>/dev/null
	wait "$1" 2>/dev/null
}
# background CMD…: runs it quietly until the script ends; its PID in BPID.
background() { # a command, not a function: a subshell would be killed and leave it behind
	"$@" >/dev/null 2>&1 &
	BPID=$!
	CHILDREN+=("$BPID")
}

# ---- freezing: cgroup v1 freezer, v2 cgroup.freeze, else SIGSTOP
mounted() { awk -v t="$1" -v o="${2:-}" '$3 == t && (o == "" || $4 ~ "(^|,)" o "(,|$)") { print $2; exit }' /proc/mounts; } # TYPE [OPTION]
freezer_of() { # PID: the folder of its own freezer, made when it is not there
	local v1 v2 d
	v1=$(mounted cgroup freezer) v2=$(mounted cgroup2)
	if [ -n "$v1" ] && [ -w "$v1" ]; then
		d=$v1/rsscope-test-$$-$1
	elif [ -n "$v2" ] && [ -w "$v2" ]; then
		d=$v2/rsscope-test-$$-$1
	else
		return 1
	fi
	if [ ! -d "$d" ]; then
		mkdir "$d" && echo "$1" >"$d/cgroup.procs" || return 1
	fi
	echo "$d"
}
freeze() { # PID: returns when it stands still
	local d i
	d=$(freezer_of "$1") || {
		kill -STOP "$1"
		for ((i = 0; i < 100; i++)); do
			grep -q '^State:[[:space:]]*T' "/proc/$1/status" && return
			sleep 0.05
		done
		die "cannot stop $1"
	}
	[[ " ${CGROUPS[*]} " == *" $d "* ]] || CGROUPS+=("$d")
	if [ -e "$d/freezer.state" ]; then
		for ((i = 0; i < 200; i++)); do
			echo FROZEN >"$d/freezer.state"
			[ "$(cat "$d/freezer.state")" = FROZEN ] && return
			sleep 0.02
		done
	else
		echo 1 >"$d/cgroup.freeze"
		for ((i = 0; i < 200; i++)); do
			grep -q '^frozen 1' "$d/cgroup.events" && return
			sleep 0.02
		done
	fi
	die "cannot freeze $1"
}
thaw() { # PID
	local d
	kill -CONT "$1" 2>/dev/null
	for d in "${CGROUPS[@]}"; do
		case $d in *-"$1")
			if [ -e "$d/freezer.state" ]; then
				echo THAWED >"$d/freezer.state"
			else
				echo 0 >"$d/cgroup.freeze"
			fi
			;;
		esac
	done
	return 0
}

# ---- real programs from Debian's packages, in $OUTPUT/packages; not installed
package() { # PACKAGE: its unpacked folder in PACKAGE_DIR; skips when it can't be had
	local d=$OUTPUT/packages/$1
	PACKAGE_DIR=$d
	[ -e "$d/.done" ] && return
	command -v apt-get >/dev/null || skip no-packages "$1: no apt-get here"
	[ "${RSSCOPE_OFFLINE:-}" = 1 ] && skip no-packages "$1: RSSCOPE_OFFLINE=1"
	mkdir -p "$d/deb"
	(
		cd "$d/deb" || exit 1
		get="apt-get -q -o APT::Sandbox::User=root -o Acquire::Retries=3 download $1"
		$get || { apt-get -q update && $get; }
	) >"$d/log" 2>&1 || skip no-packages "$1: apt-get download failed: $(tail -n 1 "$d/log")"
	dpkg -x "$d"/deb/*.deb "$d" && touch "$d/.done" || die "$1: cannot unpack"
}
# start_alone CMD…: in a network namespace of its own with nothing but loopback; PID in TPID.
start_alone() {
	unshare --net sh -c 'ip link set lo up && exec "$@"' sh "$@" >"$TMP/alone.log" 2>&1 &
	TPID=$!
	CHILDREN+=("$TPID")
}
inside() { nsenter --net="/proc/$1/ns/net" "${@:2}"; } # PID CMD…
wait_http() {                                          # PID URL
	local i
	for ((i = 0; i < 300; i++)); do
		inside "$1" curl -fs -o /dev/null --max-time 5 "$2" && return
		[ -d "/proc/$1" ] || die "it ended: $(tail -n 5 "$TMP/alone.log")"
		sleep 0.2
	done
	die "$2 does not answer"
}
start_prometheus() {
	package prometheus
	mkdir -p "$TMP/prom"
	cat >"$TMP/prom/config.yml" <<-'END'
		global: {scrape_interval: 1s, scrape_timeout: 1s}
		scrape_configs: [{job_name: self, static_configs: [{targets: ["127.0.0.1:9090"]}]}]
	END
	start_alone "$PACKAGE_DIR/usr/bin/prometheus" --config.file="$TMP/prom/config.yml" \
		--storage.tsdb.path="$TMP/prom/data" --web.listen-address=127.0.0.1:9090
	METRICS=http://127.0.0.1:9090/metrics
	wait_http "$TPID" http://127.0.0.1:9090/-/ready
}
start_etcd() { # [OPTION…]
	package etcd-server
	start_alone "$PACKAGE_DIR/usr/bin/etcd" --data-dir "$TMP/etcd" --log-outputs stderr \
		--listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
		--listen-peer-urls http://127.0.0.1:2380 "$@"
	METRICS=http://127.0.0.1:2379/metrics
	wait_http "$TPID" http://127.0.0.1:2379/health
}
# Work for the last one started; in the background until the script ends.
load_prometheus() {
	background nsenter --net="/proc/$TPID/ns/net" sh -c 'while :; do for q in "rate(prometheus_http_requests_total[1m])" "{__name__=~\".%2B\"}" "sort(go_memstats_heap_alloc_bytes)"; do
		curl -s -o /dev/null --max-time 5 "http://127.0.0.1:9090/api/v1/query" --data-urlencode "query=$q"; done; done'
}
load_etcd() {
	background nsenter --net="/proc/$TPID/ns/net" sh -c 'v=$(head -c 30000 /dev/urandom | base64 -w0); i=0; while :; do i=$((i + 1)); k=$(printf "key%d" $((i % 500)) | base64)
		printf "{\"key\":\"%s\",\"value\":\"%s\"}" "$k" "$v" | curl -s -o /dev/null --max-time 5 http://127.0.0.1:2379/v3/kv/put -d @-; done'
}
each_package() { # FUNCTION: calls it with the name of each of them, started and at work
	local name
	for name in prometheus etcd; do
		"start_$name"
		"load_$name"
		"$1" "$name"
		stop "$TPID"
	done
}
metric() { inside "$TPID" curl -fs --max-time 10 "$METRICS" | awk -v m="$1" '$1 == m { printf "%.0f\n", $2 }'; } # NAME

# ---- what is left in the kernel
# Our BPF programs and maps by id, those that some process holds (a link holds its program, a
# program its maps) and those that none does: these are left behind. Others may watch at the same time.
our_programs() { bpftool -j prog show | jq -r '.[] | select(.name // "" | test("^(mmap|munmap|mremap|brk|mprotect|pkey|madvise|prctl|shmat|shmdt|remap|rss|gc|fork|exit|exec|probe|cpu)_[a-z]+$")) | .id' | sort; }
our_maps() { bpftool -j map show | jq -r '.[] | select(.name // "" | test("^(events|targets|counters|ended|calls|blank|rss_state|lost_regions|advice|followed|cpu_.*|rsc_.*)$")) | .id' | sort; }
held_by() { cat "$@" 2>/dev/null | awk '$1 == "prog_id:" { print $2 }' | sort -u; } # FDINFO…
maps_held() {
	{
		cat /proc/[0-9]*/fdinfo/* 2>/dev/null | awk '$1 == "map_id:" { print $2 }'
		bpftool -j prog show | jq -r '.[].map_ids[]?'
	} | sort -u
}
uprobes_left() { # libbpf names the older kind after the process that made it
	local name
	grep -oE 'libbpf_[0-9]+' /sys/kernel/tracing/uprobe_events 2>/dev/null | while read -r name; do
		[ -d "/proc/${name#libbpf_}" ] || echo "$name"
	done
}
left() {
	# What is there first, then who holds it: not the reverse.
	local programs maps
	programs=$(our_programs) maps=$(our_maps)
	comm -23 <(echo "$programs") <(held_by /proc/[0-9]*/fdinfo/*) | sed '/./s/^/program /'
	comm -23 <(echo "$maps") <(maps_held) | sed '/./s/^/map /'
	uprobes_left
}
nothing_left() { # WHEN
	local i
	for ((i = 0; i < 100; i++)); do
		[ -z "$(left | tr -d '\n')" ] && return
		sleep 0.1 # the kernel frees programs after a grace period
	done
	fail "left in the kernel after $1: $(left | tr '\n' ' ')"
}
