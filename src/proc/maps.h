/* SPDX-License-Identifier: BSD-2-Clause */
/* /proc/PID/maps: the VMAs. Source: fs/proc/task_mmu.c show_map_vma(). */
#ifndef RSSCOPE_PROC_MAPS_H
#define RSSCOPE_PROC_MAPS_H

#include "base/err.h"
#include "base/text.h"
#include "base/vec.h"
#include "proc/texts.h"

#include <stdbool.h>
#include <stdint.h>

/* VMA_COUNTED, VMA_UNCOUNTED: whether RSS counts its pages, where VmFlags were asked. */
enum {
	VMA_R = 1,
	VMA_W = 2,
	VMA_X = 4,
	VMA_SHARED = 8,
	VMA_COUNTED = 16,
	VMA_UNCOUNTED = 32,
};

struct vma {
	uint64_t start, end; /* bytes */
	uint64_t offset;     /* bytes into the file */
	uint32_t flags;	     /* VMA_* */
	uint32_t dev_major, dev_minor;
	uint64_t inode;	  /* 0: anonymous */
	const char *name; /* "" for anonymous; "[heap]", "[stack]", a path; " (deleted)" kept;
			   * borrowed from struct maps */
	bool deleted;
	bool has_code; /* of a file, by device, inode and name, of which code is mapped */
};

struct maps {
	VEC(struct vma) vma; /* sorted by start, no overlap */
	char *text;	     /* owns the names */
};

/* Parses `text` (copied). -EINVAL with the line number in e when a line is not a mapping, or does
 * not end above the one before. Lines that overlap, as when mappings change meanwhile, are cut. */
int maps_parse(const char *text, struct maps *out, struct err *e);

/* The same of a text that is not needed any more: taken over, *text is empty then. */
int maps_parse_text(struct text *text, struct maps *out, struct err *e);

/* Reads and parses "proc/maps". -errno of the text, or as above. */
int maps_read(const struct proc_texts *m, unsigned int seq, struct maps *out, struct err *e);

/* Safe on a zeroed struct, and twice. */
void maps_free(struct maps *m);

/* The VMA that holds addr, or NULL. */
const struct vma *maps_find(const struct maps *m, uint64_t addr);

/* By file: inode, device, name. The name belongs to it: a System V segment has its id for an inode
 * number, on the device of memfds, which count theirs. <0, 0: the same file, >0. */
int vma_compare_file(const struct vma *x, const struct vma *y);

static inline bool vma_is_anon(const struct vma *v)
{
	return !v->inode && (!v->name[0] || v->name[0] == '[');
}

/* Private memory of the process's own, by whatever name: not [vdso] and the like. */
bool vma_is_private_anon(const struct vma *v);

/* Memory of the kernel or a driver: files without a path, on sockfs ("socket:[1]", a packet ring)
 * and anon_inodefs ("anon_inode:[perf_event]"), and dma-buf. Not the page cache's. */
bool vma_is_device(const struct vma *v);

/*
 * Mappings whose pages the kernel does not count as RSS: by VmFlags where they were asked, else
 * [vsyscall], hugetlbfs, device memory under /dev (not /dev/shm, /dev/zero, memfd). [vvar…] has
 * pages that count on newer kernels (seen on 7.2): those that the page map calls PAGE_FILE. `file`
 * is that of the page in question; true asks whether any page could count.
 */
bool vma_outside_rss(const struct vma *v, bool file);

#endif
