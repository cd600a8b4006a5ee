/* SPDX-License-Identifier: BSD-2-Clause */
#include "out/text_tree.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the tree: categories and the parents that their names imply */

enum {
	MAX_NODES = 2 * CAT_COUNT,
	ROWS_PER_CATEGORY = 4,
	LABELS = 18,
	NAMES = 49,
	MAX_BAR = 13,
	SMALL = 100, /* less than that part of all is small */
	MAX_RESERVE = 6,
};

struct sums {
	uint64_t resident, virtual_, pss;
	bool has_pss, part_pss; /* of something; not of everything resident */
};

struct node {
	char path[48];
	const char *label; /* last part of path */
	unsigned int depth;
	int parent;	   /* index, or -1 */
	int cat;	   /* enum category, or -1: a parent only */
	struct sums sum;   /* with all that is below */
	unsigned int show; /* of the category's rows, the largest so many */
	bool folded;	   /* stands in its parent's line for the small ones, or in the parent */
};

struct tree {
	struct node node[MAX_NODES];
	unsigned int n;
	uint32_t *order;			   /* row indexes, by category and size */
	size_t first[CAT_COUNT], count[CAT_COUNT]; /* in order[]: the rows that hold anything */
};

static struct node *tree_node(struct tree *t, const char *path, size_t len)
{
	const char *slash;
	struct node *nd;

	for (unsigned int i = 0; i < t->n; i++)
		if (strlen(t->node[i].path) == len && !strncmp(t->node[i].path, path, len))
			return &t->node[i];
	nd = &t->node[t->n++];
	*nd = (struct node){ .cat = -1, .parent = -1 };
	snprintf(nd->path, sizeof(nd->path), "%.*s", (int)len, path);
	slash = strrchr(nd->path, '/');
	nd->label = slash ? slash + 1 : nd->path;
	for (const char *c = nd->path; *c; c++)
		nd->depth += *c == '/';
	return nd;
}

static void sums_add(struct sums *s, const struct ledger_cat *c)
{
	s->resident += c->resident;
	s->virtual_ += c->virtual_;
	s->pss += c->pss;
	s->has_pss |= c->has_pss;
	s->part_pss |= c->resident && !c->has_pss;
}

static bool is_empty(const struct ledger_cat *c)
{
	return !c->resident && !c->virtual_ && !c->swap;
}

/* Nodes in the categories' order, parents before their children; `unknown` always. */
static void tree_add(struct tree *t, const struct ledger *l, enum category cat)
{
	const char *name = category_name(cat);
	int parent = -1;

	if (is_empty(&l->cat[cat]) && cat != CAT_UNKNOWN)
		return;
	for (const char *end = name;; end++) {
		struct node *nd;

		if (*end && *end != '/')
			continue;
		nd = tree_node(t, name, end - name);
		if (parent >= 0)
			nd->parent = parent;
		parent = nd - t->node;
		sums_add(&nd->sum, &l->cat[cat]);
		if (!*end) {
			nd->cat = cat;
			return;
		}
	}
}

static int tree_build(struct tree *t, const struct ledger *l)
{
	size_t at = 0;

	t->order = calloc(l->rows.n + 1, sizeof(*t->order));
	if (!t->order)
		return -1;
	ledger_order(l, t->order);
	for (int cat = 0; cat < CAT_COUNT; cat++) {
		t->first[cat] = at;
		for (; at < l->rows.n; at++) {
			const struct ledger_row *row = &l->rows.v[t->order[at]];

			if (row->cat != (enum category)cat)
				break;
			t->count[cat] += row->resident || row->virtual_ || row->swap;
		}
		tree_add(t, l, cat);
	}
	return 0;
}

/* ---- folding what is small, when there is no room */

/* Of the nodes below a parent (-1: on top): how many there are, how many fold. */
static void count_below(const struct tree *t, int parent, unsigned int *all, unsigned int *folded)
{
	*all = *folded = 0;
	for (unsigned int i = 0; i < t->n; i++) {
		*all += t->node[i].parent == parent;
		*folded += t->node[i].parent == parent && t->node[i].folded;
	}
}

/* Whether its small ones need a line: not when all of them fold, then its own line says it. */
static bool has_fold_line(const struct tree *t, int parent)
{
	unsigned int all, folded;

	count_below(t, parent, &all, &folded);
	return folded && folded < all;
}

static void unfold_single(struct tree *t, int parent)
{
	unsigned int all, folded;

	count_below(t, parent, &all, &folded);
	if (folded != 1 || all == 1)
		return;
	for (unsigned int i = 0; i < t->n; i++)
		if (t->node[i].parent == parent)
			t->node[i].folded = false;
}

/* Folds what is below the size and has all its parts folded; one alone would save no line. */
static void fold_below(struct tree *t, uint64_t size)
{
	/* children come after their parents */
	for (unsigned int i = t->n; i-- > 0;) {
		struct node *nd = &t->node[i];
		unsigned int all, folded;

		unfold_single(t, i);
		count_below(t, i, &all, &folded);
		nd->folded = nd->cat != CAT_UNKNOWN && nd->sum.resident < size && folded == all;
	}
	unfold_single(t, -1);
}

/* Hidden: itself or one above it is folded. */
static bool is_hidden(const struct tree *t, const struct node *nd)
{
	while (!nd->folded && nd->parent >= 0)
		nd = &t->node[nd->parent];
	return nd->folded;
}

static unsigned int tree_lines(const struct tree *t)
{
	unsigned int lines = 1 + has_fold_line(t, -1); /* the head */

	for (unsigned int i = 0; i < t->n; i++)
		if (!is_hidden(t, &t->node[i]))
			lines += 1 + has_fold_line(t, i);
	return lines;
}

