/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a reader has read before is read at once: which lines he asked for is remembered from one
 * time to the next. Which of their pages are present is looked up as for any read.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "source/handle_impl.h"
#include "source/livemem_impl.h"

enum {
	WANTED_MAX = 1024, /* lines of a reader: what is beyond is read when it is wanted */
	NEAR = 4,	   /* groups of pages: looking those up costs less than a system call */
	NEAR_MAX = 128,
	STRETCHES = 4, /* more of them: neighbours come together */
};

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* In order, each once. */
static size_t put_in_order(uint64_t *v, size_t n)
{
	size_t out = 0;

	if (n)
		qsort(v, n, sizeof(*v), by_number);
	for (size_t i = 0; i < n; i++)
		if (!out || v[out - 1] != v[i])
			v[out++] = v[i];
	return out;
}

static void want_line(struct livemem *l, uint64_t line)
{
	size_t *n = &l->wanted[l->reader].n;

	if (l->wanted_all)
		return;
	if (*n == WANTED_MAX) {
		*n = put_in_order(l->wanted[l->reader].v, *n);
		/* sorted again soon it would cost more than it brings */
		l->wanted_all = *n > WANTED_MAX / 2;
	}
	/* what does not fit, or finds no memory, is read when it is wanted */
	if (*n < WANTED_MAX)
		(void)vec_push(&l->wanted[l->reader], line);
}

void livemem_remember(struct livemem *l)
{
	for (size_t i = 0; i < l->c->line_end && l->reader >= 0; i++)
		if (l->c->line_tag[i] && l->c->line_used[i])
			want_line(l, l->c->line_tag[i] - 1);
}

void livemem_want(struct livemem *l, uint64_t addr, size_t len)
{
	for (uint64_t i = addr / LINE; l->reader >= 0 && i <= (addr + len - 1) / LINE; i++)
		want_line(l, i);
}

static uint64_t group_of(const struct livemem *l, uint64_t line)
{
	return line * LINE / l->page_size / PRESENCE_PAGES;
}

/* Where a stretch that begins with line[i] ends: groups in it are at most `near` apart. */
static size_t stretch_end(const struct livemem *l, const uint64_t *line, size_t i, size_t n,
			  uint64_t near)
{
	uint64_t first = group_of(l, line[i]), last = first;

	for (; i < n; i++) {
		uint64_t g = group_of(l, line[i]);

		if (g - last > near || g - first >= WINDOW_PAGES / PRESENCE_PAGES)
			break;
		last = g;
	}
	return i;
}

/* How far apart groups of a stretch may be, so that there are few stretches. */
static uint64_t choose_near(const struct livemem *l, const uint64_t *line, size_t n)
{
	uint64_t near = NEAR;

	for (; near < NEAR_MAX; near *= 2) {
		size_t stretches = 0;

		for (size_t i = 0; i < n; i = stretch_end(l, line, i, n, near))
			stretches++;
		if (stretches <= STRETCHES)
			break;
	}
	return near;
}

/* Which pages of the lines are present. */
static void look_ahead(struct livemem *l, const uint64_t *line, size_t n)
{
	uint64_t near = choose_near(l, line, n);

	for (size_t i = 0, j; i < n; i = j) {
		uint64_t first, last;
		long got;

		j = stretch_end(l, line, i, n, near);
		first = group_of(l, line[i]);
		last = group_of(l, line[j - 1]);
		got = pagemap_present(l->pagemap, first * PRESENCE_PAGES, l->c->entries,
				      (last - first + 1) * PRESENCE_PAGES);
		for (uint64_t g = first; g <= last && got > 0; g++, got -= PRESENCE_PAGES)
			livemem_set_presence(l, g, l->c->entries + (g - first) * PRESENCE_PAGES,
					     got);
	}
}

/* Reads as many of line[0..n), which are present, as one call takes, neighbours as one copy. How
 * many these were; 0: none could be read. */
static size_t read_lines(struct livemem *l, const uint64_t *line, size_t n)
{
	struct iovec remote[IOVS], local;
	size_t lines = 0, iovs = 0, slot;
	ssize_t got;

	for (; lines < n; lines++) {
		if (lines && line[lines] == line[lines - 1] + 1) {
			remote[iovs - 1].iov_len += LINE;
			continue;
		}
		if (iovs == IOVS)
			break;
		remote[iovs++] = (struct iovec){ (void *)(uintptr_t)(line[lines] * LINE), LINE };
	}
	slot = livemem_slots(l, lines);
	if (slot == LINES)
		return 0;
	local = (struct iovec){ l->c->lines + slot * LINE, lines * LINE };
	got = process_vm_readv(l->h->pid, &local, 1, remote, iovs, 0);
	if (got <= 0)
		return 0;
	for (size_t i = 0; got >= LINE; i++, got -= LINE)
		livemem_put_line(l, slot + i, line[i], false);
	return lines;
}

void livemem_again(struct livemem *l, enum memsrc_reader who)
{
	uint64_t line[WANTED_MAX];
	size_t n, there = 0, got = 1;

	if (who == READER_COUNTERS)
		livemem_forget(l);
	else
		livemem_flush(l);
	l->reader = who;
	l->wanted_all = false;
	n = put_in_order(l->wanted[who].v, l->wanted[who].n);
	if (!n || l->h->by_procmem || livemem_make_caches(l))
		return;
	memcpy(line, l->wanted[who].v, n * sizeof(*line));
	l->wanted[who].n = 0;
	look_ahead(l, line, n);
	for (size_t i = 0; i < n; i++)
		if (livemem_page(l, line[i] * LINE) == PAGE_THERE)
			line[there++] = line[i];
	for (size_t i = 0; i < there && got; i += got)
		got = read_lines(l, line + i, there - i);
	/* What was read is the process's as long as its memory is there: else the PID may be
	 * another's. */
	if (there && !handle_has_mm(l->h))
		livemem_clear_lines(l->c);
}
