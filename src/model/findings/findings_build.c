/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/findings/findings_build.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void finding_begin(struct finding_build *b, const char *id, enum severity severity)
{
	*b = (struct finding_build){ .f = { .id = id, .severity = severity } };
}

static char *print(struct finding_build *b, const char *fmt, va_list ap)
{
	char *s = NULL;

	if (vasprintf(&s, fmt, ap) >= 0)
		return s;
	b->failed = true;
	return NULL;
}

void finding_say(struct finding_build *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	free(b->f.summary);
	b->f.summary = print(b, fmt, ap);
	va_end(ap);
}

void finding_evidence(struct finding_build *b, const char *name, enum unit unit, uint64_t value,
		      const char *source)
{
	struct evidence e = {
		.name = strdup(name), .source = strdup(source), .unit = unit, .value = value
	};

	if (e.name && e.source && !vec_push(&b->f.evidence, e))
		return;
	free(e.name);
	free(e.source);
	b->failed = true;
}

void finding_evidence_opt(struct finding_build *b, const char *name, enum unit unit,
			  struct opt_u64 value, const char *source)
{
	if (value.has)
		finding_evidence(b, name, unit, value.v, source);
}

void finding_advise(struct finding_build *b, const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	s = print(b, fmt, ap);
	va_end(ap);
	if (s && vec_push(&b->f.advice, s)) {
		free(s);
		b->failed = true;
	}
}

void finding_explains(struct finding_build *b, uint64_t bytes)
{
	b->f.bytes = bytes;
}

void finding_next(struct finding_build *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	free(b->f.next);
	b->f.next = print(b, fmt, ap);
	va_end(ap);
}

int finding_end(struct finding_build *b, finding_vec *to)
{
	if (!b->failed && !vec_push(to, b->f))
		return 0;
	finding_free(&b->f);
	return -ENOMEM;
}
