/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frame by frame with the function tables' own account of the stack pointer (pcsp), as the runtime
 * does it: it needs no frame pointers, and only Go code is there.
 */
#include "goruntime/stacks.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "goruntime/rd.h"

enum {
	MAX_GS = 1 << 22,
	PORTION = 1024,
	HEAD = 512, /* bytes of a stack that are read with those of others */
	CODE_BITS = 13,
	G_RUNNING = 2,
	G_SYSCALL = 3,
	G_WAITING = 4,
	G_COPYSTACK = 8,
	G_LEAKED = 10,
	MAX_MS = 1 << 17,
};

/* What is known of an address of code. */
struct code {
	uint64_t pc; /* 0: free */
	uint64_t entry;
	uint32_t delta;
	bool known, last,
		traps; /* last: no caller; traps: its caller was interrupted, it made no call */
};

/* A goroutine of the portion under way. */
struct one {
	struct go_stack s;
	uint64_t g; /* its address */
	uint64_t pc, sp;
	bool reads;   /* it has a stack that stands still */
	bool moved;   /* it has run since */
	bool gone;    /* it has ended since */
	size_t index; /* of g in the portion */
	uint64_t pcs[GO_STACK_DEPTH_MAX];
	bool in_place[GO_STACK_DEPTH_MAX];
};

struct walk {
	const struct go_runtime *rt;
	struct bin *b;
	go_stack_fn *fn;
	void *ctx;
	bool dead;	     /* these are wanted, too */
	size_t size;	     /* bytes of a g that are read */
	const uint64_t *ptr; /* to the g's of the portion */
	size_t n, seen;	     /* those of them that are alive; of these, looked at again */
	struct one one[PORTION];
	uint64_t at[PORTION]; /* of these the stacks' heads: where, what, and whether it is not
				 there */
	uint8_t head[PORTION][HEAD];
	bool bad[PORTION];
	bool has_heads;
	struct code code[1 << CODE_BITS];
};

/* ---- code */

static bool is_one_of(const char *name, const char *const *of, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(name, of[i]))
			return true;
	return false;
}

static void look_up(struct walk *w, uint64_t pc, struct code *c)
{
	static const char *const last[] = {
		"runtime.goexit", "runtime.mstart", "runtime.mstart0",
		"runtime.rt0_go", "runtime.mcall",  "runtime.morestack"
	};
	static const char *const traps[] = { "runtime.asyncPreempt", "runtime.sigpanic" };
	uint64_t bias = w->rt->bias, text = w->rt->g.text - bias;
	struct bin_func f;

	*c = (struct code){ .pc = pc };
	if (bin_go_sp_delta(w->b, text, pc - bias, &c->delta, &c->entry) ||
	    bin_go_func(w->b, text, pc - bias, &f))
		return;
	c->known = true;
	c->entry += bias;
	c->last = is_one_of(f.name, last, ARRAY_LEN(last));
	c->traps = is_one_of(f.name, traps, ARRAY_LEN(traps));
}

static const struct code *code_of(struct walk *w, uint64_t pc)
{
	struct code *c = &w->code[pc * 0x9e3779b97f4a7c15ULL >> (64 - CODE_BITS)];

	if (c->pc != pc)
		look_up(w, pc, c);
	return c;
}

/* ---- a stack */

/* Where the return address of a frame lies, and the stack pointer of its caller. On arm64 the link
 * register is saved at the bottom of the frame. */
static uint64_t return_at(const struct walk *w, uint64_t sp, const struct code *c, uint64_t *caller)
{
	if (bin_arch(w->b) == BIN_ARCH_ARM64) {
		*caller = sp + c->delta;
		return sp;
	}
	*caller = sp + c->delta + 8;
	return sp + c->delta;
}

/* A word of the stack of one[i]. */
static int read_word(struct walk *w, size_t i, uint64_t at, uint64_t *out)
{
	if (!w->has_heads || w->bad[i] || at < w->at[i] || at - w->at[i] > HEAD - 8)
		return rd_u64(w->rt, PASS_BOOKS, at, out);
	*out = load_u64(w->head[i] + (at - w->at[i]));
	return 0;
}

