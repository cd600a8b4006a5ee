/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Field numbers are those of github.com/google/pprof, proto/profile.proto. Fields of a message may
 * come in any order: each is written as it is made.
 */
#include "out/pprof.h"

#include <errno.h>
#include <string.h>
#include <zlib.h>

#include "base/cleanup.h"
#include "base/text.h"

enum { CHUNK = 64 << 10 };

/* Strings that the profile does not have. They follow its own. */
struct words {
	const char *v[3 * PROFILE_VALUES_MAX + 4];
	size_t n;
};

struct writer {
	const struct profile *p;
	struct words words;
	struct text field, inner; /* under way: a field of the profile, a message in it */
	z_stream z;
	uint8_t out[CHUNK];
	pprof_sink_fn *sink;
	void *ctx;
};

/* ---- protocol buffers */

static int varint(struct text *t, uint64_t v)
{
	char b[10];
	size_t n = 0;

	for (; v >= 0x80; v >>= 7)
		b[n++] = (char)(v | 0x80);
	b[n++] = (char)v;
	return text_add(t, b, n);
}

/* A number that is 0 is left out, as readers expect. */
static int number(struct text *t, unsigned int field, uint64_t v)
{
	int r = v ? varint(t, field << 3) : 0;

	return r || !v ? r : varint(t, v);
}

static int bytes(struct text *t, unsigned int field, const void *p, size_t n)
{
	int r = varint(t, field << 3 | 2);

	if (!r)
		r = varint(t, n);
	return r ? r : text_add(t, p, n);
}

static int message(struct text *t, unsigned int field, struct text *m)
{
	int r = bytes(t, field, m->p ? m->p : "", m->n);

	m->n = 0;
	return r;
}

/* ---- gzip */

static int deflate_all(struct writer *w, const void *p, size_t n, int flush)
{
	int r = 0, z;

	w->z.next_in = (Bytef *)(uintptr_t)p;
	w->z.avail_in = n;
	do {
		w->z.next_out = w->out;
		w->z.avail_out = sizeof(w->out);
		z = deflate(&w->z, flush);
		if (sizeof(w->out) - w->z.avail_out)
			r = w->sink(w->ctx, w->out, sizeof(w->out) - w->z.avail_out);
	} while (!r && (!w->z.avail_out || (flush == Z_FINISH && z == Z_OK)));
	return r;
}

/* Writes the field that has been made. */
static int put(struct writer *w, int r)
{
	if (!r)
		r = deflate_all(w, w->field.p, w->field.n, Z_NO_FLUSH);
	w->field.n = 0;
	return r;
}

/* ---- the profile */

static uint64_t word(struct writer *w, const char *s)
{
	size_t i = 0;

	while (i < w->words.n && strcmp(w->words.v[i], s) != 0)
		i++;
	if (i == w->words.n)
		w->words.v[w->words.n++] = s;
	return w->p->strings.n + i;
}

static int put_type(struct writer *w, unsigned int field, const struct profile_type *t)
{
	int r = number(&w->inner, 1, word(w, t->name));

	if (!r)
		r = number(&w->inner, 2, word(w, t->unit));
	return put(w, r ? r : message(&w->field, field, &w->inner));
}

static int put_head(struct writer *w)
{
	const struct profile *p = w->p;
	int r = 0;

	for (size_t i = 0; i < p->ntypes && !r; i++)
		r = put_type(w, 1, &p->type[i]);
	if (!r && p->period_type.name)
		r = put_type(w, 11, &p->period_type);
	if (!r)
		r = number(&w->field, 12, p->period);
	if (!r)
		r = number(&w->field, 9, p->time_unix_ns);
	if (!r)
		r = number(&w->field, 10, p->duration_ns);
	if (!r && p->ntypes)
		r = number(&w->field, 14, word(w, p->type[p->most_wanted].name));
	for (size_t i = 0; i < p->notes.n && !r; i++) /* comments */
		r = number(&w->field, 13, p->notes.v[i]);
	return put(w, r);
}

static int put_size(struct writer *w, uint64_t size, struct text *label)
{
	int r = number(label, 1, word(w, "bytes"));

	if (!r)
		r = number(label, 3, size);
	return r ? r : message(&w->inner, 3, label);
}

