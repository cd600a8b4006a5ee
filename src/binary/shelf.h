/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A shelf of binaries: one struct bin for all processes of an image, known by device, inode, size
 * and ctime, with one function table and one set of names. Counted references; what nobody uses
 * any more keeps no descriptor, so that its file system can be unmounted, and is forgotten by
 * shelf_trim.
 *
 * Descriptors are bounded: when more files are in use, those read longest ago are closed, their
 * cached blocks given back, and they are opened again when they are read, through any of their
 * users, if it is the same file still (else reads give -ESTALE). A user whose process has ended
 * can no longer open: the bound should leave room for the files that matter then.
 *
 * A shelf and all binaries of it belong to one thread: reading a binary moves its caches and may
 * close another one's descriptor. Strings that a binary gave out live as long as its references.
 */
#ifndef RSSCOPE_BINARY_SHELF_H
#define RSSCOPE_BINARY_SHELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "binary/binary.h"

struct shelf;

enum {
	SHELF_FDS = 32,	 /* descriptors unless told otherwise */
	SHELF_IDLE = 16, /* images kept that nobody uses, the last ones */
};

/* How a user opens a file. */
struct shelf_opener {
	/* A descriptor that the shelf closes. 0 or -errno. */
	int (*open)(void *owner, const char *path, uint64_t start, uint64_t end, int *fd);
	void *owner;	  /* outlives the reference, which it tells from others */
	const char *path; /* copied */
	uint64_t start, end;
	bool lib;   /* as bin_open_lib */
	bool fixed; /* the same path is the same file always, though another inode: a capture's */
};

/* fds: descriptors at most, 0: SHELF_FDS; never more than a quarter of RLIMIT_NOFILE. 0 or -ENOMEM.
 */
int shelf_create(unsigned int fds, struct shelf **out);
void shelf_destroy(struct shelf *s); /* NULL-safe; all references end with it */

/*
 * A reference to the binary that o opens. Opens it, even when it is there already, to see which it
 * is. A shelf of NULL opens one for this user alone. 0; -errno of open; as bin_open.
 */
int shelf_get(struct shelf *s, const struct shelf_opener *o, struct bin **out, struct err *e);

/* Ends one reference of that owner. b may be NULL. */
void shelf_put(struct shelf *s, struct bin *b, const void *owner);

/* Closes all descriptors, and frees what was cached of their files: both come back when they are
 * read. */
void shelf_rest(struct shelf *s);

/* Forgets the images that nobody uses. Returns how many. */
size_t shelf_trim(struct shelf *s);

struct shelf_stats {
	size_t images, idle;	   /* idle: without a user, of images */
	size_t open, most;	   /* descriptors; the bound on them */
	uint64_t shared;	   /* references to an image that was there already */
	uint64_t closed, reopened; /* descriptors, for want of room */
};
void shelf_stats(const struct shelf *s, struct shelf_stats *out);

#endif
