/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Behind memsrc.h: the table that each kind of source fills. Only src/source and its unit tests
 * include this.
 */
#ifndef RSSCOPE_SOURCE_MEMSRC_IMPL_H
#define RSSCOPE_SOURCE_MEMSRC_IMPL_H

#include "base/vec.h"
#include "source/memsrc.h"

/* Why part of a read came back as zeros: flags of the ranges in `holes`. */
enum hole {
	HOLE_ABSENT = 1, /* mapped, no page present */
	HOLE_UNMAPPED,	 /* no mapping */
	HOLE_FAILED,	 /* present, but the kernel refused */
	HOLE_UNSAVED,	 /* not in this capture; never stored in one */
};

/*
 * Reads of one pass fall into epochs: the first read after a memsrc_flush begins the next one. A
 * retry of a torn read is so a new epoch, in a live look as in its replay.
 */
struct memsrc_epoch {
	uint32_t number;
	bool used, stale;
};

struct memsrc_ops {
	int (*alive)(const struct memsrc *m);
	/* Appends to *out. */
	int (*text)(struct memsrc *m, const char *key, unsigned int seq, struct text *out);
	/* NULL: values stay as the caller gave them. */
	int (*note)(struct memsrc *m, const char *name, uint64_t *value);
	/* Fills buf whole; parts that could not be read are zeroed and appended to holes, sorted.
	 * addr + len does not wrap. 0; -ESRCH, -ENOMEM, -EIO when nothing can be said. */
	int (*read)(struct memsrc *m, enum memsrc_pass pass, uint32_t epoch, uint64_t addr,
		    void *buf, size_t len, range_vec *holes);
	/* As memsrc_read_heads. NULL: one read a page does. */
	int (*heads)(struct memsrc *m, uint64_t start, uint64_t end, size_t each, void *buf);
	/* As memsrc_gather; appends to holes. NULL: one read an item does. */
	int (*gather)(struct memsrc *m, enum memsrc_pass pass, const uint64_t *addr, size_t n,
		      size_t each, void *buf, bool *bad, range_vec *holes);
	void (*flush)(struct memsrc *m);
	void (*shrink)(struct memsrc *m); /* as memsrc_shrink; NULL: nothing */
	/* as memsrc_again; NULL: flush does */
	void (*again)(struct memsrc *m, enum memsrc_reader who);
	void (*rest)(struct memsrc *m); /* as memsrc_rest; NULL: nothing is cached */
	int (*pages)(struct memsrc *m, unsigned int seq, uint64_t start, uint64_t end,
		     range_vec *out);
	const char *(*pages_how)(const struct memsrc *m);
	/* As memsrc_lazyfree. NULL: notes tell it, or nothing. */
	int (*lazyfree)(struct memsrc *m, const struct range *r, size_t n, uint64_t *bytes);
	int (*file)(struct memsrc *m, const char *path, uint64_t start, uint64_t end, int *fd);
	void (*close)(struct memsrc *m); /* frees m itself */
};

struct memsrc_noted {
	char *name;
	uint64_t value;
};

/* The first member of each kind's own struct. */
struct memsrc {
	const struct memsrc_ops *ops;
	enum memsrc_kind kind;
	struct handle *handle; /* NULL in tests that have none */
	bool owns_handle;
	pid_t pid;
	uint32_t page_size;
	struct memsrc_stats stats;
	struct proc_texts texts; /* what memsrc_texts gives */
	struct memsrc_epoch epoch[PASS_COUNT];
	bool in_part;	 /* see memsrc_begin_part */
	range_vec holes; /* of the read under way */
	VEC(struct memsrc_noted) notes;
	struct capture_writer *tee; /* borrowed */
	const range_vec *lasting;   /* borrowed, may be NULL */
};

/* What memsrc_close does for every kind before ops->close. */
void memsrc_deinit(struct memsrc *m);

/* ---- a process: the handle stays the caller's. -ENOMEM. */

int live_open(struct handle *h, struct memsrc **out);

/* ---- files: take fd over, also on failure. Where e is left empty the code tells all. */

int capture_open(const char *path, int fd, uint64_t size, struct memsrc **out, struct err *e);
int core_open(const char *path, int fd, uint64_t size, struct memsrc **out, struct err *e);

/* ---- live */

/* Tests only: the page map from /proc/PID/pagemap entries though PAGEMAP_SCAN would do. */
void memsrc_live_force_pagemap(struct memsrc *m);

/* Tests only: memory through /proc/PID/mem though process_vm_readv would do. */
void memsrc_live_force_procmem(struct memsrc *m);

#endif
