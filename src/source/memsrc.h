/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A snapshot: where facts about a process come from, of a live process, a capture, an ELF core.
 * The process itself is a `struct handle` (handle.h); notes, passes, statistics, caches and the tee
 * belong to the snapshot, so that each of several on one handle has its own.
 *
 * Everything that rsscope knows about a target passes through this interface and nothing else, so
 * that what works live works on a file, and a capture is nothing but the answers that were given.
 * A capture taken while a look runs ("tee") answers every later look the same way, byte for byte.
 *
 *   text   a small kernel file, named by key: "proc/status", "proc/maps", "proc/task",
 *          "cgroup/…", "host/…". `seq` numbers repeated reads of a changing file (0 = first).
 *   read   target memory. Only pages that are present are read: a read of an absent page would
 *          fault it in, charged to the target.
 *   pages  which pages are present, swapped, huge, file-backed (pagemap).
 *   file   an executable or library, as a read-only fd (live: the very file that is mapped, also
 *          when deleted or in another mount namespace).
 */
#ifndef RSSCOPE_SOURCE_MEMSRC_H
#define RSSCOPE_SOURCE_MEMSRC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/range.h"
#include "base/text.h"
#include "proc/texts.h"
#include "source/handle.h"

/* Flags of the ranges that memsrc_pages gives. Absent pages are in no range. */
enum page_flag {
	PAGE_PRESENT = 1 << 0, /* mapped to a frame: counts in RSS unless PAGE_ZERO */
	PAGE_SWAPPED = 1 << 1, /* swap or migration entry */
	PAGE_FILE = 1 << 2,    /* page cache or shared anonymous; else private anonymous */
	PAGE_HUGE = 1 << 3,    /* mapped by a PMD (or larger) */
	PAGE_ZERO = 1 << 4,    /* the shared zero page: not in RSS */
};

/* Which pass over the target's memory a read belongs to. Within one pass a byte of memory is read
 * from the target at most once in a capture, so a replay sees what the look saw. */
enum memsrc_pass {
	PASS_DISCOVER, /* finding the runtime */
	PASS_BOOKS,    /* metrics and off-heap structures */
	PASS_SPANS,    /* span table, page bitmaps, page caches */
	PASS_NATIVE,   /* glibc arenas, thread stacks */
	PASS_AGAIN,    /* the second look that yields `uncertainty` */
	PASS_COUNT
};

struct memsrc;
struct capture_writer;

/* What was read and what was not; cumulative. */
struct memsrc_stats {
	uint64_t reads, read_bytes;
	uint64_t not_resident; /* bytes asked for in pages that were absent */
	uint64_t unmapped;     /* bytes asked for outside every mapping (bad pointers) */
	uint64_t failed;       /* bytes whose read failed though the page map said present */
};

/*
 * Begins a snapshot on a handle, which is borrowed and outlives it. Of a process: no system call.
 * Of a file: reads its index. -ENOMEM; -EINVAL with a text that says what is wrong with the file.
 */
int memsrc_open(struct handle *h, struct memsrc **out, struct err *e);

/* The same on a handle of its own, closed with it. As handle_open_live. */
int memsrc_open_live(pid_t pid, struct memsrc **out, struct err *e);

/* As handle_open_file, then as memsrc_open. */
int memsrc_open_file(const char *path, struct memsrc **out, struct err *e);

void memsrc_close(struct memsrc *m); /* NULL-safe */

/* Whose snapshot it is: borrowed. */
struct handle *memsrc_handle(const struct memsrc *m);

enum memsrc_kind memsrc_kind(const struct memsrc *m);
pid_t memsrc_pid(const struct memsrc *m);
uint32_t memsrc_page_size(const struct memsrc *m);
const struct memsrc_stats *memsrc_stats(const struct memsrc *m);

/* 0 while the target is the process that was opened, -ESRCH once it is gone or replaced. */
int memsrc_alive(const struct memsrc *m);

/*
 * A small text by key; appended to *out, NUL-terminated. Keys:
 *   proc/NAME            /proc/PID/NAME: status stat statm maps smaps smaps_rollup limits cgroup
 *                        comm cmdline mountinfo; proc/exe gives the link's target
 *   proc/task            the thread ids, one a line
 *   proc/task/TID/NAME   syscall, comm, stat
 *   cgroup/ABSOLUTE-PATH a file of the cgroup file systems
 *                        (the path follows directly: "cgroup/sys/fs/cgroup/x/memory.stat")
 *   host/NAME            boot_id, uname ("release\nmachine\n"), page_size, mountinfo (the
 *                        observer's own), meminfo, thp, thp_size, rss_counters ("exact" or
 *                        "batched": see rss.h)
 *   meta/NAME            what the look itself noted (see memsrc_note)
 * 0; -ENOENT, -EACCES, …; a capture repeats the errno that the live read gave.
 */
int memsrc_text(struct memsrc *m, const char *key, unsigned int seq, struct text *out);

/* The same for src/proc's parsers: valid as long as m, for one thread. */
const struct proc_texts *memsrc_texts(struct memsrc *m);

/* A fact that cannot be read again later (the time, our own cost): on a live source the value is
 * kept for the capture; on a capture *value is replaced by what was kept. 0 or -errno. */
int memsrc_note(struct memsrc *m, const char *name, uint64_t *value);

/*
 * Reads len bytes at addr. Bytes in absent pages come back as zeros. Of private anonymous memory
 * that is what the target would find there, and counts as read, but for what is swapped, guard
 * regions, ranges of a userfaultfd, memory without access, and PASS_DISCOVER: what is looked for
 * has been written by somebody.
 * 0 all read; -ENODATA some of it is not known (the rest is filled in); -EFAULT some of it is
 * not mapped or unreadable (likewise); -ESRCH target gone, or it has called execve. On a capture
 * what was not saved counts as `failed` and gives -ENODATA.
 */
