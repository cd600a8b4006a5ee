/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/report/diff.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "model/report/diff_origins.h"
#include "model/report/diff_rows.h"
#include "model/report/metrics.h"

/* How far two readings of a start time on the wall clock may lie apart: the clock is adjusted. */
#define CLOCK_SLACK_NS 1000000000

/* ---- figures */

static struct delta delta_opt(struct opt_u64 a, struct opt_u64 b)
{
	struct delta d = { 0 };

	if (a.has && a.v <= INT64_MAX) {
		d.has_a = true;
		d.a = a.v;
	}
	if (b.has && b.v <= INT64_MAX) {
		d.has_b = true;
		d.b = b.v;
	}
	return d;
}

static struct delta delta_u64(uint64_t a, uint64_t b)
{
	return delta_opt(OPT(a), OPT(b));
}

static int add_item(diff_items *v, const char *name, enum unit unit, enum figure_kind kind,
		    struct delta d)
{
	struct diff_item x = { .unit = unit, .kind = kind, .v = d };

	if (!d.has_a && !d.has_b)
		return 0;
	snprintf(x.name, sizeof(x.name), "%s", name);
	return vec_push(v, x);
}

/* The figures that stand right in that object of a report, where comparing them says anything. */
static int add_figures(const struct diff *d, const char *object, diff_items *out)
{
	int rc = 0;

	for (size_t i = 0; i < figures_count && !rc; i++) {
		const struct figure *f = &figures[i];
		const char *key = figure_key(f, object);

		if (key && figure_is_kept(f) && f->kind != FIGURE_FACT)
			rc = add_item(out, key, f->unit, f->kind,
				      delta_opt(figure_get(d->a, f), figure_get(d->b, f)));
	}
	return rc;
}

const struct diff_item *diff_find(const diff_items *v, const char *name)
{
	for (size_t i = 0; i < v->n; i++)
		if (!strcmp(v->v[i].name, name))
			return &v->v[i];
	return NULL;
}

/* ---- one process or two */

static uint64_t apart(uint64_t x, uint64_t y)
{
	return x > y ? x - y : y - x;
}

static enum diff_same same_text(const char *a, const char *b)
{
	if (!a || !b || !*a || !*b)
		return DIFF_UNKNOWN;
	return strcmp(a, b) ? DIFF_OTHER : DIFF_SAME;
}

enum diff_same diff_same_process(const struct report *a, const struct report *b)
{
	enum diff_same host = same_text(a->host.boot_id, b->host.boot_id);
	uint64_t ta = a->target.start_time_unix_ns, tb = b->target.start_time_unix_ns;

	if (host == DIFF_OTHER ||
	    (a->target.pid && b->target.pid && a->target.pid != b->target.pid))
		return DIFF_OTHER;
	if (!a->target.pid || !b->target.pid)
		return DIFF_UNKNOWN;
	if (host == DIFF_SAME && a->target.start_ticks && b->target.start_ticks)
		return a->target.start_ticks == b->target.start_ticks ? DIFF_SAME : DIFF_OTHER;
	if (!ta || !tb)
		return DIFF_UNKNOWN;
	return apart(ta, tb) <= CLOCK_SLACK_NS ? DIFF_SAME : DIFF_OTHER;
}

/* ---- categories */

/* Parents whose parts may not be told apart, deepest first, and the parts: [from, to]. */
static const struct {
	enum category parent, from, to;
} groups[] = {
	{ CAT_GO_HEAP_OBJECTS, CAT_GO_HEAP_LIVE, CAT_GO_HEAP_DEAD },
	{ CAT_GO_HEAP, CAT_GO_HEAP_OBJECTS, CAT_GO_HEAP_RELEASED },
	{ CAT_NATIVE_MALLOC, CAT_NATIVE_MALLOC_LIVE, CAT_NATIVE_MALLOC_RETAINED },
	{ CAT_NATIVE, CAT_NATIVE_MALLOC, CAT_NATIVE_MMAP },
};

static bool holds(const struct report *r, enum category from, enum category to)
{
	for (int i = from; i <= (int)to; i++) {
		const struct ledger_cat *c = &r->ledger.cat[i];

		if (c->resident | c->virtual_ | c->swap)
			return true;
	}
	return false;
}

