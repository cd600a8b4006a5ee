#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Findings on what dominates the memory, who allocates it and who waits: each with a program that
# brings it about (tests/scenarios), whose own figures are the witness, and one that nearly does.
. "$(dirname "$0")/lib.sh"
need_root
need_tool jq
. "$(dirname "$0")/scenarios.sh"
deep=$OUTPUT/scenarios/deep
gcc -std=gnu11 -D_GNU_SOURCE -O1 -pthread -o "$deep" "$ROOT/tests/scenarios/deep.c" || die "deep does not build"

passed=0
id() { q ".findings[] | select(.id == \"$1\")" | grep -q .; } # ID
evidence() { q ".findings[] | select(.id == \"$1\") | .evidence[] | select(.name == \"$2\") | .value"; } # ID NAME
# What every finding has; the verdict is the first one's, and nothing is more severe than it.
whole() {
	equal "findings without evidence, advice, a sentence or a next command" "$(q '[.findings[]
		| select((.evidence | length) == 0 or (.advice | length) == 0 or (.summary | endswith(".") | not) or .next == null)] | length')" 0
	equal "the verdict opens with the first finding" "$(q '. as $r | .verdict | startswith($r.findings[0].summary)')" true
}
first() { # WHAT ID
	report "$TPID"
	equal "first finding of $1" "$(q '.findings[0].id')" "$2"
	whole
	passed=$((passed + 1))
}
silent() { # WHAT
	report "$TPID"
	equal "findings of $1" "$(q '[.findings[].id] | join(" ")')" ""
	grep -q '^RSS is ' <<<"$(q .verdict)" || fail "$1: the verdict is no sentence on RSS"
	passed=$((passed + 1))
}
says() { grep -qF -- "$1" <<<"$(q .verdict)" || fail "the verdict lacks \"$1\": $(q .verdict)"; } # WORDS
sites() { q ".ledger[] | select(.category == \"$1\") | .profiles[]? | select(.type == \"$2\") | $3"; } # CATEGORY TYPE FILTER
nearly() { # SCENARIO [ENV…]
	scenario "$@"
	silent "$1"
	stop "$TPID"
}

# ---- goroutines
scenario parked
first parked goroutine-stacks
says "30000 goroutines wait in a channel send in main.send (created by main."
equal "in the largest group" "$(evidence goroutine-stacks 'in the largest group')" 30000
equal "goroutines of the first site" "$(sites go/stacks goroutine '.sites[0].count')" 30000
equal "what it waits in" "$(sites go/stacks goroutine '.sites[0].waits_in')" "a channel send"
equal "the caller" "$(sites go/stacks goroutine '.sites[0] | .stack[.caller].func')" main.send
equal "all goroutines are in the profile" "$(sites go/stacks goroutine .count)" "$(q .go.goroutines.total)"
equal "their stacks are those of all goroutines" "$(sites go/stacks goroutine .bytes)" "$(q .go.goroutines.stack_bytes)"
between "used of them" $((30000 * 100)) "$(q .go.goroutines.stack_used)" "$(q '.go.goroutines.stack_bytes - 1')"
rs report "$TPID"
grep -q '^ *[0-9.]* MiB  *30000 in main.send, a channel send' "$TMP/out" || fail "the text does not name the goroutines below their row"
grep -q "^next *rsscope profile $TPID --type goroutine" "$TMP/out" || fail "the text has no next command"
# A capture has no names: the same finding without them, and its replay says the same.
rs capture "$TPID" -o "$TMP/parked.rsc" --report --json
cp "$TMP/out" "$TMP/live.json"
rs report "$TMP/parked.rsc" --json
cmp -s "$TMP/live.json" "$TMP/out" || fail "the replay is not the live report"
equal "finding of the capture" "$(jq -r '.reports[0].findings[0].id' "$TMP/out")" goroutine-stacks
equal "profiles of the capture" "$(jq '[.reports[0].ledger[] | select(.profiles)] | length' "$TMP/out")" 0
stop "$TPID"
nearly parked-few

scenario ended
first ended dead-goroutines
between "ended goroutines" 199990 "$(evidence dead-goroutines 'ended goroutines')" 200010
between "their descriptors against the heap that the program knows" \
	$(($(jq .heap_alloc "$TMP/truth") * 90 / 100)) "$(evidence dead-goroutines 'all of them')" "$(jq .heap_alloc "$TMP/truth")"
equal "goroutines alive" "$(q '.go.goroutines.total < 20')" true
stop "$TPID"
nearly ended-few

