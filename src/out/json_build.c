/* SPDX-License-Identifier: BSD-2-Clause */
#include "out/json_build.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/utf8.h"
#include "model/report/figures.h"

void jput(struct jbuild *b, json_t *object, const char *key, json_t *value)
{
	_text_ struct text clean = { 0 };

	if (utf8_clean(key, &clean) || json_object_set_new(object, clean.p, value))
		b->failed = true;
}

void jput_text(struct jbuild *b, json_t *object, const char *key, const char *s)
{
	_text_ struct text clean = { 0 };

	if (utf8_clean(s, &clean))
		b->failed = true;
	else
		jput(b, object, key, json_stringn(clean.p, clean.n));
}

void jput_known(struct jbuild *b, json_t *object, const char *key, const char *s)
{
	if (s && *s)
		jput_text(b, object, key, s);
}

void jput_u64(struct jbuild *b, json_t *object, const char *key, uint64_t v)
{
	if (v <= INT64_MAX)
		jput(b, object, key, json_integer((json_int_t)v));
}

void jput_size(struct jbuild *b, json_t *object, const char *key, uint64_t v)
{
	jput_u64(b, object, key, v < INT64_MAX ? v : INT64_MAX);
}

void jput_opt(struct jbuild *b, json_t *object, const char *key, struct opt_u64 v)
{
	if (v.has)
		jput_u64(b, object, key, v.v);
}

void jput_figures(struct jbuild *b, json_t *o, const struct report *r, const char *object)
{
	for (size_t i = 0; i < figures_count; i++) {
		const struct figure *f = &figures[i];
		const char *key = figure_key(f, object);
		struct opt_u64 v = key ? figure_get(r, f) : (struct opt_u64){ 0 };

		if (v.has && f->has_minus_one)
			jput(b, o, key, json_integer((json_int_t)v.v));
		else
			jput_opt(b, o, key, v);
	}
}

void jput_time(struct jbuild *b, json_t *object, const char *key, uint64_t unix_ns)
{
	time_t s = unix_ns / 1000000000;
	char day[32], buf[64];
	struct tm tm;

	if (!unix_ns || !gmtime_r(&s, &tm) || !strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm))
		return;
	snprintf(buf, sizeof(buf), "%s.%09uZ", day, (unsigned int)(unix_ns % 1000000000));
	jput_text(b, object, key, buf);
}

void jput_address(struct jbuild *b, json_t *object, const char *key, uint64_t addr)
{
	char buf[24];

	snprintf(buf, sizeof(buf), "0x%" PRIx64, addr);
	jput_text(b, object, key, buf);
}

void jput_row_id(struct jbuild *b, json_t *object, const char *name, const struct row_id *id)
{
	jput_text(b, object, "name", name);
	jput_text(b, object, "kind", row_kind_name(id->kind));
	jput_known(b, object, "image", id->image);
	if (id->tid) {
		jput(b, object, "tid", json_integer(id->tid));
		jput_text(b, object, "comm", id->label ? id->label : "");
	}
	if (id->start)
		jput_address(b, object, "start", id->start);
	if (id->end)
		jput_address(b, object, "end", id->end);
}

json_t *jput_object(struct jbuild *b, json_t *object, const char *key)
{
	json_t *o = json_object();

	jput(b, object, key, o);
	return b->failed ? NULL : o;
}

json_t *jput_array(struct jbuild *b, json_t *object, const char *key)
{
	json_t *a = json_array();

	jput(b, object, key, a);
	return b->failed ? NULL : a;
}

json_t *jadd_object(struct jbuild *b, json_t *array)
{
	json_t *o = json_object();

	if (json_array_append_new(array, o))
		b->failed = true;
	return b->failed ? NULL : o;
}

int jwrite(FILE *f, const char *s)
{
	errno = 0;
	return fputs(s, f) == EOF ? errno ? -errno : -EIO : 0;
}
