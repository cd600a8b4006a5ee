/* SPDX-License-Identifier: BSD-2-Clause */
/* The stream as JSON lines. Addresses are strings; integers are plain. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "out/json_line.h"
#include "out/watch.h"

static const char schema[] =
#include "watch.schema.inc"
	;

const char *watch_json_schema(void)
{
	return schema;
}

static void put_time(struct json_line *l, const struct watch_clock *c, uint64_t mono_ns)
{
	uint64_t ns = mono_ns + c->offset_ns;
	time_t s = ns / 1000000000;
	char day[32], buf[64];
	struct tm tm;

	if (!gmtime_r(&s, &tm) || !strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm))
		return;
	snprintf(buf, sizeof(buf), "%s.%09uZ", day, (unsigned int)(ns % 1000000000));
	line_put_string(l, "time", buf);
}

static struct json_line begin(struct text *out, const char *type, const struct watch_clock *c,
			      uint64_t mono_ns)
{
	struct json_line l;

	line_begin(&l, type, out);
	put_time(&l, c, mono_ns);
	return l;
}

/* ---- events */

static void put_stack(struct json_line *l, const struct frame *f, size_t n)
{
	line_open(l, "stack", "[");
	for (size_t i = 0; i < n; i++) {
		line_open(l, NULL, "{");
		line_put_known(l, "func", f[i].func);
		line_put_known(l, "file", f[i].file);
		if (f[i].line)
			line_put_u64(l, "line", f[i].line);
		line_put_known(l, "module", f[i].module);
		line_put_addr(l, "addr", f[i].addr);
		line_close(l, "}");
	}
	line_close(l, "]");
}

static void put_prctl(struct json_line *l, const struct event_call *c)
{
	switch (c->args[0]) {
	case EVENT_PR_SET_VMA:
		line_put_string(l, "option", "PR_SET_VMA");
		line_put_addr(l, "addr", c->args[2]);
		line_put_u64(l, "length", c->args[3]);
		line_put_string(l, "name", c->name);
		break;
	case EVENT_PR_SET_MM:
		line_put_string(l, "option", "PR_SET_MM");
		line_put_addr(l, "addr", c->args[2]);
		break;
	case EVENT_PR_SET_THP_DISABLE:
		line_put_string(l, "option", "PR_SET_THP_DISABLE");
		line_put_bool(l, "disable", c->args[1]);
		break;
	}
}

/* The arguments by name as well as raw: a length or a file descriptor is a number. */
static void put_args(struct json_line *l, const struct event_call *c)
{
	line_open(l, "args", "[");
	for (unsigned int i = 0; i < event_call_nargs(c->call); i++) {
		line_put_hex(l, c->args[i]);
	}
	line_close(l, "]");
	if (c->call == CALL_PRCTL) {
		put_prctl(l, c);
		return;
	}
	line_put_addr(l, "addr", c->args[c->call == CALL_SHMAT]);
	switch (c->call) {
	case CALL_MMAP:
		line_put_u64(l, "length", c->args[1]);
		line_put_u64(l, "prot", (uint32_t)c->args[2]);
		line_put_u64(l, "flags", (uint32_t)c->args[3]);
		line_put_s64(l, "fd", (int32_t)c->args[4]);
		line_put_u64(l, "offset", c->args[5]);
		break;
	case CALL_MUNMAP:
		line_put_u64(l, "length", c->args[1]);
		break;
	case CALL_MREMAP:
		line_put_u64(l, "length", c->args[1]);
		line_put_u64(l, "new_length", c->args[2]);
		line_put_u64(l, "flags", (uint32_t)c->args[3]);
		line_put_addr(l, "new_addr", c->args[4]);
		break;
	case CALL_MPROTECT:
	case CALL_PKEY_MPROTECT:
		line_put_u64(l, "length", c->args[1]);
		line_put_u64(l, "prot", (uint32_t)c->args[2]);
		break;
	case CALL_MADVISE:
		line_put_u64(l, "length", c->args[1]);
		line_put_known(l, "advice", event_advice_name(c->args[2]));
		break;
	case CALL_SHMAT:
		line_put_s64(l, "shmid", (int32_t)c->args[0]);
		line_put_u64(l, "flags", (uint32_t)c->args[2]);
		break;
	case CALL_REMAP_FILE_PAGES:
		line_put_u64(l, "length", c->args[1]);
		line_put_u64(l, "page_offset", c->args[3]);
		break;
	case CALL_BRK:
	case CALL_PRCTL:
	case CALL_SHMDT:
	case CALL_COUNT:
		break;
	}
}

