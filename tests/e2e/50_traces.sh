#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What it does to the machine while it looks: under strace and in a network namespace without even
# loopback. No connect, no kill, no ptrace, nothing written to the target; smaps (slow, and it locks
# the target's address space) is not read between the RSS before and after.
. "$(dirname "$0")/lib.sh"
need_root
need_tool strace unshare jq
name=fixture-cgo-stripped
[ -x "$T/$name" ] || name=plain

start $name
# Where some process of the host has a userfaultfd, smaps tells whether the target has: once.
smaps=0
[[ $(cat /sys/kernel/slab/userfaultfd_ctx_cache/objects 2>/dev/null) == 0* ]] || smaps=1
for args in "report --pid $TPID" "report --pid $TPID --json" "capture --pid $TPID -o $TMP/c" "doctor"; do
	# shellcheck disable=SC2086
	unshare --net strace -f -y -s 200 -o "$TMP/trace" "$RSSCOPE" $args >"$TMP/out" 2>"$TMP/err"
	rc=$?
	[[ $rc =~ ^[05]$ ]] || fail "$args: exit $rc: $(head -c 300 "$TMP/err")"
	grep -E '^[0-9]+ +(connect|sendto|sendmsg|ptrace|process_vm_writev|process_madvise|kill|tkill|tgkill|pidfd_send_signal)\(' "$TMP/trace" >"$TMP/bad" &&
		fail "$args: $(head -n 3 "$TMP/bad")"
	grep -E 'socket\((AF_INET|AF_INET6|AF_UNIX)' "$TMP/trace" >"$TMP/bad" && fail "$args: $(head -n 3 "$TMP/bad")"
	# Opened for writing: nothing of /proc but its own.
	grep -E 'open(at)?\([^)]*/proc/[0-9]+[^)]*O_(WRONLY|RDWR)' "$TMP/trace" >"$TMP/bad" && fail "$args: $(head -n 3 "$TMP/bad")"
	# Between the brackets.
	if [[ $args == report* ]]; then
		awk -v pid="$TPID" -v smaps=$smaps '$0 ~ "pread64\\([0-9]+</proc/" pid "/(smaps_rollup|statm)>.*, 0\\)" { n++; last = NR; if (n == 1) first = NR }
			{ line[NR] = $0 }
			END {
				if (n < 2) { print "smaps_rollup or statm is read " n " times, want before and after"; exit 1 }
				for (i = first + 1; i < last; i++)
					if (line[i] ~ /open(at)?\(.*\/smaps"/ || line[i] ~ /"smaps"/) { if (smaps-- > 0) continue; print line[i]; exit 1 }
			}' "$TMP/trace" >"$TMP/bad" || fail "$args: $(head -n 3 "$TMP/bad")"
	fi
done
finish
