#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Profiles from a capture, after the process's end, without its executable and without root, are those that were taken of it: byte by
# byte of one that stands still; of one at work those that it tells itself of the same GC cycle. What it holds beyond a report is no
# contents of objects and stacks. A capture without them says so. GO_RELEASES="all" or some: of each of these, in VARIANTS.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/../go-matrix/toolchain.sh"
need_root
need_go
need_tool jq go curl nsenter setpriv
TYPES="heap allocs dead goroutine threadcreate"
raw() { go tool pprof -raw "$1" 2>/dev/null | awk -f "$(dirname "$0")/profile.awk" | sort; }
nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }
chmod 755 "$TMP"
nobody test -x "$RSSCOPE" || {
	cp "$RSSCOPE" "$TMP/rsscope" && RSSCOPE=$TMP/rsscope
}
mkdir -m 777 "$TMP/out.d"
# What each is in JSON, without when it was read; the pprof file as text.
take() { # WHO TARGET PREFIX
	local t
	for t in $TYPES; do
		$1 "$RSSCOPE" profile "$2" --type "$t" --json >"$3.$t.full" 2>"$TMP/err" || fail "$2: profile $t exits $?: $(cat "$TMP/err")"
		grep -v '^  "time": ' "$3.$t.full" >"$3.$t.json"
		$1 "$RSSCOPE" profile "$2" --type "$t" -o "$3.$t.pb.gz" 2>"$TMP/err" || fail "$2: profile $t -o exits $?: $(cat "$TMP/err")"
		go tool pprof -raw "$3.$t.pb.gz" 2>/dev/null | grep -v '^Time: ' >"$3.$t.raw"
	done
}
same() { # NAME PREFIX PREFIX
	local t
	for t in $TYPES; do
		[ -s "$2.$t.json" ] && [ -s "$2.$t.raw" ] || fail "$1: nothing was told of $t"
		diff "$2.$t.json" "$3.$t.json" >"$TMP/diff" || fail "$1: $t differs as JSON: $(head -n 6 "$TMP/diff")"
		diff "$2.$t.raw" "$3.$t.raw" >"$TMP/diff" || fail "$1: $t differs as a file: $(head -n 6 "$TMP/diff")"
	done
}

