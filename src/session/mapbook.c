/* SPDX-License-Identifier: BSD-2-Clause */
#include "session/mapbook.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/clock.h"

#include "proc/maps.h"

enum { NAMES_MAX = 1024, SEGMENTS_MAX = 64 };

static bool is_segment(const struct vma *v)
{
	return v->inode && !strncmp(v->name, "/SYSV", 5);
}

/* What comes without a call, or by one that is not watched: the page in which uprobes run what they
 * have displaced (kernel/events/uprobes.c); the rings of io_setup(2) (fs/aio.c). */
static bool is_kernel_made(const struct vma *v)
{
	return !strcmp(v->name, "[uprobes]") || !strncmp(v->name, "/[aio]", 6);
}

static uint32_t flags_of(const struct vma *v)
{
	static const struct {
		uint32_t vma, tl;
	} bit[] = { { VMA_R, TL_R }, { VMA_W, TL_W }, { VMA_X, TL_X }, { VMA_SHARED, TL_SHARED } };
	uint32_t flags = v->inode ? 0 : TL_ANON;

	for (size_t i = 0; i < ARRAY_LEN(bit); i++)
		flags |= v->flags & bit[i].vma ? bit[i].tl : 0;
	if (is_segment(v))
		flags |= TL_SEGMENT;
	if (!strcmp(v->name, "[stack]"))
		flags |= TL_GROWS;
	return is_kernel_made(v) ? flags | TL_KERNEL : flags;
}

/* Mapped by the kernel for all processes alike, at addresses that no call can change. */
static bool is_kernels(const struct vma *v)
{
	return !strcmp(v->name, "[vsyscall]");
}

static int read_maps(struct mapbook *b, struct maps *out, struct err *e)
{
	memsrc_flush(b->m);
	return maps_read(memsrc_texts(b->m), 0, out, e);
}

/* The end of what is one segment with maps->vma.v[i]. */
static uint64_t segment_end(const struct maps *maps, size_t i)
{
	const struct vma *v = &maps->vma.v[i];

	while (i + 1 < maps->vma.n && v[1].start == v->end && v[1].inode == v->inode &&
	       is_segment(&v[1]) && v[1].offset == v->offset + (v->end - v->start)) {
		v++;
		i++;
	}
	return v->end;
}

static int read_start(struct mapbook *b, struct err *e)
{
	_cleanup_(maps_free) struct maps maps = { 0 };
	int r;

	timeline_set_read(&b->t, mono_ns());
	r = read_maps(b, &maps, e);
	for (size_t i = 0; i < maps.vma.n && !r; i++) {
		const struct vma *v = &maps.vma.v[i];

		if (is_kernels(v))
			continue;
		r = timeline_add(&b->t, v->start, v->end, flags_of(v));
		if (!r && is_segment(v) && !v->offset)
			r = timeline_add_segment(&b->t, v->start, segment_end(&maps, i));
		if (!strcmp(v->name, "[heap]"))
			timeline_set_brk(&b->t, v->end);
	}
	return r;
}

/* The timeline knows ids as origins, behind its own two. */
static uint32_t id_of(uint32_t origin)
{
	return origin < ORIGIN_FIRST ? STACKS_NONE : origin - ORIGIN_FIRST + 1;
}

static uint32_t origin_of(uint32_t id)
{
	return id ? id - 1 + ORIGIN_FIRST : ORIGIN_UNKNOWN;
}

static void keep_one(void *stacks, uint32_t origin)
{
	stacks_keep(stacks, id_of(origin));
}

static void keep_ids(void *book, struct stacks *stacks)
{
	timeline_each_origin(&((const struct mapbook *)book)->t, keep_one, stacks);
}

int mapbook_open(struct memsrc *m, struct symbolizer *names, struct stacks *stacks,
		 struct mapbook *b, struct err *e)
{
	int r;

	*b = (struct mapbook){ .m = m, .names = names, .stacks = stacks };
	r = stacks ? 0 : stacks_create(0, &b->own);
	if (b->own)
		b->stacks = b->own;
	if (!r)
		r = stacks_join(b->stacks, keep_ids, b);
	if (!r)
		r = timeline_init(&b->t, memsrc_page_size(m));
	return r ? err_set(e, r, "out of memory") : read_start(b, e);
}

void mapbook_bind(struct mapbook *b, struct memsrc *m, struct symbolizer *names)
{
	b->m = m;
	b->names = names;
}

void mapbook_close(struct mapbook *b)
{
	if (b->stacks)
		stacks_leave(b->stacks, b);
	stacks_destroy(b->own);
	b->stacks = b->own = NULL;
	timeline_free(&b->t);
	vec_free(&b->names_given);
	vec_free(&b->segments);
	vec_free(&b->ranges);
	vec_free(&b->stacks_given);
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
	size_t depth;

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
	depth = event_call_depth(&cut);
	return origin_of(
		stacks_intern(b->stacks, b->names, cut.stack, depth, depth > n ? depth - n : 0));
}

/* 0: no number is left. */
static uint32_t number_of_name(struct mapbook *b, const char *s)
{
	struct mapbook_name new;

	if (!s[0])
		return 0;
	for (size_t i = 0; i < b->names_given.n; i++)
		if (!strcmp(b->names_given.v[i].text, s))
			return i + 1;
	snprintf(new.text, sizeof(new.text), "%s", s);
	if (b->names_given.n == NAMES_MAX || vec_push(&b->names_given, new))
		return 0;
	return b->names_given.n;
}

const char *mapbook_name(const struct mapbook *b, const struct tl_piece *p)
{
	return p->name && p->name <= b->names_given.n ? b->names_given.v[p->name - 1].text : "";
}

/* A mapping of a segment may be a part of it by now: its file tells how large it is. Where that
 * can't be opened for want of privilege, the largest part is the best there is, and *sure is false.
 */
