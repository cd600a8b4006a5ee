#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The profile of the executable: its sum against the ledger and the kernel, functions and variables against the linker's symbols,
# embedded files against the page map. GO_RELEASES="all" or some: the embedded files of each of these.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/../go-matrix/toolchain.sh"
need_root
need_go
need_tool jq go readelf
# Lines "SECTION GROUP NAME RESIDENT SIZE", with tabs, in $TMP/things.
things() { # PID NAME
	"$RSSCOPE" profile "$1" --type binary --json >"$TMP/profile.json" 2>"$TMP/err" || fail "$2: profile exits $?: $(head -c 300 "$TMP/err")"
	jq -r '.locations as $l | .samples[] | (.stack | map($l[.].frames[0].function)) as $s
		| [$s[-1], (if ($s | length) == 3 then $s[1] else "" end), $s[0], .values[0], .values[1]] | @tsv' "$TMP/profile.json" >"$TMP/things"
}
sum() { awk -F '\t' -v c="$1" "$2"' { s += $c } END { printf "%d\n", s }' "$TMP/things"; } # COLUMN PATTERN
rss_of() { # PID PERMISSIONS: of the executable's mappings
	awk -v exe="$(readlink "/proc/$1/exe")" -v p="$2" '/^[0-9a-f]+-/ { mine = $6 == exe && index($2, p) == 1 } $1 == "Rss:" && mine { s += $2 * 1024 } END { printf "%d\n", s }' "/proc/$1/smaps"
}
# Of a frozen process: every section's sum is the ledger's, text and constants are the kernel's too.
check_sums() { # PID NAME
	local s
	freeze "$1"
	frozen_report "$1" || return
	things "$1" "$2"
	for s in text rodata data bss; do
		equal "$2: resident $s" "$(sum 4 "\$1 == \"$s\"")" "$(resident "binary/$s")"
		equal "$2: size of $s" "$(sum 5 "\$1 == \"$s\"")" "$(q "[.ledger[] | select(.category == \"binary/$s\") | .virtual] | add // 0")"
	done
	equal "$2: resident code" "$(sum 4 '$1 == "text"')" "$(rss_of "$1" r-x)"
	# where relocated data is made read-only, it is data all the same
	readelf -lW "/proc/$1/exe" | grep -q GNU_RELRO || equal "$2: resident constants" "$(sum 4 '$1 == "rodata"')" "$(rss_of "$1" r--)"
	equal "$2: total" "$(jq .total "$TMP/profile.json")" "$(sum 4 1)"
	thaw "$1"
}