/* Fills its frames. */
static void unwind(struct walk *w, size_t i)
{
	struct one *o = &w->one[i];
	uint64_t pc = o->pc, sp = o->sp, at;
	bool trapped = false;

	o->s.npc = 0;
	o->s.cut = false;
	while (pc) {
		const struct code *c = code_of(w, pc);

		if (!c->known)
			break;
		if (o->s.npc == GO_STACK_DEPTH_MAX)
			return;
		/* where no call was made, the place itself counts, not what is before it */
		o->in_place[o->s.npc] = pc == c->entry || trapped;
		o->pcs[o->s.npc] = pc + o->in_place[o->s.npc];
		o->s.npc++;
		if (c->last)
			return;
		trapped = c->traps;
		at = return_at(w, sp, c, &sp);
		if (at < o->s.lo || at > o->s.hi - 8 || at % 8 || sp > o->s.hi ||
		    read_word(w, i, at, &pc))
			break;
	}
	o->s.cut = true;
}

/* ---- a portion */

static bool is_dead(uint32_t status)
{
	return status == GO_GDEAD || status == GO_GDEADEXTRA;
}

/* What is known of it without its stack. */
static void get_facts(const struct walk *w, const uint8_t *g, uint32_t status, struct go_stack *s)
{
	const struct go_layout *l = w->rt->l;
	int64_t stack = l->f[GO_G_STACK];

	*s = (struct go_stack){ .goid = get_u64(l, GO_G_GOID, g, w->size),
				.parent = get_u64(l, GO_G_PARENTGOID, g, w->size),
				.status = status & ~GO_GSCAN,
				.scan = status & GO_GSCAN,
				.reason = get_u8(l, GO_G_WAITREASON, g, w->size),
				.locked = get_u64(l, GO_G_LOCKEDM, g, w->size),
				.cleanups = get_u8(l, GO_G_RUNNINGCLEANUPS, g, w->size),
				.wait_ns = get_u64(l, GO_G_WAITSINCE, g, w->size),
				.labels = get_u64(l, GO_G_LABELS, g, w->size),
				.startpc = get_u64(l, GO_G_STARTPC, g, w->size),
				.gopc = get_u64(l, GO_G_GOPC, g, w->size),
				.lo = load_u64(g + stack),
				.hi = load_u64(g + stack + 8) };
	if (s->status != G_WAITING && s->status != G_SYSCALL)
		s->wait_ns = 0;
	if (s->lo >= s->hi)
		s->lo = s->hi = 0;
}

/* False when it is not alive, unless it is dead, has a stack, and is wanted. */
static bool get_g(const struct walk *w, const uint8_t *g, struct one *o)
{
	const struct go_layout *l = w->rt->l;
	uint32_t status = get_u32(l, GO_G_STATUS, g, w->size), plain = status & ~GO_GSCAN;
	int64_t sched = l->f[GO_G_SCHED];

	if (!plain || plain >= GO_GSTATUS_COUNT)
		return false;
	get_facts(w, g, status, &o->s);
	o->moved = false;
	o->reads = false;
	o->pc = o->sp = 0;
	if (is_dead(plain))
		return w->dead && o->s.hi;
	o->pc = load_u64(g + sched + l->f[GO_GOBUF_PC]);
	o->sp = load_u64(g + sched + l->f[GO_GOBUF_SP]);
	if (plain == G_SYSCALL && get_u64(l, GO_G_SYSCALLSP, g, w->size)) {
		o->pc = get_u64(l, GO_G_SYSCALLPC, g, w->size);
		o->sp = get_u64(l, GO_G_SYSCALLSP, g, w->size);
	}
	o->reads = plain != G_RUNNING && plain != G_COPYSTACK && o->s.hi && o->sp >= o->s.lo &&
		   o->sp <= o->s.hi;
	return true;
}

static void take_g(void *ctx, size_t i, const uint8_t *g)
{
	struct walk *w = ctx;
	struct one *o = &w->one[w->n];

	o->g = w->ptr[i];
	o->gone = false;
	o->index = i;
	w->n += get_g(w, g, o);
}

/* Whether g says the same as before. */
static bool is_same(const struct walk *w, const struct one *o, const uint8_t *g)
{
	struct one now;

	return get_g(w, g, &now) && now.s.goid == o->s.goid && now.s.status == o->s.status &&
	       now.pc == o->pc && now.sp == o->sp && now.s.lo == o->s.lo;
}

