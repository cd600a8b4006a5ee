# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash disable=SC2034 # variables are for those who source it
# Go toolchains and what they build, for the scripts of this folder and tests/e2e. Needs $OUTPUT and
# $ROOT. Downloads go to $GO_MATRIX_CACHE, a module cache that survives: about 350 MB a release.
GO_MATRIX=$OUTPUT/go-matrix
GO_MATRIX_CACHE=${GO_MATRIX_CACHE:-$GO_MATRIX/mod}
GO_MATRIX_BUILD=${GO_MATRIX_BUILD:-$GO_MATRIX/cache}
GO=${GO:-$(command -v go || ls /usr/local/go/bin/go 2>/dev/null)}

# What a toolchain's tree says it is: "go1.21.13". Old ones are asked (they stop at flags they don't
# know, so without the environment's).
release_of() { # GOROOT
	sed -n '1s/^\(go[0-9][0-9.a-z]*\).*/\1/p' "$1/VERSION"
}
minor_of() { # go1.MINOR…
	local m=${1#go1.}
	echo "${m%%[!0-9]*}"
}
local_toolchains() { # the trees that are installed, newest first
	local g
	for g in ${GO:+"$(dirname "$(dirname "$(readlink -f "$GO")")")"} /usr/local/go /usr/lib/go-1.*; do
		[ -x "$g/bin/go" ] && [ -e "$g/VERSION" ] && readlink -f "$g"
	done | awk '!seen[$0]++'
}
# wanted_releases [RELEASE…]: those; "all", or none: those of the file releases; "local": those installed.
wanted_releases() {
	local g
	case ${1:-all} in
	all) grep -v '^#' "$ROOT/tests/go-matrix/releases" ;;
	local) for g in $(local_toolchains); do release_of "$g"; done ;;
	*) printf '%s\n' "$@" ;;
	esac
}
# Sets TOOLCHAIN to the tree of that release: an installed one, or downloaded once. 1: can't be had.
toolchain() { # RELEASE
	local g module
	module=golang.org/toolchain@v0.0.1-$1.linux-$(go_arch)
	for g in $(local_toolchains); do
		[ "$(release_of "$g")" = "$1" ] && TOOLCHAIN=$g && return 0
	done
	TOOLCHAIN=$GO_MATRIX_CACHE/$module
	if [ ! -d "$TOOLCHAIN" ]; then
		[ -n "$GO" ] || return 1
		[ "${RSSCOPE_OFFLINE:-}" != 1 ] || return 1
		GOMODCACHE=$GO_MATRIX_CACHE GOTOOLCHAIN=local GOFLAGS='' GOWORK=off GO111MODULE=on \
			"$GO" mod download "$module" || return 1
		# the archive without which it is of no more use
		rm -f "$GO_MATRIX_CACHE/cache/download/golang.org/toolchain/@v/v0.0.1-$1.linux-$(go_arch).zip"
	fi
	[ -x "$TOOLCHAIN/bin/go" ] && [ -x "$TOOLCHAIN/pkg/tool/linux_$(go_arch)/compile" ] && return 0
	chmod -R u+w "$TOOLCHAIN"
	chmod +x "$TOOLCHAIN"/bin/* "$TOOLCHAIN"/pkg/tool/linux_*/*
}
go_arch() {
	case $(uname -m) in
	x86_64) echo amd64 ;;
	aarch64) echo arm64 ;;
	*) uname -m ;;
	esac
}
# build_target TREE OUT CGO [FLAG…]: the matrix target (TARGET_SRC: another one) with that toolchain, as its own language
# version, so that its GODEBUG defaults are those of its time.
build_target() {
	local tree=$1 out=$2 cgo=$3 src
	src=$GO_MATRIX/src-$(release_of "$tree")
	shift 3
	mkdir -p "$src" "$(dirname "$out")"
	rm -f "$src"/*.go
	cp "$ROOT/tests/${TARGET_SRC:-go-matrix/target}"/*.go "$src/"
	printf 'module rsscope.test/matrix\n\ngo 1.%s\n' "$(minor_of "$(release_of "$tree")")" >"$src/go.mod"
	(cd "$src" && GOROOT=$tree GO111MODULE=on GOTOOLCHAIN=local GOENV=off GOFLAGS='' GOWORK=off GOEXPERIMENT=${EXPERIMENT:-} \
		GOCACHE=$GO_MATRIX_BUILD CGO_ENABLED=$cgo "$tree/bin/go" build -trimpath "$@" -o "$out" .)
}
ALL_VARIANTS='pure pure-stripped pure-pie cgo cgo-stripped cgo-pie'
# target_flags VARIANT: pure|cgo, then -stripped or -pie; into FLAGS and CGO.
target_flags() {
	CGO=0 FLAGS=()
	case $1 in cgo*) CGO=1 ;; esac
	case $1 in
	*-stripped) FLAGS=("-ldflags=-s -w") ;;
	*-pie) FLAGS=(-buildmode=pie "-ldflags=-s -w") ;;
	esac
}
