/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading and checking a capture file: one pass over the records, no trust in any of them. */
#include "source/capture_record.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/file.h"
#include "base/text.h"
#include "source/capture_impl.h"

enum {
	CHUNK = 64 << 10,
	DEFLATE_RATIO = 1032, /* zlib's best: more cannot come out */
};

/* What files may inflate to in memory, all together; and page maps. */
#define PIECES_MAX (1ULL << 30)
#define PAGES_MAX  (1ULL << 30)

int record_bad(const struct record *k, const char *fmt, ...)
{
	char why[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	return err_set(k->e, -EINVAL,
		       "%s: at byte %llu: %s; the file is damaged or truncated: capture the "
		       "process again",
		       k->c->path, (unsigned long long)k->off, why);
}

static int read_body(const struct capture *c, const struct cap_body *b, void *buf)
{
	_free_ uint8_t *stored = NULL;
	uLongf n = b->raw_len;
	int rc;

	if (!b->packed)
		return file_read_at(c->fd, b->off, buf, b->raw_len);
	stored = malloc(b->stored_len + 1);
	rc = stored ? file_read_at(c->fd, b->off, stored, b->stored_len) : -ENOMEM;
	if (rc)
		return rc;
	return uncompress(buf, &n, stored, b->stored_len) == Z_OK && n == b->raw_len ? 0 : -EINVAL;
}

int capture_body(const struct capture *c, const struct cap_body *b, void *buf)
{
	_free_ uint8_t *planes = NULL;
	int rc;

	if (!b->planes)
		return read_body(c, b, buf);
	planes = malloc(b->raw_len + 1);
	rc = planes ? read_body(c, b, planes) : -ENOMEM;
	if (!rc)
		planes_to_words(planes, b->raw_len, buf);
	return rc;
}

/* ---- records by type */

bool record_meta_is(const struct record *k, size_t fixed, uint64_t tail)
{
	return k->r.meta_len >= fixed && k->r.meta_len - fixed == tail;
}

/* A copy of the name of n bytes that ends the metadata; NULL when it is no name. */
static char *take_name(const struct record *k, uint32_t n)
{
	const char *p = (const char *)k->meta + k->r.meta_len - n;

	if (!n || n > CAPTURE_NAME_MAX || memchr(p, 0, n))
		return NULL;
	return strndup(p, n);
}

static int add_text(struct record *k)
{
	struct cap_text t = { .body = k->body };
	struct capture_text c;

	memcpy(&c, k->meta, sizeof(c));
	if (!record_meta_is(k, sizeof(c), c.key_len) || c.error > 4095 ||
	    (c.error && k->body.raw_len))
		return record_bad(k, "bad text record");
	t.key = take_name(k, c.key_len);
	if (!t.key)
		return record_bad(k, "text without a proper key");
	t.seq = c.seq;
	t.rc = -(int)c.error;
	if (vec_push(&k->c->texts, t)) {
		free(t.key);
		return -ENOMEM;
	}
	return 0;
}

static int add_note(struct record *k)
{
	struct memsrc_noted n = { 0 };
	struct capture_note c;

	memcpy(&c, k->meta, sizeof(c));
	if (!record_meta_is(k, sizeof(c), c.name_len) || k->body.raw_len)
		return record_bad(k, "bad note record");
	n.name = take_name(k, c.name_len);
	n.value = c.value;
	if (!n.name)
		return record_bad(k, "note without a proper name");
	if (vec_push(&k->c->notes, n)) {
		free(n.name);
		return -ENOMEM;
	}
	return 0;
}

static int add_pages(struct record *k)
{
	struct cap_pages p = { .body = k->body };

	memcpy(&p.c, k->meta, sizeof(p.c));
	if (!record_meta_is(k, sizeof(p.c), 0) || p.c.error > 4095 ||
	    (p.c.error && k->body.raw_len) || k->body.raw_len % sizeof(struct capture_range) ||
	    p.c.start < p.c.req_start || p.c.end < p.c.start || p.c.req_end < p.c.end)
		return record_bad(k, "bad page map record");
	k->pages += k->body.raw_len;
	if (k->pages > PAGES_MAX)
		return record_bad(k, "page maps of more than 1 GiB");
	return vec_push(&k->c->pages, p);
}

int record_stream(struct record *k, uint32_t pass, uint32_t epoch, bool words,
		  struct cap_stream **out)
{
	struct capture *c = k->c;
	struct cap_stream *last = c->streams.n ? &c->streams.v[c->streams.n - 1] : NULL;
	struct cap_stream s = { .pass = pass, .epoch = epoch };
	int rc = 0;

	if (!last || last->pass != pass || last->epoch != epoch) {
		if (pass >= PASS_COUNT || epoch > CAPTURE_EPOCH_MAX ||
		    (!words && k->streams++ == CAPTURE_STREAMS_MAX) ||
		    (last && (last->pass > pass || (last->pass == pass && last->epoch > epoch))))
			return record_bad(k, "memory of pass %u, epoch %u is out of order", pass,
					  epoch);
		rc = vec_push(&c->streams, s);
	}
	if (!rc)
		*out = &c->streams.v[c->streams.n - 1];
	return rc;
}

static int add_memory(struct record *k)
{
	struct capture *c = k->c;
	struct capture_memory m;
	struct cap_stream *s;
	uint64_t off = 0, end;
	int rc = 0;

	memcpy(&m, k->meta, sizeof(m));
	if (!record_meta_is(k, sizeof(m), m.count * (uint64_t)sizeof(struct capture_extent)))
		return record_bad(k, "bad memory record");
	rc = record_stream(k, m.pass, m.epoch, false, &s);
	if (rc)
		return rc;
	end = s->x.n ? s->x.v[s->x.n - 1].end : 0;
	for (uint32_t i = 0; i < m.count && !rc; i++) {
		struct capture_extent x;

		memcpy(&x, k->meta + sizeof(m) + i * sizeof(x), sizeof(x));
		if (x.addr < end || !x.len || x.addr + x.len < x.addr || x.state > CAPTURE_FAILED ||
		    (!x.state && x.len > k->body.raw_len - off))
			return record_bad(k, "bad extent %u of memory", i);
		end = x.addr + x.len;
		rc = vec_push(&s->x, (struct cap_extent){ .start = x.addr,
							  .end = end,
							  .block = c->blocks.n,
							  .off = off,
							  .state = x.state });
		if (!x.state)
			off += x.len;
	}
	if (!rc && off != k->body.raw_len)
		return record_bad(k, "memory record with bytes of no extent");
	return rc ? rc : vec_push(&c->blocks, k->body);
}

static int add_file(struct record *k)
{
	struct cap_file f = { .fd = -1 };
	struct capture_file c;

	memcpy(&c, k->meta, sizeof(c));
	if (!record_meta_is(k, sizeof(c), c.path_len) || k->body.raw_len || c.size > INT64_MAX ||
	    c.id != k->c->files.n)
		return record_bad(k, "bad file record");
	f.size = c.size;
	f.path = take_name(k, c.path_len);
	if (!f.path)
		return record_bad(k, "file without a proper path");
	if (vec_push(&k->c->files, f)) {
		free(f.path);
		return -ENOMEM;
	}
	return 0;
}

static int add_open(struct record *k)
{
	struct capture_open o;

	memcpy(&o, k->meta, sizeof(o));
	if (!record_meta_is(k, sizeof(o), 0) || k->body.raw_len || o.file >= k->c->files.n ||
	    o.error > 4095)
		return record_bad(k, "bad open record");
	return vec_push(&k->c->opens, o);
}

int record_count_piece(struct record *k, uint64_t len)
{
	k->pieces += len;
	return k->pieces > PIECES_MAX ? record_bad(k, "pieces of files of more than 1 GiB") : 0;
}

static int add_piece(struct record *k)
{
	struct capture_piece p;
	struct cap_file *f;
	int rc;

	memcpy(&p, k->meta, sizeof(p));
	if (!record_meta_is(k, sizeof(p), 0) || p.file >= k->c->files.n)
		return record_bad(k, "bad piece of a file");
	f = &k->c->files.v[p.file];
	if (p.off > f->size || k->body.raw_len > f->size - p.off)
		return record_bad(k, "piece beyond the end of its file");
	rc = record_count_piece(k, k->body.raw_len);
	return rc ? rc
		  : vec_push(&f->pieces, (struct cap_piece){ p.off, 0, k->body.raw_len, k->body });
}

static int check_end(struct record *k)
{
	struct capture_end end;

	memcpy(&end, k->meta, sizeof(end));
	if (!record_meta_is(k, sizeof(end), 0) || k->body.raw_len)
		return record_bad(k, "bad end record");
	if (memcmp(end.count, k->count, sizeof(end.count)))
		return record_bad(k, "records are missing or duplicated");
	if (k->off + sizeof(k->r) + k->r.meta_len != k->c->size)
		return record_bad(k, "data after the end record");
	return 0;
}

struct record_type {
	size_t fixed; /* metadata at least */
	int (*add)(struct record *k);
};

static const struct record_type by_type[CAPTURE_TYPES] = {
	[CAPTURE_TEXT] = { sizeof(struct capture_text), add_text },
	[CAPTURE_NOTE] = { sizeof(struct capture_note), add_note },
	[CAPTURE_PAGES] = { sizeof(struct capture_pages), add_pages },
	[CAPTURE_MEMORY] = { sizeof(struct capture_memory), add_memory },
	[CAPTURE_FILE] = { sizeof(struct capture_file), add_file },
	[CAPTURE_OPEN] = { sizeof(struct capture_open), add_open },
	[CAPTURE_PIECE] = { sizeof(struct capture_piece), add_piece },
	[CAPTURE_END] = { sizeof(struct capture_end), check_end },
};

/* The same of those that a reader need not know. */
static const struct {
	uint32_t type;
	struct record_type by;
} optional[] = {
	{ CAPTURE_WORDS, { sizeof(struct capture_words), record_add_words } },
	{ CAPTURE_SCRAPS, { sizeof(struct capture_scraps), record_add_scraps } },
};

/* NULL: not known. */
static const struct record_type *type_of(uint32_t type)
{
	for (size_t i = 0; i < ARRAY_LEN(optional); i++)
		if (optional[i].type == type)
			return &optional[i].by;
	return type > 0 && type < CAPTURE_TYPES ? &by_type[type] : NULL;
}

/* ---- the file */

/* The record's header is plausible and the record lies within the file. */
static int check_record(const struct record *k)
{
	const struct capture_record *r = &k->r;
	uint64_t left = k->c->size - k->off - sizeof(*r);
	uint64_t most = r->type == CAPTURE_TEXT ? CAPTURE_TEXT_BODY_MAX : CAPTURE_BODY_MAX;
	const struct record_type *known = type_of(r->type);

	if (!known && !(r->type & CAPTURE_OPTIONAL))
		return record_bad(k, "unknown record type %u", r->type);
	if (r->flags & ~CAPTURE_ZLIB || r->meta_len > CAPTURE_META_MAX || r->meta_len > left ||
	    r->stored_len > left - r->meta_len)
		return record_bad(k, "record size out of range");
	if (known && r->meta_len < known->fixed)
		return record_bad(k, "record too short for its type");
	if (r->flags & CAPTURE_ZLIB ? r->raw_len / DEFLATE_RATIO > r->stored_len
				    : r->raw_len != r->stored_len)
		return record_bad(k, "body size out of range");
	if (known && r->raw_len > most)
		return record_bad(k, "a body of %llu bytes", (unsigned long long)r->raw_len);
	return 0;
}

static int check_crc(struct record *k, uint8_t *chunk)
{
	struct capture_record zeroed = k->r;
	uint64_t left = k->r.stored_len, off = k->body.off;
	uLong crc;

	zeroed.crc = 0;
	crc = crc32_z(0, (const void *)&zeroed, sizeof(zeroed));
	crc = crc32_z(crc, k->meta, k->r.meta_len);
	while (left) {
		size_t n = left < CHUNK ? left : CHUNK;
		int rc = file_read_at(k->c->fd, off, chunk, n);

		if (rc)
			return rc;
		crc = crc32_z(crc, chunk, n);
		off += n;
		left -= n;
	}
	return crc == k->r.crc ? 0 : record_bad(k, "wrong checksum");
}

static int read_record(struct record *k, uint8_t *chunk)
{
	const struct record_type *known;
	struct capture *c = k->c;
	int rc;

	if (c->size - k->off < sizeof(k->r))
		return record_bad(k, "the file ends without its end record");
	rc = file_read_at(c->fd, k->off, &k->r, sizeof(k->r));
	if (!rc)
		rc = check_record(k);
	if (!rc)
		rc = file_read_at(c->fd, k->off + sizeof(k->r), k->meta, k->r.meta_len);
	if (rc)
		return rc;
	k->body = (struct cap_body){ .off = k->off + sizeof(k->r) + k->r.meta_len,
				     .stored_len = k->r.stored_len,
				     .raw_len = k->r.raw_len,
				     .packed = k->r.flags & CAPTURE_ZLIB,
				     .planes = k->r.type == CAPTURE_WORDS };
	rc = check_crc(k, chunk);
	if (rc)
		return rc;
	known = type_of(k->r.type);
	rc = known ? known->add(k) : 0;
	k->count[k->r.type < CAPTURE_TYPES ? k->r.type : 0]++;
	return rc;
}

static int read_header(struct record *k)
{
	struct capture *c = k->c;
	struct capture_header h;
	int rc;

	if (c->size < sizeof(h))
		return record_bad(k, "the file ends within its header");
	rc = file_read_at(c->fd, 0, &h, sizeof(h));
	if (rc)
		return rc;
	if (memcmp(h.magic, CAPTURE_MAGIC, sizeof(h.magic)))
		return record_bad(k, "not a capture");
	if (h.version != CAPTURE_VERSION)
		return err_set(k->e, -EINVAL,
			       "%s is a capture of format %u; this rsscope reads format %u: use "
			       "the rsscope that took it",
			       c->path, h.version, CAPTURE_VERSION);
	if (crc32_z(0, (const void *)&h, offsetof(struct capture_header, crc)) != h.crc)
		return record_bad(k, "wrong checksum of the header");
	if (h.header_size != sizeof(h) || h.pid <= 0 || h.page_size < 4096 || h.page_size > 65536 ||
	    (h.page_size & (h.page_size - 1)))
		return record_bad(k, "impossible header");
	c->m.pid = h.pid;
	c->m.page_size = h.page_size;
	k->off = sizeof(h);
	return 0;
}

int capture_text_order(const struct cap_text *a, const struct cap_text *b)
{
	int c = strcmp(a->key, b->key);

	return c ? c : a->seq < b->seq ? -1 : a->seq > b->seq;
}

static int text_order(const void *a, const void *b)
{
	return capture_text_order(a, b);
}

static int pages_order(const void *a, const void *b)
{
	const struct capture_pages *x = &((const struct cap_pages *)a)->c;
	const struct capture_pages *y = &((const struct cap_pages *)b)->c;

	if (x->seq != y->seq)
		return x->seq < y->seq ? -1 : 1;
	if (x->req_start != y->req_start)
		return x->req_start < y->req_start ? -1 : 1;
	if (x->req_end != y->req_end)
		return x->req_end < y->req_end ? -1 : 1;
	return x->start < y->start ? -1 : x->start > y->start;
}

static int read_all(struct record *k)
{
	_free_ uint8_t *chunk = malloc(CHUNK);
	struct capture *c = k->c;
	int rc;

	k->meta = calloc(1, CAPTURE_META_MAX + 1);
	if (!chunk || !k->meta)
		return -ENOMEM;
	rc = read_header(k);
	while (!rc) {
		rc = read_record(k, chunk);
		if (rc || k->r.type == CAPTURE_END)
			break;
		k->off += sizeof(k->r) + k->r.meta_len + k->r.stored_len;
	}
	if (rc)
		return rc;
	if (c->texts.n)
		qsort(c->texts.v, c->texts.n, sizeof(*c->texts.v), text_order);
	if (c->pages.n)
		qsort(c->pages.v, c->pages.n, sizeof(*c->pages.v), pages_order);
	for (size_t i = 0, pass = 0; pass <= PASS_COUNT; pass++) {
		while (i < c->streams.n && c->streams.v[i].pass < pass)
			i++;
		c->pass_first[pass] = i;
	}
	for (size_t i = 1; i < c->texts.n; i++)
		if (!text_order(&c->texts.v[i - 1], &c->texts.v[i]))
			return record_bad(k, "text %.80s is there twice", c->texts.v[i].key);
	return 0;
}

static void read_how(struct capture *c)
{
	_text_ struct text t = { 0 };

	snprintf(c->how, sizeof(c->how), "capture");
	if (!capture_ops.text(&c->m, CAPTURE_KEY_HOW, 0, &t) && t.n && t.n < sizeof(c->how))
		snprintf(c->how, sizeof(c->how), "%s", t.p);
}

void capture_close(struct memsrc *m)
{
	struct capture *c = (struct capture *)m;

	for (size_t i = 0; i < c->texts.n; i++)
		free(c->texts.v[i].key);
	for (size_t i = 0; i < c->notes.n; i++)
		free(c->notes.v[i].name);
	for (size_t i = 0; i < c->streams.n; i++)
		vec_free(&c->streams.v[i].x);
	for (size_t i = 0; i < c->files.n; i++) {
		free(c->files.v[i].path);
		vec_free(&c->files.v[i].pieces);
		close_fd(&c->files.v[i].fd);
	}
	for (size_t i = 0; i < CAP_CACHE; i++)
		free(c->cache[i].p);
	vec_free(&c->texts);
	vec_free(&c->notes);
	vec_free(&c->pages);
	vec_free(&c->blocks);
	vec_free(&c->streams);
	vec_free(&c->files);
	vec_free(&c->opens);
	close_fd(&c->fd);
	free(c->path);
	free(c);
}

int capture_open(const char *path, int fd, uint64_t size, struct memsrc **out, struct err *e)
{
	struct capture *c = calloc(1, sizeof(*c));
	struct record k = { .c = c, .e = e };
	int rc;

	if (!c) {
		close(fd);
		return -ENOMEM;
	}
	c->m.ops = &capture_ops;
	c->m.kind = MEMSRC_CAPTURE;
	c->fd = fd;
	c->size = size;
	c->path = strdup(path);
	rc = c->path ? read_all(&k) : -ENOMEM;
	free(k.meta);
	if (rc) {
		memsrc_close(&c->m);
		return rc;
	}
	read_how(c);
	*out = &c->m;
	return 0;
}
