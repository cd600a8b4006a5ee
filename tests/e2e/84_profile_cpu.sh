#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# CPU profiles from outside against the clocks of the program's own threads: which share its functions have, in Go and in C, and how
# much it is together; stacks without gaps; nothing of other processes; every way to end; nothing left. GO_RELEASES="all" or some: of
# each of these, in VARIANTS.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/watch.sh"
. "$(dirname "$0")/../go-matrix/toolchain.sh"
need_probes
need_go
need_tool jq go bpftool

J=$TMP/cpu.json
# Each sample as a line: samples, functions from inside out (a frame without a name by its address).
stacks() {
	jq -r '.locations as $l | .samples[] | "\(.values[0]) " + ([.stack[] | $l[.] | if .frames == [] then .address else .frames[].function end] | join(";"))' "$J"
}
samples() { stacks | grep -E "${1:-.}" | awk '{ n += $1 } END { print n + 0 }'; } # [REGEX]: how many have such a stack
notes() { jq -r '.notes[]' "$J"; }
note() { notes | grep -qE "$1" || fail "$2: no note says '$1': $(notes | tr '\n' '|')"; } # REGEX WHAT
no_note() { notes | grep -E "$1" && fail "$2: a note says '$1'"; }                        # REGEX WHAT
# Of n samples k: within five standard deviations of the share that the truth's part has of its whole.
share() { # WHAT K N PART WHOLE
	awk -v k="$2" -v n="$3" -v a="$4" -v b="$5" 'BEGIN {
		p = a / b; s = 5 * sqrt(n * p * (1 - p)) + 1
		exit !(n >= 100 && k >= n * p - s && k <= n * p + s) }' || fail "$1: $2 of $3 samples, the truth is $4 of $5 ns"
}
cpu_ns() { cat /proc/"$1"/task/*/schedstat | awk '{ n += $1 } END { printf "%.0f\n", n }'; } # PID, of threads that live
now_ns() { date +%s%N; }
start_burn() { # PROGRAM
	start_program "$1"
	read -r -t 120 _ <&"$TRUTH_FD" || die "$1 says nothing"
}
profile() { # NAME PID [ARG…]
	"$RSSCOPE" profile "$2" --type cpu --json "${@:3}" >"$J" 2>"$TMP/err"
	RC=$?
	equal "$1: exit ($(head -c 300 "$TMP/err"))" $RC 0
}

begun() { # waits until the profile of PID $P has its clocks
	local i
	for ((i = 0; i < 600; i++)); do
		grep -qs '^Seccomp:[[:space:]]*2' "/proc/$P/status" && return
		sleep 0.1
	done
	fail "a CPU profile does not begin: $(head -c 300 "$TMP/err")"
}

one() { # NAME PROGRAM C
	local before after began ended k n=0 three one c spin alloc period slack used bad seconds
	start_burn "$2"
	# Until there are enough: on a busy machine the program gets little.
	for ((seconds = 4; n < 400 && seconds <= 64; seconds *= 2)); do
		ask "profile $TMP/own.pb.gz"
		began=$(now_ns) before=$(cpu_ns "$TPID")
		profile "$1" "$TPID" --seconds $seconds --rate 397
		after=$(cpu_ns "$TPID") ended=$(now_ns)
		ask stop
		n=$(samples)
	done
	three=$(truth .three) one=$(truth .one) c=$(truth .c) alloc=$(truth .alloc)
	equal "$1: total" "$(jq .total "$J")" $((n * $(jq .period "$J")))
	equal "$1: columns" "$(jq -c '[.values[] | .type, .unit]' "$J")" '["samples","count","cpu","nanoseconds"]'

	# How much, in all: what was used before and behind the profile is not in it.
	period=$(jq .period "$J")
	slack=$(((ended - began - $(jq .duration_ns "$J")) * $(nproc)))
	used=$((after - before))
	awk -v n="$n" -v p="$period" -v hi="$used" -v lo="$((used - slack))" 'BEGIN {
		s = 5 * sqrt(n) * p; exit !(n * p <= hi + s && n * p >= lo - s) }' ||
		fail "$1: $n samples of $period ns, but the process used $((used - slack)) to $used ns"

	# Shares.
	k=$(samples ';main\.burnThree;') spin=$((k + $(samples ';main\.burnOne;')))
	share "$1: burnThree" "$k" "$spin" "$three" $((three + one))
	k=$(samples ';main\.burnC;')
	if [ "$3" = 1 ]; then
		share "$1: burnC" "$k" $((spin + k)) "$c" $((three + one + c))
	else
		equal "$1: samples in C" "$k" 0
	fi
	k=$(samples ';main\.burnAlloc;')
	share "$1: burnAlloc" "$k" $((spin + k)) "$alloc" $((three + one + alloc))

	# No caller is left out, and none made up: the leaf has no frame.
	bad=$(stacks | grep -E '^[0-9]+ main\.spin;' | grep -vE '^[0-9]+ main\.spin;main\.inner(Three;main\.burnThree|One;main\.burnOne);main\.timed;main\.burner\.func1$')
	[ "$(echo "$bad" | awk '{ n += $1 } END { print n + 0 }')" -le $((n / 100)) ] || fail "$1: stacks of the leaf: $(echo "$bad" | head -n 3)"
	bad=$(stacks | grep -E '[ ;]runtime\.gcDrain' | grep -vE '(;runtime\.gcBgMarkWorker$|;runtime\.gcAssistAlloc;)')
	equal "$1: stacks of marking that do not lead to who marks" "$bad" ""
	k=$(samples '[ ;]runtime\.gcDrain')
	between "$1: samples of marking" 1 "$k" "$n"
	bad=$(samples ';main\.burn(er\.func1|)$|;main\.begin\.func[0-9.]+$|;main\.main$|;runtime\.(main|mcall|mstart|mstart0|mstart1|morestack|gcBgMarkWorker|bgsweep|bgscavenge|forcegchelper|rt0_go|runfinq|runFinalizers)$|;runtime\.sysmon$|runtime\.goexit0$|;runtime/pprof\.profileWriter$|;runtime\.sigreturn__sigaction|;runtime\.sigtramp')
	between "$1: samples whose stack ends where one begins" $((n - n / 50 - 1)) "$bad" "$n"

	# The collector, in words: cycles that the program counts, too.
	note '^GC: [0-9.]+ % of the CPU time' "$1"
	k=$(notes | sed -nE 's/^([0-9]+) GC cycles? in .*/\1/p')
	between "$1: GC cycles" 1 "${k:-0}" "$(truth .cycles)"
	note 'GC cycles? in [0-9.]+ s.*: the heap reaches its goal of [0-9.]+ [KMG]iB' "$1"
	no_note 'not kept|could not be read|ended early|C code without' "$1"

	# The program's own profile: what it has most of, ours has, too.
	go tool pprof -top -cum "$TMP/own.pb.gz" 2>/dev/null | awk '$5 + 0 >= 15 && $6 ~ /^main\./ { print $6 }' >"$TMP/own"
	between "$1: functions in its own profile" 3 "$(wc -l <"$TMP/own")" 20
	while read -r k; do
		between "$1: samples in $k, which its own profile has" $((n / 20)) "$(stacks | grep -F "$k" | awk '{ n += $1 } END { print n + 0 }')" "$n"
	done <"$TMP/own"
	stop "$TPID"
	said="$said$1 $n "
}
said=
if [ -n "${GO_RELEASES:-}" ]; then
	# shellcheck disable=SC2086 # a list of words
	for r in $(wanted_releases $GO_RELEASES); do
		toolchain "$r" >"$TMP/get" 2>&1 || die "$r can't be had"
		for v in ${VARIANTS:-pure-stripped cgo-stripped pure-pie}; do
			target_flags "$v"
			TARGET_SRC=targets/burn build_target "$TOOLCHAIN" "$TMP/exe" "$CGO" "${FLAGS[@]}" >"$TMP/build" 2>&1 ||
				die "$r $v: $(tail -n 3 "$TMP/build")"
			one "$r-$v" "$TMP/exe" "$CGO"
		done
	done
	finish "$said"
