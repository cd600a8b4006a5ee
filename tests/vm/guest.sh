# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=dash
# What is tried on a kernel, in its guest, as root: one function a concern, listed at the end. Each
# says what it found with `is FEATURE WORD`: a cell of the table. Words are the same on every run of
# a kernel, and begin with FAIL when something is wrong wherever it happens; files that explain are
# left in /out. busybox's shell, jq.
cd /test || exit 1
CG=/sys/fs/cgroup
PATH=/test:$PATH

is() { echo "@@IS $1 $2"; }
same() { # FEATURE GOT WANT
	if [ "$2" = "$3" ]; then
		is "$1" ok
	else
		is "$1" FAIL
		echo "   $1: $2, want $3"
	fi
}
between() { # FEATURE LOW GOT HIGH
	if [ "$2" -le "$3" ] && [ "$3" -le "$4" ]; then
		is "$1" ok
	else
		is "$1" FAIL
		echo "   $1: $3, want $2 to $4"
	fi
}
await() { # FILE: until there is something in it, a minute at most
	i=0
	until [ -s "$1" ] || [ "$i" = 600 ]; do
		i=$((i + 1))
		sleep 0.1
	done
}
rollup() { awk '/^Rss:/ { print $2 * 1024; exit }' "/proc/$1/smaps_rollup"; }
state() { # PID: all that looking could change
	sed 's/.*) //' "/proc/$1/stat" | cut -d' ' -f8,10
	grep -E '^(VmRSS|VmPTE|VmSwap|RssAnon|RssFile|RssShmem):' "/proc/$1/status"
}

# ---- targets
# start NAME PROGRAM [ARG...]: in a cgroup of its own; PID in PID, its first line in /tmp/NAME.truth.
start() {
	name=$1
	shift
	mkdir -p "$CG/$name"
	mkfifo "/tmp/$name.in" "/tmp/$name.out"
	# shellcheck disable=SC2016 # the inner shell's
	sh -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$CG/$name" "$@" <"/tmp/$name.in" >"/tmp/$name.out" 2>"/out/$name.err" &
	PID=$!
	exec 8>"/tmp/$name.in" 9<"/tmp/$name.out"
	truth "$name"
}
truth() { # NAME: its next line
	# shellcheck disable=SC3045 # busybox's read has it
	if ! read -r -t 60 line <&9; then
		is "$1/target" FAIL-silent
		head -n 5 "/out/$1.err"
		return 1
	fi
	printf '%s\n' "$line" >"/tmp/$1.truth"
}
ask() { # NAME LINE
	echo "$2" >&8
	truth "$1"
}
freeze() { # NAME
	echo 1 >"$CG/$1/cgroup.freeze"
	i=0
	until grep -q '^frozen 1' "$CG/$1/cgroup.events"; do
		i=$((i + 1))
		[ "$i" -lt 100 ] || return 1
		sleep 0.05
	done
}
thaw() { echo 0 >"$CG/$1/cgroup.freeze"; }
stop() { # NAME PID
	thaw "$1"
	exec 8>&- 9<&-
	kill -KILL "$2" 2>/dev/null
	wait "$2" 2>/dev/null
	rmdir "$CG/$1"
	rm -f "/tmp/$1.in" "/tmp/$1.out"
}

# ---- concerns
t_doctor() {
	rsscope doctor --json >/out/doctor.json 2>/out/doctor.err
	same doctor/exit $? 0
	jq -r '.checks[] | "@@IS doctor/" + (.name | gsub("[^A-Za-z0-9]+"; "-")) + " " + .state' /out/doctor.json
}

# Every BPF program, with and without fallbacks, by hit counts.
t_probes() {
	for way in best fallbacks; do
		vm-events "$way" >/out/events-"$way" 2>&1
		same "probes/$way" $? 0
		grep -Ev '^(program|event) [^ ]+ (fires|spare|ok|fallback) ' "/out/events-$way"
		sed -n "s,^program \([^ ]*\) \([^ ]*\).*,@@IS probes/$way/\1 \2,p; s,^event \([^ ]*\) \([^ ]*\).*,@@IS events/$way/\1 \2,p" "/out/events-$way"
	done
}

