# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2034 # variables are for those who source it
# What the watch tests share; sourced after lib.sh.

need_probes() {
	need_root
	[ -e /sys/kernel/btf/vmlinux ] || skip no-btf "the kernel has no BTF"
	if [ ! -d /sys/kernel/tracing/events ] && [ ! -d /sys/kernel/debug/tracing/events ]; then
		mount -t tracefs nodev /sys/kernel/tracing || skip no-tracefs "tracefs can't be mounted"
		UNDO+=("umount /sys/kernel/tracing")
	fi
}
# watch PID [ARG…]: in the background, its lines in $TMP/watch.N; returns when the probes are
# attached. PID in WPID, file in WOUT.
WATCHES=0
watch() {
	local i
	WATCHES=$((WATCHES + 1))
	WOUT=$TMP/watch.$WATCHES
	# The targets' pipes must not stay open in here.
	"$RSSCOPE" watch "$@" >"$WOUT" 2>"$WOUT.err" {STDIN_FD}>&- {TRUTH_FD}<&- &
	WPID=$!
	CHILDREN+=("$WPID")
	for ((i = 0; i < 300; i++)); do
		[ -s "$WOUT" ] && return
		[ -d "/proc/$WPID" ] || die "watch ended: $(cat "$WOUT.err")"
		sleep 0.1
	done
	die "watch says nothing"
}
# watched: waits until it has ended, its status in RC.
watched() {
	wait "$WPID"
	RC=$?
}
events() { jq -r "select(.type == \"$1\") | $2" "$WOUT"; } # TYPE FILTER
lost() { events end .lost; }
# Resident anonymous memory of PID, KiB: of files the page cache decides.
anon_kib() { awk '/^Anonymous:/ { print $2; exit }' "/proc/$1/smaps_rollup"; }
fds() { find "/proc/$1/fd" -mindepth 1 | wc -l; } # PID
# drained [SECONDS]: waits until the watcher has taken all that is there: it sleeps, and its CPU time
# stands still.
drained() {
	local before now=-1 j
	for ((j = 0; j < ${1:-150} * 2; j++)); do
		before=$now
		now=$(awk '{ print $14 + $15 }' "/proc/$WPID/stat")
		[ "$before" = "$now" ] && return
		sleep 0.5
	done
	fail "the watcher does not come to rest"
}
close_stdin() { exec {STDIN_FD}>&-; }
