#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A target in namespaces of its own (mount, PID, user's root): its paths are not ours.
. "$(dirname "$0")/lib.sh"
need_root
need_go
need_tool jq unshare

mkdir -p "$TMP/root/proc" "$TMP/root/data"
cp "$T/fixture-pure-stripped" "$TMP/root/app"
cat >"$TMP/inside" <<'END'
mount -t tmpfs none "$1/data" && mount -t proc proc "$1/proc" && exec chroot "$1" /app -path /data/file
END
start_program unshare --mount --pid --net --ipc --uts --fork --kill-child sh "$TMP/inside" "$TMP/root"
read -r -t 60 line <&"$TRUTH_FD" || die "the container does not start: $(cat "$TMP"/target.*.err)"
printf '%s\n' "$line" >"$TMP/truth"
TPID=$(cat "/proc/$TPID/task/$TPID/children")
TPID=${TPID// /}
equal "its own pid" "$(truth .pid)" 1
freeze "$TPID"
report "$TPID"
equal "exit" $RC 0
equal "pid" "$(q .target.pid)" "$TPID"
equal "ns_pid" "$(q .target.ns_pid)" 1
equal "sum" "$(ledger_sum)" "$(rollup "$TPID" Rss)"
equal "its runtime's total" "$(q '.go.metrics["/memory/classes/total:bytes"]')" "$(truth '.metrics."/memory/classes/total:bytes"')"
# A file on tmpfs is shared memory.
equal "its tmpfs file" "$(resident shm)" "$(truth .file.len)"
equal "its anonymous mapping" "$(resident native/mmap)" "$(truth '[.anon[].len] | add')"
thaw "$TPID"
kill -KILL "$TPID"
finish
