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
			grep -vE '^(main\.(churn|park|main|nested|waiter).*|runtime\.(main|goparkunlock|asyncPreempt)|\[running\]|time\.Sleep|sync\.\(\*Mutex\)\.Lock)$' >"$TMP/odd" &&
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
	for type in heap allocs goroutine threadcreate block mutex; do
		"$RSSCOPE" profile "$TPID" --type $type -o "$TMP/$1/$type.ours" || fail "$1: profile $type exits $?"
		"$RSSCOPE" profile "$TPID" --type $type --json >"$TMP/$1/$type.json" || fail "$1: profile $type --json exits $?"
	done
	ask "write $TMP/$1"
	for type in heap allocs block mutex; do
		# The runtime's own locks go on being profiled between the two.
		raw "$TMP/$1/$type.ours" | grep -vE ' runtime\.(unlock|_LostContended)' >"$TMP/ours"
		raw "$TMP/$1/$type.pb.gz" | grep -vE ' runtime\.(unlock|_LostContended)' >"$TMP/theirs"
		between "$1: samples of $type that the program tells" "${FEWEST[$type]}" "$(wc -l <"$TMP/theirs")" 100000
		diff "$TMP/ours" "$TMP/theirs" >"$TMP/diff" || fail "$1: $type differs (< ours): $(head -c 1500 "$TMP/diff")"
		equal "$1: notes on $type" "$(jq -c .notes "$TMP/$1/$type.json")" "${NOTES[$type]}"
		[ $type = mutex ] || equal "$1: total of $type in JSON" "$(jq .total "$TMP/$1/$type.json")" \
			"$(awk -v c="${COLUMN[$type]}" '{ s += $c } END { printf "%d", s }' "$TMP/theirs")"
	done
	# What one has more than the other: nothing, whoever wrote them, by us and by pprof.
	equal "$1: ours less theirs" "$("$RSSCOPE" diff "$TMP/$1/heap.pb.gz" "$TMP/$1/heap.ours" --json | jq -c '[.total, .samples]')" '[0,[]]'
	equal "$1: theirs less ours" "$("$RSSCOPE" diff "$TMP/$1/heap.ours" "$TMP/$1/heap.pb.gz" --json | jq -c '[.total, .samples]')" '[0,[]]'
	equal "$1: theirs less ours, by pprof" "$(go tool pprof -top -diff_base "$TMP/$1/heap.ours" "$TMP/$1/heap.pb.gz" 2>/dev/null | grep -c '%.*%')" 1
	# Threads: stacks of most are not recorded, which pprof shows as empty ones. One may have come in between.
	for _ in {1..5}; do
		raw "$TMP/$1/threadcreate.ours" | sed 's/\[not recorded\]:0$//' >"$TMP/ours"
		raw "$TMP/$1/threadcreate.pb.gz" | sed 's/:0\(;:0\)*$//' >"$TMP/theirs.threadcreate"
		diff "$TMP/ours" "$TMP/theirs.threadcreate" >"$TMP/diff.threads" && break
		"$RSSCOPE" profile "$TPID" --type threadcreate -o "$TMP/$1/threadcreate.ours" || fail "$1: profile threadcreate exits $?"
		mkdir -p "$TMP/again"
		ask "write $TMP/again"
		cp "$TMP/again/threadcreate.pb.gz" "$TMP/$1/"
	done
	between "$1: threads" 2 "$(awk '{ n += $6 } END { print n }' "$TMP/theirs.threadcreate")" 100
	[ -s "$TMP/diff.threads" ] && fail "$1: threadcreate differs (< ours): $(head -c 1500 "$TMP/diff.threads")"
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
declare -A FEWEST=([heap]=20 [allocs]=20 [block]=2 [mutex]=1) COLUMN=([heap]=4 [allocs]=2 [block]=8 [mutex]=8)
declare -A NOTES=([heap]='[]' [allocs]='[]' [mutex]='[]' [block]='["the program has switched it off: this was recorded before"]')
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

# Before a GC cycle has ended nothing is published: all that is counted stands for it.
start profiled early
"$RSSCOPE" profile "$TPID" -o "$TMP/early.ours" || fail "before a GC cycle: exit $?"
"$RSSCOPE" profile "$TPID" --json >"$TMP/early.json"
mkdir "$TMP/early"
ask "write $TMP/early"
raw "$TMP/early.ours" >"$TMP/ours"
raw "$TMP/early/heap.pb.gz" >"$TMP/theirs"
between "samples before a GC cycle" 2 "$(wc -l <"$TMP/ours")" 1000
diff "$TMP/ours" "$TMP/theirs" >"$TMP/diff" || fail "before a GC cycle: heap differs (< ours): $(head -c 1500 "$TMP/diff")"
jq -r '.notes[]' "$TMP/early.json" | grep -q 'fewer than two GC cycles' || fail "before a GC cycle: notes are $(jq -c .notes "$TMP/early.json")"
stop "$TPID"

