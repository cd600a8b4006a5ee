# SPDX-License-Identifier: BSD-2-Clause
# Programs to look at, in $(OUTPUT)/targets. Go ones need a Go toolchain: GO=…, else what is in PATH
# or /usr/local/go/bin. Other releases that are on the machine (GO_MORE) make fixtures too.

T := $(OUTPUT)/targets
GO ?= $(firstword $(shell command -v go 2>/dev/null) $(wildcard /usr/local/go/bin/go))
GO_MORE ?= $(filter-out $(realpath $(GO)),$(realpath $(wildcard /usr/lib/go-1.*/bin/go)))
GO_ENV := GO111MODULE=on GOTOOLCHAIN=local GOFLAGS= GOWORK=off $(if $(HOME),,GOCACHE=$(abspath $(OUTPUT))/gocache)
GO_SRC := $(wildcard tests/targets/*/*.go tests/targets/go.mod)
C_TARGETS := $(patsubst tests/targets/c/%.c,$(T)/%,$(wildcard tests/targets/c/*.c))

# name: package, cgo, go build flags
GO_TARGETS := demo churn gcloop run work shapes mappings origins origins-pie fixture-pure fixture-cgo fixture-pure-stripped fixture-cgo-stripped fixture-pie profiled profiled-pie queues queues-pie burn burn-stripped burn-pie types types-pie goroutines goroutines-pie peak peak-pie
demo_PKG := demo
demo_FLAGS := -ldflags '-s -w'
churn_PKG := churn
work_PKG := work
shapes_PKG := shapes
profiled_PKG := profiled
profiled_FLAGS := -ldflags '-s -w'
profiled-pie_PKG := profiled
profiled-pie_FLAGS := -buildmode=pie -ldflags '-s -w'
queues_PKG := queues
queues_FLAGS := -ldflags '-s -w'
queues-pie_PKG := queues
queues-pie_FLAGS := -buildmode=pie -ldflags '-s -w'
burn_PKG := burn
burn_CGO := 0
burn-stripped_PKG := burn
burn-stripped_FLAGS := -ldflags '-s -w'
burn-pie_PKG := burn
burn-pie_FLAGS := -buildmode=pie -ldflags '-s -w'
burn-pie_ENV := CGO_CFLAGS='-O2 -DNO_LOCAL'
types_PKG := types
types_CGO := 0
types_FLAGS := -ldflags '-s -w'
types-pie_PKG := types
types-pie_FLAGS := -buildmode=pie -ldflags '-s -w'
goroutines_PKG := goroutines
goroutines_CGO := 0
goroutines_FLAGS := -ldflags '-s -w'
goroutines-pie_PKG := goroutines
goroutines-pie_FLAGS := -buildmode=pie -ldflags '-s -w'
peak_PKG := peak
peak_FLAGS := -ldflags '-s -w'
peak-pie_PKG := peak
peak-pie_FLAGS := -buildmode=pie -ldflags '-s -w'
mappings_PKG := mappings
mappings_FLAGS := -ldflags '-s -w'
gcloop_PKG := gcloop
run_PKG := run
run_FLAGS := -ldflags '-s -w'
origins_PKG := origins
origins_FLAGS := -ldflags '-s -w'
origins-pie_PKG := origins
origins-pie_FLAGS := -buildmode=pie -ldflags '-s -w'
fixture-pure_PKG := fixture
fixture-pure_CGO := 0
fixture-cgo_PKG := fixture
fixture-pure-stripped_PKG := fixture
fixture-pure-stripped_CGO := 0
fixture-pure-stripped_FLAGS := -ldflags '-s -w'
fixture-cgo-stripped_PKG := fixture
fixture-cgo-stripped_FLAGS := -ldflags '-s -w'
fixture-pie_PKG := fixture
fixture-pie_FLAGS := -buildmode=pie -ldflags '-s -w'
ifeq ($(HOSTARCH),amd64)
  GO_TARGETS += fixture-386
  fixture-386_PKG := fixture
  fixture-386_CGO := 0
  fixture-386_ENV := GOARCH=386
endif

# 1: name, 2: go, 3: package, 4: CGO_ENABLED, 5: environment
define go_target
$(T)/$(1): $(GO_SRC)
	$$(say) GO $$@
	$$(Q)mkdir -p $$(@D)
	$$(Q)cd tests/targets && $(GO_ENV) CGO_ENABLED=$(or $(4),1) $(5) $(2) build -trimpath -buildvcs=false $$($(1)_FLAGS) -o $$(abspath $$@) ./$(3)
endef
ifneq ($(GO),)
  $(foreach t,$(GO_TARGETS),$(eval $(call go_target,$(t),$(GO),$($(t)_PKG),$($(t)_CGO),$($(t)_ENV))))
  GO_BUILT := $(GO_TARGETS:%=$(T)/%)
  # /usr/lib/go-1.19/bin/go → fixture-go-1.19
  $(foreach g,$(GO_MORE),$(eval fixture-$(notdir $(patsubst %/bin/go,%,$(g)))_FLAGS := -ldflags '-s -w') \
    $(eval $(call go_target,fixture-$(notdir $(patsubst %/bin/go,%,$(g))),$(g),fixture)) \
    $(eval GO_BUILT += $(T)/fixture-$(notdir $(patsubst %/bin/go,%,$(g)))))
endif

$(C_TARGETS): $(T)/%: tests/targets/c/%.c
	$(say) CC $@
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 -Wall -Wextra -Werror -O1 -g -o $@ $< -lpthread

targets: $(C_TARGETS) $(GO_BUILT)
	$(if $(GO),,@echo 'SKIP no-go: no Go toolchain in PATH or /usr/local/go/bin: Go targets are not built')

.PHONY: targets
