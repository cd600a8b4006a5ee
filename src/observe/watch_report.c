/* SPDX-License-Identifier: BSD-2-Clause */
/* The reports at the end of a watch. */
#include "base/log.h"
#include "observe/watch_impl.h"

static int put(struct watch *w, const struct report *r)
{
	int rc = observe_put_report(&w->a->o, r, &w->outlet.out);

	w->partial |= r->partial;
	return rc ? rc : outlet_flush(&w->outlet);
}

int watch_put_peak(struct watch *w)
{
	struct report_peak k = { 0 };
	struct err why = { 0 };
	int r = 0;

	peak_stop(w->peak);
	if (w->peak && !w->a->no_report)
		r = peak_report(w->peak, &k, &why);
	if (!r && w->a->o.json && (k.heap.has || why.text[0]))
		r = watch_json_peak(memsrc_pid(w->s.m), &k, why.text, &w->outlet.out);
	else if (!r && !w->a->o.json)
		r = watch_text_peak(&w->a->o.style, &k, &w->outlet.out);
	report_peak_free(&k);
	w->partial |= !observe_write_peak(&w->a->o, w->peak);
	return r;
}

static int report_target(struct watch *w, struct err *e)
{
	struct collect_opts co = { .pss = w->a->pss, .sites = COLLECT_SITES };
	struct report last;
	int r;

	if (memsrc_alive(w->s.m)) {
		log_warn("no report: the process has exited");
		return 0;
	}
	if (session_book(&w->s) && mapbook_give(w->s.book, &co.known))
		return -ENOMEM;
	r = bracket_last(&w->bracket, &w->s, &co, &last, e);
	if (!r)
		r = put(w, &last);
	report_free(&last);
	return r;
}

static int report_children(struct watch *w)
{
	int rc = 0;

	for (size_t i = 0; i < w->follow.v.n && !rc; i++) {
		struct collect_opts co = { .pss = w->a->pss, .sites = COLLECT_SITES };
		struct report r;

		if (follow_report(w->follow.v.v[i], &co, &r))
			continue;
		rc = put(w, &r);
		report_free(&r);
	}
	return rc;
}

int watch_report(struct watch *w, struct err *e)
{
	int r = report_target(w, e), children;

	if (w->outlet.rc)
		return r;
	children = report_children(w);
	return r ? r : children;
}
