/* SPDX-License-Identifier: BSD-2-Clause */
/* One report as a JSON value: what stands under reports[] in report.schema.json. */
#include <stdlib.h>
#include <string.h>

#include "model/findings/findings.h"
#include "model/report/figures.h"
#include "out/json_build.h"

static void put_named(struct jbuild *b, json_t *o, const char *key, const named_vec *v)
{
	json_t *list;

	if (!v->n)
		return;
	list = jput_object(b, o, key);
	for (size_t i = 0; i < v->n; i++)
		jput_u64(b, list, v->v[i].name, v->v[i].v);
}

void jput_target(struct jbuild *b, json_t *top, const struct report_target *t)
{
	json_t *o = jput_object(b, top, "target");

	jput(b, o, "pid", json_integer(t->pid));
	if (t->ns_pid)
		jput(b, o, "ns_pid", json_integer(t->ns_pid));
	jput_text(b, o, "comm", t->comm);
	jput_known(b, o, "exe", t->exe);
	jput_known(b, o, "cmdline", t->cmdline);
	jput_time(b, o, "start_time", t->start_time_unix_ns);
	if (t->start_ticks)
		jput_u64(b, o, "start_ticks", t->start_ticks);
	jput(b, o, "go", json_boolean(t->is_go));
	jput_known(b, o, "go_version", t->go_version);
	jput_known(b, o, "module", t->module);
	jput_known(b, o, "go_file", t->go_file);
	jput_known(b, o, "build_id", t->build_id);
	if (t->has_binary) {
		jput(b, o, "stripped", json_boolean(t->stripped));
		jput(b, o, "pie", json_boolean(t->pie));
	}
	if (t->has_binary && t->is_go)
		jput(b, o, "cgo", json_boolean(t->cgo));
	jput_known(b, o, "cgroup", t->cgroup);
	jput_known(b, o, "container_id", t->container_id);
}

static void put_rss(struct jbuild *b, json_t *top, const struct report *r)
{
	json_t *o = jput_object(b, top, "rss");

	jput_figures(b, o, r, "rss");
	jput_known(b, o, "observed_by", r->rss.observed_by);
}

static void put_row(struct jbuild *b, json_t *rows, const struct ledger_row *row)
{
	json_t *o = jadd_object(b, rows);

	jput_row_id(b, o, row->name, &row->id);
	jput_size(b, o, "resident", row->resident);
	jput_size(b, o, "virtual", row->virtual_);
	jput_size(b, o, "swap", row->swap);
	jput_size(b, o, "huge", row->huge);
	if (row->has_pss)
		jput_u64(b, o, "pss", row->pss);
	if (row->unexplained)
		jput(b, o, "unexplained", json_true());
}

static void put_category(struct jbuild *b, json_t *list, const struct report *r, enum category cat,
			 const uint32_t *order, size_t n)
{
	const struct ledger *l = &r->ledger;
	const struct ledger_cat *c = &l->cat[cat];
	json_t *o, *rows;

	if (!c->resident && !c->virtual_ && !c->swap && !c->uncertainty && cat != CAT_UNKNOWN)
		return;
	o = jadd_object(b, list);
	jput_text(b, o, "category", category_name(cat));
	jput_size(b, o, "resident", c->resident);
	jput_size(b, o, "virtual", c->virtual_);
	jput_size(b, o, "swap", c->swap);
	jput_size(b, o, "huge", c->huge);
	if (c->has_pss)
		jput_u64(b, o, "pss", c->pss);
	jput_text(b, o, "method", method_name(ledger_cat_method(c)));
	jput_size(b, o, "uncertainty", c->uncertainty);
	rows = jput_array(b, o, "rows");
	for (size_t i = 0; i < n; i++) {
		const struct ledger_row *row = &l->rows.v[order[i]];

		if (row->resident || row->virtual_ || row->swap)
			put_row(b, rows, row);
	}
	json_put_profiles(b, o, r, cat);
}

static void put_ledger(struct jbuild *b, json_t *top, const struct report *r)
{
	const struct ledger *l = &r->ledger;
	json_t *list = jput_array(b, top, "ledger");
	_free_ uint32_t *order = calloc(l->rows.n + 1, sizeof(*order));
	size_t at = 0;

	if (!order) {
		b->failed = true;
		return;
	}
	ledger_order(l, order);
	for (int cat = 0; cat < CAT_COUNT; cat++) {
		size_t first = at;

		while (at < l->rows.n && l->rows.v[order[at]].cat == (enum category)cat)
			at++;
		put_category(b, list, r, cat, order + first, at - first);
	}
}

