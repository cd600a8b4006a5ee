/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which of the runtime's variables are read when a GC cycle ends: those that its own gctrace prints
 * (gcMarkTermination in runtime/mgc.go). Each variable needs two witnesses: what it holds, and what
 * the code of two functions says; before the first cycle the code's two alone. Under load the
 * figures move between two reads: what has been believed once falls only to a contradiction.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "goruntime/gcwork.h"
#include "proc/status.h"
#include "session/session_impl.h"

enum { TRIES = 8 };

struct words {
	struct memsrc *m;
	struct session_gc *gc;
	const struct go_runtime *rt;
	struct go_gc_code code; /* run-time addresses */
};

static void unknown(struct words *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void unknown(struct words *w, const char *fmt, ...)
{
	char *text = w->gc->no_words;
	const size_t size = sizeof(w->gc->no_words);
	size_t n = strlen(text);
	va_list ap;

	if (n && n + 3 < size) {
		memcpy(text + n, "; ", 3);
		n += 2;
	}
	va_start(ap, fmt);
	vsnprintf(text + n, size - n, fmt, ap);
	va_end(ap);
}

static void set_word(struct words *w, enum gc_value i, uint64_t base, enum go_field f,
		     uint32_t size)
{
	if (base && go_has(w->rt->l, f))
		w->gc->at.words[i] = (struct ev_word){ base + go_off(w->rt->l, f), size };
}

static void read_code(struct words *w)
{
	uint64_t *at[] = { &w->code.work, &w->code.controller, &w->code.init_time };

	go_facts_gc_code(&w->gc->known, w->gc->bin, w->rt, &w->code);
	for (size_t i = 0; i < ARRAY_LEN(at); i++)
		if (*at[i])
			*at[i] += w->rt->bias;
}

/* ---- runtime.work */

static uint64_t find_work(struct words *w)
{
	uint64_t found = w->rt->g.work, code = w->code.work;
	int r = -EAGAIN;

	for (int i = 0; i < TRIES && !found && r == -EAGAIN; i++)
		r = go_work_find(w->rt, 0, &found);
	w->gc->settled = found != 0;
	if (found && code && found != code)
		unknown(w, "runtime.work: two methods disagree on its address");
	else if (found)
		return found;
	else if (!code)
		unknown(w, "runtime.work: not found");
	else
		for (int i = 0; i < TRIES; i++)
			if (code == w->gc->work || go_work_fits(w->rt, code))
				return code;
	if (code && !found)
		unknown(w, "runtime.work: address check failed");
	return 0;
}

static void set_work(struct words *w, uint64_t work)
{
	static const struct {
		enum gc_value i;
		enum go_field f;
		uint32_t size;
	} word[] = {
		{ GCV_SWEEP_TERM, GO_WORK_TSWEEPTERM, 8 }, { GCV_MARK, GO_WORK_TMARK, 8 },
		{ GCV_MARK_TERM, GO_WORK_TMARKTERM, 8 },   { GCV_END, GO_WORK_TEND, 8 },
		{ GCV_HEAP_START, GO_WORK_HEAP0, 8 },	   { GCV_HEAP_END, GO_WORK_HEAP1, 8 },
		{ GCV_HEAP_MARKED, GO_WORK_HEAP2, 8 },	   { GCV_PAUSE, GO_WORK_PAUSENS, 8 },
		{ GCV_FORCED, GO_WORK_USERFORCED, 1 },	   { GCV_MAXPROCS, GO_WORK_MAXPROCS, 4 },
		{ GCV_STWPROCS, GO_WORK_STWPROCS, 4 },	   { GCV_GOAL, GO_WORK_HEAPGOAL, 8 },
	};

	for (size_t i = 0; i < ARRAY_LEN(word); i++)
		set_word(w, word[i].i, work, word[i].f, word[i].size);
}

/* ---- gcController */

static uint64_t find_controller(struct words *w, uint64_t work)
{
	uint64_t found = w->rt->g.gccontroller, code = w->code.controller;

	if (found && code && found != code) {
		unknown(w, "gcController: two methods disagree on its address");
		return 0;
	}
	if (found)
		return found;
	for (int i = 0; i < TRIES && code && work; i++)
		if (code == w->gc->controller || go_controller_fits(w->rt, work, code))
			return code;
	unknown(w, "gcController: %s", code ? "address check failed" : "not found");
	return 0;
}

static void set_controller(struct words *w, uint64_t controller)
{
	const struct go_layout *l = w->rt->l;

	set_word(w, GCV_ASSIST, controller, GO_GCC_ASSISTTIME, 8);
	set_word(w, GCV_DEDICATED, controller, GO_GCC_DEDICATEDTIME, 8);
	set_word(w, GCV_FRACTIONAL, controller, GO_GCC_FRACTIONALTIME, 8);
	set_word(w, GCV_IDLE, controller, GO_GCC_IDLETIME, 8);
	set_word(w, GCV_HEAP_MARKED, controller, GO_GCC_HEAPMARKED, 8);
	set_word(w, GCV_GLOBALS_SCAN, controller, GO_GCC_GLOBALSSCAN, 8);
	if (w->code.stack_scan != GO_FIELD_COUNT)
		set_word(w, GCV_STACK_SCAN, controller, w->code.stack_scan, 8);
	if (!go_has(l, GO_WORK_HEAPGOAL)) /* from 1.19 */
		set_word(w, GCV_GOAL, controller, GO_GCC_LASTHEAPGOAL, 8);
}

/* ---- runtimeInitTime */

/* When the process began, as CLOCK_MONOTONIC has it, rounded down by a clock tick; 0: not known. */
static uint64_t start_ns(struct words *w)
{
	uint64_t hz = sysconf(_SC_CLK_TCK), ns;
	struct proc_stat st;
	int64_t asleep;

	if (!hz || proc_stat_read(memsrc_texts(w->m), 0, &st, NULL) ||
	    st.start_time > UINT64_MAX / 1000000000)
		return 0;
	asleep = clock_ns(CLOCK_BOOTTIME) - mono_ns();
	ns = st.start_time / hz * 1000000000 + st.start_time % hz * 1000000000 / hz;
	asleep += 1000000000 / hz; /* it may have slept later, which does not matter then */
	return ns > (uint64_t)asleep ? ns - asleep : 1;
}

static uint64_t find_init_time(struct words *w)
{
	uint64_t v = 0, began = start_ns(w);

	if (!w->code.init_time) {
		unknown(w, "runtimeInitTime: not found");
		return 0;
	}
	memsrc_flush(w->m);
	if (memsrc_read(w->m, PASS_DISCOVER, w->code.init_time, &v, sizeof(v))) {
		unknown(w, "runtimeInitTime: cannot be read");
		return 0;
	}
	if (began && v >= began && v <= mono_ns())
		return w->code.init_time;
	unknown(w, "runtimeInitTime: value is not a plausible start time");
	return 0;
}

void gc_words_set(struct session *s, const struct session_go *g)
{
	struct session_gc *gc = &s->gc;
	struct words w = { .m = s->m, .gc = gc, .rt = &g->rt };
	uint64_t init;

	memset(gc->at.words, 0, sizeof(gc->at.words));
	gc->no_words[0] = 0;
	read_code(&w);
	gc->work = find_work(&w);
	gc->controller = find_controller(&w, gc->work);
	init = find_init_time(&w);
	set_word(&w, GCV_CYCLE, w.rt->g.memstats, GO_MSTATS_NUMGC, 4);
	if (w.code.memstats)
		set_word(&w, GCV_CPU_FRACTION, w.rt->g.memstats, GO_MSTATS_GC_CPU_FRACTION, 8);
	else
		unknown(&w, "memstats.gc_cpu_fraction: the code names another place");
	if (gc->controller)
		set_controller(&w, gc->controller);
	if (gc->work)
		set_work(&w, gc->work);
	if (init)
		gc->at.words[GCV_INIT_TIME] = (struct ev_word){ init, 8 };
	gc->settled &= !gc->no_words[0];
}

/* As it is now; one that nobody has touched yet is zero. */
static int read_variable(const struct go_runtime *rt, uint64_t addr, void *buf, size_t n)
{
	int r;

	memsrc_flush(rt->m);
	r = memsrc_read(rt->m, PASS_DISCOVER, addr, buf, n);
	return r == -ENODATA && !rt->swapped ? 0 : r;
}

void session_gc_track(struct session *s, struct gc_track *out)
{
	const struct go_runtime *rt = session_gc_runtime(s);
	uint32_t cycles = 0, again = 1;
	uint64_t end = 0, at;

	*out = (struct gc_track){ 0 };
	if (!rt || !go_has(rt->l, GO_MSTATS_NUMGC) || !go_has(rt->l, GO_MSTATS_LAST_GC_NANOTIME))
		return;
	at = rt->g.memstats;
	/* last_gc_nanotime is set some lines before numgc: between two equal numbers it is theirs,
	 * or the next cycle's, of which then nothing is concluded */
	for (int i = 0; i < TRIES && cycles != again; i++) {
		if (read_variable(rt, at + go_off(rt->l, GO_MSTATS_NUMGC), &cycles, 4) ||
		    read_variable(rt, at + go_off(rt->l, GO_MSTATS_LAST_GC_NANOTIME), &end, 8) ||
		    read_variable(rt, at + go_off(rt->l, GO_MSTATS_NUMGC), &again, 4))
			return;
	}
	if (cycles == again)
		gc_track_begin(out, cycles, end);
}
