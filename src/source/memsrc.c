/* SPDX-License-Identifier: BSD-2-Clause */
#include "source/memsrc_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "source/capture_impl.h"
#include "source/handle_impl.h"
#include "rsscope/capture.h"

/* So many retries of a pass are told apart; a reader of captures takes no more. */
enum { EPOCH_MAX = CAPTURE_STREAMS_MAX / PASS_COUNT - 1 };

static uint32_t last_epoch(const struct memsrc *m)
{
	return m->in_part ? CAPTURE_EPOCH_MAX : EPOCH_MAX;
}

static int open_file(struct handle *h, struct memsrc **out, struct err *e)
{
	int fd = fcntl(h->file, F_DUPFD_CLOEXEC, 3);
	struct err why = { 0 };
	int rc = -errno;

	if (fd >= 0)
		rc = h->kind == MEMSRC_CAPTURE ? capture_open(h->path, fd, h->size, out, &why)
					       : core_open(h->path, fd, h->size, out, &why);
	if (rc && !why.code)
		err_set(&why, rc, "%s: %s", h->path, strerror(-rc));
	if (rc && e)
		*e = why;
	return rc;
}

int memsrc_open(struct handle *h, struct memsrc **out, struct err *e)
{
	int rc = h->kind == MEMSRC_LIVE ? live_open(h, out) : open_file(h, out, e);

	if (!rc)
		(*out)->handle = h;
	return rc;
}

/* A snapshot that closes its handle; rc: of opening the handle. */
static int open_owning(int rc, struct handle *h, struct memsrc **out, struct err *e)
{
	if (rc)
		return rc;
	rc = memsrc_open(h, out, e);
	if (rc)
		handle_close(h);
	else
		(*out)->owns_handle = true;
	return rc;
}

int memsrc_open_live(pid_t pid, struct memsrc **out, struct err *e)
{
	struct handle *h = NULL;
	int rc = handle_open_live(pid, &h, e);

	return open_owning(rc, h, out, e);
}

int memsrc_open_file(const char *path, struct memsrc **out, struct err *e)
{
	struct handle *h = NULL;
	int rc = handle_open_file(path, &h, e);

	return open_owning(rc, h, out, e);
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
	struct handle *own;

	if (!m)
		return;
	own = m->owns_handle ? m->handle : NULL;
	memsrc_deinit(m);
	m->ops->close(m);
	handle_close(own);
}

struct handle *memsrc_handle(const struct memsrc *m)
{
	return m->handle;
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
	if (m->tee)
		tee_note(m, name, *value);
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
	size_t before = out->n;
	int rc;

	if (!strncmp(key, "meta/", 5))
		return note_text(m, key + 5, out);
	rc = text_add(out, "", 0); /* an empty text is a string, too */
	if (!rc)
		rc = m->tee ? tee_text(m, key, seq, out) : m->ops->text(m, key, seq, out);
	if (rc && out->p) {
		out->n = before; /* what was read before it failed is not an answer */
		out->p[before] = 0;
	}
	return rc;
}

static int get_text(void *ctx, const char *key, unsigned int seq, struct text *out)
{
	return memsrc_text(ctx, key, seq, out);
}

const struct proc_texts *memsrc_texts(struct memsrc *m)
{
	m->texts = (struct proc_texts){ get_text, m, m->pid, m->page_size };
	return &m->texts;
}

/* The epoch that a read in this pass belongs to. */
static uint32_t current_epoch(struct memsrc *m, enum memsrc_pass pass)
{
	struct memsrc_epoch *ep = &m->epoch[pass];

	if (ep->stale && ep->used && ep->number < last_epoch(m))
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
		case HOLE_UNSAVED:
			m->stats.failed += h->end - h->start;
			rc = rc ? rc : -ENODATA;
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
	rc = m->tee ? tee_read(m, pass, epoch, addr, buf, len, &m->holes)
		    : m->ops->read(m, pass, epoch, addr, buf, len, &m->holes);
	return rc ? rc : count_holes(m);
}

int memsrc_read_heads(struct memsrc *m, enum memsrc_pass pass, uint64_t start, uint64_t end,
		      size_t each, void *buf)
{
	uint8_t *p = buf;

	if (m->ops->heads && !m->tee) {
		m->stats.reads++;
		m->stats.read_bytes += (end - start) / m->page_size * each;
		return m->ops->heads(m, start, end, each, buf);
	}
	for (uint64_t a = start; a < end; a += m->page_size, p += each) {
		int rc = memsrc_read(m, pass, a, p, each);

		if (rc == -ESRCH || rc == -ENOMEM)
			return rc;
	}
	return 0;
}