/* Buckets without a count are left out, and ends at infinity. */
static void put_histogram(struct jbuild *b, json_t *list, const struct histogram *h)
{
	json_t *o = jadd_object(b, list), *buckets;

	jput_text(b, o, "name", h->name);
	jput_size(b, o, "count", h->count);
	buckets = jput_array(b, o, "buckets");
	for (size_t i = 0; i < h->buckets.n; i++) {
		const struct histogram_bucket *x = &h->buckets.v[i];
		json_t *row = jadd_object(b, buckets);

		if (x->has_lower)
			jput_size(b, row, "lower_ns", x->lower_ns);
		if (x->has_upper)
			jput_size(b, row, "upper_ns", x->upper_ns);
		jput_size(b, row, "count", x->count);
	}
}

static void put_histograms(struct jbuild *b, json_t *o, const histogram_vec *v)
{
	json_t *list = v->n ? jput_array(b, o, "histograms") : NULL;

	for (size_t i = 0; i < v->n; i++)
		put_histogram(b, list, &v->v[i]);
}

static void fill_go(struct jbuild *b, json_t *o, const struct report *r)
{
	const struct report_go *g = &r->go;

	jput_known(b, o, "identified_by", g->identified_by);
	jput_known(b, o, "layout", g->layout);
	put_named(b, o, "metrics", &g->metrics);
	put_histograms(b, o, &g->histograms);
	jput_figures(b, jput_object(b, o, "gc"), r, "go.gc");
	if (g->goroutines.has) {
		json_t *gs = jput_object(b, o, "goroutines");

		jput_figures(b, gs, r, "go.goroutines");
		put_named(b, gs, "by_state", &g->by_state);
	}
	jput_known(b, o, "finalizer_running", g->finalizer_running);
	jput_known(b, o, "cleanup_running", g->cleanup_running);
	if (figures_any(r, "go.sparse"))
		jput_figures(b, jput_object(b, o, "sparse"), r, "go.sparse");
	jput_figures(b, o, r, "go");
}

static void put_go(struct jbuild *b, json_t *top, const struct report *r)
{
	if (r->go.known)
		fill_go(b, jput_object(b, top, "go"), r);
}

static void put_runtime(struct jbuild *b, json_t *list, const char *image, const char *version,
			const char *module, const struct report_go *g)
{
	const struct report one = { .go = *g };
	json_t *o = jadd_object(b, list);

	jput_text(b, o, "image", image);
	jput_known(b, o, "go_version", version);
	jput_known(b, o, "module", module);
	fill_go(b, o, &one);
}

/* All of them, the main one first, where there are several. */
static void put_runtimes(struct jbuild *b, json_t *top, const struct report *r)
{
	const struct report_target *t = &r->target;
	json_t *list;

	if (!r->runtimes.n)
		return;
	list = jput_array(b, top, "runtimes");
	put_runtime(b, list,
		    t->go_file ? t->go_file
		    : t->exe   ? t->exe
			       : "",
		    t->go_version, t->module, &r->go);
	for (size_t i = 0; i < r->runtimes.n; i++) {
		const struct report_runtime *x = &r->runtimes.v[i];

		put_runtime(b, list, x->image, x->go_version, x->module, &x->go);
	}
}

/* An object of figures and nothing else. */
static void put_if_any(struct jbuild *b, json_t *top, const struct report *r, const char *object)
{
	json_t *o;

	if (!figures_any(r, object))
		return;
	o = jput_object(b, top, object);
	jput_figures(b, o, r, object);
	if (!strcmp(object, "kernel") && r->kernel.kernel_stacks.has)
		jput_text(b, o, "kernel_stacks_method", method_name(METHOD_ESTIMATED));
}

static void put_threads(struct jbuild *b, json_t *top, const struct report *r)
{
	json_t *o;

	if (!figures_any(r, "threads") && !r->threads.in.n)
		return;
	o = jput_object(b, top, "threads");
	jput_figures(b, o, r, "threads");
	put_named(b, o, "in", &r->threads.in);
}

