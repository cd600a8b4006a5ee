#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# run.sh OUTPUT [NAME…]: stripped Go programs that nobody here built, from Debian's archive and npm
# (those of the file `list`, or those whose line contains NAME): fetched, started in a network
# namespace of their own, looked at. Of each the frozen ledger must equal smaps_rollup to the byte,
# the Go release be known and its books complete; where it publishes /metrics, they must equal ours:
# at a moment when two of its answers around the look agree. A line for each, and a count.
OUTPUT=${1:-build}
shift
. "$(dirname "$0")/../e2e/lib.sh"
. "$(dirname "$0")/../vm/apt.sh"
need_root
need_tool jq curl unshare nsenter ip npm dpkg apt-get
P=$OUTPUT/packages-of-others
passed=0 failed=0 skipped=0
mkdir -p "$P"

fetch_deb() { # SUITE PACKAGE: unpacked in DIR
	DIR=$P/$1/$2
	[ -e "$DIR/.done" ] && return
	apt_state "$P/apt/$1" amd64 "$1" && apt_unpack "$DIR" "$2" && touch "$DIR/.done"
}
fetch_npm() { # PACKAGE@VERSION
	DIR=$P/npm/${1//\//_}
	[ -e "$DIR/.done" ] && return
	mkdir -p "$DIR" && (
		cd "$DIR" && npm pack --silent "$1" >pack.log 2>&1 && tar xzf ./*.tgz && rm -f ./*.tgz && touch .done
	)
}
write_configs() { # DIR
	mkdir -p "$1/home"
	cat >"$1/prometheus.yml" <<-'END'
		global: {scrape_interval: 5s}
		scrape_configs: [{job_name: self, static_configs: [{targets: ["127.0.0.1:9090"]}]}]
	END
	cat >"$1/containerd.toml" <<-END
		version = 2
		root = "$1/root"
		state = "$1/state"
		disabled_plugins = ["io.containerd.grpc.v1.cri"]
		[grpc]
		  address = "$1/containerd.sock"
		[metrics]
		  address = "127.0.0.1:1338"
	END
	cat >"$1/influxdb.conf" <<-END
		reporting-disabled = true
		[meta]
		  dir = "$1/meta"
		[data]
		  dir = "$1/data"
		  wal-dir = "$1/wal"
		[http]
		  bind-address = "127.0.0.1:8086"
	END
	echo '{"admin": {"listen": "127.0.0.1:2019"}, "apps": {}}' >"$1/caddy.json"
	printf 'wait:\n  commands:\n    sleep:\n      run: while kill -0 $PPID; do sleep 1; done\n' >"$1/lefthook.yml"
	git init -q "$1" 2>/dev/null
}

# ---- /metrics, in bytes; the names are those of client_golang and of VictoriaMetrics' own library
scrape() { # FILE
	inside "$TPID" curl -fs --max-time 10 "http://127.0.0.1:$PORT$METRICS_PATH" |
		awk '/^go_[a-z_]* [0-9]/ { printf "%s %.0f\n", $1, $2 }
			/^go_info(_ext)?\{/ { match($0, /go1[.0-9a-z]*/); print "version", substr($0, RSTART, RLENGTH) }' >"$1"
}
of() { awk -v k="$1" '$1 == k { print $2; exit }' "$2"; } # NAME FILE
# Ours, by the names of theirs.
ours() {
	q '.go as $g | $g.metrics as $m
		| ["go_memstats_sys_bytes", $m."/memory/classes/total:bytes"],
		  ["go_memstats_heap_inuse_bytes", $m."/memory/classes/heap/objects:bytes" + $m."/memory/classes/heap/unused:bytes"],
		  ["go_memstats_heap_released_bytes", $m."/memory/classes/heap/released:bytes"],
		  ["go_memstats_stack_inuse_bytes", $m."/memory/classes/heap/stacks:bytes"],
		  ["go_memstats_mspan_sys_bytes", $m."/memory/classes/metadata/mspan/inuse:bytes" + $m."/memory/classes/metadata/mspan/free:bytes"],
		  ["go_memstats_buck_hash_sys_bytes", $m."/memory/classes/profiling/buckets:bytes"],
		  ["go_memstats_next_gc_bytes", $g.gc.goal],
		  ["go_goroutines", $m."/sched/goroutines:goroutines"]
		| select(.[1] != null) | "\(.[0]) \(.[1])"' >"$TMP/ours"
}
# A figure is equal when it lies between their answers before and after the look; each is asked for
# until it does, for most move with every answer. An answer has goroutines of its own, which end
# when it is given: its connection's two, its collectors'. From 1.26 runtime/metrics, and so we, count
# the runtime's own, too, which runtime.NumGoroutine does not.
compare() { # adds to SAME; in BAD what is not equal yet
	local name own a b lo hi
	BAD=''
	while read -r name own; do
		a=$(of "$name" "$TMP/before") b=$(of "$name" "$TMP/after")
		[ -n "$a" ] && [ -n "$b" ] && [[ " $SAME " != *" $name "* ]] || continue
		lo=$((a < b ? a : b)) hi=$((a < b ? b : a))
		if [ "$name" = go_goroutines ]; then
			lo=$((lo - 8))
			[ "$(q '.target.go_version | split(".")[1] | tonumber')" -lt 26 ] || hi=$((hi + 8))
		fi
		if [ "$own" -ge $lo ] && [ "$own" -le $hi ]; then
			SAME="$SAME $name"
		else
			BAD="$BAD $name $own, want $a"
			[ "$a" = "$b" ] || BAD="$BAD to $b"
		fi
	done <"$TMP/ours"
}
metrics_equal() {
	local i v
	SAME=''
	for ((i = 0; i < 40; i++)); do
		scrape "$TMP/before" && report "$TPID" && scrape "$TMP/after" || return 1
		ours
		compare
		[ -n "$BAD" ] || break
		sleep 0.2
	done
	[ -z "$BAD" ] || fail "metrics:$BAD"
	SAME=$(wc -w <<<"$SAME")
	[ "$SAME" -ge 4 ] || fail "only $SAME of its metrics could be compared"
	v=$(of version "$TMP/after")
	[ -z "$v" ] || equal "version" "$(q '.target.go_version | sub("[ -].*"; "")')" "$v"
}