static uint64_t read_segment(struct mapbook *b, int32_t id, bool *sure)
{
	_cleanup_(maps_free) struct maps maps = { 0 };
	uint64_t bytes = 0;

	*sure = false;
	if (read_maps(b, &maps, NULL))
		return 0;
	for (size_t i = 0; i < maps.vma.n && !*sure; i++) {
		const struct vma *v = &maps.vma.v[i];
		_close_ int fd = -1;
		struct stat st;
		uint64_t part;

		/* ipc/shm.c: the inode's number is the segment's */
		if (!is_segment(v) || v->inode != (uint32_t)id)
			continue;
		part = segment_end(&maps, i) - v->start;
		*sure = !memsrc_file(b->m, v->name, v->start, v->end, &fd) && !fstat(fd, &st);
		bytes = *sure ? (uint64_t)st.st_size : part > bytes ? part : bytes;
	}
	return bytes;
}

static uint64_t length_of_segment(struct mapbook *b, int32_t id)
{
	struct mapbook_segment new = { .id = id };
	bool sure;

	for (size_t i = 0; i < b->segments.n; i++)
		if (b->segments.v[i].id == id)
			return b->segments.v[i].bytes;
	new.bytes = read_segment(b, id, &sure);
	if (!sure)
		return new.bytes;
	if (b->segments.n == SEGMENTS_MAX)
		b->segments.n = 0;
	return vec_push(&b->segments, new) ? 0 : new.bytes;
}

/* Whether it makes mappings, for which somebody has asked. */
static bool gives(const struct event_call *c)
{
	switch (c->call) {
	case CALL_MMAP:
	case CALL_MREMAP:
	case CALL_BRK:
	case CALL_SHMAT:
		return !event_call_errno(c);
	default:
		return false;
	}
}

int mapbook_event(struct mapbook *b, const struct event *e)
{
	if (e->tgid != (uint32_t)memsrc_pid(b->m))
		return 0;
	if (e->type == EVENT_CALL) {
		const struct event_call *c = &e->call;
		struct timeline_more more = { .origin = ORIGIN_UNKNOWN };

		if (gives(c))
			more.origin = number_of(b, c);
		if (c->call == CALL_PRCTL)
			more.name = number_of_name(b, c->name);
		if (c->call == CALL_SHMAT && !event_call_errno(c))
			more.length = length_of_segment(b, c->args[0]);
		return timeline_call(&b->t, e, &more);
	}
	if (e->type != EVENT_EXEC)
		return 0;
	timeline_reset(&b->t);
	b->segments.n = 0;
	/* When it has ended since, nothing is mapped. */
	return read_start(b, NULL) == -ENOMEM ? -ENOMEM : 0;
}

int mapbook_lost(struct mapbook *b, uint64_t start, uint64_t end, uint64_t ns)
{
	if (ns < b->t.read_ns)
		return timeline_doubt(&b->t, start, end);
	return timeline_lost(&b->t, start, end, ns);
}

int mapbook_settle(struct mapbook *b, struct err *e)
{
	_cleanup_(maps_free) struct maps maps = { 0 };
	range_vec now = { 0 };
	int r;

	r = read_maps(b, &maps, e);
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
static int name_stack(struct mapbook *b, uint32_t id)
{
	size_t first = b->frames.n, own = first, ngo = 0;
	size_t depth = stacks_depth(b->stacks, id, &ngo);
	bool go = !ngo;

	for (size_t i = 0; i < depth; i++) {
		struct frame f[SYMBOLIZER_INLINED];
		uint64_t addr = stacks_address(b->stacks, b->names, id, i);
		size_t n = symbolizer_frames(b->names, addr, f, SYMBOLIZER_INLINED);

		for (size_t k = 0; k < n; k++) {
			go |= i >= depth - ngo && f[k].go;
			if (vec_push(&b->frames, f[k]))
				return -ENOMEM;
		}
		if (i < depth - ngo)
			own = b->frames.n;
	}
	if (!go)
		b->frames.n = own;
	return vec_push(&b->stacks_given, (struct mapping_origin){ NULL, b->frames.n - first });
}

uint32_t mapbook_stack(const struct mapbook *b, const struct tl_piece *p)
{
	uint32_t id = p->flags & TL_UNKNOWN ? STACKS_NONE : id_of(p->origin);
	size_t ngo;

	return id && stacks_depth(b->stacks, id, &ngo) ? id : STACKS_NONE;
}

int mapbook_give(struct mapbook *b, struct mappings_known *out)
{
	VEC(uint32_t) number = { 0 }; /* by id: + 1; 0: not yet */
	size_t at = 0;
	int r = 0;

	b->ranges.n = b->stacks_given.n = b->frames.n = 0;
	for (size_t i = 0; i < b->t.pieces.n && !r; i++) {
		const struct tl_piece *p = &b->t.pieces.v[i];
		uint32_t id = mapbook_stack(b, p);

		if (!id)
			continue;
		while (number.n <= id && !r)
			r = vec_push(&number, 0);
		if (!r && !number.v[id]) {
			r = name_stack(b, id);
			number.v[id] = b->stacks_given.n;
		}
		if (!r)
			r = vec_push(&b->ranges,
				     (struct mapping_range){ p->start, p->end, number.v[id] - 1 });
	}
	vec_free(&number);
	/* The frames stay in place only now. */
	for (size_t i = 0; i < b->stacks_given.n; i++) {
		b->stacks_given.v[i].frame = b->frames.v + at;
		at += b->stacks_given.v[i].n;
	}
	out->ranges = b->ranges.v;
	out->nranges = b->ranges.n;
	out->origins = b->stacks_given.v;
	out->norigins = b->stacks_given.n;
	return r;
}
