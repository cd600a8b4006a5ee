/* SPDX-License-Identifier: BSD-2-Clause */
#include "symbol/stacks.h"

#include <stdlib.h>
#include <errno.h>
#include <string.h>

#include "base/vec.h"

/* A frame: equal when file and at are. */
struct place {
	uint32_t file; /* index + 1; 0: none, at is the address */
	uint64_t at;   /* offset in the file of the byte behind the call */
	uint64_t addr; /* where it was seen first */
};

struct stack {
	uint64_t hash;
	struct place *frame; /* owned; NULL: the id is free */
	uint16_t n, ngo;
	bool used;
};

struct user {
	stacks_user_fn *fn;
	void *ctx;
};

struct stacks {
	uint32_t max, next_free;
	uint32_t nslot;	     /* a power of two, at least twice max */
	uint32_t *slot;	     /* open addressing: id, 0 for empty */
	VEC(struct stack) v; /* id - 1 */
	struct code_file *file;
	bool *file_used;
	size_t nfile;
	VEC(struct user) users;
	uint64_t refused;
};

int stacks_create(uint32_t max, struct stacks **out)
{
	struct stacks *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->max = max ? max : STACKS_MAX;
	for (t->nslot = 2; t->nslot < 2 * t->max; t->nslot *= 2)
		;
	t->slot = calloc(t->nslot, sizeof(*t->slot));
	t->file = calloc(STACKS_FILES_MAX, sizeof(*t->file));
	t->file_used = calloc(STACKS_FILES_MAX, sizeof(*t->file_used));
	if (!t->slot || !t->file || !t->file_used) {
		stacks_destroy(t);
		return -ENOMEM;
	}
	*out = t;
	return 0;
}

void stacks_destroy(struct stacks *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->v.n; i++)
		free(t->v.v[i].frame);
	vec_free(&t->v);
	vec_free(&t->users);
	free(t->slot);
	free(t->file);
	free(t->file_used);
	free(t);
}

/* ---- users */

int stacks_join(struct stacks *t, stacks_user_fn *fn, void *ctx)
{
	return vec_push(&t->users, (struct user){ fn, ctx });
}

void stacks_leave(struct stacks *t, const void *ctx)
{
	for (size_t i = 0; i < t->users.n; i++)
		if (t->users.v[i].ctx == ctx) {
			t->users.v[i] = t->users.v[--t->users.n];
			return;
		}
}

static struct stack *stack_of(const struct stacks *t, uint32_t id)
{
	return id && id <= t->v.n && t->v.v[id - 1].frame ? &t->v.v[id - 1] : NULL;
}

void stacks_keep(struct stacks *t, uint32_t id)
{
	struct stack *x = stack_of(t, id);

	if (x)
		x->used = true;
}

/* ---- the table */

static uint64_t hash_of(const struct place *f, size_t n, size_t ngo)
{
	uint64_t h = n << 16 | ngo;

	for (size_t i = 0; i < n; i++) {
		h = (h ^ f[i].at) * 0x9e3779b97f4a7c15ULL, h ^= h >> 29;
		h = (h ^ f[i].file) * 0x9e3779b97f4a7c15ULL, h ^= h >> 29;
	}
	return h;
}

static bool is_equal(const struct stack *x, uint64_t hash, const struct place *f, size_t n,
		     size_t ngo)
{
	if (x->hash != hash || x->n != n || x->ngo != ngo)
		return false;
	for (size_t i = 0; i < n; i++)
		if (x->frame[i].file != f[i].file || x->frame[i].at != f[i].at)
			return false;
	return true;
}

/* The slot that holds it, or the empty one where it belongs. */
static uint32_t *slot_of(struct stacks *t, uint64_t hash, const struct place *f, size_t n,
			 size_t ngo)
{
	for (size_t i = hash & (t->nslot - 1);; i = (i + 1) & (t->nslot - 1))
		if (!t->slot[i] || is_equal(&t->v.v[t->slot[i] - 1], hash, f, n, ngo))
			return &t->slot[i];
}

