/* SPDX-License-Identifier: BSD-2-Clause */
/* The stream as JSON lines. Written directly, not through a tree of values: there may be a hundred
 * thousand a second. Addresses are strings; integers are plain. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "out/text_utf8.h"
#include "out/watch.h"

static const char schema[] =
#include "watch.schema.inc"
	;

const char *watch_json_schema(void)
{
	return schema;
}

/* A line under way. Failure is sticky. */
struct line {
	struct text *out;
	bool comma; /* before the next member or element */
	int rc;
};

static void put(struct line *l, const char *p, size_t n)
{
	if (!l->rc)
		l->rc = text_add(l->out, p, n);
}

static void put_quoted(struct line *l, const char *s)
{
	static const char hex[] = "0123456789abcdef";

	put(l, "\"", 1);
	while (*s) {
		uint32_t code;
		size_t n = utf8_next(s, &code);

		if (!n) {
			put(l, "\\ufffd", 6);
			n = 1;
		} else if (*s == '"' || *s == '\\') {
			char esc[2] = { '\\', *s };

			put(l, esc, 2);
		} else if (code < 0x20 || code == 0x7f) {
			char esc[6] = { '\\', 'u', '0', '0', hex[code >> 4], hex[code & 15] };

			put(l, esc, 6);
		} else {
			put(l, s, n);
		}
		s += n;
	}
	put(l, "\"", 1);
}

static void separate(struct line *l)
{
	if (l->comma)
		put(l, ",", 1);
	l->comma = true;
}

/* Keys are our own: they need no escapes. */
static void key(struct line *l, const char *k)
{
	separate(l);
	put(l, "\"", 1);
	put(l, k, strlen(k));
	put(l, "\":", 2);
}

static void put_int(struct line *l, const char *k, uint64_t v, bool negative)
{
	char buf[24];
	size_t i = sizeof(buf);

	do {
		buf[--i] = '0' + v % 10;
		v /= 10;
	} while (v);
	if (negative)
		buf[--i] = '-';
	key(l, k);
	put(l, buf + i, sizeof(buf) - i);
}

/* Left out beyond 2^63 - 1, which not every reader holds. */
static void put_u64(struct line *l, const char *k, uint64_t v)
{
	if (v <= INT64_MAX)
		put_int(l, k, v, false);
}

static void put_s64(struct line *l, const char *k, int64_t v)
{
	put_int(l, k, v < 0 ? 0 - (uint64_t)v : (uint64_t)v, v < 0);
}

static void put_double(struct line *l, const char *k, double v, int decimals)
{
	char buf[32];

	snprintf(buf, sizeof(buf), "%.*f", decimals, v);
	key(l, k);
	put(l, buf, strlen(buf));
}

static void put_hex(struct line *l, uint64_t v)
{
	static const char hex[] = "0123456789abcdef";
	char buf[20];
	size_t i = sizeof(buf);

	buf[--i] = '"';
	do {
		buf[--i] = hex[v & 15];
		v >>= 4;
	} while (v);
	buf[--i] = 'x';
	buf[--i] = '0';
	buf[--i] = '"';
	put(l, buf + i, sizeof(buf) - i);
}

static void put_addr(struct line *l, const char *k, uint64_t v)
{
	key(l, k);
	put_hex(l, v);
}

static void put_string(struct line *l, const char *k, const char *s)
{
	key(l, k);
	put_quoted(l, s);
}

static void put_known(struct line *l, const char *k, const char *s)
{
	if (s && *s)
		put_string(l, k, s);
}

static void put_bool(struct line *l, const char *k, bool v)
{
	key(l, k);
	put(l, v ? "true" : "false", v ? 4 : 5);
}

static void open_with(struct line *l, const char *k, const char *bracket)
{
	if (k)
		key(l, k);
	else
		separate(l);
	put(l, bracket, 1);
	l->comma = false;
}

static void close_with(struct line *l, const char *bracket)
{
	put(l, bracket, 1);
	l->comma = true;
}

static void put_time(struct line *l, const struct watch_clock *c, uint64_t mono_ns)
{
	uint64_t ns = mono_ns + c->offset_ns;
	time_t s = ns / 1000000000;
	char day[32], buf[64];
	struct tm tm;

	if (!gmtime_r(&s, &tm) || !strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm))
		return;
	snprintf(buf, sizeof(buf), "%s.%09uZ", day, (unsigned int)(ns % 1000000000));
	put_string(l, "time", buf);
}