int memsrc_read(struct memsrc *m, enum memsrc_pass pass, uint64_t addr, void *buf, size_t len);

/*
 * The first `each` bytes of every page of [start, end), page-aligned, packed into buf: for looking
 * for headers. What can't be read comes back as zeros. Live, a few system calls for all of it.
 * 0; -ESRCH; -ENOMEM.
 */
int memsrc_read_heads(struct memsrc *m, enum memsrc_pass pass, uint64_t start, uint64_t end,
		      size_t each, void *buf);

/*
 * Reads `each` bytes (at most MEMSRC_GATHER_EACH) at every one of n addresses, packed into buf.
 * bad[i] is set where a memsrc_read of that item would not have given 0. Live, a few system calls
 * for all that lie close together, in whatever order they are asked for. 0; -ESRCH; -ENOMEM;
 * -EINVAL: too large.
 */
enum { MEMSRC_GATHER_EACH = 1024 };
int memsrc_gather(struct memsrc *m, enum memsrc_pass pass, const uint64_t *addr, size_t n,
		  size_t each, void *buf, bool *bad);

static inline int memsrc_u64(struct memsrc *m, enum memsrc_pass pass, uint64_t addr, uint64_t *out)
{
	return memsrc_read(m, pass, addr, out, sizeof(*out));
}

/* Forgets cached pages, so that reads of a live target are fresh. Call between passes and before a
 * retry of a torn read. */
void memsrc_flush(struct memsrc *m);

/*
 * memsrc_flush for one who is about to read what he has read before. Live, that is remembered for
 * each of these from one call to the next (up to a bound), and read at once, with a few system
 * calls, as it is now.
 */
enum memsrc_reader {
	READER_COUNTERS,
	READER_SNAPSHOT,
	READER_SECOND, /* of the same snapshot */
	READER_COUNT
};
void memsrc_again(struct memsrc *m, enum memsrc_reader who);

/* After a snapshot: gives back what memory its reads needed. They are fresh afterwards. */
void memsrc_shrink(struct memsrc *m);

/* Between two snapshots: reads are fresh, and what was noted of the last one is forgotten. */
void memsrc_renew(struct memsrc *m);

/* A flush when nothing is read for a while: leaves the memory of the cache to the next one who
 * reads, of whichever process, and closes what handle_rest closes. Reads go on as before. */
void memsrc_rest(struct memsrc *m);

/*
 * The page map of [start, end) in *out (appended; sorted, merged). `seq` as for texts.
 * Mappings that never count in RSS ([vvar], [vsyscall], hugetlbfs, device memory) are the
 * caller's to leave out. 0 or -errno.
 */
int memsrc_pages(struct memsrc *m, unsigned int seq, uint64_t start, uint64_t end, range_vec *out);

/* For memsrc_pages: ranges (sorted, apart) whose private anonymous memory stays mapped as long as
 * the process lives, whatever is done to its pages. Their page map costs a quarter. Borrowed, until
 * the next call; NULL: none are known. */
void memsrc_set_lasting(struct memsrc *m, const range_vec *lasting);

/* How residency is known: "PAGEMAP_SCAN", "pagemap", "pagemap without PFNs" (not privileged: zero
 * pages count as present), "core (non-zero pages)"; a capture repeats what the look said. */
const char *memsrc_pages_how(const struct memsrc *m);

/*
 * Bytes in n sorted ranges that were given back with MADV_FREE and are still there. What is found
 * is kept as the note `name`, which is all that a capture knows of it. 0; -ENOTSUP, -ENOENT: not
 * told (page frames are hidden from us, a core, an older capture); -errno.
 */
int memsrc_lazyfree(struct memsrc *m, const char *name, const struct range *r, size_t n,
		    uint64_t *bytes);

/*
 * A mapped file as a read-only fd that the caller closes. `path` is the name in maps, [start, end)
 * the mapping (live: opened through map_files, else /proc/PID/root, checked by device and inode).
 * path "exe" is the executable. From a capture the fd holds the pieces that were saved at their
 * offsets and zeros elsewhere. -ENOENT …
 */
int memsrc_file(struct memsrc *m, const char *path, uint64_t start, uint64_t end, int *fd);

/*
 * Begins a part of a snapshot that a capture can answer alone, without what was read before it:
 * reads are fresh, and told apart from earlier ones. With a tee, the note `name` says where; a
 * capture goes on there. Of a live process or a core, memsrc_flush.
 * 0; -ENOENT: this capture does not hold it; -ENOMEM.
 */
int memsrc_begin_part(struct memsrc *m, const char *name);

/* Whether the capture that is written is full: of the parts, reads have failed for that. */
bool memsrc_is_full(const struct memsrc *m);

/* Whether another memsrc_flush leads to fresh reads: a capture holds so many only. */
bool memsrc_may_retry(const struct memsrc *m, enum memsrc_pass pass);

/* The tee: saves what is read from here on. The writer is borrowed; NULL ends it. */
void memsrc_tee(struct memsrc *m, struct capture_writer *w);
bool memsrc_is_saved(const struct memsrc *m); /* a tee is on */

/* Tells the tee that bytes [off, off+len) of the file `path` are needed on replay. No-op without.
 */
int memsrc_keep_piece(struct memsrc *m, const char *path, int fd, uint64_t off, uint64_t len);

/* The same of small parts, which profiles need and a report does not. */
int memsrc_keep_scrap(struct memsrc *m, const char *path, int fd, uint64_t off, uint64_t len);

#endif
