#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# sysroot.sh DIR ARCH: another architecture's libraries and programs, unpacked into DIR: what a
# static build links with, and what the guest runs beside it. Of this machine's Debian release, whose
# cross compiler has the same C library.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/apt.sh"
dir=$1 arch=$2
packages=(libbpf-dev libelf-dev libelf1 libdw-dev libdw1 zlib1g-dev zlib1g libjansson-dev libjansson4 libseccomp-dev libseccomp2
	liblzma-dev liblzma5 libbz2-dev libbz2-1.0 jq libjq1 libonig5 libc6 busybox-static)

[ "$(cat "$dir/.packages" 2>/dev/null)" != "${packages[*]}" ] || exit 0
release=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
apt_state "$dir.apt" "$arch" "$release"
rm -rf "$dir"
apt_unpack "$dir" "${packages[@]}"
echo "${packages[*]}" >"$dir/.packages"
echo "sysroot: ${#packages[@]} packages of $release for $arch"
