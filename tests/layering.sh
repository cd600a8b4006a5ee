#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# layering.sh [ROOT]: what each folder may include. Prints each offence; exit 1 if there is one.
# layering.sh --test: proves that offences are found.
set -u

# Folder: the folders whose headers it may include. cli and main.c wire everything: not listed.
# rsscope is include/rsscope, what crosses a boundary (wire structs, the capture format).
rules='
base       base
proc       base proc
source     base proc source rsscope
binary     base binary
goruntime  base proc source binary goruntime
native     base proc source binary native
symbol     base proc source binary symbol model/event/event.h
event      base event rsscope model/event/event.h model/event/gc_cycle.h
session    base proc source binary goruntime native symbol event model session
collect    base proc source binary goruntime native symbol session model collect rsscope
model      base model
in         base model in
out        base model out
observe    base proc source binary goruntime native symbol event session collect model out observe
doctor     base proc source event doctor
'
# System headers (as an extended regular expression) and the only folders that may include them.
owners='
(gelf|libelf|dwarf|elfutils/.*)\.h                                              binary
(bpf/.*|linux/bpf)\.h                                                           event
argp\.h                                                                         cli
seccomp\.h                                                                      base
'
# Pure folders, and headers that do I/O.
pure='model in out'
io='(fcntl|dirent|poll|sys/(stat|mman|socket|uio|ioctl|ptrace|epoll|syscall|wait|mount|file|sendfile))\.h'

check() {
	cd "$1" || exit 2
	find src include bpf \( -name '*.c' -o -name '*.h' -o -name '*.def' -o -name '*.inc' \) 2>/dev/null | sort |
		xargs -r grep -nE '^[[:space:]]*#[[:space:]]*include' /dev/null |
		RULES=$rules OWNERS=$owners PURE=$pure IO=$io awk '
	BEGIN {
		n = split(ENVIRON["RULES"], line, "\n")
		for (i = 1; i <= n; i++) {
			k = split(line[i], w, " ")
			if (k)
				known[w[1]] = 1
			for (j = 2; j <= k; j++)
				may[w[1], w[j]] = 1
		}
		n = split(ENVIRON["OWNERS"], line, "\n")
		for (i = 1; i <= n; i++) {
			k = split(line[i], w, " ")
			if (!k)
				continue
			owned[++owners] = w[1]
			for (j = 2; j <= k; j++)
				owner[owners, w[j]] = 1
		}
		n = split(ENVIRON["PURE"], w, " ")
		for (i = 1; i <= n; i++)
			pure[w[i]] = 1
	}
	function bad(why) {
		printf "%s: %s\n", place, why
		offences++
	}
	{
		split($0, f, ":")
		place = f[1] ":" f[2]
		top = f[1]
		sub("/.*", "", top)
		folder = f[1]
		sub("^src/", "", folder)
		if (!sub("/.*", "", folder))
			folder = "main"
		local = match($0, /"[^"]*"/)
		if (!local && !match($0, /<[^>]*>/))
			next
		name = substr($0, RSTART + 1, RLENGTH - 2)
		to = name
		if (!sub("/.*", "", to))
			to = ""
		if (top == "src" && folder != "main" && folder != "cli" && !(folder in known))
			bad("no rule for the folder src/" folder ": add one to tests/layering.sh")
		if (top == "include" && local && to != "rsscope")
			bad("include/ crosses boundaries and stands alone, it includes \"" name "\"")
		if (top != "src")
			next
		if (local && (name ~ /(^|\/)\.\.(\/|$)/))
			bad("\"" name "\": includes are relative to src/")
		else if (local && folder in known && to != "" && !((folder, to) in may) && !((folder, name) in may))
			bad("src/" folder " may not include \"" name "\"")
		if (local && name ~ /\.skel\.h$/ && folder != "event")
			bad("only src/event may include the skeleton, \"" name "\"")
		for (i = 1; i <= owners; i++)
			if (name ~ "^" owned[i] "$" && !((i, folder) in owner))
				bad("src/" folder " may not include <" name ">: it belongs to one folder")
		if (folder in pure && name ~ "^" ENVIRON["IO"] "$")
			bad("src/" folder " does no I/O, it includes <" name ">")
	}
	END { exit offences != 0 }'
}

