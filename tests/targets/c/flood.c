/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flood THREADS SECONDS FILE: that many threads call munmap, which fails, without a pause: more
 * events than anybody can take. Prints a line, and after SECONDS leaves FILE behind and ends: who
 * has ended it before, or was served before it ended, finds no FILE.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static time_t end;

static time_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

static void *flood(void *arg)
{
	while (now() < end)
		for (int i = 0; i < 1024; i++)
			syscall(SYS_munmap, 1, 0);
	return arg;
}

int main(int argc, char **argv)
{
	pthread_t t[16];
	int n = argc == 4 ? atoi(argv[1]) : 0;
	FILE *f;

	if (n < 1 || n > 16)
		return 2;
	end = now() + atoi(argv[2]);
	printf("%d\n", (int)getpid());
	fflush(stdout);
	for (int i = 0; i < n; i++)
		if (pthread_create(&t[i], NULL, flood, NULL))
			return 1;
	for (int i = 0; i < n; i++)
		pthread_join(t[i], NULL);
	f = fopen(argv[3], "w");
	return !f || fclose(f);
}
