/* SPDX-License-Identifier: BSD-2-Clause */
#include "out/text_tree.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "out/text_sites.h"
#include "out/tree.h"

enum {
	LABELS = 18,
	NAMES = 49,
	MAX_BAR = 13,
};

/* ---- what the runtime's books say of a category */

/* Of all runtimes together, as the ledger's categories are. */
static bool metric(const struct report *r, const char *name, uint64_t *out)
{
	const struct named_u64 *m = named_find(&r->go.metrics, name);
	uint64_t sum = m ? m->v : 0;

	for (size_t i = 0; i < r->runtimes.n && m; i++) {
		m = named_find(&r->runtimes.v[i].go.metrics, name);
		sum += m ? m->v : 0;
	}
	if (m)
		*out = sum;
	return m;
}

#define CLASS(x) "/memory/classes/" x ":bytes"

/* The books know virtual sizes, under the names of runtime/metrics; only where a metric and a
 * category mean the same bytes. */
static bool in_books(const struct report *r, const char *path, uint64_t *out)
{
	static const struct {
		const char *path, *metric;
	} same[] = {
		{ "go", CLASS("total") },
		{ "go/heap/objects", CLASS("heap/objects") },
		{ "go/heap/unused", CLASS("heap/unused") },
		{ "go/heap/free", CLASS("heap/free") },
		{ "go/heap/released", CLASS("heap/released") },
		{ "go/stacks", CLASS("heap/stacks") },
		{ "go/profiler", CLASS("profiling/buckets") },
	};
	uint64_t objects, unused, free_, released;

	for (size_t i = 0; i < ARRAY_LEN(same); i++)
		if (!strcmp(path, same[i].path))
			return metric(r, same[i].metric, out);
	if (!metric(r, CLASS("heap/objects"), &objects))
		return false;
	if (!strcmp(path, "go/heap/live") && r->go.live.has) {
		*out = r->go.live.v;
		return true;
	}
	if (!strcmp(path, "go/heap") && metric(r, CLASS("heap/unused"), &unused) &&
	    metric(r, CLASS("heap/free"), &free_) && metric(r, CLASS("heap/released"), &released)) {
		*out = objects + unused + free_ + released;
		return true;
	}
	return false;
}

/* ---- the table */

struct columns {
	unsigned int number, bar, name; /* widths */
	bool pss, books;
};

static void choose_columns(const struct text_page *p, const struct tree *t, struct columns *c)
{
	unsigned int left;

	*c = (struct columns){ .number = p->s->exact ? 14 : 11, .books = p->r->go.metrics.n > 0 };
	for (unsigned int i = 0; i < t->n; i++)
		c->pss |= t->node[i].sum.has_pss;
	left = c->number * (2 + c->pss + c->books) + 6 + 2;
	left = p->width > left + LABELS ? p->width - left : LABELS;
	/* labels first, then a short bar, then what explains the labels, then a long bar */
	if (left >= LABELS + 8)
		c->bar = left < NAMES + 8 ? 6 : left - NAMES - 2;
	if (c->bar > MAX_BAR)
		c->bar = MAX_BAR;
	c->name = left - (c->bar ? c->bar + 2 : 0);
}

static void put_number(struct text_page *p, const struct columns *c, bool known, uint64_t bytes)
{
	char buf[32];

	page_put(p, TEXT_PLAIN, "%*s", (int)c->number,
		 known ? page_bytes(p, buf, sizeof(buf), bytes) : "");
}

static void put_head(struct text_page *p, const struct columns *c)
{
	int w = c->number;

	page_put(p, TEXT_DIM, "%*s%6s%*s", w, "resident", "%", w, "virtual");
	if (c->books)
		page_put(p, TEXT_DIM, "%*s", w, "Go metrics");
	if (c->pss)
		page_put(p, TEXT_DIM, "%*s", w, "PSS");
	page_put(p, TEXT_PLAIN, "\n");
}

