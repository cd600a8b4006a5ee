#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# kernels.sh DIR ARCH NAME:SUITE...: Debian's kernel of each suite as DIR/NAME/vmlinuz, with its
# release in DIR/NAME/release. Nothing is installed. What is there is kept: REFRESH=1 asks again.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/apt.sh"
dir=$1 arch=$2
shift 2

suites=() missing=()
for k; do
	suites+=("${k#*:}")
	[ -e "$dir/${k%%:*}/vmlinuz" ] && [ "${REFRESH:-}" != 1 ] || missing+=("$k")
done
[ ${#missing[@]} -gt 0 ] || exit 0
apt_state "$dir/apt" "$arch" "${suites[@]}"

# The version of a package in a suite.
version_in() { # PACKAGE SUITE
	apt-cache "${APT_O[@]}" madison "$1" | awk -F'|' -v s=" .* $2/main " '$3 ~ s { gsub(/ /, "", $2); print $2; exit }'
}
depends() { apt-cache "${APT_O[@]}" show "$1" | sed -n 's/^Depends: //p' | head -n 1 | tr ',' '\n'; }

for k in "${missing[@]}"; do
	name=${k%%:*} suite=${k#*:} meta=linux-image-cloud-$arch
	v=$(version_in "$meta" "$suite")
	[ -n "$v" ] || { echo "no $meta in $suite" >&2 && exit 1; }
	# linux-image-RELEASE (= VERSION)
	read -r image version < <(depends "$meta=$v" | sed -n 's/^ *\(linux-image-[0-9][^ ]*\) (= \([^)]*\)).*/\1 \2/p')
	release=${image#linux-image-}
	[ "$(cat "$dir/$name/version" 2>/dev/null)" = "$version" ] && continue
	# Since 7.x the image package has no image of its own: linux-binary-RELEASE has it.
	package=$image
	apt-cache "${APT_O[@]}" show "linux-binary-$release=$version" >/dev/null 2>&1 && package=linux-binary-$release
	rm -rf "${dir:?}/$name"
	apt_unpack "$dir/$name/root" "$package=$version"
	vmlinuz=$(find "$dir/$name/root" -name vmlinuz -type f -o -name "vmlinuz-$release" -type f | head -n 1)
	[ -n "$vmlinuz" ] || { echo "no vmlinuz in $package" >&2 && exit 1; }
	mv "$vmlinuz" "$dir/$name/vmlinuz.new"
	rm -rf "$dir/$name/root"
	echo "$release" >"$dir/$name/release"
	echo "$version" >"$dir/$name/version"
	mv "$dir/$name/vmlinuz.new" "$dir/$name/vmlinuz"
	echo "$name: $release ($version, $suite)"
done
