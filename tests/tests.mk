# SPDX-License-Identifier: BSD-2-Clause
# Everything that tests: included by the Makefile.

UNIT_SRC := $(sort $(wildcard tests/unit/*.c))
UNIT_OBJ := $(UNIT_SRC:%.c=$(OUTPUT)/%.o)
UNIT := $(OUTPUT)/tests/unit/unit

$(UNIT): $(UNIT_OBJ) $(LIB)
	$(say) LINK $@
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $(UNIT_OBJ) $(LIB) $(PC_LIBS)

check-unit: $(UNIT)
	$(Q)$(UNIT)

include tests/targets/targets.mk

-include $(UNIT_OBJ:.o=.d)
.PHONY: check-unit
