#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Ends of every kind: closed stdout, a full disk, SIGINT, targets that die while being read.
. "$(dirname "$0")/lib.sh"
need_root
need_go
need_tool jq

start fixture-cgo
for args in "report --pid $TPID" "report --pid $TPID --json" "doctor" "--help" "report --help"; do
	# shellcheck disable=SC2086
	"$RSSCOPE" $args >/dev/full 2>"$TMP/err"
	equal "exit of $args on a full disk" $? 1
	[ -s "$TMP/err" ] || fail "$args on a full disk says nothing"
	# A closed pipe ends quietly.
	# shellcheck disable=SC2086
	(trap '' PIPE && "$RSSCOPE" $args 2>"$TMP/err") | head -c0
	[ -s "$TMP/err" ] && fail "$args into a closed pipe says: $(cat "$TMP/err")"
	# shellcheck disable=SC2086
	"$RSSCOPE" $args >&- 2>"$TMP/err"
	rc=$?
	[ $rc -le 5 ] || fail "$args with stdout closed exits $rc"
done
rs capture --pid "$TPID" -o /dev/full
equal "exit of capture to a full disk" $RC 1
[ -e "$TMP/part" ] && rm "$TMP/part"

# A disk that fills up while a capture is written: which file, why, and no part of it left; what had
# that name before stays.
mkdir "$TMP/small" && mount -t tmpfs -o size=64k tmpfs "$TMP/small" || die "no tmpfs can be mounted"
rs capture --pid "$TPID" -o "$TMP/small/new.rsscap"
equal "exit of capture when the disk fills up" $RC 1
grep -q "$TMP/small/new.rsscap: No space left on device" "$TMP/err" || fail "a full disk: $(cat "$TMP/err")"
equal "files left on the full disk" "$(ls -A "$TMP/small")" ""
echo before >"$TMP/small/old.rsscap"
rs capture --pid "$TPID" -o "$TMP/small/old.rsscap"
equal "exit of capture over a file when the disk fills up" $RC 1
equal "the file before" "$(cat "$TMP/small/old.rsscap")" before
equal "files on the full disk" "$(ls -A "$TMP/small")" old.rsscap
umount "$TMP/small"

# How long a report takes here, to end it in the middle. (No verdict depends on it.)
took() { # PID: seconds
	local from=${EPOCHREALTIME/./} to
	"$RSSCOPE" report --pid "$1" --json >/dev/null 2>&1
	to=${EPOCHREALTIME/./}
	echo $((to - from))
}
seconds() { printf '%d.%06d' $(($1 / 1000000)) $(($1 % 1000000)); }

# SIGINT at many places: ends by it or finishes; never hangs, never crashes.
whole=$(took "$TPID")
for ((i = 0; i <= 10; i++)); do
	"$RSSCOPE" report --pid "$TPID" --json >"$TMP/out" 2>"$TMP/err" &
	p=$!
	sleep "$(seconds $((whole * i / 9)))"
	kill -INT $p 2>/dev/null
	wait $p
	rc=$?
	[[ $rc =~ ^(0|1|5|130)$ ]] || fail "report, SIGINT at $i/9: exit $rc: $(cat "$TMP/err")"
	[ $rc = 0 ] && ! jq -e . "$TMP/out" >/dev/null && fail "report, SIGINT at $i/9: exit 0 with broken JSON"
done
stop "$TPID"

# Targets that die while they are read, with enough mappings to be read for a while.
declare -A seen=()
start fixture-cgo -heap 60
ask "maps 20000"
whole=$(took "$TPID")
for ((i = 0; i <= 20; i++)); do
	"$RSSCOPE" report --pid "$TPID" --json >"$TMP/out" 2>"$TMP/err" &
	p=$!
	sleep "$(seconds $((whole * i / 18)))"
	kill -KILL "$TPID"
	wait $p
	rc=$?
	seen[$rc]=$((${seen[$rc]:-0} + 1))
	[[ $rc =~ ^(0|3|5)$ ]] || fail "target killed at $i/18: exit $rc: $(cat "$TMP/err")"
	if [ $rc = 3 ]; then
		[ -s "$TMP/out" ] && fail "target killed at $i/18: exit 3, but prints data"
		[ -s "$TMP/err" ] || fail "target killed at $i/18: exit 3 without a message"
	elif [ "$(jq '.reports[0] | ([.ledger[].resident] | add) == .rss.scanned' "$TMP/out" 2>&1)" != true ]; then
		fail "target killed at $i/18: exit $rc, the ledger does not balance"
	fi
	wait "$TPID" 2>/dev/null
	start fixture-cgo -heap 60
	ask "maps 20000"
done 2>"$TMP/noise" # the shell's "Killed"

# A process that calls execve all the time: the same PID, another program. And a PID that another
# process gets as soon as it is free, in a PID namespace of its own.
# $1 WHAT, the rest: the report's command; adds to seen
look_at_it() {
	"${@:2}" >"$TMP/out" 2>"$TMP/err"
	local rc=$?
	seen[$rc]=$((${seen[$rc]:-0} + 1))
	[[ $rc =~ ^(0|3|5)$ ]] || fail "$1: exit $rc: $(cat "$TMP/err")"
	[ $rc = 3 ] || [ "$(jq '.reports[0] | ([.ledger[].resident] | add) == .rss.scanned' "$TMP/out" 2>&1)" = true ] ||
		fail "$1: exit $rc, the ledger does not balance"
}
printf '#!/bin/sh\nexec "$0"\n' >"$TMP/again"
chmod +x "$TMP/again"
background "$TMP/again"
for ((i = 0; i < 30; i++)); do
	look_at_it "execve again and again" "$RSSCOPE" report --pid "$BPID" --json
done
stop "$BPID"
if [ -e /proc/sys/kernel/ns_last_pid ]; then
	cat >"$TMP/reuse" <<'END'
# Process 50 of this namespace, over and over: plain, then a shell.
while :; do
	echo 49 >/proc/sys/kernel/ns_last_pid
	"$1" <"$2" >/dev/null &
	sleep 0.02
	kill -KILL $!
	wait $!
	echo 49 >/proc/sys/kernel/ns_last_pid
	sh -c 'sleep 0.01; :' &
	wait $!
done 2>/dev/null
END
	mkfifo "$TMP/hold"
	# shellcheck disable=SC2034 # held open, not used
	exec {HOLD}<>"$TMP/hold"
	unshare --pid --mount-proc --fork --kill-child bash "$TMP/reuse" "$T/plain" "$TMP/hold" &
	CHILDREN+=($!)
	sleep 0.3
	inner=$(cat /proc/$!/task/$!/children)
	for ((i = 0; i < 40; i++)); do
		look_at_it "one PID for many" nsenter --pid="/proc/${inner// /}/ns/pid" --mount="/proc/${inner// /}/ns/mnt" --root="/proc/${inner// /}/root" "$RSSCOPE" report --pid 50 --json
	done
fi
finish "$(for k in "${!seen[@]}"; do echo -n "exit $k: ${seen[$k]} times; "; done)"
