/* SPDX-License-Identifier: BSD-2-Clause */
#include "collect/mapbook.h"

#include <string.h>
#include <time.h>

#include "proc/maps.h"

static uint32_t flags_of(const struct vma *v)
{
	return (v->inode ? 0 : TL_ANON) | (v->flags & VMA_SHARED ? TL_SHARED : 0);
}

/* Mapped by the kernel for all processes alike, at addresses that no call can change. */
static bool is_kernels(const struct vma *v)
{
	return !strcmp(v->name, "[vsyscall]");
}

static int read_start(struct mapbook *b, struct err *e)
{
	_cleanup_(maps_free) struct maps maps = { 0 };
	struct timespec now;
	int r;

	clock_gettime(CLOCK_MONOTONIC, &now);
	b->read_ns = now.tv_sec * 1000000000ULL + now.tv_nsec;
	memsrc_flush(b->m);
	r = maps_read(b->m, 0, &maps, e);
	for (size_t i = 0; i < maps.vma.n && !r; i++) {
		const struct vma *v = &maps.vma.v[i];

		if (is_kernels(v))
			continue;
		r = timeline_add(&b->t, v->start, v->end, flags_of(v));
		if (!strcmp(v->name, "[heap]"))
			timeline_set_brk(&b->t, v->end);
	}
	return r;
}

int mapbook_open(struct memsrc *m, struct symbolizer *names, struct mapbook *b, struct err *e)
{
	int r;

	*b = (struct mapbook){ .m = m, .names = names };
	r = timeline_init(&b->t, memsrc_page_size(m));
	return r ? err_set(e, r, "out of memory") : read_start(b, e);
}

void mapbook_close(struct mapbook *b)
{
	timeline_free(&b->t);
	origins_free(&b->o);
	vec_free(&b->ranges);
	vec_free(&b->stacks);
	vec_free(&b->frames);
}

/*
 * The number of a call's stack. Code without frame pointers leaves arbitrary words in it, which
 * would make each call's stack another one: it ends before the first that is not code. Of the
 * goroutine's part, which stands for itself, nothing is kept then unless it begins with Go code.
 */
static uint32_t number_of(struct mapbook *b, const struct event_call *c)
{
	struct event_call cut = *c;
	struct frame f;
	uint16_t n = 0;

	for (; n < c->nstack; n++) {
		symbolizer_frame(b->names, c->stack[n], &f);
		if (!f.module && n)
			break;
	}
	cut.ngo = 0;
	if (c->ngo) {
		symbolizer_frame(b->names, c->stack[c->nstack], &f);
		cut.ngo = f.go ? c->ngo : 0;
	}
	cut.nstack = n;
	memmove(&cut.stack[n], &c->stack[c->nstack], cut.ngo * sizeof(cut.stack[0]));
	return origins_intern(&b->o, &b->t, &cut);
}

int mapbook_event(struct mapbook *b, const struct event *e)
{
	if (e->tgid != (uint32_t)memsrc_pid(b->m))
		return 0;
	if (e->type == EVENT_CALL) {
		/* What gives up memory or failed needs no origin. */
		bool gives = e->call.call != CALL_MUNMAP && !event_call_errno(&e->call);

		return timeline_call(&b->t, e, gives ? number_of(b, &e->call) : ORIGIN_UNKNOWN);
	}
	if (e->type != EVENT_EXEC)
		return 0;
	timeline_reset(&b->t);
	origins_free(&b->o);
	/* When it has ended since, nothing is mapped. */
	return read_start(b, NULL) == -ENOMEM ? -ENOMEM : 0;
}

int mapbook_lost(struct mapbook *b, uint64_t start, uint64_t end, uint64_t ns)
{
	if (ns < b->read_ns)
		return timeline_doubt(&b->t, start, end);
	return timeline_lost(&b->t, start, end, ns);
}

int mapbook_settle(struct mapbook *b, struct err *e)
{
	_cleanup_(maps_free) struct maps maps = { 0 };
	range_vec now = { 0 };
	int r;

	memsrc_flush(b->m);
	r = maps_read(b->m, 0, &maps, e);
	for (size_t i = 0; i < maps.vma.n && !r; i++)
		if (!is_kernels(&maps.vma.v[i]))
			r = vec_push(&now, (struct range){ maps.vma.v[i].start, maps.vma.v[i].end,
							   flags_of(&maps.vma.v[i]) });
	if (!r)
		r = timeline_flush(&b->t);
	if (!r) {
		timeline_compare(&b->t, now.v, now.n, &b->off);
		r = timeline_settle(&b->t, now.v, now.n);
	}
	vec_free(&now);
	return r;
}

/* Names a stack. The goroutine's part is taken on trust from memory: it must be code, and Go's. */
static int name_stack(struct mapbook *b, const struct origin *o)
{
	size_t first = b->frames.n;
	bool go = !o->ngo;

	for (size_t i = 0; i < o->n; i++) {
		struct frame f;

		symbolizer_frame(b->names, o->addr[i], &f);
		go |= i >= (size_t)o->n - o->ngo && f.go;
		if (vec_push(&b->frames, f))
			return -ENOMEM;
	}
	if (!go)
		b->frames.n = first + o->n - o->ngo;
	return vec_push(&b->stacks, (struct collect_origin){ NULL, b->frames.n - first });
}

int mapbook_give(struct mapbook *b, struct collect_opts *out)
{
	_free_ uint32_t *number = calloc(b->o.v.n + 1, sizeof(*number)); /* + 1; 0: not yet */
	size_t at = 0;
	int r = 0;

	if (!number)
		return -ENOMEM;
	b->ranges.n = b->stacks.n = b->frames.n = 0;
	for (size_t i = 0; i < b->t.pieces.n && !r; i++) {
		const struct tl_piece *p = &b->t.pieces.v[i];
		const struct origin *o = origins_get(&b->o, p->origin);
		uint32_t *n;

		if (!o || p->flags & TL_UNKNOWN)
			continue;
		n = &number[p->origin - ORIGIN_FIRST];
		if (!*n) {
			r = name_stack(b, o);
			*n = b->stacks.n;
		}
		if (!r)
			r = vec_push(&b->ranges,
				     (struct collect_range){ p->start, p->end, *n - 1 });
	}
	/* The frames stay in place only now. */
	for (size_t i = 0; i < b->stacks.n; i++) {
		b->stacks.v[i].frame = b->frames.v + at;
		at += b->stacks.v[i].n;
	}
	out->ranges = b->ranges.v;
	out->nranges = b->ranges.n;
	out->origins = b->stacks.v;
	out->norigins = b->stacks.n;
	return r;
}
