/* SPDX-License-Identifier: BSD-2-Clause */
/* The report of `run`: a ledger that was taken while the program lived, counters as of the end. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/log.h"
#include "observe/run_impl.h"
#include "out/json.h"

static int add_events(const struct run_seen *s, named_vec *out)
{
	int r = 0;

	for (int k = 0; k < KIND_COUNT && !r; k++)
		r = named_add(out, event_kind_name(k), s->events[k]);
	return r;
}

static int add_losses(const struct run *r, named_vec *out)
{
	struct ev_counter c[EV_COUNTERS_MAX];
	size_t n = ev_counters(r->ev, c, EV_COUNTERS_MAX);
	int rc = 0;

	vec_free(out);
	for (size_t i = 0; i < n && !rc; i++)
		rc = named_add(out, c[i].name, c[i].n);
	return rc;
}

/* What the probes could not give. */
static int add_missing(const struct run *r, struct report *rep)
{
	static const struct {
		enum ev_group group;
		const char *path;
	} part[] = {
		{ EV_MAPPINGS, "run.events.mmap" },
		{ EV_RSS, "run.last_rss" },
		{ EV_GC, "run.gc_cycles" },
		{ EV_THREADS, "run.events.thread_start" },
	};
	const struct ev_program *p;
	size_t n = ev_programs(r->ev, &p);
	int rc = 0;

	for (size_t g = 0; g < ARRAY_LEN(part) && !rc; g++) {
		const char *why = "";

		if (!(r->a->o.groups & part[g].group) || ev_groups(r->ev) & part[g].group)
			continue;
		for (size_t i = 0; i < n; i++)
			if (p[i].group == part[g].group && *p[i].reason)
				why = p[i].reason;
		if (part[g].group != EV_GC || r->is_go)
			rc = report_missing(rep, part[g].path, "", "%s", why);
	}
	if (!rc && r->is_go && ev_groups(r->ev) & EV_GC && r->no_gc[0])
		rc = report_missing(rep, "run.gc_cycles", "", "%s", r->no_gc);
	if (!rc && r->read_error)
		rc = report_missing(rep, "run.events", "", "they could not all be read: %s",
				    strerror(-r->read_error));
	if (!rc && r->a->events && r->seen.gc_bare)
		rc = report_missing(rep, "gc", "",
				    "%" PRIu64 " GC cycles ended before the runtime was located: "
				    "their events have no figures",
				    r->seen.gc_bare);
	if (!rc && r->a->o.follow && !ev_follows(r->ev))
		rc = report_missing(
			rep, "run.children", "BTF tracepoints",
			"following children needs sched_process_fork, exec and exit (BTF)");
	if (!rc && !(r->a->o.groups & EV_MAPPINGS))
		rc = report_missing(rep, "run.events.mmap", "--no-mappings left out",
				    "system calls not traced (--no-mappings)");
	return rc;
}

static void set_end(const struct run_seen *s, struct report_run *o)
{
	o->ended = s->end_ns;
	if (!o->ended)
		return;
	o->status = WIFEXITED(s->wstatus) ? WEXITSTATUS(s->wstatus) : 0;
	o->signal = WIFSIGNALED(s->wstatus) ? WTERMSIG(s->wstatus) : 0;
	o->core_dumped = WIFSIGNALED(s->wstatus) && WCOREDUMP(s->wstatus);
}

/* RSS's highest is the kernel's figure, as of getrusage; what was counted page by page at some
 * moment can't be more than the peak. */
static void set_rss(const struct run *r, struct report *rep)
{
	struct event_rss rss;

	snprintf(rep->rss.observed_by, sizeof(rep->rss.observed_by), "first-instruction");
	if (!ev_rss(r->ev, r->child.pid, &rss)) {
		rep->run.last_rss = OPT(rss.file + rss.anon + rss.shmem);
		rep->rss.high_water = OPT(rss.high);
	} else if (r->seen.max_rss.has) {
		rep->rss.high_water = r->seen.max_rss;
	}
}

/* The runtime's own number, as the last cycle that could be read or the last ledger had it; or the
 * cycles that were seen, where the probe was there before the first. */
static int set_gc(const struct run *r, struct report *rep, bool again)
{
	const struct run_seen *s = &r->seen;
	const struct run_ledger *l = &s->last;
	uint64_t n = s->cycle;

	if (!r->is_go || !(ev_groups(r->ev) & EV_GC) || r->no_gc[0])
		return 0;
	if (l->has && l->at_ns > s->exec_ns && l->r.go.cycles.has && l->r.go.cycles.v > n)
		n = l->r.go.cycles.v;
	if (!n && r->gc_late)
		return again ? 0
			     : report_missing(rep, "run.gc_cycles", "",
					      "GC cycles before the probe was attached were missed "
					      "(another program executed this one)");
	if (!r->gc_late && s->events[KIND_GC] > n)
		n = s->events[KIND_GC];
	rep->run.gc_cycles = OPT(n);
	return 0;
}

/* Puts into a ledger's report what is known of the whole run. */
static int complete(const struct run *r, const struct run_ledger *l, const char *at,
		    struct report *rep)
{
	const struct run_seen *s = &r->seen;
	uint64_t end = s->end_ns ? s->end_ns : mono_ns();
	struct report_run *o = &rep->run;
	const struct ev_program *p;
	size_t n = ev_programs(r->ev, &p);
	uint64_t probes = 0;
	bool again = o->known;
	int rc;

