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

void ledger_free(struct ledger *l)
{
	for (size_t i = 0; i < l->rows.n; i++) {
		free(l->rows.v[i].name);
		free(l->rows.v[i].image);
	}
	vec_free(&l->rows);
}

int ledger_add_row(struct ledger *l, enum category cat, const struct row_id *id, uint32_t *out)
{
	struct ledger_row row = { .cat = cat, .id = *id };
	struct text name = { 0 };

	if (row_name(id, &name)) {
		text_free(&name);
		return -ENOMEM;
	}
	row.name = name.p;
	/* lives as long as the name: see row_name() */
	row.id.label = id->label ? name.p + name.n - strlen(id->label) : NULL;
	row.id.image = row.image = id->image ? strdup(id->image) : NULL;
	if ((id->image && !row.image) || vec_push(&l->rows, row)) {
		free(row.image);
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
	return d ? d : row_compare(&x->id, &y->id);
}

void ledger_order(const struct ledger *l, uint32_t *idx)
{
	for (size_t i = 0; i < l->rows.n; i++)
		idx[i] = i;
	if (l->rows.n)
		qsort_r(idx, l->rows.n, sizeof(*idx), by_size, (void *)l);
}