static int put_labels(struct writer *w, const struct profile_sample *s)
{
	const struct profile *p = w->p;
	const struct profile_label_set none = { 0 };
	const struct profile_label_set *l = s->labels ? &p->label_sets.v[s->labels - 1] : &none;
	struct text label = { 0 };
	int r = s->size ? put_size(w, s->size, &label) : 0;

	for (size_t i = 0; i < l->n && !r; i++) {
		r = number(&label, 1, p->labels.v[l->first + i].key);
		if (!r)
			r = number(&label, 2, p->labels.v[l->first + i].text);
		if (!r)
			r = message(&w->inner, 3, &label);
	}
	text_free(&label);
	return r;
}

static int put_sample(struct writer *w, const struct profile_sample *s)
{
	struct text packed = { 0 };
	int r = 0;

	for (size_t i = 0; i < s->n && !r; i++)
		r = varint(&packed, w->p->stacks.v[s->first + i] + 1ULL);
	if (!r)
		r = message(&w->inner, 1, &packed);
	for (size_t i = 0; i < w->p->ntypes && !r; i++)
		r = varint(&packed, (uint64_t)s->value[i]);
	if (!r)
		r = message(&w->inner, 2, &packed);
	text_free(&packed);
	if (!r)
		r = put_labels(w, s);
	return put(w, r ? r : message(&w->field, 2, &w->inner));
}

static int put_mapping(struct writer *w, size_t i)
{
	const struct profile_mapping *m = &w->p->mappings.v[i];
	const uint64_t v[] = { i + 1,	     m->start,	      m->end,		m->offset,
			       m->file,	     m->build_id,     m->has_functions, m->has_lines,
			       m->has_lines, m->has_functions };
	int r = 0;

	for (size_t k = 0; k < ARRAY_LEN(v) && !r; k++)
		r = number(&w->inner, k + 1, v[k]);
	return put(w, r ? r : message(&w->field, 3, &w->inner));
}

static int put_location(struct writer *w, size_t i)
{
	const struct profile_location *l = &w->p->locations.v[i];
	struct text line = { 0 };
	int r = number(&w->inner, 1, i + 1);

	if (!r)
		r = number(&w->inner, 2, l->mapping);
	if (!r)
		r = number(&w->inner, 3, l->addr);
	for (size_t k = 0; k < l->n && !r; k++) {
		const struct profile_line *x = &w->p->lines.v[l->first + k];

		r = number(&line, 1, x->function + 1ULL);
		if (!r)
			r = number(&line, 2, x->line);
		if (!r)
			r = message(&w->inner, 4, &line);
	}
	text_free(&line);
	return put(w, r ? r : message(&w->field, 4, &w->inner));
}

static int put_function(struct writer *w, size_t i)
{
	const struct profile_function *f = &w->p->functions.v[i];
	int r = number(&w->inner, 1, i + 1);

	if (!r)
		r = number(&w->inner, 2, f->name);
	if (!r)
		r = number(&w->inner, 3, f->name);
	if (!r)
		r = number(&w->inner, 4, f->file);
	return put(w, r ? r : message(&w->field, 5, &w->inner));
}

static int put_string(struct writer *w, const char *s)
{
	return put(w, bytes(&w->field, 6, s, strlen(s)));
}

static int put_all(struct writer *w)
{
	const struct profile *p = w->p;
	int r = put_head(w);

	for (size_t i = 0; i < p->samples.n && !r; i++)
		r = put_sample(w, &p->samples.v[i]);
	for (size_t i = 0; i < p->mappings.n && !r; i++)
		r = put_mapping(w, i);
	for (size_t i = 0; i < p->locations.n && !r; i++)
		r = put_location(w, i);
	for (size_t i = 0; i < p->functions.n && !r; i++)
		r = put_function(w, i);
	for (size_t i = 0; i < p->strings.n && !r; i++)
		r = put_string(w, profile_text(p, i));
	for (size_t i = 0; i < w->words.n && !r; i++)
		r = put_string(w, w->words.v[i]);
	return r ? r : deflate_all(w, NULL, 0, Z_FINISH);
}

int pprof_write(const struct profile *p, pprof_sink_fn *sink, void *ctx)
{
	enum { GZIP = 15 + 16, MEMORY = 8 };
	_free_ struct writer *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	w->p = p;
	w->sink = sink;
	w->ctx = ctx;
	if (deflateInit2(&w->z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP, MEMORY,
			 Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	r = put_all(w);
	deflateEnd(&w->z);
	text_free(&w->field);
	text_free(&w->inner);
	return r;
}
