/* SPDX-License-Identifier: BSD-2-Clause */
#include "out/text_page.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

void page_begin(struct text_page *p, const struct text_style *s, struct text *out)
{
	*p = (struct text_page){ .s = s, .out = out, .width = s->width };
	if (p->width < 72)
		p->width = 72;
	if (p->width > 160)
		p->width = 160;
}

static const char *color_code(enum text_color c)
{
	static const char *const code[] = { "", "1", "2", "31", "33", "32", "34", "35", "36" };

	return code[c];
}

void page_put(struct text_page *p, enum text_color c, const char *fmt, ...)
{
	bool color = p->s->color && c != TEXT_PLAIN;
	char buf[1024];
	va_list ap;
	int rc = 0;

	va_start(ap, fmt);
	vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	if (color && buf[0])
		rc = text_printf(p->out, "\033[%sm%s\033[0m", color_code(c), buf);
	else
		rc = text_add(p->out, buf, strlen(buf));
	if (rc)
		p->failed = true;
}

unsigned int page_put_name(struct text_page *p, enum text_color c, const char *s,
			   unsigned int columns)
{
	_text_ struct text clean = { 0 };
	int n = utf8_print(s, columns, p->s->utf8, &clean);

	if (n < 0)
		p->failed = true;
	if (n > 0)
		page_put(p, c, "%s", clean.p);
	return n > 0 ? n : 0;
}

char *page_bytes(const struct text_page *p, char *buf, size_t n, uint64_t bytes)
{
	return text_size(buf, n, bytes, p->s->exact);
}

char *page_change(const struct text_page *p, char *buf, size_t n, int64_t bytes)
{
	uint64_t size = bytes < 0 ? -(uint64_t)bytes : (uint64_t)bytes;
	char plain[24]; /* 20 digits, or "1023.9 EiB" */

	snprintf(buf, n, "%s%s",
		 bytes > 0   ? "+"
		 : bytes < 0 ? "-"
			     : "",
		 page_bytes(p, plain, sizeof(plain), size));
	return buf;
}

/* ---- paragraphs */

static unsigned int para_indent(const struct para *a)
{
	return a->label ? PARA_LABEL - 1 : 0;
}

/* Characters, not bytes: what is printed is valid UTF-8 by now. */
static unsigned int columns_of(const char *s)
{
	unsigned int n = 0;

	for (; *s; s++)
		n += (*s & 0xc0) != 0x80;
	return n;
}

static void para_word(struct para *a, const char *word)
{
	unsigned int n = columns_of(word);

	if (!a->at && a->label)
		page_put(a->p, a->label_color ? a->label_color : TEXT_BOLD, "%-*s", PARA_LABEL - 1,
			 a->label);
	if (!a->at) {
		a->at = para_indent(a);
	} else if (strchr(",;:", word[0])) {
		page_put(a->p, a->color, "%s", word);
		a->at += n;
		return;
	} else if (a->at + 2 + n > a->p->width) { /* a comma may follow */
		page_put(a->p, TEXT_PLAIN, "\n%*s", (int)para_indent(a), "");
		a->at = para_indent(a);
	}
	if (a->at || a->label) {
		page_put(a->p, TEXT_PLAIN, " ");
		a->at++;
	}
	page_put(a->p, a->color, "%s", word);
	a->at += n;
}

/* Appends text that may break at its spaces. It must be printable already. */
void para_add(struct para *a, const char *fmt, ...)
{
	char buf[1024], *save = NULL;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	for (char *w = strtok_r(buf, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		/* a non-breaking space between a number and its unit */
		for (char *c = w; *c; c++)
			if (*c == '\1')
				*c = ' ';
		para_word(a, w);
	}
}

void para_end(struct para *a)
{
	if (a->at)
		page_put(a->p, TEXT_PLAIN, "\n");
}

static const char *keep(char *buf)
{
	for (char *c = buf; *c; c++)
		if (*c == ' ')
			*c = '\1';
	return buf;
}

const char *page_keep(const struct text_page *p, char buf[32], uint64_t bytes)
{
	return keep(page_bytes(p, buf, 32, bytes));
}

const char *page_keep_change(const struct text_page *p, char buf[32], int64_t bytes)
{
	return keep(page_change(p, buf, 32, bytes));
}

const char *page_clean(const struct text_page *p, const char *s, unsigned int columns, char *buf,
		       size_t n)
{
	_text_ struct text t = { 0 };

	utf8_print(s, columns, p->s->utf8, &t);
	snprintf(buf, n, "%s", t.p ? t.p : "");
	return buf;
}

unsigned int page_lines(const struct text *t, size_t from)
{
	unsigned int n = 0;

	for (size_t i = from; i < t->n; i++)
		n += t->p[i] == '\n';
	return n;
}

bool page_is_detail(const char *name)
{
	static const char *const prefix[] = { "inactive_", "active_",	"unevictable", "mapped_",
					      "file_",	   "dirty",	"writeback",   "swapcached",
					      "anon_thp",  "shmem_thp", "rss_huge" };

	for (size_t i = 0; i < ARRAY_LEN(prefix); i++)
		if (!strncmp(name, prefix[i], strlen(prefix[i])))
			return true;
	return false;
}
