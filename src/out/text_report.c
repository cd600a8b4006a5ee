/* SPDX-License-Identifier: BSD-2-Clause */
#include "out/text_report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "model/findings/findings.h"
#include "model/findings/outlook.h"
#include "out/text_findings.h"
#include "out/text_origins.h"
#include "out/text_peak.h"
#include "out/text_run.h"
#include "out/text_tree.h"

/* How much is said beside the tree, from all to the least: chosen so that a screen is enough. */
enum terse { TERSE_NOT, TERSE_SOME, TERSE_MOST, TERSE_ALL };

enum { MAX_CGROUP_ROWS = 8 };

/* ---- above the tree */

static void put_verdict(struct text_page *p)
{
	_text_ struct text t = { 0 };
	struct para a = { .p = p };
	enum text_color c = TEXT_GREEN;
	char line[1024];

	if (p->r->no_ledger ? report_no_ledger(&t) : findings_sentence(p->r, &t)) {
		p->failed = true;
		return;
	}
	if (p->r->findings.n)
		c = page_severity_color(p->r->findings.v[0].severity);
	a.color = c;
	para_add(&a, "%s", page_clean(p, t.p, 4 * p->width, line, sizeof(line)));
	para_end(&a);
}

static void put_target(struct text_page *p)
{
	const struct report_target *t = &p->r->target;
	const char *lib = t->go_file ? strrchr(t->go_file, '/') : NULL;
	unsigned int left = p->width;
	char words[320], where[80] = "";

	left -= page_put_name(p, TEXT_BOLD, t->comm[0] ? t->comm : "?", 32);
	if (t->go_file)
		snprintf(where, sizeof(where), " in %s", lib ? lib + 1 : t->go_file);
	snprintf(words, sizeof(words), ", pid %d: %s%s%s%s%s", t->pid,
		 !t->has_binary	    ? "executable not readable"
		 : !t->is_go	    ? "not a Go program"
		 : t->go_version[0] ? t->go_version
				    : "Go, version unknown",
		 where, t->stripped ? ", stripped" : "", t->pie ? ", PIE" : "",
		 t->cgo ? ", cgo" : "");
	left -= page_put_name(p, TEXT_PLAIN, words, left);
	if (t->module[0] && left > 12) {
		page_put(p, TEXT_PLAIN, ", ");
		page_put_name(p, TEXT_PLAIN, t->module, left - 2);
	}
	page_put(p, TEXT_PLAIN, "\n");
	if (t->cmdline || t->exe) {
		page_put(p, TEXT_PLAIN, "  ");
		page_put_name(p, TEXT_DIM, t->cmdline ? t->cmdline : t->exe, p->width - 2);
		page_put(p, TEXT_PLAIN, "\n");
	}
}

/* Whether files that are mapped several times make up so much of RSS that it is to be said. */
static bool is_repeated(const struct report *r)
{
	const uint64_t beyond = r->rss.scanned - r->rss.distinct.v;

	return r->rss.distinct.has && r->rss.distinct.v < r->rss.scanned && beyond >= 1 << 20 &&
	       beyond >= r->rss.scanned / 100;
}

static void put_rss(struct text_page *p)
{
	const struct report *r = p->r;
	struct para a = { .p = p, .label = "RSS" };
	char b[32];

	if (r->no_ledger)
		return;
	para_add(&a, "%s scanned", page_keep(p, b, r->rss.scanned));
	if (is_repeated(r))
		para_add(&a, ", %s distinct", page_keep(p, b, r->rss.distinct.v));
	if (r->rss.before.has)
		para_add(&a, ", %s before", page_keep(p, b, r->rss.before.v));
	if (r->rss.after.has)
		para_add(&a, ", %s after", page_keep(p, b, r->rss.after.v));
	if (!r->rss.before.has || !r->rss.after.has)
		para_add(&a, ", %s unknown",
			 r->rss.before.has  ? "after"
			 : r->rss.after.has ? "before"
					    : "before and after");
	if (r->rss.high_water.has && !r->run.known) /* run tells it as of the end */
		para_add(&a, ", peak %s", page_keep(p, b, r->rss.high_water.v));
	if (r->rss.churn.has)
		para_add(&a, ", churn %s", page_keep(p, b, r->rss.churn.v));
	else
		para_add(&a, ", churn unknown");
	para_end(&a);
}

/* ---- below the tree */

