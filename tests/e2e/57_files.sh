#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What can have happened to a Go program's file: no section headers, no build info, neither; deleted
# or replaced while it runs; out of our mount namespace; packed. The books are those of the untouched
# program, or the refusal says why and the kernel's ledger is printed all the same.
. "$(dirname "$0")/lib.sh"
need_root
need_go
need_tool jq unshare cmp
looks=0

look() { # WHAT [VERSION]: the last one started, at rest
	local total
	total=$(truth '.metrics."/memory/classes/total:bytes"')
	freeze "$TPID"
	frozen_report "$TPID" || return
	equal "$1: exit" $RC 0
	equal "$1: sum" "$(ledger_sum)" "$FROZEN_RSS"
	equal "$1: version" "$(q '.target.go_version | split(" ")[0]')" "${2:-$(truth .go)}"
	equal "$1: total" "$(q '.go.metrics."/memory/classes/total:bytes"')" "$total"
	equal "$1: missing" "$(q '[.missing[] | select(.path | startswith("go") | not) | select(.path | test("^(cgroup|ledger)") | not)] | length')" 0
	between "$1: unexplained" "$(truth '[.anon[].len] | add')" "$(q .unexplained)" $(($(truth '[.anon[].len] | add') + FROZEN_RSS / 1000 + 2 * PAGE))
	rs capture "$TPID" -o "$TMP/c.rsscap"
	rs report "$TMP/c.rsscap" --json
	equal "$1: total of its capture" "$(q '.go.metrics."/memory/classes/total:bytes"' "$TMP/out")" "$total"
	equal "$1: sum of its capture" "$(ledger_sum "$TMP/out")" "$FROZEN_RSS"
	thaw "$TPID"
	looks=$((looks + 1))
}
run() { # FILE
	start_program "$1"
	read -r -t 120 line <&"$TRUTH_FD" || die "$1 says nothing"
	printf '%s\n' "$line" >"$TMP/truth"
}
put() { # FILE OFFSET BYTES: as printf's escapes
	# shellcheck disable=SC2059 # bytes as escapes
	printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}
# Section headers gone, and whatever no segment needs behind them, as sstrip does.
sections_gone() { # FILE
	local end
	put "$1" 40 '\0\0\0\0\0\0\0\0'
	put "$1" 58 '\0\0\0\0\0\0'
	end=$(readelf -lW "$1" | awk '$1 == "LOAD" { e = strtonum_hex($2) + strtonum_hex($5); if (e > m) m = e } END { printf "%d", m }
		function strtonum_hex(s, i, n) { s = tolower(substr(s, 3)); n = 0; for (i = 1; i <= length(s); i++) n = n * 16 + index("0123456789abcdef", substr(s, i, 1)) - 1; return n }')
	truncate -s "$end" "$1"
}
build_info_gone() { LC_ALL=C sed -i 's/\xff Go buildinf:/\xff No buildinf:/' "$1"; } # FILE

for name in "$T"/fixture-*; do
	name=$(basename "$name")
	[ "$name" = fixture-386 ] && continue
	for what in sections_gone build_info_gone both; do
		f=$TMP/$name-$what
		cp "$T/$name" "$f"
		if [ $what = both ]; then
			build_info_gone "$f" && sections_gone "$f"
		else
			$what "$f"
		fi
		cmp -s "$f" "$T/$name" && fail "$name $what: the file is as it was"
		run "$f"
		look "$name $what"
		stop "$TPID"
		rm "$f"
	done
done

# The file that runs is deleted, then another one of its name is there.
cp "$T/fixture-pie" "$TMP/app"
run "$TMP/app"
rm "$TMP/app"
look deleted
cp "$T/fixture-cgo" "$TMP/app"
look replaced
equal "replaced: pie" "$(q .target.pie)" true
stop "$TPID"
# A library likewise, of a program in C.
if [ -e "$OUTPUT"/guests ]; then
	for lib in "$OUTPUT"/guests/*.so; do
		cp "$lib" "$TMP/lib.so"
		GUEST=$TMP/lib.so start_program "$T/host"
		read -r -t 60 line <&"$TRUTH_FD" || die "the guest says nothing"
		rm "$TMP/lib.so"
		printf 'not an ELF file\n' >"$TMP/lib.so"
		report "$TPID"
		equal "$(basename "$lib") replaced: total" "$(q '.go.metrics."/memory/classes/total:bytes"')" "$(jq -r '.metrics."/memory/classes/total:bytes"' <<<"$line")"
		stop "$TPID"
		looks=$((looks + 1))
	done
fi
# In a mount namespace of its own, on a file system that we do not see.
mkdir "$TMP/mnt"
cat >"$TMP/inside" <<'END'
mount -t tmpfs none "$1" && cp "$2" "$1/app" && exec "$1/app"
END
start_program unshare --mount --propagation private sh "$TMP/inside" "$TMP/mnt" "$T/fixture-cgo-stripped"
read -r -t 60 line <&"$TRUTH_FD" || die "it does not start: $(cat "$TMP"/target.*.err)"
printf '%s\n' "$line" >"$TMP/truth"
[ -e "$TMP/mnt/app" ] && fail "its file can be seen from here"
look "mount namespace"
stop "$TPID"

# Packed: the file holds no Go that could be read. Refused, with the kernel's view.
"$T/packed" "$T/fixture-pure-stripped" "$TMP/app" || die "cannot pack"
run "$TMP/app"
freeze "$TPID"
frozen_report "$TPID"
equal "packed: exit" $RC 5
equal "packed: sum" "$(ledger_sum)" "$FROZEN_RSS"
equal "packed: go" "$(q .go)" null
q '[.missing[] | select(.path == "go") | .reason] | join(" ")' | grep -q packed || fail "packed: not said: $(q -c .missing)"
thaw "$TPID"
finish "$looks looks equal what the programs say; a packed one is refused"
