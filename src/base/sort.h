/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef RSSCOPE_BASE_SORT_H
#define RSSCOPE_BASE_SORT_H

#include <stddef.h>
#include <stdint.h>

/*
 * Sorts n keys by their bits from `low` on, of which the largest is max (shifted down by low); what
 * is below stays as it came: room for an index. In time linear in n. tmp has room for n; gives the
 * sorted one of both.
 */
uint64_t *sort_keys(uint64_t *from, uint64_t *tmp, size_t n, unsigned int low, uint64_t max);

#endif
