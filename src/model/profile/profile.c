/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/profile/profile.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"

/* Low bits choose the slot. */
static uint64_t hash(const void *p, size_t n)
{
	uint64_t h = hash_bytes(HASH_START, p, n);

	return h ^ h >> 32;
}

/* ---- indices */

typedef bool same_fn(const struct profile *p, uint32_t i, const void *key);
typedef uint64_t hash_fn(const struct profile *p, uint32_t i);

/* The index of what equals key, or −1; *free_slot is where it would go. */
static int64_t find(const struct profile *p, const struct profile_index *x, uint64_t h,
		    same_fn *same, const void *key, size_t *free_slot)
{
	size_t mask = x->slot.n - 1;

	*free_slot = 0;
	for (size_t i = h & mask; x->slot.n; i = (i + 1) & mask) {
		*free_slot = i;
		if (!x->slot.v[i])
			break;
		if (same(p, x->slot.v[i] - 1, key))
			return x->slot.v[i] - 1;
	}
	return -1;
}

/* Room for one more, at most two thirds full. */
static int grow(const struct profile *p, struct profile_index *x, hash_fn *hash_of)
{
	struct profile_index y = { .used = x->used };
	size_t n = x->slot.n ? x->slot.n * 2 : 256;

	if (x->slot.n && (x->used + 1) * 3 < x->slot.n * 2)
		return 0;
	if (vec_reserve(&y.slot, n))
		return -ENOMEM;
	memset(y.slot.v, 0, n * sizeof(*y.slot.v));
	y.slot.n = n;
	for (size_t i = 0; i < x->slot.n; i++) {
		size_t at;

		if (!x->slot.v[i])
			continue;
		at = hash_of(p, x->slot.v[i] - 1) & (n - 1);
		while (y.slot.v[at])
			at = (at + 1) & (n - 1);
		y.slot.v[at] = x->slot.v[i];
	}
	vec_free(&x->slot);
	*x = y;
	return 0;
}

static int64_t put(struct profile_index *x, size_t slot, size_t n)
{
	x->slot.v[slot] = n;
	x->used++;
	return n - 1;
}

/* ---- strings */

const char *profile_text(const struct profile *p, uint32_t string)
{
	return p->text.v + p->strings.v[string];
}

static bool same_text(const struct profile *p, uint32_t i, const void *key)
{
	return !strcmp(profile_text(p, i), key);
}

static uint64_t hash_text(const struct profile *p, uint32_t i)
{
	const char *s = profile_text(p, i);

	return hash(s, strlen(s));
}

int64_t profile_string(struct profile *p, const char *s)
{
	size_t slot, n;
	int64_t i;

	s = s ? s : "";
	n = strlen(s) + 1;
	if (p->strings.n >= UINT32_MAX - 1 || p->text.n + n > UINT32_MAX)
		return -EOVERFLOW;
	if (grow(p, &p->by_text, hash_text))
		return -ENOMEM;
	i = find(p, &p->by_text, hash(s, n - 1), same_text, s, &slot);
	if (i >= 0)
		return i;
	if (vec_reserve(&p->text, p->text.n + n) || vec_push(&p->strings, (uint32_t)p->text.n))
		return -ENOMEM;
	memcpy(p->text.v + p->text.n, s, n);
	p->text.n += n;
	return put(&p->by_text, slot, p->strings.n);
}

/* ---- functions and locations */

static bool same_function(const struct profile *p, uint32_t i, const void *key)
{
	return !memcmp(&p->functions.v[i], key, sizeof(struct profile_function));
}

static uint64_t hash_function(const struct profile *p, uint32_t i)
{
	return hash(&p->functions.v[i], sizeof(struct profile_function));
}

int64_t profile_function(struct profile *p, const char *name, const char *file)
{
	int64_t n = profile_string(p, name), f = n < 0 ? n : profile_string(p, file), i;
	struct profile_function key = { n, f };
	size_t slot;

	if (f < 0)
		return f;
	if (p->functions.n >= UINT32_MAX - 1)
		return -EOVERFLOW;
	if (grow(p, &p->by_function, hash_function))
		return -ENOMEM;
	i = find(p, &p->by_function, hash(&key, sizeof(key)), same_function, &key, &slot);
	if (i >= 0)
		return i;
	if (vec_push(&p->functions, key))
		return -ENOMEM;
	return put(&p->by_function, slot, p->functions.n);
}

