/* SPDX-License-Identifier: BSD-2-Clause */
/* Shared by the files of livemem. */
#ifndef RSSCOPE_SOURCE_LIVEMEM_IMPL_H
#define RSSCOPE_SOURCE_LIVEMEM_IMPL_H

#include <sys/uio.h>

#include "source/livemem.h"

enum {
	IOVS = 256,
	LINE = 1024, /* divides every page size */
	LINES = 2048,
	LINE_HASH_BITS = 12,
	LINE_PLACES = 1 << LINE_HASH_BITS,
	PRESENCES = 1024,
	PRESENCE_PAGES = 64,
	WINDOW_PAGES = 8192, /* page map entries looked up at once: 64 KiB */
};

struct livemem_presence {	     /* 64 pages */
	uint64_t tag;		     /* page number / 64, + 1; 0: empty */
	uint64_t present, elsewhere; /* elsewhere: swap, a guard region */
	bool wanted;		     /* its reader looks it up the next time, too */
};

/* What is needed while something is read. One who rests leaves them to the next: of many processes
 * that are read in turn there is one set, which stays in the CPU's caches. */
struct livemem_caches {
	struct livemem_presence presence[PRESENCES];
	uint64_t line_tag[LINES];	 /* address / LINE, + 1; 0: empty */
	uint16_t line_slot[LINE_PLACES]; /* where a line may be, by hash; its tag decides */
	bool line_used[LINES];		 /* somebody has asked for it */
	uint8_t *lines;
	size_t line_next;		/* the slot to fill next, round and round */
	size_t line_end;		/* slots from here on are empty */
	size_t line_top;		/* those below take memory */
	uint64_t entries[WINDOW_PAGES]; /* scratch for large reads */
};

/* Copies of present bytes that are to be made at once. */
struct runs {
	struct iovec local[IOVS], remote[IOVS];
	size_t n;
};

/* Adds one, after a flush when there is no room; what could not be read goes to holes. 0 or -errno.
 */
int runs_add(struct livemem *l, struct runs *r, uint64_t addr, uint8_t *buf, size_t len,
	     range_vec *holes);
int runs_flush(struct livemem *l, struct runs *r, range_vec *holes);

enum page { PAGE_ABSENT, PAGE_THERE, PAGE_ELSEWHERE };

/* enum page, as of the last flush; -ESRCH. */
int livemem_page(struct livemem *l, uint64_t addr);

/* A flush that keeps what a reader of counters has learnt of mappings: see livemem_absent. */
void livemem_forget(struct livemem *l);

/* livemem_caches.c: needed before anything is read. 0 or -ENOMEM. */
int livemem_make_caches(struct livemem *l);
/* Forgets what was read: all, or lines only. */
void livemem_clear_caches(struct livemem_caches *c);
void livemem_clear_lines(struct livemem_caches *c);

void livemem_set_presence(struct livemem *l, uint64_t group, const uint64_t *entry, long n);

/* livemem_lines.c: the slot of a cached line, or LINES; the line itself, or NULL. */
size_t livemem_slot_of(const struct livemem *l, uint64_t line);
const uint8_t *livemem_line(const struct livemem *l, uint64_t line);
/* Slots for n lines that follow each other; what was there is forgotten. LINES: so many there are
 * not. */
size_t livemem_slots(struct livemem *l, size_t n);
/* A line has been read into its slot. used: it was asked for. */
void livemem_put_line(struct livemem *l, size_t slot, uint64_t line, bool used);

/* Copies what is cached whole; false: it is not. */
bool livemem_cached(struct livemem *l, uint64_t addr, void *buf, size_t len);

/* livemem_maps.c: tells the absent parts of [start, end) from the unmapped ones. untouched: and
 * leaves out those that are known to read as zeros. 0 or -ENOMEM. */
int livemem_absent(struct livemem *l, bool untouched, uint64_t start, uint64_t end,
		   range_vec *holes);
/* Forgets which ranges others fill when that is old: CLOCK_MONOTONIC. */
void livemem_age_userfault(struct livemem *l, uint64_t now_ns);

/* livemem_again.c: before lines are forgotten, those that the reader has asked for are noted for
 * his next time; the same of bytes that he has read past the cache. */
void livemem_remember(struct livemem *l);
void livemem_want(struct livemem *l, uint64_t addr, size_t len);

#endif
