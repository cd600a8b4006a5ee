# SPDX-License-Identifier: BSD-2-Clause
# What `go tool pprof -raw` prints, as a line a sample that does not depend on numbers and order: values by name, label, functions and
# lines from inside out. Without the names of files: the Go runtime's own files have one a function, where package init has several; without the labels
# goroutine_…, which only we have.
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
part == "samples" && match($0, /: /) && $0 !~ /^ +[^ :]+:\[/ {
	n++
	split(substr($0, 1, RSTART - 1), v, " ")
	for (i = 1; i <= ntypes; i++) value[n, type[i]] = v[i]
	stack[n] = substr($0, RSTART + 2)
	next
}
part == "samples" && /^ +[^ :]+:\[/ {
	gsub(/goroutine_[a-z_]+:\[[^]]*\]/, "")
	gsub(/^ +| +$/, "")
	gsub(/  +/, " ")
	label[n] = label[n] $0
	next
}
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
	m = split("alloc_objects/count alloc_space/bytes inuse_objects/count inuse_space/bytes goroutine/count threadcreate/count contentions/count delay/nanoseconds", want, " ")
	for (i = 1; i <= n; i++) {
		key = label[i] " "
		c = split(stack[i], ids, " ")
		for (k = 1; k <= c; k++) key = key (k > 1 ? ";" : "") names[ids[k]]
		if (!(key in seen)) order[++keys] = key
		seen[key] = 1
		for (k = 1; k <= m; k++) sum[key, k] += value[i, want[k]]
	}
	for (i = 1; i <= keys; i++) {
		out = ""
		any = 0
		for (k = 1; k <= m; k++) {
			total = sum[order[i], k]
			any = any || total != 0
			out = out ((1, want[k]) in value ? sprintf("%d", total) : "") " "
		}
		if (any) print out order[i]
	}
}