/* Those that could be read come in order. */
static void check_g(void *ctx, size_t i, const uint8_t *g)
{
	struct walk *w = ctx;

	while (w->seen < w->n && w->one[w->seen].index < i)
		w->one[w->seen++].moved = true;
	if (w->seen < w->n && w->one[w->seen].index == i) {
		w->one[w->seen].moved = !is_same(w, &w->one[w->seen], g);
		w->seen++;
	}
}

/* The innermost frames of all at once; of a process that is saved word by word: nothing else of its
 * stacks is. A head begins lower where it would reach beyond its stack. */
static int read_heads(struct walk *w)
{
	w->has_heads = memsrc_kind(w->rt->m) == MEMSRC_LIVE && !memsrc_is_saved(w->rt->m);
	if (!w->has_heads)
		return 0;
	for (size_t i = 0; i < w->n; i++) {
		const struct one *o = &w->one[i];
		uint64_t room = o->reads ? o->s.hi - o->sp : 0;

		w->at[i] = !o->reads ? o->s.lo : room < HEAD ? o->s.hi - HEAD : o->sp;
		w->at[i] -= w->at[i] % 8;
	}
	return memsrc_gather(w->rt->m, PASS_BOOKS, w->at, w->n, HEAD, w->head, w->bad);
}

/* One that has run meanwhile, alone: that takes microseconds. */
static int read_again(struct walk *w, size_t i, uint8_t *g)
{
	enum { TRIES = 3 };
	struct one *o = &w->one[i];
	int r = 0;

	w->has_heads = false;
	o->moved = true; /* where a capture has no room for a retry, it stays so */
	for (unsigned int k = 0; k < TRIES && memsrc_may_retry(w->rt->m, PASS_BOOKS); k++) {
		if (!k) {
			memsrc_flush(w->rt->m);
			r = rd(w->rt, PASS_BOOKS, o->g, g, w->size);
		}
		o->gone = !r && !get_g(w, g, o);
		if (r || o->gone || !o->reads)
			break;
		unwind(w, i);
		memsrc_flush(w->rt->m);
		r = rd(w->rt, PASS_BOOKS, o->g, g, w->size);
		o->moved = r || !is_same(w, o, g);
		if (!o->moved && !o->s.cut)
			break;
	}
	return r == -ESRCH || r == -ENOMEM ? r : 0;
}

/* Reads the stacks, and whether nobody ran meanwhile. */
static int read_stacks(struct walk *w, size_t n)
{
	uint8_t g[MEMSRC_GATHER_EACH];
	int r = read_heads(w);

	for (size_t i = 0; i < w->n && !r; i++)
		if (w->one[i].reads)
			unwind(w, i);
	memsrc_flush(w->rt->m);
	w->seen = 0;
	if (!r && memsrc_kind(w->rt->m) != MEMSRC_CORE)
		r = rd_each(w->rt, PASS_BOOKS, w->ptr, n, 0, w->size, check_g, w);
	for (size_t i = 0; i < w->n && !r; i++)
		if (w->one[i].reads && (w->one[i].moved || w->one[i].s.cut) &&
		    memsrc_kind(w->rt->m) != MEMSRC_CORE)
			r = read_again(w, i, g);
	return r;
}

static int take_portion(struct walk *w, const uint64_t *ptr, size_t n)
{
	int r;

	w->n = 0;
	w->ptr = ptr;
	r = rd_each(w->rt, PASS_BOOKS, ptr, n, 0, w->size, take_g, w);
	if (!r)
		r = read_stacks(w, n);
	for (size_t i = 0; i < w->n && !r; i++) {
		struct one *o = &w->one[i];
		bool stands = o->reads && !o->moved;

		if (o->gone)
			continue;
		o->s.pc = o->pcs;
		o->s.in_place = o->in_place;
		o->s.sp = stands ? o->sp : 0;
		o->s.npc = stands ? o->s.npc : 0;
		o->s.cut &= stands;
		r = w->fn(w->ctx, &o->s);
	}
	return r;
}

/* ---- all of them */

/* Bytes of a g up to the last field that is wanted. */
static size_t size_of_g(const struct go_layout *l)
{
	static const enum go_field wanted[] = {
		GO_G_STATUS,	GO_G_GOID,	 GO_G_STARTPC,	  GO_G_SYSCALLSP,
		GO_G_SYSCALLPC, GO_G_PARENTGOID, GO_G_LOCKEDM,	  GO_G_LABELS,
		GO_G_GOPC,	GO_G_WAITSINCE,	 GO_G_WAITREASON, GO_G_RUNNINGCLEANUPS,
	};
	int64_t most = l->f[GO_G_STACK] + 16, sched = l->f[GO_G_SCHED];

	for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
		most = l->f[wanted[i]] + 8 > most ? l->f[wanted[i]] + 8 : most;
	most = sched + l->f[GO_GOBUF_PC] + 8 > most ? sched + l->f[GO_GOBUF_PC] + 8 : most;
	most = sched + l->f[GO_GOBUF_SP] + 8 > most ? sched + l->f[GO_GOBUF_SP] + 8 : most;
	return most;
}

