#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# More libraries than there are descriptors, and thousands of small mappings: all of them are in the
# ledger, by name, live and from a capture.
. "$(dirname "$0")/lib.sh"
need_root
need_tool jq gcc
files=1400

mkdir "$TMP/plugins"
echo 'int table[100] = { 1 }; int zeroed[4];' >"$TMP/l.c"
gcc -shared -fPIC -o "$TMP/plugins/lib0.so" "$TMP/l.c" || die "no library to map"
for ((i = 1; i < files; i++)); do cp "$TMP/plugins/lib0.so" "$TMP/plugins/lib$i.so"; done
start_program "$T/mappings_many" $files "$TMP/plugins"
read -r -t 60 _ <&"$TRUTH_FD" || die "$(cat "$TMP"/target.*.err)"
freeze "$TPID"
ulimit -n 48 # for us and rsscope: the target has its own

frozen_report "$TPID"
equal "exit" $RC 0
equal "sum" "$(ledger_sum)" "$FROZEN_RSS"
equal "missing libraries" "$(q '[.missing[] | select(.path | startswith("ledger[libs]"))] | length')" 0
equal "too many open files" "$(grep -c 'open files' "$TMP/report.json")" 0
equal "libraries in the ledger" "$(q "[.ledger[] | select(.category == \"libs\") | .rows[] | select(.name | startswith(\"$TMP/plugins/\"))] | length")" $files
ledger_sane
ledger=$(q .ledger)

rs capture "$TPID" -o "$TMP/c.rsscap"
equal "exit of the capture" $RC 0
rs report "$TMP/c.rsscap" --json
equal "exit of its report" $RC 0
equal "ledger of the capture" "$(q .ledger "$TMP/out" | md5sum)" "$(md5sum <<<"$ledger")"
thaw "$TPID"
exec {STDIN_FD}>&-
finish "$files libraries with 48 descriptors"
