/* SPDX-License-Identifier: BSD-2-Clause */
/* A goroutine's labels of a process whose memory is the input: bounded, and nothing outside of it.
 */
#include <stdlib.h>
#include <string.h>

#include "goruntime/labels.h"

#include "fuzz_memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct memsrc_ops ops = { .read = fuzz_read };

static void look(const uint8_t *data, size_t size, const char *release)
{
	struct fuzz_memory p = { .m = { .ops = &ops, .page_size = 4096, .kind = MEMSRC_CORE },
				 .p = data,
				 .n = size };
	struct go_runtime rt = { .m = &p.m, .l = go_layout_find(release, "amd64") };
	struct go_labels l;

	if (!go_labels_read(&rt, FUZZ_BASE, &l))
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