/* Below the ends of the runtime's own buckets. */
static void put_pauses(struct para *a, const histogram_vec *v)
{
	const struct histogram *h = histogram_find(v, "/gc/pauses:seconds");
	uint64_t half, most, longest;

	if (!h || !histogram_quantile(h, 50, &half) || !histogram_quantile(h, 99, &most) ||
	    !histogram_quantile(h, 100, &longest))
		return;
	para_add(a, "; all pauses: p50\1<\1%.3f\1ms, p99\1<\1%.3f\1ms, max\1<\1%.3f\1ms",
		 half / 1e6, most / 1e6, longest / 1e6);
}

static void put_gc(struct text_page *p)
{
	const struct report_go *g = &p->r->go;
	struct para a = { .p = p, .label = "GC" };
	struct outlook o;
	char b[32];

	if (!g->known)
		return;
	outlook_of(p->r, &o);
	if (g->cycles.has)
		para_add(&a, "%" PRIu64 " cycles,", g->cycles.v);
	if (g->live.has)
		para_add(&a, "live %s,", page_keep(p, b, g->live.v));
	if (o.goal.has && !o.unbounded)
		para_add(&a, "goal %s", page_keep(p, b, o.goal.v));
	else if (g->goal.has)
		para_add(&a, "no goal");
	if (o.growth.has)
		para_add(&a, "(RSS then %s)", page_keep(p, b, o.rss_at_goal.v));
	if (g->goal.has)
		para_add(&a, ",");
	if (g->has_gogc && g->gogc >= 0)
		para_add(&a, "GOGC\1%" PRId64 ",", g->gogc);
	else if (g->has_gogc)
		para_add(&a, "GOGC\1off,");
	if (g->memory_limit.has)
		para_add(&a, "GOMEMLIMIT\1%s", page_keep(p, b, g->memory_limit.v));
	else
		para_add(&a, "no GOMEMLIMIT");
	if (g->last_pause_ns.has)
		para_add(&a, ", pause %.3f\1ms", g->last_pause_ns.v / 1e6);
	put_pauses(&a, &g->histograms);
	para_end(&a);
}

/* The Go runtimes beside the main one. */
static void put_runtimes(struct text_page *p)
{
	char b[32], name[80];

	for (size_t i = 0; i < p->r->runtimes.n; i++) {
		const struct report_runtime *x = &p->r->runtimes.v[i];
		const char *base = strrchr(x->image, '/');
		struct para a = { .p = p, .label = i ? "" : "also" };

		page_clean(p, base ? base + 1 : x->image, 60, name, sizeof(name));
		para_add(&a, "%s in %s", x->go_version[0] ? x->go_version : "Go", name);
		if (x->go.cycles.has)
			para_add(&a, ": %" PRIu64 " cycles", x->go.cycles.v);
		if (x->go.live.has)
			para_add(&a, ", live %s", page_keep(p, b, x->go.live.v));
		if (x->go.goroutines.has)
			para_add(&a, ", %" PRIu64 " goroutines", x->go.goroutines.v);
		para_end(&a);
	}
}

/* Swap and huge pages: in total and where they are. */
static void put_share(struct text_page *p, const char *label, bool swap, enum terse terse)
{
	const struct ledger *l = &p->r->ledger;
	struct para a = { .p = p, .label = label };
	uint64_t total = 0;
	char b[32];
	int n = 0;

	for (int i = 0; i < CAT_COUNT; i++)
		total += swap ? l->cat[i].swap : l->cat[i].huge;
	if (!total)
		return;
	para_add(&a, "%s%s", page_keep(p, b, total), swap ? "" : " of the resident bytes");
	for (int i = 0; i < CAT_COUNT; i++) {
		uint64_t v = swap ? l->cat[i].swap : l->cat[i].huge;

		if (v && (terse == TERSE_NOT || v >= total / 4))
			para_add(&a, "%s %s\1%s", n++ ? "," : ":", category_name(i),
				 page_keep(p, b, v));
	}
	para_end(&a);
}

/* Who asked for what is mapped, where that was watched. */
static void put_origins(struct text_page *p, enum terse terse)
{
	static const size_t most[] = { [TERSE_NOT] = 5, [TERSE_SOME] = 3, [TERSE_MOST] = 1 };

	text_origins(p, terse < TERSE_ALL ? most[terse] : 0);
}

