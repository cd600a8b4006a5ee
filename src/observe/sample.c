/* SPDX-License-Identifier: BSD-2-Clause */
#include "observe/sample.h"
#include "proc/cgroup.h"
#include "proc/status.h"

static void add_limit(struct sampler *s, unsigned int i, const char *name, uint64_t used,
		      uint64_t limit, struct watch_sample *out)
{
	struct watch_limit *l = &out->limits[out->nlimits++];

	pace_add(&s->pace[i], out->now_ns, used);
	*l = (struct watch_limit){
		.name = name,
		.used = used,
		.limit = limit,
		.rate = pace_rise(&s->pace[i]),
		.seconds = pace_until(&s->pace[i], limit),
	};
}

static void read_cgroup(struct sampler *s, struct session *of, struct watch_sample *out)
{
	struct cgroup c;

	if (cgroup_read(memsrc_texts(of->m), &c, NULL))
		return;
	if (c.has_usage && c.has_effective_limit)
		add_limit(s, 0, "cgroup", c.usage, c.effective_limit, out);
	cgroup_free(&c);
}

static bool controller(const struct go_runtime *rt, enum go_field f, uint64_t *out)
{
	return go_has(rt->l, f) &&
	       !memsrc_read(rt->m, PASS_BOOKS, rt->g.gccontroller + go_off(rt->l, f), out,
			    sizeof(*out));
}

/* mgcpacer.go, memoryLimitHeapGoal: mappedReady is what the limit is about. */
static void read_gomemlimit(struct sampler *s, struct session *of, struct watch_sample *out)
{
	const struct session_go *g = session_main_go(of);
	uint64_t limit, ready;

	if (!g || !g->rt.g.gccontroller)
		return;
	memsrc_flush(of->m);
	if (controller(&g->rt, GO_GCC_MEMORYLIMIT, &limit) && limit < INT64_MAX &&
	    controller(&g->rt, GO_GCC_MAPPEDREADY, &ready) && ready < INT64_MAX)
		add_limit(s, 1, "GOMEMLIMIT", ready, limit, out);
}

int sample_take(struct sampler *s, struct session *of, uint64_t now_ns, struct watch_sample *out)
{
	struct proc_status st;
	int r = proc_status_read(memsrc_texts(of->m), 0, &st, NULL);

	if (r)
		return r;
	*out = (struct watch_sample){
		.now_ns = now_ns,
		.rss = st.vm_rss,
		.anon = st.rss_anon,
		.file = st.rss_file,
		.shmem = st.rss_shmem,
		.swap = st.vm_swap,
		.threads = st.threads,
		.events = s->events,
		.started = s->started,
		.ended = s->ended,
	};
	s->events = s->started = s->ended = 0;
	read_cgroup(s, of, out);
	read_gomemlimit(s, of, out);
	return 0;
}

void sample_count(struct sampler *s, const struct event *e)
{
	s->events++;
	s->started += event_kind(e) == KIND_THREAD_START;
	s->ended += event_kind(e) == KIND_THREAD_EXIT;
}
