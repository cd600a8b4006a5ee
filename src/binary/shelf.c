/* SPDX-License-Identifier: BSD-2-Clause */
#include "binary/shelf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "binary/internal.h"

enum { BUCKETS = 4096 };

struct image {
	struct image *next;  /* of the bucket */
	struct image *older; /* among the idle ones */
	struct bin_identity id;
	bool lib, idle;
	struct bin *b;
	VEC(struct shelf_opener) users; /* one for each reference; paths owned */
};

struct shelf {
	struct io_pool pool;
	struct image *bucket[BUCKETS];
	struct image *idle; /* the last one first */
	size_t images, nidle;
	uint64_t shared;
};

/* A shelf is not alone: a quarter of what may be open is its own at most. */
static unsigned int within_limit(unsigned int fds)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) || l.rlim_cur / 4 >= fds)
		return fds;
	return l.rlim_cur / 4 ? l.rlim_cur / 4 : 1;
}

int shelf_create(unsigned int fds, struct shelf **out)
{
	struct shelf *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->pool.max = within_limit(fds ? fds : SHELF_FDS);
	*out = s;
	return 0;
}

static struct image **bucket_of(struct shelf *s, const struct bin_identity *id)
{
	uint64_t h = (id->ino ^ id->dev << 32) * 0x9e3779b97f4a7c15ULL;

	return &s->bucket[h >> 52];
}

static void image_free(struct image *i)
{
	bin_close(i->b);
	for (size_t k = 0; k < i->users.n; k++)
		free((char *)i->users.v[k].path);
	vec_free(&i->users);
	free(i);
}

/* Out of its bucket; what remains of the idle list is the caller's. */
static void forget(struct shelf *s, struct image *i)
{
	struct image **at = bucket_of(s, &i->id);

	while (*at != i)
		at = &(*at)->next;
	*at = i->next;
	s->images--;
	image_free(i);
}

void shelf_destroy(struct shelf *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < BUCKETS; i++)
		while (s->bucket[i])
			forget(s, s->bucket[i]);
	free(s);
}

/* ---- opening */

static bool is_same(const struct bin_identity *a, const struct bin_identity *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size &&
	       a->ctime_ns == b->ctime_ns;
}

/* With no descriptor left for us, those of the shelf are given back first. */
static int open_with(struct shelf *s, const struct shelf_opener *o, int *fd)
{
	int r = o->open(o->owner, o->path, o->start, o->end, fd);

	if (!s || !s->pool.open || (r != -EMFILE && r != -ENFILE))
		return r;
	io_pool_shrink(&s->pool, 0);
	return o->open(o->owner, o->path, o->start, o->end, fd);
}

/* io_reopen_fn: the first of the users that still gets the file. */
static int reopen(void *shelf, void *image, int *fd)
{
	const struct image *i = image;
	int r = -ENOENT;

	for (size_t k = 0; k < i->users.n; k++) {
		_close_ int f = -1;
		struct bin_identity id;
		int got = open_with(shelf, &i->users.v[k], &f);

		if (!got)
			got = io_identify(f, &id);
		if (!got && !i->users.v[k].fixed && !is_same(&id, &i->id))
			got = -ESTALE;
		if (!got) {
			*fd = f;
			f = -1;
			return 0;
		}
		r = r == -ESTALE ? r : got;
	}
	return r;
}

static struct image *find(struct shelf *s, const struct bin_identity *id, bool lib)
{
	struct image *i = *bucket_of(s, id);

	while (i && (i->lib != lib || !is_same(&i->id, id)))
		i = i->next;
	return i;
}

static int add_user(struct image *i, const struct shelf_opener *o)
{
	struct shelf_opener mine = *o;

	mine.path = strdup(o->path);
	if (mine.path && !vec_push(&i->users, mine))
		return 0;
	free((char *)mine.path);
	return -ENOMEM;
}

