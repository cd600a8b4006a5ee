/* SPDX-License-Identifier: BSD-2-Clause */
/* The order of one look; see collect.h. */
#include "collect/collect.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "collect/look.h"
#include "collect/profile_saved.h"
#include "collect/pss.h"
#include "collect/repeated.h"
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

static int find_arenas(struct look *k)
{
	for (size_t i = 0; i < k->ngo; i++) {
		const struct look_go *g = &k->go[i];

		for (size_t j = 0; j < g->regions.n; j++)
			if (g->regions.v[j].kind == GO_REGION_ARENA &&
			    range_append(&k->arenas, g->regions.v[j].start, g->regions.v[j].end, 0))
				return -ENOMEM;
	}
	range_unite(&k->arenas);
	return 0;
}

/* The page map, without mappings that RSS never counts. The runtime never unmaps an arena. */
static int read_pages(struct look *k)
{
	range_vec all = { 0 };
	uint64_t end = 0;
	size_t v = 0;
	int r = find_arenas(k);

	for (size_t i = 0; i < k->maps.vma.n; i++)
		if (!(k->maps.vma.v[i].end >> 56))
			end = k->maps.vma.v[i].end;
	/* the kernel maps libraries and stacks at the top: leave room for what comes while we look
	 */
	end = end < (1ULL << 47) - (1 << 20) ? (1ULL << 47) - memsrc_page_size(k->m) : end;
	memsrc_set_lasting(k->m, &k->arenas);
	if (!r)
		r = memsrc_pages(k->m, 0, 0, end, &all);
	memsrc_set_lasting(k->m, NULL);
	if (!r)
		r = look_vmflags(k, &all);
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
	VEC(uint64_t) hints = { 0 };
	struct err e = { 0 };
	int r = 0;

	for (size_t i = 0; i < k->ngo && !r; i++) {
		const struct look_go *g = &k->go[i];

		for (size_t j = 0; j < g->threads.n && !r; j++)
			r = vec_push(&hints, g->threads.v[j].stack_hi - 1);
	}
	if (!r)
		r = native_read(k->m, &k->maps, hints.v, hints.n, &k->arenas, &k->native, &e);
	vec_free(&hints);
	if (!r || r == -ESRCH || r == -ENOMEM)
		return r;
	return report_missing(k->r, "ledger[native]", "", "%s", e.text);
}

void collect_swept_free(struct collect_swept *s)
{
	vec_free(&s->pages);
	vec_free(&s->vmas);
}

static int sweep(struct look *k)
{
	struct collect_swept own = { 0 }, *w = k->opts->swept ? k->opts->swept : &own;
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
			r = range_append(&w->pages, p->start, p->end, f);
	}
	for (size_t i = 0; i < k->maps.vma.n && !r; i++)
		if (!vma_outside_rss(&k->maps.vma.v[i], true))
			r = range_append(&w->vmas, k->maps.vma.v[i].start, k->maps.vma.v[i].end, 1);
	in.pages = w->pages.v;
	in.npages = w->pages.n;
	in.vmas = w->vmas.v;
	in.nvmas = w->vmas.n;
	if (!r)
		r = look_types_begin(k);
	if (!r)
		r = ledger_sweep(&k->ledger, &in);
	if (!r)
		r = k->objects_failed;
	if (!r && k->opts->objects)
		r = k->opts->objects->end(k->opts->objects->ctx);
	if (!r)
		r = look_types_end(k);
	k->r->rss.scanned = k->r->ledger.scanned;
	collect_swept_free(&own);
	return r;
}

