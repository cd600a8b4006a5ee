#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A program that keeps every third object of each page, and made some after the last cycle: live, new
# and unused bytes of each page are exact. And what is found of it is the same whether it is stripped.
. "$(dirname "$0")/lib.sh"
. "$ROOT/tests/go-matrix/toolchain.sh"
need_root
need_go
said=

# Where the runtime's variables are, and what led there, but that the symbols agree.
found() { # FILE
	"$OUTPUT/tests/go-matrix/globals" "$TPID" >"$1" || fail "$release: nothing is found"
}
for tree in $(local_toolchains); do
	release=$(release_of "$tree")
	for kind in stripped plain; do
		exe=$TMP/$release-$kind flags=-w
		[ $kind = plain ] || flags=-s\ -w
		build_target "$tree" "$exe" 0 "-ldflags=$flags" >"$TMP/build" 2>&1 || die "$release: $(tail -n 2 "$TMP/build")"
		start_program "$exe" -third "$TMP/pages"
		read -r -t 60 line <&"$TRUTH_FD" || die "$release says nothing"
		out=$("$OUTPUT/tests/go-matrix/objects" "$TPID" "$TMP/pages") || fail "$release $kind: $(head -n 4 <<<"$out")"
		found "$TMP/found-$kind"
		stop "$TPID"
	done
	cmp -s "$TMP/found-stripped" "$TMP/found-plain" || fail "$release: found in another place when stripped: $(diff "$TMP/found-stripped" "$TMP/found-plain")"
	said="$said $release: $(tail -n 1 <<<"$out");"
done
finish "$said"