static void put_cgroup(struct jbuild *b, json_t *top, const struct report *r)
{
	static const char *const reclaim[] = { "no", "yes", "part" };
	const struct report_cgroup *c = &r->cgroup;
	json_t *o, *rows;

	if (!c->version)
		return;
	o = jput_object(b, top, "cgroup");
	jput(b, o, "version", json_integer(c->version));
	jput_known(b, o, "path", c->path);
	jput_figures(b, o, r, "cgroup");
	rows = jput_array(b, o, "rows");
	for (size_t i = 0; i < c->rows.n; i++) {
		json_t *row = jadd_object(b, rows);

		jput_text(b, row, "name", c->rows.v[i].name);
		jput_size(b, row, "bytes", c->rows.v[i].bytes);
		jput_text(b, row, "reclaimable", reclaim[c->rows.v[i].reclaimable]);
	}
}

static void put_finding(struct jbuild *b, json_t *list, const struct finding *f)
{
	json_t *o = jadd_object(b, list), *ev, *advice;

	jput_text(b, o, "id", f->id);
	jput_text(b, o, "severity", severity_name(f->severity));
	jput_text(b, o, "summary", f->summary);
	ev = jput_array(b, o, "evidence");
	for (size_t k = 0; k < f->evidence.n; k++) {
		json_t *e = jadd_object(b, ev);

		jput_text(b, e, "name", f->evidence.v[k].name);
		jput_size(b, e, "value", f->evidence.v[k].value);
		jput_text(b, e, "unit", unit_name(f->evidence.v[k].unit));
		jput_text(b, e, "source", f->evidence.v[k].source);
	}
	advice = jput_array(b, o, "advice");
	for (size_t k = 0; k < f->advice.n; k++)
		if (json_array_append_new(advice, json_string(f->advice.v[k])))
			b->failed = true;
	jput_known(b, o, "next", f->next);
}

void jput_findings(struct jbuild *b, json_t *top, const finding_vec *v)
{
	json_t *list = jput_array(b, top, "findings");

	for (size_t i = 0; i < v->n; i++)
		put_finding(b, list, &v->v[i]);
}

void jput_missing(struct jbuild *b, json_t *top, const struct report *r)
{
	json_t *list = jput_array(b, top, "missing");

	for (size_t i = 0; i < r->missing.n; i++) {
		json_t *o = jadd_object(b, list);

		jput_text(b, o, "path", r->missing.v[i].path);
		jput_text(b, o, "reason", r->missing.v[i].reason);
		jput_text(b, o, "needs", r->missing.v[i].needs);
	}
}

static void put_losses_and_cost(struct jbuild *b, json_t *top, const struct report *r)
{
	json_t *losses = jput_object(b, top, "losses");

	for (size_t i = 0; i < r->losses.n; i++)
		jput_u64(b, losses, r->losses.v[i].name, r->losses.v[i].v);
	jput_figures(b, jput_object(b, top, "cost"), r, "cost");
}

json_t *json_report_value(const struct report *r)
{
	_text_ struct text verdict = { 0 };
	struct jbuild b = { 0 };
	json_t *top = json_object();

	if (!top || (r->no_ledger ? report_no_ledger(&verdict) : findings_sentence(r, &verdict)))
		b.failed = true;
	else
		jput_text(&b, top, "verdict", verdict.p);
	jput_time(&b, top, "time", r->time_unix_ns);
	jput(&b, top, "partial", json_boolean(r->partial));
	jput_target(&b, top, &r->target);
	put_rss(&b, top, r);
	json_put_run(&b, top, r);
	if (!r->no_ledger)
		put_ledger(&b, top, r);
	jput_figures(&b, top, r, "");
	put_go(&b, top, r);
	put_runtimes(&b, top, r);
	put_if_any(&b, top, r, "kernel");
	put_threads(&b, top, r);
	put_cgroup(&b, top, r);
	put_if_any(&b, top, r, "at_goal");
	json_put_origins(&b, top, r);
	json_put_peak(&b, top, r);
	jput_findings(&b, top, &r->findings);
	jput_missing(&b, top, r);
	put_losses_and_cost(&b, top, r);
	if (!b.failed)
		return top;
	json_decref(top);
	return NULL;
}
