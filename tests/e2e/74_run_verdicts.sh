#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The findings of one look are in what run and watch print at the end, too, and open it.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/watch.sh"
. "$(dirname "$0")/scenarios.sh"
need_probes
need_tool jq

# The scenario stays for a while, but not until the scavenger has returned what is free (Go 1.19: 3 s).
ran() { # NAME WANT
	sleep 1.5 | "$RSSCOPE" run --json --no-mappings -o "$TMP/run.$1" -- "$S" "$1" >/dev/null 2>"$TMP/err" || fail "run of $1: $(head -n 3 "$TMP/err")"
	jq -r 'select(.reports) | .reports[0].verdict' "$TMP/run.$1" >"$TMP/said"
	case $2 in
	'') grep -q '^RSS is ' "$TMP/said" ;;
	*) grep -q '^The Go runtime keeps ' "$TMP/said" ;;
	esac || fail "run of $1 says: $(cat "$TMP/said")"
	equal "findings of run $1" "$(jq -r 'select(.reports) | .reports[0] | [.findings[].id] | join(" ")' "$TMP/run.$1")" "$2"
}
ran peak heap-retained
ran steady ''

for name in peak steady; do
	scenario $name
	watch "$TPID" --json --no-mappings --interval 0
	kill -INT "$WPID"
	watched
	equal "findings of a watched $name" "$(events report '[.reports[0].findings[].id] | join(" ")')" "$([ $name = steady ] || echo heap-retained)"
	stop "$TPID"
done
finish "4 scenarios"
