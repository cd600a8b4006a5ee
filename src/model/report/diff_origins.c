/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/report/diff_origins.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

struct entry {
	char *key; /* owned: the category and the stack */
	struct diff_origin o;
	bool is_b;
};
typedef VEC(struct entry) entry_vec;

static bool other_builds(const struct diff *d)
{
	const char *a = d->a->target.build_id, *b = d->b->target.build_id;

	return a[0] && b[0] && strcmp(a, b);
}

static int make_key(const struct report_origin *o, bool lines, char **out)
{
	_text_ struct text t = { 0 };
	int rc = text_printf(&t, "%d", o->cat);

	for (size_t i = 0; i < o->stack.n && !rc; i++) {
		const struct report_frame *f = &o->stack.v[i];

		rc = text_printf(&t, "\n%s\t%s", f->func ? f->func : "",
				 f->func || !f->module ? "" : f->module);
		if (!rc && lines && f->file)
			rc = text_printf(&t, "\t%s\t%" PRIu32, f->file, f->line);
	}
	*out = rc ? NULL : strdup(t.p);
	return *out ? 0 : -ENOMEM;
}

static void add(struct delta *d, bool is_b, uint64_t v)
{
	d->has_a = d->has_b = true;
	*(is_b ? &d->b : &d->a) += v;
}

static int add_entry(entry_vec *v, const struct report_origin *o, bool lines, bool is_b)
{
	struct entry e = { .o = { .origin = o }, .is_b = is_b };

	if (make_key(o, lines, &e.key))
		return -ENOMEM;
	add(&e.o.bytes, is_b, o->bytes);
	add(&e.o.resident, is_b, o->resident);
	add(&e.o.count, is_b, o->count);
	if (!vec_push(v, e))
		return 0;
	free(e.key);
	return -ENOMEM;
}

/* B's last, so that of a pair its stack is kept, which is the newer one. */
static int by_key(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int c = strcmp(x->key, y->key);

	return c ? c : x->is_b - y->is_b;
}

static int join(entry_vec *v, struct diff *d)
{
	int rc = 0;

	if (v->n)
		qsort(v->v, v->n, sizeof(*v->v), by_key);
	for (size_t i = 0, n; i < v->n && !rc; i += n) {
		struct diff_origin sum = v->v[i].o;

		for (n = 1; i + n < v->n && !strcmp(v->v[i].key, v->v[i + n].key); n++) {
			const struct diff_origin *o = &v->v[i + n].o;

			sum.origin = o->origin;
			add(&sum.bytes, false, o->bytes.a);
			add(&sum.bytes, true, o->bytes.b);
			add(&sum.resident, false, o->resident.a);
			add(&sum.resident, true, o->resident.b);
			add(&sum.count, false, o->count.a);
			add(&sum.count, true, o->count.b);
		}
		rc = vec_push(&d->origins, sum);
	}
	return rc;
}

static int by_change(const void *a, const void *b)
{
	const struct diff_origin *x = a, *y = b;
	uint64_t p = delta_size(&x->resident), q = delta_size(&y->resident);

	if (p == q) {
		p = delta_size(&x->bytes);
		q = delta_size(&y->bytes);
	}
	return (p < q) - (p > q);
}

int diff_origins_make(struct diff *d)
{
	bool lines = !other_builds(d);
	entry_vec v = { 0 };
	int rc = 0;

	if (!d->a->origins.n || !d->b->origins.n)
		return 0;
	for (size_t i = 0; i < d->a->origins.n && !rc; i++)
		rc = add_entry(&v, &d->a->origins.v[i], lines, false);
	for (size_t i = 0; i < d->b->origins.n && !rc; i++)
		rc = add_entry(&v, &d->b->origins.v[i], lines, true);
	if (!rc)
		rc = join(&v, d);
	for (size_t i = 0; i < v.n; i++)
		free(v.v[i].key);
	vec_free(&v);
	if (d->origins.n)
		qsort(d->origins.v, d->origins.n, sizeof(*d->origins.v), by_change);
	return rc;
}
