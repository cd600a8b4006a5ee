/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int reserve(struct text *t, size_t more)
{
	size_t want, cap = t->cap ? t->cap : 256;
	char *p;

	if (more > SIZE_MAX - t->n - 1)
		return -ENOMEM;
	want = t->n + more + 1;
	if (want <= t->cap)
		return 0;
	while (cap < want)
		cap = cap > SIZE_MAX / 2 ? want : cap * 2;
	p = realloc(t->p, cap);
	if (!p)
		return -ENOMEM;
	t->p = p;
	t->cap = cap;
	return 0;
}

int text_add(struct text *t, const void *p, size_t n)
{
	if (reserve(t, n))
		return -ENOMEM;
	memcpy(t->p + t->n, p, n);
	t->n += n;
	t->p[t->n] = 0;
	return 0;
}

int text_printf(struct text *t, const char *fmt, ...)
{
	va_list ap, again;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || reserve(t, n)) {
		va_end(again);
		return n < 0 ? -EINVAL : -ENOMEM;
	}
	vsnprintf(t->p + t->n, n + 1, fmt, again);
	va_end(again);
	t->n += n;
	return 0;
}

void text_free(struct text *t)
{
	free(t->p);
	*t = (struct text){ 0 };
}

static int read_fd(int fd, size_t max, bool short_ends, struct text *out)
{
	size_t start = out->n;

	for (;;) {
		size_t room;
		ssize_t r;

		if (out->n - start > max)
			return -EFBIG;
		if (reserve(out, 16384))
			return -ENOMEM;
		room = out->cap - out->n - 1;
		r = pread(fd, out->p + out->n, room, out->n - start);
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -errno;
		out->n += r;
		out->p[out->n] = 0;
		if (!r || (short_ends && (size_t)r < room))
			return out->n - start > max ? -EFBIG : 0;
	}
}

int text_read_fd(int fd, size_t max, struct text *out)
{
	return read_fd(fd, max, false, out);
}

int text_read_whole(int fd, size_t max, struct text *out)
{
	return read_fd(fd, max, true, out);
}

int text_read_at(int dirfd, const char *path, size_t max, struct text *out)
{
	_close_ int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	return fd < 0 ? -errno : text_read_fd(fd, max, out);
}

bool text_field_u64(const char *text, const char *key, uint64_t *out)
{
	size_t k = strlen(key);

	for (const char *l = text; l && *l; l = strchr(l, '\n'), l = l ? l + 1 : NULL) {
		char *end;

		if (strncmp(l, key, k))
			continue;
		l += k;
		while (*l == ' ' || *l == '\t' || *l == ':')
			l++;
		if (!isdigit((unsigned char)*l))
			return false;
		errno = 0;
		*out = strtoull(l, &end, 10);
		if (errno)
			return false;
		if (!strncmp(end, " kB", 3)) {
			if (*out > UINT64_MAX / 1024)
				return false;
			*out *= 1024;
		}
		return true;
	}
	return false;
}

bool text_parse_u64(const char *s, uint64_t *out)
{
	char *end;

	if (!isdigit((unsigned char)*s))
		return false;
	errno = 0;
	*out = strtoull(s, &end, 10);
	return !errno && !*end;
}

char *text_bytes(char *buf, size_t n, uint64_t bytes)
{
	static const char unit[] = "KMGTPE";
	double x = bytes;
	int u = -1;

	while (x >= 1023.95 && u < 5) {
		x /= 1024;
		u++;
	}
	if (u < 0)
		snprintf(buf, n, "%llu B", (unsigned long long)bytes);
	else
		snprintf(buf, n, "%.1f %ciB", x, unit[u]);
	return buf;
}

char *text_size(char *buf, size_t n, uint64_t bytes, bool exact)
{
	if (!exact)
		return text_bytes(buf, n, bytes);
	snprintf(buf, n, "%llu", (unsigned long long)bytes);
	return buf;
}

char *text_mib_up(char *buf, size_t n, uint64_t bytes)
{
	uint64_t mib = (bytes >> 20) + !!(bytes & ((1 << 20) - 1));

	snprintf(buf, n, "%llu MiB", (unsigned long long)mib);
	return buf;
}

char *text_memlimit(char *buf, size_t n, uint64_t bytes)
{
	snprintf(buf, n, "%lluMiB", (unsigned long long)(bytes >> 20));
	return buf;
}

struct text_scale text_scale_of(uint64_t largest, bool exact)
{
	static const char *const unit[] = { " B", " KiB", " MiB", " GiB", " TiB" };
	struct text_scale s = { 1, exact ? "" : unit[0] };

	for (size_t i = 1; !exact && i < sizeof(unit) / sizeof(*unit) && largest / s.by >= 1024;
	     i++)
		s = (struct text_scale){ s.by * 1024, unit[i] };
	return s;
}

const char *text_scaled(const struct text_scale *s, char buf[32], uint64_t bytes)
{
	if (s->by == 1)
		snprintf(buf, 32, "%llu", (unsigned long long)bytes);
	else
		snprintf(buf, 32, "%.1f", bytes / s->by);
	return buf;
}