static void put_call(struct json_line *l, const struct event_call *c, const struct frame *f,
		     size_t n)
{
	int err = event_call_errno(c), caller = event_caller(f, n), maker = event_maker(f, n);

	put_args(l, c);
	if (c->ret < 0 && c->ret >= -4095)
		line_put_s64(l, "result", c->ret);
	else
		line_put_addr(l, "result", c->ret);
	line_put_bool(l, "failed", err);
	if (err) {
		line_put_u64(l, "errno", err);
		line_put_known(l, "error", strerrorname_np(err));
	}
	if (caller >= 0)
		line_put_known(l, "caller", f[caller].func ? f[caller].func : f[caller].module);
	if (maker >= 0)
		line_put_known(l, "runtime", f[maker].func);
	put_stack(l, f, n);
	if (c->stack_failed || c->go_failed || c->stack_cut)
		line_put_string(l, "stack_note",
				c->stack_failed ? "unreadable"
				: c->go_failed	? "the goroutine's part is cut short"
						: "deeper than recorded");
}

static void put_cycle(struct json_line *l, struct gc_track *t, const struct event_gc *g,
		      const struct frame *f, size_t n)
{
	struct gc_cycle c;
	int caller = event_caller(f, n);

	gc_track_next(t, g, &c);
	line_put_known(l, "trigger", gc_trigger_name(c.trigger));
	line_put_known(l, "trigger_by", gc_witness_name(c.witness));
	if (c.trigger == GC_TRIGGER_FORCED && n) {
		if (n > 1) /* runtime.GC alone says nothing of who called it */
			line_put_bool(l, "frees_os_memory", gc_frees(f, n));
		if (caller >= 0)
			line_put_known(l, "caller", f[caller].func);
		put_stack(l, f, n);
	}
	line_put_opt(l, "interval_ns", &c.interval_ns);
	line_put_opt(l, "allocated", &c.allocated);
	line_put_opt(l, "allocated_over_ns", &c.over_ns);
	line_put_opt(l, "allocation_rate", &c.rate);
	line_put_opt(l, "assist_ns", &c.assist_ns);
	line_put_opt(l, "assist_permille", &c.assist_permille);
	line_put_opt(l, "dedicated_ns", &c.dedicated_ns);
	line_put_opt(l, "fractional_ns", &c.fractional_ns);
	line_put_opt(l, "idle_ns", &c.idle_ns);
}

static void put_gc(struct json_line *l, struct gc_track *t, const struct event_gc *g,
		   const struct frame *f, size_t n)
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
			line_put_u64(l, figure[i].key, g->v[a]);
		else if (g->v[z] >= g->v[a])
			line_put_u64(l, figure[i].key, g->v[z] - g->v[a]);
	}
	if (gc_has(g, GCV_FORCED))
		line_put_bool(l, "forced", g->v[GCV_FORCED]);
	memcpy(&fraction, &g->v[GCV_CPU_FRACTION], sizeof(fraction));
	if (gc_has(g, GCV_CPU_FRACTION) && fraction >= 0 && fraction <= 1)
		line_put_double(l, "cpu_fraction", fraction, 6);
	put_cycle(l, t, g, f, n);
}

static void put_rss(struct json_line *l, struct watch_seen *w, const struct event_rss *r)
{
	if (w->has_rss) {
		line_put_s64(l, "anon_step", r->anon - w->rss.anon);
		line_put_s64(l, "file_step", r->file - w->rss.file);
		line_put_s64(l, "shmem_step", r->shmem - w->rss.shmem);
		line_put_s64(l, "swap_step", r->swap - w->rss.swap);
	}
	w->has_rss = true;
	w->rss = *r;
	line_put_u64(l, "rss", r->file + r->anon + r->shmem);
	line_put_u64(l, "anon", r->anon);
	line_put_u64(l, "file", r->file);
	line_put_u64(l, "shmem", r->shmem);
	line_put_u64(l, "swap", r->swap);
	line_put_u64(l, "high_water", r->high);
}

static void put_task(struct json_line *l, const struct event *e)
{
	line_put_known(l, "comm", e->task.comm);
	switch (event_kind(e)) {
	case KIND_THREAD_START:
	case KIND_FORK:
		line_put_u64(l, "by_pid", e->task.by_tgid);
		line_put_u64(l, "by_tid", e->task.by_tid);
		if (e->task.new_process) {
			line_put_bool(l, "followed", e->task.followed);
			line_put_bool(l, "shares_memory", e->task.shares_memory);
		}
		break;
	case KIND_EXIT:
		if (e->task.exit_code & 0x7f)
			line_put_u64(l, "signal", e->task.exit_code & 0x7f);
		else
			line_put_u64(l, "status", e->task.exit_code >> 8 & 0xff);
		break;
	case KIND_EXEC:
		line_put_u64(l, "old_tid", e->task.by_tid);
		break;
	default:
		break;
	}
}

