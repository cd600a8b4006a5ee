# SPDX-License-Identifier: BSD-2-Clause
# `make check-kernels [ARCH=arm64]`: the program on Debian's kernels, in virtual machines. See
# check.sh here. KERNELS="6.1 sid" takes some of them, UPDATE=1 writes the table anew, REFRESH=1 asks
# for newer kernels, ACCEL=kvm uses KVM (emulation otherwise).
VM_GO := $(GO_ENV) GOARCH=$(ARCH)
KERNELS ?=

check-kernels:
	$(Q)MAKE='$(MAKE)' ARCH='$(ARCH)' UPDATE='$(UPDATE)' REFRESH='$(REFRESH)' \
	  CAPTURES='$(CAPTURES)' ACCEL='$(ACCEL)' bash tests/vm/check.sh $(OUTPUT) $(KERNELS)

# What goes into the guest; made by a make of its own with STATIC=1 and an OUTPUT for ARCH.
vm-guest: $(PROG) $(UNIT) $(OUTPUT)/vm-events $(if $(GO),$(addprefix $(OUTPUT)/guest/,pure cgo gcloop))

$(OUTPUT)/vm-events: $(OUTPUT)/tests/vm/events.o $(LIB)
	$(say) LINK $@
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $< $(LIB) $(PC_LIBS) -lm

$(OUTPUT)/guest/pure: vm_go = CGO_ENABLED=0 $(GO) build -ldflags '-s -w'
$(OUTPUT)/guest/gcloop: vm_go = CGO_ENABLED=0 $(GO) build -ldflags '-s -w'
$(OUTPUT)/guest/cgo: vm_go = CGO_ENABLED=1 CC=$(CC) $(GO) build
$(addprefix $(OUTPUT)/guest/,pure cgo gcloop): $(OUTPUT)/guest/%: $(GO_SRC)
	$(say) GO $@
	$(Q)mkdir -p $(@D)
	$(Q)cd tests/targets && $(VM_GO) $(vm_go) -trimpath -buildvcs=false -o $(abspath $@) ./$(if $(filter gcloop,$*),gcloop,fixture)

# An end-to-end test runs it here, too.
targets: $(OUTPUT)/vm-events

-include $(OUTPUT)/tests/vm/events.d
.PHONY: check-kernels vm-guest
