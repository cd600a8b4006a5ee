#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# execs.sh OUTPUT N: a program that starts N others (1,000,000), one as short as the next, is watched
# with --follow. Our memory stays what it is: our own and that of our BPF maps, after a tenth of them,
# half, and all. The counts at the end are right: what was lost is told.
OUTPUT=${1:-build}
N=$((${2:-1000000} / 20 * 20)) # ten parts of two threads
. "$(dirname "$0")/../e2e/lib.sh"
. "$(dirname "$0")/../e2e/watch.sh"
need_probes
need_tool jq bpftool gcc
D=$OUTPUT/harm
mkdir -p "$D"
gcc -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror -O1 -o "$D/execs" "$ROOT/tests/harm/execs.c" -lpthread || die "execs does not build"
echo 'int main(void) { return 0; }' >"$D/nothing.c"
gcc -O1 -static -o "$D/nothing" "$D/nothing.c" || die "a static program does not build"
# What growth is none, KiB: a byte for each program after the first tenth. The smallest block of malloc
# that was kept of each would be 32 times that. And 512 KiB, as in 69_soak, for the allocator's own.
SLACK=$((512 + N * 9 / 10 / 1024))
STATE=()

# Of our BPF maps and programs.
bpf_kib() { cat "/proc/$1/fdinfo/"* 2>/dev/null | awk '$1 == "memlock:" { n += $2 } END { printf "%d\n", n / 1024 }'; }

start_program "$D/execs" "$N" "$D/nothing"
read -r line <&"$TRUTH_FD"
TARGET=$TPID
mkfifo "$TMP/events"
rm -f "$D/ends"
grep -aE '^\{"type":"(start|end)"' --line-buffered <"$TMP/events" >"$D/ends" {STDIN_FD}>&- {TRUTH_FD}<&- &
CHILDREN+=($!)
"$RSSCOPE" watch "$TARGET" --json --follow --no-report --interval 0 >"$TMP/events" 2>"$TMP/err" {STDIN_FD}>&- {TRUTH_FD}<&- &
WPID=$!
CHILDREN+=("$WPID")
for ((i = 0; i < 300; i++)); do
	[ -s "$D/ends" ] && break
	sleep 0.1
done
[ -s "$D/ends" ] || die "watch says nothing: $(cat "$TMP/err")"
began=$SECONDS
for ((part = 1; part <= 10; part++)); do
	echo go >&"$STDIN_FD"
	read -r -t 7200 line <&"$TRUTH_FD" || die "the program that starts others has ended"
	equal "programs that ended well, part $part" "$line" $((N * part / 10))
	drained 600
	case $part in 1 | 5 | 10) STATE+=("$(anon_kib "$WPID") $(bpf_kib "$WPID") $(fds "$WPID")") ;; esac
	echo "$line programs, $((SECONDS - began)) s: $(anon_kib "$WPID") KiB, $(bpf_kib "$WPID") KiB of BPF, $(fds "$WPID") descriptors"
done
close_stdin
wait "$TARGET"
watched
equal "exit of watch" $RC 0
[ ! -s "$TMP/err" ] || fail "watch says: $(head -n 3 "$TMP/err")"
read -r kib maps descriptors <<<"${STATE[0]}"
for s in "${STATE[@]:1}"; do
	read -r a b c <<<"$s"
	[ "$a" -le $((kib + SLACK)) ] || fail "the watcher grew from $kib to $a KiB, more than $SLACK"
	equal "KiB of BPF" "$b" "$maps"
	equal "descriptors of the watcher" "$c" "$descriptors"
done
for ((i = 0; i < 100; i++)); do # by grep, behind the pipe
	grep -q '"type":"end"' "$D/ends" && break
	sleep 0.1
done
WOUT=$D/ends
lost=$(lost) unfollowed=$(events end .losses.children_unfollowed)
forks=$(events end .events.fork) execs=$(events end .events.exec) exits=$(events end .events.exit)
followed=$(events end .children_followed) ended=$(events end .children_ended)
echo "forks $forks, execs $execs, exits $exits; followed $followed, ended $ended; lost $lost, not followed $unfollowed"
between "forks and what was lost" "$N" $((forks + lost)) $((N + lost))
between "execs and what was lost" $((N - unfollowed)) $((execs + lost)) $((N + lost))
between "exits and what was lost" $((N + 1 - unfollowed)) $((exits + lost)) $((N + 1 + lost))
between "followed, not followed, lost" "$N" $((followed + unfollowed + lost)) $((N + 2 * lost))
between "ended of those followed" $((followed - lost)) "$ended" "$followed"
nothing_left "$N programs"
finish "$N programs in $((SECONDS - began)) s: $(printf '%s; ' "${STATE[@]}")(KiB, KiB of BPF, descriptors); $lost lost, $unfollowed not followed"
