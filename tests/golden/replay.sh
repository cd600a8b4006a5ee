#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# replay.sh PROGRAM: each capture of tests/captures must give NAME.txt and NAME.json beside it
# again, without root. UPDATE=1 writes them anew: read the difference before committing it.
set -u
program=$1
cd "$(dirname "$0")/../.." || exit 2
dir=$(mktemp -d) || exit 2
trap 'rm -rf "$dir"' EXIT
passed=0 failed=0 skipped=0

# What belongs to the tool and the moment, not to the capture.
neutral() {
	sed -E 's/"(version|revision|git)": *"[^"]*"/"\1": ""/; s/"(wall_ns|cpu_ns|max_rss)": *[0-9]+/"\1": 0/' "$1"
}
compare() { # NAME KIND
	if [ "${UPDATE:-}" = 1 ]; then
		cp "$dir/out" "tests/captures/$1.$2"
	fi
	if diff -u "tests/captures/$1.$2" "$dir/out" >"$dir/diff" 2>&1; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAIL $1.$2"
		head -n 40 "$dir/diff"
	fi
}
for capture in tests/captures/*.rsc tests/captures/*.rsscap; do
	[ -e "$capture" ] || continue
	name=$(basename "${capture%.*}")
	for kind in txt json; do
		# shellcheck disable=SC2046 # an option or none
		"$program" report "$capture" $([ $kind = txt ] || echo --json) >"$dir/raw" 2>"$dir/err"
		rc=$?
		if [ $rc != 0 ] && [ $rc != 5 ]; then
			failed=$((failed + 1))
			echo "FAIL $name.$kind: exit $rc: $(cat "$dir/err")"
			continue
		fi
		neutral "$dir/raw" >"$dir/out"
		compare "$name" $kind
	done
done
[ $((passed + failed)) != 0 ] || {
	echo "FAIL no captures in tests/captures"
	failed=1
}
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
