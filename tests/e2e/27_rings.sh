#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Rings that the kernel shares with the process are `device`, as far as RSS counts them: smaps says which
# it does. A file that merely lies under /dev counts, too.
. "$(dirname "$0")/lib.sh"
need_root
need_tool jq
smaps() { # NAME-PART: bytes of RSS of the mappings with that name
	awk -v n="$1" '/^[0-9a-f]+-[0-9a-f]+ / { on = index($0, n) } on && $1 == "Rss:" { s += $2 }
		END { print s * 1024 }' "/proc/$TPID/smaps"
}
file=$(mktemp /dev/rsscope-test.XXXXXX) || skip no-dev "nobody may make files in /dev"
UNDO+=("rm -f $file")
head -c 3M /dev/urandom >"$file"
start rings "$file"
freeze "$TPID"
report "$TPID"
equal "sum" "$(ledger_sum)" "$(rollup "$TPID" Rss)"
equal "unknown" "$(q .unknown)" 0
equal "device" "$(resident device)" "$(smaps anon_inode:)"
for ring in uring:io_uring bpf:bpf-map perf:perf_event; do
	name=${ring#*:}
	equal "$name" "$(q "[.ledger[] | select(.category == \"device\") | .rows[] | select(.name | contains(\"$name\")) | .resident] | add // 0")" "$(smaps "$name")"
done
equal "the file" "$(q "[.ledger[].rows[] | select(.name == \"$file\") | .resident] | add // 0")" "$(smaps "$file")"
equal "the file is there" "$(smaps "$file")" "$(truth .file)"
rs capture "$TPID" -o "$TMP/c.rsscap"
rs report "$TMP/c.rsscap" --json
equal "sum, of a capture" "$(ledger_sum "$TMP/out")" "$(rollup "$TPID" Rss)"
thaw "$TPID"
stop "$TPID"
finish "$(tr -d '\n' <"$TMP/truth")"
