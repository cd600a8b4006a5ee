/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Objects by type, of a process whose memory is the input: words that stand for types, types,
 * names, and what reflect has made. Whatever they are, the sums are those of the bitmaps.
 *
 * Input: records of spans, then memory, whose first half holds what the linker has made.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "goruntime/types.h"

#include "fuzz_memory.h"

#define MODULE 0x10000ULL /* moduledata, made here */

enum { SPANS = 8 };

struct span_record {
	uint32_t start, elemsize;
	uint16_t nelems, cut; /* cut: the span comes in pieces of so many bytes */
	uint8_t spanclass, resident, pad[2];
	uint64_t large_type;
	uint64_t alloc, live; /* bits of its first slots */
};

struct input {
	struct span_record span[SPANS];
	uint8_t mem[];
};

struct process {
	struct fuzz_memory mem;
	struct go_layout l;
	uint8_t module[4096];
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int read_mem(struct memsrc *m, enum memsrc_pass pass, uint32_t epoch, uint64_t addr,
		    void *buf, size_t len, range_vec *holes)
{
	const struct process *p = (const struct process *)m;

	if (addr >= MODULE && addr - MODULE < sizeof(p->module) &&
	    len <= sizeof(p->module) - (addr - MODULE)) {
		memcpy(buf, p->module + (addr - MODULE), len);
		return 0;
	}
	return fuzz_read(m, pass, epoch, addr, buf, len, holes);
}

static const struct memsrc_ops ops = { .read = read_mem, .gather = fuzz_gather };

static int take(void *ctx, const char *name, enum go_type_how how, const struct go_type_sum *sum)
{
	struct go_type_sum *all = ctx;
	uint32_t code;
	size_t n = 0, k;

	for (; name[n]; n += k) {
		k = utf8_next(name + n, &code);
		if (!k || code < ' ' || code == 127)
			abort();
	}
	if (!n || n > 4096 || how >= GO_TYPE_HOWS || sum->resident > sum->live)
		abort();
	all->live += sum->live;
	all->dead += sum->dead;
	all->resident += sum->resident;
	all->objects += sum->objects;
	return 0;
}

static void slots_of(const struct span_record *x, uint16_t nelems, struct go_slots *b)
{
	for (size_t k = 0; k * 64 < nelems; k++) {
		b->alloc[k] = x->alloc ^ k;
		if (nelems % 64 && k == nelems / 64)
			b->alloc[k] &= (1ULL << nelems % 64) - 1;
		b->live[k] = b->alloc[k] & x->live;
	}
}

static void add(struct go_types *t, const struct span_record *x, struct go_type_sum *want)
{
	struct go_span s = { .start = FUZZ_BASE + x->start,
			     .elemsize = x->elemsize ? x->elemsize : 1,
			     .nelems = x->nelems % 512,
			     .spanclass = x->spanclass };
	uint64_t end = go_span_limit(&s) + 64, piece = x->cut ? x->cut * 16 : end - s.start;
	struct go_slots b;

	slots_of(x, s.nelems, &b);
	want->objects += go_slots_count(b.live, 0, s.nelems);
	piece = piece < (end - s.start) / 64 ? (end - s.start) / 64 : piece;
	for (uint64_t a = s.start, z; a < end; a = z) {
		struct go_types_piece p = { &s, &b, x->large_type, a, 0, x->resident & 1 };
		uint64_t live, dead;

		z = p.end = end - a < piece ? end : a + piece;
		go_slots_divide(&b, &s, a, z, &live, &dead, NULL);
		want->live += live;
		want->dead += dead;
		want->resident += p.resident ? live : 0;
		if (go_types_add(t, &p))
			abort();
	}
}

static void look(const struct input *in, size_t size, const char *release)
{
	struct process p = { .mem = { .m = { .ops = &ops, .page_size = 4096, .kind = MEMSRC_CORE },
				      .p = in->mem,
				      .n = size } };
	const struct go_layout *known = go_layout_find(release, "amd64");
	struct go_runtime rt = { .m = &p.mem.m, .l = &p.l, .g = { .moduledata = MODULE } };
	struct go_type_sum want = { 0 }, got = { 0 };
	struct go_types *t = NULL;
	uint64_t half = FUZZ_BASE + size / 2;

	if (!known)
		abort();
	p.l = *known;
	memcpy(p.module + p.l.f[GO_MODULEDATA_TYPES], &(uint64_t){ FUZZ_BASE }, 8);
	memcpy(p.module + p.l.f[GO_MODULEDATA_ETYPES], &half, 8);
	if (go_types_create(&rt, NULL, &t))
		abort();
	for (size_t i = 0; i < SPANS; i++)
		add(t, &in->span[i], &want);
	if (go_types_end(t, take, &got) || memcmp(&got, &want, sizeof(got)) != 0)
		abort();
	go_types_destroy(t);
	vec_free(&p.mem.m.holes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input *in;

	if (size < sizeof(*in))
		return 0;
	in = malloc(size); /* aligned */
	if (!in)
		return 0;
	memcpy(in, data, size);
	look(in, size - sizeof(*in), "go1.22.1");
	look(in, size - sizeof(*in), "go1.27.1");
	look(in, size - sizeof(*in), "go1.21.13");
	free(in);
	return 0;
}
