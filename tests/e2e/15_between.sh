#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Under load each reading of the runtime's figures lies between two of the program's own, which it
# publishes in shared memory. READS=100000 for the full number.
. "$(dirname "$0")/lib.sh"
. "$ROOT/tests/go-matrix/toolchain.sh"
need_root
need_go
READS=${READS:-2000}
said=

for tree in $(local_toolchains); do
	release=$(release_of "$tree")
	[ "$(minor_of "$release")" -ge 17 ] || continue
	exe=$TMP/$release
	build_target "$tree" "$exe" 0 -ldflags=-s\ -w >"$TMP/build" 2>&1 || die "$release: $(tail -n 2 "$TMP/build")"
	start_program "$exe" -publish "$TMP/own"
	read -r -t 60 line <&"$TRUTH_FD" || die "$release says nothing"
	"$OUTPUT/tests/go-matrix/load" "$TPID" "$TMP/own" "$READS" >"$TMP/said" 2>&1 || fail "$release: $(grep -v OUTSIDE "$TMP/said")
$(grep OUTSIDE "$TMP/said" | head -n 5)"
	said="$said $release: $(tail -n 1 "$TMP/said");"
	stop "$TPID"
	rm -f "$TMP/own" "$exe"
done
finish "$said"
