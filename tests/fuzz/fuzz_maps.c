/* SPDX-License-Identifier: BSD-2-Clause */
/* The texts of /proc: maps, status, stat, and what cgroup_read goes by. */
#include <stdlib.h>
#include <string.h>

#include "proc/cgroup.h"
#include "proc/maps.h"
#include "source/memsrc_impl.h"
#include "proc/status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct source {
	struct memsrc m;
	const char *text, *end; /* strings, one behind the other; each is the answer to a key */
};

static int answer(struct memsrc *m, const char *key, unsigned int seq, struct text *out)
{
	struct source *s = (struct source *)m;
	const char *p = s->text;

	if (p >= s->end)
		return -ENOENT;
	s->text += strlen(p) + 1;
	return text_add(out, p, strlen(p));
}

static const struct memsrc_ops ops = { .text = answer };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct source s = { .m = { .ops = &ops, .pid = 1, .page_size = 4096 } };
	char *text = malloc(size + 1);
	struct maps maps = { 0 };
	struct proc_status status;
	struct proc_stat stat;
	struct cgroup cg;
	struct err e;

	memcpy(text, data, size);
	text[size] = 0;
	if (!maps_parse(text, &maps, &e)) {
		for (size_t i = 0; i < maps.vma.n; i++) {
			const struct vma *v = &maps.vma.v[i];

			if (maps_find(&maps, v->start) != v || maps_find(&maps, v->end - 1) != v)
				abort();
			vma_outside_rss(v, false);
		}
		maps_free(&maps);
	}
	proc_status_parse(text, &status);
	proc_stat_parse(text, &stat);
	s.text = text;
	s.end = text + size;
	if (!cgroup_read(memsrc_texts(&s.m), &cg, &e))
		cgroup_free(&cg);
	free(text);
	return 0;
}
