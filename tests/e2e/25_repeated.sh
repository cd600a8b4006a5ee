#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# RSS counts a page of a file once for each mapping of it; rss.distinct counts it once, as the frames
# of memory do, which root is shown. Nobody else needs them for it.
. "$(dirname "$0")/lib.sh"
need_root
need_tool jq setpriv
start repeated
freeze "$TPID"
report "$TPID"
"$T/repeated" "$TPID" >"$TMP/frames" || die "no witness"
beyond=$(($(q .rss.scanned) - $(q .rss.distinct)))
equal "sum" "$(ledger_sum)" "$(rollup "$TPID" Rss)"
[ "$(jq .frames "$TMP/frames")" -gt 0 ] || die "root sees no frames"
equal "repeated bytes against the frames" "$beyond" "$(jq '.pages - .frames' "$TMP/frames")"
# The C library may have a page at the border of two segments that both map.
between "repeated bytes against the program" "$(truth .beyond)" "$beyond" $(($(truth .beyond) + 64 * PAGE))
rs report --pid "$TPID" --no-color
grep -Eq "^RSS .* scanned, [0-9.]+ MiB distinct" "$TMP/out" || fail "the text does not say it: $(grep ^RSS "$TMP/out")"
# From a capture, without any privilege.
rs capture "$TPID" -o "$TMP/c.rsscap"
chmod 755 "$TMP" && chmod 644 "$TMP/c.rsscap"
setpriv --reuid 65534 --regid 65534 --clear-groups "$RSSCOPE" report "$TMP/c.rsscap" --json >"$TMP/again.json" 2>"$TMP/err"
equal "distinct from a capture" "$(q .rss.distinct "$TMP/again.json")" "$(q .rss.distinct)"
thaw "$TPID"
stop "$TPID"
# What maps each file once is all distinct, and the text does not mention it.
start copies
freeze "$TPID"
report "$TPID"
"$T/repeated" "$TPID" >"$TMP/frames"
equal "nothing repeated" $(($(q .rss.scanned) - $(q .rss.distinct))) "$(jq '.pages - .frames' "$TMP/frames")"
rs report --pid "$TPID" --no-color
! grep -q "distinct" "$TMP/out" || fail "the text says what is no news: $(grep distinct "$TMP/out")"
thaw "$TPID"
stop "$TPID"
finish
