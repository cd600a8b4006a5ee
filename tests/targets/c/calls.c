/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * calls THREADS CALLS: each thread makes that many calls that change mappings, of all
 * kinds and shapes and many that fail, in an order that depends on its number only. Prints a line
 * when it is ready; starts at a line on stdin; prints how many calls were made; ends with stdin.
 * calls -storm THREADS SECONDS: pairs of mmap and munmap as fast as they go; prints their number.
 * calls -syscalls N: prints the ns that one getppid takes, best of ten rounds of N.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096, SLOTS = 8, THREADS_MAX = 64 };

struct worker {
	pthread_t thread;
	uint64_t rng;
	long n, made;
	char *at[SLOTS];
	size_t len[SLOTS];
	char *segment;
};

static pthread_barrier_t start;
static int file, shmid;
static volatile int stop;

static uint64_t next(struct worker *w)
{
	w->rng ^= w->rng << 13;
	w->rng ^= w->rng >> 7;
	w->rng ^= w->rng << 17;
	return w->rng;
}

static void map(struct worker *w, int slot)
{
	size_t len = (1 + next(w) % 16) * PAGE;
	int flags = MAP_PRIVATE, fd = -1;
	void *p;
	bool anon = next(w) % 4;
	int prot = next(w) % 2 ? PROT_READ | PROT_WRITE : PROT_NONE;

	if (w->at[slot])
		return;
	if (anon)
		flags |= MAP_ANONYMOUS;
	else
		fd = file;
	p = mmap(NULL, len, prot, flags, fd, 0);
	if (p != MAP_FAILED) {
		w->at[slot] = p;
		w->len[slot] = len;
	}
}

static void unmap(struct worker *w, int slot)
{
	bool half = next(w) % 3 == 0;
	size_t part;

	if (!w->at[slot])
		return;
	/* A half of one page is nothing, which is EINVAL: whether there was room to grow a mapping
	 * before must not change how many calls are made. */
	part = w->len[slot] / 2 / PAGE * PAGE;
	munmap(w->at[slot], half ? part : w->len[slot]);
	w->at[slot] = half ? w->at[slot] + part : NULL;
	w->len[slot] -= part;
}

static void remap(struct worker *w, int slot)
{
	size_t len = (1 + next(w) % 32) * PAGE;
	int flags = next(w) % 2 ? MREMAP_MAYMOVE : 0;
	void *p;

	if (!w->at[slot])
		return;
	if (next(w) % 4 == 0) { /* MREMAP_DONTUNMAP: what is there stays there, empty */
		p = mremap(w->at[slot], w->len[slot], w->len[slot], MREMAP_MAYMOVE | 4);
		/* or EINVAL: the number of calls must not depend on how it went */
		munmap(p == MAP_FAILED ? (void *)1 : p, w->len[slot]);
		return;
	}
	p = mremap(w->at[slot], w->len[slot], len, flags);
	if (p != MAP_FAILED) {
		w->at[slot] = p;
		w->len[slot] = len;
	}
}

/* Over the thread's own mapping: what is there goes. */
static void overlay(struct worker *w, int slot)
{
	if (w->at[slot])
		mmap(w->at[slot], PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

static void protect(struct worker *w, int slot)
{
	static const int prot[] = { PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE };
	int to = prot[next(w) % 3];

	if (!w->at[slot])
		return;
	if (next(w) % 4)
		mprotect(w->at[slot], w->len[slot], to);
	else
		syscall(SYS_pkey_mprotect, w->at[slot], PAGE, to, -1);
}

static void advise(struct worker *w, int slot)
{
	static const int advice[] = { MADV_DONTNEED,
				      MADV_FREE,
				      MADV_HUGEPAGE,
				      MADV_NOHUGEPAGE,
				      MADV_DONTFORK,
				      MADV_REMOVE,
				      MADV_COLD,
				      22,
				      25,
				      77 };

	if (w->at[slot])
		madvise(w->at[slot], w->len[slot], advice[next(w) % 10]);
}

/* By far not all kernels have names, and not everybody may set what PR_SET_MM sets: then they fail.
 */
static void control(struct worker *w, int slot)
{
	if (!w->at[slot])
		return;
	switch (next(w) % 4) {
	case 0:
		prctl(0x53564d41, 0, w->at[slot], w->len[slot], "a name"); /* PR_SET_VMA */
		break;
	case 1:
		prctl(0x53564d41, 0, w->at[slot], w->len[slot], NULL);
		break;
	case 2:
		prctl(PR_SET_MM, 99, 0, 0, 0);
		break;
	case 3:
		prctl(41, next(w) % 2, 0, 0, 0); /* PR_SET_THP_DISABLE */
		break;
	}
}

static void segment(struct worker *w)
{
	static const int flags[] = { 0, SHM_RDONLY, SHM_EXEC };
	void *p;

	if (w->segment) {
		if (next(w) % 4 == 0)
			syscall(SYS_remap_file_pages, w->segment, PAGE, 0, 1, 0);
		shmdt(w->segment);
		w->segment = NULL;
		return;
	}
	p = shmat(shmid, NULL, flags[next(w) % 3]);
	if (p != (void *)-1)
		w->segment = p;
}

static void fail(struct worker *w)
{
	switch (next(w) % 12) {
	case 0:
		mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); /* EINVAL */
		break;
	case 1:
		mmap(NULL, 1UL << 60, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); /* ENOMEM */
		break;
	case 2:
		mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, 999, 0); /* EBADF */
		break;
	case 3:
		munmap((void *)1, PAGE); /* EINVAL */
		break;
	case 4:
		munmap((void *)PAGE, 0); /* EINVAL */
		break;
	case 5:
		mremap((void *)(16UL * PAGE), PAGE, 2 * PAGE, MREMAP_MAYMOVE); /* EFAULT */
		break;
	case 6:
		syscall(SYS_brk, 1UL); /* unchanged */
		break;
	case 7:
		mmap(NULL, PAGE, PROT_READ, 0, -1, 0); /* EINVAL: neither shared nor private */
		break;
	case 8:
		mprotect((void *)(16UL * PAGE), PAGE, PROT_READ); /* ENOMEM */
		break;
	case 9:
		shmat(-1, NULL, 0); /* EINVAL */
		break;
	case 10:
		shmdt((void *)(16UL * PAGE)); /* EINVAL */
		break;
	case 11: /* EEXIST */
		mmap(w, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | 0x100000, -1, 0);
		break;
	}
}