said=
# ---- one that stands still
one() { # NAME PROGRAM
	local name=$1 d=$TMP/out.d/$1 begun ended at t f
	cp "$2" "$TMP/exe"
	start_program "$TMP/exe"
	read -r -t 120 _ <&"$TRUTH_FD" || die "$name says nothing"
	freeze "$TPID"
	take "" "$TPID" "$d.live"
	begun=$(date -u +%FT%T)
	"$RSSCOPE" capture "$TPID" -o "$d.cap" >"$TMP/out" 2>"$TMP/err" || fail "$name: capture exits $?: $(cat "$TMP/err")"
	[ -s "$TMP/err" ] && fail "$name: capture says: $(cat "$TMP/err")"
	ended=$(date -u +%FT%T.9)
	"$RSSCOPE" capture "$TPID" --no-profiles -o "$d.none" >"$TMP/out" 2>"$TMP/err" || fail "$name: capture --no-profiles exits $?"
	stop "$TPID"
	rm "$TMP/exe"
	chmod 644 "$d.cap" "$d.none"
	take nobody "$d.cap" "$d.again"
	same "$name" "$d.live" "$d.again"
	for t in $TYPES; do # when it was taken, not when it is read
		at=$(jq -r .time "$d.again.$t.full")
		[[ $at > $begun && $at < $ended ]] || [[ $at == "$begun"* ]] || fail "$name: $t is of $at, captured from $begun to $ended"
	done
	# with names: of functions that were inlined, and of those into which
	for f in main.cacheLoad main.newBuffer main.sessions main.nested main.waiter.wait main.receive; do
		grep -qF "\"function\": \"$f\"" "$d.again".*.json || grep -qF "$f" "$d.again".*.raw || fail "$name: $f is not named"
	done
	said="$said$name "
	between "$name: bytes that the profiles take" 1000 $(($(stat -c %s "$d.cap") - $(stat -c %s "$d.none"))) 200000
	nobody "$RSSCOPE" report "$d.cap" --json | jq 'del(.reports[0].cost, .reports[0].time)' >"$TMP/with"
	[ "$(jq '.reports[0].ledger | length' "$TMP/with")" -gt 10 ] || fail "$name: no report from the capture"
	for t in $TYPES; do
		nobody "$RSSCOPE" profile "$d.none" --type "$t" >"$TMP/out" 2>"$TMP/err"
		equal "$name: exit for $t of a capture without profiles" $? 1
		grep -q "holds no $t profile.*--no-profiles" "$TMP/err" || fail "$name: without profiles: $(cat "$TMP/err")"
	done
}
if [ -n "${GO_RELEASES:-}" ]; then # of each of these, in VARIANTS
	# shellcheck disable=SC2086 # a list of words
	for r in $(wanted_releases $GO_RELEASES); do
		toolchain "$r" >"$TMP/get" 2>&1 || die "$r can't be had"
		for v in ${VARIANTS:-pure pure-stripped pure-pie cgo-stripped}; do
			target_flags "$v"
			TARGET_SRC=targets/profiled build_target "$TOOLCHAIN" "$TMP/built" "$CGO" "${FLAGS[@]}" >"$TMP/build" 2>&1 ||
				die "$r $v: $(tail -n 3 "$TMP/build")"
			one "$r-$v" "$TMP/built"
		done
	done
	finish "$said"
fi
for name in profiled profiled-pie; do
	one $name "$T/$name"
done

