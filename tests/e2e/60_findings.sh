#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Each finding has a program that brings it about (tests/scenarios), and one that nearly does.
. "$(dirname "$0")/lib.sh"
need_root
need_tool jq
. "$(dirname "$0")/scenarios.sh"

# A memory cgroup: its folder in $CG, the names of its limit and charge in $LIMIT and $USAGE.
memory_cgroup() {
	local v1 v2
	v1=$(mounted cgroup memory) v2=$(mounted cgroup2)
	if [ -n "$v1" ]; then
		CG=$v1/rsscope-test-find-$$ LIMIT=memory.limit_in_bytes USAGE=memory.usage_in_bytes
	elif grep -qs memory "$v2/cgroup.controllers"; then
		CG=$v2/rsscope-test-find-$$ LIMIT=memory.max USAGE=memory.current
		echo +memory >"$v2/cgroup.subtree_control"
	else
		skip no-cgroup-memory "no memory controller"
	fi
	mkdir "$CG" || die "no cgroup"
	CGROUPS+=("$CG")
}

# The same in the cgroup with a limit of so many MiB.
limited() { # MIB NAME [ENV=VALUE…]
	echo max >"$CG/$LIMIT" 2>/dev/null || echo -1 >"$CG/$LIMIT"
	start_program sh -c 'echo $$ >"$1/cgroup.procs" && shift && exec env "$@"' sh "$CG" "${@:3}" "$S" "$2"
	read -r -t 60 line <&"$TRUTH_FD" || die "$2 says nothing: $(cat "$TMP"/target.*.err)"
	printf '%s\n' "$line" >"$TMP/truth"
	for _ in 1 2 3 4 5; do # pages that are on their way out count, too
		echo $(($1 * MIB)) >"$CG/$LIMIT" 2>/dev/null && return
		sleep 0.1
	done
	die "the limit of $1 MiB is not taken"
}
ids() { q '[.findings[].id] | sort | join(" ")' "$@"; }
findings() { # WHAT WANT…: of $TMP/report.json, all of them
	equal "findings of $1" "$(ids)" "$(printf '%s\n' "${@:2}" | sort | xargs)"
}
# What every finding has; and the verdict is the first one's.
whole() {
	equal "findings without evidence, advice or a sentence" "$(q '[.findings[]
		| select((.evidence | length) == 0 or (.advice | length) == 0 or (.summary | endswith(".") | not))] | length')" 0
	[ "$(q '.findings | length')" = 0 ] && grep -q '^RSS is ' <<<"$(q .verdict)" && return
	equal "the verdict opens with the first finding" "$(q '. as $r | .verdict | startswith($r.findings[0].summary)')" true
}
passed=0
check() { # WHAT WANT…
	report "$TPID" && whole && findings "$@" && passed=$((passed + 1))
}
evidence() { q ".findings[] | select(.id == \"$1\") | .evidence[] | select(.name == \"$2\") | .value"; } # ID NAME

# The kernel is the witness of what is said about a limit: the heap goes to its goal, and the process
# lives, its cgroup charged so much, or it was killed.
to_goal() {
	local line
	printf 'step\n' >&"$STDIN_FD"
	read -r -t 60 line <&"$TRUTH_FD"
}
survives() { # WHAT; the charge that was foretold is the last report's
	local charge expected
	expected=$(q .at_goal.charge)
	to_goal || { fail "$1: killed at the goal" && return; }
	charge=$(($(cat "$CG/$USAGE") - $(awk '/^(in)?active_file / { n += $2 } END { printf "%d", n }' "$CG/memory.stat")))
	between "$1: charge at the goal" $((expected * 95 / 100)) $charge $((expected * 105 / 100))
}
killed() { # WHAT
	to_goal && fail "$1: it lives at the goal"
	wait "$TPID" 2>/dev/null
	equal "$1: status" $? 137
}

