/* SPDX-License-Identifier: BSD-2-Clause */
/* What `watch` says of a GC cycle, of steps and of limits. Figures by hand; the trace lines are the
 * runtime's own, from programs with GODEBUG=gctrace=1. */
#include <jansson.h>

#include "schema.h"
#include "test.h"

#include "base/cleanup.h"
#include "model/event/gc_cycle.h"
#include "model/findings/pace.h"
#include "model/findings/trend.h"
#include "out/watch.h"

enum { MS = 1000000 };
#define SECOND 1000000000ULL

/* A cycle of 10 ms marking with 4 Ps that starts at start_ns. */
static struct event_gc cycle(uint64_t number, uint64_t start_ns)
{
	struct event_gc g = { .have = (1U << GCV_COUNT) - 1 };

	g.v[GCV_CYCLE] = number;
	g.v[GCV_INIT_TIME] = 5 * SECOND;
	g.v[GCV_SWEEP_TERM] = start_ns;
	g.v[GCV_MARK] = start_ns + 1 * MS;
	g.v[GCV_MARK_TERM] = start_ns + 11 * MS;
	g.v[GCV_END] = start_ns + 12 * MS;
	g.v[GCV_HEAP_START] = 80 << 20;
	g.v[GCV_HEAP_END] = 90 << 20;
	g.v[GCV_HEAP_MARKED] = 40 << 20;
	g.v[GCV_GOAL] = 92 << 20;
	g.v[GCV_PAUSE] = 2 * MS;
	g.v[GCV_MAXPROCS] = g.v[GCV_STWPROCS] = 4;
	g.v[GCV_ASSIST] = 4 * MS;
	return g;
}

TEST(gc_cycle_what_triggered_it)
{
	struct event_gc g = cycle(7, 100 * SECOND);
	struct gc_track t = { 0 };
	struct gc_cycle c;

	gc_track_next(&t, &g, &c); /* nothing is known of the cycle before */
	CHECK_INT(c.trigger, GC_TRIGGER_UNKNOWN);
	CHECK(!c.rate.has && !c.interval_ns.has);
	g = cycle(8, 220 * SECOND); /* 12 ms less than two minutes after the end */
	gc_track_next(&t, &g, &c);
	CHECK_INT(c.trigger, GC_TRIGGER_HEAP);
	CHECK_INT(c.interval_ns.v, 120 * SECOND - 12 * MS);
	g = cycle(9, 340 * SECOND + 13 * MS);
	gc_track_next(&t, &g, &c);
	CHECK_INT(c.trigger, GC_TRIGGER_PERIOD);
	g = cycle(10, 900 * SECOND);
	g.v[GCV_FORCED] = 1;
	gc_track_next(&t, &g, &c);
	CHECK_INT(c.trigger, GC_TRIGGER_FORCED);
	g = cycle(12, 901 * SECOND); /* one was missed */
	gc_track_next(&t, &g, &c);
	CHECK_INT(c.trigger, GC_TRIGGER_UNKNOWN);
	g = cycle(13, 902 * SECOND);
	g.have &= ~(1U << GCV_FORCED);
	gc_track_next(&t, &g, &c);
	CHECK_INT(c.trigger, GC_TRIGGER_UNKNOWN);
}

TEST(gc_cycle_of_which_the_start_was_seen)
{
	static const struct {
		uint32_t asked;
		int forced; /* -1: not known */
		enum gc_trigger trigger;
		enum gc_witness witness;
	} row[] = {
		/* three minutes after the one before: by the time it is one of the period's */
		{ 1U << GC_KIND_HEAP, 0, GC_TRIGGER_HEAP, GC_BY_START },
		{ 1U << GC_KIND_TIME, 0, GC_TRIGGER_PERIOD, GC_BY_START },
		{ 1U << GC_KIND_TIME, -1, GC_TRIGGER_PERIOD, GC_BY_START },
		{ 1U << GC_KIND_CYCLE, -1, GC_TRIGGER_FORCED, GC_BY_START },
		{ 1U << GC_KIND_CYCLE | 1U << GC_KIND_HEAP, 1, GC_TRIGGER_FORCED, GC_BY_FORCED },
		/* the one that forces it came too late */
		{ 1U << GC_KIND_CYCLE | 1U << GC_KIND_HEAP, 0, GC_TRIGGER_HEAP, GC_BY_START },
		{ 1U << GC_KIND_CYCLE | 1U << GC_KIND_HEAP, -1, GC_TRIGGER_UNKNOWN, GC_BY_NOTHING },
		{ 1U << GC_KIND_HEAP | 1U << GC_KIND_TIME, 0, GC_TRIGGER_UNKNOWN, GC_BY_NOTHING },
		{ 0, 0, GC_TRIGGER_PERIOD, GC_BY_INTERVAL },
		{ 0, 1, GC_TRIGGER_FORCED, GC_BY_FORCED },
	};

	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct event_gc g = cycle(8, 300 * SECOND);
		struct gc_track t;
		struct gc_cycle c;

		gc_track_begin(&t, 7, 120 * SECOND);
		g.asked = row[i].asked;
		g.v[GCV_FORCED] = row[i].forced > 0;
		if (row[i].forced < 0)
			g.have &= ~(1U << GCV_FORCED);
		gc_track_next(&t, &g, &c);
		CHECK_INT(c.trigger, row[i].trigger);
		CHECK_INT(c.witness, row[i].witness);
	}
}

