#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Profiles read from outside against those that the program writes of itself: sample by sample, all four values, stacks with
# inlined functions; of stripped and PIE binaries. GO_RELEASES="all" or some: of each of these, in VARIANTS.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/../go-matrix/toolchain.sh"
need_root
need_go
need_tool jq go
raw() { go tool pprof -raw "$1" 2>/dev/null | awk -f "$(dirname "$0")/profile.awk" | sort; }
# While goroutines begin, run and end: each stack is of one moment, so it ends where a goroutine of the program begins (or is as deep as
# stacks are told), and no more than run are without one.
check_churn() { # NAME
	local i most=0
	ask churn
	for i in {1..6}; do
		"$RSSCOPE" profile "$TPID" --type goroutine --json >"$TMP/churn.json" || fail "$1: profile of goroutines that churn exits $?"
		equal "$1: incomplete stacks" "$(jq -c '[.notes[] | select(contains("incomplete"))]' "$TMP/churn.json")" '[]'
		jq -r '.locations as $l | .samples[] | select((.stack | length) < 128) | $l[.stack[-1]].frames[-1].function' "$TMP/churn.json" |
			grep -vE '^(main\.(churn|park|main|nested|waiter).*|runtime\.(main|goparkunlock)|\[running\]|time\.Sleep|sync\.\(\*Mutex\)\.Lock)$' >"$TMP/odd" &&
			fail "$1: stacks that end at $(sort -u "$TMP/odd" | head -n 5 | tr '\n' ' ')"
		i=$(jq .total "$TMP/churn.json")
		most=$((i > most ? i : most))
		between "$1: goroutines without a stack" 0 "$(jq '.locations as $l | [.samples[] | select($l[.stack[0]].frames[0].function == "[running]") | .values[0]] | add // 0' "$TMP/churn.json")" $(($(nproc) + 8))
	done
	between "$1: goroutines at most" 300 "$most" 2500
}
one() { # NAME PROGRAM
	local type line
	start_program "$2"
	read -r -t 120 line <&"$TRUTH_FD" || die "$1 says nothing"
	mkdir -p "$TMP/$1"
	for type in heap allocs goroutine; do
		"$RSSCOPE" profile "$TPID" --type $type -o "$TMP/$1/$type.ours" || fail "$1: profile $type exits $?"
		"$RSSCOPE" profile "$TPID" --type $type --json >"$TMP/$1/$type.json" || fail "$1: profile $type --json exits $?"
	done
	ask "write $TMP/$1"
	for type in heap allocs; do
		raw "$TMP/$1/$type.ours" >"$TMP/ours"
		raw "$TMP/$1/$type.pb.gz" >"$TMP/theirs"
		between "$1: samples of $type that the program tells" 20 "$(wc -l <"$TMP/theirs")" 100000
		diff "$TMP/ours" "$TMP/theirs" >"$TMP/diff" || fail "$1: $type differs (< ours): $(head -c 1500 "$TMP/diff")"
		equal "$1: notes on $type" "$(jq -c .notes "$TMP/$1/$type.json")" '[]'
		equal "$1: total of $type in JSON" "$(jq .total "$TMP/$1/$type.json")" \
			"$(awk -v c="$([ $type = heap ] && echo 4 || echo 2)" '{ s += $c } END { printf "%d", s }' "$TMP/theirs")"
	done
	# Without the one that writes them, which waits for a line as we see it.
	raw "$TMP/$1/goroutine.ours" | grep -v 'main\.main:' >"$TMP/ours"
	raw "$TMP/$1/goroutine.pb.gz" | grep -v 'main\.main:' >"$TMP/theirs.goroutine"
	between "$1: stacks of goroutines that the program tells" 10 "$(wc -l <"$TMP/theirs.goroutine")" 100
	diff "$TMP/ours" "$TMP/theirs.goroutine" >"$TMP/diff" || fail "$1: goroutine differs (< ours): $(head -c 1500 "$TMP/diff")"
	equal "$1: notes on goroutines" "$(jq -c .notes "$TMP/$1/goroutine.json")" '[]'
	check_churn "$1"
	echo "$1: $(wc -l <"$TMP/theirs") samples equal"
	said="$said$1 $(wc -l <"$TMP/theirs") "
	stop "$TPID"
}
said=
if [ -z "${GO_RELEASES:-}" ]; then
	one stripped "$T/profiled"
	one pie "$T/profiled-pie"
else
	# shellcheck disable=SC2086 # a list of words
	for r in $(wanted_releases $GO_RELEASES); do
		toolchain "$r" >"$TMP/get" 2>&1 || die "$r can't be had"
		for v in ${VARIANTS:-pure pure-stripped pure-pie cgo-stripped}; do
			target_flags "$v"
			TARGET_SRC=targets/profiled build_target "$TOOLCHAIN" "$TMP/exe" "$CGO" "${FLAGS[@]}" >"$TMP/build" 2>&1 ||
				die "$r $v: $(tail -n 3 "$TMP/build")"
			one "$r-$v" "$TMP/exe"
		done
	done
fi

# What has none says so, and why.
"$RSSCOPE" profile $$ >"$TMP/out" 2>"$TMP/err"
equal "exit for a shell" $? 1
grep -q 'no Go' "$TMP/err" || fail "a shell: $(cat "$TMP/err")"
start profiled
BUSY=$TPID
start fixture-pure -heap 4
"$RSSCOPE" profile "$TPID" >"$TMP/out" 2>"$TMP/err"
equal "exit for a program that was linked without the profiler" $? 1
grep -q 'MemProfileRate is 0' "$TMP/err" || fail "no profiler: $(cat "$TMP/err")"
"$RSSCOPE" profile "$TPID" -o "$TMP/none/x" >"$TMP/out" 2>"$TMP/err"
equal "exit where the file can't be written" $? 1
mknod "$TMP/full" c 1 7 || die "no device can be made"
"$RSSCOPE" profile "$BUSY" -o "$TMP/full" >"$TMP/out" 2>"$TMP/err"
equal "exit where the device is full" $? 1
[ -c "$TMP/full" ] || fail "a device that was written to is gone"
stop "$BUSY"
stop "$TPID"
"$RSSCOPE" profile 999999999 >"$TMP/out" 2>"$TMP/err"
equal "exit for a process that is not there" $? 3
finish "$said"