# ---- the limit. 110 MiB are alive, and the goal is about 220 MiB.
memory_cgroup
limited 200 live
check "a goal beyond the limit" gc-headroom-over-limit gomemlimit-missing
equal "severity of the first" "$(q '.findings[0] | .id + " " + .severity')" "gc-headroom-over-limit critical"
equal "limit in the evidence" "$(evidence gc-headroom-over-limit limit)" $((200 * MIB))
between "charge at the goal" $((215 * MIB)) "$(evidence gc-headroom-over-limit 'charge at goal')" $((250 * MIB))
between "RSS at the goal" $((215 * MIB)) "$(q .at_goal.rss)" $((235 * MIB))
# The advice helps: with that setting there is nothing to say.
advised=$(q '.findings[].advice[] | capture("GOMEMLIMIT=(?<n>[0-9]+MiB)").n' | head -n 1)
[ -n "$advised" ] || fail "no GOMEMLIMIT is advised"
gogc=$(q '.findings[].advice[] | capture("GOGC=(?<n>[0-9]+)").n' | head -n 1)
[ -n "$gogc" ] || fail "no GOGC is advised"
killed "a goal beyond the limit"
limited 200 live "GOMEMLIMIT=${advised:-180MiB}"
check "the same with GOMEMLIMIT=$advised"
survives "the same with GOMEMLIMIT=$advised"
stop "$TPID"
limited 200 live "GOGC=${gogc:-50}"
report "$TPID"
equal "with GOGC=$gogc the goal is beyond the limit" "$(q '[.findings[] | select(.id == "gc-headroom-over-limit")] | length')" 0
survives "with GOGC=$gogc"
stop "$TPID"
limited 240 live
check "a goal close to the limit" gomemlimit-missing
survives "a goal close to the limit"
stop "$TPID"
limited 300 live
check "a goal that leaves a quarter of the limit"
survives "a goal that leaves a quarter of the limit"
stop "$TPID"
limited 122 live
check "a limit close to what is alive" limit-too-small
killed "a limit close to what is alive"
limited 140 live GOMEMLIMIT=130MiB
check "a limit that leaves a fifth above what is alive"
survives "a limit that leaves a fifth above what is alive"
stop "$TPID"
limited 200 live GOGC=off
check "nothing that stops the heap before the limit" gc-headroom-over-limit
killed "nothing that stops the heap before the limit"
limited 200 live GOGC=off GOMEMLIMIT=180MiB
check "GOGC off and GOMEMLIMIT"
survives "GOGC off and GOMEMLIMIT"
stop "$TPID"

# What is left to the limit: that much more is charged without harm, and not much more than that.
shm=$(mktemp -d /dev/shm/rsscope-test.XXXXXX)
UNDO+=("rm -rf $shm")
fits() { # BYTES: of shared memory, charged to the cgroup; nobody is killed
	sh -c 'echo $$ >"$1/cgroup.procs" && exec head -c "$2" /dev/zero' sh "$CG" "$1" >"$shm/file" 2>/dev/null &&
		! grep -qs '^State:.Z' "/proc/$TPID/status"
}
limited 160 live GOGC=off
report "$TPID"
fits "$(q ".cgroup.headroom - 3 * $MIB")" || fail "3 MiB less than the headroom do not fit"
stop "$TPID"
limited 160 live GOGC=off
report "$TPID"
fits "$(q ".cgroup.headroom + 6 * $MIB + ([.cgroup.rows[] | select(.reclaimable) | .bytes] | add)")" &&
	fail "6 MiB more than the headroom fit"
rm -f "$shm/file"
stop "$TPID"
scenario live GOGC=off
if [ "$(report "$TPID" && q '.cgroup.effective_limit // "none"')" = none ]; then
	check "GOGC off without a limit"
fi
stop "$TPID"

# ---- what the heap keeps
scenario peak
check "200 MiB free after a peak" heap-retained
ask step
check "the same after debug.FreeOSMemory"
stop "$TPID"
scenario steady
check "100 MiB free that the next cycle needs"
stop "$TPID"
scenario holes
check "returned memory between live objects"
ask step
report "$TPID"
if [ "$(q '[.ledger[] | select(.category == "go/heap/released") | .huge] | add')" -gt $((32 * MIB)) ]; then
	check "the same in huge pages" thp-bloat
else
	echo "no huge pages: MADV_COLLAPSE does nothing here"
fi
stop "$TPID"

# ---- the RSS at the goal is what comes, from a full heap and from one that has room
for name in live steady; do
	scenario $name
	report "$TPID"
	expected=$(q .at_goal.rss)
	now=$(q .rss.scanned)
	ask step
	report "$TPID"
	between "RSS of $name at the goal" $((expected * 97 / 100)) "$(q .rss.scanned)" $((expected * 103 / 100))
	echo "$name: RSS $now, expected at the goal $expected, there $(q .rss.scanned)"
	stop "$TPID"
	passed=$((passed + 1))
done

# ---- what piles up
grown() { # NAME WANT…: one step between two looks
	scenario "$1"
	report "$TPID" && cp "$TMP/report.json" "$TMP/a.json"
	ask step
	rs diff "$TMP/a.json" "$TPID" --json
	[ $RC = 0 ] || [ $RC = 5 ] || fail "diff of $1 exits $RC: $(cat "$TMP/err")"
	equal "findings of $1" "$(jq -r '[.findings[].id] | join(" ")' "$TMP/out")" "${*:2}"
	equal "one process, says the diff of $1" "$(jq -r .same_process "$TMP/out")" true
	passed=$((passed + 1))
	stop "$TPID"
}
grown cache go-heap-leak
between "growth of what is alive" $((39 * MIB)) \
	"$(jq '.findings[0].evidence | (.[] | select(.name == "live now").value) - (.[] | select(.name == "live before").value)' "$TMP/out")" $((42 * MIB))
grown churn
grown goroutines goroutine-leak
equal "waiting goroutines" "$(jq '.findings[0].evidence[] | select(.name == "more waiting") | .value' "$TMP/out")" 500
grown burst
finish "$passed scenarios"
