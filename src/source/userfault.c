/* SPDX-License-Identifier: BSD-2-Clause */
#include "source/userfault.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

enum { BLOCK = 64 << 10, LINE_MAX_KEPT = 512 };

bool userfault_none(const char *objects)
{
	return objects && objects[0] == '0' && (objects[1] == '\n' || objects[1] == ' ');
}

struct parser {
	char line[LINE_MAX_KEPT + 1]; /* what is longer is a mapping's name: cut */
	size_t n;
	uint64_t start, end; /* of the mapping in hand; 0: none so far */
	range_vec *out;
};

static bool has_flag(const char *flags)
{
	static const char *const mine[] = { "um", "uw", "ui" };
	char padded[LINE_MAX_KEPT + 3], word[8];

	snprintf(padded, sizeof(padded), "%s ", flags);
	for (size_t i = 0; i < ARRAY_LEN(mine); i++) {
		snprintf(word, sizeof(word), " %s ", mine[i]);
		if (strstr(padded, word))
			return true;
	}
	return false;
}

static int take_line(struct parser *p)
{
	unsigned long long start, end;
	char perms[5];

	p->line[p->n] = 0;
	p->n = 0;
	if (sscanf(p->line, "%llx-%llx %4[rwxsp-]", &start, &end, perms) == 3) {
		if (start >= end || start < p->end)
			return -EINVAL;
		p->start = start;
		p->end = end;
		return 0;
	}
	if (strncmp(p->line, "VmFlags:", 8) || !has_flag(p->line + 8))
		return 0;
	return p->end ? range_append(p->out, p->start, p->end, 0) : -EINVAL;
}

int userfault_parse(int fd, range_vec *out)
{
	_free_ char *buf = malloc(BLOCK);
	struct parser p = { .out = out };
	ssize_t n = buf ? 1 : -1;
	int r = buf ? 0 : -ENOMEM;

	while (!r && n > 0) {
		do
			n = read(fd, buf, BLOCK);
		while (n < 0 && errno == EINTR);
		if (n < 0)
			return -errno;
		for (ssize_t i = 0; i < n && !r; i++) {
			if (buf[i] == '\n')
				r = take_line(&p);
			else if (p.n < LINE_MAX_KEPT)
				p.line[p.n++] = buf[i];
		}
	}
	return r ? r : p.end ? 0 : -EINVAL;
}

int userfault_read(int proc_fd, range_vec *out)
{
	_close_ int fd = openat(proc_fd, "smaps", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : userfault_parse(fd, out);
}
