#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# From inside another pid namespace watch sees the same; the programs' fallbacks count the same.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/watch.sh"
need_probes
need_tool jq unshare

# Of the worker threads: those of the main thread are libc's as well.
counts() {
	jq -r 'select(.tid and .tid != .pid) | .type' "$WOUT" | grep -E '^(mmap|munmap|mremap|brk|thread_exit)$' | sort | uniq -c | tr -s ' \n' ' '
	events end '.events | "exit \(.exit) exec \(.exec)"'
}
once() { # ARG...: a fresh target, watched until its end
	start calls 4 500
	watch "$TPID" --json --no-report --interval 0 "$@"
	ask go
	close_stdin
	watched
	equal "exit with $*" $RC 0
	equal "lost with $*" "$(lost)" 0
}
once --interval 0
want=$(counts)
[[ $want =~ ^\ [0-9]{3}\ brk\ [0-9]{3}\ mmap\ [0-9]{3}\ mremap\ [0-9]{3}\ munmap\ [34]\ thread_exit\ exit\ 1\ exec\ 0$ ]] || fail "counts are $want"
once --fallbacks
equal "events by the fallbacks" "$(counts)" "$want"
equal "probes by BTF" "$(events start '[.programs[] | select(.attached and (.target | startswith("tp_btf")))] | length')" 0

# In a namespace of its own: ids are those that are seen there.
cat >"$TMP/inside.sh" <<'END'
mount -t proc proc /proc
mkfifo in out
"$T/calls" 4 500 <in >out &
pid=$!
exec 5>in 6<out
read -r line <&6
"$RSSCOPE" watch $pid --json --no-report --interval 0 >watch 2>err 5>&- 6<&- &
watch=$!
while [ ! -s watch ] && [ -d /proc/$watch ]; do sleep 0.1; done
echo go >&5
read -r line <&6
exec 5>&-
wait $watch
echo "$? $pid" >rc
END
mkdir "$TMP/ns"
export RSSCOPE T
(cd "$TMP/ns" && unshare --pid --fork --mount sh "$TMP/inside.sh")
WOUT=$TMP/ns/watch
read -r rc pid <"$TMP/ns/rc"
equal "exit inside" "$rc $(cat "$TMP/ns/err")" "0 "
equal "events inside" "$(counts)" "$want"
equal "pids inside" "$(jq -r 'select(.tid) | .pid' "$WOUT" | sort -u)" "$pid"
tids=$(jq -r 'select(.tid) | .tid' "$WOUT" | sort -nu | tail -n 1)
between "the highest thread id inside" "$pid" "$tids" $((pid + 50))
finish "the same events in a namespace and by the fallbacks"