TEST(gc_cycle_begins_with_what_the_runtime_says)
{
	struct event_gc g = cycle(1, 500 * SECOND);
	struct gc_track t;
	struct gc_cycle c;

	gc_track_begin(&t, 0, 0); /* before the first cycle no period runs */
	gc_track_next(&t, &g, &c);
	CHECK_INT(c.trigger, GC_TRIGGER_HEAP);
	CHECK(!c.interval_ns.has);
	gc_track_begin(&t, 3, 100 * SECOND);
	g = cycle(4, 500 * SECOND);
	gc_track_next(&t, &g, &c);
	CHECK_INT(c.trigger, GC_TRIGGER_PERIOD);
}

TEST(gc_cycle_rates)
{
	struct event_gc g = cycle(7, 100 * SECOND);
	struct gc_track t = { 0 };
	struct gc_cycle c;

	gc_track_next(&t, &g, &c);
	g = cycle(8, 102 * SECOND);
	gc_track_next(&t, &g, &c);
	/* 40 MiB were left, 90 MiB there at the end of the next marking, 2 s later */
	CHECK_INT(c.allocated.v, 50 << 20);
	CHECK_INT(c.over_ns.v, 2 * SECOND);
	CHECK_INT(c.rate.v, 25 << 20);
	CHECK_INT(c.assist_permille.v, 100); /* 4 ms of 4 Ps' 10 ms */
	g = cycle(9, 104 * SECOND);
	g.v[GCV_HEAP_END] = 30 << 20; /* less than was left: not to be had */
	g.v[GCV_ASSIST] = SECOND;     /* more than there was */
	gc_track_next(&t, &g, &c);
	CHECK(!c.rate.has);
	CHECK_INT(c.assist_permille.v, 1000);
}

TEST(pace_of_a_figure)
{
	struct pace p = { 0 };

	CHECK(!pace_rise(&p).has && !pace_until(&p, 5).has);
	pace_add(&p, 1 * SECOND, 1000);
	CHECK(!pace_rise(&p).has);
	pace_add(&p, 3 * SECOND, 3000);
	CHECK_INT(pace_rise(&p).v, 1000);
	CHECK_INT(pace_until(&p, 10000).v, 7);
	CHECK_INT(pace_until(&p, 2000).v, 0);
	for (int i = 0; i < PACE_POINTS; i++) /* what is older counts no more */
		pace_add(&p, (4 + i) * SECOND, 3000 + i);
	CHECK_INT(pace_rise(&p).v, 1);
	for (int i = 0; i < PACE_POINTS; i++)
		pace_add(&p, (20 + i) * SECOND, 500);
	CHECK(!pace_rise(&p).has && !pace_until(&p, 10000).has);
}

static void check_trace(const struct event_gc *g, bool scans, const char *want)
{
	_text_ struct text t = { 0 };

	REQUIRE(!watch_gctrace(g, scans, &t));
	CHECK_STR(t.p, want);
}

