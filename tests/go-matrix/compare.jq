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
# It was running when it read its own books, and waits in a system call since.
  def sum($k): if $k == "/sched/goroutines/running:goroutines"
    then [$k, "/sched/goroutines/not-in-go:goroutines"] else ($k | split("+")) end;
  def of($x; $k): [sum($k)[] | $x[.]] | if any(. == null) then null else add end;
# Running and waiting are snapshots: when the program reads itself, each of its other Ps may run one
# that waits while we look. Who runs there does not wait: the two together are exact.
  def busy: "/sched/goroutines/running:goroutines";
  def idle: "/sched/goroutines/waiting:goroutines";
  def slack($k): if $k == busy or $k == idle then ($b["/sched/gomaxprocs:threads"] // 1) - 1 else 0 end;
  def both($x): of($x; busy) + ($x[idle] // 0);
if ($moved | length) > 0 then "moved \($moved | join(" "))" else
  ($b | keys[] | select(. != "/sched/goroutines/not-in-go:goroutines")) as $k
  | of($m; $k) as $ours
  | (if $k == "/sched/goroutines/running:goroutines" then of($b; $k) else $b[$k] end) as $own
  | if $ours == null then (if ($own | none) or ($k | excused) then empty else "\($k) absent, want \($own)" end)
    elif ($ours - $own | fabs) > slack($k) then "\($k) \($ours), want \($own)"
    elif slack($k) > 0 and both($m) != both($b) then "\($k) and those that run or wait: \(both($m)), want \(both($b))"
    else "equal" end
end
