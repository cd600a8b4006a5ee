#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# run is as if it were not there: exit status, standard streams, environment, signals, user; what
# can't be started is told by the exit codes of env(1) and timeout(1).
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/watch.sh"
need_probes
need_tool jq setpriv
short=$T/short
# All that needs no mapping calls goes without: their tracepoints take some tenths of a second to detach.
run() { # ARG…: stdout in $TMP/out, stderr in $TMP/err, the report in $TMP/report, status in RC
	rm -f "$TMP/report"
	"$RSSCOPE" run --no-mappings -o "$TMP/report" "$@" >"$TMP/out" 2>"$TMP/err"
	RC=$?
}

# ---- exit status
for status in 0 3 255; do
	run -- "$short" 64 1 exit $status
	equal "status of exit $status" $RC $status
	grep -q "exited with status $status" "$TMP/report" || fail "the report: $(cat "$TMP/report")"
done
for signal in 9 11 15 34; do
	run -- "$short" 64 1 signal $signal
	equal "status of signal $signal" $RC $((128 + signal))
	grep -qE 'killed by (SIG|signal)' "$TMP/report" || fail "the report: $(cat "$TMP/report")"
done
run "$short" 64 1 exit 4 # without --
equal "status without --" $RC 4
started=$TMP/started
refused() { # CODE PATTERN ARG…
	run "${@:3}"
	equal "status of run ${*:3}" $RC "$1"
	grep -qE "$2" "$TMP/err" || fail "run ${*:3} says: $(cat "$TMP/err")"
	[ -s "$TMP/out" ] && fail "run ${*:3} prints to stdout"
	[ -e "$started" ] && fail "run ${*:3} has started the command"
}
refused 127 "nosuch': No such file" -- nosuch
refused 127 "/nosuch/x': No such file" -- /nosuch/x
refused 126 'Permission denied' -- /etc/passwd
refused 126 'Permission denied' -- /
refused 2 'no command to run'
refused 2 'no command to run' --
refused 2 'seconds' --interval often -- touch "$started"
refused 2 'bogus' --bogus -- touch "$started"
refused 125 "no user 'no-such-user'" --user no-such-user -- touch "$started"
refused 125 'cannot write' -o /nosuch/report -- touch "$started"
echo 'exit 6' >"$TMP/script" # no #!: the shell's, as with execvp
chmod +x "$TMP/script"
run -- "$TMP/script"
equal "status of a script without #!" $RC 6
chmod 755 "$TMP"
cp "$RSSCOPE" "$TMP/rsscope"
setpriv --reuid=65534 --regid=65534 --clear-groups "$TMP/rsscope" run touch "$started" >"$TMP/out" 2>"$TMP/err"
equal "status without privilege" $? 125
grep -q 'CAP_.*not started' "$TMP/err" || fail "without privilege: $(cat "$TMP/err")"
[ -e "$started" ] && fail "without privilege the command was started"
"$RSSCOPE" run --no-mappings -o /dev/full -- "$short" 64 1 exit 5 2>"$TMP/err"
equal "status with a report that can't be written" $? 5
grep -q 'cannot write the report' "$TMP/err" || fail "a full disk goes unmentioned"

# ---- what the command gets is what it gets without us
head -c 300000 /dev/urandom >"$TMP/bytes"
"$RSSCOPE" run --no-mappings -o "$TMP/report" -- cat <"$TMP/bytes" >"$TMP/out" 2>"$TMP/err"
cmp -s "$TMP/bytes" "$TMP/out" || fail "standard input or output is not passed through"
[ -s "$TMP/err" ] && fail "with -o FILE stderr has: $(cat "$TMP/err")"
run -- sh -c 'echo to stderr >&2'
equal "stderr" "$(cat "$TMP/err")" "to stderr"
"$RSSCOPE" run --no-mappings -- sh -c 'echo out; echo err >&2' >"$TMP/out" 2>"$TMP/err"
equal "stdout" "$(cat "$TMP/out")" out
equal "the first line of stderr" "$(head -n 1 "$TMP/err")" err
grep -q '^run  *exited with status 0' "$TMP/err" || fail "no report on stderr: $(cat "$TMP/err")"
cat >"$TMP/look.sh" <<'END'
# ulimit and the like: all that a process inherits. Descriptor 9 stays open on purpose.
pwd; umask; nice; ps -o pgid=,sid= -p $$
grep -E '^(Sig(Blk|Ign|Cgt)|Cap|NoNewPrivs|Seccomp|Uid|Gid|Groups|Cpus_allowed_list):' /proc/self/status
cat /proc/self/limits /proc/self/oom_score_adj
for fd in /proc/$$/fd/*; do echo "${fd##*/} $(readlink "$fd" | sed 's/:.*//')"; done # the substitution's pipe included
env | grep -v '^_=' | sort
END
for how in plain 'ignored signals' 'closed stdin'; do
	(
		cd /usr || exit
		umask 027
		export SOMETHING="a b"
		[ "$how" = 'ignored signals' ] && trap '' INT HUP PIPE CHLD USR2
		exec 9<"$TMP/bytes" </dev/null 2>/dev/null
		[ "$how" = 'closed stdin' ] && exec <&-
		sh "$TMP/look.sh" >"$TMP/alone" &
		wait $!
		"$RSSCOPE" run --no-mappings -o "$TMP/report" -- sh "$TMP/look.sh" >"$TMP/under" &
		wait $!
	)
	sed -i "s,$TMP/under,$TMP/alone," "$TMP/under"
	cmp -s "$TMP/alone" "$TMP/under" || fail "$how: $(diff "$TMP/alone" "$TMP/under")"
	[ "$(wc -l <"$TMP/alone")" -gt 30 ] || fail "$how: the test sees only $(cat "$TMP/alone")"
