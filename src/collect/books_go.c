/* SPDX-License-Identifier: BSD-2-Clause */
/* Of the runtime's books what is no single figure: distributions, and who runs finalizers. */
#include "collect/look.h"

#include <errno.h>
#include <stdio.h>

#include "goruntime/finals.h"
#include "goruntime/histograms.h"

/* What only the code tells is in no capture of an rsscope that did not ask it. */
static bool is_old_capture(const struct look *k, const struct look_go *go)
{
	return memsrc_kind(k->m) == MEMSRC_CAPTURE && !go->s->rt.g.allfin;
}

/* ---- histograms */

static int copy_histogram(struct report_go *g, const struct go_histogram *h)
{
	struct histogram x = { .count = h->count };

	snprintf(x.name, sizeof(x.name), "%s", h->name);
	for (size_t i = 0; i < h->v.n; i++) {
		const struct go_hist_bucket *b = &h->v.v[i];

		if (vec_push(&x.buckets, ((struct histogram_bucket){ .has_lower = !b->below,
								     .has_upper = !b->beyond,
								     .lower_ns = b->from_ns,
								     .upper_ns = b->to_ns,
								     .count = b->count }))) {
			vec_free(&x.buckets);
			return -ENOMEM;
		}
	}
	if (!vec_push(&g->histograms, x))
		return 0;
	vec_free(&x.buckets);
	return -ENOMEM;
}

int look_histograms(struct look *k, const struct look_go *go)
{
	struct report_go *g = look_report_go(k, go);
	struct go_histograms h;
	int r = go_histograms_read(&go->s->rt, &h);

	if (r == -ENOMEM)
		return r;
	for (size_t i = 0; i < h.n && !r; i++)
		r = copy_histogram(g, &h.h[i]);
	if (!r && h.absent[0])
		r = look_go_missing_always(
			k, go, ".histograms", is_old_capture(k, go) ? "a new capture" : "",
			is_old_capture(k, go) ? "not in this capture: %s"
					      : "could not be cross-checked, so not reported: %s",
			h.absent);
	go_histograms_free(&h);
	return r == -ENOMEM ? r : 0;
}

/* ---- finalizers and cleanups */

struct runner {
	struct look *k;
	const struct look_go *go;
	char *name; /* of the first one: there may be several that run cleanups */
	size_t size;
	bool running; /* a goroutine whose stack can't be read */
};

static int take_runner(void *ctx, uint64_t pc)
{
	struct runner *x = ctx;
	const struct go_runtime *rt = &x->go->s->rt;
	struct bin_func f;

	if (!pc)
		x->running = true;
	else if (!x->name[0] && !bin_go_func(x->go->s->bin, rt->g.text - rt->bias, pc, &f))
		snprintf(x->name, x->size, "%s", f.name);
	return 0;
}

/* Who is in the way of those that wait, and whether somebody is: when that can't be seen, it is
 * said. */
static int find_runner(struct look *k, const struct look_go *go, enum go_final_kind kind,
		       char *name, size_t size)
{
	static const char *const path[] = { ".finalizer_running", ".cleanup_running" };
	struct runner x = { .k = k, .go = go, .name = name, .size = size };
	int r = go_finals_running(&go->s->rt, go->s->bin, kind, take_runner, &x);

	if (r == -ENOMEM || r == -ESRCH)
		return r;
	if (r)
		return look_go_missing_always(k, go, path[kind], "a live process",
					      "the goroutine that runs them was not found");
	if (x.running && !name[0])
		return look_go_missing(k, go, path[kind], "another snapshot",
				       "the goroutine that runs them is on a CPU: its stack "
				       "can't be read");
	return 0;
}

static int take_queue(struct look *k, const struct look_go *go, const struct go_queue *q,
		      uint64_t place, const char *path, struct opt_u64 *out)
{
	if (q->has_waiting)
		*out = OPT(q->waiting);
	else if (q->wanted && !place)
		return look_go_missing_always(
			k, go, path, is_old_capture(k, go) ? "a new capture" : "",
			is_old_capture(k, go) ? "not in this capture"
					      : "the queue was not found in the runtime's "
						"code");
	else if (q->wanted)
		return look_go_missing(k, go, path, "another snapshot",
				       "the queue changed in each of several reads");
	return 0;
}

int look_finals(struct look *k, const struct look_go *go, const struct go_finals *f)
{
	struct report_go *g = look_report_go(k, go);
	int r = take_queue(k, go, &f->finalizers, go->s->rt.g.allfin, ".finalizers_waiting",
			   &g->finalizers_waiting);

	if (!r)
		r = take_queue(k, go, &f->cleanups, go->s->rt.g.cleanups, ".cleanups_waiting",
			       &g->cleanups_waiting);
	if (!r && g->finalizers_waiting.v)
		r = find_runner(k, go, GO_FINAL_FINALIZER, g->finalizer_running,
				sizeof(g->finalizer_running));
	if (!r && g->cleanups_waiting.v)
		r = find_runner(k, go, GO_FINAL_CLEANUP, g->cleanup_running,
				sizeof(g->cleanup_running));
	return r == -ESRCH ? 0 : r; /* what follows tells it */
}
