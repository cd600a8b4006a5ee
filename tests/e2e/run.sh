#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# run.sh OUTPUT [NAME…]: every tests/e2e/NN_name.sh (or those whose name contains NAME), a line each;
# the last line counts. Exit 77 of a script skips it: as root that fails too, unless this environment
# really lacks what the skip's ID stands for, or RSSCOPE_ALLOW_SKIPS="id id" names it.
set -u
here=$(cd "$(dirname "$0")" && pwd)
export OUTPUT=${1:-build}
OUTPUT=$(realpath -m "$OUTPUT")
shift
logs=$OUTPUT/e2e
mkdir -p "$logs"
PATH=$PATH:/usr/sbin:/sbin
passed=0 failed=0 skipped=0

swap_works() {
	local f=$OUTPUT/e2e/swap ok=1
	rm -f "$f"
	head -c 2097152 /dev/zero >"$f" && chmod 600 "$f" && mkswap "$f" && swapon "$f" && ok=0 && swapoff "$f"
	rm -f "$f"
	return $ok
} >/dev/null 2>&1
# Whether this environment excuses a skip: judged here, not by the script that skips.
excused() { # ID
	case " ${RSSCOPE_ALLOW_SKIPS:-} " in *" $1 "*) return 0 ;; esac
	case $1 in
	no-root) [ "$(id -u)" != 0 ] ;;
	no-go) ! command -v go >/dev/null && [ ! -x /usr/local/go/bin/go ] ;;
	no-packages) ! command -v apt-get >/dev/null || [ "${RSSCOPE_OFFLINE:-}" = 1 ] ;;
	no-swap) ! swap_works ;;
	no-btf) [ ! -e /sys/kernel/btf/vmlinux ] ;;
	no-386) [ "$(uname -m)" != x86_64 ] || ! "$OUTPUT/targets/fixture-386" </dev/null >/dev/null 2>&1 ;;
	no-core) [ "$(cat /proc/sys/kernel/core_pattern)" != core ] ;;
	no-cgroup-memory) ! grep -qE '^cgroup2? .*memory' /proc/mounts && ! grep -qs memory /sys/fs/cgroup/cgroup.controllers ;;
	*) [ "$(id -u)" != 0 ] ;;
	esac
}

for w in "$@"; do # a name that is none would run nothing, and pass
	compgen -G "$here/[0-9][0-9]_*$w*.sh" >/dev/null || compgen -G "$here/$w*.sh" >/dev/null && continue
	echo "run.sh: no script is called '$w'; there are: $(basename -s .sh "$here"/[0-9][0-9]_*.sh | tr '\n' ' ')" >&2
	exit 2
done
for script in "$here"/[0-9][0-9]_*.sh; do
	name=$(basename "$script" .sh)
	if [ $# -gt 0 ]; then
		wanted=0
		for w in "$@"; do
			[[ $name == *"$w"* ]] && wanted=1
		done
		[ $wanted = 1 ] || continue
	fi
	start=$SECONDS
	timeout -k 10 900 bash "$script" >"$logs/$name.log" 2>&1 </dev/null # a hang is a failure
	rc=$?
	last=$(tail -n 1 "$logs/$name.log")
	took=$((SECONDS - start))
	if [ $rc = 0 ]; then
		passed=$((passed + 1))
		printf 'ok   %-22s %s (%d s)\n' "$name" "$last" $took
	elif [ $rc = 77 ]; then
		id=${last#SKIP }
		id=${id%%:*}
		if excused "$id"; then
			skipped=$((skipped + 1))
			echo "SKIP $name: ${last#SKIP }"
		else
			failed=$((failed + 1))
			echo "FAIL $name: skipped without an excuse: ${last#SKIP }"
		fi
	else
		failed=$((failed + 1))
		printf 'FAIL %-22s exit %d (%s)\n' "$name" $rc "$logs/$name.log"
		tail -n 25 "$logs/$name.log" | sed 's/^/     | /'
	fi
done
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
