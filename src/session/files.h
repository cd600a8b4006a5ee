/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The target's ELF files: the executable, its shared libraries, and which of them holds a Go
 * runtime. That is the executable, or a library when Go is a guest in another program
 * (-buildmode=c-shared) or has its runtime in one (-linkshared).
 */
#ifndef RSSCOPE_SESSION_FILES_H
#define RSSCOPE_SESSION_FILES_H

#include "base/vec.h"
#include "binary/shelf.h"
#include "proc/maps.h"
#include "source/memsrc.h"

struct lib {
	char *name;	     /* as in maps; owned */
	uint64_t start, end; /* its lowest mapping */
	struct bin *bin;     /* NULL: can't be opened, `why` tells */
	uint64_t bias;
	int error; /* then: -errno */
	char *why; /* then: in words; owned */
};

/* Many files: their descriptors are the shelf's, so that they are bounded. */
struct libs {
	VEC(struct lib) v;
	struct shelf *shelf; /* borrowed, set before the first libs_add; NULL: one of its own */
	struct shelf *own;
	struct memsrc *m; /* of the last libs_add */
};

/* Opens the executable, and lets a capture keep the pieces of it that matter. `name` is what maps
 * call it; bias comes from its lowest mapping, 0 when it has none. shelf may be NULL; the caller
 * ends it with shelf_put(shelf, *out, m). 0 or -errno. */
int files_open_exe(struct memsrc *m, struct shelf *shelf, const struct maps *maps, const char *name,
		   struct bin **out, uint64_t *bias, struct err *e);

/* The libraries among the mappings that are not in *l yet, each opened once (likewise for
 * captures), sorted by address. 0 or -ENOMEM. */
int libs_add(struct libs *l, struct memsrc *m, const struct maps *maps, const char *exe);
void libs_free(struct libs *l); /* safe on a zeroed struct, and twice */

/* Saves what bin_record has recorded of the file that m calls so. 0 or -errno. */
int files_keep_scraps(struct memsrc *m, struct bin *b, const char *path);

/* How m's files get to a shelf. path is borrowed. */
struct shelf_opener files_opener(struct memsrc *m, const char *path, uint64_t start, uint64_t end,
				 bool lib);

/* Whether v belongs to a library: it is called so, or code of the same file is mapped. */
bool vma_is_lib(const struct vma *v);
/* Memory that has a file behind it in name only: memfd, System V, /dev/shm, shared anonymous. */
bool vma_is_shm(const struct vma *v);

/* A file that may hold the runtime. */
struct go_file {
	struct bin *bin; /* borrowed */
	uint64_t bias;
	const struct lib *lib; /* NULL: the executable */
};
enum { GO_FILES_MAX = 8 };

/* Those of them, the executable first. exe may be NULL. */
size_t files_with_go(struct bin *exe, uint64_t bias, const struct libs *l,
		     struct go_file out[GO_FILES_MAX]);

#endif
