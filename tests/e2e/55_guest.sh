#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Go inside a C program: -buildmode=c-shared behind dlopen, c-archive, and a plugin of a Go program.
# Its books equal what it says itself, the frozen ledger balances, its text counts as libs, GC cycles
# are watched, a capture of it replays.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/watch.sh"
. "$(dirname "$0")/../go-matrix/toolchain.sh"
need_probes
need_go
need_tool jq gcc
G=$OUTPUT/guests
mkdir -p "$G"
cells=0

# The matrix's questions. Its own readers of layouts and objects look at the executable.
cell() { # WHAT RELEASE PROGRAM…
	local no=1
	[ "$1" != c-archive ] || no=
	NO_PERTURB=$no NO_OBJECTS=1 bash "$ROOT/tests/go-matrix/cell.sh" "$OUTPUT" "${@:3}" "$2" >"$TMP/cell" 2>&1 ||
		fail "$1 $2: $(head -n 6 "$TMP/cell")"
	echo "$1 $2: $(tail -n 1 "$TMP/cell")"
	cells=$((cells + 1))
}
# In one start of fourteen what follows a pointer to the table of goroutines passes for its length.
starts() { # RELEASE PROGRAM
	local i
	for ((i = 0; i < 16; i++)); do
		start_program "$2" -small
		read -r -t 60 line <&"$TRUTH_FD" || die "$1 says nothing"
		report "$TPID"
		equal "$1, start $i: what is not found" "$(q '[.missing[] | select(.path == "go" or (.reason | contains("/sched/"))) | .reason] | join("; ")')" ""
		stop "$TPID"
	done
}
guest() { # LIBRARY [ENV]: a program that runs it, in $TMP/guest
	printf '#!/bin/sh\nexport GUEST=%s %s\nexec %s "$@"\n' "$1" "${2:-}" "$T/host" >"$TMP/guest"
	chmod +x "$TMP/guest"
}
build() { # RELEASE OUT FLAG…
	build_target "$TOOLCHAIN" "$G/$2" 1 "${@:3}" >"$TMP/build" 2>&1 || die "$1 $2: $(tail -n 3 "$TMP/build")"
}

for tree in $(local_toolchains); do
	release=$(release_of "$tree")
	toolchain "$release"
	build "$release" "$release.so" -tags guest -buildmode=c-shared "-ldflags=-s -w"
	guest "$G/$release.so"
	cell c-shared "$release" "$TMP/guest"
	guest "$G/$release.so" GUEST_LATE=1
	cell "c-shared on a thread" "$release" "$TMP/guest"
	build "$release" "$release.a" -tags guest -buildmode=c-archive
	echo 'void guest_main(void); int main(void) { guest_main(); return 0; }' >"$TMP/main.c"
	gcc -O1 -s -o "$G/$release-archive" "$TMP/main.c" "$G/$release.a" -lpthread
	cell c-archive "$release" "$G/$release-archive"
	starts "$release" "$G/$release-archive"
done

# Where its bytes are, and what the report says of it.
release=$(release_of "$(local_toolchains | head -n 1)")
lib=$G/$release.so
guest "$lib"
start_program "$TMP/guest"
read -r -t 60 line <&"$TRUTH_FD" || die "the guest says nothing"
freeze "$TPID"
report "$TPID"
equal "exit" $RC 0
equal "go" "$(q .target.go)" true
equal "go_file" "$(q .target.go_file)" "$lib"
equal "exe" "$(q .target.exe)" "$T/host"
equal "module" "$(q '.target.module | split(" ")[0]')" rsscope.test/matrix
equal "the library's code is a library's" "$(q ".ledger[] | select(.category == \"libs\") | .rows[] | select(.name == \"$lib\") | .resident > 1000000")" true
between "the executable's own part" 1 "$(resident binary)" 65536
between "live heap" 11000000 "$(resident go/heap/live)" 14000000
rs capture "$TPID" -o "$TMP/guest.rsscap"
equal "capture exits" $RC 0
cp "$TMP/out" "$TMP/live.txt"
for f in "" --json; do
	rs report "$TMP/guest.rsscap" $f
	equal "replay exits" $RC 0
	[ -n "$f" ] || grep -q "$release in $release.so" "$TMP/out" || fail "the text does not name the library: $(sed -n 2p "$TMP/out")"
