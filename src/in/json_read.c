/* SPDX-License-Identifier: BSD-2-Clause */
#include "in/json_read.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "in/json_get.h"
#include "in/json_histograms.h"
#include "in/json_sites.h"

#define SCHEMA "rsscope.report/1"

/* ---- parts of a report */

static void read_target(struct jget *g, const json_t *report, struct report_target *t)
{
	const json_t *o = jget_object(g, report, "target");
	size_t mark = jget_enter(g, "target");
	bool has;

	if (!o)
		jget_fail(g, -EINVAL, "is missing");
	t->pid = jget_int(g, o, "pid", 0, INT32_MAX, &has);
	t->ns_pid = jget_int(g, o, "ns_pid", 0, INT32_MAX, &has);
	jget_copy(g, o, "comm", t->comm, sizeof(t->comm));
	t->exe = jget_dup(g, o, "exe");
	t->cmdline = jget_dup(g, o, "cmdline");
	t->go_file = jget_dup(g, o, "go_file");
	t->start_time_unix_ns = jget_time(g, o, "start_time");
	t->start_ticks = jget_opt(g, o, "start_ticks").v;
	t->is_go = jget_bool(g, o, "go", NULL);
	jget_copy(g, o, "go_version", t->go_version, sizeof(t->go_version));
	jget_copy(g, o, "module", t->module, sizeof(t->module));
	jget_copy(g, o, "build_id", t->build_id, sizeof(t->build_id));
	t->stripped = jget_bool(g, o, "stripped", &t->has_binary);
	t->pie = jget_bool(g, o, "pie", NULL);
	t->cgo = jget_bool(g, o, "cgo", NULL);
	t->cgroup = jget_dup(g, o, "cgroup");
	jget_copy(g, o, "container_id", t->container_id, sizeof(t->container_id));
	jget_leave(g, mark);
}

static void read_rss(struct jget *g, const json_t *report, struct report *r)
{
	const json_t *o = jget_object(g, report, "rss");
	size_t mark = jget_enter(g, "rss");

	jget_figures(g, o, r, "rss");
	r->rss.scanned = jget_need(g, o, "scanned");
	jget_copy(g, o, "observed_by", r->rss.observed_by, sizeof(r->rss.observed_by));
	jget_leave(g, mark);
}

/* Adds; the sum stays below 2^63. */
static void add_up(struct jget *g, uint64_t *sum, uint64_t v)
{
	if (v > INT64_MAX || *sum > INT64_MAX - v)
		jget_fail(g, -EINVAL, "the figures add up to more than 2^63");
	else
		*sum += v;
}

static int by_name(const char *const *names, size_t n, const char *s)
{
	for (size_t i = 0; s && i < n; i++)
		if (!strcmp(names[i], s))
			return i;
	return -1;
}

static int row_kind_by_name(const char *s)
{
	const char *names[ROW_KIND_COUNT];

	for (int i = 0; i < ROW_KIND_COUNT; i++)
		names[i] = row_kind_name(i);
	return by_name(names, ROW_KIND_COUNT, s);
}

/* Reports of before have the name alone. */
static void read_row_id(struct jget *g, const json_t *o, struct row_id *id)
{
	const char *name = jget_text(g, o, "name"), *comm = jget_text(g, o, "comm");
	int kind = row_kind_by_name(jget_text(g, o, "kind"));
	uint64_t start = jget_address(g, o, "start"), end = jget_address(g, o, "end");
	bool has;
	int32_t tid = jget_int(g, o, "tid", 1, INT32_MAX, &has);

	if (!name || kind < 0) {
		jget_fail(g, -EINVAL, "has no name, or no kind that is known");
		return;
	}
	*id = row_labelled(kind, name);
	if (kind == ROW_THREAD && tid)
		*id = row_thread(tid, comm);
	else if (kind == ROW_ARENA && start)
		*id = row_arena(start);
	else if (kind == ROW_ORIGIN && start < end)
		*id = row_mapping(start, end);
	id->image = jget_text(g, o, "image");
}