# Each line: a file and an include that must be refused, or (after "ok") accepted.
cases='
bad src/base/a.c "proc/maps.h"
bad src/proc/a.h "goruntime/goruntime.h"
bad src/proc/a.h "source/memsrc.h"
bad src/binary/a.c "proc/maps.h"
bad src/native/a.c "goruntime/goruntime.h"
bad src/goruntime/a.c "model/ledger/ledger.h"
bad src/symbol/a.c "session/mapbook.h"
bad src/symbol/a.c "model/report/report.h"
bad src/event/a.c "model/ledger/ledger.h"
bad src/event/a.c "session/session.h"
bad src/session/a.c "collect/collect.h"
bad src/session/a.c "out/watch.h"
bad src/model/a.c "proc/maps.h"
bad src/model/a.c <fcntl.h>
bad src/model/ledger/a.c <sys/mman.h>
bad src/out/a.c "collect/collect.h"
bad src/out/a.c "in/json_read.h"
bad src/in/a.c "out/json_build.h"
bad src/out/a.c <sys/stat.h>
bad src/goruntime/a.c <libelf.h>
bad src/goruntime/a.c <elfutils/libdw.h>
bad src/source/a.c <bpf/libbpf.h>
bad src/collect/a.c "rsscope.skel.h"
bad src/collect/a.c "event/ev.h"
bad src/collect/a.c <argp.h>
bad src/collect/a.c "cli/cli.h"
bad src/collect/a.c "../cli/cli.h"
bad src/session/a.c "observe/watch.h"
bad src/collect/a.c "observe/observe.h"
bad src/out/a.c "observe/watch.h"
bad src/observe/a.c "cli/cli.h"
bad src/observe/a.c <argp.h>
bad src/observe/a.c <bpf/libbpf.h>
bad src/doctor/a.c "cli/cli.h"
bad src/doctor/a.c "collect/collect.h"
bad src/newfolder/a.c "base/vec.h"
bad include/rsscope/a.h "base/vec.h"
ok src/main.c "cli/cli.h"
ok src/cli/a.c "event/ev.h"
ok src/cli/a.c <argp.h>
ok src/source/a.c "proc/maps.h"
ok src/goruntime/a.c "binary/binary.h"
ok src/binary/a.c <elfutils/libdw.h>
ok src/event/a.c <bpf/libbpf.h>
ok src/event/a.c "model/event/event.h"
ok src/event/a.c "rsscope.skel.h"
ok src/session/a.c "event/ev.h"
ok src/collect/a.c "model/ledger/ledger.h"
ok src/collect/a.c "session/mapbook.h"
ok src/observe/a.c "collect/collect.h"
ok src/observe/a.c "out/watch.h"
ok src/observe/a.c "event/ev.h"
ok src/observe/a.c <poll.h>
ok src/doctor/a.c "event/ev.h"
ok src/out/a.c <unistd.h>
ok src/base/a.c <fcntl.h>
ok bpf/a.bpf.c <bpf/bpf_helpers.h>
'
self_test() {
	dir=$(mktemp -d) || exit 2
	trap 'rm -rf "$dir"' EXIT
	echo "$cases" | (
		passed=0 failed=0
		while read -r want file include; do
			[ -n "$want" ] || continue
			rm -rf "$dir/t"
			mkdir -p "$dir/t/$(dirname "$file")"
			printf '#include <stdint.h>\n#include %s\n' "$include" >"$dir/t/$file"
			got=ok
			(check "$dir/t") >"$dir/out" || got=bad
			if [ $got = "$want" ]; then
				passed=$((passed + 1))
			else
				failed=$((failed + 1))
				echo "FAIL $file including $include: $got, want $want"
			fi
		done
		echo "$passed passed, $failed failed, 0 skipped"
		[ $failed = 0 ]
	)
}

case ${1:-.} in
--test) self_test ;;
*) check "${1:-.}" ;;
esac
