/* SPDX-License-Identifier: BSD-2-Clause */
/* What findings need beside the ledger and the books. */
#include "collect/look.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proc/task.h"

/* ---- the heap */

enum {
	SLOT_MAX = 32 << 10, /* sizeclasses.go: above it an object has a span of its own */
	SLOT_UNIT = 8,
	SLOT_SIZES = SLOT_MAX / SLOT_UNIT + 1,
};

/* Spans of one size class; bytes of address space. */
struct slots {
	uint64_t spans, bytes, objects, free;
};

static void count_span(const struct go_span *s, struct slots *of)
{
	struct slots *x;

	if (s->kind != GO_SPAN_OBJECTS || !s->elemsize || s->elemsize > SLOT_MAX ||
	    s->elemsize % SLOT_UNIT || s->alloccount > s->nelems)
		return;
	x = &of[s->elemsize / SLOT_UNIT];
	x->spans++;
	x->bytes += (uint64_t)s->npages * GO_PAGE_SIZE;
	x->objects += s->alloccount;
	x->free += (uint64_t)(s->nelems - s->alloccount) * s->elemsize;
}

/* A span that is not swept yet counts what is found dead in it as objects. */
static int find_sparse(struct look *k, const struct look_go *g)
{
	_free_ struct slots *of = calloc(SLOT_SIZES, sizeof(*of));
	struct report_go *o = look_report_go(k, g);
	size_t most = 0;

	if (!of)
		return -ENOMEM;
	for (size_t i = 0; i < g->heap.spans.n; i++)
		count_span(&g->heap.spans.v[i], of);
	for (size_t i = 1; i < SLOT_SIZES; i++)
		if (of[i].free > of[most].free)
			most = i;
	if (!most)
		return 0;
	o->sparse.size = OPT(most * SLOT_UNIT);
	o->sparse.spans = OPT(of[most].spans);
	o->sparse.bytes = OPT(of[most].bytes);
	o->sparse.objects = OPT(of[most].objects);
	o->sparse.free = OPT(of[most].free);
	return 0;
}

/* All descriptors are of one type, and so of one size class. */
static void find_descriptor_size(struct look *k, const struct look_go *g)
{
	const struct go_span *s = g->any_g ? go_heap_span(&g->heap, g->any_g) : NULL;

	if (s && s->kind == GO_SPAN_OBJECTS && s->elemsize)
		look_report_go(k, g)->descriptor_size = OPT(s->elemsize);
}

/* ---- threads */

/* Bytes of [start, end) that are resident. */
static uint64_t resident_in(const struct look *k, uint64_t start, uint64_t end)
{
	uint64_t sum = 0;

	for (size_t i = range_lower(k->pages.v, k->pages.n, start);
	     i < k->pages.n && k->pages.v[i].start < end; i++) {
		const struct range *g = &k->pages.v[i];

		if ((g->flags & PAGE_PRESENT) && !(g->flags & PAGE_ZERO))
			sum += (g->end < end ? g->end : end) -
			       (g->start > start ? g->start : start);
	}
	return sum;
}

/* Nobody else has these bytes: not even a signal handler writes below the red zone's page. */
static void find_unused_stacks(struct look *k)
{
	const uint64_t page = memsrc_page_size(k->m);
	uint64_t sum = 0;
	bool any = false;

	for (size_t i = 0; i < k->native.v.n; i++) {
		const struct native_extent *x = &k->native.v.v[i];
		uint64_t end = (x->sp - 128) & ~(page - 1);

		if (x->kind != NATIVE_STACK || !x->sp || end < x->start || end > x->end)
			continue;
		any = true;
		sum += resident_in(k, x->start, end);
	}
	if (any)
		k->r->threads.stacks_unused = OPT(sum);
}

enum {
	THREADS_FEW = 64,    /* fewer are not asked: no finding is made of them */
	THREADS_MOST = 8192, /* at 5 us each */
};

static int count_thread(struct look *k, const char *machine, const char *tid, named_vec *in)
{
	_text_ struct text t = { 0 };
	char key[64], other[32];
	const char *name;
	long nr;

	snprintf(key, sizeof(key), "proc/task/%s/syscall", tid);
	if (memsrc_text(k->m, key, 1, &t) || !t.p || !task_syscall_parse(t.p, &nr))
		return 0;
	name = task_syscall_name(machine, nr);
	if (!name) {
		snprintf(other, sizeof(other), "system call %ld", nr);
		name = nr == TASK_RUNNING   ? "running"
		       : nr == TASK_OUTSIDE ? "no system call"
					    : other;
	}
	for (size_t i = 0; i < in->n; i++)
		if (!strcmp(in->v[i].name, name)) {
			in->v[i].v++;
			return 0;
		}
	return named_add(in, name, 1);
}

/* What ends meanwhile is left out. */
static int count_threads(struct look *k)
{
	const struct report_kernel *o = &k->r->kernel;
	_text_ struct text tasks = { 0 };
	char *save = NULL, *tid;
	int r = 0;

	if (!o->threads.has || o->threads.v < THREADS_FEW)
		return 0;
	if (o->threads.v > THREADS_MOST)
		return report_missing(k->r, "threads.in", "",
				      "%" PRIu64 " threads: more than %d are not asked what they "
				      "wait in",
				      o->threads.v, THREADS_MOST);
	if (memsrc_text(k->m, "proc/task", 1, &tasks) || !tasks.p)
		return 0; /* a core, or a capture of before */
	tid = strtok_r(tasks.p, "\n", &save);
	for (unsigned int i = 0; tid && i < THREADS_MOST && !r; i++) {
		r = count_thread(k, k->r->host.arch, tid, &k->r->threads.in);
		tid = strtok_r(NULL, "\n", &save);
	}
	return r;
}

int look_facts(struct look *k)
{
	int r = 0;

	for (size_t i = 0; i < k->ngo && !r; i++) {
		find_descriptor_size(k, &k->go[i]);
		r = find_sparse(k, &k->go[i]);
	}
	find_unused_stacks(k);
	return r ? r : count_threads(k);
}
