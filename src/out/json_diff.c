/* SPDX-License-Identifier: BSD-2-Clause */
#include "out/json_diff.h"

#include <errno.h>

#include "model/findings/findings.h"
#include "out/json_build.h"

static const char schema_text[] =
#include "diff.schema.inc"
	;

const char *json_diff_schema(void)
{
	return schema_text;
}

static void put_int(struct jbuild *b, json_t *o, const char *key, int64_t v)
{
	jput(b, o, key, json_integer(v));
}

/* a, b and delta, as far as they are known. */
static void put_delta(struct jbuild *b, json_t *o, const struct delta *d)
{
	if (d->has_a)
		jput_size(b, o, "a", d->a);
	if (d->has_b)
		jput_size(b, o, "b", d->b);
	if (delta_known(d))
		put_int(b, o, "delta", delta_of(d));
}

static void put_delta_as(struct jbuild *b, json_t *o, const char *key, const struct delta *d)
{
	if (d->has_a || d->has_b)
		put_delta(b, jput_object(b, o, key), d);
}

/* Resident bytes stand in the object itself; the rest where there is any. */
static void put_sizes(struct jbuild *b, json_t *o, const struct delta_sizes *s)
{
	put_delta(b, o, &s->resident);
	put_delta_as(b, o, "virtual", &s->virtual_);
	if (s->swap.a | s->swap.b)
		put_delta_as(b, o, "swap", &s->swap);
	if (s->huge.a | s->huge.b)
		put_delta_as(b, o, "huge", &s->huge);
}

static void put_side(struct jbuild *b, json_t *top, const char *key, const struct report *r,
		     const char *name)
{
	json_t *o = jput_object(b, top, key);

	jput_text(b, o, "name", name);
	jput_time(b, o, "time", r->time_unix_ns);
	jput(b, o, "partial", json_boolean(r->partial));
	jput_host(b, o, r);
	jput_target(b, o, &r->target);
	jput_missing(b, o, r);
}

static void put_growth(struct jbuild *b, json_t *top, const struct diff *d)
{
	json_t *o = jput_object(b, top, "growth");

	put_int(b, o, "rss", d->growth);
	put_int(b, o, "explained", d->explained);
	put_int(b, o, "remainder", d->growth - d->explained);
	if (d->growth)
		jput(b, o, "explained_percent", json_real(100.0 * d->explained / d->growth));
}

static void put_categories(struct jbuild *b, json_t *top, const struct diff *d)
{
	json_t *list = jput_array(b, top, "categories");

	for (size_t i = 0; i < d->cats.n; i++) {
		const struct diff_cat *c = &d->cats.v[i];
		json_t *o = jadd_object(b, list), *rows;

		jput_text(b, o, "category", category_name(c->cat));
		if (c->merged)
			jput(b, o, "merged", json_true());
		put_sizes(b, o, &c->s);
		rows = jput_array(b, o, "rows");
		for (size_t k = c->row; k < c->row + c->nrows; k++) {
			const struct diff_row *r = &d->rows.v[k];
			json_t *row = jadd_object(b, rows);

			jput_row_id(b, row, r->name, &r->id);
			if (r->unexplained)
				jput(b, row, "unexplained", json_true());
			put_sizes(b, row, &r->s);
		}
	}
}

static void put_items(struct jbuild *b, json_t *top, const char *key, const diff_items *v)
{
	json_t *list;

	if (!v->n)
		return;
	list = jput_array(b, top, key);
	for (size_t i = 0; i < v->n; i++) {
		json_t *o = jadd_object(b, list);

		jput_text(b, o, "name", v->v[i].name);
		put_delta(b, o, &v->v[i].v);
	}
}

static void put_rss(struct jbuild *b, json_t *top, const struct diff *d)
{
	json_t *o = jput_object(b, top, "rss");

	put_delta_as(b, o, "scanned", &d->scanned);
	for (size_t i = 0; i < d->rss.n; i++)
		put_delta_as(b, o, d->rss.v[i].name, &d->rss.v[i].v);
	put_delta_as(b, top, "unknown", &d->unknown);
	put_delta_as(b, top, "unexplained", &d->unexplained);
}

static void put_go(struct jbuild *b, json_t *top, const struct diff *d)
{
	json_t *o;

	put_items(b, top, "metrics", &d->metrics);
	if (!d->goroutines.has_a && !d->goroutines.has_b)
		return;
	o = jput_object(b, top, "goroutines");
	put_delta_as(b, o, "total", &d->goroutines);
	put_items(b, o, "by_state", &d->by_state);
}

static void put_origins(struct jbuild *b, json_t *top, const struct diff *d)
{
	json_t *list = d->origins.n ? jput_array(b, top, "origins") : NULL;

	for (size_t i = 0; i < d->origins.n; i++) {
		const struct diff_origin *x = &d->origins.v[i];
		json_t *o = jadd_object(b, list);

		jput_text(b, o, "category", category_name(x->origin->cat));
		put_delta_as(b, o, "bytes", &x->bytes);
		put_delta_as(b, o, "resident", &x->resident);
		put_delta_as(b, o, "count", &x->count);
		json_put_stack(b, o, x->origin->caller, &x->origin->stack);
	}
}

static void put_notes(struct jbuild *b, json_t *top, const struct diff *d)
{
	json_t *list = jput_array(b, top, "notes");

	for (size_t i = 0; i < d->notes.n; i++) {
		json_t *o = jadd_object(b, list);

		jput_text(b, o, "id", d->notes.v[i].id);
		jput_text(b, o, "text", d->notes.v[i].text);
	}
}

static json_t *build(const char *version, const struct diff *d, const char *name_a,
		     const char *name_b)
{
	_text_ struct text verdict = { 0 };
	struct jbuild b = { 0 };
	json_t *top = json_object();

	if (!top || findings_diff_sentence(d, &verdict))
		b.failed = true;
	jput_text(&b, top, "schema", "rsscope.diff/1");
	jput_text(&b, jput_object(&b, top, "tool"), "version", version);
	if (!b.failed)
		jput_text(&b, top, "verdict", verdict.p);
	put_side(&b, top, "a", d->a, name_a);
	put_side(&b, top, "b", d->b, name_b);
	if (d->process != DIFF_UNKNOWN)
		jput(&b, top, "same_process", json_boolean(d->process == DIFF_SAME));
	if (d->has_interval)
		put_int(&b, top, "interval_ns", d->interval_ns);
	put_growth(&b, top, d);
	put_rss(&b, top, d);
	put_categories(&b, top, d);
	put_go(&b, top, d);
	put_items(&b, top, "kernel", &d->kernel);
	put_items(&b, top, "cgroup", &d->cgroup);
	put_origins(&b, top, d);
	jput_findings(&b, top, &d->findings);
	put_notes(&b, top, d);
	if (!b.failed)
		return top;
	json_decref(top);
	return NULL;
}

int json_diff(FILE *f, const char *version, const struct diff *d, const char *name_a,
	      const char *name_b)
{
	json_t *top = build(version, d, name_a, name_b);
	int rc;

	if (!top)
		return -ENOMEM;
	errno = 0;
	rc = json_dumpf(top, f, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
	json_decref(top);
	if (rc || putc('\n', f) == EOF)
		return errno ? -errno : -EIO;
	return 0;
}