/* Whether r has the parent only, and the other one parts of it. */
static bool is_coarser(const struct report *r, const struct report *other, size_t g)
{
	return holds(r, groups[g].parent, groups[g].parent) &&
	       !holds(r, groups[g].from, groups[g].to) &&
	       holds(other, groups[g].from, groups[g].to);
}

static void choose_grain(const struct diff *d, enum category as[CAT_COUNT], bool merged[CAT_COUNT])
{
	for (int i = 0; i < CAT_COUNT; i++)
		as[i] = i;
	for (size_t g = 0; g < ARRAY_LEN(groups); g++) {
		if (!is_coarser(d->a, d->b, g) && !is_coarser(d->b, d->a, g))
			continue;
		for (int i = groups[g].from; i <= (int)groups[g].to; i++)
			as[i] = groups[g].parent;
		merged[groups[g].parent] = true;
	}
}

static int by_change(const void *a, const void *b)
{
	const struct diff_cat *x = a, *y = b;
	int c = sizes_compare(&x->s, &y->s);

	return c ? c : (x->cat > y->cat) - (x->cat < y->cat);
}

static int make_ledger(struct diff *d)
{
	struct diff_cat cats[CAT_COUNT] = { 0 };
	bool merged[CAT_COUNT] = { false };
	enum category as[CAT_COUNT];
	int rc;

	choose_grain(d, as, merged);
	for (int i = 0; i < CAT_COUNT; i++) {
		const struct ledger_cat *a = &d->a->ledger.cat[i], *b = &d->b->ledger.cat[i];
		struct delta_sizes *s = &cats[as[i]].s;

		sizes_add(s, false, a->resident, a->virtual_, a->swap, a->huge);
		sizes_add(s, true, b->resident, b->virtual_, b->swap, b->huge);
	}
	rc = diff_rows_make(d, as);
	for (int i = 0; i < CAT_COUNT && !rc; i++) {
		struct diff_cat *c = &cats[i];

		if (as[i] != (enum category)i || sizes_empty(&c->s))
			continue;
		c->cat = i;
		c->merged = merged[i];
		while (c->row < d->rows.n && d->rows.v[c->row].cat != c->cat)
			c->row++;
		while (c->row + c->nrows < d->rows.n && d->rows.v[c->row + c->nrows].cat == c->cat)
			c->nrows++;
		rc = vec_push(&d->cats, *c);
	}
	if (d->cats.n)
		qsort(d->cats.v, d->cats.n, sizeof(*d->cats.v), by_change);
	return rc;
}

/* ---- the books */

/* Bytes, other figures, what did not change, what only one of them knows. */
static int item_class(const struct diff_item *x)
{
	if (!delta_known(&x->v))
		return 3;
	if (!delta_size(&x->v))
		return 2;
	return x->unit != UNIT_BYTES;
}

static int by_class(const void *a, const void *b)
{
	const struct diff_item *x = a, *y = b;
	int c = item_class(x) - item_class(y);

	if (!c && delta_known(&x->v))
		c = (delta_size(&x->v) < delta_size(&y->v)) -
		    (delta_size(&x->v) > delta_size(&y->v));
	return c ? c : strcmp(x->name, y->name);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct diff_item *)a)->name, ((const struct diff_item *)b)->name);
}

/* One side of a name. unit: of names that do not say, which are no metrics of Go's. */
static int add_named(diff_items *out, const struct named_u64 *x, enum unit unit, bool is_b)
{
	struct opt_u64 a = OPT(x->v), none = { 0 };
	bool metric = x->name[0] == '/';

	return add_item(out, x->name, metric ? metric_unit(x->name) : unit,
			metric ? metric_kind(x->name) : FIGURE_GAUGE,
			is_b ? delta_opt(none, a) : delta_opt(a, none));
}

