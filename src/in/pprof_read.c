/* SPDX-License-Identifier: BSD-2-Clause */
#include "in/pprof_read.h"

#include <errno.h>
#include <string.h>
#include <zlib.h>

#include "base/cursor.h"

/* ---- protocol buffers */

struct field {
	uint64_t no, v;	   /* its number; the value, where it is one */
	struct cursor sub; /* else: its bytes */
	bool is_number;
};

/* The next field that is a number or bytes. False at the end, or when c is bad. */
static bool next(struct cursor *c, struct field *f)
{
	enum { VARINT, FIXED64, BYTES, FIXED32 = 5 };

	while (!c->bad && c->pos < c->len) {
		uint64_t tag = cursor_uvarint(c), n;
		const void *p;

		*f = (struct field){ .no = tag >> 3, .is_number = (tag & 7) == VARINT };
		switch (tag & 7) {
		case VARINT:
			f->v = cursor_uvarint(c);
			return !c->bad;
		case BYTES:
			n = cursor_uvarint(c);
			p = n <= c->len ? cursor_bytes(c, n) : NULL;
			c->bad |= !p;
			f->sub = cursor_make(p, p ? n : 0);
			return !c->bad;
		case FIXED64:
			cursor_u64(c);
			break;
		case FIXED32:
			cursor_u32(c);
			break;
		default:
			c->bad = true;
		}
	}
	return false;
}

/* The numbers of a repeated field, packed or not, one a call; *done counts them. */
static bool next_number(struct field *f, bool *begun, uint64_t *v)
{
	if (f->is_number) {
		*v = f->v;
		return !*begun && (*begun = true);
	}
	if (f->sub.pos >= f->sub.len)
		return false;
	*v = cursor_uvarint(&f->sub);
	return !f->sub.bad;
}

/* ---- ids */

struct id {
	uint64_t id;
	uint32_t at; /* index in the profile */
};
typedef VEC(struct id) id_vec;

