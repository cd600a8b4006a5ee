# SPDX-License-Identifier: BSD-2-Clause
# BPF programs → one skeleton, $(OUTPUT)/gen/rsscope.skel.h; the feature
# probes and the CPU profile have their own.

# maps.bpf.c comes first: bpftool's linker gives maps that are declared before they are defined no
# offset (libbpf 1.1).
BPF_SRC := bpf/maps.bpf.c $(filter-out bpf/maps.bpf.c bpf/probe.bpf.c bpf/cpu.bpf.c,$(sort $(wildcard bpf/*.bpf.c)))
BPF_OBJ := $(BPF_SRC:%.c=$(OUTPUT)/%.o)
PROBE_OBJ := $(OUTPUT)/bpf/probe.bpf.o
CPU_OBJ := $(OUTPUT)/bpf/cpu.bpf.o

BPF_CFLAGS := -g -O2 -target bpf -mcpu=v3 -std=gnu11 -Wall -Wextra -Werror -Wno-unused-parameter \
	-Wno-missing-declarations -D__TARGET_ARCH_$(BPF_TARGET_ARCH) -Ivmlinux/$(ARCH) -Iinclude

$(OUTPUT)/bpf/%.bpf.o: bpf/%.bpf.c
	$(say) BPF $<
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c -o $@ $<

$(OUTPUT)/bpf/rsscope.o: $(BPF_OBJ)
	$(say) BPFLINK $@
	$(Q)$(BPFTOOL) gen object $@ $^

# Written aside and moved: a failing bpftool leaves no half of a header.
$(OUTPUT)/gen/rsscope.skel.h: $(OUTPUT)/bpf/rsscope.o
	$(say) SKEL $@
	$(Q)mkdir -p $(@D)
	$(Q)$(BPFTOOL) gen skeleton $< name rsc_bpf >$@.new && mv $@.new $@

$(OUTPUT)/gen/probe.skel.h: $(PROBE_OBJ)
	$(say) SKEL $@
	$(Q)mkdir -p $(@D)
	$(Q)$(BPFTOOL) gen skeleton $< name rsc_probe >$@.new && mv $@.new $@

$(OUTPUT)/gen/cpu.skel.h: $(CPU_OBJ)
	$(say) SKEL $@
	$(Q)mkdir -p $(@D)
	$(Q)$(BPFTOOL) gen skeleton $< name rsc_cpu >$@.new && mv $@.new $@

$(OUTPUT)/src/event/bpf.o $(OUTPUT)/src/event/bpf_maps.o: $(OUTPUT)/gen/rsscope.skel.h
$(OUTPUT)/src/event/probe.o: $(OUTPUT)/gen/probe.skel.h
$(OUTPUT)/src/event/cpu.o: $(OUTPUT)/gen/cpu.skel.h

# All programs for one architecture, whatever machine this is: make bpf ARCH=arm64 OUTPUT=…
bpf: $(OUTPUT)/gen/rsscope.skel.h $(OUTPUT)/gen/probe.skel.h $(OUTPUT)/gen/cpu.skel.h

# The checked-in kernel types: written anew from the pinned kernel packages, or compared with them.
vmlinux:
	$(Q)vmlinux/rebuild.sh vmlinux
check-vmlinux:
	$(Q)vmlinux/rebuild.sh $(OUTPUT)/vmlinux
	$(Q)for a in amd64 arm64; do cmp vmlinux/$$a/vmlinux.h $(OUTPUT)/vmlinux/$$a/vmlinux.h && echo "vmlinux/$$a: as rebuilt" || exit 1; done

# The same against the running kernel (or BTF=FILE of another one): every type and field must exist;
# how they differ is shown, CO-RE does not mind.
BTF ?= /sys/kernel/btf/vmlinux
diff-vmlinux:
	$(Q)mkdir -p $(OUTPUT)
	$(Q)vmlinux/gen.sh $(ARCH) $(BTF) >$(OUTPUT)/vmlinux.$(ARCH).h
	$(Q)diff -u vmlinux/$(ARCH)/vmlinux.h $(OUTPUT)/vmlinux.$(ARCH).h && echo 'vmlinux/$(ARCH): same as $(BTF)'

-include $(BPF_OBJ:.o=.d) $(PROBE_OBJ:.o=.d) $(CPU_OBJ:.o=.d)
.PHONY: bpf vmlinux check-vmlinux diff-vmlinux
