/* SPDX-License-Identifier: BSD-2-Clause */
#include "source/userfault.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "proc/smaps.h"

enum {
	BLOCK = 64 << 10,
	LINE_MAX_KEPT = 512, /* what is longer is a mapping's name: cut */
};

bool userfault_none(const char *objects)
{
	return objects && objects[0] == '0' && (objects[1] == '\n' || objects[1] == ' ');
}

struct parser {
	uint64_t start, end; /* of the mapping in hand; 0: none so far */
	bool in_fields;	     /* of it; its VmFlags were not seen yet */
	range_vec *out;
};

static int take_line(struct parser *p, const char *s, const char *end)
{
	static const char mine[][3] = { "um", "uw", "ui" };
	uint64_t from, to;

	if (smaps_mapping(s, end, &from, &to)) {
		if (from >= to || from < p->end)
			return -EINVAL;
		p->start = from;
		p->end = to;
		p->in_fields = true;
		return 0;
	}
	if (end - s < 8 || memcmp(s, "VmFlags:", 8))
		return 0;
	p->in_fields = false;
	if (!smaps_has_flag(s + 8, end, mine, ARRAY_LEN(mine)))
		return 0;
	return p->end ? range_append(p->out, p->start, p->end, 0) : -EINVAL;
}

/* The first line of [s, end) that begins with a V, or the last line, which need not be whole. Most
 * of the text is passed over here: VmFlags is the last of two dozen fields. */
static const char *skip_fields(const char *s, const char *end)
{
	const char *v = s;

	while ((v = memchr(v, 'V', end - v))) {
		if (v == s || v[-1] == '\n')
			return v;
		v++;
	}
	v = memrchr(s, '\n', end - s);
	return v ? v + 1 : s;
}

/* Takes the whole lines of buf[0..n); *used of its bytes are done with. */
static int take_block(struct parser *p, const char *buf, size_t n, size_t *used)
{
	const char *s = buf, *end = buf + n;
	int r = 0;

	while (!r) {
		const char *newline;

		if (p->in_fields)
			s = skip_fields(s, end);
		newline = memchr(s, '\n', end - s);
		if (!newline)
			break;
		r = take_line(p, s, newline);
		s = newline + 1;
	}
	*used = s - buf;
	return r;
}

int userfault_parse(int fd, range_vec *out)
{
	_free_ char *buf = malloc(BLOCK);
	struct parser p = { .out = out };
	size_t have = 0, used = 0;
	ssize_t n = 1;
	int r = buf ? 0 : -ENOMEM;

	while (!r && n > 0) {
		do
			n = read(fd, buf + have, BLOCK - have);
		while (n < 0 && errno == EINTR);
		if (n < 0)
			return -errno;
		have += n;
		r = take_block(&p, buf, have, &used);
		have -= used;
		memmove(buf, buf + used, have);
		if (have == BLOCK)
			have = LINE_MAX_KEPT;
	}
	return r ? r : p.end && !p.in_fields ? 0 : -EINVAL;
}

int userfault_read(int proc_fd, range_vec *out)
{
	_close_ int fd = openat(proc_fd, "smaps", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : userfault_parse(fd, out);
}
