/* SPDX-License-Identifier: BSD-2-Clause */
/* A snapshot of a live process: the caches of one look over what its handle keeps open. */
#include <errno.h>
#include <string.h>

#include "source/handle_impl.h"
#include "source/lazyfree.h"
#include "source/livemem.h"
#include "source/memsrc_impl.h"

struct live {
	struct memsrc m;
	struct livemem mem;
};

static struct live *live_of(struct memsrc *m)
{
	return (struct live *)m;
}

static int live_alive(const struct memsrc *m)
{
	return handle_alive(m->handle);
}

static int live_text(struct memsrc *m, const char *key, unsigned int seq, struct text *out)
{
	size_t before = out->n;
	int rc = handle_text(m->handle, key, out);

	if (!rc && !before && !strcmp(key, "proc/maps"))
		livemem_note_maps(&live_of(m)->mem, out);
	return rc;
}

static int live_heads(struct memsrc *m, uint64_t start, uint64_t end, size_t each, void *buf)
{
	return livemem_heads(&live_of(m)->mem, start, end, each, buf);
}

static int live_read(struct memsrc *m, enum memsrc_pass pass, uint32_t epoch, uint64_t addr,
		     void *buf, size_t len, range_vec *holes)
{
	/* What is looked for has been written: a page that nobody has touched is not it. */
	return livemem_read(&live_of(m)->mem, pass != PASS_DISCOVER, addr, buf, len, holes);
}

static int live_gather(struct memsrc *m, enum memsrc_pass pass, const uint64_t *addr, size_t n,
		       size_t each, void *buf, bool *bad, range_vec *holes)
{
	return livemem_gather(&live_of(m)->mem, pass != PASS_DISCOVER, addr, n, each, buf, bad,
			      holes);
}

static void live_flush(struct memsrc *m)
{
	livemem_flush(&live_of(m)->mem);
}

static void live_again(struct memsrc *m, enum memsrc_reader who)
{
	livemem_again(&live_of(m)->mem, who);
}

static bool live_rest(struct memsrc *m, size_t keep)
{
	struct livemem *l = &live_of(m)->mem;

	handle_rest(m->handle);
	if (livemem_kept(l) <= keep)
		return false;
	livemem_deinit(l);
	return true;
}

static int live_pages(struct memsrc *m, unsigned int seq, uint64_t start, uint64_t end,
		      range_vec *out)
{
	const struct handle *h = m->handle;
	const struct maps *maps = NULL;

	if (pagemap_wants_maps(&h->pagemap, start, end))
		maps = livemem_maps(&live_of(m)->mem);
	return pagemap_ranges(&h->pagemap, h->held[HELD_MAPS], maps, start, end, out);
}

static const char *live_pages_how(const struct memsrc *m)
{
	return pagemap_how(&m->handle->pagemap);
}

static int live_lazyfree(struct memsrc *m, const struct range *r, size_t n, uint64_t *bytes)
{
	return lazyfree_bytes(&m->handle->pagemap, r, n, bytes);
}

static int live_file(struct memsrc *m, const char *path, uint64_t start, uint64_t end, int *fd)
{
	int rc;

	if (m->handle->opener >= 0)
		return handle_ask_file(m->handle, path, start, end, fd);
	rc = handle_file_exact(m->handle, path, start, end, fd);
	if (!rc || !strcmp(path, "exe"))
		return rc;
	return handle_file_named(m->handle, path, livemem_vma(&live_of(m)->mem, start), rc, fd);
}

static void live_close(struct memsrc *m)
{
	livemem_deinit(&live_of(m)->mem);
	free(m);
}

static const struct memsrc_ops live_ops = {
	.alive = live_alive,
	.text = live_text,
	.read = live_read,
	.heads = live_heads,
	.gather = live_gather,
	.flush = live_flush,
	.again = live_again,
	.rest = live_rest,
	.pages = live_pages,
	.pages_how = live_pages_how,
	.lazyfree = live_lazyfree,
	.file = live_file,
	.close = live_close,
};

int live_open(struct handle *h, struct memsrc **out)
{
	struct live *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->m = (struct memsrc){ .ops = &live_ops,
				.kind = MEMSRC_LIVE,
				.handle = h,
				.pid = h->pid,
				.page_size = h->page_size };
	livemem_init(&l->mem, h);
	*out = &l->m;
	return 0;
}

void memsrc_live_force_pagemap(struct memsrc *m)
{
	m->handle->pagemap.scan = false;
}

void memsrc_live_force_procmem(struct memsrc *m)
{
	m->handle->by_procmem = true;
}
