/* SPDX-License-Identifier: BSD-2-Clause */
#include "out/text_diff.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "model/findings/findings.h"
#include "out/text_findings.h"
#include "out/text_origins.h"

enum {
	MAX_METRICS = 8,
	MAX_STATES = 4,
	MAX_ORIGINS = 4,
	MAX_KERNEL = 8,
	MAX_NOTES = 6,
	ROWS_PER_CATEGORY = 3,
	MIN_TABLE = 10
};

/* ---- above the table */

static void put_verdict(struct text_page *p, const struct diff *d)
{
	_text_ struct text t = { 0 };
	struct para a = { .p = p, .color = TEXT_BOLD };
	char line[1024];

	if (findings_diff_sentence(d, &t)) {
		p->failed = true;
		return;
	}
	if (d->findings.n)
		a.color = page_severity_color(d->findings.v[0].severity);
	para_add(&a, "%s", page_clean(p, t.p, 4 * p->width, line, sizeof(line)));
	para_end(&a);
}

/* "2026-11-21 21:54:00 UTC" */
static const char *moment(char *buf, size_t n, uint64_t unix_ns)
{
	time_t s = unix_ns / 1000000000;
	struct tm tm;

	if (!unix_ns || !gmtime_r(&s, &tm) || !strftime(buf, n, "%Y-%m-%d\1%H:%M:%S\1UTC", &tm))
		snprintf(buf, n, "time unknown");
	return buf;
}

static void put_side(struct text_page *p, const char *label, const struct report *r,
		     const char *name)
{
	const struct report_target *t = &r->target;
	struct para a = { .p = p, .label = label };
	char b[256], when[64];

	para_add(&a, "%s,", page_clean(p, t->comm[0] ? t->comm : "?", 32, b, sizeof(b)));
	para_add(&a, "pid\1%d,", t->pid);
	if (t->go_version[0])
		para_add(&a, "%s,", page_clean(p, t->go_version, 24, b, sizeof(b)));
	para_add(&a, "%s", moment(when, sizeof(when), r->time_unix_ns));
	if (name && *name)
		para_add(&a, ": %s", page_clean(p, name, p->width / 2, b, sizeof(b)));
	para_end(&a);
}

static void put_process(struct text_page *p, const struct diff *d)
{
	struct para a = { .p = p, .label = "process" };
	char when[64];

	if (d->process != DIFF_SAME)
		return; /* a note says so */
	para_add(&a, "one: pid\1%d, started %s", d->b->target.pid,
		 moment(when, sizeof(when), d->b->target.start_time_unix_ns));
	para_end(&a);
}

static void put_notes(struct text_page *p, const struct diff *d)
{
	size_t n = d->notes.n > MAX_NOTES ? MAX_NOTES : d->notes.n;
	char line[512];

	for (size_t i = 0; i < n; i++) {
		struct para a = { .p = p, .label = i ? "" : "note", .color = TEXT_YELLOW };

		para_add(&a, "%s", page_clean(p, d->notes.v[i].text, 300, line, sizeof(line)));
		para_end(&a);
	}
	if (n < d->notes.n) {
		struct para a = { .p = p, .label = "", .color = TEXT_YELLOW };

		para_add(&a, "and %zu more in --json", d->notes.n - n);
		para_end(&a);
	}
}

static void put_rss(struct text_page *p, const struct diff *d)
{
	struct para a = { .p = p, .label = "RSS" };
	char b[32];

	para_add(&a, "%s in A,", page_keep(p, b, d->scanned.a));
	para_add(&a, "%s in B,", page_keep(p, b, d->scanned.b));
	para_add(&a, "%s;", page_keep_change(p, b, d->growth));
	para_add(&a, "explained %s", page_keep_change(p, b, d->explained));
	if (d->growth)
		para_add(&a, "(%.1f\1%%)", 100.0 * d->explained / d->growth);
	para_add(&a, ", remainder %s", page_keep_change(p, b, d->growth - d->explained));
	para_end(&a);
}

/* ---- the table */

struct columns {
	unsigned int number, name; /* widths */
};

static void put_figures(struct text_page *p, const struct columns *c, const struct delta *v,
			int64_t growth)
{
	int64_t change = delta_of(v);
	enum text_color color = change > 0 ? TEXT_RED : change < 0 ? TEXT_GREEN : TEXT_DIM;
	char b[32];

	page_put(p, TEXT_PLAIN, "%*s", (int)c->number, page_bytes(p, b, sizeof(b), v->a));
	page_put(p, TEXT_PLAIN, "%*s", (int)c->number, page_bytes(p, b, sizeof(b), v->b));
	page_put(p, color, "%*s", (int)c->number + 1, page_change(p, b, sizeof(b), change));
	if (growth)
		page_put(p, TEXT_PLAIN, "%8.1f", 100.0 * change / growth);
	else
		page_put(p, TEXT_PLAIN, "%8s", "");
	page_put(p, TEXT_PLAIN, "  ");
}

