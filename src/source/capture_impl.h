/* SPDX-License-Identifier: BSD-2-Clause */
/* The writer's inside, shared by tee.c (which fills it) and capture_write.c. Internal to
 * src/source. */
#ifndef RSSCOPE_SOURCE_CAPTURE_IMPL_H
#define RSSCOPE_SOURCE_CAPTURE_IMPL_H

#include <stdbool.h>
#include <string.h>

#include "base/range.h"
#include "source/capture.h"
#include "source/extents.h"
#include "source/memsrc_impl.h"

/* Bytes kept in the raw file. */
struct raw {
	uint64_t off, len;
};

struct rec_text {
	char *key;
	unsigned int seq;
	int rc;
	struct raw raw;
};

struct rec_pages {
	unsigned int seq;
	int rc;
	uint64_t start, end;
	struct raw raw; /* of struct range [] */
};

struct rec_stream { /* the memory read in one epoch of one pass */
	uint32_t pass, epoch;
	bool words; /* of a part: many small extents */
	struct extents x;
};

struct rec_file {
	char *path;
	uint64_t size;
	struct extents pieces, scraps; /* by offset in the file */
};

struct rec_open {
	uint32_t file;
	int rc;
	uint64_t start, end;
};

struct capture_writer {
	char *path; /* of the capture to be */
	int raw;    /* unnamed file that holds the payload, in order of arrival */
	uint64_t raw_len;
	uint8_t *buf; /* the raw file's tail, not yet written */
	size_t buf_n;
	struct raw_block *blocks; /* of the raw file, read back; NULL: none yet */
	int rc;			  /* first failure to record; the commit reports it */

	pid_t pid; /* 0: no tee so far */
	uint32_t page_size;
	bool in_part;			/* see memsrc_begin_part */
	uint64_t words;			/* extents of parts */
	VEC(struct rec_text) texts;	/* sorted by key, seq */
	VEC(struct rec_pages) pages;	/* sorted by seq, start, end */
	VEC(struct rec_stream) streams; /* sorted by pass, epoch */
	VEC(struct rec_file) files;
	VEC(struct rec_open) opens;
	VEC(struct memsrc_noted) notes;
};

/* Payload: append, read back. 0 or -errno; a failed append also sets w->rc. */
int writer_append(struct capture_writer *w, const void *p, size_t len, uint64_t *off);
int writer_read(struct capture_writer *w, uint64_t off, void *buf, size_t len);

/* Keeps the first failure. Returns rc. */
int writer_failed(struct capture_writer *w, int rc);

/* Writes the file in its final form to fd. 0 or -errno. */
int capture_emit(struct capture_writer *w, int fd);

/* ---- the tee: each does what its memsrc_ namesake does, through w */
void tee_begin(struct memsrc *m, struct capture_writer *w);
int tee_text(struct memsrc *m, const char *key, unsigned int seq, struct text *out);
void tee_note(struct memsrc *m, const char *name, uint64_t value);
int tee_read(struct memsrc *m, enum memsrc_pass pass, uint32_t epoch, uint64_t addr, void *buf,
	     size_t len, range_vec *holes);
int tee_pages(struct memsrc *m, unsigned int seq, uint64_t start, uint64_t end, range_vec *out);
int tee_file(struct memsrc *m, const char *path, uint64_t start, uint64_t end, int *fd);
int tee_piece(struct memsrc *m, const char *path, int fd, uint64_t off, uint64_t len);
int tee_scrap(struct memsrc *m, const char *path, int fd, uint64_t off, uint64_t len);
void tee_begin_part(struct memsrc *m);
bool tee_is_full(const struct capture_writer *w);

/* Bodies in planes (see rsscope/capture.h): n bytes from `from` to `to`, which is elsewhere. */
static inline void words_to_planes(const uint8_t *from, size_t n, uint8_t *to)
{
	for (size_t i = 0; i < n / 8 * 8; i++)
		to[i % 8 * (n / 8) + i / 8] = from[i];
	memcpy(to + n / 8 * 8, from + n / 8 * 8, n % 8);
}

static inline void planes_to_words(const uint8_t *from, size_t n, uint8_t *to)
{
	for (size_t i = 0; i < n / 8 * 8; i++)
		to[i] = from[i % 8 * (n / 8) + i / 8];
	memcpy(to + n / 8 * 8, from + n / 8 * 8, n % 8);
}

/* Key of the text that holds memsrc_pages_how. */
#define CAPTURE_KEY_HOW "source/pages_how"

#endif
