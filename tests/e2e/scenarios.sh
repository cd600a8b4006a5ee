# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# Programs that bring findings about (tests/scenarios), in $S; sourced after lib.sh.
go=${GO:-$(command -v go || ls /usr/local/go/bin/go 2>/dev/null)}
[ -n "$go" ] || skip no-go "no Go toolchain to build the scenarios"
S=$OUTPUT/scenarios/scenarios
mkdir -p "$OUTPUT/scenarios"
(cd "$ROOT/tests/scenarios" && GO111MODULE=on GOTOOLCHAIN=local GOFLAGS='' GOWORK=off CGO_ENABLED=0 \
	GOCACHE=${GOCACHE:-${HOME:-$OUTPUT}/.cache/go-build} \
	"$go" build -trimpath -buildvcs=false -ldflags '-s -w' -o "$S" .) || die "the scenarios do not build"


# scenario NAME [ENV=VALUE…]: its PID in TPID, its line in $TMP/truth.
scenario() {
	start_program env "${@:2}" "$S" "$1"
	read -r -t 60 line <&"$TRUTH_FD" || die "$1 says nothing: $(cat "$TMP"/target.*.err)"
	printf '%s\n' "$line" >"$TMP/truth"
}
