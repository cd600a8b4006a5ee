#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# captures.sh OUTPUT [RELEASE…]: takes the captures of tests/captures/go-matrix anew (root): a matrix
# target of each release and variant, and what that said of itself before and after. The target runs as
# /opt/matrix with nothing of the machine in sight, as those of tests/captures/make.sh do. The cells of one
# release are one archive, RELEASE.tar.xz: they share most pages, as addresses are not random. RELEASE.json
# has a line for each.
OUTPUT=$1
shift
. "$(dirname "$0")/../e2e/lib.sh"
. "$(dirname "$0")/toolchain.sh"
need_root
need_tool jq xz setarch
DIR=$ROOT/tests/captures/go-matrix

releases=$(wanted_releases "$@")
if [ -z "${RSSCOPE_ALONE:-}" ]; then
	mkdir -p "$GO_MATRIX"
	gcc -std=gnu11 -D_GNU_SOURCE -I"$ROOT/include" -o "$GO_MATRIX/recapture" "$ROOT/tests/tools/recapture.c" -lz || die "recapture does not build"
	for r in $releases; do
		toolchain "$r" >/dev/null 2>&1 || die "$r can't be had"
		for v in $ALL_VARIANTS; do
			target_flags "$v"
			build_target "$TOOLCHAIN" "$GO_MATRIX/$r-$v" $CGO "${FLAGS[@]}" || die "building $v with $r"
		done
	done
	# shellcheck disable=SC2086 # a list of words
	RSSCOPE_ALONE=1 exec unshare --mount bash "$0" "$OUTPUT" $releases
fi
awk '{ print $5 }' /proc/self/mountinfo | grep -vE '^/((proc|sys|dev)(/.*)?)?$' | tac | while read -r m; do
	umount -l "$m" 2>/dev/null
done
mkdir -p "$TMP/opt" "$TMP/cells" "$DIR" && mount --bind "$TMP/opt" /opt || die "no mount namespace"

memory=$(mounted cgroup memory)
[ -n "$memory" ] || memory=$(mounted cgroup2)
group=$memory/rsscope.slice
mkdir -p "$group/matrix.service"
CGROUPS+=("$group/matrix.service" "$group")

take() { # VARIANT: 1 when the process did not rest
	local i
	for ((i = 0; i < 40; i++)); do
		sleep 0.2
		ask truth
		cp "$TMP/truth" "$TMP/before"
		"$RSSCOPE" capture --pid "$TPID" -o "$TMP/look" 2>"$TMP/err" || die "$1: $(cat "$TMP/err")"
		ask truth
		[ "$(jq -S .metrics "$TMP/before")" != "$(jq -S .metrics "$TMP/truth")" ] && continue
		jq -c --arg cell "$1" '{cell: $cell, go, metrics}' "$TMP/truth" >>"$TMP/truths"
		"$GO_MATRIX/recapture" -0 <"$TMP/look" >"$TMP/cells/$1.rsc" || die "$1: recapture"
		return
	done
	return 1
}
for r in $releases; do
	rm -f "$TMP"/cells/* "$TMP/truths"
	for v in $ALL_VARIANTS; do
		cp "$GO_MATRIX/$r-$v" /opt/matrix
		start_program sh -c 'echo $$ >"$1/cgroup.procs" && exec env -i GOMAXPROCS=2 setarch -R /opt/matrix -small' sh "$group/matrix.service"
		read -r -t 60 line <&"$TRUTH_FD" || die "$r $v says nothing"
		ask "churn 1"
		take "$v" || fail "$r $v: no capture of a resting process"
		stop "$TPID"
		rm -f /opt/matrix
	done
	tar -C "$TMP/cells" --format=ustar --sort=name --owner=root:0 --group=root:0 --mtime=@0 --mode=644 -cf - . | xz -9e >"$DIR/$r.tar.xz"
	cp "$TMP/truths" "$DIR/$r.json"
	ls -l "$DIR/$r.tar.xz"
done
finish
