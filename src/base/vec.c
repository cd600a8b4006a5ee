/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/vec.h"

#include <stdint.h>

int vec_grow(void **v, size_t *cap, size_t want, size_t size)
{
	size_t n = *cap ? *cap : 8;
	void *p;

	while (n < want) {
		if (n > SIZE_MAX / 2)
			return -ENOMEM;
		n += n / 2 + 1;
	}
	if (n > SIZE_MAX / size)
		return -ENOMEM;
	p = realloc(*v, n * size);
	if (!p)
		return -ENOMEM;
	*v = p;
	*cap = n;
	return 0;
}
