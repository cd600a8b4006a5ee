/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between a source and its reader while a capture is made. What was answered once is answered the
 * same way again, from the record: so a replay of the file sees what this look saw.
 *
 * A failure to record (disk full) does not disturb the look: from then on it goes by the source
 * alone, and the commit reports it.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "source/capture_impl.h"
#include "rsscope/capture.h"

enum {
	PIECE_CHUNK = 64 << 10,
	/* With room for what is divided when it is written: by states of pages, by records. */
	WORDS_MAX = CAPTURE_WORDS_MAX - (1 << 16),
};

void tee_note(struct memsrc *m, const char *name, uint64_t value)
{
	struct capture_writer *w = m->tee;
	struct memsrc_noted n = { strdup(name), value };

	if (!n.name || vec_push(&w->notes, n)) {
		free(n.name);
		writer_failed(w, -ENOMEM);
	}
}

/* ---- texts */

/* Where (key, seq) is or belongs. */
static size_t text_slot(const struct capture_writer *w, const char *key, unsigned int seq,
			bool *found)
{
	size_t lo = 0, hi = w->texts.n;

	*found = false;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		const struct rec_text *t = &w->texts.v[mid];
		int c = strcmp(t->key, key);

		if (!c)
			c = t->seq < seq ? -1 : t->seq > seq;
		if (!c) {
			*found = true;
			return mid;
		}
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static int text_again(struct capture_writer *w, const struct rec_text *t, struct text *out)
{
	_free_ char *buf = malloc(t->raw.len + 1);
	int rc = buf ? t->rc : -ENOMEM;

	if (!rc)
		rc = writer_read(w, t->raw.off, buf, t->raw.len);
	return rc ? rc : text_add(out, buf, t->raw.len);
}

static void text_keep(struct capture_writer *w, size_t slot, const char *key, unsigned int seq,
		      int rc, const char *p, size_t n)
{
	struct rec_text t = { .key = strdup(key), .seq = seq, .rc = rc, .raw = { .len = n } };

	if (!t.key || vec_reserve(&w->texts, w->texts.n + 1)) {
		free(t.key);
		writer_failed(w, -ENOMEM);
		return;
	}
	if (writer_append(w, p, n, &t.raw.off)) {
		free(t.key);
		return;
	}
	memmove(w->texts.v + slot + 1, w->texts.v + slot, (w->texts.n - slot) * sizeof(t));
	w->texts.v[slot] = t;
	w->texts.n++;
}

int tee_text(struct memsrc *m, const char *key, unsigned int seq, struct text *out)
{
	struct capture_writer *w = m->tee;
	size_t before = out->n, slot;
	bool found;
	int rc;

	if (w->rc)
		return m->ops->text(m, key, seq, out);
	slot = text_slot(w, key, seq, &found);
	if (found)
		return text_again(w, &w->texts.v[slot], out);
	rc = m->ops->text(m, key, seq, out);
	text_keep(w, slot, key, seq, rc, rc ? "" : out->p + before, rc ? 0 : out->n - before);
	return rc;
}

void tee_begin(struct memsrc *m, struct capture_writer *w)
{
	const char *how = m->ops->pages_how(m);
	bool found;
	size_t slot;

	w->pid = m->pid;
	w->page_size = m->page_size;
	slot = text_slot(w, CAPTURE_KEY_HOW, 0, &found);
	if (!found)
		text_keep(w, slot, CAPTURE_KEY_HOW, 0, 0, how, strlen(how));
	for (size_t i = 0; i < m->notes.n; i++)
		tee_note(m, m->notes.v[i].name, m->notes.v[i].value);
}

/* ---- memory */

static struct rec_stream *stream_of(struct capture_writer *w, uint32_t pass, uint32_t epoch)
{
	struct rec_stream s = { .pass = pass, .epoch = epoch, .words = w->in_part };
	size_t i = w->streams.n;

	while (i && (w->streams.v[i - 1].pass > pass ||
		     (w->streams.v[i - 1].pass == pass && w->streams.v[i - 1].epoch > epoch)))
		i--;
	if (i && w->streams.v[i - 1].pass == pass && w->streams.v[i - 1].epoch == epoch)
		return &w->streams.v[i - 1];
	if (vec_reserve(&w->streams, w->streams.n + 1))
		return NULL;
	memmove(w->streams.v + i + 1, w->streams.v + i, (w->streams.n - i) * sizeof(s));
	w->streams.v[i] = s;
	w->streams.n++;
	return &w->streams.v[i];
}

static int keep_data(struct capture_writer *w, struct extents *x, uint64_t addr, const uint8_t *p,
		     uint64_t len)
{
	struct extent e = { .start = addr, .end = addr + len };
	uint64_t off;
	int rc;

	if (!len)
		return 0;
	rc = writer_append(w, p, len, &off);
	if (rc)
		return rc;
	e.where = off;
	return extents_insert(x, e);
}

/* Records what a read of [addr, addr + len) gave: buf with holes. */
static int keep_read(struct capture_writer *w, struct extents *x, uint64_t addr, const uint8_t *buf,
		     uint64_t len, const struct range *hole, size_t n)
{
	uint64_t at = addr;
	int rc = 0;

	for (size_t i = 0; i < n && !rc; i++) {
		rc = keep_data(w, x, at, buf + (at - addr), hole[i].start - at);
		if (!rc && hole[i].flags != HOLE_UNSAVED)
			rc = extents_insert(x, (struct extent){ .start = hole[i].start,
								.end = hole[i].end,
								.state = hole[i].flags });
		at = hole[i].end;
	}
	return rc ? rc : keep_data(w, x, at, buf + (at - addr), addr + len - at);
}

/* In a part, what the epoch before has read the same is recorded as its copy, which is written
 * once. False: it has not. */
static bool keep_same(struct capture_writer *w, struct rec_stream *s, uint64_t addr,
		      const uint8_t *buf, uint64_t len)
{
	const struct rec_stream *before = s > w->streams.v ? s - 1 : NULL;
	uint8_t was[MEMSRC_GATHER_EACH];
	const struct extent *e;
	uint64_t where;

	if (!before || !before->words || !s->words || before->pass != s->pass ||
	    before->epoch + 1 != s->epoch || len > sizeof(was))
		return false;
	e = extents_at(&before->x, extents_lower(&before->x, addr));
	if (!e || e->state || e->start > addr || e->end < addr + len)
		return false;
	where = e->where + (addr - e->start);
	if (writer_read(w, where, was, len) || memcmp(was, buf, len))
		return false;
	return !extents_insert(&s->x,
			       (struct extent){ .start = addr, .end = addr + len, .where = where });
}

/* Reads what was not read so far, and records it. The holes are kept apart first: appended to
 * those of the whole request they could merge with one that is in the record already. */
static int read_new(struct memsrc *m, struct rec_stream *s, uint64_t addr, uint8_t *buf,
		    uint64_t len, range_vec *holes)
{
	struct capture_writer *w = m->tee;
	range_vec fresh = { 0 };
	int rc;

	/* what a capture can't hold is not told either, so that it stays one with its replay */
	if (w->in_part && w->words >= WORDS_MAX) {
		memset(buf, 0, len);
		return range_append(holes, addr, addr + len, HOLE_UNSAVED);
	}
	rc = m->ops->read(m, s->pass, s->epoch, addr, buf, len, &fresh);
	w->words += w->in_part ? 1 + 2 * fresh.n : 0;
	if (!rc && !w->rc && (fresh.n || !keep_same(w, s, addr, buf, len)))
		writer_failed(w, keep_read(w, &s->x, addr, buf, len, fresh.v, fresh.n));
	for (size_t i = 0; i < fresh.n && !rc; i++)
		rc = range_append(holes, fresh.v[i].start, fresh.v[i].end, fresh.v[i].flags);
	vec_free(&fresh);
	return rc;
}

/* [addr, addr + len) lies inside e. */
static int read_again(struct capture_writer *w, const struct extent *e, uint64_t addr, uint8_t *buf,
		      uint64_t len, range_vec *holes)
{
	if (!e->state)
		return writer_read(w, e->where + (addr - e->start), buf, len);
	memset(buf, 0, len);
	return range_append(holes, addr, addr + len, e->state);
}

int tee_read(struct memsrc *m, enum memsrc_pass pass, uint32_t epoch, uint64_t addr, void *buf,
	     size_t len, range_vec *holes)
{
	struct capture_writer *w = m->tee;
	struct rec_stream *s = stream_of(w, pass, epoch);
	uint8_t *p = buf;
	int rc = 0;

	if (!s)
		writer_failed(w, -ENOMEM);
	if (w->rc)
		return m->ops->read(m, pass, epoch, addr, buf, len, holes);
	while (len && !rc) {
		const struct extent *e = extents_at(&s->x, extents_lower(&s->x, addr));
		uint64_t n = len;

		if (e && e->start <= addr) {
			if (n > e->end - addr)
				n = e->end - addr;
			rc = read_again(w, e, addr, p, n, holes);
		} else {
			if (e && n > e->start - addr)
				n = e->start - addr;
			rc = read_new(m, s, addr, p, n, holes);
		}
		addr += n;
		p += n;
		len -= n;
	}
	return rc;
}

/* ---- page map */

static int pages_order(const struct rec_pages *a, const struct rec_pages *b)
{
	if (a->seq != b->seq)
		return a->seq < b->seq ? -1 : 1;
	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	return a->end < b->end ? -1 : a->end > b->end;
}

/* Where the request p is or belongs. */
static size_t pages_slot(const struct capture_writer *w, const struct rec_pages *p)
{
	size_t lo = 0, hi = w->pages.n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (pages_order(&w->pages.v[mid], p) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static int pages_again(struct capture_writer *w, const struct rec_pages *p, range_vec *out)
{
	size_t n = p->raw.len / sizeof(*out->v);
	int rc = p->rc ? p->rc : vec_reserve(out, out->n + n);

	if (!rc)
		rc = writer_read(w, p->raw.off, out->v + out->n, p->raw.len);
	if (!rc)
		out->n += n;
	return rc;
}

int tee_pages(struct memsrc *m, unsigned int seq, uint64_t start, uint64_t end, range_vec *out)
{
	struct capture_writer *w = m->tee;
	struct rec_pages p = { .seq = seq, .start = start, .end = end };
	range_vec fresh = { 0 };
	size_t slot;

	if (w->rc)
		return m->ops->pages(m, seq, start, end, out);
	slot = pages_slot(w, &p);
	if (slot < w->pages.n && !pages_order(&w->pages.v[slot], &p))
		return pages_again(w, &w->pages.v[slot], out);
	p.rc = m->ops->pages(m, seq, start, end, &fresh);
	if (p.rc)
		fresh.n = 0;
	p.raw.len = fresh.n * sizeof(*fresh.v);
	if (!w->rc && !writer_append(w, fresh.v, p.raw.len, &p.raw.off) &&
	    !writer_failed(w, vec_push(&w->pages, p))) {
		memmove(w->pages.v + slot + 1, w->pages.v + slot,
			(w->pages.n - 1 - slot) * sizeof(p));
		w->pages.v[slot] = p;
	}
	for (size_t i = 0; i < fresh.n && !p.rc; i++)
		p.rc = vec_push(out, fresh.v[i]);
	vec_free(&fresh);
	return p.rc;
}

/* ---- files */

static int file_of(struct capture_writer *w, const char *path, uint32_t *id)
{
	struct rec_file f = { 0 };

	for (*id = 0; *id < w->files.n; ++*id)
		if (!strcmp(w->files.v[*id].path, path))
			return 0;
	f.path = strdup(path);
	if (!f.path || vec_push(&w->files, f)) {
		free(f.path);
		return writer_failed(w, -ENOMEM);
	}
	return 0;
}

static void note_size(struct rec_file *f, int fd)
{
	struct stat st;

	if (!f->size && !fstat(fd, &st) && st.st_size > 0)
		f->size = st.st_size;
}

int tee_file(struct memsrc *m, const char *path, uint64_t start, uint64_t end, int *fd)
{
	struct capture_writer *w = m->tee;
	struct rec_open o = { .start = start, .end = end };
	int f = -1;

	o.rc = m->ops->file(m, path, start, end, &f);
	if (!file_of(w, path, &o.file)) {
		if (!o.rc)
			note_size(&w->files.v[o.file], f);
		writer_failed(w, vec_push(&w->opens, o));
	}
	if (!o.rc)
		*fd = f;
	return o.rc;
}

/* [off, off + len) of fd, which none of x covers so far. */
static int keep_piece(struct capture_writer *w, struct extents *x, int fd, uint64_t off,
		      uint64_t len)
{
	_free_ uint8_t *buf = malloc(PIECE_CHUNK);
	int rc = buf ? 0 : -ENOMEM;

	while (len && !rc) {
		ssize_t n = file_read_some(fd, off, buf, len < PIECE_CHUNK ? len : PIECE_CHUNK);

		if (n < 0)
			rc = n;
		if (n <= 0) /* the file ends here: so it does on replay */
			break;
		rc = keep_data(w, x, off, buf, n);
		off += n;
		len -= n;
	}
	return rc;
}

/* The record of the file, NULL: see w->rc. */
static struct rec_file *file_for(struct capture_writer *w, const char *path, int fd)
{
	uint32_t id;

	if (w->rc || file_of(w, path, &id))
		return NULL;
	note_size(&w->files.v[id], fd);
	return &w->files.v[id];
}

static int keep_range(struct capture_writer *w, struct extents *x, int fd, uint64_t off,
		      uint64_t end)
{
	int rc = 0;

	while (off < end && !rc) {
		const struct extent *e = extents_at(x, extents_lower(x, off));
		uint64_t stop = end;

		if (e && e->start <= off) {
			off = e->end;
			continue;
		}
		if (e && e->start < end)
			stop = e->start;
		rc = keep_piece(w, x, fd, off, stop - off);
		off = stop;
	}
	return writer_failed(w, rc);
}

static uint64_t end_in(const struct rec_file *f, uint64_t off, uint64_t len)
{
	return off + len < off || off + len > f->size ? f->size : off + len;
}

int tee_piece(struct memsrc *m, const char *path, int fd, uint64_t off, uint64_t len)
{
	struct capture_writer *w = m->tee;
	struct rec_file *f = file_for(w, path, fd);

	return f ? keep_range(w, &f->pieces, fd, off, end_in(f, off, len)) : w->rc;
}

int tee_scrap(struct memsrc *m, const char *path, int fd, uint64_t off, uint64_t len)
{
	struct capture_writer *w = m->tee;
	struct rec_file *f = file_for(w, path, fd);

	return f ? keep_range(w, &f->scraps, fd, off, end_in(f, off, len)) : w->rc;
}

void tee_begin_part(struct memsrc *m)
{
	m->tee->in_part = true;
}

bool tee_is_full(const struct capture_writer *w)
{
	return w->in_part && w->words >= WORDS_MAX;
}
