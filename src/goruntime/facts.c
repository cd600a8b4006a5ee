/* SPDX-License-Identifier: BSD-2-Clause */
#include "goruntime/facts.h"

#include <string.h>

#include "base/cursor.h"

enum { NGLOBALS = sizeof(struct go_globals) / sizeof(uint64_t) };
_Static_assert(sizeof(struct go_globals) % sizeof(uint64_t) == 0, "addresses, nothing else");

static const char *const func_name[] = {
	[GO_FUNC_CGO] = "crosscall2",
	[GO_FUNC_RACE] = "runtime.raceinit",
	/* called once a cycle, with its figures final: see bpf/gc.bpf.c */
	[GO_FUNC_GC_END] = "runtime.prepareFreeWorkbufs",
	/* called by who wants a cycle, with a struct that says what for (mgc.go, gcTrigger) */
	[GO_FUNC_GC_START] = "runtime.gcStart",
	/* called when the heap is larger than it has ever been: see bpf/heap.bpf.c */
	[GO_FUNC_GROW] = "runtime.(*mheap).grow",
};

/* Their entries become places of probes. */
static bool is_probed(enum go_func_id id)
{
	return id == GO_FUNC_GC_END || id == GO_FUNC_GC_START || id == GO_FUNC_GROW;
}

/* ---- functions */

int go_facts_func(struct go_facts *f, struct bin *b, uint64_t text, enum go_func_id id,
		  struct bin_func *out)
{
	int r;

	if (f && f->func[id].state == GO_FUNC_FOUND && !is_probed(id)) {
		*out = (struct bin_func){ .name = func_name[id], .entry = f->func[id].entry };
		return 0;
	}
	/* Of a probe's place the function table has the last word. */
	if (f && f->func[id].state == GO_FUNC_FOUND &&
	    !bin_go_func(b, text, f->func[id].entry, out) && out->entry == f->func[id].entry &&
	    !strcmp(out->name, func_name[id]))
		return 0;
	if (f && f->func[id].state == GO_FUNC_ABSENT)
		return -ENOENT;
	r = bin_go_lookup(b, text, func_name[id], out);
	if (!f || (r && r != -ENOENT))
		return r;
	f->changed = true;
	f->func[id].state = r ? GO_FUNC_ABSENT : GO_FUNC_FOUND;
	f->func[id].entry = r ? 0 : out->entry;
	return r;
}

int go_facts_gc_code(struct go_facts *f, struct bin *b, const struct go_runtime *rt,
		     struct go_gc_code *out)
{
	int r;

	if (f && f->has_gc_code) {
		*out = f->gc_code;
		return 0;
	}
	r = go_gc_code(b, rt->l, rt->g.text - rt->bias, rt->g.noptrdata - rt->bias,
		       rt->g.end - rt->bias, rt->g.memstats - rt->bias, out);
	if (f && !r) {
		f->changed = f->has_gc_code = true;
		f->gc_code = *out;
	}
	return r;
}

/* ---- the runtime */

static uint64_t globals_get(const struct go_globals *g, unsigned int i)
{
	uint64_t x;

	memcpy(&x, (const char *)g + i * sizeof(x), sizeof(x));
	return x;
}

static void globals_set(struct go_globals *g, unsigned int i, uint64_t x)
{
	memcpy((char *)g + i * sizeof(x), &x, sizeof(x));
}

void go_facts_learn(struct go_facts *f, const struct go_runtime *rt, bool own_layout, bool more)
{
	if (rt->missing[0])
		return;
	if (!more) {
		f->g = (struct go_globals){ 0 };
		f->has_gc_code = false; /* it went by the others */
		f->has_runtime = f->changed = true;
		f->own_layout = own_layout;
		f->symbols = rt->symbols;
		f->layout = rt->l - go_layouts;
		f->nstack_sizes = rt->nstack_sizes;
		for (unsigned int i = 0; i < rt->nstack_sizes; i++)
			f->stack_sizes[i] = rt->stack_sizes[i] - rt->bias;
	}
	for (unsigned int i = 0; i < NGLOBALS; i++) {
		uint64_t x = globals_get(&rt->g, i);

		if (!x || globals_get(&f->g, i) == x - rt->bias)
			continue;
		globals_set(&f->g, i, x - rt->bias);
		f->changed = true;
	}
}