static struct line begin(struct text *out, const char *type, const struct watch_clock *c,
			 uint64_t mono_ns)
{
	struct line l = { .out = out };

	put(&l, "{", 1);
	put_string(&l, "type", type);
	put_time(&l, c, mono_ns);
	return l;
}

static int end(struct line *l)
{
	put(l, "}\n", 2);
	return l->rc;
}

/* ---- events */

static void put_stack(struct line *l, const struct frame *f, size_t n)
{
	open_with(l, "stack", "[");
	for (size_t i = 0; i < n; i++) {
		open_with(l, NULL, "{");
		put_known(l, "func", f[i].func);
		put_known(l, "file", f[i].file);
		if (f[i].line)
			put_u64(l, "line", f[i].line);
		put_known(l, "module", f[i].module);
		put_addr(l, "addr", f[i].addr);
		close_with(l, "}");
	}
	close_with(l, "]");
}

static void put_prctl(struct line *l, const struct event_call *c)
{
	switch (c->args[0]) {
	case EVENT_PR_SET_VMA:
		put_string(l, "option", "PR_SET_VMA");
		put_addr(l, "addr", c->args[2]);
		put_u64(l, "length", c->args[3]);
		put_string(l, "name", c->name);
		break;
	case EVENT_PR_SET_MM:
		put_string(l, "option", "PR_SET_MM");
		put_addr(l, "addr", c->args[2]);
		break;
	case EVENT_PR_SET_THP_DISABLE:
		put_string(l, "option", "PR_SET_THP_DISABLE");
		put_bool(l, "disable", c->args[1]);
		break;
	}
}

/* The arguments by name as well as raw: a length or a file descriptor is a number. */
static void put_args(struct line *l, const struct event_call *c)
{
	open_with(l, "args", "[");
	for (unsigned int i = 0; i < event_call_nargs(c->call); i++) {
		separate(l);
		put_hex(l, c->args[i]);
	}
	close_with(l, "]");
	if (c->call == CALL_PRCTL) {
		put_prctl(l, c);
		return;
	}
	put_addr(l, "addr", c->args[c->call == CALL_SHMAT]);
	switch (c->call) {
	case CALL_MMAP:
		put_u64(l, "length", c->args[1]);
		put_u64(l, "prot", (uint32_t)c->args[2]);
		put_u64(l, "flags", (uint32_t)c->args[3]);
		put_s64(l, "fd", (int32_t)c->args[4]);
		put_u64(l, "offset", c->args[5]);
		break;
	case CALL_MUNMAP:
		put_u64(l, "length", c->args[1]);
		break;
	case CALL_MREMAP:
		put_u64(l, "length", c->args[1]);
		put_u64(l, "new_length", c->args[2]);
		put_u64(l, "flags", (uint32_t)c->args[3]);
		put_addr(l, "new_addr", c->args[4]);
		break;
	case CALL_MPROTECT:
	case CALL_PKEY_MPROTECT:
		put_u64(l, "length", c->args[1]);
		put_u64(l, "prot", (uint32_t)c->args[2]);
		break;
	case CALL_MADVISE:
		put_u64(l, "length", c->args[1]);
		put_known(l, "advice", event_advice_name(c->args[2]));
		break;
	case CALL_SHMAT:
		put_s64(l, "shmid", (int32_t)c->args[0]);
		put_u64(l, "flags", (uint32_t)c->args[2]);
		break;
	case CALL_REMAP_FILE_PAGES:
		put_u64(l, "length", c->args[1]);
		put_u64(l, "page_offset", c->args[3]);
		break;
	case CALL_BRK:
	case CALL_PRCTL:
	case CALL_SHMDT:
	case CALL_COUNT:
		break;
	}
}

static void put_call(struct line *l, const struct event_call *c, const struct frame *f, size_t n)
{
	int err = event_call_errno(c), caller = event_caller(f, n), maker = event_maker(f, n);

	put_args(l, c);
	if (c->ret < 0 && c->ret >= -4095)
		put_s64(l, "result", c->ret);
	else
		put_addr(l, "result", c->ret);
	put_bool(l, "failed", err);
	if (err) {
		put_u64(l, "errno", err);
		put_known(l, "error", strerrorname_np(err));
	}
	if (caller >= 0)
		put_known(l, "caller", f[caller].func ? f[caller].func : f[caller].module);
	if (maker >= 0)
		put_known(l, "runtime", f[maker].func);
	put_stack(l, f, n);
	if (c->stack_failed || c->go_failed || c->stack_cut)
		put_string(l, "stack_note",
			   c->stack_failed ? "unreadable"
			   : c->go_failed  ? "the goroutine's part is cut short"
					   : "deeper than recorded");
}

