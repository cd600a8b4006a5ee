#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# rebuild.sh OUT [ARCH…]: writes OUT/ARCH/vmlinux.h from the kernel packages of vmlinux/pinned, bit for
# bit what is checked in; `make vmlinux` writes over it, `make check-vmlinux` compares. Packages are
# checked by their SHA-256; DEBS=DIR keeps them, and takes those that are there (Debian's archive has
# the newest version of a release only, its snapshot archive has all). Needs bpftool, dpkg, zstd, awk.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../tests/vm/apt.sh"
out=$1
shift
[ $# -gt 0 ] || set -- amd64 arm64
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
debs=${DEBS:-$tmp/debs}
mkdir -p "$debs"

die() {
	echo "rebuild.sh: $*" >&2
	exit 1
}
sum_of() { sha256sum "$1" | cut -d' ' -f1; }

fetch() { # ARCH PACKAGE VERSION SHA256: the package's file, in DEB
	for DEB in "$debs/$2"_*.deb; do
		[ -e "$DEB" ] && [ "$(sum_of "$DEB")" = "$4" ] && return
	done
	apt_state "$tmp/apt-$1" "$1" trixie
	apt_get "$debs" "$2=$3" || die "$2 $3 is not in the archive any more: put the file into DEBS=DIR"
	DEB=$(echo "$debs/$2"_*.deb)
	[ "$(sum_of "$DEB")" = "$4" ] || die "$DEB is not the pinned package: its SHA-256 is $(sum_of "$DEB")"
}

offsets() { LC_ALL=C grep -obUaP "$1" "$2" | cut -d: -f1; } # BYTES FILE
u32() { od -An -tu4 -j "$1" -N 4 "$2" | tr -d ' '; }	      # OFFSET FILE

# A kernel image has its BTF as it is, or in its zstd-compressed payload. The header (struct
# btf_header, include/uapi/linux/btf.h: magic, version 1, flags 0, hdr_len 24) tells how long it is.
btf_in() { # IMAGE OUT
	local at len
	for at in $(offsets '\x9f\xeb\x01\x00\x18\x00\x00\x00' "$1"); do
		len=$((24 + $(u32 $((at + 16)) "$1") + $(u32 $((at + 20)) "$1")))
		[ $len -gt 1000000 ] || continue
		head -c $((at + len)) "$1" | tail -c $len >"$2"
		return
	done
	return 1
}
btf_of() { # IMAGE OUT
	local at
	btf_in "$1" "$2" && return
	for at in $(offsets '\x28\xb5\x2f\xfd' "$1" | head -n 20); do
		# what follows the payload is no error
		tail -c +$((at + 1)) "$1" | zstd -dcq >"$tmp/payload" 2>/dev/null || :
		[ -s "$tmp/payload" ] && btf_in "$tmp/payload" "$2" && return
	done
	return 1
}

for arch; do
	read -r package version sum < <(sed -n "s/^$arch //p" "$here/pinned") || die "no kernel is pinned for $arch"
	fetch "$arch" "$package" "$version" "$sum"
	dpkg -x "$DEB" "$tmp/root-$arch"
	btf_of "$tmp/root-$arch"/boot/vmlinuz-* "$tmp/btf-$arch" || die "no BTF in $package"
	mkdir -p "$out/$arch"
	"$here/gen.sh" "$arch" "$tmp/btf-$arch" >"$out/$arch/vmlinux.h.new"
	mv "$out/$arch/vmlinux.h.new" "$out/$arch/vmlinux.h"
done
