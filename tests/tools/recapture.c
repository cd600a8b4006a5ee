/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * recapture [-0|-x] <CAPTURE >COPY: the same capture without what names the machine it was taken
 * on: of the kernel's release what follows its public version, the boot id, mounts that no reader
 * asks for. With -0 bodies are not compressed: what then compresses the whole file finds that the
 * readings of one page are nearly the same, and those of another program, too. With -x it is no
 * capture, but what a reader sees of one: all metadata and bodies, words put together again.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "rsscope/capture.h"

struct body {
	uint8_t *p; /* NUL-terminated */
	size_t n;
};

static void get(void *buf, size_t n)
{
	if (n && fread(buf, n, 1, stdin) != 1) {
		fprintf(stderr, "recapture: the capture ends early\n");
		exit(1);
	}
}

static void put(const void *buf, size_t n)
{
	if (n && fwrite(buf, n, 1, stdout) != 1) {
		perror("recapture: writing");
		exit(1);
	}
}

static void *room(size_t n)
{
	void *p = calloc(1, n + 1);

	if (!p)
		abort();
	return p;
}

/* "6.1.2-local-3\nx86_64\n" → "6.1.2\nx86_64\n" */
static void neutral_uname(struct body *b)
{
	char *s = (char *)b->p;
	size_t keep = strspn(s, "0123456789."), line = strcspn(s, "\n");

	memmove(s + keep, s + line, b->n - line + 1);
	b->n -= line - keep;
}

static void neutral_boot_id(struct body *b)
{
	for (size_t i = 0; i < b->n; i++)
		b->p[i] = b->p[i] == '-' || b->p[i] == '\n' ? b->p[i] : '0';
}

/* Readers ask for control groups, and for the devices of tmpfs. */
static void neutral_mounts(struct body *b)
{
	uint8_t *copy = room(b->n), *line = b->p;
	size_t n = 0, len;

	for (; *line; line += len) {
		char *end = strchr((char *)line, '\n'), *type;

		len = end ? (size_t)(end - (char *)line) + 1 : strlen((char *)line);
		type = memmem(line, len, " - ", 3);
		if (!type || (strncmp(type, " - cgroup", 9) && strncmp(type, " - tmpfs ", 9)))
			continue;
		memcpy(copy + n, line, len);
		n += len;
	}
	free(b->p);
	b->p = copy;
	b->n = n;
}

typedef void (*neutral_fn)(struct body *b);

/* For the texts that name a machine. */
static neutral_fn neutral_for(const struct capture_record *r, const uint8_t *meta)
{
	static const struct {
		const char *key;
		neutral_fn fn;
	} texts[] = {
		{ "host/uname", neutral_uname },
		{ "host/boot_id", neutral_boot_id },
		{ "host/mountinfo", neutral_mounts },
		{ "proc/mountinfo", neutral_mounts },
	};
	const char *key = (const char *)meta + sizeof(struct capture_text);

	if (r->type != CAPTURE_TEXT || !r->raw_len)
		return NULL;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (!strcmp(key, texts[i].key))
			return texts[i].fn;
	return NULL;
}

static void inflate_body(struct capture_record *r, struct body *b)
{
	uLongf n = r->raw_len;
	uint8_t *p;

	if (!(r->flags & CAPTURE_ZLIB))
		return;
	p = room(n);
	if (uncompress(p, &n, b->p, b->n) != Z_OK || n != r->raw_len)
		abort();
	free(b->p);
	*b = (struct body){ p, n };
	r->flags &= ~CAPTURE_ZLIB;
}

/* See rsscope/capture.h, bodies in planes. */
static void join_planes(struct body *b)
{
	uint8_t *words = room(b->n);
	size_t n = b->n / 8;

	memcpy(words, b->p, b->n);
	for (size_t i = 0; i < n * 8; i++)
		words[i] = b->p[i % 8 * n + i / 8];
	free(b->p);
	b->p = words;
}

static void show(struct capture_record *r)
{
	uint8_t *meta = room(r->meta_len);
	struct body b = { room(r->stored_len), r->stored_len };

	get(meta, r->meta_len);
	get(b.p, b.n);
	inflate_body(r, &b);
	if (r->type == CAPTURE_WORDS)
		join_planes(&b);
	put(meta, r->meta_len);
	put(b.p, b.n);
	free(meta);
	free(b.p);
}

static void copy(struct capture_record *r, bool flat)
{
	uint8_t *meta = room(r->meta_len);
	struct body b = { room(r->stored_len), r->stored_len };
	neutral_fn change;

	get(meta, r->meta_len);
	get(b.p, b.n);
	change = neutral_for(r, meta);
	if (flat || change)
		inflate_body(r, &b);
	if (change) {
		change(&b);
		r->raw_len = b.n;
	}
	r->stored_len = b.n;
	r->crc = 0;
	r->crc = crc32(crc32(crc32(0, (void *)r, sizeof(*r)), meta, r->meta_len), b.p, b.n);
	put(r, sizeof(*r));
	put(meta, r->meta_len);
	put(b.p, b.n);
	free(meta);
	free(b.p);
}

int main(int argc, char **argv)
{
	bool flat = argc > 1 && !strcmp(argv[1], "-0"), shown = argc > 1 && !strcmp(argv[1], "-x");
	struct capture_header h;
	struct capture_record r = { 0 };

	get(&h, sizeof(h));
	put(&h, sizeof(h));
	while (r.type != CAPTURE_END) {
		get(&r, sizeof(r));
		if (shown)
			show(&r);
		else
			copy(&r, flat);
	}
	return fflush(stdout) != 0;
}
