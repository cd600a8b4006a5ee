/* SPDX-License-Identifier: BSD-2-Clause */
#include "session/packed.h"

#include <elf.h>
#include <string.h>

static bool is_plain_anon(const struct vma *v)
{
	return !v->inode && !v->name[0];
}

bool packed_program(struct memsrc *m, const struct maps *maps)
{
	unsigned int reads = 0;
	size_t next = 0; /* the first of the run that was not read yet */

	for (size_t i = 0; i < maps->vma.n; i++) {
		const struct vma *v = &maps->vma.v[i];
		char magic[SELFMAG];

		if (i && v[-1].end != v->start)
			next = i;
		if (!is_plain_anon(v)) {
			next = i + 1;
			continue;
		}
		/* What lies in front of code is read when the code is there, and once. */
		for (; (v->flags & VMA_X) && next <= i; next++) {
			if (reads++ == PACKED_READS_MAX)
				return false;
			if (!memsrc_read(m, PASS_DISCOVER, maps->vma.v[next].start, magic,
					 SELFMAG) &&
			    !memcmp(magic, ELFMAG, SELFMAG))
				return true;
		}
	}
	return false;
}
