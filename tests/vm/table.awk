# SPDX-License-Identifier: BSD-2-Clause
# table.awk -v columns="NAME..." -v run="NAME..." [-v check=1] EXPECTED NAME.is...: the table of
# features and kernels. Each .is file has "FEATURE WORD" lines of one kernel; columns that were not
# run are EXPECTED's. With check: differences, and a last line that counts cells; exit 1 if there
# is one, or a FAIL.
BEGIN {
	ncol = split(columns, column, " ")
	nrun = split(run, ran, " ")
	for (i = 1; i <= nrun; i++)
		is_run[ran[i]] = 1
}
/^#/ || !NF { next }
# Where a new feature goes: after the one that came before it, so that the order is the guest's.
function place(feature,    j) {
	if (feature in at)
		return
	for (j = n; j > last; j--) {
		order[j + 1] = order[j]
		at[order[j]] = j + 1
	}
	order[last + 1] = feature
	at[feature] = last + 1
	n++
}
FNR == 1 { last = 0 }
FILENAME == ARGV[1] && $1 == "feature" {
	nhead = NF
	for (i = 2; i <= NF; i++)
		head[i] = $i
	next
}
FILENAME == ARGV[1] {
	for (i = 2; i <= nhead; i++)
		want[$1, head[i]] = $i
	# While checking, what is expected has to be there; while writing, what no kernel has any more goes.
	known[++nknown] = $1
	next
}
{
	name = FILENAME
	sub(/.*\//, "", name)
	sub(/\.is$/, "", name)
	place($1)
	last = at[$1]
	got[$1, name] = $2
	lines[name]++
}
function word(feature, name) {
	if (name in is_run)
		return (feature, name) in got ? got[feature, name] : "-"
	return (feature, name) in want ? want[feature, name] : "-"
}
END {
	for (j = 1; j <= nknown; j++) {
		all_run = 1
		for (i = 1; i <= ncol; i++)
			all_run = all_run && column[i] in is_run
		if (check || !all_run) {
			last = n
			place(known[j])
		}
	}
	if (!check) {
		line = sprintf("%-36s", "feature")
		for (i = 1; i <= ncol; i++)
			line = line sprintf(" %-9s", column[i])
		sub(/ +$/, "", line)
		print line
		for (j = 1; j <= n; j++) {
			line = sprintf("%-36s", order[j])
			for (i = 1; i <= ncol; i++)
				line = line sprintf(" %-9s", word(order[j], column[i]))
			sub(/ +$/, "", line)
			print line
		}
		exit 0
	}
	for (i = 1; i <= ncol; i++) {
		if (column[i] in is_run && !lines[column[i]])
			printf "FAIL %-5s nothing at all\n", column[i]
		for (j = 1; j <= n; j++) {
			w = (order[j], column[i]) in want ? want[order[j], column[i]] : "-"
			g = word(order[j], column[i])
			if (!(column[i] in is_run))
				skipped += w != "-"
			else if (g == w && g !~ /^FAIL/)
				passed += g != "-"
			else {
				failed++
				if (lines[column[i]])
					printf "FAIL %-5s %-36s is %s, expected %s\n", column[i], order[j], g, w
			}
		}
	}
	printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
	exit failed || !passed
}
