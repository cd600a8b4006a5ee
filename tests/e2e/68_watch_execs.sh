#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# An exec while watch begins: in its look at the program, or between that and its probes, it is held
# up, and there a Go program becomes another one. The probe of the first one's cycles must be nowhere
# in the second one, whose file has other code at that offset: all of its code in memory is that of
# its file, but for its own probes. The exec is told, the second program is what the stream says it
# is, and its cycles are.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/watch.sh"
need_probes
need_go
need_tool jq strace nm cmp pgrep

case $(uname -m) in
x86_64) BPF=321 READ=310 ;;
aarch64) BPF=280 READ=270 ;;
*) skip no-arch "no system call numbers for this architecture" ;;
esac

begin() { # a Go program in TARGET, which becomes another one when it is told to
	start_program "$T/gcloop" -depth 12 "$T/churn"
	read -r -t 60 _ <&"$TRUTH_FD" || die "gcloop says nothing"
	TARGET=$TPID
}
# held CALL NR ARG…: watch, held up in its first CALL, where the target becomes the other program.
held() {
	local call=$1 want=$2 nr='' i p
	WOUT=$TMP/watch.$call
	strace -f -o "$TMP/strace" -e trace="$call" -e inject="$call:delay_enter=4000000:when=1" \
		"$RSSCOPE" watch "$TARGET" --json --interval 0 "${@:3}" >"$WOUT" 2>"$WOUT.err" {STDIN_FD}>&- {TRUTH_FD}<&- &
	WPID=$!
	CHILDREN+=("$WPID")
	for ((i = 0; i < 600; i++)); do
		p=$(pgrep -P "$WPID" -x rsscope) && read -r nr _ 2>/dev/null <"/proc/$p/syscall" && [ "$nr" = "$want" ] && break
		sleep 0.05
	done
	[ "$nr" = "$want" ] || die "watch does not come to its first $call: $(cat "$WOUT.err")"
	[ -s "$WOUT" ] && die "watch has begun before its probes"
	printf 'exec\n' >&"$STDIN_FD"
	for ((i = 0; i < 600; i++)); do
		[ -s "$WOUT" ] && break
		[ -d "/proc/$WPID" ] || die "watch ended: $(cat "$WOUT.err")"
		sleep 0.05
	done
}
told() { # that it is the other program, whose cycles are
	wait "$WPID"
	equal "exit of watch" $? 0
	grep -q "process $TARGET has called execve" "$WOUT.err" || fail "the exec is not told: $(cat "$WOUT.err")"
	equal "what the stream says it is" "$(events start .exe)" "$(realpath "$T/churn")"
	[ "$(events gc .pid | wc -l)" -ge 2 ] || fail "no cycle of it is told"
}

# ---- while the first program is searched for its runtime
begin
held process_vm_readv $READ --no-cache --duration 3
told
equal "what the report is of" "$(jq -r '.reports[0].target.exe // empty' "$WOUT")" "$(realpath "$T/churn")"
stop "$TARGET"

# ---- between its look at the program and its probes
begin
held bpf $BPF --no-report --duration 8
equal "what the process is" "$(realpath "/proc/$TARGET/exe")" "$(realpath "$T/churn")"
sleep 1

# ---- its code, while the probes are there
read -r lo hi off <<<"$(sed -nE 's/^([0-9a-f]+)-([0-9a-f]+) r-xp ([0-9a-f]+) .*\/churn$/\1 \2 \3/p' "/proc/$TARGET/maps" | head -n 1)"
size=$((16#$hi - 16#$lo))
code() { dd if="$1" bs=64K iflag=skip_bytes,count_bytes skip="$2" count="$size" status=none; } # FILE OFFSET
code "$T/churn" $((16#$off)) >"$TMP/file"
code "/proc/$TARGET/mem" $((16#$lo)) >"$TMP/mem"
equal "bytes of code read" "$(stat -c %s "$TMP/mem")" "$size"
cmp -l "$TMP/file" "$TMP/mem" | awk '{ print $1 - 1 }' >"$TMP/differ"
entry() { nm "$T/churn" | awk -v f="$1" '$3 == f { print $1 }'; } # FUNCTION
own=0
for f in runtime.prepareFreeWorkbufs runtime.gcStart; do
	a=$((16#$(entry $f) - 16#$lo)) n=$(wc -l <"$TMP/differ")
	awk -v a=$a '$1 < a || $1 >= a + 64' "$TMP/differ" >"$TMP/rest"
	own=$((own + n - $(wc -l <"$TMP/rest")))
	mv "$TMP/rest" "$TMP/differ"
done
equal "bytes of code that a probe of another program has changed" "$(wc -l <"$TMP/differ")" 0
[ "$own" -ge 1 ] || fail "its own probe is not there"

# ---- what is told
told
# It maps all the time: each of its threads may have been in a call when the probes came.
before=$(events end .losses.call_exit_alone) threads=$(find "/proc/$TARGET/task" -mindepth 1 -maxdepth 1 | wc -l)
equal "lost, but for calls that had begun before the probes" "$(lost)" "$before"
between "calls that had begun before the probes" 0 "$before" "$threads"
[ -d "/proc/$TARGET" ] || fail "it has not outlived the watch"
finish "$own bytes of its own probes in $size of code, $(events gc .pid | wc -l) cycles"
