/* SPDX-License-Identifier: BSD-2-Clause */
/* The order of one look; see collect.h. */
#include "collect/collect.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/clock.h"
#include "collect/look.h"
#include "collect/pss.h"
#include "model/findings/findings.h"
#include "proc/rss.h"

struct counters {
	struct proc_rss rss;
	struct proc_stat stat;
	bool has_rss, has_stat;
};

static int read_rss(struct look *k, unsigned int seq, struct counters *c)
{
	struct err e = { 0 };
	int r = proc_rss_read(memsrc_texts(k->m), k->rss_counted, seq, &c->rss, &e);

	c->has_rss = !r;
	return r && !seq ? report_missing(k->r, "rss.before", "smaps_rollup (kernel 4.14)", "%s",
					  e.text)
			 : 0;
}

/* The counters of faults enclose the readings of RSS, so that no fault between those is missed. */
static int read_counters(struct look *k, unsigned int seq, struct counters *c)
{
	int r = 0;

	if (seq)
		r = read_rss(k, seq, c);
	c->has_stat = !proc_stat_read(memsrc_texts(k->m), seq + 1, &c->stat, NULL);
	return seq ? r : read_rss(k, seq, c);
}

static uint64_t unmapped_bytes(const struct maps *before, const struct maps *after)
{
	uint64_t sum = 0;
	size_t j = 0;

	for (size_t i = 0; i < before->vma.n; i++) {
		const struct vma *v = &before->vma.v[i];
		uint64_t at = v->start;

		while (at < v->end) {
			uint64_t end = v->end;

			while (j < after->vma.n && after->vma.v[j].end <= at)
				j++;
			if (j < after->vma.n && after->vma.v[j].start <= at) {
				at = after->vma.v[j].end;
				continue;
			}
			if (j < after->vma.n && after->vma.v[j].start < end)
				end = after->vma.v[j].start;
			sum += end - at;
			at = end;
		}
	}
	return sum;
}

/* What huge pages add to `faults` faults: where both readings tell them, their difference; else as
 * many as there were faults may have brought one of those that the page map shows. */
static uint64_t huge_churn(const struct look *k, const struct counters *a, const struct counters *b,
			   uint64_t faults)
{
	uint64_t seen = 0, most = faults * memsrc_page_size(k->m) * (memsrc_page_size(k->m) / 8);

	if (a->rss.has_huge && b->rss.has_huge)
		return a->rss.anon_huge > b->rss.anon_huge ? a->rss.anon_huge - b->rss.anon_huge
							   : b->rss.anon_huge - a->rss.anon_huge;
	for (size_t i = 0; i < k->pages.n; i++)
		if ((k->pages.v[i].flags & (PAGE_HUGE | PAGE_FILE | PAGE_ZERO)) == PAGE_HUGE)
			seen += k->pages.v[i].end - k->pages.v[i].start;
	return seen < most ? seen : most;
}

/* What may have moved between the brackets: faults (a huge one brings a huge page), what was
 * unmapped, and what was given back beyond that. */
static void note_rss(struct look *k, const struct counters *a, const struct counters *b,
		     uint64_t unmapped)
{
	uint64_t faults, came, gone;

	if (a->has_rss)
		k->r->rss.before = OPT(a->rss.rss);
	if (b->has_rss)
		k->r->rss.after = OPT(b->rss.rss);
	if (!a->has_rss || !b->has_rss || !a->has_stat || !b->has_stat)
		return;
	faults = b->stat.minflt - a->stat.minflt + b->stat.majflt - a->stat.majflt;
	came = faults * memsrc_page_size(k->m);
	gone = a->rss.rss + came > b->rss.rss ? a->rss.rss + came - b->rss.rss : 0;
	came += huge_churn(k, a, b, faults);
	k->r->rss.churn = OPT(came + (gone > unmapped ? gone : unmapped));
}

