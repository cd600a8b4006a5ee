# SPDX-License-Identifier: BSD-2-Clause
# What a report says of a program's books against what the program itself says: a line for each
# figure that is wrong. Inputs: {report, before, after} with the program's two answers around it.
# The first line is "moved N" when the program was not at rest between them.
.report as $r | .before as $b | .after as $a
| ($r.go.metrics // {}) as $m
| ([$r.missing[] | select(.path == "go.metrics") | .reason] | join(" ")) as $named
| [$b | keys[] | select($b[.] != $a[.] and (test("^/sched/goroutines/(running|waiting):") | not))] as $moved
# "Off", "no limit" and a goal that follows from no limit have no figure.
| def none: . >= 4611686018427387904;
# Figures that need a symbol table, if the report names them as missing.
  def excused: sub("(?<a>finalizers|cleanups)/(queued|executed)"; "\(.a)/*") as $n | $named | contains($n);
# "Running" counts Ps in use, "waiting" is what remains of the total (metrics.go, schedStatsAggregate,
# from 1.26). When the program reads itself, it uses a P; while we look it waits in a system call: that
# is "not in Go", so those two are taken together. And each of its other Ps may be in use while it reads,
# by a thread that looks for work (findRunnable), twice in a row: with -race all the time. At rest none
# is. So ours is no more than either of its two figures, less than them by the other Ps at most, and
# counts the one that reads; ours plus those that wait is exact. All else about goroutines is exact, too.
  def busy: "/sched/goroutines/running:goroutines";
  def idle: "/sched/goroutines/waiting:goroutines";
  def of($x; $k): [(if $k == busy then [busy, "/sched/goroutines/not-in-go:goroutines"] else ($k | split("+")) end)[] | $x[.]]
    | if any(. == null) then null else add end;
  def both($x): of($x; busy) + $x[idle];
  def most: [of($b; busy), of($a; busy)] | min;
  def least: [([of($b; busy), of($a; busy)] | max) - $b["/sched/gomaxprocs:threads"] + 1, 1] | max;
if ($moved | length) > 0 then "moved \($moved | join(" "))" else
  ($b | keys[] | select(. != "/sched/goroutines/not-in-go:goroutines")) as $k
  | of($m; $k) as $ours
  | $b[$k] as $own
  | if $ours == null then (if ($own | none) or ($k | excused) then empty else "\($k) absent, want \($own)" end)
    elif $k == busy then (if $ours < least or $ours > most then "\($k) \($ours), want \(least) to \(most)" else "equal" end)
    elif $k == idle then (if both($m) != both($b) or both($m) != both($a) then "\($k) and those that run: \(both($m)), want \(both($b))" else "equal" end)
    elif $ours != $own then "\($k) \($ours), want \($own)"
    else "equal" end
end
