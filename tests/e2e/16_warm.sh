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
at_most "system calls, second snapshot" 74 "$(calls WARM 1)"
at_most "system calls, third snapshot" 72 "$(calls WARM 2)"
at_most "files opened, third snapshot" 11 "$(calls WARM 2 '^open')"
# statm, the cgroup's usage, one copy of memory, whether it was the process's, and the page map in pieces by
# where mappings lie: 6 to 8
at_most "system calls, counters" 8 "$(calls TICK 3)"
equal "files opened for counters" "$(calls TICK 3 '^open')" 0
equal "what the session opens is opened once" "$(awk '/^write\(2, "COLD/ { on = 1 } on && /"exe"|map_files|proc\/.*\/root/' "$TMP/trace" | wc -l)" 0
between "RSS of the counters" $(($(status_bytes "$TPID" VmRSS) - MIB)) "$(jq .rss "$TMP/out")" $(($(status_bytes "$TPID" VmRSS) + MIB))
thaw "$TPID"
finish "a session reads only what can have changed"