static void put_bar(struct text_page *p, const struct columns *c, enum text_color color,
		    uint64_t part, uint64_t whole)
{
	static const char *const eighth[] = { "",
					      "\xe2\x96\x8f",
					      "\xe2\x96\x8e",
					      "\xe2\x96\x8d",
					      "\xe2\x96\x8c",
					      "\xe2\x96\x8b",
					      "\xe2\x96\x8a",
					      "\xe2\x96\x89" };
	unsigned int parts = p->s->utf8 ? 8 : 1, n = 0, full;
	char bar[MAX_BAR * 3 + 1] = "";

	if (!c->bar)
		return;
	if (whole)
		n = (double)(part < whole ? part : whole) / whole * c->bar * parts + 0.5;
	full = n / parts;
	for (unsigned int i = 0; i < full; i++)
		strcat(bar, p->s->utf8 ? "\xe2\x96\x88" : "#");
	if (p->s->utf8 && n % 8)
		strcat(bar, eighth[n % 8]);
	page_put(p, TEXT_PLAIN, "  ");
	page_put(p, color, "%s", bar);
	page_put(p, TEXT_PLAIN, "%*s", (int)(c->bar - full - (p->s->utf8 && n % 8)), "");
}

static void put_figures(struct text_page *p, const struct columns *c, enum text_color color,
			const struct sums *s, const char *path)
{
	uint64_t scanned = p->r->rss.scanned, books = 0;
	bool known = path && c->books && in_books(p->r, path, &books);

	put_number(p, c, true, s->resident);
	page_put(p, TEXT_PLAIN, "%6.1f", scanned ? 100.0 * s->resident / scanned : 0.0);
	put_number(p, c, true, s->virtual_);
	if (c->books)
		put_number(p, c, known, books);
	if (c->pss)
		put_number(p, c, s->has_pss && !s->part_pss, s->pss);
	put_bar(p, c, color, s->resident, scanned);
	page_put(p, TEXT_PLAIN, "  ");
}

static enum text_color group_color(const char *path)
{
	switch (path[0]) {
	case 'g':
		return TEXT_CYAN;
	case 'b':
		return TEXT_BLUE;
	case 'n':
		return TEXT_MAGENTA;
	case 'u':
		return TEXT_RED;
	default:
		return TEXT_GREEN;
	}
}

static void put_rows(struct text_page *p, const struct columns *c, const struct tree *t,
		     const struct node *nd)
{
	const struct ledger *l = &p->r->ledger;
	unsigned int indent = 2 * nd->depth + 2;
	struct sums rest = { 0 };
	_text_ struct text label = { 0 };

	for (size_t i = 0; nd->show && i < t->count[nd->cat]; i++) {
		const struct ledger_row *row = &l->rows.v[t->order[t->first[nd->cat] + i]];
		struct sums s = sums_of(row->resident, row->virtual_, row->has_pss, row->pss);

		if (i >= nd->show) {
			sums_add(&rest, &s);
			continue;
		}
		put_figures(p, c, TEXT_DIM, &s, NULL);
		page_put(p, TEXT_PLAIN, "%*s", (int)indent, "");
		label.n = 0;
		if (row_name_with_image(&row->id, row->name, &label))
			p->failed = true;
		else
			page_put_name(p, TEXT_DIM, label.p, c->name - indent);
		page_put(p, TEXT_PLAIN, "\n");
	}
	if (!nd->show || nd->show >= t->count[nd->cat] || !rest.resident)
		return;
	put_figures(p, c, TEXT_DIM, &rest, NULL);
	page_put(p, TEXT_DIM, "%*s%s and %zu more\n", (int)indent, "",
		 p->s->utf8 ? "\xe2\x80\xa6" : "...", t->count[nd->cat] - nd->show);
}

/* Who stands behind it: sizes of their own, no part of the sums. */
static void put_sites(struct text_page *p, const struct columns *c, const struct node *nd)
{
	unsigned int indent = 2 * nd->depth + 2;
	unsigned int skip = 6 + c->number * (1 + c->pss + c->books) + (c->bar ? c->bar + 2 : 0) + 2;

	for (size_t i = 0; i < p->r->profiles.n; i++) {
		const struct report_profile *x = &p->r->profiles.v[i];

		for (size_t k = 0; nd->cat == (int)x->cat && k < x->sites.n; k++) {
			_text_ struct text line = { 0 };

			if (site_text(x, &x->sites.v[k], c->name - indent, &line))
				p->failed = true;
			put_number(p, c, x->sites.v[k].bytes.has, x->sites.v[k].bytes.v);
			page_put(p, TEXT_PLAIN, "%*s", (int)(skip + indent), "");
			page_put_name(p, TEXT_DIM, line.p ? line.p : "", c->name - indent);
			page_put(p, TEXT_PLAIN, "\n");
		}
	}
}