static int by_id(const void *a, const void *b)
{
	const struct id *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

static void sort_ids(id_vec *v)
{
	if (v->n)
		qsort(v->v, v->n, sizeof(*v->v), by_id);
}

static int64_t find_id(const id_vec *v, uint64_t id)
{
	const struct id key = { .id = id };
	const struct id *x = v->n ? bsearch(&key, v->v, v->n, sizeof(*v->v), by_id) : NULL;

	return x ? (int64_t)x->at : -EINVAL;
}

struct reading {
	struct cursor all;
	struct profile *p;
	VEC(uint32_t) strings; /* of the file, as the profile has them */
	id_vec mappings, functions, locations;
	uint64_t wanted; /* default_sample_type: a string of the file */
	VEC(uint32_t) stack;
	VEC(struct profile_label) labels;
};

/* The profile's string for one of the file. */
static int64_t string(const struct reading *r, uint64_t i)
{
	return i < r->strings.n ? (int64_t)r->strings.v[i] : -EINVAL;
}

static int take_string(struct reading *r, const struct cursor *c)
{
	_free_ char *s = strndup(c->len ? (const char *)c->p : "", c->len);
	int64_t at = s ? profile_string(r->p, s) : -ENOMEM;

	if (at < 0)
		return at;
	return vec_push(&r->strings, (uint32_t)at);
}

/* ---- code */

/* The numbered fields of a message that are single numbers. */
static int numbers(struct cursor c, uint64_t *v, size_t n)
{
	struct field f;

	memset(v, 0, n * sizeof(*v));
	while (next(&c, &f))
		if (f.is_number && f.no < n)
			v[f.no] = f.v;
	return c.bad ? -EINVAL : 0;
}

static int take_mapping(struct reading *r, struct cursor c)
{
	uint64_t v[11];
	int rc = numbers(c, v, ARRAY_LEN(v));
	int64_t file = string(r, v[5]), id = string(r, v[6]);
	struct profile_mapping m = { v[2], v[3], v[4], file, id, v[7] != 0, v[9] != 0 };

	if (rc || file < 0 || id < 0)
		return -EINVAL;
	if (vec_push(&r->p->mappings, m))
		return -ENOMEM;
	return vec_push(&r->mappings, (struct id){ v[1], r->p->mappings.n - 1 });
}

static int take_function(struct reading *r, struct cursor c)
{
	uint64_t v[6];
	int rc = numbers(c, v, ARRAY_LEN(v));
	int64_t name = string(r, v[2]), file = string(r, v[4]);

	if (rc || name < 0 || file < 0)
		return -EINVAL;
	if (vec_push(&r->p->functions, (struct profile_function){ name, file }))
		return -ENOMEM;
	return vec_push(&r->functions, (struct id){ v[1], r->p->functions.n - 1 });
}

static int take_line(struct reading *r, struct cursor c)
{
	uint64_t v[3];
	int rc = numbers(c, v, ARRAY_LEN(v));
	int64_t function = find_id(&r->functions, v[1]);

	if (rc || function < 0)
		return -EINVAL;
	return vec_push(&r->p->lines, (struct profile_line){ function, v[2] });
}

static int take_location(struct reading *r, struct cursor c)
{
	struct profile_location l = { .first = r->p->lines.n };
	uint64_t v[4];
	int rc = numbers(c, v, ARRAY_LEN(v));
	int64_t mapping = v[2] ? find_id(&r->mappings, v[2]) : -1;
	struct field f;

	if (rc || mapping < -1)
		return -EINVAL;
	while (!rc && next(&c, &f))
		if (f.no == 4 && !f.is_number)
			rc = take_line(r, f.sub);
	l.addr = v[3];
	l.mapping = mapping + 1;
	l.n = r->p->lines.n - l.first;
	if (rc || vec_push(&r->p->locations, l))
		return rc ? rc : -ENOMEM;
	return vec_push(&r->locations, (struct id){ v[1], r->p->locations.n - 1 });
}

/* ---- samples */

static int take_label(struct reading *r, struct cursor c, struct profile_sample *s)
{
	uint64_t v[4];
	int rc = numbers(c, v, ARRAY_LEN(v));
	int64_t key = string(r, v[1]), text = string(r, v[2]);

	if (rc || key < 0 || text < 0)
		return -EINVAL;
	if (v[2])
		return vec_push(&r->labels, (struct profile_label){ key, text });
	if (!strcmp(profile_text(r->p, key), "bytes"))
		s->size = v[3];
	return 0;
}

static int take_part(struct reading *r, struct field *f, struct profile_sample *s, size_t *values)
{
	bool begun = false;
	uint64_t v;
	int64_t at;

	if (f->no == 3 && !f->is_number)
		return take_label(r, f->sub, s);
	while (f->no <= 2 && next_number(f, &begun, &v)) {
		if (f->no == 2) {
			if (*values >= r->p->ntypes)
				return -EINVAL;
			s->value[(*values)++] = (int64_t)v;
			continue;
		}
		at = find_id(&r->locations, v);
		if (at < 0 || r->stack.n >= PROFILE_DEPTH_MAX)
			return -EINVAL;
		if (vec_push(&r->stack, (uint32_t)at))
			return -ENOMEM;
	}
	return f->sub.bad ? -EINVAL : 0;
}

static int take_sample(struct reading *r, struct cursor c)
{
	struct profile_sample s = { 0 };
	struct field f;
	size_t values = 0;
	int64_t labels;
	int rc = 0;

	r->stack.n = r->labels.n = 0;
	while (!rc && next(&c, &f))
		rc = take_part(r, &f, &s, &values);
	if (rc || c.bad)
		return rc ? rc : -EINVAL;
	labels = profile_labels(r->p, r->labels.v, r->labels.n);
	if (labels < 0)
		return labels;
	s.labels = labels;
	s.n = r->stack.n;
	return profile_add(r->p, r->stack.v, &s);
}

/* ---- the profile */

/* Names of columns are static strings in a profile: here they are the profile's own text, which
 * does not move once all strings are in. */
static int take_type(struct reading *r, struct cursor c, struct profile_type *out)
{
	uint64_t v[3];
	int rc = numbers(c, v, ARRAY_LEN(v));
	int64_t name = string(r, v[1]), unit = string(r, v[2]);

	if (rc || name < 0 || unit < 0)
		return -EINVAL;
	*out = (struct profile_type){ profile_text(r->p, name), profile_text(r->p, unit) };
	return 0;
}

static int take_head(struct reading *r, const struct field *f)
{
	struct profile *p = r->p;

	switch (f->no) {
	case 1:
		if (p->ntypes == PROFILE_VALUES_MAX)
			return -ENOTSUP;
		return take_type(r, f->sub, &p->type[p->ntypes++]);
	case 9:
		p->time_unix_ns = f->v;
		return 0;
	case 10:
		p->duration_ns = f->v;
		return 0;
	case 11:
		return take_type(r, f->sub, &p->period_type);
	case 12:
		p->period = f->v;
		return 0;
	case 14:
		r->wanted = f->v;
		return 0;
	default:
		return 0;
	}
}

enum pass { STRINGS, HEAD, PARTS, LOCATIONS, SAMPLES, PASSES };

static int take(struct reading *r, enum pass pass, const struct field *f)
{
	switch (pass) {
	case STRINGS:
		return f->no == 6 ? take_string(r, &f->sub) : 0;
	case HEAD:
		return take_head(r, f);
	case PARTS:
		return f->no == 3   ? take_mapping(r, f->sub)
		       : f->no == 5 ? take_function(r, f->sub)
				    : 0;
	case LOCATIONS:
		return f->no == 4 ? take_location(r, f->sub) : 0;
	default:
		return f->no == 2 ? take_sample(r, f->sub) : 0;
	}
}

static void choose_column(struct reading *r)
{
	int64_t wanted = string(r, r->wanted);
	struct profile *p = r->p;

	/* as pprof does: the last one, where none is named */
	p->most_wanted = p->ntypes - 1;
	for (size_t i = 0; r->wanted && wanted >= 0 && i < p->ntypes; i++)
		if (!strcmp(p->type[i].name, profile_text(p, wanted)))
			p->most_wanted = i;
}

static int read_all(struct reading *r)
{
	int rc = 0;

	for (int pass = 0; pass < PASSES && !rc; pass++) {
		struct cursor c = r->all;
		struct field f;

		while (!rc && next(&c, &f))
			rc = take(r, pass, &f);
		if (c.bad || (pass == HEAD && !r->p->ntypes))
			rc = rc ? rc : -EINVAL;
		sort_ids(&r->mappings);
		sort_ids(&r->functions);
		sort_ids(&r->locations);
	}
	if (!rc)
		choose_column(r);
	return rc;
}

/* ---- gzip */

bool pprof_is_zipped(const void *p, size_t n)
{
	const uint8_t *b = p;

	return n > 2 && b[0] == 0x1f && b[1] == 0x8b;
}

static int inflate_all(z_stream *z, struct text *out)
{
	enum { GROW = 1 << 16 };
	int r = Z_OK;

	while (r == Z_OK) {
		char buf[GROW];

		z->next_out = (Bytef *)buf;
		z->avail_out = sizeof(buf);
		r = inflate(z, Z_NO_FLUSH);
		if (r != Z_OK && r != Z_STREAM_END)
			return r == Z_MEM_ERROR ? -ENOMEM : -EINVAL;
		if (out->n + sizeof(buf) - z->avail_out > PPROF_MAX)
			return -EFBIG;
		if (text_add(out, buf, sizeof(buf) - z->avail_out))
			return -ENOMEM;
	}
	return 0;
}

static int unzip(const void *p, size_t n, struct text *out)
{
	z_stream z = { .next_in = (Bytef *)(uintptr_t)p, .avail_in = n };
	int r = inflateInit2(&z, 15 + 16) == Z_OK ? 0 : -ENOMEM;

	if (!r) {
		r = inflate_all(&z, out);
		inflateEnd(&z);
	}
	return r;
}

static const char *why(int rc)
{
	switch (rc) {
	case -ENOTSUP:
		return "it has more than four columns of values";
	case -EFBIG:
		return "it is larger than 512 MiB";
	case -ENOMEM:
		return "out of memory";
	case -EOVERFLOW:
		return "it has more than 4 billion entries";
	default:
		return "it is no profile in pprof's format, or it is damaged";
	}
}

int pprof_read(const void *p, size_t n, struct profile *out, struct err *e)
{
	struct reading r = { .all = cursor_make(p, n), .p = out };
	_text_ struct text plain = { 0 };
	int rc = profile_init(out);

	if (!rc && n > PPROF_MAX)
		rc = -EFBIG;
	if (!rc && pprof_is_zipped(p, n)) {
		rc = unzip(p, n, &plain);
		r.all = cursor_make(plain.p ? plain.p : "", plain.n);
	}
	if (!rc)
		rc = read_all(&r);
	vec_free(&r.strings);
	vec_free(&r.mappings);
	vec_free(&r.functions);
	vec_free(&r.locations);
	vec_free(&r.stack);
	vec_free(&r.labels);
	return rc ? err_set(e, rc, "%s", why(rc)) : 0;
}