# ---- functions and variables, against the linker's own symbols: those whose name is there once, in both
once() { sort "$1" | awk -F '\t' '{ n[$1]++; v[$1] = $2 } END { for (k in n) if (n[k] == 1) printf "%s\t%s\n", k, v[k] }' | sort; }
check_symbols() { # PID NAME EXE
	# a function with a wrapper for another calling convention is two of one name
	go tool nm -size "$3" | awk '$3 == "T" || $3 == "t" { sub(/\.abi(0|internal)$/, "", $4); printf "%s\t%d\n", $4, $2 }' >"$TMP/nm"
	once "$TMP/nm" >"$TMP/theirs"
	awk -F '\t' '$1 == "text" { printf "%s\t%d\n", $3, $5 }' "$TMP/things" >"$TMP/f"
	once "$TMP/f" >"$TMP/ours"
	# up to the next function: with what aligns that
	join -t $'\t' "$TMP/ours" "$TMP/theirs" >"$TMP/both"
	between "$2: functions that both name" 1500 "$(wc -l <"$TMP/both")" 100000
	awk -F '\t' '$2 < $3 || $2 >= $3 + 64 { print $1, $2, $3 }' "$TMP/both" >"$TMP/bad"
	[ -s "$TMP/bad" ] && fail "$2: sizes of functions, ours and the linker's: $(head -n 5 "$TMP/bad" | tr '\n' ' ')"
	go tool nm -size "$3" | awk '$3 ~ /[DdBb]/ && $2 > 0 && $4 !~ /^go:/ { printf "%s\t%d\n", $4, $2 }' >"$TMP/nm"
	once "$TMP/nm" >"$TMP/theirs"
	awk -F '\t' '$1 == "data" || $1 == "bss" { printf "%s\t%d\n", $3, $5 }' "$TMP/things" >"$TMP/v"
	once "$TMP/v" >"$TMP/ours"
	join -t $'\t' "$TMP/ours" "$TMP/theirs" >"$TMP/both"
	between "$2: variables that both name" 150 "$(wc -l <"$TMP/both")" 100000
	awk -F '\t' '$2 != $3 { print $1, $2, $3 }' "$TMP/both" >"$TMP/bad"
	[ -s "$TMP/bad" ] && fail "$2: sizes of variables, ours and the linker's: $(head -n 5 "$TMP/bad" | tr '\n' ' ')"
	# packages are told by names: of each package that is in a folder of its own as many as the linker has
	equal "$2: code of encoding/json" "$(sum 5 '$1 == "text" && $2 == "encoding/json"')" "$(sum 5 '$1 == "text" && $3 ~ /^encoding\/json\./')"
	between "$2: code of encoding/json" 30000 "$(sum 5 '$1 == "text" && $2 == "encoding/json"')" 300000
}
section() { readelf -SW "$1" | sed 's/^ *\[ *[0-9]*\] *//' | awk -v n="$2" '$1 == n { print $5 }'; } # EXE NAME: hex
check_sections() {                                                                                    # NAME EXE
	local s
	equal "$1: .gopclntab" "$(sum 5 '$3 ~ /^pclntab: / || $3 == "funcdata" || $3 == "findfunctab"')" $((16#$(section "$2" .gopclntab)))
	for s in .eh_frame .plt .dynsym .dynstr .rela.dyn; do
		[ -z "$(section "$2" $s)" ] || equal "$1: $s" "$(sum 5 "\$3 == \"$s\"")" $((16#$(section "$2" $s)))
	done
}
start fixture-pure -heap 8
check_sums "$TPID" pure
check_symbols "$TPID" pure "$T/fixture-pure"
equal "pure: notes" "$(jq -c .notes "$TMP/profile.json")" '[]'
awk -F '\t' '$1 == "text" { print $3 }' "$TMP/things" | sort >"$TMP/functions"
stop "$TPID"

start fixture-pure-stripped -heap 8
check_sums "$TPID" stripped
jq -e '[.notes[] | select(contains("no symbol table"))] | length == 1' "$TMP/profile.json" >/dev/null || fail "stripped: no note on it"
awk -F '\t' '$1 == "text" { print $3 }' "$TMP/things" | sort >"$TMP/stripped"
equal "functions that are not told in both, stripped and plain" "$(comm -3 "$TMP/functions" "$TMP/stripped" | wc -l)" 0
equal "stripped: the heap's own variable" "$(sum 5 '$3 == "runtime.mheap_" && $2 == "runtime" && $1 == "bss"')" \
	"$(go tool nm -size "$T/fixture-pure" | awk '$4 == "runtime.mheap_" { print $2 }')"
stop "$TPID"

start fixture-pie -heap 8
check_sums "$TPID" pie
check_sections pie "$T/fixture-pie"
stop "$TPID"
start fixture-cgo -heap 8
check_sums "$TPID" cgo
check_sections cgo "$T/fixture-cgo"
between "cgo: functions of C" 500 "$(sum 5 '$1 == "text" && $2 == "C"')" 100000
stop "$TPID"

# ---- embedded files
MARK=rsscope-embedded-file-begins-here
BIG=$((50 * MIB))
# Bytes of [start, start + n) on pages that the page map says are present.
present() { # PID START N
	dd if="/proc/$1/pagemap" bs=8 skip=$(($2 / PAGE)) count=$((($2 + $3 - 1) / PAGE - $2 / PAGE + 1)) 2>/dev/null | od -An -v -tx8 -w8 |
		awk -v start="$2" -v n="$3" -v page="$PAGE" '{ p = (int(start / page) + NR - 1) * page; a = p > start ? p : start; z = p + page < start + n ? p + page : start + n
			if (substr($1, 1, 1) ~ /[89a-f]/) s += z - a } END { printf "%d\n", s }'
}
embedded_at() { # PID EXE: where the big file is in memory
	local off range at name start
	off=$(grep -obUa "$MARK" "$2" | head -n 1 | cut -d: -f1)
	while read -r range _ at _ _ name; do
		start=$((16#${range%-*})) at=$((16#$at))
		[ "$name" = "$(readlink -f "$2")" ] && [ "$off" -ge $at ] && [ "$off" -lt $((at + 16#${range#*-} - start)) ] &&
			echo $((start + off - at)) && return
	done <"/proc/$1/maps"
}
check_embedded() { # NAME EXE
	local at want line
	start_program "$2"
	read -r -t 60 line <&"$TRUTH_FD" || die "$1 says nothing"
	at=$(embedded_at "$TPID" "$2")
	[ -n "$at" ] || die "$1: the big file is in no mapping"
	things "$TPID" "$1"
	equal "$1: size of the big file" "$(sum 5 '$3 == "static/big.bin" && $2 == "go:embed"')" $BIG
	between "$1: resident before it is touched" 0 "$(sum 4 '$3 == "static/big.bin"')" $((4 * MIB))
	equal "$1: small files" "$(awk -F '\t' '$2 == "go:embed" { print $3, $5 }' "$TMP/things" | sort | tr '\n' ' ')" \
		"static/big.bin $BIG static/sub/middle.txt 3000 static/tiny.txt 6 tables of embedded files 264 "
	ask "touch static/big.bin $((20 * MIB))"
	equal "$1: bytes that it read" "$(truth .read)" $((20 * MIB))
	check_sums "$TPID" "$1"
	freeze "$TPID"
	want=$(present "$TPID" "$at" $BIG)
	between "$1: what the page map has of the big file" $((20 * MIB)) "$want" $((26 * MIB))
	equal "$1: resident of the big file" "$(sum 4 '$3 == "static/big.bin"')" "$want"
	"$RSSCOPE" profile "$TPID" --type binary --top 3 >"$TMP/top" || fail "$1: --top exits $?"
	grep -q 'static/big.bin$' "$TMP/top" || fail "$1: the big file is not on top: $(cat "$TMP/top")"
	stop "$TPID"
}
embed() { # RELEASE
	local d v
	toolchain "$1" >"$TMP/get" 2>&1 || die "$1 can't be had"
	d=$GO_MATRIX/src-$1/static
	mkdir -p "$d/sub"
	[ -e "$d/big.bin" ] || { echo $MARK && head -c $((BIG - ${#MARK} - 1)) /dev/urandom; } >"$d/big.bin"
	head -c 3000 /dev/zero | tr '\0' x >"$d/sub/middle.txt"
	echo small >"$d/tiny.txt"
	for v in ${VARIANTS:-pure pure-stripped pure-pie}; do
		target_flags "$v"
		TARGET_SRC=targets/embedded build_target "$TOOLCHAIN" "$TMP/exe" "$CGO" "${FLAGS[@]}" >"$TMP/build" 2>&1 ||
			die "$1 $v: $(tail -n 3 "$TMP/build")"
		check_embedded "$1-$v" "$TMP/exe"
	done
	rm -rf "$d"
	echo "$1: embedded files are told"
}
# shellcheck disable=SC2086 # a list of words
for r in $(wanted_releases ${GO_RELEASES:-local}); do
	[ "$(minor_of "$r")" -ge 16 ] && embed "$r"
	[ -n "${GO_RELEASES:-}" ] || break
done

# ---- a stripped program that others built
start_prometheus
check_sums "$TPID" prometheus
between "prometheus: code of its own" $((MIB / 2)) "$(sum 5 '$1 == "text" && $2 ~ /^github.com\/prometheus\/prometheus/')" $((100 * MIB))
between "prometheus: what no rule names" 0 "$(sum 4 '$3 == "other"')" $((MIB / 8))
equal "prometheus: functions of two packages" "$(awk -F '\t' '$1 == "text" && $3 ~ /^github.com\/prometheus\/prometheus\/tsdb\./ && $2 != "github.com/prometheus/prometheus/tsdb"' "$TMP/things" | wc -l)" 0
stop "$TPID"
finish "sums, symbols and embedded files agree"
