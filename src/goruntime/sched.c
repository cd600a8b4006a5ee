/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads (allm) and goroutines (allgs). Source: runtime/runtime2.go, proc.go. */
#include "goruntime/goruntime.h"

#include <stdio.h>

#include "goruntime/rd.h"

enum { MAX_MS = 1 << 17, MAX_GS = 1 << 20 };

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

static void count_state(void *ctx, size_t i, const uint8_t *status)
{
	struct go_goroutines *out = ctx;
	uint32_t st = load_u32(status) & ~GO_GSCAN;

	if (st >= GO_GSTATUS_COUNT || st == GO_GDEAD || st == GO_GDEADEXTRA)
		return;
	out->by_status[st]++;
	out->total++;
}

int go_goroutines_read(const struct go_runtime *rt, struct go_goroutines *out, struct err *e)
{
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
	r = rd_each(rt, PASS_BOOKS, ptr, s.len, rt->l->f[GO_G_STATUS], 4, count_state, out);
	return r ? err_set(e, r, "reading the goroutines: %s", strerror(-r)) : 0;
}
