/* SPDX-License-Identifier: BSD-2-Clause */
/* Answers from a capture what a live process answered when it was taken. */
#include "source/capture_read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { CANDIDATES_MAX = 16 }; /* streams tried for one byte: bounds what a hostile file costs */

static struct capture *capture_of(struct memsrc *m)
{
	return (struct capture *)m;
}

static int replay_alive(const struct memsrc *m)
{
	return 0;
}

static const char *replay_how(const struct memsrc *m)
{
	return ((const struct capture *)m)->how;
}

static int replay_note(struct memsrc *m, const char *name, uint64_t *value)
{
	const struct capture *c = capture_of(m);

	for (size_t i = 0; i < c->notes.n; i++)
		if (!strcmp(c->notes.v[i].name, name)) {
			*value = c->notes.v[i].value;
			return 0;
		}
	return -ENOENT;
}

static int replay_text(struct memsrc *m, const char *key, unsigned int seq, struct text *out)
{
	const struct capture *c = capture_of(m);
	struct cap_text want = { .key = (char *)key, .seq = seq };
	const struct cap_text *t = NULL;
	_free_ char *buf = NULL;
	size_t lo = 0, hi = c->texts.n;
	int rc;

	while (lo < hi && !t) {
		size_t mid = lo + (hi - lo) / 2;
		int order = capture_text_order(&c->texts.v[mid], &want);

		if (!order)
			t = &c->texts.v[mid];
		else if (order < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (!t)
		return -ENOENT;
	if (t->rc)
		return t->rc;
	buf = malloc(t->body.raw_len + 1);
	rc = buf ? capture_body(c, &t->body, buf) : -ENOMEM;
	return rc ? rc : text_add(out, buf, t->body.raw_len);
}

/* ---- memory */

/* A block's bytes; owned by the cache, gone with the next call. */
static int cached_block(struct capture *c, uint32_t block, const uint8_t **out)
{
	struct cap_cached *slot = &c->cache[0];
	int rc;

	for (size_t i = 0; i < CAP_CACHE; i++) {
		if (c->cache[i].used && c->cache[i].block == block) {
			c->cache[i].used = ++c->clock;
			*out = c->cache[i].p;
			return 0;
		}
		if (c->cache[i].used < slot->used)
			slot = &c->cache[i];
	}
	if (!slot->p)
		slot->p = malloc(CAPTURE_BODY_MAX);
	if (!slot->p)
		return -ENOMEM;
	slot->used = 0;
	rc = capture_body(c, &c->blocks.v[block], slot->p);
	if (rc)
		return rc;
	slot->block = block;
	slot->used = ++c->clock;
	*out = slot->p;
	return 0;
}

static size_t extent_lower(const struct cap_stream *s, uint64_t addr)
{
	size_t lo = 0, hi = s->x.n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->x.v[mid].end > addr)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

/* [addr, addr + len) lies inside x. */
static int read_extent(struct capture *c, const struct cap_extent *x, uint64_t addr, uint8_t *buf,
		       uint64_t len, range_vec *holes)
{
	const uint8_t *p;
	int rc;

	if (x->state) {
		memset(buf, 0, len);
		return range_append(holes, addr, addr + len, x->state);
	}
	rc = cached_block(c, x->block, &p);
	if (!rc)
		memcpy(buf, p + x->off + (addr - x->start), len);
	return rc;
}

/* The first of streams lo to hi, of one pass, whose epoch is not lower. */
static size_t stream_lower(const struct capture *c, size_t lo, size_t hi, uint32_t epoch)
{
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (c->streams.v[mid].epoch < epoch)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/*
 * The stream to try as number k for a read in (pass, epoch): that one; the next lower epoch of the
 * pass, which is what one of words leaves out; then, from the latest on, all of the pass; other
 * passes. A reader newer than the capture may ask in another order; one
 * that is as old never gets beyond the first. NULL: none by that number.
 */
static const struct cap_stream *candidate(const struct capture *c, uint32_t pass, uint32_t epoch,
					  size_t k)
{
	size_t lo = c->pass_first[pass], hi = c->pass_first[pass + 1], n = hi - lo, at;

	if (k < 2) {
		at = stream_lower(c, lo, hi, epoch);
		if (!k)
			return at < hi && c->streams.v[at].epoch == epoch ? &c->streams.v[at]
									  : NULL;
		return at > lo ? &c->streams.v[at - 1] : NULL;
	}
	k -= 2;
	if (k < n)
		return &c->streams.v[hi - 1 - k];
	k -= n;
	if (k >= lo)
		k += n;
	return k < c->streams.n ? &c->streams.v[k] : NULL;
}

static int read_from(struct capture *c, uint32_t pass, uint32_t epoch, size_t k, uint64_t addr,
		     uint8_t *buf, uint64_t len, range_vec *holes)
{
	const struct cap_stream *s = candidate(c, pass, epoch, k);
	size_t i = s ? extent_lower(s, addr) : 0;
	int rc = 0;

	if (k > c->streams.n + 1 || k > CANDIDATES_MAX) {
		memset(buf, 0, len);
		return range_append(holes, addr, addr + len, HOLE_UNSAVED);
	}
	while (len && !rc) {
		const struct cap_extent *x = s && i < s->x.n ? &s->x.v[i] : NULL;
		uint64_t n = len;

		if (x && x->start <= addr) {
			if (n > x->end - addr)
				n = x->end - addr;
			rc = read_extent(c, x, addr, buf, n, holes);
			i++;
		} else {
			if (x && n > x->start - addr)
				n = x->start - addr;
			rc = read_from(c, pass, epoch, k + 1, addr, buf, n, holes);
		}
		addr += n;
		buf += n;
		len -= n;
	}
	return rc;
}

static int replay_read(struct memsrc *m, enum memsrc_pass pass, uint32_t epoch, uint64_t addr,
		       void *buf, size_t len, range_vec *holes)
{
	return read_from(capture_of(m), pass, epoch, 0, addr, buf, len, holes);
}

/* ---- page map */

/* The ranges of one part, clipped to [start, end), behind those of the parts before: out has them
 * from number `first` on. */
static int add_part(struct capture *c, const struct cap_pages *p, uint64_t start, uint64_t end,
		    size_t first, range_vec *out)
{
	size_t n = p->body.raw_len / sizeof(struct capture_range);
	_free_ struct capture_range *r = malloc(p->body.raw_len + 1);
	uint64_t last = p->c.start;
	int rc = r ? capture_body(c, &p->body, r) : -ENOMEM;

	for (size_t i = 0; i < n && !rc; i++) {
		uint64_t s = r[i].start > start ? r[i].start : start;
		uint64_t e = r[i].end < end ? r[i].end : end;

		/* a range may begin below the request: that is rounded out to pages */
		if (r[i].start >= r[i].end || (i && r[i].start < last))
			return -EINVAL;
		last = r[i].end;
		if (s >= e)
			continue;
		if (out->n > first && s < out->v[out->n - 1].end)
			return -EINVAL;
		rc = range_append(out, s, e, r[i].flags);
	}
	return rc;
}

static size_t pages_lower(const struct capture *c, unsigned int seq, uint64_t start, uint64_t end)
{
	size_t lo = 0, hi = c->pages.n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		const struct capture_pages *p = &c->pages.v[mid].c;

		if (p->seq < seq ||
		    (p->seq == seq &&
		     (p->req_start < start || (p->req_start == start && p->req_end < end))))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* The seq that stands in for one that was not saved: the next lower, else the lowest. */
static unsigned int pages_seq(const struct capture *c, unsigned int seq)
{
	size_t i = pages_lower(c, seq, 0, 0);

	if (i < c->pages.n && c->pages.v[i].c.seq == seq)
		return seq;
	return c->pages.v[i ? i - 1 : 0].c.seq;
}

static int replay_pages(struct memsrc *m, unsigned int seq, uint64_t start, uint64_t end,
			range_vec *out)
{
	struct capture *c = capture_of(m);
	size_t i = pages_lower(c, seq, start, end), first = out->n;
	uint64_t at = start;
	bool any = false;
	int rc = 0;

	/* the very request */
	for (; i < c->pages.n && !rc; i++, any = true) {
		const struct cap_pages *p = &c->pages.v[i];

		if (p->c.seq != seq || p->c.req_start != start || p->c.req_end != end)
			break;
		rc = p->c.error ? -(int)p->c.error : add_part(c, p, 0, UINT64_MAX, first, out);
	}
	if (any || !c->pages.n)
		return any ? rc : -ENOENT;
	/* or what others that were made tell of it */
	seq = pages_seq(c, seq);
	for (i = pages_lower(c, seq, 0, 0); i < c->pages.n && !rc; i++) {
		const struct cap_pages *p = &c->pages.v[i];
		uint64_t s = p->c.start > at ? p->c.start : at;
		uint64_t e = p->c.end < end ? p->c.end : end;

		if (p->c.seq != seq || p->c.req_start >= end)
			break;
		if (p->c.error || s >= e)
			continue;
		rc = add_part(c, p, s, e, first, out);
		at = e;
		any = true;
	}
	return any ? rc : -ENOENT;
}

/* ---- files */

static int write_at(int fd, uint64_t off, const uint8_t *p, uint64_t len)
{
	for (uint64_t done = 0; done < len;) {
		ssize_t n = pwrite(fd, p + done, len - done, off + done);

		if (n <= 0)
			return n ? -errno : -EIO;
		done += n;
	}
	return 0;
}

static int fill_memfd(struct capture *c, struct cap_file *f)
{
	_close_ int fd = memfd_create("rsscope-capture", MFD_CLOEXEC);
	_free_ uint8_t *buf = malloc(CAPTURE_BODY_MAX);
	uint64_t have = 0; /* where the body in buf lies */
	size_t *held;

	if (fd < 0 || ftruncate(fd, f->size))
		return -errno;
	if (!buf)
		return -ENOMEM;
	for (size_t i = 0; i < f->pieces.n; i++) {
		const struct cap_piece *p = &f->pieces.v[i];
		int rc = p->body.off == have ? 0 : capture_body(c, &p->body, buf);

		have = p->body.off;
		if (!rc)
			rc = write_at(fd, p->off, buf + p->at, p->len);
		if (rc)
			return rc;
	}
	/* A process may have thousands: what was given out is the taker's own. */
	held = &c->held[c->next_held++ % CAP_HELD];
	if (*held)
		close_fd(&c->files.v[*held - 1].fd);
	*held = f - c->files.v + 1;
	f->fd = fd;
	fd = -1;
	return 0;
}

/* A descriptor of its own for each caller, read-only where /proc is there to give one. */
static int hand_out(const struct cap_file *f, int *fd)
{
	char self[64];

	snprintf(self, sizeof(self), "/proc/self/fd/%d", f->fd);
	*fd = open(self, O_RDONLY | O_CLOEXEC);
	if (*fd < 0)
		*fd = fcntl(f->fd, F_DUPFD_CLOEXEC, 0);
	return *fd < 0 ? -errno : 0;
}

static int replay_file(struct memsrc *m, const char *path, uint64_t start, uint64_t end, int *fd)
{
	struct capture *c = capture_of(m);
	const struct capture_open *best = NULL;
	struct cap_file *f = NULL;
	int rc = 0, copy;

	for (size_t i = 0; i < c->files.n && !f; i++)
		if (!strcmp(c->files.v[i].path, path))
			f = &c->files.v[i];
	if (!f)
		return -ENOENT;
	for (size_t i = 0; i < c->opens.n; i++) {
		const struct capture_open *o = &c->opens.v[i];

		if (o->file != f - c->files.v)
			continue;
		if (o->start == start && o->end == end) {
			best = o;
			break;
		}
		if (!best || best->error)
			best = o;
	}
	if (best && best->error)
		return -(int)best->error;
	if (f->fd < 0)
		rc = fill_memfd(c, f);
	if (!rc)
		rc = hand_out(f, &copy);
	if (!rc)
		*fd = copy;
	return rc;
}

const struct memsrc_ops capture_ops = {
	.alive = replay_alive,
	.text = replay_text,
	.note = replay_note,
	.read = replay_read,
	.pages = replay_pages,
	.pages_how = replay_how,
	.file = replay_file,
	.close = capture_close,
};
