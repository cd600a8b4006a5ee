#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A second mount of the memory cgroups that another mount hides: the one that can be reached is used,
# by report and by doctor. The working set and headroom against the kernel's own files.
. "$(dirname "$0")/lib.sh"
need_root
need_tool jq unshare mount
v1=$(mounted cgroup memory)
[ -n "$v1" ] || skip no-cgroup-memory "no memory controller of cgroup v1"
CG=$v1/rsscope-test-mounts-$$
mkdir "$CG" || die "no cgroup"
CGROUPS+=("$CG")
echo $((100 * MIB)) >"$CG/memory.limit_in_bytes"
start absent "$TMP/absent.dat"
echo "$TPID" >"$CG/cgroup.procs"
freeze "$TPID"
mkdir "$TMP/b" "$TMP/deep" "$TMP/deep/b"
hide() { # FOLDER-TO-COVER MOUNT-POINT COMMAND…
	unshare -m sh -ec 'mount --make-rprivate /; mount --bind "$1" "$3"; mount -t tmpfs none "$2"
		shift 3; "$@"' sh "$v1" "$@"
}
seen() { # WHAT: of $TMP/hidden.json
	local c='.reports[0].cgroup' used
	used=$(cat "$CG/memory.usage_in_bytes")
	equal "$1: limit" "$(jq "$c.effective_limit" "$TMP/hidden.json")" $((100 * MIB))
	between "$1: usage" $((used - MIB)) "$(jq "$c.usage // empty" "$TMP/hidden.json")" $((used + MIB))
	equal "$1: headroom" "$(jq "$c.headroom + $c.usage" "$TMP/hidden.json")" $((100 * MIB))
	used=$(jq "$c.usage - ([$c.rows[] | select(.name == \"inactive_file\").bytes][0])" "$TMP/hidden.json")
	equal "$1: working set" "$(jq "$c.working_set" "$TMP/hidden.json")" "$used"
}
hide "$TMP/b" "$TMP/b" "$RSSCOPE" report --json --pid "$TPID" >"$TMP/hidden.json"
seen "a mount with another on top"
hide "$TMP/deep" "$TMP/deep/b" "$RSSCOPE" report --json --pid "$TPID" >"$TMP/hidden.json"
seen "a mount below a covered folder"
hide "$TMP/b" "$TMP/b" "$RSSCOPE" doctor --json >"$TMP/doctor.json"
grep -q "read at $v1" "$TMP/doctor.json" || fail "doctor: $(grep -A3 'memory cgroup' "$TMP/doctor.json")"
hide "$TMP/b" "$TMP/b" sh -ec 'mount -t tmpfs none "$1"; shift; "$@"' sh "$v1" "$RSSCOPE" report --json \
	--pid "$TPID" >"$TMP/hidden.json"
equal "all hidden: usage" "$(jq '.reports[0].cgroup.usage' "$TMP/hidden.json")" null
grep -q "hides the mount" "$TMP/hidden.json" || fail "all hidden: no reason is given"
thaw "$TPID"
stop "$TPID"
finish
