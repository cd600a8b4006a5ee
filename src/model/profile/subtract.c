/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/profile/subtract.h"

#include <errno.h>
#include <string.h>

#include "base/hash.h"
#include "base/text.h"

/* Taking samples of one profile over into another. */
struct taking {
	const struct profile *from;
	struct profile *to;
	int sign;
	unsigned int column[PROFILE_VALUES_MAX]; /* of from, for each of to */
	VEC(uint32_t) locations;		 /* of to, + 1, for each of from; 0: not taken */
	VEC(uint32_t) mappings;			 /* likewise */
	VEC(uint32_t) stack;
	struct profile_index *by_content; /* of to's locations */
};

/* ---- locations, by what they say */

static uint64_t hash_string(const struct profile *p, uint64_t h, uint32_t s)
{
	const char *text = profile_text(p, s);

	return hash_bytes(h, text, strlen(text) + 1);
}

/* By its functions; without any by its file and where in it. */
static uint64_t hash_location(const struct profile *p, const struct profile_location *l)
{
	uint64_t h = HASH_START;

	for (size_t i = 0; i < l->n; i++) {
		const struct profile_line *x = &p->lines.v[l->first + i];

		h = hash_string(p, h, p->functions.v[x->function].name);
		h = hash_string(p, h, p->functions.v[x->function].file);
		h = hash_bytes(h, &x->line, sizeof(x->line));
	}
	if (!l->n && l->mapping)
		h = hash_string(p, h, p->mappings.v[l->mapping - 1].file);
	return h ^ h >> 32;
}

static bool same_string(const struct profile *a, uint32_t x, const struct profile *b, uint32_t y)
{
	return !strcmp(profile_text(a, x), profile_text(b, y));
}

static bool same_line(const struct profile *a, const struct profile_line *x,
		      const struct profile *b, const struct profile_line *y)
{
	const struct profile_function *f = &a->functions.v[x->function];
	const struct profile_function *g = &b->functions.v[y->function];

	return x->line == y->line && same_string(a, f->name, b, g->name) &&
	       same_string(a, f->file, b, g->file);
}

static uint64_t offset_of(const struct profile *p, const struct profile_location *l)
{
	const struct profile_mapping *m;

	if (!l->mapping)
		return l->addr;
	m = &p->mappings.v[l->mapping - 1];
	return l->addr - m->start + m->offset;
}

static bool same_location(const struct profile *a, const struct profile_location *x,
			  const struct profile *b, const struct profile_location *y)
{
	if (x->n != y->n)
		return false;
	for (size_t i = 0; i < x->n; i++)
		if (!same_line(a, &a->lines.v[x->first + i], b, &b->lines.v[y->first + i]))
			return false;
	if (x->n)
		return true;
	return !x->mapping == !y->mapping && offset_of(a, x) == offset_of(b, y) &&
	       (!x->mapping || same_string(a, a->mappings.v[x->mapping - 1].file, b,
					   b->mappings.v[y->mapping - 1].file));
}

static int64_t take_mapping(struct taking *t, uint32_t mapping)
{
	struct profile_mapping m;
	int64_t file, id;

	if (!mapping || t->mappings.v[mapping - 1])
		return mapping ? t->mappings.v[mapping - 1] : 0;
	m = t->from->mappings.v[mapping - 1];
	file = profile_string(t->to, profile_text(t->from, m.file));
	id = file < 0 ? file : profile_string(t->to, profile_text(t->from, m.build_id));
	if (id < 0)
		return id;
	m.file = file;
	m.build_id = id;
	if (vec_push(&t->to->mappings, m))
		return -ENOMEM;
	return t->mappings.v[mapping - 1] = t->to->mappings.n;
}

static int64_t copy_location(struct taking *t, const struct profile_location *l)
{
	int64_t mapping = take_mapping(t, l->mapping), r = 0;
	struct profile_location x = { .addr = l->addr, .first = t->to->lines.n };

	if (mapping < 0)
		return mapping;
	x.mapping = mapping;
	if (t->to->locations.n >= UINT32_MAX - 1 || t->to->lines.n + l->n >= UINT32_MAX)
		return -EOVERFLOW;
	if (vec_push(&t->to->locations, x))
		return -ENOMEM;
	for (size_t i = 0; i < l->n && r >= 0; i++) {
		const struct profile_line *y = &t->from->lines.v[l->first + i];
		const struct profile_function *f = &t->from->functions.v[y->function];

		r = profile_line(t->to, t->to->locations.n - 1, profile_text(t->from, f->name),
				 profile_text(t->from, f->file), y->line);
	}
	return r < 0 ? r : (int64_t)t->to->locations.n - 1;
}

/* Of to, the location that says the same as one of from. */
static int64_t take_location(struct taking *t, uint32_t at)
{
	const struct profile_location *l = &t->from->locations.v[at];
	struct profile_index *x = t->by_content;
	size_t mask = x->slot.n - 1, i = hash_location(t->from, l) & mask;
	int64_t made;

	if (t->locations.v[at])
		return t->locations.v[at] - 1;
	for (; x->slot.v[i]; i = (i + 1) & mask)
		if (same_location(t->to, &t->to->locations.v[x->slot.v[i] - 1], t->from, l)) {
			t->locations.v[at] = x->slot.v[i];
			return t->locations.v[at] - 1;
		}
	made = copy_location(t, l);
	if (made >= 0)
		x->slot.v[i] = t->locations.v[at] = made + 1;
	return made;
}

