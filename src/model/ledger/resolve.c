/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/ledger/resolve.h"

#include <errno.h>

/* ---- sorting in place: qsort of glibc before 2.37 doubles the memory, later ones may too */

static bool before(const struct claim *a, const struct claim *b)
{
	return a->start != b->start ? a->start < b->start : a->seq < b->seq;
}

static void swap(struct claim *a, struct claim *b)
{
	struct claim t = *a;

	*a = *b;
	*b = t;
}

static void sift_down(struct claim *v, size_t i, size_t n)
{
	for (size_t kid; (kid = 2 * i + 1) < n; i = kid) {
		if (kid + 1 < n && before(&v[kid], &v[kid + 1]))
			kid++;
		if (!before(&v[i], &v[kid]))
			return;
		swap(&v[i], &v[kid]);
	}
}

static void heap_sort(struct claim *v, size_t n)
{
	for (size_t i = n / 2; i-- > 0;)
		sift_down(v, i, n);
	for (size_t i = n; i-- > 1;) {
		swap(&v[0], &v[i]);
		sift_down(v, 0, i);
	}
}

static void insertion_sort(struct claim *v, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		struct claim c = v[i];
		size_t k = i;

		for (; k && before(&c, &v[k - 1]); k--)
			v[k] = v[k - 1];
		v[k] = c;
	}
}

/* Quicksort that falls back to heapsort when an input defeats the pivots. */
static void sort(struct claim *v, size_t n, int depth)
{
	while (n > 16) {
		struct claim pivot;
		size_t i = 0, j = n - 1;

		if (!depth--) {
			heap_sort(v, n);
			return;
		}
		if (before(&v[n / 2], &v[0]))
			swap(&v[n / 2], &v[0]);
		if (before(&v[n - 1], &v[n / 2]))
			swap(&v[n - 1], &v[n / 2]);
		if (before(&v[n / 2], &v[0]))
			swap(&v[n / 2], &v[0]);
		pivot = v[n / 2];
		for (;; i++, j--) {
			while (before(&v[i], &pivot))
				i++;
			while (before(&pivot, &v[j]))
				j--;
			if (i >= j)
				break;
			swap(&v[i], &v[j]);
		}
		j++; /* [0, j) ≤ pivot ≤ [j, n), both smaller than n */
		if (j < n - j) {
			sort(v, j, depth);
			v += j;
			n -= j;
		} else {
			sort(v + j, n - j, depth);
			n = j;
		}
	}
	insertion_sort(v, n);
}

/* ---- overlaps */

/* The claims that have begun, the one added first on top. Ended ones are dropped when they come
 * up. */
struct active {
	const struct claim *c;
	VEC(uint32_t) heap;
};

static uint32_t key(const struct active *a, size_t i)
{
	return a->c[a->heap.v[i]].seq;
}

static int active_add(struct active *a, uint32_t index)
{
	size_t i = a->heap.n;

	if (vec_push(&a->heap, index))
		return -ENOMEM;
	while (i && key(a, i) < key(a, (i - 1) / 2)) {
		uint32_t t = a->heap.v[i];

		a->heap.v[i] = a->heap.v[(i - 1) / 2];
		a->heap.v[(i - 1) / 2] = t;
		i = (i - 1) / 2;
	}
	return 0;
}

static void active_pop(struct active *a)
{
	size_t i = 0, n = --a->heap.n;

	a->heap.v[0] = a->heap.v[n];
	for (size_t kid; (kid = 2 * i + 1) < n; i = kid) {
		uint32_t t = a->heap.v[i];

		if (kid + 1 < n && key(a, kid + 1) < key(a, kid))
			kid++;
		if (key(a, i) <= key(a, kid))
			return;
		a->heap.v[i] = a->heap.v[kid];
		a->heap.v[kid] = t;
	}
}

/* The claim that owns position p, or NULL when none that has begun reaches it. */
static const struct claim *active_owner(struct active *a, uint64_t p)
{
	while (a->heap.n && a->c[a->heap.v[0]].end <= p)
		active_pop(a);
	return a->heap.n ? &a->c[a->heap.v[0]] : NULL;
}

static int emit(claim_vec *out, const struct claim *c, uint64_t start, uint64_t end)
{
	struct claim piece = *c;

	if (out->n && out->v[out->n - 1].seq == c->seq && out->v[out->n - 1].end == start) {
		out->v[out->n - 1].end = end;
		return 0;
	}
	piece.start = start;
	piece.end = end;
	return vec_push(out, piece);
}

static int cut(struct active *a, const claim_vec *v, claim_vec *out, uint64_t *conflict)
{
	uint64_t far = 0, second = 0; /* the two largest ends so far: bytes below `second` are
				       * claimed at least twice */
	uint64_t p = 0;
	size_t next = 0;

	for (;;) {
		const struct claim *c = active_owner(a, p);
		uint64_t until;

		if (!c && next == v->n)
			return 0;
		if (!c)
			p = v->v[next].start;
		for (; next < v->n && v->v[next].start <= p; next++) {
			uint64_t end = v->v[next].end;

			if (active_add(a, next))
				return -ENOMEM;
			second = end > far ? far : end > second ? end : second;
			far = end > far ? end : far;
		}
		c = active_owner(a, p);
		until = c->end;
		if (next < v->n && v->v[next].start < until)
			until = v->v[next].start;
		if (emit(out, c, p, until))
			return -ENOMEM;
		if (second > p)
			*conflict += (second < until ? second : until) - p;
		p = until;
	}
}

int claims_resolve(claim_vec *v, uint64_t *conflict)
{
	struct active a = { .c = v->v };
	claim_vec out = { 0 };
	bool sorted = true, apart = true;
	int rc;

	for (size_t i = 1; i < v->n && sorted; i++)
		sorted = before(&v->v[i - 1], &v->v[i]);
	if (!sorted)
		sort(v->v, v->n, 2 * (64 - __builtin_clzll(v->n)));
	for (size_t i = 1; i < v->n && apart; i++)
		apart = v->v[i - 1].end <= v->v[i].start;
	if (apart)
		return 0;
	rc = cut(&a, v, &out, conflict);
	vec_free(&a.heap);
	if (rc) {
		vec_free(&out);
		return rc;
	}
	vec_free(v);
	v->v = out.v;
	v->n = out.n;
	v->cap = out.cap;
	return 0;
}
