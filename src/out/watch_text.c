/* SPDX-License-Identifier: BSD-2-Clause */
/* The stream for people: "14:02:11.123  mmap   64.0 MiB at 0x7f…  rw- private  main.load
 * cache.go:41". */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/utf8.h"
#include "out/watch_text.h"

enum { NAME_COLUMNS = 60 };

char *watch_text_size(const struct watch_text *w, char *buf, size_t n, uint64_t bytes)
{
	return text_size(buf, n, bytes, w->style.exact);
}

int watch_text_name(const struct watch_text *w, const char *s, struct text *out)
{
	int r = utf8_print(s, NAME_COLUMNS, w->style.utf8, out);

	return r < 0 ? r : 0;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static int begin(const struct watch_text *w, uint64_t mono_ns, const char *kind, struct text *out)
{
	uint64_t ns = mono_ns + w->seen.clock.offset_ns;
	time_t s = ns / 1000000000;
	char clock[16] = "";
	struct tm tm;

	if (localtime_r(&s, &tm))
		strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	if (w->pids && w->pid)
		return text_printf(out, "%s.%03u  %7" PRIu32 "  %-8s", clock,
				   (unsigned int)(ns % 1000000000 / 1000000), w->pid, kind);
	return text_printf(out, "%s.%03u  %-8s", clock, (unsigned int)(ns % 1000000000 / 1000000),
			   kind);
}

/* "84.1 -> 91.0 -> 42.3 of 92.0 MiB": when the cycle starts, when its marking ends, what it marked;
 * the goal. */
static int put_heap(const struct watch_text *w, const struct event_gc *g, struct text *out)
{
	static const enum gc_value sizes[] = { GCV_HEAP_START, GCV_HEAP_END, GCV_HEAP_MARKED };
	bool goal = gc_has(g, GCV_GOAL) && g->v[GCV_GOAL] <= INT64_MAX; /* GOGC=off has none */
	struct text_scale s;
	uint64_t most = goal ? g->v[GCV_GOAL] : 0;
	char buf[32];
	int r = 0, n = 0;

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		most = gc_has(g, sizes[i]) ? larger(most, g->v[sizes[i]]) : most;
	s = text_scale_of(most, w->style.exact);
	for (size_t i = 0; i < ARRAY_LEN(sizes) && !r; i++)
		if (gc_has(g, sizes[i]))
			r = text_printf(out, "%s%s", n++ ? " -> " : "  ",
					text_scaled(&s, buf, g->v[sizes[i]]));
	if (!r && goal)
		r = text_printf(out, "%s%s", n++ ? " of " : "  goal ",
				text_scaled(&s, buf, g->v[GCV_GOAL]));
	return r || !n ? r : text_printf(out, "%s", s.unit);
}

static int put_gc(struct watch_text *w, const struct event_gc *g, const struct frame *f, size_t n,
		  struct text *out)
{
	const char *trigger;
	struct gc_cycle c;
	char buf[32];
	int r = 0;

	gc_track_next(&w->seen.gc, g, &c);
	trigger = gc_trigger_name(c.trigger);
	if (!g->have)
		r = text_printf(out, "%10s  GC cycle, figures not available yet", "");
	if (gc_has(g, GCV_CYCLE))
		r = text_printf(out, "%10" PRIu64, g->v[GCV_CYCLE]);
	if (!r && trigger)
		r = text_printf(out, "  %-6s", trigger);
	if (!r)
		r = put_heap(w, g, out);
	if (!r && gc_has(g, GCV_PAUSE))
		r = text_printf(out, "  paused %.2f ms", g->v[GCV_PAUSE] / 1e6);
	if (!r && c.assist_permille.has)
		r = text_printf(out, "  assists %.1f%%", c.assist_permille.v / 10.0);
	if (!r && c.rate.has)
		r = text_printf(out, "  %s/s", watch_text_size(w, buf, sizeof(buf), c.rate.v));
	if (!r && c.trigger == GC_TRIGGER_FORCED && gc_frees(f, n))
		r = text_printf(out, "  FreeOSMemory");
	return !r && c.trigger == GC_TRIGGER_FORCED ? watch_text_caller(w, f, n, out) : r;
}

/* "anon 3.0, file 1.0, shm 0.0 MiB" */
static int put_kinds(const struct watch_text *w, uint64_t anon, uint64_t file, uint64_t shmem,
		     struct text *out)
{
	struct text_scale s = text_scale_of(larger(anon, larger(file, shmem)), w->style.exact);
	char a[32], f[32], m[32];

	return text_printf(out, "anon %s, file %s, shm %s%s", text_scaled(&s, a, anon),
			   text_scaled(&s, f, file), text_scaled(&s, m, shmem), s.unit);
}

/* "+8.0 MiB anon, -12.0 KiB file" */
static int put_step(const struct watch_text *w, const struct event_rss *from,
		    const struct event_rss *to, struct text *out)
{
	const struct {
		uint64_t from, to;
		const char *name;
	} kind[] = {
		{ from->anon, to->anon, "anon" },
		{ from->file, to->file, "file" },
		{ from->shmem, to->shmem, "shm" },
		{ from->swap, to->swap, "swap" },
	};
	char buf[32];
	int r = 0, n = 0;

	for (size_t i = 0; i < ARRAY_LEN(kind) && !r; i++) {
		uint64_t a = kind[i].from, b = kind[i].to;

		if (a != b)
			r = text_printf(out, "%s%c%s %s", n++ ? ", " : "  ", b < a ? '-' : '+',
					watch_text_size(w, buf, sizeof(buf), b < a ? a - b : b - a),
					kind[i].name);
	}
	return r;
}

static int put_rss(struct watch_text *w, const struct event_rss *e, struct text *out)
{
	char buf[32];
	int r = text_printf(out, "%10s",
			    watch_text_size(w, buf, sizeof(buf), e->file + e->anon + e->shmem));

	if (!r && w->seen.has_rss)
		r = put_step(w, &w->seen.rss, e, out);
	w->seen.has_rss = true;
	w->seen.rss = *e;
	if (!r)
		r = text_printf(out, "  (");
	if (!r)
		r = put_kinds(w, e->anon, e->file, e->shmem, out);
	return r ? r : text_printf(out, ")  max %s", watch_text_size(w, buf, sizeof(buf), e->high));
}

static int put_task(const struct watch_text *w, const struct event *e, struct text *out)
{
	int r = text_printf(out, "%10" PRIu32 "  ", e->tid);

	if (!r)
		r = watch_text_name(w, e->task.comm, out);
	if (r)
		return r;
	switch (event_kind(e)) {
	case KIND_THREAD_START:
		return text_printf(out, "  started by %" PRIu32, e->task.by_tid);
	case KIND_FORK:
		return text_printf(out, "  process forked by %" PRIu32, e->task.by_tid);
	case KIND_THREAD_EXIT:
		return text_printf(out, "  exited");
	case KIND_EXIT:
		if (e->task.exit_code & 0x7f)
			return text_printf(out, "  the process was killed by signal %" PRIu32,
					   e->task.exit_code & 0x7f);
		return text_printf(out, "  the process exited with status %" PRIu32,
				   e->task.exit_code >> 8 & 0xff);
	default:
		return text_printf(out, "  called exec");
	}
}

static const char *label(const struct event *e)
{
	switch (event_kind(e)) {
	case KIND_THREAD_START:
	case KIND_THREAD_EXIT:
		return "thread";
	default:
		return event_kind_name(event_kind(e));
	}
}

int watch_text_event(struct watch_text *w, const struct event *e, const struct frame *frames,
		     size_t n, struct text *out)
{
	int r;

	w->pid = e->tgid;
	r = begin(w, e->exit_ns, label(e), out);

	if (r)
		return r;
	switch (e->type) {
	case EVENT_CALL:
		r = watch_text_call(w, &e->call, out);
		if (!r)
			r = watch_text_caller(w, frames, n, out);
		break;
	case EVENT_RSS:
		r = put_rss(w, &e->rss, out);
		break;
	case EVENT_GC:
		r = put_gc(w, &e->gc, frames, n, out);
		break;
	case EVENT_HEAP_GROW:
		r = text_printf(out, "  new high water of the Go heap (%" PRIu64 " growths so far)",
				e->grow.calls);
		break;
	default:
		seen_task(&w->seen, e);
		r = put_task(w, e, out);
	}
	return r ? r : text_add(out, "\n", 1);
}

/* ---- events that are told together */

/* "5,151" */
static const char *grouped(char buf[32], uint64_t n)
{
	char digits[24];
	size_t k = snprintf(digits, sizeof(digits), "%" PRIu64, n), at = 0;

	for (size_t i = 0; i < k; i++) {
		if (i && !((k - i) % 3))
			buf[at++] = ',';
		buf[at++] = digits[i];
	}
	buf[at] = 0;
	return buf;
}

int watch_text_calls(struct watch_text *w, const struct watch_calls *c, struct text *out)
{
	const char *error = c->error ? strerrorname_np(c->error) : NULL;
	char n[32], bytes[32];
	int r = begin(w, c->ns, event_kind_name(c->kind), out);

	if (!r && c->bytes)
		r = text_printf(out, "%10s in %s calls",
				watch_text_size(w, bytes, sizeof(bytes), c->bytes),
				grouped(n, c->count));
	else if (!r)
		r = text_printf(out, "%10s %s calls", "", grouped(n, c->count));
	if (!r && c->error)
		r = text_printf(out, "  failed: %s", error ? error : "?");
	if (!r && c->caller)
		r = text_printf(out, "%s", c->caller);
	return r ? r : text_add(out, "\n", 1);
}

int watch_text_more(uint64_t n, struct text *out)
{
	char buf[32];

	return text_printf(out, "  (%s more)\n", grouped(buf, n));
}

int watch_text_rest(struct watch_text *w, uint64_t now_ns, uint64_t n, uint64_t bytes,
		    struct text *out)
{
	char count[32], size[32];
	int r;

	w->pid = 0;
	r = begin(w, now_ns, "others", out);
	if (!r)
		r = text_printf(out, "%10s in %s events",
				watch_text_size(w, size, sizeof(size), bytes), grouped(count, n));
	return r ? r : text_printf(out, " (--events LIST shows each)\n");
}

int watch_text_gap(struct watch_text *w, uint64_t now_ns, uint64_t n, struct text *out)
{
	char count[32];
	int r;

	w->pid = 0;
	r = begin(w, now_ns, "lost", out);
	return r ? r : text_printf(out, "%10s  events lost here\n", grouped(count, n));
}

/* ---- the rest of the stream */

int watch_text_start(struct watch_text *w, const struct watch_start *s, struct text *out)
{
	size_t attached = 0;
	int r;

	for (size_t i = 0; i < s->nprograms; i++)
		attached += s->programs[i].attached;
	r = text_printf(out, "watching %" PRId32 " ", s->pid);
	if (!r)
		r = watch_text_name(w, s->comm ? s->comm : "", out);
	if (!r && s->go_version && *s->go_version)
		r = text_printf(out, " (%s)", s->go_version);
	if (!r)
		r = text_printf(out, " with %zu probes", attached);
	if (!r && s->has_overhead)
		r = text_printf(out,
				"; overhead for every process on this host: %.0f ns per system "
				"call, %.0f ns per mapping call, +/- %.0f ns "
				"(--no-mappings: none)",
				s->overhead_ns, s->mapping_overhead_ns, s->overhead_noise_ns);
	if (!r)
		r = text_add(out, "\n", 1);
	for (size_t i = 0; i < s->nmissing && !r; i++)
		r = text_printf(out, "not watched: %s\n", s->missing[i]);
	return r;
}

static const char *until(char buf[32], uint64_t seconds)
{
	if (seconds < 120)
		snprintf(buf, 32, "%" PRIu64 " s", seconds);
	else if (seconds < 7200)
		snprintf(buf, 32, "%" PRIu64 " min", seconds / 60);
	else if (seconds < 2 * 86400)
		snprintf(buf, 32, "%" PRIu64 " h", seconds / 3600);
	else
		snprintf(buf, 32, "%" PRIu64 " days", seconds / 86400);
	return buf;
}

/* "210.3 of 512.0 MiB, 41%, of the cgroup's limit; +1.2 MiB/s: there in 4 min" */
static int put_limit(const struct watch_text *w, const struct watch_limit *l, uint64_t now_ns,
		     struct text *out)
{
	struct text_scale s = text_scale_of(larger(l->used, l->limit), w->style.exact);
	char a[32], b[32];
	int r = begin(w, now_ns, "limit", out);

	if (!r)
		r = text_printf(out, "%10s of %s%s, %.0f%%, %s", text_scaled(&s, a, l->used),
				text_scaled(&s, b, l->limit), s.unit,
				l->limit ? 100.0 * l->used / l->limit : 100.0, l->name);
	if (!r && l->rate.has)
		r = text_printf(out, "  +%s/s", watch_text_size(w, a, sizeof(a), l->rate.v));
	if (!r && l->seconds.has)
		r = text_printf(out, ": reached in %s", until(b, l->seconds.v));
	return r ? r : text_add(out, "\n", 1);
}

int watch_text_exec(struct watch_text *w, const struct watch_exec *x, struct text *out)
{
	int r;

	w->pid = x->pid;
	r = begin(w, x->now_ns, "program", out);
	if (!r)
		r = text_printf(out, "%10s  ", "");
	if (!r)
		r = watch_text_name(w, x->exe && *x->exe ? x->exe : "?", out);
	if (!r && x->go_version && *x->go_version)
		r = text_printf(out, " (%s)", x->go_version);
	if (!r && x->no_gc && *x->no_gc)
		r = text_printf(out, "; GC cycles not watched: %s", x->no_gc);
	return r ? r : text_add(out, "\n", 1);
}

int watch_text_sample(struct watch_text *w, const struct watch_sample *s, struct text *out)
{
	char rss[32];
	int r = begin(w, s->now_ns, "sample", out);

	if (!r)
		r = text_printf(out, "%10s  (", watch_text_size(w, rss, sizeof(rss), s->rss));
	if (!r)
		r = put_kinds(w, s->anon, s->file, s->shmem, out);
	if (!r)
		r = text_printf(out, ")  %" PRIu64 " threads", s->threads);
	if (!r && (s->started || s->ended))
		r = text_printf(out, " (+%" PRIu64 " -%" PRIu64 ")", s->started, s->ended);
	if (!r)
		r = text_printf(out, ", %" PRIu64 " events\n", s->events);
	for (size_t i = 0; i < s->nlimits && !r; i++)
		r = put_limit(w, &s->limits[i], s->now_ns, out);
	return r;
}

int watch_text_lost(struct watch_text *w, const struct event *e, uint32_t n, struct text *out)
{
	int r = begin(w, e->exit_ns, "lost", out);

	return r ? r
		 : text_printf(out, "%10" PRIu32 "  events of CPU %" PRIu32 " lost here\n", n,
			       e->cpu);
}

static int put_mappings(const struct watch_text *w, const struct watch_mappings *m,
			struct text *out)
{
	char live[32], unknown[32], settled[32], grown[32];
	int r = text_printf(out,
			    "mappings created and still live: %" PRIu64 " ranges, %s, from %" PRIu64
			    " call stacks",
			    m->ranges, watch_text_size(w, live, sizeof(live), m->bytes), m->stacks);

	if (!r && m->reordered)
		r = text_printf(out, ", %" PRIu64 " munmaps recorded after the range was reused",
				m->reordered);
	if (!r && m->ambiguous)
		r = text_printf(out, ", order unknown for %" PRIu64 " calls", m->ambiguous);
	if (!r && m->unknown)
		r = text_printf(out, ", %s unknown because of lost calls",
				watch_text_size(w, unknown, sizeof(unknown), m->unknown));
	if (!r && m->settled)
		r = text_printf(out, ", %s taken from /proc/PID/maps at the end",
				watch_text_size(w, settled, sizeof(settled), m->settled));
	if (!r && m->grown + m->kernel)
		r = text_printf(out, ", %s mapped by the kernel (such as stack growth)",
				watch_text_size(w, grown, sizeof(grown), m->grown + m->kernel));
	return r ? r : text_add(out, "\n", 1);
}

int watch_text_child(struct watch_text *w, const struct watch_child *c, struct text *out)
{
	int r;

	w->pid = c->pid;
	r = text_printf(out, "child %" PRIu32 " ", c->pid);
	if (!r)
		r = watch_text_name(w, c->comm ? c->comm : "", out);
	if (!r && c->mappings.known)
		r = text_printf(out, ": ");
	if (!r)
		r = c->mappings.known ? put_mappings(w, &c->mappings, out)
				      : text_add(out, " is still running\n", 18);
	return r;
}

/* "madvise: DONTNEED 120 times for 34.0 MiB, ..." */
static int put_advice(const struct watch_text *w, const struct watch_advice *a, size_t n,
		      struct text *out)
{
	int r = n ? text_printf(out, "madvise:") : 0;

	for (size_t i = 0; i < n && !r; i++) {
		const char *name = event_advice_name(a[i].advice);
		char bytes[32], number[16];

		snprintf(number, sizeof(number), "%" PRIu32, a[i].advice);
		r = text_printf(out, "%s %s %" PRIu64 " times for %s", i ? "," : "",
				name ? name + strlen("MADV_") : number, a[i].calls,
				watch_text_size(w, bytes, sizeof(bytes), a[i].bytes));
		if (!r && a[i].failed)
			r = text_printf(out, " (%" PRIu64 " failed)", a[i].failed);
	}
	return r || !n ? r : text_add(out, "\n", 1);
}

int watch_text_end(struct watch_text *w, const struct watch_end *e, struct text *out)
{
	bool any = false;
	int r = text_printf(out, "watched for %.1f s (%s):", (e->now_ns - e->start_ns) / 1e9,
			    e->why);

	for (int k = 0; k < KIND_COUNT && !r; k++) {
		if (!e->events[k])
			continue;
		r = text_printf(out, "%s %" PRIu64 " %s", any ? "," : "", e->events[k],
				event_kind_name(k));
		any = true;
	}
	if (!r && !any)
		r = text_printf(out, " no events");
	if (!r && e->failed)
		r = text_printf(out, ", %" PRIu64 " of the calls failed", e->failed);
	if (!r && e->followed)
		r = text_printf(out,
				", including %" PRIu64 " children, %" PRIu64 " of which exited",
				e->followed, e->children_ended);
	if (!r)
		r = text_printf(out, "; lost: %" PRIu64, e->lost);
	for (size_t i = 0; i < e->losses.n && !r; i++)
		if (e->losses.v[i].v)
			r = text_printf(out, ", %s %" PRIu64, e->losses.v[i].name,
					e->losses.v[i].v);
	if (!r)
		r = text_add(out, "\n", 1);
	if (!r && e->mappings.known)
		r = put_mappings(w, &e->mappings, out);
	return r ? r : put_advice(w, e->advice, e->nadvice, out);
}
