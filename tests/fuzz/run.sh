#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# run.sh FOLDER SECONDS: runs each fuzz target of FOLDER over its checked-in corpus, then for that
# long with new inputs (libFuzzer; elsewhere the driver's mutations). New inputs and crashes stay in FOLDER.
set -u
cd "$(dirname "$0")/../.." || exit 2
folder=$1 seconds=$2
passed=0 failed=0
for source in tests/fuzz/fuzz_*.c; do
	name=$(basename "$source" .c)
	seeds=tests/fuzz/corpus/${name#fuzz_}
	mkdir -p "$folder/found/$name"
	[ -d "$seeds" ] || seeds=
	# shellcheck disable=SC2086 # seeds may be absent
	if ASAN_OPTIONS=allocator_may_return_null=0:detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1 \
		"$folder/$name" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=1024 -max_len=1048576 \
		-print_final_stats=1 -artifact_prefix="$folder/found/$name-" "$folder/found/$name" $seeds >"$folder/$name.log" 2>&1; then
		passed=$((passed + 1))
		echo "ok   $name: $(sed -n 's/^stat::number_of_executed_units: */inputs: /p; /mutations of each/p' "$folder/$name.log" | tail -n 1)"
	else
		failed=$((failed + 1))
		echo "FAIL $name ($folder/$name.log)"
		tail -n 40 "$folder/$name.log"
	fi
done
echo "$passed passed, $failed failed, 0 skipped"
[ $failed = 0 ]
