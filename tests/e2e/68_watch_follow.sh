#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# --follow: the processes that a shell starts (two Go programs, one of them by a fork that execs, one
# by an exec in the shell itself; a C program; forks of forks) are watched from their fork on: for
# each thread the calls are those that strace -f sees at the same time; GC cycles, ends with their
# status. Those that are there at the end are compared with the kernel's word and reported. More than
# 64 at once are counted. Without --follow children are told, and no more.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/watch.sh"
need_probes
need_go
need_tool jq strace

CALLS=mmap,munmap,mremap,brk,mprotect,pkey_mprotect,shmat,shmdt,remap_file_pages
cat >"$TMP/shell" <<'END'
echo ready
read -r line
$T/calls 3 300 <$TMP/words >/dev/null
echo calls $?
(sleep 0.05; exit 3)
echo sub $?
$T/run -mib 8 -ms 100 -signal 15 >/dev/null
echo run $?
while read -r line; do echo "$line"; sleep 0.05; done <$TMP/lines | $T/gcloop -cycles 20 | tail -n 1 | sed 's/[^0-9]//g; s/^/gc /'
echo done
read -r line
exec $T/gcloop -cycles 10
END
printf 'go\n\n' >"$TMP/words"
seq 20 >"$TMP/lines"
export T TMP

start_program sh "$TMP/shell"
TARGET=$TPID
read -r line <&"$TRUTH_FD"
strace -f -ff -o "$TMP/strace" -e trace=$CALLS -e raw=all -e signal=none -p "$TARGET" 2>"$TMP/strace.err" \
	{STDIN_FD}>&- {TRUTH_FD}<&- &
SPID=$!
CHILDREN+=("$SPID")
for ((i = 0; i < 100; i++)); do
	grep -q attached "$TMP/strace.err" && break
	sleep 0.1
done
watch "$TARGET" --json --follow --no-report --interval 0 --ring $((64 << 20))
printf 'go\n' >&"$STDIN_FD"
: >"$TMP/said"
while read -r -t 60 line <&"$TRUTH_FD"; do
	echo "$line" >>"$TMP/said"
	[ "$line" = "done" ] && break
done
# the shell becomes a Go program
for ((i = 0; i < 12; i++)); do
	printf 'x\n' >&"$STDIN_FD"
	sleep 0.1
done
close_stdin
watched
wait "$SPID" 2>/dev/null
equal "exit of watch" $RC 0
equal "lost" "$(lost)" 0
equal "children that were not followed" "$(events end .losses.children_unfollowed)" 0
equal "what the shell says of its children" "$(grep -cxE 'calls 0|sub 3|run 143' "$TMP/said")" 3

# The calls of each thread. What has been said of a thread before its process was another's (vfork)
# is told as of its memory's owner.
for f in "$TMP"/strace.[0-9]*; do
	sed -nE "s/^(${CALLS//,/|})\((.*)\) += (.*)\$/\1 \2 = \3/p" "$f" | sed -E 's/,//g; s/ \(.*//; s/= -1 /= /' |
		awk -v t="${f##*.}" '{ if ($1 == "mmap") sub(/^0x(f{8})?f{8}$/, "0xffffffff", $6); print t, $0 }'
done | sed -E 's/\b0x0\b/0/g' | sort -s -n -k1,1 >"$TMP/want"
jq -r 'select(.args and .type != "prctl" and .type != "madvise") | "\(.tid) \(.type) \(.args | join(" ")) = \(if .failed and .type != "brk" then .error else .result end)"' "$WOUT" |
	awk '{ if ($2 == "mmap") sub(/^0x(f{8})?f{8}$/, "0xffffffff", $7); print }' | sed -E 's/\b0x0\b/0/g' | sort -s -n -k1,1 >"$TMP/got"
