# SPDX-License-Identifier: BSD-2-Clause
# Everything that tests: included by the Makefile.

# ---- unit tests: one program
UNIT_SRC := $(sort $(wildcard tests/unit/*.c))
UNIT_OBJ := $(UNIT_SRC:%.c=$(OUTPUT)/%.o)
UNIT := $(OUTPUT)/tests/unit/unit

$(UNIT): $(UNIT_OBJ) $(LIB)
	$(say) LINK $@
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $(UNIT_OBJ) $(LIB) $(PC_LIBS) -lm

check-unit: $(UNIT)
	$(Q)$(UNIT)

GO_PERTURB := $(OUTPUT)/tests/go-matrix/perturb

# ---- replay: checked-in captures against checked-in reports. UPDATE=1 writes the reports anew.
check-replay: $(PROG) $(GO_PERTURB)
	$(Q)UPDATE=$(UPDATE) sh tests/golden/replay.sh $(PROG)
	$(Q)UPDATE_GOLDEN=$(UPDATE_GOLDEN) sh tests/golden/help.sh $(PROG)
	$(Q)bash tests/go-matrix/replay.sh $(PROG) $(GO_PERTURB)

# ---- targets that tests look at
include tests/targets/targets.mk
include tests/go-matrix/go.mk
include tests/packages/packages.mk
-include tests/vm/vm.mk

# ---- fuzzing: `make fuzz FUZZ_SECONDS=600`. With clang's libFuzzer, else with a driver of ours.
FUZZ_SECONDS ?= 10
FUZZ_SRC := $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZ_BIN := $(FUZZ_SRC:tests/fuzz/%.c=$(OUTPUT)/fuzz/%)
FUZZ_LIB := $(OUTPUT)/fuzz/build/librsscope.a
FUZZ_RT := $(shell $(CLANG) -print-file-name=libclang_rt.fuzzer-$(shell uname -m).a 2>/dev/null | grep / || \
  ls $$($(CLANG) -print-resource-dir 2>/dev/null)/lib/linux/libclang_rt.fuzzer-$(shell uname -m).a 2>/dev/null)
ifneq ($(FUZZ_RT),)
  FUZZ_CC := $(CLANG)
  FUZZ_CFLAGS := -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
  FUZZ_LINK := -fsanitize=fuzzer,address,undefined
else
  FUZZ_CC := $(CC)
  FUZZ_CFLAGS := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
  FUZZ_LINK := tests/fuzz/driver.c -fsanitize=address,undefined
endif

$(FUZZ_LIB): FORCE
	$(Q)$(MAKE) --no-print-directory OUTPUT=$(OUTPUT)/fuzz/build CC='$(FUZZ_CC)' CFLAGS='$(FUZZ_CFLAGS)' $@
$(FUZZ_BIN): $(OUTPUT)/fuzz/%: tests/fuzz/%.c tests/fuzz/driver.c $(wildcard tests/fuzz/*.h) $(wildcard tests/unit/*_writer.[ch] tests/unit/bytes.[ch]) $(FUZZ_LIB)
	$(say) FUZZ $@
	$(Q)$(FUZZ_CC) $(CPPFLAGS_ALL) -std=gnu11 $(WARN) $(FUZZ_CFLAGS) -o $@ $< $(FUZZ_LINK) $(FUZZ_LIB) $(PC_LIBS) -lm

fuzz: $(FUZZ_BIN)
	$(Q)sh tests/fuzz/run.sh $(OUTPUT)/fuzz $(FUZZ_SECONDS)

# ---- everything; the packages first, so this Makefile is read again once they are there
check:
	$(Q)sh tests/deps.sh test || [ "$$(id -u)" != 0 ]
	$(Q)$(MAKE) --no-print-directory check-all

check-all:
	$(Q)GO='$(GO)' MAKE='$(MAKE)' OUTPUT='$(OUTPUT)' bash tests/check.sh $(STEPS)

# Programs of the e2e scripts that link the library.
E2E_BIN := $(patsubst tests/e2e/%.c,$(OUTPUT)/tests/%,$(wildcard tests/e2e/*.c))
$(E2E_BIN): $(OUTPUT)/tests/%: tests/e2e/%.c $(LIB)
	$(say) CC $@
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $^ $(PC_LIBS) -lm

targets: $(E2E_BIN)
check-e2e: $(PROG) targets
	$(Q)bash tests/e2e/run.sh $(OUTPUT) $(E2E)

demo:
	$(Q)sh tests/deps.sh demo
	$(Q)$(MAKE) --no-print-directory demo-run

demo-run: $(PROG) $(T)/demo
	$(Q)bash tests/demo.sh $(OUTPUT)

bench: $(PROG) targets $(OUTPUT)/bench/bench $(OUTPUT)/bench/attach $(OUTPUT)/bench/pclntab
	$(Q)bash tests/bench/run.sh $(OUTPUT)
	$(Q)bash tests/bench/watch.sh $(OUTPUT)

bench-watch: $(PROG) targets
	$(Q)bash tests/bench/watch.sh $(OUTPUT)

$(OUTPUT)/bench/bench: tests/bench/bench.c
	$(say) CC $@
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 $(WARN) -D_GNU_SOURCE -O2 -g -o $@ $<

$(OUTPUT)/bench/attach: tests/bench/attach.c $(LIB)
	$(say) CC $@
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $^ $(PC_LIBS) -lm

$(OUTPUT)/bench/pclntab: tests/bench/pclntab.c tests/unit/large_writer.c $(LIB)
	$(say) CC $@
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $^ $(PC_LIBS) -lm

# Many targets on one BPF object: see the file.
MANY := $(OUTPUT)/tests/tools/many
$(MANY): $(OUTPUT)/tests/tools/many.o $(LIB)
	$(say) LINK $@
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -pthread -o $@ $< $(LIB) $(PC_LIBS) -lm
targets: $(MANY)

# The long form of 75_many: 200 targets added and dropped 1,000 times, 20 with probes 50 times.
check-many: $(MANY)
	$(Q)$(MANY) maps 200 1000
	$(Q)$(MANY) probes 20 50
	$(Q)$(MANY) vforks 1000
	$(Q)$(MANY) storm 2000

# Many processes kept open: see the file.
FLEET := $(OUTPUT)/tests/tools/fleet
$(FLEET): $(OUTPUT)/tests/tools/fleet.o $(LIB)
	$(say) LINK $@
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $< $(LIB) $(PC_LIBS) -lm
targets: $(FLEET)

# The long form of 76_fleet: FLEET_SECONDS=600 unless told otherwise.
check-fleet: export FLEET_N := 100
check-fleet: export FLEET_BINARIES := 10
check-fleet: export FLEET_SECONDS ?= 600
check-fleet: export FLEET_TICK_MS := 1000
check-fleet: export FLEET_LEDGER_MS := 30000
check-fleet: targets
	$(Q)OUTPUT=$(OUTPUT) bash tests/e2e/76_fleet.sh

-include $(UNIT_OBJ:.o=.d) $(OUTPUT)/tests/tools/many.d $(OUTPUT)/tests/tools/fleet.d
.PHONY: check-fleet check-many check-unit check-replay fuzz check check-all check-e2e demo demo-run bench bench-watch
# That observing harms nothing: see the script. CYCLES of attaching and detaching, GO_RELEASES of
# programs; downloads.
HARM := $(OUTPUT)/tests/tools/harm
$(HARM): $(OUTPUT)/tests/tools/harm.o $(LIB)
	$(say) LINK $@
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -pthread -o $@ $< $(LIB) $(PC_LIBS) -lm
targets: $(HARM)

CYCLES ?= 10000
check-harm: $(PROG) $(HARM)
	$(Q)GO='$(GO)' GO_MATRIX_CACHE='$(GO_MATRIX_CACHE)' CYCLES='$(CYCLES)' bash tests/harm/harm.sh $(OUTPUT) $(GO_RELEASES)

# A million programs under --follow: see the script.
EXECS ?= 1000000
check-execs: $(PROG)
	$(Q)bash tests/harm/execs.sh $(OUTPUT) $(EXECS)

# What the kernel's verifier spends on each BPF program, against a baseline: see the script.
VERIFIER := $(OUTPUT)/tests/tools/verifier
$(VERIFIER): tests/tools/verifier.c
	$(say) CC $@
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 $(WARN) -D_GNU_SOURCE $(PC_CFLAGS) -O1 -g -o $@ $< $(PC_LIBS) -lm

verifier-tool: $(VERIFIER) $(OUTPUT)/bpf/rsscope.o $(PROBE_OBJ) $(CPU_OBJ)
check-verifier: verifier-tool
	$(Q)UPDATE=$(UPDATE) bash tests/verifier/check.sh $(OUTPUT)

-include $(UNIT_OBJ:.o=.d) $(OUTPUT)/tests/tools/many.d $(HARM).d
.PHONY: check-execs check-harm check-many check-verifier verifier-tool check-unit check-replay fuzz check check-all check-e2e demo demo-run bench bench-watch
