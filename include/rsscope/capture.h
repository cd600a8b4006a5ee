/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The capture file: the answers that one look at a process got from the kernel.
 *
 * A header, then records, the last of them CAPTURE_END. A record is a struct capture_record,
 * meta_len bytes of metadata (never compressed: the struct that its type names, then what that
 * struct says follows), and a body of stored_len bytes, which is zlib data of raw_len bytes when
 * CAPTURE_ZLIB is set. No alignment, no padding between records. All integers little-endian.
 *
 * crc is zlib's crc32 of the struct with crc = 0, then metadata, then the stored body.
 *
 * A reader refuses another version. It skips unknown types that have CAPTURE_OPTIONAL set and
 * refuses other unknown ones. errno numbers are those of asm-generic (amd64, arm64).
 */
#ifndef RSSCOPE_CAPTURE_FORMAT_H
#define RSSCOPE_CAPTURE_FORMAT_H

#include <stdint.h>

#define CAPTURE_MAGIC	"\x89RSSCAP\n"
#define CAPTURE_VERSION 1

struct capture_header {
	uint8_t magic[8];
	uint32_t version;
	uint32_t header_size; /* of this struct: the first record follows */
	uint32_t page_size;   /* of the target, bytes */
	int32_t pid;	      /* as the observer saw it */
	uint32_t reserved;    /* 0 */
	uint32_t crc;	      /* crc32 of the bytes before it */
};

enum capture_type {
	CAPTURE_TEXT = 1,   /* struct capture_text, key; body: the text */
	CAPTURE_NOTE = 2,   /* struct capture_note, name */
	CAPTURE_PAGES = 3,  /* struct capture_pages; body: struct capture_range [] */
	CAPTURE_MEMORY = 4, /* struct capture_memory, struct capture_extent []; body: their bytes */
	CAPTURE_FILE = 5,   /* struct capture_file, path */
	CAPTURE_OPEN = 6,   /* struct capture_open */
	CAPTURE_PIECE = 7,  /* struct capture_piece; body: bytes of the file */
	CAPTURE_END = 8,    /* struct capture_end; nothing after it */
	CAPTURE_TYPES = 9,
	CAPTURE_OPTIONAL = 0x40000000,
	/* What profiles need beyond a report, in many small parts. A reader that does not know them
	 * still gives the report. */
	CAPTURE_WORDS = CAPTURE_OPTIONAL | 1, /* struct capture_words; body: bytes, then struct
					       * capture_step [], of memory; in planes */
	CAPTURE_SCRAPS =
		CAPTURE_OPTIONAL | 2, /* struct capture_scraps; body: likewise, of a file */
};

enum { CAPTURE_ZLIB = 1 };

/* Limits that a reader holds a file to. */
enum {
	CAPTURE_META_MAX = 1 << 20,	  /* bytes of metadata of one record */
	CAPTURE_BODY_MAX = 1 << 20,	  /* bytes of an uncompressed body */
	CAPTURE_TEXT_BODY_MAX = 64 << 20, /* the same for CAPTURE_TEXT */
	CAPTURE_NAME_MAX = 4096,	  /* bytes of a key, name, path */
	CAPTURE_EPOCH_MAX = 0xffff,
	CAPTURE_STREAMS_MAX = 4096,  /* different (pass, epoch) of CAPTURE_MEMORY */
	CAPTURE_WORDS_MAX = 1 << 23, /* steps of all CAPTURE_WORDS */
};

struct capture_record {
	uint32_t type;
	uint32_t flags;
	uint32_t meta_len;
	uint32_t crc;
	uint64_t stored_len;
	uint64_t raw_len;
};

struct capture_text {
	uint32_t seq;
	uint32_t error; /* positive errno of the read, then no body; 0: read */
	uint32_t key_len;
	uint32_t reserved;
};

struct capture_note {
	uint64_t value;
	uint32_t name_len;
	uint32_t reserved;
};

