/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading a capture: a record of it. Internal to src/source: capture_read.c goes from one to the
 * next, capture_steps.c takes those of many small parts. */
#ifndef RSSCOPE_SOURCE_CAPTURE_RECORD_H
#define RSSCOPE_SOURCE_CAPTURE_RECORD_H

#include "base/text.h"
#include "source/capture_read.h"

/* One record under examination. */
struct record {
	struct capture *c;
	struct err *e;
	uint64_t off; /* of the record in the file */
	struct capture_record r;
	uint8_t *meta; /* room for CAPTURE_META_MAX and a NUL */
	struct cap_body body;
	uint64_t count[CAPTURE_TYPES];
	uint64_t pieces;  /* bytes, all files */
	uint64_t pages;	  /* bytes, all page maps */
	uint64_t streams; /* those that are not of words */
	uint64_t words;	  /* steps, all records of words */
};

/* -EINVAL, with what is wrong, and where. */
int record_bad(const struct record *k, const char *fmt, ...) PRINTF(2, 3);

/* The fixed part of the metadata, and `tail` bytes behind it: no more, no less. */
bool record_meta_is(const struct record *k, size_t fixed, uint64_t tail);

/* The stream of a record of memory: the last one, or a new one behind it. 0 or -errno. */
int record_stream(struct record *k, uint32_t pass, uint32_t epoch, bool words,
		  struct cap_stream **out);

/* len bytes of files more. 0; -EINVAL: too many. */
int record_count_piece(struct record *k, uint64_t len);

/* capture_steps.c: CAPTURE_WORDS, CAPTURE_SCRAPS. 0 or -errno. */
int record_add_words(struct record *k);
int record_add_scraps(struct record *k);

#endif
