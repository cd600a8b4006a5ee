/* SPDX-License-Identifier: BSD-2-Clause */
/* Counters alone, often: see session_tick. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "proc/cgroup.h"
#include "proc/rss.h"
#include "session/session.h"

static void find_usage(struct session *s)
{
	struct cgroup c = { 0 };

	if (s->usage_known)
		return;
	s->usage_known = true;
	if (!cgroup_read(memsrc_texts(s->m), &c, NULL) && c.has_usage)
		snprintf(s->usage, sizeof(s->usage), "cgroup%s/%s", c.dir,
			 c.version == 2 ? "memory.current" : "memory.usage_in_bytes");
	cgroup_free(&c);
}

static void read_usage(struct session *s, struct session_counters *out)
{
	_text_ struct text t = { 0 };

	find_usage(s);
	out->has_usage = s->usage[0] && !memsrc_text(s->m, s->usage, 0, &t) && t.p &&
			 sscanf(t.p, "%" SCNu64, &out->usage) == 1;
}

int session_tick(struct session *s, struct session_counters *out)
{
	struct proc_rss rss;
	int r;

	*out = (struct session_counters){ .at_ns = mono_ns() };
	r = proc_rss_read(memsrc_texts(s->m), true, 0, &rss, NULL);
	if (r == -ESRCH)
		return r;
	out->has_rss = !r;
	out->rss = r ? 0 : rss.rss;
	read_usage(s, out);
	memsrc_again(s->m, READER_COUNTERS);
	for (size_t i = 0; i < s->ngo; i++) {
		if (!s->go[i].open)
			continue;
		r = go_counters_read(&s->go[i].rt, &out->go[i], NULL);
		if (r == -ESRCH || r == -ENOMEM)
			return r;
	}
	return 0;
}

void session_counters_free(struct session_counters *c)
{
	for (size_t i = 0; i < GO_FILES_MAX; i++)
		go_metrics_free(&c->go[i]);
}