# ---- what is in it
${CC:-cc} -std=gnu11 -D_GNU_SOURCE -I"$ROOT/include" -o "$TMP/recapture" "$ROOT/tests/tools/recapture.c" -lz || die "recapture does not build"
start profiled
"$RSSCOPE" capture "$TPID" -o "$TMP/c.profiled" >/dev/null || fail "capture of profiled"
"$RSSCOPE" profile "$TMP/c.profiled" --type goroutine --json >"$TMP/goroutine.json" || fail "no goroutines in it"
"$TMP/recapture" -x <"$TMP/c.profiled" >"$TMP/unpacked" || die "recapture"
# A return address of a stack is there, as it lies in memory: what follows would be found.
at=$(jq -r '[.locations[] | select(any(.frames[]; .function == "main.parkWithText"))][0].address' "$TMP/goroutine.json")
in_memory() { printf '%016x\n' $(($1 + 1)) | fold -w 2 | tac | sed 's/^/\\x/' | tr -d '\n'; }
LC_ALL=C grep -qaP "$(in_memory "$at")" "$TMP/unpacked" || fail "the address $at + 1 is not in the unpacked capture"
text="no capture holds what lies on a stack"
writable() { # PID: its contents
	local range perms rest
	while read -r range perms rest; do
		[[ $perms == rw* ]] || continue
		dd if="/proc/$1/mem" bs=1M iflag=skip_bytes,count_bytes skip=$((0x${range%-*})) count=$((0x${range#*-} - 0x${range%-*})) 2>/dev/null
	done <"/proc/$1/maps"
}
writable "$TPID" | grep -aF -m 1 "$text" >/dev/null || fail "the text is on no stack: nothing is tested"
grep -qaF "$text" "$TMP/unpacked" && fail "the capture holds what lies on a stack"
grep -qaE "lies on a|hat lies|capture holds" "$TMP/unpacked" && fail "the capture holds parts of what lies on a stack"
stop "$TPID"

# ---- what has none
"$RSSCOPE" profile "$ROOT/tests/captures/go126pure.rsc" >"$TMP/out" 2>"$TMP/err"
equal "exit for an older capture" $? 1
grep -q "holds no heap profile" "$TMP/err" || fail "an older capture: $(cat "$TMP/err")"
"$RSSCOPE" profile "$ROOT/tests/captures/c-program.rsscap" >"$TMP/out" 2>"$TMP/err"
equal "exit for a capture of a C program" $? 1
grep -q 'no Go' "$TMP/err" || fail "a C program: $(cat "$TMP/err")"
start fixture-pure -heap 4
"$RSSCOPE" capture "$TPID" -o "$TMP/c.off" >/dev/null || fail "capture of a program without the profiler"
stop "$TPID"
"$RSSCOPE" profile "$TMP/c.off" >"$TMP/out" 2>"$TMP/err"
equal "exit for a program that was linked without the profiler" $? 1
grep -q 'MemProfileRate is 0' "$TMP/err" || fail "no profiler: $(cat "$TMP/err")"

# ---- while goroutines begin, run and end: each stack of the capture is of one moment
start profiled
ask churn
for i in {1..3}; do
	"$RSSCOPE" capture "$TPID" -o "$TMP/c.churn" >/dev/null 2>"$TMP/err" || fail "capture of goroutines that churn exits $?: $(cat "$TMP/err")"
	"$RSSCOPE" profile "$TMP/c.churn" --type goroutine --json >"$TMP/churn.json" || fail "profile of goroutines that churn exits $?"
	equal "incomplete stacks" "$(jq -c '[.notes[] | select(contains("incomplete"))]' "$TMP/churn.json")" '[]'
	jq -r '.locations as $l | .samples[] | select((.stack | length) < 128) | $l[.stack[-1]].frames[-1].function' "$TMP/churn.json" |
		grep -vE '^(main\.(churn|park|main|nested|waiter).*|runtime\.(main|goparkunlock)|\[running\]|time\.Sleep|sync\.\(\*Mutex\)\.Lock)$' >"$TMP/odd" &&
		fail "stacks that end at $(sort -u "$TMP/odd" | head -n 5 | tr '\n' ' ')"
	between "goroutines while they churn" 200 "$(jq .total "$TMP/churn.json")" 2500
done
stop "$TPID"

# ---- a real program at work, of the same GC cycle as it tells itself
cycles() { "$RSSCOPE" report "$TPID" --json | jq '.reports[0].go.metrics["/gc/cycles/total:gc-cycles"]'; }
start_prometheus
load_prometheus
found=0
for ((i = 0; i < 60 && found < 3; i++)); do
	before=$(cycles)
	"$RSSCOPE" capture "$TPID" -o "$TMP/prom.$found" >/dev/null || fail "prometheus: capture exits $?"
	inside "$TPID" curl -s -o "$TMP/prom.$found.pb.gz" http://127.0.0.1:9090/debug/pprof/heap || fail "prometheus: no profile of its own"
	[ "$before" = "$(cycles)" ] && found=$((found + 1))
	sleep 1
done
between "captures within one GC cycle" 3 $found 3
stop "$TPID"
for ((i = 0; i < found; i++)); do
	chmod 644 "$TMP/prom.$i"
	nobody "$RSSCOPE" profile "$TMP/prom.$i" -o "$TMP/out.d/prom.pb.gz" || fail "prometheus: profile of the capture exits $?"
	raw "$TMP/out.d/prom.pb.gz" >"$TMP/ours"
	raw "$TMP/prom.$i.pb.gz" >"$TMP/theirs"
	between "prometheus: samples" 5 "$(wc -l <"$TMP/theirs")" 100000
	diff "$TMP/ours" "$TMP/theirs" >"$TMP/diff" || fail "prometheus: differs (< ours): $(head -c 1500 "$TMP/diff")"
done
finish "prometheus $(wc -l <"$TMP/theirs") samples, $(stat -c %s "$TMP/prom.0") bytes"
