#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# captures.sh OUTPUT [RELEASE…]: takes the captures of tests/captures/go-matrix anew (root): a stripped
# matrix target of each release, and what that said of itself before and after. The target runs as
# /opt/matrix with nothing of the machine in sight, as those of tests/captures/make.sh do.
OUTPUT=$1
shift
. "$(dirname "$0")/../e2e/lib.sh"
. "$(dirname "$0")/toolchain.sh"
need_root
need_tool jq xz
LIMIT=$((150 * 1024)) # bytes, compressed: another attempt may need fewer readings
DIR=$ROOT/tests/captures/go-matrix

releases=$*
[ -n "$releases" ] || releases=$(grep -v '^#' "$ROOT/tests/go-matrix/releases")
if [ -z "${RSSCOPE_ALONE:-}" ]; then
	for r in $releases; do
		target_flags pure-stripped
		toolchain "$r" >/dev/null 2>&1 || die "$r can't be had"
		build_target "$TOOLCHAIN" "$GO_MATRIX/$r-pure-stripped" $CGO "${FLAGS[@]}" || die "building with $r"
	done
	RSSCOPE_ALONE=1 exec unshare --mount bash "$0" "$OUTPUT" $releases
fi
awk '{ print $5 }' /proc/self/mountinfo | grep -vE '^/((proc|sys|dev)(/.*)?)?$' | tac | while read -r m; do
	umount -l "$m" 2>/dev/null
done
mkdir -p "$TMP/opt" "$DIR" && mount --bind "$TMP/opt" /opt || die "no mount namespace"

memory=$(mounted cgroup memory)
[ -n "$memory" ] || memory=$(mounted cgroup2)
group=$memory/rsscope.slice
mkdir -p "$group/matrix.service"
CGROUPS+=("$group/matrix.service" "$group")

take() { # RELEASE: 1 when the process did not rest, or the capture is large
	ask "churn 1"
	cp "$TMP/truth" "$TMP/before"
	sleep 0.3
	ask truth
	"$RSSCOPE" capture --pid "$TPID" -o "$TMP/look" 2>"$TMP/err" || die "$1: $(cat "$TMP/err")"
	cp "$TMP/truth" "$TMP/before"
	ask truth
	[ "$(jq -S .metrics "$TMP/before")" = "$(jq -S .metrics "$TMP/truth")" ] || return 1
	jq -c '{go, metrics}' "$TMP/truth" >"$TMP/$1.json"
	"$OUTPUT/tests/go-matrix/inflate" <"$TMP/look" >"$TMP/$1.rsc" || die "$1: inflating the capture"
	xz -9ef "$TMP/$1.rsc"
	chmod 644 "$TMP/$1.rsc.xz"
	[ "$(stat -c %s "$TMP/$1.rsc.xz")" -le $LIMIT ]
}
for r in $releases; do
	cp "$GO_MATRIX/$r-pure-stripped" /opt/matrix
	for ((i = 0; i < 12; i++)); do
		start_program sh -c 'echo $$ >"$1/cgroup.procs" && exec env -i GOMAXPROCS=2 /opt/matrix -small' sh "$group/matrix.service"
		read -r -t 60 line <&"$TRUTH_FD" || die "$r says nothing"
		take "$r" && cp "$TMP/$r.rsc.xz" "$TMP/$r.json" "$DIR/" && break
		stop "$TPID"
	done
	[ $i != 12 ] || fail "$r: no small capture of a resting process"
	[ $i = 12 ] || stop "$TPID"
	ls -l "$DIR/$r.rsc.xz"
done
finish
