#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# check.sh OUTPUT [KERNEL...]: the program on Debian's kernels, one virtual machine after the other;
# a table of features held against expected-ARCH.txt. The last line counts its cells. Machines are
# emulated: nothing of this host's kernel is asked for, nothing but files of OUTPUT/vm is written,
# and packages that are missing are installed when we are root.
#
#	ARCH=arm64	other machines than amd64 (cross-built)
#	UPDATE=1	writes the expected table anew
#	REFRESH=1	asks for newer kernels; else those that are there are taken
#	CAPTURES=1	keeps a capture of each kernel in tests/captures (then: make check-replay UPDATE=1)
#	ACCEL=kvm	KVM instead of emulation
set -u
cd "$(dirname "$0")/../.." || exit 2
here=tests/vm
. $here/apt.sh
vm=$(realpath -m "$1")/vm
shift
arch=${ARCH:-amd64}
host=$(uname -m | sed 's/x86_64/amd64/;s/aarch64/arm64/')
all=(5.10:bullseye 6.1:bookworm 6.12:trixie sid:sid)
expected=$here/expected-$arch.txt
build=$vm/$arch
out=$vm/out-$arch
mkdir -p "$out"

die() {
	echo "check-kernels: $*" >&2
	exit 1
}
skip() {
	echo "SKIP $*"
	exit 77
}

