/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/ledger/ledger.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *method_name(enum method m)
{
	static const char *const name[] = { "measured", "split", "runtime", "estimated" };

	return name[m];
}

const char *row_kind_name(enum row_kind k)
{
	static const char *const name[] = { "file", "thread", "arena", "origin", "type" };

	return name[k];
}

void ledger_free(struct ledger *l)
{
	for (size_t i = 0; i < l->rows.n; i++)
		free(l->rows.v[i].name);
	vec_free(&l->rows);
}

int ledger_add_row(struct ledger *l, enum category cat, enum row_kind kind, const char *name,
		   uint32_t *out)
{
	struct ledger_row row = { .cat = cat, .kind = kind, .name = strdup(name) };

	if (!row.name || vec_push(&l->rows, row)) {
		free(row.name);
		return -ENOMEM;
	}
	*out = l->rows.n - 1;
	return 0;
}

enum method ledger_cat_method(const struct ledger_cat *c)
{
	if (c->estimated)
		return METHOD_ESTIMATED;
	if (c->runtime)
		return METHOD_RUNTIME;
	return c->split ? METHOD_SPLIT : METHOD_MEASURED;
}

static int by_size(const void *a, const void *b, void *arg)
{
	const struct ledger *l = arg;
	const struct ledger_row *x = &l->rows.v[*(const uint32_t *)a];
	const struct ledger_row *y = &l->rows.v[*(const uint32_t *)b];
	int d;

	if (x->cat != y->cat)
		return x->cat < y->cat ? -1 : 1;
	if (x->resident != y->resident)
		return x->resident > y->resident ? -1 : 1;
	if (x->virtual_ != y->virtual_)
		return x->virtual_ > y->virtual_ ? -1 : 1;
	d = strcmp(x->name, y->name);
	return d ? d : (x->kind > y->kind) - (x->kind < y->kind);
}

void ledger_order(const struct ledger *l, uint32_t *idx)
{
	for (size_t i = 0; i < l->rows.n; i++)
		idx[i] = i;
	if (l->rows.n)
		qsort_r(idx, l->rows.n, sizeof(*idx), by_size, (void *)l);
}