static void read_row(struct jget *g, const json_t *o, struct ledger *l, enum category cat,
		     uint64_t *resident)
{
	struct opt_u64 pss = jget_opt(g, o, "pss");
	struct ledger_row *row;
	struct row_id id;
	uint32_t index;

	read_row_id(g, o, &id);
	if (g->rc)
		return;
	if (ledger_add_row(l, cat, &id, &index)) {
		jget_fail(g, -ENOMEM, "out of memory");
		return;
	}
	row = &l->rows.v[index];
	add_up(g, &row->resident, jget_need(g, o, "resident"));
	add_up(g, &row->virtual_, jget_need(g, o, "virtual"));
	add_up(g, &row->swap, jget_need(g, o, "swap"));
	add_up(g, &row->huge, jget_need(g, o, "huge"));
	row->has_pss = pss.has;
	row->pss = pss.v;
	row->unexplained = jget_bool(g, o, "unexplained", NULL);
	add_up(g, resident, row->resident);
}

/* A document says the method, not how many bytes each method gave. */
static void read_method(struct jget *g, const json_t *o, struct ledger_cat *c)
{
	const char *names[METHOD_COUNT];
	int m;

	for (int i = 0; i < METHOD_COUNT; i++)
		names[i] = method_name(i);
	m = by_name(names, METHOD_COUNT, jget_text(g, o, "method"));
	if (m < 0)
		jget_fail(g, -EINVAL, "has no method that is known");
	c->split = m == METHOD_SPLIT ? c->resident : 0;
	c->runtime = m == METHOD_RUNTIME ? c->resident : 0;
	c->estimated = m == METHOD_ESTIMATED ? c->resident : 0;
}

static void read_category(struct jget *g, const json_t *o, struct report *r, bool seen[CAT_COUNT])
{
	struct ledger *l = &r->ledger;
	const char *name = jget_text(g, o, "category");
	int cat = name ? category_by_name(name) : -1;
	const json_t *rows = jget_array(g, o, "rows"), *row;
	uint64_t in_rows = 0;
	struct ledger_cat *c;
	struct opt_u64 pss;
	size_t i, mark;

	if (cat < 0 || seen[cat])
		jget_fail(g, -EINVAL,
			  cat < 0 ? "unknown category (from a newer rsscope?)"
				  : "duplicated category");
	if (g->rc)
		return;
	seen[cat] = true;
	c = &l->cat[cat];
	c->resident = jget_need(g, o, "resident");
	c->virtual_ = jget_need(g, o, "virtual");
	c->swap = jget_need(g, o, "swap");
	c->huge = jget_need(g, o, "huge");
	c->uncertainty = jget_need(g, o, "uncertainty");
	pss = jget_opt(g, o, "pss");
	c->has_pss = pss.has;
	c->pss = pss.v;
	read_method(g, o, c);
	mark = jget_enter(g, "rows");
	json_array_foreach((json_t *)rows, i, row)
	{
		size_t inner = jget_enter_index(g, i);

		read_row(g, row, l, cat, &in_rows);
		jget_leave(g, inner);
		if (g->rc)
			break;
	}
	if (in_rows > c->resident)
		jget_fail(g, -EINVAL, "add up to more than their category has");
	jget_leave(g, mark);
	json_read_profiles(g, o, r, cat);
}

