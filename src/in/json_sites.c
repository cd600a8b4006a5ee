/* SPDX-License-Identifier: BSD-2-Clause */
#include "in/json_sites.h"

#include <errno.h>
#include <stdlib.h>

enum { FRAMES_MAX = 256, SITES_MAX = 4096, PROFILES_MAX = 8 };

static void read_frame(struct jget *g, const json_t *o, report_frames *out)
{
	bool has;
	struct report_frame f = {
		.func = jget_dup(g, o, "func"),
		.file = jget_dup(g, o, "file"),
		.module = jget_dup(g, o, "module"),
		.line = jget_int(g, o, "line", 0, INT32_MAX, &has),
	};

	if (!vec_push(out, f))
		return;
	jget_fail(g, -ENOMEM, "out of memory");
	free(f.func);
	free(f.file);
	free(f.module);
}

int json_read_stack(struct jget *g, const json_t *o, report_frames *out)
{
	const json_t *stack = jget_array(g, o, "stack"), *f;
	size_t i;
	bool has;

	json_array_foreach((json_t *)stack, i, f)
	{
		if (!g->rc && i < FRAMES_MAX)
			read_frame(g, f, out);
	}
	i = jget_int(g, o, "caller", 0, FRAMES_MAX, &has);
	return has && i < out->n ? (int)i : -1;
}

static void read_site(struct jget *g, const json_t *o, struct report_profile *p)
{
	struct report_site s = { .bytes = jget_opt(g, o, "bytes"),
				 .count = jget_opt(g, o, "count"),
				 .used = jget_opt(g, o, "used"),
				 .name = jget_dup(g, o, "type_name"),
				 .waits = jget_dup(g, o, "waits_in"),
				 .creator = jget_dup(g, o, "created_by") };

	s.caller = json_read_stack(g, o, &s.stack);
	if (!g->rc && vec_push(&p->sites, s))
		jget_fail(g, -ENOMEM, "out of memory");
	if (g->rc)
		report_site_free(&s);
}

static void read_profile(struct jget *g, const json_t *o, struct report *r, enum category cat)
{
	struct report_profile p = { .cat = cat,
				    .bytes = jget_opt(g, o, "bytes"),
				    .count = jget_opt(g, o, "count"),
				    .samples = jget_opt(g, o, "samples") };
	const json_t *sites = jget_array(g, o, "sites"), *s;
	size_t i;

	jget_copy(g, o, "type", p.type, sizeof(p.type));
	if (!p.type[0])
		jget_fail(g, -EINVAL, "has no type");
	json_array_foreach((json_t *)sites, i, s)
	{
		if (!g->rc && i < SITES_MAX)
			read_site(g, s, &p);
	}
	if (!g->rc && vec_push(&r->profiles, p))
		jget_fail(g, -ENOMEM, "out of memory");
	if (g->rc)
		report_profile_free(&p);
}

void json_read_profiles(struct jget *g, const json_t *category, struct report *r, enum category cat)
{
	const json_t *list = jget_array(g, category, "profiles"), *o;
	size_t mark = jget_enter(g, "profiles"), i;

	json_array_foreach((json_t *)list, i, o)
	{
		size_t inner = jget_enter_index(g, i);

		if (!g->rc && i < PROFILES_MAX)
			read_profile(g, o, r, cat);
		jget_leave(g, inner);
	}
	jget_leave(g, mark);
}