fi

# Another one burns at the same time: that it is left out, the sum says.
start_burn "$T/burn"
ask go
OTHER=$TPID
one pure "$T/burn" 0
stop "$OTHER"
one stripped "$T/burn-stripped" 1
one pie "$T/burn-pie" 1

# pprof reads the file, with all names, and sorts by time.
start_burn "$T/burn-stripped"
ask go
"$RSSCOPE" profile "$TPID" --type cpu --seconds 2 -o "$TMP/cpu.pb.gz" 2>"$TMP/err"
RC=$?
equal "exit of -o ($(head -c 300 "$TMP/err"))" $RC 0
go tool pprof -top "$TMP/cpu.pb.gz" >"$TMP/top" 2>/dev/null
grep -q '^Type: cpu$' "$TMP/top" || fail "pprof's type: $(head -n 4 "$TMP/top" | tr '\n' ' ')"
grep -qE '^ *[0-9.]+m?s .* main\.spin$' "$TMP/top" || fail "pprof's table: $(sed -n 1,9p "$TMP/top")"
grep -qE 'Duration: (2(\.[0-9]+)?s|[0-9.]+s, )' "$TMP/top" || fail "pprof's duration: $(grep Duration "$TMP/top")"
"$RSSCOPE" profile "$TPID" --type cpu --seconds 1 --rate 500 --folded >"$TMP/folded" 2>"$TMP/err"
RC=$?
equal "exit of --folded ($(head -c 300 "$TMP/err"))" $RC 0
grep -qE '^main\.burner\.func1;.*;main\.spin [0-9]+$' "$TMP/folded" || fail "--folded: $(head -n 3 "$TMP/folded")"

