/* SPDX-License-Identifier: BSD-2-Clause */
#include "out/text_report.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "model/findings.h"
#include "out/text_tree.h"
#include "out/text_utf8.h"

enum { MAX_MISSING = 3, MAX_CGROUP_ROWS = 8, LABEL = 12 };

/* ---- pieces */

static const char *color_code(enum text_color c)
{
	static const char *const code[] = { "", "1", "2", "31", "33", "32", "34", "35", "36" };

	return code[c];
}

void page_put(struct text_page *p, enum text_color c, const char *fmt, ...)
{
	bool color = p->s->color && c != TEXT_PLAIN;
	char buf[1024];
	va_list ap;
	int rc = 0;

	va_start(ap, fmt);
	vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	if (color && buf[0])
		rc = text_printf(p->out, "\033[%sm%s\033[0m", color_code(c), buf);
	else
		rc = text_add(p->out, buf, strlen(buf));
	if (rc)
		p->failed = true;
}

unsigned int page_put_name(struct text_page *p, enum text_color c, const char *s,
			   unsigned int columns)
{
	_text_ struct text clean = { 0 };
	int n = utf8_print(s, columns, p->s->utf8, &clean);

	if (n < 0)
		p->failed = true;
	if (n > 0)
		page_put(p, c, "%s", clean.p);
	return n > 0 ? n : 0;
}

char *page_bytes(const struct text_page *p, char *buf, size_t n, uint64_t bytes)
{
	if (!p->s->exact)
		return text_bytes(buf, n, bytes);
	snprintf(buf, n, "%" PRIu64, bytes);
	return buf;
}

/* ---- paragraphs: a label, then items that are wrapped together */

struct para {
	struct text_page *p;
	const char *label; /* NULL: none, and no indent */
	enum text_color color;
	unsigned int at; /* column; 0: nothing written yet */
};

static unsigned int para_indent(const struct para *a)
{
	return a->label ? LABEL - 1 : 0;
}

/* Characters, not bytes: what is printed is valid UTF-8 by now. */
static unsigned int columns_of(const char *s)
{
	unsigned int n = 0;

	for (; *s; s++)
		n += (*s & 0xc0) != 0x80;
	return n;
}

static void para_word(struct para *a, const char *word)
{
	unsigned int n = columns_of(word);

	if (!a->at && a->label)
		page_put(a->p, TEXT_BOLD, "%-*s", LABEL - 1, a->label);
	if (!a->at) {
		a->at = para_indent(a);
	} else if (strchr(",;:", word[0])) {
		page_put(a->p, a->color, "%s", word);
		a->at += n;
		return;
	} else if (a->at + 2 + n > a->p->width) { /* a comma may follow */
		page_put(a->p, TEXT_PLAIN, "\n%*s", (int)para_indent(a), "");
		a->at = para_indent(a);
	}
	if (a->at || a->label) {
		page_put(a->p, TEXT_PLAIN, " ");
		a->at++;
	}
	page_put(a->p, a->color, "%s", word);
	a->at += n;
}

/* Appends text that may break at its spaces. It must be printable already. */
static void para_add(struct para *a, const char *fmt, ...) PRINTF(2, 3);
static void para_add(struct para *a, const char *fmt, ...)
{
	char buf[1024], *save = NULL;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	for (char *w = strtok_r(buf, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		/* a non-breaking space between a number and its unit */
		for (char *c = w; *c; c++)
			if (*c == '\1')
				*c = ' ';
		para_word(a, w);
	}
}

static void para_end(struct para *a)
{
	if (a->at)
		page_put(a->p, TEXT_PLAIN, "\n");
}

/* A size whose number and unit stay together. */
static const char *keep(const struct text_page *p, char buf[32], uint64_t bytes)
{
	page_bytes(p, buf, 32, bytes);
	for (char *c = buf; *c; c++)
		if (*c == ' ')
			*c = '\1';
	return buf;
}

/* Fits a name from the target into buf. */
static const char *clean(const struct text_page *p, const char *s, unsigned int columns, char *buf,
			 size_t n)
{
	_text_ struct text t = { 0 };

	utf8_print(s, columns, p->s->utf8, &t);
	snprintf(buf, n, "%s", t.p ? t.p : "");
	return buf;
}

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
		c = p->r->findings.v[0].severity == SEV_CRITICAL ? TEXT_RED : TEXT_YELLOW;
	a.color = c;
	para_add(&a, "%s", clean(p, t.p, 2 * p->width, line, sizeof(line)));
	para_end(&a);
}

