/* SPDX-License-Identifier: BSD-2-Clause */
/* A source that knows only the texts it is given: for readers that go by texts alone. */
#ifndef RSSCOPE_TESTS_MEMSRC_FAKE_H
#define RSSCOPE_TESTS_MEMSRC_FAKE_H

#include <errno.h>
#include <string.h>

#include "source/memsrc_impl.h"

struct fake_text {
	const char *key, *text; /* text NULL: the read fails with -EACCES */
};

struct memsrc_fake {
	struct memsrc m;
	const struct fake_text *texts; /* ends with an entry without key */
};

static inline int fake_text(struct memsrc *m, const char *key, unsigned int seq, struct text *out)
{
	for (const struct fake_text *t = ((struct memsrc_fake *)m)->texts; t->key; t++)
		if (!strcmp(t->key, key))
			return t->text ? text_add(out, t->text, strlen(t->text)) : -EACCES;
	return -ENOENT;
}

static const struct memsrc_ops memsrc_fake_ops = { .text = fake_text };

/* Nothing to close. */
static inline struct memsrc_fake memsrc_fake(const struct fake_text *texts)
{
	return (struct memsrc_fake){
		.m = { .ops = &memsrc_fake_ops, .kind = MEMSRC_LIVE, .pid = 7, .page_size = 4096 },
		.texts = texts,
	};
}

#endif