TEST(gctrace_lines)
{
	struct event_gc g = { .have = (1U << GCV_COUNT) - 1 };
	double fraction = 0.0199;

	/* gc 12 @1.145s 1%: 0.021+7.2+0.002 ms clock, 0.042+5.0/1.4/0+0.005 ms cpu, … */
	memcpy(&g.v[GCV_CPU_FRACTION], &fraction, sizeof(fraction));
	g.v[GCV_CYCLE] = 12;
	g.v[GCV_INIT_TIME] = 7 * SECOND;
	g.v[GCV_SWEEP_TERM] = 7 * SECOND + 1145 * MS + 999999;
	g.v[GCV_MARK] = g.v[GCV_SWEEP_TERM] + 21456;
	g.v[GCV_MARK_TERM] = g.v[GCV_MARK] + 7299999;
	g.v[GCV_END] = g.v[GCV_MARK_TERM] + 2999;
	g.v[GCV_ASSIST] = 5099999;
	g.v[GCV_DEDICATED] = 1300000;
	g.v[GCV_FRACTIONAL] = 100000;
	g.v[GCV_IDLE] = 999;
	g.v[GCV_STWPROCS] = 2;
	g.v[GCV_MAXPROCS] = 8;
	g.v[GCV_HEAP_START] = (4 << 20) + 1;
	g.v[GCV_HEAP_END] = (6 << 20) - 1;
	g.v[GCV_HEAP_MARKED] = 3 << 20;
	g.v[GCV_GOAL] = 5 << 20;
	check_trace(&g, false,
		    "gc 12 @1.145s 1%: 0.021+7.2+0.002 ms clock, 0.042+5.0/1.4/0+0.005 ms cpu, "
		    "4->5->3 MB, 5 MB goal, 8 P\n");
	g.v[GCV_FORCED] = 1;
	g.v[GCV_MARK_TERM] = g.v[GCV_MARK] + 10 * MS;
	g.v[GCV_END] = g.v[GCV_MARK_TERM] + 5 * MS + 50000;
	check_trace(&g, true,
		    "gc 12 @1.145s 1%: 0.021+10+5.0 ms clock, 0.042+5.0/1.4/0+10 ms cpu, "
		    "4->5->3 MB, 5 MB goal, 0 MB stacks, 0 MB globals, 8 P (forced)\n");
	g.have = 1U << GCV_CYCLE;
	check_trace(&g, true,
		    "gc 12 @?s ?%: ?+?+? ms clock, ?+?/?/?+? ms cpu, ?->?->? MB, ? MB goal, "
		    "? MB stacks, ? MB globals, ? P\n");
}

static void check_line(const char *text, json_t **out)
{
	json_t *schema = json_loads(watch_json_schema(), 0, NULL);
	char why[512] = "not JSON";

	*out = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	REQUIRE(schema);
	if (!*out || schema_check(schema, *out, why, sizeof(why)))
		test_failed(__FILE__, __LINE__, "%s in %s", why, text);
	json_decref(schema);
}

static void check_sample(const char *text)
{
	const char *name;
	json_int_t used, left;
	json_t *j;

	check_line(text, &j);
	REQUIRE(!json_unpack(j, "{s:[{s:s, s:I, s:I}]}", "limits", "name", &name, "used", &used,
			     "seconds_left", &left));
	CHECK_STR(name, "cgroup");
	CHECK_INT(used, 128 << 20);
	CHECK_INT(left, 384);
	json_decref(j);
}

/* Every figure in base units. */
TEST(gc_cycle_json)
{
	struct watch_seen seen = { .gc = { .known = true, .cycle = 41, .end_ns = 99 * SECOND } };
	struct event e = { .type = EVENT_GC, .gc = cycle(42, 100 * SECOND) };
	const char *trigger;
	json_int_t since, rate, assist, permille, marked;
	_text_ struct text t = { 0 };
	json_t *j;

	seen.gc.marked = OPT(30 << 20);
	seen.gc.mark_term_ns = OPT(98 * SECOND + 11 * MS);
	REQUIRE(!watch_json_event(&seen, &e, NULL, 0, &t));
	check_line(t.p, &j);
	REQUIRE(!json_unpack(j, "{s:s, s:I, s:I, s:I, s:I, s:I}", "trigger", &trigger,
			     "since_start_ns", &since, "allocation_rate", &rate, "assist_ns",
			     &assist, "assist_permille", &permille, "heap_marked", &marked));
	CHECK_STR(trigger, "heap");
	CHECK_INT(since, 95 * SECOND);
	CHECK_INT(rate, 30 << 20);
	CHECK_INT(assist, 4 * MS);
	CHECK_INT(permille, 100);
	CHECK_INT(marked, 40 << 20);
	json_decref(j);
}