static void grow_brk(struct worker *w)
{
	unsigned long now = syscall(SYS_brk, 0UL);

	if (next(w) % 2)
		syscall(SYS_brk, now + PAGE);
}

static void *work(void *arg)
{
	struct worker *w = arg;

	pthread_barrier_wait(&start);
	for (long i = 0; i < w->n; i++) {
		int slot = next(w) % SLOTS;

		switch (next(w) % 12) {
		case 0:
		case 1:
		case 2:
			map(w, slot);
			break;
		case 3:
		case 4:
			unmap(w, slot);
			break;
		case 5:
			remap(w, slot);
			break;
		case 6:
			overlay(w, slot);
			break;
		case 7:
			if (next(w) % 2)
				fail(w);
			else
				grow_brk(w);
			break;
		case 8:
			protect(w, slot);
			break;
		case 9:
			advise(w, slot);
			break;
		case 10:
			control(w, slot);
			break;
		case 11:
			segment(w);
			break;
		}
	}
	return NULL;
}

static void *storm(void *arg)
{
	struct worker *w = arg;

	pthread_barrier_wait(&start);
	while (!stop) {
		void *p = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		munmap(p, PAGE);
		w->made += 2;
	}
	return NULL;
}

static void time_syscalls(long n)
{
	double best = 0;

	for (int round = 0; round < 10; round++) {
		struct timespec a, b;
		double ns;

		clock_gettime(CLOCK_MONOTONIC, &a);
		for (long i = 0; i < n; i++)
			syscall(SYS_getppid);
		clock_gettime(CLOCK_MONOTONIC, &b);
		ns = ((b.tv_sec - a.tv_sec) * 1e9 + (b.tv_nsec - a.tv_nsec)) / n;
		if (!round || ns < best)
			best = ns;
	}
	printf("%.1f\n", best);
}

int main(int argc, char **argv)
{
	static struct worker w[THREADS_MAX];
	int storming = argc == 4 && !strcmp(argv[1], "-storm");
	int threads = argc > 2 ? atoi(argv[argc - 2]) : 4;
	long n = argc > 1 ? atol(argv[argc - 1]) : 100, made = 0;

	if (argc == 3 && !strcmp(argv[1], "-syscalls")) {
		time_syscalls(n);
		return 0;
	}
	if (threads < 1 || threads > THREADS_MAX || n < 1)
		return 2;
	file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	shmid = shmget(IPC_PRIVATE, 5 * PAGE, IPC_CREAT | 0600);
	shmat(shmid, NULL, SHM_RDONLY);
	shmctl(shmid, IPC_RMID, NULL); /* it goes with us; Linux lets it be attached all the same */
	pthread_barrier_init(&start, NULL, threads + 1);
	for (int i = 0; i < threads; i++) {
		w[i].rng = 0x9e3779b97f4a7c15ULL * (i + 1);
		w[i].n = n;
		pthread_create(&w[i].thread, NULL, storming ? storm : work, &w[i]);
	}
	setbuf(stdin, NULL); /* no buffer of its own to be mapped in between */
	puts("ready");
	fflush(stdout);
	if (getchar() == EOF)
		return 0;
	pthread_barrier_wait(&start);
	if (storming)
		sleep(n);
	stop = 1;
	for (int i = 0; i < threads; i++) {
		pthread_join(w[i].thread, NULL);
		made += w[i].made;
	}
	printf("%ld\n", made);
	fflush(stdout);
	while (getchar() != EOF)
		;
	return 0;
}
