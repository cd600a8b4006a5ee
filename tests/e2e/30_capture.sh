#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A report from a capture is byte-identical to the live one taken with it, as text and as JSON,
# under load too, without root, and on a machine that has neither the process nor its executable.
. "$(dirname "$0")/lib.sh"
need_root
need_go
need_tool jq setpriv

same() { # NAME
	local kind flag
	for kind in text json; do
		flag=$([ $kind = json ] && echo --json)
		# shellcheck disable=SC2086 # one flag or none
		"$RSSCOPE" capture --pid "$TPID" -o "$TMP/c.$1.$kind" --report $flag >"$TMP/live" 2>"$TMP/err"
		equal "$1: exit of capture, $kind" $? 0
		[ -s "$TMP/live" ] || fail "$1: capture --report prints nothing as $kind"
		chmod 644 "$TMP/c.$1.$kind"
		# shellcheck disable=SC2086
		setpriv --reuid 65534 --regid 65534 --clear-groups "$RSSCOPE" report "$TMP/c.$1.$kind" $flag >"$TMP/replay" 2>"$TMP/err"
		equal "$1: exit of the replay, $kind" $? 0
		cmp "$TMP/live" "$TMP/replay" || {
			fail "$1: the $kind replay differs"
			diff "$TMP/live" "$TMP/replay" | head -n 10
		}
	done
	echo "$1: $(stat -c %s "$TMP/c.$1.json") bytes for $(jq '.reports[0].rss.scanned' "$TMP/replay") resident"
}

chmod 755 "$TMP"
setpriv --reuid 65534 --regid 65534 --clear-groups test -x "$RSSCOPE" || {
	cp "$RSSCOPE" "$TMP/rsscope" && RSSCOPE=$TMP/rsscope
}
for name in fixture-pure fixture-cgo-stripped fixture-pie; do
	cp "$T/$name" "$TMP/exe"
	start_program "$TMP/exe"
	read -r -t 60 _ <&"$TRUTH_FD"
	same $name
	stop "$TPID"
	# Gone: the capture still tells the same.
	rm "$TMP/exe"
	"$RSSCOPE" report "$TMP/c.$name.text" >"$TMP/again" 2>&1
	"$RSSCOPE" report "$TMP/c.$name.text" >"$TMP/again2" 2>&1
	cmp "$TMP/again" "$TMP/again2" || fail "$name: two replays differ"
done
start churn
same churn
stop "$TPID"
start plain
same plain
stop "$TPID"
start_prometheus
load_prometheus
same prometheus
# No contents of objects: what only the target's heap holds is not in the file, once that is unpacked.
# Of a program never seen before the runtime's variables are searched: many pointers are followed.
${CC:-cc} -std=gnu11 -D_GNU_SOURCE -I"$ROOT/include" -o "$TMP/recapture" "$ROOT/tests/tools/recapture.c" -lz || die "recapture does not build"
without() { # SECRET CAPTURE TEXT ADDRESS: of $TPID, with that text; where the secret is to be found
	"$TMP/recapture" -x <"$2" >"$TMP/unpacked" || die "recapture"
	grep -qaF "$3" "$TMP/unpacked" || fail "the unpacked capture is not readable"
	dd if="/proc/$TPID/mem" bs=1M iflag=skip_bytes skip="$4" count=64 2>/dev/null | grep -qaF "$1" ||
		fail "the text is not in the heap: nothing is tested"
	grep -qaF "$1" "$TMP/unpacked" && fail "the capture has contents of objects: $1"
}
without 'targets: ["127.0.0.1:9090"]' "$TMP/c.prometheus.text" "prometheus/cmd/prometheus" $((0xc000000000))
stop "$TPID"
cp "$T/shapes" "$TMP/exe"
start_program "$TMP/exe" texts 16
read -r -t 60 truth <&"$TRUTH_FD" || die "shapes says nothing"
"$RSSCOPE" capture --pid "$TPID" -o "$TMP/c.texts" >/dev/null || fail "capture of shapes"
without "no capture holds this however many pointers to it are followed" "$TMP/c.texts" "$TMP/exe" "$(jq .at <<<"$truth")"
stop "$TPID"
finish
