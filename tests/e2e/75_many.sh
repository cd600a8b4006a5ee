#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Many targets on one BPF object and one ring, added and dropped: events reach their own target,
# nothing is left, and a storm in one costs the others nothing. `make check-many` has the long form.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/watch.sh"
need_probes
many=$OUTPUT/tests/tools/many
[ -x "$many" ] || die "no $many: make targets"

for form in "maps 100 101" "probes 20 5" "vforks 100" "storm 500"; do
	# shellcheck disable=SC2086 # words
	timeout 300 "$many" $form >"$TMP/said" 2>"$TMP/err"
	equal "many $form: exit" $? 0
	cat "$TMP/said" "$TMP/err"
done
finish "$(tail -n 1 "$TMP/said")"