static void read_ledger(struct jget *g, const json_t *report, struct report *r)
{
	const json_t *list = jget_array(g, report, "ledger"), *o;
	uint64_t virtual_ = 0, swap = 0, huge = 0;
	struct ledger *l = &r->ledger;
	bool seen[CAT_COUNT] = { false };
	size_t i, mark;

	l->unexplained = jget_need(g, report, "unexplained");
	l->uncertainty = jget_opt(g, report, "uncertainty").v;
	l->conflict = jget_opt(g, report, "conflict").v;
	mark = jget_enter(g, "ledger");
	json_array_foreach((json_t *)list, i, o)
	{
		size_t inner = jget_enter_index(g, i);

		read_category(g, o, r, seen);
		jget_leave(g, inner);
		if (g->rc)
			break;
	}
	for (int c = 0; c < CAT_COUNT; c++) {
		add_up(g, &l->scanned, l->cat[c].resident);
		add_up(g, &virtual_, l->cat[c].virtual_);
		add_up(g, &swap, l->cat[c].swap);
		add_up(g, &huge, l->cat[c].huge);
	}
	if (l->scanned != r->rss.scanned)
		jget_fail(g, -EINVAL, "does not add up to rss.scanned");
	if (l->unexplained > l->scanned)
		jget_fail(g, -EINVAL, "more is unexplained than there is");
	jget_leave(g, mark);
}

/* The Go runtime that o tells: into r->go. */
static void fill_go(struct jget *g, const json_t *o, struct report *r)
{
	struct report_go *x = &r->go;
	const json_t *gs;

	x->known = o;
	jget_copy(g, o, "identified_by", x->identified_by, sizeof(x->identified_by));
	jget_copy(g, o, "layout", x->layout, sizeof(x->layout));
	jget_named(g, o, "metrics", &x->metrics);
	jget_histograms(g, o, &x->histograms);
	jget_figures(g, jget_object(g, o, "gc"), r, "go.gc");
	gs = jget_object(g, o, "goroutines");
	jget_figures(g, gs, r, "go.goroutines");
	jget_named(g, gs, "by_state", &x->by_state);
	jget_copy(g, o, "finalizer_running", x->finalizer_running, sizeof(x->finalizer_running));
	jget_copy(g, o, "cleanup_running", x->cleanup_running, sizeof(x->cleanup_running));
	jget_figures(g, jget_object(g, o, "sparse"), r, "go.sparse");
	jget_figures(g, o, r, "go");
}

static void read_go(struct jget *g, const json_t *report, struct report *r)
{
	size_t mark = jget_enter(g, "go");

	fill_go(g, jget_object(g, report, "go"), r);
	jget_leave(g, mark);
}

static void read_runtime(struct jget *g, const json_t *o, struct report *r)
{
	struct report_runtime x = { .image = jget_dup(g, o, "image") };
	struct report one;

	report_init(&one);
	if (!x.image)
		jget_fail(g, -EINVAL, "has no image");
	jget_copy(g, o, "go_version", x.go_version, sizeof(x.go_version));
	jget_copy(g, o, "module", x.module, sizeof(x.module));
	fill_go(g, o, &one);
	x.go = one.go;
	if (!g->rc && vec_push(&r->runtimes, x))
		jget_fail(g, -ENOMEM, "out of memory");
	if (!g->rc)
		return;
	free(x.image);
	report_free(&one);
}

/* The first is the main one, which `go` tells, too. */
static void read_runtimes(struct jget *g, const json_t *report, struct report *r)
{
	const json_t *list = jget_array(g, report, "runtimes"), *o;
	size_t mark = jget_enter(g, "runtimes"), i;

	json_array_foreach((json_t *)list, i, o)
	{
		size_t inner = jget_enter_index(g, i);

		if (i && !g->rc)
			read_runtime(g, o, r);
		jget_leave(g, inner);
	}
	jget_leave(g, mark);
}

static void read_run(struct jget *g, const json_t *report, struct report *r)
{
	const json_t *o = jget_object(g, report, "run");
	size_t mark = jget_enter(g, "run");
	struct report_run *x = &r->run;
	bool has;

	x->known = o;
	x->ended = jget_bool(g, o, "ended", NULL);
	x->status = jget_int(g, o, "exit_status", 0, 255, &has);
	x->signal = jget_int(g, o, "signal", 1, 128, &has);
	x->core_dumped = jget_bool(g, o, "core_dumped", NULL);
	jget_copy(g, o, "ledger_at", x->ledger_at, sizeof(x->ledger_at));
	jget_figures(g, o, r, "run");
	jget_named(g, o, "events", &x->events);
	jget_leave(g, mark);
}