cmp -s "$TMP/got" "$TMP/want" || fail "calls differ: $(diff "$TMP/got" "$TMP/want" | head -n 10)"
calls=$(wc -l <"$TMP/want")
processes=$(jq -r 'select(.type == "fork" and .followed) | .pid' "$WOUT" | sort -u | wc -l)
between "processes followed" 8 "$processes" 60
equal "followed, as told at the end" "$(events end .children_followed)" "$processes"
equal "all of them ended" "$(events end .children_ended)" "$processes"
equal "forks told" "$(events end .events.fork)" "$processes"
[ "$(cut -d' ' -f1 "$TMP/want" | sort -u | wc -l)" -gt 15 ] || fail "only $(cut -d' ' -f1 "$TMP/want" | sort -u | wc -l) threads"

# Ends, as the shell has them.
# By the exec itself: a program that is over at once may be gone when what it is is looked up.
name() { jq -r "select(.type == \"exec\" and .pid != $TARGET and .comm == \"$1\") | .pid" "$WOUT"; } # COMM
equal "end of calls" "$(events exit "select(.pid == $(name calls)) | .status")" 0
equal "end of run" "$(events exit "select(.pid == $(name run)) | .signal")" 15
equal "an end with 3" "$(events exit 'select(.status == 3) | .status')" 3
equal "Go of the child" "$(events program "select(.pid == $(name run)) | .go_version" | cut -c1-2)" go
# GC cycles of a child, by number; the first ones may come before the probe, or without figures.
cycles=$(sed -n 's/^gc //p' "$TMP/said")
between "cycles of a child" 15 "$(events gc "select(.pid == $(name gcloop)) | .pid" | wc -l)" "$cycles"
equal "its last cycle" "$(events gc "select(.pid == $(name gcloop)) | .cycle" | tail -n 1)" "$cycles"
# The exec of the target: the same process, another program, whose cycles are told.
equal "exec of the target" "$(events exec "select(.pid == $TARGET) | .old_tid")" "$TARGET"
equal "what it is then" "$(events program "select(.pid == $TARGET) | .exe")" "$(realpath "$T/gcloop")"
between "its cycles" 7 "$(events gc "select(.pid == $TARGET) | .pid" | wc -l)" 20

# ---- children that are there at the end: what is mapped, what is resident, their reports
cat >"$TMP/shell" <<'END'
echo ready
read -r line
mkfifo $TMP/a.in $TMP/b.in $TMP/a.out $TMP/b.out
$T/storm 4 20000 <$TMP/a.in >$TMP/a.out &
$T/run -mib 30 -ms 60000 >/dev/null 2>&1 &
exec 7>$TMP/a.in 8<$TMP/a.out
read -r line <&8
echo go >&7
read -r line <&8
echo $line
read -r line
END
alive() { # RING…: sets STORM, the child
	rm -f "$TMP"/[ab].in "$TMP"/[ab].out
	start_program sh "$TMP/shell"
	TARGET=$TPID
	read -r line <&"$TRUTH_FD"
	watch "$TARGET" --json --follow --live --interval 0 --events mappings,rss "$@"
	printf 'go\n' >&"$STDIN_FD"
	read -r -t 60 line <&"$TRUTH_FD"
		equal "the storm is" "$line" "done"
	sleep 0.3
	STORM=$(pgrep -P "$TARGET" -x storm)
	GO=$(pgrep -P "$TARGET" -x run)
	CHILDREN+=("$STORM" "$GO")
	freeze "$STORM"
	grep -v vsyscall "/proc/$STORM/maps" | sed -E 's/^([0-9a-f]+)-([0-9a-f]+) .*/0x\1 0x\2/' | covered >"$TMP/real"
	RSS=$(status_bytes "$STORM" VmRSS)
	thaw "$STORM"
	kill -INT "$WPID"
	watched
	stop "$STORM"
	stop "$GO"
	close_stdin
	stop "$TARGET"
	grep -E '^\{"type":"(mapping|end|child|report|rss|fork|start)"' "$WOUT" >"$WOUT.short"
	WOUT=$WOUT.short
}
merge() { sort -n | awk 'NR > 1 && $1 <= z { if ($2 > z) z = $2; next } NR > 1 { print a, z } { a = $1; z = $2 } END { print a, z }'; }
covered() { while read -r a z; do echo "$((a / 4096)) $((z / 4096))"; done | merge; }
live() { jq -r "select(.type == \"mapping\" and .pid == $STORM) | select($1) | \"\\(.start) \\(.end)\"" "$WOUT" | covered; }

