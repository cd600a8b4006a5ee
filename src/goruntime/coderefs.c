/* SPDX-License-Identifier: BSD-2-Clause */
#include "goruntime/coderefs.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/cursor.h"

enum { MAX_CODE = 1 << 17, MAX_REFS = 1 << 15 };

static int ref_add(struct code_refs *r, uint64_t addr, bool store, bool add)
{
	if (addr < r->lo || addr >= r->hi || r->v.n >= MAX_REFS)
		return 0;
	return vec_push(&r->v, ((struct code_ref){ addr, store, add }));
}

static int compare(const void *a, const void *b)
{
	const struct code_ref *x = a, *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	return y->store + y->add - (x->store + x->add);
}

const struct code_ref *code_refs_find(const struct code_refs *r, uint64_t addr)
{
	size_t lo = 0, hi = r->v.n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (r->v.v[mid].addr < addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < r->v.n && r->v.v[lo].addr == addr ? &r->v.v[lo] : NULL;
}

/* RIP-relative operands that end their instruction, or stand before a byte that is compared or
 * stored (80, 83, C6). */
static int refs_amd64(const uint8_t *p, size_t n, uint64_t at, struct code_refs *r)
{
	int rc = 0;

	for (size_t i = 2; i + 6 <= n && !rc; i++) {
		uint8_t op = p[i - 1];

		bool wide = (p[i - 2] & 0xf8) == 0x48;

		if ((p[i] & 0xc7) == 5)
			rc = ref_add(r,
				     at + i + 5 + (op == 0x80 || op == 0x83 || op == 0xc6) +
					     (int32_t)load_u32(p + i + 1),
				     wide && op == 0x89,
				     wide && (op == 0x01 || (op == 0xff && !(p[i] & 0x38))));
	}
	return rc;
}

/* adrp, then add or a load or store with the rest of the address; after add, a store. */
static int refs_arm64(const uint8_t *p, size_t n, uint64_t at, struct code_refs *r)
{
	int rc = 0;

	for (size_t i = 0; i + 12 <= n && !rc; i += 4) {
		uint32_t x = load_u32(p + i), y = load_u32(p + i + 4), z = load_u32(p + i + 8);
		int64_t pages = (x >> 29 & 3) | (x >> 5 & 0x7ffff) << 2;
		uint64_t page, imm = y >> 10 & 0xfff;

		if ((x & 0x9f000000) != 0x90000000 || (y >> 5 & 31) != (x & 31))
			continue;
		pages = (pages ^ 1 << 20) - (1 << 20); /* 21 bits, signed */
		page = ((at + i) & ~0xfffULL) + (uint64_t)pages * 4096;
		if ((y & 0xffc00000) == 0x91000000) /* str Xt, [rd, #imm * 8] */
			rc = ref_add(r,
				     page + imm +
					     ((z & 0xffc00000) == 0xf9000000 ? (z >> 10 & 0xfff) * 8
									     : 0),
				     (z & 0xffc00000) == 0xf9000000 && (z >> 5 & 31) == (y & 31),
				     false);
		else if ((y & 0x3b000000) == 0x39000000) /* of integers and floats */
			rc = ref_add(r, page + (imm << (y >> 30)), (y & 0xffc00000) == 0xf9000000,
				     false);
	}
	return rc;
}

int code_refs_read(struct bin *b, uint64_t text, const char *name, struct code_refs *r)
{
	struct bin_func fn;
	_free_ uint8_t *code = NULL;
	size_t n;
	int rc = bin_go_lookup(b, text, name, &fn);

	if (rc)
		return rc;
	if (fn.end <= fn.entry || fn.end - fn.entry > MAX_CODE)
		return -ENOENT;
	n = fn.end - fn.entry;
	code = malloc(n);
	if (!code)
		return -ENOMEM;
	rc = bin_read(b, fn.entry, code, n);
	if (rc)
		return rc == -EFAULT ? -ENOENT : rc;
	switch (bin_arch(b)) {
	case BIN_ARCH_AMD64:
		rc = refs_amd64(code, n, fn.entry, r);
		break;
	case BIN_ARCH_ARM64:
		rc = refs_arm64(code, n, fn.entry, r);
		break;
	default:
		return -ENOENT;
	}
	if (r->v.n)
		qsort(r->v.v, r->v.n, sizeof(*r->v.v), compare);
	return rc;
}