done

# ---- --user
run --user nobody -- sh -c 'id -u; id -g; id -G; echo "$HOME $USER $LOGNAME $PATH"; grep CapEff /proc/self/status'
nobody=$(setpriv --reuid nobody --regid "$(id -g nobody)" --init-groups sh -c 'id -u; id -g; id -G')
equal "ids of --user nobody" "$(head -n 3 "$TMP/out")" "$nobody"
equal "its environment" "$(sed -n 4p "$TMP/out")" "$(getent passwd nobody | cut -d: -f6) nobody nobody $PATH"
equal "its capabilities" "$(sed -n 5p "$TMP/out" | tr -d '\t ')" CapEff:0000000000000000
run --user 1234:567 -- sh -c 'id -u; id -g; id -G; echo $HOME'
equal "ids of --user 1234:567" "$(tr '\n' ' ' <"$TMP/out")" "1234 567 567 $HOME "
grep -q '^RSS\|^run' "$TMP/report" || fail "no report of another user's program"

# ---- signals: each that can be caught arrives, once
mkfifo "$TMP/fifo"
"$RSSCOPE" run --no-mappings -j -o "$TMP/report" -- "$short" signals >"$TMP/fifo" 2>"$TMP/err" &
RPID=$!
CHILDREN+=("$RPID")
exec {SIGNALS}<"$TMP/fifo"
next() { read -r -t 20 LINE <&"$SIGNALS" || LINE=nothing; }
next
equal "the first line" "$LINE" ready
for n in $(seq 1 64); do
	case $n in 9 | 19 | 10 | 17 | 15 | 32 | 33) continue ;; esac
	kill -"$n" $RPID || break
	next
	equal "signal $n arrives as" "$LINE" "$n"
done
kill -USR1 $RPID # a report, while it goes on
for ((i = 0; i < 100; i++)); do
	[ -s "$TMP/report" ] && jq -e . "$TMP/report" >/dev/null 2>&1 && break
	sleep 0.1
done
equal "ended, in the report of SIGUSR1" "$(q .run.ended "$TMP/report")" false
equal "its ledger's sum" "$(ledger_sum "$TMP/report")" "$(q .rss.scanned "$TMP/report")"
equal "observed by" "$(q .rss.observed_by "$TMP/report")" first-instruction
between "the ledger's age" 0 "$(q .run.ledger_age_ns "$TMP/report")" 2000000000
kill -TERM $RPID
next
equal "signal 15 arrives as" "$LINE" 15
wait $RPID
equal "status after SIGTERM" $? 9
equal "reports" "$(jq -s length "$TMP/report")" 2
equal "status in the last one" "$(jq -s '.[1].reports[0].run.exit_status' "$TMP/report")" 9
next
equal "after the end comes" "$LINE" nothing

# Stopped and continued from a terminal, as far as there is none: the child stops, and so do we.
(
	set -m
	"$RSSCOPE" run --no-mappings -o "$TMP/report" -- sh -c 'echo $$ >"$0"; kill -TSTP $$; exit 8' "$TMP/pid" &
	RPID=$!
	for ((i = 0; i < 100; i++)); do
		grep -q '^State:.T' "/proc/$RPID/status" && break
		sleep 0.1
	done
	grep -q '^State:.T' "/proc/$RPID/status" || echo "we do not stop"
	grep -q '^State:.T' "/proc/$(cat "$TMP/pid")/status" || echo "the child does not stop"
	kill -CONT -$RPID
	wait $RPID
	[ $? = 8 ] || echo "status after SIGCONT is not 8"
) >"$TMP/job" 2>&1
[ -s "$TMP/job" ] && fail "job control: $(cat "$TMP/job")"
finish "a program under run is as it is alone"
