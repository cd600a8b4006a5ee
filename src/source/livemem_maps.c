/* SPDX-License-Identifier: BSD-2-Clause */
/* What is absent: unmapped, filled by others when it is touched, or known to read as zeros. */
#include <errno.h>
#include <sys/ioctl.h>

#include "base/clock.h"
#include "base/text.h"
#include "source/handle_impl.h"
#include "source/livemem_impl.h"
#include "source/memsrc_impl.h"

enum {
	ASK_MIN = 64 << 10, /* bytes of maps, from which on the kernel is asked for one mapping */
	QUESTIONS = 4096,   /* until the next flush: then the text costs less */
};

void livemem_forget_maps(struct livemem *l)
{
	maps_free(&l->maps);
	text_free(&l->maps_text);
	l->maps_known = false;
	l->questions = 0;
}

/* ns. So long it holds which ranges others fill (a userfaultfd), from one snapshot to the next,
 * too: finding out walks all of the target's page tables, a third of what a snapshot costs. Who
 * fills memory of a Go runtime registers it before the process goes on (a checkpoint restored
 * lazily). */
#define USERFAULT_NS 600000000000ULL

void livemem_age_userfault(struct livemem *l, uint64_t now_ns)
{
	if (l->userfault_state == USERFAULT_KNOWN && now_ns - l->userfault_ns < USERFAULT_NS)
		return;
	l->userfault.n = 0;
	l->userfault_state = USERFAULT_UNREAD;
}

const struct maps *livemem_maps(struct livemem *l)
{
	if (!l->maps_known) {
		l->maps_known = true;
		if ((!l->maps_text.n && handle_text(l->h, "proc/maps", &l->maps_text)) ||
		    maps_parse_text(&l->maps_text, &l->maps, NULL))
			maps_free(&l->maps);
		text_free(&l->maps_text);
	}
	return &l->maps;
}

/* include/uapi/linux/fs.h of 6.11 (newer than the headers we build with). */
struct procmap_query {
	uint64_t size, query_flags, query_addr;
	uint64_t vma_start, vma_end, vma_flags, vma_page_size, vma_offset, inode;
	uint32_t dev_major, dev_minor, vma_name_size, build_id_size;
	uint64_t vma_name_addr, build_id_addr;
};
_Static_assert(sizeof(struct procmap_query) == 104, "struct procmap_query is UAPI");
#define PROCMAP_QUERY_IOCTL _IOWR('f', 17, struct procmap_query)
enum { COVERING_OR_NEXT = 0x10 }; /* the lower flags are those of struct vma */

/* Asks the kernel for the mapping at addr or the next one above, into l->asked. False: it does not
 * tell. */
static bool ask_vma(struct livemem *l, uint64_t addr)
{
	struct procmap_query q = { .size = sizeof(q),
				   .query_flags = COVERING_OR_NEXT,
				   .query_addr = addr,
				   .vma_name_size = sizeof(l->asked_name),
				   .vma_name_addr = (uintptr_t)l->asked_name };
	int fd = handle_held(l->h, HELD_MAPS), r;

	r = fd < 0 ? fd : ioctl(fd, PROCMAP_QUERY_IOCTL, &q);
	if (r && errno == ENOENT)
		q = (struct procmap_query){ .vma_start = UINT64_MAX, .vma_end = UINT64_MAX };
	else if (r)
		return false; /* ENAMETOOLONG, too: a file, of which a text can tell */
	if (!q.vma_name_size)
		l->asked_name[0] = 0;
	l->asked_from = addr;
	l->asked = (struct vma){ .start = q.vma_start,
				 .end = q.vma_end,
				 .offset = q.vma_offset,
				 .flags = q.vma_flags & (VMA_R | VMA_W | VMA_X | VMA_SHARED),
				 .dev_major = q.dev_major,
				 .dev_minor = q.dev_minor,
				 .inode = q.inode,
				 .name = l->asked_name };
	return true;
}

/* The mapping at addr, or NULL: then *next, where the first one above it begins. The text is the
 * dearer the more mappings there are; a few questions cost nothing. */
