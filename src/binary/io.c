/* SPDX-License-Identifier: BSD-2-Clause */
#include "binary/io.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"

enum {
	BLOCK = 16 << 10,
	NBLOCK = 32,
	WAYS = 4, /* blocks that one of the file may be in: streams side by side don't collide */
	SCAN_BUF = 256 << 10,
	STRING_MAX = 64 << 10,
	STRINGS_MAX = 64 << 20,
	SCAN_MAX = 2047u << 20,
	PIECES_MAX = 1 << 16, /* reads are few; a hostile file must not make them many */
	GRAIN = 64,
};
#define RECORD_MAX (64ULL << 30)

struct block {
	uint64_t no;   /* of BLOCK bytes, + 1; 0: empty */
	uint64_t used; /* when, by bin_io.clock */
	uint32_t n;
	uint8_t *p;
};

struct bin_io {
	int fd;
	bool recording;
	bool paused;
	uint8_t *touched; /* a bit a GRAIN, since io_record_again; NULL: not asked for */
	uint64_t size;
	struct bin_identity id;
	uint64_t scan_left; /* bytes */
	range_vec pieces;
	struct block block[NBLOCK];
	uint64_t clock;	      /* counts blocks that were looked for */
	struct io_pool *pool; /* NULL: the descriptor stays */
	struct bin_io *newer, *older;
	io_reopen_fn *reopen;
	void *ctx, *what;
	int error; /* of the last time that it could not be opened again */
};

static struct bin_identity identity_of(const struct stat *st)
{
	return (struct bin_identity){
		.dev = st->st_dev,
		.ino = st->st_ino,
		.size = st->st_size,
		.ctime_ns = timespec_ns(&st->st_ctim),
	};
}

int io_identify(int fd, struct bin_identity *out)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	*out = identity_of(&st);
	return 0;
}

