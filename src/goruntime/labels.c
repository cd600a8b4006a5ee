/* SPDX-License-Identifier: BSD-2-Clause */
/* All that is read is the target's word: counts, lengths and chains are bounded. */
#include "goruntime/labels.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "goruntime/rd.h"

enum {
	LIST_SINCE = 24 * 10000, /* Go 1.24, as go_version_number has it */
	CELLS = 8,		 /* of a bucket */
	MIN_TOP_HASH = 5,	 /* below: the cell is empty or has moved to the other array */
	BUCKETS_MAX = 64,
	CHAIN_MAX = 16,
	LEN_MAX = 1 << 30, /* a string that is longer is none */
};

struct go_text {
	uint64_t p, len;
};

/* runtime/map.go, hmap, of 1.15–1.23. */
struct hmap {
	uint64_t count;
	uint8_t flags, b;
	uint16_t noverflow;
	uint32_t hash0;
	uint64_t buckets, oldbuckets;
};

struct bucket {
	uint8_t top[CELLS];
	struct go_text key[CELLS], value[CELLS];
	uint64_t overflow;
};

_Static_assert(sizeof(struct hmap) == 32 && sizeof(struct bucket) == 272,
	       "as the compiler has them");

/* ---- texts */

static int take_text(const struct go_runtime *rt, const struct go_text *t, struct go_labels *out,
		     const char **text)
{
	size_t n = t->len < GO_LABEL_MAX ? t->len : GO_LABEL_MAX;
	char *to = out->text + out->used;
	int r;

	if (t->len > LEN_MAX)
		return -EINVAL;
	if (n + 1 > sizeof(out->text) - out->used)
		return -ENOSPC;
	r = n ? rd(rt, PASS_BOOKS, t->p, to, n) : 0;
	if (r)
		return r;
	for (size_t i = 0; i < n; i++)
		if (!to[i])
			to[i] = '?';
	to[n] = 0;
	out->used += n + 1;
	out->cut |= n < t->len;
	*text = to;
	return 0;
}

static int take_label(const struct go_runtime *rt, const struct go_text *key,
		      const struct go_text *value, struct go_labels *out)
{
	struct go_label l;
	int r = out->n < GO_LABELS_MAX ? take_text(rt, key, out, &l.key) : -ENOSPC;

	if (!r)
		r = take_text(rt, value, out, &l.value);
	if (r == -ENOSPC) {
		out->cut = true;
		return 0;
	}
	if (!r)
		out->v[out->n++] = l;
	return r;
}

/* ---- a list */

static int read_list(const struct go_runtime *rt, uint64_t addr, struct go_labels *out)
{
	struct go_text pair[GO_LABELS_MAX][2];
	struct go_slice s;
	int r = rd(rt, PASS_BOOKS, addr, &s, sizeof(s));
	size_t n;

	if (r)
		return r;
	if (s.len > s.cap)
		return -EINVAL;
	n = s.len < GO_LABELS_MAX ? s.len : GO_LABELS_MAX;
	out->cut = n < s.len;
	r = n ? rd(rt, PASS_BOOKS, s.ptr, pair, n * sizeof(pair[0])) : 0;
	for (size_t i = 0; i < n && !r; i++)
		r = take_label(rt, &pair[i][0], &pair[i][1], out);
	return r;
}

/* ---- a map */

static int read_chain(const struct go_runtime *rt, uint64_t at, struct go_labels *out)
{
	struct bucket b;
	int r = 0;

	for (unsigned int i = 0; at && i < CHAIN_MAX && !r; i++) {
		r = rd(rt, PASS_BOOKS, at, &b, sizeof(b));
		for (unsigned int k = 0; k < CELLS && !r; k++)
			if (b.top[k] >= MIN_TOP_HASH)
				r = take_label(rt, &b.key[k], &b.value[k], out);
		at = b.overflow;
	}
	out->cut |= !r && at;
	return r;
}

static int read_buckets(const struct go_runtime *rt, uint64_t at, uint64_t n, struct go_labels *out)
{
	int r = 0;

	out->cut |= at && n > BUCKETS_MAX;
	for (uint64_t i = 0; at && i < n && i < BUCKETS_MAX && !r; i++)
		r = read_chain(rt, at + i * sizeof(struct bucket), out);
	return r;
}

/* A map that grows has cells that have not moved yet in the old array. */
static int read_map(const struct go_runtime *rt, uint64_t addr, struct go_labels *out)
{
	struct hmap h;
	uint64_t at, n;
	int r = rd_u64(rt, PASS_BOOKS, addr, &at);

	if (r || !at)
		return r;
	r = rd(rt, PASS_BOOKS, at, &h, sizeof(h));
	if (r)
		return r;
	if (h.b > 32)
		return -EINVAL;
	n = 1ULL << h.b;
	r = read_buckets(rt, h.buckets, n, out);
	/* half as many, unless it only tidies up (sameSizeGrow, flag 8) */
	return r ? r : read_buckets(rt, h.oldbuckets, h.flags & 8 || n == 1 ? n : n / 2, out);
}

/* ---- either */

static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct go_label *)a)->key, ((const struct go_label *)b)->key);
}

static int read_once(const struct go_runtime *rt, uint64_t addr, struct go_labels *out)
{
	out->n = out->used = 0;
	out->cut = false;
	return go_version_number(rt->l->releases) >= LIST_SINCE ? read_list(rt, addr, out)
								: read_map(rt, addr, out);
}

/* Empty ones are rare; a page that the kernel is moving looks like that for a moment. */
int go_labels_read(const struct go_runtime *rt, uint64_t addr, struct go_labels *out)
{
	int r = 0;

	out->n = out->used = 0;
	out->cut = false;
	if (addr)
		r = read_once(rt, addr, out);
	if (addr && (r || !out->n) && r != -ESRCH && memsrc_kind(rt->m) == MEMSRC_LIVE) {
		memsrc_flush(rt->m);
		r = read_once(rt, addr, out);
	}
	if (r) {
		out->n = 0;
		return r;
	}
	qsort(out->v, out->n, sizeof(*out->v), by_key);
	return 0;
}
