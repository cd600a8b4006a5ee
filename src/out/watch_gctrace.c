/* SPDX-License-Identifier: BSD-2-Clause */
/* A GC cycle as the runtime's own gctrace prints it: gcMarkTermination in runtime/mgc.go, Go 1.15
 * to 1.27. What is not known from outside is a question mark. */
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

static bool have(const struct event_gc *g, enum gc_value a, enum gc_value b)
{
	return gc_has(g, a) && gc_has(g, b);
}

static int put_head(const struct event_gc *g, struct text *out)
{
	char cycle[32] = "?", at[32] = "?", util[32] = "?";
	uint64_t since = g->v[GCV_SWEEP_TERM] - g->v[GCV_INIT_TIME];
	double fraction;

	if (gc_has(g, GCV_CYCLE))
		snprintf(cycle, sizeof(cycle), "%" PRIu64, g->v[GCV_CYCLE]);
	if (have(g, GCV_SWEEP_TERM, GCV_INIT_TIME))
		fixed(at, sizeof(at), since / 1000000, 3);
	memcpy(&fraction, &g->v[GCV_CPU_FRACTION], sizeof(fraction));
	if (gc_has(g, GCV_CPU_FRACTION) && fraction >= 0 && fraction <= 1)
		snprintf(util, sizeof(util), "%d", (int)(fraction * 100));
	return text_printf(out, "gc %s @%ss %s%%: ", cycle, at, util);
}

static int put_times(const struct event_gc *g, struct text *out)
{
	uint64_t sweep = g->v[GCV_MARK] - g->v[GCV_SWEEP_TERM];
	uint64_t mark = g->v[GCV_MARK_TERM] - g->v[GCV_MARK];
	uint64_t term = g->v[GCV_END] - g->v[GCV_MARK_TERM], procs = g->v[GCV_STWPROCS];
	bool has_sweep = have(g, GCV_MARK, GCV_SWEEP_TERM);
	bool has_term = have(g, GCV_END, GCV_MARK_TERM);
	char a[32], b[32], c[32], d[32], e[32];
	int r = text_printf(out, "%s+%s+%s ms clock, ", ms(a, has_sweep, sweep),
			    ms(b, have(g, GCV_MARK, GCV_MARK_TERM), mark), ms(c, has_term, term));

	return r ? r
		 : text_printf(out, "%s+%s/%s/%s+%s ms cpu, ",
			       ms(a, has_sweep && gc_has(g, GCV_STWPROCS), procs * sweep),
			       ms(b, gc_has(g, GCV_ASSIST), g->v[GCV_ASSIST]),
			       ms(c, have(g, GCV_DEDICATED, GCV_FRACTIONAL),
				  g->v[GCV_DEDICATED] + g->v[GCV_FRACTIONAL]),
			       ms(d, gc_has(g, GCV_IDLE), g->v[GCV_IDLE]),
			       ms(e, has_term && gc_has(g, GCV_STWPROCS), procs * term));
}

int watch_gctrace(const struct event_gc *g, bool scans, struct text *out)
{
	char a[32], b[32], c[32], d[32], procs[32] = "?";
	int r = put_head(g, out);

	if (!r)
		r = put_times(g, out);
	if (!r)
		r = text_printf(out, "%s->%s->%s MB, %s MB goal, ", mib(a, g, GCV_HEAP_START),
				mib(b, g, GCV_HEAP_END), mib(c, g, GCV_HEAP_MARKED),
				mib(d, g, GCV_GOAL));
	if (!r && scans)
		r = text_printf(out, "%s MB stacks, %s MB globals, ", mib(a, g, GCV_STACK_SCAN),
				mib(b, g, GCV_GLOBALS_SCAN));
	if (gc_has(g, GCV_MAXPROCS))
		snprintf(procs, sizeof(procs), "%" PRIu64, g->v[GCV_MAXPROCS]);
	return r ? r
		 : text_printf(out, "%s P%s\n", procs,
			       gc_has(g, GCV_FORCED) && g->v[GCV_FORCED] ? " (forced)" : "");
}