/* An object of figures and nothing else. */
static void read_figures(struct jget *g, const json_t *report, struct report *r, const char *object)
{
	size_t mark = jget_enter(g, object);

	jget_figures(g, jget_object(g, report, object), r, object);
	jget_leave(g, mark);
}

static void read_threads(struct jget *g, const json_t *report, struct report *r)
{
	const json_t *o = jget_object(g, report, "threads");
	size_t mark = jget_enter(g, "threads");

	jget_figures(g, o, r, "threads");
	jget_named(g, o, "in", &r->threads.in);
	jget_leave(g, mark);
}

static void read_cgroup_row(struct jget *g, const json_t *o, struct report_cgroup *c)
{
	static const char *const reclaim[] = { "no", "yes", "part" };
	int how = by_name(reclaim, 3, jget_text(g, o, "reclaimable"));
	struct cgroup_out_row row = { .bytes = jget_need(g, o, "bytes"), .reclaimable = how };

	jget_copy(g, o, "name", row.name, sizeof(row.name));
	if (how < 0 || !row.name[0])
		jget_fail(g, -EINVAL,
			  row.name[0] ? "`reclaimable` must be no, yes or part" : "has no name");
	if (!g->rc && vec_push(&c->rows, row))
		jget_fail(g, -ENOMEM, "out of memory");
}

static void read_cgroup(struct jget *g, const json_t *report, struct report *r)
{
	struct report_cgroup *c = &r->cgroup;
	const json_t *o = jget_object(g, report, "cgroup"), *rows, *row;
	size_t mark = jget_enter(g, "cgroup"), i;
	bool has;

	if (!o) {
		jget_leave(g, mark);
		return;
	}
	c->version = jget_int(g, o, "version", 1, 2, &has);
	c->path = jget_dup(g, o, "path");
	jget_figures(g, o, r, "cgroup");
	rows = jget_array(g, o, "rows");
	json_array_foreach((json_t *)rows, i, row)
	{
		size_t inner = jget_enter_index(g, i);

		read_cgroup_row(g, row, c);
		jget_leave(g, inner);
		if (g->rc)
			break;
	}
	jget_leave(g, mark);
}

static void read_missing(struct jget *g, const json_t *report, struct report *r)
{
	const json_t *list = jget_array(g, report, "missing"), *o;
	size_t i;

	json_array_foreach((json_t *)list, i, o)
	{
		const char *path = jget_text(g, o, "path"), *reason = jget_text(g, o, "reason");
		const char *needs = jget_text(g, o, "needs");

		if (!path || !reason)
			jget_fail(g, -EINVAL, "missing: an entry lacks its path or reason");
		else if (report_missing(r, path, needs, "%s", reason))
			jget_fail(g, -ENOMEM, "out of memory");
		if (g->rc)
			return;
	}
}

static void read_origin(struct jget *g, const json_t *o, struct report *r)
{
	struct report_origin x = { .caller = -1 };
	const char *name = jget_text(g, o, "category");
	int cat = name ? category_by_name(name) : -1;

	if (cat < 0)
		jget_fail(g, -EINVAL, "unknown category (from a newer rsscope?)");
	else
		x.cat = cat;
	x.bytes = jget_need(g, o, "bytes");
	x.resident = jget_need(g, o, "resident");
	x.count = jget_need(g, o, "count");
	x.caller = json_read_stack(g, o, &x.stack);
	if (!g->rc && vec_push(&r->origins, x))
		jget_fail(g, -ENOMEM, "out of memory");
	if (g->rc)
		report_origin_free(&x);
}

static void read_origins(struct jget *g, const json_t *report, struct report *r)
{
	const json_t *list = jget_array(g, report, "origins"), *o;
	size_t mark = jget_enter(g, "origins"), i;

	json_array_foreach((json_t *)list, i, o)
	{
		size_t inner = jget_enter_index(g, i);

		if (!g->rc)
			read_origin(g, o, r);
		jget_leave(g, inner);
	}
	jget_leave(g, mark);
}

