/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory by who asked for it, and by who stands behind it. */
#include "out/json_build.h"

static void put_frame(struct jbuild *b, json_t *list, const struct report_frame *f)
{
	json_t *o = jadd_object(b, list);

	jput_known(b, o, "func", f->func);
	jput_known(b, o, "file", f->file);
	if (f->file)
		jput_u64(b, o, "line", f->line);
	jput_known(b, o, "module", f->module);
}

void json_put_stack(struct jbuild *b, json_t *o, int caller, const report_frames *f)
{
	json_t *stack;

	if (caller >= 0)
		jput_u64(b, o, "caller", caller);
	stack = jput_array(b, o, "stack");
	for (size_t k = 0; k < f->n; k++)
		put_frame(b, stack, &f->v[k]);
}

void json_put_origins(struct jbuild *b, json_t *top, const struct report *r)
{
	json_t *list = r->origins.n ? jput_array(b, top, "origins") : NULL;

	for (size_t i = 0; i < r->origins.n; i++) {
		const struct report_origin *x = &r->origins.v[i];
		json_t *o = jadd_object(b, list);

		jput_text(b, o, "category", category_name(x->cat));
		jput_size(b, o, "bytes", x->bytes);
		jput_size(b, o, "resident", x->resident);
		jput_u64(b, o, "count", x->count);
		json_put_stack(b, o, x->caller, &x->stack);
	}
}

static void put_site(struct jbuild *b, json_t *list, const struct report_site *s)
{
	json_t *o = jadd_object(b, list);

	jput_opt(b, o, "bytes", s->bytes);
	jput_opt(b, o, "count", s->count);
	jput_opt(b, o, "used", s->used);
	jput_known(b, o, "type_name", s->name);
	jput_known(b, o, "waits_in", s->waits);
	jput_known(b, o, "created_by", s->creator);
	json_put_stack(b, o, s->caller, &s->stack);
}

void json_put_profiles(struct jbuild *b, json_t *o, const struct report *r, enum category cat)
{
	json_t *list = NULL, *p, *sites;

	for (size_t i = 0; i < r->profiles.n; i++) {
		const struct report_profile *x = &r->profiles.v[i];

		if (x->cat != cat)
			continue;
		list = list ? list : jput_array(b, o, "profiles");
		p = jadd_object(b, list);
		jput_text(b, p, "type", x->type);
		jput_opt(b, p, "bytes", x->bytes);
		jput_opt(b, p, "count", x->count);
		jput_opt(b, p, "samples", x->samples);
		sites = jput_array(b, p, "sites");
		for (size_t k = 0; k < x->sites.n; k++)
			put_site(b, sites, &x->sites.v[k]);
	}
}