/* The least folding that makes it fit, of nodes below `most`. */
static void fold_to_fit(struct tree *t, unsigned int lines, uint64_t most)
{
	uint64_t size = 0;

	while (tree_lines(t) > lines) {
		uint64_t next = most;

		for (unsigned int i = 0; i < t->n; i++)
			if (t->node[i].sum.resident >= size && t->node[i].sum.resident < next)
				next = t->node[i].sum.resident;
		if (next == most)
			return;
		size = next + 1;
		fold_below(t, size);
	}
}

/* ---- which rows to show */

static bool wants_rows(const struct tree *t, const struct node *nd)
{
	switch (nd->cat) {
	case CAT_NATIVE:
	case CAT_NATIVE_MALLOC:
	case CAT_NATIVE_MALLOC_LIVE:
	case CAT_NATIVE_MALLOC_RETAINED:
	case CAT_NATIVE_STACKS:
	case CAT_NATIVE_MMAP:
	case CAT_LIBS:
	case CAT_FILES:
	case CAT_SHM:
	case CAT_GO_THREAD_STACKS:
	case CAT_OBSERVER:
		return true;
	case CAT_UNKNOWN:
		return t->count[CAT_UNKNOWN] > 1;
	default:
		return false;
	}
}

/* Lines for the rows that are not small, up to a few. */
static unsigned int large_rows(const struct tree *t, const struct ledger *l)
{
	unsigned int lines = 0;

	for (unsigned int i = 0; i < t->n; i++) {
		const struct node *nd = &t->node[i];
		unsigned int n = 0;

		while (wants_rows(t, nd) && n < t->count[nd->cat] && n < ROWS_PER_CATEGORY &&
		       l->rows.v[t->order[t->first[nd->cat] + n]].resident > l->scanned / SMALL)
			n++;
		lines += n ? n + (n < t->count[nd->cat]) : 0;
	}
	return lines < MAX_RESERVE ? lines : MAX_RESERVE;
}

unsigned int page_tree_want(const struct text_page *p)
{
	struct tree t = { 0 };
	unsigned int lines = 0;

	if (!tree_build(&t, &p->r->ledger)) {
		fold_below(&t, p->r->ledger.scanned / SMALL);
		lines = tree_lines(&t) + large_rows(&t, &p->r->ledger);
	}
	free(t.order);
	return lines;
}

/* Gives the lines that are left to the largest rows, whatever category they are in. A category
 * that does not show all its rows needs one line more, to say so. */
static void choose_rows(struct tree *t, const struct ledger *l, int lines)
{
	for (;;) {
		struct node *best = NULL;
		uint64_t most = l->scanned / 1000; /* rows below 0.1 % are no news */
		int need;

		for (unsigned int i = 0; i < t->n; i++) {
			struct node *nd = &t->node[i];
			const struct ledger_row *row;

			if (!wants_rows(t, nd) || is_hidden(t, nd) ||
			    nd->show >= t->count[nd->cat] || nd->show >= ROWS_PER_CATEGORY)
				continue;
			row = &l->rows.v[t->order[t->first[nd->cat] + nd->show]];
			if (row->resident > most) {
				most = row->resident;
				best = nd;
			}
		}
		if (!best)
			return;
		need = best->show ? 1 : t->count[best->cat] > 1 ? 2 : 1;
		if (lines < need)
			return;
		lines -= need;
		best->show++;
	}
}

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
		page_put(p, TEXT_DIM, "%*s", w, "Go's books");
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
		struct sums s = { row->resident, row->virtual_, row->pss, row->has_pss,
				  row->resident && !row->has_pss };

		if (i >= nd->show) {
			rest.resident += s.resident;
			rest.virtual_ += s.virtual_;
			rest.pss += s.pss;
			rest.has_pss |= s.has_pss;
			rest.part_pss |= s.part_pss;
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

	if (!has_fold_line(t, parent))
		return;
	for (unsigned int i = 0; i < t->n; i++) {
		const struct node *nd = &t->node[i];

		if (nd->parent != parent || !nd->folded)
			continue;
		sum.resident += nd->sum.resident;
		sum.virtual_ += nd->sum.virtual_;
		sum.pss += nd->sum.pss;
		sum.has_pss |= nd->sum.has_pss;
		sum.part_pss |= nd->sum.part_pss;
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
	}
	for (unsigned int i = 0; i < t->n; i++)
		if (t->node[i].parent == at && !t->node[i].folded && t->node[i].cat != CAT_UNKNOWN)
			put_branch(p, c, t, i);
	put_folded(p, c, t, at);
	for (unsigned int i = 0; at < 0 && i < t->n; i++)
		if (t->node[i].cat == CAT_UNKNOWN)
			put_branch(p, c, t, i);
}

void page_tree(struct text_page *p, unsigned int lines)
{
	struct tree t = { 0 };
	struct columns c;
	unsigned int reserve;

	if (tree_build(&t, &p->r->ledger)) {
		p->failed = true;
		return;
	}
	/* a large row says more than a small category */
	reserve = large_rows(&t, &p->r->ledger);
	fold_to_fit(&t, lines > reserve ? lines - reserve : 0, p->r->ledger.scanned / SMALL);
	fold_to_fit(&t, lines, UINT64_MAX);
	choose_rows(&t, &p->r->ledger, (int)lines - (int)tree_lines(&t));
	choose_columns(p, &t, &c);
	put_head(p, &c);
	put_branch(p, &c, &t, -1);
	free(t.order);
}