/* ---- the document */

static void read_host(struct jget *g, const json_t *doc, struct report *r)
{
	const json_t *o = jget_object(g, doc, "host");
	size_t mark = jget_enter(g, "host");
	bool has;

	jget_copy(g, o, "boot_id", r->host.boot_id, sizeof(r->host.boot_id));
	jget_copy(g, o, "kernel", r->host.kernel, sizeof(r->host.kernel));
	jget_copy(g, o, "arch", r->host.arch, sizeof(r->host.arch));
	r->host.page_size = jget_int(g, o, "page_size", 0, 1 << 30, &has);
	jget_leave(g, mark);
}

static void read_report(struct jget *g, const json_t *doc, const json_t *o, bool first,
			struct report *r)
{
	uint64_t time = jget_time(g, doc, "time");

	report_init(r);
	if (!json_is_object(o))
		jget_fail(g, -EINVAL, "is not an object");
	else if (!json_object_get(o, "ledger"))
		jget_fail(g, -EINVAL,
			  "has no snapshot: the process exited before the first one completed");
	read_host(g, doc, r);
	r->time_unix_ns = jget_time(g, o, "time");
	if (!r->time_unix_ns && first) /* the document's is that of the first report */
		r->time_unix_ns = time;
	r->partial = jget_bool(g, o, "partial", NULL);
	read_target(g, o, &r->target);
	read_rss(g, o, r);
	read_run(g, o, r);
	read_ledger(g, o, r);
	read_go(g, o, r);
	read_runtimes(g, o, r);
	read_figures(g, o, r, "kernel");
	read_threads(g, o, r);
	read_figures(g, o, r, "peak");
	read_cgroup(g, o, r);
	read_origins(g, o, r);
	read_missing(g, o, r);
	jget_named(g, o, "losses", &r->losses);
	read_figures(g, o, r, "cost");
}

static void read_document(struct jget *g, const json_t *doc, report_vec *out)
{
	const char *schema = jget_text(g, doc, "schema");
	const json_t *list = jget_array(g, doc, "reports"), *o;
	size_t i, mark;

	if (!schema || strcmp(schema, SCHEMA))
		jget_fail(g, -EINVAL,
			  "expected schema " SCHEMA " (from `rsscope report --json`), got %.40s",
			  schema ? schema : "none");
	else if (!json_array_size(list) || json_array_size(list) > JSON_MAX_REPORTS)
		jget_fail(g, -EINVAL, "holds no report, or more than %d", JSON_MAX_REPORTS);
	if (g->rc)
		return;
	mark = jget_enter(g, "reports");
	json_array_foreach((json_t *)list, i, o)
	{
		size_t inner = jget_enter_index(g, i);
		struct report r;

		read_report(g, doc, o, !i, &r);
		jget_leave(g, inner);
		if (!g->rc && vec_push(out, r))
			jget_fail(g, -ENOMEM, "out of memory");
		if (g->rc) {
			report_free(&r);
			break;
		}
	}
	jget_leave(g, mark);
}

int json_read(const char *text, size_t n, report_vec *out, struct err *e)
{
	struct jget g = { .e = e };
	size_t before = out->n;
	json_error_t je;
	json_t *doc = json_loadb(text, n, JSON_REJECT_DUPLICATES, &je);

	if (!doc)
		return jget_error(e, -EINVAL, "invalid JSON: line %d, column %d: %s", je.line,
				  je.column, je.text);
	read_document(&g, doc, out);
	json_decref(doc);
	while (g.rc && out->n > before)
		report_free(&out->v[--out->n]);
	return g.rc;
}

bool json_is_report(const char *text, size_t n)
{
	json_t *doc = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
	const char *schema = json_string_value(json_object_get(doc, "schema"));
	bool is = schema && !strcmp(schema, SCHEMA);

	json_decref(doc);
	return is;
}