static const char *explain(const struct text_page *p, const struct node *nd, char *buf, size_t n)
{
	uint64_t goroutines = p->r->go.goroutines.v;

	if (nd->cat < 0)
		return "";
	if (nd->cat != CAT_GO_STACKS || !p->r->go.goroutines.has)
		return category_text(nd->cat);
	for (size_t i = 0; i < p->r->runtimes.n; i++)
		goroutines += p->r->runtimes.v[i].go.goroutines.v;
	snprintf(buf, n, "stacks of %" PRIu64 " goroutines", goroutines);
	return buf;
}

static void put_node(struct text_page *p, const struct columns *c, const struct node *nd)
{
	bool alarm = nd->cat == CAT_UNKNOWN && nd->sum.resident;
	unsigned int at = 2 * nd->depth + strlen(nd->label);
	char buf[64];
	const char *about = explain(p, nd, buf, sizeof(buf));

	put_figures(p, c, group_color(nd->path), &nd->sum, nd->path);
	page_put(p, TEXT_PLAIN, "%*s", (int)(2 * nd->depth), "");
	page_put(p, alarm ? TEXT_RED : nd->depth ? TEXT_PLAIN : TEXT_BOLD, "%s", nd->label);
	if (*about && at < LABELS && c->name >= NAMES) {
		page_put(p, TEXT_PLAIN, "%*s", (int)(LABELS - at), "");
		page_put(p, TEXT_DIM, "%s", about);
	}
	page_put(p, TEXT_PLAIN, "\n");
}

/* The small ones below a parent, in one line: their sum and their names. */
static void put_folded(struct text_page *p, const struct columns *c, const struct tree *t,
		       int parent)
{
	unsigned int indent = parent < 0 ? 0 : 2 * t->node[parent].depth + 2;
	_text_ struct text names = { 0 };
	struct sums sum = { 0 };

	if (!tree_has_fold_line(t, parent))
		return;
	for (unsigned int i = 0; i < t->n; i++) {
		const struct node *nd = &t->node[i];

		if (nd->parent != parent || !nd->folded)
			continue;
		sums_add(&sum, &nd->sum);
		if (text_printf(&names, "%s%s", names.n ? ", " : "", nd->label))
			p->failed = true;
	}
	put_figures(p, c, TEXT_DIM, &sum, NULL);
	page_put(p, TEXT_PLAIN, "%*s", (int)indent, "");
	page_put_name(p, TEXT_DIM, names.p ? names.p : "", c->name - indent);
	page_put(p, TEXT_PLAIN, "\n");
}

/* A node, its rows and all that is below it. */
static void put_branch(struct text_page *p, const struct columns *c, const struct tree *t, int at)
{
	if (at >= 0) {
		put_node(p, c, &t->node[at]);
		put_rows(p, c, t, &t->node[at]);
		put_sites(p, c, &t->node[at]);
	}
	for (unsigned int i = 0; i < t->n; i++)
		if (t->node[i].parent == at && !t->node[i].folded && t->node[i].cat != CAT_UNKNOWN)
			put_branch(p, c, t, i);
	put_folded(p, c, t, at);
	for (unsigned int i = 0; at < 0 && i < t->n; i++)
		if (t->node[i].cat == CAT_UNKNOWN)
			put_branch(p, c, t, i);
}

unsigned int page_tree_want(const struct text_page *p)
{
	return tree_lines_wanted(&p->r->ledger) + sites_lines(p->r);
}

void page_tree(struct text_page *p, unsigned int lines)
{
	unsigned int sites = sites_lines(p->r);
	struct columns c;
	struct tree t;

	lines = lines > sites ? lines - sites : 0;
	if (tree_make(&t, &p->r->ledger, lines)) {
		p->failed = true;
	} else {
		choose_columns(p, &t, &c);
		put_head(p, &c);
		put_branch(p, &c, &t, -1);
	}
	tree_free(&t);
}
