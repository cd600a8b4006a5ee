#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What a session reads again: budgets of system calls and of opened files for its first snapshot, for
# a later one, and for the counters alone. Counts, never times; and the counters are the kernel's.
. "$(dirname "$0")/lib.sh"
need_root
need_go
need_tool jq strace
start fixture-pure -heap 20
freeze "$TPID"
strace -qq -o "$TMP/trace" "$OUTPUT/tests/warm" "$TPID" >"$TMP/out" 2>/dev/null || die "the session ends with $?"
calls() { # MARK N [PATTERN]: of what follows the Nth such mark, without the marks and clocks of the program itself
	awk -v mark="write(2, \"$1" -v n="$2" -v p="${3:-.}" '
		/^write\(2, / { on = index($0, mark) == 1 && ++seen == n; next }
		on && !/^clock_gettime/ && $0 ~ p { c++ }
		END { print c + 0 }' "$TMP/trace"
}
at_most() { # WHAT BUDGET COUNT
	between "$1" 1 "$3" "$2"
	echo "$1: $3 of $2"
}
at_most "system calls, first snapshot" 260 "$(calls COLD 1)"
at_most "system calls, second snapshot" 78 "$(calls WARM 1)"
at_most "system calls, third snapshot" 76 "$(calls WARM 2)"
at_most "files opened, third snapshot" 11 "$(calls WARM 2 '^open')"
# statm, the cgroup's usage, one copy of memory, whether it was the process's, and the page map in pieces by
# where mappings lie: 6 to 8
at_most "system calls, counters" 8 "$(calls TICK 3)"
equal "files opened for counters" "$(calls TICK 3 '^open')" 0
equal "what the session opens is opened once" "$(awk '/^write\(2, "COLD/ { on = 1 } on && /"exe"|map_files|proc\/.*\/root/' "$TMP/trace" | wc -l)" 0
between "RSS of the counters" $(($(status_bytes "$TPID" VmRSS) - MIB)) "$(jq .rss "$TMP/out")" $(($(status_bytes "$TPID" VmRSS) + MIB))
thaw "$TPID"
stop "$TPID"

# A heap that nobody changes is read once; of a program that works, its spans are read before and after the page map.
copied() { # N: bytes of the target's memory in the Nth later snapshot
	awk -v n="$1" '
		/^write\(2, / { on = index($0, "write(2, \"WARM") == 1 && ++seen == n; next }
		on && /^process_vm_readv/ { c += $NF }
		END { print c + 0 }' "$TMP/trace"
}
start fixture-pure -heap 200
spans=$("$RSSCOPE" report --pid "$TPID" --json | jq .reports[0].go.spans)
between "spans to copy" 5000 "$spans" 100000
size=160 # of an mspan, from Go 1.16 to 1.27: more than what else is copied
trace_bytes() { strace -qq -e trace=write,process_vm_readv -o "$TMP/trace" "$OUTPUT/tests/warm" "$TPID" 12 >/dev/null 2>&1 || die "the session ends with $?"; }
times() { # how many of the 12 copied all spans, how many copied them twice
	local n
	once=0 twice=0
	for n in {1..12}; do
		[ "$(copied "$n")" -lt $((spans * size)) ] || once=$((once + 1))
		[ "$(copied "$n")" -lt $((spans * size * 2)) ] || twice=$((twice + 1))
	done
}
trace_bytes
times
equal "snapshots of an idle program that copied its spans" "$once" 12
between "those that did so twice" 0 "$twice" 3 # its runtime wakes up for itself, now and then
printf 'work 100000\n' >&"$STDIN_FD"
trace_bytes
times
equal "snapshots of a working program that copied its spans twice" "$twice" 12
finish "a session reads only what can have changed"