static void put_target(struct text_page *p)
{
	const struct report_target *t = &p->r->target;
	unsigned int left = p->width;
	char words[320];

	left -= page_put_name(p, TEXT_BOLD, t->comm[0] ? t->comm : "?", 32);
	snprintf(words, sizeof(words), ", pid %d: %s%s%s%s", t->pid,
		 !t->has_binary	    ? "executable not readable"
		 : !t->is_go	    ? "not a Go program"
		 : t->go_version[0] ? t->go_version
				    : "Go of unknown version",
		 t->stripped ? ", stripped" : "", t->pie ? ", PIE" : "", t->cgo ? ", cgo" : "");
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

/* "1.25 s", "420 ms" */
static const char *duration(char buf[32], uint64_t ns)
{
	if (ns < 10000000)
		snprintf(buf, 32, "%.1f\1ms", ns / 1e6);
	else if (ns < 1000000000)
		snprintf(buf, 32, "%.0f\1ms", ns / 1e6);
	else
		snprintf(buf, 32, "%.2f\1s", ns / 1e9);
	return buf;
}

static void put_run_end(struct para *a, const struct report_run *r)
{
	const char *name = r->signal ? sigabbrev_np(r->signal) : NULL;

	if (!r->ended)
		para_add(a, "goes on");
	else if (!r->signal)
		para_add(a, "ended with status %d", r->status);
	else if (name)
		para_add(a, "ended by SIG%s%s", name, r->core_dumped ? ", core dumped," : "");
	else
		para_add(a, "ended by signal %d", r->signal);
}

/* What was seen of it beside the ledger. */
static void put_run(struct text_page *p)
{
	const struct report_run *r = &p->r->run;
	struct para a = { .p = p, .label = "run" }, led = { .p = p, .label = "ledger" };
	char b[32];

	if (!r->known)
		return;
	put_run_end(&a, r);
	if (r->wall_ns.has)
		para_add(&a, "after %s", duration(b, r->wall_ns.v));
	if (r->user_ns.has)
		para_add(&a, ", user %s", duration(b, r->user_ns.v));
	if (r->system_ns.has)
		para_add(&a, ", system %s", duration(b, r->system_ns.v));
	if (p->r->rss.high_water.has)
		para_add(&a, "; RSS peak %s", keep(p, b, p->r->rss.high_water.v));
	if (r->last_rss.has)
		para_add(&a, ", last %s", keep(p, b, r->last_rss.v));
	if (r->minor_faults.has)
		para_add(&a, "; %" PRIu64 " faults", r->minor_faults.v);
	if (r->major_faults.has)
		para_add(&a, ", %" PRIu64 " from disk", r->major_faults.v);
	if (r->gc_cycles.has)
		para_add(&a, "; %" PRIu64 " GC cycles", r->gc_cycles.v);
	for (size_t i = 0, n = 0; i < r->events.n; i++)
		if (r->events.v[i].v)
			para_add(&a, "%s %" PRIu64 " %s", n++ ? "," : ";", r->events.v[i].v,
				 r->events.v[i].name);
	para_end(&a);
	if (!r->ledger_age_ns.has)
		return;
	para_add(&led, "as of %s before %s", duration(b, r->ledger_age_ns.v),
		 r->ended ? "the end" : "now");
	para_add(&led, strcmp(r->ledger_at, "peak") ? ", the last of" : ", the largest of");
	para_add(&led, "%" PRIu64, r->ledgers.v);
	para_end(&led);
}

static void put_rss(struct text_page *p)
{
	const struct report *r = p->r;
	struct para a = { .p = p, .label = "RSS" };
	char b[32];

	if (r->no_ledger)
		return;
	para_add(&a, "%s scanned", keep(p, b, r->rss.scanned));
	if (r->rss.before.has)
		para_add(&a, ", %s before", keep(p, b, r->rss.before.v));
	if (r->rss.after.has)
		para_add(&a, ", %s after", keep(p, b, r->rss.after.v));
	if (!r->rss.before.has || !r->rss.after.has)
		para_add(&a, ", %s not known",
			 r->rss.before.has  ? "after"
			 : r->rss.after.has ? "before"
					    : "before and after");
	if (r->rss.high_water.has)
		para_add(&a, ", peak %s", keep(p, b, r->rss.high_water.v));
	if (r->rss.churn.has)
		para_add(&a, ", churn %s", keep(p, b, r->rss.churn.v));
	else
		para_add(&a, ", churn not known");
	para_end(&a);
}

/* ---- below the tree */

static void put_gc(struct text_page *p)
{
	const struct report_go *g = &p->r->go;
	struct para a = { .p = p, .label = "GC" };
	char b[32];

	if (!g->known)
		return;
	if (g->cycles.has)
		para_add(&a, "%" PRIu64 " cycles,", g->cycles.v);
	if (g->live.has)
		para_add(&a, "live %s,", keep(p, b, g->live.v));
	if (g->goal.has)
		para_add(&a, "goal %s,", keep(p, b, g->goal.v));
	if (g->has_gogc && g->gogc >= 0)
		para_add(&a, "GOGC\1%" PRId64 ",", g->gogc);
	else if (g->has_gogc)
		para_add(&a, "GOGC\1off,");
	if (g->memory_limit.has)
		para_add(&a, "GOMEMLIMIT\1%s", keep(p, b, g->memory_limit.v));
	else
		para_add(&a, "no GOMEMLIMIT");
	if (g->last_pause_ns.has)
		para_add(&a, ", pause %.3f\1ms", g->last_pause_ns.v / 1e6);
	para_end(&a);
}

/* Swap and huge pages: in total and where they are. */
static void put_share(struct text_page *p, const char *label, bool swap)
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
	para_add(&a, "%s%s", keep(p, b, total), swap ? "" : " of the resident bytes");
	for (int i = 0; i < CAT_COUNT; i++) {
		uint64_t v = swap ? l->cat[i].swap : l->cat[i].huge;

		if (v)
			para_add(&a, "%s %s\1%s", n++ ? "," : ":", category_name(i), keep(p, b, v));
	}
	para_end(&a);
}

