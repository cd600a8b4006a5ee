/* SPDX-License-Identifier: BSD-2-Clause */
/* deep THREADS KIB: so many threads use so much of their stacks, come back, and wait. Says so in a
 * line of JSON; ends with stdin. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pthread_barrier_t back;
static size_t bytes;

static __attribute__((noinline)) void dig(void)
{
	volatile char *room = __builtin_alloca(bytes);

	for (size_t i = 0; i < bytes; i += 512)
		room[i] = 1;
}

static void *run(void *arg)
{
	dig();
	pthread_barrier_wait(&back);
	for (;;)
		pause();
	return arg;
}

int main(int argc, char **argv)
{
	int n = argc > 2 ? atoi(argv[1]) : 0;
	pthread_t t;

	if (n <= 0)
		return 2;
	bytes = (size_t)atoi(argv[2]) << 10;
	pthread_barrier_init(&back, NULL, n + 1);
	for (int i = 0; i < n; i++)
		if (pthread_create(&t, NULL, run, NULL))
			return 1;
	pthread_barrier_wait(&back);
	usleep(200000);
	printf("{\"pid\":%d,\"touched\":%zu}\n", getpid(), n * bytes);
	fflush(stdout);
	while (getchar() != EOF)
		;
	return 0;
}