kernels=()
for k in "${all[@]}"; do
	[ $# = 0 ] || [[ " $* " == *" ${k%%:*} "* ]] || continue
	kernels+=("$k")
done
[ ${#kernels[@]} -gt 0 ] || die "no kernel $*: there are ${all[*]%%:*}"

# ---- packages: what building takes, then ours
sh tests/deps.sh test || [ "$(id -u)" != 0 ] || die "packages are missing"
# QEMU 7.2, bookworm's, panics guests with Linux 6.12 in one boot out of five.
qemu_good() {
	local v
	v=$("$1" --version 2>/dev/null | sed -n 's/.*version \([0-9]*\).*/\1/p') && [ "${v:-0}" -ge 8 ]
}
install() { # apt-get options and packages
	DEBIAN_FRONTEND=noninteractive apt-get -q -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "$@" >"$vm/install.log" 2>&1
}
not_installed() {
	tail -n 5 "$vm/install.log" >&2
	die "could not install $*"
}
need() { # PACKAGE COMMAND: noted when the command is not there
	command -v "$2" >/dev/null || wanted+=("$1")
}
wanted=()
need busybox-static busybox
need cpio cpio
need jq jq
need binutils readelf
case $arch in
amd64)
	cross=x86_64-linux-gnu cross_package="gcc-x86-64-linux-gnu libc6-dev-amd64-cross"
	qemu=qemu-system-x86_64 qemu_package=qemu-system-x86
	;;
arm64)
	cross=aarch64-linux-gnu cross_package="gcc-aarch64-linux-gnu libc6-dev-arm64-cross"
	qemu=qemu-system-aarch64 qemu_package=qemu-system-arm
	;;
*) skip "no machines for $arch" ;;
esac
[ "$arch" = "$host" ] || need "$cross_package" $cross-gcc
qemu_good $qemu || wanted+=("$qemu_package")
if [ ${#wanted[@]} -gt 0 ]; then
	command -v apt-get >/dev/null || skip "not here: ${wanted[*]} (Debian's names), and no apt-get"
	[ "$(id -u)" = 0 ] || skip "not here: ${wanted[*]}; run as root once, or install them"
	echo "installing ${wanted[*]}"
	# shellcheck disable=SC2206 # some are two packages
	plain=(${wanted[@]/$qemu_package/})
	[ ${#plain[@]} = 0 ] || install "${plain[@]}" || { apt-get -q update >/dev/null 2>&1 && install "${plain[@]}"; } || not_installed "${plain[@]}"
	if ! qemu_good $qemu; then
		release=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
		apt_state "$vm/apt-host" "$host" "$release" "$release-backports" || die "no package lists"
		install "${APT_O[@]}" -t "$release-backports" "$qemu_package" || not_installed "$qemu_package"
	fi
	qemu_good $qemu || die "$qemu 8 or newer is needed, this is $($qemu --version | head -n 1)"
fi

# ---- what goes into the guest
sysroot=/
make_args=(STATIC=1 "ARCH=$arch" "OUTPUT=$build")
if [ "$arch" != "$host" ]; then
	sysroot=$vm/sysroot-$arch
	bash $here/sysroot.sh "$sysroot" "$arch" || die "no libraries for $arch"
	make_args+=("CC=$cross-gcc" "AR=$cross-ar")
	export PKG_CONFIG_LIBDIR=$sysroot/usr/lib/$cross/pkgconfig:$sysroot/usr/share/pkgconfig
	export PKG_CONFIG_SYSROOT_DIR=$sysroot
fi
nice "${MAKE:-make}" --no-print-directory -j"$(nproc)" "${make_args[@]}" vm-guest >"$vm/make-$arch.log" 2>&1 ||
	{ tail -n 20 "$vm/make-$arch.log" && die "the build for $arch fails: $vm/make-$arch.log"; }
[ -x "$build/guest/pure" ] || skip "no-go: no Go toolchain: nothing to look at"
bash $here/kernels.sh "$vm/kernels-$arch" "$arch" "${kernels[@]}" || die "no kernels"
bash $here/root.sh "$build" "$sysroot" "$vm/initrd-$arch" || die "no initrd"

# ---- the machines
for k in "${kernels[@]}"; do
	name=${k%%:*} start=$SECONDS said=
	for try in 1 2; do
		bash $here/boot.sh "$arch" "$vm/kernels-$arch/$name/vmlinuz" "$vm/initrd-$arch" "$out/$name" && break
		said=" (died without a verdict, tried again: $out/$name.died)"
		mv "$out/$name.log" "$out/$name.died"
		[ $try = 1 ] || echo "$name: died twice: $(tail -n 1 "$out/$name.died")"
	done
	touch "$out/$name.log"
	rm -rf "${out:?}/$name"
	mkdir "$out/$name"
	tar -x -C "$out/$name" -f "$out/$name.tar" 2>/dev/null
	sed -n 's/^@@IS //p' "$out/$name.log" >"$out/$name.is"
	if [ "${CAPTURES:-}" = 1 ] && [ -e "$out/$name/pure.rsc" ]; then
		go=$(jq -r '.reports[0].target.go_version | split(".")[0:2] | join("")' "$out/$name/pure.json")
		command install -m 644 "$out/$name/pure.rsc" "tests/captures/${go}pure-linux-$(cut -d. -f1-2 "$vm/kernels-$arch/$name/release").rsc"
	fi
	printf '%-5s %-26s %3d features in %d s%s\n' "$name" "$(cat "$vm/kernels-$arch/$name/release")" "$(wc -l <"$out/$name.is")" $((SECONDS - start)) "$said"
	# What the guest had to say about failures.
	awk '/^@@IS .* FAIL/ { print "      " $2 " " $3; bad = 1; next } /^   / && bad { print "   " $0 } /^@@IS/ { bad = 0 }' "$out/$name.log"
done

# ---- the table: kernels side by side, against the one that is checked in
names=("${kernels[@]%%:*}")
cells=("${names[@]/#/$out/}")
columns=${all[*]%%:*}
[ -e "$expected" ] || : >"$expected"
awk -v columns="$columns" -v run="${names[*]}" -f $here/table.awk "$expected" "${cells[@]/%/.is}" >"$out/table"
if [ "${UPDATE:-}" = 1 ]; then
	grep -L '^@@END' "${cells[@]/%/.log}" | grep . && die "that did not come to its end: the expected table stays"
	{
		echo "# What each kernel gives on $arch: made by \`make check-kernels ARCH=$arch UPDATE=1\`, read by"
		echo '# people before it is checked in. The words are explained in guest.sh and events.c.'
		cat "$out/table"
	} >"$expected"
fi
awk -v columns="$columns" -v run="${names[*]}" -v check=1 -f $here/table.awk "$expected" "${cells[@]/%/.is}"
