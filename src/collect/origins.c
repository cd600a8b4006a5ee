/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory by who asked for it: names for anonymous mappings, and the report's list of origins. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "collect/look.h"
#include "model/event/event.h"

/* "main.load cache.go:41", "libfoo.so", "0x7f…". */
static void name_origin(const struct mapping_origin *o, char *buf, size_t n)
{
	int i = event_caller(o->frame, o->n);
	const struct frame *f = i < 0 ? NULL : &o->frame[i];
	const char *file = f && f->file ? strrchr(f->file, '/') : NULL;
	const char *module = f && f->module ? strrchr(f->module, '/') : NULL;

	if (!f)
		snprintf(buf, n, "unknown caller");
	else if (f->func && f->file)
		snprintf(buf, n, "%s %s:%" PRIu32, f->func, file ? file + 1 : f->file, f->line);
	else if (f->func)
		snprintf(buf, n, "%s", f->func);
	else if (f->module)
		snprintf(buf, n, "%s", module ? module + 1 : f->module);
	else
		snprintf(buf, n, "code at 0x%" PRIx64, f->addr);
}

/* Only what the kernel's word leaves without a name: files, the heap and stacks have theirs. */
int look_claim_origins(struct look *k)
{
	const struct mappings_known *o = &k->opts->known;
	size_t v = 0;
	int r = 0;

	for (size_t i = 0; i < o->nranges && !r; i++) {
		const struct mapping_range *g = &o->ranges[i];
		char name[512];
		uint32_t row;

		while (v < k->maps.vma.n && k->maps.vma.v[v].end <= g->start)
			v++;
		name[0] = 0;
		for (size_t j = v; j < k->maps.vma.n && k->maps.vma.v[j].start < g->end && !r;
		     j++) {
			const struct vma *m = &k->maps.vma.v[j];

			if (m->inode || m->name[0])
				continue;
			if (!name[0])
				name_origin(&o->origins[g->origin], name, sizeof(name));
			r = ledger_row(&k->ledger, CAT_NATIVE_MMAP, ROW_ORIGIN, name, &row);
			if (!r)
				r = ledger_claim(&k->ledger, LEVEL_ORIGIN,
						 g->start > m->start ? g->start : m->start,
						 g->end < m->end ? g->end : m->end, row,
						 METHOD_MEASURED, 0);
		}
	}
	return r;
}

/* ---- the report's list */

static int copy_text(const char *s, char **out)
{
	*out = s ? strdup(s) : NULL;
	return s && !*out ? -ENOMEM : 0;
}

static int copy_stack(const struct mapping_origin *o, struct report_origin *out)
{
	for (size_t i = 0; i < o->n; i++) {
		const struct frame *f = &o->frame[i];
		struct report_frame g = { .addr = f->addr, .line = f->line };
		int r = copy_text(f->func, &g.func);

		if (!r)
			r = copy_text(f->file, &g.file);
		if (!r)
			r = copy_text(f->module, &g.module);
		if (!r)
			r = vec_push(&out->stack, g);
		if (r) {
			free(g.func);
			free(g.file);
			free(g.module);
			return r;
		}
	}
	return 0;
}

/* All parts of the heap are one here. */
static enum category group(enum category c)
{
	return c >= CAT_GO_HEAP && c <= CAT_GO_HEAP_RELEASED ? CAT_GO_HEAP : c;
}

/* Posts the resident parts of a range: the bytes, and a sample of whose they are. */
static uint64_t post_resident(const struct look *k, const struct mapping_range *g,
			      uint64_t by[CAT_COUNT])
{
	enum { SAMPLES = 64 }; /* of each stretch of resident pages */
	uint64_t page = memsrc_page_size(k->m), sum = 0;

	for (size_t i = range_lower(k->pages.v, k->pages.n, g->start);
	     i < k->pages.n && k->pages.v[i].start < g->end; i++) {
		const struct range *p = &k->pages.v[i];
		uint64_t a = p->start > g->start ? p->start : g->start;
		uint64_t z = p->end < g->end ? p->end : g->end;
		uint64_t step = (z - a) / SAMPLES / page * page + page;

		if (!(p->flags & PAGE_PRESENT) || p->flags & PAGE_ZERO)
			continue;
		sum += z - a;
		for (; a < z; a += step) {
			uint32_t row = ledger_owner(&k->ledger, a);

			by[group(k->r->ledger.rows.v[row].cat)] += step < z - a ? step : z - a;
		}
	}
	return sum;
}

