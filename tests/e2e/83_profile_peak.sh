#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What the heap held at its peak, under watch and run: a spike of some hundred milliseconds that is long gone is named by its
# allocation site, with its bytes; a program without one names what it holds; between growths the probe is not hit.
# GO_RELEASES="all" or some: of each of these, in VARIANTS.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/watch.sh"
. "$(dirname "$0")/../go-matrix/toolchain.sh"
need_probes
need_go
need_tool jq go
BLOCK=$((256 << 10)) HELD=$((64 * MIB))
ARENA=$((64 * MIB)) # which old releases count as the heap's at once
MIBS=1024
[ "$(awk '$1 == "MemAvailable:" { print int($2 / 1024) }' /proc/meminfo)" -ge 4096 ] || MIBS=512
# Sampled with probability p, of N objects n are found on average, with variance n (1 - p): within 4 of its deviations.
sampled() { awk -v n="$1" -v size="$BLOCK" 'BEGIN { p = 1 - exp(-size / 524288); d = 4 * sqrt(n * p * (1 - p)) / p; printf "%d %d\n", (n - d) * size, (n + d) * size }'; } # OBJECTS: low, high
# FUNCTION: bytes of the rows that have it in their stack.
site() { jq "[.rows[] | select(any(.stack[]; .func == \"$1\")) | .bytes] | add // 0" "$TMP/peak"; }
# Calls of (*mheap).grow so far, once all is there.
growths() {
	drained
	jq -s 'map(select(.type == "heap_growth")) | (last.growths // 0)' "$WOUT"
}
check_spike() { # NAME: $TMP/peak, of a spike that $TMP/truth tells
	local low high
	read -r low high < <(sampled "$(truth .objects)")
	equal "$1: the first site's caller" "$(jq -r '.rows[0] | .stack[.caller].func' "$TMP/peak")" main.load
	equal "$1: who called it" "$(jq -r '[.rows[0].stack[].func] | index("main.spike") != null' "$TMP/peak")" true
	between "$1: bytes of the spike" "$low" "$(site main.spike)" "$high"
	read -r low high < <(sampled $((HELD / BLOCK)))
	between "$1: bytes of what is held" "$low" "$(site main.hold)" "$high"
	# what is less than a hundredth more is not read again
	between "$1: heap in use" $(((MIBS * MIB + HELD) * 99 / 100)) "$(jq .heap_bytes "$TMP/peak")" $(((MIBS * MIB + HELD) * 3 / 2))
	between "$1: the interval's ends" "$(jq .low "$TMP/peak")" "$(jq .total "$TMP/peak")" "$(jq .high "$TMP/peak")"
	equal "$1: notes" "$(jq -c .notes "$TMP/peak")" '[]'
	between "$1: readings of the buckets" 2 "$(jq .readings "$TMP/peak")" 200
}
# The file as pprof reads it: the same bytes by function.
check_file() { # NAME FILE
	go tool pprof -raw "$2" >"$TMP/raw" 2>/dev/null || fail "$1: pprof does not read the file"
	equal "$1: the file's types" "$(awk '/^Samples:/ { getline; print; exit }' "$TMP/raw")" "inuse_space/bytes[dflt] inuse_objects/count"
	equal "$1: bytes by main.spike in the file" "$(go tool pprof -sample_index=inuse_space -unit=B -top -cum -nodecount=500 "$2" 2>/dev/null | awk '$NF == "main.spike" { print $4 + 0 }')" "$(site main.spike)"
}
one() { # NAME PROGRAM
	local i before sys hits quiet=0
	start_program "$2"
	read -r -t 120 line <&"$TRUTH_FD" || die "$1 says nothing"
	watch "$TPID" --json --no-mappings --peak-profile "$TMP/peak.pb.gz"
	# While the heap works in the address space that it has, nothing of it is seen.
	ask "work 8"
	for ((i = 0; i < 10 && quiet < 2; i++)); do
		sys=$(truth .sys)
		before=$(growths)
		ask "work 20"
		hits=$(($(growths) - before))
		between "$1: growths, of 4 MiB at least" 0 $hits $((($(truth .sys) - sys + ARENA) / (4 * MIB)))
		[ $hits != 0 ] || quiet=$((quiet + 1))
	done
	equal "$1: times that 20 GC cycles hit no probe" "$quiet" 2
	sys=$(truth .sys)
	before=$(growths)
	ask "spike $MIBS"
	cp "$TMP/truth" "$TMP/spiked"
	ask "work 8"
	sleep 1
	kill -INT "$WPID"
	watched
	cp "$TMP/spiked" "$TMP/truth"
	equal "$1: watch exits" "$RC" 0
	hits=$(($(jq -s 'map(select(.type == "heap_growth")) | (last.growths // 0)' "$WOUT") - before))
	between "$1: growths, of 4 MiB at least" $((MIBS / 8)) "$hits" $((($(truth .sys) - sys + ARENA) / (4 * MIB)))
	equal "$1: the probe" "$(events start '.programs[] | select(.name == "heap_grow") | .attached')" true
	jq 'select(.type == "peak")' "$WOUT" >"$TMP/peak"
	equal "$1: peaks" "$(jq -s length "$TMP/peak")" 1
	equal "$1: each growth was seen" "$(jq .by_growth "$TMP/peak")" true
	check_spike "$1"
	check_file "$1" "$TMP/peak.pb.gz"
	# The heap of now has nothing of it.
	"$RSSCOPE" profile "$TPID" --json >"$TMP/after" || fail "$1: profile after it exits $?"
	equal "$1: the spike in the heap of now" "$(jq '[.functions[] | select(.name == "main.spike") | .cum] | add // 0' "$TMP/after")" 0
	stop "$TPID"
	said="$said$1 $(jq -r .readings "$TMP/peak") readings, $hits growths; "
}
under_run() { # NAME PROGRAM: from its first instruction, and after its end
	local rc
	"$RSSCOPE" run --json -o "$TMP/report.json" --no-mappings --peak-profile "$TMP/run.pb.gz" -- "$2" spike "$MIBS" >"$TMP/run.out" 2>"$TMP/err"
	rc=$?
	equal "$1: run exits" $rc 0
	tail -n 1 "$TMP/run.out" >"$TMP/truth"
	q .peak >"$TMP/peak"
	check_spike "$1 under run"
	check_file "$1 under run" "$TMP/run.pb.gz"
}
said=
if [ -z "${GO_RELEASES:-}" ]; then
	one stripped "$T/peak"
	one pie "$T/peak-pie"
	under_run stripped "$T/peak"