static void put_opt(struct line *l, const char *k, const struct opt_u64 *v)
{
	if (v->has)
		put_u64(l, k, v->v);
}

static void put_cycle(struct line *l, struct gc_track *t, const struct event_gc *g)
{
	struct gc_cycle c;

	gc_track_next(t, g, &c);
	put_known(l, "trigger", gc_trigger_name(c.trigger));
	put_opt(l, "interval_ns", &c.interval_ns);
	put_opt(l, "allocated", &c.allocated);
	put_opt(l, "allocated_over_ns", &c.over_ns);
	put_opt(l, "allocation_rate", &c.rate);
	put_opt(l, "assist_ns", &c.assist_ns);
	put_opt(l, "assist_permille", &c.assist_permille);
	put_opt(l, "dedicated_ns", &c.dedicated_ns);
	put_opt(l, "fractional_ns", &c.fractional_ns);
	put_opt(l, "idle_ns", &c.idle_ns);
}

static void put_gc(struct line *l, struct gc_track *t, const struct event_gc *g)
{
	static const struct {
		enum gc_value from; /* with `to`: the time between the two */
		enum gc_value to;
		const char *key;
	} figure[] = {
		{ GCV_CYCLE, GCV_COUNT, "cycle" },
		{ GCV_HEAP_START, GCV_COUNT, "heap_start" },
		{ GCV_HEAP_END, GCV_COUNT, "heap_end" },
		{ GCV_HEAP_MARKED, GCV_COUNT, "heap_marked" },
		{ GCV_GOAL, GCV_COUNT, "goal" },
		{ GCV_SWEEP_TERM, GCV_MARK, "sweep_termination_ns" },
		{ GCV_MARK, GCV_MARK_TERM, "mark_ns" },
		{ GCV_MARK_TERM, GCV_END, "mark_termination_ns" },
		{ GCV_PAUSE, GCV_COUNT, "pause_ns" },
		{ GCV_INIT_TIME, GCV_SWEEP_TERM, "since_start_ns" },
		{ GCV_STACK_SCAN, GCV_COUNT, "stacks" },
		{ GCV_GLOBALS_SCAN, GCV_COUNT, "globals" },
		{ GCV_MAXPROCS, GCV_COUNT, "maxprocs" },
		{ GCV_STWPROCS, GCV_COUNT, "stwprocs" },
	};
	double fraction;

	for (size_t i = 0; i < ARRAY_LEN(figure); i++) {
		enum gc_value a = figure[i].from, z = figure[i].to;

		if (!gc_has(g, a) || (z != GCV_COUNT && !gc_has(g, z)))
			continue;
		if (z == GCV_COUNT)
			put_u64(l, figure[i].key, g->v[a]);
		else if (g->v[z] >= g->v[a])
			put_u64(l, figure[i].key, g->v[z] - g->v[a]);
	}
	if (gc_has(g, GCV_FORCED))
		put_bool(l, "forced", g->v[GCV_FORCED]);
	memcpy(&fraction, &g->v[GCV_CPU_FRACTION], sizeof(fraction));
	if (gc_has(g, GCV_CPU_FRACTION) && fraction >= 0 && fraction <= 1)
		put_double(l, "cpu_fraction", fraction, 6);
	put_cycle(l, t, g);
}

static void put_rss(struct line *l, struct watch_seen *w, const struct event_rss *r)
{
	if (w->has_rss) {
		put_s64(l, "anon_step", r->anon - w->rss.anon);
		put_s64(l, "file_step", r->file - w->rss.file);
		put_s64(l, "shmem_step", r->shmem - w->rss.shmem);
		put_s64(l, "swap_step", r->swap - w->rss.swap);
	}
	w->has_rss = true;
	w->rss = *r;
	put_u64(l, "rss", r->file + r->anon + r->shmem);
	put_u64(l, "anon", r->anon);
	put_u64(l, "file", r->file);
	put_u64(l, "shmem", r->shmem);
	put_u64(l, "swap", r->swap);
	put_u64(l, "high_water", r->high);
}

