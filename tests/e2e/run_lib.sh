# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# What the run tests share; sourced after lib.sh.

# Our BPF programs in the kernel by id, those that some process holds (a link holds its program) and
# those that none does: these are left behind.
our_programs() { bpftool -j prog show | jq -r '.[] | select(.name // "" | test("^(mmap|munmap|mremap|brk|rss|gc|fork|exit|exec|probe)_[a-z]+$")) | .id' | sort; }
held_by() { cat "$@" 2>/dev/null | awk '$1 == "prog_id:" { print $2 }' | sort -u; } # FDINFO…
left() { comm -23 <(our_programs) <(held_by /proc/[0-9]*/fdinfo/*); }
nothing_left() { # WHEN
	local i
	for ((i = 0; i < 100; i++)); do
		[ -z "$(left)" ] && return
		sleep 0.1 # the kernel frees programs after a grace period
	done
	fail "left in the kernel after $1: programs $(left | tr '\n' ' ')"
}