void go_facts_join(struct go_facts *f, const struct go_facts *other)
{
	for (unsigned int i = 0; i < GO_FUNC_COUNT; i++)
		if (f->func[i].state == GO_FUNC_UNKNOWN)
			f->func[i] = other->func[i];
	if (!f->has_gc_code && other->has_gc_code && f->has_runtime && other->has_runtime &&
	    f->layout == other->layout && f->g.memstats == other->g.memstats) {
		f->has_gc_code = true;
		f->gc_code = other->gc_code;
	}
}

/* ---- bytes: a version, then the fields in order; booleans and states take one byte */

enum { VERSION = 3 };

static int put(struct text *t, uint64_t x, size_t n)
{
	return text_add(t, &x, n);
}

static int put_runtime(const struct go_facts *f, struct text *t)
{
	int r = put(t, f->own_layout, 1);

	r = r ? r : put(t, f->symbols, 1);
	r = r ? r : put(t, f->layout, 4);
	for (unsigned int i = 0; i < NGLOBALS && !r; i++)
		r = put(t, globals_get(&f->g, i), 8);
	r = r ? r : put(t, f->nstack_sizes, 4);
	for (unsigned int i = 0; i < f->nstack_sizes && !r; i++)
		r = put(t, f->stack_sizes[i], 8);
	return r;
}

static int put_gc_code(const struct go_gc_code *c, struct text *t)
{
	int r = put(t, c->work, 8);

	r = r ? r : put(t, c->controller, 8);
	r = r ? r : put(t, c->init_time, 8);
	r = r ? r : put(t, c->stack_scan, 4);
	return r ? r : put(t, c->memstats, 1);
}

int go_facts_encode(const struct go_facts *f, struct text *out)
{
	int r = put(out, VERSION, 4);

	r = r ? r : put(out, NGLOBALS, 4);
	r = r ? r : put(out, f->has_runtime, 1);
	if (!r && f->has_runtime)
		r = put_runtime(f, out);
	for (unsigned int i = 0; i < GO_FUNC_COUNT && !r; i++) {
		r = put(out, f->func[i].state, 1);
		r = r ? r : put(out, f->func[i].entry, 8);
	}
	r = r ? r : put(out, f->has_gc_code, 1);
	return r || !f->has_gc_code ? r : put_gc_code(&f->gc_code, out);
}

static bool get_flag(struct cursor *c)
{
	uint8_t x = cursor_u8(c);

	c->bad |= x > 1;
	return x;
}

static void get_runtime(struct cursor *c, struct go_facts *f)
{
	f->own_layout = get_flag(c);
	f->symbols = get_flag(c);
	f->layout = cursor_u32(c);
	c->bad |= f->layout >= go_nlayouts;
	for (unsigned int i = 0; i < NGLOBALS; i++)
		globals_set(&f->g, i, cursor_u64(c));
	f->nstack_sizes = cursor_u32(c);
	c->bad |= f->nstack_sizes > GO_STACK_SIZES;
	for (unsigned int i = 0; i < f->nstack_sizes && !c->bad; i++)
		f->stack_sizes[i] = cursor_u64(c);
}

static void get_gc_code(struct cursor *c, struct go_gc_code *g)
{
	uint32_t field;

	g->work = cursor_u64(c);
	g->controller = cursor_u64(c);
	g->init_time = cursor_u64(c);
	field = cursor_u32(c);
	c->bad |= field > GO_FIELD_COUNT;
	g->stack_scan = c->bad ? GO_FIELD_COUNT : field;
	g->memstats = get_flag(c);
}

int go_facts_decode(const void *p, size_t n, struct go_facts *out)
{
	struct cursor c = cursor_make(p, n);
	struct go_facts f = { 0 };

	*out = f;
	if (cursor_u32(&c) != VERSION || cursor_u32(&c) != NGLOBALS)
		return -EINVAL;
	f.has_runtime = get_flag(&c);
	if (f.has_runtime)
		get_runtime(&c, &f);
	for (unsigned int i = 0; i < GO_FUNC_COUNT; i++) {
		f.func[i].state = cursor_u8(&c);
		f.func[i].entry = cursor_u64(&c);
		c.bad |= f.func[i].state > GO_FUNC_ABSENT;
	}
	f.has_gc_code = get_flag(&c);
	if (f.has_gc_code)
		get_gc_code(&c, &f.gc_code);
	if (c.bad || c.pos != n)
		return -EINVAL;
	*out = f;
	return 0;
}