static void put_task(struct line *l, const struct event *e)
{
	put_known(l, "comm", e->task.comm);
	switch (event_kind(e)) {
	case KIND_THREAD_START:
	case KIND_FORK:
		put_u64(l, "by_pid", e->task.by_tgid);
		put_u64(l, "by_tid", e->task.by_tid);
		if (e->task.new_process) {
			put_bool(l, "followed", e->task.followed);
			put_bool(l, "shares_memory", e->task.shares_memory);
		}
		break;
	case KIND_EXIT:
		if (e->task.exit_code & 0x7f)
			put_u64(l, "signal", e->task.exit_code & 0x7f);
		else
			put_u64(l, "status", e->task.exit_code >> 8 & 0xff);
		break;
	case KIND_EXEC:
		put_u64(l, "old_tid", e->task.by_tid);
		break;
	default:
		break;
	}
}

int watch_json_event(struct watch_seen *w, const struct event *e, const struct frame *frames,
		     size_t n, struct text *out)
{
	struct line l = begin(out, event_kind_name(event_kind(e)), &w->clock, e->exit_ns);

	put_u64(&l, "pid", e->tgid);
	put_u64(&l, "tid", e->tid);
	put_u64(&l, "cpu", e->cpu);
	put_u64(&l, "enter_ns", e->enter_ns);
	put_u64(&l, "exit_ns", e->exit_ns);
	switch (e->type) {
	case EVENT_CALL:
		put_call(&l, &e->call, frames, n);
		break;
	case EVENT_RSS:
		put_rss(&l, w, &e->rss);
		break;
	case EVENT_GC:
		put_gc(&l, &w->gc, &e->gc);
		break;
	default:
		seen_task(w, e);
		put_task(&l, e);
	}
	return end(&l);
}

/* ---- the rest of the stream */

int watch_json_start(const struct watch_clock *c, const struct watch_start *s, struct text *out)
{
	struct line l = begin(out, "start", c, s->now_ns);

	put_string(&l, "schema", "rsscope.watch/1");
	put_s64(&l, "pid", s->pid);
	put_known(&l, "comm", s->comm);
	put_known(&l, "exe", s->exe);
	put_known(&l, "go_version", s->go_version);
	put_u64(&l, "monotonic_ns", s->now_ns);
	if (s->has_tax) {
		put_double(&l, "syscall_tax_ns", s->tax_ns, 1);
		put_double(&l, "mapping_call_tax_ns", s->mapping_tax_ns, 1);
	}
	open_with(&l, "programs", "[");
	for (size_t i = 0; i < s->nprograms; i++) {
		open_with(&l, NULL, "{");
		put_string(&l, "name", s->programs[i].name);
		put_string(&l, "target", s->programs[i].target);
		put_bool(&l, "attached", s->programs[i].attached);
		put_known(&l, "reason", s->programs[i].reason);
		close_with(&l, "}");
	}
	close_with(&l, "]");
	open_with(&l, "missing", "[");
	for (size_t i = 0; i < s->nmissing; i++) {
		separate(&l);
		put_quoted(&l, s->missing[i]);
	}
	close_with(&l, "]");
	return end(&l);
}

int watch_json_sample(const struct watch_clock *c, const struct watch_sample *s, struct text *out)
{
	struct line l = begin(out, "sample", c, s->now_ns);

	put_u64(&l, "rss", s->rss);
	put_u64(&l, "anon", s->anon);
	put_u64(&l, "file", s->file);
	put_u64(&l, "shmem", s->shmem);
	put_u64(&l, "swap", s->swap);
	put_u64(&l, "threads", s->threads);
	put_u64(&l, "threads_started", s->started);
	put_u64(&l, "threads_ended", s->ended);
	put_u64(&l, "events", s->events);
	open_with(&l, "limits", "[");
	for (size_t i = 0; i < s->nlimits; i++) {
		const struct watch_limit *m = &s->limits[i];

		open_with(&l, NULL, "{");
		put_string(&l, "name", m->name);
		put_u64(&l, "used", m->used);
		put_u64(&l, "limit", m->limit);
		put_opt(&l, "rate", &m->rate);
		put_opt(&l, "seconds_left", &m->seconds);
		close_with(&l, "}");
	}
	close_with(&l, "]");
	return end(&l);
}

int watch_json_lost(const struct watch_clock *c, const struct event *e, uint32_t n,
		    struct text *out)
{
	struct line l = begin(out, "lost", c, e->exit_ns);

