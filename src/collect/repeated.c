/* SPDX-License-Identifier: BSD-2-Clause */
/* Pages of files that the process maps more than once. */
#include "collect/repeated.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "source/memsrc.h"

/* Files of anon_inodefs share one inode, whatever they map. */
static bool is_candidate(const struct vma *v)
{
	return v->inode && strncmp(v->name, "anon_inode:", strlen("anon_inode:")) &&
	       v->offset <= UINT64_MAX - (v->end - v->start);
}

static int by_place(const void *a, const void *b)
{
	const struct vma *x = *(const struct vma *const *)a, *y = *(const struct vma *const *)b;
	int c = vma_compare_file(x, y);

	if (c)
		return c;
	if (x->offset != y->offset)
		return x->offset < y->offset ? -1 : 1;
	return x->start < y->start ? -1 : x->start > y->start;
}

/* The parts of the file that v has in memory; *sum grows by their bytes. */
static int add_resident(const struct vma *v, const range_vec *pages, range_vec *out, uint64_t *sum)
{
	int r = 0;

	for (size_t p = range_lower(pages->v, pages->n, v->start);
	     p < pages->n && pages->v[p].start < v->end && !r; p++) {
		const struct range *g = &pages->v[p];
		uint64_t a = g->start > v->start ? g->start : v->start;
		uint64_t z = g->end < v->end ? g->end : v->end;

		/* a private copy is no page of the file */
		if (!(g->flags & PAGE_PRESENT) || !(g->flags & PAGE_FILE))
			continue;
		*sum += z - a;
		r = vec_push(out, ((struct range){ a - v->start + v->offset,
						   z - v->start + v->offset, 0 }));
	}
	return r;
}

/* Mappings of one file that overlap in it, v[0] to v[n - 1]. */
static int count(const struct vma *const *v, size_t n, const range_vec *pages, uint64_t *repeated)
{
	range_vec parts = { 0 };
	uint64_t sum = 0;
	int r = 0;

	for (size_t i = 0; i < n && !r; i++)
		r = add_resident(v[i], pages, &parts, &sum);
	if (!r) {
		range_unite(&parts);
		for (size_t i = 0; i < parts.n; i++)
			sum -= parts.v[i].end - parts.v[i].start;
		*repeated += sum;
	}
	vec_free(&parts);
	return r;
}

int repeated_bytes(const struct maps *m, const range_vec *pages, uint64_t *out)
{
	_free_ const struct vma **v = calloc(m->vma.n + 1, sizeof(struct vma *));
	uint64_t repeated = 0;
	size_t n = 0;
	int r = 0;

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < m->vma.n; i++)
		if (is_candidate(&m->vma.v[i]))
			v[n++] = &m->vma.v[i];
	qsort(v, n, sizeof(*v), by_place);
	for (size_t i = 0, next; i < n && !r; i = next) {
		uint64_t end = v[i]->offset + (v[i]->end - v[i]->start);

		for (next = i + 1;
		     next < n && !vma_compare_file(v[i], v[next]) && v[next]->offset < end; next++)
			if (v[next]->offset + (v[next]->end - v[next]->start) > end)
				end = v[next]->offset + (v[next]->end - v[next]->start);
		if (next > i + 1)
			r = count(v + i, next - i, pages, &repeated);
	}
	if (!r)
		*out = repeated;
	return r;
}
