/* SPDX-License-Identifier: BSD-2-Clause */
/* The books beside the ledger: the runtime's metrics, the kernel's memory, the cgroup's. */
#include "collect/look.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "proc/cgroup.h"

/* Kernel stack of one thread: THREAD_SIZE, 16 KiB on amd64 (arch/x86/include/asm/
 * page_64_types.h, without KASAN) and on arm64 with 4 and 16 KiB pages (memory.h). */
static uint64_t kernel_stack_size(const struct look *k)
{
	uint64_t page = memsrc_page_size(k->m);

	return page > 16384 ? page : 16384;
}

static int copy_metrics(struct look *k, struct look_go *go, const struct go_metrics *m)
{
	struct report_go *g = look_report_go(k, go);

	for (size_t i = 0; i < m->v.n; i++)
		if (named_add(&g->metrics, m->v.v[i].name, m->v.v[i].value))
			return -ENOMEM;
	g->cycles = OPT(m->gc_cycles);
	if (m->last_gc_unix_ns)
		g->last_end_unix_ns = OPT(m->last_gc_unix_ns);
	if (m->has_pause)
		g->last_pause_ns = OPT(m->last_pause_ns);
	if (m->has_goal)
		g->goal = OPT(m->goal);
	if (m->has_live)
		g->live = OPT(m->live);
	if (m->has_limit)
		g->memory_limit = OPT(m->memory_limit);
	g->has_gogc = m->has_gogc;
	g->gogc = m->gogc;
	g->retries = OPT(m->retries);
	go->sums = m->sums;
	go->has_sums = !m->torn;
	if (m->absent[0] &&
	    look_go_missing(k, go, ".metrics", "another snapshot",
			    "could not be cross-checked, so not reported: %s", m->absent))
		return -ENOMEM;
	if (m->never[0] &&
	    look_go_missing_always(k, go, ".metrics", "a symbol table in the binary",
				   "could not be cross-checked, so not reported: %s", m->never))
		return -ENOMEM;
	if (m->early[0] && /* so of every program at first: no news */
	    look_go_missing_always(k, go, ".metrics", "a completed GC cycle",
				   "not available before the first GC cycle: %s", m->early))
		return -ENOMEM;
	return m->torn ? look_go_missing(k, go, ".metrics", "another snapshot",
					 "the runtime's counters disagreed in each of %u reads: "
					 "the target changed during the snapshot",
					 m->retries + 1)
		       : 0;
}

static int read_goroutines(struct look *k, struct look_go *go)
{
	struct report_go *g = look_report_go(k, go);
	struct go_goroutines n;
	struct err e = { 0 };
	int r = go_goroutines_read(&go->s->rt, &n, &e);

	if (r)
		return look_go_missing(k, go, ".goroutines", "", "%s",
				       e.text[0] ? e.text : "goroutine table not found");
	g->goroutines = OPT(n.total);
	go->any_g = n.any;
	if (!n.truncated)
		g->dead_goroutines = OPT(n.dead);
	if (!n.truncated && n.has_stacks) {
		g->stack_bytes = OPT(n.stack_bytes);
		g->stack_used = OPT(n.stack_used);
	}
	for (unsigned int i = 0; i < GO_GSTATUS_COUNT; i++)
		if (n.by_status[i] && named_add(&g->by_state, go_gstatus_name(i), n.by_status[i]))
			return -ENOMEM;
	return n.truncated
		       ? look_go_missing(k, go, ".goroutines", "", "too many goroutines to count")
		       : 0;
}

int look_metrics(struct look *k, struct look_go *go)
{
	const struct go_runtime *rt = &go->s->rt;
	struct report_go *g = look_report_go(k, go);
	struct go_metrics m;
	struct err e = { 0 };
	int r;

	g->known = true;
	snprintf(g->identified_by, sizeof(g->identified_by), "%s", rt->identified_by);
	snprintf(g->layout, sizeof(g->layout), "%s", rt->layout);
	if (rt->missing[0] &&
	    look_go_missing(k, go, "", "", "not found in the runtime's data: %s", rt->missing))
		return -ENOMEM;
	r = go_metrics_read(rt, &m, &e);
	if (r)
		r = look_go_missing(k, go, ".metrics", "", "%s", e.text);
	else
		r = copy_metrics(k, go, &m);
	if (!r)
		r = look_finals(k, go, &m.finals);
	go_metrics_free(&m);
	if (!r)
		r = look_histograms(k, go);
	return r ? r : read_goroutines(k, go);
}

