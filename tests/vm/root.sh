#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# root.sh BUILD SYSROOT INITRD: the guest's file system as an initrd: init, busybox, jq, what BUILD
# made, and the libraries that these need. SYSROOT: where the architecture's files are, / for ours.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$1 sys=${2%/} initrd=$3
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

library() { # SONAME: its file
	local d
	for d in "$sys"/lib/*-linux-gnu "$sys"/usr/lib/*-linux-gnu "$sys"/lib64 "$sys"/lib; do
		[ ! -e "$d/$1" ] || { echo "$d/$1" && return; }
	done
	echo "root.sh: no $1 for $2" >&2
	return 1
}
with_libraries() { # ELF: what it needs, in /lib, and its loader where it wants it
	local need file interp
	interp=$(readelf -lW "$1" | sed -n 's/.*program interpreter: \(.*\)\]/\1/p')
	if [ -n "$interp" ] && [ ! -e "$root$interp" ]; then
		mkdir -p "$root$(dirname "$interp")"
		cp -L "$(library "$(basename "$interp")" "$1")" "$root$interp"
	fi
	for need in $(readelf -dW "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'); do
		[ ! -e "$root/lib/$need" ] || continue
		file=$(library "$need" "$1")
		cp -L "$file" "$root/lib/$need"
		with_libraries "$file"
	done
}

mkdir -p "$root"/{bin,lib,dev,test/targets}
cp "$sys/bin/busybox" "$root/bin/busybox"
cp "$sys/usr/bin/jq" "$root/bin/jq"
cp "$here/init" "$root/init"
cp "$here/guest.sh" "$build/rsscope" "$build/vm-events" "$build/tests/unit/unit" "$root/test/"
cp "$build"/guest/* "$root/test/targets/"
chmod 755 "$root/init"
for f in "$root"/bin/* "$root"/test/targets/*; do
	with_libraries "$f"
done
# Not compressed: unpacking costs more in the guest than it saves. The second archive is dev/console,
# without which init has no standard output; written by hand, for making a device takes root.
{
	(cd "$root" && find . -print0 | cpio -0 -o -H newc -R 0:0 --quiet)
	# magic, inode, mode, uid, gid, links, mtime, size, device, rdevice 5:1, name's length, check
	printf '070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X' 1 0x2180 0 0 1 0 0 0 0 5 1 12 0
	printf 'dev/console\0\0\0'
	printf '070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X' 0 0 0 0 1 0 0 0 0 0 0 11 0
	printf 'TRAILER!!!\0\0\0\0'
} >"$initrd.new"
mv "$initrd.new" "$initrd"
