# SPDX-License-Identifier: BSD-2-Clause
# The matrix of Go releases. GO_MATRIX_CACHE keeps the toolchains (about 5 GB), GO_RELEASES and
# VARIANTS pick: `make check-go GO_RELEASES="go1.27.4 go1.15.15" VARIANTS=pure`.
GO_MATRIX_CACHE ?= $(abspath $(OUTPUT))/go-matrix/mod
GO_RELEASES ?=
VARIANTS ?=
GO_TOOLS := $(patsubst tests/%.c,$(OUTPUT)/tests/%,$(wildcard tests/go-matrix/*.c))

$(GO_TOOLS): $(OUTPUT)/tests/%: $(OUTPUT)/tests/%.o $(LIB)
	$(say) LINK $@
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $< $(LIB) $(PC_LIBS) -lm
-include $(GO_TOOLS:=.d)
targets: $(GO_TOOLS)

check-go: $(PROG) $(GO_TOOLS)
	$(Q)GO='$(GO)' GO_MATRIX_CACHE='$(GO_MATRIX_CACHE)' VARIANTS='$(VARIANTS)' bash tests/go-matrix/matrix.sh $(OUTPUT) $(GO_RELEASES)
	$(Q)GO='$(GO)' GO_MATRIX_CACHE='$(GO_MATRIX_CACHE)' OUTPUT='$(OUTPUT)' GO_RELEASES='$(or $(GO_RELEASES),all)' bash tests/e2e/58_inlined.sh
	$(Q)GO='$(GO)' GO_MATRIX_CACHE='$(GO_MATRIX_CACHE)' OUTPUT='$(OUTPUT)' GO_RELEASES='$(or $(GO_RELEASES),all)' bash tests/e2e/80_profile.sh
	$(Q)GO='$(GO)' GO_MATRIX_CACHE='$(GO_MATRIX_CACHE)' OUTPUT='$(OUTPUT)' GO_RELEASES='$(or $(GO_RELEASES),all)' bash tests/e2e/85_histograms.sh
	$(Q)GO='$(GO)' GO_MATRIX_CACHE='$(GO_MATRIX_CACHE)' OUTPUT='$(OUTPUT)' GO_RELEASES='$(or $(GO_RELEASES),all)' bash tests/e2e/86_ticks.sh
	$(Q)GO='$(GO)' GO_MATRIX_CACHE='$(GO_MATRIX_CACHE)' OUTPUT='$(OUTPUT)' GO_RELEASES='$(or $(GO_RELEASES),all)' bash tests/e2e/87_finalizers.sh
	$(Q)GO='$(GO)' GO_MATRIX_CACHE='$(GO_MATRIX_CACHE)' OUTPUT='$(OUTPUT)' GO_RELEASES='$(or $(GO_RELEASES),all)' bash tests/e2e/84_profile_cpu.sh
	$(Q)GO='$(GO)' GO_MATRIX_CACHE='$(GO_MATRIX_CACHE)' OUTPUT='$(OUTPUT)' GO_RELEASES='$(or $(GO_RELEASES),all)' bash tests/e2e/82_profile_types.sh
	$(Q)GO='$(GO)' GO_MATRIX_CACHE='$(GO_MATRIX_CACHE)' OUTPUT='$(OUTPUT)' GO_RELEASES='$(or $(GO_RELEASES),all)' bash tests/e2e/83_profile_peak.sh
	$(Q)GO='$(GO)' GO_MATRIX_CACHE='$(GO_MATRIX_CACHE)' OUTPUT='$(OUTPUT)' GO_RELEASES='$(or $(GO_RELEASES),all)' bash tests/e2e/87_profile_capture.sh
	$(Q)GO='$(GO)' GO_MATRIX_CACHE='$(GO_MATRIX_CACHE)' bash tests/go-matrix/gctrace.sh $(OUTPUT) $(GO_RELEASES)
	$(Q)GO='$(GO)' GO_MATRIX_CACHE='$(GO_MATRIX_CACHE)' bash tests/go-matrix/experiments.sh $(OUTPUT) $(GO_RELEASES)

# Takes the captures of tests/captures/go-matrix anew.
go-captures: $(PROG) $(GO_TOOLS)
	$(Q)GO='$(GO)' GO_MATRIX_CACHE='$(GO_MATRIX_CACHE)' bash tests/go-matrix/captures.sh $(OUTPUT) $(GO_RELEASES)

.PHONY: check-go go-captures