static int copy_cgroup(struct look *k, const struct cgroup *c)
{
	static const enum reclaim reclaim[] = {
		[RECLAIM_NO] = RECLAIM_ROW_NO,
		[RECLAIM_YES] = RECLAIM_ROW_YES,
		[RECLAIM_PART] = RECLAIM_ROW_PART,
	};
	struct report_cgroup *o = &k->r->cgroup;

	o->version = c->version;
	o->path = strdup(c->path);
	k->r->target.cgroup = strdup(c->path);
	if (!o->path || !k->r->target.cgroup)
		return -ENOMEM;
	snprintf(k->r->target.container_id, sizeof(k->r->target.container_id), "%s",
		 c->container_id);
	if (c->has_usage)
		o->usage = OPT(c->usage);
	if (c->has_limit)
		o->limit = OPT(c->limit);
	if (c->has_effective_limit)
		o->effective_limit = OPT(c->effective_limit);
	if (c->has_high)
		o->high = OPT(c->high);
	if (c->has_working_set)
		o->working_set = OPT(c->working_set);
	if (c->has_stalls) {
		o->stalled_percent = OPT(c->stalled_percent);
		o->stalled_ns = OPT(c->stalled_ns);
	}
	if (c->has_high_events)
		o->high_events = OPT(c->high_events);
	for (size_t i = 0; i < c->rows.n; i++) {
		struct cgroup_out_row row = { .bytes = c->rows.v[i].bytes,
					      .reclaimable = reclaim[c->rows.v[i].reclaimable] };

		snprintf(row.name, sizeof(row.name), "%s", c->rows.v[i].name);
		if (vec_push(&o->rows, row))
			return -ENOMEM;
	}
	if (c->version == 1 && c->has_usage &&
	    report_missing_always(k->r, "cgroup.rows", "cgroup v2",
				  "not in memory.stat of cgroup v1: kernel_stack, pagetables, "
				  "percpu, sock, slab"))
		return -ENOMEM;
	if (c->no_limit[0] && report_missing(k->r, "cgroup.limit", "", "%s", c->no_limit))
		return -ENOMEM;
	return c->missing[0] ? report_missing(k->r, "cgroup", "", "%s", c->missing) : 0;
}

/* VmHWM comes from counters that lag (by batches per thread up to Linux 6.1, per CPU since): what
 * the brackets saw was there, too. */
static uint64_t high_water(const struct look *k, uint64_t hwm)
{
	const struct opt_u64 *seen[] = { &k->r->rss.before, &k->r->rss.after };

	for (size_t i = 0; i < ARRAY_LEN(seen); i++)
		if (seen[i]->has && seen[i]->v > hwm)
			hwm = seen[i]->v;
	return hwm;
}

/* What a process without a memory limit can still get (Documentation/filesystems/proc.rst). */
static int read_mem_available(struct look *k)
{
	_text_ struct text t = { 0 };
	uint64_t bytes;
	int r = memsrc_text(k->m, "host/meminfo", 0, &t);

	if (r == -ENOENT) /* a core, or a capture that did not save it */
		return 0;
	if (r)
		return report_missing(k->r, "kernel.mem_available", "", "meminfo: %s",
				      strerror(-r));
	if (t.p && text_field_u64(t.p, "MemAvailable:", &bytes))
		k->r->kernel.mem_available = OPT(bytes);
	return 0;
}

int look_kernel(struct look *k)
{
	struct report_kernel *o = &k->r->kernel;
	struct proc_status st;
	struct cgroup c = { 0 };
	struct err e = { 0 };
	int r;

	if (!proc_status_read(memsrc_texts(k->m), 1, &st, &e) && st.vm_rss) {
		o->page_tables = OPT(st.vm_pte);
		o->threads = OPT(st.threads);
		o->kernel_stack_size = OPT(kernel_stack_size(k));
		o->kernel_stacks = OPT(st.threads * kernel_stack_size(k));
		k->r->rss.high_water = OPT(high_water(k, st.vm_hwm));
	} else {
		r = report_missing(k->r, "kernel", "a live process or a capture", "%s",
				   e.text[0] ? e.text : "no memory figures in /proc/PID/status");
		if (r)
			return r;
	}
	r = cgroup_read(memsrc_texts(k->m), &c, &e);
	r = r ? report_missing(k->r, "cgroup", "", "%s", e.text) : copy_cgroup(k, &c);
	cgroup_free(&c);
	return r || k->r->cgroup.effective_limit.has ? r : read_mem_available(k);
}
