# SPDX-License-Identifier: BSD-2-Clause
# The table of doc/go-books.md (as text in $doc) on a report: a line for each of its lines that does not
# hold, and for each name in it that nothing has ever had.
.reports[0] as $r
| ($r.go.metrics) as $m
| [$doc | split("\n")[] | select(test("^\\| `go/")) | split("|") | map(gsub("^ +| +$"; ""))
   | {left: .[1], is: .[2], right: .[3], ours: [.[1] | scan("`([^`]+)`") | .[0]], theirs: [.[3] | scan("`([^`]+)`") | .[0]]}] as $table
| def virtual: split(": ") as [$category, $row]
    | [$r.ledger[] | select(.category == $category) | if $row then .rows[]? | select(.name == $row) else . end | .virtual] | add // 0;
  def metric: . as $name | $m["/memory/classes/\($name):bytes"] // error("no metric \($name)");
if ($table | length) < 8 then "the table is not there" else
  $table[] | ([.ours[] | virtual] | add) as $a | ([.theirs[] | metric] | add) as $b
  | if .is == "equal" then $a == $b elif .is == "at most" then $a <= $b elif .is == "at least" then $a >= $b else error("\(.is)?") end
    | select(not) as $no | "\($a) is not what \($b) is"
end
