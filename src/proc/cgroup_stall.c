/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proc/cgroup.h"

/* "some avg10=0.12 avg60=3.40 avg300=0.00 total=123456", total in microseconds. */
bool cgroup_stalls_parse(const char *text, uint64_t *percent, uint64_t *ns)
{
	const char *some = strncmp(text, "some ", 5) ? strstr(text, "\nsome ") : text;
	const char *end = some ? some + 1 + strcspn(some + 1, "\n") : NULL;
	const char *avg = some ? strstr(some, " avg60=") : NULL;
	const char *total = some ? strstr(some, " total=") : NULL;
	unsigned long long share, us;

	if (!avg || !total || avg > end || total > end)
		return false;
	errno = 0;
	share = strtoull(avg + 7, NULL, 10);
	us = strtoull(total + 7, NULL, 10);
	if (errno || share > 100 || us > UINT64_MAX / 1000)
		return false;
	*percent = share;
	*ns = us * 1000;
	return true;
}