/* What people read, within 120 columns. */
TEST(watch_lines_for_people)
{
	struct watch_text w = { .seen.gc = { .known = true, .cycle = 41, .end_ns = 99 * SECOND } };
	struct event e = { .type = EVENT_GC, .gc = cycle(42, 100 * SECOND) };
	struct watch_sample s = { .rss = 84 << 20,
				  .anon = 70 << 20,
				  .file = 14 << 20,
				  .threads = 12,
				  .started = 2,
				  .ended = 1,
				  .events = 340,
				  .nlimits = 1 };
	_text_ struct text t = { 0 }, u = { 0 }, line = { 0 };

	w.seen.gc.marked = OPT(30 << 20);
	w.seen.gc.mark_term_ns = OPT(98 * SECOND + 11 * MS);
	REQUIRE(!watch_text_event(&w, &e, NULL, 0, &t));
	CHECK_STR(t.p + 14,
		  "gc              42  heap    80.0 -> 90.0 -> 40.0 of 92.0 MiB  paused 2.00 ms  "
		  "assists 10.0%  30.0 MiB/s\n");
	CHECK(t.n <= 121);
	t.n = 0;
	e = (struct event){ .type = EVENT_RSS, .rss = { .file = 1 << 20, .anon = 3 << 20 } };
	REQUIRE(!watch_text_event(&w, &e, NULL, 0, &t));
	t.n = 0;
	e.rss = (struct event_rss){ .file = 768 << 10, .anon = 11 << 20, .high = 12 << 20 };
	REQUIRE(!watch_text_event(&w, &e, NULL, 0, &t));
	CHECK_STR(t.p + 14,
		  "rss       11.8 MiB  +8.0 MiB anon, -256.0 KiB file  (anon 11.0, file 0.8, "
		  "shm 0.0 MiB)  max 12.0 MiB\n");
	CHECK(t.n <= 121);
	s.limits[0] =
		(struct watch_limit){ "cgroup", 128 << 20, 512 << 20, OPT(1 << 20), OPT(384) };
	REQUIRE(!watch_text_sample(&w, &s, &u));
	REQUIRE(!watch_json_sample(&w.seen.clock, &s, &line));
	check_sample(line.p);
	CHECK(strstr(u.p, "84.0 MiB  (anon 70.0, file 14.0, shm 0.0 MiB)  12 threads (+2 -1), 340 "
			  "events\n"));
	CHECK(strstr(u.p, "128.0 of 512.0 MiB, 25%, cgroup  +1.0 MiB/s: reached in 6 min\n"));
}

/* One figure a second. */
static struct trend course(unsigned int n, uint64_t (*v)(unsigned int))
{
	struct trend t = { 0 };

	for (unsigned int i = 0; i < n; i++)
		trend_add(&t, (i + 1) * SECOND, v(i));
	return t;
}

static uint64_t rises(unsigned int i)
{
	return 100 + i;
}

static uint64_t fills(unsigned int i)
{
	return 100 + (i < 300 ? i : 300);
}

static uint64_t swings(unsigned int i)
{
	return i % 10 ? 100 + i % 7 : 50;
}

static uint64_t saw(unsigned int i) /* up by 3, and every tenth figure 20 back */
{
	return 1000 + 3 * i - (i % 10 ? 0 : 20);
}

TEST(trend_of_a_leak_and_of_a_cache)
{
	struct trend t = course(1000, rises);

	CHECK(!trend_rests(&t));
	CHECK(t.n <= TREND_POINTS);
	t = course(1000, fills);
	CHECK(trend_rests(&t));
	t = course(1000, swings);
	CHECK(trend_rests(&t));
	t = course(1000, saw);
	CHECK(!trend_rests(&t));
	t = course(5, rises); /* too few to ask */
	CHECK(!trend_rests(&t));
	t = (struct trend){ 0 };
	for (int i = 0; i < 20; i++) /* a burst that fills it, then some late and lonely cycles */
		trend_add(&t, SECOND + i, 10 * i);
	CHECK(!trend_rests(&t));
	trend_add(&t, 100 * SECOND, 191);
	trend_add(&t, 180 * SECOND, 191);
	CHECK(trend_rests(&t));
	trend_add(&t, SECOND, 9); /* not later: left out */
	CHECK_INT(t.n, 22);
}