	put_u64(&l, "cpu", e->cpu);
	put_u64(&l, "events", n);
	return end(&l);
}

int watch_json_mapping(uint32_t pid, uint64_t start, uint64_t stop, const char *origin,
		       const char *prot, const char *name, struct text *out)
{
	struct line l = { .out = out };

	put(&l, "{", 1);
	put_string(&l, "type", "mapping");
	put_u64(&l, "pid", pid);
	put_addr(&l, "start", start);
	put_addr(&l, "end", stop);
	put_string(&l, "origin", origin);
	put_string(&l, "prot", prot);
	put_known(&l, "name", name);
	return end(&l);
}

static void put_mappings(struct line *l, const struct watch_mappings *m)
{
	open_with(l, "mappings", "{");
	put_u64(l, "calls", m->calls);
	put_u64(l, "reordered", m->reordered);
	put_u64(l, "ambiguous", m->ambiguous);
	put_u64(l, "unmapping_unseen", m->unseen);
	put_u64(l, "lost_regions", m->lost_regions);
	put_u64(l, "overflows", m->overflows);
	if (m->compared) {
		put_u64(l, "bytes_same", m->same);
		put_u64(l, "bytes_only_here", m->only_here);
		put_u64(l, "bytes_only_there", m->only_there);
		put_u64(l, "bytes_unknown", m->unknown);
		put_u64(l, "bytes_settled", m->settled);
		put_u64(l, "bytes_stack_grown", m->grown);
		put_u64(l, "bytes_kernel_made", m->kernel);
		put_u64(l, "bytes_protection_differs", m->protection);
		put_u64(l, "bytes_protection_open", m->protection_open);
	}
	put_u64(l, "live_ranges", m->ranges);
	put_u64(l, "live_bytes", m->bytes);
	put_u64(l, "live_stacks", m->stacks);
	close_with(l, "}");
}

static void put_advice(struct line *l, const struct watch_advice *a, size_t n)
{
	open_with(l, "madvise", "[");
	for (size_t i = 0; i < n; i++) {
		open_with(l, NULL, "{");
		put_known(l, "advice", event_advice_name(a[i].advice));
		put_u64(l, "number", a[i].advice);
		put_u64(l, "calls", a[i].calls);
		put_u64(l, "failed", a[i].failed);
		put_u64(l, "bytes", a[i].bytes);
		close_with(l, "}");
	}
	close_with(l, "]");
}

int watch_json_exec(const struct watch_clock *c, const struct watch_exec *x, struct text *out)
{
	struct line l = begin(out, "program", c, x->now_ns);

	put_u64(&l, "pid", x->pid);
	put_known(&l, "comm", x->comm);
	put_known(&l, "exe", x->exe);
	put_known(&l, "go_version", x->go_version);
	put_known(&l, "no_gc", x->no_gc);
	return end(&l);
}

int watch_json_child(const struct watch_clock *c, const struct watch_child *p, struct text *out)
{
	struct line l = begin(out, "child", c, p->now_ns);

	put_u64(&l, "pid", p->pid);
	put_known(&l, "comm", p->comm);
	put_known(&l, "exe", p->exe);
	if (p->mappings.known)
		put_mappings(&l, &p->mappings);
	return end(&l);
}

int watch_json_end(const struct watch_clock *c, const struct watch_end *e, struct text *out)
{
	struct line l = begin(out, "end", c, e->now_ns);

	put_string(&l, "why", e->why);
	put_u64(&l, "duration_ns", e->now_ns - e->start_ns);
	open_with(&l, "events", "{");
	for (int k = 0; k < KIND_COUNT; k++)
		put_u64(&l, event_kind_name(k), e->events[k]);
	close_with(&l, "}");
	put_u64(&l, "failed_calls", e->failed);
	put_u64(&l, "lost", e->lost);
	open_with(&l, "losses", "{");
	for (size_t i = 0; i < e->losses.n; i++)
		put_u64(&l, e->losses.v[i].name, e->losses.v[i].v);
	close_with(&l, "}");
	if (e->followed) {
		put_u64(&l, "children_followed", e->followed);
		put_u64(&l, "children_ended", e->children_ended);
	}
	if (e->mappings.known) {
		put_mappings(&l, &e->mappings);
		put_advice(&l, e->advice, e->nadvice);
	}
	return end(&l);
}
