/* SPDX-License-Identifier: BSD-2-Clause */
#include "source/rights.h"

#include <linux/capability.h>

#include "base/cleanup.h"
#include "base/privilege.h"

#ifndef CAP_CHECKPOINT_RESTORE
#define CAP_CHECKPOINT_RESTORE 40 /* Linux 5.9 */
#endif

static const struct right table[] = {
	{ CAP_SYS_PTRACE, "CAP_SYS_PTRACE", RIGHTS_OPEN | RIGHTS_READ, "other users' processes" },
	{ CAP_DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH", RIGHTS_OPEN | RIGHTS_READ,
	  "other users' files that are mapped" },
	{ CAP_CHECKPOINT_RESTORE, "CAP_CHECKPOINT_RESTORE", RIGHTS_READ, "map_files" },
	{ CAP_SYS_ADMIN, "CAP_SYS_ADMIN", RIGHTS_OPEN, "page frame numbers" },
	{ CAP_DAC_OVERRIDE, "CAP_DAC_OVERRIDE", RIGHTS_SAVE, "to write in another user's folder" },
	{ CAP_FOWNER, "CAP_FOWNER", RIGHTS_SAVE, "to replace another user's file" },
};

const struct right *rights_table(size_t *n)
{
	*n = ARRAY_LEN(table);
	return table;
}

uint64_t rights_mask(unsigned int when, uint64_t have)
{
	uint64_t mask = 0;

	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (table[i].when & when)
			mask |= PRIVILEGE(table[i].cap);
	/* map_files before Linux 5.9, and for those who were not given the newer one */
	if ((mask & ~have) & PRIVILEGE(CAP_CHECKPOINT_RESTORE))
		mask |= PRIVILEGE(CAP_SYS_ADMIN);
	return mask & have;
}

int rights_shed(unsigned int when)
{
	uint64_t have;
	int rc = privilege_permitted(&have);

	return rc ? rc : privilege_keep(rights_mask(when, have));
}
