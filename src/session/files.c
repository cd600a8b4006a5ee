/* SPDX-License-Identifier: BSD-2-Clause */
#include "session/files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct keep {
	struct memsrc *m;
	const char *path;
	int fd;
};

static int keep_piece(void *ctx, uint64_t off, uint64_t len)
{
	struct keep *p = ctx;

	return memsrc_keep_piece(p->m, p->path, p->fd, off, len);
}

static int open_of(void *m, const char *path, uint64_t start, uint64_t end, int *fd)
{
	return memsrc_file(m, path, start, end, fd);
}

struct shelf_opener files_opener(struct memsrc *m, const char *path, uint64_t start, uint64_t end,
				 bool lib)
{
	return (struct shelf_opener){
		.open = open_of,
		.owner = m,
		.path = path,
		.start = start,
		.end = end,
		.lib = lib,
		.fixed = memsrc_kind(m) != MEMSRC_LIVE,
	};
}

static int keep_pieces(struct memsrc *m, struct bin *b, const char *path)
{
	int fd = memsrc_is_saved(m) ? bin_fd(b) : -1;

	if (!memsrc_is_saved(m))
		return 0;
	return fd < 0 ? fd : bin_pieces(b, keep_piece, &(struct keep){ m, path, fd });
}

static int keep_scrap(void *ctx, uint64_t off, uint64_t len)
{
	struct keep *p = ctx;

	return memsrc_keep_scrap(p->m, p->path, p->fd, off, len);
}

int files_keep_scraps(struct memsrc *m, struct bin *b, const char *path)
{
	int fd = bin_fd(b);

	return fd < 0 ? fd : bin_scraps(b, keep_scrap, &(struct keep){ m, path, fd });
}

static int open_file(struct memsrc *m, struct shelf *shelf, const struct shelf_opener *o,
		     struct bin **out, struct err *e)
{
	struct bin *b = NULL;
	int r = shelf_get(shelf, o, &b, e);

	if (r)
		return r;
	r = keep_pieces(m, b, o->path);
	if (r) {
		shelf_put(shelf, b, m);
		return err_set(e, r, "%s: saving its headers: %s", o->path, strerror(-r));
	}
	*out = b;
	return 0;
}

int files_open_exe(struct memsrc *m, struct shelf *shelf, const struct maps *maps, const char *name,
		   struct bin **out, uint64_t *bias, struct err *e)
{
	const struct vma *low = NULL;
	struct shelf_opener o;
	int r;

	for (size_t i = 0; i < maps->vma.n && !low; i++)
		if (maps->vma.v[i].inode && !strcmp(maps->vma.v[i].name, name))
			low = &maps->vma.v[i];
	o = files_opener(m, "exe", low ? low->start : 0, low ? low->end : 0, false);
	r = open_file(m, shelf, &o, out, e);
	if (!r)
		*bias = low ? bin_bias(*out, low->start, low->offset) : 0;
	return r;
}

/* ---- libraries */

static bool has_prefix(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

bool vma_is_shm(const struct vma *v)
{
	return has_prefix(v->name, "/memfd:") || has_prefix(v->name, "/SYSV") ||
	       has_prefix(v->name, "/dev/shm/") || has_prefix(v->name, "/dev/zero") ||
	       has_prefix(v->name, "[anon_shmem:") || (v->inode && !v->name[0]);
}

bool vma_is_lib(const struct vma *v)
{
	const char *base = strrchr(v->name, '/');

	base = base ? base + 1 : v->name;
	return v->has_code || strstr(base, ".so.") ||
	       (strlen(base) > 3 && !strcmp(base + strlen(base) - 3, ".so"));
}

static int by_start(const void *a, const void *b)
{
	const struct lib *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* Among the first n, which are in order. */
static bool is_there(const struct libs *l, size_t n, const struct vma *v)
{
	struct lib key = { .start = v->start };
	const struct lib *x = n ? bsearch(&key, l->v.v, n, sizeof(key), by_start) : NULL;

	return x && !strcmp(x->name, v->name);
}

static int add_lib(struct libs *l, struct memsrc *m, const struct vma *low)
{
	struct lib x = { .name = strdup(low->name), .start = low->start, .end = low->end };
	struct shelf_opener o = files_opener(m, low->name, low->start, low->end, true);
	struct err why = { 0 };

	if (!x.name)
		return -ENOMEM;
	x.error = open_file(m, l->shelf, &o, &x.bin, &why);
	if (!x.error)
		x.bias = bin_bias(x.bin, low->start, low->offset);
	else
		x.why = strdup(why.text);
	if ((x.error && !x.why) || vec_push(&l->v, x)) {
		shelf_put(l->shelf, x.bin, m);
		free(x.name);
		free(x.why);
		return -ENOMEM;
	}
	return 0;
}

int libs_add(struct libs *l, struct memsrc *m, const struct maps *maps, const char *exe)
{
	const char *done = "";
	size_t known = l->v.n;
	int r = l->shelf ? 0 : shelf_create(0, &l->own);

	if (l->own)
		l->shelf = l->own;
	l->m = m;

	for (size_t i = 0; i < maps->vma.n && !r; i++) {
		const struct vma *v = &maps->vma.v[i];

		/* a library's first mapping shows its start; its others follow */
		if (!v->inode || v->offset || v->name[0] != '/' || (v->flags & VMA_SHARED) ||
		    (exe[0] && !strcmp(v->name, exe)) || vma_is_shm(v) || !strcmp(done, v->name) ||
		    !vma_is_lib(v))
			continue;
		done = v->name;
		if (!is_there(l, known, v))
			r = add_lib(l, m, v);
	}
	if (l->v.n > known)
		qsort(l->v.v, l->v.n, sizeof(*l->v.v), by_start);
	return r;
}

void libs_free(struct libs *l)
{
	for (size_t i = 0; i < l->v.n; i++) {
		shelf_put(l->shelf, l->v.v[i].bin, l->m);
		free(l->v.v[i].name);
		free(l->v.v[i].why);
	}
	vec_free(&l->v);
	shelf_destroy(l->own);
	if (l->own)
		l->shelf = l->own = NULL;
}

/* ---- Go */

size_t files_with_go(struct bin *exe, uint64_t bias, const struct libs *l,
		     struct go_file out[GO_FILES_MAX])
{
	size_t n = 0;

	if (exe && bin_go(exe)->is_go)
		out[n++] = (struct go_file){ exe, bias, NULL };
	for (size_t i = 0; i < l->v.n && n < GO_FILES_MAX; i++)
		if (l->v.v[i].bin && bin_go(l->v.v[i].bin)->pclntab)
			out[n++] = (struct go_file){ l->v.v[i].bin, l->v.v[i].bias, &l->v.v[i] };
	return n;
}
