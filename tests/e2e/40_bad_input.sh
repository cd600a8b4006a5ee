#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Bad input: DESIGN's exit code, a message that says what to do, and no crash.
. "$(dirname "$0")/lib.sh"
need_tool jq

expect() { # WHAT CODES: of the last rs; codes like "3" or "0|5"
	[[ $RC =~ ^($2)$ ]] || fail "$1: exit $RC, want $2: $(head -c 300 "$TMP/err")"
	if [ $RC != 0 ] && [ $RC != 5 ]; then
		[ -s "$TMP/err" ] || fail "$1: exit $RC without a message"
		[ -s "$TMP/out" ] && fail "$1: exit $RC, but prints data"
	fi
	grep -qiE 'sanitizer|assert|core dumped|runtime error' "$TMP/err" && fail "$1: $(head -c 500 "$TMP/err")"
	return 0
}

# No such process.
free=$(($(cat /proc/sys/kernel/pid_max) - 1))
while [ -d /proc/$free ]; do free=$((free - 1)); done
for c in report "capture -o $TMP/x" watch; do
	# shellcheck disable=SC2086
	rs $c --pid $free
	expect "$c of no process" 3
done
for pid in 0 -1 1x '' 99999999999999999999 4294967297; do
	rs report --pid "$pid"
	expect "report --pid '$pid'" '2|3'
done
rs report --name no-such-comm-here
expect "report of no name" 3

# Files that are no captures and no cores.
: >"$TMP/empty"
head -c 100000 /dev/urandom >"$TMP/noise"
printf '\177ELF\2\1\1' >"$TMP/short"
for f in empty noise short; do
	rs report "$TMP/$f"
	expect "report of an $f file" 1
done
rs report "$TMP/nofile"
expect "report of a missing file" '1|3'
rs report "$TMP"
expect "report of a folder" '1|2'
rs report /bin/true
expect "report of a program that is no core" 1

# Without privilege. (Its own processes it may see; not root's.)
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	chmod 755 "$TMP"
	cp "$RSSCOPE" "$TMP/rsscope"
	start plain
	setpriv --reuid 65534 --regid 65534 --clear-groups "$TMP/rsscope" report --pid "$TPID" >"$TMP/out" 2>"$TMP/err"
	RC=$?
	expect "report without privilege" 4
	grep -qE 'CAP_|root|ptrace' "$TMP/err" || fail "no privilege: the message names nothing: $(cat "$TMP/err")"
	stop "$TPID"
else
	echo "the checks that need root to give it up are left out"
fi
[ "$(id -u)" = 0 ] || skip no-root "the rest freezes targets; what comes before passed"

# A kernel thread has no memory.
if [ -e /proc/2/stat ] && grep -q ' (kthreadd) ' /proc/2/stat; then
	rs report --pid 2
	expect "report of a kernel thread" '1|3'
	grep -qi 'kernel thread' "$TMP/err" || fail "kernel thread: $(cat "$TMP/err")"
fi

# A zombie.
sh -c 'sleep 0 & echo $! >"$1"; exec sleep 1000' sh "$TMP/zombie" &
CHILDREN+=($!)
until [ -s "$TMP/zombie" ] && grep -q '^State:.*Z' "/proc/$(cat "$TMP/zombie")/status"; do sleep 0.05; done
rs report --pid "$(cat "$TMP/zombie")"
expect "report of a zombie" 3

# Not Go: a report all the same, without the Go parts.
start plain
freeze "$TPID"
report "$TPID"
equal "plain: exit" $RC 0
equal "plain: go" "$(q '.go // "absent"')" absent
equal "plain: go rows" "$(resident go)" 0
equal "plain: sum" "$(ledger_sum)" "$(rollup "$TPID" Rss)"
between "plain: native/malloc" "$(truth .malloc)" "$(resident native/malloc)" "$(truth '.arena + .hblkhd')"
equal "plain: native/mmap" "$(resident native/mmap)" "$(truth .anon)"
stop "$TPID"