static void put_table_head(struct text_page *p, const struct columns *c)
{
	int w = c->number;

	page_put(p, TEXT_DIM, "%*s%*s%*s%8s\n", w, "A", w, "B", w + 1, "change", "%");
}

/* What a line stands for: the largest changes get the lines that there are. */
struct plan {
	size_t cats;		      /* shown, the rest in one line */
	unsigned int rows[CAT_COUNT]; /* shown below each of them */
};

static bool is_worth(const struct diff *d, const struct delta *v)
{
	uint64_t most = d->scanned.a > d->scanned.b ? d->scanned.a : d->scanned.b;

	return delta_size(v) && delta_size(v) >= most / 10000;
}

static bool wants_row(const struct diff *d, const struct diff_cat *c, size_t k)
{
	const struct diff_row *r = &d->rows.v[c->row + k];

	/* the only row that a category has says the same again, unless by another name */
	return is_worth(d, &r->s.resident) && (c->nrows > 1 || r->id.kind != ROW_TYPE);
}

static void make_plan(const struct diff *d, unsigned int lines, struct plan *plan)
{
	unsigned int left;

	*plan = (struct plan){ 0 };
	while (plan->cats < d->cats.n && is_worth(d, &d->cats.v[plan->cats].s.resident))
		plan->cats++;
	if (plan->cats + 3 > lines) /* head, rest, sum */
		plan->cats = lines > 3 ? lines - 3 : 0;
	left = lines > plan->cats + 3 ? lines - plan->cats - 3 : 0;
	for (unsigned int round = 0; round < ROWS_PER_CATEGORY; round++) {
		for (size_t i = 0; i < plan->cats && left; i++) {
			if (plan->rows[i] != round || round >= d->cats.v[i].nrows ||
			    !wants_row(d, &d->cats.v[i], round))
				continue;
			plan->rows[i]++;
			left--;
		}
	}
}

static void put_category(struct text_page *p, const struct columns *c, const struct diff *d,
			 const struct diff_cat *x, unsigned int rows)
{
	put_figures(p, c, &x->s.resident, d->growth);
	page_put(p, TEXT_BOLD, "%s", category_name(x->cat));
	page_put(p, TEXT_DIM, "%s\n", x->merged ? " (all rows together)" : "");
	for (unsigned int k = 0; k < rows; k++) {
		const struct diff_row *r = &d->rows.v[x->row + k];

		put_figures(p, c, &r->s.resident, d->growth);
		page_put(p, TEXT_PLAIN, "  ");
		page_put_name(p, TEXT_DIM, r->name, c->name - 2);
		page_put(p, TEXT_PLAIN, "\n");
	}
}

static void put_table(struct text_page *p, const struct diff *d, unsigned int lines)
{
	struct columns c = { .number = p->s->exact ? 15 : 12 };
	struct delta rest = { .has_a = true, .has_b = true };
	struct plan plan;

	c.name = p->width - 3 * c.number - 11;
	make_plan(d, lines, &plan);
	put_table_head(p, &c);
	for (size_t i = 0; i < plan.cats; i++)
		put_category(p, &c, d, &d->cats.v[i], plan.rows[i]);
	for (size_t i = plan.cats; i < d->cats.n; i++) {
		rest.a += d->cats.v[i].s.resident.a;
		rest.b += d->cats.v[i].s.resident.b;
	}
	if (plan.cats < d->cats.n) {
		put_figures(p, &c, &rest, d->growth);
		page_put(p, TEXT_DIM, "%zu more with little change\n", d->cats.n - plan.cats);
	}
	put_figures(p, &c, &d->scanned, d->growth);
	page_put(p, TEXT_BOLD, "RSS\n");
}

/* ---- below the table */

static void put_metrics(struct text_page *p, const struct diff *d)
{
	struct para a = { .p = p, .label = "Go metrics" };
	unsigned int shown = 0;
	char b[32], name[80];

	for (size_t i = 0; i < d->metrics.n && shown < MAX_METRICS; i++) {
		const struct diff_item *x = &d->metrics.v[i];

		/* growth of a counter is work done, not memory held */
		if (!delta_known(&x->v) || !delta_size(&x->v) || x->unit != UNIT_BYTES ||
		    x->kind == FIGURE_COUNTER)
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)(strlen(x->name) - strlen(":bytes")),
			 x->name);
		para_add(&a, "%s %s\1%s", shown++ ? "," : "", name,
			 page_keep_change(p, b, delta_of(&x->v)));
	}
	para_end(&a);
}