done
equal "replay" "$(q '[.target.go_file, ([.ledger[].resident] | add), .go.metrics."/memory/classes/total:bytes"] | join(" ")' "$TMP/out")" \
	"$lib $(ledger_sum) $(q '.go.metrics."/memory/classes/total:bytes"')"
thaw "$TPID"

# Its collections, by a probe in the library.
watch "$TPID" --json --no-report --no-mappings --duration 60
ask gc && ask gc && ask gc
close_stdin
watched
equal "exit of watch" $RC 0
equal "cycles watched" "$(events gc .cycle | wc -l)" 3
equal "their figures" "$(events gc 'select(.heap_marked > 11000000) | .cycle' | wc -l)" 3
equal "go_version" "$(events start .go_version)" "$release"

# A plugin shares its host's runtime: one runtime, and nothing missing.
mkdir -p "$TMP/plugin/p"
cat >"$TMP/plugin/go.mod" <<END
module rsscope.test/plugin

go 1.$(minor_of "$release")
END
cat >"$TMP/plugin/main.go" <<'END'
package main

import (
	"bufio"
	"fmt"
	"os"
	"plugin"
	"runtime/debug"
)

func main() {
	p, err := plugin.Open(os.Args[1])
	if err != nil {
		panic(err)
	}
	f, err := p.Lookup("Hold")
	if err != nil {
		panic(err)
	}
	debug.SetGCPercent(-1)
	fmt.Println(f.(func(int) int)(9 << 20))
	bufio.NewReader(os.Stdin).ReadString('\n')
}
END
cat >"$TMP/plugin/p/p.go" <<'END'
package main

var kept []byte

// Hold keeps n touched bytes.
func Hold(n int) int {
	kept = make([]byte, n)
	for i := range kept {
		kept[i] = 1
	}
	return len(kept)
}
END
env_go() {
	GOROOT=$TOOLCHAIN GO111MODULE=on GOTOOLCHAIN=local GOENV=off GOFLAGS='' GOWORK=off GOCACHE=$GO_MATRIX_BUILD CGO_ENABLED=1 "$TOOLCHAIN/bin/go" "$@"
}
toolchain "$release"
(cd "$TMP/plugin" && env_go build -o host . && env_go build -buildmode=plugin -o p.so ./p) >"$TMP/build" 2>&1 ||
	die "plugin: $(tail -n 3 "$TMP/build")"
start_program "$TMP/plugin/host" "$TMP/plugin/p.so"
read -r -t 60 line <&"$TRUTH_FD" || die "the plugin's host says nothing"
equal "held" "$line" $((9 * MIB))
freeze "$TPID"
frozen_report "$TPID"
equal "plugin: exit" $RC 0
equal "plugin: sum" "$(ledger_sum)" "$FROZEN_RSS"
equal "plugin: go_file" "$(q .target.go_file)" null
equal "plugin: missing" "$(q '[.missing[] | select(.path == "go")] | length')" 0
between "plugin: heap" $((9 * MIB)) "$(resident go/heap)" $((11 * MIB))
between "plugin: unexplained" 0 "$(q .unexplained)" $((FROZEN_RSS / 1000 > 2 * PAGE ? FROZEN_RSS / 1000 : 2 * PAGE))
thaw "$TPID"
stop "$TPID"

# Two runtimes: the executable's books, and the other one is named.
cat >"$TMP/plugin/two.go" <<'END'
package main

// #cgo LDFLAGS: -ldl
// #include <dlfcn.h>
// #include <stdlib.h>
import "C"

import (
	"bufio"
	"fmt"
	"os"
)

func main() {
	fmt.Println(C.dlopen(C.CString(os.Args[1]), C.RTLD_NOW) != nil)
	bufio.NewReader(os.Stdin).ReadString('\n')
}
END
(cd "$TMP/plugin" && env_go build -o two two.go) >"$TMP/build" 2>&1 || die "two: $(tail -n 3 "$TMP/build")"
start_program "$TMP/plugin/two" "$lib"
read -r -t 60 line <&"$TRUTH_FD" || die "two runtimes: says nothing"
equal "two runtimes: loaded" "$line" true
freeze "$TPID"
frozen_report "$TPID"
equal "two runtimes: exit" $RC 0
equal "two runtimes: sum" "$(ledger_sum)" "$FROZEN_RSS"
equal "two runtimes: go_file" "$(q .target.go_file)" null
equal "two runtimes: the other one" "$(q '.runtimes[1] | [.image, .go_version] | join(" ")')" "$lib $release"
thaw "$TPID"
finish "$cells programs equal what they say"
