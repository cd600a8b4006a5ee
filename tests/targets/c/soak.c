/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * soak: does what a line on stdin says, and answers with a line; ends with stdin.
 *	calls N		N mapping calls, with 64 mappings at most at a time
 *	threads N	N threads one after the other, each of which touches its stack
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { PAGE = 4096, SLOTS = 64, THREADS_AT_ONCE = 8 };

struct slot {
	char *at;
	size_t len;
};

static uint32_t next(void)
{
	static uint32_t x = 12345;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return x;
}

static char *map(void *at, size_t len, int flags)
{
	char *p = mmap(at, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);

	if (p == MAP_FAILED)
		exit(1);
	*p = 1;
	return p;
}

static void one_call(struct slot *s)
{
	size_t len = (1 + next() % 16) * PAGE;

	if (!s->at) {
		s->len = len;
		s->at = map(NULL, len, 0);
		return;
	}
	switch (next() % 4) {
	case 0: /* over itself */
		map(s->at, s->len, MAP_FIXED);
		return;
	case 1:
		s->at = mremap(s->at, s->len, len, MREMAP_MAYMOVE);
		if (s->at == MAP_FAILED)
			exit(1);
		s->len = len;
		return;
	case 2: /* its first half, if there is one */
		if (s->len > PAGE) {
			munmap(s->at, PAGE);
			s->at += PAGE;
			s->len -= PAGE;
			return;
		}
		/* fallthrough */
	default:
		munmap(s->at, s->len);
		s->at = NULL;
	}
}

static void *body(__attribute__((unused)) void *arg)
{
	volatile char stack[3 * PAGE];

	for (size_t i = 0; i < sizeof(stack); i += PAGE)
		stack[i] = 1;
	return NULL;
}

static void threads(long n)
{
	while (n > 0) {
		pthread_t t[THREADS_AT_ONCE];
		int k = n < THREADS_AT_ONCE ? (int)n : THREADS_AT_ONCE;

		for (int i = 0; i < k; i++)
			if (pthread_create(&t[i], NULL, body, NULL))
				exit(1);
		for (int i = 0; i < k; i++)
			pthread_join(t[i], NULL);
		n -= k;
	}
}

int main(void)
{
	static struct slot slots[SLOTS];
	char line[64], what[16];
	long n;

	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("ready");
	while (fgets(line, sizeof(line), stdin) && sscanf(line, "%15s %ld", what, &n) == 2) {
		if (!strcmp(what, "threads"))
			threads(n);
		for (long i = 0; i < n && !strcmp(what, "calls"); i++)
			one_call(&slots[next() % SLOTS]);
		puts("done");
	}
	return 0;
}
