/* SPDX-License-Identifier: BSD-2-Clause */
#include "out/json_line.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

static void put(struct json_line *l, const char *p, size_t n)
{
	if (!l->rc)
		l->rc = text_add(l->out, p, n);
}

static void put_quoted(struct json_line *l, const char *s)
{
	static const char hex[] = "0123456789abcdef";

	put(l, "\"", 1);
	while (*s) {
		uint32_t code;
		size_t n = utf8_next(s, &code);

		if (!n) {
			put(l, "\\ufffd", 6);
			n = 1;
		} else if (*s == '"' || *s == '\\') {
			char esc[2] = { '\\', *s };

			put(l, esc, 2);
		} else if (code < 0x20 || code == 0x7f) {
			char esc[6] = { '\\', 'u', '0', '0', hex[code >> 4], hex[code & 15] };

			put(l, esc, 6);
		} else {
			put(l, s, n);
		}
		s += n;
	}
	put(l, "\"", 1);
}

static void separate(struct json_line *l)
{
	if (l->comma)
		put(l, ",", 1);
	l->comma = true;
}

static void key(struct json_line *l, const char *k)
{
	separate(l);
	put(l, "\"", 1);
	put(l, k, strlen(k));
	put(l, "\":", 2);
}

static void put_int(struct json_line *l, const char *k, uint64_t v, bool negative)
{
	char buf[24];
	size_t i = sizeof(buf);

	do {
		buf[--i] = '0' + v % 10;
		v /= 10;
	} while (v);
	if (negative)
		buf[--i] = '-';
	key(l, k);
	put(l, buf + i, sizeof(buf) - i);
}

void line_put_u64(struct json_line *l, const char *k, uint64_t v)
{
	if (v <= INT64_MAX)
		put_int(l, k, v, false);
}

void line_put_s64(struct json_line *l, const char *k, int64_t v)
{
	put_int(l, k, v < 0 ? 0 - (uint64_t)v : (uint64_t)v, v < 0);
}

void line_put_double(struct json_line *l, const char *k, double v, int decimals)
{
	char buf[32];

	snprintf(buf, sizeof(buf), "%.*f", decimals, v);
	key(l, k);
	put(l, buf, strlen(buf));
}

static void put_hex(struct json_line *l, uint64_t v)
{
	static const char hex[] = "0123456789abcdef";
	char buf[20];
	size_t i = sizeof(buf);

	buf[--i] = '"';
	do {
		buf[--i] = hex[v & 15];
		v >>= 4;
	} while (v);
	buf[--i] = 'x';
	buf[--i] = '0';
	buf[--i] = '"';
	put(l, buf + i, sizeof(buf) - i);
}

void line_put_addr(struct json_line *l, const char *k, uint64_t v)
{
	key(l, k);
	put_hex(l, v);
}

void line_put_string(struct json_line *l, const char *k, const char *s)
{
	key(l, k);
	put_quoted(l, s);
}

void line_put_hex(struct json_line *l, uint64_t v)
{
	separate(l);
	put_hex(l, v);
}

void line_put_quoted(struct json_line *l, const char *s)
{
	separate(l);
	put_quoted(l, s);
}

void line_put_known(struct json_line *l, const char *k, const char *s)
{
	if (s && *s)
		line_put_string(l, k, s);
}

void line_put_bool(struct json_line *l, const char *k, bool v)
{
	key(l, k);
	put(l, v ? "true" : "false", v ? 4 : 5);
}

void line_open(struct json_line *l, const char *k, const char *bracket)
{
	if (k)
		key(l, k);
	else
		separate(l);
	put(l, bracket, 1);
	l->comma = false;
}

void line_close(struct json_line *l, const char *bracket)
{
	put(l, bracket, 1);
	l->comma = true;
}

void line_put_opt(struct json_line *l, const char *k, const struct opt_u64 *v)
{
	if (v->has)
		line_put_u64(l, k, v->v);
}

void line_begin(struct json_line *l, const char *type, struct text *out)
{
	*l = (struct json_line){ .out = out };
	put(l, "{", 1);
	line_put_string(l, "type", type);
}

int line_end(struct json_line *l)
{
	put(l, "}\n", 2);
	return l->rc;
}