# Attached and detached: what is left of it, in us, in the kernel, in the target.
t_rounds() {
	vm-events rounds 4 >/out/rounds 2>&1
	same rounds/exit $? 0
	grep -Ev '^rounds [^ ]+ ok' /out/rounds
	sed -n 's,^rounds \([^ ]*\) \([^ ]*\).*,@@IS rounds/\1 \2,p' /out/rounds
}

q() { jq -r ".reports[0] | $1" "$r"; }

# A report of the frozen target against the kernel's figures; r is the file it is in.
look_frozen() { # NAME PID
	local before after
	r=/out/$1.json
	freeze "$1" || is "$1/freeze" FAIL
	state "$2" >"/tmp/$1.before"
	before=$(rollup "$2")
	rsscope report --pid "$2" --json >"$r" 2>"/out/$1.report.err"
	same "$1/exit" $? 0
	after=$(rollup "$2")
	state "$2" >"/tmp/$1.after"
	same "$1/unchanged" "$(cat "/tmp/$1.after")" "$(cat "/tmp/$1.before")"
	same "$1/rollup" "$before $(q .rss.scanned)" "$after $after"
	same "$1/sum" "$(q '[.ledger[].resident] | add')" "$after"
	same "$1/high-water" "$(q '.rss | .high_water >= .before and .high_water >= .after')" true
	same "$1/uncertainty" "$(q '[.ledger[].uncertainty // 0] | add')" 0
	# What no kernel is to blame for: not asked for, or of the runtime's rarer books at rest.
	same "$1/missing" "$(q '[.missing[]? | select(.needs != "--pss" and .needs != "a binary with a symbol table")
		| select((.path == "go.metrics" and (.reason | startswith("could not be cross-checked, so not reported: /gc/"))) | not) | .path] | join(" ")')" ""
	same "$1/unknown" "$(q .unknown)" 0
	# What it mapped itself has no origin: that much is unexplained, and little else.
	between "$1/unexplained" "$(jq '[.anon[]?.len] | add // 0' "/tmp/$1.truth")" "$(q .unexplained)" "$(jq "([.anon[]?.len] | add // 0) + $after / 200 | floor" "/tmp/$1.truth")"
	same "$1/go-version" "$(q .target.go_version)" "$(jq -r .go "/tmp/$1.truth")"
}
# The runtime's books against the target's own, which waits since it read them.
look_runtime() { # NAME
	same "$1/runtime" "$(jq -rn --slurpfile t "/tmp/$1.truth" --slurpfile r "$r" '
		$r[0].reports[0].go.metrics as $m | $t[0].metrics as $w | [$w | keys[]
			| select(startswith("/memory/classes/") and (test("heap/(free|released):") | not))
			| select($m[.] != $w[.]) | "\(.) is \($m[.]), want \($w[.])"] | join("; ")')" ""
	same "$1/cycles" "$(q .go.gc.cycles)" "$(jq '.metrics."/gc/cycles/total:gc-cycles"' "/tmp/$1.truth")"
}
# The cgroup's rows between two reads of our own, equal to them where those agree.
look_cgroup() { # NAME PID
	local dir=$CG/$1 bad=""
	same "$1/cgroup-version" "$(q .cgroup.version)" 2
	cat "$dir/memory.stat" >"/out/$1.stat1"
	cat "$dir/memory.current" >"/out/$1.current1"
	rsscope report --pid "$2" --json >"/out/$1.cgroup.json" 2>/dev/null
	cat "$dir/memory.stat" >"/out/$1.stat2"
	cat "$dir/memory.current" >"/out/$1.current2"
	r=/out/$1.cgroup.json
	jq -r '.reports[0].cgroup | "usage \(.usage)", (.rows[] | "\(.name) \(.bytes)")' "$r" >"/out/$1.rows"
	for i in 1 2; do
		{ echo "usage $(cat "/out/$1.current$i")" && cat "/out/$1.stat$i"; } >"/tmp/own$i"
	done
	# mawk and busybox awk count in doubles: exact up to 2^53.
	awk -v name="$1" '
		FILENAME ~ /own1$/ { low[$1] = $2; next }
		FILENAME ~ /own2$/ { high[$1] = $2; next }
		{
			if (!($1 in low))
				next
			n++
			a = low[$1] < high[$1] ? low[$1] : high[$1]
			b = low[$1] < high[$1] ? high[$1] : low[$1]
			moved += a != b
			if ($2 < a || $2 > b) {
				bad++
				print "   " $1 ": " $2 ", want " a " to " b
			}
		}
		END {
			print "   " name ": " n " rows of the cgroup compared, " moved + 0 " moved meanwhile"
			print "@@IS " name "/cgroup-rows " (n >= 5 && !bad ? "ok" : "FAIL")
		}' /tmp/own1 /tmp/own2 "/out/$1.rows"
	echo 268435456 >"$dir/memory.max"
	rsscope report --pid "$2" --json >"/out/$1.limit.json" 2>/dev/null
	r=/out/$1.limit.json
	same "$1/cgroup-limit" "$(q .cgroup.effective_limit)" 268435456
	echo max >"$dir/memory.max"
}
# The replay of a capture is the report that was made with it.
look_capture() { # NAME PID
	rsscope capture --pid "$2" -o "/out/$1.rsc" --report --json >"/out/$1.live" 2>"/out/$1.capture.err"
	same "$1/capture" $? 0
	rsscope report "/out/$1.rsc" --json >"/out/$1.replay" 2>>"/out/$1.capture.err"
	same "$1/replay" "$? $(md5sum <"/out/$1.replay")" "0 $(md5sum <"/out/$1.live")"
}
# While it works, too, the sum is what was scanned.
look_running() { # NAME PID
	thaw "$1"
	ask "$1" "maps 60"
	echo "work 20" >&8
	r=/out/$1.running.json
	rsscope report --pid "$2" --json >"$r" 2>"/out/$1.running.err"
	same "$1/running" "$? $(q '[.ledger[].resident] | add')" "0 $(q .rss.scanned)"
	truth "$1"
}
look() { # NAME PROGRAM [ARG...]
	start "$@" || return
	pid=$PID
	# Its first read allocated for the second one.
	ask "$1" truth
	look_frozen "$1" "$pid"
	look_runtime "$1"
	look_cgroup "$1" "$pid"
	look_capture "$1" "$pid"
	look_running "$1" "$pid"
	stop "$1" "$pid"
}
t_pure() { look pure targets/pure -heap 6 -mmap 3 -file 2 -path /tmp/pure.file -stacks 8; }
t_cgo() { look cgo targets/cgo -heap 6 -mmap 3 -file 2 -path /tmp/cgo.file -stacks 8 -malloc 6; }

