/* SPDX-License-Identifier: BSD-2-Clause */
/* For the tools of this folder: a process or a capture, and its runtime. */
#ifndef RSSCOPE_TESTS_GO_MATRIX_TARGET_H
#define RSSCOPE_TESTS_GO_MATRIX_TARGET_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "goruntime/goruntime.h"
#include "proc/maps.h"

struct target {
	struct memsrc *m;
	struct maps maps;
	struct bin *bin;
	uint64_t bias;
};

/* Opens "PID" or a capture file; ends the program when that fails. */
static inline void target_open(struct target *t, const char *what)
{
	struct err e = { 0 };
	_text_ struct text exe = { 0 };
	const struct vma *low = NULL;
	_close_ int fd = -1;
	int r = what[strspn(what, "0123456789")] ? memsrc_open_file(what, &t->m, &e)
						 : memsrc_open_live(atoi(what), &t->m, &e);

	if (!r)
		r = maps_read(memsrc_texts(t->m), 0, &t->maps, &e);
	if (!r)
		r = memsrc_text(t->m, "proc/exe", 0, &exe);
	if (!r)
		exe.p[strcspn(exe.p, "\n")] = 0;
	for (size_t i = 0; !r && i < t->maps.vma.n && !low; i++)
		if (t->maps.vma.v[i].inode && !strcmp(t->maps.vma.v[i].name, exe.p))
			low = &t->maps.vma.v[i];
	if (!r)
		r = memsrc_file(t->m, "exe", low ? low->start : 0, low ? low->end : 0, &fd);
	if (!r)
		r = bin_open(fd, &t->bin, &e);
	if (r) {
		fprintf(stderr, "%s: %s\n", what, e.text[0] ? e.text : strerror(-r));
		exit(2);
	}
	t->bias = low ? bin_bias(t->bin, low->start, low->offset) : 0;
}

static inline void target_close(struct target *t)
{
	bin_close(t->bin);
	maps_free(&t->maps);
	memsrc_close(t->m);
}

#endif