# ---- what the runtime keeps for itself, and the heap
scenario buckets
first buckets profiler-buckets
says "of them through main.walk"
between "stacks through it" 131072 "$(sites go/profiler buckets '.sites[0].count')" 131100
between "stacks" 131072 "$(evidence profiler-buckets stacks)" 131400
stop "$TPID"
nearly buckets-few
scenario garbage
first garbage gc-garbage
says "GOGC=400"
says "allocated by main.touched"
between "of the sites of garbage, by some 280 samples" $((110 * MIB)) "$(sites go/heap/new-or-dead dead .bytes)" $((170 * MIB))
between "garbage" $((139 * MIB)) "$(evidence gc-garbage 'allocated since or garbage')" $((142 * MIB))
between "live" $((39 * MIB)) "$(evidence gc-garbage live)" $((42 * MIB))
equal "the goal" "$(evidence gc-garbage goal)" "$(jq .next_gc "$TMP/truth")"
stop "$TPID"
nearly garbage-due
scenario sparse
first sparse heap-fragmented
says "allocated by main.init.sparse"
between "objects of that size that live, by some 250 samples" 12500 "$(sites go/heap/unused heap .count)" 20500
between "spans" 16300 "$(evidence heap-fragmented 'its spans')" 16500
between "objects" 16300 "$(evidence heap-fragmented 'its objects')" 16600
equal "size class" "$(evidence heap-fragmented 'size class')" 128
between "free slots" $((100 * MIB)) "$(evidence heap-fragmented 'free slots')" $((130 * MIB))
stop "$TPID"
nearly sparse-due
scenario untouched
first untouched live-not-resident
between "never touched" $((299 * MIB)) "$(evidence live-not-resident 'never touched')" $((301 * MIB))
stop "$TPID"
scenario live
silent "110 MiB that are touched"
equal "who has allocated what lives" "$(sites go/heap/live heap '.sites[0] | .stack[.caller].func')" main.touched
between "bytes of it, by some 200 samples" $((80 * MIB)) "$(sites go/heap/live heap '.sites[0].bytes')" $((140 * MIB))
stop "$TPID"
scenario peak GODEBUG=madvdontneed=0
ask step
report "$TPID"
if [ "$(q '[.ledger[] | select(.category == "go/heap/released") | .rows[] | select(.name == "lazily freed") | .resident] | add // 0')" -gt $((100 * MIB)) ]; then
	first "memory given back lazily" lazily-freed
	between "lazily freed, against smaps_rollup" $(($(awk '/^LazyFree/ { print $2 }' "/proc/$TPID/smaps_rollup") * 1024 * 95 / 100)) \
		"$(evidence lazily-freed 'lazily freed')" $(($(awk '/^LazyFree/ { print $2 }' "/proc/$TPID/smaps_rollup") * 1024 * 105 / 100))
else
	echo "the kernel has taken what was given back lazily, or gives no such pages"
fi
stop "$TPID"
scenario peak
ask step
silent "the same with MADV_DONTNEED"
stop "$TPID"

# ---- time
scenario thrash
report "$TPID"
id gc-pressure || fail "gc-pressure of thrash: $(q '[.findings[].id] | join(" ")')"
whole
grep -q GOMEMLIMIT <<<"$(q '.findings[] | select(.id == "gc-pressure") | .summary')" || fail "GOMEMLIMIT is not named"
passed=$((passed + 1))
stop "$TPID"
scenario assist
report "$TPID"
id allocation-stalls || fail "allocation-stalls of assist: $(q '[.findings[].id] | join(" ")')"
whole
passed=$((passed + 1))
stop "$TPID"
nearly calm

# ---- threads
scenario blocked
first blocked threads-blocked
says "main.readBlocking"
between "threads in read" 150 "$(evidence threads-blocked read)" 152
equal "threads, against /proc" "$(q '[.threads.in[]] | add')" "$(find "/proc/$TPID/task" -mindepth 1 -maxdepth 1 | wc -l)"
ask step
silent "the same threads, idle"
stop "$TPID"
deep() { # THREADS KIB
	start_program "$deep" "$@"
	read -r -t 60 line <&"$TRUTH_FD" || die "deep says nothing"
	printf '%s\n' "$line" >"$TMP/truth"
}
deep 100 1024
first "100 deep stacks" thread-stacks
between "touched" "$(jq .touched "$TMP/truth")" "$(evidence thread-stacks 'thread stacks')" $(($(jq .touched "$TMP/truth") + 100 * 16384))
between "unused" $(($(jq .touched "$TMP/truth") - 100 * 8192)) "$(evidence thread-stacks unused)" "$(jq .touched "$TMP/truth")"
equal "stacks" "$(evidence thread-stacks stacks)" 100
stop "$TPID"
deep 100 64
silent "100 shallow stacks"
stop "$TPID"

# ---- finalizers
scenario finalizers
report "$TPID"
if [ "$(q '.go.finalizers_waiting // "none"')" = none ]; then
	echo "finalizers that wait are not counted"
else
	first finalizers finalizers-stuck
	says "main.stuck"
	between "waiting" 1990 "$(evidence finalizers-stuck waiting)" 2010
fi
stop "$TPID"
nearly finalizers-ok

# ---- more sites when they are asked for: of the live heap, which is no quarter here
scenario cache
rs report "$TPID" --top 5 --json
equal "categories with sites" "$(jq -r '[.reports[0].ledger[] | select(.profiles) | .category] | any(. == "go/stacks")' "$TMP/out")" true
rs report "$TPID" --top 0
equal "exit of --top 0" "$RC" 2
stop "$TPID"
finish "$passed scenarios"
