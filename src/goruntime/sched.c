/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads (allm) and goroutines (allgs). Source: runtime/runtime2.go, proc.go. */
#include "goruntime/goruntime.h"

#include <stdio.h>

#include "goruntime/rd.h"

enum {
	MAX_MS = 1 << 17,
	MAX_GS = 1 << 20,
	STACK_MAX = 1 << 30, /* proc.go, maxstacksize: a goroutine beyond it is ended */
};

int go_threads_read(const struct go_runtime *rt, go_thread_vec *out, struct err *e)
{
	const struct go_layout *l = rt->l;
	uint64_t m, g0, stack[2];
	int r;

	if (!rt->g.allm)
		return 0;
	r = rd_u64(rt, PASS_BOOKS, rt->g.allm, &m);
	for (unsigned int i = 0; !r && m && i < MAX_MS; i++) {
		struct go_thread t = { .m = m };

		if (!rd_u64(rt, PASS_BOOKS, m + l->f[GO_M_PROCID], &t.procid) &&
		    !rd_u64(rt, PASS_BOOKS, m + l->f[GO_M_G0], &g0) &&
		    !rd(rt, PASS_BOOKS, g0 + l->f[GO_G_STACK], stack, sizeof(stack))) {
			t.stack_lo = stack[0];
			t.stack_hi = stack[1];
			if (vec_push(out, t))
				return err_set(e, -ENOMEM, "out of memory");
		}
		r = rd_u64(rt, PASS_BOOKS, m + l->f[GO_M_ALLLINK], &m);
	}
	return r ? err_set(e, r, "reading the runtime's threads: %s", strerror(-r)) : 0;
}

int go_createstacks_read(const struct go_runtime *rt, go_createstack_fn *fn, void *ctx)
{
	enum { DEPTH = 32 }; /* runtime2.go, m.createstack */
	const struct go_layout *l = rt->l;
	uint64_t m, pc[DEPTH];
	size_t n;
	int r;

	if (!rt->g.allm || !go_has(l, GO_M_CREATESTACK))
		return -ENOENT;
	r = rd_u64(rt, PASS_BOOKS, rt->g.allm, &m);
	for (unsigned int i = 0; !r && m && i < MAX_MS; i++) {
		r = rd(rt, PASS_BOOKS, m + l->f[GO_M_CREATESTACK], pc, sizeof(pc));
		for (n = 0; !r && n < DEPTH && pc[n];)
			n++;
		if (!r)
			r = fn(ctx, pc, n);
		if (!r)
			r = rd_u64(rt, PASS_BOOKS, m + l->f[GO_M_ALLLINK], &m);
	}
	return r;
}

const char *go_gstatus_name(unsigned int status)
{
	static const char *const name[GO_GSTATUS_COUNT] = {
		"idle", "runnable", "running",	 "syscall",   "waiting", "moribund",
		"dead", "enqueue",  "copystack", "preempted", "leaked",	 "dead-extra",
	};

	return status < GO_GSTATUS_COUNT ? name[status] : "?";
}

struct counting {
	const struct go_layout *l;
	struct go_goroutines *out;
	const uint64_t *ptr;
	size_t size; /* bytes of a g that are read */
	size_t seen; /* g's that could be */
};

static bool count_state(struct counting *c, size_t i, uint32_t status)
{
	struct go_goroutines *out = c->out;
	uint32_t st = status & ~GO_GSCAN;

	out->any = c->ptr[i]; /* all of them are new(g): proc.go, malg */
	out->dead += st == GO_GDEAD;
	if (st >= GO_GSTATUS_COUNT || st == GO_GDEAD || st == GO_GDEADEXTRA)
		return false;
	out->by_status[st]++;
	out->total++;
	return true;
}

static void count_status(void *ctx, size_t i, const uint8_t *status)
{
	count_state(ctx, i, load_u32(status));
}

/* A goroutine that runs uses what its stack pointer was when it ran last: the least that is known.
 */
static void count_g(void *ctx, size_t i, const uint8_t *g)
{
	struct counting *c = ctx;
	struct go_goroutines *out = c->out;
	uint64_t lo, hi, sp, in_syscall;

	c->seen++;
	if (!count_state(c, i, get_u32(c->l, GO_G_STATUS, g, c->size)))
		return;
	lo = load_u64(g + c->l->f[GO_G_STACK]);
	hi = load_u64(g + c->l->f[GO_G_STACK] + 8);
	sp = load_u64(g + c->l->f[GO_G_SCHED] + c->l->f[GO_GOBUF_SP]);
	in_syscall = get_u64(c->l, GO_G_SYSCALLSP, g, c->size);
	sp = in_syscall ? in_syscall : sp;
	if (hi <= lo || hi - lo > STACK_MAX)
		return;
	out->stack_bytes += hi - lo;
	out->stack_used += sp >= lo && sp <= hi ? hi - sp : 0;
}

/* Bytes of a g up to the last field that is counted. */
static size_t counted_size(const struct go_layout *l)
{
	const int64_t ends[] = { l->f[GO_G_STACK] + 16, l->f[GO_G_STATUS] + 4,
				 l->f[GO_G_SYSCALLSP] + 8,
				 l->f[GO_G_SCHED] + l->f[GO_GOBUF_SP] + 8 };
	int64_t most = 0;

	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		most = ends[i] > most ? ends[i] : most;
	return most;
}

/* Where not all of a g is known, as in captures of before, its status alone is. */
static int count_all(const struct go_runtime *rt, size_t n, struct counting *c)
{
	struct go_goroutines *out = c->out;
	size_t all = 0;
	int r = 0;

	for (size_t i = 0; i < n; i++)
		all += c->ptr[i] != 0;
	if (c->size <= MEMSRC_GATHER_EACH)
		r = rd_each(rt, PASS_BOOKS, c->ptr, n, 0, c->size, count_g, c);
	out->has_stacks = all && c->seen == all;
	if (r || out->has_stacks)
		return r;
	*out = (struct go_goroutines){ .truncated = out->truncated };
	return rd_each(rt, PASS_BOOKS, c->ptr, n, rt->l->f[GO_G_STATUS], 4, count_status, c);
}

int go_goroutines_read(const struct go_runtime *rt, struct go_goroutines *out, struct err *e)
{
	struct counting c = { .l = rt->l, .out = out, .size = counted_size(rt->l) };
	_free_ uint64_t *ptr = NULL;
	struct go_slice s;
	int r;

	*out = (struct go_goroutines){ 0 };
	if (!rt->g.allgs)
		return -ENOENT;
	r = rd_slice(rt, PASS_BOOKS, rt->g.allgs, &s);
	if (r)
		return err_set(e, r, "reading the goroutine table: %s", strerror(-r));
	out->truncated = s.len > MAX_GS;
	s.len = out->truncated ? MAX_GS : s.len;
	ptr = calloc(s.len + 1, 8);
	if (!ptr)
		return err_set(e, -ENOMEM, "out of memory");
	r = rd(rt, PASS_BOOKS, s.ptr, ptr, s.len * 8);
	if (r && r != -ENODATA)
		return err_set(e, r, "reading the goroutine table: %s", strerror(-r));
	c.ptr = ptr;
	r = count_all(rt, s.len, &c);
	return r ? err_set(e, r, "reading the goroutines: %s", strerror(-r)) : 0;
}
