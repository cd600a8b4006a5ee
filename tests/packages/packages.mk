# SPDX-License-Identifier: BSD-2-Clause
# Stripped programs that others built: `make check-packages NAMES="sid esbuild"`, some 2 GB of
# downloads in $(OUTPUT)/packages-of-others, kept.
NAMES ?=

check-packages: $(PROG)
	$(Q)bash tests/packages/run.sh $(OUTPUT) $(NAMES)

.PHONY: check-packages
