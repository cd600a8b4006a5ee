/* SPDX-License-Identifier: BSD-2-Clause */
/* Shared by livemem.c and livemem_gather.c. */
#ifndef RSSCOPE_SOURCE_LIVEMEM_IMPL_H
#define RSSCOPE_SOURCE_LIVEMEM_IMPL_H

#include <sys/uio.h>

#include "source/livemem.h"

enum { IOVS = 256 };

/* Copies of present bytes that are to be made at once. */
struct runs {
	struct iovec local[IOVS], remote[IOVS];
	size_t n;
};

/* Adds one, after a flush when there is no room; what could not be read goes to holes. 0 or -errno.
 */
int runs_add(struct livemem *l, struct runs *r, uint64_t addr, uint8_t *buf, size_t len,
	     range_vec *holes);
int runs_flush(struct livemem *l, struct runs *r, range_vec *holes);

enum page { PAGE_ABSENT, PAGE_THERE, PAGE_ELSEWHERE };

/* enum page, as of the last flush; -ESRCH. */
int livemem_page(struct livemem *l, uint64_t addr);

/* Needed before anything is read. 0 or -ENOMEM. */
int livemem_make_caches(struct livemem *l);

#endif