# Executables that lie. Copies still run; what is damaged is what only a reader of the file sees.
[ -x "$T/fixture-pure" ] || finish "without Go targets"
damage() { # NAME OFFSET BYTES: a fixture-pure with bytes (printf's) at that place
	local exe="$TMP/$1"
	cp "$T/fixture-pure-stripped" "$exe"
	# shellcheck disable=SC2059
	printf "$3" | dd of="$exe" bs=1 seek="$2" conv=notrunc status=none
	start_program "$exe"
	if read -r -t 60 line <&"$TRUTH_FD"; then
		freeze "$TPID"
		rs report --pid "$TPID" --json
		expect "$1" '0|5'
		cp "$TMP/out" "$TMP/report.json"
		[ $RC = 0 ] || [ $RC = 5 ] && equal "$1: sum" "$(ledger_sum)" "$(rollup "$TPID" Rss)"
		thaw "$TPID"
	else
		fail "$1: the damaged program does not run"
	fi
	stop "$TPID"
	rm -f "$exe"
}
damage shoff-far 40 '\377\377\377\377\377\377\377\177'
damage shnum-huge 60 '\377\377'
damage shstrndx 62 '\377\377'
damage shentsize 58 '\001\000'
pclntab=$(LC_ALL=C grep -obUaP '\xf1\xff\xff\xff\x00\x00\x01\x08' "$T/fixture-pure-stripped" | head -n 1 | cut -d: -f1)
[ -n "$pclntab" ] || pclntab=$(LC_ALL=C grep -obUaP '\xf0\xff\xff\xff\x00\x00\x01\x08' "$T/fixture-pure-stripped" | head -n 1 | cut -d: -f1)
buildinfo=$(LC_ALL=C grep -obUaP '\xff Go buildinf:' "$T/fixture-pure-stripped" | head -n 1 | cut -d: -f1)
[ -n "$buildinfo" ] || fail "no build info in the fixture"
damage buildinfo-gone "$buildinfo" 'XXXXXXXXXXXXXX'
damage buildinfo-length $((buildinfo + 32)) '\377\377\377\377\377\377\377\377\377'

# The file is not what runs: replaced, and deleted.
cp "$T/fixture-cgo-stripped" "$TMP/exe"
start_program "$TMP/exe"
read -r -t 60 line <&"$TRUTH_FD"
printf '%s\n' "$line" >"$TMP/truth"
rm "$TMP/exe"
echo 'not what runs' >"$TMP/exe"
freeze "$TPID"
report "$TPID"
equal "replaced executable: exit" $RC 0
equal "replaced executable: total" "$(q '.go.metrics["/memory/classes/total:bytes"]')" "$(truth '.metrics."/memory/classes/total:bytes"')"
equal "replaced executable: sum" "$(ledger_sum)" "$(rollup "$TPID" Rss)"
stop "$TPID"

# 32-bit.
if "$T/fixture-386" </dev/null >/dev/null 2>&1; then
	start fixture-386
	freeze "$TPID"
	report "$TPID"
	expect "386 program" '0|5'
	equal "386: sum" "$(ledger_sum)" "$(rollup "$TPID" Rss)"
	equal "386: the Go parts are named as missing" "$(jq '[.reports[0].missing[] | select(.path | startswith("go"))] | length > 0' "$TMP/report.json")" true
	stop "$TPID"
fi

# Captures that lie.
start fixture-cgo-stripped
rs capture --pid "$TPID" -o "$TMP/good"
expect "capture" 0
stop "$TPID"
size=$(stat -c %s "$TMP/good")
for n in 0 1 7 8 16 40 100 $((size / 4)) $((size / 2)) $((size - 9)) $((size - 1)); do
	head -c "$n" "$TMP/good" >"$TMP/cut"
	rs report "$TMP/cut"
	expect "capture cut at $n of $size" '1|5'
done
for at in 0 4 8 12 16 20 24 32 40 48 64 96 128 $((size / 3)) $((size / 2)) $((size - 16)); do
	cp "$TMP/good" "$TMP/bad"
	printf '\377\377\377\377\377\377\377\177' | dd of="$TMP/bad" bs=1 seek="$at" conv=notrunc status=none
	rs report "$TMP/bad"
	expect "capture damaged at $at" '0|1|5'
done
rs capture --pid $$ -o "$TMP/no/such/folder/file"
expect "capture to nowhere" 1
finish
