#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# check.sh OUTPUT: what the kernel's verifier spends on each BPF program (tests/tools/verifier.c)
# against the file baseline here. A program that costs a tenth and 200 instructions more fails; so
# does one that costs that much less, because the old figure would hide the next growth; so does one
# that the baseline does not have, or that is gone. UPDATE=1 writes this kernel's lines anew: read the
# difference. Exit 77 with a line SKIP: the baseline has nothing of this kernel.
# check.sh --test: proves that such differences are found.
set -u
here=$(cd "$(dirname "$0")" && pwd)
TITLE='# KERNEL ARCHITECTURE PROGRAM INSTRUCTIONS IN-A-PID-NAMESPACE, as tests/tools/verifier.c counts them; -: does not load there.'

# compare MEASURED KERNEL ARCH BASELINE: prints a line for each difference; 1: there is one.
compare() {
	awk -v kernel="$2" -v arch="$3" '
	function margin(n) { return n / 10 > 200 ? n / 10 : 200 }
	function judge(name, where, got, want) {
		if (want == "-" && got == "-")
			return
		if (want == "-")
			print "note " name where ": " got ", which the baseline has no figure of"
		else if (got == "-")
			bad(name where ": does not load any more")
		else if (got - want > margin(want))
			bad(name where ": " got " instructions, baseline " want)
		else if (want - got > margin(want))
			bad(name where ": " got " instructions, baseline " want ": less; record it with UPDATE=1")
		else
			compared++
	}
	function bad(text) { print "FAIL " text; failed++ }
	FNR == NR { if ($1 == kernel && $2 == arch) { want[$3] = $4; inside[$3] = $5 } next }
	{
		if (!($1 in want)) {
			bad($1 ": not in the baseline; add it with UPDATE=1")
			next
		}
		judge($1, "", $2, want[$1])
		judge($1, " in a pid namespace", $3, inside[$1])
		delete want[$1]
	}
	END {
		for (name in want)
			bad(name ": in the baseline, but there is no such program")
		if (!failed && !compared)
			bad("nothing was compared")
		if (!failed)
			print compared " figures as recorded"
		exit failed > 0
	}' "$4" "$1"
}

update() { # MEASURED KERNEL ARCH BASELINE
	{
		echo "$TITLE"
		{
			awk -v k="$2" -v a="$3" '!/^#/ && !($1 == k && $2 == a)' "$4" 2>/dev/null
			sed "s/^/$2 $3 /" "$1"
		} | sort -V
	} >"$4.new" && mv "$4.new" "$4"
}

expect() { # RC WHAT MEASURED: of the baseline that self_test makes
	local rc
	printf '%b' "$3" >"$tmp/measured"
	compare "$tmp/measured" 6.18 amd64 "$tmp/baseline" >"$tmp/out"
	rc=$?
	if [ $rc = "$1" ] && grep -q "$2" "$tmp/out"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAIL $3 exits $rc: $(cat "$tmp/out")"
	fi
}
self_test() {
	tmp=$(mktemp -d) || exit 2
	trap 'rm -rf "$tmp"' EXIT
	passed=0 failed=0
	printf '6.18 amd64 %s\n' 'big 10000 20000' 'small 100 150' 'absent - -' >"$tmp/baseline"
	printf '6.1 amd64 big 1 1\n6.18 arm64 big 1 1\n' >>"$tmp/baseline"
	rest='small 100 150\nabsent - -\n'
	expect 0 '^4 figures' "big 10000 20000\n$rest"
	expect 0 '^4 figures' "big 11000 18000\n$rest"
	expect 0 '^4 figures' "big 10000 20000\nsmall 300 1\nabsent - -\n"
	expect 1 '^FAIL big: 11001 instructions' "big 11001 20000\n$rest"
	expect 1 '^FAIL big in a pid namespace: 22001' "big 10000 22001\n$rest"
	expect 1 '^FAIL big: 8999 .*UPDATE=1' "big 8999 20000\n$rest"
	expect 1 '^FAIL small: 301' "big 10000 20000\nsmall 301 150\nabsent - -\n"
	expect 1 '^FAIL small: does not load' "big 10000 20000\nsmall - -\nabsent - -\n"
	expect 1 '^FAIL new: not in the baseline' "big 10000 20000\nnew 5 5\n$rest"
	expect 1 '^FAIL small: in the baseline' "big 10000 20000\nabsent - -\n"
	expect 0 '^note absent: 7' "big 10000 20000\nsmall 100 150\nabsent 7 7\n"
	expect 1 '^FAIL big: in the baseline' ''
	# Writing this kernel's lines leaves the others', and what is written compares.
	printf 'big 5 6\nnew 7 8\n' >"$tmp/measured"
	update "$tmp/measured" 6.18 amd64 "$tmp/baseline"
	expect 0 '^4 figures' 'big 5 6\nnew 7 8\n'
	if [ "$(grep -c '^6.1 amd64\|^6.18 arm64' "$tmp/baseline")" = 2 ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAIL UPDATE=1 lost the lines of other kernels"
	fi
	echo "$passed passed, $failed failed, 0 skipped"
	[ $failed = 0 ]
}

[ "${1:-}" = --test ] && self_test && exit 0
[ "${1:-}" = --test ] && exit 1
out=$1
tmp=$(mktemp -d) || exit 2
trap 'rm -rf "$tmp"' EXIT
kernel=$(uname -r | grep -oE '^[0-9]+\.[0-9]+')
arch=$(uname -m)
baseline=$here/baseline
"$out/tests/tools/verifier" "$out/bpf/rsscope.o" "$out/bpf/probe.bpf.o" "$out/bpf/cpu.bpf.o" >"$tmp/measured" 2>"$tmp/err"
rc=$?
[ $rc = 0 ] || {
	cat "$tmp/measured" "$tmp/err"
	exit $rc
}
if [ "${UPDATE:-}" = 1 ]; then
	update "$tmp/measured" "$kernel" "$arch" "$baseline"
	echo "written: $baseline"
	exit 0
fi
grep -qs "^$kernel $arch " "$baseline" || {
	echo "SKIP no verifier baseline for Linux $kernel on $arch (make check-verifier UPDATE=1 writes one)"
	exit 77
}
compare "$tmp/measured" "$kernel" "$arch" "$baseline"
rc=$?
# Why a program does not load, where that is a difference.
[ $rc = 0 ] || cat "$tmp/err"
exit $rc
