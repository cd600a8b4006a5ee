/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs that a packer (upx) has put into anonymous memory, where no file shows them. */
#ifndef RSSCOPE_SESSION_PACKED_H
#define RSSCOPE_SESSION_PACKED_H

#include <stdbool.h>

#include "proc/maps.h"
#include "source/memsrc.h"

/* Whether code lies in anonymous memory with an ELF header in front of it. Reads each anonymous
 * mapping once at most, and no more than PACKED_READS_MAX of them. */
enum { PACKED_READS_MAX = 4096 };
bool packed_program(struct memsrc *m, const struct maps *maps);

#endif