static void give_up_unused(struct stacks *t)
{
	for (size_t i = 0; i < t->v.n; i++)
		t->v.v[i].used = false;
	for (size_t i = 0; i < t->users.n; i++)
		t->users.v[i].fn(t->users.v[i].ctx, t);
	memset(t->slot, 0, t->nslot * sizeof(*t->slot));
	memset(t->file_used, 0, STACKS_FILES_MAX * sizeof(*t->file_used));
	for (size_t i = 0; i < t->v.n; i++) {
		struct stack *x = &t->v.v[i];

		if (!x->used) {
			free(x->frame);
			x->frame = NULL;
			continue;
		}
		*slot_of(t, x->hash, x->frame, x->n, x->ngo) = i + 1;
		for (size_t k = 0; k < x->n; k++)
			if (x->frame[k].file)
				t->file_used[x->frame[k].file - 1] = true;
	}
	t->next_free = 0;
}

/* An id without a stack, 0: there is none. */
static uint32_t free_id(struct stacks *t)
{
	if (t->v.n < t->max)
		return vec_push(&t->v, (struct stack){ 0 }) ? 0 : (uint32_t)t->v.n;
	for (int tries = 0; tries < 2; tries++) {
		for (; t->next_free < t->max; t->next_free++)
			if (!t->v.v[t->next_free].frame)
				return t->next_free + 1;
		/* Once in a while only, when hardly any become free. */
		if (!tries && t->refused % t->max == 0)
			give_up_unused(t);
	}
	return 0;
}

/* ---- files */

static uint32_t file_number(struct stacks *t, const struct code_file *f)
{
	size_t unused = STACKS_FILES_MAX;

	for (size_t i = 0; i < t->nfile; i++) {
		if (code_file_is_same(&t->file[i], f)) {
			t->file_used[i] = true;
			return i + 1;
		}
		if (!t->file_used[i] && unused == STACKS_FILES_MAX)
			unused = i;
	}
	if (unused == STACKS_FILES_MAX && t->nfile < STACKS_FILES_MAX)
		unused = t->nfile++;
	if (unused == STACKS_FILES_MAX)
		return 0;
	t->file[unused] = *f;
	t->file_used[unused] = true;
	return unused + 1;
}

static struct place place_of(struct stacks *t, struct symbolizer *s, uint64_t addr)
{
	struct place p = { .at = addr, .addr = addr };
	struct code_file file;
	uint64_t off;

	if (!symbolizer_place(s, addr, &file, &off))
		return p;
	p.file = file_number(t, &file);
	if (p.file)
		p.at = off;
	return p;
}

uint32_t stacks_intern(struct stacks *t, struct symbolizer *s, const uint64_t *addr, size_t n,
		       size_t ngo)
{
	struct place f[EVENT_STACK_MAX], *own;
	uint64_t hash;
	uint32_t *at, id;

	if (n > EVENT_STACK_MAX)
		n = EVENT_STACK_MAX;
	if (!n)
		return STACKS_NONE;
	for (size_t i = 0; i < n; i++)
		f[i] = place_of(t, s, addr[i]);
	hash = hash_of(f, n, ngo);
	at = slot_of(t, hash, f, n, ngo);
	if (*at)
		return *at;
	own = malloc(n * sizeof(*own));
	id = own ? free_id(t) : 0;
	if (!id) {
		t->refused++;
		free(own);
		return STACKS_NONE;
	}
	/* Their files may have been given up with the stacks that made room. */
	for (size_t i = 0; i < n; i++)
		if (f[i].file)
			t->file_used[f[i].file - 1] = true;
	memcpy(own, f, n * sizeof(*own));
	t->v.v[id - 1] = (struct stack){ hash, own, n, ngo, true };
	*slot_of(t, hash, f, n, ngo) = id;
	return id;
}

size_t stacks_depth(const struct stacks *t, uint32_t id, size_t *ngo)
{
	const struct stack *x = stack_of(t, id);

	if (!x)
		return 0;
	*ngo = x->ngo;
	return x->n;
}

uint64_t stacks_address(const struct stacks *t, struct symbolizer *s, uint32_t id, size_t i)
{
	const struct stack *x = stack_of(t, id);
	const struct place *p = x && i < x->n ? &x->frame[i] : NULL;

	if (!p)
		return 0;
	return p->file ? symbolizer_address(s, &t->file[p->file - 1], p->at, p->addr) : p->addr;
}

uint64_t stacks_refused(const struct stacks *t)
{
	return t->refused;
}
