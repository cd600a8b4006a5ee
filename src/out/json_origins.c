/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory by who asked for it. */
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

void json_put_stack(struct jbuild *b, json_t *o, const struct report_origin *x)
{
	json_t *stack;

	if (x->caller >= 0)
		jput_u64(b, o, "caller", x->caller);
	stack = jput_array(b, o, "stack");
	for (size_t k = 0; k < x->stack.n; k++)
		put_frame(b, stack, &x->stack.v[k]);
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
		json_put_stack(b, o, x);
	}
}
