/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writing captures. While the look runs, payload goes raw to an unnamed file, so that recording
 * costs the look little; the commit then writes the file (capture_emit.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "source/capture_impl.h"

enum {
	RAW_BUF = 256 << 10,
	SMALL = 1024, /* reads back that go through blocks: what lies side by side was apart in time
		       */
	BLOCKS = 64,
};

struct raw_block {
	uint64_t no; /* + 1; 0: empty */
	size_t n;    /* bytes */
	uint8_t p[16 << 10];
};

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

/* Bytes of the raw file that have been written, within one block. */
static int read_block(struct capture_writer *w, uint64_t off, void *buf, size_t len)
{
	const size_t size = sizeof(w->blocks->p);
	uint64_t no = off / size, written = w->raw_len - w->buf_n - no * size;
	struct raw_block *b;

	if (!w->blocks)
		w->blocks = calloc(BLOCKS, sizeof(*w->blocks));
	if (!w->blocks)
		return file_read_at(w->raw, off, buf, len);
	b = &w->blocks[no % BLOCKS];
	if (b->no != no + 1 || off % size + len > b->n) {
		int rc;

		b->no = 0;
		b->n = written < size ? written : size;
		rc = file_read_at(w->raw, no * size, b->p, b->n);
		if (rc)
			return rc;
		b->no = no + 1;
	}
	memcpy(buf, b->p + off % size, len);
	return 0;
}

static int read_written(struct capture_writer *w, uint64_t off, void *buf, size_t len)
{
	const size_t size = sizeof(w->blocks->p);

	return len <= SMALL && off % size + len <= size ? read_block(w, off, buf, len)
							: file_read_at(w->raw, off, buf, len);
}

int writer_read(struct capture_writer *w, uint64_t off, void *buf, size_t len)
{
	uint64_t written = w->raw_len - w->buf_n;
	uint8_t *p = buf;

	if (len && off < written) {
		size_t n = len < written - off ? len : written - off;
		int rc = read_written(w, off, p, n);

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
		extents_free(&w->files.v[i].scraps);
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
	free(w->blocks);
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
	int rc = fd < 0 ? fd : capture_emit(w, fd);

	if (!rc)
		rc = text_printf(&name, "%s.%d.part", w->path, (int)getpid());
	if (rc)
		return rc;
	if (!link_unnamed(fd, name.p)) {
		close_fd(&fd);
		fd = open(name.p, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd < 0)
			return -errno;
		rc = capture_emit(w, fd);
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
