/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whether RSS counts the pages of a mapping. Frames that a driver maps by number (VM_PFNMAP) and
 * hugetlbfs it does not count; what was inserted page by page (VM_MIXEDMAP), and files that happen
 * to lie under /dev, it does. Only smaps says which, at the price of a walk over all pages.
 */
#include "collect/look.h"

#include <errno.h>
#include <string.h>

#include "collect/pss.h"

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

/* "VmFlags: rd wr sh pf io": two letters each. */
static bool is_counted(const char *line)
{
	for (const char *s = line + strlen("VmFlags:"); *s == ' ' && s[1] && s[2]; s += 3)
		if (!strncmp(s, " pf", 3) || !strncmp(s, " ht", 3))
			return false;
	return true;
}

int look_vmflags(struct look *k, const range_vec *pages)
{
	bool scan = !strcmp(memsrc_pages_how(k->m), "PAGEMAP_SCAN"), any = false;
	struct smaps_line m = { 0 }, next;
	_text_ struct text t = { 0 };
	int r;

	for (size_t i = 0; i < k->maps.vma.n && !any; i++)
		any = is_open(&k->maps.vma.v[i], scan) && has_pages(&k->maps.vma.v[i], pages);
	if (!any)
		return 0;
	r = memsrc_text(k->m, "proc/smaps", 0, &t);
	if (r) /* an older capture; not permitted: names must do */
		return r == -ENOMEM ? r : 0;
	for (const char *l = t.p; l && *l; l = strchr(l, '\n'), l = l ? l + 1 : NULL) {
		const struct vma *v;

		if (smaps_mapping(l, &next)) {
			m = next;
			continue;
		}
		if (strncmp(l, "VmFlags:", 8))
			continue;
		v = maps_find(&k->maps, m.start);
		if (v && is_open(v, scan))
			k->maps.vma.v[v - k->maps.vma.v].flags |=
				is_counted(l) ? VMA_COUNTED : VMA_UNCOUNTED;
	}
	return 0;
}