alive --ring $((256 << 20))
equal "exit of watch with children alive" $RC 0
equal "lost" "$(lost)" 0
live true >"$TMP/live"
cmp -s "$TMP/live" "$TMP/real" || fail "what the child has mapped differs: $(diff "$TMP/live" "$TMP/real" | head -n 6)"
equal "bytes that only events, or only the maps, have" "$(events child "select(.pid == $STORM) | .mappings | \"\\(.bytes_only_here) \\(.bytes_only_there) \\(.bytes_unknown)\"")" "0 0 0"
equal "children told at the end" "$(events child .pid | sort | tr '\n' ' ')" "$(printf '%s\n' "$STORM" "$GO" | sort | tr '\n' ' ')"
equal "reports" "$(events report '.reports[0].target.comm' | sort | tr '\n' ' ')" "run sh storm "
equal "its origins" "$(events report "select(.reports[0].target.pid == $STORM) | (.reports[0].origins | length) > 2")" true
# RSS by events is at most a step and what CPUs have not folded in behind the kernel's figure.
last=$(events rss "select(.pid == $STORM) | .rss" | tail -n 1)
diff=$((last > RSS ? last - RSS : RSS - last))
[ "$diff" -le $((2 * MIB)) ] || fail "the last RSS step says $last, the kernel $RSS"

# A small ring: what is lost of a child is unknown of the child.
alive --ring $((64 << 10))
[ "$(lost)" -gt 20 ] || fail "a ring of 64 KiB loses only $(lost)"
equal "losses by process: those of the child" "$(events end "(.losses_by_process[] | select(.pid == $STORM) | .lost) > 20")" true
equal "losses by process, in all" "$(events end '([.losses_by_process[].lost] | add) <= .lost')" true
equal "bytes that only events, or only the maps, have, with losses" "$(events child "select(.pid == $STORM) | .mappings | \"\\(.bytes_only_here) \\(.bytes_only_there)\"")" "0 0"
live '.origin != "unknown"' >"$TMP/known"
wrong=$(awk 'BEGIN { n = 0 } FILENAME == ARGV[1] { a[n] = $1; z[n++] = $2; next } { ok = 0; for (i = 0; i < n; i++) if (a[i] <= $1 && $2 <= z[i]) ok = 1; if (!ok && NF) print }' "$TMP/real" "$TMP/known")
[ -z "$wrong" ] || fail "said to be mapped, and is not: $(head -n 5 <<<"$wrong")"

# ---- many at once; and none without --follow
cat >"$TMP/shell" <<'END'
echo ready
read -r line
i=0
while [ $i -lt 80 ]; do sleep 2 & i=$((i + 1)); done
wait
echo done
END
many() {
	start_program sh "$TMP/shell"
	read -r line <&"$TRUTH_FD"
	watch "$TPID" --json --no-report --interval 0 --events threads "$@"
	printf 'go\n' >&"$STDIN_FD"
	watched
	equal "exit of watch of many $*" $RC 0
}
many --follow
equal "forks" "$(events end .events.fork)" 80
equal "followed of 80" "$(events end .children_followed)" 64
equal "ends of 80" "$(events end .events.exit)" 65
equal "counted as not followed" "$(events end .losses.children_unfollowed)" 16
many
equal "forks told without --follow" "$(events end .events.fork)" 80
equal "ends told without --follow" "$(events end .events.exit)" 1
equal "events of others without --follow" "$(jq -r "select(.tid and .type != \"fork\" and .pid != $TPID) | .type" "$WOUT" | wc -l)" 0
finish "$calls calls of $processes children as strace saw them"
