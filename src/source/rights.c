/* SPDX-License-Identifier: BSD-2-Clause */
#include "source/rights.h"

#include <linux/capability.h>

#include "base/cleanup.h"
#include "base/privilege.h"

#ifndef CAP_PERFMON
#define CAP_PERFMON 38 /* Linux 5.8 */
#define CAP_BPF	    39
#endif
#ifndef CAP_CHECKPOINT_RESTORE
#define CAP_CHECKPOINT_RESTORE 40 /* Linux 5.9 */
#endif

static const struct right table[] = {
	{ CAP_SYS_PTRACE, "CAP_SYS_PTRACE", RIGHTS_OPEN | RIGHTS_READ, "other users' processes",
	  0 },
	{ CAP_DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH", RIGHTS_OPEN | RIGHTS_READ,
	  "other users' files that are mapped", 0 },
	{ CAP_CHECKPOINT_RESTORE, "CAP_CHECKPOINT_RESTORE", RIGHTS_READ, "map_files", 0 },
	/* before Linux 5.9, and for those who were not given the newer one */
	{ CAP_SYS_ADMIN, "CAP_SYS_ADMIN", RIGHTS_READ, "map_files", CAP_CHECKPOINT_RESTORE },
	{ CAP_SYS_ADMIN, "CAP_SYS_ADMIN", RIGHTS_OPEN, "page frame numbers", 0 },
	{ CAP_SYS_ADMIN, "CAP_SYS_ADMIN", RIGHTS_PROBE, "uprobes", 0 },
	{ CAP_BPF, "CAP_BPF", RIGHTS_PROBE, "maps of probes", 0 },
	{ CAP_PERFMON, "CAP_PERFMON", RIGHTS_PROBE, "to attach probes", 0 },
	{ CAP_KILL, "CAP_KILL", RIGHTS_SIGNAL, "signals to another user's command", 0 },
	{ CAP_DAC_OVERRIDE, "CAP_DAC_OVERRIDE", RIGHTS_SAVE, "to write in another user's folder",
	  0 },
	{ CAP_FOWNER, "CAP_FOWNER", RIGHTS_SAVE, "to replace another user's file", 0 },
};

const struct right *rights_table(size_t *n)
{
	*n = ARRAY_LEN(table);
	return table;
}

bool rights_apply(const struct right *t, unsigned int when, uint64_t have)
{
	return t->when & when && have & PRIVILEGE(t->cap) &&
	       !(t->or_have && have & PRIVILEGE(t->or_have));
}

bool rights_keep_all(unsigned int when, uint64_t have)
{
	return when & (RIGHTS_OPEN | RIGHTS_READ) && !(have & PRIVILEGE(CAP_SYS_PTRACE));
}

uint64_t rights_mask(unsigned int when, uint64_t have)
{
	uint64_t mask = 0;

	if (rights_keep_all(when, have))
		return have;
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (rights_apply(&table[i], when, have))
			mask |= PRIVILEGE(table[i].cap);
	return mask;
}

int rights_shed(unsigned int when)
{
	uint64_t have;
	int rc = privilege_permitted(&have);

	return rc ? rc : privilege_keep(rights_mask(when, have));
}
