/* SPDX-License-Identifier: BSD-2-Clause */
#include "out/text_findings.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "model/findings/findings.h"

/* Summaries and advice may name functions, which are the target's words. */
enum { LINE_MAX_BYTES = 1024 };

enum text_color page_severity_color(enum severity s)
{
	switch (s) {
	case SEV_CRITICAL:
		return TEXT_RED;
	case SEV_WARNING:
		return TEXT_YELLOW;
	default:
		return TEXT_GREEN;
	}
}

static const char *value(const struct text_page *p, const struct evidence *e, char buf[32])
{
	switch (e->unit) {
	case UNIT_BYTES:
		return page_keep(p, buf, e->value);
	case UNIT_PERCENT:
		snprintf(buf, 32, "%" PRIu64 "\1%%", e->value);
		break;
	case UNIT_SECONDS:
		if (e->value < 600)
			snprintf(buf, 32, "%" PRIu64 "\1s", e->value);
		else if (e->value < 7200)
			snprintf(buf, 32, "%" PRIu64 "\1min", e->value / 60);
		else
			snprintf(buf, 32, "%" PRIu64 "\1h", e->value / 3600);
		break;
	case UNIT_NS:
		snprintf(buf, 32, "%.1f\1s", e->value / 1e9);
		break;
	default:
		snprintf(buf, 32, "%" PRIu64, e->value);
	}
	return buf;
}

static void put_evidence(struct text_page *p, const struct finding *f)
{
	struct para a = { .p = p,
			  .label = severity_name(f->severity),
			  .label_color = page_severity_color(f->severity) };
	char buf[32];

	para_add(&a, "%s", f->id);
	for (size_t i = 0; i < f->evidence.n; i++)
		para_add(&a, "%s %s %s", i ? "," : ":", f->evidence.v[i].name,
			 value(p, &f->evidence.v[i], buf));
	para_end(&a);
}

static void put_summary(struct text_page *p, const struct finding *f)
{
	struct para a = { .p = p,
			  .label = severity_name(f->severity),
			  .label_color = page_severity_color(f->severity) };
	char line[LINE_MAX_BYTES];

	para_add(&a, "%s: %s", f->id, page_clean(p, f->summary, 4 * p->width, line, sizeof(line)));
	para_end(&a);
}

static bool was_advised(const finding_vec *v, size_t finding, const char *text)
{
	for (size_t i = 0; i < finding; i++)
		for (size_t k = 0; k < v->v[i].advice.n; k++)
			if (!strcmp(v->v[i].advice.v[k], text))
				return true;
	return false;
}

static void put_advice(struct text_page *p, const finding_vec *v, size_t finding, size_t most)
{
	const struct finding *f = &v->v[finding];
	char line[LINE_MAX_BYTES];
	size_t n = 0;

	for (size_t k = 0; k < f->advice.n && n < most; k++) {
		struct para a = { .p = p, .label = n ? "" : "advice" };

		if (was_advised(v, finding, f->advice.v[k]))
			continue;
		page_clean(p, f->advice.v[k], 4 * p->width, line, sizeof(line));
		para_add(&a, "%s", line);
		para_end(&a);
		n++;
	}
}

static void put_next(struct text_page *p, const struct finding *f)
{
	struct para a = { .p = p, .label = "next" };
	char line[LINE_MAX_BYTES];

	if (!f->next)
		return;
	para_add(&a, "%s", page_clean(p, f->next, 2 * p->width, line, sizeof(line)));
	para_end(&a);
}

void page_findings(struct text_page *p, const finding_vec *v, unsigned int terse)
{
	for (size_t i = 0; i < v->n; i++) {
		if (i)
			put_summary(p, &v->v[i]);
		else if (terse < 2)
			put_evidence(p, &v->v[i]);
		if (!i || !terse)
			put_advice(p, v, i, terse < 3 ? 8 : 1);
		if (!i)
			put_next(p, &v->v[i]);
	}
}
