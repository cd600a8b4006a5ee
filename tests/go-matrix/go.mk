# SPDX-License-Identifier: BSD-2-Clause
# The matrix of Go releases. GO_MATRIX_CACHE keeps the toolchains (about 5 GB), GO_RELEASES and
# VARIANTS pick: `make check-go GO_RELEASES="go1.27.4 go1.15.15" VARIANTS=pure`.
GO_MATRIX_CACHE ?= $(abspath $(OUTPUT))/go-matrix/mod
GO_RELEASES ?=
VARIANTS ?=

check-go: $(PROG)
	$(Q)GO='$(GO)' GO_MATRIX_CACHE='$(GO_MATRIX_CACHE)' VARIANTS='$(VARIANTS)' bash tests/go-matrix/matrix.sh $(OUTPUT) $(GO_RELEASES)
	$(Q)GO='$(GO)' GO_MATRIX_CACHE='$(GO_MATRIX_CACHE)' bash tests/go-matrix/gctrace.sh $(OUTPUT) $(GO_RELEASES)

.PHONY: check-go
