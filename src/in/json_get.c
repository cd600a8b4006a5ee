/* SPDX-License-Identifier: BSD-2-Clause */
#include "in/json_get.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/utf8.h"
#include "model/report/figures.h"

int jget_error(struct err *e, int rc, const char *fmt, ...)
{
	_text_ struct text clean = { 0 };
	char buf[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	utf8_print(buf, sizeof(buf), false, &clean);
	return err_set(e, rc, "%s", clean.p ? clean.p : "");
}

void jget_fail(struct jget *g, int rc, const char *fmt, ...)
{
	char why[256];
	va_list ap;

	if (g->rc)
		return;
	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	g->rc = jget_error(g->e, rc, "%s: %s", g->path[0] ? g->path : "the document", why);
}

size_t jget_enter(struct jget *g, const char *key)
{
	size_t n = strlen(g->path);

	snprintf(g->path + n, sizeof(g->path) - n, "%s%s", n ? "." : "", key);
	return n;
}

size_t jget_enter_index(struct jget *g, size_t i)
{
	size_t n = strlen(g->path);

	snprintf(g->path + n, sizeof(g->path) - n, "[%zu]", i);
	return n;
}

void jget_leave(struct jget *g, size_t mark)
{
	g->path[mark] = 0;
}

static void wrong(struct jget *g, const char *key, const char *want)
{
	size_t mark = jget_enter(g, key);

	jget_fail(g, -EINVAL, "is not %s", want);
	jget_leave(g, mark);
}

static const json_t *find(const struct jget *g, const json_t *o, const char *key)
{
	return g->rc ? NULL : json_object_get(o, key);
}

const json_t *jget_object(struct jget *g, const json_t *o, const char *key)
{
	const json_t *v = find(g, o, key);

	if (!v || json_is_object(v))
		return v;
	wrong(g, key, "an object");
	return NULL;
}

const json_t *jget_array(struct jget *g, const json_t *o, const char *key)
{
	const json_t *v = find(g, o, key);

	if (!v || json_is_array(v))
		return v;
	wrong(g, key, "an array");
	return NULL;
}

const char *jget_text(struct jget *g, const json_t *o, const char *key)
{
	const json_t *v = find(g, o, key);

	if (!v || json_is_string(v))
		return v ? json_string_value(v) : NULL;
	wrong(g, key, "a string");
	return NULL;
}

int64_t jget_int(struct jget *g, const json_t *o, const char *key, int64_t least, int64_t most,
		 bool *has)
{
	const json_t *v = find(g, o, key);

	*has = v;
	if (!v)
		return 0;
	if (json_is_integer(v) && json_integer_value(v) >= least && json_integer_value(v) <= most)
		return json_integer_value(v);
	wrong(g, key, "an integer in its range");
	*has = false;
	return 0;
}

struct opt_u64 jget_opt(struct jget *g, const json_t *o, const char *key)
{
	struct opt_u64 x = { 0 };

	x.v = jget_int(g, o, key, 0, INT64_MAX, &x.has);
	return x;
}

uint64_t jget_need(struct jget *g, const json_t *o, const char *key)
{
	struct opt_u64 x = jget_opt(g, o, key);

	if (!x.has) {
		size_t mark = jget_enter(g, key);

		jget_fail(g, -EINVAL, "is missing");
		jget_leave(g, mark);
	}
	return x.v;
}

bool jget_bool(struct jget *g, const json_t *o, const char *key, bool *has)
{
	const json_t *v = find(g, o, key);

	if (has)
		*has = v;
	if (v && !json_is_boolean(v))
		wrong(g, key, "true or false");
	return json_is_true(v);
}

void jget_copy(struct jget *g, const json_t *o, const char *key, char *dst, size_t n)
{
	const char *s = jget_text(g, o, key);
	size_t len = s ? strlen(s) : 0;

	if (!s)
		return;
	if (len >= n)
		for (len = n - 1; len && (s[len] & 0xc0) == 0x80; len--)
			;
	memcpy(dst, s, len);
	dst[len] = 0;
}

char *jget_dup(struct jget *g, const json_t *o, const char *key)
{
	const char *s = jget_text(g, o, key);
	char *copy = s ? strdup(s) : NULL;

	if (s && !copy)
		jget_fail(g, -ENOMEM, "out of memory");
	return copy;
}

uint64_t jget_address(struct jget *g, const json_t *o, const char *key)
{
	const char *s = jget_text(g, o, key);
	uint64_t v = 0;
	size_t n;

	if (!s)
		return 0;
	n = strlen(s);
	if (n < 3 || n > 18 || strncmp(s, "0x", 2) || strspn(s + 2, "0123456789abcdef") != n - 2)
		wrong(g, key, "an address as 0x7f0000000000");
	else
		v = strtoull(s + 2, NULL, 16);
	return v;
}

uint64_t jget_time(struct jget *g, const json_t *o, const char *key)
{
	const char *s = jget_text(g, o, key);
	struct tm tm = { 0 };
	unsigned int ns;
	time_t t;
	int n = 0;

	if (!s)
		return 0;
	if (strlen(s) == 30 &&
	    sscanf(s, "%4d-%2d-%2dT%2d:%2d:%2d.%9uZ%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
		   &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &ns, &n) == 7 &&
	    n == 30) {
		tm.tm_year -= 1900;
		tm.tm_mon--;
		t = timegm(&tm);
		if (t >= 0 && t < INT64_MAX / 1000000000)
			return t * 1000000000ULL + ns;
	}
	wrong(g, key, "a time as 2026-11-21T21:54:00.000000000Z");
	return 0;
}

void jget_named(struct jget *g, const json_t *o, const char *key, named_vec *out)
{
	const json_t *list = jget_object(g, o, key), *v;
	size_t mark = jget_enter(g, key);
	const char *name;

	json_object_foreach((json_t *)list, name, v)
	{
		int rc;

		if (!json_is_integer(v) || json_integer_value(v) < 0) {
			wrong(g, name, "a count");
			break;
		}
		rc = named_add(out, name, json_integer_value(v));
		if (rc) {
			jget_fail(g, rc, rc == -ENOMEM ? "out of memory" : "a name is too long");
			break;
		}
	}
	jget_leave(g, mark);
}

void jget_figures(struct jget *g, const json_t *o, struct report *r, const char *object)
{
	for (size_t i = 0; i < figures_count; i++) {
		const struct figure *f = &figures[i];
		const char *key = figure_key(f, object);
		int64_t v;
		bool has;

		if (!key || !figure_is_kept(f))
			continue;
		v = jget_int(g, o, key, f->has_minus_one ? -1 : 0, INT64_MAX, &has);
		if (has)
			figure_set(r, f, v);
	}
}
