/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writing captures. While the look runs, payload goes raw to an unnamed file, so that recording
 * costs the look little; the commit then writes the file in order, compressed and checked.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/file.h"
#include "base/text.h"
#include "source/capture_impl.h"
#include "rsscope/capture.h"

enum {
	RAW_BUF = 256 << 10,
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

int writer_failed(struct capture_writer *w, int rc)
{
	if (rc && !w->rc)
		w->rc = rc;
	return rc;
}

/* ---- the raw file */

static int raw_flush(struct capture_writer *w)
{
	int rc = file_write_all(w->raw, w->buf, w->buf_n);

	w->buf_n = 0;
	return writer_failed(w, rc);
}

int writer_append(struct capture_writer *w, const void *p, size_t len, uint64_t *off)
{
	int rc = w->rc;

	*off = w->raw_len;
	if (!rc && len > RAW_BUF - w->buf_n)
		rc = raw_flush(w);
	if (rc || !len)
		return rc;
	if (len > RAW_BUF) {
		rc = writer_failed(w, file_write_all(w->raw, p, len));
	} else {
		memcpy(w->buf + w->buf_n, p, len);
		w->buf_n += len;
	}
	if (!rc)
		w->raw_len += len;
	return rc;
}

int writer_read(struct capture_writer *w, uint64_t off, void *buf, size_t len)
{
	uint64_t written = w->raw_len - w->buf_n;
	uint8_t *p = buf;

	if (len && off < written) {
		size_t n = len < written - off ? len : written - off;
		int rc = file_read_at(w->raw, off, p, n);

		if (rc)
			return rc;
		off += n;
		p += n;
		len -= n;
	}
	if (!len)
		return 0;
	if (len > w->buf_n || off - written > w->buf_n - len)
		return -EIO;
	memcpy(p, w->buf + (off - written), len);
	return 0;
}

/* ---- create, abort */

/* A file without a name in the directory of path; where the file system can't, one that loses
 * its name at once. */
static int open_unnamed(const char *path)
{
	const char *slash = strrchr(path, '/');
	char name[4096];
	int n = slash ? (int)(slash - path) + 1 : 0, fd;

	if (snprintf(name, sizeof(name), "%.*s.", n, path) >= (int)sizeof(name))
		return -ENAMETOOLONG;
	fd = open(name, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0)
		return fd;
	if (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT)
		return -errno;
	if (snprintf(name, sizeof(name), "%s.XXXXXX", path) >= (int)sizeof(name))
		return -ENAMETOOLONG;
	fd = mkostemp(name, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	unlink(name);
	return fd;
}

void capture_abort(struct capture_writer *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < w->texts.n; i++)
		free(w->texts.v[i].key);
	for (size_t i = 0; i < w->streams.n; i++)
		extents_free(&w->streams.v[i].x);
	for (size_t i = 0; i < w->files.n; i++) {
		free(w->files.v[i].path);
		extents_free(&w->files.v[i].pieces);
	}
	for (size_t i = 0; i < w->notes.n; i++)
		free(w->notes.v[i].name);
	vec_free(&w->texts);
	vec_free(&w->pages);
	vec_free(&w->streams);
	vec_free(&w->files);
	vec_free(&w->opens);
	vec_free(&w->notes);
	close_fd(&w->raw);
	free(w->buf);
	free(w->path);
	free(w);
}

int capture_create(const char *path, struct capture_writer **out, struct err *e)
{
	struct capture_writer *w;
	struct stat st;

	if (!stat(path, &st) && !S_ISREG(st.st_mode))
		return err_set(e, -EINVAL,
			       "%s is not a regular file: refusing to replace it; choose another "
			       "path with -o",
			       path);
	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->raw = open_unnamed(path);
	w->path = strdup(path);
	w->buf = malloc(RAW_BUF);
	if (w->raw < 0 || !w->path || !w->buf) {
		int rc = w->raw < 0 ? w->raw : -ENOMEM;

		capture_abort(w);
		return err_set(e, rc, "cannot create %s: %s", path, strerror(-rc));
	}
	*out = w;
	return 0;
}

/* ---- commit */

struct emit {
	struct capture_writer *w;
	int fd;
	FILE *f;
	struct capture_end end;
	uint8_t *raw, *packed; /* CAPTURE_TEXT_BODY_MAX at most; grown by need */
	size_t raw_cap, packed_cap;
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
		m->end.count[type]++;
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
		rc = put_stream(m, &w->streams.v[i]);
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

static int emit(struct capture_writer *w, int fd)
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
	return rc;
}

/* Gives an unnamed file a name; false when that needs /proc, or a file system, that is not there.
 */
static bool link_unnamed(int fd, const char *name)
{
	char self[64];

	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	return !linkat(AT_FDCWD, self, AT_FDCWD, name, AT_SYMLINK_FOLLOW);
}

/* The file is complete before it has any name, where that can be had. */
static int emit_and_place(struct capture_writer *w)
{
	_close_ int fd = open_unnamed(w->path);
	_text_ struct text name = { 0 };
	int rc = fd < 0 ? fd : emit(w, fd);

	if (!rc)
		rc = text_printf(&name, "%s.%d.part", w->path, (int)getpid());
	if (rc)
		return rc;
	if (!link_unnamed(fd, name.p)) {
		close_fd(&fd);
		fd = open(name.p, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd < 0)
			return -errno;
		rc = emit(w, fd);
	}
	if (!rc && rename(name.p, w->path))
		rc = -errno;
	if (rc)
		unlink(name.p);
	return rc;
}

int capture_commit(struct capture_writer *w, struct err *e)
{
	int rc = w->rc;

	if (!rc && w->pid)
		rc = emit_and_place(w);
	if (rc)
		err_set(e, rc, "cannot write %s: %s", w->path, strerror(-rc));
	else if (!w->pid)
		rc = err_set(e, -EINVAL, "%s: nothing was recorded", w->path);
	capture_abort(w);
	return rc;
}
