#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# All calls that change mappings, of a process with eight threads: for each thread the sequence of calls,
# arguments, results and errors is that of strace on the same process at the same time.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/watch.sh"
need_probes
need_tool jq strace

CALLS=mmap,munmap,mremap,brk,mprotect,pkey_mprotect,madvise,prctl,shmat,shmdt,remap_file_pages
start calls 8 2000
strace -f -ff -o "$TMP/strace" -e trace=$CALLS -e raw=all -e signal=none -p "$TPID" 2>"$TMP/strace.err" \
	{STDIN_FD}>&- {TRUTH_FD}<&- &
SPID=$!
CHILDREN+=("$SPID")
for ((i = 0; i < 100; i++)); do
	[ "$(grep -c attached "$TMP/strace.err")" -ge 9 ] && break
	# One line for all of them, or a line each, as the version likes.
	grep -q 'attached with' "$TMP/strace.err" && break
	sleep 0.1
done
watch "$TPID" --json --no-report --events mappings,madvise,rss,threads
# Another process that does the same things must not show.
"$T/calls" 2 5000 < <(echo) >/dev/null &
OTHER=$!
CHILDREN+=("$OTHER")
ask go
close_stdin
watched
wait "$SPID"
equal "exit of watch" $RC 0
equal "lost" "$(lost)" 0

# "TID CALL args… = result": hexadecimal, failures by name. The kernel takes 32 bits of a file
# descriptor.
for f in "$TMP"/strace.[0-9]*; do
	sed -nE "s/^(${CALLS//,/|})\((.*)\) += (.*)\$/\1 \2 = \3/p" "$f" | sed -E 's/,//g; s/ \(.*//; s/= -1 /= /' |
		awk -v t="${f##*.}" '{ if ($1 == "mmap") sub(/^0x(f{8})?f{8}$/, "0xffffffff", $6); print t, $0 }'
done | sed -E 's/\b0x0\b/0/g' >"$TMP/want.all"
jq -r 'select(.args) | "\(.tid) \(.type) \(.args | join(" ")) = \(if .failed and .type != "brk" then .error else .result end)"' "$WOUT" |
	awk '{ if ($2 == "mmap") sub(/^0x(f{8})?f{8}$/, "0xffffffff", $7); print }' | sed -E 's/\b0x0\b/0/g' >"$TMP/got.all"
# By thread, each in its own order.
sort -s -n -k1,1 "$TMP/want.all" >"$TMP/want"
sort -s -n -k1,1 "$TMP/got.all" >"$TMP/got"
calls=$(wc -l <"$TMP/want")
threads=$(cut -d' ' -f1 "$TMP/want" | sort -u | wc -l)
between "calls that strace saw" 5000 "$calls" 100000
[ "$threads" -ge 8 ] || fail "only $threads threads in strace's output"
cmp -s "$TMP/got" "$TMP/want" || fail "calls differ: $(diff "$TMP/got" "$TMP/want" | head -n 10)"
equal "pids" "$(jq -r 'select(.args) | .pid' "$WOUT" | sort -u)" "$TPID"
failed=$(grep -cE '= E[A-Z]+$' "$TMP/want")
[ "$failed" -gt 100 ] || fail "only $failed failing calls in the test"
# brk never names an error, so its failures are counted apart.
equal "failed calls" "$(events end .failed_calls)" "$((failed + $(grep -cE '^[0-9]+ brk 0x1 =' "$TMP/want")))"
bad=$(jq -r 'select(.args) | select(.exit_ns < .enter_ns or (.stack | length) == 0) | .type' "$WOUT" | wc -l)
equal "calls without a stack or with times out of order" "$bad" 0
# each kind is among them, also those that worked
for call in ${CALLS//,/ }; do
	case $call in prctl | remap_file_pages | pkey_mprotect) ok='.' ;; *) ok='= (0x|0$)' ;; esac
	n=$(awk -v c="$call" '$2 == c' "$TMP/want" | grep -cE "$ok")
	[ "$n" -gt 20 ] || fail "only $n $call in the test"
done
# what a mapping is named, strace tells only as an address
equal "names" "$(jq -r 'select(.option == "PR_SET_VMA") | .name' "$WOUT" | sort -u | tr '\n' ' ')" " a name "
# madvise by kind: counted in the kernel, and one by one
jq -c 'select(.type == "madvise") | [(.args[2]), .failed, .length]' "$WOUT" | jq -rs 'group_by(.[0])[] | "\(.[0][0]) \(length) \(map(select(.[1])) | length) \(map(select(.[1] | not) | .[2]) | add // 0)"' | while read -r a n; do echo "$((a)) $n"; done | sort -n >"$TMP/advice"
equal "advice counted" "$(events end '.madvise[] | "\(.number) \(.calls) \(.failed) \(.bytes)"' | sort -n)" "$(cat "$TMP/advice")"
[ "$(wc -l <"$TMP/advice")" -ge 8 ] || fail "only $(wc -l <"$TMP/advice") kinds of advice"
finish "$calls calls of $threads threads, $failed of them failed, as strace saw them"
