/* SPDX-License-Identifier: BSD-2-Clause */
/* An entry of the cache; then its facts without the checksum. What is taken is written back alike.
 */
#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "goruntime/cache.h"

enum { HEAD = 20 }; /* magic, checksum, length of the key */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct go_facts *f)
{
	_text_ struct text bytes = { 0 };
	struct go_facts back;

	if (f->layout >= go_nlayouts || f->nstack_sizes > GO_STACK_SIZES ||
	    f->gc_code.stack_scan > GO_FIELD_COUNT)
		abort();
	if (go_facts_encode(f, &bytes))
		return; /* out of memory */
	if (go_facts_decode(bytes.p, bytes.n, &back) || back.layout != f->layout ||
	    memcmp(&back.g, &f->g, sizeof(f->g)) || back.nstack_sizes != f->nstack_sizes)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_text_ struct text key = { 0 };
	struct go_facts f;
	/* the key is what the entry says, as if its file had been asked for */
	uint64_t n = size > HEAD ? load_u32(data + HEAD - 4) : 0;

	if (size > HEAD && text_add(&key, data + HEAD, n < size - HEAD ? n : size - HEAD))
		return 0;
	if (key.p && !go_cache_decode(&key, data, size, &f))
		check(&f);
	if (!go_facts_decode(data, size, &f))
		check(&f);
	return 0;
}