static int read_heap(struct look *k)
{
	struct err e = { 0 };
	int r = go_heap_read(&k->rt, PASS_SPANS, &k->heap, &e);

	if (!r)
		r = go_regions_read(&k->rt, &k->regions, &e);
	if (!r && e.text[0])
		r = report_missing(k->r, "ledger[go].rows", "another snapshot",
				   "the target changed during the scan, so these are one row: %s",
				   e.text);
	if (!r)
		r = go_threads_read(&k->rt, &k->threads, &e);
	k->r->go.spans = OPT(k->heap.nspans);
	if (!r || r == -ESRCH || r == -ENOMEM)
		return r;
	k->r->partial = true;
	return report_missing(k->r, "ledger[go]", "another snapshot", "%s", e.text);
}

/* A thread that waits for the CPU in the middle of a change looks like rest, for a while. */
static bool moves_later(struct look *k, const struct go_sums *now)
{
	enum { LOOKS = 8, PAUSE_NS = 2000000 };
	const char *what = "";
	struct go_sums s;

	for (int i = 0; i < LOOKS; i++) {
		if (memsrc_kind(k->m) == MEMSRC_LIVE)
			nanosleep(&(struct timespec){ .tv_nsec = PAUSE_NS }, NULL);
		memsrc_flush(k->m);
		if (go_sums_read(&k->rt, &s) || go_sums_differ(&s, now, &what))
			return true;
	}
	return false;
}

/* Spans and free pages against the runtime's own sums, both read twice: of a process that stands
 * still all four are the same. */
static int check_heap(struct look *k, const struct go_heap *again)
{
	struct go_sums now;
	const char *what = "";
	char bytes[32];
	uint64_t d;

	if (!k->has_sums || go_sums_read(&k->rt, &now) || go_sums_differ(&k->sums, &now, &what) ||
	    go_sums_differ(&k->heap.sums, &again->sums, &what))
		return 0;
	k->at_rest = true;
	d = go_sums_differ(&k->sums, &k->heap.sums, &what);
	if ((d || k->heap.bad) && moves_later(k, &now)) {
		k->at_rest = false;
		return 0;
	}
	if (d)
		return report_missing(k->r, "ledger[go/heap]", "another snapshot",
				      "spans and pages do not add up to the runtime's counters: %s "
				      "differ by %s",
				      what, text_bytes(bytes, sizeof(bytes), d));
	d = k->heap.bad;
	return d ? report_missing(k->r, "ledger[go/heap]", "another snapshot",
				  "%" PRIu64 " spans or page caches are inconsistent", d)
		 : 0;
}

/* The page map, without mappings that RSS never counts. */
static int read_pages(struct look *k)
{
	range_vec all = { 0 };
	uint64_t end = 0;
	size_t v = 0;
	int r;

	for (size_t i = 0; i < k->maps.vma.n; i++)
		if (!(k->maps.vma.v[i].end >> 56))
			end = k->maps.vma.v[i].end;
	/* the kernel maps libraries and stacks at the top: leave room for what comes while we look
	 */
	end = end < (1ULL << 47) - (1 << 20) ? (1ULL << 47) - 4096 : end;
	r = memsrc_pages(k->m, 0, 0, end, &all);
	for (size_t i = 0; i < all.n && !r; i++) {
		uint64_t at = all.v[i].start;

		while (at < all.v[i].end && !r) {
			uint64_t stop = all.v[i].end;

			while (v < k->maps.vma.n && k->maps.vma.v[v].end <= at)
				v++;
			if (v < k->maps.vma.n && k->maps.vma.v[v].end < stop)
				stop = k->maps.vma.v[v].end;
			if (v < k->maps.vma.n && k->maps.vma.v[v].start > at &&
			    k->maps.vma.v[v].start < stop)
				stop = k->maps.vma.v[v].start;
			if (v == k->maps.vma.n || k->maps.vma.v[v].start > at ||
			    !vma_outside_rss(&k->maps.vma.v[v], all.v[i].flags & PAGE_FILE))
				r = range_append(&k->pages, at, stop, all.v[i].flags);
			at = stop;
		}
	}
	vec_free(&all);
	return r;
}

static int read_native(struct look *k)
{
	_free_ uint64_t *hints = calloc(k->threads.n + 1, sizeof(*hints));
	struct err e = { 0 };
	int r;

	if (!hints)
		return -ENOMEM;
	for (size_t i = 0; i < k->threads.n; i++)
		hints[i] = k->threads.v[i].stack_hi - 1;
	r = native_read(k->m, &k->maps, hints, k->threads.n, &k->native, &e);
	if (!r || r == -ESRCH || r == -ENOMEM)
		return r;
	return report_missing(k->r, "ledger[native]", "", "%s", e.text);
}

