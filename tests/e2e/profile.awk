# SPDX-License-Identifier: BSD-2-Clause
# What `go tool pprof -raw` prints, as a line a sample that does not depend on numbers and order: values by name, label, functions and
# lines from inside out. Without the names of files: the Go runtime's own files have one a function, where package init has several.
/^Samples:/ { part = "types"; next }
/^Locations/ { part = "locations"; next }
/^Mappings/ { part = ""; next }
part == "types" {
	for (i = 1; i <= NF; i++) {
		split($i, t, "[")
		type[i] = t[1]
	}
	ntypes = NF
	part = "samples"
	next
}
part == "samples" && match($0, /: /) && $0 !~ /^ +[a-z]+:\[/ {
	n++
	split(substr($0, 1, RSTART - 1), v, " ")
	for (i = 1; i <= ntypes; i++) value[n, type[i]] = v[i]
	stack[n] = substr($0, RSTART + 2)
	next
}
part == "samples" && /^ +[a-z]+:\[/ { sub(/^ +/, ""); label[n] = $0; next }
part == "locations" {
	sub(/ s=[0-9]+.*$/, "")
	if ($1 ~ /^[0-9]+:$/) {
		id = substr($1, 1, length($1) - 1)
		sub(/^ *[0-9]+: 0x[0-9a-f]+ (M=[0-9]+ )?/, "")
	}
	sub(/^ +/, "")
	match($0, / [^ ]*:[0-9]+:[0-9]+$/)
	name = substr($0, 1, RSTART - 1)
	m = split(substr($0, RSTART), w, ":")
	names[id] = names[id] (names[id] == "" ? "" : ";") name ":" w[m - 1]
}
END {
	for (i = 1; i <= n; i++) {
		out = ""
		any = 0
		m = split("alloc_objects/count alloc_space/bytes inuse_objects/count inuse_space/bytes goroutine/count threadcreate/count contentions/count delay/nanoseconds", want, " ")
		for (k = 1; k <= m; k++) {
			out = out value[i, want[k]] " "
			any = any || value[i, want[k]] != 0
		}
		if (!any) continue
		m = split(stack[i], ids, " ")
		out = out label[i] " "
		for (k = 1; k <= m; k++) out = out (k > 1 ? ";" : "") names[ids[k]]
		print out
	}
}