# What a Go program does, as the command shows it.
t_watch() {
	start watch targets/gcloop -free -cycles 30 -depth 10 || return
	rsscope watch --pid "$PID" --json --interval 1 >/out/watch.jsonl 2>/out/watch.err &
	w=$!
	# Its first line comes when all is attached.
	await /out/watch.jsonl
	ask watch go
	sleep 1.5
	kill -INT "$w"
	wait "$w"
	same watch/exit $? 0
	same watch/gc "$(jq -s 'map(select(.type == "gc")) | length' /out/watch.jsonl)" 30
	same watch/gc-start "$(jq -s 'map(select(.type == "gc" and .trigger == "forced" and .stack[0].func == "runtime.GC")) | length' /out/watch.jsonl)" 30
	# Older arm64 kernels do not follow Go's frames: bpf_get_stack gives the function alone.
	jq -s -r 'if map(select(.type == "gc" and .caller == "main.main")) | length == 30 then "full" else "short" end | "@@IS watch/gc-caller " + .' /out/watch.jsonl
	jq -M -s -c 'map(.type) | group_by(.) | map({(.[0]): length}) | add' /out/watch.jsonl
	r=/tmp/watch.report
	jq -c 'select(.type == "report")' /out/watch.jsonl >"$r"
	same watch/report "$(q '[.ledger[].resident] | add')" "$(q .rss.scanned)"
	stop watch "$PID"
}