/* A core says neither which pages are a file's nor from which device. */
static int note_distinct(struct look *k)
{
	uint64_t repeated;
	int r;

	if (memsrc_kind(k->m) == MEMSRC_CORE)
		return report_missing_always(k->r, "rss.distinct", "the process, or a capture",
					     "a core does not say which pages are a file's");
	r = repeated_bytes(&k->maps, &k->pages, &repeated);
	if (!r && repeated <= k->r->rss.scanned)
		k->r->rss.distinct = OPT(k->r->rss.scanned - repeated);
	return r;
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

static int claim_runtimes(struct look *k)
{
	uint32_t spans = 0;
	int r = 0;

	for (size_t i = 0; i < k->ngo && !r; i++) {
		struct look_go *g = &k->go[i];

		g->first_splitter = spans;
		spans += g->heap.spans.n;
		k->ledger.image = k->ngo > 1 ? look_go_image(k, g) : NULL;
		r = look_claim_go(k, g);
		if (!r)
			r = look_claim_again(k, g);
	}
	k->ledger.image = NULL;
	return r;
}

static int name_odd_spans(struct look *k, const struct look_go *g)
{
	int r = 0;

	if (g->unread_bits)
		r = report_missing(k->r, "ledger[go/heap/objects]", "",
				   "the bitmaps of some spans are swapped out or unreadable: live "
				   "and dead objects there are one row");
	if (!r && g->at_rest && g->odd_spans)
		r = report_missing(k->r, "ledger[go/heap/objects]", "another snapshot",
				   "object count does not match the bitmap in %" PRIu64 " spans",
				   g->odd_spans);
	return r;
}

static int build_ledger(struct look *k, const struct maps *after)
{
	int r = ledger_builder_init(&k->ledger, &k->r->ledger);

	if (!r)
		r = look_claim_vmas(k);
	if (!r)
		r = look_claim_new_vmas(k, after);
	if (!r)
		r = look_claim_origins(k);
	if (!r)
		r = claim_runtimes(k);
	if (!r)
		r = look_claim_native(k);
	if (!r)
		r = sweep(k);
	if (!r)
		r = look_released(k);
	if (!r)
		r = note_distinct(k);
	if (!r)
		r = look_uncertainty(k, after);
	for (size_t i = 0; i < k->ngo && !r; i++)
		r = name_odd_spans(k, &k->go[i]);
	return r;
}

/* The metrics of runtimes that were not read yet. */
static int read_metrics(struct look *k, size_t from)
{
	int r = 0;

	for (size_t i = from; i < k->ngo && !r; i++)
		r = look_metrics(k, &k->go[i]);
	return r;
}

/* The mappings as of the page map, and what has come with them. */
static int read_maps(struct look *k, struct err *e)
{
	size_t known = k->ngo;
	int r = maps_read(memsrc_texts(k->m), 1, &k->maps, e);

	if (!r)
		r = session_set_maps(k->s, &k->maps);
	if (!r)
		r = look_take_runtimes(k);
	return r ? r : read_metrics(k, known);
}

/* Everything between and after the brackets. */
static int look_memory(struct look *k, struct err *e)
{
	struct counters before = { 0 }, after = { 0 };
	struct maps maps_after = { 0 };
	int r;

	look_rest_begins(k); /* what was read before is read at once, here */
	memsrc_again(k->m, READER_SNAPSHOT);
	k->rss_counted = proc_rss_counted(memsrc_texts(k->m));
	r = read_counters(k, 0, &before);
	if (!r)
		r = read_metrics(k, 0);
	if (!r)
		r = read_maps(k, e);
	if (!r)
		r = look_read_heaps(k);
	if (!r)
		r = read_pages(k);
	if (!r)
		r = read_counters(k, 1, &after);
	memsrc_again(k->m, READER_SECOND);
	look_at_rest(k);
	if (!r)
		r = maps_read(memsrc_texts(k->m), 2, &maps_after, e);
	if (!r)
		r = look_read_heaps_again(k);
	if (!r) {
		note_rss(k, &before, &after, unmapped_bytes(&k->maps, &maps_after));
		hide_vma(&k->maps, k->opts->hide_vma);
		hide_vma(&maps_after, k->opts->hide_vma);
		r = read_native(k);
	}
	if (!r)
		r = build_ledger(k, &maps_after);
	if (!r)
		r = look_origins(k);
	session_end(k->s, &maps_after);
	maps_free(&maps_after);
	return r;
}

static void look_free(struct look *k)
{
	maps_free(&k->maps);
	for (size_t i = 0; i < k->ngo; i++)
		look_go_free(&k->go[i]);
	native_free(&k->native);
	look_types_free(k);
	vec_free(&k->arenas);
	vec_free(&k->pages);
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

	/* a capture gives the report of the live snapshot that it was taken with, byte for byte */
	snprintf(r->source, sizeof(r->source), "%s", kind == MEMSRC_CAPTURE ? "live" : name[kind]);
	snprintf(r->rss.observed_by, sizeof(r->rss.observed_by), "none");
	if (!memsrc_note(k->m, "time_unix_ns", &now))
		r->time_unix_ns = now;
	return 0;
}

/* What went wrong, where nothing below has told. */
static int explain(struct memsrc *m, int r, struct err *e)
{
	if (r && e && !e->text[0])
		err_set(e, r, "looking at process %d: %s", memsrc_pid(m), strerror(-r));
	if (r && memsrc_alive(m) == -ESRCH)
		r = err_set(e, -ESRCH, "process %d exited during the snapshot", memsrc_pid(m));
	return r;
}

int collect_report(struct session *s, const struct collect_opts *o, struct report *out,
		   struct err *e)
{
	struct look k = { .s = s, .m = s->m, .r = out, .opts = o };
	uint64_t wall = mono_ns(), cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	int r;

	report_init(out);
	if (e)
		*e = (struct err){ 0 };
	r = session_begin(s);
	if (s->snapshots == 1) {
		wall -= s->wall_ns;
		cpu -= s->cpu_ns;
	}
	if (!r)
		r = describe_source(&k);
	if (!r)
		r = look_target(&k);
	if (!r)
		r = look_take_runtimes(&k);
	if (!r)
		r = look_runtimes(&k);
	if (!r)
		r = look_memory(&k, e);
	if (!r)
		r = look_kernel(&k);
	if (!r)
		r = look_facts(&k);
	if (!r)
		r = look_sites(&k);
	if (!r)
		r = collect_pss(&k);
	if (!r)
		r = findings_make(out);
	if (!r)
		r = note_cost(&k, wall, cpu);
	look_free(&k);
	return explain(s->m, r, e);
}

int collect_once(struct memsrc *m, struct go_cache *c, const struct collect_opts *o,
		 struct report *out, struct err *e)
{
	struct shelf *shelf = NULL;
	struct session s;
	int r;

	if (e)
		*e = (struct err){ 0 };
	if (o->profiles && shelf_create(0, &shelf))
		return err_set(e, -ENOMEM, "out of memory");
	r = session_open(m, shelf, c, &s, e);
	if (r) {
		report_init(out);
		r = explain(m, r, e);
	} else {
		r = collect_report(&s, o, out, e);
	}
	if (!r && o->profiles)
		r = profiles_save(&s, e);
	session_close(&s);
	shelf_destroy(shelf);
	return r;
}
