/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the kernel's small texts come from, as src/proc's parsers see it: keys and results are
 * those of memsrc_text (src/source/memsrc.h), which gives a struct proc_texts for each snapshot.
 */
#ifndef RSSCOPE_PROC_TEXTS_H
#define RSSCOPE_PROC_TEXTS_H

#include <stdint.h>
#include <sys/types.h>

#include "base/text.h"

struct proc_texts {
	/* Appends the text to *out, NUL-terminated. 0 or -errno. */
	int (*get)(void *ctx, const char *key, unsigned int seq, struct text *out);
	void *ctx;
	pid_t pid;	    /* the target's, for messages */
	uint32_t page_size; /* bytes */
};

static inline int texts_get(const struct proc_texts *t, const char *key, unsigned int seq,
			    struct text *out)
{
	return t->get(t->ctx, key, seq, out);
}

#endif
