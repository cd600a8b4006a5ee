#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Objects by type against a program that knows how many it has of each, and which of their pages are there; all size classes against
# the runtime's own counters; sums against the ledger. Stripped and PIE. GO_RELEASES="all" or some: of each of these, in VARIANTS.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/../go-matrix/toolchain.sh"
need_root
need_go
need_tool jq
# {NAME: {live, objects, resident, dead}} of a profile in JSON.
by_name() { jq -S '.locations as $l | [.samples[] | {key: $l[.stack[0]].frames[0].function, value: {live: .values[0], objects: .values[1], resident: .values[2], dead: .values[3]}}] | from_entries' "$1"; }
profile_of() { # NAME: of TPID, into $TMP/profile.json
	"$RSSCOPE" profile "$TPID" --type types --json >"$TMP/profile.json" 2>"$TMP/err" || fail "$1: profile exits $?: $(head -c 300 "$TMP/err")"
}
# Of a frozen process the ledger is that of the same memory: bytes live, of them resident, new or dead.
check_sums() { # NAME
	frozen_report "$TPID"
	equal "$1: sums, and the ledger's" "$(jq -c '[.samples[].values] | transpose | map(add) | [.[0], .[2], .[3]]' "$TMP/profile.json")" \
		"$(q '[.ledger[] | {key: .category, value: .}] | from_entries | [."go/heap/live".virtual, ."go/heap/live".resident, ."go/heap/new-or-dead".virtual]' | jq -c .)"
	equal "$1: columns" "$(jq -c '[.values[].type]' "$TMP/profile.json")" '["live_space","live_objects","resident_space","new_or_dead_space"]'
}
# Each size class of at most 512 bytes: live, new and dead objects are those that the runtime has counted, but for a few that it makes itself
# after it has.
check_classes() { # NAME
	jq -n --slurpfile t "$TMP/truth" --slurpfile p "$TMP/by_name" '$t[0].classes | to_entries | map(.key as $size | ($size | tonumber) as $bytes
		| [$p[0] | to_entries[] | select(.key | test("^(small|scan|noscan) " + $size + " B")) | .value | .objects + .dead / $bytes]
		| add // 0 | {size: $bytes, ours: ., theirs: null}) as $ours
		| [$ours[] | .theirs = $t[0].classes[.size | tostring] | select(.ours - .theirs > 4 or .ours < .theirs)]' >"$TMP/odd" || fail "$1: size classes can't be compared"
	equal "$1: size classes that differ" "$(jq -c . "$TMP/odd")" '[]'
}
one() { # NAME PROGRAM MINOR
	local line
	start_program "$2"
	read -r -t 120 line <&"$TRUTH_FD" || die "$1 says nothing"
	printf '%s\n' "$line" >"$TMP/truth"
	freeze "$TPID"
	profile_of "$1"
	by_name "$TMP/profile.json" >"$TMP/by_name"
	between "$1: types that the program tells" 10 "$(jq '.types | length' "$TMP/truth")" 100
	if [ "$3" -ge 22 ] && [ -z "${EXPERIMENT:-}" ]; then
		equal "$1: types" "$(jq -S -c --slurpfile t "$TMP/truth" '. as $p | $t[0].types | with_entries(.value = $p[.key])' "$TMP/by_name")" "$(jq -S -c .types "$TMP/truth")"
		equal "$1: unknown types" "$(jq -c 'to_entries[] | select(.key | test("^unknown|beyond"))' "$TMP/by_name")" ""
		equal "$1: pointers of more than 512 bytes that have no type" "$(jq -c 'keys[] | select(test("^scan"))' "$TMP/by_name")" ""
		jq -r '.notes[0]' "$TMP/profile.json" | grep -q '^types are known of [0-9.]*% of [0-9.]* MiB' || fail "$1: coverage is '$(jq -c .notes "$TMP/profile.json")'"
		equal "$1: notes" "$(jq '.notes | length' "$TMP/profile.json")" 1
	else
		equal "$1: names" "$(jq -c 'keys[] | select(test("^(noscan|small|scan) ") | not)' "$TMP/by_name")" ""
		jq -r '.notes[0]' "$TMP/profile.json" | grep -q 'from Go 1.22 on' || fail "$1: notes are $(jq -c .notes "$TMP/profile.json")"
	fi
	check_classes "$1"
	check_sums "$1"
	# A report names them too, where it is asked to.
	"$RSSCOPE" report "$TPID" --top 1000 --json >"$TMP/top.json" || fail "$1: report --top exits $?"
	equal "$1: types in a report" \
		"$(jq -S -c '[.reports[0].ledger[] | .profiles[]? | select(.type == "types") | .sites[] | {key: .type_name, value: [.bytes, .count]}] | from_entries' "$TMP/top.json")" \
		"$(jq -S -c 'with_entries(select(.value.live > 0) | .value |= [.live, .objects])' "$TMP/by_name")"
	equal "$1: types in a report that was not asked" "$(q '[.ledger[] | .profiles[]? | select(.type == "types")] | length')" 0
	said="$said$1 $(jq '.samples | length' "$TMP/profile.json") "
	stop "$TPID"
}
said=
if [ -z "${GO_RELEASES:-}" ]; then
	one stripped "$T/types" "$(minor_of "$(release_of "$(local_toolchains | head -n 1)")")"
	one pie "$T/types-pie" "$(minor_of "$(release_of "$(local_toolchains | head -n 1)")")"
