/* SPDX-License-Identifier: BSD-2-Clause */
/* A goroutine's labels of a process whose memory is the input: bounded, and nothing outside of it.
 */
#include <stdlib.h>
#include <string.h>

#include "goruntime/labels.h"
#include "source/memsrc_impl.h"

#define BASE 0x100000ULL

struct process {
	struct memsrc m;
	const uint8_t *p;
	size_t n;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int read_mem(struct memsrc *m, enum memsrc_pass pass, uint32_t epoch, uint64_t addr,
		    void *buf, size_t len, range_vec *holes)
{
	const struct process *p = (const struct process *)m;

	memset(buf, 0, len);
	if (addr < BASE || addr - BASE > p->n || len > p->n - (addr - BASE))
		return range_append(holes, addr, addr + len, HOLE_UNMAPPED);
	memcpy(buf, p->p + (addr - BASE), len);
	return 0;
}

static const struct memsrc_ops ops = { .read = read_mem };

static void look(const uint8_t *data, size_t size, const char *release)
{
	struct process p = { .m = { .ops = &ops, .page_size = 4096, .kind = MEMSRC_CORE },
			     .p = data,
			     .n = size };
	struct go_runtime rt = { .m = &p.m, .l = go_layout_find(release, "amd64") };
	struct go_labels l;

	if (!go_labels_read(&rt, BASE, &l))
		for (size_t i = 0; i < l.n; i++)
			if (strlen(l.v[i].key) > GO_LABEL_MAX ||
			    strlen(l.v[i].value) > GO_LABEL_MAX ||
			    (i && strcmp(l.v[i - 1].key, l.v[i].key) > 0))
				abort();
	if (l.n > GO_LABELS_MAX || l.used > sizeof(l.text))
		abort();
	vec_free(&p.m.holes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	look(data, size, "go1.23.12");
	look(data, size, "go1.26.8");
	return 0;
}
