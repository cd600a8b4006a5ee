/* SPDX-License-Identifier: BSD-2-Clause */
/* A handle as a message with descriptors. */
#include <errno.h>

#include "base/fdpass.h"
#include "source/opener.h"
#include "source/opener_impl.h"

_Static_assert((int)HANDLE_FDS == 5 + HELD_COUNT, "a bit each");
_Static_assert((int)HANDLE_FDS <= (int)FDPASS_MAX, "all go in one message");

void handle_fds(struct handle *h, int *fd[HANDLE_FDS])
{
	fd[0] = &h->proc_fd;
	fd[1] = &h->mem;
	fd[2] = &h->pagemap.fd;
	fd[3] = &h->pidfd;
	fd[4] = &h->pagemap.kflags;
	for (int i = 0; i < HELD_COUNT; i++)
		fd[5 + i] = &h->held[i];
}

/* Without these there is no handle: the first three, and maps. */
enum { NEEDED = 0x7 | 1 << (5 + HELD_MAPS) };

int handle_to_wire(struct handle *h, uint32_t id, struct handle_wire *w, int *fd, size_t *fds)
{
	int *mine[HANDLE_FDS], rc = h->kind == MEMSRC_LIVE ? handle_hold(h) : -ENOTSUP;

	if (rc)
		return rc;
	*w = (struct handle_wire){ .pid = h->pid,
				   .id = id,
				   .page_size = h->page_size,
				   .start_time = h->start_time,
				   .scan = h->pagemap.scan,
				   .scan_guard = h->pagemap.scan_guard,
				   .zero_pfn = h->pagemap.zero_pfn };
	*fds = 0;
	handle_fds(h, mine);
	for (size_t i = 0; i < HANDLE_FDS; i++)
		if (*mine[i] >= 0) {
			w->there |= 1U << i;
			fd[(*fds)++] = *mine[i];
		}
	return 0;
}

static bool is_sane(const struct handle_wire *w, size_t fds)
{
	return w->pid > 0 && (w->there & NEEDED) == NEEDED && !(w->there >> HANDLE_FDS) &&
	       (size_t)__builtin_popcount(w->there) == fds && w->page_size >= 4096 &&
	       w->page_size <= 65536 && !(w->page_size & (w->page_size - 1));
}

int handle_of_wire(const struct handle_wire *w, const int *fd, size_t fds, struct handle **out)
{
	bool sane = is_sane(w, fds);
	struct handle *h = sane ? handle_new(MEMSRC_LIVE) : NULL;
	int *mine[HANDLE_FDS];
	size_t n = 0;

	if (!h) {
		while (fds)
			close(fd[--fds]);
		return sane ? -ENOMEM : -EPROTO;
	}
	handle_fds(h, mine);
	for (size_t i = 0; i < HANDLE_FDS; i++)
		if (w->there & 1U << i)
			*mine[i] = fd[n++];
	h->pid = w->pid;
	h->id = w->id;
	h->page_size = h->pagemap.page_size = w->page_size;
	h->start_time = w->start_time;
	h->pagemap.scan = w->scan;
	h->pagemap.scan_guard = w->scan_guard;
	h->pagemap.zero_pfn = w->zero_pfn;
	h->received = true;
	/* process_vm_readv goes by the PID, and by our own rights. */
	h->by_procmem = true;
	*out = h;
	return 0;
}

int handle_send(int sock, struct handle *h)
{
	struct handle_wire w;
	int fd[HANDLE_FDS], rc;
	size_t fds;

	rc = handle_to_wire(h, 0, &w, fd, &fds);
	return rc ? rc : fdpass_send(sock, &w, sizeof(w), fd, fds);
}

int handle_receive(int sock, struct handle **out)
{
	struct handle_wire w = { 0 };
	int fd[FDPASS_MAX];
	size_t fds = 0;
	ssize_t n = fdpass_receive(sock, &w, sizeof(w), fd, &fds);

	if (n < 0)
		return n;
	if (n != sizeof(w))
		w.there = 0;
	return handle_of_wire(&w, fd, fds, out);
}