int watch_json_event(struct watch_seen *w, const struct event *e, const struct frame *frames,
		     size_t n, struct text *out)
{
	struct json_line l = begin(out, event_kind_name(event_kind(e)), &w->clock, e->exit_ns);

	line_put_u64(&l, "pid", e->tgid);
	line_put_u64(&l, "tid", e->tid);
	line_put_u64(&l, "cpu", e->cpu);
	line_put_u64(&l, "enter_ns", e->enter_ns);
	line_put_u64(&l, "exit_ns", e->exit_ns);
	switch (e->type) {
	case EVENT_CALL:
		put_call(&l, &e->call, frames, n);
		break;
	case EVENT_RSS:
		put_rss(&l, w, &e->rss);
		break;
	case EVENT_GC:
		put_gc(&l, &w->gc, &e->gc, frames, n);
		break;
	case EVENT_HEAP_GROW:
		line_put_u64(&l, "growths", e->grow.calls);
		break;
	default:
		seen_task(w, e);
		put_task(&l, e);
	}
	return line_end(&l);
}

/* ---- the rest of the stream */

int watch_json_start(const struct watch_clock *c, const struct watch_start *s, struct text *out)
{
	struct json_line l = begin(out, "start", c, s->now_ns);

	line_put_string(&l, "schema", "rsscope.watch/1");
	line_put_s64(&l, "pid", s->pid);
	line_put_known(&l, "comm", s->comm);
	line_put_known(&l, "exe", s->exe);
	line_put_known(&l, "go_version", s->go_version);
	line_put_u64(&l, "monotonic_ns", s->now_ns);
	if (s->has_overhead) {
		line_put_double(&l, "syscall_tax_ns", s->overhead_ns, 1);
		line_put_double(&l, "mapping_call_tax_ns", s->mapping_overhead_ns, 1);
		line_put_double(&l, "tax_noise_ns", s->overhead_noise_ns, 1);
	}
	line_open(&l, "programs", "[");
	for (size_t i = 0; i < s->nprograms; i++) {
		line_open(&l, NULL, "{");
		line_put_string(&l, "name", s->programs[i].name);
		line_put_string(&l, "target", s->programs[i].target);
		line_put_bool(&l, "attached", s->programs[i].attached);
		line_put_known(&l, "reason", s->programs[i].reason);
		line_close(&l, "}");
	}
	line_close(&l, "]");
	line_open(&l, "missing", "[");
	for (size_t i = 0; i < s->nmissing; i++)
		line_put_quoted(&l, s->missing[i]);
	line_close(&l, "]");
	return line_end(&l);
}

int watch_json_sample(const struct watch_clock *c, const struct watch_sample *s, struct text *out)
{
	struct json_line l = begin(out, "sample", c, s->now_ns);

	line_put_u64(&l, "rss", s->rss);
	line_put_u64(&l, "anon", s->anon);
	line_put_u64(&l, "file", s->file);
	line_put_u64(&l, "shmem", s->shmem);
	line_put_u64(&l, "swap", s->swap);
	line_put_u64(&l, "threads", s->threads);
	line_put_u64(&l, "threads_started", s->started);
	line_put_u64(&l, "threads_ended", s->ended);
	line_put_u64(&l, "events", s->events);
	line_open(&l, "limits", "[");
	for (size_t i = 0; i < s->nlimits; i++) {
		const struct watch_limit *m = &s->limits[i];

		line_open(&l, NULL, "{");
		line_put_string(&l, "name", m->name);
		line_put_u64(&l, "used", m->used);
		line_put_u64(&l, "limit", m->limit);
		line_put_opt(&l, "rate", &m->rate);
		line_put_opt(&l, "seconds_left", &m->seconds);
		line_close(&l, "}");
	}
	line_close(&l, "]");
	return line_end(&l);
}

int watch_json_lost(const struct watch_clock *c, const struct event *e, uint32_t n,
		    struct text *out)
{
	struct json_line l = begin(out, "lost", c, e->exit_ns);

	line_put_u64(&l, "cpu", e->cpu);
	line_put_u64(&l, "events", n);
	return line_end(&l);
}

int watch_json_mapping(uint32_t pid, uint64_t start, uint64_t stop, const char *origin,
		       const char *prot, const char *name, struct text *out)
{
	struct json_line l;

	line_begin(&l, "mapping", out);
	line_put_u64(&l, "pid", pid);
	line_put_addr(&l, "start", start);
	line_put_addr(&l, "end", stop);
	line_put_string(&l, "origin", origin);
	line_put_string(&l, "prot", prot);
	line_put_known(&l, "name", name);
	return line_end(&l);
}

