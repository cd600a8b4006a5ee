#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Goroutines, told from outside, against what the program dumps of itself: profile by stack and labels (debug=0 and 1), and one by one
# (debug=2): state, minutes, labels, functions, files, lines, offsets, who started them. GO_RELEASES="all" or some: of each of these, in
# VARIANTS. WAIT: seconds until some wait for a minute.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/../go-matrix/toolchain.sh"
need_root
need_go
need_tool jq go
raw() { go tool pprof -raw "$1" 2>/dev/null | awk -f "$(dirname "$0")/profile.awk" | grep -v 'main\.main:' | sort; }
# Arguments as (...), without goroutine 1, which dumps, and without labels, which most releases don't print.
plain() { sed -E '/^\t/!s/\([^()]*\)$/(...)/; s/^(goroutine [0-9]+ \[[^]]*\]).*:$/\1:/; s/, labels:\{.*\}\]:$/]:/; s/ labels:\{.*\}\]:$/]:/' "$1" |
	awk 'BEGIN { RS = ""; ORS = "\n\n" } !/^goroutine 1 /'; }
# Of those with labels: how many, and which. Theirs of debug=1: "7 @ 0x…", then "# labels: {"key":"value", …}".
our_labels() { jq -r '.samples[] | ([.labels // {} | to_entries[] | select(.key | startswith("goroutine_") | not)] | sort_by(.key)) as $l
	| select($l | length > 0) | "\(.values[0]) {\($l | map("\(.key | tojson):\(.value | tojson)") | join(", "))}"' "$1" | add; }
their_labels() { awk '/^[0-9]+ @/ { n = $1 } /^# labels: / { print n, substr($0, 11) }' "$1" | add; }
add() { awk '{ n = $1; sub(/^[0-9]+ /, ""); sum[$0] += n } END { for (k in sum) print sum[k], k }' | sort; }
one() { # NAME PROGRAM
	local line minutes
	start_program "$2"
	read -r -t 120 line <&"$TRUTH_FD" || die "$1 says nothing"
	ask gc
	sleep "${WAIT:-0}"
	mkdir -p "$TMP/$1"
	"$RSSCOPE" profile "$TPID" --type goroutine -o "$TMP/$1/ours.pb.gz" || fail "$1: profile exits $?"
	"$RSSCOPE" profile "$TPID" --type goroutine --json >"$TMP/$1/ours.json" || fail "$1: profile --json exits $?"
	"$RSSCOPE" profile "$TPID" --type goroutine --full >"$TMP/$1/ours.full" || fail "$1: profile --full exits $?"
	ask "dump $TMP/$1/theirs"
	raw "$TMP/$1/ours.pb.gz" >"$TMP/ours"
	raw "$TMP/$1/theirs.pb.gz" >"$TMP/theirs"
	between "$1: stacks that the program tells" 15 "$(wc -l <"$TMP/theirs")" 100
	diff "$TMP/ours" "$TMP/theirs" >"$TMP/diff" || fail "$1: by stack and labels (< ours): $(head -c 1500 "$TMP/diff")"
	between "$1: parked goroutines" 10000 "$(jq .total "$TMP/$1/ours.json")" 10100
	plain "$TMP/$1/ours.full" >"$TMP/ours"
	plain "$TMP/$1/theirs.2" >"$TMP/theirs"
	between "$1: goroutines that the program dumps" 10000 "$(grep -c '^goroutine ' "$TMP/theirs")" 10100
	diff "$TMP/ours" "$TMP/theirs" >"$TMP/diff" || fail "$1: one by one (< ours): $(head -c 1500 "$TMP/diff")"
	our_labels "$TMP/$1/ours.json" >"$TMP/ours"
	their_labels "$TMP/$1/theirs.1" >"$TMP/theirs"
	equal "$1: sets of labels that the program tells" "$(wc -l <"$TMP/theirs")" 6
	diff "$TMP/ours" "$TMP/theirs" >"$TMP/diff" || fail "$1: labels (< ours): $(head -c 1500 "$TMP/diff")"
	equal "$1: labels one by one" "$(grep -c '"route": "/v1/put \\"x\\"", "tenant": "t[0-2]"}:$' "$TMP/$1/ours.full")" 14
	for line in 'chan receive' select sleep 'sync.WaitGroup.Wait\|semacquire' syscall 'select (no cases)' 'chan receive (nil chan)' 'IO wait\|syscall'; do
		grep -q "^goroutine [0-9]* \[\($line\)[],]" "$TMP/$1/ours.full" || fail "$1: none is [$line]"
	done
	grep -q '\[chan receive.*, locked to thread\]:$' "$TMP/$1/ours.full" || fail "$1: none is locked to its thread"
	grep -q '^main\.finalize\.' "$TMP/$1/ours.full" || fail "$1: the finalizer under way is not there"
	minutes=$(grep -c '^goroutine .*, 1 minutes' "$TMP/$1/ours.full")
	if [ "${WAIT:-0}" -gt 60 ]; then
		between "$1: goroutines that wait for a minute" 9000 "$minutes" 10100
		equal "$1: those in the profile" "$(jq '[.samples[] | select(.labels.goroutine_minutes == "1") | .values[0]] | add' "$TMP/$1/ours.json")" "$minutes"
	fi
	equal "$1: states in the profile" "$(jq -r '[.samples[] | select(.labels.goroutine_state == "sleep") | .values[0]] | add' "$TMP/$1/ours.json")" 2000
	equal "$1: creators in the profile" "$(jq -r '[.samples[] | select(.labels.goroutine_created_by == "main.parkThem") | .values[0]] | add' "$TMP/$1/ours.json")" 10000
	equal "$1: notes" "$(jq -c .notes "$TMP/$1/ours.json")" '[]'
	# a finalizer goroutine that waits for one is the runtime's
	stop "$TPID"
	start_program "${2/goroutines/profiled}"
	said="$said$1 "
	[ "$2" = "${2/goroutines/profiled}" ] || {
		read -r -t 120 line <&"$TRUTH_FD"
		"$RSSCOPE" profile "$TPID" --type goroutine --full >"$TMP/idle" || fail "$1: --full of another program exits $?"
		! grep -q 'runfinq\|runFinalizers\|runCleanups\|bgsweep' "$TMP/idle" || fail "$1: the runtime's own goroutines are told"
	}
	stop "$TPID"
}
said=
if [ -z "${GO_RELEASES:-}" ]; then
	one stripped "$T/goroutines"
	WAIT=${WAIT:-62} one pie "$T/goroutines-pie"
else
	# shellcheck disable=SC2086 # a list of words
	for r in $(wanted_releases $GO_RELEASES); do
		toolchain "$r" >"$TMP/get" 2>&1 || die "$r can't be had"
		for v in ${VARIANTS:-pure pure-stripped pure-pie cgo-stripped}; do
			target_flags "$v"
			TARGET_SRC=targets/goroutines build_target "$TOOLCHAIN" "$TMP/exe" "$CGO" "${FLAGS[@]}" >"$TMP/build" 2>&1 ||
				die "$r $v: $(tail -n 3 "$TMP/build")"
			one "$r-$v" "$TMP/exe"
		done
	done
fi

rs profile 1 --type heap --full
equal "exit for --full of a heap" $RC 2
rs profile 1 --type goroutine --full --json
equal "exit for --full --json" $RC 2
rs profile 999999999 --type goroutine --full
equal "exit of --full for a process that is not there" $RC 3
finish "$said"