/* Joins two lists of names, each of which has a name once. */
static int join_named(const named_vec *a, const named_vec *b, enum unit unit, diff_items *out)
{
	size_t n = 0;
	int rc = 0;

	for (size_t i = 0; i < a->n && !rc; i++)
		rc = add_named(out, &a->v[i], unit, false);
	for (size_t i = 0; i < b->n && !rc; i++)
		rc = add_named(out, &b->v[i], unit, true);
	if (rc || !out->n)
		return rc;
	qsort(out->v, out->n, sizeof(*out->v), by_name);
	for (size_t i = 0; i < out->n; i++) {
		struct diff_item *x = &out->v[i], *last = n ? &out->v[n - 1] : NULL;

		if (!last || strcmp(last->name, x->name)) {
			out->v[n++] = *x;
			continue;
		}
		if (x->v.has_a) {
			last->v.has_a = true;
			last->v.a = x->v.a;
		}
		if (x->v.has_b) {
			last->v.has_b = true;
			last->v.b = x->v.b;
		}
	}
	out->n = n;
	qsort(out->v, out->n, sizeof(*out->v), by_class);
	return 0;
}

static int cgroup_rows(const struct report_cgroup *c, named_vec *out)
{
	int rc = 0;

	for (size_t i = 0; i < c->rows.n && !rc; i++)
		rc = named_add(out, c->rows.v[i].name, c->rows.v[i].bytes);
	return rc;
}

static int make_cgroup(struct diff *d)
{
	const struct report_cgroup *a = &d->a->cgroup, *b = &d->b->cgroup;
	named_vec ra = { 0 }, rb = { 0 };
	diff_items rows = { 0 };
	int rc = add_figures(d, "cgroup", &d->cgroup);

	if (!rc)
		rc = cgroup_rows(a, &ra);
	if (!rc)
		rc = cgroup_rows(b, &rb);
	if (!rc)
		rc = join_named(&ra, &rb, UNIT_BYTES, &rows);
	for (size_t i = 0; i < rows.n && !rc; i++)
		rc = vec_push(&d->cgroup, rows.v[i]);
	vec_free(&ra);
	vec_free(&rb);
	vec_free(&rows);
	return rc;
}

/* ---- notes */

static int note(struct diff *d, const char *id, const char *fmt, ...) PRINTF(3, 4);
static int note(struct diff *d, const char *id, const char *fmt, ...)
{
	struct diff_note n = { .id = id };
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&n.text, fmt, ap) < 0)
		n.text = NULL;
	va_end(ap);
	if (n.text && !vec_push(&d->notes, n))
		return 0;
	free(n.text);
	return -ENOMEM;
}

static int note_other(struct diff *d, const char *id, const char *what, const char *a,
		      const char *b)
{
	return same_text(a, b) == DIFF_OTHER ? note(d, id, "%s: %s in A, %s in B", what, a, b) : 0;
}

static int note_process(struct diff *d)
{
	if (d->process == DIFF_UNKNOWN)
		return note(d, "process",
			    "cannot tell whether A and B are the same process: PID, start time or "
			    "boot id missing");
	if (d->process == DIFF_SAME)
		return 0;
	return note(d, "process", "different processes: pid %d in A, pid %d in B%s",
		    d->a->target.pid, d->b->target.pid,
		    d->a->target.pid != d->b->target.pid ? ""
		    : d->host == DIFF_OTHER		 ? ", from another boot"
							 : ", started at another time");
}

static int note_host(struct diff *d)
{
	const struct report *a = d->a, *b = d->b;
	int rc = 0;

	if (d->host == DIFF_OTHER)
		rc = note(d, "host", "different hosts or boots: boot id %s in A, %s in B",
			  a->host.boot_id, b->host.boot_id);
	if (!rc)
		rc = note_other(d, "kernel", "different kernels", a->host.kernel, b->host.kernel);
	if (!rc)
		rc = note_other(d, "arch", "different machines", a->host.arch, b->host.arch);
	if (!rc && a->host.page_size && b->host.page_size && a->host.page_size != b->host.page_size)
		rc = note(d, "page-size",
			  "different page sizes: %u bytes in A, %u in B; sizes are "
			  "not comparable",
			  a->host.page_size, b->host.page_size);
	return rc;
}

static int note_program(struct diff *d)
{
	const struct report_target *a = &d->a->target, *b = &d->b->target;
	int rc = note_other(d, "program", "different builds: build id", a->build_id, b->build_id);

	if (!rc && same_text(a->build_id, b->build_id) != DIFF_OTHER)
		rc = note_other(d, "program", "different programs", a->exe, b->exe);
	if (!rc)
		rc = note_other(d, "go-version", "different Go releases", a->go_version,
				b->go_version);
	return rc;
}

