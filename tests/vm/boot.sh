#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# boot.sh ARCH VMLINUZ INITRD OUT: one guest's life. Its console in OUT.log, the files it sends in
# OUT.tar; exit 0 when it came to its end, 3 when it died without. Emulation, unless ACCEL=kvm says
# that KVM works here: that /dev/kvm exists does not mean so.
set -u
arch=$1 vmlinuz=$2 initrd=$3 out=$4
case $arch in
amd64)
	qemu=(qemu-system-x86_64 -machine q35 -cpu max)
	console=ttyS0
	;;
arm64)
	# shellcheck disable=SC2054 # QEMU's commas
	qemu=(qemu-system-aarch64 -machine virt -cpu max,pauth-impdef=on)
	console=ttyAMA0
	;;
*)
	echo "boot.sh: no machine for $arch" >&2
	exit 2
	;;
esac
accel=tcg,thread=multi
[ "${ACCEL:-}" != kvm ] || accel=kvm
rm -f "$out.log" "$out.tar"
nice timeout -k 5 "${TIMEOUT:-600}" "${qemu[@]}" -accel $accel -smp 2 -m 1024 \
	-nodefaults -no-user-config -no-reboot -display none -serial stdio -serial "file:$out.tar" \
	-kernel "$vmlinuz" -initrd "$initrd" \
	-append "console=$console quiet panic=-1 oops=panic tsc=reliable mitigations=off ${APPEND:-}" \
	</dev/null 2>&1 | tr -d '\r' >"$out.log"
grep -q '^@@END' "$out.log" || exit 3
