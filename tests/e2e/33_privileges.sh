#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What commands keep of root's rights, by strace and by /proc; and that a command that `run` starts
# inherits neither NO_NEW_PRIVS nor a filter, by a setuid program.
. "$(dirname "$0")/lib.sh"
need_root
need_tool strace setpriv

name=fixture-cgo-stripped
[ -x "$T/$name" ] || name=plain
start $name

# The capabilities that are permitted after the first and after the last capset(2) of a command.
caps() { # first|last
	grep -o 'permitted=[^,]*' "$TMP/trace" | sed 's/permitted=//; s/1<<CAP_//g' |
		if [ "$1" = first ]; then head -n 1; else tail -n 1; fi | tr '|' '\n' | sort | tr '\n' ' '
}
traced() { # ARG…
	strace -e trace=capset,seccomp,prctl,openat -o "$TMP/trace" "$RSSCOPE" "$@" >"$TMP/out" 2>"$TMP/err"
	RC=$?
	[[ $RC =~ ^[05]$ ]] || fail "$*: exit $RC: $(head -c 300 "$TMP/err")"
	[ "$(grep -c 'SECCOMP_SET_MODE_FILTER, .*{len=' "$TMP/trace")" = 1 ] || fail "$*: no filter, or several"
	# First the filter, then the target.
	awk '/SECCOMP_SET_MODE_FILTER, .*[{]len=/ { f = 1 } /"\/proc\/[0-9]+"/ && !f { exit 1 }' "$TMP/trace" ||
		fail "$*: the target is opened before the filter is there"
}

opening="CHECKPOINT_RESTORE DAC_READ_SEARCH SYS_ADMIN SYS_PTRACE "
reading="CHECKPOINT_RESTORE DAC_READ_SEARCH SYS_PTRACE "
saving="CHECKPOINT_RESTORE DAC_OVERRIDE DAC_READ_SEARCH FOWNER SYS_PTRACE "
traced report "$TPID" "$TPID"
equal "report, while opening" "$(caps first)" "$opening"
equal "report, once opened" "$(caps last)" "$reading"
traced capture "$TPID" -o "$TMP/a.rsscap"
equal "capture, once opened" "$(caps last)" "$saving"
traced report "$TMP/a.rsscap"
equal "report of a capture" "$(caps last)" "0 "
traced diff "$TMP/a.rsscap" "$TPID"
equal "diff, once opened" "$(caps last)" "$reading"
# doctor tries things first, then prints.
strace -f -e trace=capset,seccomp,write -o "$TMP/trace" "$RSSCOPE" doctor >"$TMP/out" 2>&1
equal "doctor, at its end" "$(caps last)" "0 "
for area in 'report, capture, diff' 'watch, run'; do
	grep -q "^capabilities kept by $area" "$TMP/out" || fail "doctor does not say what $area keep: $(cat "$TMP/out")"
done

# ---- watch and run: what they have while they observe
names_of() { # PID: of its capabilities
	local n mask=$((16#$(awk '$1 == "CapPrm:" { print $2 }' "/proc/$1/status"))) names=
	for n in DAC_OVERRIDE:1 DAC_READ_SEARCH:2 KILL:5 SETUID:7 NET_ADMIN:12 SYS_PTRACE:19 SYS_ADMIN:21 SYS_RESOURCE:24 \
		PERFMON:38 BPF:39 CHECKPOINT_RESTORE:40; do
		((mask >> ${n#*:} & 1)) && names+="${n%:*} " mask=$((mask & ~(1 << ${n#*:})))
	done
	[ $mask = 0 ] || names+=$(printf 'and 0x%x' $mask)
	echo "$names"
}
shed() { # PID: waits until it has the filter
	local i
	for ((i = 0; i < 300; i++)); do
		grep -q '^Seccomp:[[:space:]]*2' "/proc/$1/status" && return
		sleep 0.1
	done
	fail "$1 has no filter: $(grep -E '^(Name|Seccomp)' "/proc/$1/status" | tr '\n' ' ')"
}
observing="DAC_READ_SEARCH SYS_PTRACE SYS_ADMIN PERFMON BPF CHECKPOINT_RESTORE "
background "$RSSCOPE" watch --no-mappings "$TPID"
shed "$BPID"
equal "watch, once attached" "$(names_of "$BPID")" "$observing"
kill -INT "$BPID"
wait "$BPID"
equal "exit of watch" $? 0
stop "$TPID"
# Another user's command gets what is sent to us.
echo 'trap "exit 7" TERM; echo >"$1"; for i in $(seq 300); do sleep 0.1; done' >"$TMP/trap.sh"
mkfifo -m 666 "$TMP/ready"
chmod 755 "$TMP"
background "$RSSCOPE" run --no-mappings --user nobody -o /dev/null -- sh "$TMP/trap.sh" "$TMP/ready"
read -r -t 60 _ <>"$TMP/ready"
shed "$BPID"
equal "run, once attached" "$(names_of "$BPID")" "${observing/SEARCH/SEARCH KILL}"
equal "what its command has of a filter" "$(awk '$1 == "Seccomp:" { print $2 }' /proc/"$(pgrep -P "$BPID")"/status)" 0
kill -TERM "$BPID"
wait "$BPID"
equal "exit of run whose command was sent SIGTERM" $? 7

# Without CAP_SYS_PTRACE, as root in a container: a process that has no more capabilities than we.
setpriv --bounding-set=-sys_ptrace --inh-caps=-sys_ptrace sh -c '
	sleep 60 &
	"$1" report --json $! >"$2"
	rc=$?
	kill $!
	exit $rc' sh "$RSSCOPE" "$TMP/report.json" 2>"$TMP/err"
RC=$?
[[ $RC =~ ^[05]$ ]] || fail "report without CAP_SYS_PTRACE exits $RC: $(head -c 300 "$TMP/err")"

# The map of files of another user's process, with what is left.
if [ -x "$T/fixture-pure" ]; then
	chmod 755 "$TMP"
	install -m 700 -o 65534 -g 65534 "$T/fixture-pure" "$TMP/private"
	start_program setpriv --reuid 65534 --regid 65534 --clear-groups "$TMP/private"
	read -r -t 120 _ <&"$TRUTH_FD" || die "the fixture says nothing"
	report "$TPID" --no-cache && equal "exit of the report of another user's process" "$RC" 0
	stop "$TPID"
fi

# A setuid program gets its user's rights, as without us.
chmod 755 "$TMP"
install -m 4755 "$(command -v id)" "$TMP/suid-id"
if [ "$(setpriv --reuid 65534 --regid 65534 --clear-groups "$TMP/suid-id" -u)" = 0 ]; then
	rs run --user nobody -- "$TMP/suid-id" -u
	equal "the setuid program's user under run ($(head -c 300 "$TMP/err"))" "$(head -n 1 "$TMP/out")" 0
else
	echo "setuid programs do not work in $TMP (nosuid)"
fi
rs run -- grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status
equal "what a command of run inherits" "$(head -n 2 "$TMP/out" | tr -d '\t' | tr '\n' ' ')" "NoNewPrivs:0 Seccomp:0 "
finish