/* ---- samples */

static int64_t take_labels(struct taking *t, uint32_t set)
{
	const struct profile_label_set *s = set ? &t->from->label_sets.v[set - 1] : NULL;
	VEC(struct profile_label) v = { 0 };
	int64_t r = 0;

	for (size_t i = 0; s && i < s->n && r >= 0; i++) {
		const struct profile_label *l = &t->from->labels.v[s->first + i];
		int64_t key = profile_string(t->to, profile_text(t->from, l->key));

		r = key < 0 ? key : profile_string(t->to, profile_text(t->from, l->text));
		if (r >= 0 && vec_push(&v, (struct profile_label){ key, r }))
			r = -ENOMEM;
	}
	if (r >= 0)
		r = profile_labels(t->to, v.v, v.n);
	vec_free(&v);
	return r;
}

static int take_sample(struct taking *t, const struct profile_sample *s)
{
	struct profile_sample x = { .n = s->n, .size = s->size };
	int64_t r = take_labels(t, s->labels);

	x.labels = r;
	t->stack.n = 0;
	for (size_t i = 0; i < s->n && r >= 0; i++) {
		r = take_location(t, t->from->stacks.v[s->first + i]);
		if (r >= 0 && vec_push(&t->stack, (uint32_t)r))
			r = -ENOMEM;
	}
	if (r < 0)
		return r;
	for (size_t i = 0; i < t->to->ntypes; i++)
		x.value[i] = t->sign * s->value[t->column[i]];
	return profile_count(t->to, t->stack.v, &x);
}

static int find_columns(struct taking *t)
{
	for (size_t i = 0; i < t->to->ntypes; i++) {
		size_t k = 0;

		while (k < t->from->ntypes &&
		       (strcmp(t->to->type[i].name, t->from->type[k].name) != 0 ||
			strcmp(t->to->type[i].unit, t->from->type[k].unit) != 0))
			k++;
		if (k == t->from->ntypes)
			return -EINVAL;
		t->column[i] = k;
	}
	return 0;
}

static int take_notes(struct taking *t)
{
	int r = 0;

	for (size_t i = 0; i < t->from->notes.n && !r; i++)
		r = profile_say(t->to, "%s", profile_text(t->from, t->from->notes.v[i]));
	return r;
}

static int take_all(const struct profile *from, struct profile *to, int sign,
		    struct profile_index *x)
{
	struct taking t = { .from = from, .to = to, .sign = sign, .by_content = x };
	int r = find_columns(&t);

	if (!r && (vec_reserve(&t.locations, from->locations.n + 1) ||
		   vec_reserve(&t.mappings, from->mappings.n + 1)))
		r = -ENOMEM;
	if (!r) {
		memset(t.locations.v, 0, (from->locations.n + 1) * sizeof(*t.locations.v));
		memset(t.mappings.v, 0, (from->mappings.n + 1) * sizeof(*t.mappings.v));
	}
	for (size_t i = 0; i < from->samples.n && !r; i++)
		r = take_sample(&t, &from->samples.v[i]);
	if (!r)
		r = take_notes(&t);
	vec_free(&t.locations);
	vec_free(&t.mappings);
	vec_free(&t.stack);
	return r;
}

/* A slot for each location of both, at most half of them used. */
static int make_index(const struct profile *a, const struct profile *b, struct profile_index *x)
{
	size_t n = 64;

	while (n < (a->locations.n + b->locations.n) * 2)
		n *= 2;
	if (vec_reserve(&x->slot, n))
		return -ENOMEM;
	memset(x->slot.v, 0, n * sizeof(*x->slot.v));
	x->slot.n = n;
	return 0;
}

static bool differs(const struct profile *p, const struct profile_sample *s)
{
	bool any = false;

	for (size_t i = 0; i < p->ntypes; i++)
		any |= s->value[i] != 0;
	return any;
}

int profile_subtract(const struct profile *p, const struct profile *base, struct profile *out)
{
	struct profile_index x = { 0 };
	size_t n = 0;
	int r = profile_init(out);

	memcpy(out->type, p->type, sizeof(out->type));
	out->ntypes = p->ntypes;
	out->most_wanted = p->most_wanted;
	out->period_type = p->period_type;
	out->period = p->period;
	out->time_unix_ns = p->time_unix_ns;
	out->duration_ns = p->duration_ns;
	if (!r)
		r = make_index(p, base, &x);
	if (!r)
		r = take_all(p, out, 1, &x);
	if (!r)
		r = take_all(base, out, -1, &x);
	for (size_t i = 0; i < out->samples.n; i++)
		if (differs(out, &out->samples.v[i]))
			out->samples.v[n++] = out->samples.v[i];
	out->samples.n = n;
	vec_free(&out->by_stack.slot); /* its places are not theirs any more */
	out->by_stack = (struct profile_index){ 0 };
	vec_free(&x.slot);
	return r;
}
