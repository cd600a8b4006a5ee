/* SPDX-License-Identifier: BSD-2-Clause */
#include "out/text_origins.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/event/event.h"

enum { COLUMNS = 48, FRAMES = EVENT_STACK_MAX };

/* Which of the frames are shown. Code with a source file is Go's: only pclntab tells one. */
static size_t chain_of(const struct report_origin *o, int *out)
{
	struct frame f[FRAMES];
	size_t n = o->stack.n < FRAMES ? o->stack.n : FRAMES;

	for (size_t i = 0; i < n; i++)
		f[i] = (struct frame){ .func = o->stack.v[i].func,
				       .module = o->stack.v[i].module,
				       .go = o->stack.v[i].file };
	return event_chain(f, n, o->caller, out, EVENT_CHAIN);
}

static size_t put(char *buf, size_t at, const char *fmt, const char *s)
{
	int n = at < ORIGIN_TEXT ? snprintf(buf + at, ORIGIN_TEXT - at, fmt, s) : 0;

	return at + (n < 0 ? 0 : (size_t)n);
}

const char *text_origin_chain(const struct text_page *p, const struct report_origin *o, bool line,
			      char buf[ORIGIN_TEXT])
{
	const char *arrow = p->s->utf8 ? " \u2190\1%s" : " <-\1%s";
	int at[EVENT_CHAIN];
	size_t n = chain_of(o, at), used = 0;
	char name[4 * COLUMNS + 4];

	if (!n)
		return strcpy(buf, "?");
	buf[0] = 0;
	for (size_t i = 0; i < n; i++) {
		const struct report_frame *f = &o->stack.v[at[i]];
		const char *s = f->func ? f->func : f->module ? f->module : "?";
		const char *file = f->file ? strrchr(f->file, '/') : NULL;

		used = put(buf, used, i ? arrow : "%s",
			   page_clean(p, s, COLUMNS, name, sizeof(name)));
		if (i || !f->file)
			continue;
		used = put(buf, used, "\1%s",
			   page_clean(p, file ? file + 1 : f->file, COLUMNS, name, sizeof(name)));
		snprintf(name, sizeof(name), ":%" PRIu32, f->line);
		used = put(buf, used, "%s", line ? name : "");
	}
	return buf;
}

/* ---- a line for each chain */

struct group {
	const struct report_origin *o;
	uint64_t bytes, resident;
	bool one_line; /* of the source */
	char chain[ORIGIN_TEXT];
};

static int by_chain(const void *a, const void *b)
{
	return strcmp(((const struct group *)a)->chain, ((const struct group *)b)->chain);
}

static int by_size(const void *a, const void *b)
{
	const struct group *x = a, *y = b;

	if (x->resident != y->resident)
		return x->resident < y->resident ? 1 : -1;
	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? 1 : -1;
	return by_chain(a, b);
}

static uint32_t line_of(const struct report_origin *o)
{
	return o->caller < 0 ? 0 : o->stack.v[o->caller].line;
}

/* Joins equal chains. Returns how many are left. */
static size_t join(struct group *g, size_t n)
{
	size_t k = 0;

	qsort(g, n, sizeof(*g), by_chain);
	for (size_t i = 0; i < n; i++) {
		if (!k || by_chain(&g[k - 1], &g[i])) {
			g[k++] = g[i];
			continue;
		}
		g[k - 1].bytes += g[i].bytes;
		g[k - 1].resident += g[i].resident;
		g[k - 1].one_line &= line_of(g[k - 1].o) == line_of(g[i].o);
	}
	qsort(g, k, sizeof(*g), by_size);
	return k;
}

void text_origins(struct text_page *p, size_t most)
{
	size_t n = p->r->origins.n;
	_free_ struct group *g = n && most ? calloc(n, sizeof(*g)) : NULL;
	char b[32], m[32];

	if (!g) {
		p->failed |= n && most;
		return;
	}
	for (size_t i = 0; i < n; i++) {
		const struct report_origin *o = &p->r->origins.v[i];

		g[i] = (struct group){ o, o->bytes, o->resident, true, "" };
		text_origin_chain(p, o, false, g[i].chain);
	}
	n = join(g, n);
	for (size_t i = 0; i < n && i < most; i++) {
		struct para a = { .p = p, .label = i ? "" : "origins" };

		if (g[i].one_line)
			text_origin_chain(p, g[i].o, true, g[i].chain);
		para_add(&a, "%s: %s of %s mapped%s", g[i].chain, page_keep(p, b, g[i].resident),
			 page_keep(p, m, g[i].bytes), i + 1 == most && n > most ? "," : "");
		if (i + 1 == most && n > most)
			para_add(&a, "and %zu more", n - most);
		para_end(&a);
	}
}
