/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * load PID FILE COUNT: that many readings of a process at work that publishes its own in FILE
 * (target/load.go). Counters that only grow must lie between its last read that ended before ours
 * and its first that began after, with none of ours below one before; objects between the
 * differences of those. Others must add up, and lie between the smallest and the largest of its
 * reads around ours, with some room: of what goes up and down it may miss a peak. Prints the
 * figures outside, and how many readings were torn, which are not judged. Status 1 when one is
 * outside.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "target.h"

enum {
	SLOTS = 1 << 14,
	NAMES = 64,
	NAME_BYTES = 64,
	OFFSET = 64 + NAMES * NAME_BYTES,
	ROOM = 16,    /* of a figure's range, in parts of it */
	AROUND = 512, /* reads before and after that a figure which goes up and down is held against
		       */
	TOLD = 20,
};

struct book {
	const uint8_t *p;
	uint64_t n;
};

struct tally {
	uint64_t readings, torn, retries, judged, outside, lost, exact;
	uint64_t last[NAMES]; /* of ours */
};

static uint64_t count(const struct book *b)
{
	return __atomic_load_n((const uint64_t *)b->p, __ATOMIC_ACQUIRE);
}

static const char *name(const struct book *b, uint64_t i)
{
	return (const char *)b->p + 64 + i * NAME_BYTES;
}

static uint64_t value(const struct book *b, uint64_t read, uint64_t i)
{
	return ((const uint64_t *)(b->p + OFFSET))[read % SLOTS * b->n + i];
}

/* What the objects leave of the spans: for a moment, when all Ps hand theirs back, next to nothing.
 * The spans are judged. */
static const char unused[] = "/memory/classes/heap/unused:bytes";
static const char objects[] = "/memory/classes/heap/objects:bytes";

static bool grows(const char *s)
{
	return strstr(s, "/gc/cycles/") || strstr(s, "allocs:") || strstr(s, "frees:");
}

static const struct go_metric *find(const struct go_metrics *m, const char *s)
{
	for (size_t i = 0; i < m->v.n; i++)
		if (!strcmp(m->v.v[i].name, s))
			return &m->v.v[i];
	return NULL;
}

static void tell(struct tally *t, const char *s, uint64_t v, uint64_t lo, uint64_t hi)
{
	if (++t->outside <= TOLD)
		printf("OUTSIDE reading %" PRIu64 " %s: %" PRIu64 " not in %" PRIu64 "..%" PRIu64
		       "\n",
		       t->readings, s, v, lo, hi);
}

static void judge_counter(const struct book *b, struct tally *t, uint64_t i, uint64_t v,
			  uint64_t from, uint64_t to)
{
	uint64_t lo = value(b, from, i), hi = value(b, to, i);

	lo = lo > t->last[i] ? lo : t->last[i];
	if (v < lo || v > hi)
		tell(t, name(b, i), v, lo, hi);
	t->last[i] = v;
	t->exact += lo == hi;
	t->judged++;
}

static uint64_t named(const struct book *b, uint64_t read, const char *s)
{
	for (uint64_t i = 0; i < b->n; i++)
		if (!strcmp(name(b, i), s))
			return value(b, read, i);
	return 0;
}

static void judge_gauge(const struct book *b, struct tally *t, const struct go_metrics *m,
			uint64_t i, uint64_t v, uint64_t from, uint64_t to)
{
	bool rest = !strcmp(name(b, i), unused);
	uint64_t lo = UINT64_MAX, hi = 0;

	v += rest ? find(m, objects)->value : 0;

	from = from > AROUND ? from - AROUND : 0;
	for (uint64_t k = from; k <= to; k++) {
		uint64_t x = value(b, k, i) + (rest ? named(b, k, objects) : 0);

		lo = x < lo ? x : lo;
		hi = x > hi ? x : hi;
	}
	if (v + (hi - lo) / ROOM < lo || v > hi + (hi - lo) / ROOM)
		tell(t, name(b, i), v, lo, hi);
	t->judged++;
}

