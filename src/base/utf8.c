/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/utf8.h"

#include <errno.h>
#include <string.h>

size_t utf8_next(const char *s, uint32_t *code)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *p = (const unsigned char *)s;
	size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc0 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	uint32_t c;

	if (!n || p[0] >= 0xf8)
		return 0;
	c = n == 1 ? p[0] : p[0] & (0x7f >> n);
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0;
	*code = c;
	return n;
}

int utf8_clean(const char *s, struct text *out)
{
	while (*s) {
		uint32_t code;
		size_t n = utf8_next(s, &code);
		int rc = n ? text_add(out, s, n) : text_add(out, "\xef\xbf\xbd", 3);

		if (rc)
			return rc;
		s += n ? n : 1;
	}
	return text_add(out, "", 0);
}

/* One character of s into buf, made printable. Returns the bytes of s it took. */
static size_t printable(const char *s, bool utf8, char buf[5])
{
	uint32_t code;
	size_t n = utf8_next(s, &code);

	if (n && code >= 0x20 && code != 0x7f && !(code >= 0x80 && code < 0xa0) &&
	    (utf8 || code < 0x80)) {
		memcpy(buf, s, n);
		buf[n] = 0;
		return n;
	}
	strcpy(buf, "?");
	return n ? n : 1;
}

int utf8_print(const char *s, unsigned int columns, bool utf8, struct text *out)
{
	const char *dots = utf8 ? "\xe2\x80\xa6" : "...";
	unsigned int ndots = utf8 ? 1 : 3, total = 0, head, tail, at = 0;
	char buf[5];

	for (const char *p = s; *p; p += printable(p, utf8, buf))
		total++;
	if (columns <= ndots + 2)
		ndots = 0;
	head = total > columns ? (columns - ndots) / 3 : total;
	tail = total > columns ? columns - ndots - head : 0;
	while (*s) {
		size_t n = printable(s, utf8, buf);

		if (at < head || at >= total - tail)
			if (text_add(out, buf, strlen(buf)))
				return -ENOMEM;
		if (at == head && total > columns && ndots && text_add(out, dots, strlen(dots)))
			return -ENOMEM;
		s += n;
		at++;
	}
	return total > columns ? (int)(head + ndots + tail) : (int)total;
}