static void put_kernel(struct text_page *p)
{
	const struct report_kernel *k = &p->r->kernel;
	struct para a = { .p = p, .label = "kernel" };
	char b[32];

	if (k->page_tables.has)
		para_add(&a, "page tables %s,", page_keep(p, b, k->page_tables.v));
	if (k->kernel_stacks.has)
		para_add(&a, "stacks %s", page_keep(p, b, k->kernel_stacks.v));
	if (k->kernel_stacks.has && k->threads.has)
		para_add(&a, "(estimated, %" PRIu64 " thread%s)", k->threads.v,
			 k->threads.v == 1 ? "" : "s");
	if (a.at)
		para_add(&a, "; charged, not in RSS");
	para_end(&a);
}

static void put_cgroup_rows(struct text_page *p, unsigned int most)
{
	static const char *const mark[] = { "", "*", "~" };
	const struct report_cgroup *c = &p->r->cgroup;
	struct para a = { .p = p, .label = "" };
	unsigned int shown = 0, more = 0;
	bool used[3] = { false };
	char b[32], name[64];

	if (c->working_set.has)
		para_add(&a, "working set %s (kubectl)%s", page_keep(p, b, c->working_set.v),
			 c->rows.n ? "," : "");
	for (size_t i = 0; i < c->rows.n; i++) {
		const struct cgroup_out_row *row = &c->rows.v[i];

		if (!row->bytes || page_is_detail(row->name))
			continue;
		if (shown == most) {
			more++;
			continue;
		}
		used[row->reclaimable] = true;
		para_add(&a, "%s %s\1%s%s", shown++ ? "," : "",
			 page_clean(p, row->name, 40, name, sizeof(name)),
			 page_keep(p, b, row->bytes), mark[row->reclaimable]);
	}
	if (more)
		para_add(&a, ", %u\1more", more);
	if (used[RECLAIM_ROW_PART])
		para_add(&a, used[RECLAIM_ROW_YES] ? "(*\1reclaimable, ~\1in\1part)"
						   : "(~\1reclaimable in\1part)");
	else if (used[RECLAIM_ROW_YES])
		para_add(&a, "(*\1reclaimable)");
	para_end(&a);
}

static void put_cgroup(struct text_page *p, enum terse terse)
{
	const struct report_cgroup *c = &p->r->cgroup;
	struct opt_u64 room = findings_headroom(p->r);
	struct para a = { .p = p, .label = "cgroup" };
	struct outlook o;
	char b[32], path[256];

	if (!c->version)
		return;
	outlook_of(p->r, &o);
	para_add(&a, "v%d %s:", c->version,
		 page_clean(p, c->path ? c->path : "?", p->width / 2, path, sizeof(path)));
	if (c->usage.has)
		para_add(&a, "%s", page_keep(p, b, c->usage.v));
	else
		para_add(&a, "usage unavailable");
	if (c->effective_limit.has)
		para_add(&a, "of %s", page_keep(p, b, c->effective_limit.v));
	else
		para_add(&a, "charged, %s",
			 findings_unlimited(p->r) || c->high.has ? "no limit" : "limit unknown");
	if (c->effective_limit.has && (!c->limit.has || c->limit.v != c->effective_limit.v))
		para_add(&a, "(inherited)");
	if (c->high.has)
		para_add(&a, ", memory.high %s", page_keep(p, b, c->high.v));
	if (room.has)
		para_add(&a, ", headroom %s", page_keep(p, b, room.v));
	else if (findings_unlimited(p->r) && p->r->kernel.mem_available.has)
		para_add(&a, ", headroom %s (host)", page_keep(p, b, p->r->kernel.mem_available.v));
	if (o.charge_at_goal.has && c->effective_limit.has)
		para_add(&a, "; at the GC goal %s", page_keep(p, b, o.charge_at_goal.v));
	if (o.charge_at_goal.has && c->effective_limit.has && o.reclaimable.v)
		para_add(&a, "+ caches");
	para_end(&a);
	if (terse < TERSE_ALL)
		put_cgroup_rows(p, terse == TERSE_NOT ? MAX_CGROUP_ROWS : 4);
}

