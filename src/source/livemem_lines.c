/* SPDX-License-Identifier: BSD-2-Clause */
/* The cache of lines, which small reads go through: slots filled round and round, found by hash. */
#include <string.h>

#include "source/livemem_impl.h"

enum { WAYS = 4 };

/* Where the places begin that a line may have in line_slot: WAYS of them. */
static uint32_t places_of(uint64_t line)
{
	return (line * 0x9e3779b97f4a7c15ULL >> (64 - LINE_HASH_BITS)) & ~(uint32_t)(WAYS - 1);
}

/* The slot of a cached line, or LINES. */
size_t livemem_slot_of(const struct livemem *l, uint64_t line)
{
	const uint16_t *place = l->c->line_slot + places_of(line);

	for (int i = 0; i < WAYS; i++)
		if (l->c->line_tag[place[i]] == line + 1)
			return place[i];
	return LINES;
}

/* The cached line, or NULL. */
const uint8_t *livemem_line(const struct livemem *l, uint64_t line)
{
	size_t slot = livemem_slot_of(l, line);

	if (slot == LINES)
		return NULL;
	l->c->line_used[slot] = true;
	return l->c->lines + slot * LINE;
}

size_t livemem_slots(struct livemem *l, size_t n)
{
	size_t slot = l->c->line_next + n <= LINES ? l->c->line_next : 0;

	if (n > LINES)
		return LINES;
	memset(l->c->line_tag + slot, 0, n * sizeof(*l->c->line_tag));
	l->c->line_next = slot + n;
	l->c->line_end = l->c->line_next > l->c->line_end ? l->c->line_next : l->c->line_end;
	l->c->line_top = l->c->line_end > l->c->line_top ? l->c->line_end : l->c->line_top;
	return slot;
}

void livemem_put_line(struct livemem *l, size_t slot, uint64_t line, bool used)
{
	uint32_t at = places_of(line);
	int i = 0;

	/* a place that leads to no line of these places; the last one is taken from another */
	while (i < WAYS - 1 && l->c->line_tag[l->c->line_slot[at + i]] &&
	       places_of(l->c->line_tag[l->c->line_slot[at + i]] - 1) == at)
		i++;
	l->c->line_slot[at + i] = slot;
	l->c->line_tag[slot] = line + 1;
	l->c->line_used[slot] = used;
}

bool livemem_cached(struct livemem *l, uint64_t addr, void *buf, size_t len)
{
	uint8_t *p = buf;

	if (!l->c || addr + len < addr)
		return false;
	while (len) {
		size_t n = LINE - addr % LINE;
		const uint8_t *line = livemem_line(l, addr / LINE);

		n = n < len ? n : len;
		if (!line)
			return false;
		memcpy(p, line + addr % LINE, n);
		addr += n;
		p += n;
		len -= n;
	}
	return true;
}