static const struct vma *vma_or_next(struct livemem *l, uint64_t addr, uint64_t *next)
{
	const struct maps *m;
	size_t i, n;

	if (!l->maps_known && l->maps_size > ASK_MIN && l->questions < QUESTIONS) {
		if ((l->questions && addr >= l->asked_from && addr < l->asked.end) ||
		    (l->questions++, ask_vma(l, addr))) {
			*next = l->asked.start;
			return l->asked.start <= addr ? &l->asked : NULL;
		}
		l->questions = QUESTIONS;
	}
	m = livemem_maps(l);
	for (i = 0, n = m->vma.n; i < n;) {
		size_t mid = i + (n - i) / 2;

		if (m->vma.v[mid].end > addr)
			n = mid;
		else
			i = mid + 1;
	}
	*next = i < m->vma.n ? m->vma.v[i].start : UINT64_MAX;
	return *next <= addr ? &m->vma.v[i] : NULL;
}

const struct vma *livemem_vma(struct livemem *l, uint64_t addr)
{
	return maps_find(livemem_maps(l), addr);
}

void livemem_take_maps(struct livemem *l, const char *text, size_t n)
{
	livemem_forget_maps(l);
	l->maps_size = n;
	if (text_add(&l->maps_text, text, n)) /* without memory it is read when needed */
		text_free(&l->maps_text);
}

/* Whether others fill pages at addr; false as well when that can't be known. *stop comes down to
 * where that changes. */
static bool is_own(struct livemem *l, uint64_t addr, uint64_t *stop)
{
	const range_vec *u = &l->userfault;
	size_t i;

	if (l->userfault_state == USERFAULT_UNREAD) {
		l->userfault_state = USERFAULT_KNOWN;
		l->userfault_ns = mono_ns();
		if (handle_userfault(l->h, &l->userfault))
			l->userfault_state = USERFAULT_UNKNOWN;
	}
	if (l->userfault_state == USERFAULT_UNKNOWN)
		return false;
	i = range_lower(u->v, u->n, addr);
	if (i < u->n && u->v[i].start <= addr) {
		*stop = u->v[i].end < *stop ? u->v[i].end : *stop;
		return false;
	}
	if (i < u->n && u->v[i].start < *stop)
		*stop = u->v[i].start;
	return true;
}

/*
 * What a reader of counters has found untouched counts as that in the next of his readings, too,
 * until a flush: variables that nobody has set lie there, and stay mapped as long as the program
 * does. Finding out again would cost him more than all else. False: nothing is known at addr.
 */
static bool is_untouched(const struct livemem *l, uint64_t addr, uint64_t *stop)
{
	for (size_t i = 0; l->reader == READER_COUNTERS && i < ARRAY_LEN(l->untouched); i++) {
		const struct range *r = &l->untouched[i];

		if (r->start <= addr && addr < r->end) {
			*stop = r->end < *stop ? r->end : *stop;
			return true;
		}
	}
	return false;
}

static void note_untouched(struct livemem *l, uint64_t start, uint64_t end)
{
	if (l->reader == READER_COUNTERS)
		l->untouched[l->untouched_next++ % ARRAY_LEN(l->untouched)] =
			(struct range){ .start = start, .end = end };
}

int livemem_absent(struct livemem *l, bool untouched, uint64_t start, uint64_t end,
		   range_vec *holes)
{
	while (start < end) {
		uint64_t stop = end, next;
		const struct vma *v;
		int rc = 0;

		if (untouched && is_untouched(l, start, &stop)) {
			start = stop;
			continue;
		}
		v = vma_or_next(l, start, &next);
		if (!v) {
			stop = next < end ? next : end;
			rc = range_append(holes, start, stop, HOLE_UNMAPPED);
		} else {
			stop = v->end < end ? v->end : end;
			if (!untouched || !vma_is_private_anon(v) ||
			    !(v->flags & (VMA_R | VMA_W)) || !is_own(l, start, &stop))
				rc = range_append(holes, start, stop, HOLE_ABSENT);
			else
				note_untouched(l, start, stop);
		}
		if (rc)
			return rc;
		start = stop;
	}
	return 0;
}