# Interrupted, it gives what there is.
"$RSSCOPE" profile "$TPID" --type cpu --seconds 60 --json >"$J" 2>"$TMP/err" &
P=$!
CHILDREN+=("$P")
begun
sleep 1
kill -INT "$P"
wait "$P"
RC=$?
equal "exit when interrupted ($(head -c 300 "$TMP/err"))" $RC 0
between "samples until then" 1 "$(samples ';main\.burn')" 2000
note '^ended early, after [0-9.]+ s: it was interrupted' "interrupted"

# It is killed: nothing stays.
"$RSSCOPE" profile "$TPID" --type cpu --seconds 60 --json >/dev/null 2>&1 &
P=$!
CHILDREN+=("$P")
begun
our_programs | grep -q . || fail "a CPU profile under way has no program in the kernel"
kill -KILL "$P"
wait "$P"
nothing_left "kill -9"

# The target ends in the middle, or becomes another program.
"$RSSCOPE" profile "$TPID" --type cpu --seconds 60 --json >"$J" 2>"$TMP/err" &
P=$!
CHILDREN+=("$P")
begun
ask exit
wait "$P"
equal "exit when the process ends" $? 0
between "samples until it ended" 1 "$(samples ';main\.burn')" 2000
note '^ended early, after [0-9.]+ s: the process ended' "ends"
"$RSSCOPE" profile "$TPID" --type cpu >"$TMP/out" 2>"$TMP/err"
equal "exit for a process that has ended" $? 3
background bash -c 'while [ $SECONDS -lt 12 ]; do :; done; exec sh -c "while :; do :; done"'
profile execs "$BPID" --seconds 60
note '^ended early, after [0-9.]+ s: the process called exec' "execs"

# One that does nothing has no samples; one of C has some, and no word on a collector.
start plain
profile idle "$TPID" --seconds 1
equal "samples of one that does nothing" "$(jq -c '[.total, .samples]' "$J")" '[0,[]]'
note '^no samples in [0-9.]+ s' "idle"
no_note 'GC' "idle"
"$RSSCOPE" profile "$TPID" --type cpu --seconds 1 --top 5 >"$TMP/out" 2>"$TMP/err"
RC=$?
equal "exit of a table of nothing ($(head -c 300 "$TMP/err"))" $RC 0
background sh -c 'while :; do :; done'
profile C "$BPID" --seconds 3
between "samples of a shell" 1 "$(samples)" 1000
no_note 'GC|C code without' "C"

# Without root it says what is missing.
if setpriv --reuid 65534 --regid 65534 --clear-groups true 2>/dev/null; then
	chmod 755 "$TMP"
	install -m 755 "$RSSCOPE" "$TMP/rsscope"
	# shellcheck disable=SC2016 # the inner shell's
	setpriv --reuid 65534 --regid 65534 --clear-groups sh -c 'sleep 60 & "$0" profile $! --type cpu --seconds 1; rc=$?; kill $!; exit $rc' "$TMP/rsscope" >"$TMP/out" 2>"$TMP/err"
	RC=$?
	equal "exit without rights ($(head -c 300 "$TMP/err"))" $RC 4
	grep -q 'CAP_BPF' "$TMP/err" || fail "without rights: $(cat "$TMP/err")"
fi
nothing_left "CPU profiles"
finish "$said"
