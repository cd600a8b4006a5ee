/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whether RSS counts the pages of a mapping. Frames that a driver maps by number (VM_PFNMAP) and
 * hugetlbfs it does not count; what was inserted page by page (VM_MIXEDMAP), and files that happen
 * to lie under /dev, it does. Only smaps says which, at the price of a walk over all pages.
 */
#include "collect/look.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "proc/smaps.h"

/* PAGEMAP_SCAN leaves out VM_PFNMAP by itself. */
static bool is_open(const struct vma *v, bool scan)
{
	if (!strncmp(v->name, "/dev/hugepages/", 15))
		return false;
	return (v->inode && !strncmp(v->name, "/dev/", 5) && vma_outside_rss(v, true)) ||
	       (!scan && vma_is_device(v));
}

static bool has_pages(const struct vma *v, const range_vec *pages)
{
	for (size_t p = range_lower(pages->v, pages->n, v->start);
	     p < pages->n && pages->v[p].start < v->end; p++)
		if (pages->v[p].flags & PAGE_PRESENT)
			return true;
	return false;
}

int look_vmflags(struct look *k, const range_vec *pages)
{
	bool scan = !strcmp(memsrc_pages_how(k->m), "PAGEMAP_SCAN"), any = false;
	static const char uncounted[][3] = { "pf", "ht" };
	struct smaps_walk m = { 0 };
	_text_ struct text t = { 0 };
	int r;

	for (size_t i = 0; i < k->maps.vma.n && !any; i++)
		any = is_open(&k->maps.vma.v[i], scan) && has_pages(&k->maps.vma.v[i], pages);
	if (!any)
		return 0;
	r = memsrc_text(k->m, "proc/smaps", 0, &t);
	if (r) /* an older capture; not permitted: names must do */
		return r == -ENOMEM ? r : 0;
	m.next = t.p;
	m.last = t.p + t.n;
	while (smaps_next(&m, "VmFlags:")) {
		const struct vma *v = maps_find(&k->maps, m.start);

		if (v && is_open(v, scan))
			k->maps.vma.v[v - k->maps.vma.v].flags |=
				smaps_has_flag(m.value, m.stop, uncounted, ARRAY_LEN(uncounted))
					? VMA_UNCOUNTED
					: VMA_COUNTED;
	}
	return 0;
}