/* What was done between the looks, by counters that only grow. */
static void put_work(struct text_page *p, const struct diff *d)
{
	const struct diff_item *allocs = diff_find(&d->metrics, "/gc/heap/allocs:bytes");
	const struct diff_item *cycles = diff_find(&d->metrics, "/gc/cycles/total:gc-cycles");
	struct para a = { .p = p, .label = "GC" };
	char b[32];

	if (d->process != DIFF_SAME || !d->has_interval || d->interval_ns <= 0)
		return;
	if (cycles && delta_known(&cycles->v) && delta_of(&cycles->v) >= 0)
		para_add(&a, "%" PRIu64 " cycles,", delta_size(&cycles->v));
	if (allocs && delta_known(&allocs->v) && delta_of(&allocs->v) >= 0) {
		para_add(&a, "%s allocated", page_keep(p, b, delta_size(&allocs->v)));
		para_add(&a, "(%s/s)",
			 page_keep(p, b, delta_size(&allocs->v) / (d->interval_ns / 1e9)));
	}
	para_end(&a);
}

static void put_goroutines(struct text_page *p, const struct diff *d)
{
	struct para a = { .p = p, .label = "goroutines" };
	unsigned int shown = 0;

	if (!delta_known(&d->goroutines) || !delta_size(&d->goroutines))
		return;
	para_add(&a, "%" PRIu64 " in A, %" PRIu64 " in B, %+" PRId64, d->goroutines.a,
		 d->goroutines.b, delta_of(&d->goroutines));
	for (size_t i = 0; i < d->by_state.n && shown < MAX_STATES; i++) {
		struct delta v = d->by_state.v[i].v;

		v.a = v.has_a ? v.a : 0; /* a state that nobody is in is not listed */
		v.b = v.has_b ? v.b : 0;
		if (delta_size(&v))
			para_add(&a, "%s %s\1%+" PRId64, shown++ ? "," : ":", d->by_state.v[i].name,
				 delta_of(&v));
	}
	para_end(&a);
}

static void put_items(struct text_page *p, const char *label, const diff_items *v)
{
	struct para a = { .p = p, .label = label };
	unsigned int shown = 0;
	char b[32], name[80];

	for (size_t i = 0; i < v->n && shown < MAX_KERNEL; i++) {
		const struct diff_item *x = &v->v[i];

		if (!delta_known(&x->v) || !delta_size(&x->v) || page_is_detail(x->name))
			continue;
		if (x->unit != UNIT_BYTES)
			snprintf(b, sizeof(b), "%+" PRId64, delta_of(&x->v));
		else
			page_keep_change(p, b, delta_of(&x->v));
		para_add(&a, "%s %s\1%s", shown++ ? "," : "",
			 page_clean(p, x->name, 40, name, sizeof(name)), b);
	}
	para_end(&a);
}

/* Who asked for what has become more, or less. */
static void put_origins(struct text_page *p, const struct diff *d)
{
	struct para a = { .p = p, .label = "origin" };
	char b[32], name[ORIGIN_TEXT];
	unsigned int shown = 0;

	for (size_t i = 0; i < d->origins.n && shown < MAX_ORIGINS; i++) {
		const struct diff_origin *x = &d->origins.v[i];

		if (!delta_size(&x->resident) && !delta_size(&x->bytes))
			break;
		para_add(&a, "%s%s:\1%s", shown++ ? ", " : "",
			 text_origin_chain(p, x->origin, true, name),
			 page_keep_change(p, b, delta_of(&x->resident)));
		para_add(&a, "of %s mapped", page_keep_change(p, b, delta_of(&x->bytes)));
	}
	para_end(&a);
}

static void put_tail(struct text_page *p, const struct diff *d)
{
	page_put(p, TEXT_PLAIN, "\n");
	put_work(p, d);
	put_metrics(p, d);
	put_goroutines(p, d);
	put_origins(p, d);
	put_items(p, "kernel", &d->kernel);
	put_items(p, "cgroup", &d->cgroup);
}

static void put_head(struct text_page *p, const struct diff *d, const char *name_a,
		     const char *name_b, unsigned int terse)
{
	put_verdict(p, d);
	put_side(p, "A", d->a, name_a);
	put_side(p, "B", d->b, name_b);
	put_process(p, d);
	put_notes(p, d);
	put_rss(p, d);
	page_findings(p, &d->findings, terse);
	page_put(p, TEXT_PLAIN, "\n");
}

int text_diff(const struct diff *d, const struct text_style *s, const char *name_a,
	      const char *name_b, struct text *out)
{
	_text_ struct text head = { 0 }, tail = { 0 };
	unsigned int used = 0;
	struct text_page p;

	page_begin(&p, s, &tail);
	put_tail(&p, d);
	for (unsigned int terse = 0; terse < 4; terse++) {
		text_free(&head);
		head = (struct text){ 0 };
		p.out = &head;
		put_head(&p, d, name_a, name_b, terse);
		used = page_lines(&head, 0) + page_lines(&tail, 0);
		if (used + MIN_TABLE <= TEXT_LINES)
			break;
	}
	p.out = out;
	if (head.p && text_add(out, head.p, head.n))
		p.failed = true;
	put_table(&p, d, used + MIN_TABLE < TEXT_LINES ? TEXT_LINES - used : MIN_TABLE);
	if (tail.n > 1 && text_add(out, tail.p, tail.n))
		p.failed = true;
	return p.failed ? -ENOMEM : 0;
}
