/* SPDX-License-Identifier: BSD-2-Clause */
/* What is told of a process's mappings at the end. */
#ifndef RSSCOPE_OBSERVE_BOOK_H
#define RSSCOPE_OBSERVE_BOOK_H

#include "out/watch.h"
#include "session/mapbook.h"

/* Appends a line of JSON for each piece, as events left it. 0 or -ENOMEM. */
int book_live(struct mapbook *b, struct text *out);

/* What they came to, and how they compare with the kernel's word. 0 or -ENOMEM. */
int book_end(struct mapbook *b, struct watch_mappings *m);

#endif
