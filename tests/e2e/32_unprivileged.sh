#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A reader that is nobody, with what an opener passes to it, reports what root reports.
. "$(dirname "$0")/lib.sh"
need_root
need_go
need_tool jq
reader=$OUTPUT/tests/unprivileged

gist() { jq -S 'del(.time, .version, .reports[].time) | .reports[] | del(.cost, .cgroup, .findings, .host.boot_id, .kernel.mem_available) | .verdict |= sub("; [^;]*$"; "")' "$1"; }
rows() { jq -S '.reports[0].cgroup | [paths | map(tostring) | join(".")]' "$1"; }

for f in fixture-pure-stripped fixture-cgo; do
	install -m 700 "$T/$f" "$TMP/$f" # a file that nobody may read
	start_program "$TMP/$f"
	read -r -t 120 _ <&"$TRUTH_FD" || die "$f says nothing"
	freeze "$TPID"
	before=$(vm_state "$TPID")
	frozen_report "$TPID" --no-cache || continue
	"$reader" "$TPID" >"$TMP/nobody.json" 2>"$TMP/err"
	equal "$f: exit of the reader ($(head -c 300 "$TMP/err"))" $? 0
	diff <(gist "$TMP/report.json") <(gist "$TMP/nobody.json") >"$TMP/diff" ||
		fail "$f: nobody's report differs: $(head -n 20 "$TMP/diff")"
	diff <(rows "$TMP/report.json") <(rows "$TMP/nobody.json") >"$TMP/diff" ||
		fail "$f: nobody's cgroup rows differ: $(head -n 20 "$TMP/diff")"
	equal "$f: its RSS" "$(q .rss.scanned "$TMP/nobody.json")" "$FROZEN_RSS"
	equal "$f: what looking changed" "$(vm_state "$TPID")" "$before"
	stop "$TPID"
done
[ "$(pgrep -c rsscope-opener)" = 0 ] || fail "openers are left: $(pgrep -a rsscope-opener)"
finish "nobody's reports equal root's"
