/* SPDX-License-Identifier: BSD-2-Clause */
/* plain: a C program without Go, with malloc, a thread and an anonymous mapping. */
#define _GNU_SOURCE
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SMALL = 3 << 20, ANON = 5 << 20 };

static void *thread(void *arg)
{
	char stack[65536];

	memset(stack, 1, sizeof(stack));
	__asm__ volatile("" : : "r"(stack) : "memory");
	for (;;)
		pause();
	return arg;
}

int main(void)
{
	struct mallinfo2 mi;
	char *p, buf[64];
	pthread_t t;

	for (int i = 0; i < SMALL / 500; i++) {
		p = malloc(500);
		if (!p)
			return 1;
		memset(p, 1, 500);
	}
	p = mmap(NULL, ANON, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED || pthread_create(&t, NULL, thread, NULL))
		return 1;
	memset(p, 1, ANON);
	mi = mallinfo2();
	printf("{\"malloc\":%d,\"arena\":%zu,\"hblkhd\":%zu,\"anon\":%d,\"addr\":\"%p\"}\n",
	       SMALL / 500 * 500, mi.arena, mi.hblkhd, ANON, (void *)p);
	fflush(stdout);
	while (read(STDIN_FILENO, buf, sizeof(buf)) > 0)
		;
	return 0;
}
