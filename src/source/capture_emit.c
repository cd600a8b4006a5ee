/* SPDX-License-Identifier: BSD-2-Clause */
/* The records of a capture, in order, compressed and checked. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/text.h"
#include "source/capture_impl.h"
#include "rsscope/capture.h"

enum {
	BODY = 256 << 10, /* of a memory record: a replay inflates a whole one for one byte */
	EXTENTS_MAX = 16384,
	RANGES_MAX = BODY / sizeof(struct capture_range),
	COMPRESS_MIN = 64,
	ZLIB_LEVEL = 4, /* of tables of structures no larger than by 6, at half the time */
};

_Static_assert((int)CAPTURE_ABSENT == (int)HOLE_ABSENT &&
		       (int)CAPTURE_UNMAPPED == (int)HOLE_UNMAPPED &&
		       (int)CAPTURE_FAILED == (int)HOLE_FAILED,
	       "states are stored as they are");
_Static_assert(PAGE_PRESENT == 1 && PAGE_SWAPPED == 2 && PAGE_FILE == 4 && PAGE_HUGE == 8 &&
		       PAGE_ZERO == 16,
	       "page flags are stored as they are");
_Static_assert(PASS_DISCOVER == 0 && PASS_AGAIN == 4 && PASS_COUNT == 5, "passes are stored, too");

struct emit {
	struct capture_writer *w;
	int fd;
	FILE *f;
	struct capture_end end;
	uint8_t *raw, *packed; /* CAPTURE_TEXT_BODY_MAX at most; grown by need */
	uint8_t *words;	       /* what is to become planes */
	size_t raw_cap, packed_cap, words_cap;
};

static int grow(uint8_t **p, size_t *cap, size_t want)
{
	uint8_t *q;

	if (want <= *cap)
		return 0;
	q = realloc(*p, want);
	if (!q)
		return -ENOMEM;
	*p = q;
	*cap = want;
	return 0;
}

static int put(struct emit *m, const void *p, size_t len)
{
	errno = 0;
	return len && fwrite(p, 1, len, m->f) != len ? -(errno ? errno : EIO) : 0;
}

/* Compresses m->raw[0, len) into m->packed when that saves something. Its length, or 0. */
static size_t pack(struct emit *m, size_t len)
{
	uLongf n = compressBound(len);

	if (len < COMPRESS_MIN || grow(&m->packed, &m->packed_cap, n) ||
	    compress2(m->packed, &n, m->raw, len, ZLIB_LEVEL) != Z_OK || n >= len)
		return 0;
	return n;
}

/* One record: metadata in up to two parts, and m->raw[0, len) as the body. */
static int put_record(struct emit *m, enum capture_type type, const void *meta, size_t meta_len,
		      const void *more, size_t more_len, size_t len)
{
	size_t packed = pack(m, len);
	struct capture_record r = { .type = type,
				    .flags = packed ? CAPTURE_ZLIB : 0,
				    .meta_len = meta_len + more_len,
				    .stored_len = packed ? packed : len,
				    .raw_len = len };
	const uint8_t *body = packed ? m->packed : m->raw;
	uLong crc = crc32_z(0, (const void *)&r, sizeof(r));
	int rc;

	/* crc32 starts anew on NULL */
	crc = crc32_z(crc, meta, meta_len);
	if (more_len)
		crc = crc32_z(crc, more, more_len);
	if (r.stored_len)
		crc = crc32_z(crc, body, r.stored_len);
	r.crc = crc;
	if (type != CAPTURE_END)
		m->end.count[type < CAPTURE_TYPES ? type : 0]++;
	rc = put(m, &r, sizeof(r));
	if (!rc)
		rc = put(m, meta, meta_len);
	if (!rc)
		rc = put(m, more, more_len);
	return rc ? rc : put(m, body, r.stored_len);
}

static int load(struct emit *m, size_t at, uint64_t off, size_t len)
{
	int rc = grow(&m->raw, &m->raw_cap, at + len);

	return rc ? rc : writer_read(m->w, off, m->raw + at, len);
}

static int put_header(struct emit *m)
{
	struct capture_header h = { .magic = CAPTURE_MAGIC,
				    .version = CAPTURE_VERSION,
				    .header_size = sizeof(h),
				    .page_size = m->w->page_size,
				    .pid = m->w->pid };

	h.crc = crc32_z(0, (const void *)&h, offsetof(struct capture_header, crc));
	return put(m, &h, sizeof(h));
}

