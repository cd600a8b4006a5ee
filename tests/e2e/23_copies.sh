#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Private copies of a memfd's pages and a packet ring are told from shared memory and files; the sizes
# are smaps' own. --pss agrees with smaps where a category has one.
. "$(dirname "$0")/lib.sh"
need_root
need_tool jq
smaps() { # NAME-PART FIELD: bytes, of the mappings with that name
	awk -v n="$1" -v f="$2:" '/^[0-9a-f]+-[0-9a-f]+ / { on = index($0, n) } on && $1 == f { s += $2 }
		END { print s * 1024 }' "/proc/$TPID/smaps"
}
start copies
freeze "$TPID"
report "$TPID" --pss
equal "native/copies against smaps" "$(resident native/copies)" "$(smaps /memfd:guest Anonymous)"
equal "native/copies against the program" "$(resident native/copies)" "$(jq .copied "$TMP/truth")"
equal "shm" "$(resident shm)" 0
equal "sum" "$(ledger_sum)" "$(rollup "$TPID" Rss)"
if [ "$(jq .ring "$TMP/truth")" -gt 0 ]; then
	equal "device against smaps" "$(resident device)" "$(smaps socket:[ Rss)"
	equal "device against the program" "$(resident device)" "$(jq .ring "$TMP/truth")"
fi
thaw "$TPID"
stop "$TPID"
finish