static int sweep(struct look *k)
{
	range_vec pages = { 0 }, vmas = { 0 };
	struct ledger_input in = {
		.page_size = memsrc_page_size(k->m),
		.split = look_split_span,
		.split_ctx = k,
	};
	int r = 0;

	for (size_t i = 0; i < k->pages.n && !r; i++) {
		const struct range *p = &k->pages.v[i];
		uint32_t f = 0;

		if ((p->flags & PAGE_PRESENT) && !(p->flags & PAGE_ZERO))
			f = LR_RESIDENT | (p->flags & PAGE_HUGE ? LR_HUGE : 0);
		else if (p->flags & PAGE_SWAPPED)
			f = LR_SWAP;
		if (f)
			r = range_append(&pages, p->start, p->end, f);
	}
	for (size_t i = 0; i < k->maps.vma.n && !r; i++)
		if (!vma_outside_rss(&k->maps.vma.v[i], true))
			r = range_append(&vmas, k->maps.vma.v[i].start, k->maps.vma.v[i].end, 0);
	in.pages = pages.v;
	in.npages = pages.n;
	in.vmas = vmas.v;
	in.nvmas = vmas.n;
	if (!r)
		r = ledger_sweep(&k->ledger, &in);
	k->r->rss.scanned = k->r->ledger.scanned;
	vec_free(&pages);
	vec_free(&vmas);
	return r;
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

static void hide_vma(struct maps *m, uint64_t addr)
{
	const struct vma *v = addr ? maps_find(m, addr) : NULL;
	size_t i = v ? v - m->vma.v : 0;

	if (v) {
		memmove(&m->vma.v[i], &m->vma.v[i + 1], (m->vma.n - i - 1) * sizeof(*v));
		m->vma.n--;
	}
}

static int build_ledger(struct look *k, const struct maps *after, const struct go_heap *again,
			const go_region_vec *bits)
{
	int r = ledger_builder_init(&k->ledger, &k->r->ledger);

	if (!r)
		r = look_claim_vmas(k);
	if (!r)
		r = look_claim_new_vmas(k, after);
	if (!r)
		r = look_claim_origins(k);
	if (!r && k->has_go)
		r = look_claim_go(k);
	if (!r && k->has_go)
		r = look_claim_again(k, again, bits);
	if (!r)
		r = look_claim_native(k);
	if (!r)
		r = sweep(k);
	if (!r)
		r = look_uncertainty(k, k->has_go ? again : NULL, after);
	if (!r && k->unread_bits)
		r = report_missing(k->r, "ledger[go/heap/objects]", "",
				   "the bitmaps of some spans are swapped out or unreadable: their "
				   "objects are one row");
	if (!r && k->at_rest && k->odd_spans)
		r = report_missing(k->r, "ledger[go/heap/objects]", "another snapshot",
				   "%" PRIu64 " spans count another number of objects than their "
				   "bitmaps",
				   k->odd_spans);
	return r;
}

/* Everything between and after the brackets. */
static int look_memory(struct look *k, struct err *e)
{
	struct counters before = { 0 }, after = { 0 };
	struct go_heap again = { 0 };
	go_region_vec bits = { 0 };
	struct maps maps_after = { 0 };
	int r;

	memsrc_flush(k->m);
	k->rss_counted = proc_rss_counted(memsrc_texts(k->m));
	r = read_counters(k, 0, &before);
	if (!r && k->has_go)
		r = look_metrics(k);
	maps_free(&k->maps);
	if (!r)
		r = maps_read(memsrc_texts(k->m), 1, &k->maps, e);
	if (!r && k->has_go)
		r = read_heap(k);
	if (!r)
		r = read_pages(k);
	if (!r)
		r = read_counters(k, 1, &after);
	memsrc_flush(k->m);
	if (!r)
		r = maps_read(memsrc_texts(k->m), 2, &maps_after, e);
	if (!r && k->has_go && go_heap_again(&k->rt, &k->heap, &again, NULL))
		r = report_missing(k->r, "ledger[].uncertainty", "another snapshot",
				   "the span table could not be read a second time");
	vec_free(&k->heap.keys); /* nothing is read a third time */
	if (!r && k->has_go)
		go_gcbits_read(&k->rt, &bits); /* what was read until an error is right, too */
	if (!r && k->has_go)
		r = check_heap(k, &again);
	if (!r) {
		note_rss(k, &before, &after, unmapped_bytes(&k->maps, &maps_after));
		hide_span(&k->heap, k->opts->hide_span);
		hide_span(&again, k->opts->hide_span);
		hide_vma(&k->maps, k->opts->hide_vma);
		hide_vma(&maps_after, k->opts->hide_vma);
		r = read_native(k);
	}
	if (!r)
		r = build_ledger(k, &maps_after, &again, &bits);
	if (!r)
		r = look_origins(k);
	vec_free(&bits);
	go_heap_free(&again);
	maps_free(&maps_after);
	return r;
}

static void look_free(struct look *k)
{
	bin_close(k->bin);
	libs_free(&k->libs);
	maps_free(&k->maps);
	go_heap_free(&k->heap);
	vec_free(&k->regions);
	vec_free(&k->threads);
	native_free(&k->native);
	vec_free(&k->pages);
	vec_free(&k->tmpfs);
	if (k->opts->keep)
		*k->opts->keep = k->ledger;
	else
		ledger_builder_free(&k->ledger);
}

static int note_cost(struct look *k, uint64_t wall, uint64_t cpu)
{
	struct rusage ru = { 0 };
	struct {
		const char *name;
		struct opt_u64 *out;
		uint64_t v;
	} n[] = {
		{ "cost_wall_ns", &k->r->cost.wall_ns, mono_ns() - wall },
		{ "cost_cpu_ns", &k->r->cost.cpu_ns, clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu },
		{ "cost_max_rss", &k->r->cost.max_rss, 0 },
	};
	int r = 0;

	getrusage(RUSAGE_SELF, &ru);
	n[2].v = ru.ru_maxrss * 1024;
	for (size_t i = 0; i < ARRAY_LEN(n) && !r; i++) {
		/* a source without notes (a core) has no look of its own to tell the cost of */
		if (!memsrc_note(k->m, n[i].name, &n[i].v))
			*n[i].out = OPT(n[i].v);
	}
	k->r->cost.probes = OPT(0);
	return r;
}

static int describe_source(struct look *k)
{
	static const char *const name[] = { "live", "capture", "core" };
	struct report *r = k->r;
	uint64_t now = clock_ns(CLOCK_REALTIME);
	int kind = memsrc_kind(k->m);

	/* a capture replays the look it was taken with, in every word */
	snprintf(r->source, sizeof(r->source), "%s", kind == MEMSRC_CAPTURE ? "live" : name[kind]);
	snprintf(r->rss.observed_by, sizeof(r->rss.observed_by), "none");
	if (!memsrc_note(k->m, "time_unix_ns", &now))
		r->time_unix_ns = now;
	return 0;
}

int collect_report(struct memsrc *m, const struct collect_opts *o, struct report *out,
		   struct err *e)
{
	struct look k = { .m = m, .r = out, .opts = o };
	uint64_t wall = mono_ns(), cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	int r;

	report_init(out);
	if (e)
		*e = (struct err){ 0 };
	r = describe_source(&k);
	if (!r)
		r = look_target(&k, e);
	if (!r)
		r = look_runtime(&k);
	if (!r)
		r = look_memory(&k, e);
	if (!r)
		r = look_kernel(&k);
	if (!r)
		r = collect_pss(&k);
	if (!r)
		r = findings_make(out);
	if (!r)
		r = note_cost(&k, wall, cpu);
	if (r && e && !e->text[0])
		err_set(e, r, "looking at process %d: %s", memsrc_pid(m), strerror(-r));
	if (r && memsrc_alive(m) == -ESRCH)
		r = err_set(e, -ESRCH, "process %d went away while it was looked at",
			    memsrc_pid(m));
	look_free(&k);
	return r;
}