static bool same_addr(const struct profile *p, uint32_t i, const void *key)
{
	return p->locations.v[i].addr == *(const uint64_t *)key;
}

static uint64_t hash_addr(const struct profile *p, uint32_t i)
{
	return hash(&p->locations.v[i].addr, 8);
}

int64_t profile_find(const struct profile *p, uint64_t addr)
{
	size_t slot;
	int64_t i = find(p, &p->by_addr, hash(&addr, 8), same_addr, &addr, &slot);

	return i < 0 ? -ENOENT : i;
}

int64_t profile_location(struct profile *p, uint64_t addr, uint32_t mapping)
{
	struct profile_location l = { .addr = addr, .mapping = mapping, .first = p->lines.n };
	size_t slot;
	int64_t i;

	if (p->locations.n >= UINT32_MAX - 1 || p->lines.n >= UINT32_MAX - PROFILE_INLINED_MAX)
		return -EOVERFLOW;
	if (grow(p, &p->by_addr, hash_addr))
		return -ENOMEM;
	i = find(p, &p->by_addr, hash(&addr, 8), same_addr, &addr, &slot);
	if (i >= 0)
		return i;
	if (vec_push(&p->locations, l))
		return -ENOMEM;
	return put(&p->by_addr, slot, p->locations.n);
}

int64_t profile_line(struct profile *p, int64_t location, const char *function, const char *file,
		     uint32_t line)
{
	int64_t f = profile_function(p, function, file);

	if (f < 0)
		return f;
	if (vec_push(&p->lines, (struct profile_line){ f, line }))
		return -ENOMEM;
	p->locations.v[location].n++;
	return p->lines.n - 1;
}

static uint32_t name_of(const struct profile *p, uint32_t i)
{
	return p->functions.v[p->lines.v[p->locations.v[i].first].function].name;
}

static bool same_name(const struct profile *p, uint32_t i, const void *key)
{
	return name_of(p, i) == *(const uint32_t *)key;
}

static uint64_t hash_name(const struct profile *p, uint32_t i)
{
	uint32_t name = name_of(p, i);

	return hash(&name, sizeof(name));
}

int64_t profile_named(struct profile *p, const char *name)
{
	struct profile_location l = { .first = p->lines.n };
	int64_t s = profile_string(p, name), i;
	uint32_t key = s;
	size_t slot;

	if (s < 0)
		return s;
	if (p->locations.n >= UINT32_MAX - 1 || p->lines.n >= UINT32_MAX - 1)
		return -EOVERFLOW;
	if (grow(p, &p->by_name, hash_name))
		return -ENOMEM;
	i = find(p, &p->by_name, hash(&key, sizeof(key)), same_name, &key, &slot);
	if (i >= 0)
		return i;
	if (vec_push(&p->locations, l))
		return -ENOMEM;
	i = profile_line(p, p->locations.n - 1, name, "", 0);
	return i < 0 ? i : put(&p->by_name, slot, p->locations.n);
}

/* ---- labels and notes */

struct labels_key {
	const struct profile_label *v;
	size_t n;
};

static bool same_labels(const struct profile *p, uint32_t i, const void *key)
{
	const struct profile_label_set *s = &p->label_sets.v[i];
	const struct labels_key *k = key;

	return s->n == k->n && !memcmp(p->labels.v + s->first, k->v, k->n * sizeof(*k->v));
}

static uint64_t hash_labels(const struct profile *p, uint32_t i)
{
	const struct profile_label_set *s = &p->label_sets.v[i];

	return hash(p->labels.v + s->first, s->n * sizeof(*p->labels.v));
}

