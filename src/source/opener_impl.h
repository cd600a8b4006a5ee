/* SPDX-License-Identifier: BSD-2-Clause */
/* What reader and opener say to each other. Internal to src/source. Both are one program: the
 * layout is nobody else's. */
#ifndef RSSCOPE_SOURCE_OPENER_IMPL_H
#define RSSCOPE_SOURCE_OPENER_IMPL_H

#include "base/text.h"
#include "source/handle_impl.h"

enum opener_op {
	OPENER_OPEN = 1, /* pid → a handle */
	OPENER_TEXT,	 /* id, key → a file with the text */
	OPENER_FILE,	 /* id, key (a path), start, end → the file */
	OPENER_DROP,	 /* id; no reply */
};

struct opener_request {
	uint32_t op, id;
	int32_t pid;
	uint64_t start, end;
	char key[4200]; /* NUL-terminated; only as much is sent */
};

/* What a handle is without its descriptors; these follow in the order of the bits in `there`. */
struct handle_wire {
	int32_t pid;
	uint32_t id; /* the opener's number; 0: it was sent by handle_send */
	uint32_t page_size, there;
	uint64_t start_time, scan_guard, zero_pfn;
	uint32_t scan;
};

struct opener_reply {
	int32_t rc;
	struct handle_wire handle;
	char text[sizeof(((struct err *)0)->text)];
};

/* All descriptors of a process's handle, in the order of the wire. */
void handle_fds(struct handle *h, int *fd[HANDLE_FDS]);
int handle_to_wire(struct handle *h, uint32_t id, struct handle_wire *w, int *fd, size_t *fds);
/* Takes the descriptors over, also on failure. */
int handle_of_wire(const struct handle_wire *w, const int *fd, size_t fds, struct handle **out);

#endif
