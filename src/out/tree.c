/* SPDX-License-Identifier: BSD-2-Clause */
#include "out/tree.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	ROWS_PER_CATEGORY = 4,
	SMALL = 100, /* less than that part of all is small */
	MAX_RESERVE = 6,
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

void sums_add(struct sums *s, const struct sums *o)
{
	s->resident += o->resident;
	s->virtual_ += o->virtual_;
	s->pss += o->pss;
	s->has_pss |= o->has_pss;
	s->part_pss |= o->part_pss;
}

struct sums sums_of(uint64_t resident, uint64_t virtual_, bool has_pss, uint64_t pss)
{
	return (struct sums){ .resident = resident,
			      .virtual_ = virtual_,
			      .pss = pss,
			      .has_pss = has_pss,
			      .part_pss = resident && !has_pss };
}

static bool is_empty(const struct ledger_cat *c)
{
	return !c->resident && !c->virtual_ && !c->swap;
}

/* Nodes in the categories' order, parents before their children; `unknown` always. */
static void tree_add(struct tree *t, const struct ledger *l, enum category cat)
{
	const struct ledger_cat *c = &l->cat[cat];
	struct sums sum = sums_of(c->resident, c->virtual_, c->has_pss, c->pss);
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
		sums_add(&nd->sum, &sum);
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

bool tree_has_fold_line(const struct tree *t, int parent)
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
	unsigned int lines = 1 + tree_has_fold_line(t, -1); /* the head */

	for (unsigned int i = 0; i < t->n; i++)
		if (!is_hidden(t, &t->node[i]))
			lines += 1 + tree_has_fold_line(t, i);
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
	case CAT_NATIVE_COPIES:
	case CAT_LIBS:
	case CAT_FILES:
	case CAT_SHM:
	case CAT_DEVICE:
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

/* ---- all of it */

int tree_make(struct tree *t, const struct ledger *l, unsigned int lines)
{
	unsigned int reserve;

	*t = (struct tree){ 0 };
	if (tree_build(t, l))
		return -ENOMEM;
	/* a large row says more than a small category */
	reserve = large_rows(t, l);
	fold_to_fit(t, lines > reserve ? lines - reserve : 0, l->scanned / SMALL);
	fold_to_fit(t, lines, UINT64_MAX);
	choose_rows(t, l, (int)lines - (int)tree_lines(t));
	return 0;
}

unsigned int tree_lines_wanted(const struct ledger *l)
{
	struct tree t = { 0 };
	unsigned int lines = 0;

	if (!tree_build(&t, l)) {
		fold_below(&t, l->scanned / SMALL);
		lines = tree_lines(&t) + large_rows(&t, l);
	}
	tree_free(&t);
	return lines;
}

void tree_free(struct tree *t)
{
	free(t->order);
	t->order = NULL;
}
