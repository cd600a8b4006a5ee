/* SPDX-License-Identifier: BSD-2-Clause */
/* A capture that was read: its index. Internal to src/source: capture_read.c builds it from a file
 * that nobody vouches for, capture_replay.c answers from it. */
#ifndef RSSCOPE_SOURCE_CAPTURE_READ_H
#define RSSCOPE_SOURCE_CAPTURE_READ_H

#include <stdbool.h>

#include "base/vec.h"
#include "source/memsrc_impl.h"
#include "rsscope/capture.h"

/* Where a record's body is; raw_len bytes once inflated. */
struct cap_body {
	uint64_t off, stored_len, raw_len;
	bool packed, planes;
};

struct cap_text {
	char *key;
	unsigned int seq;
	int rc;
	struct cap_body body;
};

struct cap_pages {
	struct capture_pages c;
	struct cap_body body;
};

struct cap_extent {
	uint64_t start, end;
	uint32_t block;	   /* index in blocks */
	uint32_t off : 30; /* of the first byte in the block */
	uint32_t state : 2;
};

struct cap_stream {
	uint32_t pass, epoch;
	VEC(struct cap_extent) x; /* sorted, no overlap */
};

struct cap_piece {
	uint64_t off;	  /* in the file */
	uint32_t at, len; /* of its bytes in the body */
	struct cap_body body;
};

struct cap_file {
	char *path;
	uint64_t size;
	VEC(struct cap_piece) pieces;
	int fd; /* memfd with the pieces once asked for, else −1 */
};

struct cap_cached { /* an inflated block of memory */
	uint32_t block;
	uint64_t used; /* larger: more recently; 0: empty */
	uint8_t *p;
};

enum {
	CAP_CACHE = 16,
	CAP_HELD = 16, /* files whose memfd stays */
};

struct capture {
	struct memsrc m;
	int fd;
	uint64_t size;
	char *path;
	VEC(struct cap_text) texts; /* sorted by key, seq */
	VEC(struct memsrc_noted) notes;
	VEC(struct cap_pages) pages; /* sorted by seq, req_start, req_end, start */
	VEC(struct cap_body) blocks;
	VEC(struct cap_stream) streams;	   /* sorted by pass, epoch */
	size_t pass_first[PASS_COUNT + 1]; /* index of the first stream of a pass or a later one */
	VEC(struct cap_file) files;
	VEC(struct capture_open) opens;
	size_t held[CAP_HELD]; /* files that have one: index + 1; a ring */
	unsigned int next_held;
	struct cap_cached cache[CAP_CACHE];
	uint64_t clock;
	char how[64];
};

/* Reads a body into buf, of raw_len bytes. -EIO, -EINVAL when it does not inflate to that. */
int capture_body(const struct capture *c, const struct cap_body *b, void *buf);

int capture_text_order(const struct cap_text *a, const struct cap_text *b);

/* Frees the index, closes the file. */
void capture_close(struct memsrc *m);

extern const struct memsrc_ops capture_ops;

#endif
