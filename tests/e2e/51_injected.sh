#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A mapping that nobody knows appears in full, a Go version that lies is still right or refused.
. "$(dirname "$0")/lib.sh"
need_root
need_go
need_tool jq

for name in fixture-pure-stripped fixture-cgo-stripped; do
	start $name -mmap 0
	freeze "$TPID"
	report "$TPID"
	u=$(q .unexplained)
	thaw "$TPID"
	ask "mmap 7"
	freeze "$TPID"
	report "$TPID"
	# Nothing else of what it did to map them is unexplained.
	equal "$name: unexplained grows by" $(($(q .unexplained) - u)) $((7 * MIB))
	equal "$name: sum" "$(ledger_sum)" "$(rollup "$TPID" Rss)"
	stop "$TPID"
done

# The version string patched to another release with another layout: the self-check must notice.
version=$("$T/fixture-pure-stripped" </dev/null | jq -r .go)
for other in go1.19 go1.21 go1.24 go1.99 go1.16; do
	new=$(printf '%-*s' ${#version} "$other" | tr ' ' '0' | cut -c1-${#version})
	[ "${other}" = "${version%.*}" ] && continue
	case $version in $other*) continue ;; esac
	# go1.26.8 → go1.19.0: same length, so the file still runs.
	minor=$other.${version##*.}
	[ ${#minor} = ${#version} ] && new=$minor
	LC_ALL=C sed "s/$version/$new/g" "$T/fixture-pure-stripped" >"$TMP/patched"
	cmp -s "$TMP/patched" "$T/fixture-pure-stripped" && fail "nothing to patch for $version"
	chmod +x "$TMP/patched"
	start_program "$TMP/patched"
	read -r -t 60 line <&"$TRUTH_FD" || {
		fail "the program patched to $new does not run"
		continue
	}
	printf '%s\n' "$line" >"$TMP/truth"
	freeze "$TPID"
	report "$TPID"
	equal "patched to $new: sum" "$(ledger_sum)" "$(rollup "$TPID" Rss)"
	total=$(q '.go.metrics["/memory/classes/total:bytes"] // "refused"')
	right=$(truth '.metrics."/memory/classes/total:bytes"')
	[ "$total" = "$right" ] || [ "$total" = refused ] || fail "patched to $new: total is $total, want $right or a refusal"
	echo "patched $version to $new: $total"
	[ "$total" != refused ] || [ "$RC" = 5 ] || fail "patched to $new: refused, but exit $RC, want 5"
	stop "$TPID"
done
finish
