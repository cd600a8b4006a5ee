/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * storm THREADS CALLS [noshm]: CALLS calls that change mappings, all told, from that many
 * threads that share one pool of mappings, so that what one unmaps is at once another's address.
 * Half of the threads map and unmap a page at a time, which all go to the same few addresses.
 * One thread of four has a real-time priority, where that is allowed, and sleeps between its calls:
 * when it is woken by the end of another's unmapping it goes first, and has the address before
 * that call has returned.
 * Prints a line when it is ready; starts at a line on stdin; prints a line when it is done; keeps
 * what is mapped. At another line it makes mappings that no watched call tells of: 1 MiB of stack,
 * the ring of an io_setup(2), what a mapping with MAP_GROWSDOWN grows by; prints a line; ends with
 * stdin.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PAGE = 4096, SLOTS = 64, THREADS_MAX = 64 };

/* A mapping belongs to whoever holds its slot. */
static struct slot {
	atomic_flag held;
	char *at;
	size_t len;
	bool segment, holed; /* holed: what is not there may be another's */
} slots[SLOTS];

static int shmid = -1;

struct worker {
	pthread_t thread;
	uint64_t rng;
	long n;
	bool first, pairs;
};

static pthread_barrier_t start, end;

static uint64_t next(struct worker *w)
{
	w->rng ^= w->rng << 13;
	w->rng ^= w->rng >> 7;
	w->rng ^= w->rng << 17;
	return w->rng;
}

