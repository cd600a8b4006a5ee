#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Under load each reading of the runtime's figures lies between two of the program's own, which it
# publishes in shared memory. READS=100000 for the full number, GO_RELEASES for others than those installed.
. "$(dirname "$0")/lib.sh"
. "$ROOT/tests/go-matrix/toolchain.sh"
need_root
need_go
READS=${READS:-2000}
said=

# shellcheck disable=SC2086 # a list of words
for release in $(wanted_releases ${GO_RELEASES:-local}); do
	[ "$(minor_of "$release")" -ge 17 ] || continue
	toolchain "$release" >"$TMP/get" 2>&1 || die "$release can't be had"
	exe=$TMP/$release
	build_target "$TOOLCHAIN" "$exe" 0 -ldflags=-s\ -w >"$TMP/build" 2>&1 || die "$release: $(tail -n 2 "$TMP/build")"
	start_program "$exe" -publish "$TMP/own"
	read -r -t 60 line <&"$TRUTH_FD" || die "$release says nothing"
	"$OUTPUT/tests/go-matrix/load" "$TPID" "$TMP/own" "$READS" >"$TMP/said" 2>&1 || fail "$release: $(grep -v OUTSIDE "$TMP/said")
$(grep OUTSIDE "$TMP/said" | head -n 5)"
	echo "$release: $(tail -n 1 "$TMP/said")"
	said="$said $release: $(tail -n 1 "$TMP/said");"
	stop "$TPID"
	rm -f "$TMP/own" "$exe"
done
finish "$said"
