/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * inflate <CAPTURE >COPY: the same capture, bodies not compressed. What then compresses the whole
 * file finds that the readings of one page are nearly the same, and needs half the space.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "rsscope/capture.h"

static void get(void *buf, size_t n)
{
	if (n && fread(buf, n, 1, stdin) != 1) {
		fprintf(stderr, "inflate: the capture ends early\n");
		exit(1);
	}
}

static void put(const void *buf, size_t n)
{
	if (n && fwrite(buf, n, 1, stdout) != 1) {
		perror("inflate: writing");
		exit(1);
	}
}

static void *room(size_t n)
{
	void *p = malloc(n + 1);

	if (!p)
		abort();
	return p;
}

static void copy(struct capture_record *r)
{
	uint8_t *meta = room(r->meta_len), *stored = room(r->stored_len), *body = stored;
	uLongf n = r->raw_len;

	get(meta, r->meta_len);
	get(stored, r->stored_len);
	if (r->flags & CAPTURE_ZLIB) {
		body = room(n);
		if (uncompress(body, &n, stored, r->stored_len) != Z_OK || n != r->raw_len)
			abort();
		free(stored);
	}
	r->flags &= ~CAPTURE_ZLIB;
	r->stored_len = r->raw_len;
	r->crc = 0;
	r->crc = crc32(crc32(crc32(0, (void *)r, sizeof(*r)), meta, r->meta_len), body, r->raw_len);
	put(r, sizeof(*r));
	put(meta, r->meta_len);
	put(body, r->raw_len);
	free(meta);
	free(body);
}

int main(void)
{
	struct capture_header h;
	struct capture_record r = { 0 };

	get(&h, sizeof(h));
	put(&h, sizeof(h));
	while (r.type != CAPTURE_END) {
		get(&r, sizeof(r));
		copy(&r);
	}
	return fflush(stdout) != 0;
}
