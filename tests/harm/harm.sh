#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# harm.sh OUTPUT [RELEASE…]: that being watched harms no program. Programs of every kind that there is
# (Go releases, PIE, static PIE, C inside, race detector, Go in a library) work and print hashes of
# what they compute, while they are watched and left CYCLES times in all (10,000) by
# tests/tools/harm.c, then by the command, which is killed, too. None may end, each must print what it
# prints unwatched, its code must be its files' again, and nothing may be left in the kernel.
OUTPUT=${1:-build}
shift
. "$(dirname "$0")/../e2e/lib.sh"
. "$(dirname "$0")/../e2e/watch.sh"
. "$(dirname "$0")/../go-matrix/toolchain.sh"
need_probes
need_tool jq bpftool gcc
CYCLES=${CYCLES:-10000}
AT_ONCE=12 # programs of one watcher
CYCLED=0
PERIOD=48 # of the kinds of rounds, as in target/main.go
D=$OUTPUT/harm
mkdir -p "$D"
exec {TRUTH_FD}</dev/null # watch.sh closes it
NAMES=() PIDS=() STDINS=() FDS=()

# Without make's CC: by the words "ccache gcc" Go's linker can't tell that it has to say -no-pie.
go_build() { # TREE OUT CGO [FLAG…]
	local tree=$1 out=$2 cgo=$3 src
	src=$D/src-$(release_of "$tree")
	shift 3
	mkdir -p "$src"
	cp "$ROOT"/tests/harm/target/*.go "$src/"
	printf 'module rsscope.test/harm\n\ngo 1.%s\n' "$(minor_of "$(release_of "$tree")")" >"$src/go.mod"
	(unset CC && cd "$src" && GOROOT=$tree GO111MODULE=on GOTOOLCHAIN=local GOENV=off GOFLAGS='' GOWORK=off GOCACHE=$GO_MATRIX_BUILD \
		CGO_ENABLED=$cgo "$tree/bin/go" build -trimpath "$@" -o "$out" .) >"$D/build.log" 2>&1
}
# launch NAME COMMAND…: what it prints unwatched, then the program itself, its output in a file.
launch() {
	local name=$1
	shift
	HARM_ROUNDS=$PERIOD "$@" >"$D/$name.want" </dev/null 2>"$D/$name.err" || die "$name, unwatched, exits $?: $(head -n 3 "$D/$name.err")"
	equal "$name: rounds of the unwatched run" "$(wc -l <"$D/$name.want")" $PERIOD
	mkfifo "$TMP/in.$name"
	nice -n 19 "$@" <"$TMP/in.$name" >"$D/$name.got" 2>"$D/$name.err" &
	PIDS+=($!)
	CHILDREN+=($!)
	exec {STDIN_FD}>"$TMP/in.$name"
	STDINS+=("$STDIN_FD")
	NAMES+=("$name")
}
add() { # NAME TREE CGO [FLAG…]
	local name=$1
	shift
	if go_build "$1" "$D/$name" "${@:2}"; then
		launch "$name" "$D/$name"
	else
		fail "$name does not build: $(tail -n 2 "$D/build.log" | tr '\n' ' ')"
	fi
}
programs() { # RELEASE…
	local tree r
	tree=$(local_toolchains | head -n 1)
	[ -n "$tree" ] || skip no-go "no Go toolchain"
	add plain "$tree" 0
	add stripped "$tree" 0 "-ldflags=-s -w"
	add pie "$tree" 0 -buildmode=pie
	add pie-stripped "$tree" 0 -buildmode=pie "-ldflags=-s -w"
	add cgo "$tree" 1
	add cgo-stripped "$tree" 1 "-ldflags=-s -w"
	add cgo-pie "$tree" 1 -buildmode=pie "-ldflags=-s -w"
	add static "$tree" 1 "-ldflags=-linkmode external -extldflags -static"
	add static-pie "$tree" 1 -buildmode=pie "-ldflags=-linkmode external -extldflags -static-pie"
	add race "$tree" 1 -race
	if go_build "$tree" "$D/library.so" 1 -buildmode=c-shared && gcc -O1 -o "$D/host" "$ROOT/tests/harm/host.c" -ldl; then
		launch c-shared "$D/host" "$D/library.so"
	else
		fail "c-shared does not build: $(tail -n 2 "$D/build.log" | tr '\n' ' ')"
	fi
	for r in $(wanted_releases "$@"); do
		if ! toolchain "$r" >"$D/build.log" 2>&1; then
			echo "SKIP $r: $(tail -n 1 "$D/build.log")"
		elif [ $(($(minor_of "$r") % 2)) = 0 ]; then
			add "$r-pie-stripped" "$TOOLCHAIN" 0 -buildmode=pie "-ldflags=-s -w"
		else
			add "$r" "$TOOLCHAIN" 0
		fi
	done
}
# From there on each kind of work has been done.
under_way() {
	local n i
	for n in "${NAMES[@]}"; do
		for ((i = 0; i < 1200; i++)); do
			[ "$(wc -l <"$D/$n.got")" -gt $PERIOD ] && break
			sleep 0.1
		done
	done
}
alive() { # WHEN
	local i
	for i in "${!PIDS[@]}"; do
		[ -d "/proc/${PIDS[i]}/fd" ] && [ "$(awk '/^State:/ { print $2 }' "/proc/${PIDS[i]}/status")" != Z ] ||
			die "${NAMES[i]} has ended $1: $(head -n 20 "$D/${NAMES[i]}.err")"
	done
}
# watched_by COMMAND…: the command itself on each of them; -k kills it in the midst of it.
watched_by() {
	local i kill=0
	[ "$1" = -k ] && kill=1 && shift
	for i in "${!PIDS[@]}"; do
		watch "${PIDS[i]}" --json "$@"
		[ $kill = 0 ] || kill -KILL "$WPID"
		watched 2>/dev/null # bash would tell of the kill
		[ $kill = 1 ] || [ $RC = 0 ] || fail "${NAMES[i]}: watch $* exits $RC: $(head -n 3 "$WOUT.err")"
		[ $kill = 1 ] || rm -f "$WOUT"
	done
	alive "when it was watched with $*"
}
# Each line follows from the one before, and is what the unwatched run says of this kind of round.
output_right() { # NAME; the number of rounds
	awk -v period=$PERIOD '
		FNR == NR { want[FNR - 1] = $2; next }
		$1 == "end" { if ($2 != n) bad("ends with " $2 " rounds of " n); ended = 1; next }
		{
			chain = ((n ? chain : 1) * 31 + $2) % 2147483647
			if ($1 != n || $2 != want[n % period] || $3 != chain || ended)
				bad("line " n ": " $0 ", want " n " " want[n % period] " " chain)
			n++
		}
		function bad(text) { if (!failed++) print text > "/dev/stderr" }
		END { if (!ended) bad("no last line"); print n + 0; exit failed > 0 }' "$D/$1.want" "$D/$1.got"
}

programs "$@"
[ "${#PIDS[@]}" -ge 12 ] || fail "only ${#PIDS[@]} programs"
[ "$FAILURES" = 0 ] || die "not begun"
under_way
for i in "${!PIDS[@]}"; do # the fewest of some looks
	FDS+=("$(for k in 1 2 3 4 5; do fds "${PIDS[i]}" && sleep 0.02; done | sort -n | head -n 1)")
done
echo "${#PIDS[@]} programs: ${NAMES[*]}"
# Several watchers beside each other, each with its share of the programs: attaching waits for grace
# periods of the kernel, and who waits at the same time waits together.
WATCHERS=()
for ((i = 0; i < ${#PIDS[@]}; i += AT_ONCE)); do
	share=("${PIDS[@]:i:AT_ONCE}")
	"$OUTPUT/tests/tools/harm" $(((CYCLES * ${#share[@]} + ${#PIDS[@]} - 1) / ${#PIDS[@]})) "${share[@]}" >"$D/log.$i" 2>&1 &
	WATCHERS+=($!)
	CHILDREN+=($!)
done
for i in "${!WATCHERS[@]}"; do
	wait "${WATCHERS[i]}" || fail "watching and leaving: $(grep FAIL "$D/log.$((i * AT_ONCE))" | head -n 5)"
	cat "$D/log.$((i * AT_ONCE))"
	CYCLED=$((CYCLED + $(awk '/watched and left/ { n += $1 } END { print n + 0 }' "$D/log.$((i * AT_ONCE))")))
done
[ "$CYCLED" -ge "$CYCLES" ] || fail "watched and left $CYCLED times, not $CYCLES"
alive "when it was watched and left"
watched_by --no-report --duration 0.1
watched_by --no-report --follow --duration 0.1
watched_by -k --no-report
nothing_left "watching"
for i in "${!PIDS[@]}"; do
	"$RSSCOPE" report --pid "${PIDS[i]}" >/dev/null 2>"$TMP/err" || fail "${NAMES[i]}: report: $(head -n 2 "$TMP/err")"
	for ((k = 0; k < 100; k++)); do # it has two more while it starts a program
		[ "$(fds "${PIDS[i]}")" != "${FDS[i]}" ] || break
		sleep 0.05
	done
	equal "${NAMES[i]}: descriptors" "$(fds "${PIDS[i]}")" "${FDS[i]}"
done
"$OUTPUT/tests/tools/harm" code "${PIDS[@]}" >"$D/log.code" 2>&1 || fail "code: $(grep FAIL "$D/log.code" | head -n 5)"
alive "at the end"
total=0
for fd in "${STDINS[@]}"; do # of all: those that were started later hold the earlier ones' too
	exec {fd}>&-
done
for i in "${!PIDS[@]}"; do
	wait "${PIDS[i]}"
	equal "${NAMES[i]}: exit" $? 0
	n=$(output_right "${NAMES[i]}" 2>"$TMP/err") || fail "${NAMES[i]}: $(cat "$TMP/err")"
	[ "$n" -gt $((2 * PERIOD)) ] || fail "${NAMES[i]}: only $n rounds"
	[ ! -s "$D/${NAMES[i]}.err" ] || fail "${NAMES[i]} says: $(head -n 3 "$D/${NAMES[i]}.err")"
	total=$((total + n))
done
pages=$(awk '/pages of code/ { n += $3 } END { print n }' "$D/log.code")
finish "${#PIDS[@]} programs watched and left $CYCLED times, $total rounds of work as unwatched, $pages pages of code as in the files"
