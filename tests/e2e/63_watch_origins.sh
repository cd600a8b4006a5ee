#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Who made a mapping: stripped Go programs, plain and PIE, that map from known functions through
# package syscall, through C's malloc and sbrk, and by growing Go's heap.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/watch.sh"
need_probes
need_go
need_tool jq

for program in origins origins-pie; do
	start $program
	watch "$TPID" --json --events mappings
	for what in mmap malloc brk heap goroutine; do
		ask $what
	done
	# touches what it mapped, so that some of it is resident
	ask touch
	kill -INT "$WPID"
	watched
	by_size() { # TYPE BYTES FILTER
		jq -r "select(.type == \"$1\" and ((.length // 0) >= $2) and ((.length // 0) < $2 + $MIB)) | $3" "$WOUT"
	}
	functions='[.stack[].func // "?"] | join(" ")'
	equal "$program: caller of syscall.Mmap" "$(by_size mmap $((3 * MIB)) .caller)" main.mapAnon
	# syscall.Mmap is inlined there: its own lines are another function's.
	equal "$program: place of that call" "$(by_size mmap $((3 * MIB)) '.stack[] | select(.func == "main.mapAnon") | "\(.file | sub(".*/"; "")):\(.line)"')" \
		"main.go:$(grep -n 'syscall.Mmap(' "$ROOT/tests/targets/origins/main.go" | cut -d: -f1)"
	equal "$program: caller of malloc" "$(by_size mmap $((5 * MIB)) .caller)" main.cacheLoad
	equal "$program: file and line of malloc's caller" "$(by_size mmap $((5 * MIB)) '.stack[] | select(.func == "main.cacheLoad") | .file' | sed 's,.*/,,')" main.go
	equal "$program: caller of sbrk" "$(events brk 'select(.args[0] != "0x0") | .caller' | sort -u)" main.moveBreak
	equal "$program: caller that grew the heap" "$(by_size mmap $((200 * MIB)) .caller)" main.growHeap
	equal "$program: the runtime's part in it" "$(by_size mmap $((200 * MIB)) .runtime)" "runtime.(*mheap).grow"
	equal "$program: caller in a goroutine" "$(by_size mmap $((9 * MIB)) .caller)" main.mapAnon
	stack=$(by_size mmap $((5 * MIB)) "$functions")
	[[ $stack == *main._Cfunc_block*main.cacheLoad*main.main*runtime.main*runtime.goexit* ]] ||
		fail "$program: the stack of malloc's mmap is $stack"
	[ "$(grep -o main.main <<<"$stack" | wc -l)" = 1 ] || fail "$program: frames twice: $stack"
	equal "$program: lost" "$(lost)" 0

	# The report: the same callers, by what lives.
	report='select(.type == "report") | .reports[0]'
	rows="$report | [.ledger[] | select(.category == \"native/mmap\") | .rows[] | select(.name | startswith(\"main.mapAnon \"))]"
	equal "$program: resident by mapAnon in the ledger" "$(jq "$rows | map(.resident) | add" "$WOUT")" $((12 * MIB))
	equal "$program: the ledger's sum" "$(jq -c "$report | ([.ledger[].resident] | add) == .rss.scanned" "$WOUT")" true
	asked() { jq -c "$report | [.origins[] | select([.stack[].func // \"?\"] | index(\"$1\"))] | $2" "$WOUT"; } # FUNC FILTER
	# syscall.Mmap keeps a Go map of what it mapped, for which the runtime may want memory of its own
	equal "$program: origins through mapAnon" "$(asked main.mapAnon 'map(select(.category | startswith("go/") | not) | [.category, .bytes, .resident]) | sort')" \
		"[[\"native/mmap\",$((3 * MIB)),$((3 * MIB))],[\"native/mmap\",$((9 * MIB)),$((9 * MIB))]]"
	# what it mapped for 200 MiB, and books for that
	equal "$program: the heap's growth" "$(asked main.growHeap 'map(select(.category == "go/heap")) | map(.bytes) | max')" $((200 * MIB))
	# a chunk that the runtime maps for itself on the way is Go's; what malloc mapped is not, or the
	# sum falls short
	block=$(asked main.cacheLoad 'map(select(.category | startswith("go/") | not) | .bytes) | add')
	between "$program: bytes by C's malloc" $((5 * MIB)) "$block" $((6 * MIB))
	equal "$program: and whose they are" "$(asked main.cacheLoad 'map(.category | select(startswith("go/") | not)) | unique')" '["native/malloc"]'
	stop "$TPID"
done
finish "callers named"
