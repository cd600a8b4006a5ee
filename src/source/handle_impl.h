/* SPDX-License-Identifier: BSD-2-Clause */
/* The inside of a handle. Internal to src/source and its unit tests. */
#ifndef RSSCOPE_SOURCE_HANDLE_IMPL_H
#define RSSCOPE_SOURCE_HANDLE_IMPL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/range.h"
#include "base/text.h"
#include "proc/maps.h"
#include "source/handle.h"
#include "source/pagemap.h"

/* Files of /proc/PID that are kept open: their names are in handle_text.c. */
enum held { HELD_MAPS, HELD_STAT, HELD_STATM, HELD_STATUS, HELD_ROLLUP, HELD_COUNT };

struct handle {
	enum memsrc_kind kind;
	pid_t pid;
	uint32_t page_size;

	/* a capture or a core */
	char *path;
	int file;
	uint64_t size;

	/* a process */
	int proc_fd, pidfd; /* pidfd: −1 where the kernel has none */
	int mem;	    /* /proc/PID/mem */
	struct pagemap pagemap;
	int held[HELD_COUNT];
	char *cgroup_path; /* of the folder of a cgroup that was read last, kept open; owned */
	int cgroup;	   /* −1: none */
	int usage; /* how much memory that cgroup uses: read again and again; −1: not open */
	uint64_t start_time; /* clock ticks since boot */
	bool by_procmem;     /* process_vm_readv is refused, or the PID's leader has gone */
	bool received;	     /* from another process: what is held is all that can be opened */
	int opener;	     /* borrowed socket of who opens the rest; −1: this process does */
	uint32_t id;	     /* the opener's number of it */
};

enum {
	HANDLE_TEXT_MAX = 64 << 20,
	HANDLE_TASKS_MAX = 1 << 22, /* PID_MAX_LIMIT */
};

/* No descriptor is open. NULL: no memory. */
struct handle *handle_new(enum memsrc_kind kind);

/* The process, or at least its memory, has ended, or it has called execve: -ESRCH; else 0. */
int handle_alive(struct handle *h);
static inline bool handle_has_mm(const struct handle *h)
{
	return pagemap_has_mm(&h->pagemap);
}

/* A text by memsrc_text's key; meta/ has none here. Appended; 0 or -errno. */
int handle_text(struct handle *h, const char *key, struct text *out);
/* The descriptor of a text that is kept open, or -errno. */
int handle_held(struct handle *h, enum held which);

/* As memsrc_file: by the mapping itself. -EPERM without CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE. */
int handle_file_exact(struct handle *h, const char *path, uint64_t start, uint64_t end, int *fd);
/* The same by its name, if it is what v maps; denied: what handle_file_exact gave. */
int handle_file_named(struct handle *h, const char *path, const struct vma *v, int denied, int *fd);

/* The same, and handle_text, by the opener. */
int handle_ask_text(struct handle *h, const char *key, struct text *out);
int handle_ask_fd(struct handle *h, const char *key, int *fd); /* a file with the text */
int handle_ask_file(struct handle *h, const char *path, uint64_t start, uint64_t end, int *fd);
void handle_ask_drop(struct handle *h);

/* Ranges that userfaultfd fills, appended to *out in order. 0 or -errno. */
int handle_userfault(struct handle *h, range_vec *out);

#endif
