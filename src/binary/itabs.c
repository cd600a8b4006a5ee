/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * itabs: which method of a type stands for which of an interface (runtime/runtime2.go, internal/abi
 * ITab): {interface, type, hash, functions}, 24 bytes and 8 a method. Up to 1.26 moduledata lists
 * where they are; from 1.27 on they lie side by side.
 */
#include <string.h>

#include "binary/parts.h"

enum {
	ITABS_MAX = 1 << 18,
	HEAD = 24,
	METHODS = 64, /* in the interface's descriptor: how many there are */
	METHODS_MAX = 1 << 16,
};

static int by_address(const void *x, const void *y)
{
	uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;

	return a < b ? -1 : a > b;
}

static int add_itab(struct bin *b, uint64_t at, uint64_t interface, part_vec *out)
{
	uint64_t n = 1;

	if (bin_read(b, interface + METHODS, &n, sizeof(n)) || !n || n > METHODS_MAX)
		n = 1;
	return vec_push(out, (struct part){ at, at + HEAD + 8 * n, "itabs", "Go tables", 0, 0 });
}

/* The first word of each is the interface. */
static int add_listed(struct bin *b, const uint64_t *at, size_t n, part_vec *out)
{
	_free_ struct image_span *span = calloc(n, sizeof(*span));
	_free_ uint64_t *interface = calloc(n, sizeof(*interface));
	size_t k = 0;
	int r;

	if (!span || !interface)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		uint64_t off, avail;

		if (image_off(b, at[i], &off, &avail) || avail < HEAD + 8 ||
		    (k && at[i] - span[k - 1].vaddr < HEAD))
			continue;
		span[k] = (struct image_span){ at[i], 1, k };
		k++;
	}
	r = image_words_many(b, span, k, interface);
	for (size_t i = 0; i < k && !r; i++)
		r = add_itab(b, span[i].vaddr, interface[i], out);
	return r;
}

int itabs_find(struct bin *b, const struct module *m, part_vec *out)
{
	_free_ uint64_t *at = NULL;
	size_t n = m->nitablinks;
	int r;

	if (m->itabs_size && m->itabs + m->itabs_size > m->itabs)
		return vec_push(out, (struct part){ m->itabs, m->itabs + m->itabs_size, "itabs",
						    "Go tables", 0, 0 });
	if (!n || n > ITABS_MAX)
		return 0;
	at = calloc(n, sizeof(*at));
	if (!at)
		return -ENOMEM;
	io_allow(b->io, 3 * io_size(b->io));
	r = image_words(b, m->itablinks, at, n);
	if (!r) {
		qsort(at, n, sizeof(*at), by_address);
		r = add_listed(b, at, n, out);
	}
	return r == -ENOMEM ? r : 0;
}