# Where a Go program spends CPU time: stacks down to where goroutines begin.
t_cpu() {
	start cpu targets/gcloop -auto -cycles 1000000 -depth 10 || return
	echo go >&8
	rsscope profile "$PID" --type cpu --seconds 5 --json >/out/cpu.json 2>/out/cpu.err
	same cpu/exit $? 0
	# Samples, and of these the ones whose stack holds such a function.
	jq -r --arg f '^main\.(tree|allocate)' '.locations as $l | def has($re): .stack | any($l[.].frames | any(.function | test($re)));
		[.samples[] | {n: .values[0], main: has($f), root: has("^(main\\.(allocate|main)|runtime\\.(gcBgMarkWorker|bgsweep|bgscavenge|mcall|mstart|morestack|main))")}] as $s
		| "\([$s[].n] | add // 0) \([$s[] | select(.main) | .n] | add // 0) \([$s[] | select(.root) | .n] | add // 0)"' /out/cpu.json >/tmp/cpu.n
	read -r all main root </tmp/cpu.n
	between cpu/samples 50 "$all" 2000
	between cpu/main $((all / 4)) "$main" "$all"
	between cpu/roots $((all * 95 / 100)) "$root" "$all"
	same cpu/gc "$(jq -r '[.notes[] | select(startswith("GC: "))] | length' /out/cpu.json)" 1
	stop cpu "$PID"
}

# Programs from their first instruction, their exit statuses, and how large they were.
run_exits() { # STATUS CMD...
	want=$1
	shift
	rsscope run --json -o /out/run.short.json -- "$@" >/dev/null 2>/out/run.short.err </dev/null
	[ $? = "$want" ] || bad="$bad $* exits $?, want $want;"
}
t_run() {
	bad=""
	run_exits 7 vm-events leave
	run_exits 0 true
	run_exits 137 sh -c 'kill -KILL $$'
	run_exits 127 /no/such/program
	same run/status "$bad" ""
	mkfifo /tmp/run.in
	rsscope run --json -o /out/run.json -- targets/pure -heap 6 </tmp/run.in >/tmp/run.truth 2>/out/run.err &
	w=$!
	exec 8>/tmp/run.in
	await /tmp/run.truth
	# A report now, so that the one at the end has a ledger.
	kill -USR1 "$w"
	await /out/run.json
	echo truth >&8
	exec 8>&-
	wait "$w"
	same run/exit $? 0
	r=/tmp/run.last
	jq -s '.[-1]' /out/run.json >"$r"
	same run/reports "$(jq -s length /out/run.json)" 2
	same run/observed-by "$(q .rss.observed_by)" first-instruction
	# What the kernel said when it had ended, at least what it had read of itself before.
	high=$(tail -n 1 /tmp/run.truth | jq .status.VmHWM) tree=$(q .run.tree_max_rss)
	between run/high-water $((tree * 98 / 100)) "$(q .rss.high_water)" $((tree * 102 / 100))
	between run/high-water-read $((high * 98 / 100)) "$(q .rss.high_water)" $((tree * 102 / 100))
	same run/sum "$(q '[.ledger[].resident] | add')" "$(q .rss.scanned)"
}

# The unit tests that look at a live process: the page map's two readers agree, among others.
t_unit() {
	unit test_memsrc capture_of_a_live >/out/unit 2>&1
	same unit/live $? 0
	grep -a '^FAIL' /out/unit
	tail -n 1 /out/unit
}

echo "+memory" >$CG/cgroup.subtree_control
# Nothing moves in what is frozen but what looking moves.
echo 4294967295 >/sys/kernel/mm/transparent_hugepage/khugepaged/scan_sleep_millisecs
for t in ${TESTS:-doctor probes rounds unit pure cgo watch cpu run}; do
	s=$(cut -d' ' -f1 /proc/uptime)
	t_"$t"
	echo "   $t: from $s to $(cut -d' ' -f1 /proc/uptime) s"
done
exit 0
