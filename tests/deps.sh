#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# deps.sh build|demo|test|bench: sees to what building, the demo, the tests or the benchmarks need
# (Debian's packages). Installs only what is not there, as root; without root it says what to run. Other systems: the
# commands and pkg-config names below are what is looked for.
set -u
PATH=$PATH:/usr/sbin:/sbin
mode=${1:-build}
missing=''

want() { # PACKAGE CHECK…: the package is needed when the check fails
	package=$1
	shift
	"$@" >/dev/null 2>&1 || missing="$missing $package"
}
command_() { command -v "$1"; }
library() { command -v pkg-config && pkg-config --exists "$1"; }
header() { echo "#include <$1>" | ${CC:-cc} -E -; }
static() { [ -f "$(${CC:-cc} -print-file-name="$1")" ]; }
go_() { command -v go || [ -x /usr/local/go/bin/go ]; }
sanitizer() { [ -n "$(find "$(clang -print-resource-dir)/lib" -name 'libclang_rt.fuzzer*')" ]; }

build() {
	want gcc command_ "${CC:-cc}"
	want libc6-dev header stdio.h
	want make command_ make
	want pkg-config command_ pkg-config
	want clang command_ "${CLANG:-clang}"
	want bpftool command_ "${BPFTOOL:-bpftool}"
	want libbpf-dev library libbpf
	want libelf-dev library libelf
	want libdw-dev library libdw
	want zlib1g-dev library zlib
	want libjansson-dev library jansson
	want libseccomp-dev library libseccomp
}
demo() {
	build
	want golang-go go_
	want jq command_ jq
	want xz-utils command_ xz
}
test_() {
	demo
	want clang-format command_ clang-format
	want shellcheck command_ shellcheck
	want strace command_ strace
	want iproute2 command_ ip
	want curl command_ curl
	want ca-certificates test -d /etc/ssl/certs
	want util-linux command_ setpriv
	want procps command_ ps
	want "libclang-rt-$(clang_major)-dev" sanitizer
	# The static build: what elfutils' static libraries need.
	want liblzma-dev static liblzma.a
	want libbz2-dev static libbz2.a
}
bench() {
	want bpftrace command_ bpftrace
	want python3-bpfcc /usr/bin/python3 -c 'import bcc'
}
clang_major() {
	if command -v clang >/dev/null; then
		clang -dumpversion | cut -d. -f1
	else
		apt-cache depends clang 2>/dev/null | sed -n 's/.*Depends: clang-\([0-9]*\)$/\1/p' | head -1
	fi
}

case $mode in
build) build ;;
demo) demo ;;
test) test_ ;;
bench) bench ;;
*)
	echo "usage: deps.sh build|demo|test|bench" >&2
	exit 2
	;;
esac
[ -n "$missing" ] || exit 0

install="apt-get install -y --no-install-recommends"
if ! command -v apt-get >/dev/null; then
	echo "deps: not here:$missing (Debian's names). Install what your system calls them and try again." >&2
	exit 1
fi
if [ "$(id -u)" != 0 ]; then
	echo "deps: not here:$missing. As root, run: $install$missing" >&2
	exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt() { apt-get -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 "$@"; }
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
# A machine that never ran `apt-get update` knows no packages; one that ran it long ago, wrong ones.
case $missing in *libclang-rt--dev*)
	apt update >"$log" 2>&1
	missing=$(echo "$missing" | sed "s/libclang-rt--dev/libclang-rt-$(clang_major)-dev/")
	;;
esac
echo "deps: installing$missing"
# shellcheck disable=SC2086 # a list
if ! $install -s $missing >"$log" 2>&1 || ! apt install -y --no-install-recommends $missing >"$log" 2>&1; then
	echo "deps: apt-get update"
	if ! apt update >"$log" 2>&1 || ! apt install -y --no-install-recommends $missing >"$log" 2>&1; then
		tail -n 20 "$log" >&2
		echo "deps: could not install. As root, run: apt-get update && $install$missing" >&2
		exit 1
	fi
fi
exit 0
