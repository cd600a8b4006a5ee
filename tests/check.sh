#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# check.sh OUTPUT [STEP…]: all that `make check` does after the packages are there; one line a step,
# the log of a step that failed, and a last line "N passed, N failed, N skipped". Logs: OUTPUT/check/.
# A step whose log has such lines of its own counts as that many tests; exit 77 is a skip.
set -u
cd "$(dirname "$0")/.." || exit 2
OUTPUT=$1
shift
only=" $* "
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

m() { "$MAKE" --no-print-directory $jobs "$@"; }
format() {
	command -v clang-format >/dev/null || { echo 'SKIP no clang-format (make deps)' && return 77; }
	find src include bpf tests -name '*.[ch]' -print0 | xargs -0 clang-format --dry-run -Werror
}
go_format() {
	local gofmt
	[ -n "${GO:-}" ] || { echo 'SKIP no-go: no Go toolchain' && return 77; }
	gofmt=$(dirname "$(readlink -f "$GO")")/gofmt
	[ -x "$gofmt" ] || { echo 'SKIP no gofmt beside go' && return 77; }
	[ -z "$("$gofmt" -l tests/targets tests/scenarios tests/go-matrix src | tee /dev/stderr)" ]
}
shells() {
	local f
	for f in $(find tests vmlinux .ci -name '*.sh' -o -path .ci/run); do
		case $(head -n 1 "$f") in
		'#!/bin/sh') sh -n "$f" || return 1 ;;
		*) bash -n "$f" || return 1 ;; # parts that bash scripts share have no first line
		esac
	done
}
clang_build() { m OUTPUT="$OUTPUT/clang" CC=clang all check-unit; }
sanitized() {
	ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 UBSAN_OPTIONS=print_stacktrace=1 \
		m OUTPUT="$OUTPUT/asan" SANITIZE=1 all check-unit
}

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
for arch in amd64 arm64; do
	step bpf-$arch m OUTPUT="$OUTPUT/bpf-$arch" ARCH=$arch bpf
done
# Without root.
step unit m OUTPUT="$OUTPUT" check-unit
step sanitized sanitized
step go-layouts sh tests/e2e/go_layouts.sh
step replay m OUTPUT="$OUTPUT" check-replay
step fuzz m OUTPUT="$OUTPUT" FUZZ_SECONDS="${FUZZ_SECONDS:-5}" fuzz
# With root, for most of it.
step targets m OUTPUT="$OUTPUT" targets
step e2e bash tests/e2e/run.sh "$OUTPUT"

echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