/* Every so often neighbours differ in what they may, so that the kernel does not merge them. */
static void map_private(struct worker *w, struct slot *s)
{
	size_t len = (1 + next(w) % 16) * PAGE;
	int prot = next(w) % 2 ? PROT_READ | PROT_WRITE : PROT_NONE;
	void *p = mmap(NULL, len, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		abort();
	if (prot)
		memset(p, 1, len);
	s->at = p;
	s->len = len;
}

static void map(struct worker *w, struct slot *s)
{
	if (shmid >= 0 && next(w) % 8 == 0) {
		s->at = shmat(shmid, NULL, next(w) % 2 ? SHM_RDONLY : 0);
		s->len = 4 * PAGE;
		s->segment = true;
		if (s->at == (void *)-1)
			abort();
		return;
	}
	map_private(w, s);
}

static void unmap(struct worker *w, struct slot *s)
{
	size_t part = s->len / 2 / PAGE * PAGE;

	if (s->segment) { /* what is left of it */
		shmdt(s->at);
		s->segment = s->holed = false;
		s->at = NULL;
		return;
	}
	if (next(w) % 3 || !part) {
		munmap(s->at, s->len);
		s->at = NULL;
		return;
	}
	/* one half or the other */
	if (next(w) % 2) {
		munmap(s->at + part, s->len - part);
		s->len = part;
	} else {
		munmap(s->at, part);
		s->at += part;
		s->len -= part;
	}
}

static void remap(struct worker *w, struct slot *s)
{
	size_t len = (1 + next(w) % 32) * PAGE;
	void *p;

	if (s->segment)
		return;
	if (next(w) % 4 == 0) { /* MREMAP_DONTUNMAP */
		p = mremap(s->at, s->len, s->len, MREMAP_MAYMOVE | 4);
		if (p != MAP_FAILED)
			munmap(s->at, s->len);
	} else {
		p = mremap(s->at, s->len, len, next(w) % 4 ? MREMAP_MAYMOVE : 0);
		if (p != MAP_FAILED)
			s->len = len;
	}
	if (p == MAP_FAILED)
		return; /* several mappings by now, or no room */
	s->at = p;
}

static void protect(struct worker *w, struct slot *s)
{
	static const int prot[] = { PROT_NONE, PROT_READ, PROT_READ | PROT_EXEC };
	size_t page = next(w) % (s->len / PAGE);

	if (s->holed)
		return;
	mprotect(s->at + page * PAGE, s->len - page * PAGE, prot[next(w) % 3]);
	madvise(s->at, s->len, MADV_DONTNEED);
}

static void overlay(struct worker *w, struct slot *s)
{
	size_t page = next(w) % (s->len / PAGE);

	if (s->holed)
		return;
	if (s->segment && next(w) % 2) {
		munmap(s->at + page * PAGE, PAGE);
		s->holed = true;
		return;
	}
	if (mmap(s->at + page * PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		 0) == MAP_FAILED)
		abort();
}

static void *work(void *arg)
{
	struct worker *w = arg;

	if (w->first) {
		struct sched_param p = { .sched_priority = 1 };

		pthread_setschedparam(pthread_self(), SCHED_FIFO, &p);
	}
	pthread_barrier_wait(&start);
	for (long i = 0; i < w->n;) {
		struct slot *s = &slots[next(w) % SLOTS];

		if (w->first)
			usleep(1);
		if (w->pairs && next(w) % 8) {
			void *p = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

			munmap(p, PAGE);
			i += 2;
			continue;
		}
		if (atomic_flag_test_and_set(&s->held))
			continue;
		if (!s->at)
			map(w, s);
		else if (next(w) % 2)
			unmap(w, s);
		else if (next(w) % 2)
			remap(w, s);
		else if (next(w) % 2)
			protect(w, s);
		else
			overlay(w, s);
		atomic_flag_clear(&s->held);
		i++;
	}
	/* None ends before the test has looked: their stacks would be unmapped. */
	pthread_barrier_wait(&end);
	pthread_barrier_wait(&end);
	return NULL;
}

/* A line has come. */
static bool told(void)
{
	int c;

	do
		c = getchar();
	while (c != EOF && c != '\n');
	return c != EOF;
}

static void use_stack(size_t bytes)
{
	volatile char here[64 * PAGE];

	here[0] = 1;
	if (bytes > sizeof(here))
		use_stack(bytes - sizeof(here));
	here[1] = here[0];
}

static void make_unseen(void)
{
	unsigned long ring = 0;
	char *p = mmap(NULL, 512 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	/* room to grow: the kernel keeps a gap of 256 pages to what is below (stack_guard_gap) */
	munmap(p, 511 * PAGE);
	p = mmap(p + 511 * PAGE, PAGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN, -1, 0);
	for (int i = 1; i <= 16; i++)
		*(volatile char *)(p - i * PAGE) = 1;
	use_stack(1 << 20);
	syscall(SYS_io_setup, 16, &ring);
}

int main(int argc, char **argv)
{
	static struct worker w[THREADS_MAX];
	int threads = argc >= 3 ? atoi(argv[1]) : 0;
	long n = argc >= 3 ? atol(argv[2]) : 0;

	if (threads < 1 || threads > THREADS_MAX || n < threads)
		return 2;
	if (argc == 3) {
		shmid = shmget(IPC_PRIVATE, 4 * PAGE, IPC_CREAT | 0600);
		shmat(shmid, NULL, SHM_RDONLY);
		shmctl(shmid, IPC_RMID, NULL); /* Linux lets it be attached all the same */
	}
	pthread_barrier_init(&start, NULL, threads + 1);
	pthread_barrier_init(&end, NULL, threads + 1);
	for (int i = 0; i < threads; i++) {
		w[i].rng = 0x9e3779b97f4a7c15ULL * (i + 1);
		w[i].n = n / threads;
		w[i].first = i % 4 == 0;
		w[i].pairs = i % 2 == 0;
		if (pthread_create(&w[i].thread, NULL, work, &w[i]))
			return 1;
	}
	setbuf(stdin, NULL);
	setbuf(stdout, NULL);
	puts("ready");
	if (!told())
		return 0;
	pthread_barrier_wait(&start);
	pthread_barrier_wait(&end);
	puts("done");
	if (!told())
		return 0;
	make_unseen();
	puts("made");
	while (told())
		;
	return 0;
}