static void put_unexplained(struct text_page *p)
{
	const struct ledger *l = &p->r->ledger;
	uint64_t unknown = l->cat[CAT_UNKNOWN].resident;
	struct para a = { .p = p, .label = "unexplained" };
	char b[32];

	para_add(&a, "%s", page_keep(p, b, l->unexplained));
	if (p->r->rss.scanned)
		para_add(&a, "(%.2f\1%%)", 100.0 * l->unexplained / p->r->rss.scanned);
	if (l->unexplained > unknown && unknown) {
		para_add(&a, ": %s of unknown origin", page_keep(p, b, l->unexplained - unknown));
		para_add(&a, ", %s not attributed by any rule", page_keep(p, b, unknown));
	} else if (l->unexplained) {
		para_add(&a,
			 unknown ? ": not attributed by any rule" : ": mappings of unknown origin");
	}
	if (l->uncertainty)
		para_add(&a, "; %s changed owner during the snapshot",
			 page_keep(p, b, l->uncertainty));
	if (l->conflict)
		para_add(&a, "; overlapping claims %s", page_keep(p, b, l->conflict));
	for (size_t i = 0; i < p->r->losses.n; i++)
		if (p->r->losses.v[i].v)
			para_add(&a, "; lost %s\1%" PRIu64, p->r->losses.v[i].name,
				 p->r->losses.v[i].v);
	para_end(&a);
}

static void put_peak(struct text_page *p, enum terse terse)
{
	static const unsigned int most[] = { 5, 3, 2, 1 };

	page_peak(p, &p->r->peak, most[terse]);
}

static void put_missing(struct text_page *p, enum terse terse)
{
	static const unsigned int most[] = { 3, 2, 1, 0 };
	char path[96], reason[512], needs[256];
	unsigned int shown = 0, more = 0;

	for (size_t i = 0; i < p->r->missing.n; i++) {
		const struct missing *m = &p->r->missing.v[i];
		struct para a = { .p = p, .label = shown ? "" : "missing" };

		/* what was not asked for, and what is so each time, is no news */
		if (!strncmp(m->needs, "--", 2) || m->always)
			continue;
		if (shown == most[terse]) {
			more++;
			continue;
		}
		shown++;
		para_add(&a, "%s: %s", page_clean(p, m->path, 80, path, sizeof(path)),
			 page_clean(p, m->reason, 300, reason, sizeof(reason)));
		if (m->needs[0])
			para_add(&a, "(needs %s)",
				 page_clean(p, m->needs, 160, needs, sizeof(needs)));
		para_end(&a);
	}
	if (more) {
		struct para a = { .p = p, .label = shown ? "" : "missing" };

		para_add(&a, "%s%u%s in --json", shown ? "and " : "", more,
			 shown ? " more" : " entries");
		para_end(&a);
	}
}

static void put_head(struct text_page *p, enum terse terse)
{
	put_verdict(p);
	put_target(p);
	page_run(p);
	put_rss(p);
	page_findings(p, &p->r->findings, terse);
	page_put(p, TEXT_PLAIN, "\n");
}

static void put_tail(struct text_page *p, enum terse terse)
{
	if (!p->r->no_ledger) /* else there is no tree in between */
		page_put(p, TEXT_PLAIN, "\n");
	put_gc(p);
	put_runtimes(p);
	put_share(p, "swapped", true, terse);
	put_share(p, "huge pages", false, terse);
	put_origins(p, terse);
	put_peak(p, terse);
	put_kernel(p);
	put_cgroup(p, terse);
	if (!p->r->no_ledger)
		put_unexplained(p);
	put_missing(p, terse);
}

int text_report(const struct report *r, const struct text_style *s, struct text *out)
{
	_text_ struct text head = { 0 }, tail = { 0 };
	unsigned int used = 0, want;
	struct text_page p;

	page_begin(&p, s, out);
	p.r = r;
	want = r->no_ledger ? 0 : page_tree_want(&p);
	for (int terse = TERSE_NOT; terse <= TERSE_ALL; terse++) {
		text_free(&head);
		text_free(&tail);
		head = tail = (struct text){ 0 };
		p.out = &head;
		put_head(&p, terse);
		p.out = &tail;
		put_tail(&p, terse);
		used = page_lines(&head, 0) + page_lines(&tail, 0);
		if (used + want <= TEXT_LINES)
			break;
	}
	p.out = out;
	if (head.p && text_add(out, head.p, head.n))
		p.failed = true;
	if (!r->no_ledger)
		page_tree(&p, used < TEXT_LINES ? TEXT_LINES - used : 0);
	if (tail.p && text_add(out, tail.p, tail.n))
		p.failed = true;
	return p.failed ? -ENOMEM : 0;
}
