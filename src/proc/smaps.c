/* SPDX-License-Identifier: BSD-2-Clause */
#include "proc/smaps.h"

#include <string.h>

static const char *take_address(const char *s, const char *end, uint64_t *out)
{
	const char *first = s;
	uint64_t x = 0;

	for (; s < end && s - first < 16; s++) {
		if (*s >= '0' && *s <= '9')
			x = x << 4 | (*s - '0');
		else if (*s >= 'a' && *s <= 'f')
			x = x << 4 | (*s - 'a' + 10);
		else
			break;
	}
	*out = x;
	return s;
}

bool smaps_mapping(const char *s, const char *end, uint64_t *from, uint64_t *to)
{
	const char *p = take_address(s, end, from), *q;

	if (p == s || p == end || *p != '-')
		return false;
	q = take_address(p + 1, end, to);
	return q > p + 1 && end - q > 2 && q[0] == ' ' && (q[1] == 'r' || q[1] == '-');
}

bool smaps_has_flag(const char *s, const char *end, const char (*flags)[3], size_t n)
{
	while (s < end) {
		const char *word = s;

		while (s < end && *s != ' ')
			s++;
		for (size_t i = 0; i < n && s - word == 2; i++)
			if (!memcmp(word, flags[i], 2))
				return true;
		s++;
	}
	return false;
}

bool smaps_next(struct smaps_walk *w, const char *name)
{
	size_t n = strlen(name);

	while (w->next < w->last) {
		const char *s = w->next, *end = memchr(s, '\n', w->last - s);
		uint64_t from, to;

		end = end ? end : w->last;
		w->next = end < w->last ? end + 1 : end;
		if (smaps_mapping(s, end, &from, &to)) {
			w->start = from < to ? from : w->start;
			w->end = from < to ? to : w->end;
		} else if (w->end && (size_t)(end - s) >= n && !memcmp(s, name, n)) {
			w->value = s + n;
			w->stop = end;
			return true;
		}
	}
	return false;
}

/* "   1234 kB" */
uint64_t smaps_bytes(const struct smaps_walk *w)
{
	const char *s = w->value;
	uint64_t x = 0;

	while (s < w->stop && *s == ' ')
		s++;
	for (unsigned int d; s < w->stop && (d = (unsigned char)*s - '0') <= 9; s++)
		if (__builtin_mul_overflow(x, 10, &x) || __builtin_add_overflow(x, d, &x))
			return 0;
	return x > UINT64_MAX / 1024 ? 0 : x * 1024;
}
