/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A sample's stack, put together from what the probe found.
 *
 * The thread's chain of frame pointers is right while it runs Go code, but for two places. A
 * function without a frame (small leaves, much of the assembly, and every function in its first
 * and last instructions) leaves its caller out: that is the word where its return address lies, if
 * its code says that it has no frame there. And where the thread has left the goroutine's stack,
 * for the system stack (runtime.systemstack) or for C (runtime.asmcgocall), the chain goes on
 * there, where Go's releases keep it (1.21), or leaves callers out; C has often none. There the
 * goroutine's saved registers tell the rest (runtime/asm_amd64.s, gosave_systemstack_switch).
 */
#include "observe/cpu_impl.h"

#include <string.h>

#include "binary/binary.h"

struct joining {
	struct observe_cpu *c;
	const struct ev_cpu_stack *s;
	uint64_t *out;
	size_t n;
};

static bool is_any(const char *name, const char *const *of, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(name, of[i]))
			return true;
	return false;
}

/* Leaves the goroutine's stack, and comes back to it. */
static bool is_switch(const char *name)
{
	static const char *const names[] = { "runtime.systemstack", "runtime.asmcgocall" };

	return is_any(name, names, ARRAY_LEN(names));
}

/* Has no caller: what the chain shows behind it is not (runtime/traceback.go, topofstack). */
static bool is_last(const char *name)
{
	static const char *const names[] = { "runtime.goexit", "runtime.mstart", "runtime.mcall",
					     "runtime.rt0_go", "runtime.morestack" };

	return is_any(name, names, ARRAY_LEN(names));
}

static void push(struct joining *j, uint64_t addr)
{
	if (j->n < CPU_JOINED)
		j->out[j->n++] = addr;
}

/* Whether the word beside the innermost function is its caller. */
static bool has_caller(const struct joining *j)
{
	const struct session_go *g = j->c->g;
	uint64_t entry, want = j->s->pushed ? sizeof(uint64_t) : 0;
	uint32_t delta;

	return j->s->caller && g &&
	       !bin_go_sp_delta(g->bin, g->rt.g.text - g->bias, j->s->native[0] - g->bias, &delta,
				&entry) &&
	       delta == want;
}

/* Whether the goroutine's registers were saved by one who switches stacks: otherwise it was put
 * aside, and this thread works for none. */
static bool has_goroutine(struct joining *j)
{
	return j->s->ngo && !strcmp(profile_function_at(&j->c->k, j->s->go[0] + 1),
				    "runtime.systemstack_switch");
}

static void push_goroutine(struct joining *j)
{
	for (size_t i = 1; i < j->s->ngo; i++)
		push(j, j->s->go[i]);
}

/* From frame i of the thread's own chain on, one of which switches stacks. */
static bool switches_later(struct joining *j, size_t i)
{
	for (; i < j->s->nnative; i++)
		if (is_switch(profile_function_at(&j->c->k, j->s->native[i])))
			return true;
	return false;
}

/* C frames up to the first Go frame; what lies behind the first word that is no code is none. The
 * frame to go on with; nnative: there is none. */
static size_t push_c(struct joining *j)
{
	struct frame f;

	for (size_t i = 0; i < j->s->nnative; i++) {
		symbolizer_frame(j->c->k.names, j->s->native[i] + !i, &f);
		if (f.go)
			return i;
		if (i && !f.module)
			break;
		push(j, j->s->native[i] + !i);
	}
	return j->s->nnative;
}

static void push_go(struct joining *j, size_t i)
{
	for (; i < j->s->nnative; i++) {
		uint64_t addr = j->s->native[i] + !i;
		const char *name = profile_function_at(&j->c->k, addr);

		push(j, addr);
		if (!i && has_caller(j)) {
			push(j, j->s->caller);
			name = profile_function_at(&j->c->k, j->s->caller);
		}
		if (is_last(name))
			return;
		if (is_switch(name) && has_goroutine(j)) {
			push_goroutine(j);
			return;
		}
	}
}

size_t cpu_stack_join(struct observe_cpu *c, const struct ev_cpu_stack *s, uint64_t out[CPU_JOINED],
		      bool *is_c_only)
{
	struct joining j = { .c = c, .s = s, .out = out };
	size_t first = push_c(&j), nc = j.n;

	if (first && has_goroutine(&j) && !switches_later(&j, first))
		push_goroutine(&j);
	else
		push_go(&j, first);
	*is_c_only = c->g && j.n && j.n == nc;
	return j.n;
}

/* ---- the collector */

static enum cpu_class class_of(const char *name)
{
	static const struct {
		const char *prefix;
		enum cpu_class class;
	} table[] = {
		{ "runtime.gcDrainMarkWorkerIdle", CPU_MARK_IDLE },
		{ "runtime.gcBgMarkWorker", CPU_MARK },
		{ "runtime.gcAssistAlloc", CPU_ASSIST },
		{ "runtime.bgsweep", CPU_SWEEP },
		{ "runtime.deductSweepCredit", CPU_SWEEP },
		{ "runtime.(*mspan).sweep", CPU_SWEEP },
		{ "runtime.(*sweepLocked).sweep", CPU_SWEEP },
		{ "runtime.gcStart", CPU_GC_OTHER },
		{ "runtime.gcMarkDone", CPU_GC_OTHER },
		{ "runtime.gcMarkTermination", CPU_GC_OTHER },
	};

	if (strncmp(name, "runtime.", 8) != 0)
		return CPU_OTHER;
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (!strncmp(name, table[i].prefix, strlen(table[i].prefix)))
			return table[i].class;
	return CPU_OTHER;
}

enum cpu_class cpu_stack_class(struct observe_cpu *c, const uint64_t *addr, size_t n)
{
	enum cpu_class found = CPU_OTHER;

	for (size_t i = 0; i < n; i++) {
		struct frame f[SYMBOLIZER_INLINED];
		size_t nf = symbolizer_frames(c->k.names, addr[i], f, SYMBOLIZER_INLINED);

		for (size_t k = 0; k < nf; k++) {
			enum cpu_class one = class_of(f[k].go && f[k].func ? f[k].func : "");

			/* an idle worker is in gcBgMarkWorker, too; its end may begin a cycle */
			if (one == CPU_MARK_IDLE)
				return one;
			if (one != CPU_OTHER)
				found = one;
		}
	}
	return found;
}
