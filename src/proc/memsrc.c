/* SPDX-License-Identifier: BSD-2-Clause */
#include "proc/memsrc_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum { EPOCH_MAX = 0xffff };

int memsrc_open_file(const char *path, struct memsrc **out, struct err *e)
{
	return err_set(e, -ENOTSUP, "%s: not yet", path);
}

void memsrc_deinit(struct memsrc *m)
{
	for (size_t i = 0; i < m->notes.n; i++)
		free(m->notes.v[i].name);
	vec_free(&m->notes);
	vec_free(&m->holes);
}

void memsrc_close(struct memsrc *m)
{
	if (!m)
		return;
	memsrc_deinit(m);
	m->ops->close(m);
}

enum memsrc_kind memsrc_kind(const struct memsrc *m)
{
	return m->kind;
}

pid_t memsrc_pid(const struct memsrc *m)
{
	return m->pid;
}

uint32_t memsrc_page_size(const struct memsrc *m)
{
	return m->page_size;
}

const struct memsrc_stats *memsrc_stats(const struct memsrc *m)
{
	return &m->stats;
}

int memsrc_alive(const struct memsrc *m)
{
	return m->ops->alive(m);
}

const char *memsrc_pages_how(const struct memsrc *m)
{
	return m->ops->pages_how(m);
}

static struct memsrc_noted *find_note(struct memsrc *m, const char *name)
{
	for (size_t i = 0; i < m->notes.n; i++)
		if (!strcmp(m->notes.v[i].name, name))
			return &m->notes.v[i];
	return NULL;
}

int memsrc_note(struct memsrc *m, const char *name, uint64_t *value)
{
	struct memsrc_noted *known = find_note(m, name);
	struct memsrc_noted fresh;
	int rc;

	if (known) {
		*value = known->value;
		return 0;
	}
	if (m->ops->note) {
		rc = m->ops->note(m, name, value);
		if (rc)
			return rc;
	}
	fresh = (struct memsrc_noted){ strdup(name), *value };
	if (!fresh.name || vec_push(&m->notes, fresh)) {
		free(fresh.name);
		return -ENOMEM;
	}
	return 0;
}

static int note_text(struct memsrc *m, const char *name, struct text *out)
{
	struct memsrc_noted *known = find_note(m, name);
	uint64_t value = 0;
	int rc;

	if (known)
		value = known->value;
	else if (!m->ops->note)
		return -ENOENT;
	else if ((rc = m->ops->note(m, name, &value)))
		return rc;
	return text_printf(out, "%" PRIu64 "\n", value);
}

int memsrc_text(struct memsrc *m, const char *key, unsigned int seq, struct text *out)
{
	if (!strncmp(key, "meta/", 5))
		return note_text(m, key + 5, out);
	return m->ops->text(m, key, seq, out);
}

/* The epoch that a read in this pass belongs to. */
static uint32_t current_epoch(struct memsrc *m, enum memsrc_pass pass)
{
	struct memsrc_epoch *ep = &m->epoch[pass];

	if (ep->stale && ep->used && ep->number < EPOCH_MAX)
		ep->number++;
	ep->stale = false;
	ep->used = true;
	return ep->number;
}

/* Books what could not be read; what memsrc_read returns. */
static int count_holes(struct memsrc *m)
{
	int rc = 0;

	for (size_t i = 0; i < m->holes.n; i++) {
		const struct range *h = &m->holes.v[i];

		switch (h->flags) {
		case HOLE_ABSENT:
			m->stats.not_resident += h->end - h->start;
			rc = rc ? rc : -ENODATA;
			break;
		case HOLE_UNMAPPED:
			m->stats.unmapped += h->end - h->start;
			rc = -EFAULT;
			break;
		default:
			m->stats.failed += h->end - h->start;
			rc = -EFAULT;
			break;
		}
	}
	return rc;
}

int memsrc_read(struct memsrc *m, enum memsrc_pass pass, uint64_t addr, void *buf, size_t len)
{
	uint32_t epoch;
	int rc;

	if (!len)
		return 0;
	if (addr + len < addr || (unsigned int)pass >= PASS_COUNT) {
		memset(buf, 0, len);
		return -EFAULT;
	}
	epoch = current_epoch(m, pass);
	m->stats.reads++;
	m->stats.read_bytes += len;
	m->holes.n = 0;
	rc = m->ops->read(m, pass, epoch, addr, buf, len, &m->holes);
	return rc ? rc : count_holes(m);
}

void memsrc_flush(struct memsrc *m)
{
	for (int i = 0; i < PASS_COUNT; i++)
		m->epoch[i].stale = true;
	if (m->ops->flush)
		m->ops->flush(m);
}

int memsrc_pages(struct memsrc *m, unsigned int seq, uint64_t start, uint64_t end, range_vec *out)
{
	if (start >= end)
		return 0;
	return m->ops->pages(m, seq, start, end, out);
}

int memsrc_file(struct memsrc *m, const char *path, uint64_t start, uint64_t end, int *fd)
{
	return m->ops->file(m, path, start, end, fd);
}

void memsrc_tee(struct memsrc *m, struct capture_writer *w)
{
	m->tee = w;
	for (int i = 0; i < PASS_COUNT; i++)
		m->epoch[i] = (struct memsrc_epoch){ 0 };
}

int memsrc_keep_piece(struct memsrc *m, const char *path, int fd, uint64_t off, uint64_t len)
{
	return 0;
}
