#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# check.sh [STEP…]: all that `make check` does after the packages are there, or these steps of it; one
# line a step, the log of a step that failed, and a last line "N passed, N failed, N skipped".
# OUTPUT (build) is the build folder; logs are in OUTPUT/check/. A step whose log has such lines of its
# own counts as that many tests; exit 77 is a skip.
set -u
cd "$(dirname "$0")/.." || exit 2
OUTPUT=${OUTPUT:-build}
only=" $* "
steps=$(sed -n 's/^step \([a-z0-9-]*\) .*/\1/p' "$0")
for name; do
	grep -qxF -e "$name" <<<"$steps" && continue
	echo "check.sh: no step '$name'; there are: ${steps//$'\n'/ }" >&2
	exit 2
done
MAKE=${MAKE:-make}
jobs=-j$(nproc)
logs=$OUTPUT/check
mkdir -p "$logs"
passed=0 failed=0 skipped=0

step() { # NAME COMMAND…
	local name=$1 log=$logs/$1.log rc counts start=$SECONDS
	shift
	[ "$only" = "  " ] || [[ $only == *" $name "* ]] || return 0
	"$@" >"$log" 2>&1 </dev/null
	rc=$?
	counts=$(awk '/^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$/ { p += $1; f += $3; s += $5; n++ }
		END { if (n) print p " passed, " f " failed, " s " skipped" }' "$log")
	if [ -n "$counts" ]; then
		read -r p _ f _ s _ <<<"$counts"
		passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
		grep -a '^SKIP' "$log"
		[ $rc = 0 ] || [ "$f" != 0 ] || failed=$((failed + 1))
	elif [ $rc = 0 ]; then
		passed=$((passed + 1))
	elif [ $rc = 77 ]; then
		skipped=$((skipped + 1))
		echo "SKIP $name: $(grep -a '^SKIP' "$log" | tail -n 1 | sed 's/^SKIP //')"
		return
	else
		failed=$((failed + 1))
	fi
	if [ $rc = 0 ]; then
		printf 'ok   %-14s %s (%d s)\n' "$name" "$counts" $((SECONDS - start))
	else
		printf 'FAIL %-14s %s (%s)\n' "$name" "$counts" "$log"
		grep -av '^ok ' "$log" | tail -n 60 | sed 's/^/     | /'
	fi
}

m() { "$MAKE" --no-print-directory "$jobs" "$@"; }
format() {
	command -v clang-format >/dev/null || { echo 'SKIP no clang-format (make deps)' && return 77; }
	find src include bpf tests -name '*.[ch]' -print0 | xargs -0 clang-format --dry-run -Werror
}
go_format() {
	local gofmt
	[ -n "${GO:-}" ] || { echo 'SKIP no-go: no Go toolchain' && return 77; }
	gofmt=$(dirname "$(readlink -f "$GO")")/gofmt
	[ -x "$gofmt" ] || { echo 'SKIP no gofmt beside go' && return 77; }
	[ -z "$("$gofmt" -l tests/targets tests/scenarios tests/go-matrix tests/harm src | tee /dev/stderr)" ]
}
shells() {
	command -v shellcheck >/dev/null || { echo 'SKIP no shellcheck (make deps)' && return 77; }
	{ git -c safe.directory='*' ls-files '*.sh' .ci/run 2>/dev/null || find tests vmlinux .ci -name '*.sh' -o -path .ci/run; } |
		xargs shellcheck
}
clang_build() { m OUTPUT="$OUTPUT/clang" CC=clang all check-unit; }
sanitized() {
	ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 UBSAN_OPTIONS=print_stacktrace=1 \
		m OUTPUT="$OUTPUT/asan" SANITIZE=1 all check-unit
}

# Not by make, which would make another status of a skip's.
verifier() { m OUTPUT="$OUTPUT" verifier-tool && bash tests/verifier/check.sh "$OUTPUT"; }

# The sources.
step layering sh tests/layering.sh .
step layering-test sh tests/layering.sh --test
step hygiene sh tests/hygiene.sh .
step hygiene-test sh tests/hygiene.sh --test
step format format
step go-format go_format
step shells shells
# Builds.
step build m OUTPUT="$OUTPUT" all
step clang clang_build
step static m OUTPUT="$OUTPUT/static" STATIC=1 all
step bpf-amd64 m OUTPUT="$OUTPUT/bpf-amd64" ARCH=amd64 bpf
step bpf-arm64 m OUTPUT="$OUTPUT/bpf-arm64" ARCH=arm64 bpf
# Without root.
step unit m OUTPUT="$OUTPUT" check-unit
step sanitized sanitized
step go-layouts sh tests/e2e/go_layouts.sh
step replay m OUTPUT="$OUTPUT" check-replay
step fuzz m OUTPUT="$OUTPUT" FUZZ_SECONDS="${FUZZ_SECONDS:-5}" fuzz
# The same where clang's libFuzzer is not installed: our own driver, gcc.
step fuzz-driver m OUTPUT="$OUTPUT/fuzz-driver" FUZZ_RT= FUZZ_SECONDS=1 fuzz
# With root, for most of it.
step verifier verifier
step verifier-test bash tests/verifier/check.sh --test
step targets m OUTPUT="$OUTPUT" targets
step e2e bash tests/e2e/run.sh "$OUTPUT"

echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
