/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writing a capture: create, memsrc_tee, look, commit. Reading one is memsrc_open_file.
 * The file's format is include/rsscope/capture.h.
 */
#ifndef RSSCOPE_SOURCE_CAPTURE_H
#define RSSCOPE_SOURCE_CAPTURE_H

#include "base/err.h"

struct capture_writer;

/*
 * Begins a capture that will be `path` (mode 0600). Until capture_commit nothing is to be seen of
 * it: what is recorded goes to an unnamed file in the same directory, memory holds an index only.
 * -EINVAL when path names something else than a regular file; -errno of making the file.
 */
int capture_create(const char *path, struct capture_writer **out, struct err *e);

/* Writes the file in its final form and puts it in place of what was there. Frees w, also on
 * failure, which leaves nothing behind. End the tee first. -EINVAL when nothing was recorded. */
int capture_commit(struct capture_writer *w, struct err *e);

/* Forgets it all. NULL-safe. */
void capture_abort(struct capture_writer *w);

#endif