static void put_kernel(struct text_page *p)
{
	const struct report_kernel *k = &p->r->kernel;
	struct para a = { .p = p, .label = "kernel" };
	char b[32];

	if (k->page_tables.has)
		para_add(&a, "page tables %s,", keep(p, b, k->page_tables.v));
	if (k->kernel_stacks.has)
		para_add(&a, "stacks %s", keep(p, b, k->kernel_stacks.v));
	if (k->kernel_stacks.has && k->threads.has && k->kernel_stack_size.has)
		para_add(&a, "(%" PRIu64 " thread%s of %s)", k->threads.v,
			 k->threads.v == 1 ? "" : "s", keep(p, b, k->kernel_stack_size.v));
	if (a.at)
		para_add(&a, ": charged, not in RSS");
	para_end(&a);
}

/* Rows that break down another one in a way that adds nothing here; --json has them. */
static bool is_detail(const char *name)
{
	static const char *const prefix[] = { "inactive_", "active_",	"unevictable", "mapped_",
					      "file_",	   "dirty",	"writeback",   "swapcached",
					      "anon_thp",  "shmem_thp", "rss_huge" };

	for (size_t i = 0; i < ARRAY_LEN(prefix); i++)
		if (!strncmp(name, prefix[i], strlen(prefix[i])))
			return true;
	return false;
}

static void put_cgroup_rows(struct text_page *p)
{
	static const char *const mark[] = { "", "*", "~" };
	const struct report_cgroup *c = &p->r->cgroup;
	struct para a = { .p = p, .label = "" };
	unsigned int shown = 0, more = 0;
	bool used[3] = { false };
	char b[32], name[64];

	for (size_t i = 0; i < c->rows.n; i++) {
		const struct cgroup_out_row *row = &c->rows.v[i];

		if (!row->bytes || is_detail(row->name))
			continue;
		if (shown == MAX_CGROUP_ROWS) {
			more++;
			continue;
		}
		used[row->reclaimable] = true;
		para_add(&a, "%s %s\1%s%s", shown++ ? "," : "",
			 clean(p, row->name, 40, name, sizeof(name)), keep(p, b, row->bytes),
			 mark[row->reclaimable]);
	}
	if (more)
		para_add(&a, ", %u\1more", more);
	if (used[RECLAIM_ROW_PART])
		para_add(&a, "(*\1reclaimable, ~\1in\1part)");
	else if (used[RECLAIM_ROW_YES])
		para_add(&a, "(*\1reclaimable)");
	para_end(&a);
}