static int put_texts(struct emit *m)
{
	int rc = 0;

	for (size_t i = 0; i < m->w->texts.n && !rc; i++) {
		const struct rec_text *t = &m->w->texts.v[i];
		struct capture_text c = { .seq = t->seq,
					  .error = -t->rc,
					  .key_len = strlen(t->key) };

		if (t->raw.len > CAPTURE_TEXT_BODY_MAX || c.key_len > CAPTURE_NAME_MAX)
			return -EFBIG;
		rc = load(m, 0, t->raw.off, t->raw.len);
		if (!rc)
			rc = put_record(m, CAPTURE_TEXT, &c, sizeof(c), t->key, c.key_len,
					t->raw.len);
	}
	return rc;
}

static int put_notes(struct emit *m)
{
	int rc = 0;

	for (size_t i = 0; i < m->w->notes.n && !rc; i++) {
		const struct memsrc_noted *n = &m->w->notes.v[i];
		struct capture_note c = { .value = n->value, .name_len = strlen(n->name) };

		if (c.name_len > CAPTURE_NAME_MAX)
			return -EFBIG;
		rc = put_record(m, CAPTURE_NOTE, &c, sizeof(c), n->name, c.name_len, 0);
	}
	return rc;
}

/* One part of an answer: n ranges, from number `first` on. */
static int put_pages_part(struct emit *m, const struct rec_pages *p, uint64_t start, size_t first,
			  size_t n, bool last)
{
	struct capture_pages c = { .seq = p->seq,
				   .error = -p->rc,
				   .req_start = p->start,
				   .req_end = p->end,
				   .start = start,
				   .end = p->end };
	_free_ struct range *r = malloc((n + 1) * sizeof(*r));
	int rc =
		r ? writer_read(m->w, p->raw.off + first * sizeof(*r), r, n * sizeof(*r)) : -ENOMEM;

	if (!rc)
		rc = grow(&m->raw, &m->raw_cap, (n + 1) * sizeof(struct capture_range));
	if (rc)
		return rc;
	for (size_t i = 0; i < n; i++)
		((struct capture_range *)m->raw)[i] =
			(struct capture_range){ r[i].start, r[i].end, r[i].flags, 0 };
	if (!last)
		c.end = r[n - 1].end;
	return put_record(m, CAPTURE_PAGES, &c, sizeof(c), NULL, 0,
			  n * sizeof(struct capture_range));
}

static int put_pages(struct emit *m, const struct rec_pages *p)
{
	size_t n = p->raw.len / sizeof(struct range), first = 0;
	uint64_t start = p->start;
	int rc = 0;

	while (!rc) {
		size_t take = n - first < RANGES_MAX ? n - first : RANGES_MAX;
		struct range end;

		rc = put_pages_part(m, p, start, first, take, first + take == n);
		first += take;
		if (rc || first == n)
			break;
		rc = writer_read(m->w, p->raw.off + (first - 1) * sizeof(end), &end, sizeof(end));
		start = end.end;
	}
	return rc;
}

/* ---- memory */

/* A memory record being put together. */
struct block {
	uint32_t pass, epoch;
	size_t body;
	VEC(struct capture_extent) x;
};

static int block_flush(struct emit *m, struct block *b)
{
	struct capture_memory c = { .pass = b->pass, .epoch = b->epoch, .count = b->x.n };
	int rc = 0;

	if (b->x.n)
		rc = put_record(m, CAPTURE_MEMORY, &c, sizeof(c), b->x.v, b->x.n * sizeof(*b->x.v),
				b->body);
	b->x.n = b->body = 0;
	return rc;
}

/* Adds [addr, addr + len) of one state, from the raw file at off. */
static int block_add(struct emit *m, struct block *b, uint64_t addr, uint64_t len,
		     unsigned int state, uint64_t off)
{
	struct capture_extent *last = b->x.n ? &b->x.v[b->x.n - 1] : NULL;
	int rc = 0;

	if (!state) {
		rc = load(m, b->body, off, len);
		b->body += len;
	}
	if (rc)
		return rc;
	if (last && last->state == state && last->addr + last->len == addr) {
		last->len += len;
		return 0;
	}
	return vec_push(&b->x, (struct capture_extent){ addr, len, state, 0 });
}