static void wake(struct shelf *s, struct image *i)
{
	struct image **at = &s->idle;

	while (*at != i)
		at = &(*at)->older;
	*at = i->older;
	i->idle = false;
	s->nidle--;
}

static int bin_of(const struct shelf_opener *o, int fd, struct bin **out, struct err *e)
{
	return o->lib ? bin_open_lib(fd, out, e) : bin_open(fd, out, e);
}

/* A binary that was not there. */
static int put_up(struct shelf *s, const struct shelf_opener *o, int fd,
		  const struct bin_identity *id, struct bin **out, struct err *e)
{
	struct image *i = calloc(1, sizeof(*i)), **at;
	int r = i ? 0 : -ENOMEM;

	if (!r)
		r = add_user(i, o);
	if (r) {
		err_set(e, r, "out of memory");
	} else {
		r = bin_of(o, fd, &i->b, e);
		if (r == -EMFILE && s->pool.open) {
			io_pool_shrink(&s->pool, 0);
			r = bin_of(o, fd, &i->b, e);
		}
	}
	if (r) {
		if (i)
			image_free(i);
		return r;
	}
	i->id = *id;
	i->lib = o->lib;
	at = bucket_of(s, id);
	i->next = *at;
	*at = i;
	s->images++;
	i->b->image = i;
	io_pool_add(i->b->io, &s->pool, reopen, s, i);
	*out = i->b;
	return 0;
}

static int open_failed(struct err *e, int r, const struct shelf_opener *o)
{
	return err_set(e, r, "%s can't be opened: %s", o->path, strerror(-r));
}

int shelf_get(struct shelf *s, const struct shelf_opener *o, struct bin **out, struct err *e)
{
	struct bin_identity id;
	_close_ int fd = -1;
	struct image *i;
	int r = open_with(s, o, &fd);

	if (r)
		return open_failed(e, r, o);
	if (!s)
		return bin_of(o, fd, out, e);
	r = io_identify(fd, &id);
	if (r)
		return open_failed(e, r, o);
	i = find(s, &id, o->lib);
	if (!i)
		return put_up(s, o, fd, &id, out, e);
	r = add_user(i, o);
	if (r)
		return err_set(e, r, "out of memory");
	if (i->idle)
		wake(s, i);
	io_pool_give(i->b->io, &fd);
	s->shared++;
	*out = i->b;
	return 0;
}

/* ---- giving back */

/* Those beyond the last few that became idle are forgotten. */
static void trim_to(struct shelf *s, size_t most)
{
	struct image **at = &s->idle;

	for (size_t k = 0; k < most && *at; k++)
		at = &(*at)->older;
	while (*at) {
		struct image *i = *at;

		*at = i->older;
		s->nidle--;
		forget(s, i);
	}
}

void shelf_put(struct shelf *s, struct bin *b, const void *owner)
{
	struct image *i = b ? b->image : NULL;

	if (!i) {
		bin_close(b);
		return;
	}
	for (size_t k = 0; k < i->users.n; k++)
		if (i->users.v[k].owner == owner) {
			free((char *)i->users.v[k].path);
			i->users.v[k] = i->users.v[--i->users.n];
			break;
		}
	if (i->users.n || i->idle)
		return;
	io_pool_release(b->io);
	i->idle = true;
	i->older = s->idle;
	s->idle = i;
	s->nidle++;
	trim_to(s, SHELF_IDLE);
}

void shelf_rest(struct shelf *s)
{
	io_pool_shrink(&s->pool, 0);
}

size_t shelf_trim(struct shelf *s)
{
	size_t n = s->nidle;

	trim_to(s, 0);
	return n;
}

void shelf_stats(const struct shelf *s, struct shelf_stats *out)
{
	*out = (struct shelf_stats){ .images = s->images,
				     .idle = s->nidle,
				     .open = s->pool.open,
				     .most = s->pool.max,
				     .shared = s->shared,
				     .closed = s->pool.closed,
				     .reopened = s->pool.reopened };
}
