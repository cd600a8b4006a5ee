/* SPDX-License-Identifier: BSD-2-Clause */
/* rsscope profile --type goroutine --full: goroutines one by one, written as they are read. */
#include "cli/cli.h"

#include <errno.h>

#include "collect/profile.h"
#include "out/text_goroutine.h"

enum { CHUNK = 64 << 10 };

static int put(void *ctx, const struct goroutine *g)
{
	struct text *t = ctx;
	int r = text_goroutine(g, t);

	if (r || t->n < CHUNK)
		return r;
	r = cli_put(t->p, t->n);
	t->n = 0;
	return r;
}

int cli_profile_full(struct session *s)
{
	_text_ struct text t = { 0 };
	struct err e = { 0 };
	int r = collect_goroutines(s, put, &t, &e);

	if (r && e.text[0])
		return cli_fail(r, &e);
	return cli_put_code(r ? r : cli_put(t.p ? t.p : "", t.n));
}
