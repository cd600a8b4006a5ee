/* SPDX-License-Identifier: BSD-2-Clause */
/* The heap of each Go runtime: read between the brackets of RSS, and once more after them. */
#include "collect/look.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

struct report_go *look_report_go(struct look *k, const struct look_go *g)
{
	return g->index ? &k->r->runtimes.v[g->index - 1].go : &k->r->go;
}

static const char *path_in(const struct look_go *g, const char *what, char *buf, size_t n)
{
	snprintf(buf, n, "%s%s", g->path, what);
	return buf;
}

int look_go_missing(struct look *k, const struct look_go *g, const char *what, const char *needs,
		    const char *fmt, ...)
{
	char path[64], text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return report_missing(k->r, path_in(g, what, path, sizeof(path)), needs, "%s", text);
}

int look_go_missing_always(struct look *k, const struct look_go *g, const char *what,
			   const char *needs, const char *fmt, ...)
{
	char path[64], text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return report_missing_always(k->r, path_in(g, what, path, sizeof(path)), needs, "%s", text);
}

void look_go_free(struct look_go *g)
{
	go_heap_free(&g->heap);
	go_heap_free(&g->again);
	vec_free(&g->regions);
	vec_free(&g->bits);
	vec_free(&g->threads);
}

static int read_heap(struct look *k, struct look_go *g)
{
	struct err e = { 0 };
	const struct go_runtime *rt = &g->s->rt;
	int r = go_heap_read(rt, PASS_SPANS, &g->heap, &e);

	if (!r)
		r = go_regions_read(rt, &g->regions, &g->s->kept, &e);
	if (!r && e.text[0])
		r = report_missing(k->r, "ledger[go].rows", "another snapshot",
				   "the target changed during the scan, so these are one row: %s",
				   e.text);
	if (!r)
		r = go_threads_read(rt, &g->threads, &e);
	look_report_go(k, g)->spans = OPT(g->heap.nspans);
	if (!r || r == -ESRCH || r == -ENOMEM)
		return r;
	k->r->partial = true;
	return report_missing(k->r, "ledger[go]", "another snapshot", "%s", e.text);
}

/* A thread that waits for the CPU in the middle of a change looks like rest, for a while. */
static bool moves_later(struct look *k, const struct go_runtime *rt, const struct go_sums *now)
{
	enum { LOOKS = 8, PAUSE_NS = 2000000 };
	const char *what = "";
	struct go_sums s;

	for (int i = 0; i < LOOKS; i++) {
		if (memsrc_kind(k->m) == MEMSRC_LIVE)
			nanosleep(&(struct timespec){ .tv_nsec = PAUSE_NS }, NULL);
		memsrc_flush(k->m);
		if (go_sums_read(rt, &s) || go_sums_differ(&s, now, &what))
			return true;
	}
	return false;
}

/* Spans and free pages against the runtime's own sums, both read twice: of a process that stands
 * still all four are the same. */
static int check_heap(struct look *k, struct look_go *g)
{
	const struct go_runtime *rt = &g->s->rt;
	struct go_sums now;
	const char *what = "";
	char bytes[32];
	uint64_t d;

	if (!g->has_sums || go_sums_read(rt, &now) || go_sums_differ(&g->sums, &now, &what) ||
	    go_sums_differ(&g->heap.sums, &g->again.sums, &what))
		return 0;
	g->at_rest = true;
	d = go_sums_differ(&g->sums, &g->heap.sums, &what);
	if ((d || g->heap.bad) && moves_later(k, rt, &now)) {
		g->at_rest = false;
		return 0;
	}
	if (d)
		return report_missing(k->r, "ledger[go/heap]", "another snapshot",
				      "spans and pages do not add up to the runtime's counters: %s "
				      "differ by %s",
				      what, text_bytes(bytes, sizeof(bytes), d));
	d = g->heap.bad;
	return d ? report_missing(k->r, "ledger[go/heap]", "another snapshot",
				  "%" PRIu64 " spans or page caches are inconsistent", d)
		 : 0;
}

static void hide_span(struct go_heap *h, uint64_t addr)
{
	const struct go_span *s = addr ? go_heap_span(h, addr) : NULL;
	size_t i = s ? s - h->spans.v : 0;

	if (s) {
		memmove(&h->spans.v[i], &h->spans.v[i + 1], (h->spans.n - i - 1) * sizeof(*s));
		h->spans.n--;
	}
}

int look_read_heaps(struct look *k)
{
	int r = 0;

	for (size_t i = 0; i < k->ngo && !r; i++)
		r = read_heap(k, &k->go[i]);
	return r;
}

/*
 * Whether the heaps are as they were when they were read. What changes them needs a P, and CPU
 * time: who had some since then either still has a P, or has left the CPU, which books it. Ps are
 * looked at first, the CPU time later.
 */
void look_rest_begins(struct look *k)
{
	k->rest.has_cpu = !handle_cpu_time(memsrc_handle(k->m), &k->rest.cpu_ns);
}

void look_at_rest(struct look *k)
{
	k->rest.idle = k->rest.has_cpu && k->ngo;
	for (size_t i = 0; i < k->ngo && k->rest.idle; i++)
		k->rest.idle = !k->go[i].heap.bad && go_is_idle(&k->go[i].s->rt);
}

/* A capture repeats what the live look found: it has no second reading then. */
static bool stood_still(struct look *k)
{
	uint64_t cpu, still = k->rest.idle && !handle_cpu_time(memsrc_handle(k->m), &cpu) &&
			      cpu == k->rest.cpu_ns;

	return !memsrc_note(k->m, "stood_still", &still) && still;
}

static int read_again(struct look *k, struct look_go *g, bool still)
{
	int r = 0;

	if (still) {
		g->again.same = true;
		g->again.sums = g->heap.sums;
	} else if (go_heap_again(&g->s->rt, &g->heap, &g->again, NULL)) {
		r = report_missing(k->r, "ledger[].uncertainty", "another snapshot",
				   "the span table could not be read a second time");
	}
	vec_free(&g->heap.keys); /* nothing is read a third time */
	if (!r && !still)
		go_gcbits_read(&g->s->rt,
			       &g->bits); /* what was read until an error is right, too */
	return r ? r : check_heap(k, g);
}

int look_read_heaps_again(struct look *k)
{
	bool still = stood_still(k);
	int r = 0;

	for (size_t i = 0; i < k->ngo && !r; i++)
		r = read_again(k, &k->go[i], still);
	for (size_t i = 0; i < k->ngo && !r; i++) {
		hide_span(&k->go[i].heap, k->opts->hide_span);
		hide_span(&k->go[i].again, k->opts->hide_span);
	}
	return r;
}