# A program that has switched it off has what was sampled before.
start shapes buckets 100
"$RSSCOPE" profile "$TPID" --json >"$TMP/json" || fail "switched off: exit $?"
between "samples of a program that has switched it off" 100 "$(jq '.samples | length' "$TMP/json")" 100000
jq -r '.notes[]' "$TMP/json" | grep -q '^MemProfileRate is 0 now' || fail "switched off: notes are $(jq -c .notes "$TMP/json")"
equal "intervals of what is not scaled" "$(jq -c '[has("interval95"), has("period")]' "$TMP/json")" '[false,false]'
stop "$TPID"

# What has none says so, and why.
"$RSSCOPE" profile $$ >"$TMP/out" 2>"$TMP/err"
equal "exit for a shell" $? 1
grep -q 'no Go' "$TMP/err" || fail "a shell: $(cat "$TMP/err")"
start profiled
BUSY=$TPID BUSY_IN=$STDIN_FD
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
# Several in one pass; what one of them lacks leaves the others.
"$RSSCOPE" profile "$BUSY" --type heap,goroutine,heap -o "$TMP/dir" >"$TMP/out" 2>&1
equal "exit for two types" $? 0
equal "files of two types" "$(ls "$TMP/dir" | paste -sd' ')" "goroutine.pb.gz heap.pb.gz"
"$RSSCOPE" profile "$TPID" --type heap,goroutine -o "$TMP/dir2" >"$TMP/out" 2>"$TMP/err"
equal "exit where one of two is there" $? 5
equal "files where one of two is there" "$(ls "$TMP/dir2")" goroutine.pb.gz
grep -q '^rsscope: error: heap: .*MemProfileRate is 0' "$TMP/err" || fail "one of two: $(cat "$TMP/err")"
"$RSSCOPE" profile "$BUSY" --type heap,goroutine --json | jq -es 'map(.type) == ["heap", "goroutine"]' >"$TMP/out" ||
	fail "two JSON documents"
"$RSSCOPE" profile "$BUSY" --type heap,gorilla >"$TMP/out" 2>"$TMP/err"
equal "exit for a type that there is not" $? 2
grep -q "'gorilla'.*threadcreate" "$TMP/err" || fail "unknown type: $(cat "$TMP/err")"
"$RSSCOPE" profile "$BUSY" --type heap,goroutine --folded >"$TMP/out" 2>"$TMP/err"
equal "exit for two types folded" $? 2
# What changes in between, and nothing else.
"$RSSCOPE" profile "$BUSY" --type allocs --base "$TMP/dir/heap.pb.gz" --json >"$TMP/json" || fail "--base exits $?"
equal "allocated since, by a program that stands still" "$(jq -c '[.total, .samples]' "$TMP/json")" '[0,[]]'
"$RSSCOPE" profile "$BUSY" --type goroutine --base "$TMP/dir/heap.pb.gz" >"$TMP/out" 2>"$TMP/err"
equal "exit for a base of another type" $? 1
grep -q 'different types' "$TMP/err" || fail "a base of another type: $(cat "$TMP/err")"
"$RSSCOPE" profile "$BUSY" --base "$TMP/err" >"$TMP/out" 2>"$TMP/err2"
equal "exit for a base that is no profile" $? 1
"$RSSCOPE" profile "$BUSY" --type goroutine --seconds 3 --json >"$TMP/json" &
sleep 1
echo churn >&"$BUSY_IN"
wait $!
equal "exit of --seconds" $? 0
jq -e '.total > 0 and ([.functions[].name | select(startswith("main.churn"))] != []) and .duration_ns >= 3e9 and ([.samples[] | select(.values[0] < 0)] == [])' "$TMP/json" >"$TMP/out" ||
	fail "goroutines that came in 3 s: $(jq -c '[.total, .duration_ns]' "$TMP/json")"
stop "$BUSY"
stop "$TPID"
"$RSSCOPE" profile 999999999 >"$TMP/out" 2>"$TMP/err"
equal "exit for a process that is not there" $? 3
finish "$said"
