/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/ledger/category.h"

#include <string.h>

static const char *const names[] = {
#define X(id, name, text) name,
	CATEGORIES(X)
#undef X
};

static const char *const texts[] = {
#define X(id, name, text) text,
	CATEGORIES(X)
#undef X
};

const char *category_name(enum category c)
{
	return names[c];
}

const char *category_text(enum category c)
{
	return texts[c];
}

int category_by_name(const char *name)
{
	for (int i = 0; i < CAT_COUNT; i++)
		if (!strcmp(names[i], name))
			return i;
	return -1;
}
