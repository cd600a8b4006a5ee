/* SPDX-License-Identifier: BSD-2-Clause */
/* Profiles read back: pprof's format (github.com/google/pprof, proto/profile.proto), gzipped or
 * not, of whatever program wrote it. */
#ifndef RSSCOPE_IN_PPROF_READ_H
#define RSSCOPE_IN_PPROF_READ_H

#include "base/err.h"
#include "model/profile/profile.h"

/* A larger file is refused, and one that becomes larger when it is unzipped. Bytes. */
#define PPROF_MAX (512ULL << 20)

/*
 * Numeric labels are left out but "bytes", the size of each object. 0; -EINVAL: it is no profile,
 * or damaged; -EFBIG; -ENOTSUP: it has more columns than PROFILE_VALUES_MAX; -ENOMEM, each with a
 * text. profile_free(out) in any case.
 */
int pprof_read(const void *p, size_t n, struct profile *out, struct err *e);

/* Whether a file that begins so may be one: gzip's magic number. */
bool pprof_is_zipped(const void *p, size_t n);

#endif