static int put_stream(struct emit *m, const struct rec_stream *s)
{
	struct block b = { .pass = s->pass, .epoch = s->epoch };
	struct extents_pos p = { 0 };
	int rc = 0;

	for (const struct extent *e; !rc && (e = extents_at(&s->x, p));
	     p = extents_next(&s->x, p)) {
		uint64_t at = e->start;

		while (at < e->end && !rc) {
			uint64_t n = e->end - at;

			if (b.x.n >= EXTENTS_MAX || b.body >= BODY)
				rc = block_flush(m, &b);
			if (!e->state && n > BODY - b.body)
				n = BODY - b.body;
			if (!rc)
				rc = block_add(m, &b, at, n, e->state, e->where + (at - e->start));
			at += n;
		}
	}
	if (!rc)
		rc = block_flush(m, &b);
	vec_free(&b.x);
	return rc;
}

/* ---- many small parts */

/* A record of steps being put together: its metadata, of which count and start are filled in. */
struct steps {
	enum capture_type type;
	void *meta;
	size_t meta_len;
	uint32_t *count;
	uint64_t *start;
	uint64_t end; /* of the last step */
	size_t body;
	VEC(struct capture_step) v;
};

static int make_planes(struct emit *m, size_t n)
{
	int rc = grow(&m->words, &m->words_cap, n);

	if (!rc) {
		memcpy(m->words, m->raw, n);
		words_to_planes(m->words, n, m->raw);
	}
	return rc;
}

static int steps_flush(struct emit *m, struct steps *s)
{
	size_t len = s->v.n * sizeof(*s->v.v);
	int rc = s->v.n ? grow(&m->raw, &m->raw_cap, s->body + len) : 0;

	if (!rc && s->v.n) {
		memcpy(m->raw + s->body, s->v.v, len);
		*s->count = s->v.n;
		if (s->type == CAPTURE_WORDS)
			rc = make_planes(m, s->body + len);
	}
	if (!rc && s->v.n)
		rc = put_record(m, s->type, s->meta, s->meta_len, NULL, 0, s->body + len);
	s->v.n = s->body = 0;
	return rc;
}

/* At most BODY bytes, of one state, from the raw file at off. */
static int steps_add(struct emit *m, struct steps *s, const struct extent *e)
{
	uint64_t len = e->end - e->start;
	int rc = 0;

	if (s->v.n && (s->v.n >= EXTENTS_MAX || e->start - s->end > UINT32_MAX ||
		       (!e->state && s->body + len > BODY)))
		rc = steps_flush(m, s);
	if (!s->v.n)
		*s->start = s->end = e->start;
	if (!rc && !e->state) {
		rc = load(m, s->body, e->where, len);
		s->body += len;
	}
	if (!rc)
		rc = vec_push(&s->v, (struct capture_step){ e->start - s->end,
							    (uint32_t)len << 2 | e->state });
	s->end = e->end;
	return rc;
}

/* The part of e from its start on of which x has the same copy: up to where. 0: none. */
static uint64_t same_until(const struct extents *x, const struct extent *e)
{
	const struct extent *o = x ? extents_at(x, extents_lower(x, e->start)) : NULL;

	if (!o || o->start > e->start || e->state || o->state ||
	    o->where + (e->start - o->start) != e->where)
		return 0;
	return o->end < e->end ? o->end : e->end;
}

/* Up to the next extent of x: whether that has the same copy is asked for there. */
static uint64_t next_start(const struct extents *x, const struct extent *e)
{
	struct extents_pos p = extents_lower(x, e->start);
	const struct extent *o = extents_at(x, p);

	if (o && o->start <= e->start)
		o = extents_at(x, extents_next(x, p));
	return o && o->start < e->end ? o->start : e->end;
}

/* The steps of x, without what `before` (may be NULL) has the same copy of. */
static int put_steps(struct emit *m, struct steps *s, const struct extents *x,
		     const struct extents *before)
{
	struct extents_pos p = { 0 };
	int rc = 0;

	for (const struct extent *e; !rc && (e = extents_at(x, p)); p = extents_next(x, p))
		for (struct extent part = *e; part.start < e->end && !rc; part.start = part.end) {
			uint64_t known;

			part.end = e->end - part.start < BODY ? e->end : part.start + BODY;
			part.where = e->state ? 0 : e->where + (part.start - e->start);
			known = same_until(before, &part);
			if (known) {
				part.end = known;
				continue;
			}
			if (before)
				part.end = next_start(before, &part);
			rc = steps_add(m, s, &part);
		}
	if (!rc)
		rc = steps_flush(m, s);
	vec_free(&s->v);
	return rc;
}

