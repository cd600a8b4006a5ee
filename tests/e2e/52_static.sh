#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The static build runs in a chroot that holds nothing but itself, /proc and /sys.
. "$(dirname "$0")/lib.sh"
need_root
need_tool jq unshare
static=$OUTPUT/static/rsscope
[ -x "$static" ] || "${MAKE:-make}" --no-print-directory -s -C "$ROOT" OUTPUT="$OUTPUT/static" STATIC=1 all >"$TMP/log" 2>&1 ||
	die "the static build fails: $(tail -n 5 "$TMP/log")"
mkdir -p "$TMP/root/proc" "$TMP/root/sys"
cp "$static" "$TMP/root/rsscope"
start plain
[ -x "$T/fixture-cgo-stripped" ] && start fixture-cgo-stripped
freeze "$TPID"
# Mounts in a namespace of their own: nothing to clean up.
in_chroot() {
	unshare --mount sh -c 'mount --rbind /proc "$1/proc" && mount --rbind /sys "$1/sys" && d=$1 && shift && exec chroot "$d" "$@"' sh "$TMP/root" "$@"
}
in_chroot /rsscope report --pid "$TPID" --json >"$TMP/report.json" 2>"$TMP/err"
rc=$?
equal "exit of report" $rc 0
[ $rc = 0 ] || cat "$TMP/err"
equal "sum" "$(ledger_sum)" "$(rollup "$TPID" Rss)"
in_chroot /rsscope doctor >"$TMP/out" 2>"$TMP/err"
rc=$?
[[ $rc =~ ^[05]$ ]] || fail "exit of doctor: $rc: $(cat "$TMP/err")"
in_chroot /rsscope --help >"$TMP/out" || fail "--help fails"
finish
