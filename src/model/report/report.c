/* SPDX-License-Identifier: BSD-2-Clause */
#include "model/report/report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void report_init(struct report *r)
{
	*r = (struct report){ 0 };
	snprintf(r->rss.observed_by, sizeof(r->rss.observed_by), "none");
}

void finding_free(struct finding *f)
{
	free(f->summary);
	for (size_t i = 0; i < f->evidence.n; i++) {
		free(f->evidence.v[i].name);
		free(f->evidence.v[i].source);
	}
	for (size_t i = 0; i < f->advice.n; i++)
		free(f->advice.v[i]);
	free(f->next);
	vec_free(&f->evidence);
	vec_free(&f->advice);
	*f = (struct finding){ 0 };
}

void findings_free(finding_vec *v)
{
	for (size_t i = 0; i < v->n; i++)
		finding_free(&v->v[i]);
	vec_free(v);
}

void report_frames_free(report_frames *v)
{
	for (size_t i = 0; i < v->n; i++) {
		free(v->v[i].func);
		free(v->v[i].file);
		free(v->v[i].module);
	}
	vec_free(v);
}

void report_origin_free(struct report_origin *o)
{
	report_frames_free(&o->stack);
}

void report_site_free(struct report_site *s)
{
	free(s->name);
	free(s->waits);
	free(s->creator);
	report_frames_free(&s->stack);
	*s = (struct report_site){ 0 };
}

void report_profile_free(struct report_profile *p)
{
	for (size_t i = 0; i < p->sites.n; i++)
		report_site_free(&p->sites.v[i]);
	vec_free(&p->sites);
}

const struct report_profile *report_profile_find(const struct report *r, enum category cat,
						 const char *type)
{
	for (size_t i = 0; i < r->profiles.n; i++)
		if (r->profiles.v[i].cat == cat && !strcmp(r->profiles.v[i].type, type))
			return &r->profiles.v[i];
	return NULL;
}

void report_peak_free(struct report_peak *p)
{
	for (size_t i = 0; i < p->rows.n; i++)
		report_origin_free(&p->rows.v[i].site);
	for (size_t i = 0; i < p->notes.n; i++)
		free(p->notes.v[i]);
	vec_free(&p->rows);
	vec_free(&p->notes);
	*p = (struct report_peak){ 0 };
}

static void go_free(struct report_go *g)
{
	vec_free(&g->metrics);
	histograms_free(&g->histograms);
	vec_free(&g->by_state);
}

void report_free(struct report *r)
{
	free(r->target.exe);
	free(r->target.cmdline);
	free(r->target.go_file);
	free(r->target.cgroup);
	ledger_free(&r->ledger);
	vec_free(&r->run.events);
	go_free(&r->go);
	for (size_t i = 0; i < r->runtimes.n; i++) {
		free(r->runtimes.v[i].image);
		go_free(&r->runtimes.v[i].go);
	}
	vec_free(&r->runtimes);
	free(r->cgroup.path);
	vec_free(&r->cgroup.rows);
	for (size_t i = 0; i < r->origins.n; i++)
		report_origin_free(&r->origins.v[i]);
	vec_free(&r->origins);
	for (size_t i = 0; i < r->profiles.n; i++)
		report_profile_free(&r->profiles.v[i]);
	vec_free(&r->profiles);
	vec_free(&r->threads.in);
	report_peak_free(&r->peak);
	findings_free(&r->findings);
	for (size_t i = 0; i < r->missing.n; i++) {
		free(r->missing.v[i].path);
		free(r->missing.v[i].reason);
		free(r->missing.v[i].needs);
	}
	vec_free(&r->missing);
	vec_free(&r->losses);
	*r = (struct report){ 0 };
}

int report_no_ledger(struct text *out)
{
	return text_printf(out, "No snapshot: the process exited before the first one completed.");
}

static int add_missing(struct report *r, bool always, const char *path, const char *needs,
		       const char *fmt, va_list ap)
{
	struct missing m = { .path = strdup(path),
			     .needs = strdup(needs ? needs : ""),
			     .always = always };

	if (vasprintf(&m.reason, fmt, ap) < 0)
		m.reason = NULL;
	if (m.path && m.needs && m.reason && !vec_push(&r->missing, m))
		return 0;
	free(m.path);
	free(m.needs);
	free(m.reason);
	return -ENOMEM;
}

int report_missing(struct report *r, const char *path, const char *needs, const char *fmt, ...)
{
	va_list ap;
	int rc;

	va_start(ap, fmt);
	rc = add_missing(r, false, path, needs, fmt, ap);
	va_end(ap);
	return rc;
}

int report_missing_always(struct report *r, const char *path, const char *needs, const char *fmt,
			  ...)
{
	va_list ap;
	int rc;

	va_start(ap, fmt);
	rc = add_missing(r, true, path, needs, fmt, ap);
	va_end(ap);
	return rc;
}

const struct named_u64 *named_find(const named_vec *v, const char *name)
{
	for (size_t i = 0; i < v->n; i++)
		if (!strcmp(v->v[i].name, name))
			return &v->v[i];
	return NULL;
}

bool report_is_own(const char *func, const char *module)
{
	size_t n = strlen(module), first = strcspn(func, "/.([");
	const char *slash = memchr(func, '/', strcspn(func, "(["));

	if (!strncmp(func, "main.", 5) ||
	    (n && !strncmp(func, module, n) && (func[n] == '/' || func[n] == '.')))
		return true;
	/* "net/http.(*conn).serve": no dot before the slash; "runtime.gopark": no slash */
	return func[first] == '.' && slash;
}

int named_add(named_vec *v, const char *name, uint64_t value)
{
	struct named_u64 x = { .v = value };

	if (strlen(name) >= sizeof(x.name))
		return -EINVAL;
	strcpy(x.name, name);
	return vec_push(v, x);
}