int io_open(int fd, struct bin_io **out, struct err *e)
{
	struct bin_io *io;
	struct stat st;

	if (fstat(fd, &st))
		return err_set(e, -errno, "cannot stat the file: %s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return err_set(e, -EINVAL, "not a regular file, so no ELF file");
	io = calloc(1, sizeof(*io));
	if (!io)
		return err_set(e, -ENOMEM, "out of memory");
	io->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (io->fd < 0) {
		int r = -errno;

		free(io);
		return err_set(e, r, "cannot duplicate the file descriptor: %s", strerror(-r));
	}
	io->size = st.st_size;
	io->id = identity_of(&st);
	io->recording = true;
	*out = io;
	return 0;
}

void io_close(struct bin_io *io)
{
	if (!io)
		return;
	io_pool_release(io);
	vec_free(&io->pieces);
	free(io->touched);
	free(io);
}

/* ---- the bound on descriptors */

static void take_out(struct bin_io *io)
{
	struct io_pool *p = io->pool;

	*(io->newer ? &io->newer->older : &p->newest) = io->older;
	*(io->older ? &io->older->newer : &p->oldest) = io->newer;
	io->newer = io->older = NULL;
}

static void put_first(struct bin_io *io)
{
	struct io_pool *p = io->pool;

	io->older = p->newest;
	*(p->newest ? &p->newest->newer : &p->oldest) = io;
	p->newest = io;
}

void io_pool_release(struct bin_io *io)
{
	for (size_t i = 0; i < NBLOCK; i++) {
		free(io->block[i].p);
		io->block[i] = (struct block){ 0 };
	}
	if (io->fd < 0)
		return;
	if (io->pool) {
		take_out(io);
		io->pool->open--;
	}
	close_fd(&io->fd);
}

void io_pool_shrink(struct io_pool *p, size_t most)
{
	while (p->open > most) {
		io_pool_release(p->oldest);
		p->closed++;
	}
}

/* io has a descriptor now. */
static void came_in(struct bin_io *io)
{
	put_first(io);
	io->pool->open++;
	io_pool_shrink(io->pool, io->pool->max);
}

void io_pool_add(struct bin_io *io, struct io_pool *p, io_reopen_fn *fn, void *ctx, void *what)
{
	io->pool = p;
	io->reopen = fn;
	io->ctx = ctx;
	io->what = what;
	came_in(io);
}

void io_pool_give(struct bin_io *io, int *fd)
{
	if (io->fd >= 0)
		return;
	io->fd = *fd;
	*fd = -1;
	io->error = 0;
	came_in(io);
}

int io_fd(struct bin_io *io)
{
	if (io->pool && io->fd >= 0 && io->newer) {
		take_out(io);
		put_first(io);
	}
	if (io->fd >= 0 || !io->reopen)
		return io->fd >= 0 ? io->fd : -EBADF;
	io->error = io->reopen(io->ctx, io->what, &io->fd);
	if (io->error) {
		io->fd = -1;
		return io->error;
	}
	io->pool->reopened++;
	came_in(io);
	return io->fd;
}

/* As file_read_some. */
static ssize_t read_some(struct bin_io *io, uint64_t off, void *buf, size_t n)
{
	int fd = io_fd(io);

	return fd < 0 ? fd : file_read_some(fd, off, buf, n);
}

uint64_t io_size(const struct bin_io *io)
{
	return io->size;
}

void io_identity(const struct bin_io *io, struct bin_identity *out)
{
	*out = io->id;
}

/* The block, or the one of those that may hold it which was not used for longest. */
static struct block *find_block(struct bin_io *io, uint64_t no)
{
	struct block *set = &io->block[no % (NBLOCK / WAYS) * WAYS], *oldest = set;

	for (size_t i = 0; i < WAYS; i++) {
		if (set[i].no == no + 1)
			return &set[i];
		if (set[i].used < oldest->used)
			oldest = &set[i];
	}
	return oldest;
}

const uint8_t *io_peek(struct bin_io *io, uint64_t off, size_t *n)
{
	uint64_t no = off / BLOCK;
	struct block *b = find_block(io, no);

	if (off >= io->size)
		return NULL;
	b->used = ++io->clock;
	if (b->no != no + 1) {
		ssize_t r;

		if (!b->p)
			b->p = malloc(BLOCK);
		if (!b->p)
			return NULL;
		b->no = 0;
		r = read_some(io, no * BLOCK, b->p, BLOCK);
		if (r < 0)
			return NULL;
		b->no = no + 1;
		b->n = r;
	}
	if (off % BLOCK >= b->n)
		return NULL;
	*n = b->n - off % BLOCK;
	return b->p + off % BLOCK;
}

int io_read(struct bin_io *io, uint64_t off, void *buf, size_t len)
{
	if (off > io->size || len > io->size - off)
		return -EFAULT;
	if (io->recording) {
		int r = io_note(io, off, len);

		if (r)
			return r;
	}
	if (len > BLOCK) {
		ssize_t r = read_some(io, off, buf, len);

		return r < 0 ? (int)r : (size_t)r < len ? -EFAULT : 0;
	}
	while (len) {
		size_t n;
		const uint8_t *p = io_peek(io, off, &n);

		if (!p)
			return io->error ? io->error : -EFAULT;
		if (n > len)
			n = len;
		memcpy(buf, p, n);
		buf = (char *)buf + n;
		off += n;
		len -= n;
	}
	return 0;
}

void io_allow(struct bin_io *io, uint64_t bytes)
{
	io->scan_left = bytes < SCAN_MAX ? bytes : SCAN_MAX;
}

int io_scan(struct bin_io *io, uint64_t off, uint64_t len, size_t overlap, io_scan_fn *fn,
	    void *ctx)
{
	_free_ uint8_t *buf = NULL;
	size_t kept = 0;
	uint64_t end;

	if (off >= io->size || !len)
		return 0;
	end = len > io->size - off ? io->size : off + len;
	buf = malloc(SCAN_BUF + overlap);
	if (!buf)
		return -ENOMEM;
	while (off < end) {
		size_t want = end - off < SCAN_BUF ? end - off : SCAN_BUF;
		ssize_t got = read_some(io, off, buf + kept, want);
		size_t n;
		int r;

		if (got <= 0)
			return got;
		if ((size_t)got > io->scan_left)
			return -EFBIG;
		io->scan_left -= got;
		n = kept + got;
		r = fn(ctx, off - kept, buf, n);
		if (r)
			return r;
		kept = n < overlap ? n : overlap;
		memmove(buf, buf + n - kept, kept);
		off += got;
	}
	return 0;
}

/* ---- what was read */

int io_note(struct bin_io *io, uint64_t off, uint64_t len)
{
	range_vec *v = &io->pieces;

	if (!io->recording || !len || off >= io->size)
		return 0;
	if (len > io->size - off)
		len = io->size - off;
	if (io->touched) {
		io_touch(io, off, len);
		return 0;
	}
	if (v->n && off >= v->v[v->n - 1].start && off <= v->v[v->n - 1].end) {
		if (off + len > v->v[v->n - 1].end)
			v->v[v->n - 1].end = off + len;
		return 0;
	}
	if (v->n >= PIECES_MAX)
		return -ENOSPC;
	return vec_push(v, (struct range){ .start = off, .end = off + len });
}

void io_record_end(struct bin_io *io)
{
	range_vec *v = &io->pieces;
	size_t n = 0;

	io->recording = false;
	range_sort(v->v, v->n);
	for (size_t i = 0; i < v->n; i++) {
		if (n && v->v[i].start <= v->v[n - 1].end) {
			if (v->v[i].end > v->v[n - 1].end)
				v->v[n - 1].end = v->v[i].end;
		} else {
			v->v[n++] = v->v[i];
		}
	}
	v->n = n;
}

const range_vec *io_pieces(const struct bin_io *io)
{
	return &io->pieces;
}

int io_record_again(struct bin_io *io)
{
	if (io->size > RECORD_MAX)
		return -EFBIG;
	if (!io->touched)
		io->touched = calloc(io->size / GRAIN / 8 + 1, 1);
	io->recording = io->touched;
	return io->touched ? 0 : -ENOMEM;
}

bool io_record_pause(struct bin_io *io, bool pause)
{
	bool was = io->paused;

	io->paused = pause;
	return was;
}

void io_touch(struct bin_io *io, uint64_t off, uint64_t len)
{
	if (!io->touched || io->paused || !len || off >= io->size)
		return;
	if (len > io->size - off)
		len = io->size - off;
	for (uint64_t i = off / GRAIN; i <= (off + len - 1) / GRAIN; i++)
		io->touched[i / 8] |= 1 << i % 8;
}

static bool is_touched(const struct bin_io *io, uint64_t i)
{
	return io->touched[i / 8] >> i % 8 & 1;
}

int io_scraps(struct bin_io *io, int (*fn)(void *ctx, uint64_t off, uint64_t len), void *ctx)
{
	uint64_t n = io->touched ? (io->size + GRAIN - 1) / GRAIN : 0, i = 0;
	int r = 0;

	while (i < n && !r) {
		uint64_t from = i, end;

		if (!is_touched(io, i)) {
			i = i % 8 || io->touched[i / 8] ? i + 1 : i + 8;
			continue;
		}
		while (i < n && is_touched(io, i))
			i++;
		end = i * GRAIN < io->size ? i * GRAIN : io->size;
		r = fn(ctx, from * GRAIN, end - from * GRAIN);
	}
	free(io->touched);
	io->touched = NULL;
	io->recording = false;
	return r;
}

/* ---- strings */

int io_streq(struct bin_io *io, uint64_t off, const char *s, size_t n)
{
	size_t left = n + 1; /* the NUL too */

	while (left) {
		size_t k;
		const uint8_t *p = io_peek(io, off, &k);

		if (!p)
			return -EFAULT;
		if (k > left)
			k = left;
		if (memcmp(p, s, k))
			return 0;
		s += k;
		off += k;
		left -= k;
	}
	return 1;
}

static int read_string(struct bin_io *io, uint64_t off, uint64_t end, char **out)
{
	_text_ struct text t = { 0 };

	while (off < end && t.n <= STRING_MAX) {
		size_t n;
		const uint8_t *p = io_peek(io, off, &n), *nul;
		int r;

		if (!p)
			break;
		if (n > end - off)
			n = end - off;
		nul = memchr(p, 0, n);
		r = text_add(&t, p, nul ? (size_t)(nul - p) : n);
		if (r)
			return r;
		if (nul) {
			*out = strdup(t.p); /* not t.p: that has room to grow */
			return *out ? 0 : -ENOMEM;
		}
		off += n;
	}
	return -EINVAL;
}

static struct intern_slot *intern_slot(struct intern_slot *slot, size_t cap, uint64_t off)
{
	size_t i = (off * 0x9e3779b97f4a7c15ULL) >> 32 & (cap - 1);

	while (slot[i].s && slot[i].off != off)
		i = (i + 1) & (cap - 1);
	return &slot[i];
}

static int intern_grow(struct intern *t)
{
	size_t cap = t->cap ? t->cap * 2 : 64;
	struct intern_slot *slot = calloc(cap, sizeof(*slot));

	if (!slot)
		return -ENOMEM;
	for (size_t i = 0; i < t->cap; i++)
		if (t->slot[i].s)
			*intern_slot(slot, cap, t->slot[i].off) = t->slot[i];
	free(t->slot);
	t->slot = slot;
	t->cap = cap;
	return 0;
}

int intern_get(struct intern *t, struct bin_io *io, uint64_t off, uint64_t end, const char **out)
{
	struct intern_slot *slot;
	char *s = NULL;
	int r;

	if (t->n * 4 >= t->cap * 3) {
		r = intern_grow(t);
		if (r)
			return r;
	}
	slot = intern_slot(t->slot, t->cap, off);
	if (!slot->s) {
		r = read_string(io, off, end, &s);
		if (r)
			return r;
		if (t->bytes + strlen(s) > STRINGS_MAX) {
			free(s);
			return -ENOSPC;
		}
		t->bytes += strlen(s) + 1;
		*slot = (struct intern_slot){ .off = off, .s = s };
		t->n++;
	}
	if (io->touched)
		io_touch(io, off, strlen(slot->s) + 1);
	*out = slot->s;
	return 0;
}

void intern_free(struct intern *t)
{
	for (size_t i = 0; i < t->cap; i++)
		free(t->slot[i].s);
	free(t->slot);
	*t = (struct intern){ 0 };
}
