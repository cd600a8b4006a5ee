/* SPDX-License-Identifier: BSD-2-Clause */
/* What the kernel says of the process that tests: for leaks. */
#ifndef RSSCOPE_TESTS_SELF_H
#define RSSCOPE_TESTS_SELF_H

#include <dirent.h>
#include <stdio.h>

/* Open descriptors, and as many more each time. */
static inline int self_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n;
}

/* Resident anonymous memory; 0: not known. */
static inline long self_anonymous_kib(void)
{
	FILE *f = fopen("/proc/self/smaps_rollup", "re");
	char line[256];
	long kib = 0;

	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "Anonymous: %ld", &kib);
	if (f)
		fclose(f);
	return kib;
}

#endif