static void judge_objects(const struct book *b, struct tally *t, const struct go_metrics *m,
			  const char *what, const char *allocs, const char *frees, uint64_t from,
			  uint64_t to)
{
	const struct go_metric *x = find(m, what);
	uint64_t lo = named(b, from, allocs) - named(b, to, frees);
	uint64_t hi = named(b, to, allocs) - named(b, from, frees);

	lo = lo >> 63 ? 0 : lo;
	if (!x || x->value < lo || x->value > hi)
		tell(t, what, x ? x->value : 0, lo, hi);
	t->judged++;
}

static void judge_sum(struct tally *t, const struct go_metrics *m)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < m->v.n; i++)
		if (!strncmp(m->v.v[i].name, "/memory/classes/", 16) &&
		    !strstr(m->v.v[i].name, "/total:"))
			sum += m->v.v[i].value;
	if (sum != m->total)
		tell(t, "sum of the classes", sum, m->total, m->total);
	t->judged++;
}

/* Until the process has read once more after `read`; false when it has ended. */
static bool await(const struct book *b, uint64_t read)
{
	for (int i = 0; i < 200000 && count(b) <= read; i++)
		nanosleep(&(struct timespec){ .tv_nsec = 50000 }, NULL);
	return count(b) > read;
}

static int read_once(const struct go_runtime *rt, const struct book *b, struct tally *t, bool wide)
{
	uint64_t before = count(b) - 1, after;
	bool judge;
	struct go_metrics m;
	struct err e = { 0 };

	memsrc_flush(rt->m);
	if (go_metrics_read(rt, &m, &e)) {
		fprintf(stderr, "reading %" PRIu64 ": %s\n", t->readings, e.text);
		return -1;
	}
	after = count(b) + 1; /* one may have begun before we ended */
	t->readings++;
	t->retries += m.retries;
	t->torn += m.torn;
	wide &= !m.torn;
	if (!await(b, after + (wide ? AROUND : 0)))
		return -1;
	/* overwritten while we looked: not judged */
	judge = count(b) - before + AROUND < SLOTS - SLOTS / 8;
	t->lost += !judge;
	judge &= !m.torn;
	for (uint64_t i = 0; i < b->n && judge; i++) {
		const struct go_metric *x = find(&m, name(b, i));

		if (x && grows(x->name))
			judge_counter(b, t, i, x->value, before, after);
		else if (x && wide)
			judge_gauge(b, t, &m, i, x->value, before, after + AROUND);
	}
	if (judge) {
		judge_sum(t, &m);
		judge_objects(b, t, &m, objects, "/gc/heap/allocs:bytes", "/gc/heap/frees:bytes",
			      before, after);
		judge_objects(b, t, &m, "/gc/heap/objects:objects", "/gc/heap/allocs:objects",
			      "/gc/heap/frees:objects", before, after);
	}
	go_metrics_free(&m);
	return 0;
}

static int book_open(const char *path, struct book *b)
{
	_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) || st.st_size < OFFSET)
		return -1;
	b->p = mmap(NULL, st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (b->p == MAP_FAILED)
		return -1;
	b->n = ((const uint64_t *)b->p)[1];
	return b->n && b->n <= NAMES && (uint64_t)st.st_size >= OFFSET + SLOTS * b->n * 8 ? 0 : -1;
}

int main(int argc, char **argv)
{
	struct tally t = { 0 };
	struct target target = { 0 };
	struct go_runtime rt;
	struct err e = { 0 };
	struct book b;
	int r = 0;

	if (argc != 4 || book_open(argv[2], &b)) {
		fprintf(stderr, "usage: load PID FILE COUNT; FILE is what the process publishes\n");
		return 2;
	}
	target_open(&target, argv[1]);
	if (go_runtime_open(target.m, target.bin, target.bias, &target.maps, NULL, &rt, &e)) {
		fprintf(stderr, "%s: %s\n", argv[1], e.text);
		return 2;
	}
	for (uint64_t i = strtoull(argv[3], NULL, 10); i && !r; i--)
		r = read_once(&rt, &b, &t, i % 32 == 0);
	printf("%" PRIu64 " readings, %" PRIu64 " torn (%" PRIu64 " read again), %" PRIu64
	       " figures judged, %" PRIu64 " outside, %" PRIu64
	       " in a bracket of one value, %" PRIu64 " not judged\n",
	       t.readings, t.torn, t.retries, t.judged, t.outside, t.exact, t.lost);
	target_close(&target);
	return r || t.outside || t.judged < t.readings;
}