/* A part [start, end) of the answer to a request for [req_start, req_end); together the parts
 * cover the request. */
struct capture_pages {
	uint32_t seq;
	uint32_t error;
	uint64_t req_start, req_end;
	uint64_t start, end;
};

struct capture_range { /* sorted, no overlap */
	uint64_t start, end;
	uint32_t flags; /* 1 present, 2 swapped, 4 file, 8 huge, 16 zero page */
	uint32_t reserved;
};

/* Extents of one pass and epoch ascend without overlap, from record to record, too. */
struct capture_memory {
	uint32_t pass;	/* 0 discover, 1 books, 2 spans, 3 native, 4 again */
	uint32_t epoch; /* in the pass; the next begins with the first read after a flush */
	uint32_t count;
	uint32_t reserved;
};

enum capture_extent_state {
	CAPTURE_DATA = 0, /* len bytes of the body */
	CAPTURE_ABSENT = 1,
	CAPTURE_UNMAPPED = 2,
	CAPTURE_FAILED = 3,
};

struct capture_extent {
	uint64_t addr, len;
	uint32_t state;
	uint32_t reserved;
};

struct capture_file {
	uint64_t size; /* bytes of the whole file */
	uint32_t id;   /* 0, 1, 2, … in order of the records */
	uint32_t path_len;
};

/* What an open of that file for the mapping [start, end) gave. */
struct capture_open {
	uint32_t file;
	uint32_t error;
	uint64_t start, end;
};

struct capture_piece {
	uint32_t file;
	uint32_t reserved;
	uint64_t off; /* in the file; raw_len bytes */
};

/*
 * Parts that follow each other at a distance, of memory or of a file: the first begins gap bytes
 * behind `start`, each other one that far behind the end of the one before. The body has the bytes
 * of those whose state is CAPTURE_DATA, one after the other, and behind them `count` steps.
 *
 * A body in planes has the first byte of all its 8-byte words, then the second of all, …; what is
 * left at its end is as it is. Words that are alike take half the room so.
 *
 * What an epoch of CAPTURE_WORDS does not have is what the next lower one of its pass has.
 */
struct capture_step {
	uint32_t gap;
	uint32_t len_state; /* length << 2 | enum capture_extent_state */
};

struct capture_words { /* as capture_memory */
	uint32_t pass;
	uint32_t epoch;
	uint32_t count;
	uint32_t reserved;
	uint64_t start;
};

struct capture_scraps { /* of a file; none is but data */
	uint32_t file;
	uint32_t count;
	uint64_t start;
};

struct capture_end {
	uint64_t count[CAPTURE_TYPES]; /* records of each type before this one; [0] of unknown */
};

_Static_assert(sizeof(struct capture_header) == 32, "on-disk layout");
_Static_assert(sizeof(struct capture_record) == 32, "on-disk layout");
_Static_assert(sizeof(struct capture_text) == 16, "on-disk layout");
_Static_assert(sizeof(struct capture_note) == 16, "on-disk layout");
_Static_assert(sizeof(struct capture_pages) == 40, "on-disk layout");
_Static_assert(sizeof(struct capture_range) == 24, "on-disk layout");
_Static_assert(sizeof(struct capture_memory) == 16, "on-disk layout");
_Static_assert(sizeof(struct capture_extent) == 24, "on-disk layout");
_Static_assert(sizeof(struct capture_file) == 16, "on-disk layout");
_Static_assert(sizeof(struct capture_open) == 24, "on-disk layout");
_Static_assert(sizeof(struct capture_piece) == 16, "on-disk layout");
_Static_assert(sizeof(struct capture_step) == 8, "on-disk layout");
_Static_assert(sizeof(struct capture_words) == 24, "on-disk layout");
_Static_assert(sizeof(struct capture_scraps) == 16, "on-disk layout");
_Static_assert(sizeof(struct capture_end) == 72, "on-disk layout");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "fields are stored as they are");

#endif
