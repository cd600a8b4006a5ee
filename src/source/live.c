/* SPDX-License-Identifier: BSD-2-Clause */
/* A snapshot of a live process: the caches of one look over what its handle keeps open. */
#include <errno.h>
#include <string.h>

#include "source/handle_impl.h"
#include "source/lazyfree.h"
#include "source/livemem.h"
#include "source/memsrc_impl.h"

/* What holds as long as the program runs, or is to be the same in all snapshots of it: whether the
 * counters of RSS can be relied on, the limit by which C's library chose the size of stacks. */
static const char *const lasting[] = { "host/rss_counters", "host/thp", "proc/limits" };

struct live {
	struct memsrc m;
	struct livemem mem;
	struct text kept[ARRAY_LEN(lasting)]; /* as read first; p NULL: not yet */
};

static struct live *live_of(struct memsrc *m)
{
	return (struct live *)m;
}

static int live_alive(const struct memsrc *m)
{
	return handle_alive(m->handle);
}

static int lasting_text(struct live *l, size_t i, struct text *out)
{
	struct text fresh = { 0 };

	if (!l->kept[i].p) {
		int rc = handle_text(l->m.handle, lasting[i], &fresh);

		if (rc) {
			text_free(&fresh);
			return rc;
		}
		l->kept[i] = fresh;
	}
	return text_add(out, l->kept[i].p, l->kept[i].n);
}

static int live_text(struct memsrc *m, const char *key, unsigned int seq, struct text *out)
{
	struct live *l = live_of(m);
	size_t before = out->n;
	int rc;

	for (size_t i = 0; i < ARRAY_LEN(lasting); i++)
		if (!strcmp(key, lasting[i]))
			return lasting_text(l, i, out);
	rc = handle_text(m->handle, key, out);
	if (!rc && !strcmp(key, "proc/maps"))
		livemem_take_maps(&l->mem, out->p + before, out->n - before);
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

static void live_shrink(struct memsrc *m)
{
	livemem_shrink(&live_of(m)->mem);
}

static void live_again(struct memsrc *m, enum memsrc_reader who)
{
	livemem_again(&live_of(m)->mem, who);
}

static void live_rest(struct memsrc *m)
{
	handle_rest(m->handle);
	livemem_rest(&live_of(m)->mem);
}

static int live_pages(struct memsrc *m, unsigned int seq, uint64_t start, uint64_t end,
		      range_vec *out)
{
	const struct pagemap *p = &m->handle->pagemap;
	struct livemem *l = &live_of(m)->mem;

	if (!p->scan) /* what has no mapping is not walked */
		livemem_forget_maps(l);
	return pagemap_ranges(p, pagemap_wants_maps(p, start, end) ? livemem_maps(l) : NULL,
			      m->lasting, start, end, out);
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
	for (size_t i = 0; i < ARRAY_LEN(lasting); i++)
		text_free(&live_of(m)->kept[i]);
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
	.shrink = live_shrink,
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