static void put_cgroup(struct text_page *p)
{
	const struct report_cgroup *c = &p->r->cgroup;
	struct opt_u64 room = findings_headroom(p->r);
	struct para a = { .p = p, .label = "cgroup" };
	char b[32], path[256];

	if (!c->version)
		return;
	para_add(&a, "v%d %s:", c->version,
		 clean(p, c->path ? c->path : "?", p->width / 2, path, sizeof(path)));
	if (c->usage.has)
		para_add(&a, "%s", keep(p, b, c->usage.v));
	else
		para_add(&a, "usage not known");
	if (c->effective_limit.has)
		para_add(&a, "of %s", keep(p, b, c->effective_limit.v));
	else
		para_add(&a, "charged, %s",
			 findings_unlimited(p->r) ? "no limit" : "limit not known");
	if (c->effective_limit.has && (!c->limit.has || c->limit.v != c->effective_limit.v))
		para_add(&a, "(inherited)");
	if (room.has)
		para_add(&a, ", %s left", keep(p, b, room.v));
	para_end(&a);
	put_cgroup_rows(p);
}

static void put_unexplained(struct text_page *p)
{
	const struct ledger *l = &p->r->ledger;
	struct para a = { .p = p, .label = "unexplained" };
	char b[32];

	para_add(&a, "%s", keep(p, b, l->unexplained));
	if (p->r->rss.scanned)
		para_add(&a, "(%.2f\1%%)", 100.0 * l->unexplained / p->r->rss.scanned);
	para_add(&a, ", of it unknown %s", keep(p, b, l->cat[CAT_UNKNOWN].resident));
	para_add(&a, "; uncertain %s", keep(p, b, l->uncertainty));
	if (l->conflict)
		para_add(&a, "; claimed twice %s", keep(p, b, l->conflict));
	for (size_t i = 0; i < p->r->losses.n; i++)
		if (p->r->losses.v[i].v)
			para_add(&a, "; lost %s\1%" PRIu64, p->r->losses.v[i].name,
				 p->r->losses.v[i].v);
	para_end(&a);
}

static void put_missing(struct text_page *p)
{
	char path[96], reason[512], needs[256];
	unsigned int shown = 0, more = 0;

	for (size_t i = 0; i < p->r->missing.n; i++) {
		const struct missing *m = &p->r->missing.v[i];
		struct para a = { .p = p, .label = shown ? "" : "missing" };

		if (!strncmp(m->needs, "--", 2)) /* what was not asked for is not missed */
			continue;
		if (shown == MAX_MISSING) {
			more++;
			continue;
		}
		shown++;
		para_add(&a, "%s: %s", clean(p, m->path, 80, path, sizeof(path)),
			 clean(p, m->reason, 300, reason, sizeof(reason)));
		if (m->needs[0])
			para_add(&a, "(needs %s)", clean(p, m->needs, 160, needs, sizeof(needs)));
		para_end(&a);
	}
	if (more) {
		struct para a = { .p = p, .label = "" };

		para_add(&a, "and %u more, which --json names", more);
		para_end(&a);
	}
}

static unsigned int count_lines(const struct text *t, size_t from)
{
	unsigned int n = 0;

	for (size_t i = from; i < t->n; i++)
		n += t->p[i] == '\n';
	return n;
}

int text_report(const struct report *r, const struct text_style *s, struct text *out)
{
	_text_ struct text tail = { 0 };
	struct text_page p = { .r = r, .s = s, .out = out, .width = s->width };
	unsigned int used;
	size_t from = out->n;

	if (p.width < 72)
		p.width = 72;
	if (p.width > 160)
		p.width = 160;
	put_verdict(&p);
	put_target(&p);
	put_run(&p);
	put_rss(&p);
	page_put(&p, TEXT_PLAIN, "\n");
	/* the end first: the tree gets the lines that are left */
	p.out = &tail;
	page_put(&p, TEXT_PLAIN, "\n");
	put_gc(&p);
	put_share(&p, "swapped", true);
	put_share(&p, "huge pages", false);
	put_kernel(&p);
	put_cgroup(&p);
	if (!r->no_ledger)
		put_unexplained(&p);
	put_missing(&p);
	used = count_lines(out, from) + count_lines(&tail, 0);
	p.out = out;
	if (!r->no_ledger)
		page_tree(&p, used < TEXT_LINES ? TEXT_LINES - used : 0);
	if (tail.p && text_add(out, tail.p, tail.n))
		p.failed = true;
	return p.failed ? -ENOMEM : 0;
}