else
	# shellcheck disable=SC2086 # a list of words
	for r in $(wanted_releases $GO_RELEASES); do
		toolchain "$r" >"$TMP/get" 2>&1 || die "$r can't be had"
		for v in ${VARIANTS:-pure-stripped pure-pie cgo-stripped}; do
			target_flags "$v"
			TARGET_SRC=targets/peak build_target "$TOOLCHAIN" "$TMP/exe" "$CGO" "${FLAGS[@]}" >"$TMP/build" 2>&1 ||
				die "$r $v: $(tail -n 3 "$TMP/build")"
			one "$r-$v" "$TMP/exe"
			under_run "$r-$v" "$TMP/exe"
		done
	done
	finish "$said"
fi

# Without a spike: what it holds, and no growth.
start_program "$T/peak"
read -r -t 120 line <&"$TRUTH_FD" || die "peak says nothing"
watch "$TPID" --json --no-mappings
ask "work 20"
sleep 0.5
kill -INT "$WPID"
watched
jq 'select(.type == "peak")' "$WOUT" >"$TMP/peak"
equal "no spike: the first site" "$(jq -r '.rows[0].stack | map(.func) | index("main.hold") != null' "$TMP/peak")" true
equal "no spike: bytes of one" "$(site main.spike)" 0
between "no spike: heap in use" $HELD "$(jq .heap_bytes "$TMP/peak")" $((2 * HELD))

# Where growth can't be traced its size is asked for, which is said; text names the site, too. The process ends first.
start_program "$T/peak"
read -r -t 120 line <&"$TRUTH_FD" || die "peak says nothing"
"$RSSCOPE" watch "$TPID" --events threads --peak-profile "$TMP/ticks.pb.gz" >"$TMP/text" 2>"$TMP/text.err" {STDIN_FD}>&- {TRUTH_FD}<&- &
WPID=$!
CHILDREN+=("$WPID")
sleep 1.5
ask "spike $MIBS"
close_stdin
watched
equal "without the probe: watch exits" "$RC" 0
go tool pprof -top "$TMP/ticks.pb.gz" 2>/dev/null | sed -n '/flat%/,$p' | sed -n 2p | grep -q 'main\.load$' ||
	fail "without the probe: $(go tool pprof -top "$TMP/ticks.pb.gz" 2>&1 | head -n 8)"
tr -s ' \n' ' ' <"$TMP/text" >"$TMP/words"
grep -q 'main.load main.go:[0-9]* [^ ]* main.spike' "$TMP/words" || fail "the text does not name the spike: $(tail -n 8 "$TMP/text")"
grep -q 'growth of the heap was not traced' "$TMP/words" || fail "the text does not say that growth was not traced"

# What has no heap profile says so where its peak is asked for.
start fixture-pure -heap 4
"$RSSCOPE" watch "$TPID" --no-mappings -d 1 --peak-profile "$TMP/none.pb.gz" >"$TMP/out" 2>"$TMP/err"
equal "exit without a heap profile" $? 5
grep -q 'MemProfileRate is 0' "$TMP/err" || fail "no heap profile: $(cat "$TMP/err")"
"$RSSCOPE" watch "$TPID" --no-mappings -d 1 --peak-profile "$TMP/none/x" >"$TMP/out" 2>"$TMP/err"
equal "exit where the file can't be written" $? 1
finish "$said"
