/* SPDX-License-Identifier: BSD-2-Clause */
/* The cache of lines, which small reads go through: slots filled round and round, found by hash. */
#include <string.h>
#include <sys/mman.h>

#include "source/livemem_impl.h"

enum {
	WAYS = 4,
	FEW_LINES = 64, /* that are kept between snapshots */
};

/* A mapping of its own, so that what is given back is free, wherever malloc would have put it; and
 * no huge page, of which counters alone would use a few KiB. */
uint8_t *livemem_map_lines(void)
{
	void *p = mmap(NULL, (size_t)LINES * LINE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	madvise(p, (size_t)LINES * LINE, MADV_NOHUGEPAGE);
	return p;
}

void livemem_unmap_lines(struct livemem *l)
{
	if (l->lines)
		munmap(l->lines, (size_t)LINES * LINE);
	l->lines = NULL;
	l->line_next = l->line_end = l->line_top = 0;
}

size_t livemem_kept(const struct livemem *l)
{
	return l->line_top * LINE;
}

/* Where the places begin that a line may have in line_slot: WAYS of them. */
static uint32_t places_of(uint64_t line)
{
	return (line * 0x9e3779b97f4a7c15ULL >> (64 - LINE_HASH_BITS)) & ~(uint32_t)(WAYS - 1);
}

/* The slot of a cached line, or LINES. */
size_t livemem_slot_of(const struct livemem *l, uint64_t line)
{
	const uint16_t *place = l->line_slot + places_of(line);

	for (int i = 0; i < WAYS; i++)
		if (l->line_tag[place[i]] == line + 1)
			return place[i];
	return LINES;
}

/* The cached line, or NULL. */
const uint8_t *livemem_line(const struct livemem *l, uint64_t line)
{
	size_t slot = livemem_slot_of(l, line);

	if (slot == LINES)
		return NULL;
	l->line_used[slot] = true;
	return l->lines + slot * LINE;
}

size_t livemem_slots(struct livemem *l, size_t n)
{
	size_t slot = l->line_next + n <= LINES ? l->line_next : 0;

	if (n > LINES)
		return LINES;
	memset(l->line_tag + slot, 0, n * sizeof(*l->line_tag));
	l->line_next = slot + n;
	l->line_end = l->line_next > l->line_end ? l->line_next : l->line_end;
	l->line_top = l->line_end > l->line_top ? l->line_end : l->line_top;
	return slot;
}

void livemem_shrink(struct livemem *l)
{
	livemem_flush(l);
	if (l->line_top <= FEW_LINES)
		return;
	madvise(l->lines + FEW_LINES * LINE, (LINES - FEW_LINES) * LINE, MADV_DONTNEED);
	l->line_top = FEW_LINES;
}

void livemem_put_line(struct livemem *l, size_t slot, uint64_t line, bool used)
{
	uint32_t at = places_of(line);
	int i = 0;

	/* a place that leads to no line of these places; the last one is taken from another */
	while (i < WAYS - 1 && l->line_tag[l->line_slot[at + i]] &&
	       places_of(l->line_tag[l->line_slot[at + i]] - 1) == at)
		i++;
	l->line_slot[at + i] = slot;
	l->line_tag[slot] = line + 1;
	l->line_used[slot] = used;
}

bool livemem_cached(struct livemem *l, uint64_t addr, void *buf, size_t len)
{
	uint8_t *p = buf;

	if (!l->entries || addr + len < addr)
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
