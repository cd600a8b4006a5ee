/* SPDX-License-Identifier: BSD-2-Clause */
/* The loader's own memory: found by following its list of loaded objects. */
#include <elf.h>
#include <string.h>

#include "native/native.h"

enum { MAX_OBJECTS = 4096, LOADER_MAX = 256 << 10 };

static uint64_t debug_address(struct memsrc *m, uint64_t dynamic, uint64_t size)
{
	Elf64_Dyn d;

	for (uint64_t o = 0; o + sizeof(d) <= size && o < 65536; o += sizeof(d)) {
		if (memsrc_read(m, PASS_NATIVE, dynamic + o, &d, sizeof(d)) || d.d_tag == DT_NULL)
			return 0;
		if (d.d_tag == DT_DEBUG)
			return d.d_un.d_val;
	}
	return 0;
}

/* The page of addr, if it lies in a gap; neighbours in the same gap become one extent. */
static int put(struct memsrc *m, const range_vec *gaps, uint64_t addr, struct native *out)
{
	uint64_t page = memsrc_page_size(m), a = addr & ~(page - 1);
	long i = range_find(gaps->v, gaps->n, addr);

	if (i < 0)
		return 0;
	for (size_t k = 0; k < out->v.n; k++) {
		struct native_extent *x = &out->v.v[k];

		if (x->kind != NATIVE_LOADER || x->start < gaps->v[i].start ||
		    x->end > gaps->v[i].end || a + LOADER_MAX < x->end || a > x->start + LOADER_MAX)
			continue;
		x->start = a < x->start ? a : x->start;
		x->end = a + page > x->end ? a + page : x->end;
		return 0;
	}
	return vec_push(&out->v, (struct native_extent){ a, a + page, NATIVE_LOADER, 0, "", 0 });
}

int native_read_loader(struct memsrc *m, uint64_t dynamic, uint64_t size, const range_vec *gaps,
		       struct native *out, struct err *e)
{
	uint64_t debug = debug_address(m, dynamic, size), map;
	struct {
		uint64_t addr, name, ld, next, prev;
	} lm; /* struct link_map */

	/* struct r_debug {int r_version; struct link_map *r_map; …} */
	if (!debug || memsrc_u64(m, PASS_NATIVE, debug + 8, &map))
		return 0;
	for (unsigned int i = 0; map && i < MAX_OBJECTS; i++) {
		if (memsrc_read(m, PASS_NATIVE, map, &lm, sizeof(lm)))
			return 0;
		if (put(m, gaps, map, out) || put(m, gaps, lm.name, out))
			return err_set(e, -ENOMEM, "out of memory");
		map = lm.next;
	}
	return 0;
}
