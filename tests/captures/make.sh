#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# make.sh [OUTPUT]: takes the captures of tests/captures anew (root, amd64, both Go releases; cgroup v1
# or v2). *.rsc are Go programs, which unit tests use too; *.rsscap are others. Needed when readers read something that the captures do not have; `make check-replay UPDATE=1`
# then writes what they must give. Nothing goes in that names the machine: the targets run as /opt/NAME in
# a cgroup of their own, other mounts are taken away first, and tests/tools/recapture.c makes the kernel's
# name the public one.
OUTPUT=${1:-build}
if [ -z "${RSSCOPE_ALONE:-}" ]; then
	RSSCOPE_ALONE=1 exec unshare --mount bash "$0" "$@"
fi
. "$(dirname "$0")/../e2e/lib.sh"
need_root
need_go
awk '{ print $5 }' /proc/self/mountinfo | grep -vE '^/((proc|sys|dev)(/.*)?)?$' | tac | while read -r m; do
	umount -l "$m" 2>/dev/null
done
mkdir "$TMP/opt" && mount --bind "$TMP/opt" /opt
gcc -std=gnu11 -D_GNU_SOURCE -I"$ROOT/include" -o "$TMP/recapture" "$ROOT/tests/tools/recapture.c" -lz || die "recapture does not build"

memory=$(mounted cgroup memory) limit=memory.limit_in_bytes
[ -n "$memory" ] || memory=$(mounted cgroup2) limit=memory.max

take() { # FILE TARGET [ARG…]
	local group=$memory/rsscope.slice name=${1%.*}
	mkdir -p "$group/$name.service"
	[ $limit = memory.max ] && echo +memory | tee "$memory/cgroup.subtree_control" "$group/cgroup.subtree_control" >/dev/null
	CGROUPS+=("$group/$name.service" "$group")
	echo $((512 * MIB)) >"$group/$name.service/$limit"
	cp "$T/$2" "/opt/$name"
	start_program sh -c 'echo $$ >"$1/cgroup.procs" && shift && exec env -i "$@"' sh "$group/$name.service" "/opt/$name" "${@:3}"
	read -r -t 60 line <&"$TRUTH_FD" || die "$1 says nothing"
	if [[ $2 == fixture* ]]; then
		ask "garbage 3"
	fi
	"$RSSCOPE" capture --pid "$TPID" -o "$TMP/look" || die "$1: exit $?"
	"$TMP/recapture" <"$TMP/look" >"$ROOT/tests/captures/$1" || die "$1: recapture"
	stop "$TPID"
	ls -l "$ROOT/tests/captures/$1"
}

[ -x "$T/fixture-go-1.19" ] || die "needs Debian's Go 1.19 beside the newest one"
new=$("$T/fixture-pure" </dev/null | jq -r '.go | split(".")[0:2] | join("")')
take go119cgo.rsc fixture-go-1.19 -heap 6 -path /opt/data
take "${new}cgo.rsc" fixture-cgo-stripped -heap 6
take "${new}pie.rsc" fixture-pie -heap 4 -threads 2
take "${new}pure.rsc" fixture-pure-stripped -heap 6
take c-program.rsscap plain
