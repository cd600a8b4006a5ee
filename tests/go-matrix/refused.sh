#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# refused.sh OUTPUT PROGRAM RELEASE: a program of the matrix, built with the GOEXPERIMENT $EXPERIMENT
# that no layout is for: that is said, and the kernel's ledger is printed.
OUTPUT=$1
. "$(dirname "$0")/../e2e/lib.sh"
need_root
need_tool jq
start_program "$2"
read -r -t 120 line <&"$TRUTH_FD" || die "$2 says nothing"
freeze "$TPID"
frozen_report "$TPID"
equal "exit" $RC 5
equal "sum" "$(ledger_sum)" "$FROZEN_RSS"
equal "books" "$(q .go)" null
q '[.missing[] | select(.path == "go") | .reason] | join(" ")' | grep -qF "GOEXPERIMENT=$EXPERIMENT," || fail "not said: $(q -c .missing)"
thaw "$TPID"
stop "$TPID"
finish "refused"