/* before: the stream of the epoch before, where that is of words; or NULL. */
static int put_words(struct emit *m, const struct rec_stream *s, const struct rec_stream *before)
{
	struct capture_words c = { .pass = s->pass, .epoch = s->epoch };
	struct steps k = { CAPTURE_WORDS, &c, sizeof(c), &c.count, &c.start, 0, 0, { 0 } };

	return put_steps(m, &k, &s->x, before ? &before->x : NULL);
}

static int put_memory(struct emit *m, size_t i)
{
	const struct rec_stream *s = &m->w->streams.v[i], *before = i ? s - 1 : NULL;

	if (!s->words)
		return put_stream(m, s);
	if (before && (!before->words || before->pass != s->pass || before->epoch + 1 != s->epoch))
		before = NULL;
	return put_words(m, s, before);
}

static int put_scraps(struct emit *m, uint32_t id)
{
	struct capture_scraps c = { .file = id };
	struct steps k = { CAPTURE_SCRAPS, &c, sizeof(c), &c.count, &c.start, 0, 0, { 0 } };

	return put_steps(m, &k, &m->w->files.v[id].scraps, NULL);
}

/* ---- files */

static int put_pieces(struct emit *m, uint32_t id)
{
	const struct extents *x = &m->w->files.v[id].pieces;
	struct extents_pos p = { 0 };
	int rc = 0;

	for (const struct extent *e; !rc && (e = extents_at(x, p)); p = extents_next(x, p))
		for (uint64_t at = e->start; at < e->end && !rc;) {
			uint64_t n = e->end - at < BODY ? e->end - at : BODY;
			struct capture_piece c = { .file = id, .off = at };

			rc = load(m, 0, e->where + (at - e->start), n);
			if (!rc)
				rc = put_record(m, CAPTURE_PIECE, &c, sizeof(c), NULL, 0, n);
			at += n;
		}
	return rc;
}

static int put_files(struct emit *m)
{
	struct capture_writer *w = m->w;
	int rc = 0;

	for (size_t i = 0; i < w->files.n && !rc; i++) {
		struct capture_file c = { .size = w->files.v[i].size,
					  .id = i,
					  .path_len = strlen(w->files.v[i].path) };

		if (c.path_len > CAPTURE_NAME_MAX)
			return -EFBIG;
		rc = put_record(m, CAPTURE_FILE, &c, sizeof(c), w->files.v[i].path, c.path_len, 0);
		if (!rc)
			rc = put_pieces(m, i);
		if (!rc)
			rc = put_scraps(m, i);
	}
	for (size_t i = 0; i < w->opens.n && !rc; i++) {
		const struct rec_open *o = &w->opens.v[i];
		struct capture_open c = { o->file, -o->rc, o->start, o->end };

		rc = put_record(m, CAPTURE_OPEN, &c, sizeof(c), NULL, 0, 0);
	}
	return rc;
}

static int put_all(struct emit *m)
{
	struct capture_writer *w = m->w;
	int rc = put_header(m);

	if (!rc)
		rc = put_texts(m);
	if (!rc)
		rc = put_notes(m);
	for (size_t i = 0; i < w->pages.n && !rc; i++)
		rc = put_pages(m, &w->pages.v[i]);
	for (size_t i = 0; i < w->streams.n && !rc; i++)
		rc = put_memory(m, i);
	if (!rc)
		rc = put_files(m);
	if (!rc)
		rc = put_record(m, CAPTURE_END, &m->end, sizeof(m->end), NULL, 0, 0);
	if (!rc && fflush(m->f))
		rc = -errno;
	if (!rc && fsync(fileno(m->f)))
		rc = -errno;
	return rc;
}

int capture_emit(struct capture_writer *w, int fd)
{
	struct emit m = { .w = w };
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0), rc;

	if (copy < 0)
		return -errno;
	m.f = fdopen(copy, "w");
	if (!m.f) {
		close(copy);
		return -ENOMEM;
	}
	rc = put_all(&m);
	if (fclose(m.f) && !rc)
		rc = -errno;
	free(m.raw);
	free(m.packed);
	free(m.words);
	return rc;
}