else
	# shellcheck disable=SC2086 # a list of words
	for r in $(wanted_releases $GO_RELEASES); do
		[ "$(minor_of "$r")" -ge 20 ] || continue # the program needs its language
		toolchain "$r" >"$TMP/get" 2>&1 || die "$r can't be had"
		for v in ${VARIANTS:-pure pure-stripped pure-pie cgo-stripped}; do
			target_flags "$v"
			TARGET_SRC=targets/types build_target "$TOOLCHAIN" "$TMP/exe" "$CGO" "${FLAGS[@]}" >"$TMP/build" 2>&1 ||
				die "$r $v: $(tail -n 3 "$TMP/build")"
			one "$r-$v" "$TMP/exe" "$(minor_of "$r")"
		done
		[ "$(minor_of "$r")" = 22 ] || continue
		# Without headers the first word of an object is the program's own: no types.
		EXPERIMENT=noallocheaders
		target_flags pure-stripped
		TARGET_SRC=targets/types build_target "$TOOLCHAIN" "$TMP/exe" "$CGO" "${FLAGS[@]}" >"$TMP/build" 2>&1 || die "$r: $(tail -n 3 "$TMP/build")"
		one "$r-noallocheaders" "$TMP/exe" 22
		EXPERIMENT=
	done
	finish "$said"
fi

# A real program at work: each time the sums are those of the ledger of the same snapshot, or a note says that they are not.
start_prometheus
load_prometheus
for i in {1..10}; do
	profile_of "prometheus $i"
	equal "prometheus $i: notes on sums" "$(jq -c '[.notes[] | select(test("other figures"))]' "$TMP/profile.json")" '[]'
	between "prometheus $i: bytes of live objects" $((4 * MIB)) "$(jq '[.samples[].values[0]] | add' "$TMP/profile.json")" $((1024 * MIB))
done
freeze "$TPID"
profile_of prometheus
check_sums prometheus
by_name "$TMP/profile.json" >"$TMP/by_name"
m=$(minor_of "$(q .target.go_version)")
[ "$m" -lt 22 ] || between "prometheus: types of its own" 3 "$(jq '[keys[] | select(test("^(\\[\\])?\\*?(tsdb|labels|scrape|storage|promql|index|parser|record|config|relabel|chunks|model)\\."))] | length' "$TMP/by_name")" 10000
said="${said}prometheus $(jq '.samples | length' "$TMP/profile.json") types, $(jq -r '.notes[0]' "$TMP/profile.json")"
stop "$TPID"

# One that allocates and collects without a pause: there is a note where cycles were too fast, never another sum.
start churn
for i in {1..10}; do
	profile_of "churn $i"
	equal "churn $i: notes on sums" "$(jq -c '[.notes[] | select(test("other figures"))]' "$TMP/profile.json")" '[]'
	jq -e 'any(.notes[]; test("GC cycles ended"))' "$TMP/profile.json" >"$TMP/out" ||
		between "churn $i: bytes of live objects" $((16 * MIB)) "$(jq '[.samples[].values[0]] | add' "$TMP/profile.json")" $((1024 * MIB))
done
stop "$TPID"

# What has no Go heap says so.
"$RSSCOPE" profile $$ --type types >"$TMP/out" 2>"$TMP/err"
equal "exit for a shell" $? 1
grep -q 'no Go' "$TMP/err" || fail "a shell: $(cat "$TMP/err")"
finish "$said"