int64_t profile_labels(struct profile *p, const struct profile_label *v, size_t n)
{
	struct profile_label_set s = { .first = p->labels.n, .n = n };
	struct labels_key key = { v, n };
	size_t slot;
	int64_t i;

	if (!n)
		return 0;
	if (p->label_sets.n >= UINT32_MAX - 1 || p->labels.n + n > UINT32_MAX)
		return -EOVERFLOW;
	if (grow(p, &p->by_labels, hash_labels))
		return -ENOMEM;
	i = find(p, &p->by_labels, hash(v, n * sizeof(*v)), same_labels, &key, &slot);
	if (i >= 0)
		return i + 1;
	if (vec_reserve(&p->labels, p->labels.n + n) || vec_push(&p->label_sets, s))
		return -ENOMEM;
	memcpy(p->labels.v + p->labels.n, v, n * sizeof(*v));
	p->labels.n += n;
	return put(&p->by_labels, slot, p->label_sets.n) + 1;
}

int profile_say(struct profile *p, const char *fmt, ...)
{
	_free_ char *s = NULL;
	int64_t text;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	if (n < 0) {
		s = NULL;
		return -ENOMEM;
	}
	text = profile_string(p, s);
	if (text < 0)
		return text;
	for (size_t i = 0; i < p->notes.n; i++)
		if (p->notes.v[i] == text)
			return 0;
	return vec_push(&p->notes, (uint32_t)text);
}

/* ---- samples */

int profile_add(struct profile *p, const uint32_t *stack, const struct profile_sample *s)
{
	struct profile_sample x = *s;

	x.first = p->stacks.n;
	if (p->samples.n >= UINT32_MAX - 1 || p->stacks.n + x.n > UINT32_MAX)
		return -EOVERFLOW;
	if (vec_reserve(&p->stacks, p->stacks.n + x.n) || vec_push(&p->samples, x))
		return -ENOMEM;
	if (x.n)
		memcpy(p->stacks.v + p->stacks.n, stack, x.n * sizeof(*stack));
	p->stacks.n += x.n;
	return 0;
}

struct stack_key {
	const uint32_t *stack;
	const struct profile_sample *s;
};

static bool same_stack(const struct profile *p, uint32_t i, const void *key)
{
	const struct profile_sample *x = &p->samples.v[i];
	const struct stack_key *k = key;

	return x->n == k->s->n && x->labels == k->s->labels && x->size == k->s->size &&
	       (!x->n || !memcmp(p->stacks.v + x->first, k->stack, x->n * sizeof(*k->stack)));
}

static uint64_t hash_key(const uint32_t *stack, const struct profile_sample *s)
{
	return hash(stack, s->n * sizeof(*stack)) + s->labels + s->size * 31;
}

static uint64_t hash_stack(const struct profile *p, uint32_t i)
{
	const struct profile_sample *s = &p->samples.v[i];

	return hash_key(s->n ? p->stacks.v + s->first : NULL, s);
}

int profile_count(struct profile *p, const uint32_t *stack, const struct profile_sample *s)
{
	struct stack_key key = { stack, s };
	size_t slot;
	int64_t i;
	int r;

	if (grow(p, &p->by_stack, hash_stack))
		return -ENOMEM;
	i = find(p, &p->by_stack, hash_key(stack, s), same_stack, &key, &slot);
	if (i < 0) {
		r = profile_add(p, stack, s);
		if (!r)
			put(&p->by_stack, slot, p->samples.n);
		return r;
	}
	for (size_t k = 0; k < p->ntypes; k++)
		p->samples.v[i].value[k] += s->value[k];
	p->samples.v[i].variance += s->variance;
	return 0;
}

/* ---- life */

int profile_init(struct profile *p)
{
	int64_t r;

	*p = (struct profile){ 0 };
	r = profile_string(p, "");
	return r < 0 ? r : 0;
}

void profile_free(struct profile *p)
{
	vec_free(&p->text);
	vec_free(&p->strings);
	vec_free(&p->mappings);
	vec_free(&p->functions);
	vec_free(&p->lines);
	vec_free(&p->locations);
	vec_free(&p->stacks);
	vec_free(&p->labels);
	vec_free(&p->label_sets);
	vec_free(&p->samples);
	vec_free(&p->notes);
	vec_free(&p->by_text.slot);
	vec_free(&p->by_function.slot);
	vec_free(&p->by_addr.slot);
	vec_free(&p->by_name.slot);
	vec_free(&p->by_stack.slot);
	vec_free(&p->by_labels.slot);
	*p = (struct profile){ 0 };
}
