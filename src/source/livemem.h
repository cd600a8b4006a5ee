/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The memory of a live process, present pages only. Internal to src/source.
 *
 * Small reads (pointer chasing) go through a bounded cache of presence bits and of lines; large
 * ones look the page map up once and copy the runs of present pages straight to the caller.
 */
#ifndef RSSCOPE_SOURCE_LIVEMEM_H
#define RSSCOPE_SOURCE_LIVEMEM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/range.h"
#include "base/text.h"
#include "base/vec.h"
#include "proc/maps.h"
#include "source/handle.h"
#include "source/memsrc.h"
#include "source/pagemap.h"

struct livemem {
	struct handle *h;	       /* borrowed */
	const struct pagemap *pagemap; /* the handle's */
	uint32_t page_size;

	struct livemem_caches *c;	    /* NULL: none so far, or given back */
	VEC(uint64_t) wanted[READER_COUNT]; /* numbers of lines; of the reader at work unsorted */
	bool wanted_all;		    /* of the reader at work no more are taken */
	int reader;	       /* enum memsrc_reader; -1: nobody's reads are remembered */
	struct maps maps;      /* to tell absent from unmapped; parsed when first needed */
	struct text maps_text; /* the same, as it was read for others, until it is needed here */
	bool maps_known;
	size_t maps_size;    /* bytes of it, when it was read last; 0: not known */
	struct vma asked;    /* the kernel's answer to the last of the questions since the flush */
	uint64_t asked_from; /* there, or in the gap that it ends */
	unsigned int questions;
	char asked_name[256];
	struct range untouched[4]; /* where a reader of counters has found zeros of private
				    * anonymous memory, so far; start = end: none */
	unsigned int untouched_next;
	range_vec userfault;   /* ranges that others fill; read when first needed */
	uint64_t userfault_ns; /* when that was, CLOCK_MONOTONIC */
	enum { USERFAULT_UNREAD, USERFAULT_KNOWN, USERFAULT_UNKNOWN } userfault_state;
};

void livemem_init(struct livemem *l, struct handle *h);
void livemem_deinit(struct livemem *l);

/* As memsrc_ops.read. untouched: absent pages that nobody has touched yet read as the zeros that
 * the process would find there; else they are holes, too. */
int livemem_read(struct livemem *l, bool untouched, uint64_t addr, void *buf, size_t len,
		 range_vec *holes);
/* As memsrc_read_heads. */
int livemem_heads(struct livemem *l, uint64_t start, uint64_t end, size_t each, void *buf);
/* As memsrc_ops.gather. */
int livemem_gather(struct livemem *l, bool untouched, const uint64_t *addr, size_t n, size_t each,
		   void *buf, bool *bad, range_vec *holes);
void livemem_flush(struct livemem *l);
/* A flush, and the caches are given back: the next one who reads takes them. What readers have
 * asked for stays known, that is some KiB. */
void livemem_rest(struct livemem *l);
/* As memsrc_again. */
void livemem_again(struct livemem *l, enum memsrc_reader who);

/* A flush that gives memory back. */
void livemem_shrink(struct livemem *l);

/* The cached mappings, none where they can't be read; the VMA at addr by these, or NULL. Both live
 * until the next flush, or until mappings are taken over. */
const struct maps *livemem_maps(struct livemem *l);
const struct vma *livemem_vma(struct livemem *l, uint64_t addr);

void livemem_forget_maps(struct livemem *l);

/* Takes over the text of the mappings, as it has just been read. */
void livemem_take_maps(struct livemem *l, const char *text, size_t n);

#endif