wait_for() { # until it serves, or has done its start
	local i
	for ((i = 0; i < 150; i++)); do
		[ -d "/proc/$TPID" ] || return 1
		[ "$PORT" = - ] && [ "$i" = 10 ] && return
		[ "$PORT" = - ] || { inside "$TPID" curl -fs -o /dev/null --max-time 5 "http://127.0.0.1:$PORT$METRICS_PATH" && sleep 1 && return; }
		sleep 0.2
	done
	return 1
}
look() { # the program under $TPID
	local limit
	[ "$PORT" = - ] || [ -n "${NO_METRICS:-}" ] || metrics_equal
	freeze "$TPID"
	frozen_report "$TPID"
	GO_VERSION=$(q '.target.go_version // "none"') RSS=$FROZEN_RSS
	equal "scanned" "$(q .rss.scanned)" "$FROZEN_RSS"
	equal "sum" "$(ledger_sum)" "$FROZEN_RSS"
	equal "go" "$(q .target.go)" true
	equal "exit" $RC 0
	equal "not found" "$(q '[.missing[] | select(.path == "go") | .reason] | join("; ")')" ""
	equal "uncertainty" "$(q '[.ledger[].uncertainty // 0] | add')" 0
	limit=$((FROZEN_RSS / 1000 > 2 * PAGE ? FROZEN_RSS / 1000 : 2 * PAGE))
	UNEXPLAINED=$(q .unexplained)
	[ "$UNEXPLAINED" -le $limit ] || [ -n "${MAPS_ITSELF:-}" ] || fail "unexplained is $UNEXPLAINED, want at most $limit"
	[ "$(q .go.gc.cycles)" -ge 0 ] || fail "no GC figures"
	ledger_sane
	thaw "$TPID"
}
# one KIND SOURCE PACKAGE PROGRAM PORT ARG…: in a subshell; its line on fd 3
one() {
	local kind=$1 d=$TMP/d exe version args=()
	if [ "$kind" = deb ]; then
		fetch_deb "$2" "$3" >"$TMP/fetch" 2>&1 || skip no-package "$(tail -n 1 "$TMP/fetch")"
		version=$(dpkg-deb -f "$DIR"/*.deb Version 2>/dev/null || zcat "$DIR/usr/share/doc/$3/changelog.Debian.gz" 2>/dev/null | sed -n '1s/.*(\(.*\)).*/\1/p')
		NAME="$2 $3"
	else
		fetch_npm "$2" || skip no-package "$(tail -n 1 "$DIR/pack.log")"
		version=$(jq -r .version "$DIR/package/package.json")
		NAME="npm ${2%@*}"
	fi
	exe=$DIR$4 PORT=${5%%/*} METRICS_PATH=/metrics
	case $5 in */*) METRICS_PATH=/${5#*/} ;; esac
	shift 5
	write_configs "$d"
	for a; do
		a=${a//\{d\}/$d} a=${a//\{v\}/$version}
		args+=("${a//\{p\}/$DIR}")
	done
	chmod +x "$exe"
	mkfifo "$TMP/in"
	cd "$d" || exit 1
	HOME=$d unshare --net sh -c 'ip link set lo up && exec "$@"' sh "$exe" "${args[@]}" <"$TMP/in" >"$TMP/alone.log" 2>&1 3>&- &
	TPID=$!
	CHILDREN+=("$TPID")
	exec 9>"$TMP/in"
	wait_for || die "does not start: $(tail -n 3 "$TMP/alone.log")"
	look
	printf '%-45s %-20s %-12s RSS %6d KiB, unexplained %d B, %s of its metrics equal' "$NAME" "$version" "$GO_VERSION" $((RSS / 1024)) "$UNEXPLAINED" "${SAME:-none}" >&3
	finish
}

while read -r line; do
	case $line in \#* | '') continue ;; esac
	if [ $# -gt 0 ]; then
		wanted=0
		for w; do [[ $line == *"$w"* ]] && wanted=1; done
		[ $wanted = 1 ] || continue
	fi
	set -f
	# shellcheck disable=SC2206 # words
	fields=($line)
	set +f
	log=$P/last.log
	said=$(
		exec 3>&1 >"$log" 2>&1 </dev/null
		TMP=$(mktemp -d "${TMPDIR:-/tmp}/rsscope-test.XXXXXX") CHILDREN=() CGROUPS=() UNDO=() FAILURES=0
		trap cleanup EXIT
		one "${fields[@]}"
	)
	rc=$?
	said=${said:-"${fields[*]:1:2}"}
	if [ $rc = 0 ]; then
		passed=$((passed + 1))
		echo "ok   $said"
	elif [ $rc = 77 ]; then
		skipped=$((skipped + 1))
		echo "SKIP $said: $(grep '^SKIP' "$log" | tail -n 1)"
	else
		failed=$((failed + 1))
		echo "FAIL $said"
		grep -a '^FAIL' "$log" | head -n 8 | sed 's/^/     | /'
	fi
done <"$(dirname "$0")/list"
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
