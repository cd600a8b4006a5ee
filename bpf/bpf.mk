# SPDX-License-Identifier: BSD-2-Clause
# BPF programs → one skeleton, $(OUTPUT)/gen/rsscope.skel.h.
