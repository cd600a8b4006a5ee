/* SPDX-License-Identifier: BSD-2-Clause */
/* A GC cycle as the runtime's own gctrace prints it: gcMarkTermination in runtime/mgc.go, Go 1.26.
 * What is not known from outside is a question mark. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "out/watch.h"

/* itoaDiv: val / 10^dec with all its decimals. */
static void fixed(char *buf, size_t n, uint64_t val, int dec)
{
	static const uint64_t unit[] = { 1, 10, 100, 1000 };

	if (!dec)
		snprintf(buf, n, "%" PRIu64, val);
	else
		snprintf(buf, n, "%" PRIu64 ".%0*" PRIu64, val / unit[dec], dec, val % unit[dec]);
}

/* fmtNSAsMS: whole milliseconds from ten on, else two digits and at most three decimals; cut. */
static const char *ms(char buf[32], bool known, uint64_t ns)
{
	uint64_t x = ns / 1000;
	int dec = 3;

	if (!known)
		return "?";
	if (ns >= 10000000)
		fixed(buf, 32, ns / 1000000, 0);
	else if (!x)
		return "0";
	else {
		for (; x >= 100; dec--)
			x /= 10;
		fixed(buf, 32, x, dec);
	}
	return buf;
}

static const char *mib(char buf[32], const struct event_gc *g, enum gc_value v)
{
	if (!gc_has(g, v))
		return "?";
	snprintf(buf, 32, "%" PRIu64, g->v[v] >> 20);
	return buf;
}

static bool have(const struct event_gc *g, enum gc_value a, enum gc_value b, enum gc_value c)
{
	return gc_has(g, a) && gc_has(g, b) && gc_has(g, c);
}

int watch_gctrace(const struct event_gc *g, struct text *out)
{
	uint64_t sweep = g->v[GCV_MARK] - g->v[GCV_SWEEP_TERM];
	uint64_t mark = g->v[GCV_MARK_TERM] - g->v[GCV_MARK];
	uint64_t term = g->v[GCV_END] - g->v[GCV_MARK_TERM], procs = g->v[GCV_MAXPROCS];
	char a[32], b[32], c[32], d[32], e[32], f[32], cycle[32] = "?", util[32] = "?",
						       procs_text[32] = "?";
	double fraction;
	int r;

	if (gc_has(g, GCV_CYCLE))
		snprintf(cycle, sizeof(cycle), "%" PRIu64, g->v[GCV_CYCLE]);
	memcpy(&fraction, &g->v[GCV_CPU_FRACTION], sizeof(fraction));
	if (gc_has(g, GCV_CPU_FRACTION) && fraction >= 0 && fraction <= 1)
		snprintf(util, sizeof(util), "%d", (int)(fraction * 100));
	if (gc_has(g, GCV_MAXPROCS))
		snprintf(procs_text, sizeof(procs_text), "%" PRIu64, procs);
	r = text_printf(out, "gc %s @?s %s%%: %s+%s+%s ms clock, %s+?/?/?+%s ms cpu, ", cycle, util,
			ms(a, gc_has(g, GCV_MARK) && gc_has(g, GCV_SWEEP_TERM), sweep),
			ms(b, gc_has(g, GCV_MARK) && gc_has(g, GCV_MARK_TERM), mark),
			ms(c, gc_has(g, GCV_END) && gc_has(g, GCV_MARK_TERM), term),
			ms(d, have(g, GCV_MARK, GCV_SWEEP_TERM, GCV_MAXPROCS), procs * sweep),
			ms(e, have(g, GCV_END, GCV_MARK_TERM, GCV_MAXPROCS), procs * term));
	if (!r)
		r = text_printf(out,
				"%s->%s->%s MB, %s MB goal, %s MB stacks, %s MB globals, %s P%s\n",
				mib(a, g, GCV_HEAP_START), mib(b, g, GCV_HEAP_END),
				mib(c, g, GCV_HEAP_MARKED), mib(d, g, GCV_GOAL),
				mib(e, g, GCV_STACK_SCAN), mib(f, g, GCV_GLOBALS_SCAN), procs_text,
				gc_has(g, GCV_FORCED) && g->v[GCV_FORCED] ? " (forced)" : "");
	return r;
}