static void put_mappings(struct json_line *l, const struct watch_mappings *m)
{
	line_open(l, "mappings", "{");
	line_put_u64(l, "calls", m->calls);
	line_put_u64(l, "reordered", m->reordered);
	line_put_u64(l, "ambiguous", m->ambiguous);
	line_put_u64(l, "unmapping_unseen", m->unseen);
	line_put_u64(l, "lost_regions", m->lost_regions);
	line_put_u64(l, "overflows", m->overflows);
	if (m->compared) {
		line_put_u64(l, "bytes_same", m->same);
		line_put_u64(l, "bytes_only_here", m->only_here);
		line_put_u64(l, "bytes_only_there", m->only_there);
		line_put_u64(l, "bytes_unknown", m->unknown);
		line_put_u64(l, "bytes_settled", m->settled);
		line_put_u64(l, "bytes_stack_grown", m->grown);
		line_put_u64(l, "bytes_kernel_made", m->kernel);
		line_put_u64(l, "bytes_protection_differs", m->protection);
		line_put_u64(l, "bytes_protection_open", m->protection_open);
	}
	line_put_u64(l, "live_ranges", m->ranges);
	line_put_u64(l, "live_bytes", m->bytes);
	line_put_u64(l, "live_stacks", m->stacks);
	line_close(l, "}");
}

static void put_advice(struct json_line *l, const struct watch_advice *a, size_t n)
{
	line_open(l, "madvise", "[");
	for (size_t i = 0; i < n; i++) {
		line_open(l, NULL, "{");
		line_put_known(l, "advice", event_advice_name(a[i].advice));
		line_put_u64(l, "number", a[i].advice);
		line_put_u64(l, "calls", a[i].calls);
		line_put_u64(l, "failed", a[i].failed);
		line_put_u64(l, "bytes", a[i].bytes);
		line_close(l, "}");
	}
	line_close(l, "]");
}

static void put_losses(struct json_line *l, const struct watch_loss *v, size_t n)
{
	line_open(l, "losses_by_process", "[");
	for (size_t i = 0; i < n; i++) {
		line_open(l, NULL, "{");
		if (v[i].pid)
			line_put_u64(l, "pid", v[i].pid);
		line_put_u64(l, "lost", v[i].lost);
		line_put_u64(l, "over_share", v[i].over_share);
		line_close(l, "}");
	}
	line_close(l, "]");
}

int watch_json_exec(const struct watch_clock *c, const struct watch_exec *x, struct text *out)
{
	struct json_line l = begin(out, "program", c, x->now_ns);

	line_put_u64(&l, "pid", x->pid);
	line_put_known(&l, "comm", x->comm);
	line_put_known(&l, "exe", x->exe);
	line_put_known(&l, "go_version", x->go_version);
	line_put_known(&l, "no_gc", x->no_gc);
	return line_end(&l);
}

int watch_json_child(const struct watch_clock *c, const struct watch_child *p, struct text *out)
{
	struct json_line l = begin(out, "child", c, p->now_ns);

	line_put_u64(&l, "pid", p->pid);
	line_put_known(&l, "comm", p->comm);
	line_put_known(&l, "exe", p->exe);
	if (p->mappings.known)
		put_mappings(&l, &p->mappings);
	return line_end(&l);
}

int watch_json_end(const struct watch_clock *c, const struct watch_end *e, struct text *out)
{
	struct json_line l = begin(out, "end", c, e->now_ns);

	line_put_string(&l, "why", e->why);
	line_put_u64(&l, "duration_ns", e->now_ns - e->start_ns);
	line_open(&l, "events", "{");
	for (int k = 0; k < KIND_COUNT; k++)
		line_put_u64(&l, event_kind_name(k), e->events[k]);
	line_close(&l, "}");
	line_put_u64(&l, "failed_calls", e->failed);
	line_put_u64(&l, "lost", e->lost);
	line_open(&l, "losses", "{");
	for (size_t i = 0; i < e->losses.n; i++)
		line_put_u64(&l, e->losses.v[i].name, e->losses.v[i].v);
	line_close(&l, "}");
	if (e->followed) {
		line_put_u64(&l, "children_followed", e->followed);
		line_put_u64(&l, "children_ended", e->children_ended);
	}
	if (e->nby_process)
		put_losses(&l, e->by_process, e->nby_process);
	if (e->mappings.known) {
		put_mappings(&l, &e->mappings);
		put_advice(&l, e->advice, e->nadvice);
	}
	return line_end(&l);
}