int memsrc_gather(struct memsrc *m, enum memsrc_pass pass, const uint64_t *addr, size_t n,
		  size_t each, void *buf, bool *bad)
{
	uint8_t *p = buf;
	int rc;

	if (!each || each > MEMSRC_GATHER_EACH || (unsigned int)pass >= PASS_COUNT)
		return -EINVAL;
	if (m->ops->gather && !m->tee) {
		current_epoch(m, pass);
		m->stats.reads += n;
		m->stats.read_bytes += n * each;
		m->holes.n = 0;
		rc = m->ops->gather(m, pass, addr, n, each, buf, bad, &m->holes);
		count_holes(m);
		return rc;
	}
	for (size_t i = 0; i < n; i++) {
		rc = memsrc_read(m, pass, addr[i], p + i * each, each);
		if (rc == -ESRCH || rc == -ENOMEM)
			return rc;
		bad[i] = rc;
	}
	return 0;
}

static void next_epochs(struct memsrc *m)
{
	for (int i = 0; i < PASS_COUNT; i++)
		m->epoch[i].stale = true;
}

void memsrc_flush(struct memsrc *m)
{
	next_epochs(m);
	if (m->ops->flush)
		m->ops->flush(m);
}

int memsrc_begin_part(struct memsrc *m, const char *name)
{
	uint64_t first = 0;
	int rc = 0;

	memsrc_flush(m);
	if (!m->tee && m->kind != MEMSRC_CAPTURE)
		return 0;
	for (int i = 0; i < PASS_COUNT; i++)
		if (m->epoch[i].used && m->epoch[i].number >= first)
			first = m->epoch[i].number + 1;
	rc = memsrc_note(m, name, &first);
	if (rc)
		return rc;
	if (m->tee)
		tee_begin_part(m);
	m->in_part = true;
	for (int i = 0; i < PASS_COUNT; i++)
		m->epoch[i] = (struct memsrc_epoch){ .number = first < CAPTURE_EPOCH_MAX
								       ? first
								       : CAPTURE_EPOCH_MAX };
	return 0;
}

bool memsrc_is_full(const struct memsrc *m)
{
	return m->tee && tee_is_full(m->tee);
}

bool memsrc_may_retry(const struct memsrc *m, enum memsrc_pass pass)
{
	return (!m->tee && m->kind != MEMSRC_CAPTURE) || m->epoch[pass].number < last_epoch(m);
}

void memsrc_again(struct memsrc *m, enum memsrc_reader who)
{
	if (!m->ops->again || m->tee) {
		memsrc_flush(m);
		return;
	}
	for (int i = 0; i < PASS_COUNT; i++)
		m->epoch[i].stale = true;
	m->ops->again(m, who);
}

void memsrc_shrink(struct memsrc *m)
{
	if (m->ops->shrink && !m->tee)
		m->ops->shrink(m);
}

void memsrc_renew(struct memsrc *m)
{
	for (size_t i = 0; i < m->notes.n; i++)
		free(m->notes.v[i].name);
	m->notes.n = 0;
	memsrc_flush(m);
}

void memsrc_rest(struct memsrc *m)
{
	next_epochs(m);
	if (m->ops->rest)
		m->ops->rest(m);
}

int memsrc_pages(struct memsrc *m, unsigned int seq, uint64_t start, uint64_t end, range_vec *out)
{
	if (start >= end)
		return 0;
	return m->tee ? tee_pages(m, seq, start, end, out) : m->ops->pages(m, seq, start, end, out);
}

void memsrc_set_lasting(struct memsrc *m, const range_vec *lasting)
{
	m->lasting = lasting;
}

int memsrc_lazyfree(struct memsrc *m, const char *name, const struct range *r, size_t n,
		    uint64_t *bytes)
{
	uint64_t found = 0;
	int rc = 0;

	if (!m->ops->lazyfree && !m->ops->note)
		return -ENOTSUP;
	if (m->ops->lazyfree)
		rc = m->ops->lazyfree(m, r, n, &found);
	if (!rc)
		rc = memsrc_note(m, name, &found);
	if (!rc)
		*bytes = found;
	return rc;
}

int memsrc_file(struct memsrc *m, const char *path, uint64_t start, uint64_t end, int *fd)
{
	return m->tee ? tee_file(m, path, start, end, fd) : m->ops->file(m, path, start, end, fd);
}

void memsrc_tee(struct memsrc *m, struct capture_writer *w)
{
	m->tee = w;
	for (int i = 0; i < PASS_COUNT; i++)
		m->epoch[i] = (struct memsrc_epoch){ 0 };
	if (w)
		tee_begin(m, w);
}

bool memsrc_is_saved(const struct memsrc *m)
{
	return m->tee;
}

int memsrc_keep_piece(struct memsrc *m, const char *path, int fd, uint64_t off, uint64_t len)
{
	return m->tee ? tee_piece(m, path, fd, off, len) : 0;
}

int memsrc_keep_scrap(struct memsrc *m, const char *path, int fd, uint64_t off, uint64_t len)
{
	return m->tee ? tee_scrap(m, path, fd, off, len) : 0;
}