static int note_looks(struct diff *d)
{
	static const char *const partial[] = { "partial-a", "partial-b" };
	static const char *const books[] = { "books-a", "books-b" };
	const struct report *r[] = { d->a, d->b };
	int rc = 0;

	if (d->has_interval && d->interval_ns < 0)
		rc = note(d, "order", "B was taken %.1f s before A", d->interval_ns / -1e9);
	for (int i = 0; i < 2 && !rc; i++)
		if (r[i]->partial)
			rc = note(d, partial[i],
				  "%c is partial: what its `missing` names is not "
				  "compared",
				  "AB"[i]);
	for (int i = 0; i < 2 && !rc; i++)
		if (!r[i]->go.known && r[!i]->go.known)
			rc = note(d, books[i],
				  "no Go runtime data in %c: its heap is under other categories "
				  "there",
				  "AB"[i]);
	return rc;
}

/* Watching begins somewhere; what was there before has no origin. */
static int note_origins(struct diff *d)
{
	static const char first[] = "first-instruction";

	if (!d->origins.n ||
	    (!strcmp(d->a->rss.observed_by, first) && !strcmp(d->b->rss.observed_by, first)))
		return 0;
	return note(d, "origins",
		    "origins cover mappings made since each watch started, not earlier ones");
}

static int note_noise(struct diff *d)
{
	uint64_t moving = d->a->ledger.uncertainty + d->b->ledger.uncertainty;
	uint64_t growth = d->growth < 0 ? -(uint64_t)d->growth : (uint64_t)d->growth;

	return moving > growth && moving > d->scanned.a / 1000
		       ? note(d, "uncertainty",
			      "more bytes changed owner during the snapshots than RSS grew between "
			      "them")
		       : 0;
}

/* ---- all of it */

int diff_make(const struct report *a, const struct report *b, struct diff *out)
{
	struct diff *d = out;
	int rc;

	*d = (struct diff){ .a = a, .b = b };
	d->process = diff_same_process(a, b);
	d->host = same_text(a->host.boot_id, b->host.boot_id);
	d->partial = a->partial || b->partial;
	d->has_interval = a->time_unix_ns && b->time_unix_ns;
	if (d->has_interval)
		d->interval_ns = (int64_t)(b->time_unix_ns - a->time_unix_ns);
	d->scanned = delta_u64(a->rss.scanned, b->rss.scanned);
	d->unknown =
		delta_u64(a->ledger.cat[CAT_UNKNOWN].resident, b->ledger.cat[CAT_UNKNOWN].resident);
	d->unexplained = delta_u64(a->ledger.unexplained, b->ledger.unexplained);
	d->growth = delta_of(&d->scanned);
	d->explained = (int64_t)((uint64_t)d->growth - (uint64_t)delta_of(&d->unexplained));
	d->goroutines = delta_opt(a->go.goroutines, b->go.goroutines);
	rc = make_ledger(d);
	if (!rc)
		rc = join_named(&a->go.metrics, &b->go.metrics, UNIT_COUNT, &d->metrics);
	if (!rc)
		rc = join_named(&a->go.by_state, &b->go.by_state, UNIT_COUNT, &d->by_state);
	if (!rc)
		rc = add_figures(d, "rss", &d->rss);
	if (!rc)
		rc = add_figures(d, "kernel", &d->kernel);
	if (!rc)
		rc = make_cgroup(d);
	if (!rc)
		rc = diff_origins_make(d);
	if (!rc)
		rc = note_process(d);
	if (!rc)
		rc = note_host(d);
	if (!rc)
		rc = note_program(d);
	if (!rc)
		rc = note_looks(d);
	if (!rc)
		rc = note_origins(d);
	return rc ? rc : note_noise(d);
}

void diff_free(struct diff *d)
{
	for (size_t i = 0; i < d->rows.n; i++)
		free(d->rows.v[i].name);
	for (size_t i = 0; i < d->notes.n; i++)
		free(d->notes.v[i].text);
	vec_free(&d->cats);
	vec_free(&d->rows);
	vec_free(&d->metrics);
	vec_free(&d->by_state);
	vec_free(&d->rss);
	vec_free(&d->kernel);
	vec_free(&d->cgroup);
	vec_free(&d->origins);
	findings_free(&d->findings);
	vec_free(&d->notes);
	*d = (struct diff){ 0 };
}