struct tally {
	const struct mapping_origin *stack;
	struct report_origin o;
	uint64_t by[CAT_COUNT];
};

static int add_origin(struct look *k, struct tally *t)
{
	const struct mapping_origin *stack = t->stack;
	uint64_t most = 0;
	int r;

	for (int c = 0; c < CAT_COUNT; c++)
		if (t->by[c] > most) {
			most = t->by[c];
			t->o.cat = c;
		}
	t->o.caller = event_caller(stack->frame, stack->n);
	r = copy_stack(stack, &t->o);
	if (!r)
		r = vec_push(&k->r->origins, t->o);
	if (r)
		report_origin_free(&t->o);
	return r;
}

static int by_size(const void *a, const void *b)
{
	const struct report_origin *x = a, *y = b;

	if (x->resident != y->resident)
		return x->resident < y->resident ? 1 : -1;
	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? 1 : -1;
	return 0;
}

static int compare_text(const char *a, const char *b)
{
	return !a || !b ? !!a - !!b : strcmp(a, b);
}

/* As people see them: the calls of one line may have several addresses. */
static int compare_stacks(const struct mapping_origin *x, const struct mapping_origin *y)
{
	int c = (x->n > y->n) - (x->n < y->n);

	for (size_t i = 0; i < x->n && !c; i++) {
		const struct frame *a = &x->frame[i], *b = &y->frame[i];

		c = compare_text(a->func, b->func);
		if (!c)
			c = compare_text(a->file, b->file);
		if (!c)
			c = compare_text(a->module, b->module);
		if (!c)
			c = (a->line > b->line) - (a->line < b->line);
		/* Code without a name is told by its address alone. */
		if (!c && !a->func)
			c = (a->addr > b->addr) - (a->addr < b->addr);
	}
	return c;
}

static int by_stack(const void *a, const void *b)
{
	const struct tally *x = a, *y = b;

	return compare_stacks(x->stack, y->stack);
}

/* Adds those with equal stacks together. Returns how many are left. */
static size_t join_equal(struct tally *t, size_t n)
{
	size_t k = 0;

	qsort(t, n, sizeof(*t), by_stack);
	for (size_t i = 0; i < n; i++) {
		if (!k || by_stack(&t[k - 1], &t[i])) {
			t[k++] = t[i];
			continue;
		}
		t[k - 1].o.bytes += t[i].o.bytes;
		t[k - 1].o.resident += t[i].o.resident;
		t[k - 1].o.count += t[i].o.count;
		for (int c = 0; c < CAT_COUNT; c++)
			t[k - 1].by[c] += t[i].by[c];
	}
	return k;
}

int look_origins(struct look *k)
{
	const struct mappings_known *o = &k->opts->known;
	_free_ struct tally *t = calloc(o->norigins + 1, sizeof(*t));
	size_t n = o->norigins;
	int r = 0;

	if (!t)
		return -ENOMEM;
	for (size_t i = 0; i < o->nranges; i++) {
		const struct mapping_range *g = &o->ranges[i];
		struct tally *x = &t[g->origin];

		if (!x->o.count++)
			x->o.cat =
				group(k->r->ledger.rows.v[ledger_owner(&k->ledger, g->start)].cat);
		x->o.bytes += g->end - g->start;
		x->o.resident += post_resident(k, g, x->by);
	}
	for (size_t i = 0; i < n; i++)
		t[i].stack = &o->origins[i];
	n = join_equal(t, n);
	for (size_t i = 0; i < n && !r; i++)
		r = add_origin(k, &t[i]);
	if (k->r->origins.n)
		qsort(k->r->origins.v, k->r->origins.n, sizeof(*k->r->origins.v), by_size);
	return r;
}