	vec_free(&o->events);
	*o = (struct report_run){ .known = true, .ledgers = OPT(s->ledgers) };
	set_end(s, o);
	o->wall_ns = OPT(end - s->start_ns);
	o->user_ns = s->user_ns;
	o->system_ns = s->system_ns;
	o->tree_max_rss = s->max_rss;
	o->minor_faults = s->minflt;
	o->major_faults = s->majflt;
	if (l) {
		snprintf(o->ledger_at, sizeof(o->ledger_at), "%s", at);
		o->ledger_age_ns = OPT(end > l->at_ns ? end - l->at_ns : 0);
	}
	if (r->follow.ev) {
		o->followed = OPT(r->follow.followed);
		o->followed_ended = OPT(r->follow.ended);
	}
	set_rss(r, rep);
	for (size_t i = 0; i < n; i++)
		probes += p[i].attached;
	rep->cost.probes = OPT(probes);
	rc = set_gc(r, rep, again);
	if (!rc)
		rc = add_events(s, &o->events);
	if (!rc)
		rc = add_losses(r, &rep->losses);
	return rc || again ? rc : add_missing(r, rep);
}

/* As it is known by now; *rep has that of the last report, if any. */
static int set_peak(const struct run *r, struct report *rep)
{
	struct report_peak k = { 0 };
	struct err why = { 0 };
	int rc = r->peak ? peak_report(r->peak, &k, &why) : 0;
	bool again = rep->run.known;

	if (rc)
		return rc;
	report_peak_free(&rep->peak);
	rep->peak = k;
	if (k.heap.has || !why.text[0] || !r->is_go || again)
		return 0;
	return report_missing_always(rep, "peak", "", "%s", why.text);
}

static char *join(char **cmd)
{
	_text_ struct text t = { 0 };
	char *s;

	for (char **c = cmd; *c; c++)
		if (text_printf(&t, "%s%s", c == cmd ? "" : " ", *c))
			return NULL;
	s = t.p;
	t.p = NULL;
	return s;
}

/* A report of counters only. */
static int without_ledger(const struct run *r, struct report *rep)
{
	const char *base = strrchr(r->a->cmd[0], '/');
	struct utsname u;

	report_init(rep);
	rep->no_ledger = rep->partial = true;
	rep->time_unix_ns = clock_ns(CLOCK_REALTIME);
	rep->host.page_size = sysconf(_SC_PAGESIZE);
	if (!uname(&u)) {
		snprintf(rep->host.kernel, sizeof(rep->host.kernel), "%s", u.release);
		snprintf(rep->host.arch, sizeof(rep->host.arch), "%.15s", u.machine);
	}
	rep->target.pid = r->child.pid;
	snprintf(rep->target.comm, sizeof(rep->target.comm), "%.15s",
		 base ? base + 1 : r->a->cmd[0]);
	rep->target.cmdline = join(r->a->cmd);
	rep->target.has_binary = r->has_binary;
	rep->target.stripped = r->stripped;
	rep->target.pie = r->pie;
	rep->target.cgo = r->cgo;
	rep->target.is_go = r->is_go;
	snprintf(rep->target.go_version, sizeof(rep->target.go_version), "%s", r->go_version);
	return report_missing(rep, "ledger", "", "%s",
			      r->seen.no_ledger.text[0] && !r->seen.end_ns
				      ? r->seen.no_ledger.text
				      : "no snapshot: the process exited before the first one "
					"completed");
}

static int put_document(const struct run *r, const struct report *const *rep, size_t n,
			struct text *out)
{
	_free_ char *p = NULL;
	struct json_stream json;
	size_t bytes = 0;
	FILE *f = open_memstream(&p, &bytes);
	int rc = f ? 0 : -ENOMEM;

	json_begin(&json, f, r->a->o.version);
	for (size_t i = 0; i < n && !rc; i++)
		rc = json_report(&json, rep[i]);
	if (!rc)
		rc = json_end(&json);
	if (f && fclose(f) && !rc)
		rc = -ENOMEM;
	return rc ? rc : text_add(out, p, bytes);
}

/* One document of them all; beside events a line each. */
static int print(struct run *r, const struct report *const *rep, size_t n)
{
	struct text *out = &r->outlet.out;
	int rc = 0;

	if (r->a->o.json && !r->a->events)
		rc = put_document(r, rep, n, out);
	else
		for (size_t i = 0; i < n && !rc; i++) {
			if (i && !r->a->o.json)
				rc = text_add(out, "\n", 1);
			if (!rc)
				rc = observe_put_report(&r->a->o, rep[i], out);
		}
	return rc ? rc : outlet_flush(&r->outlet);
}

void run_report(struct run *r)
{
	struct run_seen *s = &r->seen;
	struct report *children = NULL;
	size_t n = 0, nchildren = run_children_reports(r, &children);
	_free_ const struct report **list = calloc(2 + nchildren, sizeof(*list));
	struct report none = { 0 };
	int rc;

	if (!list) {
		log_error("the report could not be written: out of memory");
		goto out;
	}

	if (s->last.has) {
		rc = set_peak(r, &s->last.r);
		if (!rc)
			rc = complete(r, &s->last, "last", &s->last.r);
		list[n++] = &s->last.r;
	} else {
		rc = without_ledger(r, &none);
		if (!rc)
			rc = set_peak(r, &none);
		if (!rc)
			rc = complete(r, NULL, "", &none);
		list[n++] = &none;
	}
	if (!rc && s->peak.has && s->peak.r.rss.scanned / 9 * 8 > s->last.r.rss.scanned) {
		rc = complete(r, &s->peak, "peak", &s->peak.r);
		list[n++] = &s->peak.r;
	}
	for (size_t i = 0; i < nchildren; i++)
		list[n++] = &children[i];
	if (!rc)
		rc = print(r, list, n);
	if (rc && rc != -EPIPE)
		log_error("cannot write the report: %s", strerror(-rc));
	report_free(&none);
out:
	for (size_t i = 0; i < nchildren; i++)
		report_free(&children[i]);
	free(children);
}
