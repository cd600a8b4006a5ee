/* SPDX-License-Identifier: BSD-2-Clause */
/* Goroutines and threads, and their stacks, of a process whose memory is the input: bounded, and
 * nothing outside of it. The program's function table is sound. Input: allgs, allm, then whatever
 * they lead to. */
#include <stdlib.h>
#include <string.h>

/* a fuzz target is one source and the library */
#include "../unit/bytes.c"
#include "../unit/elf_writer.c"
#include "../unit/go_writer.c"
#include "collect/stack_book.h"
#include "goruntime/labels.h"
#include "goruntime/stacks.h"

#include "fuzz_memory.h"

struct process {
	struct fuzz_memory mem;
	struct stack_book book;
	struct go_runtime rt;
	uint64_t sum;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int pages(struct memsrc *m, unsigned int seq, uint64_t start, uint64_t end, range_vec *out)
{
	return range_append(out, start, start + (end - start) / 2, PAGE_PRESENT);
}

static const struct memsrc_ops ops = { .read = fuzz_read, .gather = fuzz_gather, .pages = pages };

/* What is told holds. */
static int take(void *ctx, const struct go_stack *s)
{
	struct process *p = ctx;
	struct stack_bytes b;
	struct go_labels l;
	char state[64];

	if (s->npc > GO_STACK_DEPTH_MAX || s->lo > s->hi ||
	    (s->sp && (s->sp < s->lo || s->sp > s->hi)))
		abort();
	for (size_t i = 0; i < s->npc; i++)
		p->sum += s->pc[i] + s->in_place[i];
	if (strlen(go_stack_state(p->rt.l, s, state, sizeof(state))) >= sizeof(state))
		abort();
	go_labels_read(&p->rt, s->labels, &l);
	if (stack_book_take(&p->book, s->lo, s->hi, &b) &&
	    (!b.reserved || b.reserved > s->hi - s->lo || b.resident > b.reserved))
		abort();
	p->sum += b.reserved;
	return 0;
}

static struct bin *open_program(struct gow_place *place)
{
	static const struct gow g = {
		.magic = 0xfffffff1, .machine = EM_X86_64, .sections = true, .version = "go1.26.8"
	};
	_text_ struct text t = { 0 };
	struct bin *b;

	gow_make(&g, &t, place);
	if (bin_open(bytes_fd(t.p, t.n), &b, NULL))
		abort();
	return b;
}

static void look(const uint8_t *data, size_t size, enum memsrc_kind kind, const char *release)
{
	static struct bin *b;
	static struct gow_place place;
	struct go_span span = { .start = FUZZ_BASE & ~(GO_PAGE_SIZE - 1ULL),
				.npages = 4,
				.kind = GO_SPAN_STACK };
	struct go_heap heap = { 0 };
	struct stack_bytes rest;
	struct process p = { .mem = { .m = { .ops = &ops, .page_size = 4096, .kind = kind },
				      .p = data,
				      .n = size } };

	if (!b)
		b = open_program(&place);
	p.rt = (struct go_runtime){
		.m = &p.mem.m,
		.l = go_layout_find(release, "amd64"),
		.g = { .allgs = FUZZ_BASE, .allm = FUZZ_BASE + 24, .text = place.text }
	};
	if (vec_push(&heap.spans, span) || stack_book_open(&p.mem.m, &heap, &p.book))
		abort();
	p.sum = 0;
	go_stacks_read(&p.rt, b, true, take, &p);
	go_system_stacks_read(&p.rt, take, &p);
	stack_book_rest(&p.book, &rest);
	if (rest.reserved > 4 * GO_PAGE_SIZE || rest.resident > rest.reserved)
		abort();
	go_heap_free(&heap);
	stack_book_free(&p.book);
	vec_free(&p.mem.m.holes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	look(data, size, MEMSRC_CORE, "go1.20.14");
	look(data, size, MEMSRC_LIVE, "go1.26.8");
	return 0;
}
