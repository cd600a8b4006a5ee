/* SPDX-License-Identifier: BSD-2-Clause */
#include "collect/files.h"

#include <string.h>

#include "binary/binary.h"

struct keep {
	struct memsrc *m;
	const char *path;
	int fd;
};

static int keep_piece(void *ctx, uint64_t off, uint64_t len)
{
	struct keep *p = ctx;

	return memsrc_keep_piece(p->m, p->path, p->fd, off, len);
}

int look_open_file(struct look *k, const char *path, uint64_t start, uint64_t end, struct bin **out,
		   struct err *e)
{
	_close_ int fd = -1;
	struct bin *b = NULL;
	int r = memsrc_file(k->m, path, start, end, &fd);

	if (r)
		return err_set(e, r, "%s can't be opened: %s", path, strerror(-r));
	r = bin_open(fd, &b, e);
	if (r)
		return r;
	r = bin_pieces(b, keep_piece, &(struct keep){ k->m, path, fd });
	if (r) {
		bin_close(b);
		return err_set(e, r, "%s: saving its headers: %s", path, strerror(-r));
	}
	*out = b;
	return 0;
}
