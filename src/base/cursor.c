/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/cursor.h"

uint64_t cursor_uvarint(struct cursor *c)
{
	uint64_t x = 0;

	for (unsigned int shift = 0; shift < 64; shift += 7) {
		uint8_t b = cursor_u8(c);

		if (c->bad)
			return 0;
		if (shift == 63 && b > 1)
			break;
		x |= (uint64_t)(b & 0x7f) << shift;
		if (!(b & 0x80))
			return x;
	}
	if (!c->bad)
		c->bad_at = c->pos;
	c->bad = true;
	return 0;
}