static int walk(struct walk *w, const uint64_t *ptr, size_t n)
{
	int r = 0;

	/* in portions, so that what is read of a stack is not long after its g */
	for (size_t i = 0; i < n && !r; i += PORTION)
		r = take_portion(w, ptr + i, n - i < PORTION ? n - i : PORTION);
	return r;
}

static int read_some(const struct go_runtime *rt, struct bin *b, bool dead, const uint64_t *g,
		     size_t n, go_stack_fn *fn, void *ctx)
{
	_free_ struct walk *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	*w = (struct walk){
		.rt = rt, .b = b, .fn = fn, .ctx = ctx, .dead = dead, .size = size_of_g(rt->l)
	};
	return w->size > MEMSRC_GATHER_EACH ? -ENOENT : walk(w, g, n);
}

int go_stacks_of(const struct go_runtime *rt, struct bin *b, const uint64_t *g, size_t n,
		 go_stack_fn *fn, void *ctx)
{
	return read_some(rt, b, false, g, n, fn, ctx);
}

int go_stacks_read(const struct go_runtime *rt, struct bin *b, bool dead, go_stack_fn *fn,
		   void *ctx)
{
	_free_ uint64_t *ptr = NULL;
	struct go_slice all;
	int r;

	if (!rt->g.allgs || rd_slice(rt, PASS_BOOKS, rt->g.allgs, &all) || all.len > MAX_GS)
		return -ENOENT;
	ptr = malloc(all.len * 8 + 8);
	if (!ptr)
		return -ENOMEM;
	r = rd(rt, PASS_BOOKS, all.ptr, ptr, all.len * 8);
	return r && r != -ENODATA ? r : read_some(rt, b, dead, ptr, all.len, fn, ctx);
}

/* ---- stacks of threads */

static int read_system(const struct go_runtime *rt, uint64_t m, enum go_field which,
		       go_stack_fn *fn, void *ctx)
{
	uint64_t g, stack[2];

	if (!go_has(rt->l, which) || rd_u64(rt, PASS_BOOKS, m + rt->l->f[which], &g) || !g ||
	    rd(rt, PASS_BOOKS, g + rt->l->f[GO_G_STACK], stack, sizeof(stack)) ||
	    stack[0] >= stack[1])
		return 0;
	return fn(ctx, &(struct go_stack){ .lo = stack[0], .hi = stack[1] });
}

int go_system_stacks_read(const struct go_runtime *rt, go_stack_fn *fn, void *ctx)
{
	uint64_t m = 0, seen = 0;
	int r = rt->g.allm ? rd_u64(rt, PASS_BOOKS, rt->g.allm, &m) : -ENOENT;

	/* a list that leads back into itself comes by `seen` again (Brent) */
	for (unsigned int i = 0; !r && m && m != seen && i < MAX_MS; i++) {
		if (!(i & (i - 1)))
			seen = m;
		r = read_system(rt, m, GO_M_G0, fn, ctx);
		if (!r)
			r = read_system(rt, m, GO_M_GSIGNAL, fn, ctx);
		if (!r)
			r = rd_u64(rt, PASS_BOOKS, m + rt->l->f[GO_M_ALLLINK], &m);
	}
	return r;
}

/* ---- states */

const char *go_stack_state(const struct go_layout *l, const struct go_stack *s, char *buf, size_t n)
{
	const char *name = go_gstatus_name(s->status), *at = l->reasons;
	int len = strlen(name);

	if ((s->status == G_WAITING || s->status == G_LEAKED) && s->reason && at) {
		for (unsigned int i = 0; i < s->reason && *at; i++)
			at += strcspn(at, "\n") + (at[strcspn(at, "\n")] != 0);
		if (*at && *at != '\n') {
			name = at;
			len = strcspn(at, "\n");
		}
	}
	snprintf(buf, n, "%.*s", len, name);
	return buf;
}
