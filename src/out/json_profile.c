/* SPDX-License-Identifier: BSD-2-Clause */
#include "out/json_profile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/profile/top.h"
#include "out/json_build.h"

static const char schema_text[] =
#include "profile.schema.inc"
	;

const char *json_profile_schema(void)
{
	return schema_text;
}

/* Takes v; what was built wrongly is out of memory. */
static int dump(FILE *f, struct jbuild *b, json_t *v)
{
	int r = b->failed || !v ? -ENOMEM : 0;

	errno = 0;
	if (!r && json_dumpf(v, f, JSON_COMPACT))
		r = errno ? -errno : -EIO;
	json_decref(v);
	return r;
}

typedef json_t *element_fn(struct jbuild *b, const struct profile *p, size_t i, const void *ctx);

/* An array of n elements, one a line, after what stands before it. */
static int put_array(FILE *f, const char *key, const struct profile *p, size_t n, element_fn *fn,
		     const void *ctx)
{
	int r = jwrite(f, ",\n\"");

	if (!r)
		r = jwrite(f, key);
	if (!r)
		r = jwrite(f, "\": [");
	for (size_t i = 0; i < n && !r; i++) {
		struct jbuild b = { 0 };

		r = jwrite(f, i ? ",\n" : "\n");
		if (!r)
			r = dump(f, &b, fn(&b, p, i, ctx));
	}
	return r ? r : jwrite(f, "]");
}

/* Of an estimate that is v: where the true value lies with 95 % probability. */
static int64_t low(int64_t v, double variance)
{
	int64_t margin = (int64_t)profile_margin(variance);

	return v > 0 && margin > v ? 0 : v - margin;
}

static int64_t high(int64_t v, double variance)
{
	return v + (int64_t)profile_margin(variance);
}

static void put_interval(struct jbuild *b, json_t *o, int64_t v, double variance)
{
	if (variance <= 0)
		return;
	jput(b, o, "low", json_integer(low(v, variance)));
	jput(b, o, "high", json_integer(high(v, variance)));
}

static json_t *function(struct jbuild *b, const struct profile *p, size_t i, const void *ctx)
{
	const struct profile_sum *s = &((const profile_sum_vec *)ctx)->v[i];
	json_t *o = json_object();

	jput_text(b, o, "name", profile_text(p, s->name));
	jput(b, o, "flat", json_integer(s->flat));
	jput(b, o, "cum", json_integer(s->cum));
	put_interval(b, o, s->flat, s->variance);
	return o;
}

static json_t *location(struct jbuild *b, const struct profile *p, size_t i, const void *ctx)
{
	const struct profile_location *l = &p->locations.v[i];
	json_t *o = json_object(), *frames;

	if (l->addr)
		jput_address(b, o, "address", l->addr);
	if (l->mapping)
		jput_known(b, o, "mapping", profile_text(p, p->mappings.v[l->mapping - 1].file));
	frames = jput_array(b, o, "frames");
	for (size_t k = 0; k < l->n; k++) {
		const struct profile_line *x = &p->lines.v[l->first + k];
		json_t *frame = jadd_object(b, frames);

		jput_text(b, frame, "function", profile_text(p, p->functions.v[x->function].name));
		jput_known(b, frame, "file", profile_text(p, p->functions.v[x->function].file));
		if (x->line)
			jput_u64(b, frame, "line", x->line);
	}
	return o;
}

static void add(struct jbuild *b, json_t *array, int64_t v)
{
	if (json_array_append_new(array, json_integer(v)))
		b->failed = true;
}

static void put_labels(struct jbuild *b, json_t *o, const struct profile *p,
		       const struct profile_label_set *s)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct profile_label *l = &p->labels.v[s->first + i];

		jput_text(b, o, profile_text(p, l->key), profile_text(p, l->text));
	}
}

static json_t *sample(struct jbuild *b, const struct profile *p, size_t i, const void *ctx)
{
	const struct profile_sample *s = &p->samples.v[i];
	json_t *o = json_object(), *values = jput_array(b, o, "values"), *stack;

	for (size_t k = 0; k < p->ntypes; k++)
		add(b, values, s->value[k]);
	put_interval(b, o, s->value[p->most_wanted], s->variance);
	if (s->size)
		jput_u64(b, o, "object_bytes", s->size);
	if (s->labels)
		put_labels(b, jput_object(b, o, "labels"), p, &p->label_sets.v[s->labels - 1]);
	stack = jput_array(b, o, "stack");
	for (size_t k = 0; k < s->n; k++)
		add(b, stack, p->stacks.v[s->first + k]);
	return o;
}

static json_t *head(struct jbuild *b, const struct json_profile_head *h, const struct profile *p,
		    int64_t total)
{
	double variance = profile_variance(p);
	json_t *o = json_object(), *list;

	jput_text(b, o, "schema", "rsscope.profile/1");
	jput_text(b, jput_object(b, o, "tool"), "version", h->version);
	jput_text(b, o, "type", h->type);
	if (h->pid)
		jput_u64(b, o, "pid", h->pid);
	if (p->time_unix_ns)
		jput_time(b, o, "time", p->time_unix_ns);
	if (p->duration_ns)
		jput_u64(b, o, "duration_ns", p->duration_ns);
	if (p->period)
		jput_u64(b, o, "period", p->period);
	list = jput_array(b, o, "values");
	for (size_t i = 0; i < p->ntypes; i++) {
		json_t *v = jadd_object(b, list);

		jput_text(b, v, "type", p->type[i].name);
		jput_text(b, v, "unit", p->type[i].unit);
	}
	jput_text(b, o, "sorted_by", p->type[p->most_wanted].name);
	jput(b, o, "total", json_integer(total));
	if (variance > 0) {
		list = jput_array(b, o, "interval95");
		add(b, list, low(total, variance));
		add(b, list, high(total, variance));
	}
	if (p->sampled)
		jput_u64(b, o, "samples_taken", p->sampled);
	list = jput_array(b, o, "notes");
	for (size_t i = 0; i < p->notes.n; i++)
		if (json_array_append_new(list, json_string(profile_text(p, p->notes.v[i]))))
			b->failed = true;
	return o;
}

/* The head without its closing brace. */
static int put_head(FILE *f, const struct json_profile_head *h, const struct profile *p,
		    int64_t total)
{
	struct jbuild b = { 0 };
	json_t *o = head(&b, h, p, total);
	char *s = b.failed || !o ? NULL : json_dumps(o, JSON_INDENT(2));
	int r = s ? 0 : -ENOMEM;

	if (s)
		s[strlen(s) - 2] = 0; /* "\n}" */
	if (!r)
		r = jwrite(f, s);
	free(s);
	json_decref(o);
	return r;
}

int json_profile(FILE *f, const struct json_profile_head *h, const struct profile *p)
{
	profile_sum_vec top = { 0 };
	int64_t total;
	int r = profile_top(p, p->most_wanted, &top, &total);

	if (!r)
		r = put_head(f, h, p, total);
	if (!r)
		r = put_array(f, "functions", p, top.n, function, &top);
	if (!r)
		r = put_array(f, "locations", p, p->locations.n, location, NULL);
	if (!r)
		r = put_array(f, "samples", p, p->samples.n, sample, NULL);
	vec_free(&top);
	return r ? r : jwrite(f, "\n}\n");
}
